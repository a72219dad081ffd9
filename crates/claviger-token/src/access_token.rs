//! What an access token says when it is a JWT: the claims of RFC 9068, and ours.
//!
//! The list is closed. A claim that is not known here may be a restriction that a later version makes, and whoever passed
//! over it would allow what the token does not: so it is refused. Signature and time are not this room's to judge.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::jose::given;
use crate::{
    Confirmation, CredentialId, Environment, NetworkSet, ObjectSet, OrganizationId, PermissionSet, PrincipalId,
    ServiceAccountId,
};

/// How many actors may stand behind one another (RFC 8693, section 4.1).
const MOST_ACTORS: usize = 8;

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
    pub jti: String,
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
    /// Where its state is told.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
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
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub act: Option<Box<ActorClaim>>,
}

impl ActorClaim {
    /// How many actors there are, this one included.
    pub fn depth(&self) -> usize {
        1 + self.act.as_ref().map_or(0, |before| before.depth())
    }
}

fn actors<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<ActorClaim>>, D::Error> {
    let actor = Box::<ActorClaim>::deserialize(deserializer)?;
    if actor.depth() > MOST_ACTORS {
        return Err(de::Error::custom("too many actors"));
    }
    Ok(Some(actor))
}

/// RFC 7519, section 4.1.3: one text, or a list.
mod one_or_many {
    use super::{Deserialize, Deserializer, Serializer, de};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Texts {
        One(String),
        Many(Vec<String>),
    }

    pub(super) fn serialize<S: Serializer>(texts: &[String], serializer: S) -> Result<S::Ok, S::Error> {
        match texts {
            [one] => serializer.serialize_str(one),
            many => serializer.collect_seq(many),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
        match Texts::deserialize(deserializer)? {
            Texts::One(text) => Ok(vec![text]),
            Texts::Many(texts) if texts.is_empty() => Err(de::Error::custom("an audience is wanted")),
            Texts::Many(texts) => Ok(texts),
        }
    }
}

/// RFC 8693, section 4.2: one text, separated by spaces.
mod scope {
    use super::{Deserialize, Deserializer, PermissionSet, Serializer, de};

    pub(super) fn serialize<S: Serializer>(permissions: &PermissionSet, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&permissions.to_text())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PermissionSet, D::Error> {
        PermissionSet::from_text(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::jose::read_object;

    fn least() -> Value {
        json!({
            "iss": "https://claviger.test", "sub": "sa_01h2xcejqtf2nbrexx3vqjhp41", "aud": "https://api.acme.test",
            "exp": 1_800_000_600, "iat": 1_800_000_000, "jti": "x", "client_id": "sa_01h2xcejqtf2nbrexx3vqjhp41",
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
            "objects": ["base:app7"], "networks": ["10.0.0.0/8"], "cnf": { "jkt": "abc" },
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
        for restriction in ["objects", "networks", "cnf", "status", "act"] {
            check(json!({ restriction: null }), false);
            check(json!({ restriction: {} }), false);
            check(json!({ restriction: "x" }), false);
        }
        check(json!({ "cnf": { "jwk": {} } }), false);
        check(json!({ "cnf": { "jkt": "a", "x5t#S256": "b" } }), false);
        check(json!({ "status": { "status_list": { "idx": 1, "uri": "u" }, "other": {} } }), false);
        check(json!({ "objects": ["base:..", "x"] }), false);
        for required in least().as_object().unwrap().keys() {
            let mut claims = least();
            claims.as_object_mut().unwrap().remove(required);
            assert!(read(&claims).is_none(), "{required}");
        }
    }

    #[test]
    fn the_chain_of_actors_is_short() {
        let chain = |length: usize| {
            (1..length).fold(
                json!({ "sub": "user_01h2xcejqtf2nbrexx3vqjhp41" }),
                |before, _| json!({ "sub": "sa_01h2xcejqtf2nbrexx3vqjhp41", "act": before }),
            )
        };
        assert_eq!(read(&with(json!({ "act": chain(MOST_ACTORS) }))).unwrap().act.unwrap().depth(), MOST_ACTORS);
        assert!(read(&with(json!({ "act": chain(MOST_ACTORS + 1) }))).is_none());
    }
}
