//! `claviger fleet claim-code`: by which devices enrol in a fleet.

use clap::{Args, Subcommand};
use claviger_token::Secret;
use serde::Deserialize;

use crate::{
    body::{Body, Expiry},
    client::{Output, Service},
    failure::Failure,
    noun::{self, Noun, Paging, or, short},
    output,
};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make one; it goes to stdout, this once
    Create(Create),
    /// List those of a fleet, newest first
    List {
        /// fleet_…
        fleet: String,
        #[command(flatten)]
        paging: Paging,
    },
    /// Show one, and how often it was used
    Show(One),
    /// Take one back; devices that enrolled by it are not touched
    Revoke(One),
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// fleet_…
    fleet: String,
    /// How many devices may enrol by it [default: 1]
    #[arg(long, value_name = "NUMBER")]
    uses: Option<u32>,
    #[command(flatten)]
    expiry: Expiry,
}

/// One of a fleet
#[derive(Debug, Args)]
pub(crate) struct One {
    /// fleet_…
    fleet: String,
    /// claim_…
    id: String,
}

/// What the tables need of one.
#[derive(Debug, Deserialize)]
struct ClaimCode {
    id: String,
    fleet_id: String,
    hint: String,
    status: String,
    uses: u32,
    uses_left: u32,
    permissions: Vec<String>,
    expires_at: String,
    revoked_at: Option<String>,
    created_at: String,
    created_by: String,
    claim_code: Option<String>,
}

pub(crate) fn run(service: &Service, command: Command) -> Result<(), Failure> {
    match command {
        Command::Create(Create { fleet, uses, expiry }) => {
            let body = Body::new().with("uses", uses).with("expires_at", expiry.at()?);
            issued(service, &service.post(&["fleets", &fleet, ClaimCode::PATH], &body.json())?)
        }
        Command::List { fleet, paging } => {
            noun::list_at::<ClaimCode>(service, &["fleets", &fleet, ClaimCode::PATH], &paging, &[])
        }
        Command::Show(One { fleet, id }) => {
            noun::shown::<ClaimCode>(service, &service.get(&["fleets", &fleet, ClaimCode::PATH, &id], &[])?)
        }
        Command::Revoke(One { fleet, id }) => {
            service.delete(&["fleets", &fleet, ClaimCode::PATH, &id])?;
            output::note(&format!("Revoked {}: no device enrols by it any more.", output::printable(&id)));
            Ok(())
        }
    }
}

/// The code alone to stdout, what it belongs to beside it.
fn issued(service: &Service, answer: &str) -> Result<(), Failure> {
    if service.output == Output::Json {
        return output::json(answer);
    }
    let mut made: ClaimCode = noun::understood(answer)?;
    let code = made.claim_code.take().map(Secret::new);
    output::secret(&code.ok_or_else(|| Failure::new("the answer holds no claim code"))?)?;
    let made = noun::detailed(made);
    output::note(&format!(
        "{made}\n\nMade. Keep the code now: it is not shown again. On the device, with it in CLAVIGER_CLAIM_CODE:\n\
         `claviger enrol --name … --key device.pem`"
    ));
    Ok(())
}

impl Noun for ClaimCode {
    const PATH: &'static str = "claim-codes";
    const COMMAND: &'static str = "fleet claim-code";
    const TITLES: &'static [&'static str] = &["ID", "HINT", "STATUS", "USES LEFT", "EXPIRES", "CREATED"];

    fn row(self) -> Vec<String> {
        let left = format!("{} of {}", self.uses_left, self.uses);
        vec![self.id, self.hint, self.status, left, short(&self.expires_at), short(&self.created_at)]
    }

    fn details(self) -> Vec<(&'static str, String)> {
        vec![
            ("id", self.id),
            ("fleet", self.fleet_id),
            ("hint", self.hint),
            ("status", self.status),
            ("uses left", format!("{} of {}", self.uses_left, self.uses)),
            ("brings at most", or(Some(self.permissions.join(" ")).filter(|all| !all.is_empty()), "nothing")),
            ("expires", self.expires_at),
            ("revoked", or(self.revoked_at, "no")),
            ("created", format!("{} by {}", self.created_at, self.created_by)),
        ]
    }
}
