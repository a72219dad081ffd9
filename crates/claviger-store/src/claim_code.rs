//! Claim codes in storage: only a digest of each.

use claviger_core::{ClaimCode, Digest};
use claviger_token::{ClaimCodeId, FleetId};
use jiff::Timestamp;

use crate::{
    error::StoreError,
    sql::{Row, sql, text, text_or_null},
    tx::Tx,
    view::{Page, View},
};

const COLUMNS: &str =
    "SELECT id, fleet, organization, hint, uses, used, gives, created_at, created_by, created_with, ends_at, revoked_at
                       FROM claim_code";

impl View<'_> {
    /// One, in whatever state.
    pub async fn claim_code(&mut self, id: ClaimCodeId) -> Result<Option<ClaimCode>, StoreError> {
        let query = self.bound(sql(COLUMNS).and_bind(" WHERE id = ?", text(id)), "organization");
        self.executor.optional(query).await?.as_ref().map(read).transpose()
    }

    /// The one that somebody shows, in whatever state.
    pub async fn claim_code_shown(&mut self, digest: &Digest) -> Result<Option<ClaimCode>, StoreError> {
        let query = self.bound(sql(COLUMNS).and_bind(" WHERE digest = ?", digest.bytes), "organization");
        self.executor.optional(query).await?.as_ref().map(read).transpose()
    }

    /// How many of a fleet are open.
    pub async fn count_open_claim_codes(&mut self, fleet: FleetId, now: Timestamp) -> Result<i64, StoreError> {
        let query = sql("SELECT COUNT(*) AS number FROM claim_code WHERE revoked_at IS NULL AND used < uses");
        let query = query.and_bind(" AND fleet = ?", text(fleet)).and_bind(" AND ends_at > ?", now);
        self.executor.unlocked().one(query).await?.int("number")
    }

    /// Those of a fleet.
    pub async fn claim_codes(
        &mut self,
        fleet: FleetId,
        page: &Page<ClaimCodeId>,
    ) -> Result<Vec<ClaimCode>, StoreError> {
        let query = sql(COLUMNS).and_bind(" WHERE fleet = ?", text(fleet));
        self.page(query, "organization", None, page, "id").await?.iter().map(read).collect()
    }
}

impl Tx<'_> {
    /// Adds one.
    pub async fn insert_claim_code(&mut self, new: &ClaimCode, digest: &Digest) -> Result<(), StoreError> {
        let insert = sql(
            "INSERT INTO claim_code (id, fleet, organization, digest, pepper, hint, uses, used, gives, created_at, created_by,
                            created_with, ends_at)
                          VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        );
        let insert = insert
            .bind(text(new.id))
            .bind(text(new.fleet))
            .bind(text(new.organization))
            .bind(digest.bytes)
            .bind(digest.pepper)
            .bind(new.hint.as_str())
            .bind(new.uses)
            .bind(new.used)
            .bind(new.gives.to_text())
            .bind(new.created_at)
            .bind(new.created_by.as_str())
            .bind(text_or_null(new.created_with))
            .bind(new.ends_at);
        self.execute(insert).await.map(drop)
    }

    /// Keeps that it was taken back.
    pub async fn save_claim_code(&mut self, new: &ClaimCode) -> Result<(), StoreError> {
        let update = sql("UPDATE claim_code SET revoked_at = $2 WHERE id = $1");
        self.execute(update.bind(text(new.id)).bind(new.revoked_at)).await.map(drop)
    }

    /// Takes one use of it. Of many who do so at once, anywhere, no more are told that they did than it has uses.
    pub async fn use_claim_code(&mut self, id: ClaimCodeId) -> Result<bool, StoreError> {
        let update = sql("UPDATE claim_code SET used = used + 1 WHERE id = $1 AND used < uses AND revoked_at IS NULL");
        Ok(self.execute(update.bind(text(id))).await? == 1)
    }
}

fn read(row: &Row) -> Result<ClaimCode, StoreError> {
    Ok(ClaimCode {
        id: row.parse("id")?,
        fleet: row.parse("fleet")?,
        organization: row.parse("organization")?,
        hint: row.text("hint")?,
        uses: row.count("uses")?,
        used: row.count("used")?,
        gives: row.permissions("gives")?,
        created_at: row.time("created_at")?,
        created_by: row.text("created_by")?,
        created_with: row.parse_or_null("created_with")?,
        ends_at: row.time("ends_at")?,
        revoked_at: row.time_or_null("revoked_at")?,
    })
}
