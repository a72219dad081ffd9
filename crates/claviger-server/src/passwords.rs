//! Hashing passwords beside the requests: few at a time, each on a thread that may take its time.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use claviger_core::{Password, PasswordHash};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
};

use crate::app::App;

/// Each takes 19 MiB and a core for some 20 ms; verifications go on beside them.
const AT_ONCE: usize = 2;

/// Who comes after so many is told to come back.
const MOST_WAITING: usize = 64;

/// The places in which passwords are hashed.
pub(crate) struct Passwords {
    places: Arc<Semaphore>,
    waiting: AtomicUsize,
}

/// Too many wait already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Busy;

impl Default for Passwords {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(AT_ONCE)), waiting: AtomicUsize::new(0) }
    }
}

impl Passwords {
    async fn place(&self) -> Result<OwnedSemaphorePermit, Busy> {
        let waiting = Waiting::among(&self.waiting);
        if waiting.before > MOST_WAITING {
            return Err(Busy);
        }
        Arc::clone(&self.places).acquire_owned().await.map_err(|_| Busy)
    }
}

/// Counts as waiting until dropped, also when the request goes away.
struct Waiting<'a> {
    count: &'a AtomicUsize,
    before: usize,
}

impl<'a> Waiting<'a> {
    fn among(count: &'a AtomicUsize) -> Self {
        Self { count, before: count.fetch_add(1, Ordering::Relaxed) }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}

impl App {
    /// Whether the password is the one of which `kept` was kept. Takes as long if nothing was.
    pub(crate) async fn password_matches(&self, given: Password, kept: Option<PasswordHash>) -> Result<bool, Busy> {
        let place = self.passwords.place().await?;
        let compared = spawn_blocking(move || {
            let _place = place;
            given.matches(kept.as_ref())
        });
        compared.await.map_err(|_| Busy)
    }

    /// What to keep of a password.
    pub(crate) async fn password_hash(&self, chosen: Password) -> Result<PasswordHash, Busy> {
        let (place, mut rng) = (self.passwords.place().await?, self.rng());
        let hashed = spawn_blocking(move || {
            let _place = place;
            chosen.hash(&mut rng)
        });
        hashed.await.map_err(|_| Busy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_comes_after_too_many_is_told_so_and_places_come_back() {
        let passwords = Arc::new(Passwords::default());
        let held = [passwords.place().await.unwrap(), passwords.place().await.unwrap()];
        let wait = |passwords: Arc<Passwords>| tokio::spawn(async move { passwords.place().await.map(drop) });
        let waiting: Vec<_> = (0..=MOST_WAITING).map(|_| wait(Arc::clone(&passwords))).collect();
        while passwords.waiting.load(Ordering::Relaxed) <= MOST_WAITING {
            tokio::task::yield_now().await;
        }
        assert_eq!(passwords.place().await.map(drop), Err(Busy));
        drop(held);
        for one in waiting {
            assert_eq!(one.await.unwrap(), Ok(()));
        }
        assert_eq!(passwords.place().await.map(drop), Ok(()));
    }
}
