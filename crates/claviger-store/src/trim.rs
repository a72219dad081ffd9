//! What grows and nobody needs any more is taken away here, by the server's hourly job.

use jiff::{SignedDuration, Timestamp};

use crate::{Store, error::StoreError, sql::WriteTransaction, sql::sql};

const KEEP_LOG: SignedDuration = SignedDuration::from_hours(24);
const KEEP_ANSWERS: SignedDuration = SignedDuration::from_hours(24);

impl Store {
    /// Removes change-log rows and kept answers older than a day. The newest log row stays: its number
    /// is how a node knows that it still follows the same log.
    pub async fn trim(&self, now: Timestamp) -> Result<u64, StoreError> {
        let mut transaction = WriteTransaction::begin(&self.database.pools).await?;
        let log = sql("DELETE FROM change_log WHERE at < $1 AND seq < (SELECT MAX(seq) FROM change_log)");
        let mut removed = transaction.execute(log.bind(now - KEEP_LOG)).await?;
        let answers = sql("DELETE FROM idempotency WHERE created_at < $1");
        removed += transaction.execute(answers.bind(now - KEEP_ANSWERS)).await?;
        transaction.commit().await?;
        Ok(removed)
    }
}
