//! The one codec of opaque credentials: `<brand>_<kind>_<32 base62 characters><6 of CRC-32>`.
//!
//! The room must not know what a secret unlocks, nor the pepper: it hands out the inner SHA-256, and
//! storage decides how that is kept.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest;
use zeroize::Zeroizing;

use crate::text::{schema_of_text, serde_as_text};

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const RANDOM_LENGTH: usize = 32;
const CHECK_LENGTH: usize = 6;
const BRAND_MAX: usize = 16;
/// The longest token: brand, underscore, `testkey`, underscore, random part and checksum.
const TOKEN_MAX: usize = BRAND_MAX + 1 + 7 + 1 + RANDOM_LENGTH + CHECK_LENGTH;

/// A credential in the clear.
///
/// There is no `Display`, `Clone`, `PartialEq` or `Serialize`: it cannot be printed, copied, compared
/// byte by byte or put into JSON by accident, and its memory is wiped when it goes. Every reader of the
/// plaintext is found by searching for `expose()`.
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes over a text that somebody presented.
    pub fn new(plaintext: String) -> Self {
        Self(Zeroizing::new(plaintext))
    }

    /// The plaintext.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Makes a new token: 190 bits from `rng`, and a checksum over everything before it.
    pub fn mint(brand: &Brand, kind: SecretKind, rng: &mut dyn rand::CryptoRng) -> Self {
        // Reserved in full, so that no half-written copy stays behind in a smaller allocation.
        let mut token = Zeroizing::new(String::with_capacity(TOKEN_MAX));
        token.push_str(brand.as_str());
        token.push('_');
        token.push_str(kind.tag());
        token.push('_');
        let mut random = Zeroizing::new([0_u8; 64]);
        let mut missing = RANDOM_LENGTH;
        while missing > 0 {
            rng.fill_bytes(random.as_mut_slice());
            // 248 is the last multiple of 62 in a byte: above it, the low digits would come up more often.
            for byte in random.iter().filter(|&&byte| byte < 248).take(missing) {
                token.push(char::from(DIGITS[usize::from(byte % 62)]));
                missing -= 1;
            }
        }
        let check = checksum(&token);
        token.extend(check.iter().copied().map(char::from));
        Self(token)
    }

    /// What storage looks for: SHA-256 of the whole token. It works for any text, foreign tokens included.
    pub fn hash(&self) -> TokenHash {
        TokenHash::of(self.expose())
    }

    /// The first four random characters, by which people recognize their secret in a list.
    pub fn hint(&self) -> String {
        let random = self.expose().rsplit('_').next().unwrap_or_default();
        random.chars().take(4).collect()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// CRC-32 (IEEE) in base62, most significant digit first.
fn checksum(text: &str) -> [u8; CHECK_LENGTH] {
    let mut rest = crc32fast::hash(text.as_bytes());
    let mut check = [b'0'; CHECK_LENGTH];
    for place in check.iter_mut().rev() {
        *place = DIGITS[(rest % 62) as usize];
        rest /= 62;
    }
    check
}

/// SHA-256 of a whole token: not the token, but enough to look for it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// Of any text that somebody presented.
    pub fn of(token: &str) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
        Self(hash)
    }

    /// From 64 hexadecimal digits, as `sha256sum` prints them.
    pub fn from_hex(text: &str) -> Option<Self> {
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let mut hash = [0; 32];
        for (index, byte) in hash.iter_mut().enumerate() {
            *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
        }
        Some(Self(hash))
    }

    /// The 32 bytes of the digest.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(..)")
    }
}

/// Whose tokens these are, as customers see it: `[a-z][a-z0-9]{1,15}`. It holds no underscore, so a token
/// comes apart in one way only.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Brand(Box<str>);

/// The text is no brand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a brand has 2 to 16 characters: a lower-case letter, then lower-case letters and digits")]
pub struct BrandError;

impl Brand {
    /// The text before a token's first underscore.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Brand {
    fn default() -> Self {
        Self("clv".into())
    }
}

impl FromStr for Brand {
    type Err = BrandError;

    fn from_str(text: &str) -> Result<Self, BrandError> {
        let well_formed = (2..=BRAND_MAX).contains(&text.len())
            && text.starts_with(|first: char| first.is_ascii_lowercase())
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        if well_formed { Ok(Self(text.into())) } else { Err(BrandError) }
    }
}

impl fmt::Display for Brand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

serde_as_text!(Brand);
schema_of_text!(Brand, "What the instance's tokens begin with.", "clv");

/// What an opaque token is for, as its second part says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SecretKind {
    /// `key`: an API key of the live environment.
    ApiKey,
    /// `testkey`: an API key of the test environment.
    TestApiKey,
    /// `pat`: a personal access token.
    PersonalAccessToken,
    /// `cs`: an OAuth client secret.
    ClientSecret,
    /// `at`: an opaque access token.
    AccessToken,
    /// `ps`: a portal session.
    Portal,
    /// `claim`: a code by which devices enrol in a fleet.
    ClaimCode,
}

impl SecretKind {
    const ALL: [Self; 7] = [
        Self::ApiKey,
        Self::TestApiKey,
        Self::PersonalAccessToken,
        Self::ClientSecret,
        Self::AccessToken,
        Self::Portal,
        Self::ClaimCode,
    ];

    /// The word between the underscores.
    pub fn tag(self) -> &'static str {
        match self {
            Self::ApiKey => "key",
            Self::TestApiKey => "testkey",
            Self::PersonalAccessToken => "pat",
            Self::ClientSecret => "cs",
            Self::AccessToken => "at",
            Self::Portal => "ps",
            Self::ClaimCode => "claim",
        }
    }
}

/// A presented text that could be one of the instance's opaque tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opaque {
    /// What it claims to be for.
    pub kind: SecretKind,
    /// What storage looks for.
    pub hash: TokenHash,
}

/// The text is no opaque token of this instance: a typo, or somebody else's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not a token of this instance")]
pub struct Malformed;

impl Opaque {
    /// Refuses typos and garbage without a look-up and without an allocation. `brands` are the instance's
    /// brand and its former ones.
    pub fn parse(presented: &str, brands: &[Brand]) -> Result<Self, Malformed> {
        if presented.len() > TOKEN_MAX {
            return Err(Malformed);
        }
        let (brand, rest) = presented.split_once('_').ok_or(Malformed)?;
        let (tag, body) = rest.split_once('_').ok_or(Malformed)?;
        let kind = SecretKind::ALL.into_iter().find(|kind| kind.tag() == tag).ok_or(Malformed)?;
        let plausible = brands.iter().any(|known| known.as_str() == brand)
            && body.len() == RANDOM_LENGTH + CHECK_LENGTH
            && body.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !plausible {
            return Err(Malformed);
        }
        // The body is ASCII, so this cut falls on a character boundary.
        let (covered, check) = presented.split_at(presented.len() - CHECK_LENGTH);
        if check.as_bytes() != checksum(covered) {
            return Err(Malformed);
        }
        Ok(Self { kind, hash: TokenHash::of(presented) })
    }

    /// The brand of a text that is an opaque token of some instance, whichever that is.
    pub fn brand(presented: &str) -> Option<Brand> {
        let (brand, _) = presented.split_once('_')?;
        let brand = brand.parse::<Brand>().ok()?;
        Self::parse(presented, std::slice::from_ref(&brand)).is_ok().then_some(brand)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::SeedableRng;
    use static_assertions::assert_not_impl_any;

    assert_not_impl_any!(Secret: fmt::Display, Clone, PartialEq, serde::Serialize);

    fn brands() -> [Brand; 3] {
        ["clv", "acme", "b2"].map(|brand| brand.parse().unwrap())
    }

    fn check(token: &str, expected: Result<SecretKind, Malformed>) {
        assert_eq!(Opaque::parse(token, &brands()).map(|opaque| opaque.kind), expected, "{token}");
    }

    /// The checksums were computed by Python's `zlib.crc32`.
    #[test]
    fn tokens_checked_elsewhere_are_accepted() {
        use SecretKind::*;
        check("clv_key_000000000000000000000000000000001H8smx", Ok(ApiKey));
        check("clv_testkey_0123456789ABCDEFGHIJKLMNOPQRSTUV1OrIFd", Ok(TestApiKey));
        check("clv_pat_UVWXYZabcdefghijklmnopqrstuvwxyz0YZbBn", Ok(PersonalAccessToken));
        check("acme_cs_zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz4FSCUX", Ok(ClientSecret));
        check("clv_at_7Kd93mQxV2LpRt8sWyBn4cHj6FgTzUa11eJ9nT", Ok(AccessToken));
        check("b2_ps_Aa0Aa0Aa0Aa0Aa0Aa0Aa0Aa0Aa0Aa0Zz3lRF5Y", Ok(Portal));
        check("clv_claim_Zz9Zz9Zz9Zz9Zz9Zz9Zz9Zz9Zz9Zz9Zz1M9wap", Ok(ClaimCode));
        check("clv_key_0000000000000000000000000000002100aa8N", Ok(ApiKey)); // padded with zeros
    }

    #[test]
    fn anything_but_the_exact_token_is_malformed() {
        for token in [
            "",
            "clv",
            "clv_key",
            "clv_key_",
            "__",
            "clv_key_000000000000000000000000000000001H8smy", // last character
            "clv_key_100000000000000000000000000000001H8smx", // first random character
            "clv_pat_000000000000000000000000000000001H8smx", // kind
            "acme_key_000000000000000000000000000000001H8smx", // brand
            "evil_key_000000000000000000000000000000001H8smx", // unknown brand
            "CLV_key_000000000000000000000000000000001H8smx",
            "clv_kei_000000000000000000000000000000001H8smx",
            "clv__key_000000000000000000000000000000001H8smx",
            "clv_key_00000000000000000000000000000001H8smx", // one short
            "clv_key_0000000000000000000000000000000001H8smx", // one long
            "clv_key_0000000000000000000000000000000-1H8smx",
            "clv_key_000000000000000000000000000000éH8smx",
            " clv_key_000000000000000000000000000000001H8smx",
            "clv_key_000000000000000000000000000000001H8smx\n",
        ] {
            check(token, Err(Malformed));
        }
    }

    #[test]
    fn a_former_brand_is_accepted_only_while_it_is_listed() {
        let token = "acme_cs_zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz4FSCUX";
        assert_eq!(Opaque::parse(token, &[Brand::default()]), Err(Malformed));
        assert!(Opaque::parse(token, &brands()).is_ok());
    }

    #[test]
    fn only_a_whole_token_has_a_brand() {
        let brand = |token| Opaque::brand(token).map(|brand| brand.to_string());
        assert_eq!(brand("acme_cs_zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz4FSCUX").as_deref(), Some("acme"));
        for token in ["", "acme", "acme_cs_zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz4FSCUY", "A_cs_zzzz", "_cs_zzzz"] {
            assert_eq!(brand(token), None, "{token}");
        }
    }

    #[test]
    fn the_hash_is_sha_256_of_the_whole_token() {
        let secret = Secret::new("clv_key_000000000000000000000000000000001H8smx".to_owned());
        let hex: String = secret.hash().as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "61fbb4c0d3036798d55ffa629bc675a236be9b9e89663139d1c1fb50cff416e5");
        assert_eq!(Opaque::parse(secret.expose(), &brands()).map(|opaque| opaque.hash), Ok(secret.hash()));
    }

    #[test]
    fn nothing_that_is_printed_tells_the_secret() {
        let secret = Secret::new("clv_key_000000000000000000000000000000001H8smx".to_owned());
        assert_eq!(format!("{secret:?} {:?}", secret.hash()), "Secret(..) TokenHash(..)");
        assert_eq!(secret.hint(), "0000");
    }

    #[test]
    fn a_brand_is_short_and_lower_case() {
        for good in ["clv", "ab", "a1", "abcdefghijklmnop"] {
            assert_eq!(good.parse::<Brand>().map(|brand| brand.to_string()).as_deref(), Ok(good));
        }
        for bad in ["", "a", "1a", "Ab", "a_b", "a-b", "abcdefghijklmnopq", "aé"] {
            assert_eq!(bad.parse::<Brand>(), Err(BrandError), "{bad}");
        }
        assert!(serde_json::from_str::<Brand>("\"A\"").is_err());
    }

    #[test]
    fn every_digit_comes_up_about_equally_often() {
        let mut rng = rand::rngs::StdRng::seed_from_u64(7);
        let mut seen = [0_u32; 128];
        for _ in 0..2_000 {
            let secret = Secret::mint(&Brand::default(), SecretKind::ApiKey, &mut rng);
            let body = &secret.expose().as_bytes()["clv_key_".len()..];
            body[..RANDOM_LENGTH].iter().for_each(|&byte| seen[usize::from(byte)] += 1);
        }
        // 64 000 draws over 62 digits: 1 032 each, give or take six standard deviations.
        assert!(DIGITS.iter().all(|&digit| (840..1_225).contains(&seen[usize::from(digit)])));
    }

    proptest! {
        #[test]
        fn what_is_minted_is_parsed(seed: u64, kind in prop::sample::select(SecretKind::ALL.to_vec())) {
            let mut rng = rand::rngs::StdRng::seed_from_u64(seed);
            let brand: Brand = "abcdefghijklmnop".parse().unwrap();
            let secret = Secret::mint(&brand, kind, &mut rng);
            prop_assert!(secret.expose().len() <= TOKEN_MAX);
            prop_assert_eq!(
                Opaque::parse(secret.expose(), &[Brand::default(), brand]),
                Ok(Opaque { kind, hash: secret.hash() })
            );
        }

        #[test]
        fn one_wrong_character_is_noticed(seed: u64, place in 8_usize..46, digit in 0_usize..62) {
            let mut rng = rand::rngs::StdRng::seed_from_u64(seed);
            let secret = Secret::mint(&Brand::default(), SecretKind::ApiKey, &mut rng);
            let mut bytes = secret.expose().as_bytes().to_vec();
            prop_assume!(bytes[place] != DIGITS[digit]);
            bytes[place] = DIGITS[digit];
            prop_assert_eq!(Opaque::parse(&String::from_utf8(bytes).unwrap(), &brands()), Err(Malformed));
        }

        #[test]
        fn parsing_never_panics(text in "(clv_key_)?\\PC*") {
            let _ = Opaque::parse(&text, &brands());
            let _ = Secret::new(text).hint();
        }
    }
}
