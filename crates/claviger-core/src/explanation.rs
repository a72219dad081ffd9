//! A verdict that shows its working: every test in its order with the facts it looked at, and where each permission comes from.
//!
//! Explains what was decided, and decides nothing: the verdict comes in as an argument.

use std::net::IpAddr;

use claviger_token::{
    AccessTokenId, Confirmation, CredentialId, Found, Permission, PermissionSet, Proof, Refusal, Required,
    ServiceAccountId, Shown, Verdict,
};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    assignment::{Assignment, Granted, Scope},
    credential::Credential,
};

/// What came of one test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Outcome {
    /// Nothing speaks against it.
    Passed,
    /// This is why the credential is refused.
    Refused,
    /// An earlier test refused it.
    NotReached,
}

/// One test of the verdict, in the order in which they are made.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Step {
    /// The code with which it refuses.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "permission_missing"))]
    pub code: &'static str,
    /// What came of it.
    pub outcome: Outcome,
    /// What was looked at; null where there is nothing to tell.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub facts: Value,
}

/// A verdict, with what it was made from.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// What was decided.
    pub verdict: Verdict,
    /// What was found.
    pub found: Option<&'a Found>,
    /// The credential as it is stored: what policy made of it shows in the difference.
    pub stored: Option<&'a Credential>,
    /// What was asked.
    pub required: &'a Required<'a>,
    /// Where the request came from.
    pub client_ip: Option<IpAddr>,
    /// What was proved with it.
    pub proof: Proof,
    /// Why a proof that came along does not hold.
    pub proof_problem: Option<&'a str>,
    /// When.
    pub now: Timestamp,
}

impl Case<'_> {
    /// All tests.
    pub fn steps(&self) -> Vec<Step> {
        let mut outcome = Outcome::Passed;
        let step = |refusal: Refusal| {
            let refused = self.verdict == Verdict::Refused(refusal);
            let own = if refused { Outcome::Refused } else { outcome };
            if refused {
                outcome = Outcome::NotReached;
            }
            Step { code: refusal.code(), outcome: own, facts: self.facts(refusal) }
        };
        Refusal::ALL.into_iter().map(step).collect()
    }

    fn facts(&self, refusal: Refusal) -> Value {
        let Some(found) = self.found else { return Value::Null };
        let (credential, required) = (&found.credential, self.required);
        let stored = self.stored;
        match refusal {
            Refusal::Malformed | Refusal::Unknown => Value::Null,
            Refusal::Revoked if found.token.is_some() => json!({
                "credential_revoked_at": stored.and_then(|stored| stored.revocation).map(|revocation| revocation.at),
                "ended_by": TokenTrace::of(found).and_then(|token| token.ended_by),
            }),
            Refusal::Revoked => json!({
                "revoked_at": stored.and_then(|stored| stored.revocation).map(|revocation| revocation.at),
                "reason": stored.and_then(|stored| stored.revocation).map(|revocation| revocation.reason),
                "generation": found.generation(self.now),
                "secret_ends_at": found.secret.as_ref().and_then(|secret| secret.ends_at),
            }),
            Refusal::Disabled => {
                let own = stored.map_or(credential.disabled, |stored| stored.disabled_at.is_some());
                json!({
                    "credential": own, "by_policy": credential.disabled && !own,
                    "principal": found.principal.disabled, "organization": found.organization.disabled,
                })
            }
            Refusal::PendingApproval => json!({ "pending": credential.pending_approval }),
            Refusal::Expired => json!({ "expires_at": credential.expires_at, "now": self.now }),
            Refusal::NotYetValid => json!({ "not_before": credential.not_before, "now": self.now }),
            Refusal::ProofRequired | Refusal::ProofInvalid => json!({
                "bound": credential.confirmation.is_some(), "cnf": credential.confirmation,
                "shown": held(self.proof), "problem": self.proof_problem,
            }),
            Refusal::NetworkNotAllowed => json!({
                "client_ip": self.client_ip, "credential": credential.networks,
                "policy": found.organization.allowed_networks,
            }),
            Refusal::AudienceMismatch => json!({
                "asked": required.audience, "audiences": &*found.audiences,
                "environment_asked": required.environment, "environment": credential.environment,
            }),
            Refusal::PermissionMissing => {
                let missing =
                    required.permissions.iter().filter(|name| !found.rights.permissions.contains(name.as_str()));
                json!({ "asked": required.permissions, "missing": missing.collect::<Vec<_>>() })
            }
            Refusal::ObjectRequired | Refusal::ObjectNotAllowed => {
                json!({ "asked": required.objects, "allowed": credential.objects })
            }
            Refusal::QuotaExceeded | Refusal::RateLimited => json!({ "limited": found.is_limited() }),
        }
    }
}

/// What was proved, as a `cnf` would name it.
fn held(proof: Proof) -> Option<Confirmation> {
    let member = |shown| match shown {
        Shown::Held(thumbprint) => Some(thumbprint),
        Shown::Nothing | Shown::Invalid => None,
    };
    Confirmation { jkt: member(proof.key), x5t_s256: member(proof.certificate) }.named()
}

/// Why a credential has a permission, or has it not.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PermissionTrace {
    /// The permission that was asked for.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "invoices:read"))]
    pub permission: Permission,
    /// Whether the credential has it.
    pub effective: bool,
    /// What takes it away, first in the order of the formula: `not_declared`, `not_given`, `ceiling`, `wildcards_forbidden`,
    /// `not_on_credential`, `not_in_scope` (of an access token, whose credential has it); null if it is effective. `not_held` stands for
    /// `not_given` and `ceiling` if the caller may not read the organization.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, example = "ceiling"))]
    pub cut_by: Option<&'static str>,
    /// The identifier of the API that declares it.
    pub declared_by: Option<String>,
    /// The assignments that give it to the principal there; null if the caller may not read assignments.
    pub given_by: Option<Vec<Source>>,
    /// Whether the organization may use it at all; null if the caller may not read the organization.
    pub within_ceiling: Option<bool>,
    /// Whether the credential's list lets it through, by name or by a wildcard; and of an access token, its scope.
    pub on_credential: bool,
}

/// An access token beside the credential that it was made from.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TokenTrace {
    /// Its `jti`.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub id: AccessTokenId,
    /// What it was made from.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub credential_id: CredentialId,
    /// To whom it was given.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub client_id: ServiceAccountId,
    /// Its own end.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub expires_at: Timestamp,
    /// What it was given. It never has more, whatever its credential has.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
    pub scope: PermissionSet,
    /// The epoch of its credential when it was made.
    pub epoch: u64,
    /// The epoch of its credential now: if that is higher, the token is dead.
    pub credential_epoch: u64,
    /// What ended it before its time: `itself`, `credential` or `epoch`; null if nothing did.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, example = "epoch"))]
    pub ended_by: Option<&'static str>,
    /// The same for people.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub message: Option<&'static str>,
}

impl TokenTrace {
    /// What there is to say of an access token; `None` if it is none.
    pub fn of(found: &Found) -> Option<Self> {
        let (token, credential) = (found.token.as_deref()?, &found.credential);
        let (ended_by, message) = if token.revoked {
            (Some("itself"), Some("This token was revoked by itself; ask the token endpoint for another one."))
        } else if credential.epoch < token.credential_epoch {
            let message = "The credential that it was made from was rolled, narrowed, disabled or revoked since; ask the token \
                           endpoint for another token.";
            (Some("epoch"), Some(message))
        } else if credential.revoked {
            let message =
                "The credential that it was made from was revoked, or is for nothing any more that the token is for.";
            (Some("credential"), Some(message))
        } else {
            (None, None)
        };
        Some(Self {
            id: token.id,
            credential_id: credential.id,
            client_id: token.client_id,
            expires_at: token.expires_at,
            scope: token.scope.clone(),
            epoch: credential.epoch,
            credential_epoch: token.credential_epoch,
            ended_by,
            message,
        })
    }
}

/// An assignment that gives a permission.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Source {
    /// The assignment.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub assignment_id: claviger_token::AssignmentId,
    /// The role that holds the permission; null if it was given directly.
    pub role: Option<String>,
    /// `organization` or `instance`.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "organization"))]
    pub scope: &'static str,
}

impl Source {
    /// Those of the assignments that give `permission` where `found` acts. `holds` says what a role holds.
    pub fn of(
        permission: &Permission,
        found: &Found,
        assignments: &[Assignment],
        holds: impl Fn(claviger_token::RoleId) -> PermissionSet,
    ) -> Vec<Self> {
        let gives = |assignment: &&Assignment| {
            let here = match assignment.scope {
                Scope::Instance => true,
                Scope::Organization(id) => id == found.organization.id,
            };
            here && match &assignment.granted {
                Granted::Role { id, .. } => holds(*id).contains(permission.as_str()),
                Granted::Permission(given) => given == permission,
            }
        };
        let source = |assignment: &Assignment| Self {
            assignment_id: assignment.id,
            role: match &assignment.granted {
                Granted::Role { name, .. } => Some(name.clone()),
                Granted::Permission(_) => None,
            },
            scope: match assignment.scope {
                Scope::Organization(_) => "organization",
                Scope::Instance => "instance",
            },
        };
        assignments.iter().filter(gives).map(source).collect()
    }
}

impl PermissionTrace {
    /// Follows one permission through the formula: declared, given, under the ceiling, on the credential.
    pub fn of(
        permission: &Permission,
        found: &Found,
        stored: Option<&Credential>,
        declared_by: Option<String>,
    ) -> Self {
        let name = permission.as_str();
        let given = found.principal.permissions.contains(name);
        let within_ceiling = found.organization.ceiling.admits(name);
        let on_credential = found.credential.permissions.admits(name);
        // Of a token, only what its credential's own list has can be lost to its scope.
        let in_scope = found.token.as_ref().is_none_or(|token| token.scope.contains(name));
        let out_of_scope = !in_scope && stored.is_none_or(|stored| stored.permissions.admits(name));
        let forbidden = !on_credential && stored.is_some_and(|stored| stored.permissions.admits(name));
        let cut_by = if declared_by.is_none() {
            Some("not_declared")
        } else if !given {
            Some("not_given")
        } else if !within_ceiling {
            Some("ceiling")
        } else if out_of_scope {
            Some("not_in_scope")
        } else if forbidden {
            Some("wildcards_forbidden")
        } else if !on_credential {
            Some("not_on_credential")
        } else {
            None
        };
        Self {
            permission: permission.clone(),
            effective: found.rights.permissions.contains(name),
            cut_by,
            declared_by,
            given_by: None,
            within_ceiling: Some(within_ceiling),
            on_credential,
        }
    }

    /// As it is for whoever may not read the organization: what its ceiling leaves out looks like what nobody gave.
    #[must_use]
    pub fn without_ceiling(self) -> Self {
        let cut_by = self.cut_by.map(|by| if matches!(by, "not_given" | "ceiling") { "not_held" } else { by });
        Self { cut_by, within_ceiling: None, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{World, mask, now, rng, set};
    use claviger_token::{AccessTokenFacts, TypedId as _};

    #[test]
    fn tests_before_the_refusal_passed_and_those_after_it_were_not_reached() {
        let world = World::new();
        let found = world.caller("invoices:read", "");
        let check = |verdict, expected: [usize; 3]| {
            let required = Required::default();
            let case = Case {
                verdict,
                found: Some(&found),
                stored: None,
                required: &required,
                client_ip: None,
                proof: Proof::NONE,
                proof_problem: None,
                now: now(),
            };
            let steps = case.steps();
            let count = |outcome| steps.iter().filter(|step| step.outcome == outcome).count();
            assert_eq!([count(Outcome::Passed), count(Outcome::Refused), count(Outcome::NotReached)], expected);
            let refused = steps.iter().find(|step| step.outcome == Outcome::Refused).map(|step| step.code);
            assert_eq!(refused.unwrap_or("valid"), verdict.code());
        };
        check(Verdict::Valid, [16, 0, 0]);
        check(Verdict::Refused(Refusal::Malformed), [0, 1, 15]);
        check(Verdict::Refused(Refusal::Expired), [5, 1, 10]);
        check(Verdict::Refused(Refusal::RateLimited), [15, 1, 0]);
    }

    #[test]
    fn a_permission_is_followed_to_where_it_is_lost() {
        let world = World::new();
        let check = |held: &str, ceiling: &str, list: &str, stored: &str, declared: bool, expected: Option<&str>| {
            let mut found = world.caller(held, "");
            let organization = std::sync::Arc::make_mut(&mut found.organization);
            organization.ceiling = mask(ceiling);
            found.credential.permissions = mask(list);
            let stored = Credential { permissions: mask(stored), ..world.key(json!({})) };
            let declared_by = declared.then(|| "https://api.test".to_owned());
            let trace = PermissionTrace::of(&"a:b".parse().unwrap(), &found, Some(&stored), declared_by);
            assert_eq!(trace.cut_by, expected);
            // Whoever may not read the organization cannot tell what its ceiling leaves out from what nobody gave.
            let hidden = trace.without_ceiling();
            let expected = expected.map(|by| if ["not_given", "ceiling"].contains(&by) { "not_held" } else { by });
            assert_eq!((hidden.cut_by, hidden.within_ceiling), (expected, None));
        };
        check("a:b", "*", "a:b", "a:b", true, None);
        check("a:b", "*", "a:b", "a:b", false, Some("not_declared"));
        check("", "*", "a:b", "a:b", true, Some("not_given"));
        check("a:b", "c:d", "a:b", "a:b", true, Some("ceiling"));
        check("a:b", "*", "", "*", true, Some("wildcards_forbidden"));
        check("a:b", "*", "c:d", "c:d", true, Some("not_on_credential"));
    }

    /// A token of a key, with this scope.
    fn token(scope: &str, (epoch, credential_epoch): (u64, u64)) -> Found {
        let mut found = World::new().caller("a:b c:d", "");
        (found.secret, found.credential.epoch) = (None, epoch);
        found.credential.permissions = mask(scope);
        found.credential.revoked = epoch < credential_epoch;
        found.token = Some(Box::new(AccessTokenFacts {
            id: AccessTokenId::generate(now(), &mut rng()),
            client_id: ServiceAccountId::generate(now(), &mut rng()),
            issued_at: now(),
            expires_at: now(),
            scope: set(scope),
            details: None,
            credential_epoch,
            act: None,
            revoked: false,
        }));
        found
    }

    #[test]
    fn what_a_token_lacks_is_told_apart_from_what_its_credential_lacks() {
        let world = World::new();
        let check = |scope: &str, stored: &str, expected: Option<&str>| {
            let found = token(scope, (1, 1));
            let stored = Credential { permissions: mask(stored), ..world.key(json!({})) };
            let declared_by = Some("https://api.test".to_owned());
            let trace = PermissionTrace::of(&"a:b".parse().unwrap(), &found, Some(&stored), declared_by);
            assert_eq!(trace.cut_by, expected, "{scope}");
        };
        check("a:b", "*", None);
        check("c:d", "*", Some("not_in_scope"));
        check("c:d", "a:b c:d", Some("not_in_scope"));
        check("c:d", "c:d", Some("not_on_credential"));
    }

    #[test]
    fn a_token_says_what_ended_it() {
        let check = |found: &Found, expected: Option<&str>| {
            let trace = TokenTrace::of(found).unwrap();
            assert_eq!((trace.ended_by, trace.message.is_some()), (expected, expected.is_some()));
        };
        let mut found = token("a:b", (3, 3));
        check(&found, None);
        check(&token("a:b", (2, 3)), Some("epoch"));
        found.credential.revoked = true;
        check(&found, Some("credential"));
        found.token.as_mut().unwrap().revoked = true;
        check(&found, Some("itself"));
        assert_eq!(TokenTrace::of(&World::new().caller("", "")), None);
    }
}
