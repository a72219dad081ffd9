//! The project's own chores, so that a fresh machine needs nothing but Rust to run every check.
//!
//! This crate builds, starts and stops other programs. It must not know what the service does: what the benchmark
//! knows of it is in the crate `claviger-bench`, so that a chore starts as fast as ever.

#![expect(clippy::print_stdout, reason = "a chore reports to the person or the CI that runs it")]

mod bench;
mod node;
mod postgres;
mod process;
mod python;
mod test;
mod tools;

use std::env;
use std::path::Path;
use std::process::ExitCode;

/// A chore stops at the first failure and says which command failed; nobody matches on it.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const HELP: &str = "\
cargo xtask test                  every gate and every test, as CI runs them
cargo xtask test --only FILTER    only the tests whose name contains FILTER, and no gates
cargo xtask screenshots           pictures of the console's pages, into target/screenshots and docs/images
cargo xtask postgres              a PostgreSQL for `cargo test`, until Ctrl-C
cargo xtask bench                 every figure beside a bare server's, into docs/performance.md; wants a quiet machine
cargo xtask bench --only GROUP    only the rows of one group, on the screen: verify, cold, cold-postgres, forward-auth,
                                  jwt, sdk, oauth, nginx, create, revocation, memory, flood, start or growth
cargo xtask bench --quick         small numbers, to try the benchmark itself; goes with --only
cargo xtask instructions          how many instructions a verification takes; fails if clearly more than is agreed
cargo xtask instructions --accept agree to what it takes now";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();

    let done = prepare().and_then(|()| match arguments[..] {
        ["test"] => test::run(None),
        ["test", "--only", filter] => test::run(Some(filter)),
        ["screenshots"] => node::screenshots(),
        ["postgres"] => postgres::serve(),
        ["bench", ref arguments @ ..] => bench::run(arguments),
        ["instructions", ref arguments @ ..] => bench::instructions(arguments),
        [] | ["help" | "--help"] => {
            println!("{HELP}");
            Ok(ExitCode::SUCCESS)
        }
        _ => Err(format!("no such chore\n\n{HELP}").into()),
    });
    done.unwrap_or_else(|error| {
        println!("{error}");
        ExitCode::FAILURE
    })
}

/// Every command runs in the root of the repository, and ends when this program is told to.
fn prepare() -> Result<()> {
    env::set_current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))?;
    process::stop_on_signals()
}
