//! From a token's hash to the digest that is stored: one keyed hash, so that a stolen database alone matches nothing.

use aws_lc_rs::hmac;
use claviger_token::TokenHash;
use zeroize::Zeroizing;

/// What storage knows of a secret: `HMAC-SHA-256(pepper, SHA-256(token))`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest {
    /// The keyed hash; the primary key of the secrets table.
    pub bytes: [u8; 32],
    /// Which pepper made it.
    pub pepper: i64,
}

/// One version of the instance's pepper.
#[derive(Debug, Clone)]
pub struct Pepper {
    version: i64,
    key: hmac::Key,
}

impl Pepper {
    /// From the 32 bytes that were sealed under this version.
    pub fn new(version: i64, key: &Zeroizing<[u8; 32]>) -> Self {
        Self { version, key: hmac::Key::new(hmac::HMAC_SHA256, key.as_slice()) }
    }

    fn keyed_hash(&self, purpose: &str, parts: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(purpose.as_bytes());
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        into_array(&context.sign())
    }

    fn digest(&self, hash: &TokenHash) -> Digest {
        Digest { bytes: keyed(&self.key, hash.as_bytes()), pepper: self.version }
    }
}

/// All peppers in use, newest first: new secrets take the newest, a look-up tries each.
#[derive(Debug, Clone)]
pub struct Peppers {
    newest: Pepper,
    older: Vec<Pepper>,
}

impl Peppers {
    /// The newest, and those that stored digests may still need.
    pub fn new(newest: Pepper, older: Vec<Pepper>) -> Self {
        Self { newest, older }
    }

    /// The digest to store for a new secret.
    pub fn digest(&self, hash: &TokenHash) -> Digest {
        self.newest.digest(hash)
    }

    /// Every digest under which this token may be stored, the likeliest first.
    pub fn candidates<'a>(&'a self, hash: &'a TokenHash) -> impl Iterator<Item = Digest> + 'a {
        std::iter::once(&self.newest).chain(&self.older).map(move |pepper| pepper.digest(hash))
    }

    /// A keyed hash of something that must not be stored in the clear and is not a secret of ours,
    /// such as an idempotency key. `purpose` keeps the uses apart.
    pub fn keyed_hash(&self, purpose: &str, parts: &[&[u8]]) -> [u8; 32] {
        self.newest.keyed_hash(purpose, parts)
    }

    /// The keyed hashes under which this may be stored, the likeliest first.
    pub fn keyed_hashes<'a>(&'a self, purpose: &'a str, parts: &'a [&'a [u8]]) -> impl Iterator<Item = [u8; 32]> + 'a {
        std::iter::once(&self.newest).chain(&self.older).map(move |pepper| pepper.keyed_hash(purpose, parts))
    }
}

pub(crate) fn keyed(key: &hmac::Key, data: &[u8]) -> [u8; 32] {
    into_array(&hmac::sign(key, data))
}

pub(crate) fn into_array(tag: &hmac::Tag) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(tag.as_ref());
    bytes
}

#[cfg(test)]
mod tests {
    use claviger_token::{Brand, Secret, SecretKind};
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn a_token_is_found_under_the_pepper_that_was_current_when_it_was_made() {
        let old = Pepper::new(1, &Zeroizing::new([1; 32]));
        let new = Pepper::new(2, &Zeroizing::new([2; 32]));
        let mut rng = rand::rngs::StdRng::seed_from_u64(7);
        let hash = Secret::mint(&Brand::default(), SecretKind::ApiKey, &mut rng).hash();
        let stored = Peppers::new(old.clone(), vec![]).digest(&hash);
        let both = Peppers::new(new, vec![old]);
        assert_ne!(both.digest(&hash), stored);
        assert!(both.candidates(&hash).any(|digest| digest == stored));
    }

    #[test]
    fn a_keyed_hash_depends_on_its_purpose_its_parts_and_its_pepper() {
        let old = Pepper::new(1, &Zeroizing::new([1; 32]));
        let new = Pepper::new(2, &Zeroizing::new([2; 32]));
        let before = Peppers::new(old.clone(), vec![]).keyed_hash("csrf", &[b"a", b"b"]);
        let both = Peppers::new(new, vec![old]);
        assert!(both.keyed_hashes("csrf", &[b"a", b"b"]).any(|hash| hash == before));
        for (purpose, parts) in [("other", [b"a".as_slice(), b"b"]), ("csrf", [b"ab", b""]), ("csrf", [b"b", b"a"])] {
            assert!(both.keyed_hashes(purpose, &parts).all(|hash| hash != before), "{purpose}");
        }
    }
}
