//! The audit trail, as it is searched.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::app::{Key, TestApp, text};

on_both_databases! {
    async fn the_trail_is_found_by_credential_and_by_the_hash_of_a_found_token(app: &TestApp) {
        let (_, account) = app.account("acme", &["claviger:api_keys:write"]).await;
        let maker = app.key(&account, &["claviger:api_keys:write"], json!({})).await;
        let body = json!({ "service_account_id": account, "name": "made", "permissions": [] });
        let made = Key::from(app.client(&maker.token).post("/v1/api-keys", body).await.expect(StatusCode::CREATED));
        let actions = async |query: &str| {
            let found = app.root().get(&format!("/v1/audit-events?{query}")).await.expect(StatusCode::OK);
            let told = |event: &Value| (text(&event["action"]), text(&event["target"]));
            found["items"].as_array().unwrap().iter().map(told).collect::<Vec<_>>()
        };
        let created = |id: &str| ("api_key.created".to_owned(), id.to_owned());
        assert_eq!(actions(&format!("credential={}", maker.id)).await, [created(&made.id), created(&maker.id)]);
        let hash = sha256_hex(&made.token);
        assert_eq!(actions(&format!("token_sha256={hash}")).await, [created(&made.id)]);
        assert_eq!(actions(&format!("token_sha256={hash}&credential={}", maker.id)).await, []);
        assert_eq!(actions(&format!("token_sha256={}", "0".repeat(64))).await, []);
        let refused = app.root().get("/v1/audit-events?token_sha256=x").await;
        refused.problem(StatusCode::BAD_REQUEST, "invalid_query");
    }
}

fn sha256_hex(token: &str) -> String {
    claviger_token::Secret::new(token.to_owned()).hash().as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}
