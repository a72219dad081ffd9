//! How an OAuth client says who it is, in the words of the registry that RFC 7591 made (section 4.2).
//!
//! The room must not know how any of it is checked.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

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
    /// A certificate with a name that it registered, for which an authority of its organization vouches (RFC 8705, section 2.1).
    TlsClientAuth,
    /// The very certificate that it registered (RFC 8705, section 2.2).
    SelfSignedTlsClientAuth,
}

/// The text names none of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a client authenticates by client_secret_basic, client_secret_post, private_key_jwt, tls_client_auth or self_signed_tls_client_auth"
)]
pub struct UnknownClientAuthMethod;

impl ClientAuthMethod {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::ClientSecretBasic,
        Self::ClientSecretPost,
        Self::PrivateKeyJwt,
        Self::TlsClientAuth,
        Self::SelfSignedTlsClientAuth,
    ];

    /// Whether it works only where clients can show certificates.
    pub fn shows_a_certificate(self) -> bool {
        match self {
            Self::ClientSecretBasic | Self::ClientSecretPost | Self::PrivateKeyJwt => false,
            Self::TlsClientAuth | Self::SelfSignedTlsClientAuth => true,
        }
    }

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretPost => "client_secret_post",
            Self::PrivateKeyJwt => "private_key_jwt",
            Self::TlsClientAuth => "tls_client_auth",
            Self::SelfSignedTlsClientAuth => "self_signed_tls_client_auth",
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

/// The grants that a client may use, by the names of RFC 6749 and its extensions. Which there are is not known here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct GrantTypes(Arc<[Box<str>]>);

impl GrantTypes {
    /// Whether this grant is among them.
    pub fn contains(&self, grant: &str) -> bool {
        self.0.iter().any(|known| **known == *grant)
    }
}

impl<'a> FromIterator<&'a str> for GrantTypes {
    /// Each once, in their order.
    fn from_iter<T: IntoIterator<Item = &'a str>>(grants: T) -> Self {
        let mut each: Vec<Box<str>> = Vec::new();
        for grant in grants {
            if !each.iter().any(|known| **known == *grant) {
                each.push(grant.into());
            }
        }
        Self(each.into())
    }
}

impl fmt::Display for GrantTypes {
    /// Separated by spaces, which no name has.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

impl FromStr for GrantTypes {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(text.split(' ').filter(|grant| !grant.is_empty()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_are_named_once_and_read_back() {
        let grants: GrantTypes = ["b", "a", "b"].into_iter().collect();
        assert_eq!((grants.to_string().as_str(), grants.contains("a"), grants.contains("A")), ("b a", true, false));
        assert_eq!(grants.to_string().parse(), Ok(grants.clone()));
        assert_eq!(serde_json::to_value(grants).unwrap(), serde_json::json!(["b", "a"]));
    }

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
