//! The schedule of the signing keys, carried out: at the first start, by the job, and by whoever asks for it.

use claviger_core::{
    By, Due, Event, NewPrivateKey, Reach, Rejection, RevokeReason, RotateSigningKeys, SigningKeyRecord, due,
};
use claviger_store::{Remembered, StoreError};
use claviger_token::{SigningAlgorithm, SigningKey};
use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::{app::App, problem::RequestError};

/// Why keys were not rotated.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    /// It is not the time for it.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The database does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<RotateError> for RequestError {
    fn from(error: RotateError) -> Self {
        match error {
            RotateError::Rejected(rejection) => rejection.into(),
            RotateError::Store(error) => error.into(),
        }
    }
}

/// New private keys and how they take their places, made before the transaction begins: others would wait for them.
struct Wanted<'a> {
    private: Vec<(SigningAlgorithm, Zeroizing<Vec<u8>>)>,
    emergency: bool,
    reason: RevokeReason,
    /// Asked again inside the transaction: another node may have been faster.
    still: &'a (dyn Fn(&[SigningKeyRecord], Timestamp) -> bool + Sync),
    /// What is kept for a repetition of the request.
    kept: &'a (dyn Fn(&[SigningKeyRecord]) -> Option<Remembered> + Sync),
}

impl App {
    /// Makes the next key of one algorithm, or of every algorithm that has keys, and tells the new ones.
    pub async fn rotate_signing_keys(
        &self,
        by: &By,
        asked: &RotateSigningKeys,
    ) -> Result<Vec<SigningKeyRecord>, RotateError> {
        self.rotate_answering(by, asked, &|_| None).await
    }

    /// The same, and keeps the answer for a repetition of the request.
    pub(crate) async fn rotate_answering(
        &self,
        by: &By,
        asked: &RotateSigningKeys,
        kept: &(dyn Fn(&[SigningKeyRecord]) -> Option<Remembered> + Sync),
    ) -> Result<Vec<SigningKeyRecord>, RotateError> {
        let algorithms = match asked.algorithm {
            Some(algorithm) => vec![algorithm],
            None => {
                let keys = self.store.within(Reach::Instance).signing_keys().await?;
                let has_keys = |algorithm: &SigningAlgorithm| keys.iter().any(|key| key.algorithm == *algorithm);
                SigningAlgorithm::ALL.into_iter().filter(has_keys).collect()
            }
        };
        let mut private = Vec::new();
        for algorithm in algorithms {
            private.push((algorithm, new_private_key(algorithm).await));
        }
        let (emergency, reason) = (asked.emergency, asked.reason);
        self.add_signing_keys(by, Wanted { private, emergency, reason, still: &|_, _| true, kept }).await
    }

    /// Sees that there is a key for this algorithm. The first one for RS256 takes a moment.
    pub(crate) async fn ensure_signing_key(&self, by: &By, algorithm: SigningAlgorithm) -> Result<(), RotateError> {
        if self.signing_keys().await?.signer(algorithm, self.now()).is_some() {
            return Ok(());
        }
        let missing = |keys: &[SigningKeyRecord], now| {
            let signs = |key: &SigningKeyRecord| {
                key.algorithm == algorithm && key.state(now) == claviger_core::KeyState::Active
            };
            !keys.iter().any(signs)
        };
        let private = vec![(algorithm, new_private_key(algorithm).await)];
        let reason = RevokeReason::Unspecified;
        let wanted = Wanted { private, emergency: false, reason, still: &missing, kept: &|_| None };
        self.add_signing_keys(by, wanted).await.map(drop)
    }

    /// Does what the schedule wants done. Safe on several nodes at once: each thing is done once.
    pub async fn tend_signing_keys(&self) -> Result<(), StoreError> {
        let (interval, by) = (self.config.signing_key_rotation, By::system());
        let keys: Vec<SigningKeyRecord> = self.read_signing_keys().await?.records().cloned().collect();
        let due_now = due(&keys, interval, self.now());
        if due_now.is_empty() {
            return Ok(());
        }
        for wanted in due_now {
            let done = match wanted {
                Due::Make(algorithm) | Due::Rotate(algorithm) => {
                    let still = |keys: &[SigningKeyRecord], now| due(keys, interval, now).contains(&wanted);
                    let private = vec![(algorithm, new_private_key(algorithm).await)];
                    let reason = RevokeReason::Superseded;
                    let wanted = Wanted { private, emergency: false, reason, still: &still, kept: &|_| None };
                    self.add_signing_keys(&by, wanted).await.map(drop)
                }
                Due::Erase(id) => self.erase_signing_key(&by, id).await,
            };
            match done {
                Ok(()) => {}
                Err(RotateError::Rejected(rejection)) => tracing::debug!(%rejection, "signing keys"),
                Err(RotateError::Store(error)) => return Err(error),
            }
        }
        self.read_signing_keys().await.map(drop)
    }

    async fn add_signing_keys(&self, by: &By, wanted: Wanted<'_>) -> Result<Vec<SigningKeyRecord>, RotateError> {
        match self.try_add_signing_keys(by, &wanted).await {
            // Another node made the next key: what is wanted may be done now, or not to be done any more.
            Err(RotateError::Store(StoreError::Taken("signing_key"))) => self.try_add_signing_keys(by, &wanted).await,
            done => done,
        }
    }

    async fn try_add_signing_keys(&self, by: &By, wanted: &Wanted<'_>) -> Result<Vec<SigningKeyRecord>, RotateError> {
        let mut tx = self.store.begin(by).await?;
        let now = self.now();
        let keys = tx.to_change(Reach::Instance).signing_keys().await?;
        if !(wanted.still)(&keys, now) {
            return Ok(Vec::new());
        }
        let (mut made, mut events) = (Vec::new(), Vec::<Event>::new());
        for (algorithm, pkcs8) in &wanted.private {
            let of_it: Vec<SigningKeyRecord> = keys.iter().filter(|key| key.algorithm == *algorithm).cloned().collect();
            let data_key = &self.signing_keys.data_key;
            let private = NewPrivateKey { algorithm: *algorithm, pkcs8, data_key };
            let rng = &mut self.rng();
            let rotated = SigningKeyRecord::next(&of_it, &private, wanted.emergency, wanted.reason, now, rng)?;
            for old in &rotated.old {
                tx.save_signing_key(old).await?;
            }
            tx.insert_signing_key(&rotated.new).await?;
            events.extend(rotated.events);
            made.push(rotated.new);
        }
        let Some(last) = events.pop() else { return Ok(made) };
        events.into_iter().for_each(|event| tx.also(event));
        let kept = (wanted.kept)(&made);
        tx.commit_answering(last, kept.as_ref(), now, &mut self.rng()).await?;
        Ok(made)
    }

    async fn erase_signing_key(&self, by: &By, id: claviger_token::SigningKeyId) -> Result<(), RotateError> {
        let mut tx = self.store.begin(by).await?;
        let now = self.now();
        let keys = tx.to_change(Reach::Instance).signing_keys().await?;
        let erased = keys.into_iter().find(|key| key.id == id).and_then(|key| key.erase(now));
        let Some((erased, event)) = erased else { return Ok(()) };
        tx.save_signing_key(&erased).await?;
        Ok(tx.commit(event, now, &mut self.rng()).await?)
    }
}

/// Beside the requests: one for RS256 takes as long as thousands of them.
#[expect(clippy::expect_used, reason = "as with all randomness: without it there is nothing sound to do")]
async fn new_private_key(algorithm: SigningAlgorithm) -> Zeroizing<Vec<u8>> {
    let made = tokio::task::spawn_blocking(move || SigningKey::generate(algorithm)).await;
    made.expect("making a key does not panic").expect("there is randomness and memory for a key")
}
