//! Somebody who is signed in at a page of an organization, as an argument of its handler: who, where, and what was sent.

use std::str::FromStr;

use axum::{
    RequestExt as _,
    extract::{FromRequest, FromRequestParts, RawPathParams, Request},
    http::request::Parts,
};

use super::{
    form::{Fields, SessionForm},
    shell::Here,
    trouble::Trouble,
    visit::{SignedIn, Visit},
};
use crate::{app::App, session::Session};

/// Who looks at a page of the organization that the path names.
pub(super) struct Inside {
    pub(super) session: Session,
    pub(super) visit: Visit,
    pub(super) here: Here,
}

impl FromRequestParts<App> for Inside {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Trouble> {
        let SignedIn(session) = SignedIn::from_request_parts(parts, app).await?;
        let here = Here::find(app, &session, &named(parts, app, "organization").await?).await?;
        Ok(Self { session, visit: Visit::read(parts, app), here })
    }
}

/// Who sends a form there.
pub(super) struct InsideForm {
    pub(super) session: Session,
    pub(super) visit: Visit,
    pub(super) here: Here,
    pub(super) fields: Fields,
}

impl FromRequest<App> for InsideForm {
    type Rejection = Trouble;

    async fn from_request(mut request: Request, app: &App) -> Result<Self, Trouble> {
        let params = request.extract_parts::<RawPathParams>().await.map_err(|_| Trouble::Absent)?;
        let called = value(&params, "organization")?;
        let SessionForm { fields, visit, session } = SessionForm::from_request(request, app).await?;
        let here = Here::find(app, &session, &called).await?;
        Ok(Self { session, visit, here, fields })
    }
}

/// What a path names by its id.
pub(super) struct Which<Id>(pub(super) Id);

impl<Id: FromStr> FromRequestParts<App> for Which<Id> {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Trouble> {
        named(parts, app, "id").await?.parse().map(Self).map_err(|_| Trouble::Absent)
    }
}

/// What stands in the path under a name.
pub(super) async fn named(parts: &mut Parts, app: &App, name: &str) -> Result<String, Trouble> {
    let params = RawPathParams::from_request_parts(parts, app).await.map_err(|_| Trouble::Absent)?;
    value(&params, name)
}

fn value(params: &RawPathParams, name: &str) -> Result<String, Trouble> {
    params.iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_owned()).ok_or(Trouble::Absent)
}
