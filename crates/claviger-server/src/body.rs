//! Request bodies: JSON read strictly, with an error that points at what is wrong; and POSTs that are safe to repeat.

use std::time::Duration;

use axum::{
    body::{Body, Bytes, HttpBody as _},
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderMap, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use bytes::BytesMut;
use claviger_core::Rejection;
use claviger_store::{IdempotencyKey, Remembered};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::{Serialize, de::DeserializeOwned};
use serde_path_to_error::Segment;
use tokio::{sync::Semaphore, time::timeout};

use crate::{app::App, caller::CallerId, problem::RequestError};

/// The largest body that is read.
const MAX_BODY: usize = 64 * 1024;

/// How long a body may take.
const BODY_TIME: Duration = Duration::from_secs(10);

/// How many bytes of bodies that come in parts are held at a time, before anybody is asked who they are.
const MOST_BYTES: usize = 64 * 1024 * 1024;

static ON_THE_WAY: Semaphore = Semaphore::const_new(MOST_BYTES);

/// A JSON body.
pub(crate) struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest<App> for Json<T> {
    type Rejection = RequestError;

    async fn from_request(request: Request, _: &App) -> Result<Self, RequestError> {
        let bytes = read(request, JSON).await?;
        parse(&bytes).map(Self)
    }
}

/// A JSON body of a request that may carry an `Idempotency-Key`. A repetition never reaches the handler:
/// it is answered here with what was answered before.
pub(crate) struct Post<T> {
    pub body: T,
    pub repeatable: Repeatable,
}

/// How the answer to this request is kept, if its caller may repeat it.
pub(crate) struct Repeatable(Option<IdempotencyKey>);

impl Repeatable {
    /// What to keep with the change: the answer as a repetition shall see it.
    pub(crate) fn remembered(
        &self,
        status: StatusCode,
        location: Option<&str>,
        answer: &impl Serialize,
    ) -> Option<Remembered> {
        let request = self.0?;
        let answer = serde_json::to_string(answer).ok()?;
        Some(Remembered { request, status: status.as_u16(), location: location.map(str::to_owned), answer })
    }
}

impl<T: DeserializeOwned> FromRequest<App> for Post<T> {
    type Rejection = Response;

    async fn from_request(request: Request, app: &App) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let header = idempotency_header(&parts.headers).map_err(IntoResponse::into_response)?;
        let route = format!("{} {}", parts.method, parts.uri);
        let caller = CallerId::from_request_parts(&mut parts, app).await.ok();
        let bytes = read(Request::from_parts(parts, body), JSON).await.map_err(IntoResponse::into_response)?;
        let mut repeatable = Repeatable(None);
        if let (Some(header), Some(CallerId(caller))) = (header, caller) {
            let key = app
                .peppers
                .keyed_hash("idempotency-key", &[caller.to_string().as_bytes(), route.as_bytes(), header.as_bytes()]);
            let request = IdempotencyKey { key, body: app.peppers.keyed_hash("idempotency-body", &[&bytes]) };
            let kept = app.store.remembered(&key).await.map_err(|error| RequestError::from(error).into_response())?;
            if let Some(kept) = kept {
                return Err(again(&request, kept));
            }
            repeatable = Repeatable(Some(request));
        }
        let body = parse(&bytes).map_err(IntoResponse::into_response)?;
        Ok(Self { body, repeatable })
    }
}

fn idempotency_header(headers: &HeaderMap) -> Result<Option<String>, RequestError> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    match value.to_str() {
        Ok(text) if (1..=255).contains(&text.len()) => Ok(Some(text.to_owned())),
        _ => Err(RequestError::unreadable(
            StatusCode::BAD_REQUEST,
            "invalid_idempotency_key",
            "an Idempotency-Key is 1 to 255 visible ASCII characters; a UUID is a good one",
        )),
    }
}

fn again(request: &IdempotencyKey, kept: Remembered) -> Response {
    if kept.request.body != request.body {
        let message = "this Idempotency-Key was used for another body; use a new key for a new request";
        let rejection = Rejection::field("", "idempotency_key_reused", message);
        return RequestError::Rejected(rejection).into_response();
    }
    let status = StatusCode::from_u16(kept.status).unwrap_or(StatusCode::OK);
    let mut response = (
        status,
        [
            (header::CONTENT_TYPE, "application/json"),
            (header::CACHE_CONTROL, "no-store"),
            (header::HeaderName::from_static("idempotency-replayed"), "true"),
        ],
        kept.answer,
    )
        .into_response();
    if let Some(location) = kept.location.and_then(|location| location.parse().ok()) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// What everything but forms is sent as.
pub(crate) const JSON: &str = "application/json";

/// What browsers and OAuth clients send.
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

/// The body, if it is of this media type, small, and there soon.
pub(crate) async fn read(request: Request, media_type: &str) -> Result<Bytes, RequestError> {
    let sort = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = sort.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case(media_type) {
        return Err(RequestError::unreadable(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            format!("send the body as Content-Type: {media_type}"),
        ));
    }
    if let Some(unread) = request.extensions().get::<Unread>() {
        return Err((*unread).into());
    }
    Ok(collect(request.into_body()).await?)
}

/// Waits for the body before anybody is asked who they are. Who may do what is then decided when all is there that is to be done:
/// a caller who is revoked while they send does nothing. A body that cannot be read is told by whoever wants one, in their own form.
pub(crate) async fn arrives_first(request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    let body = match collect(body).await {
        Ok(bytes) => Body::from(bytes),
        Err(unread) => {
            parts.extensions.insert(unread);
            Body::empty()
        }
    };
    next.run(Request::from_parts(parts, body)).await
}

/// Why a body could not be read.
#[derive(Debug, Clone, Copy)]
enum Unread {
    TooLarge,
    /// It was late, or broke off.
    Unfinished,
    /// Too much of others is on its way.
    Crowded,
}

impl From<Unread> for RequestError {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::TooLarge => {
                let detail = format!("a body is at most {MAX_BODY} bytes");
                Self::unreadable(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
            }
            Unread::Unfinished => {
                let detail = "the body could not be read to its end";
                Self::unreadable(StatusCode::BAD_REQUEST, "unreadable_body", detail)
            }
            Unread::Crowded => {
                let detail = "too many bodies are on their way; try again in a moment";
                Self::unreadable(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
            }
        }
    }
}

async fn collect(body: Body) -> Result<Bytes, Unread> {
    // Most bodies are there with the head, and then nothing is timed.
    timeout(BODY_TIME, gather(Limited::new(body, MAX_BODY), &ON_THE_WAY)).await.unwrap_or(Err(Unread::Unfinished))
}

/// All parts of a body. What is there with the head takes no memory that it did not have.
async fn gather(mut body: Limited<Body>, on_the_way: &Semaphore) -> Result<Bytes, Unread> {
    let (mut gathered, mut held) = (BytesMut::new(), None);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| match error.is::<LengthLimitError>() {
            true => Unread::TooLarge,
            false => Unread::Unfinished,
        })?;
        let Ok(data) = frame.into_data() else { continue };
        if gathered.is_empty() && body.is_end_stream() {
            return Ok(data);
        }
        let length = u32::try_from(data.len()).map_err(|_| Unread::TooLarge)?;
        let more = on_the_way.try_acquire_many(length).map_err(|_| Unread::Crowded)?;
        match &mut held {
            None => held = Some(more),
            Some(held) => held.merge(more),
        }
        gathered.extend_from_slice(&data);
    }
    Ok(gathered.freeze())
}

/// Reads JSON into a type that refuses unknown members, and says where it fails as a JSON Pointer.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, RequestError> {
    // Serde would take a list for an object, member by member in order; nobody means that.
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        return Err(Rejection::field("", "invalid_type", "the body is a JSON object").into());
    }
    // Following the path costs; it is looked for once there is something wrong.
    if let Ok(value) = serde_json::from_slice(bytes) {
        return Ok(value);
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let error = match serde_path_to_error::deserialize(&mut deserializer) {
        Ok(value) => match deserializer.end() {
            Ok(()) => return Ok(value),
            Err(error) => return Err(malformed(&error)),
        },
        Err(error) => error,
    };
    let inner = error.inner();
    if !inner.is_data() {
        return Err(malformed(inner));
    }
    let mut pointer = String::new();
    for segment in error.path() {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } => pointer.push_str(&format!("/{}", escaped(key))),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    let full = inner.to_string();
    let said = full.rfind(" at line ").map_or(full.as_str(), |end| &full[..end]);
    let named = || said.split('`').nth(1).map(escaped).unwrap_or_default();
    // The message names the member; the path may end at it or at the object around it.
    let at_member = |pointer: String| {
        let end = format!("/{}", named());
        if pointer.ends_with(&end) { pointer } else { pointer + &end }
    };
    let (code, pointer) = if said.starts_with("missing field") {
        ("required", format!("{pointer}/{}", named()))
    } else if said.starts_with("unknown field") {
        ("unknown_member", at_member(pointer))
    } else if said.starts_with("duplicate field") {
        ("duplicate_member", at_member(pointer))
    } else if said.starts_with("invalid type") {
        ("invalid_type", pointer)
    } else {
        ("invalid_value", pointer)
    };
    let message =
        if is_of_no_time(bytes, &pointer, said) { TIME.to_owned() } else { shortened(&in_words(said, &pointer)) };
    Err(RequestError::Rejected(Rejection::field(pointer, code, message)))
}

/// What the library says, without the names of its types.
fn in_words(said: &str, pointer: &str) -> String {
    const NUMBERS: [(&str, &str); 5] = [
        ("u8", "a whole number from 0 to 255"),
        ("u16", "a whole number from 0 to 65535"),
        ("u32", "a whole number from 0 to 4294967295"),
        ("u64", "a whole number that is not below 0"),
        ("i64", "a whole number"),
    ];
    let number = NUMBERS.iter().find_map(|(kind, words)| Some((said.strip_suffix(kind)?, words)));
    let Some((start, words)) = number.filter(|(start, _)| start.ends_with("expected ")) else { return said.to_owned() };
    let unit = if pointer.ends_with("_seconds") { ": seconds, such as 3600 for an hour" } else { "" };
    format!("{start}{words}{unit}")
}

/// What is told of a text that is no time.
pub(crate) const TIME: &str = "a time is written with its offset from UTC (RFC 3339), such as 2027-01-31T12:00:00Z";

/// Whether an error is the library's, whose words name its own parts and no shape, about a text that is no time.
fn is_of_no_time(bytes: &[u8], pointer: &str, said: &str) -> bool {
    let body: serde_json::Value = serde_json::from_slice(bytes).unwrap_or_default();
    let text = body.pointer(pointer).and_then(serde_json::Value::as_str);
    said.contains("a timestamp string") || text.is_some_and(|text| no_time(text).as_deref() == Some(said))
}

/// What the library says of a text that is no time.
pub(crate) fn no_time(text: &str) -> Option<String> {
    text.parse::<jiff::Timestamp>().err().map(|error| error.to_string())
}

fn malformed(error: &serde_json::Error) -> RequestError {
    let detail = format!("the body is not JSON: line {}, column {}", error.line(), error.column());
    RequestError::unreadable(StatusCode::BAD_REQUEST, "malformed_json", detail)
}

/// RFC 6901, section 3.
fn escaped(key: &str) -> String {
    shortened(key).replace('~', "~0").replace('/', "~1")
}

/// An error repeats what it was sent, but not without end and nothing that acts on a terminal.
fn shortened(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(300).collect()
}

/// 201 with `Location`; never cached, for secrets may be inside.
pub(crate) struct Created<T> {
    pub location: String,
    pub body: T,
}

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        let headers = [(header::LOCATION, self.location), (header::CACHE_CONTROL, "no-store".to_owned())];
        (StatusCode::CREATED, headers, axum::Json(self.body)).into_response()
    }
}

/// 200; never cached.
pub(crate) struct Answer<T>(pub T);

impl<T: Serialize> IntoResponse for Answer<T> {
    fn into_response(self) -> Response {
        ([(header::CACHE_CONTROL, "no-store")], axum::Json(self.0)).into_response()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::VecDeque,
        convert::Infallible,
        pin::Pin,
        task::{self, Poll},
    };

    use hyper::body::{Body as HttpBody, Frame};
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read by serde")]
    struct Sample {
        name: String,
        list: Vec<u8>,
        at: Option<jiff::Timestamp>,
    }

    /// A body that comes in parts.
    struct Parts(VecDeque<Bytes>);

    impl HttpBody for Parts {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut task::Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(self.0.pop_front().map(|part| Ok(Frame::data(part))))
        }
    }

    fn check(body: &str, code: &str, pointer: Option<&str>) {
        let error = parse::<Sample>(body.as_bytes()).unwrap_err();
        let told = if let RequestError::Rejected(Rejection::Invalid(errors)) = &error {
            (errors[0].code, Some(errors[0].pointer.as_str()))
        } else if let RequestError::Unreadable { code, .. } = error {
            (code, None)
        } else {
            panic!("{body}: {error}")
        };
        assert_eq!(told, (code, pointer), "{body}");
    }

    #[tokio::test]
    async fn bodies_that_come_in_parts_take_no_more_memory_than_there_is_for_them() {
        let room = Semaphore::new(5);
        let check = async |parts: &[&'static str], expected: Result<&'static str, &str>| {
            let body = Body::new(Parts(parts.iter().map(|part| Bytes::from(*part)).collect()));
            let gathered = gather(Limited::new(body, 10), &room).await.map_err(|unread| format!("{unread:?}"));
            let expected = expected.map(Bytes::from).map_err(str::to_owned);
            assert_eq!((gathered, room.available_permits()), (expected, 5), "{parts:?}");
        };
        check(&[], Ok("")).await;
        check(&["abc", "de"], Ok("abcde")).await;
        check(&["abc", "def"], Err("Crowded")).await;
        check(&["abcdefgh", "ijklm"], Err("Crowded")).await;
        check(&["abc", "abcdefgh"], Err("TooLarge")).await;
        let at_once = Limited::new(Body::from("abcdefg"), 10);
        assert_eq!(gather(at_once, &room).await.ok(), Some(Bytes::from("abcdefg")));
    }

    #[test]
    fn an_error_points_at_the_member() {
        check(r#"{"name":"a"}"#, "required", Some("/list"));
        check(r#"{"name":"a","list":[],"x":1}"#, "unknown_member", Some("/x"));
        check(r#"{"name":"a","list":[1,"b"]}"#, "invalid_type", Some("/list/1"));
        check(r#"{"name":"a","list":[1,300]}"#, "invalid_value", Some("/list/1"));
        check(r#"{"name":"a","name":"b","list":[]}"#, "duplicate_member", Some("/name"));
        check(r#"{"name":"#, "malformed_json", None);
        check(r#"{"name":"a","list":[]} x"#, "malformed_json", None);
        check("[]", "invalid_type", Some(""));
    }

    #[test]
    fn numbers_are_told_in_words() {
        let check = |said: &str, pointer: &str, expected: &str| assert_eq!(in_words(said, pointer), expected);
        let hours = "invalid type: string \"24h\", expected a whole number from 0 to 4294967295: seconds, such as 3600 for an hour";
        check("invalid type: string \"24h\", expected u32", "/overlap_seconds", hours);
        check(
            "invalid value: integer `-1`, expected u8",
            "/list/0",
            "invalid value: integer `-1`, expected a whole number from 0 to 255",
        );
        check(
            "unknown variant `u32`, expected one of `a`, `u32`",
            "/x",
            "unknown variant `u32`, expected one of `a`, `u32`",
        );
    }

    #[test]
    fn what_is_no_time_is_told_how_one_is_written() {
        for wrong in ["'x'", "''", "'yesterday'", "'2027-01-01'", "'2027-01-01T00:00:00'", "5", "[]"] {
            let body = format!("{{'name':'a','list':[],'at':{wrong}}}").replace('\'', "\"");
            let Err(RequestError::Rejected(Rejection::Invalid(errors))) = parse::<Sample>(body.as_bytes()) else {
                panic!("{wrong}")
            };
            assert_eq!((errors[0].pointer.as_str(), errors[0].message.as_str()), ("/at", TIME), "{wrong}");
        }
        assert!(parse::<Sample>(br#"{"name":"a","list":[],"at":"2027-01-01T00:00:00+01:00"}"#).is_ok());
    }
}
