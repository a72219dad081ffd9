//! Certificate authorities of an organization: those whose word counts when a client shows a certificate with a name that it registered
//! (RFC 8705, section 2.1). Nobody else's does: no authority that browsers know is asked.
//!
//! The room must not know who shows a certificate, nor whose name is in it.

use claviger_token::{Certificate, CertificateAuthorityId, OrganizationId, TypedId as _};
use jiff::Timestamp;
use rand::CryptoRng;
use rustls_pki_types::{CertificateDer, UnixTime};

use serde::Deserialize;
use serde_json::json;
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage, anchor_from_trusted_cert};
use x509_parser::{certificate::X509Certificate, prelude::FromDer as _};

use crate::{
    audit::{Action, Chain, Event},
    certificate::is_valid,
    invalid::{FieldErrors, Rejection},
    name::Name,
};

/// Certificates of one authority: a root and what it issued to itself, old and new.
const MOST_CERTIFICATES: usize = 20;

/// Authorities of one organization: each may be asked for each certificate that is shown.
const MOST: usize = 20;

/// Certificates between a client's and an authority.
const DEEPEST: usize = 4;

/// Body of `POST /v1/organizations/{id}/certificate-authorities`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewCertificateAuthority {
    /// 1 to 100 characters; need not be unique.
    #[cfg_attr(feature = "openapi", schema(example = "issuing CA 2027"))]
    pub name: String,
    /// One to 20 certificates as PEM, one after the other, without private keys. Each is trusted by itself: the one that issues the clients' is enough.
    pub certificates_pem: String,
}

/// Whose word counts in an organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateAuthority {
    /// Its id.
    pub id: CertificateAuthorityId,
    /// Where its word counts.
    pub organization: OrganizationId,
    /// How people know it.
    pub name: Name,
    /// With what its word is proved.
    pub certificates: Vec<Certificate>,
    /// Whether its word counts for clients that hold something in all organizations: if whoever added it could give that.
    pub reaches_instance: bool,
    /// When it was added.
    pub created_at: Timestamp,
    /// By whom: a principal's id, or `operator`.
    pub created_by: String,
}

impl NewCertificateAuthority {
    /// The authority that is asked for. `existing` are those that its organization has.
    pub fn create(
        self,
        organization: OrganizationId,
        existing: &[CertificateAuthority],
        reaches_instance: bool,
        created_by: String,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
    ) -> Result<(CertificateAuthority, Event), Rejection> {
        let mut errors = FieldErrors::default();
        let name = errors.keep("/name", "invalid_name", Name::parse(&self.name));
        let certificates = bundle(&self.certificates_pem, now, &mut errors);
        errors.finish()?;
        let (Some(name), Some(certificates)) = (name, certificates) else {
            return Err(Rejection::Invalid(Vec::new()));
        };
        if existing.len() >= MOST {
            let message =
                format!("an organization has at most {MOST} certificate authorities; delete one that is not used");
            return Err(Rejection::conflict("too_many", message));
        }
        // Of one that is there twice, deleting the one would leave the other.
        if let Some(other) =
            existing.iter().find(|other| certificates.iter().any(|one| other.certificates.contains(one)))
        {
            let message = format!("the organization trusts one of these certificates already, as {}", other.id);
            return Err(Rejection::conflict("certificate_authority_exists", message));
        }
        let id = CertificateAuthorityId::generate(now, rng);
        let created_at = now;
        let authority =
            CertificateAuthority { id, organization, name, certificates, reaches_instance, created_at, created_by };
        let event = authority.event(Action::CertificateAuthorityCreated);
        Ok((authority, event))
    }
}

impl CertificateAuthority {
    /// What happens when its word counts no more.
    pub fn delete(&self) -> Event {
        self.event(Action::CertificateAuthorityDeleted)
    }

    fn event(&self, action: Action) -> Event {
        let thumbprints: Vec<_> = self.certificates.iter().map(|one| one.thumbprint().to_string()).collect();
        let details =
            json!({ "name": self.name.as_str(), "x5t#S256": thumbprints, "reaches_instance": self.reaches_instance });
        let chain = Chain::Organization(self.organization);
        Event { chain, action, target: self.id.to_string(), details, personal: None, touched: Vec::new() }
    }
}

/// Whether one of these says, at `now`, that a certificate is a client's (RFC 5280, section 6). `issuers` are what came along to prove that.
pub fn any_vouches(
    authorities: &[CertificateAuthority],
    certificate: &Certificate,
    issuers: &[Box<[u8]>],
    now: Timestamp,
) -> bool {
    let (Ok(since_1970), true) = (u64::try_from(now.as_second()), is_for_clients(certificate)) else { return false };
    // The library trusts whatever is given as trusted, dead or alive.
    let own = authorities.iter().flat_map(|authority| &authority.certificates).filter(|own| is_valid(own, now));
    let own: Vec<CertificateDer<'_>> = own.map(|own| CertificateDer::from(own.der())).collect();
    let anchors: Vec<_> = own.iter().filter_map(|own| anchor_from_trusted_cert(own).ok()).collect();
    let above = chain_above(certificate, issuers);
    let der = CertificateDer::from(certificate.der());
    let Ok(shown) = EndEntityCert::try_from(&der) else { return false };
    let at = UnixTime::since_unix_epoch(std::time::Duration::from_secs(since_1970));
    let usage = KeyUsage::client_auth();
    shown.verify_for_usage(ALL_VERIFICATION_ALGS, &anchors, &above, at, usage, None, None).is_ok()
}

/// Those that came along as one chain: each issued the one before by its name, and the first of a name is the one that is meant. The library tries
/// every way through what it is given, and a stranger could give it very many.
fn chain_above<'a>(certificate: &Certificate, issuers: &'a [Box<[u8]>]) -> Vec<CertificateDer<'a>> {
    let parsed: Vec<_> = issuers.iter().filter_map(|der| Some((der, X509Certificate::from_der(der).ok()?.1))).collect();
    let Ok((_, shown)) = X509Certificate::from_der(certificate.der()) else { return Vec::new() };
    let (mut wanted, mut seen) = (shown.issuer().as_raw(), vec![shown.subject().as_raw()]);
    let mut chain = Vec::new();
    while chain.len() < DEEPEST && !seen.contains(&wanted) {
        let Some((der, above)) = parsed.iter().find(|(_, one)| one.subject().as_raw() == wanted) else { break };
        seen.push(wanted);
        chain.push(CertificateDer::from(&***der));
        wanted = above.issuer().as_raw();
    }
    chain
}

/// Whether a certificate says itself that it is for clients: the library passes over one that does not say what it is for.
fn is_for_clients(certificate: &Certificate) -> bool {
    let Ok((_, certificate)) = X509Certificate::from_der(certificate.der()) else { return false };
    matches!(certificate.extended_key_usage(), Ok(Some(usage)) if usage.value.client_auth)
}

fn bundle(pem: &str, now: Timestamp, errors: &mut FieldErrors) -> Option<Vec<Certificate>> {
    const POINTER: &str = "/certificates_pem";
    let all = errors.keep(POINTER, "invalid_certificate", Certificate::all_from_pem(pem))?;
    let mut certificates: Vec<Certificate> = Vec::new();
    for certificate in all {
        if let Err(why) = may_issue(&certificate, now) {
            errors.add(POINTER, "no_authority", format!("{}: {why}", certificate.subject()));
            return None;
        }
        if !certificates.contains(&certificate) {
            certificates.push(certificate);
        }
    }
    match certificates.len() {
        0 => errors.add(POINTER, "required", format!("1 to {MOST_CERTIFICATES} certificates as PEM")),
        1..=MOST_CERTIFICATES => return Some(certificates),
        _ => errors.add(POINTER, "too_many", format!("at most {MOST_CERTIFICATES} certificates")),
    }
    None
}

/// Why a certificate cannot issue others, if it cannot (RFC 5280, sections 4.2.1.3 and 4.2.1.9).
fn may_issue(certificate: &Certificate, now: Timestamp) -> Result<(), &'static str> {
    const UNREADABLE: &str = "it cannot be read";
    if certificate.not_after().is_some_and(|end| end <= now) {
        return Err("it has ended");
    }
    let (_, parsed) = X509Certificate::from_der(certificate.der()).map_err(|_| UNREADABLE)?;
    let constraints = parsed.basic_constraints().map_err(|_| UNREADABLE)?;
    if !constraints.is_some_and(|constraints| constraints.value.ca) {
        return Err("it is no certificate authority's (its basicConstraints do not say CA:TRUE)");
    }
    if parsed.key_usage().map_err(|_| UNREADABLE)?.is_some_and(|usage| !usage.value.key_cert_sign()) {
        return Err("it is not for signing certificates (its keyUsage has no keyCertSign)");
    }
    let der = CertificateDer::from(certificate.der());
    anchor_from_trusted_cert(&der).map(drop).map_err(|_| UNREADABLE)
}

#[cfg(test)]
mod tests;
