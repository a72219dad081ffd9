//! The token exchange grant (RFC 8693): whatever is presented at an API, for a token of one API that is worth no more.

use axum::{http::header, response::Response};
use claviger_core::{
    TokenFormat,
    oauth::{self, ExchangeRequest, OAuthError, OAuthErrorCode, TOKEN_EXCHANGE, TokenType, acting, no_subject},
};
use claviger_token::{Found, PrincipalId};

use super::{
    Client, NotDone, OAuthRequest,
    token::{Issue, issue},
};
use crate::{
    app::App,
    proof::Proving,
    verify::{Catalog, LookedUp},
};

pub(super) async fn exchange(app: &App, request: &OAuthRequest) -> Result<Response, NotDone> {
    let proving = app.proved_key(request)?;
    let client = app.client(request, 1).await?;
    client.must_use(TOKEN_EXCHANGE)?;
    let shown = app.bound_to(&client, &proving).await?;
    let proving = proving.used();
    let asked = ExchangeRequest::read(&request.form)?;
    let catalog = app.catalog().await?;
    let may_exchange = |found: &Found| may_exchange(&client, found, &catalog);
    let looked_up =
        presented(app, request, &client, &proving, "subject_token", asked.subject_token, may_exchange).await?;
    let looked_up = app.with_place(request, &client, Some((asked.subject_token, looked_up, &proving))).await?;
    let subject = looked_up.as_ref().and_then(LookedUp::found).filter(|found| may_exchange(found));
    let subject = subject.ok_or_else(|| no_subject("subject_token"))?;
    let mut act = subject.token.as_ref().and_then(|token| token.act.clone());
    if let Some(actor) = asked.actor_token {
        let is_given = |found: &Found| is_given_to(&client, found);
        let actor = presented(app, request, &client, &proving, "actor_token", actor, is_given).await?;
        let actor = actor.found().ok_or_else(|| no_subject("actor_token"))?;
        act = Some(acting(actor.principal.id, act.as_deref())?);
    }
    let target = oauth::target(catalog.apis(), &subject.rights.permissions, asked.scope, &asked.targets)?;
    if asked.requested == TokenType::Jwt && target.api.access_tokens.format != TokenFormat::Jwt {
        let description = format!("tokens for {} are opaque; leave requested_token_type out", target.api.identifier);
        return Err(OAuthError::invalid_request(description).into());
    }
    let details = oauth::details(request.form.get("authorization_details"), subject)?;
    let (parent, client, grant) = (subject, client.id, TOKEN_EXCHANGE);
    let (target, issued_token_type) = (&target, Some(asked.requested.as_str()));
    match issue(app, Issue { parent, client, grant, target, shown, details, act, issued_token_type }).await {
        // RFC 8693, section 2.2.2: what was presented is the request's.
        Err(NotDone::Refused(error)) if error.code == OAuthErrorCode::InvalidGrant => {
            Err(OAuthError::invalid_request(error.description()).into())
        }
        done => done,
    }
}

/// A token that counts, as it was presented for an exchange by whom it `may` be. What it counts against is spent, and told to
/// its own organization alone.
async fn presented(
    app: &App,
    request: &OAuthRequest,
    client: &Client,
    proving: &Proving,
    parameter: &'static str,
    token: &str,
    may: impl Fn(&Found) -> bool,
) -> Result<LookedUp, NotDone> {
    let looked_up = app.look_up(token).await?;
    let Some(organization) = looked_up.found().filter(|found| may(found)).map(|found| found.organization.id) else {
        return Err(no_subject(parameter).into());
    };
    match app.is_valid(&looked_up, request, proving, 1).await {
        Ok(true) => Ok(looked_up),
        Ok(false) => Err(no_subject(parameter).into()),
        Err(NotDone::Throttled { headers }) if organization != client.found().organization.id => {
            let wait = headers.get(header::RETRY_AFTER).cloned();
            let headers = wait.map(|wait| (header::RETRY_AFTER, wait)).into_iter().collect();
            Err(NotDone::Throttled { headers })
        }
        Err(error) => Err(error),
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
