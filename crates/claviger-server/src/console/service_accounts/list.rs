//! The list of an organization's service accounts, a page at a time.

use askama::Template;
use axum::{extract::State, response::Response};
use claviger_core::{Reach, ServiceAccount, permission};
use claviger_store::Held;
use claviger_token::ServiceAccountId;

use super::{counted, list_path};
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

/// How far what each has is counted.
const COUNTED: u32 = 100;

#[derive(Template)]
#[template(path = "service_accounts.html")]
pub(crate) struct ServiceAccountsPage {
    pub(crate) frame: Frame,
    pub(crate) path: String,
    pub(crate) q: String,
    pub(crate) rows: Vec<Row>,
    pub(crate) pages: Pages,
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
    let (organization, q) = (here.organization.id, pages::searched(&wanted.q));
    let mut view = app.store.within(Reach::Organization(organization));
    let mut found = view.service_accounts(Some(organization), q.as_deref(), &pages::rows(&wanted.after)?).await?;
    let (path, q) = (list_path(here), q.unwrap_or_default());
    let pages = Pages::of(&mut found, |account| account.id, &path, &[("q", &q)], &wanted.after);
    let ids: Vec<ServiceAccountId> = found.iter().map(|account| account.id).collect();
    let held = view.credentials_of_accounts(&ids, now, COUNTED + 1).await?;
    let frame = place.frame().await?;
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
        pages,
        makes: here.person.may(permission::SERVICE_ACCOUNTS_WRITE),
        sees_keys: here.person.may(permission::API_KEYS_READ),
        path,
        q,
        frame,
    };
    Ok(page(&shown, []))
}
