use std::process::Command;

use crate::server::{Instance, done};

#[test]
fn it_works_beside_a_running_server_once_and_again_only_if_asked() {
    let instance = Instance::new();
    let server = instance.serve(&[]);
    let first = instance.run(&["bootstrap", "--json"]);
    assert_eq!((first.code, first.stderr.as_str()), (Some(0), ""));
    let json = first.json();
    let mut members: Vec<&String> = json.as_object().unwrap().keys().collect();
    members.sort();
    assert_eq!(members, ["api_key", "organization_id", "service_account_id"]);

    let said = instance.refused(&["bootstrap"]);
    assert!(said.contains("--another-key"), "{said}");

    let second = instance.ok(&["bootstrap", "--another-key"]);
    let first = json["api_key"].as_str().unwrap();
    assert_ne!(first, second.trim());
    for key in [first, second.trim()] {
        assert_eq!(server.user(&instance, key, &["api-key", "list"]).code, Some(0));
    }
    instance.assert_nowhere(&[first, second.trim()]);
}

#[test]
fn no_key_is_made_that_the_service_would_refuse() {
    let instance = Instance::new().with("CLAVIGER_BRAND", "widgets");
    let server = instance.serve(&[]);
    let first = instance.ok(&["bootstrap"]);
    let mut elsewhere = instance.claviger(&["bootstrap", "--another-key"]);
    let refused = done(elsewhere.env_remove("CLAVIGER_BRAND").output().unwrap());
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""), "{refused:?}");
    assert!(refused.stderr.contains("begin with widgets_") && refused.stderr.contains("CLAVIGER_BRAND"), "{refused:?}");
    let second = instance.ok(&["bootstrap", "--another-key"]);
    for key in [first.trim(), second.trim()] {
        assert!(key.starts_with("widgets_key_"));
        assert_eq!(server.user(&instance, key, &["api-key", "list"]).code, Some(0));
    }
}

#[test]
fn the_key_stands_alone_on_stdout() {
    let done = Instance::new().run(&["bootstrap"]);
    assert!(done.stdout.starts_with("clv_key_") && done.stdout.lines().count() == 1, "{done:?}");
    assert!(done.stderr.contains("claviger serve") && !done.stderr.contains("clv_key_"), "{done:?}");
}

#[test]
fn it_does_not_change_what_a_running_server_says_about_itself() {
    let instance = Instance::new();
    let server = instance.serve(&["--public-url=https://keys.acme.test"]);
    // From another shell, where nobody set public_url.
    let admin = instance.ok(&["bootstrap"]);
    let url = format!("{}/v1/apis", server.public);
    let mut curl = Command::new("curl");
    let curl = curl.args(["-s", &url, "-H", &format!("X-API-Key: {}", admin.trim())]);
    let apis = done(curl.output().unwrap()).json();
    assert_eq!(apis["items"][0]["identifier"], "https://keys.acme.test");
}
