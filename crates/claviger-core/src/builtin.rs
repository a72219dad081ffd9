//! Claviger's own API as one of its APIs: its permissions, its roles, and what an organization may use by default.

use claviger_token::PermissionMask;

/// The names of the built-in permissions that code refers to.
pub mod permission {
    /// Read organizations and their policy.
    pub const ORGANIZATIONS_READ: &str = "claviger:organizations:read";
    /// Change them; with instance scope also make, delete and set the ceiling.
    pub const ORGANIZATIONS_WRITE: &str = "claviger:organizations:write";
    /// Read users: those who belong to an organization within reach.
    pub const USERS_READ: &str = "claviger:users:read";
    /// Make, change and delete users, who may belong to many organizations.
    pub const USERS_WRITE: &str = "claviger:users:write";
    /// Read who belongs to an organization, and who is invited.
    pub const MEMBERS_READ: &str = "claviger:members:read";
    /// Invite, add and remove them, and give them roles.
    pub const MEMBERS_WRITE: &str = "claviger:members:write";
    /// Read service accounts.
    pub const SERVICE_ACCOUNTS_READ: &str = "claviger:service_accounts:read";
    /// Make, change and delete them.
    pub const SERVICE_ACCOUNTS_WRITE: &str = "claviger:service_accounts:write";
    /// Register OAuth clients (RFC 7591), which last and may hold what the credential lists besides.
    pub const REGISTRATIONS_WRITE: &str = "claviger:registrations:write";
    /// Read fleets, their claim codes (never the codes themselves) and their devices.
    pub const FLEETS_READ: &str = "claviger:fleets:read";
    /// Make, change, revoke and delete fleets, and make the claim codes by which devices enrol.
    pub const FLEETS_WRITE: &str = "claviger:fleets:write";
    /// Read APIs and their permissions.
    pub const APIS_READ: &str = "claviger:apis:read";
    /// Declare, change and delete them.
    pub const APIS_WRITE: &str = "claviger:apis:write";
    /// Read roles.
    pub const ROLES_READ: &str = "claviger:roles:read";
    /// Make, change and delete them.
    pub const ROLES_WRITE: &str = "claviger:roles:write";
    /// Read who holds what.
    pub const ASSIGNMENTS_READ: &str = "claviger:assignments:read";
    /// Give and take roles and permissions.
    pub const ASSIGNMENTS_WRITE: &str = "claviger:assignments:write";
    /// Read API keys.
    pub const API_KEYS_READ: &str = "claviger:api_keys:read";
    /// Issue, change, roll, revoke and delete them.
    pub const API_KEYS_WRITE: &str = "claviger:api_keys:write";
    /// Read personal access tokens: a user one's own, others those within reach.
    pub const PERSONAL_ACCESS_TOKENS_READ: &str = "claviger:personal_access_tokens:read";
    /// Issue, change, roll, revoke and delete them.
    pub const PERSONAL_ACCESS_TOKENS_WRITE: &str = "claviger:personal_access_tokens:write";
    /// See every credential that reaches an organization, whoever's it is.
    pub const CREDENTIALS_READ: &str = "claviger:credentials:read";
    /// Approve, deny and revoke them.
    pub const CREDENTIALS_WRITE: &str = "claviger:credentials:write";
    /// Open a portal for a user of one's own product.
    pub const PORTAL_SESSIONS_WRITE: &str = "claviger:portal_sessions:write";
    /// Read how much credentials are used.
    pub const USAGE_READ: &str = "claviger:usage:read";
    /// Read the audit trail.
    pub const AUDIT_EVENTS_READ: &str = "claviger:audit_events:read";
    /// Read which keys sign tokens, and when they are rotated.
    pub const SIGNING_KEYS_READ: &str = "claviger:signing_keys:read";
    /// Rotate them.
    pub const SIGNING_KEYS_WRITE: &str = "claviger:signing_keys:write";
    /// Ask what a token is worth, by OAuth introspection.
    pub const INTROSPECT: &str = "claviger:introspect";
    /// Ask for the verdict on a credential.
    pub const VERIFY: &str = "claviger:verify";
    /// Give what one does not hold oneself.
    pub const GRANTS_WRITE: &str = "claviger:grants:write";
}
use permission as p;

/// A permission of Claviger's own API.
#[derive(Debug, Clone, Copy)]
pub struct BuiltinPermission {
    /// The permission.
    pub name: &'static str,
    /// What it allows.
    pub description: &'static str,
    /// Whether it means something inside one organization; the others count only with instance scope.
    pub organization_level: bool,
}

const fn both(name: &'static str, description: &'static str) -> BuiltinPermission {
    BuiltinPermission { name, description, organization_level: true }
}

const fn instance(name: &'static str, description: &'static str) -> BuiltinPermission {
    BuiltinPermission { name, description, organization_level: false }
}

/// Every permission of Claviger's own API.
pub const PERMISSIONS: &[BuiltinPermission] = &[
    both(p::ORGANIZATIONS_READ, "Read organizations and their policy"),
    both(
        p::ORGANIZATIONS_WRITE,
        "Change organizations and their policy; with instance scope also make and delete them",
    ),
    both(p::USERS_READ, "Read the users of an organization"),
    instance(p::USERS_WRITE, "Make, change and delete users"),
    both(p::MEMBERS_READ, "Read who belongs to an organization and who is invited"),
    both(p::MEMBERS_WRITE, "Invite, add and remove members, and give them roles"),
    both(p::SERVICE_ACCOUNTS_READ, "Read service accounts"),
    both(p::SERVICE_ACCOUNTS_WRITE, "Make, change and delete service accounts"),
    both(p::REGISTRATIONS_WRITE, "Register OAuth clients, which last and may hold what the credential lists besides"),
    both(p::FLEETS_READ, "Read fleets, their claim codes and their devices"),
    both(p::FLEETS_WRITE, "Make, change, revoke and delete fleets, and make claim codes for their devices"),
    both(p::APIS_READ, "Read APIs and their permissions"),
    instance(p::APIS_WRITE, "Declare, change and delete APIs"),
    both(p::ROLES_READ, "Read roles"),
    both(p::ROLES_WRITE, "Make, change and delete roles"),
    both(p::ASSIGNMENTS_READ, "Read who holds which role or permission"),
    both(p::ASSIGNMENTS_WRITE, "Give and take roles and permissions"),
    both(p::API_KEYS_READ, "Read API keys"),
    both(p::API_KEYS_WRITE, "Issue, change, roll, revoke and delete API keys"),
    both(p::PERSONAL_ACCESS_TOKENS_READ, "Read one's own personal access tokens"),
    both(p::PERSONAL_ACCESS_TOKENS_WRITE, "Issue, change, roll, revoke and delete one's own personal access tokens"),
    both(p::CREDENTIALS_READ, "See every credential that reaches the organization"),
    both(p::CREDENTIALS_WRITE, "Approve, deny and revoke credentials of others"),
    both(p::PORTAL_SESSIONS_WRITE, "Open the portal for a user of one's own product"),
    both(p::USAGE_READ, "Read how much credentials are used"),
    both(p::AUDIT_EVENTS_READ, "Read the audit trail"),
    instance(p::SIGNING_KEYS_READ, "See which keys sign tokens, and when they are rotated"),
    instance(p::SIGNING_KEYS_WRITE, "Rotate the keys that sign tokens"),
    both(p::VERIFY, "Ask for the verdict on a credential"),
    both(p::INTROSPECT, "Ask what a token is worth, by OAuth introspection"),
    both(p::GRANTS_WRITE, "Give roles and permissions that one does not hold oneself"),
];

/// A role that every instance has and nobody can change.
#[derive(Debug, Clone, Copy)]
pub struct BuiltinRole {
    /// Its name.
    pub name: &'static str,
    /// What it is for.
    pub description: &'static str,
    holds: fn(&BuiltinPermission) -> bool,
}

impl BuiltinRole {
    /// The permissions that it holds.
    pub fn permissions(&self) -> impl Iterator<Item = &'static str> {
        let holds = self.holds;
        PERMISSIONS.iter().filter(move |permission| holds(permission)).map(|permission| permission.name)
    }
}

/// The built-in roles.
pub const BUILTIN_ROLES: &[BuiltinRole] = &[
    BuiltinRole {
        name: "instance-admin",
        description: "Everything, in every organization when given with instance scope",
        holds: |_| true,
    },
    BuiltinRole {
        name: "organization-admin",
        description: "Everything inside one organization",
        holds: |permission| permission.organization_level,
    },
    BuiltinRole {
        name: "member",
        description: "See the organization, its roles and the APIs it can use; have personal access tokens",
        holds: |permission| {
            matches!(
                permission.name,
                p::ORGANIZATIONS_READ
                    | p::APIS_READ
                    | p::ROLES_READ
                    | p::PERSONAL_ACCESS_TOKENS_READ
                    | p::PERSONAL_ACCESS_TOKENS_WRITE
            )
        },
    },
    BuiltinRole {
        name: "auditor",
        description: "Read everything, change nothing",
        holds: |permission| permission.name.ends_with(":read"),
    },
];

/// What an organization without a ceiling of its own may use: everything that is not `claviger:`, and
/// the permissions of Claviger's own API that mean something inside one organization.
pub fn default_ceiling() -> PermissionMask {
    let builtin =
        PERMISSIONS.iter().filter(|permission| permission.organization_level).map(|permission| permission.name);
    PermissionMask::parse(std::iter::once("*").chain(builtin)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_ceiling_admits_all_but_the_instance_level() {
        let ceiling = default_ceiling();
        assert!(ceiling.admits("invoices:read"));
        for permission in PERMISSIONS {
            assert_eq!(ceiling.admits(permission.name), permission.organization_level, "{}", permission.name);
        }
    }

    #[test]
    fn an_auditor_cannot_write_and_an_organization_admin_cannot_declare_apis() {
        let of = |name| BUILTIN_ROLES.iter().find(|role| role.name == name).unwrap().permissions().collect::<Vec<_>>();
        assert!(of("auditor").iter().all(|permission| !permission.ends_with(":write")));
        assert!(!of("organization-admin").contains(&p::APIS_WRITE));
        assert!(of("instance-admin").contains(&p::APIS_WRITE));
    }
}
