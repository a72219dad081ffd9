//! `/v1/service-accounts/{id}/public-keys`: with what a client's assertions are proved.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::app::{TestApp, text};

/// RFC 7515, appendix A.3; RFC 8037, appendix A.2.
const P256: &str = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
const ED25519: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

fn path(account: &str) -> String {
    format!("/v1/service-accounts/{account}/public-keys")
}

fn jwk(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

on_both_databases! {
    async fn a_key_lives_from_its_registration_until_it_is_revoked(app: &TestApp) {
        let (organization, account) = app.account("acme", &[]).await;
        let (root, path) = (app.root(), path(&account));
        let mut given = jwk(P256);
        given["kid"] = json!("2027-01");
        given["x5c"] = json!(["not ours to keep"]);
        let made = root.post(&path, json!({ "name": "signs", "jwk": given })).await;
        let location = made.header("location").unwrap().to_owned();
        let made = made.expect(StatusCode::CREATED);
        let id = text(&made["id"]);
        assert!(id.starts_with("ckey_"));
        assert_eq!(location, format!("{path}/{id}"));
        assert_eq!((&made["client_id"], &made["organization_id"]), (&json!(account), &json!(organization)));
        given.as_object_mut().unwrap().remove("x5c");
        given.as_object_mut().unwrap().extend([("use".to_owned(), json!("sig")), ("alg".to_owned(), json!("ES256"))]);
        assert_eq!((&made["jwk"], &made["jwks_uri"]), (&given, &Value::Null));
        assert_eq!(made["jwk_thumbprint"], "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U");
        assert_eq!(root.get(&location).await.expect(StatusCode::OK), made);

        let at_home = json!({ "name": "publishes", "jwks_uri": "https://client.test/jwks", "expires_at": "2099-01-01T00:00:00Z" });
        let at_home = root.post(&path, at_home).await.expect(StatusCode::CREATED);
        assert_eq!((&at_home["jwk"], &at_home["jwks_uri"]), (&Value::Null, &json!("https://client.test/jwks")));
        let list = root.get(&format!("{path}?limit=1")).await.expect(StatusCode::OK);
        assert_eq!(list["items"], json!([at_home]));
        let next = root.get(&format!("{path}?limit=1&cursor={}", text(&list["next_cursor"]))).await.expect(StatusCode::OK);
        assert_eq!((&next["items"], &next["next_cursor"]), (&json!([made]), &Value::Null));

        let changed = root.patch(&location, json!({ "name": "renamed", "disabled": true })).await.expect(StatusCode::OK);
        assert_eq!((&changed["name"], &changed["status"], &changed["jwk"]), (&json!("renamed"), &json!("disabled"), &given));
        root.patch(&location, json!({ "jwk": jwk(ED25519) })).await.wrong("/jwk", "unknown_member");
        root.post(&format!("{location}/roll"), json!({})).await.problem(StatusCode::NOT_FOUND, "not_found");
        let revoked = root.post(&format!("{location}/revoke"), json!({ "reason": "superseded" })).await;
        assert_eq!(revoked.expect(StatusCode::OK)["revoke_reason"], "superseded");
        root.delete(&location).await.expect(StatusCode::NO_CONTENT);
        root.get(&location).await.problem(StatusCode::NOT_FOUND, "not_found");
        assert_eq!(app.audit_trail(&id).await, [
            "public_key.created", "public_key.disabled", "public_key.revoked", "public_key.deleted",
        ]);
        let event = root.get(&format!("/v1/audit-events?target={id}&action=public_key.created")).await;
        let event = event.expect(StatusCode::OK)["items"][0].clone();
        assert_eq!(event["details"]["jwk_thumbprint"], made["jwk_thumbprint"]);
    }

    async fn j05_what_is_no_public_key_for_signatures_is_refused(app: &TestApp) {
        let (_, account) = app.account("acme", &[]).await;
        let (root, path) = (app.root(), path(&account));
        let with = |key: &str, member: &str, value: Value| {
            let mut key = jwk(key);
            key[member] = value;
            key
        };
        let rsa = |bytes: usize, e: &str| json!({ "kty": "RSA", "n": "_".repeat(bytes * 8 / 6) + "w", "e": e });
        for wrong in [
            with(P256, "d", json!("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI")),
            with(ED25519, "d", json!("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")),
            with(ED25519, "k", json!("AA")),
            json!({ "kty": "oct", "k": "c2VjcmV0" }),
            rsa(128, "AQAB"),
            rsa(256, "AQ"),
            json!({ "kty": "XYZ" }),
            with(P256, "crv", json!("P-384")),
            with(P256, "y", json!("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a1")),
            with(ED25519, "x", json!("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")),
            with(ED25519, "use", json!("enc")),
            with(ED25519, "alg", json!("HS256")),
            with(ED25519, "kid", json!("k".repeat(257))),
            with(ED25519, "x5c", json!("c".repeat(9000))),
            json!({ "keys": [jwk(ED25519)] }),
            json!([]),
            json!("clv"),
        ] {
            let reply = root.post(&path, json!({ "name": "x", "jwk": wrong.clone() })).await;
            assert!(!reply.body.to_string().contains("nWGxne_9WmC6hEr0"), "a private part is not repeated");
            reply.wrong("/jwk", "invalid_jwk");
        }
        for wrong in [
            "", "jwks", "javascript:alert(1)", "file:///etc/passwd", "http://client.test/jwks", "https://user:pass@client.test/",
            "https://@client.test/", "https://client.test/#keys", "https://client.test/ x", "//client.test/",
        ] {
            let reply = root.post(&path, json!({ "name": "x", "jwks_uri": wrong })).await;
            reply.wrong("/jwks_uri", "invalid_jwks_uri");
        }
        root.post(&path, json!({ "name": "x" })).await.wrong("/jwk", "required");
        let both = json!({ "name": "x", "jwk": jwk(ED25519), "jwks_uri": "https://client.test/jwks" });
        root.post(&path, both).await.wrong("/jwks_uri", "one_of");
        // What says something twice could be read in two ways.
        let twice = format!(r#"{{"name":"x","jwk":{}}}"#, ED25519.replace('}', r#","x":"AAAA"}"#));
        let sent = app.request(Method::POST, app.public, &path).bearer_auth(app.root_token());
        let sent = sent.header("content-type", "application/json").body(twice).send().await.unwrap();
        crate::app::Reply::read(app, sent).await.wrong("/jwk", "invalid_jwk");
        assert_eq!(root.get(&path).await.expect(StatusCode::OK)["items"], json!([]));
    }

    async fn an_account_has_few_keys_and_each_once(app: &TestApp) {
        let (_, account) = app.account("acme", &[]).await;
        let (root, path) = (app.root(), path(&account));
        let key = json!({ "name": "x", "jwk": jwk(ED25519) });
        let post = async |body: &Value| root.post(&path, body.clone()).await;
        let first = post(&key).await.expect(StatusCode::CREATED);
        post(&key).await.problem(StatusCode::CONFLICT, "key_exists");
        let revoke = format!("{path}/{}/revoke", text(&first["id"]));
        root.post(&revoke, json!({})).await.expect(StatusCode::OK);
        post(&key).await.expect(StatusCode::CREATED);
        for number in 1..20 {
            post(&json!({ "name": "x", "jwks_uri": format!("https://client.test/{number}") })).await.expect(StatusCode::CREATED);
        }
        post(&json!({ "name": "x", "jwks_uri": "https://client.test/21" })).await.problem(StatusCode::CONFLICT, "too_many");
    }

    async fn a_repeated_registration_makes_one_key(app: &TestApp) {
        let (_, account) = app.account("acme", &[]).await;
        let (root, path) = (app.root(), path(&account));
        let body = json!({ "name": "x", "jwk": jwk(ED25519) });
        let post = async || root.send(Method::POST, &path, Some(body.clone()), &[("idempotency-key", "a")]).await;
        let first = post().await.expect(StatusCode::CREATED);
        assert_eq!(post().await.expect(StatusCode::CREATED), first);
    }

    async fn nobody_registers_a_key_that_reaches_beyond_the_credential_they_use(app: &TestApp) {
        let (_, account) = app.account("acme", &["claviger:service_accounts:write"]).await;
        let narrow = app.key(&account, &["claviger:service_accounts:write"], json!({})).await;
        let body = json!({ "name": "x", "jwk": jwk(ED25519) });
        let refused = app.client(&narrow.token).post(&path(&account), body.clone()).await;
        refused.problem(StatusCode::FORBIDDEN, "permission_missing");
        let whole = app.key(&account, &["*", "claviger:*"], json!({})).await;
        app.client(&whole.token).post(&path(&account), body).await.expect(StatusCode::CREATED);
    }

    async fn keys_of_others_look_absent(app: &TestApp) {
        let (organization, account) = app.account("acme", &[]).await;
        let (other, stranger) = app.account("globex", &[]).await;
        let sibling = app.account_in(&organization, &[]).await;
        let body = json!({ "name": "x", "jwk": jwk(ED25519) });
        let made = text(&app.root().post(&path(&account), body.clone()).await.expect(StatusCode::CREATED)["id"]);
        let (here, there) = (app.holder_of("organization-admin", &organization).await, app.holder_of("organization-admin", &other).await);
        for (method, action, sent) in [
            (Method::GET, "", None),
            (Method::PATCH, "", Some(json!({ "name": "mine" }))),
            (Method::POST, "/revoke", Some(json!({}))),
            (Method::DELETE, "", None),
        ] {
            for (token, account) in [(&there.token, &account), (&there.token, &stranger), (&here.token, &sibling)] {
                let route = format!("{}/{made}{action}", path(account));
                let reply = app.client(token).send(method.clone(), &route, sent.clone(), &[]).await;
                reply.problem(StatusCode::NOT_FOUND, "not_found");
            }
        }
        app.client(&there.token).get(&path(&account)).await.problem(StatusCode::NOT_FOUND, "not_found");
        app.client(&there.token).post(&path(&account), body).await.problem(StatusCode::NOT_FOUND, "not_found");
        let shown = app.client(&here.token).get(&format!("{}/{made}", path(&account))).await.expect(StatusCode::OK);
        assert_eq!(shown["status"], "active");
    }
}
