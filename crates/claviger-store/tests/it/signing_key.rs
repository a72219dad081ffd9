//! Signing keys in storage, and writers that make the next one at once.

use std::sync::Arc;

use claviger_core::{Reach, Sealed, SigningKeyRecord, Touched};
use claviger_store::StoreError;
use claviger_token::{SigningAlgorithm, SigningKeyId, TypedId as _};
use jiff::SignedDuration;
use tokio::task::JoinSet;

use crate::{
    db::write,
    sample::{at, event, rng},
};

fn key(algorithm: SigningAlgorithm, number: u32) -> SigningKeyRecord {
    SigningKeyRecord {
        id: SigningKeyId::generate(at(0), &mut rng()),
        algorithm,
        number,
        sealed: Some(Sealed(vec![0, 255, 7])),
        created_at: at(1),
        active_at: at(2),
        retiring_at: None,
        removed_at: None,
    }
}

on_both_databases! {
    async fn a_signing_key_reads_back_and_changes(db: &TestDb) {
        let (one, two) = (key(SigningAlgorithm::Rs256, 1), key(SigningAlgorithm::Rs256, 2));
        let other = key(SigningAlgorithm::EdDsa, 1);
        db.write(async |tx| {
            tx.insert_signing_key(&two).await?;
            tx.insert_signing_key(&one).await?;
            tx.insert_signing_key(&other).await
        })
        .await;
        assert_eq!(db.view().signing_keys().await.unwrap(), [other.clone(), one.clone(), two.clone()]);
        let removed = SigningKeyRecord {
            sealed: None,
            active_at: at(3),
            retiring_at: Some(at(4)),
            removed_at: Some(at(5)),
            ..one
        };
        db.write(async |tx| {
            assert_eq!(tx.to_change(Reach::Instance).signing_keys().await?.len(), 3);
            tx.save_signing_key(&removed).await
        })
        .await;
        assert_eq!(db.view().signing_keys().await.unwrap(), [other, removed, two]);
    }

    async fn of_many_who_make_the_next_key_at_once_one_succeeds(db: &TestDb) {
        db.write(async |tx| tx.insert_signing_key(&key(SigningAlgorithm::Es256, 1)).await).await;
        let other_node = Arc::new(db.another_store().await);
        let mut tasks = JoinSet::new();
        for task in 0..8 {
            let store = if task % 2 == 0 { Arc::clone(&db.store) } else { Arc::clone(&other_node) };
            tasks.spawn(async move {
                write(&store, event(None, vec![Touched::SigningKeys]), async |tx| {
                    let keys = tx.to_change(Reach::Instance).signing_keys().await?;
                    if keys.len() > 1 {
                        return Err(StoreError::Taken("seen"));
                    }
                    tx.save_signing_key(&SigningKeyRecord { retiring_at: Some(at(9)), ..keys[0].clone() }).await?;
                    tx.insert_signing_key(&key(SigningAlgorithm::Es256, 2)).await
                })
                .await
            });
        }
        let mut succeeded = 0;
        while let Some(done) = tasks.join_next().await {
            match done.unwrap() {
                Ok(()) => succeeded += 1,
                Err(error) => assert!(matches!(error, StoreError::Taken("seen" | "signing_key")), "{error}"),
            }
        }
        assert_eq!((succeeded, db.view().signing_keys().await.unwrap().len()), (1, 2));
        other_node.database().close().await;
    }

    async fn a_removed_key_is_forgotten_after_a_long_time(db: &TestDb) {
        let removed = SigningKeyRecord { sealed: None, removed_at: Some(at(0)), ..key(SigningAlgorithm::Es256, 1) };
        db.write(async |tx| {
            tx.insert_signing_key(&removed).await?;
            tx.insert_signing_key(&key(SigningAlgorithm::Es256, 2)).await
        })
        .await;
        let days = |days: i64| at(0) + SignedDuration::from_hours(24 * days);
        for (after, left) in [(399, 2), (400, 1), (4000, 1)] {
            db.store.trim(days(after)).await.unwrap();
            assert_eq!(db.view().signing_keys().await.unwrap().len(), left, "{after}");
        }
    }
}
