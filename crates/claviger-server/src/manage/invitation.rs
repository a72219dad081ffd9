//! `/v1/organizations/{id}/invitations`: links that make somebody a member. How one is accepted stands in `accepting.rs`.

use std::collections::{BTreeSet, HashMap};

use axum::{extract::State, http::StatusCode};
use claviger_core::{Event, Granted, Invitation, InvitationStatus, NewInvitation, Reach, Rejection};
use claviger_store::{InvitationStatusFilter, Tx, View};
use claviger_token::{InvitationId, OrganizationId, PermissionSet, RoleId, Secret, UserId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Authority, Id, Ids,
    credential::in_the_clear,
    link,
    rights::{Wanted, targets},
};
use crate::{
    app::App,
    body::{Answer, Created, Post},
    caller::{Caller, ReadMembers, WriteMembers},
    listing::{List, Listing, list_query},
    problem::{Problem, RequestError},
};

/// An invitation.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Invitation)]
pub(crate) struct InvitationView {
    id: InvitationId,
    organization_id: OrganizationId,
    /// For whom it was meant. Whoever has the link may accept it.
    email: String,
    /// Only `open` ones can be accepted.
    status: InvitationStatus,
    /// The roles that it brings, by name.
    roles: Vec<String>,
    /// The direct permissions that it brings.
    #[schema(value_type = Vec<String>)]
    permissions: PermissionSet,
    created_at: Timestamp,
    /// A principal's id, or `operator`.
    created_by: String,
    expires_at: Timestamp,
    accepted_at: Option<Timestamp>,
    accepted_by: Option<UserId>,
    revoked_at: Option<Timestamp>,
}

/// A new invitation, with its link.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct IssuedInvitation {
    #[serde(flatten)]
    invitation: InvitationView,
    /// For whoever is invited, shown once. Null when the request is repeated.
    #[serde(serialize_with = "in_the_clear")]
    #[schema(value_type = Option<String>)]
    url: Option<Secret>,
}

impl InvitationView {
    /// `names` are those of roles, perhaps of more than are needed. A role that is gone brings nothing and is not shown.
    fn new(invitation: Invitation, names: &HashMap<RoleId, String>, now: Timestamp) -> Self {
        let (accepted_at, accepted_by) = invitation.accepted.unzip();
        Self {
            id: invitation.id,
            organization_id: invitation.organization,
            email: invitation.email.to_string(),
            status: invitation.status(now),
            roles: invitation.roles.iter().filter_map(|id| names.get(id).cloned()).collect(),
            permissions: invitation.permissions,
            created_at: invitation.created_at,
            created_by: invitation.created_by,
            expires_at: invitation.ends_at,
            accepted_at,
            accepted_by,
            revoked_at: invitation.revoked_at,
        }
    }
}

/// Filters of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct InvitationQuery {
    /// In this state now.
    status: Option<InvitationStatus>,
    /// 1 to 200; 50 if absent.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}
list_query!(InvitationQuery);

/// List invitations
///
/// Those that ended are listed for a month.
#[utoipa::path(
    get, path = "/v1/organizations/{id}/invitations", tag = "Members", operation_id = "listInvitations",
    params(("id" = OrganizationId, Path), InvitationQuery),
    responses((status = 200, body = List<InvitationView>), (status = "4XX", body = Problem)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller<ReadMembers>,
    Id(id): Id<OrganizationId>,
    listing: Listing<InvitationQuery>,
) -> Result<Answer<List<InvitationView>>, RequestError> {
    let now = app.now();
    let mut view = app.store.within(caller.reach());
    view.organization(id).await?.ok_or(RequestError::NotFound)?;
    let filter = listing.filters.status.map(|status| InvitationStatusFilter { status, at: now });
    let found = view.invitations(id, filter, &listing.page()?).await?;
    let names = names_of_roles(&mut view, &found).await?;
    Ok(Answer(listing.list(found, |one| one.id, |one| InvitationView::new(one, &names, now))))
}

/// Invite somebody
///
/// Claviger sends no mail: hand the link to whom you invite. It makes whoever opens it a member, once, with these roles and
/// permissions, which the caller must be able to give, now and still when it is accepted.
#[utoipa::path(
    post, path = "/v1/organizations/{id}/invitations", tag = "Members", operation_id = "createInvitation",
    params(("id" = OrganizationId, Path)), request_body = NewInvitation,
    responses((status = 201, body = IssuedInvitation), (status = "4XX", body = Problem)),
)]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller<WriteMembers>,
    Id(id): Id<OrganizationId>,
    Post { body, repeatable }: Post<NewInvitation>,
) -> Result<Created<IssuedInvitation>, RequestError> {
    let Made { tx, invitation, names, code, event } = created(&app, &Authority::of(&caller), id, &body).await?;
    let location = format!("/v1/organizations/{id}/invitations/{}", invitation.id);
    let concealed = IssuedInvitation { invitation: InvitationView::new(invitation, &names, app.now()), url: None };
    let kept = repeatable.remembered(StatusCode::CREATED, Some(&location), &concealed);
    tx.commit_answering(event, kept.as_ref(), app.now(), &mut app.rng()).await?;
    Ok(Created { location, body: IssuedInvitation { url: Some(address(&app, &code)), ..concealed } })
}

/// A new invitation, with the code of its link.
pub(crate) struct Made<'a> {
    pub(crate) tx: Tx<'a>,
    pub(crate) invitation: Invitation,
    names: HashMap<RoleId, String>,
    pub(crate) code: Secret,
    pub(crate) event: Event,
}

/// Its link, which is for whoever is invited.
pub(crate) fn address(app: &App, code: &Secret) -> Secret {
    link(app, "invitation", code)
}

/// An invitation by the rules as they are inside of the transaction, which is not committed yet.
pub(crate) async fn created<'a>(
    app: &'a App,
    authority: &Authority<'a>,
    id: OrganizationId,
    body: &NewInvitation,
) -> Result<Made<'a>, RequestError> {
    let mut tx = app.store.begin(authority.by).await?;
    tx.to_change(authority.reach).organization(id).await?.ok_or(RequestError::NotFound)?;
    let wanted = Wanted { roles: Some(&body.roles), permissions: Some(&body.permissions) };
    let (mut given, mut names) = (Vec::new(), HashMap::new());
    for (granted, permissions) in targets(&mut tx, id, &wanted).await? {
        authority.grantor.may_give_for_good(&permissions, Some(id))?;
        if let Granted::Role { id, name } = &granted {
            names.insert(*id, name.clone());
        }
        given.push(granted);
    }
    let (by, now) = (&authority.by.actor, app.now());
    let (invitation, code, event) = Invitation::create(id, body, &given, by, now, &mut app.rng())?;
    if let Some(member) = tx.within(Reach::Organization(id)).user_by_email(&invitation.email).await? {
        let message = format!("the user with this address is a member already: {}", member.id);
        return Err(Rejection::Conflict { code: "already_member", message }.into());
    }
    tx.insert_invitation(&invitation, &app.peppers.digest(&code.hash())).await?;
    Ok(Made { tx, invitation, names, code, event })
}

/// Show an invitation
#[utoipa::path(
    get, path = "/v1/organizations/{id}/invitations/{invitation}", tag = "Members", operation_id = "showInvitation",
    params(("id" = OrganizationId, Path), ("invitation" = InvitationId, Path)),
    responses((status = 200, body = InvitationView), (status = "4XX", body = Problem)),
)]
pub(crate) async fn show(
    State(app): State<App>,
    caller: Caller<ReadMembers>,
    Ids(id, invitation): Ids<OrganizationId, InvitationId>,
) -> Result<Answer<InvitationView>, RequestError> {
    let mut view = app.store.within(caller.reach());
    view.organization(id).await?.ok_or(RequestError::NotFound)?;
    let found = view.invitation(invitation).await?.filter(|found| found.organization == id);
    let found = found.ok_or(RequestError::NotFound)?;
    let names = names_of_roles(&mut view, std::slice::from_ref(&found)).await?;
    Ok(Answer(InvitationView::new(found, &names, app.now())))
}

/// Take an invitation back
///
/// Its link works no more.
#[utoipa::path(
    delete, path = "/v1/organizations/{id}/invitations/{invitation}", tag = "Members", operation_id = "revokeInvitation",
    params(("id" = OrganizationId, Path), ("invitation" = InvitationId, Path)),
    responses((status = 204, description = "Taken back"), (status = "4XX", body = Problem)),
)]
pub(crate) async fn revoke(
    State(app): State<App>,
    caller: Caller<WriteMembers>,
    Ids(id, invitation): Ids<OrganizationId, InvitationId>,
) -> Result<StatusCode, RequestError> {
    let (tx, event) = revoked(&app, &Authority::of(&caller), id, invitation).await?;
    tx.commit(event, app.now(), &mut app.rng()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// An invitation as it is taken back, in a transaction that is not committed yet.
pub(crate) async fn revoked<'a>(
    app: &'a App,
    authority: &Authority<'a>,
    id: OrganizationId,
    invitation: InvitationId,
) -> Result<(Tx<'a>, Event), RequestError> {
    let mut tx = app.store.begin(authority.by).await?;
    tx.to_change(authority.reach).organization(id).await?.ok_or(RequestError::NotFound)?;
    let found = tx.to_change(Reach::Organization(id)).invitation(invitation).await?.ok_or(RequestError::NotFound)?;
    let (invitation, event) = found.revoke(app.now())?;
    tx.save_invitation(&invitation).await?;
    Ok((tx, event))
}

/// The names of the roles that they bring, as far as they are there.
pub(crate) async fn names_of_roles(
    view: &mut View<'_>,
    invitations: &[Invitation],
) -> Result<HashMap<RoleId, String>, RequestError> {
    let ids: BTreeSet<RoleId> = invitations.iter().flat_map(|invitation| invitation.roles.iter().copied()).collect();
    Ok(view.roles_by_id(ids).await?.into_iter().map(|role| (role.id, role.name)).collect())
}
