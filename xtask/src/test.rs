//! `cargo xtask test`: every gate, every test, one report.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, ExitCode};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::postgres::Postgres;
use crate::tools::cargo;
use crate::{Result, node, process, python, tools};

const LIMIT: Duration = Duration::from_secs(55 * 60);

const GATES: [(&str, &str); 4] = [
    ("formatting", "fmt --all --check"),
    ("lints", "clippy --workspace --all-targets --all-features -- -D warnings"),
    ("dependencies", "deny check bans licenses sources"),
    ("documentation", "doc --workspace --all-features --no-deps --document-private-items"),
];
const BUILD: &str = "build --workspace --all-features --bins";
/// As in the README, where no binary is named.
const RUN: &str = "run --quiet -- --version";
const TESTS: &str = "test --workspace --all-features --no-fail-fast";
/// For each core: tests wait for databases, servers and clocks more than they compute.
const THREADS: usize = 2;

/// Runs the gates and all tests, or without the gates the tests that `only` names.
pub(crate) fn run(only: Option<&str>) -> Result<ExitCode> {
    process::stop_after(LIMIT, "the run took longer than 55 minutes");
    let mut report = Report::default();

    report.check("Debian packages", tools::install_packages);
    report.check("Envoy", tools::install_envoy);
    if only.is_none() {
        report.check("cargo-deny", tools::install_cargo_deny);
        for (name, arguments) in GATES {
            report.check(name, || process::run(words(arguments).env("RUSTDOCFLAGS", "-D warnings")));
        }
    }
    report.check("build", || process::run(&mut words(BUILD)));
    report.check("cargo run", || process::run(&mut words(RUN)));
    if let Some(postgres) = report.check("PostgreSQL", Postgres::start) {
        report.tests(only, &postgres);
        if only.is_none() {
            report.elsewhere(&postgres);
        }
    }
    Ok(report.finish())
}

#[derive(Default)]
struct Report {
    passed: u64,
    failed: u64,
    failures: Vec<String>,
}

impl Report {
    /// One step that counts as one check.
    fn check<T>(&mut self, name: &str, work: impl FnOnce() -> Result<T>) -> Option<T> {
        if process::stopped().is_some() {
            return None;
        }
        let done = step(name, work);
        match &done {
            Ok(_) => self.passed += 1,
            Err(error) => self.fail(format!("{name}: {error}")),
        }
        done.ok()
    }

    /// One step in which each test counts for itself.
    fn tests(&mut self, only: Option<&str>, postgres: &Postgres) {
        let failed_before = self.failed;
        let done = step("tests", || {
            let scratch = scratch()?;
            let mut command = words(TESTS);
            let threads = THREADS * thread::available_parallelism()?.get();
            command.args(only).envs(postgres.variables()).env("TMPDIR", scratch.path());
            command.env("RUST_TEST_THREADS", threads.to_string());
            process::run_reading(&mut command, |line| {
                println!("{line}");
                self.read(line);
            })
        });
        // Without a failed test, cargo failed at something else: a build, or a test that aborted.
        if let Err(error) = done
            && self.failed == failed_before
        {
            self.fail(format!("tests: {error}"));
        }
    }

    /// What is not written in Rust: pages in a real browser, and the verifiers of other languages.
    fn elsewhere(&mut self, postgres: &Postgres) {
        if self.check("browser tests' packages", || node::BROWSER.install()).is_some() {
            self.each("browser tests", postgres, || node::BROWSER.tests(), node::result);
        }
        if self.check("Node verifier's packages", || node::VERIFIER.install()).is_some() {
            self.check("Node verifier's types", || node::VERIFIER.check_types());
            self.each("Node verifier", postgres, || node::VERIFIER.tests(), node::result);
        }
        if self.check("Python verifier's packages", python::install).is_some() {
            self.check("Python verifier's types", python::check_types);
            self.each("Python verifier", postgres, python::tests, python::result);
        }
    }

    /// One step of another test runner, in which each test counts for itself: `result` knows how that tells them.
    fn each(
        &mut self,
        name: &str,
        postgres: &Postgres,
        tests: impl FnOnce() -> Result<Command>,
        result: impl Fn(&str) -> Option<std::result::Result<&str, &str>>,
    ) {
        let failed_before = self.failed;
        let done = step(name, || {
            let scratch = scratch()?;
            let mut command = tests()?;
            command.envs(postgres.variables()).env("TMPDIR", scratch.path());
            process::run_reading(&mut command, |line| {
                println!("{line}");
                match result(line) {
                    Some(Ok(_)) => self.passed += 1,
                    Some(Err(test)) => self.fail(format!("{name}: {test}")),
                    None => {}
                }
            })
        });
        if let Err(error) = done
            && self.failed == failed_before
        {
            self.fail(format!("{name}: {error}"));
        }
    }

    fn read(&mut self, line: &str) {
        if let Some((passed, failed)) = result(line) {
            self.passed += passed;
            self.failed += failed;
        }
        if let Some(test) = failed_test(line) {
            self.failures.push(format!("test {test}"));
        }
    }

    fn fail(&mut self, failure: String) {
        self.failed += 1;
        self.failures.push(failure);
    }

    /// The tally is the last line of the run.
    fn finish(mut self) -> ExitCode {
        if let Some(reason) = process::stopped() {
            self.fail(format!("not everything ran: {reason}"));
        }
        println!();
        for failure in &self.failures {
            println!("failed: {failure}");
        }
        println!("{} passed, {} failed", self.passed, self.failed);
        if self.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

fn step<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    println!("\n== {name}");
    let start = now();
    let done = work();
    let outcome = if done.is_ok() { "ok" } else { "FAILED" };
    println!("== {name}: {outcome}, {:.1} s", start.elapsed().as_secs_f32());
    done
}

#[expect(clippy::disallowed_methods, reason = "a chore measures how long its steps take")]
fn now() -> Instant {
    Instant::now()
}

fn words(arguments: &str) -> Command {
    let mut command = cargo();
    command.args(arguments.split_whitespace());
    command
}

/// Where tests put their files, so that these go with the run even if a test is killed. Open to
/// the user `postgres`, who runs the databases that tests start.
fn scratch() -> Result<TempDir> {
    let scratch = tools::scratch("claviger-test-")?;
    fs::set_permissions(scratch.path(), Permissions::from_mode(0o1777))?;
    Ok(scratch)
}

/// Passed and failed tests of one test binary: `test result: ok. 5 passed; 0 failed; 1 ignored; ...`
fn result(line: &str) -> Option<(u64, u64)> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let mut counts = counts.split("; ");
    let passed = counts.next()?.strip_suffix(" passed")?.parse().ok()?;
    let failed = counts.next()?.strip_suffix(" failed")?.parse().ok()?;
    Some((passed, failed))
}

fn failed_test(line: &str) -> Option<&str> {
    line.strip_prefix("test ")?.strip_suffix(" ... FAILED")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lines: &[&str], tally: (u64, u64), failures: &[&str]) {
        let mut report = Report::default();
        lines.iter().for_each(|line| report.read(line));
        assert_eq!((report.passed, report.failed), tally);
        assert_eq!(report.failures, failures);
    }

    #[test]
    fn results_of_all_test_binaries_are_added() {
        let ok = "test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s";
        let bad = "test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.02s";
        check(&[ok], (5, 0), &[]);
        check(&[ok, "test a::b ... FAILED", bad, "test c ... ok"], (7, 1), &["test a::b"]);
    }

    #[test]
    fn other_lines_count_nothing() {
        check(&["", "running 3 tests", "test result: unknown", "test result: ok. many passed; 0 failed"], (0, 0), &[]);
    }
}
