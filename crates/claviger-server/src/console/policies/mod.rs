//! `/organizations/{organization}/policy`: the rules for an organization's credentials, each with what it means, for who holds
//! `claviger:organizations:read`; with `claviger:organizations:write` they are changed, after what stricter ones would do was told.

pub(super) mod change;
pub(super) mod detail;
#[cfg(test)]
pub(super) mod samples;

use claviger_core::Kind;

use super::shell::Here;

fn path_of(here: &Here) -> String {
    here.path("/policy")
}

/// The rules in the order of the pages: the field, which the API calls so too, and the keys of what it is called and what it means.
const RULES: [(&str, &str, &str); 10] = [
    ("pat_max_lifetime_days", "policy-pat-max", "policy-pat-max-what"),
    ("pat_default_lifetime_days", "policy-pat-default", "policy-pat-default-what"),
    ("api_key_max_lifetime_days", "policy-key-max", "policy-key-max-what"),
    ("expiry_required", "policy-expiry", "policy-expiry-what"),
    ("revoke_after_unused_days", "policy-unused", "policy-unused-what"),
    ("allowed_kinds", "policy-kinds", "policy-kinds-what"),
    ("wildcard_allowed", "policy-wildcard", "policy-wildcard-what"),
    ("members_must_name_objects", "policy-objects", "policy-objects-what"),
    ("allowed_networks", "policy-networks", "policy-networks-what"),
    ("approval_required", "policy-approval", "policy-approval-what"),
];

/// What a rule is called and what it means: the keys of both texts.
fn words_of(rule: &str) -> (&'static str, &'static str) {
    let known = RULES.iter().find(|(field, ..)| *field == rule);
    known.map_or(("policy-title", "policy-what"), |(_, label, what)| (label, what))
}

/// The key of what a kind of credential is called.
fn kind_words(kind: Kind) -> &'static str {
    match kind {
        Kind::ApiKey => "nav-api-keys",
        Kind::PersonalAccessToken => "nav-tokens",
        Kind::ClientSecret => "policy-client-secrets",
        Kind::PublicKey => "policy-public-keys",
        Kind::Certificate => "policy-certificates",
        Kind::Federation => "policy-federations",
    }
}
