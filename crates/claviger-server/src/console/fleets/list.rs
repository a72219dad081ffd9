//! The list of an organization's fleets, a page at a time.

use askama::Template;
use axum::{extract::State, response::Response};
use claviger_core::{Fleet, Reach, permission};
use claviger_store::Page;
use claviger_token::FleetId;
use serde::Deserialize;

use super::list_path;
use crate::{
    app::App,
    console::{
        credential::shown::Badge,
        inside::Inside,
        moment::Moment,
        page::{Frame, page},
        query::Query,
        trouble::Trouble,
    },
};

/// How many a page shows.
const MOST: u32 = 50;
/// A list's search is a few words.
const LONGEST_SEARCH: usize = 100;

/// What is asked for, as it stands in the address.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Wanted {
    #[serde(default)]
    pub(super) q: String,
    /// Where the page before ended.
    #[serde(default)]
    pub(super) after: String,
}

impl Wanted {
    /// What is looked for.
    pub(super) fn words(&self) -> String {
        self.q.trim().chars().take(LONGEST_SEARCH).collect()
    }

    /// Where the page before ended.
    pub(super) fn cursor<Id: std::str::FromStr>(&self) -> Result<Option<Id>, Trouble> {
        if self.after.is_empty() { Ok(None) } else { self.after.parse().map(Some).map_err(|_| Trouble::Absent) }
    }
}

/// The address of a list from `after` on.
pub(super) fn address(path: &str, q: &str, after: &str) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs([("q", q), ("after", after)].into_iter().filter(|(_, value)| !value.is_empty()));
    format!("{path}?{}", query.finish())
}

#[derive(Template)]
#[template(path = "fleets.html")]
pub(crate) struct FleetsPage {
    pub(crate) frame: Frame,
    pub(crate) path: String,
    pub(crate) q: String,
    pub(crate) rows: Vec<Row>,
    /// The address of the next page, if there is one.
    pub(crate) next: Option<String>,
    /// The address of the first page, if this is another.
    pub(crate) first: Option<String>,
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
    let (after, q, organization) = (wanted.cursor::<FleetId>()?, wanted.words(), here.organization.id);
    let mut view = app.store.within(Reach::Organization(organization));
    let page_of = Page { after, limit: MOST + 1 };
    let mut found = view.fleets(Some(organization), (!q.is_empty()).then_some(q.as_str()), &page_of).await?;
    let more = found.len() > MOST as usize;
    found.truncate(MOST as usize);
    let (frame, path) = (place.frame().await?, list_path(here));
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
        next: found.last().filter(|_| more).map(|last| address(&path, &q, &last.id.to_string())),
        first: after.map(|_| address(&path, &q, "")),
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
