//! `/v1/organizations`. Their policy has a room of its own.

use axum::{extract::State, http::StatusCode};
use claviger_core::{Color, Event, Fleet, NewOrganization, Organization, OrganizationChanges, PortalOrigins};
use claviger_store::{Narrowed, Tx};
use claviger_token::{OrganizationId, PermissionMask, Quota, RateLimit};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use super::{Authority, Id, shown};
use crate::{
    app::App,
    body::{Answer, Created, Json, Post},
    caller::{Caller, ReadOrganizations, WriteOrganizations},
    listing::{List, Listing, list_query},
    problem::{Problem, RequestError},
};

/// An organization.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Organization)]
pub(crate) struct OrganizationView {
    id: OrganizationId,
    slug: String,
    name: String,
    external_id: Option<String>,
    /// What it may use at all; null for the default.
    ceiling: Option<PermissionMask>,
    /// Null if it has none.
    rate_limits: Option<Vec<RateLimit>>,
    /// Null if it has none.
    quota: Option<Quota>,
    /// Where its portal may stand in a frame, and lead back to.
    #[schema(value_type = Vec<String>)]
    portal_origins: PortalOrigins,
    /// What its portal is called; null for the organization's name.
    portal_name: Option<String>,
    /// The colour of its portal, `#rrggbb`; null for Claviger's.
    #[schema(value_type = Option<String>)]
    portal_color: Option<Color>,
    #[schema(value_type = Object)]
    metadata: Box<RawValue>,
    disabled: bool,
    created_at: Timestamp,
}

impl From<Organization> for OrganizationView {
    fn from(organization: Organization) -> Self {
        Self {
            id: organization.id,
            slug: organization.slug.to_string(),
            name: organization.name.to_string(),
            external_id: organization.external_id,
            ceiling: organization.ceiling,
            rate_limits: shown(organization.limits.rates),
            quota: organization.limits.quota,
            portal_origins: organization.portal_origins,
            portal_name: organization.portal_look.name.map(|name| name.to_string()),
            portal_color: organization.portal_look.color,
            metadata: organization.metadata.raw().to_owned(),
            disabled: organization.disabled_at.is_some(),
            created_at: organization.created_at,
        }
    }
}

/// Filters of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct OrganizationQuery {
    /// In name, slug or external id.
    q: Option<String>,
    /// 1 to 200; 50 if absent.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}
list_query!(OrganizationQuery);

/// List organizations
#[utoipa::path(
    get, path = "/v1/organizations", tag = "Organizations", operation_id = "listOrganizations",
    params(OrganizationQuery),
    responses((status = 200, body = List<OrganizationView>), (status = "4XX", body = Problem)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller<ReadOrganizations>,
    listing: Listing<OrganizationQuery>,
) -> Result<Answer<List<OrganizationView>>, RequestError> {
    let found = app.store.within(caller.reach()).organizations(listing.filters.q.as_deref(), &listing.page()?).await?;
    Ok(Answer(listing.list(found, |organization| organization.id, OrganizationView::from)))
}

/// Make an organization
#[utoipa::path(
    post, path = "/v1/organizations", tag = "Organizations", operation_id = "createOrganization",
    request_body = NewOrganization,
    responses((status = 201, body = OrganizationView), (status = "4XX", body = Problem)),
)]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller<WriteOrganizations>,
    Post { body, repeatable }: Post<NewOrganization>,
) -> Result<Created<OrganizationView>, RequestError> {
    caller.must_reach_instance()?;
    let mut tx = app.store.begin(caller.by()).await?;
    let (organization, event) = created(&app, &mut tx, body).await?;
    let location = format!("/v1/organizations/{}", organization.id);
    let body = OrganizationView::from(organization);
    let kept = repeatable.remembered(StatusCode::CREATED, Some(&location), &body);
    tx.commit_answering(event, kept.as_ref(), app.now(), &mut app.rng()).await?;
    Ok(Created { location, body })
}

/// A new one, inside of the transaction, which is not committed yet, for whoever may make organizations.
pub(crate) async fn created(
    app: &App,
    tx: &mut Tx<'_>,
    body: NewOrganization,
) -> Result<(Organization, Event), RequestError> {
    let (organization, event) = Organization::create(body, app.now(), &mut app.rng())?;
    tx.insert_organization(&organization).await?;
    Ok((organization, event))
}

/// Show an organization
#[utoipa::path(
    get, path = "/v1/organizations/{id}", tag = "Organizations", operation_id = "showOrganization",
    params(("id" = OrganizationId, Path)),
    responses((status = 200, body = OrganizationView), (status = "4XX", body = Problem)),
)]
pub(crate) async fn show(
    State(app): State<App>,
    caller: Caller<ReadOrganizations>,
    Id(id): Id<OrganizationId>,
) -> Result<Answer<OrganizationView>, RequestError> {
    let found = app.store.within(caller.reach()).organization(id).await?;
    found.map(|organization| Answer(organization.into())).ok_or(RequestError::NotFound)
}

/// Change an organization
///
/// Its ceiling, slug, external id and whether it is disabled change only with instance scope.
#[utoipa::path(
    patch, path = "/v1/organizations/{id}", tag = "Organizations", operation_id = "updateOrganization",
    params(("id" = OrganizationId, Path)), request_body = OrganizationChanges,
    responses((status = 200, body = OrganizationView), (status = "4XX", body = Problem)),
)]
pub(crate) async fn update(
    State(app): State<App>,
    caller: Caller<WriteOrganizations>,
    Id(id): Id<OrganizationId>,
    Json(changes): Json<OrganizationChanges>,
) -> Result<Answer<OrganizationView>, RequestError> {
    let Updated { tx, organization, event, .. } = updated(&app, &Authority::of(&caller), id, changes).await?;
    tx.commit(event, app.now(), &mut app.rng()).await?;
    Ok(Answer(organization.into()))
}

/// An organization that is changed.
pub(crate) struct Updated<'a> {
    pub(crate) tx: Tx<'a>,
    /// As it was, locked.
    pub(crate) old: Organization,
    pub(crate) organization: Organization,
    pub(crate) event: Event,
}

/// An organization as it is changed, in a transaction that is not committed yet.
pub(crate) async fn updated<'a>(
    app: &'a App,
    authority: &Authority<'a>,
    id: OrganizationId,
    changes: OrganizationChanges,
) -> Result<Updated<'a>, RequestError> {
    if changes.need_instance_scope() {
        authority.must_reach_instance()?;
    }
    let mut tx = app.store.begin(authority.by).await?;
    let old = tx.to_change(authority.reach).organization(id).await?.ok_or(RequestError::NotFound)?;
    let declared = tx.within(authority.reach).declared_permissions().await?;
    let (organization, event) = old.clone().update(changes, &declared, app.now())?;
    tx.save_organization(&organization).await?;
    if !organization.allows_all_of(&old) {
        tx.raise_epochs(Narrowed::Organization(id)).await?;
    }
    if organization.disabled_at.is_some() && old.disabled_at.is_none() {
        tx.raise_epochs(Narrowed::ExchangedIn(id)).await?;
    }
    if organization.disabled_at.is_some() {
        tx.close_portal(id).await?;
    }
    Ok(Updated { tx, old, organization, event })
}

/// Delete an organization
///
/// Every credential in it ends, for good. One that has fleets is not deleted (`has_fleets`): delete those first.
#[utoipa::path(
    delete, path = "/v1/organizations/{id}", tag = "Organizations", operation_id = "deleteOrganization",
    params(("id" = OrganizationId, Path)),
    responses((status = 204, description = "Gone"), (status = "4XX", body = Problem)),
)]
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Caller<WriteOrganizations>,
    Id(id): Id<OrganizationId>,
) -> Result<StatusCode, RequestError> {
    let (tx, event) = deleted(&app, &Authority::of(&caller), id).await?;
    tx.commit(event, app.now(), &mut app.rng()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The end of an organization, in a transaction that is not committed yet.
pub(crate) async fn deleted<'a>(
    app: &'a App,
    authority: &Authority<'a>,
    id: OrganizationId,
) -> Result<(Tx<'a>, Event), RequestError> {
    authority.must_reach_instance()?;
    let mut tx = app.store.begin_alone(authority.by).await?;
    let organization = tx.to_change(authority.reach).organization(id).await?.ok_or(RequestError::NotFound)?;
    Fleet::must_be_gone(tx.within(authority.reach).count_fleets(id).await?)?;
    let (organization, event) = organization.delete(app.now());
    tx.save_organization(&organization).await?;
    let ended = tx.end_all_in_organization(id, app.now()).await?;
    Ok((tx, event.ending(&ended)))
}
