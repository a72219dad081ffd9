//! What the routes of client secrets, public keys, certificates and federated identities share. They stand below the service account that they prove, so that an id
//! below another account is one that is not there.

use claviger_core::{ClientCredentialChanges, Credential, CredentialStatus, Event, Kind, Reach, RevokeReason};
use claviger_store::{CredentialFilter, StoreError, Tx};
use claviger_token::{CredentialId, OrganizationId, PrincipalId, ServiceAccountId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Authority;
use crate::{app::App, listing::list_query, problem::RequestError};

/// What there is to say of everything by which a client proves itself. It stands for all of its service account.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ClientCredentialMembers)]
pub(crate) struct ClientCredentialView {
    /// The service account's id.
    #[schema(value_type = ServiceAccountId)]
    client_id: PrincipalId,
    organization_id: OrganizationId,
    name: String,
    status: CredentialStatus,
    /// Null if it never ends.
    expires_at: Option<Timestamp>,
    disabled: bool,
    /// By whom: a principal's id, or `operator`; null if it is not disabled.
    disabled_by: Option<String>,
    revoked_at: Option<Timestamp>,
    revoke_reason: Option<RevokeReason>,
    /// Null if it was never used.
    last_used_at: Option<Timestamp>,
    created_at: Timestamp,
    /// A principal's id, or `operator`.
    created_by: String,
}

impl ClientCredentialView {
    pub(super) fn new(credential: &Credential, now: Timestamp) -> Self {
        Self {
            client_id: credential.principal,
            organization_id: credential.organization,
            name: credential.name.to_string(),
            status: credential.status(now),
            expires_at: credential.expires_at,
            disabled: credential.disabled_at.is_some(),
            disabled_by: credential.disabled_by.clone(),
            revoked_at: credential.revocation.map(|revocation| revocation.at),
            revoke_reason: credential.revocation.map(|revocation| revocation.reason),
            last_used_at: credential.last_used().map(|last| last.at),
            created_at: credential.created_at,
            created_by: credential.created_by.clone(),
        }
    }
}

/// A page of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ClientCredentialQuery {
    /// 1 to 200; 50 if absent.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}
list_query!(ClientCredentialQuery);

/// How many of a kind a service account has that live. The organization is locked by then, so that it is still true at the commit.
pub(super) async fn living(
    tx: &mut Tx<'_>,
    reach: Reach,
    account: ServiceAccountId,
    kind: Kind,
    now: Timestamp,
) -> Result<i64, StoreError> {
    let filter = CredentialFilter {
        kind: Some(kind),
        principal: Some(account.into()),
        live_at: Some(now),
        ..CredentialFilter::default()
    };
    tx.within(reach).count_credentials(&filter).await
}

/// One as it is changed, in a transaction that is not committed yet.
pub(crate) async fn updated<'a>(
    app: &'a App,
    authority: &Authority<'a>,
    id: impl Into<CredentialId>,
    changes: ClientCredentialChanges,
) -> Result<(Tx<'a>, Credential, Event), RequestError> {
    let (mut tx, credential, world) = authority.to_change_in_world(app, id).await?;
    let PrincipalId::ServiceAccount(account) = credential.principal else { return Err(RequestError::NotFound) };
    let now = app.now();
    let living = living(&mut tx, authority.reach, account, Kind::of(credential.id), now).await?;
    let changes = match credential.id {
        CredentialId::Certificate(id) => {
            let (_, certificate) = tx.within(authority.reach).certificate(id).await?.ok_or(RequestError::NotFound)?;
            certificate.allow(changes)?
        }
        CredentialId::ClientSecret(_) | CredentialId::PublicKey(_) | CredentialId::Federation(_) => changes,
        CredentialId::ApiKey(_) | CredentialId::PersonalAccessToken(_) => return Err(RequestError::NotFound),
    };
    let context = world.context(app, authority);
    let (credential, event) = changes.make(credential, living, &context, authority.by.actor.id(), now)?;
    tx.save_credential(&credential).await?;
    Ok((tx, credential, event))
}
