//! What a digest unlocks: everything that the verdict needs, in any state.

use std::sync::Arc;

use claviger_core::{
    Credential, Digest, Organization, Policy, Revocation, RevokeReason, Role, Scope, ServiceAccount, default_ceiling,
};
use claviger_store::{FoundSecret, StoreError};
use claviger_token::{ApiKeyId, ClientAuthMethod, Generation, PermissionMask, PersonalAccessTokenId, TypedId as _};
use tokio::task::{JoinError, JoinSet};

use crate::{
    db::TestDb,
    sample::{
        World, at, client_secret, digest, direct, full_key, key, networks, of_role, rng, role, secret, set, user,
    },
};

async fn find(db: &TestDb, digest: &Digest) -> FoundSecret {
    db.store.find_api_key(digest).await.unwrap().unwrap()
}

on_both_databases! {
    async fn an_unknown_digest_unlocks_nothing(db: &TestDb) {
        World::stored(db).await;
        assert!(db.store.find_api_key(&digest()).await.unwrap().is_none());
    }

    async fn a_found_secret_brings_its_key_account_and_organization(db: &TestDb) {
        let world = World::stored(db).await;
        let found = find(db, &world.digest).await;
        assert_eq!(found.hint, "h1xy");
        assert_eq!((found.secret.number, found.secret.generation(at(0))), (1, Generation::Current));
        assert_eq!((found.principal.id, found.principal.name.as_str()), (world.ci.id.into(), "ci"));
        assert_eq!((found.organization.id, found.organization.slug.as_str()), (world.acme.id, "acme"));
        assert_eq!((found.principal.external_id, found.organization.external_id), (None, None));
        assert_eq!((found.organization.ceiling, found.organization.allowed_networks), (default_ceiling(), None));
        assert!(found.principal.permissions.is_empty() && found.roles.is_empty());
        // Facts have no equality; their text shows every field.
        assert_eq!(format!("{:?}", found.credential), format!("{:?}", world.key.facts()));
    }

    async fn every_limit_is_found(db: &TestDb) {
        let world = World::stored(db).await;
        let (full, digest) = (full_key(&world.ci), digest());
        let organization = Organization {
            external_id: Some("42".to_owned()),
            ceiling: PermissionMask::from_text("a:read").ok(),
            policy: Policy { allowed_networks: Some(networks()), ..Policy::default() },
            ..world.acme
        };
        let account = ServiceAccount { external_id: Some("43".to_owned()), ..world.ci };
        db.write(async |tx| {
            tx.insert_credential(&full, &digest).await?;
            tx.save_organization(&organization).await?;
            tx.save_service_account(&account).await
        }).await;
        let found = find(db, &digest).await;
        assert_eq!(format!("{:?}", found.credential), format!("{:?}", full.facts()));
        assert_eq!(found.organization.ceiling.to_text(), "a:read");
        assert_eq!(found.organization.allowed_networks, Some(networks()));
        assert_eq!(found.organization.external_id.as_deref(), Some("42"));
        assert_eq!(found.principal.external_id.as_deref(), Some("43"));
    }

    async fn each_state_is_told_and_none_is_hidden(db: &TestDb) {
        let world = World::stored(db).await;
        let check = async |(revoked, credential, principal, organization)| {
            let found = find(db, &world.digest).await;
            let told = (
                found.credential.revoked, found.credential.disabled, found.principal.disabled, found.organization.disabled,
            );
            assert_eq!(told, (revoked, credential, principal, organization));
        };
        check((false, false, false, false)).await;
        let stopped = Credential { disabled_at: Some(at(1)), ..world.key.clone() };
        db.write(async |tx| tx.save_credential(&stopped).await).await;
        check((false, true, false, false)).await;
        let account = ServiceAccount { disabled_at: Some(at(1)), ..world.ci.clone() };
        db.write(async |tx| tx.save_service_account(&account).await).await;
        check((false, true, true, false)).await;
        let organization = Organization { disabled_at: Some(at(1)), ..world.acme.clone() };
        db.write(async |tx| tx.save_organization(&organization).await).await;
        check((false, true, true, true)).await;
        let revoked =
            Credential { revocation: Some(Revocation { at: at(1), reason: RevokeReason::Policy }), ..world.key.clone() };
        db.write(async |tx| tx.save_credential(&revoked).await).await;
        check((true, false, true, true)).await;
    }

    async fn rights_are_summed_up_by_how_far_they_reach(db: &TestDb) {
        let world = World::stored(db).await;
        let local = role(Some(&world.acme), "local", "a:read b:read");
        let shared = role(None, "shared", "b:read c:read");
        let elsewhere = Scope::Organization(world.globex.id);
        let here = Scope::Organization(world.acme.id);
        let (one, two) = (of_role(&world.ci, here, &local), of_role(&world.ci, Scope::Instance, &shared));
        db.write(async |tx| {
            tx.insert_role(&local).await?;
            tx.insert_role(&shared).await?;
            for assignment in [
                one, two,
                direct(&world.ci, here, "d:read"),
                direct(&world.ci, Scope::Instance, "e:read"),
                direct(&world.ci, elsewhere, "f:read"),
                direct(&world.stranger, here, "g:read"),
            ] {
                tx.insert_assignment(&assignment).await?;
            }
            Ok(())
        }).await;
        let mut found = find(db, &world.digest).await;
        assert_eq!(found.principal.permissions, set("a:read b:read c:read d:read e:read"));
        assert_eq!(found.principal.instance_permissions, set("b:read c:read e:read"));
        found.roles.sort_unstable();
        assert_eq!(found.roles, [local.id, shared.id]);

        let narrower = Role { permissions: set("a:read"), ..local };
        db.write(async |tx| {
            tx.save_role(&narrower).await?;
            tx.delete_role(shared.id).await
        }).await;
        let found = find(db, &world.digest).await;
        assert_eq!(found.principal.permissions, set("a:read d:read e:read"));
        assert_eq!(found.principal.instance_permissions, set("e:read"));
    }

    async fn a_client_secret_is_found_with_the_way_in_which_its_account_authenticates(db: &TestDb) {
        let world = World::stored(db).await;
        let method = Some(ClientAuthMethod::ClientSecretBasic);
        let account = ServiceAccount { token_endpoint_auth_method: method, dpop_bound_access_tokens: true, ..world.ci.clone() };
        let (secret, digest) = (client_secret(&account, "ci"), digest());
        db.write(async |tx| {
            tx.save_service_account(&account).await?;
            tx.insert_credential(&secret, &digest).await
        }).await;
        let found = db.store.find_client_secret(&digest).await.unwrap().unwrap();
        assert_eq!(format!("{:?}", found.credential), format!("{:?}", secret.facts()));
        assert_eq!((found.principal.id, found.principal.token_endpoint_auth_method), (account.id.into(), method));
        assert!(found.principal.dpop_bound_access_tokens && !found.principal.tls_client_certificate_bound_access_tokens);
        let account = ServiceAccount { tls_client_certificate_bound_access_tokens: true, ..world.ci };
        db.write(async |tx| tx.save_service_account(&account).await).await;
        let found = db.store.find_client_secret(&digest).await.unwrap().unwrap();
        assert!(!found.principal.dpop_bound_access_tokens && found.principal.tls_client_certificate_bound_access_tokens);
        assert!(db.store.find_client_secret(&crate::sample::digest()).await.unwrap().is_none());
    }

    async fn after_a_roll_both_digests_are_found(db: &TestDb) {
        let world = World::stored(db).await;
        let mut old = secret(1);
        old.ends_at = Some(at(500));
        let rolled = Credential { secrets: vec![secret(2), old], ..world.key };
        let new = digest();
        db.write(async |tx| tx.save_rolled_credential(&rolled, &new).await).await;
        let check = async |digest, milliseconds, expected| {
            let found = find(db, digest).await;
            assert_eq!((found.secret.number, found.secret.generation(at(milliseconds))), expected);
            assert_eq!(found.credential.id, rolled.id);
        };
        check(&new, 499, (2, Generation::Current)).await;
        check(&world.digest, 499, (1, Generation::Retiring)).await;
        check(&world.digest, 500, (1, Generation::Retired)).await;
    }

    async fn a_deleted_key_is_still_known_as_revoked(db: &TestDb) {
        let world = World::stored(db).await;
        db.write(async |tx| tx.save_credential(&world.key.delete(at(9)).0).await).await;
        assert!(find(db, &world.digest).await.credential.revoked);
    }

    async fn many_who_ask_at_once_each_get_their_own_answer(db: &TestDb) {
        let world = World::stored(db).await;
        let mut tasks = JoinSet::new();
        for number in 0..300_u16 {
            let store = Arc::clone(&db.store);
            // Two of three are unknown, and of the third all ask for the same.
            let mut asked = world.digest;
            if number % 3 != 0 {
                asked.bytes[..2].copy_from_slice(&number.to_be_bytes());
            }
            tasks.spawn(async move {
                let found = store.find_api_key(&asked).await.unwrap();
                assert_eq!(found.map(|found| found.hint).as_deref(), (number % 3 == 0).then_some("h1xy"), "{number}");
            });
        }
        // Who goes away takes nobody else along.
        for _ in 0..100 {
            let (store, asked) = (Arc::clone(&db.store), world.digest);
            let gone = tasks.spawn(async move { drop(store.find_api_key(&asked).await) });
            tokio::task::yield_now().await;
            gone.abort();
        }
        while let Some(done) = tasks.join_next().await {
            assert!(done.as_ref().err().is_none_or(JoinError::is_cancelled), "{done:?}");
        }
    }

    async fn a_credential_is_found_by_its_id_with_the_same_behind_it(db: &TestDb) {
        let world = World::stored(db).await;
        let role = role(Some(&world.acme), "local", "a:read");
        let bob = user("bob@acme.test");
        let token = Credential {
            id: PersonalAccessTokenId::generate(at(0), &mut rng()).into(),
            principal: bob.id.into(),
            ..key(&world.ci, "laptop")
        };
        let here = Scope::Organization(world.acme.id);
        let (one, two) = (of_role(&world.ci, here, &role), direct(&world.ci, Scope::Instance, "e:read"));
        db.write(async |tx| {
            tx.insert_role(&role).await?;
            tx.insert_assignment(&one).await?;
            tx.insert_assignment(&two).await?;
            tx.insert_user(&bob).await?;
            tx.insert_credential(&token, &digest()).await
        }).await;
        let by_digest = find(db, &world.digest).await;
        let found = db.store.find_credential(world.key.id).await.unwrap().unwrap();
        assert_eq!(format!("{:?}", found.credential), format!("{:?}", by_digest.credential));
        assert_eq!((found.principal, found.organization), (by_digest.principal, by_digest.organization));
        assert_eq!(found.roles, [role.id]);
        let found = db.store.find_credential(token.id).await.unwrap().unwrap();
        assert_eq!((found.principal.id, found.principal.disabled), (bob.id.into(), true), "no member");
        let nobody = ApiKeyId::generate(at(0), &mut rng()).into();
        assert!(db.store.find_credential(nobody).await.unwrap().is_none());
        db.store.database().close().await;
        let answer = db.store.find_credential(token.id).await;
        assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    }

    async fn a_database_that_is_gone_is_an_outage_and_not_an_unknown_digest(db: &TestDb) {
        let world = World::stored(db).await;
        db.store.database().close().await;
        let answer = db.store.find_api_key(&world.digest).await;
        assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
        assert!(db.store.database().ping().await.is_err());
    }
}
