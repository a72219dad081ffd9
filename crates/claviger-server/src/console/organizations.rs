//! `/organizations`: where somebody may go; with instance scope, everywhere.

use askama::Template;
use axum::{extract::State, response::Response};
use claviger_core::{Reach, Standing, permission};

use super::{
    page::{Frame, page},
    pages::{self, Pages, Wanted},
    query::Query,
    shell::path,
    trouble::Trouble,
    visit::{SignedIn, Visit},
};
use crate::app::App;

#[derive(Template)]
#[template(path = "organizations.html")]
pub(super) struct OrganizationsPage {
    pub(super) frame: Frame,
    pub(super) q: String,
    /// Path, name and handle of each.
    pub(super) organizations: Vec<(String, String, String)>,
    pub(super) pages: Pages,
    /// Whether there may be so many that one looks for them.
    pub(super) searches: bool,
    /// Whether they make organizations, too.
    pub(super) makes: bool,
}

/// `GET /organizations`.
pub(super) async fn show(
    State(app): State<App>,
    visit: Visit,
    SignedIn(session): SignedIn,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Trouble> {
    let standings = app.store.standings_of(session.user()).await?;
    let everywhere = Standing::reaches(&standings, permission::ORGANIZATIONS_READ).contains(&Reach::Instance);
    let q = pages::searched(&wanted.q);
    let (mut pages, mut found) = (Pages::default(), Vec::new());
    if everywhere {
        let mut view = app.store.within(Reach::Instance);
        let mut all = view.organizations(q.as_deref(), &pages::rows(&wanted.after)?).await?;
        let asked = [("q", q.as_deref().unwrap_or_default())];
        pages = Pages::of(&mut all, |one| one.id, "/organizations", &asked, &wanted.after);
        found.extend(all.into_iter().map(|one| (one.slug.as_str().to_owned(), one.name.to_string())));
    } else {
        let mut own = app.store.belongings_of(session.user(), 1000).await?;
        own.retain(|one| standings.iter().any(|there| there.organization == one.organization));
        found.extend(own.into_iter().map(|one| (one.slug, one.name)));
    }
    let frame = Frame::inside(&session, &visit, &app, None).await?;
    let organizations = found.into_iter().map(|(slug, name)| (path(&slug, ""), name, slug)).collect();
    let makes = Standing::reaches(&standings, permission::ORGANIZATIONS_WRITE).contains(&Reach::Instance);
    Ok(page(
        &OrganizationsPage { frame, q: q.unwrap_or_default(), organizations, pages, searches: everywhere, makes },
        [],
    ))
}
