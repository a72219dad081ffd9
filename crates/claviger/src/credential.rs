//! What the commands of every kind of credential share: the flags that say what one may do, and how one is shown.

use clap::{Args, builder::PossibleValuesParser};
use claviger_core::RevokeReason;
use claviger_token::Secret;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::{
    body::{Body, Expiry, Switch, json_value},
    client::{Output, Service},
    duration,
    failure::Failure,
    limits::{self, LimitChanges, Quota, RateLimit},
    noun::{self, joined, or, short},
    output, time,
};

/// What can be changed.
#[derive(Debug, Args)]
pub(crate) struct Changes {
    /// New name
    #[arg(long)]
    name: Option<String>,
    /// All that it may do from now on; may be given several times
    #[arg(long = "permission", value_name = "PERMISSION")]
    permissions: Vec<String>,
    /// Nothing that it may do from now on
    #[arg(long, conflicts_with = "permissions")]
    no_permissions: bool,
    #[command(flatten)]
    common: Common,
    /// Good for every object from now on
    #[arg(long, conflicts_with = "objects")]
    no_objects: bool,
    /// Good from every network from now on
    #[arg(long, conflicts_with = "allowed_networks")]
    no_allowed_networks: bool,
    /// No end
    #[arg(long, conflicts_with_all = ["expires_at", "expires_in"])]
    no_expiry: bool,
    /// It works at once
    #[arg(long, conflicts_with = "not_before")]
    no_not_before: bool,
    #[command(flatten)]
    limits: LimitChanges,
    #[command(flatten)]
    switch: Switch,
}

/// What can be said when a credential is made and later.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// On which objects only, such as repo:acme/*; may be given several times
    #[arg(long = "object", value_name = "OBJECT")]
    objects: Vec<String>,
    /// From when on it works (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    not_before: Option<Timestamp>,
    #[command(flatten)]
    expiry: Expiry,
    /// From which network only (CIDR); may be given several times
    #[arg(long = "allowed-network", value_name = "CIDR")]
    allowed_networks: Vec<String>,
    /// A JSON object; the verify call hands it back
    #[arg(long, value_name = "JSON", value_parser = json_value)]
    metadata: Option<Json>,
}

/// How a credential, or one's own credential, gets a new token.
#[derive(Debug, Args)]
pub(crate) struct Overlap {
    /// For how long the one before works on; 0s ends it now, as one that leaked should
    #[arg(long, value_name = "TIME", value_parser = duration::parse, default_value = "24h")]
    overlap: std::time::Duration,
}

/// What the tables need of a credential.
#[derive(Debug, Deserialize)]
pub(crate) struct Credential {
    id: String,
    organization_id: String,
    service_account_id: Option<String>,
    user_id: Option<String>,
    pending_since: Option<String>,
    approval_url: Option<String>,
    name: String,
    #[serde(default)]
    look_alike: bool,
    #[serde(default)]
    look_alikes: Vec<LookAlike>,
    status: String,
    revoked_at: Option<String>,
    revoke_reason: Option<String>,
    environment: String,
    permissions: Vec<String>,
    objects: Option<Vec<String>>,
    allowed_networks: Option<Vec<String>>,
    not_before: Option<String>,
    expires_at: Option<String>,
    #[serde(default)]
    cnf: Option<Json>,
    rate_limits: Option<Vec<RateLimit>>,
    quota: Option<Quota>,
    last_used_at: Option<String>,
    created_at: String,
    created_by: String,
    generations: Vec<Generation>,
    metadata: Json,
    token: Option<String>,
}

#[derive(Debug, Deserialize)]
struct LookAlike {
    id: String,
    name: String,
    principal_id: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Generation {
    number: u32,
    state: String,
    pub(crate) hint: String,
    ends_at: Option<String>,
    last_used_at: Option<String>,
    last_used_from: Option<String>,
}

/// The token alone to stdout, what it belongs to beside it. `done` says what happened.
pub(crate) fn issued(service: &Service, answer: &str, done: &str) -> Result<(), Failure> {
    if service.output == Output::Json {
        return output::json(answer);
    }
    let mut made: Credential = noun::understood(answer)?;
    let token = made.token.take().map(Secret::new).ok_or_else(|| Failure::new("the answer holds no token"))?;
    output::secret(&token)?;
    let (warning, approval) = (made.warning(), made.approval_url.clone());
    let rows = made.details().into_iter().map(|(name, value)| (name.to_owned(), value));
    let made = output::details(rows);
    output::note(&format!("{made}\n\n{done}. Keep the token now: it is not shown again."));
    if let Some(url) = approval {
        let url = output::printable(&url);
        output::note(&format!("It waits for an approval. Send this to an administrator: {url}"));
    }
    if let Some(warning) = warning {
        output::note(&warning);
    }
    Ok(())
}

/// The same of one that had a token before, and what becomes of that.
pub(crate) fn rolled(service: &Service, answer: &str, done: &str) -> Result<(), Failure> {
    issued(service, answer, done)?;
    if service.output == Output::Table {
        output::note(&fate_of_old(&noun::understood::<Credential>(answer)?.generations));
    }
    Ok(())
}

/// What becomes of the secret before the newest.
pub(crate) fn fate_of_old(generations: &[Generation]) -> String {
    let old = generations.get(1).filter(|old| old.state == "retiring").and_then(|old| old.ends_at.as_deref());
    match old {
        Some(end) => format!("The one before works until {} at the latest.", output::printable(end)),
        None => "The one before stopped now.".to_owned(),
    }
}

/// Why something may be said to end.
pub(crate) fn reasons() -> PossibleValuesParser {
    RevokeReason::ALL.map(RevokeReason::as_str).into()
}

impl Overlap {
    pub(crate) fn body(&self) -> Json {
        json!({ "overlap_seconds": self.overlap.as_secs() })
    }
}

impl Changes {
    pub(crate) fn body(self) -> Result<Json, Failure> {
        let body = Body::new()
            .with("name", self.name)
            .with_list("permissions", self.permissions)
            .without_any("permissions", self.no_permissions)
            .without("objects", self.no_objects)
            .without("allowed_networks", self.no_allowed_networks)
            .without("expires_at", self.no_expiry)
            .without("not_before", self.no_not_before)
            .with("disabled", self.switch.disabled());
        self.limits.write(self.common.write(body)?).changes()
    }
}

impl Common {
    pub(crate) fn write(self, body: Body) -> Result<Body, Failure> {
        Ok(body
            .with_list("objects", self.objects)
            .with("not_before", self.not_before.map(|at| at.to_string()))
            .with("expires_at", self.expiry.at()?)
            .with_list("allowed_networks", self.allowed_networks)
            .with("metadata", self.metadata))
    }
}

impl Credential {
    pub(crate) const TITLES: &'static [&'static str] =
        &["ID", "NAME", "STATUS", "PERMISSIONS", "HINT", "EXPIRES", "LAST USED"];

    pub(crate) fn row(self) -> Vec<String> {
        let hint = self.generations.first().map(|generation| generation.hint.clone());
        vec![
            self.id,
            self.name,
            self.status,
            self.permissions.join(" "),
            hint.unwrap_or_default(),
            self.expires_at.map_or_else(|| "never".to_owned(), |at| short(&at)),
            self.last_used_at.map_or_else(|| "never".to_owned(), |at| short(&at)),
        ]
    }

    /// That another is called alike, and which, as far as whoever asks may see it.
    pub(crate) fn warning(&self) -> Option<String> {
        let called = |one: &LookAlike| format!("{} ({} of {})", one.name, one.id, one.principal_id);
        let seen: Vec<String> = self.look_alikes.iter().map(called).collect();
        let seen = if seen.is_empty() { String::new() } else { format!(": {}", seen.join(", ")) };
        let warning = format!("Look closely: another credential of this organization is called alike{seen}");
        self.look_alike.then(|| output::printable(&warning))
    }

    pub(crate) fn details(self) -> Vec<(&'static str, String)> {
        let end = self.revoked_at.map(|at| format!(" {at} ({})", or(self.revoke_reason, "unspecified")));
        let mut rows = vec![
            ("id", self.id),
            ("name", self.name),
            ("status", self.status + &end.unwrap_or_default()),
            ("organization", self.organization_id),
            ("environment", self.environment),
            ("permissions", joined(Some(self.permissions), "none")),
            ("objects", joined(self.objects, "any")),
            ("networks", joined(self.allowed_networks, "any")),
            ("bound to", self.cnf.as_ref().map_or_else(|| "nothing".to_owned(), bound_to)),
            ("rate limits", limits::shown(self.rate_limits)),
            ("quota", limits::shown_quota(self.quota)),
            ("not before", or(self.not_before, "-")),
            ("expires", or(self.expires_at, "never")),
            ("last used", or(self.last_used_at, "never")),
            ("created", format!("{} by {}", self.created_at, self.created_by)),
            ("metadata", self.metadata.to_string()),
        ];
        let owner = [
            ("service account", self.service_account_id),
            ("user", self.user_id),
            ("waits since", self.pending_since),
            ("approval at", self.approval_url),
        ];
        rows.extend(owner.into_iter().filter_map(|(title, value)| Some((title, value?))));
        rows.extend(self.generations.into_iter().map(|generation| ("secret", generation.shown())));
        rows
    }
}

/// What must be proved with it, as in `jkt 0ZcO…`.
fn bound_to(cnf: &Json) -> String {
    let members = cnf.as_object().into_iter().flatten();
    let shown = members.map(|(name, value)| format!("{name} {}", value.as_str().unwrap_or_default()));
    shown.collect::<Vec<_>>().join(", ")
}

impl Generation {
    /// On a line.
    pub(crate) fn shown(self) -> String {
        let Self { number, state, hint, ends_at, last_used_at, last_used_from } = self;
        let end = ends_at.map(|at| format!(", ends {at}")).unwrap_or_default();
        let from = last_used_from.map(|from| format!(" from {from}")).unwrap_or_default();
        let used = or(last_used_at, "never");
        format!("{number}: {hint}… {state}{end}, last used {used}{from}")
    }
}
