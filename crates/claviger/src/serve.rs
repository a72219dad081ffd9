//! `claviger serve`: the service, from its settings to a graceful stop.

use std::{future::Future, process::ExitCode};

use claviger_server::{AccessLog, AccessLogAt, App, FirstRun, Listeners, Tls, TlsAt};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

use crate::{
    example,
    failure::Failure,
    open::{self, Bound},
    output,
    settings::{ListenFlags, STRANGERS, SettingFlags, Settings, TLS_MEND},
    traces::Traces,
};

/// Run the service
#[derive(Debug, clap::Args)]
pub(crate) struct Serve {
    /// On an instance without customers, make an example and show what to try with it
    #[arg(long)]
    dev: bool,
    #[command(flatten)]
    listen: ListenFlags,
    #[command(flatten)]
    settings: SettingFlags,
}

pub(crate) async fn run(command: Serve) -> Result<ExitCode, Failure> {
    let settings = Settings::load(&command.settings, &command.listen)?;
    let traces = Traces::open(&settings)?;
    output::start_log(&settings, "info,sqlx=warn", traces.as_ref());
    for network in settings.trusted_strangers() {
        let (meaning, mend) = STRANGERS;
        tracing::warn!(%network, "anybody may be in this network of trusted_proxies: {meaning}; {mend}");
    }
    // Before anything is opened: a signal from now on is a graceful stop.
    let stop = stop_signal()?;
    let access_log = access_log(&settings)?;
    // The sockets come first, for the public address may depend on them; who connects early waits.
    let listeners =
        Listeners::bind(settings.listen, settings.internal_listen, settings.internal_token.is_some()).await?;
    let listeners = match &settings.tls {
        Some(at) => listeners.with_tls(tls(at)?, settings.mtls_listen).await?,
        None => listeners,
    };
    let (public, internal) = (listeners.public.local_addr()?, listeners.internal.local_addr()?);
    let mtls = listeners.mtls.as_ref().map(TcpListener::local_addr).transpose()?;
    let scheme = settings.scheme();
    let database = open::migrated(&settings).await?;
    let keys = open::keys(&settings, &database).await?;
    let database_shown = settings.database.to_string();
    let app = open::app(settings, database, keys, Bound { public, mtls, internal }, access_log);
    app.store.database().remember_brand(&app.config.brand, app.now()).await?;
    warn_of_other_brands(&app).await;
    app.install_builtins().await?;
    if command.dev {
        output::answer(&example::welcome(&app, scheme, public, internal).await?)?;
    } else if let Some(link) = app.first_run_link(FirstRun::Untouched).await? {
        // Beside the log, and not in it: what goes to stdout may be an access log.
        output::note(&format!(
            "\nSet up this instance in a browser. The link works within a day, until there is an administrator or a customer:\n\n  {}\n\n\
             Without a browser, `claviger bootstrap` prints an administrator's key.\n",
            link.expose()
        ));
    }
    tracing::info!(
        %public, %internal, mtls = mtls.map(tracing::field::display), public_url = app.config.public_url, database = database_shown,
        version = env!("CARGO_PKG_VERSION"), "listening"
    );
    let served = claviger_server::serve(app, listeners, stop).await;
    if let Some(traces) = traces {
        tokio::task::spawn_blocking(|| traces.finish()).await?;
    }
    served?;
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

/// What was made under a brand that is not accepted any more is refused from now on. The service runs for all others, whatever comes
/// of the look.
async fn warn_of_other_brands(app: &App) {
    let accepted = open::accepted_brands(&app.config.brand, &app.config.former_brands);
    match app.store.database().other_brands(&accepted, app.now()).await {
        Ok(others) => {
            for brand in others {
                tracing::warn!(%brand, "credentials that begin with {brand}_ are refused; {}", open::accept(&brand));
            }
        }
        Err(error) => {
            tracing::warn!(%error, "whether credentials of a former brand are refused could not be found out");
        }
    }
}

fn tls(at: &TlsAt) -> Result<Tls, Failure> {
    Tls::open(at.clone()).map_err(|error| Failure::because("cannot speak TLS", &error).so(TLS_MEND))
}

/// Opens it, and opens it anew at each SIGHUP: what rotates logs says so when it has moved the file away.
fn access_log(settings: &Settings) -> Result<AccessLog, Failure> {
    let Some(at) = &settings.access_log else { return Ok(AccessLog::default()) };
    let opened = AccessLog::open(at.clone()).map_err(|error| {
        let place = match at {
            AccessLogAt::Stdout => "stdout".to_owned(),
            AccessLogAt::File(path) => path.display().to_string(),
        };
        Failure::because(format!("cannot write the access log {place}; set access_log (CLAVIGER_ACCESS_LOG)"), &error)
    })?;
    let (log, mut hangup) = (opened.clone(), signal(SignalKind::hangup())?);
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            log.reopen();
        }
    });
    Ok(opened)
}

pub(crate) fn stop_signal() -> Result<impl Future<Output = ()> + Send + 'static, Failure> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
