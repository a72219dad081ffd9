//! `/v1/service-accounts/{id}/secrets`: the life of a client secret, which is good for nothing but to say who a client is.

use jiff::SignedDuration;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::app::{TestApp, text};

/// A secret that was just made or rolled.
struct Made {
    id: String,
    secret: String,
    path: String,
    body: Value,
}

fn path(account: &str) -> String {
    format!("/v1/service-accounts/{account}/secrets")
}

async fn make(app: &TestApp, account: &str, more: Value) -> Made {
    let mut body = json!({ "name": "production" });
    body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    let reply = app.root().post(&path(account), body).await;
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let path = reply.header("location").unwrap().to_owned();
    let body = reply.expect(StatusCode::CREATED);
    Made { id: text(&body["id"]), secret: text(&body["client_secret"]), path, body }
}

/// An account that may read invoices and manage accounts, and where it is.
async fn client(app: &TestApp) -> (String, String) {
    app.declare_invoices().await;
    app.account("acme", &["invoices:read", "claviger:service_accounts:write", "claviger:service_accounts:read"]).await
}

on_both_databases! {
    async fn a_secret_is_shown_once_and_lives_until_it_is_revoked(app: &TestApp) {
        let (organization, account) = client(app).await;
        let made = make(app, &account, json!({ "expires_at": "2099-01-01T00:00:00Z" })).await;
        assert!(made.secret.starts_with("clv_cs_") && made.id.starts_with("csec_"), "{}", made.body["id"]);
        assert_eq!(made.path, format!("{}/{}", path(&account), made.id));
        let mut shown = made.body.clone();
        shown.as_object_mut().unwrap().remove("client_secret");
        let root = app.root();
        assert_eq!(root.get(&made.path).await.expect(StatusCode::OK), shown);
        assert_eq!(root.get(&path(&account)).await.expect(StatusCode::OK)["items"], json!([shown]));
        assert_eq!((&shown["client_id"], &shown["organization_id"]), (&json!(account), &json!(organization)));
        assert_eq!((&shown["status"], &shown["expires_at"]), (&json!("active"), &json!("2099-01-01T00:00:00Z")));
        assert_eq!(shown["generations"][0]["hint"], json!(made.secret["clv_cs_".len()..][..4]));
        for absent in ["permissions", "objects", "metadata", "rate_limits", "environment"] {
            assert!(shown.get(absent).is_none(), "{absent}");
        }

        let renamed = root.patch(&made.path, json!({ "name": "renamed", "expires_at": null })).await.expect(StatusCode::OK);
        assert_eq!((&renamed["name"], &renamed["expires_at"]), (&json!("renamed"), &Value::Null));
        let stopped = root.patch(&made.path, json!({ "disabled": true })).await.expect(StatusCode::OK);
        assert_eq!((&stopped["status"], &stopped["disabled"]), (&json!("disabled"), &json!(true)));
        root.patch(&made.path, json!({ "disabled": false })).await.expect(StatusCode::OK);
        root.patch(&made.path, json!({ "permissions": [] })).await.wrong("/permissions", "unknown_member");

        let rolled = root.post(&format!("{}/roll", made.path), json!({ "overlap_seconds": 60 })).await;
        assert_eq!(rolled.header("cache-control"), Some("no-store"));
        let rolled = rolled.expect(StatusCode::OK);
        assert_eq!(rolled["id"], json!(made.id));
        assert!(text(&rolled["client_secret"]).starts_with("clv_cs_") && rolled["client_secret"] != json!(made.secret));
        let states: Vec<_> = rolled["generations"].as_array().unwrap().iter().map(|one| text(&one["state"])).collect();
        assert_eq!(states, ["current", "retiring"]);

        let revoked = root.post(&format!("{}/revoke", made.path), json!({ "reason": "compromised" })).await;
        let revoked = revoked.expect(StatusCode::OK);
        assert_eq!((&revoked["status"], &revoked["revoke_reason"]), (&json!("revoked"), &json!("compromised")));
        for action in ["revoke", "roll"] {
            root.post(&format!("{}/{action}", made.path), json!({})).await.problem(StatusCode::CONFLICT, "revoked");
        }
        root.delete(&made.path).await.expect(StatusCode::NO_CONTENT);
        root.get(&made.path).await.problem(StatusCode::NOT_FOUND, "not_found");
        root.delete(&made.path).await.problem(StatusCode::NOT_FOUND, "not_found");
        assert_eq!(root.get(&path(&account)).await.expect(StatusCode::OK)["items"], json!([]));
        let told = [
            "created", "updated", "disabled", "enabled", "rolled", "revoked", "deleted",
        ].map(|what| format!("client_secret.{what}"));
        assert_eq!(app.audit_trail(&made.id).await, told);
        assert!(app.app.store.verify_audit().await.unwrap().findings.is_empty());
    }

    async fn a_repeated_post_makes_one_secret_and_does_not_show_it_again(app: &TestApp) {
        let (_, account) = client(app).await;
        let (root, path) = (app.root(), path(&account));
        let post = async |path: &str, body: Value| {
            root.send(Method::POST, path, Some(body), &[("idempotency-key", "a")]).await
        };
        let first = post(&path, json!({ "name": "once" })).await.expect(StatusCode::CREATED);
        let again = post(&path, json!({ "name": "once" })).await.expect(StatusCode::CREATED);
        let mut concealed = first.clone();
        concealed["client_secret"] = Value::Null;
        assert_eq!(again, concealed);
        post(&path, json!({ "name": "twice" })).await.wrong("", "idempotency_key_reused");
        let roll = format!("{path}/{}/roll", text(&first["id"]));
        let rolled = post(&roll, json!({})).await.expect(StatusCode::OK);
        let again = post(&roll, json!({})).await.expect(StatusCode::OK);
        assert!(rolled["client_secret"].is_string() && again["client_secret"].is_null());
        assert_eq!(again["generations"], rolled["generations"]);
        assert_eq!(root.get(&path).await.expect(StatusCode::OK)["items"].as_array().unwrap().len(), 1);
    }

    async fn a_client_secret_is_no_bearer_credential(app: &TestApp) {
        let (_, account) = client(app).await;
        let made = make(app, &account, json!({})).await;
        let as_itself = app.client(&made.secret);
        for _ in 0..2 {
            let verdict = app.verify(&made.secret, json!({ "permissions": ["invoices:read"] })).await;
            assert_eq!((&verdict["code"], &verdict["credential"]), (&json!("unknown"), &Value::Null));
            let asked = app.request(Method::GET, app.internal, "/v1/forward-auth").bearer_auth(&made.secret);
            assert_eq!(asked.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
            for route in ["/v1/token", "/v1/service-accounts", &made.path] {
                as_itself.get(route).await.problem(StatusCode::UNAUTHORIZED, "invalid_token");
            }
            as_itself.post("/v1/token/roll", json!({})).await.problem(StatusCode::UNAUTHORIZED, "invalid_token");
            let told = app.root().post("/v1/explain", json!({ "credential": made.secret })).await;
            assert_eq!(told.expect(StatusCode::OK)["code"], "unknown");
        }
    }

    async fn ids_below_another_account_or_of_another_kind_look_absent(app: &TestApp) {
        let (organization, account) = client(app).await;
        let sibling = app.account_in(&organization, &[]).await;
        let made = make(app, &account, json!({})).await;
        let key = app.root().post(&format!("/v1/service-accounts/{account}/public-keys"), json!({
            "name": "x", "jwks_uri": "https://client.test/jwks",
        })).await.expect(StatusCode::CREATED);
        let (other, _) = app.account("globex", &[]).await;
        let (here, there) = (app.holder_of("organization-admin", &organization).await, app.holder_of("organization-admin", &other).await);
        let tries = [
            (Method::GET, "", None),
            (Method::PATCH, "", Some(json!({ "name": "mine" }))),
            (Method::POST, "/roll", Some(json!({}))),
            (Method::POST, "/revoke", Some(json!({}))),
            (Method::DELETE, "", None),
        ];
        let absent = "csec_01h455vb4pex5vsknk084sn02q";
        for (method, action, body) in &tries {
            let ask = async |token: &str, account: &str, id: &str| {
                let route = format!("{}/{id}{action}", path(account));
                let reply = app.client(token).send(method.clone(), &route, body.clone(), &[]).await;
                // What was asked for is named, and nothing else differs.
                let told = reply.problem(StatusCode::NOT_FOUND, "not_found").to_string();
                told.replace(id, "ID").replace(account, "ACCOUNT")
            };
            let expected = ask(&here.token, &account, absent).await;
            for (token, account, id) in [
                (&here.token, &sibling, &made.id),
                (&there.token, &account, &made.id),
                (&here.token, &account, &text(&key["id"])),
                (&here.token, &account, &here.id),
            ] {
                assert_eq!(ask(token, account, id).await, expected, "{method} {action} {id}");
            }
        }
        for (token, account) in [(&there.token, &account), (&here.token, &"sa_01h455vb4pex5vsknk084sn02q".to_owned())] {
            app.client(token).get(&path(account)).await.problem(StatusCode::NOT_FOUND, "not_found");
            let refused = app.client(token).post(&path(account), json!({ "name": "x" })).await;
            refused.problem(StatusCode::NOT_FOUND, "not_found");
        }
        app.root().get(&format!("/v1/api-keys/{}", made.id)).await.problem(StatusCode::NOT_FOUND, "not_found");
        assert_eq!(app.root().get(&made.path).await.expect(StatusCode::OK)["status"], "active");
    }

    async fn nobody_mints_or_revives_a_secret_that_reaches_beyond_the_credential_they_use(app: &TestApp) {
        let (organization, account) = client(app).await;
        let made = make(app, &account, json!({ "expires_at": "2099-01-01T00:00:00Z" })).await;
        let narrow = app.key(&account, &["claviger:service_accounts:write"], json!({})).await;
        let (narrow, root) = (app.client(&narrow.token), app.root());
        let beyond = |reply: crate::app::Reply| reply.problem(StatusCode::FORBIDDEN, "permission_missing");
        beyond(narrow.post(&path(&account), json!({ "name": "mine" })).await);
        beyond(narrow.post(&format!("{}/roll", made.path), json!({})).await);
        beyond(narrow.patch(&made.path, json!({ "expires_at": null })).await);
        narrow.patch(&made.path, json!({ "name": "renamed", "expires_at": "2098-01-01T00:00:00Z" })).await.expect(StatusCode::OK);
        narrow.patch(&made.path, json!({ "disabled": true })).await.expect(StatusCode::OK);
        beyond(narrow.patch(&made.path, json!({ "disabled": false })).await);
        narrow.post(&format!("{}/revoke", made.path), json!({})).await.expect(StatusCode::OK);

        // A key of the account itself that cuts nothing has as much already; one that ends gives none that does not.
        let whole = app.key(&account, &["*", "claviger:*"], json!({ "expires_at": "2099-01-01T00:00:00Z" })).await;
        let whole = app.client(&whole.token);
        beyond(whole.post(&path(&account), json!({ "name": "mine" })).await);
        let ending = json!({ "name": "mine", "expires_at": "2098-12-31T00:00:00Z" });
        whole.post(&path(&account), ending.clone()).await.expect(StatusCode::CREATED);
        let sibling = app.account_in(&organization, &[]).await;
        beyond(whole.post(&path(&sibling), ending).await);

        // Who governs one organization makes no secret of an account that reaches them all.
        let admin = app.holder_of("organization-admin", &organization).await;
        let admin = app.client(&admin.token);
        admin.post(&path(&sibling), json!({ "name": "x" })).await.expect(StatusCode::CREATED);
        let everywhere = |account: &str| json!({ "principal_id": account, "permission": "invoices:read", "scope": "instance" });
        // Nor does one that somebody made below become one that reaches them all.
        let key = json!({ "name": "signs", "jwks_uri": "https://client.test/jwks" });
        let cousin = app.account_in(&organization, &[]).await;
        let key = admin.post(&format!("/v1/service-accounts/{cousin}/public-keys"), key).await;
        let key = format!("/v1/service-accounts/{cousin}/public-keys/{}", text(&key.expect(StatusCode::CREATED)["id"]));
        for account in [&sibling, &cousin] {
            root.post("/v1/assignments", everywhere(account)).await.problem(StatusCode::CONFLICT, "credentials_of_others");
        }
        root.delete(&key).await.expect(StatusCode::NO_CONTENT);
        root.post("/v1/assignments", everywhere(&cousin)).await.expect(StatusCode::CREATED);
        beyond(admin.post(&path(&cousin), json!({ "name": "y" })).await);
        let above = make(app, &cousin, json!({})).await;
        let roll = format!("{}/roll", above.path);
        admin.post(&roll, json!({})).await.problem(StatusCode::FORBIDDEN, "instance_scope_needed");
    }

    async fn an_account_has_at_most_20_secrets_that_live(app: &TestApp) {
        let (_, account) = client(app).await;
        let (root, path) = (app.root(), path(&account));
        let soon = (app.app.now() + SignedDuration::from_hours(1)).to_string();
        let ending = make(app, &account, json!({ "expires_at": soon })).await;
        for _ in 1..20 {
            make(app, &account, json!({})).await;
        }
        root.post(&path, json!({ "name": "x" })).await.problem(StatusCode::CONFLICT, "too_many");
        app.clock.advance(SignedDuration::from_hours(1));
        let shown = root.get(&ending.path).await.expect(StatusCode::OK);
        assert_eq!(shown["status"], "expired");
        root.post(&format!("{}/roll", ending.path), json!({})).await.problem(StatusCode::CONFLICT, "expired");
        make(app, &account, json!({})).await;
        root.patch(&ending.path, json!({ "expires_at": null })).await.problem(StatusCode::CONFLICT, "too_many");
        // Keys are counted apart.
        let key = json!({ "name": "x", "jwks_uri": "https://client.test/jwks" });
        root.post(&format!("/v1/service-accounts/{account}/public-keys"), key).await.expect(StatusCode::CREATED);
    }

    async fn wrong_bodies_are_named_and_policy_is_kept(app: &TestApp) {
        let (organization, account) = client(app).await;
        let (root, path) = (app.root(), path(&account));
        root.post(&path, json!({})).await.wrong("/name", "required");
        root.post(&path, json!({ "name": "" })).await.wrong("/name", "invalid_name");
        root.post(&path, json!({ "name": "x", "permissions": ["*"] })).await.wrong("/permissions", "unknown_member");
        root.post(&path, json!({ "name": "x", "expires_at": "2020-01-01T00:00:00Z" })).await.wrong("/expires_at", "in_the_past");
        root.post(&path, json!({ "name": "x", "expires_at": "tomorrow" })).await.wrong("/expires_at", "invalid_value");

        let policy = format!("/v1/organizations/{organization}/policy");
        let made = make(app, &account, json!({})).await;
        let strict = json!({ "wildcard_allowed": false, "approval_required": true, "members_must_name_objects": true });
        root.patch(&policy, strict).await.expect(StatusCode::OK);
        assert_eq!(make(app, &account, json!({})).await.body["status"], "active");
        let kinds = json!({ "allowed_kinds": ["api_key"] });
        let preview = root.post(&format!("{policy}/preview"), kinds.clone()).await.expect(StatusCode::OK);
        assert!(preview.to_string().contains(&made.id), "{preview}");
        root.patch(&policy, kinds).await.expect(StatusCode::OK);
        root.post(&path, json!({ "name": "x" })).await.problem(StatusCode::CONFLICT, "kind_not_allowed");
        root.patch(&policy, json!({ "allowed_kinds": null, "expiry_required": true })).await.expect(StatusCode::OK);
        root.post(&path, json!({ "name": "x" })).await.wrong("/expires_at", "expiry_required");
        // What had no end has one now.
        assert!(root.get(&made.path).await.expect(StatusCode::OK)["expires_at"].is_string());
    }

    async fn secrets_and_keys_are_in_the_inventory_and_end_with_it_and_with_their_account(app: &TestApp) {
        let (organization, account) = client(app).await;
        let root = app.root();
        let made = make(app, &account, json!({})).await;
        let key = json!({ "name": "signs", "jwks_uri": "https://client.test/jwks" });
        let key = root.post(&format!("/v1/service-accounts/{account}/public-keys"), key).await.expect(StatusCode::CREATED);
        let listed = async |filter: &str| {
            let list = root.get(&format!("/v1/credentials?organization_id={organization}&{filter}")).await;
            let items = list.expect(StatusCode::OK)["items"].clone();
            items.as_array().unwrap().iter().map(|one| (text(&one["id"]), text(&one["kind"]))).collect::<Vec<_>>()
        };
        let secret = (made.id.clone(), "client_secret".to_owned());
        let public = (text(&key["id"]), "public_key".to_owned());
        assert_eq!(listed("kind=client_secret").await, std::slice::from_ref(&secret));
        assert_eq!(listed("kind=public_key").await, std::slice::from_ref(&public));
        assert_eq!(listed(&format!("principal_id={account}")).await, [secret, public.clone()]);

        let hash = claviger_token::Secret::new(made.secret.clone()).hash();
        let hash: String = hash.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let events = root.get(&format!("/v1/audit-events?token_sha256={hash}")).await.expect(StatusCode::OK);
        assert_eq!((&events["items"][0]["action"], &events["items"][0]["target"]), (&json!("client_secret.created"), &json!(made.id)));
        let usage = root.get(&format!("/v1/usage?credential_id={}&by=day&group=code", made.id)).await;
        assert_eq!(usage.expect(StatusCode::OK)["items"], json!([]));

        // What was made in this millisecond was not counted.
        app.clock.advance(SignedDuration::from_secs(1));
        let revoke = "/v1/credentials/revoke?kind=client_secret";
        assert_eq!(root.post(revoke, json!({})).await.expect(StatusCode::OK)["matched"], 1);
        assert_eq!(root.post(revoke, json!({ "expected": 1 })).await.expect(StatusCode::OK)["revoked"], 1);
        assert_eq!(root.get(&made.path).await.expect(StatusCode::OK)["status"], "revoked");
        assert_eq!(app.audit_trail(&made.id).await, ["client_secret.created", "client_secret.revoked"]);

        root.delete(&format!("/v1/service-accounts/{account}")).await.expect(StatusCode::NO_CONTENT);
        assert_eq!(app.audit_trail(&public.0).await, ["public_key.created", "public_key.revoked"]);
        root.get(&path(&account)).await.problem(StatusCode::NOT_FOUND, "not_found");
    }

    async fn how_an_account_authenticates_is_set_shown_and_told(app: &TestApp) {
        let (organization, account) = client(app).await;
        let (root, path) = (app.root(), format!("/v1/service-accounts/{account}"));
        let told = |body: &Value| json!([body["token_endpoint_auth_method"], body["legacy_assertion_audience"]]);
        assert_eq!(told(&root.get(&path).await.expect(StatusCode::OK)), json!([null, false]));
        let set = json!({ "token_endpoint_auth_method": "private_key_jwt", "legacy_assertion_audience": true });
        let expected = json!(["private_key_jwt", true]);
        assert_eq!(told(&root.patch(&path, set.clone()).await.expect(StatusCode::OK)), expected);
        assert_eq!(told(&root.patch(&path, json!({ "name": "x" })).await.expect(StatusCode::OK)), expected);
        let trail = root.get(&format!("/v1/audit-events?target={account}&action=service_account.updated")).await;
        let details = trail.expect(StatusCode::OK)["items"][1]["details"].clone();
        assert_eq!((told(&details["before"]), told(&details["after"])), (json!([null, false]), expected.clone()));
        let cleared = json!({ "token_endpoint_auth_method": null, "legacy_assertion_audience": false });
        assert_eq!(told(&root.patch(&path, cleared).await.expect(StatusCode::OK)), json!([null, false]));
        let mut new = json!({ "organization_id": organization, "name": "signs" });
        new.as_object_mut().unwrap().extend(set.as_object().unwrap().clone());
        let made = root.post("/v1/service-accounts", new.clone()).await.expect(StatusCode::CREATED);
        assert_eq!(told(&made), expected);
        for wrong in [json!("none"), json!("client_secret_jwt"), json!("")] {
            new["token_endpoint_auth_method"] = wrong;
            root.post("/v1/service-accounts", new.clone()).await.wrong("/token_endpoint_auth_method", "invalid_value");
        }
        root.patch(&path, json!({ "legacy_assertion_audience": "yes" })).await.wrong("/legacy_assertion_audience", "invalid_type");
    }
}
