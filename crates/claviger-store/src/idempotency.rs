//! Answers kept for 24 hours, so that a repeated POST does nothing twice.

use jiff::Timestamp;

use crate::{Store, error::StoreError, sql::sql, tx::Tx};

/// What a repeated request is recognised by: keyed hashes, for the texts may be anything.
#[derive(Debug, Clone, Copy)]
pub struct IdempotencyKey {
    /// Of the caller, the route and the header.
    pub key: [u8; 32],
    /// Of the body.
    pub body: [u8; 32],
}

/// An answer to keep, or one that was kept.
#[derive(Debug, Clone)]
pub struct Remembered {
    /// For which request.
    pub request: IdempotencyKey,
    /// HTTP status.
    pub status: u16,
    /// The `Location` header.
    pub location: Option<String>,
    /// The body, without its secret.
    pub answer: String,
}

impl Store {
    /// What was answered to this key, whatever the body was then.
    pub async fn remembered(&self, key: &[u8; 32]) -> Result<Option<Remembered>, StoreError> {
        let query = sql("SELECT body, status, location, answer FROM idempotency WHERE key = $1").bind(*key);
        let Some(row) = self.read().optional(query).await? else { return Ok(None) };
        Ok(Some(Remembered {
            request: IdempotencyKey { key: *key, body: row.hash("body")? },
            status: u16::try_from(row.int("status")?).map_err(StoreError::damaged)?,
            location: row.text_or_null("location")?,
            answer: row.text("answer")?,
        }))
    }
}

impl Tx<'_> {
    pub(crate) async fn remember(
        &mut self,
        answer: &Remembered,
        about: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let insert = sql("INSERT INTO idempotency (key, body, status, location, answer, about, created_at)
                          VALUES ($1, $2, $3, $4, $5, $6, $7)");
        let insert = insert
            .bind(answer.request.key)
            .bind(answer.request.body)
            .bind(i64::from(answer.status))
            .bind(answer.location.clone())
            .bind(answer.answer.as_str())
            .bind(about)
            .bind(now);
        self.later(insert).await
    }
}
