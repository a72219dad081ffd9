//! The count of one quota, and how counts reach the database: all together, within a second, off the path of a request.
//! What a crash loses is what was counted since.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use claviger_store::{Flush, QuotaUses, Store, StoreError};
use jiff::Timestamp;
use parking_lot::Mutex;
use rand::CryptoRng;

use crate::app::App;

/// Quotas per transaction.
const CHUNK: usize = 500;

/// How many periods are remembered: this one and the last, and as many again for a clock that jumps, or a quota per day that
/// becomes one per month.
const MOST_PERIODS: usize = 4;

/// How much of a quota is used, as far as this node knows, by the start of the period.
#[derive(Debug, Default)]
pub(crate) struct Count {
    periods: BTreeMap<Timestamp, Uses>,
    queued: bool,
}

#[derive(Debug, Default)]
struct Uses {
    /// What the database holds, from all nodes.
    written: u64,
    /// What it does not hold yet.
    unwritten: u64,
    /// Whether some of that is on its way there, or perhaps arrived. What is read meanwhile may hold it already.
    writing: bool,
}

impl Count {
    /// What is used in this period.
    pub(super) fn used(&mut self, period: Timestamp) -> u64 {
        let uses = self.uses(period);
        uses.written.saturating_add(uses.unwritten)
    }

    /// Counts in this period.
    pub(super) fn spend(&mut self, period: Timestamp, cost: u32) {
        self.uses(period).unwritten += u64::from(cost);
    }

    /// What the database held of a period when it was read.
    pub(super) fn learn(&mut self, period: Timestamp, used: u64) {
        let uses = self.uses(period);
        if !uses.writing {
            uses.written = uses.written.max(used);
        }
    }

    /// Counts what was allowed where all nodes count, which said what is used with it. Answers come in any order: a later one may have told of
    /// this use already, and it is not counted twice.
    pub(super) fn spend_told(&mut self, period: Timestamp, cost: u32, told: u64) {
        let known = self.used(period);
        let uses = self.uses(period);
        uses.unwritten += u64::from(cost);
        uses.written = known.max(told).saturating_sub(uses.unwritten);
    }

    /// What is used of a period as somebody counted who knows better, whatever the database holds of it yet.
    pub(super) fn be_at_least(&mut self, period: Timestamp, used: u64) {
        let known = self.used(period);
        self.uses(period).written += used.saturating_sub(known);
    }

    pub(super) fn has_unwritten(&self) -> bool {
        self.periods.values().any(|uses| uses.unwritten > 0)
    }

    /// Whether there is something to write that is not queued yet; it is from now on.
    pub(super) fn must_be_queued(&mut self) -> bool {
        self.has_unwritten() && !std::mem::replace(&mut self.queued, true)
    }

    /// What is to be written; it is on its way from now on.
    fn begin_writing(&mut self) -> Vec<(Timestamp, u64)> {
        self.queued = false;
        let unwritten = self.periods.iter_mut().filter(|(_, uses)| uses.unwritten > 0);
        let begin = |(period, uses): (&Timestamp, &mut Uses)| {
            uses.writing = true;
            (*period, uses.unwritten)
        };
        unwritten.map(begin).collect()
    }

    /// The database holds `used` more of a period now, and `total` in all.
    fn wrote(&mut self, period: Timestamp, used: u64, total: u64) {
        let uses = self.uses(period);
        uses.writing = false;
        uses.unwritten = uses.unwritten.saturating_sub(used);
        uses.written = uses.written.saturating_add(used).max(total);
    }

    fn uses(&mut self, period: Timestamp) -> &mut Uses {
        if !self.periods.contains_key(&period) && self.periods.len() >= MOST_PERIODS {
            // The oldest go first; what is not written stays.
            let old =
                self.periods.iter().find(|(_, uses)| uses.unwritten == 0 && !uses.writing).map(|(start, _)| *start);
            old.map(|start| self.periods.remove(&start));
        }
        self.periods.entry(period).or_default()
    }
}

/// What is on its way to the database: whoever does not know whether it arrived sends the same again.
#[derive(Default)]
pub(super) struct Writing {
    flush: Flush,
    uses: QuotaUses,
    counts: HashMap<String, Arc<Mutex<Count>>>,
}

impl Writing {
    fn begin(&mut self, counts: HashMap<String, Arc<Mutex<Count>>>, now: Timestamp, rng: &mut (dyn CryptoRng + Send)) {
        self.flush.advance(now, rng);
        for (holder, count) in &counts {
            let begun = count.lock().begin_writing();
            self.uses.extend(begun.into_iter().map(|(period, used)| ((holder.clone(), period), used)));
        }
        self.counts = counts;
    }

    async fn write(&mut self, store: &Store) -> Result<(), StoreError> {
        for (key, total) in store.add_quota_uses(&self.flush, &self.uses).await? {
            if let (Some(count), Some(used)) = (self.counts.get(&key.0), self.uses.get(&key)) {
                count.lock().wrote(key.1, *used, total);
            }
        }
        self.uses.clear();
        self.counts.clear();
        Ok(())
    }
}

impl App {
    /// Writes what was used of quotas, and learns what other nodes wrote. What cannot be written is kept for the next time.
    pub(crate) async fn flush_quotas(&self) -> Result<(), StoreError> {
        let mut writing = self.limiter.writing.lock().await;
        // What is perhaps not written goes first.
        writing.write(&self.store).await?;
        let mut queued = std::mem::take(&mut *self.limiter.unwritten.lock());
        while !queued.is_empty() {
            writing.begin(queued.drain(..queued.len().min(CHUNK)).collect(), self.now(), &mut self.rng());
            if let Err(error) = writing.write(&self.store).await {
                self.limiter.unwritten.lock().extend(queued);
                return Err(error);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::{app::tests::app, jobs};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_new_period_begins_at_nothing_and_the_rest_of_the_old_is_still_written() {
        let mut count = Count::default();
        count.spend(at(0), 3);
        assert_eq!((count.used(at(0)), count.used(at(100))), (3, 0));
        count.spend(at(100), 1);
        assert_eq!(count.begin_writing(), [(at(0), 3), (at(100), 1)]);
        count.wrote(at(0), 3, 3);
        count.wrote(at(100), 1, 5);
        assert_eq!((count.used(at(100)), count.has_unwritten()), (5, false));
    }

    #[test]
    fn a_clock_that_jumps_counts_where_it_says_and_finds_the_old_count_when_it_is_back() {
        let mut count = Count::default();
        count.learn(at(100), 7);
        count.spend(at(100), 1);
        count.spend(at(9_999), 5);
        assert_eq!((count.used(at(0)), count.used(at(100)), count.used(at(9_999))), (0, 8, 5));
        for period in 200..300 {
            count.used(at(period));
        }
        assert!(count.periods.len() <= MOST_PERIODS, "{count:?}");
        assert_eq!((count.used(at(100)), count.used(at(9_999))), (8, 5));
    }

    #[test]
    fn what_is_counted_while_it_is_written_is_not_lost_and_not_counted_twice() {
        let mut count = Count::default();
        count.learn(at(0), 10);
        count.spend(at(0), 2);
        assert!(count.must_be_queued() && !count.must_be_queued());
        assert_eq!(count.begin_writing(), [(at(0), 2)]);
        count.spend(at(0), 5);
        count.learn(at(0), 12); // read after the commit, and before its answer
        assert_eq!(count.used(at(0)), 17);
        count.wrote(at(0), 2, 12);
        assert_eq!((count.used(at(0)), count.has_unwritten()), (17, true));
        count.learn(at(0), 11); // read before the write, and arrived after it
        assert_eq!(count.used(at(0)), 17);
    }

    #[tokio::test]
    async fn what_is_perhaps_written_is_sent_again_as_it_was() {
        let (app, _directory) = app().await;
        let count = Arc::new(Mutex::new(Count::default()));
        let spend = |cost| {
            count.lock().spend(at(0), cost);
            if count.lock().must_be_queued() {
                app.limiter.unwritten.lock().push(("key_a".to_owned(), Arc::clone(&count)));
            }
        };
        let stored = async || app.store.quotas_used(&[("key_a", at(0))]).await.unwrap().into_values().sum::<u64>();
        spend(2);
        let queued = std::mem::take(&mut *app.limiter.unwritten.lock());
        {
            let mut writing = app.limiter.writing.lock().await;
            writing.begin(queued.into_iter().collect(), app.now(), &mut app.rng());
            // It is written, and nobody is told; somebody who reads it counts it once.
            app.store.add_quota_uses(&writing.flush, &writing.uses).await.unwrap();
        }
        let known = stored().await;
        count.lock().learn(at(0), known);
        spend(5);
        assert_eq!(count.lock().used(at(0)), 7);
        app.flush_quotas().await.unwrap();
        assert_eq!((stored().await, count.lock().used(at(0))), (7, 7));
        assert!(!count.lock().has_unwritten());

        // Whoever stops writes what there is, and waits for no usage.
        spend(3);
        let stopped = CancellationToken::new();
        stopped.cancel();
        jobs::flush_quotas(app.clone(), stopped).await;
        assert_eq!((stored().await, count.lock().used(at(0))), (10, 10));

        // What certainly is not waits for the next time.
        spend(1);
        app.store.database().close().await;
        for _ in 0..2 {
            assert!(app.flush_quotas().await.is_err());
            spend(1);
        }
        assert_eq!((count.lock().used(at(0)), app.limiter.unwritten.lock().len()), (13, 1));
        assert_eq!(app.limiter.writing.lock().await.uses.values().sum::<u64>(), 1);
    }

    #[test]
    fn answers_that_come_out_of_order_are_counted_once() {
        let mut count = Count::default();
        count.spend_told(at(0), 1, 7); // another node counted five, and the next answer is late
        assert_eq!(count.used(at(0)), 7);
        count.spend_told(at(0), 1, 6);
        assert_eq!((count.used(at(0)), count.begin_writing()), (7, vec![(at(0), 2)]));
        count.spend_told(at(0), 2, 9);
        assert_eq!(count.used(at(0)), 9);
        count.wrote(at(0), 2, 7);
        assert_eq!((count.used(at(0)), count.begin_writing()), (9, vec![(at(0), 2)]));
    }

    #[test]
    fn what_others_counted_is_known_before_they_write_it() {
        let mut count = Count::default();
        count.be_at_least(at(0), 20);
        count.spend(at(0), 5);
        assert_eq!(count.used(at(0)), 25);
        count.be_at_least(at(0), 24);
        count.begin_writing();
        count.wrote(at(0), 5, 5);
        assert_eq!(count.used(at(0)), 25);
    }
}
