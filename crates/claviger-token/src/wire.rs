//! `POST /v1/verify`: the shapes of its request and its answer.
//!
//! Answers borrow from what was found, so that a verify call copies nothing. The room must not decide anything: it
//! shows a verdict.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::value::RawValue;

use crate::text::schema_of_text;
use crate::{
    CredentialId, CredentialKind, Environment, Found, Generation, NetworkSet, Object, ObjectSet, OrganizationId,
    Permission, PermissionSet, PrincipalId, PrincipalType, Refusal, Secret, Verdict,
};

/// How long a local verifier may decide alone, in seconds.
const CACHE_SECONDS: u64 = 60;

/// What the verify call is asked.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct VerifyRequest {
    /// An API key, a personal access token, an opaque access token or a JWT.
    pub credential: Presentation,
    /// The identifier of the API that asks; not tested if absent.
    pub audience: Option<String>,
    /// Which data the checked request is about: a credential for other data is refused as `audience_mismatch`. Not tested if absent; the answer
    /// then tells which one the credential is for.
    pub environment: Option<Environment>,
    /// All of these must be held.
    #[serde(default)]
    pub permissions: Vec<Permission>,
    /// One object or a list; all must be allowed.
    pub object: Option<OneOrMany>,
    /// Where the checked request came from.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, example = "203.0.113.9"))]
    pub client_ip: Option<IpAddr>,
    /// The HTTP method of the checked request.
    pub method: Option<String>,
    /// The path of the checked request.
    pub path: Option<String>,
    /// What the checked request costs against a limit; 1 if absent.
    pub cost: Option<u32>,
    /// What shows that the caller holds what the credential is bound to.
    pub proof: Option<ProofRequest>,
    /// Asks for the credential as such, for somebody who will decide about its uses: no use is tested, and none is spent. Stands without
    /// `audience`, `environment`, `permissions`, `object`, `cost` and `proof`.
    #[serde(default)]
    pub state_only: bool,
}

/// A credential as somebody presented it. It is read from JSON and never written there.
pub struct Presentation(pub Secret);

impl fmt::Debug for Presentation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Presentation(..)")
    }
}

impl<'de> Deserialize<'de> for Presentation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Secret::new(String::deserialize(deserializer)?)))
    }
}

schema_of_text!(Presentation, "A credential in the clear.", "clv_pat_…");

/// One object or a list of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OneOrMany {
    /// Written as a string.
    One(Object),
    /// Written as a list.
    Many(Vec<Object>),
}

impl OneOrMany {
    /// The objects.
    pub fn as_slice(&self) -> &[Object] {
        match self {
            Self::One(object) => std::slice::from_ref(object),
            Self::Many(objects) => objects,
        }
    }
}

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// Serde's `untagged` would forget which rule was broken.
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = OneOrMany;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object, written `type:id`, or a list of objects")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<OneOrMany, E> {
                text.parse().map(OneOrMany::One).map_err(E::custom)
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, list: A) -> Result<OneOrMany, A::Error> {
                Vec::deserialize(de::value::SeqAccessDeserializer::new(list)).map(OneOrMany::Many)
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for OneOrMany {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::OneOfBuilder::new()
            .item(Object::schema())
            .item(utoipa::openapi::ArrayBuilder::new().items(Object::schema()))
            .into()
    }
}

#[cfg(feature = "openapi")]
impl utoipa::ToSchema for OneOrMany {}

/// What shows that the caller holds what a credential is bound to.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ProofRequest {
    /// The DPoP proof of the checked request (RFC 9449).
    pub dpop: Option<String>,
    /// The address that the proof must be for.
    pub url: Option<String>,
    /// The certificate that the client of the checked request showed, and proved to hold, as PEM (RFC 8705).
    #[cfg_attr(feature = "openapi", schema(example = "-----BEGIN CERTIFICATE-----\n…"))]
    pub client_certificate: Option<String>,
}

/// What the verify call answers, with status 200 for every verdict.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VerifyAnswer<'a> {
    /// Whether the credential counts.
    pub valid: bool,
    /// `valid`, or why not.
    pub code: &'static str,
    /// For people; in refusals only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub message: Option<Cow<'static, str>>,
    /// What was presented, once it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<CredentialView<'a>>,
    /// Who it stands for, once it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal: Option<PrincipalView<'a>>,
    /// Where, once it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization: Option<OrganizationView<'a>>,
    /// What it may do, now.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<PermissionSet>))]
    pub permissions: Option<PermissionsView<'a>>,
    /// The objects it is limited to; null if it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<ObjectSet>))]
    pub objects: Option<Option<&'a ObjectSet>>,
    /// The owner's JSON object.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<serde_json::Value>))]
    pub metadata: Option<&'a RawValue>,
    /// Where its limits stand; of refusals, only those that come from a limit have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<Vec<LimitView<'a>>>,
    /// What to tell whoever could prove something; of `proof_required` and `proof_invalid` alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proof: Option<ProofView>,
    /// When to try again, if a limit refused; absent if the call costs more than the whole limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u64>,
    /// What a local verifier needs to decide alone; null if it cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<CacheView>))]
    pub cache: Option<Option<CacheView<'a>>>,
}

/// What the checked request is to be told of its proof, in a challenge `DPoP` (RFC 9449, section 7.1), or `Bearer` of what is bound to a
/// certificate alone (RFC 8705, section 3).
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProofView {
    /// `error` of the challenge: `invalid_token`, `invalid_dpop_proof` or `use_dpop_nonce`.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "invalid_dpop_proof"))]
    pub error: &'static str,
    /// `error_description`: what is wrong with the proof.
    pub message: String,
    /// What to send as `DPoP-Nonce`; of `use_dpop_nonce` alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
}

/// The credential, as a verifier sees it.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CredentialView<'a> {
    /// Its id; of an access token, the id of the credential that it was made from.
    pub id: CredentialId,
    /// Which kind was presented.
    pub kind: CredentialKind,
    /// What its owner calls it.
    pub name: &'a str,
    /// Which of its secrets was presented; null of an access token, which is none of them.
    pub generation: Option<Generation>,
    /// Whether it acts on real data.
    pub environment: Environment,
    /// The first instant at which it is no longer valid.
    pub expires_at: Option<Timestamp>,
}

/// The principal, as a verifier sees it.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PrincipalView<'a> {
    /// Its id.
    pub id: PrincipalId,
    /// Which sort of principal.
    #[serde(rename = "type")]
    pub kind: PrincipalType,
    /// The display name.
    pub name: &'a str,
    /// The SaaS's own id for it.
    pub external_id: Option<&'a str>,
}

/// The organization, as a verifier sees it.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OrganizationView<'a> {
    /// Its id.
    pub id: OrganizationId,
    /// Its name in addresses.
    pub slug: &'a str,
    /// The SaaS's own id for it.
    pub external_id: Option<&'a str>,
}

/// The effective permissions, or those of them that the caller may see.
#[derive(Clone, Debug)]
pub struct PermissionsView<'a> {
    effective: &'a PermissionSet,
    visible: Option<&'a PermissionSet>,
}

impl Serialize for PermissionsView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let shown = |permission: &&Permission| self.visible.is_none_or(|set| set.contains(permission.as_str()));
        serializer.collect_seq(self.effective.iter().filter(shown))
    }
}

/// Where one limit stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LimitView<'a> {
    /// Which limit: its name, or `quota`; after `principal.` or `organization.` if it is shared.
    #[cfg_attr(feature = "openapi", schema(example = "default"))]
    pub name: &'a str,
    /// How much it allows.
    pub limit: u64,
    /// How much of that is left.
    pub remaining: u64,
    /// Seconds until it is whole again.
    pub reset_seconds: u64,
    /// Within how many seconds it allows that much; for a quota, the length of the period.
    pub window_seconds: u64,
}

/// What a local verifier needs to decide alone, besides the rest of the answer.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CacheView<'a> {
    /// How long it may; never beyond the life of the credential or of the presented secret.
    pub max_age_seconds: u64,
    /// The APIs it is meant for.
    pub audiences: &'a [String],
    /// The networks it may be used from; null if it is not limited.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<NetworkSet>))]
    pub networks: Option<NetworksView<'a>>,
    /// The credential's epoch.
    pub epoch: u64,
}

/// The networks that both the credential and its organization allow. The list is empty if they share none.
#[derive(Clone, Debug)]
pub struct NetworksView<'a> {
    one: &'a NetworkSet,
    other: Option<&'a NetworkSet>,
}

impl Serialize for NetworksView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.other {
            None => serializer.collect_seq(self.one),
            Some(other) => serializer.collect_seq(self.one.common(other)),
        }
    }
}

impl<'a> VerifyAnswer<'a> {
    /// Shows a verdict. A refusal names the credential once it is known, and never what it may do; `malformed` and
    /// `unknown` show nothing, whatever was found.
    pub fn new(verdict: Verdict, found: Option<&'a Found>, now: Timestamp) -> Self {
        let (found, message) = match verdict {
            Verdict::Valid => (found, None),
            Verdict::Refused(refusal @ (Refusal::Malformed | Refusal::Unknown)) => (None, Some(refusal.message())),
            Verdict::Refused(refusal) => (found, Some(refusal.message())),
        };
        let granted = found.filter(|_| verdict.is_valid());
        Self {
            valid: verdict.is_valid(),
            code: verdict.code(),
            message: message.map(Cow::Borrowed),
            credential: found.map(|found| CredentialView::new(found, now)),
            principal: found.map(PrincipalView::new),
            organization: found.map(OrganizationView::new),
            permissions: granted.map(|found| PermissionsView { effective: &found.rights.permissions, visible: None }),
            objects: granted.map(|found| found.credential.objects.as_ref()),
            metadata: granted.map(|found| &*found.credential.metadata),
            limits: granted.map(|_| Vec::new()),
            proof: None,
            retry_after_seconds: None,
            cache: granted.map(|found| CacheView::new(found, now)),
        }
    }

    /// From this instant on, the same verdict on the same facts may be told in other words, because the time of a local
    /// verifier grows short; until then they are the same. `None`: for ever.
    pub fn same_until(found: &Found) -> Option<Timestamp> {
        let end = first_end(found)?;
        Some(end.checked_sub(SignedDuration::from_secs(CACHE_SECONDS.cast_signed())).unwrap_or(Timestamp::MIN))
    }

    /// Shows where limits stand, in the answers that have them.
    #[must_use]
    pub fn with_limits(mut self, limits: Vec<LimitView<'a>>, retry_after_seconds: Option<u64>) -> Self {
        if self.valid || !limits.is_empty() {
            self.limits = Some(limits);
        }
        self.retry_after_seconds = retry_after_seconds;
        self
    }

    /// Shows only the permissions in `visible`: for a caller who sees the credential because it serves an API, and
    /// whom its rights elsewhere do not concern.
    #[must_use]
    pub fn limited_to(mut self, visible: &'a PermissionSet) -> Self {
        if let Some(permissions) = &mut self.permissions {
            permissions.visible = Some(visible);
        }
        self
    }
}

impl LimitView<'_> {
    /// Whether it is the principal's or the organization's.
    pub fn is_shared(&self) -> bool {
        self.name.contains('.')
    }
}

impl<'a> CredentialView<'a> {
    /// Shows what was found.
    pub fn new(found: &'a Found, now: Timestamp) -> Self {
        let credential = &found.credential;
        Self {
            id: credential.id,
            kind: credential.kind,
            name: &credential.name,
            generation: found.generation(now),
            environment: credential.environment,
            expires_at: credential.expires_at,
        }
    }
}

impl<'a> PrincipalView<'a> {
    /// Shows what was found.
    pub fn new(found: &'a Found) -> Self {
        let principal = &found.principal;
        Self {
            id: principal.id,
            kind: principal.id.kind(),
            name: &principal.name,
            external_id: principal.external_id.as_deref(),
        }
    }
}

impl<'a> OrganizationView<'a> {
    /// Shows what was found.
    pub fn new(found: &'a Found) -> Self {
        let organization = &found.organization;
        Self { id: organization.id, slug: &organization.slug, external_id: organization.external_id.as_deref() }
    }
}

impl<'a> CacheView<'a> {
    /// None for a limited credential: somebody must count. Nor for a bound one: somebody must see that each proof comes once.
    fn new(found: &'a Found, now: Timestamp) -> Option<Self> {
        if found.is_limited() || found.credential.confirmation.is_some() {
            return None;
        }
        let left = first_end(found).map(|end| seconds_until(end, now));
        let networks = match (&found.credential.networks, &found.organization.allowed_networks) {
            (Some(one), other) => Some(NetworksView { one, other: other.as_ref() }),
            (None, Some(one)) => Some(NetworksView { one, other: None }),
            (None, None) => None,
        };
        Some(Self {
            max_age_seconds: left.map_or(CACHE_SECONDS, |left| left.min(CACHE_SECONDS)),
            audiences: &found.audiences,
            networks,
            epoch: found.credential.epoch,
        })
    }
}

/// When the credential or the presented secret ends, whichever is first.
fn first_end(found: &Found) -> Option<Timestamp> {
    [found.credential.expires_at, found.secret.as_ref().and_then(|secret| secret.ends_at)].into_iter().flatten().min()
}

/// Whole seconds, rounded down, so that a cached answer is gone before the instant.
fn seconds_until(end: Timestamp, now: Timestamp) -> u64 {
    u64::try_from(end.duration_since(now).as_secs()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::confirmation::tests::thumbprint;
    use crate::facts::tests::found;
    use crate::{Confirmation, SecretFacts};
    use serde_json::{Value, json};
    use static_assertions::assert_not_impl_any;

    assert_not_impl_any!(Presentation: fmt::Display, Clone, PartialEq, Serialize);
    assert_not_impl_any!(VerifyRequest: Serialize);

    const NOW: i64 = 1_798_761_500; // 2026-12-31T23:58:20Z

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn ending_at(ends_at: Option<Timestamp>) -> Option<SecretFacts> {
        Some(SecretFacts { number: 1, ends_at })
    }

    fn answer(verdict: Verdict, found: &Found) -> Value {
        serde_json::to_value(VerifyAnswer::new(verdict, Some(found), at(NOW))).unwrap()
    }

    fn check(verdict: Verdict, found: &Found, expected: &str) {
        let json = serde_json::to_string(&VerifyAnswer::new(verdict, Some(found), at(NOW))).unwrap();
        let expected: String = expected.lines().map(str::trim_start).collect();
        assert_eq!(json, expected);
    }

    #[test]
    fn a_valid_answer_carries_everything() {
        let mut found = found();
        found.credential.expires_at = Some("2027-01-01T00:00:00Z".parse().unwrap());
        found.credential.metadata = RawValue::from_string(r#"{"team": 7}"#.to_owned()).unwrap();
        check(
            Verdict::Valid,
            &found,
            r#"{"valid":true,"code":"valid",
            "credential":{"id":"key_01h2xcejqtf2nbrexx3vqjhp41","kind":"api_key","name":"nightly",
            "generation":"current","environment":"live","expires_at":"2027-01-01T00:00:00Z"},
            "principal":{"id":"sa_01h2xcejqtf2nbrexx3vqjhp41","type":"service_account","name":"ci",
            "external_id":null},
            "organization":{"id":"org_01h2xcejqtf2nbrexx3vqjhp41","slug":"acme","external_id":"42"},
            "permissions":["invoices:read","invoices:write"],"objects":null,"metadata":{"team": 7},"limits":[],
            "cache":{"max_age_seconds":60,"audiences":["https://api.acme.test"],"networks":null,"epoch":3}}"#,
        );
    }

    #[test]
    fn a_refusal_names_the_credential_but_not_what_it_may_do() {
        let mut found = found();
        found.secret = ending_at(Some(at(NOW)));
        check(
            Verdict::Refused(Refusal::Revoked),
            &found,
            r#"{"valid":false,"code":"revoked",
            "message":"The credential was revoked or replaced; use its successor or issue a new one.",
            "credential":{"id":"key_01h2xcejqtf2nbrexx3vqjhp41","kind":"api_key","name":"nightly",
            "generation":"retired","environment":"live","expires_at":null},
            "principal":{"id":"sa_01h2xcejqtf2nbrexx3vqjhp41","type":"service_account","name":"ci",
            "external_id":null},
            "organization":{"id":"org_01h2xcejqtf2nbrexx3vqjhp41","slug":"acme","external_id":"42"}}"#,
        );
    }

    #[test]
    fn malformed_and_unknown_carry_nothing_else() {
        check(
            Verdict::Refused(Refusal::Malformed),
            &found(),
            r#"{"valid":false,"code":"malformed",
            "message":"This is not a credential of this instance; check that it was copied completely."}"#,
        );
        check(
            Verdict::Refused(Refusal::Unknown),
            &found(),
            r#"{"valid":false,"code":"unknown",
            "message":"No such credential; check that it belongs to this instance, or issue a new one."}"#,
        );
    }

    #[test]
    fn a_local_verifier_does_not_outlive_credential_or_secret() {
        fn check_age(expires_in_ms: Option<i64>, ends_in_ms: Option<i64>, expected: u64) {
            let mut found = found();
            let later = |ms| Timestamp::from_millisecond(NOW * 1_000 + ms).unwrap();
            found.credential.expires_at = expires_in_ms.map(later);
            found.secret = ending_at(ends_in_ms.map(later));
            assert_eq!(answer(Verdict::Valid, &found)["cache"]["max_age_seconds"], expected);
        }
        check_age(None, None, 60);
        check_age(Some(3_600_000), Some(3_600_000), 60);
        check_age(Some(30_999), None, 30);
        check_age(Some(30_000), Some(10_000), 10);
        check_age(Some(5_000), Some(10_000), 5);
        check_age(Some(999), None, 0);
    }

    #[test]
    fn an_answer_is_the_same_until_it_says_so() {
        fn check_same(expires_in: Option<i64>, ends_in: Option<i64>, same_for: Option<i64>) {
            let mut found = found();
            found.credential.expires_at = expires_in.map(|seconds| at(NOW + seconds));
            found.secret = ending_at(ends_in.map(|seconds| at(NOW + seconds)));
            let until = VerifyAnswer::same_until(&found);
            assert_eq!(until, same_for.map(|seconds| at(NOW + seconds)));
            let told = |now| serde_json::to_string(&VerifyAnswer::new(Verdict::Valid, Some(&found), now)).unwrap();
            let last = until.unwrap_or(at(NOW + 1_000_000)) - SignedDuration::from_nanos(1);
            assert_eq!(told(at(NOW - 1_000_000)), told(last));
            if let Some(until) = until {
                assert_ne!(told(last), told(until + SignedDuration::from_nanos(1)));
            }
        }
        check_same(None, None, None);
        check_same(Some(90), None, Some(30));
        check_same(None, Some(90), Some(30));
        check_same(Some(90), Some(3_600), Some(30));
        check_same(Some(3_600), Some(10), Some(-50));
    }

    #[test]
    fn a_local_verifier_gets_the_networks_that_both_allow() {
        fn check_networks(own: Option<&str>, policy: Option<&str>, expected: Value) {
            let mut found = found();
            let set = |text: &str| NetworkSet::from_text(text).unwrap();
            found.credential.networks = own.map(set);
            Arc::make_mut(&mut found.organization).allowed_networks = policy.map(set);
            assert_eq!(answer(Verdict::Valid, &found)["cache"]["networks"], expected);
        }
        check_networks(None, None, Value::Null);
        check_networks(Some("10.0.0.0/8"), None, json!(["10.0.0.0/8"]));
        check_networks(None, Some("10.0.0.0/8"), json!(["10.0.0.0/8"]));
        check_networks(Some("10.0.0.0/8 192.0.2.1"), Some("10.1.0.0/16"), json!(["10.1.0.0/16"]));
        check_networks(Some("10.0.0.0/8"), Some("192.0.2.1"), json!([]));
    }

    #[test]
    fn nobody_keeps_an_answer_about_a_bound_credential() {
        let mut found = found();
        assert!(answer(Verdict::Valid, &found)["cache"].is_object());
        found.credential.confirmation = Some(Confirmation::of_key(thumbprint(1)));
        assert!(answer(Verdict::Valid, &found)["cache"].is_null());
    }

    #[test]
    fn a_limit_to_objects_is_shown() {
        let mut found = found();
        found.credential.objects = Some(ObjectSet::parse(["repo:acme/*"]).unwrap());
        assert_eq!(answer(Verdict::Valid, &found)["objects"], json!(["repo:acme/*"]));
    }

    #[test]
    fn an_api_sees_only_its_own_permissions() {
        let (found, visible) = (found(), PermissionSet::from_text("invoices:read orders:read").unwrap());
        let answer = VerifyAnswer::new(Verdict::Valid, Some(&found), at(NOW)).limited_to(&visible);
        assert_eq!(serde_json::to_value(answer).unwrap()["permissions"], json!(["invoices:read"]));
    }

    #[test]
    fn a_request_needs_only_a_credential() {
        let request: VerifyRequest = serde_json::from_str(r#"{"credential":"clv_pat_x"}"#).unwrap();
        assert_eq!(request.credential.0.expose(), "clv_pat_x");
        assert!(request.permissions.is_empty() && request.object.is_none());
        assert!(!format!("{request:?}").contains("clv_pat"));
    }

    #[test]
    fn the_request_of_the_design_is_read() {
        let request: VerifyRequest = serde_json::from_value(json!({
            "credential": "clv_pat_…", "audience": "https://api.acme.test", "permissions": ["invoices:read"],
            "object": "base:app7", "client_ip": "203.0.113.9", "method": "GET", "path": "/invoices", "cost": 1,
            "proof": { "dpop": "eyJ…", "url": "https://api.acme.test/invoices" }
        }))
        .unwrap();
        assert_eq!(request.object.unwrap().as_slice(), ["base:app7".parse().unwrap()]);
    }

    #[test]
    fn a_bad_request_is_told_which_rule_it_breaks() {
        fn check(members: &str, expected: &str) {
            let json = format!(r#"{{"credential":"x",{members}}}"#);
            let error = serde_json::from_str::<VerifyRequest>(&json).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
        check(r#""object":"base:a//b""#, "an object must not have an empty segment");
        check(r#""object":["base:a","base:*"]"#, "`*` is allowed only in a limit");
        check(r#""object":7"#, "invalid type: integer `7`, expected an object, written `type:id`, or a list");
        check(r#""permissions":["*"]"#, "`*` must not be part of a permission");
        check(r#""client_ip":"nowhere""#, "invalid IP address syntax");
        check(r#""permission":"a""#, "unknown field `permission`");
        check(r#""proof":{"jwt":"a"}"#, "unknown field `jwt`");
    }

    #[test]
    fn a_list_of_objects_may_have_any_length() {
        let read = |json| serde_json::from_str::<OneOrMany>(json).unwrap().as_slice().len();
        assert_eq!(read(r#""a:b""#), 1);
        assert_eq!(read(r#"["a:b","a:c"]"#), 2);
        assert_eq!(read("[]"), 0);
    }
}
