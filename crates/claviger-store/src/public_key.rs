//! Public keys of clients in storage: credentials that have a key where others have secrets.

use claviger_core::{ClientKey, Credential, Kind};
use claviger_token::{PublicKeyId, ServiceAccountId};
use jiff::Timestamp;

use crate::{
    credential::COLUMNS,
    error::StoreError,
    sql::{Query, Row, sql, text},
    tx::Tx,
    view::{Page, View},
};

/// No service account has more that count.
const MOST_LIVING: i64 = 20;

fn those() -> Query {
    sql("SELECT k.client_key, ")
        .and(COLUMNS)
        .and(" FROM credential k WHERE k.deleted_at IS NULL")
        .and_bind(" AND k.kind = ?", Kind::PublicKey.as_str())
}

impl View<'_> {
    /// One with its key, unless it is deleted or out of reach.
    pub async fn public_key(&mut self, id: PublicKeyId) -> Result<Option<(Credential, ClientKey)>, StoreError> {
        let query = self.bound(those().and_bind(" AND k.id = ?", text(id)), "k.organization");
        let row = self.executor.optional(query).await?;
        Ok(self.with_keys(row.as_slice()).await?.pop())
    }

    /// A page of those of a service account.
    pub async fn public_keys(
        &mut self,
        of: ServiceAccountId,
        page: &Page<PublicKeyId>,
    ) -> Result<Vec<(Credential, ClientKey)>, StoreError> {
        let query = those().and_bind(" AND k.principal = ?", text(of));
        let rows = self.page(query, "k.organization", None, page, "k.id").await?;
        self.with_keys(&rows).await
    }

    /// All that a service account has and that were not revoked, newest first: with what its assertions can be proved, as far as
    /// each counts now.
    pub async fn client_keys(&mut self, of: ServiceAccountId) -> Result<Vec<(Credential, ClientKey)>, StoreError> {
        let query = those().and_bind(" AND k.principal = ?", text(of)).and(" AND k.revoked_at IS NULL");
        let query = self.bound(query, "k.organization").and(" ORDER BY k.id DESC");
        let rows = self.executor.all(query).await?;
        self.with_keys(&rows).await
    }

    /// Those of them that count now: with what the assertions of a client can be proved.
    pub async fn living_client_keys(
        &mut self,
        of: ServiceAccountId,
        now: Timestamp,
    ) -> Result<Vec<(Credential, ClientKey)>, StoreError> {
        let query = those()
            .and_bind(" AND k.principal = ?", text(of))
            .and(" AND k.revoked_at IS NULL AND k.disabled_at IS NULL")
            .and_bind(" AND (k.expires_at IS NULL OR k.expires_at > ?)", now);
        let query = self.bound(query, "k.organization").and_bind(" ORDER BY k.id DESC LIMIT ?", MOST_LIVING);
        let rows = self.executor.all(query).await?;
        self.with_keys(&rows).await
    }

    async fn with_keys(&mut self, rows: &[Row]) -> Result<Vec<(Credential, ClientKey)>, StoreError> {
        let credentials = self.with_secrets(rows).await?;
        let key = |row: &Row| ClientKey::from_text(&row.text("client_key")?).map_err(StoreError::damaged);
        credentials.into_iter().zip(rows).map(|(credential, row)| Ok((credential, key(row)?))).collect()
    }
}

impl Tx<'_> {
    /// Adds one. What changes of it afterwards is [`Tx::save_credential`]'s.
    pub async fn insert_public_key(&mut self, new: &Credential, key: &ClientKey) -> Result<(), StoreError> {
        self.insert_record(new, Some(key.to_text())).await
    }
}
