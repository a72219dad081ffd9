//! Hostile and mistaken requests: a precise error each, and no trace in the data.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    app::{Reply, TestApp, text},
    browser::Browser,
};

async fn raw(app: &TestApp, content_type: Option<&str>, body: impl Into<reqwest::Body>) -> Reply {
    let token = app.root_token();
    let mut request = app.request(Method::POST, app.public, "/v1/organizations").bearer_auth(token).body(body);
    if let Some(content_type) = content_type {
        request = request.header("content-type", content_type);
    }
    Reply::read(app, request.send().await.unwrap()).await
}

on_both_databases! {
    async fn bodies_that_cannot_be_read(app: &TestApp) {
        let json = Some("application/json");
        raw(app, None, "{}").await.problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type");
        raw(app, Some("text/plain"), "{}").await.problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type");
        raw(app, json, "").await.problem(StatusCode::BAD_REQUEST, "malformed_json");
        raw(app, json, "{\"name\":\"x\"").await.problem(StatusCode::BAD_REQUEST, "malformed_json");
        raw(app, json, "{\"name\":\"x\"} {}").await.problem(StatusCode::BAD_REQUEST, "malformed_json");
        raw(app, json, vec![b'"', 0xff, b'"']).await.problem(StatusCode::BAD_REQUEST, "malformed_json");
        raw(app, json, "[".repeat(60_000)).await.wrong("", "invalid_type");
        raw(app, json, "[\"x\",null,null,null]").await.wrong("", "invalid_type");
        raw(app, json, format!("{{\"metadata\":{}", "[".repeat(60_000))).await
            .problem(StatusCode::BAD_REQUEST, "malformed_json");
        raw(app, json, "\"x\"").await.wrong("", "invalid_type");
        let large = format!("{{\"name\":\"{}\"}}", "x".repeat(64 * 1024));
        raw(app, json, large).await.problem(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large");
    }

    async fn ten_megabytes_are_refused_without_being_kept(app: &TestApp) {
        let request = app.request(Method::POST, app.public, "/v1/organizations").bearer_auth(app.root_token());
        let sent = request.header("content-type", "application/json").body(vec![b' '; 10 * 1024 * 1024]).send().await;
        // The server may close while the client still sends; either is a refusal.
        if let Ok(response) = sent {
            assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
        }
        app.root().get("/v1/organizations").await.expect(StatusCode::OK);
    }

    async fn members_are_checked_one_by_one(app: &TestApp) {
        let root = app.root();
        let organization = async |body: Value| root.post("/v1/organizations", body).await;
        organization(json!({})).await.wrong("/name", "required");
        organization(json!({ "name": 1 })).await.wrong("/name", "invalid_type");
        organization(json!({ "name": "x", "tenant": 1 })).await.wrong("/tenant", "unknown_member");
        organization(json!({ "name": "x", "slug": "No Slug" })).await.wrong("/slug", "invalid_slug");
        organization(json!({ "name": "x", "external_id": "a b" })).await.wrong("/external_id", "invalid_external_id");
        organization(json!({ "name": "x", "metadata": [] })).await.wrong("/metadata", "invalid_metadata");
        let large = json!({ "a": "x".repeat(5000) });
        organization(json!({ "name": "x", "metadata": large })).await.wrong("/metadata", "invalid_metadata");
        for name in ["", " x", "a\u{0}b", "a\u{1b}[31m", "a\u{202e}b", "a\u{200b}b", "a\u{feff}b", &"x".repeat(101)] {
            organization(json!({ "name": name })).await.wrong("/name", "invalid_name");
        }
        organization(json!({ "name": "Acme", "slug": "acme" })).await.expect(StatusCode::CREATED);
        organization(json!({ "name": "Acme" })).await.problem(StatusCode::CONFLICT, "taken");
        let all = root.get("/v1/organizations").await.expect(StatusCode::OK);
        assert_eq!(all["items"].as_array().unwrap().len(), 2, "nothing refused was kept");
    }

    async fn what_is_no_time_is_told_how_one_is_written(app: &TestApp) {
        let key = json!({ "service_account_id": app.account("acme", &[]).await.1, "name": "x", "permissions": [], "expires_at": "x" });
        let told = app.root().post("/v1/api-keys", key).await;
        let told = told.problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid_request");
        assert!(told.to_string().contains("2027-01-31T12:00:00Z"), "{told}");
        for query in ["audit-events?since=yesterday", "credentials?unused_since=2026-01-01", "usage?from=x"] {
            let told = app.root().get(&format!("/v1/{query}")).await.problem(StatusCode::BAD_REQUEST, "invalid_query");
            let detail = text(&told["detail"]);
            let name = query.split(['?', '=']).nth(1).unwrap();
            assert!(detail.starts_with(&format!("{name}: ")) && detail.contains("2027-01-31T12:00:00Z"), "{detail}");
        }
    }

    async fn what_is_absent_is_named_with_where_to_look(app: &TestApp) {
        let id = "key_01h455vb4pex5vsknk084sn02q";
        let told = async |reply: Reply| text(&reply.problem(StatusCode::NOT_FOUND, "not_found")["detail"]);
        let key = told(app.root().get(&format!("/v1/api-keys/{id}")).await).await;
        assert!(key.contains(&format!("no API key {id}")) && key.contains("GET /v1/api-keys lists"), "{key}");
        let removed = told(app.root().delete("/v1/roles/nonsense").await).await;
        assert!(removed.contains("no role nonsense") && removed.contains("/v1/audit-events?target=nonsense"), "{removed}");
        let route = told(app.root().get("/v1/api-kyes").await).await;
        assert!(route.contains("no GET /v1/api-kyes") && route.contains("/openapi.json"), "{route}");
        let inside = Reply::read(app, app.request(Method::GET, app.internal, "/verify").send().await.unwrap()).await;
        let inside = told(inside).await;
        assert!(inside.contains("no GET /verify") && inside.contains("POST /v1/verify"), "{inside}");
    }

    async fn a_browser_is_told_by_a_page_that_there_is_none(app: &TestApp) {
        let browser = Browser::sending(app, "accept", "text/html,application/xhtml+xml,*/*;q=0.8");
        for path in ["/organizations/acme/api-kyes", "/organizations/acme/roles/a/b/c", "/account/nothing", "/nothing?x=1"] {
            let page = browser.get(path).await;
            page.shows(StatusCode::NOT_FOUND, "There is no such page");
            assert!(page.header("content-type").starts_with("text/html") && page.header("content-security-policy").contains("default-src"));
        }
        let page = browser.post("/organizations/acme/api-kyes", &[]).await;
        page.shows(StatusCode::NOT_FOUND, "There is no such page");
        // An address that takes forms alone, after a reload for one.
        let page = browser.get("/sign-out").await;
        page.shows(StatusCode::METHOD_NOT_ALLOWED, "takes what a form sends");
        assert_eq!(page.header("allow"), "POST");
        app.root().get("/sign-out").await.problem(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed");
        // Whoever looks below the API's addresses is told where those are, and so is whoever takes no page.
        for path in ["/v1/api-kyes", "/oauth/tokens", "/.well-known/nothing"] {
            browser.get(path).await.shows(StatusCode::NOT_FOUND, "/openapi.json");
        }
        app.root().get("/organizations/acme/api-kyes").await.problem(StatusCode::NOT_FOUND, "not_found");
        let image = Browser::sending(app, "accept", "text/html;q=0, image/png");
        image.get("/favicon.png").await.shows(StatusCode::NOT_FOUND, "/openapi.json");
    }

    async fn a_refused_key_leaves_no_trace(app: &TestApp) {
        app.declare_invoices().await;
        let (_, account) = app.account("acme", &["invoices:read"]).await;
        let root = app.root();
        let key = async |more: Value| {
            let mut body = json!({ "service_account_id": account, "name": "x", "permissions": ["invoices:read"] });
            body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
            root.post("/v1/api-keys", body).await
        };
        let before = root.get("/v1/audit-events").await.expect(StatusCode::OK)["items"].as_array().unwrap().len();
        key(json!({ "expires_at": "2020-01-01T00:00:00Z" })).await.wrong("/expires_at", "in_the_past");
        key(json!({ "expires_at": "tomorrow" })).await.wrong("/expires_at", "invalid_value");
        key(json!({ "expires_at": "2030-01-01T00:00:00Z", "not_before": "2031-01-01T00:00:00Z" })).await
            .wrong("/not_before", "after_expiry");
        key(json!({ "allowed_networks": ["10.0.0.0/8", "10.0.0.0/33"] })).await.wrong("/allowed_networks/1", "invalid_network");
        key(json!({ "allowed_networks": [] })).await.wrong("/allowed_networks/0", "invalid_network");
        key(json!({ "objects": ["base:app7", "base"] })).await.wrong("/objects/1", "invalid_object");
        key(json!({ "objects": ["re*po:x"] })).await.wrong("/objects/0", "invalid_object");
        key(json!({ "environment": "prod" })).await.wrong("/environment", "invalid_value");
        key(json!({ "name": "a\u{202e}b" })).await.wrong("/name", "invalid_name");
        key(json!({ "service_account_id": "sa_01h455vb4pex5vsknk084sn02q" })).await
            .wrong("/service_account_id", "unknown_service_account");
        key(json!({ "service_account_id": "org_01h455vb4pex5vsknk084sn02q" })).await
            .wrong("/service_account_id", "invalid_value");
        key(json!({ "id": "key_01h455vb4pex5vsknk084sn02q" })).await.wrong("/id", "unknown_member");
        key(json!({ "created_by": "operator" })).await.wrong("/created_by", "unknown_member");
        let after = root.get("/v1/audit-events").await.expect(StatusCode::OK)["items"].as_array().unwrap().len();
        assert_eq!(before, after);
        let keys = root.get(&format!("/v1/api-keys?service_account_id={account}")).await.expect(StatusCode::OK);
        assert_eq!(keys["items"], json!([]));
    }

    async fn a_credential_in_the_wrong_place_does_not_come_back_in_the_error(app: &TestApp) {
        let key = app.reader().await;
        let root = app.root();
        let (token, random) = (key.token.as_str(), key.token.rsplit('_').next().unwrap());
        let account = text(&key.body["service_account_id"]);
        for (path, body) in [
            ("/v1/api-keys", json!({ "service_account_id": account, "name": "x", "permissions": token })),
            ("/v1/api-keys", json!({ "service_account_id": account, "name": "x", "permissions": [token] })),
            ("/v1/api-keys", json!({ "service_account_id": token, "name": "x", "permissions": [] })),
            ("/v1/api-keys", json!({ "service_account_id": account, "name": "x", "permissions": [], "expires_at": token })),
            ("/v1/api-keys", json!({ "service_account_id": account, "name": "x", "permissions": [], "objects": [token] })),
            ("/v1/organizations", json!(token)),
            ("/v1/organizations", json!({ (token): 1 })),
            ("/v1/roles", json!({ "name": token, "permissions": [token] })),
            ("/v1/assignments", json!({ "principal_id": account, "permission": token })),
            ("/v1/verify", json!({ "credential": { "token": token } })),
        ] {
            let answer = root.post(path, body).await;
            assert!(!answer.status.is_success() && !answer.body.to_string().contains(random), "{path}: {}", answer.body);
        }
        let query = root.get(&format!("/v1/api-keys?status={token}")).await;
        assert!(!query.body.to_string().contains(random), "{}", query.body);
    }

    async fn lists_are_bounded(app: &TestApp) {
        app.declare_invoices().await;
        let (organization, account) = app.account("acme", &["invoices:read"]).await;
        let (root, many) = (app.root(), |entry: &str| vec![entry.to_owned(); 501]);
        let key = async |more: Value| {
            let mut body = json!({ "service_account_id": account, "name": "x", "permissions": ["invoices:read"] });
            body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
            root.post("/v1/api-keys", body).await
        };
        key(json!({ "permissions": many("invoices:read") })).await.wrong("/permissions", "too_many");
        key(json!({ "objects": many("base:app7") })).await.wrong("/objects", "too_many");
        key(json!({ "allowed_networks": many("10.0.0.0/8") })).await.wrong("/allowed_networks", "too_many");
        let body = json!({ "organization_id": organization, "name": "x", "roles": many("member") });
        root.post("/v1/service-accounts", body).await.wrong("/roles", "too_many");
        let body = json!({ "credential": "x", "permissions": many("a") });
        root.post("/v1/verify", body).await.wrong("/permissions", "too_many");
        let body = json!({ "credential": "x", "object": many("base:app7") });
        root.post("/v1/verify", body).await.wrong("/object", "too_many");
        let api = json!({ "identifier": "https://a", "name": "x", "permissions": [], "resource_servers": vec![&account; 101] });
        root.post("/v1/apis", api).await.wrong("/resource_servers", "too_many");
    }

    async fn racing_changes_of_an_api_lose_nothing(app: &TestApp) {
        let api = format!("/v1/apis/{}", text(&app.declare_invoices().await["id"]));
        let (root, all) = (app.root(), json!([{ "name": "invoices:read" }, { "name": "invoices:write" }]));
        for _ in 0..10 {
            root.patch(&api, json!({ "permissions": all })).await.expect(StatusCode::OK);
            let fewer = root.patch(&api, json!({ "permissions": [{ "name": "invoices:read" }] }));
            let renamed = root.patch(&api, json!({ "name": "Bills" }));
            let (fewer, renamed) = tokio::join!(fewer, renamed);
            fewer.expect(StatusCode::OK);
            renamed.expect(StatusCode::OK);
            let now = root.get(&api).await.expect(StatusCode::OK);
            assert_eq!(now["permissions"].as_array().unwrap().len(), 1, "a removed permission came back");
        }
    }

    async fn paths_and_methods(app: &TestApp) {
        let root = app.root();
        root.get("/v1/nothing").await.problem(StatusCode::NOT_FOUND, "not_found");
        for id in ["x", "key_", "org_01h455vb4pex5vsknk084sn02q", "key_01H455VB4PEX5VSKNK084SN02Q", "%00", "..%2f.."] {
            root.get(&format!("/v1/api-keys/{id}")).await.problem(StatusCode::NOT_FOUND, "not_found");
        }
        let wrong = root.send(Method::PUT, "/v1/api-keys", None, &[]).await;
        assert!(wrong.header("allow").is_some_and(|allow| allow.contains("POST")), "{:?}", wrong.headers);
        wrong.problem(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed");
    }

    async fn apis_and_roles_are_checked(app: &TestApp) {
        app.declare_invoices().await;
        let root = app.root();
        let api = async |identifier: &str, permissions: Value| {
            root.post("/v1/apis", json!({ "identifier": identifier, "name": "x", "permissions": permissions })).await
        };
        api("/relative", json!([])).await.wrong("/identifier", "invalid_identifier");
        api("https://a#b", json!([])).await.wrong("/identifier", "invalid_identifier");
        api("https://a", json!([{ "name": "claviger:all" }])).await.wrong("/permissions/0/name", "reserved");
        api("https://a", json!([{ "name": "invoices:read" }])).await.wrong("/permissions/0/name", "taken");
        api("https://a", json!([{ "name": "a:b" }, { "name": "a:b" }])).await.wrong("/permissions/1/name", "duplicate");
        api("https://a", json!([{ "name": "a b" }])).await.wrong("/permissions/0/name", "invalid_value");
        api("https://a", json!([{ "name": "*" }])).await.wrong("/permissions/0/name", "invalid_value");
        api(crate::app::INVOICES, json!([])).await.problem(StatusCode::CONFLICT, "taken");
        // An audience with an empty path is the same as one with `/`, so no two APIs differ in that.
        api(&format!("{}/", crate::app::INVOICES), json!([])).await.problem(StatusCode::CONFLICT, "taken");
        api("https://other.test/", json!([])).await.expect(StatusCode::CREATED);
        api("https://other.test", json!([])).await.problem(StatusCode::CONFLICT, "taken");

        let role = async |name: &str, permissions: Value| {
            root.post("/v1/roles", json!({ "name": name, "permissions": permissions })).await
        };
        role("No Name", json!([])).await.wrong("/name", "invalid_name");
        role("x", json!(["no:such"])).await.wrong("/permissions/0", "unknown_permission");
        role("x", json!(["*"])).await.wrong("/permissions", "wildcard_forbidden");
        role("member", json!([])).await.problem(StatusCode::CONFLICT, "taken");

        let roles = root.get("/v1/roles?q=member").await.expect(StatusCode::OK);
        let builtin = format!("/v1/roles/{}", text(&roles["items"][0]["id"]));
        root.patch(&builtin, json!({ "permissions": [] })).await.problem(StatusCode::CONFLICT, "builtin");
        root.delete(&builtin).await.problem(StatusCode::CONFLICT, "builtin");
    }

    async fn two_credentials_in_one_request(app: &TestApp) {
        let key = app.reader().await;
        let headers = [("x-api-key", key.token.as_str())];
        let both = app.root().send(Method::GET, "/v1/token", None, &headers).await;
        both.problem(StatusCode::BAD_REQUEST, "several_credentials");
        let alone = app.anonymous().send(Method::GET, "/v1/token", None, &headers).await;
        alone.expect(StatusCode::OK);
    }
}
