//! The pages of the tokens of whoever is at a portal: those of `/account/tokens`, of the one organization and within the product's
//! frame. They take [`AtPortal`] or [`PortalForm`], and so no other session.

use axum::{extract::State, response::Response};

use super::AtPortal;
use crate::{
    app::App,
    console::{
        credential::{
            Place, What,
            routes::{Sender, Visitor},
        },
        form::{Fields, PortalForm},
        pages::Wanted,
        query::Query,
        tokens::{self, new},
        trouble::Trouble,
    },
};

impl Visitor for AtPortal {
    fn place<'a>(&'a self, app: &'a App) -> Place<'a> {
        Place { app, session: &self.session, visit: &self.visit, here: None, what: What::OwnTokens }
    }
}

impl Sender for PortalForm {
    fn place<'a>(&'a self, app: &'a App) -> Place<'a> {
        Place { app, session: &self.session, visit: &self.visit, here: None, what: What::OwnTokens }
    }

    fn fields(&self) -> &Fields {
        &self.fields
    }
}

/// `GET /portal`.
pub(crate) async fn list(
    State(app): State<App>,
    at: AtPortal,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Trouble> {
    tokens::listed(&at.place(&app), &wanted.after).await
}

/// `GET /portal/new`.
pub(crate) async fn ask_for_new(State(app): State<App>, at: AtPortal) -> Result<Response, Trouble> {
    new::ask(&at.place(&app)).await
}

/// `POST /portal/new`.
pub(crate) async fn make(State(app): State<App>, form: PortalForm) -> Result<Response, Trouble> {
    new::make(&form.place(&app), &form.fields).await
}
