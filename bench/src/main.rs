//! What Claviger costs, beside a bare server that answers the same bytes. Started by `cargo xtask bench` and
//! `cargo xtask instructions`, which build what is measured and start PostgreSQL.
//!
//! This crate knows everything that it measures, and nothing depends on it.

#![expect(clippy::print_stdout, reason = "a benchmark reports to the person who runs it")]

mod bare;
mod bulk;
mod compare;
mod create;
mod customer;
mod everywhere;
mod flood;
mod forward_auth;
mod instructions;
mod jwt;
mod nginx;
mod oauth;
mod process;
mod report;
mod revocation;
mod run;
mod sdk;
mod service;
mod signature;
mod site;
mod start;
mod tokens;
mod usage;
mod verify;
mod wrk;

use std::process::ExitCode;

use clap::Parser;

/// A run stops at the first failure and says what failed; nobody matches on it.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Measure Claviger: use `cargo xtask bench`, which builds and starts what is needed
#[derive(Debug, Parser)]
enum Command {
    /// Measure, print the table, and write docs/performance.md
    Run(run::Run),
    /// Count the instructions of one request and compare them with bench/instructions.txt
    Instructions(instructions::Instructions),
    /// The server to compare with
    #[command(hide = true)]
    Bare(bare::Bare),
    /// What a signature and its check cost by themselves
    #[command(hide = true)]
    Signature(signature::Signature),
    /// What is run under valgrind
    #[command(hide = true)]
    Drive(instructions::Drive),
}

fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::Run(run) => run::run(&run),
        Command::Instructions(command) => instructions::run(&command),
        Command::Bare(bare) => bare::serve(&bare),
        Command::Signature(signature) => signature::print(&signature),
        Command::Drive(drive) => instructions::drive(&drive),
    };
    done.unwrap_or_else(|error| {
        println!("{error}");
        ExitCode::FAILURE
    })
}
