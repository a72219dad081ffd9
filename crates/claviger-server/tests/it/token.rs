//! `/v1/token`: a key about itself.

use jiff::SignedDuration;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::app::{Key, TestApp};

on_both_databases! {
    async fn a_key_shows_itself_without_any_permission(app: &TestApp) {
        let key = app.reader().await;
        let shown = app.client(&key.token).get("/v1/token").await;
        assert_eq!(shown.header("cache-control"), Some("no-store"));
        let shown = shown.expect(StatusCode::OK);
        assert_eq!(shown["credential"]["id"], json!(key.id));
        assert_eq!(shown["credential"]["generation"], "current");
        assert_eq!(shown["organization"]["slug"], "acme");
        assert_eq!(shown["permissions"], json!(["invoices:read"]));
    }

    async fn a_key_rolls_itself_and_only_its_current_secret_can(app: &TestApp) {
        let first = app.reader().await;
        let roll = async |token: &str, overlap: u32| {
            app.client(token).post("/v1/token/roll", json!({ "overlap_seconds": overlap })).await
        };
        let second = Key::from(roll(&first.token, 3600).await.expect(StatusCode::OK));
        assert_eq!(second.id, first.id);
        assert_eq!(app.verify(&first.token, json!({})).await["credential"]["generation"], "retiring");
        assert_eq!(app.verify(&second.token, json!({})).await["credential"]["generation"], "current");
        roll(&first.token, 3600).await.problem(StatusCode::CONFLICT, "not_current");

        let third = Key::from(roll(&second.token, 3600).await.expect(StatusCode::OK));
        assert_eq!(app.code(&first.token).await, "revoked", "rolling during an overlap ends the older secret");
        assert_eq!(app.code(&second.token).await, "valid");
        app.clock.advance(SignedDuration::from_secs(3600));
        assert_eq!(app.code(&second.token).await, "revoked", "at the instant at which the overlap ends");
        assert_eq!(app.code(&third.token).await, "valid");

        let fourth = Key::from(roll(&third.token, 0).await.expect(StatusCode::OK));
        assert_eq!(app.code(&third.token).await, "revoked");
        // Twice a secret ended before its time.
        assert_eq!(app.verify(&fourth.token, json!({})).await["cache"]["epoch"], 3);
    }

    async fn a_limited_key_is_rolled_and_ended_only_from_its_networks(app: &TestApp) {
        app.declare_invoices().await;
        let (_, account) = app.account("acme", &["invoices:read"]).await;
        let limits = json!({ "allowed_networks": ["10.0.0.0/8"], "objects": ["base:app7"] });
        let away = app.key(&account, &["invoices:read"], limits).await;
        let client = app.client(&away.token);
        client.get("/v1/token").await.expect(StatusCode::OK);
        client.post("/v1/token/roll", json!({})).await.problem(StatusCode::FORBIDDEN, "network_not_allowed");
        client.delete("/v1/token").await.problem(StatusCode::FORBIDDEN, "network_not_allowed");
        let limits = json!({ "allowed_networks": ["127.0.0.0/8"], "objects": ["base:app7"] });
        let here = app.key(&account, &["invoices:read"], limits).await;
        let rolled = app.client(&here.token).post("/v1/token/roll", json!({})).await.expect(StatusCode::OK);
        assert_eq!(rolled["objects"], json!(["base:app7"]));
        app.client(rolled["token"].as_str().unwrap()).delete("/v1/token").await.expect(StatusCode::NO_CONTENT);
    }

    async fn a_roll_by_itself_can_be_repeated(app: &TestApp) {
        let key = app.reader().await;
        let (client, body) = (app.client(&key.token), json!({ "overlap_seconds": 60 }));
        let headers = [("idempotency-key", "once")];
        let first = client.send(Method::POST, "/v1/token/roll", Some(body.clone()), &headers).await;
        assert!(first.expect(StatusCode::OK)["token"].is_string());
        let again = client.send(Method::POST, "/v1/token/roll", Some(body), &headers).await;
        assert!(again.expect(StatusCode::OK)["token"].is_null());
    }

    async fn a_key_ends_itself(app: &TestApp) {
        let key = app.reader().await;
        app.client(&key.token).delete("/v1/token").await.expect(StatusCode::NO_CONTENT);
        assert_eq!(app.code(&key.token).await, "revoked");
        app.client(&key.token).get("/v1/token").await.problem(StatusCode::UNAUTHORIZED, "invalid_token");
        assert_eq!(app.audit_trail(&key.id).await, ["api_key.created", "api_key.revoked"]);
    }

    async fn nobody_and_garbage_are_told_apart_from_a_typo_only_by_the_verify_call(app: &TestApp) {
        let nobody = app.anonymous().get("/v1/token").await;
        let named = "resource_metadata=\"https://claviger.test/.well-known/oauth-protected-resource\"";
        let expected = format!("Bearer realm=\"claviger\", {named}");
        assert_eq!(nobody.header("www-authenticate"), Some(expected.as_str()));
        nobody.problem(StatusCode::UNAUTHORIZED, "unauthenticated");
        let mut bodies = Vec::new();
        // A typo, and a token with a sound checksum that nobody ever issued.
        for token in ["clv_key_typo", "clv_key_000000000000000000000000000000001H8smx"] {
            let refused = app.client(token).get("/v1/token").await;
            let expected = format!("Bearer realm=\"claviger\", error=\"invalid_token\", {named}");
            assert_eq!(refused.header("www-authenticate"), Some(expected.as_str()));
            bodies.push(refused.problem(StatusCode::UNAUTHORIZED, "invalid_token"));
        }
        assert_eq!(bodies[0], bodies[1]);
    }
}
