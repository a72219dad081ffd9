//! `/v1/forward-auth`: the verdict as a status and headers, for gateways that ask before they pass a request on.

use std::borrow::Cow;

use axum::{
    extract::{Query, Request, State, rejection::QueryRejection},
    http::{HeaderMap, HeaderName, StatusCode},
    response::{IntoResponse, Response},
};
use claviger_token::{Found, ProofUrl, Refusal, Required, Verdict};

use super::{
    credentials::Entry,
    gateway::{ASSERTION, Asked, facts, failed, insufficient, told},
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

/// The method of the request that the gateway holds.
const METHOD: [HeaderName; 2] =
    [HeaderName::from_static("x-forwarded-method"), HeaderName::from_static("x-original-method")];

/// Any method: what is checked is the request that the gateway holds, not this one.
pub(crate) async fn forward_auth(
    _: Inside,
    State(app): State<App>,
    asked: Result<Query<Asked>, QueryRejection>,
    request: Request,
) -> Response {
    let (parts, _) = request.into_parts();
    let asked = match Asked::read(asked, &parts.uri) {
        Ok(asked) => asked,
        Err(response) => return *response,
    };
    asked.told(answer(&app, &asked, &parts.headers).await)
}

/// The answer to whoever asks about the request that these headers tell of.
pub(super) async fn answer(app: &App, asked: &Asked, headers: &HeaderMap) -> Response {
    check(app, asked, headers).await.unwrap_or_else(failed)
}

async fn check(app: &App, asked: &Asked, headers: &HeaderMap) -> Result<Response, RequestError> {
    let id = log::chosen(headers);
    let occasion = occasion(headers, id.as_ref());
    let catalog = match asked.api() {
        Some(_) => Some(app.last_known_catalog().await?),
        None => None,
    };
    let question = match (asked.api(), &catalog) {
        (Some(api), Some(catalog)) => {
            let (method, target) = told_request(headers, &occasion)?;
            Question::ruled(catalog, api, method, target)?.about(asked.environment())
        }
        (_, _) => asked.named()?,
    };
    let required = question.required();
    let presented = if may_be_elsewhere(headers) {
        let also = app.last_known_catalog().await?.also_accept(&required);
        credential_at_gateway(headers, &also, |text| app.kind_of(text))
    } else {
        credential(headers).map(|found| found.map(Cow::Borrowed))
    };
    let presented = presented.map_err(several)?;
    let Some(presented) = presented else {
        return Ok(unauthenticated(app, "missing", "", &required).await);
    };
    let looked_up = app.look_up(&presented).await?;
    let client_ip = address_at_gateway(headers, app.config.trusted_proxies.as_ref());
    let carried = proof(headers);
    let certificate = if asked.tells_certificate() { client_certificate::told(headers)? } else { None };
    // Of what nobody has, no proof is looked at. Boxed, or the future of every request would be as large as a read of the catalog.
    let proving = match (carried, looked_up.found()) {
        (Carried::Nothing, _) | (_, None) => Proving::NOTHING,
        (_, Some(found)) => Box::pin(proved(app, headers, &occasion, &required, found, &presented)).await?,
    };
    let proving = proving.with(certificate.as_ref());
    let used = Use { occasion, required, client_ip, proving: &proving, visible: None, cost: asked.cost() };
    let judged = match question.is_unruled {
        false => app.judge(&looked_up, &used).await?,
        true => app.judge_unruled(&looked_up, &used),
    };
    let known = looked_up.entry.as_deref().and_then(|entry| Some((entry, entry.found()?)));
    let mut response = match (judged.verdict, known) {
        (Verdict::Valid, Some((entry, found))) => match required.audience.filter(|_| asked.wants_assertion()) {
            Some(audience) => asserted(app, entry, found, audience, &required).await.unwrap_or_else(failed),
            None => allowed(app, entry, found),
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

pub(crate) fn several(_: Ambiguous) -> RequestError {
    RequestError::unreadable(StatusCode::BAD_REQUEST, "several_credentials", Ambiguous::MESSAGE)
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
    let origins = app.last_known_catalog().await?.origins(required, &found.audiences);
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

/// What the gateway passes on about a valid credential stays the same, so that most are not told anew.
fn allowed(app: &App, entry: &Entry, found: &Found) -> Response {
    let (kept, write) = (&app.credentials.headers, |_: Option<&HeaderMap>| Some(facts(found)));
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

async fn refused(app: &App, refusal: Refusal, required: &Required<'_>) -> Response {
    // Only the verify call tells a typo from an unknown token.
    let refusal = if refusal == Refusal::Malformed { Refusal::Unknown } else { refusal };
    match refusal.http_status() {
        401 => unauthenticated(app, refusal.code(), ", error=\"invalid_token\"", required).await,
        429 => told(StatusCode::TOO_MANY_REQUESTS, refusal.code(), None),
        _ => insufficient(refusal, required.permissions),
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
    let basic = app.last_known_catalog().await.is_ok_and(|catalog| catalog.also_accept(required).basic);
    let basic = if basic { ", Basic realm=\"claviger\", charset=\"UTF-8\"" } else { "" };
    let dpop = bare_challenge();
    told(StatusCode::UNAUTHORIZED, code, Some(format!("Bearer realm=\"claviger\"{error}{basic}, {dpop}")))
}
