//! The change feed, as a service that keeps answers of the verify call follows it.

use std::time::Duration;

use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::app::{Key, Reply, SOON, TestApp, instant, text, within};

const PATH: &str = "/v1/changes";

async fn ask(app: &TestApp, query: &str) -> Reply {
    Reply::read(app, app.request(Method::GET, app.internal, &format!("{PATH}{query}")).send().await.unwrap()).await
}

/// Somebody who polls, at any node.
struct Poller {
    next: String,
}

impl Poller {
    async fn begin(app: &TestApp) -> Self {
        let begun = ask(app, "").await.expect(StatusCode::OK);
        assert_eq!((&begun["reset"], &begun["changes"], &begun["more"]), (&json!(true), &json!([]), &json!(false)));
        let time: jiff::Timestamp = text(&begun["time"]).parse().unwrap();
        assert!(time.duration_since(app.app.now()).as_secs().abs() < 10, "{time}");
        Self { next: text(&begun["next"]) }
    }

    async fn poll(&mut self, app: &TestApp, wait: u64) -> Value {
        let told = ask(app, &format!("?after={}&wait={wait}", self.next)).await.expect(StatusCode::OK);
        self.next = text(&told["next"]);
        told
    }

    /// Polls until nothing more comes: what was done before has been told.
    async fn settles(&mut self, app: &TestApp) {
        while !self.poll(app, 1).await["changes"].as_array().unwrap().is_empty() {}
    }

    /// Polls until this is told of somebody, who may be nobody, and answers with its number.
    async fn hears(&mut self, app: &TestApp, kind: &str, id: Option<&str>) -> i64 {
        let began = instant();
        let mut heard = Vec::new();
        while began.elapsed() < SOON {
            let told = self.poll(app, 5).await;
            assert_eq!(told["reset"], false);
            let changes = told["changes"].as_array().unwrap();
            if let Some(told) = changes.iter().find(|change| change["kind"] == kind && change["id"].as_str() == id) {
                return told["sequence"].as_i64().unwrap();
            }
            heard.extend(changes.clone());
        }
        panic!("not told: {kind} {id:?}; but {heard:?}");
    }
}

/// Somebody who listens.
struct Listener {
    response: Response,
    received: String,
}

impl Listener {
    async fn connect(app: &TestApp, query: &str, last: Option<&str>) -> Self {
        let mut request = app.request(Method::GET, app.internal, &format!("{PATH}{query}"));
        request = request.header("accept", "text/event-stream;q=0.9, */*");
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = request.send().await.unwrap();
        assert_eq!(
            (response.status(), &response.headers()["content-type"]),
            (StatusCode::OK, &"text/event-stream".parse().unwrap())
        );
        Self { response, received: String::new() }
    }

    /// The id of the next event and its message; nothing if there is none any more.
    async fn next(&mut self) -> Option<(String, Value)> {
        while !self.received.contains("\n\n") {
            let chunk = tokio::time::timeout(SOON, self.response.chunk()).await.unwrap().unwrap()?;
            self.received.push_str(std::str::from_utf8(&chunk).unwrap());
            if let Some(rest) = self.received.strip_prefix("retry: 500\n\n") {
                self.received = rest.to_owned();
            }
        }
        let (event, rest) = self.received.split_once("\n\n").unwrap();
        let lines: Vec<&str> = event.lines().collect();
        let [id, "event: changes", data] = lines[..] else { panic!("{event}") };
        let message: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
        let id = id.strip_prefix("id: ").unwrap().to_owned();
        assert_eq!(id, text(&message["next"]));
        self.received = rest.to_owned();
        Some((id, message))
    }

    async fn hears(&mut self, id: &str) -> String {
        loop {
            let (cursor, message) = self.next().await.unwrap();
            assert_eq!(message["reset"], false);
            if message["changes"].as_array().unwrap().iter().any(|change| change["id"] == id) {
                return cursor;
            }
        }
    }
}

async fn revoke(app: &TestApp, key: &Key) {
    app.root().post(&format!("/v1/api-keys/{}/revoke", key.id), json!({})).await.expect(StatusCode::OK);
}

/// The position of a verify answer.
async fn position(app: &TestApp, credential: &str) -> i64 {
    let asked = app.request(Method::POST, app.internal, "/v1/verify").json(&json!({ "credential": credential }));
    let answer = asked.send().await.unwrap();
    answer.headers()["x-claviger-position"].to_str().unwrap().parse().unwrap()
}

on_both_databases! {
    async fn whoever_follows_is_told_whom_each_change_concerns(app: &TestApp) {
        let api = text(&app.declare_invoices().await["id"]);
        let (organization, account) = app.account("acme", &["invoices:read"]).await;
        let role = json!({ "name": "reader", "organization_id": organization, "permissions": ["invoices:read"] });
        let role = text(&app.root().post("/v1/roles", role).await.expect(StatusCode::CREATED)["id"]);
        let holder = app.account_in(&organization, &[]).await;
        app.root().patch(&format!("/v1/service-accounts/{holder}"), json!({ "roles": ["reader"] })).await.expect(StatusCode::OK);
        let key = app.key(&account, &["invoices:read"], json!({})).await;
        let mut poller = Poller::begin(app).await;

        revoke(app, &key).await;
        poller.hears(app, "credential", Some(&key.id)).await;
        app.root().patch(&format!("/v1/service-accounts/{account}"), json!({ "disabled": true })).await.expect(StatusCode::OK);
        poller.hears(app, "principal", Some(&account)).await;
        app.root().patch(&format!("/v1/organizations/{organization}"), json!({ "disabled": true })).await.expect(StatusCode::OK);
        poller.hears(app, "organization", Some(&organization)).await;
        app.root().patch(&format!("/v1/roles/{role}"), json!({ "permissions": [] })).await.expect(StatusCode::OK);
        poller.hears(app, "principal", Some(&holder)).await;
        app.root().delete(&format!("/v1/roles/{role}")).await.expect(StatusCode::NO_CONTENT);
        poller.hears(app, "principal", Some(&holder)).await;
        app.root().patch(&format!("/v1/apis/{api}"), json!({ "name": "Bills" })).await.expect(StatusCode::OK);
        poller.hears(app, "everything", None).await;
        app.root().post("/v1/signing-keys/rotate", json!({ "algorithm": "ES256" })).await.expect(StatusCode::OK);
        poller.hears(app, "signing_keys", None).await;
    }

    async fn whoever_waits_is_told_at_once_on_every_node_and_asks_any_of_them(app: &TestApp) {
        let mut other = app.another_node().await;
        let key = app.reader().await;
        let mut poller = Poller::begin(app).await;
        poller.settles(app).await;
        let began = instant();
        assert_eq!(poller.poll(app, 1).await["changes"], json!([]));
        assert!(began.elapsed() >= Duration::from_secs(1));
        let wait = async {
            let told = poller.poll(&other, 20).await;
            (told, instant())
        };
        let change = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            revoke(app, &key).await;
            instant()
        };
        let ((told, told_at), revoked_at) = tokio::join!(wait, change);
        assert!(told["changes"].as_array().unwrap().iter().any(|change| change["id"] == key.id.as_str()), "{told}");
        assert!(told_at.saturating_duration_since(revoked_at) < SOON);
        for number in 0..5 {
            let user = app.user(&format!("u{number}@acme.test")).await;
            poller.hears(if number % 2 == 0 { app } else { &other }, "principal", Some(&user)).await;
        }
        other.finish().await;
    }

    async fn whoever_listens_hears_a_heartbeat_and_goes_on_where_it_was_cut(app: &TestApp) {
        let mut other = app.another_node().await;
        let key = app.reader().await;
        let mut listener = Listener::connect(app, "", None).await;
        let (_, begun) = listener.next().await.unwrap();
        assert_eq!((&begun["reset"], &begun["changes"]), (&json!(true), &json!([])));
        let began = instant();
        for _ in 0..8 {
            let (_, beat) = listener.next().await.unwrap();
            assert!(beat["age_ms"].as_u64().unwrap() < 1000, "{beat}");
        }
        assert!((1..4).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
        revoke(app, &key).await;
        let last = listener.hears(&key.id).await;
        drop(listener);
        let missed = app.user("alice@acme.test").await;
        // Its address still says where it began.
        let query = format!("?after={}", text(&begun["next"]));
        let mut listener = Listener::connect(&other, &query, Some(&last)).await;
        loop {
            let (_, message) = listener.next().await.unwrap();
            let changes = message["changes"].as_array().unwrap().clone();
            assert!(changes.iter().all(|change| change["id"] != key.id.as_str()), "told already");
            if changes.iter().any(|change| change["id"] == missed.as_str()) {
                break;
            }
        }
        other.finish().await;
    }

    async fn whoever_comes_from_elsewhere_starts_afresh(app: &TestApp) {
        for elsewhere in ["2.what-comes-later", "1.1.1800000000000.", "1.999999.1800000000000.", "1.999999.1800000000000.3-7_9"] {
            let told = ask(app, &format!("?after={elsewhere}&wait=10")).await.expect(StatusCode::OK);
            assert_eq!((&told["reset"], &told["changes"]), (&json!(true), &json!([])), "{elsewhere}");
            let mut poller = Poller { next: text(&told["next"]) };
            assert_eq!(poller.poll(app, 0).await["reset"], false);
            let (_, message) = Listener::connect(app, "", Some(elsewhere)).await.next().await.unwrap();
            assert_eq!(message["reset"], true);
        }
    }

    async fn a_wrong_question_is_told_what_would_be_right(app: &TestApp) {
        for query in [
            "?after=", "?after=x", "?after=7", "?after=1.7.0.9", "?after=1.7.-1.", "?wait=31", "?wait=-1", "?wait=x", "?since=1",
            "?wait=1&wait=1", "?after=%00", &format!("?after=1.7.0.{}", "1_".repeat(2000)),
        ] {
            ask(app, query).await.problem(StatusCode::BAD_REQUEST, "invalid_query");
        }
        let request = app.request(Method::GET, app.internal, PATH).header("accept", "text/event-stream");
        let reply = Reply::read(app, request.header("last-event-id", "x").send().await.unwrap()).await;
        reply.problem(StatusCode::BAD_REQUEST, "invalid_query");
        let rebound = app.request(Method::GET, app.internal, PATH).header("host", "evil.test").send().await.unwrap();
        Reply::read(app, rebound).await.problem(StatusCode::MISDIRECTED_REQUEST, "host_not_allowed");
        app.root().get(PATH).await.problem(StatusCode::NOT_FOUND, "not_found");
    }

    async fn an_answer_says_up_to_which_change_it_is_true(app: &TestApp) {
        let mut other = app.another_node().await;
        let key = app.reader().await;
        let mut poller = Poller::begin(app).await;
        poller.settles(app).await;
        // What was filled before a change is known by its position, whichever node answered and whatever it knew.
        for round in 0..5 {
            let before = position(&other, &key.token).await;
            app.root().patch(&format!("/v1/api-keys/{}", key.id), json!({ "name": format!("n{round}") })).await.expect(StatusCode::OK);
            let sequence = poller.hears(app, "credential", Some(&key.id)).await;
            assert!(before < sequence);
            within(SOON, "known there", async || position(&other, &key.token).await >= sequence).await;
        }
        assert!(position(app, "x").await > 0);
        other.finish().await;
    }

    async fn while_the_log_cannot_be_read_nobody_is_told_anything(app: &TestApp) {
        let mut poller = Poller::begin(app).await;
        poller.poll(app, 0).await;
        let mut listener = Listener::connect(app, "", None).await;
        listener.next().await.unwrap();
        app.app.store.database().close().await;
        let refused = async || ask(app, &format!("?after={}&wait=5", poller.next)).await.status == StatusCode::SERVICE_UNAVAILABLE;
        within(SOON, "refused", refused).await;
        ask(app, "").await.problem(StatusCode::SERVICE_UNAVAILABLE, "unavailable");
        let silent = tokio::time::timeout(Duration::from_secs(4), async { while listener.next().await.is_some() {} }).await;
        assert!(silent.is_err(), "it stays connected");
    }

    async fn whoever_stops_taking_has_their_place_until_they_hang_up_and_beyond_the_last_nobody_waits(app: &TestApp) {
        let mut poller = Poller::begin(app).await;
        poller.settles(app).await;
        let head = format!(
            "GET {PATH} HTTP/1.1\r\nHost: {}\r\nAccept: text/event-stream\r\n\r\n",
            app.internal
        );
        let connect = async || {
            use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
            let mut stream = tokio::net::TcpStream::connect(app.internal).await.unwrap();
            stream.write_all(head.as_bytes()).await.unwrap();
            let mut status = [0; 12];
            stream.read_exact(&mut status).await.unwrap();
            (stream, String::from_utf8(status.to_vec()).unwrap())
        };
        let mut stuck = Vec::new();
        loop {
            let (stream, status) = connect().await;
            if status != "HTTP/1.1 200" {
                assert_eq!(status, "HTTP/1.1 503");
                break;
            }
            stuck.push(stream);
        }
        assert_eq!(stuck.len(), 1000);
        let wait = format!("?after={}&wait=1", poller.next);
        let refused = ask(app, &wait).await;
        assert_eq!(refused.header("retry-after"), Some("1"));
        refused.problem(StatusCode::SERVICE_UNAVAILABLE, "busy");
        poller.poll(app, 0).await;
        drop(stuck);
        within(SOON, "free again", async || ask(app, &wait).await.status == StatusCode::OK).await;
    }

    async fn a_node_that_stops_lets_nobody_listen(app: &TestApp) {
        let mut other = app.another_node().await;
        let mut poller = Poller::begin(&other).await;
        poller.settles(&other).await;
        let mut listener = Listener::connect(&other, "", None).await;
        let waiting = tokio::spawn(other.request(Method::GET, other.internal, &format!("{PATH}?after={}&wait=30", poller.next)).send());
        tokio::time::sleep(Duration::from_millis(500)).await;
        let began = instant();
        other.finish().await;
        assert!(began.elapsed() < Duration::from_secs(10));
        let answered = waiting.await.unwrap().unwrap();
        assert_eq!((answered.status(), &answered.headers()["connection"]), (StatusCode::OK, &"close".parse().unwrap()));
        while listener.next().await.is_some() {}
    }
}
