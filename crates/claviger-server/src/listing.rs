//! Lists: `limit`, `cursor`, filters, and the page that answers them.

use std::{fmt::Display, str::FromStr};

use axum::{
    extract::{FromRequestParts, Query},
    http::{StatusCode, request::Parts},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use claviger_store::Page;
use serde::{Serialize, de::DeserializeOwned};
use utoipa::ToSchema;

use crate::{
    app::App,
    body::{TIME, no_time},
    problem::RequestError,
};

const DEFAULT_LIMIT: u32 = 50;
const MAX_LIMIT: u32 = 200;
const MAX_QUERY: usize = 2048;

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct List<T> {
    /// The things, newest first.
    pub items: Vec<T>,
    /// Ask for the next page with `?cursor=`; null on the last one.
    pub next_cursor: Option<String>,
}

/// What every list's query has besides its filters.
pub(crate) trait ListQuery: DeserializeOwned + Send {
    /// How many at most.
    fn limit(&self) -> Option<u32>;
    /// Where the page before ended.
    fn cursor(&self) -> Option<&str>;
}

macro_rules! list_query {
    ($name:ident) => {
        impl crate::listing::ListQuery for $name {
            fn limit(&self) -> Option<u32> {
                self.limit
            }

            fn cursor(&self) -> Option<&str> {
                self.cursor.as_deref()
            }
        }
    };
}
pub(crate) use list_query;

/// A query of members that are known.
pub(crate) struct Asked<Q>(pub Q);

impl<Q: DeserializeOwned> FromRequestParts<App> for Asked<Q> {
    type Rejection = RequestError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, RequestError> {
        if parts.uri.query().is_some_and(|query| query.len() > MAX_QUERY) {
            let detail = format!("a query is at most {MAX_QUERY} bytes");
            return Err(RequestError::unreadable(StatusCode::BAD_REQUEST, "invalid_query", detail));
        }
        let asked = Query::<Q>::from_request_parts(parts, app).await.map_err(|rejection| {
            let said = rejection.body_text();
            let pairs = parts.uri.query().unwrap_or_default();
            let mut wrong = url::form_urlencoded::parse(pairs.as_bytes())
                .filter(|(_, value)| no_time(value).is_some_and(|error| said.ends_with(&error)));
            let detail = match wrong.next() {
                Some((name, _)) => format!("{name}: {TIME}"),
                None => said,
            };
            let detail = detail.chars().filter(|character| !character.is_control()).take(300).collect::<String>();
            RequestError::unreadable(StatusCode::BAD_REQUEST, "invalid_query", detail)
        })?;
        Ok(Self(asked.0))
    }
}

/// A list's query, with its filters and its place.
pub(crate) struct Listing<Q> {
    pub filters: Q,
    limit: u32,
    /// What a cursor belongs to: this path with these filters.
    shape: [u8; 4],
}

impl<Q: ListQuery> FromRequestParts<App> for Listing<Q> {
    type Rejection = RequestError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, RequestError> {
        let Asked(filters) = Asked::<Q>::from_request_parts(parts, app).await?;
        let limit = filters.limit().unwrap_or(DEFAULT_LIMIT);
        if limit == 0 || limit > MAX_LIMIT {
            let detail = format!("limit is 1 to {MAX_LIMIT}");
            return Err(RequestError::unreadable(StatusCode::BAD_REQUEST, "invalid_limit", detail));
        }
        let shape = shape(app, parts.uri.path(), parts.uri.query().unwrap_or_default());
        Ok(Self { filters, limit, shape })
    }
}

fn shape(app: &App, path: &str, query: &str) -> [u8; 4] {
    let mut filters: Vec<&str> =
        query.split('&').filter(|pair| !pair.starts_with("cursor=") && !pair.starts_with("limit=")).collect();
    filters.sort_unstable();
    let hash = app.peppers.keyed_hash("cursor", &[path.as_bytes(), filters.join("&").as_bytes()]);
    [hash[0], hash[1], hash[2], hash[3]]
}

impl<Q: ListQuery> Listing<Q> {
    /// The page to read: one more than is shown, to know whether there is a next one.
    pub(crate) fn page<Id: FromStr>(&self) -> Result<Page<Id>, RequestError> {
        let after = self.filters.cursor().map(|cursor| self.open(cursor)).transpose()?;
        Ok(Page { after, limit: self.limit + 1 })
    }

    /// The list to answer with.
    pub(crate) fn list<T, Id: Display, V>(
        &self,
        rows: Vec<T>,
        id: impl Fn(&T) -> Id,
        view: impl Fn(T) -> V,
    ) -> List<V> {
        let (rows, next_cursor) = self.cut(rows, id);
        List { items: rows.into_iter().map(view).collect(), next_cursor }
    }

    /// What is shown of the rows that were read, and where the next page begins.
    pub(crate) fn cut<T, Id: Display>(&self, mut rows: Vec<T>, id: impl Fn(&T) -> Id) -> (Vec<T>, Option<String>) {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = rows.last().filter(|_| more).map(|last| self.seal(id(last)));
        (rows, next_cursor)
    }

    fn seal<Id: Display>(&self, id: Id) -> String {
        URL_SAFE_NO_PAD.encode([self.shape.as_slice(), id.to_string().as_bytes()].concat())
    }

    fn open<Id: FromStr>(&self, cursor: &str) -> Result<Id, RequestError> {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok().filter(|bytes| bytes.starts_with(&self.shape));
        let id = bytes.and_then(|bytes| std::str::from_utf8(&bytes[4..]).ok()?.parse().ok());
        id.ok_or_else(|| {
            RequestError::unreadable(
                StatusCode::BAD_REQUEST,
                "invalid_cursor",
                "the cursor is not one of this list with these filters, or it is too old; start again without it",
            )
        })
    }
}
