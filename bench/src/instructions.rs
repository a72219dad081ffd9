//! How many instructions a verification takes, counted by valgrind: the same number on every run, however busy the
//! machine is, so that a change that makes it dearer is seen when it is made.
//!
//! Counted is what is ours: from the parsed request to the answer's last byte, without hyper and without the kernel.

use std::{
    fmt::Write as _,
    fs,
    path::Path,
    process::{Command, ExitCode},
};

use axum::{
    Router,
    body::Body,
    http::{HeaderValue, Request, StatusCode, Uri, header},
};
use bytes::Bytes;
use clap::ValueEnum;
use claviger_core::{MasterKey, SessionLife};
use claviger_server::{AccessLog, App, Clock, Config, Keys, internal, public};
use claviger_store::{Changes, Database, Store, UsageKept};
use claviger_token::Brand;
use http_body_util::BodyExt as _;
use rand::{SeedableRng as _, rngs::StdRng};
use tokio::runtime::Runtime;
use tower::ServiceExt as _;

use crate::{
    Result,
    customer::{self, Customer, PERMISSION},
    process,
};

/// What is agreed: a name and a number on each line.
const FILE: &str = "bench/instructions.txt";
/// In percent. What differs between two compilers or two random seeds is below it.
const TOLERANCE: i64 = 3;
const REQUESTS: u32 = 2_000;
const HOST: &str = "localhost";

#[derive(Debug, clap::Args)]
pub(crate) struct Instructions {
    /// Take what is counted as what is agreed from now on
    #[arg(long)]
    accept: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Drive {
    #[arg(value_enum)]
    what: What,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum What {
    Verify,
    ForwardAuth,
}

impl What {
    fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

pub(crate) fn run(command: &Instructions) -> Result<ExitCode> {
    let agreed = fs::read_to_string(FILE).unwrap_or_default();
    let (mut counts, mut sound) = (String::new(), true);
    for what in What::value_variants() {
        let (name, count) = (what.name(), count(*what)?);
        writeln!(counts, "{name} {count}")?;
        let line = agreed.lines().find_map(|line| line.strip_prefix(&name)?.strip_prefix(' '));
        let agreed: Option<i64> = line.map(str::parse).transpose()?;
        let (verdict, holds) = judge(count, agreed);
        println!("{name}: {count} instructions; {verdict}");
        sound &= holds;
    }
    if command.accept {
        fs::write(FILE, counts)?;
        return Ok(ExitCode::SUCCESS);
    }
    if !sound {
        println!("find out why, or agree to it with `cargo xtask instructions --accept`");
    }
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Less than agreed is good news, and said, so that the number follows.
fn judge(count: i64, agreed: Option<i64>) -> (String, bool) {
    let Some(agreed) = agreed else { return (format!("{FILE} has no number for it"), false) };
    let change = format!("{agreed} in {FILE}, {:+.1} %", (count - agreed) as f64 * 100.0 / agreed as f64);
    match (count - agreed) * 100 {
        more if more > agreed * TOLERANCE => (format!("more than {change}"), false),
        less if less < -agreed * TOLERANCE => (format!("less than {change}: write it down with --accept"), true),
        _ => (format!("as agreed: {change}"), true),
    }
}

fn count(what: What) -> Result<i64> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("callgrind");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--collect-atstart=no", "--toggle-collect=*counted_by_valgrind*"])
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(std::env::current_exe()?)
        .args(["drive", &what.name()])
        .output()
        .map_err(|error| format!("valgrind: {error}; `apt-get install valgrind`"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into());
    }
    let counted = fs::read_to_string(file)?;
    let totals = counted.lines().find_map(|line| line.strip_prefix("totals: ")).ok_or("no totals of callgrind")?;
    Ok(totals.trim().parse::<i64>()? / i64::from(REQUESTS))
}

/// Under valgrind: makes an instance, asks it often enough that everything is warm, and then as often as is counted.
pub(crate) fn drive(drive: &Drive) -> Result<ExitCode> {
    let directory = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let app = runtime.block_on(app(directory.path()))?;
    let administrator = runtime.block_on(app.bootstrap(false))?.api_key;
    let routes = public(app.clone());
    let customer = Customer::make(|path, body| {
        let bearer = format!("Bearer {}", administrator.expose());
        let request = Request::post(path).header(header::AUTHORIZATION, bearer);
        let request = request.header(header::CONTENT_TYPE, "application/json").body(Body::from(body.to_string()))?;
        Ok(serde_json::from_slice(&runtime.block_on(answer(&routes, request))?)?)
    })?;

    let driver = Driver {
        routes: internal(app),
        what: drive.what,
        question: customer::question(&customer.token).to_string().into(),
        bearer: format!("Bearer {}", customer.token).try_into()?,
        forward_auth: format!("/v1/forward-auth?permission={PERMISSION}").parse()?,
    };
    runtime.block_on(driver.ask(REQUESTS / 20))?;
    counted_by_valgrind(&runtime, &driver)?;
    Ok(ExitCode::SUCCESS)
}

async fn app(directory: &Path) -> Result<App> {
    let database = Database::open(&format!("sqlite://{}", directory.join("claviger.db").display())).await?;
    database.migrate().await?;
    let mut rng = StdRng::seed_from_u64(0);
    let master = MasterKey::parse(&MasterKey::generate(&mut rng)).ok_or("no master key")?;
    let clock = Clock::default();
    let keys = Keys::open(&database, &master, jiff::Timestamp::UNIX_EPOCH, &mut rng).await?;
    let config = Config {
        public_url: "http://localhost:7420".to_owned(),
        brand: Brand::default(),
        former_brands: Vec::new(),
        max_staleness: Changes::ENTRY_LIFE,
        drain_time: std::time::Duration::ZERO,
        internal_url: format!("http://{HOST}"),
        internal_hosts: vec![HOST.to_owned()],
        internal_token: None,
        cache_entries: 1_000,
        redis: None,
        trusted_proxies: None,
        client_certificate_header: false,
        mtls_url: None,
        traces: false,
        access_log: AccessLog::default(),
        sessions: SessionLife::default(),
        usage_kept: UsageKept::default(),
        provider: None,
        outbound_networks: None,
        signing_key_rotation: jiff::SignedDuration::from_hours(90 * 24),
        dpop_nonce: false,
    };
    let store = Store::new(database, keys.chain, Changes::new(process::now()));
    let app = App::new(store, keys.peppers, keys.totp_seeds, keys.signing_keys, config, clock);
    app.install_builtins().await?;
    Ok(app)
}

/// Asks the routes of the internal listener.
struct Driver {
    routes: Router,
    what: What,
    question: Bytes,
    bearer: HeaderValue,
    forward_auth: Uri,
}

impl Driver {
    async fn ask(&self, times: u32) -> Result<()> {
        for _ in 0..times {
            let answer = answer(&self.routes, self.request()?).await?;
            let answer: &[u8] = &answer;
            if matches!(self.what, What::Verify) && !answer.starts_with(b"{\"valid\":true") {
                return Err(format!("not valid: {}", String::from_utf8_lossy(answer)).into());
            }
        }
        Ok(())
    }

    fn request(&self) -> Result<Request<Body>> {
        let request = Request::builder().header(header::HOST, HOST);
        Ok(match self.what {
            What::Verify => request
                .method("POST")
                .uri("/v1/verify")
                .header(header::CONTENT_TYPE, "application/json")
                .body(Body::from(self.question.clone()))?,
            What::ForwardAuth => request
                .uri(self.forward_auth.clone())
                .header(header::AUTHORIZATION, &self.bearer)
                .header("x-forwarded-for", "203.0.113.7")
                .body(Body::empty())?,
        })
    }
}

async fn answer(routes: &Router, request: Request<Body>) -> Result<Bytes> {
    let response = routes.clone().oneshot(request).await?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    let made = status == StatusCode::OK || status == StatusCode::CREATED;
    if made { Ok(body) } else { Err(format!("{status}: {}", String::from_utf8_lossy(&body)).into()) }
}

/// Valgrind counts while this runs, and finds it by its name.
#[inline(never)]
fn counted_by_valgrind(runtime: &Runtime, driver: &Driver) -> Result<()> {
    runtime.block_on(driver.ask(REQUESTS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_clearly_more_than_agreed_is_refused() {
        for (count, sound) in [(1_000, true), (1_030, true), (1_031, false), (970, true), (500, true)] {
            assert_eq!(judge(count, Some(1_000)).1, sound, "{count}");
        }
        assert!(judge(500, Some(1_000)).0.starts_with("less"));
        assert!(!judge(1_000, None).1);
    }
}
