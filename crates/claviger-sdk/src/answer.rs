//! An answer of the verify call, and the facts that it holds for whoever decides alone.

use std::sync::Arc;

use claviger_token::{
    CredentialFacts, CredentialId, CredentialKind, Environment, Found, Generation, Limits, Named, NetworkSet,
    ObjectSet, OrganizationFacts, OrganizationId, PermissionMask, PermissionSet, PrincipalFacts, PrincipalId, Refusal,
    Rights, SecretFacts, Verdict,
};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// The body is no answer of the verify call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no answer of the verify call")]
pub struct NoAnswer;

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The verdict on what was asked.
    pub verdict: Verdict,
    /// The credential, once it is known and valid. Of its facts those are there that the answer tells.
    pub found: Option<Found>,
    /// For how many seconds it may be decided from these facts alone; none if it may not.
    pub max_age_seconds: Option<u64>,
    /// When to try again, if a limit refused.
    pub retry_after_seconds: Option<u64>,
}

#[derive(Deserialize)]
struct Body {
    code: String,
    credential: Option<Named<Credential>>,
    principal: Option<Named<Principal>>,
    organization: Option<Named<Organization>>,
    permissions: Option<Vec<String>>,
    /// None if the member is absent, which means that nobody knows; `null` if it is for all objects.
    #[serde(default, deserialize_with = "said")]
    objects: Option<Option<ObjectSet>>,
    metadata: Option<Box<RawValue>>,
    retry_after_seconds: Option<u64>,
    cache: Option<Box<RawValue>>,
}

/// Tells `null` from nothing.
fn said<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

#[derive(Deserialize)]
struct Credential {
    id: CredentialId,
    kind: CredentialKind,
    name: String,
    generation: Option<Generation>,
    environment: Environment,
    expires_at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Principal {
    id: PrincipalId,
    name: String,
    external_id: Option<String>,
}

#[derive(Deserialize)]
struct Organization {
    id: OrganizationId,
    slug: String,
    external_id: Option<String>,
}

/// What is not understood here may be a condition, so that such an answer is not decided from.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cache {
    max_age_seconds: u64,
    audiences: Vec<String>,
    #[serde(default, deserialize_with = "said")]
    networks: Option<Option<NetworkSet>>,
    epoch: u64,
}

impl Answer {
    /// Reads the body of an answer with status 200.
    pub fn read(body: &[u8]) -> Result<Self, NoAnswer> {
        let Named(body): Named<Body> = serde_json::from_slice(body).map_err(|_| NoAnswer)?;
        let verdict = match body.code.as_str() {
            "valid" => Verdict::Valid,
            code => Verdict::Refused(Refusal::ALL.into_iter().find(|refusal| refusal.code() == code).ok_or(NoAnswer)?),
        };
        let retry_after_seconds = body.retry_after_seconds;
        let cache: Option<Named<Cache>> = body.cache.as_ref().and_then(|cache| serde_json::from_str(cache.get()).ok());
        let cache = cache.map(|Named(cache)| cache).filter(|cache| cache.networks.is_some());
        let max_age_seconds = cache.as_ref().map(|cache| cache.max_age_seconds);
        let found = if verdict.is_valid() { Some(body.found(cache).ok_or(NoAnswer)?) } else { None };
        Ok(Self { verdict, found, max_age_seconds, retry_after_seconds })
    }

    pub(crate) fn refused(refusal: Refusal, retry_after_seconds: Option<u64>) -> Self {
        let verdict = Verdict::Refused(refusal);
        Self { verdict, found: None, max_age_seconds: None, retry_after_seconds }
    }
}

impl Body {
    /// The permissions are what it may do now: nothing is left of the three that they were made of.
    fn found(self, cache: Option<Cache>) -> Option<Found> {
        let Named(credential) = self.credential?;
        let (Named(principal), Named(organization)) = (self.principal?, self.organization?);
        let permissions = PermissionSet::from_text(&self.permissions?.join(" ")).ok()?;
        // Without the member nobody knows whether it is for all of them.
        let objects = self.objects?;
        let (audiences, networks, epoch) =
            cache.map_or((Vec::new(), None, 0), |cache| (cache.audiences, cache.networks.flatten(), cache.epoch));
        // Of one that was replaced the end is not told, but how long the answer counts.
        let ends_at = |generation| (generation != Generation::Current).then_some(Timestamp::MAX);
        let secret = credential.generation.map(|generation| SecretFacts { number: 0, ends_at: ends_at(generation) });
        Some(Found {
            secret,
            token: None,
            credential: CredentialFacts {
                id: credential.id,
                kind: credential.kind,
                name: credential.name,
                environment: credential.environment,
                permissions: PermissionMask::from(permissions.clone()),
                objects,
                networks,
                not_before: None,
                expires_at: credential.expires_at,
                disabled: false,
                revoked: false,
                pending_approval: false,
                confirmation: None,
                epoch,
                limits: Limits::default(),
                metadata: self.metadata?,
            },
            principal: Arc::new(PrincipalFacts {
                name: principal.name,
                external_id: principal.external_id,
                ..PrincipalFacts::bare(principal.id, permissions.clone())
            }),
            organization: Arc::new(OrganizationFacts {
                slug: organization.slug,
                external_id: organization.external_id,
                ..OrganizationFacts::bare(organization.id)
            }),
            rights: Rights { permissions, ..Rights::default() },
            audiences: audiences.into(),
        })
    }
}

/// Of a key that counts and may be kept.
#[cfg(test)]
pub(crate) fn a_valid_answer() -> serde_json::Value {
    let id = |prefix: &str| format!("{prefix}_01h2xcejqtf2nbrexx3vqjhp41");
    serde_json::json!({
        "valid": true, "code": "valid", "permissions": ["a:read"], "objects": null, "metadata": {}, "limits": [],
        "credential": { "id": id("key"), "kind": "api_key", "name": "x", "generation": "current", "environment": "live", "expires_at": null },
        "principal": { "id": id("sa"), "type": "service_account", "name": "x", "external_id": null },
        "organization": { "id": id("org"), "slug": "x", "external_id": null },
        "cache": { "max_age_seconds": 60, "audiences": [], "networks": null, "epoch": 1 },
    })
}
