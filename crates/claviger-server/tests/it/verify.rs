//! `POST /v1/verify`: every verdict that a key can get, as its caller sees it.

use claviger_server::App;
use jiff::SignedDuration;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::app::{INVOICES, Key, OF_ANOTHER_BRAND, Reply, TestApp, text};

async fn check(app: &TestApp, key: &Key, asked: Value, code: &str) {
    let answer = app.verify(&key.token, asked.clone()).await;
    assert_eq!((answer["code"].as_str(), answer["valid"].as_bool()), (Some(code), Some(code == "valid")), "{asked}");
    if code != "valid" {
        assert!(answer["message"].is_string());
        assert!(answer.get("permissions").is_none() && answer.get("cache").is_none(), "{answer}");
        assert_eq!(answer["credential"]["id"], json!(key.id));
    }
}

fn tomorrow(app: &App) -> String {
    (app.now() + SignedDuration::from_hours(24)).to_string()
}

on_both_databases! {
    async fn a_valid_answer_holds_every_member(app: &TestApp) {
        app.declare_invoices().await;
        let (organization, account) = app.account("acme", &["invoices:read"]).await;
        let more = json!({ "metadata": { "plan": "gold" }, "expires_at": "2099-01-01T00:00:00Z" });
        let key = app.key(&account, &["invoices:read"], more).await;
        let answer = app.verify(&key.token, json!({ "audience": INVOICES, "permissions": ["invoices:read"] })).await;
        assert_eq!(answer, json!({
            "valid": true, "code": "valid",
            "credential": { "id": key.id, "kind": "api_key", "name": "ci", "generation": "current",
                            "environment": "live", "expires_at": "2099-01-01T00:00:00Z" },
            "principal": { "id": account, "type": "service_account", "name": "sync", "external_id": null },
            "organization": { "id": organization, "slug": "acme", "external_id": null },
            "permissions": ["invoices:read"], "objects": null, "metadata": { "plan": "gold" }, "limits": [],
            "cache": { "max_age_seconds": 60, "audiences": [INVOICES], "networks": null, "epoch": 1 },
        }));
    }

    async fn who_asks_again_hears_the_same_until_the_end_is_near(app: &TestApp) {
        app.declare_invoices().await;
        let (_, account) = app.account("acme", &["invoices:read"]).await;
        let more = json!({ "expires_at": (app.app.now() + SignedDuration::from_secs(3_600)).to_string() });
        let key = app.key(&account, &["invoices:read"], more).await;
        let first = app.verify(&key.token, json!({})).await;
        assert_eq!((&first["valid"], &first["cache"]["max_age_seconds"]), (&json!(true), &json!(60)));
        for _ in 0..3 {
            assert_eq!(app.verify(&key.token, json!({})).await, first);
            check(app, &key, json!({ "permissions": ["invoices:write"] }), "permission_missing").await;
        }
        app.clock.advance(SignedDuration::from_secs(3_570));
        for _ in 0..3 {
            let age = app.verify(&key.token, json!({})).await["cache"]["max_age_seconds"].as_u64();
            assert!(age.is_some_and(|age| (15..=30).contains(&age)), "{age:?}");
        }
        app.clock.advance(SignedDuration::from_secs(30));
        check(app, &key, json!({}), "expired").await;
    }

    async fn a_credential_for_other_data_than_asked_is_for_another_audience(app: &TestApp) {
        app.declare_invoices().await;
        let (_, account) = app.account("acme", &["invoices:read"]).await;
        let limits = json!([{ "name": "default", "limit": 1, "window_seconds": 100_000 }]);
        for (own, other) in [("live", "test"), ("test", "live")] {
            let key = app.key(&account, &["invoices:read"], json!({ "environment": own, "rate_limits": limits })).await;
            for _ in 0..3 {
                check(app, &key, json!({ "environment": other }), "audience_mismatch").await;
            }
            // What is refused has spent nothing.
            check(app, &key, json!({ "environment": own }), "valid").await;
        }
        app.root().post("/v1/verify", json!({ "credential": "x", "environment": "any" })).await.wrong("/environment", "invalid_value");
    }

    async fn whoever_asks_for_the_state_alone_is_told_all_facts_and_spends_nothing(app: &TestApp) {
        app.declare_invoices().await;
        let (_, account) = app.account("acme", &["invoices:read"]).await;
        let state = json!({ "state_only": true });
        let limits = json!([{ "name": "default", "limit": 1, "window_seconds": 100_000 }]);
        for (more, has_facts) in [
            (json!({}), true),
            (json!({ "objects": ["base:app7"] }), true),
            (json!({ "allowed_networks": ["10.0.0.0/8"] }), true),
            (json!({ "rate_limits": limits }), false),
        ] {
            let key = app.key(&account, &["invoices:read"], more.clone()).await;
            for _ in 0..3 {
                let answer = app.verify(&key.token, state.clone()).await;
                assert_eq!((&answer["code"], &answer["permissions"]), (&json!("valid"), &json!(["invoices:read"])), "{more}");
                assert_eq!((answer["cache"].is_object(), &answer["objects"]), (has_facts, more.get("objects").unwrap_or(&Value::Null)));
                assert_eq!(answer["limits"], json!([]), "none was asked");
            }
            check(app, &key, json!({ "object": "base:app7", "client_ip": "10.1.2.3" }), "valid").await;
            app.root().post(&format!("/v1/api-keys/{}/revoke", key.id), json!({})).await.expect(StatusCode::OK);
            check(app, &key, state.clone(), "revoked").await;
        }
        for (member, value) in [
            ("audience", json!(INVOICES)),
            ("environment", json!("live")),
            ("permissions", json!(["invoices:read"])),
            ("object", json!("base:app7")),
            ("cost", json!(0)),
            ("proof", json!({})),
        ] {
            let body = json!({ "credential": "x", "state_only": true, member: value });
            app.root().post("/v1/verify", body).await.wrong("/state_only", "not_allowed");
        }
    }

    async fn malformed_and_unknown_say_nothing_else(app: &TestApp) {
        let key = app.reader().await;
        let mut typo = key.token.clone();
        typo.replace_range(10..11, if &typo[10..11] == "a" { "b" } else { "a" });
        for (credential, code) in [
            ("", "malformed"),
            ("clv_key_", "malformed"),
            (typo.as_str(), "malformed"),
            (&"x".repeat(10_000), "malformed"),
            ("clv_key_000000000000000000000000000000001H8smx", "unknown"),
        ] {
            let answer = app.verify(credential, json!({})).await;
            assert_eq!(answer["code"], code, "{credential}");
            assert_eq!(answer.as_object().unwrap().len(), 3, "{answer}");
            assert!(!text(&answer["message"]).contains("brand"), "{answer}");
        }
        // A whole token of another brand: perhaps from before this instance's was changed.
        let told = app.verify(OF_ANOTHER_BRAND, json!({})).await;
        assert_eq!((&told["code"], told.as_object().unwrap().len()), (&json!("malformed"), 3), "{told}");
        let message = text(&told["message"]);
        assert!(message.starts_with("It begins with acme_,") && message.contains("CLAVIGER_FORMER_BRANDS"), "{message}");
    }

    async fn state_codes(app: &TestApp) {
        app.declare_invoices().await;
        let (organization, account) = app.account("acme", &["invoices:read"]).await;
        let root = app.root();
        let make = async |more: Value| app.key(&account, &["invoices:read"], more).await;

        let key = make(json!({})).await;
        check(app, &key, json!({}), "valid").await;
        root.patch(&format!("/v1/api-keys/{}", key.id), json!({ "disabled": true })).await.expect(StatusCode::OK);
        check(app, &key, json!({}), "disabled").await;
        root.patch(&format!("/v1/api-keys/{}", key.id), json!({ "disabled": false })).await.expect(StatusCode::OK);
        check(app, &key, json!({}), "valid").await;
        root.post(&format!("/v1/api-keys/{}/revoke", key.id), json!({})).await.expect(StatusCode::OK);
        check(app, &key, json!({}), "revoked").await;

        let deleted = make(json!({})).await;
        check(app, &deleted, json!({}), "valid").await;
        root.delete(&format!("/v1/api-keys/{}", deleted.id)).await.expect(StatusCode::NO_CONTENT);
        check(app, &deleted, json!({}), "revoked").await;

        let later = make(json!({ "not_before": tomorrow(&app.app) })).await;
        check(app, &later, json!({}), "not_yet_valid").await;
        let ending = make(json!({ "expires_at": tomorrow(&app.app) })).await;
        check(app, &ending, json!({}), "valid").await;
        app.clock.advance(SignedDuration::from_hours(25));
        check(app, &ending, json!({}), "expired").await;
        check(app, &later, json!({}), "valid").await;

        for path in [format!("/v1/service-accounts/{account}"), format!("/v1/organizations/{organization}")] {
            let key = make(json!({})).await;
            check(app, &key, json!({}), "valid").await;
            root.patch(&path, json!({ "disabled": true })).await.expect(StatusCode::OK);
            check(app, &key, json!({}), "disabled").await;
            root.patch(&path, json!({ "disabled": false })).await.expect(StatusCode::OK);
            check(app, &key, json!({}), "valid").await;
        }
    }

    async fn use_codes(app: &TestApp) {
        app.declare_invoices().await;
        let (_, account) = app.account("acme", &["invoices:read", "invoices:write"]).await;
        let plain = app.key(&account, &["invoices:read"], json!({})).await;
        check(app, &plain, json!({ "audience": "https://other.test" }), "audience_mismatch").await;
        check(app, &plain, json!({ "audience": format!("{INVOICES}/") }), "valid").await;
        check(app, &plain, json!({ "permissions": ["invoices:write"] }), "permission_missing").await;
        check(app, &plain, json!({ "permissions": ["invoices:read", "invoices:write"] }), "permission_missing").await;
        check(app, &plain, json!({ "object": "base:app7" }), "valid").await;

        let limited = json!({ "objects": ["base:app7", "repo:acme/*"], "allowed_networks": ["10.0.0.0/8", "2001:db8::/32"] });
        let limited = app.key(&account, &["invoices:read"], limited).await;
        let from = |ip: &str, object: Value| json!({ "client_ip": ip, "object": object });
        check(app, &limited, json!({}), "network_not_allowed").await;
        check(app, &limited, from("192.0.2.1", json!("base:app7")), "network_not_allowed").await;
        check(app, &limited, from("::ffff:10.1.2.3", json!("base:app7")), "valid").await;
        check(app, &limited, from("2001:db8::1", json!("repo:acme/site")), "valid").await;
        check(app, &limited, json!({ "client_ip": "10.1.2.3" }), "object_required").await;
        check(app, &limited, from("10.1.2.3", json!("base:app8")), "object_not_allowed").await;
        check(app, &limited, from("10.1.2.3", json!(["base:app7", "repo:evil/x"])), "object_not_allowed").await;
    }

    async fn an_organization_allows_networks_for_all_its_keys(app: &TestApp) {
        let key = app.reader().await;
        check(app, &key, json!({}), "valid").await;
        let organization = text(&key.body["organization_id"]);
        let policy = json!({ "allowed_networks": ["203.0.113.0/24"] });
        app.root().patch(&format!("/v1/organizations/{organization}/policy"), policy).await.expect(StatusCode::OK);
        check(app, &key, json!({}), "network_not_allowed").await;
        check(app, &key, json!({ "client_ip": "203.0.113.9" }), "valid").await;
    }

    async fn bad_requests_are_told_precisely(app: &TestApp) {
        let verify = async |body: &str| {
            let request = app.request(Method::POST, app.internal, "/v1/verify").header("content-type", "application/json");
            Reply::read(app, request.body(body.to_owned()).send().await.unwrap()).await
        };
        verify("{}").await.wrong("/credential", "required");
        verify(r#"{"credential":7}"#).await.wrong("/credential", "invalid_type");
        verify(r#"{"credential":"x","objects":[]}"#).await.wrong("/objects", "unknown_member");
        verify(r#"{"credential":"x","object":"base:*"}"#).await.wrong("/object", "invalid_value");
        verify(r#"{"credential":"x","object":"a:b/../c"}"#).await.wrong("/object", "invalid_value");
        verify(r#"{"credential":"x","permissions":["a b"]}"#).await.wrong("/permissions/0", "invalid_value");
        verify(r#"{"credential":"x","client_ip":"here"}"#).await.wrong("/client_ip", "invalid_value");
        verify("{").await.problem(StatusCode::BAD_REQUEST, "malformed_json");
    }

    async fn on_the_public_listener_a_caller_sees_its_own_organization_and_the_apis_that_it_serves(app: &TestApp) {
        app.declare_invoices().await;
        let (acme, _) = app.account("acme", &[]).await;
        let bases = json!({ "identifier": "https://bases.test", "name": "Bases", "permissions": [{ "name": "bases:read" }] });
        app.root().post("/v1/apis", bases).await.expect(StatusCode::CREATED);
        let customer = app.account_in(&acme, &["invoices:read", "bases:read"]).await;
        let key = app.key(&customer, &["invoices:read", "bases:read"], json!({})).await;
        let asks = async |caller: &Key| {
            let body = json!({ "credential": key.token });
            app.client(&caller.token).post("/v1/verify", body).await.expect(StatusCode::OK)
        };

        let insider = app.account_in(&acme, &["claviger:verify"]).await;
        let insider = app.key(&insider, &["claviger:verify"], json!({})).await;
        assert_eq!(asks(&insider).await["code"], "valid");

        let (_, server) = app.account("server", &["claviger:verify"]).await;
        let stranger = app.key(&server, &["claviger:verify"], json!({})).await;
        assert_eq!(asks(&stranger).await["code"], "unknown");
        assert_eq!(asks(&stranger).await.as_object().unwrap().len(), 3);

        let apis = app.root().get("/v1/apis?q=invoices").await.expect(StatusCode::OK);
        let api = format!("/v1/apis/{}", text(&apis["items"][0]["id"]));
        app.root().patch(&api, json!({ "resource_servers": [server] })).await.expect(StatusCode::OK);
        assert_eq!(asks(&stranger).await["code"], "valid");
        assert_eq!(asks(&stranger).await["permissions"], json!(["invoices:read"]));
        let body = json!({ "credential": key.token, "permissions": ["bases:read"] });
        let asked = app.client(&stranger.token).post("/v1/verify", body).await.expect(StatusCode::OK);
        assert_eq!(asked["code"], "permission_missing", "what else it may do is not the server's to find out");

        let body = json!({ "credential": key.token });
        app.client(&key.token).post("/v1/verify", body).await.problem(StatusCode::FORBIDDEN, "permission_missing");
    }

    async fn what_the_principal_loses_its_keys_lose_at_once(app: &TestApp) {
        app.declare_invoices().await;
        let (organization, account) = app.account("acme", &[]).await;
        let root = app.root();
        let role = json!({ "name": "reader", "organization_id": organization, "permissions": ["invoices:read"] });
        let role = root.post("/v1/roles", role).await.expect(StatusCode::CREATED);
        let path = format!("/v1/service-accounts/{account}");
        root.patch(&path, json!({ "roles": ["reader"] })).await.expect(StatusCode::OK);
        let asked = json!({ "permissions": ["invoices:read"] });
        let key = app.key(&account, &["invoices:read"], json!({})).await;
        let following = app.key(&account, &["*"], json!({})).await;
        for key in [&key, &following] {
            check(app, key, asked.clone(), "valid").await;
        }
        let role = format!("/v1/roles/{}", text(&role["id"]));
        root.patch(&role, json!({ "permissions": [] })).await.expect(StatusCode::OK);
        for key in [&key, &following] {
            check(app, key, asked.clone(), "permission_missing").await;
        }
        root.patch(&role, json!({ "permissions": ["invoices:read"] })).await.expect(StatusCode::OK);
        check(app, &key, asked.clone(), "valid").await;
        root.delete(&role).await.expect(StatusCode::NO_CONTENT);
        check(app, &key, asked.clone(), "permission_missing").await;

        root.patch(&path, json!({ "permissions": ["invoices:read"] })).await.expect(StatusCode::OK);
        check(app, &key, asked.clone(), "valid").await;
        let ceiling = json!({ "ceiling": ["invoices:write"] });
        root.patch(&format!("/v1/organizations/{organization}"), ceiling).await.expect(StatusCode::OK);
        check(app, &key, asked.clone(), "permission_missing").await;
        let lifted = json!({ "ceiling": null });
        root.patch(&format!("/v1/organizations/{organization}"), lifted).await.expect(StatusCode::OK);
        check(app, &key, asked.clone(), "valid").await;

        let apis = root.get("/v1/apis?q=invoices").await.expect(StatusCode::OK);
        root.delete(&format!("/v1/apis/{}", text(&apis["items"][0]["id"]))).await.expect(StatusCode::NO_CONTENT);
        check(app, &key, asked, "permission_missing").await;
    }

    async fn what_was_deleted_does_not_come_back(app: &TestApp) {
        app.declare_invoices().await;
        let (organization, account) = app.account("acme", &["invoices:read"]).await;
        let key = app.key(&account, &["invoices:read"], json!({})).await;
        check(app, &key, json!({}), "valid").await;
        app.root().delete(&format!("/v1/service-accounts/{account}")).await.expect(StatusCode::NO_CONTENT);
        check(app, &key, json!({}), "revoked").await;
        assert_eq!(app.audit_trail(&key.id).await, ["api_key.created", "api_key.revoked"]);
        let account = app.account_in(&organization, &["invoices:read"]).await;
        let key = app.key(&account, &["invoices:read"], json!({})).await;
        check(app, &key, json!({}), "valid").await;
        app.root().delete(&format!("/v1/organizations/{organization}")).await.expect(StatusCode::NO_CONTENT);
        check(app, &key, json!({}), "revoked").await;
        assert_eq!(app.audit_trail(&key.id).await, ["api_key.created", "api_key.revoked"]);
        let path = format!("/v1/audit-events?target={organization}&action=organization.deleted");
        let end = app.root().get(&path).await.expect(StatusCode::OK);
        assert_eq!(end["items"][0]["details"]["ended_credentials"], json!([key.id]));
    }
}
