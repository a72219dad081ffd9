//! Writers that race: nothing is lost, nothing waits in a circle, and the audit chains have no gaps.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use claviger_core::{By, Reach, RevokeReason};
use claviger_store::{CredentialFilter, LastUse, UsageBatch};
use sqlx::{Connection as _, PgConnection};
use tokio::task::JoinSet;

use crate::{
    db::{Engine, all, run},
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
                    tx.insert_credential(&one, &digest()).await.unwrap();
                    tx.commit(event(Some(one.organization), Vec::new()), at(0), &mut rng()).await.unwrap();
                }
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
        let count = async |organization| {
            let filter = CredentialFilter { organization: Some(organization), ..CredentialFilter::default() };
            db.view().credentials(&filter, &all()).await.unwrap().len()
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
                let mut key = tx.to_change(Reach::Instance).credential(id).await.unwrap().unwrap();
                key.epoch += 1;
                tx.save_credential(&key).await.unwrap();
                tx.commit(event(Some(key.organization), Vec::new()), at(0), &mut rng()).await.unwrap();
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
        assert_eq!(db.view().credential(world.key.id).await.unwrap().unwrap().epoch, 21);
    }

    async fn rolling_and_counting_never_wait_for_each_other_in_a_circle(db: &TestDb) {
        let world = World::stored(db).await;
        let id = world.key.id;
        let newest = Arc::new(AtomicU32::new(1));
        let mut tasks = JoinSet::new();
        for task in 0..2 {
            let (store, newest) = (Arc::clone(&db.store), Arc::clone(&newest));
            tasks.spawn(async move {
                for round in 0..40 {
                    let used = LastUse { at: at(1000 + 2 * round + task), from: None };
                    let numbers = 1..=newest.load(Ordering::Relaxed);
                    let last_uses = numbers.map(|number| ((id, number), used.clone())).collect();
                    store.flush_usage(&mut UsageBatch { last_uses, ..UsageBatch::default() }).await.unwrap();
                }
            });
        }
        for _ in 0..2 {
            let (store, newest) = (Arc::clone(&db.store), Arc::clone(&newest));
            tasks.spawn(async move {
                let by = By::operator();
                for _ in 0..20 {
                    let mut tx = store.begin(&by).await.unwrap();
                    let mut key = tx.to_change(Reach::Instance).credential(id).await.unwrap().unwrap();
                    let number = key.secrets[0].number + 1;
                    key.secrets[0].ends_at = Some(at(900));
                    key.secrets.insert(0, secret(number));
                    tx.save_rolled_credential(&key, &digest()).await.unwrap();
                    tx.commit(event(None, Vec::new()), at(0), &mut rng()).await.unwrap();
                    newest.fetch_max(number, Ordering::Relaxed);
                }
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
        let count = async |which: &str| {
            db.number(&format!("SELECT COUNT(DISTINCT number) FROM secret WHERE credential = '{id}' AND {which}")).await
        };
        // The current one, the one before in its overlap, and none alive before these.
        let ended = format!("ends_at < {}", at(900).as_millisecond());
        assert_eq!((count("ends_at IS NULL").await, count(&ended).await, count("1 = 1").await), (1, 39, 41));
    }
}

#[test]
fn on_postgres_revoking_a_key_does_not_wait_for_who_counts_its_uses() {
    run(Engine::Postgres, async |db| {
        let world = World::stored(db).await;
        let mut counting = PgConnection::connect(&db.url).await.unwrap();
        let update = format!("BEGIN; UPDATE secret SET hint = hint WHERE credential = '{}'", world.key.id);
        sqlx::raw_sql(sqlx::AssertSqlSafe(update)).execute(&mut counting).await.unwrap();
        // It would wait until its time is up.
        db.write(async |tx| {
            let key = tx.to_change(Reach::Instance).credential(world.key.id).await?.unwrap();
            tx.save_credential(&key.revoke(RevokeReason::Compromised, at(9)).unwrap().0).await
        })
        .await;
    });
}
