//! nginx as its guide configures it: proxying alone, asking a bare server, and asking Claviger.
//!
//! nginx and the API behind it are on the one core; who is asked shares the other with the load. So the rate is nginx's.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
};

use tempfile::TempDir;

use crate::{
    Result,
    compare::Side,
    process::{GENERATOR, Process, SERVER, free_port},
    report::{Row, micros, per_second},
    run::Bench,
    wrk::Requests,
};

const GUIDE: &str = include_str!("../../docs/gateways/nginx.md");
const PAGE: &str = "/invoices.json";

/// A running nginx with one worker.
struct Nginx {
    process: Process,
    port: u16,
    _prefix: TempDir,
}

impl Nginx {
    /// Asks whoever listens on this port; nobody if there is none.
    fn start(asked: Option<u16>) -> Result<Self> {
        let (port, api) = (free_port()?, free_port()?);
        let guide = GUIDE.split_once("```nginx\n").and_then(|(_, rest)| rest.split_once("```"));
        let mut configuration = guide.ok_or("the guide to nginx has no configuration")?.0.to_owned();
        let changes = [
            ("worker_processes auto", "worker_processes 1".to_owned()),
            ("127.0.0.1:8080", format!("127.0.0.1:{port}")),
            ("127.0.0.1:8081", format!("127.0.0.1:{api}")),
            match asked {
                Some(asked) => ("127.0.0.1:7421", format!("127.0.0.1:{asked}")),
                None => ("auth_request /_claviger;", String::new()),
            },
        ];
        for (old, new) in changes {
            if !configuration.contains(old) {
                return Err(format!("the guide to nginx has no {old:?} any more").into());
            }
            configuration = configuration.replace(old, &new);
        }
        let prefix = tempfile::tempdir()?;
        // Started as root, nginx reads the files as somebody else.
        fs::set_permissions(prefix.path(), Permissions::from_mode(0o755))?;
        fs::create_dir(prefix.path().join("api"))?;
        fs::write(prefix.path().join("api").join(&PAGE[1..]), "[{\"number\":1}]\n")?;
        fs::write(prefix.path().join("nginx.conf"), configuration)?;
        let mut command = SERVER.command("nginx");
        command.arg("-p").arg(prefix.path()).args(["-e", "error.log", "-c", "nginx.conf", "-g", "daemon off;"]);
        let mut process = Process::spawn(&mut command)?;
        process.ready(api, PAGE)?;
        Ok(Self { process, port, _prefix: prefix })
    }
}

pub(crate) fn beside(bench: &mut Bench) -> Result<()> {
    let (site, scale) = (bench.many()?, bench.scale);
    let server = site.serve(GENERATOR)?;
    let (_bare, port) = server.bare(GENERATOR, &site.customer.token, bench.scratch())?;
    let head = [&format!("GET {PAGE} HTTP/1.1"), "Authorization: Bearer {token}"];
    let requests = Requests::new(0, &head, "", bench.tokens(0..scale.hot)?);
    let nginx = [Nginx::start(None)?, Nginx::start(Some(port))?, Nginx::start(Some(server.internal))?];
    let sides = nginx.each_ref().map(|nginx| Side { process: &nginx.process, requests: requests.to(nginx.port) });
    sides[2].requests.send(&bench.full(8), 0, bench.scratch())?;
    let figures = bench.saturated(&sides)?;
    let [alone, bare, ours] = [0, 1, 2].map(|side| &figures[side]);

    let shown =
        |rate: f64| format!("{}, {} each", per_second(rate), micros(std::time::Duration::from_secs_f64(1.0 / rate)));
    let ratio = ours.rate / alone.rate;
    let what = "nginx with `auth_request` to us, beside the same nginx without";
    let row = Row::at_least(what, "≥ 0.8 × its rate", ratio, 0.8);
    bench.report(row.with(format!("without: {}", shown(alone.rate)), shown(ours.rate), Some(ratio)));
    let row = Row::for_orientation("the same, beside nginx with `auth_request` to the bare server", "");
    bench.report(row.with(shown(bare.rate), shown(ours.rate), Some(ours.rate / bare.rate)));
    Ok(())
}
