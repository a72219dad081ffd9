use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::Stdio,
};

use crate::server::{Instance, done};

const OTHER: &str = "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF";

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn what_the_first_start_makes_is_for_its_owner_alone() {
    let instance = Instance::new();
    let server = instance.serve(&[]);
    assert_eq!(mode(&instance.data("")), 0o700);
    for file in ["master.key", "claviger.db", "claviger.db-wal", "claviger.db-shm"] {
        assert_eq!(mode(&instance.data(file)), 0o600, "{file}");
    }
    let key = fs::read_to_string(instance.data("master.key")).unwrap();
    assert!(!server.log().contains(key.trim()));
    assert_eq!(fs::read_dir(instance.data("")).unwrap().count(), 4, "a draft of the master key was left behind");
}

#[test]
fn a_missing_master_key_is_refused_and_never_replaced() {
    let instance = Instance::new();
    instance.ok(&["bootstrap"]);
    let (file, aside) = (instance.data("master.key"), instance.path().join("aside.key"));
    fs::rename(&file, &aside).unwrap();
    for command in [["serve"].as_slice(), &["bootstrap", "--another-key"], &["audit", "verify"]] {
        let said = instance.refused(command);
        assert!(said.contains("claviger-data/master.key is missing") && said.contains("restore"), "{said}");
        assert!(!file.exists());
    }
    // Elsewhere is as good, if it is said.
    instance.ok(&["bootstrap", "--another-key", "--master-key-file", aside.to_str().unwrap()]);
}

#[test]
fn another_master_key_is_refused() {
    let instance = Instance::new();
    instance.ok(&["bootstrap"]);
    let file = instance.data("master.key");
    let right = fs::read_to_string(&file).unwrap();
    fs::write(&file, OTHER).unwrap();
    let said = instance.refused(&["serve"]);
    assert!(said.contains("does not open the keys") && said.contains("master.key"), "{said}");
    assert!(!said.contains(OTHER));
    fs::write(&file, "not a key").unwrap();
    let said = instance.refused(&["serve"]);
    assert!(said.contains("64 hexadecimal digits"), "{said}");
    fs::write(&file, right).unwrap();
    instance.ok(&["bootstrap", "--another-key"]);
}

#[test]
fn a_master_key_that_others_can_read_is_refused() {
    let instance = Instance::new();
    instance.ok(&["bootstrap"]);
    let file = instance.data("master.key");
    for mode in [0o644, 0o640, 0o604] {
        fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
        let said = instance.refused(&["serve"]);
        assert!(said.contains(&format!("{mode:04o}")) && said.contains("chmod 600"), "{said}");
    }
}

#[test]
fn a_master_key_from_the_environment_needs_no_file() {
    let instance = Instance::new().with("CLAVIGER_MASTER_KEY", OTHER);
    let server = instance.serve(&[]);
    assert!(!instance.data("master.key").exists());
    assert!(!server.log().contains(OTHER));
}

#[test]
fn two_first_starts_at_once_agree_on_one_master_key() {
    let instance = Instance::new();
    let start = || {
        let mut command = instance.claviger(&["bootstrap", "--another-key"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    for child in [start(), start(), start()] {
        let done = done(child.wait_with_output().unwrap());
        assert_eq!(done.code, Some(0), "{done:?}");
    }
    instance.ok(&["audit", "verify"]);
}
