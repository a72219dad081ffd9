//! The pages of API keys and of one's own tokens in a browser: who sees what, what a form makes, and how often.

use jiff::SignedDuration;
use reqwest::{StatusCode, header::ORIGIN};
use serde_json::json;

use crate::{
    app::{PUBLIC_URL, SOON, TestApp, text, within},
    browser::{Browser, PASSWORD, Page},
};

const READ: &str = "invoices:read";
const WRITE: &str = "invoices:write";
const KEYS: &str = "/organizations/acme/api-keys";

/// Acme, with a service account.
struct Acme<'a> {
    app: &'a TestApp,
    id: String,
    account: String,
}

impl<'a> Acme<'a> {
    async fn new(app: &'a TestApp) -> Self {
        app.declare_invoices().await;
        let (id, account) = app.account("acme", &[READ, WRITE]).await;
        Self { app, id, account }
    }

    /// Somebody with these roles and permissions here, who is signed in.
    async fn somebody(&self, email: &str, roles: &[&str], permissions: &[&str]) -> Browser<'a> {
        let user = self.app.person(email, Some(PASSWORD)).await;
        let path = format!("/v1/organizations/{}/members/{user}", self.id);
        let body = json!({ "roles": roles, "permissions": permissions });
        let status = self.app.root().put(&path, body).await.status;
        assert!(status.is_success(), "{status}");
        let browser = Browser::new(self.app);
        browser.sign_in(email, PASSWORD).await.leads_to("/");
        browser
    }

    async fn admin(&self) -> Browser<'a> {
        self.somebody("admin@acme.test", &["organization-admin"], &[READ]).await
    }

    fn new_path(&self) -> String {
        format!("{KEYS}/new?account={}", self.account)
    }

    /// Sends the form of a new key as the page `shown` has it.
    async fn make(&self, browser: &Browser<'_>, shown: &Page, name: &str, more: &[(&str, &str)]) -> Page {
        let (csrf, once) = (shown.field("csrf"), shown.field("once"));
        let account = if more.iter().any(|(name, _)| *name == "account") { "" } else { self.account.as_str() };
        let mut fields = vec![("csrf", csrf.as_str()), ("once", &once), ("name", name), ("life", "90")];
        fields.extend(more.iter().copied());
        if !account.is_empty() {
            fields.push(("account", account));
        }
        fields.push(("resume", "/organizations/acme/api-keys/new"));
        browser.post(&format!("{KEYS}/new"), &fields).await
    }
}

/// The secret that a page shows.
fn secret(app: &TestApp, page: &Page) -> String {
    let shown = page.html.split("id=\"secret\"").nth(1).unwrap_or_else(|| panic!("no secret in {}", page.html));
    let shown = shown.split_once('>').unwrap().1.split('<').next().unwrap().to_owned();
    app.handed_out(&shown);
    shown
}

/// Sends a form that a page of one credential has.
async fn act(browser: &Browser<'_>, path: &str, action: &str, more: &[(&str, &str)]) -> Page {
    let csrf = browser.get("/account/security").await.field("csrf");
    let fields: Vec<(&str, &str)> = more.iter().copied().chain([("csrf", csrf.as_str())]).collect();
    browser.post(&format!("{path}/{action}"), &fields).await
}

/// The path of the only key called so.
async fn path_of(app: &TestApp, name: &str) -> String {
    let found = app.root().get(&format!("/v1/api-keys?q={name}")).await.expect(StatusCode::OK);
    assert_eq!(found["items"].as_array().unwrap().len(), 1, "{found}");
    format!("{KEYS}/{}", text(&found["items"][0]["id"]))
}

on_both_databases! {
    async fn the_start_leads_to_an_organization_and_its_pages_to_each_other(app: &TestApp) {
        let acme = Acme::new(app).await;
        let admin = acme.admin().await;
        admin.get("/").await.leads_to("/organizations/acme");
        let page = admin.get("/organizations/acme").await;
        page.shows(StatusCode::OK, "href=\"/organizations/acme/api-keys\"");
        let by_id = admin.get(&format!("/organizations/{}", acme.id)).await;
        by_id.shows(StatusCode::OK, "<h1>acme</h1>");
        admin.get("/organizations").await.shows(StatusCode::OK, "href=\"/organizations/acme\"");
        admin.get(KEYS).await.shows(StatusCode::OK, "No API keys yet");
        Browser::new(app).get(KEYS).await.leads_to("/sign-in?next=%2Forganizations%2Facme%2Fapi-keys");
    }

    async fn a_form_makes_one_key_and_shows_its_secret_once(app: &TestApp) {
        let acme = Acme::new(app).await;
        let admin = acme.admin().await;
        let shown = admin.get(&acme.new_path()).await;
        shown.shows(StatusCode::OK, "value=\"invoices:read\"");
        let made = acme.make(&admin, &shown, "ci", &[("permission", READ)]).await;
        made.shows(StatusCode::OK, "Your new API key");
        assert_eq!(made.header("cache-control"), "no-store");
        let token = secret(app, &made);
        assert_eq!(app.code(&token).await, "valid");
        let path = path_of(app, "ci").await;
        // The same form again leads to what it made, whatever it says now.
        let again = acme.make(&admin, &shown, "other", &[("permission", READ)]).await;
        again.leads_to(&format!("{path}?done=once"));
        let page = admin.get(again.location()).await;
        page.shows(StatusCode::OK, "This form was sent before");
        assert!(!page.html.contains(&token));
        assert_eq!(app.audit_trail(path.rsplit('/').next().unwrap()).await, ["api_key.created"]);
        // Two clicks at once make one key as well.
        let shown = admin.get(&acme.new_path()).await;
        let twice = tokio::join!(
            acme.make(&admin, &shown, "twice", &[("permission", READ)]),
            acme.make(&admin, &shown, "twice", &[("permission", READ)])
        );
        let made = [&twice.0, &twice.1].into_iter().filter(|page| page.status == StatusCode::OK);
        for page in made {
            secret(app, page);
        }
        path_of(app, "twice").await;
        // A form without its mark is none of ours.
        let csrf = shown.field("csrf");
        let bare = admin.post(&format!("{KEYS}/new"), &[("csrf", &csrf), ("name", "x"), ("account", &acme.account)]).await;
        bare.shows(StatusCode::FORBIDDEN, "Nothing was changed");
    }

    async fn a_service_account_is_made_on_the_way_with_what_its_key_may_do(app: &TestApp) {
        let acme = Acme::new(app).await;
        let admin = acme.admin().await;
        let shown = admin.get(&format!("{KEYS}/new?account=new")).await;
        let new = [("account", "new"), ("account_name", "Warehouse"), ("permission", READ)];
        let made = acme.make(&admin, &shown, "export", &new).await;
        let token = secret(app, &made);
        assert_eq!(app.code(&token).await, "valid");
        let found = app.root().get("/v1/service-accounts?q=warehouse").await.expect(StatusCode::OK);
        let account = app.root().get(&format!("/v1/service-accounts/{}", text(&found["items"][0]["id"]))).await;
        assert_eq!(account.expect(StatusCode::OK)["permissions"], json!([READ]));
        // If the key is refused, no account stays behind.
        let shown = admin.get(&format!("{KEYS}/new?account=new")).await;
        let wrong = [("account", "new"), ("account_name", "Ghost"), ("permission", READ), ("objects", "no object")];
        acme.make(&admin, &shown, "x", &wrong).await.shows(StatusCode::UNPROCESSABLE_ENTITY, "no is not an object");
        let found = app.root().get("/v1/service-accounts?q=ghost").await.expect(StatusCode::OK);
        assert_eq!(found["items"], json!([]));
        let nameless = [("account", "new"), ("account_name", " "), ("permission", READ)];
        let refused = acme.make(&admin, &shown, "x", &nameless).await;
        refused.shows(StatusCode::UNPROCESSABLE_ENTITY, "id=\"account-error\"");
    }

    async fn all_that_is_wrong_with_a_form_is_told_at_once_and_before_its_fields(app: &TestApp) {
        let acme = Acme::new(app).await;
        let admin = acme.admin().await;
        let shown = admin.get(&format!("{KEYS}/new?account=new")).await;
        let past = [("account", "new"), ("account_name", "x"), ("life", "date"), ("until", "2001-01-01"), ("rate", "many")];
        let (csrf, once) = (shown.field("csrf"), shown.field("once"));
        let fields: Vec<(&str, &str)> =
            [("csrf", csrf.as_str()), ("once", &once), ("name", "x")].into_iter().chain(past).collect();
        let page = admin.post(&format!("{KEYS}/new"), &fields).await;
        for text in ["Choose at least one permission", "The last day is in the past", "A limit is a whole number"] {
            page.shows(StatusCode::UNPROCESSABLE_ENTITY, text);
        }
        let (told, form) = (page.html.find("role=\"alert\"").unwrap(), page.html.find("/api-keys/new\" class=\"long\"").unwrap());
        assert!(told < form, "{}", page.html);
    }

    async fn of_what_was_revoked_nothing_looks_alive(app: &TestApp) {
        let acme = Acme::new(app).await;
        let ends = (app.app.now() + SignedDuration::from_hours(90 * 24)).to_string();
        let key = app.key(&acme.account, &[READ], json!({ "expires_at": ends })).await;
        let (admin, path) = (acme.admin().await, format!("{KEYS}/{}", key.id));
        app.verify(&key.token, json!({ "client_ip": "203.0.113.9" })).await;
        within(SOON, "the page says from where it was used last", async || {
            admin.get(&format!("{path}/revoke")).await.html.contains("</time> · from 203.0.113.9")
        }).await;
        let roll = admin.get(&format!("{path}/roll")).await;
        let rolled = act(&admin, &path, "roll", &[("once", &roll.field("once")), ("seen", "1"), ("overlap", "3600")]).await;
        rolled.shows(StatusCode::OK, "Your new secret");
        secret(app, &rolled);
        let alive = admin.get(&path).await;
        for text in [">Current<", ">Still works<", "in 90 days"] {
            alive.shows(StatusCode::OK, text);
        }
        act(&admin, &path, "revoke", &[("reason", "unspecified")]).await.leads_to(&format!("{path}?done=revoked"));
        let over = admin.get(&path).await;
        over.shows(StatusCode::OK, "Revoked for good · <time");
        over.shows(StatusCode::OK, "</time> · No reason given");
        assert_eq!(over.html.matches(">Ended with the key<").count(), 2, "{}", over.html);
        for page in [&over, &admin.get(&format!("{KEYS}?state=revoked")).await] {
            for text in [">Current<", ">Still works<", "in 90 days", "in 1 hour"] {
                assert!(!page.html.contains(text), "{text} in {}", page.html);
            }
        }
    }

    async fn of_what_expired_before_it_was_revoked_that_is_told(app: &TestApp) {
        let acme = Acme::new(app).await;
        let ends = (app.app.now() + SignedDuration::from_secs(3)).to_string();
        let key = app.key(&acme.account, &[READ], json!({ "expires_at": ends })).await;
        tokio::time::sleep(std::time::Duration::from_millis(3100)).await;
        let (admin, path) = (acme.admin().await, format!("{KEYS}/{}", key.id));
        act(&admin, &path, "revoke", &[("reason", "unspecified")]).await.leads_to(&format!("{path}?done=revoked"));
        admin.get(&path).await.shows(StatusCode::OK, "<th scope=\"row\">Ends</th>");
    }

    async fn nobody_gives_more_than_they_hold_by_a_form(app: &TestApp) {
        let acme = Acme::new(app).await;
        let rights = ["claviger:api_keys:read", "claviger:api_keys:write", "claviger:service_accounts:read", READ];
        let maker = acme.somebody("maker@acme.test", &[], &rights).await;
        let shown = maker.get(&acme.new_path()).await;
        assert!(!shown.html.contains("value=\"invoices:write\"") && !shown.html.contains("value=\"*\""));
        for permission in [WRITE, "*"] {
            let refused = acme.make(&maker, &shown, "x", &[("permission", permission)]).await;
            refused.shows(StatusCode::UNPROCESSABLE_ENTITY, "You may not give this");
        }
        let nothing = acme.make(&maker, &shown, "x", &[]).await;
        nothing.shows(StatusCode::UNPROCESSABLE_ENTITY, "Choose at least one permission");
        let undeclared = acme.make(&maker, &shown, "x", &[("permission", "<b>:x")]).await;
        undeclared.shows(StatusCode::UNPROCESSABLE_ENTITY, "&#60;b&#62;:x cannot be given");
        // Nor do they make a service account, for which they lack the right.
        maker.get(&format!("{KEYS}/new?account=new")).await.shows(StatusCode::NOT_FOUND, "no such page");
        secret(app, &acme.make(&maker, &shown, "x", &[("permission", READ)]).await);
        // Of an account that reaches all of the instance, somebody who governs one organization gets no key.
        let root = app.account_in(&acme.id, &[]).await;
        let given = json!({ "principal_id": root, "organization_id": acme.id, "role": "instance-admin", "scope": "instance" });
        app.root().post("/v1/assignments", given).await.expect(StatusCode::CREATED);
        let admin = acme.admin().await;
        let shown = admin.get(&format!("{KEYS}/new?account={root}")).await;
        let fields = [("account", root.as_str()), ("permission", "claviger:api_keys:read")];
        acme.make(&admin, &shown, "y", &fields).await.shows(StatusCode::UNPROCESSABLE_ENTITY, "You may not give this");
        // Nor does what has one already let them have it.
        let theirs = app.key(&root, &[], json!({ "name": "theirs" })).await;
        let path = format!("{KEYS}/{}", theirs.id);
        let once = admin.get(&format!("{path}/roll")).await.field("once");
        let rolled = act(&admin, &path, "roll", &[("once", &once), ("seen", "1"), ("overlap", "0")]).await;
        rolled.shows(StatusCode::FORBIDDEN, "This is not yours to do");
        act(&admin, &path, "disable", &[]).await.shows(StatusCode::FORBIDDEN, "This is not yours to do");
        act(&admin, &path, "revoke", &[]).await.shows(StatusCode::FORBIDDEN, "This is not yours to do");
        assert_eq!(app.code(&theirs.token).await, "valid");
        let looked_at = admin.get(&path).await;
        for action in ["roll", "revoke", "disable", "edit"] {
            assert!(!looked_at.html.contains(&format!("{path}/{action}")), "{action}");
        }
        // Who manages keys and holds less than one does not hand it out; they learn so before they stop it.
        let wider = app.key(&acme.account, &[READ, WRITE], json!({ "name": "wider" })).await;
        let path = format!("{KEYS}/{}", wider.id);
        let looked_at = maker.get(&path).await;
        looked_at.shows(StatusCode::OK, "so you can disable it and not enable it again");
        assert!(looked_at.html.contains(&format!("{path}/disable")) && !looked_at.html.contains(&format!("{path}/roll")));
        act(&maker, &path, "disable", &[]).await.leads_to(&format!("{path}?done=disabled"));
        assert!(!maker.get(&path).await.html.contains(&format!("{path}/enable")));
        // What it has stays on the form, though they could not give it.
        maker.get(&format!("{path}/edit")).await.shows(StatusCode::OK, "value=\"invoices:write\" checked");
        let narrow = app.key(&acme.account, &[READ], json!({ "name": "narrow" })).await;
        let form = maker.get(&format!("{KEYS}/{}/edit", narrow.id)).await;
        form.shows(StatusCode::OK, "value=\"invoices:read\" checked");
        assert!(!form.html.contains("value=\"invoices:write\"") && !form.html.contains("value=\"*\""));
    }

    async fn each_page_is_for_who_may_do_the_same_over_the_api(app: &TestApp) {
        let acme = Acme::new(app).await;
        let key = app.key(&acme.account, &[READ], json!({ "name": "theirs" })).await;
        app.account("globex", &[]).await;
        let member = acme.somebody("member@acme.test", &["member"], &[]).await;
        let auditor = acme.somebody("auditor@acme.test", &["auditor"], &[]).await;
        let admin = acme.admin().await;
        let stranger = Acme { app, id: text(&app.root().get("/v1/organizations?q=globex").await.expect(StatusCode::OK)["items"][0]["id"]), account: String::new() };
        let stranger = stranger.somebody("eve@globex.test", &["organization-admin"], &[]).await;
        let path = format!("{KEYS}/{}", key.id);
        // Page, and whether member, auditor, admin and stranger see it.
        let pages = [
            ("/organizations/acme".to_owned(), [true, true, true, false]),
            (KEYS.to_owned(), [false, true, true, false]),
            (format!("{KEYS}/new"), [false, false, true, false]),
            (path.clone(), [false, true, true, false]),
            (format!("{path}/edit"), [false, false, true, false]),
            (format!("{path}/roll"), [false, false, true, false]),
            (format!("{path}/revoke"), [false, false, true, false]),
            (format!("/organizations/globex/api-keys/{}", key.id), [false; 4]),
            ("/account/tokens".to_owned(), [true; 4]),
            (format!("/account/tokens/{}", key.id), [false; 4]),
            ("/organizations/none".to_owned(), [false; 4]),
        ];
        for (page, seen) in &pages {
            for (browser, seen) in [&member, &auditor, &admin, &stranger].into_iter().zip(seen) {
                let status = browser.get(page).await.status;
                assert_eq!(status, if *seen { StatusCode::OK } else { StatusCode::NOT_FOUND }, "{page}");
            }
        }
        for action in ["edit", "roll", "end-overlap", "disable", "enable", "revoke"] {
            for browser in [&member, &auditor, &stranger] {
                let answer = act(browser, &path, action, &[("once", &"0".repeat(32)), ("overlap", "0")]).await;
                assert_eq!(answer.status, StatusCode::NOT_FOUND, "{action}");
            }
            let bare = admin.post(&format!("{path}/{action}"), &[]).await;
            assert_eq!(bare.status, StatusCode::FORBIDDEN, "{action} without a token");
        }
        assert_eq!(app.code(&key.token).await, "valid");
        // Who only looks is offered nothing to do.
        let looked_at = auditor.get(&path).await;
        looked_at.shows(StatusCode::OK, "theirs");
        for action in ["roll", "revoke", "disable", "edit"] {
            assert!(!looked_at.html.contains(&format!("{path}/{action}")), "{action}");
        }
    }

    async fn a_key_is_rolled_stopped_and_ended_by_its_pages(app: &TestApp) {
        let acme = Acme::new(app).await;
        let key = app.key(&acme.account, &[READ], json!({})).await;
        let (admin, path) = (acme.admin().await, format!("{KEYS}/{}", key.id));
        let once = admin.get(&format!("{path}/roll")).await.field("once");
        let rolled = act(&admin, &path, "roll", &[("once", &once), ("seen", "1"), ("overlap", "3600")]).await;
        let second = secret(app, &rolled);
        assert_eq!((app.code(&key.token).await, app.code(&second).await), ("valid".to_owned(), "valid".to_owned()));
        act(&admin, &path, "roll", &[("once", &once), ("overlap", "3600")]).await.leads_to(&format!("{path}?done=once"));
        admin.get(&path).await.shows(StatusCode::OK, "The old secret still works");
        admin.get(&format!("{KEYS}?state=rolling")).await.shows(StatusCode::OK, &path);
        act(&admin, &path, "end-overlap", &[]).await.leads_to(&format!("{path}?done=overlap"));
        assert_eq!((app.code(&key.token).await, app.code(&second).await), ("revoked".to_owned(), "valid".to_owned()));
        act(&admin, &path, "end-overlap", &[]).await.leads_to(&path);
        // An address alone says nothing was done.
        assert!(!admin.get(&format!("{path}?done=revoked")).await.html.contains("It is refused here at once"));
        act(&admin, &path, "disable", &[]).await.leads_to(&format!("{path}?done=disabled"));
        assert_eq!(app.code(&second).await, "disabled");
        act(&admin, &path, "enable", &[]).await.leads_to(&format!("{path}?done=enabled"));
        act(&admin, &path, "revoke", &[("reason", "compromised")]).await.leads_to(&format!("{path}?done=revoked"));
        admin.get(&path).await.shows(StatusCode::OK, "Somebody else may have it");
        act(&admin, &path, "revoke", &[("reason", "unused")]).await.leads_to(&path);
        assert_eq!(app.code(&second).await, "revoked");
        // That the old secret was used after its end is told behind, whenever that is.
        let mut trail = app.audit_trail(&key.id).await;
        trail.retain(|action| action != "api_key.retired_secret_used");
        let expected = ["created", "rolled", "overlap_ended", "disabled", "enabled", "revoked"];
        assert_eq!(trail, expected.map(|change| format!("api_key.{change}")));
    }

    async fn of_two_who_edit_a_key_the_later_sees_what_the_other_did(app: &TestApp) {
        let acme = Acme::new(app).await;
        let key = app.key(&acme.account, &[READ], json!({})).await;
        let (admin, path) = (acme.admin().await, format!("{KEYS}/{}", key.id));
        let shown = admin.get(&format!("{path}/edit")).await;
        shown.shows(StatusCode::OK, "value=\"invoices:read\" checked");
        let seen = shown.field("seen");
        let save = async |seen: &str, name: &str| {
            let fields = [("seen", seen), ("name", name), ("permission", READ), ("life", "keep")];
            act(&admin, &path, "edit", &fields).await
        };
        save(&seen, "first").await.leads_to(&format!("{path}?done=saved"));
        let late = save(&seen, "second").await;
        late.shows(StatusCode::UNPROCESSABLE_ENTITY, "Somebody else changed it meanwhile");
        late.shows(StatusCode::UNPROCESSABLE_ENTITY, "value=\"second\"");
        save(&late.field("seen"), "second").await.leads_to(&format!("{path}?done=saved"));
        let changed = app.root().get(&format!("/v1/api-keys/{}", key.id)).await.expect(StatusCode::OK);
        assert_eq!((&changed["name"], &changed["permissions"]), (&json!("second"), &json!([READ])));
        // What the other narrowed stands beside the form before it could be undone.
        let shown = admin.get(&format!("{path}/edit")).await;
        let narrower = json!({ "allowed_networks": ["192.0.2.0/24"] });
        app.root().patch(&format!("/v1/api-keys/{}", key.id), narrower).await.expect(StatusCode::OK);
        let late = save(&shown.field("seen"), "third").await;
        late.shows(StatusCode::UNPROCESSABLE_ENTITY, "It is now: 192.0.2.0/24");
        late.shows(StatusCode::UNPROCESSABLE_ENTITY, "It is now: second");
        late.shows(StatusCode::UNPROCESSABLE_ENTITY, "<details class=\"section\" open>");
    }

    async fn of_two_who_roll_a_key_the_later_is_asked_again(app: &TestApp) {
        let acme = Acme::new(app).await;
        let key = app.key(&acme.account, &[READ], json!({})).await;
        let (admin, path) = (acme.admin().await, format!("{KEYS}/{}", key.id));
        let (one, other) = (admin.get(&format!("{path}/roll")).await, admin.get(&format!("{path}/roll")).await);
        let roll = async |shown: &Page| {
            let (once, seen) = (shown.field("once"), shown.field("seen"));
            act(&admin, &path, "roll", &[("once", &once), ("seen", &seen), ("overlap", "86400")]).await
        };
        let second = secret(app, &roll(&one).await);
        let late = roll(&other).await;
        late.shows(StatusCode::UNPROCESSABLE_ENTITY, "Somebody else made a new secret meanwhile");
        late.shows(StatusCode::UNPROCESSABLE_ENTITY, "An older secret still works. It ends now.");
        assert_eq!((app.code(&key.token).await, app.code(&second).await), ("valid".to_owned(), "valid".to_owned()));
        // Whoever means it does it.
        let third = secret(app, &roll(&late).await);
        assert_eq!((app.code(&second).await, app.code(&third).await), ("valid".to_owned(), "valid".to_owned()));
    }

    async fn what_a_form_did_not_show_it_does_not_take_away(app: &TestApp) {
        let acme = Acme::new(app).await;
        let empty = app.account_in(&acme.id, &[]).await;
        let key = app.key(&empty, &["*"], json!({ "name": "all" })).await;
        let (admin, path) = (acme.admin().await, format!("{KEYS}/{}", key.id));
        // Though its account holds nothing, the form shows what the key has.
        let save = async |more: &[(&str, &str)]| {
            let shown = admin.get(&format!("{path}/edit")).await;
            shown.shows(StatusCode::OK, "value=\"*\" checked");
            let seen = shown.field("seen");
            let fields = [("seen", seen.as_str()), ("name", "renamed"), ("life", "keep")];
            let fields: Vec<_> = fields.iter().chain(more).copied().collect();
            act(&admin, &path, "edit", &fields).await.leads_to(&format!("{path}?done=saved"));
            app.root().get(&format!("/v1/api-keys/{}", key.id)).await.expect(StatusCode::OK)["permissions"].clone()
        };
        assert_eq!(save(&[]).await, json!(["*"]));
        assert_eq!(save(&[("picker", "shown"), ("permission", "*")]).await, json!(["*"]));
        assert_eq!(save(&[("picker", "shown")]).await, json!([]));
    }

    async fn an_address_that_somebody_else_made_fills_in_nothing(app: &TestApp) {
        let acme = Acme::new(app).await;
        let limits = json!({ "allowed_networks": ["192.0.2.0/24"], "name": "limited" });
        let key = app.key(&acme.account, &[READ], limits).await;
        let (admin, path) = (acme.admin().await, format!("{KEYS}/{}", key.id));
        let made_up = "life=keep&name=net&permission=invoices:write&seen=x&mark=00";
        let shown = admin.get(&format!("{path}/edit?{made_up}")).await;
        for part in ["value=\"limited\"", ">192.0.2.0/24</textarea>", "value=\"invoices:read\" checked"] {
            shown.shows(StatusCode::OK, part);
        }
        assert!(!shown.html.contains("value=\"net\""));
        let shown = admin.get(&format!("{}&{made_up}", acme.new_path())).await;
        assert!(!shown.html.contains("value=\"net\"") && !shown.html.contains("invoices:write\" checked"));
    }

    async fn a_form_that_was_taken_up_again_still_tells_what_changed(app: &TestApp) {
        let acme = Acme::new(app).await;
        let key = app.key(&acme.account, &[READ], json!({})).await;
        let (admin, path) = (acme.admin().await, format!("{KEYS}/{}", key.id));
        let (page, edit) = (admin.get(&format!("{path}/edit")).await, format!("{path}/edit"));
        let seen = page.field("seen");
        app.clock.advance(SignedDuration::from_mins(11));
        let fields = [("seen", seen.as_str()), ("name", "mine"), ("permission", READ), ("life", "keep"), ("resume", edit.as_str())];
        let late = act(&admin, &path, "edit", &fields).await;
        let narrower = json!({ "allowed_networks": ["192.0.2.0/24"] });
        app.root().patch(&format!("/v1/api-keys/{}", key.id), narrower).await.expect(StatusCode::OK);
        let next = late.location().split_once("?next=").unwrap().1;
        let next: String = url::form_urlencoded::parse(format!("next={next}").as_bytes()).next().unwrap().1.into_owned();
        let fields = [("password", PASSWORD), ("next", &next)];
        admin.fill_in("/sign-in/again", "/sign-in/again", &fields).await.leads_to(&next);
        let again = admin.get(&next).await;
        again.shows(StatusCode::OK, "value=\"mine\"");
        assert_eq!(again.field("seen"), seen);
        let fields = [("seen", seen.as_str()), ("name", "mine"), ("permission", READ), ("life", "keep")];
        let told = act(&admin, &path, "edit", &fields).await;
        told.shows(StatusCode::UNPROCESSABLE_ENTITY, "It is now: 192.0.2.0/24");
        // Of what is too long for an address, the name stays, and no permission goes.
        app.clock.advance(SignedDuration::from_mins(11));
        let objects = "base:app7 ".repeat(300);
        let fields = [("seen", seen.as_str()), ("name", "long"), ("life", "keep"), ("objects", &objects), ("resume", &edit)];
        let late = act(&admin, &path, "edit", &fields).await;
        let next = late.location().split_once("?next=").unwrap().1;
        let next: String = url::form_urlencoded::parse(format!("next={next}").as_bytes()).next().unwrap().1.into_owned();
        let fields = [("password", PASSWORD), ("next", &next)];
        admin.fill_in("/sign-in/again", "/sign-in/again", &fields).await.leads_to(&next);
        let again = admin.get(&next).await;
        for part in ["too long to keep", "value=\"long\"", "value=\"invoices:read\" checked", ">192.0.2.0/24</textarea>"] {
            again.shows(StatusCode::UNPROCESSABLE_ENTITY, part);
        }
    }

    async fn what_was_typed_is_there_again_after_signing_in(app: &TestApp) {
        let acme = Acme::new(app).await;
        let admin = acme.admin().await;
        let shown = admin.get(&acme.new_path()).await;
        // Too long ago.
        app.clock.advance(SignedDuration::from_mins(11));
        let late = acme.make(&admin, &shown, "a & b", &[("permission", READ), ("objects", "base:app7")]).await;
        assert_eq!(late.status, StatusCode::SEE_OTHER);
        let (page, next) = late.location().split_once("?next=").unwrap();
        assert_eq!(page, "/sign-in/again");
        let next: String = url::form_urlencoded::parse(format!("next={next}").as_bytes()).next().unwrap().1.into_owned();
        let fields = [("password", PASSWORD), ("next", &next)];
        admin.fill_in("/sign-in/again", "/sign-in/again", &fields).await.leads_to(&next);
        let again = admin.get(&next).await;
        for part in ["value=\"a &#38; b\"", "value=\"invoices:read\" checked", ">base:app7</textarea>"] {
            again.shows(StatusCode::OK, part);
        }
        // Signed out in another window: the same by way of the sign-in.
        let gone = Browser::new(app);
        let csrf = gone.get("/sign-in").await.field("csrf");
        let sent = [("csrf", csrf.as_str()), ("name", "kept"), ("resume", "/organizations/acme/api-keys/new"), ("account", "new")];
        let sent = gone.send(reqwest::Method::POST, &format!("{KEYS}/new"), &[(ORIGIN.as_str(), PUBLIC_URL)], Some(&sent)).await;
        assert!(sent.location().starts_with("/sign-in?next=%2Forganizations%2Facme%2Fapi-keys%2Fnew%3Fname%3Dkept"), "{}", sent.location());
    }

    async fn a_list_goes_on_where_its_page_ends(app: &TestApp) {
        let acme = Acme::new(app).await;
        for number in 0..53 {
            app.key(&acme.account, &[READ], json!({ "name": format!("key {number:02}") })).await;
        }
        let admin = acme.admin().await;
        for order in ["", "oldest", "name", "end"] {
            let first = admin.get(&format!("{KEYS}?order={order}")).await;
            assert_eq!(first.html.matches("class=\"title\"").count(), 50);
            let next = first.html.split("after=").nth(1).unwrap().split('"').next().unwrap();
            let second = admin.get(&format!("{KEYS}?order={order}&after={next}")).await;
            assert_eq!(second.html.matches("class=\"title\"").count(), 3, "{order}");
            second.shows(StatusCode::OK, "First page");
        }
        for odd in ["after=x", "after=key_01h455vb4pex5vsknk084sn02q&order=name", "q=%00", "q=%25%27", "state=x&order=y&account=z"] {
            let page = admin.get(&format!("{KEYS}?{odd}")).await;
            assert!([StatusCode::OK, StatusCode::NOT_FOUND].contains(&page.status), "{odd}: {}", page.status);
        }
        admin.get(&format!("{KEYS}?q=key%2007")).await.shows(StatusCode::OK, "key 07");
    }

    async fn a_token_of_ones_own_is_made_renewed_and_ended(app: &TestApp) {
        let acme = Acme::new(app).await;
        let zoe = acme.somebody("zoe@acme.test", &["member"], &[READ]).await;
        let shown = zoe.get("/account/tokens/new").await;
        shown.shows(StatusCode::OK, "value=\"invoices:read\"");
        assert!(!shown.html.contains("value=\"invoices:write\""));
        let send = async |permission: &str, shown: &Page| {
            let once = shown.field("once");
            let fields = [("once", once.as_str()), ("organization", "acme"), ("name", "laptop"), ("permission", permission), ("life", "30")];
            act(&zoe, "/account/tokens", "new", &fields).await
        };
        send(WRITE, &shown).await.shows(StatusCode::UNPROCESSABLE_ENTITY, "invoices:write cannot be given");
        let token = secret(app, &send(READ, &shown).await);
        assert_eq!(app.code(&token).await, "valid");
        let list = zoe.get("/account/tokens").await;
        list.shows(StatusCode::OK, "laptop");
        let id = list.html.split("/account/tokens/pat_").nth(1).unwrap().split('"').next().unwrap();
        let path = format!("/account/tokens/pat_{id}");
        let seen = zoe.get(&format!("{path}/edit")).await.field("seen");
        let fields = [("seen", seen.as_str()), ("name", "laptop"), ("permission", READ), ("life", "90")];
        act(&zoe, &path, "edit", &fields).await.leads_to(&format!("{path}?done=saved"));
        let admin = acme.admin().await;
        admin.get(&path).await.shows(StatusCode::NOT_FOUND, "no such page");
        act(&zoe, &path, "revoke", &[]).await.leads_to(&format!("{path}?done=revoked"));
        assert_eq!(app.code(&token).await, "revoked");
    }

    async fn the_overview_tells_what_wants_to_be_looked_at(app: &TestApp) {
        let acme = Acme::new(app).await;
        let admin = acme.admin().await;
        admin.get("/organizations/acme").await.shows(StatusCode::OK, "Nothing needs attention");
        let soon = app.app.now() + SignedDuration::from_hours(48);
        app.key(&acme.account, &[READ], json!({ "expires_at": soon })).await;
        app.key(&acme.account, &[READ], json!({})).await;
        let page = admin.get("/organizations/acme").await;
        for part in ["2 API keys work", "One key ends within 14 days", "One key never ends", "state=endless"] {
            page.shows(StatusCode::OK, part);
        }
        let member = acme.somebody("member@acme.test", &["member"], &[]).await;
        let theirs = member.get("/organizations/acme").await;
        assert!(!theirs.html.contains("API key") && !theirs.html.contains("No key ends soon"));
    }
}
