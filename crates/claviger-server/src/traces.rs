//! Spans for OpenTelemetry, when the operator wants them: one per request, under the trace that its `traceparent` names
//! (W3C Trace Context), and the store's below it.
//!
//! They have a target of their own, so that neither do they fill the log nor does the log reach whoever collects traces.
//! The room must not put into a span what a header, a query string or a body said.

use axum::{
    body::Body,
    http::{HeaderName, Request, StatusCode},
};
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::{Span, field::Empty};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::{
    log,
    metrics::{Listener, Route},
};

/// Longer paths are cut, in characters.
const LONGEST_PATH: usize = 200;

/// The span of a request. What asks how the service is every few seconds has none.
pub(crate) fn span(request: &Request<Body>, listener: Listener, route: Route) -> Span {
    if matches!(route, Route::Health | Route::Metrics) {
        return Span::none();
    }
    let span = tracing::debug_span!(
        target: claviger_store::TRACE_TARGET,
        "request",
        otel.name = format_args!("{} {}", method(request), route.as_str()),
        otel.kind = "server",
        http.request.method = method(request),
        http.response.status_code = Empty,
        otel.status_code = Empty,
        url.path = log::bounded(request.uri().path(), LONGEST_PATH),
        claviger.listener = listener.as_str(),
    );
    let parent = TraceContextPropagator::new().extract(&Headers(request));
    // Fails where nobody collects traces, and then there is nothing to belong to.
    drop(span.set_parent(parent));
    span
}

/// Notes how a request was answered.
pub(crate) fn answered(span: &Span, status: StatusCode) {
    span.record("http.response.status_code", i64::from(status.as_u16()));
    if status.is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
}

/// A method that somebody made up is not repeated.
fn method(request: &Request<Body>) -> &str {
    match request.method().as_str() {
        known @ ("GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS") => known,
        _ => "_OTHER",
    }
}

struct Headers<'a>(&'a Request<Body>);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.headers().get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.headers().keys().map(HeaderName::as_str).collect()
    }
}
