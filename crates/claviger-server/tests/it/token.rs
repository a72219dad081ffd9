//! `/v1/token`: a key about itself.

use jiff::SignedDuration;
use reqwest::StatusCode;
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
        assert_eq!(app.verify(&fourth.token, json!({})).await["cache"]["epoch"], 2);
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
        assert_eq!(nobody.header("www-authenticate"), Some("Bearer realm=\"claviger\""));
        nobody.problem(StatusCode::UNAUTHORIZED, "unauthenticated");
        let mut bodies = Vec::new();
        // A typo, and a token with a sound checksum that nobody ever issued.
        for token in ["clv_key_typo", "clv_key_000000000000000000000000000000001H8smx"] {
            let refused = app.client(token).get("/v1/token").await;
            assert_eq!(refused.header("www-authenticate"), Some("Bearer realm=\"claviger\", error=\"invalid_token\""));
            bodies.push(refused.problem(StatusCode::UNAUTHORIZED, "invalid_token"));
        }
        assert_eq!(bodies[0], bodies[1]);
    }
}
