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
        let invalid = Some("Bearer realm=\"claviger\", error=\"invalid_token\"");
        let lacking = Some("Bearer realm=\"claviger\", error=\"insufficient_scope\", scope=\"invoices:write\"");
        check("", &[], 401, "missing", Some("Bearer realm=\"claviger\"")).await;
        check("", &[("authorization", "Basic YTpi")], 401, "missing", Some("Bearer realm=\"claviger\"")).await;
        check("", &[("x-api-key", "typo")], 401, "unknown", invalid).await;
        check("?permission=invoices:write", &[("x-api-key", token)], 403, "permission_missing", lacking).await;
        check("?audience=https://other.test", &[("x-api-key", token)], 401, "audience_mismatch", invalid).await;
        check("?permission=a*b", &[("x-api-key", token)], 400, "bad_request", None).await;
        check("?object=base:*", &[("x-api-key", token)], 400, "bad_request", None).await;
        check("?colour=red", &[("x-api-key", token)], 400, "invalid_query", None).await;
        check("?nginx=1&colour=red", &[("x-api-key", token)], 403, "invalid_query", None).await;
        check("?permission=", &[("x-api-key", token)], 400, "bad_request", None).await;
        check("?nginx=1&permission=%20", &[("x-api-key", token)], 403, "bad_request", None).await;
        check("", &[("x-api-key", token), ("authorization", "Bearer other")], 400, "bad_request", None).await;
        check("?nginx=1", &[("x-api-key", token), ("authorization", "Bearer other")], 403, "bad_request", None).await;
        check("?nginx=1&permission=a*b", &[("x-api-key", token)], 403, "bad_request", None).await;
        app.client(token).delete("/v1/token").await.expect(StatusCode::NO_CONTENT);
        check("?nginx=1", &[("x-api-key", token)], 401, "revoked", invalid).await;
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
}
