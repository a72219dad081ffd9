//! `/organizations/{organization}/fleets`: groups of devices and the codes by which devices enrol, for who holds
//! `claviger:fleets:read` there, and what is done about them for `claviger:fleets:write`. A device is a service account, and is
//! stopped and ended by its page. The rules are those of the management API, by the same functions.

pub(super) mod codes;
pub(super) mod detail;
pub(super) mod form;
pub(super) mod list;
#[cfg(test)]
pub(super) mod samples;
pub(super) mod standing;

use axum::{
    Router,
    extract::FromRequestParts,
    http::request::Parts,
    routing::{get, post},
};
use claviger_core::{Fleet, Reach, permission};
use claviger_token::FleetId;

use super::{credential::Place, inside::named, shell::Here, trouble::Trouble};
use crate::{app::App, manage::Authority};

/// The pages.
pub(super) fn routes() -> Router<App> {
    const ALL: &str = "/organizations/{organization}/fleets";
    let path = |rest: &str| format!("{ALL}{rest}");
    Router::new()
        .route(ALL, get(list::show))
        .route(&path("/new"), get(form::ask).post(form::make))
        .route(&path("/{fleet}"), get(detail::show))
        .route(&path("/{fleet}/edit"), get(form::edit).post(form::save))
        .route(&path("/{fleet}/devices"), get(detail::devices))
        .route(&path("/{fleet}/close"), post(standing::close))
        .route(&path("/{fleet}/reopen"), post(standing::reopen))
        .route(&path("/{fleet}/revoke"), get(standing::ask_to_revoke).post(standing::revoke))
        .route(&path("/{fleet}/delete"), get(standing::ask_to_delete).post(standing::delete))
        .route(&path("/{fleet}/claim-codes"), get(codes::list))
        .route(&path("/{fleet}/claim-codes/new"), get(codes::ask).post(codes::make))
        .route(&path("/{fleet}/claim-codes/{id}/revoke"), get(codes::ask_to_revoke).post(codes::revoke))
}

/// The fleet that the path names.
pub(super) struct Which(pub(super) FleetId);

impl FromRequestParts<App> for Which {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Trouble> {
        named(parts, app, "fleet").await?.parse().map(Self).map_err(|_| Trouble::Absent)
    }
}

/// The path of the list.
fn list_path(here: &Here) -> String {
    here.path("/fleets")
}

/// The path of one.
fn path(here: &Here, id: FleetId) -> String {
    format!("{}/{id}", list_path(here))
}

/// One that belongs here, for who may see it.
async fn find(app: &App, here: &Here, id: FleetId) -> Result<Fleet, Trouble> {
    here.must(permission::FLEETS_READ)?;
    let found = app.store.within(Reach::Organization(here.organization.id)).fleet(id).await?;
    found.ok_or(Trouble::Absent)
}

/// That somebody may change what is here, and where they are.
fn may_write<'a>(place: &Place<'a>) -> Result<&'a Here, Trouble> {
    let here = place.here.ok_or(Trouble::Absent)?;
    here.must(permission::FLEETS_READ)?;
    here.must(permission::FLEETS_WRITE)?;
    Ok(here)
}

/// Somebody's, to change fleets here.
fn writer<'a>(place: &Place<'a>) -> Result<Authority<'a>, Trouble> {
    let here = may_write(place)?;
    Authority::of_person(place.session, &here.person, permission::FLEETS_WRITE).ok_or(Trouble::Absent)
}
