//! Every route, on one screen. The path of each stands at its handler, where the OpenAPI document is made from it too.

use axum::{
    Router,
    extract::Request,
    handler::Handler as _,
    http::{HeaderValue, StatusCode, header},
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use claviger_store::{StoreError, settled};
use tower_http::{catch_panic::CatchPanicLayer, set_header::SetResponseHeaderLayer};
use utoipa::OpenApi as _;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    absent,
    app::App,
    body, console, feed, health, log,
    manage::{
        api, api_key, approval, assignment, audit_event, certificate, certificate_authority, claim_code, client_secret,
        federation, fleet, inventory, invitation, member, organization, passkey, personal_access_token, policy,
        portal_session, public_key, role, service_account, session, signing_key, token, usage, user,
    },
    metrics, mqtt, oauth,
    openapi::{self, Document},
    problem::{Problem, RequestError},
    verify,
};

/// The described routes of the public listener.
pub(crate) fn described() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(verify::verify_as_caller))
        .routes(routes!(verify::explain))
        .routes(routes!(verify::report_usage))
        // A credential about itself
        .routes(routes!(token::show, token::revoke))
        .routes(routes!(token::roll))
        .routes(routes!(session::show))
        // Credentials
        .routes(routes!(api_key::list, api_key::create))
        .routes(routes!(api_key::show, api_key::update, api_key::delete))
        .routes(routes!(api_key::roll))
        .routes(routes!(api_key::revoke))
        .routes(routes!(personal_access_token::list, personal_access_token::create))
        .routes(routes!(personal_access_token::show, personal_access_token::update, personal_access_token::delete))
        .routes(routes!(personal_access_token::roll))
        .routes(routes!(personal_access_token::revoke))
        .routes(routes!(approval::approve))
        .routes(routes!(approval::deny))
        .routes(routes!(inventory::list))
        .routes(routes!(inventory::revoke))
        // Who
        .routes(routes!(organization::list, organization::create))
        .routes(routes!(organization::show, organization::update, organization::delete))
        .routes(routes!(policy::show, policy::update))
        .routes(routes!(policy::preview))
        .routes(routes!(certificate_authority::list, certificate_authority::create))
        .routes(routes!(certificate_authority::show, certificate_authority::delete))
        .routes(routes!(member::list))
        .routes(routes!(member::show, member::put, member::remove))
        .routes(routes!(invitation::list, invitation::create))
        .routes(routes!(invitation::show, invitation::revoke))
        .routes(routes!(user::list, user::create))
        .routes(routes!(user::show, user::update, user::delete))
        .routes(routes!(user::put_by_external_id))
        .routes(routes!(user::reset_password))
        .routes(routes!(user::remove_second_factor))
        .routes(routes!(passkey::list))
        .routes(routes!(passkey::remove))
        .routes(routes!(portal_session::create))
        .routes(routes!(service_account::list, service_account::create))
        .routes(routes!(service_account::show, service_account::update, service_account::delete))
        // By what a service account proves itself
        .routes(routes!(client_secret::list, client_secret::create))
        .routes(routes!(client_secret::show, client_secret::update, client_secret::delete))
        .routes(routes!(client_secret::roll))
        .routes(routes!(client_secret::revoke))
        .routes(routes!(public_key::list, public_key::create))
        .routes(routes!(public_key::show, public_key::update, public_key::delete))
        .routes(routes!(public_key::revoke))
        .routes(routes!(certificate::list, certificate::create))
        .routes(routes!(certificate::show, certificate::update, certificate::delete))
        .routes(routes!(certificate::revoke))
        .routes(routes!(federation::list, federation::create))
        .routes(routes!(federation::show, federation::update, federation::delete))
        .routes(routes!(federation::revoke))
        // Devices; how they enrol stands with OAuth
        .routes(routes!(fleet::list, fleet::create))
        .routes(routes!(fleet::show, fleet::update, fleet::delete))
        .routes(routes!(fleet::revoke))
        .routes(routes!(fleet::devices))
        .routes(routes!(claim_code::list, claim_code::create))
        .routes(routes!(claim_code::show, claim_code::revoke))
        // May do what
        .routes(routes!(api::list, api::create))
        .routes(routes!(api::show, api::update, api::delete))
        .routes(routes!(role::list, role::create))
        .routes(routes!(role::show, role::update, role::delete))
        .routes(routes!(assignment::list, assignment::create))
        .routes(routes!(assignment::show, assignment::delete))
        // Tokens for machines
        .merge(oauth::described())
        .routes(routes!(signing_key::list))
        .routes(routes!(signing_key::show))
        .routes(routes!(signing_key::rotate))
        // What happened
        .routes(routes!(usage::report))
        .routes(routes!(audit_event::list))
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
}

/// The public listener: OAuth, management API, verify for callers with `claviger:verify`, documentation, and the console, whose
/// routes stand in `console/mod.rs`.
pub fn public(app: App) -> Router {
    Router::new()
        .merge(described())
        .merge(openapi::routes())
        .merge(console::routes(&app))
        // The path of `public_url` may begin its segments with what older versions of the router took for its own.
        .without_v07_checks()
        .merge(oauth::aliases(&app))
        .fallback(any(absent::no_such_path).layer(from_fn_with_state(app.clone(), absent::on_a_page)))
        .method_not_allowed_fallback(absent::no_such_method.layer(from_fn_with_state(app.clone(), absent::on_a_page)))
        // Innermost first: what an answer waits for, the wait for the body, what a refusal leads to, what every answer says, then a net under panics, and outermost the log, which tells of both.
        .layer(from_fn(once_settled::<RequestError>))
        .layer(from_fn(body::arrives_first))
        .layer(from_fn_with_state(app.clone(), oauth::name_resource))
        .layer(from_fn(absent::named))
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
    Router::new()
        // Each of these wants to be asked by somebody `Inside`.
        .route("/v1/verify", post(verify::verify_internal))
        .route("/v1/forward-auth", any(verify::forward_auth))
        .route("/envoy.service.auth.v3.Authorization/Check", post(verify::ext_authz))
        .route("/v1/mqtt/emqx/authentication", post(mqtt::authenticate).layer(CatchPanicLayer::custom(mqtt::panicked)))
        .route("/v1/mqtt/emqx/authorization", post(mqtt::authorize).layer(CatchPanicLayer::custom(mqtt::panicked)))
        .route("/v1/mqtt/mosquitto/user", post(mqtt::user))
        .route("/v1/mqtt/mosquitto/superuser", post(mqtt::superuser))
        .route("/v1/mqtt/mosquitto/acl", post(mqtt::acl))
        .route("/v1/changes", get(feed::changes))
        .route("/v1/usage-reports", post(verify::report_usage_inside))
        .route("/metrics", get(metrics::show))
        // Probes call by whatever address they have.
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready_inside))
        .fallback(absent::no_such_path_inside)
        .method_not_allowed_fallback(absent::method_not_allowed)
        .layer(CatchPanicLayer::custom(panicked))
        .with_state(app)
}

/// No answer tells what one writer read of another's work before that is durable. An outage has the form that the routes give it.
pub(crate) async fn once_settled<E: From<StoreError>>(request: Request, next: Next) -> Result<Response, E> {
    Ok(settled(next.run(request)).await?)
}

pub(crate) fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    tracing::error!("a handler panicked; this is a defect");
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "internal_error",
        "a defect of Claviger; the log has the request id",
    )
    .into_response()
}
