//! Rate limits and quotas: what a body may say of them, and the arithmetic of a rate (GCRA).
//!
//! Time is an argument. The room must not know where a rate's state is kept, nor how many threads share it.

use std::{collections::BTreeSet, time::Duration};

use claviger_token::{Limits, Quota, QuotaPeriod, RateLimit};
use serde::{Deserialize, Serialize};

use crate::invalid::FieldErrors;

const MOST_RATE_LIMITS: usize = 10;
const LONGEST_NAME: usize = 32;
const HIGHEST_LIMIT: u64 = 1_000_000_000;
const HIGHEST_QUOTA: u64 = 1_000_000_000_000;
/// A leap year.
const LONGEST_WINDOW: u64 = 366 * 24 * 60 * 60;
/// What a quota is called where rate limits are called by their names.
const RESERVED_NAME: &str = "quota";

/// A rate limit in a request body.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewRateLimit {
    /// 1 to 32 of `a-z`, `0-9`, `_` and `-`; not `quota`.
    #[cfg_attr(feature = "openapi", schema(example = "default"))]
    pub name: String,
    /// 1 to 1,000,000,000: requests, or what they cost.
    #[cfg_attr(feature = "openapi", schema(example = 100))]
    pub limit: u64,
    /// 1 to 31,622,400 (366 days).
    #[cfg_attr(feature = "openapi", schema(example = 60))]
    pub window_seconds: u64,
}

/// A quota in a request body.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewQuota {
    /// 1 to 1,000,000,000,000: requests, or what they cost.
    #[cfg_attr(feature = "openapi", schema(example = 10_000))]
    pub limit: u64,
    /// `day` or `month`, UTC.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "day"))]
    pub period: QuotaPeriod,
}

/// The limits of a new thing.
pub(crate) fn given(rates: Option<&[NewRateLimit]>, quota: Option<NewQuota>, errors: &mut FieldErrors) -> Limits {
    let rates = parse_rates(rates.unwrap_or_default(), errors);
    Limits { rates, quota: quota.and_then(|quota| parse_quota(quota, errors)) }
}

/// The limits after a change: absent members stay, `null` lifts.
pub(crate) fn changed(
    old: Limits,
    rates: Option<&Option<Vec<NewRateLimit>>>,
    quota: Option<Option<NewQuota>>,
    errors: &mut FieldErrors,
) -> Limits {
    let new = given(rates.and_then(Option::as_deref), quota.flatten(), errors);
    Limits {
        rates: if rates.is_some() { new.rates } else { old.rates },
        quota: if quota.is_some() { new.quota } else { old.quota },
    }
}

fn parse_quota(quota: NewQuota, errors: &mut FieldErrors) -> Option<Quota> {
    let limit = in_range("/quota/limit", quota.limit, HIGHEST_QUOTA, errors)?;
    Some(Quota { limit, period: quota.period })
}

fn parse_rates(rates: &[NewRateLimit], errors: &mut FieldErrors) -> Vec<RateLimit> {
    if errors.at_most(MOST_RATE_LIMITS, "/rate_limits", rates.len()).is_none() {
        return Vec::new();
    }
    let mut names = BTreeSet::new();
    let mut parsed = Vec::with_capacity(rates.len());
    for (index, rate) in rates.iter().enumerate() {
        let at = format!("/rate_limits/{index}");
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
        if !(1..=LONGEST_NAME).contains(&rate.name.len()) || !rate.name.bytes().all(fits) {
            let message = format!("a name is 1 to {LONGEST_NAME} of a-z, 0-9, _ and -");
            errors.add(format!("{at}/name"), "invalid_name", message);
        } else if rate.name == RESERVED_NAME {
            errors.add(format!("{at}/name"), "reserved", "quota is how answers call a quota; choose another name");
        } else if !names.insert(rate.name.as_str()) {
            errors.add(format!("{at}/name"), "duplicate", format!("{} is listed twice", rate.name));
        }
        let limit = in_range(&format!("{at}/limit"), rate.limit, HIGHEST_LIMIT, errors);
        let window = in_range(&format!("{at}/window_seconds"), rate.window_seconds, LONGEST_WINDOW, errors);
        if let (Some(limit), Some(window_seconds)) = (limit.and_then(small), window.and_then(small)) {
            parsed.push(RateLimit { name: rate.name.clone(), limit, window_seconds });
        }
    }
    parsed
}

fn small(value: u64) -> Option<u32> {
    value.try_into().ok()
}

fn in_range(pointer: &str, value: u64, highest: u64, errors: &mut FieldErrors) -> Option<u64> {
    if (1..=highest).contains(&value) {
        return Some(value);
    }
    errors.add(pointer, "out_of_range", format!("a number from 1 to {highest}"));
    None
}

/// Nanoseconds with 32 more binary places, so that a rate is exact to less than one request in a full window.
type Fine = u128;
const FRACTION_BITS: u32 = 32;

/// How far a rate limit is used: the generic cell rate algorithm, whose whole state is one instant. Times are counted
/// from any fixed instant on a clock that does not go back. Of two rates of one limit, the greater has less left.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate {
    /// The theoretical arrival time: when all that was spent will have been regained.
    full_at: Fine,
}

/// What a rate limit would say to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Try {
    /// It may pass, and this is the state once it has.
    Fits(Rate),
    /// It may not, and this is how long it takes until it would.
    TooMuch(Duration),
    /// It costs more than the whole limit, and never will.
    Never,
}

impl Rate {
    /// Whether `cost` fits at `now`.
    pub fn try_spend(self, limit: &RateLimit, cost: u32, now: Duration) -> Try {
        if cost > limit.limit {
            return Try::Never;
        }
        let spent = self.after(limit, cost, now);
        let latest = fine(now) + window(limit);
        if spent.full_at <= latest { Try::Fits(spent) } else { Try::TooMuch(coarse(spent.full_at - latest)) }
    }

    /// The state after `cost` was spent elsewhere, whether it fits here or not. It never owes more than a window.
    #[must_use]
    pub fn spend(self, limit: &RateLimit, cost: u32, now: Duration) -> Self {
        let full_at = self.after(limit, cost, now).full_at.min(fine(now) + window(limit));
        Self { full_at }
    }

    /// The state as if `cost` had not been spent.
    #[must_use]
    pub fn give_back(self, limit: &RateLimit, cost: u32) -> Self {
        Self { full_at: self.full_at.saturating_sub(interval(limit) * Fine::from(cost)) }
    }

    /// How much could be spent at `now`.
    pub fn remaining(self, limit: &RateLimit, now: Duration) -> u32 {
        let left = fine(now) + window(limit) - self.owed(limit, now);
        u32::try_from(left / interval(limit)).unwrap_or(u32::MAX).min(limit.limit)
    }

    /// How long until the whole limit could be spent again.
    pub fn full_in(self, limit: &RateLimit, now: Duration) -> Duration {
        coarse(self.owed(limit, now) - fine(now))
    }

    /// Whether it is as good as new, whatever the limit.
    pub fn is_full(self, now: Duration) -> bool {
        self.full_at <= fine(now)
    }

    fn after(self, limit: &RateLimit, cost: u32, now: Duration) -> Self {
        Self { full_at: self.owed(limit, now) + interval(limit) * Fine::from(cost) }
    }

    /// When the whole is regained. Not later than after a window, also when the window was longer until now.
    fn owed(self, limit: &RateLimit, now: Duration) -> Fine {
        self.full_at.clamp(fine(now), fine(now) + window(limit))
    }
}

fn fine(time: Duration) -> Fine {
    time.as_nanos() << FRACTION_BITS
}

/// Rounded up, so that who waits as long as told is not too early.
fn coarse(time: Fine) -> Duration {
    let nanos = (time + (1 << FRACTION_BITS) - 1) >> FRACTION_BITS;
    Duration::from_nanos(nanos.try_into().unwrap_or(u64::MAX))
}

fn window(limit: &RateLimit) -> Fine {
    fine(Duration::from_secs(limit.window_seconds.into()))
}

/// The time in which one is regained. Never zero: the longest limit per second leaves it whole nanoseconds.
fn interval(limit: &RateLimit) -> Fine {
    window(limit) / Fine::from(limit.limit.max(1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::{fixtures::said, invalid::Rejection};

    fn read(body: serde_json::Value) -> Result<Limits, Rejection> {
        let mut errors = FieldErrors::default();
        let rates: Option<Vec<NewRateLimit>> = serde_json::from_value(body["rate_limits"].clone()).unwrap();
        let quota: Option<NewQuota> = serde_json::from_value(body["quota"].clone()).unwrap();
        let limits = given(rates.as_deref(), quota, &mut errors);
        errors.finish().map(|()| limits)
    }

    #[test]
    fn every_wrong_member_is_named() {
        let check = |body, expected: &str| assert_eq!(said(&read(body)), expected);
        let rate = |name: &str, limit: u64, window: u64| json!({ "rate_limits": [{ "name": name, "limit": limit, "window_seconds": window }] });
        check(json!({}), "ok");
        check(json!({ "rate_limits": [] }), "ok");
        check(rate("default", 1, 1), "ok");
        check(rate("a-b_9", HIGHEST_LIMIT, LONGEST_WINDOW), "ok");
        check(rate("default", 0, 0), "/rate_limits/0/limit out_of_range, /rate_limits/0/window_seconds out_of_range");
        check(rate("x", HIGHEST_LIMIT + 1, 1), "/rate_limits/0/limit out_of_range");
        check(
            rate("x", u64::MAX, u64::MAX),
            "/rate_limits/0/limit out_of_range, /rate_limits/0/window_seconds out_of_range",
        );
        check(rate("x", 1, LONGEST_WINDOW + 1), "/rate_limits/0/window_seconds out_of_range");
        for name in ["", "A", "a.b", "a b", "\u{e9}", &"x".repeat(33)] {
            check(rate(name, 1, 1), "/rate_limits/0/name invalid_name");
        }
        check(rate("quota", 1, 1), "/rate_limits/0/name reserved");
        let twice = json!({ "name": "x", "limit": 1, "window_seconds": 1 });
        check(json!({ "rate_limits": [twice, twice] }), "/rate_limits/1/name duplicate");
        let many = (0..11).map(|n| json!({ "name": format!("n{n}"), "limit": 1, "window_seconds": 1 }));
        check(json!({ "rate_limits": many.collect::<Vec<_>>() }), "/rate_limits too_many");
        check(json!({ "quota": { "limit": 0, "period": "day" } }), "/quota/limit out_of_range");
        check(json!({ "quota": { "limit": HIGHEST_QUOTA, "period": "month" } }), "ok");
    }

    #[test]
    fn absent_members_stay_and_null_lifts() {
        let old = read(json!({
            "rate_limits": [{ "name": "x", "limit": 1, "window_seconds": 1 }], "quota": { "limit": 9, "period": "day" },
        }))
        .unwrap();
        let mut errors = FieldErrors::default();
        assert_eq!(changed(old.clone(), None, None, &mut errors), old);
        let lifted = Limits { rates: Vec::new(), ..old.clone() };
        assert_eq!(changed(old.clone(), Some(&None), None, &mut errors), lifted);
        assert_eq!(changed(old.clone(), None, Some(None), &mut errors), Limits { quota: None, ..old });
    }

    fn per(limit: u32, window_seconds: u32) -> RateLimit {
        RateLimit { name: "x".to_owned(), limit, window_seconds }
    }

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn a_burst_passes_and_then_one_per_interval() {
        let (limit, mut rate) = (per(3, 3), Rate::default());
        let mut check = |now: u64, cost: u32, expected: Result<u32, u64>| {
            let got = match rate.try_spend(&limit, cost, ms(now)) {
                Try::Fits(after) => {
                    rate = after;
                    Ok(rate.remaining(&limit, ms(now)))
                }
                Try::TooMuch(wait) => Err(wait.as_millis() as u64),
                Try::Never => Err(u64::MAX),
            };
            assert_eq!(got, expected, "at {now}");
        };
        check(10_000, 1, Ok(2));
        check(10_000, 2, Ok(0));
        check(10_000, 1, Err(1000));
        check(10_999, 1, Err(1));
        check(11_000, 1, Ok(0));
        check(11_000, 3, Err(3000));
        check(14_000, 3, Ok(0));
        check(14_000, 0, Ok(0)); // asking costs nothing
        check(90_000, 4, Err(u64::MAX)); // more than the whole never fits
        check(90_000, 3, Ok(0));
    }

    #[test]
    fn what_was_spent_elsewhere_never_locks_out_for_longer_than_a_window() {
        let limit = per(10, 60);
        let rate = Rate::default().spend(&limit, u32::MAX, ms(1000));
        assert_eq!((rate.remaining(&limit, ms(1000)), rate.full_in(&limit, ms(1000))), (0, Duration::from_secs(60)));
        assert_eq!(rate.remaining(&limit, ms(61_000)), 10);
    }

    #[test]
    fn a_shorter_window_owes_no_longer_than_itself() {
        let used_up = Rate::default().spend(&per(3, 31_622_400), 3, ms(1000));
        let limit = per(10, 2);
        assert_eq!((used_up.remaining(&limit, ms(1000)), used_up.full_in(&limit, ms(1000))), (0, ms(2000)));
        assert_eq!(used_up.try_spend(&limit, 1, ms(1000)), Try::TooMuch(ms(200)));
        let spent = used_up.spend(&limit, 0, ms(1000));
        assert!(spent.is_full(ms(3000)) && !spent.is_full(ms(2999)));
    }

    proptest! {
        #[test]
        fn no_window_lets_more_than_twice_the_limit_pass(
            limit in 1u32..200, window in 1u32..100, gaps in prop::collection::vec(0u64..3_000, 1..400),
        ) {
            let (limit, mut rate, mut now, mut passed) = (per(limit, window), Rate::default(), ms(0), Vec::new());
            for gap in gaps {
                now += ms(gap);
                if let Try::Fits(after) = rate.try_spend(&limit, 1, now) {
                    rate = after;
                    passed.push(now);
                }
            }
            for end in &passed {
                let within = |at: &&Duration| **at <= *end && **at + Duration::from_secs(window.into()) > *end;
                prop_assert!(passed.iter().filter(within).count() <= 2 * limit.limit as usize);
            }
        }

        #[test]
        fn a_full_limit_lets_the_whole_pass_and_an_empty_one_after_the_wait_that_it_tells(
            limit in 1u32..2_000_000_000, window in 1u32..40_000_000, cost in 0u32.., start in 0u64..1 << 40,
        ) {
            let (limit, now) = (per(limit, window), ms(start));
            let fresh = Rate::default();
            prop_assert_eq!(fresh.remaining(&limit, now), limit.limit);
            prop_assert_eq!(matches!(fresh.try_spend(&limit, cost, now), Try::Fits(_)), cost <= limit.limit);
            let empty = fresh.spend(&limit, limit.limit, now);
            prop_assert_eq!(empty.remaining(&limit, now), 0);
            let later = now + Duration::from_secs(window.into());
            prop_assert_eq!(empty.remaining(&limit, later), limit.limit);
            if let Try::TooMuch(wait) = empty.try_spend(&limit, 1, now) {
                prop_assert!(matches!(empty.try_spend(&limit, 1, now + wait), Try::Fits(_)));
            }
        }
    }
}
