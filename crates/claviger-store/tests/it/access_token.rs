//! Opaque access tokens in storage.

use claviger_core::{Digest, Touched};
use claviger_store::StoreError;
use claviger_token::{AccessTokenClaims, AccessTokenId, Environment, ObjectSet, TypedId as _};
use jiff::SignedDuration;

use crate::sample::{World, at, digest, rng, set};

fn claims(world: &World, exp: i64) -> AccessTokenClaims {
    AccessTokenClaims {
        iss: "https://claviger.test".to_owned(),
        sub: world.ci.id.into(),
        aud: vec!["https://größe.test".to_owned(), "urn:b".to_owned()],
        exp,
        iat: 0,
        jti: AccessTokenId::generate(at(0), &mut rng()),
        client_id: world.ci.id,
        scope: set("a:read b:read"),
        org: world.acme.id,
        cred: world.key.id,
        epoch: 7,
        env: Environment::Test,
        objects: ObjectSet::parse(["base:*"]).ok(),
        networks: None,
        cnf: None,
        authorization_details: None,
        status: None,
        act: None,
    }
}

on_both_databases! {
    async fn an_opaque_token_says_what_it_said_when_it_was_made(db: &TestDb) {
        let world = World::stored(db).await;
        let (one, two) = (claims(&world, 600), claims(&world, 601));
        let (first, second) = (digest(), digest());
        db.store.insert_access_token(&one, &first).await.unwrap();
        db.store.insert_access_token(&two, &second).await.unwrap();
        assert_eq!(db.store.find_access_token(&first).await.unwrap(), Some(one));
        assert_eq!(db.store.find_access_token(&second).await.unwrap(), Some(two));
        assert_eq!(db.store.find_access_token(&digest()).await.unwrap(), None);
        assert!(db.store.find_api_key(&first).await.unwrap().is_none(), "nor is it a key");
        assert_eq!(db.store.find_access_token(&world.digest).await.unwrap(), None, "nor is a key one");
    }

    async fn what_is_not_understood_of_a_token_is_not_passed_over(db: &TestDb) {
        let world = World::stored(db).await;
        let digest = Digest { bytes: [7; 32], pepper: 1 };
        db.store.insert_access_token(&claims(&world, 600), &digest).await.unwrap();
        db.tamper("UPDATE access_token SET claims = REPLACE(claims, '\"epoch\"', '\"max_uses\":1,\"epoch\"')").await;
        assert_eq!(db.store.find_access_token(&digest).await.unwrap(), None);
    }

    async fn a_token_is_forgotten_a_day_after_its_end(db: &TestDb) {
        let world = World::stored(db).await;
        let digest = digest();
        db.store.insert_access_token(&claims(&world, at(0).as_second() + 600), &digest).await.unwrap();
        let end = at(0) + SignedDuration::from_secs(600) + SignedDuration::from_hours(24);
        db.store.trim(end - SignedDuration::from_secs(1)).await.unwrap();
        assert!(db.store.find_access_token(&digest).await.unwrap().is_some());
        db.store.trim(end).await.unwrap();
        assert!(db.store.find_access_token(&digest).await.unwrap().is_none());
    }

    async fn a_revoked_token_is_listed_until_nobody_would_take_it(db: &TestDb) {
        let world = World::stored(db).await;
        let [one, two] = [(); 2].map(|()| AccessTokenId::generate(at(0), &mut rng()));
        let revoke = async |id, end, now| {
            db.write(async |tx| tx.revoke_access_token(id, world.key.id, at(end), at(now)).await).await;
        };
        revoke(one, 600, 1).await;
        revoke(two, 700, 1).await;
        revoke(one, 900, 2).await;
        let listed = async |now| {
            let mut listed = db.view().revoked_access_tokens(now).await.unwrap();
            listed.sort_unstable();
            listed
        };
        let mut both = [one, two];
        both.sort_unstable();
        assert_eq!(listed(at(599)).await, both);
        assert_eq!(listed(at(600)).await, [two], "what was said first counts");
        assert_eq!(listed(at(700)).await, []);
        db.store.trim(at(600) + SignedDuration::from_hours(24)).await.unwrap();
        assert_eq!(listed(at(0)).await, [two]);
        db.store.trim(at(700) + SignedDuration::from_hours(24)).await.unwrap();
        assert_eq!(listed(at(0)).await, []);
    }

    async fn of_many_tokens_of_one_credential_all_end(db: &TestDb) {
        let world = World::stored(db).await;
        let revoke = async |credential, end, now| {
            let id = AccessTokenId::generate(at(0), &mut rng());
            db.write(async |tx| tx.revoke_access_token(id, credential, at(end), at(now)).await).await;
        };
        let standing = async |now| {
            let epoch = |found: Option<claviger_core::Credential>| found.unwrap().epoch;
            let one = epoch(db.view().credential(world.key.id).await.unwrap());
            let other = epoch(db.view().credential(world.strange_key.id).await.unwrap());
            (db.view().revoked_access_tokens(at(now)).await.unwrap().len(), one, other)
        };
        let mark = db.store.changes().mark();
        revoke(world.strange_key.id, 700, 1).await;
        for _ in 0..50 {
            revoke(world.key.id, 600, 1).await;
            revoke(world.key.id, 700, 1).await;
        }
        assert_eq!(standing(1).await, (101, 1, 1));
        // Half of them would have ended anyway.
        revoke(world.key.id, 700, 600).await;
        assert_eq!(standing(600).await, (52, 1, 1));
        assert!(db.store.changes().hold_since(mark, [Touched::Credential(world.key.id)]));
        for _ in 0..50 {
            revoke(world.key.id, 700, 600).await;
        }
        assert_eq!(standing(600).await, (1, 2, 1));
        assert!(!db.store.changes().hold_since(mark, [Touched::Credential(world.key.id)]), "every node forgets it");
    }

    async fn a_database_that_is_gone_is_an_outage_and_not_an_unknown_token(db: &TestDb) {
        let world = World::stored(db).await;
        db.store.database().close().await;
        let kept = db.store.insert_access_token(&claims(&world, 600), &digest()).await;
        assert!(matches!(kept, Err(StoreError::Unavailable(_))), "{kept:?}");
        let found = db.store.find_access_token(&digest()).await;
        assert!(matches!(found, Err(StoreError::Unavailable(_))), "{found:?}");
    }
}
