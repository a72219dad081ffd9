//! OAuth 2.0: who signs, and what clients and resource servers are told about it.
//!
//! The documents are public and the same for everybody; the endpoints know one caller, a client that proved who it is.

mod client;
mod device_request;
mod enrolment;
mod exchange;
mod federation;
mod introspect;
mod key_set;
mod metadata;
mod refusal;
mod registration;
mod remote_keys;
mod request;
mod revocations;
mod revoke;
mod rotation;
mod signed_document;
mod signing_keys;
mod status_list;
mod token;

use axum::{
    Router,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::from_fn,
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Serialize;
use tower_http::cors::{Any, CorsLayer};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{absent, app::App, origin, router::once_settled, session::hex};

pub(crate) use client::Client;
pub(crate) use device_request::why_not;
pub(crate) use metadata::name_resource;
pub(crate) use refusal::{NOT_KEPT, NotDone, RefusalView};
pub(crate) use remote_keys::RemoteKeys;
pub use remote_keys::RemoteKeysError;
pub(crate) use request::OAuthRequest;
pub(crate) use revocations::KeptRevocations;
pub use rotation::RotateError;
pub(crate) use signing_keys::KeptSigningKeys;
pub use signing_keys::{KeySet, Signer, SigningKeys};
pub(crate) use status_list::KeptStatusLists;

/// The described routes.
pub(crate) fn described() -> OpenApiRouter<App> {
    let (routes, document) = OpenApiRouter::new()
        .routes(routes!(key_set::show))
        .routes(routes!(metadata::of_server))
        .routes(routes!(metadata::of_server_for_openid))
        .routes(routes!(metadata::of_resource))
        .routes(routes!(status_list::show))
        .routes(routes!(revocations::show))
        .split_for_parts();
    OpenApiRouter::with_openapi(document).merge(for_every_page(routes).into()).merge(endpoints())
}

/// Where clients and resource servers act. No page of elsewhere may: there is no `Access-Control-Allow-Origin`.
fn endpoints() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(token::token))
        .routes(routes!(device_request::authorize))
        .routes(routes!(introspect::introspect))
        .routes(routes!(revoke::revoke))
        .routes(routes!(registration::register))
        .routes(routes!(enrolment::create))
        .routes(routes!(enrolment::renewal::renew))
        .routes(routes!(registration::show, registration::update, registration::delete))
        .layer(from_fn(once_settled::<NotDone>))
}

/// The same documents where an instance that lives below a path has them: the path stands behind the well-known part
/// (RFC 8414, section 3.1; RFC 9728, section 3.1), or before it, as older clients look for them and as a proxy may pass them on.
pub(crate) fn aliases(app: &App) -> Router<App> {
    let base = origin::here("", &app.config);
    if base.is_empty() {
        return Router::new();
    }
    let routes = Router::new()
        .without_v07_checks()
        .route(&format!("{SERVER}{base}"), get(metadata::of_server))
        .route(&format!("{OPENID}{base}"), get(metadata::of_server))
        .route(&format!("{RESOURCE}{base}"), get(metadata::of_resource))
        .route(&format!("{base}{SERVER}"), get(metadata::of_server))
        .route(&format!("{base}{OPENID}"), get(metadata::of_server))
        .route(&format!("{base}{KEYS}"), get(key_set::show))
        .route(&format!("{base}/oauth/status/{{list}}"), get(status_list::show))
        .route(&format!("{base}{REVOCATIONS}"), get(revocations::show));
    for_every_page(routes)
}

const SERVER: &str = "/.well-known/oauth-authorization-server";
const OPENID: &str = "/.well-known/openid-configuration";
const RESOURCE: &str = "/.well-known/oauth-protected-resource";
/// The token endpoint.
pub(crate) const TOKEN: &str = "/oauth/token";
const DEVICE_AUTHORIZATION: &str = "/oauth/device_authorization";
const REGISTER: &str = "/oauth/register";
const REVOCATIONS: &str = "/oauth/revocations";
const KEYS: &str = "/.well-known/jwks.json";

/// Any page may read them, for they are the same for everybody; no page can do so in somebody's name.
fn for_every_page(routes: Router<App>) -> Router<App> {
    let pages = CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET])
        .allow_headers([header::IF_NONE_MATCH])
        .expose_headers([header::ETAG])
        .vary([]);
    // Named here, or the one for all routes would take its place, and with it what browsers ask before.
    routes.method_not_allowed_fallback(absent::method_not_allowed).layer(pages)
}

/// A public document, which whoever has it already need not fetch again.
fn document(app: &App, asked: &HeaderMap, told: &impl Serialize) -> Response {
    let body = match serde_json::to_vec(told) {
        Ok(body) => body,
        Err(error) => {
            tracing::error!(%error, "a public document could not be written");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    // The same on every node, because the pepper is.
    let hash = app.peppers.keyed_hash("etag", &[&body]);
    let tag = format!("\"{}\"", hex(&hash[..12]));
    let headers = [
        (header::CACHE_CONTROL, format!("public, max-age={}", claviger_core::KEY_SET_LIFE.as_secs())),
        (header::ETAG, tag.clone()),
    ];
    if is_known(asked, &tag) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    let json = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    (StatusCode::OK, headers, [json], body).into_response()
}

/// RFC 9110, section 13.1.2: one of these tags, compared weakly, or any.
fn is_known(asked: &HeaderMap, tag: &str) -> bool {
    let lines = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|line| line.to_str().ok());
    let mut tags = lines.flat_map(|line| line.split(',')).map(str::trim);
    tags.any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}
