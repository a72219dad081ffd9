//! The access log: what a line tells, whatever callers write into their requests, and that nothing waits for the disk.

use std::{fs, path::Path, process::Command, time::Duration};

use claviger_server::{AccessLog, AccessLogAt};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    access_tokens,
    app::{SOON, TestApp, instant, within},
    database::{Engine, TestDatabase},
    metrics::scrape,
};

/// An instance that tells each use in a file, stopped when the test is over.
fn with_log(name: &str, test: impl AsyncFnOnce(&TestApp, &Path)) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    if name.ends_with(".fifo") {
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    }
    // A pipe that has a reader can be opened, and takes nothing more once it is full.
    let reader = name.ends_with(".fifo").then(|| fs::OpenOptions::new().read(true).write(true).open(&path).unwrap());
    let database = TestDatabase::fresh(Engine::Sqlite);
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let log = AccessLog::open(AccessLogAt::File(path.clone())).unwrap();
        let mut app = TestApp::start(&database.url, |config| config.access_log = log).await;
        test(&app, &path).await;
        app.finish().await;
    });
    drop(reader);
}

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}"))).collect()
}

/// The last line about a surface, once there are as many.
async fn told(path: &Path, surface: &str, count: usize) -> Value {
    let of = |surface: &str| lines(path).into_iter().filter(|line| line["surface"] == surface).collect::<Vec<_>>();
    within(SOON, "the line is there", async || of(surface).len() == count).await;
    of(surface).pop().unwrap()
}

#[test]
fn a_line_tells_who_used_what_for_what() {
    with_log("access.log", async |app, path| {
        let key = app.reader().await;
        let asked = json!({
            "permissions": ["invoices:read"], "object": ["base:app7", "base:app8"], "client_ip": "::ffff:192.0.2.7",
            "method": "GET", "path": "/invoices?token=secret#top", "cost": 3,
        });
        app.verify(&key.token, asked).await;
        let line = told(path, "verify", 1).await;
        let (organization, principal) = (&key.body["organization_id"], &key.body["service_account_id"]);
        assert!(line["time"].as_str().unwrap().ends_with('Z'), "{line}");
        let mut rest = line.clone();
        rest.as_object_mut().unwrap().remove("time");
        let expected = json!({
            "surface": "verify", "code": "valid", "credential": key.id, "kind": "api_key", "generation": "current",
            "principal": principal, "organization": organization, "permissions": ["invoices:read"],
            "objects": ["base:app7", "base:app8"], "method": "GET", "path": "/invoices", "address": "192.0.2.7", "cost": 3,
        });
        assert_eq!(rest, expected);

        let claims = access_tokens::claims(app, &key, "invoices:read").await;
        app.code(&access_tokens::signed(app, &claims).await).await;
        let line = told(path, "verify", 2).await;
        assert_eq!((&line["credential"], &line["kind"]), (&json!(key.id), &json!("access_token")));
        assert_eq!((&line["jti"], line.get("generation")), (&json!(claims.jti), None));

        let acl = "/v1/mqtt/emqx/authorization?subscribe=invoices:read";
        let asked = json!({ "username": key.id, "topic": "devices/42?/#", "action": "subscribe" });
        app.request(Method::POST, app.internal, acl).json(&asked).send().await.unwrap();
        let line = told(path, "mqtt", 1).await;
        assert_eq!((&line["method"], &line["path"]), (&json!("SUBSCRIBE"), &json!("devices/42?/#")));
        assert_eq!((&line["credential"], line.get("generation")), (&json!(key.id), None));

        app.code("junk").await;
        let line = told(path, "verify", 3).await;
        assert_eq!((&line["code"], line.get("credential")), (&json!("malformed"), None));

        let ask = app.request(Method::GET, app.internal, "/v1/forward-auth?permission=invoices:write");
        let ask = ask.bearer_auth(&key.token).header("x-original-method", "PUT").header("x-request-id", "r-1");
        ask.header("x-original-uri", "/invoices/7?a=b").send().await.unwrap();
        let line = told(path, "forward_auth", 1).await;
        let seen = ["code", "method", "path", "request_id"].map(|name| line[name].as_str().unwrap());
        assert_eq!(seen, ["permission_missing", "PUT", "/invoices/7", "r-1"]);

        let before = lines(path).iter().filter(|line| line["surface"] == "management").count();
        let id = format!("/v1/api-keys/{}?x=y", key.id);
        app.root().send(Method::GET, &id, None, &[("x-request-id", "r-2")]).await;
        let line = told(path, "management", before + 1).await;
        let seen = ["code", "method", "request_id", "address"].map(|name| line[name].as_str().unwrap());
        assert_eq!(seen, ["valid", "GET", "r-2", "127.0.0.1"]);
        assert_eq!(line["path"], format!("/v1/api-keys/{}", key.id));
        assert_eq!(line["permissions"], json!(["claviger:api_keys:read"]));
    });
}

#[test]
fn hostile_text_stays_one_record_and_no_token_stays_in_it() {
    with_log("access.log", async |app, path| {
        let key = app.reader().await;
        let nasty = "GET\r\n{\"code\":\"valid\"}\u{0}\u{1b}[2J\u{2028}\u{202e}";
        let token = &key.token;
        app.verify(
            token,
            json!({ "method": nasty, "path": format!("/a\n/{token}?{token}"), "object": format!("base:{token}") }),
        )
        .await;
        let long = "x".repeat(30_000);
        app.verify(token, json!({ "method": long, "path": format!("/{long}") })).await;
        // A token that stands where the path is cut.
        app.verify(token, json!({ "path": format!("/{}/{token}", "x".repeat(970)) })).await;
        told(path, "verify", 3).await;
        let lines: Vec<_> = lines(path).into_iter().filter(|line| line["surface"] == "verify").collect();
        assert_eq!(lines[0]["path"], "/a\n/[redacted]");
        assert_eq!(lines[0]["objects"], json!(["base:[redacted]"]));
        assert_eq!(lines[0]["method"].as_str().unwrap(), nasty.chars().take(32).collect::<String>());
        assert!(lines[1].to_string().len() < 2000, "{}", lines[1]);
        let bytes = fs::read(path).unwrap();
        assert!(!bytes.contains(&0x1b) && !bytes.contains(&0) && !bytes.contains(&b'\r'));
        let random = token.rsplit('_').next().unwrap().as_bytes();
        assert!(!bytes.windows(12).any(|window| random.starts_with(window)), "a part of a token stands in it");
    });
}

#[test]
fn a_disk_that_takes_nothing_slows_no_verdict_and_the_loss_is_counted() {
    with_log("access.fifo", async |app, _| {
        let key = app.reader().await;
        let objects: Vec<String> = (0..100).map(|number| format!("base:{number:0>500}")).collect();
        let began = instant();
        for _ in 0..500 {
            app.verify(&key.token, json!({ "object": objects })).await;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
        let dropped = scrape(app).await.value("claviger_access_log_dropped_total");
        assert!((50.0..500.0).contains(&dropped), "{dropped} of 500 lines of 50 kB");
    });
}

#[test]
fn what_is_told_is_written_when_the_service_stops() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("access.log");
    let database = TestDatabase::fresh(Engine::Sqlite);
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let log = AccessLog::open(AccessLogAt::File(path.clone())).unwrap();
        let mut app = TestApp::start(&database.url, |config| config.access_log = log).await;
        let key = app.reader().await;
        for _ in 0..1000 {
            assert_eq!(app.verify_status(&key.token).await, StatusCode::OK);
        }
        app.finish().await;
    });
    assert_eq!(lines(&path).iter().filter(|line| line["surface"] == "verify").count(), 1000);
}
