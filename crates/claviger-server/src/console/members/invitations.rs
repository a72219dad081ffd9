//! The list of invitations: those that wait, and for a month those that ended.

use askama::Template;
use axum::{extract::State, response::Response};
use claviger_core::{InvitationStatus, Reach, permission};
use claviger_store::InvitationStatusFilter;
use serde::Deserialize;

use super::{few, list_of};
use crate::{
    app::App,
    console::{
        inside::Inside,
        moment::Moment,
        page::{Frame, page},
        pages::{self, Pages},
        query::Query,
        trouble::Trouble,
    },
    manage::invitation::names_of_roles,
};

/// The states that can be chosen, and the keys of their texts.
const STATES: [(&str, &str, Option<InvitationStatus>); 5] = [
    ("", "invitation-open", Some(InvitationStatus::Open)),
    ("accepted", "invitation-accepted", Some(InvitationStatus::Accepted)),
    ("revoked", "invitation-revoked", Some(InvitationStatus::Revoked)),
    ("expired", "invitation-expired", Some(InvitationStatus::Expired)),
    ("any", "invitation-any", None),
];

#[derive(Template)]
#[template(path = "invitations.html")]
pub(crate) struct InvitationsPage {
    pub(crate) frame: Frame,
    pub(crate) list: String,
    pub(crate) path: String,
    pub(crate) state: String,
    pub(crate) rows: Vec<Row>,
    pub(crate) pages: Pages,
    pub(crate) invites: bool,
}

/// An invitation.
pub(crate) struct Row {
    pub(crate) path: String,
    pub(crate) email: String,
    pub(crate) state: (&'static str, String),
    pub(crate) brings: Vec<String>,
    pub(crate) ends: Moment,
    pub(crate) made: Moment,
}

impl InvitationsPage {
    pub(crate) fn states(&self) -> Vec<(&'static str, String, bool)> {
        STATES.iter().map(|(value, key, _)| (*value, self.frame.text(key), *value == self.state)).collect()
    }
}

/// What is asked for.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Wanted {
    #[serde(default)]
    state: String,
    #[serde(default)]
    after: String,
}

/// How a state looks.
pub(super) fn badge(status: InvitationStatus, frame: &Frame) -> (&'static str, String) {
    let (class, key) = match status {
        InvitationStatus::Open => ("good", "invitation-open"),
        InvitationStatus::Accepted => ("", "invitation-accepted"),
        InvitationStatus::Revoked => ("bad", "invitation-revoked"),
        InvitationStatus::Expired => ("warn", "invitation-expired"),
    };
    (class, frame.text(key))
}

/// `GET …/members/invitations`.
pub(crate) async fn show(
    State(app): State<App>,
    inside: Inside,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Trouble> {
    let (place, here, now) = (inside.place(&app), &inside.here, app.now());
    here.must(permission::MEMBERS_READ)?;
    let organization = here.organization.id;
    let (state, _, status) = STATES.into_iter().find(|(word, ..)| *word == wanted.state).unwrap_or(STATES[0]);
    let filter = status.map(|status| InvitationStatusFilter { status, at: now });
    let mut view = app.store.within(Reach::Organization(organization));
    let mut found = view.invitations(organization, filter, &pages::rows(&wanted.after)?).await?;
    let list = list_of(here);
    let path = format!("{list}/invitations");
    let pages = Pages::of(&mut found, |one| one.id, &path, &[("state", state)], &wanted.after);
    let (names, frame) = (names_of_roles(&mut view, &found).await?, place.frame().await?);
    let moment = |time| Moment::new(frame.language(), time, now);
    let rows = found.iter().map(|one| {
        let roles = one.roles.iter().filter_map(|id| names.get(id).cloned());
        Row {
            path: format!("{path}/{}", one.id),
            email: one.email.to_string(),
            state: badge(one.status(now), &frame),
            brings: few(roles.chain(one.permissions.iter().map(ToString::to_string)).collect()),
            ends: moment(one.ends_at),
            made: moment(one.created_at),
        }
    });
    let rows = rows.collect();
    let invites = here.person.may(permission::MEMBERS_WRITE);
    Ok(page(&InvitationsPage { frame, list, path, state: state.to_owned(), rows, pages, invites }, []))
}
