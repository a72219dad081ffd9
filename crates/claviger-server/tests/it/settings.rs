//! The page of the instance itself: who sees it, what it tells, and how the keys that sign tokens are rotated there.

use jiff::SignedDuration;
use reqwest::StatusCode;
use serde_json::json;

use crate::{
    app::TestApp,
    browser::{Browser, PASSWORD, Page},
    first_run::administrator,
};

const ROTATE: &str = "/settings/signing-keys/rotate";
const REPLACE: &str = "/settings/signing-keys/replace";

/// Sends the form that a page shows.
async fn send(browser: &Browser<'_>, path: &str, shown: &Page, more: &[(&str, &str)]) -> Page {
    let (csrf, once) = (shown.field("csrf"), shown.field("once"));
    let fields: Vec<(&str, &str)> = more.iter().copied().chain([("csrf", csrf.as_str()), ("once", &once)]).collect();
    browser.post(path, &fields).await
}

/// How many keys are in each state, of ES256.
async fn states(app: &TestApp) -> Vec<String> {
    let keys = app.root().get("/v1/signing-keys").await.expect(StatusCode::OK);
    let of_it = keys["items"].as_array().unwrap().iter().filter(|key| key["algorithm"] == "ES256");
    of_it.map(|key| key["state"].as_str().unwrap().to_owned()).collect()
}

on_both_databases! {
    async fn whoever_administers_the_instance_sees_how_it_stands(app: &TestApp) {
        let admin = administrator(app).await;
        let page = admin.get("/settings").await;
        for told in ["ES256", "EdDSA", "clv_key_…", "/oauth/register", "http://127.0.0.1:7421", env!("CARGO_PKG_VERSION"), "Rotate now"] {
            page.shows(StatusCode::OK, told);
        }
        let engine = if page.html.contains("SQLite") { "SQLite" } else { "PostgreSQL" };
        page.shows(StatusCode::OK, engine);
    }

    async fn nobody_else_sees_it_or_rotates_keys(app: &TestApp) {
        let (organization, _) = app.account("acme", &[]).await;
        let user = app.person("zoe@acme.test", Some(PASSWORD)).await;
        let path = format!("/v1/organizations/{organization}/members/{user}");
        let body = json!({ "roles": ["organization-admin"], "permissions": [] });
        assert!(app.root().put(&path, body).await.status.is_success());
        let zoe = Browser::new(app);
        zoe.sign_in("zoe@acme.test", PASSWORD).await.leads_to("/");
        let csrf = zoe.get("/account/security").await.field("csrf");
        for path in ["/settings", ROTATE, REPLACE] {
            assert_eq!(zoe.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
            Browser::new(app).get(path).await.leads_to(&format!("/sign-in?next={}", path.replace('/', "%2F")));
        }
        for path in [ROTATE, REPLACE] {
            let sent = zoe.post(path, &[("csrf", &csrf), ("once", &"0".repeat(32))]).await;
            assert_eq!(sent.status, StatusCode::NOT_FOUND, "{path}");
        }
        assert!(!zoe.get("/organizations/acme").await.html.contains("href=\"/settings\""));
        // Who may only look is offered nothing to do.
        let given = json!({
            "principal_id": user, "organization_id": organization, "permission": "claviger:signing_keys:read", "scope": "instance",
        });
        app.root().post("/v1/assignments", given).await.expect(StatusCode::CREATED);
        let ceiling = json!({ "ceiling": ["*", "claviger:*"] });
        app.root().patch(&format!("/v1/organizations/{organization}"), ceiling).await.expect(StatusCode::OK);
        let seen = zoe.get("/settings").await;
        seen.shows(StatusCode::OK, "ES256");
        assert!(!seen.html.contains(ROTATE) && !seen.html.contains(REPLACE));
        assert_eq!(zoe.get(ROTATE).await.status, StatusCode::NOT_FOUND);
        assert_eq!(states(app).await, ["active"]);
    }

    async fn keys_are_rotated_in_time_and_once_for_each_form(app: &TestApp) {
        let admin = administrator(app).await;
        let shown = admin.get(ROTATE).await;
        shown.shows(StatusCode::OK, "No token stops working");
        let bare = admin.post(ROTATE, &[("once", &shown.field("once"))]).await;
        bare.shows(StatusCode::FORBIDDEN, "Nothing was changed");
        let odd = send(&admin, ROTATE, &shown, &[("algorithm", "none")]).await;
        odd.shows(StatusCode::FORBIDDEN, "Nothing was changed");
        send(&admin, ROTATE, &shown, &[("algorithm", "ES256")]).await.leads_to("/settings?done=rotated");
        admin.get("/settings?done=rotated").await.shows(StatusCode::OK, "signs in ten minutes");
        send(&admin, ROTATE, &shown, &[("algorithm", "ES256")]).await.leads_to("/settings?done=rotated");
        assert_eq!(states(app).await, ["announced", "active"]);
        // Another form, too early.
        let shown = admin.get(ROTATE).await;
        let early = send(&admin, ROTATE, &shown, &[("algorithm", "ES256")]).await;
        early.shows(StatusCode::UNPROCESSABLE_ENTITY, "published already");
        assert_eq!(states(app).await, ["announced", "active"]);
    }

    async fn in_an_emergency_every_key_before_is_gone_at_once(app: &TestApp) {
        let admin = administrator(app).await;
        let shown = admin.get(REPLACE).await;
        shown.shows(StatusCode::OK, "is refused at once");
        send(&admin, REPLACE, &shown, &[]).await.leads_to("/settings?done=replaced");
        send(&admin, REPLACE, &shown, &[]).await.leads_to("/settings?done=replaced");
        assert_eq!(states(app).await, ["active", "removed"]);
        let told = app.root().get("/v1/audit-events?action=signing_key.rotated&limit=1").await.expect(StatusCode::OK);
        assert_eq!(told["items"][0]["details"]["reason"], "compromised");
        app.clock.advance(SignedDuration::from_mins(11));
        admin.get(REPLACE).await.leads_to("/sign-in/again?next=%2Fsettings%2Fsigning-keys%2Freplace");
        let late = send(&admin, REPLACE, &shown, &[]).await;
        late.leads_to("/settings?done=replaced");
        assert_eq!(states(app).await, ["active", "removed"]);
    }
}
