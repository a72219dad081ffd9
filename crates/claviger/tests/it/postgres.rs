//! Several nodes on one database.

use std::{
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use reqwest::blocking::{Client, RequestBuilder};
use serde_json::{Value as Json, json};

use crate::server::{Done, Instance, Server, done, wait_for};

pub(crate) const MASTER_KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// A database of a test's own, gone after the test.
pub(crate) struct TestDatabase {
    server: String,
    name: String,
}

impl TestDatabase {
    pub(crate) fn new() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let server = std::env::var("CLAVIGER_TEST_POSTGRES").expect(
            "CLAVIGER_TEST_POSTGRES is not set: `cargo xtask test` starts a PostgreSQL and sets it, `cargo xtask postgres` \
             starts one for many runs of `cargo test`",
        );
        let name = format!("binary_{}_{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let database = Self { server, name };
        let made = database.psql(&format!("CREATE DATABASE {}", database.name));
        assert_eq!(made.code, Some(0), "{made:?}");
        database
    }

    pub(crate) fn url(&self) -> String {
        format!("{}/{}", self.server.rsplit_once('/').unwrap().0, self.name)
    }

    fn psql(&self, sql: &str) -> Done {
        done(Command::new("psql").args(["-qX", "-c", sql, &self.server]).output().unwrap())
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        self.psql(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
    }
}

#[test]
fn without_a_master_key_it_is_refused_with_how_to_make_one() {
    let database = TestDatabase::new();
    let instance = Instance::new().with("CLAVIGER_DATABASE_URL", database.url());
    let said = instance.refused(&["serve"]);
    assert!(said.contains("openssl rand -hex 32"), "{said}");
    assert!(!instance.data("").exists());
}

#[test]
fn what_one_node_takes_away_the_other_refuses_within_a_second() {
    let database = TestDatabase::new();
    let instance =
        Instance::new().with("CLAVIGER_DATABASE_URL", database.url()).with("CLAVIGER_MASTER_KEY", MASTER_KEY);
    let url = "--public-url=https://keys.acme.test";
    let one = instance.serve(&["--dev", url]);
    let two = instance.serve(&[url]);
    let (admin, example) = one.keys();
    let client = Client::builder().no_proxy().build().unwrap();
    let code = |node: &Server| {
        let asked = json!({ "credential": example, "permissions": ["invoices:read"] });
        let answer = client.post(format!("{}/v1/verify", node.internal)).json(&asked).send().unwrap();
        answer.json::<Json>().unwrap()["code"].as_str().unwrap().to_owned()
    };
    let list = client.get(format!("{}/v1/api-keys?q=dev", one.public)).bearer_auth(&admin).send().unwrap();
    let id = list.json::<Json>().unwrap()["items"][0]["id"].as_str().unwrap().to_owned();
    let key = format!("{}/v1/api-keys/{id}", one.public);
    let takes = |request: RequestBuilder, body: Json, expected: &str| {
        let answer = request.bearer_auth(&admin).json(&body).send().unwrap();
        assert_eq!(answer.status(), 200);
        let answered = instant();
        assert_eq!(code(&one), expected, "here at once");
        wait_for(expected, || (code(&two) == expected).then_some(()));
        assert!(answered.elapsed() < Duration::from_secs(1), "{expected}: {:?}", answered.elapsed());
    };
    assert_eq!((code(&one), code(&two)), ("valid".to_owned(), "valid".to_owned()));
    takes(client.patch(&key), json!({ "permissions": [] }), "permission_missing");
    takes(client.patch(&key), json!({ "permissions": ["invoices:read"] }), "valid");
    takes(client.patch(&key), json!({ "disabled": true }), "disabled");
    takes(client.patch(&key), json!({ "disabled": false }), "valid");
    takes(client.post(format!("{key}/revoke")), json!({}), "revoked");
    instance.ok(&["audit", "verify"]);
    instance.assert_nowhere(&[&admin, &example, MASTER_KEY]);
}

#[expect(clippy::disallowed_methods, reason = "a test measures how long a promise takes")]
fn instant() -> Instant {
    Instant::now()
}

#[test]
fn a_postgres_that_lets_nobody_in_is_told_at_once_with_what_to_do() {
    let database = TestDatabase::new();
    let url = database.url();
    let (address, name) = url.rsplit_once('/').unwrap();
    let host = address.rsplit_once('@').map_or(address.trim_start_matches("postgres://"), |(_, host)| host);
    let check = |url: &str, said: &[&str]| {
        for command in ["serve", "bootstrap", "migrate"] {
            let instance = Instance::new().with("CLAVIGER_DATABASE_URL", url).with("CLAVIGER_MASTER_KEY", MASTER_KEY);
            let began = instant();
            let told = instance.refused(&[command]);
            assert!(began.elapsed() < Duration::from_secs(2), "{command}: {:?}", began.elapsed());
            assert!(said.iter().all(|part| told.contains(part)), "{command} {url}: {told}");
            assert!(told.contains("CLAVIGER_DATABASE_URL") && !told.contains("hunter2"), "{told}");
        }
        let instance = Instance::new().with("CLAVIGER_DATABASE_URL", url).with("CLAVIGER_MASTER_KEY", MASTER_KEY);
        let report = instance.run(&["doctor", "--output=json"]).json();
        let findings = report["findings"].as_array().unwrap();
        let found = findings.iter().find(|finding| finding["check"] == "database").unwrap();
        assert_eq!(found["state"], "fail");
        let told = format!("{} {}", found["said"], found["mend"]);
        assert!(said.iter().all(|part| told.contains(part)) && found["mend"].is_string(), "{told}");
    };
    check("postgres://me:hunter2@127.0.0.1:1/keys", &["Connection refused", "is PostgreSQL running there"]);
    check(&format!("{address}/{name}_of_nobody"), &["does not exist", "createdb"]);
    check(&format!("postgres://nobody_of_ours:hunter2@{host}/{name}"), &["nobody_of_ours", "pg_hba.conf"]);
}
