//! Look-ups that come at once are read together: whoever has the turn reads for all who wait.
//!
//! There are few turns, so that a flood of unknown digests queues here, each statement answering many, instead of taking
//! the machine from those who need no look-up. A turn that found next to nothing rests before the next one, for the same
//! reason. Nobody is refused for the queue's length, only when the database lets nobody through in time. What is read stands
//! in `found.rs` and `access_token.rs`.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    io,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
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

/// How long a turn rests when most of what it looked for is nobody's: twice as long each time, until one finds more again. Whoever
/// asked has the answer by then, and as many as come meanwhile are read by one statement.
const REST: Duration = Duration::from_millis(2);
/// The longest rest. Who has more to look for than a statement holds would only be kept waiting, and others with them: that turn
/// rests no longer than the first time.
const LONGEST_REST: Duration = Duration::from_millis(16);

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
    /// How many turns found next to nothing since one found something.
    vain: AtomicU32,
}

impl<T> LookUps<T> {
    /// With so many turns at once.
    pub(crate) fn new(turns: usize) -> Self {
        Self { waiting: Mutex::default(), turns: Arc::new(Semaphore::new(turns)), vain: AtomicU32::new(0) }
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
                        match self.answer_next(&read).await {
                            Found::Most => self.vain.store(0, Ordering::Relaxed),
                            Found::Few => rest(turn.ok(), rest_after(self.vain.fetch_add(1, Ordering::Relaxed))),
                            Found::FewOfMany => rest(turn.ok(), REST),
                            Found::Untold => {}
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
        let Some((last, _)) = those.last() else { return Found::Untold };
        let mut asked: Vec<Secret> = those.iter().map(|(secret, _)| *secret).collect();
        asked.resize(SIZES.into_iter().find(|size| *size >= those.len()).unwrap_or(MOST), *last);
        match for_all(read(asked)).await {
            Ok(mut found) => {
                let share = Found::of(found.len(), those.len());
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
                Found::Untold
            }
        }
    }
}

/// How much of what was looked for there is.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Most,
    Few,
    /// And perhaps more wait than were read.
    FewOfMany,
    /// Nobody waited, or nobody knows; and who asks alone for what there is not is no flood.
    Untold,
}

impl Found {
    fn of(found: usize, asked: usize) -> Self {
        if found * 2 >= asked {
            Self::Most
        } else if asked == 1 {
            Self::Untold
        } else if asked < MOST {
            Self::Few
        } else {
            Self::FewOfMany
        }
    }
}

/// How long a turn rests after so many before it found next to nothing.
fn rest_after(vain: u32) -> Duration {
    REST.saturating_mul(2_u32.saturating_pow(vain)).min(LONGEST_REST)
}

fn rest(turn: Option<OwnedSemaphorePermit>, time: Duration) {
    tokio::spawn(async move {
        sleep(time).await;
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
        assert_eq!(look_ups.vain.load(Ordering::Relaxed), 1);
        assert_eq!(find(true).await, (Some(1), 1), "and the turn comes back");
        assert_eq!(look_ups.vain.load(Ordering::Relaxed), 0);
        let other = look_ups.enter([8; 32]);
        assert_eq!(find(true).await, (Some(1), 1));
        assert_eq!(other.await.unwrap().unwrap(), Some(1));
    }

    #[tokio::test]
    async fn a_turn_that_nobody_waits_for_any_more_ends_no_rest() {
        let look_ups = LookUps::<u8>::new(2);
        look_ups.vain.store(3, Ordering::Relaxed);
        assert_eq!(look_ups.answer_next(|_| std::future::ready(Ok(HashMap::new()))).await, Found::Untold);
        let told = [(0, 1), (0, 2), (1, 2), (0, 63), (31, 63), (0, 64), (31, 64), (32, 64)];
        let told = told.map(|(found, asked)| Found::of(found, asked));
        let (most, few, of_many) = (Found::Most, Found::Few, Found::FewOfMany);
        assert_eq!(told, [Found::Untold, few, most, Found::Few, Found::Few, of_many, Found::FewOfMany, Found::Most]);
    }

    #[test]
    fn whoever_goes_on_waits_longer_and_nobody_for_long() {
        let rests = [0, 1, 2, 3, 4, 31, 32, u32::MAX].map(|vain| rest_after(vain).as_millis());
        assert_eq!(rests, [2, 4, 8, 16, 16, 16, 16, 16]);
    }
}
