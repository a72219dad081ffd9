//! The listeners, from the first connection to the last flush.

use std::{
    convert::Infallible,
    future::{Future, pending},
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{HeaderValue, Request, Version, header},
    response::Response,
};
use claviger_store::StoreError;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{
        conn::auto::Builder,
        graceful::{GracefulShutdown, Watcher},
    },
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Sleep, sleep},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt as _;
use tracing::Instrument as _;

use crate::{
    app::{App, monotonic},
    client_certificate::OfConnection,
    jobs,
    metrics::{Listener, Route},
    router,
    tls::{Asks, Tls},
    traces,
};

/// How long requests that run may go on after a stop was asked for.
const GRACE: Duration = Duration::from_secs(25);

/// Who was let in as the last has so long to be heard, before connections on which nobody asks are closed.
const LAST_WORD: Duration = Duration::from_millis(250);

/// How many connections one listener holds; who comes after them waits in the system's queue.
const MOST_CONNECTIONS: usize = 10_000;

/// How many requests one HTTP/2 connection has at a time.
const MOST_STREAMS: u32 = 250;

/// How long a new connection may take to send the head of its first request.
const HEAD_TIME: Duration = Duration::from_secs(5);

/// The same for every later request, the pause before it included. Longer than nginx keeps an idle connection to its
/// upstream (60 s): so it is the client who closes, and no request is sent into a closing connection.
const IDLE_TIME: Duration = Duration::from_secs(75);

/// How often an HTTP/2 peer is asked whether it is still there, and how long it may take to say so.
const PING_EVERY: Duration = Duration::from_secs(20);
const PING_TIME: Duration = Duration::from_secs(10);

/// The rest after a connection could not be accepted, mostly because there is no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Bound sockets.
#[derive(Debug)]
pub struct Listeners {
    /// OAuth, management API, docs.
    pub public: TcpListener,
    /// Verify, forward-auth, health.
    pub internal: TcpListener,
    /// The same as the public one for clients that have certificates.
    pub mtls: Option<TcpListener>,
    /// What the public one and the one after speak TLS by. Without, the public one speaks HTTP as it is.
    pub tls: Option<Tls>,
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
}

impl Listeners {
    /// Binds both addresses. The internal one wants a token unless it is on loopback.
    pub async fn bind(public: SocketAddr, internal: SocketAddr, has_token: bool) -> Result<Self, ServeError> {
        if !internal.ip().is_loopback() && !has_token {
            return Err(ServeError::OpenInternal(internal));
        }
        let (public, internal) = (bind(public, "listen").await?, bind(internal, "internal-listen").await?);
        Ok(Self { public, internal, mtls: None, tls: None })
    }

    /// The same with TLS, and with a listener that asks for certificates of clients if it has an address.
    pub async fn with_tls(self, tls: Tls, mtls: Option<SocketAddr>) -> Result<Self, ServeError> {
        let mtls = match mtls {
            Some(address) => Some(bind(address, "mtls-listen").await?),
            None => None,
        };
        Ok(Self { mtls, tls: Some(tls), ..self })
    }
}

async fn bind(address: SocketAddr, flag: &'static str) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|cause| ServeError::Bind { address, flag, cause })
}

/// Serves until `stop`; then finishes the requests that run, and writes what is counted and told of them.
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
    tasks.spawn(jobs::flush_quotas(app.clone(), ended.clone()));
    tasks.spawn(jobs::flush_usage(app.clone(), ended.clone()));
    tasks.spawn(jobs::trim(app.clone(), ended.clone()));
    tasks.spawn(jobs::keep_usage(app.clone(), ended.clone()));
    tasks.spawn(jobs::tend_signing_keys(app.clone(), ended.clone()));
    tasks.spawn(jobs::tend_deny_list(app.clone(), ended.clone()));
    tasks.spawn(jobs::tend_redis(app.clone(), ended.clone()));
    tasks.spawn(jobs::tell_who_waits(app.clone(), stopping.clone()));
    if let Some(tls) = &listeners.tls {
        tasks.spawn(jobs::tend_certificate(tls.clone(), ended.clone()));
    }
    tokio::spawn({
        let (app, stopping) = (app.clone(), stopping.clone());
        async move {
            stop.await;
            app.stops();
            let drain_time = app.config.drain_time;
            if !drain_time.is_zero() {
                tracing::info!(?drain_time, "draining: who asks is told to go elsewhere");
                sleep(drain_time).await;
            }
            tracing::info!("stopping: finishing the requests that run");
            stopping.cancel();
        }
    });
    let Listeners { public, internal, mtls, tls } = listeners;
    let all = async {
        let site = Site::public(&app);
        let asking = tls.clone().map(|tls| (tls, Asks::Certificate));
        let with_certificates = async {
            if let Some(listener) = mtls {
                listen(listener, site.clone(), asking, MOST_CONNECTIONS, stopping.clone()).await;
            }
        };
        let not_asking = tls.map(|tls| (tls, Asks::Nothing));
        tokio::join!(
            listen(public, site.clone(), not_asking, MOST_CONNECTIONS, stopping.clone()),
            listen(internal, Site::internal(&app), None, MOST_CONNECTIONS, stopping.clone()),
            with_certificates,
        );
    };
    let late = async {
        stopping.cancelled().await;
        sleep(GRACE).await;
    };
    tokio::select! {
        () = all => {}
        () = late => {}
    }
    ended.cancel();
    tasks.close();
    tasks.wait().await;
    app.config.access_log.flush().await;
    app.store.database().close().await;
    Ok(())
}

/// Serves what needs no app on one socket until `stop`; then finishes the requests that run.
pub(crate) async fn serve_alone(
    listener: TcpListener,
    routes: Router,
    stop: impl Future<Output = ()> + Send + 'static,
) {
    let stopping = CancellationToken::new();
    let site = Site { app: None, listener: Listener::Internal, routes };
    let late = async {
        stop.await;
        tracing::info!("stopping: finishing the requests that run");
        stopping.cancel();
        sleep(GRACE).await;
    };
    tokio::select! {
        () = listen(listener, site, None, MOST_CONNECTIONS, stopping.clone()) => {}
        () = late => {}
    }
}

/// What a listener serves, and in whose name it is measured.
#[derive(Clone)]
struct Site {
    /// Who measures.
    app: Option<App>,
    listener: Listener,
    routes: Router,
}

impl Site {
    fn public(app: &App) -> Self {
        Self { app: Some(app.clone()), listener: Listener::Public, routes: router::public(app.clone()) }
    }

    fn internal(app: &App) -> Self {
        Self { app: Some(app.clone()), listener: Listener::Internal, routes: router::internal(app.clone()) }
    }

    /// Measured here, outside of every layer, so that all of them are in it.
    async fn answer(self, request: Request<Body>) -> Result<Response, Infallible> {
        let Some(app) = self.app else { return self.routes.oneshot(request).await };
        let (route, began) = (Route::of(self.listener, request.uri().path()), monotonic());
        // HTTP/2 is told by hyper, when the last requests run.
        let is_last = app.is_stopping() && request.version() < Version::HTTP_2;
        let mut answer = if app.config.traces {
            let span = traces::span(&request, self.listener, route);
            let answer = self.routes.oneshot(request).instrument(span.clone()).await?;
            traces::answered(&span, answer.status());
            answer
        } else {
            self.routes.oneshot(request).await?
        };
        app.metrics.answered(self.listener, route, answer.status(), began.elapsed());
        if is_last {
            answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(answer)
    }
}

/// Takes connections until `stop`, with TLS or as they are, then lets their requests end. hyper's own server and not `axum::serve`, which bounds
/// neither how many connections there are nor how long one may stay silent.
async fn listen(listener: TcpListener, site: Site, tls: Option<(Tls, Asks)>, most: usize, stop: CancellationToken) {
    let mut http = Builder::new(TokioExecutor::new());
    http.http1().timer(TokioTimer::new()).header_read_timeout(IDLE_TIME);
    http.http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MOST_STREAMS)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_TIME);
    let (places, open) = (Arc::new(Semaphore::new(most)), GracefulShutdown::new());
    let accept = async || {
        // Never closed, so there is always a place at last.
        let place = Arc::clone(&places).acquire_owned().await.map_err(io::Error::other)?;
        listener.accept().await.map(|(stream, peer)| (stream, peer, place))
    };
    let welcome = |stream, peer, place| {
        let client = Client { stream, peer, _place: place };
        tokio::spawn(client.serve(tls.clone(), http.clone(), site.clone(), open.watcher()));
    };
    loop {
        let accepted = tokio::select! {
            accepted = accept() => accepted,
            () = stop.cancelled() => break,
        };
        match accepted {
            Ok((stream, peer, place)) => welcome(stream, peer, place),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    // Who is connected already, and waits to be let in, would be thrown out.
    for (stream, peer) in waiting(listener) {
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { break };
        welcome(stream, peer, place);
    }
    if site.app.as_ref().is_some_and(|app| !app.config.drain_time.is_zero()) {
        sleep(LAST_WORD).await;
    }
    open.shutdown().await;
}

/// Those whom the system took in for a listener that lets nobody else in. Asked for directly, for tokio knows of them only a moment later.
fn waiting(listener: TcpListener) -> Vec<(TcpStream, SocketAddr)> {
    let Ok(listener) = listener.into_std() else { return Vec::new() };
    // Who gave up while waiting is an error among the others, and does not end them.
    let accepted = std::iter::repeat_with(|| listener.accept()).take(MOST_CONNECTIONS);
    let accepted = accepted.take_while(|next| !matches!(next, Err(error) if error.kind() == io::ErrorKind::WouldBlock));
    let streams = accepted.filter_map(|next| {
        let (stream, peer) = next.ok()?;
        stream.set_nonblocking(true).ok()?;
        Some((TcpStream::from_std(stream).ok()?, peer))
    });
    streams.collect()
}

/// One connection and its place among the others.
struct Client {
    stream: TcpStream,
    peer: SocketAddr,
    _place: OwnedSemaphorePermit,
}

impl Client {
    async fn serve(self, tls: Option<(Tls, Asks)>, http: Builder<TokioExecutor>, site: Site, stopping: Watcher) {
        let Self { stream, peer, _place } = self;
        // A handshake and the first head, together.
        let mut late = pin!(sleep(HEAD_TIME));
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY");
        }
        let peer = (site.listener == Listener::Public).then_some(peer);
        let Some((tls, asks)) = tls else {
            return answer(stream, Peer { address: peer, shown: None }, http, &site, stopping, late).await;
        };
        let encrypted = async {
            let shaken = tokio::select! {
                shaken = tls.accept(stream, asks) => shaken,
                () = &mut late => return tracing::debug!("a handshake took too long"),
            };
            match shaken {
                Ok((stream, shown)) => {
                    answer(stream, Peer { address: peer, shown }, http, &site, stopping, late).await;
                }
                Err(error) => tracing::debug!(%error, "a handshake failed"),
            }
        };
        // Boxed, or every connection would be as large as one with TLS.
        Box::pin(encrypted).await;
    }
}

/// What is known of who is connected, and goes with each request.
struct Peer {
    address: Option<SocketAddr>,
    shown: Option<OfConnection>,
}

/// Answers what is asked on a connection, unless nothing is until it is `late`.
async fn answer<S>(
    stream: S,
    peer: Peer,
    http: Builder<TokioExecutor>,
    site: &Site,
    stopping: Watcher,
    late: Pin<&mut Sleep>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let asked = AtomicBool::new(false);
    let asked = &asked;
    let service = service_fn(|request: Request<Incoming>| {
        asked.store(true, Ordering::Relaxed);
        let mut request = request.map(Body::new);
        if let Some(address) = peer.address {
            request.extensions_mut().insert(ConnectInfo(address));
        }
        if let Some(shown) = &peer.shown {
            request.extensions_mut().insert(shown.clone());
        }
        site.clone().answer(request)
    });
    let silent = async {
        late.await;
        if asked.load(Ordering::Relaxed) {
            pending::<()>().await;
        }
    };
    tokio::select! {
        served = stopping.watch(http.serve_connection(TokioIo::new(stream), service)) => {
            if let Err(error) = served {
                tracing::debug!(%error, "a connection broke");
            }
        }
        () = silent => tracing::debug!("a connection asked for nothing in time"),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;
    use crate::app::tests::app;

    #[tokio::test]
    async fn who_comes_after_the_last_place_waits_for_one() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (app, _directory) = app().await;
        let routes = Router::new().fallback(async || "served");
        let site = Site { app: Some(app), listener: Listener::Public, routes };
        let stop = CancellationToken::new();
        let listening = tokio::spawn(listen(listener, site, None, 1, stop.clone()));
        let ask = async || {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
            stream
        };
        let mut answer = [0; 12];
        let mut first = ask().await;
        first.read_exact(&mut answer).await.unwrap();

        let mut second = ask().await;
        let early = tokio::time::timeout(Duration::from_millis(300), second.read_exact(&mut answer)).await;
        assert!(early.is_err(), "the only place is taken");
        drop(first);
        second.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");

        stop.cancel();
        listening.await.unwrap();
    }
}
