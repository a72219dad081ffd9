//! `envoy.service.auth.v3.Authorization/Check`: the answer of `/v1/forward-auth`, as Envoy asks for it over gRPC.
//!
//! What is asked stands in the `context_extensions` of Envoy's configuration, and what the request is in Envoy's own account of it: in
//! nothing that a client writes. The room must not know how the answer comes about.

mod message;

use std::collections::HashMap;

use axum::{
    body::Body,
    extract::{self, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::Response,
};
use tonic::{Code, server::Grpc};
use tonic_prost::ProstCodec;
use tower::service_fn;

use self::message::{
    AppendAction, AttributeContext, CheckRequest, CheckResponse, DeniedHttpResponse, HeaderValueOption, HttpRequest,
    HttpResponse, HttpStatus, OkHttpResponse, Status,
};
use super::{
    forward_auth::answer,
    gateway::{Asked, unreadable},
};
use crate::{app::App, inside::Inside};

/// The largest question, in bytes: it holds the headers of a request.
const LARGEST: usize = 256 * 1024;

const METHOD: HeaderName = HeaderName::from_static("x-forwarded-method");
const TARGET: HeaderName = HeaderName::from_static("x-forwarded-uri");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// What a client may write and Envoy says better.
const TOLD_BY_ENVOY: [&str; 5] =
    ["x-forwarded-method", "x-forwarded-uri", "x-original-method", "x-original-uri", "x-forwarded-for"];

/// `POST /envoy.service.auth.v3.Authorization/Check`, in HTTP/2.
pub(crate) async fn ext_authz(_: Inside, State(app): State<App>, request: extract::Request) -> Response {
    let mut grpc = Grpc::new(ProstCodec::default()).max_decoding_message_size(LARGEST);
    let service = service_fn(move |request: tonic::Request<CheckRequest>| {
        let app = app.clone();
        async move { Ok::<_, tonic::Status>(tonic::Response::new(check(&app, request.into_inner()).await)) }
    });
    grpc.unary(service, request).await.map(Body::new)
}

async fn check(app: &App, request: CheckRequest) -> CheckResponse {
    let attributes = request.attributes.unwrap_or_default();
    let sent = attributes.request.as_ref().and_then(|request| request.http.as_ref());
    let (asked, sent) = match (Asked::told_otherwise(asked(&attributes.context_extensions)), sent) {
        (Ok(asked), Some(sent)) => (asked, sent),
        (Err(misconfigured), _) => return refused(&misconfigured),
        (Ok(_), None) => {
            return refused(&unreadable(
                StatusCode::BAD_REQUEST,
                "bad_request",
                "there is no request in the attributes",
            ));
        }
    };
    let answer = answer(app, &asked, &headers(&attributes, sent)).await;
    if answer.status() == StatusCode::OK { allowed(&answer, sent) } else { refused(&answer) }
}

/// The same words as in the query of `/v1/forward-auth`, but for those that are of other gateways.
fn asked(extensions: &HashMap<String, String>) -> Option<Asked> {
    if ["nginx", "client_certificate"].iter().any(|word| extensions.contains_key(*word)) {
        return None;
    }
    serde_json::from_value(serde_json::to_value(extensions).ok()?).ok()
}

/// The request as other gateways would tell of it.
fn headers(attributes: &AttributeContext, sent: &HttpRequest) -> HeaderMap {
    let named = |(name, value): (&String, &String)| {
        let name = HeaderName::try_from(name).ok().filter(|name| !TOLD_BY_ENVOY.contains(&name.as_str()))?;
        Some((name, HeaderValue::try_from(value).ok()?))
    };
    let mut headers: HeaderMap = sent.headers.iter().filter_map(named).collect();
    let from = attributes.source.as_ref().and_then(|peer| peer.address.as_ref()?.socket_address.as_ref());
    let from = from.map(|peer| peer.address.as_str());
    let told = [(METHOD, Some(sent.method.as_str())), (TARGET, Some(sent.path.as_str())), (FORWARDED_FOR, from)];
    headers.extend(told.into_iter().filter_map(|(name, value)| Some((name, HeaderValue::try_from(value?).ok()?))));
    headers
}

/// The request goes on with what the answer says of the caller. Whatever else a client calls so goes, however it is spelt.
fn allowed(answer: &Response, sent: &HttpRequest) -> CheckResponse {
    let is_said = |name: &str| name.starts_with("x-claviger-") && name != "x-claviger-code";
    let is_forged = |name: &&String| {
        name.to_ascii_lowercase().contains("claviger") && !answer.headers().contains_key(name.as_str())
    };
    let forged = sent.headers.keys().filter(is_forged).cloned();
    let passed = OkHttpResponse {
        headers: told(answer, is_said),
        headers_to_remove: forged.chain(["x-claviger-code".to_owned()]).collect(),
        response_headers_to_add: told(answer, |name| name.starts_with("ratelimit")),
    };
    CheckResponse { status: status(Code::Ok), http_response: Some(HttpResponse::Ok(passed)) }
}

/// The client gets the answer.
fn refused(answer: &Response) -> CheckResponse {
    let refused = DeniedHttpResponse {
        status: Some(HttpStatus { code: answer.status().as_u16().into() }),
        headers: told(answer, |name| name != header::CONTENT_LENGTH.as_str()),
    };
    CheckResponse { status: status(Code::PermissionDenied), http_response: Some(HttpResponse::Denied(refused)) }
}

fn status(code: Code) -> Option<Status> {
    Some(Status { code: code.into() })
}

fn told(answer: &Response, wanted: impl Fn(&str) -> bool) -> Vec<HeaderValueOption> {
    let wanted = answer.headers().iter().filter(|(name, _)| wanted(name.as_str()));
    let option = |(name, value): (&HeaderName, &HeaderValue)| HeaderValueOption {
        header: Some(message::HeaderValue {
            key: name.as_str().to_owned(),
            value: String::from_utf8_lossy(value.as_bytes()).into_owned(),
        }),
        append_action: AppendAction::OverwriteIfExistsOrAdd.into(),
    };
    wanted.map(option).collect()
}
