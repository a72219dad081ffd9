//! `claviger org policy`: what an organization's credentials must be like.

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::Value as Json;

use crate::{
    body::Body,
    client::{Output, Service},
    failure::Failure,
    noun, output,
};

#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    /// Show it
    Show {
        /// Id or slug of the organization
        organization: String,
    },
    /// Change it, for every credential there is; with --preview, show which it would touch
    Update(Box<Update>),
}

#[derive(Debug, Args)]
pub(crate) struct Update {
    /// Id or slug of the organization
    organization: String,
    /// Change nothing: show which credentials the stricter rules would touch, and how
    #[arg(long)]
    preview: bool,
    /// The longest life of an API key
    #[arg(long, value_name = "DAYS")]
    api_key_max_lifetime_days: Option<u32>,
    /// API keys may live for ever
    #[arg(long, conflicts_with = "api_key_max_lifetime_days")]
    no_api_key_max_lifetime_days: bool,
    /// The longest life of a personal access token
    #[arg(long, value_name = "DAYS")]
    pat_max_lifetime_days: Option<u32>,
    /// Personal access tokens may live for ever
    #[arg(long, conflicts_with = "pat_max_lifetime_days")]
    no_pat_max_lifetime_days: bool,
    /// The life of a personal access token that names no end
    #[arg(long, value_name = "DAYS")]
    pat_default_lifetime_days: Option<u32>,
    /// Such a token has no end
    #[arg(long, conflicts_with = "pat_default_lifetime_days")]
    no_pat_default_lifetime_days: bool,
    /// Whether every credential must name its end
    #[arg(long, value_name = "BOOL")]
    expiry_required: Option<bool>,
    /// Kind of credential that may be made, such as api_key; may be given several times
    #[arg(long = "allowed-kind", value_name = "KIND")]
    allowed_kinds: Vec<String>,
    /// Every kind may be made
    #[arg(long, conflicts_with = "allowed_kinds")]
    no_allowed_kinds: bool,
    /// Whether new personal access tokens wait for an approval
    #[arg(long, value_name = "BOOL")]
    approval_required: Option<bool>,
    /// Network from which credentials may be used (CIDR); may be given several times
    #[arg(long = "allowed-network", value_name = "CIDR")]
    allowed_networks: Vec<String>,
    /// Credentials may be used from every network
    #[arg(long, conflicts_with = "allowed_networks")]
    no_allowed_networks: bool,
    /// After how many days without use a credential ends
    #[arg(long, value_name = "DAYS")]
    revoke_after_unused_days: Option<u32>,
    /// Credentials stay, however long nobody uses them
    #[arg(long, conflicts_with = "revoke_after_unused_days")]
    no_revoke_after_unused_days: bool,
    /// Whether a credential may follow its principal with "*"
    #[arg(long, value_name = "BOOL")]
    wildcard_allowed: Option<bool>,
    /// Whether members must name objects on their personal access tokens
    #[arg(long, value_name = "BOOL")]
    members_must_name_objects: Option<bool>,
}

impl Policy {
    pub(crate) fn run(self, service: &Service) -> Result<(), Failure> {
        match self {
            Self::Show { organization } => {
                let id = service.organization(&organization)?;
                shown(service, &service.get(&["organizations", &id, "policy"], &[])?)
            }
            Self::Update(mut update) => {
                let called = std::mem::take(&mut update.organization);
                let preview = update.preview;
                let changes = update.body()?;
                let id = service.organization(&called)?;
                if preview {
                    return previewed(service, &service.post(&["organizations", &id, "policy", "preview"], &changes)?);
                }
                shown(service, &service.patch(&["organizations", &id, "policy"], &changes)?)?;
                output::note(
                    "Changed: it holds for every credential, on that node from now on, and on every other within a second.",
                );
                Ok(())
            }
        }
    }
}

impl Update {
    fn body(self) -> Result<Json, Failure> {
        Body::new()
            .with("api_key_max_lifetime_days", self.api_key_max_lifetime_days)
            .without("api_key_max_lifetime_days", self.no_api_key_max_lifetime_days)
            .with("pat_max_lifetime_days", self.pat_max_lifetime_days)
            .without("pat_max_lifetime_days", self.no_pat_max_lifetime_days)
            .with("pat_default_lifetime_days", self.pat_default_lifetime_days)
            .without("pat_default_lifetime_days", self.no_pat_default_lifetime_days)
            .with("expiry_required", self.expiry_required)
            .with_list("allowed_kinds", self.allowed_kinds)
            .without("allowed_kinds", self.no_allowed_kinds)
            .with("approval_required", self.approval_required)
            .with_list("allowed_networks", self.allowed_networks)
            .without("allowed_networks", self.no_allowed_networks)
            .with("revoke_after_unused_days", self.revoke_after_unused_days)
            .without("revoke_after_unused_days", self.no_revoke_after_unused_days)
            .with("wildcard_allowed", self.wildcard_allowed)
            .with("members_must_name_objects", self.members_must_name_objects)
            .changes()
    }
}

/// A stricter rule, and what it would touch.
#[derive(Debug, Deserialize)]
struct Touch {
    rule: String,
    effect: String,
    count: u64,
    credentials: Vec<Touched>,
}

#[derive(Debug, Deserialize)]
struct Touched {
    id: String,
    name: String,
}

#[derive(Debug, Deserialize)]
struct Preview {
    touches: Vec<Touch>,
}

fn previewed(service: &Service, answer: &str) -> Result<(), Failure> {
    if service.output == Output::Json {
        return output::json(answer);
    }
    let Preview { touches } = noun::understood(answer)?;
    if touches.is_empty() {
        output::note("No rule would become stricter: nothing that exists would change.");
        return Ok(());
    }
    let row = |touch: Touch| {
        let newest = touch.credentials.iter().take(3).map(|one| format!("{} ({})", one.id, one.name));
        let newest = newest.collect::<Vec<_>>().join(", ");
        let more = if touch.count > 3 { ", …" } else { "" };
        vec![touch.rule, touch.effect.replace('_', " "), touch.count.to_string(), newest + more]
    };
    output::answer(&output::table(&["RULE", "EFFECT", "CREDENTIALS", "NEWEST"], touches.into_iter().map(row)))?;
    output::note("Nothing was changed. Without --preview, it is.");
    Ok(())
}

/// Whatever members it has, under the names by which they are changed.
fn shown(service: &Service, answer: &str) -> Result<(), Failure> {
    if service.output == Output::Json {
        return output::json(answer);
    }
    let policy: BTreeMap<String, Json> = noun::understood(answer)?;
    let value = |value: Json| match value {
        Json::Null => "-".to_owned(),
        Json::Array(items) => items.iter().map(|item| item.as_str().unwrap_or_default()).collect::<Vec<_>>().join(" "),
        other @ (Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Object(_)) => other.to_string(),
    };
    output::answer(&output::details(policy.into_iter().map(|(name, item)| (name.replace('_', "-"), value(item)))))
}
