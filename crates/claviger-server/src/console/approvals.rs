//! `/approvals`: the tokens that wait for somebody's approval.

use std::collections::{HashMap, hash_map::Entry};

use askama::Template;
use axum::{extract::State, response::Response};
use claviger_core::Reach;
use claviger_token::PrincipalId;

use super::{
    approval::{named, path, since},
    page::{Frame, page},
    trouble::Trouble,
    visit::{SignedIn, Visit},
};
use crate::{app::App, manage::approval::Approver};

/// How many are shown.
const MOST: u16 = 50;

#[derive(Template)]
#[template(path = "approvals.html")]
pub(super) struct ApprovalsPage {
    pub(super) frame: Frame,
    pub(super) waiting: Vec<Waiting>,
    /// Whether there are more.
    pub(super) more: bool,
}

/// A token that waits.
pub(super) struct Waiting {
    pub(super) path: String,
    pub(super) name: String,
    pub(super) owner: String,
    pub(super) organization: String,
    pub(super) since: String,
}

/// `GET /approvals`.
pub(crate) async fn show(
    State(app): State<App>,
    visit: Visit,
    SignedIn(session): SignedIn,
) -> Result<Response, Trouble> {
    let mut tokens = Approver::of(&app, &session).await?.waiting(&app, u32::from(MOST) + 1).await?;
    let more = tokens.len() > usize::from(MOST);
    tokens.truncate(usize::from(MOST));
    let owners: Vec<PrincipalId> = tokens.iter().map(|token| token.principal).collect();
    let names = app.store.within(Reach::Instance).principal_names(&owners).await?;
    let mut organizations = HashMap::new();
    for there in tokens.iter().map(|token| token.organization) {
        if let Entry::Vacant(place) = organizations.entry(there) {
            let found = app.store.within(Reach::Organization(there)).organization(there).await?;
            place.insert(found.map(|found| found.name.to_string()).unwrap_or_default());
        }
    }
    let waiting = tokens.iter().map(|token| Waiting {
        path: path(token),
        name: token.name.to_string(),
        owner: named(&names, token.principal),
        organization: organizations.get(&token.organization).cloned().unwrap_or_default(),
        since: since(token),
    });
    let waiting = waiting.collect();
    let frame = Frame::inside(&session, &visit, &app, None).await?;
    Ok(page(&ApprovalsPage { frame, waiting, more }, []))
}
