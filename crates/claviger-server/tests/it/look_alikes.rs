//! Names that can be taken for each other: whoever makes, changes or sees a credential is told, as far as they may see.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    app::{Key, TestApp, text},
    browser::Browser,
};

const READ: &str = "invoices:read";
const OWN: &str = "claviger:personal_access_tokens:write";

/// The names of what is called alike, or `None` if nothing is.
fn alike(credential: &Value) -> Option<Vec<String>> {
    let mut names: Vec<_> =
        credential["look_alikes"].as_array().unwrap().iter().map(|one| text(&one["name"])).collect();
    names.sort_unstable();
    credential["look_alike"].as_bool().unwrap().then_some(names)
}

async fn named(app: &TestApp, account: &str, name: &str) -> Key {
    app.key(account, &[READ], json!({ "name": name })).await
}

/// A member of an organization who may have tokens there.
async fn member(app: &TestApp, organization: &str, email: &str, roles: &[&str]) -> String {
    let user = app.user(email).await;
    let path = format!("/v1/organizations/{organization}/members/{user}");
    app.root().put(&path, json!({ "roles": roles, "permissions": [READ] })).await.expect(StatusCode::CREATED);
    user
}

/// A token of a member's.
async fn token(app: &TestApp, organization: &str, user: &str, name: &str, permissions: &[&str]) -> Key {
    let body = json!({ "organization_id": organization, "user_id": user, "name": name, "permissions": permissions });
    Key::from(app.root().post("/v1/personal-access-tokens", body).await.expect(StatusCode::CREATED))
}

on_both_databases! {
    async fn a_name_that_looks_like_anothers_is_flagged_when_it_is_made_changed_and_shown(app: &TestApp) {
        app.declare_invoices().await;
        let (acme, account) = app.account("acme", &[READ]).await;
        let payments = named(app, &account, "payments").await;
        assert_eq!((&payments.body["look_alike"], &payments.body["look_alikes"]), (&json!(false), &json!([])));
        for name in ["p\u{430}yments", "payrnents", "\u{FF50}\u{FF41}\u{FF59}ments", "PAYMENTS"] {
            let key = named(app, &account, name).await;
            assert_eq!(alike(&key.body), Some(vec!["payments".to_owned()]), "{name}");
            let one = &key.body["look_alikes"][0];
            let told = json!({ "id": payments.id, "kind": "api_key", "name": "payments", "principal_id": account });
            assert_eq!(*one, told);
            app.root().post(&format!("/v1/api-keys/{}/revoke", key.id), json!({})).await.expect(StatusCode::OK);
        }
        // Who calls their own the same means to; the same of somebody else's may be mistaken.
        assert_eq!(alike(&named(app, &account, "payments").await.body), None);
        let other = app.account_in(&acme, &[READ]).await;
        let same = named(app, &other, "payments").await;
        assert_eq!(alike(&same.body), Some(vec!["payments".to_owned(); 2]));

        let path = format!("/v1/api-keys/{}", same.id);
        let renamed = app.root().patch(&path, json!({ "name": "invoices" })).await.expect(StatusCode::OK);
        assert_eq!(alike(&renamed), None);
        let renamed = app.root().patch(&path, json!({ "name": "Payments" })).await.expect(StatusCode::OK);
        assert_eq!(alike(&renamed), Some(vec!["payments".to_owned(); 2]));
        let shown = app.root().get(&path).await.expect(StatusCode::OK);
        assert_eq!(alike(&shown), alike(&renamed));
        let first = app.root().get(&format!("/v1/api-keys/{}", payments.id)).await.expect(StatusCode::OK);
        assert_eq!(alike(&first), Some(vec!["Payments".to_owned()]));
        let list = app.root().get("/v1/api-keys").await.expect(StatusCode::OK);
        assert!(list["items"].as_array().unwrap().iter().all(|key| key.get("look_alike").is_none()));

        // Of another organization nothing is told.
        let (_, elsewhere) = app.account("globex", &[READ]).await;
        assert_eq!(alike(&named(app, &elsewhere, "payments").await.body), None);
    }

    async fn white_space_around_a_name_is_refused_and_inside_makes_no_difference(app: &TestApp) {
        app.declare_invoices().await;
        let (_, account) = app.account("acme", &[READ]).await;
        for name in ["deploy ", " deploy", "deploy\u{A0}", "\u{3000}deploy", "deploy\u{200B}"] {
            let body = json!({ "service_account_id": account, "name": name, "permissions": [READ] });
            app.root().post("/v1/api-keys", body).await.wrong("/name", "invalid_name");
        }
        named(app, &account, "deploy bot").await;
        for name in ["deploy  bot", "deploy\u{A0}bot", "deploy\u{3000}bot", "deploy b\u{FE0F}ot"] {
            assert!(alike(&named(app, &account, name).await.body).is_some(), "{name:?}");
        }
    }

    async fn whoever_sees_only_their_own_is_told_that_there_is_one_and_not_whose(app: &TestApp) {
        app.declare_invoices().await;
        let (acme, account) = app.account("acme", &[READ]).await;
        let key = named(app, &account, "laptop").await;
        let alice = member(app, &acme, "alice@acme.test", &["member"]).await;
        let tool = token(app, &acme, &alice, "tool", &[READ, OWN, "claviger:personal_access_tokens:read"]).await;
        let ask = async |client: crate::app::Client<'_>, name: &str| {
            let body = json!({ "organization_id": acme, "user_id": alice, "name": name, "permissions": [READ] });
            client.post("/v1/personal-access-tokens", body).await.expect(StatusCode::CREATED)
        };
        let mine = ask(app.client(&tool.token), "laptop").await;
        assert_eq!((alike(&mine), mine.to_string().contains(&key.id)), (Some(vec![]), false));
        let shown = app.client(&tool.token).get(&format!("/v1/personal-access-tokens/{}", text(&mine["id"]))).await;
        assert_eq!(alike(&shown.expect(StatusCode::OK)), Some(vec![]));
        // One's own is seen.
        assert_eq!(alike(&ask(app.client(&tool.token), "Laptop").await), Some(vec!["laptop".to_owned()]));
        let admin = member(app, &acme, "admin@acme.test", &["organization-admin"]).await;
        let admin = token(app, &acme, &admin, "admin", &[READ, "claviger:*"]).await;
        assert_eq!(alike(&ask(app.client(&admin.token), "LAPTOP").await), Some(["Laptop", "laptop", "laptop"].map(str::to_owned).to_vec()));
    }

    async fn a_repeated_request_is_told_the_same(app: &TestApp) {
        app.declare_invoices().await;
        let (_, account) = app.account("acme", &[READ]).await;
        named(app, &account, "nightly").await;
        let body = json!({ "service_account_id": account, "name": "Nightly", "permissions": [READ] });
        let post = async || {
            let headers = [("idempotency-key", "once")];
            app.root().send(reqwest::Method::POST, "/v1/api-keys", Some(body.clone()), &headers).await
        };
        let (first, again) = (post().await.expect(StatusCode::CREATED), post().await.expect(StatusCode::CREATED));
        assert_eq!((alike(&first), &again["token"]), (Some(vec!["nightly".to_owned()]), &Value::Null));
        assert_eq!(first["look_alikes"], again["look_alikes"]);
    }

    async fn in_a_session_one_sees_ones_own(app: &TestApp) {
        app.declare_invoices().await;
        let (acme, account) = app.account("acme", &[READ]).await;
        named(app, &account, "laptop").await;
        let (browser, zoe) = Browser::of_zoe(app).await;
        let path = format!("/v1/organizations/{acme}/members/{zoe}");
        let rights = json!({ "roles": ["organization-admin"], "permissions": [READ] });
        app.root().put(&path, rights).await.expect(StatusCode::CREATED);
        let one = token(app, &acme, &zoe.to_string(), "laptop", &[READ]).await;
        assert_eq!(alike(&one.body), Some(vec!["laptop".to_owned()]));
        let shown = browser.get(&format!("/v1/personal-access-tokens/{}", one.id)).await;
        assert_eq!(alike(&serde_json::from_str(&shown.html).unwrap()), Some(vec![]));
    }
}
