//! Public keys: with which the assertions are proved that a service account, as an OAuth client, signs instead of sending a
//! secret (RFC 7523). What a key is made of is `client_key.rs`; what becomes of one afterwards is every credential's.

use claviger_token::{CredentialId, PublicKeyId, TypedId as _, VerifyingKey};
use jiff::Timestamp;
use rand::CryptoRng;
use serde::Deserialize;
use serde_json::{json, value::RawValue};

use crate::{
    audit::Event,
    client_credential::must_be_few,
    client_key::ClientKey,
    credential::{Change, Credential},
    invalid::{FieldErrors, Rejection},
    issuing::{Asked, IssuingContext},
};

/// Body of `POST /v1/service-accounts/{id}/public-keys`: exactly one of `jwk` and `jwks_uri`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewPublicKey {
    /// 1 to 100 characters; need not be unique.
    #[cfg_attr(feature = "openapi", schema(example = "production"))]
    pub name: String,
    /// One public key as JWK (RFC 7517): EC with P-256, OKP with Ed25519, or RSA of 2048 to 8192 bits. Private members are refused.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub jwk: Option<Box<RawValue>>,
    /// Where the client publishes its keys as a JWK Set: an `https` address (`http` on loopback only).
    #[cfg_attr(feature = "openapi", schema(example = "https://client.acme.test/jwks.json"))]
    pub jwks_uri: Option<String>,
    /// When it ends (RFC 3339).
    pub expires_at: Option<Timestamp>,
}

/// A key that was registered.
#[derive(Debug)]
pub struct RegisteredKey {
    /// The record.
    pub credential: Credential,
    /// What signatures are proved with.
    pub key: ClientKey,
    /// What happened.
    pub event: Event,
}

impl NewPublicKey {
    /// The key that is asked for. `existing` are those of its service account that were not revoked.
    pub fn register(
        self,
        context: &IssuingContext<'_>,
        existing: &[(Credential, ClientKey)],
        created_by: String,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
    ) -> Result<RegisteredKey, Rejection> {
        self.register_as(PublicKeyId::generate(now, rng).into(), context, existing, created_by, now)
    }

    /// The same under an id that was chosen before.
    pub fn register_as(
        self,
        id: CredentialId,
        context: &IssuingContext<'_>,
        existing: &[(Credential, ClientKey)],
        created_by: String,
        now: Timestamp,
    ) -> Result<RegisteredKey, Rejection> {
        let mut errors = FieldErrors::default();
        let key = self.key(&mut errors);
        let credential = Asked::of_client(id, &self.name, self.expires_at).record(context, created_by, now, errors)?;
        let Some(key) = key else { return Err(Rejection::Invalid(Vec::new())) };
        let living = existing.iter().filter(|(one, _)| one.expires_at.is_none_or(|end| end > now)).count();
        must_be_few(id, i64::try_from(living).unwrap_or(i64::MAX))?;
        // Of one that is there twice, revoking the one would leave the other. One that is over may be given a new end.
        if existing.iter().any(|(_, other)| other.to_string() == key.to_string()) {
            let message = "the service account has this key already; use that one, or revoke it first";
            return Err(Rejection::conflict("key_exists", message));
        }
        let mut details = credential.told();
        details["jwk_thumbprint"] = json!(key.thumbprint());
        details["jwks_uri"] = json!(key.jwks_uri());
        let event = credential.event(Change::Created, details);
        Ok(RegisteredKey { credential, key, event })
    }

    fn key(&self, errors: &mut FieldErrors) -> Option<ClientKey> {
        match (&self.jwk, &self.jwks_uri) {
            (Some(jwk), None) => {
                let key = VerifyingKey::from_jwk(jwk.get().as_bytes());
                errors.keep("/jwk", "invalid_jwk", key).map(Box::new).map(ClientKey::Jwk)
            }
            (None, Some(address)) => errors.keep("/jwks_uri", "invalid_jwks_uri", ClientKey::at(address)),
            (None, None) => {
                errors.add("/jwk", "required", "one of jwk and jwks_uri");
                None
            }
            (Some(_), Some(_)) => {
                errors.add("/jwks_uri", "one_of", "one of jwk and jwks_uri, and not both");
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use claviger_token::{CredentialKind, PermissionMask};
    use serde_json::Value;

    use super::*;
    use crate::{
        fixtures::{World, at, now, rng, said},
        policy::{Kind, Policy},
        rights::Grantor,
    };

    const ED25519: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

    fn register(world: &World, body: &str, existing: &[(Credential, ClientKey)]) -> Result<RegisteredKey, Rejection> {
        let new: NewPublicKey = serde_json::from_str(body).unwrap();
        let context = world.asked_by(Grantor::Operator);
        new.register(&context, existing, "operator".to_owned(), now(), &mut rng())
    }

    fn of_jwk(jwk: &str) -> String {
        format!(r#"{{"name":"ci","jwk":{jwk}}}"#)
    }

    fn of_uri(address: &str) -> String {
        serde_json::json!({ "name": "ci", "jwks_uri": address }).to_string()
    }

    #[test]
    fn a_key_stands_for_all_of_its_account_and_has_no_secret() {
        let world = World::new();
        let RegisteredKey { credential, key, event } = register(&world, &of_jwk(ED25519), &[]).unwrap();
        assert_eq!((&credential.permissions, credential.secrets.len()), (&PermissionMask::everything(), 0));
        assert_eq!(event.action.as_str(), "public_key.created");
        assert_eq!(event.details["jwk_thumbprint"], "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        assert_eq!(key.jwks_uri(), None);
        let context = world.asked_by(Grantor::Operator);
        let rolled = credential.clone().roll(0, &context, "operator".to_owned(), at(1), &mut rng());
        assert_eq!(said(&rolled), "conflict no_secret");
        assert_eq!(credential.facts().kind, CredentialKind::AccessToken);
        let at_home = register(&world, &of_uri("https://client.test/jwks"), &[]).unwrap();
        assert_eq!(at_home.event.details["jwks_uri"], "https://client.test/jwks");
        assert_eq!(at_home.event.details["jwk_thumbprint"], Value::Null);
    }

    #[test]
    fn only_one_public_key_for_signatures_is_taken() {
        let world = World::new();
        let check = |body: &str, expected: &str| assert_eq!(said(&register(&world, body, &[])), expected, "{body}");
        check(&of_jwk(ED25519), "ok");
        let rsa = |bits: usize, e: &str| {
            // Any odd number of that length will do: nobody knows its factors, here either.
            let number = vec![0xff_u8; bits / 8];
            let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
            let mut n = String::new();
            for chunk in number.chunks(3) {
                let word =
                    chunk.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
                for place in 0..=chunk.len() {
                    n.push(char::from(digits[(word >> (18 - 6 * place) & 63) as usize]));
                }
            }
            format!(r#"{{"kty":"RSA","n":"{n}","e":"{e}"}}"#)
        };
        check(&of_jwk(&rsa(2048, "AQAB")), "ok");
        for wrong in [
            &rsa(1024, "AQAB"),
            &rsa(2048, "AQ"), // e = 1
            &rsa(2048, "AAEAAQ"),
            &rsa(8200, "AQAB"),
            "{}",
            "[]",
            "1",
            r#""x""#,
            r#"{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}"#,
            r#"{"kty":"XYZ","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
            r#"{"kty":"EC","crv":"P-384","x":"AA","y":"AA"}"#,
            r#"{"kty":"OKP","crv":"X25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
            r#"{"kty":"OKP","crv":"Ed25519","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}"#,
            r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","use":"enc"}"#,
            r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","alg":"PS256"}"#,
            r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":7}"#,
            r#"{"kty":"OKP","crv":"Ed25519","x":"AAAA","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
            r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#,
        ] {
            check(&of_jwk(wrong), "/jwk invalid_jwk");
        }
        for private in ["d", "p", "q", "dp", "dq", "qi", "k", "oth"] {
            check(&of_jwk(&ED25519.replace('}', &format!(r#","{private}":"AA"}}"#))), "/jwk invalid_jwk");
        }
        check(r#"{"name":"ci"}"#, "/jwk required");
        check(r#"{"name":"ci","jwk":null,"jwks_uri":null}"#, "/jwk required");
        let both = format!(r#"{{"name":"","jwk":{ED25519},"jwks_uri":"https://client.test/"}}"#);
        check(&both, "/jwks_uri one_of, /name invalid_name");
        check(&of_uri("https://client.test/jwks"), "ok");
        check(&of_uri("javascript:alert(1)"), "/jwks_uri invalid_jwks_uri");
        check(&of_uri("https://a:b@client.test/"), "/jwks_uri invalid_jwks_uri");
        for no_request in [r#"{"name":"x","jwk":{},"permissions":[]}"#, r#"{"name":"x","jwks_uri":7}"#, r#"{"jwk":{}}"#]
        {
            assert!(serde_json::from_str::<NewPublicKey>(no_request).is_err(), "{no_request}");
        }
    }

    #[test]
    fn an_account_has_few_and_each_once() {
        let mut world = World::new();
        let key = |number: usize| {
            let made = register(&World::new(), &of_uri(&format!("https://client.test/{number}")), &[]).unwrap();
            (made.credential, made.key)
        };
        let mut existing: Vec<_> = (0..20).map(key).collect();
        let check = |existing: &[(Credential, ClientKey)], body: &str, expected: &str| {
            assert_eq!(said(&register(&world, body, existing)), expected);
        };
        check(&existing[..19], &of_jwk(ED25519), "ok");
        check(&existing, &of_jwk(ED25519), "conflict too_many");
        check(&existing[..2], &of_uri("https://client.test/1"), "conflict key_exists");
        existing[1].0.expires_at = Some(now());
        check(&existing, &of_jwk(ED25519), "ok");
        check(&existing, &of_uri("https://client.test/1"), "conflict key_exists");
        let RegisteredKey { credential, key, .. } = register(&world, &of_jwk(ED25519), &[]).unwrap();
        let named = ED25519.replace('}', r#","kid":"another name"}"#);
        check(&[(credential, key)], &of_jwk(&named), "conflict key_exists");
        world.organization.policy = Policy { allowed_kinds: Some(vec![Kind::ClientSecret]), ..Policy::default() };
        assert_eq!(said(&register(&world, &of_jwk(ED25519), &[])), "conflict kind_not_allowed");
    }
}
