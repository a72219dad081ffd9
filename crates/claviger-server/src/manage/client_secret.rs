//! `/v1/service-accounts/{id}/secrets`: the secrets of a service account as an OAuth client.

use axum::{extract::State, http::StatusCode};
use claviger_core::{ClientCredentialChanges, Credential, Issued, Kind, NewClientSecret};
use claviger_store::{CredentialFilter, Tx};
use claviger_token::{ClientSecretId, CredentialId, Secret, ServiceAccountId};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Id, Ids,
    client_credential::{ClientCredentialQuery, ClientCredentialView, living, updated},
    credential::{Authority, GenerationView, Revoke, Roll, World, in_the_clear},
};
use crate::{
    app::App,
    body::{Answer, Created, Json, Post},
    caller::{Caller, ReadServiceAccounts, WriteServiceAccounts},
    listing::{List, Listing},
    problem::{Problem, RequestError},
};

/// A client's secret; never the secret itself.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ClientSecret)]
pub(crate) struct ClientSecretView {
    #[schema(value_type = ClientSecretId)]
    id: CredentialId,
    #[serde(flatten)]
    members: ClientCredentialView,
    /// Its secrets, the current one first, and then those that were rolled away.
    generations: Vec<GenerationView>,
}

/// A client's secret in the clear, which is shown this once.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = IssuedClientSecret)]
pub(crate) struct IssuedClientSecret {
    #[serde(flatten)]
    secret: ClientSecretView,
    /// Store it now; it cannot be shown again. Null when a request is repeated.
    #[serde(serialize_with = "in_the_clear")]
    #[schema(value_type = Option<String>, example = "clv_cs_…")]
    client_secret: Option<Secret>,
}

impl ClientSecretView {
    fn new(credential: Credential, now: Timestamp) -> Self {
        Self {
            id: credential.id,
            members: ClientCredentialView::new(&credential, now),
            generations: credential.secrets.into_iter().map(|secret| GenerationView::new(secret, now)).collect(),
        }
    }
}

impl IssuedClientSecret {
    fn reveal(credential: Credential, secret: Secret, now: Timestamp) -> Self {
        Self { secret: ClientSecretView::new(credential, now), client_secret: Some(secret) }
    }

    /// As a repetition of the request sees it.
    fn concealed(credential: &Credential, now: Timestamp) -> Self {
        Self { secret: ClientSecretView::new(credential.clone(), now), client_secret: None }
    }
}

/// List a client's secrets
#[utoipa::path(
    get, path = "/v1/service-accounts/{id}/secrets", tag = "Clients", operation_id = "listClientSecrets",
    params(("id" = ServiceAccountId, Path), ClientCredentialQuery),
    responses((status = 200, body = List<ClientSecretView>), (status = "4XX", body = Problem)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller<ReadServiceAccounts>,
    Id(account): Id<ServiceAccountId>,
    listing: Listing<ClientCredentialQuery>,
) -> Result<Answer<List<ClientSecretView>>, RequestError> {
    let (mut view, now) = (app.store.within(caller.reach()), app.now());
    view.service_account(account).await?.ok_or(RequestError::NotFound)?;
    let filter = CredentialFilter {
        kind: Some(Kind::ClientSecret),
        principal: Some(account.into()),
        ..CredentialFilter::default()
    };
    let found = view.credentials(&filter, &listing.page()?).await?;
    Ok(Answer(listing.list(found, |secret| secret.id, |secret| ClientSecretView::new(secret, now))))
}

/// Make a client secret
///
/// The answer holds the secret, once. Afterwards only its digest exists. Whoever has it gets tokens for all that the service
/// account may do.
#[utoipa::path(
    post, path = "/v1/service-accounts/{id}/secrets", tag = "Clients", operation_id = "createClientSecret",
    params(("id" = ServiceAccountId, Path)), request_body = NewClientSecret,
    responses((status = 201, body = IssuedClientSecret), (status = "4XX", body = Problem)),
)]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller<WriteServiceAccounts>,
    Id(account): Id<ServiceAccountId>,
    Post { body, repeatable }: Post<NewClientSecret>,
) -> Result<Created<IssuedClientSecret>, RequestError> {
    let authority = Authority::over_client(&caller, account);
    let (mut tx, now) = (app.store.begin(authority.by).await?, app.now());
    let issued = issue(&app, &mut tx, &authority, account, body, now).await?;
    let location = format!("/v1/service-accounts/{account}/secrets/{}", issued.credential.id);
    let concealed = IssuedClientSecret::concealed(&issued.credential, now);
    let kept = repeatable.remembered(StatusCode::CREATED, Some(&location), &concealed);
    tx.commit_answering(issued.event, kept.as_ref(), now, &mut app.rng()).await?;
    Ok(Created { location, body: IssuedClientSecret::reveal(issued.credential, issued.secret, now) })
}

/// A secret by the rules as they are inside of the transaction, which is not committed yet.
pub(crate) async fn issue<'a>(
    app: &'a App,
    tx: &mut Tx<'a>,
    authority: &Authority<'a>,
    account: ServiceAccountId,
    body: NewClientSecret,
    now: Timestamp,
) -> Result<Issued, RequestError> {
    let world = World::of_account(tx, authority.reach, account).await?.ok_or(RequestError::NotFound)?;
    let living = living(tx, authority.reach, account, Kind::ClientSecret, now).await?;
    let context = world.context(app, authority);
    let issued = body.issue(&context, living, authority.by.actor.id(), now, &mut app.rng())?;
    tx.insert_credential(&issued.credential, &app.peppers.digest(&issued.secret.hash())).await?;
    Ok(issued)
}

/// Show a client secret
#[utoipa::path(
    get, path = "/v1/service-accounts/{id}/secrets/{secret}", tag = "Clients", operation_id = "showClientSecret",
    params(("id" = ServiceAccountId, Path), ("secret" = ClientSecretId, Path)),
    responses((status = 200, body = ClientSecretView), (status = "4XX", body = Problem)),
)]
pub(crate) async fn show(
    State(app): State<App>,
    caller: Caller<ReadServiceAccounts>,
    Ids(account, id): Ids<ServiceAccountId, ClientSecretId>,
) -> Result<Answer<ClientSecretView>, RequestError> {
    let authority = Authority::over_client(&caller, account);
    let secret = authority.find(&mut app.store.within(authority.reach), id).await?;
    Ok(Answer(ClientSecretView::new(secret, app.now())))
}

/// Change a client secret
///
/// Its name, its end, or whether it works. What it loses, it and its tokens lose at once.
#[utoipa::path(
    patch, path = "/v1/service-accounts/{id}/secrets/{secret}", tag = "Clients", operation_id = "updateClientSecret",
    params(("id" = ServiceAccountId, Path), ("secret" = ClientSecretId, Path)), request_body = ClientCredentialChanges,
    responses((status = 200, body = ClientSecretView), (status = "4XX", body = Problem)),
)]
pub(crate) async fn update(
    State(app): State<App>,
    caller: Caller<WriteServiceAccounts>,
    Ids(account, id): Ids<ServiceAccountId, ClientSecretId>,
    Json(changes): Json<ClientCredentialChanges>,
) -> Result<Answer<ClientSecretView>, RequestError> {
    let authority = Authority::over_client(&caller, account);
    let (tx, secret, event) = updated(&app, &authority, id, changes).await?;
    let now = app.now();
    tx.commit(event, now, &mut app.rng()).await?;
    Ok(Answer(ClientSecretView::new(secret, now)))
}

/// Delete a client secret
///
/// It ends and is no longer listed, and what was got with it is refused.
#[utoipa::path(
    delete, path = "/v1/service-accounts/{id}/secrets/{secret}", tag = "Clients", operation_id = "deleteClientSecret",
    params(("id" = ServiceAccountId, Path), ("secret" = ClientSecretId, Path)),
    responses((status = 204, description = "Gone"), (status = "4XX", body = Problem)),
)]
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Caller<WriteServiceAccounts>,
    Ids(account, id): Ids<ServiceAccountId, ClientSecretId>,
) -> Result<StatusCode, RequestError> {
    Authority::over_client(&caller, account).delete(&app, id).await
}

/// Roll a client secret
///
/// It gets a new secret under the same id; the one before works on for the overlap. The answer holds the new secret, once.
/// Rolling during an overlap ends the older secret at once.
#[utoipa::path(
    post, path = "/v1/service-accounts/{id}/secrets/{secret}/roll", tag = "Clients", operation_id = "rollClientSecret",
    params(("id" = ServiceAccountId, Path), ("secret" = ClientSecretId, Path)), request_body = Roll,
    responses((status = 200, body = IssuedClientSecret), (status = "4XX", body = Problem)),
)]
pub(crate) async fn roll(
    State(app): State<App>,
    caller: Caller<WriteServiceAccounts>,
    Ids(account, id): Ids<ServiceAccountId, ClientSecretId>,
    Post { body, repeatable }: Post<Roll>,
) -> Result<Answer<IssuedClientSecret>, RequestError> {
    let authority = Authority::over_client(&caller, account);
    let now = app.now();
    let (tx, rolled) = rolled(&app, &authority, id, body.overlap_seconds, now).await?;
    let kept = repeatable.remembered(StatusCode::OK, None, &IssuedClientSecret::concealed(&rolled.credential, now));
    tx.commit_answering(rolled.event, kept.as_ref(), now, &mut app.rng()).await?;
    Ok(Answer(IssuedClientSecret::reveal(rolled.credential, rolled.secret, now)))
}

/// One with a new secret, in a transaction that is not committed yet.
pub(crate) async fn rolled<'a>(
    app: &'a App,
    authority: &Authority<'a>,
    id: ClientSecretId,
    overlap_seconds: u32,
    now: Timestamp,
) -> Result<(Tx<'a>, Issued), RequestError> {
    let (mut tx, secret, world) = authority.to_change_in_world(app, id).await?;
    let (context, by) = (world.context(app, authority), authority.by.actor.id());
    let rolled = secret.roll(overlap_seconds, &context, by, now, &mut app.rng())?;
    tx.save_rolled_credential(&rolled.credential, &app.peppers.digest(&rolled.secret.hash())).await?;
    Ok((tx, rolled))
}

/// Revoke a client secret
///
/// It is refused from the answer on, and so is every token that was got with it. This is final.
#[utoipa::path(
    post, path = "/v1/service-accounts/{id}/secrets/{secret}/revoke", tag = "Clients",
    operation_id = "revokeClientSecret",
    params(("id" = ServiceAccountId, Path), ("secret" = ClientSecretId, Path)), request_body = Revoke,
    responses((status = 200, body = ClientSecretView), (status = "4XX", body = Problem)),
)]
pub(crate) async fn revoke(
    State(app): State<App>,
    caller: Caller<WriteServiceAccounts>,
    Ids(account, id): Ids<ServiceAccountId, ClientSecretId>,
    Post { body, repeatable }: Post<Revoke>,
) -> Result<Answer<ClientSecretView>, RequestError> {
    let authority = Authority::over_client(&caller, account);
    let (mut tx, secret) = authority.to_change(&app, id).await?;
    let now = app.now();
    let (secret, event) = secret.revoke(body.reason, now)?;
    tx.save_credential(&secret).await?;
    let body = ClientSecretView::new(secret, now);
    let kept = repeatable.remembered(StatusCode::OK, None, &body);
    tx.commit_answering(event, kept.as_ref(), now, &mut app.rng()).await?;
    Ok(Answer(body))
}
