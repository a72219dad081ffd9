//! `/health/live`: the process runs. `/health/ready`: it can answer, from a database that it can read.

use axum::{Json, extract::State, http::StatusCode, response::IntoResponse};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::{App, monotonic};

/// How the process is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// `ok` or `unavailable`.
    #[schema(value_type = String)]
    status: &'static str,
    /// What is wrong, if anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    reason: Option<&'static str>,
}

/// Liveness
#[utoipa::path(get, path = "/health/live", tag = "Health", responses((status = 200, body = Health)))]
pub(crate) async fn live() -> Json<Health> {
    Json(Health { status: "ok", reason: None })
}

/// Readiness
#[utoipa::path(
    get, path = "/health/ready", tag = "Health",
    responses((status = 200, body = Health), (status = 503, description = "Not now", body = Health)),
)]
pub(crate) async fn ready(State(app): State<App>) -> impl IntoResponse {
    let reason = if app.store.changes().staleness(monotonic()) > app.config.max_staleness {
        Some("the change log could not be read lately")
    } else if app.store.database().ping().await.is_err() {
        Some("the database does not answer")
    } else {
        None
    };
    match reason {
        None => (StatusCode::OK, Json(Health { status: "ok", reason })),
        Some(_) => (StatusCode::SERVICE_UNAVAILABLE, Json(Health { status: "unavailable", reason })),
    }
}
