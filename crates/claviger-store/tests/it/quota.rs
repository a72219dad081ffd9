//! What was used of quotas, in storage.

use std::sync::Arc;

use claviger_store::{Flush, QuotaUses};
use jiff::SignedDuration;
use tokio::task::JoinSet;

use crate::{
    db::TestDb,
    sample::{at, rng},
};

fn uses(uses: &[(&str, i64, u64)]) -> QuotaUses {
    uses.iter().map(|(holder, period, used)| (((*holder).to_owned(), at(*period)), *used)).collect()
}

/// The first write of somebody.
fn flush() -> Flush {
    let mut flush = Flush::default();
    flush.advance(at(0), &mut rng());
    flush
}

async fn used(db: &TestDb, asked: &[(&str, i64)]) -> QuotaUses {
    let asked: Vec<_> = asked.iter().map(|(holder, period)| (*holder, at(*period))).collect();
    db.store.quotas_used(&asked).await.unwrap()
}

on_both_databases! {
    async fn uses_add_up_by_holder_and_period_and_are_told(db: &TestDb) {
        let add = async |more: &[(&str, i64, u64)]| db.store.add_quota_uses(&flush(), &uses(more)).await.unwrap();
        assert_eq!(used(db, &[("key_a", 0)]).await, uses(&[]));
        assert_eq!(add(&[]).await, uses(&[]));
        let first = [("key_a", 0, 5), ("key_a", 1, 7), ("org_b", 0, 1_000_000_000_000)];
        assert_eq!(add(&first).await, uses(&first));
        assert_eq!(add(&[("key_a", 0, 2)]).await, uses(&[("key_a", 0, 7)]));
        let all = [("key_a", 0), ("key_a", 1), ("key_a", 2), ("org_b", 0), ("org_b", 1)];
        let expected = [("key_a", 0, 7), ("key_a", 1, 7), ("org_b", 0, 1_000_000_000_000)];
        assert_eq!(used(db, &all).await, uses(&expected));
        assert_eq!(used(db, &[]).await, uses(&[]));
    }

    async fn what_was_written_without_an_answer_is_told_and_not_added_twice(db: &TestDb) {
        let first = flush();
        let mut second = first.clone();
        second.advance(at(0), &mut rng());
        let add = async |flush: &Flush, used| db.store.add_quota_uses(flush, &uses(&[("key_a", 0, used)])).await.unwrap();
        for _ in 0..2 {
            assert_eq!(add(&first, 5).await, uses(&[("key_a", 0, 5)]));
        }
        // Another node's are others.
        assert_eq!(add(&flush(), 1).await, uses(&[("key_a", 0, 6)]));
        for _ in 0..2 {
            assert_eq!(add(&second, 2).await, uses(&[("key_a", 0, 8)]));
        }
        assert_eq!(db.number("SELECT COUNT(*) FROM usage_flush").await, 2);
    }

    async fn nothing_is_lost_between_nodes_that_write_at_once(db: &TestDb) {
        let mut tasks = JoinSet::new();
        for _ in 0..8 {
            let store = Arc::clone(&db.store);
            tasks.spawn(async move {
                for _ in 0..10 {
                    let uses = uses(&[("key_a", 0, 3), ("key_b", 0, 1), ("org_c", 0, 4)]);
                    store.add_quota_uses(&flush(), &uses).await.unwrap();
                }
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
        let expected = [("key_a", 0, 240), ("key_b", 0, 80), ("org_c", 0, 320)];
        assert_eq!(used(db, &expected.map(|(holder, period, _)| (holder, period))).await, uses(&expected));
    }

    async fn they_are_kept_for_400_days(db: &TestDb) {
        db.store.add_quota_uses(&flush(), &uses(&[("key_a", 0, 5)])).await.unwrap();
        let end = at(0) + SignedDuration::from_hours(400 * 24);
        assert_eq!(db.store.trim(end).await.unwrap(), 0);
        assert_eq!(db.store.trim(end + SignedDuration::from_millis(1)).await.unwrap(), 1);
        assert_eq!(used(db, &[("key_a", 0)]).await, uses(&[]));
    }
}
