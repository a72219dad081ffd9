//! Millions of keys straight into a database: copies of one key that the service made, each with a token of its own.
//!
//! What a key's rows hold is the service's affair: this room names only what differs between two keys.

use std::{ffi::OsStr, fmt::Write as _, future::Future, path::Path};

use claviger_core::MasterKey;
use claviger_server::Keys;
use claviger_store::Database;
use claviger_token::{ApiKeyId, TypedId as _};
use jiff::{SignedDuration, Timestamp};
use rand::{SeedableRng as _, rngs::StdRng};
use sqlx::{
    AssertSqlSafe, Connection as _, Executor as _,
    postgres::PgConnection,
    sqlite::{SqliteConnectOptions, SqliteConnection},
};

use crate::{Result, process, tokens};

/// Keys in one statement.
const CHUNK: usize = 10_000;

/// A table in which every key has a row.
struct Table {
    name: &'static str,
    /// The column with the id of the key.
    owner: &'static str,
    /// The columns that differ between two keys, and what to take for them of the table `fresh`.
    own: &'static [(&'static str, &'static str)],
    /// So that rows come in the order of the primary key. The ids rise as they are made.
    order: &'static str,
}

const TABLES: [Table; 2] = [
    Table { name: "credential", owner: "id", own: &[("id", "id")], order: "" },
    Table {
        name: "secret",
        owner: "credential",
        own: &[("digest", "digest"), ("credential", "id"), ("hint", "hint")],
        order: "ORDER BY fresh.digest",
    },
];

/// A connection to either database, past the store.
pub(crate) enum Direct {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// Copies the key with the id `key` this many times; the copies have the tokens from 0.
pub(crate) fn load(database: &str, master_key: &str, key: &str, keys: usize) -> Result<()> {
    let began = process::now();
    let step = |what: &str| println!("   {:>5.1} s  {what}", began.elapsed().as_secs_f32());
    step(&format!("loading {keys} keys"));
    block_on(async {
        let opened = Database::open(database).await?;
        let master = MasterKey::parse(master_key).ok_or("no master key")?;
        let peppers = Keys::open(&opened, &master, wall_clock(), &mut StdRng::seed_from_u64(0)).await?.peppers;
        opened.close().await;

        let mut direct = Direct::open(database).await?;
        direct.prepare().await?;
        direct.run("CREATE TEMP TABLE fresh (id TEXT NOT NULL, digest BLOB NOT NULL, hint TEXT NOT NULL)").await?;
        // One key a millisecond, the last one now: ids rise as they would have.
        let first = wall_clock() - SignedDuration::from_millis(i64::try_from(keys)?);
        let mut rng = StdRng::seed_from_u64(0);
        for start in (0..keys).step_by(CHUNK) {
            let mut rows = String::from("[");
            for number in start..keys.min(start + CHUNK) {
                let token = tokens::nth(number);
                let id = ApiKeyId::generate(first + SignedDuration::from_millis(i64::try_from(number)?), &mut rng);
                write!(rows, "{}[\"{id}\",\"", if number == start { "" } else { "," })?;
                for byte in peppers.digest(&token.hash()).bytes {
                    write!(rows, "{byte:02x}")?;
                }
                write!(rows, "\",\"{}\"]", token.hint())?;
            }
            direct.keep(rows + "]").await?;
            let (before, after) = (start * 10 / keys, (start + CHUNK) * 10 / keys);
            if after > before && keys > CHUNK {
                step(&format!("{} % made", after.min(10) * 10));
            }
        }
        direct.copy(key, step).await?;
        step("done");
        Ok(())
    })
}

impl Direct {
    pub(crate) async fn open(url: &str) -> Result<Self> {
        if url.starts_with("postgres") {
            return Ok(Self::Postgres(PgConnection::connect(url).await?));
        }
        let options: SqliteConnectOptions = url.parse()?;
        // Every copy refers to what its template refers to.
        Ok(Self::Sqlite(SqliteConnection::connect_with(&options.foreign_keys(false)).await?))
    }

    /// Nothing of this need survive a crash.
    pub(crate) async fn prepare(&mut self) -> Result<()> {
        match self {
            Self::Sqlite(_) => {
                let pragmas = "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -400000;
                               PRAGMA threads = 2";
                self.run(pragmas).await
            }
            Self::Postgres(_) => {
                self.run("SET session_replication_role = replica; SET maintenance_work_mem = '256MB'").await
            }
        }
    }

    /// Rows of `fresh`, as JSON: id, digest in hexadecimal, hint.
    async fn keep(&mut self, rows: String) -> Result<()> {
        match self {
            Self::Sqlite(connection) => {
                let insert = "INSERT INTO fresh SELECT value ->> 0, unhex(value ->> 1), value ->> 2 FROM json_each(?)";
                sqlx::query(insert).bind(rows).execute(connection).await?;
            }
            Self::Postgres(connection) => {
                let insert = "INSERT INTO fresh SELECT r ->> 0, decode(r ->> 1, 'hex'), r ->> 2
                              FROM json_array_elements($1::json) AS r";
                sqlx::query(insert).bind(rows).execute(connection).await?;
            }
        }
        Ok(())
    }

    /// From `fresh` into the tables, in the order of their primary keys, with the other indexes away meanwhile.
    async fn copy(&mut self, key: &str, step: impl Fn(&str)) -> Result<()> {
        for Table { name: table, owner, own, order } in TABLES {
            let indexes = self.indexes(table).await?;
            for (name, _) in &indexes {
                self.run(&format!("DROP INDEX {name}")).await?;
            }
            let columns = self.columns(table).await?;
            let value = |column: &String| match own.iter().find(|(name, _)| name == column) {
                Some((_, fresh)) => format!("fresh.{fresh}"),
                None => format!("template.{column}"),
            };
            let values: Vec<String> = columns.iter().map(value).collect();
            self.run(&format!("CREATE TEMP TABLE template AS SELECT * FROM {table} WHERE {owner} = '{key}'")).await?;
            self.run(&format!(
                "INSERT INTO {table} ({}) SELECT {} FROM fresh CROSS JOIN template {order}",
                columns.join(", "),
                values.join(", ")
            ))
            .await?;
            self.run("DROP TABLE template").await?;
            step(&format!("{table}: rows"));
            for (_, definition) in indexes {
                self.run(&definition).await?;
            }
            step(&format!("{table}: indexes"));
        }
        self.finish().await
    }

    /// As the service wants to find it.
    pub(crate) async fn finish(&mut self) -> Result<()> {
        match self {
            Self::Sqlite(_) => self.run("PRAGMA journal_mode = WAL").await,
            Self::Postgres(_) => self.run("VACUUM ANALYZE").await,
        }
    }

    /// The indexes that can be made again: their names, and the statements that make them.
    pub(crate) async fn indexes(&mut self, table: &str) -> Result<Vec<(String, String)>> {
        Ok(match self {
            Self::Sqlite(connection) => {
                let query =
                    "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL";
                sqlx::query_as(query).bind(table).fetch_all(connection).await?
            }
            Self::Postgres(connection) => {
                let query = "SELECT indexname::text, indexdef FROM pg_indexes WHERE tablename = $1
                             AND indexname NOT IN (SELECT conname FROM pg_constraint)";
                sqlx::query_as(query).bind(table).fetch_all(connection).await?
            }
        })
    }

    async fn columns(&mut self, table: &str) -> Result<Vec<String>> {
        Ok(match self {
            Self::Sqlite(connection) => {
                sqlx::query_scalar("SELECT name FROM pragma_table_info(?)").bind(table).fetch_all(connection).await?
            }
            Self::Postgres(connection) => {
                let query = "SELECT column_name::text FROM information_schema.columns WHERE table_name = $1";
                sqlx::query_scalar(query).bind(table).fetch_all(connection).await?
            }
        })
    }

    pub(crate) async fn run(&mut self, statement: &str) -> Result<()> {
        match self {
            Self::Sqlite(connection) => connection.execute(AssertSqlSafe(statement)).await.map(drop)?,
            Self::Postgres(connection) => {
                connection.execute(AssertSqlSafe(statement.replace(" BLOB", " BYTEA"))).await.map(drop)?;
            }
        }
        Ok(())
    }
}

/// One more database of this server, for the instance in this directory; its statements are counted. What `url` names is only
/// the way in.
pub(crate) fn new_database(url: &str, directory: &Path) -> Result<String> {
    let instance = directory.file_name().and_then(OsStr::to_str).ok_or("a directory without a name")?;
    let name = format!("claviger_bench_{}_{instance}", std::process::id());
    let (server, _) = url.rsplit_once('/').ok_or("a PostgreSQL URL ends in the name of a database")?;
    let new = format!("{server}/{name}");
    block_on(async {
        let mut connection = PgConnection::connect(url).await?;
        connection.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await?;
        PgConnection::connect(&new).await?.execute("CREATE EXTENSION pg_stat_statements").await?;
        Ok(())
    })?;
    Ok(new)
}

/// How many reads and how many statements in all were run in this database since it was last asked.
pub(crate) fn statements(url: &str) -> Result<(i64, i64)> {
    block_on(async {
        let mut connection = PgConnection::connect(url).await?;
        let query = "SELECT COALESCE(SUM(calls) FILTER (WHERE query LIKE 'SELECT%'), 0)::bigint,
                       COALESCE(SUM(calls), 0)::bigint
                     FROM pg_stat_statements
                     WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())";
        let calls = sqlx::query_as(query).fetch_one(&mut connection).await?;
        connection.execute("SELECT pg_stat_statements_reset()").await?;
        Ok(calls)
    })
}

/// The process that starts every other process of this PostgreSQL.
pub(crate) fn postmaster(url: &str) -> Result<i32> {
    block_on(async {
        let mut connection = PgConnection::connect(url).await?;
        let backend: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut connection).await?;
        let stat = std::fs::read_to_string(format!("/proc/{backend}/stat"))?;
        let fields = stat.rsplit_once(") ").map(|(_, fields)| fields).ok_or("no name in /proc/stat")?;
        Ok(fields.split(' ').nth(1).ok_or("no parent in /proc/stat")?.parse()?)
    })
}

pub(crate) fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

#[expect(clippy::disallowed_methods, reason = "keys are made and used at a time")]
pub(crate) fn wall_clock() -> Timestamp {
    Timestamp::now()
}
