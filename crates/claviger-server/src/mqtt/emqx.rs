//! EMQX (5.x), its HTTP authenticator and authorizer: JSON in, and `{"result": "allow" | "deny"}` out.
//!
//! Anything but 200 it takes for "ask somebody else", and nobody else may mean "allow". So whatever happens is told with 200.

use std::any::Any;

use axum::{
    Json,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Acting, Client, Connecting, Deed, Told, act, connect, parameters, read};
use crate::{
    app::App,
    inside::Inside,
    problem::{Problem, RequestError},
};

/// A client that connects, as the guide configures EMQX to tell of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Authentication {
    username: String,
    password: String,
    /// Its address.
    peerhost: Option<String>,
}

/// What it does then.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Authorization {
    username: String,
    topic: String,
    action: Action,
    /// Its address.
    peerhost: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    Publish,
    Subscribe,
}

#[derive(Serialize)]
struct Answer {
    result: &'static str,
    /// Nobody is beyond what is asked.
    is_superuser: bool,
    /// When the client has to prove itself again, in Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    expire_at: Option<i64>,
}

/// `POST /v1/mqtt/emqx/authentication`
pub(crate) async fn authenticate(
    inside: Result<Inside, Problem>,
    State(app): State<App>,
    request: Request,
) -> Response {
    match inside {
        Ok(_) => answer(authentication(&app, request).await),
        Err(problem) => outside(problem),
    }
}

/// `POST /v1/mqtt/emqx/authorization`
pub(crate) async fn authorize(inside: Result<Inside, Problem>, State(app): State<App>, request: Request) -> Response {
    match inside {
        Ok(_) => answer(authorization(&app, request).await),
        Err(problem) => outside(problem),
    }
}

/// Whoever asks without being somebody inside, or the broker whose configuration calls us by a wrong name.
fn outside(problem: Problem) -> Response {
    answer(Ok(Told::no(problem.code, problem.detail)))
}

/// Instead of a handler's answer that never came.
pub(crate) fn panicked(_: Box<dyn Any + Send>) -> Response {
    tracing::error!("a handler panicked; this is a defect");
    answer(Ok(Told::no("internal_error", "a defect of Claviger; see its log")))
}

async fn authentication(app: &App, request: Request) -> Result<Told, RequestError> {
    let asked: Connecting = parameters(&request, "permission, audience, environment and session")?;
    let headers = request.headers().clone();
    let body: Authentication = read(request).await?;
    let address = body.peerhost.as_deref().and_then(|address| address.parse().ok());
    let client = Client { user_name: &body.username, password: &body.password, address };
    connect(app, &client, &asked, &headers).await
}

async fn authorization(app: &App, request: Request) -> Result<Told, RequestError> {
    let asked: Acting = parameters(&request, "publish, subscribe, object, topics, audience and environment")?;
    let headers = request.headers().clone();
    let body: Authorization = read(request).await?;
    let address = body.peerhost.as_deref().and_then(|address| address.parse().ok());
    let deed = match body.action {
        Action::Publish => Deed::Publish,
        Action::Subscribe => Deed::Subscribe,
    };
    act(app, &body.username, address, (deed, &body.topic), &asked, &headers).await
}

fn answer(told: Result<Told, RequestError>) -> Response {
    let told = told.unwrap_or_else(|error| Told::error(&error).1);
    let result = if told.is_allowed { "allow" } else { "deny" };
    let expire_at = told.ends_at.map(Timestamp::as_second);
    let mut response = Json(Answer { result, is_superuser: false, expire_at }).into_response();
    told.write(response.headers_mut());
    response
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;

    use super::*;

    #[tokio::test]
    async fn a_defect_is_no_reason_to_ask_somebody_else() {
        let response = panicked(Box::new(()));
        assert_eq!(response.status(), StatusCode::OK);
        let body = axum::body::to_bytes(response.into_body(), 1000).await.unwrap();
        assert_eq!(body, r#"{"result":"deny","is_superuser":false}"#);
    }
}
