//! What the sidecar tells of itself in numbers, for Prometheus. Labels hold words from lists of our own and nothing else.

use axum::{extract, http::header, response::IntoResponse};
use prometheus::{Gauge, IntCounter, IntGauge, Registry, TextEncoder};

use super::State;
use crate::{inside::Inside, metrics::Made};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Surface {
    Verify,
    ForwardAuth,
}

/// By whom a question was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Memory,
    Claviger,
    Nobody,
}

impl Surface {
    const ALL: [(Self, &str); 2] = [(Self::Verify, "verify"), (Self::ForwardAuth, "forward_auth")];
}

impl Source {
    const ALL: [(Self, &str); 3] = [(Self::Memory, "memory"), (Self::Claviger, "claviger"), (Self::Nobody, "nobody")];
}

pub(crate) struct Metrics {
    registry: Registry,
    answers: [[IntCounter; Source::ALL.len()]; Surface::ALL.len()],
    staleness: Gauge,
    credentials: IntGauge,
    uses_lost: IntGauge,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let made = Made(Registry::new());
        let build = made.gauges("claviger_build_info", "The running version, as a label; always 1.", &["version"]);
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let answers = made.counters(
            "claviger_sidecar_answers_total",
            "Questions, by who answered them; nobody is a 503.",
            &["surface", "source"],
        );
        let answers = Surface::ALL
            .map(|(_, surface)| Source::ALL.map(|(_, source)| answers.with_label_values(&[surface, source])));
        Self {
            answers,
            staleness: made.number(
                "claviger_sidecar_staleness_seconds",
                "How old what is kept may be; NaN before Claviger was heard.",
            ),
            credentials: made.gauge("claviger_sidecar_credentials", "Of how many credentials something is kept."),
            uses_lost: made.gauge(
                "claviger_sidecar_uses_lost",
                "How many uses that were judged here since the start are counted nowhere.",
            ),
            registry: made.0,
        }
    }

    pub(crate) fn answered(&self, surface: Surface, source: Source) {
        let surfaces = Surface::ALL.iter().zip(&self.answers);
        for (_, answers) in surfaces.filter(|((known, _), _)| *known == surface) {
            let sources = Source::ALL.iter().zip(answers);
            sources.filter(|((known, _), _)| *known == source).for_each(|(_, counter)| counter.inc());
        }
    }
}

/// `GET /metrics`.
pub(crate) async fn show(_: Inside, extract::State(State(inner)): extract::State<State>) -> impl IntoResponse {
    let metrics = &inner.metrics;
    metrics.staleness.set(inner.keeper.staleness().map_or(f64::NAN, |age| age.as_secs_f64()));
    metrics.credentials.set(i64::try_from(inner.keeper.entries()).unwrap_or(i64::MAX));
    metrics.uses_lost.set(i64::try_from(inner.keeper.uses_lost()).unwrap_or(i64::MAX));
    let text = TextEncoder::new().encode_to_string(&metrics.registry.gather()).unwrap_or_default();
    ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_is_counted_where_it_belongs() {
        let metrics = Metrics::new();
        metrics.answered(Surface::ForwardAuth, Source::Nobody);
        let text = TextEncoder::new().encode_to_string(&metrics.registry.gather()).unwrap();
        assert!(text.contains(r#"claviger_sidecar_answers_total{source="nobody",surface="forward_auth"} 1"#), "{text}");
        assert!(text.contains(r#"claviger_sidecar_answers_total{source="memory",surface="verify"} 0"#), "{text}");
    }
}
