//! What a digest unlocks, or stands behind a credential, in any state and in one round trip: whether it counts is `claviger_token::decide`'s call.

use std::collections::HashMap;

use claviger_core::{Policy, default_ceiling};
use claviger_token::{
    CredentialFacts, CredentialId, OrganizationFacts, PermissionSet, PrincipalFacts, RoleId, SecretFacts,
};

use crate::{
    Store,
    assignment::given,
    credential::{self, COLUMNS},
    error::StoreError,
    look_ups::Read,
    sql::{Query, Row, sql, text},
};

/// A secret with everything that stands behind it.
#[derive(Debug)]
pub struct FoundSecret {
    /// Its generation.
    pub secret: SecretFacts,
    /// How to recognise it.
    pub hint: String,
    /// The credential.
    pub credential: CredentialFacts,
    /// Whose it is, with what the assignments add up to.
    pub principal: PrincipalFacts,
    /// The roles in that sum: when one changes, this is stale.
    pub roles: Vec<RoleId>,
    /// Where it acts.
    pub organization: OrganizationFacts,
}

/// A credential with everything that stands behind it, whatever is presented of it.
#[derive(Debug)]
pub struct FoundCredential {
    /// The credential.
    pub credential: CredentialFacts,
    /// Whose it is, with what the assignments add up to.
    pub principal: PrincipalFacts,
    /// The roles in that sum: when one changes, this is stale.
    pub roles: Vec<RoleId>,
    /// Where it acts.
    pub organization: OrganizationFacts,
    /// The number of its newest secret, if it has secrets and was not found by one.
    pub newest_secret: Option<u32>,
}

/// Where principals of a kind stand: their columns, and how they join the credential `k`.
#[derive(Debug)]
pub(crate) struct Principals {
    columns: &'static str,
    join: &'static str,
}

pub(crate) const SERVICE_ACCOUNTS: Principals = Principals {
    columns:
        ", p.name AS principal_name, p.external_id AS principal_external_id, p.disabled_at AS principal_disabled_at,
              p.limits AS principal_limits, p.token_endpoint_auth_method, p.dpop_bound_access_tokens,
              p.tls_client_certificate_bound_access_tokens, p.grant_types",
    join: " JOIN service_account p ON p.id = k.principal",
};

/// Whoever is no member counts as switched off; leaving ended the tokens besides.
pub(crate) const USERS: Principals = Principals {
    columns: ", COALESCE(p.name, p.email) AS principal_name, p.external_id AS principal_external_id,
              CASE WHEN m.person IS NULL OR p.deleted_at IS NOT NULL THEN 0 ELSE p.disabled_at END AS principal_disabled_at,
              CAST(NULL AS TEXT) AS principal_limits, CAST(NULL AS TEXT) AS token_endpoint_auth_method,
              CAST(0 AS BIGINT) AS dpop_bound_access_tokens,
              CAST(0 AS BIGINT) AS tls_client_certificate_bound_access_tokens, CAST(NULL AS TEXT) AS grant_types",
    join: " JOIN person p ON p.id = k.principal
            LEFT JOIN membership m ON m.person = k.principal AND m.organization = k.organization",
};

/// A stored secret: the bytes of its digest.
pub(crate) type Secret = [u8; 32];

impl Store {
    /// The credentials behind these digests whose principals are of one kind, as far as there are any. One that is damaged
    /// takes nothing from the others.
    pub(crate) async fn read_secrets(&self, principals: &Principals, secrets: Vec<Secret>) -> Read<FoundSecret> {
        let secret = "s.digest, s.number, s.ends_at AS secret_ends_at, s.hint, ";
        let query = select(secret, principals, " FROM secret s JOIN credential k ON k.id = s.credential")
            .and(" WHERE s.digest IN ")
            .and_list(secrets.into_iter().map(Into::into));
        let mut rows: HashMap<Secret, Vec<Row>> = HashMap::new();
        for row in self.read().all(query).await? {
            rows.entry(row.hash("digest")?).or_default().push(row);
        }
        Ok(rows.into_iter().map(|(secret, rows)| (secret, found(&rows))).collect())
    }

    /// The credential with this id. Only what is proved to be a token of ours leads here: nobody can ask for ids without end, so
    /// that these reads need no queue of their own.
    pub async fn find_credential(&self, id: CredentialId) -> Result<Option<FoundCredential>, StoreError> {
        let principals = match id {
            CredentialId::ApiKey(_)
            | CredentialId::ClientSecret(_)
            | CredentialId::PublicKey(_)
            | CredentialId::Certificate(_)
            | CredentialId::Federation(_) => &SERVICE_ACCOUNTS,
            CredentialId::PersonalAccessToken(_) => &USERS,
        };
        let newest = "(SELECT MAX(s.number) FROM secret s WHERE s.credential = k.id) AS newest_secret, ";
        let query = select(newest, principals, " FROM credential k").and_bind(" WHERE k.id = ?", text(id));
        let rows = self.read().all(query).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let newest_secret = row.int_or_null("newest_secret")?.map(u32::try_from).transpose();
        let newest_secret = newest_secret.map_err(StoreError::damaged)?;
        Ok(Some(FoundCredential { newest_secret, ..behind(&rows)? }))
    }
}

/// What everything that stands behind a credential `k` is read with, up to the condition.
fn select(first: &str, principals: &Principals, from: &str) -> Query {
    sql("SELECT ")
        .and(first)
        .and(COLUMNS)
        .and(principals.columns)
        .and(
            ", o.limits AS organization_limits, o.slug, o.external_id AS organization_external_id, o.ceiling, o.policy,
               o.disabled_at AS organization_disabled_at,
               a.organization AS scope, a.permission, r.id AS role, r.permissions AS role_permissions",
        )
        .and(from)
        .and(principals.join)
        .and(
            " JOIN organization o ON o.id = k.organization
             LEFT JOIN assignment a ON a.principal = k.principal
                  AND (a.organization = k.organization OR a.organization IS NULL)
             LEFT JOIN role r ON r.id = a.role",
        )
}

/// A secret from its rows.
fn found(rows: &[Row]) -> Result<FoundSecret, StoreError> {
    let row = rows.first().ok_or_else(|| StoreError::damaged("a secret without a row"))?;
    let FoundCredential { credential, principal, roles, organization, newest_secret: _ } = behind(rows)?;
    Ok(FoundSecret {
        secret: SecretFacts { number: row.count("number")?, ends_at: row.time_or_null("secret_ends_at")? },
        hint: row.text("hint")?,
        credential,
        principal,
        roles,
        organization,
    })
}

/// A credential from its rows, one for each assignment of its principal.
fn behind(rows: &[Row]) -> Result<FoundCredential, StoreError> {
    let row = rows.first().ok_or_else(|| StoreError::damaged("a credential without a row"))?;
    let mut permissions = PermissionSet::default();
    let mut instance_permissions = PermissionSet::default();
    let mut roles = Vec::new();
    for row in rows {
        let given = given(row)?;
        permissions = permissions.union(&given);
        if row.text_or_null("scope")?.is_none() {
            instance_permissions = instance_permissions.union(&given);
        }
        roles.extend(row.parse_or_null::<RoleId>("role")?);
    }
    let credential = credential::read(row, Vec::new())?;
    let policy: Policy = serde_json::from_str(&row.text("policy")?).map_err(StoreError::damaged)?;
    let (id, organization) = (credential.principal, credential.organization);
    Ok(FoundCredential {
        credential: policy.applied_to(credential.facts(), &permissions),
        principal: PrincipalFacts {
            id,
            name: row.text("principal_name")?,
            external_id: row.text_or_null("principal_external_id")?,
            disabled: row.int_or_null("principal_disabled_at")?.is_some(),
            permissions,
            instance_permissions,
            limits: row.limits("principal_limits")?,
            token_endpoint_auth_method: row.parse_or_null("token_endpoint_auth_method")?,
            dpop_bound_access_tokens: row.flag("dpop_bound_access_tokens")?,
            grant_types: row.parse_or_null("grant_types")?,
            tls_client_certificate_bound_access_tokens: row.flag("tls_client_certificate_bound_access_tokens")?,
        },
        roles,
        organization: OrganizationFacts {
            id: organization,
            slug: row.text("slug")?,
            external_id: row.text_or_null("organization_external_id")?,
            disabled: row.int_or_null("organization_disabled_at")?.is_some(),
            ceiling: row.mask_or_null("ceiling")?.unwrap_or_else(default_ceiling),
            allowed_networks: policy.allowed_networks,
            limits: row.limits("organization_limits")?,
        },
        newest_secret: None,
    })
}
