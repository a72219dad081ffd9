//! From settings to an open instance: database, master key, keys, app.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    net::SocketAddr,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    time::Instant,
};

use claviger_core::{MasterKey, Reach};
use claviger_server::{AccessLog, App, Clock, Config, KeyError, Keys};
use claviger_store::{Changes, Database, NotLetIn, Store};
use claviger_token::Brand;
use jiff::Timestamp;
use rand::rand_core::UnwrapErr;
use tempfile::{NamedTempFile, PersistError};
use zeroize::Zeroizing;

use crate::{
    failure::Failure,
    settings::{DatabaseAt, MasterKeyAt, Settings, address_to_call},
};

/// The database with this version's schema; a SQLite file is made if need be.
pub(crate) async fn migrated(settings: &Settings) -> Result<Database, Failure> {
    let database = prepared(settings).await?;
    migrate(settings, &database).await?;
    Ok(database)
}

/// The database, whatever its schema; a SQLite file is made if need be.
pub(crate) async fn prepared(settings: &Settings) -> Result<Database, Failure> {
    if let DatabaseAt::Sqlite(path) = &settings.database {
        make_directory(&settings.data_dir)?;
        // Made here and not by SQLite: its log and its index take the same permissions. And what is in the way is
        // told in the system's words.
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
        file.map_err(|error| Failure::because(format!("cannot open the database {}", path.display()), &error))?;
    }
    connected(settings).await
}

pub(crate) async fn migrate(settings: &Settings, database: &Database) -> Result<(), Failure> {
    database.migrate().await.map_err(|error| Failure::because(format!("database {}", settings.database), &error))
}

/// The database as it is.
pub(crate) async fn existing(settings: &Settings) -> Result<Database, Failure> {
    if let DatabaseAt::Sqlite(path) = &settings.database
        && !path.is_file()
    {
        let line = format!("there is no database {}; is data_dir (CLAVIGER_DATA_DIR) right?", path.display());
        return Err(Failure::new(line));
    }
    connected(settings).await
}

async fn connected(settings: &Settings) -> Result<Database, Failure> {
    let opened = match &settings.database {
        DatabaseAt::Sqlite(path) => Database::open(&format!("sqlite://{}", encoded(path))).await,
        DatabaseAt::Postgres(address) => Database::open(address.expose()).await,
    };
    opened.map_err(|error| {
        let failure = Failure::because(format!("cannot open the database {}", settings.database), &error);
        match error.not_let_in() {
            Some(why) => failure.so(next_step(why)),
            None => failure,
        }
    })
}

/// What whoever chose the settings can do about it.
fn next_step(why: NotLetIn) -> &'static str {
    match why {
        NotLetIn::NobodyThere => {
            "is PostgreSQL running there, and are host and port in database_url (CLAVIGER_DATABASE_URL) right?"
        }
        NotLetIn::Silent => {
            "is the host in database_url (CLAVIGER_DATABASE_URL) right, and does a firewall let this machine through?"
        }
        NotLetIn::NoSuchHost => "is the host in database_url (CLAVIGER_DATABASE_URL) spelt right?",
        NotLetIn::Credentials => {
            "are user and password in database_url (CLAVIGER_DATABASE_URL) right, and does pg_hba.conf let that user in from here?"
        }
        NotLetIn::NoSuchDatabase => {
            "make it with `createdb`, owned by that user, or name another in database_url (CLAVIGER_DATABASE_URL)"
        }
        NotLetIn::Tls => "does the server speak TLS as sslmode in database_url (CLAVIGER_DATABASE_URL) asks for?",
    }
}

/// A path inside a URL: what has a meaning there is escaped.
fn encoded(path: &Path) -> String {
    path.to_string_lossy().replace('%', "%25").replace('?', "%3F")
}

/// The instance's keys, made if this database has none yet.
pub(crate) async fn keys(settings: &Settings, database: &Database) -> Result<Keys, Failure> {
    // First this question and then the look for the file: another process makes the file before the keys.
    let sealed = Keys::exist(database).await?;
    let (master, place) = master_key(settings, sealed)?;
    let opened = Keys::open(database, &master, now(), &mut rng()).await;
    opened.map_err(|error| match error {
        KeyError::Unseal(error) => Failure::new(format!(
            "{error}: {place} is not the one that database {} was made with; restore that one",
            settings.database
        )),
        KeyError::Store(error) => Failure::because(format!("database {}", settings.database), &error),
    })
}

/// The instance's keys, of a database that has them.
pub(crate) async fn existing_keys(settings: &Settings, database: &Database) -> Result<Keys, Failure> {
    if Keys::exist(database).await? {
        return keys(settings, database).await;
    }
    Err(Failure::new(format!("database {} holds no keys yet; `claviger serve` makes them", settings.database)))
}

/// The master key, of a database that has keys, and where it is from. Nothing is made.
pub(crate) fn existing_master_key(settings: &Settings) -> Result<(MasterKey, String), Failure> {
    master_key(settings, true)
}

/// Where clients reach the service, or would.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bound {
    pub(crate) public: SocketAddr,
    /// With certificates of their own.
    pub(crate) mtls: Option<SocketAddr>,
    /// From inside.
    pub(crate) internal: SocketAddr,
}

impl Bound {
    /// As the settings ask for it, whether or not anybody listens there.
    pub(crate) fn asked(settings: &Settings) -> Self {
        Self { public: settings.listen, mtls: settings.mtls_listen, internal: settings.internal_listen }
    }
}

/// The app, before it listens.
pub(crate) fn app(settings: Settings, database: Database, keys: Keys, bound: Bound, access_log: AccessLog) -> App {
    let config = Config {
        public_url: settings.public_url(bound.public),
        mtls_url: settings.mtls_url(bound.public, bound.mtls),
        brand: settings.brand,
        former_brands: settings.former_brands,
        max_staleness: settings.max_staleness,
        drain_time: settings.drain_time,
        internal_url: address_to_call("http", bound.internal),
        internal_hosts: settings.internal_hosts,
        internal_token: settings.internal_token,
        cache_entries: settings.cache_entries,
        redis: settings.redis,
        trusted_proxies: settings.trusted_proxies,
        client_certificate_header: settings.client_certificate_header,
        traces: settings.otlp_endpoint.is_some(),
        access_log,
        sessions: settings.sessions,
        provider: settings.provider,
        outbound_networks: settings.outbound_networks,
        signing_key_rotation: settings.signing_key_rotation,
        usage_kept: settings.usage_kept,
        dpop_nonce: settings.dpop_nonce,
    };
    let store = Store::new(database, keys.chain, Changes::new(monotonic()));
    App::new(store, keys.peppers, keys.totp_seeds, keys.signing_keys, config, Clock::default())
}

/// Under which brands a credential counts.
pub(crate) fn accepted_brands(brand: &Brand, former: &[Brand]) -> Vec<Brand> {
    std::iter::once(brand).chain(former).cloned().collect()
}

/// What makes credentials of another brand count again.
pub(crate) fn accept(brand: &Brand) -> String {
    format!("add {brand} to former_brands (CLAVIGER_FORMER_BRANDS), or revoke them")
}

/// The app of a command on the database of an instance that exists, beside a running service or without one.
pub(crate) async fn existing_app(settings: Settings) -> Result<App, Failure> {
    let database = existing(&settings).await?;
    let keys = existing_keys(&settings, &database).await?;
    let bound = Bound::asked(&settings);
    Ok(app(settings, database, keys, bound, AccessLog::default()))
}

/// Built-in roles and API where there are none yet. Only a service that listens knows its own address, so only `serve`
/// brings them up to date.
pub(crate) async fn ensure_builtins(app: &App) -> Result<(), Failure> {
    if app.store.within(Reach::Instance).builtin_api().await?.is_none() {
        app.install_builtins().await?;
    }
    Ok(())
}

/// The master key, and where it is from.
fn master_key(settings: &Settings, sealed: bool) -> Result<(MasterKey, String), Failure> {
    let path = match (&settings.master_key, &settings.database) {
        (MasterKeyAt::Variable(key), _) => {
            let key = MasterKey::parse(key.expose());
            let key = key.ok_or_else(|| Failure::new(format!("CLAVIGER_MASTER_KEY must be {}", MasterKey::FORMAT)))?;
            return Ok((key, "CLAVIGER_MASTER_KEY".to_owned()));
        }
        (MasterKeyAt::File(path), _) => path.clone(),
        (MasterKeyAt::Default, DatabaseAt::Postgres(_)) => {
            return Err(Failure::new(
                "with PostgreSQL, every node needs the same master key: set CLAVIGER_MASTER_KEY, or master_key_file to a \
                 file with it (make one with `openssl rand -hex 32`, once, and keep a copy in a safe place)",
            ));
        }
        (MasterKeyAt::Default, DatabaseAt::Sqlite(_)) => default_master_key(settings, sealed)?,
    };
    let read = fs::read_to_string(&path).map(Zeroizing::new);
    let text =
        read.map_err(|error| Failure::because(format!("cannot read the master key {}", path.display()), &error))?;
    let key = MasterKey::parse(&text);
    let key = key.ok_or_else(|| Failure::new(format!("{} must hold {}", path.display(), MasterKey::FORMAT)))?;
    Ok((key, path.display().to_string()))
}

/// The file in the data directory, made if there is nothing yet that another key would open.
fn default_master_key(settings: &Settings, sealed: bool) -> Result<PathBuf, Failure> {
    let path = settings.data_dir.join("master.key");
    let shown = path.display();
    match fs::metadata(&path) {
        Ok(file) if file.permissions().mode() & 0o077 != 0 => {
            let mode = file.permissions().mode() & 0o777;
            return Err(Failure::new(format!(
                "the master key {shown} can be read by others (mode {mode:04o}); `chmod 600 {shown}`"
            )));
        }
        Ok(_) => return Ok(path),
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(Failure::because(format!("cannot read the master key {shown}"), &error));
        }
        Err(_) => {}
    }
    if sealed {
        return Err(Failure::new(format!(
            "the master key {shown} is missing, and without it the keys in database {} do not open; restore that file \
             from your backup, or set master_key_file (CLAVIGER_MASTER_KEY_FILE) to where it is",
            settings.database
        )));
    }
    make_directory(&settings.data_dir)?;
    write_master_key(&settings.data_dir, &path)
        .map_err(|error| Failure::because(format!("cannot write the master key {shown}"), &error))?;
    Ok(path)
}

/// Whole or not at all, and on the disk before any key is sealed under it. If another process was first, its key stays.
fn write_master_key(directory: &Path, path: &Path) -> io::Result<()> {
    let mut draft = NamedTempFile::new_in(directory)?;
    draft.write_all(MasterKey::generate(&mut rng()).as_bytes())?;
    draft.write_all(b"\n")?;
    draft.as_file().sync_all()?;
    match draft.persist_noclobber(path) {
        Err(PersistError { error, .. }) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    File::open(directory)?.sync_all()
}

fn make_directory(path: &Path) -> Result<(), Failure> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| Failure::because(format!("cannot make the data directory {}", path.display()), &error))
}

#[expect(clippy::disallowed_methods, reason = "the keys are opened before there is an app to ask for the time")]
fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}

#[expect(clippy::disallowed_methods, reason = "the change log counts as read when the instance opens")]
pub(crate) fn monotonic() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_types, reason = "the keys are made before there is an app to ask for randomness")]
fn rng() -> UnwrapErr<rand::rngs::SysRng> {
    UnwrapErr(rand::rngs::SysRng)
}
