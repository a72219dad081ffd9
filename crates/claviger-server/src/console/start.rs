//! `/`: where somebody is, once they are in. It leads to an organization of theirs.

use askama::Template;
use axum::{extract::State, response::Response};
use claviger_store::Belonging;

use super::{
    page::{Frame, go, page},
    shell::path,
    trouble::Trouble,
    visit::{SignedIn, Visit},
};
use crate::app::App;

#[derive(Template)]
#[template(path = "start.html")]
pub(super) struct StartPage {
    pub(super) frame: Frame,
    pub(super) name: String,
    /// The names of the user's organizations, in none of which they may do anything.
    pub(super) organizations: Vec<String>,
}

/// `GET /`.
pub(crate) async fn show(
    State(app): State<App>,
    visit: Visit,
    SignedIn(session): SignedIn,
) -> Result<Response, Trouble> {
    const MOST: u32 = 100;
    let organizations = app.store.belongings_of(session.user(), MOST).await?;
    let standings = app.store.standings_of(session.user()).await?;
    let acts = |one: &&Belonging| standings.iter().any(|standing| standing.organization == one.organization);
    if let Some(first) = organizations.iter().find(acts) {
        return Ok(go(&path(&first.slug, ""), []));
    }
    let frame = Frame::inside(&session, &visit, &app, None).await?;
    let organizations = organizations.into_iter().map(|one| one.name).collect();
    Ok(page(&StartPage { frame, name: session.shown().to_owned(), organizations }, []))
}
