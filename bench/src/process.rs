//! A program on one core: what it has used of it, and its end.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::{Child, Command},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::{
    param::clock_ticks_per_second,
    process::{Pid, Signal, kill_process},
};

use crate::Result;

/// What is measured runs here.
pub(crate) const SERVER: Core = Core(0);
/// What makes the load, and all that is not measured.
pub(crate) const GENERATOR: Core = Core(1);

const TICK: Duration = Duration::from_millis(1);
const PATIENCE: Duration = Duration::from_secs(60);
const REST: Duration = Duration::from_millis(600);

/// One core of this machine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Core(u32);

impl Core {
    /// A command whose threads all stay on this core. `taskset` becomes the program, under the same process id.
    pub(crate) fn command(self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("taskset");
        command.args(["--cpu-list", &self.0.to_string()]).arg(program);
        command
    }

    /// Moves a process that runs already; what it starts from now on is there too.
    pub(crate) fn take(self, process: i32) -> Result<()> {
        let mut command = Command::new("taskset");
        command.args(["--pid", "--cpu-list", &self.0.to_string(), &process.to_string()]);
        let output = command.output()?;
        if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into()) }
    }
}

/// A running program. It is told to stop when this is dropped, and waited for.
#[derive(Debug)]
pub(crate) struct Process(Child);

impl Process {
    pub(crate) fn spawn(command: &mut Command) -> Result<Self> {
        let child = command.spawn();
        Ok(Self(child.map_err(|error| format!("{}: {error}", command.get_program().to_string_lossy()))?))
    }

    /// Asks until the answer is 200. The way to ask is the plainest one, because the first answer is timed.
    pub(crate) fn ready(&mut self, port: u16, path: &str) -> Result<()> {
        let began = now();
        while began.elapsed() < PATIENCE {
            if let Some(status) = self.0.try_wait()? {
                return Err(format!("a server ended, {status}").into());
            }
            if answers(port, path).is_some() {
                return Ok(());
            }
            sleep(TICK);
        }
        Err(format!("nobody answers {path} on port {port}").into())
    }

    /// Waits for the end that it comes to by itself.
    pub(crate) fn ended(&mut self) -> Result<()> {
        let status = self.0.wait()?;
        if status.success() { Ok(()) } else { Err(format!("a program ended, {status}").into()) }
    }

    /// The time that all its threads have spent on a core, those that have ended included.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.id()))?;
        // The name in brackets may contain anything; utime and stime are the 14th and 15th of all fields.
        let fields = stat.rsplit_once(") ").map(|(_, fields)| fields.split(' ')).ok_or("no name in /proc/stat")?;
        let ticks: u64 = fields.skip(11).take(2).map(str::parse::<u64>).sum::<std::result::Result<_, _>>()?;
        Ok(Duration::from_secs_f64(ticks as f64 / clock_ticks_per_second() as f64))
    }

    /// Waits until it has done what is left over from a load, such as the writing of usage counts twice a second.
    pub(crate) fn settle(&self) -> Result<()> {
        let began = now();
        while began.elapsed() < PATIENCE {
            let before = self.cpu()?;
            sleep(REST);
            if self.cpu()?.saturating_sub(before) < REST / 40 {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Its memory in MiB: what is resident.
    pub(crate) fn resident(&self) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let began = now();
        let _ = kill_process(Pid::from_child(&self.0), Signal::TERM);
        while began.elapsed() < PATIENCE {
            if let Ok(Some(_)) = self.0.try_wait() {
                return;
            }
            sleep(TICK);
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn answers(port: u16, path: &str) -> Option<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").ok()?;
    let mut status = [0; 12];
    stream.read_exact(&mut status).ok()?;
    status.ends_with(b" 200").then_some(())
}

/// A port that nobody listens on. It could be taken until it is used; nobody else is at work here.
pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
