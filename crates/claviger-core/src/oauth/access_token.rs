//! What a new access token says, and for how long.

use std::time::Duration;

use claviger_token::{AccessTokenClaims, AccessTokenId, Found, ServiceAccountId, TypedId as _};
use jiff::Timestamp;
use rand::CryptoRng;

use super::{OAuthError, OAuthErrorCode, Target};

/// From when until when a token counts, in whole seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    iat: i64,
    exp: i64,
}

impl Lifetime {
    /// As long as its API has it, and no longer than what it is made from.
    pub fn new(ttl_seconds: u32, parent_ends: Option<Timestamp>, now: Timestamp) -> Result<Self, OAuthError> {
        let iat = now.as_second();
        let exp = iat + i64::from(ttl_seconds);
        let exp = parent_ends.map_or(exp, |end| exp.min(end.as_second()));
        if exp <= iat {
            let description = "what the token would be made from ends within a second; renew it first";
            return Err(OAuthError::new(OAuthErrorCode::InvalidGrant, description));
        }
        Ok(Self { iat, exp })
    }

    /// `expires_in`.
    pub fn seconds(self) -> u64 {
        u64::try_from(self.exp - self.iat).unwrap_or(0)
    }

    /// The same as a span of time.
    pub fn duration(self) -> Duration {
        Duration::from_secs(self.seconds())
    }
}

/// The claims of a token for `target` that is made from a credential and given to a client.
pub fn claims(
    issuer: &str,
    parent: &Found,
    client: ServiceAccountId,
    target: &Target<'_>,
    lifetime: Lifetime,
    now: Timestamp,
    rng: &mut dyn CryptoRng,
) -> AccessTokenClaims {
    let credential = &parent.credential;
    AccessTokenClaims {
        iss: issuer.to_owned(),
        sub: parent.principal.id,
        aud: vec![target.api.identifier.clone()],
        exp: lifetime.exp,
        iat: lifetime.iat,
        jti: AccessTokenId::generate(now, rng),
        client_id: client,
        scope: target.scope.clone(),
        org: parent.organization.id,
        cred: credential.id,
        epoch: credential.epoch,
        env: credential.environment,
        objects: credential.objects.clone(),
        networks: credential.networks.clone(),
        cnf: credential.confirmation.clone(),
        status: None,
        act: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a06_a_token_does_not_outlive_what_it_is_made_from() {
        let at = |ms: i64| Timestamp::from_millisecond(ms).unwrap();
        let seconds = |end: Option<i64>| Lifetime::new(600, end.map(at), at(1_000_500)).map(Lifetime::seconds).ok();
        assert_eq!(seconds(None), Some(600));
        assert_eq!(seconds(Some(9_000_000)), Some(600));
        assert_eq!(seconds(Some(1_060_999)), Some(60));
        assert_eq!(seconds(Some(1_001_000)), Some(1));
        assert_eq!(seconds(Some(1_000_900)), None);
    }
}
