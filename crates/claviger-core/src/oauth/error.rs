//! What an OAuth endpoint answers when it refuses (RFC 6749, section 5.2).

use std::fmt;

/// A refusal at an OAuth endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{description}")]
pub struct OAuthError {
    /// What a program reads.
    pub code: OAuthErrorCode,
    /// What a person reads: what is wrong, and what would be right. It holds no character that the RFC does not allow.
    description: String,
}

/// The codes of the refusals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OAuthErrorCode {
    /// Something is missing, repeated or cannot be read.
    InvalidRequest,
    /// Nobody that is known, or not proved.
    InvalidClient,
    /// What was presented to get a token does not count.
    InvalidGrant,
    /// The client may not use this grant.
    UnauthorizedClient,
    /// There is no such grant here.
    UnsupportedGrantType,
    /// Unknown, malformed or more than there is.
    InvalidScope,
    /// No such API (RFC 8707, section 2).
    InvalidTarget,
    /// What is to be revoked is of a kind that is not revoked there (RFC 7009, section 2.2.1).
    UnsupportedTokenType,
    /// Details of a type that there is not (RFC 9396, section 5).
    InvalidAuthorizationDetails,
    /// The proof of a key does not hold, or is missing (RFC 9449, section 5).
    InvalidDpopProof,
    /// The proof must have a nonce (RFC 9449, section 8).
    UseDpopNonce,
    /// Nobody has decided yet (RFC 8628, section 3.5).
    AuthorizationPending,
    /// The same, and the device asked too soon.
    SlowDown,
    /// Nobody decided in time.
    ExpiredToken,
    /// What a client says of itself is wrong, or more than it may be (RFC 7591, section 3.2.2).
    InvalidClientMetadata,
    /// An address to come back to, which has no use here (RFC 7591, section 3.2.2).
    InvalidRedirectUri,
    /// What somebody else says of a client does not count (RFC 7591, section 3.2.2).
    InvalidSoftwareStatement,
    /// Somebody said no, or whoever asks may and all the same it is not done for them.
    AccessDenied,
    /// Not now.
    TemporarilyUnavailable,
}

impl OAuthErrorCode {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::UnsupportedTokenType => "unsupported_token_type",
            Self::InvalidAuthorizationDetails => "invalid_authorization_details",
            Self::InvalidDpopProof => "invalid_dpop_proof",
            Self::UseDpopNonce => "use_dpop_nonce",
            Self::AuthorizationPending => "authorization_pending",
            Self::SlowDown => "slow_down",
            Self::ExpiredToken => "expired_token",
            Self::InvalidClientMetadata => "invalid_client_metadata",
            Self::InvalidRedirectUri => "invalid_redirect_uri",
            Self::InvalidSoftwareStatement => "invalid_software_statement",
            Self::AccessDenied => "access_denied",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
        }
    }
}

impl fmt::Display for OAuthErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The longest description: what a client sent may stand in it.
const MOST: usize = 400;

impl OAuthError {
    /// With a description, of which only what RFC 6749 allows is kept: ASCII without control characters, `"` and `\`.
    pub fn new(code: OAuthErrorCode, description: impl AsRef<str>) -> Self {
        let allowed = |character: char| match character {
            '"' => '\'',
            ' '..='~' if character != '\\' => character,
            _ => '?',
        };
        Self { code, description: description.as_ref().chars().take(MOST).map(allowed).collect() }
    }

    /// The one answer to whoever is not known, is stopped, or proves nothing: it does not tell which.
    pub fn invalid_client() -> Self {
        let description = "no such client, or it did not prove who it is by a way that it may use";
        Self::new(OAuthErrorCode::InvalidClient, description)
    }

    /// The same of whoever does not even try.
    pub fn no_client() -> Self {
        let description = "the request shows no credentials of a client: send client_id and client_secret by HTTP Basic or in the \
                           body, or a client_assertion";
        Self::new(OAuthErrorCode::InvalidClient, description)
    }

    /// Something is wrong with the request itself.
    pub fn invalid_request(description: impl AsRef<str>) -> Self {
        Self::new(OAuthErrorCode::InvalidRequest, description)
    }

    /// A parameter must be there.
    pub fn missing(parameter: &str) -> Self {
        Self::invalid_request(format!("{parameter} is missing"))
    }

    /// What a person reads.
    pub fn description(&self) -> &str {
        &self.description
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t14_a_description_holds_only_what_is_allowed() {
        let error = OAuthError::invalid_request("scope \"a\\b\"\r\nSet-Cookie: x=\u{e9}\u{202e}\0");
        assert_eq!(error.description(), "scope 'a?b'??Set-Cookie: x=???");
        let allowed = |byte: u8| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        for character in (0..=0x2ff_u32).filter_map(char::from_u32) {
            assert!(OAuthError::missing(&character.to_string()).description().bytes().all(allowed));
        }
        assert_eq!(OAuthError::missing(&"x".repeat(10_000)).description().len(), MOST);
    }
}
