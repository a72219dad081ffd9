//! `/sign-in`: who are you? Whoever is not there, whoever is disabled and whoever has another password get the same answer
//! after the same work.

use askama::Template;
use axum::{
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use claviger_core::{
    Actor, Authenticators, By, Email, Event, NewSession, Password, Session as Stored, SessionEnd, SignInMethod,
};
use claviger_store::{StoreError, Tx};
use claviger_token::Secret;
use jiff::Timestamp;
use serde::Deserialize;

use super::{
    device,
    form::{Fields, VisitForm},
    half_way::HalfWay,
    language::{Language, kept},
    page::{Frame, go, page_with},
    passkeys::{Ask, Proof},
    query::Query,
    trouble::Trouble,
    visit::{Anybody, Visit},
};
use crate::{
    app::App,
    cookies::Cookie,
    metrics::Guarded,
    origin,
    session::Session,
    throttle::{Account, Attempt},
};

/// No address is longer (RFC 5321, section 4.5.3.1.3).
const LONGEST_EMAIL: usize = 254;

/// Another way to sign in than by password: where it begins, and what it is called.
pub(super) struct OtherWay {
    pub(super) path: String,
    pub(super) name: String,
}

#[derive(Template)]
#[template(path = "sign_in.html")]
pub(super) struct SignInPage {
    pub(super) frame: Frame,
    pub(super) email: String,
    pub(super) next: String,
    pub(super) failed: bool,
    pub(super) other_ways: Vec<OtherWay>,
    /// What asks for a passkey.
    pub(super) passkey: Option<Ask>,
}

/// Where to go afterwards.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Next {
    #[serde(default)]
    next: String,
}

impl Next {
    pub(super) fn path(&self) -> String {
        origin::local(&self.next).unwrap_or_else(|| "/".to_owned())
    }
}

/// `GET /sign-in`.
pub(crate) async fn show(
    State(app): State<App>,
    visit: Visit,
    Anybody(session): Anybody,
    Query(next): Query<Next>,
) -> Response {
    match session {
        Some(_) => go(&next.path(), []),
        None => form(&app, &visit, String::new(), next.path(), false, None),
    }
}

/// `POST /sign-in` with `email`, `password` and perhaps `next`; or with `language`, for the form in that one, as far as it is filled in.
pub(crate) async fn submit(State(app): State<App>, form: VisitForm) -> Result<Response, Trouble> {
    let VisitForm { fields, visit, session } = form;
    if let Some(language) = Language::of_tag(fields.value("language")) {
        return Ok(in_language(&app, visit, language, &fields));
    }
    let email = email_key(&fields);
    let account = app.account(&email);
    let attempt =
        Attempt { account, address: visit.from.address, known_device: device::is_known(&visit, &account, &app) };
    app.throttle.attempt(&attempt, app.now()).map_err(|wait| app.throttled(Guarded::SignIn, wait))?;
    let found = app.store.authenticators_by_email(&email).await?;
    let kept = found.as_ref().and_then(|found| found.password.clone());
    let matches = app.password_matches(presented(&fields), kept).await?;
    let Some(user) = found.clone().filter(|found| matches && !found.disabled) else {
        if let Some(found) = found {
            tell_failure(&app, &visit, &found, account, "password");
        }
        return Ok(self::form(&app, &visit, fields.value("email").to_owned(), fields.next(), true, None));
    };
    // Half of a sign-in is none yet: who has the password alone must not begin to count anew.
    if user.totp.is_none() {
        app.throttle.succeeded(&attempt);
    }
    first_factor_proven(&app, &visit, session, user, SignInMethod::Password, &fields.next()).await
}

/// Somebody proved a first factor: they are asked for the second, or are in.
pub(super) async fn first_factor_proven(
    app: &App,
    visit: &Visit,
    before: Option<Session>,
    user: Authenticators,
    method: SignInMethod,
    next: &str,
) -> Result<Response, Trouble> {
    if user.totp.is_some() {
        let cookie = HalfWay::cookie(&user, visit, app);
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish();
        return Ok(go(&format!("/sign-in/second-factor?{query}"), [cookie]));
    }
    let cookies = open(app, visit, before, &user, method, Second::None).await?;
    // It changed in between; they see the form again.
    Ok(cookies.map_or_else(|| go("/sign-in", []), |cookies| go(next, cookies)))
}

/// What is used up of the second factor, or of what is two by itself.
pub(super) enum Second {
    None,
    Step(i64),
    RecoveryCode(Secret),
    Passkey(Box<Proof>),
}

impl Second {
    /// Uses it up, and tells whether it was still there.
    pub(super) async fn use_up(
        self,
        app: &App,
        tx: &mut Tx<'_>,
        user: &Authenticators,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        match self {
            Self::None => Ok(true),
            Self::Step(step) => tx.use_totp_step(user.user, step).await,
            Self::RecoveryCode(code) => {
                let mut left = None;
                for digest in app.recovery_code_digests(user.user, &code) {
                    left = left.or(tx.use_recovery_code(user.user, digest, now).await?);
                }
                if let Some(left) = left {
                    tx.also(user.recovery_code_used(left));
                }
                Ok(left.is_some())
            }
            Self::Passkey(proof) => proof.use_up(tx).await,
        }
    }
}

/// Starts a session for somebody who proved who they are, in one transaction with what that uses up: the cookies to set, or
/// nothing if it was used up already, or if the account is not as it was.
pub(super) async fn open(
    app: &App,
    visit: &Visit,
    before: Option<Session>,
    user: &Authenticators,
    method: SignInMethod,
    second: Second,
) -> Result<Option<Vec<HeaderValue>>, Trouble> {
    let now = app.now();
    let from = &visit.from;
    let new = NewSession { user: user.user, method, address: from.address, user_agent: from.user_agent.as_deref() };
    let (session, secret, mut event) = Stored::start(&new, app.config.sessions, now, &mut app.rng());
    if let Second::Passkey(proof) = &second {
        proof.tell(&mut event);
    }
    let actor = Actor::Session { user: user.user, session: session.id };
    let by = By { actor, address: from.address, request_id: from.request_id.clone() };
    let mut tx = app.store.begin(&by).await?;
    if !tx.authenticators(user.user).await?.is_some_and(|current| is_same(&current, user)) {
        return Ok(None);
    }
    if !second.use_up(app, &mut tx, user, now).await? {
        return Ok(None);
    }
    if let Some(before) = before
        && tx.end_session(before.user(), before.id()).await?
    {
        tx.also(before.found().session.end(SessionEnd::Replaced));
    }
    tx.insert_session(&session, &app.peppers.digest(&secret.hash())).await?;
    tx.commit(event, now, &mut app.rng()).await?;
    Ok(Some(vec![
        Cookie::Session.set(secret.expose(), visit.secure),
        device::remember(visit, &app.account(&user.email.to_lowercase()), app),
        Cookie::HalfWay.clear(visit.secure),
        Cookie::Visit.clear(visit.secure),
    ]))
}

fn is_same(current: &Authenticators, proven: &Authenticators) -> bool {
    let seed = |account: &Authenticators| account.totp.as_ref().map(|totp| totp.seed.clone());
    !current.disabled && current.password == proven.password && seed(current) == seed(proven)
}

/// Written behind, so that an account that there is answers no later than one that there is not.
pub(super) fn tell_failure(app: &App, visit: &Visit, user: &Authenticators, account: Account, stage: &'static str) {
    if !app.throttle.is_failure_to_be_told(account, app.now()) {
        return;
    }
    tell_behind(app, visit, user.sign_in_failed(stage));
}

/// Tells in the audit trail what nobody waits for.
pub(super) fn tell_behind(app: &App, visit: &Visit, event: Event) {
    let app = app.clone();
    let by = By { actor: Actor::System, address: visit.from.address, request_id: visit.from.request_id.clone() };
    tokio::spawn(async move {
        let tell = async {
            let tx = app.store.begin(&by).await?;
            tx.commit(event, app.now(), &mut app.rng()).await
        };
        if let Err(error) = tell.await {
            tracing::error!(error = &error as &dyn std::error::Error, "a failed sign-in was not told");
        }
    });
}

/// The form again, because a passkey did not count.
pub(super) fn with_passkey(app: &App, visit: &Visit, next: String, wrong: &'static str) -> Response {
    form(app, visit, String::new(), next, false, Some(wrong))
}

/// The form again in another language, without the password.
fn in_language(app: &App, mut visit: Visit, language: Language, fields: &Fields) -> Response {
    visit.language = language;
    let mut response = form(app, &visit, fields.value("email").to_owned(), fields.next(), false, None);
    response.headers_mut().append(header::SET_COOKIE, kept(language, app));
    response
}

fn form(
    app: &App,
    visit: &Visit,
    email: String,
    next: String,
    failed: bool,
    passkey_wrong: Option<&'static str>,
) -> Response {
    let (frame, cookie) = Frame::of_anybody(visit, app);
    let status = if failed || passkey_wrong.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let email = email.chars().take(LONGEST_EMAIL).collect();
    let passkey = Ask::to_sign_in(app, &frame.csrf, passkey_wrong);
    page_with(status, &SignInPage { frame, email, next, failed, other_ways: other_ways(app), passkey }, cookie)
}

/// An outside OpenID Connect provider, which ends in [`first_factor_proven`] too.
fn other_ways(app: &App) -> Vec<OtherWay> {
    let provider = app.provider.iter();
    provider.map(|provider| OtherWay { path: "/sign-in/oidc".to_owned(), name: provider.at.name.clone() }).collect()
}

/// What cannot be an address is nobody's, and compared all the same.
fn email_key(fields: &Fields) -> String {
    Email::parse(fields.value("email").trim()).map(|email| email.key()).unwrap_or_default()
}

/// One that is too long is nobody's, and compared all the same.
pub(super) fn presented(fields: &Fields) -> Password {
    Password::presented(fields.value("password")).unwrap_or_else(Password::nobodys)
}

impl App {
    /// What an account is counted as, whether there is one or not.
    pub(crate) fn account(&self, email_key: &str) -> Account {
        self.peppers.keyed_hash("account", &[email_key.as_bytes()])
    }
}
