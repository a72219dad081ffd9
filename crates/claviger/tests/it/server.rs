//! A data directory of a test's own, the commands run on it, and the server that runs on it.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread::sleep,
    time::Duration,
};

use memchr::memmem;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use serde_json::Value as Json;
use tempfile::TempDir;

/// How often something is looked at that takes a while, and how many times at most.
const TICK: Duration = Duration::from_millis(20);
const TICKS: u32 = 1500;

/// An instance: its directory, and what its processes find in their environment.
pub(crate) struct Instance {
    directory: TempDir,
    variables: Vec<(&'static str, String)>,
    started: AtomicU32,
}

/// A running `claviger serve`, or `claviger sidecar`. It is killed when the test is over.
pub(crate) struct Server {
    child: Child,
    /// Where the public listener really is.
    pub(crate) public: String,
    /// Where the internal listener really is.
    pub(crate) internal: String,
    output: PathBuf,
}

/// How a command ended and what it said.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Instance {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("logs")).unwrap();
        Self { directory, variables: Vec::new(), started: AtomicU32::new(0) }
    }

    /// With one more variable for all its processes.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    /// Where its processes run; `claviger.toml` would stand here.
    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn data(&self, file: &str) -> PathBuf {
        self.path().join("claviger-data").join(file)
    }

    /// A command that finds none of the settings of whoever runs the tests.
    pub(crate) fn claviger(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_claviger"));
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CLAVIGER_")) {
            command.env_remove(name);
        }
        // Free ports: many tests run at once, and beside whatever else this machine runs.
        command.envs([("CLAVIGER_LISTEN", "127.0.0.1:0"), ("CLAVIGER_INTERNAL_LISTEN", "127.0.0.1:0")]);
        // Nor the login of whoever that is.
        command.env("XDG_CONFIG_HOME", self.path().join("config"));
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.current_dir(self.path()).args(arguments);
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Done {
        done(self.claviger(arguments).output().unwrap())
    }

    /// The same, for what must succeed.
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let done = self.run(arguments);
        assert_eq!(done.code, Some(0), "{arguments:?}: {done:?}");
        done.stdout
    }

    /// The same, for what must be refused in one line.
    pub(crate) fn refused(&self, arguments: &[&str]) -> String {
        self.run(arguments).refused()
    }

    /// Starts a server on free ports and waits until it listens.
    pub(crate) fn serve(&self, arguments: &[&str]) -> Server {
        let mut server = self.start(&["serve"], arguments);
        let line = server.listens();
        server.public = format!("http://{}", line["public"].as_str().unwrap());
        server.internal = format!("http://{}", line["internal"].as_str().unwrap());
        server
    }

    /// The same of a sidecar of whatever is there.
    pub(crate) fn sidecar(&self, upstream: &str, arguments: &[&str]) -> Server {
        let mut sidecar = self.start(&["sidecar", "--upstream", upstream], arguments);
        sidecar.internal = format!("http://{}", sidecar.listens()["address"].as_str().unwrap());
        sidecar
    }

    fn start(&self, command: &[&str], arguments: &[&str]) -> Server {
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let output = self.path().join("logs").join(number.to_string());
        let child = self
            .claviger(command)
            .arg("--log-format=json")
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(File::create(output.with_extension("stdout")).unwrap())
            .stderr(File::create(output.with_extension("stderr")).unwrap())
            .spawn()
            .unwrap();
        Server { child, public: String::new(), internal: String::new(), output }
    }

    /// Fails if any of these stands in a log or in a file of the data directory.
    pub(crate) fn assert_nowhere(&self, secrets: &[&str]) {
        let logs = fs::read_dir(self.path().join("logs")).unwrap().map(|file| file.unwrap().path());
        let logs = logs.filter(|path| path.extension().is_some_and(|extension| extension == "stderr"));
        let data = fs::read_dir(self.data("")).into_iter().flatten().map(|file| file.unwrap().path());
        for path in logs.chain(data) {
            let bytes = fs::read(&path).unwrap();
            for secret in secrets {
                // The part after the prefix: that is what must not be found, however it is dressed.
                let random = secret.rsplit('_').next().unwrap().as_bytes();
                assert!(random.len() >= 32, "{secret:?} is no secret");
                assert!(memmem::find(&bytes, random).is_none(), "a secret stands in {}", path.display());
            }
        }
    }

    /// Changes the SQLite file behind the service's back.
    pub(crate) fn tamper(&self, sql: &str) {
        const SCRIPT: &str =
            "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.executescript(sys.argv[2]); c.commit()";
        let database = self.data("claviger.db");
        let done = done(Command::new("python3").args(["-c", SCRIPT]).arg(database).arg(sql).output().unwrap());
        assert_eq!(done.code, Some(0), "{done:?}");
    }
}

impl Server {
    /// Waits until it listens, and what it says then.
    fn listens(&mut self) -> Json {
        wait_for("the server listens", || {
            assert_eq!(self.child.try_wait().unwrap(), None, "{}", self.log());
            self.logged("listening")
        })
    }

    pub(crate) fn stdout(&self) -> String {
        fs::read_to_string(self.output.with_extension("stdout")).unwrap()
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.output.with_extension("stderr")).unwrap()
    }

    /// The first log line with this message.
    pub(crate) fn logged(&self, message: &str) -> Option<Json> {
        let log = self.log();
        log.lines().filter_map(|line| serde_json::from_str::<Json>(line).ok()).find(|line| line["message"] == message)
    }

    /// As `--dev` printed them: the administrator's key and the example's.
    pub(crate) fn keys(&self) -> (String, String) {
        let stdout = self.stdout();
        let key = |title: &str| {
            let line = stdout.lines().find(|line| line.trim_start().starts_with(title)).unwrap();
            line.split_whitespace().last().unwrap().to_owned()
        };
        (key("admin key"), key("example key"))
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Stops it where it is, until it is told to continue.
    pub(crate) fn pause(&self) {
        self.signal(Signal::STOP);
        let status = waitpid(Some(Pid::from_child(&self.child)), WaitOptions::UNTRACED).unwrap();
        assert!(status.is_some_and(|(_, status)| status.stopped()), "{}", self.log());
    }

    /// Waits for the end that something else asked for.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        wait_for("the server ends", || self.child.try_wait().unwrap())
    }

    pub(crate) fn stop(&mut self) {
        self.signal(Signal::TERM);
        let status = self.ended();
        assert!(status.success(), "{status}: {}", self.log());
    }

    /// A user's command, by whoever has this credential.
    pub(crate) fn user(&self, instance: &Instance, token: &str, arguments: &[&str]) -> Done {
        let mut command = instance.claviger(arguments);
        done(command.env("CLAVIGER_URL", &self.public).env("CLAVIGER_TOKEN", token).output().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Done {
    /// What it said, for whom it must have been no.
    pub(crate) fn refused(self) -> String {
        assert_eq!((self.code, self.stdout.as_str()), (Some(1), ""), "{self:?}");
        let said = self.stderr.trim_end().to_owned();
        assert!(said.starts_with("claviger: ") && !said.contains('\n'), "{said}");
        said
    }

    pub(crate) fn json(&self) -> Json {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A command with something on its standard input.
pub(crate) fn done_reading(command: &mut Command, input: &str) -> Done {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    done(child.wait_with_output().unwrap())
}

pub(crate) fn done(output: Output) -> Done {
    Done {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Looks until there is something to see.
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..TICKS {
        if let Some(seen) = look() {
            return seen;
        }
        sleep(TICK);
    }
    panic!("{what}: not within {:?}", TICK * TICKS);
}
