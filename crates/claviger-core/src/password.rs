//! Passwords: which one may be chosen, and how one is kept and compared.
//!
//! The rules are those of NIST SP 800-63B-4, section 3.1.1: length and strength count, not which sorts of characters
//! there are, and nobody has to change one because time went by. A hash takes some 20 ms and 19 MiB on purpose: whoever
//! calls does it on a thread that may wait. The room must not know whose password it is.

use std::{fmt, sync::OnceLock};

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc},
};
use rand::CryptoRng;
use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;
use zxcvbn::{Score, zxcvbn};

/// Fewest characters of a new password.
const SHORTEST: usize = 12;
/// Most characters; a passphrase of forty words still fits.
const LONGEST: usize = 256;
/// What is compared with the password when there is no account: its cost is that of any other.
const NOBODYS: &str = "nobody's password";

/// A password in the clear, in Unicode form NFC so that the same keys give the same password on every system.
///
/// Like a `Secret` of a token, it cannot be printed, copied or compared by accident.
pub struct Password(Zeroizing<String>);

/// Why a text cannot be a new password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Fewer than 12 characters.
    #[error("a password has at least {SHORTEST} characters; a few words in a row are a good one")]
    TooShort,
    /// More than 256 characters.
    #[error("a password has at most {LONGEST} characters")]
    TooLong,
    /// Too easy to guess.
    #[error("this password would be guessed quickly; make it longer, such as a few words that have nothing in common")]
    Weak,
}

impl PasswordError {
    /// Stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::TooShort => "password_too_short",
            Self::TooLong => "password_too_long",
            Self::Weak => "password_weak",
        }
    }
}

impl Password {
    /// One that somebody presents. `None` if it is longer than any that could have been chosen.
    pub fn presented(text: &str) -> Option<Self> {
        Self::normalized(text)
    }

    /// One that nobody has.
    pub fn nobodys() -> Self {
        Self(Zeroizing::new(String::new()))
    }

    /// One that somebody chooses. `about` is what an attacker knows of them, such as name and address: a password made
    /// of that is weak.
    pub fn chosen(text: &str, about: &[&str]) -> Result<Self, PasswordError> {
        let password = Self::normalized(text).ok_or(PasswordError::TooLong)?;
        if password.0.chars().count() < SHORTEST {
            return Err(PasswordError::TooShort);
        }
        // Parts of an address count too.
        let parts = about.iter().copied();
        let parts = parts.flat_map(|text| text.split(|c: char| !c.is_alphanumeric()).chain([text]));
        let parts: Vec<&str> = parts.filter(|part| part.chars().count() > 2).chain(["claviger"]).collect();
        if zxcvbn(&password.0, &parts).score() < Score::Three {
            return Err(PasswordError::Weak);
        }
        Ok(password)
    }

    fn normalized(text: &str) -> Option<Self> {
        // A bound before normalizing: NFC grows a text at most threefold.
        if text.chars().take(LONGEST + 1).count() > LONGEST {
            return None;
        }
        let mut password = Zeroizing::new(String::with_capacity(3 * text.len()));
        password.extend(text.nfc());
        (password.chars().count() <= LONGEST).then_some(Self(password))
    }

    /// What is kept of it. Slow on purpose.
    pub fn hash(&self, rng: &mut dyn CryptoRng) -> PasswordHash {
        let mut salt = [0u8; 16];
        rng.fill_bytes(&mut salt);
        #[expect(clippy::expect_used, reason = "Argon2 refuses only lengths that neither password nor salt can have")]
        let hash = argon2().hash_password_with_salt(self.0.as_bytes(), &salt).expect("a password can be hashed");
        PasswordHash(hash.to_string())
    }

    /// Whether it is the one of which this was kept. Slow on purpose, and just as slow if there is none.
    pub fn matches(&self, kept: Option<&PasswordHash>) -> bool {
        let text = kept.map_or_else(|| nobodys().as_str(), PasswordHash::as_str);
        let Ok(hash) = phc::PasswordHash::new(text) else { return false };
        let same = argon2().verify_password(self.0.as_bytes(), &hash).is_ok();
        same && kept.is_some()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

/// What is kept of a password: Argon2id with its parameters and salt, as a PHC string.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// From storage.
    pub fn from_stored(text: String) -> Result<Self, String> {
        match phc::PasswordHash::new(&text) {
            Ok(_) => Ok(Self(text)),
            Err(error) => Err(error.to_string()),
        }
    }

    /// As it is stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A hash is no secret, but it does not belong into a log either.
impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(..)")
    }
}

/// Argon2id with 19 MiB, two passes and one lane: the first choice of the OWASP Password Storage Cheat Sheet.
fn argon2() -> Argon2<'static> {
    #[expect(clippy::expect_used, reason = "the parameters are constants, and the tests hash with them")]
    let params = Params::new(19 * 1024, 2, 1, None).expect("sound parameters");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn nobodys() -> &'static PasswordHash {
    static HASH: OnceLock<PasswordHash> = OnceLock::new();
    HASH.get_or_init(|| {
        #[expect(clippy::expect_used, reason = "the same constants with every call, and the tests make it")]
        let hash = argon2().hash_password_with_salt(NOBODYS.as_bytes(), &[0; 16]).expect("a constant can be hashed");
        PasswordHash(hash.to_string())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::rng;

    fn check(text: &str, expected: Result<(), PasswordError>) {
        let about = ["zoe.hartmann@acme.test", "Zoe Hartmann"];
        assert_eq!(Password::chosen(text, &about).map(drop), expected, "{text}");
    }

    #[test]
    fn length_and_strength_decide_and_nothing_else() {
        check("plum harbor seven lanterns", Ok(()));
        check("青い灯台と七つの石と古い橋", Ok(()));
        check("zq8#kd02mwpx", Ok(()));
        check("zq8#kd02mwp", Err(PasswordError::TooShort));
        check("", Err(PasswordError::TooShort));
        check(&"🗝".repeat(11), Err(PasswordError::TooShort));
        check("password1234", Err(PasswordError::Weak));
        check("aaaaaaaaaaaaaaaaaaaa", Err(PasswordError::Weak));
        check("zoe.hartmann@acme.test", Err(PasswordError::Weak));
        check("hartmann1234", Err(PasswordError::Weak));
        check(&"plum harbor ".repeat(21), Ok(()));
        check(&"x".repeat(257), Err(PasswordError::TooLong));
        check(&"\u{1D160}".repeat(256), Err(PasswordError::TooLong)); // three characters each once normalized
    }

    #[test]
    fn a_password_matches_its_hash_however_it_was_typed() {
        let hash = Password::presented("Zoe\u{308} and the lantern").unwrap().hash(&mut rng());
        assert!(hash.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.as_str());
        let check = |text: &str, expected| {
            let presented = Password::presented(text).unwrap();
            assert_eq!(presented.matches(Some(&hash)), expected, "{text}");
        };
        check("Zo\u{eb} and the lantern", true);
        check("zo\u{eb} and the lantern", false);
        check("Zo\u{eb} and the lantern ", false);
        check("", false);
    }

    #[test]
    fn nobody_has_a_password() {
        assert!(!Password::presented(NOBODYS).unwrap().matches(None));
        assert!(Password::presented(&"x".repeat(257)).is_none());
    }

    #[test]
    fn what_is_stored_reads_back_and_garbage_does_not() {
        let hash = Password::presented("x").unwrap().hash(&mut rng());
        assert_eq!(PasswordHash::from_stored(hash.as_str().to_owned()), Ok(hash));
        assert!(PasswordHash::from_stored("plaintext".to_owned()).is_err());
    }
}
