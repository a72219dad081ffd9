//! The routes of one credential, wherever it is kept: an organization's key, what a client of it proves itself by, a token of one's own,
//! the same at a portal. They differ in who is let in, which the types of their handlers' arguments say, and in nothing else.

use std::str::FromStr;

use axum::{
    Router,
    extract::{FromRequest, FromRequestParts, State},
    response::Response,
    routing::{get, post},
};
use claviger_token::CredentialId;

use super::{Place, action, detail, edit, revoke, roll};
use crate::{
    app::App,
    console::{form::Fields, inside::Which, trouble::Trouble},
};

/// Somebody who looks at a page of a place.
pub(crate) trait Visitor: FromRequestParts<App, Rejection = Trouble> + Send + Sync + 'static {
    /// Where.
    fn place<'a>(&'a self, app: &'a App) -> Place<'a>;
}

/// Somebody who sends a form of one.
pub(crate) trait Sender: FromRequest<App, Rejection = Trouble> + Send + Sync + 'static {
    /// Where.
    fn place<'a>(&'a self, app: &'a App) -> Place<'a>;

    /// What it says.
    fn fields(&self) -> &Fields;
}

/// The id of the kind of credential that is kept there.
pub(crate) trait Kept: FromStr + Into<CredentialId> + Send + 'static {}

impl<Id: FromStr + Into<CredentialId> + Send + 'static> Kept for Id {}

/// The pages of one below the list at `base`.
pub(crate) fn of_one<Id: Kept, V: Visitor, S: Sender>(base: &str) -> Router<App> {
    let at = |action: &str| format!("{base}/{{id}}{action}");
    Router::new()
        .route(&at(""), get(show::<Id, V>))
        .route(&at("/edit"), get(edit::<Id, V>).post(save::<Id, S>))
        .route(&at("/roll"), get(ask_to_roll::<Id, V>).post(roll::<Id, S>))
        .route(&at("/end-overlap"), post(end_overlap::<Id, S>))
        .route(&at("/disable"), post(disable::<Id, S>))
        .route(&at("/enable"), post(enable::<Id, S>))
        .route(&at("/revoke"), get(ask_to_revoke::<Id, V>).post(revoke::<Id, S>))
}

/// `GET …/{id}`.
async fn show<Id: Kept, V: Visitor>(State(app): State<App>, Which(id): Which<Id>, by: V) -> Result<Response, Trouble> {
    detail::show(&by.place(&app), id.into()).await
}

/// `GET …/{id}/edit`.
async fn edit<Id: Kept, V: Visitor>(State(app): State<App>, Which(id): Which<Id>, by: V) -> Result<Response, Trouble> {
    edit::show(&by.place(&app), id.into()).await
}

/// `POST …/{id}/edit`.
async fn save<Id: Kept, S: Sender>(State(app): State<App>, Which(id): Which<Id>, by: S) -> Result<Response, Trouble> {
    edit::submit(&by.place(&app), id.into(), by.fields()).await
}

/// `GET …/{id}/roll`.
async fn ask_to_roll<Id: Kept, V: Visitor>(
    State(app): State<App>,
    Which(id): Which<Id>,
    by: V,
) -> Result<Response, Trouble> {
    roll::show(&by.place(&app).with_secrets()?, id.into()).await
}

/// `POST …/{id}/roll` with `overlap`, `seen` and `once`.
async fn roll<Id: Kept, S: Sender>(State(app): State<App>, Which(id): Which<Id>, by: S) -> Result<Response, Trouble> {
    roll::submit(&by.place(&app).with_secrets()?, id.into(), by.fields()).await
}

/// `POST …/{id}/end-overlap`.
async fn end_overlap<Id: Kept, S: Sender>(
    State(app): State<App>,
    Which(id): Which<Id>,
    by: S,
) -> Result<Response, Trouble> {
    action::end_overlap(&by.place(&app).with_secrets()?, id.into()).await
}

/// `POST …/{id}/disable`.
async fn disable<Id: Kept, S: Sender>(
    State(app): State<App>,
    Which(id): Which<Id>,
    by: S,
) -> Result<Response, Trouble> {
    action::disable(&by.place(&app), id.into(), true).await
}

/// `POST …/{id}/enable`.
async fn enable<Id: Kept, S: Sender>(State(app): State<App>, Which(id): Which<Id>, by: S) -> Result<Response, Trouble> {
    action::disable(&by.place(&app), id.into(), false).await
}

/// `GET …/{id}/revoke`.
async fn ask_to_revoke<Id: Kept, V: Visitor>(
    State(app): State<App>,
    Which(id): Which<Id>,
    by: V,
) -> Result<Response, Trouble> {
    revoke::show(&by.place(&app), id.into()).await
}

/// `POST …/{id}/revoke` with `reason`.
async fn revoke<Id: Kept, S: Sender>(State(app): State<App>, Which(id): Which<Id>, by: S) -> Result<Response, Trouble> {
    revoke::submit(&by.place(&app), id.into(), by.fields()).await
}
