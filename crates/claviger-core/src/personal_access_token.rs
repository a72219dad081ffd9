//! Personal access tokens: how one is issued. What becomes of it afterwards is every credential's: see `credential.rs`.

use claviger_token::{CredentialId, Environment, OrganizationId, PersonalAccessTokenId, TypedId as _, UserId};
use jiff::Timestamp;
use rand::CryptoRng;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    binding::AskedBinding,
    invalid::{Rejection, present},
    issuing::{Asked, AskedPermissions, Issued, IssuingContext},
    limit::{NewQuota, NewRateLimit},
};

/// Body of `POST /v1/personal-access-tokens`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewPersonalAccessToken {
    /// Whose it will be; a user who asks may leave it out.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub user_id: Option<UserId>,
    /// The same, by what the SaaS calls the user.
    pub user_external_id: Option<String>,
    /// Where it will act: the user is a member there.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub organization_id: OrganizationId,
    /// 1 to 100 characters; need not be unique.
    #[cfg_attr(feature = "openapi", schema(example = "laptop"))]
    pub name: String,
    /// What it may do, out of what the user may. Never optional; `"*"` follows the user.
    #[cfg_attr(feature = "openapi", schema(example = json!(["invoices:read"])))]
    pub permissions: Vec<String>,
    /// On which objects only, such as `base:app7` or `repo:acme/*`.
    pub objects: Option<Vec<String>>,
    /// From when on it works (RFC 3339).
    pub not_before: Option<Timestamp>,
    /// When it ends (RFC 3339). Absent: as the organization's policy says; `null`: never, if the policy allows it.
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Timestamp>))]
    pub expires_at: Option<Option<Timestamp>>,
    /// From which networks only (CIDR).
    pub allowed_networks: Option<Vec<String>>,
    /// How often it may be used: every one of these must allow a request. At most 10.
    pub rate_limits: Option<Vec<NewRateLimit>>,
    /// How much it may be used in a calendar period.
    pub quota: Option<NewQuota>,
    /// To which key it is bound for good: the RFC 7638 thumbprint of a DPoP key (RFC 9449). It is refused without a proof of that
    /// key.
    pub dpop_jkt: Option<String>,
    /// The same by the public key itself, as JWK. Not both.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub dpop_jwk: Option<Box<RawValue>>,
    /// To which client certificate it is bound for good, as PEM: it is refused without that certificate (RFC 8705). Beside a key, both
    /// must be proved.
    #[cfg_attr(feature = "openapi", schema(example = "-----BEGIN CERTIFICATE-----\n…"))]
    pub client_certificate: Option<String>,
    /// The same by its thumbprint, the SHA-256 of its DER in base64url (`x5t#S256`). Not both.
    pub client_certificate_thumbprint: Option<String>,
    /// Any JSON object up to 4 KiB; the verify call hands it back.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub metadata: Option<serde_json::Value>,
}

impl NewPersonalAccessToken {
    /// One with these permissions, no limits, and the end that policy gives it.
    pub fn named<'a>(
        user_id: UserId,
        organization_id: OrganizationId,
        name: &str,
        permissions: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        Self {
            user_id: Some(user_id),
            user_external_id: None,
            organization_id,
            name: name.to_owned(),
            permissions: permissions.into_iter().map(str::to_owned).collect(),
            objects: None,
            not_before: None,
            expires_at: None,
            allowed_networks: None,
            rate_limits: None,
            quota: None,
            dpop_jkt: None,
            dpop_jwk: None,
            client_certificate: None,
            client_certificate_thumbprint: None,
            metadata: None,
        }
    }

    /// The token that is asked for.
    pub fn issue(
        self,
        context: &IssuingContext<'_>,
        created_by: String,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
    ) -> Result<Issued, Rejection> {
        let id = PersonalAccessTokenId::generate(now, rng).into();
        let asked = Asked {
            id,
            name: &self.name,
            environment: Environment::Live,
            permissions: AskedPermissions::Listed(&self.permissions),
            objects: self.objects.as_deref(),
            not_before: self.not_before,
            expires_at: self.expires_at.unwrap_or_else(|| default_end(id, context, now)),
            allowed_networks: self.allowed_networks.as_deref(),
            rate_limits: self.rate_limits.as_deref(),
            quota: self.quota,
            binding: AskedBinding {
                dpop_jkt: self.dpop_jkt.as_deref(),
                dpop_jwk: self.dpop_jwk.as_deref(),
                client_certificate: self.client_certificate.as_deref(),
                client_certificate_thumbprint: self.client_certificate_thumbprint.as_deref(),
            },
            metadata: self.metadata.as_ref(),
        };
        asked.issue(context, created_by, now, rng)
    }
}

/// As the policy says, and no later than the credential that makes it.
fn default_end(id: CredentialId, context: &IssuingContext<'_>, now: Timestamp) -> Option<Timestamp> {
    let own = context.grantor.latest_end(context.organization.id);
    let default = context.organization.policy.default_end(id, now);
    default.into_iter().chain(own).min()
}
