//! `/v1/organizations/{id}/certificate-authorities`: whose word counts when clients of an organization show certificates (RFC 8705, section 2.1).

use axum::{extract::State, http::StatusCode};
use claviger_core::{CertificateAuthority, NewCertificateAuthority};
use claviger_token::{Certificate, CertificateAuthorityId, OrganizationId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Id, Ids};
use crate::{
    app::App,
    body::{Answer, Created, Post},
    caller::{Caller, ReadOrganizations, WriteOrganizations},
    listing::{List, Listing, list_query},
    problem::{Problem, RequestError},
};

/// A certificate authority that an organization trusts.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CertificateAuthority)]
pub(crate) struct CertificateAuthorityView {
    id: CertificateAuthorityId,
    organization_id: OrganizationId,
    name: String,
    /// Each is trusted by itself.
    certificates: Vec<TrustedCertificate>,
    /// Whether its word counts for clients that hold something in all organizations: if whoever added it could give that.
    reaches_instance: bool,
    created_at: Timestamp,
    /// A principal's id, or `operator`.
    created_by: String,
}

/// One of its certificates.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TrustedCertificate {
    /// Whom it is about, for people to read.
    subject: String,
    /// Its SHA-256, as base64url.
    #[serde(rename = "x5t#S256")]
    thumbprint: String,
    /// When it ends, and with it its word; null if it does not say.
    not_after: Option<Timestamp>,
    certificate_pem: String,
}

impl TrustedCertificate {
    fn new(certificate: &Certificate) -> Self {
        Self {
            subject: certificate.subject(),
            thumbprint: certificate.thumbprint().to_string(),
            not_after: certificate.not_after(),
            certificate_pem: certificate.to_pem(),
        }
    }
}

impl CertificateAuthorityView {
    fn new(authority: &CertificateAuthority) -> Self {
        Self {
            id: authority.id,
            organization_id: authority.organization,
            name: authority.name.to_string(),
            certificates: authority.certificates.iter().map(TrustedCertificate::new).collect(),
            reaches_instance: authority.reaches_instance,
            created_at: authority.created_at,
            created_by: authority.created_by.clone(),
        }
    }
}

/// A page of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct CertificateAuthorityQuery {
    /// 1 to 200; 50 if absent.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}
list_query!(CertificateAuthorityQuery);

/// List an organization's certificate authorities
#[utoipa::path(
    get, path = "/v1/organizations/{id}/certificate-authorities", tag = "Organizations",
    operation_id = "listCertificateAuthorities",
    params(("id" = OrganizationId, Path), CertificateAuthorityQuery),
    responses((status = 200, body = List<CertificateAuthorityView>), (status = "4XX", body = Problem)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller<ReadOrganizations>,
    Id(organization): Id<OrganizationId>,
    listing: Listing<CertificateAuthorityQuery>,
) -> Result<Answer<List<CertificateAuthorityView>>, RequestError> {
    let mut view = app.store.within(caller.reach());
    view.organization(organization).await?.ok_or(RequestError::NotFound)?;
    let found = view.page_of_certificate_authorities(organization, &listing.page()?).await?;
    Ok(Answer(listing.list(found, |one| one.id, |one| CertificateAuthorityView::new(&one))))
}

/// Trust a certificate authority
///
/// The certificates that it issued count from now on for the organization's service accounts that registered a name in them
/// (`tls_client_auth`). Nobody else's count. For service accounts that hold something in all organizations they count only if the caller could give that. Whoever has the authority becomes every such client, so that `claviger:grants:write` is
/// needed besides.
#[utoipa::path(
    post, path = "/v1/organizations/{id}/certificate-authorities", tag = "Organizations",
    operation_id = "createCertificateAuthority",
    params(("id" = OrganizationId, Path)), request_body = NewCertificateAuthority,
    responses((status = 201, body = CertificateAuthorityView), (status = "4XX", body = Problem)),
)]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller<WriteOrganizations>,
    Id(id): Id<OrganizationId>,
    Post { body, repeatable }: Post<NewCertificateAuthority>,
) -> Result<Created<CertificateAuthorityView>, RequestError> {
    let mut tx = app.store.begin(caller.by()).await?;
    // Locked, so that there are no more of them at the commit than were counted.
    tx.to_change(caller.reach()).organization(id).await?.ok_or(RequestError::NotFound)?;
    let grantor = caller.grantor();
    grantor.may_let_vouch(id)?;
    let existing = tx.within(caller.reach()).certificate_authorities(id).await?;
    let (now, by) = (app.now(), caller.by().actor.id());
    let (authority, event) = body.create(id, &existing, grantor.may_let_vouch_everywhere(), by, now, &mut app.rng())?;
    tx.insert_certificate_authority(&authority).await?;
    let location = format!("/v1/organizations/{id}/certificate-authorities/{}", authority.id);
    let body = CertificateAuthorityView::new(&authority);
    let kept = repeatable.remembered(StatusCode::CREATED, Some(&location), &body);
    tx.commit_answering(event, kept.as_ref(), now, &mut app.rng()).await?;
    Ok(Created { location, body })
}

/// Show a certificate authority
#[utoipa::path(
    get, path = "/v1/organizations/{id}/certificate-authorities/{authority}", tag = "Organizations",
    operation_id = "showCertificateAuthority",
    params(("id" = OrganizationId, Path), ("authority" = CertificateAuthorityId, Path)),
    responses((status = 200, body = CertificateAuthorityView), (status = "4XX", body = Problem)),
)]
pub(crate) async fn show(
    State(app): State<App>,
    caller: Caller<ReadOrganizations>,
    Ids(organization, id): Ids<OrganizationId, CertificateAuthorityId>,
) -> Result<Answer<CertificateAuthorityView>, RequestError> {
    let found = app.store.within(caller.reach()).certificate_authority(organization, id).await?;
    found.as_ref().map(|found| Answer(CertificateAuthorityView::new(found))).ok_or(RequestError::NotFound)
}

/// Trust a certificate authority no more
///
/// No certificate counts by its word from the answer on, and the tokens that were got with certificates in the organization, in exchange too, are
/// refused: clients with another certificate get new ones.
#[utoipa::path(
    delete, path = "/v1/organizations/{id}/certificate-authorities/{authority}", tag = "Organizations",
    operation_id = "deleteCertificateAuthority",
    params(("id" = OrganizationId, Path), ("authority" = CertificateAuthorityId, Path)),
    responses((status = 204, description = "Gone"), (status = "4XX", body = Problem)),
)]
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Caller<WriteOrganizations>,
    Ids(organization, id): Ids<OrganizationId, CertificateAuthorityId>,
) -> Result<StatusCode, RequestError> {
    let mut tx = app.store.begin(caller.by()).await?;
    tx.to_change(caller.reach()).organization(organization).await?.ok_or(RequestError::NotFound)?;
    let found = tx.within(caller.reach()).certificate_authority(organization, id).await?;
    let authority = found.ok_or(RequestError::NotFound)?;
    if authority.reaches_instance {
        // Whoever administers one organization does not stop what administers the instance.
        caller.must_reach_instance()?;
    }
    tx.delete_certificate_authority(&authority).await?;
    tx.commit(authority.delete(), app.now(), &mut app.rng()).await?;
    Ok(StatusCode::NO_CONTENT)
}
