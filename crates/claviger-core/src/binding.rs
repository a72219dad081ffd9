//! What a new credential is bound to, as a body says it. That it never changes is why no other room parses it.

use claviger_token::{Confirmation, VerifyingKey};
use serde_json::value::RawValue;

use crate::invalid::FieldErrors;

/// The key that must be proved with it by DPoP (RFC 9449): named by its thumbprint, or shown.
pub(crate) fn parse_binding(
    dpop_jkt: Option<&str>,
    dpop_jwk: Option<&RawValue>,
    errors: &mut FieldErrors,
) -> Option<Confirmation> {
    let jkt = match (dpop_jkt, dpop_jwk) {
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
    };
    jkt.map(Confirmation::of_key)
}
