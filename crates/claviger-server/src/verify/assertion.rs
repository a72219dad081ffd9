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

/// For how many APIs those of one credential are kept.
const MOST: usize = 4;

/// Those of one credential that were signed last, each for another API, the newest last. Together they are no longer than one may be.
pub(super) struct Signed(Vec<Asserted>);

/// One that was signed.
#[derive(Clone)]
struct Asserted {
    audience: Box<str>,
    /// The key that signed it.
    kid: Box<str>,
    /// The first second at which another is signed.
    until: i64,
    header: HeaderValue,
}

impl Signed {
    fn with(before: Option<&Self>, new: Asserted, now: i64) -> Self {
        let others = before.into_iter().flat_map(|before| &before.0);
        let count = |one: &&Asserted| now < one.until && one.audience != new.audience;
        let mut all: Vec<Asserted> = others.filter(count).cloned().collect();
        all.push(new);
        let length = |all: &[Asserted]| all.iter().map(|one| one.header.len()).sum::<usize>();
        while all.len() > MOST || (all.len() > 1 && length(&all) > LONGEST_JWT) {
            all.remove(0);
        }
        Self(all)
    }
}

impl App {
    /// The assertion for the API of this identifier, which the credential is for; `None` if there is no such API any more.
    pub(super) async fn assertion(
        &self,
        entry: &Entry,
        found: &Found,
        audience: &str,
    ) -> Result<Option<HeaderValue>, RequestError> {
        let catalog = self.last_known_catalog().await?;
        let Some(api) = catalog.api(audience) else { return Ok(None) };
        let (keys, now) = (self.proving_keys().await?, self.now());
        let signer = keys.signer(api.access_tokens.algorithm, now).ok_or_else(|| {
            unavailable(&format_args!("there is no key that signs with {}", api.access_tokens.algorithm.as_str()))
        })?;
        let mut problem = None;
        let sign = |before: Option<&Signed>| {
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
                Ok(header) => Some(Signed::with(before, Asserted { audience, kid, until, header }, iat)),
                Err(error) => {
                    problem = Some(error);
                    None
                }
            }
        };
        let holds = |asserted: &Asserted| {
            now.as_second() < asserted.until && *asserted.audience == *api.identifier && *asserted.kid == *signer.kid()
        };
        let find = |signed: &Signed| signed.0.iter().find(|one| holds(one)).map(|one| one.header.clone());
        let signed = entry.assertion.answer(&self.credentials.assertions, |signed| find(signed).is_some(), sign);
        match (signed, problem) {
            // What was just signed stands last.
            (Some(signed), _) => Ok(find(&signed).or_else(|| signed.0.last().map(|one| one.header.clone()))),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn asserted(audience: &str, until: i64, length: usize) -> Asserted {
        let header = HeaderValue::try_from("x".repeat(length)).unwrap();
        Asserted { audience: audience.into(), kid: "k".into(), until, header }
    }

    #[test]
    fn an_assertion_pushes_out_none_for_another_api_unless_there_are_too_many() {
        let check = |made: &[(&str, i64, usize)], expected: &str| {
            let signed = made.iter().fold(None, |before: Option<Signed>, (audience, until, length)| {
                Some(Signed::with(before.as_ref(), asserted(audience, *until, *length), 10))
            });
            let left: Vec<&str> = signed.iter().flat_map(|signed| &signed.0).map(|one| &*one.audience).collect();
            assert_eq!(left.join(" "), expected, "{made:?}");
        };
        check(&[("a", 20, 500), ("b", 20, 500)], "a b");
        check(&[("a", 20, 500), ("b", 20, 500), ("a", 20, 500)], "b a");
        check(&[("a", 10, 500), ("b", 20, 500)], "b");
        check(&[("a", 20, 500), ("b", 20, 500), ("c", 20, 500), ("d", 20, 500), ("e", 20, 500)], "b c d e");
        check(&[("a", 20, LONGEST_JWT - 500), ("b", 20, 500)], "a b");
        check(&[("a", 20, 500), ("b", 20, LONGEST_JWT)], "b");
    }
}
