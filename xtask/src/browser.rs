//! The tests in `e2e/`: the built binary, seen through Debian's Chromium.

use std::fs;
use std::process::Command;

use crate::{Result, process};

const DIRECTORY: &str = "e2e";

/// Installs the packages that `e2e/package.json` names, which has exact versions and no lock beside it. They download no
/// browser and run nothing of their own.
pub(crate) fn install() -> Result<()> {
    let mut npm = Command::new("npm");
    npm.args(["install", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund"]);
    process::run(npm.current_dir(DIRECTORY))
}

/// All tests, `*.spec.mjs`, telling results as TAP.
pub(crate) fn tests() -> Result<Command> {
    let mut files = Vec::new();
    for entry in fs::read_dir(DIRECTORY)? {
        let name = entry?.file_name();
        if name.to_string_lossy().ends_with(".spec.mjs") {
            files.push(name);
        }
    }
    files.sort();
    let mut node = Command::new("node");
    node.args(["--test", "--test-reporter=tap"]).args(files).current_dir(DIRECTORY);
    Ok(node)
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
