//! `POST /v1/enrolments`: a device shows a claim code and gets a service account of its own in the fleet, with the key that it proves to hold or
//! with a certificate for that. How it renews by itself stands in `renewal.rs`, and how a key or a certificate is registered in `registered.rs`.
//!
//! What comes of it is an OAuth client like any other. The room must not know who runs fleets (`manage/fleet.rs`).

mod registered;
pub(super) mod renewal;

use axum::{
    extract::{FromRequest, Request, State},
    http::{HeaderMap, HeaderValue, header},
};
use claviger_core::{
    Actor, Assignment, By, ClaimCode, CredentialStatus, Device, Fleet, Granted, Name, NewEnrolment, Reach, Rejection,
    Scope, ServiceAccount,
};
use claviger_store::{StoreError, View};
use claviger_token::{
    Certificate, CertificateId, CredentialId, DpopError, FleetId, Opaque, OrganizationId, PermissionSet, ProofUrl,
    PublicKeyId, Refusal, Secret, SecretKind, ServiceAccountId, Shown, TypedId as _,
};
use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use utoipa::ToSchema;

use self::registered::{New, Registered};
use super::{OAuthRequest, TOKEN};
use crate::{
    app::App,
    body::{self, Created},
    client_certificate::{self, Unreadable},
    link_maker::link_maker,
    metrics::Guarded,
    problem::{Problem, RequestError},
    proof::{Asker, ProofFor},
};

const ENROL: &str = "/v1/enrolments";

/// An enrolled device. Nothing of it is secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Enrolment)]
pub(crate) struct EnrolmentView {
    /// The device's service account, which is also its `client_id`.
    service_account_id: ServiceAccountId,
    /// The key that was registered: the device signs assertions with it (RFC 7523).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<PublicKeyId>)]
    public_key_id: Option<CredentialId>,
    /// The certificate that was issued: the device shows it (RFC 8705).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<CertificateId>)]
    certificate_id: Option<CredentialId>,
    /// The same as PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate_pem: Option<String>,
    /// The certificates above it, as PEM, which are one: that of the fleet's authority.
    #[serde(skip_serializing_if = "Option::is_none")]
    chain_pem: Option<String>,
    /// When the key, or the certificate, ends. The device renews before.
    expires_at: Timestamp,
    /// From when on it should.
    renew_after: Timestamp,
    fleet_id: FleetId,
    organization_id: OrganizationId,
    name: String,
    /// What its assertions name as `aud`.
    issuer: String,
    /// Where it gets tokens: by `private_key_jwt`, or by `self_signed_tls_client_auth` where it shows its certificate.
    token_endpoint: String,
}

impl EnrolmentView {
    fn created(app: &App, device: Device, registered: &Registered) -> Created<Self> {
        let Registered { credential, issued } = registered;
        // A device's key always ends.
        let expires_at = credential.expires_at.unwrap_or(Timestamp::MAX);
        let (segment, base) = match issued {
            None => ("public-keys", None),
            Some(_) => ("certificates", app.config.mtls_url.as_ref()),
        };
        let location = format!("/v1/service-accounts/{}/{segment}/{}", device.account, credential.id);
        let body = Self {
            service_account_id: device.account,
            public_key_id: issued.is_none().then_some(credential.id),
            certificate_id: issued.is_some().then_some(credential.id),
            certificate_pem: issued.as_ref().map(|issued| issued.own.to_pem()),
            chain_pem: issued.as_ref().map(|issued| issued.authority.to_pem()),
            expires_at,
            renew_after: Device::renew_after(credential.created_at, expires_at),
            fleet_id: device.fleet,
            organization_id: device.organization,
            name: device.name.to_string(),
            issuer: app.config.public_url.clone(),
            token_endpoint: format!("{}{TOKEN}", base.unwrap_or(&app.config.public_url)),
        };
        Created { location, body }
    }
}

/// What a device sends: no credential but what stands in the body, and a certificate if it shows one.
pub(crate) struct FromDevice<T> {
    request: OAuthRequest,
    shown: Result<Option<Certificate>, Unreadable>,
    body: T,
}

impl<T: DeserializeOwned> FromRequest<App> for FromDevice<T> {
    type Rejection = RequestError;

    async fn from_request(request: Request, app: &App) -> Result<Self, RequestError> {
        let bare = OAuthRequest::without_form(&request, app);
        let shown = client_certificate::shown(request.extensions(), request.headers(), &app.config);
        let bytes = body::read(request, body::JSON).await?;
        Ok(Self { request: bare, shown, body: body::parse(&bytes)? })
    }
}

/// Enrol a device
///
/// For a device that has a claim code and no other credential. It sends its public key and proves to hold the private one by a DPoP proof
/// (RFC 9449) for this request, whose `ath` is the SHA-256 of the claim code; or it sends a certificate request (PKCS#10), which proves that by
/// itself, and gets a certificate by the authority of the fleet. It gets a service account of its own with what the fleet gives. A refused request takes no use of the code; one that is repeated with the same code, name and key is answered as before.
#[utoipa::path(
    post, path = "/v1/enrolments", tag = "Fleets", operation_id = "enrolDevice", request_body = NewEnrolment,
    params(("DPoP" = Option<String>, Header, description = "The proof, signed by the key in `jwk`")),
    responses(
        (status = 201, description = "The device", body = EnrolmentView),
        (status = 401, description = "The key is not proved", body = Problem),
        (status = 422, description = "No claim code that counts, or a body that is wrong", body = Problem),
        (status = 429, description = "Too often", body = Problem),
        (status = "4XX", body = Problem),
    ),
    security(()),
)]
pub(crate) async fn create(
    State(app): State<App>,
    FromDevice { request, body, .. }: FromDevice<NewEnrolment>,
) -> Result<Created<EnrolmentView>, RequestError> {
    let (shown, now) = (&body.claim_code.0, app.now());
    let name = Name::parse(&body.name).ok();
    let asker = name.as_ref().zip(body.said());
    let mut found = None;
    if let Some(code) = app.claim_code(shown).await? {
        let claim = Claim::of(&mut app.store.within(Reach::Instance), &code, asker, now).await?;
        found = claim.map(|claim| (code, claim));
    }
    // Before anything else is looked at: a proof would cost us a signature, and a refusal of it would tell that there is such a code.
    let (code, claim) = found.ok_or_else(|| app.unclaimed(&request))?;
    let proved = match (&body.jwk, &body.csr) {
        (Some(_), None) => Some(app.proved_by_device(&request, ENROL, shown).await?),
        (..) => None,
    };
    let read = body.read(proved.as_deref());
    let (name, key) = read.map_err(|wrong| if claim.counts { wrong.into() } else { app.unclaimed(&request) })?;
    let thumbprint = key.thumbprint();
    let here = Reach::Organization(code.organization);
    // Whoever is refused, or asks again, waits for nobody and nobody for them.
    let mut view = app.store.within(here);
    if let Some((known, key)) = claim.answered(&app, &request, &mut view, (&code, &name, &thumbprint), now).await? {
        return Ok(EnrolmentView::created(&app, known, &key));
    }
    let (account, id) = (ServiceAccountId::generate(now, &mut app.rng()), key.new_id(now, &mut app.rng()));
    let actor = Actor::Principal { id: account.into(), credential: id };
    let by = By { actor, address: request.address, request_id: request.id.as_ref().map(ToString::to_string) };
    let mut tx = app.store.begin(&by).await?;
    tx.to_change(here).organization(code.organization).await?;
    tx.to_change(here).fleet(code.fleet).await?;
    let code = tx.to_change(here).claim_code(code.id).await?.ok_or_else(|| app.unclaimed(&request))?;
    // Once more: of many at once, each sees what the one before did.
    tx.lock_grants(code.fleet).await?;
    let asker = Some((&name, thumbprint.clone()));
    let claim = Claim::of(&mut tx.within(Reach::Instance), &code, asker, now).await?;
    let claim = claim.ok_or_else(|| app.unclaimed(&request))?;
    if let Some((known, key)) =
        claim.answered(&app, &request, &mut tx.within(here), (&code, &name, &thumbprint), now).await?
    {
        return Ok(EnrolmentView::created(&app, known, &key));
    }
    let Claim { fleet, given, .. } = claim;
    if !tx.use_claim_code(code.id).await? {
        return Err(app.unclaimed(&request));
    }
    let (account, made) = Device::account(account, &code, &name, &given, &key, now)?;
    tx.insert_service_account(&account).await?;
    tx.insert_assignments(&assignments(&app, &account, given, now)).await?;
    let device = Device {
        account: account.id,
        fleet: fleet.id,
        organization: fleet.organization,
        name,
        thumbprint,
        key: id,
        former_key: None,
        claim_code: code.id,
        enrolled_at: now,
        ended_at: None,
    };
    // Whoever has the code may have the key, and nobody knows who that is: it is made by the code, and not by the device.
    let new = New { device: &device, fleet: &fleet, id, created_by: code.id.to_string(), now };
    let (registered, event) = new.register(&app, &mut tx, key).await?;
    tx.insert_device(&device).await?;
    tx.also(made);
    tx.also(event);
    tx.commit(device.enrolled(&account, &registered.credential), now, &mut app.rng()).await?;
    Ok(EnrolmentView::created(&app, device, &registered))
}

/// What stands behind a claim code, where something does.
struct Claim {
    fleet: Fleet,
    given: Vec<Granted>,
    /// The device of this name, if it asks itself for what it was told before, or the code still counts.
    known: Option<Device>,
    /// Whether one more may come.
    counts: bool,
}

impl Claim {
    /// Nothing, if the code does not count for the `asker`, a name and the thumbprint of a key, and no device of both came by it, which may
    /// not have had its answer.
    async fn of(
        view: &mut View<'_>,
        code: &ClaimCode,
        asker: Option<(&Name, String)>,
        now: Timestamp,
    ) -> Result<Option<Self>, StoreError> {
        let organization = view.organization(code.organization).await?;
        let Some(organization) = organization.filter(|one| one.disabled_at.is_none()) else { return Ok(None) };
        let fleet = view.fleet(code.fleet).await?.filter(|fleet| fleet.closed_at.is_none());
        let Some(fleet) = fleet else { return Ok(None) };
        let given = view.given_by_fleet(fleet.id).await?;
        let brought = given.iter().fold(PermissionSet::default(), |all, (_, permissions)| all.union(permissions));
        let made = (code.created_by.as_str(), code.created_with);
        let maker = link_maker(view, made, Some(&organization), now).await?;
        let mut counts = code.counts(&maker, &brought, now);
        let (mut known, mut came_by_it) = (None, false);
        if let Some((name, thumbprint)) = asker {
            counts = counts && !view.was_ended(code.id, name, &thumbprint).await?;
            known = view.device_called(fleet.id, name).await?;
            let is_it = |known: &Device| known.claim_code == code.id && known.thumbprint == thumbprint;
            came_by_it = code.revoked_at.is_none() && known.as_ref().is_some_and(is_it);
        }
        if !counts && !came_by_it {
            return Ok(None);
        }
        let given = given.into_iter().map(|(granted, _)| granted).collect();
        Ok(Some(Self { fleet, given, known, counts }))
    }

    /// The device and its key, if whoever asks was answered before; nothing, if one more may come. Else why not.
    async fn answered(
        &self,
        app: &App,
        request: &OAuthRequest,
        view: &mut View<'_>,
        (code, name, thumbprint): (&ClaimCode, &Name, &str),
        now: Timestamp,
    ) -> Result<Option<(Device, Registered)>, RequestError> {
        if let Some(known) = &self.known
            && let Some(key) = registered_before(view, known, code, thumbprint, now).await?
        {
            return Ok(Some((known.clone(), key)));
        }
        if !self.counts {
            return Err(app.unclaimed(request));
        }
        if self.known.is_some() {
            let message = "the fleet has another device of this name; delete that one and make another claim code, or choose another name";
            return Err(conflict("device_exists", message));
        }
        let is_itself = |other: &Device| other.claim_code == code.id && other.name == *name;
        must_be_alone(view, self.fleet.id, thumbprint, is_itself).await?;
        self.fleet.must_have_room(view.count_kept_devices(self.fleet.id).await?, self.given.len())?;
        Ok(None)
    }
}

impl App {
    /// The claim code that somebody shows, in whatever state. What has not the form of one is not looked for.
    async fn claim_code(&self, shown: &Secret) -> Result<Option<ClaimCode>, StoreError> {
        let opaque = Opaque::parse(shown.expose(), &self.brands).ok();
        let Some(opaque) = opaque.filter(|opaque| opaque.kind == SecretKind::ClaimCode) else { return Ok(None) };
        // Strangers ask for this, and shall not take all connections from those who need one.
        let _turn = self.assertion_reads.acquire().await;
        let mut view = self.store.within(Reach::Instance);
        for digest in self.peppers.candidates(&opaque.hash) {
            if let Some(code) = view.claim_code_shown(&digest).await? {
                return Ok(Some(code));
            }
        }
        Ok(None)
    }

    /// The refusal of whoever has no code that counts. Those who fail again and again from one place wait; whoever has one never does.
    fn unclaimed(&self, request: &OAuthRequest) -> RequestError {
        match self.throttle.client_failed(request.address, self.now()) {
            Ok(()) => ClaimCode::does_not_count().into(),
            Err(wait) => {
                self.metrics.throttled(Guarded::Enrolment);
                let mut headers = HeaderMap::new();
                headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs() + 1));
                RequestError::Throttled { refusal: Refusal::RateLimited, headers }
            }
        }
    }

    /// The thumbprint of the key that a request proves to hold, together with what it presents.
    async fn proved_by_device(
        &self,
        request: &OAuthRequest,
        path: &str,
        presented: &Secret,
    ) -> Result<String, RequestError> {
        let urls: Vec<ProofUrl> = self.config.addresses_of(path).filter_map(|url| ProofUrl::parse(&url)).collect();
        let asked = ProofFor { method: "POST", urls: &urls, credential: Some(presented.expose()) };
        let proving = self.prove(request.carried().or_missing(), Asker::Resource, asked);
        let proving = if self.is_first_use(&proving).await? { proving } else { proving.repeated() };
        match (proving.proof.key, proving.problem) {
            (Shown::Held(thumbprint), None) => Ok(thumbprint.to_string()),
            (Shown::Held(_) | Shown::Invalid | Shown::Nothing, problem) => {
                let problem = problem.unwrap_or(DpopError::NotOne);
                Err(RequestError::Unproved(self.told_of_proof(Refusal::ProofInvalid, Some(problem), None)))
            }
        }
    }
}

/// What a device registered that enrolled by this code and did not get its answer, as it says: it has the same key, which works.
async fn registered_before(
    view: &mut View<'_>,
    device: &Device,
    code: &ClaimCode,
    thumbprint: &str,
    now: Timestamp,
) -> Result<Option<Registered>, StoreError> {
    if device.claim_code != code.id || device.thumbprint != thumbprint {
        return Ok(None);
    }
    registered_last(view, device, now).await
}

/// What a device registered last, if that works.
async fn registered_last(
    view: &mut View<'_>,
    device: &Device,
    now: Timestamp,
) -> Result<Option<Registered>, StoreError> {
    let account = view.service_account(device.account).await?;
    if account.is_none_or(|account| account.disabled_at.is_some()) {
        return Ok(None);
    }
    let all = Registered::all_of(view, device).await?;
    let is_it =
        |one: &Registered| one.credential.id == device.key && one.credential.status(now) == CredentialStatus::Active;
    Ok(all.into_iter().find(is_it))
}

/// Two devices with one key would be one that was copied, or one that takes the uses of others.
async fn must_be_alone(
    view: &mut View<'_>,
    fleet: FleetId,
    thumbprint: &str,
    is_itself: impl FnOnce(&Device) -> bool,
) -> Result<(), RequestError> {
    match view.device_with_key(fleet, thumbprint).await? {
        // What it asks for at the same time is done: that is told once everything is locked.
        Some(other) if !is_itself(&other) => {
            Err(conflict("key_exists", "another device of the fleet has this key; each makes its own"))
        }
        Some(_) | None => Ok(()),
    }
}

/// What a fleet gives, for one device.
fn assignments(app: &App, account: &ServiceAccount, given: Vec<Granted>, now: Timestamp) -> Vec<Assignment> {
    let home = account.organization;
    let give = |granted| {
        Assignment::create(account.id.into(), home, Scope::Organization(home), granted, now, &mut app.rng()).0
    };
    given.into_iter().map(give).collect()
}

fn conflict(code: &'static str, message: &str) -> RequestError {
    Rejection::Conflict { code, message: message.to_owned() }.into()
}
