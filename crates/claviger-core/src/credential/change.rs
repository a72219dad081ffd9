//! What can happen to a credential, and what the audit trail calls it for each kind.

use claviger_token::CredentialId;

use crate::audit::Action;

/// What can happen to a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Created,
    Updated,
    Disabled,
    Enabled,
    Approved,
    Denied,
    Rolled,
    OverlapEnded,
    Revoked,
    Deleted,
    RetiredSecretUsed,
}

impl Change {
    /// What the audit trail calls it.
    pub(super) fn action(self, id: CredentialId) -> Action {
        use Action as A;
        use CredentialId::{ApiKey, Certificate, ClientSecret, Federation, PersonalAccessToken, PublicKey};
        match (self, id) {
            (Self::Created, ApiKey(_)) => A::ApiKeyCreated,
            (Self::Updated, ApiKey(_)) => A::ApiKeyUpdated,
            (Self::Disabled, ApiKey(_)) => A::ApiKeyDisabled,
            (Self::Enabled, ApiKey(_)) => A::ApiKeyEnabled,
            (Self::Approved, ApiKey(_)) => A::ApiKeyApproved,
            (Self::Denied, ApiKey(_)) => A::ApiKeyDenied,
            (Self::Rolled, ApiKey(_)) => A::ApiKeyRolled,
            (Self::OverlapEnded, ApiKey(_)) => A::ApiKeyOverlapEnded,
            (Self::Revoked, ApiKey(_)) => A::ApiKeyRevoked,
            (Self::Deleted, ApiKey(_)) => A::ApiKeyDeleted,
            (Self::RetiredSecretUsed, ApiKey(_)) => A::ApiKeyRetiredSecretUsed,
            (Self::Created, PersonalAccessToken(_)) => A::PersonalAccessTokenCreated,
            (Self::Updated, PersonalAccessToken(_)) => A::PersonalAccessTokenUpdated,
            (Self::Disabled, PersonalAccessToken(_)) => A::PersonalAccessTokenDisabled,
            (Self::Enabled, PersonalAccessToken(_)) => A::PersonalAccessTokenEnabled,
            (Self::Approved, PersonalAccessToken(_)) => A::PersonalAccessTokenApproved,
            (Self::Denied, PersonalAccessToken(_)) => A::PersonalAccessTokenDenied,
            (Self::Rolled, PersonalAccessToken(_)) => A::PersonalAccessTokenRolled,
            (Self::OverlapEnded, PersonalAccessToken(_)) => A::PersonalAccessTokenOverlapEnded,
            (Self::Revoked, PersonalAccessToken(_)) => A::PersonalAccessTokenRevoked,
            (Self::Deleted, PersonalAccessToken(_)) => A::PersonalAccessTokenDeleted,
            (Self::RetiredSecretUsed, PersonalAccessToken(_)) => A::PersonalAccessTokenRetiredSecretUsed,
            (Self::Created, ClientSecret(_)) => A::ClientSecretCreated,
            (Self::Updated, ClientSecret(_)) => A::ClientSecretUpdated,
            (Self::Disabled, ClientSecret(_)) => A::ClientSecretDisabled,
            // No policy wants an approval of a client's credentials: what that would do to them is told by these.
            (Self::Enabled | Self::Approved, ClientSecret(_)) => A::ClientSecretEnabled,
            (Self::Rolled, ClientSecret(_)) => A::ClientSecretRolled,
            (Self::OverlapEnded, ClientSecret(_)) => A::ClientSecretOverlapEnded,
            (Self::Revoked | Self::Denied, ClientSecret(_)) => A::ClientSecretRevoked,
            (Self::Deleted, ClientSecret(_)) => A::ClientSecretDeleted,
            (Self::RetiredSecretUsed, ClientSecret(_)) => A::ClientSecretRetiredSecretUsed,
            (Self::Created, PublicKey(_)) => A::PublicKeyCreated,
            // It has no secret to roll.
            (Self::Updated | Self::Rolled | Self::OverlapEnded | Self::RetiredSecretUsed, PublicKey(_)) => {
                A::PublicKeyUpdated
            }
            (Self::Disabled, PublicKey(_)) => A::PublicKeyDisabled,
            (Self::Enabled | Self::Approved, PublicKey(_)) => A::PublicKeyEnabled,
            (Self::Revoked | Self::Denied, PublicKey(_)) => A::PublicKeyRevoked,
            (Self::Deleted, PublicKey(_)) => A::PublicKeyDeleted,
            (Self::Created, Certificate(_)) => A::CertificateCreated,
            (Self::Updated | Self::Rolled | Self::OverlapEnded | Self::RetiredSecretUsed, Certificate(_)) => {
                A::CertificateUpdated
            }
            (Self::Disabled, Certificate(_)) => A::CertificateDisabled,
            (Self::Enabled | Self::Approved, Certificate(_)) => A::CertificateEnabled,
            (Self::Revoked | Self::Denied, Certificate(_)) => A::CertificateRevoked,
            (Self::Deleted, Certificate(_)) => A::CertificateDeleted,
            (Self::Created, Federation(_)) => A::FederationCreated,
            (Self::Updated | Self::Rolled | Self::OverlapEnded | Self::RetiredSecretUsed, Federation(_)) => {
                A::FederationUpdated
            }
            (Self::Disabled, Federation(_)) => A::FederationDisabled,
            (Self::Enabled | Self::Approved, Federation(_)) => A::FederationEnabled,
            (Self::Revoked | Self::Denied, Federation(_)) => A::FederationRevoked,
            (Self::Deleted, Federation(_)) => A::FederationDeleted,
        }
    }
}
