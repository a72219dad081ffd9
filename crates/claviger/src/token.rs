//! `claviger token`: one's own credential. No permission is needed for it.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::Value as Json;

use crate::{
    api_key::{Overlap, issued},
    client::{Output, Remote, Service},
    failure::Failure,
    noun::{self, joined},
    output,
};

/// Show, roll and revoke your own credential: the one in CLAVIGER_TOKEN
#[derive(Debug, Args)]
pub(crate) struct Token {
    #[command(flatten)]
    remote: Remote,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show what it is and may do; never the token itself
    Show,
    /// Give it a new token; it goes to stdout, this once
    Roll(Overlap),
    /// End it, for good
    Revoke,
}

/// What the table needs of it.
#[derive(Debug, Deserialize)]
struct Own {
    credential: Json,
    principal: Json,
    organization: Json,
    permissions: Vec<String>,
    objects: Option<Vec<String>>,
}

pub(crate) fn run(Token { remote, command }: Token) -> Result<ExitCode, Failure> {
    let service = remote.service()?;
    match command {
        Command::Show => shown(&service, &service.get(&["token"], &[])?)?,
        Command::Roll(overlap) => issued(&service, &service.post(&["token", "roll"], &overlap.body())?, "rolled")?,
        Command::Revoke => {
            service.delete(&["token"])?;
            output::note("Revoked: CLAVIGER_TOKEN holds nothing that counts any more.");
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn shown(service: &Service, answer: &str) -> Result<(), Failure> {
    if service.output == Output::Json {
        return output::json(answer);
    }
    let Own { credential, principal, organization, permissions, objects } = noun::understood(answer)?;
    let mut rows = identity(Some(&credential), Some(&principal), Some(&organization));
    rows.push(("permissions", joined(Some(permissions), "none")));
    rows.push(("objects", joined(objects, "any")));
    output::answer(&output::details(rows.into_iter().map(|(name, value)| (name.to_owned(), value))))
}

/// Who stands behind a credential, as far as it is told.
pub(crate) fn identity(
    credential: Option<&Json>,
    principal: Option<&Json>,
    organization: Option<&Json>,
) -> Vec<(&'static str, String)> {
    let text = |thing: &Json, member: &str, none: &str| thing[member].as_str().unwrap_or(none).to_owned();
    let named = |thing: &Json, second: &str| format!("{} ({})", text(thing, "id", ""), text(thing, second, ""));
    let things =
        [("credential", credential, "name"), ("principal", principal, "name"), ("organization", organization, "slug")];
    let mut rows: Vec<_> =
        things.into_iter().filter_map(|(title, thing, second)| Some((title, named(thing?, second)))).collect();
    if let Some(credential) = credential {
        rows.push(("secret", text(credential, "generation", "-")));
        rows.push(("environment", text(credential, "environment", "-")));
        rows.push(("expires", text(credential, "expires_at", "never")));
    }
    rows
}
