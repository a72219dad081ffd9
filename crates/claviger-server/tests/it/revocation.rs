//! Revocation (RFC 7009; the numbers are those of the cases that it must answer).

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::{
    app::{SOON, TestApp, within},
    machine::claims,
};

const REVOKE: &str = "/oauth/revoke";

on_both_databases! {
    async fn r01_a_client_ends_its_own_token_everywhere(app: &TestApp) {
        let mut other = app.another_node().await;
        let client = app.machine().await;
        let (token, spared) = (app.access_token(&client, &[]).await, app.access_token(&client, &[]).await);
        for node in [app, &other] {
            assert_eq!(node.code(&token).await, "valid");
        }
        let reply = app.form_of(&client, REVOKE, &[("token", &token)]).await;
        assert_eq!((reply.status, reply.header("cache-control"), &reply.body), (StatusCode::OK, Some("no-store"), &json!(null)));
        assert_eq!(app.code(&token).await, "revoked", "here, at once");
        within(SOON, "there, within a second", async || other.code(&token).await == "revoked").await;
        for node in [app, &other] {
            assert_eq!(node.code(&spared).await, "valid");
        }
        let told = app.form_of(&client, "/oauth/introspect", &[("token", &token)]).await;
        assert_eq!(told.expect(StatusCode::OK), json!({ "active": false }));
        let trail = app.audit_trail(claims(&token)["jti"].as_str().unwrap()).await;
        assert_eq!(trail, ["access_token.revoked"]);
        other.finish().await;
    }

    async fn r02_what_is_not_there_is_revoked(app: &TestApp) {
        let client = app.machine().await;
        let token = app.access_token(&client, &[]).await;
        for nothing in ["nonsense", "a.b.c", "clv_at_x", "\u{0}"] {
            app.form_of(&client, REVOKE, &[("token", nothing)]).await.expect(StatusCode::OK);
        }
        for hint in ["refresh_token", "something"] {
            app.form_of(&client, REVOKE, &[("token", &token), ("token_type_hint", hint)]).await.expect(StatusCode::OK);
            assert_eq!(app.code(&token).await, "revoked");
        }
        app.ask(&client, &[]).await.expect(StatusCode::OK);
    }

    async fn r03_nobody_ends_what_is_anothers(app: &TestApp) {
        let client = app.machine().await;
        let token = app.access_token(&client, &[]).await;
        let key = app.key(&client.id, &["invoices:read"], json!({})).await;
        let neighbour = app.account_in(&client.organization, &["invoices:read"]).await;
        let neighbour = app.machine_of(client.organization.clone(), neighbour).await;
        let stranger = app.machine_with("stranger", &["invoices:read"]).await;
        for other in [&neighbour, &stranger] {
            for token in [&token, &key.token] {
                app.form_of(other, REVOKE, &[("token", token)]).await.expect(StatusCode::OK);
                assert_eq!(app.code(token).await, "valid");
            }
        }
    }

    async fn r04_nobody_revokes_without_proof(app: &TestApp) {
        let client = app.machine().await;
        let token = app.access_token(&client, &[]).await;
        app.form(REVOKE, &[("token", &token)]).await.refusal(StatusCode::UNAUTHORIZED, "invalid_client");
        app.form_of(&client, REVOKE, &[]).await.refusal(StatusCode::BAD_REQUEST, "invalid_request");
        let got = app.anonymous().get(&format!("{REVOKE}?token={token}&callback=x")).await;
        assert_eq!((got.status, got.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, Some("POST")));
        assert_eq!(app.code(&token).await, "valid");
    }

    async fn r05_what_does_not_end_here_is_not_told_to_have_ended(app: &TestApp) {
        let client = app.machine().await;
        let refusal = app.form_of(&client, REVOKE, &[("token", &client.secret)]).await;
        let refusal = refusal.refusal(StatusCode::BAD_REQUEST, "unsupported_token_type");
        assert!(refusal["error_description"].as_str().unwrap().contains("/revoke"), "{refusal}");
        app.ask(&client, &[]).await.expect(StatusCode::OK);
    }

    async fn r05_what_cannot_be_stored_is_not_done(app: &TestApp) {
        let client = app.machine().await;
        let token = app.access_token(&client, &[]).await;
        assert_eq!(app.code(&token).await, "valid");
        app.ask(&client, &[]).await.expect(StatusCode::OK);
        app.app.store.database().close().await;
        let reply = app.form_of(&client, REVOKE, &[("token", &token)]).await;
        assert!(reply.header("retry-after").is_some());
        reply.refusal(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable");
    }

    async fn r06_a_key_that_its_account_ends_takes_its_tokens_along(app: &TestApp) {
        let client = app.machine().await;
        let key = app.key(&client.id, &["invoices:read"], json!({})).await;
        let exchange = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"), ("subject_token", key.token.as_str()),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
        ];
        let token = app.form_of(&client, "/oauth/token", &exchange).await.expect(StatusCode::OK)["access_token"].clone();
        let token = token.as_str().unwrap();
        app.form_of(&client, REVOKE, &[("token", &key.token)]).await.expect(StatusCode::OK);
        assert_eq!((app.code(&key.token).await, app.code(token).await), ("revoked".to_owned(), "revoked".to_owned()));
    }

    async fn r06_r07_what_stops_an_account_stops_its_tokens(app: &TestApp) {
        let client = app.machine().await;
        let mut token = app.access_token(&client, &[]).await;
        for path in [client.path(), format!("/v1/organizations/{}", client.organization), client.secret_path()] {
            app.root().patch(&path, json!({ "disabled": true })).await.expect(StatusCode::OK);
            assert!(["disabled", "revoked"].contains(&app.code(&token).await.as_str()), "{path}");
            app.root().patch(&path, json!({ "disabled": false })).await.expect(StatusCode::OK);
            // What was made before does not come back; what is made now counts.
            assert_eq!(app.code(&token).await, "revoked", "{path}");
            token = app.access_token(&client, &[]).await;
            assert_eq!(app.code(&token).await, "valid", "{path}");
        }
        app.root().send(Method::POST, &format!("{}/revoke", client.secret_path()), Some(json!({})), &[]).await.expect(StatusCode::OK);
        assert_eq!(app.code(&token).await, "revoked");
    }
}
