//! Certificates of clients (RFC 8705): by which a service account proves itself at the token endpoint, as an OAuth client, without any
//! secret of ours. Either a certificate that it registered itself, for which nobody need vouch, or a name: then any certificate counts
//! that has it and that an authority of the organization vouches for. What becomes of one afterwards is every credential's.
//!
//! The room must not know how a certificate was shown, nor whether whoever showed it holds its key.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use claviger_token::{Certificate, CertificateId, ClientAuthMethod, CredentialId, TypedId as _, read_object};
use jiff::Timestamp;
use rand::CryptoRng;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    audit::Event,
    certificate_name::{CertificateName, MEMBERS},
    client_credential::{ClientCredentialChanges, must_be_few},
    credential::{Change, Credential},
    invalid::{FieldErrors, Rejection},
    issuing::{Asked, IssuingContext},
};

/// Body of `POST /v1/service-accounts/{id}/certificates`: exactly one of `certificate_pem` and the names.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewCertificate {
    /// 1 to 100 characters; need not be unique.
    #[cfg_attr(feature = "openapi", schema(example = "production"))]
    pub name: String,
    /// The certificate itself as PEM, without its private key: this one counts, and no other. Nobody need vouch for it.
    pub certificate_pem: Option<String>,
    /// The subject of its certificates (RFC 4514), which an authority of the organization must have issued.
    #[cfg_attr(feature = "openapi", schema(example = "CN=billing,O=Acme"))]
    pub subject_dn: Option<String>,
    /// A `dNSName` of theirs.
    #[cfg_attr(feature = "openapi", schema(example = "billing.acme.test"))]
    pub san_dns: Option<String>,
    /// A `uniformResourceIdentifier` of theirs.
    #[cfg_attr(feature = "openapi", schema(example = "spiffe://acme.test/billing"))]
    pub san_uri: Option<String>,
    /// An `iPAddress` of theirs.
    pub san_ip: Option<String>,
    /// An `rfc822Name` of theirs.
    pub san_email: Option<String>,
    /// When it ends (RFC 3339). Without: a certificate when it says so itself, a name never.
    pub expires_at: Option<Timestamp>,
}

/// By which certificates a client proves itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientCertificate {
    /// By this one.
    This(Certificate),
    /// By those that have this name, if an authority vouches for them.
    Named(CertificateName),
}

/// The text in storage is no certificate of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no certificate of a client")]
pub struct NoClientCertificate;

/// One that was added.
#[derive(Debug)]
pub struct AddedCertificate {
    /// The record.
    pub credential: Credential,
    /// By which certificates it proves the client.
    pub certificate: ClientCertificate,
    /// What happened.
    pub event: Event,
}

impl NewCertificate {
    /// One for certificates with this name.
    pub fn named(called: &str, name: CertificateName, expires_at: Option<Timestamp>) -> Self {
        let (called, none) = (called.to_owned(), Self::default());
        let new = Self { name: called, expires_at, ..none };
        let text = Some(name.text());
        match name {
            CertificateName::SubjectDn(_) => Self { subject_dn: text, ..new },
            CertificateName::SanDns(_) => Self { san_dns: text, ..new },
            CertificateName::SanUri(_) => Self { san_uri: text, ..new },
            CertificateName::SanIp(_) => Self { san_ip: text, ..new },
            CertificateName::SanEmail(_) => Self { san_email: text, ..new },
        }
    }

    /// The certificate that is asked for. `existing` are those of its service account that were not revoked.
    pub fn add(
        self,
        context: &IssuingContext<'_>,
        existing: &[(Credential, ClientCertificate)],
        created_by: String,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
    ) -> Result<AddedCertificate, Rejection> {
        self.add_as(CertificateId::generate(now, rng).into(), context, existing, created_by, now)
    }

    /// The same under an id that was chosen before.
    pub fn add_as(
        self,
        id: CredentialId,
        context: &IssuingContext<'_>,
        existing: &[(Credential, ClientCertificate)],
        created_by: String,
        now: Timestamp,
    ) -> Result<AddedCertificate, Rejection> {
        let mut errors = FieldErrors::default();
        let certificate = self.certificate(&mut errors);
        let own_end = match &certificate {
            Some(ClientCertificate::This(own)) => own.not_after(),
            Some(ClientCertificate::Named(_)) | None => None,
        };
        if own_end.is_some_and(|end| end <= now) {
            errors.add("/certificate_pem", "expired", "a certificate that has not ended yet");
        } else if let (Some(end), Some(asked)) = (own_end, self.expires_at)
            && asked > end
        {
            errors.add("/expires_at", "after_certificate", after_certificate(end));
        }
        // One that ended is told of where it stands, and not as an end that nobody asked for.
        let end = self.expires_at.or(own_end.filter(|end| *end > now));
        let credential = Asked::of_client(id, &self.name, end).record(context, created_by, now, errors)?;
        let Some(certificate) = certificate else { return Err(Rejection::Invalid(Vec::new())) };
        let living = existing.iter().filter(|(one, _)| one.expires_at.is_none_or(|end| end > now)).count();
        must_be_few(id, i64::try_from(living).unwrap_or(i64::MAX))?;
        // Of one that is there twice, revoking the one would leave the other.
        if existing.iter().any(|(_, other)| *other == certificate) {
            let message = "the service account has this certificate already; use that one, or revoke it first";
            return Err(Rejection::conflict("certificate_exists", message));
        }
        let mut details = credential.told();
        details["certificate"] = certificate.told();
        let event = credential.event(Change::Created, details);
        Ok(AddedCertificate { credential, certificate, event })
    }

    fn certificate(&self, errors: &mut FieldErrors) -> Option<ClientCertificate> {
        let names = [&self.subject_dn, &self.san_dns, &self.san_uri, &self.san_ip, &self.san_email];
        let named: Vec<_> =
            MEMBERS.into_iter().zip(names).filter_map(|(member, name)| Some((member, name.as_deref()?))).collect();
        match (&self.certificate_pem, named.as_slice()) {
            (Some(pem), []) => {
                let certificate = Certificate::from_pem(pem);
                errors.keep("/certificate_pem", "invalid_certificate", certificate).map(ClientCertificate::This)
            }
            (None, [(member, name)]) => {
                let name = CertificateName::parse(member, name);
                errors.keep(format!("/{member}"), "invalid_name_in_certificate", name).map(ClientCertificate::Named)
            }
            (None, []) => {
                errors.add("/certificate_pem", "required", format!("one of certificate_pem, {}", MEMBERS.join(", ")));
                None
            }
            (_, [.., (member, _)]) => {
                let message = format!("one of certificate_pem, {}, and not several", MEMBERS.join(", "));
                errors.add(format!("/{member}"), "one_of", message);
                None
            }
        }
    }
}

impl ClientCertificate {
    /// The way of proving oneself that it is for.
    pub fn method(&self) -> ClientAuthMethod {
        match self {
            Self::This(_) => ClientAuthMethod::SelfSignedTlsClientAuth,
            Self::Named(_) => ClientAuthMethod::TlsClientAuth,
        }
    }

    /// Whether what was shown at `now` is meant. Of a name, somebody must vouch besides.
    pub fn means(&self, shown: &Certificate, now: Timestamp) -> bool {
        is_valid(shown, now)
            && match self {
                Self::This(own) => own == shown,
                Self::Named(name) => name.is_of(shown),
            }
    }

    /// Changes as they can be: a certificate has an end of its own, after which nothing holds.
    pub fn allow(&self, changes: ClientCredentialChanges) -> Result<ClientCredentialChanges, Rejection> {
        let Self::This(own) = self else { return Ok(changes) };
        let (Some(end), Some(asked)) = (own.not_after(), changes.expires_at) else { return Ok(changes) };
        let mut errors = FieldErrors::default();
        if asked.is_some_and(|asked| asked > end) {
            errors.add("/expires_at", "after_certificate", after_certificate(end));
        }
        errors.finish()?;
        Ok(ClientCredentialChanges { expires_at: Some(asked.or(Some(end))), ..changes })
    }

    /// What is stored.
    pub fn to_text(&self) -> String {
        match self {
            Self::This(certificate) => json!({ "certificate": STANDARD.encode(certificate.der()) }),
            Self::Named(name) => json!({ name.member(): name.text() }),
        }
        .to_string()
    }

    /// From storage.
    pub fn from_text(text: &str) -> Result<Self, NoClientCertificate> {
        let stored: Map<String, Value> = read_object(text.as_bytes()).map_err(|_| NoClientCertificate)?;
        let mut members = stored.iter();
        match (members.next(), members.next()) {
            (Some((member, Value::String(der))), None) if member == "certificate" => {
                let der = STANDARD.decode(der).map_err(|_| NoClientCertificate)?;
                Certificate::from_der(&der).map(Self::This).map_err(|_| NoClientCertificate)
            }
            (Some((member, Value::String(name))), None) if MEMBERS.contains(&member.as_str()) => {
                CertificateName::parse(member, name).map(Self::Named).map_err(|_| NoClientCertificate)
            }
            _ => Err(NoClientCertificate),
        }
    }

    fn told(&self) -> Value {
        match self {
            Self::This(certificate) => {
                json!({ "x5t#S256": certificate.thumbprint().to_string(), "subject": certificate.subject() })
            }
            Self::Named(name) => json!({ name.member(): name.text() }),
        }
    }
}

fn after_certificate(end: Timestamp) -> String {
    format!("no later than the certificate itself: {end}")
}

/// Whether a certificate counts at `now` by what it says itself. Its last second counts (RFC 5280, section 4.1.2.5).
pub(crate) fn is_valid(certificate: &Certificate, now: Timestamp) -> bool {
    let now = now.as_second();
    certificate.not_before().is_none_or(|start| start.as_second() <= now)
        && certificate.not_after().is_none_or(|end| now <= end.as_second())
}

#[cfg(test)]
mod tests;
