//! Who is signed in: the session that a browser's cookie names, for handlers of pages and of the management API.
//!
//! What changes something wants two more things, so that no page of elsewhere can do it in somebody's name: the request
//! comes from a page of ours (`origin.rs`), and it carries the session's own token, in `X-CSRF-Token` or in the form's
//! field `csrf`. The room must not know how somebody signs in.
//!
//! A session at an organization's portal has a cookie of its own and counts nowhere but there and where a handler takes
//! [`AnySession`].

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::{HeaderMap, Method, header, request::Parts},
};
use claviger_core::{Actor, By, Reach, SessionKind};
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

    /// The organizations in which it counts.
    pub(crate) fn reach(&self) -> Reach {
        self.found.session.organization.map_or(Reach::Instance, Reach::Organization)
    }

    /// For what outlasts the session, such as making a token: its user proved lately who they are.
    pub(crate) fn must_be_fresh(&self, now: Timestamp) -> Result<(), RequestError> {
        if self.found.session.is_fresh(now) {
            return Ok(());
        }
        let message = match self.found.session.kind {
            SessionKind::Console => "this wants a sign-in of the last ten minutes: prove who you are at /sign-in/again",
            SessionKind::Portal => "this wants a portal opened in the last ten minutes: go back, and open it again",
        };
        let (code, message) = ("reauthentication_required", message.to_owned());
        Err(RequestError::Forbidden { code, permission: None, message })
    }

    /// Whether it is one at a portal.
    pub(crate) fn is_at_portal(&self) -> bool {
        self.found.session.kind == SessionKind::Portal
    }

    /// Whether its user proved lately who they are.
    pub(crate) fn is_fresh(&self, now: Timestamp) -> bool {
        self.found.session.is_fresh(now)
    }

    /// The session in the console that the cookie names, if it counts. Only reads may trust it as it is.
    pub(crate) async fn of(headers: &HeaderMap, from: &From, app: &App) -> Result<Option<Self>, StoreError> {
        Ok(Self::held(SessionKind::Console, headers, from, app).await?.ok())
    }

    /// The session at a portal that the cookie names; or else the one that was, as far as it is known. Only reads may trust it
    /// as it is.
    pub(crate) async fn at_portal(
        headers: &HeaderMap,
        from: &From,
        app: &App,
    ) -> Result<Result<Self, Option<Box<FoundSession>>>, StoreError> {
        Self::held(SessionKind::Portal, headers, from, app).await
    }

    async fn held(
        kind: SessionKind,
        headers: &HeaderMap,
        from: &From,
        app: &App,
    ) -> Result<Result<Self, Option<Box<FoundSession>>>, StoreError> {
        let Some(cookie) = cookie(kind).read(headers, app.is_secure()) else { return Ok(Err(None)) };
        let hash = Secret::new(cookie.to_owned()).hash();
        let now = app.now();
        for digest in app.peppers.candidates(&hash) {
            let Some(found) = app.store.find_session(&digest).await? else { continue };
            let session = &found.session;
            if session.kind != kind {
                return Ok(Err(None));
            }
            let closed = found.disabled || found.portal.as_ref().is_some_and(|portal| portal.closed);
            if closed || !session.counts(app.config.sessions, now) {
                return Ok(Err(Some(Box::new(found))));
            }
            if !from.by_itself
                && session.is_to_be_noted(now)
                && let Err(error) = app.store.note_session(session.id, now).await
            {
                tracing::warn!(error = &error as &dyn std::error::Error, "the use of a session was not noted");
            }
            let actor = Actor::Session { user: session.user, session: session.id };
            let by = By { actor, address: from.address, request_id: from.request_id.clone() };
            let csrf = app.csrf(&format!("session {}", session.id));
            return Ok(Ok(Self { found, by, csrf }));
        }
        Ok(Err(None))
    }
}

fn cookie(kind: SessionKind) -> Cookie {
    match kind {
        SessionKind::Console => Cookie::Session,
        SessionKind::Portal => Cookie::Portal,
    }
}

/// The session in which a script acts, for handlers of the management API that serve a portal too.
///
/// A browser may hold a session in the console and one at a portal at once. The token that the script sends says which of them
/// is meant, and so a portal's scripts send it with reads too. Without one, a read is the console's.
pub(crate) struct AnySession(pub(crate) Session);

impl AnySession {
    /// Whether a browser sent a session's cookie, whatever it is worth.
    pub(crate) fn is_presented(headers: &HeaderMap, app: &App) -> bool {
        [Cookie::Session, Cookie::Portal].into_iter().any(|cookie| cookie.read(headers, app.is_secure()).is_some())
    }
}

impl FromRequestParts<App> for AnySession {
    type Rejection = RequestError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, RequestError> {
        let from = From::read(parts, app);
        let sent = parts.headers.get(CSRF_HEADER).map(|value| value.to_str().unwrap_or_default());
        let sent = sent.filter(|sent| !sent.is_empty());
        let console = Session::of(&parts.headers, &from, app).await?;
        let portal = Session::at_portal(&parts.headers, &from, app).await?.ok();
        if console.is_none() && portal.is_none() {
            return Err(RequestError::Unauthenticated(None));
        }
        let meant = match sent {
            Some(sent) => [portal, console].into_iter().flatten().find(|session| is_token(sent, &session.csrf)),
            None => console.filter(|_| is_safe(&parts.method)),
        };
        let allowed = is_safe(&parts.method) || origin::is_from_here(&parts.headers, &app.config);
        meant.filter(|_| allowed).map(Self).ok_or_else(|| RequestError::Forbidden {
            code: "csrf_token_invalid",
            permission: None,
            message: "with a session, this wants the header X-CSRF-Token from a page of Claviger".to_owned(),
        })
    }
}

/// Whether a query is that of a page which asks for itself again and again.
fn follows(query: &str) -> bool {
    url::form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "follow")
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
    /// Whether a page asks by itself, to follow what happens: nobody need be there, and so it keeps no session from going idle.
    pub(crate) by_itself: bool,
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
            by_itself: is_safe(&parts.method) && parts.uri.query().is_some_and(follows),
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

    async fn ask(app: &App, method: Method, headers: &[(&str, &str)]) -> Result<AnySession, RequestError> {
        let request = headers
            .iter()
            .fold(Request::builder().method(method), |request, (name, value)| request.header(*name, *value));
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        AnySession::from_request_parts(&mut parts, app).await
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
        let AnySession(found) = ask(&app, Method::GET, &[cookie]).await.unwrap();
        assert_eq!((found.user(), found.id(), found.shown()), (session.user, session.id, "zoe@acme.test"));
        let csrf = ("x-csrf-token", found.csrf());
        let here = ("origin", "https://claviger.test");
        assert_eq!(refused(&app, Method::GET, &[]).await, Some(StatusCode::UNAUTHORIZED));
        let another = [cookie, ("x-csrf-token", "x")];
        assert_eq!(
            refused(&app, Method::GET, &another).await,
            Some(StatusCode::FORBIDDEN),
            "that names another session"
        );
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
        let AnySession(session) = ask(&app, Method::GET, &[("cookie", cookie.as_str())]).await.unwrap();
        assert!(session.must_be_fresh(app.now()).is_ok());
        let late = session.must_be_fresh(app.now() + SignedDuration::from_mins(10));
        assert!(matches!(late, Err(RequestError::Forbidden { code: "reauthentication_required", .. })));
    }
}
