//! `/v1/apis`: the protected resource servers and their permissions. They belong to the instance.

use axum::{extract::State, http::StatusCode};
use claviger_core::{Api, ApiChanges, By, DeclaredPermission, Event, NewApi, Reach, Rejection, RouteRule, TokenFormat};
use claviger_store::{StoreError, Tx};
use claviger_token::{ApiId, ServiceAccountId, SigningAlgorithm, same_audience};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Authority, Id, must_be_few};
use crate::{
    app::App,
    body::{Answer, Created, Json, Post},
    caller::{Caller, ReadApis, WriteApis},
    listing::{List, Listing, list_query},
    problem::{Problem, RequestError},
};

/// An API.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Api)]
pub(crate) struct ApiView {
    id: ApiId,
    identifier: String,
    name: String,
    permissions: Vec<DeclaredPermission>,
    /// The service accounts that serve it; shown with instance scope only.
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_servers: Option<Vec<ServiceAccountId>>,
    /// The public origins on which it answers; none: that of its identifier.
    origins: Vec<String>,
    /// Whether a gateway may take a credential from `Authorization: Basic`.
    accept_basic: bool,
    /// The query parameter from which a gateway may take a credential; null for none.
    query_parameter: Option<String>,
    /// What requests to it take, for gateways that ask by `api=`; shown with instance scope only.
    #[serde(skip_serializing_if = "Option::is_none")]
    route_rules: Option<Vec<RouteRule>>,
    /// How long access tokens for it count.
    access_token_ttl_seconds: u32,
    /// What signs them.
    signing_algorithm: SigningAlgorithm,
    /// What they look like.
    access_token_format: TokenFormat,
    /// Whether it is Claviger's own.
    builtin: bool,
    created_at: Timestamp,
}

impl ApiView {
    fn new(api: Api, reach: Reach) -> Self {
        Self {
            id: api.id,
            identifier: api.identifier,
            name: api.name.to_string(),
            permissions: api.permissions,
            resource_servers: (reach == Reach::Instance).then_some(api.resource_servers),
            origins: api.origins,
            accept_basic: api.also_accepts.basic,
            query_parameter: api.also_accepts.query_parameter,
            route_rules: (reach == Reach::Instance).then(|| api.routes.rules().to_vec()),
            access_token_ttl_seconds: api.access_tokens.ttl_seconds,
            signing_algorithm: api.access_tokens.algorithm,
            access_token_format: api.access_tokens.format,
            builtin: api.builtin,
            created_at: api.created_at,
        }
    }
}

/// Filters of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ApiQuery {
    /// In name or identifier.
    q: Option<String>,
    /// 1 to 200; 50 if absent.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}
list_query!(ApiQuery);

/// List APIs
#[utoipa::path(
    get, path = "/v1/apis", tag = "APIs", operation_id = "listApis",
    params(ApiQuery),
    responses((status = 200, body = List<ApiView>), (status = "4XX", body = Problem)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller<ReadApis>,
    listing: Listing<ApiQuery>,
) -> Result<Answer<List<ApiView>>, RequestError> {
    let reach = caller.reach();
    let found = app.store.within(reach).apis(listing.filters.q.as_deref(), &listing.page()?).await?;
    Ok(Answer(listing.list(found, |api| api.id, |api| ApiView::new(api, reach))))
}

/// Declare an API
#[utoipa::path(
    post, path = "/v1/apis", tag = "APIs", operation_id = "createApi",
    request_body = NewApi,
    responses((status = 201, body = ApiView), (status = "4XX", body = Problem)),
)]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller<WriteApis>,
    Post { body, repeatable }: Post<NewApi>,
) -> Result<Created<ApiView>, RequestError> {
    caller.must_reach_instance()?;
    let (tx, api, event) = created(&app, caller.by(), body).await?;
    let location = format!("/v1/apis/{}", api.id);
    let body = ApiView::new(api, caller.reach());
    let kept = repeatable.remembered(StatusCode::CREATED, Some(&location), &body);
    tx.commit_answering(event, kept.as_ref(), app.now(), &mut app.rng()).await?;
    Ok(Created { location, body })
}

/// A new one, in a transaction that is not committed yet, for whoever may declare APIs.
pub(crate) async fn created<'a>(app: &'a App, by: &'a By, body: NewApi) -> Result<(Tx<'a>, Api, Event), RequestError> {
    if let Some(algorithm) = body.signing_algorithm {
        app.ensure_signing_key(by, algorithm).await?;
    }
    let mut tx = app.store.begin(by).await?;
    servers_must_exist(&mut tx, &body.resource_servers).await?;
    let taken = tx.within(Reach::Instance).declared_permissions().await?;
    let (api, event) = Api::create(body, &taken, app.now(), &mut app.rng())?;
    must_be_its_own(&mut tx, &api.identifier).await?;
    tx.insert_api(&api).await?;
    Ok((tx, api, event))
}

/// A token for one API is none for another: no two are called what counts as the same.
async fn must_be_its_own(tx: &mut Tx<'_>, identifier: &str) -> Result<(), RequestError> {
    let called = tx.within(Reach::Instance).identifiers().await?;
    match called.iter().any(|other| same_audience(other, identifier)) {
        true => Err(StoreError::Taken("identifier").into()),
        false => Ok(()),
    }
}

/// Show an API
#[utoipa::path(
    get, path = "/v1/apis/{id}", tag = "APIs", operation_id = "showApi",
    params(("id" = ApiId, Path)),
    responses((status = 200, body = ApiView), (status = "4XX", body = Problem)),
)]
pub(crate) async fn show(
    State(app): State<App>,
    caller: Caller<ReadApis>,
    Id(id): Id<ApiId>,
) -> Result<Answer<ApiView>, RequestError> {
    let found = app.store.within(caller.reach()).api(id).await?;
    found.map(|api| Answer(ApiView::new(api, caller.reach()))).ok_or(RequestError::NotFound)
}

/// Change an API
///
/// A permission that it no longer declares stops working everywhere at once.
#[utoipa::path(
    patch, path = "/v1/apis/{id}", tag = "APIs", operation_id = "updateApi",
    params(("id" = ApiId, Path)), request_body = ApiChanges,
    responses((status = 200, body = ApiView), (status = "4XX", body = Problem)),
)]
pub(crate) async fn update(
    State(app): State<App>,
    caller: Caller<WriteApis>,
    Id(id): Id<ApiId>,
    Json(changes): Json<ApiChanges>,
) -> Result<Answer<ApiView>, RequestError> {
    let Updated { tx, api, event, .. } = updated(&app, &Authority::of(&caller), id, changes).await?;
    tx.commit(event, app.now(), &mut app.rng()).await?;
    Ok(Answer(ApiView::new(api, caller.reach())))
}

/// An API that is changed.
pub(crate) struct Updated<'a> {
    pub(crate) tx: Tx<'a>,
    /// As it was, locked.
    pub(crate) old: Api,
    pub(crate) api: Api,
    pub(crate) event: Event,
}

/// An API as it is changed, in a transaction that is not committed yet.
pub(crate) async fn updated<'a>(
    app: &'a App,
    authority: &Authority<'a>,
    id: ApiId,
    changes: ApiChanges,
) -> Result<Updated<'a>, RequestError> {
    authority.must_reach_instance()?;
    if let Some(algorithm) = changes.signing_algorithm
        && app.store.within(Reach::Instance).api(id).await?.is_some()
    {
        app.ensure_signing_key(authority.by, algorithm).await?;
    }
    let mut tx = app.store.begin(authority.by).await?;
    let old = tx.to_change(Reach::Instance).api(id).await?.ok_or(RequestError::NotFound)?;
    servers_must_exist(&mut tx, changes.resource_servers.as_deref().unwrap_or_default()).await?;
    let taken = tx.within(Reach::Instance).permissions_of_others(Some(id)).await?;
    let (api, event) = old.clone().update(changes, &taken)?;
    tx.save_api(&api).await?;
    Ok(Updated { tx, old, api, event })
}

/// Delete an API
///
/// Its permissions stop working everywhere at once.
#[utoipa::path(
    delete, path = "/v1/apis/{id}", tag = "APIs", operation_id = "deleteApi",
    params(("id" = ApiId, Path)),
    responses((status = 204, description = "Gone"), (status = "4XX", body = Problem)),
)]
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Caller<WriteApis>,
    Id(id): Id<ApiId>,
) -> Result<StatusCode, RequestError> {
    let (tx, event) = deleted(&app, &Authority::of(&caller), id).await?;
    tx.commit(event, app.now(), &mut app.rng()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The end of an API, in a transaction that is not committed yet.
pub(crate) async fn deleted<'a>(
    app: &'a App,
    authority: &Authority<'a>,
    id: ApiId,
) -> Result<(Tx<'a>, Event), RequestError> {
    authority.must_reach_instance()?;
    let mut tx = app.store.begin(authority.by).await?;
    let api = tx.to_change(Reach::Instance).api(id).await?.ok_or(RequestError::NotFound)?;
    let event = api.delete()?;
    tx.delete_api(id).await?;
    Ok((tx, event))
}

async fn servers_must_exist(tx: &mut Tx<'_>, servers: &[ServiceAccountId]) -> Result<(), RequestError> {
    must_be_few("/resource_servers", servers.len())?;
    for (index, server) in servers.iter().enumerate() {
        if tx.within(Reach::Instance).service_account(*server).await?.is_none() {
            let message = format!("there is no service account {server}");
            return Err(
                Rejection::field(format!("/resource_servers/{index}"), "unknown_service_account", message).into()
            );
        }
    }
    Ok(())
}
