//! A database of a test's own, and the few ways in which a test goes around the store.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Instant,
};

use claviger_core::{By, ChainKey, Event, Reach};
use claviger_store::{Changes, Database, Page, Store, StoreError, Tx, View};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};
use tempfile::TempDir;
use zeroize::Zeroizing;

use crate::sample::{at, rng};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

/// A migrated database with a store on it. Both are gone after the test.
pub(crate) struct TestDb {
    pub(crate) engine: Engine,
    pub(crate) url: String,
    pub(crate) store: Arc<Store>,
    directory: Option<TempDir>,
}

/// Runs one test on a fresh database, and removes the database whatever happens.
pub(crate) fn run(engine: Engine, test: impl AsyncFnOnce(&TestDb)) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (url, directory) = runtime.block_on(fresh(engine));
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async {
            let database = Database::open(&url).await.unwrap();
            database.migrate().await.unwrap();
            let store = Arc::new(Store::new(database, chain_key(), Changes::new(instant())));
            let db = TestDb { engine, url: url.clone(), store, directory };
            test(&db).await;
            db.store.database().close().await;
        });
    }));
    if engine == Engine::Postgres {
        let name = url.rsplit('/').next().unwrap();
        runtime.block_on(on_server(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")));
    }
    outcome.unwrap_or_else(|panic| resume_unwind(panic));
}

/// The address of a database that is still empty.
async fn fresh(engine: Engine) -> (String, Option<TempDir>) {
    static MADE: AtomicU32 = AtomicU32::new(0);
    match engine {
        Engine::Sqlite => {
            let directory = tempfile::tempdir().unwrap();
            (format!("sqlite://{}", directory.path().join("claviger.db").display()), Some(directory))
        }
        Engine::Postgres => {
            let name = format!("store_{}_{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
            on_server(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
            on_server(&format!("CREATE DATABASE {name}")).await;
            let server = server();
            let (server, _) = server.rsplit_once('/').unwrap();
            (format!("{server}/{name}"), None)
        }
    }
}

fn server() -> String {
    let missing = "CLAVIGER_TEST_POSTGRES is not set: `cargo xtask test` starts a PostgreSQL and sets it, \
                   `cargo xtask postgres` starts one for many runs of `cargo test`";
    std::env::var("CLAVIGER_TEST_POSTGRES").expect(missing)
}

async fn on_server(sql: &str) {
    let mut connection = PgConnection::connect(&server()).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
}

pub(crate) fn chain_key() -> ChainKey {
    ChainKey::new(&Zeroizing::new([7; 32]))
}

#[expect(clippy::disallowed_methods, reason = "a test needs some instant to count from")]
pub(crate) fn instant() -> Instant {
    Instant::now()
}

impl TestDb {
    /// A node of its own on the same database.
    pub(crate) async fn another_store(&self) -> Store {
        Store::new(Database::open(&self.url).await.unwrap(), chain_key(), Changes::new(instant()))
    }

    /// The address of a database without a schema.
    pub(crate) async fn empty(&self) -> String {
        match &self.directory {
            Some(directory) => format!("sqlite://{}", directory.path().join("empty.db").display()),
            None => {
                self.tamper("DROP SCHEMA public CASCADE; CREATE SCHEMA public").await;
                self.url.clone()
            }
        }
    }

    /// Bytes as this engine writes them into a statement.
    pub(crate) fn blob(&self, hex: &str) -> String {
        match self.engine {
            Engine::Sqlite => format!("X'{hex}'"),
            Engine::Postgres => format!("decode('{hex}', 'hex')"),
        }
    }

    /// Reads with everybody's eyes.
    pub(crate) fn view(&self) -> View<'_> {
        self.store.within(Reach::Instance)
    }

    /// Writes and commits with an event in the instance's chain.
    pub(crate) async fn write(&self, work: impl AsyncFnOnce(&mut Tx<'_>) -> Result<(), StoreError>) {
        self.try_write(work).await.unwrap();
    }

    pub(crate) async fn try_write(
        &self,
        work: impl AsyncFnOnce(&mut Tx<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        write(&self.store, crate::sample::event(None, Vec::new()), work).await
    }

    /// Statements past the store.
    pub(crate) async fn tamper(&self, sql: &str) {
        self.tamper_at(&self.url, sql).await;
    }

    /// The same on another database of this engine.
    pub(crate) async fn tamper_at(&self, url: &str, sql: &str) {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        match self.engine {
            Engine::Sqlite => sql.execute(&mut SqliteConnection::connect(url).await.unwrap()).await.map(drop).unwrap(),
            Engine::Postgres => sql.execute(&mut PgConnection::connect(url).await.unwrap()).await.map(drop).unwrap(),
        }
    }

    /// A number past the store.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        let sql = AssertSqlSafe(sql.to_owned());
        match self.engine {
            Engine::Sqlite => {
                let mut connection = SqliteConnection::connect(&self.url).await.unwrap();
                sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
            }
            Engine::Postgres => {
                let mut connection = PgConnection::connect(&self.url).await.unwrap();
                sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
            }
        }
    }
}

/// One transaction of the operator's on any store.
pub(crate) async fn write(
    store: &Store,
    event: Event,
    work: impl AsyncFnOnce(&mut Tx<'_>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let by = By::operator();
    let mut tx = store.begin(&by).await?;
    work(&mut tx).await?;
    tx.commit(event, at(0), &mut rng()).await
}

/// Walks a list ten at a time and tells the ids in the order in which they came.
pub(crate) async fn walk<Id: Copy, Item>(
    id: impl Fn(&Item) -> Id,
    mut page: impl AsyncFnMut(Page<Id>) -> Result<Vec<Item>, StoreError>,
) -> Vec<Id> {
    let mut seen: Vec<Id> = Vec::new();
    loop {
        let items = page(Page { after: seen.last().copied(), limit: 10 }).await.unwrap();
        assert!(items.len() <= 10);
        if items.is_empty() {
            return seen;
        }
        seen.extend(items.iter().map(&id));
    }
}

/// The first page, large enough for everything a test makes.
pub(crate) fn all<Id>() -> Page<Id> {
    Page { after: None, limit: 200 }
}
