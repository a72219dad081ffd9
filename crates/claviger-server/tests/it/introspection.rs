//! Introspection (RFC 7662 and 9701; the numbers are those of the cases that it must answer).

use claviger_token::{Confirmation, Thumbprint};
use jiff::SignedDuration;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    access_tokens,
    app::{INVOICES, PUBLIC_URL, Reply, TestApp, text},
    machine::{Machine, claims, header},
};

const INTROSPECT: &str = "/oauth/introspect";

impl TestApp {
    pub(crate) async fn introspected(&self, asker: &Machine, token: &str) -> Value {
        let reply = self.form_of(asker, INTROSPECT, &[("token", token)]).await;
        assert_eq!(reply.header("cache-control"), Some("no-store"), "i06");
        reply.expect(StatusCode::OK)
    }

    async fn introspected_with(&self, credential: &str, token: &str) -> Reply {
        let sent =
            self.request(Method::POST, self.public, INTROSPECT).bearer_auth(credential).form(&[("token", token)]);
        Reply::read(self, sent.send().await.unwrap()).await
    }
}

on_both_databases! {
    async fn i01_nobody_asks_without_proof(app: &TestApp) {
        let client = app.machine().await;
        let token = app.access_token(&client, &[]).await;
        app.form(INTROSPECT, &[("token", &token)]).await.refusal(StatusCode::UNAUTHORIZED, "invalid_client");
        app.form(INTROSPECT, &[("token", &token), ("client_id", &client.id)]).await.refusal(StatusCode::UNAUTHORIZED, "invalid_client");
        let wrong = Machine { secret: "nonsense".to_owned(), ..app.machine_of(client.organization.clone(), client.id.clone()).await };
        app.form_of(&wrong, INTROSPECT, &[("token", &token)]).await.refusal(StatusCode::UNAUTHORIZED, "invalid_client");
        // A token is no proof by itself: it must be for this API, and permit to introspect.
        let key = app.key(&client.id, &["invoices:read"], json!({})).await;
        for (credential, expected) in [(&token, StatusCode::UNAUTHORIZED), (&key.token, StatusCode::FORBIDDEN)] {
            let reply = app.introspected_with(credential, &token).await;
            assert_eq!((reply.status, reply.body.get("active")), (expected, None));
        }
        assert_eq!(app.introspected_with("clv_key_nonsense", &token).await.status, StatusCode::UNAUTHORIZED);
    }

    async fn i02_i03_what_is_not_for_the_asker_is_not_active(app: &TestApp) {
        let api = app.declare_invoices().await;
        let mail = json!({ "identifier": "https://mail.test", "name": "Mail", "permissions": [{ "name": "mail:send" }] });
        let mail = app.root().post("/v1/apis", mail).await.expect(StatusCode::CREATED);
        let client = app.machine_with("acme", &["invoices:read", "mail:send"]).await;
        let (of_invoices, of_mail) = (app.machine_with("invoices", &[]).await, app.machine_with("mail", &[]).await);
        for (api, server) in [(&api, &of_invoices), (&mail, &of_mail)] {
            let path = format!("/v1/apis/{}", text(&api["id"]));
            app.root().patch(&path, json!({ "resource_servers": [server.id] })).await.expect(StatusCode::OK);
        }
        let token = app.access_token(&client, &[("resource", INVOICES)]).await;
        assert_eq!(app.introspected(&of_invoices, &token).await["active"], true);
        assert_eq!(app.introspected(&client, &token).await["active"], true);
        let inactive = json!({ "active": false });
        assert_eq!(app.introspected(&of_mail, &token).await, inactive);
        let stranger = app.machine_with("stranger", &["invoices:read"]).await;
        assert_eq!(app.introspected(&stranger, &token).await, inactive);

        // Of a key that is for both, each sees its own half.
        let key = app.key(&client.id, &["invoices:read", "mail:send"], json!({})).await;
        let seen = app.introspected(&of_mail, &key.token).await;
        assert_eq!((&seen["scope"], &seen["aud"], &seen["sub"]), (&json!("mail:send"), &json!("https://mail.test"), &json!(client.id)));
        assert_eq!(app.introspected(&client, &key.token).await["scope"], "invoices:read mail:send");

        for nothing in ["nonsense", "a.b.c", "clv_key_x", "\u{e9}\u{0}", &client.secret, &format!("{token}x"), &"x".repeat(9000)] {
            assert_eq!(app.introspected(&of_invoices, nothing).await, inactive, "{nothing}");
        }
        app.clock.advance(SignedDuration::from_secs(600));
        assert_eq!(app.introspected(&of_invoices, &token).await, inactive);
        app.root().post(&format!("/v1/api-keys/{}/revoke", key.id), json!({})).await.expect(StatusCode::OK);
        assert_eq!(app.introspected(&client, &key.token).await, inactive);
    }

    async fn i04_an_active_token_is_described(app: &TestApp) {
        let client = app.machine().await;
        let token = app.access_token(&client, &[("scope", "invoices:read")]).await;
        let (told, claims) = (app.introspected(&client, &token).await, claims(&token));
        let expected = [
            ("active", json!(true)), ("scope", json!("invoices:read")), ("client_id", json!(client.id)), ("sub", json!(client.id)),
            ("aud", json!(INVOICES)), ("iss", json!(PUBLIC_URL)), ("token_type", json!("Bearer")),
            ("org", json!(client.organization)), ("cred", json!(client.secret_id)), ("env", json!("live")),
        ];
        for (name, value) in &expected {
            assert_eq!(told[*name], *value, "{name}");
        }
        for name in ["exp", "iat", "jti"] {
            assert_eq!(told[name], claims[name], "{name}");
        }
        assert!(told.get("cnf").is_none() && told["exp"].is_i64());
        // What the client lost, a token that was made before has not.
        app.root().patch(&client.path(), json!({ "permissions": ["invoices:write"] })).await.expect(StatusCode::OK);
        assert_eq!(app.introspected(&client, &token).await, json!({ "active": false }));
        let now = app.access_token(&client, &[]).await;
        assert_eq!(app.introspected(&client, &now).await["scope"], "invoices:write");
    }

    async fn i04_what_limits_a_token_is_told(app: &TestApp) {
        let client = app.machine().await;
        let limits = json!({ "objects": ["base:app7"], "allowed_networks": ["10.0.0.0/8", "192.0.2.0/24"] });
        let key = app.key(&client.id, &["invoices:read"], limits).await;
        let policy = format!("/v1/organizations/{}/policy", client.organization);
        let networks = json!({ "allowed_networks": ["10.1.0.0/16", "127.0.0.0/8"] });
        app.root().patch(&policy, networks).await.expect(StatusCode::OK);
        let told = app.introspected(&client, &key.token).await;
        assert_eq!((&told["objects"], &told["networks"]), (&json!(["base:app7"]), &json!(["10.1.0.0/16"])));
        app.root().patch(&policy, json!({ "allowed_networks": ["127.0.0.0/8"] })).await.expect(StatusCode::OK);
        assert_eq!(app.introspected(&client, &key.token).await, json!({ "active": false }), "from nowhere");
        app.root().patch(&policy, json!({ "allowed_networks": null })).await.expect(StatusCode::OK);
        let mut bound = access_tokens::claims(app, &key, "invoices:read").await;
        (bound.cnf, bound.client_id) = (Some(Confirmation::of_key([1; 32].into())), client.id.parse().unwrap());
        let bound = access_tokens::signed(app, &bound).await;
        assert_eq!(app.introspected(&client, &bound).await["cnf"], json!({ "jkt": Thumbprint::from([1; 32]) }));
    }

    async fn nobody_asks_as_two(app: &TestApp) {
        let client = app.machine().await;
        let token = app.access_token(&client, &[]).await;
        let asked = || app.request(Method::POST, app.public, INTROSPECT).header("x-api-key", app.root_token());
        let as_both = asked().basic_auth(&client.id, Some(&client.secret)).form(&[("token", &token)]);
        let reply = Reply::read(app, as_both.send().await.unwrap()).await;
        reply.refusal(StatusCode::BAD_REQUEST, "invalid_request");
        let fields = [("token", token.as_str()), ("client_id", &client.id), ("client_secret", &client.secret)];
        let reply = Reply::read(app, asked().form(&fields).send().await.unwrap()).await;
        reply.refusal(StatusCode::BAD_REQUEST, "invalid_request");
    }

    async fn i05_hints_do_not_matter_and_the_form_does(app: &TestApp) {
        let client = app.machine().await;
        let token = app.access_token(&client, &[]).await;
        for hint in ["refresh_token", "access_token", "pat", "\"\\"] {
            let reply = app.form_of(&client, INTROSPECT, &[("token", &token), ("token_type_hint", hint)]).await;
            assert_eq!(reply.expect(StatusCode::OK)["active"], true);
        }
        app.form_of(&client, INTROSPECT, &[]).await.refusal(StatusCode::BAD_REQUEST, "invalid_request");
        let twice = [("token", token.as_str()), ("token", token.as_str())];
        app.form_of(&client, INTROSPECT, &twice).await.refusal(StatusCode::BAD_REQUEST, "invalid_request");
        let got = app.anonymous().get(&format!("{INTROSPECT}?token={token}")).await;
        assert_eq!((got.status, got.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, Some("POST")));
    }

    async fn i07_an_answer_can_be_signed(app: &TestApp) {
        let client = app.machine().await;
        let token = app.access_token(&client, &[]).await;
        let signed = async |token: &str| -> String {
            let asked = app.request(Method::POST, app.public, INTROSPECT).basic_auth(&client.id, Some(&client.secret));
            let asked = asked.header("accept", "application/json;q=0.5, Application/Token-Introspection+JWT").form(&[("token", token)]);
            let response = asked.send().await.unwrap();
            assert_eq!(response.headers()["content-type"], "application/token-introspection+jwt");
            response.text().await.unwrap()
        };
        let declined = app.request(Method::POST, app.public, INTROSPECT).basic_auth(&client.id, Some(&client.secret));
        let declined = declined.header("accept", "application/json, application/token-introspection+jwt;q=0");
        let declined = declined.form(&[("token", &token)]).send().await.unwrap();
        assert_eq!(declined.headers()["content-type"], "application/json");
        let jwt = signed(&token).await;
        assert_eq!(header(&jwt)["typ"], "token-introspection+jwt");
        let told = claims(&jwt);
        let members: Vec<&String> = told.as_object().unwrap().keys().collect();
        assert_eq!(members, ["aud", "iat", "iss", "token_introspection"]);
        assert_eq!((&told["aud"], &told["iss"]), (&json!(client.id), &json!(PUBLIC_URL)));
        assert_eq!(told["token_introspection"], app.introspected(&client, &token).await);
        assert_eq!(claims(&signed("nonsense").await)["token_introspection"], json!({ "active": false }));
        // One is never taken for the other.
        assert_eq!(app.verify(&jwt, json!({})).await["valid"], false);
        assert_eq!(app.introspected(&client, &jwt).await, json!({ "active": false }));
    }

    async fn whoever_may_introspect_needs_no_client(app: &TestApp) {
        let client = app.machine().await;
        let token = app.access_token(&client, &[]).await;
        let watcher = app.account_in(&client.organization, &["claviger:introspect"]).await;
        let key = app.key(&watcher, &["claviger:introspect"], json!({})).await;
        assert_eq!(app.introspected_with(&key.token, &token).await.expect(StatusCode::OK)["sub"], json!(client.id));
        let elsewhere = app.machine_with("elsewhere", &["invoices:read"]).await;
        let foreign = app.access_token(&elsewhere, &[]).await;
        assert_eq!(app.introspected_with(&key.token, &foreign).await.expect(StatusCode::OK), json!({ "active": false }));
        assert_eq!(app.introspected_with(app.root_token(), &foreign).await.expect(StatusCode::OK)["active"], true);
    }
}
