//! Organizations in storage.

use claviger_core::{Name, Organization, Reach, RevokeReason, Slug};
use claviger_store::StoreError;

use crate::{
    db::{all, walk},
    sample::{World, at, full_organization, name, organization},
};

on_both_databases! {
    async fn an_organization_reads_back_as_it_was_written(db: &TestDb) {
        for written in [organization("bare"), full_organization("full")] {
            db.write(async |tx| tx.insert_organization(&written).await).await;
            assert_eq!(db.view().organization(written.id).await.unwrap().as_ref(), Some(&written));
            let by_slug = db.view().organization_by_slug(written.slug.as_str()).await.unwrap();
            assert_eq!(by_slug.as_ref(), Some(&written));
        }
    }

    async fn a_saved_organization_reads_back_with_every_change(db: &TestDb) {
        let (bare, full) = (organization("bare"), full_organization("full"));
        db.write(async |tx| {
            tx.insert_organization(&bare).await?;
            tx.insert_organization(&full).await
        }).await;
        let now_full = Organization { id: bare.id, created_at: bare.created_at, ..full_organization("bare-2") };
        let now_bare = Organization { id: full.id, created_at: full.created_at, ..organization("full-2") };
        for changed in [now_full, now_bare] {
            db.write(async |tx| {
                assert!(tx.to_change(Reach::Instance).organization(changed.id).await?.is_some());
                tx.save_organization(&changed).await
            }).await;
            assert_eq!(db.view().organization(changed.id).await.unwrap(), Some(changed));
        }
    }

    async fn another_organization_looks_absent(db: &TestDb) {
        let world = World::stored(db).await;
        let mut view = db.store.within(Reach::Organization(world.acme.id));
        assert_eq!(view.organization(world.globex.id).await.unwrap(), None);
        assert_eq!(view.organization_by_slug("globex").await.unwrap(), None);
        assert_eq!(view.organizations(Some("globex"), &all()).await.unwrap(), []);
        assert_eq!(view.organizations(None, &all()).await.unwrap(), [world.acme]);
        db.write(async |tx| {
            assert_eq!(tx.to_change(Reach::Organization(world.ci.organization)).organization(world.globex.id).await?, None);
            Ok(())
        }).await;
    }

    async fn a_search_takes_every_character_literally(db: &TestDb) {
        let named = |slug: &str, text: &str| Organization { name: name(text), ..organization(slug) };
        let with_id = Organization { external_id: Some("CRM%7".to_owned()), ..organization("d") };
        let written = [named("a", "100% Öl"), named("b", "under_score"), named("c", "back\\slash"), with_id];
        for one in &written {
            db.write(async |tx| tx.insert_organization(one).await).await;
        }
        let check = async |q: &str, slugs: &str| {
            let found = db.view().organizations(Some(q), &all()).await.unwrap();
            let mut found: Vec<_> = found.iter().map(|one| one.slug.as_str()).collect();
            found.sort_unstable();
            assert_eq!(found.concat(), slugs, "{q}");
        };
        check("", "abcd").await;
        check("%", "ad").await;
        check("_", "b").await;
        check("\\", "c").await;
        check("UNDER_", "b").await;
        check("Öl", "a").await;
        check("crm%7", "d").await;
        check("r_s", "b").await;
        check("x_s", "").await;
        check("'; DROP TABLE organization; --", "").await;
        check("\0", "").await;
    }

    async fn pages_tell_each_organization_once_newest_first(db: &TestDb) {
        let mut ids = Vec::new();
        for number in 0..25 {
            let one = organization(&format!("o{number}"));
            db.write(async |tx| tx.insert_organization(&one).await).await;
            ids.insert(0, one.id);
        }
        let seen = walk(|one: &Organization| one.id, async |page| db.view().organizations(None, &page).await).await;
        assert_eq!(seen, ids);
    }

    async fn slug_and_external_id_are_unique_until_the_holder_is_deleted(db: &TestDb) {
        let first = full_organization("acme");
        db.write(async |tx| tx.insert_organization(&first).await).await;
        let same_slug = organization("acme");
        let same_external = Organization { slug: Slug::parse("b").unwrap(), ..full_organization("acme") };
        let free = organization("free");
        let check = async |one: &Organization, column: &str| {
            let refused = db.try_write(async |tx| tx.insert_organization(one).await).await;
            assert!(matches!(refused, Err(StoreError::Taken(taken)) if taken == column), "{refused:?}");
        };
        check(&same_slug, "slug").await;
        check(&same_external, "external_id").await;
        db.write(async |tx| tx.insert_organization(&free).await).await;
        let renamed = Organization { slug: first.slug.clone(), ..free };
        let refused = db.try_write(async |tx| tx.save_organization(&renamed).await).await;
        assert!(matches!(refused, Err(StoreError::Taken("slug"))), "{refused:?}");

        db.write(async |tx| tx.save_organization(&first.delete(at(9)).0).await).await;
        db.write(async |tx| {
            tx.insert_organization(&same_slug).await?;
            tx.insert_organization(&same_external).await
        }).await;
    }

    async fn a_deleted_organization_takes_everything_in_it_along(db: &TestDb) {
        let world = World::stored(db).await;
        let id = world.acme.id;
        db.write(async |tx| {
            tx.save_organization(&world.acme.clone().delete(at(9)).0).await?;
            let ended = tx.end_all_in_organization(id, at(9)).await?;
            assert_eq!(ended, [world.key.id]);
            Ok(())
        }).await;
        // The end of the organization is told in the instance's chain, the end of the key in its own.
        let heads: Vec<_> = db.store.verify_audit().await.unwrap().heads.into_iter().map(|head| head.chain).collect();
        assert_eq!(heads, ["instance".to_owned(), id.to_string()]);
        let mut view = db.view();
        assert_eq!(view.organization(id).await.unwrap(), None);
        assert_eq!(view.organization_by_slug("acme").await.unwrap(), None);
        assert_eq!(view.organizations(None, &all()).await.unwrap(), [world.globex]);
        assert_eq!(view.service_account(world.ci.id).await.unwrap(), None);
        let key = view.credential(world.key.id).await.unwrap().unwrap();
        let revocation = key.revocation.unwrap();
        assert_eq!((revocation.reason, revocation.at, key.epoch), (RevokeReason::OwnerLeft, at(9), 2));
        let found = db.store.find_api_key(&world.digest).await.unwrap().unwrap();
        assert!(found.credential.revoked && found.principal.disabled && found.organization.disabled);
        assert_eq!(view.service_account(world.stranger.id).await.unwrap(), Some(world.stranger));
        assert_eq!(view.credential(world.strange_key.id).await.unwrap(), Some(world.strange_key));
    }

    async fn a_name_that_no_version_would_write_is_damage(db: &TestDb) {
        let one = organization("acme");
        db.write(async |tx| tx.insert_organization(&one).await).await;
        db.tamper("UPDATE organization SET name = ''").await;
        assert!(Name::parse("").is_err());
        let read = db.view().organization(one.id).await;
        assert!(matches!(read, Err(StoreError::Damaged(_))), "{read:?}");
    }
}
