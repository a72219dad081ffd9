//! Roles: named sets of permissions, of one organization or of the instance.

use claviger_token::{OrganizationId, PermissionSet, RoleId, TypedId as _};
use jiff::Timestamp;
use rand::CryptoRng;
use serde::Deserialize;
use serde_json::json;

use crate::{
    audit::{Action, Event, Touched},
    builtin::BuiltinRole,
    invalid::{FieldErrors, Rejection, present},
    organization::parse_mask,
};

/// A named set of permissions.
#[derive(Debug, Clone, PartialEq)]
pub struct Role {
    /// Its id.
    pub id: RoleId,
    /// Whose it is; `None`: the instance's, usable in every organization.
    pub organization: Option<OrganizationId>,
    /// Its name, unique where it can be used.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// What it holds.
    pub permissions: PermissionSet,
    /// Whether Claviger brought it.
    pub builtin: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Body of `POST /v1/roles`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewRole {
    /// `[a-z0-9]`, then up to 62 of `[a-z0-9_-]`.
    #[cfg_attr(feature = "openapi", schema(example = "invoice-reader"))]
    pub name: String,
    /// Whose it is; absent: the instance's, which needs instance scope.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub organization_id: Option<OrganizationId>,
    /// What it is for.
    pub description: Option<String>,
    /// What it holds; each must be declared by an API, and be yours to give.
    pub permissions: Vec<String>,
}

/// Body of `PATCH /v1/roles/{id}`: absent members stay.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RoleChanges {
    /// New name.
    pub name: Option<String>,
    /// New description, or `null` for none.
    #[serde(deserialize_with = "present")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub description: Option<Option<String>>,
    /// All that it holds from now on.
    pub permissions: Option<Vec<String>>,
}

impl Role {
    /// A new one. `declared` are the permissions that APIs declare.
    pub fn create(
        new: NewRole,
        declared: &PermissionSet,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
    ) -> Result<(Self, Event), Rejection> {
        let mut errors = FieldErrors::default();
        let name = errors.keep("/name", "invalid_name", parse_name(&new.name));
        let description = parse_description(new.description, &mut errors);
        let permissions = parse_permissions(&new.permissions, declared, &mut errors);
        errors.finish()?;
        let (Some(name), Some(permissions)) = (name, permissions) else { return Err(Rejection::Invalid(Vec::new())) };
        let role = Self {
            id: RoleId::generate(now, rng),
            organization: new.organization_id,
            name,
            description,
            permissions,
            builtin: false,
            created_at: now,
        };
        let event = role.event(Action::RoleCreated, role.told());
        Ok((role, event))
    }

    /// A role that Claviger brings.
    pub fn builtin(builtin: &BuiltinRole, now: Timestamp, rng: &mut dyn CryptoRng) -> Self {
        Self {
            id: RoleId::generate(now, rng),
            organization: None,
            name: builtin.name.to_owned(),
            description: Some(builtin.description.to_owned()),
            permissions: builtin.permissions().filter_map(|name| name.parse().ok()).collect(),
            builtin: true,
            created_at: now,
        }
    }

    /// The event of Claviger bringing it, or a new version of it.
    pub fn installed(&self) -> Event {
        self.event(Action::RoleUpdated, self.told())
    }

    /// Changes what `changes` names, for everybody who has it.
    pub fn update(self, changes: RoleChanges, declared: &PermissionSet) -> Result<(Self, Event), Rejection> {
        self.must_not_be_builtin()?;
        let mut errors = FieldErrors::default();
        let mut new = self.clone();
        if let Some(name) = changes.name {
            new.name = errors.keep("/name", "invalid_name", parse_name(&name)).unwrap_or(new.name);
        }
        if let Some(description) = changes.description {
            new.description = parse_description(description, &mut errors);
        }
        if let Some(entries) = changes.permissions {
            new.permissions = parse_permissions(&entries, declared, &mut errors).unwrap_or_default();
        }
        errors.finish()?;
        let event = new.event(Action::RoleUpdated, json!({ "before": self.told(), "after": new.told() }));
        Ok((new, event))
    }

    /// Takes it away from everybody.
    pub fn delete(&self) -> Result<Event, Rejection> {
        self.must_not_be_builtin()?;
        Ok(self.event(Action::RoleDeleted, self.told()))
    }

    fn must_not_be_builtin(&self) -> Result<(), Rejection> {
        if self.builtin {
            return Err(Rejection::conflict("builtin", "a built-in role changes only with Claviger's version"));
        }
        Ok(())
    }

    fn event(&self, action: Action, details: serde_json::Value) -> Event {
        Event {
            chain: self.organization.into(),
            action,
            target: self.id.to_string(),
            details,
            personal: None,
            touched: vec![Touched::Role(self.id)],
        }
    }

    fn told(&self) -> serde_json::Value {
        json!({ "name": self.name, "description": self.description, "permissions": self.permissions })
    }
}

fn parse_name(text: &str) -> Result<String, &'static str> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    let sound = (1..=63).contains(&text.len())
        && text.bytes().all(fits)
        && text.starts_with(|first: char| first.is_ascii_alphanumeric());
    if sound {
        Ok(text.to_owned())
    } else {
        Err("a role's name is 1 to 63 of a-z, 0-9, - and _, and starts with a letter or digit")
    }
}

fn parse_description(text: Option<String>, errors: &mut FieldErrors) -> Option<String> {
    let text = text?;
    if text.chars().count() > 500 || text.chars().any(char::is_control) {
        errors.add("/description", "invalid_description", "one line of at most 500 characters");
    }
    Some(text)
}

/// Roles hold permissions by name: a wildcard in a role would give what nobody listed.
fn parse_permissions(entries: &[String], declared: &PermissionSet, errors: &mut FieldErrors) -> Option<PermissionSet> {
    let mask = parse_mask("/permissions", entries, declared, errors)?;
    if mask.follows_principal() {
        errors.add("/permissions", "wildcard_forbidden", "a role names its permissions; wildcards are for credentials");
        return None;
    }
    Some(mask.named().clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        audit::Chain,
        builtin::BUILTIN_ROLES,
        fixtures::{elsewhere, now, rng, said, set},
    };

    fn create(members: serde_json::Value) -> Result<(Role, Event), Rejection> {
        let mut body = json!({ "name": "reader", "permissions": ["invoices:read"] });
        body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        Role::create(serde_json::from_value(body).unwrap(), &set("invoices:read invoices:write"), now(), &mut rng())
    }

    fn update(role: Role, body: serde_json::Value) -> Result<(Role, Event), Rejection> {
        role.update(serde_json::from_value(body).unwrap(), &set("invoices:read invoices:write"))
    }

    #[test]
    fn every_wrong_member_is_named() {
        let check = |members, expected: &str| assert_eq!(said(&create(members)), expected);
        check(json!({}), "ok");
        check(json!({ "permissions": [] }), "ok");
        check(json!({ "name": "2nd_line-support" }), "ok");
        for name in ["", "-a", "_a", "A", "a b", "é", &"a".repeat(64)] {
            check(json!({ "name": name }), "/name invalid_name");
        }
        check(json!({ "description": "x".repeat(501) }), "/description invalid_description");
        check(json!({ "description": "two\nlines" }), "/description invalid_description");
        check(json!({ "permissions": ["invoices:read", "x"] }), "/permissions/1 unknown_permission");
        check(json!({ "permissions": ["x y"] }), "/permissions/0 invalid_permission");
        check(json!({ "permissions": ["*"] }), "/permissions wildcard_forbidden");
        check(json!({ "permissions": ["claviger:*"] }), "/permissions wildcard_forbidden");
        assert!(serde_json::from_value::<NewRole>(json!({ "name": "reader" })).is_err());
    }

    #[test]
    fn a_role_is_told_where_it_counts() {
        let (role, event) = create(json!({})).unwrap();
        assert_eq!((event.chain, event.touched), (Chain::Instance, vec![Touched::Role(role.id)]));
        let (_, event) = create(json!({ "organization_id": elsewhere() })).unwrap();
        assert_eq!((event.chain, event.action), (Chain::Organization(elsewhere()), Action::RoleCreated));
    }

    #[test]
    fn absent_members_stay_and_null_clears_the_description() {
        let (role, _) = create(json!({ "description": "reads" })).unwrap();
        assert_eq!(update(role.clone(), json!({})).unwrap().0, role);
        let body = json!({ "name": "writer", "description": null, "permissions": ["invoices:write"] });
        let (new, event) = update(role.clone(), body).unwrap();
        let expected =
            Role { name: "writer".to_owned(), description: None, permissions: set("invoices:write"), ..role.clone() };
        assert_eq!((new, event.action), (expected, Action::RoleUpdated));
        let description = |side: &str| event.details[side]["description"].clone();
        assert_eq!((description("before"), description("after")), (json!("reads"), json!(null)));
        assert_eq!(said(&update(role.clone(), json!({ "permissions": ["*"] }))), "/permissions wildcard_forbidden");
        assert_eq!(role.delete().unwrap().action, Action::RoleDeleted);
    }

    #[test]
    fn nobody_changes_a_role_that_claviger_brought() {
        let role = Role::builtin(&BUILTIN_ROLES[0], now(), &mut rng());
        assert_eq!(said(&role.delete()), "conflict builtin");
        assert_eq!(said(&update(role, json!({}))), "conflict builtin");
    }
}
