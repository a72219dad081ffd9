//! A PostgreSQL of our own: fresh, on a free port of the loopback, gone afterwards.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;

use crate::{Result, process, tools};

const TICK: Duration = Duration::from_millis(100);
const TICKS_TO_START: usize = 300;

pub(crate) struct Postgres {
    server: Child,
    port: u16,
    binaries: PathBuf,
    directory: TempDir,
}

/// `cargo xtask postgres`: one PostgreSQL for many runs of `cargo test`.
pub(crate) fn serve() -> Result<ExitCode> {
    tools::install_packages()?;
    let mut postgres = Postgres::start()?;
    let variables = postgres.variables().map(|(name, value)| format!("{name}={value}"));
    println!("export {}", variables.join(" "));

    while process::stopped().is_none() {
        postgres.check_alive()?;
        thread::sleep(TICK);
    }
    Ok(ExitCode::SUCCESS)
}

impl Postgres {
    /// For tests.
    pub(crate) fn start() -> Result<Self> {
        Self::start_in(tools::scratch("claviger-postgres-")?, &[])
    }

    /// With its data in `directory`, and with more arguments for the server.
    pub(crate) fn start_in(directory: TempDir, arguments: &[&str]) -> Result<Self> {
        let binaries = tools::directory_of("postgres")?;
        if geteuid().is_root() {
            process::run(Command::new("chown").arg("postgres").arg(directory.path()))?;
        }
        let data = directory.path().join("data");
        let mut initdb = as_owner(&binaries.join("initdb"), directory.path());
        initdb.args(["--username=postgres", "--auth=trust", "--no-locale", "--encoding=UTF8", "--no-sync", "--pgdata"]);
        process::run_reading(initdb.arg(&data), |_| {})?;

        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let log = File::create(directory.path().join("log"))?;
        let server = as_owner(&binaries.join("postgres"), directory.path())
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(directory.path())
            .args(["-c", "listen_addresses=127.0.0.1", "-c", &format!("port={port}")])
            // Tests kill our servers, not this one: its data need not survive anything.
            .args(["-c", "fsync=off", "-c", "max_connections=300"])
            .args(arguments)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let mut postgres = Self { server, port, binaries, directory };
        postgres.wait_until_ready()?;
        Ok(postgres)
    }

    /// What the tests read to find this server, and to start one that they may kill.
    pub(crate) fn variables(&self) -> [(&'static str, String); 2] {
        let url = format!("postgres://postgres@127.0.0.1:{}/postgres", self.port);
        let binaries = self.binaries.display().to_string();
        [("CLAVIGER_TEST_POSTGRES", url), ("CLAVIGER_TEST_POSTGRES_BIN", binaries)]
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let mut is_ready = Command::new(self.binaries.join("pg_isready"));
        is_ready.args(["--quiet", "--host=127.0.0.1", &format!("--port={}", self.port)]);
        for _ in 0..TICKS_TO_START {
            self.check_alive()?;
            if let Some(reason) = process::stopped() {
                return Err(reason.into());
            }
            if is_ready.status()?.success() {
                return Ok(());
            }
            thread::sleep(TICK);
        }
        Err("PostgreSQL does not answer".into())
    }

    fn check_alive(&mut self) -> Result<()> {
        let Some(status) = self.server.try_wait()? else { return Ok(()) };
        let log = fs::read_to_string(self.directory.path().join("log"))?;
        Err(format!("PostgreSQL ended, {status}:\n{log}").into())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let Ok(None) = self.server.try_wait() else { return };
        // "Immediate shutdown": it ends its own processes and shared memory, but saves nothing.
        let _ = kill_process(Pid::from_child(&self.server), Signal::QUIT);
        let _ = self.server.wait();
    }
}

/// PostgreSQL refuses to run as root. It also ends when this program is killed and cannot clean up.
fn as_owner(program: &Path, directory: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "QUIT"]).current_dir(directory);
    if geteuid().is_root() {
        command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]);
    }
    command.arg(program);
    command
}
