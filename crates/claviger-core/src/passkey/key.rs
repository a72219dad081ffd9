//! Public keys as authenticators write them: COSE keys (RFC 9052, section 7; RFC 9053, sections 2 and 7; RFC 8230, section 4), of the
//! three sorts that tokens are signed with too. What makes a sound key of a sort is the JWK's to say, in one place.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use claviger_token::VerifyingKey;
use minicbor::{Decoder, data::Type};
use serde_json::{Map, Value, json};

use super::ceremony::PasskeyError;

/// The algorithms that authenticators are asked for, the likeliest first: ES256, EdDSA and RS256, by their numbers in COSE.
pub const PASSKEY_ALGORITHMS: [i64; 3] = [ES256, EDDSA, RS256];

const ES256: i64 = -7;
const EDDSA: i64 = -8;
const RS256: i64 = -257;

/// A public key that proves what its authenticator signed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Key<'a> {
    /// An uncompressed point (SEC 1, section 2.3.3).
    P256([u8; 65]),
    Ed25519(&'a [u8]),
    Rsa {
        n: &'a [u8],
        e: &'a [u8],
    },
}

/// The members that are read. Each is there at most once.
#[derive(Default)]
struct Members<'a> {
    kty: Option<i64>,
    alg: Option<i64>,
    /// −1: the curve, or the modulus of RSA.
    curve: Option<i64>,
    modulus: Option<&'a [u8]>,
    /// −2: the first coordinate, or the exponent of RSA.
    x: Option<&'a [u8]>,
    /// −3
    y: Option<&'a [u8]>,
}

impl<'a> Key<'a> {
    /// Reads a key that fills all of `cose`.
    pub(super) fn read(cose: &'a [u8]) -> Result<Self, PasskeyError> {
        let mut decoder = Decoder::new(cose);
        let members = Members::read(&mut decoder).ok_or(PasskeyError::Malformed("public key"))?;
        if decoder.position() != cose.len() {
            return Err(PasskeyError::Malformed("public key"));
        }
        // Type, algorithm and curve, which must fit together.
        match (members.kty, members.alg, members.curve, members.modulus, members.x, members.y) {
            (Some(2), Some(ES256), Some(1), None, Some(x), Some(y)) if x.len() == 32 && y.len() == 32 => {
                let mut point = [4; 65];
                point[1..33].copy_from_slice(x);
                point[33..].copy_from_slice(y);
                Ok(Self::P256(point))
            }
            (Some(1), Some(EDDSA), Some(6), None, Some(x), None) => Ok(Self::Ed25519(x)),
            (Some(3), Some(RS256), None, Some(n), Some(e), None) => Ok(Self::Rsa { n, e }),
            (_, Some(alg), ..) if !PASSKEY_ALGORITHMS.contains(&alg) => Err(PasskeyError::Algorithm),
            _ => Err(PasskeyError::Key),
        }
    }

    /// That it is a key by which somebody can be known: a point of its curve, not too short, not one for which anybody can sign.
    pub(super) fn must_be_sound(&self) -> Result<(), PasskeyError> {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let jwk: Value = match self {
            Self::P256(point) => {
                json!({ "kty": "EC", "crv": "P-256", "x": text(&point[1..33]), "y": text(&point[33..]) })
            }
            Self::Ed25519(key) => json!({ "kty": "OKP", "crv": "Ed25519", "x": text(key) }),
            Self::Rsa { n, e } => json!({ "kty": "RSA", "n": text(n), "e": text(e) }),
        };
        let members: Map<String, Value> = jwk.as_object().cloned().unwrap_or_default();
        VerifyingKey::from_members(&members).map(drop).map_err(|_| PasskeyError::Key)
    }

    /// Which of [`PASSKEY_ALGORITHMS`] it is for.
    pub(super) fn algorithm(&self) -> i64 {
        match self {
            Self::P256(_) => ES256,
            Self::Ed25519(_) => EDDSA,
            Self::Rsa { .. } => RS256,
        }
    }

    /// Whether it signed this (WebAuthn Level 3, section 6.5.5).
    pub(super) fn proves(&self, signed: &[u8], signature: &[u8]) -> bool {
        let proved = match self {
            Self::P256(point) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).verify(signed, signature),
            Self::Ed25519(key) => UnparsedPublicKey::new(&ED25519, key).verify(signed, signature),
            Self::Rsa { n, e } => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature)
            }
        };
        proved.is_ok()
    }
}

impl<'a> Members<'a> {
    fn read(decoder: &mut Decoder<'a>) -> Option<Self> {
        let mut members = Self::default();
        for _ in 0..decoder.map().ok()?? {
            match decoder.i64().ok()? {
                1 => once(&mut members.kty, decoder.i64().ok()?)?,
                3 => once(&mut members.alg, decoder.i64().ok()?)?,
                -1 if decoder.datatype().ok()? == Type::Bytes => {
                    once(&mut members.modulus, decoder.bytes().ok()?)?;
                }
                -1 => once(&mut members.curve, decoder.i64().ok()?)?,
                -2 => once(&mut members.x, decoder.bytes().ok()?)?,
                -3 => once(&mut members.y, decoder.bytes().ok()?)?,
                _ => decoder.skip().ok()?,
            }
        }
        Some(members)
    }
}

/// Nothing if it was said before.
fn once<T>(member: &mut Option<T>, value: T) -> Option<()> {
    member.replace(value).is_none().then_some(())
}
