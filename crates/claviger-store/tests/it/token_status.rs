//! Places in status lists: given once, kept, and told as their credentials are now.

use std::{collections::HashSet, sync::Arc};

use claviger_core::{Approval, Credential, RevokeReason};
use claviger_store::{StatusPlace, StatusShard, Store};
use claviger_token::{CredentialId, StatusList, TokenStatus};
use jiff::{SignedDuration, Timestamp};
use rand::{SeedableRng as _, rngs::StdRng};
use tokio::task::JoinSet;

use crate::sample::{World, at, digest, key};

const WEEK: i64 = 2900;

/// Whoever draws places from the same seed draws the same places.
async fn place(store: &Store, credential: CredentialId, epoch: u64, seed: u64) -> StatusPlace {
    store.status_place(WEEK, credential, epoch, &mut StdRng::seed_from_u64(seed)).await.unwrap()
}

#[test]
fn a_week_has_604800_seconds() {
    let week = |second| StatusShard::week_of(Timestamp::from_second(second).unwrap());
    assert_eq!([0, 604_799, 604_800, -1].map(week), [0, 0, 1, -1]);
}

on_both_databases! {
    async fn s04_a_place_is_of_one_epoch_and_stays(db: &TestDb) {
        let world = World::stored(db).await;
        let first = place(&db.store, world.key.id, 1, 1).await;
        assert_eq!(first.list, StatusShard { week: WEEK, shard: 0 });
        assert_eq!(place(&db.store, world.key.id, 1, 2).await, first);
        let other_node = db.another_store().await;
        assert_eq!(place(&other_node, world.key.id, 1, 3).await, first);
        // Drawn alike, and given to nobody else.
        let second = place(&other_node, world.key.id, 2, 1).await;
        let third = place(&db.store, world.strange_key.id, 1, 1).await;
        assert_eq!(HashSet::from([first, second, third]).len(), 3);
        let elsewhere = db.store.status_place(WEEK + 1, world.key.id, 1, &mut StdRng::seed_from_u64(1)).await.unwrap();
        assert_eq!((elsewhere.list.week, elsewhere.place), (WEEK + 1, first.place));
        other_node.database().close().await;
    }

    async fn s04_of_many_who_ask_at_once_each_epoch_has_one_place_and_each_place_one_epoch(db: &TestDb) {
        let world = World::stored(db).await;
        let other_node = Arc::new(db.another_store().await);
        let mut tasks = JoinSet::new();
        for task in 0..60 {
            let store = if task % 2 == 0 { Arc::clone(&db.store) } else { Arc::clone(&other_node) };
            // Each epoch is asked for by six at once, and they all draw the same places.
            let (id, epoch) = (world.key.id, task % 10);
            tasks.spawn(async move { (epoch, place(&store, id, epoch, 7).await) });
        }
        let mut given = HashSet::new();
        while let Some(done) = tasks.join_next().await {
            given.insert(done.unwrap());
        }
        let places: HashSet<StatusPlace> = given.iter().map(|(_, place)| *place).collect();
        assert_eq!((given.len(), places.len()), (10, 10));
        assert!(places.iter().any(|place| place.list.shard == 1), "nine who drew a place before leave none of eight");
        assert_eq!(db.number("SELECT COUNT(*) FROM token_status").await, 10);
        other_node.database().close().await;
    }

    async fn s04_a_list_that_is_no_longer_sparse_is_left_for_good(db: &TestDb) {
        let world = World::stored(db).await;
        for epoch in 1..=9 {
            place(&db.store, world.key.id, epoch, 7).await;
        }
        assert_eq!(place(&db.store, world.key.id, 10, 8).await.list.shard, 1, "though it drew others");
        assert!(db.store.status_list(StatusShard { week: WEEK, shard: 2 }).await.unwrap().is_none());
    }

    async fn a_list_names_what_does_not_count_and_nothing_else(db: &TestDb) {
        let world = World::stored(db).await;
        let made = |name: &str| key(&world.ci, name);
        let (revoked, ahead, disabled) = (made("revoked"), made("ahead"), made("disabled"));
        let pending = Credential { approval: Some(Approval::Pending { since: at(1) }), ..made("pending") };
        let both = made("disabled and revoked");
        let list = StatusShard { week: WEEK, shard: 0 };
        assert_eq!(db.store.status_list(list).await.unwrap(), None);
        db.write(async |tx| {
            for key in [&revoked, &ahead, &disabled, &pending, &both] {
                tx.insert_credential(key, &digest()).await?;
            }
            Ok(())
        })
        .await;
        let mut places = Vec::new();
        for (seed, key) in [&world.key, &revoked, &ahead, &disabled, &both, &pending].into_iter().enumerate() {
            places.push(place(&db.store, key.id, key.epoch, seed as u64).await);
        }
        assert!(places.iter().all(|place| place.list == list && place.place < StatusList::PLACES));
        let told = async || {
            let mut told = db.store.status_list(list).await.unwrap().unwrap();
            told.sort_by_key(|(place, _)| *place);
            told
        };
        let expected = |states: &[(usize, TokenStatus)]| {
            let mut states: Vec<_> = states.iter().map(|(index, status)| (places[*index].place, *status)).collect();
            states.sort_by_key(|(place, _)| *place);
            states
        };
        assert_eq!(told().await, expected(&[(5, TokenStatus::Suspended)]));
        db.write(async |tx| {
            tx.save_credential(&revoked.clone().revoke(RevokeReason::Unspecified, at(2)).unwrap().0).await?;
            tx.save_credential(&Credential { epoch: 2, ..ahead.clone() }).await?;
            tx.save_credential(&Credential { disabled_at: Some(at(2)), ..disabled.clone() }).await?;
            let both = both.clone().revoke(RevokeReason::Unspecified, at(2)).unwrap().0;
            tx.save_credential(&Credential { disabled_at: Some(at(2)), epoch: 1, ..both }).await
        })
        .await;
        let (invalid, suspended) = (TokenStatus::Invalid, TokenStatus::Suspended);
        assert_eq!(told().await, expected(&[(1, invalid), (2, invalid), (3, suspended), (4, invalid), (5, suspended)]));
        // What is made of the epoch that counts now has another place.
        let new = place(&db.store, ahead.id, 2, 99).await;
        assert!(!told().await.iter().any(|(place, _)| *place == new.place));
    }

    async fn places_are_trimmed_a_day_after_the_end_of_their_week(db: &TestDb) {
        let world = World::stored(db).await;
        place(&db.store, world.key.id, 1, 1).await;
        let end = Timestamp::from_second((WEEK + 1) * 604_800).unwrap();
        let day = SignedDuration::from_hours(24);
        for (now, left) in [(end, 1), (end + day - SignedDuration::from_secs(1), 1), (end + day, 0)] {
            db.store.trim(now).await.unwrap();
            assert_eq!(db.number("SELECT COUNT(*) FROM token_status").await, left, "{now}");
        }
    }
}
