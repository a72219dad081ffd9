//! Who may ask the internal listener: whoever calls it by one of its names and, where one is set, presents its token. A
//! handler there says so in its signature.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
};
use subtle::ConstantTimeEq as _;

use claviger_token::Secret;

use crate::{app::App, problem::Problem};

/// A caller of the internal listener.
pub(crate) struct Inside;

impl FromRequestParts<App> for Inside {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        Self::admit(&app.config.internal_hosts, app.config.internal_token.as_ref(), parts)
    }
}

impl Inside {
    /// Whoever calls a listener of this kind by one of these names, with this token if there is one.
    pub(crate) fn admit(hosts: &[String], token: Option<&Secret>, parts: &Parts) -> Result<Self, Problem> {
        // A page in a browser must not get here through a name that it makes point to this address.
        if !is_called_by_its_name(hosts, parts) {
            let detail = "this name is not one of internal_hosts; call the internal listener by one of those";
            return Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, "host_not_allowed", detail));
        }
        if !has_token(token, &parts.headers) {
            let detail = "the internal listener wants internal_token, in X-Claviger-Internal or Authorization: Bearer";
            return Err(Problem::new(StatusCode::UNAUTHORIZED, "internal_token_needed", detail));
        }
        Ok(Self)
    }
}

fn is_called_by_its_name(hosts: &[String], parts: &Parts) -> bool {
    // RFC 9113, section 8.3.1: HTTP/2 has `:authority`, and `Host` only from somebody who passes a request on.
    let host = match parts.headers.get(header::HOST) {
        Some(host) => host.to_str().unwrap_or_default(),
        None => parts.uri.authority().map(axum::http::uri::Authority::as_str).unwrap_or_default(),
    };
    let name = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    let name = name.map_or(host, |(name, _)| name).trim_start_matches('[').trim_end_matches(']');
    hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(name))
}

fn has_token(expected: Option<&Secret>, headers: &HeaderMap) -> bool {
    let Some(expected) = expected else { return true };
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    let own = headers.get("x-claviger-internal").map(HeaderValue::as_bytes);
    let matches = |presented: &[u8]| bool::from(presented.ct_eq(expected.expose().as_bytes()));
    bearer.is_some_and(matches) || own.is_some_and(matches)
}
