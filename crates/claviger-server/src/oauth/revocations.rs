//! `/oauth/revocations`: what ended lately, for verifiers that never ask us about a token and want to know at once.
//!
//! A short list of credentials, each with the lowest epoch whose tokens still count, and of tokens that ended by themselves. Whoever
//! waits for news waits on one reader of the database, however many they are. The room must not know why something ended.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use claviger_core::{LONGEST_TOKEN, Reach};
use claviger_store::{Changes, Mark, StoreError};
use claviger_token::{AccessTokenId, CredentialId, SigningAlgorithm};
use jiff::SignedDuration;
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, Semaphore, watch};
use utoipa::IntoParams;

use super::{Signer, is_known, signed_document::SignedDocument};
use crate::{
    app::{App, monotonic},
    problem::{Problem, RequestError},
    session::hex,
};

/// For how long something is told: longer than any token of before counts, and time for clocks that differ.
const TOLD_FOR: SignedDuration = SignedDuration::from_secs(LONGEST_TOKEN as i64 + 300);

/// After how long whoever does not wait should ask again.
const TTL: Duration = Duration::from_secs(1);

/// How old `iat` may be.
const SIGNED_FOR: Duration = Duration::from_secs(30);

/// How long what was read counts, though something changed. It is longer while reading takes long.
const FRESH: Duration = Duration::from_millis(100);
const MOST_FRESH: Duration = Duration::from_secs(1);

/// How old it may be while nothing changed: what is told for long enough is left out some day.
const AGE: Duration = Duration::from_secs(30);

/// The longest wait for news, in seconds.
const LONGEST_WAIT: u64 = 30;

/// How many may wait at a time; who comes after them is answered at once.
const MOST_WAITING: usize = 1000;

/// After so many seconds whoever waits for news gets it anew, or its `exp` would pass in their hands.
const RENEWED_AFTER: i64 = LONGEST_TOKEN as i64 / 2;

const TYP: &str = "revocations+jwt";

/// What ended lately.
#[derive(Serialize)]
struct Revocations {
    credentials: Vec<Ended>,
    tokens: Vec<AccessTokenId>,
}

/// A credential of which not all tokens count.
#[derive(Serialize)]
struct Ended {
    cred: CredentialId,
    /// The lowest epoch whose tokens count.
    min_epoch: u64,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    iat: i64,
    exp: i64,
    ttl: u64,
    revocations: &'a Revocations,
}

/// The feed as it was read last.
struct Feed {
    /// Of what it says and who signed it, and not of when that was; but another one long before what was signed ends.
    tag: String,
    document: Arc<SignedDocument>,
    signed_at: Instant,
    mark: Mark,
    read_at: Instant,
    fresh: Duration,
}

impl Feed {
    fn holds(&self, changes: &Changes, now: Instant) -> bool {
        let age = now.saturating_duration_since(self.read_at);
        let unchanged = changes.mark() == self.mark && changes.staleness(now) < MOST_FRESH;
        now.saturating_duration_since(self.signed_at) < SIGNED_FOR && (age < self.fresh || (unchanged && age < AGE))
    }
}

/// The last feed that was read, and who waits for the next.
pub(crate) struct KeptRevocations {
    current: RwLock<Option<Arc<Feed>>>,
    /// Held by whoever reads the next one.
    turn: Mutex<()>,
    places: Semaphore,
    /// Whether nobody may wait any more; sent again whenever the feed says something else.
    news: watch::Sender<bool>,
}

impl KeptRevocations {
    pub(crate) fn new() -> Self {
        let (current, turn) = (RwLock::default(), Mutex::default());
        Self { current, turn, places: Semaphore::new(MOST_WAITING), news: watch::Sender::new(false) }
    }
}

impl App {
    async fn revocations(&self) -> Result<Arc<Feed>, RequestError> {
        if let Some(kept) = self.kept_revocations() {
            return Ok(kept);
        }
        let _turn = self.revocations.turn.lock().await;
        // Whose turn it was before has read it for all.
        match self.kept_revocations() {
            Some(kept) => Ok(kept),
            None => self.read_revocations().await,
        }
    }

    fn kept_revocations(&self) -> Option<Arc<Feed>> {
        let kept = self.revocations.current.read().clone()?;
        kept.holds(self.store.changes(), monotonic()).then_some(kept)
    }

    async fn read_revocations(&self) -> Result<Arc<Feed>, RequestError> {
        let (mark, read_at, now) = (self.store.changes().mark(), monotonic(), self.now());
        let since = now - TOLD_FOR;
        let credentials = self.store.raised_epochs(since).await?;
        let credentials = credentials.into_iter().map(|(cred, min_epoch)| Ended { cred, min_epoch }).collect();
        let mut tokens = self.revoked_tokens(now - SignedDuration::from_secs(300)).await?;
        tokens.sort_unstable();
        let revocations = Revocations { credentials, tokens };
        let said = serde_json::to_vec(&revocations).map_err(|error| super::status_list::unavailable(&error))?;
        // The same on every node, because the pepper is.
        let keys = self.signing_keys().await?;
        let kid = keys.signer(SigningAlgorithm::default(), now).map_or("", Signer::kid);
        let period = now.as_second() / RENEWED_AFTER;
        let tag = hex(&self.peppers.keyed_hash("revocations", &[&said, kid.as_bytes(), &period.to_be_bytes()])[..12]);
        let tag = format!("\"{tag}\"");
        let before = self.revocations.current.read().clone();
        let same = before.filter(|before| before.tag == tag);
        let signed =
            same.as_ref().filter(|before| read_at.saturating_duration_since(before.signed_at) < SIGNED_FOR / 2);
        let (document, signed_at) = match signed {
            Some(before) => (Arc::clone(&before.document), before.signed_at),
            None => {
                let iat = now.as_second();
                let (iss, exp, ttl) = (&self.config.public_url, iat + i64::from(LONGEST_TOKEN), TTL.as_secs());
                let claims = Claims { iss, iat, exp, ttl, revocations: &revocations };
                let jws = self.sign(SigningAlgorithm::default(), TYP, &claims).await?;
                (Arc::new(SignedDocument::new(jws).await), read_at)
            }
        };
        // No more than a fifth of the time is spent on this.
        let fresh = (monotonic().saturating_duration_since(read_at) * 4).clamp(FRESH, MOST_FRESH);
        let feed = Arc::new(Feed { tag, document, signed_at, mark, read_at, fresh });
        *self.revocations.current.write() = Some(Arc::clone(&feed));
        if same.is_none() {
            self.revocations.news.send_modify(|_| {});
        }
        Ok(feed)
    }

    /// Tokens that ended by themselves and would count at `at`.
    async fn revoked_tokens(&self, at: jiff::Timestamp) -> Result<Vec<AccessTokenId>, StoreError> {
        self.store.within(Reach::Instance).revoked_access_tokens(at).await
    }

    /// Reads the feed if it may say something else, for all who wait for that.
    pub(crate) async fn tell_who_waits(&self) -> Result<(), RequestError> {
        if self.revocations.news.receiver_count() == 0 { Ok(()) } else { self.revocations().await.map(drop) }
    }

    /// Lets nobody wait any more.
    pub(crate) fn let_nobody_wait(&self) {
        self.revocations.news.send_replace(true);
    }

    /// The feed once it says something else than `asked` knows, or as it is when the time is over.
    async fn news(&self, asked: &HeaderMap, wait: Duration) -> Result<Arc<Feed>, RequestError> {
        let mut news = self.revocations.news.subscribe();
        let over = tokio::time::sleep(wait);
        tokio::pin!(over);
        loop {
            let is_last = *news.borrow_and_update();
            let feed = self.revocations().await?;
            if is_last || !is_known(asked, &feed.tag) {
                return Ok(feed);
            }
            tokio::select! {
                changed = news.changed() => if changed.is_err() { return Ok(feed) },
                () = &mut over => return self.revocations().await,
            }
        }
    }
}

/// How to ask for it.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RevocationsQuery {
    /// With `If-None-Match`: wait so many seconds for something else to say; 30 at most.
    #[serde(default)]
    #[param(maximum = 30)]
    wait: u64,
}

/// What ended lately
///
/// A signed JWT (`typ` `revocations+jwt`) of the last 65 minutes, which is longer than any token counts. `revocations.credentials` has
/// `{cred, min_epoch}`: of tokens with this `cred`, those with a lower `epoch` are dead. `revocations.tokens` has the `jti` of tokens that
/// ended by themselves. What was told before holds on: the highest `min_epoch` of a `cred` counts. Ask again after `ttl` seconds, or at once with
/// `wait` and `If-None-Match`.
#[utoipa::path(
    get, path = "/oauth/revocations", tag = "OAuth", operation_id = "showRevocations",
    params(RevocationsQuery),
    responses(
        (status = 200, body = String, content_type = "application/revocations+jwt"),
        (status = 304, description = "As you have it"),
        (status = 400, description = "No such wait", body = Problem),
        (status = 503, description = "Not now", body = Problem),
    ),
)]
pub(crate) async fn show(
    State(app): State<App>,
    query: Result<Query<RevocationsQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, RequestError> {
    let refused = |detail| RequestError::unreadable(StatusCode::BAD_REQUEST, "invalid_query", detail);
    let Query(asked) = query.map_err(|error| refused(error.body_text()))?;
    if asked.wait > LONGEST_WAIT {
        return Err(refused(format!("wait for 0 to {LONGEST_WAIT} seconds")));
    }
    let place = (asked.wait > 0).then(|| app.revocations.places.try_acquire().ok()).flatten();
    let feed = match &place {
        Some(_) => app.news(&headers, Duration::from_secs(asked.wait)).await?,
        None => app.revocations().await?,
    };
    let said = [(header::ETAG, format!("W/{}", feed.tag)), (header::CACHE_CONTROL, "no-cache".to_owned())];
    if is_known(&headers, &feed.tag) {
        return Ok((StatusCode::NOT_MODIFIED, said).into_response());
    }
    Ok(feed.document.response(&headers, "application/revocations+jwt", said))
}
