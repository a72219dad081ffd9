//! `/account/tokens`: somebody's own personal access tokens, wherever they act. Being signed in is all that it takes. The portal shows
//! those of one organization by the same functions.

pub(super) mod new;

use std::collections::HashMap;

use askama::Template;
use axum::{
    extract::{FromRequestParts, State},
    http::request::Parts,
    response::Response,
};
use claviger_core::{Credential, Kind};
use claviger_store::{CredentialFilter, Order};
use claviger_token::OrganizationId;

use super::{
    credential::{
        Place, What,
        list::{Listed, rows},
        routes::{Sender, Visitor},
    },
    form::{Fields, SessionForm},
    page::{Frame, page},
    pages::{self, Pages, Wanted},
    query::Query,
    trouble::Trouble,
    visit::{SignedIn, Visit},
};
use crate::{app::App, session::Session};

/// Of how many organizations a list of one's own tokens tells the names.
pub(super) const MOST_ORGANIZATIONS: u32 = 200;

#[derive(Template)]
#[template(path = "tokens.html")]
pub(super) struct TokensPage {
    pub(super) frame: Frame,
    pub(super) path: String,
    pub(super) rows: Vec<Listed>,
    pub(super) pages: Pages,
    /// Whether there is any organization in which a token of theirs could act.
    pub(super) makes: bool,
}

impl TokensPage {
    /// What the column says that tells where each acts; at a portal, all act in the same organization.
    pub(super) fn owner_title(&self) -> String {
        if self.frame.portal().is_some() { String::new() } else { self.frame.text("approval-organization") }
    }
}

/// Somebody at their own tokens.
pub(super) struct AtOwn {
    session: Session,
    visit: Visit,
}

impl FromRequestParts<App> for AtOwn {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Trouble> {
        let SignedIn(session) = SignedIn::from_request_parts(parts, app).await?;
        Ok(Self { session, visit: Visit::read(parts, app) })
    }
}

impl Visitor for AtOwn {
    fn place<'a>(&'a self, app: &'a App) -> Place<'a> {
        Place { app, session: &self.session, visit: &self.visit, here: None, what: What::OwnTokens }
    }
}

impl Sender for SessionForm {
    fn place<'a>(&'a self, app: &'a App) -> Place<'a> {
        Place { app, session: &self.session, visit: &self.visit, here: None, what: What::OwnTokens }
    }

    fn fields(&self) -> &Fields {
        &self.fields
    }
}

/// `GET /account/tokens`.
pub(super) async fn list(State(app): State<App>, at: AtOwn, Query(wanted): Query<Wanted>) -> Result<Response, Trouble> {
    listed(&at.place(&app), &wanted.after).await
}

/// One page of the list.
pub(super) async fn listed(place: &Place<'_>, after: &str) -> Result<Response, Trouble> {
    let (app, session, path) = (place.app, place.session, place.list());
    let (authority, now) = (place.reader()?, app.now());
    let filter = CredentialFilter {
        kind: Some(Kind::PersonalAccessToken),
        principal: Some(session.user().into()),
        ..CredentialFilter::default()
    };
    let mut view = app.store.within(authority.reach);
    let mut found = view.credentials_in(Order::Newest, &filter, &pages::rows(after)?).await?;
    let pages = Pages::of(&mut found, |one| one.id, &path, &[], after);
    let belongings = app.store.belongings_of(session.user(), MOST_ORGANIZATIONS).await?;
    let makes = !belongings.is_empty();
    let names: HashMap<OrganizationId, String> =
        belongings.into_iter().map(|one| (one.organization, one.name)).collect();
    let called =
        |one: &Credential| Some(names.get(&one.organization).cloned().unwrap_or_else(|| one.organization.to_string()));
    let frame = place.frame().await?;
    let rows = rows(place, &found, called, now, &frame).await?;
    Ok(page(&TokensPage { frame, path, rows, pages, makes }, []))
}
