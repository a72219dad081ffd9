//! What the claims of an outside assertion must say: all conditions must be met, and each by one of its values.
//!
//! A claim is named as it stands at the top of the payload, whatever is in its name; or, below that, by a JSON Pointer (RFC
//! 6901), which begins with a slash. So `kubernetes.io` and `/kubernetes.io/namespace` are never mistaken for each other. The room
//! must not know which claims mean anything to whom.

use std::borrow::Cow;
use std::collections::BTreeMap;

use claviger_token::read_object;
use serde_json::{Map, Value, value::RawValue};

use crate::invalid::FieldErrors;

const MOST: usize = 20;
const MOST_VALUES: usize = 20;
const LONGEST_NAME: usize = 200;
const LONGEST_VALUE: usize = 1000;
const DEEPEST: usize = 8;
/// What a `*` never stands for.
const SEPARATORS: [char; 3] = ['/', ':', '@'];
/// What is judged by itself.
const JUDGED: [&str; 6] = ["iss", "aud", "exp", "nbf", "iat", "jti"];

/// Conditions on claims, at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conditions(BTreeMap<Claim, Vec<Wanted>>);

/// Where a claim stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Claim(String);

/// A text that a claim may be, with `*` for whole segments of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted(String);

/// A condition that claims do not meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmet {
    /// Of which claim.
    pub claim: String,
    /// What it says, shortened; none if it is not there.
    pub found: Option<String>,
}

impl Conditions {
    /// Reads them as a request has them: `{claim: value | [values]}`.
    pub(super) fn read(text: &RawValue, errors: &mut FieldErrors) -> Option<Self> {
        let form =
            "an object of claims and what they must be: {\"repository_id\": \"74\", \"ref\": [\"refs/heads/main\"]}";
        let Ok(members) = read_object::<Map<String, Value>>(text.get().as_bytes()) else {
            errors.add("/conditions", "invalid_conditions", format!("{form}; each claim once"));
            return None;
        };
        if members.is_empty() {
            errors.add("/conditions", "required", form);
            return None;
        }
        errors.at_most(MOST, "/conditions", members.len())?;
        let mut read = BTreeMap::new();
        let mut sound = true;
        for (name, value) in members {
            let pointer = format!("/conditions/{}", name.replace('~', "~0").replace('/', "~1"));
            match Claim::parse(&name).and_then(|claim| Ok((claim, values(&value)?))) {
                Ok((claim, wanted)) => drop(read.insert(claim, wanted)),
                Err(message) => {
                    errors.add(pointer, "invalid_condition", message);
                    sound = false;
                }
            }
        }
        sound.then_some(Self(read))
    }

    /// As a request has them.
    pub fn to_json(&self) -> Value {
        let told = |(claim, wanted): (&Claim, &Vec<Wanted>)| {
            let mut texts: Vec<_> = wanted.iter().map(|wanted| Value::from(wanted.0.clone())).collect();
            let only = if texts.len() == 1 { texts.pop() } else { None };
            (claim.0.clone(), only.unwrap_or(Value::Array(texts)))
        };
        Value::Object(self.0.iter().map(told).collect())
    }

    /// The first that these claims do not meet.
    pub fn unmet(&self, claims: &Map<String, Value>) -> Option<Unmet> {
        let unmet = |(claim, wanted): &(&Claim, &Vec<Wanted>)| {
            let found = claim.of(claims);
            !found.is_some_and(|found| texts(found).any(|text| wanted.iter().any(|wanted| wanted.matches(&text))))
        };
        let (claim, _) = self.0.iter().find(unmet)?;
        let shortened = |value: &Value| value.to_string().chars().take(LONGEST_NAME).collect();
        Some(Unmet { claim: claim.0.clone(), found: claim.of(claims).map(shortened) })
    }

    pub(super) fn on(&self, claim: &str) -> Option<&[Wanted]> {
        self.0.iter().find(|(known, _)| known.0 == claim).map(|(_, wanted)| wanted.as_slice())
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &[Wanted])> {
        self.0.iter().map(|(claim, wanted)| (claim.0.as_str(), wanted.as_slice()))
    }
}

impl Claim {
    fn parse(name: &str) -> Result<Self, String> {
        if !(1..=LONGEST_NAME).contains(&name.len()) || name.chars().any(char::is_control) {
            return Err(format!("the name of a claim has 1 to {LONGEST_NAME} bytes"));
        }
        if JUDGED.contains(&name) {
            return Err(format!("{name} is judged by itself: issuer and audience are members of the federation"));
        }
        let tokens = name.strip_prefix('/').map(|tokens| tokens.split('/'));
        let escapes = |token: &str| token.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
        if tokens.is_some_and(|mut tokens| tokens.clone().count() > DEEPEST || !tokens.all(escapes)) {
            return Err(format!("a JSON Pointer of at most {DEEPEST} names, in which ~0 is ~ and ~1 is /"));
        }
        Ok(Self(name.to_owned()))
    }

    fn of<'a>(&self, claims: &'a Map<String, Value>) -> Option<&'a Value> {
        let Some(tokens) = self.0.strip_prefix('/') else { return claims.get(&self.0) };
        let mut names = tokens.split('/').map(|token| token.replace("~1", "/").replace("~0", "~"));
        let first = claims.get(&names.next()?)?;
        // Members of objects alone: what stands where in a list is nobody's promise.
        names.try_fold(first, |value, name| value.as_object()?.get(&name))
    }
}

/// What a claim says as text: itself, or each entry of a list.
fn texts(value: &Value) -> impl Iterator<Item = Cow<'_, str>> {
    let entries = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    entries.iter().filter_map(text)
}

/// Issuers write numbers and truth now as text and now not.
fn text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Bool(_) => Some(Cow::Owned(value.to_string())),
        Value::Number(number) if number.is_i64() || number.is_u64() => Some(Cow::Owned(value.to_string())),
        Value::Number(_) | Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn values(value: &Value) -> Result<Vec<Wanted>, String> {
    let entries = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    if !(1..=MOST_VALUES).contains(&entries.len()) {
        return Err(format!("a value, or a list of 1 to {MOST_VALUES} of them"));
    }
    entries.iter().map(|entry| Wanted::parse(&text(entry).ok_or("a text, a whole number, true or false")?)).collect()
}

impl Wanted {
    fn parse(text: &str) -> Result<Self, String> {
        if !(1..=LONGEST_VALUE).contains(&text.len()) || text.chars().any(char::is_control) {
            return Err(format!("a value has 1 to {LONGEST_VALUE} bytes"));
        }
        let mut segments = text.split(SEPARATORS);
        let first = segments.next().unwrap_or_default();
        if first.contains('*') || segments.any(|segment| segment.contains('*') && segment != "*") {
            return Err(
                "* stands for a whole segment between / : and @, and not for the first: refs/heads/* and not acme*"
                    .to_owned(),
            );
        }
        Ok(Self(text.to_owned()))
    }

    /// Byte by byte, but for segments that may be any.
    fn matches(&self, text: &str) -> bool {
        if !self.0.contains('*') {
            return self.0 == text;
        }
        let mut found = text.split_inclusive(SEPARATORS);
        let same = self.0.split_inclusive(SEPARATORS).all(|wanted| {
            found.next().is_some_and(|found| match wanted.strip_prefix('*') {
                // Whatever it is, it ends where and as the segment that is wanted ends.
                Some(end) => found.strip_suffix(end).is_some_and(|any| !any.is_empty() && !any.ends_with(SEPARATORS)),
                None => wanted == found,
            })
        });
        same && found.next().is_none()
    }

    /// How many segments stand before the first `*`; none if there is no `*`.
    pub(super) fn fixed_segments(&self) -> Option<usize> {
        let (before, _) = self.0.split_once('*')?;
        Some(before.split(SEPARATORS).filter(|segment| !segment.is_empty()).count())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Result<Conditions, String> {
        let mut errors = FieldErrors::default();
        let raw: Box<RawValue> = serde_json::from_str(text).unwrap();
        let read = Conditions::read(&raw, &mut errors);
        match errors.finish() {
            Ok(()) => Ok(read.unwrap()),
            Err(crate::Rejection::Invalid(errors)) => {
                assert!(read.is_none());
                Err(format!("{} {}", errors[0].pointer, errors[0].code))
            }
            Err(other) => panic!("{other:?}"),
        }
    }

    fn matches(wanted: &str, text: &str) -> bool {
        Wanted::parse(wanted).unwrap().matches(text)
    }

    #[test]
    fn w03_a_star_is_one_whole_segment_and_crosses_no_separator() {
        let check = |wanted: &str, text: &str, expected: bool| {
            assert_eq!(matches(wanted, text), expected, "{wanted} {text}");
        };
        check("repo:org/*", "repo:org/site", true);
        for other in [
            "repo:org-evil/site",
            "repo:org/site:ref:refs/pull/1/merge",
            "repo:org/site/deeper",
            "repo:org/",
            "repo:org",
            "repo:Org/site",
            "repo:org/a@b",
            "",
        ] {
            check("repo:org/*", other, false);
        }
        let main = "repo:org/*:ref:refs/heads/main";
        check(main, "repo:org/site:ref:refs/heads/main", true);
        check(main, "repo:org/site:ref:refs/pull/1/merge", false);
        check(main, "repo:org/site:ref:refs/heads/main2", false);
        check(main, "repo:org/site:pull_request:ref:refs/heads/main", false);
        check(main, "repo:org/:ref:refs/heads/main", false);
        check("refs/heads/release/*", "refs/heads/release/1.0", true);
        check("refs/heads/release/*", "refs/heads/release-evil/1.0", false);
        check("refs/heads/release/*", "refs/heads/release/1.0/x", false);
        check("spiffe://acme.test/ns/*/sa/builder", "spiffe://acme.test/ns/prod/sa/builder", true);
        check("spiffe://acme.test/ns/*/sa/builder", "spiffe://acme.test/ns/a/b/sa/builder", false);
        check("a/*/*", "a/b/c", true);
        check("a/*/", "a/b/", true);
        check("a/*/", "a/b", false);
        check("a/*", "a/b/", false);
        check("a/*", "a/\u{e9}*", true);
        check("main", "main", true);
        // Latin and Cyrillic: alike to people, and not the same.
        check("m\u{430}in", "main", false);
        check("a/*:m\u{430}in", "a/b:main", false);
        check("MAIN", "main", false);
    }

    #[test]
    fn w03_a_star_that_could_mean_more_is_refused_when_it_is_written() {
        for wrong in ["*", "acme*", "acme*/x", "*/x", "a/b*", "a/*b", "a/**", "repo:org*/x", "a/b:*c@d"] {
            assert!(Wanted::parse(wrong).is_err(), "{wrong}");
        }
        let check = |wanted: &str, expected: Option<usize>| {
            assert_eq!(Wanted::parse(wanted).unwrap().fixed_segments(), expected, "{wanted}");
        };
        check("repo:org/site", None);
        check("repo:*/site", Some(1));
        check("repo:org/*", Some(2));
        check("spiffe://acme.test/*", Some(2));
        check("acme/*", Some(1));
    }

    #[test]
    fn w03_all_conditions_are_met_and_a_missing_claim_meets_none() {
        let claims = json!({
            "repository_id": "74", "number": 74, "true": true, "ref": "refs/heads/main", "groups": ["a", "b", 3], "none": null,
            "kubernetes.io": { "namespace": "prod", "pod": { "name": "x" }, "a/b": { "~": "t" } },
            "kubernetes.io.namespace": "other", "half": 0.5,
        });
        let claims = claims.as_object().unwrap();
        let check = |conditions: Value, expected: Option<&str>| {
            let unmet = read(&conditions.to_string()).unwrap().unmet(claims);
            assert_eq!(unmet.as_ref().map(|unmet| unmet.claim.as_str()), expected, "{conditions}");
        };
        check(json!({ "repository_id": "74", "ref": "refs/heads/main" }), None);
        check(json!({ "repository_id": "74", "ref": "refs/heads/dev" }), Some("ref"));
        check(json!({ "repository_id": "75", "ref": "refs/heads/main" }), Some("repository_id"));
        check(json!({ "repository_id": ["73", "74"] }), None);
        check(json!({ "repository_id": 74, "number": "74", "true": true }), None);
        check(json!({ "true": "true" }), None);
        check(json!({ "groups": "b" }), None);
        check(json!({ "groups": ["c", 3] }), None);
        check(json!({ "groups": "c" }), Some("groups"));
        check(json!({ "absent": "x" }), Some("absent"));
        check(json!({ "Repository_id": "74" }), Some("Repository_id"));
        check(json!({ "none": "null" }), Some("none"));
        check(json!({ "half": "0.5" }), Some("half"));
        check(json!({ "kubernetes.io": "x" }), Some("kubernetes.io"));
        check(json!({ "/kubernetes.io/namespace": "prod" }), None);
        check(json!({ "kubernetes.io.namespace": "prod" }), Some("kubernetes.io.namespace"));
        check(json!({ "kubernetes.io.namespace": "other" }), None);
        check(json!({ "/kubernetes.io/pod/name": "x", "/kubernetes.io/a~1b/~0": "t" }), None);
        check(json!({ "/kubernetes.io/pod": "x" }), Some("/kubernetes.io/pod"));
        check(json!({ "/groups/0": "a" }), Some("/groups/0"));
        check(json!({ "/repository_id": "74" }), None);
        let unmet = read(r#"{"ref":"x"}"#).unwrap().unmet(claims).unwrap();
        assert_eq!(unmet.found.as_deref(), Some("\"refs/heads/main\""));
    }

    #[test]
    fn what_is_no_condition_is_named() {
        let check = |text: &str, expected: &str| assert_eq!(read(text).unwrap_err(), expected, "{text}");
        check("[]", "/conditions invalid_conditions");
        check("null", "/conditions invalid_conditions");
        check(r#"{"sub":"a","sub":"b"}"#, "/conditions invalid_conditions");
        check("{}", "/conditions required");
        check(r#"{"a/b":"acme*"}"#, "/conditions/a~1b invalid_condition");
        for (name, value) in [
            ("iss", json!("x")),
            ("aud", json!("x")),
            ("", json!("x")),
            ("x", json!([])),
            ("x", json!([["y"]])),
            ("x", json!({ "y": 1 })),
            ("x", json!(null)),
            ("x", json!(1.5)),
            ("x", json!("")),
            ("x", json!("a\nb")),
            ("x", json!("y".repeat(1001))),
            ("x", json!(vec!["y"; 21])),
            ("/a~2b", json!("x")),
            ("/a~", json!("x")),
            ("/1/2/3/4/5/6/7/8/9", json!("x")),
        ] {
            assert!(
                read(&json!({ name: value }).to_string()).unwrap_err().ends_with("invalid_condition"),
                "{name} {value}"
            );
        }
        let many = |count: usize| {
            let members: Map<_, _> = (0..count).map(|number| (format!("c{number}"), json!("x"))).collect();
            read(&Value::Object(members).to_string())
        };
        assert!(many(20).is_ok());
        assert_eq!(many(21).unwrap_err(), "/conditions too_many");
        let given = json!({ "a": "x", "b": ["x", "y"], "/c/d": "1" });
        assert_eq!(read(&given.to_string()).unwrap().to_json(), given);
    }

    proptest! {
        #[test]
        fn a_pattern_matches_nothing_with_more_separators(text in "[a-z/:@*]{0,20}", wanted in "[a-z]{1,3}([/:@]([a-z]{1,3}|\\*)){1,4}") {
            let count = |text: &str| text.matches(SEPARATORS).count();
            if matches(&wanted, &text) {
                prop_assert_eq!(count(&wanted), count(&text));
                let prefix = wanted.split('*').next().unwrap();
                prop_assert!(text.starts_with(prefix));
            }
        }
    }
}
