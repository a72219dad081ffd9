//! What runs beside the requests: following the change log, flushing usage, trimming.

use std::time::Duration;

use claviger_store::{LogCursor, StoreError};
use tokio_util::sync::CancellationToken;

use crate::app::{App, monotonic};

/// Bounds how late another node's change arrives; a read of an unchanged log costs microseconds.
const FOLLOW_EVERY: Duration = Duration::from_millis(100);
const FLUSH_EVERY: Duration = Duration::from_millis(500);
const TRIM_EVERY: Duration = Duration::from_secs(3600);

/// Keeps the cache true, from a cursor that was taken before anything was cached. Returns when stopped.
pub(crate) async fn follow_changes(app: App, mut cursor: LogCursor, stop: CancellationToken) {
    let mut failing = false;
    while wait(FOLLOW_EVERY, &stop).await {
        failing = tell(app.store.follow_log(&mut cursor, monotonic()).await, failing, "the change log");
    }
}

/// Writes usage, and a last time when stopped.
pub(crate) async fn flush_usage(app: App, stop: CancellationToken) {
    let mut failing = false;
    while wait(FLUSH_EVERY, &stop).await {
        failing = tell(flush(&app).await, failing, "usage");
    }
    tell(flush(&app).await, false, "usage");
}

/// Quotas first: what is lost of them is given away.
async fn flush(app: &App) -> Result<(), StoreError> {
    app.flush_quotas().await?;
    app.flush_usage().await
}

/// Removes what nobody needs any more.
pub(crate) async fn trim(app: App, stop: CancellationToken) {
    let mut failing = false;
    while wait(TRIM_EVERY, &stop).await {
        app.limiter.forget_idle();
        failing = tell(app.store.trim(app.now()).await.map(drop), failing, "trimming");
    }
}

async fn wait(time: Duration, stop: &CancellationToken) -> bool {
    tokio::select! {
        () = tokio::time::sleep(time) => true,
        () = stop.cancelled() => false,
    }
}

/// Tells an outage once when it begins and once when it ends, not at every try.
fn tell(done: Result<(), StoreError>, was_failing: bool, what: &str) -> bool {
    match done {
        Ok(()) => {
            if was_failing {
                tracing::info!("{what}: storage answers again");
            }
            false
        }
        Err(error) => {
            if !was_failing {
                tracing::error!(error = &error as &dyn std::error::Error, "{what}: storage failed; trying on");
            }
            true
        }
    }
}
