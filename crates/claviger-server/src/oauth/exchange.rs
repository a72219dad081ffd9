//! The token exchange grant (RFC 8693): whatever is presented at an API, for a token of one API that is worth no more.

use axum::response::Response;
use claviger_core::{
    TokenFormat,
    oauth::{self, ExchangeRequest, OAuthError, OAuthErrorCode, TokenType, acting, no_subject},
};
use claviger_token::{Found, PrincipalId};

use super::{
    Client, NotDone, OAuthRequest,
    token::{Issue, issue},
};
use crate::{
    app::App,
    verify::{Catalog, LookedUp},
};

pub(super) async fn exchange(app: &App, request: &OAuthRequest) -> Result<Response, NotDone> {
    let client = app.client(request, 1).await?;
    let asked = ExchangeRequest::read(&request.form)?;
    let catalog = app.catalog().await?;
    let looked_up = presented(app, request, asked.subject_token, "subject_token").await?;
    let subject = looked_up.found().filter(|found| may_exchange(&client, found, &catalog));
    let subject = subject.ok_or_else(|| no_subject("subject_token"))?;
    let mut act = subject.token.as_ref().and_then(|token| token.act.clone());
    if let Some(actor) = asked.actor_token {
        let actor = presented(app, request, actor, "actor_token").await?;
        let actor =
            actor.found().filter(|found| is_given_to(&client, found)).ok_or_else(|| no_subject("actor_token"))?;
        act = Some(acting(actor.principal.id, act.as_deref())?);
    }
    let target = oauth::target(catalog.apis(), &subject.rights.permissions, asked.scope, &asked.targets)?;
    if asked.requested == TokenType::Jwt && target.api.access_tokens.format != TokenFormat::Jwt {
        let description = format!("tokens for {} are opaque; leave requested_token_type out", target.api.identifier);
        return Err(OAuthError::invalid_request(description).into());
    }
    let issued_token_type = Some(asked.requested.as_str());
    match issue(app, Issue { parent: subject, client: client.id, target: &target, act, issued_token_type }).await {
        // RFC 8693, section 2.2.2: what was presented is the request's.
        Err(NotDone::Refused(error)) if error.code == OAuthErrorCode::InvalidGrant => {
            Err(OAuthError::invalid_request(error.description()).into())
        }
        done => done,
    }
}

/// A token that counts, as it was presented for an exchange.
async fn presented(
    app: &App,
    request: &OAuthRequest,
    token: &str,
    parameter: &'static str,
) -> Result<LookedUp, NotDone> {
    let looked_up = app.look_up(token).await?;
    match app.is_valid(&looked_up, request, 1).await? {
        true => Ok(looked_up),
        false => Err(no_subject(parameter).into()),
    }
}

/// Whoever has it and is of its organization, or serves an API that it is for.
fn may_exchange(client: &Client, subject: &Found, catalog: &Catalog) -> bool {
    client.found().organization.id == subject.organization.id
        || catalog.served_by(client.id.into(), &subject.audiences).is_some()
}

/// Whether it is the client's own, or was given to it.
fn is_given_to(client: &Client, actor: &Found) -> bool {
    match &actor.token {
        Some(token) => token.client_id == client.id,
        None => actor.principal.id == PrincipalId::from(client.id),
    }
}
