//! The certificate of a client (X.509, RFC 5280), as it was shown, and what names it (RFC 8705, section 3.1).
//!
//! The room must not ask who vouches for it, nor whether whoever shows it holds its key.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use x509_parser::{certificate::X509Certificate, prelude::FromDer as _};

use crate::Thumbprint;

/// The longest certificate that is read, in bytes. Most have one or two thousand.
const LONGEST: usize = 16 * 1024;

/// One certificate. It is cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Arc<[u8]>,
    thumbprint: Thumbprint,
}

/// Why something is no certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// It does not look like PEM.
    #[error("not one certificate as PEM, from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----")]
    NotPem,
    /// A private key came along.
    #[error("this holds a private key, which nobody but its owner should have; send the certificate alone")]
    Secret,
    /// Nobody's certificate is that long.
    #[error("more than {LONGEST} bytes")]
    TooLong,
    /// The bytes are not what X.509 says.
    #[error("not one X.509 certificate")]
    Malformed,
}

impl Certificate {
    /// From DER, with nothing after it.
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        if der.len() > LONGEST {
            return Err(CertificateError::TooLong);
        }
        let (rest, _) = X509Certificate::from_der(der).map_err(|_| CertificateError::Malformed)?;
        if !rest.is_empty() {
            return Err(CertificateError::Malformed);
        }
        let mut thumbprint = [0; 32];
        thumbprint.copy_from_slice(digest(&SHA256, der).as_ref());
        Ok(Self { der: der.into(), thumbprint: thumbprint.into() })
    }

    /// From PEM (RFC 7468, section 5), with nothing around it but spaces.
    pub fn from_pem(text: &str) -> Result<Self, CertificateError> {
        if text.contains("PRIVATE KEY-----") {
            return Err(CertificateError::Secret);
        }
        // Base64 takes a third more, and its lines have ends.
        if text.len() > 2 * LONGEST {
            return Err(CertificateError::TooLong);
        }
        let body = text.trim().strip_prefix("-----BEGIN CERTIFICATE-----");
        let body = body.and_then(|rest| rest.strip_suffix("-----END CERTIFICATE-----"));
        let body: String = body.ok_or(CertificateError::NotPem)?.split_ascii_whitespace().collect();
        Self::from_der(&STANDARD.decode(body).map_err(|_| CertificateError::NotPem)?)
    }

    /// From PEM of several, one after the other.
    pub fn all_from_pem(text: &str) -> Result<Vec<Self>, CertificateError> {
        text.trim().split_inclusive("-----END CERTIFICATE-----").map(Self::from_pem).collect()
    }

    /// From the first of several as PEM, whatever stands after it.
    pub fn first_from_pem(text: &str) -> Result<Self, CertificateError> {
        text.trim()
            .split_inclusive("-----END CERTIFICATE-----")
            .next()
            .map_or(Err(CertificateError::NotPem), Self::from_pem)
    }

    /// As PEM, which reads back.
    pub fn to_pem(&self) -> String {
        let base64 = STANDARD.encode(&self.der);
        let mut pem = "-----BEGIN CERTIFICATE-----\n".to_owned();
        for line in base64.as_bytes().chunks(64) {
            pem.push_str(&String::from_utf8_lossy(line));
            pem.push('\n');
        }
        pem + "-----END CERTIFICATE-----\n"
    }

    /// Its bytes.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Its public key, as a SubjectPublicKeyInfo in DER (RFC 5280, section 4.1).
    pub fn public_key(&self) -> Vec<u8> {
        let parsed = X509Certificate::from_der(&self.der);
        parsed.map_or_else(|_| Vec::new(), |(_, certificate)| certificate.tbs_certificate.subject_pki.raw.to_vec())
    }

    /// From when on it counts. `None`: since before what can be told.
    pub fn not_before(&self) -> Option<Timestamp> {
        let (_, certificate) = X509Certificate::from_der(&self.der).ok()?;
        Timestamp::from_second(certificate.validity().not_before.timestamp()).ok()
    }

    /// The last second in which it counts. `None`: it has no end that can be told.
    pub fn not_after(&self) -> Option<Timestamp> {
        let (_, certificate) = X509Certificate::from_der(&self.der).ok()?;
        Timestamp::from_second(certificate.validity().not_after.timestamp()).ok()
    }

    /// Whom it is about, for people to read.
    pub fn subject(&self) -> String {
        let parsed = X509Certificate::from_der(&self.der);
        parsed.map_or_else(|_| String::new(), |(_, certificate)| certificate.subject().to_string())
    }

    /// The SHA-256 of its bytes: `x5t#S256` (RFC 8705, section 3.1).
    pub fn thumbprint(&self) -> Thumbprint {
        self.thumbprint
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({})", self.thumbprint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A certificate that was made by `openssl req -x509`, of a P-256 key.
    const PEM: &str = include_str!("certificate/self_signed.pem");

    /// What `openssl x509 -outform DER | openssl sha256 -binary` and base64url say of it.
    const THUMBPRINT: &str = include_str!("certificate/self_signed.thumbprint");

    #[test]
    fn m04_a_certificate_is_named_by_the_sha256_of_its_der() {
        let certificate = Certificate::from_pem(PEM).unwrap();
        assert_eq!(certificate.thumbprint().to_string(), THUMBPRINT.trim());
        assert_eq!(THUMBPRINT.trim().len(), 43);
        assert_eq!(Certificate::from_der(certificate.der()), Ok(certificate.clone()));
        assert_eq!(format!("{certificate:?}"), format!("Certificate({})", THUMBPRINT.trim()));
    }

    #[test]
    fn a_certificate_is_one_and_nothing_else() {
        let der = Certificate::from_pem(PEM).unwrap().der().to_vec();
        let cut = |length: usize| Certificate::from_der(der.get(..length).unwrap());
        for length in 0..der.len() {
            assert_eq!(cut(length), Err(CertificateError::Malformed), "{length}");
        }
        let with = |more: &[u8]| Certificate::from_der(&[&der, more].concat());
        assert_eq!(with(&[0]), Err(CertificateError::Malformed));
        assert_eq!(with(&der), Err(CertificateError::Malformed));
        assert_eq!(with(&vec![0; LONGEST]), Err(CertificateError::TooLong));
    }

    #[test]
    fn pem_is_one_certificate_and_never_a_private_key() {
        let check = |text: &str, expected: Result<(), CertificateError>| {
            assert_eq!(Certificate::from_pem(text).map(drop), expected, "{text}");
        };
        check(PEM, Ok(()));
        check(&PEM.replace('\n', "\r\n"), Ok(()));
        check(&format!("\n {PEM}\n"), Ok(()));
        check("", Err(CertificateError::NotPem));
        check(PEM.trim_end_matches("-----\n"), Err(CertificateError::NotPem));
        check(&format!("{PEM}{PEM}"), Err(CertificateError::NotPem));
        check(&PEM.replace("CERTIFICATE", "PUBLIC KEY"), Err(CertificateError::NotPem));
        check(&PEM.replace("CERTIFICATE", "EC PRIVATE KEY"), Err(CertificateError::Secret));
        check("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----", Err(CertificateError::Malformed));
        check("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----", Err(CertificateError::Malformed));
        check("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----", Err(CertificateError::NotPem));
        let long = "A".repeat(2 * LONGEST);
        let long = format!("-----BEGIN CERTIFICATE-----\n{long}\n-----END CERTIFICATE-----");
        check(&long, Err(CertificateError::TooLong));
    }

    #[test]
    fn several_stand_one_after_the_other_and_read_back() {
        let (one, other) = (Certificate::from_pem(PEM).unwrap(), include_str!("certificate/version_1.pem"));
        let other = Certificate::from_pem(other).unwrap();
        assert_eq!(one.to_pem(), PEM);
        let both = one.to_pem() + &other.to_pem();
        assert_eq!(Certificate::all_from_pem(&both), Ok(vec![one, other]));
        assert_eq!(Certificate::first_from_pem(&both).unwrap().to_pem(), PEM);
        assert_eq!(Certificate::first_from_pem(""), Err(CertificateError::NotPem));
        assert_eq!(Certificate::all_from_pem(""), Ok(Vec::new()));
        assert_eq!(Certificate::all_from_pem(&format!("{both}x")), Err(CertificateError::NotPem));
    }

    #[test]
    fn old_versions_of_x509_are_certificates_too() {
        Certificate::from_pem(include_str!("certificate/version_1.pem")).unwrap();
    }
}
