//! What a gateway passes on to an API about a valid credential, signed: `X-Claviger-Assertion`.
//!
//! It is for the API behind the gateway, says who asks, and is no credential: its type is another than that of an access token.

use serde::{Deserialize, Serialize};

use crate::jose::{given, given_named};
use crate::{ActorClaim, CredentialId, Environment, Found, ObjectSet, OrganizationId, PermissionSet, PrincipalId};

/// The claims of an assertion. Times are seconds since 1970.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssertionClaims {
    /// The instance.
    pub iss: String,
    /// Who asks.
    pub sub: PrincipalId,
    /// The API that it is for.
    pub aud: String,
    /// The first second at which it no longer counts.
    pub exp: i64,
    /// When it was made.
    pub iat: i64,
    /// The permissions of this API that the credential has; nothing if absent.
    #[serde(default, with = "crate::access_token::scope", skip_serializing_if = "PermissionSet::is_empty")]
    pub scope: PermissionSet,
    /// The organization that it acts in.
    pub org: OrganizationId,
    /// The credential, or the one that an access token was made from.
    pub cred: CredentialId,
    /// Real or test data.
    pub env: Environment,
    /// The only objects that the credential is for.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub objects: Option<ObjectSet>,
    /// Who acts in the name of `sub`, if an access token says so.
    #[serde(default, deserialize_with = "given_named", skip_serializing_if = "Option::is_none")]
    pub act: Option<Box<ActorClaim>>,
}

impl AssertionClaims {
    /// The header's `typ`, without `application/`.
    pub const TYP: &str = "claviger-assertion+jwt";
    /// How long one counts at most, in seconds.
    pub const LIFE: i64 = 60;

    /// What there is to say of a credential that is valid at `iat` to the API of this identifier, which declares these permissions.
    pub fn of(found: &Found, iss: &str, aud: &str, declared: &PermissionSet, iat: i64) -> Self {
        let held = &found.rights.permissions;
        let token = found.token.as_ref();
        let ends = [
            found.credential.expires_at,
            token.map(|token| token.expires_at),
            found.secret.as_ref().and_then(|secret| secret.ends_at),
        ];
        let ends = ends.into_iter().flatten().map(jiff::Timestamp::as_second);
        Self {
            iss: iss.to_owned(),
            sub: found.principal.id,
            aud: aud.to_owned(),
            exp: ends.chain([iat + Self::LIFE]).min().unwrap_or(iat).max(iat + 1),
            iat,
            scope: held.iter().filter(|name| declared.contains(name.as_str())).cloned().collect(),
            org: found.organization.id,
            cred: found.credential.id,
            env: found.credential.environment,
            objects: found.credential.objects.clone(),
            act: token.and_then(|token| token.act.clone()),
        }
    }
}
