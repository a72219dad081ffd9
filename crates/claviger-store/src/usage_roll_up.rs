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
    sql::{Executor, WriteTransaction, sql},
    trim::BATCH,
    usage::DAY_MS,
};

/// Hours per transaction: other writers wait no longer than these take.
const HOURS: usize = 2000;

/// Longer than the longest time of which the busiest are asked for.
const KEEP_RANKS: SignedDuration = SignedDuration::from_hours(32 * 24);

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
    /// From when on there are hours: the start of a day (UTC), since a day is never in both places by halves.
    pub fn hours_since(&self, now: Timestamp) -> Timestamp {
        let from = now.saturating_sub(self.hours).unwrap_or(Timestamp::MIN);
        let day = from.as_millisecond() - from.as_millisecond().rem_euclid(DAY_MS);
        Timestamp::from_millisecond(day).unwrap_or(from)
    }
}

/// Hours, what they become, and whose they are.
const TABLES: [(&str, &str, &str); 2] =
    [("usage_hour", "usage_day", "credential"), ("organization_usage_hour", "organization_usage_day", "organization")];

impl Store {
    /// Makes days of the hours that are not kept, and removes days that are not kept either. Returns how many rows it took away.
    pub async fn keep_usage(&self, kept: UsageKept, now: Timestamp) -> Result<u64, StoreError> {
        let mut removed = self.roll_up_usage(kept.hours_since(now)).await?;
        let days = "DELETE FROM usage_day WHERE (credential, day, code) IN
                    (SELECT credential, day, code FROM usage_day WHERE day < $1 LIMIT $2)";
        let organization_days = "DELETE FROM organization_usage_day WHERE (organization, day, code) IN
                                 (SELECT organization, day, code FROM organization_usage_day WHERE day < $1 LIMIT $2)";
        let permission_days = "DELETE FROM usage_permission_day WHERE (credential, day, permission) IN
                               (SELECT credential, day, permission FROM usage_permission_day WHERE day < $1 LIMIT $2)";
        let ranks = "DELETE FROM usage_rank WHERE (organization, credential, day) IN
                     (SELECT organization, credential, day FROM usage_rank WHERE day < $1 LIMIT $2)";
        let tables = [
            (days, kept.days),
            (organization_days, kept.days),
            (permission_days, kept.days),
            (ranks, KEEP_RANKS.min(kept.days)),
        ];
        for (delete, keep) in tables {
            removed += self.in_batches(&sql(delete).bind(now - keep).bind(BATCH as i64)).await?;
        }
        Ok(removed)
    }

    /// Makes days of the hours before `before`, which is the start of a day. Returns how many hours there were.
    async fn roll_up_usage(&self, before: Timestamp) -> Result<u64, StoreError> {
        let mut hours = 0;
        for tables in TABLES {
            loop {
                let done = self.roll_up_some(tables, before).await?;
                hours += done as u64;
                if done < HOURS {
                    break;
                }
            }
        }
        Ok(hours)
    }

    async fn roll_up_some(
        &self,
        (hours, days, whose): (&str, &str, &str),
        before: Timestamp,
    ) -> Result<usize, StoreError> {
        let mut transaction = WriteTransaction::begin_alone(&self.database.pools).await?;
        // Another node that does it already needs no help.
        if !transaction.try_lock(TRY_ROLL_UP).await? {
            return Ok(0);
        }
        let oldest = format!(
            "SELECT {whose} AS whose, hour, code, uses FROM {hours} WHERE hour < $1 ORDER BY hour, {whose}, code LIMIT $2"
        );
        // Whoever counts for one of these hours meanwhile waits, and makes it anew.
        let mut locked = Executor::Transaction { transaction: &mut transaction, lock: true };
        let rows = locked.all(sql(&oldest).bind(before).bind(HOURS as i64)).await?;
        let (mut gone, mut sums) = (Vec::with_capacity(rows.len()), BTreeMap::<_, i64>::new());
        for row in &rows {
            let (whose, hour, code) = (row.text("whose")?, row.int("hour")?, row.text("code")?);
            gone.push(json!([whose, hour, code]));
            let sum = sums.entry((whose, hour - hour.rem_euclid(DAY_MS), code)).or_default();
            *sum = sum.saturating_add(row.int("uses")?);
        }
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(0) };
        let (first, last) = (first.int("hour")?, last.int("hour")?);
        let sums: Vec<_> = sums.iter().map(|((whose, day, code), uses)| json!([whose, day, code, uses])).collect();
        let from = self.database.pools.json_rows();
        let add = format!(
            "INSERT INTO {days} ({whose}, day, code, uses)
             SELECT value ->> 0, CAST(value ->> 1 AS BIGINT), value ->> 2, CAST(value ->> 3 AS BIGINT) FROM {from} WHERE 1 = 1
             ON CONFLICT ({whose}, day, code) DO UPDATE SET uses = {days}.uses + excluded.uses"
        );
        transaction.execute(sql(&add).bind(serde_json::Value::from(sums).to_string())).await?;
        let number = gone.len();
        // The bounds say nothing that the list does not, but SQLite reads no more than what is between them.
        let take = format!(
            "DELETE FROM {hours} WHERE ({whose}, hour, code) IN
             (SELECT value ->> 0, CAST(value ->> 1 AS BIGINT), value ->> 2 FROM {from}) AND hour >= $2 AND hour <= $3"
        );
        let take = sql(&take).bind(serde_json::Value::from(gone).to_string()).bind(first).bind(last);
        transaction.execute(take).await?;
        transaction.commit().await?;
        Ok(number)
    }
}
