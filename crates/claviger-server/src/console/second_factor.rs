//! `/sign-in/second-factor`: a code of the authenticator app, or a recovery code, from somebody who is half-way in.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use claviger_core::{Authenticators, SignInMethod, TotpSeed, presented_recovery_code};
use claviger_token::{Secret, UserId};

use super::{
    device,
    form::VisitForm,
    half_way::HalfWay,
    page::{Frame, go, page_with},
    query::Query,
    sign_in::{Next, Second, open, tell_failure},
    trouble::Trouble,
    visit::Visit,
};
use crate::{app::App, metrics::Guarded, throttle::Attempt};

#[derive(Template)]
#[template(path = "second_factor.html")]
pub(super) struct SecondFactorPage {
    pub(super) frame: Frame,
    pub(super) next: String,
    pub(super) failed: bool,
}

/// `GET /sign-in/second-factor`.
pub(crate) async fn show(State(app): State<App>, visit: Visit, Query(next): Query<Next>) -> Response {
    match HalfWay::of(&visit, &app) {
        Some(_) => form(&app, &visit, next.path(), false),
        None => go("/sign-in", []),
    }
}

/// `POST /sign-in/second-factor` with `code`.
pub(crate) async fn submit(State(app): State<App>, form: VisitForm) -> Result<Response, Trouble> {
    let VisitForm { fields, visit, session } = form;
    let start_again = || Ok(go("/sign-in", []));
    let Some(half_way) = HalfWay::of(&visit, &app) else { return start_again() };
    let user = app.store.authenticators(half_way.user).await?;
    let Some(user) = user.filter(|user| half_way.holds(user)) else { return start_again() };
    let account = app.account(&user.email.to_lowercase());
    let known_device = device::is_known(&visit, &account, &app);
    let attempt = Attempt { account, address: visit.from.address, known_device };
    app.throttle
        .attempt_second_factor(&attempt, app.now())
        .map_err(|wait| app.throttled(Guarded::SecondFactor, wait))?;
    let opened = match app.second_factor(&user, fields.value("code")) {
        None => None,
        Some((method, second)) => open(&app, &visit, session, &user, method, second).await?,
    };
    let Some(cookies) = opened else {
        tell_failure(&app, &visit, &user, account, "second_factor");
        return Ok(self::form(&app, &visit, fields.next(), true));
    };
    app.throttle.succeeded(&attempt);
    Ok(go(&fields.next(), cookies))
}

fn form(app: &App, visit: &Visit, next: String, failed: bool) -> Response {
    let (frame, cookie) = Frame::of_anybody(visit, app);
    let status = if failed { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    page_with(status, &SecondFactorPage { frame, next, failed }, cookie)
}

impl App {
    /// What a code would use up: a step of time, or else, as it looks, a recovery code.
    pub(super) fn second_factor(&self, user: &Authenticators, code: &str) -> Option<(SignInMethod, Second)> {
        if let Some(code) = presented_recovery_code(code) {
            return Some((SignInMethod::RecoveryCode, Second::RecoveryCode(code)));
        }
        self.totp_step(user, code).map(|step| (SignInMethod::Totp, Second::Step(step)))
    }

    /// The step of time that a code of the user's app is for.
    pub(super) fn totp_step(&self, user: &Authenticators, code: &str) -> Option<i64> {
        let totp = user.totp.as_ref()?;
        match TotpSeed::unseal(&totp.seed, user.user, &self.totp_seeds) {
            Ok(seed) => seed.accepts(code, totp.last_step, self.now()),
            Err(error) => {
                tracing::error!(%error, user = %user.user, "a second factor cannot be read");
                None
            }
        }
    }

    /// The digests under which a recovery code may be stored, the likeliest first.
    pub(super) fn recovery_code_digests(&self, user: UserId, code: &Secret) -> Vec<[u8; 32]> {
        let user = user.to_string();
        self.peppers.keyed_hashes("recovery-code", &[user.as_bytes(), code.expose().as_bytes()]).collect()
    }
}
