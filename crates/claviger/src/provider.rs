//! The settings `oidc_…`: an outside OpenID Connect provider by which people may sign in. Three of them make one, and none of
//! the others means anything without.

use claviger_core::GroupRole;
use claviger_server::ProviderAt;
use claviger_token::Secret;

use crate::{failure::Failure, given::Given};

const NEEDED: [&str; 3] = ["oidc_issuer", "oidc_client_id", "oidc_client_secret"];
const OTHERS: [&str; 5] = ["oidc_name", "oidc_scopes", "oidc_groups_claim", "oidc_group_roles", "oidc_create_users"];
const DEFAULT_SCOPES: [&str; 3] = ["openid", "email", "profile"];

const ISSUER: &str =
    "the provider's issuer, exactly as it calls itself: an https:// address (http:// only on loopback)";
const TEXT: &str = "1 to 500 visible ASCII characters";
const NAME: &str = "1 to 50 characters";
const SCOPES: &str = "scopes, such as openid, email, profile";
const GROUP_ROLES: &str = "GROUP=ORGANIZATION:ROLE for each, such as engineers=acme:member";

/// The provider, if there is one.
pub(crate) fn read(given: &Given) -> Result<Option<ProviderAt>, Failure> {
    let visible = |text: &str| {
        let sound = (1..=500).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        sound.then(|| text.to_owned())
    };
    let issuer = given.checked("oidc_issuer", ISSUER, |text| ProviderAt::is_issuer(text).then(|| text.to_owned()))?;
    let client_id = given.checked("oidc_client_id", TEXT, visible)?;
    let client_secret = given.secret("oidc_client_secret", TEXT, |text| visible(text).map(Secret::new))?;
    let name = given.checked("oidc_name", NAME, |text| {
        let sound = (1..=50).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        sound.then(|| text.to_owned())
    })?;
    let scopes = given.list("oidc_scopes", SCOPES, |text| visible(text).filter(|text| !text.contains(['"', '\\'])))?;
    let groups_claim = given.checked("oidc_groups_claim", "the name of a claim, such as groups", visible)?;
    let group_roles = given.list("oidc_group_roles", GROUP_ROLES, |text| text.parse::<GroupRole>().ok())?;
    let create_users = given.parse("oidc_create_users", "true or false")?;

    let is_given = |names: &[&'static str]| names.iter().copied().find(|name| given.has(name));
    let Some(first) = is_given(&NEEDED).or(is_given(&OTHERS)) else { return Ok(None) };
    if let Some(missing) = NEEDED.into_iter().find(|name| !given.has(name)) {
        let variable = format!("CLAVIGER_{}", missing.to_ascii_uppercase());
        let line = format!(
            "{first} is set and {missing} is not; set {missing} ({variable}) too, or remove every oidc_… setting"
        );
        return given.refuse(Failure::new(line));
    }
    if given.has("oidc_group_roles") && !given.has("oidc_groups_claim") {
        let line = "oidc_group_roles is set and oidc_groups_claim is not; set oidc_groups_claim \
                    (CLAVIGER_OIDC_GROUPS_CLAIM) to the claim that tells groups, such as groups";
        return given.refuse(Failure::new(line.to_owned()));
    }
    let (Some(issuer), Some(client_id), Some(client_secret)) = (issuer, client_id, client_secret) else {
        return Ok(None);
    };
    Ok(Some(ProviderAt {
        issuer,
        client_id,
        client_secret,
        name: name.unwrap_or_else(|| "OpenID Connect".to_owned()),
        scopes: scopes.unwrap_or_else(|| DEFAULT_SCOPES.map(str::to_owned).into()),
        groups_claim,
        group_roles: group_roles.unwrap_or_default(),
        create_users: create_users.unwrap_or(false),
    }))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const WHOLE: [(&str, &str); 3] = [
        ("CLAVIGER_OIDC_ISSUER", "https://idp.acme.test"),
        ("CLAVIGER_OIDC_CLIENT_ID", "claviger"),
        ("CLAVIGER_OIDC_CLIENT_SECRET", "hunter2"),
    ];

    fn load(variables: &[(&str, &str)]) -> Result<Option<ProviderAt>, String> {
        let variables = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        let given = Given::gather(Path::new("absent.toml"), variables, std::iter::empty());
        given.and_then(|given| read(&given)).map_err(|failure| failure.to_string())
    }

    #[test]
    fn three_settings_make_a_provider() {
        assert!(load(&[]).unwrap().is_none());
        let provider = load(&WHOLE).unwrap().unwrap();
        assert_eq!(
            (provider.issuer.as_str(), provider.scopes.join(" ").as_str()),
            ("https://idp.acme.test", "openid email profile")
        );
        assert!(!provider.create_users && provider.groups_claim.is_none() && provider.group_roles.is_empty());
        assert!(!format!("{provider:?}").contains("hunter2"));
    }

    #[test]
    fn a_setting_without_its_partners_is_refused_with_what_to_set() {
        let check = |variables: &[(&str, &str)], expected: &[&str]| {
            let said = load(variables).unwrap_err();
            assert!(expected.iter().all(|part| said.contains(part)), "{said}");
            assert!(!said.contains("hunter2"), "{said}");
        };
        check(&WHOLE[..1], &["oidc_issuer is set and oidc_client_id is not", "CLAVIGER_OIDC_CLIENT_ID"]);
        check(&WHOLE[..2], &["CLAVIGER_OIDC_CLIENT_SECRET"]);
        check(&WHOLE[1..], &["CLAVIGER_OIDC_ISSUER"]);
        check(&[("CLAVIGER_OIDC_NAME", "Acme")], &["oidc_name is set and oidc_issuer is not"]);
        let with = |name, value| [WHOLE.as_slice(), &[(name, value)]].concat();
        check(&with("CLAVIGER_OIDC_GROUP_ROLES", "ops=acme:member"), &["CLAVIGER_OIDC_GROUPS_CLAIM"]);
        check(&with("CLAVIGER_OIDC_GROUP_ROLES", "ops"), &["\"ops\"", "engineers=acme:member"]);
        check(&with("CLAVIGER_OIDC_CREATE_USERS", "yes"), &["true or false"]);
        check(
            &with("CLAVIGER_OIDC_ISSUER", "http://idp.acme.test"),
            &["oidc_issuer in CLAVIGER_OIDC_ISSUER", "https://"],
        );
        check(&with("CLAVIGER_OIDC_CLIENT_SECRET", "hunter2 "), &["oidc_client_secret in"]);
    }
}
