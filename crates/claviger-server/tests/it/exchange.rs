//! Token exchange (RFC 8693; the numbers are those of the cases that it must answer).

use claviger_token::{AccessTokenClaims, Confirmation};
use jiff::SignedDuration;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    access_tokens,
    app::{INVOICES, Key, Reply, TestApp, text},
    machine::{Machine, TOKEN, claims},
};

const EXCHANGE: (&str, &str) = ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange");
const ACCESS: &str = "urn:ietf:params:oauth:token-type:access_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

impl TestApp {
    async fn exchange(&self, client: &Machine, token: &str, more: &[(&str, &str)]) -> Reply {
        let fields = [EXCHANGE, ("subject_token", token), ("subject_token_type", ACCESS)];
        self.form_of(client, TOKEN, &[&fields, more].concat()).await
    }

    async fn exchanged(&self, client: &Machine, token: &str, more: &[(&str, &str)]) -> String {
        text(&self.exchange(client, token, more).await.expect(StatusCode::OK)["access_token"])
    }

    /// A personal access token of a member of the client's organization.
    async fn member_token(&self, client: &Machine, more: Value) -> Key {
        let user = self.user("zoe@acme.test").await;
        let member = format!("/v1/organizations/{}/members/{user}", client.organization);
        let rights = json!({ "roles": [], "permissions": ["invoices:read", "invoices:write"] });
        let put = self.root().put(&member, rights).await;
        assert!(put.status.is_success(), "{}", put.body);
        let mut body = json!({
            "user_id": user, "organization_id": client.organization, "name": "script", "permissions": ["invoices:read", "invoices:write"],
        });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Key::from(self.root().post("/v1/personal-access-tokens", body).await.expect(StatusCode::CREATED))
    }
}

on_both_databases! {
    async fn e01_a_token_is_exchanged_for_one_of_less(app: &TestApp) {
        let client = app.machine().await;
        let token = app.member_token(&client, json!({ "objects": ["base:app7"], "allowed_networks": ["127.0.0.0/8"] })).await;
        let reply = app.exchange(&client, &token.token, &[("scope", "invoices:read"), ("audience", INVOICES)]).await;
        assert_eq!((reply.header("cache-control"), reply.header("pragma")), (Some("no-store"), Some("no-cache")));
        let body = reply.expect(StatusCode::OK);
        assert_eq!((&body["issued_token_type"], &body["token_type"]), (&json!(ACCESS), &json!("Bearer")));
        assert_eq!((&body["scope"], &body["expires_in"]), (&json!("invoices:read"), &json!(600)));
        let claims = claims(&text(&body["access_token"]));
        let expected = [
            ("sub", &token.body["user_id"]), ("client_id", &json!(client.id)), ("cred", &json!(token.id)),
            ("objects", &json!(["base:app7"])), ("networks", &json!(["127.0.0.0/8"])), ("aud", &json!(INVOICES)),
        ];
        for (name, value) in expected {
            assert_eq!(claims[name], *value, "{name}");
        }
        assert!(claims.get("act").is_none());
        let asked = json!({ "permissions": ["invoices:read"], "object": "base:app7", "client_ip": "127.0.0.1" });
        assert_eq!(app.verify(&text(&body["access_token"]), asked).await["code"], "valid");
        let asked = json!({ "permissions": ["invoices:write"], "object": "base:app7", "client_ip": "127.0.0.1" });
        assert_eq!(app.verify(&text(&body["access_token"]), asked).await["code"], "permission_missing");
        let jwt = app.exchange(&client, &token.token, &[("requested_token_type", JWT)]).await.expect(StatusCode::OK);
        assert_eq!(jwt["issued_token_type"], JWT);
    }

    async fn e02_what_does_not_count_is_not_exchanged(app: &TestApp) {
        let client = app.machine().await;
        let key = app.key(&client.id, &["invoices:read"], json!({})).await;
        let refused = async |token: &str, more: &[(&str, &str)], error: &str| {
            app.exchange(&client, token, more).await.refusal(StatusCode::BAD_REQUEST, error);
        };
        app.exchanged(&client, &key.token, &[]).await;
        refused(&key.token, &[("scope", "invoices:write")], "invalid_scope").await;
        refused(&key.token, &[("audience", "https://nowhere.test")], "invalid_target").await;
        refused(&key.token, &[("resource", INVOICES), ("audience", "https://nowhere.test")], "invalid_target").await;
        refused(&key.token, &[("requested_token_type", "urn:ietf:params:oauth:token-type:id_token")], "invalid_request").await;
        for nothing in ["nonsense", "a.b.c", "clv_key_0", &client.secret] {
            refused(nothing, &[], "invalid_request").await;
        }
        let stranger = app.machine_with("other", &["invoices:read"]).await;
        let foreign = app.key(&stranger.id, &["invoices:read"], json!({})).await;
        refused(&foreign.token, &[], "invalid_request").await;
        app.root().post(&format!("/v1/api-keys/{}/revoke", key.id), json!({})).await.expect(StatusCode::OK);
        refused(&key.token, &[], "invalid_request").await;
        let fields = [EXCHANGE, ("subject_token", &foreign.token), ("subject_token_type", ACCESS)];
        app.form(TOKEN, &fields).await.refusal(StatusCode::UNAUTHORIZED, "invalid_client");
    }

    async fn whoever_serves_the_api_may_exchange_what_is_for_it(app: &TestApp) {
        let api = app.declare_invoices().await;
        let server = app.machine_with("acme", &[]).await;
        let customer = app.machine_with("customer", &["invoices:read"]).await;
        let key = app.key(&customer.id, &["invoices:read"], json!({})).await;
        app.exchange(&server, &key.token, &[]).await.refusal(StatusCode::BAD_REQUEST, "invalid_request");
        let path = format!("/v1/apis/{}", text(&api["id"]));
        app.root().patch(&path, json!({ "resource_servers": [server.id] })).await.expect(StatusCode::OK);
        let token = app.exchanged(&server, &key.token, &[]).await;
        assert_eq!((&claims(&token)["sub"], &claims(&token)["client_id"]), (&json!(customer.id), &json!(server.id)));
    }

    async fn e03_an_actor_stands_outermost(app: &TestApp) {
        let client = app.machine().await;
        let token = app.member_token(&client, json!({})).await;
        let own = app.access_token(&client, &[]).await;
        let actor = [("actor_token", own.as_str()), ("actor_token_type", ACCESS)];
        let first = app.exchanged(&client, &token.token, &actor).await;
        assert_eq!(claims(&first)["act"], json!({ "sub": client.id }));
        assert_eq!(claims(&first)["sub"], token.body["user_id"]);

        // Somebody else's turn, in the name of the same user.
        let second = app.account_in(&client.organization, &["invoices:read"]).await;
        let second = app.machine_of(client.organization.clone(), second).await;
        let own_of_second = app.access_token(&second, &[]).await;
        let actor = [("actor_token", own_of_second.as_str()), ("actor_token_type", JWT)];
        let chained = app.exchanged(&second, &first, &actor).await;
        assert_eq!(claims(&chained)["act"], json!({ "sub": second.id, "act": { "sub": client.id } }));
        // The chain goes on without a new actor, too.
        assert_eq!(claims(&app.exchanged(&second, &chained, &[]).await)["act"], claims(&chained)["act"]);
        assert_eq!(app.verify(&chained, json!({ "permissions": ["invoices:read"] })).await["code"], "valid");

        // An actor token that was given to somebody else proves nothing.
        let theirs = [("actor_token", own.as_str()), ("actor_token_type", ACCESS)];
        app.exchange(&second, &token.token, &theirs).await.refusal(StatusCode::BAD_REQUEST, "invalid_request");
        let alone = [("actor_token", own.as_str())];
        app.exchange(&client, &token.token, &alone).await.refusal(StatusCode::BAD_REQUEST, "invalid_request");
        let mut chain = chained;
        for _ in 0..6 {
            chain = app.exchanged(&second, &chain, &actor).await;
        }
        app.exchange(&second, &chain, &actor).await.refusal(StatusCode::BAD_REQUEST, "invalid_request");
    }

    async fn e04_nothing_is_ever_more_than_what_it_is_made_from(app: &TestApp) {
        let client = app.machine().await;
        let end = jiff::Timestamp::from_second(app.app.now().as_second() + 100).unwrap();
        let key = app.key(&client.id, &["invoices:read", "invoices:write"], json!({ "expires_at": end })).await;
        let narrow = app.exchanged(&client, &key.token, &[("scope", "invoices:read")]).await;
        let lasts = |token: &str| claims(token)["exp"].as_i64().unwrap();
        assert!(lasts(&narrow) <= end.as_second());
        app.exchange(&client, &narrow, &[("scope", "invoices:write")]).await.refusal(StatusCode::BAD_REQUEST, "invalid_scope");
        app.clock.advance(SignedDuration::from_secs(30));
        let again = app.exchanged(&client, &narrow, &[]).await;
        assert_eq!((&claims(&again)["scope"], lasts(&again)), (&json!("invoices:read"), lasts(&narrow)));
        assert_eq!(claims(&again)["cred"], json!(key.id));
        let introspected = app.request(Method::POST, app.public, "/oauth/introspect").basic_auth(&client.id, Some(&client.secret));
        let introspected = introspected.header("accept", "application/token-introspection+jwt").form(&[("token", &narrow)]);
        let introspected = introspected.send().await.unwrap().text().await.unwrap();
        let bound = AccessTokenClaims {
            cnf: Some(Confirmation::of_key([1; 32].into())), client_id: client.id.parse().unwrap(),
            ..access_tokens::claims(app, &key, "invoices:read").await
        };
        for other in [introspected, access_tokens::signed(app, &bound).await] {
            app.exchange(&client, &other, &[]).await.refusal(StatusCode::BAD_REQUEST, "invalid_request");
        }
        app.clock.advance(SignedDuration::from_secs(71));
        for token in [&narrow, &again, &key.token] {
            assert_eq!(app.code(token).await, "expired");
        }
        app.exchange(&client, &again, &[]).await.refusal(StatusCode::BAD_REQUEST, "invalid_request");
    }

    async fn x03_e04_details_only_become_less(app: &TestApp) {
        let client = app.machine().await;
        let key = app.key(&client.id, &["invoices:read"], json!({ "objects": ["repo:acme/*", "base:app7"] })).await;
        let of = |objects: &[&str]| json!([{ "type": "objects", "objects": objects }]);
        let exchange = async |token: &str, objects: &[&str]| {
            app.exchange(&client, token, &[("authorization_details", &of(objects).to_string())]).await
        };
        let wide = exchange(&key.token, &["repo:acme/a", "base:app7"]).await.expect(StatusCode::OK);
        assert_eq!(wide["authorization_details"], of(&["repo:acme/a", "base:app7"]));
        let wide = text(&wide["access_token"]);
        let narrow = exchange(&wide, &["base:app7"]).await.expect(StatusCode::OK);
        assert_eq!(claims(&text(&narrow["access_token"]))["objects"], json!(["base:app7"]));
        for (token, beyond) in [(&key.token, "repo:other/a"), (&key.token, "repo:*"), (&wide, "repo:acme/b"), (&wide, "repo:acme/*")] {
            let refusal = exchange(token, &["base:app7", beyond]).await;
            let refusal = refusal.refusal(StatusCode::BAD_REQUEST, "invalid_authorization_details");
            assert!(text(&refusal["error_description"]).contains(beyond), "{refusal}");
        }
        // Not asked for, they stay what they were.
        let same = app.exchanged(&client, &wide, &[]).await;
        assert_eq!(claims(&same)["authorization_details"], of(&["repo:acme/a", "base:app7"]));
        assert!(claims(&app.exchanged(&client, &key.token, &[]).await).get("authorization_details").is_none());
    }

    async fn e05_a_type_is_what_it_says(app: &TestApp) {
        let client = app.machine().await;
        let key = app.key(&client.id, &["invoices:read"], json!({})).await;
        let sort = async |token: &str, sort: &str| {
            let fields = [EXCHANGE, ("subject_token", token), ("subject_token_type", sort)];
            app.form_of(&client, TOKEN, &fields).await.status.as_u16()
        };
        let jwt = app.exchanged(&client, &key.token, &[]).await;
        assert_eq!((sort(&key.token, ACCESS).await, sort(&key.token, JWT).await), (200, 400));
        assert_eq!((sort(&jwt, ACCESS).await, sort(&jwt, JWT).await), (200, 200));
        for other in ["id_token", "refresh_token", "saml2"] {
            assert_eq!(sort(&jwt, &format!("urn:ietf:params:oauth:token-type:{other}")).await, 400);
        }
    }

    async fn what_ends_a_credential_ends_what_was_exchanged_from_it(app: &TestApp) {
        let client = app.machine().await;
        let key = app.key(&client.id, &["invoices:read"], json!({})).await;
        let first = app.exchanged(&client, &key.token, &[]).await;
        let second = app.exchanged(&client, &first, &[]).await;
        app.root().post(&format!("/v1/api-keys/{}/revoke", key.id), json!({})).await.expect(StatusCode::OK);
        assert_eq!((app.code(&first).await, app.code(&second).await), ("revoked".to_owned(), "revoked".to_owned()));
    }

    async fn the_limits_of_what_is_exchanged_count(app: &TestApp) {
        let client = app.machine().await;
        let limits = json!({ "rate_limits": [{ "name": "default", "limit": 2, "window_seconds": 3600 }] });
        let key = app.key(&client.id, &["invoices:read"], limits).await;
        let token = app.exchanged(&client, &key.token, &[]).await;
        assert_eq!(app.code(&token).await, "valid");
        assert_eq!(app.code(&token).await, "rate_limited");
        let reply = app.exchange(&client, &key.token, &[]).await;
        assert!(reply.header("retry-after").is_some());
        reply.refusal(StatusCode::TOO_MANY_REQUESTS, "temporarily_unavailable");
    }

    async fn r06_stopping_a_client_ends_what_it_got_in_exchange(app: &TestApp) {
        let api = app.declare_invoices().await;
        let customer = app.machine_with("customer", &["invoices:read"]).await;
        let key = app.key(&customer.id, &["invoices:read"], json!({})).await;
        let mut server = app.machine_with("acme", &[]).await;
        let api = format!("/v1/apis/{}", text(&api["id"]));
        let serve = async |server: &Machine| {
            app.root().patch(&api, json!({ "resource_servers": [server.id] })).await.expect(StatusCode::OK);
        };
        serve(&server).await;
        let organization = format!("/v1/organizations/{}", server.organization);
        for path in [server.path(), organization.clone()] {
            let token = app.exchanged(&server, &key.token, &[]).await;
            assert_eq!(app.code(&token).await, "valid");
            app.root().patch(&path, json!({ "disabled": true })).await.expect(StatusCode::OK);
            assert_eq!(app.code(&token).await, "revoked", "{path}");
            app.root().patch(&path, json!({ "disabled": false })).await.expect(StatusCode::OK);
            assert_eq!(app.code(&token).await, "revoked", "{path}: for good");
        }
        let token = app.exchanged(&server, &key.token, &[]).await;
        app.root().delete(&server.path()).await.expect(StatusCode::NO_CONTENT);
        assert_eq!(app.code(&token).await, "revoked");
        let account = app.account_in(&server.organization, &[]).await;
        server = app.machine_of(server.organization, account).await;
        serve(&server).await;
        let token = app.exchanged(&server, &key.token, &[]).await;
        app.root().delete(&organization).await.expect(StatusCode::NO_CONTENT);
        assert_eq!((app.code(&token).await, app.code(&key.token).await), ("revoked".to_owned(), "valid".to_owned()));
    }

    async fn a_client_that_was_stopped_elsewhere_gets_nothing_in_exchange(app: &TestApp) {
        app.declare_invoices().await;
        let mut other = app.another_node().await;
        for round in 0..3 {
            let client = app.machine_with(&format!("acme{round}"), &["invoices:read"]).await;
            let key = app.key(&client.id, &["invoices:read"], json!({})).await;
            let neighbour = app.account_in(&client.organization, &[]).await;
            let neighbour = app.machine_of(client.organization.clone(), neighbour).await;
            app.form_of(&neighbour, "/oauth/introspect", &[("token", &key.token)]).await.expect(StatusCode::OK);
            other.root().patch(&neighbour.path(), json!({ "disabled": true })).await.expect(StatusCode::OK);
            app.exchange(&neighbour, &key.token, &[]).await.refusal(StatusCode::UNAUTHORIZED, "invalid_client");
        }
        other.finish().await;
    }

    async fn the_limits_of_others_are_nobodys_to_read(app: &TestApp) {
        let api = app.declare_invoices().await;
        let customer = app.machine_with("customer", &["invoices:read"]).await;
        let limits = json!({ "rate_limits": [{ "name": "default", "limit": 1, "window_seconds": 3600 }], "objects": ["base:a"] });
        let key = app.key(&customer.id, &["invoices:read"], limits).await;
        let server = app.machine_with("acme", &[]).await;
        // Who may not exchange it spends nothing of it.
        app.exchange(&server, &key.token, &[]).await.refusal(StatusCode::BAD_REQUEST, "invalid_request");
        let api = format!("/v1/apis/{}", text(&api["id"]));
        app.root().patch(&api, json!({ "resource_servers": [server.id] })).await.expect(StatusCode::OK);
        app.exchanged(&server, &key.token, &[]).await;
        let throttled = app.exchange(&server, &key.token, &[]).await;
        assert_eq!((throttled.header("retry-after").is_some(), throttled.header("ratelimit")), (true, None));
        throttled.refusal(StatusCode::TOO_MANY_REQUESTS, "temporarily_unavailable");
        let own = app.exchange(&customer, &key.token, &[]).await;
        assert!(own.header("ratelimit").is_some(), "its own organization reads them");
    }
}
