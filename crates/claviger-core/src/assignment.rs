//! Assignments: a role or a direct permission, given to a principal, with a scope.

use claviger_token::{AssignmentId, OrganizationId, Permission, PrincipalId, RoleId, TypedId as _};
use jiff::Timestamp;
use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::audit::{Action, Event, Touched};

/// How far an assignment reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// One organization.
    Organization(OrganizationId),
    /// Every organization; only an instance administrator gives this.
    Instance,
}

impl Scope {
    /// The organization, or `None` for the instance.
    pub fn organization(self) -> Option<OrganizationId> {
        match self {
            Self::Organization(id) => Some(id),
            Self::Instance => None,
        }
    }
}

/// What is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Granted {
    /// A role, and with it whatever it holds from time to time.
    Role {
        /// Which.
        id: RoleId,
        /// Its name, for people.
        name: String,
    },
    /// One permission.
    Permission(Permission),
}

/// One row of who holds what where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// Its id.
    pub id: AssignmentId,
    /// Who holds it.
    pub principal: PrincipalId,
    /// The principal's organization; of a user's, the one with whose membership it ends.
    pub home: OrganizationId,
    /// Where it counts.
    pub scope: Scope,
    /// What it is.
    pub granted: Granted,
    /// Since when.
    pub created_at: Timestamp,
}

/// Body of `POST /v1/assignments`. Exactly one of `role` and `permission`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewAssignment {
    /// Who gets it.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub principal_id: PrincipalId,
    /// Which of a user's organizations: where it counts and, with instance scope, with which it ends. A service account
    /// has one only, and may leave this out.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub organization_id: Option<OrganizationId>,
    /// Name or id of a role.
    pub role: Option<String>,
    /// A permission.
    pub permission: Option<String>,
    /// Where it counts: in the principal's organization, or everywhere.
    #[serde(default)]
    pub scope: ScopeName,
}

/// The scope of an assignment, on the wire.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ScopeName {
    /// The principal's organization.
    #[default]
    Organization,
    /// Every organization.
    Instance,
}

/// The names of the roles and the direct permissions that count in `scope`.
pub fn names_in(assignments: &[Assignment], scope: Scope) -> (Vec<&str>, Vec<&str>) {
    let (mut roles, mut permissions) = (Vec::new(), Vec::new());
    for assignment in assignments.iter().filter(|assignment| assignment.scope == scope) {
        match &assignment.granted {
            Granted::Role { name, .. } => roles.push(name.as_str()),
            Granted::Permission(permission) => permissions.push(permission.as_str()),
        }
    }
    (roles, permissions)
}

impl Assignment {
    /// Gives `granted` to a principal whose organization is `home`.
    pub fn create(
        principal: PrincipalId,
        home: OrganizationId,
        scope: Scope,
        granted: Granted,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
    ) -> (Self, Event) {
        let assignment =
            Self { id: AssignmentId::generate(now, rng), principal, home, scope, granted, created_at: now };
        let event = assignment.event(Action::AssignmentCreated);
        (assignment, event)
    }

    /// Takes it away.
    pub fn delete(&self) -> Event {
        self.event(Action::AssignmentDeleted)
    }

    fn event(&self, action: Action) -> Event {
        let mut details = json!({ "principal": self.principal });
        match &self.granted {
            Granted::Role { name, .. } => details["role"] = json!(name),
            Granted::Permission(permission) => details["permission"] = json!(permission),
        }
        Event {
            chain: self.scope.organization().into(),
            action,
            target: self.id.to_string(),
            details,
            personal: None,
            touched: vec![Touched::Principal(self.principal)],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        audit::Chain,
        fixtures::{World, now, rng},
    };

    #[test]
    fn an_assignment_is_told_where_it_counts_and_touches_whoever_holds_it() {
        let world = World::new();
        let (principal, home) = (world.service_account.id.into(), world.organization.id);
        let check = |scope, granted, chain, details: serde_json::Value| {
            let (assignment, event) = Assignment::create(principal, home, scope, granted, now(), &mut rng());
            assert_eq!((event.chain, event.details), (chain, details.clone()));
            assert_eq!((event.action, event.touched), (Action::AssignmentCreated, vec![Touched::Principal(principal)]));
            let event = assignment.delete();
            assert_eq!((event.chain, event.details, event.action), (chain, details, Action::AssignmentDeleted));
        };
        let role = Granted::Role { id: RoleId::generate(now(), &mut rng()), name: "member".to_owned() };
        let told = json!({ "principal": principal, "role": "member" });
        check(Scope::Organization(home), role, Chain::Organization(home), told);
        let told = json!({ "principal": principal, "permission": "invoices:read" });
        check(Scope::Instance, Granted::Permission("invoices:read".parse().unwrap()), Chain::Instance, told);
    }
}
