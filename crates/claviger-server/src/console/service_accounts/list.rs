//! The list of an organization's service accounts, a page at a time.

use askama::Template;
use axum::{extract::State, response::Response};
use claviger_core::{Reach, ServiceAccount, permission};
use claviger_store::{Held, Page};
use claviger_token::ServiceAccountId;
use serde::Deserialize;

use super::{counted, list_path};
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
/// How far what each has is counted.
const COUNTED: u32 = 100;
/// A list's search is a few words.
const LONGEST_SEARCH: usize = 100;

/// What is asked for, as it stands in the address.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Wanted {
    #[serde(default)]
    q: String,
    /// Where the page before ended.
    #[serde(default)]
    after: String,
}

#[derive(Template)]
#[template(path = "service_accounts.html")]
pub(crate) struct ServiceAccountsPage {
    pub(crate) frame: Frame,
    pub(crate) path: String,
    pub(crate) q: String,
    pub(crate) rows: Vec<Row>,
    /// The address of the next page, if there is one.
    pub(crate) next: Option<String>,
    /// The address of the first page, if this is another.
    pub(crate) first: Option<String>,
    pub(crate) makes: bool,
    /// Whether the reader may know how many API keys there are.
    pub(crate) sees_keys: bool,
}

/// A service account.
pub(crate) struct Row {
    pub(crate) path: String,
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) badge: Badge,
    pub(crate) keys: String,
    pub(crate) proofs: String,
    pub(crate) made: Moment,
}

/// The state of an account, as a badge.
pub(super) fn badge(account: &ServiceAccount, frame: &Frame) -> Badge {
    let (key, class) =
        if account.disabled_at.is_some() { ("status-disabled", "warn") } else { ("status-active", "good") };
    Badge { words: frame.text(key), class }
}

/// `GET …/service-accounts`.
pub(crate) async fn show(
    State(app): State<App>,
    inside: Inside,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Trouble> {
    let (here, place, now) = (&inside.here, inside.place(&app), app.now());
    here.must(permission::SERVICE_ACCOUNTS_READ)?;
    let after: Option<ServiceAccountId> = match wanted.after.as_str() {
        "" => None,
        after => Some(after.parse().map_err(|_| Trouble::Absent)?),
    };
    let q: String = wanted.q.trim().chars().take(LONGEST_SEARCH).collect();
    let organization = here.organization.id;
    let mut view = app.store.within(Reach::Organization(organization));
    let page_of = Page { after, limit: MOST + 1 };
    let mut found = view.service_accounts(Some(organization), (!q.is_empty()).then_some(q.as_str()), &page_of).await?;
    let more = found.len() > MOST as usize;
    found.truncate(MOST as usize);
    let ids: Vec<ServiceAccountId> = found.iter().map(|account| account.id).collect();
    let held = view.credentials_of_accounts(&ids, now, COUNTED + 1).await?;
    let (frame, path) = (place.frame().await?, list_path(here));
    let row = |account: &ServiceAccount| {
        let Held { api_keys, proofs } = held.get(&account.id).copied().unwrap_or_default();
        Row {
            path: format!("{path}/{}", account.id),
            id: account.id.to_string(),
            name: account.name.to_string(),
            badge: badge(account, &frame),
            keys: counted(api_keys, COUNTED),
            proofs: counted(proofs, COUNTED),
            made: Moment::new(frame.language(), account.created_at, now),
        }
    };
    let shown = ServiceAccountsPage {
        rows: found.iter().map(row).collect(),
        next: ids.last().filter(|_| more).map(|last| address(&path, &q, &last.to_string())),
        first: after.map(|_| address(&path, &q, "")),
        makes: here.person.may(permission::SERVICE_ACCOUNTS_WRITE),
        sees_keys: here.person.may(permission::API_KEYS_READ),
        path,
        q,
        frame,
    };
    Ok(page(&shown, []))
}

/// The address of this list from `after` on.
fn address(path: &str, q: &str, after: &str) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs([("q", q), ("after", after)].into_iter().filter(|(_, value)| !value.is_empty()));
    format!("{path}?{}", query.finish())
}
