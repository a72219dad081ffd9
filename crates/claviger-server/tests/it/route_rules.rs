//! The route rules of an API, as they are written and as a gateway asks by them.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::app::{INVOICES, Key, Reply, SOON, TestApp, text, within};

fn rules() -> Value {
    json!([
        { "methods": ["GET"], "path": "/apps", "permissions": ["invoices:read"], "filters_objects": true },
        { "methods": ["GET"], "path": "/apps/{id}", "permissions": ["invoices:read"], "object": "app:{id}" },
        { "methods": ["PUT", "DELETE"], "path": "/apps/{id}", "permissions": ["invoices:read", "invoices:write"],
          "object": "app:{id}" },
        { "methods": ["GET"], "path": "/apps/admin", "permissions": ["invoices:write"] },
        { "methods": ["GET"], "path": "/me", "permissions": [] },
    ])
}

/// The path of an API with these rules.
async fn ruled(app: &TestApp) -> String {
    let path = format!("/v1/apis/{}", text(&app.declare_invoices().await["id"]));
    let told = app.root().patch(&path, json!({ "route_rules": rules() })).await.expect(StatusCode::OK);
    assert_eq!(
        told["route_rules"][1],
        json!({ "methods": ["GET"], "path": "/apps/{id}", "permissions": ["invoices:read"],
        "object": "app:{id}", "filters_objects": false })
    );
    path
}

async fn key(app: &TestApp, slug: &str, permissions: &[&str], more: Value) -> Key {
    let (_, account) = app.account(slug, permissions).await;
    app.key(&account, permissions, more).await
}

/// What a gateway is told of a request that it holds.
async fn ask(app: &TestApp, token: &str, method: &str, target: &str) -> (u16, String) {
    let headers = [("x-forwarded-method", method), ("x-forwarded-uri", target), ("x-api-key", token)];
    told(&ask_with(app, &format!("?api={INVOICES}"), &headers).await)
}

async fn ask_with(app: &TestApp, query: &str, headers: &[(&str, &str)]) -> Reply {
    let mut request = app.request(Method::GET, app.internal, &format!("/v1/forward-auth{query}"));
    for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
        request = request.header(*name, *value);
    }
    let reply = Reply::read(app, request.send().await.unwrap()).await;
    assert_eq!((&reply.body, reply.header("content-length")), (&Value::Null, Some("0")));
    reply
}

fn told(reply: &Reply) -> (u16, String) {
    (reply.status.as_u16(), reply.header("x-claviger-code").unwrap().to_owned())
}

on_both_databases! {
    async fn a_request_takes_what_its_rule_says(app: &TestApp) {
        ruled(app).await;
        let reader = key(app, "acme", &["invoices:read"], json!({})).await;
        let writer = key(app, "globex", &["invoices:read", "invoices:write"], json!({ "objects": ["app:7", "app:me@acme.test"] })).await;
        let check = async |key: &Key, method: &str, target: &str, status: u16, code: &str| {
            assert_eq!(ask(app, &key.token, method, target).await, (status, code.to_owned()), "{method} {target}");
        };
        check(&reader, "GET", "/apps", 200, "valid").await;
        check(&reader, "HEAD", "/apps/7?page=2", 200, "valid").await;
        check(&reader, "DELETE", "/apps/7", 403, "permission_missing").await;
        check(&reader, "GET", "/apps/admin", 403, "permission_missing").await;
        check(&reader, "GET", "/me", 200, "valid").await;
        check(&writer, "GET", "/apps", 200, "valid").await;
        check(&writer, "DELETE", "/apps/7", 200, "valid").await;
        check(&writer, "GET", "/apps/me%40acme.test", 200, "valid").await;
        check(&writer, "PUT", "/apps/8", 403, "object_not_allowed").await;
        check(&writer, "GET", "/apps/admin", 403, "object_required").await;
        check(&writer, "GET", "/me", 403, "object_required").await;
        let headers = [("x-original-method", "GET"), ("x-original-uri", "/apps"), ("x-api-key", &writer.token)];
        let reply = ask_with(app, &format!("?api={INVOICES}&nginx=1"), &headers).await;
        assert_eq!((told(&reply), reply.header("x-claviger-objects")), ((200, "valid".to_owned()), Some("app:7 app:me@acme.test")));
        // Which API is asked for is tested as well.
        let other = json!({ "identifier": "https://other.test", "name": "Other", "permissions": [{ "name": "other:read" }] });
        app.root().post("/v1/apis", other).await.expect(StatusCode::CREATED);
        let stranger = key(app, "other", &["other:read"], json!({})).await;
        check(&stranger, "GET", "/me", 401, "audience_mismatch").await;
    }

    async fn what_no_rule_allows_is_refused(app: &TestApp) {
        let path = ruled(app).await;
        let writer = key(app, "acme", &["invoices:read", "invoices:write"], json!({})).await;
        let challenge = "Bearer realm=\"claviger\", error=\"insufficient_scope\"";
        for (method, target) in [("POST", "/apps"), ("OPTIONS", "/apps"), ("get", "/apps"), ("DELETE", "/apps/admin"), ("GET", "/apps/"),
            ("GET", "/APPS"), ("GET", "/apps/Admin"), ("GET", "/"), ("GET", "/apps/7/x")] {
            let headers = [("x-forwarded-method", method), ("x-forwarded-uri", target), ("x-api-key", &writer.token)];
            let reply = ask_with(app, &format!("?api={INVOICES}"), &headers).await;
            assert_eq!(told(&reply), (403, "no_route_rule".to_owned()), "{method} {target}");
            assert_eq!(reply.header("www-authenticate"), Some(challenge));
            // Who is nobody hears of that first.
            assert_eq!(ask(app, "", method, target).await, (401, "missing".to_owned()));
            assert_eq!(ask(app, "typo", method, target).await, (401, "unknown".to_owned()));
        }
        for target in ["/apps/%2e%2e/me", "/apps/a%2fb", "/apps/%61dmin", "//apps", "/apps/./7", "/apps/a;b", "/apps/*", "apps", "*",
            "https://invoices.test/apps", "/apps/a%00", "/apps/%ff", "/apps/a b"] {
            assert_eq!(ask(app, &writer.token, "GET", target).await, (400, "bad_request".to_owned()), "{target}");
        }
        let long = format!("/apps/{}", "x".repeat(5000));
        assert_eq!(ask(app, &writer.token, "GET", &long).await, (400, "bad_request".to_owned()));
        app.root().patch(&path, json!({ "route_rules": [] })).await.expect(StatusCode::OK);
        assert_eq!(ask(app, &writer.token, "GET", "/apps").await, (403, "no_route_rule".to_owned()));
        app.client(&writer.token).delete("/v1/token").await.expect(StatusCode::NO_CONTENT);
        assert_eq!(ask(app, &writer.token, "GET", "/apps").await, (401, "revoked".to_owned()));
    }

    async fn a_refusal_for_want_of_a_rule_spends_nothing(app: &TestApp) {
        ruled(app).await;
        let limits = json!([{ "name": "default", "limit": 1, "window_seconds": 36_000 }]);
        let key = key(app, "acme", &["invoices:read"], json!({ "rate_limits": limits })).await;
        for _ in 0..3 {
            assert_eq!(ask(app, &key.token, "POST", "/apps").await, (403, "no_route_rule".to_owned()));
        }
        assert_eq!(ask(app, &key.token, "GET", "/apps").await, (200, "valid".to_owned()));
        assert_eq!(ask(app, &key.token, "GET", "/apps").await, (429, "rate_limited".to_owned()));
    }

    async fn a_question_that_cannot_be_meant_is_none(app: &TestApp) {
        ruled(app).await;
        let key = key(app, "acme", &["invoices:read"], json!({})).await;
        let check = async |query: &str, headers: &[(&str, &str)], status: u16, code: &str, detail: &str| {
            let headers = [headers, &[("x-api-key", key.token.as_str())]].concat();
            let reply = ask_with(app, query, &headers).await;
            assert_eq!(told(&reply), (status, code.to_owned()), "{query} {headers:?}");
            assert!(reply.header("x-claviger-detail").is_some_and(|told| told.contains(detail)), "{query} {detail}");
        };
        let api = format!("?api={INVOICES}");
        let (method, target) = (("x-forwarded-method", "GET"), ("x-forwarded-uri", "/apps"));
        check(&api, &[], 400, "invalid_query", "X-Forwarded-Method").await;
        check(&api, &[method], 400, "invalid_query", "X-Forwarded-Method").await;
        check(&api, &[target], 400, "invalid_query", "X-Forwarded-Method").await;
        check(&format!("{api}&nginx=1"), &[target], 403, "invalid_query", "X-Forwarded-Method").await;
        check("?api=https://nobody.test", &[method, target], 400, "invalid_query", "identifier").await;
        check("?api=", &[method, target], 400, "invalid_query", "identifier").await;
        for other in ["permission=invoices:read", "object=app:7", "audience=x"] {
            check(&format!("{api}&{other}"), &[method, target], 400, "invalid_query", "route rules").await;
        }
        check(&api, &[method, target, ("x-original-uri", "/me")], 400, "bad_request", "several").await;
        check(&api, &[method, target, ("x-original-method", "DELETE")], 400, "bad_request", "several").await;
        check(&api, &[method, target, ("x-forwarded-uri", "/me")], 400, "bad_request", "several").await;
        check(&api, &[method, ("x-forwarded-uri", "/apps/../me")], 400, "bad_request", ". or ..").await;
        check(&format!("{api}&nginx=1"), &[method, ("x-forwarded-uri", "//")], 403, "bad_request", "empty segment").await;
    }

    async fn a_changed_rule_counts_here_at_once_and_on_other_nodes_within_a_second(app: &TestApp) {
        let mut other = app.another_node().await;
        let path = ruled(app).await;
        let key = key(app, "acme", &["invoices:read"], json!({})).await;
        for node in [app, &other] {
            assert_eq!(ask(node, &key.token, "GET", "/apps/7").await.0, 200);
        }
        let stricter = json!([{ "methods": ["GET"], "path": "/apps/{id}", "permissions": ["invoices:write"] }]);
        app.root().patch(&path, json!({ "route_rules": stricter })).await.expect(StatusCode::OK);
        assert_eq!(ask(app, &key.token, "GET", "/apps/7").await.0, 403);
        within(SOON, "the rule is stricter", async || ask(&other, &key.token, "GET", "/apps/7").await.0 == 403).await;
        other.finish().await;
    }

    async fn rules_are_checked_and_shown_to_those_who_may_change_them(app: &TestApp) {
        let path = ruled(app).await;
        let root = app.root();
        let patch = async |rules: Value| root.patch(&path, json!({ "route_rules": rules })).await;
        patch(json!([{ "methods": ["GET"], "path": "apps", "permissions": [] }])).await.wrong("/route_rules/0/path", "invalid_path");
        patch(json!([{ "methods": ["GET"], "path": "/a", "permissions": ["invoices:delete"] }])).await
            .wrong("/route_rules/0/permissions/0", "unknown_permission");
        root.patch(&path, json!({ "permissions": [] })).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
        let created = json!({ "identifier": "https://b.test", "name": "B", "permissions": [{ "name": "b:read" }],
            "route_rules": [{ "methods": ["GET"], "path": "/b", "permissions": ["b:read"] }] });
        let created = root.post("/v1/apis", created).await.expect(StatusCode::CREATED);
        assert_eq!(created["route_rules"][0]["path"], "/b");
        let admin = app.holder_of("organization-admin", &app.account("acme", &[]).await.0).await;
        let seen = app.client(&admin.token).get(&path).await.expect(StatusCode::OK);
        assert_eq!((seen.get("route_rules"), &seen["identifier"]), (None, &json!(INVOICES)));
    }
}
