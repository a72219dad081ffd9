//! Mosquitto with the HTTP backend of mosquitto-go-auth: JSON or a form in; a status and `{"ok", "error"}` out, so that both of its modes `status`
//! and `json` understand the answer.

use axum::{
    Json,
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};

use super::{Acting, Client, Connecting, Deed, Told, act, connect, parameters, read};
use crate::{app::App, inside::Inside, problem::RequestError};

/// A client that connects. What else the plug-in tells of it decides nothing.
#[derive(Deserialize)]
struct User {
    username: String,
    password: String,
}

/// What it does then.
#[derive(Deserialize)]
struct Access {
    username: String,
    topic: String,
    acc: Number,
}

/// As JSON has it, and as a form.
#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Number(u8),
    Text(String),
}

#[derive(Serialize)]
struct Answer<'a> {
    ok: bool,
    error: &'a str,
}

/// `POST /v1/mqtt/mosquitto/user`
pub(crate) async fn user(_: Inside, State(app): State<App>, request: Request) -> Response {
    answer(connecting(&app, request).await)
}

/// `POST /v1/mqtt/mosquitto/superuser`: nobody is beyond what is asked.
pub(crate) async fn superuser(_: Inside) -> Response {
    answer(Ok(Told::no("no_superuser", "there are no superusers")))
}

/// `POST /v1/mqtt/mosquitto/acl`
pub(crate) async fn acl(_: Inside, State(app): State<App>, request: Request) -> Response {
    answer(acting(&app, request).await)
}

async fn connecting(app: &App, request: Request) -> Result<Told, RequestError> {
    let known = "permission, audience and environment";
    let asked: Connecting = parameters(&request, known)?;
    if asked.session.is_some() {
        let detail = format!("the plug-in has no word for session; the parameters are {known}");
        return Err(RequestError::unreadable(StatusCode::BAD_REQUEST, "invalid_query", detail));
    }
    let headers = request.headers().clone();
    let body: User = read(request).await?;
    let client = Client { user_name: &body.username, password: &body.password, address: None };
    connect(app, &client, &asked, &headers).await
}

async fn acting(app: &App, request: Request) -> Result<Told, RequestError> {
    let asked: Acting = parameters(&request, "publish, subscribe, object, topics, audience and environment")?;
    let headers = request.headers().clone();
    let body: Access = read(request).await?;
    let deed = deed(&body.acc).ok_or_else(|| {
        let detail = "acc is 1 (receive), 2 (publish), 3 (both), 4 (subscribe) or 8 (unsubscribe)";
        RequestError::unreadable(StatusCode::BAD_REQUEST, "invalid_acc", detail)
    })?;
    act(app, &body.username, None, (deed, &body.topic), &asked, &headers).await
}

fn deed(acc: &Number) -> Option<Deed> {
    let number = match acc {
        Number::Number(number) => *number,
        Number::Text(text) => text.parse().ok()?,
    };
    match number {
        1 => Some(Deed::Receive),
        2 => Some(Deed::Publish),
        3 => Some(Deed::PublishAndReceive),
        4 => Some(Deed::Subscribe),
        8 => Some(Deed::Unsubscribe),
        _ => None,
    }
}

fn answer(told: Result<Told, RequestError>) -> Response {
    let (status, told) = match told {
        Ok(told) if told.is_allowed => (StatusCode::OK, told),
        Ok(told) => (StatusCode::FORBIDDEN, told),
        Err(error) => Told::error(&error),
    };
    let mut response = (status, Json(Answer { ok: told.is_allowed, error: &told.message })).into_response();
    told.write(response.headers_mut());
    response
}
