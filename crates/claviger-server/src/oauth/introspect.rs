//! `POST /oauth/introspect`: what a token is worth, told to whoever it is for (RFC 7662), signed if that is asked (RFC 9701).
//!
//! Whoever may not see a token hears the same of it as of none.

use axum::{
    Json,
    extract::{FromRequestParts, State},
    http::{HeaderMap, header, request::Parts},
    response::{IntoResponse, Response},
};
use claviger_core::{
    Reach,
    oauth::{self, OAuthError},
};
use claviger_token::{
    AccessTokenId, ActorClaim, AuthorizationDetails, Confirmation, CredentialId, Environment, Found, NetworkSet,
    ObjectSet, OrganizationId, PermissionSet, PrincipalId, Required, ServiceAccountId, SigningAlgorithm, Verdict,
};
use jiff::Timestamp;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use super::{Client, NOT_KEPT, NotDone, OAuthRequest, RefusalView};
use crate::{
    accepted::accepts,
    app::App,
    caller::{Caller, Introspect},
    presented,
    problem::RequestError,
    proof::Proving,
    verify::{Catalog, Use},
};

/// What signs answers.
pub(super) const ALGORITHM: SigningAlgorithm = SigningAlgorithm::Es256;

const JWT: &str = "application/token-introspection+jwt";

/// What a request may say, as `application/x-www-form-urlencoded`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape for the documentation; the form is read by name")]
pub(crate) struct IntrospectionRequest {
    /// Any credential: an access token of either form, an API key, a personal access token.
    token: String,
    /// Passed over: what it is can be seen.
    token_type_hint: Option<String>,
}

/// What a token is worth (RFC 7662, section 2.2). Of one that is worth nothing there is `active` alone.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Introspection<'a> {
    /// Whether it counts, now.
    active: bool,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    told: Option<Told<'a>>,
}

/// What there is to tell of one that counts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Told<'a> {
    /// What it permits now, as far as whoever asks may hear of it.
    scope: String,
    /// To whom it was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<ServiceAccountId>,
    /// Whose it is.
    sub: PrincipalId,
    /// The APIs that it is for.
    #[serde(serialize_with = "one_or_many")]
    #[schema(value_type = OneOrManyTexts)]
    aud: Vec<&'a str>,
    /// This instance.
    iss: &'a str,
    /// When it ends, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
    /// When it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    iat: Option<i64>,
    /// Its own id, if it is an access token.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    jti: Option<AccessTokenId>,
    /// How it is presented: `Bearer`, or `DPoP` if it is bound to a key.
    #[schema(value_type = String, example = "Bearer")]
    token_type: &'static str,
    /// The key or the certificate that must be proved with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    cnf: Option<Confirmation>,
    /// The organization that it acts in.
    org: OrganizationId,
    /// The credential that it is, or was made from.
    cred: CredentialId,
    /// Real or test data.
    env: Environment,
    /// The only objects that it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    objects: Option<&'a ObjectSet>,
    /// What it was given beside its scope, word for word (RFC 9396, section 9.2).
    #[serde(skip_serializing_if = "Option::is_none")]
    authorization_details: Option<&'a AuthorizationDetails>,
    /// The only networks that it may be used from.
    #[serde(skip_serializing_if = "Option::is_none")]
    networks: Option<NetworkSet>,
    /// Who acts in the name of `sub` (RFC 8693, section 4.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    act: Option<&'a ActorClaim>,
}

/// One text, or a list.
#[derive(Serialize, ToSchema)]
#[expect(dead_code, reason = "the shape for the documentation")]
#[serde(untagged)]
enum OneOrManyTexts {
    One(String),
    Many(Vec<String>),
}

fn one_or_many<S: Serializer>(texts: &[&str], serializer: S) -> Result<S::Ok, S::Error> {
    match texts {
        [one] => serializer.serialize_str(one),
        many => serializer.collect_seq(many),
    }
}

/// The same as a signed document (RFC 9701, section 5).
#[derive(Serialize)]
struct Signed<'a> {
    iss: &'a str,
    aud: PrincipalId,
    iat: i64,
    token_introspection: Introspection<'a>,
}

/// Whoever asks with a credential that permits to introspect, instead of as a client.
pub(crate) struct AsCaller(Option<Caller<Introspect>>);

impl FromRequestParts<App> for AsCaller {
    type Rejection = RequestError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, RequestError> {
        match presented::credential(&parts.headers) {
            Ok(None) => Ok(Self(None)),
            Ok(Some(_)) | Err(_) => Caller::from_request_parts(parts, app).await.map(|caller| Self(Some(caller))),
        }
    }
}

enum Asker {
    Caller(Caller<Introspect>),
    Client(Client),
}

impl Asker {
    fn id(&self) -> PrincipalId {
        match self {
            Self::Caller(caller) => caller.found().principal.id,
            Self::Client(client) => client.id.into(),
        }
    }

    /// Whether everything there is to tell of a token may be told.
    fn sees_all(&self, found: &Found) -> bool {
        match self {
            Self::Caller(caller) => match caller.reach() {
                Reach::Instance => true,
                Reach::Organization(there) => there == found.organization.id,
            },
            Self::Client(client) => match &found.token {
                Some(token) => token.client_id == client.id,
                None => found.principal.id == client.id.into(),
            },
        }
    }
}

/// Introspect a token
///
/// Open to the client that a token was given to, to the service accounts that serve an API that it is for, and to callers with
/// `claviger:introspect`. With `Accept: application/token-introspection+jwt` the answer is signed.
#[utoipa::path(
    post, path = "/oauth/introspect", tag = "OAuth", operation_id = "introspect",
    request_body(content = IntrospectionRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "What it is worth", content(
            (Introspection = "application/json"), (String = "application/token-introspection+jwt"),
        )),
        (status = 400, description = "The request is refused", body = RefusalView),
        (status = 401, description = "No such client, or not proved", body = RefusalView),
        (status = 503, description = "Not now", body = RefusalView),
    ),
    security(("client" = []), ("bearer" = []), ("api_key" = [])),
)]
pub(crate) async fn introspect(
    State(app): State<App>,
    AsCaller(caller): AsCaller,
    headers: HeaderMap,
    request: OAuthRequest,
) -> Result<Response, NotDone> {
    let asker = match caller {
        Some(_) if request.shows_a_client() => {
            let description = "ask as a client, or with a credential that permits to introspect, and not as both";
            return Err(OAuthError::invalid_request(description).into());
        }
        Some(caller) => Asker::Caller(caller),
        None => Asker::Client(app.client(&request, 0).await?),
    };
    let looked_up = app.look_up(request.form.required("token")?).await?;
    let (occasion, required) = (request.occasion(), Required::default());
    let used = Use { occasion, required, client_ip: None, proving: &Proving::NOTHING, visible: None, cost: 0 };
    let judged = app.judge_state(&looked_up, &used);
    let catalog = app.catalog().await?;
    let told = match (judged.verdict, looked_up.found()) {
        (Verdict::Valid, Some(found)) => told(&app, &catalog, &asker, found),
        (Verdict::Valid | Verdict::Refused(_), _) => None,
    };
    let introspection = Introspection { active: told.is_some(), told };
    if !wants_jwt(&headers) {
        return Ok((NOT_KEPT, Json(introspection)).into_response());
    }
    let (now, iss) = (judged.now, app.config.public_url.as_str());
    let signed = Signed { iss, aud: asker.id(), iat: now.as_second(), token_introspection: introspection };
    let jwt = app.sign(ALGORITHM, "token-introspection+jwt", &signed).await?;
    Ok((NOT_KEPT, [(header::CONTENT_TYPE, JWT)], jwt).into_response())
}

fn told<'a>(app: &'a App, catalog: &Catalog, asker: &Asker, found: &'a Found) -> Option<Told<'a>> {
    let rights = &found.rights.permissions;
    let (scope, aud) = if asker.sees_all(found) {
        (rights.clone(), found.audiences.iter().map(String::as_str).collect::<Vec<_>>())
    } else {
        let visible = catalog.served_by(asker.id(), &found.audiences)?;
        let scope: PermissionSet = rights.iter().filter(|name| visible.contains(name.as_str())).cloned().collect();
        let served = |audience: &&str| catalog.serves(asker.id(), audience);
        (scope, found.audiences.iter().map(String::as_str).filter(served).collect())
    };
    let (credential, token) = (&found.credential, found.token.as_deref());
    // What may be used from nowhere is worth nothing.
    let networks = oauth::networks(found).ok()?;
    let account = match found.principal.id {
        PrincipalId::ServiceAccount(id) => Some(id),
        PrincipalId::User(_) => None,
    };
    Some(Told {
        scope: scope.to_text(),
        client_id: token.map_or(account, |token| Some(token.client_id)),
        sub: found.principal.id,
        aud,
        iss: &app.config.public_url,
        exp: credential.expires_at.map(Timestamp::as_second),
        iat: token.map(|token| token.issued_at.as_second()),
        jti: token.map(|token| token.id),
        token_type: if credential.confirmation.is_some_and(|cnf| cnf.jkt.is_some()) { "DPoP" } else { "Bearer" },
        cnf: credential.confirmation,
        org: found.organization.id,
        cred: credential.id,
        env: credential.environment,
        objects: credential.objects.as_ref(),
        authorization_details: token.and_then(|token| token.details.as_ref()),
        networks,
        act: token.and_then(|token| token.act.as_deref()),
    })
}

/// Whether the signed form is asked for, by its name and not with `q=0`.
fn wants_jwt(headers: &HeaderMap) -> bool {
    accepts(headers, &header::ACCEPT, &[JWT])
}
