//! The list of APIs, the newest first.

use askama::Template;
use axum::{extract::State, response::Response};
use claviger_core::{Reach, permission};

use super::{LIST, path_of};
use crate::{
    app::App,
    console::{
        everywhere::Everywhere,
        page::{Frame, page},
        pages::{self, Pages, Wanted},
        query::Query,
        trouble::Trouble,
    },
};

#[derive(Template)]
#[template(path = "apis.html")]
pub(crate) struct ApisPage {
    pub(crate) frame: Frame,
    pub(crate) q: String,
    pub(crate) rows: Vec<Row>,
    pub(crate) pages: Pages,
    pub(crate) makes: bool,
}

/// An API.
pub(crate) struct Row {
    pub(crate) path: String,
    pub(crate) name: String,
    pub(crate) identifier: String,
    pub(crate) builtin: bool,
    pub(crate) permissions: usize,
    pub(crate) routes: usize,
    /// How long its access tokens count.
    pub(crate) life: String,
}

/// `GET /apis`.
pub(crate) async fn show(
    State(app): State<App>,
    at: Everywhere,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Trouble> {
    at.authority(permission::APIS_READ)?;
    let q = pages::searched(&wanted.q);
    let mut found = app.store.within(Reach::Instance).apis(q.as_deref(), &pages::rows(&wanted.after)?).await?;
    let q = q.unwrap_or_default();
    let pages = Pages::of(&mut found, |api| api.id, LIST, &[("q", &q)], &wanted.after);
    let frame = at.place(&app).frame().await?;
    let row = |api: claviger_core::Api| Row {
        path: path_of(api.id),
        name: api.name.to_string(),
        builtin: api.builtin,
        permissions: api.permissions.len(),
        routes: api.routes.rules().len(),
        life: life(&frame, api.access_tokens.ttl_seconds),
        identifier: api.identifier,
    };
    let rows = found.into_iter().map(row).collect();
    let makes = at.may(permission::APIS_WRITE);
    Ok(page(&ApisPage { frame, q, rows, pages, makes }, []))
}

/// So many seconds, in the unit in which they are a whole number.
pub(super) fn life(frame: &Frame, seconds: u32) -> String {
    let (count, words) =
        if seconds.is_multiple_of(60) { (seconds / 60, "api-minutes") } else { (seconds, "api-seconds") };
    frame.text_counting(words, usize::try_from(count).unwrap_or_default())
}
