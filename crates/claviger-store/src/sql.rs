//! The shim under every query: one text, typed values, and rows read by name, on either engine.

use std::{fmt::Display, io, str::FromStr, time::Duration};

use claviger_token::{Limits, PermissionMask, PermissionSet};
use jiff::Timestamp;
use sqlx::{
    Column as _, PgPool, Pool, Postgres, Row as _, Sqlite, SqlitePool, pool::PoolConnection, postgres::PgRow,
    sqlite::SqliteRow,
};

use tracing::Span;

use crate::{
    dialect::{
        LOCK_FREE_ROWS, LOCK_ROW, ONE_BY_ONE_POSTGRES, ONE_BY_ONE_SQLITE, Pools, READ_PATIENCE, TRANSACTION_CAP,
    },
    error::StoreError,
    lent::Lent,
    writer::{Telling, Turn, settle},
};

/// The target of spans that are made for traces.
pub const TRACE_TARGET: &str = "claviger::trace";

/// A value with its column's type, also when it is null: PostgreSQL refuses an untyped null.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Text(Option<String>),
    Int(Option<i64>),
    Bytes(Option<Vec<u8>>),
}

macro_rules! value_from {
    ($($from:ty => |$v:ident| $to:expr;)*) => {
        $(impl From<$from> for Value { fn from($v: $from) -> Self { $to } })*
    };
}
value_from! {
    &str => |v| Self::Text(Some(v.to_owned()));
    String => |v| Self::Text(Some(v));
    Option<String> => |v| Self::Text(v);
    i64 => |v| Self::Int(Some(v));
    u32 => |v| Self::Int(Some(i64::from(v)));
    bool => |v| Self::Int(Some(i64::from(v)));
    Option<i64> => |v| Self::Int(v);
    Timestamp => |v| Self::Int(Some(v.as_millisecond()));
    Option<Timestamp> => |v| Self::Int(v.map(Timestamp::as_millisecond));
    &[u8] => |v| Self::Bytes(Some(v.to_vec()));
    [u8; 32] => |v| Self::Bytes(Some(v.to_vec()));
}

/// Anything that prints as it is stored: ids, names, slugs.
pub(crate) fn text(value: impl Display) -> Value {
    Value::Text(Some(value.to_string()))
}

/// The same, where there may be none.
pub(crate) fn text_or_null(value: Option<impl Display>) -> Value {
    Value::Text(value.map(|value| value.to_string()))
}

/// Limits, or null where there are none.
pub(crate) fn limits(limits: &Limits) -> Result<Value, StoreError> {
    let text = (!limits.is_empty()).then(|| serde_json::to_string(limits)).transpose();
    text.map(Value::Text).map_err(StoreError::damaged)
}

/// A statement and its values.
#[derive(Debug, Clone)]
pub(crate) struct Query {
    pub(crate) text: String,
    pub(crate) values: Vec<Value>,
}

/// A statement; `$1`, `$2`… are bound in order.
pub(crate) fn sql(text: &str) -> Query {
    Query { text: text.to_owned(), values: Vec::new() }
}

impl Query {
    pub(crate) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Appends literal text.
    pub(crate) fn and(mut self, text: &str) -> Self {
        self.text.push_str(text);
        self
    }

    /// Appends text in which `?` stands for `value`, which may appear more than once.
    pub(crate) fn and_bind(mut self, text: &str, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        let place = format!("${}", self.values.len());
        self.text.push_str(&text.replace('?', &place));
        self
    }

    /// The same, if there is a value; else nothing.
    pub(crate) fn and_if(self, text: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.and_bind(text, value),
            None => self,
        }
    }

    /// Appends `($n, $m, …)` with these values.
    pub(crate) fn and_list(mut self, values: impl IntoIterator<Item = Value>) -> Self {
        let start = self.values.len();
        self.values.extend(values);
        let places: Vec<String> = (start + 1..=self.values.len()).map(|place| format!("${place}")).collect();
        self.text.push_str(&format!("({})", places.join(", ")));
        self
    }

    /// Both in turn, as SQLite takes several statements at once. The values of the other follow those of this one.
    pub(crate) fn then(mut self, other: Self) -> Self {
        let mut pieces = other.text.split('$');
        self.text.push_str("; ");
        self.text.push_str(pieces.next().unwrap_or_default());
        for piece in pieces {
            let rest = piece.trim_start_matches(|character: char| character.is_ascii_digit());
            let place = piece[..piece.len() - rest.len()].parse::<usize>();
            let place = place.map_or_else(|_| String::new(), |place| (place + self.values.len()).to_string());
            self.text.push_str(&format!("${place}{rest}"));
        }
        self.values.extend(other.values);
        self
    }

    /// No stored text holds a NUL, and PostgreSQL refuses to look for one: such a question has no answer.
    fn asks_for_nul(&self) -> bool {
        self.values.iter().any(|value| matches!(value, Value::Text(Some(text)) if text.contains('\0')))
    }
}

/// Where a query runs.
pub(crate) enum Executor<'a> {
    /// Any connection; reads only.
    Pools(&'a Pools),
    /// The connection that is kept for following the change log; reads only.
    Follower(&'a Pools),
    /// A write transaction. `lock`: what is read stays as it is until the end.
    Transaction { transaction: &'a mut WriteTransaction, lock: bool },
}

/// A transaction that may write.
pub(crate) enum WriteTransaction {
    Sqlite(Turn),
    Postgres(Lent),
}

/// Binds and runs on whichever engine, with the driver's method of that name.
macro_rules! run {
    ($query:expr, $on:expr, $method:ident, $engine:ty) => {
        $crate::sql::run!($query, $on, $method, $engine, $crate::dialect::TRANSACTION_CAP)
    };
    ($query:expr, $on:expr, $method:ident, $engine:ty, $cap:expr) => {{
        let span = $crate::sql::statement(<$engine as sqlx::Database>::NAME, &$query.text);
        let mut prepared = sqlx::query::<$engine>(sqlx::AssertSqlSafe($query.text));
        for value in $query.values {
            prepared = match value {
                $crate::sql::Value::Text(value) => prepared.bind(value),
                $crate::sql::Value::Int(value) => prepared.bind(value),
                $crate::sql::Value::Bytes(value) => prepared.bind(value),
            };
        }
        tracing::Instrument::instrument($crate::sql::bounded_by($cap, prepared.$method($on)), span).await
    }};
}
pub(crate) use run;

/// The span of a statement that a request waits for, for whoever collects traces. The text has places, and no values.
pub(crate) fn statement(engine: &str, text: &str) -> Span {
    // Work beside the requests belongs to no trace.
    if Span::current().is_none() {
        return Span::none();
    }
    tracing::debug_span!(
        target: TRACE_TARGET,
        "query",
        otel.name = text.split_whitespace().next(),
        otel.kind = "client",
        db.system.name = engine.to_ascii_lowercase(),
        db.query.text = text,
    )
}

/// Tries again for as many connections as are idle, since all of them may be dead. Only for what may be done twice.
macro_rules! past_the_dead {
    ($pool:expr, $work:expr) => {{
        let mut idle = $pool.num_idle();
        loop {
            match $work {
                Err(error) if idle > 0 && was_dead(&error) => idle -= 1,
                done => break done,
            }
        }
    }};
}

/// A database that accepts and never answers is unavailable too.
pub(crate) async fn bounded<T>(work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    bounded_by(TRANSACTION_CAP, work).await
}

pub(crate) async fn bounded_by<T>(
    cap: Duration,
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    let late = || io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {cap:?}"));
    tokio::time::timeout(cap, work).await.unwrap_or_else(|_| Err(late().into()))
}

/// A connection to read with, or none soon.
async fn reader<D: sqlx::Database>(pool: &Pool<D>) -> Result<PoolConnection<D>, sqlx::Error> {
    tokio::time::timeout(READ_PATIENCE, pool.acquire()).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

async fn read_sqlite(pool: &SqlitePool, query: Query) -> Result<Vec<Row>, sqlx::Error> {
    let rows: Vec<SqliteRow> = run!(query, &mut *reader(pool).await?, fetch_all, Sqlite)?;
    Ok(rows.into_iter().map(Row::Sqlite).collect())
}

async fn read_postgres(pool: &PgPool, query: Query) -> Result<Vec<Row>, sqlx::Error> {
    let rows = past_the_dead!(pool, {
        let mut connection = Lent::from(reader(pool).await?);
        let done = run!(query.clone(), &mut *connection, fetch_all, Postgres);
        if matches!(done, Err(sqlx::Error::Io(_))) {
            connection.breaks();
        }
        done
    })?;
    Ok(rows.into_iter().map(Row::Postgres).collect())
}

/// Whether the connection was dead already, as those are that were idle while the server restarted.
fn was_dead(error: &sqlx::Error) -> bool {
    const ADMIN_SHUTDOWN: &str = "57P01";
    if let sqlx::Error::Io(cause) = error {
        return cause.kind() != io::ErrorKind::TimedOut;
    }
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    matches!(error, sqlx::Error::Protocol(_)) || code.is_some_and(|code| code == ADMIN_SHUTDOWN)
}

impl Executor<'_> {
    /// For what is read beside the rows that will be changed.
    pub(crate) fn unlocked(&mut self) -> Executor<'_> {
        match self {
            Self::Pools(pools) => Executor::Pools(pools),
            Self::Follower(pools) => Executor::Follower(pools),
            Self::Transaction { transaction, .. } => Executor::Transaction { transaction, lock: false },
        }
    }

    /// See [`ONE_BY_ONE_SQLITE`].
    pub(crate) fn one_by_one(&self) -> (&'static str, &'static str) {
        match self {
            Self::Pools(Pools::Sqlite { .. })
            | Self::Follower(Pools::Sqlite { .. })
            | Self::Transaction { transaction: WriteTransaction::Sqlite(_), .. } => ONE_BY_ONE_SQLITE,
            Self::Pools(Pools::Postgres { .. })
            | Self::Follower(Pools::Postgres { .. })
            | Self::Transaction { transaction: WriteTransaction::Postgres(_), .. } => ONE_BY_ONE_POSTGRES,
        }
    }

    pub(crate) async fn all(&mut self, query: Query) -> Result<Vec<Row>, StoreError> {
        if query.asks_for_nul() {
            return Ok(Vec::new());
        }
        Ok(match self {
            Self::Pools(pools) => {
                settle().await?;
                pools.note(match pools {
                    Pools::Sqlite { read, .. } => read_sqlite(read, query).await,
                    Pools::Postgres { pool, .. } => read_postgres(pool, query).await,
                })?
            }
            Self::Follower(pools) => pools.note(match pools {
                Pools::Sqlite { follow, .. } => read_sqlite(follow, query).await,
                Pools::Postgres { follow, .. } => read_postgres(follow, query).await,
            })?,
            Self::Transaction { transaction, lock } => match transaction {
                WriteTransaction::Sqlite(turn) => turn.all(query).await?.into_iter().map(Row::Sqlite).collect(),
                WriteTransaction::Postgres(tx) => {
                    let query = if *lock { query.and(LOCK_ROW) } else { query };
                    run!(query, &mut **tx, fetch_all, Postgres)?.into_iter().map(Row::Postgres).collect()
                }
            },
        })
    }

    pub(crate) async fn optional(&mut self, query: Query) -> Result<Option<Row>, StoreError> {
        Ok(self.all(query).await?.pop())
    }

    pub(crate) async fn one(&mut self, query: Query) -> Result<Row, StoreError> {
        self.optional(query).await?.ok_or(StoreError::Unavailable(sqlx::Error::RowNotFound))
    }
}

impl WriteTransaction {
    pub(crate) async fn begin(pools: &Pools) -> Result<Self, StoreError> {
        Self::begin_beside(pools, false).await
    }

    /// For what may take long: on SQLite nobody's work waits for its end, or is lost with it.
    pub(crate) async fn begin_alone(pools: &Pools) -> Result<Self, StoreError> {
        Self::begin_beside(pools, true).await
    }

    async fn begin_beside(pools: &Pools, alone: bool) -> Result<Self, StoreError> {
        Ok(match pools {
            Pools::Sqlite { write, .. } => Self::Sqlite(pools.note(write.begin(alone).await)?),
            Pools::Postgres { pool, .. } => {
                Self::Postgres(pools.note(past_the_dead!(pool, bounded(Lent::begin(pool)).await))?)
            }
        })
    }

    pub(crate) fn read(&mut self) -> Executor<'_> {
        Executor::Transaction { transaction: self, lock: false }
    }

    /// Reads rows that will be changed, but for those that somebody else holds: nobody is waited for.
    pub(crate) async fn free_rows(&mut self, query: Query) -> Result<Vec<Row>, StoreError> {
        let query = match self {
            Self::Sqlite(_) => query,
            Self::Postgres(_) => query.and(LOCK_FREE_ROWS),
        };
        self.read().all(query).await
    }

    /// Takes a lock that only PostgreSQL has, until the end, if nobody holds it.
    pub(crate) async fn try_lock(&mut self, statement: &'static str) -> Result<bool, StoreError> {
        match self {
            Self::Sqlite(_) => Ok(true),
            Self::Postgres(_) => Ok(self.read().one(sql(statement)).await?.int("locked")? != 0),
        }
    }

    /// Waits for such a lock.
    pub(crate) async fn lock(&mut self, statement: &'static str) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(_) => self.execute(sql(statement)).await.map(drop),
        }
    }

    /// Runs a statement that gives no rows. On SQLite it goes along with the next one, or with the end, and fails there.
    pub(crate) async fn later(&mut self, query: Query) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(turn) => turn.later(query),
            Self::Postgres(tx) => run!(query, &mut **tx, execute, Postgres).map(drop)?,
        }
        Ok(())
    }

    /// Runs what would go along with the next statement, so that it fails here.
    pub(crate) async fn catch_up(&mut self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(turn) => turn.catch_up().await,
            Self::Postgres(_) => Ok(()),
        }
    }

    /// Runs a statement and tells how many rows it changed.
    pub(crate) async fn execute(&mut self, query: Query) -> Result<u64, StoreError> {
        Ok(match self {
            Self::Sqlite(turn) => turn.execute(query).await?,
            Self::Postgres(tx) => run!(query, &mut **tx, execute, Postgres)?.rows_affected(),
        })
    }

    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        self.commit_telling(None).await
    }

    /// Commits, and then names what it touched, before anybody is answered.
    pub(crate) async fn commit_telling(self, telling: Option<Telling>) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(turn) => turn.commit(telling).await?,
            Self::Postgres(tx) => {
                let done = tx.commit().await;
                // Also after an error: whether the commit arrived is then unknown, and forgetting harms nothing.
                telling.iter().for_each(Telling::tell);
                done?;
            }
        }
        Ok(())
    }
}

/// A row, read by column name.
pub(crate) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

macro_rules! column {
    ($self:expr, $name:expr, $kind:ty) => {
        match $self {
            Row::Sqlite(row) => row.try_get::<$kind, _>($name),
            Row::Postgres(row) => row.try_get::<$kind, _>($name),
        }
        .map_err(|error| StoreError::damaged(format!("column {}: {error}", $name)))
    };
}

impl Row {
    pub(crate) fn text(&self, name: &str) -> Result<String, StoreError> {
        column!(self, name, String)
    }

    pub(crate) fn text_or_null(&self, name: &str) -> Result<Option<String>, StoreError> {
        column!(self, name, Option<String>)
    }

    pub(crate) fn int(&self, name: &str) -> Result<i64, StoreError> {
        column!(self, name, i64)
    }

    pub(crate) fn count(&self, name: &str) -> Result<u32, StoreError> {
        u32::try_from(self.int(name)?).map_err(StoreError::damaged)
    }

    pub(crate) fn flag(&self, name: &str) -> Result<bool, StoreError> {
        Ok(self.int(name)? != 0)
    }

    pub(crate) fn int_or_null(&self, name: &str) -> Result<Option<i64>, StoreError> {
        column!(self, name, Option<i64>)
    }

    pub(crate) fn bytes(&self, name: &str) -> Result<Vec<u8>, StoreError> {
        column!(self, name, Vec<u8>)
    }

    pub(crate) fn bytes_or_null(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        column!(self, name, Option<Vec<u8>>)
    }

    pub(crate) fn hash(&self, name: &str) -> Result<[u8; 32], StoreError> {
        self.bytes(name)?.try_into().map_err(|_| StoreError::damaged(format!("column {name}: not 32 bytes")))
    }

    pub(crate) fn time(&self, name: &str) -> Result<Timestamp, StoreError> {
        Timestamp::from_millisecond(self.int(name)?).map_err(StoreError::damaged)
    }

    pub(crate) fn time_or_null(&self, name: &str) -> Result<Option<Timestamp>, StoreError> {
        self.int_or_null(name)?.map(Timestamp::from_millisecond).transpose().map_err(StoreError::damaged)
    }

    /// A column whose type reads itself from text.
    pub(crate) fn parse<T: FromStr<Err: Display>>(&self, name: &str) -> Result<T, StoreError> {
        self.text(name)?.parse().map_err(|error| StoreError::damaged(format!("column {name}: {error}")))
    }

    pub(crate) fn parse_or_null<T: FromStr<Err: Display>>(&self, name: &str) -> Result<Option<T>, StoreError> {
        let parse = |text: String| text.parse().map_err(|error| StoreError::damaged(format!("column {name}: {error}")));
        self.text_or_null(name)?.map(parse).transpose()
    }

    pub(crate) fn permissions(&self, name: &str) -> Result<PermissionSet, StoreError> {
        PermissionSet::from_text(&self.text(name)?).map_err(StoreError::damaged)
    }

    pub(crate) fn mask(&self, name: &str) -> Result<PermissionMask, StoreError> {
        PermissionMask::from_text(&self.text(name)?).map_err(StoreError::damaged)
    }

    pub(crate) fn mask_or_null(&self, name: &str) -> Result<Option<PermissionMask>, StoreError> {
        let text = self.text_or_null(name)?;
        text.map(|text| PermissionMask::from_text(&text)).transpose().map_err(StoreError::damaged)
    }

    pub(crate) fn limits(&self, name: &str) -> Result<Limits, StoreError> {
        let Some(text) = self.text_or_null(name)? else { return Ok(Limits::default()) };
        serde_json::from_str(&text).map_err(StoreError::damaged)
    }

    /// The names of the columns, for whoever dumps a table.
    pub(crate) fn columns(&self) -> Vec<String> {
        match self {
            Self::Sqlite(row) => row.columns().iter().map(|column| column.name().to_owned()).collect(),
            Self::Postgres(row) => row.columns().iter().map(|column| column.name().to_owned()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{future::pending, time::Duration};

    use tokio::time::timeout;

    use super::*;

    #[test]
    fn of_two_statements_in_one_text_each_has_its_own_values() {
        let one = sql("UPDATE a SET b = $2 WHERE c = $1").bind("c").bind(7_i64);
        let both = one.then(sql("INSERT INTO d VALUES ($1, $12)").bind("e").bind("f"));
        assert_eq!(both.text, "UPDATE a SET b = $2 WHERE c = $1; INSERT INTO d VALUES ($3, $14)");
        assert_eq!(both.values.len(), 4);
    }

    #[tokio::test]
    async fn a_silent_database_is_not_told_as_a_pool_without_connections() {
        let silent = bounded(pending::<Result<(), _>>()).await;
        assert_eq!(silent.unwrap_err().to_string(), "error communicating with database: no answer within 5s");
    }

    #[tokio::test]
    async fn who_waits_for_a_reader_is_told_soon_that_there_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let pools = Pools::open(&format!("sqlite://{}", directory.path().join("x.db").display())).await.unwrap();
        let Pools::Sqlite { read, .. } = &pools else { panic!("not SQLite") };
        let mut taken = Vec::new();
        for _ in 0..read.options().get_max_connections() {
            taken.push(read.acquire().await.unwrap());
        }
        let ask = async || Executor::Pools(&pools).all(sql("SELECT 1")).await;
        let refused = timeout(READ_PATIENCE + Duration::from_millis(500), ask()).await;
        assert!(matches!(refused, Ok(Err(StoreError::Unavailable(sqlx::Error::PoolTimedOut)))));
        drop(taken);
        ask().await.unwrap();
        assert_eq!(pools.timeouts(), 1);
    }
}
