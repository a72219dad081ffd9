//! Rate limits and quotas over HTTP: who shares them, what spends them, what survives.

use std::time::Duration;

use jiff::SignedDuration;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::app::{Key, TestApp, text};

/// Longer than any test, so that nothing is regained meanwhile.
fn rate(name: &str, limit: u32) -> Value {
    json!([{ "name": name, "limit": limit, "window_seconds": 100_000 }])
}

async fn limited(app: &TestApp, more: Value) -> Key {
    app.declare_invoices().await;
    let (_, account) = app.account("acme", &["invoices:read"]).await;
    app.key(&account, &["invoices:read"], more).await
}

async fn codes(app: &TestApp, key: &Key, asked: Value, times: usize) -> Vec<String> {
    let mut codes = Vec::new();
    for _ in 0..times {
        codes.push(text(&app.verify(&key.token, asked.clone()).await["code"]));
    }
    codes
}

/// What is left of each limit, by name, without spending.
async fn left(app: &TestApp, key: &Key) -> Value {
    let answer = app.verify(&key.token, json!({ "cost": 0 })).await;
    let limits = answer["limits"].as_array().unwrap().iter();
    limits.map(|limit| (text(&limit["name"]), limit["remaining"].clone())).collect::<serde_json::Map<_, _>>().into()
}

on_both_databases! {
    async fn a_rate_limit_lets_a_burst_pass_and_tells_where_it_stands(app: &TestApp) {
        let limits = json!([{ "name": "default", "limit": 2, "window_seconds": 2 }]);
        let key = limited(app, json!({ "rate_limits": limits })).await;
        assert_eq!((&key.body["rate_limits"], &key.body["quota"]), (&limits, &Value::Null));
        let first = app.verify(&key.token, json!({})).await;
        let told = json!([{ "name": "default", "limit": 2, "remaining": 1, "reset_seconds": 1, "window_seconds": 2 }]);
        assert_eq!((&first["limits"], &first["cache"], &first["retry_after_seconds"]), (&told, &Value::Null, &Value::Null));
        assert_eq!(app.code(&key.token).await, "valid");
        let refused = app.verify(&key.token, json!({})).await;
        assert_eq!((&refused["code"], &refused["valid"]), (&json!("rate_limited"), &json!(false)));
        assert_eq!(refused["credential"]["id"], key.id);
        assert_eq!((&refused["retry_after_seconds"], &refused["limits"][0]["remaining"]), (&json!(1), &json!(0)));
        tokio::time::sleep(Duration::from_millis(1050)).await;
        assert_eq!(app.code(&key.token).await, "valid");
    }

    async fn what_is_refused_for_another_reason_spends_nothing(app: &TestApp) {
        let more = json!({ "rate_limits": rate("default", 2), "quota": { "limit": 2, "period": "month" } });
        let key = limited(app, more).await;
        let wrong = json!({ "permissions": ["invoices:write"] });
        assert_eq!(codes(app, &key, wrong, 3).await, ["permission_missing"; 3]);
        assert_eq!(left(app, &key).await, json!({ "default": 2, "quota": 2 }));
        // What is about the credential alone asks for no limit.
        app.client(&key.token).get("/v1/token").await.expect(StatusCode::OK);
        assert_eq!(left(app, &key).await, json!({ "default": 2, "quota": 2 }));
    }

    async fn a_request_spends_what_it_costs_or_nothing(app: &TestApp) {
        let key = limited(app, json!({ "rate_limits": rate("default", 10), "quota": { "limit": 8, "period": "day" } })).await;
        let cost = |cost: u64| json!({ "cost": cost });
        assert_eq!(codes(app, &key, cost(5), 1).await, ["valid"]);
        assert_eq!(codes(app, &key, cost(4), 1).await, ["quota_exceeded"]);
        assert_eq!(codes(app, &key, cost(u32::MAX.into()), 1).await, ["quota_exceeded"]);
        let never = app.verify(&key.token, cost(9)).await;
        assert_eq!((&never["retry_after_seconds"], never["limits"].as_array().unwrap().len()), (&Value::Null, 2));
        assert_eq!(left(app, &key).await, json!({ "default": 5, "quota": 3 }));
        assert_eq!(codes(app, &key, cost(3), 2).await, ["valid", "quota_exceeded"]);
        let over = app.request(Method::POST, app.internal, "/v1/verify");
        let over = over.json(&json!({ "credential": key.token, "cost": u64::MAX })).send().await.unwrap();
        assert_eq!(over.status(), StatusCode::UNPROCESSABLE_ENTITY);
    }

    async fn all_credentials_share_the_limits_of_their_account_and_organization(app: &TestApp) {
        app.declare_invoices().await;
        let (organization, account) = app.account("acme", &["invoices:read"]).await;
        let shared = json!({ "rate_limits": rate("default", 3), "quota": { "limit": 100, "period": "month" } });
        app.root().patch(&format!("/v1/service-accounts/{account}"), shared).await.expect(StatusCode::OK);
        let shared = json!({ "rate_limits": rate("burst", 4) });
        app.root().patch(&format!("/v1/organizations/{organization}"), shared).await.expect(StatusCode::OK);
        let other_account = app.account_in(&organization, &["invoices:read"]).await;
        let one = app.key(&account, &["invoices:read"], json!({ "rate_limits": rate("default", 2) })).await;
        let two = app.key(&account, &["invoices:read"], json!({})).await;
        let three = app.key(&other_account, &["invoices:read"], json!({})).await;
        assert_eq!(codes(app, &one, json!({}), 3).await, ["valid", "valid", "rate_limited"]);
        let expected = json!({ "default": 0, "principal.default": 1, "principal.quota": 98, "organization.burst": 2 });
        assert_eq!(left(app, &one).await, expected);
        assert_eq!(codes(app, &two, json!({}), 2).await, ["valid", "rate_limited"]);
        assert_eq!(codes(app, &three, json!({}), 2).await, ["valid", "rate_limited"]);
        // An organization's administrator does not lift what the instance gave it.
        let admin = app.account_in(&organization, &[]).await;
        app.root().patch(&format!("/v1/service-accounts/{admin}"), json!({ "roles": ["organization-admin"] })).await
            .expect(StatusCode::OK);
        let admin = app.key(&admin, &["claviger:*"], json!({})).await;
        app.root().patch(&format!("/v1/organizations/{organization}"), json!({ "rate_limits": null })).await
            .expect(StatusCode::OK);
        for lift in [json!({ "rate_limits": null }), json!({ "quota": null })] {
            let lifted = app.client(&admin.token).patch(&format!("/v1/organizations/{organization}"), lift).await;
            lifted.problem(StatusCode::FORBIDDEN, "instance_scope_needed");
        }
    }

    async fn a_limit_survives_rolling_renaming_and_a_change_of_the_limit(app: &TestApp) {
        let key = limited(app, json!({ "rate_limits": rate("default", 3) })).await;
        let path = format!("/v1/api-keys/{}", key.id);
        assert_eq!(codes(app, &key, json!({}), 2).await, ["valid", "valid"]);
        app.root().patch(&path, json!({ "name": "renamed" })).await.expect(StatusCode::OK);
        let rolled = Key::from(app.root().post(&format!("{path}/roll"), json!({})).await.expect(StatusCode::OK));
        assert_eq!(codes(app, &rolled, json!({}), 2).await, ["valid", "rate_limited"]);
        app.root().patch(&path, json!({ "rate_limits": rate("default", 6) })).await.expect(StatusCode::OK);
        assert_eq!(codes(app, &rolled, json!({}), 1).await, ["rate_limited"]);
        app.root().patch(&path, json!({ "rate_limits": null })).await.expect(StatusCode::OK);
        let free = app.verify(&rolled.token, json!({})).await;
        assert_eq!((&free["code"], &free["limits"]), (&json!("valid"), &json!([])));
        assert_ne!(free["cache"], Value::Null);
    }

    async fn a_quota_survives_a_restart_and_ends_with_its_period(app: &TestApp) {
        let key = limited(app, json!({ "quota": { "limit": 3, "period": "day" } })).await;
        assert_eq!(codes(app, &key, json!({}), 2).await, ["valid", "valid"]);
        tokio::time::sleep(Duration::from_secs(1)).await;
        let mut again = app.another_node().await;
        assert_eq!(codes(&again, &key, json!({}), 2).await, ["valid", "quota_exceeded"]);
        let refused = again.verify(&key.token, json!({})).await;
        let wait = refused["retry_after_seconds"].as_u64().unwrap();
        assert!((1..=86_400).contains(&wait), "{refused}");
        again.clock.advance(SignedDuration::from_secs(wait as i64));
        assert_eq!(codes(&again, &key, json!({}), 1).await, ["valid"]);
        // A clock that jumps, and comes back, finds what was counted.
        again.clock.advance(SignedDuration::from_secs(-(wait as i64)));
        assert_eq!(codes(&again, &key, json!({}), 1).await, ["quota_exceeded"]);
        again.clock.advance(SignedDuration::from_hours(400 * 24));
        assert_eq!(codes(&again, &key, json!({}), 1).await, ["valid"]);
        again.clock.advance(SignedDuration::from_hours(-400 * 24));
        assert_eq!(codes(&again, &key, json!({}), 1).await, ["quota_exceeded"]);
        again.finish().await;
    }

    async fn a_quota_per_day_that_becomes_one_per_month_counts_the_month(app: &TestApp) {
        let key = limited(app, json!({ "quota": { "limit": 50, "period": "day" } })).await;
        let path = format!("/v1/api-keys/{}", key.id);
        // Not the first of a month, when the two begin at once.
        let day = app.app.now().to_zoned(jiff::tz::TimeZone::UTC).day();
        app.clock.advance(SignedDuration::from_hours(if day == 1 { 24 } else { 0 }));
        assert_eq!(codes(app, &key, json!({ "cost": 30 }), 1).await, ["valid"]);
        app.root().patch(&path, json!({ "quota": { "limit": 50, "period": "month" } })).await.expect(StatusCode::OK);
        assert_eq!(codes(app, &key, json!({ "cost": 40 }), 1).await, ["valid"]);
        tokio::time::sleep(Duration::from_secs(1)).await;
        let mut again = app.another_node().await;
        again.clock.advance(SignedDuration::from_hours(if day == 1 { 24 } else { 0 }));
        assert_eq!(left(&again, &key).await, json!({ "quota": 10 }));
        again.finish().await;
    }

    async fn limits_in_another_order_are_locked_in_the_same(app: &TestApp) {
        let order = |names: [&str; 2]| names.map(|name| json!({ "name": name, "limit": 1_000_000, "window_seconds": 1 }));
        let key = limited(app, json!({ "rate_limits": order(["a", "b"]) })).await;
        let path = format!("/v1/api-keys/{}", key.id);
        let spend = async || {
            for _ in 0..50 {
                assert_eq!(app.code(&key.token).await, "valid");
            }
        };
        let reorder = async || {
            for names in [["b", "a"], ["a", "b"], ["b", "a"], ["a", "b"]] {
                app.root().patch(&path, json!({ "rate_limits": order(names) })).await.expect(StatusCode::OK);
            }
        };
        let all = async { tokio::join!(spend(), spend(), spend(), reorder()) };
        tokio::time::timeout(Duration::from_secs(20), all).await.unwrap();
    }

    async fn who_serves_one_api_does_not_see_what_others_use(app: &TestApp) {
        app.declare_invoices().await;
        let (organization, account) = app.account("acme", &["invoices:read"]).await;
        let shared = json!({ "rate_limits": rate("default", 9), "quota": { "limit": 9, "period": "day" } });
        app.root().patch(&format!("/v1/organizations/{organization}"), shared).await.expect(StatusCode::OK);
        let key = app.key(&account, &["invoices:read"], json!({ "rate_limits": rate("own", 5) })).await;
        let (_, server) = app.account("server", &[]).await;
        app.root().patch(&format!("/v1/service-accounts/{server}"), json!({ "permissions": ["claviger:verify"] })).await
            .expect(StatusCode::OK);
        let apis = app.root().get("/v1/apis").await.expect(StatusCode::OK);
        let api = apis["items"].as_array().unwrap().iter().find(|api| api["identifier"] == "https://invoices.test").unwrap();
        let path = format!("/v1/apis/{}", text(&api["id"]));
        app.root().patch(&path, json!({ "resource_servers": [server] })).await.expect(StatusCode::OK);
        let server = app.key(&server, &["claviger:verify"], json!({})).await;
        let asked = json!({ "credential": key.token });
        let seen = app.client(&server.token).post("/v1/verify", asked).await.expect(StatusCode::OK);
        assert_eq!((&seen["valid"], seen["limits"].as_array().unwrap().len()), (&json!(true), 1), "{seen}");
        assert_eq!((&seen["limits"][0]["name"], &seen["limits"][0]["remaining"]), (&json!("own"), &json!(4)));
        assert_eq!(left(app, &key).await["organization.quota"], 8);
    }

    async fn a_limited_caller_does_not_shed_its_limits(app: &TestApp) {
        let (_, account) = app.account("acme", &["claviger:api_keys:write", "claviger:service_accounts:write"]).await;
        let path = format!("/v1/service-accounts/{account}");
        app.root().patch(&path, json!({ "quota": { "limit": 1000, "period": "day" } })).await.expect(StatusCode::OK);
        let key = app.key(&account, &["claviger:*"], json!({ "rate_limits": rate("default", 100) })).await;
        let me = app.client(&key.token);
        let own = format!("/v1/api-keys/{}", key.id);
        for more in [json!({ "rate_limits": rate("renamed", 100) }), json!({ "rate_limits": rate("default", 101) }),
            json!({ "rate_limits": null })] {
            me.patch(&own, more).await.problem(StatusCode::FORBIDDEN, "permission_missing");
        }
        me.patch(&path, json!({ "quota": null })).await.problem(StatusCode::FORBIDDEN, "permission_missing");
        me.patch(&path, json!({ "quota": { "limit": 999, "period": "day" } })).await.expect(StatusCode::OK);
        me.patch(&own, json!({ "rate_limits": rate("default", 99) })).await.expect(StatusCode::OK);
    }

    async fn the_management_api_limits_its_own_callers(app: &TestApp) {
        let (_, account) = app.account("acme", &[]).await;
        let path = format!("/v1/service-accounts/{account}");
        app.root().patch(&path, json!({ "roles": ["auditor"] })).await.expect(StatusCode::OK);
        let key = app.key(&account, &["claviger:*"], json!({ "rate_limits": rate("default", 1) })).await;
        app.client(&key.token).get("/v1/roles").await.expect(StatusCode::OK);
        let reply = app.client(&key.token).get("/v1/roles").await;
        assert_eq!(reply.header("ratelimit"), Some(r#""default";r=0;t=100000"#));
        assert_eq!(reply.header("ratelimit-policy"), Some(r#""default";q=1;w=100000"#));
        assert!(reply.header("retry-after").unwrap().parse::<u64>().unwrap() > 99_000);
        reply.problem(StatusCode::TOO_MANY_REQUESTS, "rate_limited");
    }

    async fn a_gateway_is_told_when_to_try_again(app: &TestApp) {
        let key = limited(app, json!({ "rate_limits": rate("default", 1), "quota": { "limit": 5, "period": "month" } })).await;
        let ask = async |query: &str| {
            let request = app.request(Method::GET, app.internal, &format!("/v1/forward-auth{query}"));
            request.header("x-api-key", &key.token).send().await.unwrap()
        };
        let header = |response: &reqwest::Response, name: &str| text(&json!(response.headers()[name].to_str().unwrap()));
        let passed = ask("").await;
        assert_eq!(passed.status(), StatusCode::OK);
        assert!(header(&passed, "ratelimit").starts_with(r#""default";r=0;t=100000, "quota";r=4;t="#));
        assert!(!passed.headers().contains_key("retry-after"));
        for (query, status) in [("", 429), ("?nginx=1", 403)] {
            let refused = ask(query).await;
            assert_eq!((refused.status().as_u16(), header(&refused, "x-claviger-code").as_str()), (status, "rate_limited"));
            assert!(header(&refused, "retry-after").parse::<u64>().unwrap() > 99_000);
            assert!(header(&refused, "ratelimit-policy").starts_with(r#""default";q=1;w=100000, "quota";q=5;w=2"#));
            assert!(!refused.headers().contains_key("www-authenticate"));
            assert_eq!(header(&refused, "content-length"), "0");
        }
    }

    async fn wrong_limits_are_named(app: &TestApp) {
        let (organization, account) = app.account("acme", &[]).await;
        let wrong = async |limits: Value, pointer: &str, code: &str| {
            let mut body = json!({ "service_account_id": account, "name": "x", "permissions": [] });
            body.as_object_mut().unwrap().extend(limits.as_object().unwrap().clone());
            app.root().post("/v1/api-keys", body).await.wrong(pointer, code);
            for path in [format!("/v1/service-accounts/{account}"), format!("/v1/organizations/{organization}")] {
                app.root().patch(&path, limits.clone()).await.wrong(pointer, code);
            }
        };
        wrong(json!({ "rate_limits": rate("default", 0) }), "/rate_limits/0/limit", "out_of_range").await;
        wrong(json!({ "rate_limits": rate("Default", 1) }), "/rate_limits/0/name", "invalid_name").await;
        wrong(json!({ "quota": { "limit": 0, "period": "day" } }), "/quota/limit", "out_of_range").await;
        wrong(json!({ "quota": { "limit": 1, "period": "year" } }), "/quota/period", "invalid_value").await;
        wrong(json!({ "quota": { "limit": -1, "period": "day" } }), "/quota/limit", "invalid_value").await;
        wrong(json!({ "quota": { "limit": 1, "period": "day", "x": 1 } }), "/quota/x", "unknown_member").await;
    }
}
