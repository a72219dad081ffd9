//! The key by which a client's signatures are proved: one public JWK (RFC 7517), or the address at which the client publishes
//! its keys (RFC 7591, section 2). Both come from outside and are read with suspicion.
//!
//! The room must not know who fetches from an address, nor what was signed.

use std::fmt;

use claviger_token::{VerifyingKey, read_object};
use serde_json::{Map, Value, json};
use url::{Host, Url};

/// Of an address.
const LONGEST: usize = 2048;

/// What a client's signatures are proved with.
#[derive(Debug, Clone)]
pub enum ClientKey {
    /// This key.
    Jwk(Box<VerifyingKey>),
    /// The keys that are published here, as the address is written by browsers.
    JwksUri(String),
}

/// The text in storage is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no client key")]
pub struct NoClientKey;

/// Why an address is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JwksUriError {
    /// No address that keys are fetched from.
    #[error("an https:// address of at most {LONGEST} characters without user name and fragment")]
    Form,
    /// Anybody between could answer in the client's place.
    #[error("http is for loopback only (localhost, 127.0.0.1, [::1]); an address elsewhere begins with https://")]
    Plain,
}

impl ClientKey {
    /// From the address at which a client publishes its keys.
    pub(crate) fn at(address: &str) -> Result<Self, JwksUriError> {
        // The parser skips tabs and line breaks, and mends backslashes: whoever sends these means something else.
        let odd = |character: char| character.is_control() || character.is_whitespace() || character == '\\';
        if address.len() > LONGEST || address.contains(odd) {
            return Err(JwksUriError::Form);
        }
        let url = Url::parse(address).map_err(|_| JwksUriError::Form)?;
        let loopback = match url.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            None => return Err(JwksUriError::Form),
        };
        if has_userinfo(address) || !url.username().is_empty() || url.password().is_some() {
            return Err(JwksUriError::Form);
        }
        if url.fragment().is_some() || url.as_str().len() > LONGEST {
            return Err(JwksUriError::Form);
        }
        match url.scheme() {
            "https" => Ok(Self::JwksUri(url.into())),
            "http" if loopback => Ok(Self::JwksUri(url.into())),
            "http" => Err(JwksUriError::Plain),
            _ => Err(JwksUriError::Form),
        }
    }

    /// What is stored: the members that make the key and its name, or the address.
    pub fn to_text(&self) -> String {
        match self {
            Self::Jwk(_) => json!({ "jwk": self.jwk() }),
            Self::JwksUri(address) => json!({ "jwks_uri": address }),
        }
        .to_string()
    }

    /// From storage.
    pub fn from_text(text: &str) -> Result<Self, NoClientKey> {
        let stored: Map<String, Value> = read_object(text.as_bytes()).map_err(|_| NoClientKey)?;
        match (stored.get("jwk"), stored.get("jwks_uri")) {
            (Some(Value::Object(jwk)), None) => {
                VerifyingKey::from_members(jwk).map(Box::new).map(Self::Jwk).map_err(|_| NoClientKey)
            }
            (None, Some(Value::String(address))) => Ok(Self::JwksUri(address.clone())),
            _ => Err(NoClientKey),
        }
    }

    /// The key itself with its public members only, if that is what it is.
    pub fn jwk(&self) -> Option<Value> {
        let Self::Jwk(key) = self else { return None };
        let mut jwk = serde_json::to_value(key.jwk(key.kid().unwrap_or_default())).ok()?;
        if let (None, Some(members)) = (key.kid(), jwk.as_object_mut()) {
            members.remove("kid");
        }
        Some(jwk)
    }

    /// The address of the keys, if that is what it is.
    pub fn jwks_uri(&self) -> Option<&str> {
        match self {
            Self::Jwk(_) => None,
            Self::JwksUri(address) => Some(address),
        }
    }

    /// SHA-256 over the members that make the key, as base64url (RFC 7638).
    pub fn thumbprint(&self) -> Option<String> {
        match self {
            Self::Jwk(key) => Some(key.thumbprint()),
            Self::JwksUri(_) => None,
        }
    }
}

impl fmt::Display for ClientKey {
    /// Its thumbprint, or its address.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Jwk(key) => f.write_str(&key.thumbprint()),
            Self::JwksUri(address) => f.write_str(address),
        }
    }
}

/// Also where it is empty, as in `https://@host`, which the parser forgets.
fn has_userinfo(address: &str) -> bool {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().is_some_and(|authority| authority.contains('@'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_https_or_on_this_machine_and_says_nothing_else() {
        let check = |address: &str, expected: &str| {
            let told = match ClientKey::at(address) {
                Ok(key) => key.jwks_uri().unwrap().to_owned(),
                Err(JwksUriError::Form) => "form".to_owned(),
                Err(JwksUriError::Plain) => "plain".to_owned(),
            };
            assert_eq!(told, expected, "{address}");
        };
        for good in [
            "https://client.test/jwks.json",
            "https://client.test:8443/a?b=c@d",
            "http://localhost:1/x",
            "http://127.0.0.1/",
            "http://[::1]/",
        ] {
            check(good, good);
        }
        check("https://CLIENT.test", "https://client.test/");
        check("http://client.test/jwks", "plain");
        check("http://10.0.0.1/jwks", "plain");
        check("http://localhost.evil.test/", "plain");
        for wrong in [
            "",
            "jwks.json",
            "/jwks.json",
            "//client.test/jwks",
            "javascript:alert(1)",
            "data:application/json,{}",
            "file:///etc/passwd",
            "ftp://client.test/jwks",
            "https://",
            "https:///",
            "https://user@client.test/",
            "https://user:pass@client.test/",
            "https://:pass@client.test/",
            "https://@client.test/",
            "https://client.test/#a",
            "https://client.test/#",
            " https://client.test/",
            "https://client.test/\n",
            "https://client\t.test/",
            "https:\\\\client.test/",
            "https://client.test/ä\u{0}",
        ] {
            check(wrong, "form");
        }
        let long = |length: usize| format!("https://client.test/{}", "a".repeat(length - 20));
        check(&long(2048), &long(2048));
        check(&long(2049), "form");
    }

    #[test]
    fn what_is_stored_reads_back_and_has_public_members_only() {
        let check = |kid: Option<&str>| {
            let mut jwk = json!({
                "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
                "x5c": ["…"], "ext": true,
            });
            if let Some(kid) = kid {
                jwk["kid"] = json!(kid);
            }
            let key = VerifyingKey::from_members(jwk.as_object().unwrap()).unwrap();
            let key = ClientKey::Jwk(Box::new(key));
            let mut expected = json!({
                "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "use": "sig",
                "alg": "EdDSA",
            });
            if let Some(kid) = kid {
                expected["kid"] = json!(kid);
            }
            assert_eq!(key.jwk(), Some(expected));
            let ClientKey::Jwk(read) = ClientKey::from_text(&key.to_text()).unwrap() else { panic!("another key") };
            // RFC 8037, appendix A.3.
            assert_eq!((read.kid(), read.thumbprint().as_str()), (kid, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"));
        };
        check(None);
        check(Some("key 1"));
        let address = ClientKey::at("https://client.test/jwks").unwrap();
        let read = ClientKey::from_text(&address.to_text()).unwrap();
        assert_eq!((read.jwks_uri(), read.jwk(), read.thumbprint()), (Some("https://client.test/jwks"), None, None));
        for damaged in ["", "{}", "[]", r#"{"jwk":{}}"#, r#"{"jwks_uri":1}"#, r#"{"jwk":{},"jwks_uri":"x"}"#] {
            assert_eq!(ClientKey::from_text(damaged).unwrap_err(), NoClientKey, "{damaged}");
        }
    }
}
