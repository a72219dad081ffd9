//! Federated identities of clients in storage.

use claviger_core::{By, Credential, Federation, Organization, Reach, Revocation, RevokeReason, ServiceAccount};
use claviger_store::{AuditFilter, StoreError};
use claviger_token::{CredentialId, FederationId};

use crate::{
    db::{all, walk},
    sample::{World, at, federation, name, rng, terms},
};

const A: &str = r#"{"preset":"oidc","issuer":"https://a.test","conditions":{"sub":"1"},"single_use":false}"#;
const B: &str = r#"{"preset":"oidc","issuer":"https://b.test","audience":"x","jwks_uri":"https://b.test/keys","conditions":{"sub":["1","2"]},"single_use":true}"#;
const DOMAIN: &str = r#"{"preset":"spiffe","issuer":"https://a.test","trust_domain":"a.test","jwks_uri":"https://b.test/keys","conditions":{"sub":"spiffe://a.test/x"},"single_use":false}"#;

fn id(of: &Credential) -> FederationId {
    let CredentialId::Federation(id) = of.id else { panic!("{}", of.id) };
    id
}

fn names(found: &[(Credential, Federation)]) -> String {
    found.iter().map(|(one, _)| one.name.to_string()).collect::<Vec<_>>().join(", ")
}

on_both_databases! {
    async fn a_federation_reads_back_as_it_was_written_and_changed(db: &TestDb) {
        let world = World::stored(db).await;
        let written = [(federation(&world.ci, "a"), A), (federation(&world.ci, "b"), B), (federation(&world.ci, "c"), DOMAIN)];
        db.write(async |tx| {
            for (one, stored) in &written {
                tx.insert_federation(one, &terms(stored)).await?;
            }
            Ok(())
        }).await;
        for (one, stored) in &written {
            let (read, federation) = db.view().federation(id(one)).await.unwrap().unwrap();
            assert_eq!((&read, federation.to_text()), (one, terms(stored).to_text()));
            assert_eq!(db.view().credential(one.id).await.unwrap().as_ref(), Some(one));
            assert!(db.store.find_credential(one.id).await.unwrap().is_some());
        }
        let [(first, _), ..] = written;
        let changed = Credential { name: name("renamed"), expires_at: Some(at(9)), epoch: 2, ..first };
        db.write(async |tx| tx.save_credential(&changed).await).await;
        let (read, federation) = db.view().federation(id(&changed)).await.unwrap().unwrap();
        assert_eq!((read, federation.to_text()), (changed, terms(A).to_text()));
    }

    async fn w02_an_issuer_finds_those_that_count_now_and_a_trust_domain_its_own(db: &TestDb) {
        let world = World::stored(db).await;
        let revocation = Some(Revocation { at: at(1), reason: RevokeReason::Unspecified });
        let all_of_a = [
            federation(&world.ci, "living"),
            Credential { expires_at: Some(at(50)), ..federation(&world.ci, "ends") },
            Credential { disabled_at: Some(at(1)), ..federation(&world.ci, "stopped") },
            Credential { revocation, ..federation(&world.ci, "revoked") },
            Credential { deleted_at: Some(at(1)), ..federation(&world.ci, "deleted") },
            federation(&world.stranger, "strange"),
        ];
        db.write(async |tx| {
            for one in &all_of_a {
                tx.insert_federation(one, &terms(A)).await?;
                tx.save_credential(one).await?;
            }
            tx.insert_federation(&federation(&world.ci, "b"), &terms(B)).await?;
            tx.insert_federation(&federation(&world.ci, "domain"), &terms(DOMAIN)).await
        }).await;
        let found = async |issuer: Option<&str>, domain: Option<&str>, of: &ServiceAccount, now: i64| {
            names(&db.view().federations_of_issuer(issuer, domain, of.id, at(now)).await.unwrap())
        };
        let a = Some("https://a.test");
        assert_eq!(found(a, None, &world.ci, 2).await, "ends, living");
        assert_eq!(found(a, None, &world.ci, 50).await, "living");
        assert_eq!(found(a, None, &world.stranger, 2).await, "strange");
        assert_eq!(found(Some("https://A.test"), None, &world.ci, 2).await, "");
        assert_eq!(found(Some("https://a.test\0"), None, &world.ci, 2).await, "");
        assert_eq!(found(a, Some("a.test"), &world.ci, 2).await, "domain, ends, living");
        assert_eq!(found(None, Some("a.test"), &world.ci, 2).await, "domain");
        assert_eq!(found(None, Some("b.test"), &world.ci, 2).await, "");
        assert_eq!(found(None, None, &world.ci, 2).await, "");
        let mut own = db.store.within(Reach::Organization(world.acme.id));
        assert_eq!(names(&own.living_federations(world.ci.id, at(2)).await.unwrap()), "domain, b, stopped, ends, living");
        assert_eq!(names(&own.living_federations(world.ci.id, at(50)).await.unwrap()), "domain, b, stopped, living");
        assert_eq!(names(&own.federations(world.ci.id, &all()).await.unwrap()), "domain, b, revoked, stopped, ends, living");
        assert_eq!(names(&own.federations(world.stranger.id, &all()).await.unwrap()), "");
        assert!(own.federation(id(&all_of_a[5])).await.unwrap().is_none());
        // Nobody whose account or organization is stopped is found.
        let stopped = ServiceAccount { disabled_at: Some(at(1)), ..world.ci.clone() };
        db.write(async |tx| tx.save_service_account(&stopped).await).await;
        assert_eq!(found(a, None, &world.ci, 2).await, "");
        let stopped = Organization { disabled_at: Some(at(1)), ..world.globex.clone() };
        db.write(async |tx| tx.save_organization(&stopped).await).await;
        assert_eq!(found(a, None, &world.stranger, 2).await, "");
    }

    async fn a_long_list_is_walked_to_its_end(db: &TestDb) {
        let world = World::stored(db).await;
        let many: Vec<_> = (0..23).map(|_| federation(&world.ci, "one of many")).collect();
        db.write(async |tx| {
            for one in &many {
                tx.insert_federation(one, &terms(A)).await?;
            }
            Ok(())
        }).await;
        let seen = walk(|(one, _)| id(one), async |page| db.view().federations(world.ci.id, &page).await).await;
        let mut expected: Vec<_> = many.iter().map(id).collect();
        expected.sort_unstable_by(|one, other| other.cmp(one));
        assert_eq!(seen, expected);
    }

    async fn w01_a_refused_assertion_is_told_once_an_hour(db: &TestDb) {
        let world = World::stored(db).await;
        let one = federation(&world.ci, "a");
        db.write(async |tx| tx.insert_federation(&one, &terms(A)).await).await;
        let by = By::system();
        let told = async |milliseconds: i64| {
            db.store.tell_refused_assertion(&by, &one, "because", at(milliseconds), &mut rng()).await.unwrap();
            let (target, action) = (Some(one.id.to_string()), Some("federation.assertion_refused".to_owned()));
            let filter = AuditFilter { target, action, ..AuditFilter::default() };
            db.view().audit_events(&filter, &all()).await.unwrap().len()
        };
        assert_eq!((told(0).await, told(3_599_999).await, told(3_600_000).await), (1, 1, 2));
    }

    async fn a_damaged_federation_is_an_error_and_no_federation_less(db: &TestDb) {
        let world = World::stored(db).await;
        db.write(async |tx| tx.insert_federation(&federation(&world.ci, "x"), &terms(A)).await).await;
        db.tamper("UPDATE federation SET terms = '{}'").await;
        let read = db.view().living_federations(world.ci.id, at(2)).await;
        assert!(matches!(read, Err(StoreError::Damaged(_))), "{read:?}");
    }
}
