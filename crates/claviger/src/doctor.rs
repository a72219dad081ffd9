//! `claviger doctor`: what stands between these settings and a service that runs well, each with its mend. It looks and
//! never makes or changes anything.

use std::{
    fs::{self, OpenOptions},
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::ExitCode,
    time::Duration,
};

use clap::Args;
use claviger_core::{ChainKey, DataKey, KeyState, Reach, UnsealError};
use claviger_server::{AccessLogAt, Tls};
use claviger_store::{Changes, Database, KeyPurpose, Store, StoreError};
use claviger_token::Certificate;
use jiff::{SignedDuration, Timestamp};
use reqwest::{StatusCode, blocking::Client};
use rustix::fs::Access;
use serde::Serialize;

use crate::{
    client::Output,
    failure::Failure,
    on_runtime, open, output,
    settings::{DatabaseAt, ListenFlags, MasterKeyAt, STRANGERS, SettingFlags, Settings, TLS_MEND},
};

/// Look for what is wrong with an instance, and tell how to mend it
///
/// Works beside a running service and before the first start, and changes nothing. Exits 1 if anything fails.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// How the findings are shown
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    output: Output,
    #[command(flatten)]
    listen: ListenFlags,
    #[command(flatten)]
    settings: SettingFlags,
}

/// Clocks further apart than this make expiry differ noticeably between nodes.
const CLOCKS_AGREE_MS: i64 = 2_000;
/// From here on, what a node takes for now is no longer what the others do.
const CLOCKS_DISAGREE_MS: i64 = 30_000;
/// A certificate that ends sooner should have been renewed.
const RENEWED_BEFORE: SignedDuration = SignedDuration::from_hours(7 * 24);
const TLS_RENEW: &str = "renew it, and write it over the old one: it is in use a few seconds later, without a restart";
const MAY_READ: &str = "see that the database answers, and that this user may read all of its tables";
/// For what others run.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    state: State,
    said: String,
    mend: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    Warn,
    Fail,
}

/// What was found so far.
#[derive(Debug, Default, Serialize)]
struct Findings(Vec<Finding>);

impl Findings {
    fn ok(&mut self, check: &'static str, said: impl Into<String>) {
        self.0.push(Finding { check, state: State::Ok, said: said.into(), mend: None });
    }

    fn warn(&mut self, check: &'static str, said: impl Into<String>, mend: impl Into<String>) {
        self.0.push(Finding { check, state: State::Warn, said: said.into(), mend: Some(mend.into()) });
    }

    fn fail(&mut self, check: &'static str, said: impl Into<String>, mend: impl Into<String>) {
        self.0.push(Finding { check, state: State::Fail, said: said.into(), mend: Some(mend.into()) });
    }

    /// What a failure says of itself, with the next step that it knows or else this one.
    fn refused(&mut self, check: &'static str, failure: &Failure, mend: &str) {
        let (said, next) = failure.parts();
        self.fail(check, said, next.unwrap_or(mend));
    }

    fn healthy(&self) -> bool {
        self.0.iter().all(|finding| finding.state != State::Fail)
    }
}

pub(crate) fn run(doctor: Doctor) -> Result<ExitCode, Failure> {
    let mut findings = Findings::default();
    match Settings::examine(&doctor.settings, &doctor.listen) {
        Err(refused) => {
            let mend = "change it where it was given; \"Settings\" in docs/operations.md lists all that there are";
            refused.iter().for_each(|failure| findings.refused("settings", failure, mend));
        }
        Ok(settings) => {
            output::start_log(&settings, "off", None);
            findings.ok("settings", "every setting is known and sound");
            addresses(&settings, &mut findings);
            tls(&settings, &mut findings);
            proxies(&settings, &mut findings);
            data_directory(&settings, &mut findings);
            access_log(&settings, &mut findings);
            on_runtime(async {
                database(&settings, &mut findings).await;
                redis(&settings, &mut findings).await;
                provider(&settings, &mut findings).await;
                Ok(ExitCode::SUCCESS)
            })?;
            traces(&settings, &mut findings)?;
            service(&settings, &mut findings)?;
        }
    }
    let healthy = findings.healthy();
    match doctor.output {
        Output::Json => {
            let report = serde_json::json!({ "ok": healthy, "findings": findings });
            output::json(&serde_json::to_string_pretty(&report)?)?;
        }
        Output::Table => output::answer(&findings.shown())?,
    }
    Ok(if healthy { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Findings {
    fn shown(self) -> String {
        let line = |Finding { check, state, said, mend }| {
            let state = match state {
                State::Ok => "ok",
                State::Warn => "warn",
                State::Fail => "FAIL",
            };
            let mend = mend.map(|mend| format!("; {mend}")).unwrap_or_default();
            (state.to_owned(), format!("{check}: {said}{mend}"))
        };
        output::details(self.0.into_iter().map(line))
    }
}

/// Where it listens, and what others are told.
fn addresses(settings: &Settings, findings: &mut Findings) {
    let internal = settings.internal_listen;
    match (internal.ip().is_loopback(), settings.internal_token.is_some()) {
        (true, _) => findings.ok("internal_listen", format!("{internal} is on loopback")),
        (false, false) => findings.fail(
            "internal_listen",
            format!("{internal} is not on loopback and has no token; `claviger serve` refuses that"),
            "set internal_token (CLAVIGER_INTERNAL_TOKEN), or listen on 127.0.0.1",
        ),
        (false, true) => findings.warn(
            "internal_listen",
            format!("{internal} is not on loopback, and speaks plain HTTP"),
            "see that only your own services reach it: credentials pass there in the clear",
        ),
    }
    let url = settings.public_url(settings.listen);
    if url.starts_with("https://") {
        findings.ok("public_url", url);
    } else if settings.listen.ip().is_loopback() {
        findings.ok("public_url", format!("{url}, for clients on this machine"));
    } else {
        findings.warn(
            "public_url",
            format!("{} is reachable from elsewhere, and clients are told {url}", settings.listen),
            "put a proxy that ends TLS in front, and set public_url (CLAVIGER_PUBLIC_URL) to its https:// address",
        );
    }
}

/// By what the public listener proves who it is, if it does so itself.
fn tls(settings: &Settings, findings: &mut Findings) {
    let Some(at) = &settings.tls else { return };
    if let Err(error) = Tls::open(at.clone()) {
        return findings.fail("tls", error.to_string(), TLS_MEND);
    }
    if let Some(mode) = open_to_others(&at.key_file) {
        let key = at.key_file.display();
        findings.warn("tls", format!("{key} can be read by others (mode {mode:04o})"), format!("`chmod 600 {key}`"));
    }
    let (shown, now) = (at.certificate_file.display(), now());
    // The first is its own; what follows are those above it.
    let own = fs::read_to_string(&at.certificate_file).ok().and_then(|pem| Certificate::first_from_pem(&pem).ok());
    let (start, end) = own.map_or((None, None), |own| (own.not_before(), own.not_after()));
    match (start, end) {
        (Some(start), _) if start > now => {
            findings.fail("tls", format!("the certificate in {shown} counts from {start} on"), TLS_RENEW);
        }
        (_, Some(end)) if end <= now => {
            findings.fail("tls", format!("the certificate in {shown} ended at {end}"), TLS_RENEW);
        }
        (_, Some(end)) if end <= now + RENEWED_BEFORE => {
            findings.warn("tls", format!("the certificate in {shown} ends at {end}"), TLS_RENEW);
        }
        _ => findings.ok("tls", format!("{shown} fits its key")),
    }
}

/// Who is believed about where a request comes from.
fn proxies(settings: &Settings, findings: &mut Findings) {
    let Some(trusted) = &settings.trusted_proxies else { return };
    let strangers = settings.trusted_strangers();
    if strangers.is_empty() {
        findings.ok("trusted_proxies", format!("{} networks are believed", trusted.iter().count()));
    }
    for network in strangers {
        let (meaning, mend) = STRANGERS;
        findings.warn("trusted_proxies", format!("anybody may be in {network}: {meaning}"), mend);
    }
}

/// Where each use is told, if that is wanted.
fn access_log(settings: &Settings, findings: &mut Findings) {
    let path = match &settings.access_log {
        None => return,
        Some(AccessLogAt::Stdout) => return findings.ok("access_log", "goes to stdout"),
        Some(AccessLogAt::File(path)) => path,
    };
    let shown = path.display();
    let mend = "let the user that runs Claviger write there, or name another file in access_log (CLAVIGER_ACCESS_LOG)";
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => findings.fail("access_log", format!("{shown} is a directory"), mend),
        // Nothing is written. A pipe is left alone: opening one would wait for who reads it.
        Ok(found) if found.is_file() => match OpenOptions::new().append(true).open(path) {
            Ok(_) => findings.ok("access_log", format!("{shown} can be written")),
            Err(error) => findings.fail("access_log", format!("{shown} cannot be written: {error}"), mend),
        },
        Ok(_) => findings.ok("access_log", format!("{shown} is no regular file, and was not tried")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
            let directory = directory.unwrap_or(Path::new("."));
            let within = directory.display();
            match rustix::fs::access(directory, Access::WRITE_OK | Access::EXEC_OK) {
                Ok(()) if directory.is_dir() => {
                    findings.ok("access_log", format!("{shown} can be made, and is on the first start"));
                }
                Ok(()) => {
                    findings.fail("access_log", format!("{shown} cannot be made: {within} is no directory"), mend);
                }
                Err(error) => {
                    findings.fail("access_log", format!("{shown} cannot be made in {within}: {error}"), mend);
                }
            }
        }
        Err(error) => findings.fail("access_log", format!("cannot look for {shown}: {error}"), mend),
    }
}

/// Whether who collects traces takes them: an empty batch, which leaves none.
fn traces(settings: &Settings, findings: &mut Findings) -> Result<(), Failure> {
    let Some(endpoint) = &settings.otlp_endpoint else { return Ok(()) };
    let address = format!("{endpoint}/v1/traces");
    let client = Client::builder().timeout(PATIENCE).build()?;
    let asked = client.post(&address).header("content-type", "application/x-protobuf").body("").send();
    let mend = "is a collector running there that takes OTLP over HTTP (usually port 4318), and is its address in otlp_endpoint \
                (CLAVIGER_OTLP_ENDPOINT) right, without /v1/traces?";
    match asked.map(|answer| answer.status()) {
        Ok(status) if status.is_success() => findings.ok("otlp_endpoint", format!("{address} takes traces")),
        Ok(status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)) => {
            if std::env::var_os("OTEL_EXPORTER_OTLP_HEADERS").is_some() {
                let said = format!("{address} answers; whether it takes OTEL_EXPORTER_OTLP_HEADERS was not tried");
                findings.ok("otlp_endpoint", said);
            } else {
                let mend = "set OTEL_EXPORTER_OTLP_HEADERS to the credential that it wants";
                findings.warn("otlp_endpoint", format!("{address} answers {status}; no traces arrive"), mend);
            }
        }
        Ok(status) => findings.warn("otlp_endpoint", format!("{address} answers {status}; no traces arrive"), mend),
        Err(error) => {
            let said = Failure::because(format!("{endpoint} does not answer"), &error.without_url());
            findings.warn("otlp_endpoint", format!("{said}; no traces arrive"), mend);
        }
    }
    Ok(())
}

/// Whether the outside provider can be asked, and is the one that it is taken for.
async fn provider(settings: &Settings, findings: &mut Findings) {
    let Some(provider) = &settings.provider else { return };
    let issuer = &provider.issuer;
    match provider.try_discovery().await {
        Ok(()) => findings.ok("oidc_issuer", format!("{issuer} answers, and calls itself so")),
        Err(why) => findings.fail(
            "oidc_issuer",
            format!("nobody can sign in through {issuer}: {why}"),
            "is it up, does this machine reach it, and is oidc_issuer (CLAVIGER_OIDC_ISSUER) exactly what its \
             /.well-known/openid-configuration calls `issuer`?",
        ),
    }
}

fn data_directory(settings: &Settings, findings: &mut Findings) {
    let directory = &settings.data_dir;
    let shown = directory.display();
    match fs::metadata(directory) {
        Ok(found) if found.is_dir() => match open_to_others(directory) {
            None => findings.ok("data_dir", format!("{shown} is for its owner alone")),
            Some(mode) => {
                findings.warn(
                    "data_dir",
                    format!("{shown} is open to others (mode {mode:04o})"),
                    format!("`chmod 700 {shown}`"),
                );
            }
        },
        Ok(_) => {
            findings.fail("data_dir", format!("{shown} is no directory"), "name one with data_dir (CLAVIGER_DATA_DIR)");
        }
        Err(_) if matches!(settings.database, DatabaseAt::Postgres(_)) => {
            findings.ok("data_dir", "not needed with PostgreSQL");
        }
        Err(error) => findings.fail(
            "data_dir",
            format!("cannot look into {shown}: {error}"),
            "`claviger serve` makes it on the first start; else, is data_dir (CLAVIGER_DATA_DIR) right?",
        ),
    }
}

/// The mode, if it lets anybody but the owner in.
fn open_to_others(path: &Path) -> Option<u32> {
    let mode = fs::metadata(path).ok()?.permissions().mode() & 0o777;
    (mode & 0o077 != 0).then_some(mode)
}

/// What makes limits exact across nodes, if that is wanted.
async fn redis(settings: &Settings, findings: &mut Findings) {
    let Some(redis) = &settings.redis else { return };
    match redis.ping().await {
        Ok(()) => findings.ok("redis", format!("{redis:?} answers")),
        Err(error) => findings.warn(
            "redis",
            format!("{redis:?} does not answer: {error}; each node enforces limits by itself"),
            "is it running, and are address and password in redis_url (CLAVIGER_REDIS_URL) right?",
        ),
    }
}

async fn database(settings: &Settings, findings: &mut Findings) {
    if let DatabaseAt::Sqlite(path) = &settings.database {
        let shown = path.display();
        // An empty file is none yet, and opening it would begin one.
        if fs::metadata(path).map_or(0, |file| file.len()) == 0 {
            let mend = "`claviger serve` makes it on the first start; else, is data_dir (CLAVIGER_DATA_DIR) right?";
            return findings.fail("database", format!("there is no database {shown}"), mend);
        }
        if let Some(mode) = open_to_others(path) {
            findings.warn(
                "database",
                format!("{shown} is open to others (mode {mode:04o})"),
                format!("`chmod 600 {shown}`"),
            );
        }
    }
    let database = match open::existing(settings).await {
        Ok(database) => database,
        Err(failure) => {
            let mend = "see that it runs, and that database_url (CLAVIGER_DATABASE_URL) is right";
            return findings.refused("database", &failure, mend);
        }
    };
    match database.ping().await {
        Ok(()) => findings.ok("database", format!("{} answers", settings.database)),
        Err(error) => {
            let said = Failure::because(format!("database {}", settings.database), &error).to_string();
            return findings.fail("database", said, "see that it runs and that this user may read and write it");
        }
    }
    if schema(&database, findings).await {
        keys(settings, &database, findings).await;
        brands(settings, &database, findings).await;
        clock(&database, findings).await;
        audit_heads(&database, findings).await;
    }
    database.close().await;
}

/// Whether there is a schema to go on with.
async fn schema(database: &Database, findings: &mut Findings) -> bool {
    let ours = Database::newest_schema();
    match database.schema_version().await {
        Err(error) => {
            findings.refused("schema", &Failure::because("cannot read the schema's version", &error), MAY_READ);
        }
        Ok(0) => {
            findings.fail("schema", "the database is empty", "`claviger serve` or `claviger migrate` makes the schema");
        }
        Ok(there) if there > ours => findings.fail(
            "schema",
            format!("schema {there} was made by a newer Claviger; this one knows {ours}"),
            "start that version, or restore a backup",
        ),
        Ok(there) if there < ours => {
            let said = format!("schema {there}; this version has {ours}");
            findings.warn(
                "schema",
                said,
                "`claviger serve` brings it up to date when it starts, `claviger migrate` now",
            );
            return true;
        }
        Ok(there) => {
            findings.ok("schema", format!("schema {there}, as this version has it"));
            return true;
        }
    }
    false
}

/// Whether the master key opens what is sealed.
async fn keys(settings: &Settings, database: &Database, findings: &mut Findings) {
    let mut sealed = Vec::new();
    for purpose in KeyPurpose::ALL {
        match database.sealed_keys(purpose).await {
            Ok(keys) => sealed.extend(keys.into_iter().map(|(version, key)| (purpose, purpose.row(version), key))),
            Err(error) => {
                return findings.refused(
                    "master key",
                    &Failure::because("cannot read the sealed keys", &error),
                    MAY_READ,
                );
            }
        }
    }
    if sealed.is_empty() {
        return findings.fail("master key", "the database holds no keys yet", "`claviger serve` makes them");
    }
    let (master, place) = match open::existing_master_key(settings) {
        Ok(found) => found,
        Err(failure) => {
            let mend = "give the key that this database was made with, in master_key_file (CLAVIGER_MASTER_KEY_FILE) or CLAVIGER_MASTER_KEY";
            return findings.refused("master key", &failure, mend);
        }
    };
    if let MasterKeyAt::File(path) = &settings.master_key
        && let Some(mode) = open_to_others(path)
    {
        let (said, mend) = (format!("{place} can be read by others (mode {mode:04o})"), format!("`chmod 600 {place}`"));
        findings.warn("master key", said, mend);
    }
    let opened: Result<Vec<_>, UnsealError> =
        sealed.iter().map(|(purpose, row, key)| Ok((*purpose, master.unseal(row, key)?))).collect();
    let Ok(opened) = opened else {
        let said = format!("{place} is not the one that database {} was made with", settings.database);
        return findings.fail("master key", said, "restore that one from your backup");
    };
    findings.ok("master key", format!("{place} opens the sealed keys"));
    let newest = |purpose| opened.iter().find(|(of, _)| *of == purpose).map(|(_, key)| key);
    if let Some(chain) = newest(KeyPurpose::AuditChain)
        && is_up_to_date(database).await
    {
        let seal = newest(KeyPurpose::SigningKeys).map(DataKey::new);
        signing_keys(database, ChainKey::new(chain), seal, findings).await;
    }
}

/// Whether every table is there that this version has.
async fn is_up_to_date(database: &Database) -> bool {
    database.schema_version().await.is_ok_and(|version| version == Database::newest_schema())
}

/// Whether the keys that sign tokens can be used.
async fn signing_keys(database: &Database, chain: ChainKey, seal: Option<DataKey>, findings: &mut Findings) {
    let none = |findings: &mut Findings| findings.warn("signing keys", "there are none", "`claviger serve` makes them");
    let Some(seal) = seal else { return none(findings) };
    let store = Store::new(database.clone(), chain, Changes::new(open::monotonic()));
    let stored = match store.within(Reach::Instance).signing_keys().await {
        Ok(stored) => stored,
        Err(error) => {
            return findings.refused(
                "signing keys",
                &Failure::because("cannot read the signing keys", &error),
                MAY_READ,
            );
        }
    };
    let now = now();
    let usable: Vec<_> = stored.iter().filter(|key| key.state(now) != KeyState::Removed).collect();
    let broken = usable.iter().find_map(|key| key.open(&seal).err().map(|error| (key, error)));
    if let Some((key, error)) = broken {
        let mend = format!("`claviger rotate signing-keys --now --algorithm {}` makes another", key.algorithm);
        return findings.fail("signing keys", format!("{} ({}): {error}", key.id, key.algorithm), mend);
    }
    let signing = usable.iter().filter(|key| key.state(now) == KeyState::Active).map(|key| {
        let days = now.duration_since(key.active_at).as_hours() / 24;
        format!("{} for {days} days", key.algorithm)
    });
    let signing = signing.collect::<Vec<_>>().join(", ");
    if signing.is_empty() {
        return none(findings);
    }
    findings.ok("signing keys", format!("sign by {signing}"));
}

/// Whether all that was handed out still counts.
async fn brands(settings: &Settings, database: &Database, findings: &mut Findings) {
    if !is_up_to_date(database).await {
        return;
    }
    let accepted = open::accepted_brands(&settings.brand, &settings.former_brands);
    let known =
        async { Ok::<_, StoreError>((database.brand().await?, database.other_brands(&accepted, now()).await?)) };
    let (last, others) = match known.await {
        Ok(known) => known,
        Err(error) => {
            return findings.refused("brand", &Failure::because("cannot read the brands", &error), MAY_READ);
        }
    };
    let brand = &settings.brand;
    let started = last.filter(|last| last != brand);
    if let Some(last) = &started {
        let said = format!("the service was last started with brand {last}, and these settings say {brand}");
        findings.warn("brand", said, format!("set brand (CLAVIGER_BRAND) to {last} here too, unless it is to change"));
    }
    for other in &others {
        findings.warn("brand", format!("credentials that begin with {other}_ are refused"), open::accept(other));
    }
    if started.is_none() && others.is_empty() {
        findings.ok("brand", format!("new credentials begin with {brand}_, and those made before still count"));
    }
}

async fn clock(database: &Database, findings: &mut Findings) {
    let before = now();
    let there = match database.server_time().await {
        Ok(Some(there)) => there,
        Ok(None) => return,
        Err(error) => return findings.refused("clock", &Failure::because("cannot ask for the time", &error), MAY_READ),
    };
    // It was read somewhere between the question and the answer.
    let middle = (before.as_millisecond() + now().as_millisecond()) / 2;
    let apart = there.as_millisecond() - middle;
    let said = format!("PostgreSQL's clock is {apart:+} ms from this machine's");
    let mend = "let both follow NTP: each node judges expiry by its own clock";
    if apart.abs() <= CLOCKS_AGREE_MS {
        findings.ok("clock", said);
    } else if apart.abs() <= CLOCKS_DISAGREE_MS {
        findings.warn("clock", said, mend);
    } else {
        findings.fail("clock", said, mend);
    }
}

#[expect(clippy::disallowed_methods, reason = "this machine's clock is what is compared")]
fn now() -> Timestamp {
    Timestamp::now()
}

async fn audit_heads(database: &Database, findings: &mut Findings) {
    match database.audit_heads().await {
        Ok((chains, 0)) => {
            findings.ok("audit", format!("{chains} chains end at their heads; `claviger audit verify` proves them"));
        }
        Ok((chains, broken)) => findings.fail(
            "audit",
            format!("{broken} of {chains} chains do not end at their heads"),
            "`claviger audit verify` tells where; keep this database as it is, and compare it with your backups",
        ),
        Err(error) => findings.refused("audit", &Failure::because("cannot read the audit chains", &error), MAY_READ),
    }
}

/// The service on this machine, if one runs.
fn service(settings: &Settings, findings: &mut Findings) -> Result<(), Failure> {
    let at = reachable(settings.internal_listen);
    let client = Client::builder().timeout(PATIENCE).no_proxy().build()?;
    let answer = match client.get(format!("http://{at}/health/ready")).send() {
        Ok(answer) => answer,
        Err(error) if error.is_connect() => {
            findings.ok("service", format!("none runs at {at}"));
            return Ok(());
        }
        Err(error) => {
            let said = Failure::because(format!("what listens at {at} does not answer"), &error.without_url());
            findings.fail("service", said.to_string(), "look into its log, or restart it");
            return Ok(());
        }
    };
    let status = answer.status();
    let health: serde_json::Value = serde_json::from_str(&answer.text().unwrap_or_default()).unwrap_or_default();
    match (status.is_success(), health["status"].as_str(), health["reason"].as_str()) {
        (true, Some("ok"), _) => findings.ok("service", format!("the one at {at} is ready")),
        (false, Some(_), Some(reason)) => {
            findings.fail("service", format!("the one at {at} is not ready: {reason}"), "its log tells more");
        }
        _ => findings.fail(
            "service",
            format!("what listens at {at} is no Claviger ({status})"),
            "set internal_listen (CLAVIGER_INTERNAL_LISTEN) to a free address",
        ),
    }
    Ok(())
}

/// Where this machine reaches a listener.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    SocketAddr::new(ip, listen.port())
}
