//! Errors as RFC 9457 problem documents. The one place that turns an error into a response.

use std::error::Error;

use axum::{
    Json,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use claviger_core::{FieldError, Rejection};
use claviger_store::StoreError;
use claviger_token::Refusal;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    absent::Absent,
    log::redacted,
    passwords::Busy,
    proof::{ProofTold, bare_challenge},
};

/// An error, as `application/problem+json` (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// HTTP status.
    #[schema(example = 422)]
    pub status: u16,
    /// Stable code to program against.
    #[schema(value_type = String, example = "invalid_request")]
    pub code: &'static str,
    /// The status in words.
    #[schema(value_type = String)]
    pub title: &'static str,
    /// What is wrong this time, and the next step.
    pub detail: String,
    /// For 422: everything that is wrong with the body.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// For 403: the permission that would allow it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permission: Option<String>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        let title = status.canonical_reason().unwrap_or("Error");
        Self { status: status.as_u16(), code, title, detail: detail.into(), errors: Vec::new(), permission: None }
    }
}

impl IntoResponse for Problem {
    fn into_response(mut self) -> Response {
        // What callers sent comes back in errors; a credential that stood in the wrong place does not.
        self.detail = redacted(&self.detail).into_owned();
        for error in &mut self.errors {
            error.pointer = redacted(&error.pointer).into_owned();
            error.message = redacted(&error.message).into_owned();
        }
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

/// Why a request was not done. The message is public; what caused it stays in `source()`.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RequestError {
    /// The path names nothing that the caller can see.
    #[error("there is no such thing, or not for you")]
    NotFound,
    /// The domain says no.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The request is not one that can be read.
    #[error("{detail}")]
    Unreadable {
        /// 400, 413, 415, …
        status: StatusCode,
        /// Stable code.
        code: &'static str,
        /// What is wrong, and what would be right.
        detail: String,
    },
    /// No credential, or none that counts here (RFC 6750).
    #[error("{}", .0.map_or("this needs a credential: Authorization: Bearer …", Refusal::message))]
    Unauthenticated(Option<Refusal>),
    /// A credential that was shown with a proof, or should have been, does not count here (RFC 9449, section 7.1).
    #[error("{}", .0.message)]
    Unproved(ProofTold),
    /// The credential counts, but not for this (RFC 6750 `insufficient_scope`).
    #[error("{message}")]
    Forbidden {
        /// Stable code.
        code: &'static str,
        /// What would allow it.
        permission: Option<&'static str>,
        /// For a person.
        message: String,
    },
    /// The credential counts, but was used too often.
    #[error("{}", refusal.message())]
    Throttled {
        /// Which limit is reached.
        refusal: Refusal,
        /// How HTTP tells about it.
        headers: HeaderMap,
    },
    /// Storage does not answer.
    #[error("storage is unavailable; nothing was changed, or it is not known; try again")]
    Store(#[source] StoreError),
}

impl From<StoreError> for RequestError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Taken("idempotency_key") => Self::Rejected(Rejection::Conflict {
                code: "in_progress",
                message: "the same request is being done right now; repeat it, with the same key, in a moment"
                    .to_owned(),
            }),
            StoreError::Taken(what) => Self::Rejected(Rejection::Conflict {
                code: "taken",
                message: format!("another has this {what} already; choose another"),
            }),
            other @ (StoreError::Unavailable(_)
            | StoreError::TooSlow
            | StoreError::Damaged(_)
            | StoreError::NewerSchema(_)
            | StoreError::Migration(_)) => Self::Store(other),
        }
    }
}

impl From<Busy> for RequestError {
    fn from(_: Busy) -> Self {
        let detail = "many passwords are being hashed right now; try again in a moment";
        Self::unreadable(StatusCode::SERVICE_UNAVAILABLE, "busy", detail)
    }
}

impl RequestError {
    pub(crate) fn unreadable(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self::Unreadable { status, code, detail: detail.into() }
    }
}

impl IntoResponse for RequestError {
    fn into_response(self) -> Response {
        let detail = self.to_string();
        match self {
            Self::NotFound => {
                let mut response = Problem::new(StatusCode::NOT_FOUND, "not_found", detail).into_response();
                response.extensions_mut().insert(Absent);
                response
            }
            Self::Rejected(Rejection::Invalid(errors)) => {
                let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_request", detail);
                Problem { errors, ..problem }.into_response()
            }
            Self::Rejected(Rejection::Forbidden { permission, .. }) => {
                let problem = Problem::new(StatusCode::FORBIDDEN, "permission_missing", detail);
                Problem { permission: Some(permission), ..problem }.into_response()
            }
            Self::Rejected(Rejection::Withheld { code, permission, .. }) => {
                let problem = Problem::new(StatusCode::FORBIDDEN, code, detail);
                Problem { permission: Some(permission.to_owned()), ..problem }.into_response()
            }
            Self::Rejected(Rejection::Conflict { code, .. }) => {
                Problem::new(StatusCode::CONFLICT, code, detail).into_response()
            }
            Self::Unreadable { status, code, .. } => {
                let mut response = Problem::new(status, code, detail).into_response();
                if status == StatusCode::SERVICE_UNAVAILABLE {
                    response.headers_mut().insert(header::RETRY_AFTER, SOON);
                }
                response
            }
            Self::Unauthenticated(refusal) => unauthenticated(refusal, detail),
            Self::Unproved(told) => {
                let mut response = Problem::new(StatusCode::UNAUTHORIZED, told.error, detail).into_response();
                challenge(&mut response, &told.challenge());
                told.write_nonce(response.headers_mut());
                response
            }
            Self::Throttled { refusal, headers } => {
                let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, refusal.code(), detail);
                let mut response = problem.into_response();
                response.headers_mut().extend(headers);
                response
            }
            Self::Forbidden { code, permission, .. } => {
                let problem = Problem::new(StatusCode::FORBIDDEN, code, detail);
                let mut response = Problem { permission: permission.map(str::to_owned), ..problem }.into_response();
                let scope = permission.map(|permission| format!(", scope=\"{permission}\"")).unwrap_or_default();
                challenge(&mut response, &format!("Bearer realm=\"claviger\", error=\"insufficient_scope\"{scope}"));
                response
            }
            Self::Store(cause) => {
                tracing::error!(error = &cause as &dyn Error, "storage failed");
                let mut response = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail).into_response();
                response.headers_mut().insert(header::RETRY_AFTER, SOON);
                response
            }
        }
    }
}

/// When to try again after an outage, in seconds.
pub(crate) const SOON: HeaderValue = HeaderValue::from_static("1");

/// RFC 6750, section 3: no `error` when nothing was presented. A malformed token looks like an unknown one. Each scheme has a
/// line of its own (RFC 9449, section 7.2).
fn unauthenticated(refusal: Option<Refusal>, detail: String) -> Response {
    let (code, detail, says) = match refusal {
        None => ("unauthenticated", detail, "Bearer realm=\"claviger\"".to_owned()),
        Some(refusal) => {
            let shown = if refusal == Refusal::Malformed { Refusal::Unknown } else { refusal };
            let says = "Bearer realm=\"claviger\", error=\"invalid_token\"".to_owned();
            ("invalid_token", shown.message().to_owned(), says)
        }
    };
    let mut response = Problem::new(StatusCode::UNAUTHORIZED, code, detail).into_response();
    challenge(&mut response, &says);
    challenge(&mut response, &bare_challenge());
    response
}

fn challenge(response: &mut Response, says: &str) {
    if let Ok(value) = HeaderValue::from_str(says) {
        response.headers_mut().append(header::WWW_AUTHENTICATE, value);
    }
}
