//! `/account/tokens`: somebody's own personal access tokens, wherever they act. Being signed in is all that it takes. The portal shows
//! those of one organization by the same functions.

pub(super) mod new;

use std::collections::HashMap;

use askama::Template;
use axum::{extract::State, response::Response};
use claviger_core::{Credential, Kind};
use claviger_store::{CredentialFilter, Order, Page};
use claviger_token::{CredentialId, OrganizationId, PersonalAccessTokenId};
use serde::Deserialize;

use super::{
    credential::{
        Place, action, detail, edit,
        list::{Listed, MOST, rows},
        revoke, roll,
    },
    form::SessionForm,
    inside::Which,
    page::{Frame, page},
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
    /// The address of the next page, if there is one.
    pub(super) next: Option<String>,
    /// Whether this is another than the first.
    pub(super) continued: bool,
    /// Whether there is any organization in which a token of theirs could act.
    pub(super) makes: bool,
}

impl TokensPage {
    /// What the column says that tells where each acts; at a portal, all act in the same organization.
    pub(super) fn owner_title(&self) -> String {
        if self.frame.portal().is_some() { String::new() } else { self.frame.text("approval-organization") }
    }
}

/// Where the page before ended.
#[derive(Debug, Default, Deserialize)]
pub(super) struct After {
    #[serde(default)]
    after: String,
}

pub(super) fn own<'a>(app: &'a App, session: &'a Session, visit: &'a Visit) -> Place<'a> {
    Place { app, session, visit, here: None }
}

/// `GET /account/tokens`.
pub(super) async fn list(
    State(app): State<App>,
    visit: Visit,
    SignedIn(session): SignedIn,
    Query(asked): Query<After>,
) -> Result<Response, Trouble> {
    listed(&own(&app, &session, &visit), &asked).await
}

/// One page of the list.
pub(super) async fn listed(place: &Place<'_>, asked: &After) -> Result<Response, Trouble> {
    let (app, session, path) = (place.app, place.session, place.list());
    let (authority, now) = (place.reader()?, app.now());
    let after = match asked.after.as_str() {
        "" => None,
        after => Some(after.parse::<CredentialId>().map_err(|_| Trouble::Absent)?),
    };
    let filter = CredentialFilter {
        kind: Some(Kind::PersonalAccessToken),
        principal: Some(session.user().into()),
        ..CredentialFilter::default()
    };
    let mut view = app.store.within(authority.reach);
    let mut found = view.credentials_in(Order::Newest, &filter, &Page { after, limit: MOST + 1 }).await?;
    let more = found.len() > MOST as usize;
    found.truncate(MOST as usize);
    let belongings = app.store.belongings_of(session.user(), MOST_ORGANIZATIONS).await?;
    let makes = !belongings.is_empty();
    let names: HashMap<OrganizationId, String> =
        belongings.into_iter().map(|one| (one.organization, one.name)).collect();
    let called =
        |one: &Credential| Some(names.get(&one.organization).cloned().unwrap_or_else(|| one.organization.to_string()));
    let frame = place.frame().await?;
    let next = found.last().filter(|_| more).map(|last| format!("{path}?after={}", last.id));
    let rows = rows(place, &found, called, now, &frame).await?;
    Ok(page(&TokensPage { frame, path, rows, next, continued: after.is_some(), makes }, []))
}

/// `GET /account/tokens/{id}`.
pub(super) async fn show(
    State(app): State<App>,
    Which(id): Which<PersonalAccessTokenId>,
    visit: Visit,
    SignedIn(session): SignedIn,
) -> Result<Response, Trouble> {
    detail::show(&own(&app, &session, &visit), id.into()).await
}

/// `GET /account/tokens/{id}/edit`.
pub(super) async fn edit(
    State(app): State<App>,
    Which(id): Which<PersonalAccessTokenId>,
    visit: Visit,
    SignedIn(session): SignedIn,
) -> Result<Response, Trouble> {
    edit::show(&own(&app, &session, &visit), id.into()).await
}

/// `POST /account/tokens/{id}/edit`.
pub(super) async fn save(
    State(app): State<App>,
    Which(id): Which<PersonalAccessTokenId>,
    form: SessionForm,
) -> Result<Response, Trouble> {
    edit::submit(&own(&app, &form.session, &form.visit), id.into(), &form.fields).await
}

/// `GET /account/tokens/{id}/roll`.
pub(super) async fn ask_to_roll(
    State(app): State<App>,
    Which(id): Which<PersonalAccessTokenId>,
    visit: Visit,
    SignedIn(session): SignedIn,
) -> Result<Response, Trouble> {
    roll::show(&own(&app, &session, &visit), id.into()).await
}

/// `POST /account/tokens/{id}/roll` with `overlap` and `once`.
pub(super) async fn roll(
    State(app): State<App>,
    Which(id): Which<PersonalAccessTokenId>,
    form: SessionForm,
) -> Result<Response, Trouble> {
    roll::submit(&own(&app, &form.session, &form.visit), id.into(), &form.fields).await
}

/// `POST /account/tokens/{id}/end-overlap`.
pub(super) async fn end_overlap(
    State(app): State<App>,
    Which(id): Which<PersonalAccessTokenId>,
    form: SessionForm,
) -> Result<Response, Trouble> {
    action::end_overlap(&own(&app, &form.session, &form.visit), id.into()).await
}

/// `POST /account/tokens/{id}/disable`.
pub(super) async fn disable(
    State(app): State<App>,
    Which(id): Which<PersonalAccessTokenId>,
    form: SessionForm,
) -> Result<Response, Trouble> {
    action::disable(&own(&app, &form.session, &form.visit), id.into(), true).await
}

/// `POST /account/tokens/{id}/enable`.
pub(super) async fn enable(
    State(app): State<App>,
    Which(id): Which<PersonalAccessTokenId>,
    form: SessionForm,
) -> Result<Response, Trouble> {
    action::disable(&own(&app, &form.session, &form.visit), id.into(), false).await
}

/// `GET /account/tokens/{id}/revoke`.
pub(super) async fn ask_to_revoke(
    State(app): State<App>,
    Which(id): Which<PersonalAccessTokenId>,
    visit: Visit,
    SignedIn(session): SignedIn,
) -> Result<Response, Trouble> {
    revoke::show(&own(&app, &session, &visit), id.into()).await
}

/// `POST /account/tokens/{id}/revoke` with `reason`.
pub(super) async fn revoke(
    State(app): State<App>,
    Which(id): Which<PersonalAccessTokenId>,
    form: SessionForm,
) -> Result<Response, Trouble> {
    revoke::submit(&own(&app, &form.session, &form.visit), id.into(), &form.fields).await
}
