//! JWTs that are proved here: the keys of the instance, what ended lately, and what was proved before. Both are followed on the public
//! listener. The room must not know what is asked of a token.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use claviger_token::{Found, TokenHash};
use parking_lot::RwLock;
use quick_cache::sync::Cache;
use tokio::{
    sync::{Mutex, Notify},
    time::sleep,
};

use crate::{
    clock::{Clock, Heard, monotonic},
    deny::Ended,
    judge::{NotProved, read_token},
    keeper::Unreachable,
    keys::Keys,
    remote::{LONGEST_PAUSE, Public, Reason, RemoteError, SHORTEST_PAUSE, chance, pause_for},
};

/// After other keys were named they are read at once, and again after these, the last first: the node that is asked may not know of them
/// for a moment.
const READ_KEYS_AGAIN: [Duration; 2] = [Duration::from_millis(1000), Duration::from_millis(300)];

/// How often keys are read again though nothing says that there are others.
const READ_KEYS_EVERY: Duration = Duration::from_secs(60);

/// For how long keys count that could not be read again.
const KEYS_COUNT_FOR: Duration = Duration::from_secs(3600);

/// How long whoever presents an unknown key waits for the next reading of keys at most: nobody can make us ask more often.
const KEYS_PAUSE: Duration = Duration::from_secs(5);

/// Between two questions what ended: at least this after news, and this after an answer without them that came at once, with as much
/// again by chance.
const AFTER_NEWS: Duration = Duration::from_millis(100);
const AFTER_NOTHING: Duration = Duration::from_millis(500);

pub(crate) struct Tokens {
    issuer: String,
    without_feed: Duration,
    remote: Public,
    clock: Arc<Clock>,
    other_keys: Arc<Notify>,
    keys: RwLock<Arc<Keys>>,
    keys_heard: Heard,
    /// Held by whoever reads keys, with when that was done last.
    reading_keys: Mutex<Option<Instant>>,
    ended: RwLock<Arc<Ended>>,
    ended_heard: Heard,
    proven: Cache<TokenHash, Proven>,
}

/// A token that keys proved, and counts only as long as those are the instance's.
#[derive(Clone)]
struct Proven {
    found: Arc<Found>,
    keys: Arc<Keys>,
}

/// What a token says, or why it says nothing; and what ended.
pub(crate) type Read = Result<(Arc<Found>, Arc<Ended>), NotProved>;

impl Tokens {
    pub(crate) fn new(
        (issuer, without_feed, entries): (String, Duration, usize),
        remote: Public,
        clock: Arc<Clock>,
        other_keys: Arc<Notify>,
    ) -> Self {
        Self {
            issuer,
            without_feed,
            remote,
            clock,
            other_keys,
            keys: RwLock::default(),
            keys_heard: Heard::never(),
            reading_keys: Mutex::default(),
            ended: RwLock::default(),
            ended_heard: Heard::never(),
            proven: Cache::new(entries),
        }
    }

    /// Whether both are known right now.
    pub(crate) fn is_followed(&self) -> bool {
        !self.keys.read().is_empty() && self.ended_heard.within(self.without_feed)
    }

    pub(crate) async fn read(&self, hash: TokenHash, token: &str) -> Result<Read, Unreachable> {
        let now = monotonic();
        if !self.ended_heard.within_at(self.without_feed, now) || !self.keys_heard.within_at(KEYS_COUNT_FOR, now) {
            return Err(Unreachable);
        }
        let keys = Arc::clone(&self.keys.read());
        let known = self.proven.get(&hash).filter(|proven| Arc::ptr_eq(&proven.keys, &keys));
        let found = match known {
            Some(proven) => proven.found,
            None => match self.prove(token).await {
                Ok(proven) => {
                    let found = Arc::clone(&proven.found);
                    self.proven.insert(hash, proven);
                    found
                }
                // While keys cannot be read, one that is not known may be new.
                Err(NotProved::UnknownKey) if !self.keys_heard.within(READ_KEYS_EVERY * 2) => return Err(Unreachable),
                Err(error) => return Ok(Err(error)),
            },
        };
        Ok(Ok((found, Arc::clone(&self.ended.read()))))
    }

    /// A token of a key that is not known may be of one that is new.
    async fn prove(&self, token: &str) -> Result<Proven, NotProved> {
        let read = || {
            let keys = Arc::clone(&self.keys.read());
            let found = read_token(token, &keys, &self.issuer, self.clock.now())?;
            Ok(Proven { found: Arc::new(found), keys })
        };
        match read() {
            Err(NotProved::UnknownKey) if self.read_keys(KEYS_PAUSE).await.is_ok() => read(),
            done => done,
        }
    }

    /// Reads the keys, unless that was done within `pause`.
    async fn read_keys(&self, pause: Duration) -> Result<(), RemoteError> {
        let mut last = self.reading_keys.lock().await;
        if last.is_some_and(|at| at.elapsed() < pause) {
            return Ok(());
        }
        let document = self.remote.keys().await;
        // Also after an error: whoever asks again at once gets the same.
        *last = Some(monotonic());
        let document = document?;
        let keys = Keys::read(&document.text.unwrap_or_default()).map_err(|_| RemoteError::Content)?;
        let mut known = self.keys.write();
        if !known.are(&keys) {
            // What was proved by others is proved anew.
            *known = Arc::new(keys);
        }
        drop(known);
        self.keys_heard.now();
        Ok(())
    }

    pub(crate) async fn follow_keys(self: Arc<Self>) {
        let (mut pause, mut again, reason) = (SHORTEST_PAUSE, Vec::new(), Reason::default());
        loop {
            let read = self.read_keys(Duration::ZERO).await;
            if reason.is_new(&read) {
                tracing::warn!(
                    error = read.as_ref().err().map(tracing::field::display),
                    "the keys of the instance could not be read"
                );
            }
            match read {
                Ok(()) => {
                    pause = SHORTEST_PAUSE;
                    let next = again.pop().unwrap_or(READ_KEYS_EVERY);
                    tokio::select! {
                        () = sleep(next) => {}
                        () = self.other_keys.notified() => again = READ_KEYS_AGAIN.to_vec(),
                    }
                }
                Err(_) => {
                    pause_for(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    pub(crate) async fn follow_ended(self: Arc<Self>) {
        let (mut tag, mut pause, reason) = (None::<String>, SHORTEST_PAUSE, Reason::default());
        loop {
            let began = monotonic();
            let heard = self.hear_of_ended(&mut tag).await;
            if reason.is_new(&heard) {
                tracing::warn!(
                    error = heard.as_ref().err().map(tracing::field::display),
                    "the feed of what ended could not be read"
                );
            }
            match heard {
                Ok(is_news) => {
                    pause = SHORTEST_PAUSE;
                    sleep(pause_after(is_news, began.elapsed(), chance())).await;
                }
                Err(_) => {
                    pause_for(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    async fn hear_of_ended(&self, tag: &mut Option<String>) -> Result<bool, RemoteError> {
        let document = self.remote.ended(tag.as_deref()).await?;
        let is_news = document.text.is_some() && (document.tag.is_none() || document.tag != *tag);
        if let Some(text) = document.text {
            let text = String::from_utf8(text).map_err(|_| RemoteError::Content)?;
            let read = || {
                let keys = Arc::clone(&self.keys.read());
                Ended::read(&text, &keys, &self.issuer, self.clock.now())
            };
            let ended = match read() {
                Err(NotProved::UnknownKey) => {
                    self.read_keys(KEYS_PAUSE).await?;
                    read()
                }
                done => done,
            };
            let ended = ended.map_err(|_| RemoteError::Content)?;
            let known = Arc::clone(&self.ended.read());
            *self.ended.write() = Arc::new(known.followed_by(ended, self.clock.now()));
        }
        *tag = document.tag;
        self.ended_heard.now();
        Ok(is_news)
    }
}

/// How long to wait before it is asked again what ended.
fn pause_after(news: bool, took: Duration, chance: f64) -> Duration {
    if news { AFTER_NEWS } else { AFTER_NOTHING.mul_f64(1.0 + chance.clamp(0.0, 1.0)).saturating_sub(took) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_answers_at_once_is_not_asked_again_at_once() {
        let check = |news: bool, took: u64, chance: f64, expected: u64| {
            let pause = pause_after(news, Duration::from_millis(took), chance);
            assert_eq!(pause, Duration::from_millis(expected), "{news} {took} {chance}");
        };
        check(true, 0, 0.5, 100);
        check(true, 5000, 0.0, 100);
        check(false, 0, 0.0, 500);
        check(false, 0, 1.0, 1000);
        check(false, 300, 0.0, 200);
        check(false, 5000, 1.0, 0);
        assert!((0.0..=1.0).contains(&chance()));
    }
}
