//! `/v1/organizations/{id}/members`: who belongs to an organization, and what they hold there.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use claviger_core::{Assignment, Event, MemberRights, Membership, Reach, Scope, names_in};
use claviger_store::{Member, Tx};
use claviger_token::{OrganizationId, UserId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Authority, Id, Ids,
    rights::{Holder, Wanted, set_rights},
};
use crate::{
    app::App,
    body::{Answer, Created, Json},
    caller::{Caller, ReadMembers, WriteMembers},
    listing::{List, Listing, list_query},
    problem::{Problem, RequestError},
};

/// A member of an organization.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Member)]
pub(crate) struct MemberView {
    organization_id: OrganizationId,
    user_id: UserId,
    email: String,
    /// Whether the address is only claimed: whoever accepted an invitation to it has it, and nobody has shown that it is theirs.
    email_claimed: bool,
    name: Option<String>,
    external_id: Option<String>,
    /// Whether the user is disabled, wherever they belong.
    disabled: bool,
    /// Roles in this organization, by name.
    roles: Vec<String>,
    /// Direct permissions in this organization.
    permissions: Vec<String>,
    /// Since when they belong to it.
    created_at: Timestamp,
}

impl MemberView {
    /// `assignments` may be those of others too.
    fn new(member: Member, assignments: &[Assignment]) -> Self {
        let Member { membership, user } = member;
        let own: Vec<Assignment> =
            assignments.iter().filter(|assignment| assignment.principal == user.id.into()).cloned().collect();
        let (roles, permissions) = names_in(&own, Scope::Organization(membership.organization));
        let owned = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect();
        Self {
            organization_id: membership.organization,
            user_id: user.id,
            email: user.email.to_string(),
            email_claimed: user.email_claimed,
            name: user.name.map(|name| name.to_string()),
            external_id: user.external_id,
            disabled: user.disabled_at.is_some(),
            roles: owned(roles),
            permissions: owned(permissions),
            created_at: membership.created_at,
        }
    }
}

/// Filters of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct MemberQuery {
    /// In address, name or external id.
    q: Option<String>,
    /// 1 to 200; 50 if absent.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}
list_query!(MemberQuery);

/// List members
#[utoipa::path(
    get, path = "/v1/organizations/{id}/members", tag = "Members", operation_id = "listMembers",
    params(("id" = OrganizationId, Path), MemberQuery),
    responses((status = 200, body = List<MemberView>), (status = "4XX", body = Problem)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller<ReadMembers>,
    Id(id): Id<OrganizationId>,
    listing: Listing<MemberQuery>,
) -> Result<Answer<List<MemberView>>, RequestError> {
    let mut view = app.store.within(caller.reach());
    view.organization(id).await?.ok_or(RequestError::NotFound)?;
    let found = view.members(id, listing.filters.q.as_deref(), &listing.page()?).await?;
    let assignments = view.assignments_in(id, found.iter().map(|member| member.user.id.into())).await?;
    Ok(Answer(listing.list(found, |member| member.user.id, |member| MemberView::new(member, &assignments))))
}

/// Show a member
#[utoipa::path(
    get, path = "/v1/organizations/{id}/members/{user}", tag = "Members", operation_id = "showMember",
    params(("id" = OrganizationId, Path), ("user" = UserId, Path)),
    responses((status = 200, body = MemberView), (status = "4XX", body = Problem)),
)]
pub(crate) async fn show(
    State(app): State<App>,
    caller: Caller<ReadMembers>,
    Ids(id, user): Ids<OrganizationId, UserId>,
) -> Result<Answer<MemberView>, RequestError> {
    let mut view = app.store.within(caller.reach());
    view.organization(id).await?.ok_or(RequestError::NotFound)?;
    let membership = view.membership(id, user).await?.ok_or(RequestError::NotFound)?;
    let user = view.user(user).await?.ok_or(RequestError::NotFound)?;
    let assignments = view.assignments_in(id, [user.id.into()]).await?;
    Ok(Answer(MemberView::new(Member { membership, user }, &assignments)))
}

/// Add a member, or change what one holds
///
/// `roles` and `permissions` are all that the user holds there from now on. What they lose, their tokens lose at once.
/// Whoever reaches one organization only changes its members, and adds new ones by an invitation.
#[utoipa::path(
    put, path = "/v1/organizations/{id}/members/{user}", tag = "Members", operation_id = "putMember",
    params(("id" = OrganizationId, Path), ("user" = UserId, Path)), request_body = MemberRights,
    responses(
        (status = 200, description = "Changed", body = MemberView), (status = 201, description = "Added", body = MemberView),
        (status = "4XX", body = Problem),
    ),
)]
pub(crate) async fn put(
    State(app): State<App>,
    caller: Caller<WriteMembers>,
    Ids(id, user): Ids<OrganizationId, UserId>,
    Json(rights): Json<MemberRights>,
) -> Result<Response, RequestError> {
    let authority = Authority::of(&caller);
    let Changed { tx, member, holds, event, is_new, .. } = changed(&app, &authority, id, user, &rights).await?;
    tx.commit(event, app.now(), &mut app.rng()).await?;
    let location = format!("/v1/organizations/{id}/members/{}", member.user.id);
    let body = MemberView::new(member, &holds);
    Ok(if is_new { Created { location, body }.into_response() } else { Answer(body).into_response() })
}

/// A member with other rights than before, or a new one.
pub(crate) struct Changed<'a> {
    pub(crate) tx: Tx<'a>,
    pub(crate) member: Member,
    /// What they held there until now.
    pub(crate) held: Vec<Assignment>,
    /// What they hold there from now on.
    pub(crate) holds: Vec<Assignment>,
    pub(crate) event: Event,
    /// Whether they were none before.
    pub(crate) is_new: bool,
}

/// A member as they are changed or added, in a transaction that is not committed yet.
pub(crate) async fn changed<'a>(
    app: &'a App,
    authority: &Authority<'a>,
    id: OrganizationId,
    user: UserId,
    rights: &MemberRights,
) -> Result<Changed<'a>, RequestError> {
    let mut tx = app.store.begin(authority.by).await?;
    // First the user and then the organization, here and wherever both are changed, so that nobody waits in a circle.
    let user = tx.to_change(authority.reach).user(user).await?.ok_or(RequestError::NotFound)?;
    tx.to_change(authority.reach).organization(id).await?.ok_or(RequestError::NotFound)?;
    authority.must_not_reach_further(&mut tx, user.id.into()).await?;
    let mut here = tx.within(Reach::Organization(id));
    let before = here.membership(id, user.id).await?;
    if before.is_none() && authority.reach != Reach::Instance {
        // Who left while this waited was a member when it began.
        return Err(RequestError::NotFound);
    }
    let held = here.assignments_of(user.id.into()).await?;
    let wanted = Wanted { roles: Some(&rights.roles), permissions: Some(&rights.permissions) };
    let holder = Holder { principal: user.id.into(), home: id };
    let holds = set_rights(app, &mut tx, holder, held.clone(), wanted, authority.grantor).await?;
    let is_new = before.is_none();
    let (membership, event) = match before {
        Some(membership) => {
            let event = membership.change(&held, &holds);
            (membership, event)
        }
        None => Membership::join(id, user.id, &holds, app.now()),
    };
    if is_new {
        tx.insert_membership(&membership).await?;
    }
    Ok(Changed { tx, member: Member { membership, user }, held, holds, event, is_new })
}

/// Remove a member
///
/// What the user holds there and every token that they have there end, for good: coming back brings neither back.
#[utoipa::path(
    delete, path = "/v1/organizations/{id}/members/{user}", tag = "Members", operation_id = "removeMember",
    params(("id" = OrganizationId, Path), ("user" = UserId, Path)),
    responses((status = 204, description = "Gone"), (status = "4XX", body = Problem)),
)]
pub(crate) async fn remove(
    State(app): State<App>,
    caller: Caller<WriteMembers>,
    Ids(id, user): Ids<OrganizationId, UserId>,
) -> Result<StatusCode, RequestError> {
    let (tx, event) = removed(&app, &Authority::of(&caller), id, user).await?;
    tx.commit(event, app.now(), &mut app.rng()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The end of a membership, in a transaction that is not committed yet.
pub(crate) async fn removed<'a>(
    app: &'a App,
    authority: &Authority<'a>,
    id: OrganizationId,
    user: UserId,
) -> Result<(Tx<'a>, Event), RequestError> {
    let mut tx = app.store.begin(authority.by).await?;
    let user = tx.to_change(authority.reach).user(user).await?.ok_or(RequestError::NotFound)?;
    tx.to_change(authority.reach).organization(id).await?.ok_or(RequestError::NotFound)?;
    let mut here = tx.within(Reach::Organization(id));
    let membership = here.membership(id, user.id).await?.ok_or(RequestError::NotFound)?;
    let held = here.assignments_of(user.id.into()).await?;
    authority.must_not_reach_further(&mut tx, user.id.into()).await?;
    let ended = tx.end_membership(&membership, app.now()).await?;
    Ok((tx, membership.leave(&held).ending(&ended)))
}
