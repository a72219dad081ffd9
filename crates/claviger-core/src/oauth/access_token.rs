//! What a new access token says, and for how long.

use claviger_token::{
    AccessTokenClaims, AccessTokenId, AuthorizationDetails, Confirmation, Found, NetworkSet, ServiceAccountId,
    TypedId as _,
};
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
    /// As long as its API has it, and no longer than what it is made from: neither the credential nor the secret of it that was shown.
    pub fn new(ttl_seconds: u32, parent: &Found, now: Timestamp) -> Result<Self, OAuthError> {
        let iat = now.as_second();
        let ends = [parent.credential.expires_at, parent.secret.as_ref().and_then(|secret| secret.ends_at)];
        let exp = iat + i64::from(ttl_seconds);
        let exp = ends.into_iter().flatten().fold(exp, |exp, end| exp.min(end.as_second()));
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
}

/// From where a token may be used: from where both its credential and its organization allow it, for a verifier that never asks
/// knows of neither. A token that nobody may use from anywhere is none: what it would be made from is good for nothing now.
pub fn networks(parent: &Found) -> Result<Option<NetworkSet>, OAuthError> {
    match (&parent.credential.networks, &parent.organization.allowed_networks) {
        (Some(own), Some(allowed)) => own.intersection(allowed).map(Some).ok_or_else(|| {
            let description =
                "the credential and its organization allow no network in common; change allowed_networks of either";
            OAuthError::new(OAuthErrorCode::InvalidGrant, description)
        }),
        (networks, None) | (None, networks) => Ok(networks.clone()),
    }
}

/// What a token is limited to beside its scope (RFC 9396): what is asked for, of which whoever asks must have all, or else what it is
/// made from was limited to.
pub fn details(asked: Option<&str>, parent: &Found) -> Result<Option<AuthorizationDetails>, OAuthError> {
    let held = parent.credential.objects.as_ref();
    let Some(asked) = asked else {
        let given = parent.token.as_ref().and_then(|token| token.details.clone());
        // Of what became narrower since, no more is said than is left.
        return Ok(match (given, held) {
            (Some(given), Some(held)) if !given.objects().is_within(held) => {
                Some(AuthorizationDetails::of(held.clone()))
            }
            (given, _) => given,
        });
    };
    let refused = |description: String| OAuthError::new(OAuthErrorCode::InvalidAuthorizationDetails, description);
    let details = AuthorizationDetails::parse(asked).map_err(|error| refused(error.to_string()))?;
    let objects = details.objects();
    match objects.iter().find(|object| held.is_some_and(|held| !held.iter().any(|own| object.is_within(own)))) {
        Some(beyond) => Err(refused(format!("what the token would be made from is not for {}", beyond.as_str()))),
        None => Ok(Some(details)),
    }
}

/// The claims of a token for `target` that is made from a credential and given to a client. It is bound to what its credential is
/// bound to, and to what the client `shown`: a key, a certificate, or both (RFC 9449, section 5; RFC 8705, section 3).
#[expect(clippy::too_many_arguments, reason = "each is another part of what a token says")]
pub fn claims(
    issuer: &str,
    parent: &Found,
    client: ServiceAccountId,
    target: &Target<'_>,
    lifetime: Lifetime,
    shown: Confirmation,
    details: Option<AuthorizationDetails>,
    now: Timestamp,
    rng: &mut dyn CryptoRng,
) -> Result<AccessTokenClaims, OAuthError> {
    let credential = &parent.credential;
    Ok(AccessTokenClaims {
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
        objects: details.as_ref().map(AuthorizationDetails::objects).or_else(|| credential.objects.clone()),
        networks: networks(parent)?,
        cnf: credential.confirmation.unwrap_or_default().or(shown).named(),
        authorization_details: details,
        status: None,
        act: None,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use claviger_token::SecretFacts;

    use super::*;
    use crate::{
        api::Api,
        fixtures::{World, now, rng, set},
    };

    #[test]
    fn a_token_is_for_the_networks_that_its_credential_and_its_organization_allow() {
        let check = |own: Option<&str>, allowed: Option<&str>, expected: Result<Option<&str>, &str>| {
            let set = |text: Option<&str>| text.map(|text| NetworkSet::from_text(text).unwrap());
            let mut parent = World::new().caller("a:b", "");
            parent.credential.networks = set(own);
            Arc::make_mut(&mut parent.organization).allowed_networks = set(allowed);
            let found = networks(&parent).map(|found| found.map(|found| found.to_text()));
            let found = found.as_ref().map(|found| found.as_deref()).map_err(|error| error.code.as_str());
            assert_eq!(found, expected, "{own:?} {allowed:?}");
        };
        check(None, None, Ok(None));
        check(Some("10.0.0.0/8"), None, Ok(Some("10.0.0.0/8")));
        check(None, Some("10.0.0.0/8"), Ok(Some("10.0.0.0/8")));
        check(Some("10.0.0.0/8 192.0.2.0/24"), Some("10.1.0.0/16 2001:db8::/32"), Ok(Some("10.1.0.0/16")));
        check(Some("10.0.0.0/8"), Some("192.0.2.0/24"), Err("invalid_grant"));
    }

    #[test]
    fn d12_a_token_is_bound_to_all_that_was_shown_and_to_what_its_credential_is_bound_to() {
        let thumbprint = |number: u8| Some([number; 32].into());
        let bound = |jkt: Option<u8>, certificate: Option<u8>| Confirmation {
            jkt: jkt.and_then(thumbprint),
            x5t_s256: certificate.and_then(thumbprint),
        };
        let check = |own: Confirmation, shown: Confirmation, expected: Confirmation| {
            let world = World::new();
            let mut parent = world.caller("a:b", "");
            parent.credential.confirmation = own.named();
            let api = Api::builtin("https://claviger.test", now(), &mut rng()).unwrap();
            let target = Target { api: &api, scope: set("a:b") };
            let lifetime = Lifetime::new(600, &parent, now()).unwrap();
            let client = ServiceAccountId::generate(now(), &mut rng());
            let claims =
                claims("https://claviger.test", &parent, client, &target, lifetime, shown, None, now(), &mut rng());
            assert_eq!(claims.unwrap().cnf, expected.named());
        };
        check(bound(None, None), bound(None, None), bound(None, None));
        check(bound(None, None), bound(Some(1), None), bound(Some(1), None));
        check(bound(None, None), bound(Some(1), Some(2)), bound(Some(1), Some(2)));
        check(bound(Some(1), None), bound(None, None), bound(Some(1), None));
        check(bound(Some(1), None), bound(None, Some(2)), bound(Some(1), Some(2)));
        check(bound(None, Some(2)), bound(Some(1), None), bound(Some(1), Some(2)));
    }

    #[test]
    fn a06_a_token_does_not_outlive_what_it_is_made_from() {
        let at = |ms: i64| Timestamp::from_millisecond(ms).unwrap();
        let check = |end: Option<i64>, secret_ends: Option<i64>, expected: Option<u64>| {
            let mut parent = World::new().caller("a:b", "");
            parent.credential.expires_at = end.map(at);
            parent.secret = Some(SecretFacts { number: 1, ends_at: secret_ends.map(at) });
            let seconds = Lifetime::new(600, &parent, at(1_000_500)).map(Lifetime::seconds).ok();
            assert_eq!(seconds, expected, "{end:?} {secret_ends:?}");
        };
        check(None, None, Some(600));
        check(Some(9_000_000), Some(9_000_000), Some(600));
        check(Some(1_060_999), None, Some(60));
        check(Some(1_060_999), Some(1_030_000), Some(30));
        check(None, Some(1_060_999), Some(60));
        check(Some(1_001_000), None, Some(1));
        check(Some(1_000_900), None, None);
        check(None, Some(1_000_900), None);
    }
}
