//! `/oauth/status/{list}`: which access tokens are dead, for verifiers that never ask us about one
//! (draft-ietf-oauth-status-list).
//!
//! A place in a list belongs to an epoch of a credential, so that whatever takes something from the credential kills every token that
//! was made before. The room must not know why a place is dead, nor how a token is made.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    extract::{Path, State},
    http::{HeaderMap, header},
    response::Response,
};
use claviger_core::Touched;
use claviger_store::{Changes, Mark, StatusPlace, StatusShard, StoreError};
use claviger_token::{
    CredentialId, Found, ServiceAccountId, SigningAlgorithm, StatusClaim, StatusList, StatusReference, TokenStatus,
};
use jiff::{SignedDuration, Timestamp};
use parking_lot::RwLock;
use quick_cache::sync::Cache;
use serde::Serialize;

use super::{signed_document::SignedDocument, signing_keys::SignError};
use crate::{
    app::{App, monotonic},
    problem::{Problem, RequestError},
};

/// How old a list may be at the origin, if anything changed since.
const FRESH: Duration = Duration::from_secs(1);

/// For how long a verifier keeps one before it asks again.
const TTL: Duration = Duration::from_secs(30);

/// For how long one counts if we cannot be reached: as long as the longest token, so that an outage of ours is not one of every
/// verifier at once.
const LIFE_SECONDS: i64 = claviger_core::LONGEST_TOKEN as i64;

/// How far the clock of another node may be ahead.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_secs(60);

const TYP: &str = "statuslist+jwt";

/// The claims of a list (section 5.1 of the draft).
#[derive(Serialize)]
struct Claims<'a> {
    /// Its own address, as tokens name it.
    sub: &'a str,
    iat: i64,
    exp: i64,
    ttl: u64,
    status_list: Members,
}

#[derive(Serialize)]
struct Members {
    bits: u8,
    lst: String,
}

/// A list as it was signed last.
struct Signed {
    document: SignedDocument,
    mark: Mark,
    read_at: Instant,
}

impl Signed {
    /// Whether it may be told: as long as nothing changed, but for a moment in any case.
    fn holds(&self, changes: &Changes, now: Instant) -> bool {
        let age = now.saturating_duration_since(self.read_at);
        let unchanged = changes.mark() == self.mark && changes.staleness(now) < FRESH;
        age < FRESH || (unchanged && age < TTL)
    }
}

/// The lists that were asked for lately, and the places that were given.
pub(crate) struct KeptStatusLists {
    places: Cache<(i64, CredentialId, u64), StatusPlace>,
    /// Which clients got tokens for credentials of others.
    exchanges: Cache<(i64, ServiceAccountId, CredentialId), ()>,
    lists: RwLock<HashMap<StatusShard, Arc<Signed>>>,
    /// Held by whoever makes the next one.
    turn: tokio::sync::Mutex<()>,
}

impl KeptStatusLists {
    pub(crate) fn new(places: usize) -> Self {
        Self {
            places: Cache::new(places),
            exchanges: Cache::new(places),
            lists: RwLock::default(),
            turn: tokio::sync::Mutex::default(),
        }
    }
}

impl App {
    /// Where a token that is made now from this epoch of a credential says that its state is told.
    pub async fn status_claim(
        &self,
        credential: CredentialId,
        epoch: u64,
        now: Timestamp,
    ) -> Result<StatusClaim, StoreError> {
        let given = match self.status_lists.places.get(&(StatusShard::week_of(now), credential, epoch)) {
            Some(given) => given,
            None => self.learn_place(credential, epoch, now).await?,
        };
        Ok(StatusClaim { status_list: StatusReference { idx: given.place, uri: self.list_uri(given.list) } })
    }

    /// Whether this node knows by now that an epoch of a credential has a place, and that a client gets tokens for it. If it learns that
    /// only here, nothing counts any more that it read of the two before: of what was taken from them without a place, no token would
    /// have been told.
    pub(super) async fn knows_place(&self, found: &Found, client: ServiceAccountId) -> Result<bool, StoreError> {
        let (credential, epoch, now) = (found.credential.id, found.credential.epoch, self.now());
        let week = StatusShard::week_of(now);
        let has_place = self.status_lists.places.get(&(week, credential, epoch)).is_some();
        let exchange = (week, client, credential);
        let is_told = found.principal.id == client.into() || self.status_lists.exchanges.get(&exchange).is_some();
        if has_place && is_told {
            return Ok(true);
        }
        if !has_place {
            self.learn_place(credential, epoch, now).await?;
        }
        if !is_told {
            self.store.exchanged_by(week, client, credential).await?;
            self.status_lists.exchanges.insert(exchange, ());
        }
        self.store.changes().name(&[Touched::Credential(credential), Touched::Principal(client.into())], monotonic());
        Ok(false)
    }

    async fn learn_place(
        &self,
        credential: CredentialId,
        epoch: u64,
        now: Timestamp,
    ) -> Result<StatusPlace, StoreError> {
        let week = StatusShard::week_of(now);
        let given = self.store.status_place(week, credential, epoch, &mut self.rng()).await?;
        self.status_lists.places.insert((week, credential, epoch), given);
        Ok(given)
    }

    fn list_uri(&self, list: StatusShard) -> String {
        format!("{}/oauth/status/{}-{}", self.config.public_url, list.week, list.shard)
    }

    fn kept_list(&self, list: StatusShard) -> Option<Arc<Signed>> {
        let kept = self.status_lists.lists.read().get(&list).cloned()?;
        kept.holds(self.store.changes(), monotonic()).then_some(kept)
    }

    /// A list as it is now; `None` if nobody has a place in it.
    async fn signed_list(&self, list: StatusShard) -> Result<Option<Arc<Signed>>, RequestError> {
        let _turn = self.status_lists.turn.lock().await;
        // Whose turn it was before may have made it for all.
        if let Some(kept) = self.kept_list(list) {
            return Ok(Some(kept));
        }
        let (mark, read_at, now) = (self.store.changes().mark(), monotonic(), self.now());
        let Some(places) = self.store.status_list(list).await? else { return Ok(None) };
        let uri = self.list_uri(list);
        let iat = now.as_second();
        let lst = encoded(places).await?;
        let status_list = Members { bits: StatusList::BITS, lst };
        let claims = Claims { sub: &uri, iat, exp: iat + LIFE_SECONDS, ttl: TTL.as_secs(), status_list };
        let document = SignedDocument::new(self.sign(SigningAlgorithm::default(), TYP, &claims).await?).await;
        let signed = Arc::new(Signed { document, mark, read_at });
        let mut lists = self.status_lists.lists.write();
        lists.retain(|kept, _| is_served(kept.week, now));
        lists.insert(list, Arc::clone(&signed));
        Ok(Some(signed))
    }
}

/// Beside the requests: a list in which much is dead takes a while to compress.
async fn encoded(places: Vec<(u64, TokenStatus)>) -> Result<String, RequestError> {
    let encode = move || {
        let mut list = StatusList::default();
        places.into_iter().for_each(|(place, status)| list.set(place, status));
        list.encode()
    };
    match tokio::task::spawn_blocking(encode).await {
        Ok(Ok(lst)) => Ok(lst),
        Ok(Err(error)) => Err(unavailable(&error)),
        Err(error) => Err(unavailable(&error)),
    }
}

impl From<SignError> for RequestError {
    fn from(error: SignError) -> Self {
        match error {
            SignError::Store(error) => error.into(),
            error @ (SignError::NoKey(_) | SignError::Failed(_)) => unavailable(&error),
        }
    }
}

pub(super) fn unavailable(cause: &dyn std::fmt::Display) -> RequestError {
    tracing::error!(%cause, "a public document could not be signed");
    let detail = "this cannot be signed right now; try again in a moment";
    RequestError::unreadable(axum::http::StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
}

/// Tokens live for less than a week: of those that count, none names another. The clock of the node that made one may be ahead.
fn is_served(week: i64, now: Timestamp) -> bool {
    (StatusShard::week_of(now) - 1..=StatusShard::week_of(now + CLOCKS_DIFFER)).contains(&week)
}

/// A week has no more lists than this: there is room for some fifty million credentials. Strangers can ask for no more either.
const MOST_SHARDS: i64 = 64;

/// `{week}-{shard}`, each written in one way only.
fn parse(name: &str) -> Option<StatusShard> {
    let (week, shard) = name.split_once('-')?;
    let list = StatusShard { week: number(week)?, shard: number(shard)? };
    (list.shard < MOST_SHARDS).then_some(list)
}

fn number(digits: &str) -> Option<i64> {
    let canonical = digits.bytes().all(|byte| byte.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    if canonical && digits.len() <= 6 { digits.parse().ok() } else { None }
}

/// A status list
///
/// A signed JWT (`typ` `statuslist+jwt`) whose list has two bits for each place: 0 the token counts, 1 it is dead, 2 it does
/// not count for now. Which list and which place stands in a token's `status` claim. Ask again after `ttl` seconds.
#[utoipa::path(
    get, path = "/oauth/status/{list}", tag = "OAuth", operation_id = "showStatusList",
    params(("list" = String, Path, description = "As the `uri` of a token's `status` claim ends", example = "2900-0")),
    responses(
        (status = 200, body = String, content_type = "application/statuslist+jwt"),
        (status = 404, description = "No token that counts names it", body = Problem),
        (status = 503, description = "Not now", body = Problem),
    ),
)]
pub(crate) async fn show(
    State(app): State<App>,
    Path(list): Path<String>,
    headers: HeaderMap,
) -> Result<Response, RequestError> {
    let now = app.now();
    let list = parse(&list).filter(|list| is_served(list.week, now)).ok_or(RequestError::NotFound)?;
    let signed = match app.kept_list(list) {
        Some(kept) => kept,
        None => app.signed_list(list).await?.ok_or(RequestError::NotFound)?,
    };
    // No cache adds to what a verifier keeps it for by itself.
    let said = [(header::CACHE_CONTROL, "public, max-age=1")];
    Ok(signed.document.response(&headers, "application/statuslist+jwt", said))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_one_name() {
        let check = |name: &str, expected: Option<(i64, i64)>| {
            assert_eq!(parse(name).map(|list| (list.week, list.shard)), expected, "{name}");
        };
        check("2900-0", Some((2900, 0)));
        check("0-12", Some((0, 12)));
        for name in ["", "-", "2900", "2900-", "-0", "2900-00", "02900-0", "+2900-0", "2900--1", "2900-0-0", "2900-0 "]
        {
            check(name, None);
        }
        check("2900-9999999", None);
        check("99999999999999999999-0", None);
        check("٢٩٠٠-0", None);
    }

    #[test]
    fn lists_of_this_week_and_the_last_are_served_and_of_the_next_a_minute_early() {
        let week = 604_800;
        let check = |second: i64, expected: [bool; 4]| {
            let now = Timestamp::from_second(second).unwrap();
            assert_eq!([8, 9, 10, 11].map(|week| is_served(week, now)), expected, "{second}");
        };
        check(10 * week, [false, true, true, false]);
        check(11 * week - 61, [false, true, true, false]);
        check(11 * week - 60, [false, true, true, true]);
    }

    #[tokio::test]
    async fn a_list_is_told_while_nothing_changed_and_for_a_second_in_any_case() {
        let start = monotonic();
        let changes = Changes::new(start);
        let list = Signed { document: SignedDocument::new(String::new()).await, mark: changes.mark(), read_at: start };
        let after = |ms| start + Duration::from_millis(ms);
        let at = |ms| list.holds(&changes, after(ms));
        assert!(at(0) && at(999));
        assert!(!at(1000), "nobody read what changed for a second");
        let read = |ms| {
            let changes = Changes::new(after(ms));
            (changes.mark() == list.mark).then(|| list.holds(&changes, after(ms)))
        };
        assert_eq!([1000, 29_999, 30_000].map(read), [Some(true), Some(true), Some(false)]);
        changes.name(&[claviger_core::Touched::Catalog], start);
        assert!(at(999) && !at(1000));
    }
}
