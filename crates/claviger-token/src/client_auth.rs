//! How an OAuth client says who it is, in the words of the registry that RFC 7591 made (section 4.2).
//!
//! The room must not know how any of it is checked.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A way in which a client authenticates at the token endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ClientAuthMethod {
    /// Its secret as the password of HTTP Basic (RFC 6749, section 2.3.1).
    ClientSecretBasic,
    /// Its secret in the body (RFC 6749, section 2.3.1).
    ClientSecretPost,
    /// An assertion that it signed (RFC 7523, section 2.2).
    PrivateKeyJwt,
}

/// The text names none of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a client authenticates by client_secret_basic, client_secret_post or private_key_jwt")]
pub struct UnknownClientAuthMethod;

impl ClientAuthMethod {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::ClientSecretBasic, Self::ClientSecretPost, Self::PrivateKeyJwt];

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretPost => "client_secret_post",
            Self::PrivateKeyJwt => "private_key_jwt",
        }
    }
}

impl fmt::Display for ClientAuthMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ClientAuthMethod {
    type Err = UnknownClientAuthMethod;

    fn from_str(text: &str) -> Result<Self, UnknownClientAuthMethod> {
        Self::ALL.into_iter().find(|method| method.as_str() == text).ok_or(UnknownClientAuthMethod)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_is_known_by_its_exact_name() {
        for method in ClientAuthMethod::ALL {
            assert_eq!(method.as_str().parse(), Ok(method));
            assert_eq!(serde_json::to_value(method).unwrap(), method.as_str());
        }
        for other in ["", "none", "client_secret_jwt", "CLIENT_SECRET_BASIC", "private_key_jwt "] {
            assert_eq!(other.parse::<ClientAuthMethod>(), Err(UnknownClientAuthMethod), "{other}");
        }
    }
}
