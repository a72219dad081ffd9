//! Counting against rate limits and quotas. The state of a limit lives in a map of its own, by who carries it: it
//! survives rolling, renaming and the eviction of an entry from the cache of credentials.
//!
//! All limits of a request are asked first and spent only if each of them allows it. The room must not know what else
//! there is to say about a credential.

mod headers;
mod meter;
mod quota;
mod redis;

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use claviger_core::Rate;
use claviger_store::StoreError;
use claviger_token::{Allowance, CredentialFacts, LimitView, Limits, OrganizationFacts, PrincipalFacts};
use jiff::Timestamp;
use parking_lot::Mutex;

pub use self::redis::RedisAt;
use self::{
    meter::{QuotaMeter, RateMeter},
    quota::{Count, Writing},
    redis::Redis,
};
use crate::{
    app::{App, monotonic},
    metrics::Metrics,
};

/// The state of all limits that were asked lately.
pub(crate) struct Limiter {
    rates: Mutex<HashMap<String, Arc<Mutex<Rate>>>>,
    quotas: Mutex<HashMap<String, Arc<Mutex<Count>>>>,
    /// Quotas with uses to write.
    unwritten: Mutex<Vec<(String, Arc<Mutex<Count>>)>>,
    writing: tokio::sync::Mutex<Writing>,
    redis: Option<Redis>,
    began: Instant,
}

/// The limits that apply to one credential: its own, and those that it shares with others. Quotas before rates, its own
/// before its organization's, and each carrier's by name: that is the order in which all of them are locked, whatever
/// the order in which they were given.
#[derive(Default)]
pub(crate) struct Meters {
    quotas: Vec<QuotaMeter>,
    rates: Vec<RateMeter>,
}

/// What the limits said to one request.
pub(crate) struct Spending<'a> {
    /// Whether it may pass; if so, it has been counted.
    pub(crate) allowance: Allowance,
    /// Where each limit stands since.
    pub(crate) limits: Vec<LimitView<'a>>,
    /// When to try again, if it may not pass.
    pub(crate) retry_after_seconds: Option<u64>,
}

impl Spending<'_> {
    /// Of who has no limits, or is not asked about them.
    pub(crate) fn none() -> Self {
        Self { allowance: Allowance::Open, limits: Vec::new(), retry_after_seconds: None }
    }
}

impl Limiter {
    /// Without any state. With a Redis, limits are exact across nodes.
    pub(crate) fn new(redis: Option<&RedisAt>, metrics: &Metrics) -> Self {
        Self {
            rates: Mutex::default(),
            quotas: Mutex::default(),
            unwritten: Mutex::default(),
            writing: tokio::sync::Mutex::default(),
            redis: redis.map(|redis| Redis::new(redis, metrics)),
            began: monotonic(),
        }
    }

    /// Spends `cost` of every limit, or of none.
    pub(crate) async fn spend<'a>(&self, meters: &'a Meters, cost: u32, now: Timestamp) -> Spending<'a> {
        if let Some(redis) = &self.redis
            // Boxed, or the future of every request would be as large as this one.
            && let Some(shared) = Box::pin(redis.spend(meters, cost, now)).await
        {
            // So that the limits go on where they stood when Redis goes away, and quotas are written.
            if shared.spending.allowance == Allowance::Open {
                meters.spend_unasked(cost, &shared.used, now, self.elapsed());
                self.queue(meters);
            } else {
                meters.learn(&shared.used, now);
            }
            return shared.spending;
        }
        let spending = meters.spend(cost, now, self.elapsed());
        if spending.allowance == Allowance::Open {
            self.queue(meters);
        }
        spending
    }

    /// Whether a Redis keeps the limits, and tells how it is.
    pub(crate) async fn tend(&self) -> bool {
        let Some(redis) = &self.redis else { return false };
        redis.tend().await;
        true
    }

    fn elapsed(&self) -> Duration {
        monotonic().saturating_duration_since(self.began)
    }

    fn queue(&self, meters: &Meters) {
        for quota in &meters.quotas {
            if quota.count.lock().must_be_queued() {
                self.unwritten.lock().push((quota.holder.clone(), Arc::clone(&quota.count)));
            }
        }
    }

    /// Forgets the state of limits that nobody holds and that is as good as none.
    pub(crate) fn forget_idle(&self) {
        let elapsed = self.elapsed();
        let in_use = |rate: &Arc<Mutex<Rate>>| Arc::strong_count(rate) > 1 || !rate.lock().is_full(elapsed);
        self.rates.lock().retain(|_, rate| in_use(rate));
        self.quotas.lock().retain(|_, count| Arc::strong_count(count) > 1 || count.lock().has_unwritten());
    }
}

impl App {
    /// The meters of a credential that was just read, if anything limits it. What others used of its quotas is read with it.
    pub(crate) async fn meters(
        &self,
        credential: &CredentialFacts,
        principal: &PrincipalFacts,
        organization: &OrganizationFacts,
    ) -> Result<Option<Meters>, StoreError> {
        if [&credential.limits, &principal.limits, &organization.limits].into_iter().all(Limits::is_empty) {
            return Ok(None);
        }
        let mut meters = Meters::default();
        let carriers = [
            ("", credential.id.to_string(), &credential.limits),
            ("principal.", principal.id.to_string(), &principal.limits),
            ("organization.", organization.id.to_string(), &organization.limits),
        ];
        for (prefix, holder, Limits { rates, quota }) in carriers {
            let mut rates: Vec<_> = rates.iter().collect();
            rates.sort_by_key(|rate| &rate.name);
            for rate in rates {
                let key = format!("claviger:rate:{holder}:{}", rate.name);
                let state = Arc::clone(self.limiter.rates.lock().entry(key.clone()).or_default());
                meters.rates.push(RateMeter {
                    name: format!("{prefix}{}", rate.name),
                    limit: rate.clone(),
                    key,
                    state,
                });
            }
            if let Some(quota) = *quota {
                let count = Arc::clone(self.limiter.quotas.lock().entry(holder.clone()).or_default());
                let (name, key) = (format!("{prefix}quota"), format!("claviger:quota:{holder}"));
                meters.quotas.push(QuotaMeter { name, quota, key, holder, count });
            }
        }
        if !meters.quotas.is_empty() {
            let now = self.now();
            let asked: Vec<_> =
                meters.quotas.iter().map(|meter| (meter.holder.as_str(), meter.period(now).0)).collect();
            // What is not told was not used, and there is nothing to learn.
            for ((holder, period), used) in self.store.quotas_used(&asked).await? {
                if let Some(meter) = meters.quotas.iter().find(|meter| meter.holder == holder) {
                    meter.count.lock().learn(period, used);
                }
            }
        }
        Ok(Some(meters))
    }
}
