//! The three ways in which tokens are signed.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How a token is signed. Each has keys of its own kind, so that a key is never used in two ways.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum SigningAlgorithm {
    /// ECDSA with P-256 and SHA-256 (RFC 7518, section 3.4).
    #[default]
    #[serde(rename = "ES256")]
    Es256,
    /// Ed25519 (RFC 8037, section 3.1).
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// RSA PKCS#1 v1.5 with SHA-256 (RFC 7518, section 3.3), for whoever knows nothing else.
    #[serde(rename = "RS256")]
    Rs256,
}

/// The text names none of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a signing algorithm is ES256, EdDSA or RS256")]
pub struct UnknownAlgorithm;

impl SigningAlgorithm {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Es256, Self::EdDsa, Self::Rs256];

    /// Every name that is read: that of each, and a second, newer one of Ed25519 (RFC 9864, section 2.2), which is not written.
    pub const NAMES: [&'static str; 4] = ["ES256", "EdDSA", "Ed25519", "RS256"];

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
            Self::Rs256 => "RS256",
        }
    }

    /// From `alg` of a header or a key.
    pub(super) fn of_jose(text: &str) -> Option<Self> {
        if text == "Ed25519" { Some(Self::EdDsa) } else { text.parse().ok() }
    }
}

impl fmt::Display for SigningAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for SigningAlgorithm {
    type Err = UnknownAlgorithm;

    fn from_str(text: &str) -> Result<Self, UnknownAlgorithm> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == text).ok_or(UnknownAlgorithm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_algorithm_is_known_by_its_exact_name() {
        for algorithm in SigningAlgorithm::ALL {
            assert_eq!(algorithm.as_str().parse(), Ok(algorithm));
            assert_eq!(serde_json::to_value(algorithm).unwrap(), algorithm.as_str());
            assert_eq!(SigningAlgorithm::of_jose(algorithm.as_str()), Some(algorithm));
        }
        assert_eq!(SigningAlgorithm::of_jose("Ed25519"), Some(SigningAlgorithm::EdDsa));
        for other in ["", "none", "nOnE", "es256", "ES256 ", "HS256", "PS256", "ES384", "EDDSA", "Ed448"] {
            assert_eq!(SigningAlgorithm::of_jose(other), None, "{other}");
        }
    }
}
