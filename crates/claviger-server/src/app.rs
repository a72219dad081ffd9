//! What every handler shares. The clock and the random generator are read here and in `jobs.rs` only.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use claviger_core::{Api, BUILTIN_ROLES, BuiltinRole, By, DataKey, Peppers, Reach, Role, SessionLife};
use claviger_store::{Store, StoreError, UsageKept};
use claviger_token::{Brand, IssuerKey, NetworkSet, Secret};
use jiff::{SignedDuration, Timestamp};
use rand::{CryptoRng, rand_core::UnwrapErr};

use crate::{
    access_log::AccessLog,
    feed::Followers,
    limits::{Limiter, RedisAt},
    metrics::Metrics,
    oauth::{KeptRevocations, KeptSigningKeys, KeptStatusLists, RemoteKeys},
    passwords::Passwords,
    provider::{Provider, ProviderAt},
    throttle::Throttle,
    verify::{Credentials, Usage},
};

/// What the operator chose; `claviger` reads it from its settings.
#[derive(Debug)]
pub struct Config {
    /// The instance's address for clients, without a slash at the end; also its OAuth issuer.
    pub public_url: String,
    /// The prefix of new tokens.
    pub brand: Brand,
    /// Prefixes of old tokens that are still accepted.
    pub former_brands: Vec<Brand>,
    /// For how long verdicts may come from cache while the change log cannot be read.
    pub max_staleness: Duration,
    /// For how long requests are taken after a stop was asked for, while readiness says that they go elsewhere.
    pub drain_time: Duration,
    /// How services on this machine call the internal listener, without a slash at the end; pages tell it.
    pub internal_url: String,
    /// Names by which the internal listener may be called.
    pub internal_hosts: Vec<String>,
    /// What callers of the internal listener must present; none on loopback.
    pub internal_token: Option<Secret>,
    /// How many credentials are kept in memory.
    pub cache_entries: usize,
    /// A Redis that makes limits exact across nodes.
    pub redis: Option<RedisAt>,
    /// Proxies that are believed about who their clients are.
    pub trusted_proxies: Option<NetworkSet>,
    /// Whether they say in `Client-Cert` what certificate their client showed (RFC 9440).
    pub client_certificate_header: bool,
    /// The instance's address for clients that show certificates, if it is another than `public_url`, without a slash at the end.
    pub mtls_url: Option<String>,
    /// Whether somebody collects spans of requests.
    pub traces: bool,
    /// Where each use is told, if anywhere.
    pub access_log: AccessLog,
    /// How long somebody stays signed in.
    pub sessions: SessionLife,
    /// Where people may sign in instead.
    pub provider: Option<ProviderAt>,
    /// Networks in which services that customers name may be asked, besides the public internet.
    pub outbound_networks: Option<NetworkSet>,
    /// How long a key signs tokens before the next one does.
    pub signing_key_rotation: SignedDuration,
    /// For how long use is kept, by the hour and by the day.
    pub usage_kept: UsageKept,
    /// Whether every proof of possession must have a nonce of ours (RFC 9449, section 8).
    pub dpop_nonce: bool,
}

impl Config {
    /// Whether clients can show certificates at all.
    pub(crate) fn takes_certificates(&self) -> bool {
        self.client_certificate_header || self.mtls_url.is_some()
    }

    /// The addresses under which clients reach a path of the public listener.
    pub(crate) fn addresses_of(&self, path: &str) -> impl Iterator<Item = String> {
        let bases = std::iter::once(&self.public_url).chain(&self.mtls_url);
        bases.map(move |base| format!("{base}{path}"))
    }
}

/// How many at once look for the keys of clients.
const ASSERTION_READS: usize = 4;

/// The service's state, shared by all requests.
#[derive(Clone)]
pub struct App(Arc<Shared>);

/// What an [`App`] holds.
pub struct Shared {
    /// Storage.
    pub store: Store,
    /// For digests and keyed hashes.
    pub peppers: Peppers,
    /// What the operator chose.
    pub config: Config,
    /// Accepted prefixes, the current one first.
    pub(crate) brands: Vec<Brand>,
    pub(crate) credentials: Credentials,
    pub(crate) usage: Usage,
    pub(crate) limiter: Limiter,
    pub(crate) metrics: Metrics,
    pub(crate) passwords: Passwords,
    pub(crate) throttle: Throttle,
    /// Whose turn it is to redeem what a device asked for.
    pub(crate) redeeming: tokio::sync::Mutex<()>,
    pub(crate) totp_seeds: DataKey,
    pub(crate) signing_keys: KeptSigningKeys,
    pub(crate) status_lists: KeptStatusLists,
    pub(crate) revocations: KeptRevocations,
    pub(crate) followers: Followers,
    pub(crate) provider: Option<Provider>,
    pub(crate) remote_keys: RemoteKeys,
    pub(crate) issuer_keys: RemoteKeys<IssuerKey>,
    /// Turns of those who look for the keys of a client that has proved nothing yet.
    pub(crate) assertion_reads: tokio::sync::Semaphore,
    stopping: AtomicBool,
    clock: Clock,
}

impl std::ops::Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// The time, as the service sees it. Tests shift it.
#[derive(Debug, Clone, Default)]
pub struct Clock(Arc<AtomicI64>);

impl Clock {
    /// Moves every later reading of [`App::now`].
    pub fn advance(&self, by: SignedDuration) {
        self.0.fetch_add(i64::try_from(by.as_millis()).unwrap_or(0), Ordering::Relaxed);
    }
}

impl App {
    /// On an open store.
    pub fn new(
        store: Store,
        peppers: Peppers,
        totp_seeds: DataKey,
        signing_keys: DataKey,
        mut config: Config,
        clock: Clock,
    ) -> Self {
        let redirect = format!("{}/sign-in/oidc/callback", config.public_url);
        let provider = config.provider.take().map(|at| Provider::new(at, redirect));
        let brands = std::iter::once(&config.brand).chain(&config.former_brands).cloned().collect();
        let remote_keys = RemoteKeys::new(config.outbound_networks.clone());
        let issuer_keys = RemoteKeys::new(config.outbound_networks.clone());
        let credentials = Credentials::new(config.cache_entries);
        let status_lists = KeptStatusLists::new(config.cache_entries);
        let (usage, metrics) = (Usage::default(), Metrics::new());
        let limiter = Limiter::new(config.redis.as_ref(), &metrics);
        Self(Arc::new(Shared {
            store,
            peppers,
            config,
            brands,
            credentials,
            usage,
            limiter,
            metrics,
            passwords: Passwords::default(),
            throttle: Throttle::default(),
            redeeming: tokio::sync::Mutex::default(),
            totp_seeds,
            signing_keys: KeptSigningKeys::new(signing_keys),
            status_lists,
            revocations: KeptRevocations::new(),
            followers: Followers::new(),
            provider,
            remote_keys,
            issuer_keys,
            assertion_reads: tokio::sync::Semaphore::new(ASSERTION_READS),
            stopping: AtomicBool::new(false),
            clock,
        }))
    }

    /// From now on, who asks should go elsewhere.
    pub(crate) fn stops(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Whether a stop was asked for.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Now, in whole milliseconds, as it is stored.
    #[expect(clippy::disallowed_methods, reason = "this is where the service reads the clock")]
    pub fn now(&self) -> Timestamp {
        let shifted = Timestamp::now().as_millisecond().saturating_add(self.clock.0.load(Ordering::Relaxed));
        Timestamp::from_millisecond(shifted).unwrap_or(Timestamp::MAX)
    }

    /// Randomness from the operating system. If that fails there is nothing sound to do, and it panics.
    #[expect(clippy::disallowed_types, reason = "this is where the service draws randomness")]
    pub fn rng(&self) -> impl CryptoRng + Send + use<> {
        use rand::rngs::SysRng;
        UnwrapErr(SysRng)
    }

    /// Brings Claviger's own API and the built-in roles up to this version, and makes the first signing keys. Safe on several nodes at once.
    pub async fn install_builtins(&self) -> Result<(), StoreError> {
        self.tend_signing_keys().await?;
        // Whoever comes second looks again and finds it done. What is taken then, too, was not taken by another node.
        for builtin in BUILTIN_ROLES {
            if came_second(self.install_role(builtin).await)? {
                self.install_role(builtin).await?;
            }
        }
        if !came_second(self.install_api().await)? {
            return Ok(());
        }
        let done = self.install_api().await;
        if let Err(StoreError::Taken("identifier")) = done {
            let url = &self.config.public_url;
            tracing::error!(
                "another API has the identifier {url}, which is this instance's own: delete that API, or choose another public_url"
            );
        }
        done
    }

    async fn install_role(&self, builtin: &BuiltinRole) -> Result<(), StoreError> {
        let (by, now) = (By::system(), self.now());
        let mut tx = self.store.begin(&by).await?;
        let wanted = Role::builtin(builtin, now, &mut self.rng());
        let event = match tx.to_change(Reach::Instance).role_called(builtin.name, None).await? {
            Some(role) if role.permissions == wanted.permissions => return Ok(()),
            Some(role) => {
                let role = Role { id: role.id, ..wanted };
                tx.save_role(&role).await?;
                role.installed()
            }
            None => {
                tx.insert_role(&wanted).await?;
                wanted.installed()
            }
        };
        tx.commit(event, now, &mut self.rng()).await
    }

    async fn install_api(&self) -> Result<(), StoreError> {
        let (by, now) = (By::system(), self.now());
        let mut tx = self.store.begin(&by).await?;
        let Ok(wanted) = Api::builtin(&self.config.public_url, now, &mut self.rng()) else { return Ok(()) };
        let event = match tx.to_change(Reach::Instance).builtin_api().await? {
            Some(api) if api.identifier == wanted.identifier && api.permissions == wanted.permissions => return Ok(()),
            Some(api) => {
                let api = Api { id: api.id, ..wanted };
                tx.save_api(&api).await?;
                api.installed()
            }
            None => {
                tx.insert_api(&wanted).await?;
                wanted.installed()
            }
        };
        tx.commit(event, now, &mut self.rng()).await
    }
}

/// Whether somebody else has what was to be installed: of several nodes that start at once, one installs.
fn came_second(done: Result<(), StoreError>) -> Result<bool, StoreError> {
    match done {
        Ok(()) => Ok(false),
        Err(StoreError::Taken(_)) => Ok(true),
        Err(error) => Err(error),
    }
}

#[expect(clippy::disallowed_methods, reason = "cache ages and staleness are measured on the clock that never jumps")]
pub(crate) fn monotonic() -> Instant {
    Instant::now()
}

#[cfg(test)]
pub(crate) mod tests {
    use claviger_core::MasterKey;
    use claviger_store::{Changes, Database};

    use super::*;
    use crate::keys::Keys;

    /// An instance in a directory that is gone when dropped.
    pub(crate) async fn app() -> (App, tempfile::TempDir) {
        let (app, directory) = empty_app().await;
        app.install_builtins().await.unwrap();
        (app, directory)
    }

    /// Of an instance that nobody configured.
    pub(crate) fn config() -> Config {
        Config {
            public_url: "https://claviger.test".to_owned(),
            brand: Brand::default(),
            former_brands: Vec::new(),
            max_staleness: Duration::from_secs(30),
            drain_time: Duration::ZERO,
            internal_url: "http://127.0.0.1:7421".to_owned(),
            internal_hosts: Vec::new(),
            internal_token: None,
            cache_entries: 100,
            redis: None,
            trusted_proxies: None,
            client_certificate_header: false,
            mtls_url: None,
            traces: false,
            access_log: AccessLog::default(),
            sessions: SessionLife::default(),
            provider: None,
            outbound_networks: None,
            signing_key_rotation: SignedDuration::from_hours(90 * 24),
            usage_kept: UsageKept::default(),
            dpop_nonce: false,
        }
    }

    async fn empty_app() -> (App, tempfile::TempDir) {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", directory.path().join("claviger.db").display());
        let database = Database::open(&url).await.unwrap();
        database.migrate().await.unwrap();
        let master = MasterKey::parse(&"ab".repeat(32)).unwrap();
        let mut rng = <rand::rngs::StdRng as rand::SeedableRng>::from_seed([1; 32]);
        let keys = Keys::open(&database, &master, Timestamp::UNIX_EPOCH, &mut rng).await.unwrap();
        let store = Store::new(database, keys.chain, Changes::new(monotonic()));
        (App::new(store, keys.peppers, keys.totp_seeds, keys.signing_keys, config(), Clock::default()), directory)
    }

    #[tokio::test]
    async fn an_api_that_has_the_public_url_already_is_an_error_and_not_another_node() {
        let (app, _directory) = empty_app().await;
        let by = By::operator();
        let mut tx = app.store.begin(&by).await.unwrap();
        let builtin = Api::builtin(&app.config.public_url, app.now(), &mut app.rng()).unwrap();
        let api = Api { builtin: false, permissions: Vec::new(), ..builtin };
        tx.insert_api(&api).await.unwrap();
        tx.commit(api.installed(), app.now(), &mut app.rng()).await.unwrap();
        let installed = app.install_builtins().await;
        assert!(matches!(installed, Err(StoreError::Taken("identifier"))), "{installed:?}");
    }

    #[tokio::test]
    async fn installing_twice_changes_nothing() {
        let (app, _directory) = app().await;
        let before = app.store.verify_audit().await.unwrap().events;
        app.install_builtins().await.unwrap();
        assert_eq!(app.store.verify_audit().await.unwrap().events, before);
    }
}
