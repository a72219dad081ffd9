//! `/v1/api-keys`.

use axum::{extract::State, http::StatusCode};
use claviger_core::{
    Credential, CredentialChanges, CredentialStatus, Event, Issued, Kind, NewApiKey, Reach, Rejection,
};
use claviger_store::{CredentialFilter, StatusAt, StoreError, Tx};
use claviger_token::{ApiKeyId, OrganizationId, PrincipalId, Secret, ServiceAccountId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Id,
    credential::{Authority, CredentialView, Revoke, Roll, World, in_the_clear},
    look_alike::LookAlikes,
};
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
    #[schema(value_type = ServiceAccountId)]
    service_account_id: PrincipalId,
    #[serde(flatten)]
    credential: CredentialView,
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

impl IssuedApiKey {
    pub(super) fn reveal(key: Credential, token: Secret, now: Timestamp) -> Self {
        Self { key: ApiKeyView::new(key, now), token: Some(token) }
    }

    /// As a repetition of the request sees it.
    pub(super) fn concealed(key: &Credential, now: Timestamp) -> Self {
        Self { key: ApiKeyView::new(key.clone(), now), token: None }
    }

    fn among(self, look_alikes: LookAlikes) -> Self {
        Self { key: self.key.among(look_alikes), ..self }
    }
}

impl ApiKeyView {
    pub(super) fn new(key: Credential, now: Timestamp) -> Self {
        Self { service_account_id: key.principal, credential: CredentialView::new(key, now) }
    }

    fn among(self, look_alikes: LookAlikes) -> Self {
        Self { credential: self.credential.among(look_alikes), ..self }
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
    status: Option<CredentialStatus>,
    /// In the name.
    q: Option<String>,
    /// 1 to 200; 50 if absent.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}
list_query!(ApiKeyQuery);

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
    let filter = CredentialFilter {
        kind: Some(Kind::ApiKey),
        organization: filters.organization_id,
        principal: filters.service_account_id.map(Into::into),
        status: filters.status.map(|status| StatusAt { status, at: now }),
        q: filters.q.clone(),
        ..CredentialFilter::default()
    };
    let found = app.store.within(caller.reach()).credentials(&filter, &listing.page()?).await?;
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
    let authority = Authority::of(&caller);
    let (mut tx, now) = (app.store.begin(authority.by).await?, app.now());
    let issued = issue(&app, &mut tx, &authority, body, now).await?;
    let look_alikes = authority.look_alikes(&mut tx.within(authority.reach), &issued.credential, now).await?;
    let location = format!("/v1/api-keys/{}", issued.credential.id);
    let concealed = IssuedApiKey::concealed(&issued.credential, now).among(look_alikes.clone());
    let kept = repeatable.remembered(StatusCode::CREATED, Some(&location), &concealed);
    tx.commit_answering(issued.event, kept.as_ref(), now, &mut app.rng()).await?;
    let body = IssuedApiKey::reveal(issued.credential, issued.secret, now).among(look_alikes);
    Ok(Created { location, body })
}

/// A key by the rules as they are inside of the transaction, which is not committed yet.
pub(crate) async fn issue<'a>(
    app: &'a App,
    tx: &mut Tx<'a>,
    authority: &Authority<'a>,
    body: NewApiKey,
    now: Timestamp,
) -> Result<Issued, RequestError> {
    let world = World::of_account(tx, authority.reach, body.service_account_id).await?.ok_or_else(|| {
        let message = "there is no such service account, or not for you";
        Rejection::field("/service_account_id", "unknown_service_account", message)
    })?;
    let issued = body.issue(&world.context(app, authority), authority.by.actor.id(), now, &mut app.rng())?;
    tx.insert_credential(&issued.credential, &app.peppers.digest(&issued.secret.hash())).await?;
    Ok(issued)
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
    let (authority, now) = (Authority::of(&caller), app.now());
    let mut view = app.store.within(authority.reach);
    let key = authority.find(&mut view, id).await?;
    let look_alikes = authority.look_alikes(&mut view, &key, now).await?;
    Ok(Answer(ApiKeyView::new(key, now).among(look_alikes)))
}

/// Change an API key
///
/// What it loses, it loses at once; what it gains, the caller must be able to give.
#[utoipa::path(
    patch, path = "/v1/api-keys/{id}", tag = "API keys", operation_id = "updateApiKey",
    params(("id" = ApiKeyId, Path)), request_body = CredentialChanges,
    responses((status = 200, body = ApiKeyView), (status = "4XX", body = Problem)),
)]
pub(crate) async fn update(
    State(app): State<App>,
    caller: Caller<WriteApiKeys>,
    Id(id): Id<ApiKeyId>,
    Json(changes): Json<CredentialChanges>,
) -> Result<Answer<ApiKeyView>, RequestError> {
    let authority = Authority::of(&caller);
    let (mut tx, key, event) = updated(&app, &authority, id, changes).await?;
    let now = app.now();
    let look_alikes = authority.look_alikes(&mut tx.within(authority.reach), &key, now).await?;
    tx.commit(event, now, &mut app.rng()).await?;
    Ok(Answer(ApiKeyView::new(key, now).among(look_alikes)))
}

/// A key as it is changed, in a transaction that is not committed yet.
pub(crate) async fn updated<'a>(
    app: &'a App,
    authority: &Authority<'a>,
    id: ApiKeyId,
    changes: CredentialChanges,
) -> Result<(Tx<'a>, Credential, Event), RequestError> {
    let (mut tx, key, world) = authority.to_change_in_world(app, id).await?;
    let before = key.clone();
    let (key, event) = key.update(changes, &world.context(app, authority), authority.by.actor.id(), app.now())?;
    if key.widens(&before) && is_of_registration(&mut tx, &key).await? {
        world.may_be_managed_by(authority.grantor)?;
    }
    tx.save_credential(&key).await?;
    Ok((tx, key, event))
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
    Authority::of(&caller).delete(&app, id).await
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
    let (authority, now) = (Authority::of(&caller), app.now());
    let (tx, rolled) = rolled(&app, &authority, id, body.overlap_seconds, now).await?;
    let kept = repeatable.remembered(StatusCode::OK, None, &IssuedApiKey::concealed(&rolled.credential, now));
    tx.commit_answering(rolled.event, kept.as_ref(), now, &mut app.rng()).await?;
    Ok(Answer(IssuedApiKey::reveal(rolled.credential, rolled.secret, now)))
}

/// A key with a new secret, in a transaction that is not committed yet.
pub(crate) async fn rolled<'a>(
    app: &'a App,
    authority: &Authority<'a>,
    id: ApiKeyId,
    overlap_seconds: u32,
    now: Timestamp,
) -> Result<(Tx<'a>, Issued), RequestError> {
    let (mut tx, key, world) = authority.to_change_in_world(app, id).await?;
    if is_of_registration(&mut tx, &key).await? {
        world.may_be_managed_by(authority.grantor)?;
    }
    let (context, by) = (world.context(app, authority), authority.by.actor.id());
    let rolled = key.roll(overlap_seconds, &context, by, now, &mut app.rng())?;
    tx.save_rolled_credential(&rolled.credential, &app.peppers.digest(&rolled.secret.hash())).await?;
    Ok((tx, rolled))
}

/// Whether a client manages its registration by this key, which then stands for all of the client though it lists nothing.
async fn is_of_registration(tx: &mut Tx<'_>, key: &Credential) -> Result<bool, StoreError> {
    let PrincipalId::ServiceAccount(client) = key.principal else { return Ok(false) };
    let registration = tx.within(Reach::Organization(key.organization)).registration(client).await?;
    Ok(registration.is_some_and(|registration| key.id == registration.key.into()))
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
    let (tx, key, event) = Authority::of(&caller).revoked(&app, id, body.reason).await?;
    let body = ApiKeyView::new(key, app.now());
    let kept = repeatable.remembered(StatusCode::OK, None, &body);
    tx.commit_answering(event, kept.as_ref(), app.now(), &mut app.rng()).await?;
    Ok(Answer(body))
}
