//! The keys behind a client's `jwks_uri`: fetched when they are needed, kept for a while, and for longer while nobody answers.
//!
//! Whoever sends an assertion has proved nothing yet, so neither many assertions nor strange names of keys make many
//! questions. How others are asked, and where, is `outside.rs`'s to know; the room must not know what the keys prove.

use std::{
    collections::HashSet,
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant},
};

use claviger_token::{NetworkSet, VerifyingKey, read_object};
use http::{HeaderMap, StatusCode, header};
use parking_lot::Mutex;
use quick_cache::sync::Cache;
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::sync::Semaphore;
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
/// How long nobody asks again after a question that failed, or that was about the name of a key.
const COOL_DOWN: Duration = Duration::from_secs(30);
/// Of which keys are kept in memory.
const MOST_ADDRESSES: usize = 1000;
const MOST_KEYS: usize = 50;
/// How many addresses are asked at once.
const MOST_AT_ONCE: usize = 32;

/// There are no keys to judge by: an outage of others, and no verdict. The text is for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the keys behind jwks_uri cannot be had: {why}")]
pub struct RemoteKeysError {
    why: Arc<str>,
}

/// The last keys of each address.
pub(crate) struct RemoteKeys {
    outside: Arc<Outside>,
    kept: Cache<String, Arc<Kept>>,
    /// Turns of those who ask, so that many addresses at once do not take all threads and sockets.
    turns: Arc<Semaphore>,
}

#[derive(Default)]
struct Kept {
    state: Mutex<State>,
    /// Held by whoever asks; who comes meanwhile waits for the one answer.
    turn: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Default)]
struct State {
    known: Option<Known>,
    failed: Option<(Instant, RemoteKeysError)>,
    /// When somebody was last asked about a name that was unknown.
    searched_at: Option<Instant>,
}

struct Known {
    keys: Arc<[VerifyingKey]>,
    asked_at: Instant,
    fresh_for: Duration,
}

impl Known {
    fn lack(&self, wanted: Option<&str>) -> bool {
        wanted.is_some_and(|wanted| !self.keys.iter().any(|key| key.kid() == Some(wanted)))
    }
}

impl State {
    /// The answer, if nobody need be asked for it.
    fn answer(&self, wanted: Option<&str>, now: Instant) -> Option<Result<Arc<[VerifyingKey]>, RemoteKeysError>> {
        let is_within = |at: Instant, time: Duration| now.saturating_duration_since(at) < time;
        let failure = self.failed.as_ref().filter(|(at, _)| is_within(*at, COOL_DOWN));
        let Some(known) = self.known.as_ref().filter(|known| is_within(known.asked_at, STALE)) else {
            return failure.map(|(_, error)| Err(error.clone()));
        };
        let fresh = is_within(known.asked_at, known.fresh_for);
        let search = known.lack(wanted) && !self.searched_at.is_some_and(|at| is_within(at, COOL_DOWN));
        (failure.is_some() || (fresh && !search)).then(|| Ok(Arc::clone(&known.keys)))
    }

    fn keep(
        &mut self,
        fetched: Result<(Vec<VerifyingKey>, Duration), RemoteKeysError>,
        wanted: Option<&str>,
        now: Instant,
    ) {
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

impl RemoteKeys {
    pub(crate) fn new(networks: Option<NetworkSet>) -> Self {
        Self {
            outside: Arc::new(Outside::for_customers(networks)),
            kept: Cache::new(MOST_ADDRESSES),
            turns: Arc::new(Semaphore::new(MOST_AT_ONCE)),
        }
    }

    async fn keys(
        &self,
        uri: &Url,
        wanted: Option<&str>,
        now: Instant,
    ) -> Result<Arc<[VerifyingKey]>, RemoteKeysError> {
        let Ok(kept) = self.kept.get_or_insert_with(uri.as_str(), || Ok::<_, Infallible>(Arc::default()));
        if let Some(answer) = kept.state.lock().answer(wanted, now) {
            return answer;
        }
        let turn = Arc::clone(&kept.turn).lock_owned().await;
        // Whose turn it was before has asked for all.
        if let Some(answer) = kept.state.lock().answer(wanted, now) {
            return answer;
        }
        let (outside, uri, wanted) = (Arc::clone(&self.outside), uri.clone(), wanted.map(str::to_owned));
        let turns = Arc::clone(&self.turns);
        // A task of its own: whoever goes away in the middle would else let the next one ask at once.
        let asked = tokio::spawn(async move {
            let (_turn, _of_all) = (turn, turns.acquire().await);
            let fetched = fetch(&outside, &uri).await.map_err(|why| {
                let place = format!("{}{}", uri.origin().ascii_serialization(), uri.path());
                tracing::warn!(jwks_uri = place, why, "the keys of a client cannot be had");
                RemoteKeysError { why: why.into() }
            });
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
        // Boxed, or the future of every request would be as large as a question.
        Box::pin(self.remote_keys.keys(uri, wanted, monotonic())).await
    }
}

/// The keys that are published there now, and for how long they are good.
async fn fetch(outside: &Outside, uri: &Url) -> Result<(Vec<VerifyingKey>, Duration), String> {
    let request = http::Request::get(uri.as_str())
        .header(header::ACCEPT, "application/jwk-set+json, application/json")
        .body(Vec::new())
        .map_err(|error| chain(&error))?;
    let answer = outside.ask(request).await.map_err(|error| chain(&error))?;
    if answer.status() != StatusCode::OK {
        return Err(format!("it answers with status {}", answer.status().as_u16()));
    }
    Ok((key_set(answer.body())?, fresh_for(answer.headers())))
}

/// The keys of a JWK Set that prove signatures. Others are passed over (RFC 7517, section 5), and private ones too: the keys
/// beside them may still be secret.
fn key_set(text: &[u8]) -> Result<Vec<VerifyingKey>, String> {
    #[derive(Deserialize)]
    struct Set {
        keys: Vec<Map<String, Value>>,
    }
    let set: Set =
        read_object(text).map_err(|_| "it answers with no JWK Set, or with one that says something twice")?;
    if set.keys.len() > MOST_KEYS {
        return Err(format!("it answers with more than {MOST_KEYS} keys"));
    }
    let keys: Vec<_> = set.keys.iter().filter_map(|key| VerifyingKey::from_members(key).ok()).collect();
    let mut seen = HashSet::new();
    if !keys.iter().filter_map(VerifyingKey::kid).all(|kid| seen.insert(kid)) {
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
