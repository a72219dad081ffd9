//! Opaque credentials in memory, by the hash of what was presented. An entry counts while it is young, nothing of it was named, and the
//! feed is heard.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use claviger_token::{Concerns, Found, Refusal, TokenHash, Verdict};
use parking_lot::RwLock;
use quick_cache::sync::Cache;

use crate::{answer::Answer, feed::Names};

/// The longest that anything is kept.
const LONGEST: Duration = Duration::from_secs(60);

/// For how long a refusal is remembered: it may be mended meanwhile.
const REFUSED_FOR: Duration = Duration::from_secs(1);

/// The same of a limit that lets somebody through within a second.
const SOON_OVER: Duration = Duration::from_millis(100);

/// How many refusals of single uses are remembered.
const MOST_REFUSED: usize = 10_000;

/// What is known of what was presented.
#[derive(Clone, Debug)]
pub(crate) enum Known {
    Valid(Arc<Entry>),
    /// With what the instance said of it.
    Refused(Refusal, Option<Arc<[u8]>>),
    /// That nobody but the instance may decide about it.
    Asked,
}

#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) found: Arc<Found>,
    beginning: u64,
    position: i64,
    ends_at: Instant,
    /// Halfway to its end.
    renewed_at: Instant,
    is_renewed: AtomicBool,
}

#[derive(Clone, Debug)]
struct Kept {
    known: Known,
    ends_at: Instant,
}

#[derive(Debug)]
pub(crate) struct Opaque {
    entries: Cache<TokenHash, Kept>,
    /// By the hash of the question.
    refused: Cache<TokenHash, RefusedUse>,
    pub(crate) names: RwLock<Names>,
}

#[derive(Clone, Debug)]
struct RefusedUse {
    refusal: Refusal,
    retry_after_seconds: Option<u64>,
    ends_at: Instant,
}

impl Opaque {
    pub(crate) fn new(entries: usize) -> Self {
        Self { entries: Cache::new(entries), refused: Cache::new(MOST_REFUSED), names: RwLock::default() }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// What is known of it and still counts, as far as is known.
    pub(crate) fn known(&self, hash: &TokenHash, now: Instant) -> Option<Known> {
        let kept = self.entries.get(hash).filter(|kept| now < kept.ends_at)?;
        match &kept.known {
            Known::Valid(entry) => entry.holds(&self.names.read()).then_some(kept.known),
            Known::Refused(..) | Known::Asked => Some(kept.known),
        }
    }

    /// Keeps what was answered, unless a change overtook it, and says whether it did.
    pub(crate) fn keep(
        &self,
        hash: TokenHash,
        found: &Arc<Found>,
        (beginning, position): (u64, i64),
        max_age: Duration,
        asked_at: Instant,
    ) -> bool {
        let max_age = max_age.min(LONGEST);
        let (renewed_at, is_renewed) = (asked_at + max_age / 2, AtomicBool::new(false));
        let ends_at = asked_at + max_age;
        let entry = Entry { found: Arc::clone(found), beginning, position, ends_at, renewed_at, is_renewed };
        let names = self.names.read();
        let is_kept = names.knows_since(beginning, position) && entry.holds(&names);
        if is_kept {
            let known = Known::Valid(Arc::new(entry));
            self.entries.insert(hash, Kept { known, ends_at });
        }
        is_kept
    }

    /// Keeps that it must be asked about with every use, for a while.
    pub(crate) fn keep_asked(&self, hash: TokenHash, now: Instant) -> Known {
        self.entries.insert(hash, Kept { known: Known::Asked, ends_at: now + LONGEST });
        Known::Asked
    }

    pub(crate) fn keep_refusal(
        &self,
        hash: TokenHash,
        refusal: Refusal,
        body: Option<Arc<[u8]>>,
        now: Instant,
    ) -> Known {
        let known = Known::Refused(refusal, body);
        self.entries.insert(hash, Kept { known: known.clone(), ends_at: now + REFUSED_FOR });
        known
    }

    /// What the same question was answered a moment ago, if that was a refusal.
    pub(crate) fn refused_use(&self, question: &TokenHash, now: Instant) -> Option<Answer> {
        let refused = self.refused.get(question).filter(|refused| now < refused.ends_at)?;
        Some(Answer::refused(refused.refusal, refused.retry_after_seconds))
    }

    pub(crate) fn keep_refused_use(&self, question: TokenHash, answer: &Answer, now: Instant) {
        let Verdict::Refused(refusal) = answer.verdict else { return };
        let retry_after_seconds = answer.retry_after_seconds;
        let is_soon_over = retry_after_seconds.is_some_and(|seconds| seconds <= 1);
        let ends_at = now + if is_soon_over { SOON_OVER } else { REFUSED_FOR };
        self.refused.insert(question, RefusedUse { refusal, retry_after_seconds, ends_at });
    }
}

impl Entry {
    /// Whether it is time, which one is told.
    pub(crate) fn is_to_be_renewed(&self, now: Instant) -> bool {
        now >= self.renewed_at && !self.is_renewed.swap(true, Ordering::Relaxed)
    }

    /// For how long it counts still.
    pub(crate) fn left(&self, now: Instant) -> Duration {
        self.ends_at.saturating_duration_since(now)
    }

    pub(crate) fn may_be_renewed_again(&self) {
        self.is_renewed.store(false, Ordering::Relaxed);
    }

    fn holds(&self, names: &Names) -> bool {
        let concerned = [
            Concerns::Credential(self.found.credential.id),
            Concerns::Principal(self.found.principal.id),
            Concerns::Organization(self.found.organization.id),
        ];
        names.hold(self.beginning, self.position, concerned)
    }
}

#[cfg(test)]
mod tests {
    use claviger_token::{Change, ChangesMessage};

    use super::*;
    use crate::{
        answer::{Answer, a_valid_answer},
        clock::monotonic,
    };

    fn found() -> Arc<Found> {
        Arc::new(Answer::read(a_valid_answer().to_string().as_bytes()).unwrap().found.unwrap())
    }

    fn told(opaque: &Opaque, reset: bool, position: i64, changes: Vec<Change>) {
        let (next, time, more) = (String::new(), None, false);
        let message = ChangesMessage { reset, next, position, age_ms: 0, time, more, changes };
        opaque.names.write().take(&message, monotonic());
    }

    #[test]
    fn an_answer_that_a_change_overtook_is_not_kept() {
        let (opaque, found, hash) = (Opaque::new(10), found(), TokenHash::of("x"));
        let now = monotonic();
        let minute = Duration::from_secs(60);
        let is_known = |at: Instant| matches!(opaque.known(&hash, at), Some(Known::Valid(_)));
        opaque.keep(hash, &found, (0, 9), minute, now);
        assert!(!is_known(now), "before the feed is heard");
        told(&opaque, true, 10, Vec::new());
        let change = Change { sequence: 12, concerns: Concerns::Credential(found.credential.id) };
        told(&opaque, false, 12, vec![change]);
        opaque.keep(hash, &found, (1, 11), minute, now);
        assert!(!is_known(now), "read before the change, and here after it");
        opaque.keep(hash, &found, (1, 12), minute, now);
        assert!(is_known(now) && is_known(now + minute - Duration::from_millis(1)) && !is_known(now + minute));
        told(&opaque, false, 13, vec![Change { sequence: 13, concerns: Concerns::Principal(found.principal.id) }]);
        assert!(!is_known(now));
        opaque.keep(hash, &found, (1, 13), minute * 9, now);
        assert!(is_known(now) && !is_known(now + minute), "whatever the answer says");
        told(&opaque, true, 13, Vec::new());
        assert!(!is_known(now));
    }

    #[test]
    fn a_refusal_is_remembered_for_a_second() {
        let (opaque, hash, now) = (Opaque::new(10), TokenHash::of("x"), monotonic());
        opaque.keep_refusal(hash, Refusal::Unknown, None, now);
        assert!(matches!(opaque.known(&hash, now), Some(Known::Refused(Refusal::Unknown, None))));
        assert!(opaque.known(&hash, now + REFUSED_FOR).is_none());
    }

    #[test]
    fn a_refused_use_is_remembered_for_a_moment_and_a_good_one_is_not() {
        let check = |refusal: Option<Refusal>, retry: Option<u64>, expected: Option<Duration>| {
            let (opaque, question, now) = (Opaque::new(10), TokenHash::of("x"), monotonic());
            let answer = match refusal {
                Some(refusal) => Answer::refused(refusal, retry),
                None => Answer { verdict: Verdict::Valid, ..Answer::refused(Refusal::Unknown, None) },
            };
            opaque.keep_refused_use(question, &answer, now);
            let known = |at| opaque.refused_use(&question, at).map(|answer| answer.retry_after_seconds);
            assert_eq!(known(now), expected.map(|_| retry));
            if let Some(time) = expected {
                assert!(known(now + time - Duration::from_millis(1)).is_some() && known(now + time).is_none());
            }
        };
        check(Some(Refusal::RateLimited), Some(1), Some(SOON_OVER));
        check(Some(Refusal::RateLimited), Some(60), Some(REFUSED_FOR));
        check(Some(Refusal::QuotaExceeded), None, Some(REFUSED_FOR));
        check(None, None, None);
    }

    #[test]
    fn what_is_used_is_renewed_once_halfway_to_its_end() {
        let (opaque, found, hash, now) = (Opaque::new(10), found(), TokenHash::of("x"), monotonic());
        told(&opaque, true, 10, Vec::new());
        assert!(opaque.keep(hash, &found, (1, 10), Duration::from_secs(60), now));
        let Some(Known::Valid(entry)) = opaque.known(&hash, now) else { panic!("not kept") };
        let half = now + Duration::from_secs(30);
        assert!(!entry.is_to_be_renewed(half - Duration::from_millis(1)));
        assert!(entry.is_to_be_renewed(half) && !entry.is_to_be_renewed(half), "one is told");
        assert_eq!(entry.left(half), Duration::from_secs(30));
        entry.may_be_renewed_again();
        assert!(entry.is_to_be_renewed(half));
    }
}
