//! `/v1/forward-auth`: the verdict as a status and headers, for gateways that ask before they pass a request on.
//!
//! Answers have no body: nginx drops the connection of a subrequest that has one.

use std::borrow::Cow;

use axum::{
    extract::{Query, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use claviger_token::{Found, Permission, ProofUrl, Refusal, Required, Verdict};
use serde::Deserialize;

use super::{
    credentials::Entry,
    judge::Use,
    occasion::{Occasion, Surface},
    question::Question,
};
use crate::{
    app::App,
    client::address_at_gateway,
    client_certificate,
    inside::Inside,
    log::{self, RequestId},
    presented::{ADDRESS, Ambiguous, credential, credential_at_gateway, may_be_elsewhere, proof},
    problem::RequestError,
    proof::{Asker, Carried, ProofFor, ProofTold, Proving, bare_challenge},
};

/// What the gateway's configuration asks for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    /// One permission, or several separated by spaces; all must be held.
    permission: Option<String>,
    /// One object.
    object: Option<String>,
    /// The identifier of the API behind the gateway.
    audience: Option<String>,
    /// The identifier of the API whose route rules say what is asked, instead of the three above.
    api: Option<String>,
    /// `1`: an assertion for the API that is asked for comes along.
    assertion: Option<String>,
    /// How many uses it is against limits and quotas; one if absent, and nothing for 0.
    cost: Option<String>,
    /// `1`: the gateway writes `Client-Cert`, always and itself: the certificate that its client showed, if any.
    client_certificate: Option<String>,
    /// `1`: only 200, 401 and 403, for nginx turns any other status of a subrequest into 500.
    nginx: Option<String>,
}

/// What a configuration may ask for.
const PARAMETERS: &str = "the parameters are permission, object, audience, api, assertion, cost, client_certificate and nginx, each at most once";

/// What is wrong with a configuration, in words: for whoever wrote it, since answers have no body.
const DETAIL: HeaderName = HeaderName::from_static("x-claviger-detail");
const CODE: HeaderName = HeaderName::from_static("x-claviger-code");
const PRINCIPAL: HeaderName = HeaderName::from_static("x-claviger-principal");
const PRINCIPAL_TYPE: HeaderName = HeaderName::from_static("x-claviger-principal-type");
const ORGANIZATION: HeaderName = HeaderName::from_static("x-claviger-organization");
const CREDENTIAL: HeaderName = HeaderName::from_static("x-claviger-credential");
const ENVIRONMENT: HeaderName = HeaderName::from_static("x-claviger-environment");
const PERMISSIONS: HeaderName = HeaderName::from_static("x-claviger-permissions");
const ASSERTION: HeaderName = HeaderName::from_static("x-claviger-assertion");
const OBJECTS: HeaderName = HeaderName::from_static("x-claviger-objects");

/// The method of the request that the gateway holds.
const METHOD: [HeaderName; 2] =
    [HeaderName::from_static("x-forwarded-method"), HeaderName::from_static("x-original-method")];

/// Any method: what is checked is the request that the gateway holds, not this one.
pub(crate) async fn forward_auth(
    _: Inside,
    State(app): State<App>,
    asked: Result<Query<Asked>, axum::extract::rejection::QueryRejection>,
    request: Request,
) -> Response {
    let (parts, _) = request.into_parts();
    // Whatever else is wrong, nginx is not given a status that it cannot use.
    let says_nginx = |query: &str| query.split('&').any(|parameter| parameter == "nginx=1");
    let says_nginx = parts.uri.query().is_some_and(says_nginx);
    let (response, only_nginx) = match asked {
        Ok(Query(asked)) => (answer(&app, &asked, &parts.headers).await, asked.nginx.as_deref() == Some("1")),
        Err(_) => (misread(), false),
    };
    if only_nginx || says_nginx { for_nginx(response) } else { response }
}

/// The answer to whoever asks about the request that these headers tell of.
pub(super) async fn answer(app: &App, asked: &Asked, headers: &HeaderMap) -> Response {
    let cost = match asked.sound() {
        Ok(cost) => cost,
        Err(detail) => return misconfigured(detail),
    };
    match check(app, asked, cost, headers).await {
        Ok(response) => response,
        Err(RequestError::Unreadable { status, code, detail }) => unreadable(status, code, &detail),
        Err(error) => emptied(error.into_response()),
    }
}

/// The answer to what names something else than there is to ask.
pub(super) fn misread() -> Response {
    misconfigured(PARAMETERS)
}

impl Asked {
    /// What it costs, if all of it makes sense together; else what does not.
    fn sound(&self) -> Result<u32, &'static str> {
        if !matches!(self.nginx.as_deref(), None | Some("1")) {
            return Err("nginx is 1 or is left out");
        }
        if !matches!(self.client_certificate.as_deref(), None | Some("1")) {
            return Err("client_certificate is 1 or is left out");
        }
        match self.assertion.as_deref() {
            None => {}
            Some("1") if self.api.is_some() || self.audience.is_some() => {}
            Some("1") => return Err("an assertion is for one API, which api or audience names"),
            Some(_) => return Err("assertion is 1 or is left out"),
        }
        if self.api.is_some() && (self.permission.is_some() || self.object.is_some() || self.audience.is_some()) {
            return Err("the route rules of api say which permission, object and audience are asked for");
        }
        let cost = self.cost.as_deref().map_or(Ok(1), str::parse);
        cost.map_err(|_| "cost is a whole number from 0 to 4294967295, such as 1")
    }
}

async fn check(app: &App, asked: &Asked, cost: u32, headers: &HeaderMap) -> Result<Response, RequestError> {
    let id = log::chosen(headers);
    let occasion = occasion(headers, id.as_ref());
    let catalog = match asked.api {
        Some(_) => Some(app.catalog().await?),
        None => None,
    };
    let question = match (&asked.api, &catalog) {
        (Some(api), Some(catalog)) => {
            let (method, target) = told_request(headers, &occasion)?;
            Question::ruled(catalog, api, method, target)?
        }
        (_, _) => Question::named(asked.permission.as_deref(), asked.object.as_deref(), asked.audience.as_deref())?,
    };
    let required = question.required();
    let presented = if may_be_elsewhere(headers) {
        let also = app.catalog().await?.also_accept(&required);
        credential_at_gateway(headers, &also, |text| app.kind_of(text))
    } else {
        credential(headers).map(|found| found.map(Cow::Borrowed))
    };
    let presented = presented.map_err(|Ambiguous| {
        RequestError::unreadable(StatusCode::BAD_REQUEST, "several_credentials", Ambiguous::MESSAGE)
    })?;
    let Some(presented) = presented else {
        return Ok(unauthenticated(app, "missing", "", &required).await);
    };
    let looked_up = app.look_up(&presented).await?;
    let client_ip = address_at_gateway(headers, app.config.trusted_proxies.as_ref());
    let carried = proof(headers);
    // Else a client may have written the header: many gateways pass on all that it sent.
    let certificate = match asked.client_certificate {
        Some(_) => client_certificate::told(headers)?,
        None => None,
    };
    // Of what nobody has, no proof is looked at. Boxed, or the future of every request would be as large as a read of the catalog.
    let proving = match (carried, looked_up.found()) {
        (Carried::Nothing, _) | (_, None) => Proving::NOTHING,
        (_, Some(found)) => Box::pin(proved(app, headers, &occasion, &required, found, &presented)).await?,
    };
    let proving = proving.with(certificate.as_ref());
    let used = Use { occasion, required, client_ip, proving: &proving, visible: None, cost };
    let judged = match question.is_unruled {
        false => app.judge(&looked_up, &used).await?,
        true => app.judge_unruled(&looked_up, &used),
    };
    let known = looked_up.entry.as_deref().and_then(|entry| Some((entry, entry.found()?)));
    let mut response = match (judged.verdict, known) {
        (Verdict::Valid, Some((entry, found))) => match (&asked.assertion, required.audience) {
            (Some(_), Some(audience)) => asserted(app, entry, found, audience, &required).await?,
            (_, _) => allowed(app, entry, found),
        },
        (Verdict::Valid, None) => refused(app, Refusal::Unknown, &required).await,
        (Verdict::Refused(refusal @ (Refusal::ProofRequired | Refusal::ProofInvalid)), _) => {
            not_proved(refusal, &app.told_of_proof(refusal, judged.proof_problem, looked_up.found()))
        }
        (Verdict::Refused(Refusal::PermissionMissing), _) if question.is_unruled => {
            let challenge = "Bearer realm=\"claviger\", error=\"insufficient_scope\"";
            told(StatusCode::FORBIDDEN, "no_route_rule", Some(challenge.to_owned()))
        }
        (Verdict::Refused(refusal), _) => refused(app, refusal, &required).await,
    };
    judged.spending.tell(response.headers_mut());
    Ok(response)
}

/// What the request that the gateway holds proves. Its address is one of the API that is asked for, or else of those that the
/// credential is for: a gateway may pass on whatever a client wrote into `Host`.
async fn proved(
    app: &App,
    headers: &HeaderMap,
    occasion: &Occasion<'_>,
    required: &Required<'_>,
    found: &Found,
    presented: &str,
) -> Result<Proving, RequestError> {
    let path = occasion.path.filter(|path| path.starts_with('/') && is_one_request(headers));
    let origins = app.catalog().await?.origins(required, &found.audiences);
    let urls: Vec<ProofUrl> = match path {
        Some(path) => origins.iter().filter_map(|origin| ProofUrl::parse(&format!("{origin}{path}"))).collect(),
        None => Vec::new(),
    };
    let request = ProofFor { method: occasion.method.unwrap_or_default(), urls: &urls, credential: Some(presented) };
    Ok(app.prove(proof(headers), Asker::Resource, request))
}

/// Whether a gateway tells of one request: what a client slips in beside what the gateway says decides nothing.
fn is_one_request(headers: &HeaderMap) -> bool {
    [METHOD, ADDRESS].iter().all(|names| {
        let mut said = names.iter().flat_map(|name| headers.get_all(name));
        said.next().is_some_and(|first| said.all(|other| other == first))
    })
}

/// Method and target of the request that the gateway holds, which route rules need.
fn told_request<'a>(headers: &HeaderMap, occasion: &Occasion<'a>) -> Result<(&'a str, &'a str), RequestError> {
    const WANTED: &str =
        "for api= the gateway tells X-Forwarded-Method and X-Forwarded-Uri, or X-Original-Method and X-Original-URI";
    const SEVERAL: &str = "the headers that tell of the request tell of several";
    let misread = |code, detail| RequestError::unreadable(StatusCode::BAD_REQUEST, code, detail);
    let (Some(method), Some(target)) = (occasion.method, occasion.path) else {
        return Err(misread("invalid_query", WANTED));
    };
    if is_one_request(headers) { Ok((method, target)) } else { Err(misread("several_requests", SEVERAL)) }
}

/// The request that the gateway holds, by the headers of Traefik and Caddy or of nginx.
fn occasion<'a>(headers: &'a HeaderMap, id: Option<&'a RequestId>) -> Occasion<'a> {
    let told = |names: [HeaderName; 2]| {
        let value = names.into_iter().find_map(|name| headers.get(name))?;
        std::str::from_utf8(value.as_bytes()).ok()
    };
    Occasion {
        surface: Surface::ForwardAuth,
        method: told(METHOD),
        path: told(ADDRESS),
        request_id: id.map(RequestId::as_str),
    }
}

/// What the gateway passes on about a valid credential, which stays the same, so that most are not told anew.
fn allowed(app: &App, entry: &Entry, found: &Found) -> Response {
    let (kept, write) = (&app.credentials.headers, || Some(facts(found)));
    let mut response = StatusCode::OK.into_response();
    if let Some(headers) = entry.headers.answer(kept, |_| true, write) {
        *response.headers_mut() = HeaderMap::clone(&headers);
    }
    response
}

/// The same, and signed.
async fn asserted(
    app: &App,
    entry: &Entry,
    found: &Found,
    audience: &str,
    required: &Required<'_>,
) -> Result<Response, RequestError> {
    // Boxed, or the future of every request would hold this one.
    let Some(assertion) = Box::pin(app.assertion(entry, found, audience)).await? else {
        return Ok(refused(app, Refusal::AudienceMismatch, required).await);
    };
    let mut response = allowed(app, entry, found);
    response.headers_mut().insert(ASSERTION, assertion);
    Ok(response)
}

fn facts(found: &Found) -> HeaderMap {
    let mut headers = told_headers("valid");
    let mut tell = |name: HeaderName, value: String| {
        // Names of objects may be UTF-8; control characters, which alone fail here, are in none of these.
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    };
    tell(PRINCIPAL, found.principal.id.to_string());
    tell(ORGANIZATION, found.organization.id.to_string());
    tell(CREDENTIAL, found.credential.id.to_string());
    tell(PERMISSIONS, found.rights.permissions.to_text());
    if let Some(objects) = &found.credential.objects {
        tell(OBJECTS, objects.to_text().replace('\n', " "));
    }
    headers.insert(PRINCIPAL_TYPE, HeaderValue::from_static(found.principal.id.kind().as_str()));
    headers.insert(ENVIRONMENT, HeaderValue::from_static(found.credential.environment.as_str()));
    headers
}

async fn refused(app: &App, refusal: Refusal, required: &Required<'_>) -> Response {
    // Only the verify call tells a typo from an unknown token.
    let refusal = if refusal == Refusal::Malformed { Refusal::Unknown } else { refusal };
    match refusal.http_status() {
        401 => unauthenticated(app, refusal.code(), ", error=\"invalid_token\"", required).await,
        429 => told(StatusCode::TOO_MANY_REQUESTS, refusal.code(), None),
        _ => {
            let names: Vec<&str> = required.permissions.iter().map(Permission::as_str).collect();
            let scope = if names.is_empty() { String::new() } else { format!(", scope=\"{}\"", names.join(" ")) };
            let challenge = format!("Bearer realm=\"claviger\", error=\"insufficient_scope\"{scope}");
            told(StatusCode::FORBIDDEN, refusal.code(), Some(challenge))
        }
    }
}

/// RFC 9449, section 7.1.
fn not_proved(refusal: Refusal, told_of: &ProofTold) -> Response {
    let mut response = told(StatusCode::UNAUTHORIZED, refusal.code(), Some(told_of.challenge()));
    told_of.write_nonce(response.headers_mut());
    response
}

/// A challenge for each scheme that the API takes, in one line: some gateways pass on only one.
async fn unauthenticated(app: &App, code: &'static str, error: &str, required: &Required<'_>) -> Response {
    let basic = app.catalog().await.is_ok_and(|catalog| catalog.also_accept(required).basic);
    let basic = if basic { ", Basic realm=\"claviger\", charset=\"UTF-8\"" } else { "" };
    let dpop = bare_challenge();
    told(StatusCode::UNAUTHORIZED, code, Some(format!("Bearer realm=\"claviger\"{error}{basic}, {dpop}")))
}

fn told(status: StatusCode, code: &'static str, challenge: Option<String>) -> Response {
    let mut response = status.into_response();
    let headers = response.headers_mut();
    *headers = told_headers(code);
    if let Some(challenge) = challenge.and_then(|challenge| HeaderValue::from_str(&challenge).ok()) {
        headers.insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

/// The gateway's own configuration is wrong, whoever asks through it.
fn misconfigured(detail: &'static str) -> Response {
    let mut response = told(StatusCode::BAD_REQUEST, "invalid_query", None);
    response.headers_mut().insert(DETAIL, HeaderValue::from_static(detail));
    response
}

/// The question cannot be read, by fault of whoever configured it or of the client whose words it holds.
fn unreadable(status: StatusCode, code: &'static str, detail: &str) -> Response {
    let code = match code {
        "invalid_query" | "unavailable" | "assertion_too_long" => code,
        _ => "bad_request",
    };
    let mut response = told(status, code, None);
    if let Ok(detail) = HeaderValue::from_str(&log::redacted(detail)) {
        response.headers_mut().insert(DETAIL, detail);
    }
    response
}

/// What every answer has.
fn told_headers(code: &'static str) -> HeaderMap {
    // For all that may follow, so that the map does not grow step by step.
    let mut headers = HeaderMap::with_capacity(16);
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CODE, HeaderValue::from_static(code));
    headers
}

/// The status of a problem document, without the document.
fn emptied(response: Response) -> Response {
    if response.headers().contains_key(CODE) {
        return response;
    }
    let code = if response.status() == StatusCode::SERVICE_UNAVAILABLE { "unavailable" } else { "bad_request" };
    told(response.status(), code, None)
}

/// 401 where the client can mend it by another credential, 403 for the rest, outages included: nginx must not let it pass.
fn for_nginx(mut response: Response) -> Response {
    if !matches!(response.status(), StatusCode::OK | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
        *response.status_mut() = StatusCode::FORBIDDEN;
    }
    response
}
