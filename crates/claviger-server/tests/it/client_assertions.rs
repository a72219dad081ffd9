//! Clients that prove themselves by a signature (RFC 7523; the numbers are those of the cases that must be answered). How each
//! assertion is judged stands beside the rules in the core; here is what a client sees of it.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use claviger_token::{SigningAlgorithm, SigningKey};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use crate::{
    app::{PUBLIC_URL, Reply, TestApp, text},
    machine::{CLIENT_CREDENTIALS, Machine, TOKEN, claims as claims_of},
};

const TYPE: (&str, &str) = ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");

fn key(algorithm: SigningAlgorithm) -> SigningKey {
    SigningKey::from_pkcs8(algorithm, &SigningKey::generate(algorithm).unwrap()).unwrap()
}

fn jwk(key: &SigningKey, kid: &str) -> Value {
    serde_json::to_value(key.verifying_key().jwk(kid)).unwrap()
}

impl TestApp {
    /// Registers a public key of a client.
    async fn public_key(&self, client: &Machine, key: Value) -> String {
        let mut body = json!({ "name": "laptop" });
        body.as_object_mut().unwrap().extend(key.as_object().unwrap().clone());
        let made = self.root().post(&format!("{}/public-keys", client.path()), body).await;
        text(&made.expect(StatusCode::CREATED)["id"])
    }

    /// Sound claims of an assertion, with these in their place; those that are null are left out.
    fn assertion_claims(&self, client: &Machine, changed: Value) -> Value {
        let now = self.app.now();
        let mut claims = json!({
            "iss": client.id, "sub": client.id, "aud": PUBLIC_URL, "exp": now.as_second() + 60, "iat": now.as_second(),
            "jti": format!("{}-{}", now.as_nanosecond(), NEXT.fetch_add(1, Ordering::Relaxed)),
        });
        for (name, value) in changed.as_object().unwrap() {
            if value.is_null() {
                claims.as_object_mut().unwrap().remove(name);
            } else {
                claims[name] = value.clone();
            }
        }
        claims
    }

    async fn assert(&self, assertion: &str, more: &[(&str, &str)]) -> Reply {
        self.form(TOKEN, &[&[CLIENT_CREDENTIALS, TYPE, ("client_assertion", assertion)], more].concat()).await
    }
}

static NEXT: AtomicUsize = AtomicUsize::new(0);

on_both_databases! {
    async fn j01_the_issuer_is_the_audience_and_nothing_else(app: &TestApp) {
        let client = app.machine().await;
        let key = key(SigningAlgorithm::Es256);
        let id = app.public_key(&client, json!({ "jwk": jwk(&key, "mine") })).await;
        let status = async |audience: Value| {
            let claims = app.assertion_claims(&client, json!({ "aud": audience }));
            app.assert(&key.sign("JWT", "mine", &claims).unwrap(), &[]).await
        };
        let token = text(&status(json!(PUBLIC_URL)).await.expect(StatusCode::OK)["access_token"]);
        assert_eq!((&claims_of(&token)["sub"], &claims_of(&token)["cred"]), (&json!(client.id), &json!(id)));
        assert_eq!(app.code(&token).await, "valid");
        status(json!([PUBLIC_URL])).await.expect(StatusCode::OK);
        let endpoint = format!("{PUBLIC_URL}{TOKEN}");
        for other in [
            json!(endpoint), json!(format!("{PUBLIC_URL}/")), json!("https://CLAVIGER.test"), json!("https://claviger.test:443"),
            json!([PUBLIC_URL, "https://other.test"]), json!([]),
        ] {
            let refused = status(other).await.refusal(StatusCode::UNAUTHORIZED, "invalid_client");
            assert!(text(&refused["error_description"]).contains(PUBLIC_URL), "it says which is wanted: {refused}");
        }
        // A client that cannot do better is let, and the trail tells.
        app.root().patch(&client.path(), json!({ "legacy_assertion_audience": true })).await.expect(StatusCode::OK);
        status(json!(endpoint)).await.expect(StatusCode::OK);
        status(json!(PUBLIC_URL)).await.expect(StatusCode::OK);
        status(json!([PUBLIC_URL, endpoint])).await.refusal(StatusCode::UNAUTHORIZED, "invalid_client");
        assert_eq!(app.audit_trail(&client.id).await.last().unwrap(), "service_account.updated");
    }

    async fn j02_who_it_is_stands_in_it(app: &TestApp) {
        let client = app.machine().await;
        let key = key(SigningAlgorithm::EdDsa);
        app.public_key(&client, json!({ "jwk": jwk(&key, "mine") })).await;
        let sent = async |changed: Value, more: &[(&str, &str)]| {
            let claims = app.assertion_claims(&client, changed);
            app.assert(&key.sign("JWT", "mine", &claims).unwrap(), more).await
        };
        sent(json!({}), &[]).await.expect(StatusCode::OK);
        sent(json!({}), &[("client_id", &client.id)]).await.expect(StatusCode::OK);
        sent(json!({}), &[("client_id", "sa_other")]).await.refusal(StatusCode::UNAUTHORIZED, "invalid_client");
        for name in ["iss", "sub", "aud", "exp", "jti"] {
            sent(json!({ name: null }), &[]).await.refusal(StatusCode::UNAUTHORIZED, "invalid_client");
        }
        let other = app.machine_with("other", &["invoices:read"]).await;
        sent(json!({ "iss": other.id }), &[]).await.refusal(StatusCode::UNAUTHORIZED, "invalid_client");
        sent(json!({ "iss": other.id, "sub": other.id }), &[]).await.refusal(StatusCode::UNAUTHORIZED, "invalid_client");
        sent(json!({ "jti": "x".repeat(257) }), &[]).await.refusal(StatusCode::UNAUTHORIZED, "invalid_client");
    }

    async fn j03_an_assertion_counts_once_whoever_is_asked(app: &TestApp) {
        let mut other = app.another_node().await;
        let client = app.machine().await;
        let key = key(SigningAlgorithm::Es256);
        app.public_key(&client, json!({ "jwk": jwk(&key, "mine") })).await;
        let claims = app.assertion_claims(&client, json!({}));
        let assertion = key.sign("JWT", "mine", &claims).unwrap();
        let copies = 20;
        let sent: Vec<_> = (0..copies).map(|copy| {
            let node = if copy % 2 == 0 { app } else { &other };
            let form = [CLIENT_CREDENTIALS, TYPE, ("client_assertion", assertion.as_str())];
            tokio::spawn(node.request(reqwest::Method::POST, node.public, TOKEN).form(&form).send())
        }).collect();
        let mut done = 0;
        for reply in sent {
            done += usize::from(reply.await.unwrap().unwrap().status() == StatusCode::OK);
        }
        assert_eq!(done, 1);
        // Another client's may have the same id.
        let second = app.machine_with("second", &["invoices:read"]).await;
        app.public_key(&second, json!({ "jwk": jwk(&key, "mine") })).await;
        let claims = app.assertion_claims(&second, json!({ "jti": claims["jti"] }));
        app.assert(&key.sign("JWT", "mine", &claims).unwrap(), &[]).await.expect(StatusCode::OK);
        other.finish().await;
    }

    async fn j04_an_assertion_has_its_time(app: &TestApp) {
        let client = app.machine().await;
        let key = key(SigningAlgorithm::Es256);
        app.public_key(&client, json!({ "jwk": jwk(&key, "mine") })).await;
        let now = app.app.now().as_second();
        let check = async |changed: Value, expected: u16| {
            let claims = app.assertion_claims(&client, changed.clone());
            let reply = app.assert(&key.sign("JWT", "mine", &claims).unwrap(), &[]).await;
            assert_eq!(reply.status.as_u16(), expected, "{changed}");
        };
        check(json!({ "exp": now - 120 }), 401).await;
        check(json!({ "exp": now + 3600 }), 200).await;
        check(json!({ "exp": now + 86_400 }), 401).await;
        check(json!({ "iat": now + 10, "nbf": now + 10 }), 200).await;
        check(json!({ "iat": now + 120 }), 401).await;
        check(json!({ "nbf": now + 120 }), 401).await;
        check(json!({ "exp": f64::from(i32::try_from(now).unwrap()) + 30.5 }), 200).await;
        for odd in [json!(-1), json!(1e300), json!("2030-01-01"), json!([now + 60])] {
            check(json!({ "exp": odd }), 401).await;
        }
    }

    async fn j05_j06_only_the_registered_key_proves_anything(app: &TestApp) {
        let client = app.machine().await;
        let (mine, theirs) = (key(SigningAlgorithm::Es256), key(SigningAlgorithm::Es256));
        let id = app.public_key(&client, json!({ "jwk": jwk(&mine, "mine") })).await;
        let sign = |key: &SigningKey, typ: &str, kid: &str| key.sign(typ, kid, &app.assertion_claims(&client, json!({}))).unwrap();
        for typ in ["JWT", "client-authentication+jwt"] {
            app.assert(&sign(&mine, typ, "mine"), &[]).await.expect(StatusCode::OK);
        }
        let refused = async |assertion: String| {
            app.assert(&assertion, &[]).await.refusal(StatusCode::UNAUTHORIZED, "invalid_client");
        };
        refused(sign(&theirs, "JWT", "mine")).await;
        refused(sign(&key(SigningAlgorithm::EdDsa), "JWT", "mine")).await;
        refused(sign(&mine, "JWT", "../../etc/passwd' OR 1=1\r\n")).await;
        for typ in ["at+jwt", "dpop+jwt", "secevent+jwt"] {
            refused(sign(&mine, typ, "mine")).await;
        }
        refused(format!("{}x", sign(&mine, "JWT", "mine"))).await;
        refused("nonsense".to_owned()).await;
        refused(app.access_token(&client, &[]).await).await;
        // Disabled, and then gone.
        let path = format!("{}/public-keys/{id}", client.path());
        app.root().patch(&path, json!({ "disabled": true })).await.expect(StatusCode::OK);
        refused(sign(&mine, "JWT", "mine")).await;
        app.root().patch(&path, json!({ "disabled": false })).await.expect(StatusCode::OK);
        let token = text(&app.assert(&sign(&mine, "JWT", "mine"), &[]).await.expect(StatusCode::OK)["access_token"]);
        app.root().post(&format!("{path}/revoke"), json!({})).await.expect(StatusCode::OK);
        refused(sign(&mine, "JWT", "mine")).await;
        assert_eq!(app.code(&token).await, "revoked");
    }

    async fn t12_a_client_of_signatures_uses_no_secret_and_the_other_way_round(app: &TestApp) {
        let client = app.machine().await;
        let key = key(SigningAlgorithm::Es256);
        app.public_key(&client, json!({ "jwk": jwk(&key, "mine") })).await;
        let signed = async || {
            let claims = app.assertion_claims(&client, json!({}));
            app.assert(&key.sign("JWT", "mine", &claims).unwrap(), &[]).await.status.as_u16()
        };
        let secret = async || app.ask(&client, &[]).await.status.as_u16();
        for (method, expected) in [(json!("private_key_jwt"), (200, 401)), (json!("client_secret_basic"), (401, 200)), (json!(null), (200, 200))] {
            app.root().patch(&client.path(), json!({ "token_endpoint_auth_method": method })).await.expect(StatusCode::OK);
            assert_eq!((signed().await, secret().await), expected, "{method}");
        }
    }

    async fn j10_a_new_published_key_works_at_its_first_use(app: &TestApp) {
        let mut node = app.another_node_with(|config| {
            config.outbound_networks = Some(claviger_token::NetworkSet::parse(["127.0.0.0/8"]).unwrap());
        }).await;
        let (first, second) = (key(SigningAlgorithm::Es256), key(SigningAlgorithm::Es256));
        let published = Arc::new(std::sync::Mutex::new(json!({ "keys": [jwk(&first, "one")] })));
        let fetches = Arc::new(AtomicUsize::new(0));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}/jwks.json", listener.local_addr().unwrap());
        let server = tokio::spawn({
            let (published, fetches) = (Arc::clone(&published), Arc::clone(&fetches));
            async move {
                while let Ok((mut stream, _)) = listener.accept().await {
                    let _ = stream.read(&mut [0; 4096]).await;
                    fetches.fetch_add(1, Ordering::Relaxed);
                    let body = published.lock().unwrap().to_string();
                    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
                    let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
                }
            }
        });
        let client = app.machine().await;
        app.public_key(&client, json!({ "jwks_uri": uri })).await;
        let status = async |key: &SigningKey, kid: &str| {
            let claims = node.assertion_claims(&client, json!({}));
            node.assert(&key.sign("JWT", kid, &claims).unwrap(), &[]).await.status.as_u16()
        };
        assert_eq!(status(&first, "one").await, 200);
        assert_eq!(status(&first, "one").await, 200);
        assert_eq!(fetches.load(Ordering::Relaxed), 1);
        *published.lock().unwrap() = json!({ "keys": [jwk(&first, "one"), jwk(&second, "two")] });
        assert_eq!(status(&second, "two").await, 200, "at its first use");
        assert_eq!(fetches.load(Ordering::Relaxed), 2);
        for kid in 0..30 {
            assert_ne!(status(&second, &format!("made-up-{kid}")).await, 200);
        }
        assert_eq!(fetches.load(Ordering::Relaxed), 2, "not again within the cool-down");
        // Nobody is asked on a network of ours unless that is set.
        let claims = app.assertion_claims(&client, json!({}));
        app.assert(&first.sign("JWT", "one", &claims).unwrap(), &[]).await.refusal(StatusCode::UNAUTHORIZED, "invalid_client");
        assert_eq!(fetches.load(Ordering::Relaxed), 2);
        server.abort();
        node.finish().await;
    }
}
