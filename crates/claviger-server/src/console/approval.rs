//! `/approvals/{id}`: a token that waits, with all that somebody needs to know before they decide, and the decision.

use std::collections::HashMap;

use askama::Template;
use axum::{extract::State, response::Response};
use claviger_core::{Api, Approval, Credential, Organization, Reach, RevokeReason};
use claviger_store::StoreError;
use claviger_token::{PermissionSet, PersonalAccessTokenId, PrincipalId};

use super::{
    form::SessionForm,
    inside::Which,
    page::{Frame, go, page, shown},
    trouble::Trouble,
    visit::{SignedIn, Visit},
};
use crate::{
    app::App,
    manage::{
        approval::{Approver, Decision},
        look_alike::LookAlikeView,
    },
    problem::RequestError,
};

#[derive(Template)]
#[template(path = "approval.html")]
pub(super) struct ApprovalPage {
    pub(super) frame: Frame,
    pub(super) path: String,
    /// What is approved, if nothing of it changes meanwhile.
    pub(super) seen: String,
    pub(super) stage: Stage,
    pub(super) asked: Asked,
    pub(super) look_alike: bool,
    pub(super) look_alikes: Vec<CalledAlike>,
    /// Whether this approver may not, for the token's user reaches the whole instance.
    pub(super) reaches_further: bool,
}

/// How far it is decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stage {
    Waits,
    /// By whom.
    Approved(String),
    Denied,
    /// It ended in another way.
    Ended,
}

/// What is asked for.
pub(super) struct Asked {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) owner: String,
    pub(super) owner_id: String,
    /// Whether nobody has shown that the owner's address is theirs.
    pub(super) claimed: bool,
    pub(super) maker: String,
    pub(super) organization: String,
    /// Each entry of the list, and what it allows.
    pub(super) permissions: Vec<(String, String)>,
    /// What its wildcards come to at present, if it has any.
    pub(super) at_present: Option<Vec<(String, String)>>,
    pub(super) objects: Option<Vec<String>>,
    pub(super) networks: Option<Vec<String>>,
    pub(super) starts: Option<String>,
    pub(super) ends: Option<String>,
    pub(super) since: String,
}

/// A credential with a name like that of the one that waits.
pub(super) struct CalledAlike {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) owner: String,
}

/// `GET /approvals/{id}`. What is out of reach looks absent.
pub(crate) async fn show(
    State(app): State<App>,
    visit: Visit,
    SignedIn(session): SignedIn,
    Which(id): Which<PersonalAccessTokenId>,
) -> Result<Response, Trouble> {
    let request = Approver::of(&app, &session).await?.find(&app, id).await?;
    let (token, alike) = (request.token, request.look_alikes);
    let frame = Frame::inside(&session, &visit, &app, None).await?;
    let principals: Vec<PrincipalId> = alike.seen.iter().map(|one| one.principal_id).chain(decider(&token)).collect();
    let names = app.store.within(Reach::Instance).principal_names(&principals).await?;
    let called = |one: LookAlikeView| {
        let owner = named(&names, one.principal_id);
        CalledAlike { id: one.id.to_string(), name: one.name, owner }
    };
    let shown = ApprovalPage {
        path: path(&token),
        seen: app.seen(&token),
        stage: stage(&frame, &token, &names),
        asked: asked(&app, &frame, &token).await?,
        look_alike: alike.any,
        look_alikes: alike.seen.into_iter().map(called).collect(),
        reaches_further: request.reaches_further,
        frame,
    };
    Ok(page(&shown, []))
}

/// `POST /approvals/{id}/approve`, by somebody who proved lately who they are.
pub(crate) async fn approve(
    State(app): State<App>,
    Which(id): Which<PersonalAccessTokenId>,
    SessionForm { session, fields, .. }: SessionForm,
) -> Result<Response, Trouble> {
    if !session.is_fresh(app.now()) {
        return Err(Trouble::NotFresh { next: format!("/approvals/{id}") });
    }
    decide(&app, id, &Approver::of(&app, &session).await?, Decision::Approve, fields.value("seen")).await
}

/// `POST /approvals/{id}/deny`.
pub(crate) async fn deny(
    State(app): State<App>,
    Which(id): Which<PersonalAccessTokenId>,
    SessionForm { session, fields, .. }: SessionForm,
) -> Result<Response, Trouble> {
    decide(&app, id, &Approver::of(&app, &session).await?, Decision::Deny, fields.value("seen")).await
}

async fn decide(
    app: &App,
    id: PersonalAccessTokenId,
    approver: &Approver<'_>,
    decision: Decision,
    seen: &str,
) -> Result<Response, Trouble> {
    match approver.decide(app, id, decision, seen).await {
        // The page says how it stands: decided now, or by somebody else before, or changed, or not to be decided by this one.
        Ok(()) | Err(RequestError::Rejected(_) | RequestError::Forbidden { .. }) => {
            Ok(go(&format!("/approvals/{id}"), []))
        }
        Err(error) => Err(error.into()),
    }
}

pub(super) fn path(token: &Credential) -> String {
    format!("/approvals/{}", token.id)
}

/// Since when it waits, or at least is there.
pub(super) fn since(token: &Credential) -> String {
    match token.approval {
        Some(Approval::Pending { since }) => shown(since),
        Some(Approval::Given { .. }) | None => shown(token.created_at),
    }
}

/// Who approved it, if it is somebody with a name.
fn decider(token: &Credential) -> Option<PrincipalId> {
    match &token.approval {
        Some(Approval::Given { by, .. }) => by.parse().ok(),
        Some(Approval::Pending { .. }) | None => None,
    }
}

fn stage(frame: &Frame, token: &Credential, names: &HashMap<PrincipalId, String>) -> Stage {
    match (&token.approval, token.revocation) {
        (Some(Approval::Given { by, .. }), _) => Stage::Approved(who(frame, by, names)),
        (_, None) => Stage::Waits,
        (_, Some(end)) if end.reason == RevokeReason::Policy => Stage::Denied,
        (_, Some(_)) => Stage::Ended,
    }
}

/// A principal by name, or else the id.
pub(super) fn named(names: &HashMap<PrincipalId, String>, principal: PrincipalId) -> String {
    names.get(&principal).cloned().unwrap_or_else(|| principal.to_string())
}

/// Who made or approved something, as the record has it.
fn who(frame: &Frame, by: &str, names: &HashMap<PrincipalId, String>) -> String {
    match by.parse::<PrincipalId>() {
        Ok(principal) => format!("{} ({principal})", named(names, principal)),
        Err(_) => frame.text("approval-by-operator"),
    }
}

async fn asked(app: &App, frame: &Frame, token: &Credential) -> Result<Asked, StoreError> {
    let mut view = app.store.within(Reach::Organization(token.organization));
    let organization = view.organization(token.organization).await?;
    let held = view.held(token.principal, token.organization).await?;
    let apis = view.catalog().await?;
    let owner = match token.principal {
        PrincipalId::User(id) => view.user(id).await?,
        PrincipalId::ServiceAccount(_) => None,
    };
    let maker: Option<PrincipalId> = token.created_by.parse().ok();
    let names = view.principal_names(&[maker.unwrap_or(token.principal), token.principal]).await?;
    let claimed = owner.as_ref().is_some_and(|owner| owner.email_claimed);
    // A name is what somebody chose for themselves: beside it stands the address.
    let address = owner.filter(|owner| owner.name.is_some()).map(|owner| format!(" ({})", owner.email));
    let list = &token.permissions;
    let wildcards = [
        ("*", list.has_wildcard_api(), "approval-every-api"),
        ("claviger:*", list.has_wildcard_builtin(), "approval-every-builtin"),
    ];
    let wildcards = wildcards.into_iter().filter(|(_, asked, _)| *asked);
    let wildcards = wildcards.map(|(entry, _, words)| (entry.to_owned(), frame.text(words)));
    let ceiling = organization.as_ref().map(Organization::effective_ceiling).unwrap_or_default();
    let at_present = || described(&apis, &held.masked_by(&ceiling).masked_by(list));
    Ok(Asked {
        id: token.id.to_string(),
        name: token.name.to_string(),
        owner: named(&names, token.principal) + &address.unwrap_or_default(),
        owner_id: token.principal.to_string(),
        claimed,
        maker: match maker {
            Some(maker) if maker == token.principal => frame.text("approval-by-owner"),
            Some(_) | None => who(frame, &token.created_by, &names),
        },
        permissions: wildcards.chain(described(&apis, list.named())).collect(),
        at_present: list.follows_principal().then(at_present),
        organization: organization.map(|organization| organization.name.to_string()).unwrap_or_default(),
        objects: token.objects.as_ref().map(|objects| objects.iter().map(ToString::to_string).collect()),
        networks: token.networks.as_ref().map(|networks| networks.iter().map(ToString::to_string).collect()),
        starts: token.not_before.map(shown),
        ends: token.expires_at.map(shown),
        since: since(token),
    })
}

/// Permissions with what their APIs say of them.
pub(super) fn described(apis: &[Api], permissions: &PermissionSet) -> Vec<(String, String)> {
    let declared: HashMap<&str, &str> = apis
        .iter()
        .flat_map(|api| &api.permissions)
        .map(|known| (known.name.as_str(), known.description.as_deref().unwrap_or_default()))
        .collect();
    let describe = |name: &str| (name.to_owned(), declared.get(name).copied().unwrap_or_default().to_owned());
    permissions.iter().map(|permission| describe(permission.as_str())).collect()
}
