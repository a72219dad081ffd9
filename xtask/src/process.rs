//! Child processes that end before this program does, whichever way it ends.
//!
//! A command runs in a process group of its own, so that stopping it also stops what it started.
//! A signal stops the running group; then the waiting chore gets an error and returns, and the
//! `Drop` of each guard on its way cleans up.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::Result;

static STATE: Mutex<State> = Mutex::new(State { running: None, stopped: None });

struct State {
    running: Option<Pid>,
    stopped: Option<&'static str>,
}

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn stop_on_signals() -> Result<()> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    thread::spawn(move || signals.forever().for_each(|_| stop("interrupted")));
    Ok(())
}

pub(crate) fn stop_after(limit: Duration, reason: &'static str) {
    thread::spawn(move || {
        thread::sleep(limit);
        stop(reason);
    });
}

/// Ends the running command, and refuses to start another one.
fn stop(reason: &'static str) {
    let running = {
        let mut state = state();
        state.stopped.get_or_insert(reason);
        state.running
    };
    let Some(group) = running else { return };
    // A group that is already gone cannot be signalled, and need not be.
    let _ = kill_process_group(group, Signal::TERM);
    thread::sleep(Duration::from_secs(3));
    if state().running == Some(group) {
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// Why nothing may be started any more, if so.
pub(crate) fn stopped() -> Option<&'static str> {
    state().stopped
}

/// Runs a command to its end; anything but success is an error.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    run_group(command, |_| {})
}

/// Like [`run`], and shows each line of the standard output to `on_line` as it comes.
pub(crate) fn run_reading(command: &mut Command, on_line: impl FnMut(&str)) -> Result<()> {
    run_group(command.stdout(Stdio::piped()), on_line)
}

fn run_group(command: &mut Command, mut on_line: impl FnMut(&str)) -> Result<()> {
    let mut child = {
        let mut state = state();
        if let Some(reason) = state.stopped {
            return Err(reason.into());
        }
        let child = command.stdin(Stdio::null()).process_group(0).spawn();
        let child = child.map_err(|error| format!("`{}`: {error}", shown(command)))?;
        state.running = Some(Pid::from_child(&child));
        child
    };

    if let Some(stdout) = child.stdout.take() {
        let lines = lines(stdout);
        loop {
            match lines.recv_timeout(Duration::from_secs(1)) {
                Ok(line) => on_line(&line),
                // What a test left behind may hold the pipe open for ever: nobody waits for that.
                Err(RecvTimeoutError::Timeout) if child.try_wait()?.is_some() => break,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
    }
    let status = child.wait()?;
    end_group(Pid::from_child(&child));
    state().running = None;

    match (stopped(), status.success()) {
        (Some(reason), _) => Err(reason.into()),
        (None, false) => Err(format!("`{}`: {status}", shown(command)).into()),
        (None, true) => Ok(()),
    }
}

fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name();
    let words = program.into_iter().chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

/// What a command left running ends with it; a moment later its files may be deleted.
fn end_group(group: Pid) {
    for _ in 0..100 {
        if kill_process_group(group, Signal::KILL).is_err() {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
}

fn lines(stdout: ChildStdout) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let lines = BufReader::new(stdout).split(b'\n').map_while(std::io::Result::ok);
        lines.map(|line| String::from_utf8_lossy(&line).into_owned()).try_for_each(|line| sender.send(line))
    });
    receiver
}
