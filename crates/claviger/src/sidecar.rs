//! `claviger sidecar`: what answers for the service beside a service of somebody else's. It reads no settings, for it opens no database.

use std::{fs, net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use clap::Args;
use claviger_server::SidecarSettings;
use claviger_token::Secret;

use crate::{
    duration,
    failure::Failure,
    output,
    serve::stop_signal,
    settings::{LogFormat, default_internal_hosts},
};

/// Answer verify calls and forward-auth beside a service, from memory
///
/// Asks the service about a credential once, hears from it when something changes, and goes on answering while it is away for a moment. Has no
/// database. It answers /v1/verify and /v1/forward-auth as the service's internal listener does.
#[derive(Debug, Args)]
pub(crate) struct Sidecar {
    /// The internal listener of the service
    #[arg(long, value_name = "URL", value_parser = upstream)]
    upstream: String,
    /// Where to listen. On another address than loopback, callers must present the token of --token-file
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7423")]
    listen: SocketAddr,
    /// A file with the internal_token of the service, if it has one
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// A name by which callers reach this, beside localhost and the address; may be given several times
    #[arg(long, value_name = "NAME")]
    host: Vec<String>,
    /// For how long what is known counts while the service is not heard: from 1s to 30s
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = staleness)]
    max_staleness: Duration,
    /// How log lines look
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    log_format: LogFormat,
    /// What is logged, such as info or debug
    #[arg(long, value_name = "FILTER", default_value = "info")]
    log: String,
}

/// Its address is logged: what may be a password is no part of it.
fn upstream(text: &str) -> Result<String, String> {
    let has_user = |url: &url::Url| !url.username().is_empty() || url.password().is_some();
    if url::Url::parse(text).is_ok_and(|url| has_user(&url)) {
        return Err("give the token by --token-file, and an address without a user".to_owned());
    }
    Ok(text.to_owned())
}

fn staleness(text: &str) -> Result<Duration, String> {
    let time = duration::parse(text)?;
    // What is used is asked about anew after 30 seconds, and ends after 60: no more than the rest can be promised.
    if (1..=30).contains(&time.as_secs()) { Ok(time) } else { Err("give 1s to 30s".to_owned()) }
}

pub(crate) async fn run(command: Sidecar) -> Result<ExitCode, Failure> {
    let Sidecar { upstream, listen, token_file, host, max_staleness, log_format, log } = command;
    output::start_log_as(log_format, &log, None);
    let stop = stop_signal()?;
    let token = token_file.map(token).transpose()?;
    let mut hosts = default_internal_hosts(listen.ip());
    hosts.extend(host);
    let upstream = upstream.trim_end_matches('/').to_owned();
    let settings = SidecarSettings { upstream: upstream.clone(), token, listen, hosts, max_staleness };
    let sidecar = claviger_server::Sidecar::start(settings).await?;
    let address = sidecar.address()?;
    tracing::info!(%address, upstream, version = env!("CARGO_PKG_VERSION"), "listening");
    sidecar.serve(stop).await;
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

fn token(file: PathBuf) -> Result<Secret, Failure> {
    let text = fs::read_to_string(&file);
    let text = text.map_err(|error| Failure::because(format!("cannot read {}", file.display()), &error))?;
    if text.trim().is_empty() {
        return Err(Failure::new(format!(
            "{} is empty: it must hold the internal_token of the service",
            file.display()
        )));
    }
    Ok(Secret::new(text.trim().to_owned()))
}
