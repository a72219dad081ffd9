//! `/v1/forward-auth`, as a gateway sees it.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::app::{INVOICES, Reply, TestApp, text};

async fn ask(app: &TestApp, query: &str, headers: &[(&str, &str)]) -> Reply {
    ask_by(app, Method::GET, query, headers).await
}

async fn ask_by(app: &TestApp, method: Method, query: &str, headers: &[(&str, &str)]) -> Reply {
    let mut request = app.request(method, app.internal, &format!("/v1/forward-auth{query}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let reply = Reply::read(app, request.send().await.unwrap()).await;
    assert_eq!(reply.body, Value::Null);
    assert_eq!(reply.header("content-length"), Some("0"), "nginx keeps the connection only then");
    assert!(reply.header("x-claviger-code").is_some());
    reply
}

on_both_databases! {
    async fn a_valid_key_is_told_to_the_upstream(app: &TestApp) {
        app.declare_invoices().await;
        let (organization, account) = app.account("acme", &["invoices:read", "invoices:write"]).await;
        let more = json!({ "objects": ["base:app7", "repo:acme/*"] });
        let key = app.key(&account, &["invoices:read", "invoices:write"], more).await;
        let bearer = format!("Bearer {}", key.token);
        let query = format!("?permission=invoices:read%20invoices:write&object=base:app7&audience={INVOICES}");
        for headers in [[("authorization", bearer.as_str())], [("x-api-key", key.token.as_str())]] {
            for method in [Method::GET, Method::POST, Method::DELETE, Method::OPTIONS] {
                let reply = ask_by(app, method, &query, &headers).await;
                assert_eq!(reply.status, StatusCode::OK);
                for (name, value) in [
                    ("x-claviger-code", "valid"),
                    ("x-claviger-principal", &account),
                    ("x-claviger-principal-type", "service_account"),
                    ("x-claviger-organization", &organization),
                    ("x-claviger-credential", &key.id),
                    ("x-claviger-environment", "live"),
                    ("x-claviger-permissions", "invoices:read invoices:write"),
                    ("x-claviger-objects", "base:app7 repo:acme/*"),
                ] {
                    assert_eq!(reply.header(name), Some(value), "{name}");
                }
            }
        }
    }

    async fn refusals_follow_rfc_6750(app: &TestApp) {
        let key = app.reader().await;
        let check = async |query: &str, headers: &[(&str, &str)], status: u16, code: &str, challenge: Option<&str>| {
            let reply = ask(app, query, headers).await;
            assert_eq!((reply.status.as_u16(), reply.header("x-claviger-code")), (status, Some(code)), "{query}");
            assert_eq!(reply.header("www-authenticate"), challenge, "{query} {code}");
        };
        let token = key.token.as_str();
        let invalid = Some("Bearer realm=\"claviger\", error=\"invalid_token\", DPoP algs=\"ES256 EdDSA Ed25519 RS256\"");
        let bare = Some("Bearer realm=\"claviger\", DPoP algs=\"ES256 EdDSA Ed25519 RS256\"");
        let lacking = Some("Bearer realm=\"claviger\", error=\"insufficient_scope\", scope=\"invoices:write\"");
        check("", &[], 401, "missing", bare).await;
        check("", &[("authorization", "Basic YTpi")], 401, "missing", bare).await;
        check("", &[("x-api-key", "typo")], 401, "unknown", invalid).await;
        check("?permission=invoices:write", &[("x-api-key", token)], 403, "permission_missing", lacking).await;
        check("?audience=https://other.test", &[("x-api-key", token)], 401, "audience_mismatch", invalid).await;
        check("?environment=test", &[("x-api-key", token)], 401, "audience_mismatch", invalid).await;
        check("?environment=any", &[("x-api-key", token)], 400, "invalid_query", None).await;
        check("?environment=live", &[("x-api-key", token)], 200, "valid", None).await;
        check("?permission=a*b", &[("x-api-key", token)], 400, "bad_request", None).await;
        check("?object=base:*", &[("x-api-key", token)], 400, "bad_request", None).await;
        check("?colour=red", &[("x-api-key", token)], 400, "invalid_query", None).await;
        check("?nginx=1&colour=red", &[("x-api-key", token)], 403, "invalid_query", None).await;
        check("?nginx=2", &[("x-api-key", token)], 400, "invalid_query", None).await;
        check("?nginx=yes&nginx=1", &[("x-api-key", token)], 403, "invalid_query", None).await;
        check("?cost=-1", &[("x-api-key", token)], 400, "invalid_query", None).await;
        check("?nginx=1&cost=many", &[("x-api-key", token)], 403, "invalid_query", None).await;
        for (query, named) in [("?nginx=2", "nginx is 1"), ("?cost=1.5", "whole number"), ("?colour=red", "permission, object")] {
            let detail = ask(app, query, &[("x-api-key", token)]).await.header("x-claviger-detail").map(str::to_owned);
            assert!(detail.as_ref().is_some_and(|detail| detail.contains(named)), "{query}: {detail:?}");
        }
        check("?permission=", &[("x-api-key", token)], 400, "bad_request", None).await;
        check("?nginx=1&permission=%20", &[("x-api-key", token)], 403, "bad_request", None).await;
        check("", &[("x-api-key", token), ("authorization", "Bearer other")], 400, "bad_request", None).await;
        check("?nginx=1", &[("x-api-key", token), ("authorization", "Bearer other")], 403, "bad_request", None).await;
        check("?nginx=1&permission=a*b", &[("x-api-key", token)], 403, "bad_request", None).await;
        app.client(token).delete("/v1/token").await.expect(StatusCode::NO_CONTENT);
        check("?nginx=1", &[("x-api-key", token)], 401, "revoked", invalid).await;
    }

    async fn a_call_may_cost_more_than_one_or_nothing(app: &TestApp) {
        app.declare_invoices().await;
        let (_, account) = app.account("acme", &["invoices:read"]).await;
        let limits = json!([{ "name": "default", "limit": 10, "window_seconds": 36_000 }]);
        let key = app.key(&account, &["invoices:read"], json!({ "rate_limits": limits })).await;
        let ask = async |query: &str| {
            let reply = ask(app, query, &[("x-api-key", &key.token)]).await;
            let left = reply.header("ratelimit").unwrap_or_default().split(';').nth(1).unwrap_or_default().to_owned();
            (reply.status.as_u16(), left)
        };
        let told = |status: u16, left: &str| (status, left.to_owned());
        assert_eq!(ask("?permission=invoices:read&cost=4").await, told(200, "r=6"));
        assert_eq!(ask("?cost=0").await, told(200, "r=6"));
        assert_eq!(ask("").await, told(200, "r=5"));
        assert_eq!(ask("?cost=6").await, told(429, "r=5"));
        assert_eq!(ask("?cost=6&nginx=1").await.0, 403);
        assert_eq!(ask("?cost=5").await, told(200, "r=0"));
    }

    async fn the_client_is_the_last_address_that_the_gateway_wrote(app: &TestApp) {
        app.declare_invoices().await;
        let (_, account) = app.account("acme", &["invoices:read"]).await;
        let key = app.key(&account, &["invoices:read"], json!({ "allowed_networks": ["192.0.2.0/24"] })).await;
        let code = async |forwarded: &str| {
            let headers = [("x-api-key", key.token.as_str()), ("x-forwarded-for", forwarded)];
            text(&json!(ask(app, "", &headers).await.header("x-claviger-code")))
        };
        assert_eq!(code("192.0.2.7").await, "valid");
        assert_eq!(code("10.0.0.1, 192.0.2.7").await, "valid");
        assert_eq!(code("192.0.2.7, 10.0.0.1").await, "network_not_allowed");
        assert_eq!(code("nonsense").await, "network_not_allowed");
    }

    async fn a_credential_elsewhere_counts_only_where_the_api_says_so(app: &TestApp) {
        let key = app.reader().await;
        let apis = app.root().get("/v1/apis").await.expect(StatusCode::OK);
        let api = apis["items"].as_array().unwrap().iter().find(|api| api["identifier"] == INVOICES).unwrap();
        let path = format!("/v1/apis/{}", text(&api["id"]));
        let basic = |user: &str, password: &str| {
            let pair = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, format!("{user}:{password}"));
            format!("Basic {pair}")
        };
        let query = format!("/invoices?page=2&api_key={}", key.token);
        let (as_password, as_user) = (basic("git", &key.token), basic(&key.token, ""));
        let places = [("authorization", as_password.as_str()), ("authorization", &as_user), ("x-forwarded-uri", &query),
            ("x-original-uri", &query)];
        let asked = ["?permission=invoices:read", &format!("?audience={INVOICES}"), "?permission=invoices:read&nginx=1"];
        for (place, asked) in places.iter().flat_map(|place| asked.map(|asked| (place, asked))) {
            let reply = ask(app, asked, &[*place]).await;
            assert_eq!((reply.status, reply.header("x-claviger-code")), (StatusCode::UNAUTHORIZED, Some("missing")));
            assert!(!reply.header("www-authenticate").unwrap().contains("Basic"));
        }
        let accept = json!({ "accept_basic": true, "query_parameter": "api_key" });
        app.root().patch(&path, accept).await.expect(StatusCode::OK);
        for (place, asked) in places.iter().flat_map(|place| asked.map(|asked| (place, asked))) {
            assert_eq!(ask(app, asked, &[*place]).await.status, StatusCode::OK, "{asked}");
        }
        // Nobody says which API it is: it might be one that does not want this.
        let unasked = ask(app, "", &[places[0]]).await;
        assert_eq!(unasked.header("x-claviger-code"), Some("missing"));
        let wrong = basic("git", "typo");
        for (headers, code, error) in [(vec![], "missing", ""), (vec![("authorization", wrong.as_str())], "unknown", ", error=\"invalid_token\"")] {
            let reply = ask(app, asked[0], &headers).await;
            let challenge = format!("Bearer realm=\"claviger\"{error}, Basic realm=\"claviger\", charset=\"UTF-8\", DPoP algs=\"ES256 EdDSA Ed25519 RS256\"");
            assert_eq!((reply.status.as_u16(), reply.header("x-claviger-code")), (401, Some(code)));
            assert_eq!(reply.header("www-authenticate"), Some(challenge.as_str()));
        }
        let other = app.key(&text(&key.body["service_account_id"]), &["invoices:read"], json!({})).await;
        let bearer = format!("Bearer {}", other.token);
        let two = ask(app, asked[0], &[("authorization", &bearer), ("x-forwarded-uri", &query)]).await;
        assert_eq!(two.status, StatusCode::BAD_REQUEST);
        let same = ask(app, asked[0], &[("x-api-key", &key.token), ("x-forwarded-uri", &query)]).await;
        assert_eq!(same.status, StatusCode::OK);
    }

    async fn trusted_proxies_are_looked_through(app: &TestApp) {
        let proxies = claviger_token::NetworkSet::parse(["10.0.0.0/8", "127.0.0.0/8"]).ok();
        let mut node = app.another_node_with(|config| config.trusted_proxies = proxies).await;
        app.declare_invoices().await;
        let (_, account) = app.account("acme", &["invoices:read"]).await;
        app.root().patch(&format!("/v1/service-accounts/{account}"), json!({ "roles": ["auditor"] })).await
            .expect(StatusCode::OK);
        let more = json!({ "allowed_networks": ["192.0.2.0/24"] });
        let key = app.key(&account, &["invoices:read", "claviger:*"], more).await;
        let gateway = async |node: &TestApp, forwarded: &str| {
            let headers = [("x-api-key", key.token.as_str()), ("x-forwarded-for", forwarded)];
            ask(node, "", &headers).await.status.as_u16()
        };
        let public = async |node: &TestApp, forwarded: &str| {
            let headers = [("x-forwarded-for", forwarded)];
            node.client(&key.token).send(Method::GET, "/v1/roles", None, &headers).await.status.as_u16()
        };
        let behind = "198.51.100.1, 192.0.2.7, 10.1.1.1";
        assert_eq!((gateway(&node, behind).await, public(&node, behind).await), (200, 200));
        assert_eq!((gateway(app, behind).await, public(app, behind).await), (403, 403));
        let forged = "192.0.2.7, 198.51.100.1, 10.1.1.1";
        assert_eq!((gateway(&node, forged).await, public(&node, forged).await), (403, 403));
        assert_eq!((gateway(&node, "[::ffff:192.0.2.7]:443").await, public(&node, "192.0.2.7:1").await), (200, 200));
        node.finish().await;
    }
}
