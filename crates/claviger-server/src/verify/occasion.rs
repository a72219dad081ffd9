//! What is told of a use of a credential beside what was asked and decided: for metrics and the access log. Nothing here
//! may change a verdict.

use claviger_token::{CredentialId, Found};

/// Where a use was asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Surface {
    Verify,
    ForwardAuth,
    Mqtt,
    Management,
    OAuth,
}

/// What was presented. The facts of what proves a client are those of the tokens that come of it, and it is none of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CountedAs {
    ApiKey,
    PersonalAccessToken,
    AccessToken,
    ClientSecret,
    PublicKey,
    Certificate,
    Federation,
}

/// The request that a credential was used for, as far as whoever asks tells.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Occasion<'a> {
    /// Where that was asked.
    pub(crate) surface: Surface,
    /// Its method.
    pub(crate) method: Option<&'a str>,
    /// Its path, perhaps with a query string, which is nobody's to keep; of a broker's client the topic.
    pub(crate) path: Option<&'a str>,
    /// Its id.
    pub(crate) request_id: Option<&'a str>,
}

impl CountedAs {
    /// All of them.
    pub(crate) const ALL: [Self; 7] = [
        Self::ApiKey,
        Self::PersonalAccessToken,
        Self::AccessToken,
        Self::ClientSecret,
        Self::PublicKey,
        Self::Certificate,
        Self::Federation,
    ];

    /// A token is none of the credential that it was made from.
    pub(crate) fn of(found: &Found) -> Self {
        match found.credential.id {
            _ if found.token.is_some() => Self::AccessToken,
            CredentialId::ApiKey(_) => Self::ApiKey,
            CredentialId::PersonalAccessToken(_) => Self::PersonalAccessToken,
            CredentialId::ClientSecret(_) => Self::ClientSecret,
            CredentialId::PublicKey(_) => Self::PublicKey,
            CredentialId::Certificate(_) => Self::Certificate,
            CredentialId::Federation(_) => Self::Federation,
        }
    }

    /// Whether it is judged there at all: what proves a client is good for nothing but that.
    pub(crate) fn is_judged_at(self, surface: Surface) -> bool {
        surface == Surface::OAuth
            || !matches!(self, Self::ClientSecret | Self::PublicKey | Self::Certificate | Self::Federation)
    }

    /// The word in metrics and in the access log.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::ApiKey => "api_key",
            Self::PersonalAccessToken => "personal_access_token",
            Self::AccessToken => "access_token",
            Self::ClientSecret => "client_secret",
            Self::PublicKey => "public_key",
            Self::Certificate => "certificate",
            Self::Federation => "federation",
        }
    }
}

impl Surface {
    /// All of them.
    pub(crate) const ALL: [Self; 5] = [Self::Verify, Self::ForwardAuth, Self::Mqtt, Self::Management, Self::OAuth];

    /// The word in metrics and in the access log.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::ForwardAuth => "forward_auth",
            Self::Mqtt => "mqtt",
            Self::Management => "management",
            Self::OAuth => "oauth",
        }
    }
}
