//! What an access token says when it is a JWT: the claims of RFC 9068, and ours.
//!
//! The list is closed. A claim that is not known here may be a restriction that a later version makes, and whoever passed
//! over it would allow what the token does not: so it is refused. Signature and time are not this room's to judge.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::jose::{Closed, given, given_named, named};
use crate::text::read_text;
use crate::{
    AccessTokenFacts, AccessTokenId, AuthorizationDetails, Confirmation, CredentialFacts, CredentialId, CredentialKind,
    Environment, Found, Limits, NetworkSet, ObjectSet, OrganizationFacts, OrganizationId, PermissionMask,
    PermissionSet, PrincipalFacts, PrincipalId, Rights, ServiceAccountId,
};

/// The claims of an access token. Times are seconds since 1970.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessTokenClaims {
    /// The instance.
    pub iss: String,
    /// Who acts.
    pub sub: PrincipalId,
    /// The APIs that it is for; at least one.
    #[serde(with = "one_or_many")]
    pub aud: Vec<String>,
    /// The first second at which it no longer counts.
    pub exp: i64,
    /// When it was made.
    pub iat: i64,
    /// Its own id.
    pub jti: AccessTokenId,
    /// To whom it was given.
    pub client_id: ServiceAccountId,
    /// What it permits; nothing if absent.
    #[serde(default, with = "scope", skip_serializing_if = "PermissionSet::is_empty")]
    pub scope: PermissionSet,
    /// The organization that it acts in.
    pub org: OrganizationId,
    /// The credential that it was made from.
    pub cred: CredentialId,
    /// Which counts only while its credential is not ahead of it.
    pub epoch: u64,
    /// Real or test data.
    pub env: Environment,
    /// The only objects that it is for.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub objects: Option<ObjectSet>,
    /// The only networks that it is for.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub networks: Option<NetworkSet>,
    /// The key that must be proved with it.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub cnf: Option<Confirmation>,
    /// What was asked for and granted beside its scope, which its objects follow from (RFC 9396, section 9.1).
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub authorization_details: Option<AuthorizationDetails>,
    /// Where its state is told.
    #[serde(default, deserialize_with = "given_named", skip_serializing_if = "Option::is_none")]
    pub status: Option<StatusClaim>,
    /// Who acts in the name of `sub`.
    #[serde(default, deserialize_with = "actors", skip_serializing_if = "Option::is_none")]
    pub act: Option<Box<ActorClaim>>,
}

/// A place in a status list (draft-ietf-oauth-status-list, section 6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusClaim {
    /// The only kind of status that there is.
    #[serde(deserialize_with = "named")]
    pub status_list: StatusReference,
}

/// Which list, and where in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusReference {
    /// The place.
    pub idx: u64,
    /// The list.
    pub uri: String,
}

/// An actor, and in whose name that one acts: the newest is outermost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActorClaim {
    /// Who acts.
    pub sub: PrincipalId,
    /// Through whom, before.
    #[serde(default, deserialize_with = "given_named", skip_serializing_if = "Option::is_none")]
    pub act: Option<Box<ActorClaim>>,
}

impl ActorClaim {
    /// How many may stand behind one another (RFC 8693, section 4.1).
    pub const MOST: usize = 8;

    /// How many actors there are, this one included.
    pub fn depth(&self) -> usize {
        1 + self.act.as_ref().map_or(0, |before| before.depth())
    }
}

impl Closed for AccessTokenClaims {}

impl AccessTokenClaims {
    /// What is known of a token by itself, for whoever does not ask about its credential. `None` if it names times that there are not.
    pub fn alone(self) -> Option<Found> {
        let credential = CredentialFacts {
            id: self.cred,
            kind: CredentialKind::AccessToken,
            name: String::new(),
            environment: self.env,
            permissions: PermissionMask::everything(),
            objects: None,
            networks: None,
            not_before: None,
            expires_at: None,
            disabled: false,
            revoked: false,
            pending_approval: false,
            confirmation: None,
            epoch: self.epoch,
            limits: Limits::default(),
            metadata: serde_json::value::RawValue::from_string("{}".to_owned()).ok()?,
        };
        let principal = Arc::new(PrincipalFacts::bare(self.sub, self.scope.clone()));
        let organization = Arc::new(OrganizationFacts::bare(self.org));
        self.found(&credential, &principal, &organization)
    }

    /// What is known of a token that says this, by what is known of the credential that it was made from, whose principal and
    /// organization these are. It is never more than its credential now: what became narrower there is narrower here, and
    /// what ended there has ended here. `None` if it names another principal or organization, or times that there are not.
    pub fn found(
        self,
        credential: &CredentialFacts,
        principal: &Arc<PrincipalFacts>,
        organization: &Arc<OrganizationFacts>,
    ) -> Option<Found> {
        if (self.cred, self.sub, self.org) != (credential.id, principal.id, organization.id) {
            return None;
        }
        let expires_at = Timestamp::from_second(self.exp).ok()?;
        let issued_at = Timestamp::from_second(self.iat).ok()?;
        let permissions = PermissionMask::from(self.scope.masked_by(&credential.permissions));
        // Of limits that have nothing in common nothing is left, and no set says so.
        let objects = both(self.objects, credential.objects.as_ref(), ObjectSet::common);
        let networks = both(self.networks, credential.networks.as_ref(), NetworkSet::intersection);
        let nothing_left = objects.is_none() || networks.is_none();
        let environment = match (self.env, credential.environment) {
            (Environment::Live, Environment::Live) => Environment::Live,
            (Environment::Test, _) | (_, Environment::Test) => Environment::Test,
        };
        let rights = Rights::effective(organization, principal, &permissions);
        Some(Found {
            secret: None,
            token: Some(Box::new(AccessTokenFacts {
                id: self.jti,
                client_id: self.client_id,
                issued_at,
                expires_at,
                scope: self.scope,
                details: self.authorization_details,
                act: self.act,
                credential_epoch: credential.epoch,
                revoked: false,
            })),
            credential: CredentialFacts {
                id: credential.id,
                kind: CredentialKind::AccessToken,
                name: credential.name.clone(),
                environment,
                permissions,
                objects: objects.flatten(),
                networks: networks.flatten(),
                not_before: credential.not_before,
                expires_at: Some(credential.expires_at.map_or(expires_at, |end| end.min(expires_at))),
                disabled: credential.disabled,
                revoked: credential.revoked || self.epoch < credential.epoch || nothing_left,
                pending_approval: credential.pending_approval,
                // What its credential is bound to is proved, whatever the token says.
                confirmation: credential.confirmation.unwrap_or_default().or(self.cnf.unwrap_or_default()).named(),
                epoch: self.epoch,
                limits: credential.limits.clone(),
                metadata: credential.metadata.clone(),
            },
            principal: Arc::clone(principal),
            organization: Arc::clone(organization),
            rights,
            audiences: self.aud.into(),
        })
    }
}

/// What two limits allow together, each of which may be none; nothing if there is nothing that both do.
fn both<T: Clone>(one: Option<T>, other: Option<&T>, common: impl Fn(&T, &T) -> Option<T>) -> Option<Option<T>> {
    match (one, other) {
        (Some(one), Some(other)) => common(&one, other).map(Some),
        (limit, None) => Some(limit),
        (None, limit) => Some(limit.cloned()),
    }
}

fn actors<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<ActorClaim>>, D::Error> {
    let actor: Box<ActorClaim> = named(deserializer)?;
    if actor.depth() > ActorClaim::MOST {
        return Err(de::Error::custom("too many actors"));
    }
    Ok(Some(actor))
}

/// RFC 7519, section 4.1.3: one text, or a list.
mod one_or_many {
    use std::fmt;

    use super::{Deserialize, Deserializer, Serializer, de};

    struct Texts;

    impl<'de> de::Visitor<'de> for Texts {
        type Value = Vec<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an audience, or a list of audiences")
        }

        fn visit_str<E>(self, text: &str) -> Result<Vec<String>, E> {
            Ok(vec![text.to_owned()])
        }

        fn visit_seq<A: de::SeqAccess<'de>>(self, list: A) -> Result<Vec<String>, A::Error> {
            let texts = Vec::deserialize(de::value::SeqAccessDeserializer::new(list))?;
            if texts.is_empty() { Err(de::Error::custom("an audience is wanted")) } else { Ok(texts) }
        }
    }

    pub(super) fn serialize<S: Serializer>(texts: &[String], serializer: S) -> Result<S::Ok, S::Error> {
        match texts {
            [one] => serializer.serialize_str(one),
            many => serializer.collect_seq(many),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
        deserializer.deserialize_any(Texts)
    }
}

/// RFC 8693, section 4.2: one text, separated by spaces.
pub(crate) mod scope {
    use super::{Deserializer, PermissionSet, Serializer, read_text};

    pub(crate) fn serialize<S: Serializer>(permissions: &PermissionSet, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&permissions.to_text())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PermissionSet, D::Error> {
        read_text(deserializer, PermissionSet::from_text)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::confirmation::tests::thumbprint;
    use crate::jose::{Jws, JwsError, SigningAlgorithm, SigningKey, Typ, read_object};

    fn least() -> Value {
        json!({
            "iss": "https://claviger.test", "sub": "sa_01h2xcejqtf2nbrexx3vqjhp41", "aud": "https://api.acme.test",
            "exp": 1_800_000_600, "iat": 1_800_000_000, "jti": "at_01h2xcejqtf2nbrexx3vqjhp41", "client_id": "sa_01h2xcejqtf2nbrexx3vqjhp41",
            "org": "org_01h2xcejqtf2nbrexx3vqjhp41", "cred": "key_01h2xcejqtf2nbrexx3vqjhp41", "epoch": 3, "env": "live",
        })
    }

    fn with(members: Value) -> Value {
        let mut claims = least();
        claims.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        claims
    }

    fn read(claims: &Value) -> Option<AccessTokenClaims> {
        read_object(claims.to_string().as_bytes()).ok()
    }

    #[test]
    fn every_claim_is_written_as_it_is_read() {
        let actor =
            json!({ "sub": "user_01h2xcejqtf2nbrexx3vqjhp41", "act": { "sub": "sa_01h2xcejqtf2nbrexx3vqjhp41" } });
        let full = with(json!({
            "aud": ["https://api.acme.test", "urn:b"], "scope": "invoices:read invoices:write",
            "objects": ["base:app7"], "networks": ["10.0.0.0/8"], "cnf": { "jkt": thumbprint(1) },
            "authorization_details": [{ "type": "objects", "objects": ["base:app7"] }],
            "status": { "status_list": { "idx": 7, "uri": "https://claviger.test/oauth/status/1" } }, "act": actor,
        }));
        for claims in [least(), full] {
            let read = read(&claims).unwrap();
            assert_eq!(serde_json::to_value(read).unwrap(), claims);
        }
    }

    #[test]
    fn a_claim_that_is_not_known_or_not_understood_is_refused() {
        let check =
            |members: Value, sound: bool| assert_eq!(read(&with(members.clone())).is_some(), sound, "{members}");
        check(json!({}), true);
        check(json!({ "scope": "" }), true);
        check(json!({ "max_uses": 1 }), false);
        check(json!({ "nbf": 1 }), false);
        check(json!({ "authorization_details": [] }), false);
        check(json!({ "aud": [] }), false);
        check(json!({ "aud": [1] }), false);
        check(json!({ "exp": "1" }), false);
        check(json!({ "exp": 1.5 }), false);
        check(json!({ "exp": 1e300 }), false);
        check(json!({ "epoch": -1 }), false);
        check(json!({ "env": "LIVE" }), false);
        check(json!({ "scope": "a*b" }), false);
        check(json!({ "sub": "me" }), false);
        check(json!({ "jti": "x" }), false);
        for restriction in ["objects", "networks", "cnf", "authorization_details", "status", "act"] {
            check(json!({ restriction: null }), false);
            check(json!({ restriction: {} }), false);
            check(json!({ restriction: "x" }), false);
        }
        check(json!({ "cnf": { "jwk": {} } }), false);
        check(json!({ "cnf": { "jkt": "a" } }), false);
        check(json!({ "cnf": { "jkt": thumbprint(1), "x5t#S256": thumbprint(2) } }), true);
        check(json!({ "cnf": { "jkt": thumbprint(1), "kid": "x" } }), false);
        check(json!({ "status": { "status_list": { "idx": 1, "uri": "u" }, "other": {} } }), false);
        check(json!({ "objects": ["base:..", "x"] }), false);
        // Whose members nobody names.
        let actor = json!(["sa_01h2xcejqtf2nbrexx3vqjhp41"]);
        check(json!({ "cnf": [thumbprint(1)] }), false);
        check(json!({ "status": [{ "idx": 7, "uri": "u" }] }), false);
        check(json!({ "status": { "status_list": [7, "u"] } }), false);
        check(json!({ "act": actor }), false);
        check(json!({ "act": { "sub": "sa_01h2xcejqtf2nbrexx3vqjhp41", "act": actor } }), false);
        check(json!({ "authorization_details": [["objects", ["base:app7"]]] }), false);
        for required in least().as_object().unwrap().keys() {
            let mut claims = least();
            claims.as_object_mut().unwrap().remove(required);
            assert!(read(&claims).is_none(), "{required}");
        }
    }

    #[test]
    fn what_is_said_twice_is_refused_at_any_depth_in_one_walk() {
        let key = SigningKey::generate(SigningAlgorithm::EdDsa).unwrap();
        let key = SigningKey::from_pkcs8(SigningAlgorithm::EdDsa, &key).unwrap();
        let full = with(json!({
            "cnf": { "jkt": thumbprint(1), "x5t#S256": thumbprint(2) }, "scope": "a:b",
            "authorization_details": [{ "type": "objects", "objects": ["base:app7"] }],
            "status": { "status_list": { "idx": 7, "uri": "u" } },
            "act": { "sub": "sa_01h2xcejqtf2nbrexx3vqjhp41", "act": { "sub": "user_01h2xcejqtf2nbrexx3vqjhp41" } },
        }));
        let proved = |payload: String| {
            let payload = serde_json::value::RawValue::from_string(payload).unwrap();
            let text = key.sign("at+jwt", "k", &payload).unwrap();
            let jws = Jws::parse(&text, Typ::ACCESS_TOKEN).unwrap();
            let closed = jws.proved_closed::<AccessTokenClaims>(key.verifying_key());
            assert_eq!(closed, jws.proved(key.verifying_key()), "both ways say the same: {payload}");
            closed
        };
        let text = full.to_string();
        assert_eq!(proved(text.clone()).map(|claims| json!(claims)), Ok(full));
        let names = text.match_indices("\":").map(|(end, _)| (text[..end].rfind('"').unwrap(), end));
        let mut count = 0;
        for (start, end) in names {
            // The member once more, where its object begins.
            let rest = &text[end + 2..];
            let value = serde_json::Deserializer::from_str(rest).into_iter::<&serde_json::value::RawValue>().next();
            let member = format!("{}\":{}", &text[start..end], value.unwrap().unwrap());
            assert_eq!(
                proved(format!("{}{member},{}", &text[..start], &text[start..])),
                Err(JwsError::Claims),
                "{member}"
            );
            count += 1;
        }
        assert_eq!(count, 11 + 5 + 2 + 2 + 1 + 2 + 3);
        assert_eq!(proved(format!("[{text}]")), Err(JwsError::Claims));
    }

    fn found_by(claims: Value, change: impl FnOnce(&mut Found)) -> Option<Found> {
        let mut parent = crate::facts::tests::found();
        change(&mut parent);
        read(&with(claims)).unwrap().found(&parent.credential, &parent.principal, &parent.organization)
    }

    #[test]
    fn a_token_is_its_credentials_and_nobody_elses() {
        let check = |claims: Value, ours: bool| assert_eq!(found_by(claims, |_| {}).is_some(), ours);
        check(json!({}), true);
        check(json!({ "cred": "key_01h2xcejqtf2nbrexx3vqjhp42" }), false);
        check(json!({ "sub": "sa_01h2xcejqtf2nbrexx3vqjhp42" }), false);
        check(json!({ "sub": "user_01h2xcejqtf2nbrexx3vqjhp41" }), false);
        check(json!({ "org": "org_01h2xcejqtf2nbrexx3vqjhp42" }), false);
        check(json!({ "exp": i64::MAX }), false);
        check(json!({ "iat": i64::MIN }), false);
    }

    #[test]
    fn a_token_by_itself_is_what_it_says() {
        let claims = with(json!({
            "scope": "invoices:read claviger:verify", "objects": ["base:app7"], "networks": ["10.0.0.0/8"],
            "cnf": { "jkt": thumbprint(1) }, "env": "test",
        }));
        let found = read(&claims).unwrap().alone().unwrap();
        assert_eq!(found.rights.permissions.to_text(), "claviger:verify invoices:read");
        assert_eq!(found.credential.objects.unwrap().to_text(), "base:app7");
        assert_eq!(found.credential.networks.unwrap().to_text(), "10.0.0.0/8");
        assert_eq!(found.credential.confirmation, Some(Confirmation::of_key(thumbprint(1))));
        assert_eq!((found.credential.environment, found.credential.epoch), (Environment::Test, 3));
        assert_eq!(found.credential.expires_at, Timestamp::from_second(1_800_000_600).ok());
        assert!(!found.credential.revoked);
        assert!(read(&with(json!({ "exp": i64::MAX }))).unwrap().alone().is_none());
    }

    #[test]
    fn a_token_is_never_more_than_its_credential_is_now() {
        let scope = |list: &str, held: &str, ceiling: &str| {
            let found = found_by(json!({ "scope": "invoices:read invoices:write" }), |parent| {
                parent.credential.permissions = PermissionMask::from_text(list).unwrap();
                Arc::make_mut(&mut parent.principal).permissions = PermissionSet::from_text(held).unwrap();
                Arc::make_mut(&mut parent.organization).ceiling = PermissionMask::from_text(ceiling).unwrap();
            });
            let found = found.unwrap();
            assert!(!found.credential.permissions.follows_principal());
            found.rights.permissions.to_text()
        };
        let all = "invoices:read invoices:write";
        assert_eq!(scope("*", "invoices:read invoices:write a:b", "*"), all, "and not a:b");
        assert_eq!(scope("invoices:read", all, "*"), "invoices:read");
        assert_eq!(scope("*", "invoices:read", "*"), "invoices:read");
        assert_eq!(scope("*", all, "invoices:write"), "invoices:write");
        assert_eq!(scope("", all, "*"), "");

        let at = |second| Timestamp::from_second(second).unwrap();
        let ends = |end: Option<i64>| {
            found_by(json!({}), |parent| parent.credential.expires_at = end.map(at)).unwrap().credential.expires_at
        };
        let own = 1_800_000_600;
        for (end, expected) in [(None, own), (Some(own + 1), own), (Some(own - 1), own - 1)] {
            assert_eq!(ends(end), Some(at(expected)));
        }

        let objects = |own: Value, of_credential: Option<&str>| {
            let found = found_by(json!({ "objects": own }), |parent| {
                parent.credential.objects = of_credential.map(|text| ObjectSet::from_text(text).unwrap());
            });
            let credential = found.unwrap().credential;
            (credential.objects.map(|objects| objects.to_text()).unwrap_or_default(), credential.revoked)
        };
        assert_eq!(objects(json!(["base:app7"]), None), ("base:app7".to_owned(), false));
        assert_eq!(objects(json!(["base:app7"]), Some("base:*")), ("base:app7".to_owned(), false));
        assert_eq!(objects(json!(["base:*", "repo:acme"]), Some("base:app7")), ("base:app7".to_owned(), false));
        assert_eq!(objects(json!(["base:app7"]), Some("base:app8")), (String::new(), true), "nothing is left");
        let without = found_by(json!({}), |parent| parent.credential.objects = ObjectSet::from_text("base:app7").ok());
        assert_eq!(without.unwrap().credential.objects.unwrap().to_text(), "base:app7");
        let networks = found_by(json!({ "networks": ["10.0.0.0/8"] }), |parent| {
            parent.credential.networks = NetworkSet::from_text("10.1.0.0/16 192.0.2.0/24").ok();
        });
        assert_eq!(networks.unwrap().credential.networks.unwrap().to_text(), "10.1.0.0/16");
        let test = found_by(json!({}), |parent| parent.credential.environment = Environment::Test);
        assert_eq!(test.unwrap().credential.environment, Environment::Test);
    }

    #[test]
    fn a_token_ends_with_its_credential_and_with_its_epoch() {
        let check = |change: fn(&mut Found), (revoked, disabled, pending): (bool, bool, bool)| {
            let credential = found_by(json!({ "epoch": 3 }), change).unwrap().credential;
            assert_eq!(
                (credential.revoked, credential.disabled, credential.pending_approval),
                (revoked, disabled, pending)
            );
        };
        check(|_| {}, (false, false, false));
        check(|parent| parent.credential.revoked = true, (true, false, false));
        check(|parent| parent.credential.epoch = 4, (true, false, false));
        check(|parent| parent.credential.epoch = 2, (false, false, false));
        check(|parent| parent.credential.disabled = true, (false, true, false));
        check(|parent| parent.credential.pending_approval = true, (false, false, true));
        let found =
            found_by(json!({ "aud": ["https://a.test", "https://b.test"], "cnf": { "jkt": thumbprint(1) } }), |_| {});
        let found = found.unwrap();
        assert_eq!(*found.audiences, ["https://a.test", "https://b.test"]);
        assert_eq!(found.credential.confirmation, Some(Confirmation::of_key(thumbprint(1))));
        assert_eq!((found.credential.kind, found.secret.is_none()), (CredentialKind::AccessToken, true));
    }

    #[test]
    fn what_its_credential_is_bound_to_is_proved_with_a_token() {
        let check = |claims: Value, own: Option<Confirmation>, expected: Option<Confirmation>| {
            let found = found_by(claims, |parent| parent.credential.confirmation = own).unwrap();
            assert_eq!(found.credential.confirmation, expected);
        };
        let (key, certificate) = (Confirmation::of_key(thumbprint(1)), Confirmation::of_certificate(thumbprint(2)));
        check(json!({}), None, None);
        check(json!({}), Some(key), Some(key));
        check(json!({ "cnf": { "jkt": thumbprint(3) } }), None, Some(Confirmation::of_key(thumbprint(3))));
        check(json!({ "cnf": { "jkt": thumbprint(1) } }), Some(certificate), Some(key.or(certificate)));
    }

    #[test]
    fn the_chain_of_actors_is_short() {
        let chain = |length: usize| {
            (1..length).fold(
                json!({ "sub": "user_01h2xcejqtf2nbrexx3vqjhp41" }),
                |before, _| json!({ "sub": "sa_01h2xcejqtf2nbrexx3vqjhp41", "act": before }),
            )
        };
        assert_eq!(
            read(&with(json!({ "act": chain(ActorClaim::MOST) }))).unwrap().act.unwrap().depth(),
            ActorClaim::MOST
        );
        assert!(read(&with(json!({ "act": chain(ActorClaim::MOST + 1) }))).is_none());
    }
}
