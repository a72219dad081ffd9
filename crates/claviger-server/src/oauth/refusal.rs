//! What OAuth's endpoints answer when they refuse, as JSON of RFC 6749, section 5.2. Nothing of it is kept by anybody.

use std::{error::Error, time::Duration};

use axum::{
    Json,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use claviger_core::oauth::{OAuthError, OAuthErrorCode};
use claviger_store::StoreError;
use claviger_token::{DpopError, Refusal};
use serde::Serialize;
use utoipa::ToSchema;

use super::signing_keys::SignError;
use crate::{
    log::redacted,
    problem::{RequestError, SOON},
    proof::write_nonce,
};

/// A refusal (RFC 6749, section 5.2).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OAuthError)]
pub(crate) struct RefusalView {
    /// Stable code to program against.
    #[schema(value_type = String, example = "invalid_client")]
    error: &'static str,
    /// What is wrong, and the next step.
    error_description: String,
}

/// Why a request to an OAuth endpoint was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotDone {
    /// The rules say no.
    #[error(transparent)]
    Refused(#[from] OAuthError),
    /// The body is no form that can be read.
    #[error("{}", .0)]
    Unreadable(RequestError),
    /// The proof must have a nonce (RFC 9449, section 8).
    #[error("{}", DpopError::Nonce)]
    WantsNonce {
        /// Which.
        nonce: String,
    },
    /// Too much of it.
    #[error("too often; try again later")]
    Throttled {
        /// How HTTP tells about it.
        headers: HeaderMap,
    },
    /// Not, or no longer, somebody who may ask: told as everywhere else.
    #[error("no credential that counts here")]
    Nobody,
    /// Storage, or the key that signs, is not there.
    #[error("this cannot be done right now; nothing was changed, try again")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
}

impl NotDone {
    /// Too often, and not before this has passed.
    pub(crate) fn throttled(wait: Duration) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs() + 1));
        Self::Throttled { headers }
    }
}

impl From<StoreError> for NotDone {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.into())
    }
}

impl From<SignError> for NotDone {
    fn from(error: SignError) -> Self {
        Self::Unavailable(error.into())
    }
}

/// Nobody keeps an answer that is for one caller (RFC 6749, section 5.1).
pub(crate) const NOT_KEPT: [(HeaderName, &str); 2] =
    [(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")];

impl IntoResponse for NotDone {
    fn into_response(self) -> Response {
        let (status, code, description) = match &self {
            Self::Refused(error) => {
                let status = match error.code {
                    OAuthErrorCode::InvalidClient => StatusCode::UNAUTHORIZED,
                    OAuthErrorCode::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
                    OAuthErrorCode::InvalidRequest
                    | OAuthErrorCode::InvalidGrant
                    | OAuthErrorCode::UnauthorizedClient
                    | OAuthErrorCode::UnsupportedGrantType
                    | OAuthErrorCode::InvalidScope
                    | OAuthErrorCode::InvalidTarget
                    | OAuthErrorCode::UnsupportedTokenType
                    | OAuthErrorCode::InvalidDpopProof
                    | OAuthErrorCode::UseDpopNonce
                    | OAuthErrorCode::AuthorizationPending
                    | OAuthErrorCode::SlowDown
                    | OAuthErrorCode::ExpiredToken
                    | OAuthErrorCode::AccessDenied
                    | OAuthErrorCode::InvalidAuthorizationDetails
                    | OAuthErrorCode::InvalidClientMetadata
                    | OAuthErrorCode::InvalidRedirectUri
                    | OAuthErrorCode::InvalidSoftwareStatement => StatusCode::BAD_REQUEST,
                };
                (status, error.code, error.description().to_owned())
            }
            Self::Unreadable(error) => {
                // RFC 6749 knows no 415.
                let status = if let RequestError::Unreadable { status, .. } = error
                    && *status != StatusCode::UNSUPPORTED_MEDIA_TYPE
                {
                    *status
                } else {
                    StatusCode::BAD_REQUEST
                };
                let outage = status == StatusCode::SERVICE_UNAVAILABLE;
                let code = if outage { OAuthErrorCode::TemporarilyUnavailable } else { OAuthErrorCode::InvalidRequest };
                (status, code, error.to_string())
            }
            Self::WantsNonce { .. } => (StatusCode::BAD_REQUEST, OAuthErrorCode::UseDpopNonce, self.to_string()),
            Self::Nobody => return RequestError::Unauthenticated(Some(Refusal::Unknown)).into_response(),
            Self::Throttled { .. } => {
                (StatusCode::TOO_MANY_REQUESTS, OAuthErrorCode::TemporarilyUnavailable, self.to_string())
            }
            Self::Unavailable(cause) => {
                tracing::error!(error = &**cause as &dyn Error, "an OAuth request could not be done");
                (StatusCode::SERVICE_UNAVAILABLE, OAuthErrorCode::TemporarilyUnavailable, self.to_string())
            }
        };
        // Once more through the rule for descriptions, for what others wrote may stand in it, and a credential may not.
        let error_description = OAuthError::new(code, redacted(&description)).description().to_owned();
        let view = RefusalView { error: code.as_str(), error_description };
        let mut response = (status, NOT_KEPT, Json(view)).into_response();
        let headers = response.headers_mut();
        if code == OAuthErrorCode::InvalidClient {
            let challenge = HeaderValue::from_static("Basic realm=\"claviger\", charset=\"UTF-8\"");
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        match self {
            Self::WantsNonce { nonce } => write_nonce(&nonce, headers),
            Self::Throttled { headers: told } => headers.extend(told),
            Self::Unavailable(_) => {
                headers.insert(header::RETRY_AFTER, SOON);
            }
            Self::Unreadable(_) if status == StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, SOON);
            }
            Self::Refused(_) if status == StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, SOON);
            }
            Self::Refused(_) | Self::Unreadable(_) | Self::Nobody => {}
        }
        response
    }
}
