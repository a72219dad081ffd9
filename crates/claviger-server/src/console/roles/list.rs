//! The list of roles, the newest first.

use askama::Template;
use axum::{extract::State, response::Response};
use claviger_core::{Reach, permission};

use super::{badges, list_of, path_of};
use crate::{
    app::App,
    console::{
        inside::Inside,
        moment::Moment,
        page::{Frame, page},
        pages::{self, Pages, Wanted},
        query::Query,
        trouble::Trouble,
    },
};

#[derive(Template)]
#[template(path = "roles.html")]
pub(crate) struct RolesPage {
    pub(crate) frame: Frame,
    pub(crate) path: String,
    pub(crate) q: String,
    pub(crate) rows: Vec<Row>,
    pub(crate) pages: Pages,
    pub(crate) makes: bool,
    /// Whether they make roles of the instance, too.
    pub(crate) makes_everywhere: bool,
}

/// A role.
pub(crate) struct Row {
    pub(crate) path: String,
    pub(crate) name: String,
    pub(crate) what: String,
    pub(crate) badges: Vec<String>,
    pub(crate) permissions: usize,
    pub(crate) made: Moment,
}

/// `GET …/roles`.
pub(crate) async fn show(
    State(app): State<App>,
    inside: Inside,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Trouble> {
    let (place, here) = (inside.place(&app), &inside.here);
    here.must(permission::ROLES_READ)?;
    let (organization, q) = (here.organization.id, pages::searched(&wanted.q));
    let mut view = app.store.within(Reach::Organization(organization));
    let mut found = view.roles(Some(organization), q.as_deref(), &pages::rows(&wanted.after)?).await?;
    let (path, q) = (list_of(here), q.unwrap_or_default());
    let pages = Pages::of(&mut found, |role| role.id, &path, &[("q", &q)], &wanted.after);
    let frame = place.frame().await?;
    let rows = found.into_iter().map(|role| Row {
        path: path_of(here, role.id),
        badges: badges(&role, &frame),
        permissions: role.permissions.len(),
        made: Moment::new(frame.language(), role.created_at, app.now()),
        name: role.name,
        what: role.description.unwrap_or_default(),
    });
    let rows = rows.collect();
    let reach = here.person.reach(permission::ROLES_WRITE);
    let (makes, makes_everywhere) = (reach.is_some(), reach == Some(Reach::Instance));
    Ok(page(&RolesPage { frame, path, q, rows, pages, makes, makes_everywhere }, []))
}
