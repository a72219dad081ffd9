//! What an authenticator says and signs (WebAuthn Level 3, section 6.1): read to its last byte, or not at all.

use minicbor::{Decoder, data::Type};

use super::ceremony::PasskeyError;

/// WebAuthn Level 3, section 7.1, step 26.
const LONGEST_CREDENTIAL_ID: usize = 1023;

const USER_PRESENT: u8 = 1;
const USER_VERIFIED: u8 = 1 << 2;
const BACKUP_ELIGIBLE: u8 = 1 << 3;
const BACKED_UP: u8 = 1 << 4;
const HAS_CREDENTIAL: u8 = 1 << 6;
const HAS_EXTENSIONS: u8 = 1 << 7;

/// What it says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AuthenticatorData<'a> {
    /// SHA-256 of whom it signs for.
    pub(super) relying_party: &'a [u8],
    flags: u8,
    pub(super) sign_count: u32,
    pub(super) credential: Option<AttestedCredential<'a>>,
}

/// A credential that was just made.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AttestedCredential<'a> {
    pub(super) id: &'a [u8],
    /// A COSE key.
    pub(super) key: &'a [u8],
}

impl<'a> AuthenticatorData<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, PasskeyError> {
        const MALFORMED: PasskeyError = PasskeyError::Malformed("authenticator data");
        let (relying_party, rest) = bytes.split_at_checked(32).ok_or(MALFORMED)?;
        let (&flags, rest) = rest.split_first().ok_or(MALFORMED)?;
        let (count, mut rest) = rest.split_first_chunk::<4>().ok_or(MALFORMED)?;
        let mut credential = None;
        if flags & HAS_CREDENTIAL != 0 {
            // 16 bytes tell the model of the authenticator, which nobody has proved.
            let (length, after) = rest.get(16..).and_then(|after| after.split_first_chunk::<2>()).ok_or(MALFORMED)?;
            let length = usize::from(u16::from_be_bytes(*length));
            if length == 0 || length > LONGEST_CREDENTIAL_ID {
                return Err(PasskeyError::CredentialId);
            }
            let (id, after) = after.split_at_checked(length).ok_or(MALFORMED)?;
            let (key, after) = map(after).ok_or(MALFORMED)?;
            credential = Some(AttestedCredential { id, key });
            rest = after;
        }
        if flags & HAS_EXTENSIONS != 0 {
            // None were asked for, and those that came say nothing here.
            (_, rest) = map(rest).ok_or(MALFORMED)?;
        }
        if !rest.is_empty() {
            return Err(MALFORMED);
        }
        Ok(Self { relying_party, flags, sign_count: u32::from_be_bytes(*count), credential })
    }

    /// Whether somebody was there.
    pub(super) fn user_present(&self) -> bool {
        self.flags & USER_PRESENT != 0
    }

    /// Whether the authenticator knows that it was its user.
    pub(super) fn user_verified(&self) -> bool {
        self.flags & USER_VERIFIED != 0
    }

    /// Whether the credential may be copied to other devices.
    pub(super) fn backup_eligible(&self) -> bool {
        self.flags & BACKUP_ELIGIBLE != 0
    }

    /// Whether it was.
    pub(super) fn backed_up(&self) -> bool {
        self.flags & BACKED_UP != 0
    }
}

/// The map at the beginning, and what follows it.
fn map(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut decoder = Decoder::new(bytes);
    if decoder.datatype().ok()? != Type::Map {
        return None;
    }
    decoder.skip().ok()?;
    bytes.split_at_checked(decoder.position())
}
