//! `POST /oauth/device_authorization`, and the grant that comes of it (RFC 8628): a device gets a token of a person, who approves that in a
//! browser (`console/device_request.rs`).
//!
//! What it gets is a personal access token, made by the rules of every other. The room must not know what the page looks like.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use claviger_core::{
    Actor, By, CLI_CLIENT, DEVICE_CODE, DeviceApproval, DeviceAsk, DeviceClient, DeviceRequest, Digest, Polled, Reach,
    Rejection, is_link_code,
    oauth::{OAuthError, OAuthErrorCode},
};
use claviger_store::StoreError;
use claviger_token::{CredentialId, Secret};
use serde::Serialize;
use utoipa::ToSchema;

use super::{NOT_KEPT, NotDone, OAuthRequest, RefusalView, token::TokenAnswer};
use crate::{
    app::App,
    log::RequestId,
    manage::{approval_url, in_the_clear, issue_own},
    problem::RequestError,
    proof::Carried,
};

/// How many requests of one client wait at once.
const MOST_OPEN: u32 = 10_000;

/// Of so many new codes, one is free.
const MOST_CODES: usize = 4;

/// What a request may say, as `application/x-www-form-urlencoded`. Other parameters are passed over.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape for the documentation; the form is read by name")]
pub(crate) struct DeviceAuthorizationRequest {
    /// `claviger-cli`, which has no secret; or a service account's id, unless it stands in `Authorization: Basic` or in the assertion.
    #[schema(example = "claviger-cli")]
    client_id: Option<String>,
    /// A service account's secret, unless it stands in `Authorization: Basic`.
    client_secret: Option<String>,
    /// A signed assertion instead of a secret (RFC 7523).
    client_assertion: Option<String>,
    /// `urn:ietf:params:oauth:client-assertion-type:jwt-bearer`, with an assertion.
    client_assertion_type: Option<String>,
    /// The identifier of the API that the token is for (RFC 8707). Without: the one that declares the scopes; of `claviger-cli`
    /// without scopes, Claviger's own.
    #[schema(example = "https://api.acme.test")]
    resource: Option<String>,
    /// Permissions, separated by spaces. Without: all that the person holds for the API.
    #[schema(example = "invoices:read")]
    scope: Option<String>,
    /// What the device is called, such as its host name: the person reads it, and the token is named after it.
    #[schema(example = "zoe-laptop")]
    device_name: Option<String>,
}

/// What a device shows, and what it polls with (RFC 8628, section 3.2).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeviceAuthorization {
    /// To be sent to the token endpoint, and to be shown to nobody.
    #[serde(serialize_with = "in_the_clear")]
    #[schema(value_type = String)]
    device_code: Option<Secret>,
    /// What the person types, in whatever case, with the dash or without.
    #[schema(value_type = String, example = "WDJB-MJHT")]
    user_code: String,
    /// Where they type it.
    verification_uri: String,
    /// The same page with the code, which still asks whether they mean it.
    verification_uri_complete: String,
    /// Seconds until both codes end.
    expires_in: u64,
    /// Seconds to wait between two requests for the token.
    interval: u32,
}

/// Ask for a token of a person
///
/// For what has no browser: it shows `user_code` and `verification_uri`, and asks the token endpoint every `interval` seconds whether somebody
/// has approved (RFC 8628). What it gets then is a personal access token of that person, in the organization that they chose, with exactly
/// the permissions that they saw. A service account's request can be approved in its own organization, and by everybody for an API that it
/// serves (`resource_servers`).
#[utoipa::path(
    post, path = "/oauth/device_authorization", tag = "OAuth", operation_id = "authorizeDevice",
    request_body(content = DeviceAuthorizationRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "What to show, and to poll with", body = DeviceAuthorization),
        (status = 400, description = "The request is refused", body = RefusalView),
        (status = 401, description = "No such client, or not proved", body = RefusalView),
        (status = 429, description = "Too often", body = RefusalView),
        (status = 503, description = "Not now", body = RefusalView),
    ),
    security((), ("client" = [])),
)]
pub(crate) async fn authorize(State(app): State<App>, request: OAuthRequest) -> Result<Response, NotDone> {
    without_details(&request)?;
    let client = device_client(&app, &request).await?;
    let now = app.now();
    // Whoever proves who they are is held to limits of their own.
    if client == DeviceClient::Cli {
        app.throttle.device_asks(request.address, now).map_err(|wait| {
            app.metrics.throttled(request.guarded());
            NotDone::throttled(wait)
        })?;
    }
    let catalog = app.catalog().await?;
    let own = catalog.apis().iter().find(|api| api.builtin);
    let own = own.ok_or_else(|| NotDone::Unavailable("Claviger's own API is not declared".into()))?;
    let ask = DeviceAsk::read(&request.form, client, own)?;
    for _ in 0..MOST_CODES {
        let (one, code, user_code) = DeviceRequest::create(client, ask.clone(), request.address, now, &mut app.rng());
        let (digest, typed) = (app.peppers.digest(&code.hash()), app.peppers.digest(&user_code.hash()));
        match app.store.insert_device_request(&one, &digest, &typed, MOST_OPEN).await {
            Ok(true) => {
                let verification_uri = format!("{}/device", app.config.public_url);
                let answer = DeviceAuthorization {
                    device_code: Some(code),
                    verification_uri_complete: format!("{verification_uri}?user_code={user_code}"),
                    user_code: user_code.to_string(),
                    verification_uri,
                    expires_in: one.seconds_left(now),
                    interval: one.interval,
                };
                return Ok((NOT_KEPT, Json(answer)).into_response());
            }
            Ok(false) => {
                app.metrics.throttled(request.guarded());
                return Err(NotDone::throttled(std::time::Duration::from_secs(u64::from(one.interval))));
            }
            // Another one waits under the same code.
            Err(StoreError::Taken(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(NotDone::Unavailable("no code was free".into()))
}

/// Passed over, they would be a restriction that the token does not have.
fn without_details(request: &OAuthRequest) -> Result<(), OAuthError> {
    if request.form.get("authorization_details").is_none() {
        return Ok(());
    }
    let description = "this grant takes no authorization_details: ask for permissions of one API, by scope";
    Err(OAuthError::new(OAuthErrorCode::InvalidAuthorizationDetails, description))
}

/// Which client it is: our own command line says so, every other one proves it. A key that is proved would have no effect.
async fn device_client(app: &App, request: &OAuthRequest) -> Result<DeviceClient, NotDone> {
    let unbound = |description| Err(OAuthError::new(OAuthErrorCode::InvalidDpopProof, description).into());
    if !matches!(request.carried(), Carried::Nothing) {
        return unbound("this grant gives tokens that are bound to no key: send no DPoP proof");
    }
    if request.presented()?.is_none() && request.form.get("client_id") == Some(CLI_CLIENT) {
        return Ok(DeviceClient::Cli);
    }
    let client = app.client(request, 1).await?;
    client.must_use(DEVICE_CODE)?;
    if client.found().principal.tls_client_certificate_bound_access_tokens {
        let description = "this client gets tokens only that are bound to its certificate \
                           (tls_client_certificate_bound_access_tokens), and this grant gives none";
        return Err(OAuthError::invalid_request(description).into());
    }
    if client.found().principal.dpop_bound_access_tokens {
        return unbound(
            "this client gets tokens only that are bound to a key (dpop_bound_access_tokens), and this grant gives none",
        );
    }
    Ok(DeviceClient::ServiceAccount(client.id))
}

/// The grant: whether somebody has approved, and if so the token, once.
pub(super) async fn device_code(app: &App, request: &OAuthRequest) -> Result<Response, NotDone> {
    without_details(request)?;
    let code = request.form.required("device_code")?;
    let client = device_client(app, request).await?;
    let found = app.device_request(code).await?;
    // One after the other, and each sees what the one before did: of many at once, all but one need no place at the database's locks.
    let approved = found.as_ref().is_some_and(|found| found.approver().is_some());
    let turn = if approved { Some(app.redeeming.lock().await) } else { None };
    let found = if turn.is_some() { app.device_request(code).await? } else { found };
    let now = app.now();
    let Some(found) = found else {
        // Whoever guesses waits like whoever proves nothing.
        return Err(app.disbelieved(request, DeviceRequest::no_such_code()));
    };
    match found.poll(client, now)? {
        Polled::Approved(approval) => redeem(app, request, found, &approval).await,
        // What comes too fast must not keep others from writing.
        Polled::Waits if found.waits_to_its_end(now) || app.throttle.device_polls(found.id, now).is_err() => {
            Err(DeviceRequest::too_fast(found.interval + DeviceRequest::SLOWER).into())
        }
        Polled::Waits => Err(match app.store.poll_device_request(found.id, now).await? {
            None => DeviceRequest::pending().into(),
            Some(interval) => DeviceRequest::too_fast(interval).into(),
        }),
    }
}

/// Makes the token. What is not allowed any more since it was approved, the device is told as a refusal, and for good.
async fn redeem(
    app: &App,
    request: &OAuthRequest,
    one: DeviceRequest,
    approval: &DeviceApproval,
) -> Result<Response, NotDone> {
    let (now, called) = (app.now(), app.device_client_name(one.client).await?);
    let actor = Actor::Link { user: approval.user };
    let by = By { actor, address: request.address, request_id: request.id.as_ref().map(RequestId::to_string) };
    let mut tx = app.store.begin(&by).await?;
    let issued = issue_own(app, &mut tx, approval, now, |policy| one.token(approval, called.as_deref(), policy, now));
    let issued = match issued.await {
        Err(RequestError::Store(error)) => return Err(error.into()),
        issued => issued,
    };
    if !tx.redeem_device_request(one.id, now).await? {
        return Err(DeviceRequest::no_such_code().into());
    }
    let issued = match issued {
        Ok(issued) => issued,
        Err(error) => {
            let why = why_not(&error);
            tx.withdraw_device_request(one.id).await?;
            tx.commit(one.deny(Some(&why)).1, now, &mut app.rng()).await?;
            return Err(DeviceRequest::denied(&why).into());
        }
    };
    tx.insert_credential(&issued.credential, &app.peppers.digest(&issued.secret.hash())).await?;
    if let CredentialId::PersonalAccessToken(id) = issued.credential.id {
        tx.also(one.redeemed(approval, id));
    }
    tx.commit(issued.event, now, &mut app.rng()).await?;
    if let DeviceClient::ServiceAccount(client) = one.client {
        app.usage.count_issued(client, DEVICE_CODE, now);
    }
    let expires_in = issued.credential.expires_at.map_or(0, |end| end.duration_since(now).as_secs());
    let answer = TokenAnswer::of_person(
        issued.secret,
        u64::try_from(expires_in).unwrap_or(0),
        issued.credential.permissions.named().to_text(),
        approval_url(app, &issued.credential, now),
    );
    Ok((NOT_KEPT, Json(answer)).into_response())
}

/// Why the rules do not allow a token that was approved.
pub(crate) fn why_not(error: &RequestError) -> String {
    if let RequestError::Rejected(Rejection::Invalid(errors)) = error {
        let messages: Vec<&str> = errors.iter().map(|error| error.message.as_str()).collect();
        return messages.join("; ");
    }
    if matches!(error, RequestError::NotFound) {
        return "whoever approved it does not act in that organization any more".to_owned();
    }
    error.to_string()
}

impl App {
    /// The request whose device holds this code, in whatever state.
    async fn device_request(&self, code: &str) -> Result<Option<DeviceRequest>, StoreError> {
        if !is_link_code(code) {
            return Ok(None);
        }
        let digests: Vec<Digest> = self.peppers.candidates(&Secret::new(code.to_owned()).hash()).collect();
        for digest in digests {
            if let Some(found) = self.store.device_request(&digest).await? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// What a client is called, unless it is our own.
    pub(crate) async fn device_client_name(&self, client: DeviceClient) -> Result<Option<String>, StoreError> {
        let DeviceClient::ServiceAccount(id) = client else { return Ok(None) };
        let account = self.store.within(Reach::Instance).service_account(id).await?;
        Ok(Some(account.map_or_else(|| id.to_string(), |account| account.name.to_string())))
    }
}
