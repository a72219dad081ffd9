//! Users: made, found, changed, let in again and erased.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    app::{TestApp, text},
    browser::{Browser, PASSWORD},
};

on_both_databases! {
    async fn a_user_is_made_shown_changed_and_deleted(app: &TestApp) {
        let root = app.root();
        let body = json!({ "email": "Alice@acme.test", "name": "Alice", "external_id": "42", "metadata": { "plan": "pro" } });
        let made = root.post("/v1/users", body).await;
        let path = made.header("location").unwrap().to_owned();
        let made = made.expect(StatusCode::CREATED);
        assert_eq!(path, format!("/v1/users/{}", text(&made["id"])));
        let mut shown = root.get(&path).await.expect(StatusCode::OK);
        assert_eq!(shown["organization_ids"].take(), json!([]));
        shown.as_object_mut().unwrap().remove("organization_ids");
        assert_eq!(shown, made);
        assert_eq!((&made["metadata"]["plan"], &made["disabled"]), (&json!("pro"), &json!(false)));

        let changed = root.patch(&path, json!({ "name": null, "email": "al@acme.test" })).await.expect(StatusCode::OK);
        assert_eq!((&changed["name"], &changed["email"], &changed["external_id"]), (&Value::Null, &json!("al@acme.test"), &json!("42")));
        root.post("/v1/users", json!({ "email": "AL@acme.test" })).await.problem(StatusCode::CONFLICT, "taken");
        assert_eq!(root.patch(&path, json!({ "disabled": true })).await.expect(StatusCode::OK)["disabled"], true);
        root.patch(&path, json!({ "disabled": false })).await.expect(StatusCode::OK);
        root.patch(&path, json!({})).await.expect(StatusCode::OK);

        root.delete(&path).await.expect(StatusCode::NO_CONTENT);
        for method in [Method::GET, Method::DELETE] {
            root.send(method, &path, None, &[]).await.problem(StatusCode::NOT_FOUND, "not_found");
        }
        let trail = app.audit_trail(&text(&made["id"])).await;
        assert_eq!(trail, ["user.created", "user.updated", "user.disabled", "user.enabled", "user.deleted"]);
        root.post("/v1/users", json!({ "email": "al@acme.test", "external_id": "42" })).await.expect(StatusCode::CREATED);
    }

    async fn what_is_personal_is_told_in_the_trail_until_the_user_is_deleted(app: &TestApp) {
        let id = app.user("alice@acme.test").await;
        app.root().patch(&format!("/v1/users/{id}"), json!({ "name": "Alice" })).await.expect(StatusCode::OK);
        let events = async || {
            let events = app.root().get(&format!("/v1/audit-events?target={id}")).await.expect(StatusCode::OK);
            events["items"].as_array().unwrap().clone()
        };
        let told = events().await;
        assert_eq!((&told[0]["personal"]["before"]["name"], &told[0]["personal"]["after"]["name"]), (&Value::Null, &json!("Alice")));
        assert_eq!(told[0]["details"]["changed"], json!(["name"]));
        assert_eq!(told[1]["personal"]["email"], "alice@acme.test");
        app.root().delete(&format!("/v1/users/{id}")).await.expect(StatusCode::NO_CONTENT);
        let told = events().await;
        assert_eq!(told.len(), 3);
        assert!(told.iter().all(|event| event["personal"].is_null()), "{told:?}");
        assert_eq!(app.app.store.verify_audit().await.unwrap().findings, []);
    }

    async fn every_wrong_member_is_named(app: &TestApp) {
        let root = app.root();
        let made = async |body: Value| root.post("/v1/users", body).await;
        made(json!({})).await.wrong("/email", "required");
        made(json!({ "email": 1 })).await.wrong("/email", "invalid_type");
        for email in ["", "a", "a@", "a b@acme.test", "a@acme.test\u{0}", "A <a@acme.test>", &format!("{}@x.test", "a".repeat(300))] {
            made(json!({ "email": email })).await.wrong("/email", "invalid_email");
        }
        made(json!({ "email": "a@acme.test", "name": "a\u{202e}b" })).await.wrong("/name", "invalid_name");
        made(json!({ "email": "a@acme.test", "admin": true })).await.wrong("/admin", "unknown_member");
        let named = async |id: &str| root.put(&format!("/v1/users/by-external-id/{id}"), json!({ "email": "a@acme.test" })).await;
        named("a%20b").await.wrong("/external_id", "invalid_external_id");
        named("%00").await.wrong("/external_id", "invalid_external_id");
        named(&"x".repeat(256)).await.wrong("/external_id", "invalid_external_id");
        root.get("/v1/users?disabled=maybe").await.problem(StatusCode::BAD_REQUEST, "invalid_query");
        root.get("/v1/users/org_01h455vb4pex5vsknk084sn02q").await.problem(StatusCode::NOT_FOUND, "not_found");
        assert_eq!(root.get("/v1/users?q=%00").await.expect(StatusCode::OK)["items"], json!([]));
    }

    async fn by_external_id_a_user_is_made_once_and_then_changed(app: &TestApp) {
        let root = app.root();
        let path = "/v1/users/by-external-id/42%2Fa";
        let made = root.put(path, json!({ "email": "a@acme.test", "name": "A" })).await.expect(StatusCode::CREATED);
        assert_eq!(made["external_id"], "42/a");
        let same = root.put(path, json!({ "email": "a@acme.test" })).await.expect(StatusCode::OK);
        assert_eq!(same, made);
        let changed = root.put(path, json!({ "email": "b@acme.test", "name": null })).await.expect(StatusCode::OK);
        assert_eq!((&changed["id"], &changed["email"], &changed["name"]), (&made["id"], &json!("b@acme.test"), &Value::Null));
        let other = root.put("/v1/users/by-external-id/43", json!({ "email": "B@acme.test" })).await;
        other.problem(StatusCode::CONFLICT, "taken");
        assert_eq!(app.audit_trail(&text(&made["id"])).await, ["user.created", "user.updated"], "nothing new, nothing told");
    }

    async fn of_many_who_make_one_user_at_once_one_does(app: &TestApp) {
        for round in 0..3 {
            let mut tasks = JoinSet::new();
            for _ in 0..6 {
                let sent = app.request(Method::PUT, app.public, &format!("/v1/users/by-external-id/{round}"));
                let body = json!({ "email": format!("a{round}@acme.test") });
                tasks.spawn(sent.bearer_auth(app.root_token()).json(&body).send());
            }
            let (mut made, mut ids) = (0, Vec::new());
            while let Some(reply) = tasks.join_next().await {
                let reply = reply.unwrap().unwrap();
                made += u32::from(reply.status() == StatusCode::CREATED);
                assert!(reply.status().is_success(), "{}", reply.status());
                ids.push(text(&reply.json::<Value>().await.unwrap()["id"]));
            }
            ids.dedup();
            assert_eq!((made, ids.len()), (1, 1));
        }
    }

    async fn whoever_administers_one_organization_sees_its_members_and_changes_none(app: &TestApp) {
        let (acme, _) = app.account("acme", &[]).await;
        let (globex, _) = app.account("globex", &[]).await;
        let (alice, bob) = (app.user("alice@acme.test").await, app.user("bob@globex.test").await);
        for (organization, user) in [(&acme, &alice), (&globex, &bob), (&globex, &alice)] {
            let path = format!("/v1/organizations/{organization}/members/{user}");
            app.root().put(&path, json!({ "roles": [] })).await.expect(StatusCode::CREATED);
        }
        let admin = app.holder_of("organization-admin", &acme).await;
        let admin = app.client(&admin.token);
        let seen = admin.get("/v1/users").await.expect(StatusCode::OK);
        assert_eq!((seen["items"].as_array().unwrap().len(), &seen["items"][0]["id"]), (1, &json!(alice)));
        let shown = admin.get(&format!("/v1/users/{alice}")).await.expect(StatusCode::OK);
        assert_eq!(shown["organization_ids"], json!([acme]), "where else she belongs is not acme's to know");
        let all = app.root().get(&format!("/v1/users/{alice}")).await.expect(StatusCode::OK);
        assert_eq!(all["organization_ids"].as_array().unwrap().len(), 2);
        admin.patch(&format!("/v1/users/{alice}"), json!({ "name": "A" })).await.problem(StatusCode::FORBIDDEN, "permission_missing");
        let of_globex = app.root().get(&format!("/v1/users?organization_id={globex}&q=bob")).await.expect(StatusCode::OK);
        assert_eq!(of_globex["items"][0]["id"], json!(bob));
    }

    async fn a_link_to_a_new_password_is_shown_once_and_voids_the_one_before(app: &TestApp) {
        let id = app.user("alice@acme.test").await;
        let path = format!("/v1/users/{id}/password-reset");
        let (root, key) = (app.root(), [("idempotency-key", "k1")]);
        let made = root.send(Method::POST, &path, Some(json!({ "expires_in_hours": 1 })), &key).await.expect(StatusCode::OK);
        assert!(text(&made["url"]).starts_with("https://claviger.test/password-reset?code="));
        let again = root.send(Method::POST, &path, Some(json!({ "expires_in_hours": 1 })), &key).await.expect(StatusCode::OK);
        assert_eq!((&again["url"], &again["expires_at"]), (&Value::Null, &made["expires_at"]));
        let next = root.post(&path, json!({})).await.expect(StatusCode::OK);
        let works = async |made: &Value| {
            let code = text(&made["url"]).split_once("?code=").unwrap().1.to_owned();
            let digest = app.app.peppers.digest(&claviger_token::Secret::new(code).hash());
            let purpose = claviger_core::CodePurpose::PasswordReset;
            app.app.store.one_time_code(purpose, &digest, app.app.now()).await.unwrap().is_some()
        };
        assert!(!works(&made).await && works(&next).await);
        root.post(&path, json!({ "expires_in_hours": 25 })).await.wrong("/expires_in_hours", "invalid_expiry");
        root.patch(&format!("/v1/users/{id}"), json!({ "disabled": true })).await.expect(StatusCode::OK);
        assert!(!works(&next).await, "whoever is disabled gets in by no link");
        root.post(&path, json!({})).await.problem(StatusCode::CONFLICT, "user_disabled");
    }

    async fn nobody_lets_somebody_in_as_a_user_who_can_do_more(app: &TestApp) {
        app.declare_invoices().await;
        let itself = app.root().get("/v1/token").await.expect(StatusCode::OK);
        let default = text(&itself["organization"]["id"]);
        let account = app.account_in(&default, &[]).await;
        let give = json!({ "principal_id": account, "permission": "claviger:users:write", "scope": "instance" });
        app.root().post("/v1/assignments", give).await.expect(StatusCode::CREATED);
        let key = app.key(&account, &["claviger:users:write"], json!({})).await;
        let client = app.client(&key.token);
        let (alice, bob) = (app.user("alice@acme.test").await, app.user("bob@acme.test").await);
        let member = format!("/v1/organizations/{default}/members/{alice}");
        app.root().put(&member, json!({ "roles": [], "permissions": ["invoices:read"] })).await.expect(StatusCode::CREATED);

        let (alice, bob) = (format!("/v1/users/{alice}"), format!("/v1/users/{bob}"));
        client.post(&format!("{bob}/password-reset"), json!({})).await.expect(StatusCode::OK);
        let refused = client.post(&format!("{alice}/password-reset"), json!({})).await;
        assert_eq!(refused.problem(StatusCode::FORBIDDEN, "permission_missing")["permission"], "invoices:read");
        for change in [json!({ "email": "eve@acme.test" }), json!({ "external_id": "7" })] {
            client.patch(&bob, change.clone()).await.expect(StatusCode::OK);
            client.patch(&alice, change).await.problem(StatusCode::FORBIDDEN, "permission_missing");
        }
        client.patch(&alice, json!({ "name": "Al", "disabled": true })).await.expect(StatusCode::OK);
        client.patch(&alice, json!({ "disabled": false })).await.problem(StatusCode::FORBIDDEN, "permission_missing");
        app.root().patch(&alice, json!({ "disabled": false, "external_id": "8" })).await.expect(StatusCode::OK);
        let by_id = client.put("/v1/users/by-external-id/8", json!({ "email": "mallory@acme.test" })).await;
        by_id.problem(StatusCode::FORBIDDEN, "permission_missing");
    }

    async fn a_link_to_a_new_password_lets_in_as_long_as_its_maker_could(app: &TestApp) {
        app.declare_invoices().await;
        let default = text(&app.root().get("/v1/token").await.expect(StatusCode::OK)["organization"]["id"]);
        let account = app.account_in(&default, &[]).await;
        let give = json!({ "principal_id": account, "permission": "claviger:users:write", "scope": "instance" });
        let given = text(&app.root().post("/v1/assignments", give).await.expect(StatusCode::CREATED)["id"]);
        let key = app.key(&account, &["claviger:users:write"], json!({})).await;
        let alice = app.user("alice@acme.test").await;
        let made = app.client(&key.token).post(&format!("/v1/users/{alice}/password-reset"), json!({})).await;
        let link = text(&made.expect(StatusCode::OK)["url"]).replace(crate::app::PUBLIC_URL, "");
        let browser = Browser::new(app);
        browser.get(&link).await.leads_to("/password-reset");
        let form = browser.get("/password-reset").await;
        let submit = async || {
            let fields = [("csrf", form.field("csrf")), ("new", PASSWORD.to_owned()), ("again", PASSWORD.to_owned())];
            let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
            browser.post("/password-reset", &fields).await
        };
        let check = async |works: bool| {
            let expected = if works { StatusCode::OK } else { StatusCode::GONE };
            assert_eq!(browser.get("/password-reset").await.status, expected);
            if !works {
                submit().await.shows(StatusCode::GONE, "used already");
            }
        };
        check(true).await;
        let member = format!("/v1/organizations/{default}/members/{alice}");
        let rights = json!({ "roles": [], "permissions": ["invoices:read"] });
        app.root().put(&member, rights).await.expect(StatusCode::CREATED);
        check(false).await;
        app.root().delete(&member).await.expect(StatusCode::NO_CONTENT);
        check(true).await;
        for (disabled, works) in [(true, false), (false, true)] {
            for path in [format!("/v1/service-accounts/{account}"), format!("/v1/api-keys/{}", key.id)] {
                app.root().patch(&path, json!({ "disabled": disabled })).await.expect(StatusCode::OK);
            }
            check(works).await;
        }
        app.root().post(&format!("/v1/api-keys/{}/revoke", key.id), json!({})).await.expect(StatusCode::OK);
        check(false).await;
        app.root().delete(&format!("/v1/assignments/{given}")).await.expect(StatusCode::NO_CONTENT);
        check(false).await;
    }

    async fn whoever_was_signed_in_is_out_once_the_account_means_somebody_else(app: &TestApp) {
        let (mut browser, zoe) = Browser::of_zoe(app).await;
        let path = format!("/v1/users/{zoe}");
        let patch = async |change: Value| app.root().patch(&path, change).await.expect(StatusCode::OK);
        patch(json!({ "name": "Z", "email": "ZOE@acme.test", "metadata": { "a": 1 } })).await;
        browser.get("/").await.shows(StatusCode::OK, "Hello");
        for change in [json!({ "external_id": "7" }), json!({ "email": "zoe@globex.test" })] {
            let made = app.root().post(&format!("{path}/password-reset"), json!({})).await.expect(StatusCode::OK);
            let link = text(&made["url"]).replace(crate::app::PUBLIC_URL, "");
            patch(change).await;
            browser.get("/").await.leads_to("/sign-in?next=%2F");
            browser.get(&link).await.leads_to("/password-reset");
            browser.get("/password-reset").await.shows(StatusCode::GONE, "used already");
            browser = Browser::new(app);
            browser.sign_in("zoe@acme.test", PASSWORD).await;
        }
    }

    async fn a_user_who_is_made_with_a_password_signs_in_with_it(app: &TestApp) {
        let body = |password: &str| json!({ "email": "kim@acme.test", "name": "Kim", "password": password });
        app.root().post("/v1/users", body("short")).await.wrong("/password", "password_too_short");
        app.root().post("/v1/users", body("kim@acme.test1")).await.wrong("/password", "password_weak");
        let made = app.root().post("/v1/users", body(PASSWORD)).await.expect(StatusCode::CREATED);
        assert_eq!(made.get("password"), None);
        Browser::new(app).sign_in("kim@acme.test", PASSWORD).await.leads_to("/");
        let trail = app.audit_trail(&text(&made["id"])).await;
        assert!(["password.changed", "user.created"].iter().all(|told| trail.iter().any(|event| event == told)), "{trail:?}");
        app.handed_out(PASSWORD);
    }
}
