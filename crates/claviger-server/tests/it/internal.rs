//! The border of the internal listener.

use claviger_token::Secret;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::{
    app::{Reply, TestApp},
    database::{Engine, TestDatabase},
};

on_both_databases! {
    async fn a_rebound_name_does_not_get_in(app: &TestApp) {
        let ask = async |host: &str, content_type: &str| {
            let request = app.request(Method::POST, app.internal, "/v1/verify").header("host", host);
            let request = request.header("content-type", content_type).body("{\"credential\":\"x\"}");
            Reply::read(app, request.send().await.unwrap()).await
        };
        ask("127.0.0.1:7421", "application/json").await.expect(StatusCode::OK);
        ask("127.0.0.1", "application/json").await.expect(StatusCode::OK);
        ask("evil.test", "application/json").await.problem(StatusCode::MISDIRECTED_REQUEST, "host_not_allowed");
        ask("127.0.0.1.evil.test:80", "application/json").await.problem(StatusCode::MISDIRECTED_REQUEST, "host_not_allowed");
        // HTTP/2 says the name in another place.
        let port = app.internal.port();
        for (host, status) in [("127.0.0.1", "401"), ("evil.test", "421")] {
            let asked = tokio::task::spawn_blocking(move || {
                let mut curl = std::process::Command::new("curl");
                curl.args(["-sS", "--http2-prior-knowledge", "--noproxy", "*", "-w", " %{http_version} %{http_code}"]);
                curl.args(["--connect-to", &format!("::127.0.0.1:{port}")]);
                curl.arg(format!("http://{host}:{port}/v1/forward-auth")).output().unwrap()
            });
            let said = String::from_utf8(asked.await.unwrap().stdout).unwrap();
            assert!(said.ends_with(&format!(" 2 {status}")), "{host}: {said}");
        }
        // What a page can send without asking first.
        ask("127.0.0.1", "text/plain").await.problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type");
    }

    async fn nothing_but_verification_is_there(app: &TestApp) {
        for path in ["/v1/api-keys", "/openapi.json", "/docs/", "/v1/token"] {
            let sent = app.request(Method::GET, app.internal, path).bearer_auth(app.root_token()).send().await.unwrap();
            Reply::read(app, sent).await.problem(StatusCode::NOT_FOUND, "not_found");
        }
        for path in ["/health/live", "/health/ready"] {
            for listener in [app.internal, app.public] {
                let sent = app.request(Method::GET, listener, path).header("host", "10.1.2.3").send().await.unwrap();
                assert_eq!(Reply::read(app, sent).await.expect(StatusCode::OK)["status"], "ok");
            }
        }
    }
}

#[test]
fn with_a_token_set_only_its_holders_ask() {
    let database = TestDatabase::fresh(Engine::Sqlite);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let app = TestApp::start(&database.url, |config| {
            config.internal_token = Some(Secret::new("internal-secret".to_owned()));
        })
        .await;
        let ask = async |name: &'static str, value: &str| {
            let request = app.request(Method::POST, app.internal, "/v1/verify").header(name, value);
            Reply::read(&app, request.json(&json!({ "credential": "x" })).send().await.unwrap()).await
        };
        ask("x-claviger-internal", "internal-secret").await.expect(StatusCode::OK);
        ask("authorization", "Bearer internal-secret").await.expect(StatusCode::OK);
        for wrong in ["", "internal-secre", "internal-secret2"] {
            let refused = ask("x-claviger-internal", wrong).await;
            refused.problem(StatusCode::UNAUTHORIZED, "internal_token_needed");
        }
        let check =
            app.request(Method::POST, app.internal, "/envoy.service.auth.v3.Authorization/Check").send().await.unwrap();
        Reply::read(&app, check).await.problem(StatusCode::UNAUTHORIZED, "internal_token_needed");
        let health = app.request(Method::GET, app.internal, "/health/ready").send().await.unwrap();
        assert_eq!(health.status(), StatusCode::OK);
    });
}
