//! The instance's public keys (RFC 7517), by their ids.

use std::collections::HashMap;

use claviger_token::{VerifyingKey, read_object};
use serde::Deserialize;
use serde_json::{Map, Value};

/// Keys of one instance. Two of one name, and keys that are not understood, are left out.
#[derive(Clone, Debug, Default)]
pub struct Keys(HashMap<String, VerifyingKey>);

/// The text is no JWK Set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a JWK Set is a JSON object with a list of keys")]
pub struct NoKeys;

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Map<String, Value>>,
}

impl Keys {
    /// Reads a JWK Set.
    pub fn read(text: &[u8]) -> Result<Self, NoKeys> {
        let KeySet { keys } = read_object(text).map_err(|_| NoKeys)?;
        let (mut read, mut twice) = (HashMap::new(), Vec::new());
        for key in keys.iter().filter_map(|key| VerifyingKey::from_members(key).ok()) {
            let Some(kid) = key.kid().map(str::to_owned) else { continue };
            if read.insert(kid.clone(), key).is_some() {
                twice.push(kid);
            }
        }
        read.retain(|kid, _| !twice.contains(kid));
        Ok(Self(read))
    }

    /// The key of this name.
    pub fn key(&self, kid: &str) -> Option<&VerifyingKey> {
        self.0.get(kid)
    }

    /// Whether these are the same, by what they are and not by their names alone.
    pub(crate) fn are(&self, others: &Self) -> bool {
        let is = |(kid, key): (&String, &VerifyingKey)| {
            self.key(kid).is_some_and(|known| known.thumbprint() == key.thumbprint())
        };
        self.0.len() == others.0.len() && others.0.iter().all(is)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use claviger_token::{SigningAlgorithm, SigningKey};
    use serde_json::json;

    use super::*;

    #[test]
    fn another_key_of_the_same_name_is_another() {
        let key = || {
            let pkcs8 = SigningKey::generate(SigningAlgorithm::Es256).unwrap();
            SigningKey::from_pkcs8(SigningAlgorithm::Es256, &pkcs8).unwrap()
        };
        let keys = |keys: &[(&str, &SigningKey)]| {
            let keys: Vec<_> = keys.iter().map(|(kid, key)| json!(key.verifying_key().jwk(*kid))).collect();
            Keys::read(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
        };
        let (one, other) = (key(), key());
        assert!(keys(&[("1", &one)]).are(&keys(&[("1", &one)])));
        assert!(!keys(&[("1", &one)]).are(&keys(&[("1", &other)])));
        assert!(!keys(&[("1", &one)]).are(&keys(&[("2", &one)])));
        assert!(!keys(&[("1", &one)]).are(&keys(&[("1", &one), ("2", &other)])));
        assert!(!keys(&[("1", &one), ("2", &other)]).are(&keys(&[("1", &one)])));
    }
}
