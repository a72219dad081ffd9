//! `claviger credential`: whatever reaches an organization, and the end of many at once.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde::Deserialize;

use crate::{
    body::Body,
    client::{Output, Remote, Service},
    credential::reasons,
    failure::Failure,
    noun::{self, Noun, Paging, joined, or, short},
    output::{self, Progress},
    time,
};

/// List every credential of an organization, and revoke many at once
#[derive(Debug, Args)]
pub(crate) struct Inventory {
    #[command(flatten)]
    remote: Remote,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List them, whatever their kind
    List {
        #[command(flatten)]
        filters: Filters,
        #[command(flatten)]
        paging: Paging,
    },
    /// Count what the filters match; with --expected that number, end them
    Revoke {
        #[command(flatten)]
        filters: Filters,
        /// How many there are, as a run without this flag counts: they end
        #[arg(long, value_name = "NUMBER")]
        expected: Option<u64>,
        /// Why [default: unspecified]
        #[arg(long, value_parser = reasons())]
        reason: Option<String>,
    },
}

#[derive(Debug, Args)]
struct Filters {
    /// Of one organization: its id or slug
    #[arg(long, value_name = "ORGANIZATION")]
    organization: Option<String>,
    /// api_key, personal_access_token, client_secret, public_key, certificate or federation
    #[arg(long)]
    kind: Option<String>,
    /// Of one user or service account
    #[arg(long, value_name = "ID")]
    owner: Option<String>,
    /// Made by this user or service account, or by operator
    #[arg(long, value_name = "ID")]
    created_by: Option<String>,
    /// active, revoked, disabled, expired, not_yet_valid or pending_approval
    #[arg(long)]
    status: Option<String>,
    /// With this text in the name
    #[arg(short, long, value_name = "TEXT")]
    query: Option<String>,
    /// Made at this time or later (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    created_from: Option<Timestamp>,
    /// Made before this time
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    created_before: Option<Timestamp>,
    /// That end before this time
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    expires_before: Option<Timestamp>,
    /// That never end
    #[arg(long)]
    never_expires: bool,
    /// Neither used nor made since this time
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    unused_since: Option<Timestamp>,
}

/// What the tables need of one.
#[derive(Debug, Deserialize)]
struct Entry {
    id: String,
    owner: Owner,
    name: String,
    status: String,
    permissions: Vec<String>,
    objects: Option<Vec<String>>,
    expires_at: Option<String>,
    last_used_at: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Owner {
    name: String,
}

/// What a revocation of many did, or would do.
#[derive(Debug, Deserialize)]
struct Revoked {
    matched: u64,
    /// Whether there may be more than those. Older services count all.
    #[serde(default)]
    more: bool,
    revoked: u64,
    credentials: Vec<Entry>,
}

pub(crate) fn run(Inventory { remote, command }: Inventory) -> Result<ExitCode, Failure> {
    let service = remote.service()?;
    match command {
        Command::List { filters, paging } => {
            let filters = filters.query(&service)?;
            let filters: Vec<_> = filters.iter().map(|(name, value)| (*name, Some(value.as_str()))).collect();
            noun::list::<Entry>(&service, &paging, &filters)?;
        }
        Command::Revoke { filters, expected, reason } => {
            let filters = filters.query(&service)?;
            let filters: Vec<_> = filters.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let body = Body::new().with("expected", expected).with("reason", reason).json();
            let progress = Progress::unless(service.output == Output::Json);
            if let Some(many) = expected {
                progress.tell(&format!("revoking {many} …"));
            }
            let answer = service.post_asking(&[Entry::PATH, "revoke"], &filters, &body);
            drop(progress);
            revoked(&service, &answer?)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// How many that still count match, which only counting for a revocation tells; nothing if whoever asks may not know.
pub(crate) fn count(service: &Service, filters: &[(&str, &str)]) -> Option<String> {
    let counted = service.post_asking(&[Entry::PATH, "revoke"], filters, &Body::new().json()).ok()?;
    let counted = noun::understood::<Revoked>(&counted).ok()?;
    Some(format!("{}{}", counted.matched, if counted.more { " or more" } else { "" }))
}

fn revoked(service: &Service, answer: &str) -> Result<(), Failure> {
    if service.output == Output::Json {
        return output::json(answer);
    }
    let Revoked { matched, more, revoked, credentials } = noun::understood(answer)?;
    if revoked > 0 {
        output::note(&format!(
            "Revoked {revoked}: refused on that node from now on, and on every other within a second."
        ));
        return Ok(());
    }
    if !credentials.is_empty() {
        output::answer(&output::table(Entry::TITLES, credentials.into_iter().map(Noun::row)))?;
    }
    if more {
        output::note(&format!(
            "{matched} or more would end: not all were looked at. Nothing was done yet; narrow the filters, or repeat this with --expected 0 \
             to be told how many there are."
        ));
        return Ok(());
    }
    output::note(&format!(
        "{matched} would end. Nothing was done yet: repeat this with --expected {matched} to revoke them."
    ));
    Ok(())
}

impl Filters {
    fn query(self, service: &Service) -> Result<Vec<(&'static str, String)>, Failure> {
        let filters = [
            ("organization_id", service.organization_id(self.organization.as_deref())?),
            ("kind", self.kind),
            ("principal_id", self.owner),
            ("created_by", self.created_by),
            ("status", self.status),
            ("q", self.query),
            ("created_from", self.created_from.map(|at| at.to_string())),
            ("created_before", self.created_before.map(|at| at.to_string())),
            ("expires_before", self.expires_before.map(|at| at.to_string())),
            ("never_expires", self.never_expires.then(|| "true".to_owned())),
            ("unused_since", self.unused_since.map(|at| at.to_string())),
        ];
        Ok(filters.into_iter().filter_map(|(name, value)| Some((name, value?))).collect())
    }
}

impl Noun for Entry {
    const PATH: &'static str = "credentials";
    const COMMAND: &'static str = "credential";
    const TITLES: &'static [&'static str] =
        &["ID", "OWNER", "NAME", "STATUS", "PERMISSIONS", "OBJECTS", "EXPIRES", "LAST USED"];

    fn row(self) -> Vec<String> {
        // What proves a client has no permissions of its own; what comes of it has those of its account.
        let proves_a_client = ["csec_", "ckey_", "fed_"].iter().any(|prefix| self.id.starts_with(prefix));
        let permissions = if proves_a_client { "its account's".to_owned() } else { self.permissions.join(" ") };
        vec![
            self.id,
            self.owner.name,
            self.name,
            self.status,
            permissions,
            joined(self.objects, "any"),
            self.expires_at.map_or_else(|| "never".to_owned(), |at| short(&at)),
            self.last_used_at.map_or_else(|| "never".to_owned(), |at| short(&at)),
        ]
    }

    fn details(self) -> Vec<(&'static str, String)> {
        vec![("id", self.id), ("name", self.name), ("expires", or(self.expires_at, "never"))]
    }
}
