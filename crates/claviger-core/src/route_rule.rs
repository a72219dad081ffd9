//! Route rules: what a request to an API takes, by its method and path, and which object it is about.
//!
//! What no rule allows is refused. The room must not know who asks, nor how a gateway tells of the request that it holds.

mod address;
mod pattern;
#[cfg(test)]
mod tests;

use std::{
    borrow::Cow,
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
};

use claviger_token::{Object, ObjectError, Permission, PermissionSet};
use matchit::Router;
use serde::{Deserialize, Serialize};

pub use self::address::{Address, AddressError};
use self::pattern::{Generality, MOST_SEGMENTS, ObjectTemplate, PathPattern, Shape};
use crate::invalid::FieldErrors;

/// Each is compared with no request but those of its path.
const MOST_RULES: usize = 500;
const MOST_METHODS: usize = 20;
const MOST_PERMISSIONS: usize = 20;

/// What requests of these methods to this path take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RouteRule {
    /// Methods in upper case. A rule for `GET` is one for `HEAD` too, unless that has its own.
    #[cfg_attr(feature = "openapi", schema(example = json!(["GET"])))]
    pub methods: Vec<String>,
    /// From the first `/` on. `{name}` stands for one whole segment, `{*name}` at the end for all that follows. Of several that
    /// fit, the one counts that has text where the other has a parameter, from left to right; those with `{*name}` come last, the longest
    /// first.
    #[cfg_attr(feature = "openapi", schema(example = "/apps/{id}"))]
    pub path: String,
    /// All of these must be held. None: whatever credential is for this API.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>, example = json!(["apps:read"])))]
    pub permissions: Vec<Permission>,
    /// The object that the request is about, with parameters of the path; none if absent, and then a credential that is limited to
    /// objects is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(example = "app:{id}"))]
    pub object: Option<String>,
    /// Whether the API itself keeps to the objects of the credential, as a list does that shows only those of `X-Claviger-Objects`:
    /// a credential that is limited to objects may come here without one.
    #[serde(default)]
    pub filters_objects: bool,
}

/// The rules of one API, which were checked.
#[derive(Debug, Clone, Default)]
pub struct Routes(Arc<Table>);

#[derive(Debug, Default)]
struct Table {
    rules: Vec<RouteRule>,
    read: Vec<Read>,
    whole: Router<Place>,
    /// Of paths that end in all that follows, what stands before that.
    before: Router<Place>,
}

/// Where the rules of one path stand.
#[derive(Debug)]
struct Place {
    says: Generality,
    /// The number of the rule of each method.
    by_method: BTreeMap<String, usize>,
}

/// A rule as requests are compared with it.
#[derive(Debug)]
struct Read {
    path: PathPattern,
    object: Option<ObjectTemplate>,
}

/// What a request takes.
#[derive(Debug, PartialEq, Eq)]
pub struct Ruled<'a> {
    /// All of these.
    pub permissions: &'a [Permission],
    /// On this object.
    pub object: Option<Object>,
    /// Whether a credential that is limited to objects may do it without one.
    pub filters_objects: bool,
}

impl PartialEq for Routes {
    fn eq(&self, other: &Self) -> bool {
        self.rules() == other.rules()
    }
}

impl Routes {
    /// Reads rules of an API that declares these permissions. What is wrong with them is noted below `/route_rules`.
    pub fn read(rules: Vec<RouteRule>, declared: &PermissionSet, errors: &mut FieldErrors) -> Option<Self> {
        errors.at_most(MOST_RULES, "/route_rules", rules.len())?;
        let mut shapes: BTreeMap<Shape, Place> = BTreeMap::new();
        let mut read = Vec::with_capacity(rules.len());
        for (index, rule) in rules.iter().enumerate() {
            let at = format!("/route_rules/{index}");
            check_methods(&rule.methods, &at, errors);
            check_permissions(&rule.permissions, declared, &at, errors);
            let Some(path) = errors.keep(format!("{at}/path"), "invalid_path", PathPattern::parse(&rule.path)) else {
                continue;
            };
            let object = rule.object.as_deref().and_then(|text| {
                errors.keep(format!("{at}/object"), "invalid_object", ObjectTemplate::parse(text, &path))
            });
            if rule.object.is_some() && rule.filters_objects {
                let message = "a rule either names the object, or says that the API itself keeps to objects";
                errors.add(format!("{at}/filters_objects"), "object_named", message);
            }
            let new = || Place { says: path.generality(), by_method: BTreeMap::new() };
            let place = shapes.entry(path.shape()).or_insert_with(new);
            for (number, method) in rule.methods.iter().enumerate() {
                match place.by_method.entry(method.clone()) {
                    Entry::Vacant(free) => _ = free.insert(index),
                    Entry::Occupied(taken) => {
                        let first = &rules[*taken.get()].path;
                        let message = format!(
                            "{method} {first} has a rule already; names of parameters and case tell no two apart"
                        );
                        errors.add(format!("{at}/methods/{number}"), "duplicate", message);
                    }
                }
            }
            read.push(Read { path, object });
        }
        // A rule that was passed over has an error.
        if read.len() < rules.len() {
            return None;
        }
        let (mut whole, mut before) = (Router::new(), Router::new());
        for (shape, place) in shapes {
            let inserted = match shape {
                Shape::Whole(text) => whole.insert(text, place),
                Shape::Before(text) => before.insert(text, place),
            };
            if let Err(error) = inserted {
                errors.add("/route_rules", "invalid_path", error.to_string());
                return None;
            }
        }
        Some(Self(Arc::new(Table { rules, read, whole, before })))
    }

    /// Reads what was checked when it was written.
    pub fn restore(rules: Vec<RouteRule>) -> Option<Self> {
        let declared = rules.iter().flat_map(|rule| rule.permissions.iter().cloned()).collect();
        let mut errors = FieldErrors::default();
        let routes = Self::read(rules, &declared, &mut errors);
        errors.finish().ok().and(routes)
    }

    /// The rules, as they were given.
    pub fn rules(&self) -> &[RouteRule] {
        &self.0.rules
    }

    /// What a request of this method to this address takes; `None` if no rule is for it. The path chooses among paths, and then
    /// the method must be one of that path. The error is of the object that the path names.
    pub fn find(&self, method: &str, address: &Address<'_>) -> Result<Option<Ruled<'_>>, ObjectError> {
        let table = &*self.0;
        let path = address.as_str();
        // An API that does not tell case apart must not find a path of its own where we find a parameter.
        let folded = match path.bytes().any(|byte| byte.is_ascii_uppercase()) {
            true => Cow::Owned(path.to_ascii_lowercase()),
            false => Cow::Borrowed(path),
        };
        let Some(Place { by_method, .. }) = table.place(&folded) else { return Ok(None) };
        let number = by_method.get(method).or_else(|| by_method.get("GET").filter(|_| method == "HEAD"));
        let Some((rule, read)) = number.and_then(|number| Some((table.rules.get(*number)?, table.read.get(*number)?)))
        else {
            return Ok(None);
        };
        let Some(values) = read.path.values(path) else { return Ok(None) };
        let object = read.object.as_ref().map(|template| template.object(&values)).transpose()?;
        Ok(Some(Ruled { permissions: &rule.permissions, object, filters_objects: rule.filters_objects }))
    }
}

impl Table {
    /// The place of a request's path. An API that passes over a slash at the end must not find a path that says more than ours.
    fn place(&self, folded: &str) -> Option<&Place> {
        let place = self.closest(folded)?;
        let other = match folded.strip_suffix('/') {
            Some(bare) => self.closest(bare),
            None => self.closest(&format!("{folded}/")),
        };
        other.is_none_or(|other| place.says <= other.says).then_some(place)
    }

    /// Of several paths that fit, the one that says most. Those with all that follows at their end come after the others, and of them,
    /// what has more before that goes first.
    fn closest(&self, folded: &str) -> Option<&Place> {
        if let Ok(found) = self.whole.at(folded) {
            return Some(found.value);
        }
        let slashes: Vec<usize> = folded.match_indices('/').map(|(at, _)| at + 1).take(MOST_SEGMENTS).collect();
        let mut before = slashes.into_iter().rev().filter(|end| *end < folded.len());
        before.find_map(|end| Some(self.before.at(&folded[..end]).ok()?.value))
    }
}

fn check_methods(methods: &[String], at: &str, errors: &mut FieldErrors) {
    if methods.is_empty() {
        errors.add(format!("{at}/methods"), "no_methods", "a rule is for one method at least, such as GET");
    }
    errors.at_most(MOST_METHODS, &format!("{at}/methods"), methods.len());
    for (number, method) in methods.iter().enumerate() {
        let fits = (1..=20).contains(&method.len()) && method.bytes().all(|byte| byte.is_ascii_uppercase());
        if !fits {
            let message = "a method is 1 to 20 upper-case letters, such as GET";
            errors.add(format!("{at}/methods/{number}"), "invalid_method", message);
        }
    }
}

fn check_permissions(permissions: &[Permission], declared: &PermissionSet, at: &str, errors: &mut FieldErrors) {
    errors.at_most(MOST_PERMISSIONS, &format!("{at}/permissions"), permissions.len());
    for (number, permission) in permissions.iter().enumerate() {
        let name = permission.as_str();
        if !declared.contains(name) {
            let message = format!("the API does not declare {name}");
            errors.add(format!("{at}/permissions/{number}"), "unknown_permission", message);
        }
    }
}
