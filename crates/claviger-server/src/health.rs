//! `/health/live`: the process runs. `/health/ready`: it can answer what its listener is for. The public one needs a database that can be
//! written; the internal one gives verdicts, and does so from memory for a while: were it not ready without a database, an outage of that
//! would take every node out of the load balancer at once, with all that they still know.

use std::time::Duration;

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use tokio::time::timeout;
use utoipa::ToSchema;

use crate::app::{App, monotonic};

/// Who probes waits no longer, and hears the reason.
const PATIENCE: Duration = Duration::from_secs(1);

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
pub(crate) async fn ready(State(app): State<App>) -> Response {
    let reason = match no_verdicts(&app) {
        None if !matches!(timeout(PATIENCE, app.store.database().ping()).await, Ok(Ok(()))) => {
            Some("the database does not answer")
        }
        reason => reason,
    };
    told(reason)
}

/// The same on the internal listener.
pub(crate) async fn ready_inside(State(app): State<App>) -> Response {
    told(no_verdicts(&app))
}

/// Why this node gives no verdicts, or should not be asked for any.
fn no_verdicts(app: &App) -> Option<&'static str> {
    if app.is_stopping() {
        return Some("this node stops");
    }
    let is_stale = app.store.changes().staleness(monotonic()) > app.config.max_staleness;
    is_stale.then_some("the change log could not be read lately")
}

fn told(reason: Option<&'static str>) -> Response {
    match reason {
        None => (StatusCode::OK, Json(Health { status: "ok", reason })).into_response(),
        Some(_) => (StatusCode::SERVICE_UNAVAILABLE, Json(Health { status: "unavailable", reason })).into_response(),
    }
}
