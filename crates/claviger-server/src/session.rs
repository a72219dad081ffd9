//! Who is signed in: the session that a browser's cookie names, for handlers of pages and of the management API.
//!
//! What changes something wants two more things, so that no page of elsewhere can do it in somebody's name: the request
//! comes from a page of ours (`origin.rs`), and it carries the session's own token, in `X-CSRF-Token` or in the form's
//! field `csrf`. The room must not know how somebody signs in.

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::{HeaderMap, Method, header, request::Parts},
};
use claviger_core::{Actor, By, SessionKind};
use claviger_store::{FoundSession, StoreError};
use claviger_token::{Secret, SessionId, UserId};
use jiff::Timestamp;
use subtle::ConstantTimeEq as _;

use crate::{app::App, client, cookies::Cookie, log::RequestId, origin, problem::RequestError};

/// The header in which a script of a page sends the session's token.
const CSRF_HEADER: &str = "x-csrf-token";

/// Somebody who is signed in. As an argument of a handler it has checked all that its method asks for.
pub(crate) struct Session {
    found: FoundSession,
    by: By,
    csrf: String,
}

impl Session {
    /// Who.
    pub(crate) fn user(&self) -> UserId {
        self.found.session.user
    }

    /// Which of their sessions.
    pub(crate) fn id(&self) -> SessionId {
        self.found.session.id
    }

    /// The session as it is stored, and whom it signs in.
    pub(crate) fn found(&self) -> &FoundSession {
        &self.found
    }

    /// Who writes, for the audit trail.
    pub(crate) fn by(&self) -> &By {
        &self.by
    }

    /// What to call them.
    pub(crate) fn shown(&self) -> &str {
        self.found.name.as_deref().unwrap_or(&self.found.email)
    }

    /// The token that forms and scripts of this session's pages send along.
    pub(crate) fn csrf(&self) -> &str {
        &self.csrf
    }

    /// Whether a browser sent a session's cookie, whatever it is worth.
    pub(crate) fn is_presented(headers: &HeaderMap, app: &App) -> bool {
        Cookie::Session.read(headers, app.is_secure()).is_some()
    }

    /// For what outlasts the session, such as making a token: its user proved lately who they are.
    pub(crate) fn must_be_fresh(&self, now: Timestamp) -> Result<(), RequestError> {
        if self.found.session.is_fresh(now) {
            return Ok(());
        }
        Err(RequestError::Forbidden {
            code: "reauthentication_required",
            permission: None,
            message: "this wants a sign-in of the last ten minutes: prove who you are at /sign-in/again".to_owned(),
        })
    }

    /// Whether its user proved lately who they are.
    pub(crate) fn is_fresh(&self, now: Timestamp) -> bool {
        self.found.session.is_fresh(now)
    }

    /// The session that the cookie names, if it counts. Only reads may trust it as it is.
    pub(crate) async fn of(headers: &HeaderMap, from: &From, app: &App) -> Result<Option<Self>, StoreError> {
        let Some(cookie) = Cookie::Session.read(headers, app.is_secure()) else { return Ok(None) };
        let hash = Secret::new(cookie.to_owned()).hash();
        let now = app.now();
        for digest in app.peppers.candidates(&hash) {
            let Some(found) = app.store.find_session(&digest).await? else { continue };
            let session = &found.session;
            if found.disabled || session.kind != SessionKind::Console || !session.counts(app.config.sessions, now) {
                return Ok(None);
            }
            if session.is_to_be_noted(now)
                && let Err(error) = app.store.note_session(session.id, now).await
            {
                tracing::warn!(error = &error as &dyn std::error::Error, "the use of a session was not noted");
            }
            let actor = Actor::Session { user: session.user, session: session.id };
            let by = By { actor, address: from.address, request_id: from.request_id.clone() };
            let csrf = app.csrf(&format!("session {}", session.id));
            return Ok(Some(Self { found, by, csrf }));
        }
        Ok(None)
    }
}

impl FromRequestParts<App> for Session {
    type Rejection = RequestError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, RequestError> {
        let session = Self::of(&parts.headers, &From::read(parts, app), app).await?;
        let session = session.ok_or(RequestError::Unauthenticated(None))?;
        let sent = parts.headers.get(CSRF_HEADER).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if is_safe(&parts.method)
            || (origin::is_from_here(&parts.headers, &app.config) && is_token(sent, &session.csrf))
        {
            return Ok(session);
        }
        Err(RequestError::Forbidden {
            code: "csrf_token_invalid",
            permission: None,
            message: "with a session, this wants the header X-CSRF-Token from a page of Claviger".to_owned(),
        })
    }
}

/// RFC 9110, section 9.2.1.
fn is_safe(method: &Method) -> bool {
    method.is_safe()
}

/// Whether what a form or a script sent is this token.
pub(crate) fn is_token(sent: &str, token: &str) -> bool {
    bool::from(sent.as_bytes().ct_eq(token.as_bytes()))
}

/// Where a request of a browser comes from, for sessions and the audit trail.
#[derive(Debug, Clone)]
pub(crate) struct From {
    /// The browser's address.
    pub(crate) address: Option<IpAddr>,
    /// What the browser calls itself.
    pub(crate) user_agent: Option<String>,
    /// The request's id.
    pub(crate) request_id: Option<String>,
}

impl From {
    pub(crate) fn read(parts: &Parts, app: &App) -> Self {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
        let address = peer.map(|peer| client::address(peer, &parts.headers, app.config.trusted_proxies.as_ref()));
        let user_agent = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        Self {
            address,
            user_agent: user_agent.map(str::to_owned),
            request_id: parts.extensions.get::<RequestId>().map(ToString::to_string),
        }
    }
}

impl App {
    /// Whether browsers reach this instance by https.
    pub(crate) fn is_secure(&self) -> bool {
        self.config.public_url.starts_with("https:")
    }

    /// The token that proves that a form was made for this browser. `holder` is what the browser is known by.
    pub(crate) fn csrf(&self, holder: &str) -> String {
        hex(&self.peppers.keyed_hash("csrf", &[holder.as_bytes()]))
    }
}

/// Hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use axum::http::{Request, StatusCode};
    use claviger_core::{NewSession, NewUser, Session as Stored, SignInMethod, User};
    use jiff::SignedDuration;

    use super::*;
    use crate::app::tests::app;

    /// Somebody's session, and what their browser holds.
    async fn signed_in(app: &App) -> (Stored, Secret) {
        let (by, now) = (By::operator(), app.now());
        let (user, event) = User::create(&NewUser::with_email("zoe@acme.test"), now, &mut app.rng()).unwrap();
        let new = NewSession { user: user.id, method: SignInMethod::Password, address: None, user_agent: None };
        let (session, secret, _) = Stored::start(&new, app.config.sessions, now, &mut app.rng());
        let mut tx = app.store.begin(&by).await.unwrap();
        tx.insert_user(&user).await.unwrap();
        tx.insert_session(&session, &app.peppers.digest(&secret.hash())).await.unwrap();
        tx.commit(event, now, &mut app.rng()).await.unwrap();
        (session, secret)
    }

    async fn ask(app: &App, method: Method, headers: &[(&str, &str)]) -> Result<Session, RequestError> {
        let request = headers
            .iter()
            .fold(Request::builder().method(method), |request, (name, value)| request.header(*name, *value));
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        Session::from_request_parts(&mut parts, app).await
    }

    /// `None` if it is let through.
    async fn refused(app: &App, method: Method, headers: &[(&str, &str)]) -> Option<StatusCode> {
        use axum::response::IntoResponse as _;
        ask(app, method, headers).await.err().map(|error| error.into_response().status())
    }

    #[tokio::test]
    async fn a_script_of_a_page_sends_the_sessions_own_token() {
        let (app, _directory) = app().await;
        let (session, secret) = signed_in(&app).await;
        let cookie = format!("__Host-claviger={}", secret.expose());
        let cookie = ("cookie", cookie.as_str());
        let found = ask(&app, Method::GET, &[cookie]).await.unwrap();
        assert_eq!((found.user(), found.id(), found.shown()), (session.user, session.id, "zoe@acme.test"));
        let csrf = ("x-csrf-token", found.csrf());
        let here = ("origin", "https://claviger.test");
        assert_eq!(refused(&app, Method::GET, &[]).await, Some(StatusCode::UNAUTHORIZED));
        assert_eq!(refused(&app, Method::POST, &[cookie, here]).await, Some(StatusCode::FORBIDDEN));
        assert_eq!(
            refused(&app, Method::POST, &[cookie, here, ("x-csrf-token", "x")]).await,
            Some(StatusCode::FORBIDDEN)
        );
        let there = ("origin", "https://evil.test");
        assert_eq!(refused(&app, Method::DELETE, &[cookie, there, csrf]).await, Some(StatusCode::FORBIDDEN));
        assert_eq!(refused(&app, Method::DELETE, &[cookie, here, csrf]).await, None);
    }

    #[tokio::test]
    async fn what_lasts_wants_a_fresh_sign_in() {
        let (app, _directory) = app().await;
        let (_, secret) = signed_in(&app).await;
        let cookie = format!("__Host-claviger={}", secret.expose());
        let session = ask(&app, Method::GET, &[("cookie", cookie.as_str())]).await.unwrap();
        assert!(session.must_be_fresh(app.now()).is_ok());
        let late = session.must_be_fresh(app.now() + SignedDuration::from_mins(10));
        assert!(matches!(late, Err(RequestError::Forbidden { code: "reauthentication_required", .. })));
    }
}
