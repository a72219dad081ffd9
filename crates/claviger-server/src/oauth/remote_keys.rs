//! The keys that others publish: behind a client's `jwks_uri`, or of an outside issuer. They are fetched when they are needed, kept for
//! a while, and for longer while nobody answers.
//!
//! Whoever sends an assertion has proved nothing yet, so neither many assertions nor strange names of keys make many
//! questions. How others are asked, and where, is `outside.rs`'s to know; the room must not know what the keys prove.

use std::{
    borrow::Cow,
    collections::HashSet,
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant},
};

use claviger_token::{IssuerKey, NetworkSet, VerifyingKey, read_object};
use http::{HeaderMap, StatusCode, header};
use openidconnect::HttpResponse;
use parking_lot::Mutex;
use quick_cache::sync::Cache;
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::{sync::Semaphore, time::timeout};
use url::Url;

use crate::{
    app::{App, monotonic},
    outside::{Outside, chain},
};

/// How long keys are taken as they are, if whoever publishes them says nothing else.
const FRESH: Duration = Duration::from_secs(10 * 60);
/// What may be said instead.
const SHORTEST_FRESH: Duration = Duration::from_secs(60);
const LONGEST_FRESH: Duration = Duration::from_secs(60 * 60);
/// How long they count while there is no answer.
const STALE: Duration = Duration::from_secs(24 * 60 * 60);
/// How long somebody waits for a turn to ask; then the last keys count, as when nobody answers.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long nobody asks again after a question that failed, or that was about the name of a key.
const COOL_DOWN: Duration = Duration::from_secs(30);
/// Of which keys are kept in memory.
const MOST_ADDRESSES: usize = 1000;
const MOST_KEYS: usize = 50;
/// How many addresses are asked at once: of those that answered when they were last asked, and of the others.
const MOST_AT_ONCE: usize = 32;
const MOST_UNKNOWN_AT_ONCE: usize = 16;

/// There are no keys to judge by: an outage of others, and no verdict. The text is for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the keys cannot be had: {why}")]
pub struct RemoteKeysError {
    why: Arc<str>,
}

/// A public key that somebody publishes.
pub(crate) trait PublishedKey: Sized + Send + Sync + 'static {
    /// From a JWK, if it proves signatures.
    fn read(jwk: &Map<String, Value>) -> Option<Self>;
    /// What it is called.
    fn kid(&self) -> Option<&str>;
}

impl PublishedKey for VerifyingKey {
    fn read(jwk: &Map<String, Value>) -> Option<Self> {
        Self::from_members(jwk).ok()
    }

    fn kid(&self) -> Option<&str> {
        Self::kid(self)
    }
}

impl PublishedKey for IssuerKey {
    fn read(jwk: &Map<String, Value>) -> Option<Self> {
        Self::from_members(jwk).ok()
    }

    fn kid(&self) -> Option<&str> {
        Self::kid(self)
    }
}

/// Where keys are published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// At this address.
    Keys(String),
    /// Wherever this issuer says (OpenID Connect Discovery 1.0, section 4).
    Issuer(String),
}

impl Place {
    /// What it is kept under. No address has a space.
    fn name(&self) -> Cow<'_, str> {
        match self {
            Self::Keys(address) => Cow::Borrowed(address),
            Self::Issuer(issuer) => Cow::Owned(format!("issuer {issuer}")),
        }
    }

    /// For the log: an address without its query, which may be a secret.
    fn told(&self) -> &str {
        match self {
            Self::Keys(address) | Self::Issuer(address) => address.split('?').next().unwrap_or_default(),
        }
    }
}

/// The last keys of each place.
pub(crate) struct RemoteKeys<K = VerifyingKey> {
    outside: Arc<Outside>,
    kept: Cache<String, Arc<Kept<K>>>,
    /// Turns of those who ask, so that many addresses at once do not take all threads and sockets. Who never answered has other turns
    /// than who did: somebody with many slow addresses keeps none of the others waiting.
    turns: Arc<Semaphore>,
    first_turns: Arc<Semaphore>,
}

struct Kept<K> {
    state: Mutex<State<K>>,
    /// Held by whoever asks; who comes meanwhile waits for the one answer.
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl<K> Default for Kept<K> {
    fn default() -> Self {
        let state = State { known: None, failed: None, searched_at: None };
        Self { state: Mutex::new(state), turn: Arc::default() }
    }
}

struct State<K> {
    known: Option<Known<K>>,
    failed: Option<(Instant, RemoteKeysError)>,
    /// When somebody was last asked about a name that was unknown.
    searched_at: Option<Instant>,
}

struct Known<K> {
    keys: Arc<[K]>,
    asked_at: Instant,
    fresh_for: Duration,
}

impl<K: PublishedKey> Known<K> {
    fn lack(&self, wanted: Option<&str>) -> bool {
        wanted.is_some_and(|wanted| !self.keys.iter().any(|key| key.kid() == Some(wanted)))
    }
}

impl<K: PublishedKey> State<K> {
    /// The answer, if nobody need be asked for it.
    fn answer(&self, wanted: Option<&str>, now: Instant) -> Option<Result<Arc<[K]>, RemoteKeysError>> {
        let is_within = |at: Instant, time: Duration| now.saturating_duration_since(at) < time;
        let failure = self.failed.as_ref().filter(|(at, _)| is_within(*at, COOL_DOWN));
        let Some(known) = self.known.as_ref().filter(|known| is_within(known.asked_at, STALE)) else {
            return failure.map(|(_, error)| Err(error.clone()));
        };
        let fresh = is_within(known.asked_at, known.fresh_for);
        let search = known.lack(wanted) && !self.searched_at.is_some_and(|at| is_within(at, COOL_DOWN));
        (failure.is_some() || (fresh && !search)).then(|| Ok(Arc::clone(&known.keys)))
    }

    fn keep(&mut self, fetched: Result<(Vec<K>, Duration), RemoteKeysError>, wanted: Option<&str>, now: Instant) {
        let lacked = self.known.as_ref().is_some_and(|known| known.lack(wanted));
        match fetched {
            Ok((keys, fresh_for)) => {
                let known = Known { keys: keys.into(), asked_at: now, fresh_for };
                if lacked || known.lack(wanted) {
                    self.searched_at = Some(now);
                }
                (self.known, self.failed) = (Some(known), None);
            }
            Err(error) => self.failed = Some((now, error)),
        }
    }
}

impl<K: PublishedKey> RemoteKeys<K> {
    pub(crate) fn new(networks: Option<NetworkSet>) -> Self {
        Self {
            outside: Arc::new(Outside::for_customers(networks)),
            kept: Cache::new(MOST_ADDRESSES),
            turns: Arc::new(Semaphore::new(MOST_AT_ONCE)),
            first_turns: Arc::new(Semaphore::new(MOST_UNKNOWN_AT_ONCE)),
        }
    }

    async fn keys(&self, place: &Place, wanted: Option<&str>, now: Instant) -> Result<Arc<[K]>, RemoteKeysError> {
        let Ok(kept) = self.kept.get_or_insert_with(&*place.name(), || Ok::<_, Infallible>(Arc::default()));
        if let Some(answer) = kept.state.lock().answer(wanted, now) {
            return answer;
        }
        let turn = Arc::clone(&kept.turn).lock_owned().await;
        // Whose turn it was before has asked for all.
        if let Some(answer) = kept.state.lock().answer(wanted, now) {
            return answer;
        }
        let (outside, place, wanted) = (Arc::clone(&self.outside), place.clone(), wanted.map(str::to_owned));
        let answered = {
            let state = kept.state.lock();
            state.known.is_some() && state.failed.is_none()
        };
        let turns = Arc::clone(if answered { &self.turns } else { &self.first_turns });
        // A task of its own: whoever goes away in the middle would else let the next one ask at once.
        let asked = tokio::spawn(async move {
            let (_turn, began) = (turn, monotonic());
            let fetched = match timeout(PATIENCE, turns.acquire()).await {
                Ok(_of_all) => fetch(&outside, &place).await,
                Err(_) => Err("too many others are asked for theirs".to_owned()),
            };
            let fetched = fetched.map_err(|why| {
                tracing::warn!(address = place.told(), why, "keys that others publish cannot be had");
                RemoteKeysError { why: why.into() }
            });
            // What was waited for counts from now on, to the second, and not from when the wait began.
            let now = now + Duration::from_secs(began.elapsed().as_secs());
            let mut state = kept.state.lock();
            state.keep(fetched, wanted.as_deref(), now);
            state.answer(wanted.as_deref(), now)
        });
        let given_up = || Err(RemoteKeysError { why: "the question was given up".into() });
        asked.await.ok().flatten().unwrap_or_else(given_up)
    }
}

impl App {
    /// The public keys behind a client's `jwks_uri`. If none of them is the `wanted` one, they are asked for again first, though
    /// not often: the client may have a new key.
    pub async fn remote_keys(&self, uri: &Url, wanted: Option<&str>) -> Result<Arc<[VerifyingKey]>, RemoteKeysError> {
        let place = Place::Keys(uri.as_str().to_owned());
        // Boxed, or the future of every request would be as large as a question.
        Box::pin(self.remote_keys.keys(&place, wanted, monotonic())).await
    }

    /// The same of an outside issuer.
    pub(crate) async fn issuer_keys(
        &self,
        place: &Place,
        wanted: Option<&str>,
    ) -> Result<Arc<[IssuerKey]>, RemoteKeysError> {
        Box::pin(self.issuer_keys.keys(place, wanted, monotonic())).await
    }
}

/// The keys that are published there now, and for how long they are good.
async fn fetch<K: PublishedKey>(outside: &Outside, place: &Place) -> Result<(Vec<K>, Duration), String> {
    let address = match place {
        Place::Keys(address) => address.clone(),
        Place::Issuer(issuer) => discover(outside, issuer).await?,
    };
    let answer = ask(outside, &address, "application/jwk-set+json, application/json").await?;
    Ok((key_set(answer.body())?, fresh_for(answer.headers())))
}

/// Where an issuer says that its keys are: in its own name, byte for byte (OpenID Connect Discovery 1.0, section 4.3).
async fn discover(outside: &Outside, issuer: &str) -> Result<String, String> {
    #[derive(Deserialize)]
    struct Document {
        issuer: String,
        jwks_uri: String,
    }
    let address = format!("{}/.well-known/openid-configuration", issuer.strip_suffix('/').unwrap_or(issuer));
    let answer = ask(outside, &address, "application/json").await?;
    let document: Document = read_object(answer.body())
        .map_err(|_| "its discovery document is no JSON object with issuer and jwks_uri, or says something twice")?;
    if document.issuer != issuer {
        return Err("its discovery document is of another issuer".to_owned());
    }
    Ok(document.jwks_uri)
}

async fn ask(outside: &Outside, address: &str, accept: &str) -> Result<HttpResponse, String> {
    let request = http::Request::get(address).header(header::ACCEPT, accept).body(Vec::new());
    let request = request.map_err(|error| chain(&error))?;
    let answer = outside.ask(request).await.map_err(|error| chain(&error))?;
    if answer.status() != StatusCode::OK {
        return Err(format!("it answers with status {}", answer.status().as_u16()));
    }
    Ok(answer)
}

/// The keys of a JWK Set that prove signatures. Others are passed over (RFC 7517, section 5), and private ones too: the keys
/// beside them may still be secret.
fn key_set<K: PublishedKey>(text: &[u8]) -> Result<Vec<K>, String> {
    #[derive(Deserialize)]
    struct Set {
        keys: Vec<Map<String, Value>>,
    }
    let set: Set =
        read_object(text).map_err(|_| "it answers with no JWK Set, or with one that says something twice")?;
    if set.keys.len() > MOST_KEYS {
        return Err(format!("it answers with more than {MOST_KEYS} keys"));
    }
    let keys: Vec<K> = set.keys.iter().filter_map(K::read).collect();
    let mut seen = HashSet::new();
    if !keys.iter().filter_map(K::kid).all(|kid| seen.insert(kid)) {
        return Err("it answers with two keys of one kid".to_owned());
    }
    Ok(keys)
}

/// RFC 9111, section 5.2.2, as far as it is heeded.
fn fresh_for(headers: &HeaderMap) -> Duration {
    let lines = headers.get_all(header::CACHE_CONTROL).iter().filter_map(|line| line.to_str().ok());
    let said = lines.flat_map(|line| line.split(',')).filter_map(|directive| {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        match name.trim().to_ascii_lowercase().as_str() {
            "no-store" | "no-cache" => Some(SHORTEST_FRESH),
            "max-age" => value.trim().trim_matches('"').parse().ok().map(Duration::from_secs),
            _ => None,
        }
    });
    said.min().unwrap_or(FRESH).clamp(SHORTEST_FRESH, LONGEST_FRESH)
}

#[cfg(test)]
mod tests;
