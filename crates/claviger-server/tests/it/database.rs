//! A database of a test's own.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output},
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
        drop_former();
        let name = format!("server_{}_template", std::process::id());
        on_server(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        on_server(&format!("CREATE DATABASE {name}"));
        migrate(&postgres(&name));
        name
    })
}

/// Drops what former runs left on a server that is there for many, if nobody is connected to it. What is another run's, which goes on, stays.
fn drop_former() {
    let idle = "SELECT datname FROM pg_database d WHERE datname LIKE 'server\\_%'
                AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.datname = d.datname)";
    for name in on_server(idle).lines().filter(|name| maker(name).is_some_and(is_gone)) {
        // Another run may do the same, or somebody connect.
        psql(&format!("DROP DATABASE IF EXISTS {name}"));
    }
}

/// The process that made a database which is called so.
fn maker(name: &str) -> Option<u32> {
    name.strip_prefix("server_")?.split_once('_')?.0.parse().ok()
}

fn is_gone(process: u32) -> bool {
    Path::new("/proc/self").exists() && !Path::new(&format!("/proc/{process}")).exists()
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

/// What the server answers, a row in each line.
fn on_server(sql: &str) -> String {
    let done = psql(sql);
    assert!(done.status.success(), "{sql}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

fn psql(sql: &str) -> Output {
    // Not Debian's, which is a program in Perl that looks for this one.
    let psql = PathBuf::from(setting("CLAVIGER_TEST_POSTGRES_BIN")).join("psql");
    let arguments = ["--quiet", "--no-psqlrc", "--tuples-only", "--no-align", "--dbname", &server(), "--command", sql];
    Command::new(psql).args(arguments).output().unwrap()
}

#[test]
fn what_a_former_run_left_is_dropped() {
    let mut ended = Command::new("true").spawn().unwrap();
    ended.wait().unwrap();
    let left = [format!("server_{}_template", ended.id()), format!("server_{}_1", ended.id())];
    let own = format!("server_{}_former", std::process::id());
    let made = left.iter().chain([&own]);
    made.for_each(|name| drop(on_server(&format!("CREATE DATABASE {name}"))));
    drop_former();
    let there = on_server("SELECT datname FROM pg_database");
    on_server(&format!("DROP DATABASE {own}"));
    assert!(there.lines().any(|name| name == own), "{there}");
    assert!(!there.lines().any(|name| left.iter().any(|left| left == name)), "{there}");
}
