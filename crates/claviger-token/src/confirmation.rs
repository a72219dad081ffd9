//! What a credential is bound to, as in a JWT's `cnf` claim (RFC 7800), and what a caller proved to hold.
//!
//! Plain data. Whether the one fits the other is `decide`'s to say; the room must not know how anything is proved.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::jose::{Named, decode, encode, given};
use crate::text::{schema_of_text, serde_as_text};

/// The SHA-256 of a public key (RFC 7638) or of a certificate; as text, base64url without padding.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Thumbprint([u8; 32]);

/// The text is no SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a thumbprint is a SHA-256 as base64url without padding: 43 characters")]
pub struct NoThumbprint;

impl FromStr for Thumbprint {
    type Err = NoThumbprint;

    fn from_str(text: &str) -> Result<Self, NoThumbprint> {
        decode(text).and_then(|bytes| bytes.try_into().ok()).map(Self).ok_or(NoThumbprint)
    }
}

impl From<[u8; 32]> for Thumbprint {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&encode(self.0))
    }
}

impl fmt::Debug for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Thumbprint({self})")
    }
}

serde_as_text!(Thumbprint);
schema_of_text!(Thumbprint, "A SHA-256 as base64url without padding.", "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");

/// What must be proved with a credential, all of it: a `cnf` claim (RFC 7800). One that names nothing, or what is not
/// understood here, is not read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Named<Members>")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Confirmation {
    /// Thumbprint of the DPoP key (RFC 9449, section 6.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jkt: Option<Thumbprint>,
    /// Thumbprint of the client certificate (RFC 8705, section 3.1).
    #[serde(rename = "x5t#S256", skip_serializing_if = "Option::is_none")]
    pub x5t_s256: Option<Thumbprint>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Members {
    #[serde(default, deserialize_with = "given")]
    jkt: Option<Thumbprint>,
    #[serde(default, rename = "x5t#S256", deserialize_with = "given")]
    x5t_s256: Option<Thumbprint>,
}

impl TryFrom<Named<Members>> for Confirmation {
    type Error = NothingNamed;

    fn try_from(Named(Members { jkt, x5t_s256 }): Named<Members>) -> Result<Self, NothingNamed> {
        Self { jkt, x5t_s256 }.named().ok_or(NothingNamed)
    }
}

/// A `cnf` without a member.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("cnf names nothing that must be proved")]
struct NothingNamed;

impl Confirmation {
    /// To a DPoP key.
    pub fn of_key(jkt: Thumbprint) -> Self {
        Self { jkt: Some(jkt), x5t_s256: None }
    }

    /// To a client certificate.
    pub fn of_certificate(x5t_s256: Thumbprint) -> Self {
        Self { jkt: None, x5t_s256: Some(x5t_s256) }
    }

    /// None, if it names nothing.
    pub fn named(self) -> Option<Self> {
        (self != Self::default()).then_some(self)
    }

    /// What either names; where both do, what this one does.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self { jkt: self.jkt.or(other.jkt), x5t_s256: self.x5t_s256.or(other.x5t_s256) }
    }

    /// Whether who can prove this can prove the other, too.
    pub fn is_within(&self, other: &Self) -> bool {
        let member = |own: Option<Thumbprint>, other: Option<Thumbprint>| other.is_none() || own == other;
        member(self.jkt, other.jkt) && member(self.x5t_s256, other.x5t_s256)
    }
}

/// What came of asking for one proof. Whoever fills it in has checked signature, freshness and address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shown {
    /// None came along.
    #[default]
    Nothing,
    /// One came along and does not hold.
    Invalid,
    /// It proves to hold what has this thumbprint.
    Held(Thumbprint),
}

/// What a caller proved to hold, beside the credential.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Proof {
    /// By a DPoP proof (RFC 9449).
    pub key: Shown,
    /// By a client certificate (RFC 8705).
    pub certificate: Shown,
}

impl Proof {
    /// Nothing.
    pub const NONE: Self = Self { key: Shown::Nothing, certificate: Shown::Nothing };
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;

    /// Some thumbprint, always the same of one number.
    pub(crate) fn thumbprint(number: u8) -> Thumbprint {
        Thumbprint::from([number; 32])
    }

    #[test]
    fn a_thumbprint_has_one_text() {
        let text = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
        assert_eq!(text.parse::<Thumbprint>().unwrap().to_string(), text);
        let padded = format!("{text}=");
        let longer = format!("{text}A");
        for wrong in ["", "x", "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4J", &padded, &longer, &text[..42]] {
            assert_eq!(wrong.parse::<Thumbprint>(), Err(NoThumbprint), "{wrong}");
        }
    }

    #[test]
    fn a_confirmation_reads_like_the_claim() {
        let (one, other) = (thumbprint(1), thumbprint(2));
        let check = |own: Confirmation, written: serde_json::Value| {
            assert_eq!(serde_json::to_value(own).unwrap(), written);
            assert_eq!(serde_json::from_value::<Confirmation>(written).unwrap(), own);
        };
        check(Confirmation::of_key(one), json!({ "jkt": one }));
        check(Confirmation::of_certificate(other), json!({ "x5t#S256": other }));
        let both = Confirmation { jkt: Some(one), x5t_s256: Some(other) };
        check(both, json!({ "jkt": one, "x5t#S256": other }));
        for wrong in [
            json!({}),
            json!({ "jkt": null }),
            json!({ "jkt": "x" }),
            json!({ "jkt": one, "x5t#S256": null }),
            json!({ "jkt": one, "jwk": {} }),
            json!({ "kid": "x" }),
            json!("x"),
        ] {
            assert!(serde_json::from_value::<Confirmation>(wrong.clone()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_binding_is_within_another_if_it_proves_at_least_as_much() {
        let (key, certificate) = (Confirmation::of_key(thumbprint(1)), Confirmation::of_certificate(thumbprint(2)));
        let both = key.or(certificate);
        assert!(both.is_within(&key) && both.is_within(&certificate) && both.is_within(&both));
        assert!(!key.is_within(&both) && !key.is_within(&certificate));
        assert!(!Confirmation::of_key(thumbprint(3)).is_within(&key));
        assert!(key.is_within(&Confirmation::default()) && !Confirmation::default().is_within(&key));
        assert_eq!((key.named(), Confirmation::default().named()), (Some(key), None));
    }
}
