use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    thread::sleep,
    time::Duration,
};

use rustix::process::Signal;
use serde_json::Value as Json;

use crate::server::{Instance, wait_for};

#[test]
fn sigterm_lets_a_running_request_finish_and_keeps_its_usage() {
    let instance = Instance::new();
    let mut server = instance.serve(&["--dev"]);
    let (admin, example) = server.keys();
    let list = |server: &crate::server::Server| -> Json {
        let done = server.user(&instance, &admin, &["api-key", "list", "--query=dev", "--output=json"]);
        done.json()["items"][0].clone()
    };
    assert_eq!(list(&server)["last_used_at"], Json::Null);

    let body = format!(r#"{{"credential":"{example}","permissions":["invoices:read"]}}"#);
    let (start, rest) = body.split_at(20);
    let host = server.internal.trim_start_matches("http://").to_owned();
    let mut connection = TcpStream::connect(&host).unwrap();
    let head = format!(
        "POST /v1/verify HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{start}",
        body.len()
    );
    connection.write_all(head.as_bytes()).unwrap();
    // Until the server has begun to read it; nothing outside tells when.
    sleep(Duration::from_millis(300));
    server.signal(Signal::TERM);
    wait_for("the server stops", || server.logged("stopping: finishing the requests that run"));
    connection.write_all(rest.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(r#""valid":true"#), "{answer}");
    assert!(server.ended().success());
    assert!(server.logged("stopped").is_some());

    let server = instance.serve(&[]);
    assert_ne!(list(&server)["last_used_at"], Json::Null);
}

#[test]
fn sigint_stops_too() {
    let instance = Instance::new();
    let mut server = instance.serve(&[]);
    server.signal(Signal::INT);
    assert!(server.ended().success());
}

#[test]
fn a_node_that_drains_says_that_it_is_not_ready_and_answers_until_nobody_asks() {
    let instance = Instance::new().with("CLAVIGER_DRAIN_TIME", "15s");
    let mut server = instance.serve(&["--dev"]);
    let (_, example) = server.keys();
    let client = reqwest::blocking::Client::builder().no_proxy().build().unwrap();
    let asked = serde_json::json!({ "credential": example, "permissions": ["invoices:read"] });
    let verify = || client.post(format!("{}/v1/verify", server.internal)).json(&asked).send().unwrap();
    let ready = || client.get(format!("{}/health/ready", server.internal)).send().unwrap();
    let last = |answer: &reqwest::blocking::Response| answer.headers().get("connection").is_some();
    assert_eq!((ready().status().as_u16(), last(&verify())), (200, false));

    server.signal(Signal::TERM);
    wait_for("the server drains", || server.logged("draining: who asks is told to go elsewhere"));
    let (ready, verified) = (ready(), verify());
    assert!(last(&ready) && last(&verified), "{:?}", verified.headers());
    assert_eq!(
        (ready.status().as_u16(), ready.json::<Json>().unwrap()["reason"].clone()),
        (503, "this node stops".into())
    );
    assert_eq!(verified.json::<Json>().unwrap()["code"], "valid");
    assert_eq!(server.logged("stopping: finishing the requests that run"), None);
    assert!(server.ended().success());
}
