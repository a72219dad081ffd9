//! Names that people give to things, and the only place that says which text may be one.

use std::fmt;

use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

const MAX_CHARS: usize = 100;

/// A letter can become eighteen in a skeleton, and an entry of an index must stay small.
const MAX_SKELETON_CHARS: usize = 200;

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

    /// What is left of how the name looks: two names with one skeleton can be taken for each other. That of UTS #39 (section
    /// 4), made coarser: upper and lower case are one, and so are widths of letters and of spaces. For comparing, never shown.
    pub fn skeleton(&self) -> String {
        // The standard's first, so that whatever it finds alike stays alike. Once more, for lower case has its own look-alikes.
        let folded = look(&self.0).nfkc().collect::<String>().to_lowercase();
        // A capital I looks like an l, and is the same letter as an i.
        let skeleton = look(&folded).replace('i', "l");
        let words: Vec<&str> = skeleton.split_whitespace().collect();
        words.join(" ").chars().take(MAX_SKELETON_CHARS).collect()
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

fn look(text: &str) -> String {
    unicode_security::skeleton(text).filter(|character| !leaves_no_mark(*character)).collect()
}

/// What a name may hold and nobody sees: selectors of variants, as emoji have them, and two vowels that are inherent.
fn leaves_no_mark(character: char) -> bool {
    matches!(
        character,
        '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180F}' | '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}'
    )
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

    #[test]
    fn names_that_can_be_taken_for_each_other_have_one_skeleton() {
        let skeleton = |name: &str| Name::parse(name).unwrap().skeleton();
        let alike = |one: &str, other: &str| assert_eq!(skeleton(one), skeleton(other), "{one} and {other}");
        alike("payments", "p\u{430}yments"); // a Cyrillic letter
        alike("corner", "comer");
        alike("paypal", "PAYPAI");
        alike("paypaI", "paypal");
        alike("id", "ID");
        alike("deploy", "\u{FF44}\u{FF45}\u{FF50}\u{FF4C}\u{FF4F}\u{FF59}"); // full width
        alike("Deploy Bot", "deploy  bot");
        alike("deploy bot", "deploy\u{A0}bot");
        alike("deploy bot", "deploy\u{3000}bot");
        alike("Test", "\u{422}est");
        alike("TEST", "\u{422}\u{415}\u{405}\u{422}");
        alike("cafe\u{301}", "Caf\u{C9}");
        alike("l0gs", "I0gs");
        alike("l0gs", "logs");
        alike("\u{2764}", "\u{2764}\u{FE0F}");
        alike("ab", "a\u{E0101}b");

        let differ = |one: &str, other: &str| assert_ne!(skeleton(one), skeleton(other), "{one} and {other}");
        differ("deploy", "deploy2");
        differ("deploy", "destroy");
        differ("deploy bot", "deploy-bot");
        differ("resume", "r\u{E9}sum\u{E9}");
        differ("ci", "cd");
        differ("\u{8ACB}\u{6C42}\u{66F8}", "\u{8ACB}\u{6C42}");
    }

    #[test]
    fn a_skeleton_stays_small_whatever_the_name() {
        for character in ['\u{FDFA}', '\u{D55C}', '\u{1F680}', 'm'] {
            let name = Name::parse(&character.to_string().repeat(MAX_CHARS)).unwrap();
            let skeleton = name.skeleton();
            assert!((1..=4 * MAX_SKELETON_CHARS).contains(&skeleton.len()), "{character}: {}", skeleton.len());
        }
    }
}
