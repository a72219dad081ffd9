//! A database of a test's own.

use std::{
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

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
            Engine::Sqlite => (format!("sqlite://{}", directory.path().join("claviger.db").display()), None),
            Engine::Postgres => {
                let name = format!("server_{}_{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
                on_server(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
                on_server(&format!("CREATE DATABASE {name}"));
                (format!("{}/{name}", server().rsplit_once('/').unwrap().0), Some(name))
            }
        };
        Self { url, name, _directory: directory }
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            on_server(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        }
    }
}

fn server() -> String {
    let missing = "CLAVIGER_TEST_POSTGRES is not set: `cargo xtask test` starts a PostgreSQL and sets it, \
                   `cargo xtask postgres` starts one for many runs of `cargo test`";
    std::env::var("CLAVIGER_TEST_POSTGRES").expect(missing)
}

fn on_server(sql: &str) {
    let psql = Command::new("psql").args(["--quiet", "--dbname", &server(), "--command", sql]).output().unwrap();
    assert!(psql.status.success(), "{sql}: {}", String::from_utf8_lossy(&psql.stderr));
}
