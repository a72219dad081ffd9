//! The audit trail in a browser: who reads it, what is found, both sides of a change, files of it, and its proof.

use jiff::SignedDuration;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::{
    app::{TestApp, text},
    browser::{Browser, PASSWORD},
};

const AUDIT: &str = "/organizations/acme/audit";

/// Acme and globex, each with a service account.
pub(crate) struct Two<'a> {
    app: &'a TestApp,
    pub(crate) acme: String,
    pub(crate) account: String,
    pub(crate) globex: String,
    pub(crate) other: String,
}

impl<'a> Two<'a> {
    pub(crate) async fn new(app: &'a TestApp) -> Self {
        app.declare_invoices().await;
        let permissions = ["invoices:read", "invoices:write"];
        let (acme, account) = app.account("acme", &permissions).await;
        let (globex, other) = app.account("globex", &permissions).await;
        Self { app, acme, account, globex, other }
    }

    /// Somebody with these roles and permissions in an organization, who is signed in; and their id.
    pub(crate) async fn somebody(
        &self,
        organization: &str,
        email: &str,
        roles: &[&str],
        permissions: &[&str],
    ) -> (Browser<'a>, String) {
        let user = self.app.person(email, Some(PASSWORD)).await;
        let path = format!("/v1/organizations/{organization}/members/{user}");
        let status = self.app.root().put(&path, json!({ "roles": roles, "permissions": permissions })).await.status;
        assert!(status.is_success(), "{status}");
        let browser = Browser::new(self.app);
        browser.sign_in(email, PASSWORD).await.leads_to("/");
        (browser, user.to_string())
    }

    pub(crate) async fn admin(&self) -> Browser<'a> {
        self.somebody(&self.acme, "admin@acme.test", &["organization-admin"], &["invoices:read"]).await.0
    }

    /// Somebody who administers the instance, and belongs to globex.
    pub(crate) async fn root(&self) -> Browser<'a> {
        let (browser, user) = self.somebody(&self.globex, "root@globex.test", &[], &[]).await;
        let given = json!({ "principal_id": user, "organization_id": self.globex, "role": "instance-admin", "scope": "instance" });
        self.app.root().post("/v1/assignments", given).await.expect(StatusCode::CREATED);
        browser
    }
}

/// Sends a form of somebody who is signed in.
pub(crate) async fn send(browser: &Browser<'_>, path: &str, fields: &[(&str, &str)]) -> crate::browser::Page {
    let csrf = browser.get("/account/security").await.field("csrf");
    let fields: Vec<(&str, &str)> = fields.iter().copied().chain([("csrf", csrf.as_str())]).collect();
    browser.post(path, &fields).await
}

/// The path of the first event that a list shows.
async fn first(browser: &Browser<'_>, list: &str) -> String {
    let page = browser.get(list).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.html);
    let rows = page.html.split("class=\"title\" href=\"").nth(1);
    rows.unwrap_or_else(|| panic!("no event in {}", page.html)).split('"').next().unwrap().to_owned()
}

on_both_databases! {
    async fn the_trail_is_for_who_may_read_it_and_for_nobody_else(app: &TestApp) {
        let two = Two::new(app).await;
        app.key(&two.account, &["invoices:read"], json!({})).await;
        let (admin, root) = (two.admin().await, two.root().await);
        let (auditor, _) = two.somebody(&two.acme, "auditor@acme.test", &["auditor"], &[]).await;
        let (member, _) = two.somebody(&two.acme, "member@acme.test", &["member"], &[]).await;
        let (stranger, _) = two.somebody(&two.globex, "eve@globex.test", &["organization-admin"], &[]).await;
        let event = first(&admin, &format!("{AUDIT}?target={}", two.account)).await;
        let id = event.rsplit('/').next().unwrap();
        let pages = [
            (AUDIT.to_owned(), [true, true, false, false, true]),
            (event.clone(), [true, true, false, false, true]),
            (format!("{AUDIT}/chain"), [true, true, false, false, true]),
            (format!("{AUDIT}/export.csv"), [true, true, false, false, true]),
            (format!("{AUDIT}/export.jsonl"), [true, true, false, false, true]),
            // An event of another organization has no page here, even for who sees both.
            (format!("/organizations/globex/audit/{id}"), [false; 5]),
            ("/organizations/globex/audit".to_owned(), [false, false, false, true, true]),
            ("/audit".to_owned(), [false, false, false, false, true]),
            (format!("/audit/{id}"), [false, false, false, false, true]),
            ("/audit/export.csv".to_owned(), [false, false, false, false, true]),
            ("/audit/chain".to_owned(), [false, false, false, false, true]),
        ];
        for (page, seen) in &pages {
            for (browser, seen) in [&admin, &auditor, &member, &stranger, &root].into_iter().zip(seen) {
                let status = browser.get(page).await.status;
                assert_eq!(status, if *seen { StatusCode::OK } else { StatusCode::NOT_FOUND }, "{page}");
            }
        }
        for (path, browser) in [(format!("{AUDIT}/chain"), &member), ("/audit/chain".to_owned(), &admin)] {
            assert_eq!(send(browser, &path, &[("from", "0")]).await.status, StatusCode::NOT_FOUND);
            assert_eq!(root.post(&path, &[("from", "0")]).await.status, StatusCode::FORBIDDEN);
        }
        Browser::new(app).get(AUDIT).await.leads_to("/sign-in?next=%2Forganizations%2Facme%2Faudit");
        // Whoever sees everything sees where it happened, and can ask for one place.
        root.get("/audit").await.shows(StatusCode::OK, ">acme</td>");
        let instance = root.get("/audit?chain=instance").await;
        instance.shows(StatusCode::OK, "<code>api.created</code>");
        assert!(!instance.html.contains("<code>service_account.created</code>"), "{}", instance.html);
        let globex = root.get("/audit?chain=globex").await;
        assert!(globex.html.contains(&two.other) && !globex.html.contains(&two.account), "{}", globex.html);
        root.get("/audit?chain=nowhere").await.shows(StatusCode::UNPROCESSABLE_ENTITY, "no organization with this");
        // The navigation leads there.
        admin.get("/organizations/acme").await.shows(StatusCode::OK, "href=\"/organizations/acme/audit\"");
        assert!(!member.get("/organizations/acme").await.html.contains("/audit"));
    }

    async fn events_are_found_by_who_what_and_when(app: &TestApp) {
        let two = Two::new(app).await;
        let key = app.key(&two.account, &["invoices:read"], json!({ "name": "<i>billing" })).await;
        let admin = two.admin().await;
        let csrf = send(&admin, &format!("/organizations/acme/api-keys/{}/disable", key.id), &[]).await;
        assert_eq!(csrf.status, StatusCode::SEE_OTHER);
        let list = admin.get(&format!("{AUDIT}?target={}", key.id)).await;
        // Its name stands there, and is no markup.
        list.shows(StatusCode::OK, "&#60;i&#62;billing");
        list.shows(StatusCode::OK, "API key: Disabled");
        list.shows(StatusCode::OK, "API key: Made");
        let by_name = admin.get(&format!("{AUDIT}?actor=admin%40acme&action=api_key.disabled")).await;
        by_name.shows(StatusCode::OK, &key.id);
        assert!(!by_name.html.contains("API key: Made"));
        admin.get(&format!("{AUDIT}?actor=nobody")).await.shows(StatusCode::UNPROCESSABLE_ENTITY, "Nobody here is called so");
        two.somebody(&two.acme, "admin2@acme.test", &[], &[]).await;
        let several = admin.get(&format!("{AUDIT}?actor=acme.test")).await;
        several.shows(StatusCode::UNPROCESSABLE_ENTITY, "Choose whom you mean");
        several.shows(StatusCode::UNPROCESSABLE_ENTITY, "?actor=user_");
        admin.get(&format!("{AUDIT}?actor=operator")).await.shows(StatusCode::OK, "No such events");
        let at = text(&key.body["created_at"]);
        let day = at.split('T').next().unwrap();
        admin.get(&format!("{AUDIT}?target={}&from={day}&to={day}", key.id)).await.shows(StatusCode::OK, "API key: Made");
        admin.get(&format!("{AUDIT}?target={}&to=2001-01-01", key.id)).await.shows(StatusCode::OK, "No such events");
        admin.get(&format!("{AUDIT}?from=yesterday")).await.shows(StatusCode::UNPROCESSABLE_ENTITY, "Give the day as a date");
        let turned = admin.get(&format!("{AUDIT}?from=2027-02-01&to=2027-01-01")).await;
        turned.shows(StatusCode::UNPROCESSABLE_ENTITY, "before the first");
        admin.get(&format!("{AUDIT}?action=none.such")).await.shows(StatusCode::OK, "No such events");
        assert_eq!(admin.get(&format!("{AUDIT}?after=x")).await.status, StatusCode::NOT_FOUND);
        assert_eq!(admin.get(&format!("{AUDIT}/none")).await.status, StatusCode::NOT_FOUND);
        // From one event to all with the same key, and to the key itself.
        let event = admin.get(&first(&admin, &format!("{AUDIT}?action=api_key.disabled")).await).await;
        event.shows(StatusCode::OK, &format!("href=\"/organizations/acme/api-keys/{}\"", key.id));
        event.shows(StatusCode::OK, &format!("href=\"{AUDIT}?target={}\"", key.id));
    }

    async fn an_event_shows_both_sides_of_what_it_changed(app: &TestApp) {
        let two = Two::new(app).await;
        let key = app.key(&two.account, &["invoices:read"], json!({ "name": "before" })).await;
        let changes = json!({ "name": "after<b>", "permissions": ["invoices:read", "invoices:write"] });
        app.root().patch(&format!("/v1/api-keys/{}", key.id), changes).await.expect(StatusCode::OK);
        let admin = two.admin().await;
        let page = admin.get(&first(&admin, &format!("{AUDIT}?action=api_key.updated")).await).await;
        page.shows(StatusCode::OK, "<del>before</del>");
        page.shows(StatusCode::OK, "<ins>after&#60;b&#62;</ins>");
        page.shows(StatusCode::OK, "<ins>invoices:write</ins>");
        // What stayed is not marked.
        assert!(page.html.contains("invoices:read") && !page.html.contains("<ins>invoices:read"), "{}", page.html);
        page.shows(StatusCode::OK, "What changed");
        // What changed of a person is told apart, to those of the instance.
        let root = two.root().await;
        let user = app.user("old@acme.test").await;
        app.root().patch(&format!("/v1/users/{user}"), json!({ "email": "new@acme.test" })).await.expect(StatusCode::OK);
        let page = root.get(&first(&root, &format!("/audit?target={user}")).await).await;
        page.shows(StatusCode::OK, "What changed about a person");
        page.shows(StatusCode::OK, "<del>old@acme.test</del>");
    }

    async fn one_follows_what_happens_without_losing_the_place(app: &TestApp) {
        let two = Two::new(app).await;
        let admin = two.admin().await;
        let page = admin.get(AUDIT).await;
        let follow = page.html.split("href=\"/organizations/acme/audit?follow=").nth(1).unwrap().split('"').next().unwrap();
        let page = admin.get(&format!("{AUDIT}?follow={follow}")).await;
        page.shows(StatusCode::OK, "data-follow=\"10\"");
        assert!(!page.html.contains(">New</span>"));
        app.key(&two.account, &["invoices:read"], json!({ "name": "fresh" })).await;
        let page = admin.get(&format!("{AUDIT}?follow={follow}")).await;
        assert_eq!(page.html.matches(">New</span>").count(), 1, "{}", page.html);
    }

    async fn pages_and_files_tell_each_event_once(app: &TestApp) {
        let two = Two::new(app).await;
        let evil = "=cmd|' /C calc'!A0";
        for _ in 0..60 {
            app.key(&two.account, &["invoices:read"], json!({ "name": evil })).await;
        }
        let admin = two.admin().await;
        let list = format!("{AUDIT}?action=api_key.created");
        let page = admin.get(&list).await;
        assert_eq!(page.html.matches("class=\"title\"").count(), 50);
        let next = page.html.split("&#38;after=").nth(1).unwrap().split('"').next().unwrap().to_owned();
        let page = admin.get(&format!("{list}&after={next}")).await;
        assert_eq!(page.html.matches("class=\"title\"").count(), 10);
        page.shows(StatusCode::OK, "Newest events");
        let csv = admin.get(&format!("{AUDIT}/export.csv?action=api_key.created")).await;
        assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8; header=present");
        assert!(csv.header("content-disposition").starts_with("attachment; filename=\"audit-acme-"));
        assert_eq!(csv.header("cache-control"), "no-store");
        assert_eq!(csv.html.lines().count(), 61);
        assert!(csv.html.starts_with("id,at,organization_id,seq,action,"));
        assert!(csv.html.contains("\"\"=cmd|"), "the name stands in JSON, which begins with a brace");
        let lines = admin.get(&format!("{AUDIT}/export.jsonl?action=api_key.created")).await;
        let events: Vec<serde_json::Value> = lines.html.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(events.len(), 60);
        let listed = app.root().get("/v1/audit-events?action=api_key.created&limit=1").await.expect(StatusCode::OK);
        assert_eq!(events[0], listed["items"][0]);
        // All of it, and nothing of elsewhere.
        let all = admin.get(&format!("{AUDIT}/export.jsonl")).await;
        assert!(all.html.lines().count() > 60 && !all.html.contains(&two.globex) && !all.html.contains(&two.other));
        let wrong = admin.get(&format!("{AUDIT}/export.csv?from=x")).await;
        wrong.leads_to(&format!("{AUDIT}?from=x"));
        let posted = admin.send(Method::POST, &format!("{AUDIT}/export.csv"), &[], None).await;
        assert_eq!(posted.status, StatusCode::METHOD_NOT_ALLOWED);
    }

    async fn the_chain_is_proved_by_a_press_and_tells_where_it_is_broken(app: &TestApp) {
        let two = Two::new(app).await;
        let (admin, path) = (two.admin().await, format!("{AUDIT}/chain"));
        let page = admin.get(&path).await;
        page.shows(StatusCode::OK, "not proved yet");
        let proved = send(&admin, &path, &[("from", "0")]).await;
        proved.shows(StatusCode::OK, "Every event is what was written");
        admin.get(AUDIT).await.shows(StatusCode::OK, "Proved: ");
        assert_eq!(send(&admin, &path, &[("from", "x")]).await.status, StatusCode::FORBIDDEN);
        // Whoever goes on is told no more than that.
        send(&admin, &path, &[("from", "2")]).await.shows(StatusCode::OK, "What came before was not read again");
        two.root().await.get("/audit/chain").await.shows(StatusCode::OK, "not proved yet");
    }
    async fn files_and_proofs_of_one_person_are_bounded_in_number(app: &TestApp) {
        let two = Two::new(app).await;
        let (admin, other) = (two.admin().await, two.root().await);
        let exports = [format!("{AUDIT}/export.csv"), format!("{AUDIT}/export.jsonl")];
        for number in 0..10 {
            assert_eq!(admin.get(&exports[number % 2]).await.status, StatusCode::OK, "{number}");
        }
        for export in &exports {
            let refused = admin.get(export).await;
            refused.shows(StatusCode::TOO_MANY_REQUESTS, "Too many");
            assert_ne!(refused.header("retry-after"), "");
            assert_eq!(other.get(export).await.status, StatusCode::OK, "somebody else");
        }
        // What cannot be meant is told all the same.
        admin.get(&format!("{AUDIT}/export.csv?from=x")).await.leads_to(&format!("{AUDIT}?from=x"));
        app.clock.advance(SignedDuration::from_secs(30));
        assert_eq!(admin.get(&exports[0]).await.status, StatusCode::OK);
        let csrf = admin.get("/account/security").await.field("csrf");
        let fields = [("csrf", csrf.as_str()), ("from", "0")];
        // Two more become free in each second of it.
        let mut proved = 0;
        let refused = loop {
            assert!(proved < 1000, "no end");
            let sent = admin.post(&format!("{AUDIT}/chain"), &fields).await;
            if sent.status != StatusCode::OK {
                break sent;
            }
            proved += 1;
        };
        refused.shows(StatusCode::TOO_MANY_REQUESTS, "Too many");
        assert!(proved >= 120, "{proved}");
        send(&other, &format!("{AUDIT}/chain"), &[("from", "0")]).await.shows(StatusCode::OK, "Every event");
    }

    async fn a_page_that_follows_keeps_no_session_from_going_idle(app: &TestApp) {
        let two = Two::new(app).await;
        let admin = two.admin().await;
        // Whoever looks stays for longer than twelve hours.
        for _ in 0..14 {
            app.clock.advance(SignedDuration::from_hours(1));
            assert_eq!(admin.get(AUDIT).await.status, StatusCode::OK);
        }
        for _ in 0..11 {
            app.clock.advance(SignedDuration::from_hours(1));
            assert_eq!(admin.get(&format!("{AUDIT}?follow=1")).await.status, StatusCode::OK);
        }
        app.clock.advance(SignedDuration::from_hours(1));
        assert!(admin.get(&format!("{AUDIT}?follow=1")).await.location().starts_with("/sign-in?next="));
    }
}
