//! API keys: issue, change, roll, revoke, delete. What a key is worth at a moment is
//! [`claviger_token::decide`]'s to say, not this module's.

use claviger_token::{
    ApiKeyId, Brand, Confirmation, CredentialFacts, CredentialId, CredentialKind, Environment, Limits, NetworkSet,
    ObjectSet, OrganizationId, PermissionMask, PermissionSet, Secret, SecretFacts, SecretKind, ServiceAccountId,
    TypedId as _,
};
use jiff::{SignedDuration, Timestamp};
use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    audit::{Action, Chain, Event, Touched},
    invalid::{FieldErrors, Rejection, present},
    limit::{self, NewQuota, NewRateLimit},
    metadata::Metadata,
    name::Name,
    organization::{Organization, parse_mask, parse_metadata},
    policy::Kind,
    rights::{Grantor, Widening},
    service_account::ServiceAccount,
};

/// Every verification walks them, and a gateway passes them on in a header.
const MAX_LIMITS: usize = 100;

/// The longest overlap of a roll: 30 days.
const MAX_OVERLAP_SECONDS: u32 = 30 * 24 * 60 * 60;

/// A key of a service account. It keeps its id while its secrets come and go.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiKey {
    /// Its id.
    pub id: ApiKeyId,
    /// Where it acts.
    pub organization: OrganizationId,
    /// Whose it is.
    pub service_account: ServiceAccountId,
    /// How people call it.
    pub name: Name,
    /// Live or test; also told by the token's prefix.
    pub environment: Environment,
    /// What it may do, if its service account still may.
    pub permissions: PermissionMask,
    /// On which objects only.
    pub objects: Option<ObjectSet>,
    /// From where only.
    pub networks: Option<NetworkSet>,
    /// From when on.
    pub not_before: Option<Timestamp>,
    /// Until when; dead at that instant.
    pub expires_at: Option<Timestamp>,
    /// Since when it is stopped.
    pub disabled_at: Option<Timestamp>,
    /// How it ended.
    pub revocation: Option<Revocation>,
    /// What its bearer must prove to hold.
    pub confirmation: Option<Confirmation>,
    /// Raised by whatever takes something away; tokens made from a lower one are dead.
    pub epoch: u64,
    /// How often it may be used.
    pub limits: Limits,
    /// What the SaaS hangs on it.
    pub metadata: Metadata,
    /// When it was made.
    pub created_at: Timestamp,
    /// By whom: a principal's id, or `operator`.
    pub created_by: String,
    /// When it stopped being listed.
    pub deleted_at: Option<Timestamp>,
    /// Its secrets, newest first; the first is the current one.
    pub secrets: Vec<SecretRecord>,
}

/// One secret generation of a credential: everything but the digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretRecord {
    /// Counts from 1.
    pub number: u32,
    /// The first four random characters, to recognise it by.
    pub hint: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its overlap ends or ended; `None` for the current one.
    pub ends_at: Option<Timestamp>,
    /// When it was last used, as far as flushed (within a second).
    pub last_used_at: Option<Timestamp>,
    /// From which address.
    pub last_used_from: Option<String>,
}

/// The end of a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revocation {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: RevokeReason,
}

/// Why a credential was ended before its time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum RevokeReason {
    /// Not said.
    #[default]
    Unspecified,
    /// Another took its place.
    Superseded,
    /// Somebody else may have it.
    Compromised,
    /// Its owner left.
    OwnerLeft,
    /// A rule ended it.
    Policy,
    /// Nobody used it.
    Unused,
}

impl RevokeReason {
    const ALL: [Self; 6] =
        [Self::Unspecified, Self::Superseded, Self::Compromised, Self::OwnerLeft, Self::Policy, Self::Unused];

    /// The word on the wire and in storage.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::Superseded => "superseded",
            Self::Compromised => "compromised",
            Self::OwnerLeft => "owner_left",
            Self::Policy => "policy",
            Self::Unused => "unused",
        }
    }

    /// From the word in storage.
    pub fn from_word(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }
}

/// What a list shows of a key's state. Its principal and organization count at the verdict, not here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum KeyStatus {
    /// It works.
    Active,
    /// Ended for good.
    Revoked,
    /// Stopped for now.
    Disabled,
    /// Past its end.
    Expired,
    /// Before its start.
    NotYetValid,
}

/// Body of `POST /v1/api-keys`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewApiKey {
    /// Whose key it will be.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub service_account_id: ServiceAccountId,
    /// 1 to 100 characters; need not be unique.
    #[cfg_attr(feature = "openapi", schema(example = "production"))]
    pub name: String,
    /// What it may do. Never optional; `"*"` follows the service account.
    #[cfg_attr(feature = "openapi", schema(example = json!(["invoices:read"])))]
    pub permissions: Vec<String>,
    /// On which objects only, such as `base:app7` or `repo:acme/*`.
    pub objects: Option<Vec<String>>,
    /// `live` (the default) or `test`.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub environment: Option<Environment>,
    /// From when on it works (RFC 3339).
    pub not_before: Option<Timestamp>,
    /// When it ends (RFC 3339).
    pub expires_at: Option<Timestamp>,
    /// From which networks only (CIDR).
    pub allowed_networks: Option<Vec<String>>,
    /// How often it may be used: every one of these must allow a request. At most 10.
    pub rate_limits: Option<Vec<NewRateLimit>>,
    /// How much it may be used in a calendar period.
    pub quota: Option<NewQuota>,
    /// Any JSON object up to 4 KiB; the verify call hands it back.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub metadata: Option<serde_json::Value>,
}

impl NewApiKey {
    /// A live key with these permissions and no limits.
    pub fn named<'a>(
        service_account_id: ServiceAccountId,
        name: &str,
        permissions: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        Self {
            service_account_id,
            name: name.to_owned(),
            permissions: permissions.into_iter().map(str::to_owned).collect(),
            objects: None,
            environment: None,
            not_before: None,
            expires_at: None,
            allowed_networks: None,
            rate_limits: None,
            quota: None,
            metadata: None,
        }
    }
}

/// Body of `PATCH /v1/api-keys/{id}`: absent members stay, `null` lifts a limit.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApiKeyChanges {
    /// New name.
    pub name: Option<String>,
    /// All that it may do from now on.
    pub permissions: Option<Vec<String>>,
    /// On which objects only.
    #[serde(deserialize_with = "present")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<String>>))]
    pub objects: Option<Option<Vec<String>>>,
    /// From when on.
    #[serde(deserialize_with = "present")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Timestamp>))]
    pub not_before: Option<Option<Timestamp>>,
    /// Until when.
    #[serde(deserialize_with = "present")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Timestamp>))]
    pub expires_at: Option<Option<Timestamp>>,
    /// From which networks only.
    #[serde(deserialize_with = "present")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<String>>))]
    pub allowed_networks: Option<Option<Vec<String>>>,
    /// All its rate limits from now on.
    #[serde(deserialize_with = "present")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<NewRateLimit>>))]
    pub rate_limits: Option<Option<Vec<NewRateLimit>>>,
    /// Its quota from now on.
    #[serde(deserialize_with = "present")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<NewQuota>))]
    pub quota: Option<Option<NewQuota>>,
    /// New metadata; replaces the old.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub metadata: Option<serde_json::Value>,
    /// Stops or restarts it.
    pub disabled: Option<bool>,
}

/// What must be known of the world to issue or widen a key, read in the same transaction.
#[derive(Debug, Clone, Copy)]
pub struct IssuingContext<'a> {
    /// Where it will act; its ceiling and policy bound it.
    pub organization: &'a Organization,
    /// Whose it will be.
    pub service_account: &'a ServiceAccount,
    /// What the service account holds there.
    pub held: &'a PermissionSet,
    /// The part of it that has instance scope.
    pub held_everywhere: &'a PermissionSet,
    /// What APIs declare.
    pub declared: &'a PermissionSet,
    /// Who asks.
    pub grantor: Grantor<'a>,
    /// The instance's brand.
    pub brand: &'a Brand,
}

/// A key with a secret that nobody has seen yet.
#[derive(Debug)]
pub struct Issued {
    /// The record; its first secret is the new one.
    pub key: ApiKey,
    /// The plaintext, to be shown once.
    pub secret: Secret,
    /// What happened.
    pub event: Event,
}

impl ApiKey {
    /// A new key.
    pub fn issue(
        new: NewApiKey,
        context: &IssuingContext<'_>,
        created_by: String,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
    ) -> Result<Issued, Rejection> {
        let policy = &context.organization.policy;
        if !policy.allows(Kind::ApiKey) {
            return Err(Rejection::conflict("kind_not_allowed", "the organization's policy does not allow API keys"));
        }
        let mut errors = FieldErrors::default();
        let name = errors.keep("/name", "invalid_name", Name::parse(&new.name));
        let permissions = context.permissions(&new.permissions, &mut errors);
        let objects = parse_objects(new.objects.as_deref(), &mut errors);
        let networks = parse_networks(new.allowed_networks.as_deref(), &mut errors);
        let limits = limit::given(new.rate_limits.as_deref(), new.quota, &mut errors);
        let metadata = parse_metadata(new.metadata.as_ref(), &mut errors);
        check_times(new.not_before, new.expires_at, now, &mut errors);
        policy.check_api_key_expiry(new.expires_at, now, &mut errors);
        errors.finish()?;
        let (Some(name), Some(permissions), Some(metadata)) = (name, permissions, metadata) else {
            return Err(Rejection::Invalid(Vec::new()));
        };
        let environment = new.environment.unwrap_or(Environment::Live);
        let secret = Secret::mint(context.brand, secret_kind(environment), rng);
        let key = Self {
            id: ApiKeyId::generate(now, rng),
            organization: context.organization.id,
            service_account: context.service_account.id,
            name,
            environment,
            permissions,
            objects,
            networks,
            not_before: whole_ms(new.not_before),
            expires_at: whole_ms(new.expires_at),
            disabled_at: None,
            revocation: None,
            confirmation: None,
            epoch: 1,
            limits,
            metadata,
            created_at: now,
            created_by,
            deleted_at: None,
            secrets: vec![SecretRecord::first(&secret, now)],
        };
        context.grantor.may_issue(&key.reach(context))?;
        let event = key.event(Action::ApiKeyCreated, key.told());
        Ok(Issued { key, secret, event })
    }

    /// Changes what `changes` names. Taking something away raises the epoch.
    pub fn update(
        self,
        changes: ApiKeyChanges,
        context: &IssuingContext<'_>,
        now: Timestamp,
    ) -> Result<(Self, Event), Rejection> {
        self.must_not_be_revoked()?;
        let mut errors = FieldErrors::default();
        let mut new = self.clone();
        if let Some(name) = changes.name {
            new.name = errors.keep("/name", "invalid_name", Name::parse(&name)).unwrap_or(new.name);
        }
        if let Some(entries) = changes.permissions {
            new.permissions = context.permissions(&entries, &mut errors).unwrap_or_default();
        }
        if let Some(objects) = changes.objects {
            new.objects = parse_objects(objects.as_deref(), &mut errors);
        }
        if let Some(networks) = changes.allowed_networks {
            new.networks = parse_networks(networks.as_deref(), &mut errors);
        }
        new.limits = limit::changed(new.limits, changes.rate_limits.as_ref(), changes.quota, &mut errors);
        if changes.metadata.is_some() {
            new.metadata = parse_metadata(changes.metadata.as_ref(), &mut errors).unwrap_or_default();
        }
        new.not_before = changes.not_before.map_or(new.not_before, whole_ms);
        if let Some(expires_at) = changes.expires_at {
            new.expires_at = whole_ms(expires_at);
            context.organization.policy.check_api_key_expiry(expires_at, now, &mut errors);
        }
        if changes.not_before.is_some() || changes.expires_at.is_some() {
            check_times(new.not_before, new.expires_at, now, &mut errors);
        }
        errors.finish()?;
        let mut action = Action::ApiKeyUpdated;
        if let Some(disabled) = changes.disabled
            && disabled != new.disabled_at.is_some()
        {
            new.disabled_at = disabled.then_some(now);
            action = if disabled { Action::ApiKeyDisabled } else { Action::ApiKeyEnabled };
        }
        if !self.is_within(&new) {
            new.epoch += 1;
        }
        // Limits are about how often, not about what: tokens made from the key stay good, and count against them.
        if !new.is_within(&self) || !new.limits.is_within(&self.limits) {
            context.grantor.may_issue(&new.reach(context))?;
        }
        let event = new.event(action, json!({ "before": self.told(), "after": new.told() }));
        Ok((new, event))
    }

    /// Gives it a new secret. The one before works on for `overlap_seconds`; any older one ends now.
    /// Without an overlap the epoch rises, for then something was taken away.
    pub fn roll(
        self,
        overlap_seconds: u32,
        context: &IssuingContext<'_>,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
    ) -> Result<Issued, Rejection> {
        if overlap_seconds > MAX_OVERLAP_SECONDS {
            let message = format!("an overlap is 0 to {MAX_OVERLAP_SECONDS} seconds (30 days)");
            return Err(Rejection::field("/overlap_seconds", "out_of_range", message));
        }
        self.must_not_be_revoked()?;
        if self.expires_at.is_some_and(|end| end <= now) {
            return Err(Rejection::conflict(
                "expired",
                "the key has expired; extend it (PATCH expires_at) or make another",
            ));
        }
        context.grantor.may_issue(&self.reach(context))?;
        let secret = Secret::mint(context.brand, secret_kind(self.environment), rng);
        let mut key = self;
        let end = now + SignedDuration::from_secs(i64::from(overlap_seconds));
        for (index, old) in key.secrets.iter_mut().enumerate() {
            let end = if index == 0 { end } else { now };
            old.ends_at = Some(old.ends_at.map_or(end, |ends_at| ends_at.min(end)));
        }
        let number = key.secrets.first().map_or(1, |current| current.number + 1);
        key.secrets.insert(0, SecretRecord { number, ..SecretRecord::first(&secret, now) });
        if overlap_seconds == 0 {
            key.epoch += 1;
        }
        let details = json!({ "name": key.name.as_str(), "generation": number, "overlap_seconds": overlap_seconds });
        let event = key.event(Action::ApiKeyRolled, details);
        Ok(Issued { key, secret, event })
    }

    /// Ends it for good.
    pub fn revoke(self, reason: RevokeReason, now: Timestamp) -> Result<(Self, Event), Rejection> {
        self.must_not_be_revoked()?;
        let new = Self { revocation: Some(Revocation { at: now, reason }), epoch: self.epoch + 1, ..self };
        let event = new.event(Action::ApiKeyRevoked, json!({ "name": new.name.as_str(), "reason": reason }));
        Ok((new, event))
    }

    /// Ends it and stops listing it. Its digests stay, so that its tokens are known as revoked for good.
    pub fn delete(self, now: Timestamp) -> (Self, Event) {
        let revocation = self.revocation.unwrap_or(Revocation { at: now, reason: RevokeReason::Unspecified });
        let new = Self { revocation: Some(revocation), deleted_at: Some(now), epoch: self.epoch + 1, ..self };
        let event = new.event(Action::ApiKeyDeleted, new.told());
        (new, event)
    }

    /// What a list shows.
    pub fn status(&self, now: Timestamp) -> KeyStatus {
        if self.revocation.is_some() {
            KeyStatus::Revoked
        } else if self.disabled_at.is_some() {
            KeyStatus::Disabled
        } else if self.expires_at.is_some_and(|end| end <= now) {
            KeyStatus::Expired
        } else if self.not_before.is_some_and(|start| now < start) {
            KeyStatus::NotYetValid
        } else {
            KeyStatus::Active
        }
    }

    /// What the verdict needs to know of it.
    pub fn facts(self) -> CredentialFacts {
        CredentialFacts {
            id: self.id.into(),
            kind: CredentialKind::ApiKey,
            name: self.name.to_string(),
            environment: self.environment,
            permissions: self.permissions,
            objects: self.objects,
            networks: self.networks,
            not_before: self.not_before,
            expires_at: self.expires_at,
            disabled: self.disabled_at.is_some(),
            revoked: self.revocation.is_some(),
            pending_approval: false,
            confirmation: self.confirmation,
            epoch: self.epoch,
            limits: self.limits,
            metadata: self.metadata.raw().to_owned(),
        }
    }

    /// The event of somebody using a secret that was rolled away: seen from use, not from a change.
    pub fn retired_secret_used(id: ApiKeyId, organization: OrganizationId, number: u32, hint: &str) -> Event {
        Event {
            chain: Chain::Organization(organization),
            action: Action::ApiKeyRetiredSecretUsed,
            target: id.to_string(),
            details: json!({ "generation": number, "hint": hint }),
            touched: Vec::new(),
        }
    }

    fn must_not_be_revoked(&self) -> Result<(), Rejection> {
        match self.revocation {
            None => Ok(()),
            Some(_) => Err(Rejection::conflict("revoked", "the key is revoked, which is final; make another")),
        }
    }

    /// Whether everything that this key can do, `other` can do too.
    fn is_within(&self, other: &Self) -> bool {
        fn bounded<T>(own: Option<&T>, other: Option<&T>, within: impl Fn(&T, &T) -> bool) -> bool {
            other.is_none_or(|other| own.is_some_and(|own| within(own, other)))
        }
        self.permissions.is_within(&other.permissions)
            && bounded(self.objects.as_ref(), other.objects.as_ref(), ObjectSet::is_within)
            && bounded(self.networks.as_ref(), other.networks.as_ref(), NetworkSet::is_within)
            && bounded(self.expires_at.as_ref(), other.expires_at.as_ref(), |own, other| own <= other)
            && bounded(self.not_before.as_ref(), other.not_before.as_ref(), |own, other| own >= other)
            && (self.disabled_at.is_some() || other.disabled_at.is_none())
    }

    fn reach<'a>(&'a self, context: &IssuingContext<'a>) -> Widening<'a> {
        Widening {
            principal: self.service_account.into(),
            organization: self.organization,
            permissions: &self.permissions,
            held_everywhere: context.held_everywhere,
            objects: self.objects.as_ref(),
            networks: self.networks.as_ref(),
            expires_at: self.expires_at,
            environment: self.environment,
            limits: &self.limits,
        }
    }

    fn event(&self, action: Action, details: serde_json::Value) -> Event {
        Event {
            chain: Chain::Organization(self.organization),
            action,
            target: self.id.to_string(),
            details,
            touched: vec![Touched::Credential(CredentialId::ApiKey(self.id))],
        }
    }

    fn told(&self) -> serde_json::Value {
        json!({
            "service_account": self.service_account, "name": self.name.as_str(), "environment": self.environment,
            "permissions": self.permissions, "objects": self.objects, "allowed_networks": self.networks,
            "not_before": self.not_before, "expires_at": self.expires_at, "disabled": self.disabled_at.is_some(),
            "rate_limits": self.limits.rates, "quota": self.limits.quota, "metadata_sha256": self.metadata.sha256(),
        })
    }
}

impl SecretRecord {
    /// What the verdict needs to know of it.
    pub fn facts(&self) -> SecretFacts {
        SecretFacts { number: self.number, ends_at: self.ends_at }
    }

    fn first(secret: &Secret, now: Timestamp) -> Self {
        Self {
            number: 1,
            hint: secret.hint(),
            created_at: now,
            ends_at: None,
            last_used_at: None,
            last_used_from: None,
        }
    }
}

impl IssuingContext<'_> {
    /// A key's list: declared, held by the service account under the ceiling, wildcards if policy allows them.
    fn permissions(&self, entries: &[String], errors: &mut FieldErrors) -> Option<PermissionMask> {
        let mask = parse_mask("/permissions", entries, self.declared, errors)?;
        let held = self.held.masked_by(&self.organization.effective_ceiling());
        for (index, entry) in entries.iter().enumerate() {
            let pointer = format!("/permissions/{index}");
            if entry.ends_with('*') {
                if !self.organization.policy.wildcard_allowed {
                    errors.add(pointer, "wildcard_forbidden", "the organization's policy asks for permissions by name");
                }
            } else if !held.contains(entry) {
                let message = format!(
                    "the service account does not hold {entry}; give it a role or the permission first (PATCH /v1/service-accounts/{})",
                    self.service_account.id
                );
                errors.add(pointer, "permission_not_held", message);
            }
        }
        Some(mask)
    }
}

fn secret_kind(environment: Environment) -> SecretKind {
    match environment {
        Environment::Live => SecretKind::ApiKey,
        Environment::Test => SecretKind::TestApiKey,
    }
}

fn parse_objects(entries: Option<&[String]>, errors: &mut FieldErrors) -> Option<ObjectSet> {
    errors.at_most(MAX_LIMITS, "/objects", entries?.len())?;
    errors.keep_list("/objects", "invalid_object", ObjectSet::parse(entries?))
}

fn parse_networks(entries: Option<&[String]>, errors: &mut FieldErrors) -> Option<NetworkSet> {
    errors.at_most(MAX_LIMITS, "/allowed_networks", entries?.len())?;
    errors.keep_list("/allowed_networks", "invalid_network", NetworkSet::parse(entries?))
}

/// What is stored and answered has whole milliseconds; what a caller sends may have more.
fn whole_ms(time: Option<Timestamp>) -> Option<Timestamp> {
    time.and_then(|time| Timestamp::from_millisecond(time.as_millisecond()).ok())
}

fn check_times(not_before: Option<Timestamp>, expires_at: Option<Timestamp>, now: Timestamp, errors: &mut FieldErrors) {
    if let Some(end) = expires_at {
        if end <= now {
            errors.add("/expires_at", "in_the_past", format!("an end in the future; it is now {now}"));
        }
        if not_before.is_some_and(|start| start >= end) {
            errors.add("/not_before", "after_expiry", "a start before expires_at");
        }
    }
}

#[cfg(test)]
mod tests;
