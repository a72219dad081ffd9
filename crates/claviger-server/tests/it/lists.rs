//! Lists: pages, filters, cursors.

use std::collections::BTreeSet;

use reqwest::StatusCode;
use serde_json::json;

use crate::{
    app::{TestApp, text},
    browser::Browser,
};

/// How many rows a page of the console shows.
const MOST: usize = 50;

/// What the pages of a list lead to, from the first to the last, each of which but the last is full.
async fn walk(browser: &Browser<'_>, list: &str) -> Vec<String> {
    let (mut seen, mut next) = (Vec::new(), Some(list.to_owned()));
    while let Some(address) = next {
        let page = browser.get(&address).await;
        page.shows(StatusCode::OK, "class=\"title\"");
        let links = |html: &str| -> Vec<String> {
            let links = html.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap().replace("&#38;", "&"));
            links.collect()
        };
        let rows = page.html.split("<a class=\"title\"").skip(1).map(|row| links(row).remove(0)).collect::<Vec<_>>();
        let ways = page.html.split("<nav class=\"more\"").nth(1).map(|nav| links(nav.split("</nav>").next().unwrap()));
        next = ways.into_iter().flatten().find(|way| way.contains("after="));
        assert!(rows.len() == MOST || (next.is_none() && rows.len() < MOST), "{} rows at {address}", rows.len());
        seen.extend(rows);
    }
    seen
}

on_both_databases! {
    async fn pages_show_everything_once_newest_first(app: &TestApp) {
        app.declare_invoices().await;
        let (_, account) = app.account("acme", &["invoices:read"]).await;
        let mut made = Vec::new();
        for _ in 0..7 {
            made.push(app.key(&account, &["invoices:read"], json!({})).await.id);
        }
        made.reverse();
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/v1/api-keys?service_account_id={account}&limit=3{cursor}");
            let page = app.root().get(&path).await.expect(StatusCode::OK);
            seen.extend(page["items"].as_array().unwrap().iter().map(|item| text(&item["id"])));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(seen, made);
    }

    async fn a_cursor_counts_for_the_list_that_gave_it(app: &TestApp) {
        app.account("one", &[]).await;
        app.account("two", &[]).await;
        let page = app.root().get("/v1/organizations?limit=1").await.expect(StatusCode::OK);
        let cursor = text(&page["next_cursor"]);
        app.root().get(&format!("/v1/organizations?limit=2&cursor={cursor}")).await.expect(StatusCode::OK);
        for path in [
            format!("/v1/service-accounts?cursor={cursor}"),
            format!("/v1/organizations?q=one&cursor={cursor}"),
            "/v1/organizations?cursor=AAAA".to_owned(),
            "/v1/organizations?cursor=%00".to_owned(),
        ] {
            app.root().get(&path).await.problem(StatusCode::BAD_REQUEST, "invalid_cursor");
        }
    }

    async fn filters_narrow_and_bad_ones_are_told(app: &TestApp) {
        app.declare_invoices().await;
        let (organization, account) = app.account("acme", &["invoices:read"]).await;
        let active = app.key(&account, &["invoices:read"], json!({ "name": "100%_sure" })).await;
        let revoked = app.key(&account, &["invoices:read"], json!({ "name": "Gone" })).await;
        app.root().post(&format!("/v1/api-keys/{}/revoke", revoked.id), json!({})).await.expect(StatusCode::OK);
        let check = async |query: &str, expected: &[&str]| {
            let path = format!("/v1/api-keys?organization_id={organization}&{query}");
            let list = app.root().get(&path).await.expect(StatusCode::OK);
            let ids: Vec<_> = list["items"].as_array().unwrap().iter().map(|item| text(&item["id"])).collect();
            assert_eq!(ids, expected, "{query}");
        };
        check("", &[&revoked.id, &active.id]).await;
        check("status=active", &[&active.id]).await;
        check("status=revoked", &[&revoked.id]).await;
        check("status=expired", &[]).await;
        check("q=gone", &[&revoked.id]).await;
        check("q=100%25_s", &[&active.id]).await;
        check("q=%25", &[&active.id]).await;
        check(&format!("service_account_id={account}"), &[&revoked.id, &active.id]).await;
        let long = format!("/v1/api-keys?q={}", "x".repeat(50_000));
        app.root().get(&long).await.problem(StatusCode::BAD_REQUEST, "invalid_query");
        for (query, code) in [
            ("status=happy", "invalid_query"),
            ("organization_id=key_1", "invalid_query"),
            ("colour=red", "invalid_query"),
            ("limit=0", "invalid_limit"),
            ("limit=201", "invalid_limit"),
            ("limit=x", "invalid_query"),
        ] {
            app.root().get(&format!("/v1/api-keys?{query}")).await.problem(StatusCode::BAD_REQUEST, code);
        }
    }

    async fn a_long_list_of_the_console_is_read_page_by_page_each_row_once(app: &TestApp) {
        const MANY: usize = 2 * MOST + 3;
        app.declare_invoices().await;
        let (acme, account) = app.account("acme", &["invoices:read"]).await;
        for number in 1..MANY {
            // Names that are alike, and nearly so, in whatever case.
            let name = format!("{} {}", ["sync", "Sync", "SYNC"][number % 3], number / 6);
            app.key(&account, &["invoices:read"], json!({ "name": name })).await;
            let body = json!({ "organization_id": acme, "name": name });
            app.root().post("/v1/service-accounts", body).await.expect(StatusCode::CREATED);
            let body = json!({ "organization_id": acme, "name": format!("role-{number}"), "permissions": ["invoices:read"] });
            app.root().post("/v1/roles", body).await.expect(StatusCode::CREATED);
            let user = app.user(&format!("user-{number}@acme.test")).await;
            app.root().put(&format!("/v1/organizations/{acme}/members/{user}"), json!({ "roles": [] })).await.expect(StatusCode::CREATED);
        }
        app.key(&account, &["invoices:read"], json!({ "name": "sync" })).await;
        let (admin, _) = app.somebody(&acme, "admin@acme.test", &["organization-admin"], &[]).await;
        let check = async |list: &str, expected: usize| {
            let seen = walk(&admin, &format!("/organizations/acme/{list}")).await;
            let distinct: BTreeSet<&String> = seen.iter().collect();
            assert_eq!((seen.len(), distinct.len()), (expected, expected), "{list}");
        };
        for order in ["", "?order=oldest", "?order=name", "?order=end", "?q=sync"] {
            check(&format!("api-keys{order}"), MANY).await;
        }
        check("service-accounts", MANY).await;
        check("service-accounts?q=SYNC", MANY).await;
        check("members", MANY).await;
        check("members?q=user", MANY - 1).await;
        check("roles?q=role-", MANY - 1).await;
        // Everybody was given something, and everything was made.
        let events = walk(&admin, "/organizations/acme/audit").await;
        assert!(events.len() > 3 * MANY && events.iter().collect::<BTreeSet<_>>().len() == events.len(), "{}", events.len());
        check("audit?action=api_key.created", MANY).await;
    }
}
