//! `claviger sidecar`, beside a real server: what it answers, how soon it hears of a revocation, and what it does while the server is
//! away.

use std::{net::TcpListener, time::Duration};

use reqwest::{StatusCode, header::HeaderMap};
use serde_json::{Value as Json, json};
use tokio::time::sleep;

use crate::{
    sdk::{AUDIENCE, ISSUER, PROMISE, SOON, World, now, text},
    server::{Instance, Server},
};

/// On a free port.
const FREE: &str = "--listen=127.0.0.1:0";

fn run(test: impl AsyncFnOnce(&Instance, World)) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let instance = Instance::new().with("CLAVIGER_PUBLIC_URL", ISSUER);
    runtime.block_on(async { test(&instance, World::new(&instance).await).await });
}

impl World {
    /// What one of the two answers, as it is and as JSON.
    async fn verified(&self, at: &Server, body: &Json) -> (StatusCode, Json) {
        let answer = self.http.post(format!("{}/v1/verify", at.internal)).json(body).send().await.unwrap();
        (answer.status(), answer.json().await.unwrap_or_default())
    }

    async fn code(&self, at: &Server, credential: &str) -> String {
        let (_, body) = self.verified(at, &json!({ "credential": credential })).await;
        text(&body["code"])
    }

    async fn becomes_code(&self, at: &Server, credential: &str, code: &str, bound: Duration) {
        let began = now();
        loop {
            let answered = self.code(at, credential).await;
            if answered == code {
                return;
            }
            assert!(began.elapsed() < bound, "not {code} within {bound:?}, but {answered}");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// How long it takes.
    async fn revoked_after(&self, at: &Server, credential: &str) -> Duration {
        let began = now();
        self.becomes_code(at, credential, "revoked", SOON).await;
        began.elapsed()
    }

    async fn metric(&self, at: &Server, name: &str) -> f64 {
        let metrics = self.http.get(format!("{}/metrics", at.internal)).send().await.unwrap().text().await.unwrap();
        let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name}: {metrics}")).parse().unwrap()
    }

    async fn ready(&self, at: &Server) -> (StatusCode, Json) {
        let answer = self.http.get(format!("{}/health/ready", at.internal)).send().await.unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    /// Credentials of every sort, each with a name.
    async fn credentials(&self) -> Vec<(&'static str, String)> {
        let token = async |more: Json| text(&self.key(more).await["token"]);
        let limits = json!([{ "name": "default", "limit": 1000, "window_seconds": 3600 }]);
        let ended = self.key(json!({})).await;
        self.made(&format!("/v1/api-keys/{}/revoke", text(&ended["id"])), json!({})).await;
        let off = self.key(json!({ "metadata": { "a": [1, "b"] } })).await;
        let path = format!("/v1/api-keys/{}", text(&off["id"]));
        assert!(self.send(reqwest::Method::PATCH, &path, json!({ "disabled": true })).await.0.is_success());
        let rolled = self.key(json!({})).await;
        let rolling = format!("/v1/api-keys/{}/roll", text(&rolled["id"]));
        let rolled_to = self.made(&rolling, json!({ "overlap_seconds": 3600 })).await;
        let (jwt, _) = self.token("invoices:read").await;
        vec![
            ("a key", token(json!({ "metadata": { "a": [1, "b"] } })).await),
            ("a limited key", token(json!({ "rate_limits": limits })).await),
            ("a key for objects", token(json!({ "objects": ["base:app7", "repo:acme/*"] })).await),
            ("a key for networks", token(json!({ "allowed_networks": ["10.0.0.0/8"] })).await),
            ("a key that ends", token(json!({ "expires_at": "2999-01-01T00:00:00Z" })).await),
            ("a test key", token(json!({ "environment": "test" })).await),
            ("a revoked key", text(&ended["token"])),
            ("a disabled key", text(&off["token"])),
            ("a retiring secret", text(&rolled["token"])),
            ("its successor", text(&rolled_to["token"])),
            ("another API's key", self.root.clone()),
            ("a JWT", jwt.clone()),
            ("a JWT that was changed", format!("{jwt}x")),
            ("what nobody has", "clv_key_000000000000000000000000000000001H8smx".to_owned()),
            ("a typo", "clv_key_000000000000000000000000000000001H8smy".to_owned()),
            ("nothing", String::new()),
        ]
    }
}

/// Without what differs from one use to the next.
fn compared(mut answer: Json) -> Json {
    for limit in answer["limits"].as_array_mut().into_iter().flatten() {
        limit["remaining"] = json!(0);
        limit["reset_seconds"] = json!(0);
    }
    // What was kept for a while may be kept for less.
    if answer["cache"].is_object() {
        answer["cache"]["max_age_seconds"] = json!(0);
    }
    answer
}

fn compared_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let own = headers.iter().filter(|(name, _)| {
        name.as_str().starts_with("x-claviger-")
            || ["www-authenticate", "cache-control", "content-length"].contains(&name.as_str())
    });
    let mut own: Vec<_> = own.map(|(name, value)| (name.to_string(), format!("{value:?}"))).collect();
    own.sort();
    own
}

#[test]
fn a_sidecar_answers_as_the_server_does() {
    run(async |instance, world| {
        let sidecar = instance.sidecar(&world.server.internal, &[FREE]);
        let questions = [
            json!({}),
            json!({ "audience": AUDIENCE, "permissions": ["invoices:read"] }),
            json!({ "permissions": ["invoices:read", "invoices:write"] }),
            json!({ "audience": "https://other.test" }),
            json!({ "audience": format!("{AUDIENCE}/") }),
            json!({ "object": "base:app7" }),
            json!({ "object": ["base:app7", "base:app8"] }),
            json!({ "object": "repo:acme/site", "client_ip": "10.1.2.3", "method": "GET", "path": "/x", "cost": 2 }),
            json!({ "client_ip": "11.1.2.3" }),
            json!({ "state_only": true }),
            json!({ "state_only": true, "cost": 1 }),
            json!({ "proof": { "dpop": "x", "url": "https://api.acme.test/" }, "method": "GET" }),
            json!({ "permission": "invoices:read" }),
            json!({ "object": "base:*" }),
        ];
        let credentials = world.credentials().await;
        // The second time from memory.
        for _ in 0..2 {
            for (name, credential) in &credentials {
                for question in &questions {
                    let mut question = question.clone();
                    question["credential"] = json!(credential);
                    let (expected, answered) =
                        (world.verified(&world.server, &question).await, world.verified(&sidecar, &question).await);
                    assert_eq!(answered.0, expected.0, "{name}: {question} {}", answered.1);
                    let max_age = |answer: &Json| answer["cache"]["max_age_seconds"].as_u64();
                    let (most, told) = (max_age(&expected.1), max_age(&answered.1));
                    assert!(most.is_some() == told.is_some() && told <= most, "{name}: {question} {told:?} {most:?}");
                    assert_eq!(compared(answered.1), compared(expected.1), "{name}: {question}");
                }
            }
        }
        assert!(
            world.metric(&sidecar, r#"claviger_sidecar_answers_total{source="memory",surface="verify"}"#).await > 100.0
        );
    });
}

#[test]
fn a_gateway_is_told_by_a_sidecar_what_the_server_tells_it() {
    run(async |instance, world| {
        let sidecar = instance.sidecar(&world.server.internal, &[FREE]);
        let queries = [
            String::new(),
            format!("?audience={AUDIENCE}&permission=invoices:read"),
            "?permission=invoices:write".to_owned(),
            "?permission=invoices:write&nginx=1".to_owned(),
            "?permission=".to_owned(),
            "?audience=https://other.test&nginx=1".to_owned(),
            "?object=base:app7".to_owned(),
            "?object=base:*&nginx=1".to_owned(),
            "?client_certificate=1".to_owned(),
            "?colour=red".to_owned(),
            "?colour=red&nginx=1".to_owned(),
            "?cost=0".to_owned(),
        ];
        let credentials = world.credentials().await;
        let told = async |at: &Server, query: &str, headers: &[(&str, String)]| {
            let mut request = world.http.get(format!("{}/v1/forward-auth{query}", at.internal));
            for (name, value) in headers {
                request = request.header(*name, value);
            }
            let answer = request.send().await.unwrap();
            (answer.status(), compared_headers(answer.headers()))
        };
        for _ in 0..2 {
            for (name, credential) in &credentials {
                let bearer = ("authorization", format!("Bearer {credential}"));
                let own = |more: &[(&'static str, &str)]| {
                    let more = more.iter().map(|(name, value)| (*name, (*value).to_owned()));
                    [bearer.clone()].into_iter().chain(more).collect::<Vec<_>>()
                };
                let sets = [
                    own(&[("x-original-uri", "/invoices?page=2"), ("x-original-method", "GET")]),
                    own(&[("x-forwarded-for", "10.1.2.3")]),
                    own(&[("x-api-key", "other")]),
                    own(&[("client-cert", ":AAAA:")]),
                    vec![("x-api-key", credential.clone())],
                    vec![("authorization", format!("DPoP {credential}"))],
                    vec![("authorization", "Basic Z2l0OmNsdl9h".to_owned())],
                    Vec::new(),
                ];
                for (query, headers) in
                    queries.iter().flat_map(|query| sets.iter().map(move |headers| (query, headers)))
                {
                    let (expected, answered) =
                        (told(&world.server, query, headers).await, told(&sidecar, query, headers).await);
                    assert_eq!(answered, expected, "{name}: {query} {headers:?}");
                }
            }
        }
        let memory = r#"claviger_sidecar_answers_total{source="memory",surface="forward_auth"}"#;
        assert!(world.metric(&sidecar, memory).await > 100.0);
    });
}

#[test]
fn a_sidecar_refuses_what_was_revoked_within_two_seconds() {
    run(async |instance, world| {
        let sidecar = instance.sidecar(&world.server.internal, &[FREE]);
        // A machine that is busy may stop any process for a second. What is slow by itself is slow each time.
        let mut longest = Vec::new();
        while longest.last().is_none_or(|last| *last > PROMISE) {
            assert!(longest.len() < 4, "not within {PROMISE:?}: {longest:?}");
            let key = world.key(json!({})).await;
            let (token, secret) = world.token("invoices:read").await;
            let (key_id, key) = (text(&key["id"]), text(&key["token"]));
            for credential in [&key, &token] {
                world.becomes_code(&sidecar, credential, "valid", SOON).await;
            }
            sleep(Duration::from_secs(1)).await;
            world.made(&format!("/v1/api-keys/{key_id}/revoke"), json!({})).await;
            let of_key = world.revoked_after(&sidecar, &key).await;
            world.made(&format!("/v1/service-accounts/{}/secrets/{secret}/revoke", world.account), json!({})).await;
            longest.push(of_key.max(world.revoked_after(&sidecar, &token).await));
        }
        let (status, ready) = world.ready(&sidecar).await;
        assert_eq!(status, StatusCode::OK, "{ready}");
        let began = now();
        let mut ages = Vec::new();
        while ages.last().is_none_or(|age| *age >= 1.5) {
            assert!(began.elapsed() < SOON, "{ages:?}");
            let told = world.ready(&sidecar).await.1["staleness_seconds"].as_f64().unwrap();
            ages.push(told.max(world.metric(&sidecar, "claviger_sidecar_staleness_seconds").await));
        }
    });
}

#[test]
fn a_sidecar_that_is_stopped_has_told_of_every_use() {
    run(async |instance, world| {
        let mut sidecar = instance.sidecar(&world.server.internal, &[FREE]);
        let (key, other) = (world.key(json!({})).await, text(&world.key(json!({})).await["token"]));
        world.becomes_code(&sidecar, &other, "valid", SOON).await;
        sleep(Duration::from_secs(1)).await;
        for _ in 0..3 {
            let asked = json!({ "credential": key["token"], "permissions": ["invoices:read"] });
            assert_eq!(world.verified(&sidecar, &asked).await.1["code"], "valid");
        }
        let told = world.http.get(format!("{}/v1/forward-auth", sidecar.internal)).bearer_auth(text(&key["token"]));
        assert_eq!(told.send().await.unwrap().status(), StatusCode::OK);
        sidecar.stop();
        world.becomes_used(&text(&key["id"]), "code", &[("valid", 4)], SOON).await;
        world.becomes_used(&text(&key["id"]), "permission", &[("invoices:read", 3)], SOON).await;
    });
}

#[test]
fn a_sidecar_goes_on_while_the_server_is_restarted() {
    run(async |instance, mut world| {
        let sidecar = instance.sidecar(&world.server.internal, &[FREE]);
        let key = text(&world.key(json!({})).await["token"]);
        world.becomes_code(&sidecar, &key, "valid", SOON).await;
        // So that it is kept.
        sleep(Duration::from_secs(1)).await;
        assert_eq!(world.code(&sidecar, &key).await, "valid");
        let address = |url: &str| url.strip_prefix("http://").unwrap().to_owned();
        let (public, internal) = (address(&world.server.public), address(&world.server.internal));
        world.server.stop();
        for _ in 0..20 {
            assert_eq!(world.code(&sidecar, &key).await, "valid");
            sleep(Duration::from_millis(50)).await;
        }
        world.server = instance.serve(&["--listen", &public, "--internal-listen", &internal]);
        for _ in 0..60 {
            assert_eq!(world.code(&sidecar, &key).await, "valid");
            sleep(Duration::from_millis(50)).await;
        }
        let (status, ready) = world.ready(&sidecar).await;
        assert_eq!((status, &ready["reason"]), (StatusCode::OK, &Json::Null));
    });
}

#[test]
fn a_sidecar_of_a_server_that_is_away_for_too_long_answers_that_it_does_not_know() {
    run(async |instance, mut world| {
        let sidecar = instance.sidecar(&world.server.internal, &[FREE, "--max-staleness=8s"]);
        let key = text(&world.key(json!({})).await["token"]);
        world.becomes_code(&sidecar, &key, "valid", SOON).await;
        // So that it is kept.
        sleep(Duration::from_secs(1)).await;
        assert_eq!(world.code(&sidecar, &key).await, "valid");
        let began = now();
        world.server.stop();
        while began.elapsed() < Duration::from_secs(6) {
            assert_eq!(world.code(&sidecar, &key).await, "valid");
            sleep(Duration::from_millis(100)).await;
        }
        world.becomes_code(&sidecar, &key, "unavailable", SOON).await;
        let (status, ready) = world.ready(&sidecar).await;
        assert_eq!((status, &ready["status"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("unavailable")));
        assert!(ready["staleness_seconds"].as_f64().unwrap() > 8.0 && ready["reason"].is_string(), "{ready}");
        let asked = world.http.get(format!("{}/v1/forward-auth", sidecar.internal)).bearer_auth(&key);
        let told = asked.send().await.unwrap();
        assert_eq!(told.headers()["x-claviger-code"], "unavailable");
        assert_eq!(told.status(), StatusCode::SERVICE_UNAVAILABLE);
        let asked = world.http.get(format!("{}/v1/forward-auth?nginx=1", sidecar.internal)).bearer_auth(&key);
        assert_eq!(asked.send().await.unwrap().status(), StatusCode::FORBIDDEN, "nginx lets nobody through");
    });
}

#[test]
fn a_sidecar_that_starts_first_knows_nothing_until_the_server_is_there() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let internal = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let instance = Instance::new().with("CLAVIGER_PUBLIC_URL", ISSUER);
    let root = instance.ok(&["bootstrap"]).trim().to_owned();
    let sidecar = instance.sidecar(&format!("http://{internal}"), &[FREE]);
    runtime.block_on(async {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let asked = async || {
            let body = json!({ "credential": root });
            let answer = http.post(format!("{}/v1/verify", sidecar.internal)).json(&body).send().await.unwrap();
            (answer.status(), text(&answer.json::<Json>().await.unwrap()["code"]))
        };
        assert_eq!(asked().await, (StatusCode::SERVICE_UNAVAILABLE, "unavailable".to_owned()));
        let _server = instance.serve(&["--internal-listen", &internal]);
        let began = now();
        while asked().await != (StatusCode::OK, "valid".to_owned()) {
            assert!(began.elapsed() < SOON);
            sleep(Duration::from_millis(50)).await;
        }
    });
}

#[test]
fn a_sidecar_needs_the_token_of_its_server_and_asks_for_it_where_others_reach_it() {
    const TOKEN: &str = "an-internal-token-for-this-test-alone";
    let instance = Instance::new().with("CLAVIGER_PUBLIC_URL", ISSUER).with("CLAVIGER_INTERNAL_TOKEN", TOKEN);
    let root = instance.ok(&["bootstrap"]).trim().to_owned();
    let server = instance.serve(&[]);
    let (good, bad) = (instance.path().join("token"), instance.path().join("wrong"));
    std::fs::write(&good, format!("{TOKEN}\n")).unwrap();
    std::fs::write(&bad, "another").unwrap();
    let sidecar = |listen: &str, file: Option<&std::path::Path>| {
        let mut arguments = vec!["sidecar", "--upstream", &server.internal, "--listen", listen];
        arguments.extend(file.map(|file| ["--token-file", file.to_str().unwrap()]).into_iter().flatten());
        instance.refused(&arguments)
    };
    for file in [None, Some(bad.as_path())] {
        let said = sidecar("127.0.0.1:0", file);
        assert!(said.contains("internal_token") && said.contains("--token-file"), "{said}");
    }
    assert!(sidecar("0.0.0.0:0", None).contains("not on loopback"));
    let public = instance.refused(&["sidecar", "--listen=127.0.0.1:0", "--upstream", &server.public]);
    assert!(public.contains("internal listener"), "{public}");

    let everywhere = ["--token-file", good.to_str().unwrap(), "--listen=0.0.0.0:0"];
    let sidecar = instance.sidecar(&server.internal, &everywhere);
    let address = sidecar.internal.replace("0.0.0.0", "127.0.0.1");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let ask = async |token: Option<&str>| {
            let mut request = http.post(format!("{address}/v1/verify")).json(&json!({ "credential": root }));
            if let Some(token) = token {
                request = request.header("x-claviger-internal", token);
            }
            request.send().await.unwrap().status()
        };
        assert_eq!(ask(None).await, StatusCode::UNAUTHORIZED);
        assert_eq!(ask(Some("another")).await, StatusCode::UNAUTHORIZED);
        assert_eq!(ask(Some(TOKEN)).await, StatusCode::OK);
    });
}
