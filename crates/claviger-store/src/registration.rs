//! Registered clients in storage: what there is to know of one beside its service account.

use claviger_core::Registration;
use claviger_token::{OrganizationId, PermissionSet, ServiceAccountId};

use crate::{
    error::StoreError,
    sql::{sql, text},
    tx::Tx,
    view::View,
};

impl View<'_> {
    /// How a service account was registered, if it was, and neither is deleted nor out of reach.
    pub async fn registration(&mut self, client: ServiceAccountId) -> Result<Option<Registration>, StoreError> {
        let query = sql("SELECT r.client, r.organization, r.registrar, r.key, r.ceiling
                         FROM registration r JOIN service_account s ON s.id = r.client WHERE s.deleted_at IS NULL");
        let query = self.bound(query.and_bind(" AND r.client = ?", text(client)), "r.organization");
        let Some(row) = self.executor.optional(query).await? else { return Ok(None) };
        Ok(Some(Registration {
            client: row.parse("client")?,
            organization: row.parse("organization")?,
            registrar: row.parse("registrar")?,
            key: row.parse("key")?,
            ceiling: PermissionSet::from_text(&row.text("ceiling")?).map_err(StoreError::damaged)?,
        }))
    }

    /// How many registered clients an organization has.
    pub async fn count_registrations(&mut self, organization: OrganizationId) -> Result<i64, StoreError> {
        let query = sql("SELECT COUNT(*) AS number FROM registration r JOIN service_account s ON s.id = r.client
                         WHERE s.deleted_at IS NULL");
        let query = self.bound(query.and_bind(" AND r.organization = ?", text(organization)), "r.organization");
        self.executor.optional(query).await?.map_or(Ok(0), |row| row.int("number"))
    }
}

impl Tx<'_> {
    /// Adds what is known of one. It never changes.
    pub async fn insert_registration(&mut self, new: &Registration) -> Result<(), StoreError> {
        let insert = sql("INSERT INTO registration (client, organization, registrar, key, ceiling)
                          VALUES ($1, $2, $3, $4, $5)");
        let insert = insert
            .bind(text(new.client))
            .bind(text(new.organization))
            .bind(text(new.registrar))
            .bind(text(new.key))
            .bind(new.ceiling.to_text());
        self.execute(insert).await.map(drop)
    }
}
