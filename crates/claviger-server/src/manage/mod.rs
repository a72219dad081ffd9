//! The management API: one file per noun, named as in the core and the store.

pub(crate) mod api;
pub(crate) mod api_key;
pub(crate) mod approval;
pub(crate) mod assignment;
pub(crate) mod audit_event;
pub(crate) mod certificate;
pub(crate) mod certificate_authority;
pub(crate) mod claim_code;
pub(crate) mod client_credential;
pub(crate) mod client_secret;
mod credential;
pub(crate) mod federation;
pub(crate) mod fleet;
mod instance_scope;
pub(crate) mod inventory;
pub(crate) mod invitation;
pub(crate) mod look_alike;
pub(crate) mod member;
pub(crate) mod organization;
pub(crate) mod passkey;
pub(crate) mod personal_access_token;
pub(crate) mod policy;
pub(crate) mod portal_session;
pub(crate) mod public_key;
pub(crate) mod rights;
pub(crate) mod role;
pub(crate) mod service_account;
pub(crate) mod session;
pub(crate) mod signing_key;
pub(crate) mod token;
pub(crate) mod usage;
pub(crate) mod user;

pub(crate) use credential::{Authority, World, in_the_clear};
pub(crate) use personal_access_token::{approval_url, issue_own};

use claviger_core::{Reach, Rejection};
use claviger_store::{Tx, View};
use claviger_token::{PrincipalId, RateLimit};

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};
use claviger_token::{Secret, TypedId};

use crate::{
    app::App,
    caller::{Caller, Permitted},
    problem::RequestError,
};

/// Each entry of a list of ids or names is looked up inside the transaction, while others wait for it.
const MOST_ENTRIES: usize = 100;

/// A list without entries is shown as null: there are none.
fn shown(rates: Vec<RateLimit>) -> Option<Vec<RateLimit>> {
    (!rates.is_empty()).then_some(rates)
}

/// Bounds what one request can make a transaction do.
fn must_be_few(pointer: &str, entries: usize) -> Result<(), RequestError> {
    if entries <= MOST_ENTRIES {
        return Ok(());
    }
    Err(Rejection::field(pointer, "too_many", format!("at most {MOST_ENTRIES} entries")).into())
}

/// Whoever administers one organization does not stop or end what administers the instance, or a credential of it.
async fn must_not_reach_further<P: Permitted>(
    caller: &Caller<P>,
    tx: &mut Tx<'_>,
    principal: PrincipalId,
) -> Result<(), RequestError> {
    Authority::of(caller).must_not_reach_further(tx, principal).await
}

/// Whether a principal has something with instance scope, and whoever has this reach has not.
async fn reaches_further(view: &mut View<'_>, reach: Reach, principal: PrincipalId) -> Result<bool, RequestError> {
    Ok(reach != Reach::Instance && !view.held_everywhere(principal).await?.is_empty())
}

/// The address of a page that takes the code of a link. Whoever has it has what it opens, so it is a secret as a whole.
fn link(app: &App, page: &str, code: &Secret) -> Secret {
    Secret::new(format!("{}/{page}?code={}", app.config.public_url, code.expose()))
}

/// The id in the path. One that cannot be an id of this kind is answered as one that is not there.
pub(crate) struct Id<T>(pub T);

impl<T: TypedId + Send> FromRequestParts<App> for Id<T> {
    type Rejection = RequestError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, RequestError> {
        let Path(text) = Path::<String>::from_request_parts(parts, app).await.map_err(|_| RequestError::NotFound)?;
        text.parse().map(Self).map_err(|_| RequestError::NotFound)
    }
}

/// The two ids in the path: what is meant, and where.
pub(crate) struct Ids<A, B>(pub A, pub B);

impl<A: TypedId + Send, B: TypedId + Send> FromRequestParts<App> for Ids<A, B> {
    type Rejection = RequestError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, RequestError> {
        let ids = Path::<(String, String)>::from_request_parts(parts, app).await;
        let Path((one, other)) = ids.map_err(|_| RequestError::NotFound)?;
        let (one, other) = (one.parse().ok(), other.parse().ok());
        one.zip(other).map(|(one, other)| Self(one, other)).ok_or(RequestError::NotFound)
    }
}
