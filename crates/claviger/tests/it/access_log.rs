use std::fs;

use rustix::process::Signal;
use serde_json::Value as Json;

use crate::server::{Instance, Server, wait_for};

fn verify(server: &Server, instance: &Instance, token: &str) {
    let answer = reqwest::blocking::Client::new()
        .post(format!("{}/v1/verify", server.internal))
        .header("content-type", "application/json")
        .body(format!(r#"{{"credential":"{token}"}}"#))
        .send()
        .unwrap();
    assert!(answer.status().is_success());
    instance.assert_nowhere(&[token]);
}

#[test]
fn a_rotated_file_is_left_at_sighup() {
    let instance = Instance::new().with("CLAVIGER_ACCESS_LOG", "access.log");
    let mut server = instance.serve(&["--dev"]);
    let (_, example) = server.keys();
    let (file, old) = (instance.path().join("access.log"), instance.path().join("access.log.1"));
    let uses = |path: &std::path::Path| -> usize {
        let text = fs::read_to_string(path).unwrap_or_default();
        text.lines()
            .map(|line| serde_json::from_str::<Json>(line).unwrap())
            .filter(|line| line["surface"] == "verify")
            .count()
    };
    verify(&server, &instance, &example);
    wait_for("the use is told", || (uses(&file) == 1).then_some(()));
    fs::rename(&file, &old).unwrap();
    verify(&server, &instance, &example);
    wait_for("the use is told in the moved file", || (uses(&old) == 2).then_some(()));
    server.signal(Signal::HUP);
    wait_for("the file is opened anew", || file.exists().then_some(()));
    verify(&server, &instance, &example);
    server.stop();
    assert_eq!((uses(&old), uses(&file)), (2, 1));
}

#[test]
fn the_access_log_may_go_to_stdout() {
    let instance = Instance::new().with("CLAVIGER_ACCESS_LOG", "stdout");
    let mut server = instance.serve(&["--dev"]);
    let (_, example) = server.keys();
    verify(&server, &instance, &example);
    server.stop();
    let told = server.stdout();
    assert_eq!(told.lines().filter(|line| line.contains(r#""surface":"verify","code":"valid""#)).count(), 1, "{told}");
}

#[test]
fn an_access_log_that_cannot_be_written_is_refused() {
    let instance = Instance::new().with("CLAVIGER_ACCESS_LOG", "/nowhere/access.log");
    let said = instance.refused(&["serve"]);
    assert!(said.contains("/nowhere/access.log") && said.contains("CLAVIGER_ACCESS_LOG"), "{said}");
}
