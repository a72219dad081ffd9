//! The names of things: TypeIDs, a prefix that says what is named and a UUIDv7 that says which one.
//!
//! The room must not know what the named things are made of, nor any secret.

use std::fmt::{self, Write};
use std::hash::Hash;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::text::{schema_of_text, serde_as_text};

/// Why a text is not the id that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// A well-formed id of something else.
    #[error("this is the id of something else: the prefix must be {expected}")]
    WrongPrefix {
        /// The prefix that would have been right, without the underscore.
        expected: &'static str,
    },
    /// Not a TypeID in canonical form.
    #[error("malformed id: a prefix, an underscore and 26 lower-case base32 characters are expected")]
    Malformed,
}

/// An id with a fixed prefix. Its text form is a [TypeID](https://github.com/jetify-com/typeid)
/// (specification 0.3) in canonical lower case; ids of one type sort by the time they were made.
pub trait TypedId: Copy + Ord + Hash + fmt::Display + FromStr<Err = IdError> {
    /// What stands before the underscore.
    const PREFIX: &'static str;

    /// Names the thing that has this UUID.
    fn from_uuid(uuid: Uuid) -> Self;

    /// What storage keeps.
    fn uuid(self) -> Uuid;

    /// A new UUIDv7 (RFC 9562, section 5.7). A `now` before 1970 counts as 1970.
    fn generate(now: Timestamp, rng: &mut dyn rand::CryptoRng) -> Self {
        let mut random = [0; 10];
        rng.fill_bytes(&mut random);
        Self::from_uuid(made_at(now, &random))
    }

    /// The least id that can be made at this millisecond: what is made then or later has none that is less.
    fn first_of(now: Timestamp) -> Self {
        Self::from_uuid(made_at(now, &[0; 10]))
    }
}

fn made_at(now: Timestamp, random: &[u8; 10]) -> Uuid {
    let milliseconds = u64::try_from(now.as_millisecond()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(milliseconds, random).into_uuid()
}

/// Crockford's alphabet, lower case, as the TypeID specification has it.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const SUFFIX_LENGTH: usize = 26;

/// The digit that each byte is, or one that there is not.
const DIGITS: [u8; 256] = {
    let mut digits = [u8::MAX; 256];
    let mut digit = 0;
    while digit < ALPHABET.len() {
        digits[ALPHABET[digit] as usize] = digit as u8;
        digit += 1;
    }
    digits
};

fn write(f: &mut fmt::Formatter<'_>, prefix: &str, uuid: Uuid) -> fmt::Result {
    let mut suffix = [0; SUFFIX_LENGTH];
    let mut rest = uuid.as_u128();
    for place in suffix.iter_mut().rev() {
        *place = ALPHABET[(rest & 31) as usize];
        rest >>= 5;
    }
    f.write_str(prefix)?;
    f.write_char('_')?;
    // Character by character would cost more than the rest of an answer.
    f.write_str(str::from_utf8(&suffix).map_err(|_| fmt::Error)?)
}

/// Takes a TypeID apart without asking whose prefix it is.
fn split(text: &str) -> Result<(&str, Uuid), IdError> {
    let (prefix, suffix) = text.rsplit_once('_').ok_or(IdError::Malformed)?;
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    let well_formed = (1..=63).contains(&prefix.len())
        && prefix.bytes().all(inner)
        && !prefix.starts_with('_')
        && !prefix.ends_with('_');
    if !well_formed {
        return Err(IdError::Malformed);
    }
    Ok((prefix, decode(suffix).ok_or(IdError::Malformed)?))
}

fn decode(suffix: &str) -> Option<Uuid> {
    // 26 characters hold 130 bits: a first character above 7 would overflow the UUID.
    if suffix.len() != SUFFIX_LENGTH || suffix.as_bytes().first() > Some(&b'7') {
        return None;
    }
    let number = suffix.bytes().try_fold(0_u128, |number, byte| {
        let digit = DIGITS[usize::from(byte)];
        (digit != u8::MAX).then(|| number << 5 | u128::from(digit))
    })?;
    Some(Uuid::from_u128(number))
}

macro_rules! typed_ids {
    ($($name:ident = $prefix:literal, $what:literal;)*) => {$(
        #[doc = concat!("The id of ", $what, ": `", $prefix, "_…`.")]
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl TypedId for $name {
            const PREFIX: &'static str = $prefix;

            fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write(f, Self::PREFIX, self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                match split(text)? {
                    ($prefix, uuid) => Ok(Self(uuid)),
                    _ => Err(IdError::WrongPrefix { expected: $prefix }),
                }
            }
        }

        serde_as_text!($name);
        schema_of_text!(
            $name,
            concat!("The id of ", $what, "."),
            concat!($prefix, "_01h2xcejqtf2nbrexx3vqjhp41")
        );
    )*};
}

typed_ids! {
    OrganizationId = "org", "an organization";
    UserId = "user", "a user";
    ServiceAccountId = "sa", "a service account, which is also its OAuth `client_id`";
    ApiId = "api", "an API";
    RoleId = "role", "a role";
    AssignmentId = "asg", "an assignment";
    ApiKeyId = "key", "an API key (never its secret)";
    PersonalAccessTokenId = "pat", "a personal access token (never its secret)";
    ClientSecretId = "csec", "a client's secret (never the secret itself)";
    PublicKeyId = "ckey", "a client's public key";
    CertificateId = "cert", "a certificate of a client, or a name that its certificates have";
    CertificateAuthorityId = "ca", "an organization's certificate authority";
    FederationId = "fed", "a federated identity of a client";
    SessionId = "sess", "a sign-in session (never its cookie)";
    PasskeyId = "passkey", "a passkey of a user (never its key)";
    SigningKeyId = "skey", "a key that signs tokens, which is also its `kid`";
    AccessTokenId = "at", "an access token, which is also its `jti`";
    InvitationId = "inv", "an invitation (never its link)";
    DeviceRequestId = "dev", "a device's request for a token (never its code)";
    FleetId = "fleet", "a fleet of devices";
    ClaimCodeId = "claim", "a claim code of a fleet (never the code itself)";
    EventId = "evt", "an audit event";
}

macro_rules! either_id {
    ($(#[$doc:meta])* $name:ident: $what:literal, $expected:literal, $example:literal;
     $($(#[$variant_doc:meta])* $variant:ident($inner:ident),)*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant($inner),)*
        }

        impl $name {
            /// What storage keeps; the kind is kept beside it.
            pub fn uuid(self) -> Uuid {
                match self {
                    $(Self::$variant(id) => id.uuid(),)*
                }
            }
        }

        $(impl From<$inner> for $name {
            fn from(id: $inner) -> Self {
                Self::$variant(id)
            }
        })*

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$variant(id) => fmt::Display::fmt(id, f),)*
                }
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let (prefix, uuid) = split(text)?;
                $(if prefix == $inner::PREFIX {
                    return Ok(Self::$variant($inner(uuid)));
                })*
                Err(IdError::WrongPrefix { expected: $expected })
            }
        }

        serde_as_text!($name);
        schema_of_text!($name, $what, $example);
    };
}

either_id! {
    /// Who acts: a user or a service account.
    PrincipalId: "The id of a user or a service account.", "user or sa", "user_01h2xcejqtf2nbrexx3vqjhp41";
    /// A person.
    User(UserId),
    /// An application or an integration.
    ServiceAccount(ServiceAccountId),
}

either_id! {
    /// What proves a principal at the verify call. A token made from one of these (an M2M token) carries its
    /// parent's id.
    CredentialId: "The id of an API key, a personal access token, or a client's secret, public key, certificate or federated identity (never a secret).",
        "key, pat, csec, ckey, cert or fed", "key_01h2xcejqtf2nbrexx3vqjhp41";
    /// An API key.
    ApiKey(ApiKeyId),
    /// A personal access token.
    PersonalAccessToken(PersonalAccessTokenId),
    /// The secret of an OAuth client.
    ClientSecret(ClientSecretId),
    /// The public key of an OAuth client.
    PublicKey(PublicKeyId),
    /// A certificate of an OAuth client.
    Certificate(CertificateId),
    /// The federated identity of an OAuth client.
    Federation(FederationId),
}

/// Which sort of principal: `user` or `service_account`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum PrincipalType {
    /// A person.
    User,
    /// An application or an integration.
    ServiceAccount,
}

impl PrincipalType {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::ServiceAccount => "service_account",
        }
    }
}

impl PrincipalId {
    /// Which sort of principal this is.
    pub fn kind(self) -> PrincipalType {
        match self {
            Self::User(_) => PrincipalType::User,
            Self::ServiceAccount(_) => PrincipalType::ServiceAccount,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::SeedableRng;

    const SPEC_SUFFIX: &str = "01h455vb4pex5vsknk084sn02q";

    fn check(text: &str, expected: Result<&str, IdError>) {
        let read = text.parse::<UserId>().map(|id| id.uuid().to_string());
        assert_eq!(read.as_deref(), expected.as_ref().copied(), "{text}");
    }

    #[test]
    fn the_first_id_of_a_moment_parts_what_was_made_before_from_what_was_made_then() {
        let mut rng = rand::rngs::StdRng::seed_from_u64(1);
        let at = |milliseconds| Timestamp::from_millisecond(milliseconds).unwrap();
        for moment in [1, 1_800_000_000_000] {
            let first = EventId::first_of(at(moment));
            for _ in 0..100 {
                assert!(EventId::generate(at(moment - 1), &mut rng) < first);
                assert!(EventId::generate(at(moment), &mut rng) >= first);
            }
        }
    }

    #[test]
    fn only_the_canonical_form_is_read() {
        const MALFORMED: Result<&str, IdError> = Err(IdError::Malformed);
        check("user_01h455vb4pex5vsknk084sn02q", Ok("01890a5d-ac96-774b-bcce-b302099a8057"));
        check("user_00000000000000000000000000", Ok("00000000-0000-0000-0000-000000000000"));
        check("user_7zzzzzzzzzzzzzzzzzzzzzzzzz", Ok("ffffffff-ffff-ffff-ffff-ffffffffffff"));
        check("user_8zzzzzzzzzzzzzzzzzzzzzzzzz", MALFORMED);
        check("user_01H455VB4PEX5VSKNK084SN02Q", MALFORMED);
        check("User_01h455vb4pex5vsknk084sn02q", MALFORMED);
        check("user_01h455vb4pex5vsknk084sn02", MALFORMED);
        check("user_01h455vb4pex5vsknk084sn02qq", MALFORMED);
        check("user_0lh455vb4pex5vsknk084sn02q", MALFORMED);
        check("user__01h455vb4pex5vsknk084sn02q", MALFORMED);
        check("_01h455vb4pex5vsknk084sn02q", MALFORMED);
        check("01h455vb4pex5vsknk084sn02q", MALFORMED);
        check(" user_01h455vb4pex5vsknk084sn02q", MALFORMED);
        check("user", MALFORMED);
        check("", MALFORMED);
    }

    #[test]
    fn an_id_of_something_else_is_told_apart_from_garbage() {
        check(&format!("org_{SPEC_SUFFIX}"), Err(IdError::WrongPrefix { expected: "user" }));
        check("org_nonsense", Err(IdError::Malformed));
        let api_key = format!("key_{SPEC_SUFFIX}");
        assert_eq!(api_key.parse::<PrincipalId>(), Err(IdError::WrongPrefix { expected: "user or sa" }));
    }

    #[test]
    fn the_prefix_chooses_the_variant() -> Result<(), IdError> {
        let principal: PrincipalId = format!("sa_{SPEC_SUFFIX}").parse()?;
        assert_eq!(principal.kind(), PrincipalType::ServiceAccount);
        assert_eq!(principal.kind().as_str(), "service_account");
        let credential: CredentialId = format!("pat_{SPEC_SUFFIX}").parse()?;
        assert!(matches!(credential, CredentialId::PersonalAccessToken(_)));
        assert!(matches!(format!("csec_{SPEC_SUFFIX}").parse()?, CredentialId::ClientSecret(_)));
        assert!(matches!(format!("ckey_{SPEC_SUFFIX}").parse()?, CredentialId::PublicKey(_)));
        assert!(matches!(format!("cert_{SPEC_SUFFIX}").parse()?, CredentialId::Certificate(_)));
        assert_eq!(format!("{credential:?}"), format!("pat_{SPEC_SUFFIX}"));
        Ok(())
    }

    #[test]
    fn a_generated_id_is_a_uuid_of_version_7_and_sorts_by_time() {
        let mut rng = rand::rngs::StdRng::seed_from_u64(1);
        let mut at = |millisecond| {
            let now = Timestamp::from_millisecond(millisecond).unwrap();
            EventId::generate(now, &mut rng)
        };
        let (earlier, later) = (at(1_700_000_000_000), at(1_700_000_000_001));
        assert!(earlier < later && earlier.to_string() < later.to_string());
        assert_eq!(later.uuid().get_version_num(), 7);
        assert_eq!(later.uuid().get_timestamp().map(|at| at.to_unix().0), Some(1_700_000_000));
    }

    #[test]
    fn json_is_the_text() {
        let json = format!("\"sa_{SPEC_SUFFIX}\"");
        let id: PrincipalId = serde_json::from_str(&json).unwrap();
        assert_eq!(serde_json::to_string(&id).unwrap(), json);
        assert!(serde_json::from_str::<UserId>(&json).is_err());
    }

    proptest! {
        #[test]
        fn every_uuid_survives_the_round_trip(number: u128) {
            let id = RoleId::from_uuid(Uuid::from_u128(number));
            prop_assert_eq!(id.to_string().parse(), Ok(id));
        }

        #[test]
        fn reading_never_panics(text in "\\PC*") {
            let _ = text.parse::<PrincipalId>();
        }
    }
}
