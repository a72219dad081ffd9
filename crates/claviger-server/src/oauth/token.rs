//! `POST /oauth/token`: short-lived tokens for one API (RFC 6749, section 4.4).

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use claviger_core::{
    DEVICE_CODE, TokenFormat,
    oauth::{self, JWT_BEARER, Lifetime, OAuthError, OAuthErrorCode, TOKEN_EXCHANGE, Target},
};
use claviger_token::{
    AccessTokenClaims, ActorClaim, AuthorizationDetails, Confirmation, DpopError, Found, ProofUrl, Secret, SecretKind,
    ServiceAccountId, Shown,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Client, NOT_KEPT, NotDone, OAuthRequest, RefusalView, TOKEN, device_request::device_code, exchange::exchange,
    federation::jwt_bearer,
};
use crate::{
    app::App,
    manage::in_the_clear,
    proof::{Asker, ProofFor, Proving, write_nonce},
    verify::{LONGEST_JWT, LookedUp},
};

/// The grants that there are.
pub(super) const GRANTS: &[&str] = &[CLIENT_CREDENTIALS, TOKEN_EXCHANGE, JWT_BEARER, DEVICE_CODE];

const CLIENT_CREDENTIALS: &str = "client_credentials";

/// What a request may say, as `application/x-www-form-urlencoded`. Other parameters are passed over.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape for the documentation; the form is read by name")]
pub(crate) struct TokenRequest {
    /// `client_credentials`, `urn:ietf:params:oauth:grant-type:token-exchange`, `urn:ietf:params:oauth:grant-type:jwt-bearer` or
    /// `urn:ietf:params:oauth:grant-type:device_code`.
    #[schema(example = "client_credentials")]
    grant_type: String,
    /// The identifier of the API that the token is for (RFC 8707). Without: the one that declares the scopes.
    #[schema(example = "https://api.acme.test")]
    resource: Option<String>,
    /// Permissions, separated by spaces. Without: all that the client holds for the API.
    #[schema(example = "invoices:read")]
    scope: Option<String>,
    /// The objects that the token is for (RFC 9396), as a JSON array. Without: those that what it is made from is limited to.
    #[schema(example = r#"[{"type":"objects","objects":["project:42"]}]"#)]
    authorization_details: Option<String>,
    /// The service account's id, unless it stands in `Authorization: Basic` or in the assertion. Of an outside assertion it says whose
    /// federated identity is meant.
    client_id: Option<String>,
    /// Its secret, unless it stands in `Authorization: Basic`.
    client_secret: Option<String>,
    /// A signed assertion instead of a secret (RFC 7523).
    client_assertion: Option<String>,
    /// `urn:ietf:params:oauth:client-assertion-type:jwt-bearer`, with an assertion.
    client_assertion_type: Option<String>,
    /// With jwt-bearer: what an outside issuer says of the workload, as a JWT (RFC 7523).
    assertion: Option<String>,
    /// With device_code: what `/oauth/device_authorization` answered (RFC 8628). `claviger-cli` needs no secret for it.
    device_code: Option<String>,
    /// To exchange: whose rights are wanted, by an API key, a personal access token or an access token (RFC 8693).
    subject_token: Option<String>,
    /// To exchange: `urn:ietf:params:oauth:token-type:access_token`, or `…:jwt` for a JWT.
    subject_token_type: Option<String>,
    /// To exchange: who acts in that one's name; a token that was given to the client.
    actor_token: Option<String>,
    /// To exchange: as `subject_token_type`.
    actor_token_type: Option<String>,
    /// To exchange: the same as `resource`.
    audience: Option<String>,
    /// To exchange: as `subject_token_type`; an access token if absent.
    requested_token_type: Option<String>,
}

/// A token (RFC 6749, section 5.1).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TokenAnswer {
    /// To be sent as `Authorization`, with `token_type` as the scheme. Its form is nobody's business but the API's.
    #[serde(serialize_with = "in_the_clear")]
    #[schema(value_type = String, example = "eyJ…")]
    access_token: Option<Secret>,
    /// How to send it: `Bearer`, or `DPoP` with a proof of the key that it is bound to (RFC 9449).
    #[schema(value_type = String, example = "Bearer")]
    token_type: &'static str,
    /// Seconds until it ends.
    expires_in: u64,
    /// What it permits.
    #[schema(value_type = String, example = "invoices:read")]
    scope: String,
    /// What was granted beside the scope, as it was asked for (RFC 9396, section 7).
    #[serde(skip_serializing_if = "Option::is_none")]
    authorization_details: Option<AuthorizationDetails>,
    /// After an exchange: of what type it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    issued_token_type: Option<&'static str>,
    /// Of a token of a person whose organization wants an approval of it: it works once it has that, which is given here.
    #[serde(skip_serializing_if = "Option::is_none")]
    approval_url: Option<String>,
}

impl TokenAnswer {
    /// A personal access token.
    pub(super) fn of_person(token: Secret, expires_in: u64, scope: String, approval_url: Option<String>) -> Self {
        Self {
            access_token: Some(token),
            token_type: "Bearer",
            expires_in,
            scope,
            authorization_details: None,
            issued_token_type: None,
            approval_url,
        }
    }
}

/// Get a token
///
/// A service account proves who it is with a client secret, a signed assertion or what an outside issuer says of it, and gets a token for
/// one API: of its own rights, or in exchange for what it was given; or, with a device code, a token of the person who approved it. With a `DPoP` header it is bound to the key that is proved there
/// (RFC 9449); that of a client with `tls_client_certificate_bound_access_tokens` to the certificate of its connection (RFC 8705). There is
/// no refresh token: ask again.
#[utoipa::path(
    post, path = "/oauth/token", tag = "OAuth", operation_id = "token",
    request_body(content = TokenRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "A token", body = TokenAnswer),
        (status = 400, description = "The request is refused", body = RefusalView),
        (status = 401, description = "No such client, or not proved", body = RefusalView),
        (status = 429, description = "Too often", body = RefusalView),
        (status = 503, description = "Not now", body = RefusalView),
    ),
    security(("client" = [])),
)]
pub(crate) async fn token(State(app): State<App>, request: OAuthRequest) -> Result<Response, NotDone> {
    match request.form.required("grant_type")? {
        CLIENT_CREDENTIALS => client_credentials(&app, &request).await,
        TOKEN_EXCHANGE => exchange(&app, &request).await,
        JWT_BEARER => jwt_bearer(&app, &request).await,
        DEVICE_CODE => device_code(&app, &request).await,
        other => {
            let description = format!("there is no grant {other} here; there is {}", GRANTS.join(", "));
            Err(OAuthError::new(OAuthErrorCode::UnsupportedGrantType, description).into())
        }
    }
}

async fn client_credentials(app: &App, request: &OAuthRequest) -> Result<Response, NotDone> {
    let proving = app.proved_key(request)?;
    let client = app.client(request, 1).await?;
    client.must_use(CLIENT_CREDENTIALS)?;
    own_rights(app, request, &client, &proving, CLIENT_CREDENTIALS).await
}

/// A token of a client's own rights.
pub(super) async fn own_rights(
    app: &App,
    request: &OAuthRequest,
    client: &Client,
    proving: &Proving,
    grant: &'static str,
) -> Result<Response, NotDone> {
    let shown = app.bound_to(client, proving).await?;
    let looked_up = app.with_place(request, client, None).await?;
    let found = looked_up.as_ref().and_then(LookedUp::found).ok_or_else(OAuthError::invalid_client)?;
    let catalog = app.catalog().await?;
    let resources: Vec<&str> = request.form.all("resource").collect();
    let held = &found.rights.permissions;
    let target = oauth::target(catalog.apis(), held, request.form.get("scope"), &resources)?;
    let details = oauth::details(request.form.get("authorization_details"), found)?;
    let (parent, target) = (found, &target);
    let (client, act, issued_token_type) = (client.id, None, None);
    issue(app, Issue { parent, client, grant, target, shown, details, act, issued_token_type }).await
}

impl App {
    /// What a request for a token proves to hold. A proof of a key that does not hold is refused before the client's own, for of some
    /// clients that would count but once.
    pub(super) fn proved_key(&self, request: &OAuthRequest) -> Result<Proving, NotDone> {
        let urls = self.config.addresses_of(TOKEN).filter_map(|url| ProofUrl::parse(&url));
        let urls: Vec<ProofUrl> = urls.collect();
        let asked = ProofFor { method: "POST", urls: &urls, credential: None };
        let proving = self.prove(request.carried(), Asker::AuthorizationServer, asked);
        match proving.problem {
            None => Ok(proving.with(request.certificate.as_ref())),
            Some(DpopError::Nonce) => Err(NotDone::WantsNonce { nonce: self.dpop_nonce(Asker::AuthorizationServer) }),
            Some(problem) => Err(unproved(problem)),
        }
    }

    /// What a token for this client will be bound to. Only of those that proved who they are is the use of a proof stored.
    pub(super) async fn bound_to(&self, client: &Client, proving: &Proving) -> Result<Confirmation, NotDone> {
        if !self.is_first_use(proving).await? {
            return Err(unproved(DpopError::Used));
        }
        let (principal, proof) = (&client.found().principal, proving.proof);
        let jkt = match proof.key {
            Shown::Held(thumbprint) => Some(thumbprint),
            Shown::Nothing | Shown::Invalid if principal.dpop_bound_access_tokens => {
                let description = "this client gets tokens only that are bound to a key (dpop_bound_access_tokens): send a DPoP proof";
                return Err(OAuthError::new(OAuthErrorCode::InvalidDpopProof, description).into());
            }
            Shown::Nothing | Shown::Invalid => None,
        };
        // A certificate may be there for other reasons: whoever wants bound tokens says so.
        let x5t_s256 = match proof.certificate {
            Shown::Held(thumbprint) => principal.tls_client_certificate_bound_access_tokens.then_some(thumbprint),
            Shown::Nothing | Shown::Invalid if principal.tls_client_certificate_bound_access_tokens => {
                let description = "this client gets tokens only that are bound to its certificate: show one on the connection (RFC 8705)";
                return Err(OAuthError::invalid_request(description).into());
            }
            Shown::Nothing | Shown::Invalid => None,
        };
        Ok(Confirmation { jkt, x5t_s256 })
    }
}

fn unproved(problem: DpopError) -> NotDone {
    OAuthError::new(OAuthErrorCode::InvalidDpopProof, problem.to_string()).into()
}

/// What a token is made from, and for whom.
pub(super) struct Issue<'a> {
    pub(super) parent: &'a Found,
    pub(super) client: ServiceAccountId,
    /// By which grant it asks.
    pub(super) grant: &'static str,
    pub(super) target: &'a Target<'a>,
    /// What the client proved to hold.
    pub(super) shown: Confirmation,
    pub(super) details: Option<AuthorizationDetails>,
    pub(super) act: Option<Box<ActorClaim>>,
    pub(super) issued_token_type: Option<&'static str>,
}

/// A token, made from what stands behind a credential.
pub(super) async fn issue(app: &App, issue: Issue<'_>) -> Result<Response, NotDone> {
    let Issue { parent, client, grant, target, shown, details, act, issued_token_type } = issue;
    let (now, made, issuer) = (app.now(), target.api.access_tokens, &app.config.public_url);
    let lifetime = Lifetime::new(made.ttl_seconds, parent, now)?;
    let claims = oauth::claims(issuer, parent, client, target, lifetime, shown, details, now, &mut app.rng())?;
    // Also of opaque tokens, which do not name it: what takes something away later ends those that have a place.
    let status = Some(app.status_claim(claims.cred, claims.epoch, now).await?);
    let claims = AccessTokenClaims { act, status, ..claims };
    let token = match made.format {
        TokenFormat::Jwt => {
            let jwt = app.sign(made.algorithm, "at+jwt", &claims).await?;
            if jwt.len() > LONGEST_JWT {
                let description = format!(
                    "the token would be of more than {LONGEST_JWT} bytes, which nobody takes: ask for fewer scopes, make it from a \
                     credential of fewer objects and networks, or let the API have opaque tokens"
                );
                return Err(OAuthError::invalid_request(description).into());
            }
            Secret::new(jwt)
        }
        TokenFormat::Opaque => {
            let token = Secret::mint(&app.config.brand, SecretKind::AccessToken, &mut app.rng());
            app.store.insert_access_token(&claims, &app.peppers.digest(&token.hash())).await?;
            token
        }
    };
    app.usage.count_issued(client, grant, now);
    let bound = claims.cnf.is_some_and(|cnf| cnf.jkt.is_some());
    let token_type = if bound { "DPoP" } else { "Bearer" };
    let (expires_in, scope) = (lifetime.seconds(), claims.scope.to_text());
    let answer = TokenAnswer {
        access_token: Some(token),
        token_type,
        expires_in,
        scope,
        authorization_details: claims.authorization_details,
        issued_token_type,
        approval_url: None,
    };
    let mut response = (NOT_KEPT, Json(answer)).into_response();
    if bound && app.config.dpop_nonce {
        write_nonce(&app.dpop_nonce(Asker::AuthorizationServer), response.headers_mut());
    }
    Ok(response)
}
