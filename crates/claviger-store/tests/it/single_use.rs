//! What counts once, and whoever uses it at the same moment.

use std::sync::Arc;

use claviger_core::single_use_key;
use jiff::SignedDuration;
use tokio::task::JoinSet;

use crate::sample::at;

fn key(client: &str, jti: &str) -> [u8; 32] {
    single_use_key("client_assertion", client, jti)
}

on_both_databases! {
    async fn j03_of_a_hundred_who_use_it_at_once_on_two_nodes_one_is_first(db: &TestDb) {
        let other_node = Arc::new(db.another_store().await);
        let mut tasks = JoinSet::new();
        for task in 0..100 {
            let store = if task % 2 == 0 { Arc::clone(&db.store) } else { Arc::clone(&other_node) };
            tasks.spawn(async move { store.use_once(key("sa_1", "a"), at(100)).await.unwrap() });
        }
        let mut first = 0;
        while let Some(done) = tasks.join_next().await {
            first += u32::from(done.unwrap());
        }
        assert_eq!(first, 1);
        other_node.database().close().await;
    }

    async fn j03_the_same_id_of_another_client_or_another_id_is_another_use(db: &TestDb) {
        for (client, jti, first) in
            [("sa_1", "a", true), ("sa_1", "a", false), ("sa_2", "a", true), ("sa_1", "b", true), ("sa_2", "a", false)]
        {
            assert_eq!(db.store.use_once(key(client, jti), at(100)).await.unwrap(), first, "{client} {jti}");
        }
    }

    async fn j03_a_use_is_known_after_a_restart(db: &TestDb) {
        assert!(db.store.use_once(key("sa_1", "a"), at(100)).await.unwrap());
        let started_later = db.another_store().await;
        assert!(!started_later.use_once(key("sa_1", "a"), at(100)).await.unwrap());
        started_later.database().close().await;
    }

    async fn a_use_is_forgotten_some_time_after_its_end_and_not_before(db: &TestDb) {
        db.store.use_once(key("sa_1", "a"), at(100)).await.unwrap();
        db.store.use_once(key("sa_1", "b"), at(200)).await.unwrap();
        let patience = SignedDuration::from_mins(10);
        assert_eq!(db.store.trim(at(99) + patience).await.unwrap(), 0);
        assert!(!db.store.use_once(key("sa_1", "a"), at(100)).await.unwrap());
        assert_eq!(db.store.trim(at(100) + patience).await.unwrap(), 1);
        assert!(db.store.use_once(key("sa_1", "a"), at(300)).await.unwrap());
        assert!(!db.store.use_once(key("sa_1", "b"), at(300)).await.unwrap());
    }
}
