//! API keys and their secrets in storage. How a key is found by its digest stands in `found.rs`.

use std::collections::HashMap;

use claviger_core::{ApiKey, Digest, Event, KeyStatus, Metadata, Name, Reach, Revocation, RevokeReason, SecretRecord};
use claviger_token::{ApiKeyId, NetworkSet, ObjectSet, OrganizationId, ServiceAccountId};
use jiff::Timestamp;

use crate::{
    error::StoreError,
    sql::{Query, Row, Value, limits, sql, text, text_or_null},
    tx::Tx,
    view::{Page, View, contains},
};

/// The key's own columns, under the alias `k`.
pub(crate) const KEY_COLUMNS: &str =
    "k.id, k.organization, k.principal, k.name, k.environment, k.permissions, k.objects, k.networks, k.not_before,
     k.expires_at, k.disabled_at, k.revoked_at, k.revoke_reason, k.confirmation, k.epoch, k.limits, k.metadata,
     k.created_at, k.created_by, k.deleted_at";

/// How many secrets of a key are read, newest first: those before them have ended long ago.
const NEWEST_SECRETS: i64 = 10;

/// Which keys a list shows.
#[derive(Debug, Clone, Default)]
pub struct ApiKeyFilter {
    /// Of one organization.
    pub organization: Option<OrganizationId>,
    /// Of one service account.
    pub service_account: Option<ServiceAccountId>,
    /// In this state, at this moment.
    pub status: Option<KeyStatusFilter>,
    /// Whose name contains this.
    pub q: Option<String>,
}

/// A state at a moment.
#[derive(Debug, Clone, Copy)]
pub struct KeyStatusFilter {
    /// The state.
    pub status: KeyStatus,
    /// The moment.
    pub at: Timestamp,
}

impl View<'_> {
    /// One with its newest secrets, unless it is deleted or out of reach.
    pub async fn api_key(&mut self, id: ApiKeyId) -> Result<Option<ApiKey>, StoreError> {
        let query = sql("SELECT ").and(KEY_COLUMNS).and(" FROM credential k WHERE k.deleted_at IS NULL");
        let query = self.bound(query.and_bind(" AND k.id = ?", text(id)), "k.organization");
        let row = self.executor.optional(query).await?;
        Ok(self.with_secrets(row.as_slice()).await?.pop())
    }

    /// A page of them with their newest secrets.
    pub async fn api_keys(&mut self, filter: &ApiKeyFilter, page: &Page<ApiKeyId>) -> Result<Vec<ApiKey>, StoreError> {
        let query =
            sql("SELECT ").and(KEY_COLUMNS).and(" FROM credential k WHERE k.deleted_at IS NULL AND k.kind = 'api_key'");
        let query = query.and_if(" AND k.principal = ?", filter.service_account.map(text));
        let query = query.and_if(" AND LOWER(k.name) LIKE LOWER(?) ESCAPE '\\'", filter.q.as_deref().map(contains));
        let query = with_status(query, filter.status);
        let rows = self.page(query, "k.organization", filter.organization, page, "k.id").await?;
        self.with_secrets(&rows).await
    }

    async fn with_secrets(&mut self, rows: &[Row]) -> Result<Vec<ApiKey>, StoreError> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let ids = rows.iter().map(|row| row.text("id")).collect::<Result<Vec<_>, _>>()?;
        let query = sql("SELECT s.credential, s.number, s.hint, s.created_at, s.ends_at, u.used_at, u.used_from
                         FROM secret s
                         LEFT JOIN secret_use u ON u.credential = s.credential AND u.number = s.number
                         WHERE s.credential IN ");
        let newest = " AND s.number > (SELECT MAX(n.number) - ? FROM secret n WHERE n.credential = s.credential)
                       ORDER BY s.number DESC";
        let query = query.and_list(ids.iter().map(text)).and_bind(newest, NEWEST_SECRETS);
        let mut secrets: HashMap<String, Vec<SecretRecord>> = HashMap::new();
        // Whoever changes a key holds its row, and who counts its uses need not wait.
        for row in self.executor.unlocked().all(query).await? {
            let secret = SecretRecord {
                number: row.count("number")?,
                hint: row.text("hint")?,
                created_at: row.time("created_at")?,
                ends_at: row.time_or_null("ends_at")?,
                last_used_at: row.time_or_null("used_at")?,
                last_used_from: row.text_or_null("used_from")?,
            };
            secrets.entry(row.text("credential")?).or_default().push(secret);
        }
        rows.iter().zip(ids).map(|(row, id)| read_key(row, secrets.remove(&id).unwrap_or_default())).collect()
    }
}

fn with_status(query: Query, filter: Option<KeyStatusFilter>) -> Query {
    let Some(KeyStatusFilter { status, at }) = filter else { return query };
    const LIVE: &str = " AND k.revoked_at IS NULL AND k.disabled_at IS NULL";
    const UNEXPIRED: &str = " AND (k.expires_at IS NULL OR k.expires_at > ?)";
    match status {
        KeyStatus::Revoked => query.and(" AND k.revoked_at IS NOT NULL"),
        KeyStatus::Disabled => query.and(" AND k.revoked_at IS NULL AND k.disabled_at IS NOT NULL"),
        KeyStatus::Expired => query.and(LIVE).and_bind(" AND k.expires_at <= ?", at),
        KeyStatus::NotYetValid => query.and(LIVE).and_bind(UNEXPIRED, at).and_bind(" AND k.not_before > ?", at),
        KeyStatus::Active => {
            let started = " AND (k.not_before IS NULL OR k.not_before <= ?)";
            query.and(LIVE).and_bind(UNEXPIRED, at).and_bind(started, at)
        }
    }
}

impl Tx<'_> {
    /// Adds a key with its first secret.
    pub async fn insert_api_key(&mut self, new: &ApiKey, digest: &Digest) -> Result<(), StoreError> {
        let insert = sql(
            "INSERT INTO credential (id, kind, organization, principal, name, environment, permissions, objects, networks,
                            not_before, expires_at, epoch, limits, metadata, created_at, created_by)
                          VALUES ($1, 'api_key', $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
        );
        let insert = insert
            .bind(text(new.id))
            .bind(text(new.organization))
            .bind(text(new.service_account))
            .bind(text(&new.name))
            .bind(new.environment.as_str())
            .bind(new.permissions.to_text())
            .bind(new.objects.as_ref().map(ObjectSet::to_text))
            .bind(new.networks.as_ref().map(NetworkSet::to_text))
            .bind(new.not_before)
            .bind(new.expires_at)
            .bind(epoch(new)?)
            .bind(limits(&new.limits)?)
            .bind(new.metadata.as_str())
            .bind(new.created_at)
            .bind(new.created_by.as_str());
        self.execute(insert).await?;
        self.insert_current_secret(new, digest).await
    }

    /// Replaces what can change of a key; its secrets excepted.
    pub async fn save_api_key(&mut self, new: &ApiKey) -> Result<(), StoreError> {
        let update =
            sql("UPDATE credential SET name = $2, permissions = $3, objects = $4, networks = $5, not_before = $6,
                            expires_at = $7, disabled_at = $8, revoked_at = $9, revoke_reason = $10, epoch = $11,
                            limits = $12, metadata = $13, deleted_at = $14 WHERE id = $1");
        let update = update
            .bind(text(new.id))
            .bind(text(&new.name))
            .bind(new.permissions.to_text())
            .bind(new.objects.as_ref().map(ObjectSet::to_text))
            .bind(new.networks.as_ref().map(NetworkSet::to_text))
            .bind(new.not_before)
            .bind(new.expires_at)
            .bind(new.disabled_at)
            .bind(new.revocation.map(|revocation| revocation.at))
            .bind(text_or_null(new.revocation.map(|revocation| revocation.reason.as_str())))
            .bind(epoch(new)?)
            .bind(limits(&new.limits)?)
            .bind(new.metadata.as_str())
            .bind(new.deleted_at);
        self.execute(update).await.map(drop)
    }

    /// Keeps a key that was rolled: its new secret, the end of the one before, and that any older one ends now.
    pub async fn save_rolled_api_key(&mut self, rolled: &ApiKey, digest: &Digest) -> Result<(), StoreError> {
        self.save_api_key(rolled).await?;
        if let [current, before, ..] = rolled.secrets.as_slice() {
            let end = sql("UPDATE secret SET ends_at = CASE WHEN number = $3 THEN $4 ELSE $2 END
                           WHERE credential = $1 AND (ends_at IS NULL OR ends_at > $2)");
            let end = end.bind(text(rolled.id)).bind(current.created_at);
            self.execute(end.bind(before.number).bind(before.ends_at)).await?;
        }
        self.insert_current_secret(rolled, digest).await
    }

    /// Ends every key of an owner who ended, and tells it in the trail of each, up to [`Event::MOST_KEYS`].
    pub(crate) async fn end_api_keys(
        &mut self,
        column: &str,
        owner: Value,
        now: Timestamp,
    ) -> Result<Vec<ApiKeyId>, StoreError> {
        let end = format!(
            "UPDATE credential SET revoked_at = $2, revoke_reason = 'owner_left', epoch = epoch + 1
             WHERE {column} = $1 AND revoked_at IS NULL RETURNING id, organization"
        );
        let rows = self.within(Reach::Instance).executor.all(sql(&end).bind(owner).bind(now)).await?;
        for row in rows.iter().take(Event::MOST_KEYS) {
            self.also(Event::api_key_ended(row.parse("id")?, row.parse("organization")?));
        }
        rows.iter().map(|row| row.parse("id")).collect()
    }

    async fn insert_current_secret(&mut self, key: &ApiKey, digest: &Digest) -> Result<(), StoreError> {
        let current = key.secrets.first().ok_or_else(|| StoreError::damaged("a key without a secret"))?;
        let insert = sql("INSERT INTO secret (digest, pepper, credential, number, hint, created_at)
                          VALUES ($1, $2, $3, $4, $5, $6)");
        let insert = insert
            .bind(digest.bytes)
            .bind(digest.pepper)
            .bind(text(key.id))
            .bind(current.number)
            .bind(current.hint.as_str())
            .bind(current.created_at);
        self.execute(insert).await.map(drop)
    }
}

fn epoch(key: &ApiKey) -> Result<i64, StoreError> {
    i64::try_from(key.epoch).map_err(StoreError::damaged)
}

pub(crate) fn read_key(row: &Row, secrets: Vec<SecretRecord>) -> Result<ApiKey, StoreError> {
    let revoked_at = row.time_or_null("revoked_at")?;
    let reason = row.text_or_null("revoke_reason")?;
    let confirmation = row.text_or_null("confirmation")?;
    let objects = row.text_or_null("objects")?;
    let networks = row.text_or_null("networks")?;
    Ok(ApiKey {
        id: row.parse("id")?,
        organization: row.parse("organization")?,
        service_account: row.parse("principal")?,
        name: Name::parse(&row.text("name")?).map_err(StoreError::damaged)?,
        environment: row.parse("environment")?,
        permissions: row.mask("permissions")?,
        objects: objects.map(|text| ObjectSet::from_text(&text)).transpose().map_err(StoreError::damaged)?,
        networks: networks.map(|text| NetworkSet::from_text(&text)).transpose().map_err(StoreError::damaged)?,
        not_before: row.time_or_null("not_before")?,
        expires_at: row.time_or_null("expires_at")?,
        disabled_at: row.time_or_null("disabled_at")?,
        revocation: revoked_at.map(|at| Revocation {
            at,
            reason: reason.as_deref().and_then(RevokeReason::from_word).unwrap_or_default(),
        }),
        confirmation: confirmation.map(|text| serde_json::from_str(&text)).transpose().map_err(StoreError::damaged)?,
        epoch: u64::try_from(row.int("epoch")?).map_err(StoreError::damaged)?,
        limits: row.limits("limits")?,
        metadata: Metadata::from_stored(row.text("metadata")?).map_err(StoreError::damaged)?,
        created_at: row.time("created_at")?,
        created_by: row.text("created_by")?,
        deleted_at: row.time_or_null("deleted_at")?,
        secrets,
    })
}
