//! `claviger api-key`: over HTTP, as any other caller.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use claviger_token::Secret;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json, value::RawValue};

use crate::{
    client::{Output, Remote, Service},
    duration,
    failure::Failure,
    output,
};

/// Make, list, show, roll and revoke API keys
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
    /// Give one a new token; it goes to stdout, this once
    Roll {
        /// key_…
        id: String,
        /// For how long the token before works on, such as 24h [default: it ends now]
        #[arg(long, value_name = "TIME", value_parser = duration::parse)]
        overlap: Option<std::time::Duration>,
    },
    /// End one, for good
    Revoke {
        /// key_…
        id: String,
        /// unspecified, superseded, compromised, owner_left, policy or unused
        #[arg(long)]
        reason: Option<String>,
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
    /// On which objects only, such as repo:acme/*; may be given several times
    #[arg(long = "object", value_name = "OBJECT")]
    objects: Vec<String>,
    /// live or test
    #[arg(long)]
    environment: Option<String>,
    /// From when on it works (RFC 3339)
    #[arg(long, value_name = "TIME")]
    not_before: Option<Timestamp>,
    /// When it ends (RFC 3339)
    #[arg(long, value_name = "TIME")]
    expires_at: Option<Timestamp>,
    /// After what time it ends, such as 90d
    #[arg(long, value_name = "TIME", conflicts_with = "expires_at", value_parser = duration::parse)]
    expires_in: Option<std::time::Duration>,
    /// From which network only (CIDR); may be given several times
    #[arg(long = "allowed-network", value_name = "CIDR")]
    allowed_networks: Vec<String>,
    /// A JSON object; the verify call hands it back
    #[arg(long, value_name = "JSON", value_parser = json_value)]
    metadata: Option<Json>,
}

#[derive(Debug, Args)]
struct List {
    /// Of one organization
    #[arg(long, value_name = "ID")]
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
    /// How many at most, or with --all how many at a time: 1 to 200
    #[arg(long)]
    limit: Option<u32>,
    /// Every page
    #[arg(long)]
    all: bool,
}

/// What the tables need of a key.
#[derive(Debug, Deserialize)]
struct Key {
    id: String,
    organization_id: String,
    service_account_id: String,
    name: String,
    status: String,
    environment: String,
    permissions: Vec<String>,
    objects: Option<Vec<String>>,
    allowed_networks: Option<Vec<String>>,
    not_before: Option<String>,
    expires_at: Option<String>,
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
}

/// A page of a list, or several made one. The items stay the service's own bytes.
#[derive(Debug, Serialize, Deserialize)]
struct Page {
    items: Vec<Box<RawValue>>,
    next_cursor: Option<String>,
}

pub(crate) fn run(ApiKey { remote, command }: ApiKey) -> Result<ExitCode, Failure> {
    let (service, output) = (remote.service()?, remote.output);
    match command {
        Command::Create(create) => issued(&service.post(&["api-keys"], &create.body()?)?, output, "made")?,
        Command::List(list) => list.run(&service, output)?,
        Command::Show { id } => shown(&service.get(&["api-keys", &id], &[])?, output)?,
        Command::Roll { id, overlap } => {
            let body = json!({ "overlap_seconds": overlap.unwrap_or_default().as_secs() });
            issued(&service.post(&["api-keys", &id, "roll"], &body)?, output, "rolled")?;
        }
        Command::Revoke { id, reason } => {
            let body = reason.map_or_else(|| json!({}), |reason| json!({ "reason": reason }));
            let answer = service.post(&["api-keys", &id, "revoke"], &body)?;
            shown(&answer, output)?;
            output::note("Revoked: refused on that node from now on, and on every other within a second.");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The token alone to stdout, what it belongs to beside it.
fn issued(answer: &str, format: Output, done: &str) -> Result<(), Failure> {
    if format == Output::Json {
        return output::answer(answer);
    }
    let mut key: Key = understood(answer)?;
    let token = key.token.take().map(Secret::new).ok_or_else(|| Failure::new("the answer holds no token"))?;
    output::secret(&token)?;
    output::note(&format!("{}\n\nThe key was {done}. Keep the token now: it is not shown again.", key.shown()));
    Ok(())
}

fn shown(answer: &str, format: Output) -> Result<(), Failure> {
    if format == Output::Json {
        return output::answer(answer);
    }
    output::answer(&understood::<Key>(answer)?.shown())
}

fn understood<'a, T: Deserialize<'a>>(answer: &'a str) -> Result<T, Failure> {
    serde_json::from_str(answer).map_err(|error| {
        Failure::because("the service answered what this version does not understand; try --output json", &error)
    })
}

impl Create {
    fn body(self) -> Result<Json, Failure> {
        let expires_at = match self.expires_in {
            Some(life) => Some(after(life)?),
            None => self.expires_at,
        };
        let list = |items: Vec<String>| (!items.is_empty()).then_some(items);
        let members = [
            ("service_account_id", json!(self.service_account)),
            ("name", json!(self.name)),
            ("permissions", json!(self.permissions)),
            ("objects", json!(list(self.objects))),
            ("environment", json!(self.environment)),
            ("not_before", json!(self.not_before)),
            ("expires_at", json!(expires_at)),
            ("allowed_networks", json!(list(self.allowed_networks))),
            ("metadata", json!(self.metadata)),
        ];
        let given = members.into_iter().filter(|(_, value)| !value.is_null());
        Ok(Json::Object(given.map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>()))
    }
}

#[expect(clippy::disallowed_methods, reason = "the person at this terminal counts from the time of this machine")]
fn after(life: std::time::Duration) -> Result<Timestamp, Failure> {
    Ok(Timestamp::now().checked_add(SignedDuration::try_from(life)?)?)
}

fn json_value(text: &str) -> Result<Json, serde_json::Error> {
    serde_json::from_str(text)
}

impl List {
    fn run(&self, service: &Service, format: Output) -> Result<(), Failure> {
        let limit = self.limit.or(self.all.then_some(200)).map(|limit| limit.to_string());
        let filters = [
            ("organization_id", &self.organization),
            ("service_account_id", &self.service_account),
            ("status", &self.status),
            ("q", &self.query),
            ("limit", &limit),
        ];
        let filters = filters.into_iter().filter_map(|(name, value)| value.as_deref().map(|value| (name, value)));
        let filters: Vec<(&str, &str)> = filters.collect();
        let first = service.get(&["api-keys"], &filters)?;
        if !self.all && format == Output::Json {
            return output::answer(&first);
        }
        let mut page: Page = understood(&first)?;
        while let Some(cursor) = page.next_cursor.take_if(|_| self.all) {
            let next = service.get(&["api-keys"], &[filters.as_slice(), &[("cursor", cursor.as_str())]].concat())?;
            let next: Page = understood(&next)?;
            page.items.extend(next.items);
            page.next_cursor = next.next_cursor;
        }
        if format == Output::Json {
            return output::answer(&serde_json::to_string(&page)?);
        }
        let keys = page.items.iter().map(|item| understood::<Key>(item.get())).collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() {
            output::note("There are none. `claviger api-key create` makes one.");
            return Ok(());
        }
        output::answer(&output::table(
            ["ID", "NAME", "STATUS", "PERMISSIONS", "HINT", "EXPIRES", "LAST USED"],
            keys.into_iter().map(Key::row),
        ))?;
        if page.next_cursor.is_some() {
            output::note("There are more: --all shows every page.");
        }
        Ok(())
    }
}

impl Key {
    fn row(self) -> [String; 7] {
        let hint = self.generations.first().map(|generation| generation.hint.clone());
        [
            self.id,
            self.name,
            self.status,
            self.permissions.join(" "),
            hint.unwrap_or_default(),
            self.expires_at.map_or_else(|| "never".to_owned(), |at| short(&at)),
            self.last_used_at.map_or_else(|| "never".to_owned(), |at| short(&at)),
        ]
    }

    fn shown(self) -> String {
        let or = |value: Option<String>, none: &str| value.unwrap_or_else(|| none.to_owned());
        let list = |items: Option<Vec<String>>| or(items.map(|items| items.join(" ")), "any");
        let mut rows = vec![
            ["id".to_owned(), self.id],
            ["name".to_owned(), self.name],
            ["status".to_owned(), self.status],
            ["organization".to_owned(), self.organization_id],
            ["service account".to_owned(), self.service_account_id],
            ["environment".to_owned(), self.environment],
            ["permissions".to_owned(), self.permissions.join(" ")],
            ["objects".to_owned(), list(self.objects)],
            ["networks".to_owned(), list(self.allowed_networks)],
            ["not before".to_owned(), or(self.not_before, "-")],
            ["expires".to_owned(), or(self.expires_at, "never")],
            ["last used".to_owned(), or(self.last_used_at, "never")],
            ["created".to_owned(), format!("{} by {}", self.created_at, self.created_by)],
            ["metadata".to_owned(), self.metadata.to_string()],
        ];
        for generation in self.generations {
            let Generation { number, state, hint, ends_at, last_used_at } = generation;
            let end = ends_at.map(|at| format!(", ends {at}")).unwrap_or_default();
            let used = or(last_used_at, "never");
            rows.push([format!("secret {number}"), format!("{hint}… {state}{end}, last used {used}")]);
        }
        output::table(["", ""], rows)
    }
}

/// A moment to the minute, as a list shows it.
fn short(at: &str) -> String {
    at.get(..16).map_or_else(|| at.to_owned(), |start| start.replace('T', " "))
}
