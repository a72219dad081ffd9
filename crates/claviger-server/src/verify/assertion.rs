//! `X-Claviger-Assertion`: what a gateway passes on about a valid credential, signed by the instance, so that an API need not believe
//! whoever stands between.
//!
//! One serves many requests: it says who asks, and nothing of what. The room must not know how a request arrived.

use axum::http::{HeaderValue, StatusCode};
use claviger_core::DeclaredPermission;
use claviger_token::{AssertionClaims, Found, PermissionSet};

use super::{access_token::LONGEST_JWT, credentials::Entry};
use crate::{app::App, problem::RequestError};

/// For how many seconds one is passed on again: it has as many left at least, unless its credential ends.
const AGAIN: i64 = AssertionClaims::LIFE / 2;

/// One that was signed.
pub(super) struct Asserted {
    audience: Box<str>,
    /// The key that signed it.
    kid: Box<str>,
    /// The first second at which another is signed.
    until: i64,
    header: HeaderValue,
}

impl App {
    /// The assertion for the API of this identifier, which the credential is for; `None` if there is no such API any more.
    pub(super) async fn assertion(
        &self,
        entry: &Entry,
        found: &Found,
        audience: &str,
    ) -> Result<Option<HeaderValue>, RequestError> {
        let catalog = self.catalog().await?;
        let Some(api) = catalog.api(audience) else { return Ok(None) };
        let (keys, now) = (self.signing_keys().await?, self.now());
        let signer = keys.signer(api.access_tokens.algorithm, now).ok_or_else(|| {
            unavailable(&format_args!("there is no key that signs with {}", api.access_tokens.algorithm.as_str()))
        })?;
        let mut problem = None;
        let sign = || {
            let declared = names(&api.permissions);
            let (issuer, iat) = (&self.config.public_url, now.as_second());
            let claims = AssertionClaims::of(found, issuer, &api.identifier, &declared, iat);
            let signed = signer.sign(AssertionClaims::TYP, &claims).map_err(|error| unavailable(&error));
            let header = signed.and_then(|jwt| match jwt.len() <= LONGEST_JWT {
                true => HeaderValue::try_from(jwt).map_err(|error| unavailable(&error)),
                false => Err(too_long()),
            });
            let until = claims.exp.min(iat + AGAIN);
            let (audience, kid) = (api.identifier.as_str().into(), signer.kid().into());
            match header {
                Ok(header) => Some(Asserted { audience, kid, until, header }),
                Err(error) => {
                    problem = Some(error);
                    None
                }
            }
        };
        let holds = |asserted: &Asserted| {
            now.as_second() < asserted.until && *asserted.audience == *api.identifier && *asserted.kid == *signer.kid()
        };
        let asserted = entry.assertion.answer(&self.credentials.assertions, holds, sign);
        match (asserted, problem) {
            (Some(asserted), _) => Ok(Some(asserted.header.clone())),
            (None, Some(error)) => Err(error),
            (None, None) => Ok(None),
        }
    }
}

fn names(declared: &[DeclaredPermission]) -> PermissionSet {
    declared.iter().map(|permission| permission.name.clone()).collect()
}

/// An API that wants assertions gets no request without one.
fn too_long() -> RequestError {
    let detail = format!(
        "the assertion would be of more than {LONGEST_JWT} bytes: use a credential of fewer permissions and objects"
    );
    RequestError::unreadable(StatusCode::FORBIDDEN, "assertion_too_long", detail)
}

fn unavailable(cause: &dyn std::fmt::Display) -> RequestError {
    tracing::error!(%cause, "an assertion could not be signed");
    RequestError::unreadable(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "this cannot be signed right now")
}
