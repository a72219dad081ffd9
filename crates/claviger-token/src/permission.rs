//! What may be done: permissions, sets of them, and the masks that cut sets down.
//!
//! The room must not know who holds what; `facts` puts the formula together.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::text::{schema_of_text, schema_of_texts, serde_as_text};

/// What begins like this belongs to Claviger's own API.
const BUILTIN: &str = "claviger:";
const EVERY_API: &str = "*";
const EVERY_BUILTIN: &str = "claviger:*";
const LONGEST: usize = 128;

/// A permission of an API, such as `invoices:read`; OAuth calls it a scope. 1 to 128 characters out of
/// `A-Z a-z 0-9 _ . : / -`, with a letter or digit at both ends.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Permission(Arc<str>);

/// Why a text is no permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PermissionError {
    /// Nothing was given.
    #[error("a permission must not be empty")]
    Empty,
    /// More than 128 bytes.
    #[error("a permission has at most {LONGEST} characters")]
    TooLong,
    /// A `*` where it means nothing.
    #[error("`*` must not be part of a permission; the only wildcards are the entries `*` and `claviger:*`")]
    Wildcard,
    /// A character outside the alphabet.
    #[error("a permission must not contain {0:?}; letters, digits and `_ . : / -` are allowed")]
    Character(char),
    /// Punctuation at an end.
    #[error("a permission must start and end with a letter or a digit")]
    Edge,
}

impl Permission {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it belongs to Claviger's own API.
    pub fn is_builtin(&self) -> bool {
        is_builtin(&self.0)
    }
}

fn is_builtin(permission: &str) -> bool {
    permission.starts_with(BUILTIN)
}

impl FromStr for Permission {
    type Err = PermissionError;

    fn from_str(text: &str) -> Result<Self, PermissionError> {
        if text.is_empty() {
            return Err(PermissionError::Empty);
        }
        if text.len() > LONGEST {
            return Err(PermissionError::TooLong);
        }
        if text.contains('*') {
            return Err(PermissionError::Wildcard);
        }
        let foreign = |c: char| !c.is_ascii_alphanumeric() && !"_.:/-".contains(c);
        if let Some(character) = text.chars().find(|&c| foreign(c)) {
            return Err(PermissionError::Character(character));
        }
        let plain = |c: char| c.is_ascii_alphanumeric();
        if !text.starts_with(plain) || !text.ends_with(plain) {
            return Err(PermissionError::Edge);
        }
        Ok(Self(text.into()))
    }
}

impl Borrow<str> for Permission {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

serde_as_text!(Permission);
schema_of_text!(Permission, "A permission of an API. OAuth calls it a scope.", "invoices:read");

/// A set of permissions, sorted. A clone costs one reference count.
#[derive(Clone, Default, PartialEq, Eq, Hash, Debug)]
pub struct PermissionSet(Arc<[Permission]>);

impl PermissionSet {
    /// The permissions, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Permission> {
        self.0.iter()
    }

    /// The permission of this name, if it is in the set.
    pub fn get(&self, permission: &str) -> Option<&Permission> {
        self.0.get(self.0.binary_search_by(|own| own.as_str().cmp(permission)).ok()?)
    }

    /// Whether the permission is in the set.
    pub fn contains(&self, permission: &str) -> bool {
        self.get(permission).is_some()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// What is in either.
    pub fn union(&self, other: &Self) -> Self {
        if other.is_subset(self) {
            return self.clone();
        }
        self.iter().chain(other.iter()).cloned().collect()
    }

    /// Whether everything here is in `other` too.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.iter().all(|permission| other.contains(permission.as_str()))
    }

    /// What is here and not in `other`.
    pub fn difference(&self, other: &Self) -> Self {
        self.keep(|permission| !other.contains(permission))
    }

    /// What the mask lets through.
    pub fn masked_by(&self, mask: &PermissionMask) -> Self {
        self.keep(|permission| mask.admits(permission))
    }

    fn keep(&self, wanted: impl Fn(&str) -> bool) -> Self {
        // On the verify path nearly nothing is cut, and then nothing has to be built.
        if self.iter().all(|permission| wanted(permission.as_str())) {
            return self.clone();
        }
        Self(self.iter().filter(|permission| wanted(permission.as_str())).cloned().collect())
    }

    /// Separated by spaces, for storage and for OAuth's `scope`.
    pub fn to_text(&self) -> String {
        self.iter().map(Permission::as_str).collect::<Vec<_>>().join(" ")
    }

    /// Reads [`to_text`](Self::to_text) back.
    pub fn from_text(text: &str) -> Result<Self, PermissionError> {
        text.split_ascii_whitespace().map(str::parse).collect()
    }
}

impl FromIterator<Permission> for PermissionSet {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        let mut permissions: Vec<_> = permissions.into_iter().collect();
        permissions.sort_unstable();
        permissions.dedup();
        Self(permissions.into())
    }
}

impl<'a> IntoIterator for &'a PermissionSet {
    type Item = &'a Permission;
    type IntoIter = std::slice::Iter<'a, Permission>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Serialize for PermissionSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self)
    }
}

impl<'de> Deserialize<'de> for PermissionSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::<Permission>::deserialize(deserializer)?.into_iter().collect())
    }
}

schema_of_texts!(PermissionSet, "Permissions, sorted, without repetition.", ["invoices:read", "invoices:write"]);

/// The list on a credential or a ceiling: permissions by name, `*` (everything that is not `claviger:`) and
/// `claviger:*` (everything that is). An empty list admits nothing.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct PermissionMask {
    every_api: bool,
    every_builtin: bool,
    named: PermissionSet,
}

impl PermissionMask {
    /// Reads the entries of a list, in any order.
    pub fn parse(entries: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Self, PermissionError> {
        let mut mask = Self::default();
        let mut named = Vec::new();
        for entry in entries {
            match entry.as_ref() {
                EVERY_API => mask.every_api = true,
                EVERY_BUILTIN => mask.every_builtin = true,
                permission => named.push(permission.parse()?),
            }
        }
        mask.named = named.into_iter().collect();
        Ok(mask)
    }

    /// The mask that cuts nothing.
    pub fn everything() -> Self {
        Self { every_api: true, every_builtin: true, named: PermissionSet::default() }
    }

    /// Whether the permission gets through.
    pub fn admits(&self, permission: &str) -> bool {
        let every = if is_builtin(permission) { self.every_builtin } else { self.every_api };
        every || self.named.contains(permission)
    }

    /// Whether it grows with its principal, because it holds a wildcard.
    pub fn follows_principal(&self) -> bool {
        self.every_api || self.every_builtin
    }

    /// Whether `*` is in the list.
    pub fn has_wildcard_api(&self) -> bool {
        self.every_api
    }

    /// Whether `claviger:*` is in the list.
    pub fn has_wildcard_builtin(&self) -> bool {
        self.every_builtin
    }

    /// The entries that are permissions.
    pub fn named(&self) -> &PermissionSet {
        &self.named
    }

    /// The entries that are permissions, as a list of their own: it no longer grows with its principal.
    #[must_use]
    pub fn without_wildcards(&self) -> Self {
        Self { named: self.named.clone(), ..Self::default() }
    }

    /// Whether it admits nothing at all.
    pub fn is_empty(&self) -> bool {
        !self.follows_principal() && self.named.is_empty()
    }

    /// Whether `other` admits each of the entries.
    pub fn is_within(&self, other: &Self) -> bool {
        (!self.every_api || other.every_api)
            && (!self.every_builtin || other.every_builtin)
            && self.named.iter().all(|permission| other.admits(permission.as_str()))
    }

    fn entry_texts(&self) -> impl Iterator<Item = &str> {
        let wildcards = [(self.every_api, EVERY_API), (self.every_builtin, EVERY_BUILTIN)];
        let wildcards = wildcards.into_iter().filter_map(|(present, entry)| present.then_some(entry));
        wildcards.chain(self.named.iter().map(Permission::as_str))
    }

    /// The list, wildcards first.
    pub fn entries(&self) -> Vec<String> {
        self.entry_texts().map(str::to_owned).collect()
    }

    /// Separated by spaces, for storage.
    pub fn to_text(&self) -> String {
        self.entry_texts().collect::<Vec<_>>().join(" ")
    }

    /// Reads [`to_text`](Self::to_text) back.
    pub fn from_text(text: &str) -> Result<Self, PermissionError> {
        Self::parse(text.split_ascii_whitespace())
    }
}

impl From<PermissionSet> for PermissionMask {
    /// The list that names these.
    fn from(named: PermissionSet) -> Self {
        Self { named, ..Self::default() }
    }
}

impl Serialize for PermissionMask {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.entry_texts())
    }
}

impl<'de> Deserialize<'de> for PermissionMask {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(Vec::<String>::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

schema_of_texts!(
    PermissionMask,
    "Permissions by name, `*` (everything that is not `claviger:`) and `claviger:*` (everything that is).",
    ["invoices:read"]
);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set(text: &str) -> PermissionSet {
        PermissionSet::from_text(text).unwrap()
    }

    fn mask(text: &str) -> PermissionMask {
        PermissionMask::from_text(text).unwrap()
    }

    #[test]
    fn a_permission_is_refused_for_the_reason_it_breaks() {
        fn check(text: &str, expected: Result<(), PermissionError>) {
            assert_eq!(text.parse::<Permission>().map(drop), expected, "{text}");
        }
        check("invoices:read", Ok(()));
        check("a", Ok(()));
        check("https://api.acme.test/scope-1_x", Ok(()));
        check(&"a".repeat(128), Ok(()));
        check(&"a".repeat(129), Err(PermissionError::TooLong));
        check("", Err(PermissionError::Empty));
        check("*", Err(PermissionError::Wildcard));
        check("invoices:*", Err(PermissionError::Wildcard));
        check("invoices read", Err(PermissionError::Character(' ')));
        check("rechnung:löschen", Err(PermissionError::Character('ö')));
        check("\"quoted\"", Err(PermissionError::Character('"')));
        check("claviger:", Err(PermissionError::Edge));
        check("-x", Err(PermissionError::Edge));
    }

    #[test]
    fn what_belongs_to_claviger_is_known_by_its_beginning() {
        let builtin = |text: &str| text.parse::<Permission>().map(|permission| permission.is_builtin());
        assert_eq!(builtin("claviger:verify"), Ok(true));
        assert_eq!(builtin("clavigers:verify"), Ok(false));
        assert_eq!(builtin("claviger"), Ok(false));
    }

    #[test]
    fn the_wildcards_share_the_world_between_them() {
        fn check(list: &str, permission: &str, admitted: bool) {
            assert_eq!(mask(list).admits(permission), admitted, "[{list}] {permission}");
        }
        check("*", "invoices:read", true);
        check("*", "claviger:verify", false);
        check("claviger:*", "claviger:verify", true);
        check("claviger:*", "invoices:read", false);
        check("* claviger:*", "claviger:verify", true);
        check("* claviger:verify", "claviger:verify", true);
        check("invoices:read", "invoices:read", true);
        check("invoices:read", "invoices:write", false);
        check("", "invoices:read", false);
    }

    #[test]
    fn a_mask_is_within_another_only_if_each_entry_is_admitted() {
        fn check(inner: &str, outer: &str, expected: bool) {
            assert_eq!(mask(inner).is_within(&mask(outer)), expected, "[{inner}] in [{outer}]");
        }
        check("", "", true);
        check("a", "*", true);
        check("a", "a b", true);
        check("a c", "a b", false);
        check("*", "a", false);
        check("*", "claviger:*", false);
        check("* claviger:verify", "* claviger:*", true);
        check("claviger:*", "* claviger:verify", false);
    }

    #[test]
    fn a_list_is_kept_in_one_order_wildcards_first() {
        let list = PermissionMask::parse(["b", "claviger:*", "a", "*", "b"]).unwrap();
        assert_eq!(list.to_text(), "* claviger:* a b");
        assert_eq!(serde_json::to_string(&list).unwrap(), r#"["*","claviger:*","a","b"]"#);
        assert!(list.follows_principal() && !mask("a").follows_principal());
        assert!(serde_json::from_str::<PermissionMask>(r#"["claviger:x:*"]"#).is_err());
    }

    #[test]
    fn cutting_nothing_builds_nothing() {
        let all = set("a b");
        assert!(Arc::ptr_eq(&all.masked_by(&mask("*")).0, &all.0));
        assert_eq!(all.masked_by(&mask("b c")), set("b"));
    }

    #[test]
    fn a_set_reads_back_from_json_sorted_and_unique() {
        let read: PermissionSet = serde_json::from_str(r#"["b","a","b"]"#).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), r#"["a","b"]"#);
        assert!(serde_json::from_str::<PermissionSet>(r#"["*"]"#).is_err());
    }

    fn any_set() -> impl Strategy<Value = PermissionSet> {
        prop::collection::vec("(claviger:)?[a-d]", 0..8)
            .prop_map(|texts| texts.iter().map(|text| text.parse().unwrap()).collect())
    }

    fn any_mask() -> impl Strategy<Value = PermissionMask> {
        (any::<bool>(), any::<bool>(), any_set()).prop_map(|(every_api, every_builtin, named)| PermissionMask {
            every_api,
            every_builtin,
            named,
        })
    }

    proptest! {
        #[test]
        fn the_set_algebra_holds(a in any_set(), b in any_set()) {
            let (both, only_a) = (a.union(&b), a.difference(&b));
            prop_assert_eq!(&both, &b.union(&a));
            prop_assert!(a.is_subset(&both) && b.is_subset(&both) && only_a.is_subset(&a));
            prop_assert_eq!(only_a.union(&b), both);
            prop_assert!(only_a.iter().all(|permission| !b.contains(permission.as_str())));
            prop_assert_eq!(PermissionSet::from_text(&a.to_text()), Ok(a));
        }

        #[test]
        fn a_mask_only_narrows(held in any_set(), inner in any_mask(), outer in any_mask()) {
            let rest = held.masked_by(&inner);
            prop_assert!(rest.is_subset(&held));
            prop_assert!(held.iter().all(|one| rest.contains(one.as_str()) == inner.admits(one.as_str())));
            if inner.is_within(&outer) {
                prop_assert!(rest.is_subset(&held.masked_by(&outer)));
            }
            prop_assert!(inner.is_within(&PermissionMask::everything()));
            prop_assert_eq!(PermissionMask::from_text(&inner.to_text()), Ok(inner));
        }

        #[test]
        fn reading_never_panics(text in "\\PC*") {
            let _ = PermissionMask::from_text(&text);
        }
    }
}
