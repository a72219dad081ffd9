//! The one door for writes: change, audit event and change-log rows in one transaction.
//!
//! [`Tx::commit`] is the only way to keep what a transaction did, and it wants an event.

use std::{collections::HashSet, time::Instant};

use claviger_core::{By, ChainLink, Event, Reach, Touched};
use claviger_token::{CredentialId, EventId, PrincipalId, TypedId as _};
use jiff::Timestamp;
use rand::CryptoRng;

use crate::{
    Store,
    dialect::TRANSACTION_CAP,
    error::StoreError,
    idempotency::Remembered,
    sql::{Executor, Query, WriteTransaction, sql, text},
    view::View,
};

/// How many rows of the log are read at a time.
const LOG_PAGE: usize = 10_000;

/// A write in progress. Dropped without [`Tx::commit`], it never happened.
pub struct Tx<'a> {
    store: &'a Store,
    pub(crate) inner: WriteTransaction,
    began: Instant,
    by: &'a By,
}

impl Store {
    /// Begins a write.
    pub async fn begin<'a>(&'a self, by: &'a By) -> Result<Tx<'a>, StoreError> {
        let inner = WriteTransaction::begin(&self.database.pools).await?;
        Ok(Tx { store: self, inner, began: monotonic(), by })
    }
}

impl Tx<'_> {
    /// Who writes.
    pub fn by(&self) -> &By {
        self.by
    }

    /// Reads inside this transaction.
    pub fn within(&mut self, reach: Reach) -> View<'_> {
        View { executor: self.inner.read(), reach }
    }

    /// Reads what will be changed: nobody else changes it before the end.
    pub fn to_change(&mut self, reach: Reach) -> View<'_> {
        View { executor: Executor::Transaction { transaction: &mut self.inner, lock: true }, reach }
    }

    pub(crate) async fn execute(&mut self, query: Query) -> Result<u64, StoreError> {
        self.inner.execute(query).await
    }

    /// Keeps it all, tells the log, and makes this node forget what changed before it returns.
    pub async fn commit(
        self,
        event: Event,
        now: Timestamp,
        rng: &mut (dyn CryptoRng + Send),
    ) -> Result<(), StoreError> {
        self.commit_answering(event, None, now, rng).await
    }

    /// The same, and keeps the answer for a repetition of the request.
    pub async fn commit_answering(
        mut self,
        event: Event,
        answer: Option<&Remembered>,
        now: Timestamp,
        rng: &mut (dyn CryptoRng + Send),
    ) -> Result<(), StoreError> {
        if let Some(answer) = answer {
            self.remember(answer, now).await?;
        }
        self.log(&event.touched, now).await?;
        self.chain(&event, now, rng).await?;
        if self.began.elapsed() > TRANSACTION_CAP {
            return Err(StoreError::TooSlow);
        }
        let done = self.inner.commit().await;
        // Also after an error: whether the commit arrived is then unknown, and forgetting harms nothing.
        self.store.changes.name(&event.touched, monotonic());
        done
    }

    async fn log(&mut self, touched: &[Touched], now: Timestamp) -> Result<(), StoreError> {
        for touched in touched {
            let (kind, id) = words(touched);
            let insert = sql("INSERT INTO change_log (at, kind, id) VALUES ($1, $2, $3)");
            self.execute(insert.bind(now).bind(kind).bind(id)).await?;
        }
        Ok(())
    }

    /// Appends to the event's chain. The head's row is locked from here to the commit, which puts the
    /// events of one chain in order; it comes last, so that transactions cannot wait for each other in a circle.
    async fn chain(
        &mut self,
        event: &Event,
        now: Timestamp,
        rng: &mut (dyn CryptoRng + Send),
    ) -> Result<(), StoreError> {
        let chain = event.chain.to_string();
        let head = sql("INSERT INTO audit_head (chain, seq, hash) VALUES ($1, 1, $2)
                        ON CONFLICT (chain) DO UPDATE SET seq = audit_head.seq + 1
                        RETURNING seq, hash");
        let head = self.inner.read().one(head.bind(chain.as_str()).bind([0; 32])).await?;
        let link = ChainLink { seq: head.int("seq")?, previous: head.hash("hash")? };
        let id = EventId::generate(now, rng);
        let record = event.record(&link, id, self.by, now);
        let hash = self.store.chain_key.hash(&link.previous, &record);
        let insert = sql("INSERT INTO audit_event (chain, seq, id, at, action, actor, target, record, address, hash)
                          VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)");
        let insert = insert
            .bind(chain.as_str())
            .bind(link.seq)
            .bind(text(id))
            .bind(now)
            .bind(event.action.as_str())
            .bind(self.by.actor.id())
            .bind(event.target.as_str())
            .bind(record)
            .bind(self.by.address.map(|address| address.to_string()))
            .bind(hash);
        self.execute(insert).await?;
        self.execute(sql("UPDATE audit_head SET hash = $2 WHERE chain = $1").bind(chain).bind(hash)).await?;
        Ok(())
    }
}

impl Store {
    /// Where a process that starts with an empty cache begins to follow the log.
    pub async fn log_cursor(&self, now: Instant) -> Result<crate::LogCursor, StoreError> {
        let rows = self.read().all(sql("SELECT seq FROM change_log ORDER BY seq DESC LIMIT 1000")).await?;
        let numbers = rows.iter().map(|row| row.int("seq")).collect::<Result<Vec<_>, _>>()?;
        Ok(crate::LogCursor::starting_at(&numbers, now))
    }

    /// Reads what the log says since, names it, and notes that the log could be read to its end.
    pub async fn follow_log(&self, cursor: &mut crate::LogCursor, now: Instant) -> Result<(), StoreError> {
        while self.follow_log_page(cursor, now).await? == LOG_PAGE {}
        self.changes.was_read(now);
        Ok(())
    }

    async fn follow_log_page(&self, cursor: &mut crate::LogCursor, now: Instant) -> Result<usize, StoreError> {
        let newest = cursor.newest();
        let since = sql("SELECT seq, kind, id FROM change_log WHERE seq >= ").and_bind("?", newest);
        let mut rows = self.read().all(since.and(&format!(" ORDER BY seq LIMIT {LOG_PAGE}"))).await?;
        let length = rows.len();
        if newest > 0 && rows.first().map(|row| row.int("seq")).transpose()? != Some(newest) {
            // Trimming keeps the newest row, so one that is gone means another instance or a restored backup.
            // The cursor comes first: what commits before it is read must not be cached as newer than the naming.
            *cursor = self.log_cursor(now).await?;
            self.changes.name_everything();
            return Ok(0);
        }
        let missing: Vec<i64> = cursor.missing().collect();
        for chunk in missing.chunks(500) {
            let late = sql("SELECT seq, kind, id FROM change_log WHERE seq IN ");
            rows.extend(self.read().all(late.and_list(chunk.iter().map(|seq| (*seq).into()))).await?);
        }
        let rows: Vec<(i64, Option<Touched>)> = rows
            .iter()
            .map(|row| Ok((row.int("seq")?, from_words(&row.text("kind")?, &row.text("id")?))))
            .collect::<Result<_, StoreError>>()?;
        let numbers: Vec<i64> = rows.iter().map(|(number, _)| *number).collect();
        // Nothing after this fails: what is observed is named.
        let fresh: HashSet<i64> = cursor.observe(&numbers, now).into_iter().collect();
        let touched: Vec<Touched> =
            rows.into_iter().filter(|(number, _)| fresh.contains(number)).filter_map(|(_, touched)| touched).collect();
        self.changes.name(&touched, now);
        Ok(length)
    }
}

fn words(touched: &Touched) -> (&'static str, String) {
    match touched {
        Touched::Credential(id) => ("credential", id.to_string()),
        Touched::Principal(id) => ("principal", id.to_string()),
        Touched::Organization(id) => ("organization", id.to_string()),
        Touched::Role(id) => ("role", id.to_string()),
        Touched::Catalog => ("catalog", String::new()),
    }
}

/// `None` for what only a later version knows: it cannot be in this version's cache.
fn from_words(kind: &str, id: &str) -> Option<Touched> {
    match kind {
        "credential" => id.parse::<CredentialId>().ok().map(Touched::Credential),
        "principal" => id.parse::<PrincipalId>().ok().map(Touched::Principal),
        "organization" => id.parse().ok().map(Touched::Organization),
        "role" => id.parse().ok().map(Touched::Role),
        "catalog" => Some(Touched::Catalog),
        _ => None,
    }
}

#[expect(clippy::disallowed_methods, reason = "the cap of a transaction is the store's own, not the domain's time")]
fn monotonic() -> Instant {
    Instant::now()
}
