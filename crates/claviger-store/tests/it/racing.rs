//! Writers that race: nothing is lost, nothing waits in a circle, and the audit chains have no gaps.

use std::sync::Arc;

use claviger_core::{ApiKey, By, Reach, SecretRecord};
use claviger_store::{ApiKeyFilter, LastUse, UsageBatch};
use tokio::task::JoinSet;

use crate::{
    db::{all, write},
    sample::{World, at, digest, event, key, rng, secret},
};

on_both_databases! {
    async fn racing_writers_leave_chains_without_gaps(db: &TestDb) {
        let world = Arc::new(World::stored(db).await);
        let mut tasks = JoinSet::new();
        for task in 0..9 {
            let (store, world) = (Arc::clone(&db.store), Arc::clone(&world));
            tasks.spawn(async move {
                let account = if task == 8 { &world.stranger } else { &world.ci };
                let by = By::operator();
                for _ in 0..20 {
                    let one = key(account, "raced");
                    let mut tx = store.begin(&by).await.unwrap();
                    tx.insert_api_key(&one, &digest()).await.unwrap();
                    tx.commit(event(Some(one.organization), Vec::new()), at(0), &mut rng()).await.unwrap();
                }
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
        let count = async |organization| {
            let filter = ApiKeyFilter { organization: Some(organization), ..ApiKeyFilter::default() };
            db.view().api_keys(&filter, &all()).await.unwrap().len()
        };
        assert_eq!((count(world.acme.id).await, count(world.globex.id).await), (161, 21));
        let report = db.store.verify_audit().await.unwrap();
        assert_eq!(report.findings, []);
        assert_eq!(report.events, 160 + 20 + 1);
        let mut lengths: Vec<_> = report.heads.iter().map(|head| head.seq).collect();
        lengths.sort_unstable();
        assert_eq!(lengths, [1, 20, 160]);
    }

    async fn no_change_of_one_key_is_lost(db: &TestDb) {
        let world = World::stored(db).await;
        let mut tasks = JoinSet::new();
        for _ in 0..20 {
            let (store, id) = (Arc::clone(&db.store), world.key.id);
            tasks.spawn(async move {
                let by = By::operator();
                let mut tx = store.begin(&by).await.unwrap();
                let mut key = tx.to_change(Reach::Instance).api_key(id).await.unwrap().unwrap();
                key.epoch += 1;
                tx.save_api_key(&key).await.unwrap();
                tx.commit(event(Some(key.organization), Vec::new()), at(0), &mut rng()).await.unwrap();
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
        assert_eq!(db.view().api_key(world.key.id).await.unwrap().unwrap().epoch, 21);
    }

    async fn rolling_and_counting_never_wait_for_each_other_in_a_circle(db: &TestDb) {
        let world = World::stored(db).await;
        let mut digests = vec![world.digest];
        let mut rolled = world.key;
        for number in 2..=6 {
            rolled.secrets.iter_mut().for_each(|old| old.ends_at = Some(at(900)));
            rolled.secrets.insert(0, secret(number));
            digests.push(digest());
            write(&db.store, event(None, Vec::new()), async |tx| {
                tx.save_rolled_api_key(&rolled, digests.last().unwrap()).await
            }).await.unwrap();
        }
        let mut tasks = JoinSet::new();
        for task in 0..2 {
            let (store, digests) = (Arc::clone(&db.store), digests.clone());
            tasks.spawn(async move {
                for round in 0..40 {
                    let used = LastUse { at: at(1000 + 2 * round + task), from: None };
                    let last_uses = digests.iter().map(|digest| (*digest, used.clone())).collect();
                    store.flush_usage(&UsageBatch { last_uses, ..UsageBatch::default() }).await.unwrap();
                }
            });
        }
        let (store, id) = (Arc::clone(&db.store), rolled.id);
        tasks.spawn(async move {
            let by = By::operator();
            for _ in 0..20 {
                let mut tx = store.begin(&by).await.unwrap();
                let key = tx.to_change(Reach::Instance).api_key(id).await.unwrap().unwrap();
                let mut secrets = key.secrets.clone();
                let number = secrets[0].number + 1;
                secrets.iter_mut().for_each(|old| old.ends_at = Some(at(900)));
                secrets.insert(0, SecretRecord { number, ..secret(number) });
                tx.save_rolled_api_key(&ApiKey { secrets, ..key }, &digest()).await.unwrap();
                tx.commit(event(None, Vec::new()), at(0), &mut rng()).await.unwrap();
            }
        });
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
        assert_eq!(db.view().api_key(id).await.unwrap().unwrap().secrets.len(), 26);
    }
}
