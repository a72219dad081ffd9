//! `/organizations/{organization}/api-keys`: the API keys of an organization, for who holds `claviger:api_keys:read` there, and what is
//! done about them for `claviger:api_keys:write`.

pub(super) mod list;
pub(super) mod new;

use axum::{extract::State, response::Response};
use claviger_token::ApiKeyId;

use super::{
    credential::{Place, action, detail, edit, revoke, roll},
    inside::{Inside, InsideForm, Which},
    trouble::Trouble,
};
use crate::app::App;

impl Inside {
    pub(super) fn place<'a>(&'a self, app: &'a App) -> Place<'a> {
        Place { app, session: &self.session, visit: &self.visit, here: Some(&self.here) }
    }
}

impl InsideForm {
    pub(super) fn place<'a>(&'a self, app: &'a App) -> Place<'a> {
        Place { app, session: &self.session, visit: &self.visit, here: Some(&self.here) }
    }
}

/// `GET …/{id}`.
pub(super) async fn show(
    State(app): State<App>,
    Which(id): Which<ApiKeyId>,
    inside: Inside,
) -> Result<Response, Trouble> {
    detail::show(&inside.place(&app), id.into()).await
}

/// `GET …/{id}/edit`.
pub(super) async fn edit(
    State(app): State<App>,
    Which(id): Which<ApiKeyId>,
    inside: Inside,
) -> Result<Response, Trouble> {
    edit::show(&inside.place(&app), id.into()).await
}

/// `POST …/{id}/edit`.
pub(super) async fn save(
    State(app): State<App>,
    Which(id): Which<ApiKeyId>,
    form: InsideForm,
) -> Result<Response, Trouble> {
    edit::submit(&form.place(&app), id.into(), &form.fields).await
}

/// `GET …/{id}/roll`.
pub(super) async fn ask_to_roll(
    State(app): State<App>,
    Which(id): Which<ApiKeyId>,
    inside: Inside,
) -> Result<Response, Trouble> {
    roll::show(&inside.place(&app), id.into()).await
}

/// `POST …/{id}/roll` with `overlap` and `once`.
pub(super) async fn roll(
    State(app): State<App>,
    Which(id): Which<ApiKeyId>,
    form: InsideForm,
) -> Result<Response, Trouble> {
    roll::submit(&form.place(&app), id.into(), &form.fields).await
}

/// `POST …/{id}/end-overlap`.
pub(super) async fn end_overlap(
    State(app): State<App>,
    Which(id): Which<ApiKeyId>,
    form: InsideForm,
) -> Result<Response, Trouble> {
    action::end_overlap(&form.place(&app), id.into()).await
}

/// `POST …/{id}/disable`.
pub(super) async fn disable(
    State(app): State<App>,
    Which(id): Which<ApiKeyId>,
    form: InsideForm,
) -> Result<Response, Trouble> {
    action::disable(&form.place(&app), id.into(), true).await
}

/// `POST …/{id}/enable`.
pub(super) async fn enable(
    State(app): State<App>,
    Which(id): Which<ApiKeyId>,
    form: InsideForm,
) -> Result<Response, Trouble> {
    action::disable(&form.place(&app), id.into(), false).await
}

/// `GET …/{id}/revoke`.
pub(super) async fn ask_to_revoke(
    State(app): State<App>,
    Which(id): Which<ApiKeyId>,
    inside: Inside,
) -> Result<Response, Trouble> {
    revoke::show(&inside.place(&app), id.into()).await
}

/// `POST …/{id}/revoke` with `reason`.
pub(super) async fn revoke(
    State(app): State<App>,
    Which(id): Which<ApiKeyId>,
    form: InsideForm,
) -> Result<Response, Trouble> {
    revoke::submit(&form.place(&app), id.into(), &form.fields).await
}
