//! `/password-reset`: a new password, for whoever holds a link that an administrator made. It ends all sessions, and does not
//! stand in for the second factor.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use claviger_core::{CodePurpose, OneTimeCode, PasswordChange, Reach, SessionEnd, SignInMethod};
use claviger_store::View;
use jiff::Timestamp;

use super::{
    form::VisitForm,
    link::{LinkCode, by_link},
    page::{Frame, page_with},
    query::Query,
    security::{about, chosen},
    sign_in::first_factor_proven,
    trouble::Trouble,
    visit::Visit,
};
use crate::{app::App, cookies::Cookie, link_maker::link_maker};

#[derive(Template)]
#[template(path = "password_reset.html")]
pub(super) struct PasswordResetPage {
    pub(super) frame: Frame,
    pub(super) email: String,
    /// The key of what is wrong with the form, if anything is.
    pub(super) wrong: Option<&'static str>,
}

/// `GET /password-reset?code=…`.
pub(crate) async fn show(
    State(app): State<App>,
    visit: Visit,
    Query(code): Query<LinkCode>,
) -> Result<Response, Trouble> {
    if let Some(moved) = code.moved("/password-reset", &visit) {
        return moved;
    }
    let (code, _) = app.code_of(&visit, CodePurpose::PasswordReset).await?;
    must_still_let_in(&mut app.store.within(Reach::Instance), &code, app.now()).await?;
    let user = app.store.authenticators(code.user).await?.filter(|user| !user.disabled).ok_or(Trouble::Link)?;
    Ok(form(&app, &visit, user.email, None))
}

/// `POST /password-reset` with `new` and `again`.
pub(crate) async fn submit(State(app): State<App>, form: VisitForm) -> Result<Response, Trouble> {
    let VisitForm { fields, visit, session } = form;
    let (code, digest) = app.code_of(&visit, CodePurpose::PasswordReset).await?;
    let user = app.store.authenticators(code.user).await?.filter(|user| !user.disabled).ok_or(Trouble::Link)?;
    let chosen = match chosen(fields.value("new"), fields.value("again"), &about(&user)) {
        Ok(chosen) => chosen,
        Err(wrong) => return Ok(self::form(&app, &visit, user.email, Some(wrong))),
    };
    let hash = app.password_hash(chosen).await?;
    let (by, now) = (by_link(&code, &visit), app.now());
    let mut tx = app.store.begin(&by).await?;
    let current = tx.authenticators(code.user).await?.filter(|user| !user.disabled).ok_or(Trouble::Link)?;
    must_still_let_in(&mut tx.within(Reach::Instance), &code, now).await?;
    let used = tx.redeem_one_time_code(CodePurpose::PasswordReset, &digest, now).await?;
    used.ok_or(Trouble::Link)?;
    let (user, event) = current.set_password(hash, PasswordChange::Reset, now);
    tx.save_authenticators(&user).await?;
    tx.void_one_time_codes(user.user, CodePurpose::PasswordReset).await?;
    tx.end_sessions_of(user.user, None, SessionEnd::PasswordChanged).await?;
    tx.commit(event, now, &mut app.rng()).await?;
    let mut response = first_factor_proven(&app, &visit, session, user, SignInMethod::Password, "/").await?;
    response.headers_mut().append(axum::http::header::SET_COOKIE, Cookie::Code.clear(visit.secure));
    Ok(response)
}

/// A link lets in nobody as whom its maker could not let anybody in by now.
async fn must_still_let_in(view: &mut View<'_>, code: &OneTimeCode, now: Timestamp) -> Result<(), Trouble> {
    let held = view.held_anywhere(code.user.into()).await?;
    let maker = link_maker(view, (&code.created_by, code.created_with), None, now).await?;
    if maker.may_still_let_in(&held) { Ok(()) } else { Err(Trouble::Link) }
}

fn form(app: &App, visit: &Visit, email: String, wrong: Option<&'static str>) -> Response {
    let (frame, cookie) = Frame::of_anybody(visit, app);
    let status = if wrong.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    page_with(status, &PasswordResetPage { frame, email, wrong }, cookie)
}
