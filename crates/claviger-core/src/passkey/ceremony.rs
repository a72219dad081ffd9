//! What a browser sends when somebody makes a passkey or signs in by one, and whether it counts: the steps of WebAuthn Level 3,
//! sections 7.1 and 7.2, each with an error of its own. That a challenge is one of ours and was not used before, whoever calls
//! knows; that a credential's id is nobody else's, storage does.
//!
//! Attestation is not asked for: whose make an authenticator is decides nothing here. What comes all the same is not believed, and
//! only a statement that claims to prove itself must.

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use minicbor::{Decoder, data::Type};
use serde::Deserialize;
use url::{Host, Url};

use super::{Passkey, authenticator_data::AuthenticatorData, key::Key};

/// The instance, as authenticators and browsers know it. A passkey works for the one name for which it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelyingParty {
    /// The name of its host.
    pub id: String,
    /// Where its pages are.
    pub origin: String,
}

impl RelyingParty {
    /// That of an instance with this address. None if it is called by the number of its host, for which browsers make no passkeys.
    pub fn of(public_url: &str) -> Option<Self> {
        let url = Url::parse(public_url).ok()?;
        let Some(Host::Domain(name)) = url.host() else { return None };
        Some(Self { id: name.to_owned(), origin: url.origin().ascii_serialization() })
    }
}

/// Why what a browser sent does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasskeyError {
    /// It cannot be read.
    #[error("the {0} cannot be read")]
    Malformed(&'static str),
    /// It is an answer to another question: making is not signing in.
    #[error("the answer is to another question")]
    Type,
    /// It answers another challenge.
    #[error("the answer is to another challenge")]
    Challenge,
    /// It comes from a page of elsewhere.
    #[error("the page is of another origin")]
    Origin,
    /// The page stood in a page of elsewhere.
    #[error("the page stood in one of another origin")]
    Framed,
    /// The authenticator signed for somebody else.
    #[error("the authenticator signed for another instance")]
    RelyingParty,
    /// Nobody was there.
    #[error("the authenticator saw nobody")]
    UserAbsent,
    /// The authenticator does not know who was there.
    #[error("the authenticator did not verify its user")]
    UserUnverified,
    /// It was copied and may not be, or may be now and might not be before.
    #[error("what is said of copies does not fit")]
    Backup,
    /// A key of an algorithm that was not asked for.
    #[error("the key is for an algorithm that was not asked for")]
    Algorithm,
    /// A key by which nobody can be known.
    #[error("the key is not sound")]
    Key,
    /// No id, or one of more than 1023 bytes.
    #[error("the id of a credential is 1 to 1023 bytes")]
    CredentialId,
    /// What it says of its authenticator is not so.
    #[error("the attestation statement does not hold")]
    Attestation,
    /// The authenticator says that it is another user's, or does not say whose.
    #[error("the passkey is another user's")]
    User,
    /// The signature is not by this passkey, or of something else.
    #[error("the signature does not hold")]
    Signature,
    /// Its authenticator counted less than before: there are two of it.
    #[error("the passkey was used elsewhere since: it was copied")]
    Counter,
}

/// What a browser sends of a passkey that it just had made.
#[derive(Debug, Clone, Copy)]
pub struct PasskeyCreation<'a> {
    /// What the browser saw, as JSON.
    pub client_data: &'a [u8],
    /// What the authenticator says, as CBOR.
    pub attestation: &'a [u8],
}

/// A passkey that was just made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPasskey {
    pub(super) relying_party: String,
    pub(super) credential: Vec<u8>,
    pub(super) key: Vec<u8>,
    pub(super) sign_count: u32,
    pub(super) backup_eligible: bool,
    pub(super) backed_up: bool,
}

impl PasskeyCreation<'_> {
    /// Whether it counts, as the answer to this challenge.
    pub fn judge(&self, here: &RelyingParty, challenge: &[u8]) -> Result<NewPasskey, PasskeyError> {
        ClientData::read(self.client_data)?.must_answer("webauthn.create", challenge, here)?;
        let attestation = Attestation::read(self.attestation).ok_or(PasskeyError::Malformed("attestation"))?;
        let data = AuthenticatorData::read(attestation.data)?;
        must_be_of_its_user(&data, here)?;
        let credential = data.credential.as_ref().ok_or(PasskeyError::Malformed("authenticator data"))?;
        let key = Key::read(credential.key)?;
        key.must_be_sound()?;
        let signed = [attestation.data, digest(&SHA256, self.client_data).as_ref()].concat();
        attestation.statement.must_hold(&key, &signed)?;
        Ok(NewPasskey {
            relying_party: here.id.clone(),
            credential: credential.id.to_vec(),
            key: credential.key.to_vec(),
            sign_count: data.sign_count,
            backup_eligible: data.backup_eligible(),
            backed_up: data.backed_up(),
        })
    }
}

/// What a browser sends of a passkey by which somebody proves themselves.
#[derive(Debug, Clone, Copy)]
pub struct PasskeyAssertion<'a> {
    /// What the browser saw, as JSON.
    pub client_data: &'a [u8],
    /// What the authenticator says.
    pub authenticator_data: &'a [u8],
    /// Its signature of both.
    pub signature: &'a [u8],
    /// Whose passkey it is to the authenticator, if it says so.
    pub user_handle: Option<&'a [u8]>,
    /// Whether it is known otherwise whose it must be; else the authenticator must say.
    pub user_known: bool,
}

/// What is new of a passkey that counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AssertedPasskey {
    pub(super) sign_count: u32,
    pub(super) backed_up: bool,
}

impl PasskeyAssertion<'_> {
    /// Whether it counts, as the answer of this passkey to this challenge.
    pub fn judge(
        &self,
        passkey: &Passkey,
        here: &RelyingParty,
        challenge: &[u8],
    ) -> Result<AssertedPasskey, PasskeyError> {
        let is_theirs = match self.user_handle {
            Some(handle) => handle == Passkey::handle_of(passkey.user),
            None => self.user_known,
        };
        if !is_theirs {
            return Err(PasskeyError::User);
        }
        ClientData::read(self.client_data)?.must_answer("webauthn.get", challenge, here)?;
        let data = AuthenticatorData::read(self.authenticator_data)?;
        must_be_of_its_user(&data, here)?;
        // What may be copied is decided when it is made.
        if data.backup_eligible() != passkey.backup_eligible {
            return Err(PasskeyError::Backup);
        }
        let signed = [self.authenticator_data, digest(&SHA256, self.client_data).as_ref()].concat();
        if !Key::read(&passkey.key)?.proves(&signed, self.signature) {
            return Err(PasskeyError::Signature);
        }
        let counts = data.sign_count > 0 || passkey.sign_count > 0;
        if counts && data.sign_count <= passkey.sign_count {
            return Err(PasskeyError::Counter);
        }
        Ok(AssertedPasskey { sign_count: data.sign_count, backed_up: data.backed_up() })
    }
}

/// That it was signed for us, in the presence of somebody whom the authenticator knows.
fn must_be_of_its_user(data: &AuthenticatorData<'_>, here: &RelyingParty) -> Result<(), PasskeyError> {
    if data.relying_party != digest(&SHA256, here.id.as_bytes()).as_ref() {
        return Err(PasskeyError::RelyingParty);
    }
    if !data.user_present() {
        return Err(PasskeyError::UserAbsent);
    }
    if !data.user_verified() {
        return Err(PasskeyError::UserUnverified);
    }
    if data.backed_up() && !data.backup_eligible() {
        return Err(PasskeyError::Backup);
    }
    Ok(())
}

/// What the browser saw (WebAuthn Level 3, section 5.8.1). It may say more, and says nothing twice.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClientData {
    r#type: String,
    challenge: String,
    origin: String,
    #[serde(default)]
    cross_origin: bool,
    top_origin: Option<String>,
}

impl ClientData {
    fn read(json: &[u8]) -> Result<Self, PasskeyError> {
        serde_json::from_slice(json).map_err(|_| PasskeyError::Malformed("client data"))
    }

    fn must_answer(&self, question: &str, challenge: &[u8], here: &RelyingParty) -> Result<(), PasskeyError> {
        if self.r#type != question {
            return Err(PasskeyError::Type);
        }
        if self.challenge != URL_SAFE_NO_PAD.encode(challenge) {
            return Err(PasskeyError::Challenge);
        }
        if self.origin != here.origin {
            return Err(PasskeyError::Origin);
        }
        if self.cross_origin || self.top_origin.is_some() {
            return Err(PasskeyError::Framed);
        }
        Ok(())
    }
}

/// An attestation object (WebAuthn Level 3, section 6.5.4).
struct Attestation<'a> {
    data: &'a [u8],
    statement: Statement<'a>,
}

/// What it says of its authenticator.
enum Statement<'a> {
    /// Nothing.
    None,
    /// Something, in a form that says nothing.
    NotNone,
    /// That it has the key itself (section 8.2, without a certificate).
    Itself { alg: i64, signature: &'a [u8] },
    /// Something that nobody asked for.
    Unasked,
}

impl<'a> Attestation<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut decoder = Decoder::new(bytes);
        let (mut format, mut statement, mut data) = (None, None, None);
        for _ in 0..decoder.map().ok()?? {
            let again = match decoder.str().ok()? {
                "fmt" => format.replace(decoder.str().ok()?).is_some(),
                "attStmt" => {
                    let begin = decoder.position();
                    decoder.skip().ok()?;
                    statement.replace(bytes.get(begin..decoder.position())?).is_some()
                }
                "authData" => data.replace(decoder.bytes().ok()?).is_some(),
                _ => {
                    decoder.skip().ok()?;
                    false
                }
            };
            if again {
                return None;
            }
        }
        if decoder.position() != bytes.len() {
            return None;
        }
        Some(Self { data: data?, statement: Statement::read(format?, statement?)? })
    }
}

impl<'a> Statement<'a> {
    fn read(format: &str, bytes: &'a [u8]) -> Option<Self> {
        let mut decoder = Decoder::new(bytes);
        let members = decoder.map().ok()??;
        match format {
            "none" if members == 0 => return Some(Self::None),
            "none" => return Some(Self::NotNone),
            "packed" => {}
            _ => return Some(Self::Unasked),
        }
        let (mut alg, mut signature) = (None, None);
        for _ in 0..members {
            match decoder.str().ok()? {
                "alg" => alg = Some(decoder.i64().ok()?),
                "sig" if decoder.datatype().ok()? == Type::Bytes => signature = Some(decoder.bytes().ok()?),
                // Somebody else's word for it.
                "x5c" => return Some(Self::Unasked),
                _ => decoder.skip().ok()?,
            }
        }
        Some(Self::Itself { alg: alg?, signature: signature? })
    }

    fn must_hold(&self, key: &Key<'_>, signed: &[u8]) -> Result<(), PasskeyError> {
        let holds = match self {
            Self::None | Self::Unasked => true,
            Self::NotNone => false,
            Self::Itself { alg, signature } => *alg == key.algorithm() && key.proves(signed, signature),
        };
        if holds { Ok(()) } else { Err(PasskeyError::Attestation) }
    }
}
