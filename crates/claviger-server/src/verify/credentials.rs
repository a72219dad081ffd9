//! Credentials in memory. An entry counts while it is young and none of the ids that it depends on was named since it was read.

use std::{
    collections::HashMap,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use axum::http::HeaderMap;
use claviger_core::Touched;
use claviger_store::{Changes, FoundSecret, Mark, StoreError};
use claviger_token::{CredentialKind, Found, Opaque, Presented, Rights, RoleId, SecretKind, TokenHash};
use parking_lot::Mutex;
use quick_cache::sync::Cache;
use tokio::sync::OnceCell;

use super::{
    call::Written,
    catalog::{Catalog, KeptCatalog},
    common::CommonFacts,
    kept::{Kept, Own},
    usage::Tally,
};
use crate::{
    app::{App, monotonic},
    limits::Meters,
};

/// For how long "there is no such credential" is remembered: one may be made on another node meanwhile.
const UNKNOWN_LIFE: Duration = Duration::from_secs(1);

/// An entry in use is read again in the background at this age, so that no caller waits when it ends, and
/// so that it outlives a short outage of the database.
const REFRESH_AGE: Duration = Duration::from_secs(25);

/// How long a background read that failed rests before the next.
pub(super) const REFRESH_PAUSE: Duration = Duration::from_secs(1);

/// What is known of credentials, by the hash of their token.
pub(crate) struct Credentials {
    entries: Cache<TokenHash, Arc<Entry>>,
    /// What is being read right now, so that many who miss one entry read it once.
    fills: Mutex<HashMap<TokenHash, Arc<Fill>>>,
    pub(super) catalog: KeptCatalog,
    common: CommonFacts,
    pub(super) answers: Kept<Written>,
    pub(super) headers: Kept<HeaderMap>,
}

/// A read that is shared: what was found and where in the changes the read began; `None` if it failed.
type Fill = OnceCell<Option<(Mark, Arc<Entry>)>>;

/// What was found for one token, or that nothing was.
pub(crate) struct Entry {
    known: Option<KnownSecret>,
    /// The roles that its rights came from.
    roles: Box<[RoleId]>,
    mark: Mark,
    /// When the oldest part of it was read: that may be the catalog.
    read_at: Instant,
    /// When the credential itself was read.
    filled_at: Instant,
    refreshing: AtomicBool,
    /// What it saw since the last flush, if anything: most entries are at rest, and there are many.
    pub(super) tally: Mutex<Option<Box<Tally>>>,
    /// What it counts against, if anything.
    meters: Option<Box<Meters>>,
    /// What the verify call tells of it while it is valid, if that depends on nothing else.
    pub(super) answer: Own<Written>,
    /// The same of forward-auth.
    pub(super) headers: Own<HeaderMap>,
}

/// A found secret, with what usage needs to know of it.
pub(super) struct KnownSecret {
    found: Found,
    pub(super) hint: Box<str>,
}

/// What a presented text turned out to be.
pub(crate) struct LookedUp {
    /// Whether it has the form of a credential.
    pub(crate) presented: Presented,
    /// What is known of it; none for a malformed one.
    pub(crate) entry: Option<Arc<Entry>>,
}

impl LookedUp {
    /// The facts for the verdict.
    pub(crate) fn found(&self) -> Option<&Found> {
        self.entry.as_ref()?.found()
    }

    /// What it counts against, if anything.
    pub(crate) fn meters(&self) -> Option<&Meters> {
        self.entry.as_ref()?.meters.as_deref()
    }

    /// What kind of credential it is, if it is one.
    pub(crate) fn kind(&self) -> Option<CredentialKind> {
        Some(self.found()?.credential.kind)
    }
}

impl Entry {
    /// The facts for the verdict, if the credential exists.
    pub(crate) fn found(&self) -> Option<&Found> {
        self.known.as_ref().map(|known| &known.found)
    }

    pub(super) fn known(&self) -> Option<&KnownSecret> {
        self.known.as_ref()
    }

    /// Whether something counts its uses, so that each answer is another.
    pub(super) fn is_metered(&self) -> bool {
        self.meters.is_some()
    }

    fn holds(&self, changes: &Changes, now: Instant) -> bool {
        let life = if self.known.is_some() { Changes::ENTRY_LIFE } else { UNKNOWN_LIFE };
        now.saturating_duration_since(self.read_at) < life && changes.hold_since(self.mark, self.depends())
    }

    /// Ids whose change makes this stale. An unknown one is stale soon in any case.
    fn depends(&self) -> impl Iterator<Item = Touched> {
        let own = self.found().map(|found| {
            [
                Touched::Credential(found.credential.id),
                Touched::Principal(found.principal.id),
                Touched::Organization(found.organization.id),
                Touched::Catalog,
            ]
        });
        own.into_iter().flatten().chain(self.roles.iter().copied().map(Touched::Role))
    }
}

impl KnownSecret {
    pub(super) fn found(&self) -> &Found {
        &self.found
    }
}

impl Credentials {
    pub(crate) fn new(entries: usize) -> Self {
        Self {
            entries: Cache::new(entries),
            fills: Mutex::default(),
            catalog: KeptCatalog::default(),
            common: CommonFacts::default(),
            answers: Kept::default(),
            headers: Kept::default(),
        }
    }

    /// How many are in memory.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Takes part in the read of an entry that is under way, or begins one.
    fn join(&self, hash: TokenHash) -> Joined<'_> {
        let fill = Arc::clone(self.fills.lock().entry(hash).or_default());
        Joined { credentials: self, hash, fill }
    }
}

/// Somebody's part in a shared read.
struct Joined<'a> {
    credentials: &'a Credentials,
    hash: TokenHash,
    fill: Arc<Fill>,
}

impl Drop for Joined<'_> {
    /// A read that has ended is nobody's any more; one whose reader went away belongs to those who still wait.
    fn drop(&mut self) {
        let mut fills = self.credentials.fills.lock();
        let is_last = self.fill.initialized() || Arc::strong_count(&self.fill) == 2;
        if is_last && fills.get(&self.hash).is_some_and(|fill| Arc::ptr_eq(fill, &self.fill)) {
            fills.remove(&self.hash);
        }
    }
}

impl App {
    /// What is known of a presented text: from memory, or in one round trip to the database.
    pub(crate) async fn look_up(&self, presented: &str) -> Result<LookedUp, StoreError> {
        let Ok(opaque) = Opaque::parse(presented, &self.brands) else {
            return Ok(LookedUp { presented: Presented::Malformed, entry: None });
        };
        let entry = match self.remembered(&opaque) {
            Some(entry) => {
                self.metrics.cache_hits.inc();
                entry
            }
            None => {
                self.metrics.cache_misses.inc();
                // Boxed, or the future of every request would hold, and copy, a whole read of the database.
                Box::pin(self.read_together(&opaque)).await?
            }
        };
        Ok(LookedUp { presented: Presented::WellFormed, entry: Some(entry) })
    }

    fn remembered(&self, opaque: &Opaque) -> Option<Arc<Entry>> {
        let now = monotonic();
        let entry = self.credentials.entries.get(&opaque.hash)?;
        let changes = self.store.changes();
        if changes.staleness(now) > self.config.max_staleness || !entry.holds(changes, now) {
            return None;
        }
        if now.saturating_duration_since(entry.filled_at) > REFRESH_AGE
            && entry.known.is_some()
            && !entry.refreshing.swap(true, Ordering::Relaxed)
        {
            let (app, opaque) = (self.clone(), Opaque { kind: opaque.kind, hash: opaque.hash });
            let old = Arc::clone(&entry);
            tokio::spawn(async move {
                if let Err(error) = app.read_entry(&opaque).await {
                    tracing::debug!(%error, "a credential could not be read again");
                    tokio::time::sleep(REFRESH_PAUSE).await;
                    old.refreshing.store(false, Ordering::Relaxed);
                }
            });
        }
        Some(entry)
    }

    /// Reads an entry, or waits for somebody who reads it already. What was read before this began counts only if
    /// nothing of it was named since: a change that was acknowledged before is seen.
    async fn read_together(&self, opaque: &Opaque) -> Result<Arc<Entry>, StoreError> {
        let began = self.store.changes().mark();
        loop {
            let joined = self.credentials.join(opaque.hash);
            let mut failure = None;
            let read = joined.fill.get_or_init(async || {
                let mark = self.store.changes().mark();
                let read = self.read_entry(opaque).await.map_err(|error| failure = Some(error));
                read.ok().map(|entry| (mark, entry))
            });
            match read.await {
                Some((mark, entry)) if *mark >= began || entry.holds(self.store.changes(), monotonic()) => {
                    return Ok(Arc::clone(entry));
                }
                Some(_) => {}
                None => {
                    let shared =
                        || StoreError::Unavailable(io::Error::other("the read that others began failed").into());
                    return Err(failure.unwrap_or_else(shared));
                }
            }
        }
    }

    async fn read_entry(&self, opaque: &Opaque) -> Result<Arc<Entry>, StoreError> {
        let entry = self.read(opaque).await?;
        self.keep(opaque.hash, &entry);
        Ok(entry)
    }

    async fn read(&self, opaque: &Opaque) -> Result<Arc<Entry>, StoreError> {
        let (mark, filled_at) = (self.store.changes().mark(), monotonic());
        let mut read_at = filled_at;
        let known = self.find(opaque).await?;
        let (known, roles, meters) = match known {
            None => (None, Box::default(), None),
            Some(secret) => {
                let roles = secret.roles.clone().into_boxed_slice();
                let catalog = self.catalog().await?;
                // Its mark needs no such care: a catalog that holds here was not named before `mark` either.
                read_at = read_at.min(catalog.read_at);
                let known = known_secret(secret, &catalog, &self.credentials.common);
                let meters = self.meters(&known.found).await?;
                (Some(known), roles, (!meters.is_empty()).then(|| Box::new(meters)))
            }
        };
        Ok(Arc::new(Entry {
            known,
            roles,
            mark,
            read_at,
            filled_at,
            refreshing: AtomicBool::new(false),
            tally: Mutex::default(),
            meters,
            answer: Own::default(),
            headers: Own::default(),
        }))
    }

    /// Keeps what was read, unless something that it depends on changed meanwhile: the guard against a stale fill is
    /// the same test that every use makes.
    fn keep(&self, hash: TokenHash, entry: &Arc<Entry>) {
        if entry.holds(self.store.changes(), monotonic()) {
            self.credentials.entries.insert(hash, Arc::clone(entry));
        } else {
            self.metrics.fills_discarded.inc();
        }
    }

    /// The kind that the token's prefix tells says where to look.
    async fn find(&self, opaque: &Opaque) -> Result<Option<FoundSecret>, StoreError> {
        for digest in self.peppers.candidates(&opaque.hash) {
            let found = match opaque.kind {
                SecretKind::ApiKey | SecretKind::TestApiKey => self.store.find_api_key(&digest).await?,
                SecretKind::PersonalAccessToken => self.store.find_personal_access_token(&digest).await?,
                SecretKind::ClientSecret | SecretKind::AccessToken | SecretKind::Portal => None,
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }
}

fn known_secret(secret: FoundSecret, catalog: &Catalog, common: &CommonFacts) -> KnownSecret {
    let FoundSecret { secret, hint, mut credential, mut principal, roles: _, organization } = secret;
    // What no API declares any more is nobody's.
    principal.permissions = catalog.declared(&principal.permissions);
    principal.instance_permissions = catalog.declared(&principal.instance_permissions);
    // Shared before rights are made of them, which then are shared, too.
    let (principal, organization) = (common.principal(principal), common.organization(organization));
    credential.permissions = common.list(credential.permissions);
    let rights = Rights::effective(&organization, &principal, &credential.permissions);
    let audiences = catalog
        .audiences(&principal.permissions.masked_by(&credential.permissions).union(credential.permissions.named()));
    let audiences = common.audiences(audiences);
    KnownSecret { found: Found { secret, credential, principal, organization, rights, audiences }, hint: hint.into() }
}

#[cfg(test)]
mod tests {
    use claviger_core::{By, Reach, RevokeReason};
    use claviger_token::{Secret, Verdict};

    use super::*;
    use crate::app::tests::app;

    async fn verdict(app: &App, token: &Secret) -> Verdict {
        let looked_up = app.look_up(token.expose()).await.unwrap();
        claviger_token::state(&looked_up.presented, looked_up.found(), app.now())
    }

    async fn revoke(app: &App, id: claviger_token::CredentialId) {
        let by = By::operator();
        let mut tx = app.store.begin(&by).await.unwrap();
        let key = tx.to_change(Reach::Instance).credential(id).await.unwrap().unwrap();
        let (key, event) = key.revoke(RevokeReason::Unspecified, app.now()).unwrap();
        tx.save_credential(&key).await.unwrap();
        tx.commit(event, app.now(), &mut app.rng()).await.unwrap();
    }

    #[tokio::test]
    async fn a_fill_that_a_revocation_overtook_is_discarded() {
        let (app, _directory) = app().await;
        let made = app.bootstrap(true).await.unwrap();
        let opaque = Opaque::parse(made.api_key.expose(), &app.brands).unwrap();

        let stale = app.read(&opaque).await.unwrap();
        assert!(!stale.found().unwrap().credential.revoked);
        revoke(&app, made.api_key_id).await;
        app.keep(opaque.hash, &stale);

        assert_eq!(verdict(&app, &made.api_key).await.code(), "revoked");
    }

    #[tokio::test]
    async fn many_who_miss_one_entry_read_it_once() {
        let (app, _directory) = app().await;
        let made = app.bootstrap(true).await.unwrap();
        let looked_up = (0..50).map(|_| {
            let (app, token) = (app.clone(), Secret::new(made.api_key.expose().to_owned()));
            tokio::spawn(async move { app.look_up(token.expose()).await.unwrap().entry.unwrap() })
        });
        let mut entries = Vec::new();
        for task in looked_up.collect::<Vec<_>>() {
            entries.push(task.await.unwrap());
        }
        assert!(entries.iter().all(|entry| Arc::ptr_eq(entry, &entries[0])));
        assert!(app.credentials.fills.lock().is_empty());
    }

    #[tokio::test]
    async fn a_read_that_a_revocation_overtook_is_not_shared_with_who_came_after_it() {
        let (app, _directory) = app().await;
        let made = app.bootstrap(true).await.unwrap();
        let opaque = Opaque::parse(made.api_key.expose(), &app.brands).unwrap();
        let joined = app.credentials.join(opaque.hash);
        let slow = Some((app.store.changes().mark(), app.read(&opaque).await.unwrap()));

        revoke(&app, made.api_key_id).await;
        let late = tokio::spawn({
            let (app, token) = (app.clone(), Secret::new(made.api_key.expose().to_owned()));
            async move { verdict(&app, &token).await }
        });
        joined
            .fill
            .get_or_init(async || {
                tokio::task::yield_now().await;
                slow
            })
            .await;
        drop(joined);

        assert_eq!(late.await.unwrap().code(), "revoked");
    }

    #[tokio::test]
    async fn a_reader_that_goes_away_leaves_the_read_to_those_who_wait() {
        let (app, _directory) = app().await;
        let made = app.bootstrap(true).await.unwrap();
        let token = Arc::new(made.api_key);
        let first = tokio::spawn({
            let (app, token) = (app.clone(), Arc::clone(&token));
            async move { app.look_up(token.expose()).await.map(drop) }
        });
        tokio::task::yield_now().await;
        first.abort();
        assert_eq!(verdict(&app, &token).await, Verdict::Valid);
        drop(first.await);
        assert!(app.credentials.fills.lock().is_empty());
    }

    /// Makes an entry, or the catalog, look as if it had been read this long ago.
    fn aged<T>(shared: Arc<T>, age: impl FnOnce(&mut T)) -> Arc<T> {
        let mut inner = Arc::into_inner(shared).unwrap();
        age(&mut inner);
        Arc::new(inner)
    }

    #[tokio::test]
    async fn a_background_read_that_failed_is_tried_again() {
        let (app, _directory) = app().await;
        let made = app.bootstrap(true).await.unwrap();
        let opaque = Opaque::parse(made.api_key.expose(), &app.brands).unwrap();
        let old = aged(app.read(&opaque).await.unwrap(), |entry| {
            entry.filled_at -= REFRESH_AGE + Duration::from_secs(1);
        });
        app.credentials.entries.insert(opaque.hash, Arc::clone(&old));
        app.store.database().close().await;

        assert!(app.remembered(&opaque).is_some());
        assert!(old.refreshing.load(Ordering::Relaxed));
        tokio::time::sleep(REFRESH_PAUSE + Duration::from_millis(500)).await;
        assert!(!old.refreshing.load(Ordering::Relaxed), "the next use tries again");
    }

    #[tokio::test]
    async fn an_entry_does_not_outlive_the_catalog_that_it_was_made_from() {
        let (app, _directory) = app().await;
        let made = app.bootstrap(true).await.unwrap();
        let opaque = Opaque::parse(made.api_key.expose(), &app.brands).unwrap();
        drop(app.read_catalog().await.unwrap());
        let catalog = app.credentials.catalog.current.write().take().unwrap();
        let catalog = aged(catalog, |catalog| catalog.read_at -= Changes::ENTRY_LIFE - Duration::from_secs(10));
        *app.credentials.catalog.current.write() = Some(catalog);

        let entry = app.read(&opaque).await.unwrap();
        let (changes, now) = (app.store.changes(), monotonic());
        assert!(entry.holds(changes, now));
        assert!(!entry.holds(changes, now + Duration::from_secs(10)));
    }

    #[tokio::test]
    async fn an_entry_in_use_is_dropped_by_a_change_and_kept_otherwise() {
        let (app, _directory) = app().await;
        let made = app.bootstrap(true).await.unwrap();
        let opaque = Opaque::parse(made.api_key.expose(), &app.brands).unwrap();
        assert_eq!(verdict(&app, &made.api_key).await, Verdict::Valid);
        assert!(app.remembered(&opaque).is_some());
        app.bootstrap(true).await.unwrap();
        assert!(app.remembered(&opaque).is_none(), "the root account was touched");
        assert_eq!(verdict(&app, &made.api_key).await, Verdict::Valid);
        revoke(&app, made.api_key_id).await;
        assert!(app.remembered(&opaque).is_none());
    }
}
