//! `claviger api-key`: the keys of service accounts.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::Value as Json;

use crate::{
    binding::Binding,
    body::Body,
    client::{Remote, Service},
    consent::Consent,
    credential::{Changes, Common, Credential, Overlap, issued, reasons, rolled},
    failure::Failure,
    limits::Limits,
    noun::{self, Noun, Paging},
    output,
};

/// Create, list, show, update, roll and revoke API keys
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
    Update {
        /// key_…
        id: String,
        #[command(flatten)]
        changes: Changes,
    },
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
        /// Why [default: unspecified]
        #[arg(long, value_parser = reasons())]
        reason: Option<String>,
    },
    /// End one and take it out of the lists
    Delete {
        /// key_…
        id: String,
        #[command(flatten)]
        consent: Consent,
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
    binding: Binding,
    #[command(flatten)]
    limits: Limits,
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

pub(crate) fn run(ApiKey { remote, command }: ApiKey) -> Result<ExitCode, Failure> {
    let service = remote.service()?;
    match command {
        Command::Create(create) => {
            issued(&service, &service.post(&["api-keys"], &create.body()?)?, "The key was made")?;
        }
        Command::List(list) => list.run(&service)?,
        Command::Show { id } => noun::show::<Key>(&service, &id)?,
        Command::Update { id, changes } => noun::update::<Key>(&service, &id, &changes.body()?)?,
        Command::Roll { id, overlap } => {
            rolled(&service, &service.post(&["api-keys", &id, "roll"], &overlap.body())?, "The key was rolled")?;
        }
        Command::Revoke { id, reason } => {
            let answer = service.post(&["api-keys", &id, "revoke"], &Body::new().with("reason", reason).json())?;
            noun::shown::<Key>(&service, &answer)?;
            output::note("Revoked: refused on that node from now on, and on every other within a second.");
        }
        Command::Delete { id, consent } => {
            noun::delete::<Key>(&service, &id, &consent, "Its tokens are refused from now on.")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl Create {
    fn body(self) -> Result<Json, Failure> {
        let body = Body::new()
            .with("service_account_id", Some(self.service_account))
            .with("name", Some(self.name))
            .with("permissions", Some(self.permissions))
            .with("environment", self.environment);
        Ok(self.limits.write(self.binding.write(self.common.write(body)?)?).json())
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

/// A key, as the tables show it.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
struct Key(Credential);

impl Noun for Key {
    const PATH: &'static str = "api-keys";
    const COMMAND: &'static str = "api-key";
    const TITLES: &'static [&'static str] = Credential::TITLES;

    fn row(self) -> Vec<String> {
        self.0.row()
    }

    fn details(self) -> Vec<(&'static str, String)> {
        self.0.details()
    }

    fn warning(&self) -> Option<String> {
        self.0.warning()
    }
}
