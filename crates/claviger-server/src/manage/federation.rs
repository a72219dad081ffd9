//! `/v1/service-accounts/{id}/federations`: which assertions of outside issuers stand for a service account, as an OAuth client.

use axum::{extract::State, http::StatusCode};
use claviger_core::{
    ClientCredentialChanges, Credential, Federation, IssuerKeys, MadeFederation, NewFederation, Preset,
};
use claviger_store::Tx;
use claviger_token::{CredentialId, FederationId, ServiceAccountId};
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

/// A client's federated identity.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Federation)]
pub(crate) struct FederationView {
    #[schema(value_type = FederationId)]
    id: CredentialId,
    #[serde(flatten)]
    members: ClientCredentialView,
    preset: Preset,
    /// `iss` of the assertions; null if any will do, in a SPIFFE trust domain.
    issuer: Option<String>,
    /// Of SPIFFE; else null.
    trust_domain: Option<String>,
    /// The only `aud` of the assertions; null for this instance's `public_url`.
    audience: Option<String>,
    /// What the claims of the assertions must say.
    #[schema(value_type = Object)]
    conditions: serde_json::Value,
    /// The issuer's keys, if they are here.
    #[schema(value_type = Option<Object>)]
    jwks: Option<serde_json::Value>,
    /// Where they are, if the issuer does not say so by itself.
    jwks_uri: Option<String>,
    /// Whether an assertion counts once.
    single_use: bool,
    /// What the conditions let in that might not be meant.
    #[schema(value_type = Vec<String>)]
    warnings: Vec<&'static str>,
}

impl FederationView {
    fn new(credential: &Credential, federation: &Federation, now: Timestamp) -> Self {
        Self {
            id: credential.id,
            members: ClientCredentialView::new(credential, now),
            preset: federation.preset,
            issuer: federation.issuer.clone(),
            trust_domain: federation.trust_domain.clone(),
            audience: federation.audience.clone(),
            conditions: federation.conditions.to_json(),
            jwks: federation.keys.jwks().map(IssuerKeys::to_json).cloned(),
            jwks_uri: federation.keys.jwks_uri().map(str::to_owned),
            single_use: federation.single_use,
            warnings: federation.warnings(),
        }
    }
}

/// List a client's federated identities
#[utoipa::path(
    get, path = "/v1/service-accounts/{id}/federations", tag = "Clients", operation_id = "listFederations",
    params(("id" = ServiceAccountId, Path), ClientCredentialQuery),
    responses((status = 200, body = List<FederationView>), (status = "4XX", body = Problem)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller<ReadServiceAccounts>,
    Id(account): Id<ServiceAccountId>,
    listing: Listing<ClientCredentialQuery>,
) -> Result<Answer<List<FederationView>>, RequestError> {
    let (mut view, now) = (app.store.within(caller.reach()), app.now());
    view.service_account(account).await?.ok_or(RequestError::NotFound)?;
    let found = view.federations(account, &listing.page()?).await?;
    Ok(Answer(listing.list(found, |(one, _)| one.id, |(one, federation)| FederationView::new(&one, &federation, now))))
}

/// Make a federated identity
///
/// Workloads elsewhere get tokens by what their own platform says of them, with no secret of ours: whoever has an assertion of the
/// issuer that meets all conditions gets tokens for all that the service account may do.
#[utoipa::path(
    post, path = "/v1/service-accounts/{id}/federations", tag = "Clients", operation_id = "createFederation",
    params(("id" = ServiceAccountId, Path)), request_body = NewFederation,
    responses((status = 201, body = FederationView), (status = "4XX", body = Problem)),
)]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller<WriteServiceAccounts>,
    Id(account): Id<ServiceAccountId>,
    Post { body, repeatable }: Post<NewFederation>,
) -> Result<Created<FederationView>, RequestError> {
    let authority = Authority::over_client(&caller, account);
    let (mut tx, now) = (app.store.begin(authority.by).await?, app.now());
    let MadeFederation { credential, federation, event } = make(&app, &mut tx, &authority, account, body, now).await?;
    let location = format!("/v1/service-accounts/{account}/federations/{}", credential.id);
    let body = FederationView::new(&credential, &federation, now);
    let kept = repeatable.remembered(StatusCode::CREATED, Some(&location), &body);
    tx.commit_answering(event, kept.as_ref(), now, &mut app.rng()).await?;
    Ok(Created { location, body })
}

/// A federated identity by the rules as they are inside of the transaction, which is not committed yet.
pub(crate) async fn make<'a>(
    app: &'a App,
    tx: &mut Tx<'a>,
    authority: &Authority<'a>,
    account: ServiceAccountId,
    body: NewFederation,
    now: Timestamp,
) -> Result<MadeFederation, RequestError> {
    let world = World::of_account(tx, authority.reach, account).await?.ok_or(RequestError::NotFound)?;
    let existing = tx.within(authority.reach).living_federations(account, now).await?;
    let context = world.context(app, authority);
    let (by, issuer) = (authority.by.actor.id(), &app.config.public_url);
    let made = body.make(&context, &existing, issuer, by, now, &mut app.rng())?;
    tx.insert_federation(&made.credential, &made.federation).await?;
    Ok(made)
}

/// Show a federated identity
#[utoipa::path(
    get, path = "/v1/service-accounts/{id}/federations/{federation}", tag = "Clients", operation_id = "showFederation",
    params(("id" = ServiceAccountId, Path), ("federation" = FederationId, Path)),
    responses((status = 200, body = FederationView), (status = "4XX", body = Problem)),
)]
pub(crate) async fn show(
    State(app): State<App>,
    caller: Caller<ReadServiceAccounts>,
    Ids(account, id): Ids<ServiceAccountId, FederationId>,
) -> Result<Answer<FederationView>, RequestError> {
    let authority = Authority::over_client(&caller, account);
    let mut view = app.store.within(authority.reach);
    let credential = authority.find(&mut view, id).await?;
    let (_, federation) = view.federation(id).await?.ok_or(RequestError::NotFound)?;
    Ok(Answer(FederationView::new(&credential, &federation, app.now())))
}

/// Change a federated identity
///
/// Its name, its end, or whether it works; for other conditions make another. What it loses, its tokens lose at once.
#[utoipa::path(
    patch, path = "/v1/service-accounts/{id}/federations/{federation}", tag = "Clients", operation_id = "updateFederation",
    params(("id" = ServiceAccountId, Path), ("federation" = FederationId, Path)), request_body = ClientCredentialChanges,
    responses((status = 200, body = FederationView), (status = "4XX", body = Problem)),
)]
pub(crate) async fn update(
    State(app): State<App>,
    caller: Caller<WriteServiceAccounts>,
    Ids(account, id): Ids<ServiceAccountId, FederationId>,
    Json(changes): Json<ClientCredentialChanges>,
) -> Result<Answer<FederationView>, RequestError> {
    let authority = Authority::over_client(&caller, account);
    let (mut tx, credential, event) = updated(&app, &authority, id, changes).await?;
    let (_, federation) = tx.within(authority.reach).federation(id).await?.ok_or(RequestError::NotFound)?;
    let now = app.now();
    tx.commit(event, now, &mut app.rng()).await?;
    Ok(Answer(FederationView::new(&credential, &federation, now)))
}

/// Delete a federated identity
///
/// It ends and is no longer listed, and what was got with it is refused.
#[utoipa::path(
    delete, path = "/v1/service-accounts/{id}/federations/{federation}", tag = "Clients", operation_id = "deleteFederation",
    params(("id" = ServiceAccountId, Path), ("federation" = FederationId, Path)),
    responses((status = 204, description = "Gone"), (status = "4XX", body = Problem)),
)]
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Caller<WriteServiceAccounts>,
    Ids(account, id): Ids<ServiceAccountId, FederationId>,
) -> Result<StatusCode, RequestError> {
    Authority::over_client(&caller, account).delete(&app, id).await
}

/// Revoke a federated identity
///
/// Its assertions are refused from the answer on, and so is every token that was got with them. This is final.
#[utoipa::path(
    post, path = "/v1/service-accounts/{id}/federations/{federation}/revoke", tag = "Clients",
    operation_id = "revokeFederation",
    params(("id" = ServiceAccountId, Path), ("federation" = FederationId, Path)), request_body = Revoke,
    responses((status = 200, body = FederationView), (status = "4XX", body = Problem)),
)]
pub(crate) async fn revoke(
    State(app): State<App>,
    caller: Caller<WriteServiceAccounts>,
    Ids(account, id): Ids<ServiceAccountId, FederationId>,
    Post { body, repeatable }: Post<Revoke>,
) -> Result<Answer<FederationView>, RequestError> {
    let authority = Authority::over_client(&caller, account);
    let (mut tx, credential) = authority.to_change(&app, id).await?;
    let now = app.now();
    let (credential, event) = credential.revoke(body.reason, now)?;
    tx.save_credential(&credential).await?;
    let (_, federation) = tx.within(authority.reach).federation(id).await?.ok_or(RequestError::NotFound)?;
    let body = FederationView::new(&credential, &federation, now);
    let kept = repeatable.remembered(StatusCode::OK, None, &body);
    tx.commit_answering(event, kept.as_ref(), now, &mut app.rng()).await?;
    Ok(Answer(body))
}
