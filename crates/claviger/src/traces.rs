//! Where traces go, when the operator wants them: to a collector, by OTLP over HTTP. What a span holds is the server's to
//! know; who samples, and which headers the collector wants, OpenTelemetry's own variables say.

use std::time::Duration;

use claviger_store::TRACE_TARGET;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::{
    Resource,
    trace::{SdkTracerProvider, Tracer},
};
use tracing::Subscriber;
use tracing_subscriber::{Layer, filter::Targets, registry::LookupSpan};

use crate::{failure::Failure, settings::Settings};

/// How long the end waits for the collector to take what is left.
const LAST_WORD: Duration = Duration::from_secs(5);

/// Sends spans until it is stopped.
pub(crate) struct Traces(SdkTracerProvider);

impl Traces {
    /// If there is a collector to send to.
    pub(crate) fn open(settings: &Settings) -> Result<Option<Self>, Failure> {
        let Some(endpoint) = &settings.otlp_endpoint else { return Ok(None) };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{endpoint}/v1/traces"))
            .build()
            .map_err(|error| Failure::because("cannot send traces to otlp_endpoint", &error))?;
        let resource = Resource::builder()
            .with_service_name(settings.otlp_service_name.clone())
            .with_attribute(opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Some(Self(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build())))
    }

    /// Takes the spans that are made for traces, and no others; events, which are the log's, never.
    pub(crate) fn layer<S: Subscriber + for<'a> LookupSpan<'a>>(&self) -> impl Layer<S> + use<S> {
        let tracer: Tracer = self.0.tracer("claviger");
        tracing_opentelemetry::layer()
            .with_tracer(tracer)
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_filter(Targets::new().with_target(TRACE_TARGET, tracing::Level::DEBUG))
    }

    /// Sends what is left, for a bounded time.
    pub(crate) fn finish(self) {
        if let Err(error) = self.0.shutdown_with_timeout(LAST_WORD) {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}
