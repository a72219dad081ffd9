//! `/v1/api-keys`.

use axum::{extract::State, http::StatusCode};
use claviger_core::{
    ApiKey, ApiKeyChanges, Grantor, IssuingContext, KeyStatus, NewApiKey, Organization, Reach, Rejection, RevokeReason,
    SecretRecord, ServiceAccount,
};
use claviger_store::{ApiKeyFilter, KeyStatusFilter, Tx};
use claviger_token::{
    ApiKeyId, Environment, NetworkSet, ObjectSet, OrganizationId, PermissionMask, PermissionSet, Quota, RateLimit,
    Secret, ServiceAccountId,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use super::{Id, must_not_reach_further, shown};
use crate::{
    app::App,
    body::{Answer, Created, Json, Post},
    caller::{Caller, ReadApiKeys, WriteApiKeys},
    listing::{List, Listing, list_query},
    problem::{Problem, RequestError},
};

/// An API key; never its secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ApiKey)]
pub(crate) struct ApiKeyView {
    id: ApiKeyId,
    organization_id: OrganizationId,
    service_account_id: ServiceAccountId,
    name: String,
    status: KeyStatus,
    environment: Environment,
    permissions: PermissionMask,
    /// The objects it is limited to; null if it is not.
    objects: Option<ObjectSet>,
    /// The networks it is limited to; null if it is not.
    allowed_networks: Option<NetworkSet>,
    not_before: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    disabled: bool,
    revoked_at: Option<Timestamp>,
    revoke_reason: Option<RevokeReason>,
    /// The latest use of any of its secrets.
    last_used_at: Option<Timestamp>,
    /// Its secrets, the current one first, and then those that were rolled away.
    generations: Vec<GenerationView>,
    /// Null if it has none.
    rate_limits: Option<Vec<RateLimit>>,
    /// Null if it has none.
    quota: Option<Quota>,
    #[schema(value_type = Object)]
    metadata: Box<RawValue>,
    created_at: Timestamp,
    /// A principal's id, or `operator`.
    created_by: String,
}

/// One secret of a key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Generation)]
pub(crate) struct GenerationView {
    /// Counts from 1.
    number: u32,
    /// `current`, `retiring` (works until `ends_at`) or `retired`.
    #[schema(value_type = String, example = "current")]
    state: &'static str,
    /// The first four characters after the prefix.
    hint: String,
    created_at: Timestamp,
    ends_at: Option<Timestamp>,
    last_used_at: Option<Timestamp>,
    /// The client's address, where the gateway or the API told it.
    last_used_from: Option<String>,
}

/// A key with its token, which is shown this once.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = IssuedApiKey)]
pub(crate) struct IssuedApiKey {
    #[serde(flatten)]
    key: ApiKeyView,
    /// Store it now; it cannot be shown again. Null when a request is repeated.
    #[serde(serialize_with = "in_the_clear")]
    #[schema(value_type = Option<String>, example = "clv_key_…")]
    token: Option<Secret>,
}

/// The one place that writes a secret into a response.
fn in_the_clear<S: Serializer>(secret: &Option<Secret>, serializer: S) -> Result<S::Ok, S::Error> {
    secret.as_ref().map(Secret::expose).serialize(serializer)
}

impl IssuedApiKey {
    pub(super) fn reveal(key: ApiKey, token: Secret, now: Timestamp) -> Self {
        Self { key: ApiKeyView::new(key, now), token: Some(token) }
    }

    /// As a repetition of the request sees it.
    pub(super) fn concealed(key: &ApiKey, now: Timestamp) -> Self {
        Self { key: ApiKeyView::new(key.clone(), now), token: None }
    }
}

impl ApiKeyView {
    pub(super) fn new(key: ApiKey, now: Timestamp) -> Self {
        Self {
            id: key.id,
            organization_id: key.organization,
            service_account_id: key.service_account,
            name: key.name.to_string(),
            status: key.status(now),
            environment: key.environment,
            permissions: key.permissions,
            objects: key.objects,
            allowed_networks: key.networks,
            not_before: key.not_before,
            expires_at: key.expires_at,
            disabled: key.disabled_at.is_some(),
            revoked_at: key.revocation.map(|revocation| revocation.at),
            revoke_reason: key.revocation.map(|revocation| revocation.reason),
            last_used_at: key.secrets.iter().filter_map(|secret| secret.last_used_at).max(),
            generations: key.secrets.into_iter().map(|secret| GenerationView::new(secret, now)).collect(),
            rate_limits: shown(key.limits.rates),
            quota: key.limits.quota,
            metadata: key.metadata.raw().to_owned(),
            created_at: key.created_at,
            created_by: key.created_by,
        }
    }
}

impl GenerationView {
    fn new(secret: SecretRecord, now: Timestamp) -> Self {
        Self {
            number: secret.number,
            state: secret.facts().generation(now).as_str(),
            hint: secret.hint,
            created_at: secret.created_at,
            ends_at: secret.ends_at,
            last_used_at: secret.last_used_at,
            last_used_from: secret.last_used_from,
        }
    }
}

/// Filters of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ApiKeyQuery {
    /// Of one organization.
    organization_id: Option<OrganizationId>,
    /// Of one service account.
    service_account_id: Option<ServiceAccountId>,
    /// In this state now.
    status: Option<KeyStatus>,
    /// In the name.
    q: Option<String>,
    /// 1 to 200; 50 if absent.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}
list_query!(ApiKeyQuery);

/// Body of a roll.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Roll {
    /// For how long the secret before works on, 0 to 2592000 (30 days). Without: it ends now.
    pub overlap_seconds: u32,
}

/// Body of a revocation.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Revoke {
    /// Why.
    reason: RevokeReason,
}

/// List API keys
#[utoipa::path(
    get, path = "/v1/api-keys", tag = "API keys", operation_id = "listApiKeys",
    params(ApiKeyQuery),
    responses((status = 200, body = List<ApiKeyView>), (status = "4XX", body = Problem)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller<ReadApiKeys>,
    listing: Listing<ApiKeyQuery>,
) -> Result<Answer<List<ApiKeyView>>, RequestError> {
    let (filters, now) = (&listing.filters, app.now());
    let filter = ApiKeyFilter {
        organization: filters.organization_id,
        service_account: filters.service_account_id,
        status: filters.status.map(|status| KeyStatusFilter { status, at: now }),
        q: filters.q.clone(),
    };
    let found = app.store.within(caller.reach()).api_keys(&filter, &listing.page()?).await?;
    Ok(Answer(listing.list(found, |key| key.id, |key| ApiKeyView::new(key, now))))
}

/// Make an API key
///
/// The answer holds the token, once. Afterwards only its digest exists.
#[utoipa::path(
    post, path = "/v1/api-keys", tag = "API keys", operation_id = "createApiKey",
    request_body = NewApiKey,
    responses((status = 201, body = IssuedApiKey), (status = "4XX", body = Problem)),
)]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller<WriteApiKeys>,
    Post { body, repeatable }: Post<NewApiKey>,
) -> Result<Created<IssuedApiKey>, RequestError> {
    let mut tx = app.store.begin(caller.by()).await?;
    let world = World::read(&mut tx, caller.reach(), body.service_account_id).await?.ok_or_else(|| {
        let message = "there is no such service account, or not for you";
        Rejection::field("/service_account_id", "unknown_service_account", message)
    })?;
    let now = app.now();
    let issued =
        ApiKey::issue(body, &world.context(&app, caller.grantor()), caller.by().actor.id(), now, &mut app.rng())?;
    tx.insert_api_key(&issued.key, &app.peppers.digest(&issued.secret.hash())).await?;
    let location = format!("/v1/api-keys/{}", issued.key.id);
    let concealed = IssuedApiKey::concealed(&issued.key, now);
    let kept = repeatable.remembered(StatusCode::CREATED, Some(&location), &concealed);
    tx.commit_answering(issued.event, kept.as_ref(), now, &mut app.rng()).await?;
    Ok(Created { location, body: IssuedApiKey::reveal(issued.key, issued.secret, now) })
}

/// Show an API key
#[utoipa::path(
    get, path = "/v1/api-keys/{id}", tag = "API keys", operation_id = "showApiKey",
    params(("id" = ApiKeyId, Path)),
    responses((status = 200, body = ApiKeyView), (status = "4XX", body = Problem)),
)]
pub(crate) async fn show(
    State(app): State<App>,
    caller: Caller<ReadApiKeys>,
    Id(id): Id<ApiKeyId>,
) -> Result<Answer<ApiKeyView>, RequestError> {
    let key = app.store.within(caller.reach()).api_key(id).await?.ok_or(RequestError::NotFound)?;
    Ok(Answer(ApiKeyView::new(key, app.now())))
}

/// Change an API key
///
/// What it loses, it loses at once; what it gains, the caller must be able to give.
#[utoipa::path(
    patch, path = "/v1/api-keys/{id}", tag = "API keys", operation_id = "updateApiKey",
    params(("id" = ApiKeyId, Path)), request_body = ApiKeyChanges,
    responses((status = 200, body = ApiKeyView), (status = "4XX", body = Problem)),
)]
pub(crate) async fn update(
    State(app): State<App>,
    caller: Caller<WriteApiKeys>,
    Id(id): Id<ApiKeyId>,
    Json(changes): Json<ApiKeyChanges>,
) -> Result<Answer<ApiKeyView>, RequestError> {
    let mut tx = app.store.begin(caller.by()).await?;
    let key = tx.to_change(caller.reach()).api_key(id).await?.ok_or(RequestError::NotFound)?;
    must_not_reach_further(&caller, &mut tx, key.service_account.into()).await?;
    let world = World::read(&mut tx, caller.reach(), key.service_account).await?.ok_or(RequestError::NotFound)?;
    let (key, event) = key.update(changes, &world.context(&app, caller.grantor()), app.now())?;
    tx.save_api_key(&key).await?;
    tx.commit(event, app.now(), &mut app.rng()).await?;
    Ok(Answer(ApiKeyView::new(key, app.now())))
}

/// Delete an API key
///
/// It ends and is no longer listed. Its token stays known as revoked.
#[utoipa::path(
    delete, path = "/v1/api-keys/{id}", tag = "API keys", operation_id = "deleteApiKey",
    params(("id" = ApiKeyId, Path)),
    responses((status = 204, description = "Gone"), (status = "4XX", body = Problem)),
)]
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Caller<WriteApiKeys>,
    Id(id): Id<ApiKeyId>,
) -> Result<StatusCode, RequestError> {
    let mut tx = app.store.begin(caller.by()).await?;
    let key = tx.to_change(caller.reach()).api_key(id).await?.ok_or(RequestError::NotFound)?;
    must_not_reach_further(&caller, &mut tx, key.service_account.into()).await?;
    let (key, event) = key.delete(app.now());
    tx.save_api_key(&key).await?;
    tx.commit(event, app.now(), &mut app.rng()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Roll an API key
///
/// It gets a new secret under the same id; the one before works on for the overlap. The answer holds the new
/// token, once. Rolling during an overlap ends the older secret at once.
#[utoipa::path(
    post, path = "/v1/api-keys/{id}/roll", tag = "API keys", operation_id = "rollApiKey",
    params(("id" = ApiKeyId, Path)), request_body = Roll,
    responses((status = 200, body = IssuedApiKey), (status = "4XX", body = Problem)),
)]
pub(crate) async fn roll(
    State(app): State<App>,
    caller: Caller<WriteApiKeys>,
    Id(id): Id<ApiKeyId>,
    Post { body, repeatable }: Post<Roll>,
) -> Result<Answer<IssuedApiKey>, RequestError> {
    let mut tx = app.store.begin(caller.by()).await?;
    let key = tx.to_change(caller.reach()).api_key(id).await?.ok_or(RequestError::NotFound)?;
    must_not_reach_further(&caller, &mut tx, key.service_account.into()).await?;
    let world = World::read(&mut tx, caller.reach(), key.service_account).await?.ok_or(RequestError::NotFound)?;
    let now = app.now();
    let rolled = key.roll(body.overlap_seconds, &world.context(&app, caller.grantor()), now, &mut app.rng())?;
    tx.save_rolled_api_key(&rolled.key, &app.peppers.digest(&rolled.secret.hash())).await?;
    let kept = repeatable.remembered(StatusCode::OK, None, &IssuedApiKey::concealed(&rolled.key, now));
    tx.commit_answering(rolled.event, kept.as_ref(), now, &mut app.rng()).await?;
    Ok(Answer(IssuedApiKey::reveal(rolled.key, rolled.secret, now)))
}

/// Revoke an API key
///
/// It is refused from the answer on: here at once, on every other node within a second. This is final.
#[utoipa::path(
    post, path = "/v1/api-keys/{id}/revoke", tag = "API keys", operation_id = "revokeApiKey",
    params(("id" = ApiKeyId, Path)), request_body = Revoke,
    responses((status = 200, body = ApiKeyView), (status = "4XX", body = Problem)),
)]
pub(crate) async fn revoke(
    State(app): State<App>,
    caller: Caller<WriteApiKeys>,
    Id(id): Id<ApiKeyId>,
    Post { body, repeatable }: Post<Revoke>,
) -> Result<Answer<ApiKeyView>, RequestError> {
    let mut tx = app.store.begin(caller.by()).await?;
    let key = tx.to_change(caller.reach()).api_key(id).await?.ok_or(RequestError::NotFound)?;
    must_not_reach_further(&caller, &mut tx, key.service_account.into()).await?;
    let (key, event) = key.revoke(body.reason, app.now())?;
    tx.save_api_key(&key).await?;
    let body = ApiKeyView::new(key, app.now());
    let kept = repeatable.remembered(StatusCode::OK, None, &body);
    tx.commit_answering(event, kept.as_ref(), app.now(), &mut app.rng()).await?;
    Ok(Answer(body))
}

/// What issuing depends on, as it stands inside the transaction.
pub(super) struct World {
    organization: Organization,
    service_account: ServiceAccount,
    held: PermissionSet,
    held_everywhere: PermissionSet,
    declared: PermissionSet,
}

impl World {
    pub(super) async fn read(
        tx: &mut Tx<'_>,
        reach: Reach,
        account: ServiceAccountId,
    ) -> Result<Option<Self>, RequestError> {
        let mut view = tx.within(reach);
        let Some(service_account) = view.service_account(account).await? else { return Ok(None) };
        let Some(organization) = view.organization(service_account.organization).await? else { return Ok(None) };
        let held = view.held(account.into(), organization.id).await?;
        let held_everywhere = view.held_everywhere(account.into()).await?;
        let declared = view.declared_permissions().await?;
        Ok(Some(Self { organization, service_account, held, held_everywhere, declared }))
    }

    pub(super) fn context<'a>(&'a self, app: &'a App, grantor: Grantor<'a>) -> IssuingContext<'a> {
        IssuingContext {
            organization: &self.organization,
            service_account: &self.service_account,
            held: &self.held,
            held_everywhere: &self.held_everywhere,
            declared: &self.declared,
            grantor,
            brand: &app.config.brand,
        }
    }
}
