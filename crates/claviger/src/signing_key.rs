//! `claviger signing-key`: the keys that sign access tokens, asked of a service. `rotate.rs` does the same where only the
//! database can be reached.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use claviger_token::SigningAlgorithm;
use serde::Deserialize;

use crate::{
    body::Body,
    client::Remote,
    credential::reasons,
    failure::Failure,
    noun::{self, Noun, or, short},
    output,
};

/// List, show and rotate the keys that sign access tokens
#[derive(Debug, Args)]
pub(crate) struct SigningKey {
    #[command(flatten)]
    remote: Remote,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List them, newest first
    List,
    /// Show one
    Show {
        /// skey_…: also the kid
        id: String,
    },
    Rotate(Rotate),
}

/// Announce the next keys
///
/// They sign ten minutes later, when everybody who verifies can have fetched them; those before stay published until the last
/// token that they signed has ended. The service does the same by itself every signing_key_rotation.
#[derive(Debug, Args)]
struct Rotate {
    /// A key got out: sign with new ones at once, and refuse every token that the old ones signed
    #[arg(long)]
    now: bool,
    /// ES256, EdDSA or RS256 [default: every algorithm that has keys]
    #[arg(long, value_name = "ALGORITHM")]
    algorithm: Option<SigningAlgorithm>,
    /// Why [default: superseded; with --now, compromised]
    #[arg(long, value_parser = reasons())]
    reason: Option<String>,
}

/// What the tables need of one.
#[derive(Debug, Deserialize)]
struct Key {
    id: String,
    algorithm: String,
    state: String,
    created_at: String,
    active_at: String,
    retiring_at: Option<String>,
    removed_at: Option<String>,
    next_rotation_at: Option<String>,
}

pub(crate) fn run(SigningKey { remote, command }: SigningKey) -> Result<ExitCode, Failure> {
    let service = remote.service()?;
    match command {
        Command::List => noun::listed::<Key>(&service, &service.get(&[Key::PATH], &[])?)?,
        Command::Show { id } => noun::show::<Key>(&service, &id)?,
        Command::Rotate(rotate) => {
            let told = if rotate.now {
                "Replaced: the new keys sign, and what the old ones signed is refused within a second. Verifiers of their own \
                 follow when they fetch the keys again, five minutes later at most."
            } else {
                "Announced: the new keys sign in ten minutes. What the old ones signed stays good until it ends."
            };
            noun::listed::<Key>(&service, &service.post(&[Key::PATH, "rotate"], &rotate.body())?)?;
            output::note(told);
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl Rotate {
    fn body(self) -> serde_json::Value {
        let usual = if self.now { "compromised" } else { "superseded" };
        Body::new()
            .with("algorithm", self.algorithm.map(SigningAlgorithm::as_str))
            .with("emergency", Some(self.now))
            .with("reason", Some(self.reason.as_deref().unwrap_or(usual)))
            .json()
    }
}

impl Noun for Key {
    const PATH: &'static str = "signing-keys";
    const COMMAND: &'static str = "signing-key";
    const TITLES: &'static [&'static str] = &["ID", "ALGORITHM", "STATE", "SIGNS FROM", "SIGNS UNTIL", "GONE FROM"];

    fn row(self) -> Vec<String> {
        let until = |at: Option<String>| at.map_or_else(|| "-".to_owned(), |at| short(&at));
        let (retiring, removed) = (until(self.retiring_at), until(self.removed_at));
        vec![self.id, self.algorithm, self.state, short(&self.active_at), retiring, removed]
    }

    fn details(self) -> Vec<(&'static str, String)> {
        vec![
            ("id", self.id),
            ("algorithm", self.algorithm),
            ("state", self.state),
            ("made", self.created_at),
            ("signs from", self.active_at),
            ("signs until", or(self.retiring_at, "its successor does")),
            ("published until", or(self.removed_at, "what it signed has ended")),
            ("next announced", or(self.next_rotation_at, "-")),
        ]
    }
}
