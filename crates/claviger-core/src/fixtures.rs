//! A small world for the tests of this crate: an organization, a service account in it, and who asks.

pub(crate) mod certificates;

use std::sync::Arc;

use claviger_token::{
    Brand, CredentialFacts, Found, Limits, OrganizationFacts, OrganizationId, PermissionMask, PermissionSet,
    PrincipalFacts, Rights, SecretFacts, TypedId as _,
};
use jiff::Timestamp;
use rand::{SeedableRng as _, rngs::StdRng};

use crate::{
    api_key::NewApiKey,
    credential::Credential,
    invalid::Rejection,
    issuing::IssuingContext,
    organization::{NewOrganization, Organization},
    rights::Grantor,
    service_account::{NewServiceAccount, ServiceAccount},
};

/// The seconds at which everything happens unless a test says otherwise.
pub(crate) const NOW: i64 = 1_800_000_000;

pub(crate) fn now() -> Timestamp {
    at(0)
}

/// So many seconds after [`now`].
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(NOW + seconds).unwrap()
}

pub(crate) fn rng() -> StdRng {
    StdRng::seed_from_u64(1)
}

pub(crate) fn set(text: &str) -> PermissionSet {
    PermissionSet::from_text(text).unwrap()
}

pub(crate) fn mask(text: &str) -> PermissionMask {
    PermissionMask::from_text(text).unwrap()
}

/// An organization that is not [`World`]'s.
pub(crate) fn elsewhere() -> OrganizationId {
    OrganizationId::generate(now(), &mut StdRng::seed_from_u64(99))
}

/// What is wrong, as tables show it: `ok`, `/pointer code` for each field, `forbidden permission` or `conflict code`.
pub(crate) fn said<T>(result: &Result<T, Rejection>) -> String {
    match result {
        Ok(_) => "ok".to_owned(),
        Err(Rejection::Invalid(errors)) => {
            let told = errors.iter().map(|error| format!("{} {}", error.pointer, error.code));
            told.collect::<Vec<_>>().join(", ")
        }
        Err(Rejection::Forbidden { permission, .. }) => format!("forbidden {permission}"),
        Err(Rejection::Withheld { code, .. }) => format!("withheld {code}"),
        Err(Rejection::Conflict { code, .. }) => format!("conflict {code}"),
    }
}

/// What a key is issued in.
pub(crate) struct World {
    pub(crate) organization: Organization,
    pub(crate) service_account: ServiceAccount,
    pub(crate) held: PermissionSet,
    pub(crate) held_everywhere: PermissionSet,
    pub(crate) declared: PermissionSet,
    pub(crate) brand: Brand,
}

impl World {
    pub(crate) fn new() -> Self {
        let mut rng = rng();
        let new = NewOrganization { name: "Acme".to_owned(), ..NewOrganization::default() };
        let (organization, _) = Organization::create(new, now(), &mut rng).unwrap();
        let new = NewServiceAccount::named(organization.id, "ci");
        let (service_account, _) = ServiceAccount::create(&new, now(), &mut rng).unwrap();
        Self {
            organization,
            service_account,
            held: set("invoices:read invoices:write claviger:api_keys:write claviger:apis:write"),
            held_everywhere: PermissionSet::default(),
            declared: set("invoices:read invoices:write bases:read claviger:api_keys:write claviger:apis:write"),
            brand: Brand::default(),
        }
    }

    pub(crate) fn asked_by<'a>(&'a self, grantor: Grantor<'a>) -> IssuingContext<'a> {
        IssuingContext {
            organization: &self.organization,
            principal: self.service_account.id.into(),
            held: &self.held,
            held_everywhere: &self.held_everywhere,
            declared: &self.declared,
            grantor,
            governs: true,
            brand: &self.brand,
        }
    }

    /// The body of a request for a key, with these members beside or instead of the usual ones.
    pub(crate) fn new_key(&self, members: serde_json::Value) -> NewApiKey {
        let mut body = serde_json::json!({
            "service_account_id": self.service_account.id, "name": "production", "permissions": ["invoices:read"],
        });
        let serde_json::Value::Object(members) = members else { panic!("a body is an object") };
        body.as_object_mut().unwrap().extend(members);
        serde_json::from_value(body).unwrap()
    }

    /// A key that the operator made.
    pub(crate) fn key(&self, members: serde_json::Value) -> Credential {
        let context = self.asked_by(Grantor::Operator);
        self.new_key(members).issue(&context, "operator".to_owned(), now(), &mut rng()).unwrap().credential
    }

    /// A caller of this organization, through a key of the same service account that cuts nothing.
    pub(crate) fn caller(&self, permissions: &str, instance_permissions: &str) -> Found {
        let organization = OrganizationFacts {
            id: self.organization.id,
            slug: self.organization.slug.to_string(),
            external_id: None,
            disabled: false,
            ceiling: PermissionMask::everything(),
            allowed_networks: None,
            limits: Limits::default(),
        };
        let principal = PrincipalFacts {
            id: self.service_account.id.into(),
            name: "ci".to_owned(),
            external_id: None,
            disabled: false,
            permissions: set(permissions).union(&set(instance_permissions)),
            instance_permissions: set(instance_permissions),
            limits: Limits::default(),
            token_endpoint_auth_method: None,
            dpop_bound_access_tokens: false,
            grant_types: None,
            tls_client_certificate_bound_access_tokens: false,
        };
        let key = self.key(serde_json::json!({}));
        let credential = CredentialFacts { permissions: PermissionMask::everything(), ..key.facts() };
        Found {
            secret: Some(SecretFacts { number: 1, ends_at: None }),
            token: None,
            rights: Rights::effective(&organization, &principal, &credential.permissions),
            credential,
            principal: Arc::new(principal),
            organization: Arc::new(organization),
            audiences: Arc::new([]),
        }
    }

    /// A caller that may do nothing.
    pub(crate) fn powerless(&self) -> Found {
        let mut found = self.caller("", "");
        found.credential.permissions = PermissionMask::default();
        found
    }
}

/// One use of a credential, in a world small enough to try them all.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Use {
    pub(crate) permission: &'static str,
    object: &'static str,
    address: &'static str,
    at: i64,
}

/// Every use there is.
pub(crate) fn uses() -> Vec<Use> {
    let mut uses = Vec::new();
    for permission in ["invoices:read", "invoices:write", "claviger:api_keys:write"] {
        for object in ["base:a", "base:b"] {
            for address in ["10.0.0.1", "192.0.2.1"] {
                for at in [50, 150, 250] {
                    uses.push(Use { permission, object, address, at });
                }
            }
        }
    }
    uses
}

/// Whether the credential's own limits let the use through, in words other than those of the code under test.
pub(crate) fn lets_through(credential: &CredentialFacts, one: &Use) -> bool {
    let object = one.object.parse().unwrap();
    let address = one.address.parse().unwrap();
    !credential.disabled
        && credential.permissions.admits(one.permission)
        && credential.objects.as_ref().is_none_or(|objects| objects.covers(&object))
        && credential.networks.as_ref().is_none_or(|networks| networks.contains(address))
        && credential.not_before.is_none_or(|start| start <= at(one.at))
        && credential.expires_at.is_none_or(|end| at(one.at) < end)
}
