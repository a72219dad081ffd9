//! Public keys of outside issuers, who sign in more ways than we do (RFC 7518, section 3.1). A key still has one kind, and
//! one algorithm if its JWK names one: a token chooses among what the key is for and nothing else.
//!
//! The room must not know whose keys these are, nor what they prove.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::signature::{
    ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, EcdsaVerificationAlgorithm, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaPublicKeyComponents,
};
use serde_json::{Map, Value};

use super::verifying_key::{LONGEST_KID, SECRET, lists};
use super::{JwkError, VerifyingKey, decode};

/// How an outside issuer signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IssuerAlgorithm {
    /// RSA PKCS#1 v1.5 with SHA-256.
    Rs256,
    /// With SHA-384.
    Rs384,
    /// With SHA-512.
    Rs512,
    /// RSA PSS with SHA-256.
    Ps256,
    /// With SHA-384.
    Ps384,
    /// With SHA-512.
    Ps512,
    /// ECDSA with P-256 and SHA-256.
    Es256,
    /// With P-384 and SHA-384.
    Es384,
    /// With P-521 and SHA-512.
    Es512,
    /// Ed25519 (RFC 8037).
    EdDsa,
}

/// The text names none of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an issuer signs by EdDSA, or by one of RS, PS and ES with 256, 384 or 512")]
pub struct UnknownIssuerAlgorithm;

impl IssuerAlgorithm {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::Es512,
        Self::EdDsa,
    ];

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::EdDsa => "EdDSA",
        }
    }
}

impl fmt::Display for IssuerAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for IssuerAlgorithm {
    type Err = UnknownIssuerAlgorithm;

    fn from_str(text: &str) -> Result<Self, UnknownIssuerAlgorithm> {
        // RFC 9864, section 2.2, has a second name for one.
        let text = if text == "Ed25519" { "EdDSA" } else { text };
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == text).ok_or(UnknownIssuerAlgorithm)
    }
}

/// A public key of an outside issuer.
#[derive(Clone, Debug)]
pub struct IssuerKey {
    key: Key,
    /// The one that it is for, if it says so.
    algorithm: Option<IssuerAlgorithm>,
    of_bundle: bool,
    kid: Option<String>,
}

#[derive(Clone, Debug)]
enum Key {
    /// Of a kind that signs our tokens too, and of one algorithm.
    Own(Box<VerifyingKey>, IssuerAlgorithm),
    P384(ParsedPublicKey),
    P521(ParsedPublicKey),
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
}

impl IssuerKey {
    /// From a JWK (RFC 7517). `use` may be `jwt-svid`, as in a bundle of SPIFFE.
    pub fn from_members(jwk: &Map<String, Value>) -> Result<Self, JwkError> {
        if SECRET.iter().any(|member| jwk.contains_key(*member)) {
            return Err(JwkError::Secret);
        }
        let text = |member| jwk.get(member).and_then(Value::as_str);
        let bytes = |member| text(member).and_then(decode).ok_or(JwkError::Member(member));
        let point = |length| {
            let (x, y) = (bytes("x")?, bytes("y")?);
            let fits =
                |member, number: &[u8]| if number.len() == length { Ok(()) } else { Err(JwkError::Member(member)) };
            fits("x", &x)?;
            fits("y", &y)?;
            Ok([[4].as_slice(), &x, &y].concat())
        };
        let curve = |algorithm: &'static EcdsaVerificationAlgorithm, point: Vec<u8>| {
            ParsedPublicKey::new(algorithm, point).map_err(|_| JwkError::Point)
        };
        let own = |key, algorithm| Key::Own(Box::new(key), algorithm);
        let key = match (text("kty"), text("crv")) {
            (Some("EC"), Some("P-256")) => own(VerifyingKey::p256(&point(32)?)?, IssuerAlgorithm::Es256),
            (Some("EC"), Some("P-384")) => Key::P384(curve(&ECDSA_P384_SHA384_FIXED, point(48)?)?),
            (Some("EC"), Some("P-521")) => Key::P521(curve(&ECDSA_P521_SHA512_FIXED, point(66)?)?),
            (Some("OKP"), Some("Ed25519")) => own(VerifyingKey::ed25519(&bytes("x")?)?, IssuerAlgorithm::EdDsa),
            (Some("RSA"), _) => {
                let (n, e) = (bytes("n")?, bytes("e")?);
                VerifyingKey::rsa(&n, &e)?;
                Key::Rsa { n, e }
            }
            _ => return Err(JwkError::Kind),
        };
        let (usage, operations, alg, kid) = (jwk.get("use"), jwk.get("key_ops"), jwk.get("alg"), jwk.get("kid"));
        let of_bundle = usage.is_some_and(|usage| usage == "jwt-svid");
        let algorithm = match alg {
            None => None,
            Some(alg) => Some(alg.as_str().and_then(|alg| alg.parse().ok()).ok_or(JwkError::Purpose)?),
        };
        let fits = usage.is_none_or(|usage| of_bundle || usage == "sig")
            && operations.is_none_or(|operations| lists(operations, "verify"))
            && algorithm.is_none_or(|algorithm| key.is_for(algorithm))
            && kid.is_none_or(|kid| kid.as_str().is_some_and(|kid| kid.len() <= LONGEST_KID));
        if !fits {
            return Err(JwkError::Purpose);
        }
        Ok(Self { key, algorithm, of_bundle, kid: text("kid").map(str::to_owned) })
    }

    /// What the JWK called it, if it did.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Whether it is for JWT-SVIDs, by its `use`, and for nothing else.
    pub fn is_of_bundle(&self) -> bool {
        self.of_bundle
    }

    /// Whether it can have signed by this algorithm.
    pub fn is_for(&self, algorithm: IssuerAlgorithm) -> bool {
        self.algorithm.is_none_or(|only| only == algorithm) && self.key.is_for(algorithm)
    }

    pub(super) fn verifies(&self, algorithm: IssuerAlgorithm, signed: &[u8], signature: &[u8]) -> bool {
        self.is_for(algorithm) && self.key.verifies(algorithm, signed, signature)
    }
}

impl Key {
    fn is_for(&self, algorithm: IssuerAlgorithm) -> bool {
        use IssuerAlgorithm as A;
        match (self, algorithm) {
            (Self::Own(_, only), _) => *only == algorithm,
            (Self::P384(_), A::Es384) | (Self::P521(_), A::Es512) => true,
            (Self::Rsa { .. }, A::Rs256 | A::Rs384 | A::Rs512 | A::Ps256 | A::Ps384 | A::Ps512) => true,
            (Self::P384(_) | Self::P521(_) | Self::Rsa { .. }, _) => false,
        }
    }

    fn verifies(&self, algorithm: IssuerAlgorithm, signed: &[u8], signature: &[u8]) -> bool {
        use IssuerAlgorithm as A;
        let (n, e) = match self {
            Self::Own(key, _) => return key.verifies(signed, signature),
            Self::P384(key) | Self::P521(key) => return key.verify_sig(signed, signature).is_ok(),
            Self::Rsa { n, e } => (n, e),
        };
        let parameters = match algorithm {
            A::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
            A::Rs384 => &RSA_PKCS1_2048_8192_SHA384,
            A::Rs512 => &RSA_PKCS1_2048_8192_SHA512,
            A::Ps256 => &RSA_PSS_2048_8192_SHA256,
            A::Ps384 => &RSA_PSS_2048_8192_SHA384,
            A::Ps512 => &RSA_PSS_2048_8192_SHA512,
            A::Es256 | A::Es384 | A::Es512 | A::EdDsa => return false,
        };
        RsaPublicKeyComponents { n, e }.verify(parameters, signed, signature).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::AsDer as _;
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::rsa::KeySize;
    use aws_lc_rs::signature::{
        ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
        KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384,
        RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
    };
    use serde_json::json;

    use super::super::{Jws, JwsError, SigningAlgorithm, SigningKey, Typ, encode};
    use super::*;

    const TYP: Typ = Typ::AbsentOr(&["JWT"]);

    fn read(jwk: &Value) -> Result<IssuerKey, JwkError> {
        IssuerKey::from_members(jwk.as_object().unwrap())
    }

    fn signed(alg: &str, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
        let header = encode(json!({ "alg": alg, "kid": "k" }).to_string());
        let text = format!("{header}.{}", encode(r#"{"sub":"s"}"#));
        let signature = encode(sign(text.as_bytes()));
        format!("{text}.{signature}")
    }

    fn proves(token: &str, jwk: &Value) -> bool {
        Jws::parse_issued(token, TYP, 9_000).unwrap().is_signed_by(&read(jwk).unwrap())
    }

    #[test]
    fn w05_every_algorithm_that_issuers_use_is_verified_by_a_key_of_its_kind_alone() {
        let random = SystemRandom::new();
        let rsa = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let own = SigningKey::from_pkcs8(SigningAlgorithm::Rs256, rsa.as_der().unwrap().as_ref()).unwrap();
        let jwk = serde_json::to_value(own.verifying_key().jwk("k")).unwrap();
        let rsa_jwk = json!({ "kty": "RSA", "n": jwk["n"], "e": jwk["e"] });
        let ways: [(&str, &'static dyn RsaEncoding); 6] = [
            ("RS256", &RSA_PKCS1_SHA256),
            ("RS384", &RSA_PKCS1_SHA384),
            ("RS512", &RSA_PKCS1_SHA512),
            ("PS256", &RSA_PSS_SHA256),
            ("PS384", &RSA_PSS_SHA384),
            ("PS512", &RSA_PSS_SHA512),
        ];
        let ec = |algorithm: &'static EcdsaSigningAlgorithm, crv: &str| {
            let pair = EcdsaKeyPair::generate(algorithm).unwrap();
            let point = &pair.public_key().as_ref()[1..];
            let (x, y) = point.split_at(point.len() / 2);
            let jwk = json!({ "kty": "EC", "crv": crv, "x": encode(x), "y": encode(y), "kid": "k" });
            (pair, jwk)
        };
        let (p384, p384_jwk) = ec(&ECDSA_P384_SHA384_FIXED_SIGNING, "P-384");
        let (p521, p521_jwk) = ec(&ECDSA_P521_SHA512_FIXED_SIGNING, "P-521");
        for (alg, encoding) in ways {
            let token = signed(alg, |text| {
                let mut signature = vec![0; rsa.public_modulus_len()];
                rsa.sign(encoding, &random, text, &mut signature).unwrap();
                signature
            });
            assert!(proves(&token, &rsa_jwk), "{alg}");
            for (only, _) in ways {
                let mut named = rsa_jwk.clone();
                named["alg"] = json!(only);
                assert_eq!(proves(&token, &named), only == alg, "{alg} by a key for {only}");
            }
            assert!(!proves(&token, &p384_jwk));
            let renamed = token.replace(&encode(json!({ "alg": alg, "kid": "k" }).to_string()), &{
                let other = if alg == "RS256" { "PS256" } else { "RS256" };
                encode(json!({ "alg": other, "kid": "k" }).to_string())
            });
            assert!(!proves(&renamed, &rsa_jwk));
        }
        for (alg, pair, jwk, other) in [("ES384", &p384, &p384_jwk, &p521_jwk), ("ES512", &p521, &p521_jwk, &p384_jwk)]
        {
            let token = signed(alg, |text| pair.sign(&random, text).unwrap().as_ref().to_vec());
            assert!(proves(&token, jwk), "{alg}");
            assert!(!proves(&token, other) && !proves(&token, &rsa_jwk));
            let zeros = signed(alg, |_| vec![0; if alg == "ES384" { 96 } else { 132 }]);
            assert!(!proves(&zeros, jwk), "r = s = 0");
        }
        for algorithm in SigningAlgorithm::ALL {
            let key = SigningKey::from_pkcs8(algorithm, &SigningKey::generate(algorithm).unwrap()).unwrap();
            let token = key.sign("JWT", "k", &json!({ "sub": "s" })).unwrap();
            assert!(proves(&token, &serde_json::to_value(key.verifying_key().jwk("k")).unwrap()), "{algorithm}");
        }
    }

    #[test]
    fn w05_an_algorithm_is_known_by_its_exact_name_and_no_other_is_read() {
        for algorithm in IssuerAlgorithm::ALL {
            assert_eq!(algorithm.as_str().parse(), Ok(algorithm));
        }
        assert_eq!("Ed25519".parse(), Ok(IssuerAlgorithm::EdDsa));
        for other in ["", "none", "nOnE", "HS256", "es256", "ES256K", "RSA-OAEP", "Ed448", "PS256 "] {
            assert_eq!(other.parse::<IssuerAlgorithm>(), Err(UnknownIssuerAlgorithm), "{other}");
            let token = signed(other, |_| vec![1]);
            assert_eq!(Jws::parse_issued(&token, TYP, 9_000).unwrap_err(), JwsError::IssuerAlgorithm, "{other}");
        }
    }

    #[test]
    fn w07_a_key_is_public_for_signatures_and_of_a_kind_that_is_used() {
        let sound = json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" });
        let with = |name: &str, value: Value| {
            let mut jwk = sound.clone();
            jwk[name] = value;
            read(&jwk).map(|key| key.is_of_bundle())
        };
        assert_eq!(read(&sound).map(|key| key.is_of_bundle()), Ok(false));
        assert_eq!(with("use", json!("sig")), Ok(false));
        assert_eq!(with("use", json!("jwt-svid")), Ok(true));
        assert_eq!(with("key_ops", json!(["verify"])), Ok(false));
        assert_eq!(with("alg", json!("Ed25519")), Ok(false));
        for (name, value) in [
            ("use", json!("enc")),
            ("use", json!("x509-svid")),
            ("use", json!(1)),
            ("key_ops", json!(["sign"])),
            ("alg", json!("ES256")),
            ("alg", json!("HS256")),
            ("alg", json!(null)),
            ("kid", json!(7)),
            ("kid", json!("x".repeat(257))),
        ] {
            assert_eq!(with(name, value.clone()), Err(JwkError::Purpose), "{name} {value}");
        }
        for private in SECRET {
            assert_eq!(with(private, json!("AAAA")), Err(JwkError::Secret), "{private}");
        }
        for (other, expected) in [
            (json!({ "kty": "oct", "k": "AAAA" }), JwkError::Secret),
            (json!({ "kty": "oct" }), JwkError::Kind),
            (json!({ "kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA" }), JwkError::Kind),
            (json!({ "kty": "EC", "crv": "P-384", "x": "AA", "y": "AA" }), JwkError::Member("x")),
            (json!({ "kty": "EC", "crv": "P-384", "x": encode([1; 48]), "y": encode([1; 48]) }), JwkError::Point),
            (json!({ "kty": "RSA", "n": encode([0xff; 128]), "e": "AQAB" }), JwkError::Rsa),
            (json!({}), JwkError::Kind),
        ] {
            assert_eq!(read(&other).unwrap_err(), expected, "{other}");
        }
    }
}
