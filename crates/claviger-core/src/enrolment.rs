//! Enrolment: a device shows a claim code and proves that it holds a key, gets a service account of its own in the fleet, with that key or with
//! a certificate for it, and renews by itself before that ends.
//!
//! The room must not know how a proof of possession arrives (RFC 9449), how a code is found, nor how a certificate is issued.

use claviger_token::{
    Certificate, CertificateId, ClaimCodeId, ClientAuthMethod, CredentialId, FleetId, OrganizationId, Presentation,
    PublicKeyId, Secret, ServiceAccountId, TypedId as _, VerifyingKey,
};
use jiff::{SignedDuration, Timestamp};
use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use serde_json::{json, value::RawValue};

use crate::{
    assignment::Granted,
    audit::{Action, Event},
    certificate::NewCertificate,
    certificate_request::{CertificateRequest, RequestedKey},
    claim_code::ClaimCode,
    credential::{Change, Credential, CredentialStatus},
    fleet::Fleet,
    invalid::{FieldErrors, Rejection},
    name::Name,
    policy::Kind,
    public_key::NewPublicKey,
    service_account::{NewServiceAccount, ServiceAccount},
    signing_key::LONGEST_TOKEN,
};

/// How long the key that a device renews works beside the new one: as long as a token that was got with it may last, so that
/// none is cut short and none outlives it.
pub const RENEWAL_OVERLAP: SignedDuration = SignedDuration::from_secs(LONGEST_TOKEN as i64);

/// How soon a device that lost its next key on the way may register another by the one before, which has an hour: twice at most.
const RETRY: SignedDuration = SignedDuration::from_mins(20);

/// A device: what there is to know of one beside its service account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its service account, which is also its `client_id`.
    pub account: ServiceAccountId,
    /// Of which fleet.
    pub fleet: FleetId,
    /// Where.
    pub organization: OrganizationId,
    /// What it calls itself; of a fleet's devices that did not end, each has another.
    pub name: Name,
    /// The thumbprint of the key that it registered last (RFC 7638); each device has another as well.
    pub thumbprint: String,
    /// That key.
    pub key: CredentialId,
    /// The one before, by which it renewed.
    pub former_key: Option<CredentialId>,
    /// The code by which it enrolled.
    pub claim_code: ClaimCodeId,
    /// When.
    pub enrolled_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// What a list shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum DeviceStatus {
    /// It has a key that works.
    Active,
    /// Its service account, or its key, is stopped for now.
    Disabled,
    /// It did not renew in time.
    Expired,
    /// It has no key any more.
    Revoked,
}

impl DeviceStatus {
    /// Of a device whose service account is stopped or not, and of which these are the keys that were not revoked: whether each is
    /// stopped, and when it ends.
    pub fn of(device: &Device, disabled: bool, keys: &[(bool, Option<Timestamp>)], now: Timestamp) -> Self {
        let living = |end: &Option<Timestamp>| end.is_none_or(|end| end > now);
        if device.ended_at.is_some() || keys.is_empty() {
            Self::Revoked
        } else if disabled {
            Self::Disabled
        } else if keys.iter().any(|(stopped, end)| !stopped && living(end)) {
            Self::Active
        } else if keys.iter().any(|(_, end)| living(end)) {
            Self::Disabled
        } else {
            Self::Expired
        }
    }
}

/// Body of `POST /v1/enrolments`: exactly one of `jwk` and `csr`. A `jwk` is proved by the DPoP proof that comes with it (RFC 9449), whose
/// `ath` is of the claim code; a request proves its key by itself.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewEnrolment {
    /// From whoever runs the fleet.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "clv_claim_…"))]
    pub claim_code: Presentation,
    /// What the device is called, such as its serial number: 1 to 100 characters, and of a fleet's devices each another.
    #[cfg_attr(feature = "openapi", schema(example = "SN-004217"))]
    pub name: String,
    /// Its public key as JWK (RFC 7517): EC with P-256, OKP with Ed25519, or RSA of 2048 to 8192 bits. Private members are refused.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub jwk: Option<Box<RawValue>>,
    /// A certificate request (PKCS#10, RFC 2986) as PEM, for such a key and signed by it. The name and the extensions that it asks for count
    /// for nothing.
    #[cfg_attr(feature = "openapi", schema(example = "-----BEGIN CERTIFICATE REQUEST-----…"))]
    pub csr: Option<String>,
}

/// Body of `POST /v1/enrolments/renew`: `client_assertion` and `jwk`, where the new key is proved as at an enrolment with `ath` of the assertion;
/// or `client_id` and `csr`, by whoever shows the certificate that the device has.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewRenewal {
    /// A JWT signed by the key that it has, as for the token endpoint (RFC 7523), but `aud` is the address of this request alone, and
    /// `cnf.jkt` the thumbprint of the next key (RFC 7638).
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub client_assertion: Option<Presentation>,
    /// Its next public key.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub jwk: Option<Box<RawValue>>,
    /// The device's service account, which shows its certificate.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub client_id: Option<ServiceAccountId>,
    /// A request for its next certificate, with another key or the same.
    pub csr: Option<String>,
}

/// How a device renews.
#[derive(Debug)]
pub enum Renewal<'a> {
    /// By a key that signs and vouches for the next.
    Signed {
        /// What it signed.
        assertion: &'a Secret,
        /// The next key.
        jwk: &'a RawValue,
    },
    /// By a certificate that it shows with the request.
    Shown {
        /// Which device it says that it is.
        client: ServiceAccountId,
        /// The request for the next certificate.
        csr: &'a str,
    },
}

/// A key that a device proved to hold, and as what it wants it registered.
#[derive(Debug)]
pub enum ProvedKey {
    /// As a public key, by which it signs.
    Jwk(Box<RawValue>, VerifyingKey),
    /// In a certificate, which it shows.
    Requested(RequestedKey),
}

impl ProvedKey {
    /// SHA-256 over the members that make it (RFC 7638): of a device, whichever way it goes.
    pub fn thumbprint(&self) -> String {
        match self {
            Self::Jwk(_, key) => key.thumbprint(),
            Self::Requested(requested) => requested.key().thumbprint(),
        }
    }

    /// What it becomes.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Jwk(..) => Kind::PublicKey,
            Self::Requested(_) => Kind::Certificate,
        }
    }

    /// The id of a credential for it.
    pub fn new_id(&self, now: Timestamp, rng: &mut dyn CryptoRng) -> CredentialId {
        match self {
            Self::Jwk(..) => PublicKeyId::generate(now, rng).into(),
            Self::Requested(_) => CertificateId::generate(now, rng).into(),
        }
    }

    fn of_jwk(jwk: &RawValue, proved: &str, errors: &mut FieldErrors) -> Option<Self> {
        let key = errors.keep("/jwk", "invalid_jwk", VerifyingKey::from_jwk(jwk.get().as_bytes()))?;
        if key.thumbprint() != proved {
            errors.add(
                "/jwk",
                "key_not_proved",
                "the DPoP proof is of another key; sign it with the key that is registered",
            );
            return None;
        }
        Some(Self::Jwk(jwk.to_owned(), key))
    }

    fn of_request(csr: &str, errors: &mut FieldErrors) -> Option<Self> {
        let requested = CertificateRequest::from_pem(csr).and_then(CertificateRequest::proved);
        errors.keep("/csr", "invalid_csr", requested).map(Self::Requested)
    }
}

impl NewEnrolment {
    /// The thumbprint of the key that the device says, if it says one. Nothing of it is proved.
    pub fn said(&self) -> Option<String> {
        match (&self.jwk, &self.csr) {
            (Some(jwk), None) => VerifyingKey::from_jwk(jwk.get().as_bytes()).ok().map(|key| key.thumbprint()),
            (None, Some(csr)) => CertificateRequest::from_pem(csr).ok().map(|request| request.thumbprint()),
            (None, None) | (Some(_), Some(_)) => None,
        }
    }

    /// How the device calls itself and the key that it proves: by a request, or else by a proof that came with the body, which is of the key
    /// with the thumbprint `proved`.
    pub fn read(&self, proved: Option<&str>) -> Result<(Name, ProvedKey), Rejection> {
        let mut errors = FieldErrors::default();
        let name = errors.keep("/name", "invalid_name", Name::parse(&self.name));
        let key = match (&self.jwk, &self.csr) {
            (Some(jwk), None) => ProvedKey::of_jwk(jwk, proved.unwrap_or_default(), &mut errors),
            (None, Some(csr)) => ProvedKey::of_request(csr, &mut errors),
            (None, None) => {
                errors.add("/jwk", "required", "one of jwk and csr");
                None
            }
            (Some(_), Some(_)) => {
                errors.add("/csr", "one_of", "one of jwk and csr, and not both");
                None
            }
        };
        errors.finish()?;
        name.zip(key).ok_or_else(|| Rejection::Invalid(Vec::new()))
    }
}

impl NewRenewal {
    /// Which way it goes.
    pub fn way(&self) -> Result<Renewal<'_>, Rejection> {
        match (&self.client_assertion, &self.jwk, self.client_id, &self.csr) {
            (Some(assertion), Some(jwk), None, None) => Ok(Renewal::Signed { assertion: &assertion.0, jwk }),
            (None, None, Some(client), Some(csr)) => Ok(Renewal::Shown { client, csr }),
            (..) => {
                let message =
                    "client_assertion and jwk, or else client_id and csr: both of one way, and nothing of the other";
                Err(Rejection::field("", "one_of", message))
            }
        }
    }
}

impl Renewal<'_> {
    /// The key that the device says, which a proof that came with the body must be of: the one with the thumbprint `proved`.
    pub fn read(&self, proved: Option<&str>) -> Result<ProvedKey, Rejection> {
        let mut errors = FieldErrors::default();
        let key = match self {
            Self::Signed { jwk, .. } => ProvedKey::of_jwk(jwk, proved.unwrap_or_default(), &mut errors),
            Self::Shown { csr, .. } => ProvedKey::of_request(csr, &mut errors),
        };
        errors.finish()?;
        key.ok_or_else(|| Rejection::Invalid(Vec::new()))
    }
}

impl Device {
    /// The service account of a device that will be called this, as yet without rights: a client that proves itself by its `key` alone.
    /// `given` is what it will get, for the event to tell.
    pub fn account(
        id: ServiceAccountId,
        code: &ClaimCode,
        name: &Name,
        given: &[Granted],
        key: &ProvedKey,
        now: Timestamp,
    ) -> Result<(ServiceAccount, Event), Rejection> {
        let (mut roles, mut permissions) = (Vec::new(), Vec::new());
        for granted in given {
            match granted {
                Granted::Role { name, .. } => roles.push(name.clone()),
                Granted::Permission(permission) => permissions.push(permission.to_string()),
            }
        }
        let new = NewServiceAccount {
            roles,
            permissions,
            token_endpoint_auth_method: Some(match key {
                ProvedKey::Jwk(..) => ClientAuthMethod::PrivateKeyJwt,
                ProvedKey::Requested(_) => ClientAuthMethod::SelfSignedTlsClientAuth,
            }),
            // Who has a certificate can show it wherever it shows a token, which is then worth nothing to anybody else.
            tls_client_certificate_bound_access_tokens: matches!(key, ProvedKey::Requested(_)),
            ..NewServiceAccount::named(code.organization, name.as_str())
        };
        let (account, mut event) = ServiceAccount::create_as(id, &new, now)?;
        event.details["fleet"] = json!(code.fleet);
        event.details["claim_code"] = json!(code.id);
        Ok((account, event))
    }

    /// Its first key, or its next.
    pub fn key(&self, jwk: &RawValue, ends_at: Timestamp) -> NewPublicKey {
        let name = self.name.to_string();
        NewPublicKey { name, jwk: Some(jwk.to_owned()), jwks_uri: None, expires_at: Some(ends_at) }
    }

    /// Its first certificate, or its next.
    pub fn certificate(&self, issued: &Certificate) -> NewCertificate {
        let name = self.name.to_string();
        NewCertificate { name, certificate_pem: Some(issued.to_pem()), ..NewCertificate::default() }
    }

    /// The event of its enrolment. `key` is what it registered.
    pub fn enrolled(&self, account: &ServiceAccount, key: &Credential) -> Event {
        let kind = Kind::of(key.id).as_str();
        account.event(
            Action::DeviceEnrolled,
            json!({
                "fleet": self.fleet, "claim_code": self.claim_code, "name": self.name.as_str(), (kind): key.id,
                "jwk_thumbprint": self.thumbprint, "expires_at": key.expires_at,
            }),
        )
    }

    /// Refuses a renewal that the fleet or somebody else does not want. `own` is the key that it proves itself by, and `known` the
    /// one that it registered last, if that was not revoked.
    pub fn must_renew(
        &self,
        fleet: &Fleet,
        own: &Credential,
        known: Option<&Credential>,
        now: Timestamp,
    ) -> Result<(), Rejection> {
        fleet.must_be_open()?;
        if !self.registered(own.id) {
            let message = "the key that signed was given to the device by somebody else; it renews those that it registered itself";
            return Err(Rejection::conflict("key_not_own", message));
        }
        // Whoever stopped the newest key meant the device, which may still have the one before.
        if own.status(now) != CredentialStatus::Active
            || known.is_none_or(|key| key.status(now) != CredentialStatus::Active)
        {
            let message =
                "a key of this device was revoked or disabled; ask whoever runs the fleet for a new claim code";
            return Err(Rejection::conflict("device_stopped", message));
        }
        Ok(())
    }

    /// Whether the device registered this key itself, last or before.
    pub fn registered(&self, key: CredentialId) -> bool {
        self.key == key || self.former_key == Some(key)
    }

    /// Refuses a renewal right after another: each is written for good. After its first key it may renew at once. `known` is the key that
    /// it registered last.
    pub fn must_have_waited(&self, own: &Credential, known: &Credential, now: Timestamp) -> Result<(), Rejection> {
        let wait = if own.id == self.key { RENEWAL_OVERLAP } else { RETRY };
        if self.former_key.is_none() || now >= known.created_at + wait {
            return Ok(());
        }
        let message = "the device has registered a key just now; it renews again an hour later, or by the key before after twenty minutes";
        Err(Rejection::conflict("renewed_lately", message))
    }

    /// The same device with another key, and the event of that.
    pub fn renewed(
        self,
        account: &ServiceAccount,
        thumbprint: String,
        new: &Credential,
        old: &Credential,
    ) -> (Self, Event) {
        let device = Self { thumbprint, key: new.id, former_key: Some(old.id), ..self };
        let kind = Kind::of(new.id).as_str();
        let event = account.event(
            Action::DeviceRenewed,
            json!({
                "fleet": device.fleet, (kind): new.id, "jwk_thumbprint": device.thumbprint,
                "expires_at": new.expires_at, (format!("former_{kind}")): old.id, "former_ends_at": old.expires_at,
            }),
        );
        (device, event)
    }

    /// Draws the end of the key nearer by which a device has renewed. Its epoch stays: no token that was got with it lasts longer.
    pub fn retire(key: Credential, now: Timestamp) -> (Credential, Event) {
        let end = now + RENEWAL_OVERLAP;
        let before = key.told();
        let new = Credential { expires_at: Some(key.expires_at.map_or(end, |own| own.min(end))), ..key };
        let event = new.event(Change::Updated, json!({ "before": before, "after": new.told() }));
        (new, event)
    }

    /// When a key that ends then is best renewed: with a third of its life left, for who tries again and again.
    pub fn renew_after(now: Timestamp, ends_at: Timestamp) -> Timestamp {
        ends_at - ends_at.duration_since(now) / 3
    }
}

#[cfg(test)]
mod tests;
