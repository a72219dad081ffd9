//! The count of one quota, and how counts reach the database: all together, twice a second, off the path of a request.
//! What a crash loses is what was counted since.

use std::collections::BTreeMap;

use claviger_store::{QuotaUses, StoreError};
use jiff::Timestamp;

use crate::app::App;

/// Quotas per transaction.
const CHUNK: usize = 500;

/// How much of a quota is used, as far as this node knows.
#[derive(Debug)]
pub(crate) struct Count {
    /// The start of the period that is counted.
    period: Timestamp,
    /// What the database holds of it, from all nodes.
    written: u64,
    /// What it does not hold yet, by period.
    unwritten: BTreeMap<Timestamp, u64>,
    queued: bool,
}

impl Default for Count {
    fn default() -> Self {
        Self { period: Timestamp::MIN, written: 0, unwritten: BTreeMap::new(), queued: false }
    }
}

impl Count {
    /// What is used in this period. A clock that went back does not bring back the quota of an earlier one.
    pub(super) fn used(&mut self, period: Timestamp) -> u64 {
        if period > self.period {
            (self.period, self.written) = (period, 0);
        }
        self.written.saturating_add(self.unwritten.get(&self.period).copied().unwrap_or(0))
    }

    /// Counts in the period that was asked about last.
    pub(super) fn spend(&mut self, cost: u32) {
        if cost > 0 {
            *self.unwritten.entry(self.period).or_default() += u64::from(cost);
        }
    }

    /// What the database holds of a period.
    pub(super) fn learn(&mut self, period: Timestamp, used: u64) {
        self.used(period);
        if period == self.period {
            self.written = self.written.max(used);
        }
    }

    pub(super) fn has_unwritten(&self) -> bool {
        !self.unwritten.is_empty()
    }

    /// Whether there is something to write that is not queued yet; it is from now on.
    pub(super) fn must_be_queued(&mut self) -> bool {
        self.has_unwritten() && !std::mem::replace(&mut self.queued, true)
    }

    /// The database holds `uses` more of a period now, and `total` in all.
    fn wrote(&mut self, period: Timestamp, uses: u64, total: u64) {
        if let Some(unwritten) = self.unwritten.get_mut(&period) {
            *unwritten -= uses.min(*unwritten);
            if *unwritten == 0 {
                self.unwritten.remove(&period);
            }
        }
        if period == self.period {
            self.written = self.written.saturating_add(uses);
        }
        self.learn(period, total);
    }

    /// What is used of a period as somebody counted who knows better, whatever the database holds of it yet.
    pub(super) fn be_at_least(&mut self, period: Timestamp, used: u64) {
        let known = self.used(period);
        if period == self.period {
            self.written += used.saturating_sub(known);
        }
    }
}

impl App {
    /// Writes what was used of quotas, and learns what other nodes wrote. What cannot be written is kept for the next time.
    pub(crate) async fn flush_quotas(&self) -> Result<(), StoreError> {
        let mut queued = std::mem::take(&mut *self.limiter.unwritten.lock());
        while !queued.is_empty() {
            let chunk: Vec<_> = queued.drain(..queued.len().min(CHUNK)).collect();
            let mut uses = QuotaUses::new();
            for (holder, count) in &chunk {
                let mut count = count.lock();
                count.queued = false;
                uses.extend(count.unwritten.iter().map(|(period, used)| ((holder.clone(), *period), *used)));
            }
            let totals = match self.store.add_quota_uses(&uses).await {
                Ok(totals) => totals,
                Err(error) => {
                    let mut waiting = self.limiter.unwritten.lock();
                    waiting.extend(chunk.into_iter().filter(|(_, count)| count.lock().must_be_queued()));
                    waiting.extend(queued);
                    return Err(error);
                }
            };
            for (holder, count) in chunk {
                let own = totals.iter().filter(|((other, _), _)| *other == holder);
                for (key, total) in own {
                    count.lock().wrote(key.1, uses.get(key).copied().unwrap_or(0), *total);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_new_period_begins_at_nothing_and_the_rest_of_the_old_is_still_written() {
        let mut count = Count::default();
        assert_eq!(count.used(at(0)), 0);
        count.spend(3);
        assert_eq!(count.used(at(0)), 3);
        assert_eq!(count.used(at(100)), 0);
        count.spend(1);
        assert_eq!(count.unwritten, BTreeMap::from([(at(0), 3), (at(100), 1)]));
        count.wrote(at(0), 3, 3);
        count.wrote(at(100), 1, 5);
        assert_eq!((count.used(at(100)), count.has_unwritten()), (5, false));
    }

    #[test]
    fn a_clock_that_jumps_back_brings_no_quota_back() {
        let mut count = Count::default();
        count.learn(at(100), 7);
        count.spend(1);
        assert_eq!(count.used(at(0)), 8);
        count.learn(at(0), 1_000);
        assert_eq!(count.used(at(100)), 8);
    }

    #[test]
    fn what_is_counted_while_it_is_written_is_not_lost() {
        let mut count = Count::default();
        count.learn(at(0), 10);
        count.spend(2);
        assert!(count.must_be_queued() && !count.must_be_queued());
        count.spend(5);
        count.wrote(at(0), 2, 12);
        assert_eq!((count.used(at(0)), count.has_unwritten()), (17, true));
        count.learn(at(0), 11); // read before the write, and arrived after it
        assert_eq!(count.used(at(0)), 17);
    }

    #[test]
    fn what_others_counted_is_known_before_they_write_it() {
        let mut count = Count::default();
        count.be_at_least(at(0), 20);
        count.spend(5);
        assert_eq!(count.used(at(0)), 25);
        count.be_at_least(at(0), 24);
        count.wrote(at(0), 5, 5);
        assert_eq!(count.used(at(0)), 25);
    }
}
