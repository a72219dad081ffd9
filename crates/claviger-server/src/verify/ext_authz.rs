//! `envoy.service.auth.v3.Authorization/Check`: the answer of `/v1/forward-auth`, as Envoy asks for it over gRPC.
//!
//! What is asked stands in the `context_extensions` of Envoy's configuration, and what the request is in Envoy's own account of it: in
//! nothing that a client writes. The room must not know how the answer comes about.

mod message;

use std::{collections::HashMap, net::IpAddr};

use axum::{
    body::Body,
    extract::{self, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version, header},
    response::{IntoResponse as _, Response},
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
    gateway::{Asked, SAID, unreadable},
};
use crate::{app::App, inside::Inside, problem::Problem};

/// The largest question, in bytes: it holds the headers of a request.
const LARGEST: usize = 256 * 1024;

const METHOD: HeaderName = HeaderName::from_static("x-forwarded-method");
const TARGET: HeaderName = HeaderName::from_static("x-forwarded-uri");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// What a client may write and Envoy says better.
const TOLD_BY_ENVOY: [&str; 4] = ["x-forwarded-method", "x-forwarded-uri", "x-original-method", "x-original-uri"];

/// What a credential can be asked for. A route of which Envoy tells none of these, because its filter has another name there, lets
/// nobody pass.
const QUESTIONS: [&str; 4] = ["permission", "object", "audience", "api"];

const NOTHING_ASKED: &str = "context_extensions name a permission, an object, an audience or an api, or say any: \"1\" alone for any valid credential";
const WORDS: &str =
    "context_extensions are permission, object, audience, api, environment (live or test), assertion, cost and any";

/// `POST /envoy.service.auth.v3.Authorization/Check`, in HTTP/2.
pub(crate) async fn ext_authz(_: Inside, State(app): State<App>, request: extract::Request) -> Response {
    if !is_grpc(request.version(), request.headers()) {
        let detail = "this is asked by gRPC: over HTTP/2, with Content-Type: application/grpc";
        return Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail).into_response();
    }
    let mut grpc = Grpc::new(ProstCodec::default()).max_decoding_message_size(LARGEST);
    let service = service_fn(move |request: tonic::Request<CheckRequest>| {
        let app = app.clone();
        async move { Ok::<_, tonic::Status>(tonic::Response::new(check(&app, request.into_inner()).await)) }
    });
    grpc.unary(service, request).await.map(Body::new)
}

/// Nothing that a page in a browser can send.
fn is_grpc(version: Version, headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    version == Version::HTTP_2 && matches!(kind, Some(b"application/grpc" | b"application/grpc+proto"))
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
fn asked(extensions: &HashMap<String, String>) -> Result<Asked, &'static str> {
    if ["nginx", "client_certificate"].iter().any(|word| extensions.contains_key(*word)) {
        return Err(WORDS);
    }
    let asks = QUESTIONS.iter().any(|word| extensions.contains_key(*word));
    match (extensions.get("any").map(String::as_str), asks) {
        (None, true) | (Some("1"), false) => {}
        (_, _) => return Err(NOTHING_ASKED),
    }
    let told = extensions.iter().filter(|(word, _)| *word != "any");
    let told = told.map(|(word, value)| (word.clone(), value.as_str().into())).collect();
    serde_json::from_value(serde_json::Value::Object(told)).map_err(|_| WORDS)
}

/// The request as other gateways would tell of it. Envoy's own client is the last of those for whom it was forwarded; without it, nobody
/// vouches for the others.
fn headers(attributes: &AttributeContext, sent: &HttpRequest) -> HeaderMap {
    let named = |(name, value): (&String, &String)| {
        let name = HeaderName::try_from(name).ok().filter(|name| !TOLD_BY_ENVOY.contains(&name.as_str()))?;
        Some((name, HeaderValue::try_from(value).ok()?))
    };
    let mut headers: HeaderMap = sent.headers.iter().filter_map(named).collect();
    let from = attributes.source.as_ref().and_then(|peer| peer.address.as_ref()?.socket_address.as_ref());
    let from = from.map(|peer| peer.address.as_str()).filter(|address| address.parse::<IpAddr>().is_ok());
    if from.is_none() {
        headers.remove(FORWARDED_FOR);
    }
    let told = [(METHOD, Some(sent.method.as_str())), (TARGET, Some(sent.path.as_str())), (FORWARDED_FOR, from)];
    headers.extend(told.into_iter().filter_map(|(name, value)| Some((name, HeaderValue::try_from(value?).ok()?))));
    headers
}

/// The request goes on with what the answer says of the caller. Whatever else a client calls so goes, however it is spelt, and whether
/// Envoy told of it or not.
fn allowed(answer: &Response, sent: &HttpRequest) -> CheckResponse {
    let is_said = |name: &str| name.starts_with("x-claviger-") && name != "x-claviger-code";
    let is_forged = |name: &&String| {
        name.to_ascii_lowercase().contains("claviger") && !answer.headers().contains_key(name.as_str())
    };
    let forged = sent.headers.keys().filter(is_forged).cloned();
    let unsaid = SAID.into_iter().filter(|name| !answer.headers().contains_key(name)).map(|name| name.to_string());
    let passed = OkHttpResponse {
        headers: told(answer, is_said),
        headers_to_remove: forged.chain(unsaid).chain(["x-claviger-code".to_owned()]).collect(),
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

#[cfg(test)]
mod tests {
    use super::{
        message::{Address, Peer, SocketAddress},
        *,
    };
    use crate::client::address_at_gateway;

    fn words(words: &[(&str, &str)]) -> HashMap<String, String> {
        words.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_route_of_which_nothing_is_told_asks_for_nothing_that_anybody_has() {
        for sound in [
            &[("permission", "a:read")][..],
            &[("object", "app:7")],
            &[("audience", "https://a.test"), ("cost", "2")],
            &[("api", "https://a.test"), ("assertion", "1")],
            &[("any", "1")],
            &[("any", "1"), ("cost", "0")],
        ] {
            assert!(asked(&words(sound)).is_ok(), "{sound:?}");
        }
        for (wrong, why) in [
            (&[][..], NOTHING_ASKED),
            (&[("cost", "2")], NOTHING_ASKED),
            (&[("any", "0")], NOTHING_ASKED),
            (&[("any", "")], NOTHING_ASKED),
            (&[("any", "1"), ("permission", "a:read")], NOTHING_ASKED),
            (&[("permission", "a:read"), ("colour", "red")], WORDS),
            (&[("permission", "a:read"), ("nginx", "1")], WORDS),
            (&[("any", "1"), ("client_certificate", "1")], WORDS),
        ] {
            assert_eq!(asked(&words(wrong)).err(), Some(why), "{wrong:?}");
        }
    }

    #[test]
    fn the_client_is_looked_for_behind_proxies_that_are_trusted() {
        let trusted = claviger_token::NetworkSet::parse(["10.0.0.0/8"]).unwrap();
        let check = |peer: Option<&str>, forwarded: Option<&str>, expected: Option<&str>| {
            let socket_address = peer.map(|address| SocketAddress { address: address.to_owned() });
            let source = Some(Peer { address: Some(Address { socket_address }) });
            let attributes = AttributeContext { source, ..AttributeContext::default() };
            let headers_sent = forwarded.map(|line| ("x-forwarded-for".to_owned(), line.to_owned()));
            let sent = HttpRequest { headers: headers_sent.into_iter().collect(), ..HttpRequest::default() };
            let got = address_at_gateway(&headers(&attributes, &sent), Some(&trusted)).map(|ip| ip.to_string());
            assert_eq!(got.as_deref(), expected, "{peer:?} {forwarded:?}");
        };
        check(Some("192.0.2.1"), None, Some("192.0.2.1"));
        check(Some("192.0.2.1"), Some("203.0.113.9"), Some("192.0.2.1")); // anybody can write that
        check(Some("10.0.0.1"), None, Some("10.0.0.1"));
        check(Some("10.0.0.1"), Some("203.0.113.9"), Some("203.0.113.9"));
        check(Some("10.0.0.1"), Some("198.51.100.1, 203.0.113.9, 10.0.0.1"), Some("203.0.113.9"));
        for nobody in [None, Some(""), Some("nonsense"), Some("1.1.1.1\n")] {
            check(nobody, Some("203.0.113.9"), None);
        }
    }

    #[test]
    fn only_grpc_is_taken() {
        let check = |version, kinds: &[&'static str], expected| {
            let kinds = kinds.iter().map(|kind| (header::CONTENT_TYPE, HeaderValue::from_static(kind)));
            assert_eq!(is_grpc(version, &kinds.collect()), expected);
        };
        check(Version::HTTP_2, &["application/grpc"], true);
        check(Version::HTTP_2, &["application/grpc+proto"], true);
        check(Version::HTTP_11, &["application/grpc"], false);
        for kinds in [&[][..], &["text/plain"], &["application/grpc-web"], &["application/json"]] {
            check(Version::HTTP_2, kinds, false);
        }
    }

    #[test]
    fn what_claviger_does_not_say_of_a_caller_is_removed() {
        let mut answer = StatusCode::OK.into_response();
        answer.headers_mut().insert("x-claviger-principal", HeaderValue::from_static("sa_1"));
        let sent = HttpRequest {
            headers: words(&[("x-claviger-principal", "forged"), ("x_Claviger_objects", "forged"), ("accept", "*/*")]),
            ..HttpRequest::default()
        };
        let Some(HttpResponse::Ok(passed)) = allowed(&answer, &sent).http_response else { panic!("refused") };
        let removes = |name: &str| passed.headers_to_remove.iter().any(|removed| removed == name);
        for name in ["x_Claviger_objects", "x-claviger-objects", "x-claviger-assertion", "x-claviger-code"] {
            assert!(removes(name), "{name}");
        }
        assert!(!removes("x-claviger-principal") && !removes("accept"));
        assert_eq!(passed.headers.len(), 1);
    }
}
