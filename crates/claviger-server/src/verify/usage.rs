//! Counting without writing: each entry keeps its own tally, tokens that are issued have one together, and a job writes them all within a second.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use claviger_store::{LastUse, RetiredUse, StoreError, UsageBatch};
use claviger_token::{CredentialId, Generation, OrganizationId, Permission, ServiceAccountId, Verdict};
use jiff::Timestamp;
use parking_lot::Mutex;

use super::credentials::{Entry, KnownSecret, LookedUp};
use crate::{
    app::{App, monotonic},
    metrics::Work,
};

const DAY_MS: i64 = 24 * 3_600_000;

/// More unwritten rows than this are not kept while the database is away: memory is bounded, counts are not exact then.
const MOST_PENDING: usize = 200_000;

/// Entries whose counts are written at a time, at the least: requests wait on a busy core while that is done.
const PART: usize = 32;

/// In how many parts at most, for each is a transaction, and all of them come before the next counts.
const MOST_PARTS: usize = 100;

/// How long the pauses between parts are together, and each of them at most, so that the requests that waited come first.
const PAUSES: Duration = Duration::from_millis(60);
const PAUSE: Duration = Duration::from_millis(10);

/// How often that is written by which the busiest credentials are found: it changes with every use, and its index with it.
const RANK_EVERY: Duration = Duration::from_secs(5);

/// What one entry saw since the flush before.
#[derive(Default)]
pub(crate) struct Tally {
    codes: Vec<(&'static str, u64)>,
    permissions: Vec<(Permission, u64)>,
    last: Option<(Timestamp, Option<IpAddr>)>,
    retired: bool,
    /// From where a retired secret was used last, as far as it was told.
    retired_from: Option<IpAddr>,
    queued: bool,
}

/// How many, and the last of them, by client and grant.
type Issued = HashMap<(ServiceAccountId, &'static str), (Timestamp, u64)>;

/// The entries with something to write, and what could not be written yet.
#[derive(Default)]
pub(crate) struct Usage {
    queue: Mutex<Vec<Arc<Entry>>>,
    pending: tokio::sync::Mutex<UsageBatch>,
    ranked: Mutex<Option<Instant>>,
    /// Access tokens that were issued since the flush before.
    issued: Mutex<Issued>,
}

impl Usage {
    /// Counts an access token that a client got by a grant.
    pub(crate) fn count_issued(&self, client: ServiceAccountId, grant: &'static str, now: Timestamp) {
        let mut issued = self.issued.lock();
        let (last, tokens) = issued.entry((client, grant)).or_insert((now, 0));
        *last = now;
        *tokens += 1;
    }

    fn note_issued(&self, pending: &mut UsageBatch) {
        let issued = std::mem::take(&mut *self.issued.lock());
        for ((client, grant), (last, tokens)) in issued {
            // However many tokens there are, there are few of these.
            pending.count_issued(client, last, grant, tokens);
        }
    }

    /// Counts one verdict on a known credential. Unknown ones have nobody to count for.
    pub(crate) fn count(
        &self,
        looked_up: &LookedUp,
        verdict: Verdict,
        permissions: &[Permission],
        from: Option<IpAddr>,
        now: Timestamp,
    ) {
        let Some(entry) = &looked_up.entry else { return };
        let Some(known) = entry.known() else { return };
        let mut place = entry.tally.lock();
        let tally = place.get_or_insert_default();
        add(&mut tally.codes, verdict.code(), |code, other| code == other);
        // What the credential could never do is not counted: its bearer could make up names without end.
        let found = known.found();
        let own = |name: &&Permission| {
            found.rights.permissions.contains(name.as_str())
                || found.credential.permissions.named().contains(name.as_str())
        };
        for permission in permissions.iter().filter(own) {
            add(&mut tally.permissions, permission.clone(), |permission, other| permission == other);
        }
        let from = from.map(|ip| ip.to_canonical());
        tally.last = Some((now, from));
        if found.generation(now) == Some(Generation::Retired) {
            tally.retired = true;
            tally.retired_from = from.or(tally.retired_from);
        }
        if !std::mem::replace(&mut tally.queued, true) {
            drop(place);
            self.queue.lock().push(Arc::clone(entry));
        }
    }
}

fn add<T>(counts: &mut Vec<(T, u64)>, item: T, same: impl Fn(&T, &T) -> bool) {
    match counts.iter_mut().find(|(counted, _)| same(counted, &item)) {
        Some((_, count)) => *count += 1,
        None => {
            // There are few, and as many tallies as credentials that were used since the flush before.
            counts.reserve_exact(1);
            counts.push((item, 1));
        }
    }
}

impl App {
    /// Writes what was counted. What cannot be written is kept for the next time, and a failure names what it was.
    pub(crate) async fn flush_usage(&self) -> Result<(), (Work, StoreError)> {
        let mut pending = self.usage.pending.lock().await;
        self.usage.note_issued(&mut pending);
        // What could not be written before goes first.
        let mut written = self.write(&mut pending).await;
        let queue = std::mem::take(&mut *self.usage.queue.lock());
        let size = queue.len().div_ceil(MOST_PARTS).max(PART);
        let parts = queue.len().div_ceil(size).try_into().unwrap_or(u32::MAX);
        for part in queue.chunks(size) {
            for entry in part {
                let tally = entry.tally.lock().take();
                if let (Some(known), Some(tally)) = (entry.known(), tally)
                    && pending.rows() < MOST_PENDING
                {
                    note(&mut pending, known, *tally);
                }
            }
            if written.is_ok() {
                written = self.write(&mut pending).await;
                pause(PAUSES / parts).await;
            }
        }
        if written.is_ok() && self.must_rank() {
            let mut ranks = std::mem::take(&mut pending.ranks);
            // These may be many, and whoever tells of uses meanwhile does not wait for them.
            drop(pending);
            written = self.store.flush_ranks(&mut ranks).await.map_err(|error| (Work::Usage, error));
            pending = self.usage.pending.lock().await;
            pending.take_back(ranks);
        }
        self.metrics.usage_pending.set(i64::try_from(pending.rows()).unwrap_or(i64::MAX));
        written
    }

    /// Makes days of the hours of use that are not kept, in turns, as long as it goes on. What time it is, PostgreSQL is asked too: a node whose
    /// clock is ahead would make days of hours that others still look at, and days do not become hours again.
    pub async fn keep_usage(&self, goes_on: impl Fn() -> bool) -> Result<(), StoreError> {
        let now = self.now();
        let now = self.store.database().server_time().await?.map_or(now, |servers| servers.min(now));
        while goes_on() && self.store.keep_usage(self.config.usage_kept, now).await? > 0 {}
        Ok(())
    }

    /// Whether it is time, or there will be no other.
    fn must_rank(&self) -> bool {
        let (mut ranked, now) = (self.usage.ranked.lock(), monotonic());
        let is_due = ranked.is_none_or(|last| now.duration_since(last) >= RANK_EVERY);
        if is_due {
            *ranked = Some(now);
        }
        is_due || self.is_stopping()
    }

    async fn write(&self, pending: &mut UsageBatch) -> Result<(), (Work, StoreError)> {
        let flushed = self.store.flush_usage(pending, self.now(), &mut self.rng()).await;
        flushed.map_err(|error| (Work::Usage, error))?;
        while let Some((&credential, used)) = pending.retired.first_key_value() {
            let told = self.store.tell_retired_use(used, self.now(), &mut self.rng()).await;
            told.map_err(|error| (Work::Audit, error))?;
            pending.retired.remove(&credential);
        }
        Ok(())
    }
}

/// The timer knows no less than a millisecond.
async fn pause(time: Duration) {
    if time < Duration::from_millis(1) {
        tokio::task::yield_now().await;
    } else {
        tokio::time::sleep(time.min(PAUSE)).await;
    }
}

fn note(batch: &mut UsageBatch, known: &KnownSecret, tally: Tally) {
    let Some((at, from)) = tally.last else { return };
    let found = known.found();
    let (id, ms) = (found.credential.id, at.as_millisecond());
    for (code, uses) in tally.codes {
        batch.count((found.organization.id, id), at, code, uses);
    }
    for (permission, uses) in tally.permissions {
        *batch.permission_days.entry((id, ms - ms.rem_euclid(DAY_MS), permission)).or_default() += uses;
    }
    // A token is counted for its credential, and is none of its secrets.
    let Some(number) = known.number else { return };
    batch.note_last_use((id, number), LastUse { at, from: from.map(|ip| ip.to_string()) });
    if tally.retired {
        let organization = found.organization.id;
        let (hint, from) = (known.hint.to_string(), tally.retired_from);
        batch.retired.insert(id, RetiredUse { credential: id, organization, number, hint, from });
    }
}

/// Uses that were judged elsewhere.
pub(super) struct Reported {
    pub(super) organization: OrganizationId,
    pub(super) credential: CredentialId,
    pub(super) generation: Option<Generation>,
    pub(super) code: &'static str,
    pub(super) count: u64,
    pub(super) permissions: Vec<(Permission, u64)>,
    pub(super) at: Timestamp,
    pub(super) from: Option<IpAddr>,
}

impl App {
    /// Whether more can be counted before what was counted is written.
    pub(super) async fn usage_has_room(&self) -> bool {
        self.usage.pending.lock().await.rows() < MOST_PENDING
    }

    /// The numbers of the newest secrets of those whose secrets were used.
    pub(super) async fn newest_secrets_of(&self, uses: &[Reported]) -> Result<HashMap<CredentialId, u32>, StoreError> {
        let of_secrets = uses.iter().filter(|used| used.generation.is_some()).map(|used| used.credential);
        self.store.newest_secrets(of_secrets).await
    }

    /// Counts what was judged elsewhere; written with the next flush.
    pub(super) async fn count_reported(&self, uses: Vec<Reported>, newest: &HashMap<CredentialId, u32>) {
        let mut pending = self.usage.pending.lock().await;
        for used in uses {
            let (id, ms) = (used.credential, used.at.as_millisecond());
            pending.count((used.organization, id), used.at, used.code, used.count);
            for (permission, count) in used.permissions {
                *pending.permission_days.entry((id, ms - ms.rem_euclid(DAY_MS), permission)).or_default() += count;
            }
            if let (Some(newest), Some(generation)) = (newest.get(&id), used.generation) {
                let is_before = generation == Generation::Retiring;
                let number = if is_before { newest.saturating_sub(1).max(1) } else { *newest };
                let last = LastUse { at: used.at, from: used.from.map(|ip| ip.to_canonical().to_string()) };
                pending.note_last_use((id, number), last);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use claviger_core::By;
    use claviger_token::{ApiKeyId, TypedId as _};

    use super::*;
    use crate::app::tests::app;

    #[tokio::test]
    async fn a_retired_use_is_kept_until_it_is_told() {
        let (app, _directory) = app().await;
        let used = || {
            let credential = CredentialId::from(ApiKeyId::generate(app.now(), &mut app.rng()));
            let organization = OrganizationId::generate(app.now(), &mut app.rng());
            (credential, RetiredUse { credential, organization, number: 1, hint: "h1xy".to_owned(), from: None })
        };
        app.usage.pending.lock().await.retired.extend([used(), used()]);
        app.flush_usage().await.unwrap();
        assert_eq!(app.usage.pending.lock().await.rows(), 0);

        app.usage.pending.lock().await.retired.extend([used(), used()]);
        app.store.database().close().await;
        assert!(app.flush_usage().await.is_err());
        assert_eq!(app.usage.pending.lock().await.rows(), 2);
    }

    #[tokio::test]
    async fn who_tells_of_uses_does_not_wait_for_the_ranks() {
        let (app, _directory) = app().await;
        let credential = CredentialId::from(ApiKeyId::generate(app.now(), &mut app.rng()));
        let rank = (OrganizationId::generate(app.now(), &mut app.rng()), credential, 0);
        app.usage.pending.lock().await.ranks.insert(rank, 1);
        // Whoever writes waits for this one.
        let by = By::system();
        let turn = app.store.begin(&by).await.unwrap();
        let flushing = tokio::spawn({
            let app = app.clone();
            async move { app.flush_usage().await }
        });
        while !app.usage.pending.lock().await.ranks.is_empty() {
            tokio::task::yield_now().await;
        }
        assert!(!flushing.is_finished());
        drop(turn);
        flushing.await.unwrap().unwrap();
        assert!(app.usage.pending.lock().await.ranks.is_empty());

        // What could not be written is there for the next time.
        app.usage.pending.lock().await.ranks.insert(rank, 2);
        *app.usage.ranked.lock() = None;
        app.store.database().close().await;
        assert!(app.flush_usage().await.is_err());
        assert_eq!(app.usage.pending.lock().await.ranks[&rank], 2);
    }
}
