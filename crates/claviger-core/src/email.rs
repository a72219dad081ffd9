//! E-mail addresses: what may be one, and when two are the same.

use std::fmt;

use email_address::{EmailAddress, Options};
use unicode_normalization::UnicodeNormalization as _;

use crate::name::hides_something;

/// RFC 5321, section 4.5.3.1.3: a path is at most 256 octets, two of which are its brackets.
const MAX_BYTES: usize = 254;

/// An e-mail address as somebody wrote it, in NFC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email(String);

/// What is wrong with a text that should be an e-mail address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EmailError {
    /// More than fits into an SMTP path.
    #[error("an e-mail address is at most {MAX_BYTES} bytes")]
    TooLong,
    /// Not the form of RFC 5321, or one that stands for no mailbox that people have.
    #[error("this is not an e-mail address such as alice@example.com")]
    Malformed,
}

impl Email {
    /// Checks an address. A display name, a quoted local part and an address literal (`alice@[192.0.2.1]`) are refused:
    /// they are other spellings of what has a plain one.
    pub fn parse(text: &str) -> Result<Self, EmailError> {
        if text.len() > MAX_BYTES {
            return Err(EmailError::TooLong);
        }
        let address: String = text.nfc().collect();
        if address.len() > MAX_BYTES {
            return Err(EmailError::TooLong);
        }
        if address.contains('"') || address.chars().any(hides_something) {
            return Err(EmailError::Malformed);
        }
        let plain = Options::default().without_display_text().without_domain_literal();
        EmailAddress::parse_with_options(&address, plain).map_err(|_| EmailError::Malformed)?;
        Ok(Self(address))
    }

    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What is the same for two spellings of one address. RFC 5321 lets servers tell `A@x` from `a@x`; none that people use
    /// does, and two users who differ by that would be one's trap for the other.
    pub fn key(&self) -> String {
        self.0.to_lowercase()
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, EmailError>) {
        assert_eq!(Email::parse(text).as_ref().map(Email::as_str).map_err(Clone::clone), expected, "{text:?}");
    }

    #[test]
    fn an_address_is_what_a_mailbox_has() {
        check("alice@example.com", Ok("alice@example.com"));
        check("Alice+ci@mail.example.com", Ok("Alice+ci@mail.example.com"));
        check("alice@localhost", Ok("alice@localhost"));
        check("zoe\u{308}@b\u{fc}cher.example", Ok("zo\u{eb}@b\u{fc}cher.example"));
        let longest =
            format!("{}@{}.example.com", "a".repeat(64), ["b".repeat(59), "c".repeat(59), "d".repeat(57)].join("."));
        assert_eq!(longest.len(), 254);
        check(&longest, Ok(&longest));
        check(&format!("{longest}m"), Err(EmailError::TooLong));
        check(&"x".repeat(60_000), Err(EmailError::TooLong));
        for wrong in [
            "",
            "alice",
            "@example.com",
            "alice@",
            "a b@example.com",
            "alice@exa mple.com",
            "alice@@example.com",
            "Alice <alice@example.com>",
            "<alice@example.com>",
            "\"a b\"@example.com",
            "alice@[192.0.2.1]",
            "alice@example..com",
            "alice@-example.com",
            "alice@example.com\n",
            "alice@exam\u{202E}ple.com",
            "a\0@example.com",
            " alice@example.com",
            "alice@example.com ",
            "a\u{200B}lice@example.com",
        ] {
            check(wrong, Err(EmailError::Malformed));
        }
    }

    #[test]
    fn two_spellings_of_one_address_have_one_key() {
        let key = |text: &str| Email::parse(text).unwrap().key();
        assert_eq!(key("Alice@Example.COM"), key("alice@example.com"));
        assert_eq!(key("ZO\u{cb}@example.com"), key("zoe\u{308}@example.com"));
        assert_ne!(key("alice@example.com"), key("alice@example.org"));
    }
}
