//! `POST /oauth/revoke`: a client ends a token of its own (RFC 7009).

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use claviger_core::{
    By, EndedToken, Reach, RevokeReason,
    oauth::{OAuthError, OAuthErrorCode},
};
use claviger_token::{CredentialId, Found, SecretKind};
use utoipa::ToSchema;

use super::{NOT_KEPT, NotDone, OAuthRequest, RefusalView};
use crate::app::App;

/// What a request may say, as `application/x-www-form-urlencoded`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape for the documentation; the form is read by name")]
pub(crate) struct RevocationRequest {
    /// The token.
    token: String,
    /// Passed over: what it is can be seen.
    token_type_hint: Option<String>,
}

/// Revoke a token
///
/// Ends an access token that was given to the client, or an API key of its own with all that was made from it. The answer is the
/// same for tokens that are unknown, somebody else's or at their end already: nothing is told, and nothing of them changes.
#[utoipa::path(
    post, path = "/oauth/revoke", tag = "OAuth", operation_id = "revoke",
    request_body(content = RevocationRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "It does not count, if it was the client's"),
        (status = 400, description = "The request is refused", body = RefusalView),
        (status = 401, description = "No such client, or not proved", body = RefusalView),
        (status = 503, description = "Nothing was changed, or it is not known", body = RefusalView),
    ),
    security(("client" = [])),
)]
pub(crate) async fn revoke(State(app): State<App>, request: OAuthRequest) -> Result<Response, NotDone> {
    let client = app.client(&request, 0).await?;
    let token = request.form.required("token")?;
    must_be_supported(app.kind_of(token))?;
    let looked_up = app.look_up(token).await?;
    if let Some(found) = looked_up.found() {
        let by = client.by(&request);
        match &found.token {
            Some(token) if token.client_id == client.id && !token.revoked => end_token(&app, &by, found).await?,
            None if found.principal.id == client.id.into() => end_credential(&app, &by, found).await?,
            Some(_) | None => {}
        }
    }
    Ok((StatusCode::OK, NOT_KEPT).into_response())
}

async fn end_token(app: &App, by: &By, found: &Found) -> Result<(), NotDone> {
    let now = app.now();
    let Some(token) = EndedToken::of(found).filter(|token| now < token.expires_at) else { return Ok(()) };
    let mut tx = app.store.begin(by).await?;
    tx.revoke_access_token(token.id, token.credential, token.expires_at, now).await?;
    tx.commit(token.event(), now, &mut app.rng()).await?;
    Ok(())
}

async fn end_credential(app: &App, by: &By, found: &Found) -> Result<(), NotDone> {
    let CredentialId::ApiKey(id) = found.credential.id else { return Ok(()) };
    let now = app.now();
    let mut tx = app.store.begin(by).await?;
    let reach = Reach::Organization(found.organization.id);
    let Some(key) = tx.to_change(reach).credential(id).await? else { return Ok(()) };
    // It has ended meanwhile, and that is what was asked for.
    let Ok((key, event)) = key.revoke(RevokeReason::Unspecified, now) else { return Ok(()) };
    tx.save_credential(&key).await?;
    tx.commit(event, now, &mut app.rng()).await?;
    Ok(())
}

/// By its form alone, which tells nobody whether there is such a credential: whoever believes that it ended here must not be wrong.
fn must_be_supported(kind: Option<SecretKind>) -> Result<(), OAuthError> {
    let instead = match kind {
        None | Some(SecretKind::ApiKey | SecretKind::TestApiKey | SecretKind::AccessToken) => return Ok(()),
        Some(SecretKind::ClientSecret) => {
            "a client secret ends with `claviger service-account secret revoke`, or POST /v1/service-accounts/{id}/secrets/{secret}/revoke"
        }
        Some(SecretKind::PersonalAccessToken) => {
            "a personal access token ends with `claviger token revoke`, or DELETE /v1/token, sent with it, or POST /v1/personal-access-tokens/{id}/revoke"
        }
        Some(SecretKind::Portal) => "a portal session ends by itself within the hour",
        Some(SecretKind::ClaimCode) => {
            "a claim code ends with `claviger fleet claim-code revoke`, or DELETE /v1/fleets/{id}/claim-codes/{claim_code}"
        }
    };
    Err(OAuthError::new(OAuthErrorCode::UnsupportedTokenType, instead))
}
