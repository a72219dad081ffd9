//! What Node runs: the tests in `e2e/`, which see the built binary through Debian's Chromium and as others' clients see it, and the
//! verifier in `clients/node`.

use std::fs;
use std::process::{Command, ExitCode};

use crate::tools::cargo;
use crate::{Result, process};

/// A directory with a `package.json`.
#[derive(Clone, Copy)]
pub(crate) struct Project {
    directory: &'static str,
    /// Where its tests are, and how their names end.
    tests: (&'static str, &'static str),
}

pub(crate) const BROWSER: Project = Project { directory: "e2e", tests: ("e2e", ".spec.mjs") };
pub(crate) const VERIFIER: Project = Project { directory: "clients/node", tests: ("clients/node/test", ".test.js") };

impl Project {
    /// Installs the packages that its `package.json` names, which has no lock beside it. They download no browser and run nothing
    /// of their own.
    pub(crate) fn install(self) -> Result<()> {
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund"]);
        process::run(npm.current_dir(self.directory))
    }

    /// Whether the types that stand in its comments hold.
    pub(crate) fn check_types(self) -> Result<()> {
        process::run(Command::new("npm").args(["run", "--silent", "check"]).current_dir(self.directory))
    }

    /// All its tests, telling results as TAP.
    pub(crate) fn tests(self) -> Result<Command> {
        let (directory, ending) = self.tests;
        let mut files = Vec::new();
        for entry in fs::read_dir(directory)? {
            let name = entry?.file_name();
            if name.to_string_lossy().ends_with(ending) {
                files.push(name);
            }
        }
        files.sort();
        let mut node = Command::new("node");
        node.args(["--test", "--test-concurrency=2", "--test-reporter=tap"]).args(files).current_dir(directory);
        Ok(node)
    }
}

/// Pictures of the console's main pages, into `target/screenshots`; the README's are copied to where they stand.
pub(crate) fn screenshots() -> Result<ExitCode> {
    const PICTURES: &str = "target/screenshots";
    process::run(cargo().args(["build", "--package", "claviger"]))?;
    BROWSER.install()?;
    let mut node = Command::new("node");
    process::run(node.args(["screenshots.mjs", "../target/screenshots"]).current_dir(BROWSER.directory))?;
    for theme in ["light", "dark"] {
        fs::copy(format!("{PICTURES}/overview-wide-{theme}.png"), format!("docs/images/console-{theme}.png"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The name of a test that passed or failed: `ok 1 - name` at the beginning of a line.
pub(crate) fn result(line: &str) -> Option<std::result::Result<&str, &str>> {
    let (line, passed) = match line.strip_prefix("not ok ") {
        Some(rest) => (rest, false),
        None => (line.strip_prefix("ok ")?, true),
    };
    let (number, name) = line.split_once(" - ")?;
    number.bytes().all(|byte| byte.is_ascii_digit()).then_some(if passed { Ok(name) } else { Err(name) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_test_counts_for_itself() {
        let check = |line: &str, expected| assert_eq!(result(line), expected, "{line}");
        check("ok 1 - somebody signs in", Some(Ok("somebody signs in")));
        check("not ok 2 - a - b", Some(Err("a - b")));
        check("    ok 1 - a part of a test", None);
        check("# pass 3", None);
        check("ok then", None);
        check("TAP version 13", None);
    }
}
