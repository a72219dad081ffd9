//! Every route, on one screen. The path of each stands at its handler, where the OpenAPI document is made from it too.

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use subtle::ConstantTimeEq as _;
use tower_http::{catch_panic::CatchPanicLayer, set_header::SetResponseHeaderLayer};
use utoipa::OpenApi as _;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::App,
    body::MAX_BODY,
    health, log,
    manage::{api, api_key, assignment, audit_event, organization, role, service_account, token, usage},
    metrics,
    openapi::{self, Document},
    problem::{Problem, RequestError},
    verify,
};

/// The described routes of the public listener.
pub(crate) fn described() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(verify::verify_as_caller))
        // A credential about itself
        .routes(routes!(token::show, token::revoke))
        .routes(routes!(token::roll))
        // Credentials
        .routes(routes!(api_key::list, api_key::create))
        .routes(routes!(api_key::show, api_key::update, api_key::delete))
        .routes(routes!(api_key::roll))
        .routes(routes!(api_key::revoke))
        // Who
        .routes(routes!(organization::list, organization::create))
        .routes(routes!(organization::show, organization::update, organization::delete))
        .routes(routes!(organization::show_policy, organization::update_policy))
        .routes(routes!(service_account::list, service_account::create))
        .routes(routes!(service_account::show, service_account::update, service_account::delete))
        // May do what
        .routes(routes!(api::list, api::create))
        .routes(routes!(api::show, api::update, api::delete))
        .routes(routes!(role::list, role::create))
        .routes(routes!(role::show, role::update, role::delete))
        .routes(routes!(assignment::list, assignment::create))
        .routes(routes!(assignment::show, assignment::delete))
        // What happened
        .routes(routes!(usage::report))
        .routes(routes!(audit_event::list))
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
}

/// The public listener: management API, verify for callers with `claviger:verify`, documentation.
pub fn public(app: App) -> Router {
    Router::new()
        .merge(described())
        .merge(openapi::routes())
        .fallback(async || RequestError::NotFound)
        .method_not_allowed_fallback(method_not_allowed)
        // Innermost first: a bound on what is read, then what every answer says, then a net under panics,
        // and outermost the log, which tells of all of them.
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(SetResponseHeaderLayer::if_not_present(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ))
        .layer(SetResponseHeaderLayer::if_not_present(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(app.clone(), log::requests))
        .with_state(app)
}

/// The internal listener: what services, gateways and Prometheus ask, without a credential of their own.
pub fn internal(app: App) -> Router {
    let asking = Router::new()
        .route("/v1/verify", post(verify::verify_internal))
        .route("/v1/forward-auth", any(verify::forward_auth))
        .route("/metrics", get(metrics::show))
        .layer(from_fn_with_state(app.clone(), only_with_internal_token))
        // A page in a browser must not get here through a name that it makes point to this address.
        .layer(from_fn_with_state(app.clone(), only_for_internal_hosts));
    Router::new()
        .merge(asking)
        // Probes call by whatever address they have.
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .fallback(async || RequestError::NotFound)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(CatchPanicLayer::custom(panicked))
        .with_state(app)
}

async fn method_not_allowed() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this path has other methods; see Allow")
}

fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    tracing::error!("a handler panicked; this is a defect");
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "internal_error",
        "a defect of Claviger; the log has the request id",
    )
    .into_response()
}

async fn only_for_internal_hosts(State(app): State<App>, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    let name = name.map_or(host, |(name, _)| name).trim_start_matches('[').trim_end_matches(']');
    if app.config.internal_hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(name)) {
        return next.run(request).await;
    }
    let detail = "this name is not one of internal_hosts; call the internal listener by one of those";
    Problem::new(StatusCode::MISDIRECTED_REQUEST, "host_not_allowed", detail).into_response()
}

async fn only_with_internal_token(State(app): State<App>, request: Request, next: Next) -> Response {
    let Some(expected) = &app.config.internal_token else { return next.run(request).await };
    let headers = request.headers();
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    let own = headers.get("x-claviger-internal").map(HeaderValue::as_bytes);
    let matches = |presented: &[u8]| bool::from(presented.ct_eq(expected.expose().as_bytes()));
    if bearer.is_some_and(matches) || own.is_some_and(matches) {
        return next.run(request).await;
    }
    let detail = "the internal listener wants internal_token, in X-Claviger-Internal or Authorization: Bearer";
    Problem::new(StatusCode::UNAUTHORIZED, "internal_token_needed", detail).into_response()
}
