//! The certificate authority of a fleet: it issues the certificates of the devices that enrol by a request, and nothing else.
//!
//! Each fleet has its own, so that who trusts one lets in the devices of one fleet of one organization. Its private key is sealed to the fleet
//! and opened for one signature at a time. The room must not know who asks for a certificate, nor by what right.

use std::time::Duration;

use claviger_token::{Certificate, FleetId, ServiceAccountId, SigningAlgorithm};
use jiff::{SignedDuration, Timestamp};
use rand::CryptoRng;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PKCS_RSA_SHA256, PublicKeyData, SanType, SerialNumber,
    SignatureAlgorithm, date_time_ymd,
};
use serde_json::json;
use zeroize::Zeroizing;

use crate::{
    audit::Event,
    certificate_request::RequestedKey,
    seal::{DataKey, Sealed, UnsealError},
};

/// For clocks of others that are late.
const BEFORE: SignedDuration = SignedDuration::from_mins(5);

/// An authority, and how its private key is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetAuthority {
    /// Of which fleet.
    pub fleet: FleetId,
    /// By which its word is proved. It has no end: it ends with its fleet.
    pub certificate: Certificate,
    /// The private key (PKCS#8).
    pub sealed: Sealed,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Why an authority cannot issue, or cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityUnusable {
    /// It is sealed under another key, or damaged.
    #[error("the key that seals private keys does not open that of the fleet's authority")]
    Sealed(#[from] UnsealError),
    /// There is no randomness, or what is stored is no key.
    #[error("the authority of the fleet: {0}")]
    Failed(#[from] rcgen::Error),
    /// What was issued does not read back.
    #[error("the authority of the fleet issued what is no certificate")]
    Unreadable,
}

impl FleetAuthority {
    /// A new one, with a key of its own (P-256).
    pub fn create(
        fleet: FleetId,
        data_key: &DataKey,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, AuthorityUnusable> {
        let key = Zeroizing::new(KeyPair::generate()?);
        let mut params = named(&fleet.to_string(), now, rng);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        // As RFC 5280, section 4.1.2.5, has it for what has no end that can be told.
        params.not_after = date_time_ymd(9999, 12, 31) + Duration::from_secs(86_399);
        let certificate = read(&params.self_signed(&*key)?)?;
        let sealed = data_key.seal(&row(fleet), key.serialized_der(), rng);
        Ok(Self { fleet, certificate, sealed, created_at: now })
    }

    /// The event by which it was made, which tells whom to trust from now on.
    pub fn told_in(&self, mut event: Event) -> Event {
        event.details["authority"] = json!({ "x5t#S256": self.certificate.thumbprint().to_string() });
        event
    }

    /// A certificate for a device, until `ends_at`: for clients, of this key, with the id of its service account as its name. Nothing in it
    /// is what the request asks for.
    pub fn issue(
        &self,
        requested: &RequestedKey,
        account: ServiceAccountId,
        ends_at: Timestamp,
        data_key: &DataKey,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
    ) -> Result<Certificate, AuthorityUnusable> {
        let pkcs8 = data_key.unseal(&row(self.fleet), &self.sealed)?;
        let key = Zeroizing::new(KeyPair::try_from(pkcs8.as_slice())?);
        let mut params = named(&account.to_string(), now, rng);
        params.not_after = date_time_ymd(1970, 1, 1) + since_1970(ends_at);
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.subject_alt_names = vec![SanType::URI(format!("urn:claviger:{account}").try_into()?)];
        // Its name and the way to name its key are those of `create`.
        let own = named(&self.fleet.to_string(), now, rng);
        read(&params.signed_by(&OfDevice(requested), &Issuer::from_params(&own, &*key))?)
    }
}

/// The key of a request, as the library wants it.
struct OfDevice<'a>(&'a RequestedKey);

impl PublicKeyData for OfDevice<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.0.bits()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        match self.0.key().algorithm() {
            SigningAlgorithm::Es256 => &PKCS_ECDSA_P256_SHA256,
            SigningAlgorithm::EdDsa => &PKCS_ED25519,
            SigningAlgorithm::Rs256 => &PKCS_RSA_SHA256,
        }
    }
}

fn named(common_name: &str, now: Timestamp, rng: &mut dyn CryptoRng) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_before = date_time_ymd(1970, 1, 1) + since_1970(now - BEFORE);
    // Positive, and never the same twice (RFC 5280, section 4.1.2.2).
    let mut serial = [0; 16];
    rng.fill_bytes(&mut serial);
    params.serial_number = Some(SerialNumber::from_slice(&[[1].as_slice(), &serial].concat()));
    params
}

fn since_1970(time: Timestamp) -> Duration {
    Duration::from_secs(u64::try_from(time.as_second()).unwrap_or(0))
}

fn read(issued: &rcgen::Certificate) -> Result<Certificate, AuthorityUnusable> {
    Certificate::from_der(issued.der()).map_err(|_| AuthorityUnusable::Unreadable)
}

fn row(fleet: FleetId) -> String {
    format!("fleet_authority/{fleet}/private")
}

#[cfg(test)]
mod tests {
    use claviger_token::TypedId as _;
    use rand::{SeedableRng as _, rngs::StdRng};
    use x509_parser::{certificate::X509Certificate, prelude::FromDer as _};

    use super::*;
    use crate::{
        certificate_authority::CertificateAuthority,
        certificate_authority::any_vouches,
        certificate_request::CertificateRequest,
        fixtures::{at, elsewhere, now, rng},
        name::Name,
    };

    fn data_key(byte: u8) -> DataKey {
        DataKey::new(&Zeroizing::new([byte; 32]))
    }

    fn authority() -> FleetAuthority {
        FleetAuthority::create(FleetId::generate(now(), &mut rng()), &data_key(1), now(), &mut rng()).unwrap()
    }

    fn requested(ask: CertificateParams, key: &KeyPair) -> RequestedKey {
        let pem = ask.serialize_request(key).unwrap().pem().unwrap();
        CertificateRequest::from_pem(&pem).unwrap().proved().unwrap()
    }

    fn account() -> ServiceAccountId {
        ServiceAccountId::generate(now(), &mut rng())
    }

    fn issued(authority: &FleetAuthority, ask: CertificateParams) -> Certificate {
        let requested = requested(ask, &KeyPair::generate().unwrap());
        authority.issue(&requested, account(), at(3600), &data_key(1), now(), &mut rng()).unwrap()
    }

    fn vouches(authority: &FleetAuthority, certificate: &Certificate, second: i64) -> bool {
        let trusted = CertificateAuthority {
            id: claviger_token::CertificateAuthorityId::generate(now(), &mut rng()),
            organization: elsewhere(),
            name: Name::parse("x").unwrap(),
            certificates: vec![authority.certificate.clone()],
            reaches_instance: false,
            created_at: now(),
            created_by: "operator".to_owned(),
        };
        any_vouches(&[trusted], certificate, &[], at(second))
    }

    #[test]
    fn a_certificate_says_what_we_say_and_nothing_that_was_asked_for() {
        let mut greedy = CertificateParams::new(vec!["bank.test".to_owned()]).unwrap();
        greedy.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        greedy.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        greedy.not_after = date_time_ymd(2090, 1, 1);
        let certificate = issued(&authority(), greedy);
        let (_, parsed) = X509Certificate::from_der(certificate.der()).unwrap();
        assert_eq!(certificate.subject(), format!("CN={}", account()));
        let names: Vec<_> = parsed
            .subject_alternative_name()
            .unwrap()
            .unwrap()
            .value
            .general_names
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(names, [format!("URI(urn:claviger:{})", account())]);
        let usage = parsed.extended_key_usage().unwrap().unwrap().value;
        assert!(usage.client_auth && !usage.server_auth && !usage.any);
        assert!(!parsed.basic_constraints().unwrap().unwrap().value.ca);
        assert!(parsed.key_usage().unwrap().unwrap().value.digital_signature());
        assert_eq!((certificate.not_before(), certificate.not_after()), (Some(now() - BEFORE), Some(at(3600))));
        let extensions: Vec<_> = parsed.extensions().iter().map(|one| one.oid.to_id_string()).collect();
        for identifier in ["2.5.29.14", "2.5.29.35"] {
            assert!(extensions.iter().any(|one| one == identifier), "{extensions:?}");
        }
    }

    #[test]
    fn an_authority_vouches_for_its_own_devices_alone_and_for_no_authority() {
        let (own, other) = (authority(), authority());
        let certificate = issued(&own, CertificateParams::default());
        assert!(vouches(&own, &certificate, 0) && vouches(&own, &certificate, 3600));
        assert!(!vouches(&own, &certificate, 3601) && !vouches(&other, &certificate, 0));
        let (_, parsed) = X509Certificate::from_der(own.certificate.der()).unwrap();
        let constraints = parsed.basic_constraints().unwrap().unwrap().value;
        assert_eq!((constraints.ca, constraints.path_len_constraint), (true, Some(0)));
        assert_eq!(own.certificate.subject(), format!("CN={}", own.fleet));
    }

    #[test]
    fn every_serial_number_is_another() {
        let (authority, mut rng) = (authority(), StdRng::seed_from_u64(1));
        let requested = requested(CertificateParams::default(), &KeyPair::generate().unwrap());
        let mut serial = || {
            let issued = authority.issue(&requested, account(), at(1), &data_key(1), now(), &mut rng).unwrap();
            let (_, parsed) = X509Certificate::from_der(issued.der()).unwrap();
            parsed.raw_serial().to_vec()
        };
        let (one, other) = (serial(), serial());
        assert!(one != other && one.len() == 17 && one[0] == 1);
    }

    #[test]
    fn its_key_opens_for_its_own_fleet_alone() {
        let own = authority();
        let requested = requested(CertificateParams::default(), &KeyPair::generate().unwrap());
        let issue = |authority: &FleetAuthority, byte| {
            authority.issue(&requested, account(), at(1), &data_key(byte), now(), &mut rng()).map(drop)
        };
        assert!(issue(&own, 1).is_ok());
        assert!(matches!(issue(&own, 2), Err(AuthorityUnusable::Sealed(_))));
        let moved = FleetAuthority { fleet: FleetId::generate(at(1), &mut rng()), ..own.clone() };
        assert!(matches!(issue(&moved, 1), Err(AuthorityUnusable::Sealed(_))));
        let sealed = data_key(1).seal(&row(own.fleet), b"no key", &mut rng());
        assert!(matches!(issue(&FleetAuthority { sealed, ..own }, 1), Err(AuthorityUnusable::Failed(_))));
    }

    #[test]
    fn keys_of_every_kind_that_is_taken_get_certificates() {
        let authority = authority();
        for key in [KeyPair::generate_for(&PKCS_ED25519).unwrap(), KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap()] {
            let requested = requested(CertificateParams::default(), &key);
            let issued = authority.issue(&requested, account(), at(3600), &data_key(1), now(), &mut rng()).unwrap();
            assert_eq!(issued.public_key(), key.subject_public_key_info());
            assert!(vouches(&authority, &issued, 0));
        }
    }
}
