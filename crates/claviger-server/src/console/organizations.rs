//! `/organizations`: where somebody may go; with instance scope, everywhere.

use askama::Template;
use axum::{extract::State, response::Response};
use claviger_core::{Reach, Standing, permission};
use claviger_store::Page;
use claviger_token::OrganizationId;
use serde::Deserialize;

use super::{
    page::{Frame, page},
    query::Query,
    shell::path,
    trouble::Trouble,
    visit::{SignedIn, Visit},
};
use crate::app::App;

/// How many a page shows.
const MOST: u32 = 50;

#[derive(Template)]
#[template(path = "organizations.html")]
pub(super) struct OrganizationsPage {
    pub(super) frame: Frame,
    pub(super) q: String,
    /// Path, name and handle of each.
    pub(super) organizations: Vec<(String, String, String)>,
    /// The address of the next page, if there is one.
    pub(super) next: Option<String>,
    /// Whether there may be so many that one looks for them.
    pub(super) searches: bool,
    /// Whether they make organizations, too.
    pub(super) makes: bool,
}

/// What is asked for.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    q: String,
    #[serde(default)]
    after: String,
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
    let q: String = wanted.q.trim().chars().take(100).collect();
    let (mut next, mut found) = (None, Vec::new());
    if everywhere {
        let after = match wanted.after.as_str() {
            "" => None,
            after => Some(after.parse::<OrganizationId>().map_err(|_| Trouble::Absent)?),
        };
        let mut view = app.store.within(Reach::Instance);
        let asked = (!q.is_empty()).then_some(q.as_str());
        let mut all = view.organizations(asked, &Page { after, limit: MOST + 1 }).await?;
        if all.len() > MOST as usize {
            all.truncate(MOST as usize);
            let mut query = url::form_urlencoded::Serializer::new(String::new());
            query.extend_pairs(all.last().map(|last| ("after", last.id.to_string()))).append_pair("q", &q);
            next = Some(format!("/organizations?{}", query.finish()));
        }
        found.extend(all.into_iter().map(|one| (one.slug.as_str().to_owned(), one.name.to_string())));
    } else {
        let mut own = app.store.belongings_of(session.user(), 1000).await?;
        own.retain(|one| standings.iter().any(|there| there.organization == one.organization));
        found.extend(own.into_iter().map(|one| (one.slug, one.name)));
    }
    let frame = Frame::inside(&session, &visit, &app, None).await?;
    let organizations = found.into_iter().map(|(slug, name)| (path(&slug, ""), name, slug)).collect();
    let makes = Standing::reaches(&standings, permission::ORGANIZATIONS_WRITE).contains(&Reach::Instance);
    Ok(page(&OrganizationsPage { frame, q, organizations, next, searches: everywhere, makes }, []))
}
