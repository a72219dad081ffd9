//! The one door for writes: change, audit event and change-log rows in one transaction.
//!
//! [`Tx::commit`] is the only way to keep what a transaction did, and it wants an event.
//!
//! Rows are locked in one order, so that nobody waits in a circle: a person, then organizations by id, then a fleet, then service accounts, and
//! then what is inside of them, by id within each table: assignments, invitations, memberships, codes, passkeys, requests of devices, sessions, credentials, revoked tokens. APIs and
//! roles are locked before the assignments that go with them. What concerns several people and organizations at once locks these
//! first. The heads of the audit chains come last, in the commit.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
    time::Instant,
};

use claviger_core::{By, ChainLink, Event, Reach, Touched};
use claviger_token::{EventId, TypedId as _};
use jiff::Timestamp;
use rand::CryptoRng;

use crate::{
    Store,
    dialect::TRANSACTION_CAP,
    error::StoreError,
    idempotency::Remembered,
    sql::{Executor, Query, WriteTransaction, sql, text, text_or_null},
    view::View,
    writer::Telling,
};

/// Events per statement: below both engines' bound on values.
const MOST_ROWS: usize = 1000;

/// A write in progress. Dropped without [`Tx::commit`], it never happened.
pub struct Tx<'a> {
    store: &'a Store,
    pub(crate) inner: WriteTransaction,
    began: Instant,
    by: &'a By,
    also: Vec<Event>,
    /// Credentials whose epochs are raised at the commit.
    pub(crate) narrowed: BTreeSet<String>,
    /// What changed by it that no event names.
    pub(crate) untold: HashSet<Touched>,
}

impl Store {
    /// Begins a write.
    pub async fn begin<'a>(&'a self, by: &'a By) -> Result<Tx<'a>, StoreError> {
        Ok(Tx::new(self, WriteTransaction::begin(&self.database.pools).await?, by))
    }

    /// The same for a write that may take long: nobody's work waits for its end, or is lost with it.
    pub async fn begin_alone<'a>(&'a self, by: &'a By) -> Result<Tx<'a>, StoreError> {
        Ok(Tx::new(self, WriteTransaction::begin_alone(&self.database.pools).await?, by))
    }
}

impl<'a> Tx<'a> {
    fn new(store: &'a Store, inner: WriteTransaction, by: &'a By) -> Self {
        Self {
            store,
            inner,
            began: monotonic(),
            by,
            also: Vec::new(),
            narrowed: BTreeSet::new(),
            untold: HashSet::new(),
        }
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

    /// For a statement without rows whose failure may be told by the next one of the same method, or by the commit.
    pub(crate) async fn later(&mut self, query: Query) -> Result<(), StoreError> {
        self.inner.later(query).await
    }

    /// Tells one more event, before that of the commit.
    pub fn also(&mut self, event: Event) {
        self.also.push(event);
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
        let untold = self.untold();
        self.raise_noted(now).await?;
        if let Some(answer) = answer {
            self.remember(answer, &event.target, now).await?;
        }
        let mut events = std::mem::take(&mut self.also);
        events.push(event);
        // Chains in one order, for the same reason for which their heads come last.
        events.sort_by_key(|event| event.chain);
        let touched: Vec<Touched> =
            events.iter().flat_map(|event| event.touched.iter().copied()).chain(untold).collect();
        self.log(&touched, now).await?;
        let of_one_chain = events.chunk_by(|one, next| one.chain == next.chain);
        for events in of_one_chain.flat_map(|events| events.chunks(MOST_ROWS)) {
            self.chain(events, now, rng).await?;
        }
        if self.began.elapsed() > TRANSACTION_CAP {
            return Err(StoreError::TooSlow);
        }
        let telling = Telling { changes: Arc::clone(&self.store.changes), touched };
        self.inner.commit_telling(Some(telling)).await
    }

    /// Appends events to the chain that they share. The head's row is locked from here to the commit, which puts the
    /// events of one chain in order; it comes last, so that transactions cannot wait for each other in a circle.
    async fn chain(
        &mut self,
        events: &[Event],
        now: Timestamp,
        rng: &mut (dyn CryptoRng + Send),
    ) -> Result<(), StoreError> {
        let Some(first) = events.first() else { return Ok(()) };
        let (chain, by) = (first.chain.to_string(), self.by);
        let count = i64::try_from(events.len()).map_err(StoreError::damaged)?;
        let head = sql("INSERT INTO audit_head (chain, seq, hash) VALUES ($1, $3, $2)
                        ON CONFLICT (chain) DO UPDATE SET seq = audit_head.seq + $3
                        RETURNING seq, hash");
        let head = self.inner.read().one(head.bind(chain.as_str()).bind([0; 32]).bind(count)).await?;
        let mut link = ChainLink { seq: head.int("seq")? - count, previous: head.hash("hash")? };
        let mut insert = sql(
            "INSERT INTO audit_event (chain, seq, id, at, action, actor, target, record, address, personal, means, hash) VALUES ",
        );
        for (index, event) in events.iter().enumerate() {
            link.seq += 1;
            let id = EventId::generate(now, rng);
            let record = event.record(&link, id, by, now);
            link.previous = self.store.chain_key.hash(&link.previous, &record);
            insert = insert.and(if index > 0 { ", " } else { "" }).and_list([
                chain.as_str().into(),
                link.seq.into(),
                text(id),
                now.into(),
                event.action.as_str().into(),
                by.actor.id().into(),
                event.target.as_str().into(),
                record.into(),
                text_or_null(by.address),
                text_or_null(event.personal.as_ref()),
                by.actor.means().into(),
                link.previous.into(),
            ]);
        }
        self.later(insert).await?;
        let head = sql("UPDATE audit_head SET hash = $2 WHERE chain = $1").bind(chain).bind(link.previous);
        self.later(head).await
    }
}

#[expect(clippy::disallowed_methods, reason = "the cap of a transaction is the store's own, not the domain's time")]
pub(crate) fn monotonic() -> Instant {
    Instant::now()
}
