//! What a device has registered, a public key or a certificate that the authority of its fleet issued, and how another comes to it.
//!
//! The room must not know by what the device may register one.

use claviger_core::{
    AuthorityUnusable, ClientCertificate, Credential, CredentialStatus, Device, Event, Fleet, FleetAuthority,
    ProvedKey, Reach,
};
use claviger_store::{StoreError, Tx, View};
use claviger_token::{Certificate, CredentialId, FleetId};
use jiff::Timestamp;

use crate::{app::App, manage::World, problem::RequestError};

/// A key or a certificate of a device.
pub(super) struct Registered {
    pub(super) credential: Credential,
    pub(super) issued: Option<Issued>,
}

/// A certificate, and that of whoever issued it.
pub(super) struct Issued {
    pub(super) own: Certificate,
    pub(super) authority: Certificate,
}

impl Registered {
    /// All that a device has and that were not revoked, whoever registered them.
    pub(super) async fn all_of(view: &mut View<'_>, device: &Device) -> Result<Vec<Self>, StoreError> {
        let keys = view.client_keys(device.account).await?;
        let mut all: Vec<_> = keys.into_iter().map(|(credential, _)| Self { credential, issued: None }).collect();
        let certificates = view.client_certificates(device.account).await?;
        if certificates.is_empty() {
            return Ok(all);
        }
        let authority = match view.fleet_authority(device.fleet).await? {
            Some(authority) => authority.certificate,
            // Its fleet was deleted since, and all that it had.
            None if view.fleet(device.fleet).await?.is_none() => return Ok(Vec::new()),
            None => return Err(no_authority()),
        };
        for (credential, certificate) in certificates {
            let issued = match certificate {
                ClientCertificate::This(own) => Some(Issued { own, authority: authority.clone() }),
                ClientCertificate::Named(_) => None,
            };
            all.push(Self { credential, issued });
        }
        Ok(all)
    }
}

/// What a device is about to register.
pub(super) struct New<'a> {
    pub(super) device: &'a Device,
    pub(super) fleet: &'a Fleet,
    pub(super) id: CredentialId,
    pub(super) created_by: String,
    pub(super) now: Timestamp,
}

impl New<'_> {
    /// Registers the key, or the certificate that is issued for it, and tells what happened.
    pub(super) async fn register(
        self,
        app: &App,
        tx: &mut Tx<'_>,
        key: ProvedKey,
    ) -> Result<(Registered, Event), RequestError> {
        let Self { device, fleet, id, created_by, now } = self;
        let (here, account) = (Reach::Organization(fleet.organization), device.account);
        let world = World::of_account(tx, here, account).await?.ok_or(RequestError::NotFound)?;
        let (context, end) =
            (world.context_of_itself(app), fleet.key_end(key.kind(), &world.organization().policy, now));
        let lives = |one: &Credential| one.status(now) == CredentialStatus::Active;
        match key {
            ProvedKey::Jwk(jwk, _) => {
                let mut existing = tx.within(here).client_keys(account).await?;
                existing.retain(|(one, _)| lives(one));
                let made = device.key(&jwk, end).register_as(id, &context, &existing, created_by, now)?;
                tx.insert_public_key(&made.credential, &made.key).await?;
                Ok((Registered { credential: made.credential, issued: None }, made.event))
            }
            ProvedKey::Requested(requested) => {
                let mut existing = tx.within(here).client_certificates(account).await?;
                existing.retain(|(one, _)| lives(one));
                let authority = tx.within(here).fleet_authority(fleet.id).await?.ok_or_else(no_authority)?;
                let seal = &app.signing_keys.data_key;
                let own = authority.issue(&requested, account, end, seal, now, &mut app.rng()).map_err(unusable)?;
                let added = device.certificate(&own).add_as(id, &context, &existing, created_by, now)?;
                tx.insert_certificate(&added.credential, &added.certificate).await?;
                let issued = Some(Issued { own, authority: authority.certificate });
                Ok((Registered { credential: added.credential, issued }, added.event))
            }
        }
    }
}

impl App {
    /// An authority for a fleet, which nobody trusts yet.
    pub(crate) fn new_fleet_authority(&self, fleet: FleetId) -> Result<FleetAuthority, RequestError> {
        let seal = &self.signing_keys.data_key;
        Ok(FleetAuthority::create(fleet, seal, self.now(), &mut self.rng()).map_err(unusable)?)
    }
}

fn unusable(error: AuthorityUnusable) -> StoreError {
    StoreError::Damaged(error.to_string())
}

fn no_authority() -> StoreError {
    StoreError::Damaged("a fleet without an authority".to_owned())
}
