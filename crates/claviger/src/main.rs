//! The claviger binary: serve, bootstrap, and the commands of operators and users.
//!
//! Operators' commands read the settings (`settings.rs`) and open the database (`open.rs`); users' commands know
//! neither, only the address of a service and a credential (`client.rs`).

mod api_key;
mod audit;
mod bootstrap;
mod client;
mod duration;
mod example;
mod failure;
mod given;
mod migrate;
mod open;
mod output;
mod serve;
mod settings;
mod traces;
mod verify;

use std::{future::Future, process::ExitCode};

use clap::{Parser, Subcommand};

use crate::failure::Failure;

/// Programmatic access for your customers and your services: issue, verify, roll and revoke API keys.
#[derive(Debug, Parser)]
#[command(name = "claviger", version, propagate_version = true, arg_required_else_help = true)]
#[command(after_help = "Settings come from claviger.toml, CLAVIGER_<NAME> and flags; the last of these wins.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service
    Serve(serve::Serve),
    /// Make the first administrator and its key
    Bootstrap(bootstrap::Bootstrap),
    /// Bring the database up to this version (serve and bootstrap do so by themselves)
    Migrate(migrate::Migrate),
    /// Prove the audit trail
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Make, list, show, roll and revoke API keys
    ApiKey(api_key::ApiKey),
    /// Ask whether a credential is valid
    Verify(verify::Verify),
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Serve(command) => on_runtime(serve::run(command)),
        Command::Bootstrap(command) => on_runtime(bootstrap::run(command)),
        Command::Migrate(command) => on_runtime(migrate::run(command)),
        Command::Audit(command) => on_runtime(audit::run(command)),
        Command::ApiKey(command) => api_key::run(command),
        Command::Verify(command) => verify::run(command),
    };
    done.unwrap_or_else(|failure| {
        output::complain(&failure);
        ExitCode::FAILURE
    })
}

fn on_runtime(command: impl Future<Output = Result<ExitCode, Failure>>) -> Result<ExitCode, Failure> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(command)
}
