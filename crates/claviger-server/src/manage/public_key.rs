//! `/v1/service-accounts/{id}/public-keys`: with what the assertions of a service account are proved, as an OAuth client.

use axum::{extract::State, http::StatusCode};
use claviger_core::{ClientCredentialChanges, ClientKey, Credential, NewPublicKey, RegisteredKey};
use claviger_store::Tx;
use claviger_token::{CredentialId, PublicKeyId, ServiceAccountId};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Id, Ids,
    client_credential::{ClientCredentialQuery, ClientCredentialView, updated},
    credential::{Authority, Revoke, World},
};
use crate::{
    app::App,
    body::{Answer, Created, Json, Post},
    caller::{Caller, ReadServiceAccounts, WriteServiceAccounts},
    listing::{List, Listing},
    problem::{Problem, RequestError},
};

/// A client's public key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PublicKey)]
pub(crate) struct PublicKeyView {
    #[schema(value_type = PublicKeyId)]
    id: CredentialId,
    #[serde(flatten)]
    members: ClientCredentialView,
    /// The key itself; null if the client publishes its keys.
    #[schema(value_type = Option<Object>)]
    jwk: Option<serde_json::Value>,
    /// Its SHA-256 thumbprint (RFC 7638); null if the client publishes its keys.
    jwk_thumbprint: Option<String>,
    /// Where the client publishes its keys; null if there is one key.
    jwks_uri: Option<String>,
}

impl PublicKeyView {
    fn new(credential: &Credential, key: &ClientKey, now: Timestamp) -> Self {
        Self {
            id: credential.id,
            members: ClientCredentialView::new(credential, now),
            jwk: key.jwk(),
            jwk_thumbprint: key.thumbprint(),
            jwks_uri: key.jwks_uri().map(str::to_owned),
        }
    }
}

/// List a client's public keys
#[utoipa::path(
    get, path = "/v1/service-accounts/{id}/public-keys", tag = "Clients", operation_id = "listPublicKeys",
    params(("id" = ServiceAccountId, Path), ClientCredentialQuery),
    responses((status = 200, body = List<PublicKeyView>), (status = "4XX", body = Problem)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller<ReadServiceAccounts>,
    Id(account): Id<ServiceAccountId>,
    listing: Listing<ClientCredentialQuery>,
) -> Result<Answer<List<PublicKeyView>>, RequestError> {
    let (mut view, now) = (app.store.within(caller.reach()), app.now());
    view.service_account(account).await?.ok_or(RequestError::NotFound)?;
    let found = view.public_keys(account, &listing.page()?).await?;
    Ok(Answer(listing.list(found, |(one, _)| one.id, |(one, key)| PublicKeyView::new(&one, &key, now))))
}

/// Register a public key
///
/// One public JWK, or the address at which the client publishes its keys. Whoever signs with it gets tokens for all that the
/// service account may do.
#[utoipa::path(
    post, path = "/v1/service-accounts/{id}/public-keys", tag = "Clients", operation_id = "createPublicKey",
    params(("id" = ServiceAccountId, Path)), request_body = NewPublicKey,
    responses((status = 201, body = PublicKeyView), (status = "4XX", body = Problem)),
)]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller<WriteServiceAccounts>,
    Id(account): Id<ServiceAccountId>,
    Post { body, repeatable }: Post<NewPublicKey>,
) -> Result<Created<PublicKeyView>, RequestError> {
    let authority = Authority::over_client(&caller, account);
    let (mut tx, now) = (app.store.begin(authority.by).await?, app.now());
    let RegisteredKey { credential, key, event } = register(&app, &mut tx, &authority, account, body, now).await?;
    let location = format!("/v1/service-accounts/{account}/public-keys/{}", credential.id);
    let body = PublicKeyView::new(&credential, &key, now);
    let kept = repeatable.remembered(StatusCode::CREATED, Some(&location), &body);
    tx.commit_answering(event, kept.as_ref(), now, &mut app.rng()).await?;
    Ok(Created { location, body })
}

/// A key by the rules as they are inside of the transaction, which is not committed yet.
pub(crate) async fn register<'a>(
    app: &'a App,
    tx: &mut Tx<'a>,
    authority: &Authority<'a>,
    account: ServiceAccountId,
    body: NewPublicKey,
    now: Timestamp,
) -> Result<RegisteredKey, RequestError> {
    let world = World::of_account(tx, authority.reach, account).await?.ok_or(RequestError::NotFound)?;
    let existing = tx.within(authority.reach).client_keys(account).await?;
    let context = world.context(app, authority);
    let made = body.register(&context, &existing, authority.by.actor.id(), now, &mut app.rng())?;
    tx.insert_public_key(&made.credential, &made.key).await?;
    Ok(made)
}

/// Show a public key
#[utoipa::path(
    get, path = "/v1/service-accounts/{id}/public-keys/{key}", tag = "Clients", operation_id = "showPublicKey",
    params(("id" = ServiceAccountId, Path), ("key" = PublicKeyId, Path)),
    responses((status = 200, body = PublicKeyView), (status = "4XX", body = Problem)),
)]
pub(crate) async fn show(
    State(app): State<App>,
    caller: Caller<ReadServiceAccounts>,
    Ids(account, id): Ids<ServiceAccountId, PublicKeyId>,
) -> Result<Answer<PublicKeyView>, RequestError> {
    let authority = Authority::over_client(&caller, account);
    let mut view = app.store.within(authority.reach);
    let credential = authority.find(&mut view, id).await?;
    let (_, key) = view.public_key(id).await?.ok_or(RequestError::NotFound)?;
    Ok(Answer(PublicKeyView::new(&credential, &key, app.now())))
}

/// Change a public key
///
/// Its name, its end, or whether it works; for another key register another. What it loses, its tokens lose at once.
#[utoipa::path(
    patch, path = "/v1/service-accounts/{id}/public-keys/{key}", tag = "Clients", operation_id = "updatePublicKey",
    params(("id" = ServiceAccountId, Path), ("key" = PublicKeyId, Path)), request_body = ClientCredentialChanges,
    responses((status = 200, body = PublicKeyView), (status = "4XX", body = Problem)),
)]
pub(crate) async fn update(
    State(app): State<App>,
    caller: Caller<WriteServiceAccounts>,
    Ids(account, id): Ids<ServiceAccountId, PublicKeyId>,
    Json(changes): Json<ClientCredentialChanges>,
) -> Result<Answer<PublicKeyView>, RequestError> {
    let authority = Authority::over_client(&caller, account);
    let (mut tx, credential, event) = updated(&app, &authority, id, changes).await?;
    let (_, key) = tx.within(authority.reach).public_key(id).await?.ok_or(RequestError::NotFound)?;
    let now = app.now();
    tx.commit(event, now, &mut app.rng()).await?;
    Ok(Answer(PublicKeyView::new(&credential, &key, now)))
}

/// Delete a public key
///
/// It ends and is no longer listed, and what was got with it is refused.
#[utoipa::path(
    delete, path = "/v1/service-accounts/{id}/public-keys/{key}", tag = "Clients", operation_id = "deletePublicKey",
    params(("id" = ServiceAccountId, Path), ("key" = PublicKeyId, Path)),
    responses((status = 204, description = "Gone"), (status = "4XX", body = Problem)),
)]
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Caller<WriteServiceAccounts>,
    Ids(account, id): Ids<ServiceAccountId, PublicKeyId>,
) -> Result<StatusCode, RequestError> {
    Authority::over_client(&caller, account).delete(&app, id).await
}

/// Revoke a public key
///
/// What it signs is refused from the answer on, and so is every token that was got with it. This is final.
#[utoipa::path(
    post, path = "/v1/service-accounts/{id}/public-keys/{key}/revoke", tag = "Clients",
    operation_id = "revokePublicKey",
    params(("id" = ServiceAccountId, Path), ("key" = PublicKeyId, Path)), request_body = Revoke,
    responses((status = 200, body = PublicKeyView), (status = "4XX", body = Problem)),
)]
pub(crate) async fn revoke(
    State(app): State<App>,
    caller: Caller<WriteServiceAccounts>,
    Ids(account, id): Ids<ServiceAccountId, PublicKeyId>,
    Post { body, repeatable }: Post<Revoke>,
) -> Result<Answer<PublicKeyView>, RequestError> {
    let authority = Authority::over_client(&caller, account);
    let (mut tx, credential) = authority.to_change(&app, id).await?;
    let now = app.now();
    let (credential, event) = credential.revoke(body.reason, now)?;
    tx.save_credential(&credential).await?;
    let (_, key) = tx.within(authority.reach).public_key(id).await?.ok_or(RequestError::NotFound)?;
    let body = PublicKeyView::new(&credential, &key, now);
    let kept = repeatable.remembered(StatusCode::OK, None, &body);
    tx.commit_answering(event, kept.as_ref(), now, &mut app.rng()).await?;
    Ok(Answer(body))
}
