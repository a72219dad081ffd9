//! A client's assertion: a JWT that it signed to prove who it is (RFC 7521, section 4.2; RFC 7523, section 3; OpenID
//! Connect Core 1.0, section 9).
//!
//! It is read first, without trust, to learn whose keys could prove it; then it is judged by those keys. The room must not
//! know where keys are from, nor whether the assertion was used before.

use claviger_token::{Jws, JwsError, ServiceAccountId, Typ, VerifyingKey};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer, de, de::IgnoredAny};
use serde_json::Value;

use crate::single_use::single_use_key;

/// The longest assertion that is looked at.
const LONGEST: usize = 16 * 1024;
const LONGEST_JTI: usize = 256;
/// How many keys are tried for one assertion: whoever has more says by `kid` which it is.
const MOST_TRIED: usize = 8;
/// How long after its end one still counts, for clocks differ.
const LATE: SignedDuration = SignedDuration::from_secs(10);
/// How far ahead the clock of a client may be.
pub(super) const AHEAD: SignedDuration = SignedDuration::from_secs(60);
/// How long one may live. Some clients of others make them for an hour and cannot be told otherwise.
const LONGEST_LIFE: SignedDuration = SignedDuration::from_hours(1);
/// RFC 8725, section 3.11: what says that it is something else is something else.
const TYP: Typ = Typ::AbsentOr(&["JWT", "client-authentication+jwt"]);

/// Why an assertion proves nothing: for the log and the audit trail. Whoever sent it is told [`AssertionError::told`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AssertionError {
    /// Not a JWS that is read here.
    #[error("the assertion: {0}")]
    Form(JwsError),
    /// A claim is missing or of the wrong type, or something is said twice.
    #[error(
        "the assertion must have iss, sub, aud, exp and jti, and exp, iat and nbf are seconds since 1970; nothing is said twice"
    )]
    Claims,
    /// It does not say which client it is from.
    #[error("iss and sub of the assertion must both be the client_id")]
    Client,
    /// No id, or one that is too long.
    #[error("jti of the assertion has 1 to {LONGEST_JTI} bytes")]
    Jti,
    /// The client has no key that could have signed it.
    #[error("no key of the client fits alg and kid of the assertion")]
    NoKey,
    /// None of the client's keys that fit has signed it.
    #[error("the signature of the assertion is of no key of the client")]
    Signature,
    /// For somebody else, or for others too.
    #[error("aud of the assertion must be the issuer alone, or at a renewal the address of that alone")]
    Audience,
    /// Over.
    #[error("the assertion has expired")]
    Expired,
    /// Its end is too far away.
    #[error("the assertion lives for more than an hour")]
    LivesTooLong,
    /// `iat` or `nbf` is to come.
    #[error("the assertion is not valid yet")]
    NotYetValid,
}

impl AssertionError {
    /// What the client may know, in letters that an `error_description` may have (RFC 6749, section 5.2). Which audience is
    /// wanted is no secret, and what clients get wrong most.
    pub fn told(self, issuer: &str) -> String {
        match self {
            Self::Audience => format!("the client assertion must have {issuer} as aud, and nothing else"),
            Self::Form(_)
            | Self::Claims
            | Self::Client
            | Self::Jti
            | Self::NoKey
            | Self::Signature
            | Self::Expired
            | Self::LivesTooLong
            | Self::NotYetValid => "the client assertion does not count".to_owned(),
        }
    }
}

/// For whom an assertion must be.
#[derive(Debug, Clone, Copy)]
pub struct ExpectedAudience<'a> {
    /// This instance (RFC 10070, section 4).
    pub issuer: &'a str,
    /// Where tokens are asked for, which older clients say instead.
    pub token_endpoint: &'a str,
    /// Whether this client may say so.
    pub legacy_audience: bool,
}

impl ExpectedAudience<'_> {
    /// Compared as text, byte by byte.
    fn is_met_by(&self, audience: &[String]) -> bool {
        let [only] = audience else { return false };
        only == self.issuer || (self.legacy_audience && only == self.token_endpoint)
    }
}

/// An assertion that is read and not proved.
#[derive(Debug)]
pub struct ClientAssertion<'a> {
    jws: Jws<'a>,
    client: ServiceAccountId,
    audience: Vec<String>,
    jti: String,
    expires_at: Timestamp,
    not_before: Option<Timestamp>,
    issued_at: Option<Timestamp>,
    next_key: Option<String>,
}

/// Others are of no consequence here.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    #[serde(deserialize_with = "one_or_many")]
    aud: Vec<String>,
    #[serde(deserialize_with = "date")]
    exp: Timestamp,
    jti: String,
    #[serde(default, deserialize_with = "some_date")]
    nbf: Option<Timestamp>,
    #[serde(default, deserialize_with = "some_date")]
    iat: Option<Timestamp>,
    #[serde(default)]
    cnf: Value,
}

impl<'a> ClientAssertion<'a> {
    /// Reads one. It proves nothing yet.
    pub fn parse(text: &'a str) -> Result<Self, AssertionError> {
        let jws = Jws::parse_long(text, TYP, LONGEST).map_err(AssertionError::Form)?;
        let claims: Claims = jws.unproved().map_err(|_| AssertionError::Claims)?;
        let client = claims.sub.parse().map_err(|_| AssertionError::Client)?;
        if claims.iss != claims.sub {
            return Err(AssertionError::Client);
        }
        if !(1..=LONGEST_JTI).contains(&claims.jti.len()) {
            return Err(AssertionError::Jti);
        }
        Ok(Self {
            jws,
            client,
            audience: claims.aud,
            jti: claims.jti,
            expires_at: claims.exp,
            not_before: claims.nbf,
            issued_at: claims.iat,
            next_key: claims.cnf["jkt"].as_str().map(str::to_owned),
        })
    }

    /// Which client it says that it is from.
    pub fn client(&self) -> ServiceAccountId {
        self.client
    }

    /// The thumbprint of the key for which it vouches (RFC 9449, section 6.1), as a device does that renews its own.
    pub fn next_key(&self) -> Option<&str> {
        self.next_key.as_deref()
    }

    /// What the client calls the key that signed it.
    pub fn kid(&self) -> Option<&str> {
        self.jws.kid()
    }

    /// Whether one of the client's keys signed it, for us, and now. Tells which key, by whatever the caller calls it.
    ///
    /// A key that has a `kid` of its own is asked only for assertions that name it or none.
    pub fn judge<'k, K>(
        &self,
        keys: impl IntoIterator<Item = (K, &'k VerifyingKey)>,
        expected: &ExpectedAudience<'_>,
        now: Timestamp,
    ) -> Result<K, AssertionError> {
        let fits = |key: &VerifyingKey| {
            let named = self.kid().zip(key.kid()).is_none_or(|(wanted, own)| wanted == own);
            named && key.algorithm() == self.jws.algorithm()
        };
        let mut fitting = keys.into_iter().filter(|(_, key)| fits(key)).peekable();
        if fitting.peek().is_none() {
            return Err(AssertionError::NoKey);
        }
        let signed = fitting.take(MOST_TRIED).find(|(_, key)| self.jws.proved::<IgnoredAny>(key).is_ok());
        let (used, _) = signed.ok_or(AssertionError::Signature)?;
        if !expected.is_met_by(&self.audience) {
            return Err(AssertionError::Audience);
        }
        let life = self.expires_at.duration_since(now);
        if life <= -LATE {
            return Err(AssertionError::Expired);
        }
        if life > LONGEST_LIFE + AHEAD {
            return Err(AssertionError::LivesTooLong);
        }
        let begins = [self.not_before, self.issued_at].into_iter().flatten().max();
        if begins.is_some_and(|begins| begins.duration_since(now) > AHEAD) {
            return Err(AssertionError::NotYetValid);
        }
        Ok(used)
    }

    /// Under what its one use is stored, and from when on nobody needs to know of it: it counts for nothing any more.
    pub fn single_use(&self) -> ([u8; 32], Timestamp) {
        let key = single_use_key("client_assertion", &self.client.to_string(), &self.jti);
        (key, self.expires_at.checked_add(LATE).unwrap_or(Timestamp::MAX))
    }
}

/// RFC 7519, section 4.1.3: one text, or a list.
pub(super) fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Texts {
        One(String),
        Many(Vec<String>),
    }
    Texts::deserialize(deserializer).map(|texts| match texts {
        Texts::One(text) => vec![text],
        Texts::Many(texts) => texts,
    })
}

/// RFC 7519, section 2, `NumericDate`: seconds since 1970, with or without a fraction.
pub(super) fn date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    /// The end of the year 9999.
    const LAST: f64 = 253_402_300_799.0;
    let seconds = f64::deserialize(deserializer)?;
    if !(0.0..=LAST).contains(&seconds) {
        return Err(de::Error::custom("not a date"));
    }
    Timestamp::from_millisecond((seconds * 1000.0).round() as i64).map_err(de::Error::custom)
}

/// What is there must be a date: `null` is not "absent".
pub(super) fn some_date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    date(deserializer).map(Some)
}

#[cfg(test)]
mod tests;
