//! Two nodes on one database: what one takes away, the other refuses within a second.

use std::time::Duration;

use claviger_core::{BUILTIN_ROLES, By, Reach};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::app::{SOON, TestApp, text, within};

const PROMISE: Duration = Duration::from_secs(1);

on_both_databases! {
    async fn what_is_taken_away_here_is_refused_there_within_a_second(app: &TestApp) {
        let mut other = app.another_node().await;
        app.declare_invoices().await;
        let (organization, account) = app.account("acme", &["invoices:read", "invoices:write"]).await;
        let role = json!({ "name": "writer", "organization_id": organization, "permissions": ["invoices:write"] });
        let role = format!("/v1/roles/{}", text(&app.root().post("/v1/roles", role).await.expect(StatusCode::CREATED)["id"]));
        let path = format!("/v1/service-accounts/{account}");
        let mixed = json!({ "roles": ["writer"], "permissions": ["invoices:read"] });
        app.root().patch(&path, mixed).await.expect(StatusCode::OK);
        let asked = json!({ "permissions": ["invoices:read", "invoices:write"] });
        let take = async |target: &str, body: Value, code: &str| {
            let key = app.key(&account, &["invoices:read", "invoices:write"], json!({})).await;
            for node in [app, &other] {
                assert_eq!(node.verify(&key.token, asked.clone()).await["code"], "valid", "{target}");
            }
            let target = target.replace("{key}", &format!("/v1/api-keys/{}", key.id));
            let reply = if target.ends_with("/revoke") || target.ends_with("/roll") {
                app.root().post(&target, body).await
            } else {
                app.root().patch(&target, body).await
            };
            reply.expect(StatusCode::OK);
            assert_eq!(app.verify(&key.token, asked.clone()).await["code"], code, "here, at once: {target}");
            within(SOON, &target, async || other.verify(&key.token, asked.clone()).await["code"] == code).await;
        };
        take("{key}/revoke", json!({}), "revoked").await;
        take("{key}/roll", json!({}), "revoked").await;
        take("{key}", json!({ "disabled": true }), "disabled").await;
        take("{key}", json!({ "permissions": ["invoices:read"] }), "permission_missing").await;
        take(&role, json!({ "permissions": [] }), "permission_missing").await;
        app.root().patch(&role, json!({ "permissions": ["invoices:write"] })).await.expect(StatusCode::OK);
        tokio::time::sleep(PROMISE).await;
        take(&path, json!({ "disabled": true }), "disabled").await;
        app.root().patch(&path, json!({ "disabled": false })).await.expect(StatusCode::OK);
        tokio::time::sleep(PROMISE).await;
        take(&format!("/v1/organizations/{organization}"), json!({ "disabled": true }), "disabled").await;
        other.finish().await;
    }

    async fn nodes_that_start_at_once_bring_the_builtins_once(app: &TestApp) {
        let (store, by) = (&app.app.store, By::system());
        let mut tx = store.begin(&by).await.unwrap();
        let api = tx.within(Reach::Instance).builtin_api().await.unwrap().unwrap();
        tx.delete_api(api.id).await.unwrap();
        for builtin in BUILTIN_ROLES {
            let role = tx.within(Reach::Instance).role_called(builtin.name, None).await.unwrap().unwrap();
            tx.delete_role(role.id).await.unwrap();
        }
        tx.commit(api.installed(), app.app.now(), &mut app.app.rng()).await.unwrap();
        let before = store.verify_audit().await.unwrap().events;
        let nodes: Vec<_> = (0..6).map(|_| {
            let node = app.app.clone();
            tokio::spawn(async move { node.install_builtins().await })
        }).collect();
        for node in nodes {
            node.await.unwrap().unwrap();
        }
        assert_eq!(store.verify_audit().await.unwrap().events - before, BUILTIN_ROLES.len() as u64 + 1);
    }

    async fn a_change_right_after_a_node_started_is_not_missed(app: &TestApp) {
        app.declare_invoices().await;
        let (_, account) = app.account("acme", &["invoices:read"]).await;
        for _ in 0..5 {
            let key = app.key(&account, &["invoices:read"], json!({})).await;
            let mut other = app.another_node().await;
            assert_eq!(other.code(&key.token).await, "valid");
            app.root().post(&format!("/v1/api-keys/{}/revoke", key.id), json!({})).await.expect(StatusCode::OK);
            within(SOON, "refused there", async || other.code(&key.token).await == "revoked").await;
            other.finish().await;
        }
    }
}
