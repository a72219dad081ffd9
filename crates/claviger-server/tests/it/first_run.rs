//! The first minutes of an instance in a browser: from the link that `serve` prints to a key that counts.

use claviger_server::FirstRun;
use jiff::SignedDuration;
use reqwest::StatusCode;
use serde_json::json;

use crate::{
    app::{INVOICES, PUBLIC_URL, TestApp, text},
    browser::{Browser, PASSWORD, Page},
};

const ADMIN: &str = "admin@orders.test";
const AUDIENCE: &str = "https://api.orders.test";

/// The path of a link to the first administrator.
async fn link(app: &TestApp, printed: FirstRun) -> String {
    let link = app.app.first_run_link(printed).await.unwrap().expect("nobody administers the instance yet");
    link.expose().strip_prefix(PUBLIC_URL).unwrap().to_owned()
}

/// A browser that came by such a link.
async fn arrived(app: &TestApp, printed: FirstRun) -> Browser<'_> {
    let browser = Browser::new(app);
    browser.get(&link(app, printed).await).await.leads_to("/first-run");
    browser
}

fn person(email: &str) -> [(&str, &str); 4] {
    [("email", email), ("name", "Zoë <b>"), ("new", PASSWORD), ("again", PASSWORD)]
}

/// The first administrator's browser, whatever else is there already.
pub(crate) async fn administrator(app: &TestApp) -> Browser<'_> {
    let browser = arrived(app, FirstRun::Dev).await;
    browser.fill_in("/first-run", "/first-run", &person(ADMIN)).await.leads_to("/first-run/api");
    browser
}

async fn declare(browser: &Browser<'_>, identifier: &str, permissions: &str) -> Page {
    let fields = [("identifier", identifier), ("name", ""), ("permissions", permissions)];
    browser.fill_in("/first-run/api", "/first-run/api", &fields).await
}

/// Sends the form of the first key as the page `shown` has it.
async fn make(browser: &Browser<'_>, shown: &Page, more: &[(&str, &str)]) -> Page {
    let (csrf, once) = (shown.field("csrf"), shown.field("once"));
    let fields =
        [("csrf", csrf.as_str()), ("once", &once), ("account_name", "warehouse <i>"), ("resume", "/first-run/key")];
    let fields: Vec<(&str, &str)> = fields.into_iter().chain(more.iter().copied()).collect();
    browser.post("/first-run/key", &fields).await
}

fn secret(app: &TestApp, page: &Page) -> String {
    let shown = page.html.split("id=\"secret\"").nth(1).unwrap_or_else(|| panic!("no secret in {}", page.html));
    let shown = shown.split_once('>').unwrap().1.split('<').next().unwrap().to_owned();
    app.handed_out(&shown);
    shown
}

on_both_databases! {
    async fn somebody_sets_up_an_instance_and_gets_a_key_that_counts(app: &TestApp) {
        let admin = administrator(app).await;
        admin.get("/first-run").await.leads_to("/first-run/api");
        let page = admin.get("/first-run/api").await;
        page.shows(StatusCode::OK, "orders:read See orders");
        page.shows(StatusCode::OK, "aria-current=\"step\"");
        declare(&admin, AUDIENCE, "orders:read See <orders>\n\norders:write").await.leads_to("/first-run/key");
        admin.get("/first-run").await.leads_to("/first-run/key");

        let shown = admin.get("/first-run/key").await;
        shown.shows(StatusCode::OK, "value=\"orders:read\" checked");
        shown.shows(StatusCode::OK, "See &#60;orders&#62;");
        let new = [("organization", "new"), ("organization_name", "Globex <3"), ("permission", "orders:read")];
        let made = make(&admin, &shown, &new).await;
        made.shows(StatusCode::OK, "Your new API key");
        assert_eq!(made.header("cache-control"), "no-store");
        let token = secret(app, &made);
        let asked = json!({ "permissions": ["orders:read"], "audience": AUDIENCE });
        let verdict = app.verify(&token, asked).await;
        assert_eq!((&verdict["code"], &verdict["organization"]["slug"]), (&json!("valid"), &json!("globex-3")));
        assert_eq!(verdict["principal"]["name"], "warehouse <i>");
        // What it shows is the reader's own.
        for own in ["http://127.0.0.1:7421/v1/verify", "permission=orders:read", "audience: &#39;https://api.orders.test&#39;"] {
            made.shows(StatusCode::OK, own);
        }
        assert!(!made.html.contains("invoices:read"));
        // Sent again, it leads to what it made.
        let again = make(&admin, &shown, &new).await;
        assert!(again.location().starts_with("/organizations/globex-3/api-keys/key_"), "{}", again.location());
        assert!(again.location().ends_with("?done=once"), "{}", again.location());
        admin.get("/first-run").await.leads_to("/first-run/done");
        admin.get("/first-run/done").await.shows(StatusCode::OK, "permission=orders:read");
        admin.get("/first-run/key").await.shows(StatusCode::OK, "There is a key already: warehouse &#60;i&#62;");
    }

    async fn the_link_makes_one_administrator_and_is_no_use_afterwards(app: &TestApp) {
        let late = arrived(app, FirstRun::Untouched).await;
        let shown = late.get("/first-run").await;
        shown.shows(StatusCode::OK, "Set up Claviger");
        let link = link(app, FirstRun::Untouched).await;
        administrator(app).await;
        let csrf = shown.field("csrf");
        let fields: Vec<(&str, &str)> = person("late@orders.test").into_iter().chain([("csrf", csrf.as_str())]).collect();
        late.post("/first-run", &fields).await.leads_to("/sign-in?next=%2Ffirst-run");
        late.get("/first-run").await.leads_to("/sign-in?next=%2Ffirst-run");
        let other = Browser::new(app);
        other.get(&link).await.leads_to("/first-run");
        other.get("/first-run").await.leads_to("/sign-in?next=%2Ffirst-run");
        assert!(app.app.first_run_link(FirstRun::Untouched).await.unwrap().is_none());
        let users = app.root().get("/v1/users").await.expect(StatusCode::OK);
        assert_eq!(users["items"].as_array().unwrap().len(), 1, "{users}");
        // It is told as the operator's.
        let told = app.root().get("/v1/audit-events?action=instance.bootstrapped&limit=1").await.expect(StatusCode::OK);
        assert_eq!(told["items"][0]["details"]["administrator"], users["items"][0]["id"]);
        let signed_in = Browser::new(app);
        signed_in.sign_in(ADMIN, PASSWORD).await.leads_to("/");
        signed_in.get("/").await.leads_to("/organizations/default");
        signed_in.get("/organizations/default").await.shows(StatusCode::OK, "href=\"/settings\"");
    }

    async fn without_the_link_or_with_a_form_of_elsewhere_nobody_is_made(app: &TestApp) {
        let nobody = Browser::new(app);
        nobody.get("/first-run").await.shows(StatusCode::GONE, "Ask for a new one");
        nobody.get("/first-run?code=x").await.shows(StatusCode::GONE, "Ask for a new one");
        nobody.get(&format!("/first-run?code={}", "1f".repeat(20))).await.leads_to("/first-run");
        nobody.get("/first-run").await.shows(StatusCode::GONE, "Ask for a new one");
        let browser = arrived(app, FirstRun::Dev).await;
        browser.get("/first-run").await.shows(StatusCode::OK, "Set up Claviger");
        browser.post("/first-run", &person(ADMIN)).await.shows(StatusCode::FORBIDDEN, "Nothing was changed");
        let wrong = async |fields: &[(&str, &str)], text: &str| {
            let page = browser.fill_in("/first-run", "/first-run", fields).await;
            page.shows(StatusCode::UNPROCESSABLE_ENTITY, text);
        };
        wrong(&person("no address"), "This is no e-mail address").await;
        let long = "x".repeat(101);
        let all = [("email", "no address"), ("name", long.as_str()), ("new", "short"), ("again", "short")];
        for text in ["This is no e-mail address", "A name is 1 to 100 characters", "The new password is too short"] {
            wrong(&all, text).await;
        }
        let differs = [("email", ADMIN), ("new", PASSWORD), ("again", "plum")];
        wrong(&differs, "The two new passwords differ").await;
        let weak = [("email", ADMIN), ("new", "password1234"), ("again", "password1234")];
        wrong(&weak, "would be guessed quickly").await;
        wrong(&weak, "aria-describedby=\"rules\" aria-invalid=\"true\"").await;
        app.person("somebody@orders.test", None).await;
        wrong(&person("Somebody@orders.test"), "Somebody has this address here already").await;
        // After a day the link is over.
        app.clock.advance(SignedDuration::from_hours(24));
        browser.get("/first-run").await.shows(StatusCode::GONE, "Ask for a new one");
    }

    async fn the_link_of_an_instance_that_has_customers_by_now_makes_nobody(app: &TestApp) {
        let submit = async |browser: &Browser<'_>, shown: &Page| {
            let csrf = shown.field("csrf");
            let fields: Vec<(&str, &str)> = person(ADMIN).into_iter().chain([("csrf", csrf.as_str())]).collect();
            browser.post("/first-run", &fields).await
        };
        let browser = arrived(app, FirstRun::Untouched).await;
        let shown = browser.get("/first-run").await;
        shown.shows(StatusCode::OK, "Set up Claviger");
        let void = async || {
            browser.get("/first-run").await.shows(StatusCode::GONE, "Ask for a new one");
            submit(&browser, &shown).await.shows(StatusCode::GONE, "Ask for a new one");
            assert!(app.app.first_run_link(FirstRun::Untouched).await.unwrap().is_none());
        };
        let user = app.root().post("/v1/users", json!({ "email": "zoe@acme.test" })).await.expect(StatusCode::CREATED);
        void().await;
        app.root().delete(&format!("/v1/users/{}", text(&user["id"]))).await.expect(StatusCode::NO_CONTENT);
        browser.get("/first-run").await.shows(StatusCode::OK, "Set up Claviger");
        app.account("acme", &[]).await;
        void().await;
        // With `--dev`, the example is a customer too.
        let other = arrived(app, FirstRun::Dev).await;
        submit(&other, &other.get("/first-run").await).await.leads_to("/first-run/api");
    }

    async fn an_api_says_what_is_wrong_with_it_where_it_is_wrong(app: &TestApp) {
        let admin = administrator(app).await;
        app.declare_invoices().await;
        admin.get("/first-run/api").await.shows(StatusCode::OK, "Declared already");
        let wrong = async |identifier: &str, permissions: &str, text: &str| {
            declare(&admin, identifier, permissions).await.shows(StatusCode::UNPROCESSABLE_ENTITY, text);
        };
        wrong("orders", "orders:read", "This is not the address of an API").await;
        wrong(INVOICES, "orders:read", "An API with this address is declared already").await;
        wrong(AUDIENCE, "invoices:read", "Another API declares invoices:read already").await;
        wrong(AUDIENCE, "claviger:x:read", "belongs to Claviger itself").await;
        wrong(AUDIENCE, "orders:read\norders:read twice", "orders:read stands there twice").await;
        wrong(AUDIENCE, "<b>&", "&#60;b&#62;&#38; is not a permission").await;
        wrong(AUDIENCE, " \n ", "Name at least one permission").await;
        declare(&admin, AUDIENCE, "orders:read").await.leads_to("/first-run/key");
        let api = app.root().get("/v1/apis?q=orders").await.expect(StatusCode::OK);
        assert_eq!((&api["items"][0]["name"], &api["items"][0]["identifier"]), (&json!("api.orders.test"), &json!(AUDIENCE)));
    }

    async fn a_first_key_is_made_whole_or_not_at_all(app: &TestApp) {
        let admin = administrator(app).await;
        admin.get("/first-run/key").await.shows(StatusCode::OK, "none declares anything yet");
        app.declare_invoices().await;
        let shown = admin.get("/first-run/key").await;
        let home = text(&app.root().get("/v1/organizations?q=default").await.expect(StatusCode::OK)["items"][0]["id"]);
        shown.shows(StatusCode::OK, &format!("value=\"{home}\" selected"));
        let wrong = async |more: &[(&str, &str)], text: &str| {
            make(&admin, &shown, more).await.shows(StatusCode::UNPROCESSABLE_ENTITY, text);
        };
        let read = ("permission", "invoices:read");
        wrong(&[("organization", &home)], "Choose at least one permission").await;
        wrong(&[("organization", &home), ("permission", "orders:read")], "orders:read cannot be given").await;
        wrong(&[("organization", "new"), ("organization_name", " "), read], "A name is 1 to 100 characters").await;
        wrong(&[("organization", "new"), ("organization_name", "Default"), read], "with such a name is there already").await;
        wrong(&[("organization", "new"), ("organization_name", "Globex"), ("permission", "*x")], "cannot be given").await;
        // A name is not thrown away for an organization that is there.
        wrong(&[("organization", &home), ("organization_name", "Globex"), read], "id=\"organization-name-error\">A name counts only with").await;
        let found = app.root().get("/v1/organizations?q=globex").await.expect(StatusCode::OK);
        assert_eq!(found["items"], json!([]), "nothing stays behind");
        make(&admin, &shown, &[("organization", "x"), read]).await.shows(StatusCode::FORBIDDEN, "Nothing was changed");
        secret(app, &make(&admin, &shown, &[("organization", &home), read]).await);
        // Ten minutes later they prove who they are first, and what they typed comes along.
        app.clock.advance(SignedDuration::from_mins(11));
        admin.get("/first-run/key").await.leads_to("/sign-in/again?next=%2Ffirst-run%2Fkey");
        let late = make(&admin, &shown, &[("organization", &home), read]).await;
        assert!(late.location().contains("done=once") || late.location().starts_with("/sign-in/again"), "{}", late.location());
    }

    async fn what_is_asked_is_of_the_api_that_was_declared_last(app: &TestApp) {
        let admin = administrator(app).await;
        app.declare_invoices().await;
        let asks = async |audience: &str, permission: &str| {
            let shown = admin.get("/first-run/key").await;
            shown.shows(StatusCode::OK, &format!("value=\"{permission}\" checked"));
            assert_eq!(shown.html.matches(" checked").count(), 1, "{}", shown.html);
            let done = admin.get("/first-run/done").await;
            done.shows(StatusCode::OK, &format!("permission={permission}"));
            done.shows(StatusCode::OK, &format!("audience: &#39;{audience}&#39;"));
        };
        asks(INVOICES, "invoices:read").await;
        app.clock.advance(SignedDuration::from_secs(1));
        declare(&admin, AUDIENCE, "orders:write\norders:read").await.leads_to("/first-run/key");
        asks(AUDIENCE, "orders:read").await;
        app.clock.advance(SignedDuration::from_secs(1));
        declare(&admin, "https://push.test", "push:send").await.leads_to("/first-run/key");
        asks("https://push.test", "push:send").await;
        // Unless somebody comes for another one.
        let done = admin.get("/first-run/done?permission=invoices%3Awrite").await;
        done.shows(StatusCode::OK, "permission=invoices:write");
        done.shows(StatusCode::OK, &format!("audience: &#39;{INVOICES}&#39;"));
        // Where they make a token for themselves, they learn how far that reaches.
        admin.get("/account/tokens/new").await.shows(StatusCode::OK, "Some of what you may do reaches every organization");
        admin.get("/first-run/done?permission=%3Cb%3E").await.shows(StatusCode::OK, "permission=push:send");
    }

    async fn how_to_ask_is_found_again_from_keys_and_apis_by_who_sets_up_the_instance(app: &TestApp) {
        let admin = administrator(app).await;
        declare(&admin, AUDIENCE, "orders:read\norders:write").await.leads_to("/first-run/key");
        let (_, account) = app.account("acme", &["orders:write"]).await;
        let keys = "/organizations/acme/api-keys";
        let make = async |browser: &Browser<'_>, name: &str| {
            let fields =
                [("name", name), ("account", account.as_str()), ("life", "90"), ("permission", "orders:write")];
            let made = browser.act(&format!("{keys}/new"), &fields).await;
            secret(app, &made);
            made
        };
        let made = make(&admin, "theirs").await;
        for own in ["http://127.0.0.1:7421/v1/verify", "permission=orders:write", "audience: &#39;https://api.orders.test&#39;"] {
            made.shows(StatusCode::OK, own);
        }
        let found = app.root().get("/v1/api-keys?q=theirs").await.expect(StatusCode::OK);
        let key = format!("{keys}/{}", text(&found["items"][0]["id"]));
        let link = "href=\"/first-run/done?permission=orders%3Awrite\"";
        admin.get(&key).await.shows(StatusCode::OK, link);
        let api = text(&app.root().get("/v1/apis?q=orders").await.expect(StatusCode::OK)["items"][0]["id"]);
        let page = admin.get(&format!("/apis/{api}")).await;
        page.shows(StatusCode::OK, "href=\"/first-run/done?permission=orders%3Aread\"");
        page.shows(StatusCode::OK, &format!("claviger api update {api} --route \"GET /orders orders:read\""));
        // Where services ask is not told to a customer.
        let acme = text(&app.root().get("/v1/organizations?q=acme").await.expect(StatusCode::OK)["items"][0]["id"]);
        let (customer, _) = app.somebody(&acme, "zoe@acme.test", &["organization-admin"], &["orders:write"]).await;
        assert!(!customer.get("/account/tokens/new").await.html.contains("reaches every organization"));
        let made = make(&customer, "ours").await;
        made.shows(StatusCode::OK, "Your new API key");
        let page = customer.get(&key).await;
        page.shows(StatusCode::OK, "theirs");
        for page in [&made, &page] {
            assert!(!page.html.contains("7421") && !page.html.contains("/first-run"), "{}", page.html);
        }
    }

    async fn whoever_declares_apis_alone_sees_no_organizations_and_no_keys(app: &TestApp) {
        let admin = administrator(app).await;
        declare(&admin, AUDIENCE, "orders:read").await.leads_to("/first-run/key");
        let shown = admin.get("/first-run/key").await;
        let new = [("organization", "new"), ("organization_name", "Globex"), ("permission", "orders:read")];
        secret(app, &make(&admin, &shown, &new).await);
        let home = text(&app.root().get("/v1/organizations?q=default").await.expect(StatusCode::OK)["items"][0]["id"]);
        let somebody = async |name: &str, permissions: &[&str]| {
            let role = json!({ "name": name, "permissions": permissions });
            app.root().post("/v1/roles", role).await.expect(StatusCode::CREATED);
            let (browser, user) = app.somebody(&home, &format!("{name}@orders.test"), &[], &[]).await;
            app.give_everywhere(&home, &user, name).await;
            browser
        };
        let writer = somebody("writer", &["claviger:apis:write"]).await;
        for path in ["/first-run/api", "/first-run/key", "/first-run/done"] {
            assert_eq!(writer.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
        }
        let declarer = somebody("declarer", &["claviger:apis:read", "claviger:apis:write"]).await;
        declarer.get("/first-run").await.leads_to("/first-run/done");
        assert_eq!(declarer.get("/first-run/key").await.status, StatusCode::NOT_FOUND);
        let sent = declarer.act("/first-run/key", &[("organization", "new")]).await;
        assert_eq!(sent.status, StatusCode::NOT_FOUND);
        for path in ["/first-run/api", "/first-run/done"] {
            let page = declarer.get(path).await;
            page.shows(StatusCode::OK, "first-run");
            for hidden in ["Globex", "globex", "warehouse", "/first-run/key"] {
                assert!(!page.html.contains(hidden), "{path} {hidden}");
            }
        }
        declare(&declarer, "https://other.test", "other:read").await.leads_to("/first-run/done");
    }

    async fn an_api_is_declared_once_however_often_the_form_is_sent(app: &TestApp) {
        let admin = administrator(app).await;
        let shown = admin.get("/first-run/api").await;
        let (csrf, once) = (shown.field("csrf"), shown.field("once"));
        let fields = [("csrf", csrf.as_str()), ("once", &once), ("identifier", AUDIENCE), ("permissions", "orders:read")];
        for _ in 0..2 {
            admin.post("/first-run/api", &fields).await.leads_to("/first-run/key");
        }
        let other = [("csrf", csrf.as_str()), ("identifier", "https://other.test"), ("permissions", "other:read")];
        assert_eq!(admin.post("/first-run/api", &other).await.status, StatusCode::FORBIDDEN);
    }

    async fn nobody_else_sets_up_an_instance(app: &TestApp) {
        let (organization, _) = app.account("acme", &[]).await;
        let user = app.person("zoe@acme.test", Some(PASSWORD)).await;
        let path = format!("/v1/organizations/{organization}/members/{user}");
        let body = json!({ "roles": ["organization-admin"], "permissions": [] });
        assert!(app.root().put(&path, body).await.status.is_success());
        let zoe = Browser::new(app);
        zoe.sign_in("zoe@acme.test", PASSWORD).await.leads_to("/");
        let csrf = zoe.get("/account/security").await.field("csrf");
        for path in ["/first-run/api", "/first-run/key", "/first-run/done"] {
            assert_eq!(zoe.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
            Browser::new(app).get(path).await.leads_to(&format!("/sign-in?next={}", path.replace('/', "%2F")));
        }
        for path in ["/first-run/api", "/first-run/key"] {
            let sent = zoe.post(path, &[("csrf", &csrf), ("once", &"0".repeat(32))]).await;
            assert_eq!(sent.status, StatusCode::NOT_FOUND, "{path}");
        }
        assert!(!zoe.get("/organizations/acme").await.html.contains("/first-run"));
        let admin = administrator(app).await;
        zoe.get("/first-run").await.shows(StatusCode::NOT_FOUND, "no such page");
        for path in ["/first-run/api", "/first-run/key"] {
            assert_eq!(admin.post(path, &[]).await.status, StatusCode::FORBIDDEN, "{path} without a token");
        }
        // Who may is shown the way where there is no key yet.
        admin.get("/organizations/acme").await.shows(StatusCode::OK, "href=\"/first-run\"");
    }
}
