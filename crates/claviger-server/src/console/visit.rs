//! One look at a page: in which language, from which browser, and who is signed in there.

use std::convert::Infallible;

use axum::{
    extract::FromRequestParts,
    http::{HeaderValue, request::Parts},
};
use rand::Rng as _;

use super::{language::Language, trouble::Trouble};
use crate::{
    app::App,
    cookies::Cookie,
    session::{From, Session, hex},
};

/// How many hexadecimal digits a browser is known by before anybody is signed in.
const VISIT_LENGTH: usize = 32;

/// What every page needs to know.
pub(crate) struct Visit {
    pub(crate) language: Language,
    pub(crate) from: From,
    /// The path that was asked for, with its query, to come back to.
    pub(crate) path: String,
    pub(crate) secure: bool,
    /// What the browser sent that we need.
    visitor: Option<String>,
    pub(crate) device: Option<String>,
    pub(crate) half_way: Option<String>,
    pub(crate) code: Option<String>,
    pub(crate) departure: Option<String>,
    /// What proves that something was done before somebody was sent here, in the console or at a portal.
    pub(crate) done: Vec<String>,
}

impl FromRequestParts<App> for Visit {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        Ok(Self::read(parts, app))
    }
}

impl Visit {
    pub(crate) fn read(parts: &Parts, app: &App) -> Self {
        let secure = app.is_secure();
        let read = |cookie: Cookie| cookie.read(&parts.headers, secure).map(str::to_owned);
        let is_visitor =
            |text: &String| text.len() == VISIT_LENGTH && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        Self {
            language: Language::of(&parts.headers, secure),
            from: From::read(parts, app),
            path: path.to_owned(),
            secure,
            visitor: read(Cookie::Visit).filter(is_visitor),
            device: read(Cookie::Device),
            half_way: read(Cookie::HalfWay),
            code: read(Cookie::Code),
            departure: read(Cookie::Departure),
            done: Cookie::DONE.into_iter().filter_map(read).collect(),
        }
    }

    /// What the browser is known by, made now if it is not known yet, and the cookie that keeps it then.
    pub(crate) fn visitor(&self, app: &App) -> (String, Option<HeaderValue>) {
        if let Some(known) = &self.visitor {
            return (known.clone(), None);
        }
        let mut bytes = [0; VISIT_LENGTH / 2];
        app.rng().fill_bytes(&mut bytes);
        let made = hex(&bytes);
        let cookie = Cookie::Visit.set(&made, self.secure);
        (made, Some(cookie))
    }

    /// What the browser is known by, if it sent it.
    pub(crate) fn known_visitor(&self) -> Option<&str> {
        self.visitor.as_deref()
    }
}

/// Somebody who is signed in and looks at a page. Who is not is sent to sign in, and back.
pub(crate) struct SignedIn(pub(crate) Session);

impl FromRequestParts<App> for SignedIn {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Trouble> {
        let session = Session::of(&parts.headers, &From::read(parts, app), app).await?;
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        session.map(Self).ok_or_else(|| Trouble::NotSignedIn { next: path.to_owned() })
    }
}

/// Whoever it is.
pub(crate) struct Anybody(pub(crate) Option<Session>);

impl FromRequestParts<App> for Anybody {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Trouble> {
        Ok(Self(Session::of(&parts.headers, &From::read(parts, app), app).await?))
    }
}
