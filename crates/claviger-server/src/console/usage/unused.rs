//! `/organizations/{organization}/unused-permissions`: API keys that hold permissions which nobody asks for, and so could do with less.
//!
//! Only keys that are asked for something tell anything: of one that is verified without a permission nobody knows what it is used for,
//! and one that is not used at all is told among those that lie idle.

use std::collections::{BTreeSet, HashMap, hash_map::Entry};

use askama::Template;
use axum::{extract::State, response::Response};
use claviger_core::{Credential, CredentialStatus, Kind, Reach, permission};
use claviger_store::{CredentialFilter, Order, Page, StatusAt};
use claviger_token::{CredentialId, Permission, PermissionSet, PrincipalId};
use jiff::SignedDuration;

use super::MOST;
use crate::{
    app::App,
    console::{
        credential::{Place, shown::Names},
        inside::Inside,
        moment::Moment,
        page::{Frame, page},
        pages::{self, Pages, Wanted},
        query::Query,
        trouble::Trouble,
    },
};

/// For how many days nobody asked.
const DAYS: i64 = 30;

/// How many keys are looked at in a turn.
const TURN: u32 = 200;

/// How many a page shows, and how many keys it looks at for them.
const SHOWN: usize = 50;
const LOOKED_AT: usize = 1000;

/// How many the overview looks at.
const GLANCE: usize = 200;

/// How many permissions of one are named.
const NAMED: usize = 12;

/// A key that could do with less.
pub(crate) struct Unused {
    pub(crate) path: String,
    /// The form that takes them away, if that is theirs to do.
    pub(crate) edit: Option<String>,
    pub(crate) name: String,
    pub(crate) owner: String,
    pub(crate) permissions: Vec<String>,
    /// How many more there are.
    pub(crate) more: usize,
    /// Whether its list holds a wildcard, by which it gets what its service account gets.
    pub(crate) follows: bool,
    /// When it was made, if that is not so long ago as is looked back.
    pub(crate) since: Option<Moment>,
}

#[derive(Template)]
#[template(path = "unused_permissions.html")]
pub(crate) struct UnusedPage {
    pub(crate) frame: Frame,
    pub(crate) overview: String,
    pub(crate) keys_path: String,
    pub(crate) rows: Vec<Unused>,
    pub(crate) pages: Pages,
}

/// `GET /organizations/{organization}/unused-permissions`.
pub(crate) async fn show(
    State(app): State<App>,
    inside: Inside,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Trouble> {
    let (place, here) = (inside.place(&app), &inside.here);
    here.must(permission::USAGE_READ)?;
    here.must(permission::API_KEYS_READ)?;
    let after = pages::rows::<CredentialId>(&wanted.after)?.after;
    let frame = place.frame().await?;
    let (rows, next) = found(&place, after, SHOWN, LOOKED_AT, &frame).await?;
    let path = here.path("/unused-permissions");
    let shown = UnusedPage {
        rows,
        pages: Pages {
            next: next.map(|last| format!("{path}?after={last}")),
            first: after.map(|_| path),
            ..Pages::default()
        },
        overview: here.path(""),
        keys_path: here.path("/api-keys"),
        frame,
    };
    Ok(page(&shown, []))
}

/// Some of them, for the overview.
pub(super) async fn some(place: &Place<'_>, frame: &Frame) -> Result<Vec<Unused>, Trouble> {
    Ok(found(place, None, MOST, GLANCE, frame).await?.0)
}

/// So many of them at most, the newest keys first, among so many keys; and the last key that was looked at, if there are more.
async fn found(
    place: &Place<'_>,
    mut after: Option<CredentialId>,
    most: usize,
    mut looked_at: usize,
    frame: &Frame,
) -> Result<(Vec<Unused>, Option<CredentialId>), Trouble> {
    let Some(here) = place.here else { return Ok((Vec::new(), None)) };
    let (now, organization) = (place.app.now(), here.organization.id);
    let ceiling = here.organization.effective_ceiling();
    let from = now.saturating_sub(SignedDuration::from_hours(24 * (DAYS - 1))).unwrap_or(now);
    let filter = CredentialFilter {
        kind: Some(Kind::ApiKey),
        organization: Some(organization),
        status: Some(StatusAt { status: CredentialStatus::Active, at: now }),
        ..CredentialFilter::default()
    };
    let mut view = place.app.store.within(Reach::Organization(organization));
    let mut held: HashMap<PrincipalId, PermissionSet> = HashMap::new();
    let mut rows: Vec<(Credential, Vec<String>)> = Vec::new();
    let mut next = None;
    while rows.len() < most && looked_at > 0 {
        let (keys, looked_to) = view.look_through(Order::Newest, &filter, &Page { after, limit: TURN }).await?;
        let ids: Vec<CredentialId> = keys.iter().map(|key| key.id).collect();
        let asked = view.permissions_asked(&ids, from).await?;
        next = ids.last().copied().filter(|_| keys.len() == TURN as usize).or(looked_to);
        // Among very many that are not in use, one turn is enough.
        looked_at = if looked_to.is_some() { 0 } else { looked_at.saturating_sub(keys.len().max(1)) };
        for key in keys {
            let Some(asked) = asked.get(&key.id) else { continue };
            let everything = if key.permissions.follows_principal() {
                let held = match held.entry(key.principal) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(unknown) => unknown.insert(view.held(key.principal, organization).await?),
                };
                held.masked_by(&ceiling).masked_by(&key.permissions).union(key.permissions.named())
            } else {
                key.permissions.named().clone()
            };
            let idle = unasked(&everything, asked);
            let id = key.id;
            if !idle.is_empty() {
                rows.push((key, idle));
            }
            if rows.len() == most && ids.last() != Some(&id) {
                next = Some(id);
                break;
            }
        }
        after = next;
        if next.is_none() {
            break;
        }
    }
    let names = Names::known(place, rows.iter().map(|(key, _)| key.principal).collect()).await?;
    let row = |(key, mut permissions): (Credential, Vec<String>)| {
        let more = permissions.len().saturating_sub(NAMED);
        permissions.truncate(NAMED);
        let path = place.path(key.id);
        Unused {
            edit: place.changes().then(|| format!("{path}/edit")),
            path,
            name: key.name.to_string(),
            owner: names.of_principal(key.principal),
            permissions,
            more,
            follows: key.permissions.follows_principal(),
            since: (key.created_at > from).then(|| Moment::new(frame.language(), key.created_at, now)),
        }
    };
    Ok((rows.into_iter().map(row).collect(), next))
}

/// What is held and was not asked for.
fn unasked(held: &PermissionSet, asked: &BTreeSet<Permission>) -> Vec<String> {
    held.iter().filter(|permission| !asked.contains(*permission)).map(ToString::to_string).collect()
}

/// The words speak of this number.
const _: () = assert!(DAYS == 30);
