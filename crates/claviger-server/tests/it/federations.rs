//! `/v1/service-accounts/{id}/federations`: which assertions of outside issuers stand for a client.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::app::{PUBLIC_URL, TestApp, text};

fn path(account: &str) -> String {
    format!("/v1/service-accounts/{account}/federations")
}

fn github() -> Value {
    json!({ "name": "deploy", "preset": "github", "conditions": { "repository_id": "74", "ref": "refs/heads/main" } })
}

on_both_databases! {
    async fn a_federation_lives_from_its_making_until_it_is_revoked(app: &TestApp) {
        let (organization, account) = app.account("acme", &[]).await;
        let (root, path) = (app.root(), path(&account));
        let made = root.post(&path, github()).await;
        let location = made.header("location").unwrap().to_owned();
        let made = made.expect(StatusCode::CREATED);
        let id = text(&made["id"]);
        assert!(id.starts_with("fed_"));
        assert_eq!(location, format!("{path}/{id}"));
        assert_eq!((&made["client_id"], &made["organization_id"]), (&json!(account), &json!(organization)));
        assert_eq!((&made["issuer"], &made["preset"]), (&json!("https://token.actions.githubusercontent.com"), &json!("github")));
        assert_eq!((&made["conditions"], &made["single_use"]), (&github()["conditions"], &json!(false)));
        assert_eq!((&made["audience"], &made["jwks"], &made["warnings"]), (&Value::Null, &Value::Null, &json!([])));
        assert_eq!(root.get(&location).await.expect(StatusCode::OK), made);
        root.post(&path, github()).await.problem(StatusCode::CONFLICT, "federation_exists");

        let other = json!({
            "name": "cluster", "preset": "kubernetes", "issuer": "https://eks.test/id/A", "jwks_uri": "https://eks.test/keys",
            "audience": "claviger", "conditions": { "/kubernetes.io/namespace": "prod" }, "single_use": true,
            "expires_at": "2099-01-01T00:00:00Z",
        });
        let other = root.post(&path, other).await.expect(StatusCode::CREATED);
        assert_eq!((&other["audience"], &other["single_use"]), (&json!("claviger"), &json!(true)));
        assert_eq!(other["warnings"].as_array().unwrap().len(), 1);
        let list = root.get(&format!("{path}?limit=1")).await.expect(StatusCode::OK);
        assert_eq!(list["items"], json!([other]));
        let next = root.get(&format!("{path}?limit=1&cursor={}", text(&list["next_cursor"]))).await.expect(StatusCode::OK);
        assert_eq!((&next["items"], &next["next_cursor"]), (&json!([made]), &Value::Null));

        let changed = root.patch(&location, json!({ "name": "renamed", "disabled": true })).await.expect(StatusCode::OK);
        assert_eq!((&changed["name"], &changed["status"]), (&json!("renamed"), &json!("disabled")));
        root.patch(&location, json!({ "conditions": { "sub": "x" } })).await.wrong("/conditions", "unknown_member");
        root.post(&format!("{location}/roll"), json!({})).await.problem(StatusCode::NOT_FOUND, "not_found");
        let revoked = root.post(&format!("{location}/revoke"), json!({ "reason": "superseded" })).await;
        assert_eq!(revoked.expect(StatusCode::OK)["revoke_reason"], "superseded");
        root.delete(&location).await.expect(StatusCode::NO_CONTENT);
        root.get(&location).await.problem(StatusCode::NOT_FOUND, "not_found");
        assert_eq!(app.audit_trail(&id).await, [
            "federation.created", "federation.disabled", "federation.revoked", "federation.deleted",
        ]);
        let event = root.get(&format!("/v1/audit-events?target={id}&action=federation.created")).await;
        let event = event.expect(StatusCode::OK)["items"][0].clone();
        assert_eq!(event["details"]["federation"]["conditions"], github()["conditions"]);
        let all = root.get(&format!("/v1/credentials?organization_id={organization}&kind=federation")).await;
        assert_eq!(all.expect(StatusCode::OK)["items"][0]["id"], other["id"]);
    }

    async fn w03_w04_what_lets_in_too_many_is_refused_with_what_would_be_right(app: &TestApp) {
        let (_, account) = app.account("acme", &[]).await;
        let (root, path) = (app.root(), path(&account));
        let wrong = async |body: Value, pointer: &str, code: &str| {
            let mut whole = github();
            whole.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
            root.post(&path, whole).await.wrong(pointer, code);
        };
        wrong(json!({ "conditions": { "ref": "refs/heads/main" } }), "/conditions", "names_nobody").await;
        wrong(json!({ "conditions": { "sub": "repo:*/site:ref:refs/heads/main" } }), "/conditions", "names_nobody").await;
        wrong(json!({ "conditions": { "repository_owner": "acme*" } }), "/conditions/repository_owner", "invalid_condition").await;
        wrong(json!({ "conditions": {} }), "/conditions", "required").await;
        wrong(json!({ "audience": "https://github.com/acme" }), "/audience", "default_audience").await;
        wrong(json!({ "issuer": PUBLIC_URL, "preset": "oidc" }), "/issuer", "invalid_issuer").await;
        wrong(json!({ "preset": "kubernetes", "issuer": "https://kubernetes.default.svc", "conditions": { "sub": "a:b:c:d" } }), "/jwks", "required").await;
        wrong(json!({ "jwks": { "keys": [{ "kty": "oct", "k": "AAAA" }] } }), "/jwks", "invalid_jwks").await;
        // What says something twice could be read in two ways.
        let twice = r#"{"name":"x","preset":"github","conditions":{"repository_id":"74","repository_id":"75"}}"#;
        let sent = app.request(Method::POST, app.public, &path).bearer_auth(app.root_token());
        let sent = sent.header("content-type", "application/json").body(twice).send().await.unwrap();
        crate::app::Reply::read(app, sent).await.wrong("/conditions", "invalid_conditions");
        assert_eq!(root.get(&path).await.expect(StatusCode::OK)["items"], json!([]));
    }

    async fn whoever_makes_one_may_give_all_that_the_account_has(app: &TestApp) {
        app.declare_invoices().await;
        let (_, account) = app.account("acme", &["invoices:read", "claviger:service_accounts:write"]).await;
        let narrow = app.key(&account, &["claviger:service_accounts:write"], json!({})).await;
        app.client(&narrow.token).post(&path(&account), github()).await.problem(StatusCode::FORBIDDEN, "permission_missing");
        let whole = app.key(&account, &["*", "claviger:*"], json!({})).await;
        app.client(&whole.token).post(&path(&account), github()).await.expect(StatusCode::CREATED);
    }

    async fn federations_of_others_look_absent(app: &TestApp) {
        let (organization, account) = app.account("acme", &[]).await;
        let (other, stranger) = app.account("globex", &[]).await;
        let sibling = app.account_in(&organization, &[]).await;
        let made = text(&app.root().post(&path(&account), github()).await.expect(StatusCode::CREATED)["id"]);
        let (here, there) = (app.holder_of("organization-admin", &organization).await, app.holder_of("organization-admin", &other).await);
        for (method, action, sent) in [
            (Method::GET, "", None),
            (Method::PATCH, "", Some(json!({ "name": "mine" }))),
            (Method::POST, "/revoke", Some(json!({}))),
            (Method::DELETE, "", None),
        ] {
            for (token, account) in [(&there.token, &account), (&there.token, &stranger), (&here.token, &sibling)] {
                let route = format!("{}/{made}{action}", path(account));
                let reply = app.client(token).send(method.clone(), &route, sent.clone(), &[]).await;
                reply.problem(StatusCode::NOT_FOUND, "not_found");
            }
        }
        app.client(&there.token).get(&path(&account)).await.problem(StatusCode::NOT_FOUND, "not_found");
        app.client(&there.token).post(&path(&account), github()).await.problem(StatusCode::NOT_FOUND, "not_found");
        let shown = app.client(&here.token).get(&format!("{}/{made}", path(&account))).await.expect(StatusCode::OK);
        assert_eq!(shown["status"], "active");
    }
}
