//! `/v1/service-accounts`. Their roles and permissions are assignments in their own organization.

use axum::{extract::State, http::StatusCode};
use claviger_core::{
    Assignment, Event, Grantor, NewServiceAccount, Reach, Rejection, Scope, ServiceAccount, ServiceAccountChanges,
    names_in,
};
use claviger_store::{Narrowed, Tx};
use claviger_token::{ClientAuthMethod, GrantTypes, OrganizationId, Quota, RateLimit, ServiceAccountId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use super::{
    Authority, Id,
    rights::{Holder, Wanted, set_rights},
    shown,
};
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
    /// The one way in which it authenticates at the token endpoint; null: by whatever it holds.
    token_endpoint_auth_method: Option<ClientAuthMethod>,
    /// Whether its assertions may name the token endpoint's address as their audience.
    legacy_assertion_audience: bool,
    /// Whether it gets no tokens but those that are bound to a key (RFC 9449).
    dpop_bound_access_tokens: bool,
    /// The grants that it may use at the token endpoint, of a client that registered itself; null: those that there are.
    #[schema(value_type = Option<Vec<String>>)]
    grant_types: Option<GrantTypes>,
    /// Whether it gets no tokens but those that are bound to its certificate (RFC 8705).
    tls_client_certificate_bound_access_tokens: bool,
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
            token_endpoint_auth_method: account.token_endpoint_auth_method,
            legacy_assertion_audience: account.legacy_assertion_audience,
            dpop_bound_access_tokens: account.dpop_bound_access_tokens,
            grant_types: account.grant_types,
            tls_client_certificate_bound_access_tokens: account.tls_client_certificate_bound_access_tokens,
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
        let (roles, permissions) = names_in(assignments, Scope::Organization(self.organization_id));
        let owned = |names: Vec<&str>| Some(names.into_iter().map(str::to_owned).collect());
        Self { roles: owned(roles), permissions: owned(permissions), ..self }
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
    let (account, assignments, event) = created(&app, &mut tx, caller.reach(), caller.grantor(), &body).await?;
    let location = format!("/v1/service-accounts/{}", account.id);
    let body = ServiceAccountView::from(account).with_rights(&assignments);
    let kept = repeatable.remembered(StatusCode::CREATED, Some(&location), &body);
    tx.commit_answering(event, kept.as_ref(), app.now(), &mut app.rng()).await?;
    Ok(Created { location, body })
}

/// A new one by the rules as they are inside of the transaction, which is not committed yet.
pub(crate) async fn created(
    app: &App,
    tx: &mut Tx<'_>,
    reach: Reach,
    grantor: Grantor<'_>,
    body: &NewServiceAccount,
) -> Result<(ServiceAccount, Vec<Assignment>, Event), RequestError> {
    if tx.within(reach).organization(body.organization_id).await?.is_none() {
        let message = "there is no such organization, or not for you";
        return Err(Rejection::field("/organization_id", "unknown_organization", message).into());
    }
    let (account, event) = ServiceAccount::create(body, app.now(), &mut app.rng())?;
    tx.insert_service_account(&account).await?;
    let wanted = Wanted { roles: Some(&body.roles), permissions: Some(&body.permissions) };
    let assignments = set_rights(app, tx, holder(&account), Vec::new(), wanted, grantor).await?;
    Ok((account, assignments, event))
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
    let Updated { tx, account, assignments, event, .. } = updated(&app, &Authority::of(&caller), id, &changes).await?;
    tx.commit(event, app.now(), &mut app.rng()).await?;
    Ok(Answer(ServiceAccountView::from(account).with_rights(&assignments)))
}

/// One that was changed, in a transaction that is not committed yet.
pub(crate) struct Updated<'a> {
    pub(crate) tx: Tx<'a>,
    /// As it was, with what it held.
    pub(crate) before: (ServiceAccount, Vec<Assignment>),
    pub(crate) account: ServiceAccount,
    pub(crate) assignments: Vec<Assignment>,
    pub(crate) event: Event,
}

/// One as it is changed.
pub(crate) async fn updated<'a>(
    app: &'a App,
    authority: &Authority<'a>,
    id: ServiceAccountId,
    changes: &ServiceAccountChanges,
) -> Result<Updated<'a>, RequestError> {
    let (grantor, reach) = (authority.grantor, authority.reach);
    let (mut tx, before) = locked(app, authority, id).await?;
    if changes.disabled == Some(false) && before.disabled_at.is_some() {
        // What comes back to life is given again.
        let held = tx.within(reach).held(id.into(), before.organization).await?;
        grantor.may_give_for_good(&held, Some(before.organization))?;
    }
    let lifts_key = changes.dpop_bound_access_tokens == Some(false) && before.dpop_bound_access_tokens;
    let lifts_certificate = changes.tls_client_certificate_bound_access_tokens == Some(false)
        && before.tls_client_certificate_bound_access_tokens;
    if lifts_key || lifts_certificate {
        grantor.may_lift_limits(before.organization)?;
    }
    let held = tx.within(Reach::Organization(before.organization)).assignments_of(id.into()).await?;
    let (account, event) = before.clone().update(changes, &held, app.now())?;
    if !account.limits.is_within(&before.limits) {
        grantor.may_lift_limits(account.organization)?;
    }
    tx.save_service_account(&account).await?;
    if account.disabled_at.is_some() && before.disabled_at.is_none() {
        tx.raise_epochs(Narrowed::Principal(id.into())).await?;
        tx.raise_epochs(Narrowed::ExchangedBy(id)).await?;
    }
    let wanted = Wanted { roles: changes.roles.as_deref(), permissions: changes.permissions.as_deref() };
    let assignments = set_rights(app, &mut tx, holder(&account), held.clone(), wanted, grantor).await?;
    Ok(Updated { tx, before: (before, held), account, assignments, event })
}

/// One that somebody may change, locked until the end of the transaction. Whoever administers one organization does not stop or end
/// what administers the instance.
async fn locked<'a>(
    app: &'a App,
    authority: &Authority<'a>,
    id: ServiceAccountId,
) -> Result<(Tx<'a>, ServiceAccount), RequestError> {
    let mut tx = app.store.begin(authority.by).await?;
    let account = tx.to_change(authority.reach).service_account(id).await?.ok_or(RequestError::NotFound)?;
    authority.must_not_reach_further(&mut tx, id.into()).await?;
    Ok((tx, account))
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
    let (tx, event) = deleted(&app, &Authority::of(&caller), id).await?;
    tx.commit(event, app.now(), &mut app.rng()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends one with all that it holds, in a transaction that is not committed yet.
pub(crate) async fn deleted<'a>(
    app: &'a App,
    authority: &Authority<'a>,
    id: ServiceAccountId,
) -> Result<(Tx<'a>, Event), RequestError> {
    let (mut tx, account) = locked(app, authority, id).await?;
    let (account, event) = account.delete(app.now());
    tx.save_service_account(&account).await?;
    let ended = tx.end_all_of_service_account(id, app.now()).await?;
    Ok((tx, event.ending(&ended)))
}

fn holder(account: &ServiceAccount) -> Holder {
    Holder { principal: account.id.into(), home: account.organization }
}
