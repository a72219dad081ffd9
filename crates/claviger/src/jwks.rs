//! `claviger jwks`: the public keys, straight from the database.

use std::process::ExitCode;

use crate::{
    failure::Failure,
    open, output,
    settings::{ListenFlags, SettingFlags, Settings},
};

/// Print the public keys that prove access tokens, as /.well-known/jwks.json has them
#[derive(Debug, clap::Args)]
pub(crate) struct Jwks {
    #[command(flatten)]
    settings: SettingFlags,
}

pub(crate) async fn run(command: Jwks) -> Result<ExitCode, Failure> {
    let settings = Settings::load(&command.settings, &ListenFlags::default())?;
    output::start_log(&settings, "warn", None);
    let app = open::existing_app(settings).await?;
    let set = app.signing_keys().await?.key_set(app.now());
    app.store.database().close().await;
    output::json(&serde_json::to_string_pretty(&set)?)?;
    Ok(ExitCode::SUCCESS)
}
