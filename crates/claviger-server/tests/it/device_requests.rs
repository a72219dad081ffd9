//! Devices that ask for a token of a person (RFC 8628): what they are told, what the person sees, and what they get, once.

use jiff::SignedDuration;
use reqwest::{Method, StatusCode, header::ORIGIN};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    app::{PUBLIC_URL, Reply, SOON, TestApp, text, within},
    browser::{Browser, PASSWORD, Page},
    machine::{Machine, TOKEN},
};

const DEVICE: &str = "/oauth/device_authorization";
const GRANT: (&str, &str) = ("grant_type", "urn:ietf:params:oauth:grant-type:device_code");
const CLI: (&str, &str) = ("client_id", "claviger-cli");
const READ: &str = "invoices:read";
const WRITE: &str = "invoices:write";
const OWN_READ: &str = "claviger:personal_access_tokens:read";

/// What a device was told.
struct Device {
    code: String,
    user_code: String,
    answer: Value,
}

impl Device {
    fn of(app: &TestApp, reply: Reply) -> Self {
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        let answer = reply.expect(StatusCode::OK);
        let (code, user_code) = (text(&answer["device_code"]), text(&answer["user_code"]));
        app.handed_out(&code);
        app.handed_out(&user_code);
        app.handed_out(&user_code.replace('-', ""));
        Self { code, user_code, answer }
    }

    /// Our command line's.
    async fn cli(app: &TestApp, fields: &[(&str, &str)]) -> Self {
        Self::of(app, app.form(DEVICE, &[&[CLI], fields].concat()).await)
    }

    async fn poll(&self, app: &TestApp) -> Reply {
        app.form(TOKEN, &[GRANT, CLI, ("device_code", &self.code)]).await
    }

    async fn refused(&self, app: &TestApp, error: &str) {
        self.poll(app).await.refusal(StatusCode::BAD_REQUEST, error);
    }

    /// The token.
    async fn token(&self, app: &TestApp) -> Value {
        let reply = self.poll(app).await;
        assert_eq!((reply.header("cache-control"), reply.header("pragma")), (Some("no-store"), Some("no-cache")));
        let answer = reply.expect(StatusCode::OK);
        app.handed_out(&text(&answer["access_token"]));
        answer
    }

    fn path(&self) -> String {
        format!("/device?user_code={}", self.user_code)
    }
}

async fn hold(app: &TestApp, organization: &str, user: &str, roles: &[&str], permissions: &[&str]) {
    let path = format!("/v1/organizations/{organization}/members/{user}");
    let status = app.root().put(&path, json!({ "roles": roles, "permissions": permissions })).await.status;
    assert!(status.is_success(), "{status}");
}

/// Acme, and Zoe, who is signed in and holds both permissions on invoices there.
struct Acme<'a> {
    id: String,
    zoe: String,
    browser: Browser<'a>,
}

impl<'a> Acme<'a> {
    async fn new(app: &'a TestApp) -> Self {
        app.declare_invoices().await;
        let (id, _) = app.account("acme", &[]).await;
        let (browser, zoe) = Browser::of_zoe(app).await;
        let zoe = zoe.to_string();
        hold(app, &id, &zoe, &["member"], &[READ, WRITE]).await;
        Self { id, zoe, browser }
    }

    async fn policy(&self, app: &TestApp, policy: Value) {
        app.root().patch(&format!("/v1/organizations/{}/policy", self.id), policy).await.expect(StatusCode::OK);
    }

    async fn approve(&self, device: &Device) -> Page {
        approve(&self.browser, &self.browser.get(&device.path()).await).await
    }
}

/// Approves what a page shows.
async fn approve(browser: &Browser<'_>, shown: &Page) -> Page {
    shown.shows(StatusCode::OK, "action=\"/device/approve\"");
    let fields = ["csrf", "user_code", "organization", "seen"].map(|name| (name, shown.field(name)));
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    browser.post("/device/approve", &fields).await
}

async fn deny(browser: &Browser<'_>, device: &Device) -> Page {
    let csrf = browser.get("/account/security").await.field("csrf");
    browser.post("/device/deny", &[("csrf", &csrf), ("user_code", &device.user_code)]).await
}

async fn type_code(browser: &Browser<'_>, code: &str) -> Page {
    browser.fill_in("/device", "/device", &[("user_code", code)]).await
}

fn later(app: &TestApp, seconds: i64) {
    app.clock.advance(SignedDuration::from_secs(seconds));
}

on_both_databases! {
    async fn v01_a_device_is_told_what_to_show_and_what_to_poll_with(app: &TestApp) {
        let device = Device::cli(app, &[]).await;
        let (code, answer) = (&device.user_code, &device.answer);
        assert!(device.code.len() == 40, "160 bits as hexadecimal digits");
        let letters = code.replace('-', "");
        assert!(letters.len() == 8 && code.len() == 9 && letters.bytes().all(|letter| b"BCDFGHJKLMNPQRSTVWXZ".contains(&letter)), "{code}");
        assert_eq!(answer["verification_uri"], format!("{PUBLIC_URL}/device"));
        assert_eq!(answer["verification_uri_complete"], format!("{PUBLIC_URL}/device?user_code={code}"));
        assert_eq!((&answer["expires_in"], &answer["interval"]), (&json!(600), &json!(5)));
        let other = Device::cli(app, &[]).await;
        assert_ne!((&other.code, &other.user_code), (&device.code, &device.user_code));
        let metadata = app.anonymous().get("/.well-known/oauth-authorization-server").await.expect(StatusCode::OK);
        assert_eq!(metadata["device_authorization_endpoint"], format!("{PUBLIC_URL}{DEVICE}"));
        assert!(metadata["grant_types_supported"].as_array().unwrap().contains(&json!(GRANT.1)));
    }

    async fn v01_what_is_asked_in_the_wrong_way_is_refused(app: &TestApp) {
        app.declare_invoices().await;
        let refused = async |fields: &[(&str, &str)], status, error: &str| {
            app.form(DEVICE, fields).await.refusal(status, error);
        };
        let bad = StatusCode::BAD_REQUEST;
        refused(&[], StatusCode::UNAUTHORIZED, "invalid_client").await;
        refused(&[("client_id", "sa_01h455vb4pex5vsknk084sn02q")], StatusCode::UNAUTHORIZED, "invalid_client").await;
        refused(&[CLI, ("client_secret", "x")], StatusCode::UNAUTHORIZED, "invalid_client").await;
        refused(&[CLI, CLI], bad, "invalid_request").await;
        refused(&[CLI, ("scope", "*")], bad, "invalid_scope").await;
        refused(&[CLI, ("scope", "claviger:nothing:read"), ("resource", PUBLIC_URL)], bad, "invalid_scope").await;
        refused(&[CLI, ("resource", "https://a.test"), ("resource", "https://b.test")], bad, "invalid_target").await;
        refused(&[CLI, ("resource", "urn:a\0")], bad, "invalid_target").await;
        let details = ("authorization_details", r#"[{"type":"objects","objects":["a:1"]}]"#);
        refused(&[CLI, details], bad, "invalid_authorization_details").await;
        app.form(TOKEN, &[CLI, GRANT, ("device_code", "x"), details]).await.refusal(bad, "invalid_authorization_details");
        let reply = app.anonymous().get(DEVICE).await;
        assert_eq!((reply.status, reply.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, Some("POST")));
        let json = app.request(Method::POST, app.public, DEVICE).json(&json!({ "client_id": "claviger-cli" }));
        Reply::read(app, json.send().await.unwrap()).await.refusal(bad, "invalid_request");
        // Nothing of the query counts.
        let query = app.form(&format!("{DEVICE}?client_id=claviger-cli"), &[]).await;
        query.refusal(StatusCode::UNAUTHORIZED, "invalid_client");
        // The command line's name opens nothing else.
        let polled = app.form(TOKEN, &[CLI, ("grant_type", "client_credentials")]).await;
        polled.refusal(StatusCode::UNAUTHORIZED, "invalid_client");
        app.form(TOKEN, &[CLI, GRANT]).await.refusal(bad, "invalid_request");
        app.form(TOKEN, &[CLI, GRANT, ("device_code", "x")]).await.refusal(bad, "invalid_grant");
        app.form(TOKEN, &[CLI, GRANT, ("device_code", &"a".repeat(40))]).await.refusal(bad, "invalid_grant");
    }

    async fn v01_one_place_asks_thirty_times_and_then_waits(app: &TestApp) {
        for _ in 0..30 {
            Device::cli(app, &[]).await;
        }
        let reply = app.form(DEVICE, &[CLI]).await;
        assert!(reply.header("retry-after").is_some());
        reply.refusal(StatusCode::TOO_MANY_REQUESTS, "temporarily_unavailable");
        later(app, 10);
        Device::cli(app, &[]).await;
    }

    async fn v01_after_five_wrong_codes_the_right_one_waits_too(app: &TestApp) {
        let acme = Acme::new(app).await;
        let device = Device::cli(app, &[("scope", READ)]).await;
        type_code(&acme.browser, &device.user_code.to_lowercase().replace('-', "")).await.leads_to(&device.path());
        for code in ["BBBB-BBBB", "", "x", "' OR 1=1", "BCDF-GHJK"] {
            type_code(&acme.browser, code).await.shows(StatusCode::UNPROCESSABLE_ENTITY, "This code does not count");
        }
        let waits = type_code(&acme.browser, &device.user_code).await;
        waits.shows(StatusCode::TOO_MANY_REQUESTS, "Too many tries");
        assert!(!waits.header("retry-after").is_empty());
        // In the address it is counted alike, and so it is in another session and of another person there.
        assert_eq!(acme.browser.get(&device.path()).await.status, StatusCode::TOO_MANY_REQUESTS);
        app.person("yann@acme.test", Some(PASSWORD)).await;
        let other = Browser::new(app);
        other.sign_in("yann@acme.test", PASSWORD).await.leads_to("/");
        assert_eq!(type_code(&other, &device.user_code).await.status, StatusCode::TOO_MANY_REQUESTS);
        later(app, 180);
        acme.browser.get(&device.path()).await.shows(StatusCode::OK, "action=\"/device/approve\"");
        device.refused(app, "authorization_pending").await;
    }

    async fn v02_a_device_polls_is_slowed_down_and_gets_one_token(app: &TestApp) {
        let acme = Acme::new(app).await;
        let device = Device::cli(app, &[("scope", READ), ("device_name", "zoe-laptop")]).await;
        device.refused(app, "authorization_pending").await;
        device.refused(app, "slow_down").await;
        // From now on ten seconds.
        later(app, 6);
        device.refused(app, "slow_down").await;
        later(app, 15);
        device.refused(app, "authorization_pending").await;
        later(app, 10);
        device.refused(app, "slow_down").await;
        acme.approve(&device).await.leads_to(&format!("{}&organization={}", device.path(), acme.id));
        acme.browser.get(&device.path()).await.shows(StatusCode::OK, "Go back to your device");

        let answer = device.token(app).await;
        assert_eq!((&answer["token_type"], &answer["scope"], &answer["expires_in"]), (&json!("Bearer"), &json!(READ), &json!(30 * 24 * 3600)));
        let token = text(&answer["access_token"]);
        device.refused(app, "invalid_grant").await;
        let told = app.verify(&token, json!({ "permissions": [READ] })).await;
        assert_eq!((&told["valid"], &told["principal"]["id"], &told["organization"]["id"]), (&json!(true), &json!(acme.zoe), &json!(acme.id)));
        assert_eq!((&told["credential"]["kind"], &told["credential"]["name"]), (&json!("personal_access_token"), &json!("claviger login on zoe-laptop")));
        assert_eq!(app.verify(&token, json!({ "permissions": [WRITE] })).await["code"], "permission_missing");

        let pat = text(&told["credential"]["id"]);
        assert_eq!(app.audit_trail(&pat).await, ["personal_access_token.created"]);
        let events = app.root().get(&format!("/v1/audit-events?actor={}", acme.zoe)).await.expect(StatusCode::OK);
        let mut events: Vec<Value> = events["items"].as_array().unwrap().clone();
        events.retain(|event| text(&event["action"]).starts_with("device_request."));
        let told: Vec<_> = events.iter().map(|event| text(&event["action"])).collect();
        assert_eq!(told, ["device_request.redeemed", "device_request.approved"]);
        assert_eq!((&events[0]["details"]["credential"], &events[0]["target"]), (&json!(pat), &events[1]["target"]));
        assert_eq!(events[1]["details"]["permissions"], json!([READ]));
        assert!(text(&events[1]["actor"]["credential"]).starts_with("sess_"));

        // It is one of the person's own tokens, and ends like one.
        app.client(&token).delete("/v1/token").await;
        assert_eq!(app.code(&token).await, "revoked");
    }

    async fn v02_who_floods_is_told_so_and_nothing_is_written(app: &TestApp) {
        let device = Device::cli(app, &[("scope", READ)]).await;
        device.refused(app, "authorization_pending").await;
        for _ in 0..30 {
            device.refused(app, "slow_down").await;
        }
        later(app, 60);
        device.refused(app, "authorization_pending").await;
        // Nobody need count any further.
        for _ in 0..110 {
            later(app, 4);
            device.poll(app).await.refusal(StatusCode::BAD_REQUEST, "slow_down");
        }
    }

    async fn v02_a_code_that_nobody_approves_ends(app: &TestApp) {
        let acme = Acme::new(app).await;
        let device = Device::cli(app, &[("scope", READ)]).await;
        let approved = Device::cli(app, &[("scope", READ)]).await;
        acme.approve(&approved).await;
        // Not at the very instant, which a busy machine misses: that is the rule's own test.
        later(app, 540);
        device.refused(app, "authorization_pending").await;
        later(app, 60);
        device.refused(app, "expired_token").await;
        approved.refused(app, "expired_token").await;
        acme.browser.get(&device.path()).await.shows(StatusCode::UNPROCESSABLE_ENTITY, "This code does not count");
    }

    async fn v02_what_is_denied_is_denied(app: &TestApp) {
        let acme = Acme::new(app).await;
        let device = Device::cli(app, &[("scope", READ)]).await;
        let shown = acme.browser.get(&device.path()).await;
        deny(&acme.browser, &device).await.leads_to(&device.path());
        device.refused(app, "access_denied").await;
        device.refused(app, "access_denied").await;
        acme.browser.get(&device.path()).await.shows(StatusCode::OK, "The device gets nothing");
        // Neither from a page that is still open.
        approve(&acme.browser, &shown).await;
        device.refused(app, "access_denied").await;
        let events = app.root().get(&format!("/v1/audit-events?actor={}", acme.zoe)).await.expect(StatusCode::OK);
        assert_eq!(events["items"][0]["action"], "device_request.denied");
    }

    async fn v02_of_fifty_who_redeem_at_once_on_two_nodes_one_gets_a_token(app: &TestApp) {
        let acme = Acme::new(app).await;
        let mut other = app.another_node().await;
        let device = Device::cli(app, &[("scope", READ)]).await;
        acme.approve(&device).await;
        let mut tasks = JoinSet::new();
        for number in 0..50 {
            let node = if number % 2 == 0 { app.public } else { other.public };
            let form = [GRANT, CLI, ("device_code", &device.code)].map(|(name, value)| (name, value.to_owned()));
            let sent = app.request(Method::POST, node, TOKEN).form(&form);
            tasks.spawn(async move {
                let response = sent.send().await.unwrap();
                (response.status(), response.json::<Value>().await.unwrap())
            });
        }
        let mut tokens = Vec::new();
        for (status, answer) in tasks.join_all().await {
            match status {
                StatusCode::OK => tokens.push(text(&answer["access_token"])),
                status => assert_eq!((status, &answer["error"]), (StatusCode::BAD_REQUEST, &json!("invalid_grant")), "{answer}"),
            }
        }
        assert_eq!(tokens.len(), 1);
        app.handed_out(&tokens[0]);
        assert_eq!(app.code(&tokens[0]).await, "valid");
        let made = app.root().get(&format!("/v1/personal-access-tokens?user_id={}", acme.zoe)).await.expect(StatusCode::OK);
        assert_eq!(made["items"].as_array().unwrap().len(), 1);
        other.finish().await;
    }

    async fn v02_another_client_gets_nothing(app: &TestApp) {
        let acme = Acme::new(app).await;
        let account = app.account_in(&acme.id, &[]).await;
        let client = app.machine_of(acme.id.clone(), account).await;
        let account = app.account_in(&acme.id, &[]).await;
        let stranger = app.machine_of(acme.id.clone(), account).await;
        let form = async |client: &Machine, device: &Device| {
            app.form_of(client, TOKEN, &[GRANT, ("device_code", &device.code)]).await
        };
        let ours = Device::cli(app, &[("scope", READ)]).await;
        let theirs = Device::of(app, app.form_of(&client, DEVICE, &[("scope", READ)]).await);
        let refused = |reply: Reply| reply.refusal(StatusCode::BAD_REQUEST, "invalid_grant");
        for device in [&ours, &theirs] {
            refused(form(&stranger, device).await);
        }
        acme.approve(&ours).await;
        let shown = acme.browser.get(&theirs.path()).await;
        for part in ["sync", &client.id, "of acme"] {
            shown.shows(StatusCode::OK, part);
        }
        approve(&acme.browser, &shown).await;
        refused(form(&client, &ours).await);
        refused(theirs.poll(app).await);
        refused(form(&stranger, &theirs).await);
        ours.token(app).await;
        let answer = form(&client, &theirs).await.expect(StatusCode::OK);
        app.handed_out(&text(&answer["access_token"]));
        assert_eq!(app.verify(&text(&answer["access_token"]), json!({})).await["credential"]["name"], "sync");
        // Our own command line is nobody's service account.
        let once = [(GRANT.1.to_owned(), 1)].into();
        within(SOON, "the token is counted for its client", async || app.issued(&client).await == once).await;
        assert!(app.issued(&stranger).await.is_empty());
    }

    async fn v02_a_client_of_elsewhere_asks_only_for_an_api_that_it_serves(app: &TestApp) {
        let acme = Acme::new(app).await;
        let client = app.machine_with("globex", &[]).await;
        let ask = async || Device::of(app, app.form_of(&client, DEVICE, &[("scope", READ)]).await);
        let device = ask().await;
        let shown = acme.browser.get(&device.path()).await;
        shown.shows(StatusCode::OK, "You hold nothing of what this device asks for");
        assert!(!shown.html.contains("/device/approve"));
        let apis = app.root().get("/v1/apis").await.expect(StatusCode::OK);
        let invoices = apis["items"].as_array().unwrap().iter().find(|api| api["name"] == "Invoices").unwrap();
        let path = format!("/v1/apis/{}", text(&invoices["id"]));
        app.root().patch(&path, json!({ "resource_servers": [client.id] })).await.expect(StatusCode::OK);
        let device = ask().await;
        acme.approve(&device).await;
        let answer = app.form_of(&client, TOKEN, &[GRANT, ("device_code", &device.code)]).await.expect(StatusCode::OK);
        app.handed_out(&text(&answer["access_token"]));
        // Without a scope, whoever has no API of its own must name one.
        app.form_of(&client, DEVICE, &[]).await.refusal(StatusCode::BAD_REQUEST, "invalid_scope");
    }

    async fn v03_the_page_wants_a_sign_in_and_tells_who_asks_for_what(app: &TestApp) {
        let acme = Acme::new(app).await;
        let device = Device::cli(app, &[("scope", "invoices:read invoices:delete"), ("device_name", "<b>\u{202e}laptop</b>")]).await;
        let nobody = Browser::new(app);
        nobody.get("/device").await.leads_to("/sign-in?next=%2Fdevice");
        nobody.get(&device.path()).await.leads_to(&format!("/sign-in?next=%2Fdevice%3Fuser_code%3D{}", device.user_code));
        let sent = nobody.post("/device/approve", &[("user_code", &device.user_code)]).await;
        sent.leads_to("/sign-in?next=%2F");
        later(app, 120);
        let shown = acme.browser.get(&device.path()).await;
        for part in [
            "Did you begin this yourself", &device.user_code, "Claviger’s command line", "&#60;b&#62;laptop&#60;/b&#62;", "127.0.0.1",
            "2 minutes ago", "<strong>acme</strong>", "<code>invoices:read</code><br>Read", "it is left out", "<code>invoices:delete</code>",
            "action=\"/device/approve\"", "action=\"/device/deny\"",
        ] {
            shown.shows(StatusCode::OK, part);
        }
        // Looking alone decides nothing, also with the code in the address.
        device.refused(app, "authorization_pending").await;
        approve(&acme.browser, &shown).await;
        assert_eq!(device.token(app).await["scope"], READ);
    }

    async fn v03_no_page_of_elsewhere_approves_in_somebodys_name(app: &TestApp) {
        let acme = Acme::new(app).await;
        let device = Device::cli(app, &[("scope", READ)]).await;
        let shown = acme.browser.get(&device.path()).await;
        let (seen, csrf) = (shown.field("seen"), shown.field("csrf"));
        let fields = |csrf: &str| {
            [("csrf", csrf), ("user_code", &device.user_code), ("organization", &acme.id), ("seen", &seen)].map(|(name, value)| (name, value.to_owned()))
        };
        for (csrf, origin) in [("", PUBLIC_URL), ("c0ffee", PUBLIC_URL), (&csrf, "https://evil.test")] {
            let fields = fields(csrf);
            let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
            for path in ["/device", "/device/approve", "/device/deny"] {
                let sent = acme.browser.send(Method::POST, path, &[(ORIGIN.as_str(), origin)], Some(&fields)).await;
                assert_eq!(sent.status, StatusCode::FORBIDDEN, "{path}");
            }
        }
        // Nor does a page that showed something else.
        let other = Device::cli(app, &[("scope", WRITE)]).await;
        for (code, organization, seen) in [
            (&other.user_code, acme.id.as_str(), seen.as_str()), (&device.user_code, "org_01h455vb4pex5vsknk084sn02q", &seen),
            (&device.user_code, &acme.id, ""), (&device.user_code, "", &seen),
        ] {
            let fields = [("csrf", csrf.as_str()), ("user_code", code), ("organization", organization), ("seen", seen)];
            assert_eq!(acme.browser.post("/device/approve", &fields).await.status, StatusCode::SEE_OTHER);
        }
        device.refused(app, "authorization_pending").await;
        other.refused(app, "authorization_pending").await;
    }

    async fn v03_what_outlasts_a_session_wants_a_fresh_one(app: &TestApp) {
        let acme = Acme::new(app).await;
        later(app, 11 * 60);
        let device = Device::cli(app, &[("scope", READ)]).await;
        let again = acme.approve(&device).await;
        assert!(again.location().starts_with("/sign-in/again?next=%2Fdevice%3Fuser_code%3D"), "{}", again.location());
        device.refused(app, "authorization_pending").await;
        acme.browser.fill_in("/sign-in/again", "/sign-in/again", &[("password", PASSWORD)]).await;
        acme.approve(&device).await;
        device.token(app).await;
    }

    async fn v03_the_person_chooses_among_their_organizations(app: &TestApp) {
        let acme = Acme::new(app).await;
        let (globex, _) = app.account("globex", &[]).await;
        app.account("hooli", &[]).await;
        hold(app, &globex, &acme.zoe, &[], &[READ]).await;
        let device = Device::cli(app, &[("scope", "invoices:read invoices:write")]).await;
        let choice = acme.browser.get(&device.path()).await;
        choice.shows(StatusCode::OK, "In which organization?");
        assert!(choice.html.contains("acme") && choice.html.contains("globex") && !choice.html.contains("hooli"));
        assert!(!choice.html.contains("/device/approve"));
        let shown = acme.browser.get(&format!("{}&organization={globex}", device.path())).await;
        shown.shows(StatusCode::OK, "<strong>globex</strong>");
        approve(&acme.browser, &shown).await;
        let answer = device.token(app).await;
        assert_eq!(answer["scope"], READ);
        let told = app.verify(&text(&answer["access_token"]), json!({})).await;
        assert_eq!((&told["organization"]["id"], &told["permissions"]), (&json!(globex), &json!([READ])));
    }

    async fn without_a_scope_the_command_line_gets_what_the_person_holds_of_claviger(app: &TestApp) {
        let acme = Acme::new(app).await;
        let device = Device::cli(app, &[]).await;
        acme.approve(&device).await;
        let answer = device.token(app).await;
        let scope = text(&answer["scope"]);
        assert!(scope.split(' ').all(|name| name.starts_with("claviger:")) && scope.contains(OWN_READ), "{scope}");
        // No more than a member has, later neither.
        hold(app, &acme.id, &acme.zoe, &["organization-admin"], &[]).await;
        let me = app.client(&text(&answer["access_token"])).get("/v1/token").await.expect(StatusCode::OK);
        assert_eq!(me["permissions"].as_array().unwrap().len(), scope.split(' ').count());
    }

    async fn the_page_says_when_the_token_will_reach_all_organizations(app: &TestApp) {
        let acme = Acme::new(app).await;
        let users = "claviger:users:read";
        hold(app, &acme.id, &acme.zoe, &["organization-admin"], &[READ]).await;
        let plainly = "would reach all organizations";
        let shown = async |device: &Device| acme.browser.get(&device.path()).await;
        let device = Device::cli(app, &[("scope", &format!("{users} {OWN_READ}"))]).await;
        let before = shown(&device).await;
        before.shows(StatusCode::OK, users);
        assert!(!before.html.contains(plainly));
        let everywhere = json!({ "principal_id": acme.zoe, "organization_id": acme.id, "scope": "instance", "permission": users });
        app.root().post("/v1/assignments", everywhere).await.expect(StatusCode::CREATED);
        let after = shown(&device).await;
        after.shows(StatusCode::OK, plainly);
        let told = after.html.split(plainly).nth(1).unwrap().split("</ul>").next().unwrap();
        assert!(told.contains(users) && !told.contains(OWN_READ), "{told}");
        // Nobody approves it by the page of before, which did not say so.
        let again = approve(&acme.browser, &before).await;
        assert!(again.html.is_empty() || !again.html.contains("Approved"));
        device.refused(app, "authorization_pending").await;
        approve(&acme.browser, &after).await;
        later(app, 5);
        let token = text(&device.token(app).await["access_token"]);
        app.account("globex", &[]).await;
        let all = app.client(&token).get("/v1/users").await.expect(StatusCode::OK);
        assert!(all["items"].as_array().is_some(), "{all}");
    }

    async fn what_was_approved_is_taken_back_by_whoever_approved_it_until_it_is_redeemed(app: &TestApp) {
        let acme = Acme::new(app).await;
        let [regretted, redeemed] = [Device::cli(app, &[("scope", READ)]).await, Device::cli(app, &[("scope", READ)]).await];
        acme.approve(&regretted).await;
        deny(&acme.browser, &regretted).await.leads_to(&regretted.path());
        acme.browser.get(&regretted.path()).await.shows(StatusCode::OK, "Denied");
        regretted.refused(app, "access_denied").await;

        acme.approve(&redeemed).await;
        let token = text(&redeemed.token(app).await["access_token"]);
        acme.browser.get(&redeemed.path()).await.shows(StatusCode::OK, "the device has its token");
        deny(&acme.browser, &redeemed).await.leads_to(&redeemed.path());
        assert_eq!(app.code(&token).await, "valid", "it is a token like any other by now");
    }

    async fn whoever_is_out_has_approved_nothing(app: &TestApp) {
        let acme = Acme::new(app).await;
        let approved = async || {
            let device = Device::cli(app, &[("scope", READ)]).await;
            acme.approve(&device).await;
            device
        };
        let member = format!("/v1/organizations/{}/members/{}", acme.id, acme.zoe);
        let removed = approved().await;
        assert!(app.root().delete(&member).await.status.is_success());
        hold(app, &acme.id, &acme.zoe, &["member"], &[READ, WRITE]).await;
        removed.refused(app, "access_denied").await;

        let disabled = approved().await;
        for state in [true, false] {
            app.root().patch(&format!("/v1/users/{}", acme.zoe), json!({ "disabled": state })).await.expect(StatusCode::OK);
        }
        disabled.refused(app, "access_denied").await;
        let events = app.root().get("/v1/audit-events?limit=200").await.expect(StatusCode::OK);
        let denied = events["items"].as_array().unwrap().iter().filter(|event| event["action"] == "device_request.denied");
        assert!(denied.clone().count() == 2 && denied.into_iter().all(|event| event["details"]["reason"].is_string()));
    }

    async fn what_is_lost_before_it_is_redeemed_is_not_given(app: &TestApp) {
        let acme = Acme::new(app).await;
        let lost = Device::cli(app, &[("scope", "invoices:read invoices:write")]).await;
        acme.approve(&lost).await;
        hold(app, &acme.id, &acme.zoe, &["member"], &[READ]).await;
        lost.refused(app, "access_denied").await;
        lost.refused(app, "access_denied").await;
        let gone = Device::cli(app, &[("scope", READ)]).await;
        acme.approve(&gone).await;
        let member = format!("/v1/organizations/{}/members/{}", acme.id, acme.zoe);
        assert!(app.root().delete(&member).await.status.is_success());
        gone.refused(app, "access_denied").await;
        hold(app, &acme.id, &acme.zoe, &["member"], &[READ]).await;
        gone.refused(app, "access_denied").await;
        let disabled = Device::cli(app, &[("scope", READ)]).await;
        acme.approve(&disabled).await;
        let zoe: claviger_token::UserId = acme.zoe.parse().unwrap();
        app.disable(zoe).await;
        disabled.refused(app, "access_denied").await;
        let made = app.root().get(&format!("/v1/personal-access-tokens?user_id={zoe}")).await.expect(StatusCode::OK);
        assert_eq!(made["items"], json!([]));
        let events = app.root().get("/v1/audit-events?limit=200").await.expect(StatusCode::OK);
        let denied = events["items"].as_array().unwrap().iter().filter(|event| event["action"] == "device_request.denied");
        assert!(denied.clone().count() == 3 && denied.into_iter().all(|event| event["details"]["reason"].is_string()));
    }

    async fn the_policy_of_the_organization_holds(app: &TestApp) {
        let acme = Acme::new(app).await;
        acme.policy(app, json!({ "pat_max_lifetime_days": 7, "pat_default_lifetime_days": 7 })).await;
        let short = Device::cli(app, &[("scope", READ)]).await;
        acme.approve(&short).await;
        assert_eq!(short.token(app).await["expires_in"], 7 * 24 * 3600);

        acme.policy(app, json!({ "approval_required": true })).await;
        let waits = Device::cli(app, &[("scope", READ)]).await;
        let shown = acme.browser.get(&waits.path()).await;
        shown.shows(StatusCode::OK, "acme wants an approval of every token");
        approve(&acme.browser, &shown).await;
        let answer = waits.token(app).await;
        assert_eq!(app.code(&text(&answer["access_token"])).await, "pending_approval");
        assert!(text(&answer["approval_url"]).starts_with(&format!("{PUBLIC_URL}/approvals/pat_")));

        acme.policy(app, json!({ "approval_required": false, "allowed_kinds": ["api_key"] })).await;
        let refused = Device::cli(app, &[("scope", READ)]).await;
        let page = acme.approve(&refused).await;
        page.shows(StatusCode::UNPROCESSABLE_ENTITY, "The rules of the organization do not allow this token");
        page.shows(StatusCode::UNPROCESSABLE_ENTITY, "does not allow personal access tokens");
        refused.refused(app, "authorization_pending").await;
        acme.policy(app, json!({ "allowed_kinds": null, "members_must_name_objects": true })).await;
        acme.approve(&refused).await.shows(StatusCode::UNPROCESSABLE_ENTITY, "do not allow this token");
    }

    async fn a_client_that_wants_bound_tokens_alone_gets_none_here(app: &TestApp) {
        let client = app.machine().await;
        app.root().patch(&client.path(), json!({ "dpop_bound_access_tokens": true })).await.expect(StatusCode::OK);
        let refused = app.form_of(&client, DEVICE, &[("scope", READ)]).await;
        refused.refusal(StatusCode::BAD_REQUEST, "invalid_dpop_proof");
    }
}
