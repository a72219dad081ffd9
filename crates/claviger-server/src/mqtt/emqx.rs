//! EMQX (5.x), its HTTP authenticator and authorizer: JSON in, and `{"result": "allow" | "deny"}` out.
//!
//! Anything but 200 it takes for "ask somebody else", and nobody else may mean "allow". So whatever happens is told with 200.

use axum::{
    Json,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Acting, Client, Connecting, Deed, Told, act, connect, parameters, read};
use crate::{app::App, inside::Inside, problem::RequestError};

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
pub(crate) async fn authenticate(_: Inside, State(app): State<App>, request: Request) -> Response {
    answer(authentication(&app, request).await)
}

/// `POST /v1/mqtt/emqx/authorization`
pub(crate) async fn authorize(_: Inside, State(app): State<App>, request: Request) -> Response {
    answer(authorization(&app, request).await)
}

async fn authentication(app: &App, request: Request) -> Result<Told, RequestError> {
    let asked: Connecting = parameters(&request, "permission and audience")?;
    let headers = request.headers().clone();
    let body: Authentication = read(request).await?;
    let address = body.peerhost.as_deref().and_then(|address| address.parse().ok());
    let client = Client { user_name: &body.username, password: &body.password, address };
    connect(app, &client, &asked, &headers).await
}

async fn authorization(app: &App, request: Request) -> Result<Told, RequestError> {
    let asked: Acting = parameters(&request, "publish, subscribe, object, topics and audience")?;
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
