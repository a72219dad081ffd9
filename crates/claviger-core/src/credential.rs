//! Credentials: what API keys, personal access tokens and what clients prove themselves by have in common, which is nearly
//! everything. How each kind is issued stands in its own room; what a credential is worth at a moment is [`claviger_token::decide`]'s to say.

mod change;
mod overlap;

use claviger_token::{
    Confirmation, CredentialFacts, CredentialId, CredentialKind, Environment, Limits, NetworkSet, ObjectSet,
    OrganizationId, PermissionMask, PrincipalId, Secret, SecretFacts, SecretKind,
};
use jiff::{SignedDuration, Timestamp};
use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    audit::{Chain, Event, Touched},
    builtin::permission::CREDENTIALS_WRITE,
    invalid::{FieldErrors, Rejection, present},
    issuing::{Issued, IssuingContext, check_times, parse_networks, parse_objects, whole_ms},
    limit::{self, NewQuota, NewRateLimit},
    metadata::Metadata,
    name::Name,
    organization::parse_metadata,
    rights::Widening,
};

pub(crate) use change::Change;

/// The longest overlap of a roll: 30 days.
const MAX_OVERLAP_SECONDS: u32 = 30 * 24 * 60 * 60;

/// A credential that lasts: an API key, a client secret or a public key of a service account, or a personal access token of a
/// user. It keeps its id while its secrets come and go; a public key has none.
#[derive(Debug, Clone, PartialEq)]
pub struct Credential {
    /// Its id, which says its kind.
    pub id: CredentialId,
    /// Where it acts.
    pub organization: OrganizationId,
    /// Whose it is.
    pub principal: PrincipalId,
    /// How people call it.
    pub name: Name,
    /// Live or test; also told by the token's prefix.
    pub environment: Environment,
    /// What it may do, if its principal still may.
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
    /// By whom: a principal's id, or `operator`.
    pub disabled_by: Option<String>,
    /// How it ended.
    pub revocation: Option<Revocation>,
    /// Where it stands with the approval that a policy wants; `None`: none was wanted.
    pub approval: Option<Approval>,
    /// What its bearer must prove to hold, for good.
    pub confirmation: Option<Confirmation>,
    /// Raised by whatever takes something away; tokens made from a lower one are dead.
    pub epoch: u64,
    /// When it was raised last.
    pub epoch_raised_at: Option<Timestamp>,
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
    /// The last use of one that has no secrets, as far as flushed (within a second).
    pub used_without_secret: Option<LastUsed>,
}

/// When and from where something was last used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastUsed {
    /// When.
    pub at: Timestamp,
    /// From which address, where it was told.
    pub from: Option<String>,
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
    /// Who saw it: a principal's id, or `operator`. What a credential rolled by itself was seen by whoever saw it before.
    pub created_by: String,
}

/// An approval that a credential needs before it works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Approval {
    /// Asked for.
    Pending {
        /// Since when.
        since: Timestamp,
    },
    /// Given.
    Given {
        /// When.
        at: Timestamp,
        /// By whom: a principal's id, or `operator`.
        by: String,
    },
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
    /// Every reason there is.
    pub const ALL: [Self; 6] =
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

/// What a list shows of a credential's state. Its principal and organization count at the verdict, not here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum CredentialStatus {
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
    /// Waits for an approval.
    PendingApproval,
}

/// Body of `PATCH` of a credential: absent members stay, `null` lifts a limit.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CredentialChanges {
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

impl CredentialChanges {
    /// Whether only what people read of it changes, and nothing that it may do.
    pub fn only_tells(&self) -> bool {
        let Self { name: _, metadata: _, permissions, objects, not_before, expires_at, allowed_networks, .. } = self;
        let limits = self.rate_limits.is_some() || self.quota.is_some();
        permissions.is_none()
            && objects.is_none()
            && not_before.is_none()
            && expires_at.is_none()
            && allowed_networks.is_none()
            && !limits
            && self.disabled.is_none()
    }
}

impl Credential {
    /// Changes what `changes` names. Taking something away raises the epoch, and so do waiting and working again; what is given, be it more time, needs the
    /// approval anew where one is wanted, which whoever governs gives with the change. `by` is who changes it.
    pub fn update(
        self,
        changes: CredentialChanges,
        context: &IssuingContext<'_>,
        by: String,
        now: Timestamp,
    ) -> Result<(Self, Event), Rejection> {
        self.must_not_be_revoked()?;
        let policy = &context.organization.policy;
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
            policy.check_objects(self.id, new.objects.as_ref(), context.held, &mut errors);
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
            policy.check_expiry(self.id, expires_at, now, &mut errors);
        }
        if changes.not_before.is_some() || changes.expires_at.is_some() {
            check_times(new.not_before, new.expires_at, now, &mut errors);
        }
        errors.finish()?;
        let mut change = Change::Updated;
        if let Some(disabled) = changes.disabled
            && disabled != new.disabled_at.is_some()
        {
            if !disabled {
                self.must_be_theirs_to_enable(context, &by)?;
            }
            (new.disabled_at, new.disabled_by) = disabled.then_some((now, by.clone())).unzip();
            change = if disabled { Change::Disabled } else { Change::Enabled };
        } else if changes.disabled == Some(true) && context.governs && new.disabled_by.as_ref() != Some(&by) {
            // Who governs stops it too: from now on its owner does not start it again.
            new.disabled_by = Some(by.clone());
            change = Change::Disabled;
        }
        // Limits are about how often, not about what: tokens made from the credential stay good, and count against them.
        if new.widens(&self) {
            context.grantor.may_issue(&new.reach(context))?;
        }
        // Whoever approves it approves what they saw; who governs could approve it, and so changes what they would.
        let as_asked = new.limits == self.limits && new.metadata == self.metadata;
        if self.is_pending() && (!new.lasts_within(&self) || !as_asked && !context.governs) {
            let message = "it waits for an approval as it is; make another, or change it once it is approved";
            return Err(Rejection::conflict("pending_approval", message));
        }
        if policy.wants_approval(self.id) && !new.lasts_within(&self) {
            new.approval = Some(match context.governs {
                true => Approval::Given { at: now, by },
                false => Approval::Pending { since: now },
            });
        }
        let waits = new.is_pending() && !self.is_pending();
        // While it was stopped, the next epoch was told as the lowest that counts, and whoever keeps that must not keep it from working.
        let works_again = self.disabled_at.is_some() && new.disabled_at.is_none();
        if waits || works_again || !self.is_within(&new) {
            new.raise_epoch(now);
        }
        let event = new.event(change, json!({ "before": self.told(), "after": new.told() }));
        Ok((new, event))
    }

    /// Gives it a new secret. The one before works on for `overlap_seconds`; any older one ends now.
    /// The epoch rises if a secret ends now that worked until then, for tokens that were made by it would go on. `by` is who sees the new one.
    pub fn roll(
        self,
        overlap_seconds: u32,
        context: &IssuingContext<'_>,
        by: String,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
    ) -> Result<Issued, Rejection> {
        if overlap_seconds > MAX_OVERLAP_SECONDS {
            let message = format!("an overlap is 0 to {MAX_OVERLAP_SECONDS} seconds (30 days)");
            return Err(Rejection::field("/overlap_seconds", "out_of_range", message));
        }
        self.must_not_be_revoked()?;
        if self.expires_at.is_some_and(|end| end <= now) {
            let message = format!("the {} has expired; extend it (PATCH expires_at) or make another", self.noun());
            return Err(Rejection::conflict("expired", message));
        }
        let kind = self.must_have_secrets()?;
        context.grantor.may_issue(&self.reach(context))?;
        let secret = Secret::mint(context.brand, kind, rng);
        let mut new = self;
        let end = now + SignedDuration::from_secs(i64::from(overlap_seconds));
        let mut ends_one = false;
        for (index, old) in new.secrets.iter_mut().enumerate() {
            let end = if index == 0 { end } else { now };
            ends_one |= end <= now && old.ends_at.is_none_or(|ends_at| ends_at > now);
            old.ends_at = Some(old.ends_at.map_or(end, |ends_at| ends_at.min(end)));
        }
        let number = new.secrets.first().map_or(1, |current| current.number + 1);
        new.secrets.insert(0, SecretRecord { number, ..SecretRecord::first(&secret, by, now) });
        if ends_one {
            new.raise_epoch(now);
        }
        let details = json!({ "name": new.name.as_str(), "generation": number, "overlap_seconds": overlap_seconds });
        let event = new.event(Change::Rolled, details);
        Ok(Issued { credential: new, secret, event })
    }

    /// Whether who asks may hand it out: a new secret of it, or that it works again.
    pub fn may_be_handed_out(&self, context: &IssuingContext<'_>) -> bool {
        context.grantor.may_issue(&self.reach(context)).is_ok()
    }

    /// The latest use of any of its secrets, or of itself if it has none.
    pub fn last_used(&self) -> Option<LastUsed> {
        let last =
            self.secrets.iter().filter_map(|secret| Some((secret.last_used_at?, secret))).max_by_key(|last| last.0);
        let of_secret = |(at, secret): (Timestamp, &SecretRecord)| LastUsed { at, from: secret.last_used_from.clone() };
        last.map(of_secret).or_else(|| self.used_without_secret.clone())
    }

    /// Who saw its current secret.
    pub fn seen_by(&self) -> &str {
        self.secrets.first().map_or(&self.created_by, |current| &current.created_by)
    }

    /// Ends it for good.
    pub fn revoke(self, reason: RevokeReason, now: Timestamp) -> Result<(Self, Event), Rejection> {
        self.must_not_be_revoked()?;
        let mut new = Self { revocation: Some(Revocation { at: now, reason }), ..self };
        new.raise_epoch(now);
        let event = new.event(Change::Revoked, json!({ "name": new.name.as_str(), "reason": reason }));
        Ok((new, event))
    }

    /// All that somebody sees of it who approves it: another text, if any of it has changed since.
    pub fn as_asked(&self) -> String {
        self.told().to_string()
    }

    /// Lets it work, as a policy wants somebody to.
    pub fn approve(self, by: String, now: Timestamp) -> Result<(Self, Event), Rejection> {
        self.must_be_pending()?;
        let new = Self { approval: Some(Approval::Given { at: now, by }), ..self };
        let event = new.event(Change::Approved, new.told());
        Ok((new, event))
    }

    /// Ends it instead of letting it work.
    pub fn deny(self, now: Timestamp) -> Result<(Self, Event), Rejection> {
        self.must_be_pending()?;
        let revocation = Some(Revocation { at: now, reason: RevokeReason::Policy });
        let mut new = Self { revocation, ..self };
        new.raise_epoch(now);
        let event = new.event(Change::Denied, new.told());
        Ok((new, event))
    }

    /// Ends it and stops listing it. Its digests stay, so that its tokens are known as revoked for good.
    pub fn delete(self, now: Timestamp) -> (Self, Event) {
        let revocation = self.revocation.unwrap_or(Revocation { at: now, reason: RevokeReason::Unspecified });
        let mut new = Self { revocation: Some(revocation), deleted_at: Some(now), ..self };
        new.raise_epoch(now);
        let event = new.event(Change::Deleted, new.told());
        (new, event)
    }

    /// Ends every token that was made before.
    fn raise_epoch(&mut self, now: Timestamp) {
        self.epoch += 1;
        self.epoch_raised_at = Some(now);
    }

    /// What a list shows.
    pub fn status(&self, now: Timestamp) -> CredentialStatus {
        if self.revocation.is_some() {
            CredentialStatus::Revoked
        } else if self.disabled_at.is_some() {
            CredentialStatus::Disabled
        } else if self.is_pending() {
            CredentialStatus::PendingApproval
        } else if self.expires_at.is_some_and(|end| end <= now) {
            CredentialStatus::Expired
        } else if self.not_before.is_some_and(|start| now < start) {
            CredentialStatus::NotYetValid
        } else {
            CredentialStatus::Active
        }
    }

    /// What the verdict needs to know of it.
    pub fn facts(self) -> CredentialFacts {
        let pending_approval = self.is_pending();
        CredentialFacts {
            id: self.id,
            kind: match self.id {
                CredentialId::ApiKey(_) => CredentialKind::ApiKey,
                CredentialId::PersonalAccessToken(_) => CredentialKind::PersonalAccessToken,
                // None is shown to an API: what comes of it at the token endpoint is.
                CredentialId::ClientSecret(_)
                | CredentialId::PublicKey(_)
                | CredentialId::Certificate(_)
                | CredentialId::Federation(_) => CredentialKind::AccessToken,
            },
            name: self.name.to_string(),
            environment: self.environment,
            permissions: self.permissions,
            objects: self.objects,
            networks: self.networks,
            not_before: self.not_before,
            expires_at: self.expires_at,
            disabled: self.disabled_at.is_some(),
            revoked: self.revocation.is_some(),
            pending_approval,
            confirmation: self.confirmation,
            epoch: self.epoch,
            limits: self.limits,
            metadata: self.metadata.raw().to_owned(),
        }
    }

    /// The event of somebody using a secret that was rolled away: seen from use, not from a change.
    pub fn retired_secret_used(id: CredentialId, organization: OrganizationId, number: u32, hint: &str) -> Event {
        let details = json!({ "generation": number, "hint": hint });
        Self::event_of(id, organization, Change::RetiredSecretUsed, details, Vec::new())
    }

    /// The event of its end with its owner. What nodes must forget, the owner's event says.
    pub fn ended(id: CredentialId, organization: OrganizationId, reason: RevokeReason) -> Event {
        Self::event_of(id, organization, Change::Revoked, json!({ "reason": reason }), Vec::new())
    }

    /// The event of its being revoked as one of many.
    pub fn revoked_by_query(id: CredentialId, organization: OrganizationId, reason: RevokeReason) -> Event {
        Self::event_of(id, organization, Change::Revoked, json!({ "reason": reason }), vec![Touched::Credential(id)])
    }

    /// What it is called in messages.
    fn noun(&self) -> &'static str {
        match self.id {
            CredentialId::ApiKey(_) => "key",
            CredentialId::PersonalAccessToken(_) => "token",
            CredentialId::ClientSecret(_) => "client secret",
            CredentialId::PublicKey(_) => "public key",
            CredentialId::Certificate(_) => "certificate",
            CredentialId::Federation(_) => "federated identity",
        }
    }

    /// Whether it waits for an approval.
    pub fn is_pending(&self) -> bool {
        matches!(self.approval, Some(Approval::Pending { .. }))
    }

    fn must_be_pending(&self) -> Result<(), Rejection> {
        self.must_not_be_revoked()?;
        if self.is_pending() {
            return Ok(());
        }
        Err(Rejection::conflict("not_pending", format!("the {} does not wait for an approval", self.noun())))
    }

    /// What somebody else stopped may be in the wrong hands: its owner does not know why.
    fn must_be_theirs_to_enable(&self, context: &IssuingContext<'_>, by: &str) -> Result<(), Rejection> {
        if context.governs || self.disabled_by.as_deref() == Some(by) {
            return Ok(());
        }
        let message =
            format!("somebody who governs the organization stopped this {}; ask them to enable it", self.noun());
        Err(Rejection::Withheld { code: "disabled_by_another", permission: CREDENTIALS_WRITE, message })
    }

    fn must_not_be_revoked(&self) -> Result<(), Rejection> {
        match self.revocation {
            None => Ok(()),
            Some(_) => {
                let message = format!("the {} is revoked, which is final; make another", self.noun());
                Err(Rejection::conflict("revoked", message))
            }
        }
    }

    /// Whether it can do something that it could not before, or again.
    pub fn widens(&self, before: &Self) -> bool {
        !self.is_within(before) || !self.limits.is_within(&before.limits)
    }

    /// Whether everything that this one can do, `other` can do too.
    fn is_within(&self, other: &Self) -> bool {
        self.lasts_within(other) && (self.disabled_at.is_some() || other.disabled_at.is_none())
    }

    /// The same if neither were stopped: permissions, objects, networks and time.
    fn lasts_within(&self, other: &Self) -> bool {
        self.permissions.is_within(&other.permissions)
            && bounded(self.objects.as_ref(), other.objects.as_ref(), ObjectSet::is_within)
            && bounded(self.networks.as_ref(), other.networks.as_ref(), NetworkSet::is_within)
            && bounded(self.expires_at.as_ref(), other.expires_at.as_ref(), |own, other| own <= other)
            && bounded(self.not_before.as_ref(), other.not_before.as_ref(), |own, other| own >= other)
    }

    pub(crate) fn reach<'a>(&'a self, context: &IssuingContext<'a>) -> Widening<'a> {
        Widening {
            principal: self.principal,
            organization: self.organization,
            permissions: &self.permissions,
            held_everywhere: context.held_everywhere,
            objects: self.objects.as_ref(),
            networks: self.networks.as_ref(),
            expires_at: self.expires_at,
            environment: self.environment,
            confirmation: self.confirmation,
            limits: &self.limits,
        }
    }

    /// What its secrets are, if it is of a kind that has any.
    pub(crate) fn must_have_secrets(&self) -> Result<SecretKind, Rejection> {
        match (self.id, self.environment) {
            (CredentialId::ApiKey(_), Environment::Live) => Ok(SecretKind::ApiKey),
            (CredentialId::ApiKey(_), Environment::Test) => Ok(SecretKind::TestApiKey),
            (CredentialId::PersonalAccessToken(_), _) => Ok(SecretKind::PersonalAccessToken),
            (CredentialId::ClientSecret(_), _) => Ok(SecretKind::ClientSecret),
            (CredentialId::PublicKey(_), _) => {
                let message = "a public key has no secret to roll; register the next key, and revoke this one then";
                Err(Rejection::conflict("no_secret", message))
            }
            (CredentialId::Certificate(_), _) => {
                let message = "a certificate has no secret to roll; add the next one, and revoke this one then";
                Err(Rejection::conflict("no_secret", message))
            }
            (CredentialId::Federation(_), _) => {
                let message = "a federated identity has no secret to roll: its issuer signs anew all the time";
                Err(Rejection::conflict("no_secret", message))
            }
        }
    }

    pub(crate) fn event(&self, change: Change, details: serde_json::Value) -> Event {
        let touched = vec![Touched::Credential(self.id)];
        Self::event_of(self.id, self.organization, change, details, touched)
    }

    pub(crate) fn event_of(
        id: CredentialId,
        organization: OrganizationId,
        change: Change,
        details: serde_json::Value,
        touched: Vec<Touched>,
    ) -> Event {
        let chain = Chain::Organization(organization);
        Event { chain, action: change.action(id), target: id.to_string(), details, personal: None, touched }
    }

    pub(crate) fn told(&self) -> serde_json::Value {
        json!({
            "principal": self.principal, "name": self.name.as_str(), "environment": self.environment,
            "permissions": self.permissions, "objects": self.objects, "allowed_networks": self.networks,
            "not_before": self.not_before, "expires_at": self.expires_at, "disabled": self.disabled_at.is_some(),
            "cnf": self.confirmation, "rate_limits": self.limits.rates, "quota": self.limits.quota, "metadata_sha256": self.metadata.sha256(),
        })
    }
}

impl SecretRecord {
    /// What the verdict needs to know of it.
    pub fn facts(&self) -> SecretFacts {
        SecretFacts { number: self.number, ends_at: self.ends_at }
    }

    pub(crate) fn first(secret: &Secret, created_by: String, now: Timestamp) -> Self {
        Self {
            number: 1,
            hint: secret.hint(),
            created_at: now,
            ends_at: None,
            last_used_at: None,
            last_used_from: None,
            created_by,
        }
    }
}

/// Whether a limit lies within another; `None` is none.
fn bounded<T>(own: Option<&T>, other: Option<&T>, within: impl Fn(&T, &T) -> bool) -> bool {
    other.is_none_or(|other| own.is_some_and(|own| within(own, other)))
}

#[cfg(test)]
mod tests;
