//! The whole difference between SQLite and PostgreSQL: how to connect, three words of the schema, one clause, one
//! question.

use std::{str::FromStr, time::Duration};

use sqlx::{
    pool::PoolOptions,
    postgres::{PgConnectOptions, PgPool, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous},
};

/// No transaction lives longer; the change feed waits twice as long for a late one.
pub(crate) const TRANSACTION_CAP: Duration = Duration::from_secs(5);

/// How long a write waits for a connection before the database counts as unavailable.
const WRITE_PATIENCE: Duration = Duration::from_secs(3);

/// The same for a read, which somebody's request waits for: "try again" soon is better than a late answer.
pub(crate) const READ_PATIENCE: Duration = Duration::from_secs(1);

/// Appended to a read that a change depends on. SQLite needs none: a write transaction there is alone.
pub(crate) const LOCK_ROW: &str = " FOR UPDATE";

/// What time PostgreSQL has, in milliseconds; only asked there.
pub(crate) const SERVER_TIME: &str = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT) AS now";

/// The pools of one database. `follow` is one connection for whoever follows the change log: a revocation does not
/// queue behind look-ups.
#[derive(Debug, Clone)]
pub(crate) enum Pools {
    /// One writer, because SQLite has one; readers beside it.
    Sqlite { read: SqlitePool, write: SqlitePool, follow: SqlitePool },
    /// One pool for reads and writes.
    Postgres { pool: PgPool, follow: PgPool },
}

impl Pools {
    pub(crate) async fn open(url: &str) -> Result<Self, sqlx::Error> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let cap = TRANSACTION_CAP.as_millis().to_string();
            let options = PgConnectOptions::from_str(url)?
                .application_name("claviger")
                .options([("statement_timeout", cap.as_str()), ("idle_in_transaction_session_timeout", cap.as_str())]);
            let sized = |size| bounded(PgPoolOptions::new(), size);
            let pool = sized(20).connect_with(options.clone()).await?;
            return Ok(Self::Postgres { pool, follow: sized(1).connect_lazy_with(options) });
        }
        let options = SqliteConnectOptions::from_str(url)?
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(TRANSACTION_CAP)
            .foreign_keys(true)
            .create_if_missing(true);
        let sized = |size| bounded(SqlitePoolOptions::new(), size);
        // The writer comes first: it creates the file and sets the journal mode for all.
        let write = sized(1).connect_with(options.clone()).await?;
        let options = options.read_only(true).create_if_missing(false);
        let read = sized(4).connect_with(options.clone()).await?;
        Ok(Self::Sqlite { read, write, follow: sized(1).connect_lazy_with(options) })
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite { read, write, follow } => {
                follow.close().await;
                read.close().await;
                write.close().await;
            }
            Self::Postgres { pool, follow } => {
                follow.close().await;
                pool.close().await;
            }
        }
    }
}

/// No test of a connection before its use: that would be a second round trip for each read. Who meets a dead one
/// takes the next (`sql.rs`).
fn bounded<D: sqlx::Database>(options: PoolOptions<D>, size: u32) -> PoolOptions<D> {
    options.max_connections(size).acquire_timeout(WRITE_PATIENCE).test_before_acquire(false)
}

/// The schema's text, which is written as SQLite reads it, for PostgreSQL.
pub(crate) fn schema_for_postgres(sql: &str) -> String {
    sql.replace("INTEGER PRIMARY KEY AUTOINCREMENT", "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY")
        .replace(" BLOB", " BYTEA")
        .replace(" WITHOUT ROWID", "")
}
