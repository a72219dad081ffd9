//! Credentials in memory. An entry counts while it is young and none of the ids that it depends on was named since it was read.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use axum::http::HeaderMap;
use claviger_core::Touched;
use claviger_store::{Changes, FoundSecret, Mark, StoreError};
use claviger_token::{
    Brand, CredentialFacts, CredentialKind, Found, Opaque, OrganizationFacts, Presented, PrincipalFacts, Rights,
    RoleId, SecretFacts, SecretKind, TokenHash,
};
use jiff::Timestamp;
use parking_lot::Mutex;
use quick_cache::sync::Cache;

use super::{
    assertion::Signed,
    call::Written,
    catalog::{Catalog, KeptCatalog},
    common::CommonFacts,
    deny_list::KeptDenyList,
    fills::Fills,
    kept::{Kept, Own},
    parents::{Parent, Parents},
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
pub(super) const REFRESH_AGE: Duration = Duration::from_secs(25);

/// How long a background read that failed rests before the next.
pub(super) const REFRESH_PAUSE: Duration = Duration::from_secs(1);

/// What is known of credentials, by the hash of their token.
pub(crate) struct Credentials {
    pub(super) entries: Cache<TokenHash, Arc<Entry>>,
    /// What is being read right now, so that many who miss one entry read it once.
    fills: Fills<TokenHash, Arc<Entry>>,
    pub(super) parents: Parents,
    pub(super) deny_list: KeptDenyList,
    pub(super) catalog: KeptCatalog,
    pub(super) common: CommonFacts,
    pub(super) answers: Kept<Written>,
    pub(super) headers: Kept<HeaderMap>,
    pub(super) assertions: Kept<Signed>,
}

/// What was found for one token, or that nothing was.
pub(crate) struct Entry {
    known: Option<KnownSecret>,
    /// The roles that its rights came from.
    roles: Arc<[RoleId]>,
    /// Whether it counts because a signing key of ours proved it.
    signed: bool,
    mark: Mark,
    /// When the oldest part of it was read: that may be the catalog.
    read_at: Instant,
    /// When the credential itself was read.
    filled_at: Instant,
    refreshing: AtomicBool,
    /// What it saw since the last flush, if anything: most entries are at rest, and there are many.
    pub(super) tally: Mutex<Option<Box<Tally>>>,
    /// What it counts against, if anything.
    meters: Option<Arc<Meters>>,
    /// What the verify call tells of it while it is valid, if that depends on nothing else.
    pub(super) answer: Own<Written>,
    /// The same of forward-auth.
    pub(super) headers: Own<HeaderMap>,
    /// What an API is told of it, signed.
    pub(super) assertion: Own<Signed>,
}

/// A found secret, with what usage needs to know of it.
pub(super) struct KnownSecret {
    found: Found,
    pub(super) hint: Box<str>,
    /// Of its credential's secrets the one that its uses are told of, if there is one.
    pub(super) number: Option<u32>,
}

/// What a presented text turned out to be.
#[derive(Clone)]
pub(crate) struct LookedUp {
    /// Whether it has the form of a credential.
    pub(crate) presented: Presented,
    /// What is known of it; none for what was not looked for: it is malformed, or not what it was presented as.
    pub(crate) entry: Option<Arc<Entry>>,
}

/// What a text is presented as. A client secret proves a client at the token endpoint and is good for nothing else, and nothing
/// else proves a client there: whoever shows one in the other's place is told that it is unknown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PresentedAs {
    Bearer,
    ClientSecret,
}

impl PresentedAs {
    fn of(kind: SecretKind) -> Self {
        match kind {
            SecretKind::ClientSecret => Self::ClientSecret,
            SecretKind::ApiKey
            | SecretKind::TestApiKey
            | SecretKind::PersonalAccessToken
            | SecretKind::AccessToken
            | SecretKind::Portal
            | SecretKind::ClaimCode => Self::Bearer,
        }
    }
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

    fn new(known: Option<KnownSecret>, mark: Mark, read_at: Instant) -> Self {
        Self {
            known,
            roles: Arc::default(),
            signed: false,
            mark,
            read_at,
            filled_at: read_at,
            refreshing: AtomicBool::new(false),
            tally: Mutex::default(),
            meters: None,
            answer: Own::default(),
            headers: Own::default(),
            assertion: Own::default(),
        }
    }

    /// Of a well-formed text that nobody has.
    pub(super) fn unknown(mark: Mark, read_at: Instant) -> Self {
        Self::new(None, mark, read_at)
    }

    /// Of a token that was made from this credential, if the credential held at `mark`.
    pub(super) fn of_token(found: Found, parent: &Parent, signed: bool, mark: Mark) -> Self {
        let known = KnownSecret::new(found, Box::default());
        let (roles, meters) = (Arc::clone(&parent.roles), parent.meters.clone());
        Self { roles, meters, signed, ..Self::new(Some(known), mark, parent.read_at) }
    }

    /// Of a key that a client has proved to hold. Only what comes of it is for an API.
    pub(super) fn of_key(parent: &Parent, ends_at: Option<Timestamp>) -> Self {
        let (mut credential, principal, organization) =
            (parent.credential.clone(), Arc::clone(&parent.principal), Arc::clone(&parent.organization));
        // What comes of it ends with what proved it.
        credential.expires_at = credential.expires_at.into_iter().chain(ends_at).min();
        let rights = Rights::effective(&organization, &principal, &credential.permissions);
        let secret = Some(SecretFacts { number: 1, ends_at: None });
        let audiences = Arc::default();
        let found = Found { secret, token: None, credential, principal, organization, rights, audiences };
        let (roles, meters) = (Arc::clone(&parent.roles), parent.meters.clone());
        let known = KnownSecret::new(found, Box::default());
        Self { roles, meters, ..Self::new(Some(known), parent.mark(), parent.read_at) }
    }

    /// Of a credential whose bearer was let in before, by whichever of its secrets.
    pub(super) fn let_in(parent: &Parent, catalog: &Catalog) -> Self {
        let credential = parent.credential.clone();
        let (principal, organization) = (Arc::clone(&parent.principal), Arc::clone(&parent.organization));
        let rights = Rights::effective(&organization, &principal, &credential.permissions);
        let audiences = audiences(catalog, &principal, &credential);
        let found = Found { secret: None, token: None, credential, principal, organization, rights, audiences };
        let (roles, meters) = (Arc::clone(&parent.roles), parent.meters.clone());
        // As for uses that are reported: the newest, which whoever was let in long ago may not have had.
        let known = KnownSecret { number: parent.newest_secret, ..KnownSecret::new(found, Box::default()) };
        Self { roles, meters, ..Self::new(Some(known), parent.mark(), parent.read_at) }
    }

    /// The same token after it ended by itself.
    pub(super) fn ended(&self) -> Option<Self> {
        let mut found = self.found()?.clone();
        found.credential.revoked = true;
        found.token.as_mut()?.revoked = true;
        let known = KnownSecret::new(found, Box::default());
        let (roles, meters, signed) = (Arc::clone(&self.roles), self.meters.clone(), self.signed);
        Some(Self { roles, meters, signed, ..Self::new(Some(known), self.mark, self.read_at) })
    }

    /// Whether it counts because a signing key of ours proved it.
    pub(super) fn is_signed(&self) -> bool {
        self.signed
    }

    pub(super) fn known(&self) -> Option<&KnownSecret> {
        self.known.as_ref()
    }

    /// Whether something counts its uses, so that each answer is another.
    pub(super) fn is_metered(&self) -> bool {
        self.meters.is_some()
    }

    pub(super) fn holds(&self, changes: &Changes, now: Instant) -> bool {
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
        let signing_keys = self.signed.then_some(Touched::SigningKeys);
        own.into_iter().flatten().chain(self.roles.iter().copied().map(Touched::Role)).chain(signing_keys)
    }

    /// Whether it held when the log was last read.
    pub(super) fn held_at_last(&self, changes: &Changes) -> bool {
        self.known.is_some() && changes.held_at_last(self.mark, self.read_at, self.depends())
    }
}

impl KnownSecret {
    fn new(found: Found, hint: Box<str>) -> Self {
        let number = found.secret.as_ref().map(|secret| secret.number);
        Self { found, hint, number }
    }

    pub(super) fn found(&self) -> &Found {
        &self.found
    }
}

impl Credentials {
    pub(crate) fn new(entries: usize) -> Self {
        Self {
            entries: Cache::new(entries),
            fills: Fills::default(),
            parents: Parents::new(entries),
            deny_list: KeptDenyList::default(),
            catalog: KeptCatalog::default(),
            common: CommonFacts::default(),
            answers: Kept::default(),
            headers: Kept::default(),
            assertions: Kept::default(),
        }
    }

    /// How many are in memory.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

impl App {
    /// What is known of a text that was presented as a credential to use: from memory, or in one round trip to the database.
    pub(crate) async fn look_up(&self, presented: &str) -> Result<LookedUp, StoreError> {
        self.look_up_as(PresentedAs::Bearer, presented).await
    }

    /// The same of a text by which a client says who it is.
    pub(crate) async fn look_up_client_secret(&self, presented: &str) -> Result<LookedUp, StoreError> {
        self.look_up_as(PresentedAs::ClientSecret, presented).await
    }

    /// The brand of a text that is a token of some instance, but of none that this one accepts.
    pub(crate) fn foreign_brand(&self, presented: &str) -> Option<Brand> {
        Opaque::brand(presented).filter(|brand| !self.brands.contains(brand))
    }

    async fn look_up_as(&self, role: PresentedAs, presented: &str) -> Result<LookedUp, StoreError> {
        let Ok(opaque) = Opaque::parse(presented, &self.brands) else {
            return match role {
                PresentedAs::Bearer => self.look_up_jwt(presented).await,
                // A token proves no client, not even the one that it was given to.
                PresentedAs::ClientSecret => Ok(LookedUp { presented: Presented::Malformed, entry: None }),
            };
        };
        if role != PresentedAs::of(opaque.kind) {
            return Ok(LookedUp { presented: Presented::WellFormed, entry: None });
        }
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
        let is_token = opaque.kind == SecretKind::AccessToken;
        let entry = if is_token { self.unless_ended(opaque.hash, entry).await? } else { entry };
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

    async fn read_together(&self, opaque: &Opaque) -> Result<Arc<Entry>, StoreError> {
        let changes = self.store.changes();
        let holds = |entry: &Arc<Entry>| entry.holds(changes, monotonic());
        self.credentials.fills.read_together(opaque.hash, changes, holds, || self.read_entry(opaque)).await
    }

    async fn read_entry(&self, opaque: &Opaque) -> Result<Arc<Entry>, StoreError> {
        let entry = self.read(opaque).await?;
        self.keep(opaque.hash, &entry);
        Ok(entry)
    }

    async fn read(&self, opaque: &Opaque) -> Result<Arc<Entry>, StoreError> {
        if opaque.kind == SecretKind::AccessToken {
            return self.read_opaque_token(&opaque.hash).await;
        }
        let (mark, filled_at) = (self.store.changes().mark(), monotonic());
        let mut read_at = filled_at;
        let known = self.find(opaque).await?;
        let (known, roles, meters) = match known {
            None => (None, Arc::default(), None),
            Some(mut secret) => {
                let roles = self.credentials.common.roles(std::mem::take(&mut secret.roles));
                let catalog = self.catalog().await?;
                // Its mark needs no such care: a catalog that holds here was not named before `mark` either.
                read_at = read_at.min(catalog.read_at);
                let known = known_secret(secret, &catalog, &self.credentials.common);
                let Found { credential, principal, organization, .. } = &known.found;
                let meters = self.meters(credential, principal, organization).await?;
                (Some(known), roles, meters.map(Arc::new))
            }
        };
        Ok(Arc::new(Entry { roles, meters, filled_at, ..Entry::new(known, mark, read_at) }))
    }

    /// Keeps what was read, unless something that it depends on changed meanwhile: the guard against a stale fill is
    /// the same test that every use makes.
    pub(super) fn keep(&self, hash: TokenHash, entry: &Arc<Entry>) {
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
                SecretKind::ClientSecret => self.store.find_client_secret(&digest).await?,
                SecretKind::AccessToken | SecretKind::Portal | SecretKind::ClaimCode => None,
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }
}

/// What was read, without what no API declares any more, which is nobody's; and in memory once.
pub(super) fn shared_facts(
    mut credential: CredentialFacts,
    mut principal: PrincipalFacts,
    organization: OrganizationFacts,
    catalog: &Catalog,
    common: &CommonFacts,
) -> (CredentialFacts, Arc<PrincipalFacts>, Arc<OrganizationFacts>) {
    principal.permissions = catalog.declared(&principal.permissions);
    principal.instance_permissions = catalog.declared(&principal.instance_permissions);
    credential.permissions = common.list(credential.permissions);
    (credential, common.principal(principal), common.organization(organization))
}

/// The APIs that a credential is for.
fn audiences(catalog: &Catalog, principal: &PrincipalFacts, credential: &CredentialFacts) -> Arc<[String]> {
    let permissions = principal.permissions.masked_by(&credential.permissions);
    catalog.audiences(&permissions.union(credential.permissions.named()))
}

fn known_secret(secret: FoundSecret, catalog: &Catalog, common: &CommonFacts) -> KnownSecret {
    let FoundSecret { secret, hint, credential, principal, roles: _, organization } = secret;
    // Shared before rights are made of them, which then are shared, too.
    let (credential, principal, organization) = shared_facts(credential, principal, organization, catalog, common);
    let rights = Rights::effective(&organization, &principal, &credential.permissions);
    let audiences = common.audiences(audiences(catalog, &principal, &credential));
    let found = Found { secret: Some(secret), token: None, credential, principal, organization, rights, audiences };
    KnownSecret::new(found, hint.into())
}

#[cfg(test)]
mod tests {
    use claviger_core::{By, Grantor, IssuingContext, NewClientSecret, Reach, RevokeReason};
    use claviger_token::{PermissionSet, Secret, Verdict};

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
    async fn a_client_secret_proves_a_client_and_is_no_bearer_credential() {
        let (app, _directory) = app().await;
        let (made, by) = (app.bootstrap(true).await.unwrap(), By::operator());
        let mut tx = app.store.begin(&by).await.unwrap();
        let key = tx.within(Reach::Instance).credential(made.api_key_id).await.unwrap().unwrap();
        let organization = tx.within(Reach::Instance).organization(key.organization).await.unwrap().unwrap();
        let held = PermissionSet::default();
        let context = IssuingContext {
            organization: &organization,
            principal: key.principal,
            held: &held,
            held_everywhere: &held,
            declared: &held,
            grantor: Grantor::Operator,
            governs: true,
            brand: &app.config.brand,
        };
        let new = NewClientSecret { name: "ci".to_owned(), expires_at: None };
        let issued = new.issue(&context, 0, "operator".to_owned(), app.now(), &mut app.rng()).unwrap();
        tx.insert_credential(&issued.credential, &app.peppers.digest(&issued.secret.hash())).await.unwrap();
        tx.commit(issued.event, app.now(), &mut app.rng()).await.unwrap();

        let (id, secret) = (issued.credential.id, issued.secret);
        for _ in 0..2 {
            let client = app.look_up_client_secret(secret.expose()).await.unwrap();
            let found = client.found().unwrap();
            assert_eq!((found.credential.id, found.principal.id), (id, key.principal));
            // What is in memory by then is in memory for clients only.
            assert_eq!(verdict(&app, &secret).await.code(), "unknown");
            assert!(app.look_up(secret.expose()).await.unwrap().entry.is_none());
        }
        let other = app.look_up_client_secret(made.api_key.expose()).await.unwrap();
        assert_eq!((other.presented, other.found().is_none()), (Presented::WellFormed, true));
        assert_eq!(verdict(&app, &made.api_key).await, Verdict::Valid);
        assert_eq!(app.look_up_client_secret("clv_cs_x").await.unwrap().presented, Presented::Malformed);

        revoke(&app, id).await;
        let ended = app.look_up_client_secret(secret.expose()).await.unwrap();
        assert!(ended.found().unwrap().credential.revoked);
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
        assert!(app.credentials.fills.is_empty());
    }

    #[tokio::test]
    async fn a_read_that_a_revocation_overtook_is_not_shared_with_who_came_after_it() {
        let (app, _directory) = app().await;
        let made = app.bootstrap(true).await.unwrap();
        let opaque = Opaque::parse(made.api_key.expose(), &app.brands).unwrap();
        let joined = app.credentials.fills.join(opaque.hash);
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
        assert!(app.credentials.fills.is_empty());
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
