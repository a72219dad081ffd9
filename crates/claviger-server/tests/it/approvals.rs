//! Approvals in a browser: what waits for whom, what the page says of it, and the same rule as over the API.

use claviger_core::{By, NewUser, User};
use jiff::SignedDuration;
use reqwest::{Method, StatusCode, header::ORIGIN};
use serde_json::{Value, json};

use crate::{
    app::{Key, PUBLIC_URL, TestApp, text},
    browser::{Browser, PASSWORD, Page},
};

const READ: &str = "invoices:read";
const WRITE: &str = "invoices:write";

/// Acme, whose policy wants approvals, and Alice, whose tokens wait.
struct Acme<'a> {
    app: &'a TestApp,
    id: String,
    alice: String,
}

impl<'a> Acme<'a> {
    async fn new(app: &'a TestApp) -> Self {
        app.declare_invoices().await;
        let (id, _) = app.account("acme", &[READ]).await;
        let policy = format!("/v1/organizations/{id}/policy");
        app.root().patch(&policy, json!({ "approval_required": true })).await.expect(StatusCode::OK);
        let alice = text(
            &app.root()
                .post("/v1/users", json!({ "email": "alice@acme.test", "name": "Alice" }))
                .await
                .expect(StatusCode::CREATED)["id"],
        );
        let acme = Self { app, id, alice };
        acme.hold(&acme.alice, &["member"], &[READ, WRITE]).await;
        acme
    }

    async fn hold(&self, user: &str, roles: &[&str], permissions: &[&str]) {
        let path = format!("/v1/organizations/{}/members/{user}", self.id);
        let status = self.app.root().put(&path, json!({ "roles": roles, "permissions": permissions })).await.status;
        assert!(status.is_success(), "{status}");
    }

    /// A token of Alice's that waits.
    async fn asked(&self, name: &str, more: Value) -> Key {
        self.asked_of(&self.alice, name, more).await
    }

    async fn asked_of(&self, user: &str, name: &str, more: Value) -> Key {
        let mut body = json!({ "organization_id": self.id, "user_id": user, "name": name, "permissions": [READ] });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Key::from(self.app.root().post("/v1/personal-access-tokens", body).await.expect(StatusCode::CREATED))
    }

    /// Somebody with these roles here, who is signed in.
    async fn somebody(&self, email: &str, roles: &[&str]) -> (Browser<'a>, String) {
        let user = self.app.person(email, Some(PASSWORD)).await.to_string();
        self.hold(&user, roles, &[]).await;
        let browser = Browser::new(self.app);
        browser.sign_in(email, PASSWORD).await.leads_to("/");
        (browser, user)
    }

    async fn admin(&self) -> Browser<'a> {
        self.somebody("admin@acme.test", &["organization-admin"]).await.0
    }
}

fn path(key: &Key) -> String {
    format!("/approvals/{}", key.id)
}

async fn decide(browser: &Browser<'_>, key: &Key, decision: &str) -> Page {
    let shown = browser.get(&path(key)).await;
    shown.shows(StatusCode::OK, "name=\"seen\"");
    submit(browser, key, decision, &shown).await
}

/// Decides about what this page showed.
async fn submit(browser: &Browser<'_>, key: &Key, decision: &str, shown: &Page) -> Page {
    let (csrf, seen) = (shown.field("csrf"), shown.field("seen"));
    browser.post(&format!("{}/{decision}", path(key)), &[("csrf", &csrf), ("seen", &seen)]).await
}

/// Sends the decision although no page offered it.
async fn force(browser: &Browser<'_>, key: &Key, decision: &str) -> Page {
    let csrf = browser.get("/account/security").await.field("csrf");
    browser.post(&format!("{}/{decision}", path(key)), &[("csrf", &csrf)]).await
}

on_both_databases! {
    async fn an_admin_approves_what_waits_and_it_works(app: &TestApp) {
        let acme = Acme::new(app).await;
        let admin = acme.admin().await;
        admin.get("/approvals").await.shows(StatusCode::OK, "Nothing waits for you");
        assert!(!admin.get("/organizations/acme").await.html.contains("for your approval"));
        let (key, other) = (acme.asked("deploy", json!({})).await, acme.asked("other", json!({})).await);
        assert_eq!(key.body["approval_url"], json!(format!("{PUBLIC_URL}{}", path(&key))));
        admin.get("/organizations/acme").await.shows(StatusCode::OK, "2 tokens wait for your approval");
        let list = admin.get("/approvals").await;
        for part in ["deploy", "Alice", "acme", &format!("href=\"{}\"", path(&other))] {
            list.shows(StatusCode::OK, part);
        }
        assert_eq!(app.code(&key.token).await, "pending_approval");
        decide(&admin, &key, "approve").await.leads_to(&path(&key));
        assert_eq!(app.code(&key.token).await, "valid");
        let page = admin.get(&path(&key)).await;
        page.shows(StatusCode::OK, "Approved by Zoë &#60;b&#62; (user_");
        assert!(!page.html.contains("/approve\""));
        admin.get("/organizations/acme").await.shows(StatusCode::OK, "One token waits for your approval");
        let shown = app.root().get(&format!("/v1/personal-access-tokens/{}", key.id)).await.expect(StatusCode::OK);
        assert_eq!((&shown["approval_url"], &shown["status"]), (&Value::Null, &json!("active")));
        let trail = app.root().get(&format!("/v1/audit-events?target={}", key.id)).await.expect(StatusCode::OK);
        let event = &trail["items"][0];
        assert_eq!((&event["action"], &event["actor"]["type"]), (&json!("personal_access_token.approved"), &json!("user")));
        assert!(text(&event["actor"]["credential"]).starts_with("ses"), "{event}");
    }

    async fn the_page_tells_all_that_is_asked_for(app: &TestApp) {
        let acme = Acme::new(app).await;
        let admin = acme.admin().await;
        let more = json!({
            "permissions": [READ, WRITE], "objects": ["base:app7"], "allowed_networks": ["10.0.0.0/8"],
            "expires_at": app.app.now() + SignedDuration::from_hours(48), "not_before": "2020-01-02T03:04:05Z",
        });
        let page = admin.get(&path(&acme.asked("<script>alert(1)", more).await)).await;
        for part in [
            "&#60;script&#62;alert(1)", "Alice (alice@acme.test)", &acme.alice, "acme", "<code>invoices:read</code><br>Read",
            "<code>invoices:write</code></li>", "<code>base:app7</code>", "<code>10.0.0.0/8</code>", "2020-01-02 03:04 UTC",
        ] {
            page.shows(StatusCode::OK, part);
        }
        assert!(!page.html.contains("<script>") && !page.html.contains("Look closely"));

        let bare = json!({ "permissions": ["*"] });
        let mine = admin.get(&path(&acme.asked("bare", bare).await)).await;
        for part in ["All objects", "From anywhere", "now and later", "At present, that is:", "<code>invoices:write</code>"] {
            mine.shows(StatusCode::OK, part);
        }
        let own = app.root().patch(&format!("/v1/organizations/{}/policy", acme.id), json!({ "pat_max_lifetime_days": null })).await;
        own.expect(StatusCode::OK);
        let endless = acme.asked("endless", json!({ "expires_at": null })).await;
        admin.get(&path(&endless)).await.shows(StatusCode::OK, "It never ends");
        let maker = Browser::sending(app, "accept-language", "nl");
        maker.get(&path(&endless)).await.leads_to(&format!("/sign-in?next=%2Fapprovals%2F{}", endless.id));
    }

    async fn an_address_that_is_only_claimed_is_told(app: &TestApp) {
        let acme = Acme::new(app).await;
        let admin = acme.admin().await;
        let (by, now) = (By::operator(), app.app.now());
        let (user, event) = User::create(&NewUser::with_email("ceo@acme.test"), now, &mut app.app.rng()).unwrap();
        let user = user.claimed();
        let mut tx = app.app.store.begin(&by).await.unwrap();
        tx.insert_user(&user).await.unwrap();
        tx.commit(event, now, &mut app.app.rng()).await.unwrap();
        let id = user.id.to_string();
        acme.hold(&id, &["member"], &[READ]).await;
        let words = "Nobody has shown that this address is theirs";
        let asked = acme.asked_of(&id, "deploy", json!({})).await;
        admin.get(&path(&asked)).await.shows(StatusCode::OK, words);
        assert!(!admin.get(&path(&acme.asked("other", json!({})).await)).await.html.contains(words));
        for (user, claimed) in [(&id, true), (&acme.alice, false)] {
            let member = format!("/v1/organizations/{}/members/{user}", acme.id);
            let shown = app.root().get(&member).await.expect(StatusCode::OK);
            assert_eq!(shown["email_claimed"], json!(claimed));
        }
    }

    async fn what_changed_since_it_was_shown_is_shown_again(app: &TestApp) {
        let acme = Acme::new(app).await;
        let (admin, key) = (acme.admin().await, acme.asked("deploy", json!({ "objects": ["base:a"] })).await);
        let shown = admin.get(&path(&key)).await;
        let token = format!("/v1/personal-access-tokens/{}", key.id);
        for change in [
            json!({ "name": "other" }), json!({ "metadata": { "tier": "gold" } }), json!({ "allowed_networks": ["127.0.0.0/8"] }),
        ] {
            app.root().patch(&token, change).await.expect(StatusCode::OK);
            submit(&admin, &key, "approve", &shown).await.leads_to(&path(&key));
            assert_eq!(app.code(&key.token).await, "pending_approval");
        }
        force(&admin, &key, "approve").await.leads_to(&path(&key));
        assert_eq!(app.code(&key.token).await, "pending_approval");
        decide(&admin, &key, "approve").await.leads_to(&path(&key));
        assert_ne!(app.code(&key.token).await, "pending_approval");
    }

    async fn what_is_stopped_while_it_waits_still_waits(app: &TestApp) {
        let acme = Acme::new(app).await;
        let (admin, key) = (acme.admin().await, acme.asked("deploy", json!({})).await);
        let token = format!("/v1/personal-access-tokens/{}", key.id);
        app.root().patch(&token, json!({ "disabled": true })).await.expect(StatusCode::OK);
        admin.get("/approvals").await.shows(StatusCode::OK, "deploy");
        admin.get("/organizations/acme").await.shows(StatusCode::OK, "One token waits for your approval");
        app.root().patch(&token, json!({ "disabled": false })).await.expect(StatusCode::OK);
        decide(&admin, &key, "approve").await.leads_to(&path(&key));
        assert_eq!(app.code(&key.token).await, "valid");
    }

    async fn a_look_alike_is_shown_to_who_approves(app: &TestApp) {
        let acme = Acme::new(app).await;
        let bob = text(&app.root().post("/v1/users", json!({ "email": "bob@acme.test" })).await.expect(StatusCode::CREATED)["id"]);
        acme.hold(&bob, &["member"], &[READ]).await;
        let (bobs, fake) = (acme.asked_of(&bob, "deploy", json!({})).await, acme.asked("d\u{435}ploy", json!({})).await);
        let page = acme.admin().await.get(&path(&fake)).await;
        for part in ["Look closely", "bob@acme.test", &bobs.id] {
            page.shows(StatusCode::OK, part);
        }
        // Who may decide and not see everything is told that there is one.
        let role = json!({ "name": "approver", "organization_id": acme.id, "permissions": ["claviger:credentials:write"] });
        app.root().post("/v1/roles", role).await.expect(StatusCode::CREATED);
        let (approver, _) = acme.somebody("approver@acme.test", &["approver"]).await;
        let page = approver.get(&path(&fake)).await;
        page.shows(StatusCode::OK, "Look closely");
        assert!(!page.html.contains(&bobs.id) && !page.html.contains("bob@"), "{}", page.html);
    }

    async fn denying_ends_it_and_wants_no_fresh_proof(app: &TestApp) {
        let acme = Acme::new(app).await;
        let admin = acme.admin().await;
        let (good, bad) = (acme.asked("good", json!({})).await, acme.asked("bad", json!({})).await);
        app.clock.advance(SignedDuration::from_mins(10));
        let again = format!("/sign-in/again?next=%2Fapprovals%2F{}", good.id);
        decide(&admin, &good, "approve").await.leads_to(&again);
        assert_eq!(app.code(&good.token).await, "pending_approval");
        decide(&admin, &bad, "deny").await.leads_to(&path(&bad));
        assert_eq!(app.code(&bad.token).await, "revoked");
        admin.get(&path(&bad)).await.shows(StatusCode::OK, "Denied");
        let fields = [("password", PASSWORD), ("next", &path(&good))];
        admin.fill_in(&again, "/sign-in/again", &fields).await.leads_to(&path(&good));
        decide(&admin, &good, "approve").await.leads_to(&path(&good));
        assert_eq!(app.code(&good.token).await, "valid");
    }

    async fn what_is_decided_meanwhile_stays_so(app: &TestApp) {
        let acme = Acme::new(app).await;
        let admin = acme.admin().await;
        let decided = async |key: &Key, action: &str| {
            app.root().post(&format!("/v1/personal-access-tokens/{}/{action}", key.id), json!({})).await.expect(StatusCode::OK);
        };
        let keys = [acme.asked("a", json!({})).await, acme.asked("b", json!({})).await, acme.asked("c", json!({})).await];
        for (key, action) in keys.iter().zip(["approve", "deny", "revoke"]) {
            decided(key, action).await;
        }
        for (key, (code, words)) in keys.iter().zip([("valid", "Approved by"), ("revoked", "Denied"), ("revoked", "before anybody decided")]) {
            for decision in ["approve", "deny"] {
                force(&admin, key, decision).await.leads_to(&path(key));
                assert_eq!(app.code(&key.token).await, code);
                admin.get(&path(key)).await.shows(StatusCode::OK, words);
            }
        }
        admin.get("/approvals").await.shows(StatusCode::OK, "Nothing waits");
    }

    async fn what_is_out_of_reach_looks_absent(app: &TestApp) {
        let acme = Acme::new(app).await;
        let key = acme.asked("deploy", json!({})).await;
        let policy = format!("/v1/organizations/{}/policy", acme.id);
        let member = acme.somebody("member@acme.test", &["member"]).await.0;
        let auditor = acme.somebody("auditor@acme.test", &["auditor"]).await.0;
        let (globex, _) = app.account("globex", &[]).await;
        let elsewhere = Acme { app, id: globex, alice: acme.alice.clone() };
        let foreign = elsewhere.somebody("foreign@globex.test", &["organization-admin"]).await.0;
        let admin = acme.admin().await;
        app.root().patch(&policy, json!({ "approval_required": false })).await.expect(StatusCode::OK);
        let never_asked = acme.asked("plain", json!({})).await;

        let absent = async |browser: &Browser<'_>, id: &str| {
            let page = browser.get(&format!("/approvals/{id}")).await;
            page.shows(StatusCode::NOT_FOUND, "There is no such page, or not for you");
            page.html.replace(id, "")
        };
        let nobodys = absent(&member, "pat_01h455vb4pex5vsknk084sn02q").await;
        assert_eq!(absent(&member, "pat_nobodys").await, nobodys);
        for browser in [&member, &auditor, &foreign] {
            let page = absent(browser, &key.id).await;
            assert_eq!((page == nobodys, force(browser, &key, "approve").await.status), (true, StatusCode::NOT_FOUND));
            assert_eq!(force(browser, &key, "deny").await.status, StatusCode::NOT_FOUND);
            browser.get("/approvals").await.shows(StatusCode::OK, "Nothing waits");
            assert!(!browser.get("/account/security").await.html.contains("class=\"count\""));
        }
        assert_eq!(absent(&admin, &never_asked.id).await, nobodys);
        assert_eq!(app.code(&key.token).await, "pending_approval");
        Browser::new(app).get("/approvals").await.leads_to("/sign-in?next=%2Fapprovals");
    }

    async fn who_lost_the_right_while_the_page_was_open_decides_nothing(app: &TestApp) {
        let acme = Acme::new(app).await;
        let (admin, user) = acme.somebody("admin@acme.test", &["organization-admin"]).await;
        let key = acme.asked("deploy", json!({})).await;
        let csrf = admin.get(&path(&key)).await.field("csrf");
        acme.hold(&user, &["member"], &[]).await;
        let sent = admin.post(&format!("{}/approve", path(&key)), &[("csrf", &csrf)]).await;
        assert_eq!((sent.status, app.code(&key.token).await.as_str()), (StatusCode::NOT_FOUND, "pending_approval"));
        acme.hold(&user, &["organization-admin"], &[]).await;
        app.root().patch(&format!("/v1/organizations/{}", acme.id), json!({ "disabled": true })).await.expect(StatusCode::OK);
        admin.get(&path(&key)).await.shows(StatusCode::NOT_FOUND, "There is no such page");
    }

    async fn only_a_form_of_the_page_decides(app: &TestApp) {
        let acme = Acme::new(app).await;
        let admin = acme.admin().await;
        let key = acme.asked("deploy", json!({})).await;
        let csrf = admin.get(&path(&key)).await.field("csrf");
        for decision in ["approve", "deny"] {
            let action = format!("{}/{decision}", path(&key));
            admin.post(&action, &[]).await.shows(StatusCode::FORBIDDEN, "open for too long");
            let forged = [(ORIGIN.as_str(), "https://evil.test")];
            let form = [("csrf", csrf.as_str())];
            admin.send(Method::POST, &action, &forged, Some(&form)).await.shows(StatusCode::FORBIDDEN, "open for too long");
            assert_eq!(admin.get(&action).await.status, StatusCode::METHOD_NOT_ALLOWED);
        }
        assert_eq!(app.code(&key.token).await, "pending_approval");
    }

    async fn an_admin_of_one_organization_decides_nothing_for_who_reaches_all(app: &TestApp) {
        let acme = Acme::new(app).await;
        let given = json!({ "principal_id": acme.alice, "organization_id": acme.id, "role": "instance-admin", "scope": "instance" });
        app.root().post("/v1/assignments", given).await.expect(StatusCode::CREATED);
        let key = acme.asked("deploy", json!({})).await;
        let (admin, user) = acme.somebody("admin@acme.test", &["organization-admin"]).await;

        // Over the API, with a token of theirs.
        let policy = format!("/v1/organizations/{}/policy", acme.id);
        app.root().patch(&policy, json!({ "approval_required": false })).await.expect(StatusCode::OK);
        let tool = acme.asked_of(&user, "tool", json!({ "permissions": ["claviger:*"] })).await;
        for action in ["approve", "deny"] {
            let refused = app.client(&tool.token).post(&format!("/v1/personal-access-tokens/{}/{action}", key.id), json!({})).await;
            refused.problem(StatusCode::FORBIDDEN, "instance_scope_needed");
        }
        // On the page: no button, and no way around it.
        let page = admin.get(&path(&key)).await;
        page.shows(StatusCode::OK, "administers the whole instance");
        assert!(!page.html.contains("/approve\""));
        for decision in ["approve", "deny"] {
            force(&admin, &key, decision).await.leads_to(&path(&key));
            assert_eq!(app.code(&key.token).await, "pending_approval");
        }
        // Who does reach all decides, wherever they belong.
        let (globex, _) = app.account("globex", &[]).await;
        let elsewhere = Acme { app, id: globex.clone(), alice: acme.alice.clone() };
        let (boss, user) = elsewhere.somebody("boss@globex.test", &["member"]).await;
        let given = json!({ "principal_id": user, "organization_id": globex, "role": "instance-admin", "scope": "instance" });
        app.root().post("/v1/assignments", given).await.expect(StatusCode::CREATED);
        boss.get("/organizations/globex").await.shows(StatusCode::OK, "One token waits");
        decide(&boss, &key, "approve").await.leads_to(&path(&key));
        assert_eq!(app.code(&key.token).await, "valid");
    }
}
