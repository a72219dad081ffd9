//! Limits that several nodes share exactly: asked and spent in Redis, by one script for all limits of a request.
//!
//! While Redis is away or slow each node counts by itself, which is told once when it begins and once when it ends. The
//! room must not know what a node does then.

use std::{
    error::Error,
    fmt,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

use claviger_token::seconds_to_wait;
use jiff::Timestamp;
use parking_lot::Mutex;
use prometheus::{Gauge, IntCounter};
use redis::{
    Client, RedisError, Script,
    aio::{ConnectionManager, ConnectionManagerConfig},
};

use super::{Meters, Spending, meter::Refusal};
use crate::{app::monotonic, metrics::Metrics};

/// A verification waits no longer for an answer, a connection included.
const PATIENCE: Duration = Duration::from_millis(100);
const CONNECTING_PATIENCE: Duration = Duration::from_millis(500);

/// After a failure, one request in so long tries whether Redis is back.
const PAUSE: Duration = Duration::from_secs(1);

/// Asks all limits and spends of all of them, or of none. Times are microseconds of the Redis
/// server's own clock since late in 2023: a later beginning leaves more places behind the point.
///
/// `KEYS`: the quotas, then the rates. `ARGV`: cost, number of quotas; of each quota its limit, what is known to be used
/// and the milliseconds to keep the count; of each rate its limit and its window. Answers, for each quota, what is used
/// and whether that refuses; for each rate, the time until it is whole and the time to wait.
const SCRIPT: &str = r"
local time = redis.call('TIME')
local now = (time[1] - 1700000000) * 1000000 + time[2]
local cost, quotas = tonumber(ARGV[1]), tonumber(ARGV[2])
local open, answer, writes, at = true, {}, {}, 3
for k = 1, #KEYS do
  local stored = tonumber(redis.call('GET', KEYS[k]) or '0') or 0
  if k <= quotas then
    local limit, known, keep = tonumber(ARGV[at]), tonumber(ARGV[at + 1]), ARGV[at + 2]
    at = at + 3
    local used = math.max(stored, known)
    local refuses = cost > 0 and used + cost > limit
    open = open and not refuses
    answer[k] = { used, refuses and 1 or 0 }
    writes[k] = { used + cost, keep }
  else
    local limit, window = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
    at = at + 2
    local full = math.min(math.max(stored, now), now + window)
    local after = full + window / limit * cost
    local wait = math.max(after - now - window - 1, 0)
    open = open and wait == 0
    answer[k] = { full - now, math.ceil(wait) }
    writes[k] = { after, math.ceil((after - now) / 1000) + 1000 }
  end
end
if open then
  for k = 1, #KEYS do
    redis.call('SET', KEYS[k], string.format('%.2f', writes[k][1]), 'PX', writes[k][2])
    answer[k][1] = k <= quotas and writes[k][1] or writes[k][1] - now
  end
end
for k = 1, #KEYS do
  answer[k] = { string.format('%.0f', answer[k][1]), string.format('%.0f', answer[k][2]) }
end
return answer
";

/// Where a Redis is, and how to get in.
#[derive(Clone)]
pub struct RedisAt(Client);

impl RedisAt {
    /// Reads `redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE]`, the same with `rediss://` (TLS), or `unix:///PATH`.
    pub fn parse(text: &str) -> Option<Self> {
        Client::open(text).ok().map(Self)
    }

    /// Whether it answers, and lets us in.
    pub async fn ping(&self) -> Result<(), Box<dyn Error + Send + Sync>> {
        redis::cmd("PING").query_async::<()>(&mut self.connection()).await.map_err(Into::into)
    }

    /// Connects when it is first needed.
    fn connection(&self) -> ConnectionManager {
        let config = ConnectionManagerConfig::new()
            .set_response_timeout(Some(PATIENCE))
            .set_connection_timeout(Some(CONNECTING_PATIENCE))
            .set_number_of_retries(0);
        #[expect(clippy::expect_used, reason = "it fails only for push messages, which are not asked for")]
        ConnectionManager::new_lazy_with_config(self.0.clone(), config).expect("no push messages")
    }
}

/// Without the password.
impl fmt::Debug for RedisAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redis at {}", self.0.get_connection_info().addr())
    }
}

/// What Redis said.
pub(super) struct Shared<'a> {
    pub(super) spending: Spending<'a>,
    /// What is used of each quota since.
    pub(super) used: Vec<u64>,
}

/// The shared limits.
pub(super) struct Redis {
    up: Gauge,
    /// Requests that were not asked about here.
    fallbacks: IntCounter,
    at: RedisAt,
    connection: Mutex<ConnectionManager>,
    script: Script,
    away: AtomicBool,
    /// Whether it was told that others write under our names.
    others: AtomicBool,
    /// When to try again, in milliseconds since `began`.
    next_try: AtomicU64,
    began: Instant,
}

impl Redis {
    pub(super) fn new(at: &RedisAt, metrics: &Metrics) -> Self {
        Self {
            up: metrics.redis_up.clone(),
            fallbacks: metrics.limit_fallbacks.clone(),
            at: at.clone(),
            connection: Mutex::new(at.connection()),
            script: Script::new(SCRIPT),
            away: AtomicBool::new(false),
            others: AtomicBool::new(false),
            next_try: AtomicU64::new(0),
            began: monotonic(),
        }
    }

    /// Spends `cost` of each limit if each has as much left; `None` if Redis did not answer.
    pub(super) async fn spend<'a>(&self, meters: &'a Meters, cost: u32, now: Timestamp) -> Option<Shared<'a>> {
        if self.away.load(Ordering::Relaxed) && !self.may_try() {
            self.fallbacks.inc();
            return None;
        }
        let answer = match tokio::time::timeout(PATIENCE, self.ask(meters, cost, now)).await {
            Ok(Ok(answers)) if answers.len() != meters.quotas.len() + meters.rates.len() => {
                Err("it says something of other limits than it was asked about".to_owned())
            }
            Ok(Err(error)) if is_of_others(&error) => {
                self.answered();
                self.fallbacks.inc();
                self.others_are_told(meters);
                return None;
            }
            Ok(answer) => answer.map_err(|error| error.to_string()),
            Err(_) => Err(format!("no answer within {PATIENCE:?}")),
        };
        match answer {
            Ok(answers) => {
                self.answered();
                Some(read(meters, &answers, cost, now))
            }
            Err(error) => {
                self.up.set(0.0);
                self.fallbacks.inc();
                // One on which an answer is owed may never get it: the other side can be gone without a word.
                *self.connection.lock() = self.at.connection();
                self.next_try.store(self.elapsed() + millis(PAUSE), Ordering::Relaxed);
                if !self.away.swap(true, Ordering::Relaxed) {
                    tracing::warn!(%error, "Redis does not answer: each node enforces limits by itself");
                }
                None
            }
        }
    }

    fn answered(&self) {
        self.up.set(1.0);
        if self.away.swap(false, Ordering::Relaxed) {
            tracing::info!("Redis answers again: limits are exact across nodes");
        }
    }

    /// It answers, and something else stands where a limit of ours is kept. Nothing of it is overwritten. Told once, until
    /// the next start: it does not mend itself, and each use would tell it again.
    fn others_are_told(&self, meters: &Meters) {
        if !self.others.swap(true, Ordering::Relaxed) {
            let keys: Vec<&str> = meters
                .quotas
                .iter()
                .map(|meter| &*meter.key)
                .chain(meters.rates.iter().map(|meter| &*meter.key))
                .collect();
            tracing::warn!(
                keys = keys.join(" "),
                "Redis holds something of somebody else under one of these keys, so this node counts these limits by itself: delete \
                 that key, or give Claviger a Redis, or a number of a database in redis_url, in which claviger:rate: and \
                 claviger:quota: are its own"
            );
        }
    }

    /// Tells whether it answers, where no request has limits to ask about.
    pub(super) async fn tend(&self) {
        let is_up = matches!(tokio::time::timeout(CONNECTING_PATIENCE, self.at.ping()).await, Ok(Ok(())));
        self.up.set(if is_up { 1.0 } else { 0.0 });
    }

    /// One request in each pause is the one that tries.
    fn may_try(&self) -> bool {
        let (elapsed, due) = (self.elapsed(), self.next_try.load(Ordering::Relaxed));
        let next = elapsed + millis(PAUSE);
        due <= elapsed && self.next_try.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    fn elapsed(&self) -> u64 {
        millis(monotonic().saturating_duration_since(self.began))
    }

    async fn ask(&self, meters: &Meters, cost: u32, now: Timestamp) -> Result<Vec<(f64, f64)>, RedisError> {
        let mut call = self.script.prepare_invoke();
        call.arg(cost).arg(meters.quotas.len());
        for meter in &meters.quotas {
            let (start, next) = meter.period(now);
            let known = meter.count.lock().used(start);
            // A day longer, for nodes whose clocks are behind.
            let keep = next.as_millisecond() - now.as_millisecond() + 24 * 60 * 60 * 1000;
            call.key(format!("{}:{}", meter.key, start.as_millisecond()));
            call.arg(meter.quota.limit).arg(known).arg(keep);
        }
        for meter in &meters.rates {
            call.key(&meter.key).arg(meter.limit.limit).arg(u64::from(meter.limit.window_seconds) * 1_000_000);
        }
        let mut connection = self.connection.lock().clone();
        call.invoke_async(&mut connection).await
    }
}

/// Whether it answered that what stands under a name of ours is no text, which we never write. Inside of a script the word
/// stands in the message.
fn is_of_others(error: &RedisError) -> bool {
    const WRONG_TYPE: &str = "WRONGTYPE";
    error.code() == Some(WRONG_TYPE) || error.to_string().contains(WRONG_TYPE)
}

/// What each of the limits answered.
fn read<'a>(meters: &'a Meters, answers: &[(f64, f64)], cost: u32, now: Timestamp) -> Shared<'a> {
    let mut refusal = Refusal::default();
    let (quotas, rates) = answers.split_at(meters.quotas.len());
    let quotas: Vec<_> = meters.quotas.iter().zip(quotas).collect();
    let rates: Vec<_> = meters.rates.iter().zip(rates).collect();
    for (meter, (_, refuses)) in &quotas {
        if *refuses > 0.0 {
            let ever = u64::from(cost) <= meter.quota.limit;
            refusal.quota(ever.then(|| seconds_to_wait(meter.period(now).1, now)));
        }
    }
    for (meter, (_, wait)) in &rates {
        if *wait > 0.0 {
            refusal.rate((cost <= meter.limit.limit).then(|| micros(*wait)));
        }
    }
    let rates = rates.into_iter().map(|(meter, (whole_in, _))| {
        let window = f64::from(meter.limit.window_seconds) * 1e6;
        let remaining = (window - whole_in + 1.0) / window * f64::from(meter.limit.limit);
        meter.view(whole(remaining).min(meter.limit.limit.into()), micros(*whole_in))
    });
    let used: Vec<u64> = quotas.iter().map(|(_, (used, _))| whole(*used)).collect();
    let quotas = quotas.iter().zip(&used).map(|((meter, _), used)| meter.view(*used, now));
    Shared { spending: refusal.spending(rates.chain(quotas).collect()), used }
}

fn micros(count: f64) -> Duration {
    Duration::from_micros(whole(count))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast saturates, which is what is wanted"
)]
fn whole(number: f64) -> u64 {
    number as u64
}

fn millis(time: Duration) -> u64 {
    time.as_millis().try_into().unwrap_or(u64::MAX)
}
