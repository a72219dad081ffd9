//! The one door for writes: change, audit event and change-log rows in one transaction.
//!
//! [`Tx::commit`] is the only way to keep what a transaction did, and it wants an event.

use std::time::Instant;

use claviger_core::{By, ChainLink, Event, Reach};
use claviger_token::{EventId, TypedId as _};
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

#[expect(clippy::disallowed_methods, reason = "the cap of a transaction is the store's own, not the domain's time")]
fn monotonic() -> Instant {
    Instant::now()
}
