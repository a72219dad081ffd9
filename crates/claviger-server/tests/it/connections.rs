//! Clients that take their time: they lose their connection, and nobody else notices.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    app::{PUBLIC_URL, TestApp, instant, text},
    browser::Browser,
    database::Engine,
};

/// What `serve.rs` grants to the first head and to a body, and a little.
const HEAD: Duration = Duration::from_secs(7);
const BODY: Duration = Duration::from_secs(12);

/// What such a client gets until the server closes the connection.
async fn answer_to(app: &TestApp, sent: &str, bound: Duration) -> String {
    let mut stream = TcpStream::connect(app.public).await.unwrap();
    stream.write_all(sent.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let ended = tokio::time::timeout(bound, stream.read_to_end(&mut answer)).await;
    assert!(ended.is_ok(), "still open after {bound:?}: {sent:?}");
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn a_client_that_does_not_finish_its_request_is_disconnected_while_others_are_served() {
    crate::app::run(Engine::Sqlite, async |app: &TestApp| {
        let healthy = async {
            let began = instant();
            while began.elapsed() < HEAD {
                let asked = instant();
                let reply = app.request(Method::GET, app.public, "/health/live").send().await.unwrap();
                assert_eq!(reply.status(), StatusCode::OK);
                assert!(asked.elapsed() < Duration::from_secs(1));
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let body =
            "POST /v1/verify HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{";
        let (nothing, head, preface, body, ()) = tokio::join!(
            answer_to(app, "", HEAD),
            answer_to(app, "GET /health/live HTTP/1.1\r\nHost: x\r\nX-Slow", HEAD),
            answer_to(app, "PRI * HTTP/2", HEAD),
            answer_to(app, body, BODY),
            healthy,
        );
        assert_eq!((nothing.as_str(), head.as_str(), preface.as_str()), ("", "", ""));
        assert!(body.starts_with("HTTP/1.1 4"), "{body}");
    });
}

#[test]
fn a_connection_that_was_used_may_pause() {
    crate::app::run(Engine::Sqlite, async |app: &TestApp| {
        let mut stream = TcpStream::connect(app.internal).await.unwrap();
        for pause in [Duration::ZERO, HEAD] {
            tokio::time::sleep(pause).await;
            stream.write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
            let mut answer = [0; 1000];
            let length = stream.read(&mut answer).await.unwrap();
            assert!(answer[..length].starts_with(b"HTTP/1.1 200"));
        }
    });
}

/// A request of which all but the end has been sent.
struct Unfinished {
    stream: TcpStream,
    rest: Vec<u8>,
}

impl Unfinished {
    async fn begin(app: &TestApp, request: &str, headers: &[(&str, &str)], body: &Value) -> Self {
        let body = body.to_string().into_bytes();
        let (first, rest) = body.split_at(1);
        let mut head =
            format!("{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
        let mut stream = TcpStream::connect(app.public).await.unwrap();
        stream.write_all(&[head.as_bytes(), first].concat()).await.unwrap();
        // Long enough for the head to be looked at.
        tokio::time::sleep(Duration::from_millis(300)).await;
        Self { stream, rest: rest.to_vec() }
    }

    /// The status, once the rest is sent too.
    async fn end(mut self) -> u16 {
        self.stream.write_all(&self.rest).await.unwrap();
        let mut answer = String::new();
        self.stream.read_to_string(&mut answer).await.unwrap();
        answer.split(' ').nth(1).unwrap().parse().unwrap()
    }
}

on_both_databases! {
    async fn who_is_revoked_while_they_send_does_nothing(app: &TestApp) {
        app.declare_invoices().await;
        let (acme, account) = app.account("acme", &["invoices:read"]).await;
        let user = app.user("bob@acme.test").await;
        let key = json!({ "service_account_id": account, "name": "late", "permissions": ["invoices:read"] });
        let invitation = json!({ "email": "late@acme.test" });
        let invitations = format!("/v1/organizations/{acme}/invitations");
        let member = format!("/v1/organizations/{acme}/members/{user}");

        let maker = app.holder_of("organization-admin", &acme).await;
        let bearer = format!("Bearer {}", maker.token);
        let by_key = [("Authorization", bearer.as_str())];
        let begun = [
            Unfinished::begin(app, "POST /v1/api-keys", &by_key, &key).await,
            Unfinished::begin(app, "POST /v1/api-keys", &[by_key[0], ("Idempotency-Key", "a")], &key).await,
            Unfinished::begin(app, &format!("POST {invitations}"), &by_key, &invitation).await,
        ];
        app.root().post(&format!("/v1/api-keys/{}/revoke", maker.id), json!({})).await.expect(StatusCode::OK);
        for request in begun {
            assert_eq!(request.end().await, 401);
        }

        let maker = app.holder_of("organization-admin", &acme).await;
        let bearer = format!("Bearer {}", maker.token);
        let put = Unfinished::begin(app, &format!("PUT {member}"), &[("Authorization", &bearer)], &json!({})).await;
        let owner = format!("/v1/service-accounts/{}", text(&maker.body["service_account_id"]));
        app.root().patch(&owner, json!({ "roles": [] })).await.expect(StatusCode::OK);
        assert_eq!(put.end().await, 403);

        let late = app.root().get(&format!("/v1/api-keys?service_account_id={account}")).await.expect(StatusCode::OK);
        assert_eq!(late["items"], json!([]));
        assert_eq!(app.root().get(&invitations).await.expect(StatusCode::OK)["items"], json!([]));
        app.root().get(&member).await.problem(StatusCode::NOT_FOUND, "not_found");
    }

    async fn whose_session_ends_while_they_send_does_nothing(app: &TestApp) {
        app.declare_invoices().await;
        let (acme, _) = app.account("acme", &[]).await;
        let (browser, zoe) = Browser::of_zoe(app).await;
        let rights = json!({ "roles": ["member"], "permissions": ["invoices:read"] });
        app.root().put(&format!("/v1/organizations/{acme}/members/{zoe}"), rights).await.expect(StatusCode::CREATED);
        let shown: Value = serde_json::from_str(&browser.get("/v1/session").await.html).unwrap();
        let (cookie, csrf) = (format!("__Host-claviger={}", browser.session()), text(&shown["csrf_token"]));
        let headers = [("Cookie", cookie.as_str()), ("X-CSRF-Token", &csrf), ("Origin", PUBLIC_URL)];
        let token = json!({ "organization_id": acme, "name": "late", "permissions": ["invoices:read"] });
        let begun = Unfinished::begin(app, "POST /v1/personal-access-tokens", &headers, &token).await;
        browser.fill_in("/account/security", "/sign-out", &[]).await;
        assert_eq!(begun.end().await, 401);
        let tokens = app.root().get(&format!("/v1/personal-access-tokens?user_id={zoe}")).await.expect(StatusCode::OK);
        assert_eq!(tokens["items"], json!([]));
    }
}
