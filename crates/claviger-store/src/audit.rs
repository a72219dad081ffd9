//! The audit trail in storage: listed, and proved link by link.

use std::collections::HashMap;

use claviger_core::{Chain, ChainKey, Reach};
use claviger_token::{EventId, OrganizationId, TypedId as _};
use jiff::Timestamp;
use serde_json::Value as Json;

use crate::{
    Store,
    database::Database,
    error::StoreError,
    sql::{Executor, Row, Value, sql, text},
    view::{Page, View},
};

/// An event as it was recorded.
#[derive(Debug, Clone)]
pub struct AuditEvent {
    /// Its id.
    pub id: EventId,
    /// Its chain.
    pub chain: Chain,
    /// The recorded JSON, which the hash covers.
    pub record: String,
    /// From where, unless it was erased.
    pub address: Option<String>,
    /// What it tells of a person, as JSON, unless it was erased.
    pub personal: Option<String>,
}

/// Which events a list shows.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Of one organization.
    pub organization: Option<OrganizationId>,
    /// About this id.
    pub target: Option<String>,
    /// By this actor.
    pub actor: Option<String>,
    /// About this credential or session, or done with it.
    pub means: Option<String>,
    /// Of this kind.
    pub action: Option<String>,
    /// From this moment on.
    pub since: Option<Timestamp>,
    /// Before this moment.
    pub until: Option<Timestamp>,
    /// Only of the instance's own chain.
    pub instance_only: bool,
}

impl View<'_> {
    /// A page of the trail, newest first. With an organization's eyes, only its own chain.
    pub async fn audit_events(
        &mut self,
        filter: &AuditFilter,
        page: &Page<EventId>,
    ) -> Result<Vec<AuditEvent>, StoreError> {
        let query = sql(EVENTS)
            .and_if(" AND target = ?", filter.target.clone())
            .and_if(" AND actor = ?", filter.actor.clone())
            .and_if(" AND (target = ? OR means = ?)", filter.means.clone())
            .and_if(" AND action = ?", filter.action.clone())
            .and_if(" AND at >= ?", filter.since)
            .and_if(" AND at < ?", filter.until)
            // The same by the time within the id, in whose order they are read: days of long ago are found without what came since.
            .and_if(" AND id >= ?", filter.since.map(|since| text(EventId::first_of(since))))
            .and_if(" AND id < ?", filter.until.map(|until| text(EventId::first_of(until))))
            .and_if(" AND chain = ?", filter.instance_only.then(|| text(Chain::Instance)));
        let rows = self.page(query, "chain", filter.organization, page, "id").await?;
        rows.iter().map(event).collect()
    }

    /// One event.
    pub async fn audit_event(&mut self, id: EventId) -> Result<Option<AuditEvent>, StoreError> {
        let query = self.bound(sql(EVENTS).and_bind(" AND id = ?", text(id)), "chain");
        self.executor.optional(query).await?.as_ref().map(event).transpose()
    }

    /// What the things of these ids are called now, as far as they are within reach. People are not among them, nor what has no name.
    pub async fn names_of_things(&mut self, ids: &[String]) -> Result<HashMap<String, String>, StoreError> {
        let mut names = HashMap::new();
        for (prefixes, table, organization) in NAMED {
            let these =
                ids.iter().filter(|id| id.rsplit_once('_').is_some_and(|(prefix, _)| prefixes.contains(&prefix)));
            let these: Vec<Value> = these.map(text).collect();
            if these.is_empty() {
                continue;
            }
            let query = sql(&format!("SELECT id, name FROM {table} WHERE id IN ")).and_list(these);
            let query = match (organization, self.reach) {
                ("", _) | (_, Reach::Instance) => query,
                (column, Reach::Organization(here)) => {
                    query.and_bind(&format!(" AND ({column} = ? OR {column} IS NULL)"), text(here))
                }
            };
            for row in self.executor.all(query).await? {
                names.insert(row.text("id")?, row.text("name")?);
            }
        }
        Ok(names)
    }
}

const EVENTS: &str = "SELECT id, chain, record, address, personal FROM audit_event WHERE 1 = 1";

/// Where what has a name is kept: its prefixes, its table, and the column of its organization, if it has one; null there is the instance's.
const NAMED: [(&[&str], &str, &str); 6] = [
    (&["key", "pat", "csec", "ckey", "cert", "fed"], "credential", "organization"),
    (&["sa"], "service_account", "organization"),
    (&["role"], "role", "organization"),
    (&["fleet"], "fleet", "organization"),
    (&["org"], "organization", "id"),
    (&["api"], "api", ""),
];

fn event(row: &Row) -> Result<AuditEvent, StoreError> {
    Ok(AuditEvent {
        id: row.parse("id")?,
        chain: row.parse("chain")?,
        record: row.text("record")?,
        address: row.text_or_null("address")?,
        personal: row.text_or_null("personal")?,
    })
}

/// What a walk over every chain found.
#[derive(Debug, Default)]
pub struct AuditReport {
    /// How many events were proved.
    pub events: u64,
    /// The last link of each chain; keep a copy elsewhere to notice a chain cut short.
    pub heads: Vec<ChainHead>,
    /// Where the trail is broken.
    pub findings: Vec<AuditFinding>,
}

/// The last link of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainHead {
    /// Which chain.
    pub chain: String,
    /// How many events it has.
    pub seq: i64,
    /// Its hash.
    pub hash: [u8; 32],
}

/// A place where the trail is not what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditFinding {
    /// Which chain.
    pub chain: String,
    /// At which event.
    pub seq: i64,
    /// What is wrong there.
    pub what: &'static str,
}

impl Store {
    /// The audit events of one chain are one after the other; every link is computed again.
    pub async fn verify_audit(&self) -> Result<AuditReport, StoreError> {
        self.verify_audit_telling(|_, _| {}).await
    }

    /// The same, telling now and then how many events are proved and how many there are in all.
    pub async fn verify_audit_telling(&self, tell: impl Fn(u64, u64) + Send) -> Result<AuditReport, StoreError> {
        verify(&self.database, &self.chain_key, tell).await
    }

    /// The hash of one link, to compare with a head that was saved when this link was the last.
    pub async fn link_hash(&self, chain: &str, seq: i64) -> Result<Option<[u8; 32]>, StoreError> {
        let query = sql("SELECT hash FROM audit_event WHERE chain = $1 AND seq = $2").bind(chain).bind(seq);
        self.read().optional(query).await?.map(|row| row.hash("hash")).transpose()
    }
}

/// How many events are read at a time: a trail may be larger than memory.
const BATCH: i64 = 1000;

async fn verify(
    database: &Database,
    key: &ChainKey,
    tell: impl Fn(u64, u64) + Send,
) -> Result<AuditReport, StoreError> {
    let mut read = Executor::Pools(&database.pools);
    let mut report = AuditReport::default();
    // Heads first: what a running server appends meanwhile lies beyond them.
    let heads = read.all(sql("SELECT chain, seq, hash FROM audit_head ORDER BY chain")).await?;
    let lengths: Vec<i64> = heads.iter().map(|head| head.int("seq")).collect::<Result<_, _>>()?;
    let all = lengths.into_iter().filter_map(|length| u64::try_from(length).ok()).sum();
    for head in heads {
        let head = ChainHead { chain: head.text("chain")?, seq: head.int("seq")?, hash: head.hash("hash")? };
        let mut walk = Walk::START;
        tell(report.events, all);
        while let Some(next) = walk.on(&mut read, key, &head.chain, head.seq).await? {
            report.events += u64::try_from(next.seq - walk.seq).unwrap_or_default();
            walk = next;
            tell(report.events, all);
        }
        report.findings.extend(walk.finding(&head));
        report.heads.push(head);
    }
    // A commit keeps event and head together, so not even a running server has an event beyond its head.
    let uncovered =
        sql("SELECT e.chain, MIN(e.seq) AS seq FROM audit_event e LEFT JOIN audit_head h ON h.chain = e.chain
                         WHERE h.chain IS NULL OR e.seq > h.seq GROUP BY e.chain ORDER BY e.chain");
    for row in read.all(uncovered).await? {
        let what = "no head covers the event";
        report.findings.push(AuditFinding { chain: row.text("chain")?, seq: row.int("seq")?, what });
    }
    Ok(report)
}

/// How far a chain was walked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Walk {
    /// The last link that proves.
    pub(crate) seq: i64,
    pub(crate) hash: [u8; 32],
    /// What is wrong with the one behind it.
    pub(crate) wrong: Option<&'static str>,
}

impl Walk {
    /// Before the first link.
    pub(crate) const START: Self = Self { seq: 0, hash: [0; 32], wrong: None };

    /// What is found, where the walk went as far as the head.
    pub(crate) fn finding(&self, head: &ChainHead) -> Option<AuditFinding> {
        let ends_short = self.seq != head.seq || self.hash != head.hash;
        let found = match self.wrong {
            Some(what) => Some((self.seq + 1, what)),
            None => ends_short.then_some((self.seq, "the chain ends before its head")),
        };
        found.map(|(seq, what)| AuditFinding { chain: head.chain.clone(), seq, what })
    }
}

impl Walk {
    /// Proves the next links up to `until`, a batch of them; `None`: there are no more.
    pub(crate) async fn on(
        self,
        read: &mut Executor<'_>,
        key: &ChainKey,
        chain: &str,
        until: i64,
    ) -> Result<Option<Self>, StoreError> {
        if self.wrong.is_some() {
            return Ok(None);
        }
        let query = sql("SELECT seq, id, at, action, actor, target, record, hash FROM audit_event
                         WHERE chain = $1 AND seq > $2 AND seq <= $3 ORDER BY seq LIMIT $4");
        let events = read.all(query.bind(chain).bind(self.seq).bind(until).bind(BATCH)).await?;
        if events.is_empty() {
            return Ok(None);
        }
        let mut at = self;
        for event in &events {
            let seq = at.seq + 1;
            if let Some(what) = wrong_with(event, chain, seq, key, &at.hash)? {
                return Ok(Some(Self { wrong: Some(what), ..at }));
            }
            at = Self { seq, hash: event.hash("hash")?, wrong: None };
        }
        Ok(Some(at))
    }
}

fn wrong_with(
    event: &Row,
    chain: &str,
    seq: i64,
    key: &ChainKey,
    previous: &[u8; 32],
) -> Result<Option<&'static str>, StoreError> {
    let record = event.text("record")?;
    if event.int("seq")? != seq {
        return Ok(Some("an event is missing"));
    }
    if key.hash(previous, &record) != event.hash("hash")? {
        return Ok(Some("the event, or one before it, was changed"));
    }
    // The columns that searches use are copies; a changed copy would hide an event.
    let Ok(told) = serde_json::from_str::<Json>(&record) else { return Ok(Some("the record is not JSON")) };
    let actor = told["actor"]["id"].as_str().or(told["actor"]["type"].as_str());
    let copies_agree = told["id"].as_str() == Some(event.text("id")?.as_str())
        && told["chain"].as_str() == Some(chain)
        && told["seq"].as_i64() == Some(seq)
        && told["action"].as_str() == Some(event.text("action")?.as_str())
        && actor == Some(event.text("actor")?.as_str())
        && told["target"].as_str() == Some(event.text("target")?.as_str())
        && told["at"].as_str() == Some(event.time("at")?.to_string().as_str());
    Ok(if copies_agree { None } else { Some("a column beside the record was changed") })
}
