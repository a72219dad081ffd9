//! Passkeys: keys in a user's devices and password managers by which they sign in (WebAuthn Level 3).
//!
//! What a browser sends is judged in [`ceremony`]; here stands what is kept of a passkey, and how it changes. A passkey proves that
//! its user has the device and that the device knows them, which is two factors. Names are personal, and stand beside the
//! audit trail's records. The room must not know where passkeys are kept nor what a page asks a browser for.

mod authenticator_data;
mod ceremony;
mod key;
#[cfg(test)]
mod software;
#[cfg(test)]
mod tests;

use claviger_token::{PasskeyId, TypedId as _, UserId};
use jiff::Timestamp;
use rand::CryptoRng;
use serde_json::{Value, json};

use crate::{
    audit::{Action, Chain, Event},
    authenticators::Authenticators,
    name::Name,
};

pub use ceremony::{AssertedPasskey, NewPasskey, PasskeyAssertion, PasskeyCreation, PasskeyError, RelyingParty};
pub use key::PASSKEY_ALGORITHMS;

/// A passkey of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passkey {
    /// What we call it.
    pub id: PasskeyId,
    /// Whose.
    pub user: UserId,
    /// For which name of the instance it was made ([`RelyingParty::id`]).
    pub relying_party: String,
    /// What its authenticator calls it; unique, and no secret.
    pub credential: Vec<u8>,
    /// Its public key, as the authenticator wrote it (RFC 9052, section 7).
    pub key: Vec<u8>,
    /// How often it signed, as its authenticator counts; 0 where it does not.
    pub sign_count: u32,
    /// By which ways browsers reach its authenticator.
    pub transports: AuthenticatorTransports,
    /// Whether it may be copied to other devices of its user.
    pub backup_eligible: bool,
    /// Whether it was.
    pub backed_up: bool,
    /// What its user calls it.
    pub name: Name,
    /// When it was made.
    pub created_at: Timestamp,
    /// When somebody last signed in by it.
    pub used_at: Option<Timestamp>,
}

/// A user has as many passkeys as they may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a user has at most {} passkeys", Passkey::MOST)]
pub struct TooManyPasskeys;

impl Passkey {
    /// So many a user may have.
    pub const MOST: usize = 20;

    /// One that was just made. `known`: how many its user has.
    pub fn add(
        user: UserId,
        new: NewPasskey,
        transports: AuthenticatorTransports,
        name: Name,
        known: usize,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
    ) -> Result<(Self, Event), TooManyPasskeys> {
        if known >= Self::MOST {
            return Err(TooManyPasskeys);
        }
        let passkey = Self {
            id: PasskeyId::generate(now, rng),
            user,
            relying_party: new.relying_party,
            credential: new.credential,
            key: new.key,
            sign_count: new.sign_count,
            transports,
            backup_eligible: new.backup_eligible,
            backed_up: new.backed_up,
            name,
            created_at: now,
            used_at: None,
        };
        let event = passkey.event(Action::PasskeyAdded, json!({ "name": passkey.name.as_str() }));
        Ok((passkey, event))
    }

    /// Whether browsers offer it here: one that was made for another name of the instance lets nobody in.
    pub fn is_of(&self, here: &RelyingParty) -> bool {
        self.relying_party == here.id
    }

    /// Called otherwise.
    pub fn rename(self, name: Name) -> (Self, Event) {
        let (before, after) = (json!({ "name": self.name.as_str() }), json!({ "name": name.as_str() }));
        let new = Self { name, ..self };
        let event = new.event(Action::PasskeyRenamed, json!({ "before": before, "after": after }));
        (new, event)
    }

    /// It opens nothing any more.
    pub fn remove(&self) -> Event {
        self.event(Action::PasskeyRemoved, json!({ "name": self.name.as_str() }))
    }

    /// Its user proved themselves by it.
    #[must_use]
    pub fn used(self, how: AssertedPasskey, now: Timestamp) -> Self {
        Self { sign_count: how.sign_count, backed_up: how.backed_up, used_at: Some(now), ..self }
    }

    /// What its authenticator calls its user: nothing that says who they are.
    pub fn handle_of(user: UserId) -> [u8; 16] {
        user.uuid().into_bytes()
    }

    fn event(&self, action: Action, personal: Value) -> Event {
        Event {
            chain: Chain::Instance,
            action,
            target: self.user.to_string(),
            details: json!({ "passkey": self.id }),
            personal: Some(personal),
            touched: Vec::new(),
        }
    }
}

/// Whether a user could not sign in any more without one of their passkeys: it is the last of `all` of them that counts here, they have
/// no password, and no outside provider speaks for them.
pub fn is_last_way_in(
    own: &Authenticators,
    one: &Passkey,
    all: &[Passkey],
    here: Option<&RelyingParty>,
    comes_by_provider: bool,
) -> bool {
    let counts = |passkey: &Passkey| here.is_some_and(|here| passkey.is_of(here));
    let others = all.iter().any(|other| other.id != one.id && counts(other));
    counts(one) && !others && own.password.is_none() && !comes_by_provider
}

/// The ways by which an authenticator is reached that are known (WebAuthn Level 3, section 5.8.4), each once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuthenticatorTransports(Vec<&'static str>);

impl AuthenticatorTransports {
    const KNOWN: [&'static str; 6] = ["ble", "hybrid", "internal", "nfc", "smart-card", "usb"];

    /// Of words that white space separates. What is not known says nothing to a browser either, and is left out.
    pub fn from_text(text: &str) -> Self {
        let said = |known: &&str| text.split_ascii_whitespace().any(|word| word == *known);
        Self(Self::KNOWN.into_iter().filter(said).collect())
    }

    /// The words.
    pub fn words(&self) -> &[&'static str] {
        &self.0
    }

    /// As [`AuthenticatorTransports::from_text`] reads them.
    pub fn to_text(&self) -> String {
        self.0.join(" ")
    }
}
