//! The one door for writes.

use claviger_core::{Actor, By, Reach, Touched};
use claviger_store::{AuditFilter, StoreError};
use claviger_token::CredentialId;
use serde_json::Value;

use crate::{
    db::{TestDb, all, write},
    sample::{World, at, event, organization, rng},
};

const ROWS: &str = "SELECT (SELECT COUNT(*) FROM audit_event) * 1000000 + (SELECT COUNT(*) FROM change_log) * 1000
                         + (SELECT COUNT(*) FROM organization)";

on_both_databases! {
    async fn a_write_that_is_not_committed_never_happened(db: &TestDb) {
        let one = organization("acme");
        let mark = db.store.changes().mark();
        let before = db.number(ROWS).await;
        let by = By::operator();
        let mut tx = db.store.begin(&by).await.unwrap();
        tx.insert_organization(&one).await.unwrap();
        assert_eq!(tx.within(Reach::Instance).organization(one.id).await.unwrap().as_ref(), Some(&one));
        drop(tx);
        assert_eq!(db.view().organization(one.id).await.unwrap(), None);
        assert_eq!(db.number(ROWS).await, before);
        assert!(db.store.changes().hold_since(mark, [Touched::Organization(one.id)]));
    }

    async fn a_failed_statement_leaves_nothing_of_the_whole_write(db: &TestDb) {
        let (first, same) = (organization("acme"), organization("acme"));
        let before = db.number(ROWS).await;
        let refused = db.try_write(async |tx| {
            tx.insert_organization(&first).await?;
            tx.insert_organization(&same).await
        }).await;
        assert!(matches!(refused, Err(StoreError::Taken("slug"))));
        assert_eq!(db.number(ROWS).await, before);
    }

    async fn a_commit_writes_one_event_and_its_log_rows_and_names_what_it_touched(db: &TestDb) {
        let world = World::stored(db).await;
        let touched =
            [Touched::Organization(world.acme.id), Touched::Credential(world.key.id), Touched::Catalog];
        let mark = db.store.changes().mark();
        let before = db.number(ROWS).await;
        write(&db.store, event(Some(world.acme.id), touched.to_vec()), async |_| Ok(())).await.unwrap();
        assert_eq!(db.number(ROWS).await - before, 1_003_000);
        for one in &touched {
            assert!(!db.store.changes().hold_since(mark, [*one]), "{one:?}");
            assert!(db.store.changes().hold_since(db.store.changes().mark(), [*one]));
        }
        assert!(db.store.changes().hold_since(mark, [Touched::Organization(world.globex.id)]));
    }

    async fn further_events_are_chained_before_that_of_the_commit(db: &TestDb) {
        let world = World::stored(db).await;
        let by = By::operator();
        let mut tx = db.store.begin(&by).await.unwrap();
        let key = Touched::Credential(world.key.id);
        for _ in 0..1500 {
            tx.also(event(Some(world.acme.id), Vec::new()));
        }
        tx.also(event(Some(world.globex.id), vec![key]));
        let mark = db.store.changes().mark();
        tx.commit(event(Some(world.acme.id), Vec::new()), at(42), &mut rng()).await.unwrap();
        assert!(!db.store.changes().hold_since(mark, [key]));
        let report = db.store.verify_audit().await.unwrap();
        assert_eq!((report.findings.as_slice(), report.events), ([].as_slice(), 1503));
        let mut lengths: Vec<_> = report.heads.iter().map(|head| head.seq).collect();
        lengths.sort_unstable();
        assert_eq!(lengths, [1, 1, 1501]);
    }

    async fn an_event_says_who_did_it_and_keeps_the_address_beside_the_record(db: &TestDb) {
        let world = World::stored(db).await;
        let by = By {
            actor: Actor::Principal { id: world.ci.id.into(), credential: world.key.id },
            address: Some("2001:db8::7".parse().unwrap()),
            request_id: Some("r-1".to_owned()),
        };
        let tx = db.store.begin(&by).await.unwrap();
        assert_eq!(tx.by().actor, by.actor);
        tx.commit(event(Some(world.acme.id), Vec::new()), at(42), &mut rng()).await.unwrap();
        let filter = AuditFilter { organization: Some(world.acme.id), ..AuditFilter::default() };
        let events = db.view().audit_events(&filter, &all()).await.unwrap();
        let [one] = events.as_slice() else { panic!("{events:?}") };
        let record: Value = serde_json::from_str(&one.record).unwrap();
        assert_eq!(record["actor"]["id"], world.ci.id.to_string());
        assert_eq!(record["actor"]["credential"], world.key.id.to_string());
        assert_eq!((record["seq"].as_i64(), record["request_id"].as_str()), (Some(1), Some("r-1")));
        assert_eq!((record["id"].as_str(), record["at"].as_str()), (Some(one.id.to_string().as_str()), Some("2027-01-15T08:00:00.042Z")));
        assert_eq!(one.address.as_deref(), Some("2001:db8::7"));
        assert!(!one.record.contains("db8"));
    }

    async fn reading_in_a_write_sees_it_before_others_do(db: &TestDb) {
        let world = World::stored(db).await;
        let id: CredentialId = world.key.id;
        let renamed = claviger_core::Credential { name: crate::sample::name("renamed"), ..world.key };
        db.write(async |tx| {
            tx.save_credential(&renamed).await?;
            assert_eq!(tx.within(Reach::Instance).credential(id).await?.as_ref(), Some(&renamed));
            assert_ne!(outside(db, id).await, renamed);
            Ok(())
        }).await;
        assert_eq!(outside(db, id).await, renamed);
    }
}

async fn outside(db: &TestDb, id: CredentialId) -> claviger_core::Credential {
    db.view().credential(id).await.unwrap().unwrap()
}
