//! Look-ups that come at once are read together: whoever has the turn reads for all who wait.
//!
//! There are few turns, so that a flood of unknown digests queues here, each statement answering many, instead of taking
//! the machine from those who need no look-up. Nobody is refused for the queue's length, only when the database lets
//! nobody through in time. What is read stands in `found.rs`.

use std::{
    collections::{HashSet, VecDeque},
    io,
};

use claviger_core::Digest;
use parking_lot::Mutex;
use tokio::{
    sync::{Semaphore, oneshot},
    time::timeout,
};

use crate::{
    Store,
    dialect::READ_PATIENCE,
    error::StoreError,
    found::{FoundSecret, Principals, SERVICE_ACCOUNTS, Secret, USERS},
};

/// How many digests a statement has. There are few kinds, so that all stay prepared.
const SIZES: [usize; 4] = [1, 4, 16, MOST];
const MOST: usize = 64;

type Answer = Result<Option<FoundSecret>, StoreError>;

/// Somebody who waits, and for what.
type Waiting = (Secret, oneshot::Sender<Answer>);

/// Those who wait for credentials of one kind of principal, and the turns.
#[derive(Debug)]
pub(crate) struct LookUps {
    principals: &'static Principals,
    waiting: Mutex<VecDeque<Waiting>>,
    turns: Semaphore,
}

impl LookUps {
    /// Of service accounts, with so many turns at once.
    pub(crate) fn of_service_accounts(turns: usize) -> Self {
        Self { principals: &SERVICE_ACCOUNTS, waiting: Mutex::default(), turns: Semaphore::new(turns) }
    }

    /// The same of users.
    pub(crate) fn of_users(turns: usize) -> Self {
        Self { principals: &USERS, ..Self::of_service_accounts(turns) }
    }

    fn enter(&self, secret: Secret) -> oneshot::Receiver<Answer> {
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
    fn next(&self) -> Vec<Waiting> {
        let mut waiting = self.waiting.lock();
        let many = waiting.len().min(MOST);
        waiting.drain(..many).filter(|(_, sender)| !sender.is_closed()).collect()
    }
}

impl Store {
    /// The API key behind a digest.
    pub async fn find_api_key(&self, digest: &Digest) -> Answer {
        self.find(digest, &self.api_keys).await
    }

    /// The personal access token behind a digest.
    pub async fn find_personal_access_token(&self, digest: &Digest) -> Answer {
        self.find(digest, &self.personal_access_tokens).await
    }

    /// The read begins after this call did, whoever does it, so that it sees every change that was committed before.
    async fn find(&self, digest: &Digest, look_ups: &LookUps) -> Answer {
        let mut answer = look_ups.enter(digest.bytes);
        loop {
            tokio::select! {
                biased;
                answered = &mut answer => match answered {
                    Ok(answer) => return answer,
                    // Whoever read for us went away.
                    Err(_) => answer = look_ups.enter(digest.bytes),
                },
                turn = timeout(READ_PATIENCE, look_ups.turns.acquire()) => match turn {
                    Ok(_turn) => self.answer_next(look_ups).await,
                    Err(_) if look_ups.leave(digest.bytes) => return Err(sqlx::Error::PoolTimedOut.into()),
                    // Somebody reads for us already.
                    Err(_) => {}
                },
            }
        }
    }

    async fn answer_next(&self, look_ups: &LookUps) {
        let mut those = look_ups.next();
        let Some((last, _)) = those.last() else { return };
        let mut asked: Vec<Secret> = those.iter().map(|(secret, _)| *secret).collect();
        asked.resize(SIZES.into_iter().find(|size| *size >= those.len()).unwrap_or(MOST), *last);
        match self.read_secrets(look_ups.principals, &asked).await {
            Ok(mut found) => {
                let mut answered = HashSet::new();
                for (secret, sender) in those {
                    // Of two who look for the same, the second enters again. One who is gone needs no answer.
                    if answered.insert(secret) {
                        drop(sender.send(found.remove(&secret).transpose()));
                    }
                }
            }
            Err(error) => {
                let (_, first) = those.remove(0);
                drop(first.send(Err(error)));
                for (_, sender) in those {
                    let shared = io::Error::other("the read that others began failed");
                    drop(sender.send(Err(StoreError::Unavailable(shared.into()))));
                }
            }
        }
    }
}
