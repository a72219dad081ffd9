//! Signing in and out with a password, and by links that work once.

use std::time::Duration;

use claviger_core::CodePurpose;
use jiff::SignedDuration;
use reqwest::{Method, StatusCode};

use crate::{
    app::{PUBLIC_URL, TestApp, within},
    browser::{Browser, PASSWORD, Page, ZOE},
};

const FAILED: &str = "Address and password do not go together";

/// A page without what differs from one look to the next.
fn constant(page: &Page) -> String {
    page.html.replace(&page.field("csrf"), "").replace(&page.field("challenge"), "")
}

on_both_databases! {
    async fn a_field_that_is_there_twice_is_told_by_a_page_of_ours(app: &TestApp) {
        let (next, code) = ("next=%2F&next=%2F", "code=a&code=b");
        for (page, query) in [("sign-in", next), ("language", "to=nl&to=fr"), ("invitation", code), ("portal/enter", code)] {
            let shown = Browser::new(app).get(&format!("/{page}?{query}")).await;
            shown.shows(StatusCode::BAD_REQUEST, "could not be read");
            assert!(shown.header("content-type").starts_with("text/html"), "{page}");
        }
    }

    async fn somebody_signs_in_sees_their_name_as_text_and_signs_out(app: &TestApp) {
        let zoe = app.person(ZOE, Some(PASSWORD)).await;
        let browser = Browser::new(app);
        browser.get("/account/security").await.leads_to("/sign-in?next=%2Faccount%2Fsecurity");
        let fields = [("email", "zoe@ACME.test"), ("password", PASSWORD), ("next", "/account/security")];
        browser.fill_in("/sign-in?next=%2Faccount%2Fsecurity", "/sign-in", &fields).await.leads_to("/account/security");
        let first = browser.session();
        assert_eq!(first.len(), 64);
        browser.get("/account/security").await.shows(StatusCode::OK, "Zoë &#60;b&#62;");
        browser.get("/sign-in?next=/x").await.leads_to("/x");
        browser.fill_in("/", "/sign-out", &[]).await.leads_to("/sign-in");
        assert_eq!(browser.session(), "");

        // The session is gone on our side too.
        browser.cookies.lock().unwrap().insert("__Host-claviger".to_owned(), first.clone());
        browser.get("/").await.leads_to("/sign-in?next=%2F");
        browser.sign_in(ZOE, PASSWORD).await.leads_to("/");
        assert_ne!(browser.session(), first);
        assert_eq!(app.audit_trail(&zoe.to_string()).await, ["user.created"]);
        let events = app.root().get(&format!("/v1/audit-events?actor={zoe}")).await.expect(StatusCode::OK);
        let told: Vec<_> = events["items"].as_array().unwrap().iter().map(|event| event["action"].clone()).collect();
        assert_eq!(told, ["session.started", "session.ended", "session.started"]);
    }

    async fn signing_in_again_ends_the_session_before(app: &TestApp) {
        let (browser, _) = Browser::of_zoe(app).await;
        let before = browser.session();
        let other = Browser::new(app);
        let page = other.get("/sign-in").await;
        other.cookies.lock().unwrap().insert("__Host-claviger".to_owned(), before);
        let csrf = page.field("csrf");
        other.post("/sign-in", &[("email", ZOE), ("password", PASSWORD), ("csrf", &csrf)]).await.leads_to("/");
        browser.get("/").await.leads_to("/sign-in?next=%2F");
        other.get("/").await.shows(StatusCode::OK, "Hello");
    }

    async fn whoever_does_not_get_in_cannot_tell_why(app: &TestApp) {
        let zoe = app.person(ZOE, Some(PASSWORD)).await;
        let yann = app.person("yann@acme.test", Some(PASSWORD)).await;
        app.person("without@acme.test", None).await;
        app.disable(yann).await;
        let wrong = Browser::new(app).sign_in(ZOE, "plum harbor seven lantern").await;
        wrong.shows(StatusCode::UNPROCESSABLE_ENTITY, FAILED);
        for (email, password) in [
            ("nobody@acme.test", PASSWORD), ("yann@acme.test", PASSWORD), ("without@acme.test", ""),
            ("without@acme.test", PASSWORD), (ZOE, ""), (ZOE, &"x".repeat(10_000)),
        ] {
            let page = Browser::new(app).sign_in(email, password).await;
            assert_eq!(page.status, wrong.status);
            assert_eq!(constant(&page).replace(email, ZOE), constant(&wrong), "{email}");
        }
        for email in ["", "x", "a\u{0}@acme.test", "\u{202E}@acme.test", &format!("{}@acme.test", "x".repeat(5_000))] {
            Browser::new(app).sign_in(email, PASSWORD).await.shows(StatusCode::UNPROCESSABLE_ENTITY, FAILED);
        }
        let told = async || app.audit_trail(&zoe.to_string()).await == ["user.created", "sign_in.failed"];
        within(Duration::from_secs(5), "one failure is told in a minute", told).await;
        let events = app.root().get(&format!("/v1/audit-events?target={zoe}")).await.expect(StatusCode::OK);
        assert_eq!(events["items"][0]["address"], "127.0.0.1");
    }

    async fn guessing_is_slowed_down_and_nobody_is_locked_out_by_it(app: &TestApp) {
        let (known, _) = Browser::of_zoe(app).await;
        known.fill_in("/", "/sign-out", &[]).await.leads_to("/sign-in");
        let stranger = Browser::sending(app, "x-forwarded-for", "203.0.113.9");
        for _ in 0..10 {
            stranger.sign_in(ZOE, "wrong").await.shows(StatusCode::UNPROCESSABLE_ENTITY, FAILED);
        }
        let spoofing = Browser::sending(app, "x-forwarded-for", "203.0.113.10");
        for browser in [&stranger, &spoofing] {
            let page = browser.sign_in(ZOE, PASSWORD).await;
            page.shows(StatusCode::TOO_MANY_REQUESTS, "Too many tries");
            let wait: i64 = page.header("retry-after").parse().unwrap();
            assert!((1..=91).contains(&wait), "{wait}");
        }
        for _ in 0..10 {
            Browser::new(app).sign_in("nobody@acme.test", PASSWORD).await.shows(StatusCode::UNPROCESSABLE_ENTITY, FAILED);
        }
        let page = Browser::new(app).sign_in("nobody@acme.test", PASSWORD).await;
        page.shows(StatusCode::TOO_MANY_REQUESTS, "Too many tries");
        known.sign_in(ZOE, PASSWORD).await.leads_to("/");
        app.clock.advance(SignedDuration::from_secs(95));
        stranger.sign_in(ZOE, PASSWORD).await.leads_to("/");
    }

    async fn a_form_of_elsewhere_changes_nothing(app: &TestApp) {
        let (zoe, _) = Browser::of_zoe(app).await;
        let csrf = zoe.get("/").await.field("csrf");
        let refused = "open for too long";
        let out = async |browser: &Browser<'_>, headers: &[(&str, &str)], csrf: &str| {
            browser.send(Method::POST, "/sign-out", headers, Some(&[("csrf", csrf)])).await
        };
        let here = ("origin", PUBLIC_URL);
        out(&zoe, &[here], "").await.shows(StatusCode::FORBIDDEN, refused);
        out(&zoe, &[here], &"0".repeat(64)).await.shows(StatusCode::FORBIDDEN, refused);
        out(&zoe, &[("origin", "https://evil.test")], &csrf).await.shows(StatusCode::FORBIDDEN, refused);
        out(&zoe, &[("origin", "null")], &csrf).await.shows(StatusCode::FORBIDDEN, refused);
        out(&zoe, &[here, ("sec-fetch-site", "cross-site")], &csrf).await.shows(StatusCode::FORBIDDEN, refused);
        let other = Browser::new(app);
        other.sign_in(ZOE, PASSWORD).await.leads_to("/");
        out(&other, &[here], &csrf).await.shows(StatusCode::FORBIDDEN, refused);
        let stranger = Browser::new(app);
        let theirs = stranger.get("/sign-in").await.field("csrf");
        let fields = [("email", ZOE), ("password", PASSWORD), ("csrf", theirs.as_str())];
        Browser::new(app).post("/sign-in", &fields).await.shows(StatusCode::FORBIDDEN, refused);
        zoe.get("/").await.shows(StatusCode::OK, "Hello");
        out(&zoe, &[("sec-fetch-site", "same-origin")], &csrf).await.leads_to("/sign-in");
    }

    async fn every_answer_says_what_browsers_must_not_do(app: &TestApp) {
        let (zoe, _) = Browser::of_zoe(app).await;
        let nobody = Browser::new(app);
        for (browser, path, status) in [
            (&nobody, "/", StatusCode::SEE_OTHER), (&nobody, "/sign-in", StatusCode::OK),
            (&nobody, "/sign-in/second-factor", StatusCode::SEE_OTHER), (&nobody, "/sign-in/again", StatusCode::SEE_OTHER),
            (&nobody, "/account/security", StatusCode::SEE_OTHER), (&nobody, "/sign-in/link", StatusCode::GONE),
            (&nobody, "/account/security/authenticator", StatusCode::SEE_OTHER),
            (&nobody, "/password-reset?code=x", StatusCode::GONE), (&nobody, "/language?to=nl", StatusCode::SEE_OTHER),
            (&zoe, "/", StatusCode::OK), (&zoe, "/account/security", StatusCode::OK), (&zoe, "/sign-in/again", StatusCode::OK),
            (&zoe, "/account/security/authenticator", StatusCode::OK),
        ] {
            let page = browser.get(path).await;
            assert_eq!(page.status, status, "{path}");
            let policy = page.header("content-security-policy");
            assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
            for (name, value) in [
                ("cache-control", "no-store"), ("x-content-type-options", "nosniff"), ("referrer-policy", "same-origin"),
                ("cross-origin-opener-policy", "same-origin"), ("strict-transport-security", "max-age=31536000"),
            ] {
                assert_eq!(page.header(name), value, "{path}");
            }
        }
        let sheet = nobody.get("/assets/console.css?v=1").await;
        assert_eq!((sheet.status, sheet.header("content-type")), (StatusCode::OK, "text/css; charset=utf-8"));
        for (path, method) in [("/sign-out", Method::GET), ("/account/security", Method::DELETE)] {
            let status = app.request(method, app.public, path).send().await.unwrap().status();
            assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
        }
    }

    async fn a_hostile_request_gets_an_answer_and_nothing_more(app: &TestApp) {
        let (zoe, _) = Browser::of_zoe(app).await;
        let csrf = zoe.get("/").await.field("csrf");
        let here = ("origin", PUBLIC_URL);
        let send = async |sort: &'static str, body: Vec<u8>| {
            let cookie = format!("__Host-claviger={}", zoe.session());
            let request = app.request(Method::POST, app.public, "/account/security/sessions").header("cookie", cookie);
            request.header(here.0, here.1).header("content-type", sort).body(body).send().await.unwrap().status()
        };
        let form = "application/x-www-form-urlencoded";
        assert_eq!(send(form, vec![b'x'; 70_000]).await, StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(send("application/json", b"{}".to_vec()).await, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        assert_eq!(send("multipart/form-data; boundary=x", b"--x--".to_vec()).await, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        assert_eq!(send(form, b"%ff=%zz&&&csrf".to_vec()).await, StatusCode::FORBIDDEN);
        for session in ["x", "sess_01h455vb4pex5vsknk084sn02q", "user_01h455vb4pex5vsknk084sn02q"] {
            let page = zoe.post("/account/security/sessions", &[("csrf", &csrf), ("session", session)]).await;
            assert!([StatusCode::FORBIDDEN, StatusCode::SEE_OTHER].contains(&page.status), "{session}");
        }
        for next in ["//evil.test", "https://evil.test/", "/\\evil.test", "javascript:alert(1)", "/%0d%0aset-cookie:x=1"] {
            let query: String = url::form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish();
            let to = zoe.get(&format!("/sign-in?{query}")).await.location().to_owned();
            assert!(to == "/" || to == "/%0d%0aset-cookie:x=1", "{next}: {to}");
            let to = zoe.get(&format!("/language?to=fr&{query}")).await.location().to_owned();
            assert!(to.starts_with('/') && !to.starts_with("//"), "{next}: {to}");
        }
        for value in ["", "x", &"a".repeat(64), &"\u{e9}".repeat(64), "a.b.c.d.e.f", &".".repeat(4000)] {
            let browser = Browser::new(app);
            for name in ["", "-visit", "-device", "-half-way", "-code", "-language"] {
                browser.cookies.lock().unwrap().insert(format!("__Host-claviger{name}"), value.to_owned());
            }
            for path in ["/", "/sign-in", "/sign-in/second-factor", "/sign-in/link", "/password-reset"] {
                assert!(browser.get(path).await.status.as_u16() < 500, "{path} {value}");
            }
        }
    }

    async fn pages_speak_the_language_that_is_asked_for_or_chosen(app: &TestApp) {
        let browser = Browser::sending(app, "accept-language", "nl-BE,fr;q=0.5");
        browser.get("/sign-in").await.shows(StatusCode::OK, "<html lang=\"nl\">");
        let page = browser.get("/language?to=ja&next=%2Fsign-in%3Fnext%3D%252Fx").await;
        page.leads_to("/sign-in?next=%2Fx");
        browser.get("/sign-in").await.shows(StatusCode::OK, "<html lang=\"ja\">");
        browser.get("/language?to=xx&next=//evil.test").await.leads_to("/");
        browser.get("/sign-in").await.shows(StatusCode::OK, "サインイン");
        browser.get("/sign-in/link?code=x").await.shows(StatusCode::GONE, "<html lang=\"ja\">");
        // From the form that is half filled in, what was typed comes along, but for the password.
        let typed = [("language", "fr"), ("email", ZOE), ("password", PASSWORD), ("next", "/account/security")];
        let page = browser.fill_in("/sign-in", "/sign-in", &typed).await;
        for kept in ["<html lang=\"fr\">", "value=\"Zoe@acme.test\"", "name=\"next\" value=\"/account/security\""] {
            page.shows(StatusCode::OK, kept);
        }
        assert!(!page.html.contains(PASSWORD));
        browser.get("/sign-in").await.shows(StatusCode::OK, "<html lang=\"fr\">");
    }

    async fn a_reset_link_sets_a_password_once_and_ends_all_sessions(app: &TestApp) {
        let (before, zoe) = Browser::of_zoe(app).await;
        let (code, other) = (app.link_code(zoe, CodePurpose::PasswordReset).await, app.link_code(zoe, CodePurpose::PasswordReset).await);
        let browser = Browser::new(app);
        browser.get(&format!("/password-reset?code={}", code.expose())).await.leads_to("/password-reset");
        browser.get("/password-reset").await.shows(StatusCode::OK, "Zoe@acme.test");
        let new = "seven lanterns under a plum";
        let submit = async |new: &str, again: &str| {
            browser.fill_in("/password-reset", "/password-reset", &[("new", new), ("again", again)]).await
        };
        submit(new, "x").await.shows(StatusCode::UNPROCESSABLE_ENTITY, "differ");
        submit("short", "short").await.shows(StatusCode::UNPROCESSABLE_ENTITY, "too short");
        submit("zoe@acme.test", "zoe@acme.test").await.shows(StatusCode::UNPROCESSABLE_ENTITY, "guessed quickly");
        submit(new, new).await.leads_to("/");
        browser.get("/").await.shows(StatusCode::OK, "Hello");
        before.get("/").await.leads_to("/sign-in?next=%2F");
        for used in [code, other] {
            let late = Browser::new(app);
            late.get(&format!("/password-reset?code={}", used.expose())).await.leads_to("/password-reset");
            late.get("/password-reset").await.shows(StatusCode::GONE, "used already");
        }
        Browser::new(app).sign_in(ZOE, PASSWORD).await.shows(StatusCode::UNPROCESSABLE_ENTITY, FAILED);
        Browser::new(app).sign_in(ZOE, new).await.leads_to("/");
        let trail = app.audit_trail(&zoe.to_string()).await;
        assert!(trail.contains(&"password.reset".to_owned()), "{trail:?}");
    }

    async fn a_sign_in_link_signs_in_once_and_only_by_its_button(app: &TestApp) {
        let zoe = app.person(ZOE, None).await;
        let code = app.link_code(zoe, CodePurpose::SignIn).await;
        let link = format!("/sign-in/link?code={}", code.expose());
        let (browser, second) = (Browser::new(app), Browser::new(app));
        for browser in [&browser, &second] {
            browser.get(&link).await.leads_to("/sign-in/link");
        }
        let page = second.get("/sign-in/link").await;
        browser.fill_in("/sign-in/link", "/sign-in/link", &[]).await.leads_to("/");
        browser.get("/").await.shows(StatusCode::OK, "Hello");
        second.post("/sign-in/link", &[("csrf", &page.field("csrf"))]).await.shows(StatusCode::GONE, "used already");
        let reset = app.link_code(zoe, CodePurpose::PasswordReset).await;
        let wrong = Browser::new(app);
        wrong.get(&format!("/sign-in/link?code={}", reset.expose())).await.leads_to("/sign-in/link");
        wrong.get("/sign-in/link").await.shows(StatusCode::GONE, "used already");
        let late = app.link_code(zoe, CodePurpose::SignIn).await;
        wrong.get(&format!("/sign-in/link?code={}", late.expose())).await.leads_to("/sign-in/link");
        app.clock.advance(SignedDuration::from_hours(1));
        wrong.get("/sign-in/link").await.shows(StatusCode::GONE, "too old");
    }
}
