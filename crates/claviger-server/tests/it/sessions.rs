//! Sessions: how they end, and how their user sees and ends them.

use claviger_core::By;
use jiff::SignedDuration;
use reqwest::StatusCode;

use crate::{
    app::TestApp,
    browser::{Browser, PASSWORD, ZOE},
    database::Engine,
};

const OUT: &str = "/sign-in?next=%2F";

on_both_databases! {
    async fn a_session_ends_when_it_is_not_used_and_after_a_week_in_any_case(app: &TestApp) {
        let (idle, _) = Browser::of_zoe(app).await;
        let used = Browser::new(app);
        used.sign_in(ZOE, PASSWORD).await.leads_to("/");
        app.clock.advance(SignedDuration::from_hours(11));
        used.get("/").await.shows(StatusCode::OK, "Hello");
        app.clock.advance(SignedDuration::from_hours(1));
        idle.get("/").await.leads_to(OUT);
        for _ in 0..14 {
            used.get("/").await.shows(StatusCode::OK, "Hello");
            app.clock.advance(SignedDuration::from_hours(11));
        }
        app.clock.advance(SignedDuration::from_hours(2));
        used.get("/").await.leads_to(OUT);
    }

    async fn a_disabled_user_is_signed_out_everywhere(app: &TestApp) {
        let (browser, zoe) = Browser::of_zoe(app).await;
        app.disable(zoe).await;
        browser.get("/").await.leads_to(OUT);
    }

    async fn somebody_sees_their_sessions_and_ends_one_or_all_others(app: &TestApp) {
        let zoe = app.person(ZOE, Some(PASSWORD)).await;
        let named = |name: &str| Browser::sending(app, "user-agent", name);
        let (here, there, elsewhere) = (named("Here/1"), named("There/<b>"), named("Elsewhere/1"));
        for browser in [&here, &there, &elsewhere] {
            browser.sign_in(ZOE, PASSWORD).await.leads_to("/");
        }
        app.person("yann@acme.test", Some(PASSWORD)).await;
        let stranger = Browser::new(app);
        stranger.sign_in("yann@acme.test", PASSWORD).await.leads_to("/");
        let page = here.get("/account/security").await;
        page.shows(StatusCode::OK, "There/&#60;b&#62;");
        let ids: Vec<&str> = page.html.split("name=\"session\" value=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        let [_, theirs, own, "others"] = ids.as_slice() else { panic!("{ids:?}") };
        let end = async |browser: &Browser<'_>, id: &str| {
            browser.fill_in("/account/security", "/account/security/sessions", &[("session", id)]).await
        };
        end(&stranger, theirs).await.leads_to("/account/security");
        there.get("/").await.shows(StatusCode::OK, "Hello");
        end(&here, theirs).await.leads_to("/account/security");
        there.get("/").await.leads_to(OUT);
        end(&here, theirs).await.leads_to("/account/security");
        elsewhere.get("/").await.shows(StatusCode::OK, "Hello");
        end(&here, "others").await.leads_to("/account/security");
        elsewhere.get("/").await.leads_to(OUT);
        end(&here, "others").await.leads_to("/account/security");
        end(&here, own).await.leads_to("/sign-in");
        here.get("/").await.leads_to(OUT);
        stranger.get("/").await.shows(StatusCode::OK, "Hello");
        let events = app.root().get(&format!("/v1/audit-events?actor={zoe}&action=session.ended")).await.expect(StatusCode::OK);
        let reasons: Vec<_> = events["items"].as_array().unwrap().iter().map(|event| event["details"]["reason"].clone()).collect();
        assert_eq!(reasons, ["signed_out", "revoked", "revoked"]);
    }

    async fn another_password_ends_all_other_sessions(app: &TestApp) {
        let (here, zoe) = Browser::of_zoe(app).await;
        let there = Browser::new(app);
        there.sign_in(ZOE, PASSWORD).await.leads_to("/");
        let (held, new) = (here.session(), "seven lanterns under a plum");
        let change = async |old: &str, new: &str, again: &str| {
            let fields = [("password", old), ("new", new), ("again", again)];
            here.fill_in("/account/security", "/account/security/password", &fields).await
        };
        change("wrong", new, new).await.shows(StatusCode::UNPROCESSABLE_ENTITY, "not your password");
        change(PASSWORD, new, "other").await.shows(StatusCode::UNPROCESSABLE_ENTITY, "differ");
        change(PASSWORD, "password1234", "password1234").await.shows(StatusCode::UNPROCESSABLE_ENTITY, "guessed quickly");
        change(PASSWORD, new, new).await.leads_to("/account/security?done=changed");
        assert_ne!(here.session(), held);
        here.get("/account/security?done=changed").await.shows(StatusCode::OK, "Done.");
        there.get("/").await.leads_to(OUT);
        there.sign_in(ZOE, PASSWORD).await.shows(StatusCode::UNPROCESSABLE_ENTITY, "do not go together");
        there.sign_in(ZOE, new).await.leads_to("/");
        assert_eq!(app.audit_trail(&zoe.to_string()).await[..2], ["user.created", "password.changed"]);
    }

    async fn guessing_the_password_of_an_open_session_is_slowed_down_too(app: &TestApp) {
        let (browser, _) = Browser::of_zoe(app).await;
        let guess = async || browser.fill_in("/sign-in/again", "/sign-in/again", &[("password", "x")]).await.status;
        for _ in 0..20 {
            assert_eq!(guess().await, StatusCode::UNPROCESSABLE_ENTITY);
        }
        assert_eq!(guess().await, StatusCode::TOO_MANY_REQUESTS);
        Browser::new(app).sign_in(ZOE, PASSWORD).await.leads_to("/");
    }

    async fn what_lasts_wants_a_proof_of_the_last_ten_minutes(app: &TestApp) {
        let (browser, zoe) = Browser::of_zoe(app).await;
        browser.get("/account/security/authenticator").await.shows(StatusCode::OK, "<svg");
        app.clock.advance(SignedDuration::from_mins(10));
        let again = "/sign-in/again?next=%2Faccount%2Fsecurity";
        browser.get("/account/security/authenticator").await.leads_to(again);
        let held = browser.session();
        let fields = [("password", "wrong"), ("next", "/account/security")];
        browser.fill_in(again, "/sign-in/again", &fields).await.shows(StatusCode::UNPROCESSABLE_ENTITY, "not your password");
        browser.get("/account/security/authenticator").await.leads_to(again);
        let fields = [("password", PASSWORD), ("next", "/account/security")];
        browser.fill_in(again, "/sign-in/again", &fields).await.leads_to("/account/security");
        assert_ne!(browser.session(), held);
        browser.get("/account/security/authenticator").await.shows(StatusCode::OK, "<svg");
        let events = app.root().get(&format!("/v1/audit-events?actor={zoe}")).await.expect(StatusCode::OK);
        assert_eq!(events["items"][0]["action"], "session.reauthenticated");
    }
}

/// Of the pool's connections one is free: whoever asked for a second one in the middle of a transaction would wait in vain.
#[test]
fn on_postgres_ending_all_other_sessions_takes_one_connection() {
    crate::app::run(Engine::Postgres, async |app: &TestApp| {
        let (here, _) = Browser::of_zoe(app).await;
        let there = Browser::new(app);
        there.sign_in(ZOE, PASSWORD).await.leads_to("/");
        let csrf = here.get("/account/security").await.field("csrf");
        let (by, mut held) = (By::system(), Vec::new());
        let most = app.app.store.database().pools().iter().find(|pool| pool.name == "main").unwrap().most;
        for _ in 1..most {
            held.push(app.app.store.begin(&by).await.unwrap());
        }
        let fields = [("csrf", csrf.as_str()), ("session", "others")];
        here.post("/account/security/sessions", &fields).await.leads_to("/account/security");
        drop(held);
        there.get("/").await.leads_to(OUT);
    });
}
