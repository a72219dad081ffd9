//! What this node remembers of the change log for those who follow it from outside, and where each of them is.
//!
//! Roles and access tokens are expanded to whom they concern when they are read. Every number above the floor that this node saw is
//! here; below it nothing is known, and who asks from there starts afresh. At first the floor is where the log was. A cursor names the newest change that was told, by number
//! and time, so that another instance and a restored backup are recognised; and the numbers below it that were missing, because
//! those may still appear. Any node of the database understands it. The room must not know who follows, nor how.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    ops::RangeInclusive,
    str::FromStr,
    time::{Duration, Instant},
};

use claviger_token::{Change, Concerns};
use jiff::Timestamp;
use parking_lot::RwLock;
use tokio::sync::watch;

use crate::changes::LogCursor;

/// How long a change is remembered: no verifier has anything to keep that is older than a minute.
const REMEMBERED: Duration = Duration::from_secs(300);

/// How many names are remembered.
const MOST_NAMES: usize = 200_000;

/// How many names a message has; few more, for those of one number are told together.
const PAGE: usize = 1000;

/// How many ranges of missing numbers a cursor has. What comes after more of them is told once some of these appeared, or were given up.
const MOST_RANGES: usize = 500;

/// A row of the log that was seen, and whom it concerns.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) number: i64,
    pub(crate) at: Timestamp,
    pub(crate) concerns: Vec<Concerns>,
}

/// The changes that this node remembers.
#[derive(Debug)]
pub struct ChangeFeed {
    inner: RwLock<Inner>,
    news: watch::Sender<()>,
    readings: watch::Sender<u64>,
}

/// What a message and a cursor have at most. Tests want less.
#[derive(Debug, Clone, Copy)]
struct Limits {
    page: usize,
    ranges: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { page: PAGE, ranges: MOST_RANGES }
    }
}

#[derive(Debug, Default)]
struct Inner {
    limits: Limits,
    rows: BTreeMap<i64, Row>,
    /// What is not above it is unknown.
    floor: i64,
    newest: i64,
    /// Below the newest, and may still appear.
    gaps: Vec<i64>,
    settled: i64,
    names: usize,
}

#[derive(Debug)]
struct Row {
    at: Timestamp,
    concerns: Box<[Concerns]>,
    seen_at: Instant,
}

/// What is told next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Where whoever was told this is.
    pub next: FeedCursor,
    /// All up to it is told, for good. To somebody who begins: all that was seen, for what is missing below it is told, and what came
    /// before is not; so whatever they read elsewhere below it may be void.
    pub position: i64,
    /// Whether more changed than is told, so that whoever is told this does not know what is void.
    pub more: bool,
    /// What changed.
    pub changes: Vec<Change>,
}

/// What there is to tell somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Since {
    /// What changed since, which may be nothing.
    Changed(Told),
    /// That what changed since is not known here: all that was kept is void. What it tells begins now.
    Unknown(Told),
    /// Nothing yet: where they are is ahead of what this node has read. If it still is after the log was read again, it is unknown.
    Behind,
}

impl ChangeFeed {
    pub(crate) fn new() -> Self {
        Self { inner: RwLock::default(), news: watch::Sender::new(()), readings: watch::Sender::new(0) }
    }

    /// At the newest change that the log has when a node begins to follow it. Nothing is known of what came before: whoever followed
    /// before starts afresh, unless that is where they are.
    pub(crate) fn begin(&self, newest: Option<Timestamp>, cursor: &LogCursor, now: Instant) {
        let floor = (cursor.newest() - 1).max(0);
        let mut inner = self.inner.write();
        *inner = Inner { floor, limits: inner.limits, ..Inner::default() };
        drop(inner);
        let newest = newest.map(|at| Seen { number: cursor.newest(), at, concerns: Vec::new() });
        self.add(newest.into_iter().collect(), cursor, now);
        self.news.send_replace(());
    }

    /// Takes what was read of the log since, up to where `cursor` is.
    pub(crate) fn add(&self, rows: Vec<Seen>, cursor: &LogCursor, now: Instant) {
        let is_news = !rows.is_empty();
        let mut inner = self.inner.write();
        for Seen { number, at, concerns } in rows {
            // What is missing below the floor was given up by everybody who could ask for it.
            if number > inner.floor {
                inner.names += concerns.len().max(1);
                inner.rows.insert(number, Row { at, concerns: concerns.into(), seen_at: now });
            }
        }
        inner.newest = cursor.newest();
        inner.gaps = cursor.missing().collect();
        inner.settled = cursor.settled();
        inner.forget(now);
        // What appears below the floor is told to nobody. Whoever began since keeps nothing that is as old.
        let floor = inner.floor;
        inner.gaps.retain(|gap| *gap > floor);
        drop(inner);
        if is_news {
            self.news.send_replace(());
        }
    }

    /// To be said after the log was read to its end.
    pub(crate) fn was_read(&self) {
        self.readings.send_modify(|readings| *readings += 1);
    }

    /// Changes when there is something to tell.
    pub fn news(&self) -> watch::Receiver<()> {
        self.news.subscribe()
    }

    /// Waits until the log was read to its end by a reading that begins after this call.
    pub async fn read_again(&self) {
        let mut readings = self.readings.subscribe();
        // The one that ends next may have begun before.
        let enough = *readings.borrow() + 2;
        // The sender is this feed's own, so that it is there.
        let _ = readings.wait_for(|readings| *readings >= enough).await;
    }

    /// What to tell somebody who begins.
    pub fn begun(&self) -> Told {
        self.inner.read().begun()
    }

    /// What to tell somebody who is there.
    pub fn since(&self, cursor: &FeedCursor) -> Since {
        self.inner.read().since(cursor)
    }
}

impl Inner {
    fn forget(&mut self, now: Instant) {
        let is_old = |row: &Row| now.saturating_duration_since(row.seen_at) >= REMEMBERED;
        // Until the next one came everybody was there, however old it is.
        while let Some((_, next)) = self.rows.iter().nth(1)
            && (self.names > MOST_NAMES || is_old(next))
            && let Some((number, row)) = self.rows.pop_first()
        {
            (self.floor, self.names) = (number, self.names - row.concerns.len().max(1));
        }
    }

    fn begun(&self) -> Told {
        let nothing_left = |_: &i64| false;
        let next = self.before_too_many(self.newest, ranges(self.gaps.iter().copied()), nothing_left);
        let next = next.unwrap_or(FeedCursor { newest: 0, at: None, missing: Vec::new() });
        Told { position: self.newest, next, more: false, changes: Vec::new() }
    }

    /// The newest number up to this one that is told and before which few are missing; `None` if there is no such number.
    fn before_too_many(
        &self,
        newest: i64,
        mut missing: Vec<RangeInclusive<i64>>,
        is_left: impl Fn(&i64) -> bool,
    ) -> Option<FeedCursor> {
        let newest = match missing.get(self.limits.ranges) {
            Some(first) => {
                let mut before = self.rows.range(..(*first.start()).min(newest)).rev();
                *before.find(|(number, _)| !is_left(number))?.0
            }
            None => newest,
        };
        // What was told is not missing, so that no range lies on both sides.
        missing.retain(|range| *range.end() < newest);
        Some(FeedCursor { newest, at: self.rows.get(&newest).map(|row| row.at), missing })
    }

    fn since(&self, cursor: &FeedCursor) -> Since {
        let lowest = cursor.missing.first().map_or(cursor.newest + 1, |range| *range.start());
        let at = self.rows.get(&cursor.newest).map(|row| row.at);
        if lowest <= self.floor || (at.is_some() && at != cursor.at) {
            return Since::Unknown(self.begun());
        }
        if at.is_none() && cursor.newest > 0 {
            return if cursor.newest <= self.floor { Since::Unknown(self.begun()) } else { Since::Behind };
        }
        Since::Changed(self.changed(cursor))
    }

    fn changed(&self, cursor: &FeedCursor) -> Told {
        let late = cursor.missing.iter().flat_map(|range| self.rows.range(range.clone()));
        let fresh = self.rows.range(cursor.newest + 1..);
        let (mut changes, mut told) = (Vec::new(), Vec::new());
        let (mut newest, mut is_all) = (cursor.newest, true);
        for (number, row) in late.chain(fresh) {
            if changes.len() >= self.limits.page {
                is_all = false;
                break;
            }
            changes.extend(row.concerns.iter().map(|concerns| Change { sequence: *number, concerns: *concerns }));
            told.push(*number);
            newest = newest.max(*number);
        }
        told.sort_unstable();
        let is_told = |number: &i64| told.binary_search(number).is_ok();
        let was_missing = |number: i64| cursor.missing.iter().any(|range| range.contains(&number));
        // What this node gave up nobody waits for any more.
        let waited_for = self.gaps.iter().copied();
        let waited_for = waited_for.filter(|gap| if *gap < cursor.newest { was_missing(*gap) } else { *gap < newest });
        let left = cursor.missing.iter().flat_map(|range| self.rows.range(range.clone()));
        let left: BTreeSet<i64> = left.map(|(number, _)| *number).filter(|number| !is_told(number)).collect();
        let mut missing: Vec<i64> = waited_for.chain(left.iter().copied()).collect();
        missing.sort_unstable();
        let Some(next) = self.before_too_many(newest, ranges(missing), |number| left.contains(number)) else {
            let position = self.settled.min(self.floor);
            return Told { position, next: cursor.clone(), more: true, changes: Vec::new() };
        };
        changes.retain(|change| change.sequence <= next.newest);
        let more = !is_all || next.newest < newest;
        let position =
            if is_all { self.settled } else { next.missing.first().map_or(next.newest, |range| range.start() - 1) };
        Told { position: position.min(next.newest), next, more, changes }
    }
}

/// Numbers in their order, as ranges.
fn ranges(numbers: impl IntoIterator<Item = i64>) -> Vec<RangeInclusive<i64>> {
    let mut ranges: Vec<RangeInclusive<i64>> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some(last) if *last.end() + 1 == number => *last = *last.start()..=number,
            _ => ranges.push(number..=number),
        }
    }
    ranges
}

/// Where somebody is who follows the log. Written `1.<number>.<milliseconds>.<missing>`, where of each range of missing numbers stands how
/// far it begins after the end of the one before and how many more it has; to others it is a text without meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedCursor {
    newest: i64,
    at: Option<Timestamp>,
    /// In their order, without overlap, below the newest.
    missing: Vec<RangeInclusive<i64>>,
}

impl fmt::Display for FeedCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1.{}.{}.", self.newest, self.at.map_or(0, Timestamp::as_millisecond))?;
        let mut before = 0;
        for range in &self.missing {
            write!(f, "{}{}", if before > 0 { "_" } else { "" }, range.start() - before)?;
            if range.start() != range.end() {
                write!(f, "-{}", range.end() - range.start())?;
            }
            before = *range.end();
        }
        Ok(())
    }
}

impl FeedCursor {
    /// Whether a text is a cursor of another version: whoever has it starts afresh.
    pub fn is_of_another_version(text: &str) -> bool {
        let version = text.split_once('.').map(|(version, _)| version);
        version.is_some_and(|version| version != "1" && number(version).is_ok())
    }
}

/// The text is no cursor of the feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`after` is what `next` said in the message before; leave it out to start afresh")]
pub struct NoCursor;

impl FromStr for FeedCursor {
    type Err = NoCursor;

    fn from_str(text: &str) -> Result<Self, NoCursor> {
        let mut parts = text.strip_prefix("1.").ok_or(NoCursor)?.splitn(3, '.');
        let mut part = || parts.next().ok_or(NoCursor);
        let (newest, at, missing) = (number(part()?)?, number(part()?)?, part()?);
        let at = (newest > 0).then(|| Timestamp::from_millisecond(at)).transpose().map_err(|_| NoCursor)?;
        let mut ranges: Vec<RangeInclusive<i64>> = Vec::new();
        for range in missing.split('_').filter(|_| !missing.is_empty()) {
            let (distance, more) = range.split_once('-').unwrap_or((range, "0"));
            let before = ranges.last().map_or(0, |last| *last.end());
            let start = number(distance)?.checked_add(before).ok_or(NoCursor)?;
            let end = start.checked_add(number(more)?).ok_or(NoCursor)?;
            if start <= before || end >= newest || ranges.len() == MOST_RANGES {
                return Err(NoCursor);
            }
            ranges.push(start..=end);
        }
        Ok(Self { newest, at, missing: ranges })
    }
}

/// Digits alone, and room above for one more.
fn number(text: &str) -> Result<i64, NoCursor> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| is_number && *number < i64::MAX).ok_or(NoCursor)
}

#[cfg(test)]
mod tests;
