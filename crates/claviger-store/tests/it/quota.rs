//! What was used of quotas, in storage.

use std::sync::Arc;

use claviger_store::QuotaUses;
use jiff::SignedDuration;
use tokio::task::JoinSet;

use crate::sample::at;

fn uses(uses: &[(&str, i64, u64)]) -> QuotaUses {
    uses.iter().map(|(holder, period, used)| (((*holder).to_owned(), at(*period)), *used)).collect()
}

on_both_databases! {
    async fn uses_add_up_by_holder_and_period_and_are_told(db: &TestDb) {
        let add = async |more: &[(&str, i64, u64)]| db.store.add_quota_uses(&uses(more)).await.unwrap();
        assert_eq!(db.store.quota_used("key_a", at(0)).await.unwrap(), 0);
        assert_eq!(add(&[]).await, uses(&[]));
        let first = [("key_a", 0, 5), ("key_a", 1, 7), ("org_b", 0, 1_000_000_000_000)];
        assert_eq!(add(&first).await, uses(&first));
        assert_eq!(add(&[("key_a", 0, 2)]).await, uses(&[("key_a", 0, 7)]));
        assert_eq!(db.store.quota_used("key_a", at(0)).await.unwrap(), 7);
        assert_eq!(db.store.quota_used("key_a", at(1)).await.unwrap(), 7);
        assert_eq!(db.store.quota_used("org_b", at(0)).await.unwrap(), 1_000_000_000_000);
    }

    async fn nothing_is_lost_between_nodes_that_write_at_once(db: &TestDb) {
        let mut tasks = JoinSet::new();
        for _ in 0..8 {
            let store = Arc::clone(&db.store);
            tasks.spawn(async move {
                for _ in 0..10 {
                    store.add_quota_uses(&uses(&[("key_a", 0, 3), ("key_b", 0, 1), ("org_c", 0, 4)])).await.unwrap();
                }
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
        for (holder, used) in [("key_a", 240), ("key_b", 80), ("org_c", 320)] {
            assert_eq!(db.store.quota_used(holder, at(0)).await.unwrap(), used);
        }
    }

    async fn they_are_kept_for_400_days(db: &TestDb) {
        db.store.add_quota_uses(&uses(&[("key_a", 0, 5)])).await.unwrap();
        let end = at(0) + SignedDuration::from_hours(400 * 24);
        assert_eq!(db.store.trim(end).await.unwrap(), 0);
        assert_eq!(db.store.trim(end + SignedDuration::from_millis(1)).await.unwrap(), 1);
        assert_eq!(db.store.quota_used("key_a", at(0)).await.unwrap(), 0);
    }
}
