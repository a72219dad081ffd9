//! What stands beside the nodes, and is taken away from them: a Redis, a PostgreSQL of the test's own, and a wire to a database that loses
//! what it carries. They know nothing of nodes.

use std::{
    env,
    fs::File,
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;

use crate::{gateways::upstream::free_port, server::wait_for};

/// Without anything on a disk. It is killed when the test is over.
pub(super) struct Redis {
    process: Child,
    pub(super) port: u16,
}

impl Redis {
    pub(super) fn start(port: u16) -> Self {
        // It also ends when the test is killed and cannot clean up.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "redis-server"]);
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let redis = Self { process: command.spawn().unwrap(), port };
        wait_for("Redis listens", || TcpStream::connect(("127.0.0.1", port)).ok());
        redis
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A server that a test may stop. Its data needs to outlive no machine.
pub(super) struct Postgres {
    directory: TempDir,
    process: Child,
    port: u16,
}

impl Postgres {
    pub(super) fn start() -> Self {
        let (directory, port) = (tempfile::tempdir().unwrap(), free_port());
        if geteuid().is_root() {
            assert!(Command::new("chown").arg("postgres").arg(directory.path()).status().unwrap().success());
        }
        let mut initdb = as_owner("initdb", directory.path());
        initdb.args(["--username=claviger", "--auth=trust", "--no-locale", "--encoding=UTF8", "--no-sync"]);
        let made = initdb.args(["--pgdata", "data"]).stdout(Stdio::null()).status().unwrap();
        assert!(made.success());
        let process = run(directory.path(), port);
        let postgres = Self { directory, process, port };
        postgres.answers();
        let create = ["-qX", "-c", "CREATE DATABASE claviger", &postgres.url("postgres")];
        assert!(Command::new("psql").args(create).status().unwrap().success());
        postgres
    }

    pub(super) fn url(&self, database: &str) -> String {
        format!("postgres://claviger@127.0.0.1:{}/{database}", self.port)
    }

    /// Ends every connection, and then itself.
    pub(super) fn stop(&mut self) {
        kill_process(Pid::from_child(&self.process), Signal::INT).unwrap();
        wait_for("PostgreSQL ends", || self.process.try_wait().unwrap());
    }

    pub(super) fn go_on(&mut self) {
        self.process = run(self.directory.path(), self.port);
        self.answers();
    }

    fn answers(&self) {
        wait_for("PostgreSQL answers", || {
            let mut ask = Command::new("psql");
            ask.args(["-qX", "-c", "SELECT 1", &self.url("postgres")]).stdout(Stdio::null()).stderr(Stdio::null());
            ask.status().unwrap().success().then_some(())
        });
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // It ends its own processes then, and saves nothing.
        kill_process(Pid::from_child(&self.process), Signal::QUIT).ok();
        self.process.wait().ok();
    }
}

fn run(directory: &Path, port: u16) -> Child {
    let log = File::options().create(true).append(true).open(directory.join("log")).unwrap();
    let mut command = as_owner("postgres", directory);
    command.args(["-D", "data", "-k"]).arg(directory);
    command.args(["-c", "listen_addresses=127.0.0.1", "-c", &format!("port={port}"), "-c", "fsync=off"]);
    command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap()
}

/// PostgreSQL refuses to run as root. It also ends when the test is killed and cannot clean up.
fn as_owner(program: &str, directory: &Path) -> Command {
    let binaries = env::var_os("CLAVIGER_TEST_POSTGRES_BIN");
    let binaries = binaries.expect("CLAVIGER_TEST_POSTGRES_BIN is not set: `cargo xtask postgres` tells what it is");
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "QUIT"]).current_dir(directory);
    if geteuid().is_root() {
        command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]);
    }
    command.arg(PathBuf::from(binaries).join(program));
    command
}

/// Passes every connection on to an address, until it loses them: nothing that is sent arrives, nobody is told, and those that were open
/// then stay lost, as behind a firewall that forgot them.
pub(super) struct Wire {
    pub(super) port: u16,
    loses: Arc<AtomicBool>,
}

impl Wire {
    pub(super) fn to(address: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let wire = Self { port: listener.local_addr().unwrap().port(), loses: Arc::default() };
        let (loses, address) = (Arc::clone(&wire.loses), address.to_owned());
        thread::spawn(move || {
            for near in listener.incoming() {
                let near = near.unwrap();
                let far = TcpStream::connect(&address).unwrap();
                for (from, to) in [(near.try_clone().unwrap(), far.try_clone().unwrap()), (far, near)] {
                    let loses = Arc::clone(&loses);
                    thread::spawn(move || carry(from, to, &loses));
                }
            }
        });
        wire
    }

    pub(super) fn loses(&self, loses: bool) {
        self.loses.store(loses, Ordering::SeqCst);
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, loses: &AtomicBool) {
    from.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let mut bytes = [0; 16 * 1024];
    let mut is_lost = false;
    loop {
        let read = from.read(&mut bytes);
        is_lost |= loses.load(Ordering::SeqCst);
        if is_lost {
            // Neither end hears of the other any more. Their sockets stay open until the test is over.
            loop {
                thread::park();
            }
        }
        match read {
            Ok(0) => break,
            Ok(length) => {
                if to.write_all(&bytes[..length]).is_err() {
                    break;
                }
            }
            Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
    }
    to.shutdown(Shutdown::Write).ok();
}
