//! On what it may be done: instances of things in the customer's API, written `type:id`.
//!
//! The room must not know what the types mean. It refuses whatever two readers could take for two
//! different objects, because a check is only worth something if the API acts on what was checked.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::text::{schema_of_text, schema_of_texts, serde_as_text};

const LONGEST: usize = 512;

/// One instance of something in the customer's API: `type:id`, such as `base:app7` or `repo:acme/site`. Only the
/// first colon separates.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Object(Box<str>);

/// Why a text names no object, or is no pattern of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ObjectError {
    /// A list without entries: it would be unclear whether it means all or none.
    #[error("the list of objects must not be empty")]
    NoEntries,
    /// More than 512 bytes.
    #[error("an object has at most {LONGEST} bytes")]
    TooLong,
    /// No colon.
    #[error("an object is written `type:id`")]
    NoType,
    /// The part before the colon is not `[a-z][a-z0-9_-]{0,63}`.
    #[error("an object's type has 1 to 64 characters: a lower-case letter, then lower-case letters, digits, `_`, `-`")]
    Type,
    /// A `*` in an object, or not at the end of a pattern.
    #[error("`*` is allowed only in a limit, only once, at the end, directly after `:` or `/`")]
    Wildcard,
    /// Nothing after the colon, or between two slashes, or after the last one.
    #[error("an object must not have an empty segment")]
    EmptySegment,
    /// A segment that is `..`, plain or percent-encoded.
    #[error("an object must not have the segment `..`")]
    ParentSegment,
    /// `%2f`, `%5c` or a backslash.
    #[error("an object must not contain a backslash, nor an encoded slash or backslash")]
    EncodedSlash,
    /// A control character or white space.
    #[error("an object must not contain white space or control characters")]
    Whitespace,
}

/// Everything but the rule about `*` and the rules about segments.
fn split(text: &str) -> Result<&str, ObjectError> {
    if text.len() > LONGEST {
        return Err(ObjectError::TooLong);
    }
    let (kind, id) = text.split_once(':').ok_or(ObjectError::NoType)?;
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-';
    let typed = kind.len() <= 64 && kind.starts_with(|c: char| c.is_ascii_lowercase()) && kind.bytes().all(inner);
    if !typed {
        return Err(ObjectError::Type);
    }
    if id.contains(|c: char| c.is_control() || c.is_whitespace()) {
        return Err(ObjectError::Whitespace);
    }
    Ok(id)
}

fn check_segments(id: &str) -> Result<(), ObjectError> {
    let lower = id.to_ascii_lowercase();
    if lower.contains("%2f") || lower.contains("%5c") || lower.contains('\\') {
        return Err(ObjectError::EncodedSlash);
    }
    for segment in lower.split('/') {
        if segment.is_empty() {
            return Err(ObjectError::EmptySegment);
        }
        // An API that decodes its path late would read `%2e%2e` as `..`.
        if segment.replace("%2e", ".") == ".." {
            return Err(ObjectError::ParentSegment);
        }
    }
    Ok(())
}

impl Object {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Object {
    type Err = ObjectError;

    fn from_str(text: &str) -> Result<Self, ObjectError> {
        let id = split(text)?;
        if id.contains('*') {
            return Err(ObjectError::Wildcard);
        }
        check_segments(id)?;
        Ok(Self(text.into()))
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

serde_as_text!(Object);
schema_of_text!(Object, "An instance of something in the customer's API, written `type:id`.", "repo:acme/site");

/// One entry of a limit: an [`Object`], or the beginning of one with a `*` directly after `:` or `/`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ObjectPattern(Box<str>);

impl ObjectPattern {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What everything under it begins with, `:` or `/` included, so that `acme` does not cover `acmeevil`.
    fn stem(&self) -> Option<&str> {
        self.0.strip_suffix('*')
    }

    /// Whether the object is this one, or under it at any depth.
    pub fn covers(&self, object: &Object) -> bool {
        match self.stem() {
            Some(stem) => object.0.starts_with(stem),
            None => self.0 == object.0,
        }
    }

    /// Whether `other` covers whatever this covers.
    pub fn is_within(&self, other: &Self) -> bool {
        match other.stem() {
            Some(stem) => self.0.starts_with(stem),
            None => self.0 == other.0,
        }
    }
}

impl FromStr for ObjectPattern {
    type Err = ObjectError;

    fn from_str(text: &str) -> Result<Self, ObjectError> {
        let id = split(text)?;
        match id.strip_suffix('*') {
            Some("") => {}
            Some(stem) => {
                let stem = stem.strip_suffix('/').ok_or(ObjectError::Wildcard)?;
                check_one(stem)?;
            }
            None => check_one(id)?,
        }
        Ok(Self(text.into()))
    }
}

fn check_one(id: &str) -> Result<(), ObjectError> {
    if id.contains('*') { Err(ObjectError::Wildcard) } else { check_segments(id) }
}

impl fmt::Display for ObjectPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

serde_as_text!(ObjectPattern);
schema_of_text!(
    ObjectPattern,
    "An object, or the beginning of one with a `*` directly after `:` or `/`.",
    "repo:acme/*"
);

/// The objects a credential is limited to. Never empty: "no limit" is the absence of the set, and "nothing" is
/// no credential.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ObjectSet(Box<[ObjectPattern]>);

impl ObjectSet {
    /// Reads a list; the error says which entry (from 0) is wrong and why.
    pub fn parse(entries: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Self, (usize, ObjectError)> {
        let parse = |(index, entry)| {
            let entry: &str = AsRef::as_ref(&entry);
            entry.parse().map_err(|error| (index, error))
        };
        let patterns: Box<[_]> = entries.into_iter().enumerate().map(parse).collect::<Result<_, _>>()?;
        if patterns.is_empty() { Err((0, ObjectError::NoEntries)) } else { Ok(Self(patterns)) }
    }

    /// The entries, as they were given.
    pub fn iter(&self) -> std::slice::Iter<'_, ObjectPattern> {
        self.0.iter()
    }

    /// Whether any entry covers the object.
    pub fn covers(&self, object: &Object) -> bool {
        self.iter().any(|pattern| pattern.covers(object))
    }

    /// Whether each entry lies within one entry of `other`.
    pub fn is_within(&self, other: &Self) -> bool {
        self.iter().all(|own| other.iter().any(|theirs| own.is_within(theirs)))
    }

    /// What is in both sets, for of two entries that have something in common one lies within the other; `None` if that is
    /// nothing.
    pub fn common(&self, other: &Self) -> Option<Self> {
        let both = self.iter().flat_map(|own| {
            other.iter().filter_map(move |theirs| match () {
                () if own.is_within(theirs) => Some(own.clone()),
                () if theirs.is_within(own) => Some(theirs.clone()),
                () => None,
            })
        });
        let both: Box<[ObjectPattern]> = both.collect();
        (!both.is_empty()).then_some(Self(both))
    }

    /// What is in any of the sets, of which there is at least one.
    pub(crate) fn union<'a>(sets: impl Iterator<Item = &'a Self>) -> Self {
        Self(sets.flatten().cloned().collect())
    }

    /// One entry per line, for storage: an entry never holds a line break.
    pub fn to_text(&self) -> String {
        self.iter().map(ObjectPattern::as_str).collect::<Vec<_>>().join("\n")
    }

    /// Reads [`to_text`](Self::to_text) back.
    pub fn from_text(text: &str) -> Result<Self, ObjectError> {
        Self::parse(text.lines()).map_err(|(_, error)| error)
    }
}

impl<'a> IntoIterator for &'a ObjectSet {
    type Item = &'a ObjectPattern;
    type IntoIter = std::slice::Iter<'a, ObjectPattern>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Serialize for ObjectSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self)
    }
}

impl<'de> Deserialize<'de> for ObjectSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(Vec::<String>::deserialize(deserializer)?)
            .map_err(|(index, error)| de::Error::custom(format_args!("entry {index}: {error}")))
    }
}

schema_of_texts!(ObjectSet, "The objects a credential is limited to.", ["base:app7", "repo:acme/*"]);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn object(text: &str) -> Object {
        text.parse().unwrap()
    }

    fn pattern(text: &str) -> ObjectPattern {
        text.parse().unwrap()
    }

    #[test]
    fn an_object_that_could_be_read_in_two_ways_is_refused() {
        fn check(text: &str, expected: Result<(), ObjectError>) {
            assert_eq!(text.parse::<Object>().map(drop), expected, "{text}");
            // A pattern without `*` follows the same rules.
            if !text.contains('*') {
                assert_eq!(text.parse::<ObjectPattern>().map(drop), expected, "{text}");
            }
        }
        check("base:app7", Ok(()));
        check("repo:acme/site", Ok(()));
        check("urn:a:b:c", Ok(()));
        check("file:..a/b..", Ok(()));
        check("file:100%", Ok(()));
        check("doc:größe", Ok(()));
        check("base", Err(ObjectError::NoType));
        check("", Err(ObjectError::NoType));
        check(":x", Err(ObjectError::Type));
        check("Base:x", Err(ObjectError::Type));
        check("9a:x", Err(ObjectError::Type));
        check("a/b:x", Err(ObjectError::Type));
        check(&format!("{}:x", "a".repeat(64)), Ok(()));
        check(&format!("{}:x", "a".repeat(65)), Err(ObjectError::Type));
        check(&format!("a:{}", "x".repeat(510)), Ok(()));
        check(&format!("a:{}", "x".repeat(511)), Err(ObjectError::TooLong));
        check("base:", Err(ObjectError::EmptySegment));
        check("base:/a", Err(ObjectError::EmptySegment));
        check("base:a/", Err(ObjectError::EmptySegment));
        check("base:a//b", Err(ObjectError::EmptySegment));
        check("base:..", Err(ObjectError::ParentSegment));
        check("base:a/../b", Err(ObjectError::ParentSegment));
        check("base:a/%2E%2e/b", Err(ObjectError::ParentSegment));
        check("base:a/.%2e", Err(ObjectError::ParentSegment));
        check("base:a%2fb", Err(ObjectError::EncodedSlash));
        check("base:a%2Fb", Err(ObjectError::EncodedSlash));
        check("base:a%5Cb", Err(ObjectError::EncodedSlash));
        check("base:a\\b", Err(ObjectError::EncodedSlash));
        check("base:a b", Err(ObjectError::Whitespace));
        check("base:a\u{a0}b", Err(ObjectError::Whitespace));
        check("base:a\nb", Err(ObjectError::Whitespace));
        check("base:a\0", Err(ObjectError::Whitespace));
        check("base:*", Err(ObjectError::Wildcard));
        check("base:a*b", Err(ObjectError::Wildcard));
    }

    #[test]
    fn a_wildcard_stands_only_at_the_end_after_a_separator() {
        fn check(text: &str, expected: Result<(), ObjectError>) {
            assert_eq!(text.parse::<ObjectPattern>().map(drop), expected, "{text}");
        }
        check("base:*", Ok(()));
        check("repo:acme/*", Ok(()));
        check("repo:acme*", Err(ObjectError::Wildcard));
        check("repo:*/site", Err(ObjectError::Wildcard));
        check("repo:a:*", Err(ObjectError::Wildcard));
        check("repo:**", Err(ObjectError::Wildcard));
        check("repo:*/*", Err(ObjectError::Wildcard));
        check("repo:/*", Err(ObjectError::EmptySegment));
        check("repo:a//*", Err(ObjectError::EmptySegment));
        check("repo:../*", Err(ObjectError::ParentSegment));
        check("*", Err(ObjectError::NoType));
        check("*:a", Err(ObjectError::Type));
    }

    #[test]
    fn a_pattern_covers_what_is_under_it_and_no_neighbour() {
        fn check(limit: &str, checked: &str, covered: bool) {
            assert_eq!(pattern(limit).covers(&object(checked)), covered, "{limit} {checked}");
        }
        check("repo:acme/*", "repo:acme/site", true);
        check("repo:acme/*", "repo:acme/a/b", true);
        check("repo:acme/*", "repo:acme", false);
        check("repo:acme/*", "repo:acmeevil/x", false);
        check("repo:*", "repo:acme", true);
        check("repo:*", "repository:acme", false);
        check("repo:acme", "repo:acme", true);
        check("repo:acme", "repo:acme/site", false);
        check("repo:acme", "repo:ACME", false);
    }

    #[test]
    fn a_set_is_within_another_entry_by_entry() {
        fn check(inner: &[&str], outer: &[&str], expected: bool) {
            let parse = |entries: &[&str]| ObjectSet::parse(entries).unwrap();
            assert_eq!(parse(inner).is_within(&parse(outer)), expected, "{inner:?} in {outer:?}");
        }
        check(&["repo:acme/site"], &["repo:acme/*"], true);
        check(&["repo:acme/a/*"], &["repo:acme/*"], true);
        check(&["repo:acme/*"], &["repo:acme/*"], true);
        check(&["repo:*"], &["repo:acme/*"], false);
        check(&["repo:acme/*"], &["repo:acme"], false);
        check(&["repo:acme"], &["repo:acme/*"], false);
        check(&["repo:a", "base:b"], &["repo:*", "base:*"], true);
        check(&["repo:a", "base:b"], &["repo:*"], false);
    }

    #[test]
    fn a_set_names_the_entry_that_is_wrong_and_is_never_empty() {
        let none: [&str; 0] = [];
        assert_eq!(ObjectSet::parse(none), Err((0, ObjectError::NoEntries)));
        assert_eq!(ObjectSet::parse(["a:b", "a:"]), Err((1, ObjectError::EmptySegment)));
        let error = serde_json::from_str::<ObjectSet>(r#"["a:b","a:b*"]"#).unwrap_err().to_string();
        assert!(error.starts_with("entry 1: `*` is allowed"), "{error}");
        assert!(serde_json::from_str::<ObjectSet>("[]").is_err());
    }

    #[test]
    fn a_set_survives_storage() {
        let set = ObjectSet::parse(["repo:acme/*", "base:app7"]).unwrap();
        assert_eq!(set.to_text(), "repo:acme/*\nbase:app7");
        assert_eq!(ObjectSet::from_text(&set.to_text()), Ok(set.clone()));
        assert_eq!(serde_json::to_string(&set).unwrap(), r#"["repo:acme/*","base:app7"]"#);
        assert_eq!(ObjectSet::from_text(""), Err(ObjectError::NoEntries));
    }

    proptest! {
        #[test]
        fn reading_never_panics(text in "([a-z]:)?\\PC*") {
            let _ = text.parse::<Object>();
            let _ = text.parse::<ObjectPattern>();
        }

        #[test]
        fn what_two_limits_have_in_common_covers_what_both_cover(
            one in prop::collection::vec("a:(\\*|[bc](/\\*|/[de])?)", 1..4),
            other in prop::collection::vec("a:(\\*|[bc](/\\*|/[de])?)", 1..4),
            object in "a:[bc](/[de])?",
        ) {
            let (one, other) = (ObjectSet::parse(one).unwrap(), ObjectSet::parse(other).unwrap());
            let object: Object = object.parse().unwrap();
            let both = one.common(&other);
            prop_assert!(both.as_ref().is_none_or(|both| both.is_within(&one) && both.is_within(&other)));
            prop_assert_eq!(both.is_some_and(|both| both.covers(&object)), one.covers(&object) && other.covers(&object));
        }

        #[test]
        fn what_the_inner_covers_the_outer_covers(
            inner in "[ab]:([ab]/){0,2}[ab*]", outer in "[ab]:([ab]/){0,2}[ab*]", checked in "[ab](:[ab])(/[ab]){0,3}",
        ) {
            let (inner, outer) = (pattern(&inner), pattern(&outer));
            let checked = object(&checked);
            if inner.is_within(&outer) && inner.covers(&checked) {
                prop_assert!(outer.covers(&checked));
            }
        }
    }
}
