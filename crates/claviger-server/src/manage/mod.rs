//! The management API: one file per noun, named as in the core and the store.

pub(crate) mod api;
pub(crate) mod api_key;
pub(crate) mod assignment;
pub(crate) mod audit_event;
pub(crate) mod organization;
pub(crate) mod role;
pub(crate) mod service_account;
pub(crate) mod token;

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};
use claviger_token::TypedId;

use crate::{app::App, problem::RequestError};

/// The id in the path. One that cannot be an id of this kind is answered as one that is not there.
pub(crate) struct Id<T>(pub T);

impl<T: TypedId + Send> FromRequestParts<App> for Id<T> {
    type Rejection = RequestError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, RequestError> {
        let Path(text) = Path::<String>::from_request_parts(parts, app).await.map_err(|_| RequestError::NotFound)?;
        text.parse().map(Self).map_err(|_| RequestError::NotFound)
    }
}
