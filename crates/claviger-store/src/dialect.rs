//! The whole difference between SQLite and PostgreSQL: how to connect, three words of the schema, one clause.

use std::{str::FromStr, time::Duration};

use sqlx::{
    postgres::{PgConnectOptions, PgPool, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous},
};

/// No transaction lives longer; the change feed waits twice as long for a late one.
pub(crate) const TRANSACTION_CAP: Duration = Duration::from_secs(5);

/// How long a request waits for a connection before the database counts as unavailable.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);

/// Appended to a read that a change depends on. SQLite needs none: a write transaction there is alone.
pub(crate) const LOCK_ROW: &str = " FOR UPDATE";

/// The pools of one database.
#[derive(Debug, Clone)]
pub(crate) enum Pools {
    /// One writer, because SQLite has one; readers beside it.
    Sqlite { read: SqlitePool, write: SqlitePool },
    /// One pool.
    Postgres(PgPool),
}

impl Pools {
    pub(crate) async fn open(url: &str) -> Result<Self, sqlx::Error> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let cap = TRANSACTION_CAP.as_millis().to_string();
            let options = PgConnectOptions::from_str(url)?
                .application_name("claviger")
                .options([("statement_timeout", cap.as_str()), ("idle_in_transaction_session_timeout", cap.as_str())]);
            let pool = PgPoolOptions::new().max_connections(20).acquire_timeout(ACQUIRE_TIMEOUT).connect_with(options);
            return pool.await.map(Self::Postgres);
        }
        let options = SqliteConnectOptions::from_str(url)?
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(TRANSACTION_CAP)
            .foreign_keys(true)
            .create_if_missing(true);
        let pool = |size| SqlitePoolOptions::new().max_connections(size).acquire_timeout(ACQUIRE_TIMEOUT);
        // The writer comes first: it creates the file and sets the journal mode for all.
        let write = pool(1).connect_with(options.clone()).await?;
        let read = pool(4).connect_with(options.read_only(true).create_if_missing(false)).await?;
        Ok(Self::Sqlite { read, write })
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite { read, write } => {
                read.close().await;
                write.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

/// The schema's text, which is written as SQLite reads it, for PostgreSQL.
pub(crate) fn schema_for_postgres(sql: &str) -> String {
    sql.replace("INTEGER PRIMARY KEY AUTOINCREMENT", "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY")
        .replace(" BLOB", " BYTEA")
        .replace(" WITHOUT ROWID", "")
}
