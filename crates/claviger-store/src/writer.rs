//! SQLite's one writer. Who waits for it shares the commit of whoever wrote before, for a durable commit is what takes longest.
//!
//! Whoever has the turn writes inside of the one open transaction, in a savepoint of its own, and hands the turn on without a
//! commit. The commit waits for the turn like everybody else: who waited before it is in it, and with nobody there it comes at
//! once. Nobody is answered and no cache is told before it is durable; if it fails, it fails for all who are in it. Whatever ends a
//! turn or the transaction runs in a task of its own, so that nobody who goes away leaves it half done.
//! The room must not know what is written.

use std::{
    cell::RefCell,
    io, mem,
    sync::Arc,
    time::{Duration, Instant},
};

use claviger_core::Touched;
use sqlx::{
    ConnectOptions as _, Connection as _, Sqlite, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteQueryResult, SqliteRow},
};
use tokio::{
    runtime::Handle,
    sync::{Mutex, OwnedMutexGuard, watch},
    task::AbortHandle,
    time::timeout,
};
use tracing::Instrument as _;

use crate::{
    changes::Changes,
    dialect::{TRANSACTION_CAP, WRITE_PATIENCE},
    error::StoreError,
    sql::{Query, bounded, bounded_by, run, sql},
    tx::monotonic,
};

/// How many share a commit, at most.
const MOST: usize = 64;

/// For how long others may join the first who waits for the commit.
const JOINING: Duration = Duration::from_millis(5);

/// How long a commit may take, and what takes a turn back: longer than a statement before it, and as long as the change feed waits for a
/// late one.
const ENDING_CAP: Duration = TRANSACTION_CAP.saturating_mul(2);

const COMMIT: &str = "COMMIT";
/// Only of what is open by then, so that it can hit nobody else's work: whoever succeeds releases.
const UNDO: &str = "ROLLBACK TO one; RELEASE one";
const UNDO_ALL: &str = "ROLLBACK";

/// What became of a group: nothing yet, or the same for all who are in it.
type Done = Option<Result<(), Arc<sqlx::Error>>>;

tokio::task_local! {
    /// What becomes of others of whom this request has read something before it was durable.
    static UNSETTLED: RefCell<Vec<watch::Receiver<Done>>>;
}

/// Does the work of a request. Whoever is refused because of what another one wrote says so only when that is durable, and an outage
/// is what both say otherwise.
pub async fn settled<T>(work: impl Future<Output = T>) -> Result<T, StoreError> {
    let work = async {
        let done = work.await;
        settle().await.map(|()| done).map_err(StoreError::Unavailable)
    };
    UNSETTLED.scope(RefCell::default(), work).await
}

/// Waits until what this request has seen can be seen by everybody. To be done before a place in a queue is taken in which others wait too.
pub(crate) async fn settle() -> Result<(), sqlx::Error> {
    // They stay noted: whoever asks again, after a failure or having gone away, is told the same.
    for outcome in UNSETTLED.try_with(|unsettled| unsettled.borrow().clone()).unwrap_or_default() {
        durable(outcome).await?;
    }
    Ok(())
}

/// Work for several at once, each of whom has settled: it waits for nobody.
pub(crate) async fn for_all<T>(work: impl Future<Output = T>) -> T {
    UNSETTLED.scope(RefCell::default(), work).await
}

/// Outside of a request nobody is told of what was read.
fn note(outcome: Option<watch::Receiver<Done>>) {
    let _ = UNSETTLED.try_with(|unsettled| unsettled.borrow_mut().extend(outcome));
}

/// Whoever ends a group bounds how long that takes. One that nobody can end any more is a failure too.
async fn durable(mut outcome: watch::Receiver<Done>) -> Result<(), sqlx::Error> {
    match outcome.wait_for(Option::is_some).await.as_deref() {
        Ok(Some(Err(error))) => Err(io::Error::other(Arc::clone(error)).into()),
        Ok(_) => Ok(()),
        Err(_) => Err(sqlx::Error::WorkerCrashed),
    }
}

/// What is named to caches once it is durable.
#[derive(Debug)]
pub(crate) struct Telling {
    pub(crate) changes: Arc<Changes>,
    pub(crate) touched: Vec<Touched>,
}

impl Telling {
    pub(crate) fn tell(&self) {
        self.changes.name(&self.touched, monotonic());
    }
}

/// The connection that writes, and the queue of those who wait for it.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    options: Arc<SqliteConnectOptions>,
    group: Arc<Mutex<Group>>,
}

/// Those who share the open transaction. Whoever holds it has the turn.
#[derive(Debug)]
struct Group {
    /// `None` after a failure, until the next turn, and while it is ended.
    connection: Option<SqliteConnection>,
    outcome: watch::Sender<Done>,
    /// How many are in it: who wrote, and who was refused after them.
    count: usize,
    /// When the first came.
    since: Instant,
    tellings: Vec<Telling>,
    /// A turn began to write, and has neither been released nor taken back.
    is_dirty: bool,
    /// Who waits for the turn in order to commit.
    committer: Option<AbortHandle>,
    is_closed: bool,
}

/// The turn. Dropped without [`Turn::commit`], nothing happened in it.
pub(crate) struct Turn {
    /// `None` once it was handed on.
    group: Option<OwnedMutexGuard<Group>>,
    began: Instant,
    /// What goes along with the next statement, which saves the way to the driver's thread and back.
    along: Option<Query>,
    /// As with PostgreSQL, nothing is done after a failure: SQLite may have taken back everything by itself, and would keep what follows.
    has_failed: bool,
}

impl Writer {
    pub(crate) async fn open(options: SqliteConnectOptions) -> Result<Self, sqlx::Error> {
        let group = Group {
            connection: Some(for_turns(&options).await?),
            outcome: watch::Sender::new(None),
            count: 0,
            since: monotonic(),
            tellings: Vec::new(),
            is_dirty: false,
            committer: None,
            is_closed: false,
        };
        Ok(Self { options: Arc::new(options), group: Arc::new(Mutex::new(group)) })
    }

    /// A connection by itself, for what is no part of a group. No statement that takes long is a line of the log, whole as it is:
    /// of a migration, it would be all of it.
    pub(crate) async fn connect(&self) -> Result<SqliteConnection, sqlx::Error> {
        SqliteConnectOptions::clone(&self.options).disable_statement_logging().connect().await
    }

    /// Waits for the turn. What is read in it may be what others wrote who wait for the commit; `alone`: they are committed before.
    pub(crate) async fn begin(&self, alone: bool) -> Result<Turn, sqlx::Error> {
        settle().await?;
        let turn = timeout(WRITE_PATIENCE, Arc::clone(&self.group).lock_owned()).await;
        let mut group = turn.map_err(|_| sqlx::Error::PoolTimedOut)?;
        if group.count > 0 && (alone || group.connection.is_none()) {
            let commit = async move {
                group.commit().await;
                group
            };
            group = tokio::spawn(commit).await.map_err(|_| sqlx::Error::WorkerCrashed)?;
        } else if group.is_dirty {
            let tidy = async move {
                group.take_back().await;
                group
            };
            group = tokio::spawn(tidy).await.map_err(|_| sqlx::Error::WorkerCrashed)?;
        }
        if group.is_closed {
            return Err(sqlx::Error::PoolClosed);
        }
        if group.connection.is_none() {
            group.connection = Some(bounded(for_turns(&self.options)).await?);
        }
        let begin = if group.count == 0 { "BEGIN IMMEDIATE; SAVEPOINT one" } else { "SAVEPOINT one" };
        Ok(Turn { group: Some(group), began: monotonic(), along: Some(sql(begin)), has_failed: false })
    }

    pub(crate) fn is_taken(&self) -> bool {
        self.group.try_lock().is_err()
    }

    /// Closes the connection after what runs has ended.
    pub(crate) async fn close(&self) {
        let mut group = self.group.lock().await;
        group.commit().await;
        group.is_closed = true;
        if let Some(connection) = group.connection.take() {
            drop(connection.close().await);
        }
    }
}

/// What savepoints keep for taking back stays in memory, for there may be no place for temporary files.
async fn for_turns(options: &SqliteConnectOptions) -> Result<SqliteConnection, sqlx::Error> {
    options.clone().pragma("temp_store", "memory").connect().await
}

impl Turn {
    /// The connection, and how long a statement may take, for the turn ends with its cap.
    fn ready(&mut self) -> Result<(&mut SqliteConnection, Duration), StoreError> {
        let left = TRANSACTION_CAP.saturating_sub(self.began.elapsed());
        if left.is_zero() {
            return Err(StoreError::TooSlow);
        }
        if self.has_failed {
            return Err(sqlx::Error::Protocol("a statement of the transaction failed before".to_owned()).into());
        }
        let group = self.group.as_deref_mut().ok_or(sqlx::Error::WorkerCrashed)?;
        let connection = group.connection.as_mut().ok_or(sqlx::Error::WorkerCrashed)?;
        // Whatever becomes of the statement, and of whoever waits for it.
        group.is_dirty = true;
        Ok((connection, left))
    }

    fn noted<T>(&mut self, done: Result<T, sqlx::Error>) -> Result<T, StoreError> {
        self.has_failed |= done.is_err();
        Ok(done?)
    }

    /// Lets a statement that gives no rows go along with the next, or with the end.
    pub(crate) fn later(&mut self, query: Query) {
        debug_assert!(!query.text.contains("RETURNING") && !query.text.starts_with("SELECT"), "{}", query.text);
        self.along = Some(match self.along.take() {
            Some(along) => along.then(query),
            None => query,
        });
    }

    /// Runs a statement, with what goes along with it, for its rows.
    pub(crate) async fn all(&mut self, query: Query) -> Result<Vec<SqliteRow>, StoreError> {
        let query = match self.along.take() {
            Some(along) => along.then(query),
            None => query,
        };
        let (connection, left) = self.ready()?;
        let done = run!(query, connection, fetch_all, Sqlite, left);
        self.noted(done)
    }

    /// Runs a statement, by itself: what goes along would count too. Tells how many rows it changed.
    pub(crate) async fn execute(&mut self, query: Query) -> Result<u64, StoreError> {
        self.catch_up().await?;
        let (connection, left) = self.ready()?;
        let done: Result<SqliteQueryResult, _> = run!(query, connection, execute, Sqlite, left);
        self.noted(done).map(|done| done.rows_affected())
    }

    /// Runs what would go along with the next statement.
    pub(crate) async fn catch_up(&mut self) -> Result<(), StoreError> {
        let Some(along) = self.along.take() else { return Ok(()) };
        let (connection, left) = self.ready()?;
        let done: Result<SqliteQueryResult, _> = run!(along, connection, execute, Sqlite, left);
        self.noted(done).map(drop)
    }

    /// Hands the turn on, and waits for the commit. From here on it happens, whether or not anybody waits.
    pub(crate) async fn commit(self, telling: Option<Telling>) -> Result<(), StoreError> {
        let seen = self.group.as_ref().and_then(|group| group.seen());
        match tokio::spawn(self.hand_on(telling).in_current_span()).await {
            Ok(Ok(outcome)) => Ok(durable(outcome).await?),
            Ok(Err(error)) => {
                note(seen);
                Err(error)
            }
            Err(_) => Err(sqlx::Error::WorkerCrashed.into()),
        }
    }

    async fn hand_on(mut self, telling: Option<Telling>) -> Result<watch::Receiver<Done>, StoreError> {
        self.later(sql("RELEASE one"));
        self.catch_up().await?;
        let mut group = self.group.take().ok_or(sqlx::Error::WorkerCrashed)?;
        group.is_dirty = false;
        group.tellings.extend(telling);
        group.join();
        let outcome = group.outcome.subscribe();
        if group.is_full() {
            group.commit().await;
        } else if group.committer.as_ref().is_none_or(AbortHandle::is_finished) {
            let turn = Arc::clone(OwnedMutexGuard::mutex(&group));
            let committer = tokio::spawn(async move {
                let mut group = turn.lock().await;
                group.committer = None;
                group.commit().await;
            });
            group.committer = Some(committer.abort_handle());
        }
        Ok(outcome)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Some(mut group) = self.group.take().filter(|group| group.is_dirty) else { return };
        if group.count > 0 {
            note(group.seen());
            group.join();
        }
        // If nobody runs it any more, whoever comes next takes it back.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                group.take_back().await;
                if group.is_full() {
                    group.commit().await;
                }
            });
        }
    }
}

impl Group {
    /// What becomes of those whose work can be seen in this turn, if there are any.
    fn seen(&self) -> Option<watch::Receiver<Done>> {
        (self.count > 0).then(|| self.outcome.subscribe())
    }

    fn join(&mut self) {
        if self.count == 0 {
            self.since = monotonic();
        }
        self.count += 1;
    }

    fn is_full(&self) -> bool {
        self.count >= MOST || (self.count > 0 && self.since.elapsed() >= JOINING)
    }

    /// Commits what is released, and nothing if somebody else did so.
    async fn commit(&mut self) {
        if self.is_dirty {
            self.take_back().await;
        }
        if self.count > 0 {
            let done = self.run(COMMIT).await;
            self.end(done);
        }
    }

    /// Takes back what was written in a turn, and leaves the rest. An error of SQLite may have taken back everything: then there is no
    /// savepoint, and that is an outage for all whose work went with it.
    async fn take_back(&mut self) {
        match self.run(if self.count > 0 { UNDO } else { UNDO_ALL }).await {
            Ok(()) => self.is_dirty = false,
            Err(error) => self.end(Err(error)),
        }
    }

    /// If nobody waits for it any more, the connection goes too: what has become of it is not known.
    async fn run(&mut self, statement: &'static str) -> Result<(), sqlx::Error> {
        let mut connection = self.connection.take().ok_or(sqlx::Error::WorkerCrashed)?;
        bounded_by(ENDING_CAP, sqlx::query(statement).execute(&mut connection)).await?;
        self.connection = Some(connection);
        Ok(())
    }

    fn end(&mut self, done: Result<(), sqlx::Error>) {
        if done.is_err() {
            // Whatever is still open on it is rolled back.
            self.connection = None;
        }
        self.is_dirty = false;
        self.count = 0;
        // Also after an error: whether the commit arrived is then unknown, and forgetting harms nothing. All before anybody is answered.
        for telling in mem::take(&mut self.tellings) {
            telling.tell();
        }
        let outcome = mem::replace(&mut self.outcome, watch::Sender::new(None));
        outcome.send_replace(Some(done.map_err(Arc::new)));
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;
    use tokio::runtime::Runtime;

    use super::*;

    fn runtime() -> Runtime {
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
    }

    async fn fresh() -> (TempDir, Writer) {
        let directory = tempfile::tempdir().unwrap();
        let options = SqliteConnectOptions::new().filename(directory.path().join("x.db")).create_if_missing(true);
        let writer = Writer::open(options).await.unwrap();
        let mut turn = writer.begin(false).await.unwrap();
        turn.execute(sql("CREATE TABLE t (x INTEGER)")).await.unwrap();
        turn.commit(None).await.unwrap();
        (directory, writer)
    }

    async fn with_row(writer: &Writer) -> Turn {
        let mut turn = writer.begin(false).await.unwrap();
        assert_eq!(turn.execute(sql("INSERT INTO t VALUES (1)")).await.unwrap(), 1);
        turn
    }

    async fn rows(writer: &Writer) -> i64 {
        let mut connection = writer.connect().await.unwrap();
        sqlx::query_scalar("SELECT COUNT(*) FROM t").fetch_one(&mut connection).await.unwrap()
    }

    /// One has written and waits for the commit, while another one has the turn.
    async fn one_waits(writer: &Writer) -> (tokio::task::JoinHandle<Result<(), StoreError>>, Turn) {
        let first = with_row(writer).await;
        let next = tokio::spawn({
            let writer = writer.clone();
            async move { writer.begin(false).await.unwrap() }
        });
        tokio::time::sleep(Duration::from_millis(50)).await;
        let first = tokio::spawn(first.commit(None));
        (first, next.await.unwrap())
    }

    #[tokio::test]
    async fn who_waits_for_the_commit_leaves_no_savepoint_that_another_could_hit() {
        let (_directory, writer) = fresh().await;
        let (first, mut turn) = one_waits(&writer).await;
        let connection = turn.group.as_mut().unwrap().connection.as_mut().unwrap();
        let hit = sqlx::query("ROLLBACK TO one").execute(connection).await;
        assert!(hit.unwrap_err().to_string().contains("no such savepoint"));
        drop(turn);
        first.await.unwrap().unwrap();
        assert_eq!(rows(&writer).await, 1);
    }

    #[tokio::test]
    async fn what_cannot_be_taken_back_by_itself_is_lost_for_all() {
        let (_directory, writer) = fresh().await;
        let (first, mut turn) = one_waits(&writer).await;
        turn.execute(sql("INSERT INTO t VALUES (2)")).await.unwrap();
        let connection = turn.group.as_mut().unwrap().connection.as_mut().unwrap();
        sqlx::query("RELEASE one").execute(connection).await.unwrap();
        drop(turn);
        assert!(matches!(first.await.unwrap(), Err(StoreError::Unavailable(_))));
        assert_eq!(rows(&writer).await, 0);
    }

    #[tokio::test]
    async fn after_a_failure_nothing_is_done_in_a_turn() {
        let (_directory, writer) = fresh().await;
        let mut turn = with_row(&writer).await;
        turn.execute(sql("INSERT INTO nowhere VALUES (1)")).await.unwrap_err();
        turn.execute(sql("INSERT INTO t VALUES (1)")).await.unwrap_err();
        turn.commit(None).await.unwrap_err();
        with_row(&writer).await.commit(None).await.unwrap();
        assert_eq!(rows(&writer).await, 1);
    }

    #[test]
    fn whoever_comes_next_takes_back_what_a_runtime_left_that_has_ended() {
        let first = runtime();
        let (_directory, writer) = first.block_on(fresh());
        let turn = first.block_on(with_row(&writer));
        let handle = first.handle().clone();
        drop(first);
        let entered = handle.enter();
        drop(turn);
        drop(entered);
        runtime().block_on(async {
            with_row(&writer).await.commit(None).await.unwrap();
            assert_eq!(rows(&writer).await, 1);
        });
    }

    #[test]
    fn a_group_that_lost_who_would_commit_it_finds_another() {
        let first = runtime();
        let (_directory, writer) = first.block_on(fresh());
        let turn = first.block_on(async {
            let (_first, mut turn) = one_waits(&writer).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
            // As if no time had passed, for a group that is full is committed at once.
            turn.group.as_mut().unwrap().since = monotonic() + Duration::from_secs(60);
            turn
        });
        drop(first);
        runtime().block_on(async {
            timeout(Duration::from_secs(2), turn.commit(None)).await.unwrap().unwrap();
            assert_eq!(rows(&writer).await, 1);
        });
    }

    #[tokio::test]
    async fn a_failure_that_was_seen_once_is_told_again() {
        let (_directory, writer) = fresh().await;
        let (first, mut turn) = one_waits(&writer).await;
        let group = turn.group.as_mut().unwrap();
        let outcome = group.outcome.subscribe();
        let done = settled(async {
            note(Some(outcome));
            // Somebody who goes away while they wait forgets nothing either.
            assert!(timeout(Duration::from_millis(20), settle()).await.is_err());
            group.end(Err(sqlx::Error::WorkerCrashed));
            assert!(settle().await.is_err() && settle().await.is_err());
        });
        assert!(matches!(done.await, Err(StoreError::Unavailable(_))));
        assert!(first.await.unwrap().is_err());
    }

    #[tokio::test]
    async fn whoever_reads_for_several_waits_for_nobody() {
        let (_directory, writer) = fresh().await;
        let (_first, turn) = one_waits(&writer).await;
        let outcome = turn.group.as_ref().unwrap().outcome.subscribe();
        let reads = UNSETTLED.scope(RefCell::default(), async {
            note(Some(outcome));
            for_all(settle()).await.unwrap();
        });
        timeout(Duration::from_millis(500), reads).await.unwrap();
    }
}
