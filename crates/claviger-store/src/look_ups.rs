//! Look-ups that come at once are read together: whoever has the turn reads for all who wait.
//!
//! There are few turns, so that a flood of unknown digests queues here, each statement answering many, instead of taking
//! the machine from those who need no look-up. A turn that found next to nothing rests before the next one, for the same
//! reason. Nobody is refused for the queue's length, only when the database lets nobody through in time. What is read stands
//! in `found.rs` and `access_token.rs`.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    io,
    sync::Arc,
    time::Duration,
};

use claviger_core::Digest;
use claviger_token::AccessTokenClaims;
use parking_lot::Mutex;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    time::{sleep, timeout},
};

use crate::{
    Store,
    dialect::READ_PATIENCE,
    error::StoreError,
    found::{FoundSecret, SERVICE_ACCOUNTS, Secret, USERS},
    writer::{for_all, settle},
};

/// How many digests a statement has. There are few kinds, so that all stay prepared.
const SIZES: [usize; 4] = [1, 4, 16, MOST];
const MOST: usize = 64;

/// How long a turn rests when most of what it looked for is nobody's. Whoever asked has the answer by then, and as many as come
/// meanwhile are read by one statement.
const REST: Duration = Duration::from_millis(2);

type Answer<T> = Result<Option<T>, StoreError>;

/// What a statement found, by digest. One that is damaged takes nothing from the others.
pub(crate) type Read<T> = Result<HashMap<Secret, Result<T, StoreError>>, StoreError>;

/// Somebody who waits, and for what.
type Waiting<T> = (Secret, oneshot::Sender<Answer<T>>);

/// Those who wait for what stands behind digests of one kind, and the turns.
#[derive(Debug)]
pub(crate) struct LookUps<T> {
    waiting: Mutex<VecDeque<Waiting<T>>>,
    turns: Arc<Semaphore>,
}

impl<T> LookUps<T> {
    /// With so many turns at once.
    pub(crate) fn new(turns: usize) -> Self {
        Self { waiting: Mutex::default(), turns: Arc::new(Semaphore::new(turns)) }
    }

    fn enter(&self, secret: Secret) -> oneshot::Receiver<Answer<T>> {
        let (sender, receiver) = oneshot::channel();
        self.waiting.lock().push_back((secret, sender));
        receiver
    }

    /// Takes back what nobody reads yet. Others who wait for the same enter again.
    fn leave(&self, secret: Secret) -> bool {
        let mut waiting = self.waiting.lock();
        let before = waiting.len();
        waiting.retain(|(other, _)| *other != secret);
        waiting.len() < before
    }

    /// Those who have waited longest, and are still there.
    fn next(&self) -> Vec<Waiting<T>> {
        let mut waiting = self.waiting.lock();
        let many = waiting.len().min(MOST);
        waiting.drain(..many).filter(|(_, sender)| !sender.is_closed()).collect()
    }
}

impl Store {
    /// The API key behind a digest.
    pub async fn find_api_key(&self, digest: &Digest) -> Answer<FoundSecret> {
        self.service_accounts.find(digest, |secrets| self.read_secrets(&SERVICE_ACCOUNTS, secrets)).await
    }

    /// The client secret behind a digest.
    pub async fn find_client_secret(&self, digest: &Digest) -> Answer<FoundSecret> {
        self.find_api_key(digest).await
    }

    /// The personal access token behind a digest.
    pub async fn find_personal_access_token(&self, digest: &Digest) -> Answer<FoundSecret> {
        self.users.find(digest, |secrets| self.read_secrets(&USERS, secrets)).await
    }

    /// What the opaque access token behind a digest says.
    pub async fn find_access_token(&self, digest: &Digest) -> Answer<AccessTokenClaims> {
        self.access_tokens.find(digest, |secrets| self.read_access_tokens(secrets)).await
    }
}

impl<T> LookUps<T> {
    /// The read begins after this call did, whoever does it, so that it sees every change that was committed before.
    async fn find<R: Future<Output = Read<T>>>(&self, digest: &Digest, read: impl Fn(Vec<Secret>) -> R) -> Answer<T> {
        // Before the queue: nobody else waits for what we have seen.
        settle().await?;
        let mut answer = self.enter(digest.bytes);
        loop {
            tokio::select! {
                biased;
                answered = &mut answer => match answered {
                    Ok(answer) => return answer,
                    // Whoever read for us went away.
                    Err(_) => answer = self.enter(digest.bytes),
                },
                turn = timeout(READ_PATIENCE, Arc::clone(&self.turns).acquire_owned()) => match turn {
                    Ok(turn) => {
                        if self.answer_next(&read).await == Found::Few {
                            rest(turn.ok());
                        }
                    }
                    Err(_) if self.leave(digest.bytes) => return Err(sqlx::Error::PoolTimedOut.into()),
                    // Somebody reads for us already.
                    Err(_) => {}
                },
            }
        }
    }

    async fn answer_next<R: Future<Output = Read<T>>>(&self, read: impl Fn(Vec<Secret>) -> R) -> Found {
        let mut those = self.next();
        let Some((last, _)) = those.last() else { return Found::Most };
        let mut asked: Vec<Secret> = those.iter().map(|(secret, _)| *secret).collect();
        asked.resize(SIZES.into_iter().find(|size| *size >= those.len()).unwrap_or(MOST), *last);
        match for_all(read(asked)).await {
            Ok(mut found) => {
                // Who asks alone is no flood.
                let is_few = those.len() > 1 && found.len() * 2 < those.len();
                let share = if is_few { Found::Few } else { Found::Most };
                let mut answered = HashSet::new();
                for (secret, sender) in those {
                    // Of two who look for the same, the second enters again. One who is gone needs no answer.
                    if answered.insert(secret) {
                        drop(sender.send(found.remove(&secret).transpose()));
                    }
                }
                share
            }
            Err(error) => {
                let (_, first) = those.remove(0);
                drop(first.send(Err(error)));
                for (_, sender) in those {
                    let shared = io::Error::other("the read that others began failed");
                    drop(sender.send(Err(StoreError::Unavailable(shared.into()))));
                }
                Found::Most
            }
        }
    }
}

/// How much of what was looked for there is.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Most,
    Few,
}

fn rest(turn: Option<OwnedSemaphorePermit>) {
    tokio::spawn(async move {
        sleep(REST).await;
        drop(turn);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_turn_rests_after_it_found_next_to_nothing() {
        let look_ups = LookUps::new(1);
        let find = async |is_there: bool| {
            let read = |secrets: Vec<Secret>| {
                let found = secrets.into_iter().filter(|_| is_there).map(|secret| (secret, Ok(1)));
                std::future::ready(Ok(found.collect()))
            };
            let found = look_ups.find(&Digest { pepper: 1, bytes: [7; 32] }, read).await.unwrap();
            (found, look_ups.turns.available_permits())
        };
        assert_eq!(find(false).await, (None, 1), "who asks alone is no flood");
        let other = look_ups.enter([8; 32]);
        assert_eq!(find(false).await, (None, 0), "who found nothing is answered before the rest");
        assert!(other.await.unwrap().unwrap().is_none());
        assert_eq!(find(true).await, (Some(1), 1), "and the turn comes back");
        let other = look_ups.enter([8; 32]);
        assert_eq!(find(true).await, (Some(1), 1));
        assert_eq!(other.await.unwrap().unwrap(), Some(1));
    }
}
