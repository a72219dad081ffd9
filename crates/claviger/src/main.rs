//! The claviger binary: serve, bootstrap, and the commands of operators and users.
//!
//! Operators' commands read the settings (`settings.rs`) and open the database (`open.rs`); users' commands know
//! neither, only the address of a service and a credential (`client.rs`).

mod access_token;
mod api;
mod api_import;
mod api_key;
mod assignment;
mod audit;
mod binding;
mod body;
mod bootstrap;
mod certificate;
mod certificate_authority;
mod claim_code;
mod client;
mod client_credential;
mod client_secret;
mod consent;
mod credential;
mod device_key;
mod doctor;
mod duration;
mod enrol;
mod example;
mod explain;
mod failure;
mod federation;
mod fleet;
mod given;
mod inventory;
mod jwks;
mod kept_login;
mod limits;
mod link;
mod login;
mod member;
mod migrate;
mod noun;
mod open;
mod openapi;
mod organization;
mod output;
mod policy;
mod portal_session;
mod provider;
mod public_key;
mod reference;
mod role;
mod rotate;
mod route_rule;
mod serve;
mod service_account;
mod settings;
mod sidecar;
mod signing_key;
mod time;
mod token;
mod traces;
mod usage;
mod user;
mod verify;

use std::{future::Future, process::ExitCode};

use clap::{CommandFactory as _, Parser, Subcommand};

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
    Sidecar(sidecar::Sidecar),
    /// Make the first administrator and its key
    Bootstrap(bootstrap::Bootstrap),
    /// Bring the database up to this version (serve and bootstrap do so by themselves)
    Migrate(migrate::Migrate),
    Doctor(doctor::Doctor),
    Jwks(jwks::Jwks),
    Rotate(rotate::Rotate),
    SigningKey(signing_key::SigningKey),
    Login(login::Login),
    Logout(login::Logout),
    Whoami(login::Whoami),
    Org(organization::Org),
    User(user::User),
    ServiceAccount(service_account::ServiceAccount),
    Fleet(fleet::Fleet),
    Enrol(enrol::Enrol),
    Api(api::Api),
    Role(role::Role),
    Assignment(assignment::Assignment),
    ApiKey(api_key::ApiKey),
    Token(token::Token),
    Credential(inventory::Inventory),
    PortalSession(portal_session::PortalSession),
    /// Ask whether a credential is valid
    Verify(verify::Verify),
    Explain(explain::Explain),
    Introspect(access_token::Introspect),
    Usage(usage::Usage),
    /// List what happened, and prove the trail
    #[command(subcommand)]
    Audit(audit::Audit),
    Completions(reference::Completions),
    Man(reference::Man),
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Serve(command) => on_runtime(serve::run(command)),
        Command::Sidecar(command) => on_runtime(sidecar::run(command)),
        Command::Bootstrap(command) => on_runtime(bootstrap::run(command)),
        Command::Migrate(command) => on_runtime(migrate::run(command)),
        Command::Doctor(command) => doctor::run(command),
        Command::Jwks(command) => on_runtime(jwks::run(command)),
        Command::Rotate(command) => on_runtime(rotate::run(command)),
        Command::SigningKey(command) => signing_key::run(command),
        Command::Login(command) => login::run(command),
        Command::Logout(command) => login::logout(command),
        Command::Whoami(command) => login::whoami(command),
        Command::Org(command) => organization::run(command),
        Command::User(command) => user::run(command),
        Command::ServiceAccount(command) => service_account::run(command),
        Command::Fleet(command) => fleet::run(command),
        Command::Enrol(command) => enrol::run(command),
        Command::Api(command) => api::run(command),
        Command::Role(command) => role::run(command),
        Command::Assignment(command) => assignment::run(command),
        Command::ApiKey(command) => api_key::run(command),
        Command::Token(command) => token::run(command),
        Command::Credential(command) => inventory::run(command),
        Command::PortalSession(command) => portal_session::run(command),
        Command::Verify(command) => verify::run(command),
        Command::Explain(command) => explain::run(command),
        Command::Introspect(command) => access_token::introspect(command),
        Command::Usage(command) => usage::run(command),
        Command::Audit(audit::Audit::List(command)) => audit::list(command),
        Command::Audit(audit::Audit::Verify(command)) => on_runtime(audit::verify(command)),
        Command::Completions(command) => reference::completions(command, Cli::command()),
        Command::Man(command) => reference::man(command, Cli::command()),
    };
    done.unwrap_or_else(|failure| {
        output::complain(&failure);
        failure.exit()
    })
}

fn on_runtime(command: impl Future<Output = Result<ExitCode, Failure>>) -> Result<ExitCode, Failure> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_one_that_can_be_parsed() {
        Cli::command().debug_assert();
    }
}
