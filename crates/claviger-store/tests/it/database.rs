//! A database before and beside the store: opened, migrated, its sealed keys, its dump.

use claviger_core::Sealed;
use claviger_store::{Database, KeyPurpose, StoreError};
use tokio::task::JoinSet;

use crate::{
    db::Engine,
    sample::{World, at},
};

on_both_databases! {
    async fn migrating_again_changes_nothing(db: &TestDb) {
        World::stored(db).await;
        let before = db.store.database().dump().await.unwrap();
        db.store.database().migrate().await.unwrap();
        assert_eq!(db.store.database().dump().await.unwrap(), before);
    }

    async fn many_tasks_may_migrate_one_database_at_once(db: &TestDb) {
        let database = Database::open(&db.empty().await).await.unwrap();
        let mut tasks = JoinSet::new();
        for _ in 0..4 {
            let database = database.clone();
            tasks.spawn(async move { database.migrate().await });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap().unwrap();
        }
        assert!(database.sealed_keys(KeyPurpose::Pepper).await.unwrap().is_empty());
        database.close().await;
    }

    async fn many_processes_may_migrate_one_database_at_once(db: &TestDb) {
        let url = db.empty().await;
        let mut tasks = JoinSet::new();
        for _ in 0..4 {
            let url = url.clone();
            tasks.spawn(async move {
                let database = Database::open(&url).await?;
                database.migrate().await?;
                database.close().await;
                Ok::<_, StoreError>(())
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap().unwrap();
        }
    }

    async fn a_schema_of_a_later_version_is_refused(db: &TestDb) {
        let row = format!("INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                           VALUES (9999, 'the future', TRUE, {}, 0)", db.blob("00"));
        db.tamper(&row).await;
        let refused = db.store.database().migrate().await;
        assert!(matches!(refused, Err(StoreError::NewerSchema(9999))), "{refused:?}");
    }

    async fn the_schema_version_is_0_only_where_there_is_none(db: &TestDb) {
        let database = db.store.database();
        assert_eq!(database.schema_version().await.unwrap(), 8);
        db.tamper("ALTER TABLE _sqlx_migrations RENAME COLUMN version TO damaged").await;
        let unreadable = database.schema_version().await;
        assert!(matches!(unreadable, Err(StoreError::Unavailable(_))), "{unreadable:?}");
        let empty = Database::open(&db.empty().await).await.unwrap();
        assert_eq!(empty.schema_version().await.unwrap(), 0);
        empty.close().await;
    }

    async fn what_a_doctor_asks_is_answered(db: &TestDb) {
        World::stored(db).await;
        let database = db.store.database();
        assert_eq!(database.schema_version().await.unwrap(), Database::newest_schema());
        let time = database.server_time().await.unwrap();
        // Whether it is right depends on two clocks; that it is one of these years does not.
        let sound = |time: jiff::Timestamp| (2024..2200).contains(&time.to_zoned(jiff::tz::TimeZone::UTC).year());
        assert_eq!(time.map(sound), (db.engine == Engine::Postgres).then_some(true));

        let (chains, broken) = database.audit_heads().await.unwrap();
        assert!(chains >= 1 && broken == 0, "{chains} {broken}");
        db.tamper("DELETE FROM audit_event WHERE seq = (SELECT MAX(seq) FROM audit_event)").await;
        assert_eq!(database.audit_heads().await.unwrap(), (chains, 1));
    }

    async fn a_released_migration_that_was_edited_is_refused(db: &TestDb) {
        db.tamper(&format!("UPDATE _sqlx_migrations SET checksum = {}", db.blob("00"))).await;
        let refused = db.store.database().migrate().await;
        assert!(matches!(refused, Err(StoreError::Migration(_))), "{refused:?}");
    }

    async fn a_sealed_key_that_is_offered_twice_stays_the_first(db: &TestDb) {
        let database = db.store.database();
        let sealed = |byte| Sealed(vec![byte; 60]);
        for (version, byte) in [(1, 1), (1, 2), (2, 3)] {
            database.offer_sealed_key(KeyPurpose::Pepper, version, &sealed(byte), at(0)).await.unwrap();
        }
        database.offer_sealed_key(KeyPurpose::AuditChain, 1, &sealed(4), at(0)).await.unwrap();
        assert_eq!(database.sealed_keys(KeyPurpose::Pepper).await.unwrap(), [(2, sealed(3)), (1, sealed(1))]);
        assert_eq!(database.sealed_keys(KeyPurpose::AuditChain).await.unwrap(), [(1, sealed(4))]);
        assert_eq!(KeyPurpose::Pepper.row(2), "sealed_key/pepper/2");
        assert_eq!(KeyPurpose::AuditChain.row(1), "sealed_key/audit_chain/1");
    }

    async fn a_dump_holds_every_table_and_every_value(db: &TestDb) {
        let world = World::stored(db).await;
        db.store.database().ping().await.unwrap();
        let dump = db.store.database().dump().await.unwrap();
        let holds = |bytes: &[u8]| dump.windows(bytes.len()).any(|window| window == bytes);
        assert!(holds(b"globex") && holds(&world.digest.bytes) && holds(world.strange_key.id.to_string().as_bytes()));
        let tables = match db.engine {
            Engine::Sqlite => {
                "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name NOT IN ('_sqlx_migrations', 'sqlite_sequence')"
            }
            Engine::Postgres => {
                "SELECT COUNT(*) FROM pg_tables WHERE schemaname = 'public' AND tablename <> '_sqlx_migrations'"
            }
        };
        // A table that is added must be added to the dump as well.
        assert_eq!(db.number(tables).await, 48);
    }
}

#[tokio::test]
async fn a_database_that_cannot_be_reached_is_an_outage() {
    for url in ["postgres://postgres@127.0.0.1:1/nowhere", "sqlite:///nowhere/at/all.db"] {
        let refused = Database::open(url).await;
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{url}: {refused:?}");
    }
}
