//! What the routes of every kind of credential share: how its secrets are shown, the bodies of its actions, and the world
//! that issuing depends on.

use claviger_core::{Credential, Grantor, IssuingContext, Organization, Reach, RevokeReason, SecretRecord};
use claviger_store::Tx;
use claviger_token::{OrganizationId, PermissionSet, PrincipalId, Secret, ServiceAccountId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};
use utoipa::ToSchema;

use crate::{app::App, problem::RequestError};

/// One secret of a credential.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Generation)]
pub(crate) struct GenerationView {
    /// Counts from 1.
    number: u32,
    /// `current`, `retiring` (works until `ends_at`) or `retired`.
    #[schema(value_type = String, example = "current")]
    state: &'static str,
    /// The first four characters after the prefix.
    hint: String,
    created_at: Timestamp,
    ends_at: Option<Timestamp>,
    last_used_at: Option<Timestamp>,
    /// The client's address, where the gateway or the API told it.
    last_used_from: Option<String>,
}

impl GenerationView {
    pub(super) fn new(secret: SecretRecord, now: Timestamp) -> Self {
        Self {
            number: secret.number,
            state: secret.facts().generation(now).as_str(),
            hint: secret.hint,
            created_at: secret.created_at,
            ends_at: secret.ends_at,
            last_used_at: secret.last_used_at,
            last_used_from: secret.last_used_from,
        }
    }
}

/// The one place that writes a secret into a response.
pub(super) fn in_the_clear<S: Serializer>(secret: &Option<Secret>, serializer: S) -> Result<S::Ok, S::Error> {
    secret.as_ref().map(Secret::expose).serialize(serializer)
}

/// Body of a roll.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Roll {
    /// For how long the secret before works on, 0 to 2592000 (30 days). Without: it ends now.
    pub overlap_seconds: u32,
}

/// Body of a revocation.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Revoke {
    /// Why.
    pub reason: RevokeReason,
}

/// What issuing depends on, as it stands inside the transaction.
pub(super) struct World {
    organization: Organization,
    principal: PrincipalId,
    held: PermissionSet,
    held_everywhere: PermissionSet,
    declared: PermissionSet,
}

impl World {
    /// Around a service account that the caller can see.
    pub(super) async fn of_account(
        tx: &mut Tx<'_>,
        reach: Reach,
        account: ServiceAccountId,
    ) -> Result<Option<Self>, RequestError> {
        let Some(account) = tx.within(reach).service_account(account).await? else { return Ok(None) };
        Self::read(tx, reach, account.id.into(), account.organization).await
    }

    /// Around a credential that exists.
    pub(super) async fn of(
        tx: &mut Tx<'_>,
        reach: Reach,
        credential: &Credential,
    ) -> Result<Option<Self>, RequestError> {
        match credential.principal {
            PrincipalId::ServiceAccount(id) => Self::of_account(tx, reach, id).await,
            PrincipalId::User(_) => Ok(None),
        }
    }

    async fn read(
        tx: &mut Tx<'_>,
        reach: Reach,
        principal: PrincipalId,
        organization: OrganizationId,
    ) -> Result<Option<Self>, RequestError> {
        let mut view = tx.within(reach);
        let Some(organization) = view.organization(organization).await? else { return Ok(None) };
        let held = view.held(principal, organization.id).await?;
        let held_everywhere = view.held_everywhere(principal).await?;
        let declared = view.declared_permissions().await?;
        Ok(Some(Self { organization, principal, held, held_everywhere, declared }))
    }

    pub(super) fn context<'a>(&'a self, app: &'a App, grantor: Grantor<'a>) -> IssuingContext<'a> {
        IssuingContext {
            organization: &self.organization,
            principal: self.principal,
            held: &self.held,
            held_everywhere: &self.held_everywhere,
            declared: &self.declared,
            grantor,
            brand: &app.config.brand,
        }
    }
}
