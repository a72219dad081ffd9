//! Private keys: read once, used for every signature.
//!
//! This is the one room of the crate where randomness is no argument: aws-lc draws its own for new keys and for ECDSA,
//! and takes none from outside.

use std::fmt;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Serialize;
use zeroize::Zeroizing;

use super::{PublicJwk, SigningAlgorithm, VerifyingKey, encode};

const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";

/// A private key, and the public one that belongs to it.
pub struct SigningKey {
    pair: Pair,
    verifying: VerifyingKey,
}

enum Pair {
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
    Rs256(RsaKeyPair),
}

/// The bytes are no private key of this algorithm, or there is no randomness to make one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no private key for {0}")]
pub struct KeyRejected(pub SigningAlgorithm);

/// There is no randomness, or no memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the token could not be signed")]
pub struct SigningFailed;

#[derive(Serialize)]
struct Header<'a> {
    alg: SigningAlgorithm,
    typ: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jwk: Option<PublicJwk>,
}

impl SigningKey {
    /// A new private key, as PKCS#8. One for RS256 takes a good part of a second.
    pub fn generate(algorithm: SigningAlgorithm) -> Result<Zeroizing<Vec<u8>>, KeyRejected> {
        let rejected = |_| KeyRejected(algorithm);
        let bytes = match algorithm {
            SigningAlgorithm::Es256 => {
                let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(rejected)?;
                pair.to_pkcs8v1().map_err(rejected)?.as_ref().to_vec()
            }
            SigningAlgorithm::EdDsa => {
                let pair = Ed25519KeyPair::generate().map_err(rejected)?;
                pair.to_pkcs8().map_err(rejected)?.as_ref().to_vec()
            }
            SigningAlgorithm::Rs256 => {
                let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(rejected)?;
                pair.as_der().map_err(rejected)?.as_ref().to_vec()
            }
        };
        Ok(Zeroizing::new(bytes))
    }

    /// What [`SigningKey::generate`] made, as PEM (RFC 7468, section 10).
    pub fn pem(pkcs8: &[u8]) -> Zeroizing<String> {
        let body = Zeroizing::new(STANDARD.encode(pkcs8));
        // Reserved in full, so that no half-written copy stays behind in a smaller allocation.
        let mut text = Zeroizing::new(String::with_capacity(body.len() * 65 / 64 + 64));
        text.push_str(BEGIN);
        for (place, character) in body.chars().enumerate() {
            if place % 64 == 0 {
                text.push('\n');
            }
            text.push(character);
        }
        text.push('\n');
        text.push_str(END);
        text.push('\n');
        text
    }

    /// From PEM, of whichever algorithm it is.
    pub fn from_pem(text: &str) -> Option<Self> {
        let body = text.trim().strip_prefix(BEGIN)?.strip_suffix(END)?;
        let body: Zeroizing<String> = Zeroizing::new(body.split_ascii_whitespace().collect());
        let pkcs8 = Zeroizing::new(STANDARD.decode(body.as_bytes()).ok()?);
        let algorithms = [SigningAlgorithm::Es256, SigningAlgorithm::EdDsa, SigningAlgorithm::Rs256];
        algorithms.into_iter().find_map(|algorithm| Self::read(algorithm, &pkcs8))
    }

    /// From what [`SigningKey::generate`] made.
    pub fn from_pkcs8(algorithm: SigningAlgorithm, pkcs8: &[u8]) -> Result<Self, KeyRejected> {
        Self::read(algorithm, pkcs8).ok_or(KeyRejected(algorithm))
    }

    fn read(algorithm: SigningAlgorithm, pkcs8: &[u8]) -> Option<Self> {
        Some(match algorithm {
            SigningAlgorithm::Es256 => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).ok()?;
                let verifying = VerifyingKey::p256(pair.public_key().as_ref()).ok()?;
                Self { pair: Pair::Es256(pair), verifying }
            }
            SigningAlgorithm::EdDsa => {
                let pair = Ed25519KeyPair::from_pkcs8(pkcs8).ok()?;
                let verifying = VerifyingKey::ed25519(pair.public_key().as_ref()).ok()?;
                Self { pair: Pair::EdDsa(pair), verifying }
            }
            SigningAlgorithm::Rs256 => {
                let pair = RsaKeyPair::from_pkcs8(pkcs8).ok()?;
                let (n, e) = modulus_and_exponent(pair.public_key().as_ref())?;
                let verifying = VerifyingKey::rsa(n, e).ok()?;
                Self { pair: Pair::Rs256(pair), verifying }
            }
        })
    }

    /// The public key, which proves what this one signs.
    pub fn verifying_key(&self) -> &VerifyingKey {
        &self.verifying
    }

    /// A compact JWS of these claims, for one purpose (`typ`, without `application/`) and under the name by which this key
    /// is published.
    pub fn sign(&self, typ: &str, kid: &str, claims: &impl Serialize) -> Result<String, SigningFailed> {
        self.signed(&Header { alg: self.verifying.algorithm(), typ, kid: Some(kid), jwk: None }, claims)
    }

    /// The same of what carries its own public key, as a proof of possession does (RFC 9449, section 4.2).
    pub fn sign_with_jwk(&self, typ: &str, claims: &impl Serialize) -> Result<String, SigningFailed> {
        let jwk = Some(self.verifying.jwk(self.verifying.thumbprint()));
        self.signed(&Header { alg: self.verifying.algorithm(), typ, kid: None, jwk }, claims)
    }

    fn signed(&self, header: &Header<'_>, claims: &impl Serialize) -> Result<String, SigningFailed> {
        let json = |part: Result<Vec<u8>, serde_json::Error>| part.map_err(|_| SigningFailed);
        let (header, claims) = (json(serde_json::to_vec(header))?, json(serde_json::to_vec(claims))?);
        let mut text = encode(header);
        text.reserve(claims.len() * 4 / 3 + 400);
        text.push('.');
        text.push_str(&encode(claims));
        let signature = self.signature(text.as_bytes())?;
        text.push('.');
        text.push_str(&signature);
        Ok(text)
    }

    fn signature(&self, signed: &[u8]) -> Result<String, SigningFailed> {
        match &self.pair {
            Pair::Es256(pair) => pair.sign(&SystemRandom::new(), signed).map(encode),
            Pair::EdDsa(pair) => pair.try_sign(signed).map(encode),
            Pair::Rs256(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed, &mut signature).map(|()| encode(signature))
            }
        }
        .map_err(|_| SigningFailed)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("verifying", &self.verifying).finish_non_exhaustive()
    }
}

/// The two numbers of an `RSAPublicKey` (RFC 8017, appendix A.1.1), which aws-lc hands out in DER only.
pub(super) fn modulus_and_exponent(der: &[u8]) -> Option<(&[u8], &[u8])> {
    const SEQUENCE: u8 = 0x30;
    let (numbers, []) = element(SEQUENCE, der)? else { return None };
    let (n, rest) = integer(numbers)?;
    let (e, []) = integer(rest)? else { return None };
    Some((n, e))
}

/// A positive number without the zero byte that tells it from a negative one.
fn integer(der: &[u8]) -> Option<(&[u8], &[u8])> {
    const INTEGER: u8 = 0x02;
    let (number, rest) = element(INTEGER, der)?;
    Some((number.strip_prefix(&[0]).unwrap_or(number), rest))
}

/// The content of the first element, if it has this tag, and what follows it (X.690, section 8.1).
fn element(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (found, rest) = der.split_first()?;
    let (short, rest) = rest.split_first()?;
    let (length, rest) = if *short < 0x80 {
        (usize::from(*short), rest)
    } else {
        let (long, rest) = rest.split_at_checked(usize::from(short & 0x7f))?;
        if long.len() > 2 {
            return None;
        }
        (long.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
    };
    if *found == tag { rest.split_at_checked(length) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_same_after_it_was_written_as_pem() {
        for algorithm in [SigningAlgorithm::Es256, SigningAlgorithm::EdDsa, SigningAlgorithm::Rs256] {
            let pkcs8 = SigningKey::generate(algorithm).unwrap();
            let key = SigningKey::from_pkcs8(algorithm, &pkcs8).unwrap();
            let pem = SigningKey::pem(&pkcs8);
            assert!(pem.lines().all(|line| line.len() <= 64) && pem.ends_with("KEY-----\n"));
            let read = SigningKey::from_pem(&pem).unwrap();
            assert_eq!(read.verifying_key().thumbprint(), key.verifying_key().thumbprint());
        }
    }

    #[test]
    fn what_is_no_private_key_is_none() {
        // openssl genpkey -algorithm ed25519
        let ed25519 = "MC4CAQAwBQYDK2VwBCIEIJZ9f7f7PRMQR7YGmhUwVPNqTLZ7sPUcqSDRX3TGqFyH";
        let of = |label: &str, body: &str| {
            SigningKey::from_pem(&format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----"))
        };
        assert!(of("PRIVATE KEY", ed25519).is_some());
        assert!(of("PUBLIC KEY", ed25519).is_none());
        assert!(
            of("PRIVATE KEY", "AAAA").is_none() && of("PRIVATE KEY", "é").is_none() && of("PRIVATE KEY", "").is_none()
        );
        assert!(SigningKey::from_pem("").is_none() && SigningKey::from_pem(BEGIN).is_none());
    }
}
