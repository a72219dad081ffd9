//! Whoever has the database gets a working administrator's key, whatever the administrators did to themselves.

use claviger_token::{OrganizationId, ServiceAccountId};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::app::TestApp;

struct Administrator {
    organization: OrganizationId,
    account: ServiceAccountId,
    key: String,
}

impl Administrator {
    /// Another key, proved by what only an administrator may do.
    async fn another(app: &TestApp) -> Self {
        let made = app.app.bootstrap(true).await.unwrap();
        let key = made.api_key.expose().to_owned();
        let slug = made.api_key_id.to_string().replace('_', "-");
        let body = json!({ "name": "Proof", "slug": slug });
        app.client(&key).post("/v1/organizations", body).await.expect(StatusCode::CREATED);
        Self { organization: made.organization_id, account: made.service_account_id, key }
    }

    /// What the latest event of the bootstrap says that it changed.
    async fn changed(&self, app: &TestApp) -> Value {
        let events = app.client(&self.key).get("/v1/audit-events?action=instance.bootstrapped&limit=1").await;
        events.expect(StatusCode::OK)["items"][0]["details"]["changed"].clone()
    }
}

on_both_databases! {
    async fn another_key_works_after_every_lock_out(app: &TestApp) {
        let mut now = Administrator::another(app).await;
        assert_eq!(now.changed(app).await, json!([]));
        let everything = json!({
            "allowed_networks": ["192.0.2.0/24"], "allowed_kinds": ["client_secret"], "wildcard_allowed": false,
            "expiry_required": true, "api_key_max_lifetime_days": 7,
        });
        let policy = json!(["allowed_networks", "wildcard_allowed", "allowed_kinds"]);
        let used_up = json!({ "quota": { "limit": 1, "period": "month" } });
        let cases = [
            ("organization", Method::PATCH, json!({ "disabled": true }), json!(["disabled"])),
            ("organization", Method::PATCH, json!({ "ceiling": ["claviger:verify"] }), json!(["ceiling"])),
            ("policy", Method::PATCH, everything, policy),
            ("account", Method::PATCH, used_up.clone(), json!(["account_limits"])),
            ("organization", Method::PATCH, used_up, json!(["limits"])),
            ("account", Method::PATCH, json!({ "name": "renamed" }), json!([])),
            ("account", Method::PATCH, json!({ "disabled": true }), json!(["administrator"])),
            ("account", Method::DELETE, Value::Null, json!(["administrator"])),
            ("organization", Method::DELETE, Value::Null, json!(["organization", "administrator"])),
        ];
        for (what, method, body, changed) in cases {
            let path = match what {
                "organization" => format!("/v1/organizations/{}", now.organization),
                "policy" => format!("/v1/organizations/{}/policy", now.organization),
                _ => format!("/v1/service-accounts/{}", now.account),
            };
            let body = Some(body).filter(|body| !body.is_null());
            let told = format!("{method} {what} {body:?}");
            let reply = app.client(&now.key).send(method, &path, body, &[]).await;
            assert!(reply.status.is_success(), "{told}: {}", reply.body);
            now = Administrator::another(app).await;
            assert_eq!(now.changed(app).await, changed, "{told}");
        }
    }

    async fn without_asking_for_another_key_there_is_only_one(app: &TestApp) {
        assert!(app.app.bootstrap(false).await.is_err());
    }
}
