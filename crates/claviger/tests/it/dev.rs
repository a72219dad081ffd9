use std::process::Command;

use serde_json::Value as Json;

use crate::server::{Instance, done};

/// The `curl` commands in a text, as somebody would paste them.
fn curl_lines(text: &str) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        if inside {
            let command = commands.last_mut().unwrap();
            command.push('\n');
            command.push_str(line);
        } else if line.trim_start().starts_with("curl ") {
            commands.push(line.to_owned());
        } else {
            continue;
        }
        inside = line.ends_with('\\');
    }
    commands
}

fn sh(command: &str) -> Json {
    let done = done(Command::new("sh").args(["-c", command]).output().unwrap());
    assert_eq!(done.code, Some(0), "{command}: {done:?}");
    serde_json::from_str(&done.stdout).unwrap_or_else(|error| panic!("{command}: {error}: {}", done.stdout))
}

#[test]
fn what_dev_prints_works_as_pasted() {
    let instance = Instance::new();
    let server = instance.serve(&["--dev"]);
    let lines = curl_lines(&server.stdout());
    let [verify, list, roll, revoke] = lines.as_slice() else { panic!("{lines:?}") };

    let verdict = sh(verify);
    assert_eq!((verdict["valid"].as_bool(), verdict["organization"]["slug"].as_str()), (Some(true), Some("acme")));
    let names = sh(list)["items"].as_array().unwrap().iter().map(|key| key["name"].clone()).collect::<Vec<_>>();
    assert_eq!(names, ["dev example", "bootstrap"]);
    let rolled = sh(roll);
    let token = rolled["token"].as_str().unwrap();
    assert_eq!(sh(verify)["credential"]["generation"], "retiring");
    assert_eq!(sh(revoke)["status"], "revoked");
    assert_eq!(sh(verify)["code"], "revoked");

    let (admin, example) = server.keys();
    let said = server.stdout();
    let (_, code) = said.lines().find_map(|line| line.split_once("/sign-in/link?code=")).unwrap();
    let pat = said.lines().find_map(|line| line.trim().strip_prefix("example token  ")).unwrap();
    let verify = verify.replace(&example, pat);
    let verdict = sh(&verify);
    assert_eq!((&verdict["code"], &verdict["principal"]["type"]), (&Json::from("valid"), &Json::from("user")));
    instance.assert_nowhere(&[&admin, &example, pat, token, code]);
}

#[test]
fn with_an_internal_token_the_printed_lines_take_it_from_the_environment() {
    let token = "0123456789abcdef0123456789abcdef";
    let instance = Instance::new().with("CLAVIGER_INTERNAL_TOKEN", token);
    let server = instance.serve(&["--dev"]);
    let lines = curl_lines(&server.stdout());
    assert!(!server.stdout().contains(token));
    let mut paste = Command::new("sh");
    let done = done(paste.args(["-c", &lines[0]]).env("CLAVIGER_INTERNAL_TOKEN", token).output().unwrap());
    assert_eq!(done.json()["valid"], true);
    instance.assert_nowhere(&[token]);
}

#[test]
fn a_later_start_says_that_the_secrets_were_shown_and_what_to_do_next() {
    let instance = Instance::new();
    let mut server = instance.serve(&["--dev"]);
    let (admin, example) = server.keys();
    server.stop();
    let server = instance.serve(&["--dev"]);
    let said = server.stdout();
    assert!(said.contains("claviger bootstrap --another-key") && said.contains("/docs"), "{said}");
    assert!(said.contains("claviger user reset-password dev@acme.test"), "{said}");
    assert!(!said.contains(&admin) && !said.contains(&example) && !said.contains("clv_key_"), "{said}");
}

#[test]
fn on_an_instance_that_was_bootstrapped_the_printed_lines_take_the_key_from_the_environment() {
    let instance = Instance::new();
    let admin = instance.ok(&["bootstrap"]);
    let server = instance.serve(&["--dev"]);
    let lines = curl_lines(&server.stdout());
    let mut paste = Command::new("sh");
    let done = done(paste.args(["-c", &lines[1]]).env("CLAVIGER_TOKEN", admin.trim()).output().unwrap());
    assert_eq!(done.json()["items"].as_array().unwrap().len(), 2);
}

#[test]
fn without_dev_nothing_is_made_and_a_new_instance_says_where_it_is_set_up() {
    let instance = Instance::new();
    let mut server = instance.serve(&[]);
    assert_eq!(server.stdout(), "");
    assert!(server.log().contains("/first-run?code="), "{}", server.log());
    server.stop();
    // It does so until there is somebody.
    let server = instance.serve(&[]);
    assert!(server.log().contains("/first-run?code="), "{}", server.log());
    let admin = instance.ok(&["bootstrap"]);
    let list = server.user(&instance, admin.trim(), &["api-key", "list", "--output=json"]);
    assert_eq!(list.json()["items"].as_array().unwrap().len(), 1);
}

#[test]
fn an_instance_that_has_customers_offers_nobody_to_administer_it() {
    let instance = Instance::new();
    let admin = instance.ok(&["bootstrap"]);
    let mut server = instance.serve(&[]);
    let made = server.user(&instance, admin.trim(), &["org", "create", "--name=Acme"]);
    assert_eq!(made.code, Some(0), "{made:?}");
    server.stop();
    let server = instance.serve(&[]);
    assert!(!server.log().contains("/first-run"), "{}", server.log());
}
