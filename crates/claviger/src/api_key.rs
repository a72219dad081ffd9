//! `claviger api-key`: the keys of service accounts.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use claviger_token::Secret;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::{
    body::{Body, Expiry, Switch, json_value},
    client::{Output, Remote, Service},
    duration,
    failure::Failure,
    limits::{self, LimitChanges, Limits, Quota, RateLimit},
    noun::{self, Noun, Paging, joined, or, short},
    output,
};

/// Make, list, show, change, roll and revoke API keys
#[derive(Debug, Args)]
pub(crate) struct ApiKey {
    #[command(flatten)]
    remote: Remote,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make one; its token goes to stdout, this once
    Create(Create),
    /// List them, newest first
    List(List),
    /// Show one; never its token
    Show {
        /// key_…
        id: String,
    },
    /// Change one; its token stays
    Update(Update),
    /// Give one a new token; it goes to stdout, this once
    Roll {
        /// key_…
        id: String,
        #[command(flatten)]
        overlap: Overlap,
    },
    /// End one, for good
    Revoke {
        /// key_…
        id: String,
        /// unspecified, superseded, compromised, owner_left, policy or unused
        #[arg(long)]
        reason: Option<String>,
    },
    /// End one and take it out of the lists
    Delete {
        /// key_…
        id: String,
    },
}

#[derive(Debug, Args)]
struct Create {
    /// Whose it will be: sa_…
    #[arg(long, value_name = "ID")]
    service_account: String,
    /// How you will recognize it
    #[arg(long)]
    name: String,
    /// What it may do; may be given several times. "*" follows the service account
    #[arg(long = "permission", value_name = "PERMISSION", required = true)]
    permissions: Vec<String>,
    /// live or test
    #[arg(long)]
    environment: Option<String>,
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    limits: Limits,
}

#[derive(Debug, Args)]
struct Update {
    /// key_…
    id: String,
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

/// What can be said when a key is made and later.
#[derive(Debug, Args)]
struct Common {
    /// On which objects only, such as repo:acme/*; may be given several times
    #[arg(long = "object", value_name = "OBJECT")]
    objects: Vec<String>,
    /// From when on it works (RFC 3339)
    #[arg(long, value_name = "TIME")]
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

#[derive(Debug, Args)]
struct List {
    /// Of one organization: its id or slug
    #[arg(long, value_name = "ORGANIZATION")]
    organization: Option<String>,
    /// Of one service account
    #[arg(long, value_name = "ID")]
    service_account: Option<String>,
    /// active, revoked, disabled, expired or not_yet_valid
    #[arg(long)]
    status: Option<String>,
    /// With this text in the name
    #[arg(short, long, value_name = "TEXT")]
    query: Option<String>,
    #[command(flatten)]
    paging: Paging,
}

/// How a key, or one's own credential, gets a new token.
#[derive(Debug, Args)]
pub(crate) struct Overlap {
    /// For how long the token before works on, such as 24h [default: it ends now]
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    overlap: Option<std::time::Duration>,
}

/// What the tables need of a key.
#[derive(Debug, Deserialize)]
struct Key {
    id: String,
    organization_id: String,
    service_account_id: String,
    name: String,
    status: String,
    revoked_at: Option<String>,
    revoke_reason: Option<String>,
    environment: String,
    permissions: Vec<String>,
    objects: Option<Vec<String>>,
    allowed_networks: Option<Vec<String>>,
    not_before: Option<String>,
    expires_at: Option<String>,
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
struct Generation {
    number: u32,
    state: String,
    hint: String,
    ends_at: Option<String>,
    last_used_at: Option<String>,
    last_used_from: Option<String>,
}

pub(crate) fn run(ApiKey { remote, command }: ApiKey) -> Result<ExitCode, Failure> {
    let service = remote.service()?;
    match command {
        Command::Create(create) => issued(&service, &service.post(&["api-keys"], &create.body()?)?, "made")?,
        Command::List(list) => list.run(&service)?,
        Command::Show { id } => noun::show::<Key>(&service, &id)?,
        Command::Update(mut update) => {
            let id = std::mem::take(&mut update.id);
            noun::update::<Key>(&service, &id, &update.body()?)?;
        }
        Command::Roll { id, overlap } => {
            issued(&service, &service.post(&["api-keys", &id, "roll"], &overlap.body())?, "rolled")?;
        }
        Command::Revoke { id, reason } => {
            let answer = service.post(&["api-keys", &id, "revoke"], &Body::new().with("reason", reason).json())?;
            noun::shown::<Key>(&service, &answer)?;
            output::note("Revoked: refused on that node from now on, and on every other within a second.");
        }
        Command::Delete { id } => noun::delete::<Key>(&service, &id, "Its tokens are refused from now on.")?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The token alone to stdout, what it belongs to beside it.
pub(crate) fn issued(service: &Service, answer: &str, done: &str) -> Result<(), Failure> {
    if service.output == Output::Json {
        return output::json(answer);
    }
    let mut key: Key = noun::understood(answer)?;
    let token = key.token.take().map(Secret::new).ok_or_else(|| Failure::new("the answer holds no token"))?;
    output::secret(&token)?;
    let key = noun::detailed(key);
    output::note(&format!("{key}\n\nThe key was {done}. Keep the token now: it is not shown again."));
    Ok(())
}

impl Overlap {
    pub(crate) fn body(&self) -> Json {
        json!({ "overlap_seconds": self.overlap.unwrap_or_default().as_secs() })
    }
}

impl Create {
    fn body(self) -> Result<Json, Failure> {
        let body = Body::new()
            .with("service_account_id", Some(self.service_account))
            .with("name", Some(self.name))
            .with("permissions", Some(self.permissions))
            .with("environment", self.environment);
        Ok(self.limits.write(self.common.write(body)?).json())
    }
}

impl Update {
    fn body(self) -> Result<Json, Failure> {
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
    fn write(self, body: Body) -> Result<Body, Failure> {
        Ok(body
            .with_list("objects", self.objects)
            .with("not_before", self.not_before.map(|at| at.to_string()))
            .with("expires_at", self.expiry.at()?)
            .with_list("allowed_networks", self.allowed_networks)
            .with("metadata", self.metadata))
    }
}

impl List {
    fn run(&self, service: &Service) -> Result<(), Failure> {
        let organization = service.organization_id(self.organization.as_deref())?;
        let filters = [
            ("organization_id", organization.as_deref()),
            ("service_account_id", self.service_account.as_deref()),
            ("status", self.status.as_deref()),
            ("q", self.query.as_deref()),
        ];
        noun::list::<Key>(service, &self.paging, &filters)
    }
}

impl Noun for Key {
    const PATH: &'static str = "api-keys";
    const COMMAND: &'static str = "api-key";
    const TITLES: &'static [&'static str] = &["ID", "NAME", "STATUS", "PERMISSIONS", "HINT", "EXPIRES", "LAST USED"];

    fn row(self) -> Vec<String> {
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

    fn details(self) -> Vec<(&'static str, String)> {
        let end = self.revoked_at.map(|at| format!(" {at} ({})", or(self.revoke_reason, "unspecified")));
        let mut rows = vec![
            ("id", self.id),
            ("name", self.name),
            ("status", self.status + &end.unwrap_or_default()),
            ("organization", self.organization_id),
            ("service account", self.service_account_id),
            ("environment", self.environment),
            ("permissions", joined(Some(self.permissions), "none")),
            ("objects", joined(self.objects, "any")),
            ("networks", joined(self.allowed_networks, "any")),
            ("rate limits", limits::shown(self.rate_limits)),
            ("quota", limits::shown_quota(self.quota)),
            ("not before", or(self.not_before, "-")),
            ("expires", or(self.expires_at, "never")),
            ("last used", or(self.last_used_at, "never")),
            ("created", format!("{} by {}", self.created_at, self.created_by)),
            ("metadata", self.metadata.to_string()),
        ];
        for Generation { number, state, hint, ends_at, last_used_at, last_used_from } in self.generations {
            let end = ends_at.map(|at| format!(", ends {at}")).unwrap_or_default();
            let from = last_used_from.map(|from| format!(" from {from}")).unwrap_or_default();
            let used = or(last_used_at, "never");
            rows.push(("secret", format!("{number}: {hint}… {state}{end}, last used {used}{from}")));
        }
        rows
    }
}
