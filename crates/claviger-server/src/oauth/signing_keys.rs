//! The signing keys in memory: opened once, and true on every node within a second of a change.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use claviger_core::{DataKey, KeyState, Reach, SigningKeyRecord, Touched, next_rotation};
use claviger_store::{Changes, Mark, StoreError};
use claviger_token::{PublicJwk, SigningAlgorithm, SigningFailed, SigningKey, VerifyingKey};
use jiff::{SignedDuration, Timestamp};
use parking_lot::RwLock;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::{App, monotonic};

/// How long whoever only wants to prove a signature waits for storage before the last known keys must do.
const PATIENCE: Duration = Duration::from_secs(1);

/// The keys as they were read at one moment.
#[derive(Debug)]
pub struct SigningKeys {
    keys: Vec<Opened>,
    mark: Mark,
    read_at: Instant,
}

#[derive(Debug)]
struct Opened {
    record: SigningKeyRecord,
    kid: String,
    /// None of a key that is removed, or that does not open.
    key: Option<Arc<SigningKey>>,
}

/// The key that signs now, and what it is called.
#[derive(Debug, Clone, Copy)]
pub struct Signer<'a> {
    kid: &'a str,
    key: &'a SigningKey,
}

impl<'a> Signer<'a> {
    /// What it is called.
    pub(crate) fn kid(self) -> &'a str {
        self.kid
    }

    /// A compact JWS of these claims, for one purpose (`typ`, without `application/`).
    pub fn sign(&self, typ: &str, claims: &impl Serialize) -> Result<String, SigningFailed> {
        self.key.sign(typ, self.kid, claims)
    }
}

/// Why nothing was signed. Each is an outage: whoever asked did nothing wrong.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SignError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("there is no key that signs with {}", .0.as_str())]
    NoKey(SigningAlgorithm),
    #[error(transparent)]
    Failed(#[from] SigningFailed),
}

/// Public keys, as they are published (RFC 7517, section 5).
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct KeySet {
    /// Each by its `kid`.
    keys: Vec<PublicJwk>,
}

impl SigningKeys {
    /// Who signs with this algorithm at `now`; nobody if there is no such key, or it does not open.
    pub fn signer(&self, algorithm: SigningAlgorithm, now: Timestamp) -> Option<Signer<'_>> {
        let signs = |key: &&Opened| key.record.algorithm == algorithm && key.record.state(now) == KeyState::Active;
        let active = self.keys.iter().filter(signs).max_by_key(|key| key.record.number)?;
        Some(Signer { kid: &active.kid, key: active.key.as_deref()? })
    }

    /// What proves the signatures of this key, if it is published at `now`. One that is announced counts, for another
    /// node's clock may be ahead.
    pub fn verifying_key(&self, kid: &str, now: Timestamp) -> Option<&VerifyingKey> {
        self.published(now).find(|(found, _)| *found == kid).map(|(_, key)| key.verifying_key())
    }

    /// The public keys at `now`.
    pub fn key_set(&self, now: Timestamp) -> KeySet {
        KeySet { keys: self.published(now).map(|(kid, key)| key.verifying_key().jwk(kid)).collect() }
    }

    fn published(&self, now: Timestamp) -> impl Iterator<Item = (&str, &SigningKey)> {
        let published = move |key: &&Opened| key.record.state(now) != KeyState::Removed;
        self.keys.iter().filter(published).filter_map(|key| Some((key.kid.as_str(), key.key.as_deref()?)))
    }

    pub(super) fn records(&self) -> impl Iterator<Item = &SigningKeyRecord> {
        self.keys.iter().map(|key| &key.record)
    }

    fn hold(&self, changes: &Changes, max_staleness: Duration, now: Instant) -> bool {
        now.saturating_duration_since(self.read_at) < Changes::ENTRY_LIFE
            && changes.staleness(now) <= max_staleness
            && changes.hold_since(self.mark, [Touched::SigningKeys])
    }
}

/// The last keys that were read, and what opens their private halves.
pub(crate) struct KeptSigningKeys {
    pub(super) data_key: DataKey,
    current: RwLock<Option<Arc<SigningKeys>>>,
    /// Held by whoever reads the next ones.
    turn: tokio::sync::Mutex<()>,
}

impl KeptSigningKeys {
    pub(crate) fn new(data_key: DataKey) -> Self {
        Self { data_key, current: RwLock::default(), turn: tokio::sync::Mutex::default() }
    }

    /// As they were read last, true or not.
    pub(crate) fn last(&self) -> Option<Arc<SigningKeys>> {
        self.current.read().clone()
    }
}

impl App {
    /// The keys as they are now. Whoever signs takes these.
    pub async fn signing_keys(&self) -> Result<Arc<SigningKeys>, StoreError> {
        if let Some(keys) = self.true_signing_keys() {
            return Ok(keys);
        }
        // Boxed, or the future of every request would be as large as a read.
        Box::pin(async {
            let _turn = self.signing_keys.turn.lock().await;
            // Whose turn it was before has read them for all.
            match self.true_signing_keys() {
                Some(keys) => Ok(keys),
                None => self.read_signing_keys().await,
            }
        })
        .await
    }

    /// A compact JWS by the key that signs now.
    pub(super) async fn sign(
        &self,
        algorithm: SigningAlgorithm,
        typ: &str,
        claims: &impl Serialize,
    ) -> Result<String, SignError> {
        let keys = self.signing_keys().await?;
        let signer = keys.signer(algorithm, self.now()).ok_or(SignError::NoKey(algorithm))?;
        Ok(signer.sign(typ, claims)?)
    }

    /// The keys as they are now, or the last that are known while storage does not answer: a signature can be proved without it.
    pub(crate) async fn last_known_signing_keys(&self) -> Result<Arc<SigningKeys>, StoreError> {
        if let Some(keys) = self.true_signing_keys() {
            return Ok(keys);
        }
        let Some(last) = self.signing_keys.last() else { return self.signing_keys().await };
        // A task of its own: a read that is given up in the middle would take its connection with it.
        let app = self.clone();
        let asked = tokio::spawn(async move { app.signing_keys().await });
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok(Ok(keys))) => Ok(keys),
            Ok(Ok(Err(_)) | Err(_)) | Err(_) => Ok(last),
        }
    }

    /// The keys that prove signatures: as they are now; or as they were last known while storage does not answer, unless
    /// they are known to have changed since.
    pub(crate) async fn proving_keys(&self) -> Result<Arc<SigningKeys>, StoreError> {
        if let Some(keys) = self.true_signing_keys() {
            return Ok(keys);
        }
        let changes = self.store.changes();
        let last = || {
            self.signing_keys
                .last()
                .filter(|keys| changes.held_at_last(keys.mark, keys.read_at, [Touched::SigningKeys]))
        };
        self.or_last_known(last, self.signing_keys()).await
    }

    fn true_signing_keys(&self) -> Option<Arc<SigningKeys>> {
        let keys = self.signing_keys.last()?;
        keys.hold(self.store.changes(), self.config.max_staleness, monotonic()).then_some(keys)
    }

    /// Reads them. A key that was open stays so; one that does not open takes nothing from the others.
    pub(super) async fn read_signing_keys(&self) -> Result<Arc<SigningKeys>, StoreError> {
        let (mark, read_at) = (self.store.changes().mark(), monotonic());
        let records = self.store.within(Reach::Instance).signing_keys().await?;
        let before = self.signing_keys.last();
        let open = |record: SigningKeyRecord| {
            let known = before.as_ref().and_then(|before| before.keys.iter().find(|key| key.record.id == record.id));
            let known = known.and_then(|known| known.key.clone());
            let key = match (&record.sealed, known) {
                (None, _) => None,
                (Some(_), Some(known)) => Some(known),
                (Some(_), None) => match record.open(&self.signing_keys.data_key) {
                    Ok(key) => Some(Arc::new(key)),
                    Err(error) => {
                        tracing::error!(kid = %record.id, %error, "a signing key cannot be used");
                        None
                    }
                },
            };
            Opened { kid: record.id.to_string(), key, record }
        };
        let keys = Arc::new(SigningKeys { keys: records.into_iter().map(open).collect(), mark, read_at });
        let mut current = self.signing_keys.current.write();
        // Two may read at once; what was read later stays.
        match current.as_ref().filter(|there| there.mark > keys.mark) {
            Some(newer) => Ok(Arc::clone(newer)),
            None => {
                *current = Some(Arc::clone(&keys));
                Ok(keys)
            }
        }
    }
}

/// For how long a key has signed, and how long until the next is announced.
pub(crate) struct KeyTimes {
    pub(crate) algorithm: SigningAlgorithm,
    pub(crate) age: SignedDuration,
    pub(crate) until_rotation: SignedDuration,
}

impl App {
    /// Of each algorithm that has a key which signs, as far as this node knows.
    pub(crate) fn signing_key_times(&self) -> Vec<KeyTimes> {
        let Some(keys) = self.signing_keys.last() else { return Vec::new() };
        let (now, interval) = (self.now(), self.config.signing_key_rotation);
        let records: Vec<SigningKeyRecord> = keys.records().cloned().collect();
        let times = |algorithm| {
            let signs = |key: &&SigningKeyRecord| key.algorithm == algorithm && key.state(now) == KeyState::Active;
            let active = records.iter().filter(signs).max_by_key(|key| key.number)?;
            let next = next_rotation(&records, algorithm, interval, now)?;
            let (age, until_rotation) = (now.duration_since(active.active_at), next.duration_since(now));
            Some(KeyTimes { algorithm, age, until_rotation })
        };
        SigningAlgorithm::ALL.into_iter().filter_map(times).collect()
    }
}
