//! One line per request, found by its id. Never a query string, never a header: secrets travel there.
//! What machines ask thousands of times a second is a line at `info` only if it failed: what succeeds is in the access log and
//! the metrics, and its line would cost a fifth of a token.

use std::{borrow::Cow, convert::Infallible, fmt, sync::Arc};

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, request::Parts},
    middleware::Next,
    response::Response,
};
use tracing::Instrument as _;

use crate::app::{App, monotonic};

const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Ends of paths that machines ask all the time.
const OFTEN: [&str; 3] = ["/oauth/token", "/oauth/introspect", "/v1/verify"];

/// What a request is called in log, audit trail and answer.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(Arc<str>);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl RequestId {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a request is called, if anybody gave it a name.
pub(crate) struct Named(pub Option<RequestId>);

impl FromRequestParts<App> for Named {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Infallible> {
        Ok(Self(parts.extensions.get().cloned().or_else(|| chosen(&parts.headers))))
    }
}

/// Outermost on the public listener: everything that follows, also a refusal, is told under the id.
pub(crate) async fn requests(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let id = chosen(request.headers()).unwrap_or_else(|| fresh(&app));
    let often = OFTEN.iter().any(|path| request.uri().path().ends_with(path));
    let span = tracing::info_span!("request", id = %id, method = %request.method(), path = %bounded(request.uri().path(), 200));
    request.extensions_mut().insert(id.clone());
    let began = monotonic();
    async move {
        let mut response = next.run(request).await;
        if let Ok(value) = HeaderValue::from_str(&id.0) {
            response.headers_mut().insert(HEADER, value);
        }
        let (status, ms) = (response.status(), began.elapsed().as_secs_f64() * 1000.0);
        if often && status.is_success() {
            tracing::debug!(status = status.as_u16(), ms = format_args!("{ms:.1}"), "answered");
        } else {
            tracing::info!(status = status.as_u16(), ms = format_args!("{ms:.1}"), "answered");
        }
        response
    }
    .instrument(span)
    .await
}

/// The caller's own id, if it is one that can stand in a log line.
pub(crate) fn chosen(headers: &HeaderMap) -> Option<RequestId> {
    let text = headers.get(HEADER)?.to_str().ok()?;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    ((1..=64).contains(&text.len()) && text.bytes().all(fits)).then(|| RequestId(text.into()))
}

fn fresh(app: &App) -> RequestId {
    let mut bytes = [0u8; 16];
    rand::Rng::fill_bytes(&mut app.rng(), &mut bytes);
    RequestId(uuid::Builder::from_random_bytes(bytes).into_uuid().hyphenated().to_string().into())
}

/// Whether something that looks like a token stands in a text.
pub(crate) fn has_token(text: &str) -> bool {
    matches!(redacted(text), Cow::Owned(_))
}

/// Text that a caller had a hand in, without what looks like a token: one does not belong into a log or an error.
pub(crate) fn redacted(text: &str) -> Cow<'_, str> {
    let of_jwt = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.');
    // The first part of a JWT is a JSON object, as base64url.
    let is_jwt = |word: &str| word.len() >= 40 && word.contains("eyJ") && word.matches('.').count() >= 2;
    let of_token = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let is_token = |word: &str| word.len() >= 40 && word.matches('_').count() >= 2;
    match without(text, of_jwt, is_jwt) {
        Cow::Borrowed(text) => without(text, of_token, is_token),
        Cow::Owned(text) => Cow::Owned(without(&text, of_token, is_token).into_owned()),
    }
}

/// A text without words that are secret.
fn without(text: &str, of_word: impl Fn(char) -> bool, is_secret: impl Fn(&str) -> bool) -> Cow<'_, str> {
    if !text.split(|character| !of_word(character)).any(&is_secret) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for piece in text.split_inclusive(|character| !of_word(character)) {
        let word = piece.trim_end_matches(|character| !of_word(character));
        shown.push_str(if is_secret(word) { "[redacted]" } else { word });
        shown.push_str(&piece[word.len()..]);
    }
    Cow::Owned(shown)
}

/// A caller's text in at most so many characters. A token that stands in it goes first: half of one, cut at the end,
/// would not look like a token any more.
pub(crate) fn bounded(text: &str, most: usize) -> String {
    redacted(text).chars().take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_in_a_path_is_not_logged() {
        let token = "clv_key_abcdefghijklmnopqrstuvwxyzABCDEF012345";
        assert_eq!(bounded(&format!("/v1/api-keys/{token}"), 200), "/v1/api-keys/[redacted]");
        assert_eq!(bounded(&format!("/v1/api-keys/{token}"), 48), "/v1/api-keys/[redacted]", "nor a part of one");
        let jwt = "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCJ9.eyJpc3MiOiJo-_.0HFvJmEq4MAJ-bPyFNSd86iDnrf";
        assert_eq!(bounded(&format!("/v1/x/{jwt}/y"), 200), "/v1/x/[redacted]/y");
        assert_eq!(bounded(&format!("/{token}/{jwt}"), 30), "/[redacted]/[redacted]");
        let id = "/v1/api-keys/key_01h455vb4pex5vsknk084sn02q";
        assert_eq!(bounded(id, 200), id);
        assert_eq!(bounded(&"é".repeat(1 << 20), 200), "é".repeat(200));
    }
}
