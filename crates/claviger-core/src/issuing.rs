//! What every kind of credential is issued with: who it is for, what it may be given, and how the parts of a body are read.

use claviger_token::{
    Brand, CredentialId, Environment, NetworkSet, ObjectSet, PermissionMask, PermissionSet, PrincipalId, Secret,
};
use jiff::Timestamp;
use rand::CryptoRng;

use crate::{
    audit::Event,
    binding::AskedBinding,
    credential::{Approval, Change, Credential, SecretRecord},
    invalid::{FieldErrors, Rejection},
    limit::{self, NewQuota, NewRateLimit},
    name::Name,
    organization::{Organization, parse_mask, parse_metadata},
    rights::Grantor,
};

/// Every verification walks them, and a gateway passes them on in a header.
const MAX_LIMITS: usize = 100;

/// What must be known of the world to issue or widen a credential, read in the same transaction.
#[derive(Debug, Clone, Copy)]
pub struct IssuingContext<'a> {
    /// Where it will act; its ceiling and policy bound it.
    pub organization: &'a Organization,
    /// Whose it will be.
    pub principal: PrincipalId,
    /// What it holds there.
    pub held: &'a PermissionSet,
    /// The part of it that has instance scope.
    pub held_everywhere: &'a PermissionSet,
    /// What APIs declare.
    pub declared: &'a PermissionSet,
    /// Who asks.
    pub grantor: Grantor<'a>,
    /// Whether they govern the credentials of others there, and do not only manage their own.
    pub governs: bool,
    /// The instance's brand.
    pub brand: &'a Brand,
}

/// A credential with a secret that nobody has seen yet.
#[derive(Debug)]
pub struct Issued {
    /// The record; its first secret is the new one.
    pub credential: Credential,
    /// The plaintext, to be shown once.
    pub secret: Secret,
    /// What happened.
    pub event: Event,
}

impl Issued {
    /// One whose secret `who` sees instead of the one who makes it.
    #[must_use]
    pub fn seen_by(mut self, who: &str) -> Self {
        if let Some(first) = self.credential.secrets.first_mut() {
            who.clone_into(&mut first.created_by);
        }
        self
    }
}

/// What a body says of a new credential, whatever its kind.
pub(crate) struct Asked<'a> {
    pub(crate) id: CredentialId,
    pub(crate) name: &'a str,
    pub(crate) environment: Environment,
    pub(crate) permissions: AskedPermissions<'a>,
    pub(crate) objects: Option<&'a [String]>,
    pub(crate) not_before: Option<Timestamp>,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) allowed_networks: Option<&'a [String]>,
    pub(crate) rate_limits: Option<&'a [NewRateLimit]>,
    pub(crate) quota: Option<NewQuota>,
    pub(crate) binding: AskedBinding<'a>,
    pub(crate) metadata: Option<&'a serde_json::Value>,
}

/// What a new credential may do.
pub(crate) enum AskedPermissions<'a> {
    /// This.
    Listed(&'a [String]),
    /// All that its principal may, Claviger's own API included, whatever policy says of lists.
    AllOfPrincipal,
}

impl Asked<'_> {
    /// One that lasts, and says nothing but its name and its end: it stands for all of its principal.
    pub(crate) fn of_client(id: CredentialId, name: &str, expires_at: Option<Timestamp>) -> Asked<'_> {
        Asked {
            id,
            name,
            environment: Environment::Live,
            permissions: AskedPermissions::AllOfPrincipal,
            objects: None,
            not_before: None,
            expires_at,
            allowed_networks: None,
            rate_limits: None,
            quota: None,
            binding: AskedBinding::default(),
            metadata: None,
        }
    }

    /// The credential that was asked for with its first secret.
    pub(crate) fn issue(
        self,
        context: &IssuingContext<'_>,
        created_by: String,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
    ) -> Result<Issued, Rejection> {
        let mut credential = self.record(context, created_by, now, FieldErrors::default())?;
        let secret = Secret::mint(context.brand, credential.must_have_secrets()?, rng);
        credential.secrets.push(SecretRecord::first(&secret, credential.created_by.clone(), now));
        let event = credential.event(Change::Created, credential.told());
        Ok(Issued { credential, secret, event })
    }

    /// The credential that was asked for, if the organization's policy, what the principal holds and who asks allow it. It has no
    /// secret yet. `errors` are what is wrong with the rest of the body.
    pub(crate) fn record(
        self,
        context: &IssuingContext<'_>,
        created_by: String,
        now: Timestamp,
        mut errors: FieldErrors,
    ) -> Result<Credential, Rejection> {
        let policy = &context.organization.policy;
        policy.must_allow(self.id)?;
        let name = errors.keep("/name", "invalid_name", Name::parse(self.name));
        let permissions = match self.permissions {
            AskedPermissions::Listed(entries) => context.permissions(entries, &mut errors),
            AskedPermissions::AllOfPrincipal => Some(PermissionMask::everything()),
        };
        let objects = parse_objects(self.objects, &mut errors);
        if self.objects.is_none() {
            policy.check_objects(self.id, None, context.held, &mut errors);
        }
        let networks = parse_networks(self.allowed_networks, &mut errors);
        let limits = limit::given(self.rate_limits, self.quota, &mut errors);
        let metadata = parse_metadata(self.metadata, &mut errors);
        let confirmation = self.binding.parse(&mut errors);
        check_times(self.not_before, self.expires_at, now, &mut errors);
        policy.check_expiry(self.id, self.expires_at, now, &mut errors);
        errors.finish()?;
        let (Some(name), Some(permissions), Some(metadata)) = (name, permissions, metadata) else {
            return Err(Rejection::Invalid(Vec::new()));
        };
        let credential = Credential {
            id: self.id,
            organization: context.organization.id,
            principal: context.principal,
            name,
            environment: self.environment,
            permissions,
            objects,
            networks,
            not_before: whole_ms(self.not_before),
            expires_at: whole_ms(self.expires_at),
            disabled_at: None,
            disabled_by: None,
            revocation: None,
            approval: policy.wants_approval(self.id).then_some(Approval::Pending { since: now }),
            confirmation,
            epoch: 1,
            epoch_raised_at: None,
            limits,
            metadata,
            created_at: now,
            created_by,
            deleted_at: None,
            secrets: Vec::new(),
            used_without_secret: None,
        };
        context.grantor.may_issue(&credential.reach(context))?;
        Ok(credential)
    }
}

impl IssuingContext<'_> {
    /// A credential's list: declared, held by the principal under the ceiling, wildcards if policy allows them.
    pub(crate) fn permissions(&self, entries: &[String], errors: &mut FieldErrors) -> Option<PermissionMask> {
        let mask = parse_mask("/permissions", entries, self.declared, errors)?;
        let held = self.held.masked_by(&self.organization.effective_ceiling());
        for (index, entry) in entries.iter().enumerate() {
            let pointer = format!("/permissions/{index}");
            if entry.ends_with('*') {
                if !self.organization.policy.wildcard_allowed {
                    errors.add(pointer, "wildcard_forbidden", "the organization's policy asks for permissions by name");
                }
            } else if !held.contains(entry) {
                let message = match self.principal {
                    PrincipalId::ServiceAccount(id) => format!(
                        "the service account does not hold {entry}; give it a role or the permission first (`claviger service-account update {id}`, PATCH /v1/service-accounts/{id})"
                    ),
                    PrincipalId::User(id) => format!(
                        "the user does not hold {entry} there; an administrator can give it (`claviger org add-member`, PUT \
                         /v1/organizations/{}/members/{id})",
                        self.organization.id
                    ),
                };
                errors.add(pointer, "permission_not_held", message);
            }
        }
        Some(mask)
    }
}

pub(crate) fn parse_objects(entries: Option<&[String]>, errors: &mut FieldErrors) -> Option<ObjectSet> {
    errors.at_most(MAX_LIMITS, "/objects", entries?.len())?;
    errors.keep_list("/objects", "invalid_object", ObjectSet::parse(entries?))
}

pub(crate) fn parse_networks(entries: Option<&[String]>, errors: &mut FieldErrors) -> Option<NetworkSet> {
    errors.at_most(MAX_LIMITS, "/allowed_networks", entries?.len())?;
    errors.keep_list("/allowed_networks", "invalid_network", NetworkSet::parse(entries?))
}

/// What is stored and answered has whole milliseconds; what a caller sends may have more.
pub(crate) fn whole_ms(time: Option<Timestamp>) -> Option<Timestamp> {
    time.and_then(|time| Timestamp::from_millisecond(time.as_millisecond()).ok())
}

pub(crate) fn check_times(
    not_before: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    now: Timestamp,
    errors: &mut FieldErrors,
) {
    if let Some(end) = expires_at {
        if end <= now {
            errors.add("/expires_at", "in_the_past", format!("an end in the future; it is now {now}"));
        }
        if not_before.is_some_and(|start| start >= end) {
            errors.add("/not_before", "after_expiry", "a start before expires_at");
        }
    }
}
