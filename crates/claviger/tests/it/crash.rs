//! `kill -9` in the middle of a thousand creations: what was acknowledged is there, and the trail is whole.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use reqwest::blocking::Client;
use rustix::process::Signal;
use serde_json::{Value as Json, json};

use crate::{
    postgres::{MASTER_KEY, TestDatabase},
    server::{Instance, wait_for},
};

const WRITERS: usize = 8;
const CREATIONS: usize = 1000;

/// The kill comes in the middle, whatever the speed of the machine.
const ACKNOWLEDGED_AT_LEAST: usize = 300;

fn acknowledged_keys_survive(instance: &Instance) {
    let mut server = instance.serve(&[]);
    let bootstrapped: Json = serde_json::from_str(&instance.ok(&["bootstrap", "--json"])).unwrap();
    let admin = bootstrapped["api_key"].as_str().unwrap().to_owned();
    let acknowledged = Mutex::new(vec![admin.clone()]);
    let started = AtomicUsize::new(0);
    let create = format!("{}/v1/api-keys", server.public);
    thread::scope(|scope| {
        for _ in 0..WRITERS {
            scope.spawn(|| {
                let client = Client::builder().no_proxy().build().unwrap();
                while started.fetch_add(1, Ordering::Relaxed) < CREATIONS {
                    let body = json!({
                        "service_account_id": bootstrapped["service_account_id"], "name": "crash", "permissions": [],
                    });
                    let Ok(answer) = client.post(&create).bearer_auth(&admin).json(&body).send() else { return };
                    assert_eq!(answer.status(), 201);
                    // The connection may break inside the answer; then nothing was acknowledged.
                    let Ok(key) = answer.json::<Json>() else { return };
                    acknowledged.lock().unwrap().push(key["token"].as_str().unwrap().to_owned());
                }
            });
        }
        wait_for("half of the keys", || (acknowledged.lock().unwrap().len() > ACKNOWLEDGED_AT_LEAST).then_some(()));
        server.signal(Signal::KILL);
    });
    server.ended();
    let acknowledged = acknowledged.into_inner().unwrap();
    assert!(acknowledged.len() < CREATIONS, "the kill came too late");

    let server = instance.serve(&[]);
    let client = Client::builder().no_proxy().build().unwrap();
    for token in &acknowledged {
        let answer = client.post(format!("{}/v1/verify", server.internal)).json(&json!({ "credential": token })).send();
        assert_eq!(answer.unwrap().json::<Json>().unwrap()["code"], "valid");
    }
    instance.ok(&["audit", "verify"]);
    let secrets: Vec<&str> = acknowledged.iter().map(String::as_str).collect();
    instance.assert_nowhere(&secrets);
}

#[test]
fn acknowledged_keys_survive_on_sqlite() {
    acknowledged_keys_survive(&Instance::new());
}

#[test]
fn acknowledged_keys_survive_on_postgres() {
    let database = TestDatabase::new();
    let instance = Instance::new()
        .with("CLAVIGER_DATABASE_URL", database.url())
        .with("CLAVIGER_MASTER_KEY", MASTER_KEY)
        .with("CLAVIGER_PUBLIC_URL", "https://keys.acme.test");
    acknowledged_keys_survive(&instance);
}
