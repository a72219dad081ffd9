//! The rules, as functions of values: what is known of a JWT by its text and the keys, and the verdict on one use of what is known.
//!
//! The decision is `claviger_token::decide`, the server's own. Everything here is held to `vectors/` at the repository's root, which
//! clients in other languages share. The room does no I/O and reads no clock.

use std::net::IpAddr;

use claviger_token::{
    AccessTokenClaims, Context, Environment, Found, Jws, Object, Permission, Presented, Proof, Refusal, Required, Typ,
    Verdict, decide,
};
use jiff::Timestamp;

use crate::{deny::Ended, keys::Keys};

/// How far the instance's clock may be ahead of ours, in seconds.
const CLOCKS_DIFFER: i64 = 60;

/// How long a token of the instance lives at most, in seconds.
const LONGEST_LIFE: i64 = 3600;

/// Why a text is no token of the instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotProved {
    /// No JWT, or one that is made for something else.
    #[error("no JWT of the kind that is wanted")]
    Malformed,
    /// Its key is not known; perhaps it is new.
    #[error("the key is not known")]
    UnknownKey,
    /// The signature does not hold, the issuer is another, or it says what is not understood.
    #[error("not what the instance signed, or not understood")]
    Forged,
}

impl NotProved {
    /// What the verify call says of such a text.
    pub fn refusal(self) -> Refusal {
        match self {
            Self::Malformed => Refusal::Malformed,
            Self::UnknownKey | Self::Forged => Refusal::Unknown,
        }
    }
}

/// What is asked of a credential.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked<'a> {
    /// The API's identifier; not tested without.
    pub audience: Option<&'a str>,
    /// Which data it is about; not tested without.
    pub environment: Option<Environment>,
    /// All of these.
    pub permissions: &'a [Permission],
    /// All of these.
    pub objects: &'a [Object],
    /// The objects are asked for elsewhere: a credential that is for some objects only passes here.
    pub whatever_object: bool,
    /// Where the request comes from.
    pub client_ip: Option<IpAddr>,
    /// What the caller proved.
    pub proof: Proof,
}

/// What an access token says (RFC 9068), if a key of the instance signed it. Whether its time is over is the verdict's to say.
pub fn read_token(text: &str, keys: &Keys, issuer: &str, now: Timestamp) -> Result<Found, NotProved> {
    let jws = Jws::parse(text, Typ::ACCESS_TOKEN).map_err(|_| NotProved::Malformed)?;
    let key = jws.kid().and_then(|kid| keys.key(kid)).ok_or(NotProved::UnknownKey)?;
    let claims: AccessTokenClaims = jws.proved_closed(key).map_err(|_| NotProved::Forged)?;
    let lives = claims.exp.saturating_sub(claims.iat);
    // What ended is told for no longer than that.
    if lives > LONGEST_LIFE || claims.iss != issuer || claims.iat > now.as_second().saturating_add(CLOCKS_DIFFER) {
        return Err(NotProved::Forged);
    }
    claims.alone().ok_or(NotProved::Forged)
}

/// The verdict on one use.
pub fn judge(found: &Found, ended: &Ended, asked: &Asked<'_>, now: Timestamp) -> Verdict {
    if ended.has_ended(found) { Verdict::Refused(Refusal::Revoked) } else { judge_facts(found, asked, now) }
}

/// The same of facts that the instance told, and that are kept as long as it names nothing of them.
pub fn judge_facts(found: &Found, asked: &Asked<'_>, now: Timestamp) -> Verdict {
    let required = Required {
        audience: asked.audience,
        environment: asked.environment,
        permissions: asked.permissions,
        objects: asked.objects,
        whatever_object: asked.whatever_object,
    };
    let context = Context { client_ip: asked.client_ip, proof: asked.proof, ..Context::plain() };
    decide(&Presented::WellFormed, Some(found), &required, &context, now)
}
