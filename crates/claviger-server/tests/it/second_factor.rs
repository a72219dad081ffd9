//! The authenticator app and recovery codes.

use claviger_core::CodePurpose;
use jiff::SignedDuration;
use reqwest::StatusCode;
use serde_json::json;
use totp_rs::{Builder, Secret, Totp};

use crate::{
    app::TestApp,
    browser::{Browser, PASSWORD, Page, ZOE},
};

/// Somebody's app.
struct Authenticator(Totp);

impl Authenticator {
    /// Set up from what the page shows to be typed.
    fn from(page: &Page) -> Self {
        let seed = page.html.split("class=\"seed\">").nth(1).unwrap().split('<').next().unwrap().replace(' ', "");
        Self(Builder::new().with_secret(Secret::try_from_base32(&seed).unwrap()).build_noncompliant())
    }

    fn code(&self, app: &TestApp) -> String {
        self.0.generate(u64::try_from(app.app.now().as_second()).unwrap()).to_string()
    }
}

/// Switches an app on in this browser: the app, and the recovery codes.
async fn enrol(app: &TestApp, browser: &Browser<'_>) -> (Authenticator, Vec<String>) {
    let path = "/account/security/authenticator";
    let page = browser.get(path).await;
    let authenticator = Authenticator::from(&page);
    let (csrf, sealed, code) = (page.field("csrf"), page.field("sealed"), authenticator.code(app));
    let wrong = browser.post(path, &[("csrf", &csrf), ("sealed", &sealed), ("code", "000000")]).await;
    wrong.shows(StatusCode::UNPROCESSABLE_ENTITY, "does not count");
    let page = browser.post(path, &[("csrf", &csrf), ("sealed", &sealed), ("code", &code)]).await;
    page.shows(StatusCode::OK, "Your recovery codes");
    let codes: Vec<String> = page.html.split("<li><code>").skip(1).map(|rest| rest[..14].to_owned()).collect();
    assert_eq!(codes.len(), 10);
    codes.iter().for_each(|code| app.handed_out(code));
    (authenticator, codes)
}

async fn half_way<'a>(app: &'a TestApp) -> Browser<'a> {
    let browser = Browser::new(app);
    browser.sign_in(ZOE, PASSWORD).await.leads_to("/sign-in/second-factor?next=%2F");
    assert_eq!(browser.session(), "");
    browser
}

async fn second(browser: &Browser<'_>, code: &str) -> Page {
    let fields = [("code", code), ("next", "/account/security")];
    browser.fill_in("/sign-in/second-factor", "/sign-in/second-factor", &fields).await
}

async fn again(browser: &Browser<'_>, password: &str, code: &str) -> Page {
    browser.fill_in("/sign-in/again", "/sign-in/again", &[("password", password), ("code", code)]).await
}

fn later(app: &TestApp) {
    app.clock.advance(SignedDuration::from_secs(30));
}

const REFUSED: &str = "does not count";

on_both_databases! {
    async fn a_code_of_the_app_is_asked_for_and_counts_once(app: &TestApp) {
        let (browser, zoe) = Browser::of_zoe(app).await;
        let there = Browser::new(app);
        there.sign_in(ZOE, PASSWORD).await.leads_to("/");
        let (authenticator, _) = enrol(app, &browser).await;
        there.get("/").await.leads_to("/sign-in?next=%2F");
        browser.get("/account/security").await.shows(StatusCode::OK, "10 recovery codes");
        let used = authenticator.code(app);
        let one = half_way(app).await;
        second(&one, &used).await.shows(StatusCode::UNPROCESSABLE_ENTITY, REFUSED);
        later(app);
        let code = authenticator.code(app);
        second(&one, &code).await.leads_to("/account/security");
        one.get("/").await.shows(StatusCode::OK, "Hello");
        let two = half_way(app).await;
        second(&two, &code).await.shows(StatusCode::UNPROCESSABLE_ENTITY, REFUSED);
        for garbage in ["", "0", "x".repeat(5000).as_str(), "\u{0}", "１２３４５６"] {
            second(&two, garbage).await.shows(StatusCode::UNPROCESSABLE_ENTITY, REFUSED);
        }
        two.get("/").await.leads_to("/sign-in?next=%2F");
        let events = app.root().get(&format!("/v1/audit-events?actor={zoe}&action=session.started")).await;
        let events = events.expect(StatusCode::OK);
        assert_eq!(events["items"][0]["details"]["method"], "totp");
    }

    async fn of_two_who_present_one_code_at_once_one_gets_in(app: &TestApp) {
        let (browser, _) = Browser::of_zoe(app).await;
        let (authenticator, _) = enrol(app, &browser).await;
        later(app);
        let (one, two, code) = (half_way(app).await, half_way(app).await, authenticator.code(app));
        let (first, second) = tokio::join!(second(&one, &code), second(&two, &code));
        let mut statuses = [first.status, second.status];
        statuses.sort();
        assert_eq!(statuses, [StatusCode::SEE_OTHER, StatusCode::UNPROCESSABLE_ENTITY]);
    }

    async fn a_recovery_code_stands_in_for_the_app_once(app: &TestApp) {
        let (browser, zoe) = Browser::of_zoe(app).await;
        let (_, codes) = enrol(app, &browser).await;
        let one = half_way(app).await;
        second(&one, &codes[3].to_uppercase().replace('-', " ")).await.leads_to("/account/security");
        one.get("/account/security").await.shows(StatusCode::OK, "9 recovery codes");
        second(&half_way(app).await, &codes[3]).await.shows(StatusCode::UNPROCESSABLE_ENTITY, REFUSED);
        let page = one.fill_in("/account/security", "/account/security/recovery-codes", &[]).await;
        page.shows(StatusCode::OK, "Your recovery codes");
        second(&half_way(app).await, &codes[4]).await.shows(StatusCode::UNPROCESSABLE_ENTITY, REFUSED);
        let trail = app.audit_trail(&zoe.to_string()).await;
        for told in ["totp.enabled", "recovery_codes.made", "recovery_code.used"] {
            assert!(trail.iter().any(|action| action == told), "no {told} in {trail:?}");
        }
    }

    async fn whoever_has_the_password_cannot_try_many_codes(app: &TestApp) {
        let (browser, _) = Browser::of_zoe(app).await;
        let (authenticator, _) = enrol(app, &browser).await;
        later(app);
        let stranger = half_way(app).await;
        for _ in 0..10 {
            second(&stranger, "000000").await.shows(StatusCode::UNPROCESSABLE_ENTITY, REFUSED);
        }
        second(&stranger, "000000").await.shows(StatusCode::TOO_MANY_REQUESTS, "Too many tries");
        // The owner's own browser is not held up by that.
        browser.fill_in("/", "/sign-out", &[]).await.leads_to("/sign-in");
        browser.sign_in(ZOE, PASSWORD).await.leads_to("/sign-in/second-factor?next=%2F");
        second(&browser, &authenticator.code(app)).await.leads_to("/account/security");
    }

    async fn half_way_ends_in_ten_minutes_and_counts_in_its_own_browser_alone(app: &TestApp) {
        let (browser, _) = Browser::of_zoe(app).await;
        let (authenticator, _) = enrol(app, &browser).await;
        later(app);
        let (one, thief) = (half_way(app).await, Browser::new(app));
        thief.get("/sign-in").await;
        let stolen = one.cookie("__Host-claviger-half-way").unwrap();
        thief.cookies.lock().unwrap().insert("__Host-claviger-half-way".to_owned(), stolen);
        thief.get("/sign-in/second-factor").await.leads_to("/sign-in");
        let page = one.get("/sign-in/second-factor").await;
        app.clock.advance(SignedDuration::from_mins(10));
        let fields = [("csrf", page.field("csrf")), ("code", authenticator.code(app))];
        let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
        one.post("/sign-in/second-factor", &fields).await.leads_to("/sign-in");
    }

    async fn a_link_does_not_stand_in_for_the_second_factor(app: &TestApp) {
        let (browser, zoe) = Browser::of_zoe(app).await;
        let (authenticator, _) = enrol(app, &browser).await;
        later(app);
        let code = app.link_code(zoe, CodePurpose::SignIn).await;
        let one = Browser::new(app);
        one.get(&format!("/sign-in/link?code={}", code.expose())).await.leads_to("/sign-in/link");
        one.fill_in("/sign-in/link", "/sign-in/link", &[]).await.leads_to("/sign-in/second-factor?next=%2F");
        one.get("/").await.leads_to("/sign-in?next=%2F");
        second(&one, &authenticator.code(app)).await.leads_to("/account/security");
    }

    async fn the_app_can_be_removed_by_its_user_alone(app: &TestApp) {
        let (browser, _) = Browser::of_zoe(app).await;
        let (_, codes) = enrol(app, &browser).await;
        let remove = async || browser.fill_in("/account/security", "/account/security/authenticator/remove", &[]).await;
        app.clock.advance(SignedDuration::from_mins(10));
        remove().await.leads_to("/sign-in/again?next=%2Faccount%2Fsecurity");
        again(&browser, PASSWORD, &codes[0]).await.leads_to("/");
        remove().await.leads_to("/account/security?done=changed");
        let one = Browser::new(app);
        one.sign_in(ZOE, PASSWORD).await.leads_to("/");
        assert_eq!(codes.len(), 10);
    }

    async fn who_has_an_app_proves_themselves_again_by_password_and_code(app: &TestApp) {
        let (browser, _) = Browser::of_zoe(app).await;
        let (authenticator, codes) = enrol(app, &browser).await;
        app.clock.advance(SignedDuration::from_mins(10));
        let page = browser.get("/sign-in/again").await;
        assert!(page.html.contains("name=\"password\"") && page.html.contains("name=\"code\""), "{}", page.html);
        let wrong = "Password or code does not count";
        again(&browser, PASSWORD, "").await.shows(StatusCode::UNPROCESSABLE_ENTITY, wrong);
        again(&browser, "x", &authenticator.code(app)).await.shows(StatusCode::UNPROCESSABLE_ENTITY, wrong);
        let code = authenticator.code(app);
        again(&browser, PASSWORD, &code).await.leads_to("/");
        browser.get("/account/security/authenticator").await.shows(StatusCode::OK, "<svg");
        again(&browser, PASSWORD, &code).await.shows(StatusCode::UNPROCESSABLE_ENTITY, wrong);
        again(&browser, PASSWORD, &codes[0]).await.leads_to("/");
        again(&browser, PASSWORD, &codes[0]).await.shows(StatusCode::UNPROCESSABLE_ENTITY, wrong);

        // Another password makes a session fresh, and asks for as much before.
        app.clock.advance(SignedDuration::from_mins(10));
        let new = "seven lanterns under a plum";
        let fields = [("password", PASSWORD), ("new", new), ("again", new)];
        let change = async || browser.fill_in("/account/security", "/account/security/password", &fields).await;
        change().await.leads_to("/sign-in/again?next=%2Faccount%2Fsecurity");
        again(&browser, PASSWORD, &authenticator.code(app)).await.leads_to("/");
        change().await.leads_to("/account/security?done=changed");
    }

    async fn who_holds_an_open_session_and_the_password_cannot_try_many_codes(app: &TestApp) {
        let (browser, _) = Browser::of_zoe(app).await;
        enrol(app, &browser).await;
        for _ in 0..10 {
            assert_eq!(again(&browser, PASSWORD, "000000").await.status, StatusCode::UNPROCESSABLE_ENTITY);
        }
        again(&browser, PASSWORD, "000000").await.shows(StatusCode::TOO_MANY_REQUESTS, "Too many tries");
    }

    async fn an_app_that_was_lost_is_removed_by_who_may_let_its_user_in(app: &TestApp) {
        let (browser, zoe) = Browser::of_zoe(app).await;
        let path = format!("/v1/users/{zoe}/second-factor");
        app.root().delete(&path).await.problem(StatusCode::NOT_FOUND, "not_found");
        enrol(app, &browser).await;
        app.declare_invoices().await;
        let itself = app.root().get("/v1/token").await.expect(StatusCode::OK);
        let default = itself["organization"]["id"].as_str().unwrap();
        let member = format!("/v1/organizations/{default}/members/{zoe}");
        app.root().put(&member, json!({ "roles": [], "permissions": ["invoices:read"] })).await.expect(StatusCode::CREATED);
        let account = app.account_in(default, &[]).await;
        let give = json!({ "principal_id": account, "permission": "claviger:users:write", "scope": "instance" });
        app.root().post("/v1/assignments", give).await.expect(StatusCode::CREATED);
        let weak = app.key(&account, &["claviger:users:write"], json!({})).await;
        let refused = app.client(&weak.token).delete(&path).await;
        assert_eq!(refused.problem(StatusCode::FORBIDDEN, "permission_missing")["permission"], "invoices:read");
        browser.get("/").await.leads_to("/organizations/default");

        app.root().delete(&path).await.expect(StatusCode::NO_CONTENT);
        browser.get("/").await.leads_to("/sign-in?next=%2F");
        browser.sign_in(ZOE, PASSWORD).await.leads_to("/");
        assert_eq!(app.app.store.recovery_codes_left(zoe).await.unwrap(), 0);
        let trail = app.audit_trail(&zoe.to_string()).await;
        assert!(trail.iter().any(|action| action == "totp.disabled"), "{trail:?}");
        app.root().delete(&path).await.problem(StatusCode::NOT_FOUND, "not_found");
    }

    async fn the_form_of_an_app_works_once_in_its_own_session_and_for_ten_minutes(app: &TestApp) {
        let (browser, _) = Browser::of_zoe(app).await;
        let other = Browser::new(app);
        other.sign_in(ZOE, PASSWORD).await.leads_to("/");
        let path = "/account/security/authenticator";
        let page = browser.get(path).await;
        let (sealed, authenticator) = (page.field("sealed"), Authenticator::from(&page));
        let send = async |browser: &Browser<'_>| {
            let csrf = browser.get("/account/security").await.field("csrf");
            let code = authenticator.code(app);
            browser.post(path, &[("csrf", &csrf), ("sealed", &sealed), ("code", &code)]).await
        };
        send(&other).await.shows(StatusCode::FORBIDDEN, "Nothing was changed");
        app.clock.advance(SignedDuration::from_secs(1));
        let switched_on = send(&browser).await;
        switched_on.shows(StatusCode::OK, "Your recovery codes");
        switched_on.html.split("<li><code>").skip(1).for_each(|rest| app.handed_out(&rest[..14]));
        send(&browser).await.shows(StatusCode::FORBIDDEN, "Nothing was changed");
        browser.fill_in("/account/security", &format!("{path}/remove"), &[]).await.leads_to("/account/security?done=changed");
        send(&browser).await.shows(StatusCode::FORBIDDEN, "Nothing was changed");
        app.clock.advance(SignedDuration::from_mins(10));
        assert_eq!(send(&browser).await.status, StatusCode::SEE_OTHER);
    }

    async fn a_seed_that_was_sealed_for_another_is_refused(app: &TestApp) {
        let (browser, _) = Browser::of_zoe(app).await;
        app.person("yann@acme.test", Some(PASSWORD)).await;
        let stranger = Browser::new(app);
        stranger.sign_in("yann@acme.test", PASSWORD).await.leads_to("/");
        let path = "/account/security/authenticator";
        let page = stranger.get(path).await;
        let (sealed, code) = (page.field("sealed"), Authenticator::from(&page).code(app));
        for sealed in [sealed.as_str(), "", "x", "AAAA", "%%%"] {
            let csrf = browser.get(path).await.field("csrf");
            let page = browser.post(path, &[("csrf", &csrf), ("sealed", sealed), ("code", &code)]).await;
            page.shows(StatusCode::FORBIDDEN, "Nothing was changed");
        }
    }
}
