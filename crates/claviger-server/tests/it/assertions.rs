//! `X-Claviger-Assertion`: what a gateway passes on, signed.

use std::time::Duration;

use claviger_token::{AssertionClaims, Jws, Typ, VerifyingKey};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    app::{INVOICES, PUBLIC_URL, Reply, TestApp, text, within},
    machine::{CLIENT_CREDENTIALS, TOKEN, claims, header},
};

async fn ask(app: &TestApp, query: &str, token: &str) -> Reply {
    let request =
        app.request(Method::GET, app.internal, &format!("/v1/forward-auth{query}")).header("x-api-key", token);
    Reply::read(app, request.send().await.unwrap()).await
}

async fn asserted(app: &TestApp, token: &str) -> String {
    let reply = ask(app, &format!("?audience={INVOICES}&permission=invoices:read&assertion=1"), token).await;
    assert_eq!(reply.status, StatusCode::OK);
    reply.header("x-claviger-assertion").unwrap().to_owned()
}

/// What it says, proved by the keys that are published.
async fn proved(app: &TestApp, assertion: &str) -> AssertionClaims {
    let keys = app.anonymous().get("/.well-known/jwks.json").await.expect(StatusCode::OK);
    let jws = Jws::parse(assertion, Typ::Is(AssertionClaims::TYP)).unwrap();
    let kid = jws.kid().unwrap();
    let key = keys["keys"].as_array().unwrap().iter().find(|key| key["kid"] == kid).unwrap();
    jws.proved(&VerifyingKey::from_members(key.as_object().unwrap()).unwrap()).unwrap()
}

on_both_databases! {
    async fn an_assertion_says_who_asks_and_its_signature_is_proved_by_the_published_keys(app: &TestApp) {
        app.declare_invoices().await;
        let other = json!({ "identifier": "https://b.test", "name": "B", "permissions": [{ "name": "b:read" }] });
        app.root().post("/v1/apis", other).await.expect(StatusCode::CREATED);
        let (organization, account) = app.account("acme", &["invoices:read", "b:read"]).await;
        let key = app.key(&account, &["invoices:read", "b:read"], json!({ "environment": "test" })).await;
        let assertion = asserted(app, &key.token).await;
        let said = serde_json::to_value(proved(app, &assertion).await).unwrap();
        assert_eq!(header(&assertion)["typ"], "claviger-assertion+jwt");
        let iat = said["iat"].as_i64().unwrap();
        assert_eq!(said, json!({
            "iss": PUBLIC_URL, "aud": INVOICES, "sub": account, "org": organization, "cred": key.id, "env": "test",
            "scope": "invoices:read", "iat": iat, "exp": iat + 60,
        }));
        let limited = app.key(&account, &["invoices:read"], json!({ "objects": ["base:app7"] })).await;
        let query = format!("?audience={INVOICES}&object=base:app7&assertion=1");
        let reply = ask(app, &query, &limited.token).await;
        assert_eq!(claims(reply.header("x-claviger-assertion").unwrap())["objects"], json!(["base:app7"]));
    }

    async fn one_serves_many_requests_until_what_it_says_changes(app: &TestApp) {
        let key = app.reader().await;
        // No two signatures are alike. What was just made may be read once more before it is kept.
        let is_kept = async || asserted(app, &key.token).await == asserted(app, &key.token).await;
        within(Duration::from_secs(10), "an assertion is kept", is_kept).await;
        let path = app.root().get("/v1/apis").await.expect(StatusCode::OK);
        let api = path["items"].as_array().unwrap().iter().find(|api| api["identifier"] == INVOICES).unwrap();
        let path = format!("/v1/apis/{}", text(&api["id"]));
        for algorithm in ["EdDSA", "RS256"] {
            app.root().patch(&path, json!({ "signing_algorithm": algorithm })).await.expect(StatusCode::OK);
            let assertion = asserted(app, &key.token).await;
            proved(app, &assertion).await;
            assert_eq!(header(&assertion)["alg"], algorithm);
        }
        app.root().post("/v1/signing-keys/rotate", json!({ "algorithm": "RS256", "emergency": true })).await;
        proved(app, &asserted(app, &key.token).await).await;
        app.client(&key.token).delete("/v1/token").await.expect(StatusCode::NO_CONTENT);
        let refused = ask(app, &format!("?audience={INVOICES}&assertion=1"), &key.token).await;
        assert_eq!((refused.status, refused.header("x-claviger-assertion")), (StatusCode::UNAUTHORIZED, None));
    }

    async fn an_assertion_is_nowhere_a_credential(app: &TestApp) {
        let client = app.machine().await;
        let key = app.key(&client.id, &["invoices:read"], json!({})).await;
        let assertion = asserted(app, &key.token).await;
        assert_eq!(app.code(&assertion).await, "malformed");
        assert_eq!(ask(app, "", &assertion).await.status, StatusCode::UNAUTHORIZED);
        assert_eq!(app.client(&assertion).get("/v1/token").await.status, StatusCode::UNAUTHORIZED);
        let told = app.form_of(&client, "/oauth/introspect", &[("token", assertion.as_str())]).await.expect(StatusCode::OK);
        assert_eq!(told["active"], false);
        let exchange = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"), ("subject_token", assertion.as_str()),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
        ];
        assert_eq!(app.form_of(&client, TOKEN, &exchange).await.status, StatusCode::BAD_REQUEST);
        let as_client = [
            CLIENT_CREDENTIALS, ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", assertion.as_str()),
        ];
        assert!(app.form(TOKEN, &as_client).await.status.is_client_error());
    }

    async fn an_access_token_has_one_that_ends_with_it(app: &TestApp) {
        let client = app.machine().await;
        let token = app.access_token(&client, &[("scope", "invoices:read")]).await;
        let said = proved(app, &asserted(app, &token).await).await;
        let of_token = claims(&token);
        assert_eq!((json!(said.cred), json!(said.sub), said.act), (of_token["cred"].clone(), json!(client.id), None));
        assert!(said.exp <= of_token["exp"].as_i64().unwrap());
        assert_eq!(said.scope.to_text(), "invoices:read");
    }

    async fn who_asks_for_none_gets_none_and_one_is_for_one_api(app: &TestApp) {
        let key = app.reader().await;
        let reply = ask(app, &format!("?audience={INVOICES}"), &key.token).await;
        assert_eq!((reply.status, reply.header("x-claviger-assertion")), (StatusCode::OK, None));
        for (query, status) in [("?assertion=1", 400), ("?permission=invoices:read&assertion=1&nginx=1", 403), ("?audience=x&assertion=yes", 400)] {
            let reply = ask(app, query, &key.token).await;
            assert_eq!((reply.status.as_u16(), reply.header("x-claviger-code")), (status, Some("invalid_query")), "{query}");
        }
        for query in [format!("?audience={INVOICES}&permission=invoices:write&assertion=1"), "?audience=https://b.test&assertion=1".to_owned()] {
            let reply = ask(app, &query, &key.token).await;
            assert_eq!((reply.status.is_success(), reply.header("x-claviger-assertion")), (false, None), "{query}");
            assert_eq!(reply.body, Value::Null);
        }
    }

    async fn one_that_no_gateway_could_pass_on_is_not_made(app: &TestApp) {
        app.declare_invoices().await;
        let (_, account) = app.account("acme", &["invoices:read"]).await;
        let objects: Vec<String> = (0..90).map(|number| format!("base:{}{number}", "x".repeat(100))).collect();
        let key = app.key(&account, &["invoices:read"], json!({ "objects": objects })).await;
        let reply = ask(app, &format!("?audience={INVOICES}&object={}&assertion=1", objects[0]), &key.token).await;
        assert_eq!((reply.status.as_u16(), reply.header("x-claviger-code")), (403, Some("assertion_too_long")));
    }
}
