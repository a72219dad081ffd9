//! Public keys as JWK (RFC 7517): read with suspicion, written with their public members only.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Serialize;
use serde_json::{Map, Value};

use super::signing_key::modulus_and_exponent;
use super::{SigningAlgorithm, decode, encode, read_object};

const LONGEST: usize = 8 * 1024;
pub(super) const LONGEST_KID: usize = 256;
/// Members of private and of shared keys (RFC 7518, section 6).
pub(super) const SECRET: [&str; 9] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"];
const COORDINATE: usize = 32;
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// Why a JWK is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwkError {
    /// No JSON object, or one that says something twice.
    #[error("a key is a JSON object that says each thing once, of at most {LONGEST} bytes")]
    Malformed,
    /// A private or shared key.
    #[error("this holds a secret part; give the public key alone, and take a new one if this was sent to anybody")]
    Secret,
    /// Of a kind that is not used here.
    #[error("a key is EC with P-256, OKP with Ed25519, or RSA")]
    Kind,
    /// A member is missing or not what it must be.
    #[error("{0} is missing, or not base64url of the right length")]
    Member(&'static str),
    /// No point of the curve, or one that proves nothing.
    #[error("this is no public key of its curve")]
    Point,
    /// An RSA key that is too short, too long or broken.
    #[error("an RSA key has an odd modulus of 2048 to 8192 bits and an odd exponent from 3 to 4294967295")]
    Rsa,
    /// For another algorithm or for no signatures.
    #[error(
        "this key is not for signatures: use is sig, key_ops has verify, alg fits the key, kid has at most {LONGEST_KID} bytes"
    )]
    Purpose,
}

/// A public key that proves signatures of one algorithm.
#[derive(Clone, Debug)]
pub struct VerifyingKey {
    key: ParsedPublicKey,
    public: Public,
    kid: Option<String>,
}

/// The members that make the key, each in its one canonical form.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Public {
    P256 { x: String, y: String },
    Ed25519 { x: String },
    Rsa { n: String, e: String },
}

/// A public key as it is published in a JWK Set (RFC 7517, section 5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PublicJwk {
    /// `EC`, `OKP` or `RSA`.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "EC"))]
    kty: &'static str,
    /// The curve.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, example = "P-256"))]
    crv: Option<&'static str>,
    /// First coordinate, or the public key of Ed25519.
    #[serde(skip_serializing_if = "Option::is_none")]
    x: Option<String>,
    /// Second coordinate.
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<String>,
    /// RSA modulus.
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<String>,
    /// RSA exponent.
    #[serde(skip_serializing_if = "Option::is_none")]
    e: Option<String>,
    /// `sig`.
    #[serde(rename = "use")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "sig"))]
    usage: &'static str,
    /// The one algorithm that it is for.
    alg: SigningAlgorithm,
    /// What tokens call it.
    kid: String,
}

impl VerifyingKey {
    /// Reads a JWK. Members that mean nothing here, such as `x5c`, are ignored.
    pub fn from_jwk(text: &[u8]) -> Result<Self, JwkError> {
        if text.len() > LONGEST {
            return Err(JwkError::Malformed);
        }
        Self::from_members(&read_object(text).map_err(|_| JwkError::Malformed)?)
    }

    /// The same, of an object that was read already.
    pub fn from_members(jwk: &Map<String, Value>) -> Result<Self, JwkError> {
        if SECRET.iter().any(|member| jwk.contains_key(*member)) {
            return Err(JwkError::Secret);
        }
        let text = |member| jwk.get(member).and_then(Value::as_str);
        let bytes = |member| text(member).and_then(decode).ok_or(JwkError::Member(member));
        let key = match (text("kty"), text("crv")) {
            (Some("EC"), Some("P-256")) => Self::p256(&[[4].as_slice(), &bytes("x")?, &bytes("y")?].concat()),
            (Some("OKP"), Some("Ed25519")) => Self::ed25519(&bytes("x")?),
            (Some("RSA"), _) => Self::rsa(&bytes("n")?, &bytes("e")?),
            _ => Err(JwkError::Kind),
        }?;
        let fits = match (jwk.get("use"), jwk.get("key_ops"), jwk.get("alg"), jwk.get("kid")) {
            (Some(usage), ..) if usage != "sig" => false,
            (_, Some(operations), ..) if !lists(operations, "verify") => false,
            (_, _, Some(alg), _) if alg.as_str().and_then(SigningAlgorithm::of_jose) != Some(key.algorithm()) => false,
            (.., Some(kid)) => kid.as_str().is_some_and(|kid| kid.len() <= LONGEST_KID),
            _ => true,
        };
        if !fits {
            return Err(JwkError::Purpose);
        }
        Ok(Self { kid: text("kid").map(str::to_owned), ..key })
    }

    /// Reads one public key as PEM (RFC 7468, section 13).
    pub fn from_pem(text: &[u8]) -> Result<Self, JwkError> {
        let text = std::str::from_utf8(text).map_err(|_| JwkError::Malformed)?.trim();
        if text.contains("PRIVATE KEY-----") {
            return Err(JwkError::Secret);
        }
        let body = text.strip_prefix("-----BEGIN PUBLIC KEY-----");
        let body = body.and_then(|rest| rest.strip_suffix("-----END PUBLIC KEY-----")).ok_or(JwkError::Malformed)?;
        let body: String = body.split_ascii_whitespace().collect();
        Self::from_spki(&STANDARD.decode(body).map_err(|_| JwkError::Malformed)?)
    }

    /// From a SubjectPublicKeyInfo (RFC 5280, section 4.1). Of each kind of key there is one way to begin it, but for the lengths of
    /// RSA's.
    pub fn from_spki(der: &[u8]) -> Result<Self, JwkError> {
        /// RFC 5480, sections 2.1.1 and 2.2: an uncompressed point of P-256 follows.
        const P256: [u8; 26] = [
            0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
            0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
        ];
        /// RFC 8410, section 4.
        const ED25519: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
        /// RFC 3279, section 2.3.1, after the outer length.
        const RSA: [u8; 17] =
            [0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00, 0x03, 0x82];
        if let Some(point) = der.strip_prefix(&P256) {
            return Self::p256(point);
        }
        if let Some(key) = der.strip_prefix(&ED25519) {
            return Self::ed25519(key);
        }
        let rsa = match der {
            [0x30, 0x82, _, _, rest @ ..] => rest.strip_prefix(&RSA),
            _ => None,
        };
        let Some([_, _, 0, key @ ..]) = rsa else { return Err(JwkError::Kind) };
        let (n, e) = modulus_and_exponent(key).ok_or(JwkError::Rsa)?;
        Self::rsa(n, e)
    }

    /// From an uncompressed point (SEC 1, section 2.3.3).
    pub(super) fn p256(point: &[u8]) -> Result<Self, JwkError> {
        let [4, coordinates @ ..] = point else { return Err(JwkError::Point) };
        let (x, y) = coordinates.split_at_checked(COORDINATE).ok_or(JwkError::Member("x"))?;
        if y.len() != COORDINATE {
            return Err(JwkError::Member("y"));
        }
        let key = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).map_err(|_| JwkError::Point)?;
        Ok(Self { key, public: Public::P256 { x: encode(x), y: encode(y) }, kid: None })
    }

    /// A key that is no point of the curve is taken, and proves nothing.
    pub(super) fn ed25519(key: &[u8]) -> Result<Self, JwkError> {
        let key: &[u8; COORDINATE] = key.try_into().map_err(|_| JwkError::Member("x"))?;
        if !has_large_order(key) {
            return Err(JwkError::Point);
        }
        let parsed = ParsedPublicKey::new(&ED25519, key).map_err(|_| JwkError::Point)?;
        Ok(Self { key: parsed, public: Public::Ed25519 { x: encode(key) }, kid: None })
    }

    pub(super) fn rsa(n: &[u8], e: &[u8]) -> Result<Self, JwkError> {
        // No leading zeros: one key has one form and one thumbprint (RFC 7518, section 6.3.1.1).
        let first = |number: &[u8]| number.first().copied().filter(|first| *first > 0).ok_or(JwkError::Rsa);
        let odd = |number: &[u8]| number.last().is_some_and(|last| last & 1 == 1);
        let bits = n.len() * 8 - first(n)?.leading_zeros() as usize;
        let exponent = (1..=4).contains(&e.len()) && first(e)? > 0 && odd(e) && e != [1];
        if !RSA_BITS.contains(&bits) || !odd(n) || !exponent {
            return Err(JwkError::Rsa);
        }
        let key = RsaPublicKeyComponents { n, e }.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256);
        let public = Public::Rsa { n: encode(n), e: encode(e) };
        Ok(Self { key: key.map_err(|_| JwkError::Rsa)?, public, kid: None })
    }

    /// The one algorithm that it is for.
    pub fn algorithm(&self) -> SigningAlgorithm {
        match self.public {
            Public::P256 { .. } => SigningAlgorithm::Es256,
            Public::Ed25519 { .. } => SigningAlgorithm::EdDsa,
            Public::Rsa { .. } => SigningAlgorithm::Rs256,
        }
    }

    /// What the JWK called it, if it did.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// SHA-256 over the members that make the key, as base64url (RFC 7638).
    pub fn thumbprint(&self) -> String {
        // Section 3.2: those members alone, in the order of their names, without white space.
        let text = match &self.public {
            Public::P256 { x, y } => format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#),
            Public::Ed25519 { x } => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#),
            Public::Rsa { n, e } => format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#),
        };
        encode(digest(&SHA256, text.as_bytes()))
    }

    /// How it is published under a name.
    pub fn jwk(&self, kid: impl Into<String>) -> PublicJwk {
        let bare = PublicJwk {
            kty: "RSA",
            crv: None,
            x: None,
            y: None,
            n: None,
            e: None,
            usage: "sig",
            alg: self.algorithm(),
            kid: kid.into(),
        };
        match self.public.clone() {
            Public::P256 { x, y } => PublicJwk { kty: "EC", crv: Some("P-256"), x: Some(x), y: Some(y), ..bare },
            Public::Ed25519 { x } => PublicJwk { kty: "OKP", crv: Some("Ed25519"), x: Some(x), ..bare },
            Public::Rsa { n, e } => PublicJwk { n: Some(n), e: Some(e), ..bare },
        }
    }

    pub(super) fn verifies(&self, signed: &[u8], signature: &[u8]) -> bool {
        self.key.verify_sig(signed, signature).is_ok()
    }
}

pub(super) fn lists(operations: &Value, wanted: &str) -> bool {
    operations.as_array().is_some_and(|operations| operations.iter().any(|operation| operation == wanted))
}

/// Whether this can be a key of Ed25519: written canonically, and not one of the eight points of small order, for which
/// anybody can make signatures (RFC 8032, section 5.1.3; RFC 7748, section 6 has the reason). aws-lc takes them.
fn has_large_order(key: &[u8; COORDINATE]) -> bool {
    /// Second coordinates of the points of order 8, as RFC 8032 writes them.
    const ORDER_8: [[u8; COORDINATE]; 2] = [
        [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf,
            0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
        ],
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20,
            0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
        ],
    ];
    let mut y = *key;
    // The highest bit is the sign of the first coordinate.
    y[COORDINATE - 1] &= 0x7f;
    let [lowest, middle @ .., highest] = y;
    let orders_1_and_4 = lowest <= 1 && highest == 0 && middle == [0; COORDINATE - 2];
    // 2²⁵⁵ − 20 is −1, the point of order 2; from 2²⁵⁵ − 19 on, numbers are written in two ways.
    let order_2_or_not_canonical = lowest >= 0xec && highest == 0x7f && middle == [0xff; COORDINATE - 2];
    !orders_1_and_4 && !order_2_or_not_canonical && !ORDER_8.contains(&y)
}
