//! What MQTT brokers ask: may this client connect, and may it publish or subscribe there? Each broker's own words stand in the file of
//! its name; here both come down to one use of a credential.
//!
//! A broker tells the password when a client connects, and afterwards only what the client is called. So a client is called by the id of its
//! credential, which each node finds by itself, or is called by its access token; nothing is remembered between the questions.

mod emqx;
mod mosquitto;
mod refused;

use std::net::IpAddr;

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
};
use claviger_core::{About, ObjectTemplate, Topic, TopicError};
use claviger_store::StoreError;
use claviger_token::{
    CredentialId, Environment, Found, Object, ObjectPattern, Permission, Refusal, Required, SecretKind, Verdict,
};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    app::App,
    body,
    log::{self, bounded},
    problem::RequestError,
    proof::Proving,
    verify::{LookedUp, Occasion, Surface, Use},
};

pub(crate) use emqx::{authenticate, authorize, panicked};
pub(crate) use mosquitto::{acl, superuser, user};
pub(crate) use refused::Refused;

const CODE: HeaderName = HeaderName::from_static("x-claviger-code");
const DETAIL: HeaderName = HeaderName::from_static("x-claviger-detail");

/// How long a session may be told to last, in seconds: a broker that is asked anew all the time helps nobody.
const SESSIONS: std::ops::RangeInclusive<i64> = 60..=86_400;

/// What the broker's configuration asks of whoever connects.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Connecting {
    /// One permission, or several separated by spaces; all must be held.
    permission: Option<String>,
    /// The identifier of the API that the topics are.
    audience: Option<String>,
    /// Which data the topics carry. If absent, it is real.
    environment: Option<Environment>,
    /// After how long who is let in has to prove itself again, as in `15m`.
    session: Option<String>,
}

/// What it asks of whoever publishes or subscribes.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Acting {
    /// What must be held to publish. If absent, nobody does.
    publish: Option<String>,
    /// What must be held to subscribe, and to receive. If absent, nobody does.
    subscribe: Option<String>,
    /// Which object a topic is about, as in `device:{2}`.
    object: Option<String>,
    /// A filter of all topics that there are.
    topics: Option<String>,
    /// The identifier of the API that the topics are.
    audience: Option<String>,
    /// Which data the topics carry. If absent, it is real.
    environment: Option<Environment>,
}

/// Who connects.
struct Client<'a> {
    user_name: &'a str,
    password: &'a str,
    address: Option<IpAddr>,
}

/// What a client wants to do with a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Publish,
    Subscribe,
    Unsubscribe,
    /// A message comes that it has subscribed to.
    Receive,
    PublishAndReceive,
}

/// What the broker is told.
struct Told {
    /// A verdict's code, or one of ours for what is no verdict on a credential.
    code: &'static str,
    message: String,
    is_allowed: bool,
    /// When the client should have gone, if that is known.
    ends_at: Option<Timestamp>,
}

impl Told {
    fn no(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), is_allowed: false, ends_at: None }
    }

    /// Before anybody looks at what the credential may do.
    fn refused(app: &App, why: Refused, message: impl Into<String>) -> Self {
        app.metrics.refused_at_broker(why);
        Self::no(why.as_str(), message)
    }

    fn verdict(verdict: Verdict, found: Option<&Found>) -> Self {
        match (verdict, found) {
            (Verdict::Valid, Some(found)) => {
                let ends = [found.credential.expires_at, found.secret.as_ref().and_then(|secret| secret.ends_at)];
                let ends_at = ends.into_iter().flatten().min();
                Self { code: "valid", message: String::new(), is_allowed: true, ends_at }
            }
            (Verdict::Valid, None) => Self::no(Refusal::Unknown.code(), Refusal::Unknown.message()),
            (Verdict::Refused(refusal), _) => Self::no(refusal.code(), refusal.message()),
        }
    }

    /// Of a question that could not be answered.
    fn error(error: &RequestError) -> (StatusCode, Self) {
        let (status, code) = match error {
            RequestError::Store(cause) => {
                tracing::error!(error = cause as &dyn std::error::Error, "a broker's question failed");
                (StatusCode::SERVICE_UNAVAILABLE, "unavailable")
            }
            RequestError::Unreadable { status, .. } if status.is_server_error() => (*status, "unavailable"),
            RequestError::Unreadable { status, code, .. } => (*status, *code),
            RequestError::NotFound
            | RequestError::Rejected(_)
            | RequestError::Unauthenticated(_)
            | RequestError::Unproved(_)
            | RequestError::Forbidden { .. }
            | RequestError::Throttled { .. } => (StatusCode::BAD_REQUEST, "bad_request"),
        };
        (status, Self::no(code, bounded(&error.to_string(), 200)))
    }

    /// For whoever configures the broker, and looks why somebody is refused.
    fn write(&self, headers: &mut HeaderMap) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(CODE, HeaderValue::from_static(self.code));
        if let Some(message) = HeaderValue::from_str(&self.message).ok().filter(|message| !message.is_empty()) {
            headers.insert(DETAIL, message);
        }
    }
}

/// Who connects has a credential, by which it is called from then on.
async fn connect(
    app: &App,
    client: &Client<'_>,
    asked: &Connecting,
    headers: &HeaderMap,
) -> Result<Told, RequestError> {
    let permissions = named(asked.permission.as_deref())?;
    let session = asked.session()?;
    let looked_up = match app.kind_of(client.user_name) {
        Some(SecretKind::AccessToken) => {
            let is_another = client.password != client.user_name && app.kind_of(client.password).is_some();
            if is_another {
                let message = "user name and password are two different credentials";
                return Ok(Told::refused(app, Refused::SeveralCredentials, message));
            }
            app.look_up(client.user_name).await?
        }
        Some(_) => {
            let message = "a key in the user name stands in the broker's log: present it as the password";
            return Ok(Told::refused(app, Refused::CredentialInUserName, message));
        }
        None => {
            let looked_up = app.look_up(client.password).await?;
            if let Some(found) = looked_up.found()
                && (found.token.is_some() || found.credential.id.to_string() != client.user_name)
            {
                let message = "the user name is the id of the credential in the password, or an access token";
                return Ok(Told::refused(app, Refused::UserNameMismatch, message));
            }
            looked_up
        }
    };
    let required = Required {
        audience: asked.audience.as_deref(),
        environment: Some(asked.environment.unwrap_or(Environment::Live)),
        permissions: &permissions,
        objects: &[],
        whatever_object: true,
    };
    let mut told = judged(app, &looked_up, required, client.address, ("CONNECT", None), 1, headers).await?;
    if let Some(session) = session.filter(|_| told.is_allowed) {
        told.ends_at = told.ends_at.into_iter().chain(app.now().checked_add(session).ok()).min();
    }
    Ok(told)
}

/// Who is connected does something with a topic.
async fn act(
    app: &App,
    user_name: &str,
    address: Option<IpAddr>,
    (deed, topic): (Deed, &str),
    asked: &Acting,
    headers: &HeaderMap,
) -> Result<Told, RequestError> {
    let Some(permissions) = asked.permissions(deed)? else {
        let message = "the broker's configuration names no permission for this";
        return Ok(Told::no(Refusal::PermissionMissing.code(), message));
    };
    let about = match asked.about(deed, topic)? {
        Ok(about) => about,
        Err(error) => return Ok(Told::refused(app, Refused::TopicNotAllowed, error)),
    };
    let Some(looked_up) = of_user(app, user_name).await? else {
        return Ok(Told::no(Refusal::Unknown.code(), "the user name is no id of a credential, and no access token"));
    };
    let (objects, everything): (&[Object], Option<&ObjectPattern>) = match &about {
        None => (&[], None),
        Some(About::One(object)) => (std::slice::from_ref(object), None),
        Some(About::All(pattern)) => (&[], Some(pattern)),
    };
    // Who is for some objects only is asked which, unless it is for all that a wildcard stands for.
    let limit = looked_up.found().and_then(|found| found.credential.objects.as_ref());
    let has_all = |wanted: &ObjectPattern| limit.is_none_or(|limit| limit.iter().any(|held| wanted.is_within(held)));
    let required = Required {
        audience: asked.audience.as_deref(),
        environment: Some(asked.environment.unwrap_or(Environment::Live)),
        permissions: &permissions,
        objects,
        whatever_object: everything.is_some_and(has_all),
    };
    judged(app, &looked_up, required, address, (deed.method(), Some(topic)), deed.cost(), headers).await
}

/// What is known of a client that the broker has let in before, by what it is called.
async fn of_user(app: &App, name: &str) -> Result<Option<LookedUp>, StoreError> {
    if let Ok(id @ (CredentialId::ApiKey(_) | CredentialId::PersonalAccessToken(_))) = name.parse() {
        return app.look_up_let_in(id).await.map(Some);
    }
    match app.kind_of(name) {
        Some(SecretKind::AccessToken) => app.look_up(name).await.map(Some),
        _ => Ok(None),
    }
}

async fn judged(
    app: &App,
    looked_up: &LookedUp,
    required: Required<'_>,
    client_ip: Option<IpAddr>,
    (method, topic): (&str, Option<&str>),
    cost: u32,
    headers: &HeaderMap,
) -> Result<Told, RequestError> {
    let id = log::chosen(headers);
    let occasion = Occasion {
        surface: Surface::Mqtt,
        method: Some(method),
        path: topic,
        request_id: id.as_ref().map(log::RequestId::as_str),
    };
    // No broker passes on what a client proves beside its password.
    let used = Use { occasion, required, client_ip, proving: &Proving::NOTHING, visible: None, cost };
    let verdict = app.judge(looked_up, &used).await?.verdict;
    Ok(Told::verdict(verdict, looked_up.found()))
}

impl Deed {
    fn method(self) -> &'static str {
        match self {
            Self::Publish | Self::PublishAndReceive => "PUBLISH",
            Self::Subscribe => "SUBSCRIBE",
            Self::Unsubscribe => "UNSUBSCRIBE",
            Self::Receive => "RECEIVE",
        }
    }

    /// Nobody pays for what others send, or for leaving.
    fn cost(self) -> u32 {
        match self {
            Self::Publish | Self::PublishAndReceive | Self::Subscribe => 1,
            Self::Unsubscribe | Self::Receive => 0,
        }
    }

    fn topic(self, text: &str) -> Result<Topic<'_>, TopicError> {
        match self {
            Self::Publish | Self::PublishAndReceive | Self::Receive => Topic::name(text),
            Self::Subscribe | Self::Unsubscribe => Topic::filter(text),
        }
    }
}

impl Connecting {
    fn session(&self) -> Result<Option<SignedDuration>, RequestError> {
        let Some(text) = &self.session else { return Ok(None) };
        let session = text.parse().ok().filter(|session: &SignedDuration| SESSIONS.contains(&session.as_secs()));
        let wrong = || {
            let detail = "session is a time from 1m to 24h, as in 15m";
            RequestError::unreadable(StatusCode::BAD_REQUEST, "invalid_session", detail)
        };
        session.ok_or_else(wrong).map(Some)
    }
}

impl Acting {
    /// What must be held for a deed; `None` if the configuration lets nobody do it.
    fn permissions(&self, deed: Deed) -> Result<Option<Vec<Permission>>, RequestError> {
        let wanted = match deed {
            Deed::Publish => vec![&self.publish],
            Deed::Subscribe | Deed::Unsubscribe | Deed::Receive => vec![&self.subscribe],
            Deed::PublishAndReceive => vec![&self.publish, &self.subscribe],
        };
        let mut all = Vec::new();
        for names in wanted {
            let Some(names) = names else { return Ok(None) };
            all.extend(named(Some(names))?);
        }
        Ok(Some(all))
    }

    /// The object of a topic, if there is one to ask for; or why this topic is nobody's.
    fn about(&self, deed: Deed, text: &str) -> Result<Result<Option<About>, String>, RequestError> {
        let wrong = |code, error: &dyn std::fmt::Display| {
            RequestError::unreadable(StatusCode::BAD_REQUEST, code, error.to_string())
        };
        let allowed = self.topics.as_deref().map(Topic::filter).transpose();
        let allowed = allowed.map_err(|error| wrong("invalid_topics", &error))?;
        let template = self.object.as_deref().map(str::parse::<ObjectTemplate>).transpose();
        let template = template.map_err(|error| wrong("invalid_object", &error))?;
        let topic = match deed.topic(text) {
            Ok(topic) => topic,
            Err(error) => return Ok(Err(error.to_string())),
        };
        if allowed.is_some_and(|allowed| !topic.is_within(&allowed)) {
            return Ok(Err("it is not one of topics=".to_owned()));
        }
        let about = template.map(|template| template.about(&topic)).transpose();
        Ok(about.map_err(|error| error.to_string()))
    }
}

/// The permissions of a parameter. One that is there and names none does not mean that anything goes.
fn named(names: Option<&str>) -> Result<Vec<Permission>, RequestError> {
    let unreadable = |code, detail: String| RequestError::unreadable(StatusCode::BAD_REQUEST, code, detail);
    let Some(names) = names else { return Ok(Vec::new()) };
    let permissions: Vec<Permission> = names
        .split_whitespace()
        .map(str::parse)
        .collect::<Result<_, _>>()
        .map_err(|error| unreadable("invalid_permission", format!("{error}")))?;
    if permissions.is_empty() {
        return Err(unreadable("empty_permission", "a permission is there but names none".to_owned()));
    }
    Ok(permissions)
}

/// The parameters of the address, each at most once.
fn parameters<T: for<'de> Deserialize<'de>>(request: &Request, known: &str) -> Result<T, RequestError> {
    let read = axum::extract::Query::<T>::try_from_uri(request.uri());
    read.map(|query| query.0).map_err(|_| {
        let detail = format!("the parameters are {known}, each at most once; environment is live or test");
        RequestError::unreadable(StatusCode::BAD_REQUEST, "invalid_query", detail)
    })
}

/// The body, as JSON or as a form. A page in a browser can send a form without asking first, and then says where it is from.
async fn read<T: for<'de> Deserialize<'de>>(request: Request) -> Result<T, RequestError> {
    let unreadable = |code, detail: String| RequestError::unreadable(StatusCode::BAD_REQUEST, code, detail);
    let sort = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !sort.to_ascii_lowercase().starts_with(body::FORM) {
        return body::parse(&body::read(request, body::JSON).await?);
    }
    if request.headers().contains_key(header::ORIGIN) {
        return Err(unreadable("cross_origin", "no browser asks here".to_owned()));
    }
    let mut members = Map::new();
    for (name, value) in url::form_urlencoded::parse(&body::read(request, body::FORM).await?) {
        if members.insert(name.into_owned(), value.into_owned().into()).is_some() {
            return Err(unreadable("duplicate_member", "each member of a form stands there once".to_owned()));
        }
    }
    let read = T::deserialize(Value::Object(members));
    read.map_err(|error| unreadable("invalid_body", bounded(&error.to_string(), 200)))
}
