//! What verifying leaves behind: last use, counts, and the event of a retired secret.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::json;

use crate::app::{Key, TestApp, text, within};

const SOON: Duration = Duration::from_secs(2);

on_both_databases! {
    async fn last_use_is_visible_within_two_seconds_for_each_generation(app: &TestApp) {
        let old = app.reader().await;
        let path = format!("/v1/api-keys/{}", old.id);
        let new = app.root().post(&format!("{path}/roll"), json!({ "overlap_seconds": 60 })).await;
        let new = Key::from(new.expect(StatusCode::OK));
        app.verify(&old.token, json!({ "client_ip": "192.0.2.1" })).await;
        app.verify(&new.token, json!({ "client_ip": "::ffff:192.0.2.2" })).await;
        within(SOON, "both generations show their last use", async || {
            let shown = app.root().get(&path).await.expect(StatusCode::OK);
            let from = |index: usize| shown["generations"][index]["last_used_from"].clone();
            from(0) == "192.0.2.2" && from(1) == "192.0.2.1" && shown["last_used_at"].is_string()
        }).await;
    }

    async fn verifications_are_rolled_up_by_hour_and_permission(app: &TestApp) {
        let key = app.reader().await;
        for _ in 0..5 {
            app.verify(&key.token, json!({ "permissions": ["invoices:read"] })).await;
        }
        // Neither what it is not permitted nor what nobody declares is counted: its bearer could make up names without end.
        app.verify(&key.token, json!({ "permissions": ["invoices:write", "junk:1"] })).await;
        let id = key.id.parse().unwrap();
        within(SOON, "the counts are there", async || {
            let uses: Vec<(String, i64)> =
                app.app.store.uses(id).await.unwrap().into_iter().map(|(_, code, uses)| (code, uses)).collect();
            let asked: Vec<(String, i64)> =
                app.app.store.permission_uses(id).await.unwrap().into_iter().map(|(_, name, uses)| (name, uses)).collect();
            uses == [("permission_missing".into(), 1), ("valid".into(), 5)]
                && asked == [("invoices:read".into(), 5)]
        }).await;
    }

    async fn using_a_retired_secret_is_an_event_once(app: &TestApp) {
        let old = app.reader().await;
        app.root().post(&format!("/v1/api-keys/{}/roll", old.id), json!({})).await.expect(StatusCode::OK);
        for _ in 0..3 {
            assert_eq!(app.code(&old.token).await, "revoked");
        }
        let trail = async || app.audit_trail(&old.id).await;
        let told = "api_key.retired_secret_used".to_owned();
        within(Duration::from_secs(3), "the event is there", async || trail().await.contains(&told)).await;
        app.code(&old.token).await;
        tokio::time::sleep(Duration::from_millis(1200)).await;
        assert_eq!(trail().await.iter().filter(|action| **action == told).count(), 1);
        let events = app.root().get(&format!("/v1/audit-events?action={told}")).await.expect(StatusCode::OK);
        assert_eq!(text(&events["items"][0]["actor"]["type"]), "system");
        assert_eq!(events["items"][0]["details"]["generation"], 1);
    }
}
