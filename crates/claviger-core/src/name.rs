//! Names that people give to things, and the only place that says which text may be one.

use std::fmt;

use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

const MAX_CHARS: usize = 100;

/// A name: NFC, 1 to 100 code points, nothing invisible. Names may repeat; ids are the handle.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name(String);

/// What is wrong with a text that should be a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing there.
    #[error("a name is 1 to 100 characters; this one is empty")]
    Empty,
    /// More than 100 code points after normalization.
    #[error("a name is 1 to 100 characters; this one is longer")]
    TooLong,
    /// Control, bidirectional or zero-width: they hide what a reader approves.
    #[error("a name has no control, bidirectional or invisible characters; found U+{:04X}", u32::from(*.0))]
    Invisible(char),
    /// Starts or ends with white space.
    #[error("a name neither starts nor ends with white space")]
    Padded,
}

impl Name {
    /// Normalizes to NFC and checks.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        // A bound before normalizing, so that a body of 64 KiB costs nothing: NFC grows a text at most threefold.
        if text.chars().take(4 * MAX_CHARS + 1).count() > 4 * MAX_CHARS {
            return Err(NameError::TooLong);
        }
        let name: String = text.nfc().collect();
        if name.is_empty() {
            return Err(NameError::Empty);
        }
        if name.chars().count() > MAX_CHARS {
            return Err(NameError::TooLong);
        }
        if let Some(character) = name.chars().find(|c| hides_something(*c)) {
            return Err(NameError::Invisible(character));
        }
        if name.trim() != name {
            return Err(NameError::Padded);
        }
        Ok(Self(name))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Format covers the bidirectional controls and zero-width joiners; the rest never shows as a glyph either.
pub(crate) fn hides_something(character: char) -> bool {
    use GeneralCategory as G;
    matches!(
        character.general_category(),
        G::Control
            | G::Format
            | G::Surrogate
            | G::PrivateUse
            | G::Unassigned
            | G::LineSeparator
            | G::ParagraphSeparator
    ) || matches!(character, '\u{115F}' | '\u{1160}' | '\u{3164}' | '\u{FFA0}' | '\u{034F}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, NameError>) {
        assert_eq!(Name::parse(text).as_ref().map(Name::as_str).map_err(|e| *e), expected, "{text:?}");
    }

    #[test]
    fn names_are_normalized_and_show_all_that_they_hold() {
        check("CI on main", Ok("CI on main"));
        check("Zoe\u{308}", Ok("Zo\u{eb}"));
        check("請求書 🚀", Ok("請求書 🚀"));
        check("", Err(NameError::Empty));
        check(" x", Err(NameError::Padded));
        check("a\nb", Err(NameError::Invisible('\n')));
        check("a\u{202E}b", Err(NameError::Invisible('\u{202E}')));
        check("a\u{200B}b", Err(NameError::Invisible('\u{200B}')));
        check("a\u{0}b", Err(NameError::Invisible('\u{0}')));
        check(&"x".repeat(100), Ok(&"x".repeat(100)));
        check(&"x".repeat(101), Err(NameError::TooLong));
        check(&"x".repeat(60_000), Err(NameError::TooLong));
    }
}
