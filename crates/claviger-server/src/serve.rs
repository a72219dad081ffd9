//! The two listeners, from the first connection to the last flush.

use std::{future::Future, io, net::SocketAddr, time::Duration};

use axum::{Router, serve::ListenerExt as _};
use claviger_store::StoreError;
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    app::{App, monotonic},
    jobs, router,
};

/// How long requests that run may go on after a stop was asked for.
const GRACE: Duration = Duration::from_secs(25);

/// Bound sockets.
#[derive(Debug)]
pub struct Listeners {
    /// OAuth, management API, docs.
    pub public: TcpListener,
    /// Verify, forward-auth, health.
    pub internal: TcpListener,
}

/// Why the service cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// An address cannot be bound.
    #[error("cannot listen on {address}: {cause}; is another claviger running? choose another with --{flag}")]
    Bind {
        /// Which address.
        address: SocketAddr,
        /// The setting's flag.
        flag: &'static str,
        /// Why not.
        cause: io::Error,
    },
    /// Anybody who reaches this address could ask anything.
    #[error(
        "internal_listen {0} is not on loopback; set internal_token so that only your services can ask (CLAVIGER_INTERNAL_TOKEN)"
    )]
    OpenInternal(SocketAddr),
    /// The database does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The socket failed.
    #[error("a listener failed")]
    Io(#[from] io::Error),
}

impl Listeners {
    /// Binds both addresses. The internal one wants a token unless it is on loopback.
    pub async fn bind(public: SocketAddr, internal: SocketAddr, has_token: bool) -> Result<Self, ServeError> {
        if !internal.ip().is_loopback() && !has_token {
            return Err(ServeError::OpenInternal(internal));
        }
        let bind = async |address: SocketAddr, flag| {
            TcpListener::bind(address).await.map_err(|cause| ServeError::Bind { address, flag, cause })
        };
        Ok(Self { public: bind(public, "listen").await?, internal: bind(internal, "internal-listen").await? })
    }
}

/// Serves until `stop`; then finishes the requests that run, and writes the usage that is counted.
pub async fn serve(
    app: App,
    listeners: Listeners,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let (stopping, ended) = (CancellationToken::new(), CancellationToken::new());
    let tasks = TaskTracker::new();
    // Before the first request: a change made after something was cached must lie beyond the cursor.
    let cursor = app.store.log_cursor(monotonic()).await?;
    tasks.spawn(jobs::follow_changes(app.clone(), cursor, ended.clone()));
    tasks.spawn(jobs::flush_usage(app.clone(), ended.clone()));
    tasks.spawn(jobs::trim(app.clone(), ended.clone()));
    tokio::spawn({
        let stopping = stopping.clone();
        async move {
            stop.await;
            tracing::info!("stopping: finishing the requests that run");
            stopping.cancel();
        }
    });
    let both = async {
        tokio::try_join!(
            listen(listeners.public, router::public(app.clone()), stopping.clone()),
            listen(listeners.internal, router::internal(app.clone()), stopping.clone()),
        )
    };
    let late = async {
        stopping.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    let served = tokio::select! {
        served = both => served.map(drop),
        () = late => Ok(()),
    };
    ended.cancel();
    tasks.close();
    tasks.wait().await;
    app.store.database().close().await;
    Ok(served?)
}

async fn listen(listener: TcpListener, routes: Router, stop: CancellationToken) -> io::Result<()> {
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY");
        }
    });
    let service = routes.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).with_graceful_shutdown(stop.cancelled_owned()).await
}
