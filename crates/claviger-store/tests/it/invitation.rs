//! Invitations in storage.

use std::sync::Arc;

use claviger_core::{Action, By, Chain, Event, Invitation, InvitationStatus, LinkMaker, Reach};
use claviger_store::{AuditFilter, InvitationStatusFilter};
use claviger_token::{ApiKeyId, CredentialId, InvitationId, TypedId as _};
use jiff::SignedDuration;
use serde_json::json;
use tokio::task::JoinSet;

use crate::{
    db::{all, walk},
    sample::{World, at, digest, event, rng, role, set, user},
};

fn invitation(world: &World, email: &str) -> Invitation {
    Invitation {
        id: InvitationId::generate(user(email).created_at, &mut rng()),
        organization: world.acme.id,
        email: user(email).email,
        roles: Vec::new(),
        permissions: set(""),
        created_at: at(0),
        created_by: "operator".to_owned(),
        created_with: Some(CredentialId::ApiKey(ApiKeyId::generate(at(0), &mut rng()))),
        ends_at: at(100),
        accepted: None,
        revoked_at: None,
    }
}

on_both_databases! {
    async fn an_invitation_reads_back_as_written_and_changed(db: &TestDb) {
        let world = World::stored(db).await;
        let (reader, writer) = (role(None, "reader", "a:read"), role(Some(&world.acme), "writer", "a:write"));
        let bare = invitation(&world, "bare@acme.test");
        let full = Invitation {
            roles: vec![reader.id, writer.id], permissions: set("a:read b:read"), ..invitation(&world, "Full@acme.test")
        };
        let (one, other, alice) = (digest(), digest(), user("alice@acme.test"));
        db.write(async |tx| {
            for role in [&reader, &writer] {
                tx.insert_role(role).await?;
            }
            tx.insert_user(&alice).await?;
            tx.insert_invitation(&bare, &one).await?;
            tx.insert_invitation(&full, &other).await
        }).await;
        let mut view = db.view();
        assert_eq!(view.invitation(bare.id).await.unwrap().as_ref(), Some(&bare));
        assert_eq!(view.invitation_by_code(&other).await.unwrap().as_ref(), Some(&full));
        assert_eq!(view.invitation_by_code(&digest()).await.unwrap(), None);
        assert_eq!(view.roles_by_id(full.roles.iter().copied()).await.unwrap(), [reader, writer]);
        assert_eq!(view.roles_by_id([]).await.unwrap(), []);

        let accepted = Invitation { accepted: Some((at(5), alice.id)), ..bare };
        let revoked = Invitation { revoked_at: Some(at(6)), ..full };
        for changed in [accepted, revoked] {
            db.write(async |tx| {
                assert!(tx.to_change(Reach::Instance).invitation(changed.id).await?.is_some());
                tx.save_invitation(&changed).await
            }).await;
            assert_eq!(db.view().invitation(changed.id).await.unwrap(), Some(changed));
        }
    }

    async fn those_of_another_organization_look_absent(db: &TestDb) {
        let world = World::stored(db).await;
        let (own, code) = (invitation(&world, "bob@acme.test"), digest());
        db.write(async |tx| tx.insert_invitation(&own, &code).await).await;
        let mut view = db.store.within(Reach::Organization(world.globex.id));
        assert_eq!(view.invitation(own.id).await.unwrap(), None);
        assert_eq!(view.invitation_by_code(&code).await.unwrap(), None);
        assert_eq!(view.invitations(world.acme.id, None, &all()).await.unwrap(), []);
        assert_eq!(db.view().invitations(world.globex.id, None, &all()).await.unwrap(), []);
    }

    async fn a_list_is_filtered_by_state_at_the_very_instant(db: &TestDb) {
        let world = World::stored(db).await;
        let alice = user("alice@acme.test");
        let open = invitation(&world, "open@acme.test");
        let accepted = Invitation { accepted: Some((at(5), alice.id)), ..invitation(&world, "accepted@acme.test") };
        let revoked = Invitation { revoked_at: Some(at(5)), ..invitation(&world, "revoked@acme.test") };
        db.write(async |tx| {
            tx.insert_user(&alice).await?;
            for one in [&open, &accepted, &revoked] {
                tx.insert_invitation(one, &digest()).await?;
                tx.save_invitation(one).await?;
            }
            Ok(())
        }).await;
        for now in [at(99), at(100)] {
            for status in [InvitationStatus::Open, InvitationStatus::Accepted, InvitationStatus::Revoked, InvitationStatus::Expired] {
                let filter = Some(InvitationStatusFilter { status, at: now });
                let found = db.view().invitations(world.acme.id, filter, &all()).await.unwrap();
                let expected: Vec<_> = [&revoked, &accepted, &open].into_iter().filter(|one| one.status(now) == status).cloned().collect();
                assert_eq!(found, expected, "{status:?}");
            }
        }
        assert_eq!(db.view().invitations(world.acme.id, None, &all()).await.unwrap(), [revoked, accepted, open]);
    }

    async fn pages_tell_each_invitation_once_newest_first(db: &TestDb) {
        let world = World::stored(db).await;
        let mut ids = Vec::new();
        for _ in 0..25 {
            let one = invitation(&world, "same@acme.test");
            db.write(async |tx| tx.insert_invitation(&one, &digest()).await).await;
            ids.insert(0, one.id);
        }
        let page = async |page| db.view().invitations(world.acme.id, None, &page).await;
        assert_eq!(walk(|one: &Invitation| one.id, page).await, ids);
    }

    async fn of_many_who_accept_at_once_one_does(db: &TestDb) {
        let world = World::stored(db).await;
        let (own, alice) = (invitation(&world, "bob@acme.test"), user("alice@acme.test"));
        db.write(async |tx| {
            tx.insert_user(&alice).await?;
            tx.insert_invitation(&own, &digest()).await
        }).await;
        let mut tasks = JoinSet::new();
        for _ in 0..6 {
            let (store, id, user) = (Arc::clone(&db.store), own.id, alice.id);
            tasks.spawn(async move {
                let by = By::system();
                let mut tx = store.begin(&by).await.unwrap();
                let found = tx.to_change(Reach::Instance).invitation(id).await.unwrap().unwrap();
                let Ok((accepted, _)) = found.accept(user, &LinkMaker::Operator, &[], at(5)) else { return false };
                tx.save_invitation(&accepted).await.unwrap();
                tx.commit(event(None, Vec::new()), at(5), &mut rng()).await.unwrap();
                true
            });
        }
        let mut accepted = 0;
        while let Some(done) = tasks.join_next().await {
            accepted += u32::from(done.unwrap());
        }
        assert_eq!(accepted, 1);
    }

    async fn an_invitation_is_forgotten_with_its_address_a_month_after_its_end(db: &TestDb) {
        let world = World::stored(db).await;
        let old = invitation(&world, "old@acme.test");
        let new = Invitation { ends_at: at(101), ..invitation(&world, "new@acme.test") };
        for one in [&old, &new] {
            let told = Event {
                chain: Chain::Organization(world.acme.id), action: Action::InvitationCreated, target: one.id.to_string(),
                details: json!({}), personal: Some(json!({ "email": one.email.as_str() })), touched: Vec::new(),
            };
            crate::db::write(&db.store, told, async |tx| tx.insert_invitation(one, &digest()).await).await.unwrap();
        }
        let month = SignedDuration::from_hours(30 * 24);
        let left = async || db.number("SELECT COUNT(*) FROM invitation").await;
        db.store.trim(at(99) + month).await.unwrap();
        assert_eq!(left().await, 2);
        db.store.trim(at(100) + month).await.unwrap();
        assert_eq!(left().await, 1);
        let filter = AuditFilter { action: Some("invitation.created".to_owned()), ..AuditFilter::default() };
        let told = db.view().audit_events(&filter, &all()).await.unwrap();
        let personal: Vec<bool> = told.iter().map(|event| event.personal.is_some()).collect();
        assert_eq!(personal.iter().filter(|there| **there).count(), 1, "{told:?}");
        assert!(told.iter().any(|event| event.personal.as_ref().is_some_and(|text| text.contains("new@"))));
        assert_eq!(db.store.verify_audit().await.unwrap().findings, []);
    }
}
