//! The pages of organizations, their rules and the instance's APIs in a browser.

use jiff::SignedDuration;
use reqwest::StatusCode;
use serde_json::json;

use crate::{
    app::{TestApp, text},
    browser::{Browser, PASSWORD, Page},
};

const READ: &str = "invoices:read";
const WRITE: &str = "invoices:write";
const SETTINGS: &str = "/organizations/acme/settings";
const POLICY: &str = "/organizations/acme/policy";

/// Somebody who administers the instance, from the organization that may use everything.
async fn root(app: &TestApp) -> Browser<'_> {
    let found = app.root().get("/v1/organizations?q=default").await.expect(StatusCode::OK);
    let home = text(&found["items"][0]["id"]);
    let (root, user) = app.somebody(&home, "root@claviger.test", &[], &[]).await;
    app.give_everywhere(&home, &user, "instance-admin").await;
    root
}

/// Saves the rules as the page `shown` has them, with these instead.
async fn save(browser: &Browser<'_>, shown: &Page, more: &[(&str, &str)]) -> Page {
    let seen = shown.field("seen");
    let unchanged = [("pat_max_lifetime_days", "366"), ("pat_default_lifetime_days", "90"), ("wildcard_allowed", "on")];
    let unchanged = unchanged.into_iter().filter(|(name, _)| !more.iter().any(|(other, _)| other == name));
    let fields: Vec<_> = [("seen", seen.as_str())].into_iter().chain(unchanged).chain(more.iter().copied()).collect();
    browser.act(&format!("{POLICY}/edit"), &fields).await
}

on_both_databases! {
    async fn an_api_is_declared_changed_and_deleted_by_its_pages(app: &TestApp) {
        let root = root(app).await;
        root.get("/apis").await.shows(StatusCode::OK, "Claviger");
        let make = async |identifier: &str, permissions: &str| {
            let fields = [
                ("name", "Invoices <b>"), ("identifier", identifier), ("permissions", permissions), ("life", "300"),
                ("format", "jwt"), ("algorithm", "ES256"),
            ];
            root.act("/apis/new", &fields).await
        };
        root.get("/apis/new").await.shows(StatusCode::OK, "New API");
        make("x", READ).await.shows(StatusCode::UNPROCESSABLE_ENTITY, "This is no identifier");
        make("https://api.acme.test", "\"x\" y").await.shows(StatusCode::UNPROCESSABLE_ENTITY, "is no permission");
        let reserved = make("https://api.acme.test", "claviger:x").await;
        reserved.shows(StatusCode::UNPROCESSABLE_ENTITY, "own API");
        let made = make("https://api.acme.test", "invoices:read Read <i>them</i>\r\ninvoices:write").await;
        let path = made.location().trim_end_matches("?done=made").to_owned();
        let page = root.get(&path).await;
        for part in ["Invoices &#60;b&#62;", "Read &#60;i&#62;them&#60;/i&#62;", "5 minutes", "ES256", "claviger api import"] {
            page.shows(StatusCode::OK, part);
        }
        make("https://api.acme.test", "other:read").await.shows(StatusCode::UNPROCESSABLE_ENTITY, "has this identifier");
        make("https://other.test", READ).await.shows(StatusCode::UNPROCESSABLE_ENTITY, "declares one of these already");
        // Changed; the later of two is told.
        let seen = root.get(&format!("{path}/edit")).await.field("seen");
        let save = async |name: &str, origins: &str| {
            let fields = [
                ("seen", seen.as_str()), ("name", name), ("life", "300"), ("format", "opaque"), ("algorithm", "ES256"),
                ("origins", origins), ("basic", "on"),
            ];
            root.act(&format!("{path}/edit"), &fields).await
        };
        save("Invoices", "https://a.test/x").await.shows(StatusCode::UNPROCESSABLE_ENTITY, "is no origin");
        save("Invoices", "https://a.test\r\nhttps://b.test").await.leads_to(&format!("{path}?done=saved"));
        save("Other", "").await.shows(StatusCode::UNPROCESSABLE_ENTITY, "It is now: Invoices");
        let id = path.rsplit('/').next().unwrap().to_owned();
        let api = app.root().get(&format!("/v1/apis/{id}")).await.expect(StatusCode::OK);
        assert_eq!(api["origins"], json!(["https://a.test", "https://b.test"]));
        assert_eq!((&api["accept_basic"], &api["access_token_format"]), (&json!(true), &json!("opaque")));
        assert_eq!(app.audit_trail(&id).await, ["api.created", "api.updated"]);
        root.get(&format!("{path}/delete")).await.shows(StatusCode::OK, "<code>invoices:read</code>");
        root.act(&format!("{path}/delete"), &[]).await.leads_to("/apis?done=deleted");
        root.get(&path).await.shows(StatusCode::NOT_FOUND, "no such page");
        // Claviger's own stays as it is.
        let own = app.root().get("/v1/apis?q=Claviger").await.expect(StatusCode::OK);
        let own = format!("/apis/{}", text(&own["items"][0]["id"]));
        root.get(&own).await.shows(StatusCode::OK, "It changes only with Claviger’s version");
        root.get(&format!("{own}/edit")).await.shows(StatusCode::NOT_FOUND, "no such page");
        root.act(&format!("{own}/delete"), &[]).await.shows(StatusCode::NOT_FOUND, "no such page");
    }

    async fn a_permission_is_declared_described_and_retired_once_it_is_known_who_loses_it(app: &TestApp) {
        let api = app.declare_invoices().await;
        let (root, path) = (root(app).await, format!("/apis/{}", text(&api["id"])));
        let (acme, account) = app.account("acme", &[READ]).await;
        let key = app.key(&account, &[READ], json!({})).await;
        let body = json!({ "organization_id": acme, "name": "reader", "permissions": [READ] });
        app.root().post("/v1/roles", body).await.expect(StatusCode::CREATED);
        let declare = async |name: &str| {
            root.act(&format!("{path}/permissions/new"), &[("name", name), ("description", "Delete <b>")]).await
        };
        root.get(&format!("{path}/permissions/new")).await.shows(StatusCode::OK, "Declare a permission");
        declare("a b").await.shows(StatusCode::UNPROCESSABLE_ENTITY, "is no permission");
        declare(READ).await.shows(StatusCode::UNPROCESSABLE_ENTITY, "It is declared already");
        declare("invoices:delete").await.leads_to(&format!("{path}?done=saved"));
        root.get(&path).await.shows(StatusCode::OK, "Delete &#60;b&#62;");
        let edit = format!("{path}/permissions/edit");
        let shown = root.get(&format!("{edit}?name=invoices%3Adelete")).await;
        shown.shows(StatusCode::OK, "value=\"Delete &#60;b&#62;\"");
        let seen = shown.field("seen");
        let fields = [("seen", seen.as_str()), ("name", "invoices:delete"), ("description", "Remove")];
        root.act(&edit, &fields).await.leads_to(&format!("{path}?done=saved"));
        let late = [("seen", seen.as_str()), ("name", "invoices:delete"), ("description", "Erase")];
        root.act(&edit, &late).await.shows(StatusCode::UNPROCESSABLE_ENTITY, "It is now: Remove");
        root.get(&format!("{edit}?name=none")).await.shows(StatusCode::NOT_FOUND, "no such page");
        // A rule that asks for it is in the way.
        let rules = json!({ "route_rules": [{ "methods": ["GET"], "path": "/invoices", "permissions": [READ] }] });
        app.root().patch(&format!("/v1{path}"), rules).await.expect(StatusCode::OK);
        let retire = format!("{path}/permissions/retire");
        let asked = root.get(&format!("{retire}?name=invoices%3Aread")).await;
        for part in ["<code>GET /invoices</code>", "<code>reader</code>", "One key or token names it"] {
            asked.shows(StatusCode::OK, part);
        }
        root.act(&retire, &[("name", READ)]).await.shows(StatusCode::OK, "cannot be retired yet");
        assert_eq!(app.permissions(&key.token).await, [READ]);
        app.root().patch(&format!("/v1{path}"), json!({ "route_rules": [] })).await.expect(StatusCode::OK);
        root.act(&retire, &[("name", READ)]).await.leads_to(&format!("{path}?done=deleted"));
        assert!(app.permissions(&key.token).await.is_empty());
        root.act(&retire, &[("name", READ)]).await.shows(StatusCode::NOT_FOUND, "no such page");
    }

    async fn an_organization_is_made_renamed_stopped_and_ended(app: &TestApp) {
        let root = root(app).await;
        root.get("/organizations").await.shows(StatusCode::OK, "href=\"/organizations/-/new\"");
        let make = async |name: &str, slug: &str| root.act("/organizations/-/new", &[("name", name), ("slug", slug)]).await;
        root.get("/organizations/-/new").await.shows(StatusCode::OK, "New organization");
        make("", "").await.shows(StatusCode::UNPROCESSABLE_ENTITY, "1 to 100 characters");
        make("Acme", "A b").await.shows(StatusCode::UNPROCESSABLE_ENTITY, "A handle is 1 to 63");
        make("Acme <b>", "acme").await.leads_to("/organizations/acme/settings?done=made");
        make("Other", "acme").await.shows(StatusCode::UNPROCESSABLE_ENTITY, "has this handle already");
        root.get(SETTINGS).await.shows(StatusCode::OK, "Acme &#60;b&#62;");
        let found = app.root().get("/v1/organizations?q=acme").await.expect(StatusCode::OK);
        let id = text(&found["items"][0]["id"]);
        app.declare_invoices().await;
        let account = app.account_in(&id, &[READ]).await;
        let key = app.key(&account, &[READ], json!({})).await;
        // Who governs it renames it, and sees nothing of what is the instance's.
        let (admin, _) = app.somebody(&id, "admin@acme.test", &["organization-admin"], &[]).await;
        let shown = admin.get(&format!("{SETTINGS}/edit")).await;
        assert!(!shown.html.contains("name=\"slug\"") && !shown.html.contains("name=\"ceiling\""));
        let seen = shown.field("seen");
        let fields = [("seen", seen.as_str()), ("name", "Acme"), ("origins", "https://app.acme.test"), ("slug", "stolen")];
        admin.act(&format!("{SETTINGS}/edit"), &fields).await.leads_to(&format!("{SETTINGS}?done=saved"));
        admin.get(SETTINGS).await.shows(StatusCode::OK, "https://app.acme.test");
        // What was typed before counts no more.
        let late = admin.act(&format!("{SETTINGS}/edit"), &[("seen", &seen), ("name", "Late")]).await;
        late.shows(StatusCode::UNPROCESSABLE_ENTITY, "It is now: Acme");
        for page in ["disable", "delete"] {
            admin.get(&format!("{SETTINGS}/{page}")).await.shows(StatusCode::NOT_FOUND, "no such page");
            admin.act(&format!("{SETTINGS}/{page}"), &[]).await.shows(StatusCode::NOT_FOUND, "no such page");
        }
        let seen = root.get(&format!("{SETTINGS}/edit")).await.field("seen");
        let fields = [("seen", seen.as_str()), ("name", "Acme"), ("slug", "acme2"), ("ceiling", "none:x")];
        let wrong = root.act(&format!("{SETTINGS}/edit"), &fields).await;
        wrong.shows(StatusCode::UNPROCESSABLE_ENTITY, "No API declares none:x");
        let fields = [("seen", seen.as_str()), ("name", "Acme"), ("slug", "acme2"), ("ceiling", "*")];
        root.act(&format!("{SETTINGS}/edit"), &fields).await.leads_to("/organizations/acme2/settings?done=saved");
        let settings = "/organizations/acme2/settings";
        root.get(&format!("{settings}/disable")).await.shows(StatusCode::OK, "One key or token stops working");
        root.act(&format!("{settings}/disable"), &[]).await.leads_to(&format!("{settings}?done=disabled"));
        assert_eq!(app.code(&key.token).await, "disabled");
        root.get(settings).await.shows(StatusCode::OK, "Nothing in it works for now");
        root.act(&format!("{settings}/enable"), &[]).await.leads_to(&format!("{settings}?done=enabled"));
        assert_eq!(app.code(&key.token).await, "valid");
        root.get(&format!("{settings}/delete")).await.shows(StatusCode::OK, "One key or token is revoked for good");
        root.act(&format!("{settings}/delete"), &[]).await.leads_to("/organizations?done=deleted");
        root.get(settings).await.shows(StatusCode::NOT_FOUND, "no such page");
        assert_ne!(app.code(&key.token).await, "valid");
        let expected = ["created", "updated", "updated", "disabled", "enabled", "deleted"];
        assert_eq!(app.audit_trail(&id).await, expected.map(|change| format!("organization.{change}")));
    }

    async fn a_portal_is_named_and_coloured_by_its_settings(app: &TestApp) {
        let (acme, _) = app.account("acme", &[]).await;
        let (admin, _) = app.somebody(&acme, "admin@acme.test", &["organization-admin"], &[]).await;
        admin.get(SETTINGS).await.shows(StatusCode::OK, "the organization’s");
        let shown = admin.get(&format!("{SETTINGS}/edit")).await;
        shown.shows(StatusCode::OK, "fill=\"none\"");
        let seen = shown.field("seen");
        let save = async |seen: &str, name: &str, color: &str| {
            let fields = [("seen", seen), ("name", "acme"), ("portal_name", name), ("portal_color", color)];
            admin.act(&format!("{SETTINGS}/edit"), &fields).await
        };
        let wrong = save(&seen, &"x".repeat(101), "url(//evil.test)").await;
        for part in ["id=\"portal_name-error\"", "A colour is # and six hexadecimal digits", "value=\"url(//evil.test)\"", "fill=\"none\""] {
            wrong.shows(StatusCode::UNPROCESSABLE_ENTITY, part);
        }
        // What can be told is shown, though something else is wrong.
        save(&seen, &"x".repeat(101), "#FFee00").await.shows(StatusCode::UNPROCESSABLE_ENTITY, "fill=\"#ffee00\"");
        save(&seen, "Cloud <b>", "#FFee00").await.leads_to(&format!("{SETTINGS}?done=saved"));
        let path = format!("/v1/organizations/{acme}");
        let stands = app.root().get(&path).await.expect(StatusCode::OK);
        assert_eq!((&stands["portal_name"], &stands["portal_color"]), (&json!("Cloud <b>"), &json!("#ffee00")));
        for page in [SETTINGS.to_owned(), format!("{SETTINGS}/edit")] {
            let page = admin.get(&page).await;
            page.shows(StatusCode::OK, "Cloud &#60;b&#62;");
            page.shows(StatusCode::OK, "fill=\"#ffee00\"");
        }
        let late = save(&seen, "Cloud", "#000000").await;
        late.shows(StatusCode::UNPROCESSABLE_ENTITY, "It is now: #ffee00");
        save(&late.field("seen"), "", "").await.leads_to(&format!("{SETTINGS}?done=saved"));
        let stands = app.root().get(&path).await.expect(StatusCode::OK);
        assert_eq!((&stands["portal_name"], &stands["portal_color"]), (&json!(null), &json!(null)));
    }

    async fn stricter_rules_tell_what_they_touch_before_they_count(app: &TestApp) {
        app.declare_invoices().await;
        let (acme, account) = app.account("acme", &[READ, WRITE]).await;
        let key = app.key(&account, &["*"], json!({ "name": "follows <b>" })).await;
        let (admin, _) = app.somebody(&acme, "admin@acme.test", &["organization-admin"], &[]).await;
        admin.get(POLICY).await.shows(StatusCode::OK, "Longest life of a personal access token");
        let shown = admin.get(&format!("{POLICY}/edit")).await;
        shown.shows(StatusCode::OK, "name=\"kind\" value=\"api_key\" checked");
        // What touches nothing is saved at once.
        save(&admin, &shown, &[("approval_required", "on")]).await.leads_to(&format!("{POLICY}?done=saved"));
        let policy = format!("/v1/organizations/{acme}/policy");
        let stands = app.root().get(&policy).await.expect(StatusCode::OK);
        assert_eq!((&stands["approval_required"], &stands["allowed_kinds"]), (&json!(true), &json!(null)));
        let shown = admin.get(&format!("{POLICY}/edit")).await;
        for (name, value, told) in [
            ("pat_max_lifetime_days", "x", "is a whole number"),
            ("pat_max_lifetime_days", "0", "is a whole number"),
            ("pat_default_lifetime_days", "367", "longer than the longest life"),
            ("allowed_networks", "10.0.0.0/8 <i>", "&#60;i&#62; is not a network"),
        ] {
            save(&admin, &shown, &[(name, value)]).await.shows(StatusCode::UNPROCESSABLE_ENTITY, told);
        }
        let stricter = [("approval_required", "on"), ("wildcard_allowed", ""), ("api_key_max_lifetime_days", "30")];
        let asked = save(&admin, &shown, &stricter).await;
        for part in ["Make the rules stricter?", "one ends sooner", "no longer follows its owner", "follows &#60;b&#62;"] {
            asked.shows(StatusCode::OK, part);
        }
        assert_eq!(app.permissions(&key.token).await, [READ, WRITE]);
        let confirmed = asked.field("confirmed");
        let done = [&stricter[..], &[("confirmed", confirmed.as_str())]].concat();
        save(&admin, &shown, &done).await.leads_to(&format!("{POLICY}?done=saved"));
        assert!(app.permissions(&key.token).await.is_empty());
        let cut = app.root().get(&format!("/v1/api-keys/{}", key.id)).await.expect(StatusCode::OK);
        assert!(cut["expires_at"].is_string(), "{cut}");
        // Of two who change them, the later is told.
        let late = save(&admin, &shown, &[("expiry_required", "on")]).await;
        late.shows(StatusCode::UNPROCESSABLE_ENTITY, "Somebody else changed it meanwhile");
        late.shows(StatusCode::UNPROCESSABLE_ENTITY, "It is now: 30");
        // Kinds that are left out are refused for as long as the rule stands.
        let shown = admin.get(&format!("{POLICY}/edit")).await;
        let kinds = [
            ("approval_required", "on"), ("wildcard_allowed", ""), ("api_key_max_lifetime_days", "30"), ("shown", "kind"),
            ("kind", "personal_access_token"),
        ];
        let asked = save(&admin, &shown, &kinds).await;
        asked.shows(StatusCode::OK, "one is refused for as long as the rule stands");
        let confirmed = asked.field("confirmed");
        let done = [&kinds[..], &[("confirmed", confirmed.as_str())]].concat();
        save(&admin, &shown, &done).await.leads_to(&format!("{POLICY}?done=saved"));
        assert_eq!(app.code(&key.token).await, "disabled");
        admin.get(POLICY).await.shows(StatusCode::OK, "<strong>Personal access tokens</strong>");
    }

    async fn what_takes_away_wants_a_fresh_sign_in_wherever_it_stands(app: &TestApp) {
        let api = text(&app.declare_invoices().await["id"]);
        let (acme, account) = app.account("acme", &[]).await;
        let root = root(app).await;
        let (_, bob) = app.somebody(&acme, "bob@acme.test", &["member"], &[READ]).await;
        let made = async |path: &str, body: serde_json::Value| {
            text(&app.root().post(path, body).await.expect(StatusCode::CREATED)["id"])
        };
        let role = made("/v1/roles", json!({ "name": "reader", "organization_id": acme, "permissions": [READ] })).await;
        let fleet = made("/v1/fleets", json!({ "name": "meters", "organization_id": acme, "permissions": [READ] })).await;
        let token = json!({ "organization_id": acme, "user_id": bob, "name": "ci", "permissions": [READ] });
        let token = made("/v1/personal-access-tokens", token).await;
        let at = "/organizations/acme";
        // The page that asks, what its form carries, and what is still there afterwards.
        let pages = [
            (format!("/apis/{api}/permissions/retire?name=invoices%3Awrite"), vec![("name", WRITE)], format!("/v1/apis/{api}")),
            (format!("/apis/{api}/delete"), vec![], format!("/v1/apis/{api}")),
            (format!("{at}/roles/{role}/delete"), vec![], format!("/v1/roles/{role}")),
            (format!("{at}/tokens/revoke?q=ci"), vec![("q", "ci"), ("expected", "1"), ("count", "1")], format!("/v1/personal-access-tokens/{token}")),
            (format!("{at}/members/{bob}/remove"), vec![], format!("/v1/organizations/{acme}/members/{bob}")),
            (format!("{at}/service-accounts/{account}/delete"), vec![], format!("/v1/service-accounts/{account}")),
            (format!("{at}/fleets/{fleet}/revoke"), vec![], format!("/v1/fleets/{fleet}")),
            (format!("{at}/fleets/{fleet}/delete"), vec![], format!("/v1/fleets/{fleet}")),
            (format!("{SETTINGS}/delete"), vec![], format!("/v1/organizations/{acme}")),
        ];
        for (page, _, _) in &pages {
            assert_eq!(root.get(page).await.status, StatusCode::OK, "{page}");
        }
        let before = async |thing: &str| app.root().get(thing).await.expect(StatusCode::OK);
        let mut all = Vec::new();
        for (_, _, thing) in &pages {
            all.push(before(thing).await);
        }
        app.clock.advance(SignedDuration::from_mins(11));
        // What looks like a token does not travel there, and without it the question would be about more.
        let named = format!("{at}/tokens/revoke?q=ci_release_pipeline_of_the_staging_cluster_in_europe&state=active");
        root.get(&named).await.leads_to(&format!("/sign-in/again?next={}", at.replace('/', "%2F") + "%2Ftokens"));
        let counted_at = app.app.now().to_string();
        for ((page, fields, thing), known) in pages.iter().zip(&all) {
            assert!(root.get(page).await.location().starts_with("/sign-in/again?next="), "{page}");
            let fields: Vec<_> = fields.iter().copied().chain([("at", counted_at.as_str())]).collect();
            let sent = root.act(page.split('?').next().unwrap(), &fields).await;
            // They come back to the question that they answered.
            let question: String = url::form_urlencoded::byte_serialize(page.as_bytes()).collect();
            sent.leads_to(&format!("/sign-in/again?next={question}"));
            assert_eq!(before(thing).await, *known, "{page}");
        }
        // Who proved it goes on.
        let again = [("password", PASSWORD), ("next", pages[0].0.as_str())];
        root.fill_in("/sign-in/again", "/sign-in/again", &again).await.leads_to(&pages[0].0);
        for (page, fields, _) in &pages {
            root.get(page).await.shows(StatusCode::OK, "<form");
            let fields: Vec<_> = fields.iter().copied().chain([("at", counted_at.as_str())]).collect();
            let sent = root.act(page.split('?').next().unwrap(), &fields).await;
            assert!([StatusCode::SEE_OTHER, StatusCode::OK].contains(&sent.status) && !sent.location().contains("sign-in"), "{page}: {}", sent.html);
        }
        app.root().get(&format!("/v1/organizations/{acme}")).await.problem(StatusCode::NOT_FOUND, "not_found");
    }

    async fn a_form_makes_one_thing_however_often_it_is_sent(app: &TestApp) {
        let api = text(&app.declare_invoices().await["id"]);
        app.account("acme", &[]).await;
        let root = root(app).await;
        type Field = (&'static str, &'static str);
        let forms: [(&str, String, Vec<Field>); 5] = [
            ("/apis/new", "/apis/api_".to_owned(), vec![("name", "Orders"), ("identifier", "https://orders.test"), ("permissions", "orders:read"), ("life", "300")]),
            (&format!("/apis/{api}/permissions/new"), format!("/apis/{api}"), vec![("name", "invoices:delete")]),
            ("/organizations/-/new", "/organizations/globex/settings".to_owned(), vec![("name", "Globex")]),
            ("/organizations/acme/roles/new", "/organizations/acme/roles/role_".to_owned(), vec![("name", "own"), ("permission", READ)]),
            ("/organizations/acme/roles/new?for=instance", "/organizations/acme/roles/role_".to_owned(), vec![("for", "instance"), ("name", "all"), ("permission", READ)]),
        ];
        for (page, leads_to, fields) in &forms {
            let shown = root.get(page).await;
            let (csrf, once) = (shown.field("csrf"), shown.field("once"));
            let action = page.split('?').next().unwrap();
            let of_page = [("csrf", csrf.as_str()), ("once", once.as_str())];
            let fields: Vec<(&str, &str)> = fields.iter().copied().chain(of_page).collect();
            // Twice at once, and once more: all are led to the one that was made.
            let (one, other) = tokio::join!(root.post(action, &fields), root.post(action, &fields));
            let again = root.post(action, &fields).await;
            let there = again.location().strip_suffix("?done=once").unwrap_or_else(|| panic!("{page}: {}", again.html));
            assert!(there.starts_with(leads_to.as_str()), "{page}: {there}");
            for sent in [&one, &other] {
                assert_eq!(sent.location().split('?').next(), Some(there), "{page}: {} {}", sent.status, sent.html);
            }
            root.get(again.location()).await.shows(StatusCode::OK, "so nothing more was made");
            // Nothing is made by a form that is none of ours.
            let bare: Vec<_> = fields.iter().copied().filter(|(name, _)| *name != "once").collect();
            assert_eq!(root.post(action, &bare).await.status, StatusCode::FORBIDDEN, "{page}");
        }
        for (path, most) in [("/v1/organizations?q=globex", 1), ("/v1/apis?q=orders", 1), ("/v1/roles?q=own", 1)] {
            let found = app.root().get(path).await.expect(StatusCode::OK);
            assert_eq!(found["items"].as_array().unwrap().len(), most, "{path}");
        }
    }

    async fn what_was_done_is_told_once_and_by_no_link(app: &TestApp) {
        let api = text(&app.declare_invoices().await["id"]);
        app.account("acme", &[]).await;
        let root = root(app).await;
        let lists = ["/apis", "/organizations", "/organizations/acme/roles", "/organizations/acme/members", "/account/security", SETTINGS, POLICY, "/settings"];
        let claims = [("deleted", "Deleted."), ("removed", "Removed."), ("saved", "Saved."), ("changed", "Done."), ("rotated", "signs in ten minutes")];
        for page in lists {
            for (done, text) in claims {
                let shown = root.get(&format!("{page}?done={done}")).await;
                assert!(shown.status == StatusCode::OK && !shown.html.contains(&format!("role=\"status\">{text}")), "{page} {done}");
                assert!(!shown.html.contains(">Deleted.<"), "{page} {done}");
            }
        }
        root.act(&format!("/apis/{api}/delete"), &[]).await.leads_to("/apis?done=deleted");
        // Neither another page nor another claim.
        let elsewhere = Browser::new(app);
        elsewhere.cookies.lock().unwrap().clone_from(&root.cookies.lock().unwrap());
        assert!(!elsewhere.get("/organizations?done=deleted").await.html.contains("Deleted."));
        assert!(!root.get("/apis?done=removed").await.html.contains("Removed."));
        root.act("/language", &[]).await;
        assert!(!root.get("/apis?done=deleted").await.html.contains("Deleted."), "the page before took it");
        let api = text(&app.declare_invoices().await["id"]);
        root.act(&format!("/apis/{api}/delete"), &[]).await.leads_to("/apis?done=deleted");
        root.get("/apis?done=deleted").await.shows(StatusCode::OK, "Deleted.");
        assert!(!root.get("/apis?done=deleted").await.html.contains("Deleted."), "a second time");
    }

    async fn each_page_of_organizations_and_apis_is_for_who_may_do_the_same_over_the_api(app: &TestApp) {
        let api = app.declare_invoices().await;
        let path = format!("/apis/{}", text(&api["id"]));
        let (acme, _) = app.account("acme", &[]).await;
        let (globex, _) = app.account("globex", &[]).await;
        let (member, _) = app.somebody(&acme, "bob@acme.test", &["member"], &[]).await;
        let (admin, _) = app.somebody(&acme, "admin@acme.test", &["organization-admin"], &[]).await;
        let (stranger, _) = app.somebody(&globex, "eve@globex.test", &["organization-admin"], &[]).await;
        let root = root(app).await;
        // Page, and whether member, admin, stranger and who administers the instance see it.
        let pages = [
            (SETTINGS.to_owned(), [true, true, false, true]),
            (format!("{SETTINGS}/edit"), [false, true, false, true]),
            (format!("{SETTINGS}/disable"), [false, false, false, true]),
            (format!("{SETTINGS}/delete"), [false, false, false, true]),
            (POLICY.to_owned(), [true, true, false, true]),
            (format!("{POLICY}/edit"), [false, true, false, true]),
            ("/organizations/-/new".to_owned(), [false, false, false, true]),
            ("/apis".to_owned(), [false, false, false, true]),
            ("/apis/new".to_owned(), [false, false, false, true]),
            (path.clone(), [false, false, false, true]),
            (format!("{path}/edit"), [false, false, false, true]),
            (format!("{path}/delete"), [false, false, false, true]),
            (format!("{path}/permissions/new"), [false, false, false, true]),
            (format!("{path}/permissions/edit?name=invoices:read"), [false, false, false, true]),
            (format!("{path}/permissions/retire?name=invoices:read"), [false, false, false, true]),
        ];
        for (page, seen) in &pages {
            for (browser, seen) in [&member, &admin, &stranger, &root].into_iter().zip(seen) {
                let status = browser.get(page).await.status;
                assert_eq!(status, if *seen { StatusCode::OK } else { StatusCode::NOT_FOUND }, "{page}");
            }
            assert!(Browser::new(app).get(page).await.location().starts_with("/sign-in?next="), "{page}");
        }
        for (page, seen) in pages.iter().filter(|(page, _)| !["/apis", SETTINGS, POLICY].contains(&page.as_str()) && *page != path) {
            let form = page.split('?').next().unwrap();
            for (browser, _) in [&member, &admin, &stranger].into_iter().zip(seen).filter(|(_, seen)| !**seen) {
                assert_eq!(browser.act(form, &[("name", READ)]).await.status, StatusCode::NOT_FOUND, "{form}");
            }
            assert_eq!(root.post(form, &[]).await.status, StatusCode::FORBIDDEN, "{form} without a token");
        }
        // What is on the way to power asks who they are; what was typed is there again.
        app.clock.advance(SignedDuration::from_mins(11));
        for page in ["/apis/new", "/organizations/-/new", &format!("{POLICY}/edit"), &format!("{SETTINGS}/edit")] {
            assert!(root.get(page).await.location().starts_with("/sign-in/again?next="), "{page}");
        }
        let fields = [("name", "Acme two"), ("slug", "acme2"), ("resume", "/organizations/-/new")];
        let late = root.act("/organizations/-/new", &fields).await;
        assert!(late.location().contains("Acme%2Btwo"), "{}", late.location());
        // The navigation leads to what each may see.
        let has = async |browser: &Browser<'_>, path: &str| {
            browser.get("/organizations/acme").await.html.contains(&format!("href=\"{path}\""))
        };
        assert!(has(&root, "/apis").await && !has(&admin, "/apis").await);
        assert!(has(&admin, "/organizations/acme/members").await && !has(&member, "/organizations/acme/members").await);
        assert!(has(&member, "/organizations/acme/roles").await && has(&member, POLICY).await);
    }
}
