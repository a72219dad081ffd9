//! Codes in links: invitations, password resets, the way into a portal. Whoever has the link has what it opens, once.
//!
//! The room must not know what a link opens, nor how its code is kept: storage takes a [`crate::Digest`] of it.

use std::fmt::Write as _;

use claviger_token::Secret;
use rand::CryptoRng;
use zeroize::Zeroizing;

/// 160 bits: nobody guesses one, and the link stays short enough for a line of mail.
const BYTES: usize = 20;

/// A new code, of letters and digits that every mail program leaves alone.
pub fn link_code(rng: &mut dyn CryptoRng) -> Secret {
    let mut random = Zeroizing::new([0; BYTES]);
    rng.fill_bytes(random.as_mut_slice());
    // Reserved in full, so that no half-written copy stays behind in a smaller allocation.
    let mut text = String::with_capacity(2 * BYTES);
    for byte in random.iter() {
        // Writing into a String cannot fail.
        _ = write!(text, "{byte:02x}");
    }
    Secret::new(text)
}

/// Whether a text has the form of a code. What has not need not be looked for.
pub fn is_link_code(text: &str) -> bool {
    text.len() == 2 * BYTES && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::rng;

    #[test]
    fn a_code_is_long_and_never_the_same_twice() {
        let mut rng = rng();
        let (one, other) = (link_code(&mut rng), link_code(&mut rng));
        assert_ne!(one.expose(), other.expose());
        assert!(is_link_code(one.expose()) && is_link_code(other.expose()));
    }

    #[test]
    fn what_has_not_the_form_of_a_code_is_none() {
        for wrong in ["", "abc", &"g".repeat(40), &"A".repeat(40), &"a".repeat(41), &"é".repeat(20)] {
            assert!(!is_link_code(wrong), "{wrong}");
        }
    }
}
