//! `/account/security`: one's password, passkeys, second factor and sessions.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use claviger_core::{Authenticators, Password, PasswordChange, PasswordError, Session as Stored, SessionEnd};
use claviger_token::SessionId;

use super::{
    form::SessionForm,
    page::{Frame, go, go_and_tell, page_with, shown},
    passkeys::ListedPasskey,
    sign_in::presented,
    sign_out,
    trouble::Trouble,
    visit::{SignedIn, Visit},
};
use crate::{app::App, cookies::Cookie, metrics::Guarded, session::Session};

/// What is said of a current password that is another.
const CURRENT_WRONG: &str = "password-wrong";

#[derive(Template)]
#[template(path = "security.html")]
pub(super) struct SecurityPage {
    pub(super) frame: Frame,
    pub(super) email: String,
    pub(super) has_password: bool,
    /// The key of what is wrong with the form, if anything is.
    pub(super) wrong: Option<&'static str>,
    /// Since when an app is asked for.
    pub(super) totp_since: Option<String>,
    pub(super) recovery_codes: usize,
    /// Nothing where browsers have no passkeys for us.
    pub(super) passkeys: Option<Vec<ListedPasskey>>,
    pub(super) sessions: Vec<ListedSession>,
}

impl SecurityPage {
    pub(super) fn current_is_wrong(&self) -> bool {
        self.wrong == Some(CURRENT_WRONG)
    }
}

/// A session as its user sees it.
pub(super) struct ListedSession {
    pub(super) id: String,
    pub(super) browser: String,
    pub(super) address: String,
    pub(super) started: String,
    pub(super) used: String,
    pub(super) is_this: bool,
}

/// `GET /account/security`.
pub(crate) async fn show(
    State(app): State<App>,
    visit: Visit,
    SignedIn(session): SignedIn,
) -> Result<Response, Trouble> {
    with(&app, &visit, &session, None).await
}

/// `POST /account/security/password` with `password` (the old one), `new` and `again`.
pub(crate) async fn change_password(State(app): State<App>, form: SessionForm) -> Result<Response, Trouble> {
    let SessionForm { fields, visit, session } = form;
    let user = app.user_of(&session).await?;
    // The session is fresh afterwards, which a password alone makes no session of who has an app.
    if user.password.is_none() || user.totp.is_some() {
        must_be_fresh(&app, &session)?;
    }
    if user.password.is_some() {
        let attempt = app.attempt_in(&session, &visit);
        app.throttle.attempt(&attempt, app.now()).map_err(|wait| app.throttled(Guarded::Confirmation, wait))?;
        if !app.password_matches(presented(&fields), user.password.clone()).await? {
            return with(&app, &visit, &session, Some(CURRENT_WRONG)).await;
        }
        app.throttle.succeeded(&attempt);
    }
    let chosen = match chosen(fields.value("new"), fields.value("again"), &about(&user)) {
        Ok(chosen) => chosen,
        Err(wrong) => return with(&app, &visit, &session, Some(wrong)).await,
    };
    let hash = app.password_hash(chosen).await?;
    let now = app.now();
    let mut tx = app.store.begin(session.by()).await?;
    let current = tx.authenticators(user.user).await?.filter(|current| current.password == user.password);
    let current = current.ok_or(Trouble::Form)?;
    let (changed, event) = current.set_password(hash, PasswordChange::Changed, now);
    tx.save_authenticators(&changed).await?;
    let cookie = renewed(&app, &mut tx, &visit, &session, SessionEnd::PasswordChanged).await?;
    tx.commit(event, now, &mut app.rng()).await?;
    Ok(go_and_tell("/account/security", "changed", [cookie]))
}

/// `POST /account/security/sessions` with `session`: an id, or `others`.
pub(crate) async fn end_session(State(app): State<App>, form: SessionForm) -> Result<Response, Trouble> {
    let SessionForm { fields, visit, session } = form;
    let back = || Ok(go("/account/security", []));
    let mut tx = app.store.begin(session.by()).await?;
    if fields.value("session") == "others" {
        let sessions = tx.sessions_of(session.user()).await?;
        let Some(first) = sessions.into_iter().find(|other| other.id != session.id()) else { return back() };
        if !tx.end_session(session.user(), first.id).await? {
            return back();
        }
        tx.end_sessions_of(session.user(), Some(session.id()), SessionEnd::Revoked).await?;
        tx.commit(first.end(SessionEnd::Revoked), app.now(), &mut app.rng()).await?;
        return back();
    }
    let Ok(id) = fields.value("session").parse::<SessionId>() else { return Err(Trouble::Form) };
    if id == session.id() {
        drop(tx);
        return sign_out::end(&app, &visit, &session).await;
    }
    // One that is gone already, or another's, is gone all the same.
    let ended = tx.sessions_of(session.user()).await?.into_iter().find(|one| one.id == id);
    if let Some(ended) = ended
        && tx.end_session(session.user(), id).await?
    {
        tx.commit(ended.end(SessionEnd::Revoked), app.now(), &mut app.rng()).await?;
    }
    back()
}

/// What an attacker knows of a user.
pub(super) fn about(user: &Authenticators) -> [&str; 2] {
    [user.email.as_str(), user.name.as_deref().unwrap_or_default()]
}

/// What somebody chose, or the key of what is wrong with it.
pub(super) fn chosen(new: &str, again: &str, about: &[&str]) -> Result<Password, &'static str> {
    if new != again {
        return Err("password-differs");
    }
    Password::chosen(new, about).map_err(|error| match error {
        PasswordError::TooShort => "password-too-short",
        PasswordError::TooLong => "password-too-long",
        PasswordError::Weak => "password-weak",
    })
}

/// Ends all other sessions of the user, and gives this browser something else to hold.
pub(super) async fn renewed(
    app: &App,
    tx: &mut claviger_store::Tx<'_>,
    visit: &Visit,
    session: &Session,
    why: SessionEnd,
) -> Result<axum::http::HeaderValue, Trouble> {
    tx.end_sessions_of(session.user(), Some(session.id()), why).await?;
    let stored = session.found().session.clone();
    let (new, secret, event) = stored.clone().prove(stored.method, app.now(), &mut app.rng());
    if !tx.renew_session(&new, &app.peppers.digest(&secret.hash())).await? {
        return Err(Trouble::NotSignedIn { next: "/account/security".to_owned() });
    }
    tx.also(event);
    Ok(Cookie::Session.set(secret.expose(), visit.secure))
}

/// For what changes how the account is proven.
pub(super) fn must_be_fresh(app: &App, session: &Session) -> Result<(), Trouble> {
    if session.is_fresh(app.now()) {
        return Ok(());
    }
    Err(Trouble::NotFresh { next: "/account/security".to_owned() })
}

async fn with(app: &App, visit: &Visit, session: &Session, wrong: Option<&'static str>) -> Result<Response, Trouble> {
    let (user, now) = (app.user_of(session).await?, app.now());
    let mut sessions = app.store.sessions_of(session.user()).await?;
    sessions.retain(|one| one.counts(app.config.sessions, now));
    let listed = |one: &Stored| ListedSession {
        id: one.id.to_string(),
        browser: one.user_agent.clone().unwrap_or_else(|| "—".to_owned()),
        address: one.address.map_or_else(|| "—".to_owned(), |address| address.to_string()),
        started: shown(one.created_at),
        used: shown(one.seen_at),
        is_this: one.id == session.id(),
    };
    let status = if wrong.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let frame = Frame::inside(session, visit, app, None).await?;
    let page = SecurityPage {
        passkeys: ListedPasskey::all(app, &frame, &app.store.passkeys_of(session.user()).await?),
        frame,
        has_password: user.password.is_some(),
        wrong,
        totp_since: user.totp.as_ref().map(|totp| shown(totp.enabled_at)),
        recovery_codes: app.store.recovery_codes_left(session.user()).await?,
        sessions: sessions.iter().map(listed).collect(),
        email: user.email,
    };
    Ok(page_with(status, &page, []))
}
