//! The pages of the tokens of whoever is at a portal: those of `/account/tokens`, of the one organization and within the product's
//! frame. Each handler takes [`AtPortal`] or [`PortalForm`], and so no other session.

use axum::{extract::State, response::Response};
use claviger_token::PersonalAccessTokenId;

use super::AtPortal;
use crate::{
    app::App,
    console::{
        credential::{action, detail, edit, revoke, roll},
        form::PortalForm,
        inside::Which,
        query::Query,
        tokens::{self, After, new},
        trouble::Trouble,
    },
};

/// `GET /portal`.
pub(crate) async fn list(
    State(app): State<App>,
    at: AtPortal,
    Query(asked): Query<After>,
) -> Result<Response, Trouble> {
    tokens::listed(&at.place(&app), &asked).await
}

/// `GET /portal/new`.
pub(crate) async fn ask_for_new(State(app): State<App>, at: AtPortal) -> Result<Response, Trouble> {
    new::ask(&at.place(&app)).await
}

/// `POST /portal/new`.
pub(crate) async fn make(State(app): State<App>, form: PortalForm) -> Result<Response, Trouble> {
    new::make(&form.place(&app), &form.fields).await
}

/// `GET /portal/{id}`.
pub(crate) async fn show(
    State(app): State<App>,
    Which(id): Which<PersonalAccessTokenId>,
    at: AtPortal,
) -> Result<Response, Trouble> {
    detail::show(&at.place(&app), id.into()).await
}

/// `GET /portal/{id}/edit`.
pub(crate) async fn edit(
    State(app): State<App>,
    Which(id): Which<PersonalAccessTokenId>,
    at: AtPortal,
) -> Result<Response, Trouble> {
    edit::show(&at.place(&app), id.into()).await
}

/// `POST /portal/{id}/edit`.
pub(crate) async fn save(
    State(app): State<App>,
    Which(id): Which<PersonalAccessTokenId>,
    form: PortalForm,
) -> Result<Response, Trouble> {
    edit::submit(&form.place(&app), id.into(), &form.fields).await
}

/// `GET /portal/{id}/roll`.
pub(crate) async fn ask_to_roll(
    State(app): State<App>,
    Which(id): Which<PersonalAccessTokenId>,
    at: AtPortal,
) -> Result<Response, Trouble> {
    roll::show(&at.place(&app), id.into()).await
}

/// `POST /portal/{id}/roll` with `overlap` and `once`.
pub(crate) async fn roll(
    State(app): State<App>,
    Which(id): Which<PersonalAccessTokenId>,
    form: PortalForm,
) -> Result<Response, Trouble> {
    roll::submit(&form.place(&app), id.into(), &form.fields).await
}

/// `POST /portal/{id}/end-overlap`.
pub(crate) async fn end_overlap(
    State(app): State<App>,
    Which(id): Which<PersonalAccessTokenId>,
    form: PortalForm,
) -> Result<Response, Trouble> {
    action::end_overlap(&form.place(&app), id.into()).await
}

/// `POST /portal/{id}/disable`.
pub(crate) async fn disable(
    State(app): State<App>,
    Which(id): Which<PersonalAccessTokenId>,
    form: PortalForm,
) -> Result<Response, Trouble> {
    action::disable(&form.place(&app), id.into(), true).await
}

/// `POST /portal/{id}/enable`.
pub(crate) async fn enable(
    State(app): State<App>,
    Which(id): Which<PersonalAccessTokenId>,
    form: PortalForm,
) -> Result<Response, Trouble> {
    action::disable(&form.place(&app), id.into(), false).await
}

/// `GET /portal/{id}/revoke`.
pub(crate) async fn ask_to_revoke(
    State(app): State<App>,
    Which(id): Which<PersonalAccessTokenId>,
    at: AtPortal,
) -> Result<Response, Trouble> {
    revoke::show(&at.place(&app), id.into()).await
}

/// `POST /portal/{id}/revoke` with `reason`.
pub(crate) async fn revoke(
    State(app): State<App>,
    Which(id): Which<PersonalAccessTokenId>,
    form: PortalForm,
) -> Result<Response, Trouble> {
    revoke::submit(&form.place(&app), id.into(), &form.fields).await
}
