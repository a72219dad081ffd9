//! `/v1/service-accounts/{id}/certificates`: by which certificates a service account proves itself, as an OAuth client (RFC 8705).

use axum::{extract::State, http::StatusCode};
use claviger_core::{
    AddedCertificate, CertificateName, ClientCertificate, ClientCredentialChanges, Credential, NewCertificate,
};
use claviger_store::Tx;
use claviger_token::{Certificate, CertificateId, ClientAuthMethod, CredentialId, ServiceAccountId};
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

/// By which certificates a client proves itself.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Certificate)]
pub(crate) struct CertificateView {
    #[schema(value_type = CertificateId)]
    id: CredentialId,
    #[serde(flatten)]
    members: ClientCredentialView,
    /// How the client proves itself with it.
    method: ClientAuthMethod,
    /// The certificate itself as PEM; null if a name counts.
    certificate_pem: Option<String>,
    /// Its SHA-256, as base64url (RFC 8705); null if a name counts.
    #[serde(rename = "x5t#S256")]
    thumbprint: Option<String>,
    /// Whom it is about, for people to read; null if a name counts.
    subject: Option<String>,
    /// When it ends by what it says itself; null if a name counts.
    not_after: Option<Timestamp>,
    /// The subject of the certificates that count; one of these five has a value, or `certificate_pem` has.
    subject_dn: Option<String>,
    san_dns: Option<String>,
    san_uri: Option<String>,
    san_ip: Option<String>,
    san_email: Option<String>,
}

impl CertificateView {
    fn new(credential: &Credential, certificate: &ClientCertificate, now: Timestamp) -> Self {
        let (own, name) = match certificate {
            ClientCertificate::This(own) => (Some(own), None),
            ClientCertificate::Named(name) => (None, Some(name)),
        };
        let named = |member: &str| name.filter(|name| name.member() == member).map(CertificateName::text);
        Self {
            id: credential.id,
            members: ClientCredentialView::new(credential, now),
            method: certificate.method(),
            certificate_pem: own.map(Certificate::to_pem),
            thumbprint: own.map(|own| own.thumbprint().to_string()),
            subject: own.map(Certificate::subject),
            not_after: own.and_then(Certificate::not_after),
            subject_dn: named("subject_dn"),
            san_dns: named("san_dns"),
            san_uri: named("san_uri"),
            san_ip: named("san_ip"),
            san_email: named("san_email"),
        }
    }
}

/// List a client's certificates
#[utoipa::path(
    get, path = "/v1/service-accounts/{id}/certificates", tag = "Clients", operation_id = "listCertificates",
    params(("id" = ServiceAccountId, Path), ClientCredentialQuery),
    responses((status = 200, body = List<CertificateView>), (status = "4XX", body = Problem)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller<ReadServiceAccounts>,
    Id(account): Id<ServiceAccountId>,
    listing: Listing<ClientCredentialQuery>,
) -> Result<Answer<List<CertificateView>>, RequestError> {
    let (mut view, now) = (app.store.within(caller.reach()), app.now());
    view.service_account(account).await?.ok_or(RequestError::NotFound)?;
    let found = view.certificates(account, &listing.page()?).await?;
    Ok(Answer(listing.list(
        found,
        |(one, _)| one.id,
        |(one, certificate)| CertificateView::new(&one, &certificate, now),
    )))
}

/// Add a certificate
///
/// One certificate, which nobody need vouch for, or one name: then every certificate counts that has it and that one of the organization's
/// certificate authorities vouches for. Whoever shows it gets tokens for all that the service account may do. Add the next one before
/// one ends: several work side by side.
#[utoipa::path(
    post, path = "/v1/service-accounts/{id}/certificates", tag = "Clients", operation_id = "createCertificate",
    params(("id" = ServiceAccountId, Path)), request_body = NewCertificate,
    responses((status = 201, body = CertificateView), (status = "4XX", body = Problem)),
)]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller<WriteServiceAccounts>,
    Id(account): Id<ServiceAccountId>,
    Post { body, repeatable }: Post<NewCertificate>,
) -> Result<Created<CertificateView>, RequestError> {
    let authority = Authority::over_client(&caller, account);
    let (mut tx, now) = (app.store.begin(authority.by).await?, app.now());
    let AddedCertificate { credential, certificate, event } =
        add(&app, &mut tx, &authority, account, body, now).await?;
    let location = format!("/v1/service-accounts/{account}/certificates/{}", credential.id);
    let body = CertificateView::new(&credential, &certificate, now);
    let kept = repeatable.remembered(StatusCode::CREATED, Some(&location), &body);
    tx.commit_answering(event, kept.as_ref(), now, &mut app.rng()).await?;
    Ok(Created { location, body })
}

/// A certificate by the rules as they are inside of the transaction, which is not committed yet.
pub(crate) async fn add<'a>(
    app: &'a App,
    tx: &mut Tx<'a>,
    authority: &Authority<'a>,
    account: ServiceAccountId,
    body: NewCertificate,
    now: Timestamp,
) -> Result<AddedCertificate, RequestError> {
    let world = World::of_account(tx, authority.reach, account).await?.ok_or(RequestError::NotFound)?;
    let existing = tx.within(authority.reach).client_certificates(account).await?;
    let context = world.context(app, authority);
    let made = body.add(&context, &existing, authority.by.actor.id(), now, &mut app.rng())?;
    tx.insert_certificate(&made.credential, &made.certificate).await?;
    Ok(made)
}

/// Show a certificate
#[utoipa::path(
    get, path = "/v1/service-accounts/{id}/certificates/{certificate}", tag = "Clients", operation_id = "showCertificate",
    params(("id" = ServiceAccountId, Path), ("certificate" = CertificateId, Path)),
    responses((status = 200, body = CertificateView), (status = "4XX", body = Problem)),
)]
pub(crate) async fn show(
    State(app): State<App>,
    caller: Caller<ReadServiceAccounts>,
    Ids(account, id): Ids<ServiceAccountId, CertificateId>,
) -> Result<Answer<CertificateView>, RequestError> {
    let authority = Authority::over_client(&caller, account);
    let mut view = app.store.within(authority.reach);
    let credential = authority.find(&mut view, id).await?;
    let (_, certificate) = view.certificate(id).await?.ok_or(RequestError::NotFound)?;
    Ok(Answer(CertificateView::new(&credential, &certificate, app.now())))
}

/// Change a certificate
///
/// Its name, its end, or whether it works; for another certificate add another. What it loses, its tokens lose at once.
#[utoipa::path(
    patch, path = "/v1/service-accounts/{id}/certificates/{certificate}", tag = "Clients", operation_id = "updateCertificate",
    params(("id" = ServiceAccountId, Path), ("certificate" = CertificateId, Path)), request_body = ClientCredentialChanges,
    responses((status = 200, body = CertificateView), (status = "4XX", body = Problem)),
)]
pub(crate) async fn update(
    State(app): State<App>,
    caller: Caller<WriteServiceAccounts>,
    Ids(account, id): Ids<ServiceAccountId, CertificateId>,
    Json(changes): Json<ClientCredentialChanges>,
) -> Result<Answer<CertificateView>, RequestError> {
    let authority = Authority::over_client(&caller, account);
    let (mut tx, credential, event) = updated(&app, &authority, id, changes).await?;
    let (_, certificate) = tx.within(authority.reach).certificate(id).await?.ok_or(RequestError::NotFound)?;
    let now = app.now();
    tx.commit(event, now, &mut app.rng()).await?;
    Ok(Answer(CertificateView::new(&credential, &certificate, now)))
}

/// Delete a certificate
///
/// It ends and is no longer listed, and what was got with it is refused.
#[utoipa::path(
    delete, path = "/v1/service-accounts/{id}/certificates/{certificate}", tag = "Clients", operation_id = "deleteCertificate",
    params(("id" = ServiceAccountId, Path), ("certificate" = CertificateId, Path)),
    responses((status = 204, description = "Gone"), (status = "4XX", body = Problem)),
)]
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Caller<WriteServiceAccounts>,
    Ids(account, id): Ids<ServiceAccountId, CertificateId>,
) -> Result<StatusCode, RequestError> {
    Authority::over_client(&caller, account).delete(&app, id).await
}

/// Revoke a certificate
///
/// Whoever shows it is refused from the answer on, and so is every token that was got with it. This is final.
#[utoipa::path(
    post, path = "/v1/service-accounts/{id}/certificates/{certificate}/revoke", tag = "Clients",
    operation_id = "revokeCertificate",
    params(("id" = ServiceAccountId, Path), ("certificate" = CertificateId, Path)), request_body = Revoke,
    responses((status = 200, body = CertificateView), (status = "4XX", body = Problem)),
)]
pub(crate) async fn revoke(
    State(app): State<App>,
    caller: Caller<WriteServiceAccounts>,
    Ids(account, id): Ids<ServiceAccountId, CertificateId>,
    Post { body, repeatable }: Post<Revoke>,
) -> Result<Answer<CertificateView>, RequestError> {
    let authority = Authority::over_client(&caller, account);
    let (mut tx, credential) = authority.to_change(&app, id).await?;
    let now = app.now();
    let (credential, event) = credential.revoke(body.reason, now)?;
    tx.save_credential(&credential).await?;
    let (_, certificate) = tx.within(authority.reach).certificate(id).await?.ok_or(RequestError::NotFound)?;
    let body = CertificateView::new(&credential, &certificate, now);
    let kept = repeatable.remembered(StatusCode::OK, None, &body);
    tx.commit_answering(event, kept.as_ref(), now, &mut app.rng()).await?;
    Ok(Answer(body))
}
