//! Public keys of clients in storage.

use claviger_core::{Credential, Kind, LastUsed, Reach, Revocation, RevokeReason, Touches};
use claviger_store::{CredentialFilter, LastUse, StoreError, UsageBatch};
use claviger_token::{CredentialId, PublicKeyId};

use crate::{
    db::{all, walk},
    sample::{World, at, client_key, client_secret, digest, name, public_key, rng},
};

const ED25519: &str = r#"{"jwk":{"alg":"EdDSA","crv":"Ed25519","kid":"1","kty":"OKP","use":"sig","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}}"#;
const ADDRESS: &str = r#"{"jwks_uri":"https://client.test/jwks"}"#;

fn id(of: &Credential) -> PublicKeyId {
    let CredentialId::PublicKey(id) = of.id else { panic!("{}", of.id) };
    id
}

on_both_databases! {
    async fn a_key_reads_back_as_it_was_written_and_changed(db: &TestDb) {
        let world = World::stored(db).await;
        let (one, other) = (public_key(&world.ci, "one"), public_key(&world.ci, "other"));
        db.write(async |tx| {
            tx.insert_public_key(&one, &client_key(ED25519)).await?;
            tx.insert_public_key(&other, &client_key(ADDRESS)).await
        }).await;
        for (written, stored) in [(&one, ED25519), (&other, ADDRESS)] {
            let (read, key) = db.view().public_key(id(written)).await.unwrap().unwrap();
            assert_eq!((&read, key.to_text().as_str()), (written, stored));
            assert_eq!(db.view().credential(written.id).await.unwrap().as_ref(), Some(written));
        }
        let changed = Credential { name: name("renamed"), expires_at: Some(at(9)), epoch: 2, ..one };
        db.write(async |tx| tx.save_credential(&changed).await).await;
        let (read, key) = db.view().public_key(id(&changed)).await.unwrap().unwrap();
        assert_eq!((read, key.to_text().as_str()), (changed, ED25519));
    }

    async fn a_client_has_those_that_were_neither_revoked_nor_deleted(db: &TestDb) {
        let world = World::stored(db).await;
        let revocation = Some(Revocation { at: at(1), reason: RevokeReason::Unspecified });
        let keys = [
            public_key(&world.ci, "living"),
            Credential { disabled_at: Some(at(1)), ..public_key(&world.ci, "stopped") },
            Credential { revocation, ..public_key(&world.ci, "revoked") },
            Credential { deleted_at: Some(at(1)), ..public_key(&world.ci, "deleted") },
        ];
        db.write(async |tx| {
            for key in &keys {
                tx.insert_public_key(key, &client_key(ED25519)).await?;
                tx.save_credential(key).await?;
            }
            tx.insert_credential(&client_secret(&world.ci, "a secret"), &digest()).await?;
            tx.insert_public_key(&public_key(&world.stranger, "strange"), &client_key(ADDRESS)).await
        }).await;
        let names = |found: Vec<(Credential, claviger_core::ClientKey)>| {
            found.iter().map(|(one, _)| one.name.to_string()).collect::<Vec<_>>().join(", ")
        };
        let mut own = db.store.within(Reach::Organization(world.acme.id));
        assert_eq!(names(own.client_keys(world.ci.id).await.unwrap()), "stopped, living");
        assert_eq!(names(own.client_keys(world.stranger.id).await.unwrap()), "");
        assert_eq!(names(own.living_client_keys(world.ci.id, at(2)).await.unwrap()), "living");
        assert_eq!(names(own.living_client_keys(world.stranger.id, at(2)).await.unwrap()), "");
        assert_eq!(names(own.public_keys(world.ci.id, &all()).await.unwrap()), "revoked, stopped, living");
        assert_eq!(names(own.public_keys(world.stranger.id, &all()).await.unwrap()), "");
        assert!(own.public_key(id(&keys[3])).await.unwrap().is_none());
        let strange = db.view().client_keys(world.stranger.id).await.unwrap();
        assert!(own.public_key(id(&strange[0].0)).await.unwrap().is_none());
        assert_eq!(names(strange), "strange");
    }

    async fn a_long_list_is_walked_to_its_end(db: &TestDb) {
        let world = World::stored(db).await;
        let keys: Vec<_> = (0..23).map(|_| public_key(&world.ci, "one of many")).collect();
        db.write(async |tx| {
            for key in &keys {
                tx.insert_public_key(key, &client_key(ADDRESS)).await?;
            }
            Ok(())
        }).await;
        let seen = walk(|(key, _)| id(key), async |page| db.view().public_keys(world.ci.id, &page).await).await;
        let mut expected: Vec<_> = keys.iter().map(id).collect();
        expected.sort_unstable_by(|one, other| other.cmp(one));
        assert_eq!(seen, expected);
    }

    async fn the_last_use_of_a_key_is_told(db: &TestDb) {
        let world = World::stored(db).await;
        let key = public_key(&world.ci, "used");
        db.write(async |tx| tx.insert_public_key(&key, &client_key(ED25519)).await).await;
        for (milliseconds, from) in [(5, Some("192.0.2.1")), (7, None)] {
            let mut batch = UsageBatch::default();
            let last = LastUse { at: at(milliseconds), from: from.map(str::to_owned) };
            batch.last_uses.insert((key.id, 0), last);
            db.store.flush_usage(&mut batch, at(0), &mut rng()).await.unwrap();
            let read = db.view().credential(key.id).await.unwrap().unwrap();
            let used = LastUsed { at: at(milliseconds), from: from.map(str::to_owned) };
            assert_eq!((read.last_used(), read.secrets.len()), (Some(used), 0));
        }
    }

    async fn a_rule_about_wildcards_does_not_touch_what_clients_prove_themselves_by(db: &TestDb) {
        let world = World::stored(db).await;
        db.write(async |tx| {
            tx.insert_credential(&client_secret(&world.ci, "secret"), &digest()).await?;
            tx.insert_public_key(&public_key(&world.ci, "key"), &client_key(ED25519)).await
        }).await;
        let touched = async |touches| {
            let filter = CredentialFilter {
                touched: Some(touches), organization: Some(world.acme.id), ..CredentialFilter::default()
            };
            let found = db.view().credentials(&filter, &all()).await.unwrap();
            found.iter().map(|one| one.name.to_string()).collect::<Vec<_>>().join(", ")
        };
        assert_eq!(touched(Touches::Wildcards).await, "production");
        assert_eq!(touched(Touches::Kind(Kind::ClientSecret)).await, "secret");
        assert_eq!(touched(Touches::Outliving(Kind::PublicKey, at(1))).await, "key");
    }

    async fn a_key_that_somebody_else_registered_counts_as_seen_by_them(db: &TestDb) {
        let world = World::stored(db).await;
        let revocation = Some(Revocation { at: at(1), reason: RevokeReason::Unspecified });
        let registered_by = |by: String| Credential { created_by: by, ..public_key(&world.ci, "x") };
        let seen = async || db.view().others_who_saw_credentials(world.ci.id.into(), at(0)).await.unwrap();
        let add = async |key: &Credential| {
            db.write(async |tx| tx.insert_public_key(key, &client_key(ADDRESS)).await).await;
        };
        add(&registered_by("operator".to_owned())).await;
        add(&registered_by(world.ci.id.to_string())).await;
        assert!(seen().await.is_empty());
        let theirs = registered_by(world.stranger.id.to_string());
        add(&theirs).await;
        assert_eq!(seen().await, [world.stranger.id.to_string()]);
        db.write(async |tx| tx.save_credential(&Credential { revocation, ..theirs }).await).await;
        assert!(seen().await.is_empty());
    }

    async fn a_damaged_key_is_an_error_and_no_key_less(db: &TestDb) {
        let world = World::stored(db).await;
        db.write(async |tx| tx.insert_public_key(&public_key(&world.ci, "x"), &client_key(ADDRESS)).await).await;
        db.tamper("UPDATE credential SET client_key = '{}' WHERE kind = 'public_key'").await;
        let read = db.view().client_keys(world.ci.id).await;
        assert!(matches!(read, Err(StoreError::Damaged(_))), "{read:?}");
    }
}
