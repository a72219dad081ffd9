//! The rules as they stand.

use askama::Template;
use axum::{extract::State, response::Response};
use claviger_core::{Policy, permission};

use super::{RULES, kind_words, path_of};
use crate::{
    app::App,
    console::{
        inside::Inside,
        page::{Frame, page},
        trouble::Trouble,
    },
};

#[derive(Template)]
#[template(path = "policy.html")]
pub(crate) struct PolicyPage {
    pub(crate) frame: Frame,
    pub(crate) path: String,
    pub(crate) rules: Vec<Rule>,
    pub(crate) changes: bool,
}

/// A rule: what it is called, how it stands, and what it means.
pub(crate) struct Rule {
    pub(crate) label: String,
    pub(crate) value: String,
    pub(crate) what: String,
}

/// `GET …/policy`.
pub(crate) async fn show(State(app): State<App>, inside: Inside) -> Result<Response, Trouble> {
    let here = &inside.here;
    here.must(permission::ORGANIZATIONS_READ)?;
    let frame = inside.place(&app).frame().await?;
    let rule = |(field, label, what): &(&str, &str, &str)| Rule {
        label: frame.text(label),
        value: value(&here.organization.policy, field, &frame),
        what: frame.text(what),
    };
    let rules = RULES.iter().map(rule).collect();
    let changes = here.person.may(permission::ORGANIZATIONS_WRITE);
    Ok(page(&PolicyPage { path: path_of(here), rules, changes, frame }, []))
}

/// How a rule stands, in words.
fn value(policy: &Policy, field: &str, frame: &Frame) -> String {
    let days = |days: Option<u32>| match days {
        None => frame.text("policy-no-bound"),
        Some(days) => frame.text_counting("policy-days", usize::try_from(days).unwrap_or_default()),
    };
    let yes = |is_so: bool| frame.text(if is_so { "policy-yes" } else { "policy-no" });
    match field {
        "pat_max_lifetime_days" => days(policy.pat_max_lifetime_days),
        "pat_default_lifetime_days" => days(policy.pat_default_lifetime_days),
        "api_key_max_lifetime_days" => days(policy.api_key_max_lifetime_days),
        "revoke_after_unused_days" => days(policy.revoke_after_unused_days),
        "expiry_required" => yes(policy.expiry_required),
        "wildcard_allowed" => yes(policy.wildcard_allowed),
        "members_must_name_objects" => yes(policy.members_must_name_objects),
        "approval_required" => yes(policy.approval_required),
        "allowed_kinds" => match &policy.allowed_kinds {
            None => frame.text("policy-all"),
            Some(kinds) if kinds.is_empty() => frame.text("policy-none"),
            Some(kinds) => kinds.iter().map(|kind| frame.text(kind_words(*kind))).collect::<Vec<_>>().join(", "),
        },
        _ => match &policy.allowed_networks {
            None => frame.text("policy-all"),
            Some(networks) => networks.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        },
    }
}
