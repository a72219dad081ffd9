//! Asking and spending on this node: every limit of a request, or none.

use std::{sync::Arc, time::Duration};

use claviger_core::{Rate, Try};
use claviger_token::{Allowance, LimitView, Quota, RateLimit, seconds_to_wait};
use jiff::Timestamp;
use parking_lot::Mutex;

use super::{Meters, Spending, quota::Count};

/// A rate limit and its state.
pub(crate) struct RateMeter {
    /// As answers call it.
    pub(super) name: String,
    pub(super) limit: RateLimit,
    /// What it is called in Redis.
    pub(super) key: String,
    pub(super) state: Arc<Mutex<Rate>>,
}

/// A quota and its count.
pub(crate) struct QuotaMeter {
    /// As answers call it.
    pub(super) name: String,
    pub(super) quota: Quota,
    /// What it is called in Redis, before the period.
    pub(super) key: String,
    /// The id of who carries it.
    pub(super) holder: String,
    pub(super) count: Arc<Mutex<Count>>,
}

impl Meters {
    /// Spends `cost` of each, if each has as much left. `elapsed` counts on a clock that does not go back.
    pub(super) fn spend(&self, cost: u32, now: Timestamp, elapsed: Duration) -> Spending<'_> {
        // All are held until the end, so that two requests at once never spend the same rest.
        let mut counts: Vec<_> = self.quotas.iter().map(|meter| (meter, meter.count.lock())).collect();
        let mut rates: Vec<_> = self.rates.iter().map(|meter| (meter, meter.state.lock())).collect();

        let mut refusal = Refusal::default();
        for (meter, count) in &mut counts {
            let (start, next) = meter.period(now);
            if u64::from(cost) > meter.quota.limit {
                refusal.quota(None);
            } else if cost > 0 && count.used(start).saturating_add(cost.into()) > meter.quota.limit {
                refusal.quota(Some(seconds_to_wait(next, now)));
            }
        }
        let mut after = Vec::with_capacity(rates.len());
        for (meter, rate) in &rates {
            match rate.try_spend(&meter.limit, cost, elapsed) {
                Try::Fits(rate) => after.push(rate),
                Try::TooMuch(wait) => refusal.rate(Some(wait)),
                Try::Never => refusal.rate(None),
            }
        }
        if refusal.allowance() == Allowance::Open {
            counts.iter_mut().for_each(|(meter, count)| count.spend(meter.period(now).0, cost));
            rates.iter_mut().zip(after).for_each(|((_, rate), after)| **rate = after);
        }

        let quotas = counts.iter_mut().map(|(meter, count)| meter.view(count.used(meter.period(now).0), now));
        let rates = rates.iter().map(|(meter, rate)| {
            let whole = rate.full_in(&meter.limit, elapsed);
            meter.view(rate.remaining(&meter.limit, elapsed).into(), whole)
        });
        refusal.spending(rates.chain(quotas).collect())
    }

    /// Takes over what is used of each quota over all nodes.
    pub(super) fn learn(&self, used: &[u64], now: Timestamp) {
        for (meter, used) in self.quotas.iter().zip(used) {
            meter.count.lock().be_at_least(meter.period(now).0, *used);
        }
    }

    /// Spends without asking what was allowed elsewhere, and takes over what is used of each quota over all nodes with it.
    pub(super) fn spend_unasked(&self, cost: u32, used: &[u64], now: Timestamp, elapsed: Duration) {
        for (meter, used) in self.quotas.iter().zip(used) {
            meter.count.lock().spend_told(meter.period(now).0, cost, *used);
        }
        for meter in &self.rates {
            let mut rate = meter.state.lock();
            *rate = rate.spend(&meter.limit, cost, elapsed);
        }
    }
}

impl RateMeter {
    pub(super) fn view(&self, remaining: u64, whole_in: Duration) -> LimitView<'_> {
        LimitView {
            name: &self.name,
            limit: self.limit.limit.into(),
            remaining,
            reset_seconds: whole_seconds(whole_in),
            window_seconds: self.limit.window_seconds.into(),
        }
    }
}

impl QuotaMeter {
    /// The period that is counted: its first instant, and the first after it.
    pub(super) fn period(&self, now: Timestamp) -> (Timestamp, Timestamp) {
        self.quota.period.around(now)
    }

    pub(super) fn view(&self, used: u64, now: Timestamp) -> LimitView<'_> {
        let (start, next) = self.period(now);
        LimitView {
            name: &self.name,
            limit: self.quota.limit,
            remaining: self.quota.limit.saturating_sub(used),
            reset_seconds: seconds_to_wait(next, now),
            window_seconds: u64::try_from(next.duration_since(start).as_secs()).unwrap_or(0),
        }
    }
}

/// What refuses, and for how long. A quota refuses before a rate does; both are waited for.
#[derive(Default)]
pub(super) struct Refusal {
    quota: bool,
    rate: bool,
    /// It costs more than a whole limit: waiting is in vain.
    never: bool,
    wait: u64,
}

impl Refusal {
    /// A quota refuses for so many seconds, or for ever.
    pub(super) fn quota(&mut self, wait: Option<u64>) {
        self.quota = true;
        self.wait(wait);
    }

    /// A rate limit refuses for so long, or for ever.
    pub(super) fn rate(&mut self, wait: Option<Duration>) {
        self.rate = true;
        self.wait(wait.map(|wait| whole_seconds(wait).max(1)));
    }

    fn wait(&mut self, seconds: Option<u64>) {
        self.never |= seconds.is_none();
        self.wait = self.wait.max(seconds.unwrap_or(0));
    }

    pub(super) fn allowance(&self) -> Allowance {
        match (self.quota, self.rate) {
            (true, _) => Allowance::QuotaExceeded,
            (false, true) => Allowance::RateLimited,
            (false, false) => Allowance::Open,
        }
    }

    pub(super) fn spending(self, limits: Vec<LimitView<'_>>) -> Spending<'_> {
        let allowance = self.allowance();
        let retry_after_seconds = (allowance != Allowance::Open && !self.never).then_some(self.wait);
        Spending { allowance, limits, retry_after_seconds }
    }
}

/// Rounded up: who comes back then is not too early.
fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use claviger_token::QuotaPeriod;

    use super::*;

    fn meters(rates: &[(u32, u32)], quotas: &[u64]) -> Meters {
        let rate = |(index, &(limit, window_seconds)): (usize, &(u32, u32))| RateMeter {
            name: format!("r{index}"),
            limit: RateLimit { name: String::new(), limit, window_seconds },
            key: String::new(),
            state: Arc::default(),
        };
        let quota = |(index, &limit): (usize, &u64)| QuotaMeter {
            name: format!("q{index}"),
            quota: Quota { limit, period: QuotaPeriod::Day },
            key: String::new(),
            holder: String::new(),
            count: Arc::default(),
        };
        Meters {
            rates: rates.iter().enumerate().map(rate).collect(),
            quotas: quotas.iter().enumerate().map(quota).collect(),
        }
    }

    fn check(meters: &Meters, cost: u32, second: u64, expected: Allowance, remaining: &[u64], retry: Option<u64>) {
        let now: Timestamp = "2026-11-24T23:59:50Z".parse().unwrap();
        let elapsed = Duration::from_secs(second);
        let spending = meters.spend(cost, now + elapsed, elapsed);
        let left: Vec<u64> = spending.limits.iter().map(|limit| limit.remaining).collect();
        assert_eq!((spending.allowance, left.as_slice(), spending.retry_after_seconds), (expected, remaining, retry));
    }

    #[test]
    fn a_refused_request_spends_of_no_limit() {
        let meters = meters(&[(10, 10), (2, 10)], &[100]);
        check(&meters, 1, 0, Allowance::Open, &[9, 1, 99], None);
        check(&meters, 2, 0, Allowance::RateLimited, &[9, 1, 99], Some(5));
        check(&meters, 1, 0, Allowance::Open, &[8, 0, 98], None);
        check(&meters, 1, 0, Allowance::RateLimited, &[8, 0, 98], Some(5));
        check(&meters, 1, 5, Allowance::Open, &[10 - 1, 0, 97], None);
        check(&meters, 3, 5, Allowance::RateLimited, &[9, 0, 97], None); // waiting is in vain
        check(&meters, 101, 5, Allowance::QuotaExceeded, &[9, 0, 97], None);
    }

    #[test]
    fn a_used_up_quota_comes_first_and_is_waited_for() {
        let meters = meters(&[(1, 5)], &[2, 50]);
        check(&meters, 1, 0, Allowance::Open, &[0, 1, 49], None);
        check(&meters, 1, 5, Allowance::Open, &[0, 0, 48], None);
        check(&meters, 1, 5, Allowance::QuotaExceeded, &[0, 0, 48], Some(5));
        check(&meters, 1, 10, Allowance::Open, &[0, 1, 49], None); // midnight
    }

    #[test]
    fn what_costs_nothing_is_not_refused_by_a_quota_that_is_more_than_used_up() {
        let meters = meters(&[(1, 5)], &[2]);
        meters.spend_unasked(0, &[7], "2026-11-24T23:59:50Z".parse().unwrap(), Duration::ZERO);
        check(&meters, 1, 0, Allowance::QuotaExceeded, &[1, 0], Some(10));
        check(&meters, 0, 0, Allowance::Open, &[1, 0], None);
    }

    #[test]
    fn who_shares_limits_shares_their_rest_from_many_threads() {
        let meters = meters(&[(500, 1000), (1_000_000, 1)], &[100_000]);
        let now: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
        let spend = || meters.spend(1, now, Duration::from_secs(1)).allowance == Allowance::Open;
        let passed: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| (0..200).filter(|_| spend()).count())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(passed, 500);
    }
}
