//! Where the keys of an outside issuer are: at the issuer itself, at an address, or here. Sets of keys come from outside and are
//! read with suspicion.
//!
//! The room must not know who fetches them.

use std::collections::HashSet;

use claviger_token::{IssuerKey, JwkError, read_object};
use serde_json::{Map, Value, json};

const MOST_KEYS: usize = 50;
/// What makes a public key and says what it is for: others of its members are not kept.
const KEPT: [&str; 10] = ["kty", "crv", "x", "y", "n", "e", "use", "alg", "kid", "key_ops"];

/// Where the keys of an issuer are.
#[derive(Debug, Clone)]
pub enum IssuerKeySource {
    /// Wherever the issuer says: OpenID Connect Discovery 1.0.
    Discovery,
    /// At this address, as a JWK Set, or as a bundle of SPIFFE.
    JwksUri(String),
    /// Here.
    Jwks(IssuerKeys),
}

/// Keys that somebody uploaded.
#[derive(Debug, Clone)]
pub struct IssuerKeys {
    keys: Vec<IssuerKey>,
    jwks: Value,
}

/// Why a set of keys is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum IssuerKeysError {
    #[error("a JWK Set: {{\"keys\": [...]}} that says each thing once, with at most {MOST_KEYS} keys")]
    Form,
    #[error("keys/{0}: {1}")]
    Key(usize, JwkError),
    #[error("two keys have the same kid")]
    Twice,
    #[error(
        "no key in it proves a signature: one is EC, RSA or Ed25519 with use sig, or jwt-svid in a bundle of SPIFFE"
    )]
    None,
}

impl IssuerKeys {
    /// Reads a set. Keys for something else are passed over; secret ones are not.
    pub(super) fn parse(text: &[u8], of_bundle: bool) -> Result<Self, IssuerKeysError> {
        let set: Map<String, Value> = read_object(text).map_err(|_| IssuerKeysError::Form)?;
        let Some(Value::Array(given)) = set.get("keys") else { return Err(IssuerKeysError::Form) };
        if given.len() > MOST_KEYS {
            return Err(IssuerKeysError::Form);
        }
        let (mut keys, mut kept) = (Vec::new(), Vec::new());
        for (place, jwk) in given.iter().enumerate() {
            let jwk = jwk.as_object().ok_or(IssuerKeysError::Form)?;
            match IssuerKey::from_members(jwk) {
                Ok(key) if key.is_of_bundle() == of_bundle => {
                    keys.push(key);
                    kept.push(Value::Object(public_members(jwk)));
                }
                Ok(_) | Err(JwkError::Kind | JwkError::Purpose) => {}
                Err(error) => return Err(IssuerKeysError::Key(place, error)),
            }
        }
        let mut seen = HashSet::new();
        if !keys.iter().filter_map(IssuerKey::kid).all(|kid| seen.insert(kid.to_owned())) {
            return Err(IssuerKeysError::Twice);
        }
        if keys.is_empty() {
            return Err(IssuerKeysError::None);
        }
        Ok(Self { keys, jwks: json!({ "keys": kept }) })
    }

    /// The keys.
    pub fn keys(&self) -> &[IssuerKey] {
        &self.keys
    }

    /// Their public members, as a JWK Set.
    pub fn to_json(&self) -> &Value {
        &self.jwks
    }
}

/// Of members that no key of this kind has, anything may be the value: nothing that is deeper than it is read again is kept.
fn public_members(jwk: &Map<String, Value>) -> Map<String, Value> {
    let is_plain =
        |value: &Value| value.is_string() || value.as_array().is_some_and(|uses| uses.iter().all(Value::is_string));
    let members = KEPT.iter().filter_map(|name| Some(((*name).to_owned(), jwk.get(*name)?.clone())));
    members.filter(|(_, value)| is_plain(value)).collect()
}

impl IssuerKeySource {
    /// The set that is here, if it is.
    pub fn jwks(&self) -> Option<&IssuerKeys> {
        match self {
            Self::Jwks(keys) => Some(keys),
            Self::Discovery | Self::JwksUri(_) => None,
        }
    }

    /// The address, if there is one.
    pub fn jwks_uri(&self) -> Option<&str> {
        match self {
            Self::JwksUri(address) => Some(address),
            Self::Discovery | Self::Jwks(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn w05_w07_an_uploaded_set_holds_public_keys_that_prove_signatures() {
        let key = |kid: &str, usage: Option<&str>| {
            let mut jwk = json!({
                "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": kid, "x5c": ["…"],
            });
            if let Some(usage) = usage {
                jwk["use"] = json!(usage);
            }
            jwk
        };
        let parse = |keys: Vec<Value>, of_bundle: bool| {
            let text = json!({ "keys": keys, "spiffe_sequence": 1 }).to_string();
            IssuerKeys::parse(text.as_bytes(), of_bundle)
                .map(|read| read.keys().iter().filter_map(IssuerKey::kid).collect::<Vec<_>>().join(" "))
        };
        let mixed =
            || vec![key("a", None), key("b", Some("sig")), key("c", Some("jwt-svid")), key("d", Some("x509-svid"))];
        assert_eq!(parse(mixed(), false).as_deref(), Ok("a b"));
        assert_eq!(parse(mixed(), true).as_deref(), Ok("c"));
        assert_eq!(parse(vec![key("d", Some("x509-svid"))], true), Err(IssuerKeysError::None));
        assert_eq!(parse(vec![key("a", None), key("a", None)], false), Err(IssuerKeysError::Twice));
        let mut private = key("a", None);
        private["d"] = json!("AAAA");
        assert_eq!(parse(vec![private], false), Err(IssuerKeysError::Key(0, JwkError::Secret)));
        let oct = json!({ "kty": "oct", "k": "AAAA" });
        assert_eq!(parse(vec![key("a", None), oct], false), Err(IssuerKeysError::Key(1, JwkError::Secret)));
        assert_eq!(parse(vec![key("a", None); 51], false), Err(IssuerKeysError::Form));
        for wrong in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":["x"]}"#, r#"{"keys":[],"keys":[]}"#, "<html>"] {
            assert_eq!(IssuerKeys::parse(wrong.as_bytes(), false).unwrap_err(), IssuerKeysError::Form, "{wrong}");
        }
        let deep = (0..120).fold(json!("x"), |inner, _| json!([inner]));
        let mut odd = key("a", None);
        (odd["n"], odd["y"]) = (deep, json!({ "x": 1 }));
        let text = json!({ "keys": [odd] }).to_string();
        let kept = IssuerKeys::parse(text.as_bytes(), false).unwrap();
        assert!(kept.to_json().to_string().len() < 200 && kept.to_json()["keys"][0]["x"].is_string());
        let text = json!({ "keys": [key("a", None)] }).to_string();
        let kept = IssuerKeys::parse(text.as_bytes(), false).unwrap();
        assert!(!kept.to_json().to_string().contains("x5c"));
    }
}
