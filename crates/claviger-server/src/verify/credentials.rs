//! Credentials in memory. An entry counts while it is young and none of the ids that it depends on was named since it was read.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use claviger_core::{Api, Digest, Reach, Touched};
use claviger_store::{Changes, FoundSecret, Mark, StoreError};
use claviger_token::{
    ApiKeyId, CredentialId, Found, Opaque, Permission, PermissionSet, Presented, PrincipalId, Rights, SecretKind,
    TokenHash,
};
use parking_lot::{Mutex, RwLock};
use quick_cache::sync::Cache;

use super::usage::Tally;
use crate::app::{App, Shared, monotonic};

/// For how long "there is no such credential" is remembered: one may be made on another node meanwhile.
const UNKNOWN_LIFE: Duration = Duration::from_secs(1);

/// An entry in use is read again in the background at this age, so that no caller waits when it ends, and
/// so that it outlives a short outage of the database.
const REFRESH_AGE: Duration = Duration::from_secs(25);

/// What is known of credentials, by the hash of their token.
pub(crate) struct Credentials {
    entries: Cache<TokenHash, Arc<Entry>>,
    catalog: RwLock<Option<Arc<Catalog>>>,
}

/// What was found for one token, or that nothing was.
pub(crate) struct Entry {
    known: Option<KnownSecret>,
    /// Ids whose change makes this stale.
    depends: Box<[Touched]>,
    mark: Mark,
    read_at: Instant,
    refreshing: AtomicBool,
    pub(super) tally: Mutex<Tally>,
}

/// A found secret, with what usage needs to know of it.
pub(super) struct KnownSecret {
    found: Found,
    pub(super) digest: Digest,
    pub(super) hint: String,
}

/// Which API declares which permission.
pub(crate) struct Catalog {
    apis: Vec<Api>,
    declared: PermissionSet,
    mark: Mark,
    read_at: Instant,
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
}

impl Entry {
    /// The facts for the verdict, if the credential exists.
    pub(crate) fn found(&self) -> Option<&Found> {
        self.known.as_ref().map(|known| &known.found)
    }

    pub(super) fn known(&self) -> Option<&KnownSecret> {
        self.known.as_ref()
    }

    fn holds(&self, changes: &Changes, now: Instant) -> bool {
        let life = if self.known.is_some() { Changes::ENTRY_LIFE } else { UNKNOWN_LIFE };
        now.saturating_duration_since(self.read_at) < life && changes.hold_since(self.mark, &self.depends)
    }
}

impl KnownSecret {
    pub(super) fn found(&self) -> &Found {
        &self.found
    }

    /// The API key's id, if that is what it is.
    pub(super) fn api_key(&self) -> Option<ApiKeyId> {
        match self.found.credential.id {
            CredentialId::ApiKey(id) => Some(id),
            CredentialId::PersonalAccessToken(_) => None,
        }
    }
}

impl Catalog {
    /// The permissions of the APIs that this principal serves, if it serves any of `audiences`.
    pub(crate) fn served_by(&self, principal: PrincipalId, audiences: &[String]) -> Option<PermissionSet> {
        let PrincipalId::ServiceAccount(server) = principal else { return None };
        let served = self
            .apis
            .iter()
            .filter(|api| api.resource_servers.contains(&server) && audiences.contains(&api.identifier));
        let mut permissions = served.flat_map(permission_names).peekable();
        permissions.peek()?;
        Some(permissions.collect())
    }

    /// The identifiers of the APIs that declare one of these permissions.
    fn audiences(&self, permissions: &PermissionSet) -> Arc<[String]> {
        let concerned = |api: &&Api| permission_names(api).any(|name| permissions.contains(name.as_str()));
        self.apis.iter().filter(concerned).map(|api| api.identifier.clone()).collect()
    }
}

fn permission_names(api: &Api) -> impl Iterator<Item = Permission> {
    api.permissions.iter().map(|permission| permission.name.clone())
}

impl Credentials {
    pub(crate) fn new(entries: usize) -> Self {
        Self { entries: Cache::new(entries), catalog: RwLock::new(None) }
    }
}

impl App {
    /// What is known of a presented text: from memory, or in one round trip to the database.
    pub(crate) async fn look_up(&self, presented: &str) -> Result<LookedUp, StoreError> {
        let Ok(opaque) = Opaque::parse(presented, &self.brands) else {
            return Ok(LookedUp { presented: Presented::Malformed, entry: None });
        };
        let entry = match self.remembered(&opaque) {
            Some(entry) => entry,
            None => self.read_entry(&opaque).await?,
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
        if now.saturating_duration_since(entry.read_at) > REFRESH_AGE
            && entry.known.is_some()
            && !entry.refreshing.swap(true, Ordering::Relaxed)
        {
            let (app, opaque) = (self.clone(), Opaque { kind: opaque.kind, hash: opaque.hash });
            tokio::spawn(async move {
                if let Err(error) = app.read_entry(&opaque).await {
                    tracing::debug!(%error, "a credential could not be read again");
                }
            });
        }
        Some(entry)
    }

    async fn read_entry(&self, opaque: &Opaque) -> Result<Arc<Entry>, StoreError> {
        let entry = self.read(opaque).await?;
        self.keep(opaque.hash, &entry);
        Ok(entry)
    }

    async fn read(&self, opaque: &Opaque) -> Result<Arc<Entry>, StoreError> {
        let (mark, read_at) = (self.store.changes().mark(), monotonic());
        let known = match opaque.kind {
            SecretKind::ApiKey | SecretKind::TestApiKey => self.find(&opaque.hash).await?,
            SecretKind::PersonalAccessToken
            | SecretKind::ClientSecret
            | SecretKind::AccessToken
            | SecretKind::Portal => None,
        };
        let (known, depends) = match known {
            None => (None, Box::default()),
            Some(secret) => {
                let depends = depends(&secret);
                (Some(known_secret(secret, &*self.catalog().await?)), depends)
            }
        };
        let refreshing = AtomicBool::new(false);
        Ok(Arc::new(Entry { known, depends, mark, read_at, refreshing, tally: Mutex::default() }))
    }

    /// Keeps what was read, unless something that it depends on changed meanwhile: the guard against a stale fill is
    /// the same test that every use makes.
    fn keep(&self, hash: TokenHash, entry: &Arc<Entry>) {
        if entry.holds(self.store.changes(), monotonic()) {
            self.credentials.entries.insert(hash, Arc::clone(entry));
        }
    }

    async fn find(&self, hash: &TokenHash) -> Result<Option<FoundSecret>, StoreError> {
        for digest in self.peppers.candidates(hash) {
            if let Some(found) = self.store.find_api_key(&digest).await? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}

impl Shared {
    /// The APIs as they are now.
    pub(crate) async fn catalog(&self) -> Result<Arc<Catalog>, StoreError> {
        let changes = self.store.changes();
        let (mark, read_at) = (changes.mark(), monotonic());
        let holds = |catalog: &&Arc<Catalog>| {
            read_at.saturating_duration_since(catalog.read_at) < Changes::ENTRY_LIFE
                && changes.hold_since(catalog.mark, &[Touched::Catalog])
        };
        if let Some(catalog) = self.credentials.catalog.read().as_ref().filter(holds) {
            return Ok(Arc::clone(catalog));
        }
        let apis = self.store.within(Reach::Instance).catalog().await?;
        let declared = apis.iter().flat_map(permission_names).collect();
        let catalog = Arc::new(Catalog { apis, declared, mark, read_at });
        *self.credentials.catalog.write() = Some(Arc::clone(&catalog));
        Ok(catalog)
    }
}

fn depends(secret: &FoundSecret) -> Box<[Touched]> {
    [
        Touched::Credential(secret.credential.id),
        Touched::Principal(secret.principal.id),
        Touched::Organization(secret.organization.id),
        Touched::Catalog,
    ]
    .into_iter()
    .chain(secret.roles.iter().copied().map(Touched::Role))
    .collect()
}

fn known_secret(secret: FoundSecret, catalog: &Catalog) -> KnownSecret {
    let FoundSecret { digest, secret, hint, credential, mut principal, roles: _, organization } = secret;
    // What no API declares any more is nobody's.
    principal.permissions = declared(&principal.permissions, catalog);
    principal.instance_permissions = declared(&principal.instance_permissions, catalog);
    let rights = Rights::effective(&organization, &principal, &credential.permissions);
    let audiences = catalog
        .audiences(&principal.permissions.masked_by(&credential.permissions).union(credential.permissions.named()));
    let (principal, organization) = (Arc::new(principal), Arc::new(organization));
    KnownSecret { found: Found { secret, credential, principal, organization, rights, audiences }, digest, hint }
}

fn declared(permissions: &PermissionSet, catalog: &Catalog) -> PermissionSet {
    permissions.iter().filter(|permission| catalog.declared.contains(permission.as_str())).cloned().collect()
}

#[cfg(test)]
mod tests {
    use claviger_core::{By, RevokeReason};
    use claviger_token::{Secret, Verdict};

    use super::*;
    use crate::app::tests::app;

    async fn verdict(app: &App, token: &Secret) -> Verdict {
        let looked_up = app.look_up(token.expose()).await.unwrap();
        claviger_token::state(&looked_up.presented, looked_up.found(), app.now())
    }

    async fn revoke(app: &App, id: ApiKeyId) {
        let by = By::operator();
        let mut tx = app.store.begin(&by).await.unwrap();
        let key = tx.to_change(Reach::Instance).api_key(id).await.unwrap().unwrap();
        let (key, event) = key.revoke(RevokeReason::Unspecified, app.now()).unwrap();
        tx.save_api_key(&key).await.unwrap();
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
