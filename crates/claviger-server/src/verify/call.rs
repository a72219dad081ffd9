//! `POST /v1/verify`, on both listeners: any credential in, a verdict out, 200 for every verdict.

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use claviger_core::{Reach, Rejection};
use claviger_token::{
    Brand, Certificate, ChangesMessage, Found, Object, OneOrMany, Permission, PermissionSet, ProofRequest, ProofUrl,
    ProofView, Refusal, Required, Verdict, VerifyAnswer, VerifyRequest,
};
use jiff::Timestamp;

use super::{
    credentials::{Entry, LookedUp},
    judge::Use,
    occasion::{Occasion, Surface},
};
use crate::{
    app::App,
    body::Json,
    caller::{Caller, Verify},
    inside::Inside,
    limits::Spending,
    log::{Named, RequestId},
    problem::{Problem, RequestError},
    proof::{Asker, Carried, ProofFor, Proving},
};

const POSITION: HeaderName = HeaderName::from_static(ChangesMessage::POSITION_HEADER);

/// Verify a credential
///
/// Says whether a credential is valid for what is asked, and if not, why. Answers 200 for every verdict.
/// A caller sees credentials of its own organization and of the APIs that it serves; all others are `unknown`.
#[utoipa::path(
    post, path = "/v1/verify", tag = "Verify", operation_id = "verify",
    request_body = VerifyRequest,
    responses(
        (status = 200, description = "The verdict", body = VerifyAnswer),
        (status = 401, description = "No valid credential of the caller", body = Problem),
        (status = 403, description = "The caller lacks claviger:verify", body = Problem),
        (status = 422, description = "The request breaks a rule", body = Problem),
        (status = 503, description = "Storage does not answer", body = Problem),
    ),
    security(("bearer" = []), ("api_key" = [])),
)]
pub(crate) async fn verify_as_caller(
    State(app): State<App>,
    caller: Caller<Verify>,
    Json(request): Json<VerifyRequest>,
) -> Result<Response, RequestError> {
    must_make_sense(&request)?;
    let looked_up = app.look_up(request.credential.0.expose()).await?;
    let id = caller.by().request_id.as_deref();
    let Some(found) = looked_up.found() else { return answer(&app, &looked_up, &request, id, None).await };
    if caller.reach() == Reach::Instance || caller.reach() == Reach::Organization(found.organization.id) {
        return answer(&app, &looked_up, &request, id, None).await;
    }
    let served = app.catalog().await?.served_by(caller.found().principal.id, &found.audiences);
    match served {
        Some(visible) => answer(&app, &looked_up, &request, id, Some(&visible)).await,
        None => Ok(json(&VerifyAnswer::new(Verdict::Refused(Refusal::Unknown), None, app.now()))),
    }
}

/// The same on the internal listener, whose callers need no credential and see everything.
pub(crate) async fn verify_internal(
    _: Inside,
    State(app): State<App>,
    Named(id): Named,
    Json(request): Json<VerifyRequest>,
) -> Result<Response, RequestError> {
    must_make_sense(&request)?;
    // Before the look-up: whatever holds from then on knows of every change up to it.
    let position = app.store.changes().position();
    let looked_up = app.look_up(request.credential.0.expose()).await?;
    let mut response = answer(&app, &looked_up, &request, id.as_ref().map(RequestId::as_str), None).await?;
    response.headers_mut().insert(POSITION, HeaderValue::from(position));
    Ok(response)
}

fn objects(request: &VerifyRequest) -> &[Object] {
    request.object.as_ref().map_or(&[], OneOrMany::as_slice)
}

pub(crate) fn must_make_sense(request: &VerifyRequest) -> Result<(), RequestError> {
    must_be_few(&request.permissions, objects(request))?;
    let asks_of_a_use = request.audience.is_some()
        || request.environment.is_some()
        || !request.permissions.is_empty()
        || request.object.is_some()
        || request.cost.is_some()
        || request.proof.is_some();
    if request.state_only && asks_of_a_use {
        let message =
            "it stands without audience, environment, permissions, object, cost and proof, which are about a use";
        return Err(Rejection::field("/state_only", "not_allowed", message.to_owned()).into());
    }
    Ok(())
}

/// One call answers for one request; a long list would only cost others their turn.
pub(super) fn must_be_few(permissions: &[Permission], objects: &[Object]) -> Result<(), RequestError> {
    const MOST: usize = 100;
    for (pointer, entries) in [("/permissions", permissions.len()), ("/object", objects.len())] {
        if entries > MOST {
            return Err(Rejection::field(pointer, "too_many", format!("at most {MOST} entries")).into());
        }
    }
    Ok(())
}

async fn answer(
    app: &App,
    looked_up: &LookedUp,
    request: &VerifyRequest,
    id: Option<&str>,
    visible: Option<&PermissionSet>,
) -> Result<Response, RequestError> {
    let required = Required {
        audience: request.audience.as_deref(),
        environment: request.environment,
        permissions: &request.permissions,
        objects: objects(request),
        whatever_object: false,
    };
    let occasion = Occasion {
        surface: Surface::Verify,
        method: request.method.as_deref(),
        path: request.path.as_deref(),
        request_id: id,
    };
    let (client_ip, cost) = (request.client_ip, request.cost.unwrap_or(1));
    let credential = request.credential.0.expose();
    let proving = &proved(app, looked_up, request.proof.as_ref(), request.method.as_deref(), credential)?;
    let used = Use { occasion, required, client_ip, proving, visible, cost };
    let judged =
        if request.state_only { app.judge_facts(looked_up, &used) } else { app.judge(looked_up, &used).await? };
    if let (Verdict::Valid, Some(entry), None) = (judged.verdict, &looked_up.entry, visible)
        && let Some(found) = entry.found()
        && !entry.is_metered()
    {
        return Ok(written(app, entry, found, judged.now));
    }
    let Spending { mut limits, retry_after_seconds, .. } = judged.spending;
    if visible.is_some() {
        // What others of that organization use is not the business of who serves one API.
        limits.retain(|limit| !limit.is_shared());
    }
    let answer = VerifyAnswer::new(judged.verdict, looked_up.found(), judged.now);
    let mut answer = answer.with_limits(limits, retry_after_seconds);
    if judged.verdict == Verdict::Refused(Refusal::Malformed)
        && let Some(brand) = app.foreign_brand(credential)
    {
        answer.message = Some(of_foreign_brand(&brand).into());
    }
    if let Verdict::Refused(refusal @ (Refusal::ProofRequired | Refusal::ProofInvalid)) = judged.verdict {
        let told = app.told_of_proof(refusal, judged.proof_problem, looked_up.found());
        answer.proof = Some(ProofView { error: told.error, message: told.message, nonce: told.nonce });
    }
    Ok(match visible {
        Some(visible) => json(&answer.limited_to(visible)),
        None => json(&answer),
    })
}

/// What is said of a token whose brand is all that is wrong with it: perhaps it was made here, before the brand was changed.
pub(super) fn of_foreign_brand(brand: &Brand) -> String {
    format!(
        "It begins with {brand}_, which is neither brand nor former brand of this instance. If it was made here, add {brand} to \
         former_brands (CLAVIGER_FORMER_BRANDS)."
    )
}

/// What the checked request proves, as whoever asks passes it on. Of what nobody has, no proof is looked at.
pub(super) fn proved(
    app: &App,
    looked_up: &LookedUp,
    proof: Option<&ProofRequest>,
    method: Option<&str>,
    credential: &str,
) -> Result<Proving, RequestError> {
    let Some(proof) = proof else { return Ok(Proving::NOTHING) };
    let wrong = |pointer, code, message: &str| Rejection::field(pointer, code, message.to_owned());
    let certificate = proof.client_certificate.as_deref().map(Certificate::from_pem).transpose();
    let certificate =
        certificate.map_err(|error| wrong("/proof/client_certificate", "invalid_certificate", &error.to_string()))?;
    let Some((dpop, url)) = proof.dpop.as_deref().map(|dpop| (dpop, proof.url.as_deref())) else {
        return Ok(Proving::NOTHING.with(certificate.as_ref()));
    };
    let method =
        method.ok_or_else(|| wrong("/method", "required", "the method of the request that the proof is for"))?;
    let url = url.ok_or_else(|| wrong("/proof/url", "required", "the address of the request that the proof is for"))?;
    let url = ProofUrl::parse(url).ok_or_else(|| {
        wrong("/proof/url", "invalid_url", "an absolute address, as in https://api.acme.test/invoices")
    })?;
    let Some(_) = looked_up.found() else { return Ok(Proving::NOTHING) };
    let request = ProofFor { method, urls: &[url], credential: Some(credential) };
    Ok(app.prove(Carried::One(dpop), Asker::Resource, request).with(certificate.as_ref()))
}

/// An answer as it was sent.
pub(super) struct Written {
    body: Bytes,
    /// When it is written otherwise.
    until: Option<Timestamp>,
}

/// What a valid credential is told that nothing counts and of which all may be seen. That stays the same, so that most are
/// not written anew.
fn written(app: &App, entry: &Entry, found: &Found, now: Timestamp) -> Response {
    let holds = |written: &Written| written.until.is_none_or(|until| now < until);
    let write = |_: Option<&Written>| {
        let body = text(&VerifyAnswer::new(Verdict::Valid, Some(found), now));
        body.map(|body| Written { body: body.into_boxed_slice().into(), until: VerifyAnswer::same_until(found) })
    };
    match entry.answer.answer(&app.credentials.answers, holds, write) {
        Some(written) => respond(written.body.clone()),
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

pub(crate) fn json(answer: &VerifyAnswer<'_>) -> Response {
    match text(answer) {
        Some(body) => respond(body),
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn text(answer: &VerifyAnswer<'_>) -> Option<Vec<u8>> {
    // Large enough for nearly all of them, so that it is written without growing.
    let mut body = Vec::with_capacity(1024);
    let done = serde_json::to_writer(&mut body, answer);
    done.inspect_err(|error| tracing::error!(%error, "an answer could not be written; this is a defect")).ok()?;
    Some(body)
}

pub(crate) fn respond(body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
