//! A service of somebody else's, protected by the SDK as its guide says, beside a real server.

use std::{
    net::{SocketAddr, TcpListener},
    time::{Duration, Instant},
};

use claviger_sdk::{Claviger, Settings};
use claviger_token::{SigningAlgorithm, SigningKey, Thumbprint, TokenHash};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value as Json, json};

use crate::server::{Instance, Server};

#[expect(dead_code, reason = "its main is for people")]
#[path = "../../../claviger-sdk/examples/axum.rs"]
mod example;

pub(crate) const ISSUER: &str = "https://keys.acme.test";
pub(crate) const AUDIENCE: &str = "https://api.acme.test";
pub(crate) const PROMISE: Duration = Duration::from_secs(2);
pub(crate) const SOON: Duration = Duration::from_secs(10);

/// The instance, its administrator, and the service.
pub(crate) struct World {
    pub(crate) http: Client,
    pub(crate) server: Server,
    pub(crate) root: String,
    service: SocketAddr,
    pub(crate) account: String,
}

impl World {
    pub(crate) async fn new(instance: &Instance) -> Self {
        let server = instance.serve(&[]);
        let root = instance.ok(&["bootstrap"]).trim().to_owned();
        let service = serve(settings(&server)).await;
        let http = Client::builder().no_proxy().build().unwrap();
        let mut world = Self { http, server, root, service, account: String::new() };
        let permissions = json!([{ "name": "invoices:read" }, { "name": "invoices:write" }]);
        world.made("/v1/apis", json!({ "identifier": AUDIENCE, "name": "Invoices", "permissions": permissions })).await;
        let organization = world.made("/v1/organizations", json!({ "name": "Acme", "slug": "acme" })).await;
        let account = json!({ "organization_id": organization["id"], "name": "sync", "permissions": ["invoices:read", "invoices:write"] });
        world.account = text(&world.made("/v1/service-accounts", account).await["id"]);
        world
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: Json) -> (StatusCode, Json) {
        let request = self.http.request(method, format!("{}{path}", self.server.public));
        let answer = request.bearer_auth(&self.root).json(&body).send().await.unwrap();
        (answer.status(), answer.json().await.unwrap_or_default())
    }

    pub(crate) async fn made(&self, path: &str, body: Json) -> Json {
        let (status, body) = self.send(Method::POST, path, body).await;
        assert!(status.is_success(), "{path}: {status} {body}");
        body
    }

    pub(crate) async fn key(&self, more: Json) -> Json {
        let mut body = json!({ "service_account_id": self.account, "name": "ci", "permissions": ["invoices:read"] });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.made("/v1/api-keys", body).await
    }

    /// An access token, and the credential that it was made from.
    pub(crate) async fn token(&self, scope: &str) -> (String, String) {
        let secret = self.made(&format!("/v1/service-accounts/{}/secrets", self.account), json!({ "name": "s" })).await;
        let form = [("grant_type", "client_credentials"), ("resource", AUDIENCE), ("scope", scope)];
        let request = self.http.post(format!("{}/oauth/token", self.server.public)).form(&form);
        let answer =
            request.basic_auth(text(&secret["client_id"]), secret["client_secret"].as_str()).send().await.unwrap();
        let answer: Json = answer.json().await.unwrap();
        (text(&answer["access_token"]), text(&secret["id"]))
    }

    async fn asked(&self, credential: &str) -> (StatusCode, String) {
        ask(&self.http, self.service, credential).await
    }

    async fn becomes(&self, credential: &str, status: StatusCode, bound: Duration) {
        let began = now();
        loop {
            let (answered, code) = self.asked(credential).await;
            if answered == status {
                return;
            }
            assert!(began.elapsed() < bound, "not {status} within {bound:?}, but {answered} {code}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn ask(http: &Client, service: SocketAddr, credential: &str) -> (StatusCode, String) {
    let answer = http.get(format!("http://{service}/invoices")).bearer_auth(credential).send().await.unwrap();
    let code = answer.headers().get("x-claviger-code").map(|code| code.to_str().unwrap().to_owned());
    (answer.status(), code.unwrap_or_default())
}

/// The same with a guard behind another, in a router within another.
async fn serve_nested(mut settings: Settings) -> (SocketAddr, String) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let origin = format!("http://{address}");
    settings.origin = Some(origin.clone());
    tokio::spawn(async move {
        let claviger = Claviger::start(settings).unwrap();
        let guard = || {
            claviger.require("invoices:read").unwrap().path(|request| {
                let original = request.extensions.get::<axum::extract::OriginalUri>();
                original.map_or(request.uri.path(), |uri| uri.path()).to_owned()
            })
        };
        let inner = axum::Router::new().route("/invoices", axum::routing::get(async || "invoices")).layer(guard());
        let app = axum::Router::new().nest("/v1", inner).layer(guard());
        axum::serve(listener, app).await.unwrap();
    });
    (address, origin)
}

/// With patience: a machine that is busy is no outage.
fn settings(server: &Server) -> Settings {
    let mut settings = Settings::new(ISSUER, &server.internal, AUDIENCE);
    settings.public_address = Some(server.public.clone());
    settings.patience = SOON;
    settings
}

async fn serve(settings: Settings) -> SocketAddr {
    serve_by(Claviger::start(settings).unwrap()).await
}

async fn serve_by(claviger: Claviger) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        // Followed for as long as the service runs.
        axum::serve(listener, example::api(&claviger).unwrap()).await.unwrap();
    });
    address
}

pub(crate) fn text(value: &Json) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

#[expect(clippy::disallowed_methods, reason = "a test needs some instant to count from")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

fn run(test: impl AsyncFnOnce(World)) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let instance = Instance::new().with("CLAVIGER_PUBLIC_URL", ISSUER);
    runtime.block_on(async { test(World::new(&instance).await).await });
}

#[test]
fn a_service_refuses_what_was_revoked_within_two_seconds() {
    run(async |world| {
        let key = world.key(json!({})).await;
        let (id, key) = (text(&key["id"]), text(&key["token"]));
        world.becomes(&key, StatusCode::OK, SOON).await;
        let (token, secret) = world.token("invoices:read").await;
        world.becomes(&token, StatusCode::OK, SOON).await;
        let (single, _) = world.token("invoices:read").await;
        world.becomes(&single, StatusCode::OK, SOON).await;
        let (narrow, _) = world.token("invoices:write").await;
        assert_eq!(world.asked(&narrow).await, (StatusCode::FORBIDDEN, "permission_missing".to_owned()));
        assert_eq!(world.asked(&format!("{token}x")).await.0, StatusCode::UNAUTHORIZED);
        assert_eq!(world.asked("clv_key_nobodys").await, (StatusCode::UNAUTHORIZED, "unknown".to_owned()));

        world.made(&format!("/v1/api-keys/{id}/revoke"), json!({})).await;
        world.becomes(&key, StatusCode::UNAUTHORIZED, PROMISE).await;
        world.made(&format!("/v1/service-accounts/{}/secrets/{secret}/revoke", world.account), json!({})).await;
        world.becomes(&token, StatusCode::UNAUTHORIZED, PROMISE).await;
        assert_eq!(world.asked(&single).await.0, StatusCode::OK);
        let ended = world.http.delete(format!("{}/v1/token", world.server.public)).bearer_auth(&single).send().await;
        assert!(
            ended.unwrap().status().is_success() || {
                let form = [("token", single.as_str())];
                let request = world.http.post(format!("{}/oauth/revoke", world.server.public)).form(&form);
                request.bearer_auth(&world.root).send().await.unwrap().status().is_success()
            }
        );
        world.becomes(&single, StatusCode::UNAUTHORIZED, PROMISE).await;
    });
}

#[test]
fn a_kept_key_is_narrowed_with_whatever_it_came_from() {
    run(async |world| {
        let (both, less) = (json!(["invoices:read", "invoices:write"]), json!(["invoices:write"]));
        let (off, on) = (json!({ "disabled": true }), json!({ "disabled": false }));
        let (narrow, wide) = (json!({ "permissions": less }), json!({ "permissions": both }));
        for (path, body, back, status) in [
            ("/v1/api-keys/{key}", &off, &on, StatusCode::UNAUTHORIZED),
            ("/v1/api-keys/{key}", &narrow, &wide, StatusCode::FORBIDDEN),
            ("/v1/service-accounts/{account}", &narrow, &wide, StatusCode::FORBIDDEN),
            ("/v1/service-accounts/{account}", &off, &on, StatusCode::UNAUTHORIZED),
        ] {
            let key = world.key(wide.clone()).await;
            let path = path.replace("{key}", &text(&key["id"])).replace("{account}", &world.account);
            let key = text(&key["token"]);
            world.becomes(&key, StatusCode::OK, SOON).await;
            assert!(world.send(Method::PATCH, &path, body.clone()).await.0.is_success(), "{path}");
            world.becomes(&key, status, PROMISE).await;
            assert!(world.send(Method::PATCH, &path, back.clone()).await.0.is_success(), "{path}");
            world.becomes(&key, StatusCode::OK, PROMISE).await;
        }
    });
}

#[test]
fn the_guide_shows_the_service_that_is_tested_here() {
    let guide = include_str!("../../../../docs/verifying/rust.md");
    let example = include_str!("../../../claviger-sdk/examples/axum.rs");
    let (_, code) = example.split_once("use axum::").unwrap();
    assert!(guide.contains(&format!("```rust\nuse axum::{code}```\n")), "they differ");
}

#[test]
fn a_key_that_is_limited_is_asked_about_every_time() {
    run(async |world| {
        let limits = json!([{ "name": "default", "limit": 3, "window_seconds": 3600 }]);
        let key = text(&world.key(json!({ "rate_limits": limits })).await["token"]);
        for _ in 0..3 {
            assert_eq!(world.asked(&key).await.0, StatusCode::OK);
        }
        assert_eq!(world.asked(&key).await, (StatusCode::TOO_MANY_REQUESTS, "rate_limited".to_owned()));
    });
}

#[test]
fn of_many_uses_at_once_over_a_limit_each_is_told_so() {
    run(async |world| {
        let limits = json!([{ "name": "default", "limit": 3, "window_seconds": 3600 }]);
        let key = text(&world.key(json!({ "rate_limits": limits })).await["token"]);
        let other = text(&world.key(json!({})).await["token"]);
        world.becomes(&other, StatusCode::OK, SOON).await;
        let mut asking = tokio::task::JoinSet::new();
        for _ in 0..200 {
            let (http, service, key) = (world.http.clone(), world.service, key.clone());
            asking.spawn(async move { ask(&http, service, &key).await.0 });
        }
        let answers = asking.join_all().await;
        let count = |status| answers.iter().filter(|answer| **answer == status).count();
        assert_eq!((count(StatusCode::OK), count(StatusCode::TOO_MANY_REQUESTS)), (3, 197), "{answers:?}");
    });
}

#[test]
fn a_refused_request_spends_nothing_and_whatever_object_lets_a_key_for_objects_through() {
    run(async |world| {
        let settings = settings(&world.server);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let service = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let claviger = Claviger::start(settings).unwrap();
            let guard = |permission| claviger.require(permission).unwrap();
            let route = |path, guard| axum::Router::new().route(path, axum::routing::get(async || "")).layer(guard);
            let app = route("/read", guard("invoices:read"))
                .merge(route("/write", guard("invoices:write")))
                .merge(route("/any", guard("invoices:read").whatever_object()))
                .merge(route("/test", guard("invoices:read").test_too()));
            axum::serve(listener, app).await.unwrap();
        });
        let get = async |path: &str, key: &str| {
            let answer = world.http.get(format!("http://{service}{path}")).bearer_auth(key).send().await.unwrap();
            answer.status()
        };
        let free = text(&world.key(json!({})).await["token"]);
        let began = now();
        while get("/read", &free).await != StatusCode::OK {
            assert!(began.elapsed() < SOON);
        }
        let limits = json!([{ "name": "default", "limit": 2, "window_seconds": 3600 }]);
        let key = text(&world.key(json!({ "rate_limits": &limits })).await["token"]);
        for _ in 0..3 {
            assert_eq!(get("/write", &key).await, StatusCode::FORBIDDEN);
        }
        for expected in [StatusCode::OK, StatusCode::OK, StatusCode::TOO_MANY_REQUESTS] {
            assert_eq!(get("/read", &key).await, expected);
        }
        let of_test = text(&world.key(json!({ "rate_limits": limits, "environment": "test" })).await["token"]);
        for _ in 0..3 {
            assert_eq!(get("/read", &of_test).await, StatusCode::UNAUTHORIZED);
        }
        for expected in [StatusCode::OK, StatusCode::OK, StatusCode::TOO_MANY_REQUESTS] {
            assert_eq!(get("/test", &of_test).await, expected);
        }
        let for_objects = text(&world.key(json!({ "objects": ["base:app7"] })).await["token"]);
        assert_eq!(get("/read", &for_objects).await, StatusCode::FORBIDDEN);
        // Not while the change feed is not heard for a moment: each use is asked about then.
        let began = now();
        while get("/any", &for_objects).await != StatusCode::OK {
            assert!(began.elapsed() < SOON);
        }
    });
}

#[test]
fn behind_two_guards_a_limit_is_spent_and_a_proof_is_used_once() {
    run(async |world| {
        let (service, origin) = serve_nested(settings(&world.server)).await;
        let url = format!("{origin}/v1/invoices");
        let limits = json!([{ "name": "default", "limit": 3, "window_seconds": 3600 }]);
        let key = text(&world.key(json!({ "rate_limits": limits })).await["token"]);
        let free = text(&world.key(json!({})).await["token"]);
        let get = async |credential: &str| world.http.get(&url).bearer_auth(credential).send().await.unwrap().status();
        let began = now();
        while get(&free).await != StatusCode::OK {
            assert!(began.elapsed() < SOON);
        }
        for _ in 0..3 {
            assert_eq!(get(&key).await, StatusCode::OK);
        }
        assert_eq!(get(&key).await, StatusCode::TOO_MANY_REQUESTS);

        let pkcs8 = SigningKey::generate(SigningAlgorithm::Es256).unwrap();
        let holder = SigningKey::from_pkcs8(SigningAlgorithm::Es256, &pkcs8).unwrap();
        let proof = |jti: &str, method: &str, url: &str, token: Option<&str>| {
            let seconds = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
            let mut claims = json!({ "jti": jti, "htm": method, "htu": url, "iat": seconds });
            if let Some(token) = token {
                claims["ath"] = json!(Thumbprint::from(*TokenHash::of(token).as_bytes()).to_string());
            }
            holder.sign_with_jwk("dpop+jwt", &claims).unwrap()
        };
        let secret =
            world.made(&format!("/v1/service-accounts/{}/secrets", world.account), json!({ "name": "s" })).await;
        let form = [("grant_type", "client_credentials"), ("resource", AUDIENCE), ("scope", "invoices:read")];
        let request = world.http.post(format!("{}/oauth/token", world.server.public)).form(&form);
        let request = request.header("dpop", proof("1", "POST", &format!("{ISSUER}/oauth/token"), None));
        let answer =
            request.basic_auth(text(&secret["client_id"]), secret["client_secret"].as_str()).send().await.unwrap();
        let answer: Json = answer.json().await.unwrap();
        assert_eq!(answer["token_type"], "DPoP", "{answer}");
        let token = text(&answer["access_token"]);
        let get = async |proof: &str| {
            let request = world.http.get(&url).header("authorization", format!("DPoP {token}")).header("dpop", proof);
            request.send().await.unwrap().status()
        };
        let first = proof("2", "GET", &url, Some(&token));
        assert_eq!(get(&first).await, StatusCode::OK, "{service}");
        assert_eq!(get(&first).await, StatusCode::UNAUTHORIZED, "it counts once");
        assert_eq!(get(&proof("3", "GET", &url, Some(&token))).await, StatusCode::OK);
        let elsewhere = format!("{origin}/invoices");
        assert_eq!(get(&proof("4", "GET", &elsewhere, Some(&token))).await, StatusCode::UNAUTHORIZED);
    });
}

#[test]
fn of_many_who_present_the_same_key_at_once_one_asks() {
    run(async |world| {
        let key = text(&world.key(json!({})).await["token"]);
        // So that the service follows, and this key is the only one that it does not know.
        let other = text(&world.key(json!({})).await["token"]);
        world.becomes(&other, StatusCode::OK, SOON).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let verified = async || {
            let metrics = world.http.get(format!("{}/metrics", world.server.internal)).send().await.unwrap();
            let metrics = metrics.text().await.unwrap();
            let line = metrics.lines().find(|line| {
                line.starts_with("claviger_verdicts_total")
                    && line.contains("verify")
                    && line.contains("\"valid\"")
                    && line.contains("api_key")
            });
            line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).unwrap_or(0.0)
        };
        let before = verified().await;
        let mut asking = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let (http, service, key) = (world.http.clone(), world.service, key.clone());
            asking.spawn(async move { ask(&http, service, &key).await.0 });
        }
        assert!(asking.join_all().await.iter().all(|status| *status == StatusCode::OK));
        assert_eq!(verified().await - before, 1.0);
    });
}

impl World {
    /// Uses of a credential, by what they are told apart by; once there are as many as expected.
    pub(crate) async fn becomes_used(&self, id: &str, group: &str, expected: &[(&str, i64)], bound: Duration) {
        let (began, path) = (now(), format!("/v1/usage?by=day&group={group}&credential_id={id}"));
        loop {
            let answer = self.http.get(format!("{}{path}", self.server.public)).bearer_auth(&self.root);
            let usage: Json = answer.send().await.unwrap().json().await.unwrap();
            let items = usage["items"].as_array().unwrap().iter();
            let told: Vec<_> = items.map(|item| (text(&item[group]), item["uses"].as_i64().unwrap())).collect();
            if told.iter().map(|(what, uses)| (what.as_str(), *uses)).eq(expected.iter().copied()) {
                return;
            }
            assert!(began.elapsed() < bound, "{told:?}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

#[test]
fn what_a_service_judges_is_counted_once() {
    run(async |world| {
        let key = world.key(json!({})).await;
        let narrow = world.key(json!({ "permissions": ["invoices:write"] })).await;
        let of_test = world.key(json!({ "environment": "test" })).await;
        let (one, other) = (text(&key["id"]), text(&narrow["id"]));
        // From memory, however busy the machine is: what Claviger refuses when it is asked is remembered, and counted once in a second.
        let mut settings = settings(&world.server);
        settings.keys_without_feed = Duration::from_secs(30);
        let claviger = Claviger::start(settings).unwrap();
        let service = serve_by(claviger.clone()).await;
        let began = now();
        while !claviger.is_followed() {
            assert!(began.elapsed() < SOON);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let asked = async |credential: &Json| ask(&world.http, service, &text(credential)).await.0;
        assert_eq!(asked(&key["token"]).await, StatusCode::OK);
        for _ in 0..5 {
            assert_eq!(asked(&narrow["token"]).await, StatusCode::FORBIDDEN);
            assert_eq!(asked(&of_test["token"]).await, StatusCode::UNAUTHORIZED);
        }
        let mismatched = [("audience_mismatch", 5)];
        world.becomes_used(&text(&of_test["id"]), "code", &mismatched, Duration::from_secs(20)).await;
        world.becomes_used(&other, "code", &[("permission_missing", 5)], Duration::from_secs(20)).await;
        let used = world.send(Method::GET, &format!("/v1/api-keys/{one}"), json!({})).await.1;
        assert!(used["last_used_at"].is_string(), "{used}: they are told together");
    });
}

#[test]
fn while_the_server_is_away_tokens_count_and_keys_do_not_for_long() {
    run(async |mut world| {
        let key = text(&world.key(json!({})).await["token"]);
        let (token, _) = world.token("invoices:read").await;
        for credential in [&key, &token] {
            world.becomes(credential, StatusCode::OK, SOON).await;
        }
        world.server.stop();
        world.becomes(&key, StatusCode::SERVICE_UNAVAILABLE, Duration::from_secs(12)).await;
        assert_eq!(world.asked(&token).await.0, StatusCode::OK);
    });
}

#[test]
fn a_service_that_starts_first_refuses_until_the_server_is_there() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let (public, internal) = (free(), free());
    let instance = Instance::new().with("CLAVIGER_PUBLIC_URL", ISSUER);
    let root = instance.ok(&["bootstrap"]).trim().to_owned();
    runtime.block_on(async {
        let mut settings = Settings::new(ISSUER, &format!("http://{internal}"), AUDIENCE);
        settings.public_address = Some(format!("http://{public}"));
        let (service, http) = (serve(settings).await, Client::builder().no_proxy().build().unwrap());
        for credential in [root.as_str(), "eyJhbGciOiJFUzI1NiJ9.e30.c2ln"] {
            let answered = ask(&http, service, credential).await;
            assert_eq!(
                answered,
                (StatusCode::SERVICE_UNAVAILABLE, "unavailable".to_owned()),
                "never as if it were wrong"
            );
        }
        let _server = instance.serve(&["--listen", &public, "--internal-listen", &internal]);
        let began = now();
        // The administrator's key is good, and not for this API.
        while ask(&http, service, &root).await.1 != "audience_mismatch" {
            assert!(began.elapsed() < SOON);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
}
