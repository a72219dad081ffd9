//! `/organizations/{organization}/explain`: why something was refused, for who holds `claviger:verify` there. By the rule of `POST /v1/explain`.
//!
//! A token comes in by a form and goes nowhere: into no address, no log, no database, and back to no page. The room must not keep it.

#[cfg(test)]
pub(super) mod samples;
mod told;
mod typed;

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use claviger_core::{Kind, Reach, permission};
use claviger_token::{CredentialId, Presented, Required};

use super::{
    credential::TOKENS_READ,
    form::Fields,
    inside::{Inside, InsideForm},
    page::{Frame, go, page, page_with},
    shell::Here,
    trouble::Trouble,
};
use crate::{
    app::App,
    proof::Proving,
    session::Session,
    verify::{Explaining, LookedUp, Sight, explained},
};
use told::Told;
use typed::Typed;

#[derive(Template)]
#[template(path = "explain.html")]
pub(super) struct ExplainPage {
    pub(super) frame: Frame,
    pub(super) path: String,
    pub(super) typed: Typed,
    /// What is wrong with it, by the name of the field.
    pub(super) wrong: Vec<(&'static str, String)>,
    /// The identifiers of the APIs that may ask.
    pub(super) apis: Vec<String>,
    pub(super) told: Option<Told>,
}

impl ExplainPage {
    pub(super) fn wrong_of(&self, field: &str) -> Option<&str> {
        self.wrong.iter().find(|(known, _)| *known == field).map(|(_, text)| text.as_str())
    }
}

/// `GET …/explain`, with `?credential=` the id of one.
pub(super) async fn show(State(app): State<App>, inside: Inside) -> Result<Response, Trouble> {
    let here = &inside.here;
    here.must(permission::VERIFY)?;
    let typed = Typed::of(&Fields::of_query(&inside.visit.path));
    if !typed.token().is_empty() && typed.id().is_none() {
        // No token stays in an address.
        return Ok(go(&here.path("/explain"), []));
    }
    let frame = Frame::inside(&inside.session, &inside.visit, &app, Some(here)).await?;
    let shown = ExplainPage {
        path: here.path("/explain"),
        apis: apis(&app, here).await?,
        wrong: Vec::new(),
        told: None,
        typed,
        frame,
    };
    Ok(page(&shown, []))
}

/// `POST …/explain` with `credential`, and perhaps `permissions`, `audience`, `objects` and `address`. The answer is the page: what was asked
/// stands in no address.
pub(super) async fn explain(State(app): State<App>, form: InsideForm) -> Result<Response, Trouble> {
    let InsideForm { session, visit, here, fields } = form;
    here.must(permission::VERIFY)?;
    let frame = Frame::inside(&session, &visit, &app, Some(&here)).await?;
    let typed = Typed::of(&fields);
    let (asked, wrong) = typed.read(&frame);
    let told = match wrong.is_empty() {
        true => {
            let looked_up = look_up(&app, &session, &here, &typed).await?;
            let sight = Sight {
                reach: Reach::Organization(here.organization.id),
                assignments: here.person.reach(permission::ASSIGNMENTS_READ),
                organizations: here.person.reach(permission::ORGANIZATIONS_READ),
            };
            let required = Required {
                audience: asked.audience.as_deref(),
                environment: None,
                permissions: &asked.permissions,
                objects: &asked.objects,
                whatever_object: false,
            };
            let foreign_brand = app.foreign_brand(typed.token());
            let (client_ip, proving) = (asked.address, &Proving::NOTHING);
            let asking = Explaining { required, client_ip, cost: 1, proving, foreign_brand };
            let explained = explained(&app, sight, looked_up, &asking).await?;
            Some(Told::of(&explained, typed.id().is_some(), &session, &here, &frame))
        }
        false => None,
    };
    let status = if told.is_some() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let (path, apis) = (here.path("/explain"), apis(&app, &here).await?);
    let shown = ExplainPage { path, apis, wrong, told, typed: typed.without_token(), frame };
    Ok(page_with(status, &shown, []))
}

/// What is known of what was typed: of a token as a verification would find it, and of an id if whoever asks may see what it names.
async fn look_up(app: &App, session: &Session, here: &Here, typed: &Typed) -> Result<LookedUp, Trouble> {
    let Some(id) = typed.id() else { return Ok(app.look_up(typed.token()).await?) };
    let stored = app.store.within(Reach::Organization(here.organization.id)).credential(id).await?;
    let may_see = stored.is_some_and(|one| match Kind::of(one.id) {
        Kind::ApiKey => here.person.may(permission::API_KEYS_READ),
        Kind::PersonalAccessToken => one.principal == session.user().into() || here.may_all(&TOKENS_READ),
        // No API gets one of these: they are for the token endpoint.
        Kind::ClientSecret | Kind::PublicKey | Kind::Certificate | Kind::Federation => false,
    });
    if may_see {
        return Ok(app.look_up_let_in(id).await?);
    }
    Ok(LookedUp { presented: Presented::WellFormed, entry: None })
}

async fn apis(app: &App, here: &Here) -> Result<Vec<String>, Trouble> {
    let catalog = app.store.within(Reach::Organization(here.organization.id)).catalog().await?;
    Ok(catalog.into_iter().map(|api| api.identifier).collect())
}

/// The page that explains a credential.
pub(super) fn about(here: &Here, id: CredentialId) -> Option<String> {
    here.person.may(permission::VERIFY).then(|| here.path(&format!("/explain?credential={id}")))
}
