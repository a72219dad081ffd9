//! The portal: who lets whom in, for how long, in whose frames, and how far that reaches.

use jiff::SignedDuration;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    app::{Client, Key, Reply, TestApp, text},
    browser::{Browser, Page},
};

mod reach;
mod tokens;

const APP: &str = "https://app.acme.test";
const READ: &str = "invoices:read";
const LINKS: &str = "claviger:portal_sessions:write";

/// Acme, with a portal, and Alice, who may read invoices there.
struct Portal<'a> {
    app: &'a TestApp,
    organization: String,
    alice: String,
}

impl<'a> Portal<'a> {
    async fn of_acme(app: &'a TestApp) -> Self {
        app.declare_invoices().await;
        let (organization, _) = app.account("acme", &[]).await;
        let path = format!("/v1/organizations/{organization}");
        app.root()
            .patch(&path, json!({ "portal_origins": [APP, "http://localhost:3000"] }))
            .await
            .expect(StatusCode::OK);
        let alice = json!({ "email": "alice@acme.test", "name": "Alice <b>", "external_id": "u-1001" });
        let alice = text(&app.root().post("/v1/users", alice).await.expect(StatusCode::CREATED)["id"]);
        let portal = Self { app, organization, alice };
        portal.hold(&["member"], &[READ]).await;
        portal
    }

    fn organization(&self) -> String {
        format!("/v1/organizations/{}", self.organization)
    }

    async fn hold(&self, roles: &[&str], permissions: &[&str]) {
        let path = format!("{}/members/{}", self.organization(), self.alice);
        let rights = json!({ "roles": roles, "permissions": permissions });
        assert!(self.app.root().put(&path, rights).await.status.is_success());
    }

    fn body(&self, members: Value) -> Value {
        let mut body =
            json!({ "organization_id": self.organization, "return_url": format!("{APP}/settings?tab=tokens") });
        let named = members.get("user_id").or(members.get("user_external_id")).is_some();
        body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        if !named {
            body["user_id"] = json!(self.alice);
        }
        body
    }

    async fn made(&self, client: &Client<'_>, members: Value) -> Reply {
        client.post("/v1/portal-sessions", self.body(members)).await
    }

    /// The path of a new link.
    async fn link(&self) -> String {
        let made = self.made(&self.app.root(), json!({})).await.expect(StatusCode::CREATED);
        text(&made["url"]).strip_prefix("https://claviger.test").unwrap().to_owned()
    }

    /// A browser in which Alice is at the portal.
    async fn entered(&self) -> Browser<'a> {
        let browser = Browser::new(self.app);
        browser.get(&self.link().await).await.leads_to("/portal");
        browser
    }

    /// The key of a service account there that holds this.
    async fn key(&self, held: &[&str], listed: &[&str], more: Value) -> String {
        let account = self.app.account_in(&self.organization, held).await;
        self.app.key(&account, listed, more).await.token
    }
}

fn is_in(page: &Page) {
    page.shows(StatusCode::OK, "Alice &#60;b&#62;");
}

fn is_over(page: &Page) {
    page.shows(StatusCode::GONE, "open it again");
    assert!(!page.html.contains("Alice"), "{}", page.html);
}

fn ancestors(page: &Page) -> &str {
    page.header("content-security-policy")
        .split(';')
        .find_map(|rule| rule.trim().strip_prefix("frame-ancestors "))
        .unwrap()
}

on_both_databases! {
    async fn a_link_lets_its_user_in_once(app: &TestApp) {
        let portal = Portal::of_acme(app).await;
        let (key, body) = ([("idempotency-key", "k1")], portal.body(json!({})));
        let send = async || app.root().send(Method::POST, "/v1/portal-sessions", Some(body.clone()), &key).await;
        let made = send().await;
        assert_eq!((made.header("location"), made.header("cache-control")), (None, Some("no-store")));
        let made = made.expect(StatusCode::CREATED);
        let again = send().await.expect(StatusCode::CREATED);
        assert_eq!((&again["url"], &again["expires_at"]), (&Value::Null, &made["expires_at"]));
        let ends: jiff::Timestamp = text(&made["expires_at"]).parse().unwrap();
        assert!(ends.duration_since(app.app.now()) <= SignedDuration::from_mins(5));

        let link = text(&made["url"]);
        let link = link.strip_prefix("https://claviger.test").unwrap();
        assert!(link.starts_with("/portal/enter?code="));
        let browser = Browser::new(app);
        browser.get(link).await.leads_to("/portal");
        let page = browser.get("/portal").await;
        is_in(&page);
        assert!(page.html.contains("acme") && page.html.contains("href=\"https://app.acme.test/settings?tab=tokens\" target=\"_top\""));
        for elsewhere in ["/sign-out", "/account", "/language", "href=\"/\""] {
            assert!(!page.html.contains(elsewhere), "{elsewhere} in {}", page.html);
        }
        is_over(&browser.get(link).await);
        is_in(&browser.get("/portal").await);
        is_over(&Browser::new(app).get(link).await);
        is_over(&Browser::new(app).get("/portal").await);

        assert!(app.audit_trail(&portal.alice).await.contains(&"portal_session.created".to_owned()));
        let events = format!("/v1/audit-events?actor={}&action=session.started", portal.alice);
        let events = app.root().get(&events).await.expect(StatusCode::OK);
        assert_eq!(events["items"][0]["details"]["kind"], "portal");
        assert_eq!(events["items"][0]["organization_id"], json!(portal.organization));
    }

    async fn a_user_is_named_by_what_the_product_calls_them(app: &TestApp) {
        let portal = Portal::of_acme(app).await;
        let made = portal.made(&app.root(), json!({ "user_external_id": "u-1001" })).await.expect(StatusCode::CREATED);
        let browser = Browser::new(app);
        browser.get(text(&made["url"]).strip_prefix("https://claviger.test").unwrap()).await.leads_to("/portal");
        is_in(&browser.get("/portal").await);
    }

    async fn every_wrong_member_is_named(app: &TestApp) {
        let portal = Portal::of_acme(app).await;
        let (globex, _) = app.account("globex", &[]).await;
        let bob = app.user("bob@globex.test").await;
        let wrong = async |members: Value, pointer: &str, code: &str| {
            portal.made(&app.root(), members).await.wrong(pointer, code);
        };
        wrong(json!({ "user_id": bob }), "/user_id", "unknown_user").await;
        wrong(json!({ "user_id": "user_01h455vb4pex5vsknk084sn02q" }), "/user_id", "unknown_user").await;
        wrong(json!({ "user_external_id": "u-1" }), "/user_external_id", "unknown_user").await;
        wrong(json!({ "user_id": portal.alice, "user_external_id": "u-1001" }), "", "one_of").await;
        wrong(json!({ "user_id": null }), "", "one_of").await;
        wrong(json!({ "organization_id": globex }), "/user_id", "unknown_user").await;
        wrong(json!({ "organization_id": "org_01h455vb4pex5vsknk084sn02q" }), "/organization_id", "unknown_organization").await;
        wrong(json!({ "return_url": "https://evil.test/" }), "/return_url", "origin_not_registered").await;
        wrong(json!({ "return_url": format!("{APP}.evil.test/") }), "/return_url", "origin_not_registered").await;
        wrong(json!({ "return_url": "/settings" }), "/return_url", "invalid_url").await;
        wrong(json!({ "return_url": "javascript:alert(1)" }), "/return_url", "invalid_url").await;
        wrong(json!({ "return_url": 1 }), "/return_url", "invalid_type").await;
        wrong(json!({ "admin": true }), "/admin", "unknown_member").await;
        let admin = app.holder_of("organization-admin", &portal.organization).await;
        let elsewhere = portal.made(&app.client(&admin.token), json!({ "organization_id": globex })).await;
        elsewhere.wrong("/organization_id", "unknown_organization");
        let disable = json!({ "disabled": true });
        app.root().patch(&portal.organization(), disable.clone()).await.expect(StatusCode::OK);
        wrong(json!({}), "/organization_id", "organization_disabled").await;
        app.root().patch(&format!("/v1/users/{}", portal.alice), disable).await.expect(StatusCode::OK);
        wrong(json!({}), "/user_id", "user_disabled").await;
    }

    async fn origins_are_registered_in_one_spelling(app: &TestApp) {
        let portal = Portal::of_acme(app).await;
        let shown = app.root().get(&portal.organization()).await.expect(StatusCode::OK);
        assert_eq!(shown["portal_origins"], json!([APP, "http://localhost:3000"]));
        let set = async |origins: Value| app.root().patch(&portal.organization(), json!({ "portal_origins": origins })).await;
        set(json!([APP, "https://app.acme.test/"])).await.wrong("/portal_origins/1", "invalid_origin");
        set(json!(["https://*.acme.test"])).await.wrong("/portal_origins/0", "invalid_origin");
        set(json!(["https://acme.test;script-src"])).await.wrong("/portal_origins/0", "invalid_origin");
        set(json!(vec![APP; 21])).await.wrong("/portal_origins", "too_many");
        set(json!([1])).await.wrong("/portal_origins/0", "invalid_type");
        let made = json!({ "name": "B", "portal_origins": ["http://b.test"] });
        app.root().post("/v1/organizations", made).await.wrong("/portal_origins/0", "invalid_origin");
        assert_eq!(set(json!(null)).await.expect(StatusCode::OK)["portal_origins"], json!([]));
    }

    async fn nobody_lets_in_a_user_who_can_do_more_there(app: &TestApp) {
        let portal = Portal::of_acme(app).await;
        let refused = async |token: &str, lacks: &str| {
            let reply = portal.made(&app.client(token), json!({})).await;
            assert_eq!(reply.problem(StatusCode::FORBIDDEN, "permission_missing")["permission"], lacks);
        };
        let let_in = async |token: &str| {
            portal.made(&app.client(token), json!({})).await.expect(StatusCode::CREATED);
        };
        refused(&portal.key(&[READ], &[READ], json!({})).await, LINKS).await;
        // Alice is a member, and has permissions of Claviger's own with that.
        portal.hold(&[], &[READ]).await;
        refused(&portal.key(&[LINKS], &[LINKS], json!({})).await, READ).await;
        refused(&portal.key(&[LINKS, READ], &[LINKS], json!({})).await, READ).await;
        let_in(&portal.key(&[LINKS, READ], &[LINKS, READ], json!({})).await).await;
        let limited = json!({ "allowed_networks": ["127.0.0.0/8"] });
        refused(&portal.key(&[LINKS, READ], &[LINKS, READ], limited).await, "claviger:grants:write").await;
        let ending = json!({ "expires_at": app.app.now() + SignedDuration::from_hours(24) });
        refused(&portal.key(&[LINKS, READ], &[LINKS, READ], ending.clone()).await, "claviger:grants:write").await;
        let_in(&portal.key(&[LINKS, "claviger:grants:write"], &["claviger:*"], ending).await).await;
        // Her own token is no way to all that she holds.
        portal.hold(&[], &[READ, LINKS]).await;
        let token = json!({ "user_id": portal.alice, "organization_id": portal.organization, "name": "x", "permissions": [LINKS] });
        let token = app.root().post("/v1/personal-access-tokens", token).await.expect(StatusCode::CREATED);
        refused(&text(&token["token"]), READ).await;
        // Whoever governs one organization gets hold of nobody who reaches all of them.
        let admin = app.holder_of("organization-admin", &portal.organization).await;
        let_in(&admin.token).await;
        let give = json!({ "principal_id": portal.alice, "organization_id": portal.organization, "permission": READ, "scope": "instance" });
        app.root().post("/v1/assignments", give).await.expect(StatusCode::CREATED);
        refused(&admin.token, READ).await;
    }

    async fn a_link_lets_nobody_in_whom_its_maker_could_not_let_in_now(app: &TestApp) {
        let portal = Portal::of_acme(app).await;
        portal.hold(&[], &[READ]).await;
        let account = app.account_in(&portal.organization, &[READ, LINKS]).await;
        let key = app.key(&account, &[READ, LINKS], json!({})).await;
        let other = app.key(&account, &[READ, LINKS], json!({})).await;
        let link = async |key: &Key| {
            let made = portal.made(&app.client(&key.token), json!({})).await.expect(StatusCode::CREATED);
            text(&made["url"]).strip_prefix("https://claviger.test").unwrap().to_owned()
        };
        let [grown, kept, disabled] = [link(&key).await, link(&key).await, link(&key).await];
        let revoked = link(&other).await;
        app.root().post(&format!("/v1/api-keys/{}/revoke", other.id), json!({})).await.expect(StatusCode::OK);
        is_over(&Browser::new(app).get(&revoked).await);
        portal.hold(&["organization-admin"], &[]).await;
        is_over(&Browser::new(app).get(&grown).await);
        portal.hold(&[], &[READ]).await;
        Browser::new(app).get(&kept).await.leads_to("/portal");
        let path = format!("/v1/service-accounts/{account}");
        app.root().patch(&path, json!({ "disabled": true })).await.expect(StatusCode::OK);
        is_over(&Browser::new(app).get(&disabled).await);
    }

    async fn a_link_dies_unused_in_five_minutes_and_with_what_it_leads_to(app: &TestApp) {
        let portal = Portal::of_acme(app).await;
        let dead = async |link: String| is_over(&Browser::new(app).get(&link).await);
        let member = format!("{}/members/{}", portal.organization(), portal.alice);
        let (root, user) = (app.root(), format!("/v1/users/{}", portal.alice));
        let link = portal.link().await;
        app.clock.advance(SignedDuration::from_mins(5));
        dead(link).await;

        let link = portal.link().await;
        root.delete(&member).await.expect(StatusCode::NO_CONTENT);
        portal.hold(&["member"], &[READ]).await;
        dead(link).await;
        for path in [&user, &portal.organization()] {
            let link = portal.link().await;
            root.patch(path, json!({ "disabled": true })).await.expect(StatusCode::OK);
            root.patch(path, json!({ "disabled": false })).await.expect(StatusCode::OK);
            dead(link).await;
        }
        let link = portal.link().await;
        root.delete(&user).await.expect(StatusCode::NO_CONTENT);
        dead(link).await;
        for garbage in ["", "x", &"a".repeat(40), "%00"] {
            dead(format!("/portal/enter?code={garbage}")).await;
        }
        dead("/portal/enter".to_owned()).await;
    }

    async fn a_session_ends_with_membership_user_and_organization(app: &TestApp) {
        let portal = Portal::of_acme(app).await;
        let (root, user) = (app.root(), format!("/v1/users/{}", portal.alice));
        let member = format!("{}/members/{}", portal.organization(), portal.alice);
        let browser = portal.entered().await;
        root.delete(&member).await.expect(StatusCode::NO_CONTENT);
        is_over(&browser.get("/portal").await);
        portal.hold(&["member"], &[READ]).await;
        is_over(&browser.get("/portal").await);
        for path in [&user, &portal.organization()] {
            let browser = portal.entered().await;
            root.patch(path, json!({ "disabled": true })).await.expect(StatusCode::OK);
            is_over(&browser.get("/portal").await);
            root.patch(path, json!({ "disabled": false })).await.expect(StatusCode::OK);
            is_over(&browser.get("/portal").await);
        }
        let browser = portal.entered().await;
        root.delete(&user).await.expect(StatusCode::NO_CONTENT);
        is_over(&browser.get("/portal").await);

        let portal = Portal { alice: app.user("bob@acme.test").await, ..portal };
        portal.hold(&[], &[]).await;
        let browser = portal.entered().await;
        root.delete(&portal.organization()).await.expect(StatusCode::NO_CONTENT);
        is_over(&browser.get("/portal").await);
    }

    async fn a_session_ends_by_itself_and_says_so_where_it_stood(app: &TestApp) {
        let portal = Portal::of_acme(app).await;
        let (idle, used) = (portal.entered().await, portal.entered().await);
        app.clock.advance(SignedDuration::from_mins(29));
        is_in(&used.get("/portal").await);
        app.clock.advance(SignedDuration::from_mins(1));
        let over = idle.get("/portal").await;
        is_over(&over);
        assert_eq!(ancestors(&over), format!("{APP} http://localhost:3000"));
        assert!(over.html.contains("href=\"https://app.acme.test/settings?tab=tokens\" target=\"_top\""));
        app.clock.advance(SignedDuration::from_mins(28));
        is_in(&used.get("/portal").await);
        app.clock.advance(SignedDuration::from_mins(2));
        is_over(&used.get("/portal").await);
    }

    async fn somebody_leaves(app: &TestApp) {
        let portal = Portal::of_acme(app).await;
        let browser = portal.entered().await;
        let held = browser.cookie("__Host-claviger-portal").unwrap();
        let wrong = browser.post("/portal/leave", &[("csrf", "x")]).await;
        assert_eq!((wrong.status, ancestors(&wrong)), (StatusCode::FORBIDDEN, "https://app.acme.test http://localhost:3000"));
        let csrf = browser.get("/portal").await.field("csrf");
        let elsewhere = [("origin", APP)];
        let fields = [("csrf", csrf.as_str())];
        let wrong = browser.send(Method::POST, "/portal/leave", &elsewhere, Some(&fields)).await;
        assert_eq!(wrong.status, StatusCode::FORBIDDEN);
        is_in(&browser.get("/portal").await);
        let left = browser.fill_in("/portal", "/portal/leave", &[]).await;
        left.shows(StatusCode::OK, "You have left");
        assert_eq!((browser.cookie("__Host-claviger-portal"), ancestors(&left)), (None, "https://app.acme.test http://localhost:3000"));
        browser.cookies.lock().unwrap().insert("__Host-claviger-portal".to_owned(), held);
        is_over(&browser.get("/portal").await);
        let events = format!("/v1/audit-events?actor={}&action=session.ended", portal.alice);
        let events = app.root().get(&events).await.expect(StatusCode::OK);
        assert_eq!(events["items"][0]["details"]["reason"], "signed_out");
    }

    async fn only_pages_of_the_organization_frame_it(app: &TestApp) {
        let portal = Portal::of_acme(app).await;
        let browser = Browser::new(app);
        let entered = browser.get(&portal.link().await).await;
        let page = browser.get("/portal").await;
        for framed in [&entered, &page] {
            assert_eq!(ancestors(framed), "https://app.acme.test http://localhost:3000");
            assert_eq!(framed.header("cross-origin-resource-policy"), "cross-origin");
            assert_eq!((framed.header("x-frame-options"), framed.header("cache-control")), ("", "no-store"));
        }
        for other in [browser.get("/sign-in").await, browser.get("/").await, Browser::new(app).get("/portal").await] {
            assert_eq!(ancestors(&other), "'none'");
        }
        // The product moved: what it named before is nothing any more.
        app.root().patch(&portal.organization(), json!({ "portal_origins": [] })).await.expect(StatusCode::OK);
        let page = browser.get("/portal").await;
        is_in(&page);
        assert_eq!(ancestors(&page), "'none'");
        assert!(!page.html.contains(APP), "{}", page.html);
    }

    async fn a_look_ahead_uses_nothing_up_and_of_two_who_enter_one_does(app: &TestApp) {
        let portal = Portal::of_acme(app).await;
        let (link, ahead) = (portal.link().await, [("sec-purpose", "prefetch")]);
        let (one, two) = (Browser::new(app), Browser::new(app));
        // Nothing is away: whoever watches for outages sees none.
        for (method, headers) in [(Method::HEAD, &[][..]), (Method::GET, &ahead[..])] {
            let page = one.send(method, &link, headers, None).await;
            assert_eq!((page.status, one.cookies.lock().unwrap().len()), (StatusCode::BAD_REQUEST, 0));
        }
        let (first, second) = tokio::join!(one.get(&link), two.get(&link));
        let mut statuses = [first.status, second.status];
        statuses.sort();
        assert_eq!(statuses, [StatusCode::SEE_OTHER, StatusCode::GONE]);
    }

    async fn the_next_link_replaces_the_session_of_the_browser(app: &TestApp) {
        let portal = Portal::of_acme(app).await;
        let browser = portal.entered().await;
        let held = browser.cookie("__Host-claviger-portal").unwrap();
        browser.get(&portal.link().await).await.leads_to("/portal");
        is_in(&browser.get("/portal").await);
        let thief = Browser::new(app);
        thief.cookies.lock().unwrap().insert("__Host-claviger-portal".to_owned(), held);
        is_over(&thief.get("/portal").await);
    }
}
