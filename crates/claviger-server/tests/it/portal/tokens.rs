//! The portal's pages of tokens: what a product's user does there, how often, in whose frames, and what they do not come near.

use jiff::SignedDuration;
use reqwest::{Method, StatusCode, header::ORIGIN};
use serde_json::json;

use super::{APP, Portal, READ, ancestors};
use crate::{
    app::{TestApp, text},
    browser::{Browser, PASSWORD, Page},
};

const WRITE: &str = "invoices:write";
const ORIGINS: &str = "https://app.acme.test http://localhost:3000";
const BACK: &str = "href=\"https://app.acme.test/settings?tab=tokens\" target=\"_top\"";

/// Sends a form that is on a page of the portal.
async fn send(browser: &Browser<'_>, path: &str, more: &[(&str, &str)]) -> Page {
    let csrf = browser.get("/portal").await.field("csrf");
    let fields: Vec<(&str, &str)> = more.iter().copied().chain([("csrf", csrf.as_str())]).collect();
    browser.post(path, &fields).await
}

/// Sends the form of a new token as `shown` has it.
async fn make(browser: &Browser<'_>, shown: &Page, name: &str, more: &[(&str, &str)]) -> Page {
    let (csrf, once) = (shown.field("csrf"), shown.field("once"));
    let mut fields =
        vec![("csrf", csrf.as_str()), ("once", &once), ("name", name), ("life", "30"), ("picker", "shown")];
    fields.extend(more.iter().copied());
    browser.post("/portal/new", &fields).await
}

/// The secret that a page shows.
fn secret(app: &TestApp, page: &Page) -> String {
    assert_eq!(page.status, StatusCode::OK, "{}", page.html);
    let field = page.html.split("<input id=\"secret\"").nth(1).unwrap_or_else(|| panic!("no secret in {}", page.html));
    let field = field.split('>').next().unwrap();
    assert!(field.contains(" readonly"), "{field}");
    let secret = field.split("value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    app.handed_out(&secret);
    secret
}

impl Portal<'_> {
    /// The path of the only token there that is called so.
    async fn path_of(&self, name: &str) -> String {
        let query = format!("/v1/personal-access-tokens?organization_id={}&q={name}", self.organization);
        let found = self.app.root().get(&query).await.expect(StatusCode::OK);
        assert_eq!(found["items"].as_array().unwrap().len(), 1, "{found}");
        format!("/portal/{}", text(&found["items"][0]["id"]))
    }

    async fn count(&self) -> usize {
        let found = self.app.root().get("/v1/personal-access-tokens?limit=200").await.expect(StatusCode::OK);
        found["items"].as_array().unwrap().len()
    }
}

on_both_databases! {
    async fn a_token_is_made_renewed_and_ended_without_leaving_the_frame(app: &TestApp) {
        let portal = Portal::of_acme(app).await;
        let browser = portal.entered().await;
        let empty = browser.get("/portal").await;
        empty.shows(StatusCode::OK, "No tokens yet");
        let shown = browser.get("/portal/new").await;
        shown.shows(StatusCode::OK, "value=\"invoices:read\"");
        assert!(!shown.html.contains(WRITE), "no more than she holds: {}", shown.html);

        // Once, however often it is sent.
        let made = make(&browser, &shown, "laptop", &[("permission", READ), ("objects", "base:app7")]).await;
        let token = secret(app, &made);
        let path = portal.path_of("laptop").await;
        let again = make(&browser, &shown, "other", &[("permission", READ)]).await;
        again.leads_to(&format!("{path}?done=once"));
        let page = browser.get(again.location()).await;
        page.shows(StatusCode::OK, "This form was sent before");
        assert!(!page.html.contains(&token));
        let shown = browser.get("/portal/new").await;
        let twice = tokio::join!(
            make(&browser, &shown, "twice", &[("permission", READ)]),
            make(&browser, &shown, "twice", &[("permission", READ)])
        );
        for page in [&twice.0, &twice.1].into_iter().filter(|page| page.status == StatusCode::OK) {
            secret(app, page);
        }
        portal.path_of("twice").await;
        assert_eq!(portal.count().await, 2);

        // What it can reach and how it is used stands on its page.
        let page = browser.get(&path).await;
        for part in ["base:app7", "invoices:read", "Use in the last 30 days", "Not used in these days", "Alice &#60;b&#62;"] {
            page.shows(StatusCode::OK, part);
        }
        let seen = browser.get(&format!("{path}/edit")).await.field("seen");
        let changed = [("seen", seen.as_str()), ("name", "desk"), ("permission", READ), ("picker", "shown"), ("life", "keep")];
        send(&browser, &format!("{path}/edit"), &changed).await.leads_to(&format!("{path}?done=saved"));
        let late = send(&browser, &format!("{path}/edit"), &changed).await;
        late.shows(StatusCode::UNPROCESSABLE_ENTITY, "Somebody else changed it meanwhile");

        let shown = browser.get(&format!("{path}/roll")).await;
        let (once, number) = (shown.field("once"), shown.field("seen"));
        let fields = [("once", once.as_str()), ("seen", number.as_str()), ("overlap", "3600")];
        let second = secret(app, &send(&browser, &format!("{path}/roll"), &fields).await);
        assert_eq!(app.code(&token).await, app.code(&second).await);
        browser.get(&path).await.shows(StatusCode::OK, "The old secret still works");
        send(&browser, &format!("{path}/end-overlap"), &[]).await.leads_to(&format!("{path}?done=overlap"));
        assert_eq!(app.code(&token).await, "revoked");
        send(&browser, &format!("{path}/disable"), &[]).await.leads_to(&format!("{path}?done=disabled"));
        assert_eq!(app.code(&second).await, "disabled");
        send(&browser, &format!("{path}/enable"), &[]).await.leads_to(&format!("{path}?done=enabled"));
        browser.get(&format!("{path}/revoke")).await.shows(StatusCode::OK, "Revoke this token?");
        send(&browser, &format!("{path}/revoke"), &[("reason", "superseded")]).await.leads_to(&format!("{path}?done=revoked"));
        assert_eq!(app.code(&second).await, "revoked");
        browser.get("/portal").await.shows(StatusCode::OK, "Revoked");
        let mut trail = app.audit_trail(path.rsplit('/').next().unwrap()).await;
        trail.retain(|action| !action.ends_with("retired_secret_used"));
        let expected = ["created", "updated", "rolled", "overlap_ended", "disabled", "enabled", "revoked"];
        assert_eq!(trail, expected.map(|change| format!("personal_access_token.{change}")));
    }

    async fn nobody_elses_token_is_there_nor_one_of_elsewhere(app: &TestApp) {
        let portal = Portal::of_acme(app).await;
        // Not even for who governs the organization in the console.
        portal.hold(&["organization-admin"], &[READ]).await;
        let (globex, _) = app.account("globex", &[]).await;
        let bob = app.user("bob@acme.test").await;
        for (organization, user) in [(&portal.organization, &bob), (&globex, &portal.alice)] {
            let path = format!("/v1/organizations/{organization}/members/{user}");
            app.root().put(&path, json!({ "roles": [] })).await.expect(StatusCode::CREATED);
        }
        let strange = [portal.token(&bob, &portal.organization).await, portal.token(&portal.alice, &globex).await];
        let own = portal.token(&portal.alice, &portal.organization).await;
        let browser = portal.entered().await;
        let list = browser.get("/portal").await;
        assert!(list.html.contains(&own.id) && strange.iter().all(|one| !list.html.contains(&one.id)), "{}", list.html);
        let garbage = ["x".to_owned(), "pat_01h455vb4pex5vsknk084sn02q".to_owned(), "key_01h455vb4pex5vsknk084sn02q".to_owned()];
        for id in strange.iter().map(|one| one.id.clone()).chain(garbage) {
            for page in ["", "/edit", "/roll", "/revoke"] {
                let page = browser.get(&format!("/portal/{id}{page}")).await;
                page.shows(StatusCode::NOT_FOUND, BACK);
                assert_eq!(ancestors(&page), ORIGINS);
            }
            for (action, more) in [
                ("edit", vec![("seen", "x"), ("name", "y"), ("life", "keep")]),
                ("roll", vec![("once", "00112233445566778899aabbccddeeff"), ("seen", "1"), ("overlap", "0")]),
                ("end-overlap", vec![]),
                ("disable", vec![]),
                ("enable", vec![]),
                ("revoke", vec![]),
            ] {
                let page = send(&browser, &format!("/portal/{id}/{action}"), &more).await;
                page.shows(StatusCode::NOT_FOUND, BACK);
            }
        }
        for one in &strange {
            assert_eq!(app.code(&one.token).await, "valid");
        }
        browser.get("/portal?after=x").await.shows(StatusCode::NOT_FOUND, BACK);
        // A form that says another organization makes a token of this one.
        let shown = browser.get("/portal/new?organization=globex").await;
        let made = make(&browser, &shown, "here", &[("permission", READ), ("organization", "globex")]).await;
        let here = secret(app, &made);
        assert_eq!(app.code(&here).await, "valid");
        portal.path_of("here").await;
        // Who made a token for her is told by what it is, and the trail is not opened.
        let page = browser.get(&format!("/portal/{}", own.id)).await;
        assert!(!page.html.contains("sa_") && !page.html.contains("History"), "{}", page.html);
    }

    async fn no_form_of_elsewhere_counts_and_its_refusal_stays_in_the_frame(app: &TestApp) {
        let portal = Portal::of_acme(app).await;
        let own = portal.token(&portal.alice, &portal.organization).await;
        let (browser, other) = (portal.entered().await, portal.entered().await);
        let theirs = other.get("/portal").await.field("csrf");
        let csrf = browser.get("/portal").await.field("csrf");
        assert_ne!(csrf, theirs);
        app.person("zoe@acme.test", Some(PASSWORD)).await;
        browser.sign_in("zoe@acme.test", PASSWORD).await.leads_to("/");
        let console = browser.get("/account/security").await.field("csrf");
        let path = format!("/portal/{}/revoke", own.id);
        for wrong in ["", "x", &theirs, &console] {
            let page = browser.post(&path, &[("csrf", wrong)]).await;
            page.shows(StatusCode::FORBIDDEN, BACK);
            assert_eq!(ancestors(&page), ORIGINS);
        }
        for origin in [APP, "https://evil.test", "null"] {
            let page = browser.send(Method::POST, &path, &[(ORIGIN.as_str(), origin)], Some(&[("csrf", csrf.as_str())])).await;
            page.shows(StatusCode::FORBIDDEN, BACK);
        }
        // Nor does the portal's token count in the console.
        let page = browser.post("/account/tokens/new", &[("csrf", &csrf)]).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN);
        assert_eq!(app.code(&own.token).await, "valid");
        let bare = browser.post("/portal/new", &[("csrf", csrf.as_str()), ("name", "x"), ("permission", READ), ("life", "30")]).await;
        bare.shows(StatusCode::FORBIDDEN, "Nothing was changed");
        assert_eq!(portal.count().await, 1);
        // With the console's session alone nobody is at a portal.
        let zoe = Browser::new(app);
        zoe.sign_in("zoe@acme.test", PASSWORD).await.leads_to("/");
        for path in ["/portal", "/portal/new", &format!("/portal/{}", own.id)] {
            let page = zoe.get(path).await;
            page.shows(StatusCode::GONE, "open it again");
            assert_eq!(ancestors(&page), "'none'");
        }
    }

    async fn every_page_is_framed_by_the_product_alone_and_runs_nothing(app: &TestApp) {
        let portal = Portal::of_acme(app).await;
        let own = portal.token(&portal.alice, &portal.organization).await;
        let browser = portal.entered().await;
        let path = format!("/portal/{}", own.id);
        for path in [
            "/portal".to_owned(),
            "/portal/new".to_owned(),
            path.clone(),
            format!("{path}/edit"),
            format!("{path}/roll"),
            format!("{path}/revoke"),
            "/portal/x".to_owned(),
        ] {
            let page = browser.get(&path).await;
            assert_eq!(ancestors(&page), ORIGINS, "{path}");
            assert_eq!((page.header("cache-control"), page.header("cross-origin-resource-policy")), ("no-store", "cross-origin"));
            assert!(!page.header("content-security-policy").contains("script-src"), "{path}");
            assert!(page.html.contains(BACK) && !page.html.contains("<script"), "{path}: {}", page.html);
            for elsewhere in ["/sign-out", "/account", "/language", "/organizations", "href=\"/\"", "Claviger</title>"] {
                assert!(!page.html.contains(elsewhere), "{elsewhere} in {path}: {}", page.html);
            }
        }
    }

    async fn what_lasts_wants_a_portal_that_was_opened_lately(app: &TestApp) {
        let portal = Portal::of_acme(app).await;
        let own = portal.token(&portal.alice, &portal.organization).await;
        let browser = portal.entered().await;
        let path = format!("/portal/{}", own.id);
        let (new, roll) = (browser.get("/portal/new").await, browser.get(&format!("{path}/roll")).await);
        assert!(!browser.get("/portal").await.html.contains("ten minutes ago"));
        app.clock.advance(SignedDuration::from_mins(11));
        browser.get("/portal").await.shows(StatusCode::OK, "ten minutes ago");
        for page in ["/portal/new".to_owned(), format!("{path}/edit"), format!("{path}/roll")] {
            let page = browser.get(&page).await;
            page.shows(StatusCode::FORBIDDEN, BACK);
            assert_eq!(ancestors(&page), ORIGINS);
        }
        make(&browser, &new, "late", &[("permission", READ)]).await.shows(StatusCode::FORBIDDEN, "open this page again");
        let (once, seen) = (roll.field("once"), roll.field("seen"));
        let fields = [("once", once.as_str()), ("seen", &seen), ("overlap", "0")];
        send(&browser, &format!("{path}/roll"), &fields).await.shows(StatusCode::FORBIDDEN, "Nothing was changed");
        send(&browser, &format!("{path}/disable"), &[]).await.shows(StatusCode::FORBIDDEN, BACK);
        assert_eq!((portal.count().await, app.code(&own.token).await.as_str()), (1, "valid"));
        // What ends something does not.
        send(&browser, &format!("{path}/revoke"), &[]).await.leads_to(&format!("{path}?done=revoked"));
        // In the middle of a form, the session ends: the page says where it goes on.
        app.clock.advance(SignedDuration::from_mins(30));
        for page in [make(&browser, &new, "later", &[("permission", READ)]).await, browser.get(&path).await] {
            page.shows(StatusCode::GONE, BACK);
            assert_eq!(ancestors(&page), ORIGINS);
            assert!(!page.html.contains("Alice"), "{}", page.html);
        }
        assert_eq!(portal.count().await, 1);
    }

    async fn a_name_is_text_there_too_and_a_list_goes_on(app: &TestApp) {
        let portal = Portal::of_acme(app).await;
        let browser = portal.entered().await;
        let evil = "\"><img src=x onerror=alert(1)></title>";
        let shown = browser.get("/portal/new").await;
        let made = make(&browser, &shown, evil, &[("permission", READ)]).await;
        secret(app, &made);
        let refused = make(&browser, &browser.get("/portal/new").await, evil, &[("permission", evil), ("objects", evil)]).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        let list = browser.get("/portal").await;
        let path = list.html.split("class=\"title\" href=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        let pages = [browser.get(&path).await, browser.get(&format!("{path}/revoke")).await];
        for page in pages.iter().chain([&made, &refused, &list]) {
            assert!(!page.html.contains("<img"), "{}", page.html);
        }
        for _ in 0..51 {
            portal.token(&portal.alice, &portal.organization).await;
        }
        let first = browser.get("/portal").await;
        assert_eq!(first.html.matches("class=\"title\"").count(), 50);
        let next = first.html.split("href=\"/portal?after=").nth(1).unwrap().split('"').next().unwrap();
        let second = browser.get(&format!("/portal?after={next}")).await;
        assert_eq!(second.html.matches("class=\"title\"").count(), 2);
        second.shows(StatusCode::OK, "First page");
    }

    async fn it_is_called_and_coloured_as_the_product_is(app: &TestApp) {
        let portal = Portal::of_acme(app).await;
        let browser = portal.entered().await;
        let plain = browser.get("/portal").await;
        assert!(plain.html.contains(">acme</strong>") && !plain.html.contains("/portal/theme/"), "{}", plain.html);
        let set = async |changes: serde_json::Value| app.root().patch(&portal.organization(), changes).await;
        set(json!({ "portal_color": "red" })).await.wrong("/portal_color", "invalid_color");
        set(json!({ "portal_name": "" })).await.wrong("/portal_name", "invalid_name");
        let look = json!({ "portal_name": "Cloud <b>", "portal_color": "#FFee00" });
        let shown = set(look).await.expect(StatusCode::OK);
        assert_eq!((&shown["portal_name"], &shown["portal_color"]), (&json!("Cloud <b>"), &json!("#ffee00")));
        let page = browser.get("/portal").await;
        for part in ["Cloud &#60;b&#62;</strong>", "Cloud &#60;b&#62;</title>", "Back to Cloud &#60;b&#62;"] {
            page.shows(StatusCode::OK, part);
        }
        let theme = page.html.split("href=\"").find(|part| part.starts_with("/portal/theme/ffee00.css?v=")).unwrap();
        // It needs no session, and says nothing of anybody.
        let theme = Browser::new(app).get(theme.split('"').next().unwrap()).await;
        theme.shows(StatusCode::OK, "--product: #ffee00;");
        assert_eq!((theme.header("content-type"), theme.header("set-cookie")), ("text/css; charset=utf-8", ""));
        assert_eq!(theme.header("cache-control"), "public, max-age=31536000, immutable");
        Browser::new(app).get("/portal/theme/red.css").await.shows(StatusCode::NOT_FOUND, "");
        // Where it is over it still looks like that, and an error does.
        browser.get("/portal/x").await.shows(StatusCode::NOT_FOUND, "/portal/theme/ffee00.css");
        app.clock.advance(SignedDuration::from_mins(31));
        browser.get("/portal").await.shows(StatusCode::GONE, "Back to Cloud &#60;b&#62;");
        set(json!({ "portal_name": null, "portal_color": null })).await.expect(StatusCode::OK);
        assert!(!browser.get("/portal").await.html.contains("Cloud"));
    }
}
