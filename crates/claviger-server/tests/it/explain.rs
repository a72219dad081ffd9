//! The verify call that shows its working.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    access_tokens,
    app::{OF_ANOTHER_BRAND, TestApp, text},
};

async fn explained(app: &TestApp, token: &str, mut asked: Value) -> Value {
    asked["credential"] = json!(token);
    app.root().post("/v1/explain", asked).await.expect(StatusCode::OK)
}

fn step<'a>(explanation: &'a Value, code: &str) -> &'a Value {
    explanation["steps"].as_array().unwrap().iter().find(|step| step["code"] == code).unwrap()
}

on_both_databases! {
    async fn a_refusal_names_its_test_and_where_each_permission_is_lost(app: &TestApp) {
        let key = app.reader().await;
        let explained = explained(app, &key.token, json!({ "permissions": ["invoices:read", "invoices:write", "a:b"] })).await;
        assert_eq!((text(&explained["code"]), &explained["valid"]), ("permission_missing".to_owned(), &json!(false)));
        assert_eq!(step(&explained, "expired")["outcome"], "passed");
        assert_eq!(step(&explained, "permission_missing")["outcome"], "refused");
        assert_eq!(step(&explained, "permission_missing")["facts"]["missing"], json!(["invoices:write", "a:b"]));
        assert_eq!(step(&explained, "rate_limited")["outcome"], "not_reached");
        let [read, write, unknown] = explained["permissions"].as_array().unwrap().as_slice() else { panic!("{explained}") };
        assert_eq!((&read["effective"], &read["cut_by"], text(&read["declared_by"])), (&json!(true), &Value::Null, crate::app::INVOICES.to_owned()));
        assert_eq!((&read["given_by"][0]["role"], text(&read["given_by"][0]["scope"])), (&Value::Null, "organization".to_owned()));
        assert_eq!((&write["effective"], text(&write["cut_by"])), (&json!(false), "not_on_credential".to_owned()));
        assert_eq!((&unknown["given_by"], text(&unknown["cut_by"])), (&json!([]), "not_declared".to_owned()));
    }

    async fn a_limit_is_named_as_the_verify_call_names_it(app: &TestApp) {
        app.declare_invoices().await;
        let (_, account) = app.account("acme", &["invoices:read"]).await;
        let rate = json!({ "rate_limits": [{ "name": "my-quota", "limit": 1, "window_seconds": 3600 }] });
        let quota = json!({ "quota": { "limit": 1, "period": "month" } });
        for (limits, code) in [(rate, "rate_limited"), (quota, "quota_exceeded")] {
            let key = app.key(&account, &["invoices:read"], limits).await;
            assert_eq!([app.code(&key.token).await, app.code(&key.token).await], ["valid", code]);
            assert_eq!(explained(app, &key.token, json!({})).await["code"], code);
        }
    }

    async fn a_token_of_another_brand_is_told_from_garbage(app: &TestApp) {
        let told = explained(app, OF_ANOTHER_BRAND, json!({})).await;
        assert_eq!((&told["code"], &step(&told, "malformed")["outcome"]), (&json!("malformed"), &json!("refused")));
        assert!(text(&told["message"]).starts_with("It begins with acme_,"), "{told}");
        let told = explained(app, &OF_ANOTHER_BRAND[1..], json!({})).await;
        assert!(text(&told["message"]).contains("copied completely"), "{told}");
    }

    async fn a_token_is_explained_with_its_credential_its_epoch_and_its_scope(app: &TestApp) {
        app.declare_invoices().await;
        let (_, account) = app.account("acme", &["invoices:read", "invoices:write"]).await;
        let key = app.key(&account, &["invoices:read", "invoices:write"], json!({})).await;
        let claims = access_tokens::claims(app, &key, "invoices:read").await;
        let token = access_tokens::signed(app, &claims).await;
        let told = explained(app, &token, json!({ "permissions": ["invoices:read", "invoices:write"] })).await;
        assert_eq!((&told["code"], &told["credential"]["id"]), (&json!("permission_missing"), &json!(key.id)));
        let own = &told["access_token"];
        assert_eq!((&own["id"], &own["credential_id"]), (&json!(claims.jti), &json!(key.id)));
        assert_eq!((&own["epoch"], &own["credential_epoch"], &own["ended_by"]), (&json!(1), &json!(1), &Value::Null));
        let cut = |index: usize| told["permissions"][index]["cut_by"].clone();
        assert_eq!((cut(0), cut(1)), (Value::Null, json!("not_in_scope")));

        app.root().post(&format!("/v1/api-keys/{}/roll", key.id), json!({})).await.expect(StatusCode::OK);
        let told = explained(app, &token, json!({})).await;
        let own = &told["access_token"];
        assert_eq!((&told["code"], &own["ended_by"]), (&json!("revoked"), &json!("epoch")));
        assert_eq!((&own["epoch"], &own["credential_epoch"]), (&json!(1), &json!(2)));
        assert!(text(&own["message"]).contains("was rolled, narrowed, disabled or revoked since"));
        assert_eq!(step(&told, "revoked")["facts"]["ended_by"], "epoch");

        let next = access_tokens::claims(app, &key, "invoices:read").await;
        let next = access_tokens::signed(app, &next).await;
        app.client(&next).delete("/v1/token").await.expect(StatusCode::NO_CONTENT);
        assert_eq!(explained(app, &next, json!({})).await["access_token"]["ended_by"], "itself");
        assert_eq!(explained(app, &key.token, json!({})).await["access_token"], Value::Null);
    }

    async fn explaining_spends_nothing(app: &TestApp) {
        app.declare_invoices().await;
        let (_, account) = app.account("acme", &[]).await;
        let limits = json!({ "rate_limits": [{ "name": "default", "limit": 2, "window_seconds": 3600 }] });
        let key = app.key(&account, &[], limits).await;
        for _ in 0..5 {
            assert_eq!(explained(app, &key.token, json!({})).await["code"], "valid");
        }
        assert_eq!(explained(app, &key.token, json!({ "cost": 3 })).await["code"], "rate_limited");
        assert_eq!(app.verify(&key.token, json!({ "cost": 2 })).await["code"], "valid");
        assert_eq!(explained(app, &key.token, json!({})).await["code"], "rate_limited");
        let refused = app.root().post("/v1/explain", json!({ "credential": "x", "cost": 0 })).await;
        refused.wrong("/cost", "out_of_range");
    }

    async fn what_a_caller_may_not_see_is_not_explained(app: &TestApp) {
        app.declare_invoices().await;
        let (organization, account) = app.account("acme", &["claviger:verify", "invoices:read"]).await;
        let own = app.key(&account, &["claviger:verify", "invoices:read"], json!({})).await;
        let (_, other) = app.account("globex", &["invoices:read"]).await;
        let foreign = app.key(&other, &["invoices:read"], json!({})).await;
        let ask = async |token: &str| {
            let asked = json!({ "credential": token, "permissions": ["invoices:read"] });
            app.client(&own.token).post("/v1/explain", asked).await.expect(StatusCode::OK)
        };
        let explained = ask(&own.token).await;
        assert_eq!(explained["code"], "valid");
        assert_eq!(explained["organization"]["id"], organization);
        assert_eq!((&explained["permissions"][0]["given_by"], &explained["permissions"][0]["within_ceiling"]), (&Value::Null, &Value::Null));
        app.root().patch(&format!("/v1/organizations/{organization}"), json!({ "ceiling": ["claviger:verify"] })).await.expect(StatusCode::OK);
        let cut = ask(&own.token).await["permissions"][0].clone();
        assert_eq!((&cut["effective"], &cut["cut_by"], &cut["within_ceiling"]), (&json!(false), &json!("not_held"), &Value::Null));
        let asked = json!({ "credential": own.token, "permissions": ["invoices:read"] });
        let told = app.root().post("/v1/explain", asked).await.expect(StatusCode::OK);
        let cut = &told["permissions"][0];
        assert_eq!((&cut["cut_by"], &cut["within_ceiling"]), (&json!("ceiling"), &json!(false)));
        let hidden = ask(&foreign.token).await;
        assert_eq!((&hidden["code"], &hidden["credential"], &hidden["permissions"]), (&json!("unknown"), &Value::Null, &json!([])));
        assert!(hidden["steps"].as_array().unwrap().iter().all(|step| step["facts"] == Value::Null), "{hidden}");
        assert_eq!(ask("clv_key_x").await["code"], "malformed");
    }
}
