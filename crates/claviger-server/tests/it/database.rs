//! A database of a test's own.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    thread,
};

use claviger_store::Database;
use tempfile::TempDir;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

/// Gone when dropped.
pub(crate) struct TestDatabase {
    pub(crate) url: String,
    name: Option<String>,
    _directory: TempDir,
}

impl TestDatabase {
    pub(crate) fn fresh(engine: Engine) -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let directory = tempfile::tempdir().unwrap();
        let (url, name) = match engine {
            Engine::Sqlite => {
                let file = directory.path().join("claviger.db");
                fs::write(&file, migrated_file()).unwrap();
                (sqlite(&file), None)
            }
            Engine::Postgres => {
                let name = format!("server_{}_{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
                on_server(&format!("CREATE DATABASE {name} TEMPLATE {}", migrated_template()));
                (postgres(&name), Some(name))
            }
        };
        Self { url, name, _directory: directory }
    }
}

/// What the file of each test begins as: to migrate it a thousand times would take most of the tests' time.
fn migrated_file() -> &'static [u8] {
    static MIGRATED: OnceLock<Vec<u8>> = OnceLock::new();
    MIGRATED.get_or_init(|| {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("claviger.db");
        migrate(&sqlite(&file));
        fs::read(file).unwrap()
    })
}

/// The same on PostgreSQL: the name of what is copied.
fn migrated_template() -> &'static str {
    static MIGRATED: OnceLock<String> = OnceLock::new();
    MIGRATED.get_or_init(|| {
        let name = format!("server_{}_template", std::process::id());
        on_server(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        on_server(&format!("CREATE DATABASE {name}"));
        migrate(&postgres(&name));
        name
    })
}

/// On a thread of its own, for some tests make their database within a runtime.
fn migrate(url: &str) {
    let migrated = async {
        let database = Database::open(url).await.unwrap();
        database.migrate().await.unwrap();
        database.close().await;
    };
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    thread::scope(|scope| scope.spawn(|| runtime().block_on(migrated)).join().unwrap());
}

fn sqlite(file: &Path) -> String {
    format!("sqlite://{}", file.display())
}

fn postgres(name: &str) -> String {
    format!("{}/{name}", server().rsplit_once('/').unwrap().0)
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            on_server(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        }
    }
}

fn server() -> String {
    setting("CLAVIGER_TEST_POSTGRES")
}

fn setting(name: &str) -> String {
    let missing = "is not set: `cargo xtask test` starts a PostgreSQL and sets it, `cargo xtask postgres` starts one for many \
                   runs of `cargo test`";
    env::var(name).unwrap_or_else(|_| panic!("{name} {missing}"))
}

fn on_server(sql: &str) {
    // Not Debian's, which is a program in Perl that looks for this one.
    let psql = PathBuf::from(setting("CLAVIGER_TEST_POSTGRES_BIN")).join("psql");
    let done =
        Command::new(psql).args(["--quiet", "--no-psqlrc", "--dbname", &server(), "--command", sql]).output().unwrap();
    assert!(done.status.success(), "{sql}: {}", String::from_utf8_lossy(&done.stderr));
}
