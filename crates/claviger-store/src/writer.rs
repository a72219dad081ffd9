//! SQLite's one writer. Who waits for it shares the commit of whoever wrote before, for a durable commit is what takes longest.
//!
//! Whoever has the turn writes inside of the one open transaction, in a savepoint of its own unless it is the first, and hands the
//! turn on without a commit. The commit waits for the turn like everybody else: who waited before it is in it, and with nobody
//! there it comes at once. Nobody is answered and no cache is told before it is durable; if it fails, it fails for all who are in it.
//! The room must not know what is written.

use std::{
    cell::RefCell,
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use claviger_core::Touched;
use sqlx::{
    ConnectOptions as _, Connection as _, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteQueryResult},
};
use tokio::{
    runtime::Handle,
    sync::{Mutex, OwnedMutexGuard, oneshot},
    time::timeout,
};

use crate::{
    changes::Changes,
    dialect::WRITE_PATIENCE,
    error::StoreError,
    sql::{Query, bounded, run, sql},
    tx::monotonic,
};

/// How many share a commit, at most.
const MOST: usize = 64;

/// For how long others may join the first who waits for the commit.
const JOINING: Duration = Duration::from_millis(5);

type Answer = oneshot::Receiver<Result<(), sqlx::Error>>;

tokio::task_local! {
    /// Commits of others that this request has read something of before they were durable.
    static UNSETTLED: RefCell<Vec<Answer>>;
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

/// Waits until what this request has seen can be seen by everybody.
pub(crate) async fn settle() -> Result<(), sqlx::Error> {
    for answer in UNSETTLED.try_with(RefCell::take).unwrap_or_default() {
        durable(answer).await?;
    }
    Ok(())
}

async fn durable(answer: Answer) -> Result<(), sqlx::Error> {
    bounded(async { answer.await.unwrap_or(Err(sqlx::Error::WorkerCrashed)) }).await
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
#[derive(Debug, Default)]
struct Group {
    /// `None` after a failure, until the next turn.
    connection: Option<SqliteConnection>,
    members: Vec<Member>,
    is_closed: bool,
}

/// Somebody who has written and waits for the commit.
#[derive(Debug)]
struct Member {
    since: Instant,
    telling: Option<Telling>,
    answer: oneshot::Sender<Result<(), sqlx::Error>>,
}

/// The turn. Dropped without [`Turn::commit`], nothing happened in it.
pub(crate) struct Turn {
    /// `None` once it was handed on.
    group: Option<OwnedMutexGuard<Group>>,
    /// What goes along with the next statement, which saves the way to the driver's thread and back.
    along: Option<Query>,
    has_begun: bool,
}

impl Writer {
    pub(crate) async fn open(options: SqliteConnectOptions) -> Result<Self, sqlx::Error> {
        let group = Group { connection: Some(for_turns(&options).await?), ..Group::default() };
        Ok(Self { options: Arc::new(options), group: Arc::new(Mutex::new(group)) })
    }

    /// A connection by itself, for what is no part of a group.
    pub(crate) async fn connect(&self) -> Result<SqliteConnection, sqlx::Error> {
        self.options.connect().await
    }

    /// Waits for the turn. What is read in it may be what others wrote who wait for the commit.
    pub(crate) async fn begin(&self) -> Result<Turn, sqlx::Error> {
        settle().await?;
        let turn = timeout(WRITE_PATIENCE, Arc::clone(&self.group).lock_owned()).await;
        let mut group = turn.map_err(|_| sqlx::Error::PoolTimedOut)?;
        if group.is_closed {
            return Err(sqlx::Error::PoolClosed);
        }
        if group.connection.is_none() {
            group.connection = Some(bounded(for_turns(&self.options)).await?);
        }
        let begin = if group.members.is_empty() { "BEGIN IMMEDIATE" } else { "SAVEPOINT one" };
        Ok(Turn { group: Some(group), along: Some(sql(begin)), has_begun: false })
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
    pub(crate) fn connection(&mut self) -> Result<&mut SqliteConnection, sqlx::Error> {
        self.group.as_mut().and_then(|group| group.connection.as_mut()).ok_or(sqlx::Error::WorkerCrashed)
    }

    /// Lets a statement go along with the next, or with the end.
    pub(crate) fn later(&mut self, query: Query) {
        self.along = Some(match self.along.take() {
            Some(along) => along.then(query),
            None => query,
        });
    }

    /// A statement with what goes along with it, which is run at once.
    pub(crate) fn along_with(&mut self, query: Query) -> Query {
        self.has_begun = true;
        self.later(query);
        self.along.take().unwrap_or_else(|| sql(""))
    }

    /// Runs what would go along with the next statement.
    pub(crate) async fn catch_up(&mut self) -> Result<(), sqlx::Error> {
        let Some(along) = self.along.take() else { return Ok(()) };
        self.has_begun = true;
        let _: SqliteQueryResult = run!(along, self.connection()?, execute, sqlx::Sqlite)?;
        Ok(())
    }

    /// Hands the turn on, and waits for the commit. From here on it happens, whether or not anybody waits.
    pub(crate) async fn commit(mut self, telling: Option<Telling>) -> Result<(), sqlx::Error> {
        self.catch_up().await?;
        let mut group = self.group.take().ok_or(sqlx::Error::WorkerCrashed)?;
        let answer = group.join(telling);
        if group.is_full() {
            tokio::spawn(async move { group.commit().await });
        } else if group.members.len() == 1 {
            let turn = Arc::clone(OwnedMutexGuard::mutex(&group));
            drop(group);
            tokio::spawn(async move { turn.lock().await.commit().await });
        } else {
            drop(group);
        }
        durable(answer).await
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Some(mut group) = self.group.take().filter(|_| self.has_begun) else { return };
        if !group.members.is_empty() {
            // Outside of a request nobody is told of what was read.
            let _ = UNSETTLED.try_with(|unsettled| unsettled.borrow_mut().push(group.join(None)));
        }
        // Without a runtime there is nobody left to write, and what is open ends with the connection.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move { group.take_back().await });
        } else {
            group.end(Err(sqlx::Error::WorkerCrashed));
        }
    }
}

impl Group {
    fn join(&mut self, telling: Option<Telling>) -> Answer {
        let (answer, receiver) = oneshot::channel();
        self.members.push(Member { since: monotonic(), telling, answer });
        receiver
    }

    fn is_full(&self) -> bool {
        self.members.len() >= MOST || self.members.first().is_some_and(|first| first.since.elapsed() >= JOINING)
    }

    /// Nothing, if somebody else committed the group because it was full.
    async fn commit(&mut self) {
        if !self.members.is_empty() {
            let done = self.run("COMMIT").await;
            self.end(done);
        }
    }

    /// Takes back what was written in a turn, and leaves the rest. An error of SQLite may have taken back everything: then the savepoint is gone.
    async fn take_back(&mut self) {
        let is_shared = !self.members.is_empty();
        let undo = if is_shared { "ROLLBACK TO one; RELEASE one" } else { "ROLLBACK" };
        if let Err(error) = self.run(undo).await {
            self.end(Err(error));
        }
    }

    async fn run(&mut self, statement: &'static str) -> Result<(), sqlx::Error> {
        let connection = self.connection.as_mut().ok_or(sqlx::Error::WorkerCrashed)?;
        bounded(sqlx::query(statement).execute(connection)).await.map(drop)
    }

    fn end(&mut self, done: Result<(), sqlx::Error>) {
        let members = std::mem::take(&mut self.members);
        if done.is_err() {
            // Whatever is still open on it is rolled back.
            self.connection = None;
        }
        // Also after an error: whether the commit arrived is then unknown, and forgetting harms nothing. All before anybody is answered.
        for member in &members {
            member.telling.iter().for_each(Telling::tell);
        }
        let mut error = done.err();
        let failed = error.is_some();
        for member in members {
            let shared = || io::Error::other("the commit shared with others failed").into();
            let done = if failed { Err(error.take().unwrap_or_else(shared)) } else { Ok(()) };
            // Who is gone needs no answer.
            drop(member.answer.send(done));
        }
    }
}
