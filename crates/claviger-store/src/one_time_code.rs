//! Codes of links that work once. Only a digest is stored, and the row goes when the code is used.

use claviger_core::{CodePurpose, Digest, OneTimeCode, Reach};
use claviger_token::UserId;
use jiff::Timestamp;

use crate::{
    Store,
    error::StoreError,
    sql::{Executor, Query, Row, sql, text, text_or_null},
    tx::Tx,
};

const COLUMNS: &str = "purpose, person, organization, details, created_at, created_by, created_with, ends_at";

impl Store {
    /// What stands behind a code that still works, without using it: for a page that asks before it acts.
    pub async fn one_time_code(
        &self,
        purpose: CodePurpose,
        digest: &Digest,
        now: Timestamp,
    ) -> Result<Option<OneTimeCode>, StoreError> {
        let query = which(sql("SELECT ").and(COLUMNS).and(" FROM one_time_code"), purpose, digest, now);
        found(&mut self.read(), query).await
    }
}

impl Tx<'_> {
    /// Adds one.
    pub async fn insert_one_time_code(&mut self, new: &OneTimeCode, digest: &Digest) -> Result<(), StoreError> {
        let insert = sql("INSERT INTO one_time_code (digest, purpose, person, organization, details, created_at,
                            created_by, created_with, ends_at)
                          VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)");
        let insert = insert
            .bind(digest.bytes)
            .bind(new.purpose.as_str())
            .bind(text(new.user))
            .bind(text_or_null(new.organization))
            .bind(new.details.to_string())
            .bind(new.created_at)
            .bind(new.created_by.as_str())
            .bind(text_or_null(new.created_with))
            .bind(new.ends_at);
        self.execute(insert).await.map(drop)
    }

    /// Uses one: of two who redeem it at once, one gets it. It is gone with the commit.
    pub async fn redeem_one_time_code(
        &mut self,
        purpose: CodePurpose,
        digest: &Digest,
        now: Timestamp,
    ) -> Result<Option<OneTimeCode>, StoreError> {
        let delete = which(sql("DELETE FROM one_time_code"), purpose, digest, now);
        let delete = delete.and(" RETURNING ").and(COLUMNS);
        found(&mut self.within(Reach::Instance).executor, delete).await
    }

    /// Voids all that a user has for this purpose.
    pub async fn void_one_time_codes(&mut self, user: UserId, purpose: CodePurpose) -> Result<(), StoreError> {
        let delete = sql("DELETE FROM one_time_code WHERE person = $1 AND purpose = $2");
        self.execute(delete.bind(text(user)).bind(purpose.as_str())).await.map(drop)
    }
}

/// Half open: dead at the instant of its end.
fn which(query: Query, purpose: CodePurpose, digest: &Digest, now: Timestamp) -> Query {
    query
        .and_bind(" WHERE digest = ?", digest.bytes)
        .and_bind(" AND purpose = ?", purpose.as_str())
        .and_bind(" AND ends_at > ?", now)
}

async fn found(executor: &mut Executor<'_>, query: Query) -> Result<Option<OneTimeCode>, StoreError> {
    executor.optional(query).await?.as_ref().map(read).transpose()
}

fn read(row: &Row) -> Result<OneTimeCode, StoreError> {
    Ok(OneTimeCode {
        purpose: row.parse("purpose")?,
        user: row.parse("person")?,
        organization: row.parse_or_null("organization")?,
        details: serde_json::from_str(&row.text("details")?).map_err(StoreError::damaged)?,
        created_at: row.time("created_at")?,
        created_by: row.text("created_by")?,
        created_with: row.parse_or_null("created_with")?,
        ends_at: row.time("ends_at")?,
    })
}
