//! `claviger role`: named sets of permissions.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::Value as Json;

use crate::{
    body::Body,
    client::Remote,
    consent::Consent,
    failure::Failure,
    noun::{self, Noun, Paging, joined, or, yes},
};

/// Create, list, show, update and delete roles: named sets of permissions
#[derive(Debug, Args)]
pub(crate) struct Role {
    #[command(flatten)]
    remote: Remote,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make one
    Create(Create),
    /// List them, newest first
    List(List),
    /// Show one
    Show {
        /// role_…
        id: String,
    },
    /// Change one; everybody who has it gains or loses at once
    Update(Update),
    /// Delete one; everybody who has it loses it at once
    Delete {
        /// role_…
        id: String,
        #[command(flatten)]
        consent: Consent,
    },
}

#[derive(Debug, Args)]
struct Create {
    /// Its name, such as invoice-reader
    #[arg(long)]
    name: String,
    /// Whose it is: id or slug [default: the instance's, for every organization]
    #[arg(long)]
    organization: Option<String>,
    /// What it is for
    #[arg(long)]
    description: Option<String>,
    /// What it holds; may be given several times
    #[arg(long = "permission", value_name = "PERMISSION", required = true)]
    permissions: Vec<String>,
}

#[derive(Debug, Args)]
struct List {
    /// Usable in one organization: its id or slug
    #[arg(long, value_name = "ORGANIZATION")]
    organization: Option<String>,
    /// With this text in the name
    #[arg(short, long, value_name = "TEXT")]
    query: Option<String>,
    #[command(flatten)]
    paging: Paging,
}

#[derive(Debug, Args)]
struct Update {
    /// role_…
    id: String,
    /// New name
    #[arg(long)]
    name: Option<String>,
    /// What it is for
    #[arg(long)]
    description: Option<String>,
    /// No description
    #[arg(long, conflicts_with = "description")]
    no_description: bool,
    /// All that it holds from now on; may be given several times
    #[arg(long = "permission", value_name = "PERMISSION")]
    permissions: Vec<String>,
    /// Nothing that it holds from now on
    #[arg(long, conflicts_with = "permissions")]
    no_permissions: bool,
}

/// What the tables need of a role.
#[derive(Debug, Deserialize)]
struct Named {
    id: String,
    organization_id: Option<String>,
    name: String,
    description: Option<String>,
    permissions: Vec<String>,
    builtin: bool,
    created_at: String,
}

pub(crate) fn run(Role { remote, command }: Role) -> Result<ExitCode, Failure> {
    let service = remote.service()?;
    match command {
        Command::Create(Create { name, organization, description, permissions }) => {
            let body = Body::new()
                .with("name", Some(name))
                .with("organization_id", service.organization_id(organization.as_deref())?)
                .with("description", description)
                .with("permissions", Some(permissions));
            noun::create(&service, &body.json(), |made: &Named| {
                format!("`claviger assignment create --principal … --role {}` gives it to somebody.", made.name)
            })?;
        }
        Command::List(List { organization, query, paging }) => {
            let organization = service.organization_id(organization.as_deref())?;
            let filters = [("organization_id", organization.as_deref()), ("q", query.as_deref())];
            noun::list::<Named>(&service, &paging, &filters)?;
        }
        Command::Show { id } => noun::show::<Named>(&service, &id)?,
        Command::Update(mut update) => {
            let id = std::mem::take(&mut update.id);
            noun::update::<Named>(&service, &id, &update.body()?)?;
        }
        Command::Delete { id, consent } => {
            noun::delete::<Named>(&service, &id, &consent, "Everybody who had it lost it.")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl Update {
    fn body(self) -> Result<Json, Failure> {
        Body::new()
            .with("name", self.name)
            .with("description", self.description)
            .without("description", self.no_description)
            .with_list("permissions", self.permissions)
            .without_any("permissions", self.no_permissions)
            .changes()
    }
}

impl Noun for Named {
    const PATH: &'static str = "roles";
    const COMMAND: &'static str = "role";
    const TITLES: &'static [&'static str] = &["ID", "NAME", "ORGANIZATION", "BUILT IN", "PERMISSIONS"];

    fn row(self) -> Vec<String> {
        let organization = or(self.organization_id, "-");
        vec![self.id, self.name, organization, yes(self.builtin), self.permissions.join(" ")]
    }

    fn details(self) -> Vec<(&'static str, String)> {
        vec![
            ("id", self.id),
            ("name", self.name),
            ("organization", or(self.organization_id, "the instance")),
            ("description", or(self.description, "-")),
            ("permissions", joined(Some(self.permissions), "none")),
            ("built in", yes(self.builtin)),
            ("created", self.created_at),
        ]
    }
}
