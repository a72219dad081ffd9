//! Service accounts in storage.

use claviger_core::{Credential, Reach, RevokeReason, Scope, ServiceAccount};
use claviger_store::{AuditFilter, Held, StoreError};
use claviger_token::{ClientAuthMethod, CredentialId};

use crate::{
    db::{all, walk},
    sample::{World, at, client_secret, digest, direct, key, limits, metadata, name, service_account},
};

on_both_databases! {
    async fn a_service_account_reads_back_as_it_was_written_and_changed(db: &TestDb) {
        let world = World::stored(db).await;
        assert_eq!(db.view().service_account(world.ci.id).await.unwrap().as_ref(), Some(&world.ci));
        let full = ServiceAccount {
            external_id: Some("42".to_owned()), limits: limits(), metadata: metadata(),
            token_endpoint_auth_method: Some(ClientAuthMethod::PrivateKeyJwt), legacy_assertion_audience: true,
            dpop_bound_access_tokens: true, grant_types: "client_credentials urn:x".parse().ok(), tls_client_certificate_bound_access_tokens: true,
            ..service_account(&world.acme, "full")
        };
        db.write(async |tx| tx.insert_service_account(&full).await).await;
        assert_eq!(db.view().service_account(full.id).await.unwrap().as_ref(), Some(&full));

        let now_bare = ServiceAccount { id: full.id, created_at: full.created_at, ..service_account(&world.acme, "bare") };
        let now_full = ServiceAccount {
            name: name("other"), external_id: Some("43".to_owned()), limits: limits(), metadata: metadata(), disabled_at: Some(at(5)),
            token_endpoint_auth_method: Some(ClientAuthMethod::ClientSecretPost), legacy_assertion_audience: true,
            dpop_bound_access_tokens: true, grant_types: "urn:y".parse().ok(), tls_client_certificate_bound_access_tokens: true,
            ..world.ci
        };
        for changed in [now_bare, now_full] {
            db.write(async |tx| {
                assert!(tx.to_change(Reach::Instance).service_account(changed.id).await?.is_some());
                tx.save_service_account(&changed).await
            }).await;
            assert_eq!(db.view().service_account(changed.id).await.unwrap(), Some(changed));
        }
    }

    async fn those_of_another_organization_look_absent(db: &TestDb) {
        let world = World::stored(db).await;
        let mut view = db.store.within(Reach::Organization(world.acme.id));
        assert_eq!(view.service_account(world.stranger.id).await.unwrap(), None);
        assert_eq!(view.service_accounts(None, None, &all()).await.unwrap(), [world.ci]);
        assert_eq!(view.service_accounts(Some(world.globex.id), None, &all()).await.unwrap(), []);
        assert_eq!(db.view().service_accounts(Some(world.globex.id), None, &all()).await.unwrap(), [world.stranger]);
    }

    async fn a_search_looks_at_name_and_external_id(db: &TestDb) {
        let world = World::stored(db).await;
        let other = ServiceAccount {
            external_id: Some("App_7".to_owned()), ..service_account(&world.acme, "Éclair 50%")
        };
        db.write(async |tx| tx.insert_service_account(&other).await).await;
        let check = async |q: &str, expected: usize| {
            let found = db.view().service_accounts(Some(world.acme.id), Some(q), &all()).await.unwrap();
            assert_eq!(found.len(), expected, "{q}");
        };
        check("", 2).await;
        check("app_7", 1).await;
        check("p_7", 1).await;
        check("p__7", 0).await;
        check("Éclair", 1).await;
        check("0%", 1).await;
        check("%%", 0).await;
        check("CI", 1).await;
        check("stranger", 0).await;
    }

    async fn pages_tell_each_service_account_once_newest_first(db: &TestDb) {
        let world = World::stored(db).await;
        let mut ids = vec![world.ci.id];
        for _ in 0..24 {
            let one = service_account(&world.acme, "same name");
            db.write(async |tx| tx.insert_service_account(&one).await).await;
            ids.insert(0, one.id);
        }
        let acme = Some(world.acme.id);
        let page = async |page| db.view().service_accounts(acme, None, &page).await;
        assert_eq!(walk(|one: &ServiceAccount| one.id, page).await, ids);
    }

    async fn it_tells_how_much_each_has_that_lives_and_stops_to_count(db: &TestDb) {
        let world = World::stored(db).await;
        let bare = service_account(&world.acme, "bare");
        let ended = Credential { expires_at: Some(at(50)), ..key(&world.ci, "ended") };
        let revoked = key(&world.ci, "revoked").revoke(RevokeReason::Unused, at(1)).unwrap().0;
        db.write(async |tx| {
            tx.insert_service_account(&bare).await?;
            for one in [&ended, &key(&world.ci, "two"), &client_secret(&world.ci, "secret")] {
                tx.insert_credential(one, &digest()).await?;
            }
            tx.insert_credential(&Credential { revocation: None, ..revoked.clone() }, &digest()).await?;
            tx.save_credential(&revoked).await
        }).await;
        let accounts = [world.ci.id, world.stranger.id, bare.id];
        let found = db.view().credentials_of_accounts(&accounts, at(50), 10).await.unwrap();
        assert_eq!(found[&world.ci.id], Held { api_keys: 2, proofs: 1 });
        assert_eq!((found[&world.stranger.id].api_keys, found[&bare.id]), (1, Held::default()));
        let few = db.view().credentials_of_accounts(&accounts, at(49), 2).await.unwrap();
        assert_eq!(few[&world.ci.id], Held { api_keys: 2, proofs: 1 });
        let mut here = db.store.within(Reach::Organization(world.acme.id));
        let found = here.credentials_of_accounts(&accounts, at(50), 10).await.unwrap();
        assert!(found.contains_key(&bare.id) && !found.contains_key(&world.stranger.id));
        assert!(here.credentials_of_accounts(&[], at(50), 10).await.unwrap().is_empty());
    }

    async fn an_external_id_is_unique_in_its_organization_until_the_holder_is_deleted(db: &TestDb) {
        let world = World::stored(db).await;
        let with_id = |account| ServiceAccount { external_id: Some("42".to_owned()), ..account };
        let first = with_id(service_account(&world.acme, "first"));
        let second = with_id(service_account(&world.acme, "second"));
        let elsewhere = with_id(service_account(&world.globex, "elsewhere"));
        db.write(async |tx| {
            tx.insert_service_account(&first).await?;
            tx.insert_service_account(&elsewhere).await
        }).await;
        let refused = db.try_write(async |tx| tx.insert_service_account(&second).await).await;
        assert!(matches!(refused, Err(StoreError::Taken("external_id"))), "{refused:?}");
        db.write(async |tx| {
            tx.save_service_account(&first.delete(at(9)).0).await?;
            tx.insert_service_account(&second).await
        }).await;
    }

    async fn a_deleted_service_account_takes_its_keys_and_rights_along(db: &TestDb) {
        let world = World::stored(db).await;
        let right = direct(&world.ci, Scope::Organization(world.acme.id), "invoices:read");
        let kept = direct(&world.stranger, Scope::Instance, "invoices:read");
        db.write(async |tx| {
            tx.insert_assignment(&right).await?;
            tx.insert_assignment(&kept).await
        }).await;
        db.write(async |tx| {
            tx.save_service_account(&world.ci.clone().delete(at(9)).0).await?;
            let ended = tx.end_all_of_service_account(world.ci.id, at(9)).await?;
            assert_eq!(ended, [world.key.id]);
            Ok(())
        }).await;
        let of_key = |key: CredentialId| AuditFilter { target: Some(key.to_string()), ..AuditFilter::default() };
        let trail = db.view().audit_events(&of_key(world.key.id), &all()).await.unwrap();
        let [end] = trail.as_slice() else { panic!("{trail:?}") };
        assert!(end.record.contains(r#""action":"api_key.revoked""#) && end.record.contains(r#""reason":"owner_left""#));
        assert_eq!(db.store.verify_audit().await.unwrap().findings, []);
        let mut view = db.view();
        assert_eq!(view.service_account(world.ci.id).await.unwrap(), None);
        assert_eq!(view.service_accounts(None, None, &all()).await.unwrap(), [world.stranger]);
        let key = view.credential(world.key.id).await.unwrap().unwrap();
        assert_eq!((key.revocation.unwrap().reason, key.epoch), (RevokeReason::OwnerLeft, 2));
        assert_eq!(view.assignments(None, None, &all()).await.unwrap(), [kept]);
        let found = db.store.find_api_key(&world.digest).await.unwrap().unwrap();
        assert!(found.credential.revoked && found.principal.disabled && found.principal.permissions.is_empty());
        assert_eq!(view.credential(world.strange_key.id).await.unwrap(), Some(world.strange_key));
    }
}
