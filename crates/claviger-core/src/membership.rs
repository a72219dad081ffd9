//! Memberships: who belongs to which organization. What somebody may do there are assignments, whose home it is.

use claviger_token::{OrganizationId, UserId};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    assignment::{Assignment, Scope, names_in},
    audit::{Action, Chain, Event, Touched},
};

/// A user in an organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// Where.
    pub organization: OrganizationId,
    /// Who.
    pub user: UserId,
    /// Since when.
    pub created_at: Timestamp,
}

/// Body of `PUT /v1/organizations/{id}/members/{user}`: all that the member holds there from now on.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MemberRights {
    /// Names or ids of roles.
    #[cfg_attr(feature = "openapi", schema(example = json!(["member"])))]
    pub roles: Vec<String>,
    /// Direct permissions; none if absent.
    #[serde(default)]
    pub permissions: Vec<String>,
}

impl Membership {
    /// A new one, with what it brings.
    pub fn join(organization: OrganizationId, user: UserId, given: &[Assignment], now: Timestamp) -> (Self, Event) {
        let membership = Self { organization, user, created_at: now };
        let event = membership.event(Action::MemberAdded, membership.told(given));
        (membership, event)
    }

    /// Its rights become others.
    pub fn change(&self, before: &[Assignment], after: &[Assignment]) -> Event {
        let details = json!({ "before": self.told(before), "after": self.told(after) });
        self.event(Action::MemberUpdated, details)
    }

    /// It ends. What the user held there and the tokens that they had there go along, and do not come back with them.
    pub fn leave(&self, held: &[Assignment]) -> Event {
        self.event(Action::MemberRemoved, self.told(held))
    }

    fn event(&self, action: Action, details: Value) -> Event {
        Event {
            chain: Chain::Organization(self.organization),
            action,
            target: self.user.to_string(),
            details,
            personal: None,
            touched: vec![Touched::Principal(self.user.into())],
        }
    }

    fn told(&self, held: &[Assignment]) -> Value {
        let (roles, permissions) = names_in(held, Scope::Organization(self.organization));
        json!({ "roles": roles, "permissions": permissions })
    }
}

#[cfg(test)]
mod tests {
    use claviger_token::{RoleId, TypedId as _};

    use super::*;
    use crate::{
        assignment::Granted,
        fixtures::{elsewhere, now, rng},
    };

    #[test]
    fn a_membership_is_told_in_its_organization_with_what_is_held_there() {
        let (user, here) = (UserId::generate(now(), &mut rng()), Scope::Organization(elsewhere()));
        let give = |scope, granted| Assignment::create(user.into(), elsewhere(), scope, granted, now(), &mut rng()).0;
        let role = Granted::Role { id: RoleId::generate(now(), &mut rng()), name: "member".to_owned() };
        let permission = Granted::Permission("invoices:read".parse().unwrap());
        let held = [give(here, role), give(here, permission.clone()), give(Scope::Instance, permission)];
        let told = json!({ "roles": ["member"], "permissions": ["invoices:read"] });
        let (membership, joined) = Membership::join(elsewhere(), user, &held, now());
        let changed = membership.change(&[], &held);
        let left = membership.leave(&held);
        assert_eq!((&joined.details, &left.details), (&told, &told));
        assert_eq!(changed.details, json!({ "before": { "roles": [], "permissions": [] }, "after": told }));
        let actions = [Action::MemberAdded, Action::MemberUpdated, Action::MemberRemoved];
        for (event, action) in [joined, changed, left].into_iter().zip(actions) {
            assert_eq!((event.action, event.chain), (action, Chain::Organization(elsewhere())));
            assert_eq!((event.target, event.touched), (user.to_string(), vec![Touched::Principal(user.into())]));
        }
    }
}
