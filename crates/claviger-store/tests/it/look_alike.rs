//! Which credentials are called alike.

use claviger_core::{Credential, Reach, Revocation, RevokeReason};
use claviger_token::{ApiKeyId, TypedId as _};

use crate::{
    db::TestDb,
    sample::{World, at, digest, key, name, rng, service_account},
};

/// What is called like `one`, by name and in order.
async fn alike(db: &TestDb, one: &Credential) -> Vec<String> {
    let found = db.store.within(Reach::Organization(one.organization)).look_alikes(one, at(50)).await.unwrap();
    let mut names: Vec<_> = found.into_iter().map(|found| found.name.to_string()).collect();
    names.sort_unstable();
    names
}

async fn add(db: &TestDb, keys: &[Credential]) {
    db.write(async |tx| {
        for key in keys {
            tx.insert_credential(key, &digest()).await?;
            tx.save_credential(key).await?;
        }
        Ok(())
    })
    .await;
}

on_both_databases! {
    async fn living_credentials_of_the_organization_with_a_name_that_looks_the_same_are_found(db: &TestDb) {
        let world = World::stored(db).await;
        let other = service_account(&world.acme, "other");
        db.write(async |tx| tx.insert_service_account(&other).await).await;
        let deploy = key(&world.ci, "deploy");
        let of = |called| key(&other, called);
        let revocation = Some(Revocation { at: at(1), reason: RevokeReason::Unused });
        add(db, &[
            deploy.clone(),
            key(&world.ci, "deploy"),
            key(&world.ci, "Deploy"),
            of("deploy"),
            of("dep1oy"),
            Credential { expires_at: Some(at(51)), ..of("depl\u{43E}y") },
            of("destroy"),
            Credential { expires_at: Some(at(50)), ..of("DEPLOY") },
            Credential { revocation, ..of("DEPLOY") },
            Credential { deleted_at: Some(at(1)), revocation, ..of("DEPLOY") },
            key(&world.stranger, "DEPLOY"),
        ]).await;
        assert_eq!(alike(db, &deploy).await, ["Deploy", "dep1oy", "deploy", "depl\u{43E}y"]);
        let found = db.view().look_alikes(&deploy, at(50)).await.unwrap();
        let same = found.iter().find(|found| found.name == deploy.name).unwrap();
        assert_eq!((same.principal, found.len()), (other.id.into(), 4), "one's own of the same name is meant");
        let elsewhere = db.store.within(Reach::Organization(world.globex.id)).look_alikes(&deploy, at(50)).await.unwrap();
        assert_eq!(elsewhere, []);
    }

    async fn another_name_is_looked_at_from_then_on(db: &TestDb) {
        let world = World::stored(db).await;
        let (one, other) = (key(&world.ci, "one"), key(&world.ci, "other"));
        add(db, &[one.clone(), other.clone()]).await;
        assert_eq!(alike(db, &one).await, [""; 0]);
        let renamed = Credential { name: name("0ne"), ..other };
        db.write(async |tx| tx.save_credential(&renamed).await).await;
        assert_eq!(alike(db, &one).await, ["0ne"]);
    }

    async fn a_few_are_enough_and_a_long_name_is_not_too_long(db: &TestDb) {
        let world = World::stored(db).await;
        // One letter that becomes eighteen.
        let long = name(&"\u{FDFA}".repeat(100));
        let one = Credential { name: long.clone(), ..key(&world.ci, "x") };
        let other = service_account(&world.acme, "other");
        db.write(async |tx| tx.insert_service_account(&other).await).await;
        let many: Vec<_> = (0..8).map(|_| Credential { name: long.clone(), ..key(&other, "x") }).collect();
        add(db, std::slice::from_ref(&one)).await;
        add(db, &many).await;
        assert_eq!(alike(db, &one).await.len(), 5);
        assert_eq!(alike(db, &many[0]).await.len(), 1);
    }

    async fn what_was_stored_without_a_skeleton_gets_one_at_the_start(db: &TestDb) {
        let world = World::stored(db).await;
        let many: Vec<_> = (0..510)
            .map(|number| Credential {
                id: ApiKeyId::generate(at(number), &mut rng()).into(), ..key(&world.ci, &format!("many {number}"))
            })
            .collect();
        add(db, &many).await;
        add(db, &[key(&world.ci, "MANY 509")]).await;
        db.tamper("UPDATE credential SET skeleton = NULL").await;
        assert_eq!(alike(db, &many[509]).await, [""; 0]);
        db.tamper(&format!("UPDATE credential SET name = '' WHERE id = '{}'", many[0].id)).await;
        db.store.database().migrate().await.unwrap();
        assert_eq!(db.number("SELECT COUNT(*) FROM credential WHERE skeleton IS NULL").await, 0);
        assert_eq!(alike(db, &many[509]).await, ["MANY 509"]);
    }
}
