//! `claviger assignment`: who holds which role or permission, where.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Deserialize;

use crate::{
    body::Body,
    client::Remote,
    consent::Consent,
    failure::Failure,
    noun::{self, Noun, Paging, or},
};

/// Give, list, show and take roles and permissions
#[derive(Debug, Args)]
pub(crate) struct Assignment {
    #[command(flatten)]
    remote: Remote,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Give a role or a permission
    Create(Create),
    /// List them, newest first
    List(List),
    /// Show one
    Show {
        /// asg_…
        id: String,
    },
    /// Take one away; the principal loses it at once
    Delete {
        /// asg_…
        id: String,
        #[command(flatten)]
        consent: Consent,
    },
}

#[derive(Debug, Args)]
struct Create {
    /// Who gets it: sa_…, user_… or a user's address
    #[arg(long, value_name = "ID")]
    principal: String,
    /// Which of a user's organizations: its id or slug
    #[arg(long, value_name = "ORGANIZATION")]
    organization: Option<String>,
    #[command(flatten)]
    granted: Granted,
    /// organization (the principal's own) or instance (everywhere) [default: organization]
    #[arg(long)]
    scope: Option<String>,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Granted {
    /// A role: name or id
    #[arg(long)]
    role: Option<String>,
    /// A permission
    #[arg(long)]
    permission: Option<String>,
}

#[derive(Debug, Args)]
struct List {
    /// Of one organization's principals: its id or slug
    #[arg(long, value_name = "ORGANIZATION")]
    organization: Option<String>,
    /// Of one principal
    #[arg(long, value_name = "ID")]
    principal: Option<String>,
    #[command(flatten)]
    paging: Paging,
}

/// What the tables need of an assignment.
#[derive(Debug, Deserialize)]
struct Held {
    id: String,
    principal_id: String,
    organization_id: String,
    scope: String,
    role: Option<String>,
    permission: Option<String>,
    created_at: String,
}

pub(crate) fn run(Assignment { remote, command }: Assignment) -> Result<ExitCode, Failure> {
    let service = remote.service()?;
    match command {
        Command::Create(Create { principal, organization, granted, scope }) => {
            let organization = service.organization_id(organization.as_deref())?;
            let body = Body::new()
                .with("principal_id", Some(service.user(&principal)?))
                .with("organization_id", organization)
                .with("role", granted.role)
                .with("permission", granted.permission)
                .with("scope", scope);
            noun::create(&service, &body.json(), |made: &Held| {
                format!("it counts already; `claviger assignment delete {}` takes it away.", made.id)
            })?;
        }
        Command::List(List { organization, principal, paging }) => {
            let organization = service.organization_id(organization.as_deref())?;
            let filters = [("organization_id", organization.as_deref()), ("principal_id", principal.as_deref())];
            noun::list::<Held>(&service, &paging, &filters)?;
        }
        Command::Show { id } => noun::show::<Held>(&service, &id)?,
        Command::Delete { id, consent } => {
            noun::delete::<Held>(&service, &id, &consent, "Credentials that lived on it are narrower now.")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl Noun for Held {
    const PATH: &'static str = "assignments";
    const COMMAND: &'static str = "assignment";
    const TITLES: &'static [&'static str] = &["ID", "PRINCIPAL", "ROLE", "PERMISSION", "SCOPE"];

    fn row(self) -> Vec<String> {
        vec![self.id, self.principal_id, or(self.role, "-"), or(self.permission, "-"), self.scope]
    }

    fn details(self) -> Vec<(&'static str, String)> {
        vec![
            ("id", self.id),
            ("principal", self.principal_id),
            ("organization", self.organization_id),
            ("role", or(self.role, "-")),
            ("permission", or(self.permission, "-")),
            ("scope", self.scope),
            ("created", self.created_at),
        ]
    }
}
