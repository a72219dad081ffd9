//! `/v1/roles`: named sets of permissions, of an organization or of the instance.

use axum::{extract::State, http::StatusCode};
use claviger_core::{Event, NewRole, Reach, Rejection, Role, RoleChanges};
use claviger_store::Tx;
use claviger_token::{OrganizationId, PermissionSet, PrincipalId, RoleId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Authority, Id, instance_scope::nobody_else_must_come_along};
use crate::{
    app::App,
    body::{Answer, Created, Json, Post},
    caller::{Caller, ReadRoles, WriteRoles},
    listing::{List, Listing, list_query},
    problem::{Problem, RequestError},
};

/// A role.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Role)]
pub(crate) struct RoleView {
    id: RoleId,
    /// Null for a role of the instance.
    organization_id: Option<OrganizationId>,
    name: String,
    description: Option<String>,
    permissions: PermissionSet,
    /// Whether Claviger brought it; such a role cannot be changed.
    builtin: bool,
    created_at: Timestamp,
}

impl From<Role> for RoleView {
    fn from(role: Role) -> Self {
        Self {
            id: role.id,
            organization_id: role.organization,
            name: role.name,
            description: role.description,
            permissions: role.permissions,
            builtin: role.builtin,
            created_at: role.created_at,
        }
    }
}

/// Filters of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RoleQuery {
    /// Those usable in one organization.
    organization_id: Option<OrganizationId>,
    /// In the name.
    q: Option<String>,
    /// 1 to 200; 50 if absent.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}
list_query!(RoleQuery);

/// List roles
#[utoipa::path(
    get, path = "/v1/roles", tag = "Roles and assignments", operation_id = "listRoles",
    params(RoleQuery),
    responses((status = 200, body = List<RoleView>), (status = "4XX", body = Problem)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller<ReadRoles>,
    listing: Listing<RoleQuery>,
) -> Result<Answer<List<RoleView>>, RequestError> {
    let filters = &listing.filters;
    let mut view = app.store.within(caller.reach());
    let found = view.roles(filters.organization_id, filters.q.as_deref(), &listing.page()?).await?;
    Ok(Answer(listing.list(found, |role| role.id, RoleView::from)))
}

/// Make a role
#[utoipa::path(
    post, path = "/v1/roles", tag = "Roles and assignments", operation_id = "createRole",
    request_body = NewRole,
    responses((status = 201, body = RoleView), (status = "4XX", body = Problem)),
)]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller<WriteRoles>,
    Post { body, repeatable }: Post<NewRole>,
) -> Result<Created<RoleView>, RequestError> {
    let (tx, role, event) = created(&app, &Authority::of(&caller), body).await?;
    let location = format!("/v1/roles/{}", role.id);
    let body = RoleView::from(role);
    let kept = repeatable.remembered(StatusCode::CREATED, Some(&location), &body);
    tx.commit_answering(event, kept.as_ref(), app.now(), &mut app.rng()).await?;
    Ok(Created { location, body })
}

/// A new role, in a transaction that is not committed yet.
pub(crate) async fn created<'a>(
    app: &'a App,
    authority: &Authority<'a>,
    body: NewRole,
) -> Result<(Tx<'a>, Role, Event), RequestError> {
    let mut tx = app.store.begin(authority.by).await?;
    match body.organization_id {
        None => authority.must_reach_instance()?,
        Some(id) => {
            if tx.within(authority.reach).organization(id).await?.is_none() {
                let message = "there is no such organization, or not for you";
                return Err(Rejection::field("/organization_id", "unknown_organization", message).into());
            }
        }
    }
    let declared = tx.within(authority.reach).declared_permissions().await?;
    let (role, event) = Role::create(body, &declared, app.now(), &mut app.rng())?;
    authority.grantor.may_give(&role.permissions, role.organization)?;
    must_be_free(tx.within(Reach::Instance).role_called(&role.name, role.organization).await?.as_ref())?;
    tx.insert_role(&role).await?;
    Ok((tx, role, event))
}

/// Show a role
#[utoipa::path(
    get, path = "/v1/roles/{id}", tag = "Roles and assignments", operation_id = "showRole",
    params(("id" = RoleId, Path)),
    responses((status = 200, body = RoleView), (status = "4XX", body = Problem)),
)]
pub(crate) async fn show(
    State(app): State<App>,
    caller: Caller<ReadRoles>,
    Id(id): Id<RoleId>,
) -> Result<Answer<RoleView>, RequestError> {
    let found = app.store.within(caller.reach()).role(id).await?;
    found.map(|role| Answer(role.into())).ok_or(RequestError::NotFound)
}

/// Change a role
///
/// Everybody who has it gains or loses at once.
#[utoipa::path(
    patch, path = "/v1/roles/{id}", tag = "Roles and assignments", operation_id = "updateRole",
    params(("id" = RoleId, Path)), request_body = RoleChanges,
    responses((status = 200, body = RoleView), (status = "4XX", body = Problem)),
)]
pub(crate) async fn update(
    State(app): State<App>,
    caller: Caller<WriteRoles>,
    Id(id): Id<RoleId>,
    Json(changes): Json<RoleChanges>,
) -> Result<Answer<RoleView>, RequestError> {
    let Updated { tx, role, event, .. } = updated(&app, &Authority::of(&caller), id, changes).await?;
    tx.commit(event, app.now(), &mut app.rng()).await?;
    Ok(Answer(role.into()))
}

/// A role that is changed.
pub(crate) struct Updated<'a> {
    pub(crate) tx: Tx<'a>,
    /// As it was, locked.
    pub(crate) old: Role,
    pub(crate) role: Role,
    pub(crate) event: Event,
}

/// A role as it is changed, in a transaction that is not committed yet.
pub(crate) async fn updated<'a>(
    app: &'a App,
    authority: &Authority<'a>,
    id: RoleId,
    changes: RoleChanges,
) -> Result<Updated<'a>, RequestError> {
    let mut tx = app.store.begin(authority.by).await?;
    // Locked before the role, and in one order: whoever makes a credential of theirs meanwhile waits, or made it before.
    for holder in tx.within(Reach::Instance).who_has_everywhere(id).await? {
        let mut view = tx.to_change(Reach::Instance);
        match holder {
            PrincipalId::User(user) => drop(view.user(user).await?),
            PrincipalId::ServiceAccount(account) => drop(view.service_account(account).await?),
        }
    }
    let old = tx.to_change(authority.reach).role(id).await?.ok_or(RequestError::NotFound)?;
    must_be_own(authority, &old)?;
    let declared = tx.within(authority.reach).declared_permissions().await?;
    let (role, event) = old.clone().update(changes, &declared)?;
    let gained = role.permissions.difference(&old.permissions);
    authority.grantor.may_give_for_good(&gained, role.organization)?;
    if !gained.is_empty() {
        for holder in tx.within(Reach::Instance).who_has_everywhere(id).await? {
            nobody_else_must_come_along(&mut tx, holder, &gained, app.now()).await?;
        }
    }
    if role.name != old.name {
        must_be_free(tx.within(Reach::Instance).role_called(&role.name, role.organization).await?.as_ref())?;
    }
    tx.save_role(&role).await?;
    Ok(Updated { tx, old, role, event })
}

/// Delete a role
///
/// Everybody who has it loses it at once.
#[utoipa::path(
    delete, path = "/v1/roles/{id}", tag = "Roles and assignments", operation_id = "deleteRole",
    params(("id" = RoleId, Path)),
    responses((status = 204, description = "Gone"), (status = "4XX", body = Problem)),
)]
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Caller<WriteRoles>,
    Id(id): Id<RoleId>,
) -> Result<StatusCode, RequestError> {
    let (tx, event) = deleted(&app, &Authority::of(&caller), id).await?;
    tx.commit(event, app.now(), &mut app.rng()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The end of a role, in a transaction that is not committed yet.
pub(crate) async fn deleted<'a>(
    app: &'a App,
    authority: &Authority<'a>,
    id: RoleId,
) -> Result<(Tx<'a>, Event), RequestError> {
    let mut tx = app.store.begin(authority.by).await?;
    let role = tx.to_change(authority.reach).role(id).await?.ok_or(RequestError::NotFound)?;
    must_be_own(authority, &role)?;
    let event = role.delete()?;
    tx.delete_role(id).await?;
    Ok((tx, event))
}

/// Everybody sees the instance's roles; only who reaches the instance changes them.
fn must_be_own(authority: &Authority<'_>, role: &Role) -> Result<(), RequestError> {
    if role.organization.is_none() { authority.must_reach_instance() } else { Ok(()) }
}

/// A name means one role wherever it can be used: an organization cannot take one of the instance's.
fn must_be_free(taken: Option<&Role>) -> Result<(), RequestError> {
    match taken {
        None => Ok(()),
        Some(_) => {
            let message = "another role has this name already; choose another".to_owned();
            Err(Rejection::Conflict { code: "taken", message }.into())
        }
    }
}
