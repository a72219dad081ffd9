//! Which facts changed lately: what a cache asks before it trusts an entry.
//!
//! Every commit of this process names the ids it touched before its caller can answer, and the change
//! log of all other processes is followed by polling. An entry is good only if none of its ids was named
//! since the position that was noted *before* it was read: one test that drops what changed and also
//! discards a fill that was overtaken by a change.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::atomic::{AtomicI64, AtomicU64, Ordering},
    time::{Duration, Instant},
};

use claviger_core::Touched;
use parking_lot::RwLock;

/// How long a name is remembered: longer than any entry may live ([`Changes::ENTRY_LIFE`]).
const REMEMBERED: Duration = Duration::from_secs(90);

/// How often names are forgotten: all of them are looked at for that, and who verifies waits meanwhile.
const FORGET_EVERY: Duration = Duration::from_secs(10);

/// How long a number that is missing from the log is waited for: twice the cap of a transaction.
const GAP_PATIENCE: Duration = Duration::from_secs(10);

/// How many numbers before the newest may belong to transactions still open, each of which takes one for every id that it names.
pub(crate) const LOOK_BACK: i64 = 4000;

/// A position in this process's memory of changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark(u64);

/// The ids named lately, and how fresh that knowledge is.
#[derive(Debug)]
pub struct Changes {
    /// Counts every naming. Read without the lock: an entry as young as this needs no look.
    latest: AtomicU64,
    named: RwLock<Named>,
    read_at: RwLock<Instant>,
    position: AtomicI64,
}

#[derive(Debug, Default)]
struct Named {
    positions: HashMap<Touched, (u64, Instant)>,
    /// Everything older than this is void.
    all: u64,
    forgotten_at: Option<Instant>,
}

impl Changes {
    /// No cache entry may live longer, whatever the log says.
    pub const ENTRY_LIFE: Duration = Duration::from_secs(60);

    /// Nothing named yet; the log counts as read at `now`.
    pub fn new(now: Instant) -> Self {
        let (latest, position) = (AtomicU64::new(1), AtomicI64::new(0));
        Self { latest, named: RwLock::default(), read_at: RwLock::new(now), position }
    }

    /// To be noted before reading what will be cached.
    pub fn mark(&self) -> Mark {
        Mark(self.latest.load(Ordering::Acquire))
    }

    /// Whether facts read at `mark` still hold, as far as this process knows.
    pub fn hold_since(&self, mark: Mark, ids: impl IntoIterator<Item = Touched>) -> bool {
        if mark.0 == self.latest.load(Ordering::Acquire) {
            return true;
        }
        let named = self.named.read();
        named.all <= mark.0
            && ids.into_iter().all(|id| named.positions.get(&id).is_none_or(|(position, _)| *position <= mark.0))
    }

    /// Whether this was named since `mark`.
    pub fn was_named_since(&self, mark: Mark, id: Touched) -> bool {
        mark.0 != self.latest.load(Ordering::Acquire)
            && self.named.read().positions.get(&id).is_some_and(|(position, _)| *position > mark.0)
    }

    /// Whether facts read at `mark` held when the log was read last: all that can be known of them while it cannot be read. No
    /// name that voids them is forgotten by then, for their life stands still meanwhile.
    pub fn held_at_last(&self, mark: Mark, read_at: Instant, ids: impl IntoIterator<Item = Touched>) -> bool {
        let last = *self.read_at.read();
        last.saturating_duration_since(read_at) < Self::ENTRY_LIFE && self.hold_since(mark, ids)
    }

    /// Names what changed. Entries read before this moment stop counting.
    pub fn name(&self, touched: &[Touched], now: Instant) {
        if touched.is_empty() {
            return;
        }
        let mut named = self.named.write();
        let position = self.latest.load(Ordering::Acquire) + 1;
        named.positions.extend(touched.iter().map(|id| (*id, (position, now))));
        // Published while the lock is held, so that whoever sees the new position finds the names.
        self.latest.store(position, Ordering::Release);
    }

    /// Voids everything: the log cannot tell what changed (another instance, a restored backup).
    pub fn name_everything(&self) {
        let mut named = self.named.write();
        let position = self.latest.load(Ordering::Acquire) + 1;
        named.all = position;
        named.positions.clear();
        self.latest.store(position, Ordering::Release);
    }

    /// Since when the log has not been read.
    pub fn staleness(&self, now: Instant) -> Duration {
        now.saturating_duration_since(*self.read_at.read())
    }

    /// The number in the log up to which every change has been named here; 0 before the log was read. To be noted before something is
    /// looked up for a cache elsewhere: whatever holds here afterwards knows of all those changes.
    pub fn position(&self) -> i64 {
        self.position.load(Ordering::Acquire)
    }

    /// To be said after the naming.
    pub(crate) fn are_named_up_to(&self, position: i64) {
        self.position.store(position, Ordering::Release);
    }

    pub(crate) fn was_read(&self, now: Instant) {
        *self.read_at.write() = now;
        let mut named = self.named.write();
        if named.forgotten_at.is_none_or(|at| now.saturating_duration_since(at) >= FORGET_EVERY) {
            named.positions.retain(|_, (_, at)| now.saturating_duration_since(*at) < REMEMBERED);
            named.forgotten_at = Some(now);
        }
    }
}

/// Follows numbers that may become visible out of order: a transaction that took a number early may
/// commit late. Each number is told once. What is missing below the newest is waited for.
#[derive(Debug, Default)]
pub struct LogCursor {
    newest: i64,
    /// What the newest row says: the same number in another log, or in another past of this one, says something else.
    newest_says: Option<String>,
    gaps: BTreeMap<i64, Instant>,
}

impl LogCursor {
    /// From the numbers that a node finds when it starts: those say nothing new to an empty cache, but
    /// numbers missing among the latest may still arrive.
    pub fn starting_at(present: &[i64], now: Instant) -> Self {
        let newest = present.iter().copied().max().unwrap_or(0);
        // Trimming may have left only the newest, so nothing is learned from how old the oldest is.
        let missing = (newest - LOOK_BACK).max(1)..newest;
        let present: HashSet<i64> = present.iter().copied().collect();
        let gaps = missing.filter(|number| !present.contains(number)).map(|number| (number, now)).collect();
        Self { newest, newest_says: None, gaps }
    }

    /// Notes what the newest row says.
    pub(crate) fn newest_says(&mut self, text: String) {
        self.newest_says = Some(text);
    }

    /// Whether this is what the newest row said when it was seen.
    pub(crate) fn is_newest(&self, number: i64, text: &str) -> bool {
        number == self.newest && self.newest_says.as_deref().is_none_or(|known| known == text)
    }

    /// Whether among these numbers, in their order, is one that is further ahead than transactions still open can be: what is missing
    /// before it would not be waited for.
    pub(crate) fn jumps_to(&self, visible: &[i64]) -> bool {
        let mut before = self.newest;
        visible.iter().any(|number| {
            let jumps = *number - before > LOOK_BACK + 1;
            before = before.max(*number);
            jumps
        })
    }

    /// Up to where nothing is missing.
    pub fn settled(&self) -> i64 {
        self.gaps.first_key_value().map_or(self.newest, |(lowest, _)| lowest - 1)
    }

    /// The newest number seen.
    pub fn newest(&self) -> i64 {
        self.newest
    }

    /// Numbers that were skipped and may still appear.
    pub fn missing(&self) -> impl Iterator<Item = i64> {
        self.gaps.keys().copied()
    }

    /// Takes numbers that are visible now and returns those that were not told before.
    pub fn observe(&mut self, visible: &[i64], now: Instant) -> Vec<i64> {
        let mut fresh = Vec::new();
        for &number in visible {
            if number > self.newest {
                // A jump of millions is another database, not open transactions.
                let first = (self.newest + 1).max(number - LOOK_BACK);
                self.gaps.extend((first..number).map(|missing| (missing, now)));
                self.newest = number;
                fresh.push(number);
            } else if self.gaps.remove(&number).is_some() {
                fresh.push(number);
            }
        }
        self.gaps.retain(|_, since| now.saturating_duration_since(*since) < GAP_PATIENCE);
        fresh
    }
}

#[cfg(test)]
mod tests {
    use claviger_token::{ApiKeyId, CredentialId, TypedId as _};
    use jiff::Timestamp;
    use proptest::prelude::*;
    use rand::SeedableRng;

    use super::*;

    fn some_key(seed: u64) -> Touched {
        let mut rng = rand::rngs::StdRng::seed_from_u64(seed);
        Touched::Credential(CredentialId::ApiKey(ApiKeyId::generate(Timestamp::UNIX_EPOCH, &mut rng)))
    }

    #[expect(clippy::disallowed_methods, reason = "a test needs some instant to count from")]
    fn start() -> Instant {
        Instant::now()
    }

    #[test]
    fn an_entry_read_before_its_id_was_named_does_not_hold() {
        let (now, key, other) = (start(), some_key(1), some_key(2));
        let changes = Changes::new(now);
        let before = changes.mark();
        assert!(changes.hold_since(before, [key]));
        changes.name(&[key], now);
        assert!(!changes.hold_since(before, [key]));
        assert!(changes.hold_since(before, [other]));
        assert!(changes.was_named_since(before, key) && !changes.was_named_since(before, other));
        assert!(!changes.was_named_since(changes.mark(), key));
        assert!(changes.hold_since(changes.mark(), [key]));
        changes.name_everything();
        assert!(!changes.hold_since(before, [other]));
        assert!(!changes.was_named_since(before, other), "that everything is void names nobody");
    }

    #[test]
    fn a_name_is_forgotten_only_after_every_entry_that_it_voids_has_died() {
        let (now, key) = (start(), some_key(1));
        let changes = Changes::new(now);
        let before = changes.mark();
        changes.name(&[key], now);
        changes.was_read(now + Changes::ENTRY_LIFE);
        assert!(!changes.hold_since(before, [key]));
    }

    #[test]
    fn what_held_at_last_is_known_until_the_log_is_read_again() {
        let (now, key) = (start(), some_key(1));
        let changes = Changes::new(now);
        let mark = changes.mark();
        changes.was_read(now + Duration::from_secs(59));
        assert!(changes.held_at_last(mark, now, [key]), "however long ago that is");
        changes.was_read(now + Changes::ENTRY_LIFE);
        assert!(!changes.held_at_last(mark, now, [key]));
        assert!(changes.held_at_last(mark, now + Duration::from_secs(1), [key]));
        changes.name(&[key], now + Changes::ENTRY_LIFE);
        assert!(!changes.held_at_last(mark, now + Duration::from_secs(1), [key]));
    }

    #[test]
    fn a_late_number_is_told_and_one_that_never_comes_is_given_up() {
        let now = start();
        let mut cursor = LogCursor::starting_at(&[1], now);
        assert_eq!(cursor.observe(&[2, 8, 10], now), [2, 8, 10]);
        assert_eq!(cursor.missing().collect::<Vec<_>>(), [3, 4, 5, 6, 7, 9]);
        assert_eq!(cursor.observe(&[9], now + Duration::from_secs(4)), [9]);
        assert_eq!(cursor.observe(&[12], now), [12]);
        assert!(cursor.observe(&[], now + GAP_PATIENCE).is_empty());
        assert_eq!(cursor.missing().count(), 0);
    }

    #[test]
    fn numbers_missing_at_the_start_are_waited_for() {
        let mut cursor = LogCursor::starting_at(&[3, 5], start());
        assert_eq!(cursor.observe(&[4], start()), [4]);
    }

    #[test]
    fn numbers_below_the_only_one_that_trimming_left_are_waited_for() {
        let mut cursor = LogCursor::starting_at(&[7000], start());
        assert_eq!(cursor.observe(&[6999], start()), [6999]);
        assert!(cursor.observe(&[6999], start()).is_empty());
        assert!(cursor.observe(&[7000 - LOOK_BACK - 1], start()).is_empty());
    }

    proptest! {
        #[test]
        fn every_number_is_told_exactly_once_in_whatever_order_it_appears(order in Just((1..=40i64).collect::<Vec<_>>()).prop_shuffle()) {
            let now = start();
            let mut cursor = LogCursor::starting_at(&[], now);
            let mut told: Vec<i64> = order.chunks(3).flat_map(|batch| {
                let mut batch = batch.to_vec();
                batch.sort_unstable();
                cursor.observe(&batch, now)
            }).collect();
            told.sort_unstable();
            prop_assert_eq!(told, (1..=40).collect::<Vec<_>>());
        }
    }
}
