//! `/sign-in/link`: a link that works once, for whoever runs the instance.
//!
//! A look at it uses nothing up: programs that check links in messages look at them too. The button does.

use askama::Template;
use axum::{extract::State, response::Response};
use claviger_core::{Actor, By, CodePurpose, Digest, OneTimeCode, SignInMethod, is_link_code};
use claviger_store::StoreError;
use claviger_token::Secret;
use serde::Deserialize;

use super::{
    form::VisitForm,
    page::{Frame, go, page},
    query::Query,
    sign_in::first_factor_proven,
    trouble::Trouble,
    visit::Visit,
};
use crate::{app::App, cookies::Cookie};

#[derive(Template)]
#[template(path = "link.html")]
pub(super) struct LinkPage {
    pub(super) frame: Frame,
    pub(super) email: String,
}

/// What stands in the address of a link.
#[derive(Debug, Deserialize)]
pub(crate) struct LinkCode {
    pub(super) code: Option<String>,
}

impl LinkCode {
    /// The same page without the code in its address: from there on, a cookie carries it. Nothing if there is no code.
    pub(super) fn moved(self, path: &str, visit: &Visit) -> Option<Result<Response, Trouble>> {
        let code = self.code?;
        // Only what has the form of one is sent back to the browser.
        Some(match is_link_code(&code) {
            true => Ok(go(path, [Cookie::Code.set(&code, visit.secure)])),
            false => Err(Trouble::Link),
        })
    }
}

/// `GET /sign-in/link?code=…`.
pub(crate) async fn show(
    State(app): State<App>,
    visit: Visit,
    Query(code): Query<LinkCode>,
) -> Result<Response, Trouble> {
    if let Some(moved) = code.moved("/sign-in/link", &visit) {
        return moved;
    }
    let (code, _) = app.code_of(&visit, CodePurpose::SignIn).await?;
    let user = app.store.authenticators(code.user).await?.filter(|user| !user.disabled).ok_or(Trouble::Link)?;
    let (frame, cookie) = Frame::of_anybody(&visit, &app);
    Ok(page(&LinkPage { frame, email: user.email }, cookie))
}

/// `POST /sign-in/link`.
pub(crate) async fn submit(State(app): State<App>, form: VisitForm) -> Result<Response, Trouble> {
    let VisitForm { visit, session, .. } = form;
    let (code, digest) = app.code_of(&visit, CodePurpose::SignIn).await?;
    let by = by_link(&code, &visit);
    let mut tx = app.store.begin(&by).await?;
    let user = tx.authenticators(code.user).await?.filter(|user| !user.disabled).ok_or(Trouble::Link)?;
    let used = tx.redeem_one_time_code(CodePurpose::SignIn, &digest, app.now()).await?;
    used.ok_or(Trouble::Link)?;
    tx.commit(user.sign_in_link_used(), app.now(), &mut app.rng()).await?;
    let mut response = first_factor_proven(&app, &visit, session, user, SignInMethod::Link, "/").await?;
    response.headers_mut().append(axum::http::header::SET_COOKIE, Cookie::Code.clear(visit.secure));
    Ok(response)
}

/// Whoever holds a link acts through it.
pub(super) fn by_link(code: &OneTimeCode, visit: &Visit) -> By {
    let actor = Actor::Link { user: code.user };
    By { actor, address: visit.from.address, request_id: visit.from.request_id.clone() }
}

impl App {
    /// What stands behind the code that this browser carries, as long as it works.
    pub(super) async fn code_of(&self, visit: &Visit, purpose: CodePurpose) -> Result<(OneTimeCode, Digest), Trouble> {
        self.code_in(visit.code.as_deref(), purpose).await?.ok_or(Trouble::Link)
    }

    /// What stands behind a code that somebody sent, as long as it works.
    pub(super) async fn code_in(
        &self,
        sent: Option<&str>,
        purpose: CodePurpose,
    ) -> Result<Option<(OneTimeCode, Digest)>, StoreError> {
        let Some(code) = sent.filter(|code| is_link_code(code)) else { return Ok(None) };
        let hash = Secret::new(code.to_owned()).hash();
        for digest in self.peppers.candidates(&hash) {
            if let Some(code) = self.store.one_time_code(purpose, &digest, self.now()).await? {
                return Ok(Some((code, digest)));
            }
        }
        Ok(None)
    }
}
