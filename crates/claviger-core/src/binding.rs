//! What a new credential is bound to, as a body says it. That it never changes is why no other room parses it.

use claviger_token::{Certificate, Confirmation, Thumbprint, VerifyingKey};
use serde_json::value::RawValue;

use crate::invalid::FieldErrors;

/// What must be proved with it: a key by DPoP (RFC 9449), a certificate by TLS (RFC 8705), or both.
#[derive(Clone, Copy, Default)]
pub(crate) struct AskedBinding<'a> {
    pub(crate) dpop_jkt: Option<&'a str>,
    pub(crate) dpop_jwk: Option<&'a RawValue>,
    pub(crate) client_certificate: Option<&'a str>,
    pub(crate) client_certificate_thumbprint: Option<&'a str>,
}

impl AskedBinding<'_> {
    pub(crate) fn parse(&self, errors: &mut FieldErrors) -> Option<Confirmation> {
        Confirmation { jkt: self.key(errors), x5t_s256: self.certificate(errors) }.named()
    }

    /// Named by its thumbprint, or shown.
    fn key(&self, errors: &mut FieldErrors) -> Option<Thumbprint> {
        match (self.dpop_jkt, self.dpop_jwk) {
            (None, None) => None,
            (Some(thumbprint), None) => errors.keep("/dpop_jkt", "invalid_thumbprint", thumbprint.parse()),
            (None, Some(jwk)) => {
                let key = errors.keep("/dpop_jwk", "invalid_jwk", VerifyingKey::from_jwk(jwk.get().as_bytes()))?;
                errors.keep("/dpop_jwk", "invalid_jwk", key.thumbprint().parse())
            }
            (Some(_), Some(_)) => {
                errors.add("/dpop_jkt", "one_of", "one of dpop_jkt and dpop_jwk, and not both");
                None
            }
        }
    }

    fn certificate(&self, errors: &mut FieldErrors) -> Option<Thumbprint> {
        match (self.client_certificate, self.client_certificate_thumbprint) {
            (None, None) => None,
            (Some(pem), None) => {
                let certificate = Certificate::from_pem(pem);
                errors.keep("/client_certificate", "invalid_certificate", certificate).map(|shown| shown.thumbprint())
            }
            (None, Some(thumbprint)) => {
                errors.keep("/client_certificate_thumbprint", "invalid_thumbprint", thumbprint.parse())
            }
            (Some(_), Some(_)) => {
                let message = "one of client_certificate and client_certificate_thumbprint, and not both";
                errors.add("/client_certificate", "one_of", message);
                None
            }
        }
    }
}
