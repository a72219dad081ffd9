//! What a form says of a public key: one key as PEM or JWK, or the address at which the client publishes its keys.

use claviger_core::NewPublicKey;
use claviger_token::VerifyingKey;
use jiff::Timestamp;
use serde_json::value::{RawValue, to_raw_value};

use super::proof::Extra;
use crate::console::{credential::form::Wrong, page::Frame};

/// The key that is asked for.
pub(super) fn body(
    name: String,
    expires_at: Option<Timestamp>,
    extra: &Extra,
    frame: &Frame,
    wrong: &mut Wrong,
) -> Option<NewPublicKey> {
    let (material, address) = (extra.given("material"), extra.given("jwks_uri"));
    let mut told = |field, key| wrong.fields.push((field, frame.text(key)));
    let jwk = match (material, address) {
        (Some(_), Some(_)) => {
            told("jwks_uri", "public-key-one-of");
            return None;
        }
        (None, None) => {
            told("material", "public-key-required");
            return None;
        }
        (None, Some(_)) => None,
        (Some(text), None) => match read(text) {
            Ok(jwk) => Some(jwk),
            Err(key) => {
                told("material", key);
                return None;
            }
        },
    };
    Some(NewPublicKey { name, jwk, jwks_uri: address.map(str::to_owned), expires_at })
}

/// A key as JWK, from either form; or the key of what is wrong with it.
fn read(text: &str) -> Result<Box<RawValue>, &'static str> {
    // Whoever pastes it here by mistake has shown it to more than its owner.
    let is_private = text.contains("PRIVATE KEY-----") || text.contains("\"d\"");
    if is_private {
        return Err("public-key-private");
    }
    if !text.starts_with("-----BEGIN") {
        return serde_json::from_str(text).map_err(|_| "public-key-wrong");
    }
    let key = VerifyingKey::from_pem(text.as_bytes()).map_err(|_| "public-key-wrong")?;
    let mut jwk = serde_json::to_value(key.jwk("")).map_err(|_| "public-key-wrong")?;
    if let Some(members) = jwk.as_object_mut() {
        members.remove("kid");
    }
    to_raw_value(&jwk).map_err(|_| "public-key-wrong")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::language::Language;

    const JWK: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    const PEM: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n\
                       -----END PUBLIC KEY-----\n";

    fn asked(fields: &[(&'static str, &str)]) -> Result<NewPublicKey, (&'static str, String)> {
        let (frame, mut wrong) = (Frame::sample(Language::English, None), Wrong::default());
        let body = body("ci".to_owned(), None, &Extra::with(fields), &frame, &mut wrong);
        body.ok_or_else(|| wrong.fields.remove(0))
    }

    #[test]
    fn a_key_is_read_as_pem_or_jwk_and_either_way_it_is_the_same() {
        let pem = asked(&[("material", PEM)]).unwrap().jwk.unwrap();
        let key = VerifyingKey::from_jwk(pem.get().as_bytes()).unwrap();
        assert_eq!(key.thumbprint(), VerifyingKey::from_jwk(JWK.as_bytes()).unwrap().thumbprint());
        assert_eq!(asked(&[("material", JWK)]).unwrap().jwk.unwrap().get(), JWK);
        let at = asked(&[("jwks_uri", " https://client.test/jwks ")]).unwrap();
        assert_eq!((at.jwk.is_none(), at.jwks_uri.as_deref()), (true, Some("https://client.test/jwks")));
    }

    #[test]
    fn what_is_no_public_key_is_told_where_it_was_pasted() {
        let check = |fields: &[(&'static str, &str)], field: &str, part: &str| {
            let (told, text) = asked(fields).unwrap_err();
            assert!(told == field && text.contains(part), "{told} {text}");
        };
        check(&[], "material", "Paste");
        check(&[("material", JWK), ("jwks_uri", "https://x.test")], "jwks_uri", "not both");
        check(&[("material", "{")], "material", "no public key");
        check(
            &[("material", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----")],
            "material",
            "no public key",
        );
        check(&[("material", "-----BEGIN PRIVATE KEY-----\nAAAA")], "material", "private key");
        check(&[("material", &JWK.replace('}', r#","d":"AA"}"#))], "material", "private key");
    }
}
