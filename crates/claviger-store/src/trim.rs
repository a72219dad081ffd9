//! What grows and nobody needs any more is taken away here, by the server's hourly job.

use jiff::{SignedDuration, Timestamp};

use crate::{
    Store,
    error::StoreError,
    sql::{Query, WriteTransaction, sql},
    token_status::StatusShard,
};

const KEEP_LOG: SignedDuration = SignedDuration::from_hours(24);
const KEEP_ANSWERS: SignedDuration = SignedDuration::from_hours(24);
/// Counted from their end, so that no node whose clock is behind takes one for unknown, or one that was revoked for valid.
const KEEP_TOKENS: SignedDuration = SignedDuration::from_hours(24);
/// After the end of their week.
const KEEP_STATUS_LISTS: SignedDuration = SignedDuration::from_hours(24);
/// Counted from the end that it was made with, whatever ended it before.
const KEEP_INVITATIONS: SignedDuration = SignedDuration::from_hours(30 * 24);
/// After their end, so that a device that asks late is told that it is.
const KEEP_DEVICE_REQUESTS: SignedDuration = SignedDuration::from_hours(1);
/// After its end, as long as lists show what became of it.
const KEEP_CLAIM_CODES: SignedDuration = SignedDuration::from_hours(30 * 24);
/// After its end, for the clock of a node may be behind.
const KEEP_SINGLE_USES: SignedDuration = SignedDuration::from_mins(10);
const KEEP_QUOTAS: SignedDuration = SignedDuration::from_hours(400 * 24);
const KEEP_SIGNING_KEYS: SignedDuration = SignedDuration::from_hours(400 * 24);

/// Rows per transaction: other writers wait no longer than that takes.
pub(crate) const BATCH: u64 = 5000;

impl Store {
    /// Removes codes and sessions that have ended, single uses that ended ten minutes ago, requests of devices that ended an
    /// hour ago, access tokens that ended a day ago, places in status lists of weeks that ended a day ago, invitations and claim codes that ended a month ago, change-log rows and kept answers older than a day,
    /// and uses of quotas and removed signing keys older than 400 days. Usage is kept by [`Self::keep_usage`]. The newest log row stays:
    /// its number is how a node knows that it still follows the same log.
    pub async fn trim(&self, now: Timestamp) -> Result<u64, StoreError> {
        let log = "DELETE FROM change_log WHERE seq IN
                   (SELECT seq FROM change_log WHERE at < $1 AND seq < (SELECT MAX(seq) FROM change_log) LIMIT $2)";
        let answers = "DELETE FROM idempotency WHERE key IN
                       (SELECT key FROM idempotency WHERE created_at < $1 LIMIT $2)";
        let mut removed = 0;
        let quotas = "DELETE FROM quota_use WHERE (holder, period) IN
                      (SELECT holder, period FROM quota_use WHERE period < $1 LIMIT $2)";
        let codes = "DELETE FROM one_time_code WHERE digest IN
                     (SELECT digest FROM one_time_code WHERE ends_at <= $1 LIMIT $2)";
        let invitations = "DELETE FROM invitation WHERE id IN
                           (SELECT id FROM invitation WHERE ends_at <= $1 LIMIT $2)";
        self.erase_ended_invitations(now - KEEP_INVITATIONS).await?;
        let keys = "DELETE FROM signing_key WHERE id IN
                    (SELECT id FROM signing_key WHERE removed_at <= $1 LIMIT $2)";
        let sessions = "DELETE FROM session WHERE id IN (SELECT id FROM session WHERE ends_at <= $1 LIMIT $2)";
        let tokens = "DELETE FROM access_token WHERE digest IN
                      (SELECT digest FROM access_token WHERE expires_at <= $1 LIMIT $2)";
        let revoked = "DELETE FROM revoked_token WHERE id IN
                       (SELECT id FROM revoked_token WHERE expires_at <= $1 LIMIT $2)";
        let single_uses = "DELETE FROM used_jti WHERE key IN
                           (SELECT key FROM used_jti WHERE expires_at <= $1 LIMIT $2)";
        let devices = "DELETE FROM device_request WHERE id IN
                       (SELECT id FROM device_request WHERE expires_at <= $1 LIMIT $2)";
        let claim_codes = "DELETE FROM claim_code WHERE id IN
                           (SELECT id FROM claim_code WHERE ends_at <= $1 LIMIT $2)";
        let kinds = [
            (invitations, KEEP_INVITATIONS),
            (codes, SignedDuration::ZERO),
            (devices, KEEP_DEVICE_REQUESTS),
            (claim_codes, KEEP_CLAIM_CODES),
            (sessions, SignedDuration::ZERO),
            (tokens, KEEP_TOKENS),
            (revoked, KEEP_TOKENS),
            (log, KEEP_LOG),
            (answers, KEEP_ANSWERS),
            (quotas, KEEP_QUOTAS),
            (keys, KEEP_SIGNING_KEYS),
            (single_uses, KEEP_SINGLE_USES),
        ];
        for (delete, keep) in kinds {
            removed += self.in_batches(&sql(delete).bind(now - keep).bind(BATCH as i64)).await?;
        }
        let places = "DELETE FROM token_status WHERE (week, shard, place) IN
                      (SELECT week, shard, place FROM token_status WHERE week < $1 LIMIT $2)";
        let clients = "DELETE FROM token_client WHERE (client, credential, week) IN
                       (SELECT client, credential, week FROM token_client WHERE week < $1 LIMIT $2)";
        let week = StatusShard::week_of(now - KEEP_STATUS_LISTS);
        for delete in [places, clients] {
            removed += self.in_batches(&sql(delete).bind(week).bind(BATCH as i64)).await?;
        }
        Ok(removed)
    }

    /// The address of whoever was invited is erased from the audit trail before the invitation is forgotten: nothing would
    /// lead to it afterwards.
    async fn erase_ended_invitations(&self, before: Timestamp) -> Result<(), StoreError> {
        let erase = "UPDATE audit_event SET personal = NULL WHERE (chain, seq) IN
                     (SELECT e.chain, e.seq FROM invitation i JOIN audit_event e ON e.target = i.id
                      WHERE i.ends_at <= $1 AND e.personal IS NOT NULL LIMIT $2)";
        self.in_batches(&sql(erase).bind(before).bind(BATCH as i64)).await.map(drop)
    }

    /// Repeats a statement that removes [`BATCH`] rows at most until it finds less.
    async fn in_batches(&self, statement: &Query) -> Result<u64, StoreError> {
        let mut rows = 0;
        loop {
            let mut transaction = WriteTransaction::begin_alone(&self.database.pools).await?;
            let batch = transaction.execute(statement.clone()).await?;
            transaction.commit().await?;
            rows += batch;
            if batch < BATCH {
                return Ok(rows);
            }
        }
    }
}
