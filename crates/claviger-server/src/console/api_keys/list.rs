//! The list of an organization's API keys, a page at a time: by name, state, service account or what is to be looked at.

use askama::Template;
use axum::{extract::State, response::Response};
use claviger_core::{CredentialStatus, Kind, permission};
use claviger_store::{CredentialFilter, Order, StatusAt};
use claviger_token::ServiceAccountId;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use crate::{
    app::App,
    console::{
        credential::{
            list::{Listed, rows},
            shown::Names,
        },
        inside::Inside,
        page::{Frame, page},
        pages::{self, Pages},
        query::Query,
        trouble::Trouble,
    },
};

/// Within how many days an end is near.
pub(crate) const SOON: i64 = 14;
/// After how many days without use a key is not needed, perhaps.
pub(crate) const IDLE: i64 = 90;

/// The states that can be chosen, and the keys of their texts.
const STATES: [(&str, &str); 9] = [
    ("", "filter-any-state"),
    ("active", "status-active"),
    ("disabled", "status-disabled"),
    ("expired", "status-expired"),
    ("revoked", "status-revoked"),
    ("soon", "filter-soon"),
    ("idle", "filter-idle"),
    ("endless", "filter-endless"),
    ("rolling", "filter-rolling"),
];

const ORDERS: [(&str, &str); 4] =
    [("", "order-newest"), ("oldest", "order-oldest"), ("name", "order-name"), ("end", "order-end")];

/// What is asked for, as it stands in the address.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Wanted {
    #[serde(default)]
    q: String,
    /// One of [`STATES`]; others are none.
    #[serde(default)]
    state: String,
    /// A service account's id.
    #[serde(default)]
    account: String,
    /// One of [`ORDERS`]; others are the first.
    #[serde(default)]
    order: String,
    /// Where the page before ended.
    #[serde(default)]
    after: String,
}

#[derive(Template)]
#[template(path = "api_keys.html")]
pub(crate) struct ApiKeysPage {
    pub(crate) frame: Frame,
    pub(crate) path: String,
    pub(crate) rows: Vec<Listed>,
    pub(crate) pages: Pages,
    pub(crate) wanted: Wanted,
    /// The name of the service account that is asked for.
    pub(crate) account: Option<String>,
    pub(crate) makes: bool,
}

impl ApiKeysPage {
    pub(crate) fn states(&self) -> Vec<(&'static str, String, bool)> {
        self.choices(&STATES, &self.wanted.state)
    }

    pub(crate) fn orders(&self) -> Vec<(&'static str, String, bool)> {
        self.choices(&ORDERS, &self.wanted.order)
    }

    fn choices(&self, all: &[(&'static str, &str)], chosen: &str) -> Vec<(&'static str, String, bool)> {
        all.iter().map(|(value, key)| (*value, self.frame.text(key), *value == chosen)).collect()
    }
}

impl Wanted {
    /// Whether anything is left out of the list.
    pub(crate) fn filters(&self) -> bool {
        !(self.q.is_empty() && self.state.is_empty() && self.account.is_empty())
    }

    pub(crate) fn q(&self) -> &str {
        &self.q
    }

    pub(crate) fn account(&self) -> &str {
        &self.account
    }

    fn order(&self) -> Order {
        match self.order.as_str() {
            "oldest" => Order::Oldest,
            "name" => Order::Name,
            "end" => Order::EndsNext,
            _ => Order::Newest,
        }
    }

    fn filter(&self, now: Timestamp) -> CredentialFilter {
        let base = CredentialFilter {
            kind: Some(Kind::ApiKey),
            principal: self.account.parse::<ServiceAccountId>().ok().map(Into::into),
            q: pages::searched(&self.q),
            ..CredentialFilter::default()
        };
        let status = |status| Some(StatusAt { status, at: now });
        match self.state.as_str() {
            "active" => CredentialFilter { status: status(CredentialStatus::Active), ..base },
            "disabled" => CredentialFilter { status: status(CredentialStatus::Disabled), ..base },
            "expired" => CredentialFilter { status: status(CredentialStatus::Expired), ..base },
            "revoked" => CredentialFilter { status: status(CredentialStatus::Revoked), ..base },
            "soon" => soon(base, now),
            "idle" => idle(base, now),
            "endless" => endless(base, now),
            "rolling" => rolling(base, now),
            _ => base,
        }
    }

    fn fields(&self) -> [(&'static str, &str); 4] {
        [("q", &self.q), ("state", &self.state), ("account", &self.account), ("order", &self.order)]
    }
}

/// Those that end soon.
pub(crate) fn soon(base: CredentialFilter, now: Timestamp) -> CredentialFilter {
    let end = now.saturating_add(SignedDuration::from_hours(24 * SOON)).unwrap_or(now);
    CredentialFilter { live_at: Some(now), expires_before: Some(end), ..base }
}

/// Those that nobody used for long.
pub(crate) fn idle(base: CredentialFilter, now: Timestamp) -> CredentialFilter {
    let since = now.saturating_sub(SignedDuration::from_hours(24 * IDLE)).unwrap_or(now);
    CredentialFilter { live_at: Some(now), unused_since: Some(since), ..base }
}

/// Those that never end.
pub(crate) fn endless(base: CredentialFilter, now: Timestamp) -> CredentialFilter {
    CredentialFilter { live_at: Some(now), never_expires: Some(true), ..base }
}

/// Those with a secret that was rolled away and still works.
pub(crate) fn rolling(base: CredentialFilter, now: Timestamp) -> CredentialFilter {
    CredentialFilter { live_at: Some(now), rolling_at: Some(now), ..base }
}

/// `GET /organizations/{organization}/api-keys`.
pub(crate) async fn show(
    State(app): State<App>,
    inside: Inside,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Trouble> {
    let place = inside.place(&app);
    let (authority, now, path) = (place.reader()?, app.now(), place.list());
    let filter = CredentialFilter { organization: Some(inside.here.organization.id), ..wanted.filter(now) };
    if !wanted.account.is_empty() && filter.principal.is_none() {
        return Err(Trouble::Absent);
    }
    let mut view = app.store.within(authority.reach);
    let (mut found, looked_to) = view.look_through(wanted.order(), &filter, &pages::rows(&wanted.after)?).await?;
    let pages = Pages::through(&mut found, looked_to, |key| key.id, &path, &wanted.fields(), &wanted.after);
    let frame = place.frame().await?;
    let account = match filter.principal {
        Some(principal) => Some(Names::known(&place, vec![principal]).await?.of_principal(principal)),
        None => None,
    };
    let shown = ApiKeysPage {
        rows: rows(&place, &found, |_| None, now, &frame).await?,
        pages,
        account,
        makes: place.changes() && inside.here.person.may(permission::SERVICE_ACCOUNTS_READ),
        frame,
        path,
        wanted,
    };
    Ok(page(&shown, []))
}

#[cfg(test)]
impl Wanted {
    pub(crate) fn sample(text: &str) -> Self {
        Self { q: text.to_owned(), account: text.to_owned(), ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_state_or_order_asks_for_nothing() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let odd = Wanted { state: "x".to_owned(), order: "'".to_owned(), account: "y".to_owned(), ..Wanted::default() };
        let filter = odd.filter(now);
        assert!(filter.status.is_none() && filter.live_at.is_none() && filter.principal.is_none());
        assert_eq!(odd.order(), Order::Newest);
        for (state, _) in STATES.into_iter().skip(1) {
            let filter = Wanted { state: state.to_owned(), ..Wanted::default() }.filter(now);
            assert!(filter.status.is_some() || filter.live_at.is_some(), "{state}");
        }
    }
}
