//! Route rules on the command line: one line of text each, `METHODS PATH PERMISSIONS [OBJECT]`.

use claviger_core::{FieldErrors, Rejection, RouteRule, Routes};
use claviger_token::{Permission, PermissionSet};

/// Of what is wrong with rules.
const MOST_TOLD: usize = 5;

/// `GET,PUT /apps/{id} apps:read,apps:write app:{id}`. `-` stands for no permission, and `*` in the place of the object for an API
/// that itself keeps to the objects of a credential.
pub(crate) fn parse(text: &str) -> Result<RouteRule, String> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    let (methods, path, permissions, object) = match fields.as_slice() {
        [methods, path, permissions] => (methods, path, permissions, None),
        [methods, path, permissions, object] => (methods, path, permissions, Some(*object)),
        _ => {
            return Err(
                "a rule is METHODS PATH PERMISSIONS [OBJECT], such as \"GET /apps/{id} apps:read app:{id}\"".to_owned()
            );
        }
    };
    let named = permissions.split(',').filter(|name| *permissions != "-" || *name != "-");
    let permissions: Result<Vec<Permission>, _> = named.map(str::parse).collect();
    Ok(RouteRule {
        methods: methods.split(',').map(str::to_owned).collect(),
        path: (*path).to_owned(),
        permissions: permissions.map_err(|error| error.to_string())?,
        object: object.filter(|object| *object != "*").map(str::to_owned),
        filters_objects: object == Some("*"),
    })
}

/// The same text again.
pub(crate) fn shown(rule: &RouteRule) -> String {
    let object = rule.object.as_deref().or(rule.filters_objects.then_some("*"));
    let fields = [Some(rule.methods.join(",")), Some(rule.path.clone()), Some(asked(rule)), object.map(str::to_owned)];
    fields.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn asked(rule: &RouteRule) -> String {
    let names = rule.permissions.iter().map(Permission::as_str).collect::<Vec<_>>().join(",");
    if names.is_empty() { "-".to_owned() } else { names }
}

/// What the service would say against these rules of an API that declares these permissions, if it would.
pub(crate) fn refused(rules: Vec<RouteRule>, declared: &PermissionSet) -> Option<String> {
    let mut errors = FieldErrors::default();
    Routes::read(rules, declared, &mut errors);
    match errors.finish() {
        Err(Rejection::Invalid(errors)) => {
            Some(errors.into_iter().map(|error| error.message).take(MOST_TOLD).collect::<Vec<_>>().join("; "))
        }
        Err(other) => Some(other.to_string()),
        Ok(()) => None,
    }
}

/// A path without the names of its parameters, in lower case: what the service takes for one.
pub(crate) fn shape(path: &str) -> String {
    let parts = path.split('/').map(|part| match part {
        _ if part.starts_with("{*") => "{*}".to_owned(),
        _ if part.starts_with('{') => "{}".to_owned(),
        text => text.to_ascii_lowercase(),
    });
    parts.collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_one_line_in_both_directions() {
        for line in [
            "GET /apps apps:read *",
            "GET,HEAD /apps/{id} apps:read,apps:write app:{id}",
            "POST /apps apps:write",
            "GET /me -",
        ] {
            assert_eq!(shown(&parse(line).unwrap()), line);
        }
        let none = parse("GET /me - *").unwrap();
        assert!(none.permissions.is_empty() && none.filters_objects && none.object.is_none());
        for bad in ["", "GET /apps", "GET /apps a b c", "GET /apps a,,b", "GET /apps a*b", "GET /apps -,a"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
