//! `/health/ready` of the sidecar: whether what is kept counts, and how old it may be.

use axum::{Json, extract, http::StatusCode, response::IntoResponse};
use serde::Serialize;

use super::State;

#[derive(Debug, Serialize)]
struct Ready {
    status: &'static str,
    /// What is kept may be as old as that; absent before Claviger was heard.
    #[serde(skip_serializing_if = "Option::is_none")]
    staleness_seconds: Option<f64>,
    /// From this age on nothing that is kept counts.
    max_staleness_seconds: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

pub(crate) async fn ready(extract::State(State(inner)): extract::State<State>) -> impl IntoResponse {
    let is_heard = inner.keeper.is_heard();
    let ready = Ready {
        status: if is_heard { "ok" } else { "unavailable" },
        staleness_seconds: inner.keeper.staleness().map(|age| age.as_millis() as f64 / 1000.0),
        max_staleness_seconds: inner.max_staleness.as_secs(),
        reason: inner.keeper.problem(),
    };
    (if is_heard { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, Json(ready))
}
