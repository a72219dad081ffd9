//! Answers kept so that a repeated request does nothing twice.

use std::sync::Arc;

use claviger_core::By;
use claviger_store::{IdempotencyKey, Remembered, Store, StoreError};
use jiff::SignedDuration;
use tokio::task::JoinSet;

use crate::sample::{at, event, organization, rng};

fn answer(key: u8, location: Option<&str>) -> Remembered {
    Remembered {
        request: IdempotencyKey { key: [key; 32], body: [9; 32] },
        status: 201,
        location: location.map(str::to_owned),
        answer: r#"{"token":null,"name":"größe"}"#.to_owned(),
    }
}

/// Makes an organization and keeps the answer.
async fn make(store: &Store, slug: &str, answer: &Remembered) -> Result<(), StoreError> {
    let by = By::operator();
    let mut tx = store.begin(&by).await?;
    tx.insert_organization(&organization(slug)).await?;
    tx.commit_answering(event(None, Vec::new()), Some(answer), at(0), &mut rng()).await
}

on_both_databases! {
    async fn a_kept_answer_is_told_again(db: &TestDb) {
        assert!(db.store.remembered(&[1; 32]).await.unwrap().is_none());
        for kept in [answer(1, None), answer(2, Some("/v1/api-keys/key_x"))] {
            make(&db.store, &format!("o{}", kept.request.key[0]), &kept).await.unwrap();
            let told = db.store.remembered(&kept.request.key).await.unwrap().unwrap();
            assert_eq!((told.request.key, told.request.body), (kept.request.key, kept.request.body));
            assert_eq!((told.status, told.location, told.answer), (kept.status, kept.location, kept.answer));
        }
    }

    async fn whoever_comes_second_changes_nothing(db: &TestDb) {
        make(&db.store, "first", &answer(1, None)).await.unwrap();
        let second = make(&db.store, "second", &answer(1, None)).await;
        assert!(matches!(second, Err(StoreError::Taken("idempotency_key"))), "{second:?}");
        assert_eq!(db.view().organization_by_slug("second").await.unwrap(), None);
        assert_eq!(db.number("SELECT COUNT(*) FROM audit_event").await, 1);
    }

    async fn of_racing_repetitions_one_wins(db: &TestDb) {
        let mut tasks = JoinSet::new();
        for task in 0..6 {
            let store = Arc::clone(&db.store);
            tasks.spawn(async move { make(&store, &format!("o{task}"), &answer(1, None)).await });
        }
        let (mut won, mut lost) = (0, 0);
        while let Some(done) = tasks.join_next().await {
            match done.unwrap() {
                Ok(()) => won += 1,
                Err(StoreError::Taken("idempotency_key")) => lost += 1,
                Err(error) => panic!("{error:?}"),
            }
        }
        assert_eq!((won, lost, db.number("SELECT COUNT(*) FROM organization").await), (1, 5, 1));
    }

    async fn an_answer_is_kept_for_a_day(db: &TestDb) {
        make(&db.store, "acme", &answer(1, None)).await.unwrap();
        let day = SignedDuration::from_hours(24);
        assert_eq!(db.store.trim(at(0) + day).await.unwrap(), 0);
        assert!(db.store.remembered(&[1; 32]).await.unwrap().is_some());
        assert_eq!(db.store.trim(at(1) + day).await.unwrap(), 1);
        assert!(db.store.remembered(&[1; 32]).await.unwrap().is_none());
    }
}
