//! What was used of quotas, in storage: added up over all nodes, so that it survives each of them.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::{
    Store,
    error::StoreError,
    flush::Flush,
    sql::{Row, WriteTransaction, sql},
};

/// Uses of quotas that are not yet written, by who carries the quota (its id) and the start of the period. Ordered, so
/// that nodes that write at once lock rows in one order.
pub type QuotaUses = BTreeMap<(String, Timestamp), u64>;

impl Store {
    /// What was used of quotas in the periods that start then; nothing is said of those that were not used.
    pub async fn quotas_used(&self, asked: &[(&str, Timestamp)]) -> Result<QuotaUses, StoreError> {
        let mut query = sql("SELECT holder, period, used FROM quota_use WHERE 1 = 0");
        for (holder, period) in asked {
            query = query.and_bind(" OR (holder = ?", *holder).and_bind(" AND period = ?)", *period);
        }
        let rows = self.read().all(query).await?;
        let read = |row: &Row| {
            let used = u64::try_from(row.int("used")?).map_err(StoreError::damaged)?;
            Ok(((row.text("holder")?, row.time("period")?), used))
        };
        rows.iter().map(read).collect()
    }

    /// Adds uses, all or none of them, and tells what is used of each quota since. What was added before by the same `flush` is not added
    /// again: who is told of a failure does not know whether it was. Not a change: nothing is audited.
    pub async fn add_quota_uses(&self, flush: &Flush, uses: &QuotaUses) -> Result<QuotaUses, StoreError> {
        if uses.is_empty() {
            return Ok(QuotaUses::new());
        }
        let mut transaction = WriteTransaction::begin_alone(&self.database.pools).await?;
        let is_new = transaction.note_flush(flush).await?;
        let mut totals = QuotaUses::new();
        for ((holder, period), used) in uses {
            let used = if is_new { i64::try_from(*used).unwrap_or(i64::MAX) } else { 0 };
            let add = sql("INSERT INTO quota_use (holder, period, used) VALUES ($1, $2, $3)
                           ON CONFLICT (holder, period) DO UPDATE SET used = quota_use.used + excluded.used
                           RETURNING used");
            let total =
                transaction.read().one(add.bind(holder.as_str()).bind(*period).bind(used)).await?.int("used")?;
            totals.insert((holder.clone(), *period), u64::try_from(total).map_err(StoreError::damaged)?);
        }
        transaction.commit().await?;
        Ok(totals)
    }
}
