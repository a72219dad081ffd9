//! `claviger bootstrap`: the first administrator's key, straight on the database, beside a running service or before it.

use std::process::ExitCode;

use claviger_server::{AccessLog, Bootstrapped};
use claviger_store::Database;
use serde_json::json;

use crate::{
    failure::Failure,
    open::{self, Bound},
    output,
    settings::{ListenFlags, SettingFlags, Settings},
};

/// Make the first administrator and its key
#[derive(Debug, clap::Args)]
pub(crate) struct Bootstrap {
    /// Print {"organization_id", "service_account_id", "api_key"} instead of the key alone
    #[arg(long)]
    json: bool,
    /// On an instance that is bootstrapped, make one more key of its administrator
    #[arg(long)]
    another_key: bool,
    #[command(flatten)]
    settings: SettingFlags,
}

pub(crate) async fn run(command: Bootstrap) -> Result<ExitCode, Failure> {
    let settings = Settings::load(&command.settings, &ListenFlags::default())?;
    output::start_log(&settings, "warn", None);
    let database = open::migrated(&settings).await?;
    must_be_the_brand(&settings, &database).await?;
    let keys = open::keys(&settings, &database).await?;
    let bound = Bound::asked(&settings);
    let app = open::app(settings, database, keys, bound, AccessLog::default());
    open::ensure_builtins(&app).await?;
    if !command.another_key {
        // First: of a key that is there it must be known.
        app.store.database().remember_brand(&app.config.brand, app.now()).await?;
    }
    let made = app.bootstrap(command.another_key).await?;
    app.store.database().close().await;
    if command.json {
        output::answer(&as_json(&made).to_string())?;
    } else {
        output::secret(&made.api_key)?;
        output::note(&format!(
            "This is the key of an instance administrator, shown this once.\n\
             \n  organization     default ({})\n  service account  root ({})\n  API key          {}\n\
             \nNext: start the service with `claviger serve`, put the key into CLAVIGER_TOKEN, and `claviger api-key list`.",
            made.organization_id, made.service_account_id, made.api_key_id
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// A key that the service would refuse is not made: it was started under the brand that is remembered.
async fn must_be_the_brand(settings: &Settings, database: &Database) -> Result<(), Failure> {
    let brand = &settings.brand;
    match database.brand().await? {
        Some(known) if known != *brand => {
            let line =
                format!("the keys of this instance begin with {known}_, and one made by these settings with {brand}_");
            Err(Failure::new(line).and(format!(
                "set brand (CLAVIGER_BRAND) to {known}; or, to change it, start `claviger serve` with {brand} first"
            )))
        }
        _ => Ok(()),
    }
}

fn as_json(made: &Bootstrapped) -> serde_json::Value {
    json!({
        "organization_id": made.organization_id,
        "service_account_id": made.service_account_id,
        "api_key": made.api_key.expose(),
    })
}
