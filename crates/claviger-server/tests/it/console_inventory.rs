//! The tokens of an organization's members in a browser: who sees and ends them, one at a time and many at once.

use reqwest::StatusCode;
use serde_json::json;

use crate::{
    app::{TestApp, text},
    browser::Page,
    console_audit::{Two, send},
};

const TOKENS: &str = "/organizations/acme/tokens";

/// A token of somebody in acme: its id, and itself.
async fn token(app: &TestApp, two: &Two<'_>, user: &str, name: &str) -> (String, String) {
    let body = json!({ "organization_id": two.acme, "user_id": user, "name": name, "permissions": ["invoices:read"] });
    let made = app.root().post("/v1/personal-access-tokens", body).await.expect(StatusCode::CREATED);
    (text(&made["id"]), text(&made["token"]))
}

/// The form of the page that previews, with these fields instead of its own.
fn form<'a>(shown: &'a [(String, String)], with: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let own = shown.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    with.iter().copied().chain(own.filter(|(name, _)| !with.iter().any(|(other, _)| other == name))).collect()
}

fn hidden(page: &Page) -> Vec<(String, String)> {
    ["q", "state", "owner", "at", "expected"]
        .map(|name| (name.to_owned(), page.field(name).replace("&#38;", "&")))
        .to_vec()
}

on_both_databases! {
    async fn each_page_is_for_who_may_do_the_same_over_the_api(app: &TestApp) {
        let two = Two::new(app).await;
        let admin = two.admin().await;
        let (member, user) = two.somebody(&two.acme, "member@acme.test", &["member"], &["invoices:read"]).await;
        let (auditor, _) = two.somebody(&two.acme, "auditor@acme.test", &["auditor"], &[]).await;
        let (stranger, eve) = two.somebody(&two.globex, "eve@globex.test", &["organization-admin"], &[]).await;
        let (id, secret) = token(app, &two, &user, "<i>mine").await;
        let (path, theirs) = (format!("{TOKENS}/{id}"), format!("/organizations/acme/members/{user}/tokens"));
        // Page, and whether admin, auditor, member and stranger see it.
        let pages = [
            (TOKENS.to_owned(), [true, true, false, false]),
            (path.clone(), [true, true, false, false]),
            (theirs.clone(), [true, true, false, false]),
            (format!("{path}/revoke"), [true, false, false, false]),
            (format!("{TOKENS}/revoke"), [true, false, false, false]),
            (format!("/organizations/globex/tokens/{id}"), [false; 4]),
            (format!("/organizations/acme/members/{eve}/tokens"), [false; 4]),
            ("/organizations/acme/members/none/tokens".to_owned(), [false; 4]),
        ];
        for (page, seen) in &pages {
            for (browser, seen) in [&admin, &auditor, &member, &stranger].into_iter().zip(seen) {
                let status = browser.get(page).await.status;
                assert_eq!(status, if *seen { StatusCode::OK } else { StatusCode::NOT_FOUND }, "{page}");
            }
        }
        for action in ["disable", "enable", "revoke"] {
            for browser in [&auditor, &member, &stranger] {
                assert_eq!(send(browser, &format!("{path}/{action}"), &[]).await.status, StatusCode::NOT_FOUND, "{action}");
            }
            assert_eq!(admin.post(&format!("{path}/{action}"), &[]).await.status, StatusCode::FORBIDDEN, "{action}");
        }
        assert_eq!(app.code(&secret).await, "valid");
        let shown = admin.get(&path).await;
        shown.shows(StatusCode::OK, "&#60;i&#62;mine");
        shown.shows(StatusCode::OK, &format!("href=\"{theirs}\""));
        // What it may do and its secret are its user's own.
        for action in ["edit", "roll", "end-overlap"] {
            assert!(!shown.html.contains(&format!("{path}/{action}")), "{action}");
            assert_eq!(send(&admin, &format!("{path}/{action}"), &[]).await.status, StatusCode::NOT_FOUND, "{action}");
        }
        let looked_at = auditor.get(&path).await;
        assert!(!looked_at.html.contains(&format!("{path}/revoke")) && !looked_at.html.contains(&format!("{path}/disable")));
        // Who may revoke and not change tokens does not do so here, as over the API.
        let rights = ["claviger:credentials:read", "claviger:credentials:write"];
        let (half, _) = two.somebody(&two.acme, "half@acme.test", &[], &rights).await;
        assert_eq!(half.get(&format!("{path}/revoke")).await.status, StatusCode::NOT_FOUND);
        half.get(&format!("{TOKENS}/revoke")).await.shows(StatusCode::OK, "One token would end.");
        // Nor looks at one, though all are listed.
        half.get(TOKENS).await.shows(StatusCode::OK, "<strong>&#60;i&#62;mine</strong>");
        assert_eq!(half.get(&path).await.status, StatusCode::NOT_FOUND);
    }

    async fn a_token_is_found_stopped_and_ended(app: &TestApp) {
        let two = Two::new(app).await;
        let admin = two.admin().await;
        let (_, zoe) = two.somebody(&two.acme, "zoe@acme.test", &[], &["invoices:read"]).await;
        let (_, max) = two.somebody(&two.acme, "max@acme.test", &[], &["invoices:read"]).await;
        admin.get(TOKENS).await.shows(StatusCode::OK, "No tokens yet");
        let (one, secret) = token(app, &two, &zoe, "deploy").await;
        let (other, _) = token(app, &two, &max, "backup").await;
        let shows = async |query: &str, expected: [bool; 2]| {
            let page = admin.get(&format!("{TOKENS}?{query}")).await;
            assert_eq!([page.html.contains(&one), page.html.contains(&other)], expected, "{query}: {}", page.html);
        };
        shows("", [true, true]).await;
        shows("q=DEPL", [true, false]).await;
        shows("owner=max%40acme", [false, true]).await;
        shows(&format!("owner={zoe}"), [true, false]).await;
        shows("state=active", [true, true]).await;
        shows("state=endless", [false, false]).await;
        shows("state=idle", [false, false]).await;
        shows("state=revoked", [false, false]).await;
        admin.get(&format!("{TOKENS}?owner=acme.test")).await.shows(StatusCode::UNPROCESSABLE_ENTITY, "Choose whom you mean");
        admin.get(&format!("{TOKENS}?owner=nobody")).await.shows(StatusCode::UNPROCESSABLE_ENTITY, "Nobody here is called so");
        assert_eq!(admin.get(&format!("{TOKENS}?after=x")).await.status, StatusCode::NOT_FOUND);
        let path = format!("{TOKENS}/{one}");
        send(&admin, &format!("{path}/disable"), &[]).await.leads_to(&format!("{path}?done=disabled"));
        assert_eq!(app.code(&secret).await, "disabled");
        shows("state=disabled", [true, false]).await;
        send(&admin, &format!("{path}/enable"), &[]).await.leads_to(&format!("{path}?done=enabled"));
        assert_eq!(app.code(&secret).await, "valid");
        send(&admin, &format!("{path}/revoke"), &[("reason", "compromised")]).await.leads_to(&format!("{path}?done=revoked"));
        assert_eq!(app.code(&secret).await, "revoked");
        admin.get(&path).await.shows(StatusCode::OK, "Somebody else may have it");
        let own = admin.get(&format!("/organizations/acme/members/{max}/tokens")).await;
        assert!(own.html.contains(&other) && !own.html.contains(&one));
    }

    async fn what_waits_for_an_approval_stands_in_front(app: &TestApp) {
        let two = Two::new(app).await;
        let admin = two.admin().await;
        let (_, zoe) = two.somebody(&two.acme, "zoe@acme.test", &[], &["invoices:read"]).await;
        let policy = format!("/v1/organizations/{}/policy", two.acme);
        app.root().patch(&policy, json!({ "approval_required": true })).await.expect(StatusCode::OK);
        let (id, _) = token(app, &two, &zoe, "waits").await;
        let page = admin.get(TOKENS).await;
        page.shows(StatusCode::OK, "Waiting for an approval");
        page.shows(StatusCode::OK, &format!("href=\"/approvals/{id}\""));
        admin.get(&format!("{TOKENS}/{id}")).await.shows(StatusCode::OK, &format!("href=\"/approvals/{id}\""));
        admin.get(&format!("{TOKENS}?state=pending")).await.shows(StatusCode::OK, &id);
        let (auditor, _) = two.somebody(&two.acme, "auditor@acme.test", &["auditor"], &[]).await;
        let page = auditor.get(TOKENS).await;
        assert!(page.html.contains("Waiting for an approval") && !page.html.contains("href=\"/approvals/"));
    }

    async fn many_end_at_once_when_their_number_is_typed(app: &TestApp) {
        let two = Two::new(app).await;
        let admin = two.admin().await;
        let (_, zoe) = two.somebody(&two.acme, "zoe@acme.test", &[], &["invoices:read"]).await;
        let (_, max) = two.somebody(&two.acme, "max@acme.test", &[], &["invoices:read"]).await;
        let mut secrets = Vec::new();
        for index in 0..23 {
            secrets.push(token(app, &two, &zoe, &format!("a&b {index}")).await.1);
        }
        let kept = token(app, &two, &max, "a&b kept").await.1;
        let query = format!("q=a%26b&state=active&owner={zoe}");
        let list = admin.get(&format!("{TOKENS}?{query}")).await;
        list.shows(StatusCode::OK, "Revoke all of these");
        let path = format!("{TOKENS}/revoke");
        let page = admin.get(&format!("{path}?{query}")).await;
        page.shows(StatusCode::OK, "23 tokens would end.");
        assert_eq!(page.html.matches("class=\"title\"").count(), 20);
        page.shows(StatusCode::OK, "These are the newest of them.");
        let fields = hidden(&page);
        assert_eq!(page.field("owner"), zoe);
        let sent = async |with: &[(&str, &str)]| send(&admin, &path, &form(&fields, with)).await;
        sent(&[("count", "22")]).await.shows(StatusCode::UNPROCESSABLE_ENTITY, "Type the number of tokens");
        sent(&[("count", "")]).await.shows(StatusCode::UNPROCESSABLE_ENTITY, "Nothing was revoked");
        assert_eq!(sent(&[("count", "23"), ("at", "x")]).await.status, StatusCode::FORBIDDEN);
        assert_eq!(sent(&[("count", "23"), ("state", "revoked")]).await.status, StatusCode::FORBIDDEN);
        for owner in ["zoe", "zoe@acme.test", &two.account] {
            assert_eq!(sent(&[("count", "23"), ("owner", owner)]).await.status, StatusCode::FORBIDDEN, "{owner}");
        }
        let old = sent(&[("count", "23"), ("at", "2001-01-01T00:00:00Z")]).await;
        old.shows(StatusCode::UNPROCESSABLE_ENTITY, "more than an hour");
        // One more since is not among them; one less is told.
        let later = token(app, &two, &zoe, "a&b later").await.1;
        let bare: Vec<(&str, &str)> = form(&fields, &[("count", "23")]);
        assert_eq!(admin.post(&path, &bare).await.status, StatusCode::FORBIDDEN, "without a token");
        assert_eq!(app.code(&secrets[0]).await, "valid");
        let done = sent(&[("count", " 23 "), ("reason", "compromised")]).await;
        done.shows(StatusCode::OK, "23 tokens were revoked.");
        for secret in &secrets {
            assert_eq!(app.code(secret).await, "revoked");
        }
        assert_eq!((app.code(&kept).await, app.code(&later).await), ("valid".to_owned(), "valid".to_owned()));
        // The same form again ends nothing more.
        sent(&[("count", "23")]).await.shows(StatusCode::UNPROCESSABLE_ENTITY, "The number changed meanwhile");
        let audit = admin.get("/organizations/acme/audit?action=credentials.revoked").await;
        assert_eq!(audit.html.matches("class=\"title\"").count(), 1);
        assert_eq!(app.audit_trail(&two.acme).await.iter().filter(|action| *action == "credentials.revoked").count(), 1);
        // What the API's query cannot say leads back to the list.
        admin.get(&format!("{path}?state=rolling")).await.leads_to(&format!("{TOKENS}?state=rolling"));
        admin.get(&format!("{path}?owner=nobody")).await.leads_to(&format!("{TOKENS}?owner=nobody"));
        admin.get(&format!("{path}?q=none")).await.shows(StatusCode::OK, "There is nothing to revoke");
    }

    async fn what_ends_is_whose_the_preview_told_whoever_is_called_so_by_then(app: &TestApp) {
        let two = Two::new(app).await;
        let admin = two.admin().await;
        let (_, zoe) = two.somebody(&two.acme, "zoe@acme.test", &[], &["invoices:read"]).await;
        let (_, max) = two.somebody(&two.acme, "max@acme.test", &[], &["invoices:read"]).await;
        let (of_zoe, of_max) = (token(app, &two, &zoe, "own").await.1, token(app, &two, &max, "own").await.1);
        let page = admin.get(&format!("{TOKENS}/revoke?owner=zoe%40acme")).await;
        page.shows(StatusCode::OK, "One token would end.");
        assert_eq!(page.field("owner"), zoe);
        // Meanwhile another is called so.
        for (user, email) in [(&zoe, "old@acme.test"), (&max, "zoe@acme.test")] {
            app.root().patch(&format!("/v1/users/{user}"), json!({ "email": email })).await.expect(StatusCode::OK);
        }
        let fields = hidden(&page);
        let done = send(&admin, &format!("{TOKENS}/revoke"), &form(&fields, &[("count", "1")])).await;
        done.shows(StatusCode::OK, "One token was revoked.");
        assert_eq!((app.code(&of_zoe).await, app.code(&of_max).await), ("revoked".to_owned(), "valid".to_owned()));
    }

    async fn whoever_governs_one_organization_does_not_end_what_administers_the_instance(app: &TestApp) {
        let two = Two::new(app).await;
        let admin = two.admin().await;
        let (_, zoe) = two.somebody(&two.acme, "zoe@acme.test", &[], &["invoices:read"]).await;
        let (id, secret) = token(app, &two, &zoe, "root").await;
        let given = json!({ "principal_id": zoe, "organization_id": two.acme, "role": "instance-admin", "scope": "instance" });
        app.root().post("/v1/assignments", given).await.expect(StatusCode::CREATED);
        let path = format!("{TOKENS}/{id}");
        send(&admin, &format!("{path}/revoke"), &[]).await.shows(StatusCode::FORBIDDEN, "This is not yours to do");
        send(&admin, &format!("{path}/disable"), &[]).await.shows(StatusCode::FORBIDDEN, "This is not yours to do");
        assert!(!admin.get(&path).await.html.contains(&format!("{path}/revoke")));
        admin.get(&format!("{TOKENS}/revoke")).await.shows(StatusCode::OK, "There is nothing to revoke");
        assert_eq!(app.code(&secret).await, "valid");
        // Whoever administers it too does.
        let root = two.root().await;
        root.get(&format!("{TOKENS}/revoke")).await.shows(StatusCode::OK, "One token would end.");
        send(&root, &format!("{path}/revoke"), &[]).await.leads_to(&format!("{path}?done=revoked"));
    }
}
