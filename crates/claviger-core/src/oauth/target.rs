//! What a token is for: one API, and of its permissions those that were asked for and are held (RFC 6749, section 3.3;
//! RFC 8707, section 2).

use claviger_token::{Permission, PermissionSet, same_audience};

use super::{OAuthError, OAuthErrorCode};
use crate::api::Api;

/// One API, and what a token permits on it.
#[derive(Debug, Clone, PartialEq)]
pub struct Target<'a> {
    /// The API.
    pub api: &'a Api,
    /// At least one permission.
    pub scope: PermissionSet,
}

/// What a token is for, of whoever holds `held`.
///
/// A scope that is not held is refused, and one that is held but is another API's falls away when an API is named. No API
/// named is the one that declares the scopes; no scope named is all that is held there.
pub fn target<'a>(
    apis: &'a [Api],
    held: &PermissionSet,
    scope: Option<&str>,
    resources: &[&str],
) -> Result<Target<'a>, OAuthError> {
    let named = named_api(apis, held, resources)?;
    let asked = match scope {
        None => None,
        Some(scope) => Some(asked(scope, held)?),
    };
    let wanted = asked.as_ref().unwrap_or(held);
    let api = match named {
        Some(api) => api,
        None => only_api(apis, wanted)?,
    };
    let scope = of_api(api, wanted);
    if scope.is_empty() {
        let description = format!("none of these scopes belongs to {}", api.identifier);
        return Err(OAuthError::new(OAuthErrorCode::InvalidScope, description));
    }
    Ok(Target { api, scope })
}

fn named_api<'a>(apis: &'a [Api], held: &PermissionSet, resources: &[&str]) -> Result<Option<&'a Api>, OAuthError> {
    let invalid = |description: String| OAuthError::new(OAuthErrorCode::InvalidTarget, description);
    let Some((first, more)) = resources.split_first() else { return Ok(None) };
    if more.iter().any(|other| !same_audience(other, first)) {
        return Err(invalid("a token is for one API: name one resource, and ask again for the next".to_owned()));
    }
    let api = apis.iter().find(|api| same_audience(&api.identifier, first));
    // Whether there is an API of which one may use nothing is not told.
    match api.filter(|api| !of_api(api, held).is_empty()) {
        Some(api) => Ok(Some(api)),
        None => Err(invalid(format!(
            "{first} is no API that the token would permit anything on; resource is the identifier of one, and what is exchanged reaches no other API than its own"
        ))),
    }
}

/// The permissions that a scope names, each of which must be held.
fn asked(scope: &str, held: &PermissionSet) -> Result<PermissionSet, OAuthError> {
    let invalid = |description: String| OAuthError::new(OAuthErrorCode::InvalidScope, description);
    let mut asked = Vec::new();
    for name in scope.split(' ').filter(|name| !name.is_empty()) {
        let permission: Permission =
            name.parse().map_err(|_| invalid(format!("{name} is no scope: scopes look like invoices:read")))?;
        if !held.contains(permission.as_str()) {
            return Err(invalid(format!(
                "what the token would be made from does not permit {name}; an administrator can give it"
            )));
        }
        asked.push(permission);
    }
    if asked.is_empty() {
        return Err(invalid("scope names nothing".to_owned()));
    }
    Ok(asked.into_iter().collect())
}

/// The one API that declares all of these, which at least one must.
fn only_api<'a>(apis: &'a [Api], wanted: &PermissionSet) -> Result<&'a Api, OAuthError> {
    let mut concerned = apis.iter().filter(|api| !of_api(api, wanted).is_empty());
    match (concerned.next(), concerned.next()) {
        (Some(api), None) => Ok(api),
        (None, _) => Err(OAuthError::new(
            OAuthErrorCode::InvalidScope,
            "there is nothing that a token could permit; an administrator can give permissions to whoever it is made for",
        )),
        (Some(first), Some(second)) => Err(OAuthError::new(
            OAuthErrorCode::InvalidScope,
            format!(
                "these scopes belong to several APIs ({}, {}); name one with resource",
                first.identifier, second.identifier
            ),
        )),
    }
}

fn of_api(api: &Api, permissions: &PermissionSet) -> PermissionSet {
    let declared = api.permissions.iter().map(|declared| &declared.name);
    declared.filter(|name| permissions.contains(name.as_str())).cloned().collect()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use rand::{SeedableRng as _, rngs::StdRng};
    use serde_json::json;

    use super::*;

    fn apis() -> Vec<Api> {
        let declare = |identifier: &str, permissions: &[&str]| {
            let permissions: Vec<_> = permissions.iter().map(|name| json!({ "name": name })).collect();
            let new = json!({ "identifier": identifier, "name": "n", "permissions": permissions });
            let new = serde_json::from_value(new).unwrap();
            Api::create(new, &PermissionSet::default(), Timestamp::UNIX_EPOCH, &mut StdRng::from_seed([1; 32]))
                .unwrap()
                .0
        };
        vec![
            declare("https://a.test", &["a:read", "a:write", "a:delete"]),
            declare("https://b.test/", &["b:read"]),
            declare("urn:c", &["c:read"]),
            declare("https://d.test/v1", &["d:read"]),
        ]
    }

    fn check(held: &str, scope: Option<&str>, resources: &[&str], expected: &str) {
        let (apis, held) = (apis(), PermissionSet::from_text(held).unwrap());
        let told = match target(&apis, &held, scope, resources) {
            Ok(target) => format!("{} {}", target.api.identifier, target.scope.to_text()),
            Err(error) => error.code.to_string(),
        };
        assert_eq!(told, expected, "{held:?} {scope:?} {resources:?}");
    }

    #[test]
    fn t13_a_scope_is_held_and_well_formed() {
        check("a:read a:write", Some("a:read"), &[], "https://a.test a:read");
        check("a:read a:write", Some("a:write a:read  a:read"), &[], "https://a.test a:read a:write");
        check("a:read a:write", None, &[], "https://a.test a:read a:write");
        for bad in [
            "a:delete",
            "a:read a:delete",
            "nothing",
            "a:\"read",
            "a:\\read",
            "a:read\n",
            "a:r\u{e9}ad",
            "*",
            " ",
            "a:*",
        ] {
            check("a:read a:write", Some(bad), &[], "invalid_scope");
            check("a:read a:write", Some(bad), &["https://a.test"], "invalid_scope");
        }
        check("", None, &[], "invalid_scope");
    }

    #[test]
    fn a04_scopes_of_two_apis_are_refused_unless_one_is_named() {
        check("a:read b:read", None, &[], "invalid_scope");
        check("a:read b:read", Some("a:read b:read"), &[], "invalid_scope");
        check("a:read b:read", Some("b:read"), &[], "https://b.test/ b:read");
        check("a:read b:read", None, &["https://a.test"], "https://a.test a:read");
    }

    #[test]
    fn x01_a_resource_is_one_api_that_the_client_may_use() {
        check("a:read", None, &["https://a.test"], "https://a.test a:read");
        check("a:read", None, &["https://a.test/"], "https://a.test a:read"); // an empty path is `/`
        check("b:read", None, &["https://b.test"], "https://b.test/ b:read");
        check("c:read", None, &["urn:c"], "urn:c c:read");
        check("a:read", None, &["https://a.test", "https://a.test"], "https://a.test a:read");
        for bad in [
            "a.test",
            "/a",
            "https://a.test#x",
            "https://a.test/#x",
            "https://a.test?x",
            "https://A.test",
            "http://a.test",
            "https://a.test:443",
            "https://a.test//",
            "https://e.test",
            "https://b.test",
            "urn:c/",
            "\u{e9}",
        ] {
            check("a:read c:read", None, &[bad], "invalid_target");
        }
        check("d:read", None, &["https://d.test/v1/"], "invalid_target");
        check("a:read b:read", None, &["https://a.test", "https://b.test"], "invalid_target");
    }

    #[test]
    fn x02_a_scope_is_cut_to_what_the_resource_knows() {
        check("a:read b:read", Some("a:read b:read"), &["https://b.test/"], "https://b.test/ b:read");
        check("a:read b:read", Some("a:read"), &["https://b.test/"], "invalid_scope");
        check("a:read b:read", Some("a:read b:read c:read"), &["https://b.test/"], "invalid_scope");
    }
}
