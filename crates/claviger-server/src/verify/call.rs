//! `POST /v1/verify`, on both listeners: any credential in, a verdict out, 200 for every verdict.

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use claviger_core::{Reach, Rejection};
use claviger_token::{
    Found, Object, OneOrMany, Permission, PermissionSet, Refusal, Required, Verdict, VerifyAnswer, VerifyRequest,
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
};

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
    must_be_few(&request.permissions, objects(&request))?;
    let looked_up = app.look_up(request.credential.0.expose()).await?;
    let id = caller.by().request_id.as_deref();
    let Some(found) = looked_up.found() else { return Ok(answer(&app, &looked_up, &request, id, None).await) };
    if caller.reach() == Reach::Instance || caller.reach() == Reach::Organization(found.organization.id) {
        return Ok(answer(&app, &looked_up, &request, id, None).await);
    }
    let served = app.catalog().await?.served_by(caller.found().principal.id, &found.audiences);
    Ok(match served {
        Some(visible) => answer(&app, &looked_up, &request, id, Some(&visible)).await,
        None => json(&VerifyAnswer::new(Verdict::Refused(Refusal::Unknown), None, app.now())),
    })
}

/// The same on the internal listener, whose callers need no credential and see everything.
pub(crate) async fn verify_internal(
    _: Inside,
    State(app): State<App>,
    Named(id): Named,
    Json(request): Json<VerifyRequest>,
) -> Result<Response, RequestError> {
    must_be_few(&request.permissions, objects(&request))?;
    let looked_up = app.look_up(request.credential.0.expose()).await?;
    Ok(answer(&app, &looked_up, &request, id.as_ref().map(RequestId::as_str), None).await)
}

fn objects(request: &VerifyRequest) -> &[Object] {
    request.object.as_ref().map_or(&[], OneOrMany::as_slice)
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
) -> Response {
    let required = Required {
        audience: request.audience.as_deref(),
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
    let judged = app.judge(looked_up, &Use { occasion, required, client_ip, visible, cost }).await;
    if let (Verdict::Valid, Some(entry), None) = (judged.verdict, &looked_up.entry, visible)
        && let Some(found) = entry.found()
        && !entry.is_metered()
    {
        return written(app, entry, found, judged.now);
    }
    let Spending { mut limits, retry_after_seconds, .. } = judged.spending;
    if visible.is_some() {
        // What others of that organization use is not the business of who serves one API.
        limits.retain(|limit| !limit.is_shared());
    }
    let answer = VerifyAnswer::new(judged.verdict, looked_up.found(), judged.now);
    let answer = answer.with_limits(limits, retry_after_seconds);
    match visible {
        Some(visible) => json(&answer.limited_to(visible)),
        None => json(&answer),
    }
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
    let write = || {
        let body = text(&VerifyAnswer::new(Verdict::Valid, Some(found), now));
        body.map(|body| Written { body: body.into_boxed_slice().into(), until: VerifyAnswer::same_until(found) })
    };
    match entry.answer.answer(&app.credentials.answers, holds, write) {
        Some(written) => respond(written.body.clone()),
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn json(answer: &VerifyAnswer<'_>) -> Response {
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

fn respond(body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
