//! What grows and nobody needs any more is taken away here, by the server's hourly job.

use jiff::{SignedDuration, Timestamp};

use crate::{
    Store,
    error::StoreError,
    sql::{Query, WriteTransaction, sql},
};

const KEEP_LOG: SignedDuration = SignedDuration::from_hours(24);
const KEEP_ANSWERS: SignedDuration = SignedDuration::from_hours(24);
const KEEP_USAGE: SignedDuration = SignedDuration::from_hours(400 * 24);

/// Rows per transaction: other writers wait no longer than that takes.
const BATCH: u64 = 5000;

impl Store {
    /// Removes codes that have ended, change-log rows and kept answers older than a day, and usage and uses of quotas
    /// older than 400 days. The newest log row stays: its number is how a node knows that it still follows the same log.
    pub async fn trim(&self, now: Timestamp) -> Result<u64, StoreError> {
        let log = "DELETE FROM change_log WHERE seq IN
                   (SELECT seq FROM change_log WHERE at < $1 AND seq < (SELECT MAX(seq) FROM change_log) LIMIT $2)";
        let answers = "DELETE FROM idempotency WHERE key IN
                       (SELECT key FROM idempotency WHERE created_at < $1 LIMIT $2)";
        let hours = "DELETE FROM usage_hour WHERE (credential, hour, code) IN
                     (SELECT credential, hour, code FROM usage_hour WHERE hour < $1 LIMIT $2)";
        let days = "DELETE FROM usage_permission_day WHERE (credential, day, permission) IN
                    (SELECT credential, day, permission FROM usage_permission_day WHERE day < $1 LIMIT $2)";
        let mut removed = 0;
        let quotas = "DELETE FROM quota_use WHERE (holder, period) IN
                      (SELECT holder, period FROM quota_use WHERE period < $1 LIMIT $2)";
        let codes = "DELETE FROM one_time_code WHERE digest IN
                     (SELECT digest FROM one_time_code WHERE ends_at <= $1 LIMIT $2)";
        let kinds = [
            (codes, SignedDuration::ZERO),
            (log, KEEP_LOG),
            (answers, KEEP_ANSWERS),
            (hours, KEEP_USAGE),
            (days, KEEP_USAGE),
            (quotas, KEEP_USAGE),
        ];
        for (delete, keep) in kinds {
            removed += self.delete_in_batches(&sql(delete).bind(now - keep).bind(BATCH as i64)).await?;
        }
        Ok(removed)
    }

    async fn delete_in_batches(&self, delete: &Query) -> Result<u64, StoreError> {
        let mut removed = 0;
        loop {
            let mut transaction = WriteTransaction::begin(&self.database.pools).await?;
            let batch = transaction.execute(delete.clone()).await?;
            transaction.commit().await?;
            removed += batch;
            if batch < BATCH {
                return Ok(removed);
            }
        }
    }
}
