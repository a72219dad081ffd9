//! `/.well-known/jwks.json`: the public keys that prove our tokens (RFC 7517, section 5).

use axum::{extract::State, http::HeaderMap, response::Response};

use super::{document, signing_keys::KeySet};
use crate::{
    app::App,
    problem::{Problem, RequestError},
};

/// The keys that prove access tokens
///
/// Keys are here before they sign, and until the last token that they signed has ended. Ask again for a `kid` that you do
/// not know. `ETag` and `If-None-Match` spare the body.
#[utoipa::path(
    get, path = "/.well-known/jwks.json", tag = "OAuth", operation_id = "showKeySet",
    responses(
        (status = 200, body = KeySet), (status = 304, description = "As you have it"),
        (status = 503, description = "Not now", body = Problem),
    ),
)]
pub(crate) async fn show(State(app): State<App>, headers: HeaderMap) -> Result<Response, RequestError> {
    let keys = app.last_known_signing_keys().await?;
    Ok(document(&app, &headers, &keys.key_set(app.now())))
}
