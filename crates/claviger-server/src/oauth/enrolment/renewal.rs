//! `POST /v1/enrolments/renew`: a device registers its next key by the one that it has, or gets its next certificate by showing the one that it has.
//!
//! The room must not know how a device came by the first.

use std::ops::ControlFlow;

use axum::{extract::State, http::StatusCode};
use claviger_core::{
    Credential, Device, NewRenewal, ProvedKey, Reach, Rejection, Renewal, RevokeReason, ServiceAccount,
};
use claviger_store::{Tx, View};
use claviger_token::{Certificate, CredentialId, PrincipalId, Refusal, ServiceAccountId};
use jiff::Timestamp;

use super::{
    EnrolmentView, FromDevice, conflict, must_be_alone,
    registered::{New, Registered},
    registered_last,
};
use crate::{
    app::App,
    body::Created,
    client_certificate::Unreadable,
    oauth::{Client, NotDone, OAuthRequest},
    problem::{Problem, RequestError},
};

const RENEW: &str = "/v1/enrolments/renew";

/// Renew a device's key or certificate
///
/// A device that signs proves itself by an assertion that the key signs which it has (RFC 7523), with this address as `aud` and the thumbprint of
/// the next key as `cnf.jkt`, and the next key by a DPoP proof for this request, whose `ath` is the SHA-256 of the assertion. A device that has a
/// certificate shows that on the connection and sends a request for the next, with another key or the same. What it has works for another hour, or
/// until its own end; so long nothing is renewed again. Repeated with the same new key, the answer is the same: for a certificate as long as that lasts
/// and with no other one shown, for the request proves its key, and a certificate is no secret.
#[utoipa::path(
    post, path = "/v1/enrolments/renew", tag = "Fleets", operation_id = "renewDevice", request_body = NewRenewal,
    params(("DPoP" = Option<String>, Header, description = "The proof, signed by the next key in `jwk`")),
    responses(
        (status = 201, description = "The device, with its next key", body = EnrolmentView),
        (status = 401, description = "The next key is not proved", body = Problem),
        (status = 409, description = "No device that may renew", body = Problem),
        (status = 422, description = "No assertion or certificate that counts, or a body that is wrong", body = Problem),
        (status = 429, description = "Too often", body = Problem),
        (status = "4XX", body = Problem),
    ),
    security(()),
)]
pub(crate) async fn renew(
    State(app): State<App>,
    FromDevice { mut request, shown, body }: FromDevice<NewRenewal>,
) -> Result<Created<EnrolmentView>, RequestError> {
    let now = app.now();
    let (client, key) = match app.proved_to_renew(&mut request, shown, &body.way()?).await? {
        ControlFlow::Continue(proved) => proved,
        ControlFlow::Break((device, known)) => return Ok(EnrolmentView::created(&app, device, &known)),
    };
    let here = Reach::Organization(client.found().organization.id);
    let thumbprint = key.thumbprint();
    let asked = Asked { by: client.found().credential.id, thumbprint: &thumbprint, now };
    // Whoever is refused, or asks again, waits for nobody and nobody for them.
    let (device, before) = asked.answered(&mut app.store.within(here), &client, false).await?;
    if let Some(known) = before {
        return Ok(EnrolmentView::created(&app, device, &known));
    }
    let by = client.by(&request);
    let mut tx = app.store.begin(&by).await?;
    let account = locked(&mut tx, here, &device).await?;
    let (device, before) = asked.answered(&mut tx.within(here), &client, true).await?;
    if let Some(known) = before {
        return Ok(EnrolmentView::created(&app, device, &known));
    }
    let fleet = tx.within(here).fleet(device.fleet).await?.ok_or_else(no_device)?;
    let mut own = None;
    for Registered { credential, .. } in Registered::all_of(&mut tx.within(here), &device).await? {
        if credential.id == asked.by {
            own = Some(credential);
        } else if device.registered(credential.id) {
            // A device has two keys at most: the one that it renews, and the next.
            let (ended, event) = credential.revoke(RevokeReason::Superseded, now)?;
            tx.save_credential(&ended).await?;
            tx.also(event);
        }
    }
    let (retired, retiring) = Device::retire(own.ok_or_else(no_device)?, now);
    tx.save_credential(&retired).await?;
    let id = key.new_id(now, &mut app.rng());
    let new = New { device: &device, fleet: &fleet, id, created_by: retired.created_by.clone(), now };
    let (registered, event) = new.register(&app, &mut tx, key).await?;
    tx.also(retiring);
    tx.also(event);
    let (device, event) = device.renewed(&account, thumbprint, &registered.credential, &retired);
    tx.save_device(&device).await?;
    tx.commit(event, now, &mut app.rng()).await?;
    Ok(EnrolmentView::created(&app, device, &registered))
}

impl App {
    /// The client that renews, by what it has, and its next key; or what a device was issued before by the same request.
    async fn proved_to_renew(
        &self,
        request: &mut OAuthRequest,
        shown: Result<Option<Certificate>, Unreadable>,
        way: &Renewal<'_>,
    ) -> Result<ControlFlow<(Device, Registered), (Client, ProvedKey)>, RequestError> {
        match way {
            Renewal::Signed { assertion, .. } => {
                let here = format!("{}{RENEW}", self.config.public_url);
                let told = |refused| not_renewed(refused, "/client_assertion", "invalid_client_assertion");
                let (client, vouched) = self.client_of_own_key(request, assertion, &here).await.map_err(told)?;
                let thumbprint = self.proved_by_device(request, RENEW, assertion).await?;
                let key = way.read(Some(&thumbprint))?;
                if vouched.as_ref() != Some(&thumbprint) {
                    let message = "cnf.jkt of the assertion must be the thumbprint of the key in jwk: the key before vouches for the next";
                    return Err(Rejection::field("/client_assertion", "key_not_vouched_for", message).into());
                }
                Ok(ControlFlow::Continue((client, key)))
            }
            Renewal::Shown { client: id, .. } => {
                request.certificate = shown?;
                match self.client_showing(request, *id).await {
                    // Who shows a certificate has signed the whole connection by its key: that vouches for what is asked for there.
                    Ok(client) => Ok(ControlFlow::Continue((client, way.read(None)?))),
                    Err(refused) => {
                        // Whoever has to wait is not looked up.
                        let may_ask = matches!(refused, NotDone::Refused(_));
                        let known = if may_ask { self.issued_before(*id, way).await? } else { None };
                        known.map(ControlFlow::Break).ok_or_else(|| self.not_shown(request, refused))
                    }
                }
            }
        }
    }

    /// The device and its newest certificate, if the request is for that and proves its key: the device had no answer, and what it could show has
    /// ended meanwhile. Nothing changes by it, and it tells what whoever meets the device sees.
    async fn issued_before(
        &self,
        id: ServiceAccountId,
        way: &Renewal<'_>,
    ) -> Result<Option<(Device, Registered)>, RequestError> {
        // Strangers ask for this, and shall not take all connections from those who need one.
        let _turn = self.assertion_reads.acquire().await;
        let mut view = self.store.within(Reach::Instance);
        let Some(device) = view.device(id).await? else { return Ok(None) };
        if way.read(None).map_or(true, |key| key.thumbprint() != device.thumbprint) {
            return Ok(None);
        }
        let organization = view.organization(device.organization).await?;
        let fleet = view.fleet(device.fleet).await?;
        if organization.is_none_or(|one| one.disabled_at.is_some()) || fleet.is_none_or(|one| one.closed_at.is_some()) {
            return Ok(None);
        }
        let known = registered_last(&mut view, &device, self.now()).await?;
        Ok(known.filter(|known| known.issued.is_some()).map(|known| (device, known)))
    }

    fn not_shown(&self, request: &OAuthRequest, refused: NotDone) -> RequestError {
        const CODE: &str = "invalid_client_certificate";
        match (&refused, &request.certificate, &self.config.mtls_url) {
            (NotDone::Refused(_), None, Some(asking)) => {
                let message =
                    format!("no certificate came with the request; renew at {asking}{RENEW}, which asks for one");
                Rejection::field("/client_id", CODE, message).into()
            }
            (..) => not_renewed(refused, "/client_id", CODE),
        }
    }
}

/// A renewal that is asked for: proved by a key that the device has, of one with this thumbprint.
struct Asked<'a> {
    by: CredentialId,
    thumbprint: &'a str,
    now: Timestamp,
}

impl Asked<'_> {
    /// The device that a client is, and what it asks for if it has registered that already by what proves it now. Else why it may not renew,
    /// if it may not. While nothing is `locked`, what changes meanwhile is no reason.
    async fn answered(
        &self,
        view: &mut View<'_>,
        client: &Client,
        locked: bool,
    ) -> Result<(Device, Option<Registered>), RequestError> {
        let PrincipalId::ServiceAccount(id) = client.found().principal.id else { return Err(no_device()) };
        let device = view.device(id).await?.ok_or_else(no_device)?;
        let fleet = view.fleet(device.fleet).await?.ok_or_else(no_device)?;
        let mut all = Registered::all_of(view, &device).await?;
        let of = |wanted: CredentialId| all.iter().map(|one| &one.credential).find(|one| one.id == wanted);
        let own =
            of(self.by).ok_or_else(|| conflict("device_stopped", "what proves the device was revoked meanwhile"))?;
        let known: Option<&Credential> = of(device.key);
        if known.is_none() && !locked {
            return Ok((device, None));
        }
        device.must_renew(&fleet, own, known, self.now)?;
        if device.thumbprint == self.thumbprint && device.key != self.by {
            let known = all.extract_if(.., |one| one.credential.id == device.key).next();
            return Ok((device, known));
        }
        if let Some(known) = known {
            device.must_have_waited(own, known, self.now)?;
        }
        if device.thumbprint != self.thumbprint {
            let is_itself = |other: &Device| other.account == device.account;
            must_be_alone(view, device.fleet, self.thumbprint, is_itself).await?;
        }
        Ok((device, None))
    }
}

/// The service account of a device, locked in the order in which everybody does: its fleet before it, and after it all that it registered
/// and that was not revoked, by their ids.
async fn locked(tx: &mut Tx<'_>, here: Reach, device: &Device) -> Result<ServiceAccount, RequestError> {
    tx.to_change(here).organization(device.organization).await?.ok_or_else(no_device)?;
    tx.to_change(here).fleet(device.fleet).await?.ok_or_else(no_device)?;
    let account = tx.to_change(here).service_account(device.account).await?;
    let account = account.filter(|account| account.disabled_at.is_none()).ok_or_else(no_device)?;
    let all = Registered::all_of(&mut tx.within(here), device).await?;
    let mut ids: Vec<CredentialId> = all.into_iter().map(|one| one.credential.id).collect();
    ids.sort_unstable_by_key(ToString::to_string);
    for id in ids {
        tx.to_change(here).credential(id).await?;
    }
    Ok(account)
}

fn no_device() -> RequestError {
    conflict("no_device", "this client is no device of a fleet, or its fleet was revoked")
}

/// What the token endpoint would say of who renews, in the words of the management API: of this member, and called so.
fn not_renewed(refused: NotDone, pointer: &'static str, code: &'static str) -> RequestError {
    match refused {
        NotDone::Refused(error) => {
            let message = format!(
                "{}; if its key or certificate has ended, the device enrols anew, by a new claim code",
                error.description()
            );
            Rejection::field(pointer, code, message).into()
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
