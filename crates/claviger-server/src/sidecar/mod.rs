//! `claviger sidecar`: the surface of the internal listener beside a service, without a database. What `claviger-sdk` keeps answers; what
//! it cannot know is passed on to Claviger word for word, and so is the answer.
//!
//! Start at [`Sidecar::serve`]: its routes stand there. The room must not decide: facts come from the keeper, verdicts from `decide`.

mod forward_auth;
mod health;
mod metrics;
mod upstream;
mod verify;

use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::FromRequestParts,
    http::{StatusCode, request::Parts},
    routing::{any, get, post},
};
use claviger_sdk::{Facts, Keeper, KeeperSettings, StartError, Unreachable};
use claviger_token::Secret;
use tokio::{net::TcpListener, time::timeout};
use tower_http::catch_panic::CatchPanicLayer;

use self::{metrics::Metrics, upstream::Upstream};
use crate::{
    absent,
    inside::Inside,
    problem::{Problem, RequestError},
    router::panicked,
    serve::serve_alone,
};

/// How long the last report of uses may take.
const REPORT_TIME: Duration = Duration::from_secs(5);

/// What whoever runs it chooses.
pub struct SidecarSettings {
    /// The address of Claviger's internal listener.
    pub upstream: String,
    /// What that wants, and what this wants of its callers unless it listens on loopback.
    pub token: Option<Secret>,
    /// Where it listens.
    pub listen: SocketAddr,
    /// By which names it is called.
    pub hosts: Vec<String>,
    /// For how long what is kept counts after the change feed fell silent.
    pub max_staleness: Duration,
}

/// Why it does not start.
#[derive(Debug, thiserror::Error)]
pub enum SidecarError {
    /// The address cannot be bound.
    #[error("cannot listen on {address}: {cause}; choose another with --listen")]
    Bind {
        /// Which address.
        address: SocketAddr,
        /// Why not.
        cause: std::io::Error,
    },
    /// Anybody who reaches this address could ask anything.
    #[error("--listen {0} is not on loopback; give the token that callers must present by --token-file")]
    Open(SocketAddr),
    /// The keeper does not start.
    #[error("--upstream: {0}")]
    Upstream(#[from] StartError),
    /// The token is none.
    #[error("what --token-file holds is no token: letters, digits and signs of ASCII are wanted, on one line")]
    Token,
    /// No client for HTTP.
    #[error("no HTTP client: {0}")]
    Http(#[from] reqwest::Error),
    /// Claviger is there, and does not let it in.
    #[error("{0} does not let this sidecar in: {1}")]
    Refused(String, &'static str),
}

/// A sidecar on its socket.
pub struct Sidecar {
    listener: TcpListener,
    state: State,
}

/// What its handlers share.
#[derive(Clone)]
pub(crate) struct State(Arc<Inner>);

pub(crate) struct Inner {
    keeper: Keeper,
    upstream: Upstream,
    metrics: Metrics,
    hosts: Vec<String>,
    /// Of callers.
    token: Option<Secret>,
    max_staleness: Duration,
}

impl Sidecar {
    /// Binds its socket and begins to follow Claviger, also while that is not there. If it is there and does not let it in, that is an
    /// error.
    pub async fn start(settings: SidecarSettings) -> Result<Self, SidecarError> {
        let SidecarSettings { upstream, token, listen, hosts, max_staleness } = settings;
        let is_inside = listen.ip().is_loopback();
        if !is_inside && token.is_none() {
            return Err(SidecarError::Open(listen));
        }
        let listener = TcpListener::bind(listen).await;
        let listener = listener.map_err(|cause| SidecarError::Bind { address: listen, cause })?;
        let passed_on = token.as_ref().map(|token| Secret::new(token.expose().to_owned()));
        let to_claviger = Upstream::new(upstream.clone(), passed_on)?;
        to_claviger.lets_in().await?;
        let mut of_keeper = KeeperSettings::new(&upstream);
        of_keeper.token = token.as_ref().map(|token| token.expose().to_owned());
        of_keeper.without_feed = max_staleness;
        let keeper = Keeper::start(of_keeper)?;
        let token = token.filter(|_| !is_inside);
        let (upstream, metrics) = (to_claviger, Metrics::new());
        Ok(Self { listener, state: State(Arc::new(Inner { keeper, upstream, metrics, hosts, token, max_staleness })) })
    }

    /// Where it really listens.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop`; then finishes the requests that run.
    pub async fn serve(self, stop: impl Future<Output = ()> + Send + 'static) {
        let routes = Router::new()
            // Each of these wants to be asked by somebody `Inside`.
            .route("/v1/verify", post(verify::verify))
            .route("/v1/forward-auth", any(forward_auth::forward_auth))
            .route("/metrics", get(metrics::show))
            // Probes call by whatever address they have.
            .route("/health/live", get(crate::health::live))
            .route("/health/ready", get(health::ready))
            .fallback(absent::no_such_path_at_sidecar)
            .method_not_allowed_fallback(absent::method_not_allowed)
            .layer(CatchPanicLayer::custom(panicked))
            .with_state(self.state.clone());
        serve_alone(self.listener, routes, stop).await;
        if timeout(REPORT_TIME, self.state.0.keeper.report_uses()).await.is_err() {
            tracing::warn!("what was counted last could not be reported");
        }
    }
}

impl FromRequestParts<State> for Inside {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, State(inner): &State) -> Result<Self, Problem> {
        Self::admit(&inner.hosts, inner.token.as_ref(), parts)
    }
}

impl Inner {
    async fn facts(&self, credential: &str) -> Result<Facts, RequestError> {
        self.keeper.facts(credential).await.map_err(|Unreachable| unavailable())
    }
}

/// Nothing is known, and nobody can be asked.
fn unavailable() -> RequestError {
    let detail = "Claviger does not answer, and what is known here does not suffice; try again";
    RequestError::unreadable(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
}
