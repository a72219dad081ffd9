//! The change log: how one node hears of another's changes, whatever order they commit in.

use std::time::Duration;

use claviger_core::Touched;
use claviger_store::{Mark, Store};
use claviger_token::{AccessTokenId, CredentialId, RoleId, TypedId as _};
use jiff::SignedDuration;
use sqlx::{Connection as _, PgConnection};

use crate::{
    db::{Engine, TestDb, instant, run, write},
    sample::{World, at, event, rng},
};

fn some_role() -> Touched {
    Touched::Role(RoleId::generate(at(0), &mut rng()))
}

async fn touch(db: &TestDb, touched: &[Touched]) {
    write(&db.store, event(None, touched.to_vec()), async |_| Ok(())).await.unwrap();
}

fn named(store: &Store, since: Mark, touched: &Touched) -> bool {
    !store.changes().hold_since(since, [*touched])
}

on_both_databases! {
    async fn another_node_hears_of_every_kind_of_change(db: &TestDb) {
        let world = World::stored(db).await;
        let touched = [
            Touched::Credential(world.key.id),
            Touched::Principal(world.ci.id.into()),
            Touched::Organization(world.acme.id),
            some_role(),
            Touched::Catalog,
            Touched::SigningKeys,
            Touched::AccessToken(AccessTokenId::generate(at(0), &mut rng())),
        ];
        let other = db.another_store().await;
        let mut cursor = other.log_cursor(instant()).await.unwrap();
        let mark = other.changes().mark();
        touch(db, &touched).await;
        assert!(touched.iter().all(|one| !named(&other, mark, one)));
        other.follow_log(&mut cursor, instant()).await.unwrap();
        assert!(touched.iter().all(|one| named(&other, mark, one)));
        assert!(!named(&other, mark, &Touched::Organization(world.globex.id)));

        let mark = other.changes().mark();
        other.follow_log(&mut cursor, instant()).await.unwrap();
        assert!(touched.iter().all(|one| !named(&other, mark, one)), "each number is told once");
    }

    async fn a_kind_that_only_a_later_version_knows_is_passed_over(db: &TestDb) {
        let other = db.another_store().await;
        let mut cursor = other.log_cursor(instant()).await.unwrap();
        let mark = other.changes().mark();
        let role = some_role();
        db.tamper("INSERT INTO change_log (at, kind, id) VALUES (0, 'comet', 'x'), (0, 'role', 'x')").await;
        touch(db, &[role]).await;
        other.follow_log(&mut cursor, instant()).await.unwrap();
        assert!(named(&other, mark, &role));
    }

    async fn knowledge_is_as_fresh_as_the_last_reading(db: &TestDb) {
        let (other, now) = (db.another_store().await, instant());
        let mut cursor = other.log_cursor(now).await.unwrap();
        let later = now + Duration::from_secs(7);
        assert!(other.changes().staleness(later) > Duration::from_secs(6));
        other.follow_log(&mut cursor, later).await.unwrap();
        assert_eq!(other.changes().staleness(later + Duration::from_secs(2)), Duration::from_secs(2));
        other.database().close().await;
        assert!(other.follow_log(&mut cursor, later + Duration::from_secs(9)).await.is_err());
        assert_eq!(other.changes().staleness(later + Duration::from_secs(9)), Duration::from_secs(9));
    }

    async fn a_number_that_never_comes_is_given_up(db: &TestDb) {
        let now = instant();
        touch(db, &[some_role()]).await;
        let mut cursor = db.store.log_cursor(now).await.unwrap();
        touch(db, &[some_role(), some_role()]).await;
        let gap = db.number("SELECT MAX(seq) - 1 FROM change_log").await;
        db.tamper(&format!("DELETE FROM change_log WHERE seq = {gap}")).await;
        db.store.follow_log(&mut cursor, now).await.unwrap();
        assert_eq!(cursor.missing().collect::<Vec<_>>(), [gap]);
        db.store.follow_log(&mut cursor, now + Duration::from_secs(9)).await.unwrap();
        assert_eq!(cursor.missing().count(), 1);
        db.store.follow_log(&mut cursor, now + Duration::from_secs(10)).await.unwrap();
        assert_eq!(cursor.missing().count(), 0);
    }

    async fn a_log_whose_newest_row_vanished_voids_everything(db: &TestDb) {
        for again in ["", "INSERT INTO change_log (at, kind, id) VALUES (0, 'catalog', '')"] {
            touch(db, &[some_role()]).await;
            let mut cursor = db.store.log_cursor(instant()).await.unwrap();
            let (mark, anything) = (db.store.changes().mark(), some_role());
            db.tamper(&format!("DELETE FROM change_log; {again}")).await;
            db.store.follow_log(&mut cursor, instant()).await.unwrap();
            assert!(named(&db.store, mark, &anything));

            let (mark, role) = (db.store.changes().mark(), some_role());
            let other = db.another_store().await;
            write(&other, event(None, vec![role]), async |_| Ok(())).await.unwrap();
            db.store.follow_log(&mut cursor, instant()).await.unwrap();
            assert!(named(&db.store, mark, &role) && !named(&db.store, mark, &anything));
        }
    }

    async fn trimming_removes_what_is_a_day_old_but_the_newest(db: &TestDb) {
        for _ in 0..3 {
            touch(db, &[some_role()]).await;
        }
        let mut cursor = db.store.log_cursor(instant()).await.unwrap();
        let day = SignedDuration::from_hours(24);
        assert_eq!(db.store.trim(at(0) + day).await.unwrap(), 0);
        assert_eq!(db.store.trim(at(1) + day).await.unwrap(), 2);
        assert_eq!(db.number("SELECT COUNT(*) FROM change_log").await, 1);
        assert_eq!(db.store.trim(at(2) + day).await.unwrap(), 0);
        let (mark, role) = (db.store.changes().mark(), some_role());
        let other = db.another_store().await;
        write(&other, event(None, vec![role]), async |_| Ok(())).await.unwrap();
        db.store.follow_log(&mut cursor, instant()).await.unwrap();
        assert!(named(&db.store, mark, &role) && !named(&db.store, mark, &some_role()));
    }

    async fn an_empty_log_is_followed_from_its_first_row(db: &TestDb) {
        let other = db.another_store().await;
        let mut cursor = other.log_cursor(instant()).await.unwrap();
        assert_eq!(cursor.newest(), 0);
        other.follow_log(&mut cursor, instant()).await.unwrap();
        let (mark, role) = (other.changes().mark(), some_role());
        touch(db, &[role]).await;
        other.follow_log(&mut cursor, instant()).await.unwrap();
        assert!(named(&other, mark, &role));
        assert_eq!(db.store.trim(at(0)).await.unwrap(), 0);
    }
}

/// A transaction past the store that has taken the log's next number, and waits. SQLite has one writer at a time,
/// so there only PostgreSQL can show a number that commits late.
async fn late(db: &TestDb, touched: CredentialId) -> PgConnection {
    let mut connection = PgConnection::connect(&db.url).await.unwrap();
    let insert = format!("BEGIN; INSERT INTO change_log (at, kind, id) VALUES (0, 'credential', '{touched}')");
    sqlx::raw_sql(sqlx::AssertSqlSafe(insert)).execute(&mut connection).await.unwrap();
    connection
}

async fn end(mut transaction: PgConnection, how: &'static str) {
    sqlx::raw_sql(how).execute(&mut transaction).await.unwrap();
}

#[test]
fn on_postgres_a_change_that_commits_late_is_not_missed() {
    run(Engine::Postgres, async |db| {
        let world = World::stored(db).await;
        let (key, role) = (Touched::Credential(world.key.id), some_role());
        touch(db, &[some_role()]).await;
        let other = db.another_store().await;
        let mut cursor = other.log_cursor(instant()).await.unwrap();
        let mark = other.changes().mark();
        let first = late(db, world.key.id).await;
        touch(db, &[role]).await;
        other.follow_log(&mut cursor, instant()).await.unwrap();
        assert!(named(&other, mark, &role) && !named(&other, mark, &key));
        assert_eq!(cursor.missing().collect::<Vec<_>>(), [cursor.newest() - 1]);
        end(first, "COMMIT").await;
        other.follow_log(&mut cursor, instant()).await.unwrap();
        assert!(named(&other, mark, &key));
        assert_eq!(cursor.missing().count(), 0);
    });
}

#[test]
fn on_postgres_a_node_that_starts_meanwhile_does_not_miss_it_either() {
    run(Engine::Postgres, async |db| {
        let world = World::stored(db).await;
        let first = late(db, world.key.id).await;
        touch(db, &[some_role()]).await;
        let other = db.another_store().await;
        let mut cursor = other.log_cursor(instant()).await.unwrap();
        let mark = other.changes().mark();
        end(first, "COMMIT").await;
        other.follow_log(&mut cursor, instant()).await.unwrap();
        assert!(named(&other, mark, &Touched::Credential(world.key.id)));
    });
}

#[test]
fn on_postgres_a_change_that_rolls_back_is_waited_for_and_given_up() {
    run(Engine::Postgres, async |db| {
        let world = World::stored(db).await;
        let now = instant();
        let mut cursor = db.store.log_cursor(now).await.unwrap();
        let first = late(db, world.key.id).await;
        touch(db, &[some_role()]).await;
        end(first, "ROLLBACK").await;
        db.store.follow_log(&mut cursor, now).await.unwrap();
        assert_eq!(cursor.missing().count(), 1);
        db.store.follow_log(&mut cursor, now + Duration::from_secs(10)).await.unwrap();
        assert_eq!(cursor.missing().count(), 0);
    });
}
