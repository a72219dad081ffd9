//! Certificate requests (PKCS#10, RFC 2986): a public key, and a signature by which whoever sends it proves to hold the private one.
//!
//! A name and extensions that a request asks for are not even looked at: whoever issues decides them. The room must not know who asks, nor
//! who issues.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use claviger_token::VerifyingKey;
use webpki::ALL_VERIFICATION_ALGS;
use x509_parser::{
    asn1_rs::{Any, FromDer as _},
    certification_request::X509CertificationRequest,
};

/// The longest request that is read, in bytes. Most have less than a thousand.
const LONGEST: usize = 16 * 1024;

/// A request as it came. Nothing of it is proved yet.
#[derive(Debug, Clone)]
pub struct CertificateRequest {
    der: Vec<u8>,
    key: VerifyingKey,
}

/// The key of a request whose signature is sound.
#[derive(Debug, Clone)]
pub struct RequestedKey {
    key: VerifyingKey,
    bits: Vec<u8>,
}

/// Why a request is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CertificateRequestError {
    /// It does not look like PEM.
    #[error(
        "not one certificate request as PEM, from -----BEGIN CERTIFICATE REQUEST----- to -----END CERTIFICATE REQUEST-----"
    )]
    NotPem,
    /// A private key came along.
    #[error(
        "this holds a private key, which nobody but its owner should have; make another, and send the request alone"
    )]
    Secret,
    /// Nobody's request is that long.
    #[error("more than {LONGEST} bytes")]
    TooLong,
    /// The bytes are not what PKCS#10 says.
    #[error("not one certificate request (PKCS#10)")]
    Malformed,
    /// A key that is weak or of a kind that is not used here.
    #[error("its key is none that is taken: EC with P-256, Ed25519, or RSA of 2048 to 8192 bits")]
    Key,
    /// Signed in a way that proves too little.
    #[error(
        "its signature is made in none of the ways that are taken: ECDSA or RSA with SHA-256 or better, or Ed25519"
    )]
    Algorithm,
    /// It proves nothing.
    #[error("its signature is not by its own key")]
    Signature,
}

impl CertificateRequest {
    /// From PEM (RFC 7468, section 7), with nothing around it but spaces.
    pub fn from_pem(text: &str) -> Result<Self, CertificateRequestError> {
        if text.contains("PRIVATE KEY-----") {
            return Err(CertificateRequestError::Secret);
        }
        // Base64 takes a third more, and its lines have ends.
        if text.len() > 2 * LONGEST {
            return Err(CertificateRequestError::TooLong);
        }
        // Some programs still call it so, as the same section has it.
        let body =
            between(text.trim(), "CERTIFICATE REQUEST").or_else(|| between(text.trim(), "NEW CERTIFICATE REQUEST"));
        let body: String = body.ok_or(CertificateRequestError::NotPem)?.split_ascii_whitespace().collect();
        let der = STANDARD.decode(body).map_err(|_| CertificateRequestError::NotPem)?;
        if der.len() > LONGEST {
            return Err(CertificateRequestError::TooLong);
        }
        let parsed = parsed(&der)?;
        let key = VerifyingKey::from_spki(parsed.certification_request_info.subject_pki.raw);
        let key = key.map_err(|_| CertificateRequestError::Key)?;
        Ok(Self { der, key })
    }

    /// The key that it says, of which nothing is proved yet.
    pub fn thumbprint(&self) -> String {
        self.key.thumbprint()
    }

    /// Its key, if it is signed by that (RFC 2986, section 4.2).
    pub fn proved(self) -> Result<RequestedKey, CertificateRequestError> {
        let request = parsed(&self.der)?;
        let (asked, signature) = (&request.certification_request_info, &request.signature_value);
        // The library verifies by the algorithm that fits: the same that prove certificates here, of which none is weak.
        let signed_by = element(&self.der, 1).ok_or(CertificateRequestError::Malformed)?;
        let of_key = element(asked.subject_pki.raw, 0).ok_or(CertificateRequestError::Malformed)?;
        let algorithm = ALL_VERIFICATION_ALGS
            .iter()
            .find(|known| *known.signature_alg_id() == *signed_by && *known.public_key_alg_id() == *of_key);
        let algorithm = algorithm.ok_or(CertificateRequestError::Algorithm)?;
        let bits = &asked.subject_pki.subject_public_key.data;
        let verified = algorithm.verify_signature(bits, asked.raw, &signature.data);
        verified.map_err(|_| CertificateRequestError::Signature)?;
        Ok(RequestedKey { key: self.key, bits: bits.to_vec() })
    }
}

impl RequestedKey {
    /// The key.
    pub fn key(&self) -> &VerifyingKey {
        &self.key
    }

    /// The same as the bits of a SubjectPublicKeyInfo (RFC 5280, section 4.1).
    pub(crate) fn bits(&self) -> &[u8] {
        &self.bits
    }
}

/// What stands in one element of a sequence.
fn element(sequence: &[u8], index: usize) -> Option<&[u8]> {
    let (_, whole) = Any::from_der(sequence).ok()?;
    let mut rest = whole.data;
    for _ in 0..index {
        rest = Any::from_der(rest).ok()?.0;
    }
    Some(Any::from_der(rest).ok()?.1.data)
}

fn parsed(der: &[u8]) -> Result<X509CertificationRequest<'_>, CertificateRequestError> {
    match X509CertificationRequest::from_der(der) {
        Ok(([], request)) => Ok(request),
        Ok(_) | Err(_) => Err(CertificateRequestError::Malformed),
    }
}

/// What stands between the lines that say what it is.
fn between<'a>(text: &'a str, label: &str) -> Option<&'a str> {
    let body = text.strip_prefix(&*format!("-----BEGIN {label}-----"))?;
    body.strip_suffix(&*format!("-----END {label}-----"))
}

#[cfg(test)]
mod tests {
    use rcgen::{
        BasicConstraints, CertificateParams, CustomExtension, IsCa, KeyPair, PKCS_ECDSA_P384_SHA384, PKCS_ED25519,
        SigningKey,
    };

    use super::*;

    fn pem(der: &[u8]) -> String {
        format!("-----BEGIN CERTIFICATE REQUEST-----\n{}\n-----END CERTIFICATE REQUEST-----\n", STANDARD.encode(der))
    }

    fn request(params: CertificateParams, key: &KeyPair) -> Vec<u8> {
        params.serialize_request(key).unwrap().der().to_vec()
    }

    fn read(text: &str) -> Result<RequestedKey, CertificateRequestError> {
        CertificateRequest::from_pem(text)?.proved()
    }

    #[test]
    fn a_request_proves_its_key_whatever_else_it_asks_for() {
        let mut greedy = CertificateParams::new(vec!["bank.test".to_owned()]).unwrap();
        greedy.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        greedy.custom_extensions = vec![CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0])];
        for key in [KeyPair::generate().unwrap(), KeyPair::generate_for(&PKCS_ED25519).unwrap()] {
            for params in [CertificateParams::default(), greedy.clone()] {
                let proved = read(&pem(&request(params, &key))).unwrap();
                let public = rcgen::PublicKeyData::subject_public_key_info(&key);
                assert!(public.ends_with(proved.bits()));
                assert_eq!(proved.key().thumbprint(), VerifyingKey::from_spki(&public).unwrap().thumbprint());
            }
        }
    }

    #[test]
    fn what_is_no_request_or_proves_no_key_is_refused() {
        let key = KeyPair::generate().unwrap();
        let sound = request(CertificateParams::default(), &key);
        let check = |text: &str, expected| assert_eq!(read(text).map(drop).unwrap_err(), expected, "{text}");
        for length in 0..sound.len() {
            check(&pem(&sound[..length]), CertificateRequestError::Malformed);
        }
        check(&pem(&[sound.as_slice(), &[0]].concat()), CertificateRequestError::Malformed);
        let text = pem(&sound);
        read(&format!("\n {}", text.replace('\n', "\r\n"))).unwrap();
        read(&text.replace("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST")).unwrap();
        check(&text.replacen("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST", 1), CertificateRequestError::NotPem);
        check(&format!("{text}{text}"), CertificateRequestError::NotPem);
        check(&text.replace("CERTIFICATE REQUEST", "CERTIFICATE"), CertificateRequestError::NotPem);
        check("", CertificateRequestError::NotPem);
        check(&format!("{text}{}", key.serialize_pem()), CertificateRequestError::Secret);
        check(&pem(&vec![0; LONGEST + 1]), CertificateRequestError::TooLong);
        check(&"x".repeat(2 * LONGEST + 1), CertificateRequestError::TooLong);
        // Another's signature: the last byte of it, or all of it, or another's key with it.
        let mut forged = sound.clone();
        *forged.last_mut().unwrap() ^= 1;
        check(&pem(&forged), CertificateRequestError::Signature);
        let stolen = Stolen(KeyPair::generate().unwrap(), key);
        check(
            &pem(CertificateParams::default().serialize_request(&stolen).unwrap().der()),
            CertificateRequestError::Signature,
        );
        let other = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
        check(&pem(&request(CertificateParams::default(), &other)), CertificateRequestError::Key);
    }

    #[test]
    fn weak_keys_and_hashes_are_refused() {
        // Made by `openssl req -new -newkey rsa:1024` and `openssl req -new -newkey rsa:2048 -sha1`.
        let check = |text, expected| assert_eq!(read(text).map(drop), expected);
        check(include_str!("certificate_request/rsa_1024.pem"), Err(CertificateRequestError::Key));
        check(include_str!("certificate_request/sha1.pem"), Err(CertificateRequestError::Algorithm));
        check(include_str!("certificate_request/rsa_2048.pem"), Ok(()));
        check(include_str!("certificate_request/rsa_pss.pem"), Ok(()));
    }

    /// Says the public key of the second, and signs by the first.
    struct Stolen(KeyPair, KeyPair);

    impl rcgen::PublicKeyData for Stolen {
        fn der_bytes(&self) -> &[u8] {
            self.1.der_bytes()
        }

        fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
            rcgen::PublicKeyData::algorithm(&self.1)
        }
    }

    impl SigningKey for Stolen {
        fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
            self.0.sign(message)
        }
    }
}
