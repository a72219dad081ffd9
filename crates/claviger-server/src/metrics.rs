//! What the service tells of itself in numbers, for Prometheus. Every metric is made here, and whoever counts holds its
//! handle: a count is an addition to an atomic, without a look-up.
//!
//! The room must not know a credential, a caller or a path: labels hold words from lists of our own and nothing else,
//! so that nobody outside decides how many series there are. `docs/monitoring.md` has the table of all of them.

mod process;
mod route;

use std::time::{Duration, Instant};

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use claviger_token::{Refusal, Verdict};
use parking_lot::Mutex;
use prometheus::{
    Counter, Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder, core::Collector,
};

pub(crate) use self::route::{Listener, Route};
use crate::{
    app::{App, monotonic},
    inside::Inside,
    mqtt::Refused,
    verify::{CountedAs, Surface},
};

/// In seconds: a verdict from memory takes microseconds, one behind a slow database seconds.
const REQUEST_BUCKETS: &[f64] = &[
    0.000_02, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0,
];
const FLUSH_BUCKETS: &[f64] = &[0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Who is not known has none.
const KINDS: usize = CountedAs::ALL.len() + 1;
const CODES: usize = Refusal::ALL.len() + 1;
const STATUSES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];

/// Handles of everything that is counted.
pub(crate) struct Metrics {
    registry: Registry,
    verdicts: [[[IntCounter; CODES]; KINDS]; Surface::ALL.len()],
    requests: [[Requests; Route::ALL.len()]; Listener::ALL.len()],
    /// Look-ups that memory answered.
    pub(crate) cache_hits: IntCounter,
    /// Look-ups that had to ask the database.
    pub(crate) cache_misses: IntCounter,
    /// Reads that a change overtook, so that they were not kept.
    pub(crate) fills_discarded: IntCounter,
    /// How long writing what was counted took.
    pub(crate) usage_flush: Histogram,
    /// Rows of usage that could not be written yet.
    pub(crate) usage_pending: IntGauge,
    usage_flushed_at: Mutex<Instant>,
    quotas_flushed_at: Mutex<Instant>,
    failures: [IntCounter; Work::ALL.len()],
    throttled: [IntCounter; Guarded::ALL.len()],
    refused_at_broker: [IntCounter; Refused::ALL.len()],
    /// Whether Redis answers: 1 or 0, and no number without `redis_url`.
    pub(crate) redis_up: Gauge,
    /// Uses that this node's own counters judged, because Redis did not.
    pub(crate) limit_fallbacks: IntCounter,
    sampled: Sampled,
}

/// One kind of route on one listener.
struct Requests {
    seconds: Histogram,
    by_status: [IntCounter; STATUSES.len()],
}

/// Read when somebody asks, and not counted as it happens.
struct Sampled {
    cache_entries: IntGauge,
    change_log_lag: Gauge,
    usage_flush_age: Gauge,
    connections: IntGaugeVec,
    most_connections: IntGaugeVec,
    pool_timeouts: IntCounter,
    access_log_dropped: IntCounter,
    signing_key_age: IntGaugeVec,
    signing_key_rotation: IntGaugeVec,
    process: process::Process,
}

/// What goes on beside the requests and can fail without one of them failing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// Following the change log.
    ChangeLog,
    /// Writing what quotas were spent.
    Quotas,
    /// Writing counts and last uses.
    Usage,
    /// Telling the audit trail what came of use.
    Audit,
    /// Removing what nobody needs any more.
    Trim,
    /// Making days of hours of use.
    UsageDays,
    /// Rotating signing keys.
    SigningKeys,
    /// Reading which access tokens ended by themselves.
    DenyList,
}

impl Work {
    const ALL: [Self; 8] = [
        Self::ChangeLog,
        Self::Quotas,
        Self::Usage,
        Self::Audit,
        Self::Trim,
        Self::UsageDays,
        Self::SigningKeys,
        Self::DenyList,
    ];

    /// The word in log and metrics.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::ChangeLog => "change_log",
            Self::Quotas => "quotas",
            Self::Usage => "usage",
            Self::Audit => "audit",
            Self::Trim => "trim",
            Self::UsageDays => "usage_days",
            Self::SigningKeys => "signing_keys",
            Self::DenyList => "deny_list",
        }
    }
}

/// Where whoever fails again and again has to wait, which no verdict tells of: there is no credential yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guarded {
    /// A password.
    SignIn,
    /// A code beside it.
    SecondFactor,
    /// Coming back from an outside provider.
    Provider,
    /// Proving once more who one is.
    Confirmation,
    /// A client at the token endpoint.
    Token,
    /// A client that introspects.
    Introspection,
    /// A client that revokes.
    Revocation,
    /// A device that asks for a token of a person.
    DeviceAuthorization,
    /// A code of a device, typed on our page.
    UserCode,
    /// A device that enrols in a fleet, or renews its key.
    Enrolment,
    /// Somebody who takes the audit trail as a file, or has it proved.
    Audit,
}

impl Guarded {
    const ALL: [Self; 11] = [
        Self::SignIn,
        Self::SecondFactor,
        Self::Provider,
        Self::Confirmation,
        Self::Token,
        Self::Introspection,
        Self::Revocation,
        Self::DeviceAuthorization,
        Self::UserCode,
        Self::Enrolment,
        Self::Audit,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::SignIn => "sign_in",
            Self::SecondFactor => "second_factor",
            Self::Provider => "provider",
            Self::Confirmation => "confirmation",
            Self::Token => "token",
            Self::Introspection => "introspection",
            Self::Revocation => "revocation",
            Self::DeviceAuthorization => "device_authorization",
            Self::UserCode => "user_code",
            Self::Enrolment => "enrolment",
            Self::Audit => "audit",
        }
    }
}

impl Metrics {
    /// All at zero.
    pub(crate) fn new() -> Self {
        let made = Made(Registry::new());
        let build = made.gauges("claviger_build_info", "The running version, as a label; always 1.", &["version"]);
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let redis_up = made.number("claviger_redis_up", "Whether Redis answers: 1 or 0, NaN without redis_url.");
        redis_up.set(f64::NAN);
        Self {
            verdicts: verdicts(&made),
            requests: requests(&made),
            cache_hits: made
                .counter("claviger_cache_hits_total", "Look-ups of well-formed credentials that memory answered."),
            cache_misses: made.counter(
                "claviger_cache_misses_total",
                "Look-ups of well-formed credentials that asked the database, or waited for one that did.",
            ),
            fills_discarded: made.counter(
                "claviger_cache_fills_discarded_total",
                "Credentials that were read and not kept, because something they depend on changed meanwhile.",
            ),
            usage_flush: made.histogram(
                "claviger_usage_flush_duration_seconds",
                "How long it took to write what verifying had counted.",
                FLUSH_BUCKETS,
            ),
            usage_pending: made.gauge(
                "claviger_usage_pending_rows",
                "Rows of usage that the last flush could not write; it is tried again.",
            ),
            usage_flushed_at: Mutex::new(monotonic()),
            quotas_flushed_at: Mutex::new(monotonic()),
            failures: failures(&made),
            throttled: throttled(&made),
            refused_at_broker: refused_at_broker(&made),
            redis_up,
            limit_fallbacks: made.counter(
                "claviger_limit_fallbacks_total",
                "Uses of limited credentials that this node counted by itself, because Redis did not answer, or holds something else there.",
            ),
            sampled: Sampled::new(&made),
            registry: made.0,
        }
    }

    /// Counts one verdict.
    pub(crate) fn judged(&self, surface: Surface, kind: Option<CountedAs>, verdict: Verdict) {
        let kind = kind.map_or(0, |kind| 1 + kind as usize);
        let code = match verdict {
            Verdict::Valid => 0,
            Verdict::Refused(refusal) => 1 + refusal as usize,
        };
        self.verdicts[surface as usize][kind][code].inc();
    }

    /// Counts one answered request.
    pub(crate) fn answered(&self, listener: Listener, route: Route, status: StatusCode, took: Duration) {
        let requests = &self.requests[listener as usize][route as usize];
        requests.seconds.observe(took.as_secs_f64());
        requests.by_status[usize::from(status.as_u16() / 100).clamp(2, 5) - 2].inc();
    }

    /// Counts a request that was refused because others like it failed before.
    pub(crate) fn throttled(&self, at: Guarded) {
        self.throttled[at as usize].inc();
    }

    /// Counts what a broker's client was refused for without a verdict.
    pub(crate) fn refused_at_broker(&self, why: Refused) {
        self.refused_at_broker[why as usize].inc();
    }

    /// Counts work beside the requests that storage did not let happen.
    pub(crate) fn failed(&self, work: Work) {
        self.failures[work as usize].inc();
    }

    /// All counts of use are written, as of now.
    pub(crate) fn usage_is_flushed(&self, now: Instant) {
        *self.usage_flushed_at.lock() = now;
    }

    /// The same of what quotas were spent.
    pub(crate) fn quotas_are_flushed(&self, now: Instant) {
        *self.quotas_flushed_at.lock() = now;
    }
}

impl Sampled {
    fn new(made: &Made) -> Self {
        Self {
            cache_entries: made.gauge("claviger_cache_entries", "Credentials in memory, unknown ones included."),
            change_log_lag: made.number(
                "claviger_change_log_lag_seconds",
                "Since when the change log was not read to its end; at max_staleness verdicts from memory stop.",
            ),
            usage_flush_age: made.number(
                "claviger_usage_flush_age_seconds",
                "Since when what verifying counts, quotas included, was not written completely.",
            ),
            connections: made.gauges(
                "claviger_database_connections",
                "Open connections to the database, by pool, in use or idle.",
                &["pool", "state"],
            ),
            most_connections: made.gauges(
                "claviger_database_connections_max",
                "The most connections that a pool opens.",
                &["pool"],
            ),
            pool_timeouts: made.counter(
                "claviger_database_timeouts_total",
                "Reads and writes that failed because no connection was free in time.",
            ),
            access_log_dropped: made.counter(
                "claviger_access_log_dropped_total",
                "Lines of the access log that were not written, because what takes them is too slow or failed.",
            ),
            signing_key_age: made.gauges(
                "claviger_signing_key_age_seconds",
                "For how long the key that signs has done so, by algorithm.",
                &["algorithm"],
            ),
            signing_key_rotation: made.gauges(
                "claviger_signing_key_rotation_seconds",
                "Until the next key is announced, by algorithm; below zero it is late.",
                &["algorithm"],
            ),
            process: process::Process::new(made),
        }
    }

    fn read(&self, app: &App) {
        let now = monotonic();
        self.cache_entries.set(integer(app.credentials.len()));
        self.change_log_lag.set(app.store.changes().staleness(now).as_secs_f64());
        let usage = *app.metrics.usage_flushed_at.lock();
        let flushed_at = usage.min(*app.metrics.quotas_flushed_at.lock());
        self.usage_flush_age.set(now.saturating_duration_since(flushed_at).as_secs_f64());
        let database = app.store.database();
        for pool in database.pools() {
            self.connections.with_label_values(&[pool.name, "used"]).set(pool.used.into());
            self.connections.with_label_values(&[pool.name, "idle"]).set(pool.idle.into());
            self.most_connections.with_label_values(&[pool.name]).set(pool.most.into());
        }
        self.pool_timeouts.inc_by(database.pool_timeouts().saturating_sub(self.pool_timeouts.get()));
        let dropped = app.config.access_log.dropped();
        self.access_log_dropped.inc_by(dropped.saturating_sub(self.access_log_dropped.get()));
        for times in app.signing_key_times() {
            let label = [times.algorithm.as_str()];
            self.signing_key_age.with_label_values(&label).set(times.age.as_secs());
            self.signing_key_rotation.with_label_values(&label).set(times.until_rotation.as_secs());
        }
        self.process.read();
    }
}

fn verdicts(made: &Made) -> [[[IntCounter; CODES]; KINDS]; Surface::ALL.len()] {
    let all = made.counters(
        "claviger_verdicts_total",
        "Verdicts on presented credentials, by where they were asked, kind of credential and code.",
        &["surface", "kind", "code"],
    );
    Surface::ALL.map(|surface| {
        std::array::from_fn(|kind| {
            let kind = kind.checked_sub(1).map(|index| CountedAs::ALL[index]);
            std::array::from_fn(|code| {
                let code = code.checked_sub(1).map_or("valid", |index| Refusal::ALL[index].code());
                // Who is not known has no kind, and who is known has one. The rest would be rows of zeros for ever.
                let happens = match kind {
                    None => matches!(code, "malformed" | "unknown"),
                    Some(kind) => kind.is_judged_at(surface) && !matches!(code, "malformed" | "unknown"),
                };
                if happens {
                    all.with_label_values(&[surface.as_str(), kind.map_or("none", CountedAs::as_str), code])
                } else {
                    made.unseen()
                }
            })
        })
    })
}

fn requests(made: &Made) -> [[Requests; Route::ALL.len()]; Listener::ALL.len()] {
    let seconds = made.histograms(
        "claviger_http_request_duration_seconds",
        "From the head of a request to the head of its answer.",
        REQUEST_BUCKETS,
        &["listener", "route"],
    );
    let statuses = made.counters(
        "claviger_http_responses_total",
        "Answers to HTTP requests, by listener, kind of route and class of status.",
        &["listener", "route", "status"],
    );
    Listener::ALL.map(|listener| {
        Route::ALL.map(|route| {
            let route = if route.is_served(listener) { route } else { Route::Other };
            let labels = [listener.as_str(), route.as_str()];
            Requests {
                seconds: seconds.with_label_values(&labels),
                by_status: STATUSES.map(|status| statuses.with_label_values(&[labels[0], labels[1], status])),
            }
        })
    })
}

fn failures(made: &Made) -> [IntCounter; Work::ALL.len()] {
    let all = made.counters(
        "claviger_storage_failures_total",
        "Work beside the requests that storage did not let happen; it is tried again.",
        &["work"],
    );
    Work::ALL.map(|work| all.with_label_values(&[work.as_str()]))
}

fn throttled(made: &Made) -> [IntCounter; Guarded::ALL.len()] {
    let all = made.counters(
        "claviger_throttled_total",
        "Requests of whoever did not prove who they are too often and has to wait, by where that was.",
        &["surface"],
    );
    Guarded::ALL.map(|at| all.with_label_values(&[at.as_str()]))
}

fn refused_at_broker(made: &Made) -> [IntCounter; Refused::ALL.len()] {
    let all = made.counters(
        "claviger_mqtt_refusals_total",
        "Questions of MQTT brokers that were answered with no before anything was asked of a credential, by why.",
        &["reason"],
    );
    Refused::ALL.map(|why| all.with_label_values(&[why.as_str()]))
}

fn integer(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// `GET /metrics`, in the text format that Prometheus and its kin read.
pub(crate) async fn show(_: Inside, State(app): State<App>) -> Response {
    app.metrics.sampled.read(&app);
    match TextEncoder::new().encode_to_string(&app.metrics.registry.gather()) {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "metrics could not be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// Makes metrics and registers each under its name.
pub(crate) struct Made(pub(crate) Registry);

impl Made {
    fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.register(IntCounter::new(name, help))
    }

    pub(crate) fn counters(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        self.register(IntCounterVec::new(Opts::new(name, help), labels))
    }

    pub(crate) fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.register(IntGauge::new(name, help))
    }

    pub(crate) fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        self.register(IntGaugeVec::new(Opts::new(name, help), labels))
    }

    pub(crate) fn number(&self, name: &str, help: &str) -> Gauge {
        self.register(Gauge::new(name, help))
    }

    fn sum(&self, name: &str, help: &str) -> Counter {
        self.register(Counter::new(name, help))
    }

    fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Histogram {
        self.register(Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec())))
    }

    fn histograms(&self, name: &str, help: &str, buckets: &[f64], labels: &[&str]) -> HistogramVec {
        self.register(HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets.to_vec()), labels))
    }

    #[expect(clippy::expect_used, reason = "names and labels are constants; one that is wrong fails every test")]
    fn register<C: Collector + Clone + 'static>(&self, made: prometheus::Result<C>) -> C {
        let metric = made.expect("a name and labels that Prometheus accepts");
        self.0.register(Box::new(metric.clone())).expect("a name that no other metric has");
        metric
    }

    /// A counter of what cannot happen, so that it is not shown.
    #[expect(clippy::expect_used, reason = "the name is a constant")]
    fn unseen(&self) -> IntCounter {
        IntCounter::new("unseen", "What cannot happen.").expect("a name that Prometheus accepts")
    }
}
