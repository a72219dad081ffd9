//! `/v1/service-accounts`. Their roles and permissions are assignments in their own organization.

use axum::{extract::State, http::StatusCode};
use claviger_core::{
    Assignment, Granted, Grantor, NewServiceAccount, Reach, Rejection, Scope, ServiceAccount, ServiceAccountChanges,
};
use claviger_store::Tx;
use claviger_token::{OrganizationId, Permission, PermissionSet, Quota, RateLimit, ServiceAccountId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use super::{Id, must_be_few, must_not_reach_further, shown};
use crate::{
    app::App,
    body::{Answer, Created, Json, Post},
    caller::{Caller, ReadServiceAccounts, WriteServiceAccounts},
    listing::{List, Listing, list_query},
    problem::{Problem, RequestError},
};

/// A service account.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ServiceAccount)]
pub(crate) struct ServiceAccountView {
    /// Also its `client_id`.
    id: ServiceAccountId,
    organization_id: OrganizationId,
    name: String,
    external_id: Option<String>,
    /// Its roles in its organization, by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    roles: Option<Vec<String>>,
    /// Its direct permissions in its organization.
    #[serde(skip_serializing_if = "Option::is_none")]
    permissions: Option<Vec<String>>,
    /// Null if it has none.
    rate_limits: Option<Vec<RateLimit>>,
    /// Null if it has none.
    quota: Option<Quota>,
    #[schema(value_type = Object)]
    metadata: Box<RawValue>,
    disabled: bool,
    created_at: Timestamp,
}

impl From<ServiceAccount> for ServiceAccountView {
    fn from(account: ServiceAccount) -> Self {
        Self {
            id: account.id,
            organization_id: account.organization,
            name: account.name.to_string(),
            external_id: account.external_id,
            roles: None,
            permissions: None,
            rate_limits: shown(account.limits.rates),
            quota: account.limits.quota,
            metadata: account.metadata.raw().to_owned(),
            disabled: account.disabled_at.is_some(),
            created_at: account.created_at,
        }
    }
}

impl ServiceAccountView {
    fn with_rights(self, assignments: &[Assignment]) -> Self {
        let here = |assignment: &&Assignment| assignment.scope == Scope::Organization(self.organization_id);
        let (mut roles, mut permissions) = (Vec::new(), Vec::new());
        for assignment in assignments.iter().filter(here) {
            match &assignment.granted {
                Granted::Role { name, .. } => roles.push(name.clone()),
                Granted::Permission(permission) => permissions.push(permission.to_string()),
            }
        }
        Self { roles: Some(roles), permissions: Some(permissions), ..self }
    }
}

/// Filters of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ServiceAccountQuery {
    /// Of one organization.
    organization_id: Option<OrganizationId>,
    /// In name or external id.
    q: Option<String>,
    /// 1 to 200; 50 if absent.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}
list_query!(ServiceAccountQuery);

/// List service accounts
///
/// Roles and permissions stand in the detail only.
#[utoipa::path(
    get, path = "/v1/service-accounts", tag = "Service accounts", operation_id = "listServiceAccounts",
    params(ServiceAccountQuery),
    responses((status = 200, body = List<ServiceAccountView>), (status = "4XX", body = Problem)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller<ReadServiceAccounts>,
    listing: Listing<ServiceAccountQuery>,
) -> Result<Answer<List<ServiceAccountView>>, RequestError> {
    let filters = &listing.filters;
    let mut view = app.store.within(caller.reach());
    let found = view.service_accounts(filters.organization_id, filters.q.as_deref(), &listing.page()?).await?;
    Ok(Answer(listing.list(found, |account| account.id, ServiceAccountView::from)))
}

/// Make a service account
#[utoipa::path(
    post, path = "/v1/service-accounts", tag = "Service accounts", operation_id = "createServiceAccount",
    request_body = NewServiceAccount,
    responses((status = 201, body = ServiceAccountView), (status = "4XX", body = Problem)),
)]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller<WriteServiceAccounts>,
    Post { body, repeatable }: Post<NewServiceAccount>,
) -> Result<Created<ServiceAccountView>, RequestError> {
    let mut tx = app.store.begin(caller.by()).await?;
    if tx.within(caller.reach()).organization(body.organization_id).await?.is_none() {
        let message = "there is no such organization, or not for you";
        return Err(Rejection::field("/organization_id", "unknown_organization", message).into());
    }
    let (account, event) = ServiceAccount::create(&body, app.now(), &mut app.rng())?;
    tx.insert_service_account(&account).await?;
    let wanted = Wanted { roles: Some(&body.roles), permissions: Some(&body.permissions) };
    let assignments = set_rights(&app, &mut tx, &account, Vec::new(), wanted, caller.grantor()).await?;
    let location = format!("/v1/service-accounts/{}", account.id);
    let body = ServiceAccountView::from(account).with_rights(&assignments);
    let kept = repeatable.remembered(StatusCode::CREATED, Some(&location), &body);
    tx.commit_answering(event, kept.as_ref(), app.now(), &mut app.rng()).await?;
    Ok(Created { location, body })
}

/// Show a service account
#[utoipa::path(
    get, path = "/v1/service-accounts/{id}", tag = "Service accounts", operation_id = "showServiceAccount",
    params(("id" = ServiceAccountId, Path)),
    responses((status = 200, body = ServiceAccountView), (status = "4XX", body = Problem)),
)]
pub(crate) async fn show(
    State(app): State<App>,
    caller: Caller<ReadServiceAccounts>,
    Id(id): Id<ServiceAccountId>,
) -> Result<Answer<ServiceAccountView>, RequestError> {
    let mut view = app.store.within(caller.reach());
    let account = view.service_account(id).await?.ok_or(RequestError::NotFound)?;
    let assignments = view.assignments_of(id.into()).await?;
    Ok(Answer(ServiceAccountView::from(account).with_rights(&assignments)))
}

/// Change a service account
///
/// `roles` and `permissions` replace what it has in its organization. What it loses, all its credentials lose at once.
#[utoipa::path(
    patch, path = "/v1/service-accounts/{id}", tag = "Service accounts", operation_id = "updateServiceAccount",
    params(("id" = ServiceAccountId, Path)), request_body = ServiceAccountChanges,
    responses((status = 200, body = ServiceAccountView), (status = "4XX", body = Problem)),
)]
pub(crate) async fn update(
    State(app): State<App>,
    caller: Caller<WriteServiceAccounts>,
    Id(id): Id<ServiceAccountId>,
    Json(changes): Json<ServiceAccountChanges>,
) -> Result<Answer<ServiceAccountView>, RequestError> {
    let mut tx = app.store.begin(caller.by()).await?;
    let account = tx.to_change(caller.reach()).service_account(id).await?.ok_or(RequestError::NotFound)?;
    must_not_reach_further(&caller, &mut tx, id.into()).await?;
    if changes.disabled == Some(false) && account.disabled_at.is_some() {
        // What comes back to life is given again.
        let held = tx.within(caller.reach()).held(id.into(), account.organization).await?;
        caller.grantor().may_give(&held, Some(account.organization))?;
    }
    let held = tx.within(Reach::Organization(account.organization)).assignments_of(id.into()).await?;
    let limits = account.limits.clone();
    let (account, event) = account.update(&changes, &held, app.now())?;
    if !account.limits.is_within(&limits) {
        caller.grantor().may_lift_limits(account.organization)?;
    }
    tx.save_service_account(&account).await?;
    let wanted = Wanted { roles: changes.roles.as_deref(), permissions: changes.permissions.as_deref() };
    let assignments = set_rights(&app, &mut tx, &account, held, wanted, caller.grantor()).await?;
    tx.commit(event, app.now(), &mut app.rng()).await?;
    Ok(Answer(ServiceAccountView::from(account).with_rights(&assignments)))
}

/// Delete a service account
///
/// Every credential of it ends, for good.
#[utoipa::path(
    delete, path = "/v1/service-accounts/{id}", tag = "Service accounts", operation_id = "deleteServiceAccount",
    params(("id" = ServiceAccountId, Path)),
    responses((status = 204, description = "Gone"), (status = "4XX", body = Problem)),
)]
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Caller<WriteServiceAccounts>,
    Id(id): Id<ServiceAccountId>,
) -> Result<StatusCode, RequestError> {
    let mut tx = app.store.begin(caller.by()).await?;
    let account = tx.to_change(caller.reach()).service_account(id).await?.ok_or(RequestError::NotFound)?;
    must_not_reach_further(&caller, &mut tx, id.into()).await?;
    let (account, event) = account.delete(app.now());
    tx.save_service_account(&account).await?;
    let ended = tx.end_all_of_service_account(id, app.now()).await?;
    tx.commit(event.ending(&ended), app.now(), &mut app.rng()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What somebody wants a service account to hold in its organization; `None` leaves it.
struct Wanted<'a> {
    roles: Option<&'a [String]>,
    permissions: Option<&'a [String]>,
}

/// Makes the assignments in the account's organization those that are wanted, out of those that it has (`held`), if the
/// grantor may give what is new.
async fn set_rights(
    app: &App,
    tx: &mut Tx<'_>,
    account: &ServiceAccount,
    held: Vec<Assignment>,
    wanted: Wanted<'_>,
    grantor: Grantor<'_>,
) -> Result<Vec<Assignment>, RequestError> {
    let home = account.organization;
    let here = |assignment: &Assignment| assignment.scope == Scope::Organization(home);
    must_be_few("/roles", wanted.roles.unwrap_or_default().len())?;
    must_be_few("/permissions", wanted.permissions.unwrap_or_default().len())?;
    let mut targets = Vec::new();
    for (index, called) in wanted.roles.unwrap_or_default().iter().enumerate() {
        targets.push(role(tx, Some(home), called, &format!("/roles/{index}")).await?);
    }
    let declared = tx.within(Reach::Organization(home)).declared_permissions().await?;
    for (index, name) in wanted.permissions.unwrap_or_default().iter().enumerate() {
        targets.push(permission(&declared, name, &format!("/permissions/{index}"))?);
    }
    let mut kept = Vec::new();
    for assignment in held {
        let named = match &assignment.granted {
            Granted::Role { .. } => wanted.roles.is_some(),
            Granted::Permission(_) => wanted.permissions.is_some(),
        };
        if here(&assignment) && named && !targets.iter().any(|(granted, _)| *granted == assignment.granted) {
            tx.delete_assignment(assignment.id).await?;
        } else {
            kept.push(assignment);
        }
    }
    for (granted, permissions) in targets {
        if kept.iter().any(|assignment| here(assignment) && assignment.granted == granted) {
            continue;
        }
        grantor.may_give(&permissions, Some(home))?;
        let scope = Scope::Organization(home);
        let (assignment, _) = Assignment::create(account.id.into(), home, scope, granted, app.now(), &mut app.rng());
        tx.insert_assignment(&assignment).await?;
        kept.push(assignment);
    }
    Ok(kept)
}

/// A role by name or id, with what it holds: one of the organization's or the instance's, or (`None`) the instance's only.
pub(super) async fn role(
    tx: &mut Tx<'_>,
    organization: Option<OrganizationId>,
    called: &str,
    pointer: &str,
) -> Result<(Granted, PermissionSet), RequestError> {
    let reach = organization.map_or(Reach::Instance, Reach::Organization);
    let role = tx.within(reach).role_called(called, organization).await?;
    let role = role.ok_or_else(|| {
        Rejection::field(pointer, "unknown_role", "there is no such role here; GET /v1/roles lists what there is")
    })?;
    Ok((Granted::Role { id: role.id, name: role.name }, role.permissions))
}

/// A permission that some API declares.
pub(super) fn permission(
    declared: &PermissionSet,
    name: &str,
    pointer: &str,
) -> Result<(Granted, PermissionSet), RequestError> {
    let permission: Permission =
        name.parse().map_err(|error| Rejection::field(pointer, "invalid_permission", format!("{error}")))?;
    if !declared.contains(name) {
        let message = format!("no API declares {name}; GET /v1/apis lists what there is");
        return Err(Rejection::field(pointer, "unknown_permission", message).into());
    }
    Ok((Granted::Permission(permission.clone()), std::iter::once(permission).collect()))
}
