//! A compact JWS, taken apart and proved (RFC 7515, sections 3.1 and 5.2; RFC 8725).
//!
//! Keys and addresses of keys that stand in a header (`jwk`, `jku`, `x5c`, `x5u`) are never used here and never asked
//! for: whoever verifies knows the key already. `jwk` is handed out, for DPoP, which proves another thing with it.

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::json::{Closed, Text, given, read_closed};
use super::{IssuerAlgorithm, IssuerKey, SigningAlgorithm, VerifyingKey, decode, read_object};

/// The longest text that is looked at, unless somebody wants longer ones.
const LONGEST: usize = 8 * 1024;
/// The longest header, as base64url: room for an RSA key.
const LONGEST_HEADER: usize = 2 * 1024;
const LONGEST_KID: usize = 256;

/// Which `typ` a header must have, so that a token made for one purpose never serves another (RFC 8725, section 3.11).
#[derive(Clone, Copy, Debug)]
pub enum Typ {
    /// This one.
    Is(&'static str),
    /// One of these, or none.
    AbsentOr(&'static [&'static str]),
}

impl Typ {
    /// RFC 9068, section 4: access tokens.
    pub const ACCESS_TOKEN: Self = Self::Is("at+jwt");

    fn admits(self, typ: Option<&str>) -> bool {
        // RFC 7515, section 4.1.9: a media type, whose `application/` may be left out, in any case of letters.
        fn plain(typ: &str) -> &str {
            let prefixed = typ.get(..12).is_some_and(|start| start.eq_ignore_ascii_case("application/"));
            typ.get(if prefixed { 12 } else { 0 }..).unwrap_or_default()
        }
        match (self, typ) {
            (Self::Is(wanted), Some(typ)) => plain(typ).eq_ignore_ascii_case(wanted),
            (Self::Is(_), None) => false,
            (Self::AbsentOr(wanted), Some(typ)) => {
                let typ = plain(typ);
                wanted.iter().any(|wanted| typ.eq_ignore_ascii_case(wanted))
            }
            (Self::AbsentOr(_), None) => true,
        }
    }
}

/// Why a text proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwsError {
    /// Not three parts of base64url, or too long.
    #[error("this is no compact JWS: three parts of base64url without padding, of bounded length")]
    Malformed,
    /// The header is no JSON object, says something twice, or has a member of the wrong type.
    #[error("the header must be a JSON object that says each thing once, with alg, kid and typ as strings")]
    Header,
    /// Another algorithm than ours.
    #[error("alg must be ES256, EdDSA or RS256")]
    Algorithm,
    /// Another algorithm than issuers may use.
    #[error("alg must be EdDSA, or one of RS, PS and ES with 256, 384 or 512")]
    IssuerAlgorithm,
    /// Made for something else.
    #[error("typ is not the one that is wanted here")]
    Type,
    /// An extension that would have to be understood.
    #[error("crit and b64 are not understood")]
    Critical,
    /// Not signed by this key, or the key is for another algorithm.
    #[error("the signature is not this key's")]
    Signature,
    /// Signed, but not what is wanted.
    #[error("the payload must be a JSON object that says each thing once, with the claims that are wanted here")]
    Claims,
}

/// A JWS whose signature is not proved yet: by an algorithm of ours, or of an outside issuer.
#[derive(Debug)]
pub struct Jws<'a, A = SigningAlgorithm> {
    algorithm: A,
    kid: Option<String>,
    jwk: Option<Map<String, Value>>,
    signed: &'a str,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

#[derive(Deserialize)]
struct Header<'a> {
    #[serde(borrow)]
    alg: Text<'a>,
    #[serde(borrow, default, deserialize_with = "given")]
    typ: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "given")]
    kid: Option<Text<'a>>,
    #[serde(default, deserialize_with = "given")]
    jwk: Option<Map<String, Value>>,
    #[serde(default)]
    crit: Present,
    #[serde(default)]
    b64: Present,
}

/// Whether a member is there at all.
#[derive(Default)]
struct Present(bool);

impl<'de> Deserialize<'de> for Present {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self(true))
    }
}

impl<'a> Jws<'a> {
    /// Takes it apart and holds its header against what is understood and wanted.
    pub fn parse(text: &'a str, typ: Typ) -> Result<Self, JwsError> {
        Self::parse_within(text, typ, LONGEST, LONGEST_HEADER)
    }

    /// The same of a text that may be longer, most of it header: some put a chain of certificates there, unasked.
    pub fn parse_long(text: &'a str, typ: Typ, longest: usize) -> Result<Self, JwsError> {
        Self::parse_within(text, typ, longest, longest)
    }

    fn parse_within(text: &'a str, typ: Typ, longest: usize, longest_header: usize) -> Result<Self, JwsError> {
        let algorithm = |alg: &str| SigningAlgorithm::of_jose(alg).ok_or(JwsError::Algorithm);
        Self::parse_with(text, typ, longest, longest_header, algorithm)
    }

    /// What it says, if this key signed it.
    pub fn proved<T: DeserializeOwned>(&self, key: &VerifyingKey) -> Result<T, JwsError> {
        self.must_be_signed_by(key)?;
        self.unproved()
    }

    /// The same of what knows all its members.
    pub fn proved_closed<T: Closed>(&self, key: &VerifyingKey) -> Result<T, JwsError> {
        self.must_be_signed_by(key)?;
        read_closed(&self.payload).map_err(|_| JwsError::Claims)
    }

    fn must_be_signed_by(&self, key: &VerifyingKey) -> Result<(), JwsError> {
        let is_signed = key.algorithm() == self.algorithm && key.verifies(self.signed.as_bytes(), &self.signature);
        if is_signed { Ok(()) } else { Err(JwsError::Signature) }
    }
}

impl<'a> Jws<'a, IssuerAlgorithm> {
    /// Takes one of an outside issuer apart, which may sign in more ways than we do.
    pub fn parse_issued(text: &'a str, typ: Typ, longest: usize) -> Result<Self, JwsError> {
        let algorithm = |alg: &str| alg.parse().map_err(|_| JwsError::IssuerAlgorithm);
        Self::parse_with(text, typ, longest, longest, algorithm)
    }

    /// Whether this key signed it.
    pub fn is_signed_by(&self, key: &IssuerKey) -> bool {
        key.verifies(self.algorithm, self.signed.as_bytes(), &self.signature)
    }
}

impl<'a, A: Copy> Jws<'a, A> {
    fn parse_with(
        text: &'a str,
        typ: Typ,
        longest: usize,
        longest_header: usize,
        algorithm: impl FnOnce(&str) -> Result<A, JwsError>,
    ) -> Result<Self, JwsError> {
        if text.len() > longest {
            return Err(JwsError::Malformed);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(JwsError::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(JwsError::Malformed)?;
        if header.len() > longest_header || signature.is_empty() {
            return Err(JwsError::Malformed);
        }
        // A third dot would be in the payload, where base64url has none.
        let parts = (decode(header), decode(payload), decode(signature));
        let (Some(header), Some(payload), Some(signature)) = parts else { return Err(JwsError::Malformed) };
        let header: Header<'_> = read_object(&header).map_err(|_| JwsError::Header)?;
        if header.crit.0 || header.b64.0 {
            return Err(JwsError::Critical);
        }
        let algorithm = algorithm(&header.alg.0)?;
        if !typ.admits(header.typ.as_ref().map(|typ| &*typ.0)) {
            return Err(JwsError::Type);
        }
        let kid = header.kid.map(|kid| kid.0.into_owned());
        if kid.as_ref().is_some_and(|kid| kid.len() > LONGEST_KID) {
            return Err(JwsError::Header);
        }
        Ok(Self { algorithm, kid, jwk: header.jwk, signed, payload, signature })
    }

    /// What its header says that it is signed with.
    pub fn algorithm(&self) -> A {
        self.algorithm
    }

    /// What the signature is over.
    pub fn signed(&self) -> &str {
        self.signed
    }

    /// By which key, as whoever signed calls it.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The key in the header. It proves who made this text only if it is known from elsewhere.
    pub fn jwk(&self) -> Option<&Map<String, Value>> {
        self.jwk.as_ref()
    }

    /// What it says, without proof: good for finding the key that could prove it, and for nothing else.
    pub fn unproved<T: DeserializeOwned>(&self) -> Result<T, JwsError> {
        read_object(&self.payload).map_err(|_| JwsError::Claims)
    }
}
