//! Hours of use become days after a time, in the same database: exactly, whatever is interrupted and however many nodes do it.
//!
//! An hour is added to its day and taken away in one transaction, so that each use stands in one place at any moment. What is told
//! late of an hour that is gone makes it anew, and the next round takes it along.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::{
    Store,
    dialect::TRY_ROLL_UP,
    error::StoreError,
    sql::{Query, WriteTransaction, sql},
    trim::BATCH,
    usage::DAY_MS,
    view::View,
};

/// Hours per transaction: other writers wait no longer than these take.
const HOURS: i64 = 2000;

/// Longer than the longest time of which the busiest are asked for.
const KEEP_RANKS: SignedDuration = SignedDuration::from_hours(32 * 24);

/// Far longer than anybody tries to write the same.
const KEEP_FLUSHES: SignedDuration = SignedDuration::from_hours(30 * 24);

/// For how long use is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsageKept {
    /// By the hour.
    pub hours: SignedDuration,
    /// By the day.
    pub days: SignedDuration,
}

impl Default for UsageKept {
    fn default() -> Self {
        Self { hours: SignedDuration::from_hours(35 * 24), days: SignedDuration::from_hours(400 * 24) }
    }
}

impl UsageKept {
    /// From when on hours are kept: the start of a day (UTC), since a day is never in both places by halves.
    pub fn hours_since(&self, now: Timestamp) -> Timestamp {
        let from = now.saturating_sub(self.hours).unwrap_or(Timestamp::MIN);
        let day = from.as_millisecond() - from.as_millisecond().rem_euclid(DAY_MS);
        Timestamp::from_millisecond(day).unwrap_or(from)
    }
}

impl View<'_> {
    /// From when on there are all hours: as long ago as they are kept, but for those that became days while they were kept for less. Asked for after
    /// they were read, it tells of what became a day meanwhile too.
    pub async fn hours_since(&mut self, kept: UsageKept, now: Timestamp) -> Result<Timestamp, StoreError> {
        let query = "SELECT MAX(d.day) AS day FROM (SELECT MAX(day) AS day FROM usage_day
                                                    UNION ALL SELECT MAX(day) AS day FROM organization_usage_day
                                                    UNION ALL SELECT MAX(day) AS day FROM issued_day) d";
        let last = self.executor.one(sql(query)).await?.int_or_null("day")?;
        let after = last.map(|day| Timestamp::from_millisecond(day.saturating_add(DAY_MS)).unwrap_or(Timestamp::MAX));
        Ok(kept.hours_since(now).max(after.unwrap_or(Timestamp::MIN)))
    }
}

/// Hours, what they become, whose they are, and what uses are told apart by.
type Tables = (&'static str, &'static str, &'static str, &'static str);

const TABLES: [Tables; 3] = [
    ("usage_hour", "usage_day", "credential", "code"),
    ("organization_usage_hour", "organization_usage_day", "organization", "code"),
    ("issued_hour", "issued_day", "client", "grant_type"),
];

impl Store {
    /// One turn of it: makes days of hours that are not kept, and removes days that are not kept either, some of each. Returns how many rows it
    /// took away; if that is none, there are no more, or another node is at it.
    pub async fn keep_usage(&self, kept: UsageKept, now: Timestamp) -> Result<u64, StoreError> {
        let before = kept.hours_since(now);
        let mut gone = 0;
        for tables in TABLES {
            gone += self.roll_up_some(tables, before).await?;
        }
        let days = "DELETE FROM usage_day WHERE (credential, day, code) IN
                    (SELECT credential, day, code FROM usage_day WHERE day < $1 LIMIT $2)";
        let organization_days = "DELETE FROM organization_usage_day WHERE (organization, day, code) IN
                                 (SELECT organization, day, code FROM organization_usage_day WHERE day < $1 LIMIT $2)";
        let issued_days = "DELETE FROM issued_day WHERE (client, day, grant_type) IN
                           (SELECT client, day, grant_type FROM issued_day WHERE day < $1 LIMIT $2)";
        let permission_days = "DELETE FROM usage_permission_day WHERE (credential, day, permission) IN
                               (SELECT credential, day, permission FROM usage_permission_day WHERE day < $1 LIMIT $2)";
        let ranks = "DELETE FROM usage_rank WHERE (organization, credential, day) IN
                     (SELECT organization, credential, day FROM usage_rank WHERE day < $1 LIMIT $2)";
        let flushes = "DELETE FROM usage_flush WHERE writer IN (SELECT writer FROM usage_flush WHERE at < $1 LIMIT $2)";
        let tables = [
            (days, kept.days),
            (organization_days, kept.days),
            (issued_days, kept.days),
            (permission_days, kept.days),
            (ranks, KEEP_RANKS.min(kept.days)),
            (flushes, KEEP_FLUSHES),
        ];
        for (delete, keep) in tables {
            gone += self.remove_some(sql(delete).bind(now - keep).bind(BATCH as i64)).await?;
        }
        Ok(gone)
    }

    async fn remove_some(&self, delete: Query) -> Result<u64, StoreError> {
        let mut transaction = WriteTransaction::begin_alone(&self.database.pools).await?;
        if !transaction.try_lock(TRY_ROLL_UP).await? {
            return Ok(0);
        }
        let gone = transaction.execute(delete).await?;
        transaction.commit().await?;
        Ok(gone)
    }

    async fn roll_up_some(&self, (hours, days, whose, what): Tables, before: Timestamp) -> Result<u64, StoreError> {
        let mut transaction = WriteTransaction::begin_alone(&self.database.pools).await?;
        // Another node that does it already needs no help.
        if !transaction.try_lock(TRY_ROLL_UP).await? {
            return Ok(0);
        }
        let oldest = format!(
            "SELECT {whose} AS whose, hour, {what} AS what, uses FROM {hours} WHERE hour < $1
             ORDER BY hour, {whose}, {what} LIMIT $2"
        );
        // Whoever counts for one of these hours meanwhile waits, and makes it anew. Those who count lock them in another order, so nothing
        // that they hold is waited for: the next turn takes it along.
        let rows = transaction.free_rows(sql(&oldest).bind(before).bind(HOURS)).await?;
        let (mut gone, mut sums) = (Vec::with_capacity(rows.len()), BTreeMap::<_, i64>::new());
        for row in &rows {
            let (whose, hour, what) = (row.text("whose")?, row.int("hour")?, row.text("what")?);
            gone.push(json!([whose, hour, what]));
            let sum = sums.entry((whose, hour - hour.rem_euclid(DAY_MS), what)).or_default();
            *sum = sum.saturating_add(row.int("uses")?);
        }
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
            // Ended here and not some time later, for until then nobody else has the lock.
            transaction.commit().await?;
            return Ok(0);
        };
        let (first, last) = (first.int("hour")?, last.int("hour")?);
        let sums: Vec<_> = sums.iter().map(|((whose, day, what), uses)| json!([whose, day, what, uses])).collect();
        let from = self.database.pools.json_rows();
        let add = format!(
            "INSERT INTO {days} ({whose}, day, {what}, uses)
             SELECT value ->> 0, CAST(value ->> 1 AS BIGINT), value ->> 2, CAST(value ->> 3 AS BIGINT) FROM {from} WHERE 1 = 1
             ON CONFLICT ({whose}, day, {what}) DO UPDATE SET uses = {days}.uses + excluded.uses"
        );
        transaction.execute(sql(&add).bind(serde_json::Value::from(sums).to_string())).await?;
        let number = gone.len() as u64;
        // The bounds say nothing that the list does not, but SQLite reads no more than what is between them.
        let take = format!(
            "DELETE FROM {hours} WHERE ({whose}, hour, {what}) IN
             (SELECT value ->> 0, CAST(value ->> 1 AS BIGINT), value ->> 2 FROM {from}) AND hour >= $2 AND hour <= $3"
        );
        let take = sql(&take).bind(serde_json::Value::from(gone).to_string()).bind(first).bind(last);
        transaction.execute(take).await?;
        transaction.commit().await?;
        Ok(number)
    }
}
