//! `claviger fleet`: groups of devices.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::Value as Json;

use crate::{
    body::Body,
    claim_code,
    client::{Output, Remote, Service},
    consent::Consent,
    credential::reasons,
    failure::Failure,
    noun::{self, Noun, Paging, joined, or, short, yes},
    output,
};

/// Create, list, show, update, revoke and delete fleets of devices, and the codes by which devices enrol
#[derive(Debug, Args)]
pub(crate) struct Fleet {
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
    /// Show one, with what its devices may do
    Show {
        /// fleet_…
        id: String,
    },
    /// Print the certificate of its authority, which issues its devices' certificates, for whoever is to trust them
    Authority {
        /// fleet_…
        id: String,
    },
    /// Change one; its devices gain or lose at once
    Update(Update),
    /// End every credential of its devices, and its claim codes
    Revoke {
        /// fleet_…
        id: String,
        /// Why [default: unspecified]
        #[arg(long, value_parser = reasons())]
        reason: Option<String>,
        #[command(flatten)]
        consent: Consent,
    },
    /// Delete one, and end every device of it
    Delete {
        /// fleet_…
        id: String,
        #[command(flatten)]
        consent: Consent,
    },
    /// List the devices of one, newest first
    Devices {
        /// fleet_…
        fleet: String,
        /// With this text in the name
        #[arg(short, long, value_name = "TEXT")]
        query: Option<String>,
        #[command(flatten)]
        paging: Paging,
    },
    /// Create, list, show and revoke the codes by which devices enrol
    #[command(subcommand)]
    ClaimCode(claim_code::Command),
}

#[derive(Debug, Args)]
struct Gives {
    /// Role that each of its devices has: name or id; may be given several times
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
    /// Permission that each of its devices has directly; may be given several times
    #[arg(long = "permission", value_name = "PERMISSION")]
    permissions: Vec<String>,
}

#[derive(Debug, Args)]
struct Create {
    /// Where its devices will act: id or slug of an organization
    #[arg(long)]
    organization: String,
    /// How you will recognize it
    #[arg(long)]
    name: String,
    #[command(flatten)]
    gives: Gives,
    /// How long a device's key, or its certificate, lasts, 1 to 825 [default: 90]
    #[arg(long, value_name = "DAYS")]
    device_lifetime_days: Option<u32>,
}

#[derive(Debug, Args)]
struct List {
    /// Of one organization: its id or slug
    #[arg(long, value_name = "ORGANIZATION")]
    organization: Option<String>,
    /// With this text in the name
    #[arg(short, long, value_name = "TEXT")]
    query: Option<String>,
    #[command(flatten)]
    paging: Paging,
}

/// Roles and permissions that are given here are all that its devices have by it from now on
#[derive(Debug, Args)]
struct Update {
    /// fleet_…
    id: String,
    /// New name
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    gives: Gives,
    /// No role from now on
    #[arg(long, conflicts_with = "roles")]
    no_roles: bool,
    /// No direct permission from now on
    #[arg(long, conflicts_with = "permissions")]
    no_permissions: bool,
    /// How long the keys last that are registered from now on
    #[arg(long, value_name = "DAYS")]
    device_lifetime_days: Option<u32>,
    /// Let nothing enrol or renew in it; its devices work until their keys end
    #[arg(long, conflicts_with = "open")]
    close: bool,
    /// Let devices enrol and renew again
    #[arg(long)]
    open: bool,
}

/// What the tables need of a fleet.
#[derive(Debug, Deserialize)]
struct Shown {
    id: String,
    organization_id: String,
    name: String,
    roles: Option<Vec<String>>,
    permissions: Option<Vec<String>>,
    device_lifetime_days: u32,
    closed: bool,
    devices: Option<i64>,
    certificate_authority_pem: Option<String>,
    created_at: String,
}

/// What the table needs of a device.
#[derive(Debug, Deserialize)]
struct Device {
    service_account_id: String,
    name: String,
    status: String,
    expires_at: Option<String>,
    enrolled_at: String,
    last_used_at: Option<String>,
}

pub(crate) fn run(Fleet { remote, command }: Fleet) -> Result<ExitCode, Failure> {
    let service = remote.service()?;
    match command {
        Command::Create(Create { organization, name, gives, device_lifetime_days }) => {
            let body = Body::new()
                .with("organization_id", Some(service.organization(&organization)?))
                .with("name", Some(name))
                .with("device_lifetime_days", device_lifetime_days);
            noun::create(&service, &gives.write(body).json(), |made: &Shown| {
                format!("`claviger fleet claim-code create {}` makes a code by which a device enrols.", made.id)
            })?;
        }
        Command::List(List { organization, query, paging }) => {
            let organization = service.organization_id(organization.as_deref())?;
            let filters = [("organization_id", organization.as_deref()), ("q", query.as_deref())];
            noun::list::<Shown>(&service, &paging, &filters)?;
        }
        Command::Show { id } => noun::show::<Shown>(&service, &id)?,
        Command::Authority { id } => {
            let answer = service.get(&[Shown::PATH, &id], &[])?;
            match service.output {
                Output::Json => output::json(&answer)?,
                Output::Table => {
                    let fleet: Shown = noun::understood(&answer)?;
                    output::answer(&fleet.certificate_authority_pem.unwrap_or_default())?;
                }
            }
        }
        Command::Update(mut update) => {
            let id = std::mem::take(&mut update.id);
            noun::update::<Shown>(&service, &id, &update.body()?)?;
        }
        Command::Revoke { id, reason, consent } => revoke(&service, &id, reason, &consent)?,
        Command::Delete { id, consent } => {
            noun::delete::<Shown>(&service, &id, &consent, "Every device of it ended with it.")?;
        }
        Command::Devices { fleet, query, paging } => {
            noun::list_at::<Device>(&service, &["fleets", &fleet, Device::PATH], &paging, &[("q", query.as_deref())])?;
        }
        Command::ClaimCode(command) => claim_code::run(&service, command)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn revoke(service: &Service, id: &str, reason: Option<String>, consent: &Consent) -> Result<(), Failure> {
    consent.must_be_given(&format!("revoke {id}, all of whose devices must then enrol anew"), || {
        Ok(noun::detailed(noun::understood::<Shown>(&service.get(&[Shown::PATH, id], &[])?)?))
    })?;
    let answer = service.post(&[Shown::PATH, id, "revoke"], &Body::new().with("reason", reason).json())?;
    noun::shown::<Shown>(service, &answer)?;
    output::note(
        "Revoked: its devices and their tokens, on that node from now on, and on every other within a second.",
    );
    Ok(())
}

impl Gives {
    fn write(self, body: Body) -> Body {
        body.with_list("roles", self.roles).with_list("permissions", self.permissions)
    }
}

impl Update {
    fn body(self) -> Result<Json, Failure> {
        let body = Body::new()
            .with("name", self.name)
            .without_any("roles", self.no_roles)
            .without_any("permissions", self.no_permissions)
            .with("device_lifetime_days", self.device_lifetime_days)
            .with("closed", (self.close || self.open).then_some(self.close));
        self.gives.write(body).changes()
    }
}

impl Noun for Shown {
    const PATH: &'static str = "fleets";
    const COMMAND: &'static str = "fleet";
    const TITLES: &'static [&'static str] = &["ID", "NAME", "KEYS LAST", "CLOSED", "CREATED", "ORGANIZATION"];

    fn row(self) -> Vec<String> {
        let life = format!("{} days", self.device_lifetime_days);
        vec![self.id, self.name, life, yes(self.closed), short(&self.created_at), self.organization_id]
    }

    fn details(self) -> Vec<(&'static str, String)> {
        vec![
            ("id", self.id),
            ("name", self.name),
            ("organization", self.organization_id),
            ("roles", joined(self.roles, "none")),
            ("permissions", joined(self.permissions, "none")),
            ("keys last", format!("{} days", self.device_lifetime_days)),
            ("closed", yes(self.closed)),
            ("devices", self.devices.unwrap_or_default().to_string()),
            ("created", self.created_at),
        ]
    }
}

impl Noun for Device {
    const PATH: &'static str = "devices";
    const COMMAND: &'static str = "fleet devices";
    const TITLES: &'static [&'static str] = &["SERVICE ACCOUNT", "NAME", "STATUS", "EXPIRES", "LAST USED", "ENROLLED"];

    fn row(self) -> Vec<String> {
        let at = |at: Option<String>, none: &str| at.map_or_else(|| none.to_owned(), |at| short(&at));
        let (end, used) = (at(self.expires_at, "-"), at(self.last_used_at, "never"));
        vec![self.service_account_id, self.name, self.status, end, used, short(&self.enrolled_at)]
    }

    fn details(self) -> Vec<(&'static str, String)> {
        vec![
            ("service account", self.service_account_id),
            ("name", self.name),
            ("status", self.status),
            ("expires", or(self.expires_at, "-")),
            ("last used", or(self.last_used_at, "never")),
            ("enrolled", self.enrolled_at),
        ]
    }
}
