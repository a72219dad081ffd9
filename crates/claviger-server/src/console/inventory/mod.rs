//! `/organizations/{organization}/tokens`: every personal access token that acts in an organization, for who holds `claviger:credentials:read`
//! there; stopped and ended for `claviger:credentials:write`. What a token may do, and its secret, are its user's own.

pub(super) mod bulk;
pub(super) mod list;
#[cfg(test)]
pub(super) mod samples;
mod wanted;

use axum::{extract::State, response::Response};
use claviger_token::PersonalAccessTokenId;

use super::{
    credential::{Place, What, action, detail, revoke},
    inside::{Inside, InsideForm, Which},
    trouble::Trouble,
};
use crate::app::App;

impl Inside {
    fn tokens<'a>(&'a self, app: &'a App) -> Place<'a> {
        Place { app, session: &self.session, visit: &self.visit, here: Some(&self.here), what: What::Tokens }
    }
}

impl InsideForm {
    fn tokens<'a>(&'a self, app: &'a App) -> Place<'a> {
        Place { app, session: &self.session, visit: &self.visit, here: Some(&self.here), what: What::Tokens }
    }
}

/// `GET …/{id}`.
pub(super) async fn show(
    State(app): State<App>,
    Which(id): Which<PersonalAccessTokenId>,
    inside: Inside,
) -> Result<Response, Trouble> {
    detail::show(&inside.tokens(&app), id.into()).await
}

/// `POST …/{id}/disable`.
pub(super) async fn disable(
    State(app): State<App>,
    Which(id): Which<PersonalAccessTokenId>,
    form: InsideForm,
) -> Result<Response, Trouble> {
    action::disable(&form.tokens(&app), id.into(), true).await
}

/// `POST …/{id}/enable`.
pub(super) async fn enable(
    State(app): State<App>,
    Which(id): Which<PersonalAccessTokenId>,
    form: InsideForm,
) -> Result<Response, Trouble> {
    action::disable(&form.tokens(&app), id.into(), false).await
}

/// `GET …/{id}/revoke`.
pub(super) async fn ask_to_revoke(
    State(app): State<App>,
    Which(id): Which<PersonalAccessTokenId>,
    inside: Inside,
) -> Result<Response, Trouble> {
    revoke::show(&inside.tokens(&app), id.into()).await
}

/// `POST …/{id}/revoke` with `reason`.
pub(super) async fn revoke(
    State(app): State<App>,
    Which(id): Which<PersonalAccessTokenId>,
    form: InsideForm,
) -> Result<Response, Trouble> {
    revoke::submit(&form.tokens(&app), id.into(), &form.fields).await
}
