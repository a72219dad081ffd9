//! Tokens of users: made, used, narrowed, renewed, approved and ended, and never more than their user.

use claviger_core::{By, NewSession, PolicyChanges, Reach, Session, SignInMethod};
use jiff::SignedDuration;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::app::{Key, Reply, TestApp, text};

const READ: &str = "invoices:read";
const WRITE: &str = "invoices:write";
const OWN: &str = "claviger:personal_access_tokens:write";

/// A user who is a member of an organization, and what the tests do with one.
struct Member<'a> {
    app: &'a TestApp,
    user: String,
    organization: String,
}

impl<'a> Member<'a> {
    async fn join(app: &'a TestApp, organization: &str, email: &str, roles: &[&str], permissions: &[&str]) -> Self {
        let made =
            app.root().post("/v1/users", json!({ "email": email, "name": email })).await.expect(StatusCode::CREATED);
        let member = Self { app, user: text(&made["id"]), organization: organization.to_owned() };
        member.hold(roles, permissions).await;
        member
    }

    async fn hold(&self, roles: &[&str], permissions: &[&str]) {
        let path = format!("/v1/organizations/{}/members/{}", self.organization, self.user);
        let rights = json!({ "roles": roles, "permissions": permissions });
        let status = self.app.root().send(Method::PUT, &path, Some(rights), &[]).await.status;
        assert!(status.is_success(), "{status}");
    }

    async fn leave(&self) {
        let path = format!("/v1/organizations/{}/members/{}", self.organization, self.user);
        self.app.root().delete(&path).await.expect(StatusCode::NO_CONTENT);
    }

    fn body(&self, permissions: &[&str], more: Value) -> Value {
        let mut body = json!({
            "user_id": self.user, "organization_id": self.organization, "name": "laptop", "permissions": permissions,
        });
        body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        body
    }

    async fn token(&self, permissions: &[&str], more: Value) -> Key {
        let made = self.app.root().post("/v1/personal-access-tokens", self.body(permissions, more)).await;
        Key::from(made.expect(StatusCode::CREATED))
    }

    async fn code(&self, key: &Key, permission: &str) -> String {
        text(&self.app.verify(&key.token, json!({ "permissions": [permission] })).await["code"])
    }
}

/// Acme, where Alice may read and write invoices.
async fn alice(app: &TestApp) -> Member<'_> {
    app.declare_invoices().await;
    let (organization, _) = app.account("acme", &[]).await;
    Member::join(app, &organization, "alice@acme.test", &["member"], &[READ, WRITE]).await
}

fn path(key: &Key, action: &str) -> String {
    format!("/v1/personal-access-tokens/{}{action}", key.id)
}

/// A browser in which somebody is signed in.
struct Browser<'a> {
    app: &'a TestApp,
    cookie: String,
    csrf: String,
}

impl<'a> Browser<'a> {
    async fn of(member: &Member<'a>) -> Self {
        let app = member.app;
        let (by, now) = (By::system(), app.app.now());
        let new = NewSession {
            user: member.user.parse().unwrap(),
            method: SignInMethod::Password,
            address: None,
            user_agent: None,
        };
        let (session, secret, event) = Session::start(&new, app.app.config.sessions, now, &mut app.app.rng());
        let mut tx = app.app.store.begin(&by).await.unwrap();
        tx.insert_session(&session, &app.app.peppers.digest(&secret.hash())).await.unwrap();
        tx.commit(event, now, &mut app.app.rng()).await.unwrap();
        let cookie = format!("__Host-claviger={}", secret.expose());
        let mut browser = Self { app, cookie, csrf: String::new() };
        browser.csrf = text(&browser.send(Method::GET, "/v1/session", None).await.expect(StatusCode::OK)["csrf_token"]);
        browser
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Reply {
        let headers =
            [("cookie", self.cookie.as_str()), ("x-csrf-token", &self.csrf), ("origin", crate::app::PUBLIC_URL)];
        self.app.anonymous().send(method, path, body, &headers).await
    }
}

on_both_databases! {
    async fn a_token_does_what_its_user_may_and_no_more(app: &TestApp) {
        let alice = alice(app).await;
        let key = alice.token(&[READ], json!({ "metadata": { "team": "a" } })).await;
        assert!(key.token.starts_with("clv_pat_") && key.id.starts_with("pat_"));
        let answer = app.verify(&key.token, json!({ "permissions": [READ] })).await;
        assert_eq!(answer["code"], "valid");
        assert_eq!(answer["credential"]["kind"], "personal_access_token");
        assert_eq!((&answer["principal"]["type"], &answer["principal"]["id"]), (&json!("user"), &json!(alice.user)));
        assert_eq!(answer["metadata"], json!({ "team": "a" }));
        assert_eq!(alice.code(&key, WRITE).await, "permission_missing");

        let asked = |permissions: &[&str]| alice.body(permissions, json!({}));
        let refused = app.root().post("/v1/personal-access-tokens", asked(&["claviger:organizations:write"])).await;
        refused.wrong("/permissions/0", "permission_not_held");
        let shown = app.root().get(&path(&key, "")).await.expect(StatusCode::OK);
        assert_eq!((&shown["user_id"], &shown["token"], &shown["status"]), (&json!(alice.user), &Value::Null, &json!("active")));
    }

    async fn losing_a_role_narrows_every_token_at_once_and_leaving_ends_them_for_good(app: &TestApp) {
        let alice = alice(app).await;
        let (named, follows) = (alice.token(&[READ, WRITE], json!({})).await, alice.token(&["*"], json!({})).await);
        assert_eq!((alice.code(&named, WRITE).await, alice.code(&follows, WRITE).await), ("valid".to_owned(), "valid".to_owned()));
        alice.hold(&["member"], &[READ]).await;
        for key in [&named, &follows] {
            assert_eq!((alice.code(key, WRITE).await.as_str(), alice.code(key, READ).await.as_str()), ("permission_missing", "valid"));
        }
        alice.hold(&["member"], &[READ, WRITE]).await;
        assert_eq!(alice.code(&named, WRITE).await, "valid");

        alice.leave().await;
        assert_eq!(alice.code(&named, READ).await, "revoked");
        alice.hold(&["member"], &[READ, WRITE]).await;
        assert_eq!((alice.code(&named, READ).await, alice.code(&follows, READ).await), ("revoked".to_owned(), "revoked".to_owned()));
        let shown = app.root().get(&path(&named, "")).await.expect(StatusCode::OK);
        assert_eq!(shown["revoke_reason"], "owner_left");
        assert_eq!(app.audit_trail(&named.id).await, ["personal_access_token.created", "personal_access_token.revoked"]);
    }

    async fn an_end_comes_from_policy_unless_it_is_named(app: &TestApp) {
        let alice = alice(app).await;
        let policy = format!("/v1/organizations/{}/policy", alice.organization);
        let days = |key: &Key| {
            let end: jiff::Timestamp = text(&key.body["expires_at"]).parse().unwrap();
            (end.duration_since(app.app.now()).as_hours() + 1) / 24
        };
        assert_eq!(days(&alice.token(&[READ], json!({})).await), 90);
        let never = app.root().post("/v1/personal-access-tokens", alice.body(&[READ], json!({ "expires_at": null }))).await;
        never.wrong("/expires_at", "expiry_required");
        let late = json!({ "expires_at": app.app.now() + SignedDuration::from_hours(24 * 367) });
        let late = app.root().post("/v1/personal-access-tokens", alice.body(&[READ], late)).await;
        late.wrong("/expires_at", "lifetime_too_long");

        let bounds = json!({ "pat_max_lifetime_days": null, "pat_default_lifetime_days": 7 });
        app.root().patch(&policy, bounds).await.expect(StatusCode::OK);
        let short = alice.token(&[READ], json!({})).await;
        assert_eq!(days(&short), 7);
        assert_eq!(alice.token(&[READ], json!({ "expires_at": null })).await.body["expires_at"], Value::Null);
        app.clock.advance(SignedDuration::from_hours(24 * 7));
        assert_eq!(alice.code(&short, READ).await, "expired");
        let renewed = json!({ "expires_at": app.app.now() + SignedDuration::from_hours(24) });
        app.root().patch(&path(&short, ""), renewed).await.expect(StatusCode::OK);
        assert_eq!(alice.code(&short, READ).await, "valid");
    }

    async fn a_token_is_renamed_renewed_and_revoked_under_one_id(app: &TestApp) {
        let alice = alice(app).await;
        let (key, twin) = (alice.token(&[READ], json!({})).await, alice.token(&[READ], json!({})).await);
        assert_eq!((&key.body["name"], &twin.body["name"]), (&json!("laptop"), &json!("laptop")));
        let renamed = app.root().patch(&path(&key, ""), json!({ "name": "old laptop" })).await.expect(StatusCode::OK);
        assert_eq!((&renamed["name"], &renamed["id"]), (&json!("old laptop"), &json!(key.id)));
        let rolled = app.root().post(&path(&key, "/roll"), json!({ "overlap_seconds": 60 })).await.expect(StatusCode::OK);
        let rolled = Key::from(rolled);
        assert_eq!(rolled.id, key.id);
        for token in [&key, &rolled] {
            assert_eq!(alice.code(token, READ).await, "valid");
        }
        app.root().post(&path(&key, "/revoke"), json!({})).await.expect(StatusCode::OK);
        for token in [&key, &rolled] {
            assert_eq!(alice.code(token, READ).await, "revoked");
        }
        assert_eq!(alice.code(&twin, READ).await, "valid");
        app.root().delete(&path(&twin, "")).await.expect(StatusCode::NO_CONTENT);
        app.root().get(&path(&twin, "")).await.expect(StatusCode::NOT_FOUND);
        assert_eq!(alice.code(&twin, READ).await, "revoked");
    }

    async fn a_user_manages_their_own_tokens_with_a_token_and_nobody_elses(app: &TestApp) {
        let alice = alice(app).await;
        let bob = Member::join(app, &alice.organization, "bob@acme.test", &["member"], &[READ]).await;
        let bobs = bob.token(&[READ], json!({})).await;
        let tool = alice.token(&[READ, OWN, "claviger:personal_access_tokens:read"], json!({})).await;
        let client = app.client(&tool.token);

        let mine = json!({ "organization_id": alice.organization, "name": "made by a tool", "permissions": [READ] });
        let made = Key::from(client.post("/v1/personal-access-tokens", mine).await.expect(StatusCode::CREATED));
        assert_eq!((&made.body["user_id"], alice.code(&made, READ).await), (&json!(alice.user), "valid".to_owned()));
        let list = client.get("/v1/personal-access-tokens").await.expect(StatusCode::OK);
        let users: Vec<_> = list["items"].as_array().unwrap().iter().map(|one| text(&one["user_id"])).collect();
        assert_eq!(users, [alice.user.clone(), alice.user.clone()]);
        let others = client.get(&format!("/v1/personal-access-tokens?user_id={}", bob.user)).await.expect(StatusCode::OK);
        assert_eq!(others["items"], json!([]));

        // Not beyond the tool itself, though Alice holds more.
        let wider = json!({ "organization_id": alice.organization, "name": "x", "permissions": [WRITE] });
        client.post("/v1/personal-access-tokens", wider).await.problem(StatusCode::FORBIDDEN, "permission_missing");
        let longer = json!({ "expires_at": app.app.now() + SignedDuration::from_hours(24 * 200) });
        client.patch(&path(&tool, ""), longer).await.problem(StatusCode::FORBIDDEN, "permission_missing");
        client.patch(&path(&tool, ""), json!({ "permissions": ["*"] })).await.problem(StatusCode::FORBIDDEN, "permission_missing");

        for action in ["/roll", "/revoke"] {
            client.post(&path(&bobs, action), json!({})).await.problem(StatusCode::NOT_FOUND, "not_found");
        }
        client.get(&path(&bobs, "")).await.problem(StatusCode::NOT_FOUND, "not_found");
        client.patch(&path(&bobs, ""), json!({ "name": "x" })).await.problem(StatusCode::NOT_FOUND, "not_found");
        client.delete(&path(&bobs, "")).await.problem(StatusCode::NOT_FOUND, "not_found");
        let for_bob = client.post("/v1/personal-access-tokens", bob.body(&[READ], json!({}))).await;
        assert_eq!(for_bob.problem(StatusCode::FORBIDDEN, "permission_missing")["permission"], "claviger:credentials:write");
        let refused = client.post(&path(&bobs, "/approve"), json!({})).await;
        assert_eq!(refused.problem(StatusCode::FORBIDDEN, "permission_missing")["permission"], "claviger:credentials:write");

        let weak = alice.token(&[READ], json!({})).await;
        let refused = app.client(&weak.token).post("/v1/personal-access-tokens", alice.body(&[READ], json!({}))).await;
        assert_eq!(refused.problem(StatusCode::FORBIDDEN, "permission_missing")["permission"], OWN);
        assert_eq!(app.client(&weak.token).get("/v1/token").await.expect(StatusCode::OK)["principal"]["id"], alice.user);
        let rolled = app.client(&weak.token).post("/v1/token/roll", json!({})).await.expect(StatusCode::OK);
        assert!(text(&rolled["token"]).starts_with("clv_pat_"));
    }

    async fn what_somebody_who_governs_stopped_its_user_does_not_start_again(app: &TestApp) {
        let alice = alice(app).await;
        let key = alice.token(&[READ], json!({})).await;
        let tool = alice.token(&[READ, OWN], json!({})).await;
        let (client, browser) = (app.client(&tool.token), Browser::of(&alice).await);
        let (stop, start) = (json!({ "disabled": true }), json!({ "disabled": false }));
        client.patch(&path(&key, ""), stop.clone()).await.expect(StatusCode::OK);
        assert_eq!(alice.code(&key, READ).await, "disabled");
        let started = browser.send(Method::PATCH, &path(&key, ""), Some(start.clone())).await.expect(StatusCode::OK);
        assert_eq!((&started["disabled"], &started["disabled_by"]), (&json!(false), &Value::Null));

        let admin = Member::join(app, &alice.organization, "admin@acme.test", &["organization-admin"], &[READ]).await;
        let admins = admin.token(&["claviger:*", READ], json!({})).await;
        let governing = app.client(&admins.token);
        let stopped = governing.patch(&path(&key, ""), stop.clone()).await.expect(StatusCode::OK);
        assert_eq!(stopped["disabled_by"], json!(admin.user));
        client.patch(&path(&key, ""), stop).await.expect(StatusCode::OK);
        let refused = client.patch(&path(&key, ""), start.clone()).await;
        let refused = refused.problem(StatusCode::FORBIDDEN, "disabled_by_another");
        assert_eq!(refused["permission"], "claviger:credentials:write");
        let refused = browser.send(Method::PATCH, &path(&key, ""), Some(start.clone())).await;
        refused.problem(StatusCode::FORBIDDEN, "disabled_by_another");
        assert_eq!(alice.code(&key, READ).await, "disabled");
        // Its other members are hers as before.
        client.patch(&path(&key, ""), json!({ "name": "old laptop" })).await.expect(StatusCode::OK);
        governing.patch(&path(&key, ""), start).await.expect(StatusCode::OK);
        assert_eq!(alice.code(&key, READ).await, "valid");
    }

    async fn a_new_token_waits_for_the_approval_that_policy_wants(app: &TestApp) {
        let alice = alice(app).await;
        let old = alice.token(&[READ], json!({})).await;
        let browser = Browser::of(&alice).await;
        let policy = format!("/v1/organizations/{}/policy", alice.organization);
        app.root().patch(&policy, json!({ "approval_required": true })).await.expect(StatusCode::OK);
        let (good, bad) = (alice.token(&[READ], json!({})).await, alice.token(&[READ], json!({})).await);
        assert_eq!((alice.code(&old, READ).await.as_str(), alice.code(&good, READ).await.as_str()), ("valid", "pending_approval"));
        let waiting = app.root().get("/v1/credentials?status=pending_approval").await.expect(StatusCode::OK);
        assert_eq!(waiting["items"].as_array().unwrap().len(), 2);

        let approved = app.root().post(&path(&good, "/approve"), json!({})).await.expect(StatusCode::OK);
        assert_eq!((&approved["status"], &approved["pending_since"]), (&json!("active"), &Value::Null));
        assert_ne!(approved["approved_by"], Value::Null);
        assert_eq!(alice.code(&good, READ).await, "valid");
        app.root().post(&path(&bad, "/deny"), json!({})).await.expect(StatusCode::OK);
        assert_eq!(alice.code(&bad, READ).await, "revoked");
        app.root().post(&path(&bad, "/approve"), json!({})).await.problem(StatusCode::CONFLICT, "revoked");
        app.root().post(&path(&good, "/approve"), json!({})).await.problem(StatusCode::CONFLICT, "not_pending");

        // More than was approved waits again, be it time alone, and less does not.
        let change = async |key: &Key, body: Value| {
            browser.send(Method::PATCH, &path(key, ""), Some(body)).await.expect(StatusCode::OK);
            app.code(&key.token).await
        };
        let days = |days: i64| json!({ "expires_at": app.app.now() + SignedDuration::from_hours(24 * days) });
        assert_eq!(change(&good, json!({ "permissions": [] })).await, "valid");
        assert_eq!(change(&good, days(10)).await, "valid");
        for more in [json!({ "permissions": [READ, WRITE] }), days(100)] {
            assert_eq!(change(&good, more).await, "pending_approval");
            app.root().post(&path(&good, "/approve"), json!({})).await.expect(StatusCode::OK);
        }
        assert_eq!(change(&old, days(100)).await, "pending_approval", "also of one that needed no approval when it was made");
        // Who governs approves what they give.
        let given = app.root().patch(&path(&good, ""), days(200)).await.expect(StatusCode::OK);
        assert_eq!((&given["status"], app.code(&good.token).await), (&json!("active"), "valid".to_owned()));
    }

    async fn what_is_made_while_policy_gets_stricter_obeys_it(app: &TestApp) {
        let alice = alice(app).await;
        let day = |days: i64| app.app.now() + SignedDuration::from_hours(24 * days);
        let key = alice.token(&[READ], json!({ "expires_at": day(10) })).await;
        let (by, root) = (By::operator(), app.root());
        let mut tx = app.app.store.begin(&by).await.unwrap();
        let organization = alice.organization.parse().unwrap();
        let organization = tx.to_change(Reach::Instance).organization(organization).await.unwrap().unwrap();
        let stricter = PolicyChanges {
            pat_max_lifetime_days: Some(Some(30)), pat_default_lifetime_days: Some(Some(7)), ..PolicyChanges::default()
        };
        let (organization, event) = organization.update_policy(stricter).unwrap();
        tx.save_organization(&organization).await.unwrap();
        let far = json!({ "expires_at": day(60) });
        let make = root.post("/v1/personal-access-tokens", alice.body(&[READ], far.clone()));
        let path = path(&key, "");
        let extend = root.patch(&path, far);
        let (made, extended, ()) = tokio::join!(make, extend, async {
            // Long enough for both to have read what there is, if they did not wait.
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
            tx.commit(event, app.app.now(), &mut app.app.rng()).await.unwrap();
        });
        made.wrong("/expires_at", "lifetime_too_long");
        extended.wrong("/expires_at", "lifetime_too_long");
    }

    async fn members_name_objects_where_policy_wants_it_and_admins_need_not(app: &TestApp) {
        let alice = alice(app).await;
        let admin = Member::join(app, &alice.organization, "root@acme.test", &["organization-admin"], &[READ]).await;
        let (old, admins) = (alice.token(&[READ], json!({})).await, admin.token(&[READ], json!({})).await);
        let policy = format!("/v1/organizations/{}/policy", alice.organization);
        let changes = json!({ "members_must_name_objects": true });
        let preview = app.root().post(&format!("{policy}/preview"), changes.clone()).await.expect(StatusCode::OK);
        let touched = &preview["touches"][0];
        assert_eq!((&touched["count"], &touched["credentials"][0]["id"]), (&json!(1), &json!(old.id)));
        app.root().patch(&policy, changes).await.expect(StatusCode::OK);
        let refused = app.root().post("/v1/personal-access-tokens", alice.body(&[READ], json!({}))).await;
        refused.wrong("/objects", "objects_required");
        let limited = alice.token(&[READ], json!({ "objects": ["base:*"] })).await;
        app.root().patch(&path(&limited, ""), json!({ "objects": null })).await.wrong("/objects", "objects_required");
        assert_eq!((app.code(&old.token).await.as_str(), app.code(&admins.token).await.as_str()), ("disabled", "valid"));
        assert_eq!(app.verify(&limited.token, json!({ "object": "base:a" })).await["code"], "valid");
        admin.token(&[READ], json!({})).await;
    }

    async fn the_products_backend_makes_tokens_for_its_own_users(app: &TestApp) {
        let alice = alice(app).await;
        let (other, _) = app.account("globex", &[]).await;
        let user = json!({ "email": "dora@acme.test", "external_id": "u-7" });
        let made = app.root().post("/v1/users", user).await.expect(StatusCode::CREATED);
        let dora = Member { app, user: text(&made["id"]), organization: alice.organization.clone() };
        dora.hold(&[], &[READ]).await;
        let backend = app.account_in(&alice.organization, &[OWN, READ]).await;
        let backend = app.key(&backend, &[OWN, READ], json!({})).await;
        let client = app.client(&backend.token);
        let body = |members: Value| {
            let mut body = json!({ "organization_id": alice.organization, "name": "portal", "permissions": [READ] });
            body.as_object_mut().unwrap().extend(members.as_object().cloned().unwrap());
            body
        };
        let made = client.post("/v1/personal-access-tokens", body(json!({ "user_external_id": "u-7" }))).await;
        let made = Key::from(made.expect(StatusCode::CREATED));
        assert_eq!(app.verify(&made.token, json!({})).await["principal"]["external_id"], "u-7");
        let post = async |members| client.post("/v1/personal-access-tokens", body(members)).await;
        post(json!({ "user_external_id": "u-8" })).await.wrong("/user_external_id", "unknown_user");
        post(json!({})).await.wrong("", "one_of");
        post(json!({ "user_external_id": "u-7", "user_id": dora.user })).await.wrong("", "one_of");
        post(json!({ "user_id": dora.user, "organization_id": other })).await.wrong("/user_id", "unknown_user");
        post(json!({ "user_id": dora.user, "permissions": [WRITE] })).await.wrong("/permissions/0", "permission_not_held");
        post(json!({ "user_id": alice.user, "permissions": [WRITE] })).await.problem(StatusCode::FORBIDDEN, "permission_missing");
    }

    async fn whoever_administers_one_organization_gets_no_token_of_who_reaches_all(app: &TestApp) {
        let alice = alice(app).await;
        let boss = Member::join(app, &alice.organization, "boss@acme.test", &["member"], &[READ]).await;
        let given = json!({
            "principal_id": boss.user, "organization_id": boss.organization, "role": "instance-admin", "scope": "instance",
        });
        app.root().post("/v1/assignments", given).await.expect(StatusCode::CREATED);
        let admin = Member::join(app, &alice.organization, "admin@acme.test", &["organization-admin"], &[READ]).await;
        let admins = admin.token(&[READ, "claviger:*"], json!({})).await;
        let client = app.client(&admins.token);
        for permissions in [json!(["claviger:organizations:write"]), json!(["claviger:*"])] {
            let body = json!({
                "user_id": boss.user, "organization_id": boss.organization, "name": "x", "permissions": permissions,
            });
            client.post("/v1/personal-access-tokens", body).await.problem(StatusCode::FORBIDDEN, "permission_missing");
        }
        let bosses = boss.token(&["claviger:*"], json!({})).await;
        client.post(&path(&bosses, "/roll"), json!({})).await.problem(StatusCode::FORBIDDEN, "instance_scope_needed");
        let elsewhere = Member::join(app, &app.account("globex", &[]).await.0, "eve@globex.test", &["member"], &[]).await;
        let foreign = elsewhere.token(&[], json!({})).await;
        client.get(&path(&foreign, "")).await.problem(StatusCode::NOT_FOUND, "not_found");
    }

    async fn whoever_is_signed_in_manages_their_own_tokens_without_a_credential(app: &TestApp) {
        let alice = alice(app).await;
        let bob = Member::join(app, &alice.organization, "bob@acme.test", &["member"], &[READ]).await;
        let bobs = bob.token(&[READ], json!({})).await;
        let browser = Browser::of(&alice).await;
        let mine = json!({ "organization_id": alice.organization, "name": "from the browser", "permissions": [READ, WRITE] });
        let made = browser.send(Method::POST, "/v1/personal-access-tokens", Some(mine.clone())).await;
        let made = Key::from(made.expect(StatusCode::CREATED));
        assert_eq!((&made.body["user_id"], alice.code(&made, WRITE).await), (&json!(alice.user), "valid".to_owned()));
        let list = browser.send(Method::GET, "/v1/personal-access-tokens", None).await.expect(StatusCode::OK);
        assert_eq!(list["items"].as_array().unwrap().len(), 1);
        let more = json!({ "organization_id": alice.organization, "name": "x", "permissions": ["claviger:organizations:write"] });
        let more = browser.send(Method::POST, "/v1/personal-access-tokens", Some(more)).await;
        more.wrong("/permissions/0", "permission_not_held");
        let for_bob = browser.send(Method::POST, "/v1/personal-access-tokens", Some(bob.body(&[READ], json!({})))).await;
        for_bob.problem(StatusCode::FORBIDDEN, "permission_missing");
        browser.send(Method::GET, &path(&bobs, ""), None).await.problem(StatusCode::NOT_FOUND, "not_found");
        let revoke = browser.send(Method::POST, &path(&bobs, "/revoke"), Some(json!({}))).await;
        revoke.problem(StatusCode::NOT_FOUND, "not_found");

        let bare = [("cookie", browser.cookie.as_str())];
        let forged = app.anonymous().send(Method::POST, "/v1/personal-access-tokens", Some(mine.clone()), &bare).await;
        forged.problem(StatusCode::FORBIDDEN, "csrf_token_invalid");
        let elsewhere = app.anonymous().send(Method::GET, "/v1/api-keys", None, &bare).await;
        elsewhere.problem(StatusCode::UNAUTHORIZED, "unauthenticated");

        app.clock.advance(SignedDuration::from_mins(11));
        let late = browser.send(Method::POST, "/v1/personal-access-tokens", Some(mine)).await;
        late.problem(StatusCode::FORBIDDEN, "reauthentication_required");
        let wider = browser.send(Method::PATCH, &path(&made, ""), Some(json!({ "permissions": ["*"] }))).await;
        wider.problem(StatusCode::FORBIDDEN, "reauthentication_required");
        let renamed = browser.send(Method::PATCH, &path(&made, ""), Some(json!({ "name": "renamed" }))).await;
        renamed.expect(StatusCode::OK);
        let late = browser.send(Method::POST, &path(&made, "/roll"), Some(json!({}))).await;
        late.problem(StatusCode::FORBIDDEN, "reauthentication_required");
        browser.send(Method::POST, &path(&made, "/revoke"), Some(json!({}))).await.expect(StatusCode::OK);
        assert_eq!(alice.code(&made, READ).await, "revoked");
        let trail = app.root().get(&format!("/v1/audit-events?target={}", made.id)).await.expect(StatusCode::OK);
        assert_eq!(trail["items"][0]["actor"]["id"], alice.user);
    }

    async fn what_somebody_of_one_organization_made_never_comes_to_reach_all_of_them(app: &TestApp) {
        let alice = alice(app).await;
        let admin = Member::join(app, &alice.organization, "admin@acme.test", &["organization-admin"], &[READ]).await;
        let admins = admin.token(&["claviger:*", READ], json!({})).await;
        let planted = app.client(&admins.token).post("/v1/personal-access-tokens", alice.body(&["claviger:*"], json!({}))).await;
        let planted = Key::from(planted.expect(StatusCode::CREATED));
        alice.token(&[READ], json!({})).await;
        let given = json!({
            "principal_id": alice.user, "organization_id": alice.organization, "role": "instance-admin", "scope": "instance",
        });
        let refused = app.root().post("/v1/assignments", given.clone()).await;
        refused.problem(StatusCode::CONFLICT, "credentials_of_others");
        // The one who planted it sees what it rolls itself to.
        let rolled = app.client(&planted.token).post("/v1/token/roll", json!({})).await;
        app.handed_out(&text(&rolled.expect(StatusCode::OK)["token"]));
        let refused = app.root().post("/v1/assignments", given.clone()).await;
        refused.problem(StatusCode::CONFLICT, "credentials_of_others");
        app.root().post(&path(&planted, "/revoke"), json!({})).await.expect(StatusCode::OK);

        // So does who rolls one that somebody else made, for as long as that secret works.
        let sound = alice.token(&[READ], json!({})).await;
        let overlap = json!({ "overlap_seconds": 60 });
        app.client(&admins.token).post(&path(&sound, "/roll"), json!({})).await.expect(StatusCode::OK);
        let refused = app.root().post("/v1/assignments", given.clone()).await;
        refused.problem(StatusCode::CONFLICT, "credentials_of_others");
        app.root().post(&path(&sound, "/roll"), overlap).await.expect(StatusCode::OK);
        let refused = app.root().post("/v1/assignments", given.clone()).await;
        refused.problem(StatusCode::CONFLICT, "credentials_of_others");
        app.clock.advance(SignedDuration::from_secs(60));
        app.root().post("/v1/assignments", given).await.expect(StatusCode::CREATED);
    }

    async fn a_role_that_is_given_everywhere_does_not_grow_under_what_somebody_else_made(app: &TestApp) {
        let alice = alice(app).await;
        let role = json!({ "name": "support", "permissions": ["claviger:usage:read"] });
        let role = text(&app.root().post("/v1/roles", role).await.expect(StatusCode::CREATED)["id"]);
        let given = json!({
            "principal_id": alice.user, "organization_id": alice.organization, "role": "support", "scope": "instance",
        });
        app.root().post("/v1/assignments", given).await.expect(StatusCode::CREATED);
        let admin = Member::join(app, &alice.organization, "admin@acme.test", &["organization-admin"], &[READ]).await;
        let admins = admin.token(&["claviger:*", READ], json!({})).await;
        let planted = app.client(&admins.token).post("/v1/personal-access-tokens", alice.body(&[READ], json!({}))).await;
        let planted = Key::from(planted.expect(StatusCode::CREATED));
        let path_of_role = format!("/v1/roles/{role}");
        let wider = json!({ "permissions": ["claviger:usage:read", READ] });
        let refused = app.root().patch(&path_of_role, wider.clone()).await;
        refused.problem(StatusCode::CONFLICT, "credentials_of_others");
        app.root().patch(&path_of_role, json!({ "permissions": [], "name": "helpers" })).await.expect(StatusCode::OK);
        app.root().post(&path(&planted, "/revoke"), json!({})).await.expect(StatusCode::OK);
        app.root().patch(&path_of_role, wider).await.expect(StatusCode::OK);
    }

    async fn whoever_reaches_the_instance_a_little_plants_nothing_either(app: &TestApp) {
        let alice = alice(app).await;
        let admin = Member::join(app, &alice.organization, "admin@acme.test", &["organization-admin"], &[READ]).await;
        let give = async |user: &str, permission: &str| {
            let given = json!({
                "principal_id": user, "organization_id": alice.organization, "permission": permission, "scope": "instance",
            });
            app.root().post("/v1/assignments", given).await
        };
        give(&admin.user, "claviger:usage:read").await.expect(StatusCode::CREATED);
        let admins = admin.token(&["claviger:*", READ], json!({})).await;
        let planted = app.client(&admins.token).post("/v1/personal-access-tokens", alice.body(&[READ], json!({}))).await;
        app.handed_out(&text(&planted.expect(StatusCode::CREATED)["token"]));
        give(&alice.user, READ).await.problem(StatusCode::CONFLICT, "credentials_of_others");
        give(&alice.user, "claviger:usage:read").await.expect(StatusCode::CREATED);
    }

    async fn who_governs_one_organization_and_reads_everywhere_governs_one(app: &TestApp) {
        let alice = alice(app).await;
        let (globex, _) = app.account("globex", &[]).await;
        let eve = Member::join(app, &globex, "eve@globex.test", &["member"], &[]).await;
        let eves = eve.token(&[], json!({})).await;
        let admin = Member::join(app, &alice.organization, "admin@acme.test", &["organization-admin"], &[READ]).await;
        let far = json!({
            "principal_id": admin.user, "organization_id": alice.organization, "role": "member", "scope": "instance",
        });
        app.root().post("/v1/assignments", far).await.expect(StatusCode::CREATED);
        let tool = admin.token(&["claviger:*"], json!({})).await;
        let client = app.client(&tool.token);
        client.get(&path(&eves, "")).await.problem(StatusCode::NOT_FOUND, "not_found");
        client.post(&path(&eves, "/revoke"), json!({})).await.problem(StatusCode::NOT_FOUND, "not_found");
        let alices = alice.token(&[READ], json!({})).await;
        client.get(&path(&alices, "")).await.expect(StatusCode::OK);
    }

    async fn what_waits_for_an_approval_does_not_grow_meanwhile(app: &TestApp) {
        let alice = alice(app).await;
        let policy = format!("/v1/organizations/{}/policy", alice.organization);
        app.root().patch(&policy, json!({ "approval_required": true })).await.expect(StatusCode::OK);
        let key = alice.token(&[READ], json!({})).await;
        let wider = app.root().patch(&path(&key, ""), json!({ "permissions": [READ, WRITE] })).await;
        wider.problem(StatusCode::CONFLICT, "pending_approval");
        app.root().patch(&path(&key, ""), json!({ "permissions": [] })).await.expect(StatusCode::OK);
        app.root().patch(&path(&key, ""), json!({ "name": "new name" })).await.expect(StatusCode::OK);
    }
}
