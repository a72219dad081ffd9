//! What stands in a page's address behind the question mark. What cannot be read is told by a page of ours.

use axum::{
    extract::{FromRequestParts, Query as Asked},
    http::{StatusCode, request::Parts},
};
use serde::de::DeserializeOwned;

use super::trouble::Trouble;
use crate::app::App;

/// The fields, as the page takes them; others are left alone.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<App> for Query<T> {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Trouble> {
        match Asked::from_request_parts(parts, app).await {
            Ok(Asked(fields)) => Ok(Self(fields)),
            // A field that is there twice, for instance.
            Err(_) => Err(Trouble::Unreadable(StatusCode::BAD_REQUEST)),
        }
    }
}
