//! Writers on SQLite that share a commit: what each of them may rely on, whatever happens to the others.

use std::{sync::Arc, time::Duration};

use claviger_core::{By, Organization, Reach, Touched};
use claviger_store::{Store, StoreError, settled};
use tokio::{
    sync::oneshot,
    task::{JoinHandle, JoinSet},
    time::{sleep, timeout},
};

use crate::{
    db::{Engine, TestDb, run},
    sample::{at, digest, event, organization, rng},
};

const ORGANIZATIONS: &str = "SELECT COUNT(*) FROM organization";

/// What the database does when the organization `bad` is inserted.
const COMMIT_FAILS: &str = "CREATE TABLE parent (id INTEGER PRIMARY KEY);
    CREATE TABLE child (parent INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED);
    CREATE TRIGGER bad AFTER INSERT ON organization WHEN NEW.slug = 'bad' BEGIN INSERT INTO child VALUES (1); END";
/// As SQLite does by itself when the disk is full.
const ALL_IS_ROLLED_BACK: &str = "CREATE TRIGGER bad AFTER INSERT ON organization WHEN NEW.slug = 'bad'
    BEGIN SELECT RAISE(ROLLBACK, 'as if the disk were full'); END";

type Written = JoinHandle<Result<(), StoreError>>;

/// A writer that keeps the turn, once it has it and has written, until it is told to go on.
struct Writer {
    go_on: oneshot::Sender<()>,
    written: Written,
}

/// Whoever makes an organization names it.
async fn insert(store: &Store, one: &Organization, go_on: Option<oneshot::Receiver<()>>) -> Result<(), StoreError> {
    let by = By::operator();
    let mut tx = store.begin(&by).await?;
    tx.insert_organization(one).await?;
    if let Some(go_on) = go_on {
        go_on.await.unwrap();
    }
    tx.commit(event(None, vec![Touched::Organization(one.id)]), at(0), &mut rng()).await
}

fn writer(db: &TestDb, one: &Organization) -> Writer {
    let (store, one) = (Arc::clone(&db.store), one.clone());
    let (go_on, wait) = oneshot::channel();
    Writer { go_on, written: tokio::spawn(async move { insert(&store, &one, Some(wait)).await }) }
}

/// Long enough that whatever does not wait is done.
async fn a_while() {
    sleep(Duration::from_millis(100)).await;
}

/// `first` has written and waits for the commit, while `second` has the turn.
async fn one_after_the_other(db: &TestDb, first: &Organization, second: &Organization) -> (Written, Writer) {
    let first = writer(db, first);
    a_while().await;
    let second = writer(db, second);
    a_while().await;
    first.go_on.send(()).unwrap();
    a_while().await;
    (first.written, second)
}

async fn is_sound(db: &TestDb, organizations: i64) {
    assert_eq!(db.number(ORGANIZATIONS).await, organizations);
    assert_eq!(db.number("SELECT COUNT(*) FROM change_log").await, organizations);
    let report = db.store.verify_audit().await.unwrap();
    assert_eq!((report.findings.as_slice(), i64::try_from(report.events).unwrap()), ([].as_slice(), organizations));
}

fn is_outage<T>(done: &Result<T, StoreError>) -> bool {
    matches!(done, Err(StoreError::Unavailable(_)))
}

#[test]
fn nobody_is_answered_and_nothing_is_told_before_the_commit_that_they_share() {
    run(Engine::Sqlite, async |db| {
        let (one, two) = (organization("one"), organization("two"));
        let mark = db.store.changes().mark();
        let (first, second) = one_after_the_other(db, &one, &two).await;
        assert!(!first.is_finished());
        assert!(db.store.changes().hold_since(mark, [Touched::Organization(one.id)]));
        assert_eq!(db.number(ORGANIZATIONS).await, 0);
        second.go_on.send(()).unwrap();
        first.await.unwrap().unwrap();
        for one in [one, two] {
            assert!(!db.store.changes().hold_since(mark, [Touched::Organization(one.id)]), "at once for all");
        }
        second.written.await.unwrap().unwrap();
        is_sound(db, 2).await;
    });
}

#[test]
fn one_that_fails_or_goes_away_takes_nothing_from_the_others() {
    run(Engine::Sqlite, async |db| {
        let first = writer(db, &organization("one"));
        a_while().await;
        let same = writer(db, &organization("one"));
        a_while().await;
        let gone = writer(db, &organization("gone"));
        a_while().await;
        let last = writer(db, &organization("two"));
        a_while().await;
        first.go_on.send(()).unwrap();
        assert!(matches!(same.written.await.unwrap(), Err(StoreError::Taken("slug"))));
        a_while().await;
        gone.written.abort();
        a_while().await;
        last.go_on.send(()).unwrap();
        first.written.await.unwrap().unwrap();
        last.written.await.unwrap().unwrap();
        is_sound(db, 2).await;
        insert(&db.store, &organization("gone"), None).await.unwrap();
        is_sound(db, 3).await;
    });
}

#[test]
fn one_that_goes_away_while_it_waits_for_the_commit_is_kept_and_told() {
    run(Engine::Sqlite, async |db| {
        let one = organization("one");
        let mark = db.store.changes().mark();
        let (first, second) = one_after_the_other(db, &one, &organization("two")).await;
        first.abort();
        second.written.abort();
        a_while().await;
        is_sound(db, 1).await;
        assert!(!db.store.changes().hold_since(mark, [Touched::Organization(one.id)]));
    });
}

#[test]
fn a_commit_that_fails_is_an_outage_for_all_who_share_it_and_for_nobody_else() {
    run(Engine::Sqlite, async |db| {
        db.tamper(COMMIT_FAILS).await;
        let (first, second) = one_after_the_other(db, &organization("one"), &organization("bad")).await;
        second.go_on.send(()).unwrap();
        assert!(is_outage(&first.await.unwrap()) && is_outage(&second.written.await.unwrap()));
        is_sound(db, 0).await;
        insert(&db.store, &organization("one"), None).await.unwrap();
        is_sound(db, 1).await;
    });
}

#[test]
fn a_database_that_takes_back_everything_is_an_outage_for_all_whose_work_is_lost() {
    run(Engine::Sqlite, async |db| {
        db.tamper(ALL_IS_ROLLED_BACK).await;
        let (first, bad) = one_after_the_other(db, &organization("one"), &organization("bad")).await;
        assert!(is_outage(&bad.written.await.unwrap()) && is_outage(&first.await.unwrap()));
        is_sound(db, 0).await;
        insert(&db.store, &organization("one"), None).await.unwrap();
        is_sound(db, 1).await;
    });
}

/// Answers whether there is such an organization, out of a transaction in which nothing is written.
async fn is_there(store: &Store, one: &Organization) -> Result<bool, StoreError> {
    let by = By::operator();
    let mut tx = store.begin(&by).await?;
    Ok(tx.within(Reach::Instance).organization(one.id).await?.is_some())
}

/// Two who write, and between them somebody who only asks for what the first wrote.
async fn asked_between(
    db: &TestDb,
    one: Organization,
    last: &Organization,
) -> (JoinHandle<Result<bool, StoreError>>, [Written; 2]) {
    let first = writer(db, &one);
    a_while().await;
    let store = Arc::clone(&db.store);
    let asked = tokio::spawn(async move {
        settled(async {
            let seen = is_there(&store, &one).await?;
            // The same request sees it elsewhere too.
            assert_eq!(store.within(Reach::Instance).organization(one.id).await?.is_some(), seen);
            Ok(seen)
        })
        .await?
    });
    a_while().await;
    let last = writer(db, last);
    a_while().await;
    first.go_on.send(()).unwrap();
    a_while().await;
    last.go_on.send(()).unwrap();
    (asked, [first.written, last.written])
}

#[test]
fn who_only_read_of_others_is_answered_when_they_are() {
    run(Engine::Sqlite, async |db| {
        let (asked, written) = asked_between(db, organization("one"), &organization("two")).await;
        assert!(asked.await.unwrap().unwrap());
        for written in written {
            written.await.unwrap().unwrap();
        }
        is_sound(db, 2).await;
    });
}

#[test]
fn what_was_read_of_others_whose_commit_fails_is_no_answer() {
    run(Engine::Sqlite, async |db| {
        db.tamper(COMMIT_FAILS).await;
        for kept in 0..20 {
            let one = organization(&format!("one-{kept}"));
            let (asked, [first, bad]) = asked_between(db, one, &organization("bad")).await;
            assert!(is_outage(&bad.await.unwrap()));
            let (asked, first) = (asked.await.unwrap(), first.await.unwrap());
            assert_eq!(is_outage(&asked), is_outage(&first));
            if first.is_err() {
                return is_sound(db, kept).await;
            }
            // On a slow machine the first had waited long enough before the last came.
        }
        panic!("never in one commit");
    });
}

#[test]
fn any_number_of_writers_that_race_are_kept_or_refused_one_by_one() {
    run(Engine::Sqlite, async |db| {
        let mut tasks = JoinSet::new();
        for number in 0..300 {
            let store = Arc::clone(&db.store);
            tasks.spawn(async move {
                let one = organization(&format!("org-{}", number / 2));
                let done = insert(&store, &one, None).await;
                if done.is_ok() {
                    assert!(store.within(Reach::Instance).organization(one.id).await.unwrap().is_some());
                }
                done
            });
        }
        let (mut kept, mut taken) = (0, 0);
        while let Some(done) = tasks.join_next().await {
            match done.unwrap() {
                Ok(()) => kept += 1,
                Err(StoreError::Taken("slug")) => taken += 1,
                Err(other) => panic!("{other:?}"),
            }
        }
        assert_eq!((kept, taken), (150, 150));
        is_sound(db, 150).await;
    });
}

#[test]
fn who_waits_for_the_commit_waits_as_long_as_somebody_has_the_turn_who_loses_it_in_the_end() {
    run(Engine::Sqlite, async |db| {
        let (first, last) = one_after_the_other(db, &organization("one"), &organization("two")).await;
        sleep(Duration::from_secs(6)).await;
        assert!(!first.is_finished(), "an outage although it happens");
        last.go_on.send(()).unwrap();
        assert!(matches!(last.written.await.unwrap(), Err(StoreError::TooSlow)));
        first.await.unwrap().unwrap();
        is_sound(db, 1).await;
    });
}

#[test]
fn what_may_take_long_begins_after_the_commit_of_those_before() {
    run(Engine::Sqlite, async |db| {
        let first = writer(db, &organization("one"));
        a_while().await;
        let (by, store) = (By::operator(), Arc::clone(&db.store));
        let long = async {
            let mut tx = store.begin_alone(&by).await.unwrap();
            tx.insert_organization(&organization("two")).await.unwrap();
            assert_eq!(db.number(ORGANIZATIONS).await, 1, "durable before this turn ends");
            tx.commit(event(None, Vec::new()), at(0), &mut rng()).await.unwrap();
        };
        let go_on = async {
            a_while().await;
            first.go_on.send(()).unwrap();
        };
        tokio::join!(long, go_on);
        first.written.await.unwrap().unwrap();
        assert_eq!(db.number(ORGANIZATIONS).await, 2);
    });
}

#[test]
fn however_many_are_refused_after_somebody_the_commit_does_not_wait_for_them_all() {
    run(Engine::Sqlite, async |db| {
        let one = organization("one");
        let first = writer(db, &one);
        a_while().await;
        let mut refused = JoinSet::new();
        for _ in 0..100 {
            let (store, one) = (Arc::clone(&db.store), one.clone());
            refused.spawn(async move { is_there(&store, &one).await });
        }
        a_while().await;
        let last = writer(db, &organization("two"));
        a_while().await;
        first.go_on.send(()).unwrap();
        first.written.await.unwrap().unwrap();
        assert!(!last.written.is_finished());
        while let Some(seen) = refused.join_next().await {
            assert!(seen.unwrap().unwrap());
        }
        last.go_on.send(()).unwrap();
        last.written.await.unwrap().unwrap();
        is_sound(db, 2).await;
    });
}

#[test]
fn whoever_looks_something_up_waits_for_nobody_who_must_wait_for_a_commit() {
    run(Engine::Sqlite, async |db| {
        let one = organization("one");
        let first = writer(db, &one);
        a_while().await;
        let mut unsettled = JoinSet::new();
        for _ in 0..16 {
            let (store, one) = (Arc::clone(&db.store), one.clone());
            unsettled.spawn(settled(async move {
                assert!(is_there(&store, &one).await.unwrap());
                store.find_api_key(&digest()).await.map(|found| found.is_none())
            }));
        }
        a_while().await;
        let last = writer(db, &organization("two"));
        a_while().await;
        first.go_on.send(()).unwrap();
        a_while().await;
        let digest = digest();
        let asked = db.store.find_api_key(&digest);
        assert!(timeout(Duration::from_millis(500), asked).await.unwrap().unwrap().is_none());
        last.go_on.send(()).unwrap();
        while let Some(done) = unsettled.join_next().await {
            assert!(done.unwrap().unwrap().unwrap());
        }
        first.written.await.unwrap().unwrap();
        last.written.await.unwrap().unwrap();
    });
}
