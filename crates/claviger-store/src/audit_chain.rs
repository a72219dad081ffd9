//! One chain of the audit trail: how far it is proved, and a stretch of it proved at a time, so that nobody waits for a long one.

use claviger_core::Chain;
use jiff::Timestamp;

use crate::{
    Store,
    audit::{AuditFinding, ChainHead, Walk},
    error::StoreError,
    sql::{Row, WriteTransaction, sql, text},
};

/// Where a chain stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainState {
    /// Its last link.
    pub head: ChainHead,
    /// Up to which link it was proved, and when.
    pub proved: Option<(i64, Timestamp)>,
}

/// What came of proving a stretch of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainRun {
    /// Where the chain ends.
    pub head: ChainHead,
    /// The last link that proves.
    pub until: i64,
    /// Where it is broken.
    pub finding: Option<AuditFinding>,
}

impl ChainState {
    /// Of a chain in which nothing happened.
    fn empty(chain: Chain) -> Self {
        Self { head: ChainHead { chain: chain.to_string(), seq: 0, hash: [0; 32] }, proved: None }
    }
}

impl Store {
    /// Where a chain stands; `None`: nothing happened in it yet.
    pub async fn chain_state(&self, chain: Chain) -> Result<Option<ChainState>, StoreError> {
        let query = sql("SELECT chain, seq, hash, proved_seq, proved_at FROM audit_head WHERE chain = $1");
        let read = |row: &Row| {
            let head = ChainHead { chain: row.text("chain")?, seq: row.int("seq")?, hash: row.hash("hash")? };
            let proved = row.int_or_null("proved_seq")?.zip(row.time_or_null("proved_at")?);
            Ok(ChainState { head, proved })
        };
        self.read().optional(query.bind(text(chain))).await?.as_ref().map(read).transpose()
    }

    /// Proves at most `most` links behind `from`, and notes how far the chain is proved then: from 0 that is told anew, from a link that was
    /// proved it goes on with the time of that proof, and behind one that was not there is nothing to note. `None`: nothing happened in it yet.
    pub async fn prove_chain(
        &self,
        chain: Chain,
        from: i64,
        most: i64,
        now: Timestamp,
    ) -> Result<Option<ChainRun>, StoreError> {
        // The head first: what is appended meanwhile lies beyond it.
        let state = self.chain_state(chain).await?;
        let is_there = state.is_some();
        let ChainState { head, proved } = state.unwrap_or_else(|| ChainState::empty(chain));
        let from = from.min(head.seq).max(0);
        let finding = |seq, what| Some(AuditFinding { chain: head.chain.clone(), seq, what });
        let start = match from {
            0 => Walk::START,
            seq => match self.link_hash(&head.chain, seq).await? {
                Some(hash) => Walk { seq, hash, wrong: None },
                None => {
                    let finding = finding(seq, "an event is missing");
                    return Ok(Some(ChainRun { until: seq - 1, finding, head }));
                }
            },
        };
        let until = head.seq.min(from.saturating_add(most));
        let mut read = self.read();
        let mut walked = start;
        while let Some(next) = walked.on(&mut read, &self.chain_key, &head.chain, until).await? {
            walked = next;
        }
        let is_whole = until == head.seq;
        let found = if is_whole || walked.seq < until { walked.finding(&head) } else { None };
        let found = if found.is_none() && is_whole {
            let uncovered = self.uncovered(chain, head.seq).await?;
            uncovered.and_then(|seq| finding(seq, "no head covers the event"))
        } else {
            found
        };
        if !is_there {
            return Ok(found.map(|found| ChainRun { until: 0, finding: Some(found), head }));
        }
        // Whoever goes on has read nothing of what lies before: how old the proof of that is stays told.
        let since = if from == 0 { Some(now) } else { proved.filter(|(seq, _)| *seq >= from).map(|(_, at)| at) };
        if let Some(since) = since {
            self.note_proof(chain, walked.seq, since).await?;
        }
        Ok(Some(ChainRun { until: walked.seq, finding: found, head }))
    }

    /// The first event beyond the head, which is not the one that it was: events that were appended since have one of their own.
    async fn uncovered(&self, chain: Chain, seq: i64) -> Result<Option<i64>, StoreError> {
        let query = sql("SELECT MIN(e.seq) AS seq FROM audit_event e LEFT JOIN audit_head h ON h.chain = e.chain
                         WHERE e.chain = $1 AND e.seq > $2 AND (h.chain IS NULL OR e.seq > h.seq)");
        self.read().one(query.bind(text(chain)).bind(seq)).await?.int_or_null("seq")
    }

    /// Writes down how far a chain was proved. No change of anything, and so without an audit event.
    async fn note_proof(&self, chain: Chain, seq: i64, now: Timestamp) -> Result<(), StoreError> {
        let mut transaction = WriteTransaction::begin(&self.database.pools).await?;
        let update = sql("UPDATE audit_head SET proved_seq = $2, proved_at = $3 WHERE chain = $1");
        transaction.execute(update.bind(text(chain)).bind(seq).bind(now)).await?;
        transaction.commit().await
    }
}
