//! DPoP proofs (RFC 9449): whether a text proves, for one request and now, that whoever sends it holds a private key.
//!
//! Pure: the request, the time and the nonces that count are arguments. Whether the proof came before, and which key a
//! credential is bound to, the room must not know.

use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;
use serde::Deserialize;
use url::Url;

use crate::Thumbprint;
use crate::jose::{JwkError, Jws, JwsError, Typ, VerifyingKey, encode, given};

/// How far `iat` may lie in the past or, for clocks differ, ahead, in milliseconds: one minute, at whose end it counts no more.
const WINDOW: i64 = 60_000;
const LONGEST_JTI: usize = 256;
const TYP: Typ = Typ::Is("dpop+jwt");
/// The end of the year 9999.
const LAST: f64 = 253_402_300_799.0;

/// Why a proof does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DpopError {
    /// No proof where one must be, several, or one that is no text.
    #[error("one DPoP header is wanted, with one proof in it")]
    NotOne,
    /// Not a JWS that is read here, or not signed by the key that it names.
    #[error("the DPoP proof: {0}")]
    Form(JwsError),
    /// Its key is not taken.
    #[error("jwk of the DPoP proof: {0}")]
    Key(JwkError),
    /// It names no key.
    #[error("the header of the DPoP proof must have jwk, the public key that it is signed with")]
    NoKey,
    /// A claim is missing, of the wrong type, or said twice.
    #[error("the DPoP proof must have jti, htm and htu, and iat in seconds since 1970; nothing is said twice")]
    Claims,
    /// No id, or one that is too long.
    #[error("jti of the DPoP proof has 1 to {LONGEST_JTI} bytes")]
    Jti,
    /// For a request of another method.
    #[error("htm of the DPoP proof is not the method of this request")]
    Method,
    /// For another address, or none that is known.
    #[error("htu of the DPoP proof is not the address of this request")]
    Url,
    /// Not for what was presented with it.
    #[error("ath of the DPoP proof must be the SHA-256 of the credential that it comes with, as base64url")]
    Credential,
    /// Too long ago.
    #[error("the DPoP proof is too old by its iat or exp; make one for each request")]
    Old,
    /// Not yet.
    #[error("the DPoP proof is for later by its iat or nbf; set the clock")]
    NotYet,
    /// Without a nonce, or with one that does not count, or no more.
    #[error("the DPoP proof must have the nonce from DPoP-Nonce")]
    Nonce,
    /// It came before.
    #[error("this DPoP proof was used before; make one for each request")]
    Used,
}

/// A text that proofs must repeat for a while (RFC 9449, section 8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DpopNonce {
    /// The text.
    pub text: String,
    /// From when on it counts no more.
    pub ends_at: Timestamp,
}

/// An address as proofs and requests are compared by it (RFC 9449, section 4.3): without query and fragment, and written in
/// the one way of RFC 3986, sections 6.2.2 and 6.2.3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProofUrl(String);

impl ProofUrl {
    /// None, if it is no absolute address of the web.
    pub fn parse(text: &str) -> Option<Self> {
        // Whoever reads URLs as browsers do takes those away.
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) || text.contains('\\') {
            return None;
        }
        let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
        let anonymous = url.username().is_empty() && url.password().is_none();
        let path = without_needless_escapes(url.path())?;
        anonymous.then(|| Self(url.origin().ascii_serialization() + &path))
    }
}

/// RFC 3986, section 6.2.2: what needs no escape has none, and others are in capitals. None, if one is cut short.
fn without_needless_escapes(path: &str) -> Option<String> {
    let mut pieces = path.split('%');
    let mut written = pieces.next()?.to_owned();
    for piece in pieces {
        let (digits, rest) = piece.split_at_checked(2)?;
        let well_formed = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        let byte = u8::from_str_radix(digits, 16).ok().filter(|_| well_formed)?;
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            written.push(char::from(byte));
        } else {
            written.push('%');
            written.push_str(&digits.to_ascii_uppercase());
        }
        written.push_str(rest);
    }
    Some(written)
}

/// What a proof must be for.
#[derive(Clone, Copy, Debug)]
pub struct DpopExpected<'a> {
    /// The request's method, as it stands there.
    pub method: &'a str,
    /// The addresses that the request may be to.
    pub urls: &'a [ProofUrl],
    /// What was presented with the proof; nothing at the token endpoint.
    pub credential: Option<&'a str>,
    /// One of these must stand in it; none are asked for.
    pub nonces: Option<&'a [DpopNonce]>,
    /// The time.
    pub now: Timestamp,
}

/// A proof that holds, if it did not come before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DpopProof {
    /// Of which key.
    pub thumbprint: Thumbprint,
    /// What the holder of the key calls it. Of one key, each counts once.
    pub jti: String,
    /// From when on it would hold no more in any case.
    pub ends_at: Timestamp,
}

/// Others are of no consequence here.
#[derive(Deserialize)]
struct Claims {
    jti: String,
    htm: String,
    htu: String,
    iat: f64,
    #[serde(default, deserialize_with = "given")]
    exp: Option<f64>,
    #[serde(default, deserialize_with = "given")]
    nbf: Option<f64>,
    #[serde(default, deserialize_with = "given")]
    ath: Option<String>,
    #[serde(default, deserialize_with = "given")]
    nonce: Option<String>,
}

impl DpopProof {
    /// What `ath` is of a proof that comes with this credential.
    pub fn ath(credential: &str) -> String {
        encode(digest(&SHA256, credential.as_bytes()))
    }

    /// Every test of RFC 9449, section 4.3, but whether it came before and whose key it is.
    pub fn check(text: &str, expected: &DpopExpected<'_>) -> Result<Self, DpopError> {
        let jws = Jws::parse(text, TYP).map_err(DpopError::Form)?;
        let key = VerifyingKey::from_members(jws.jwk().ok_or(DpopError::NoKey)?).map_err(DpopError::Key)?;
        let claims: Claims = jws
            .proved(&key)
            .map_err(|error| if error == JwsError::Claims { DpopError::Claims } else { DpopError::Form(error) })?;
        if !(1..=LONGEST_JTI).contains(&claims.jti.len()) {
            return Err(DpopError::Jti);
        }
        if claims.htm != expected.method {
            return Err(DpopError::Method);
        }
        let url = ProofUrl::parse(&claims.htu).ok_or(DpopError::Url)?;
        if !expected.urls.contains(&url) {
            return Err(DpopError::Url);
        }
        if let Some(credential) = expected.credential
            && claims.ath != Some(Self::ath(credential))
        {
            return Err(DpopError::Credential);
        }
        let ends_at = claims.lasts_until(expected)?;
        let thumbprint = key.thumbprint().parse().map_err(|_| DpopError::NoKey)?;
        Ok(Self { thumbprint, jti: claims.jti, ends_at })
    }
}

impl Claims {
    /// A nonce tells our own time of the proof, and then those of the sender's clock need not be right (section 11.1).
    fn lasts_until(&self, expected: &DpopExpected<'_>) -> Result<Timestamp, DpopError> {
        let now = expected.now.as_millisecond();
        let [issued, begins, ends] =
            [Some(self.iat), self.nbf, self.exp].map(|seconds| seconds.map(milliseconds).transpose());
        let (issued, begins, ends) = (issued?.ok_or(DpopError::Claims)?, begins?, ends?);
        if let Some(nonces) = expected.nonces {
            let known = nonces.iter().find(|nonce| Some(&nonce.text) == self.nonce.as_ref());
            return known.map(|nonce| nonce.ends_at).filter(|ends_at| expected.now < *ends_at).ok_or(DpopError::Nonce);
        }
        if now - issued >= WINDOW || ends.is_some_and(|ends| now - ends >= WINDOW) {
            return Err(DpopError::Old);
        }
        if issued - now >= WINDOW || begins.is_some_and(|begins| begins - now >= WINDOW) {
            return Err(DpopError::NotYet);
        }
        Timestamp::from_millisecond(issued + WINDOW).map_err(|_| DpopError::Claims)
    }
}

/// RFC 7519, section 2, `NumericDate`: seconds since 1970, with or without a fraction.
fn milliseconds(seconds: f64) -> Result<i64, DpopError> {
    if (0.0..=LAST).contains(&seconds) { Ok((seconds * 1000.0).round() as i64) } else { Err(DpopError::Claims) }
}

#[cfg(test)]
mod tests;
