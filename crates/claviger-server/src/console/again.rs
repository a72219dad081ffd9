//! `/sign-in/again`: somebody who is signed in proves again who they are, before something that lasts.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use claviger_core::{Authenticators, SignInMethod};

use super::{
    form::SessionForm,
    page::{Frame, go, page_with},
    passkeys::Ask,
    query::Query,
    sign_in::{Next, Second, presented},
    trouble::Trouble,
    visit::{SignedIn, Visit},
};
use crate::{app::App, cookies::Cookie, metrics::Guarded, session::Session, throttle::Attempt};

#[derive(Template)]
#[template(path = "again.html")]
pub(super) struct AgainPage {
    pub(super) frame: Frame,
    pub(super) next: String,
    pub(super) asked: Asked,
    /// The provider's name.
    pub(super) provider: String,
    pub(super) failed: bool,
    /// What asks for one of their passkeys, if they have any.
    pub(super) passkey: Option<Ask>,
}

/// What somebody can be asked for: all that signing in asks for. An account without either signs out and in again by its own way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Password,
    Code,
    Both,
    /// The outside provider by which they came.
    Provider,
    Nothing,
}

impl Asked {
    fn of(user: &Authenticators, session: &Session, app: &App) -> Self {
        let came_by_provider = session.found().session.method == SignInMethod::OpenIdConnect && app.provider.is_some();
        match (&user.password, &user.totp) {
            (Some(_), Some(_)) => Self::Both,
            (None, Some(_)) => Self::Code,
            _ if came_by_provider => Self::Provider,
            (Some(_), None) => Self::Password,
            (None, None) => Self::Nothing,
        }
    }

    pub(super) fn wants_password(self) -> bool {
        matches!(self, Self::Password | Self::Both)
    }

    pub(super) fn wants_code(self) -> bool {
        matches!(self, Self::Code | Self::Both)
    }
}

/// `GET /sign-in/again`.
pub(crate) async fn show(
    State(app): State<App>,
    visit: Visit,
    SignedIn(session): SignedIn,
    Query(next): Query<Next>,
) -> Result<Response, Trouble> {
    form(&app, &visit, &session, next.path(), false, None).await
}

/// The page again, because a passkey did not count.
pub(super) async fn with_passkey(
    app: &App,
    visit: &Visit,
    session: &Session,
    next: String,
    wrong: &'static str,
) -> Result<Response, Trouble> {
    form(app, visit, session, next, false, Some(wrong)).await
}

async fn form(
    app: &App,
    visit: &Visit,
    session: &Session,
    next: String,
    failed: bool,
    passkey_wrong: Option<&'static str>,
) -> Result<Response, Trouble> {
    let user = app.user_of(session).await?;
    let passkeys = app.store.passkeys_of(user.user).await?;
    let frame = Frame::of(session, visit, app);
    let passkey = Ask::to_prove(app, &frame.csrf, &passkeys, passkey_wrong);
    let (asked, provider) = (Asked::of(&user, session, app), app.provider_name());
    let status = if failed || passkey_wrong.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok(page_with(status, &AgainPage { frame, next, asked, provider, failed, passkey }, []))
}

/// `POST /sign-in/again` with `password`, `code` or both.
pub(crate) async fn submit(State(app): State<App>, sent: SessionForm) -> Result<Response, Trouble> {
    let SessionForm { fields, visit, session } = sent;
    let user = app.user_of(&session).await?;
    let attempt = app.attempt_in(&session, &visit);
    app.throttle.attempt(&attempt, app.now()).map_err(|wait| app.throttled(Guarded::Confirmation, wait))?;
    let asked = Asked::of(&user, &session, &app);
    if asked.wants_code() {
        app.throttle
            .attempt_second_factor(&attempt, app.now())
            .map_err(|wait| app.throttled(Guarded::SecondFactor, wait))?;
    }
    let first = match asked {
        Asked::Password | Asked::Both => app.password_matches(presented(&fields), user.password.clone()).await?,
        Asked::Code => true,
        Asked::Provider | Asked::Nothing => false,
    };
    let second = match asked {
        Asked::Code | Asked::Both => app.second_factor(&user, fields.value("code")),
        Asked::Password | Asked::Provider | Asked::Nothing => Some((SignInMethod::Password, Second::None)),
    };
    let now = app.now();
    let Some((method, second)) = second.filter(|_| first) else {
        return form(&app, &visit, &session, fields.next(), true, None).await;
    };
    let (new, secret, event) = session.found().session.clone().prove(method, now, &mut app.rng());
    let mut tx = app.store.begin(session.by()).await?;
    if !second.use_up(&app, &mut tx, &user, now).await? {
        drop(tx);
        return form(&app, &visit, &session, fields.next(), true, None).await;
    }
    if !tx.renew_session(&new, &app.peppers.digest(&secret.hash())).await? {
        return Err(Trouble::NotSignedIn { next: fields.next() });
    }
    tx.commit(event, now, &mut app.rng()).await?;
    app.throttle.succeeded(&attempt);
    Ok(go(&fields.next(), [Cookie::Session.set(secret.expose(), visit.secure)]))
}

impl App {
    /// What the user of a session proves themselves with.
    pub(super) async fn user_of(&self, session: &Session) -> Result<Authenticators, Trouble> {
        let user = self.store.authenticators(session.user()).await?;
        user.ok_or_else(|| Trouble::NotSignedIn { next: "/".to_owned() })
    }

    fn provider_name(&self) -> String {
        self.provider.as_ref().map(|provider| provider.at.name.clone()).unwrap_or_default()
    }

    /// A try of somebody who is signed in: no stranger counts among theirs.
    pub(super) fn attempt_in(&self, session: &Session, visit: &Visit) -> Attempt {
        let account = self.peppers.keyed_hash("account-in-session", &[session.id().to_string().as_bytes()]);
        Attempt { account, address: visit.from.address, known_device: true }
    }
}
