//! The questions of MQTT brokers, as Mosquitto's plug-in and EMQX send them.

use std::time::Duration;

use jiff::SignedDuration;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    access_tokens,
    app::{Key, SOON, TestApp, text, within},
    metrics::scrape,
};

/// What the guide puts into the broker's configuration.
const ACL: &str = "?publish=invoices:write&subscribe=invoices:read&object=device:%7B2%7D&topics=devices/%23";

struct Told {
    status: StatusCode,
    code: String,
    body: Value,
}

async fn ask(app: &TestApp, path: &str, body: Value) -> Told {
    told(app.request(Method::POST, app.internal, &format!("/v1/mqtt/{path}")).json(&body)).await
}

async fn told(request: reqwest::RequestBuilder) -> Told {
    let answer = request.send().await.unwrap();
    let (status, headers) = (answer.status(), answer.headers().clone());
    let code = headers.get("x-claviger-code").map(|code| code.to_str().unwrap().to_owned()).unwrap_or_default();
    assert_eq!(headers["content-type"], "application/json", "{code}");
    assert_eq!(headers["cache-control"], "no-store");
    Told { status, code, body: answer.json().await.unwrap() }
}

/// Mosquitto's question about a topic; both ways in which its plug-in sends it.
async fn mosquitto(app: &TestApp, user: &str, acc: u8, topic: &str) -> String {
    let path = format!("mosquitto/acl{ACL}");
    let sent = json!({ "username": user, "clientid": "pump", "topic": topic, "acc": acc });
    let as_json = ask(app, &path, sent).await;
    let form = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("username", user), ("clientid", "pump"), ("topic", topic), ("acc", &acc.to_string())])
        .finish();
    let request = app.request(Method::POST, app.internal, &format!("/v1/mqtt/{path}")).body(form);
    let as_form = told(request.header("content-type", "application/x-www-form-urlencoded")).await;
    let is_allowed = as_json.code == "valid";
    for told in [&as_json, &as_form] {
        assert_eq!(told.code, as_json.code, "{topic}");
        assert_eq!(told.status, if is_allowed { StatusCode::OK } else { StatusCode::FORBIDDEN }, "{}", told.code);
        assert_eq!(told.body["ok"], is_allowed);
        assert_eq!(told.body["error"] == "", is_allowed, "{}", told.body);
    }
    as_json.code
}

/// EMQX's question about a topic.
async fn emqx(app: &TestApp, user: &str, action: &str, topic: &str) -> String {
    let sent = json!({ "username": user, "topic": topic, "action": action, "peerhost": "192.0.2.7" });
    let told = ask(app, &format!("emqx/authorization{ACL}"), sent).await;
    let result = if told.code == "valid" { "allow" } else { "deny" };
    assert_eq!(
        (told.status, &told.body["result"], &told.body["is_superuser"]),
        (StatusCode::OK, &json!(result), &json!(false))
    );
    told.code
}

async fn device(app: &TestApp, permissions: &[&str], more: Value) -> Key {
    app.declare_invoices().await;
    let (_, account) = app.account("acme", &["invoices:read", "invoices:write"]).await;
    app.key(&account, permissions, more).await
}

on_both_databases! {
    async fn who_connects_shows_a_credential_and_is_called_by_its_id(app: &TestApp) {
        let key = device(app, &["invoices:read"], json!({})).await;
        let account = text(&key.body["service_account_id"]);
        let other = app.key(&account, &["invoices:read"], json!({})).await;
        let connect = async |user: &str, password: &str, query: &str| {
            let sent = json!({ "username": user, "password": password, "clientid": "pump" });
            let mosquitto = ask(app, &format!("mosquitto/user{query}"), sent).await;
            let sent = json!({ "username": user, "password": password, "peerhost": "192.0.2.7" });
            let emqx = ask(app, &format!("emqx/authentication{query}"), sent).await;
            assert_eq!(emqx.code, mosquitto.code);
            let is_allowed = emqx.code == "valid";
            assert_eq!(emqx.body["result"], if is_allowed { "allow" } else { "deny" });
            assert_eq!((emqx.status, emqx.body["is_superuser"].clone()), (StatusCode::OK, json!(false)));
            assert_eq!(mosquitto.body["ok"], is_allowed);
            assert_eq!(mosquitto.status.as_u16(), if is_allowed { 200 } else { 403 });
            emqx.code
        };
        assert_eq!(connect(&key.id, &key.token, "").await, "valid");
        assert_eq!(connect(&key.id, &key.token, "?permission=invoices:read").await, "valid");
        assert_eq!(connect(&key.id, &key.token, "?permission=invoices:write").await, "permission_missing");
        assert_eq!(connect(&key.id, &key.token, "?audience=https://other.test").await, "audience_mismatch");
        // Nobody is let in under the name of another, nor writes its secret where brokers log it.
        for user in [other.id.as_str(), "pump", "", "key_", &account] {
            assert_eq!(connect(user, &key.token, "").await, "user_name_mismatch", "{user}");
        }
        assert_eq!(connect(&key.token, &key.token, "").await, "credential_in_user_name");
        assert_eq!(connect(&key.id, "", "").await, "malformed");
        assert_eq!(connect(&key.id, "guess", "").await, "malformed");
        assert_eq!(connect(&key.id, "clv_key_000000000000000000000000000000001H8smx", "").await, "unknown");

        let claims = access_tokens::claims(app, &key, "invoices:read").await;
        for token in [access_tokens::signed(app, &claims).await, access_tokens::kept(app, &claims).await] {
            assert_eq!(connect(&token, "", "").await, "valid");
            assert_eq!(connect(&token, &token, "").await, "valid");
            assert_eq!(connect(&token, "mqtt", "").await, "valid");
            assert_eq!(connect(&token, &key.token, "").await, "several_credentials");
            // What may be less than its credential is not called by that.
            assert_eq!(connect(&key.id, &token, "").await, "user_name_mismatch");
        }
        app.root().post(&format!("/v1/api-keys/{}/revoke", key.id), json!({})).await.expect(StatusCode::OK);
        assert_eq!(connect(&key.id, &key.token, "").await, "revoked");
    }

    async fn what_a_client_may_do_follows_its_credential_from_topic_to_topic(app: &TestApp) {
        let more = json!({ "objects": ["device:42"] });
        let key = device(app, &["invoices:read", "invoices:write"], more).await;
        let account = text(&key.body["service_account_id"]);
        let all = app.key(&account, &["invoices:read"], json!({ "objects": ["device:*"] })).await;
        let free = app.key(&account, &["invoices:write"], json!({})).await;
        let check = async |user: &str, acc: u8, topic: &str, code: &str| {
            assert_eq!(mosquitto(app, user, acc, topic).await, code, "{acc} {topic}");
            let action = match acc { 2 => "publish", 4 => "subscribe", _ => return };
            assert_eq!(emqx(app, user, action, topic).await, code, "{action} {topic}");
        };
        for acc in [1, 2, 3, 4, 8] {
            check(&key.id, acc, "devices/42/up", "valid").await;
            check(&key.id, acc, "devices/43/up", "object_not_allowed").await;
            check(&key.id, acc, "other/42/up", "topic_not_allowed").await;
            check(&key.id, acc, "$SYS/broker/uptime", "topic_not_allowed").await;
            check("key_01h455vb4pex5vsknk084sn02q", acc, "devices/42/up", "unknown").await;
            check("pump", acc, "devices/42/up", "unknown").await;
            check(&key.token, acc, "devices/42/up", "unknown").await;
        }
        check(&key.id, 4, "devices/42/#", "valid").await;
        check(&key.id, 4, "$share/readers/devices/42/+", "valid").await;
        // A wildcard is for who is for everything that it stands for.
        for filter in ["devices/+/up", "devices/#", "$share/readers/devices/#"] {
            check(&key.id, 4, filter, "object_required").await;
            check(&all.id, 4, filter, "valid").await;
            check(&free.id, 4, filter, "permission_missing").await;
        }
        check(&free.id, 2, "devices/anything/up", "valid").await;
        for filter in ["#", "+/42/up", "$share/readers", "$share/readers/#", "$SYS/#", "devices/#/up", "devices/4+/up", ""] {
            check(&all.id, 4, filter, "topic_not_allowed").await;
        }
        for topic in ["devices/+/up", "devices/#", "devices/..", "devices/%2e%2e/up", "devices/a%2Fb/up", "devices//up", "devices/*",
            "devices/4\u{0}2", "devices/4 2", "devices", "devices/42\n", "$share/g/devices/42/up", ""] {
            check(&key.id, 2, topic, "topic_not_allowed").await;
        }
        check(&key.id, 2, &format!("devices/{}", "4".repeat(600)), "topic_not_allowed").await;
        check(&key.id, 2, &format!("devices/42{}", "/x".repeat(200)), "topic_not_allowed").await;

        // The node that answers need not be the one that let the client in.
        let mut other = app.another_node().await;
        assert_eq!(mosquitto(&other, &key.id, 2, "devices/42/up").await, "valid");
        app.root().post(&format!("/v1/api-keys/{}/revoke", key.id), json!({})).await.expect(StatusCode::OK);
        check(&key.id, 2, "devices/42/up", "revoked").await;
        within(SOON, "there too", async || {
            mosquitto(&other, &key.id, 2, "devices/42/up").await == "revoked"
        }).await;
        other.finish().await;
    }

    async fn an_access_token_may_do_no_more_than_it_says(app: &TestApp) {
        let key = device(app, &["invoices:read", "invoices:write"], json!({})).await;
        let claims = access_tokens::claims(app, &key, "invoices:read").await;
        let token = access_tokens::signed(app, &claims).await;
        assert_eq!(mosquitto(app, &token, 4, "devices/42/#").await, "valid");
        assert_eq!(mosquitto(app, &token, 2, "devices/42/up").await, "permission_missing");
        let sent = json!({ "username": token, "password": "" });
        let connected = ask(app, "emqx/authentication", sent).await;
        assert_eq!(connected.body["expire_at"], claims.exp);
        app.client(&token).delete("/v1/token").await.expect(StatusCode::NO_CONTENT);
        assert_eq!(mosquitto(app, &token, 4, "devices/42/#").await, "revoked");
    }

    async fn a_session_ends_in_time_whatever_is_not_asked_meanwhile(app: &TestApp) {
        let ends_at = app.app.now() + SignedDuration::from_mins(10);
        let key = device(app, &["invoices:read"], json!({})).await;
        let account = text(&key.body["service_account_id"]);
        let short = app.key(&account, &["invoices:read"], json!({ "expires_at": ends_at.to_string() })).await;
        let end = async |key: &Key, session: &str| {
            let sent = json!({ "username": key.id, "password": key.token });
            let told = ask(app, &format!("emqx/authentication?session={session}"), sent).await;
            assert_eq!(told.code, "valid", "{session}");
            told.body["expire_at"].as_i64().unwrap()
        };
        for (session, minutes) in [("15m", 15), ("1m", 1), ("24h", 24 * 60)] {
            let in_time = app.app.now().as_second() + minutes * 60;
            assert!((in_time..in_time + 60).contains(&end(&key, session).await), "{session}");
        }
        assert_eq!(end(&short, "15m").await, ends_at.as_second(), "a session lasts no longer than its credential");
        let sent = json!({ "username": key.id, "password": key.token });
        assert_eq!(ask(app, "emqx/authentication", sent.clone()).await.body.get("expire_at"), None);
        for session in ["", "59s", "25h", "-15m", "15", "x", "9999999999999999999h"] {
            let told = ask(app, &format!("emqx/authentication?session={session}"), sent.clone()).await;
            assert_eq!((told.code.as_str(), &told.body["result"]), ("invalid_session", &json!("deny")), "{session}");
        }
        assert_eq!(ask(app, "mosquitto/user?session=15m", sent).await.code, "invalid_query");
    }

    async fn what_is_for_tests_does_nothing_to_real_topics(app: &TestApp) {
        let live = device(app, &["invoices:read", "invoices:write"], json!({})).await;
        let account = text(&live.body["service_account_id"]);
        let test = app.key(&account, &["invoices:read", "invoices:write"], json!({ "environment": "test" })).await;
        let both = async |key: &Key, environment: &str| {
            let connect = json!({ "username": key.id, "password": key.token });
            let act = json!({ "username": key.id, "topic": "devices/42/up", "action": "publish" });
            let connected = ask(app, &format!("emqx/authentication?{environment}"), connect).await.code;
            let acted = ask(app, &format!("emqx/authorization{ACL}&{environment}"), act).await.code;
            assert_eq!(connected, acted);
            acted
        };
        for (key, environment, code) in [
            (&live, "", "valid"),
            (&live, "environment=live", "valid"),
            (&live, "environment=test", "audience_mismatch"),
            (&test, "", "audience_mismatch"),
            (&test, "environment=live", "audience_mismatch"),
            (&test, "environment=test", "valid"),
            (&test, "environment=any", "invalid_query"),
        ] {
            assert_eq!(both(key, environment).await, code, "{environment}");
        }
    }

    async fn what_no_verdict_tells_of_is_counted(app: &TestApp) {
        let key = device(app, &["invoices:read"], json!({})).await;
        let before = scrape(app).await;
        for (user, password) in [("pump", key.token.as_str()), (key.token.as_str(), "")] {
            ask(app, "mosquitto/user", json!({ "username": user, "password": password })).await;
        }
        emqx(app, &key.id, "publish", "other/42").await;
        let after = scrape(app).await;
        for reason in ["user_name_mismatch", "credential_in_user_name", "topic_not_allowed"] {
            let name = format!("claviger_mqtt_refusals_total{{reason=\"{reason}\"}}");
            assert_eq!(after.value(&name) - before.value(&name), 1.0, "{name}");
        }
    }

    async fn who_is_connected_is_in_use(app: &TestApp) {
        let key = device(app, &["invoices:read", "invoices:write"], json!({})).await;
        assert_eq!(emqx(app, &key.id, "publish", "devices/42/up").await, "valid");
        within(Duration::from_secs(10), "it was used", async || {
            let shown = app.root().get(&format!("/v1/api-keys/{}", key.id)).await.expect(StatusCode::OK);
            shown["last_used_at"].is_string() && shown["generations"][0]["last_used_at"].is_string()
        }).await;
    }

    async fn networks_limits_and_usage_hold_for_brokers_too(app: &TestApp) {
        let limits = json!([{ "name": "default", "limit": 3, "window_seconds": 36_000 }]);
        let more = json!({ "rate_limits": limits, "allowed_networks": ["192.0.2.0/24"] });
        let key = device(app, &["invoices:read", "invoices:write"], more).await;
        // Mosquitto does not tell where a client is.
        assert_eq!(mosquitto(app, &key.id, 2, "devices/42/up").await, "network_not_allowed");
        for _ in 0..3 {
            assert_eq!(emqx(app, &key.id, "publish", "devices/42/up").await, "valid");
        }
        assert_eq!(emqx(app, &key.id, "publish", "devices/42/up").await, "rate_limited");
        let open = app.key(&text(&key.body["service_account_id"]), &["invoices:read"], json!({ "rate_limits": limits })).await;
        for _ in 0..5 {
            assert_eq!(mosquitto(app, &open.id, 1, "devices/42/up").await, "valid", "nobody pays for what others send");
        }
        let id = open.id.parse().unwrap();
        within(Duration::from_secs(10), "it is counted", async || {
            app.app.store.uses(id).await.is_ok_and(|uses| uses.iter().any(|(_, code, uses)| code == "valid" && *uses == 10))
        }).await;
    }

    async fn a_question_that_is_wrong_lets_nobody_in(app: &TestApp) {
        let key = device(app, &["invoices:read", "invoices:write"], json!({})).await;
        let act = json!({ "username": key.id, "topic": "devices/42/up", "action": "publish" });
        let acc = json!({ "username": key.id, "topic": "devices/42/up", "acc": 2 });
        let connect = json!({ "username": key.id, "password": key.token });
        let with = |body: &Value, name: &str, value: Value| { let mut body = body.clone(); body[name] = value; body };
        let wrong = async |path: &str, body: Value, code: &str| {
            let (emqx, mosquitto) = (path.starts_with("emqx/"), path.starts_with("mosquitto/"));
            let told = ask(app, path, body).await;
            assert_eq!(told.code, code, "{path}");
            assert!(!emqx || (told.status == StatusCode::OK && told.body["result"] == "deny"), "{path}: {}", told.body);
            assert!(!mosquitto || (told.status.is_client_error() && told.body["ok"] == false), "{path}: {}", told.body);
        };
        // What the configuration leaves out is nobody's.
        wrong("emqx/authorization", act.clone(), "permission_missing").await;
        wrong("emqx/authorization?subscribe=invoices:read", act.clone(), "permission_missing").await;
        wrong("mosquitto/acl?subscribe=invoices:read", acc.clone(), "permission_missing").await;
        wrong("mosquitto/acl?publish=invoices:write", with(&acc, "acc", json!(3)), "permission_missing").await;
        for (query, code) in [
            ("?publish=", "empty_permission"), ("?publish=a*b", "invalid_permission"), ("?publsh=x", "invalid_query"),
            ("?publish=invoices:write&publish=invoices:write", "invalid_query"),
            ("?publish=invoices:write&object=device:%7Bid%7D", "invalid_object"),
            ("?publish=invoices:write&object=%7B1%7D:x", "invalid_object"),
            ("?publish=invoices:write&topics=a%23", "invalid_topics"),
        ] {
            wrong(&format!("emqx/authorization{query}"), act.clone(), code).await;
            wrong(&format!("mosquitto/acl{query}"), acc.clone(), code).await;
        }
        for path in ["emqx/authentication", "mosquitto/user"] {
            wrong(&format!("{path}?permission="), connect.clone(), "empty_permission").await;
            wrong(&format!("{path}?x=1"), connect.clone(), "invalid_query").await;
            wrong(path, json!({ "username": key.id }), "bad_request").await;
            wrong(path, json!([key.id, key.token]), "bad_request").await;
        }
        wrong(&format!("mosquitto/acl{ACL}"), with(&acc, "acc", json!(16)), "invalid_acc").await;
        wrong(&format!("mosquitto/acl{ACL}"), with(&acc, "acc", json!("2 ")), "invalid_acc").await;
        wrong(&format!("mosquitto/acl{ACL}"), with(&acc, "acc", json!(-1)), "bad_request").await;
        wrong(&format!("emqx/authorization{ACL}"), with(&act, "action", json!("all")), "bad_request").await;
        wrong(&format!("emqx/authorization{ACL}"), with(&act, "qos", json!(1)), "bad_request").await;
        wrong(&format!("emqx/authorization{ACL}"), with(&act, "topic", json!("x".repeat(70_000))), "body_too_large").await;
        wrong("mosquitto/superuser", json!({ "username": key.id }), "no_superuser").await;

        // A page in a browser, and somebody who calls the listener by another name.
        let form = format!("username={}&password={}", key.id, key.token);
        let send = |path: &str| app.request(Method::POST, app.internal, path).body(form.clone());
        let form = send("/v1/mqtt/mosquitto/user").header("content-type", "application/x-www-form-urlencoded; charset=utf-8");
        assert_eq!(told(form.try_clone().unwrap()).await.code, "valid");
        assert_eq!(told(form.header("origin", "https://evil.test")).await.code, "cross_origin");
        assert_eq!(told(send("/v1/mqtt/mosquitto/user").header("content-type", "text/plain")).await.code, "unsupported_media_type");
        for path in ["emqx/authentication", "emqx/authorization", "mosquitto/user", "mosquitto/superuser", "mosquitto/acl"] {
            let request = app.request(Method::POST, app.internal, &format!("/v1/mqtt/{path}")).header("host", "evil.test");
            let request = request.json(&connect);
            if path.starts_with("emqx/") {
                // It would ask somebody else.
                let told = told(request).await;
                assert_eq!((told.status, told.code.as_str(), &told.body["result"]), (StatusCode::OK, "host_not_allowed", &json!("deny")));
            } else {
                assert_eq!(request.send().await.unwrap().status(), StatusCode::MISDIRECTED_REQUEST);
            }
            let public = app.request(Method::POST, app.public, &format!("/v1/mqtt/{path}")).json(&connect);
            assert_eq!(public.send().await.unwrap().status(), StatusCode::NOT_FOUND);
        }
    }

    async fn while_storage_does_not_answer_nobody_is_let_in(app: &TestApp) {
        let key = device(app, &["invoices:read", "invoices:write"], json!({})).await;
        app.app.store.database().close().await;
        let connect = json!({ "username": key.id, "password": key.token });
        let told = ask(app, "emqx/authentication", connect.clone()).await;
        assert_eq!((told.status, told.code.as_str(), &told.body["result"]), (StatusCode::OK, "unavailable", &json!("deny")));
        let told = ask(app, "mosquitto/user", connect).await;
        assert_eq!((told.status, told.code.as_str()), (StatusCode::SERVICE_UNAVAILABLE, "unavailable"));
        let acc = json!({ "username": key.id, "topic": "devices/42/up", "acc": 2 });
        let told = ask(app, &format!("mosquitto/acl{ACL}"), acc).await;
        assert_eq!((told.status, told.code.as_str()), (StatusCode::SERVICE_UNAVAILABLE, "unavailable"));
    }
}
