//! A connection to PostgreSQL, lent by its pool, that comes back in bounded time or not at all.
//!
//! The pool tests what comes back, and would wait for ever where an answer is still owed by somebody who is gone without a word: a
//! machine that failed, a firewall that forgot. Each use that is given up meanwhile would take one place of the pool with it. The room
//! must not know what is asked.

use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
    time::Instant,
};

use parking_lot::Mutex;
use sqlx::{
    PgConnection, PgPool, Postgres,
    pool::{PoolConnection, PoolConnectionMetadata},
};
use tokio::time::timeout;

use crate::{
    dialect::TRANSACTION_CAP,
    sql::{bounded, bounded_by},
};

/// A lent connection. Whoever drops it in a transaction drops what was done in that.
pub(crate) struct Lent {
    /// Always there until it is dropped.
    connection: Option<PoolConnection<Postgres>>,
    in_transaction: bool,
    broken: bool,
}

impl Lent {
    /// One on which a transaction has begun.
    pub(crate) async fn begin(pool: &PgPool) -> Result<Self, sqlx::Error> {
        let mut lent = Self::from(pool.acquire().await?);
        // Said before it is done: whoever gives up in between must not leave it open.
        lent.in_transaction = true;
        let begun = sqlx::raw_sql("BEGIN").execute(&mut *lent).await;
        if matches!(begun, Err(sqlx::Error::Io(_))) {
            lent.breaks();
        }
        begun?;
        Ok(lent)
    }

    pub(crate) async fn commit(mut self) -> Result<(), sqlx::Error> {
        bounded(sqlx::raw_sql("COMMIT").execute(&mut *self)).await?;
        self.in_transaction = false;
        Ok(())
    }

    /// It is of no use any more, and nobody waits for an answer on it.
    pub(crate) fn breaks(&mut self) {
        self.broken = true;
    }
}

impl From<PoolConnection<Postgres>> for Lent {
    fn from(connection: PoolConnection<Postgres>) -> Self {
        Self { connection: Some(connection), in_transaction: false, broken: false }
    }
}

#[expect(clippy::expect_used, reason = "it is taken out by the drop alone")]
impl Deref for Lent {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.connection.as_ref().expect("dropped")
    }
}

#[expect(clippy::expect_used, reason = "it is taken out by the drop alone")]
impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.connection.as_mut().expect("dropped")
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        if self.broken {
            close(connection);
            return;
        }
        let in_transaction = self.in_transaction;
        tokio::spawn(async move {
            if in_transaction {
                let rollback = sqlx::raw_sql("ROLLBACK").execute(&mut *connection);
                if bounded_by(TRANSACTION_CAP, rollback).await.is_err() {
                    close(connection);
                    return;
                }
            }
            // What does not come back in time is closed, and its place is free.
            drop(timeout(TRANSACTION_CAP, connection.return_to_pool()).await);
        });
    }
}

/// Without a farewell, which nobody may be there to hear: its place in the pool is free at once.
fn close(connection: PoolConnection<Postgres>) {
    drop(connection.detach());
}

/// When the database last owed an answer for so long that nobody waited on. Connections that were idle then may be as dead, and
/// each would cost somebody's patience to find out.
#[derive(Debug, Clone, Default)]
pub(crate) struct Silence(Arc<Mutex<Option<Instant>>>);

impl Silence {
    /// Notes that a question was not answered in time.
    #[expect(
        clippy::disallowed_methods,
        reason = "how long a connection was idle is measured on the clock that never jumps"
    )]
    pub(crate) fn fell(&self) {
        *self.0.lock() = Some(Instant::now());
    }

    /// Whether a connection was in use since; one that was not is replaced by a new one.
    pub(crate) fn is_over_for(&self, metadata: &PoolConnectionMetadata) -> bool {
        self.0.lock().is_none_or(|fell| metadata.idle_for < fell.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use std::{env, time::Duration};

    use sqlx::postgres::PgPoolOptions;

    use super::*;

    #[tokio::test]
    async fn what_is_broken_leaves_its_place_in_the_pool_at_once() {
        let url =
            env::var("CLAVIGER_TEST_POSTGRES").expect("`cargo xtask postgres` tells what CLAVIGER_TEST_POSTGRES is");
        let pool = PgPoolOptions::new().max_connections(1).connect(&url).await.unwrap();
        let mut lent = Lent::from(pool.acquire().await.unwrap());
        let owed = sqlx::raw_sql("SELECT pg_sleep(20)").execute(&mut *lent);
        timeout(Duration::from_millis(200), owed).await.unwrap_err();
        lent.breaks();
        drop(lent);
        assert_eq!(pool.size(), 0);
        assert!(timeout(Duration::from_secs(10), pool.acquire()).await.unwrap().is_ok());
    }
}
