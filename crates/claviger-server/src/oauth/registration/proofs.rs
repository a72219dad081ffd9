//! By what a registered client proves itself: its secret or its keys, and the key of its registration. Each is a credential like any
//! other, under the same policy, in the trail of the same transaction.

use claviger_core::{
    By, ClientCertificate, ClientKey, ClientMetadata, Credential, CredentialChanges, CredentialStatus, Grantor,
    IssuingContext, Kind, NewCertificate, NewClientSecret, NewPublicKey, Organization, Reach, RevokeReason,
    ServiceAccount,
    oauth::{OAuthError, OAuthErrorCode},
};
use claviger_store::{CredentialFilter, Page, StatusAt, StoreError, Tx};
use claviger_token::{CredentialId, PermissionSet, Secret};
use jiff::Timestamp;

use super::{NotDone, not_registered};
use crate::app::App;

/// More of a kind no service account has that live.
const MOST: u32 = 20;

/// What there is to know for it, inside of the transaction.
pub(super) struct Proofs<'a, 't> {
    app: &'a App,
    tx: &'a mut Tx<'t>,
    organization: &'a Organization,
    account: &'a ServiceAccount,
    by: &'a By,
    /// Who sees what is made.
    seen_by: String,
    held: PermissionSet,
    held_everywhere: PermissionSet,
    declared: PermissionSet,
}

impl<'a, 't> Proofs<'a, 't> {
    pub(super) async fn of(
        app: &'a App,
        tx: &'a mut Tx<'t>,
        organization: &'a Organization,
        account: &'a ServiceAccount,
        by: &'a By,
        seen_by: String,
    ) -> Result<Self, StoreError> {
        let mut view = tx.within(Reach::Organization(organization.id));
        let held = view.held(account.id.into(), organization.id).await?;
        let held_everywhere = view.held_everywhere(account.id.into()).await?;
        let declared = view.declared_permissions().await?;
        Ok(Self { app, tx, organization, account, by, seen_by, held, held_everywhere, declared })
    }

    fn context(&self) -> IssuingContext<'_> {
        IssuingContext {
            organization: self.organization,
            principal: self.account.id.into(),
            held: &self.held,
            held_everywhere: &self.held_everywhere,
            declared: &self.declared,
            // It gets what its account has, which was bounded before.
            grantor: Grantor::Itself,
            governs: false,
            brand: &self.app.config.brand,
        }
    }

    fn ends_at(&self, kind: Kind, now: Timestamp) -> Option<Timestamp> {
        self.organization.policy.latest_end(kind, now)
    }

    /// The key of the registration.
    pub(super) async fn key(&mut self, now: Timestamp) -> Result<(Credential, Secret), NotDone> {
        let new = claviger_core::Registration::key_for(self.account, self.ends_at(Kind::ApiKey, now));
        let issued =
            new.issue(&self.context(), self.seen_by.clone(), now, &mut self.app.rng()).map_err(not_registered)?;
        self.tx.insert_credential(&issued.credential, &self.app.peppers.digest(&issued.secret.hash())).await?;
        self.tx.also(issued.event);
        Ok((issued.credential, issued.secret))
    }

    /// Whether somebody else's credential is called alike.
    pub(super) async fn is_look_alike(&mut self, key: &Credential, now: Timestamp) -> Result<bool, StoreError> {
        let mut view = self.tx.within(Reach::Organization(self.organization.id));
        Ok(!view.look_alikes(key, now).await?.is_empty())
    }

    /// Calls the key of the registration as its client is called now.
    pub(super) async fn rename(&mut self, key: CredentialId, now: Timestamp) -> Result<(), NotDone> {
        let here = Reach::Organization(self.organization.id);
        let Some(key) = self.tx.to_change(here).credential(key).await? else { return Ok(()) };
        let changes = CredentialChanges { name: Some(self.account.name.to_string()), ..CredentialChanges::default() };
        let changed = key.update(changes, &self.context(), self.by.actor.id(), now);
        let (key, event) = changed.map_err(not_registered)?;
        self.tx.save_credential(&key).await?;
        self.tx.also(event);
        Ok(())
    }

    /// Gives the client what it proves itself by from now on, and ends what else it did so by. A secret that it has already stays,
    /// and is not shown again.
    pub(super) async fn set(
        &mut self,
        said: &ClientMetadata,
        now: Timestamp,
    ) -> Result<Option<(Secret, Option<Timestamp>)>, NotDone> {
        let here = Reach::Organization(self.organization.id);
        let filter = CredentialFilter {
            kind: Some(Kind::ClientSecret),
            principal: Some(self.account.id.into()),
            live_at: Some(now),
            ..CredentialFilter::default()
        };
        let secrets = self.tx.within(here).credentials(&filter, &Page { after: None, limit: MOST }).await?;
        let keys = self.tx.within(here).client_keys(self.account.id).await?;
        let lives = |credential: &Credential| credential.expires_at.is_none_or(|end| end > now);
        let is_said = |key: &ClientKey| said.proving_keys().iter().any(|one| one.to_text() == key.to_text());
        let (mut existing, ended): (Vec<_>, Vec<_>) =
            keys.into_iter().partition(|(credential, key)| lives(credential) && is_said(key));
        let mut ended: Vec<CredentialId> = ended.into_iter().map(|(credential, _)| credential.id).collect();
        let certificates = self.tx.within(here).client_certificates(self.account.id).await?;
        let wanted = said.certificate_name.clone().map(ClientCertificate::Named);
        let (certified, others): (Vec<_>, Vec<_>) =
            certificates.into_iter().partition(|(credential, one)| lives(credential) && Some(one) == wanted.as_ref());
        ended.extend(others.into_iter().map(|(credential, _)| credential.id));
        if !said.has_secret() {
            ended.extend(secrets.iter().map(|secret| secret.id));
        }
        let is_new = |key: &&ClientKey| !existing.iter().any(|(_, other)| other.to_text() == key.to_text());
        let added: Vec<&ClientKey> = said.proving_keys().iter().filter(is_new).collect();
        let wants_secret = said.has_secret() && secrets.is_empty();
        let named = said.certificate_name.as_ref().filter(|_| certified.is_empty());
        if wants_secret || !ended.is_empty() || !added.is_empty() || named.is_some() {
            self.must_not_be_stopped(now).await?;
        }
        self.end(ended, now).await?;
        for key in added {
            let new = NewPublicKey {
                name: self.account.name.to_string(),
                jwk: key.jwk().and_then(|jwk| serde_json::value::to_raw_value(&jwk).ok()),
                jwks_uri: key.jwks_uri().map(str::to_owned),
                expires_at: self.ends_at(Kind::PublicKey, now),
            };
            let by = self.seen_by.clone();
            let made =
                new.register(&self.context(), &existing, by, now, &mut self.app.rng()).map_err(not_registered)?;
            self.tx.insert_public_key(&made.credential, &made.key).await?;
            self.tx.also(made.event);
            existing.push((made.credential, made.key));
        }
        if let Some(name) = named {
            let by = self.seen_by.clone();
            let (name, expires_at) = (name.clone(), self.ends_at(Kind::Certificate, now));
            let new = NewCertificate::named(self.account.name.as_str(), name, expires_at);
            let made = new.add(&self.context(), &[], by, now, &mut self.app.rng()).map_err(not_registered)?;
            self.tx.insert_certificate(&made.credential, &made.certificate).await?;
            self.tx.also(made.event);
        }
        if wants_secret { self.secret(now).await.map(Some) } else { Ok(None) }
    }

    /// What somebody else stopped may be in the wrong hands, and whoever asks may be these hands: they get nothing in its place.
    async fn must_not_be_stopped(&mut self, now: Timestamp) -> Result<(), NotDone> {
        let itself = self.account.id.to_string();
        for kind in [Kind::ClientSecret, Kind::PublicKey, Kind::Certificate, Kind::Federation] {
            let filter = CredentialFilter {
                kind: Some(kind),
                principal: Some(self.account.id.into()),
                status: Some(StatusAt { status: CredentialStatus::Disabled, at: now }),
                ..CredentialFilter::default()
            };
            let here = Reach::Organization(self.organization.id);
            let stopped = self.tx.within(here).credentials(&filter, &Page { after: None, limit: MOST }).await?;
            if let Some(one) = stopped.iter().find(|one| one.disabled_by.as_ref() != Some(&itself)) {
                let description = format!(
                    "somebody else stopped {}, by which the client proves itself; how it does so stays until they enable or revoke that",
                    one.id
                );
                return Err(OAuthError::new(OAuthErrorCode::InvalidClientMetadata, description).into());
            }
        }
        Ok(())
    }

    async fn secret(&mut self, now: Timestamp) -> Result<(Secret, Option<Timestamp>), NotDone> {
        let expires_at = self.ends_at(Kind::ClientSecret, now);
        let new = NewClientSecret { name: self.account.name.to_string(), expires_at };
        let issued =
            new.issue(&self.context(), 0, self.seen_by.clone(), now, &mut self.app.rng()).map_err(not_registered)?;
        self.tx.insert_credential(&issued.credential, &self.app.peppers.digest(&issued.secret.hash())).await?;
        self.tx.also(issued.event);
        Ok((issued.secret, issued.credential.expires_at))
    }

    /// Locked in the order of their ids.
    async fn end(&mut self, mut ids: Vec<CredentialId>, now: Timestamp) -> Result<(), NotDone> {
        ids.sort_unstable_by_key(ToString::to_string);
        for id in ids {
            let here = Reach::Organization(self.organization.id);
            let Some(credential) = self.tx.to_change(here).credential(id).await? else { continue };
            // Whoever revoked it meanwhile did the same.
            let Ok((credential, event)) = credential.revoke(RevokeReason::Superseded, now) else { continue };
            self.tx.save_credential(&credential).await?;
            self.tx.also(event);
        }
        Ok(())
    }
}
