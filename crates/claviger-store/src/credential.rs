//! Credentials and their secrets in storage, of every kind. What public keys have besides stands in `public_key.rs`; how one is found by its digest stands in
//! `found.rs`.

use std::collections::HashMap;

use claviger_core::{
    Approval, Credential, CredentialStatus, Digest, Event, Kind, LastUsed, Metadata, Name, Reach, Revocation,
    RevokeReason, SecretRecord, Touches, permission,
};
use claviger_token::{CredentialId, FleetId, NetworkSet, ObjectSet, OrganizationId, PrincipalId, UserId};
use jiff::Timestamp;

use crate::{
    error::StoreError,
    fleet,
    sql::{Query, Row, limits, sql, text, text_or_null},
    tx::Tx,
    view::{Page, View, contains},
};

/// The credential's own columns, under the alias `k`.
pub(crate) const COLUMNS: &str =
    "k.id, k.organization, k.principal, k.name, k.environment, k.permissions, k.objects, k.networks, k.not_before,
     k.expires_at, k.disabled_at, k.disabled_by, k.revoked_at, k.revoke_reason, k.pending_since, k.approved_at, k.approved_by,
     k.confirmation, k.epoch, k.epoch_raised_at, k.limits, k.metadata, k.created_at, k.created_by, k.deleted_at";

/// How many secrets of a credential are read, newest first: those before them have ended long ago.
const NEWEST_SECRETS: i64 = 10;

/// Which credentials a list shows.
#[derive(Debug, Clone, Default)]
pub struct CredentialFilter {
    /// Of one kind.
    pub kind: Option<Kind>,
    /// Of one organization.
    pub organization: Option<OrganizationId>,
    /// Of one of these organizations.
    pub among: Option<Vec<OrganizationId>>,
    /// Of one principal.
    pub principal: Option<PrincipalId>,
    /// Made by one principal, or `operator`.
    pub created_by: Option<String>,
    /// Only those that wait for an approval, stopped or not.
    pub waits: bool,
    /// In this state, at this moment.
    pub status: Option<StatusAt>,
    /// Whose name contains this.
    pub q: Option<String>,
    /// Made at this moment or later.
    pub created_from: Option<Timestamp>,
    /// Made before this moment.
    pub created_before: Option<Timestamp>,
    /// That end before this moment.
    pub expires_before: Option<Timestamp>,
    /// That never end, or that do.
    pub never_expires: Option<bool>,
    /// Not used since this moment, and not made since either.
    pub unused_since: Option<Timestamp>,
    /// Neither revoked nor expired at this moment.
    pub live_at: Option<Timestamp>,
    /// With a secret that was rolled away and still works at this moment.
    pub rolling_at: Option<Timestamp>,
    /// Touched by a stricter policy.
    pub touched: Option<Touches>,
    /// Whose list names this permission.
    pub names: Option<String>,
    /// Only of principals that reach no more than one organization.
    pub local_only: bool,
}

/// How many were found among so many that were looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CountedAmong {
    /// So many at least.
    pub number: i64,
    /// Whether not all were looked at.
    pub more: bool,
}

/// A state at a moment.
#[derive(Debug, Clone, Copy)]
pub struct StatusAt {
    /// The state.
    pub status: CredentialStatus,
    /// The moment.
    pub at: Timestamp,
}

/// Whose credentials end.
#[derive(Debug, Clone, Copy)]
pub enum Owner {
    /// All of a principal.
    Principal(PrincipalId),
    /// All in an organization.
    Organization(OrganizationId),
    /// Those that a user has in one organization.
    Member(UserId, OrganizationId),
    /// All of a fleet's devices.
    Fleet(FleetId),
}

impl View<'_> {
    /// One with its newest secrets, unless it is deleted or out of reach.
    pub async fn credential(&mut self, id: impl Into<CredentialId>) -> Result<Option<Credential>, StoreError> {
        let query = sql("SELECT ").and(COLUMNS).and(" FROM credential k WHERE k.deleted_at IS NULL");
        let query = self.bound(query.and_bind(" AND k.id = ?", text(id.into())), "k.organization");
        let row = self.executor.optional(query).await?;
        Ok(self.with_secrets(row.as_slice()).await?.pop())
    }

    /// A page of them with their newest secrets.
    pub async fn credentials(
        &mut self,
        filter: &CredentialFilter,
        page: &Page<CredentialId>,
    ) -> Result<Vec<Credential>, StoreError> {
        let query = sql("SELECT ").and(COLUMNS).and(" FROM credential k WHERE k.deleted_at IS NULL");
        let query = filtered(query, filter);
        let rows = self.page(query, "k.organization", filter.organization, page, "k.id").await?;
        self.with_secrets(&rows).await
    }

    /// Which credential has a secret with one of these digests; deleted ones too.
    pub async fn credential_of(&mut self, digests: &[Digest]) -> Result<Option<CredentialId>, StoreError> {
        let query = sql("SELECT k.id FROM secret s JOIN credential k ON k.id = s.credential WHERE s.digest IN ");
        let query = query.and_list(digests.iter().map(|digest| digest.bytes.into()));
        let row = self.executor.optional(self.bound(query, "k.organization")).await?;
        row.map(|row| row.parse("id")).transpose()
    }

    /// How many there are.
    pub async fn count_credentials(&mut self, filter: &CredentialFilter) -> Result<i64, StoreError> {
        let query = sql("SELECT COUNT(*) AS number FROM credential k WHERE k.deleted_at IS NULL");
        let query = filtered(query, filter).and_if(" AND k.organization = ?", filter.organization.map(text));
        let query = self.bound(query, "k.organization");
        // None, if a name with a NUL is asked for.
        self.executor.optional(query).await?.map_or(Ok(0), |row| row.int("number"))
    }

    /// How many there are; from `most` on it stops to count.
    pub async fn count_credentials_up_to(&mut self, filter: &CredentialFilter, most: u32) -> Result<i64, StoreError> {
        let query = sql("SELECT COUNT(*) AS number FROM (SELECT k.id FROM credential k WHERE k.deleted_at IS NULL");
        let query = filtered(query, filter).and_if(" AND k.organization = ?", filter.organization.map(text));
        let query = self.bound(query, "k.organization").and_bind(" LIMIT ?", i64::from(most)).and(") counted");
        self.executor.optional(query).await?.map_or(Ok(0), |row| row.int("number"))
    }

    /// How many there are among so many, those that an index finds: what few match is not looked for without end.
    pub async fn count_credentials_among(
        &mut self,
        filter: &CredentialFilter,
        looked_at: u32,
    ) -> Result<CountedAmong, StoreError> {
        let query = sql("SELECT COUNT(*) AS looked_at,
                           CAST(COALESCE(SUM(CASE WHEN k.deleted_at IS NULL");
        let query = filtered(query, filter)
            .and(" THEN 1 ELSE 0 END), 0) AS BIGINT) AS number FROM (SELECT k.* FROM credential k WHERE 1 = 1")
            .and_if(" AND k.principal = ?", filter.principal.map(text))
            .and_if(" AND k.organization = ?", filter.organization.map(text));
        let is_inside = filter.organization.is_some() || self.reach != Reach::Instance;
        let query = found_by_index(self.bound(query, "k.organization"), filter, is_inside);
        let row = self.executor.optional(query.and_bind(" LIMIT ?) k", i64::from(looked_at) + 1)).await?;
        // None, if a name with a NUL is asked for.
        let Some(row) = row else { return Ok(CountedAmong { number: 0, more: false }) };
        Ok(CountedAmong { number: row.int("number")?, more: row.int("looked_at")? > i64::from(looked_at) })
    }

    /// What the owners of credentials are called: a user by name or else address.
    pub async fn principal_names(
        &mut self,
        principals: &[PrincipalId],
    ) -> Result<HashMap<PrincipalId, String>, StoreError> {
        if principals.is_empty() {
            return Ok(HashMap::new());
        }
        let query = sql("SELECT id, name FROM service_account WHERE id IN ").and_list(principals.iter().map(text));
        let query = query.and(" UNION ALL SELECT id, COALESCE(name, email) AS name FROM person WHERE id IN ");
        let rows = self.executor.all(query.and_list(principals.iter().map(text))).await?;
        rows.iter().map(|row| Ok((row.parse("id")?, row.text("name")?))).collect()
    }

    /// The same of those that belong to one organization: its service accounts and its members. Others have no name there.
    pub async fn names_in(
        &mut self,
        organization: OrganizationId,
        principals: &[PrincipalId],
    ) -> Result<HashMap<PrincipalId, String>, StoreError> {
        if principals.is_empty() {
            return Ok(HashMap::new());
        }
        let query = sql("SELECT id, name FROM service_account WHERE id IN ").and_list(principals.iter().map(text));
        let query = query.and_bind(" AND organization = ?", text(organization)).and(
            " UNION ALL SELECT p.id, COALESCE(p.name, p.email) AS name FROM person p
              JOIN membership m ON m.person = p.id WHERE p.id IN ",
        );
        let query = query.and_list(principals.iter().map(text)).and_bind(" AND m.organization = ?", text(organization));
        let rows = self.executor.all(query).await?;
        rows.iter().map(|row| Ok((row.parse("id")?, row.text("name")?))).collect()
    }

    pub(crate) async fn with_secrets(&mut self, rows: &[Row]) -> Result<Vec<Credential>, StoreError> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let ids = rows.iter().map(|row| row.text("id")).collect::<Result<Vec<_>, _>>()?;
        let query = sql("SELECT s.credential, s.number, s.hint, s.created_at, s.ends_at, u.used_at, u.used_from,
                           COALESCE(s.created_by, k.created_by) AS created_by
                         FROM secret s JOIN credential k ON k.id = s.credential
                         LEFT JOIN secret_use u ON u.credential = s.credential AND u.number = s.number
                         WHERE s.credential IN ");
        let newest = " AND s.number > (SELECT MAX(n.number) - ? FROM secret n WHERE n.credential = s.credential)
                       ORDER BY s.number DESC";
        let query = query.and_list(ids.iter().map(text)).and_bind(newest, NEWEST_SECRETS);
        let mut secrets: HashMap<String, Vec<SecretRecord>> = HashMap::new();
        // Whoever changes a credential holds its row, and who counts its uses need not wait.
        for row in self.executor.unlocked().all(query).await? {
            let secret = SecretRecord {
                number: row.count("number")?,
                hint: row.text("hint")?,
                created_at: row.time("created_at")?,
                ends_at: row.time_or_null("ends_at")?,
                last_used_at: row.time_or_null("used_at")?,
                last_used_from: row.text_or_null("used_from")?,
                created_by: row.text("created_by")?,
            };
            secrets.entry(row.text("credential")?).or_default().push(secret);
        }
        let mut uses = self.uses_without_secret(&ids, &secrets).await?;
        let with_secrets = |(row, id): (&Row, String)| {
            let used_without_secret = uses.remove(&id);
            Ok(Credential { used_without_secret, ..read(row, secrets.remove(&id).unwrap_or_default())? })
        };
        rows.iter().zip(ids).map(with_secrets).collect()
    }

    /// The last use of each of those that have no secrets.
    async fn uses_without_secret(
        &mut self,
        ids: &[String],
        secrets: &HashMap<String, Vec<SecretRecord>>,
    ) -> Result<HashMap<String, LastUsed>, StoreError> {
        let bare: Vec<&String> = ids.iter().filter(|id| !secrets.contains_key(*id)).collect();
        if bare.is_empty() {
            return Ok(HashMap::new());
        }
        let query = sql("SELECT credential, used_at, used_from FROM secret_use WHERE credential IN ");
        let query = query.and_list(bare.into_iter().map(text)).and(" ORDER BY used_at");
        let rows = self.executor.unlocked().all(query).await?;
        let used = |row: &Row| {
            let used = LastUsed { at: row.time("used_at")?, from: row.text_or_null("used_from")? };
            Ok((row.text("credential")?, used))
        };
        rows.iter().map(used).collect()
    }
}

const UNUSED: &str = " AND k.created_at < ? AND NOT EXISTS (SELECT 1 FROM secret_use u
                          WHERE u.credential = k.id AND u.used_at >= ?)";

const NAMES: &str = " AND ' ' || k.permissions || ' ' LIKE ? ESCAPE '\\'";

pub(crate) fn filtered(query: Query, filter: &CredentialFilter) -> Query {
    let query = query
        .and_if(" AND k.kind = ?", filter.kind.map(Kind::as_str))
        .and_if(" AND k.principal = ?", filter.principal.map(text))
        .and_if(" AND k.created_by = ?", filter.created_by.as_deref())
        .and_if(" AND LOWER(k.name) LIKE LOWER(?) ESCAPE '\\'", filter.q.as_deref().map(contains))
        .and_if(" AND k.created_at >= ?", filter.created_from)
        .and_if(" AND k.created_at < ?", filter.created_before)
        // By the expression that is indexed, in which what never ends comes last.
        .and_if(" AND COALESCE(k.expires_at, 9223372036854775807) < ?", filter.expires_before)
        .and(match filter.never_expires {
            None => "",
            Some(true) => " AND COALESCE(k.expires_at, 9223372036854775807) = 9223372036854775807",
            Some(false) => " AND k.expires_at IS NOT NULL",
        })
        .and_if(UNUSED, filter.unused_since)
        .and_if(live(filter), filter.live_at)
        .and_if(" AND k.id IN (SELECT s.credential FROM secret s WHERE s.ends_at > ?)", filter.rolling_at)
        .and_if(NAMES, filter.names.as_ref().map(|permission| contains(&format!(" {permission} "))))
        .and(if filter.waits { " AND k.pending_since IS NOT NULL" } else { "" })
        .and(if filter.local_only { LOCAL } else { "" });
    let query = match &filter.among {
        Some(organizations) => query.and(" AND k.organization IN ").and_list(organizations.iter().map(text)),
        None => query,
    };
    with_status(touched(query, filter.touched), filter.status)
}

/// With another end of the time it is a range of the index of ends. Alone, that would find most of all there are, in an order that nobody asks for.
fn live(filter: &CredentialFilter) -> &'static str {
    match filter.expires_before {
        Some(_) => " AND k.revoked_at IS NULL AND COALESCE(k.expires_at, 9223372036854775807) > ?",
        None => " AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > ?)",
    }
}

/// As much of a filter as an index knows, for whoever looks at the rest one by one.
fn found_by_index(query: Query, filter: &CredentialFilter, is_inside: bool) -> Query {
    if let Some(at) = filter.rolling_at {
        return query
            .and_bind(" AND k.id IN (SELECT s.credential FROM secret s WHERE s.ends_at > ?) ORDER BY k.id", at);
    }
    let Some(kind) = filter.kind.filter(|_| is_inside) else { return query.and(" ORDER BY k.id") };
    let query = query.and_bind(" AND k.kind = ?", kind.as_str());
    let active = |status: &StatusAt| status.status == CredentialStatus::Active;
    let living = filter.live_at.or(filter.status.filter(active).map(|status| status.at));
    let living = match filter.touched {
        Some(Touches::Outliving(_, end)) => living.max(Some(end)),
        _ => living,
    };
    match filter.status.map(|status| status.status) {
        Some(CredentialStatus::Revoked) => query.and(" AND k.revoked_at IS NOT NULL"),
        Some(CredentialStatus::Disabled) => query.and(" AND k.revoked_at IS NULL AND k.disabled_at IS NOT NULL"),
        Some(
            CredentialStatus::PendingApproval
            | CredentialStatus::Expired
            | CredentialStatus::NotYetValid
            | CredentialStatus::Active,
        )
        | None => match filter.never_expires {
            Some(true) => query.and(" AND COALESCE(k.expires_at, 9223372036854775807) = 9223372036854775807"),
            Some(false) | None => query
                .and_if(" AND COALESCE(k.expires_at, 9223372036854775807) > ?", living)
                .and_if(" AND COALESCE(k.expires_at, 9223372036854775807) < ?", filter.expires_before),
        },
    }
}

const LOCAL: &str =
    " AND NOT EXISTS (SELECT 1 FROM assignment i WHERE i.principal = k.principal AND i.organization IS NULL)";

fn touched(query: Query, touches: Option<Touches>) -> Query {
    match touches {
        None | Some(Touches::All) => query,
        Some(Touches::Kind(kind)) => query.and_bind(" AND k.kind = ?", kind.as_str()),
        Some(Touches::Outliving(kind, end)) => query
            .and_bind(" AND k.kind = ?", kind.as_str())
            .and_bind(" AND (k.expires_at IS NULL OR k.expires_at > ?)", end),
        // Wildcards come first in a list.
        Some(Touches::Wildcards) => query
            .and(" AND (k.permissions LIKE '*%' OR k.permissions LIKE 'claviger:*%') AND k.kind IN ")
            .and_list(Kind::ALL.into_iter().filter(|kind| kind.names_permissions()).map(|kind| kind.as_str().into())),
        Some(Touches::MembersWithoutObjects) => {
            query.and_bind(" AND k.objects IS NULL AND k.kind = ?", Kind::PersonalAccessToken.as_str()).and_bind(
                " AND NOT EXISTS (SELECT 1 FROM assignment g LEFT JOIN role h ON h.id = g.role
                                  WHERE g.principal = k.principal
                                    AND (g.organization = k.organization OR g.organization IS NULL)
                                    AND (g.permission = ? OR ' ' || h.permissions || ' ' LIKE '% ' || ? || ' %'))",
                permission::CREDENTIALS_WRITE,
            )
        }
        Some(Touches::UnusedSince(since)) => query.and_bind(UNUSED, since),
    }
}

fn with_status(query: Query, filter: Option<StatusAt>) -> Query {
    let Some(StatusAt { status, at }) = filter else { return query };
    const LIVE: &str = " AND k.revoked_at IS NULL AND k.disabled_at IS NULL";
    const UNEXPIRED: &str = " AND (k.expires_at IS NULL OR k.expires_at > ?)";
    let query = match status {
        CredentialStatus::Revoked => return query.and(" AND k.revoked_at IS NOT NULL"),
        CredentialStatus::Disabled => {
            return query.and(" AND k.revoked_at IS NULL AND k.disabled_at IS NOT NULL");
        }
        CredentialStatus::PendingApproval => return query.and(LIVE).and(" AND k.pending_since IS NOT NULL"),
        CredentialStatus::Expired | CredentialStatus::NotYetValid | CredentialStatus::Active => {
            query.and(LIVE).and(" AND k.pending_since IS NULL")
        }
    };
    match status {
        CredentialStatus::Expired => query.and_bind(" AND COALESCE(k.expires_at, 9223372036854775807) <= ?", at),
        CredentialStatus::NotYetValid => query.and_bind(UNEXPIRED, at).and_bind(" AND k.not_before > ?", at),
        CredentialStatus::Active
        | CredentialStatus::Revoked
        | CredentialStatus::Disabled
        | CredentialStatus::PendingApproval => {
            let started = " AND (k.not_before IS NULL OR k.not_before <= ?)";
            query.and_bind(UNEXPIRED, at).and_bind(started, at)
        }
    }
}

impl Tx<'_> {
    /// Adds one with its first secret.
    pub async fn insert_credential(&mut self, new: &Credential, digest: &Digest) -> Result<(), StoreError> {
        self.later(record(new, None)?).await?;
        self.insert_current_secret(new, digest).await
    }

    /// Adds one without a secret.
    pub(crate) async fn insert_record(
        &mut self,
        new: &Credential,
        client_key: Option<String>,
    ) -> Result<(), StoreError> {
        self.execute(record(new, client_key)?).await.map(drop)
    }

    /// Replaces what can change of one; its secrets excepted.
    pub async fn save_credential(&mut self, new: &Credential) -> Result<(), StoreError> {
        let update =
            sql("UPDATE credential SET name = $2, permissions = $3, objects = $4, networks = $5, not_before = $6,
                            expires_at = $7, disabled_at = $8, revoked_at = $9, revoke_reason = $10, epoch = $11,
                            limits = $12, metadata = $13, deleted_at = $14, pending_since = $15, approved_at = $16,
                            approved_by = $17, disabled_by = $18, skeleton = $19,
                            epoch_raised_at = $20 WHERE id = $1");
        let (approved_at, approved_by) = match &new.approval {
            Some(Approval::Given { at, by }) => (Some(*at), Some(by.clone())),
            Some(Approval::Pending { .. }) | None => (None, None),
        };
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
            .bind(new.deleted_at)
            .bind(pending_since(new))
            .bind(approved_at)
            .bind(approved_by)
            .bind(new.disabled_by.clone())
            .bind(new.name.skeleton())
            .bind(new.epoch_raised_at);
        self.execute(update).await.map(drop)
    }

    /// Keeps one that was rolled: its new secret, the end of the one before, and that any older one ends now.
    pub async fn save_rolled_credential(&mut self, rolled: &Credential, digest: &Digest) -> Result<(), StoreError> {
        self.save_credential(rolled).await?;
        if let [current, before, ..] = rolled.secrets.as_slice() {
            let end = sql("UPDATE secret SET ends_at = CASE WHEN number = $3 THEN $4 ELSE $2 END
                           WHERE credential = $1 AND (ends_at IS NULL OR ends_at > $2)");
            let end = end.bind(text(rolled.id)).bind(current.created_at);
            self.execute(end.bind(before.number).bind(before.ends_at)).await?;
        }
        self.insert_current_secret(rolled, digest).await
    }

    /// Keeps one whose overlap ended before its time.
    pub async fn save_ended_overlap(&mut self, ended: &Credential, now: Timestamp) -> Result<(), StoreError> {
        self.save_credential(ended).await?;
        let end = sql("UPDATE secret SET ends_at = $2 WHERE credential = $1 AND ends_at > $2");
        self.execute(end.bind(text(ended.id)).bind(now)).await.map(drop)
    }

    /// Ends every credential of an owner, such as one who left, everywhere or in one organization, and tells it in the trail of each, up
    /// to [`Event::MOST_ENDED`].
    pub async fn end_credentials(
        &mut self,
        owner: Owner,
        reason: RevokeReason,
        now: Timestamp,
    ) -> Result<Vec<CredentialId>, StoreError> {
        let these = |query: Query| {
            let query = query.and(" WHERE revoked_at IS NULL");
            match owner {
                Owner::Principal(id) => query.and_bind(" AND principal = ?", text(id)),
                Owner::Organization(id) => query.and_bind(" AND organization = ?", text(id)),
                Owner::Member(user, organization) => query
                    .and_bind(" AND principal = ?", text(user))
                    .and_bind(" AND organization = ?", text(organization)),
                Owner::Fleet(id) => fleet::devices_of(query.and(" AND"), "principal", id),
            }
        };
        let locked = these(sql("SELECT id FROM credential")).and(" ORDER BY id");
        self.to_change(Reach::Instance).executor.all(locked).await?;
        let end = sql("UPDATE credential SET epoch = epoch + 1").and_bind(", revoke_reason = ?", reason.as_str());
        let end = these(end.and_bind(", revoked_at = ?, epoch_raised_at = ?", now));
        let rows = self.within(Reach::Instance).executor.all(end.and(" RETURNING id, organization")).await?;
        for row in rows.iter().take(Event::MOST_ENDED) {
            self.also(Credential::ended(row.parse("id")?, row.parse("organization")?, reason));
        }
        rows.iter().map(|row| row.parse("id")).collect()
    }

    async fn insert_current_secret(&mut self, of: &Credential, digest: &Digest) -> Result<(), StoreError> {
        let current = of.secrets.first().ok_or_else(|| StoreError::damaged("a credential without a secret"))?;
        let insert = sql("INSERT INTO secret (digest, pepper, credential, number, hint, created_at, created_by)
                          VALUES ($1, $2, $3, $4, $5, $6, $7)");
        let insert = insert
            .bind(digest.bytes)
            .bind(digest.pepper)
            .bind(text(of.id))
            .bind(current.number)
            .bind(current.hint.as_str())
            .bind(current.created_at)
            .bind(current.created_by.as_str());
        self.later(insert).await?;
        self.inner.catch_up().await
    }
}

fn record(new: &Credential, client_key: Option<String>) -> Result<Query, StoreError> {
    let confirmation = new.confirmation.as_ref().map(serde_json::to_string).transpose().map_err(StoreError::damaged)?;
    let insert = sql(
        "INSERT INTO credential (id, kind, organization, principal, name, environment, permissions, objects, networks,
                        not_before, expires_at, pending_since, epoch, limits, metadata, created_at, created_by, skeleton,
                        client_key, confirmation)
                      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
                              $20)",
    );
    Ok(insert
        .bind(text(new.id))
        .bind(Kind::of(new.id).as_str())
        .bind(text(new.organization))
        .bind(text(new.principal))
        .bind(text(&new.name))
        .bind(new.environment.as_str())
        .bind(new.permissions.to_text())
        .bind(new.objects.as_ref().map(ObjectSet::to_text))
        .bind(new.networks.as_ref().map(NetworkSet::to_text))
        .bind(new.not_before)
        .bind(new.expires_at)
        .bind(pending_since(new))
        .bind(epoch(new)?)
        .bind(limits(&new.limits)?)
        .bind(new.metadata.as_str())
        .bind(new.created_at)
        .bind(new.created_by.as_str())
        .bind(new.name.skeleton())
        .bind(client_key)
        .bind(confirmation))
}

fn epoch(of: &Credential) -> Result<i64, StoreError> {
    i64::try_from(of.epoch).map_err(StoreError::damaged)
}

fn pending_since(of: &Credential) -> Option<Timestamp> {
    match of.approval {
        Some(Approval::Pending { since }) => Some(since),
        Some(Approval::Given { .. }) | None => None,
    }
}

fn approval(row: &Row) -> Result<Option<Approval>, StoreError> {
    if let Some(since) = row.time_or_null("pending_since")? {
        return Ok(Some(Approval::Pending { since }));
    }
    let given = row.time_or_null("approved_at")?.zip(row.text_or_null("approved_by")?);
    Ok(given.map(|(at, by)| Approval::Given { at, by }))
}

pub(crate) fn read(row: &Row, secrets: Vec<SecretRecord>) -> Result<Credential, StoreError> {
    let revoked_at = row.time_or_null("revoked_at")?;
    let reason = row.text_or_null("revoke_reason")?;
    let confirmation = row.text_or_null("confirmation")?;
    let objects = row.text_or_null("objects")?;
    let networks = row.text_or_null("networks")?;
    Ok(Credential {
        id: row.parse("id")?,
        organization: row.parse("organization")?,
        principal: row.parse("principal")?,
        name: Name::parse(&row.text("name")?).map_err(StoreError::damaged)?,
        environment: row.parse("environment")?,
        permissions: row.mask("permissions")?,
        objects: objects.map(|text| ObjectSet::from_text(&text)).transpose().map_err(StoreError::damaged)?,
        networks: networks.map(|text| NetworkSet::from_text(&text)).transpose().map_err(StoreError::damaged)?,
        not_before: row.time_or_null("not_before")?,
        expires_at: row.time_or_null("expires_at")?,
        disabled_at: row.time_or_null("disabled_at")?,
        disabled_by: row.text_or_null("disabled_by")?,
        revocation: revoked_at.map(|at| Revocation {
            at,
            reason: reason.as_deref().and_then(RevokeReason::from_word).unwrap_or_default(),
        }),
        approval: approval(row)?,
        confirmation: confirmation.map(|text| serde_json::from_str(&text)).transpose().map_err(StoreError::damaged)?,
        epoch: u64::try_from(row.int("epoch")?).map_err(StoreError::damaged)?,
        epoch_raised_at: row.time_or_null("epoch_raised_at")?,
        limits: row.limits("limits")?,
        metadata: Metadata::from_stored(row.text("metadata")?).map_err(StoreError::damaged)?,
        created_at: row.time("created_at")?,
        created_by: row.text("created_by")?,
        deleted_at: row.time_or_null("deleted_at")?,
        secrets,
        used_without_secret: None,
    })
}
