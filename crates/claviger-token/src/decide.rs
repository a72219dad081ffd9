//! The verdict: the only place that says whether a credential counts.
//!
//! Pure: every surface (verify call, forward-auth, ext_authz, introspection, the management API's own auth, the SDK)
//! brings the facts and the time. The room must not know where they came from; that storage is down is not a
//! verdict and never comes here.

use std::net::IpAddr;

use jiff::Timestamp;

use crate::{Confirmation, Environment, Found, Generation, Object, Permission, Proof, Shown};

/// Why a credential does not count, in the order in which the reasons are tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The text is no credential of this instance.
    Malformed,
    /// Well-formed, but nobody has it.
    Unknown,
    /// Dead for good, or replaced and the overlap is over.
    Revoked,
    /// The credential, its principal or its organization is switched off.
    Disabled,
    /// Not yet approved.
    PendingApproval,
    /// Its time is over.
    Expired,
    /// Its time has not come.
    NotYetValid,
    /// Bound to a key or a certificate, and no proof came along.
    ProofRequired,
    /// The proof is wrong, or is of another key or certificate.
    ProofInvalid,
    /// Used from elsewhere than allowed, or from an unknown address.
    NetworkNotAllowed,
    /// Meant for another API.
    AudienceMismatch,
    /// A wanted permission is not among its rights.
    PermissionMissing,
    /// Limited to objects, and the check names none.
    ObjectRequired,
    /// A checked object is outside its limit.
    ObjectNotAllowed,
    /// The quota of the period is used up.
    QuotaExceeded,
    /// Too many requests right now.
    RateLimited,
}

impl Refusal {
    /// Every refusal, in the order in which they are tested.
    pub const ALL: [Self; 16] = [
        Self::Malformed,
        Self::Unknown,
        Self::Revoked,
        Self::Disabled,
        Self::PendingApproval,
        Self::Expired,
        Self::NotYetValid,
        Self::ProofRequired,
        Self::ProofInvalid,
        Self::NetworkNotAllowed,
        Self::AudienceMismatch,
        Self::PermissionMissing,
        Self::ObjectRequired,
        Self::ObjectNotAllowed,
        Self::QuotaExceeded,
        Self::RateLimited,
    ];

    /// The word on the wire.
    pub fn code(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Unknown => "unknown",
            Self::Revoked => "revoked",
            Self::Disabled => "disabled",
            Self::PendingApproval => "pending_approval",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::ProofRequired => "proof_required",
            Self::ProofInvalid => "proof_invalid",
            Self::NetworkNotAllowed => "network_not_allowed",
            Self::AudienceMismatch => "audience_mismatch",
            Self::PermissionMissing => "permission_missing",
            Self::ObjectRequired => "object_required",
            Self::ObjectNotAllowed => "object_not_allowed",
            Self::QuotaExceeded => "quota_exceeded",
            Self::RateLimited => "rate_limited",
        }
    }

    /// For people, public, and with the next step.
    pub fn message(self) -> &'static str {
        match self {
            Self::Malformed => "This is not a credential of this instance; check that it was copied completely.",
            Self::Unknown => "No such credential; check that it belongs to this instance, or issue a new one.",
            Self::Revoked => "The credential was revoked or replaced; use its successor or issue a new one.",
            Self::Disabled => {
                "The credential, its principal or its organization is disabled; ask an admin to enable it."
            }
            Self::PendingApproval => {
                "The credential waits for approval; ask an admin of the organization to approve it."
            }
            Self::Expired => "The credential has expired; renew it or issue a new one.",
            Self::NotYetValid => "The credential is not valid yet; wait until its start time.",
            Self::ProofRequired => "The credential is bound to a key or a certificate; prove that you hold it.",
            Self::ProofInvalid => {
                "The proof is not valid for this credential; use the key or the certificate that it is bound to."
            }
            Self::NetworkNotAllowed => "The credential must not be used from this address; use an allowed network.",
            Self::AudienceMismatch => {
                "The credential is not meant for this API, or not for this environment's data; use one that holds a permission of it there."
            }
            Self::PermissionMissing => "The credential lacks a permission; ask an admin to grant it.",
            Self::ObjectRequired => "The credential is limited to objects; name the object in the check.",
            Self::ObjectNotAllowed => "The credential is not allowed for this object; use one that covers it.",
            Self::QuotaExceeded => "The quota is used up; wait for the next period or ask for more.",
            Self::RateLimited => "Too many requests; slow down and try again shortly.",
        }
    }

    /// The HTTP status by which a gateway or an API refuses: 401 where another credential or a proof would help
    /// (RFC 6750 `invalid_token`), 403 where this one may not (`insufficient_scope`), 429 where it must wait.
    pub fn http_status(self) -> u16 {
        match self {
            Self::Malformed
            | Self::Unknown
            | Self::Revoked
            | Self::Disabled
            | Self::PendingApproval
            | Self::Expired
            | Self::NotYetValid
            | Self::ProofRequired
            | Self::ProofInvalid
            | Self::AudienceMismatch => 401,
            Self::NetworkNotAllowed | Self::PermissionMissing | Self::ObjectRequired | Self::ObjectNotAllowed => 403,
            Self::QuotaExceeded | Self::RateLimited => 429,
        }
    }

    /// Whether it is about the credential as such, and not about this use of it.
    pub fn is_about_state(self) -> bool {
        match self {
            Self::Malformed
            | Self::Unknown
            | Self::Revoked
            | Self::Disabled
            | Self::PendingApproval
            | Self::Expired
            | Self::NotYetValid => true,
            Self::ProofRequired
            | Self::ProofInvalid
            | Self::NetworkNotAllowed
            | Self::AudienceMismatch
            | Self::PermissionMissing
            | Self::ObjectRequired
            | Self::ObjectNotAllowed
            | Self::QuotaExceeded
            | Self::RateLimited => false,
        }
    }
}

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It counts.
    Valid,
    /// It does not.
    Refused(Refusal),
}

impl Verdict {
    /// The word on the wire.
    pub fn code(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Refused(refusal) => refusal.code(),
        }
    }

    /// Whether it counts.
    pub fn is_valid(self) -> bool {
        self == Self::Valid
    }
}

impl From<Result<(), Refusal>> for Verdict {
    fn from(result: Result<(), Refusal>) -> Self {
        result.map_or_else(Self::Refused, |()| Self::Valid)
    }
}

/// What the codec said of the presented text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presented {
    /// No credential of this instance.
    Malformed,
    /// Worth a look-up.
    WellFormed,
}

/// What the check asks for. The default asks for nothing beyond a valid credential.
#[derive(Clone, Copy, Debug, Default)]
pub struct Required<'a> {
    /// The API's identifier; `None` is not tested.
    pub audience: Option<&'a str>,
    /// Which data it is about: a credential for other data is for another audience. `None` is not tested.
    pub environment: Option<Environment>,
    /// All of these.
    pub permissions: &'a [Permission],
    /// All of these.
    pub objects: &'a [Object],
    /// Whatever is done concerns no object: a credential that is for some objects only may do it too.
    pub whatever_object: bool,
}

/// What limits and quotas say to one more request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowance {
    /// Go ahead; the request has been counted.
    Open,
    /// Not before the next period.
    QuotaExceeded,
    /// Not right now.
    RateLimited,
}

/// How the credential is being used.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Where the request came from, if the caller says so.
    pub client_ip: Option<IpAddr>,
    /// What the caller proved.
    pub proof: Proof,
    /// Counts the request. Called at most once, last, and only if nothing else refuses: a refused request
    /// spends nothing.
    pub spend: &'a dyn Fn() -> Allowance,
}

impl Context<'static> {
    /// No address, no proof, no limits.
    pub fn plain() -> Self {
        Self { client_ip: None, proof: Proof::NONE, spend: &|| Allowance::Open }
    }
}

/// The state half only, as introspection and `GET /v1/token` want it. `found` is what storage knows under the
/// presented secret.
pub fn state(presented: &Presented, found: Option<&Found>, now: Timestamp) -> Verdict {
    standing(*presented, found, now).map(drop).into()
}

/// The same, and whether whoever shows the credential may have it: for what it asks about itself.
pub fn holder(presented: &Presented, found: Option<&Found>, proof: Proof, now: Timestamp) -> Verdict {
    standing(*presented, found, now)
        .and_then(|found| check_proof(found.credential.confirmation.unwrap_or_default(), proof))
        .into()
}

/// The verdict on one use of a credential at `now`.
pub fn decide(
    presented: &Presented,
    found: Option<&Found>,
    required: &Required<'_>,
    context: &Context<'_>,
    now: Timestamp,
) -> Verdict {
    standing(*presented, found, now).and_then(|found| usable(found, required, context)).into()
}

fn standing(presented: Presented, found: Option<&Found>, now: Timestamp) -> Result<&Found, Refusal> {
    if presented == Presented::Malformed {
        return Err(Refusal::Malformed);
    }
    let found = found.ok_or(Refusal::Unknown)?;
    let credential = &found.credential;
    let revoked = credential.revoked || found.generation(now) == Some(Generation::Retired);
    let disabled = credential.disabled || found.principal.disabled || found.organization.disabled;
    refuse_if(revoked, Refusal::Revoked)?;
    refuse_if(disabled, Refusal::Disabled)?;
    refuse_if(credential.pending_approval, Refusal::PendingApproval)?;
    refuse_if(credential.expires_at.is_some_and(|expires_at| now >= expires_at), Refusal::Expired)?;
    refuse_if(credential.not_before.is_some_and(|not_before| now < not_before), Refusal::NotYetValid)?;
    Ok(found)
}

fn usable(found: &Found, required: &Required<'_>, context: &Context<'_>) -> Result<(), Refusal> {
    check_proof(found.credential.confirmation.unwrap_or_default(), context.proof)?;
    refuse_if(!network_allows(found, context.client_ip), Refusal::NetworkNotAllowed)?;
    refuse_if(
        required.audience.is_some_and(|asked| !found.audiences.iter().any(|own| same_audience(own, asked))),
        Refusal::AudienceMismatch,
    )?;
    let is_for_other_data = required.environment.is_some_and(|asked| asked != found.credential.environment);
    refuse_if(is_for_other_data, Refusal::AudienceMismatch)?;
    let held = &found.rights.permissions;
    refuse_if(
        !required.permissions.iter().all(|permission| held.contains(permission.as_str())),
        Refusal::PermissionMissing,
    )?;
    if let Some(limit) = &found.credential.objects {
        refuse_if(required.objects.is_empty() && !required.whatever_object, Refusal::ObjectRequired)?;
        refuse_if(!required.objects.iter().all(|object| limit.covers(object)), Refusal::ObjectNotAllowed)?;
    }
    match (context.spend)() {
        Allowance::Open => Ok(()),
        Allowance::QuotaExceeded => Err(Refusal::QuotaExceeded),
        Allowance::RateLimited => Err(Refusal::RateLimited),
    }
}

fn refuse_if(condition: bool, refusal: Refusal) -> Result<(), Refusal> {
    if condition { Err(refusal) } else { Ok(()) }
}

/// All that it is bound to must be proved. A proof that does not hold refuses a bearer credential too: whoever sends one
/// must not believe it was checked.
///
/// A DPoP proof is made for a credential that is bound to its key, so that one that is not was taken for another
/// (RFC 9449, section 7.2). A certificate comes with every request on its connection, and says nothing of the credential.
fn check_proof(bound_to: Confirmation, proof: Proof) -> Result<(), Refusal> {
    let members = [(bound_to.jkt, proof.key), (bound_to.x5t_s256, proof.certificate)];
    refuse_if(members.iter().any(|(own, shown)| own.is_some() && *shown == Shown::Nothing), Refusal::ProofRequired)?;
    let mismatch = members.iter().any(|member| match member {
        (_, Shown::Invalid) => true,
        (Some(own), Shown::Held(shown)) => own != shown,
        (None, Shown::Held(_)) | (_, Shown::Nothing) => false,
    });
    let not_bound = bound_to.jkt.is_none() && matches!(proof.key, Shown::Held(_));
    refuse_if(mismatch || not_bound, Refusal::ProofInvalid)
}

fn network_allows(found: &Found, client_ip: Option<IpAddr>) -> bool {
    let limits = [&found.credential.networks, &found.organization.allowed_networks];
    let mut limits = limits.into_iter().flatten();
    limits.all(|networks| client_ip.is_some_and(|address| networks.contains(address)))
}

/// Whether two texts name one API: they are compared as strings, but an empty path equals `/` (RFC 3986, section 6.2.3).
pub fn same_audience(a: &str, b: &str) -> bool {
    a == b || without_empty_path(a) == without_empty_path(b)
}

/// What stands before the path and what follows it, if the path is empty or `/`; else the whole text.
fn without_empty_path(audience: &str) -> (&str, &str) {
    let whole = (audience, "");
    let Some(authority) = audience.find("://").map(|colon| colon + 3) else {
        return whole;
    };
    let end = audience[authority..].find(['/', '?', '#']).map_or(audience.len(), |length| authority + length);
    let (origin, rest) = audience.split_at(end);
    let rest = match rest.strip_prefix('/') {
        Some(rest) if rest.is_empty() || rest.starts_with(['?', '#']) => rest,
        Some(_) => return whole,
        None => rest,
    };
    (origin, rest)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::Arc;

    use super::*;
    use crate::confirmation::tests::thumbprint;
    use crate::facts::tests::found;
    use crate::{NetworkSet, ObjectSet, SecretFacts};
    use Refusal::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    const NOW: i64 = 1_000;

    /// One use of one credential; `case()` is valid, and each test spoils what it is about.
    struct Case {
        presented: Presented,
        found: Option<Found>,
        audience: Option<&'static str>,
        environment: Option<Environment>,
        permissions: Vec<Permission>,
        objects: Vec<Object>,
        whatever_object: bool,
        client_ip: Option<IpAddr>,
        proof: Proof,
        allowance: Allowance,
        spent: Cell<u32>,
    }

    fn case() -> Case {
        Case {
            presented: Presented::WellFormed,
            found: Some(found()),
            audience: None,
            environment: None,
            permissions: Vec::new(),
            objects: Vec::new(),
            whatever_object: false,
            client_ip: None,
            proof: Proof::NONE,
            allowance: Allowance::Open,
            spent: Cell::new(0),
        }
    }

    fn ending_at(second: i64) -> Option<SecretFacts> {
        Some(SecretFacts { number: 1, ends_at: Some(at(second)) })
    }

    impl Case {
        fn found(&mut self) -> &mut Found {
            self.found.as_mut().unwrap()
        }

        fn verdict(&self) -> Verdict {
            let spend = || {
                self.spent.set(self.spent.get() + 1);
                self.allowance
            };
            let required = Required {
                audience: self.audience,
                environment: self.environment,
                permissions: &self.permissions,
                objects: &self.objects,
                whatever_object: self.whatever_object,
            };
            let context = Context { client_ip: self.client_ip, proof: self.proof, spend: &spend };
            decide(&self.presented, self.found.as_ref(), &required, &context, at(NOW))
        }

        fn state(&self) -> Verdict {
            state(&self.presented, self.found.as_ref(), at(NOW))
        }
    }

    fn check(spoil: impl FnOnce(&mut Case), expected: Result<(), Refusal>) {
        let mut case = case();
        spoil(&mut case);
        assert_eq!(case.verdict(), Verdict::from(expected));
        let state = expected.or_else(|refusal| if refusal.is_about_state() { Err(refusal) } else { Ok(()) });
        assert_eq!(case.state(), Verdict::from(state));
        let reaches_limits = matches!(expected, Ok(()) | Err(QuotaExceeded | RateLimited));
        assert_eq!(case.spent.get(), u32::from(reaches_limits), "{expected:?} must not spend");
    }

    fn limit_objects(case: &mut Case, entries: &[&str]) {
        case.found().credential.objects = Some(ObjectSet::parse(entries).unwrap());
    }

    fn networks(text: &str) -> Option<NetworkSet> {
        Some(NetworkSet::from_text(text).unwrap())
    }

    fn bind(case: &mut Case) {
        case.found().credential.confirmation = Some(Confirmation::of_key(thumbprint(1)));
    }

    #[test]
    fn a_plain_use_of_a_sound_credential_is_valid() {
        check(|_| {}, Ok(()));
        let verdict = decide(&Presented::WellFormed, Some(&found()), &Required::default(), &Context::plain(), at(NOW));
        assert!(verdict.is_valid());
        assert_eq!(verdict.code(), "valid");
    }

    #[test]
    fn the_state_refuses_for_each_reason() {
        check(|case| case.presented = Presented::Malformed, Err(Malformed));
        check(|case| case.found = None, Err(Unknown));
        check(|case| case.found().credential.revoked = true, Err(Revoked));
        check(|case| case.found().credential.disabled = true, Err(Disabled));
        check(|case| Arc::make_mut(&mut case.found().principal).disabled = true, Err(Disabled));
        check(|case| Arc::make_mut(&mut case.found().organization).disabled = true, Err(Disabled));
        check(|case| case.found().credential.pending_approval = true, Err(PendingApproval));
    }

    #[test]
    fn validity_begins_with_its_instant_and_ends_before_its_instant() {
        check(|case| case.found().credential.expires_at = Some(at(NOW + 1)), Ok(()));
        check(|case| case.found().credential.expires_at = Some(at(NOW)), Err(Expired));
        check(|case| case.found().credential.not_before = Some(at(NOW)), Ok(()));
        check(|case| case.found().credential.not_before = Some(at(NOW + 1)), Err(NotYetValid));
        check(|case| case.found().secret = ending_at(NOW + 1), Ok(()));
        check(|case| case.found().secret = ending_at(NOW), Err(Revoked));
    }

    #[test]
    fn a_bound_credential_wants_a_proof_of_its_own_key() {
        fn check_proof(bound_to: Confirmation, (key, certificate): (Shown, Shown), expected: Result<(), Refusal>) {
            check(
                |case| {
                    case.found().credential.confirmation = bound_to.named();
                    case.proof = Proof { key, certificate };
                },
                expected,
            );
            let mut found = found();
            found.credential.confirmation = bound_to.named();
            let holder = holder(&Presented::WellFormed, Some(&found), Proof { key, certificate }, at(NOW));
            assert_eq!(holder, Verdict::from(expected));
        }
        let (own, certificate) = (Confirmation::of_key(thumbprint(1)), Confirmation::of_certificate(thumbprint(2)));
        let (both, bearer) = (own.or(certificate), Confirmation::default());
        let held = |number| Shown::Held(thumbprint(number));
        let nothing = Shown::Nothing;
        check_proof(own, (nothing, nothing), Err(ProofRequired));
        check_proof(own, (Shown::Invalid, nothing), Err(ProofInvalid));
        check_proof(own, (held(2), nothing), Err(ProofInvalid));
        check_proof(own, (nothing, held(1)), Err(ProofRequired));
        check_proof(own, (held(1), nothing), Ok(()));
        check_proof(own, (held(1), held(9)), Ok(()));
        check_proof(own, (held(1), Shown::Invalid), Err(ProofInvalid));
        check_proof(certificate, (nothing, nothing), Err(ProofRequired));
        check_proof(certificate, (nothing, held(2)), Ok(()));
        check_proof(certificate, (nothing, held(1)), Err(ProofInvalid));
        check_proof(certificate, (held(2), nothing), Err(ProofRequired));
        check_proof(certificate, (held(9), held(2)), Err(ProofInvalid));
        check_proof(both, (held(1), held(2)), Ok(()));
        check_proof(both, (held(1), nothing), Err(ProofRequired));
        check_proof(both, (Shown::Invalid, nothing), Err(ProofRequired));
        check_proof(both, (held(1), held(1)), Err(ProofInvalid));
        check_proof(both, (held(2), held(2)), Err(ProofInvalid));
        check_proof(bearer, (nothing, nothing), Ok(()));
        check_proof(bearer, (Shown::Invalid, nothing), Err(ProofInvalid));
        check_proof(bearer, (nothing, Shown::Invalid), Err(ProofInvalid));
        check_proof(bearer, (nothing, held(9)), Ok(()));
        check_proof(bearer, (held(9), nothing), Err(ProofInvalid));
    }

    #[test]
    fn credential_and_organization_must_both_allow_the_network() {
        fn check_network(own: &str, policy: &str, client_ip: Option<&str>, expected: Result<(), Refusal>) {
            check(
                |case| {
                    let set = |text: &str| {
                        if text.is_empty() { None } else { networks(text) }
                    };
                    case.found().credential.networks = set(own);
                    Arc::make_mut(&mut case.found().organization).allowed_networks = set(policy);
                    case.client_ip = client_ip.map(|ip| ip.parse().unwrap());
                },
                expected,
            );
        }
        check_network("", "", Some("203.0.113.9"), Ok(()));
        check_network("203.0.113.0/24", "", Some("203.0.113.9"), Ok(()));
        check_network("203.0.113.0/24", "", Some("::ffff:203.0.113.9"), Ok(()));
        check_network("203.0.113.0/24", "", None, Err(NetworkNotAllowed));
        check_network("", "203.0.113.0/24", None, Err(NetworkNotAllowed));
        check_network("203.0.113.0/24", "10.0.0.0/8", Some("203.0.113.9"), Err(NetworkNotAllowed));
        check_network("203.0.113.0/24", "203.0.113.8/30", Some("203.0.113.9"), Ok(()));
    }

    #[test]
    fn an_empty_path_of_an_audience_equals_a_slash() {
        fn check_audience(own: &str, asked: &'static str, same: bool) {
            check(
                |case| {
                    case.found().audiences = Arc::new(["urn:other".to_owned(), own.to_owned()]);
                    case.audience = Some(asked);
                },
                if same { Ok(()) } else { Err(AudienceMismatch) },
            );
        }
        check_audience("https://a.test", "https://a.test", true);
        check_audience("https://a.test", "https://a.test/", true);
        check_audience("https://a.test/", "https://a.test", true);
        check_audience("https://a.test?x", "https://a.test/?x", true);
        check_audience("https://a.test/v1", "https://a.test/v1/", false);
        check_audience("https://a.test", "https://a.test//", false);
        check_audience("https://a.test", "http://a.test", false);
        check_audience("https://a.test", "https://A.test", false);
        check_audience("https://a.test", "https://a.test.evil", false);
        check_audience("urn:a", "urn:a", true);
        check_audience("urn:a", "urn:a/", false);
        check(
            |case| {
                case.found().audiences = Arc::new([]);
                case.audience = Some("https://a.test");
            },
            Err(AudienceMismatch),
        );
    }

    #[test]
    fn a_credential_for_other_data_is_for_another_audience() {
        for own in [Environment::Live, Environment::Test] {
            for asked in [None, Some(Environment::Live), Some(Environment::Test)] {
                let expected = if asked.is_none_or(|asked| asked == own) { Ok(()) } else { Err(AudienceMismatch) };
                check(
                    |case| {
                        case.found().credential.environment = own;
                        case.environment = asked;
                    },
                    expected,
                );
            }
        }
    }

    #[test]
    fn all_wanted_permissions_must_be_held() {
        fn check_permissions(wanted: &[&str], expected: Result<(), Refusal>) {
            let wanted = wanted.iter().map(|text| text.parse().unwrap()).collect();
            check(|case| case.permissions = wanted, expected);
        }
        check_permissions(&["invoices:read"], Ok(()));
        check_permissions(&["invoices:read", "invoices:write"], Ok(()));
        check_permissions(&["invoices:read", "invoices:delete"], Err(PermissionMissing));
        check_permissions(&["invoices"], Err(PermissionMissing));
    }

    #[test]
    fn a_limit_to_objects_wants_objects_inside_it() {
        fn check_objects(limit: &[&str], checked: &[&str], expected: Result<(), Refusal>) {
            check(
                |case| {
                    if !limit.is_empty() {
                        limit_objects(case, limit);
                    }
                    case.objects = checked.iter().map(|text| text.parse().unwrap()).collect();
                },
                expected,
            );
        }
        check_objects(&[], &["repo:acme/site"], Ok(()));
        check_objects(&["repo:acme/*"], &[], Err(ObjectRequired));
        check_objects(&["repo:acme/*"], &["repo:acme/site"], Ok(()));
        check_objects(&["repo:acme/*"], &["repo:acme/site", "repo:other/site"], Err(ObjectNotAllowed));
        check_objects(&["repo:a", "base:b"], &["base:b", "repo:a"], Ok(()));
    }

    #[test]
    fn what_concerns_no_object_is_bounded_like_everything_else() {
        let check = |spoil: fn(&mut Case), expected| {
            let limited = |case: &mut Case| {
                limit_objects(case, &["repo:acme/*"]);
                case.whatever_object = true;
                spoil(case);
            };
            check(limited, expected);
        };
        check(|_| {}, Ok(()));
        check(|case| case.allowance = Allowance::RateLimited, Err(RateLimited));
        check(|case| case.objects = vec!["repo:other/site".parse().unwrap()], Err(ObjectNotAllowed));
    }

    #[test]
    fn limits_have_the_last_word() {
        check(|case| case.allowance = Allowance::QuotaExceeded, Err(QuotaExceeded));
        check(|case| case.allowance = Allowance::RateLimited, Err(RateLimited));
    }

    /// Everything is wrong at once; repaired from the front, each repair uncovers the next code.
    #[test]
    fn reasons_are_tested_in_the_order_of_the_list() {
        let mut case = case();
        bind(&mut case);
        limit_objects(&mut case, &["repo:acme/*"]);
        let broken = case.found();
        broken.secret = ending_at(NOW);
        broken.credential.disabled = true;
        broken.credential.pending_approval = true;
        broken.credential.expires_at = Some(at(NOW));
        broken.credential.not_before = Some(at(NOW + 1));
        broken.credential.networks = networks("203.0.113.0/24");
        let mut broken = case.found.take();
        case.presented = Presented::Malformed;
        case.audience = Some("https://other.test");
        case.permissions = vec!["invoices:delete".parse().unwrap()];
        case.allowance = Allowance::QuotaExceeded;

        for refusal in Refusal::ALL {
            assert_eq!(case.spent.get(), u32::from(refusal == RateLimited));
            assert_eq!(case.verdict(), Verdict::Refused(refusal));
            match refusal {
                Malformed => case.presented = Presented::WellFormed,
                Unknown => case.found = broken.take(),
                Revoked => case.found().secret = Some(SecretFacts { number: 2, ends_at: None }),
                Disabled => case.found().credential.disabled = false,
                PendingApproval => case.found().credential.pending_approval = false,
                Expired => case.found().credential.expires_at = None,
                NotYetValid => case.found().credential.not_before = None,
                // A proof, or a list of objects, is either absent or wrong: the repair of one is the other.
                ProofRequired => case.proof.key = Shown::Invalid,
                ProofInvalid => case.proof.key = Shown::Held(thumbprint(1)),
                NetworkNotAllowed => case.client_ip = Some(IpAddr::from([203, 0, 113, 9])),
                AudienceMismatch => case.audience = None,
                PermissionMissing => case.permissions.clear(),
                ObjectRequired => case.objects = vec!["repo:other/site".parse().unwrap()],
                ObjectNotAllowed => case.objects = vec!["repo:acme/site".parse().unwrap()],
                QuotaExceeded => case.allowance = Allowance::RateLimited,
                RateLimited => case.allowance = Allowance::Open,
            }
        }
        assert_eq!(case.verdict(), Verdict::Valid);
    }

    #[test]
    fn every_refusal_has_its_own_words() {
        for (index, refusal) in Refusal::ALL.into_iter().enumerate() {
            assert_eq!(refusal as usize, index);
            assert_eq!(refusal.is_about_state(), index < 7);
            assert!(Refusal::ALL.iter().filter(|other| other.code() == refusal.code()).count() == 1);
            let debug = format!("{refusal:?}").to_lowercase();
            assert_eq!(refusal.code().replace('_', ""), debug);
            assert!(refusal.message().ends_with('.'));
        }
    }
}
