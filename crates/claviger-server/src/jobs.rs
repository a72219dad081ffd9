//! What runs beside the requests: following the change log, writing what was counted, trimming.

use std::time::Duration;

use claviger_store::{LogCursor, StoreError, settled};
use tokio_util::sync::CancellationToken;

use crate::{
    app::{App, monotonic},
    metrics::Work,
    tls::Tls,
};

/// Bounds how late another node's change arrives; a read of an unchanged log costs microseconds.
const FOLLOW_EVERY: Duration = Duration::from_millis(100);
/// Bounds what a crash loses of counts to a second, the writing included.
const FLUSH_EVERY: Duration = Duration::from_millis(800);
const TRIM_EVERY: Duration = Duration::from_secs(3600);
/// Days are made of hours for a minute at a time, however many there are: what is left over waits for the next round.
const KEEP_USAGE_EVERY: Duration = Duration::from_secs(600);
const KEEP_USAGE_FOR: Duration = Duration::from_secs(60);
/// Bounds how late who waits for news of what ended has them.
const TELL_EVERY: Duration = Duration::from_millis(100);
/// Bounds how late a Redis that is away is told of, while no request asks it.
const ASK_REDIS_EVERY: Duration = Duration::from_secs(5);
/// Often enough that keys in memory are read again before they are too old to be trusted.
const TEND_EVERY: Duration = Duration::from_secs(30);
const LOOK_AT_CERTIFICATE_EVERY: Duration = Duration::from_secs(3);

/// Keeps the cache true, from a cursor that was taken before anything was cached. Returns when stopped.
pub(crate) async fn follow_changes(app: App, mut cursor: LogCursor, stop: CancellationToken) {
    let mut failing = false;
    while wait(FOLLOW_EVERY, &stop).await {
        let done = app.store.follow_log(&mut cursor, monotonic()).await;
        failing = tell(&app, Work::ChangeLog, done, failing);
    }
}

/// Writes what quotas were spent, and a last time when stopped. It waits for no usage: what is lost of quotas is given away.
pub(crate) async fn flush_quotas(app: App, stop: CancellationToken) {
    let mut failing = false;
    while wait(FLUSH_EVERY, &stop).await {
        failing = write_quotas(&app, failing).await;
    }
    write_quotas(&app, false).await;
}

/// Writes usage, and a last time when stopped.
pub(crate) async fn flush_usage(app: App, stop: CancellationToken) {
    let mut failing = false;
    while wait(FLUSH_EVERY, &stop).await {
        failing = write_usage(&app, failing).await;
    }
    write_usage(&app, false).await;
}

/// Ends what the policies of organizations no longer allow, and what is left over.
pub(crate) async fn trim(app: App, stop: CancellationToken) {
    let mut failing = false;
    while wait(TRIM_EVERY, &stop).await {
        app.limiter.forget_idle();
        let done = match round(app.keep_policies()).await {
            Ok(()) => app.store.trim(app.now()).await.map(drop),
            Err(error) => Err(error),
        };
        failing = tell(&app, Work::Trim, done, failing);
    }
}

/// Makes days of hours of use that are not kept.
pub(crate) async fn keep_usage(app: App, stop: CancellationToken) {
    let mut failing = false;
    while wait(KEEP_USAGE_EVERY, &stop).await {
        let began = monotonic();
        let done = app.keep_usage(|| began.elapsed() < KEEP_USAGE_FOR && !stop.is_cancelled()).await;
        failing = tell(&app, Work::UsageDays, done, failing);
    }
}

/// Announces the next signing keys in time, and erases those whose time is over.
pub(crate) async fn tend_signing_keys(app: App, stop: CancellationToken) {
    let mut failing = false;
    while wait(TEND_EVERY, &stop).await {
        let done = round(app.tend_signing_keys()).await;
        failing = tell(&app, Work::SigningKeys, done, failing);
    }
}

/// Keeps the list of tokens that ended by themselves where every verification finds it.
pub(crate) async fn tend_deny_list(app: App, stop: CancellationToken) {
    let mut failing = false;
    loop {
        let done = app.tend_deny_list().await;
        failing = tell(&app, Work::DenyList, done, failing);
        if !wait(TEND_EVERY, &stop).await {
            return;
        }
    }
}

/// Tells whether Redis answers, if there is one.
pub(crate) async fn tend_redis(app: App, stop: CancellationToken) {
    while app.limiter.tend().await && wait(ASK_REDIS_EVERY, &stop).await {}
}

/// Takes a certificate into use that was renewed.
pub(crate) async fn tend_certificate(tls: Tls, stop: CancellationToken) {
    while wait(LOOK_AT_CERTIFICATE_EVERY, &stop).await {
        let tls = tls.clone();
        // Files may be slow, and nobody's request waits for them.
        if tokio::task::spawn_blocking(move || tls.reload()).await.is_err() {
            tracing::error!("the certificate could not be looked at; this is a defect");
        }
    }
}

/// Tells those who wait what ended, and lets them go when stopped.
pub(crate) async fn tell_who_waits(app: App, stop: CancellationToken) {
    while wait(TELL_EVERY, &stop).await {
        // That storage does not answer is told by whoever follows the log.
        if let Err(error) = app.tell_who_waits().await {
            tracing::debug!(%error, "what ended could not be read");
        }
    }
    app.let_nobody_wait();
    app.followers.let_go();
}

async fn write_quotas(app: &App, was_failing: bool) -> bool {
    let done = round(app.flush_quotas()).await;
    if done.is_ok() {
        app.metrics.quotas_are_flushed(monotonic());
    }
    tell(app, Work::Quotas, done, was_failing)
}

async fn write_usage(app: &App, was_failing: bool) -> bool {
    let began = monotonic();
    let done = settled(app.flush_usage()).await.unwrap_or_else(|error| Err((Work::Usage, error)));
    app.metrics.usage_flush.observe(began.elapsed().as_secs_f64());
    if done.is_ok() {
        app.metrics.usage_is_flushed(monotonic());
    }
    let (work, done) = match done {
        Ok(()) => (Work::Usage, Ok(())),
        Err((work, error)) => (work, Err(error)),
    };
    tell(app, work, done, was_failing)
}

/// A round is done when what it read of others' work is durable.
async fn round(work: impl Future<Output = Result<(), StoreError>>) -> Result<(), StoreError> {
    settled(work).await?
}

async fn wait(time: Duration, stop: &CancellationToken) -> bool {
    tokio::select! {
        () = tokio::time::sleep(time) => true,
        () = stop.cancelled() => false,
    }
}

/// Tells an outage once when it begins and once when it ends, not at every try.
fn tell(app: &App, work: Work, done: Result<(), StoreError>, was_failing: bool) -> bool {
    let what = work.as_str();
    match done {
        Ok(()) => {
            if was_failing {
                tracing::info!("{what}: storage answers again");
            }
            false
        }
        Err(error) => {
            app.metrics.failed(work);
            if !was_failing {
                tracing::error!(error = &error as &dyn std::error::Error, "{what}: storage failed; trying on");
            }
            true
        }
    }
}
