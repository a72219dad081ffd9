//! `claviger rotate`: new keys of the instance, straight on the database, beside a running service or without one.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use claviger_core::{By, RevokeReason, RotateSigningKeys};
use claviger_token::SigningAlgorithm;

use crate::{
    failure::Failure,
    open, output,
    settings::{ListenFlags, SettingFlags, Settings},
};

/// Rotate the instance's own keys
#[derive(Debug, Args)]
pub(crate) struct Rotate {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    SigningKeys(SigningKeys),
}

/// Announce the next keys that sign access tokens
///
/// They sign ten minutes later, when everybody who verifies can have fetched them; those before stay published until the last
/// token that they signed has ended. The service does the same by itself every signing_key_rotation.
#[derive(Debug, Args)]
struct SigningKeys {
    /// A key got out: sign with new ones at once, and refuse every token that the old ones signed
    #[arg(long)]
    now: bool,
    /// ES256, EdDSA or RS256 [default: every algorithm that has keys]
    #[arg(long, value_name = "ALGORITHM")]
    algorithm: Option<SigningAlgorithm>,
    #[command(flatten)]
    settings: SettingFlags,
}

pub(crate) async fn run(Rotate { what: What::SigningKeys(command) }: Rotate) -> Result<ExitCode, Failure> {
    let settings = Settings::load(&command.settings, &ListenFlags::default())?;
    output::start_log(&settings, "warn", None);
    let app = open::existing_app(settings).await?;
    let reason = if command.now { RevokeReason::Compromised } else { RevokeReason::Superseded };
    let asked = RotateSigningKeys { algorithm: command.algorithm, emergency: command.now, reason };
    let rotated = app.rotate_signing_keys(&By::operator(), &asked).await;
    app.store.database().close().await;
    let rows = rotated?.into_iter().map(|key| {
        [
            key.id.to_string(),
            key.algorithm.to_string(),
            key.state(app.now()).as_str().to_owned(),
            key.active_at.to_string(),
        ]
    });
    output::answer(&output::table(&["ID", "ALGORITHM", "STATE", "SIGNS FROM"], rows))?;
    Ok(ExitCode::SUCCESS)
}
