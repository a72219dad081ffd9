//! Where the time is read: monotonic for ages, and the instance's for what credentials say. A service whose own clock is off by
//! minutes would otherwise take what has ended, or refuse what has not.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use parking_lot::Mutex;

/// What is within this of the time that is known is taken for the same: answers take a while, and tell whole seconds.
const TOLERATED_MS: i64 = 3000;

/// For how long all that comes late must agree before the time is set back: what a stopped process finds waiting for it is of before.
const AGREED_FOR: Duration = Duration::from_secs(2);

/// The time as the instance sees it. It goes on with the clock that never jumps: whoever sets the machine's clock changes nothing.
#[derive(Debug)]
pub(crate) struct Clock {
    started: Instant,
    /// Milliseconds since 1970 at the start.
    began_ms: AtomicI64,
    /// Since when all that came late said that it is earlier, and the latest of it as it would have been at the start.
    earlier: Mutex<Option<(Instant, i64)>>,
}

impl Default for Clock {
    fn default() -> Self {
        Self::starting_at(system(), monotonic())
    }
}

impl Clock {
    fn starting_at(now: Timestamp, started: Instant) -> Self {
        Self { started, began_ms: AtomicI64::new(now.as_millisecond()), earlier: Mutex::default() }
    }

    /// Now.
    pub(crate) fn now(&self) -> Timestamp {
        self.at(monotonic())
    }

    fn at(&self, now: Instant) -> Timestamp {
        let began = self.began_ms.load(Ordering::Relaxed);
        let now = began.saturating_add(millis(now.saturating_duration_since(self.started)));
        Timestamp::from_millisecond(now).unwrap_or(Timestamp::MAX)
    }

    /// Notes what time the instance said it was, just now.
    pub(crate) fn was_told(&self, told: Timestamp) {
        self.was_told_at(told, monotonic());
    }

    fn was_told_at(&self, told: Timestamp, now: Instant) {
        let ahead = told.as_millisecond() - self.at(now).as_millisecond();
        if ahead.abs() > TOLERATED_MS {
            // As it would have been told at the start, so that two who are told at once do not both add to it.
            let since = millis(now.saturating_duration_since(self.started));
            self.began_ms.store(told.as_millisecond().saturating_sub(since), Ordering::Relaxed);
        }
    }

    /// The same of what may have been under way for long.
    pub(crate) fn was_told_late(&self, told: Timestamp) {
        self.was_told_late_at(told, monotonic());
    }

    fn was_told_late_at(&self, told: Timestamp, now: Instant) {
        let mut earlier = self.earlier.lock();
        if told.as_millisecond() - self.at(now).as_millisecond() >= -TOLERATED_MS {
            *earlier = None;
            drop(earlier);
            return self.was_told_at(told, now);
        }
        let began = told.as_millisecond().saturating_sub(millis(now.saturating_duration_since(self.started)));
        let (since, latest) = earlier.get_or_insert((now, began));
        *latest = began.max(*latest);
        if now.saturating_duration_since(*since) >= AGREED_FOR {
            self.began_ms.store(*latest, Ordering::Relaxed);
            *earlier = None;
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is where the time is read")]
fn system() -> Timestamp {
    Timestamp::now()
}

/// For ages.
#[expect(clippy::disallowed_methods, reason = "ages are measured on the clock that never jumps")]
pub(crate) fn monotonic() -> Instant {
    Instant::now()
}

/// When something was heard last; at first, never.
#[derive(Debug)]
pub(crate) struct Heard {
    started: Instant,
    /// Milliseconds since, or below 0.
    at: AtomicI64,
}

impl Heard {
    pub(crate) fn never() -> Self {
        Self { started: monotonic(), at: AtomicI64::new(-1) }
    }

    pub(crate) fn now(&self) {
        self.at.store(millis(self.started.elapsed()), Ordering::Release);
    }

    pub(crate) fn within(&self, age: Duration) -> bool {
        self.within_at(age, monotonic())
    }

    /// The same for who looked at the clock already.
    pub(crate) fn within_at(&self, age: Duration, now: Instant) -> bool {
        self.age_at(now).is_some_and(|heard| heard <= age)
    }

    /// How long ago.
    pub(crate) fn age(&self) -> Option<Duration> {
        self.age_at(monotonic())
    }

    fn age_at(&self, now: Instant) -> Option<Duration> {
        let at = u64::try_from(self.at.load(Ordering::Acquire)).ok()?;
        Some(now.saturating_duration_since(self.started).saturating_sub(Duration::from_millis(at)))
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn a_clock_that_is_off_by_minutes_follows_the_instance() {
        let check = |off: i64, expected: i64| {
            let clock = Clock::default();
            clock.was_told(system() + SignedDuration::from_secs(off));
            let ahead = clock.now().duration_since(system()).as_millis();
            assert!((ahead - i128::from(expected) * 1000).abs() < 1000, "{off}: {ahead}");
        };
        check(0, 0);
        check(2, 0);
        check(-2, 0);
        check(300, 300);
        check(-300, -300);
    }

    #[test]
    fn a_clock_that_is_set_later_changes_nothing_and_the_instance_is_followed_again_with_every_answer() {
        let (began, told) = (monotonic(), Timestamp::from_second(1_800_000_000).unwrap());
        // The machine's clock said something else when it began, and is not asked again.
        let clock = Clock::starting_at(Timestamp::from_second(7).unwrap(), began);
        clock.was_told_at(told, began);
        let hour = Duration::from_secs(3600);
        assert_eq!(clock.at(began + hour), told + SignedDuration::from_hours(1));
        clock.was_told_at(told + SignedDuration::from_hours(2), began + hour);
        assert_eq!(clock.at(began + hour * 2), told + SignedDuration::from_hours(3));
    }

    #[test]
    fn a_message_sets_the_time_ahead_at_once_and_back_when_all_of_them_agree() {
        let (began, told) = (monotonic(), Timestamp::from_second(1_800_000_000).unwrap());
        let seconds = SignedDuration::from_secs;
        let at = |count: u64| began + Duration::from_secs(count);
        let clock = Clock::starting_at(told, began);
        clock.was_told_late_at(told + seconds(100), began);
        assert_eq!(clock.at(began), told + seconds(100));
        // Of before: they waited while this process was stopped.
        for _ in 0..3 {
            clock.was_told_late_at(told + seconds(90), at(20));
        }
        clock.was_told_late_at(told + seconds(120), at(20));
        assert_eq!(clock.at(at(22)), told + seconds(122));
        // The machine's clock was ahead of the instance's when it began: the one that was under way for the shortest time says by how much.
        for (ahead, told_at) in [(30, 21), (32, 22), (32, 23)] {
            clock.was_told_late_at(told + seconds(ahead), at(told_at));
        }
        assert_eq!(clock.at(at(23)), told + seconds(33));
    }

    #[test]
    fn what_was_never_heard_is_heard_within_no_time() {
        let heard = Heard::never();
        assert!(!heard.within(Duration::from_secs(u64::MAX)));
        heard.now();
        assert!(heard.within(Duration::from_secs(1)));
    }
}
