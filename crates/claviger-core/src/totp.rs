//! The second factor: time-based one-time passwords (RFC 6238) as every authenticator app makes them, and the recovery
//! codes that stand in for a lost app.
//!
//! A code counts in its own 30 seconds and those beside, and never twice. The room must not know where seeds are kept.

use std::fmt;

use claviger_token::{Secret, UserId};
use jiff::Timestamp;
use rand::CryptoRng;
use totp_rs::{Algorithm, Builder, Totp};
use zeroize::Zeroizing;

use crate::{
    seal::{DataKey, Sealed, UnsealError},
    session::Session,
};

/// RFC 4226, section 4: as long as the hash.
const SEED: usize = 20;
/// How many recovery codes somebody gets.
const RECOVERY_CODES: usize = 10;
/// Without what is read wrongly: no i, l, o, u.
const RECOVERY_ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const RECOVERY_LENGTH: usize = 12;

/// What an authenticator app and we know.
pub struct TotpSeed(Zeroizing<[u8; SEED]>);

impl TotpSeed {
    /// A new one.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        let mut seed = Zeroizing::new([0; SEED]);
        rng.fill_bytes(seed.as_mut_slice());
        Self(seed)
    }

    /// As it is stored: bound to its user, so that it opens in nobody else's row.
    pub fn seal(&self, user: UserId, key: &DataKey, rng: &mut dyn CryptoRng) -> Sealed {
        key.seal(&row(user), self.0.as_slice(), rng)
    }

    /// As a form carries it until a code proves that the app knows it: for this session as it is, so that it opens neither in another
    /// one nor once its person has proved anew who they are, as switching the app on does.
    pub fn seal_for(&self, session: &Session, key: &DataKey, rng: &mut dyn CryptoRng) -> Sealed {
        key.seal(&form(session), self.0.as_slice(), rng)
    }

    /// Opens what [`TotpSeed::seal_for`] made.
    pub fn unseal_for(sealed: &Sealed, session: &Session, key: &DataKey) -> Result<Self, UnsealError> {
        Self::opened(&key.unseal(&form(session), sealed)?)
    }

    /// Opens what [`TotpSeed::seal`] made for the same user.
    pub fn unseal(sealed: &Sealed, user: UserId, key: &DataKey) -> Result<Self, UnsealError> {
        Self::opened(&key.unseal(&row(user), sealed)?)
    }

    fn opened(plain: &[u8]) -> Result<Self, UnsealError> {
        let mut seed = Zeroizing::new([0; SEED]);
        if plain.len() != SEED {
            return Err(UnsealError);
        }
        seed.copy_from_slice(plain);
        Ok(Self(seed))
    }

    /// The step of time that this code is for, if it counts at `now` and its step comes after `last`, the last that
    /// counted. Whoever accepts it keeps the step, or the code could be used again.
    pub fn accepts(&self, code: &str, last: Option<i64>, now: Timestamp) -> Option<i64> {
        let code: String = code.chars().filter(|character| !character.is_whitespace()).take(7).collect();
        let seconds = u64::try_from(now.as_second()).ok()?;
        let step = self.totp("user", "Claviger").check(&code, seconds)?;
        let step = i64::try_from(step).ok()?;
        last.is_none_or(|last| last < step).then_some(step)
    }

    /// What an app reads as a QR code: `otpauth://totp/…`. `None` if there is no way to say it.
    pub fn url(&self, account: &str, issuer: &str) -> Option<Zeroizing<String>> {
        self.totp(account, issuer).to_url().ok().map(Zeroizing::new)
    }

    /// The same to be typed, in base 32.
    pub fn base32(&self) -> Zeroizing<String> {
        Zeroizing::new(totp_rs::Secret::new(self.0.to_vec().into()).to_base32())
    }

    /// A colon parts issuer and account in what apps read, and may be in neither.
    fn totp(&self, account: &str, issuer: &str) -> Totp {
        let plain = |text: &str| text.replace(':', " ");
        Builder::new()
            .with_algorithm(Algorithm::SHA1)
            .with_digits(6)
            .with_skew(1)
            .with_step_duration(30)
            .with_secret(totp_rs::Secret::new(self.0.to_vec().into()))
            .with_account_name(plain(account))
            .with_issuer(Some(plain(issuer)))
            .build_noncompliant()
    }
}

impl fmt::Debug for TotpSeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TotpSeed(..)")
    }
}

fn row(user: UserId) -> String {
    format!("person/{user}/totp_seed")
}

fn form(session: &Session) -> String {
    format!("session/{}/{}/totp_seed", session.id, session.authenticated_at.as_millisecond())
}

/// New recovery codes, 60 bits each, to be shown once.
pub fn new_recovery_codes(rng: &mut dyn CryptoRng) -> Vec<Secret> {
    let one = |rng: &mut dyn CryptoRng| {
        let mut code = String::with_capacity(RECOVERY_LENGTH + 2);
        for place in 0..RECOVERY_LENGTH {
            if place > 0 && place.is_multiple_of(4) {
                code.push('-');
            }
            // 32 letters: no remainder, no bias.
            code.push(char::from(RECOVERY_ALPHABET[(rng.next_u32() & 31) as usize]));
        }
        Secret::new(code)
    };
    (0..RECOVERY_CODES).map(|_| one(rng)).collect()
}

/// A recovery code as it was typed, in the form in which it was shown. `None` if it cannot be one.
pub fn presented_recovery_code(text: &str) -> Option<Secret> {
    let mut code = Zeroizing::new(String::with_capacity(RECOVERY_LENGTH + 2));
    let mut letters = 0;
    for character in text.chars().take(64).filter(|character| !character.is_whitespace() && *character != '-') {
        let letter = match character.to_ascii_lowercase() {
            'o' => '0',
            'i' | 'l' => '1',
            letter => letter,
        };
        if !RECOVERY_ALPHABET.contains(&u8::try_from(letter).ok()?) || letters == RECOVERY_LENGTH {
            return None;
        }
        if letters > 0 && letters % 4 == 0 {
            code.push('-');
        }
        code.push(letter);
        letters += 1;
    }
    (letters == RECOVERY_LENGTH).then(|| Secret::new(code.to_string()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use claviger_token::TypedId as _;

    use super::*;
    use crate::fixtures::{now, rng};

    /// The seed of RFC 6238, appendix B.
    fn seed() -> TotpSeed {
        TotpSeed(Zeroizing::new(*b"12345678901234567890"))
    }

    fn check(code: &str, second: i64, last: Option<i64>, expected: Option<i64>) {
        let now = Timestamp::from_second(second).unwrap();
        assert_eq!(seed().accepts(code, last, now), expected, "{code} at {second} after {last:?}");
    }

    #[test]
    fn the_codes_are_those_of_the_rfc() {
        // The last six digits of appendix B, mode SHA1.
        check("287082", 59, None, Some(1));
        check("081804", 1_111_111_109, None, Some(37_037_036));
        check("050471", 1_111_111_111, None, Some(37_037_037));
        check("005924", 1_234_567_890, None, Some(41_152_263));
        check("279037", 2_000_000_000, None, Some(66_666_666));
        check("353130", 20_000_000_000, None, Some(666_666_666));
    }

    #[test]
    fn a_code_counts_one_step_early_and_late_and_never_twice() {
        check("287082", 29, None, Some(1));
        check("287082", 89, None, Some(1));
        check("287082", 90, None, None);
        check("287082", 59, Some(0), Some(1));
        check("287082", 59, Some(1), None);
        check("287082", 89, Some(2), None);
        check(" 287 082 ", 59, None, Some(1));
        for garbage in ["", "287081", "2870820", "28708", "28708x", "２８７０８２", "-287082", "\u{0}"] {
            check(garbage, 59, None, None);
        }
    }

    #[test]
    fn a_sealed_seed_opens_for_its_user_alone() {
        let key = DataKey::new(&Zeroizing::new([3; 32]));
        let mut rng = rng();
        let (zoe, yann) = (UserId::generate(now(), &mut rng), UserId::generate(now(), &mut rng));
        let sealed = seed().seal(zoe, &key, &mut rng);
        assert_eq!(*TotpSeed::unseal(&sealed, zoe, &key).unwrap().0, *seed().0);
        assert_eq!(TotpSeed::unseal(&sealed, yann, &key).unwrap_err(), UnsealError);
    }

    #[test]
    fn an_app_reads_the_seed_from_a_url() {
        let url = seed().url("zoe@acme.test", "Claviger: dev").unwrap();
        assert!(url.starts_with("otpauth://totp/Claviger%20%20dev:zoe%40acme.test?"), "{}", *url);
        assert!(url.contains("secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"), "{}", *url);
        assert_eq!(*seed().base32(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert_ne!(*TotpSeed::generate(&mut rng()).0, [0; SEED]);
    }

    #[test]
    fn recovery_codes_differ_and_read_back_as_people_type_them() {
        let codes = new_recovery_codes(&mut rng());
        let texts: BTreeSet<&str> = codes.iter().map(Secret::expose).collect();
        assert_eq!(texts.len(), 10);
        for text in &texts {
            assert_eq!(presented_recovery_code(text).unwrap().expose(), *text);
        }
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(presented_recovery_code(text).as_ref().map(Secret::expose), expected, "{text}");
        };
        check("0123-4567-89AB", Some("0123-4567-89ab"));
        check(" o l i 3 45678 9ab", Some("0113-4567-89ab"));
        for wrong in ["", "0123-4567-89a", "0123-4567-89abc", "0123-4567-89au", "0123-4567-89a\u{e9}"] {
            check(wrong, None);
        }
    }
}
