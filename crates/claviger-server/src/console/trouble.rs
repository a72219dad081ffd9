//! What went wrong, as a page. The page itself is made in `page.rs`, where the language is known.

use std::time::Duration;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use claviger_core::Rejection;
use claviger_store::StoreError;

use crate::{app::App, metrics::Guarded, origin, passwords::Busy, problem::RequestError};

/// Why there is no page, or not the one that was asked for.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// Nobody is signed in; afterwards, they go on to `next`.
    NotSignedIn {
        /// A path of ours.
        next: String,
    },
    /// Somebody is, but must prove it again.
    NotFresh {
        /// A path of ours.
        next: String,
    },
    /// The form is not one of ours, or of another session.
    Form,
    /// The form cannot be read.
    Unreadable(StatusCode),
    /// A link that is used, too old, or not one of ours.
    Link,
    /// Nobody is at the portal, or not any more.
    Portal,
    /// Somebody is, but opened it too long ago for what lasts.
    OldPortal,
    /// No such page, or not for whoever asks.
    Absent,
    /// No page: forms are sent there.
    OtherMethod,
    /// It is not theirs to do.
    Withheld,
    /// It went wrong with an outside provider.
    Provider(ProviderTrouble),
    /// Too many tries.
    Throttled(Duration),
    /// Too much to do.
    Busy,
    /// Storage does not answer.
    Store(StoreError),
}

/// What went wrong with an outside provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProviderTrouble {
    /// It does not answer, or not what was asked.
    Unavailable,
    /// What came back is not of a sign-in that this browser began, or too late.
    NotOurs,
    /// It let nobody in.
    Denied,
    /// It has not checked the address.
    Unverified,
    /// Nobody here, or nobody who may come in.
    Unknown,
    /// Not the person who is signed in, or not asked now.
    NotProven,
}

/// Which page tells about it; travels from the handler to the frame.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Words(pub(crate) &'static str);

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Busy> for Trouble {
    fn from(_: Busy) -> Self {
        Self::Busy
    }
}

impl From<RequestError> for Trouble {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::NotFound => Self::Absent,
            RequestError::Unreadable { status, .. } => Self::Unreadable(status),
            RequestError::Store(error) => Self::Store(error),
            RequestError::Rejected(_)
            | RequestError::Unauthenticated(_)
            | RequestError::Unproved(_)
            | RequestError::Forbidden { .. }
            | RequestError::Throttled { .. } => Self::Form,
        }
    }
}

impl From<Rejection> for Trouble {
    /// What a page lets somebody do is allowed; if not, things changed since the page was made.
    fn from(_: Rejection) -> Self {
        Self::Form
    }
}

impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        let told = |status: StatusCode, words: Words| {
            let mut response = status.into_response();
            response.extensions_mut().insert(words);
            response
        };
        let later = |mut response: Response, seconds: u64| {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            response
        };
        match self {
            Self::NotSignedIn { next } => go("/sign-in", &next),
            Self::NotFresh { next } => go("/sign-in/again", &next),
            Self::Form => told(StatusCode::FORBIDDEN, Words("trouble-form")),
            Self::Unreadable(status) => told(status, Words("trouble-unreadable")),
            Self::Link => told(StatusCode::GONE, Words("trouble-link")),
            Self::Portal => told(StatusCode::GONE, Words("trouble-portal")),
            Self::OldPortal => told(StatusCode::FORBIDDEN, Words("portal-too-old")),
            Self::Withheld => told(StatusCode::FORBIDDEN, Words("trouble-withheld")),
            Self::Absent => told(StatusCode::NOT_FOUND, Words("trouble-absent")),
            Self::OtherMethod => told(StatusCode::METHOD_NOT_ALLOWED, Words("trouble-method")),
            Self::Provider(what) => {
                let (status, words) = match what {
                    ProviderTrouble::Unavailable => (StatusCode::BAD_GATEWAY, "trouble-provider"),
                    ProviderTrouble::NotOurs => (StatusCode::BAD_REQUEST, "trouble-provider-not-ours"),
                    ProviderTrouble::Denied => (StatusCode::FORBIDDEN, "trouble-provider-denied"),
                    ProviderTrouble::Unverified => (StatusCode::FORBIDDEN, "trouble-provider-unverified"),
                    ProviderTrouble::Unknown => (StatusCode::FORBIDDEN, "trouble-provider-unknown"),
                    ProviderTrouble::NotProven => (StatusCode::FORBIDDEN, "trouble-provider-not-proven"),
                };
                told(status, Words(words))
            }
            Self::Throttled(wait) => {
                let seconds = wait.as_secs() + 1;
                later(told(StatusCode::TOO_MANY_REQUESTS, Words("trouble-throttled")), seconds)
            }
            Self::Busy => later(told(StatusCode::SERVICE_UNAVAILABLE, Words("trouble-busy")), 1),
            Self::Store(error) => {
                // Logged once, where every failure of storage is.
                let response = RequestError::from(error).into_response();
                later(told(response.status(), Words("trouble-busy")), 1)
            }
        }
    }
}

impl App {
    /// Too many tries, which is counted.
    pub(super) fn throttled(&self, at: Guarded, wait: Duration) -> Trouble {
        self.metrics.throttled(at);
        Trouble::Throttled(wait)
    }
}

/// To a page that sends back to `next`. Paths are relative to the pages' own: the frame puts the instance's before them.
fn go(path: &str, next: &str) -> Response {
    let next = origin::local(next).unwrap_or_else(|| "/".to_owned());
    let query: String = url::form_urlencoded::Serializer::new(String::new()).append_pair("next", &next).finish();
    Redirect::to(&format!("{path}?{query}")).into_response()
}
