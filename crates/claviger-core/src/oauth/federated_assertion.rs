//! An assertion of an outside issuer: a JWT by which a workload shows who it is without any secret of ours (RFC 7523, section 3;
//! RFC 10070; JWT-SVID of SPIFFE).
//!
//! It is read first, without trust, to learn whose keys could prove it; then its signature is proved, and only then it is held
//! against a federation. The room must not know where keys are from, nor whether the assertion was used before.

use aws_lc_rs::digest::{SHA256, digest};
use claviger_token::{CredentialId, IssuerAlgorithm, IssuerKey, Jws, JwsError, Typ};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::client_assertion::{AHEAD, date, one_or_many, some_date};
use crate::{
    federation::{Federation, Unmet},
    single_use::single_use_key,
};

/// `grant_type` of RFC 7523, section 2.1.
pub const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// The longest assertion that is looked at.
const LONGEST: usize = 16 * 1024;
const LONGEST_JTI: usize = 256;
/// SPIFFE-ID, section 2.3.
const LONGEST_SPIFFE_ID: usize = 2048;
/// How many keys are tried for one assertion.
const MOST_TRIED: usize = 4;
/// How long one may live: whatever lives for longer is a stored secret, as the old tokens of Kubernetes were.
const LONGEST_LIFE: SignedDuration = SignedDuration::from_hours(24);
/// What others call it, if anything. Whoever says that it is something else, says so (RFC 8725, section 3.11).
const TYP: Typ = Typ::AbsentOr(&["JWT", "JOSE"]);
const TYP_OF_CLIENT: Typ = Typ::AbsentOr(&["JWT", "JOSE", "client-authentication+jwt"]);

/// Why an assertion stands for nobody: for the log and the audit trail. Whoever sent it is told nothing of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FederatedError {
    /// Not a JWS that is read here.
    #[error("the assertion: {0}")]
    Form(JwsError),
    /// A claim is missing or of the wrong type, or something is said twice.
    #[error(
        "the assertion must have sub, aud and exp, and iss unless sub is a SPIFFE ID; exp, iat and nbf are seconds since 1970"
    )]
    Claims,
    /// Nobody has a federated identity of this issuer, or not the client that is named.
    #[error("no federated identity of this client_id that works has this issuer or trust domain")]
    NoFederation,
    /// The issuer has no key that could have signed it.
    #[error("no key of the issuer fits alg and kid of the assertion")]
    NoKey,
    /// None of the issuer's keys that fit has signed it.
    #[error("the signature of the assertion is of no key of its issuer")]
    Signature,
    /// Signed by an algorithm that JWT-SVIDs do not have.
    #[error("a JWT-SVID is signed by RS, PS or ES with 256, 384 or 512, and has a kid")]
    Svid,
    /// From somebody else.
    #[error("iss of the assertion is not the issuer of the federated identity")]
    Issuer,
    /// From elsewhere.
    #[error("sub of the assertion is no SPIFFE ID in the trust domain")]
    TrustDomain,
    /// For somebody else, or for others too.
    #[error("aud of the assertion must be {wanted} alone, and is {found}")]
    Audience {
        /// Which is wanted.
        wanted: String,
        /// What it says.
        found: String,
    },
    /// Over.
    #[error("the assertion has expired {0}s ago by the clock of this instance; if it is new, the clocks differ")]
    Expired(i64),
    /// Its end is too far away.
    #[error("the assertion lives for more than a day")]
    LivesTooLong,
    /// `iat` or `nbf` is to come.
    #[error("the assertion is valid in {0}s only by the clock of this instance: the clocks differ")]
    NotYetValid(i64),
    /// A claim does not say what is wanted.
    #[error("the assertion does not meet the condition on {}: {}", .0.claim, said(.0))]
    Condition(Unmet),
    /// It counts once.
    #[error("the assertion came a second time, and its federated identity takes each once")]
    Replayed,
    /// Its jti cannot be remembered.
    #[error("jti of the assertion has 1 to {LONGEST_JTI} bytes")]
    Jti,
}

impl FederatedError {
    /// The same without what the assertion says, which may be about people and is written by others: for the audit trail, which keeps
    /// everything.
    pub fn without_values(&self) -> String {
        if let Self::Audience { wanted, .. } = self {
            return format!("aud of the assertion must be {wanted} alone");
        }
        if let Self::Condition(unmet) = self {
            let how = if unmet.found.is_some() { "it says something else" } else { "it is not there" };
            return format!("the assertion does not meet the condition on {}: {how}", unmet.claim);
        }
        self.to_string()
    }
}

fn said(unmet: &Unmet) -> String {
    unmet.found.as_ref().map_or_else(|| "it is not there".to_owned(), |found| format!("it says {found}"))
}

/// As what it is presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AssertedAs {
    /// As a grant (RFC 7523, section 2.1).
    Grant,
    /// Instead of a client's own (section 2.2).
    Client,
}

/// An assertion that is read and not proved.
#[derive(Debug)]
pub struct FederatedAssertion<'a> {
    jws: Jws<'a, IssuerAlgorithm>,
    all: Map<String, Value>,
    claims: Claims,
}

#[derive(Debug, Deserialize)]
struct Claims {
    #[serde(default)]
    iss: Option<String>,
    sub: String,
    #[serde(deserialize_with = "one_or_many")]
    aud: Vec<String>,
    #[serde(deserialize_with = "date")]
    exp: Timestamp,
    #[serde(default, deserialize_with = "some_date")]
    nbf: Option<Timestamp>,
    #[serde(default, deserialize_with = "some_date")]
    iat: Option<Timestamp>,
    #[serde(default)]
    jti: Option<String>,
}

impl<'a> FederatedAssertion<'a> {
    /// Reads one. It proves nothing yet.
    pub fn parse(text: &'a str, presented: AssertedAs) -> Result<Self, FederatedError> {
        let typ = match presented {
            AssertedAs::Grant => TYP,
            AssertedAs::Client => TYP_OF_CLIENT,
        };
        let jws = Jws::parse_issued(text, typ, LONGEST).map_err(FederatedError::Form)?;
        let all: Map<String, Value> = jws.unproved().map_err(|_| FederatedError::Claims)?;
        let claims: Claims = jws.unproved().map_err(|_| FederatedError::Claims)?;
        let assertion = Self { jws, all, claims };
        if assertion.claims.iss.is_none() && assertion.trust_domain().is_none() {
            return Err(FederatedError::Claims);
        }
        Ok(assertion)
    }

    /// Who says that it signed.
    pub fn issuer(&self) -> Option<&str> {
        self.claims.iss.as_deref()
    }

    /// In which SPIFFE trust domain it says that its subject is.
    pub fn trust_domain(&self) -> Option<&str> {
        spiffe_trust_domain(&self.claims.sub)
    }

    /// What the issuer calls the key that signed it.
    pub fn kid(&self) -> Option<&str> {
        self.jws.kid()
    }

    /// When it ends.
    pub fn ends_at(&self) -> Timestamp {
        self.claims.exp
    }

    /// Whether one of these keys signed it. Keys of a SPIFFE bundle prove JWT-SVIDs and nothing else, and no others prove those.
    ///
    /// A key that has a `kid` of its own is asked only for assertions that name it or none.
    pub fn prove(&self, keys: &[IssuerKey], of_bundle: bool) -> Result<(), FederatedError> {
        let algorithm = self.jws.algorithm();
        if of_bundle && (algorithm == IssuerAlgorithm::EdDsa || self.kid().is_none()) {
            return Err(FederatedError::Svid);
        }
        let fits = |key: &&IssuerKey| {
            let named = self.kid().zip(key.kid()).is_none_or(|(wanted, own)| wanted == own);
            named && key.is_for(algorithm) && key.is_of_bundle() == of_bundle
        };
        let mut fitting = keys.iter().filter(fits).peekable();
        if fitting.peek().is_none() {
            return Err(FederatedError::NoKey);
        }
        let signed = fitting.take(MOST_TRIED).any(|key| self.jws.is_signed_by(key));
        if signed { Ok(()) } else { Err(FederatedError::Signature) }
    }

    /// Whether, its signature being proved, it stands for whoever has this federated identity at the instance `own_issuer`.
    pub fn fits(&self, federation: &Federation, own_issuer: &str, now: Timestamp) -> Result<(), FederatedError> {
        if federation.issuer.is_some() && self.issuer() != federation.issuer.as_deref() {
            return Err(FederatedError::Issuer);
        }
        if federation.trust_domain.is_some() && self.trust_domain() != federation.trust_domain.as_deref() {
            return Err(FederatedError::TrustDomain);
        }
        let wanted = federation.audience.as_deref().unwrap_or(own_issuer);
        let audience = &self.claims.aud;
        // RFC 10070: every value is ours.
        if audience.is_empty() || audience.iter().any(|audience| audience != wanted) {
            let found = format!("{audience:?}").chars().take(300).collect();
            return Err(FederatedError::Audience { wanted: wanted.to_owned(), found });
        }
        // Half open, and without patience: a token never outlives what it is made from.
        let life = self.claims.exp.duration_since(now);
        if !life.is_positive() {
            return Err(FederatedError::Expired(-life.as_secs()));
        }
        let whole_life = self.claims.iat.map_or(life, |iat| self.claims.exp.duration_since(iat));
        if life.max(whole_life) > LONGEST_LIFE + AHEAD {
            return Err(FederatedError::LivesTooLong);
        }
        let begins = [self.claims.nbf, self.claims.iat].into_iter().flatten().max();
        let ahead = begins.map_or(SignedDuration::ZERO, |begins| begins.duration_since(now));
        if ahead > AHEAD {
            return Err(FederatedError::NotYetValid(ahead.as_secs()));
        }
        if let Some(unmet) = federation.conditions.unmet(&self.all) {
            return Err(FederatedError::Condition(unmet));
        }
        let jti = self.claims.jti.as_ref().map_or(1, String::len);
        if federation.single_use && !(1..=LONGEST_JTI).contains(&jti) {
            return Err(FederatedError::Jti);
        }
        Ok(())
    }

    /// Under what its one use by a federated identity is stored, and until when. Without `jti`, what is signed is its name.
    pub fn single_use(&self, federation: CredentialId) -> ([u8; 32], Timestamp) {
        let holder = federation.to_string();
        let key = match &self.claims.jti {
            Some(jti) => single_use_key("federated_assertion", &holder, jti),
            None => {
                let signed = digest(&SHA256, self.jws.signed().as_bytes());
                let name: String = signed.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
                single_use_key("federated_assertion_without_jti", &holder, &name)
            }
        };
        // Another node's clock may be behind.
        (key, self.claims.exp.saturating_add(AHEAD).unwrap_or(self.claims.exp))
    }
}

impl Federation {
    /// Whether its keys are those of a SPIFFE bundle.
    pub fn has_bundle(&self) -> bool {
        self.trust_domain.is_some()
    }
}

/// The trust domain of a SPIFFE ID (SPIFFE-ID, section 2): with a path, of segments that are no dots.
fn spiffe_trust_domain(sub: &str) -> Option<&str> {
    let (domain, path) = sub.strip_prefix("spiffe://").filter(|_| sub.len() <= LONGEST_SPIFFE_ID)?.split_once('/')?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let sound = |segment: &str| !matches!(segment, "" | "." | "..") && segment.bytes().all(allowed);
    (crate::federation::is_trust_domain(domain) && path.split('/').all(sound)).then_some(domain)
}

#[cfg(test)]
mod tests;
