//! Which tokens somebody asks for, as it stands in the address of the list, and in the form that ends all of them.

use claviger_core::{CredentialStatus, Kind};
use claviger_store::{CredentialFilter, Order};
use claviger_token::{OrganizationId, PrincipalId, UserId};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use crate::{
    console::{
        api_keys::list::{IDLE, SOON, rolling},
        form::Fields,
        page::Frame,
        pages,
    },
    manage::inventory::InventoryQuery,
};

/// The states that can be chosen, and the keys of their texts.
const STATES: [(&str, &str); 10] = [
    ("", "filter-any-state"),
    ("active", "status-active"),
    ("pending", "status-pending-approval"),
    ("disabled", "status-disabled"),
    ("expired", "status-expired"),
    ("revoked", "status-revoked"),
    ("soon", "filter-soon"),
    ("idle", "filter-idle"),
    ("endless", "filter-endless"),
    ("rolling", "filter-rolling"),
];

/// Those of them in which a token can be ended, by the query that the API has for it.
const ENDABLE: [&str; 7] = ["", "active", "pending", "disabled", "soon", "idle", "endless"];

const ORDERS: [(&str, &str); 4] =
    [("", "order-newest"), ("oldest", "order-oldest"), ("name", "order-name"), ("end", "order-end")];

/// A value, its words, and whether it is chosen.
pub(super) type Choices = Vec<(&'static str, String, bool)>;

/// What is asked for.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Wanted {
    /// In the token's name.
    #[serde(default)]
    pub(super) q: String,
    /// One of [`STATES`]; others are none.
    #[serde(default)]
    pub(super) state: String,
    /// A user's id, or a part of a name or an address.
    #[serde(default)]
    pub(super) owner: String,
    /// One of [`ORDERS`]; others are the first.
    #[serde(default)]
    pub(super) order: String,
    /// Where the page before ended.
    #[serde(default)]
    pub(super) after: String,
}

impl Wanted {
    /// What a form carries of it.
    pub(super) fn of(fields: &Fields) -> Self {
        let value = |name| fields.value(name).to_owned();
        Self { q: value("q"), state: value("state"), owner: value("owner"), ..Self::default() }
    }

    pub(super) fn filters(&self) -> bool {
        !(self.q.is_empty() && self.state.is_empty() && self.owner.is_empty())
    }

    pub(super) fn states(&self, frame: &Frame) -> Choices {
        STATES.iter().map(|(value, key)| (*value, frame.text(key), *value == self.state)).collect()
    }

    pub(super) fn orders(&self, frame: &Frame) -> Choices {
        ORDERS.iter().map(|(value, key)| (*value, frame.text(key), *value == self.order)).collect()
    }

    /// Its state in words.
    pub(super) fn state_words(&self, frame: &Frame) -> Option<String> {
        let known = STATES.iter().find(|(value, _)| *value == self.state && !value.is_empty());
        known.map(|(_, key)| frame.text(key))
    }

    /// Whether tokens like these can be ended together.
    pub(super) fn is_endable(&self) -> bool {
        ENDABLE.contains(&self.state.as_str())
    }

    pub(super) fn order(&self) -> Order {
        match self.order.as_str() {
            "oldest" => Order::Oldest,
            "name" => Order::Name,
            "end" => Order::EndsNext,
            _ => Order::Newest,
        }
    }

    /// The words that are looked for.
    pub(super) fn search(&self) -> Option<String> {
        pages::searched(&self.q)
    }

    /// As the API would be asked for them.
    pub(super) fn query(&self, organization: OrganizationId, owner: Option<UserId>, now: Timestamp) -> InventoryQuery {
        let days = |days| SignedDuration::from_hours(24 * days);
        let status = match self.state.as_str() {
            "active" => Some(CredentialStatus::Active),
            "pending" => Some(CredentialStatus::PendingApproval),
            "disabled" => Some(CredentialStatus::Disabled),
            "expired" => Some(CredentialStatus::Expired),
            "revoked" => Some(CredentialStatus::Revoked),
            _ => None,
        };
        InventoryQuery {
            organization_id: Some(organization),
            kind: Some(Kind::PersonalAccessToken),
            principal_id: owner.map(PrincipalId::from),
            status,
            q: self.search(),
            expires_before: (self.state == "soon").then(|| now.saturating_add(days(SOON)).unwrap_or(now)),
            never_expires: (self.state == "endless").then_some(true),
            unused_since: (self.state == "idle").then(|| now.saturating_sub(days(IDLE)).unwrap_or(now)),
            ..InventoryQuery::default()
        }
    }

    /// The same as the list filters.
    pub(super) fn filter(
        &self,
        organization: OrganizationId,
        owner: Option<UserId>,
        now: Timestamp,
    ) -> CredentialFilter {
        let base = self.query(organization, owner, now).filter(now);
        match self.state.as_str() {
            "rolling" => rolling(base, now),
            "soon" | "idle" | "endless" => CredentialFilter { live_at: Some(now), ..base },
            _ => base,
        }
    }

    pub(super) fn fields(&self) -> [(&'static str, &str); 4] {
        [("q", &self.q), ("state", &self.state), ("owner", &self.owner), ("order", &self.order)]
    }

    /// The address of something of these tokens.
    pub(super) fn address(&self, path: &str) -> String {
        let [q, state, owner, _] = self.fields();
        pages::address(path, &[q, state, owner])
    }
}

#[cfg(test)]
mod tests {
    use claviger_token::TypedId as _;

    use super::*;

    #[test]
    fn what_is_ended_together_is_what_the_list_shows() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let organization = OrganizationId::from_uuid(uuid::Uuid::nil());
        for (state, _) in STATES {
            let wanted = Wanted { state: state.to_owned(), ..Wanted::default() };
            let (listed, ended) =
                (wanted.filter(organization, None, now), wanted.query(organization, None, now).filter(now));
            let seen = |filter: &CredentialFilter| {
                let status = filter.status.as_ref().map(|at| at.status);
                (
                    filter.kind,
                    filter.organization,
                    status,
                    filter.expires_before,
                    filter.never_expires,
                    filter.unused_since,
                )
            };
            assert_eq!(seen(&listed), seen(&ended), "{state}");
            // What the query of the API cannot say is not ended by it.
            let can_say = listed.rolling_at.is_none() && !["expired", "revoked"].contains(&state);
            assert_eq!(wanted.is_endable(), can_say, "{state}");
        }
        let odd = Wanted { state: "x".to_owned(), ..Wanted::default() };
        assert!(!odd.is_endable());
    }

    #[test]
    fn what_is_done_about_all_of_them_asks_for_no_order() {
        let wanted = Wanted { q: "a&b".to_owned(), order: "name".to_owned(), ..Wanted::default() };
        assert_eq!(wanted.address("/x"), "/x?q=a%26b");
        assert_eq!(Wanted::default().address("/x"), "/x");
    }
}
