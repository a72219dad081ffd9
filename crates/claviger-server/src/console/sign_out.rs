//! `/sign-out`: the session ends in the database, not only in the browser.

use axum::{extract::State, response::Response};
use claviger_core::SessionEnd;

use super::{form::SessionForm, page::go, trouble::Trouble, visit::Visit};
use crate::{app::App, cookies::Cookie, session::Session};

/// `POST /sign-out`.
pub(crate) async fn submit(State(app): State<App>, form: SessionForm) -> Result<Response, Trouble> {
    let SessionForm { visit, session, .. } = form;
    end(&app, &visit, &session).await
}

/// Ends this browser's own session.
pub(super) async fn end(app: &App, visit: &Visit, session: &Session) -> Result<Response, Trouble> {
    let mut tx = app.store.begin(session.by()).await?;
    if tx.end_session(session.user(), session.id()).await? {
        tx.commit(session.found().session.end(SessionEnd::SignedOut), app.now(), &mut app.rng()).await?;
    }
    Ok(go("/sign-in", [Cookie::Session.clear(visit.secure)]))
}
