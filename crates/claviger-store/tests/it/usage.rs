//! What verifying left behind, written in batches.

use std::sync::Arc;

use claviger_store::{AuditFilter, LastUse, RetiredUse, UsageBatch};
use claviger_token::{CredentialId, OrganizationId};
use jiff::SignedDuration;
use tokio::task::JoinSet;

use crate::{
    db::{Engine, TestDb, all},
    sample::{World, at, rng},
};

const HOUR: i64 = 1_800_000_000_000;

/// Uses of one credential, more than go into one statement.
fn batch((organization, credential): (OrganizationId, CredentialId), rows: i64) -> UsageBatch {
    let hours = (0..rows).map(|hour| ((organization, credential, HOUR + hour * 3_600_000, "valid"), 3));
    let days = (0..rows).map(|number| ((credential, HOUR, format!("p{number:04}").parse().unwrap()), 2));
    UsageBatch { hours: hours.collect(), permission_days: days.collect(), ..UsageBatch::default() }
}

async fn last_use(db: &TestDb, world: &World) -> (Option<jiff::Timestamp>, Option<String>) {
    let key = db.view().credential(world.key.id).await.unwrap().unwrap();
    let secret = key.secrets.into_iter().next().unwrap();
    (secret.last_used_at, secret.last_used_from)
}

fn retired(world: &World) -> RetiredUse {
    let from = "203.0.113.9".parse().ok();
    RetiredUse { credential: world.key.id, organization: world.acme.id, number: 1, hint: "h1xy".to_owned(), from }
}

async fn told(db: &TestDb) -> usize {
    let filter = AuditFilter { action: Some("api_key.retired_secret_used".to_owned()), ..AuditFilter::default() };
    db.view().audit_events(&filter, &all()).await.unwrap().len()
}

on_both_databases! {
    async fn batches_add_up(db: &TestDb) {
        let world = World::stored(db).await;
        let (id, other): (CredentialId, CredentialId) = (world.key.id, world.strange_key.id);
        let (acme, globex) = (world.acme.id, world.globex.id);
        let batch = || UsageBatch {
            hours: [((acme, id, HOUR, "valid"), 2), ((acme, id, HOUR, "expired"), 1), ((globex, other, HOUR, "valid"), 5)].into(),
            permission_days: [((id, HOUR, "a:read".parse().unwrap()), 4)].into(),
            ..UsageBatch::default()
        };
        db.store.flush_usage(&mut batch(), at(0), &mut rng()).await.unwrap();
        db.store.flush_usage(&mut batch(), at(0), &mut rng()).await.unwrap();
        let expected = [(HOUR, "expired".to_owned(), 2), (HOUR, "valid".to_owned(), 4)];
        assert_eq!(db.store.uses(id).await.unwrap(), expected);
        assert_eq!(db.store.uses(other).await.unwrap(), [(HOUR, "valid".to_owned(), 10)]);
        assert_eq!(db.store.permission_uses(id).await.unwrap(), [(HOUR, "a:read".to_owned(), 8)]);
        assert_eq!(db.store.permission_uses(other).await.unwrap(), []);
    }

    async fn an_empty_batch_is_no_trouble(db: &TestDb) {
        db.store.flush_usage(&mut UsageBatch::default(), at(0), &mut rng()).await.unwrap();
    }

    async fn what_was_written_before_a_failure_is_not_counted_twice(db: &TestDb) {
        let world = World::stored(db).await;
        let id: CredentialId = world.key.id;
        let mut batch = batch((world.acme.id, id), 1200);
        // The 700th row does not go in: with it fails its transaction, and nothing before that.
        let late = HOUR + 700 * 3_600_000;
        let (stop, go) = match db.engine {
            Engine::Sqlite => (
                format!("CREATE TRIGGER stop BEFORE INSERT ON usage_hour WHEN NEW.hour >= {late}
                         BEGIN SELECT RAISE(ABORT, 'stop'); END"),
                "DROP TRIGGER stop",
            ),
            Engine::Postgres => (
                format!("ALTER TABLE usage_hour ADD CONSTRAINT stop CHECK (hour < {late})"),
                "ALTER TABLE usage_hour DROP CONSTRAINT stop",
            ),
        };
        db.tamper(&stop).await;
        assert!(db.store.flush_usage(&mut batch, at(0), &mut rng()).await.is_err());
        assert_eq!((batch.rows(), db.store.uses(id).await.unwrap().len()), (1200, 600));
        assert_eq!(db.number("SELECT CAST(SUM(uses) AS BIGINT) FROM organization_usage_hour").await, 1800);
        db.tamper(go).await;
        db.store.flush_usage(&mut batch, at(0), &mut rng()).await.unwrap();
        assert_eq!(batch.rows(), 0);
        let uses = db.store.uses(id).await.unwrap();
        assert_eq!((uses.len(), uses.iter().all(|(_, _, uses)| *uses == 3)), (1200, true));
        assert_eq!(db.number("SELECT CAST(SUM(uses) AS BIGINT) FROM organization_usage_hour").await, 3600);
    }

    async fn what_was_written_without_an_answer_is_not_counted_twice(db: &TestDb) {
        let world = World::stored(db).await;
        let id: CredentialId = world.key.id;
        let mut batch = batch((world.acme.id, id), 300);
        let flush = async |batch: &mut UsageBatch| db.store.flush_usage(batch, at(0), &mut rng()).await;
        let (stop, go) = match db.engine {
            Engine::Sqlite => (
                "CREATE TRIGGER stop BEFORE INSERT ON usage_hour BEGIN SELECT RAISE(ABORT, 'stop'); END",
                "DROP TRIGGER stop",
            ),
            Engine::Postgres => (
                "ALTER TABLE usage_hour ADD CONSTRAINT stop CHECK (uses < 0) NOT VALID",
                "ALTER TABLE usage_hour DROP CONSTRAINT stop",
            ),
        };
        db.tamper(stop).await;
        assert!(flush(&mut batch).await.is_err());
        db.tamper(go).await;
        // This one is written; the other is told nothing of that, and counts on meanwhile.
        let mut unanswered = batch.clone();
        batch.hours.clear();
        batch.permission_days.clear();
        flush(&mut batch).await.unwrap();
        assert_eq!((batch.rows(), db.store.uses(id).await.unwrap().len()), (0, 200));
        unanswered.count((world.acme.id, id), jiff::Timestamp::from_millisecond(HOUR).unwrap(), "valid", 4);
        flush(&mut unanswered).await.unwrap();
        let uses = db.store.uses(id).await.unwrap();
        assert_eq!((uses.len(), uses[0].2, uses.iter().map(|(_, _, uses)| uses).sum::<i64>()), (300, 3 + 4, 300 * 3 + 4));
        assert_eq!(db.number("SELECT CAST(SUM(uses) AS BIGINT) FROM organization_usage_hour").await, 904);
        let asked = db.store.permission_uses(id).await.unwrap();
        assert_eq!((asked.len(), asked.iter().all(|(_, _, uses)| *uses == 2)), (300, true));
        // One row for all of it.
        assert_eq!(db.number("SELECT COUNT(*) FROM usage_flush").await, 1);
    }

    async fn nothing_is_lost_between_flushers(db: &TestDb) {
        let world = World::stored(db).await;
        let ids: [(OrganizationId, CredentialId); 2] =
            [(world.acme.id, world.key.id), (world.globex.id, world.strange_key.id)];
        let mut tasks = JoinSet::new();
        for task in 0..8 {
            let (store, secret) = (Arc::clone(&db.store), (ids[0].1, 1));
            tasks.spawn(async move {
                for round in 0..3 {
                    let mut batch = batch(ids[(task + round) % 2], 600);
                    let from = Some(format!("10.0.0.{task}"));
                    batch.last_uses.insert(secret, LastUse { at: at((10 * task + round) as i64), from });
                    store.flush_usage(&mut batch, at(0), &mut rng()).await.unwrap();
                }
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
        let mut sum = 0;
        for (_, id) in ids {
            let hours = db.store.uses(id).await.unwrap();
            assert_eq!(hours.len(), 600);
            sum += hours.iter().map(|(_, _, uses)| uses).sum::<i64>();
            assert_eq!(db.store.permission_uses(id).await.unwrap().len(), 600);
        }
        assert_eq!(sum, 8 * 3 * 600 * 3);
        assert_eq!(db.number("SELECT CAST(SUM(uses) AS BIGINT) FROM organization_usage_hour").await, sum);
        assert_eq!(last_use(db, &world).await, (Some(at(72)), Some("10.0.0.7".to_owned())));
    }

    async fn the_last_use_never_goes_back_in_time(db: &TestDb) {
        let world = World::stored(db).await;
        let check = async |milliseconds, from: Option<&str>, expected: (i64, Option<&str>)| {
            let used = LastUse { at: at(milliseconds), from: from.map(str::to_owned) };
            let mut batch = UsageBatch { last_uses: [((world.key.id, 1), used)].into(), ..UsageBatch::default() };
            db.store.flush_usage(&mut batch, at(0), &mut rng()).await.unwrap();
            assert_eq!(last_use(db, &world).await, (Some(at(expected.0)), expected.1.map(str::to_owned)));
        };
        check(50, Some("10.0.0.1"), (50, Some("10.0.0.1"))).await;
        check(40, Some("10.0.0.2"), (50, Some("10.0.0.1"))).await;
        check(50, Some("10.0.0.2"), (50, Some("10.0.0.1"))).await;
        check(60, None, (60, None)).await;
    }

    async fn a_retired_secret_in_use_is_told_once_an_hour(db: &TestDb) {
        let world = World::stored(db).await;
        let hour = SignedDuration::from_hours(1);
        let check = async |now, expected| {
            db.store.tell_retired_use(&retired(&world), now, &mut rng()).await.unwrap();
            assert_eq!(told(db).await, expected);
        };
        check(at(0), 1).await;
        check(at(1), 1).await;
        check(at(0) + hour - SignedDuration::from_millis(1), 1).await;
        check(at(0) + hour, 2).await;
        check(at(1) + hour, 2).await;
        let events = db.view().audit_events(&AuditFilter::default(), &all()).await.unwrap();
        assert!(events[0].record.contains(r#""hint":"h1xy""#) && events[0].record.contains(r#""type":"system""#));
        // From where, beside the record: it is personal.
        assert_eq!(events[0].address.as_deref(), Some("203.0.113.9"));
        assert!(!events[0].record.contains("203.0.113.9"));
        assert_eq!(db.store.verify_audit().await.unwrap().findings, []);
    }

    async fn of_many_nodes_one_tells_of_a_retired_secret(db: &TestDb) {
        let world = World::stored(db).await;
        let mut tasks = JoinSet::new();
        for _ in 0..8 {
            let (store, used) = (Arc::clone(&db.store), retired(&world));
            tasks.spawn(async move { store.tell_retired_use(&used, at(0), &mut rng()).await });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap().unwrap();
        }
        assert_eq!(told(db).await, 1);
    }
}
