//! Signed JSON: compact JWS (RFC 7515), its keys as JWK (RFC 7517, 7518, 8037), and their thumbprints (RFC 7638).
//!
//! Of all that these standards allow, this room reads what is needed and refuses the rest. A verifier says which key, and
//! the key says which algorithm: a token chooses neither. The room must not know what a token is for.

mod algorithm;
mod issuer_key;
mod json;
mod jws;
mod signing_key;
#[cfg(test)]
mod vectors;
mod verifying_key;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

pub use algorithm::{SigningAlgorithm, UnknownAlgorithm};
pub use issuer_key::{IssuerAlgorithm, IssuerKey, UnknownIssuerAlgorithm};
pub use json::{Closed, Named, read_object};
pub(crate) use json::{given, given_named, named};
pub use jws::{Jws, JwsError, Typ};
pub use signing_key::{KeyRejected, SigningFailed, SigningKey};
pub use verifying_key::{JwkError, PublicJwk, VerifyingKey};

/// Base64url in its one canonical form: no padding, no white space, no stray bits at the end (RFC 7515, section 2).
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_way_to_write_bytes() {
        let check = |text: &str, bytes: Option<&[u8]>| assert_eq!(decode(text).as_deref(), bytes, "{text}");
        check("", Some(b""));
        check("-_8", Some(&[0xfb, 0xff]));
        for wrong in ["-_8=", "+/8", "-_9", "-_8\n", " -_8", "-", "-_8-_", "é"] {
            check(wrong, None);
        }
    }
}
