//! `/oauth/register`: clients that register themselves (RFC 7591), and manage their registration afterwards (RFC 7592).
//!
//! Who may register one holds a credential like any other that permits it; nobody does until somebody makes one. What comes of it is
//! a service account like any other. The room must not know what the token endpoint does with it.

mod proofs;

use axum::{
    Json,
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Path, Request, State},
    http::{StatusCode, request::Parts},
    response::{IntoResponse, Response},
};
use claviger_core::{
    CertificateName, ChangedMetadata, ClientCertificate, ClientKey, ClientMetadata, Credential, CredentialStatus,
    FieldError, Grantor, MOST_REGISTERED, Organization, Reach, Registration, Rejection, ServiceAccount, direct,
    is_confined,
    oauth::{OAuthError, OAuthErrorCode},
    registration_ceiling,
};
use claviger_store::{StoreError, Tx, View};
use claviger_token::{
    ClientAuthMethod, CredentialId, Environment, Found, Generation, GrantTypes, OrganizationId, Permission, Refusal,
    Secret, ServiceAccountId,
};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use self::proofs::Proofs;
use super::{NOT_KEPT, NotDone, REGISTER, RefusalView, token::GRANTS};
use crate::{
    app::App,
    body,
    caller::{ActsOnItself, Caller, WriteRegistrations},
    manage::{
        in_the_clear,
        rights::{Holder, Wanted, set_rights},
    },
    outside,
    problem::{Problem, RequestError},
};

/// What a client says of itself (RFC 7591, section 2). Other members are passed over.
#[derive(ToSchema)]
#[schema(as = ClientMetadata)]
#[expect(dead_code, reason = "the shape for the documentation; the members are read by name")]
pub(crate) struct ClientMetadataBody {
    /// 1 to 100 characters that can be seen.
    #[schema(example = "billing sync")]
    client_name: Option<String>,
    /// `client_credentials` if absent.
    grant_types: Option<Vec<String>>,
    /// None: there is no authorization endpoint.
    #[schema(max_items = 0)]
    response_types: Option<Vec<String>>,
    /// `client_secret_basic` if absent.
    token_endpoint_auth_method: Option<ClientAuthMethod>,
    /// Permissions, separated by spaces: at most those that the initial access token lists. Absent: none.
    #[schema(example = "invoices:read")]
    scope: Option<String>,
    /// For `private_key_jwt`: 1 to 20 public keys, as a JWK Set.
    #[schema(value_type = Option<Object>)]
    jwks: Option<Value>,
    /// For `private_key_jwt`: where the client publishes its keys, an `https` address of the public internet. Not both.
    jwks_uri: Option<String>,
    /// For `tls_client_auth`: the one name that its certificates have (RFC 8705, section 2.1.2); an authority of the organization vouches for them.
    #[schema(example = "CN=billing,O=Acme")]
    tls_client_auth_subject_dn: Option<String>,
    tls_client_auth_san_dns: Option<String>,
    tls_client_auth_san_uri: Option<String>,
    tls_client_auth_san_ip: Option<String>,
    tls_client_auth_san_email: Option<String>,
    /// Whether it wants no tokens but those that are bound to a key (RFC 9449).
    dpop_bound_access_tokens: Option<bool>,
    /// When a registration is changed: its own.
    client_id: Option<String>,
}

/// A registered client (RFC 7591, section 3.2.1): all that holds of it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RegisteredClient)]
pub(crate) struct RegisteredView {
    /// The service account's id.
    client_id: ServiceAccountId,
    /// When it was registered, in seconds since 1970.
    client_id_issued_at: i64,
    client_name: String,
    /// When it is registered: whether a credential of somebody else in the organization is called alike.
    #[serde(skip_serializing_if = "Option::is_none")]
    look_alike: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>)]
    grant_types: Option<GrantTypes>,
    #[schema(value_type = Vec<String>)]
    response_types: [&'static str; 0],
    #[serde(skip_serializing_if = "Option::is_none")]
    token_endpoint_auth_method: Option<ClientAuthMethod>,
    /// What it holds; absent if that is nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    jwks: Option<JwkSet>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jwks_uri: Option<String>,
    #[serde(flatten)]
    certificates: CertificateNames,
    dpop_bound_access_tokens: bool,
    /// Store it now; it cannot be shown again. Absent where no new one was made.
    #[serde(serialize_with = "in_the_clear", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "clv_cs_…")]
    client_secret: Option<Secret>,
    /// When a secret that was made ends, in seconds since 1970; 0 if it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret_expires_at: Option<i64>,
    /// Where the client reads, changes and deletes its registration.
    registration_client_uri: String,
    /// With what it does that. Store it now; it cannot be shown again.
    #[serde(serialize_with = "in_the_clear", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "clv_key_…")]
    registration_access_token: Option<Secret>,
}

/// The name that its certificates have, in the words of RFC 8705, section 2.1.2.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct CertificateNames {
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_client_auth_subject_dn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_client_auth_san_dns: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_client_auth_san_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_client_auth_san_ip: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_client_auth_san_email: Option<String>,
}

impl CertificateNames {
    fn of(name: Option<&CertificateName>) -> Self {
        let Some(name) = name else { return Self::default() };
        let (text, none) = (Some(name.text()), Self::default());
        match name {
            CertificateName::SubjectDn(_) => Self { tls_client_auth_subject_dn: text, ..none },
            CertificateName::SanDns(_) => Self { tls_client_auth_san_dns: text, ..none },
            CertificateName::SanUri(_) => Self { tls_client_auth_san_uri: text, ..none },
            CertificateName::SanIp(_) => Self { tls_client_auth_san_ip: text, ..none },
            CertificateName::SanEmail(_) => Self { tls_client_auth_san_email: text, ..none },
        }
    }
}

#[derive(Debug, Serialize)]
struct JwkSet {
    keys: Vec<Value>,
}

impl RegisteredView {
    /// What is stored of it, which is what holds.
    async fn read(app: &App, view: &mut View<'_>, account: ServiceAccount, now: Timestamp) -> Result<Self, StoreError> {
        let assignments = view.assignments_of(account.id.into()).await?;
        let scope = direct(&account, &assignments).join(" ");
        let keys = view.living_client_keys(account.id, now).await?;
        let own: Vec<Value> = keys.iter().filter_map(|(_, key)| key.jwk()).collect();
        let certificates = view.client_certificates(account.id).await?;
        let is_living = |credential: &Credential| credential.status(now) == CredentialStatus::Active;
        let name = certificates.iter().find_map(|(credential, certificate)| match certificate {
            ClientCertificate::Named(name) if is_living(credential) => Some(name),
            ClientCertificate::Named(_) | ClientCertificate::This(_) => None,
        });
        Ok(Self {
            client_id: account.id,
            client_id_issued_at: account.created_at.as_second(),
            client_name: account.name.to_string(),
            look_alike: None,
            grant_types: account.grant_types,
            response_types: [],
            token_endpoint_auth_method: account.token_endpoint_auth_method,
            scope: (!scope.is_empty()).then_some(scope),
            jwks: (!own.is_empty()).then_some(JwkSet { keys: own }),
            jwks_uri: keys.iter().find_map(|(_, key)| key.jwks_uri()).map(str::to_owned),
            certificates: CertificateNames::of(name),
            dpop_bound_access_tokens: account.dpop_bound_access_tokens,
            client_secret: None,
            client_secret_expires_at: None,
            registration_client_uri: format!("{}{REGISTER}/{}", app.config.public_url, account.id),
            registration_access_token: None,
        })
    }

    fn revealing(self, made: Option<(Secret, Option<Timestamp>)>) -> Self {
        let Some((secret, end)) = made else { return self };
        let ends_at = end.map_or(0, Timestamp::as_second);
        Self { client_secret: Some(secret), client_secret_expires_at: Some(ends_at), ..self }
    }
}

/// Register a client
///
/// For whoever holds `claviger:registrations:write`. The client is a service account of the caller's organization and may hold what the
/// caller's credential lists by name, beside that. The answer holds its secret and the token of its registration, once.
#[utoipa::path(
    post, path = "/oauth/register", tag = "OAuth", operation_id = "registerClient",
    request_body = ClientMetadataBody,
    responses(
        (status = 201, description = "The client", body = RegisteredView),
        (status = 400, description = "The metadata is refused", body = RefusalView),
        (status = 401, description = "No initial access token", body = Problem),
        (status = 403, description = "It does not permit this, or there are too many clients", body = RefusalView),
        (status = 429, description = "Too often", body = Problem),
        (status = 503, description = "Not now", body = RefusalView),
    ),
)]
pub(crate) async fn register(
    State(app): State<App>,
    caller: Caller<WriteRegistrations>,
    Said(body): Said,
) -> Result<Response, NotDone> {
    let (found, now) = (caller.found(), app.now());
    if found.credential.environment == Environment::Test {
        return Err(denied("a credential for tests registers no clients, which would be live"));
    }
    let mut said = ClientMetadata::read(&body, GRANTS)?;
    must_be_public(&app, &said)?;
    must_be_shown_somewhere(&app, &said)?;
    if is_confined(found) && !said.scope.is_empty() {
        let description = "scope: the initial access token counts on some objects or from some networks only, and its clients would not; \
                           leave scope out, or register by one without these limits";
        return Err(OAuthError::new(OAuthErrorCode::InvalidClientMetadata, description).into());
    }
    // What is bound hands nothing on that is not.
    said.dpop_bound_access_tokens |= found.credential.confirmation.is_some();
    let (home, ceiling) = (found.organization.id, registration_ceiling(found));
    let mut tx = app.store.begin(caller.by()).await?;
    let organization = locked(&mut tx, home).await?;
    still_living(&mut tx, found, now).await?;
    let here = Reach::Organization(home);
    if tx.within(here).count_registrations(home).await? >= MOST_REGISTERED {
        return Err(denied(format!(
            "the organization has {MOST_REGISTERED} registered clients, which is the most; delete some that are not used"
        )));
    }
    said.must_be_within(&ceiling, &tx.within(here).declared_permissions().await?)?;
    let made = said.account(home, found.credential.id, &ceiling, now, &mut app.rng());
    let (account, event) = made.map_err(not_registered)?;
    tx.insert_service_account(&account).await?;
    set_scope(&app, &mut tx, &account, &said).await?;
    let seen_by = caller.by().actor.id();
    let mut proofs = Proofs::of(&app, &mut tx, &organization, &account, caller.by(), seen_by).await?;
    let (key, token) = proofs.key(now).await?;
    let look_alike = proofs.is_look_alike(&key, now).await?;
    let secret = proofs.set(&said, now).await?;
    let CredentialId::ApiKey(id) = key.id else { return Err(not_registered(RequestError::NotFound)) };
    let registration =
        Registration { client: account.id, organization: home, registrar: found.credential.id, key: id, ceiling };
    tx.insert_registration(&registration).await?;
    let view = RegisteredView::read(&app, &mut tx.within(here), account, now).await?.revealing(secret);
    tx.commit(event, now, &mut app.rng()).await?;
    let view = RegisteredView { look_alike: Some(look_alike), registration_access_token: Some(token), ..view };
    Ok((StatusCode::CREATED, NOT_KEPT, Json(view)).into_response())
}

/// Show a client its registration
///
/// Secrets are not shown again.
#[utoipa::path(
    get, path = "/oauth/register/{client_id}", tag = "OAuth", operation_id = "showRegistration",
    params(("client_id" = ServiceAccountId, Path)),
    responses(
        (status = 200, description = "The client", body = RegisteredView),
        (status = 401, description = "Not the token of this registration", body = Problem),
    ),
)]
pub(crate) async fn show(State(app): State<App>, own: OwnRegistration) -> Result<Response, NotDone> {
    let registration = &own.registration;
    let mut view = app.store.within(Reach::Organization(registration.organization));
    let account = view.service_account(registration.client).await?;
    let account = account.ok_or(NotDone::Nobody)?;
    Ok((NOT_KEPT, Json(RegisteredView::read(&app, &mut view, account, app.now()).await?)).into_response())
}

/// Change a registration
///
/// What is left out is as if it never was (RFC 7592, section 2.2): the whole of it is said each time. A new secret is made if the client
/// has none that it proves itself by; one that it has stays, and is not shown again.
#[utoipa::path(
    put, path = "/oauth/register/{client_id}", tag = "OAuth", operation_id = "updateRegistration",
    params(("client_id" = ServiceAccountId, Path)), request_body = ClientMetadataBody,
    responses(
        (status = 200, description = "The client", body = RegisteredView),
        (status = 400, description = "The metadata is refused", body = RefusalView),
        (status = 401, description = "Not the token of this registration", body = Problem),
    ),
)]
pub(crate) async fn update(
    State(app): State<App>,
    own: OwnRegistration,
    Said(body): Said,
) -> Result<Response, NotDone> {
    let (registration, now) = (&own.registration, app.now());
    let ChangedMetadata { metadata: said, secret } = ClientMetadata::read_change(&body, GRANTS, registration.client)?;
    must_be_public(&app, &said)?;
    must_be_shown_somewhere(&app, &said)?;
    if let Some(secret) = secret {
        must_be_own(&app, &secret, registration.client).await?;
    }
    let mut tx = app.store.begin(own.itself.by()).await?;
    let organization = locked(&mut tx, registration.organization).await?;
    let account = locked_account(&mut tx, registration).await?;
    let key = still_living(&mut tx, own.itself.found(), now).await?;
    let here = Reach::Organization(registration.organization);
    let mut view = tx.within(here);
    let (held, declared) = (view.assignments_of(account.id.into()).await?, view.declared_permissions().await?);
    // What somebody gave it besides it may keep.
    let given = direct(&account, &held).into_iter().filter_map(|permission| permission.parse::<Permission>().ok());
    let given = given.collect();
    said.must_be_within(&registration.ceiling.union(&given), &declared)?;
    if let Some(more) = said.scope.iter().find(|permission| !given.contains(permission.as_str())) {
        let registrar = view.credential(registration.registrar).await?;
        if registrar.is_none_or(|registrar| registrar.status(now) != CredentialStatus::Active) {
            let description = format!(
                "scope: the client does not hold {more}, and the initial access token that it was registered by gives nothing any more; \
                 ask an administrator for it"
            );
            return Err(OAuthError::new(OAuthErrorCode::InvalidClientMetadata, description).into());
        }
    }
    let renamed = said.name != account.name;
    let (account, event) = said.changed(account, &held);
    tx.save_service_account(&account).await?;
    set_scope(&app, &mut tx, &account, &said).await?;
    // Whoever saw the key sees what it is used for.
    let seen_by = key.seen_by().to_owned();
    let mut proofs = Proofs::of(&app, &mut tx, &organization, &account, own.itself.by(), seen_by).await?;
    if renamed {
        proofs.rename(registration.key.into(), now).await?;
    }
    let secret = proofs.set(&said, now).await?;
    let view = RegisteredView::read(&app, &mut tx.within(here), account, now).await?.revealing(secret);
    tx.commit(event, now, &mut app.rng()).await?;
    Ok((NOT_KEPT, Json(view)).into_response())
}

/// Delete a registration
///
/// The service account ends with it, and every credential and token of it, for good.
#[utoipa::path(
    delete, path = "/oauth/register/{client_id}", tag = "OAuth", operation_id = "deleteRegistration",
    params(("client_id" = ServiceAccountId, Path)),
    responses(
        (status = 204, description = "Gone"),
        (status = 401, description = "Not the token of this registration", body = Problem),
    ),
)]
pub(crate) async fn delete(State(app): State<App>, own: OwnRegistration) -> Result<Response, NotDone> {
    let (registration, now) = (&own.registration, app.now());
    let mut tx = app.store.begin(own.itself.by()).await?;
    locked(&mut tx, registration.organization).await?;
    let account = locked_account(&mut tx, registration).await?;
    still_living(&mut tx, own.itself.found(), now).await?;
    let (account, event) = account.delete(now);
    tx.save_service_account(&account).await?;
    let ended = tx.end_all_of_service_account(account.id, now).await?;
    tx.commit(event.ending(&ended), now, &mut app.rng()).await?;
    Ok((StatusCode::NO_CONTENT, NOT_KEPT).into_response())
}

/// The body as it came, for it is refused in OAuth's own words.
pub(crate) struct Said(Bytes);

impl FromRequest<App> for Said {
    type Rejection = NotDone;

    async fn from_request(request: Request, _: &App) -> Result<Self, NotDone> {
        body::read(request, body::JSON).await.map(Self).map_err(NotDone::Unreadable)
    }
}

/// A client that shows the key of its own registration. Whoever does not learns nothing of which clients there are: there is one answer.
pub(crate) struct OwnRegistration {
    itself: ActsOnItself,
    registration: Registration,
}

impl FromRequestParts<App> for OwnRegistration {
    type Rejection = RequestError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, RequestError> {
        let nobody = || RequestError::Unauthenticated(Some(Refusal::Unknown));
        let client = Path::<String>::from_request_parts(parts, app).await.ok().and_then(|Path(text)| text.parse().ok());
        let itself = match ActsOnItself::from_request_parts(parts, app).await {
            Ok(itself) => itself,
            Err(RequestError::Unauthenticated(_) | RequestError::Unproved(_) | RequestError::Forbidden { .. }) => {
                return Err(nobody());
            }
            Err(other) => return Err(other),
        };
        let client: ServiceAccountId = client.ok_or_else(nobody)?;
        let registration = app.store.within(Reach::Instance).registration(client).await?;
        let registration = registration.filter(|one| is_key_of(itself.found(), one)).ok_or_else(nobody)?;
        Ok(Self { itself, registration })
    }
}

/// The key itself, and no token that was made from it.
fn is_key_of(found: &Found, registration: &Registration) -> bool {
    found.token.is_none() && found.credential.id == registration.key.into()
}

/// The organization comes first, here and wherever something is made in it.
async fn locked(tx: &mut Tx<'_>, id: OrganizationId) -> Result<Organization, NotDone> {
    let organization = tx.to_change(Reach::Organization(id)).organization(id).await?;
    organization.ok_or(NotDone::Nobody)
}

async fn locked_account(tx: &mut Tx<'_>, of: &Registration) -> Result<ServiceAccount, NotDone> {
    let account = tx.to_change(Reach::Organization(of.organization)).service_account(of.client).await?;
    account.filter(|account| account.disabled_at.is_none()).ok_or(NotDone::Nobody)
}

/// Whoever asks is judged before the body is read, which can take as long as they like: it must count now as well.
async fn still_living(tx: &mut Tx<'_>, found: &Found, now: Timestamp) -> Result<Credential, NotDone> {
    let credential = tx.within(Reach::Organization(found.organization.id)).credential(found.credential.id).await?;
    let presented = found.secret.as_ref().filter(|_| found.token.is_none()).map(|secret| secret.number);
    let counts = |credential: &Credential| {
        let retired = |number| {
            let secret = credential.secrets.iter().find(|secret| secret.number == number);
            secret.is_none_or(|secret| secret.facts().generation(now) == Generation::Retired)
        };
        credential.status(now) == CredentialStatus::Active && !presented.is_some_and(retired)
    };
    credential.filter(counts).ok_or(NotDone::Nobody)
}

/// A secret that a client says with its changes is its own (RFC 7592, section 2.2).
async fn must_be_own(app: &App, secret: &Secret, client: ServiceAccountId) -> Result<(), NotDone> {
    let looked_up = app.look_up_client_secret(secret.expose()).await?;
    let is_own = |found: &Found| {
        let generation = found.secret.as_ref().map(|secret| secret.generation(app.now()));
        found.principal.id == client.into() && !found.credential.revoked && generation != Some(Generation::Retired)
    };
    if looked_up.found().is_some_and(is_own) {
        return Ok(());
    }
    let description = "client_secret is not the client's own; leave it out, for a new one is not yours to choose";
    Err(OAuthError::new(OAuthErrorCode::InvalidClientMetadata, description).into())
}

/// Gives the client what it wants to hold, which was found to be no more than it may.
async fn set_scope(app: &App, tx: &mut Tx<'_>, account: &ServiceAccount, said: &ClientMetadata) -> Result<(), NotDone> {
    let holder = Holder { principal: account.id.into(), home: account.organization };
    let held = tx.within(Reach::Organization(account.organization)).assignments_of(account.id.into()).await?;
    let names = said.wanted();
    let wanted = Wanted { roles: None, permissions: Some(&names) };
    // The ceiling was asked already, and lasts whatever limits the registrar has.
    set_rights(app, tx, holder, held, wanted, Grantor::Itself).await.map_err(not_registered)?;
    Ok(())
}

/// Where keys are fetched from later is looked at now, as far as the address says it.
fn must_be_public(app: &App, said: &ClientMetadata) -> Result<(), NotDone> {
    let networks = app.config.outbound_networks.as_ref();
    let hidden = |address: &str| !outside::may_be_asked(address, networks);
    match said.keys.iter().filter_map(ClientKey::jwks_uri).any(hidden) {
        false => Ok(()),
        true => {
            let description = "jwks_uri: an https:// address of the public internet, at port 443 or above 1023";
            Err(OAuthError::new(OAuthErrorCode::InvalidClientMetadata, description).into())
        }
    }
}

/// Where nobody can show a certificate, nobody proves themselves by one.
fn must_be_shown_somewhere(app: &App, said: &ClientMetadata) -> Result<(), NotDone> {
    if !said.method.shows_a_certificate() || app.config.takes_certificates() {
        return Ok(());
    }
    let description = "token_endpoint_auth_method: clients cannot show certificates here; token_endpoint_auth_methods_supported lists what works";
    Err(OAuthError::new(OAuthErrorCode::InvalidClientMetadata, description).into())
}

fn denied(description: impl AsRef<str>) -> NotDone {
    OAuthError::new(OAuthErrorCode::AccessDenied, description).into()
}

/// What the management API would refuse, in OAuth's words.
fn not_registered(error: impl Into<RequestError>) -> NotDone {
    let said = |error: &FieldError| format!("{}: {}", error.pointer, error.message);
    let description = match error.into() {
        RequestError::Store(error) => return error.into(),
        RequestError::Rejected(Rejection::Invalid(errors)) => errors.iter().map(said).collect::<Vec<_>>().join("; "),
        RequestError::Rejected(other) => other.to_string(),
        other @ (RequestError::NotFound
        | RequestError::Unreadable { .. }
        | RequestError::Unauthenticated(_)
        | RequestError::Unproved(_)
        | RequestError::Forbidden { .. }
        | RequestError::Throttled { .. }) => return NotDone::Unreadable(other),
    };
    OAuthError::new(OAuthErrorCode::InvalidClientMetadata, description).into()
}
