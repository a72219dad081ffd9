//! The audit trail in storage: listed, and every kind of tampering found.

use claviger_core::{Action, Chain, Event, Reach};
use claviger_store::{AuditEvent, AuditFilter};
use claviger_token::{OrganizationId, TypedId as _};
use sqlx::{Connection as _, SqliteConnection};

use crate::{
    db::{Engine, TestDb, all, run, walk, write},
    sample::{World, at, event, rng},
};

const CHANGED: &str = "the event, or one before it, was changed";
const COLUMN: &str = "a column beside the record was changed";
const SHORT: &str = "the chain ends before its head";
const UNCOVERED: &str = "no head covers the event";

/// A chain of its own with this many events.
async fn chain(db: &TestDb, events: usize) -> OrganizationId {
    let id = OrganizationId::generate(at(0), &mut rng());
    for _ in 0..events {
        write(&db.store, event(Some(id), Vec::new()), async |_| Ok(())).await.unwrap();
    }
    id
}

/// What is found in a chain of three events after somebody ran `sql`, in which `$` stands for the chain.
async fn check(db: &TestDb, sql: &str, expected: &[(i64, &str)]) {
    let id = chain(db, 3).await;
    db.tamper(&sql.replace('$', &id.to_string())).await;
    let report = db.store.verify_audit().await.unwrap();
    let findings = report.findings.iter().filter(|finding| finding.chain == id.to_string());
    assert_eq!(findings.map(|finding| (finding.seq, finding.what)).collect::<Vec<_>>(), expected, "{sql}");
}

on_both_databases! {
    async fn an_untouched_trail_is_proved(db: &TestDb) {
        let (first, second) = (chain(db, 3).await, chain(db, 1).await);
        write(&db.store, event(None, Vec::new()), async |_| Ok(())).await.unwrap();
        let report = db.store.verify_audit().await.unwrap();
        assert_eq!((report.findings.len(), report.events), (0, 5));
        let mut heads: Vec<_> = report.heads.iter().map(|head| (head.chain.clone(), head.seq)).collect();
        heads.sort();
        let mut expected = [(first.to_string(), 3), (second.to_string(), 1), ("instance".to_owned(), 1)];
        expected.sort();
        assert_eq!(heads, expected);
    }

    async fn a_trail_longer_than_one_batch_is_proved(db: &TestDb) {
        let id = chain(db, 1001).await;
        let report = db.store.verify_audit().await.unwrap();
        assert_eq!((report.findings.len(), report.events), (0, 1001));
        db.tamper(&format!("DELETE FROM audit_event WHERE chain = '{id}' AND seq = 1000")).await;
        assert_eq!(db.store.verify_audit().await.unwrap().findings[0].seq, 1000);
    }

    async fn a_link_is_told_to_whoever_saved_it_as_a_head(db: &TestDb) {
        let id = chain(db, 2).await.to_string();
        let head = db.store.verify_audit().await.unwrap().heads[0].hash;
        assert_eq!(db.store.link_hash(&id, 2).await.unwrap(), Some(head));
        assert!(db.store.link_hash(&id, 1).await.unwrap().is_some_and(|first| first != head));
        assert_eq!(db.store.link_hash(&id, 3).await.unwrap(), None);
        assert_eq!(db.store.link_hash("instance", 1).await.unwrap(), None);
    }

    async fn a_changed_record_is_found(db: &TestDb) {
        let sql = "UPDATE audit_event SET record = replace(record, 'production', 'x') WHERE chain = '$' AND seq = 2";
        check(db, sql, &[(2, CHANGED)]).await;
        let hash = db.blob(&"00".repeat(32));
        check(db, &format!("UPDATE audit_event SET hash = {hash} WHERE chain = '$' AND seq = 1"), &[(1, CHANGED)]).await;
    }

    async fn a_changed_copy_of_a_column_is_found(db: &TestDb) {
        for set in ["action = 'x'", "actor = 'x'", "target = 'x'", "at = at + 1", "id = 'x'"] {
            check(db, &format!("UPDATE audit_event SET {set} WHERE chain = '$' AND seq = 2"), &[(2, COLUMN)]).await;
            db.tamper("UPDATE audit_event SET id = chain WHERE id = 'x'").await;
        }
        // Personal data may be erased without breaking the proof.
        check(db, "UPDATE audit_event SET address = NULL WHERE chain = '$'", &[]).await;
    }

    async fn a_removed_event_is_found(db: &TestDb) {
        check(db, "DELETE FROM audit_event WHERE chain = '$' AND seq = 1", &[(1, "an event is missing")]).await;
        check(db, "DELETE FROM audit_event WHERE chain = '$' AND seq = 2", &[(2, "an event is missing")]).await;
        check(db, "DELETE FROM audit_event WHERE chain = '$' AND seq = 3", &[(2, SHORT)]).await;
        check(db, "DELETE FROM audit_event WHERE chain = '$'", &[(0, SHORT)]).await;
    }

    async fn events_in_another_order_are_found(db: &TestDb) {
        let swap = "UPDATE audit_event SET seq = 99 WHERE chain = '$' AND seq = 2;
                    UPDATE audit_event SET seq = 2 WHERE chain = '$' AND seq = 3;
                    UPDATE audit_event SET seq = 3 WHERE chain = '$' AND seq = 99";
        check(db, swap, &[(2, CHANGED)]).await;
    }

    async fn an_added_event_is_found(db: &TestDb) {
        let add = "INSERT INTO audit_event (chain, seq, id, at, action, actor, target, record, hash)
                   SELECT chain, 4, 'forged', at, action, actor, target, record, hash FROM audit_event
                   WHERE chain = '$' AND seq = 3";
        check(db, add, &[(4, UNCOVERED)]).await;
    }

    async fn a_head_that_does_not_fit_is_found(db: &TestDb) {
        check(db, "DELETE FROM audit_head WHERE chain = '$'", &[(1, UNCOVERED)]).await;
        check(db, "UPDATE audit_head SET seq = 4 WHERE chain = '$'", &[(3, SHORT)]).await;
        check(db, "UPDATE audit_head SET seq = 2 WHERE chain = '$'", &[(2, SHORT), (3, UNCOVERED)]).await;
        let hash = db.blob(&"00".repeat(32));
        check(db, &format!("UPDATE audit_head SET hash = {hash} WHERE chain = '$'"), &[(3, SHORT)]).await;
    }

    async fn a_chain_is_proved_a_stretch_at_a_time(db: &TestDb) {
        let (id, other) = (chain(db, 5).await, chain(db, 1).await);
        let own = Chain::Organization(id);
        let proved = async || db.store.chain_state(own).await.unwrap().unwrap().proved;
        let prove = async |from, most| db.store.prove_chain(own, from, most, at(100 + from)).await.unwrap().unwrap();
        assert_eq!(proved().await, None);
        // What stands behind a link that nobody proved is not noted.
        assert_eq!(prove(2, 9).await.until, 5);
        assert_eq!(proved().await, None);
        let first = prove(0, 2).await;
        assert_eq!((first.until, first.head.seq, first.finding), (2, 5, None));
        assert_eq!(proved().await, Some((2, at(100))));
        assert_eq!(prove(2, 2).await.until, 4);
        let last = prove(4, 2).await;
        assert_eq!((last.until, last.finding), (5, None));
        // What goes on reads nothing of what was proved before, which is as old as it was.
        assert_eq!(proved().await, Some((5, at(100))));
        assert_eq!(prove(99, 2).await.until, 5);
        db.tamper(&format!("UPDATE audit_event SET action = 'x' WHERE chain = '{id}' AND seq = 4")).await;
        let broken = prove(0, 9).await;
        assert_eq!((broken.until, broken.finding.map(|found| (found.seq, found.what))), (3, Some((4, COLUMN))));
        assert_eq!(proved().await, Some((3, at(100))));
        db.tamper(&format!("DELETE FROM audit_event WHERE chain = '{id}' AND seq = 4")).await;
        assert_eq!(prove(4, 9).await.finding.unwrap().what, "an event is missing");
        db.tamper(&format!("DELETE FROM audit_event WHERE chain = '{id}' AND seq > 3")).await;
        assert_eq!(prove(0, 9).await.finding.map(|found| (found.seq, found.what)), Some((3, SHORT)));
        db.tamper(&format!("UPDATE audit_head SET seq = 0 WHERE chain = '{other}'")).await;
        let uncovered = db.store.prove_chain(Chain::Organization(other), 0, 9, at(1)).await.unwrap().unwrap();
        assert!(uncovered.finding.is_some());
        db.tamper(&format!("DELETE FROM audit_head WHERE chain = '{other}'")).await;
        let beheaded = db.store.prove_chain(Chain::Organization(other), 0, 9, at(1)).await.unwrap().unwrap();
        assert_eq!(beheaded.finding.map(|found| (found.seq, found.what)), Some((1, UNCOVERED)));
        assert!(db.store.prove_chain(Chain::Instance, 0, 9, at(1)).await.unwrap().is_none());
    }

    async fn an_event_is_found_within_reach(db: &TestDb) {
        let (own, other) = (chain(db, 1).await, chain(db, 1).await);
        write(&db.store, event(None, Vec::new()), async |_| Ok(())).await.unwrap();
        let of = |organization| AuditFilter { organization: Some(organization), ..AuditFilter::default() };
        let theirs = db.view().audit_events(&of(other), &all()).await.unwrap()[0].id;
        assert_eq!(db.view().audit_event(theirs).await.unwrap().unwrap().id, theirs);
        assert!(db.store.within(Reach::Organization(own)).audit_event(theirs).await.unwrap().is_none());
        let instance = AuditFilter { instance_only: true, ..AuditFilter::default() };
        let events = db.view().audit_events(&instance, &all()).await.unwrap();
        assert_eq!(events.iter().map(|event| event.chain).collect::<Vec<_>>(), [Chain::Instance]);
        assert_eq!(db.store.within(Reach::Organization(own)).audit_events(&instance, &all()).await.unwrap().len(), 0);
    }

    async fn things_have_their_names_within_reach(db: &TestDb) {
        let world = World::stored(db).await;
        let own = [world.ci.id.to_string(), world.key.id.to_string(), world.acme.id.to_string()];
        let others = [world.stranger.id.to_string(), world.strange_key.id.to_string(), world.globex.id.to_string()];
        let ids = [own.as_slice(), &others, &["operator".to_owned(), "key_x".to_owned(), String::new()]].concat();
        let mut near = db.store.within(Reach::Organization(world.acme.id)).names_of_things(&ids).await.unwrap();
        assert_eq!(near.remove(&own[1]), Some(world.key.name.to_string()));
        assert!(own.iter().all(|id| near.contains_key(id) || *id == own[1]));
        assert!(others.iter().all(|id| !near.contains_key(id)));
        assert_eq!(db.view().names_of_things(&ids).await.unwrap().len(), 6);
        assert!(db.view().names_of_things(&[]).await.unwrap().is_empty());
    }

    async fn a_list_is_filtered_and_bounded_by_reach(db: &TestDb) {
        let (own, other) = (chain(db, 2).await, chain(db, 1).await);
        let special = Event { action: Action::ApiKeyRevoked, target: "key_y".to_owned(), ..event(Some(own), Vec::new()) };
        let by = claviger_core::By::system();
        let tx = db.store.begin(&by).await.unwrap();
        tx.commit(special, at(500), &mut rng()).await.unwrap();
        let count = async |reach, filter: AuditFilter| {
            db.store.within(reach).audit_events(&filter, &all()).await.unwrap().len()
        };
        let any = AuditFilter::default;
        let everywhere = Reach::Instance;
        assert_eq!(count(everywhere, any()).await, 4);
        assert_eq!(count(Reach::Organization(own), any()).await, 3);
        assert_eq!(count(Reach::Organization(own), AuditFilter { organization: Some(other), ..any() }).await, 0);
        assert_eq!(count(everywhere, AuditFilter { organization: Some(other), ..any() }).await, 1);
        assert_eq!(count(everywhere, AuditFilter { target: Some("key_y".to_owned()), ..any() }).await, 1);
        assert_eq!(count(everywhere, AuditFilter { target: Some("key_\0".to_owned()), ..any() }).await, 0);
        assert_eq!(count(everywhere, AuditFilter { actor: Some("system".to_owned()), ..any() }).await, 1);
        assert_eq!(count(everywhere, AuditFilter { action: Some("api_key.updated".to_owned()), ..any() }).await, 3);
        assert_eq!(count(everywhere, AuditFilter { since: Some(at(500)), ..any() }).await, 1);
        assert_eq!(count(everywhere, AuditFilter { until: Some(at(500)), ..any() }).await, 3);
        let events = db.view().audit_events(&AuditFilter { since: Some(at(500)), ..any() }, &all()).await.unwrap();
        assert_eq!(events[0].chain, Chain::Organization(own));
    }

    async fn pages_tell_each_event_once_newest_first(db: &TestDb) {
        let id = chain(db, 25).await;
        let filter = AuditFilter { organization: Some(id), ..AuditFilter::default() };
        let seen = walk(|one: &AuditEvent| one.id, async |page| db.view().audit_events(&filter, &page).await).await;
        assert_eq!(seen.len(), 25);
        assert!(seen.is_sorted_by(|newer, older| newer > older));
    }
}

#[test]
fn on_sqlite_a_page_of_a_chain_is_read_in_its_order() {
    run(Engine::Sqlite, async |db| {
        let mut connection = SqliteConnection::connect(&db.url).await.unwrap();
        let plan =
            "EXPLAIN QUERY PLAN SELECT id FROM audit_event WHERE 1 = 1 AND chain = 'x' ORDER BY id DESC LIMIT 50";
        let steps: Vec<(i64, i64, i64, String)> = sqlx::query_as(plan).fetch_all(&mut connection).await.unwrap();
        let [(.., step)] = steps.as_slice() else { panic!("more than one step: {steps:?}") };
        assert!(step.contains("audit_event_chain"), "{step}");
    });
}
