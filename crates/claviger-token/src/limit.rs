//! How much: rate limits and quotas, as a credential, a service account or an organization carries them.
//!
//! Plain data. The room must not count: that is done where verdicts are made.

use jiff::{SignedDuration, Timestamp, civil, tz::TimeZone};
use serde::{Deserialize, Serialize};

/// `limit` of cost at once, and regained evenly: all of it within `window_seconds`. So no window lets more than twice
/// the limit pass, and in the long run it is `limit` per window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RateLimit {
    /// What it is called in headers and answers; unique on what carries it.
    #[cfg_attr(feature = "openapi", schema(example = "default"))]
    pub name: String,
    /// How much it allows: requests, or what they cost.
    #[cfg_attr(feature = "openapi", schema(example = 100))]
    pub limit: u32,
    /// Within how many seconds.
    #[cfg_attr(feature = "openapi", schema(example = 60))]
    pub window_seconds: u32,
}

/// At most `limit` of cost in a calendar period, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Quota {
    /// How much it allows: requests, or what they cost.
    #[cfg_attr(feature = "openapi", schema(example = 10_000))]
    pub limit: u64,
    /// In which period.
    pub period: QuotaPeriod,
}

/// A calendar period, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum QuotaPeriod {
    /// From midnight to midnight.
    Day,
    /// From the first of the month to the next.
    Month,
}

/// Everything that bounds how often something may be used. The default bounds nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Each of these must allow a request.
    #[serde(rename = "rate_limits")]
    pub rates: Vec<RateLimit>,
    /// And this.
    pub quota: Option<Quota>,
}

impl QuotaPeriod {
    /// The period that `now` is in: its first instant, and the first after it.
    pub fn around(self, now: Timestamp) -> (Timestamp, Timestamp) {
        let date = TimeZone::UTC.to_datetime(now).date();
        let (first, next) = match self {
            Self::Day => (date, date.tomorrow()),
            Self::Month => (date.first_of_month(), date.last_of_month().tomorrow()),
        };
        let instant = |date: civil::Date| TimeZone::UTC.to_timestamp(date.to_datetime(civil::Time::midnight()));
        // Only at the two ends of representable time is there no such instant.
        let start = instant(first).unwrap_or(Timestamp::MIN);
        (start, next.and_then(instant).unwrap_or(Timestamp::MAX))
    }
}

impl Limits {
    /// Whether nothing is bounded.
    pub fn is_empty(&self) -> bool {
        self.rates.is_empty() && self.quota.is_none()
    }

    /// Whether each bound of `other` has one here of the same name, for the state goes by the name, that is at least as
    /// strict.
    pub fn is_within(&self, other: &Self) -> bool {
        let stricter = |own: &RateLimit, theirs: &RateLimit| {
            own.name == theirs.name && own.limit <= theirs.limit && own.window_seconds >= theirs.window_seconds
        };
        let quota_within = |theirs: Quota| {
            let month_for_day = |own: Quota| own.period == theirs.period || own.period == QuotaPeriod::Month;
            self.quota.is_some_and(|own| own.limit <= theirs.limit && month_for_day(own))
        };
        other.rates.iter().all(|theirs| self.rates.iter().any(|own| stricter(own, theirs)))
            && other.quota.is_none_or(quota_within)
    }
}

/// Whole seconds from `now` to `then`, rounded up; at least one, for "in 0 seconds" would be tried at once and in vain.
pub fn seconds_to_wait(then: Timestamp, now: Timestamp) -> u64 {
    let left: SignedDuration = then.duration_since(now);
    let whole = u64::try_from(left.as_secs()).unwrap_or(0);
    (whole + u64::from(left.subsec_nanos() > 0)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_period_is_half_open_and_counts_in_utc() {
        fn check(period: QuotaPeriod, now: &str, first: &str, next: &str) {
            assert_eq!(period.around(at(now)), (at(first), at(next)), "{period:?} around {now}");
        }
        let (day, month) = (QuotaPeriod::Day, QuotaPeriod::Month);
        check(day, "2026-11-24T00:00:00Z", "2026-11-24T00:00:00Z", "2026-11-25T00:00:00Z");
        check(day, "2026-11-24T23:59:59.999Z", "2026-11-24T00:00:00Z", "2026-11-25T00:00:00Z");
        check(day, "2026-12-31T12:00:00Z", "2026-12-31T00:00:00Z", "2027-01-01T00:00:00Z");
        check(month, "2028-02-29T12:00:00Z", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z");
        check(month, "2026-12-01T00:00:00Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z");
        assert_eq!(day.around(Timestamp::MAX).1, Timestamp::MAX);
        assert!(month.around(Timestamp::MIN).0 <= Timestamp::MIN);
    }

    #[test]
    fn limits_are_within_others_if_each_of_those_has_a_stricter_one() {
        fn limits(rates: &[(u32, u32)], quota: Option<(u64, QuotaPeriod)>) -> Limits {
            let rate = |(index, &(limit, window_seconds)): (usize, &(u32, u32))| RateLimit {
                name: format!("n{index}"),
                limit,
                window_seconds,
            };
            let quota = quota.map(|(limit, period)| Quota { limit, period });
            Limits { rates: rates.iter().enumerate().map(rate).collect(), quota }
        }
        fn check(own: Limits, other: Limits, expected: bool) {
            assert_eq!(own.is_within(&other), expected, "{own:?} within {other:?}");
        }
        let (day, month) = (QuotaPeriod::Day, QuotaPeriod::Month);
        let none = || limits(&[], None);
        check(none(), none(), true);
        check(limits(&[(1, 1)], None), none(), true);
        check(none(), limits(&[(1, 1)], None), false);
        check(limits(&[(1, 1)], None), limits(&[(1, 1)], None), true);
        check(limits(&[(9, 60)], None), limits(&[(10, 60)], None), true);
        check(limits(&[(11, 60)], None), limits(&[(10, 60)], None), false);
        check(limits(&[(10, 59)], None), limits(&[(10, 60)], None), false);
        check(limits(&[(10, 60)], None), limits(&[(10, 60), (2, 1)], None), false);
        check(limits(&[(10, 60), (1, 1)], None), limits(&[(10, 60), (2, 1)], None), true);
        check(limits(&[(1, 1), (1, 1)], None), limits(&[(1, 1)], None), true);
        let mut renamed = limits(&[(1, 1)], None);
        renamed.rates[0].name = "another".to_owned();
        check(renamed, limits(&[(1, 1)], None), false);
        check(limits(&[], Some((5, day))), limits(&[], Some((5, day))), true);
        check(limits(&[], Some((5, month))), limits(&[], Some((5, day))), true);
        check(limits(&[], Some((5, day))), limits(&[], Some((5, month))), false);
        check(limits(&[], Some((6, month))), limits(&[], Some((5, day))), false);
    }

    #[test]
    fn who_waits_as_long_as_told_does_not_come_too_early() {
        fn check(then: &str, now: &str, expected: u64) {
            assert_eq!(seconds_to_wait(at(then), at(now)), expected);
        }
        check("2026-01-01T00:00:02Z", "2026-01-01T00:00:00Z", 2);
        check("2026-01-01T00:00:02.001Z", "2026-01-01T00:00:00Z", 3);
        check("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", 1);
        check("2026-01-01T00:00:00Z", "2026-01-01T00:00:09Z", 1);
    }
}
