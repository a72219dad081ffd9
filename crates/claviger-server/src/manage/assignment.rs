//! `/v1/assignments`: who holds which role or permission, where.

use axum::{extract::State, http::StatusCode};
use claviger_core::{Assignment, Granted, NewAssignment, Reach, Rejection, Scope, ScopeName};
use claviger_token::{AssignmentId, OrganizationId, PrincipalId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Id,
    instance_scope::nobody_else_must_come_along,
    must_not_reach_further,
    rights::{Holder, permission, role},
};
use crate::{
    app::App,
    body::{Answer, Created, Post},
    caller::{Caller, ReadAssignments, WriteAssignments},
    listing::{List, Listing, list_query},
    problem::{Problem, RequestError},
};

/// An assignment.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Assignment)]
pub(crate) struct AssignmentView {
    id: AssignmentId,
    principal_id: PrincipalId,
    /// The principal's organization; of a user's, the one with whose membership it ends.
    organization_id: OrganizationId,
    scope: ScopeName,
    /// The role's name, or null for a direct permission.
    role: Option<String>,
    /// The permission, or null for a role.
    permission: Option<String>,
    created_at: Timestamp,
}

impl From<Assignment> for AssignmentView {
    fn from(assignment: Assignment) -> Self {
        let (role, permission) = match assignment.granted {
            Granted::Role { name, .. } => (Some(name), None),
            Granted::Permission(permission) => (None, Some(permission.to_string())),
        };
        Self {
            id: assignment.id,
            principal_id: assignment.principal,
            organization_id: assignment.home,
            scope: match assignment.scope {
                Scope::Organization(_) => ScopeName::Organization,
                Scope::Instance => ScopeName::Instance,
            },
            role,
            permission,
            created_at: assignment.created_at,
        }
    }
}

/// Filters of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AssignmentQuery {
    /// Of one organization's principals.
    organization_id: Option<OrganizationId>,
    /// Of one principal.
    principal_id: Option<PrincipalId>,
    /// 1 to 200; 50 if absent.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}
list_query!(AssignmentQuery);

/// List assignments
#[utoipa::path(
    get, path = "/v1/assignments", tag = "Roles and assignments", operation_id = "listAssignments",
    params(AssignmentQuery),
    responses((status = 200, body = List<AssignmentView>), (status = "4XX", body = Problem)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller<ReadAssignments>,
    listing: Listing<AssignmentQuery>,
) -> Result<Answer<List<AssignmentView>>, RequestError> {
    let filters = &listing.filters;
    let mut view = app.store.within(caller.reach());
    let found = view.assignments(filters.organization_id, filters.principal_id, &listing.page()?).await?;
    Ok(Answer(listing.list(found, |assignment| assignment.id, AssignmentView::from)))
}

/// Give a role or a permission
///
/// One can give what one holds, or anything with `claviger:grants:write`. Instance scope is given only by
/// somebody who holds `claviger:assignments:write` with instance scope.
#[utoipa::path(
    post, path = "/v1/assignments", tag = "Roles and assignments", operation_id = "createAssignment",
    request_body = NewAssignment,
    responses((status = 201, body = AssignmentView), (status = "4XX", body = Problem)),
)]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller<WriteAssignments>,
    Post { body, repeatable }: Post<NewAssignment>,
) -> Result<Created<AssignmentView>, RequestError> {
    if body.scope == ScopeName::Instance {
        caller.must_reach_instance()?;
    }
    let mut tx = app.store.begin(caller.by()).await?;
    let Holder { principal, home } = holder(&mut tx.to_change(caller.reach()), &body).await?;
    let (granted, permissions) = match (&body.role, &body.permission) {
        // With instance scope only the instance's roles: an organization could widen one of its own afterwards.
        (Some(called), None) => {
            let owner = (body.scope == ScopeName::Organization).then_some(home);
            role(&mut tx, owner, called, "/role").await?
        }
        (None, Some(name)) => {
            permission(&tx.within(caller.reach()).declared_permissions().await?, name, "/permission")?
        }
        (Some(_), Some(_)) | (None, None) => {
            return Err(Rejection::field("", "one_of", "name a role or a permission, one of the two").into());
        }
    };
    let scope = match body.scope {
        ScopeName::Organization => Scope::Organization(home),
        ScopeName::Instance => Scope::Instance,
    };
    caller.grantor().may_give_for_good(&permissions, scope.organization())?;
    let held = tx.within(Reach::Instance).assignments_of(principal).await?;
    if held.iter().any(|assignment| assignment.granted == granted && assignment.scope == scope) {
        let message = "the principal holds this already".to_owned();
        return Err(Rejection::Conflict { code: "taken", message }.into());
    }
    if scope == Scope::Instance {
        nobody_else_must_come_along(&mut tx, principal, &permissions, app.now()).await?;
    }
    let (assignment, event) = Assignment::create(principal, home, scope, granted, app.now(), &mut app.rng());
    tx.insert_assignment(&assignment).await?;
    let location = format!("/v1/assignments/{}", assignment.id);
    let body = AssignmentView::from(assignment);
    let kept = repeatable.remembered(StatusCode::CREATED, Some(&location), &body);
    tx.commit_answering(event, kept.as_ref(), app.now(), &mut app.rng()).await?;
    Ok(Created { location, body })
}

/// Show an assignment
#[utoipa::path(
    get, path = "/v1/assignments/{id}", tag = "Roles and assignments", operation_id = "showAssignment",
    params(("id" = AssignmentId, Path)),
    responses((status = 200, body = AssignmentView), (status = "4XX", body = Problem)),
)]
pub(crate) async fn show(
    State(app): State<App>,
    caller: Caller<ReadAssignments>,
    Id(id): Id<AssignmentId>,
) -> Result<Answer<AssignmentView>, RequestError> {
    let found = app.store.within(caller.reach()).assignment(id).await?;
    found.map(|assignment| Answer(assignment.into())).ok_or(RequestError::NotFound)
}

/// Take a role or a permission away
///
/// Every credential of the principal loses it at once.
#[utoipa::path(
    delete, path = "/v1/assignments/{id}", tag = "Roles and assignments", operation_id = "deleteAssignment",
    params(("id" = AssignmentId, Path)),
    responses((status = 204, description = "Taken away"), (status = "4XX", body = Problem)),
)]
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Caller<WriteAssignments>,
    Id(id): Id<AssignmentId>,
) -> Result<StatusCode, RequestError> {
    let mut tx = app.store.begin(caller.by()).await?;
    let assignment = tx.within(caller.reach()).assignment(id).await?.ok_or(RequestError::NotFound)?;
    if assignment.scope == Scope::Instance {
        caller.must_reach_instance()?;
    }
    must_not_reach_further(&caller, &mut tx, assignment.principal).await?;
    if !tx.delete_assignment(id).await? {
        return Err(RequestError::NotFound);
    }
    tx.commit(assignment.delete(), app.now(), &mut app.rng()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A principal that the caller can see, in one of its organizations.
async fn holder(view: &mut claviger_store::View<'_>, body: &NewAssignment) -> Result<Holder, RequestError> {
    let named = |pointer, code, message| RequestError::from(Rejection::field(pointer, code, message));
    let unknown = || named("/principal_id", "unknown_principal", "there is no such principal, or not for you");
    let home = match body.principal_id {
        PrincipalId::ServiceAccount(id) => {
            let home = view.service_account(id).await?.ok_or_else(unknown)?.organization;
            if body.organization_id.is_some_and(|organization| organization != home) {
                let message = "the service account belongs to another organization, and only there; leave this out";
                return Err(named("/organization_id", "other_organization", message));
            }
            home
        }
        PrincipalId::User(id) => {
            // Locked: whoever leaves meanwhile takes along what is given here, or it is not given.
            let user = view.user(id).await?.ok_or_else(unknown)?;
            let Some(home) = body.organization_id else {
                return Err(named("/organization_id", "required", "name one of the user's organizations"));
            };
            if view.membership(home, user.id).await?.is_none() {
                let message = "the user is not a member of this organization, or it is not for you";
                return Err(named("/organization_id", "not_a_member", message));
            }
            home
        }
    };
    Ok(Holder { principal: body.principal_id, home })
}
