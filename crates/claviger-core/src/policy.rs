//! An organization's rules for the credentials inside it (DESIGN: `GET/PATCH /v1/organizations/{id}/policy`).

use claviger_token::{CredentialFacts, CredentialId, NetworkSet, ObjectSet, PermissionSet};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    builtin::permission,
    invalid::{FieldErrors, Rejection, present},
};

const MAX_DAYS: u32 = 36_500;

/// The rules. Their defaults are those of an organization that never set any.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Policy {
    /// The longest life of a personal access token, in days.
    pub pat_max_lifetime_days: Option<u32>,
    /// The life of a personal access token whose maker names none, in days.
    pub pat_default_lifetime_days: Option<u32>,
    /// The longest life of an API key, in days; `null`: no bound.
    pub api_key_max_lifetime_days: Option<u32>,
    /// Whether every credential must name its end.
    pub expiry_required: bool,
    /// The kinds of credential that may be made; `null`: all.
    pub allowed_kinds: Option<Vec<Kind>>,
    /// Whether personal access tokens wait for an approval: new ones, and those that get more rights or time than they had.
    pub approval_required: bool,
    /// The networks from which credentials may be used; `null`: all.
    pub allowed_networks: Option<NetworkSet>,
    /// After how many days without use a credential ends; `null`: never.
    pub revoke_after_unused_days: Option<u32>,
    /// Whether a credential may follow its principal with `"*"`. What a client proves itself by always does.
    pub wildcard_allowed: bool,
    /// Whether members must name objects on their personal access tokens.
    pub members_must_name_objects: bool,
}

/// A kind of credential, as policy speaks of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Kind {
    /// API keys of service accounts.
    ApiKey,
    /// Personal access tokens of users.
    PersonalAccessToken,
    /// OAuth client secrets.
    ClientSecret,
    /// OAuth client public keys.
    PublicKey,
    /// Client certificates.
    Certificate,
    /// Federated workload identities.
    Federation,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            pat_max_lifetime_days: Some(366),
            pat_default_lifetime_days: Some(90),
            api_key_max_lifetime_days: None,
            expiry_required: false,
            allowed_kinds: None,
            approval_required: false,
            allowed_networks: None,
            revoke_after_unused_days: None,
            wildcard_allowed: true,
            members_must_name_objects: false,
        }
    }
}

/// Body of `PATCH /v1/organizations/{id}/policy`: absent members stay, `null` lifts a bound.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PolicyChanges {
    /// See [`Policy`].
    #[serde(deserialize_with = "present")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u32>))]
    pub pat_max_lifetime_days: Option<Option<u32>>,
    /// See [`Policy`].
    #[serde(deserialize_with = "present")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u32>))]
    pub pat_default_lifetime_days: Option<Option<u32>>,
    /// See [`Policy`].
    #[serde(deserialize_with = "present")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u32>))]
    pub api_key_max_lifetime_days: Option<Option<u32>>,
    /// See [`Policy`].
    pub expiry_required: Option<bool>,
    /// See [`Policy`].
    #[serde(deserialize_with = "present")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<Kind>>))]
    pub allowed_kinds: Option<Option<Vec<Kind>>>,
    /// See [`Policy`].
    pub approval_required: Option<bool>,
    /// See [`Policy`].
    #[serde(deserialize_with = "present")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<String>>))]
    pub allowed_networks: Option<Option<Vec<String>>>,
    /// See [`Policy`].
    #[serde(deserialize_with = "present")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u32>))]
    pub revoke_after_unused_days: Option<Option<u32>>,
    /// See [`Policy`].
    pub wildcard_allowed: Option<bool>,
    /// See [`Policy`].
    pub members_must_name_objects: Option<bool>,
}

impl Policy {
    /// The policy after `changes`.
    pub fn update(&self, changes: PolicyChanges) -> Result<Self, Rejection> {
        let mut errors = FieldErrors::default();
        let mut days = |pointer: &str, new: Option<Option<u32>>, old: Option<u32>| {
            if new.flatten().is_some_and(|days| days == 0 || days > MAX_DAYS) {
                errors.add(
                    pointer,
                    "out_of_range",
                    format!("a number of days from 1 to {MAX_DAYS}, or null for no bound"),
                );
            }
            new.unwrap_or(old)
        };
        let mut policy = Self {
            pat_max_lifetime_days: days(
                "/pat_max_lifetime_days",
                changes.pat_max_lifetime_days,
                self.pat_max_lifetime_days,
            ),
            pat_default_lifetime_days: days(
                "/pat_default_lifetime_days",
                changes.pat_default_lifetime_days,
                self.pat_default_lifetime_days,
            ),
            api_key_max_lifetime_days: days(
                "/api_key_max_lifetime_days",
                changes.api_key_max_lifetime_days,
                self.api_key_max_lifetime_days,
            ),
            revoke_after_unused_days: days(
                "/revoke_after_unused_days",
                changes.revoke_after_unused_days,
                self.revoke_after_unused_days,
            ),
            expiry_required: changes.expiry_required.unwrap_or(self.expiry_required),
            allowed_kinds: changes.allowed_kinds.unwrap_or_else(|| self.allowed_kinds.clone()),
            approval_required: changes.approval_required.unwrap_or(self.approval_required),
            allowed_networks: self.allowed_networks.clone(),
            wildcard_allowed: changes.wildcard_allowed.unwrap_or(self.wildcard_allowed),
            members_must_name_objects: changes.members_must_name_objects.unwrap_or(self.members_must_name_objects),
        };
        match changes.allowed_networks {
            None => {}
            Some(None) => policy.allowed_networks = None,
            Some(Some(networks)) => {
                errors.at_most(100, "/allowed_networks", networks.len());
                policy.allowed_networks =
                    errors.keep_list("/allowed_networks", "invalid_network", NetworkSet::parse(&networks));
            }
        }
        if let (Some(default), Some(max)) = (policy.pat_default_lifetime_days, policy.pat_max_lifetime_days)
            && default > max
        {
            errors.add(
                "/pat_default_lifetime_days",
                "out_of_range",
                format!("at most pat_max_lifetime_days, which is {max}"),
            );
        }
        errors.finish()?;
        Ok(policy)
    }

    /// Whether this kind of credential may be made.
    pub fn allows(&self, kind: Kind) -> bool {
        self.allowed_kinds.as_ref().is_none_or(|kinds| kinds.contains(&kind))
    }

    /// Refuses a kind of credential that may not be made.
    pub(crate) fn must_allow(&self, id: CredentialId) -> Result<(), Rejection> {
        let kind = Kind::of(id);
        if self.allows(kind) {
            return Ok(());
        }
        let message = format!("the organization's policy does not allow {}", kind.plural());
        Err(Rejection::conflict("kind_not_allowed", message))
    }

    /// Whether a new credential of this kind, or one that gets more than it had, waits for an approval.
    pub(crate) fn wants_approval(&self, id: CredentialId) -> bool {
        self.approval_required && Kind::of(id) == Kind::PersonalAccessToken
    }

    /// When a credential of this kind ends whose maker names no end.
    pub(crate) fn default_end(&self, id: CredentialId, now: Timestamp) -> Option<Timestamp> {
        let days = match Kind::of(id) {
            Kind::PersonalAccessToken => self.pat_default_lifetime_days.or(self.pat_max_lifetime_days),
            Kind::ApiKey | Kind::ClientSecret | Kind::PublicKey | Kind::Certificate | Kind::Federation => None,
        };
        days.map(|days| now + days_long(days))
    }

    /// The longest life of a credential of this kind, in days.
    pub(crate) fn longest_life(&self, kind: Kind) -> Option<u32> {
        match kind {
            Kind::ApiKey => self.api_key_max_lifetime_days,
            Kind::PersonalAccessToken => self.pat_max_lifetime_days,
            Kind::ClientSecret | Kind::PublicKey | Kind::Certificate | Kind::Federation => None,
        }
    }

    /// How late a credential of this kind may end, where there is a bound.
    pub fn latest_end(&self, kind: Kind, now: Timestamp) -> Option<Timestamp> {
        const A_YEAR: u32 = 365;
        let days = self.longest_life(kind).or(self.expiry_required.then_some(A_YEAR))?;
        Some(now + days_long(days))
    }

    /// Notes what is wrong with the end of a credential made or changed at `now`.
    pub(crate) fn check_expiry(
        &self,
        id: CredentialId,
        expires_at: Option<Timestamp>,
        now: Timestamp,
        errors: &mut FieldErrors,
    ) {
        let bound = self.longest_life(Kind::of(id));
        match (expires_at, bound) {
            (None, None) if !self.expiry_required => {}
            (None, _) => {
                let hint = bound.map(|days| format!(", at most {days} days from now")).unwrap_or_default();
                errors.add(
                    "/expires_at",
                    "expiry_required",
                    format!("the organization's policy asks for an end{hint}"),
                );
            }
            (Some(end), Some(days)) if end > now + days_long(days) => {
                errors.add(
                    "/expires_at",
                    "lifetime_too_long",
                    format!("the organization's policy allows {days} days at most"),
                );
            }
            (Some(_), _) => {}
        }
    }

    /// Notes that a member's token must name objects, and does not. `held` is what the member holds.
    pub(crate) fn check_objects(
        &self,
        id: CredentialId,
        objects: Option<&ObjectSet>,
        held: &PermissionSet,
        errors: &mut FieldErrors,
    ) {
        if objects.is_none() && self.wants_objects(id, held) {
            let message = "the organization's policy asks members to name the objects of their tokens";
            errors.add("/objects", "objects_required", message);
        }
    }

    fn wants_objects(&self, id: CredentialId, held: &PermissionSet) -> bool {
        self.members_must_name_objects
            && Kind::of(id) == Kind::PersonalAccessToken
            && !held.contains(permission::CREDENTIALS_WRITE)
    }

    /// What is left of a credential under these rules, which may be stricter than those that it was made under. `held` is what
    /// its principal holds. Networks are the verdict's, and lives were cut when the rule was made.
    #[must_use]
    pub fn applied_to(&self, mut facts: CredentialFacts, held: &PermissionSet) -> CredentialFacts {
        facts.disabled |=
            !self.allows(Kind::of(facts.id)) || (facts.objects.is_none() && self.wants_objects(facts.id, held));
        if !self.wildcard_allowed && Kind::of(facts.id).names_permissions() && facts.permissions.follows_principal() {
            facts.permissions = facts.permissions.without_wildcards();
        }
        facts
    }
}

fn days_long(days: u32) -> SignedDuration {
    SignedDuration::from_hours(24 * i64::from(days))
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::ApiKey,
        Self::PersonalAccessToken,
        Self::ClientSecret,
        Self::PublicKey,
        Self::Certificate,
        Self::Federation,
    ];

    /// The kind of a credential.
    pub fn of(id: CredentialId) -> Self {
        match id {
            CredentialId::ApiKey(_) => Self::ApiKey,
            CredentialId::PersonalAccessToken(_) => Self::PersonalAccessToken,
            CredentialId::ClientSecret(_) => Self::ClientSecret,
            CredentialId::PublicKey(_) => Self::PublicKey,
            CredentialId::Certificate(_) => Self::Certificate,
            CredentialId::Federation(_) => Self::Federation,
        }
    }

    /// Whether whoever makes one says what it may do. What a client proves itself by stands for all of the client, and the
    /// tokens that it gets name what they are for.
    pub fn names_permissions(self) -> bool {
        match self {
            Self::ApiKey | Self::PersonalAccessToken => true,
            Self::ClientSecret | Self::PublicKey | Self::Certificate | Self::Federation => false,
        }
    }

    /// The word on the wire and in storage.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ApiKey => "api_key",
            Self::PersonalAccessToken => "personal_access_token",
            Self::ClientSecret => "client_secret",
            Self::PublicKey => "public_key",
            Self::Certificate => "certificate",
            Self::Federation => "federation",
        }
    }

    pub(crate) fn plural(self) -> &'static str {
        match self {
            Self::ApiKey => "API keys",
            Self::PersonalAccessToken => "personal access tokens",
            Self::ClientSecret => "client secrets",
            Self::PublicKey => "public keys",
            Self::Certificate => "certificates",
            Self::Federation => "federated identities",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_member_stays_and_null_lifts_the_bound() {
        let policy = Policy { api_key_max_lifetime_days: Some(30), ..Policy::default() };
        let same = policy.update(serde_json::from_str("{}").unwrap()).unwrap();
        assert_eq!(same, policy);
        let lifted = policy.update(serde_json::from_str(r#"{"api_key_max_lifetime_days":null}"#).unwrap()).unwrap();
        assert_eq!(lifted.api_key_max_lifetime_days, None);
    }

    #[test]
    fn every_wrong_member_is_named() {
        let body =
            r#"{"api_key_max_lifetime_days":0,"pat_default_lifetime_days":400,"allowed_networks":["10.0.0.0/8","x"]}"#;
        let Err(Rejection::Invalid(errors)) = Policy::default().update(serde_json::from_str(body).unwrap()) else {
            panic!("accepted")
        };
        let pointers: Vec<_> = errors.iter().map(|error| error.pointer.as_str()).collect();
        assert_eq!(pointers, ["/api_key_max_lifetime_days", "/allowed_networks/1", "/pat_default_lifetime_days"]);
    }
}
