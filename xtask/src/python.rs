//! The verifier in `clients/python`, in an environment of its own below `target/`.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use crate::{Result, process, tools};

const DIRECTORY: &str = "clients/python";
const ENVIRONMENT: &str = "target/python";

/// Makes the environment, and installs the package there with what its tests want. `pyproject.toml` has the exact versions of these.
pub(crate) fn install() -> Result<()> {
    let python = tools::directory_of("python3")?.join("python3");
    process::run(Command::new(python).args(["-m", "venv", ENVIRONMENT]))?;
    let package = format!("{DIRECTORY}[test]");
    process::run(in_environment("pip")?.args([
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--editable",
        &package,
    ]))
}

/// Whether its types hold.
pub(crate) fn check_types() -> Result<()> {
    process::run(in_environment("mypy")?.current_dir(DIRECTORY))
}

/// All its tests, each on a line of its own.
pub(crate) fn tests() -> Result<Command> {
    let mut pytest = in_environment("pytest")?;
    pytest.args(["--verbose", "--color=no", "-o", "console_output_style=classic"]);
    pytest.env("PYTHONDONTWRITEBYTECODE", "1").current_dir(DIRECTORY);
    Ok(pytest)
}

fn in_environment(program: &str) -> Result<Command> {
    let directory: PathBuf = env::current_dir()?.join(ENVIRONMENT).join("bin");
    let mut command = Command::new(directory.join("python"));
    command.args(["-m", program]);
    Ok(command)
}

/// The name of a test that passed or failed: `tests/file.py::name PASSED`.
pub(crate) fn result(line: &str) -> Option<std::result::Result<&str, &str>> {
    let (name, word) = line.strip_prefix("tests/")?.rsplit_once(' ')?;
    match word {
        "PASSED" => Some(Ok(name)),
        // Also if what a test is given cannot be made, or ended.
        "FAILED" | "ERROR" => Some(Err(name)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_test_counts_for_itself() {
        let check = |line: &str, expected| assert_eq!(result(line), expected, "{line}");
        check("tests/test_a.py::test_x PASSED", Some(Ok("test_a.py::test_x")));
        check("tests/test_a.py::test_x[alg none] FAILED", Some(Err("test_a.py::test_x[alg none]")));
        check("tests/test_a.py::test_y ERROR", Some(Err("test_a.py::test_y")));
        check("tests/test_a.py::test_z SKIPPED (why)", None);
        check("FAILED tests/test_a.py::test_x - AssertionError", None);
        check("2 passed in 0.12s", None);
    }
}
