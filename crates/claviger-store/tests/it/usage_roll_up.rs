//! Hours that become days: exactly, also late, interrupted and on several nodes at once.

use std::sync::Arc;

use claviger_core::Reach;
use claviger_store::{Counted, Store, StoreError, UsageBatch, UsageFilter, UsageKept};
use claviger_token::CredentialId;
use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinSet;

use crate::{
    db::{Engine, TestDb},
    sample::{World, at, digest, key, rng},
};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

fn moment(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap()
}

fn hour(number: i64) -> Timestamp {
    moment(at(0).as_millisecond() / DAY_MS * DAY_MS + number * HOUR_MS)
}

fn kept(hours: i64, days: i64) -> UsageKept {
    UsageKept { hours: SignedDuration::from_hours(hours), days: SignedDuration::from_hours(24 * days) }
}

/// Uses of a key in each of these hours.
fn batch(world: &World, hours: std::ops::Range<i64>) -> UsageBatch {
    let mut batch = UsageBatch::default();
    for number in hours {
        batch.count((world.acme.id, world.key.id), hour(number), "valid", 2);
        batch.count((world.acme.id, world.key.id), hour(number), "expired", 1);
    }
    batch
}

/// How often the key was used, by day: the key's own report, which must be that of its organization.
async fn days(db: &TestDb, world: &World) -> Vec<(i64, String, i64)> {
    let filter = UsageFilter {
        credential: None,
        principal: None,
        organization: Some(world.acme.id),
        what: None,
        counted: Counted::CodesByDay,
        from: hour(0),
        to: hour(24 * 1000),
    };
    let mut view = db.store.within(Reach::Instance);
    let of_key = view.usage(&filter, 10_000).await.unwrap().unwrap();
    let of_key: Vec<_> = of_key.into_iter().map(|used| (used.start.as_millisecond(), used.what, used.uses)).collect();
    let all = view.organization_usage(&filter, 10_000).await.unwrap().unwrap();
    let all: Vec<_> = all.into_iter().map(|used| (used.start.as_millisecond(), used.what, used.uses)).collect();
    assert_eq!(of_key, all);
    of_key
}

/// All turns of it, until there is no more to do.
async fn keep(store: &Store, kept: UsageKept, now: Timestamp) -> Result<u64, StoreError> {
    let mut all = 0;
    loop {
        match store.keep_usage(kept, now).await? {
            0 => return Ok(all),
            some => all += some,
        }
    }
}

fn of_day(number: i64, expired: i64, valid: i64) -> [(i64, String, i64); 2] {
    let day = hour(24 * number).as_millisecond();
    [(day, "expired".to_owned(), expired), (day, "valid".to_owned(), valid)]
}

on_both_databases! {
    async fn hours_become_days_and_nothing_is_counted_twice(db: &TestDb) {
        let world = World::stored(db).await;
        let id: CredentialId = world.key.id;
        db.store.flush_usage(&mut batch(&world, 0..60), at(0), &mut rng()).await.unwrap();
        let expected = [of_day(0, 24, 48), of_day(1, 24, 48), of_day(2, 12, 24)].concat();
        assert_eq!(days(db, &world).await, expected);
        // Only whole days go, of key and organization alike: four tables' worth of hours.
        assert_eq!(keep(&db.store, kept(24, 400), hour(60)).await.unwrap(), 2 * 2 * 24);
        assert_eq!(db.store.uses(id).await.unwrap().len(), 2 * 36);
        assert_eq!(days(db, &world).await, expected);
        assert_eq!(keep(&db.store, kept(24, 400), hour(60)).await.unwrap(), 0);
        // What is told late of an hour that is gone counts as well.
        db.store.flush_usage(&mut batch(&world, 3..5), at(0), &mut rng()).await.unwrap();
        let expected = [of_day(0, 26, 52), of_day(1, 24, 48), of_day(2, 12, 24)].concat();
        assert_eq!(days(db, &world).await, expected);
        assert_eq!(keep(&db.store, kept(24, 400), hour(60)).await.unwrap(), 2 * 2 * 2);
        assert_eq!(days(db, &world).await, expected);
    }

    async fn many_hours_become_days_in_turns(db: &TestDb) {
        let world = World::stored(db).await;
        db.store.flush_usage(&mut batch(&world, 0..2400), at(0), &mut rng()).await.unwrap();
        let before = days(db, &world).await;
        // One turn takes some of each, and no more.
        assert_eq!(db.store.keep_usage(kept(0, 400), hour(2400)).await.unwrap(), 2 * 2000 + 1);
        assert_eq!(days(db, &world).await, before);
        keep(&db.store, kept(0, 400), hour(2400)).await.unwrap();
        assert_eq!((db.store.uses(world.key.id).await.unwrap().len(), before.len()), (0, 200));
        assert_eq!(days(db, &world).await, before);
    }

    async fn what_is_interrupted_is_done_by_the_next(db: &TestDb) {
        let world = World::stored(db).await;
        db.store.flush_usage(&mut batch(&world, 0..2400), at(0), &mut rng()).await.unwrap();
        let before = days(db, &world).await;
        // The hours of one transaction do not go, and neither does what was added for them.
        let late = hour(1500).as_millisecond();
        let (stop, go) = match db.engine {
            Engine::Sqlite => (
                format!("CREATE TRIGGER stop BEFORE DELETE ON usage_hour WHEN OLD.hour >= {late}
                         BEGIN SELECT RAISE(ABORT, 'stop'); END"),
                "DROP TRIGGER stop",
            ),
            Engine::Postgres => (
                format!("CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                           IF OLD.hour >= {late} THEN RAISE EXCEPTION 'stop'; END IF; RETURN OLD; END $$;
                         CREATE TRIGGER stop BEFORE DELETE ON usage_hour FOR EACH ROW EXECUTE FUNCTION stop()"),
                "DROP TRIGGER stop ON usage_hour",
            ),
        };
        db.tamper(&stop).await;
        assert!(keep(&db.store, kept(0, 400), hour(2400)).await.is_err());
        assert_eq!(db.store.uses(world.key.id).await.unwrap().len(), 4800 - 2000);
        assert_eq!(days(db, &world).await, before);
        db.tamper(go).await;
        keep(&db.store, kept(0, 400), hour(2400)).await.unwrap();
        assert_eq!(db.store.uses(world.key.id).await.unwrap().len(), 0);
        assert_eq!(days(db, &world).await, before);
    }

    async fn nodes_that_do_it_at_once_while_uses_are_told_lose_nothing(db: &TestDb) {
        let world = Arc::new(World::stored(db).await);
        db.store.flush_usage(&mut batch(&world, 0..1200), at(0), &mut rng()).await.unwrap();
        let mut tasks = JoinSet::new();
        for node in 0..6 {
            let (store, world) = (Arc::clone(&db.store), Arc::clone(&world));
            tasks.spawn(async move {
                for _ in 0..3 {
                    if node % 2 == 0 {
                        keep(&store, kept(0, 400), hour(1200)).await.unwrap();
                    } else {
                        store.flush_usage(&mut batch(&world, 0..1200), at(0), &mut rng()).await.unwrap();
                    }
                }
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
        let expected: Vec<_> = (0..50).flat_map(|day| of_day(day, 10 * 24, 10 * 48)).collect();
        assert_eq!(days(db, &world).await, expected);
        keep(&db.store, kept(0, 400), hour(1200)).await.unwrap();
        assert_eq!((days(db, &world).await, db.store.uses(world.key.id).await.unwrap().len()), (expected, 0));
    }

    async fn nobody_waits_in_a_circle_for_hours_that_become_days(db: &TestDb) {
        let world = Arc::new(World::stored(db).await);
        let keys: Arc<Vec<_>> = Arc::new((0..20).map(|number| key(&world.ci, &format!("k{number}"))).collect());
        db.write(async |tx| {
            for one in keys.iter() {
                tx.insert_credential(one, &digest()).await?;
            }
            Ok(())
        }).await;
        // Late uses of many keys in the same old hours: they are counted key by key, and become days hour by hour.
        let mut tasks = JoinSet::new();
        for node in 0..4 {
            let (store, world, keys) = (Arc::clone(&db.store), Arc::clone(&world), Arc::clone(&keys));
            tasks.spawn(async move {
                for _ in 0..6 {
                    if node == 0 {
                        for _ in 0..4 {
                            store.keep_usage(kept(0, 400), hour(240)).await?;
                        }
                        continue;
                    }
                    let mut batch = UsageBatch::default();
                    for one in keys.iter() {
                        (0..60).for_each(|number| batch.count((world.acme.id, one.id), hour(number), "valid", 1));
                    }
                    store.flush_usage(&mut batch, at(0), &mut rng()).await?;
                }
                Ok::<_, StoreError>(())
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap().unwrap();
        }
        keep(&db.store, kept(0, 400), hour(240)).await.unwrap();
        assert_eq!(db.number("SELECT COUNT(*) FROM usage_hour").await, 0);
        for table in ["usage_day", "organization_usage_day"] {
            let sum = db.number(&format!("SELECT CAST(SUM(uses) AS BIGINT) FROM {table}")).await;
            assert_eq!(sum, 3 * 6 * 20 * 60, "{table}");
        }
    }

    async fn hours_that_became_days_are_not_told_as_if_there_had_been_none(db: &TestDb) {
        let world = World::stored(db).await;
        let since = async |kept| db.view().hours_since(kept, hour(24 * 10 + 5)).await.unwrap();
        assert_eq!(since(kept(24 * 9, 400)).await, hour(24));
        db.store.flush_usage(&mut batch(&world, 0..24 * 10), at(0), &mut rng()).await.unwrap();
        assert_eq!(since(kept(24 * 9, 400)).await, hour(24));
        keep(&db.store, kept(24 * 3, 400), hour(24 * 10 + 5)).await.unwrap();
        // They are to be kept for longer from now on, and begin where they are left.
        assert_eq!(since(kept(24 * 9, 400)).await, hour(24 * 7));
        assert_eq!(since(kept(24, 400)).await, hour(24 * 9));
    }

    async fn days_are_kept_as_long_as_it_is_said(db: &TestDb) {
        let world = World::stored(db).await;
        let id: CredentialId = world.key.id;
        let mut batch = batch(&world, 0..1);
        batch.permission_days.insert((id, hour(0).as_millisecond(), "a:read".parse().unwrap()), 1);
        db.store.flush_usage(&mut batch, at(0), &mut rng()).await.unwrap();
        db.store.flush_ranks(&mut batch.ranks).await.unwrap();
        let ranks = "SELECT COUNT(*) FROM usage_rank";
        // Hours that are kept longer than that stay hours; here they are a day from the first round on.
        keep(&db.store, kept(24, 100), hour(24 * 32)).await.unwrap();
        assert_eq!((days(db, &world).await.len(), db.number(ranks).await), (2, 1));
        keep(&db.store, kept(24, 100), hour(24 * 100)).await.unwrap();
        assert_eq!((days(db, &world).await.len(), db.number(ranks).await), (2, 0));
        assert_eq!(db.store.permission_uses(id).await.unwrap().len(), 1);
        keep(&db.store, kept(24, 100), hour(24 * 100) + SignedDuration::from_millis(1)).await.unwrap();
        assert_eq!((days(db, &world).await, db.store.permission_uses(id).await.unwrap().len()), (vec![], 0));
        // Of credentials that nobody knows any more too, and more than go in one transaction.
        db.tamper("INSERT INTO usage_hour (credential, hour, code, uses)
                   WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5001)
                   SELECT 'key_' || i, 0, 'valid', 1 FROM n").await;
        assert_eq!(keep(&db.store, kept(24, 100), hour(24 * 100)).await.unwrap(), 2 * 5001);
    }
}

#[test]
fn hours_are_kept_from_the_start_of_a_day() {
    let check = |now: &str, since: &str| {
        let (now, since): (Timestamp, Timestamp) = (now.parse().unwrap(), since.parse().unwrap());
        assert_eq!(UsageKept::default().hours_since(now), since);
    };
    check("2026-03-08T13:00:00Z", "2026-02-01T00:00:00Z");
    check("2026-03-08T00:00:00Z", "2026-02-01T00:00:00Z");
    check("2026-03-07T23:59:59Z", "2026-01-31T00:00:00Z");
}
