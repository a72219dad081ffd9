//! What was found in storage about a credential, and the one formula that makes rights of it.
//!
//! Plain data. The room must not know what was asked or who asks: that is `decide`'s.

use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    AccessTokenId, ActorClaim, AuthorizationDetails, ClientAuthMethod, Confirmation, CredentialId, GrantTypes, Limits,
    NetworkSet, ObjectSet, OrganizationId, PermissionMask, PermissionSet, PrincipalId, ServiceAccountId,
};

/// Which kind of credential was presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum CredentialKind {
    /// A service account's long-lived key.
    ApiKey,
    /// A user's token inside one organization.
    PersonalAccessToken,
    /// An opaque token or JWT from the token endpoint.
    AccessToken,
}

impl CredentialKind {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ApiKey => "api_key",
            Self::PersonalAccessToken => "personal_access_token",
            Self::AccessToken => "access_token",
        }
    }
}

/// Whether a credential acts on real data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Environment {
    /// Real data.
    Live,
    /// Test data.
    Test,
}

impl Environment {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Test => "test",
        }
    }
}

/// The text names no environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an environment is `live` or `test`")]
pub struct UnknownEnvironment;

impl FromStr for Environment {
    type Err = UnknownEnvironment;

    fn from_str(text: &str) -> Result<Self, UnknownEnvironment> {
        match text {
            "live" => Ok(Self::Live),
            "test" => Ok(Self::Test),
            _ => Err(UnknownEnvironment),
        }
    }
}

/// Where a secret stands in the rolling of its credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Generation {
    /// The newest secret.
    Current,
    /// Replaced, and still accepted until the overlap ends.
    Retiring,
    /// Replaced, and the overlap is over: it is seen in refusals only.
    Retired,
}

impl Generation {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Retiring => "retiring",
            Self::Retired => "retired",
        }
    }
}

/// The secret that was presented, one of its credential's generations.
#[derive(Clone, Debug)]
pub struct SecretFacts {
    /// Counts the generations of one credential, from 1.
    pub number: u32,
    /// When its overlap ends; `None` for the current secret.
    pub ends_at: Option<Timestamp>,
}

impl SecretFacts {
    /// Where it stands at `now`. Half open: retired at the instant at which the overlap ends.
    pub fn generation(&self, now: Timestamp) -> Generation {
        match self.ends_at {
            None => Generation::Current,
            Some(ends_at) if now < ends_at => Generation::Retiring,
            Some(_) => Generation::Retired,
        }
    }
}

/// The access token that was presented, beside what it shares with the credential that it was made from.
#[derive(Clone, Debug, PartialEq)]
pub struct AccessTokenFacts {
    /// Its own id, the `jti`.
    pub id: AccessTokenId,
    /// To whom it was given.
    pub client_id: ServiceAccountId,
    /// When it was made.
    pub issued_at: Timestamp,
    /// Its own end; its credential may end before.
    pub expires_at: Timestamp,
    /// What it was given, of which its credential may permit less now.
    pub scope: PermissionSet,
    /// What it was given beside its scope, word for word.
    pub details: Option<AuthorizationDetails>,
    /// Who acts in its principal's name.
    pub act: Option<Box<ActorClaim>>,
    /// The epoch of its credential now: if that is ahead of the token's, the token is dead.
    pub credential_epoch: u64,
    /// Ended by itself before its time.
    pub revoked: bool,
}

/// What is known about a credential.
#[derive(Clone, Debug)]
pub struct CredentialFacts {
    /// Its id, or its parent's if it is an access token.
    pub id: CredentialId,
    /// What was presented.
    pub kind: CredentialKind,
    /// What its owner calls it.
    pub name: String,
    /// Whether it acts on real data.
    pub environment: Environment,
    /// The list on the credential.
    pub permissions: PermissionMask,
    /// The objects it is limited to; `None` is no limit.
    pub objects: Option<ObjectSet>,
    /// The networks it is limited to; `None` is no limit.
    pub networks: Option<NetworkSet>,
    /// The first instant at which it is valid.
    pub not_before: Option<Timestamp>,
    /// The first instant at which it is no longer valid.
    pub expires_at: Option<Timestamp>,
    /// Switched off, and may be switched on again.
    pub disabled: bool,
    /// Dead for good.
    pub revoked: bool,
    /// Waits for an approval that the organization's policy wants.
    pub pending_approval: bool,
    /// What must be proved with it; `None` is a bearer credential.
    pub confirmation: Option<Confirmation>,
    /// A JWT of a lower epoch is dead.
    pub epoch: u64,
    /// How often it may be used.
    pub limits: Limits,
    /// The owner's JSON object, passed on as it is.
    pub metadata: Box<RawValue>,
}

/// What is known about the principal of a credential, inside the credential's organization.
#[derive(Clone, Debug, PartialEq)]
pub struct PrincipalFacts {
    /// Who it is.
    pub id: PrincipalId,
    /// The display name.
    pub name: String,
    /// The SaaS's own id for it.
    pub external_id: Option<String>,
    /// Switched off, with all its credentials.
    pub disabled: bool,
    /// Held in the organization, those of instance scope included.
    pub permissions: PermissionSet,
    /// Held by assignments of instance scope: they reach across organizations.
    pub instance_permissions: PermissionSet,
    /// How often all its credentials together may be used.
    pub limits: Limits,
    /// The one way in which it authenticates as a client; `None`: by whatever it holds, and for a user, who is none.
    pub token_endpoint_auth_method: Option<ClientAuthMethod>,
    /// Whether as a client it gets no tokens but those that are bound to a key (RFC 9449, section 5.2).
    pub dpop_bound_access_tokens: bool,
    /// The grants that it may use as a client; `None`: those that there are.
    pub grant_types: Option<GrantTypes>,
    /// Whether as a client it gets no tokens but those that are bound to its certificate (RFC 8705, section 3.4).
    pub tls_client_certificate_bound_access_tokens: bool,
}

/// What is known about the organization of a credential.
#[derive(Clone, Debug, PartialEq)]
pub struct OrganizationFacts {
    /// Which it is.
    pub id: OrganizationId,
    /// Its name in addresses.
    pub slug: String,
    /// The SaaS's own id for it.
    pub external_id: Option<String>,
    /// Switched off, with all that is in it.
    pub disabled: bool,
    /// What it may use at all.
    pub ceiling: PermissionMask,
    /// The networks that its policy allows; `None` is no limit.
    pub allowed_networks: Option<NetworkSet>,
    /// How often all the credentials in it together may be used.
    pub limits: Limits,
}

/// Everything a verdict needs about a credential that storage knows.
#[derive(Clone, Debug)]
pub struct Found {
    /// The secret that was presented; `None` of an access token, which is none of its credential's secrets.
    pub secret: Option<SecretFacts>,
    /// The access token that was presented, if it is one.
    pub token: Option<Box<AccessTokenFacts>>,
    /// The credential it belongs to.
    pub credential: CredentialFacts,
    /// Who it stands for.
    pub principal: Arc<PrincipalFacts>,
    /// Where.
    pub organization: Arc<OrganizationFacts>,
    /// What [`Rights::effective`] made of the three.
    pub rights: Rights,
    /// Identifiers of the APIs that declare its permissions; a JWT's `aud`.
    pub audiences: Arc<[String]>,
}

impl PrincipalFacts {
    /// Of somebody of whom no more is known.
    pub fn bare(id: PrincipalId, permissions: PermissionSet) -> Self {
        Self {
            id,
            name: String::new(),
            external_id: None,
            disabled: false,
            permissions,
            instance_permissions: PermissionSet::default(),
            limits: Limits::default(),
            token_endpoint_auth_method: None,
            dpop_bound_access_tokens: false,
            grant_types: None,
            tls_client_certificate_bound_access_tokens: false,
        }
    }
}

impl OrganizationFacts {
    /// Of one of which no more is known, and which forbids nothing.
    pub fn bare(id: OrganizationId) -> Self {
        Self {
            id,
            slug: String::new(),
            external_id: None,
            disabled: false,
            ceiling: PermissionMask::everything(),
            allowed_networks: None,
            limits: Limits::default(),
        }
    }
}

impl Found {
    /// Where the presented secret stands at `now`; `None` of an access token.
    pub fn generation(&self, now: Timestamp) -> Option<Generation> {
        self.secret.as_ref().map(|secret| secret.generation(now))
    }

    /// Whether anything bounds how often it may be used: its own limits, its principal's or its organization's.
    pub fn is_limited(&self) -> bool {
        !(self.credential.limits.is_empty() && self.principal.limits.is_empty() && self.organization.limits.is_empty())
    }
}

/// What a credential may do, now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// In its own organization.
    pub permissions: PermissionSet,
    /// In every organization; never more than in its own.
    pub instance_permissions: PermissionSet,
}

impl Rights {
    /// The one formula: the organization's ceiling ∩ the principal's permissions there ∩ the list on the
    /// credential. Whatever reaches across organizations passes the same two masks.
    pub fn effective(
        organization: &OrganizationFacts,
        principal: &PrincipalFacts,
        credential: &PermissionMask,
    ) -> Self {
        let cut = |held: &PermissionSet| held.masked_by(&organization.ceiling).masked_by(credential);
        Self { permissions: cut(&principal.permissions), instance_permissions: cut(&principal.instance_permissions) }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An API key of the service account `ci` in `acme` with nothing remarkable about it.
    pub(crate) fn found() -> Found {
        let permissions = PermissionSet::from_text("invoices:read invoices:write").unwrap();
        let rights = Rights { permissions: permissions.clone(), ..Rights::default() };
        Found {
            secret: Some(SecretFacts { number: 1, ends_at: None }),
            token: None,
            credential: CredentialFacts {
                id: "key_01h2xcejqtf2nbrexx3vqjhp41".parse().unwrap(),
                kind: CredentialKind::ApiKey,
                name: "nightly".to_owned(),
                environment: Environment::Live,
                permissions: PermissionMask::parse(["*"]).unwrap(),
                objects: None,
                networks: None,
                not_before: None,
                expires_at: None,
                disabled: false,
                revoked: false,
                pending_approval: false,
                confirmation: None,
                epoch: 3,
                limits: Limits::default(),
                metadata: serde_json::value::to_raw_value(&serde_json::json!({})).unwrap(),
            },
            principal: Arc::new(PrincipalFacts {
                id: "sa_01h2xcejqtf2nbrexx3vqjhp41".parse().unwrap(),
                name: "ci".to_owned(),
                external_id: None,
                disabled: false,
                permissions,
                instance_permissions: PermissionSet::default(),
                limits: Limits::default(),
                token_endpoint_auth_method: None,
                dpop_bound_access_tokens: false,
                grant_types: None,
                tls_client_certificate_bound_access_tokens: false,
            }),
            organization: Arc::new(OrganizationFacts {
                id: "org_01h2xcejqtf2nbrexx3vqjhp41".parse().unwrap(),
                slug: "acme".to_owned(),
                external_id: Some("42".to_owned()),
                disabled: false,
                ceiling: PermissionMask::everything(),
                allowed_networks: None,
                limits: Limits::default(),
            }),
            rights,
            audiences: Arc::new(["https://api.acme.test".to_owned()]),
        }
    }

    #[test]
    fn rights_are_what_ceiling_principal_and_credential_agree_on() {
        fn check(ceiling: &str, held: &str, instance: &str, list: &str, expected: (&str, &str)) {
            let Found { mut organization, mut principal, .. } = found();
            Arc::make_mut(&mut organization).ceiling = PermissionMask::from_text(ceiling).unwrap();
            let facts = Arc::make_mut(&mut principal);
            facts.permissions = PermissionSet::from_text(held).unwrap();
            facts.instance_permissions = PermissionSet::from_text(instance).unwrap();
            let rights = Rights::effective(&organization, &principal, &PermissionMask::from_text(list).unwrap());
            let texts = (rights.permissions.to_text(), rights.instance_permissions.to_text());
            assert_eq!((texts.0.as_str(), texts.1.as_str()), expected);
        }
        check("*", "a b", "", "*", ("a b", ""));
        check("*", "a b", "", "a c", ("a", "")); // a credential never exceeds its principal
        check("b", "a b", "", "*", ("b", "")); // nor its organization's plan
        check("*", "a b", "", "", ("", "")); // and absence does not mean "all"
        check("* claviger:*", "a claviger:verify", "", "*", ("a", ""));
        check(
            "* claviger:*",
            "a claviger:verify",
            "claviger:verify",
            "* claviger:*",
            ("a claviger:verify", "claviger:verify"),
        );
        check("*", "a claviger:verify", "claviger:verify", "* claviger:*", ("a", ""));
    }

    #[test]
    fn an_overlap_ends_at_its_instant() {
        fn check(ends_at: Option<i64>, now: i64, expected: Generation) {
            let at = |second| Timestamp::from_second(second).unwrap();
            let secret = SecretFacts { number: 1, ends_at: ends_at.map(at) };
            assert_eq!(secret.generation(at(now)), expected);
        }
        check(None, 100, Generation::Current);
        check(Some(101), 100, Generation::Retiring);
        check(Some(100), 100, Generation::Retired);
        check(Some(99), 100, Generation::Retired);
    }

    #[test]
    fn the_words_are_the_same_in_json() {
        fn check(value: impl Serialize, word: &str) {
            assert_eq!(serde_json::to_value(value).unwrap(), word);
        }
        for kind in [CredentialKind::ApiKey, CredentialKind::PersonalAccessToken, CredentialKind::AccessToken] {
            check(kind, kind.as_str());
        }
        for environment in [Environment::Live, Environment::Test] {
            check(environment, environment.as_str());
            assert_eq!(environment.as_str().parse(), Ok(environment));
        }
        for generation in [Generation::Current, Generation::Retiring, Generation::Retired] {
            check(generation, generation.as_str());
        }
        assert_eq!("LIVE".parse::<Environment>(), Err(UnknownEnvironment));
    }
}
