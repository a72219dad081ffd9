//! The keys that sign tokens: published before they sign and until their last token has ended, on every node.

use claviger_core::{Action, By, Chain, Event, Reach, Sealed, SigningKeyRecord, Touched};
use claviger_token::{Jws, SigningAlgorithm, Typ, VerifyingKey};
use jiff::SignedDuration;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::app::{Reply, SOON, TestApp, text, within};

const KEY_SET: &str = "/.well-known/jwks.json";
const ES256: SigningAlgorithm = SigningAlgorithm::Es256;

/// The published keys.
async fn key_set(app: &TestApp) -> Vec<Value> {
    let set = app.anonymous().get(KEY_SET).await.expect(StatusCode::OK);
    set["keys"].as_array().unwrap().clone()
}

fn kids(keys: &[Value], alg: &str) -> Vec<String> {
    keys.iter().filter(|key| key["alg"] == alg).map(|key| text(&key["kid"])).collect()
}

/// A token as the token endpoint will make one.
async fn signed(app: &TestApp, algorithm: SigningAlgorithm) -> String {
    let keys = app.app.signing_keys().await.unwrap();
    keys.signer(algorithm, app.app.now()).unwrap().sign("at+jwt", &json!({ "sub": "sa_1" })).unwrap()
}

/// Who signed it, if a published key proves it: what any verifier does.
async fn proved(app: &TestApp, token: &str) -> Option<String> {
    let jws = Jws::parse(token, Typ::ACCESS_TOKEN).unwrap();
    let keys = key_set(app).await;
    let key = keys.iter().find(|key| key["kid"] == jws.kid().unwrap())?;
    let verifying = VerifyingKey::from_jwk(key.to_string().as_bytes()).unwrap();
    assert_eq!(jws.proved::<Value>(&verifying), Ok(json!({ "sub": "sa_1" })));
    let known = app.app.signing_keys().await.unwrap();
    // It may be gone since it was published a moment ago.
    known.verifying_key(jws.kid().unwrap(), app.app.now())?;
    jws.kid().map(str::to_owned)
}

async fn rotate(app: &TestApp, body: Value) -> Reply {
    app.root().post("/v1/signing-keys/rotate", body).await
}

on_both_databases! {
    async fn from_the_start_there_are_keys_that_prove_what_they_sign(app: &TestApp) {
        let keys = key_set(app).await;
        assert_eq!((keys.len(), kids(&keys, "ES256").len(), kids(&keys, "EdDSA").len()), (2, 1, 1));
        for key in &keys {
            let mut members: Vec<&str> = key.as_object().unwrap().keys().map(String::as_str).collect();
            members.sort_unstable();
            let expected = if key["alg"] == "ES256" {
                ["alg", "crv", "kid", "kty", "use", "x", "y"].as_slice()
            } else {
                &["alg", "crv", "kid", "kty", "use", "x"]
            };
            assert_eq!((members.as_slice(), &key["use"]), (expected, &json!("sig")));
        }
        for algorithm in [ES256, SigningAlgorithm::EdDsa] {
            let token = signed(app, algorithm).await;
            assert_eq!(proved(app, &token).await, kids(&keys, algorithm.as_str()).pop());
        }
        assert!(app.app.signing_keys().await.unwrap().signer(SigningAlgorithm::Rs256, app.app.now()).is_none());
    }

    async fn k04_the_key_set_is_for_everybody_and_need_not_be_fetched_twice(app: &TestApp) {
        let first = app.anonymous().get(KEY_SET).await;
        assert_eq!(first.header("content-type"), Some("application/json"));
        assert_eq!(first.header("cache-control"), Some("public, max-age=300"));
        assert_eq!(first.header("access-control-allow-origin"), Some("*"));
        assert_eq!(first.header("access-control-allow-credentials"), None);
        let tag = first.header("etag").unwrap().to_owned();
        let ask = async |known: &str| {
            app.anonymous().send(Method::GET, KEY_SET, None, &[("if-none-match", known), ("origin", "https://x.test")]).await
        };
        for known in [tag.as_str(), "*", &format!("\"other\", W/{tag}")] {
            let again = ask(known).await;
            assert_eq!((again.status, again.header("etag")), (StatusCode::NOT_MODIFIED, Some(tag.as_str())), "{known}");
        }
        assert_eq!(ask("\"other\"").await.status, StatusCode::OK);
        let asked = [("origin", "https://x.test"), ("access-control-request-method", "GET")];
        let preflight = app.anonymous().send(Method::OPTIONS, KEY_SET, None, &asked).await;
        assert_eq!((preflight.status, preflight.header("access-control-allow-origin")), (StatusCode::OK, Some("*")));
        app.anonymous().send(Method::POST, KEY_SET, Some(json!({})), &[]).await.problem(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed");
        rotate(app, json!({})).await.expect(StatusCode::OK);
        assert_eq!(ask(&tag).await.status, StatusCode::OK, "another set has another tag");
    }

    async fn k05_a_rotation_is_announced_and_the_old_key_stays_until_its_last_token_ends(app: &TestApp) {
        let first = kids(&key_set(app).await, "ES256").pop().unwrap();
        let made = rotate(app, json!({ "algorithm": "ES256", "reason": "superseded" })).await.expect(StatusCode::OK);
        let next = &made["items"][0];
        assert_eq!((made["items"].as_array().unwrap().len(), &next["state"]), (1, &json!("announced")));
        let next = text(&next["id"]);
        assert_eq!(kids(&key_set(app).await, "ES256"), [first.clone(), next.clone()]);
        rotate(app, json!({ "algorithm": "ES256" })).await.problem(StatusCode::CONFLICT, "rotation_in_progress");

        let old = signed(app, ES256).await;
        assert_eq!(proved(app, &old).await.as_ref(), Some(&first));
        app.clock.advance(SignedDuration::from_mins(10));
        let new = signed(app, ES256).await;
        assert_eq!(proved(app, &new).await.as_ref(), Some(&next));
        assert_eq!(proved(app, &old).await.as_ref(), Some(&first));
        let shown = app.root().get(&format!("/v1/signing-keys/{first}")).await.expect(StatusCode::OK);
        assert_eq!((&shown["state"], &shown["next_rotation_at"]), (&json!("retiring"), &Value::Null));

        app.clock.advance(SignedDuration::from_mins(65));
        assert_eq!(proved(app, &old).await, None);
        assert_eq!(kids(&key_set(app).await, "ES256"), std::slice::from_ref(&next));
        app.app.tend_signing_keys().await.unwrap();
        app.app.tend_signing_keys().await.unwrap();
        assert_eq!(app.audit_trail(&first).await, ["signing_key.created", "signing_key.removed"]);
        assert_eq!(app.audit_trail(&next).await, ["signing_key.rotated"]);
        let listed = app.root().get("/v1/signing-keys").await.expect(StatusCode::OK);
        let states: Vec<String> = listed["items"].as_array().unwrap().iter().map(|key| text(&key["state"])).collect();
        assert_eq!((states.len(), states[0].as_str()), (3, "active"));
        assert!(states.contains(&"removed".to_owned()));
    }

    async fn k05_in_an_emergency_every_node_refuses_the_old_key_within_a_second(app: &TestApp) {
        let mut other = app.another_node().await;
        let stolen = signed(app, ES256).await;
        let first = proved(&other, &stolen).await.unwrap();
        let body = json!({ "algorithm": "ES256", "emergency": true, "reason": "compromised" });
        let made = rotate(app, body).await.expect(StatusCode::OK);
        assert_eq!(made["items"][0]["state"], "active");
        assert_eq!(proved(app, &stolen).await, None, "here, at once");
        within(SOON, "gone there", async || proved(&other, &stolen).await.is_none()).await;
        let fresh = signed(&other, ES256).await;
        assert_eq!(proved(app, &fresh).await, Some(text(&made["items"][0]["id"])));
        assert_eq!(app.audit_trail(&first).await, ["signing_key.created", "signing_key.removed"]);
        assert_eq!(kids(&key_set(app).await, "EdDSA").len(), 1);
        other.finish().await;
    }

    async fn two_nodes_rotate_on_schedule_once(app: &TestApp) {
        let mut other = app.another_node().await;
        assert_eq!(key_set(&other).await, key_set(app).await, "of one start, one pair of keys");
        let quiet = SignedDuration::from_hours(90 * 24) - SignedDuration::from_mins(11);
        for node in [app, &other] {
            node.clock.advance(quiet);
            node.app.tend_signing_keys().await.unwrap();
        }
        assert_eq!(key_set(app).await.len(), 2);
        for node in [app, &other] {
            node.clock.advance(SignedDuration::from_mins(1));
        }
        let tasks: Vec<_> = (0..6).map(|task| {
            let node = if task % 2 == 0 { app.app.clone() } else { other.app.clone() };
            tokio::spawn(async move { node.tend_signing_keys().await })
        }).collect();
        for task in tasks {
            task.await.unwrap().unwrap();
        }
        let keys = key_set(app).await;
        assert_eq!((kids(&keys, "ES256").len(), kids(&keys, "EdDSA").len()), (2, 2));
        other.finish().await;
    }

    async fn a03_the_key_for_rs256_is_made_when_an_api_wants_it(app: &TestApp) {
        let api = app.declare_invoices().await;
        let usual = (&json!(600), &json!("ES256"), &json!("jwt"));
        assert_eq!((&api["access_token_ttl_seconds"], &api["signing_algorithm"], &api["access_token_format"]), usual);
        let path = format!("/v1/apis/{}", text(&api["id"]));
        let wrong = app.root().patch(&path, json!({ "access_token_ttl_seconds": 59 })).await;
        wrong.wrong("/access_token_ttl_seconds", "out_of_range");
        app.root().patch(&path, json!({ "signing_algorithm": "none" })).await.wrong("/signing_algorithm", "invalid_value");
        app.root().patch(&path, json!({ "access_token_format": "JWT" })).await.wrong("/access_token_format", "invalid_value");
        let body = json!({ "signing_algorithm": "RS256", "access_token_ttl_seconds": 3600, "access_token_format": "opaque" });
        let changed = app.root().patch(&path, body.clone()).await.expect(StatusCode::OK);
        for (member, value) in body.as_object().unwrap() {
            assert_eq!(&changed[member], value);
        }
        assert_eq!(app.root().get(&path).await.expect(StatusCode::OK), changed);
        let keys = key_set(app).await;
        let rsa = keys.iter().find(|key| key["alg"] == "RS256").unwrap();
        assert_eq!((&rsa["kty"], &rsa["e"], rsa.get("d")), (&json!("RSA"), &json!("AQAB"), None));
        let token = signed(app, SigningAlgorithm::Rs256).await;
        assert_eq!(proved(app, &token).await, Some(text(&rsa["kid"])));
        app.root().patch(&path, json!({ "signing_algorithm": "RS256" })).await.expect(StatusCode::OK);
        assert_eq!(kids(&key_set(app).await, "RS256").len(), 1);
    }

    async fn a_rotation_asked_for_wrongly_changes_nothing(app: &TestApp) {
        let before = key_set(app).await;
        rotate(app, json!({ "algorithm": "HS256" })).await.wrong("/algorithm", "invalid_value");
        rotate(app, json!({ "emergency": "yes" })).await.wrong("/emergency", "invalid_type");
        rotate(app, json!({ "reason": "because" })).await.wrong("/reason", "invalid_value");
        rotate(app, json!({ "now": true })).await.wrong("/now", "unknown_member");
        assert_eq!(key_set(app).await, before);
        // Asked twice with one key, it is done once.
        let again = async || {
            app.root().send(Method::POST, "/v1/signing-keys/rotate", Some(json!({ "emergency": true })), &[("idempotency-key", "a")]).await
        };
        let first = again().await.expect(StatusCode::OK);
        assert_eq!(again().await.expect(StatusCode::OK), first);
        assert_eq!(key_set(app).await.len(), 2);
    }

    async fn a_key_that_does_not_open_takes_nothing_from_the_others(app: &TestApp) {
        let by = By::system();
        let mut tx = app.app.store.begin(&by).await.unwrap();
        let keys = tx.to_change(Reach::Instance).signing_keys().await.unwrap();
        let broken = keys.into_iter().find(|key| key.algorithm == ES256).unwrap();
        let broken = SigningKeyRecord { sealed: Some(Sealed(vec![1; 40])), ..broken };
        tx.save_signing_key(&broken).await.unwrap();
        let event = Event {
            chain: Chain::Instance,
            action: Action::SigningKeyRotated,
            target: broken.id.to_string(),
            details: json!({}),
            personal: None,
            touched: vec![Touched::SigningKeys],
        };
        tx.commit(event, app.app.now(), &mut app.app.rng()).await.unwrap();
        // A node that had it open goes on; one that starts now does not have it.
        let mut other = app.another_node().await;
        assert_eq!(kids(&key_set(&other).await, "EdDSA").len(), 1);
        assert!(kids(&key_set(&other).await, "ES256").is_empty());
        assert!(other.app.signing_keys().await.unwrap().signer(ES256, other.app.now()).is_none());
        let made = rotate(&other, json!({ "algorithm": "ES256", "emergency": true })).await.expect(StatusCode::OK);
        assert_eq!(kids(&key_set(&other).await, "ES256"), [text(&made["items"][0]["id"])]);
        other.finish().await;
    }
}
