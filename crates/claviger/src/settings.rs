//! What the operator chose: defaults, then the settings file, then `CLAVIGER_<NAME>`, then flags.
//!
//! How a value is found, and how its refusal names the place it came from, is `given.rs`'s to know.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use claviger_core::{MasterKey, SessionLife};
use claviger_server::{AccessLogAt, ProviderAt, RedisAt, TlsAt};
use claviger_store::UsageKept;
use claviger_token::{Brand, NetworkSet, Secret};
use jiff::SignedDuration;
use tracing_subscriber::EnvFilter;
use url::{Host, Url};

use crate::{
    duration,
    failure::Failure,
    given::{Given, MASTER_KEY, MASTER_KEY_FILE},
    provider,
};

const DEFAULT_FILE: &str = "claviger.toml";
const SHORTEST_TOKEN: usize = 16;
const DAY: u64 = 24 * 60 * 60;

/// Flags of every command that opens the database.
#[derive(Debug, Args)]
#[command(next_help_heading = "Settings")]
pub(crate) struct SettingFlags {
    /// Settings file [default: claviger.toml in the working directory, if there is one]
    #[arg(long, value_name = "FILE", env = "CLAVIGER_CONFIG")]
    config: Option<PathBuf>,
    /// Where the SQLite database and the master key are kept [default: ./claviger-data]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
    /// postgres://… or sqlite://PATH [default: claviger.db in the data directory]. With a password inside, use
    /// CLAVIGER_DATABASE_URL: flags are visible to every user of this machine
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// File that holds the master key [default, with SQLite: master.key in the data directory]
    #[arg(long, value_name = "FILE")]
    master_key_file: Option<String>,
    /// text or json
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
}

/// Flags of the command that listens.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Settings")]
pub(crate) struct ListenFlags {
    /// Address of the public listener; port 0 takes a free one [default: 127.0.0.1:7420]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Address of the internal listener [default: 127.0.0.1:7421]
    #[arg(long, value_name = "ADDRESS")]
    internal_listen: Option<String>,
    /// The instance's address for clients [default: http:// and the address of listen]
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Address of one more public listener, which asks clients for certificates; it needs tls_certificate_file [default: none]
    #[arg(long, value_name = "ADDRESS")]
    mtls_listen: Option<String>,
}

/// The settings, all sound.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) data_dir: PathBuf,
    pub(crate) database: DatabaseAt,
    pub(crate) listen: SocketAddr,
    pub(crate) internal_listen: SocketAddr,
    pub(crate) tls: Option<TlsAt>,
    pub(crate) mtls_listen: Option<SocketAddr>,
    pub(crate) internal_hosts: Vec<String>,
    pub(crate) internal_token: Option<Secret>,
    pub(crate) trusted_proxies: Option<NetworkSet>,
    pub(crate) client_certificate_header: bool,
    pub(crate) outbound_networks: Option<NetworkSet>,
    pub(crate) redis: Option<RedisAt>,
    pub(crate) brand: Brand,
    pub(crate) former_brands: Vec<Brand>,
    pub(crate) master_key: MasterKeyAt,
    pub(crate) max_staleness: Duration,
    pub(crate) drain_time: Duration,
    pub(crate) cache_entries: usize,
    pub(crate) access_log: Option<AccessLogAt>,
    pub(crate) sessions: SessionLife,
    pub(crate) provider: Option<ProviderAt>,
    pub(crate) signing_key_rotation: SignedDuration,
    pub(crate) usage_kept: UsageKept,
    pub(crate) dpop_nonce: bool,
    pub(crate) otlp_endpoint: Option<String>,
    pub(crate) otlp_service_name: String,
    pub(crate) log_format: LogFormat,
    pub(crate) log: Option<String>,
    public_url: Option<String>,
    mtls_url: Option<String>,
}

/// Where the database is.
#[derive(Debug)]
pub(crate) enum DatabaseAt {
    Sqlite(PathBuf),
    /// The address may hold a password.
    Postgres(Secret),
}

/// Where the master key is.
#[derive(Debug)]
pub(crate) enum MasterKeyAt {
    /// The value of `CLAVIGER_MASTER_KEY`.
    Variable(Secret),
    /// The file of the setting.
    File(PathBuf),
    /// Nothing said: a file in the data directory, with SQLite.
    Default,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

impl Settings {
    /// From everything that the process was given.
    pub(crate) fn load(flags: &SettingFlags, listen: &ListenFlags) -> Result<Self, Failure> {
        Self::read(&Self::given(flags, listen)?)
    }

    /// The same, with everything that is wrong told at once.
    pub(crate) fn examine(flags: &SettingFlags, listen: &ListenFlags) -> Result<Self, Vec<Failure>> {
        let given = Self::given(flags, listen).map_err(|failure| vec![failure])?.noting_refusals();
        let read = Self::read(&given);
        let mut refused = given.refusals();
        match read {
            Ok(settings) if refused.is_empty() => Ok(settings),
            Ok(_) => Err(refused),
            Err(failure) => {
                refused.push(failure);
                Err(refused)
            }
        }
    }

    fn given(flags: &SettingFlags, listen: &ListenFlags) -> Result<Given, Failure> {
        let file = flags.config.as_deref();
        if let Some(file) = file.filter(|file| !file.is_file()) {
            return Err(Failure::new(format!("there is no settings file {}", file.display())));
        }
        let flags = [
            ("data_dir", &flags.data_dir),
            ("database_url", &flags.database_url),
            (MASTER_KEY_FILE, &flags.master_key_file),
            ("log_format", &flags.log_format),
            ("listen", &listen.listen),
            ("internal_listen", &listen.internal_listen),
            ("public_url", &listen.public_url),
            ("mtls_listen", &listen.mtls_listen),
        ];
        let flags = flags.into_iter().filter_map(|(name, value)| value.as_ref().map(|value| (name, value.clone())));
        Given::gather(file.unwrap_or(Path::new(DEFAULT_FILE)), std::env::vars_os(), flags)
    }

    fn read(given: &Given) -> Result<Self, Failure> {
        let data_dir = given.parse("data_dir", "a directory")?.unwrap_or_else(|| PathBuf::from("./claviger-data"));
        let database = given.secret("database_url", "postgres://USER:PASSWORD@HOST/NAME or sqlite://PATH", |text| {
            DatabaseAt::parse(text)
        })?;
        let address = "an IP address and a port, such as 127.0.0.1:7420";
        let internal_listen = given.parse("internal_listen", address)?;
        let internal_listen = internal_listen.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, 7421)));
        let internal_token =
            format!("at least {SHORTEST_TOKEN} visible ASCII characters, such as `openssl rand -hex 32` prints");
        let settings = Self {
            database: database.unwrap_or_else(|| DatabaseAt::Sqlite(data_dir.join("claviger.db"))),
            data_dir,
            listen: given.parse("listen", address)?.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, 7420))),
            internal_listen,
            tls: tls(given)?,
            mtls_listen: given.parse("mtls_listen", "an IP address and a port, such as 127.0.0.1:7422")?,
            internal_hosts: given
                .list("internal_hosts", "host names without ports", host)?
                .unwrap_or_else(|| default_internal_hosts(internal_listen.ip())),
            internal_token: given.secret("internal_token", &internal_token, |text| {
                let sound = text.len() >= SHORTEST_TOKEN && text.bytes().all(|byte| byte.is_ascii_graphic());
                sound.then(|| Secret::new(text.to_owned()))
            })?,
            trusted_proxies: networks(
                given,
                "trusted_proxies",
                "IP addresses or networks of proxies, such as 10.0.0.0/8",
            )?,
            client_certificate_header: given.parse("client_certificate_header", "true or false")?.unwrap_or(false),
            outbound_networks: networks(
                given,
                "outbound_networks",
                "IP addresses or networks besides the public internet, such as 10.0.0.0/8",
            )?,
            redis: given.secret("redis_url", REDIS_URL, RedisAt::parse)?,
            brand: given.parse("brand", BRAND)?.unwrap_or_default(),
            former_brands: given.list("former_brands", BRAND, |text| text.parse().ok())?.unwrap_or_default(),
            master_key: master_key(given)?,
            max_staleness: given
                .checked("max_staleness", "1s to 60s: no verdict comes from memory for longer anyway", |text| {
                    duration::parse(text).ok().filter(|life| (1..=60).contains(&life.as_secs()))
                })?
                .unwrap_or(Duration::from_secs(30)),
            drain_time: given
                .checked("drain_time", "0s to 60s: how long a node that stops still takes requests", |text| {
                    duration::parse(text).ok().filter(|time| time.as_secs() <= 60)
                })?
                .unwrap_or_default(),
            cache_entries: given
                .checked("cache_entries", "100 to 10000000", |text| {
                    text.parse().ok().filter(|entries| (100..=10_000_000).contains(entries))
                })?
                .unwrap_or(100_000),
            access_log: given.checked("access_log", "stdout, or a file for one line of JSON per use", |text| {
                Some(match text {
                    "stdout" => AccessLogAt::Stdout,
                    "" => return None,
                    path => AccessLogAt::File(PathBuf::from(path)),
                })
            })?,
            sessions: sessions(given)?,
            provider: provider::read(given)?,
            signing_key_rotation: given
                .checked(
                    "signing_key_rotation",
                    "1d to 400d: how long a key signs tokens before the next one does",
                    |text| {
                        let interval =
                            duration::parse(text).ok().filter(|life| (DAY..=400 * DAY).contains(&life.as_secs()))?;
                        SignedDuration::try_from(interval).ok()
                    },
                )?
                .unwrap_or(SignedDuration::from_hours(90 * 24)),
            usage_kept: usage_kept(given)?,
            dpop_nonce: given.parse("dpop_nonce", "true or false")?.unwrap_or(false),
            otlp_endpoint: given.checked("otlp_endpoint", OTLP_ENDPOINT, |text| {
                let url = Url::parse(text).ok()?;
                let plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
                let http = matches!(url.scheme(), "http" | "https") && url.has_host() && url.fragment().is_none();
                (http && plain && !text.ends_with('/')).then(|| text.to_owned())
            })?,
            otlp_service_name: given
                .checked("otlp_service_name", "1 to 100 visible ASCII characters", |text| {
                    let sound = (1..=100).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
                    sound.then(|| text.to_owned())
                })?
                .unwrap_or_else(|| "claviger".to_owned()),
            log_format: given
                .checked("log_format", "text or json", |text| match text {
                    "text" => Some(LogFormat::Text),
                    "json" => Some(LogFormat::Json),
                    _ => None,
                })?
                .unwrap_or(LogFormat::Text),
            log: given.checked(
                "log",
                "a level (error, warn, info, debug, trace) or a filter, such as info,sqlx=warn",
                |text| EnvFilter::try_new(text).is_ok().then(|| text.to_owned()),
            )?,
            public_url: given.checked("public_url", PUBLIC_URL, public_url)?,
            mtls_url: given.checked("mtls_url", PUBLIC_URL, public_url)?,
        };
        settings.certificates_are_possible()?;
        if settings.public_url.is_none()
            && !settings.listen.ip().is_loopback()
            && !settings.listen.ip().is_unspecified()
        {
            let line = format!(
                "listen {} is not on loopback; set public_url (CLAVIGER_PUBLIC_URL) to {PUBLIC_URL}",
                settings.listen
            );
            return Err(Failure::new(line));
        }
        Ok(settings)
    }

    /// Those of `trusted_proxies` in which anybody may be: more than an /8 of IPv4 addresses, or a /16 of IPv6, that are not private.
    pub(crate) fn trusted_strangers(&self) -> Vec<String> {
        let is_private = |ip: IpAddr| match ip {
            IpAddr::V4(_) => false,
            IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local(),
        };
        let all = self.trusted_proxies.iter().flat_map(NetworkSet::iter);
        let wide = all.filter(|network| {
            let narrowest = if network.addr().is_ipv4() { 8 } else { 16 };
            network.prefix_len() < narrowest && !(is_private(network.network()) && is_private(network.broadcast()))
        });
        wide.map(ToString::to_string).collect()
    }

    /// That clients can show certificates in the ways that are named.
    fn certificates_are_possible(&self) -> Result<(), Failure> {
        let wrong = |line: &str| Err(Failure::new(line));
        if self.mtls_listen.is_some() && self.tls.is_none() {
            return wrong("mtls_listen speaks TLS; set tls_certificate_file and tls_key_file too");
        }
        if self.client_certificate_header && self.trusted_proxies.is_none() {
            return wrong(
                "client_certificate_header is what trusted proxies write; name them in trusted_proxies (CLAVIGER_TRUSTED_PROXIES)",
            );
        }
        if self.client_certificate_header && !self.trusted_strangers().is_empty() {
            return wrong(
                "client_certificate_header believes whoever is in trusted_proxies, and that is anybody; name the addresses of your own proxies alone (CLAVIGER_TRUSTED_PROXIES)",
            );
        }
        if self.mtls_url.as_deref().is_some_and(|url| !url.starts_with("https://")) {
            return wrong("mtls_url is where clients show certificates, and that is https://");
        }
        if self.tls.is_some() && self.public_url.as_deref().is_some_and(|url| !url.starts_with("https://")) {
            return wrong(
                "public_url is http:// and the listener speaks TLS; let public_url be https:// (CLAVIGER_PUBLIC_URL)",
            );
        }
        if self.mtls_url.is_some() && self.mtls_listen.is_none() && !self.client_certificate_header {
            return wrong(
                "mtls_url is where clients show certificates; set mtls_listen, or client_certificate_header behind a proxy that asks for them",
            );
        }
        Ok(())
    }

    /// The instance's address for clients, given the address that was bound.
    pub(crate) fn public_url(&self, bound: SocketAddr) -> String {
        self.public_url.clone().unwrap_or_else(|| address_to_call(self.scheme(), bound))
    }

    /// The same for clients that show certificates, if it is another. Without a name of its own it is that of the instance.
    pub(crate) fn mtls_url(&self, bound: SocketAddr, mtls: Option<SocketAddr>) -> Option<String> {
        let asked_at = || {
            let mut url = Url::parse(&self.public_url(bound)).ok()?;
            url.set_scheme("https").ok()?;
            url.set_port(Some(mtls?.port())).ok()?;
            Some(url.as_str().trim_end_matches('/').to_owned())
        };
        self.mtls_url.clone().or_else(asked_at)
    }

    /// What the public listener speaks.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }
}

/// What it means that strangers are trusted, and what to do.
pub(crate) const STRANGERS: (&str, &str) = (
    "whoever sends X-Forwarded-For from there says themselves where they are, past allowed_networks and what slows down guessing",
    "name the addresses of your own proxies alone in trusted_proxies (CLAVIGER_TRUSTED_PROXIES)",
);
/// What to do about files that are of no use.
pub(crate) const TLS_MEND: &str = "write the certificate, with those between it and its authority, and its key as PEM into the files that \
     tls_certificate_file and tls_key_file name";
const BRAND: &str = "2 to 16 characters: a lower-case letter, then lower-case letters and digits";
const REDIS_URL: &str = "redis://[USER:PASSWORD@]HOST[:PORT], rediss://… for TLS, or unix:///PATH";
const OTLP_ENDPOINT: &str =
    "the http:// or https:// address of a collector, without a slash at the end, such as http://localhost:4318";
const PUBLIC_URL: &str = "an https:// address without a slash at the end (http:// only on loopback)";

/// A list of networks. An empty one holds none.
fn networks(given: &Given, name: &'static str, right: &str) -> Result<Option<NetworkSet>, Failure> {
    let one = |text: &str| NetworkSet::parse([text]).is_ok().then(|| text.to_owned());
    let networks = given.list(name, right, one)?.unwrap_or_default();
    Ok(NetworkSet::parse(&networks).ok())
}

/// How long somebody stays signed in.
fn sessions(given: &Given) -> Result<SessionLife, Failure> {
    let life = |name, right, longest: u64| {
        given.checked(name, right, move |text| {
            let life = duration::parse(text).ok().filter(|life| (300..=longest).contains(&life.as_secs()))?;
            SignedDuration::try_from(life).ok()
        })
    };
    let (idle, absolute) = (
        life("session_idle", "5m to 30d: how long a sign-in lasts without use", 30 * DAY)?,
        life("session_life", "5m to 90d: how long a sign-in lasts at all", 90 * DAY)?,
    );
    let usual = SessionLife::default();
    Ok(SessionLife { idle: idle.unwrap_or(usual.idle), absolute: absolute.unwrap_or(usual.absolute) })
}

/// For how long use is kept.
fn usage_kept(given: &Given) -> Result<UsageKept, Failure> {
    let kept = |name, right, shortest: u64, longest: u64| {
        given.checked(name, right, move |text| {
            let time = duration::parse(text).ok().filter(|time| (shortest..=longest).contains(&time.as_secs()))?;
            SignedDuration::try_from(time).ok()
        })
    };
    let (hours, days) = (
        kept("usage_hours_kept", "8d to 400d: how long use is counted by the hour", 8 * DAY, 400 * DAY)?,
        kept("usage_days_kept", "32d to 3660d: how long use is counted by the day", 32 * DAY, 3660 * DAY)?,
    );
    let usual = UsageKept::default();
    let kept = UsageKept { hours: hours.unwrap_or(usual.hours), days: days.unwrap_or(usual.days) };
    if kept.days < kept.hours {
        return Err(Failure::new(
            "usage_days_kept is shorter than usage_hours_kept, which are days before they go; make it as long at least (CLAVIGER_USAGE_DAYS_KEPT)",
        ));
    }
    Ok(kept)
}

/// Where the files of a certificate and its key are: both, or none.
fn tls(given: &Given) -> Result<Option<TlsAt>, Failure> {
    let certificate = given.parse::<PathBuf>("tls_certificate_file", "a file")?;
    let key = given.parse::<PathBuf>("tls_key_file", "a file")?;
    match (certificate, key) {
        (Some(certificate_file), Some(key_file)) => Ok(Some(TlsAt { certificate_file, key_file })),
        (None, None) => Ok(None),
        (Some(_), None) => {
            Err(Failure::new("tls_certificate_file is set; set tls_key_file (CLAVIGER_TLS_KEY_FILE) too"))
        }
        (None, Some(_)) => {
            Err(Failure::new("tls_key_file is set; set tls_certificate_file (CLAVIGER_TLS_CERTIFICATE_FILE) too"))
        }
    }
}

/// How to call a listener from this machine.
pub(crate) fn address_to_call(scheme: &str, bound: SocketAddr) -> String {
    if bound.ip().is_unspecified() {
        format!("{scheme}://localhost:{}", bound.port())
    } else {
        format!("{scheme}://{bound}")
    }
}

fn public_url(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let loopback = match url.host()? {
        Host::Domain(name) => name == "localhost" || name.ends_with(".localhost"),
        Host::Ipv4(ip) => ip.is_loopback(),
        Host::Ipv6(ip) => ip.is_loopback(),
    };
    let safe = url.scheme() == "https" || (url.scheme() == "http" && loopback);
    let plain =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    // The issuer is compared as text, so it must be written as everybody else's library writes it.
    let canonical = url.as_str().trim_end_matches('/') == text;
    (safe && plain && canonical).then(|| text.to_owned())
}

fn host(text: &str) -> Option<String> {
    let name = text.trim_start_matches('[').trim_end_matches(']');
    Host::parse(name).is_ok().then_some(()).or_else(|| name.parse::<IpAddr>().ok().map(drop))?;
    Some(name.to_owned())
}

fn master_key(given: &Given) -> Result<MasterKeyAt, Failure> {
    let key = given
        .secret(MASTER_KEY, MasterKey::FORMAT, |text| MasterKey::parse(text).map(|_| Secret::new(text.to_owned())))?;
    let file = given.parse::<PathBuf>(MASTER_KEY_FILE, "a file")?;
    match (key, file) {
        (Some(_), Some(_)) => Err(Failure::new(format!(
            "CLAVIGER_MASTER_KEY and {MASTER_KEY_FILE} are both set; give the master key in one place"
        ))),
        (Some(key), None) => Ok(MasterKeyAt::Variable(key)),
        (None, Some(file)) => Ok(MasterKeyAt::File(file)),
        (None, None) => Ok(MasterKeyAt::Default),
    }
}

pub(crate) fn default_internal_hosts(ip: IpAddr) -> Vec<String> {
    let mut hosts: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
    if !ip.is_unspecified() && !hosts.contains(&ip.to_string()) {
        hosts.push(ip.to_string());
    }
    hosts
}

impl DatabaseAt {
    fn parse(text: &str) -> Option<Self> {
        if let Some(path) = text.strip_prefix("sqlite://") {
            let sound = !path.is_empty() && !path.contains(['?', '%', ':']);
            return sound.then(|| Self::Sqlite(PathBuf::from(path)));
        }
        let url = Url::parse(text).ok()?;
        matches!(url.scheme(), "postgres" | "postgresql").then(|| Self::Postgres(Secret::new(text.to_owned())))
    }
}

/// Without the password.
impl fmt::Display for DatabaseAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "{}", path.display()),
            Self::Postgres(address) => match Url::parse(address.expose()) {
                Ok(url) => {
                    write!(f, "postgres://{}", url.host_str().unwrap_or_default())?;
                    if let Some(port) = url.port() {
                        write!(f, ":{port}")?;
                    }
                    f.write_str(url.path())
                }
                Err(_) => f.write_str("postgres://…"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    fn load(file: &str, variables: &[(&str, &str)], flags: &[(&'static str, &str)]) -> Result<Settings, String> {
        static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("claviger-settings-{}-{number}.toml", std::process::id()));
        std::fs::write(&path, file).unwrap();
        let variables = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let flags = flags.iter().map(|(name, value)| (*name, (*value).to_owned()));
        let read = Given::gather(&path, variables, flags).and_then(|given| Settings::read(&given));
        std::fs::remove_file(&path).unwrap();
        read.map_err(|failure| failure.to_string().replace(&path.display().to_string(), "FILE"))
    }

    #[test]
    fn a_flag_beats_a_variable_which_beats_the_file() {
        let port = |settings: Result<Settings, String>| settings.unwrap().listen.port();
        let (file, variable) = ("listen = '127.0.0.1:1'", ("CLAVIGER_LISTEN", "127.0.0.1:2"));
        assert_eq!(port(load("", &[], &[])), 7420);
        assert_eq!(port(load(file, &[], &[])), 1);
        assert_eq!(port(load(file, &[variable], &[])), 2);
        assert_eq!(port(load(file, &[variable], &[("listen", "127.0.0.1:3")])), 3);
    }

    #[test]
    fn a_refusal_names_the_setting_and_its_place_and_what_would_be_right() {
        let check = |file: &str, variables: &[(&str, &str)], parts: &[&str]| {
            let said = load(file, variables, &[]).unwrap_err();
            assert!(parts.iter().all(|part| said.contains(part)) && !said.contains('\n'), "{said}");
        };
        check("listn = 'x'", &[], &["listn", "FILE", "listen"]);
        check("master_key = 'x'", &[], &["FILE", "master_key_file"]);
        check("listen =", &[], &["FILE"]);
        check("listen = 7420", &[], &["listen in FILE", "\"7420\"", "127.0.0.1:7420"]);
        check("", &[("CLAVIGER_LISTN", "x")], &["listn", "CLAVIGER_LISTN"]);
        check("", &[("CLAVIGER_listen", "127.0.0.1:1")], &["CLAVIGER_listen"]);
        check("", &[("CLAVIGER_LISTEN", "")], &["CLAVIGER_LISTEN is empty"]);
        check("", &[("CLAVIGER_MAX_STALENESS", "0s")], &["max_staleness in CLAVIGER_MAX_STALENESS", "1s to 60s"]);
        check("", &[("CLAVIGER_DRAIN_TIME", "61s")], &["drain_time in CLAVIGER_DRAIN_TIME", "0s to 60s"]);
        check("", &[("CLAVIGER_CACHE_ENTRIES", "-1")], &["cache_entries", "100 to"]);
        check("", &[("CLAVIGER_BRAND", "A_b")], &["brand in CLAVIGER_BRAND", "2 to 16"]);
        check("", &[("CLAVIGER_SIGNING_KEY_ROTATION", "23h")], &["signing_key_rotation", "1d to 400d"]);
        check("", &[("CLAVIGER_USAGE_HOURS_KEPT", "7d")], &["usage_hours_kept", "8d to 400d"]);
        check("usage_days_kept = '31d'", &[], &["usage_days_kept in FILE", "32d to 3660d"]);
        check(
            "usage_hours_kept = '60d'\nusage_days_kept = '40d'",
            &[],
            &["usage_days_kept", "CLAVIGER_USAGE_DAYS_KEPT"],
        );
        check("former_brands = ['ok', 'N']", &[], &["former_brands in FILE", "\"N\""]);
        check("internal_hosts = ['a b']", &[], &["internal_hosts in FILE", "\"a b\""]);
        check("", &[("CLAVIGER_LOG", "a=b=c")], &["log in CLAVIGER_LOG"]);
        check("access_log = ''", &[], &["access_log in FILE", "stdout"]);
        check("", &[("CLAVIGER_OTLP_ENDPOINT", "localhost:4318")], &["otlp_endpoint", "http://localhost:4318"]);
        check("otlp_service_name = 'a b'", &[], &["otlp_service_name in FILE", "ASCII"]);
        check("log_format = 'xml'", &[], &["text or json"]);
        check("trusted_proxies = ['10.0.0.0/8', '10.0.0.0/33']", &[], &["trusted_proxies in FILE", "10.0.0.0/33"]);
        check("client_certificate_header = 'yes'", &[], &["client_certificate_header in FILE", "true or false"]);
        check("outbound_networks = ['intranet']", &[], &["outbound_networks in FILE", "intranet"]);
        check("", &[("CLAVIGER_REDIS_URL", "http://x")], &["redis_url in CLAVIGER_REDIS_URL", "redis://"]);
        check("", &[("CLAVIGER_LISTEN", "192.0.2.1:7420")], &["CLAVIGER_PUBLIC_URL"]);
        check("", &[("CLAVIGER_TLS_CERTIFICATE_FILE", "c.pem")], &["tls_certificate_file", "CLAVIGER_TLS_KEY_FILE"]);
        check("tls_key_file = 'k.pem'", &[], &["tls_key_file", "CLAVIGER_TLS_CERTIFICATE_FILE"]);
        check("mtls_listen = '127.0.0.1:7422'", &[], &["mtls_listen", "tls_certificate_file"]);
        check("mtls_listen = '7422'", &[], &["mtls_listen in FILE", "127.0.0.1:7422"]);
        check("mtls_url = 'https://m.test/'", &[], &["mtls_url in FILE", "without a slash"]);
        check("mtls_url = 'https://m.test'", &[], &["mtls_url", "mtls_listen", "client_certificate_header"]);
        check("client_certificate_header = 'true'", &[], &["client_certificate_header", "CLAVIGER_TRUSTED_PROXIES"]);
        let header = "client_certificate_header = 'true'\ntrusted_proxies = ";
        check(&format!("{header}['0.0.0.0/0']"), &[], &["anybody", "CLAVIGER_TRUSTED_PROXIES"]);
        check(&format!("mtls_url = 'http://localhost:1'\n{header}['10.0.0.1']"), &[], &["mtls_url", "https://"]);
        let tls = "tls_key_file = 'k.pem'\ntls_certificate_file = 'c.pem'\npublic_url = 'http://localhost:7420'";
        check(tls, &[], &["public_url", "CLAVIGER_PUBLIC_URL"]);
    }

    #[test]
    fn proxies_in_which_anybody_may_be_are_found() {
        let check = |networks: &str, found: &[&str]| {
            let settings = load("", &[("CLAVIGER_TRUSTED_PROXIES", networks)], &[]).unwrap();
            assert_eq!(settings.trusted_strangers(), found, "{networks}");
        };
        check("0.0.0.0/0", &["0.0.0.0/0"]);
        check("10.0.0.0/8, ::/0,192.0.2.1", &["::/0"]);
        check("0.0.0.0/1,128.0.0.0/1", &["0.0.0.0/1", "128.0.0.0/1"]);
        check("::ffff:0.0.0.0/96", &["0.0.0.0/0"]);
        check("2000::/3,8.0.0.0/7", &["2000::/3", "8.0.0.0/7"]);
        check("10.0.0.0/8,127.0.0.0/8,11.0.0.0/8,fc00::/7,fe80::/10,2001:db8::/32", &[]);
    }

    #[test]
    fn the_access_log_is_off_or_goes_to_stdout_or_to_a_file() {
        let at = |variables: &[(&str, &str)]| load("", variables, &[]).unwrap().access_log;
        assert_eq!(at(&[]), None);
        assert_eq!(at(&[("CLAVIGER_ACCESS_LOG", "stdout")]), Some(AccessLogAt::Stdout));
        assert_eq!(at(&[("CLAVIGER_ACCESS_LOG", "a.log")]), Some(AccessLogAt::File(PathBuf::from("a.log"))));
    }

    #[test]
    fn a_refusal_does_not_repeat_a_secret() {
        let check = |name: &str, value: &str| {
            let said = load("", &[(name, value)], &[]).unwrap_err();
            assert!(!said.contains(value), "{said}");
        };
        let said = load("internal_token = 'hunter2", &[], &[]).unwrap_err();
        assert!(said.contains("line 1") && !said.contains("hunter2"), "{said}");
        check("CLAVIGER_INTERNAL_TOKEN", "hunter2");
        check("CLAVIGER_MASTER_KEY", "hunter2");
        check("CLAVIGER_DATABASE_URL", "mysql://u:hunter2@h/d");
        check("CLAVIGER_REDIS_URL", "http://:hunter2@h");
    }

    #[test]
    fn with_a_certificate_of_its_own_the_instance_is_called_by_https() {
        let files = [("CLAVIGER_TLS_CERTIFICATE_FILE", "c.pem"), ("CLAVIGER_TLS_KEY_FILE", "k.pem")];
        let check = |more: &[(&str, &str)], public: &str, mtls: Option<&str>| {
            let settings = load("", &[&files, more].concat(), &[]).unwrap();
            let asking = settings.mtls_listen.map(|_| "127.0.0.1:7422".parse().unwrap());
            let bound = settings.listen;
            assert_eq!(
                (settings.public_url(bound).as_str(), settings.mtls_url(bound, asking).as_deref()),
                (public, mtls)
            );
        };
        check(&[], "https://127.0.0.1:7420", None);
        let asking = ("CLAVIGER_MTLS_LISTEN", "127.0.0.1:0");
        check(&[asking], "https://127.0.0.1:7420", Some("https://127.0.0.1:7422"));
        let public = ("CLAVIGER_PUBLIC_URL", "https://keys.acme.test/k");
        check(&[asking, public], "https://keys.acme.test/k", Some("https://keys.acme.test:7422/k"));
        let named = ("CLAVIGER_MTLS_URL", "https://mtls.acme.test");
        check(&[asking, public, named], "https://keys.acme.test/k", Some("https://mtls.acme.test"));
    }

    #[test]
    fn a_public_url_is_https_and_canonical() {
        let check = |text: &str, sound: bool| assert_eq!(public_url(text).is_some(), sound, "{text}");
        check("https://keys.acme.test", true);
        check("https://acme.test/keys", true);
        check("http://localhost:7420", true);
        check("http://127.0.0.1:7420", true);
        check("http://[::1]:7420", true);
        for wrong in [
            "http://keys.acme.test",
            "https://keys.acme.test/",
            "https://Keys.acme.test",
            "keys.acme.test",
            "https://u:p@keys.acme.test",
            "https://keys.acme.test?x",
            "https://keys.acme.test:443",
            "ftp://localhost",
        ] {
            check(wrong, false);
        }
    }

    #[test]
    fn digits_from_the_environment_stay_text() {
        let token = "0123456789012345";
        let settings = load("", &[("CLAVIGER_INTERNAL_TOKEN", token)], &[]).unwrap();
        assert_eq!(settings.internal_token.unwrap().expose(), token);
    }

    #[test]
    fn variables_of_users_commands_and_of_kubernetes_are_no_settings() {
        let variables = [
            ("CLAVIGER_URL", "x"),
            ("CLAVIGER_TOKEN", "x"),
            ("CLAVIGER_CLIENT_ID", "x"),
            ("CLAVIGER_CLIENT_SECRET", "x"),
            ("CLAVIGER_ACTOR_TOKEN", "x"),
            ("CLAVIGER_SERVICE_HOST", "10.0.0.1"),
            ("CLAVIGER_SERVICE_PORT_HTTP", "7420"),
            ("CLAVIGER_PORT", "tcp://10.0.0.1:7420"),
            ("CLAVIGER_PORT_7420_TCP_PORT", "7420"),
            ("CLAVIGER_DB_PORT_5432_TCP", "tcp://10.0.0.1:5432"),
        ];
        load("", &variables, &[]).unwrap();
        load("", &[("CLAVIGER_PORT", "7420")], &[]).unwrap_err();
    }

    #[test]
    fn the_address_of_a_database_is_shown_without_its_password() {
        let shown = |text: &str| DatabaseAt::parse(text).map(|at| at.to_string());
        assert_eq!(shown("postgres://me:secret@db:5433/keys?x=y").as_deref(), Some("postgres://db:5433/keys"));
        assert_eq!(shown("sqlite:///var/keys.db").as_deref(), Some("/var/keys.db"));
        assert_eq!(shown("sqlite://:memory:"), None);
        assert_eq!(shown("keys.db"), None);
    }
}
