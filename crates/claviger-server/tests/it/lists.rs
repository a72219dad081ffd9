//! Lists: pages, filters, cursors.

use reqwest::StatusCode;
use serde_json::json;

use crate::app::{TestApp, text};

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
}
