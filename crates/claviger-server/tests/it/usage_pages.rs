//! What an organization's overview shows of use, and the page of permissions that nobody asks for: for whom, of what, and how much.

use claviger_store::UsageBatch;
use jiff::SignedDuration;
use reqwest::StatusCode;
use serde_json::json;

use crate::{
    app::{Key, SOON, TestApp, within},
    browser::{Browser, PASSWORD, Page},
};

const READ: &str = "invoices:read";
const WRITE: &str = "invoices:write";
const OVERVIEW: &str = "/organizations/acme";
const UNUSED: &str = "/organizations/acme/unused-permissions";

/// Somebody with these roles and permissions in an organization, who is signed in.
async fn somebody<'a>(app: &'a TestApp, organization: &str, email: &str, body: serde_json::Value) -> Browser<'a> {
    let user = app.person(email, Some(PASSWORD)).await;
    let told = app.root().put(&format!("/v1/organizations/{organization}/members/{user}"), body).await;
    assert!(told.status.is_success(), "{}", told.body);
    let browser = Browser::new(app);
    browser.sign_in(email, PASSWORD).await.leads_to("/");
    browser
}

async fn admin<'a>(app: &'a TestApp, organization: &str) -> Browser<'a> {
    somebody(app, organization, "admin@acme.test", json!({ "roles": ["organization-admin"] })).await
}

/// Uses of a key some hours ago, and what they asked for.
async fn used(app: &TestApp, organization: &str, key: &Key, hours: i64, uses: &[(&'static str, u64)], asked: &[&str]) {
    let (id, at) = (key.id.parse().unwrap(), app.app.now() - SignedDuration::from_hours(hours));
    let mut batch = UsageBatch::default();
    for (code, uses) in uses {
        batch.count((organization.parse().unwrap(), id), at, code, *uses);
    }
    let day = at.as_millisecond() - at.as_millisecond().rem_euclid(86_400_000);
    batch.permission_days.extend(asked.iter().map(|name| ((id, day, name.parse().unwrap()), 1)));
    app.app.store.flush_usage(&mut batch, app.app.now(), &mut app.app.rng()).await.unwrap();
    app.app.store.flush_ranks(&mut batch.ranks).await.unwrap();
}

/// A part of a page, from the heading with this id on.
fn part<'a>(page: &'a Page, id: &str) -> &'a str {
    assert_eq!(page.status, StatusCode::OK, "{}", page.html);
    let rest = page.html.split(&format!("id=\"{id}\"")).nth(1).unwrap_or_else(|| panic!("no {id} in {}", page.html));
    rest.split("</section>").next().unwrap()
}

on_both_databases! {
    async fn an_overview_without_use_says_what_to_do(app: &TestApp) {
        app.declare_invoices().await;
        let (organization, _) = app.account("acme", &[READ]).await;
        let page = admin(app, &organization).await.get(OVERVIEW).await;
        assert!(part(&page, "usage").contains("Nothing was verified in this time"));
        assert!(part(&page, "refusals").contains("No use was refused"));
        assert!(part(&page, "busiest").contains("None was used"));
        assert!(part(&page, "newest").contains("There are no API keys yet"));
        assert!(part(&page, "unused").contains("No key in use holds a permission"));
    }

    async fn the_overview_shows_use_of_a_time_and_why_it_was_refused(app: &TestApp) {
        app.declare_invoices().await;
        let (organization, account) = app.account("acme", &[READ, WRITE]).await;
        let hostile = app.key(&account, &[READ], json!({ "name": "<script>alert(1)</script>" })).await;
        let quiet = app.key(&account, &[READ], json!({ "name": "quiet" })).await;
        app.account("globex", &[]).await;
        used(app, &organization, &hostile, 0, &[("valid", 40), ("expired", 3), ("rate_limited", 2)], &[READ]).await;
        used(app, &organization, &hostile, 60, &[("permission_missing", 7)], &[]).await;
        used(app, &organization, &quiet, 24 * 20, &[("valid", 900)], &[]).await;
        let admin = admin(app, &organization).await;

        let page = admin.get(OVERVIEW).await;
        let usage = part(&page, "usage");
        assert!(usage.contains("940 accepted") && usage.contains("2 too many") && usage.contains("10 refused"), "{usage}");
        assert!(usage.contains("?window=24h\"") && usage.contains("?window=30d\" aria-current=\"true\""), "{usage}");
        // The same figures stand in a table.
        assert!(usage.contains("<td>900</td>") && usage.contains("scope=\"row\""), "{usage}");
        let refusals = part(&page, "refusals");
        let place = |text: &str| refusals.find(text).unwrap_or_else(|| panic!("no {text} in {refusals}"));
        assert!(place("permission_missing") < place("expired") && place("expired") < place("rate_limited"));
        assert!(refusals.contains("href=\"/organizations/acme/api-keys?state=expired\""), "{refusals}");
        let busiest = part(&page, "busiest");
        assert!(busiest.find("quiet").unwrap() < busiest.find("&#60;script&#62;").unwrap(), "{busiest}");
        assert!(busiest.contains(">900<") && busiest.contains(">52<") && busiest.contains("sync"), "{busiest}");
        let newest = part(&page, "newest");
        assert!(newest.find("quiet").unwrap() < newest.find("&#60;script&#62;").unwrap(), "{newest}");
        assert!(!page.html.contains("<script>alert"));

        let page = admin.get(&format!("{OVERVIEW}?window=24h")).await;
        let usage = part(&page, "usage");
        assert!(usage.contains("40 accepted") && usage.contains("3 refused"), "{usage}");
        assert!(!part(&page, "refusals").contains("permission_missing"));
        let busiest = part(&page, "busiest");
        assert!(busiest.contains(">45<") && !busiest.contains("quiet"), "{busiest}");
        let page = admin.get(&format!("{OVERVIEW}?window=7d")).await;
        assert!(part(&page, "usage").contains("10 refused"), "{}", page.html);
        admin.get(&format!("{OVERVIEW}?window=%3Cb%3E")).await.shows(StatusCode::OK, "?window=30d\" aria-current");
    }

    async fn a_service_account_shows_the_tokens_that_it_got(app: &TestApp) {
        let client = app.machine().await;
        let path = format!("{OVERVIEW}/service-accounts/{}", client.id);
        let admin = admin(app, &client.organization).await;
        let page = admin.get(&path).await;
        assert!(part(&page, "issued").contains("No access token was issued"), "{}", page.html);
        app.access_token(&client, &[]).await;
        let shown = async |query: &str| part(&admin.get(&format!("{path}{query}")).await, "issued").to_owned();
        within(SOON, "the page shows it", async || shown("").await.contains(">1 issued<")).await;
        let (id, now, store) = (client.id.parse().unwrap(), app.app.now(), &app.app.store);
        let mut batch = UsageBatch::default();
        batch.count_issued(id, now - SignedDuration::from_hours(60), "client_credentials", 40);
        batch.count_issued(id, now - SignedDuration::from_hours(60), "urn:ietf:params:oauth:grant-type:jwt-bearer", 2);
        batch.count_issued(id, now - SignedDuration::from_hours(24 * 20), "client_credentials", 900);
        store.flush_usage(&mut batch, now, &mut app.app.rng()).await.unwrap();
        for (query, sum, step) in [("?window=24h", 1, 1), ("?window=7d", 43, 42), ("", 943, 900)] {
            let issued = shown(query).await;
            assert!(issued.contains(&format!(">{sum} issued<")) && issued.contains(&format!("<td>{step}</td>")), "{issued}");
        }
        // They are no verifications of the organization: its secret was shown once.
        let overview = async || part(&admin.get(OVERVIEW).await, "usage").contains(">1 accepted<");
        within(SOON, "the overview tells of its secret alone", overview).await;
        // Who may not see use does not see this either.
        let rights = json!({ "roles": [], "permissions": ["claviger:service_accounts:read"] });
        let reader = somebody(app, &client.organization, "reader@acme.test", rights).await;
        let page = reader.get(&path).await;
        page.shows(StatusCode::OK, "sync");
        assert!(!page.html.contains("id=\"issued\""));
    }

    async fn who_may_not_see_use_or_keys_sees_none_of_it(app: &TestApp) {
        app.declare_invoices().await;
        let (organization, account) = app.account("acme", &[READ, WRITE]).await;
        let (globex, _) = app.account("globex", &[]).await;
        let key = app.key(&account, &[READ, WRITE], json!({ "name": "production" })).await;
        used(app, &organization, &key, 0, &[("valid", 1)], &[READ]).await;
        let rights = |permissions: &[&str]| json!({ "roles": [], "permissions": permissions });
        let member = somebody(app, &organization, "member@acme.test", json!({ "roles": ["member"] })).await;
        let page = member.get(OVERVIEW).await;
        page.shows(StatusCode::OK, "acme");
        assert!(!page.html.contains("id=\"usage\"") && !page.html.contains("production"));
        member.get(UNUSED).await.shows(StatusCode::NOT_FOUND, "no such page");

        let counter = somebody(app, &organization, "counter@acme.test", rights(&["claviger:usage:read"])).await;
        let page = counter.get(OVERVIEW).await;
        assert!(part(&page, "usage").contains("1 accepted"));
        assert!(!page.html.contains("production") && !page.html.contains("id=\"unused\""), "{}", page.html);
        counter.get(UNUSED).await.shows(StatusCode::NOT_FOUND, "no such page");

        let keys = somebody(app, &organization, "keys@acme.test", rights(&["claviger:api_keys:read"])).await;
        assert!(!keys.get(OVERVIEW).await.html.contains("id=\"usage\""));
        keys.get(UNUSED).await.shows(StatusCode::NOT_FOUND, "no such page");

        // Who only looks is told of it, and offered nothing to do.
        let auditor = somebody(app, &organization, "auditor@acme.test", json!({ "roles": ["auditor"] })).await;
        let page = auditor.get(UNUSED).await;
        page.shows(StatusCode::OK, "production");
        assert!(page.html.contains(WRITE) && !page.html.contains("/edit\""), "{}", page.html);

        let stranger = somebody(app, &globex, "eve@globex.test", json!({ "roles": ["organization-admin"] })).await;
        stranger.get(OVERVIEW).await.shows(StatusCode::NOT_FOUND, "no such page");
        stranger.get(UNUSED).await.shows(StatusCode::NOT_FOUND, "no such page");
        let page = stranger.get("/organizations/globex").await;
        assert!(part(&page, "usage").contains("Nothing was verified"));
        Browser::new(app).get(UNUSED).await.leads_to("/sign-in?next=%2Forganizations%2Facme%2Funused-permissions");
    }

    async fn permissions_that_nobody_asks_for_are_told_with_what_takes_them_away(app: &TestApp) {
        app.declare_invoices().await;
        let (organization, account) = app.account("acme", &[READ, WRITE]).await;
        let of = async |name: &str, permissions: &[&str]| app.key(&account, permissions, json!({ "name": name })).await;
        let wide = of("wide", &[READ, WRITE]).await;
        let exact = of("exact", &[READ]).await;
        let follows = of("follows", &["*"]).await;
        let unasked = of("unasked", &[READ, WRITE]).await;
        let idle = of("idle", &[READ, WRITE]).await;
        let gone = of("gone", &[READ, WRITE]).await;
        for key in [&wide, &exact, &follows, &gone] {
            used(app, &organization, key, 0, &[("valid", 1)], &[READ]).await;
        }
        used(app, &organization, &unasked, 0, &[("valid", 5)], &[]).await;
        used(app, &organization, &idle, 24 * 40, &[("valid", 5)], &[READ]).await;
        app.root().post(&format!("/v1/api-keys/{}/revoke", gone.id), json!({})).await.expect(StatusCode::OK);
        let admin = admin(app, &organization).await;
        let page = admin.get(UNUSED).await;
        page.shows(StatusCode::OK, "Permissions that nobody asks for");
        for (key, told) in [(&wide, true), (&exact, false), (&follows, true), (&unasked, false), (&idle, false), (&gone, false)] {
            assert_eq!(page.html.contains(&format!("/api-keys/{}\"", key.id)), told, "{}", page.html);
        }
        let rows: Vec<&str> = page.html.split("<tr>").skip(2).collect();
        assert_eq!(rows.len(), 2, "{}", page.html);
        // The newest first; each tells what was not asked, and not what was.
        assert!(rows[0].contains("follows") && rows[0].contains("It follows its service account"), "{}", rows[0]);
        assert!(rows.iter().all(|row| row.contains(&format!("<code>{WRITE}</code>")) && !row.contains(&format!("<code>{READ}</code>"))));
        let edit = format!("href=\"/organizations/acme/api-keys/{}/edit\"", wide.id);
        assert!(rows[1].contains(&edit), "{}", rows[1]);
        let overview = admin.get(OVERVIEW).await;
        assert!(part(&overview, "unused").contains(&edit) && part(&overview, "unused").contains(UNUSED));
        // Asked for after all, it is told no more.
        used(app, &organization, &wide, 24 * 3, &[("valid", 1)], &[WRITE]).await;
        assert!(!admin.get(UNUSED).await.html.contains(&edit));
    }

    async fn many_keys_are_looked_at_a_page_at_a_time(app: &TestApp) {
        app.declare_invoices().await;
        let (organization, account) = app.account("acme", &[READ, WRITE]).await;
        let mut keys = Vec::new();
        for number in 0..52 {
            keys.push(app.key(&account, &[READ, WRITE], json!({ "name": format!("k{number:02}") })).await);
        }
        for key in &keys {
            used(app, &organization, key, 0, &[("valid", 1)], &[READ]).await;
        }
        let admin = admin(app, &organization).await;
        let page = admin.get(UNUSED).await;
        assert_eq!(page.html.matches("<code>invoices:write</code>").count(), 50);
        assert!(page.html.contains("k51") && !page.html.contains("k01") && !page.html.contains("First page"));
        let next = page.html.split(&format!("{UNUSED}?after=")).nth(1).unwrap().split('"').next().unwrap();
        let page = admin.get(&format!("{UNUSED}?after={next}")).await;
        assert_eq!(page.html.matches("<code>invoices:write</code>").count(), 2);
        assert!(page.html.contains("k00") && page.html.contains("First page") && !page.html.contains("Next page"));
        assert_eq!(admin.get(&format!("{UNUSED}?after=x")).await.status, StatusCode::NOT_FOUND);
        let overview = admin.get(OVERVIEW).await;
        assert_eq!(part(&overview, "unused").matches("<code>invoices:write</code>").count(), 5);
    }
}
