//! Data that a released schema wrote still reads after migration.
//!
//! Every release adds its fixture: fill a database with the released version (each noun, each nullable column both
//! empty and full), write its rows as plain `INSERT`s into `tests/fixtures/schema_NNNN.sql` with blobs as `{hex}`,
//! and add a test here that reads all of it through the public API. A fixture is frozen once its schema is released.

use claviger_core::{AccessTokens, AlsoAccepts, Credential, Digest, Kind, Reach, RevokeReason, Sealed};
use claviger_store::{AuditFilter, Changes, Counted, CredentialFilter, Database, KeyPurpose, Store, UsageFilter};
use claviger_token::{ApiKeyId, Environment, Limits, OrganizationId, Quota, QuotaPeriod, RateLimit};
use jiff::Timestamp;

use crate::{
    db::{TestDb, all, chain_key, instant},
    sample::{at, metadata, name, networks, permission, set},
};

/// A store on a database that released schemas filled with their fixtures one after the other, and that was migrated since.
async fn migrated(db: &TestDb, fixtures: &[(i64, &str)]) -> Store {
    let url = db.empty().await;
    let database = Database::open(&url).await.unwrap();
    for (version, fixture) in fixtures {
        database.migrate_to(*version).await.unwrap();
        db.tamper_at(&url, &with_blobs(db, fixture)).await;
    }
    database.migrate().await.unwrap();
    Store::new(database, chain_key(), Changes::new(instant()))
}

/// The statements of a fixture, as this engine writes its blobs.
fn with_blobs(db: &TestDb, fixture: &str) -> String {
    let mut statements = String::new();
    for (index, part) in fixture.split('{').enumerate() {
        // JSON has braces too, but never around bare hexadecimal digits.
        match part.split_once('}') {
            Some((hex, rest)) if index > 0 && hex.len() >= 2 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                statements += &db.blob(hex);
                statements += rest;
            }
            _ => {
                statements += if index > 0 { "{" } else { "" };
                statements += part;
            }
        }
    }
    statements
}

const SCHEMA_1: (i64, &str) = (1, include_str!("../fixtures/schema_0001.sql"));
const SCHEMA_2: (i64, &str) = (2, include_str!("../fixtures/schema_0002.sql"));

on_both_databases! {
    async fn what_schema_1_wrote_still_reads(db: &TestDb) {
        let store = migrated(db, &[SCHEMA_1]).await;
        let mut view = store.within(Reach::Instance);
        let full_id: OrganizationId = "org_01mcc5rm07ftbsgrja8e0j3e3a".parse().unwrap();
        let key_id: ApiKeyId = "key_01mcc5rm0afgc9n5dz8ap8kb23".parse().unwrap();

        let organizations = view.organizations(None, &all()).await.unwrap();
        let [full, globex, acme] = organizations.as_slice() else { panic!("{organizations:?}") };
        assert_eq!((acme.slug.as_str(), globex.slug.as_str(), full.id), ("acme", "globex", full_id));
        assert_eq!((&acme.external_id, &acme.ceiling, acme.disabled_at), (&None, &None, None));
        assert_eq!((full.external_id.as_deref(), full.disabled_at), (Some("ext-full"), Some(at(3))));
        assert_eq!(full.ceiling.as_ref().unwrap().to_text(), "* claviger:* invoices:read");
        assert_eq!((full.policy.expiry_required, &full.policy.allowed_networks), (true, &Some(networks())));
        assert_eq!((&full.metadata, full.created_at), (&metadata(), at(7)));

        let accounts = view.service_accounts(Some(full_id), None, &all()).await.unwrap();
        let [stopped, account] = accounts.as_slice() else { panic!("{accounts:?}") };
        assert_eq!((stopped.disabled_at, &stopped.external_id), (Some(at(70)), &None));
        assert_eq!((account.external_id.as_deref(), &account.metadata), (Some("app-7"), &metadata()));

        let apis = view.apis(None, &all()).await.unwrap();
        let [builtin, api] = apis.as_slice() else { panic!("{apis:?}") };
        assert!(builtin.builtin && !api.builtin);
        assert_eq!((api.identifier.as_str(), api.resource_servers.len()), ("https://api.acme.test", 2));
        let declared = [permission("invoices:write", Some("Rechnungen ändern")), permission("invoices:read", None)];
        assert_eq!(api.permissions, declared);

        let roles = view.roles(None, None, &all()).await.unwrap();
        let [shared, own] = roles.as_slice() else { panic!("{roles:?}") };
        assert_eq!((own.organization, own.description.as_deref()), (Some(full_id), Some("Reads")));
        assert_eq!((shared.organization, shared.builtin, &shared.permissions), (None, true, &set("claviger:verify")));
        assert_eq!(view.assignments_of(account.id.into()).await.unwrap().len(), 3);
        let held = view.held(account.id.into(), full_id).await.unwrap();
        assert_eq!(held, set("claviger:verify invoices:read invoices:write"));

        let keys = view.credentials(&CredentialFilter::default(), &all()).await.unwrap();
        let [key, _, revoked] = keys.as_slice() else { panic!("{keys:?}") };
        let revocation = revoked.revocation.unwrap();
        assert_eq!((revocation.reason, revocation.at, revoked.epoch), (RevokeReason::Compromised, at(80), 2));
        assert_eq!((key.id, key.environment, key.name.as_str()), (key_id.into(), Environment::Test, "größe \u{1F680}"));
        assert_eq!(key.objects.as_ref().unwrap().to_text(), "base:*\nrepo:acme/a-b");
        assert_eq!((&key.networks, key.not_before, key.expires_at), (&Some(networks()), Some(at(5)), Some(at(50_000))));
        let louder = Credential { name: name("GR\u{D6}\u{DF}E \u{1F680}"), ..key.clone() };
        assert_eq!(view.look_alikes(&louder, at(100)).await.unwrap()[0].id, key.id);
        let [current, old] = key.secrets.as_slice() else { panic!("{key:?}") };
        assert_eq!((current.number, current.last_used_at), (2, Some(at(90))));
        assert_eq!((current.last_used_from.as_deref(), old.ends_at), (Some("203.0.113.9"), Some(at(500))));

        for (byte, number) in [(0xd1, 1), (0xd2, 2)] {
            let digest = Digest { bytes: [byte; 32], pepper: 1 };
            let found = store.find_api_key(&digest).await.unwrap().unwrap();
            assert_eq!((found.secret.number, found.credential.id), (number, key_id.into()));
            assert_eq!(found.principal.instance_permissions, set("claviger:verify invoices:write"));
        }

        let report = store.verify_audit().await.unwrap();
        assert_eq!((report.findings.as_slice(), report.events, report.heads.len()), ([].as_slice(), 3, 3));
        let events = view.audit_events(&AuditFilter::default(), &all()).await.unwrap();
        assert_eq!(events.iter().filter(|event| event.address.as_deref() == Some("203.0.113.9")).count(), 1);

        assert_eq!(store.uses(key_id.into()).await.unwrap(), [(1_800_000_000_000, "valid".to_owned(), 3)]);
        // Sums of organizations are made of what was counted before there were any.
        let filter = UsageFilter {
            credential: None,
            principal: None,
            organization: Some(full_id),
            what: None,
            counted: Counted::CodesByDay,
            from: Timestamp::UNIX_EPOCH,
            to: Timestamp::MAX,
        };
        let summed = view.organization_usage(&filter, 10).await.unwrap().unwrap();
        assert_eq!(summed.iter().map(|used| (used.what.as_str(), used.uses)).collect::<Vec<_>>(), [("valid", 3)]);
        let busiest = view.busiest(full_id, &[Kind::ApiKey], at(0), at(1), 5).await.unwrap();
        assert_eq!(busiest.iter().map(|(_, uses)| *uses).collect::<Vec<_>>(), [3]);
        let asked = store.permission_uses(key_id.into()).await.unwrap();
        assert_eq!(asked, [(1_799_971_200_000, "invoices:read".to_owned(), 2)]);
        let kept = store.remembered(&[0xe1; 32]).await.unwrap().unwrap();
        assert_eq!((kept.status, kept.location.as_deref()), (201, Some("/v1/api-keys/key_x")));
        assert_eq!((kept.request.body, kept.answer.as_str()), ([0xe2; 32], r#"{"token":null}"#));
        let sealed = |purpose| store.database().sealed_keys(purpose);
        assert_eq!(sealed(KeyPurpose::Pepper).await.unwrap(), [(1, Sealed(vec![1; 60]))]);
        assert_eq!(sealed(KeyPurpose::AuditChain).await.unwrap(), [(1, Sealed(vec![2; 60]))]);
        assert_eq!(store.log_cursor(instant()).await.unwrap().newest(), 1);

        assert!(full.limits.is_empty() && account.limits.is_empty() && key.limits.is_empty());
        assert_eq!((&api.also_accepts, api.access_tokens), (&AlsoAccepts::default(), AccessTokens::default()));
        store.database().close().await;
    }

    async fn what_schema_2_wrote_still_reads(db: &TestDb) {
        let store = migrated(db, &[SCHEMA_1, SCHEMA_2]).await;
        let key_id: ApiKeyId = "key_01mcc5rm0afgc9n5dz8ap8kb23".parse().unwrap();
        let found = store.find_api_key(&Digest { bytes: [0xd2; 32], pepper: 1 }).await.unwrap().unwrap();
        let rate = |name: &str, limit, window_seconds| RateLimit { name: name.to_owned(), limit, window_seconds };
        assert_eq!(found.credential.limits, Limits {
            rates: vec![rate("a-b_9", 1_000_000_000, 31_622_400)],
            quota: Some(Quota { limit: 1_000_000_000_000, period: QuotaPeriod::Month }),
        });
        let day = Some(Quota { limit: 50, period: QuotaPeriod::Day });
        assert_eq!(found.principal.limits, Limits { rates: Vec::new(), quota: day });
        assert_eq!(found.organization.limits, Limits { rates: vec![rate("default", 1000, 1)], quota: None });
        let (start, _) = QuotaPeriod::Month.around(at(0));
        let used = store.quotas_used(&[(&key_id.to_string(), start)]).await.unwrap();
        assert_eq!(used, [((key_id.to_string(), start), 7)].into());
        let key = store.within(Reach::Instance).credential(key_id).await.unwrap().unwrap();
        let used: Vec<_> = key.secrets.iter().map(|secret| (secret.number, secret.last_used_at)).collect();
        assert_eq!(used, [(2, Some(at(90))), (1, Some(at(95)))]);
        let apis = store.within(Reach::Instance).apis(None, &all()).await.unwrap();
        let expected = AlsoAccepts { basic: true, query_parameter: Some("api_key".to_owned()) };
        assert_eq!(apis.iter().find(|api| !api.builtin).unwrap().also_accepts, expected);
        store.database().close().await;
    }
}
