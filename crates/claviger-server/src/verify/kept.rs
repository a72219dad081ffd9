//! Answers that are kept as they were written, for entries that are used again and again: those of the last so many entries, whatever
//! the number of entries and however often one's answer is written anew.
//!
//! The room must not know what an answer says, nor for how long it is true: that is asked of whoever wrote it.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use parking_lot::Mutex;

/// How many of a kind: each takes about a kilobyte, and as much at most as a request or an answer may have.
const MOST: usize = 10_000;

/// All answers of one kind that are kept, the oldest first.
pub(super) struct Kept<T>(Mutex<VecDeque<Arc<Slot<T>>>>);

/// Where an entry's answer is kept: a new one takes the place of the one before.
type Slot<T> = Mutex<Arc<T>>;

/// An entry's own answer, while it is kept.
pub(super) struct Own<T> {
    was_asked: AtomicBool,
    slot: Mutex<Weak<Slot<T>>>,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Default for Own<T> {
    fn default() -> Self {
        Self { was_asked: AtomicBool::new(false), slot: Mutex::default() }
    }
}

impl<T> Own<T> {
    /// The kept answer, if it `holds`; else a new one, which may have parts of that before. Who asks for the first time may never ask again: what is written
    /// then is not kept.
    pub(super) fn answer(
        &self,
        kept: &Kept<T>,
        holds: impl FnOnce(&T) -> bool,
        write: impl FnOnce(Option<&T>) -> Option<T>,
    ) -> Option<Arc<T>> {
        let slot = self.slot.lock().upgrade();
        let known = slot.as_ref().map(|slot| Arc::clone(&slot.lock()));
        if let Some(answer) = known.as_ref().filter(|answer| holds(answer)) {
            return Some(Arc::clone(answer));
        }
        let answer = Arc::new(write(known.as_deref())?);
        match slot {
            Some(slot) => *slot.lock() = Arc::clone(&answer),
            None if self.was_asked.swap(true, Ordering::Relaxed) => {
                let slot = Arc::new(Mutex::new(Arc::clone(&answer)));
                *self.slot.lock() = Arc::downgrade(&slot);
                kept.keep(slot);
            }
            None => {}
        }
        Some(answer)
    }
}

impl<T> Kept<T> {
    fn keep(&self, slot: Arc<Slot<T>>) {
        let mut slots = self.0.lock();
        if slots.len() == MOST {
            slots.pop_front();
        }
        slots.push_back(slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(own: &Own<u32>, kept: &Kept<u32>, written: u32) -> u32 {
        *own.answer(kept, |answer| *answer < 100, |_| Some(written)).unwrap()
    }

    #[test]
    fn an_answer_is_kept_from_the_second_time_on() {
        let (kept, own) = (Kept::default(), Own::default());
        assert_eq!(ask(&own, &kept, 1), 1);
        assert!(kept.0.lock().is_empty());
        assert_eq!(ask(&own, &kept, 2), 2);
        assert_eq!(ask(&own, &kept, 3), 2);
    }

    #[test]
    fn an_answer_that_does_not_hold_is_written_again() {
        let (kept, own) = (Kept::default(), Own::default());
        let asked = [1, 100, 2, 3].map(|written| ask(&own, &kept, written));
        assert_eq!(asked, [1, 100, 2, 2]);
    }

    #[test]
    fn a_new_answer_takes_the_place_of_the_one_before() {
        let (kept, own) = (Kept::default(), Own::default());
        for _ in 0..9 {
            ask(&own, &kept, 100);
        }
        assert_eq!(kept.0.lock().len(), 1);
        let sum = own.answer(&kept, |answer| *answer < 100, |before| Some(before? - 1));
        assert_eq!(sum.as_deref(), Some(&99));
    }

    #[test]
    fn the_newest_answers_are_kept() {
        let kept = Kept::default();
        let entries: Vec<Own<u32>> = (0..=MOST).map(|_| Own::default()).collect();
        for written in [1, 1, 2] {
            for own in &entries {
                ask(own, &kept, written);
            }
        }
        // The last round found each one just pushed out by the one before.
        assert_eq!(kept.0.lock().len(), MOST);
        assert_eq!(ask(&entries[MOST], &kept, 3), 2);
        assert_eq!(ask(&entries[0], &kept, 3), 3);
    }
}
