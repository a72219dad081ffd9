//! `POST /v1/enrolments` and `…/renew`: a device shows a claim code, gets a service account of its own in the fleet with the key that it
//! proves to hold, and renews that key by itself before it ends.
//!
//! What comes of it is an OAuth client like any other. The room must not know who runs fleets (`manage/fleet.rs`).

use axum::{
    extract::{FromRequest, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
};
use claviger_core::{
    Actor, Assignment, By, ClaimCode, Credential, CredentialStatus, Device, Fleet, Granted, Name, NewEnrolment,
    NewRenewal, Reach, Rejection, RevokeReason, Scope, ServiceAccount,
};
use claviger_store::{StoreError, Tx, View};
use claviger_token::{
    CredentialId, DpopError, FleetId, Opaque, OrganizationId, PermissionSet, PrincipalId, ProofUrl, PublicKeyId,
    Refusal, Secret, SecretKind, ServiceAccountId, Shown, TypedId as _, VerifyingKey,
};
use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use utoipa::ToSchema;

use super::{Client, NotDone, OAuthRequest, TOKEN};
use crate::{
    app::App,
    body::{self, Created},
    link_maker::link_maker,
    manage::World,
    metrics::Guarded,
    problem::{Problem, RequestError},
    proof::{Asker, ProofFor},
};

const ENROL: &str = "/v1/enrolments";
const RENEW: &str = "/v1/enrolments/renew";

/// An enrolled device. Nothing of it is secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Enrolment)]
pub(crate) struct EnrolmentView {
    /// The device's service account, which is also its `client_id`.
    service_account_id: ServiceAccountId,
    /// The key that was registered: the device signs assertions with it (RFC 7523).
    #[schema(value_type = PublicKeyId)]
    public_key_id: CredentialId,
    /// When the key ends. The device renews before.
    expires_at: Timestamp,
    /// From when on it should.
    renew_after: Timestamp,
    fleet_id: FleetId,
    organization_id: OrganizationId,
    name: String,
    /// What its assertions name as `aud`.
    issuer: String,
    /// Where it gets tokens, by `private_key_jwt`.
    token_endpoint: String,
}

impl EnrolmentView {
    fn created(app: &App, device: Device, key: &Credential) -> Created<Self> {
        // A device's key always ends.
        let expires_at = key.expires_at.unwrap_or(Timestamp::MAX);
        let location = format!("/v1/service-accounts/{}/public-keys/{}", device.account, key.id);
        let body = Self {
            service_account_id: device.account,
            public_key_id: key.id,
            expires_at,
            renew_after: Device::renew_after(key.created_at, expires_at),
            fleet_id: device.fleet,
            organization_id: device.organization,
            name: device.name.to_string(),
            issuer: app.config.public_url.clone(),
            token_endpoint: format!("{}{TOKEN}", app.config.public_url),
        };
        Created { location, body }
    }
}

/// What a device sends: no credential but what stands in the body.
pub(crate) struct FromDevice<T> {
    request: OAuthRequest,
    body: T,
}

impl<T: DeserializeOwned> FromRequest<App> for FromDevice<T> {
    type Rejection = RequestError;

    async fn from_request(request: Request, app: &App) -> Result<Self, RequestError> {
        let bare = OAuthRequest::without_form(&request, app);
        let bytes = body::read(request, body::JSON).await?;
        Ok(Self { request: bare, body: body::parse(&bytes)? })
    }
}

/// Enrol a device
///
/// For a device that has a claim code and no other credential. It sends its public key and proves to hold the private one by a DPoP proof
/// (RFC 9449) for this request, whose `ath` is the SHA-256 of the claim code. It gets a service account of its own with what the fleet
/// gives. A refused request takes no use of the code; one that is repeated with the same code, name and key is answered as before.
#[utoipa::path(
    post, path = "/v1/enrolments", tag = "Fleets", operation_id = "enrolDevice", request_body = NewEnrolment,
    params(("DPoP" = String, Header, description = "The proof, signed by the key that is registered")),
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
    FromDevice { request, body }: FromDevice<NewEnrolment>,
) -> Result<Created<EnrolmentView>, RequestError> {
    let (shown, now) = (&body.claim_code.0, app.now());
    let (name, said) = (Name::parse(&body.name).ok(), VerifyingKey::from_jwk(body.jwk.get().as_bytes()).ok());
    let asker = name.as_ref().zip(said.as_ref().map(VerifyingKey::thumbprint));
    let mut found = None;
    if let Some(code) = app.claim_code(shown).await? {
        let claim = Claim::of(&mut app.store.within(Reach::Instance), &code, asker.clone(), now).await?;
        found = claim.map(|claim| (code, claim));
    }
    // Before anything else is looked at: a proof would cost us a signature, and a refusal of it would tell that there is such a code.
    let (code, claim) = found.ok_or_else(|| app.unclaimed(&request))?;
    let thumbprint = app.proved_by_device(&request, ENROL, shown).await?;
    let read = body.read(&thumbprint);
    let (name, key) = read.map_err(|wrong| if claim.counts { wrong.into() } else { app.unclaimed(&request) })?;
    let here = Reach::Organization(code.organization);
    // Whoever is refused, or asks again, waits for nobody and nobody for them.
    let mut view = app.store.within(here);
    if let Some((known, key)) = claim.answered(&app, &request, &mut view, (&code, &thumbprint), now).await? {
        return Ok(EnrolmentView::created(&app, known, &key));
    }
    let (account, id) = (ServiceAccountId::generate(now, &mut app.rng()), PublicKeyId::generate(now, &mut app.rng()));
    let actor = Actor::Principal { id: account.into(), credential: id.into() };
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
    if let Some((known, key)) = claim.answered(&app, &request, &mut tx.within(here), (&code, &thumbprint), now).await? {
        return Ok(EnrolmentView::created(&app, known, &key));
    }
    let Claim { fleet, given, .. } = claim;
    if !tx.use_claim_code(code.id).await? {
        return Err(app.unclaimed(&request));
    }
    let (account, made) = Device::account(account, &code, &name, &given, now)?;
    tx.insert_service_account(&account).await?;
    tx.insert_assignments(&assignments(&app, &account, given, now)).await?;
    let world = World::of_account(&mut tx, here, account.id).await?.ok_or(RequestError::NotFound)?;
    let device = Device {
        account: account.id,
        fleet: fleet.id,
        organization: fleet.organization,
        name,
        thumbprint: key.thumbprint(),
        key: id.into(),
        former_key: None,
        claim_code: code.id,
        enrolled_at: now,
        ended_at: None,
    };
    let new = device.key(&body.jwk, fleet.key_end(&world.organization().policy, now));
    // Whoever has the code may have the key, and nobody knows who that is: it is made by the code, and not by the device.
    let registered = new.register_as(id, &world.context_of_itself(&app), &[], code.id.to_string(), now)?;
    tx.insert_public_key(&registered.credential, &registered.key).await?;
    tx.insert_device(&device).await?;
    tx.also(made);
    tx.also(registered.event);
    tx.commit(device.enrolled(&account, &registered.credential), now, &mut app.rng()).await?;
    Ok(EnrolmentView::created(&app, device, &registered.credential))
}

/// Renew a device's key
///
/// The device proves itself by an assertion that the key signs which it has (RFC 7523), with this address as `aud` and the thumbprint of the
/// next key as `cnf.jkt`, and the next key by a DPoP proof for this request, whose `ath` is the SHA-256 of the assertion. The key before works
/// for another hour, or until its own end; so long nothing is renewed again. Repeated with the same new key, the answer is the same.
#[utoipa::path(
    post, path = "/v1/enrolments/renew", tag = "Fleets", operation_id = "renewDevice", request_body = NewRenewal,
    params(("DPoP" = String, Header, description = "The proof, signed by the next key")),
    responses(
        (status = 201, description = "The device, with its next key", body = EnrolmentView),
        (status = 401, description = "The next key is not proved", body = Problem),
        (status = 409, description = "No device that may renew", body = Problem),
        (status = 422, description = "No assertion that counts, or a body that is wrong", body = Problem),
        (status = 429, description = "Too often", body = Problem),
        (status = "4XX", body = Problem),
    ),
    security(()),
)]
pub(crate) async fn renew(
    State(app): State<App>,
    FromDevice { request, body }: FromDevice<NewRenewal>,
) -> Result<Created<EnrolmentView>, RequestError> {
    let (assertion, now) = (&body.client_assertion.0, app.now());
    let here = format!("{}{RENEW}", app.config.public_url);
    let (client, vouched) = app.client_of_own_key(&request, assertion, &here).await.map_err(not_renewed)?;
    let thumbprint = app.proved_by_device(&request, RENEW, assertion).await?;
    let key = body.read(&thumbprint)?;
    if vouched.as_ref() != Some(&thumbprint) {
        let message =
            "cnf.jkt of the assertion must be the thumbprint of the key in jwk: the key before vouches for the next";
        return Err(Rejection::field("/client_assertion", "key_not_vouched_for", message).into());
    }
    let here = Reach::Organization(client.found().organization.id);
    let asked = Asked { by: client.found().credential.id, thumbprint: &thumbprint, now };
    // Whoever is refused, or asks again, waits for nobody and nobody for them.
    let (device, before) = asked.answered(&mut app.store.within(here), &client).await?;
    if let Some(known) = before {
        return Ok(EnrolmentView::created(&app, device, &known));
    }
    let by = client.by(&request);
    let mut tx = app.store.begin(&by).await?;
    let account = locked(&mut tx, here, &device).await?;
    let (device, before) = asked.answered(&mut tx.within(here), &client).await?;
    if let Some(known) = before {
        return Ok(EnrolmentView::created(&app, device, &known));
    }
    let fleet = tx.within(here).fleet(device.fleet).await?.ok_or_else(no_device)?;
    let mut keys = tx.within(here).client_keys(account.id).await?;
    let own = keys.iter().find(|(one, _)| one.id == asked.by).map(|(one, _)| one.clone()).ok_or_else(no_device)?;
    // A device has two keys at most: the one that it renews, and the next.
    let ended: Vec<_> = keys.extract_if(.., |(one, _)| one.id != own.id && device.registered(one.id)).collect();
    let mut existing = keys;
    for (key, _) in ended {
        let (key, event) = key.revoke(RevokeReason::Superseded, now)?;
        tx.save_credential(&key).await?;
        tx.also(event);
    }
    let own_maker = own.created_by.clone();
    let (retired, retiring) = Device::retire(own, now);
    let world = World::of_account(&mut tx, here, account.id).await?.ok_or(RequestError::NotFound)?;
    let new = device.key(&body.jwk, fleet.key_end(&world.organization().policy, now));
    existing.retain(|(one, _)| one.status(now) == CredentialStatus::Active);
    let registered = new.register(&world.context_of_itself(&app), &existing, own_maker, now, &mut app.rng())?;
    tx.save_credential(&retired).await?;
    tx.insert_public_key(&registered.credential, &registered.key).await?;
    let (device, event) = device.renewed(&account, key.thumbprint(), &registered.credential, &retired);
    tx.save_device(&device).await?;
    tx.also(retiring);
    tx.also(registered.event);
    tx.commit(event, now, &mut app.rng()).await?;
    Ok(EnrolmentView::created(&app, device, &registered.credential))
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
        (code, thumbprint): (&ClaimCode, &str),
        now: Timestamp,
    ) -> Result<Option<(Device, Credential)>, RequestError> {
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
        must_be_alone(view, self.fleet.id, thumbprint).await?;
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

/// The key of a device that enrolled by this code and did not get its answer, as it says: it has the same key, which works.
async fn registered_before(
    view: &mut View<'_>,
    device: &Device,
    code: &ClaimCode,
    thumbprint: &str,
    now: Timestamp,
) -> Result<Option<Credential>, StoreError> {
    if device.claim_code != code.id || device.thumbprint != thumbprint {
        return Ok(None);
    }
    let account = view.service_account(device.account).await?;
    if account.is_none_or(|account| account.disabled_at.is_some()) {
        return Ok(None);
    }
    let keys = view.living_client_keys(device.account, now).await?;
    Ok(keys.into_iter().find(|(_, key)| key.thumbprint().as_deref() == Some(thumbprint)).map(|(one, _)| one))
}

/// A renewal that is asked for: proved by a key that the device has, of one with this thumbprint.
struct Asked<'a> {
    by: CredentialId,
    thumbprint: &'a str,
    now: Timestamp,
}

impl Asked<'_> {
    /// The device that a client is, and the key that it asks for if it has registered that already by the one that proves it. Else why it
    /// may not renew, if it may not.
    async fn answered(
        &self,
        view: &mut View<'_>,
        client: &Client,
    ) -> Result<(Device, Option<Credential>), RequestError> {
        let PrincipalId::ServiceAccount(id) = client.found().principal.id else { return Err(no_device()) };
        let device = view.device(id).await?.ok_or_else(no_device)?;
        let fleet = view.fleet(device.fleet).await?.ok_or_else(no_device)?;
        let keys = view.client_keys(id).await?;
        let of = |wanted: CredentialId| keys.iter().map(|(one, _)| one).find(|one| one.id == wanted);
        let own = of(self.by).ok_or_else(|| conflict("device_stopped", "the key that signed was revoked meanwhile"))?;
        let known = of(device.key);
        device.must_renew(&fleet, own, known, self.now)?;
        let is_asked_again = |known: &&Credential| device.thumbprint == self.thumbprint && known.id != own.id;
        if let Some(known) = known.filter(is_asked_again) {
            let known = known.clone();
            return Ok((device, Some(known)));
        }
        if let Some(known) = known {
            device.must_have_waited(own, known, self.now)?;
        }
        if device.thumbprint != self.thumbprint {
            must_be_alone(view, device.fleet, self.thumbprint).await?;
        }
        Ok((device, None))
    }
}

/// Two devices with one key would be one that was copied, or one that takes the uses of others.
async fn must_be_alone(view: &mut View<'_>, fleet: FleetId, thumbprint: &str) -> Result<(), RequestError> {
    match view.device_with_key(fleet, thumbprint).await? {
        None => Ok(()),
        Some(_) => Err(conflict("key_exists", "another device of the fleet has this key; each makes its own")),
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

/// The service account of a device, locked in the order in which everybody does: its fleet before it, and after it all keys that were not
/// revoked, by their ids.
async fn locked(tx: &mut Tx<'_>, here: Reach, device: &Device) -> Result<ServiceAccount, RequestError> {
    tx.to_change(here).organization(device.organization).await?.ok_or_else(no_device)?;
    tx.to_change(here).fleet(device.fleet).await?.ok_or_else(no_device)?;
    let account = tx.to_change(here).service_account(device.account).await?;
    let account = account.filter(|account| account.disabled_at.is_none()).ok_or_else(no_device)?;
    let keys = tx.within(here).client_keys(device.account).await?;
    let mut ids: Vec<CredentialId> = keys.into_iter().map(|(one, _)| one.id).collect();
    ids.sort_unstable_by_key(ToString::to_string);
    for id in ids {
        tx.to_change(here).credential(id).await?;
    }
    Ok(account)
}

fn no_device() -> RequestError {
    conflict("no_device", "this client is no device of a fleet, or its fleet was revoked")
}

fn conflict(code: &'static str, message: &str) -> RequestError {
    Rejection::Conflict { code, message: message.to_owned() }.into()
}

/// What the token endpoint would say of an assertion, in the words of the management API.
fn not_renewed(refused: NotDone) -> RequestError {
    match refused {
        NotDone::Refused(error) => {
            let message =
                format!("{}; if its key has ended, the device enrols anew, by a new claim code", error.description());
            Rejection::field("/client_assertion", "invalid_client_assertion", message).into()
        }
        NotDone::Unreadable(error) => error,
        NotDone::Throttled { headers } => RequestError::Throttled { refusal: Refusal::RateLimited, headers },
        NotDone::Nobody | NotDone::WantsNonce { .. } => RequestError::Unauthenticated(Some(Refusal::Unknown)),
        NotDone::Unavailable(cause) => {
            tracing::error!(error = &*cause as &dyn std::error::Error, "a device could not be looked up");
            let detail = "this cannot be done right now; nothing was changed, try again";
            RequestError::unreadable(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
        }
    }
}
