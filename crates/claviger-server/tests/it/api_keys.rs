//! `/v1/api-keys`: the life of a key.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::app::{Key, TestApp, join_all, text};

on_both_databases! {
    async fn a_key_is_shown_with_everything_but_its_token(app: &TestApp) {
        app.declare_invoices().await;
        let (organization, account) = app.account("acme", &["invoices:read"]).await;
        let more = json!({
            "environment": "test", "objects": ["base:app7"], "allowed_networks": ["10.0.0.0/8"],
            "not_before": "2020-01-01T00:00:00Z", "expires_at": "2099-01-01T00:00:00.123456Z", "metadata": { "a": 1 },
        });
        let key = app.key(&account, &["invoices:read"], more).await;
        assert!(key.token.starts_with("clv_testkey_") && key.token.len() == "clv_testkey_".len() + 38);
        let shown = app.root().get(&format!("/v1/api-keys/{}", key.id)).await.expect(StatusCode::OK);
        let mut made = key.body.clone();
        made.as_object_mut().unwrap().remove("token");
        assert_eq!(shown, made);
        assert_eq!(shown["organization_id"], json!(organization));
        assert_eq!(shown["status"], "active");
        assert_eq!(shown["expires_at"], "2099-01-01T00:00:00.123Z");
        assert_eq!(shown["generations"][0]["state"], "current");
        assert_eq!(shown["generations"][0]["hint"], json!(key.token["clv_testkey_".len()..][..4]));
    }

    async fn rolling_with_an_overlap_lets_both_secrets_work(app: &TestApp) {
        let key = app.reader().await;
        let path = format!("/v1/api-keys/{}", key.id);
        let rolled = app.root().post(&format!("{path}/roll"), json!({ "overlap_seconds": 60 })).await;
        assert_eq!(rolled.header("cache-control"), Some("no-store"));
        let rolled = Key::from(rolled.expect(StatusCode::OK));
        assert_eq!((app.code(&key.token).await, app.code(&rolled.token).await), ("valid".into(), "valid".into()));
        let shown = app.root().get(&path).await.expect(StatusCode::OK);
        let states: Vec<_> = shown["generations"].as_array().unwrap().iter().map(|g| text(&g["state"])).collect();
        assert_eq!(states, ["current", "retiring"]);
        app.root().post(&format!("{path}/roll"), json!({ "overlap_seconds": 2_592_001 })).await
            .wrong("/overlap_seconds", "out_of_range");
    }

    async fn the_audit_trail_tells_the_life_of_a_key(app: &TestApp) {
        let key = app.reader().await;
        let (path, root) = (format!("/v1/api-keys/{}", key.id), app.root());
        root.patch(&path, json!({ "name": "renamed" })).await.expect(StatusCode::OK);
        root.patch(&path, json!({ "disabled": true })).await.expect(StatusCode::OK);
        root.patch(&path, json!({ "disabled": false })).await.expect(StatusCode::OK);
        root.post(&format!("{path}/roll"), json!({})).await.expect(StatusCode::OK);
        let revoked = root.post(&format!("{path}/revoke"), json!({ "reason": "compromised" })).await;
        assert_eq!(revoked.expect(StatusCode::OK)["revoke_reason"], "compromised");
        root.post(&format!("{path}/revoke"), json!({})).await.problem(StatusCode::CONFLICT, "revoked");
        root.post(&format!("{path}/roll"), json!({})).await.problem(StatusCode::CONFLICT, "revoked");
        root.delete(&path).await.expect(StatusCode::NO_CONTENT);
        root.get(&path).await.problem(StatusCode::NOT_FOUND, "not_found");
        assert_eq!(app.audit_trail(&key.id).await, [
            "api_key.created", "api_key.updated", "api_key.disabled", "api_key.enabled", "api_key.rolled",
            "api_key.revoked", "api_key.deleted",
        ]);
        let events = root.get(&format!("/v1/audit-events?target={}&action=api_key.updated", key.id)).await;
        let event = events.expect(StatusCode::OK)["items"][0].clone();
        assert_eq!(event["actor"]["type"], "service_account");
        assert_eq!(event["address"], "127.0.0.1");
        assert_eq!(event["details"]["before"]["name"], "ci");
        assert_eq!(event["details"]["after"]["name"], "renamed");
        assert!(event["request_id"].is_string());
        assert!(app.app.store.verify_audit().await.unwrap().findings.is_empty());
    }

    async fn narrowing_raises_the_epoch_and_widening_does_not(app: &TestApp) {
        let key = app.reader().await;
        let path = format!("/v1/api-keys/{}", key.id);
        let epoch = async || app.verify(&key.token, json!({})).await["cache"]["epoch"].clone();
        let change = async |body: Value| app.root().patch(&path, body).await.expect(StatusCode::OK);
        assert_eq!(epoch().await, 1);
        change(json!({ "permissions": ["invoices:read", "invoices:write"] })).await;
        assert_eq!(epoch().await, 1);
        change(json!({ "permissions": ["invoices:read"] })).await;
        assert_eq!(epoch().await, 2);
        change(json!({ "expires_at": "2099-01-01T00:00:00Z" })).await;
        assert_eq!(epoch().await, 3);
        change(json!({ "expires_at": null })).await;
        assert_eq!(epoch().await, 3);
        change(json!({ "name": "other", "metadata": {} })).await;
        assert_eq!(epoch().await, 3);
    }

    async fn a_repeated_post_makes_one_key_and_does_not_show_it_again(app: &TestApp) {
        app.declare_invoices().await;
        let (_, account) = app.account("acme", &["invoices:read"]).await;
        let body = json!({ "service_account_id": account, "name": "once", "permissions": ["invoices:read"] });
        let root = app.root();
        let post = async |key: &str, body: &Value| {
            root.send(Method::POST, "/v1/api-keys", Some(body.clone()), &[("idempotency-key", key)]).await
        };
        let first = post("a", &body).await;
        let location = first.header("location").unwrap().to_owned();
        let first = first.expect(StatusCode::CREATED);
        assert_eq!(location, format!("/v1/api-keys/{}", text(&first["id"])));
        let again = post("a", &body).await;
        assert_eq!(again.header("location"), Some(location.as_str()));
        let again = again.expect(StatusCode::CREATED);
        let mut concealed = first.clone();
        concealed["token"] = Value::Null;
        assert_eq!(again, concealed);

        let mut other = body.clone();
        other["name"] = json!("twice");
        post("a", &other).await.wrong("", "idempotency_key_reused");
        post("b", &other).await.expect(StatusCode::CREATED);
        post(&"x".repeat(256), &body).await.problem(StatusCode::BAD_REQUEST, "invalid_idempotency_key");
        let list = root.get(&format!("/v1/api-keys?service_account_id={account}")).await.expect(StatusCode::OK);
        assert_eq!(list["items"].as_array().unwrap().len(), 2);
    }

    async fn racing_repetitions_make_one_key(app: &TestApp) {
        app.declare_invoices().await;
        let (_, account) = app.account("acme", &["invoices:read"]).await;
        let body = json!({ "service_account_id": account, "name": "once", "permissions": ["invoices:read"] });
        let root = app.root();
        let mut replies = Vec::new();
        for _ in 0..8 {
            replies.push(root.send(Method::POST, "/v1/api-keys", Some(body.clone()), &[("idempotency-key", "race")]));
        }
        let mut shown = 0;
        for reply in join_all(replies).await {
            if reply.status == StatusCode::CONFLICT {
                continue; // the winner had not answered yet; the caller tries again
            }
            shown += usize::from(reply.expect(StatusCode::CREATED)["token"].is_string());
        }
        assert_eq!(shown, 1);
        let list = root.get(&format!("/v1/api-keys?service_account_id={account}")).await.expect(StatusCode::OK);
        assert_eq!(list["items"].as_array().unwrap().len(), 1);
    }
}
