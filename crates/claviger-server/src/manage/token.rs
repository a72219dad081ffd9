//! `/v1/token`: a credential about itself. No permission is needed: who holds it may see, roll and end it.

use axum::{extract::State, http::StatusCode};
use claviger_core::{Credential, EndedToken, Reach, Rejection, RevokeReason};
use claviger_store::Tx;
use claviger_token::{
    AccessTokenId, Confirmation, CredentialId, CredentialView, Found, Generation, ObjectSet, OrganizationView,
    PermissionSet, PrincipalView, Secret, ServiceAccountId,
};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{
    api_key::IssuedApiKey,
    credential::{Authority, Roll},
    personal_access_token::IssuedPersonalAccessToken,
};
use crate::{
    app::App,
    body::{Answer, Post},
    caller::{ActsOnItself, Itself},
    problem::{Problem, RequestError},
};

/// What a credential may know of itself.
#[derive(Serialize, ToSchema)]
#[schema(as = Token)]
pub(crate) struct TokenView<'a> {
    credential: CredentialView<'a>,
    principal: PrincipalView<'a>,
    organization: OrganizationView<'a>,
    /// What it may do, now.
    permissions: &'a PermissionSet,
    objects: Option<&'a ObjectSet>,
    /// What must be proved with it (RFC 7800); null of a bearer credential.
    cnf: Option<Confirmation>,
    /// Of an access token alone: what it is beside the credential that it was made from, which `credential` names.
    access_token: Option<AccessTokenView<'a>>,
    #[schema(value_type = Object)]
    metadata: &'a RawValue,
}

impl<'a> TokenView<'a> {
    fn new(found: &'a Found, now: Timestamp) -> Self {
        Self {
            credential: CredentialView::new(found, now),
            principal: PrincipalView::new(found),
            organization: OrganizationView::new(found),
            permissions: &found.rights.permissions,
            objects: found.credential.objects.as_ref(),
            cnf: found.credential.confirmation,
            access_token: AccessTokenView::new(found),
            metadata: &found.credential.metadata,
        }
    }
}

/// What an access token is by itself.
#[derive(Serialize, ToSchema)]
#[schema(as = AccessToken)]
pub(crate) struct AccessTokenView<'a> {
    /// Its `jti`.
    id: AccessTokenId,
    /// To whom it was given.
    client_id: ServiceAccountId,
    issued_at: Timestamp,
    /// Its own end. Its credential may end before: `credential.expires_at` is the earlier one.
    expires_at: Timestamp,
    /// The APIs that it is for.
    audiences: &'a [String],
    /// What it was given; `permissions` is what is left of that now.
    scope: &'a PermissionSet,
}

impl<'a> AccessTokenView<'a> {
    fn new(found: &'a Found) -> Option<Self> {
        let token = found.token.as_ref()?;
        Some(Self {
            id: token.id,
            client_id: token.client_id,
            issued_at: token.issued_at,
            expires_at: token.expires_at,
            audiences: &found.audiences,
            scope: &token.scope,
        })
    }
}

/// A credential that rolled itself, in the form of its kind.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum RolledToken {
    ApiKey(IssuedApiKey),
    PersonalAccessToken(IssuedPersonalAccessToken),
}

impl RolledToken {
    fn reveal(app: &App, credential: Credential, token: Secret, now: Timestamp) -> Result<Self, RequestError> {
        match credential.id {
            CredentialId::ApiKey(_) => Ok(Self::ApiKey(IssuedApiKey::reveal(credential, token, now))),
            CredentialId::PersonalAccessToken(_) => {
                Ok(Self::PersonalAccessToken(IssuedPersonalAccessToken::reveal(app, credential, token, now)))
            }
            CredentialId::ClientSecret(_)
            | CredentialId::PublicKey(_)
            | CredentialId::Certificate(_)
            | CredentialId::Federation(_) => Err(of_a_client()),
        }
    }

    /// As a repetition of the request sees it.
    fn concealed(app: &App, credential: &Credential, now: Timestamp) -> Result<Self, RequestError> {
        match credential.id {
            CredentialId::ApiKey(_) => Ok(Self::ApiKey(IssuedApiKey::concealed(credential, now))),
            CredentialId::PersonalAccessToken(_) => {
                Ok(Self::PersonalAccessToken(IssuedPersonalAccessToken::concealed(app, credential, now)))
            }
            CredentialId::ClientSecret(_)
            | CredentialId::PublicKey(_)
            | CredentialId::Certificate(_)
            | CredentialId::Federation(_) => Err(of_a_client()),
        }
    }
}

/// What was made with a secret or a key does not get hold of the next one.
fn of_a_client() -> RequestError {
    let message =
        "a token that a client got does not roll what the client got it with; `claviger service-account secret roll` does, with a credential of an administrator".to_owned();
    Rejection::Conflict { code: "not_current", message }.into()
}

/// Show the presented credential
///
/// The call by which an integration tests its connection. Spends no quota.
#[utoipa::path(
    get, path = "/v1/token", tag = "Token", operation_id = "showToken",
    responses((status = 200, body = TokenView), (status = 401, body = Problem)),
)]
pub(crate) async fn show(State(app): State<App>, itself: Itself) -> axum::response::Response {
    axum::response::IntoResponse::into_response(Answer(TokenView::new(itself.found(), app.now())))
}

/// Roll the presented credential
///
/// Only the current generation can; the expiry stays. The answer holds the new token, once.
#[utoipa::path(
    post, path = "/v1/token/roll", tag = "Token", operation_id = "rollToken",
    request_body = Roll,
    responses((status = 200, body = RolledToken), (status = "4XX", body = Problem)),
)]
pub(crate) async fn roll(
    State(app): State<App>,
    itself: ActsOnItself,
    Post { body, repeatable }: Post<Roll>,
) -> Result<Answer<RolledToken>, RequestError> {
    if itself.found().token.is_some() {
        let message = "an access token is not rolled: ask the token endpoint for the next one before this one ends, or roll \
                       the credential that it was made from";
        return Err(Rejection::Conflict { code: "not_rollable", message: message.to_owned() }.into());
    }
    let authority = Authority::of_itself(&itself);
    let (mut tx, key, world) = authority.to_change_in_world(&app, itself.found().credential.id).await?;
    let now = app.now();
    // Asked of the record under lock: of two racing rolls, the second holds a secret that is no longer current.
    let presented = itself.found().secret.as_ref().map(|secret| secret.number);
    let current = key.secrets.first().is_some_and(|secret| Some(secret.number) == presented);
    if !current || itself.found().generation(now) != Some(Generation::Current) {
        let message = "this secret was rolled already; only the current one can roll".to_owned();
        return Err(Rejection::Conflict { code: "not_current", message }.into());
    }
    // Whoever planted a credential has not less of it because it rolls itself.
    let by = key.seen_by().to_owned();
    let rolled = key.roll(body.overlap_seconds, &world.context(&app, &authority), by, now, &mut app.rng())?;
    tx.save_rolled_credential(&rolled.credential, &app.peppers.digest(&rolled.secret.hash())).await?;
    let kept = repeatable.remembered(StatusCode::OK, None, &RolledToken::concealed(&app, &rolled.credential, now)?);
    tx.commit_answering(rolled.event, kept.as_ref(), now, &mut app.rng()).await?;
    Ok(Answer(RolledToken::reveal(&app, rolled.credential, rolled.secret, now)?))
}

/// Revoke the presented credential
///
/// An access token ends alone: the credential that it was made from goes on, and so do its other tokens.
#[utoipa::path(
    delete, path = "/v1/token", tag = "Token", operation_id = "revokeToken",
    responses((status = 204, description = "Ended"), (status = 401, body = Problem)),
)]
pub(crate) async fn revoke(State(app): State<App>, itself: ActsOnItself) -> Result<StatusCode, RequestError> {
    let now = app.now();
    if let Some(token) = EndedToken::of(itself.found()) {
        let mut tx = app.store.begin(itself.by()).await?;
        tx.revoke_access_token(token.id, token.credential, token.expires_at, now).await?;
        tx.commit(token.event(), now, &mut app.rng()).await?;
        return Ok(StatusCode::NO_CONTENT);
    }
    let mut tx = app.store.begin(itself.by()).await?;
    let key = own(&mut tx, itself.found()).await?;
    let (key, event) = key.revoke(RevokeReason::Unspecified, now)?;
    tx.save_credential(&key).await?;
    tx.commit(event, now, &mut app.rng()).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn own(tx: &mut Tx<'_>, found: &Found) -> Result<Credential, RequestError> {
    let reach = Reach::Organization(found.organization.id);
    tx.to_change(reach).credential(found.credential.id).await?.ok_or(RequestError::NotFound)
}
