//! One member: who they are, what they hold here and what that comes to, and what can be done about it.

use askama::Template;
use axum::{extract::State, response::Response};
use claviger_core::{Assignment, Granted, Reach, Role, Scope, permission};
use claviger_token::{RoleId, UserId};

use super::{called, count_tokens, list_of, member, reaches_further};
use crate::{
    app::App,
    console::{
        approval::described,
        inside::{Inside, Which},
        moment::Moment,
        page::{Frame, page},
        trouble::Trouble,
    },
};

#[derive(Template)]
#[template(path = "member.html")]
pub(crate) struct MemberPage {
    pub(crate) frame: Frame,
    pub(crate) list: String,
    pub(crate) path: String,
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) id: String,
    pub(crate) external_id: Option<String>,
    /// Whether nobody has shown that the address is theirs.
    pub(crate) claimed: bool,
    pub(crate) disabled: bool,
    pub(crate) is_self: bool,
    pub(crate) since: Moment,
    pub(crate) roles: Vec<Held>,
    /// Direct permissions, each with what it allows.
    pub(crate) permissions: Vec<(String, String)>,
    /// What they hold with instance scope; empty too where that is not the reader's to know.
    pub(crate) everywhere: Vec<String>,
    /// What all of it comes to here.
    pub(crate) effective: Vec<(String, String)>,
    /// How many tokens they have here; `None`: that is not the reader's to know.
    pub(crate) tokens: Option<String>,
    pub(crate) changes: bool,
    /// Whether only somebody who reaches the whole instance may change anything.
    pub(crate) reaches_further: bool,
}

/// A role that somebody has.
pub(crate) struct Held {
    pub(crate) name: String,
    pub(crate) what: String,
    /// Its page, if the reader may see it.
    pub(crate) path: Option<String>,
}

/// `GET …/members/{id}`.
pub(crate) async fn show(
    State(app): State<App>,
    Which(id): Which<UserId>,
    inside: Inside,
) -> Result<Response, Trouble> {
    let (place, here) = (inside.place(&app), &inside.here);
    let (member, organization) = (member(&place, here, id).await?, &here.organization);
    let mut view = app.store.within(Reach::Organization(organization.id));
    let held = view.assignments_of(id.into()).await?;
    let here_only = |one: &&Assignment| one.scope == Scope::Organization(organization.id);
    let roles = view.roles_by_id(held.iter().filter(here_only).filter_map(role_of)).await?;
    let direct = held.iter().filter(here_only).filter_map(|one| match &one.granted {
        Granted::Permission(permission) => Some(permission.clone()),
        Granted::Role { .. } => None,
    });
    let (direct, apis) = (direct.collect(), view.catalog().await?);
    let all = view.held(id.into(), organization.id).await?.masked_by(&organization.effective_ceiling());
    let sees_all = here.person.may(permission::ASSIGNMENTS_READ);
    let everywhere = held.iter().filter(|one| sees_all && one.scope == Scope::Instance).map(name_of).collect();
    let tokens = match here.person.may(permission::CREDENTIALS_READ) {
        true => Some(count_tokens(&place, here, id).await?),
        false => None,
    };
    let changes = here.person.may(permission::MEMBERS_WRITE);
    let reaches_further = changes && reaches_further(&place, here, id).await?;
    let frame = place.frame().await?;
    let (name, list) = (called(&member).0, list_of(here));
    let sees_roles = here.person.may(permission::ROLES_READ);
    let role = |role: Role| Held {
        path: sees_roles.then(|| here.path(&format!("/roles/{}", role.id))),
        name: role.name,
        what: role.description.unwrap_or_default(),
    };
    let shown = MemberPage {
        path: format!("{list}/{id}"),
        list,
        name,
        email: member.user.email.to_string(),
        id: id.to_string(),
        external_id: member.user.external_id,
        claimed: member.user.email_claimed,
        disabled: member.user.disabled_at.is_some(),
        is_self: inside.session.user() == id,
        since: Moment::new(frame.language(), member.membership.created_at, app.now()),
        roles: roles.into_iter().map(role).collect(),
        permissions: described(&apis, &direct),
        everywhere,
        effective: described(&apis, &all),
        tokens: tokens.map(|count| frame.text_counting("member-tokens", count)),
        changes: changes && !reaches_further,
        reaches_further,
        frame,
    };
    Ok(page(&shown, []))
}

pub(super) fn role_of(assignment: &Assignment) -> Option<RoleId> {
    match &assignment.granted {
        Granted::Role { id, .. } => Some(*id),
        Granted::Permission(_) => None,
    }
}

fn name_of(assignment: &Assignment) -> String {
    match &assignment.granted {
        Granted::Role { name, .. } => name.clone(),
        Granted::Permission(permission) => permission.to_string(),
    }
}
