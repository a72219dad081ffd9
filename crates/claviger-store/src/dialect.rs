//! The whole difference between SQLite and PostgreSQL: how to connect, three words of the schema, two clauses, one
//! join, one function, one question, three locks. How SQLite's writers take turns stands in `writer.rs`.

use std::{
    io,
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::available_parallelism,
    time::Duration,
};

use sqlx::{
    Connection as _, PgConnection, Pool,
    pool::PoolOptions,
    postgres::{PgConnectOptions, PgPool, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous},
};

use crate::{lent::Silence, writer::Writer};

/// No transaction lives longer; the change feed waits twice as long for a late one.
pub(crate) const TRANSACTION_CAP: Duration = Duration::from_secs(5);

/// How long a write waits for a connection before the database counts as unavailable.
pub(crate) const WRITE_PATIENCE: Duration = Duration::from_secs(3);

/// The same for a read, which somebody's request waits for: "try again" soon is better than a late answer.
pub(crate) const READ_PATIENCE: Duration = Duration::from_secs(1);

/// The most look-ups that run at a time; SQLite has as many readers.
const LOOK_UPS: usize = 4;

/// Appended to a read that a change depends on. It keeps out whoever changes the row or locks it too, and not who only adds a row
/// that refers to it. SQLite needs none: a write transaction there is alone.
pub(crate) const LOCK_ROW: &str = " FOR NO KEY UPDATE";

/// The same for rows that somebody else holds just as well a little later: those that are locked are left out.
pub(crate) const LOCK_FREE_ROWS: &str = " FOR NO KEY UPDATE SKIP LOCKED";

/// What stands before and behind `table u WHERE …`, so that its rows are looked up for each row before it. Left to themselves both engines
/// may as well read all of the table first: SQLite is kept from it by a word, PostgreSQL by a bound that it cannot see through.
pub(crate) const ONE_BY_ONE_SQLITE: (&str, &str) = ("CROSS JOIN ", "");
pub(crate) const ONE_BY_ONE_POSTGRES: (&str, &str) = ("CROSS JOIN LATERAL (SELECT * FROM ", " OFFSET 0) u");

/// Before a credential gets a place where the state of its tokens is told: what is taken from it meanwhile is either seen, or
/// ends the tokens of that place. Whoever waited in the queue for it would keep those below apart too. SQLite needs neither lock, for the
/// same reason.
pub(crate) const TRY_PLACES: &str =
    "SELECT CAST(CASE WHEN pg_try_advisory_xact_lock(8417) THEN 1 ELSE 0 END AS BIGINT) AS locked";

/// Before it is asked which credentials have such a place. Those who ask do not keep each other out.
pub(crate) const HOLD_PLACES: &str = "SELECT pg_advisory_xact_lock_shared(8417)";

/// Held by the one node that makes days of hours of use, or removes days.
pub(crate) const TRY_ROLL_UP: &str =
    "SELECT CAST(CASE WHEN pg_try_advisory_xact_lock(8418) THEN 1 ELSE 0 END AS BIGINT) AS locked";

/// What time PostgreSQL has, in milliseconds; only asked there.
pub(crate) const SERVER_TIME: &str = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT) AS now";

/// The pools of one database. `follow` is one connection for whoever follows the change log: a revocation does not
/// queue behind look-ups. `timeouts` counts who waited for a connection in vain.
#[derive(Debug, Clone)]
pub(crate) enum Pools {
    /// One writer, because SQLite has one; readers beside it.
    Sqlite { read: SqlitePool, write: Writer, follow: SqlitePool, timeouts: Arc<AtomicU64> },
    /// One pool for reads and writes.
    Postgres { pool: PgPool, follow: PgPool, timeouts: Arc<AtomicU64>, silence: Silence },
}

/// How full a pool of connections is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolState {
    /// What its connections are for: `read`, `write` or `follow`; with PostgreSQL `main` or `follow`.
    pub name: &'static str,
    /// Connections that somebody uses.
    pub used: u32,
    /// Connections that wait for somebody.
    pub idle: u32,
    /// The most that it opens.
    pub most: u32,
}

impl Pools {
    pub(crate) async fn open(url: &str) -> Result<Self, sqlx::Error> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let cap = TRANSACTION_CAP.as_millis().to_string();
            let options = PgConnectOptions::from_str(url)?
                .application_name("claviger")
                .options([("statement_timeout", cap.as_str()), ("idle_in_transaction_session_timeout", cap.as_str())]);
            let silence = Silence::default();
            let sized = |size| {
                let silence = silence.clone();
                bounded(PgPoolOptions::new(), size).before_acquire(move |_, metadata| {
                    let is_trusted = silence.is_over_for(&metadata);
                    Box::pin(async move { Ok(is_trusted) })
                })
            };
            must_let_in(&options).await?;
            let pool = sized(20).connect_with(options.clone()).await?;
            let follow = sized(1).connect_lazy_with(options);
            return Ok(Self::Postgres { pool, follow, timeouts: Arc::default(), silence });
        }
        let options = SqliteConnectOptions::from_str(url)?
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(TRANSACTION_CAP)
            .foreign_keys(true)
            .create_if_missing(true);
        let sized = |size| bounded(SqlitePoolOptions::new(), size);
        // The writer comes first: it creates the file and sets the journal mode for all.
        let write = Writer::open(options.clone()).await?;
        let options = options.read_only(true).create_if_missing(false);
        let read = sized(4).connect_with(options.clone()).await?;
        let follow = sized(1).connect_lazy_with(options);
        Ok(Self::Sqlite { read, write, follow, timeouts: Arc::default() })
    }

    /// Counts what failed because no connection was free in time, and remembers that the database was silent.
    pub(crate) fn note<T>(&self, done: Result<T, sqlx::Error>) -> Result<T, sqlx::Error> {
        match (&done, self) {
            (Err(sqlx::Error::PoolTimedOut), Self::Sqlite { timeouts, .. } | Self::Postgres { timeouts, .. }) => {
                timeouts.fetch_add(1, Ordering::Relaxed);
            }
            (Err(sqlx::Error::Io(cause)), Self::Postgres { silence, .. })
                if cause.kind() == io::ErrorKind::TimedOut =>
            {
                silence.fell();
            }
            _ => {}
        }
        done
    }

    pub(crate) fn timeouts(&self) -> u64 {
        let (Self::Sqlite { timeouts, .. } | Self::Postgres { timeouts, .. }) = self;
        timeouts.load(Ordering::Relaxed)
    }

    /// What the engine is called.
    pub(crate) fn engine(&self) -> &'static str {
        match self {
            Self::Sqlite { .. } => "SQLite",
            Self::Postgres { .. } => "PostgreSQL",
        }
    }

    pub(crate) fn state(&self) -> Vec<PoolState> {
        match self {
            Self::Sqlite { read, write, follow, .. } => {
                let used = u32::from(write.is_taken());
                let write = PoolState { name: "write", used, idle: 1 - used, most: 1 };
                vec![state("read", read), write, state("follow", follow)]
            }
            Self::Postgres { pool, follow, .. } => vec![state("main", pool), state("follow", follow)],
        }
    }

    /// A table of the rows that `$1` holds as a JSON array, each in the column `value`.
    pub(crate) fn json_rows(&self) -> &'static str {
        match self {
            Self::Sqlite { .. } => "json_each($1)",
            Self::Postgres { .. } => "json_array_elements(CAST($1 AS json))",
        }
    }

    /// How many look-ups run at a time. More than SQLite has cores to run on would only take them from each other; those of
    /// PostgreSQL mostly wait for it.
    pub(crate) fn look_ups_at_once(&self) -> usize {
        match self {
            Self::Sqlite { .. } => available_parallelism().map_or(1, |cores| cores.get().min(LOOK_UPS)),
            Self::Postgres { .. } => LOOK_UPS,
        }
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite { read, write, follow, .. } => {
                follow.close().await;
                read.close().await;
                write.close().await;
            }
            Self::Postgres { pool, follow, .. } => {
                follow.close().await;
                pool.close().await;
            }
        }
    }
}

/// One connection by itself, for the pool takes whatever it is told for a server that is about to start, and would tell in the end
/// only that it waited. A server that says that it starts is left to the pool.
async fn must_let_in(options: &PgConnectOptions) -> Result<(), sqlx::Error> {
    const FOR_THE_POOL: [&str; 2] = ["57P03", "53300"];
    let connecting = tokio::time::timeout(WRITE_PATIENCE, PgConnection::connect_with(options)).await;
    let refused = match connecting {
        Ok(Ok(connection)) => return connection.close().await,
        Ok(Err(error)) => error,
        Err(_) => {
            let said = format!("nothing answers within {}s", WRITE_PATIENCE.as_secs());
            sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, said))
        }
    };
    if let sqlx::Error::Database(cause) = &refused
        && cause.code().is_some_and(|code| FOR_THE_POOL.contains(&&*code))
    {
        return Ok(());
    }
    Err(refused)
}

/// No test of a connection before its use: that would be a second round trip for each read. Who meets a dead one
/// takes the next (`sql.rs`).
fn bounded<D: sqlx::Database>(options: PoolOptions<D>, size: u32) -> PoolOptions<D> {
    options.max_connections(size).acquire_timeout(WRITE_PATIENCE).test_before_acquire(false)
}

fn state<D: sqlx::Database>(name: &'static str, pool: &Pool<D>) -> PoolState {
    let idle = u32::try_from(pool.num_idle()).unwrap_or(u32::MAX);
    PoolState { name, used: pool.size().saturating_sub(idle), idle, most: pool.options().get_max_connections() }
}

/// The schema's text, which is written as SQLite reads it, for PostgreSQL.
pub(crate) fn schema_for_postgres(sql: &str) -> String {
    sql.replace("INTEGER PRIMARY KEY AUTOINCREMENT", "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY")
        .replace(" BLOB", " BYTEA")
        .replace(" WITHOUT ROWID", "")
}
