//! `claviger migrate`: the schema alone, for those who want to do it at a moment of their choice.

use std::process::ExitCode;

use claviger_store::Database;

use crate::{
    failure::Failure,
    open,
    output::{self, Progress},
    settings::{ListenFlags, SettingFlags, Settings},
};

/// Bring the database up to this version
#[derive(Debug, clap::Args)]
pub(crate) struct Migrate {
    #[command(flatten)]
    settings: SettingFlags,
}

pub(crate) async fn run(command: Migrate) -> Result<ExitCode, Failure> {
    let settings = Settings::load(&command.settings, &ListenFlags::default())?;
    output::start_log(&settings, "warn", None);
    let database = open::prepared(&settings).await?;
    let before = database.schema_version().await?;
    let what = format!("bringing {} from schema {before} to {}", settings.database, Database::newest_schema());
    Progress::unless(false).beside(&what, open::migrate(&settings, &database)).await?;
    let after = database.schema_version().await?;
    database.close().await;
    let done = match before {
        0 => format!("made schema {after}"),
        before if before == after => format!("is at schema {after} already; nothing to do"),
        before => format!("went from schema {before} to {after}"),
    };
    output::answer(&format!("database {} {done}", settings.database))?;
    Ok(ExitCode::SUCCESS)
}
