//! `/`: where somebody is, once they are in. The console will grow from here.

use askama::Template;
use axum::{extract::State, response::Response};

use super::{
    page::{Frame, page},
    trouble::Trouble,
    visit::{SignedIn, Visit},
};
use crate::{app::App, manage::approval::Approver};

#[derive(Template)]
#[template(path = "start.html")]
pub(super) struct StartPage {
    pub(super) frame: Frame,
    pub(super) name: String,
    /// The names of the user's organizations.
    pub(super) organizations: Vec<String>,
    /// How many tokens wait for the user's approval.
    pub(super) waiting: usize,
}

/// `GET /`.
pub(crate) async fn show(
    State(app): State<App>,
    visit: Visit,
    SignedIn(session): SignedIn,
) -> Result<Response, Trouble> {
    let organizations = app.store.organization_names_of(session.user()).await?;
    let waiting = Approver::of(&app, &session).await?.count(&app).await?;
    let frame = Frame::of(&session, &visit, &app);
    Ok(page(&StartPage { frame, name: session.shown().to_owned(), organizations, waiting }, []))
}
