//! The list of an organization's fleets, a page at a time.

use askama::Template;
use axum::{extract::State, response::Response};
use claviger_core::{Fleet, Reach, permission};

use super::list_path;
use crate::{
    app::App,
    console::{
        credential::shown::Badge,
        inside::Inside,
        moment::Moment,
        page::{Frame, page},
        pages::{self, Pages, Wanted},
        query::Query,
        trouble::Trouble,
    },
};

#[derive(Template)]
#[template(path = "fleets.html")]
pub(crate) struct FleetsPage {
    pub(crate) frame: Frame,
    pub(crate) path: String,
    pub(crate) q: String,
    pub(crate) rows: Vec<Row>,
    pub(crate) pages: Pages,
    pub(crate) makes: bool,
}

/// A fleet.
pub(crate) struct Row {
    pub(crate) path: String,
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) badge: Badge,
    pub(crate) days: String,
    pub(crate) made: Moment,
}

/// The state of a fleet, as a badge.
pub(super) fn badge(fleet: &Fleet, frame: &Frame) -> Badge {
    let (key, class) = if fleet.closed_at.is_some() { ("fleet-closed", "warn") } else { ("fleet-open", "good") };
    Badge { words: frame.text(key), class }
}

/// `GET …/fleets`.
pub(crate) async fn show(
    State(app): State<App>,
    inside: Inside,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Trouble> {
    let (here, place, now) = (&inside.here, inside.place(&app), app.now());
    here.must(permission::FLEETS_READ)?;
    let (organization, q) = (here.organization.id, pages::searched(&wanted.q));
    let mut view = app.store.within(Reach::Organization(organization));
    let mut found = view.fleets(Some(organization), q.as_deref(), &pages::rows(&wanted.after)?).await?;
    let (frame, path, q) = (place.frame().await?, list_path(here), q.unwrap_or_default());
    let pages = Pages::of(&mut found, |fleet| fleet.id, &path, &[("q", &q)], &wanted.after);
    let row = |fleet: &Fleet| Row {
        path: format!("{path}/{}", fleet.id),
        id: fleet.id.to_string(),
        name: fleet.name.to_string(),
        badge: badge(fleet, &frame),
        days: days(fleet.device_lifetime_days, &frame),
        made: Moment::new(frame.language(), fleet.created_at, now),
    };
    let shown = FleetsPage {
        rows: found.iter().map(row).collect(),
        pages,
        makes: here.person.may(permission::FLEETS_WRITE),
        path,
        q,
        frame,
    };
    Ok(page(&shown, []))
}

/// So many days, in words.
pub(super) fn days(days: u32, frame: &Frame) -> String {
    frame.text_counting("fleet-so-many-days", usize::try_from(days).unwrap_or_default())
}
