//! Service accounts in storage.

use std::collections::HashMap;

use claviger_core::{Metadata, Name, RevokeReason, ServiceAccount};
use claviger_token::{CredentialId, OrganizationId, ServiceAccountId};
use jiff::Timestamp;

use crate::{
    credential::Owner,
    error::StoreError,
    narrowing::Narrowed,
    sql::{Query, Row, limits, sql, text, text_or_null},
    tx::Tx,
    view::{Page, View, contains},
};

const COLUMNS: &str =
    "SELECT id, organization, name, external_id, limits, metadata, disabled_at, created_at, deleted_at,
                       token_endpoint_auth_method, legacy_assertion_audience, dpop_bound_access_tokens,
                       tls_client_certificate_bound_access_tokens, grant_types
                       FROM service_account";

/// Of an account `a`, those that live.
const LIVING: &str = "FROM credential k WHERE k.principal = a.id AND k.deleted_at IS NULL AND k.revoked_at IS NULL
                        AND COALESCE(k.expires_at, 9223372036854775807) > ?";

impl View<'_> {
    /// One, unless it is deleted or out of reach.
    pub async fn service_account(&mut self, id: ServiceAccountId) -> Result<Option<ServiceAccount>, StoreError> {
        let query = sql(COLUMNS).and_bind(" WHERE id = ?", text(id)).and(" AND deleted_at IS NULL");
        let query = self.bound(query, "organization");
        self.executor.optional(query).await?.as_ref().map(read).transpose()
    }

    /// Those whose name or external id contains `q`.
    pub async fn service_accounts(
        &mut self,
        organization: Option<OrganizationId>,
        q: Option<&str>,
        page: &Page<ServiceAccountId>,
    ) -> Result<Vec<ServiceAccount>, StoreError> {
        let found = " AND (LOWER(name) LIKE LOWER(?) ESCAPE '\\' OR LOWER(external_id) LIKE LOWER(?) ESCAPE '\\')";
        let query = sql(COLUMNS).and(" WHERE deleted_at IS NULL").and_if(found, q.map(contains));
        self.page(query, "organization", organization, page, "id").await?.iter().map(read).collect()
    }

    /// How many credentials each of these has that live at `now`; from `most` on it stops to count.
    pub async fn credentials_of_accounts(
        &mut self,
        accounts: &[ServiceAccountId],
        now: Timestamp,
        most: u32,
    ) -> Result<HashMap<ServiceAccountId, Held>, StoreError> {
        if accounts.is_empty() {
            return Ok(HashMap::new());
        }
        let counted = |query: Query, which: &str| {
            query
                .and("(SELECT COUNT(*) FROM (SELECT k.id ")
                .and_bind(LIVING, now)
                .and(which)
                .and_bind(" LIMIT ?", i64::from(most))
                .and(") counted)")
        };
        let query = counted(sql("SELECT a.id, "), " AND k.kind = 'api_key'").and(" AS keys, ");
        let query = counted(query, " AND k.kind <> 'api_key'").and(" AS proofs FROM service_account a WHERE a.id IN ");
        let query = query.and_list(accounts.iter().map(text)).and(" AND a.deleted_at IS NULL");
        let rows = self.executor.all(self.bound(query, "a.organization")).await?;
        let held = |row: &Row| Ok((row.parse("id")?, Held { api_keys: row.int("keys")?, proofs: row.int("proofs")? }));
        rows.iter().map(held).collect()
    }
}

/// How much a service account has that works, or would if it were not stopped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Held {
    /// API keys.
    pub api_keys: i64,
    /// What it proves itself by at the token endpoint.
    pub proofs: i64,
}

impl Tx<'_> {
    /// Adds one.
    pub async fn insert_service_account(&mut self, new: &ServiceAccount) -> Result<(), StoreError> {
        let insert =
            sql("INSERT INTO service_account (id, organization, name, external_id, limits, metadata, created_at,
                            token_endpoint_auth_method, legacy_assertion_audience, dpop_bound_access_tokens,
                            tls_client_certificate_bound_access_tokens, grant_types)
                          VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)");
        let insert = insert
            .bind(text(new.id))
            .bind(text(new.organization))
            .bind(text(&new.name))
            .bind(new.external_id.clone())
            .bind(limits(&new.limits)?)
            .bind(new.metadata.as_str())
            .bind(new.created_at)
            .bind(text_or_null(new.token_endpoint_auth_method))
            .bind(new.legacy_assertion_audience)
            .bind(new.dpop_bound_access_tokens)
            .bind(new.tls_client_certificate_bound_access_tokens)
            .bind(text_or_null(new.grant_types.as_ref()));
        self.execute(insert).await.map(drop)
    }

    /// Replaces what can change of one.
    pub async fn save_service_account(&mut self, new: &ServiceAccount) -> Result<(), StoreError> {
        let update =
            sql("UPDATE service_account SET name = $2, external_id = $3, limits = $4, metadata = $5, disabled_at = $6,
                          deleted_at = $7, token_endpoint_auth_method = $8, legacy_assertion_audience = $9,
                          dpop_bound_access_tokens = $10, tls_client_certificate_bound_access_tokens = $11, grant_types = $12
                          WHERE id = $1");
        let update = update
            .bind(text(new.id))
            .bind(text(&new.name))
            .bind(new.external_id.clone())
            .bind(limits(&new.limits)?)
            .bind(new.metadata.as_str())
            .bind(new.disabled_at)
            .bind(new.deleted_at)
            .bind(text_or_null(new.token_endpoint_auth_method))
            .bind(new.legacy_assertion_audience)
            .bind(new.dpop_bound_access_tokens)
            .bind(new.tls_client_certificate_bound_access_tokens)
            .bind(text_or_null(new.grant_types.as_ref()));
        self.execute(update).await.map(drop)
    }

    /// Ends every credential and right of a deleted service account, so that nothing comes back with it. Tells which
    /// credentials ended.
    pub async fn end_all_of_service_account(
        &mut self,
        id: ServiceAccountId,
        now: Timestamp,
    ) -> Result<Vec<CredentialId>, StoreError> {
        self.delete_assignments(|all| all.and_bind(" WHERE a.principal = ?", text(id))).await?;
        self.raise_epochs(Narrowed::ExchangedBy(id)).await?;
        let ended = self.end_credentials(Owner::Principal(id.into()), RevokeReason::OwnerLeft, now).await?;
        self.end_device(id, now).await?;
        Ok(ended)
    }
}

fn read(row: &Row) -> Result<ServiceAccount, StoreError> {
    Ok(ServiceAccount {
        id: row.parse("id")?,
        organization: row.parse("organization")?,
        name: Name::parse(&row.text("name")?).map_err(StoreError::damaged)?,
        external_id: row.text_or_null("external_id")?,
        token_endpoint_auth_method: row.parse_or_null("token_endpoint_auth_method")?,
        legacy_assertion_audience: row.flag("legacy_assertion_audience")?,
        dpop_bound_access_tokens: row.flag("dpop_bound_access_tokens")?,
        grant_types: row.parse_or_null("grant_types")?,
        tls_client_certificate_bound_access_tokens: row.flag("tls_client_certificate_bound_access_tokens")?,
        limits: row.limits("limits")?,
        metadata: Metadata::from_stored(row.text("metadata")?).map_err(StoreError::damaged)?,
        disabled_at: row.time_or_null("disabled_at")?,
        created_at: row.time("created_at")?,
        deleted_at: row.time_or_null("deleted_at")?,
    })
}
