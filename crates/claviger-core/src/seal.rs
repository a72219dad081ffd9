//! Keys at rest: AES-256-GCM under the master key, each bound to the row that holds it; and small secrets under a key
//! that is itself sealed so.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use rand::CryptoRng;
use zeroize::Zeroizing;

/// The 32 bytes that are never in the database. Everything secret in the database is sealed under it.
pub struct MasterKey(LessSafeKey);

/// A key as it is stored: nonce, then ciphertext with tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed(pub Vec<u8>);

/// The master key does not open this. Which of the two is wrong cannot be told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the master key does not open the keys in this database")]
pub struct UnsealError;

impl MasterKey {
    /// How a master key is written down: 64 hexadecimal digits.
    pub const FORMAT: &'static str = "64 hexadecimal digits (32 bytes), such as `openssl rand -hex 32` prints";

    /// From the written form. `None` if it is not [`MasterKey::FORMAT`].
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().as_bytes();
        if text.len() != 64 {
            return None;
        }
        let mut bytes = Zeroizing::new([0u8; 32]);
        for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
            let high = char::from(pair[0]).to_digit(16)?;
            let low = char::from(pair[1]).to_digit(16)?;
            *byte = u8::try_from(high * 16 + low).ok()?;
        }
        let key = UnboundKey::new(&AES_256_GCM, bytes.as_slice()).ok()?;
        Some(Self(LessSafeKey::new(key)))
    }

    /// A new one, in its written form.
    pub fn generate(rng: &mut dyn CryptoRng) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new([0u8; 32]);
        rng.fill_bytes(bytes.as_mut_slice());
        let mut text = Zeroizing::new(String::with_capacity(64));
        for byte in bytes.iter() {
            text.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
            text.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
        }
        text
    }

    /// Seals 32 bytes to the row named `row`: a sealed key that is copied to another row does not open.
    pub fn seal(&self, row: &str, plain: &Zeroizing<[u8; 32]>, rng: &mut dyn CryptoRng) -> Sealed {
        seal(&self.0, row, plain.as_slice(), rng)
    }

    /// Opens what [`MasterKey::seal`] made for the same row.
    pub fn unseal(&self, row: &str, sealed: &Sealed) -> Result<Zeroizing<[u8; 32]>, UnsealError> {
        into_key(&unseal(&self.0, row, sealed)?)
    }
}

/// One of the instance's sealed keys, opened: what seals small secrets in many rows, such as the seeds of second
/// factors, so that changing the master key does not touch them.
pub struct DataKey(LessSafeKey);

impl DataKey {
    /// From the 32 bytes that were sealed.
    pub fn new(key: &Zeroizing<[u8; 32]>) -> Self {
        #[expect(clippy::expect_used, reason = "AES-256 refuses only keys of another length")]
        let key = UnboundKey::new(&AES_256_GCM, key.as_slice()).expect("32 bytes are a key");
        Self(LessSafeKey::new(key))
    }

    /// Seals a secret to the row named `row`.
    pub fn seal(&self, row: &str, plain: &[u8], rng: &mut dyn CryptoRng) -> Sealed {
        seal(&self.0, row, plain, rng)
    }

    /// Opens what [`DataKey::seal`] made for the same row.
    pub fn unseal(&self, row: &str, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, UnsealError> {
        unseal(&self.0, row, sealed)
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(..)")
    }
}

fn seal(key: &LessSafeKey, row: &str, plain: &[u8], rng: &mut dyn CryptoRng) -> Sealed {
    let mut nonce = [0u8; NONCE_LEN];
    rng.fill_bytes(&mut nonce);
    let mut cipher = plain.to_vec();
    #[expect(clippy::expect_used, reason = "AES-GCM refuses only plaintexts of many gigabytes")]
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(row), &mut cipher)
        .expect("a small secret can be sealed");
    Sealed([nonce.as_slice(), &cipher].concat())
}

fn unseal(key: &LessSafeKey, row: &str, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, UnsealError> {
    let (nonce, cipher) = sealed.0.split_at_checked(NONCE_LEN).ok_or(UnsealError)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| UnsealError)?;
    let mut cipher = Zeroizing::new(cipher.to_vec());
    let plain = key.open_in_place(nonce, Aad::from(row), &mut cipher).map_err(|_| UnsealError)?;
    Ok(Zeroizing::new(plain.to_vec()))
}

fn into_key(plain: &[u8]) -> Result<Zeroizing<[u8; 32]>, UnsealError> {
    let mut bytes = Zeroizing::new([0u8; 32]);
    if plain.len() != bytes.len() {
        return Err(UnsealError);
    }
    bytes.copy_from_slice(plain);
    Ok(bytes)
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn a_sealed_key_opens_only_in_its_row_and_under_its_master_key() {
        let mut rng = rand::rngs::StdRng::seed_from_u64(1);
        let ours = MasterKey::parse(&MasterKey::generate(&mut rng)).unwrap();
        let other = MasterKey::parse(&MasterKey::generate(&mut rng)).unwrap();
        let plain = Zeroizing::new([7u8; 32]);
        let sealed = ours.seal("pepper/1", &plain, &mut rng);
        assert_eq!(*ours.unseal("pepper/1", &sealed).unwrap(), *plain);
        assert_eq!(ours.unseal("pepper/2", &sealed), Err(UnsealError));
        assert_eq!(other.unseal("pepper/1", &sealed), Err(UnsealError));
        assert_eq!(ours.unseal("pepper/1", &Sealed(vec![1, 2])), Err(UnsealError));
    }

    #[test]
    fn a_small_secret_opens_only_in_its_row_and_under_its_key() {
        let mut rng = rand::rngs::StdRng::seed_from_u64(1);
        let (ours, other) = (DataKey::new(&Zeroizing::new([1; 32])), DataKey::new(&Zeroizing::new([2; 32])));
        let sealed = ours.seal("person/a", b"seed", &mut rng);
        assert_eq!(ours.unseal("person/a", &sealed).unwrap().as_slice(), b"seed");
        assert_eq!(ours.unseal("person/b", &sealed), Err(UnsealError));
        assert_eq!(other.unseal("person/a", &sealed), Err(UnsealError));
        assert_eq!(ours.unseal("person/a", &Sealed(Vec::new())), Err(UnsealError));
        assert_ne!(ours.seal("person/a", b"seed", &mut rng), sealed);
    }

    #[test]
    fn a_master_key_is_64_hexadecimal_digits() {
        for wrong in ["", "abc", &"g".repeat(64), &"a".repeat(63), &"é".repeat(32)] {
            assert!(MasterKey::parse(wrong).is_none(), "{wrong:?}");
        }
        assert!(MasterKey::parse(&format!("{}\n", "aB".repeat(32))).is_some());
    }
}
