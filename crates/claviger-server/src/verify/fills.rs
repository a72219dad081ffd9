//! Reads that many wait for at once: whoever misses something first reads it for all of them.
//!
//! The room must not know what is read, nor how long that counts.

use std::{collections::HashMap, hash::Hash, io, sync::Arc};

use claviger_store::{Changes, Mark, StoreError};
use parking_lot::Mutex;
use tokio::sync::OnceCell;

/// What is being read right now, by what it is kept under.
pub(super) struct Fills<K: Copy + Eq + Hash, V>(Mutex<HashMap<K, Arc<Fill<V>>>>);

/// A read that is shared: what was found and where in the changes the read began; `None` if it failed.
type Fill<V> = OnceCell<Option<(Mark, V)>>;

impl<K: Copy + Eq + Hash, V> Default for Fills<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

/// Somebody's part in a shared read.
pub(super) struct Joined<'a, K: Copy + Eq + Hash, V> {
    fills: &'a Fills<K, V>,
    key: K,
    pub(super) fill: Arc<Fill<V>>,
}

impl<K: Copy + Eq + Hash, V> Drop for Joined<'_, K, V> {
    /// A read that has ended is nobody's any more; one whose reader went away belongs to those who still wait.
    fn drop(&mut self) {
        let mut fills = self.fills.0.lock();
        let is_last = self.fill.initialized() || Arc::strong_count(&self.fill) == 2;
        if is_last && fills.get(&self.key).is_some_and(|fill| Arc::ptr_eq(fill, &self.fill)) {
            fills.remove(&self.key);
        }
    }
}

impl<K: Copy + Eq + Hash, V: Clone> Fills<K, V> {
    /// Takes part in a read that is under way, or begins one.
    pub(super) fn join(&self, key: K) -> Joined<'_, K, V> {
        let fill = Arc::clone(self.0.lock().entry(key).or_default());
        Joined { fills: self, key, fill }
    }

    /// Reads, or waits for somebody who reads it already. What was read before this began counts only if nothing of it was
    /// named since: a change that was acknowledged before is seen.
    pub(super) async fn read_together<R: Future<Output = Result<V, StoreError>>>(
        &self,
        key: K,
        changes: &Changes,
        holds: impl Fn(&V) -> bool,
        read: impl Fn() -> R,
    ) -> Result<V, StoreError> {
        let began = changes.mark();
        loop {
            let joined = self.join(key);
            let mut failure = None;
            let done = joined.fill.get_or_init(async || {
                let mark = changes.mark();
                let done = read().await.map_err(|error| failure = Some(error));
                done.ok().map(|found| (mark, found))
            });
            match done.await {
                Some((mark, found)) if *mark >= began || holds(found) => return Ok(found.clone()),
                Some(_) => {}
                None => {
                    let shared =
                        || StoreError::Unavailable(io::Error::other("the read that others began failed").into());
                    return Err(failure.unwrap_or_else(shared));
                }
            }
        }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }
}
