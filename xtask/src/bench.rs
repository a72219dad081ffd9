//! `cargo xtask bench` and `cargo xtask instructions`: what they need is installed, started and built here; what is
//! measured, and how, is the affair of the crate `claviger-bench`, which `cargo xtask test` only compiles.

use std::env;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use crate::postgres::Postgres;
use crate::tools::cargo;
use crate::{Result, process, tools};

/// Statements are counted, as a measure of round trips.
const POSTGRES: [&str; 2] = ["-c", "shared_preload_libraries=pg_stat_statements"];

/// Measures everything, or with `--only GROUP` one group of rows; `--quick` tries whether the benchmark itself works.
pub(crate) fn run(arguments: &[&str]) -> Result<ExitCode> {
    tools::install_packages()?;
    tools::install_packages_of_bench()?;
    let postgres = Postgres::start_in(tempfile::tempdir()?, &POSTGRES)?;
    let mut command = built()?;
    // Beside the built programs, because `/tmp` may be in memory: a commit there would cost nothing.
    let scratch = tempfile::Builder::new().prefix("bench-").tempdir_in(target()?)?;
    command.args(["run", "--scratch"]).arg(scratch.path()).args(arguments);
    // Debian keeps nginx where only root's path leads to.
    let path = format!("{}:/usr/sbin", env::var("PATH")?);
    process::run(command.envs(postgres.variables()).env("PATH", path))?;
    Ok(ExitCode::SUCCESS)
}

/// Fails if a verification takes clearly more instructions than is agreed; `--accept` agrees to what it takes now.
pub(crate) fn instructions(arguments: &[&str]) -> Result<ExitCode> {
    tools::install_packages_of_bench()?;
    process::run(built()?.arg("instructions").args(arguments))?;
    Ok(ExitCode::SUCCESS)
}

/// The measuring program, with the service beside it. Both in one command: on its own, each has other features of the
/// dependencies that they share, and all of these would be built twice.
fn built() -> Result<Command> {
    process::run(cargo().args(["build", "--release", "--package", "claviger", "--package", "claviger-bench"]))?;
    Ok(Command::new(target()?.join("release/claviger-bench")))
}

fn target() -> Result<PathBuf> {
    let program = env::current_exe()?;
    Ok(program.ancestors().nth(2).ok_or("this program lies in no target directory")?.into())
}
