//! Invitations: made, shown, taken back, and accepted by whoever has the link, once.

use claviger_core::{By, Rejection};
use claviger_server::{AcceptError, Invited};
use claviger_token::{Secret, UserId};
use jiff::SignedDuration;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    app::{Client, TestApp, text},
    browser::{Browser, PASSWORD},
};

fn code(made: &Value) -> Secret {
    Secret::new(text(&made["url"]).split_once("?code=").unwrap().1.to_owned())
}

/// Invites and tells what was made.
async fn invite(client: &Client<'_>, organization: &str, body: Value) -> Value {
    let mut whole = json!({ "email": "bob@acme.test", "roles": ["member"] });
    whole.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
    client.post(&format!("/v1/organizations/{organization}/invitations"), whole).await.expect(StatusCode::CREATED)
}

/// What comes of accepting: the user, or the code of the refusal.
async fn accept(app: &TestApp, code: &Secret, who: Invited) -> Result<UserId, String> {
    let by = By::system();
    app.app.accept_invitation(code, who, &by).await.map_err(|error| {
        let AcceptError::Rejected(Rejection::Conflict { code, .. }) = error else { panic!("{error:?}") };
        code.to_owned()
    })
}

fn new() -> Invited {
    Invited::New { name: Some("Bob".to_owned()) }
}

on_both_databases! {
    async fn an_invitation_makes_somebody_new_a_member_once(app: &TestApp) {
        app.declare_invoices().await;
        let (acme, _) = app.account("acme", &[]).await;
        let made = invite(&app.root(), &acme, json!({ "permissions": ["invoices:read"] })).await;
        assert!(text(&made["url"]).starts_with("https://claviger.test/invitation?code="));
        assert_eq!((&made["status"], &made["roles"], &made["permissions"]), (&json!("open"), &json!(["member"]), &json!(["invoices:read"])));
        let path = format!("/v1/organizations/{acme}/invitations/{}", text(&made["id"]));
        let shown = app.root().get(&path).await.expect(StatusCode::OK);
        assert!(shown.get("url").is_none());
        assert_eq!((&shown["email"], &shown["expires_at"]), (&json!("bob@acme.test"), &made["expires_at"]));

        let open = app.app.open_invitation(&code(&made)).await.unwrap().unwrap();
        assert_eq!((open.organization.slug.as_str(), open.is_known), ("acme", false));
        let bob = accept(app, &code(&made), new()).await.unwrap();
        assert_eq!(accept(app, &code(&made), Invited::User(bob)).await, Err("invitation_ended".to_owned()));
        assert!(app.app.open_invitation(&code(&made)).await.unwrap().is_none());
        let member = app.root().get(&format!("/v1/organizations/{acme}/members/{bob}")).await.expect(StatusCode::OK);
        assert_eq!((&member["email"], &member["name"]), (&json!("bob@acme.test"), &json!("Bob")));
        assert_eq!((&member["roles"], &member["permissions"]), (&json!(["member"]), &json!(["invoices:read"])));
        let user = app.root().get(&format!("/v1/users/{bob}")).await.expect(StatusCode::OK);
        assert_eq!(user["email_claimed"], true, "whoever had the link has the address");
        let shown = app.root().get(&path).await.expect(StatusCode::OK);
        assert_eq!((&shown["status"], &shown["accepted_by"]), (&json!("accepted"), &json!(bob)));
        app.root().delete(&path).await.problem(StatusCode::CONFLICT, "invitation_ended");
        assert_eq!(app.audit_trail(&text(&made["id"])).await, ["invitation.created", "invitation.accepted"]);
        let mut trail = app.audit_trail(&bob.to_string()).await;
        trail.sort_unstable();
        assert_eq!(trail, ["member.added", "user.created"], "at one moment, in two chains");
        let again = json!({ "email": "BOB@acme.test", "roles": [] });
        let again = app.root().post(&format!("/v1/organizations/{acme}/invitations"), again).await;
        again.problem(StatusCode::CONFLICT, "already_member");
    }

    async fn somebody_who_is_there_already_accepts_as_who_they_are(app: &TestApp) {
        app.declare_invoices().await;
        let (acme, _) = app.account("acme", &[]).await;
        let alice = app.user("alice@acme.test").await;
        let made = invite(&app.root(), &acme, json!({ "email": "Alice@acme.test" })).await;
        assert!(app.app.open_invitation(&code(&made)).await.unwrap().unwrap().is_known);
        assert_eq!(accept(app, &code(&made), new()).await, Err("sign_in_to_accept".to_owned()));
        let alice: UserId = alice.parse().unwrap();
        let disable = json!({ "disabled": true });
        app.root().patch(&format!("/v1/users/{alice}"), disable).await.expect(StatusCode::OK);
        assert_eq!(accept(app, &code(&made), Invited::User(alice)).await, Err("user_disabled".to_owned()));
        app.root().patch(&format!("/v1/users/{alice}"), json!({ "disabled": false })).await.expect(StatusCode::OK);
        assert_eq!(accept(app, &code(&made), Invited::User(alice)).await, Ok(alice));

        // Whoever belongs to it already keeps what they hold, and gets the rest.
        let more = invite(&app.root(), &acme, json!({ "email": "a.l@acme.test", "roles": ["auditor", "member"] })).await;
        assert_eq!(accept(app, &code(&more), Invited::User(alice)).await, Ok(alice));
        let member = app.root().get(&format!("/v1/organizations/{acme}/members/{alice}")).await.expect(StatusCode::OK);
        assert_eq!(member["roles"], json!(["member", "auditor"]));
    }

    async fn an_invitation_ends_with_its_time_its_revocation_and_its_organization(app: &TestApp) {
        let (acme, _) = app.account("acme", &[]).await;
        let alice: UserId = app.user("alice@acme.test").await.parse().unwrap();
        let ended = Err("invitation_ended".to_owned());
        let revoked = invite(&app.root(), &acme, json!({})).await;
        let path = format!("/v1/organizations/{acme}/invitations/{}", text(&revoked["id"]));
        app.root().delete(&path).await.expect(StatusCode::NO_CONTENT);
        assert_eq!(accept(app, &code(&revoked), Invited::User(alice)).await, ended);

        let short = invite(&app.root(), &acme, json!({ "expires_in_days": 1 })).await;
        let long = invite(&app.root(), &acme, json!({ "expires_in_days": 30 })).await;
        let orphaned = invite(&app.root(), &acme, json!({ "expires_in_days": 30 })).await;
        app.clock.advance(SignedDuration::from_hours(25));
        assert_eq!(accept(app, &code(&short), Invited::User(alice)).await, ended);
        let status = async |status: &str| {
            let list = format!("/v1/organizations/{acme}/invitations?status={status}");
            app.root().get(&list).await.expect(StatusCode::OK)["items"].as_array().unwrap().len()
        };
        assert_eq!((status("open").await, status("expired").await, status("revoked").await), (2, 1, 1));
        let organization = format!("/v1/organizations/{acme}");
        app.root().patch(&organization, json!({ "disabled": true })).await.expect(StatusCode::OK);
        assert_eq!(accept(app, &code(&long), Invited::User(alice)).await, ended);
        app.root().patch(&organization, json!({ "disabled": false })).await.expect(StatusCode::OK);
        assert_eq!(accept(app, &code(&long), Invited::User(alice)).await, Ok(alice));
        app.root().delete(&organization).await.expect(StatusCode::NO_CONTENT);
        assert_eq!(accept(app, &code(&orphaned), Invited::User(alice)).await, ended);
        for garbage in ["", "x", &"0".repeat(40), "../../x\0"] {
            assert_eq!(accept(app, &Secret::new(garbage.to_owned()), Invited::User(alice)).await, ended);
        }
    }

    async fn whoever_invites_must_hold_what_they_give_then_and_still_later(app: &TestApp) {
        app.declare_invoices().await;
        let (acme, account) = app.account("acme", &["claviger:members:write", "claviger:members:read", "invoices:read"]).await;
        let key = app.key(&account, &["claviger:members:write", "claviger:members:read", "invoices:read"], json!({})).await;
        let client = app.client(&key.token);
        let list = format!("/v1/organizations/{acme}/invitations");
        let refused = client.post(&list, json!({ "email": "b@acme.test", "roles": ["organization-admin"] })).await;
        refused.problem(StatusCode::FORBIDDEN, "permission_missing");
        let give = json!({ "email": "b@acme.test", "roles": [], "permissions": ["invoices:write"] });
        client.post(&list, give).await.problem(StatusCode::FORBIDDEN, "permission_missing");
        assert_eq!(client.get(&list).await.expect(StatusCode::OK)["items"], json!([]));

        let alice: UserId = app.user("alice@acme.test").await.parse().unwrap();
        let body = json!({ "roles": [], "permissions": ["invoices:read"] });
        let made = invite(&client, &acme, body.clone()).await;
        let lost = Err("inviter_lost_rights".to_owned());
        let path = format!("/v1/service-accounts/{account}");
        let hold = async |permissions: Value| {
            app.root().patch(&path, json!({ "permissions": permissions })).await.expect(StatusCode::OK);
        };
        hold(json!(["claviger:members:write"])).await;
        assert_eq!(accept(app, &code(&made), Invited::User(alice)).await, lost);
        hold(json!(["invoices:read"])).await;
        assert_eq!(accept(app, &code(&made), Invited::User(alice)).await, lost);
        hold(json!(["claviger:members:write", "invoices:read"])).await;
        app.root().patch(&path, json!({ "disabled": true })).await.expect(StatusCode::OK);
        assert_eq!(accept(app, &code(&made), Invited::User(alice)).await, lost);
        app.root().patch(&path, json!({ "disabled": false })).await.expect(StatusCode::OK);
        let path_of_key = format!("/v1/api-keys/{}", key.id);
        app.root().patch(&path_of_key, json!({ "disabled": true })).await.expect(StatusCode::OK);
        assert_eq!(accept(app, &code(&made), Invited::User(alice)).await, lost);
        app.root().patch(&path_of_key, json!({ "disabled": false })).await.expect(StatusCode::OK);
        assert_eq!(accept(app, &code(&made), Invited::User(alice)).await, Ok(alice));
        let stolen = app.key(&account, &["claviger:members:write", "invoices:read"], json!({})).await;
        let by_thief = invite(&app.client(&stolen.token), &acme, body.clone()).await;
        app.root().post(&format!("/v1/api-keys/{}/revoke", stolen.id), json!({})).await.expect(StatusCode::OK);
        assert_eq!(accept(app, &code(&by_thief), new()).await, lost, "a link ends with the key that made it");
        let made = invite(&client, &acme, body).await;
        app.root().delete(&path).await.expect(StatusCode::NO_CONTENT);
        assert_eq!(accept(app, &code(&made), new()).await, lost);
        let users = app.root().get("/v1/users?q=bob").await.expect(StatusCode::OK);
        assert_eq!(users["items"], json!([]), "nobody is made for an invitation that is not accepted");
    }

    async fn a_role_that_is_gone_brings_nothing(app: &TestApp) {
        let (acme, _) = app.account("acme", &[]).await;
        let role = json!({ "name": "own", "organization_id": acme, "permissions": [] });
        let role = text(&app.root().post("/v1/roles", role).await.expect(StatusCode::CREATED)["id"]);
        let made = invite(&app.root(), &acme, json!({ "roles": ["own", "member"] })).await;
        app.root().delete(&format!("/v1/roles/{role}")).await.expect(StatusCode::NO_CONTENT);
        let bob = accept(app, &code(&made), new()).await.unwrap();
        let member = app.root().get(&format!("/v1/organizations/{acme}/members/{bob}")).await.expect(StatusCode::OK);
        assert_eq!(member["roles"], json!(["member"]));
    }

    async fn every_wrong_member_is_named_and_a_repetition_shows_no_link(app: &TestApp) {
        let (acme, _) = app.account("acme", &[]).await;
        let list = format!("/v1/organizations/{acme}/invitations");
        let root = app.root();
        let sent = async |body: Value| root.post(&list, body).await;
        sent(json!({ "email": "x", "roles": [] })).await.wrong("/email", "invalid_email");
        sent(json!({ "email": "b@acme.test" })).await.wrong("/roles", "required");
        sent(json!({ "email": "b@acme.test", "roles": ["none"] })).await.wrong("/roles/0", "unknown_role");
        sent(json!({ "email": "b@acme.test", "roles": [], "permissions": ["x:y"] })).await.wrong("/permissions/0", "unknown_permission");
        sent(json!({ "email": "b@acme.test", "roles": [], "expires_in_days": 31 })).await.wrong("/expires_in_days", "invalid_expiry");
        sent(json!({ "email": "b@acme.test", "roles": [], "expires_in_days": -1 })).await.wrong("/expires_in_days", "invalid_value");
        root.get(&format!("{list}?status=lost")).await.problem(StatusCode::BAD_REQUEST, "invalid_query");
        let (body, key) = (json!({ "email": "b@acme.test", "roles": [] }), [("idempotency-key", "k")]);
        let made = root.send(Method::POST, &list, Some(body.clone()), &key).await.expect(StatusCode::CREATED);
        let again = root.send(Method::POST, &list, Some(body), &key).await.expect(StatusCode::CREATED);
        assert_eq!((&again["id"], &again["url"]), (&made["id"], &Value::Null));
        assert!(made["url"].is_string());
    }

    async fn of_many_who_use_one_link_at_once_one_gets_in(app: &TestApp) {
        let (acme, _) = app.account("acme", &[]).await;
        let made = invite(&app.root(), &acme, json!({})).await;
        let mut tasks = JoinSet::new();
        for number in 0..6 {
            let (node, code) = (app.app.clone(), code(&made));
            let user: UserId = app.user(&format!("u{number}@acme.test")).await.parse().unwrap();
            tasks.spawn(async move {
                let by = By::system();
                node.accept_invitation(&code, Invited::User(user), &by).await.is_ok()
            });
        }
        let mut accepted = 0;
        while let Some(done) = tasks.join_next().await {
            accepted += u32::from(done.unwrap());
        }
        let members = app.root().get(&format!("/v1/organizations/{acme}/members")).await.expect(StatusCode::OK);
        assert_eq!((accepted, members["items"].as_array().unwrap().len()), (1, 1));
    }

    async fn somebody_new_comes_by_a_link_chooses_a_password_and_is_in(app: &TestApp) {
        let (acme, _) = app.account("acme", &[]).await;
        let made = invite(&app.root(), &acme, json!({})).await;
        let link = format!("/invitation?code={}", code(&made).expose());
        let (browser, second) = (Browser::new(app), Browser::new(app));
        for browser in [&browser, &second] {
            browser.get(&link).await.leads_to("/invitation");
            browser.get("/invitation").await.shows(StatusCode::OK, "You are invited to acme");
        }
        let join = async |browser: &Browser<'_>, name: &str, new: &str| {
            let fields = [("name", name), ("new", new), ("again", new)];
            browser.fill_in("/invitation", "/invitation", &fields).await
        };
        join(&browser, "Bob", "bob@acme.test").await.shows(StatusCode::UNPROCESSABLE_ENTITY, "guessed quickly");
        join(&browser, "a\u{202E}b", PASSWORD).await.shows(StatusCode::UNPROCESSABLE_ENTITY, "characters that can be seen");
        let csrf = second.get("/invitation").await.field("csrf");
        join(&browser, "Bob <b>", PASSWORD).await.leads_to("/");
        browser.get("/").await.leads_to("/organizations/acme");
        browser.get("/organizations/acme").await.shows(StatusCode::OK, "Signed in as Bob &#60;b&#62;");
        browser.get(&link).await.leads_to("/invitation");
        browser.get("/invitation").await.shows(StatusCode::GONE, "used already");
        let fields = [("csrf", csrf.as_str()), ("new", PASSWORD), ("again", PASSWORD)];
        second.post("/invitation", &fields).await.shows(StatusCode::GONE, "used already");
        Browser::new(app).sign_in("bob@acme.test", PASSWORD).await.leads_to("/");
    }

    async fn somebody_who_has_an_account_signs_in_and_joins(app: &TestApp) {
        let (acme, _) = app.account("acme", &[]).await;
        app.person("bob@acme.test", Some(PASSWORD)).await;
        let made = invite(&app.root(), &acme, json!({})).await;
        let browser = Browser::new(app);
        browser.get(&format!("/invitation?code={}", code(&made).expose())).await.leads_to("/invitation");
        browser.get("/invitation").await.shows(StatusCode::OK, "has an account here");
        let fields = [("email", "bob@acme.test"), ("password", PASSWORD), ("next", "/invitation")];
        browser.fill_in("/sign-in?next=%2Finvitation", "/sign-in", &fields).await.leads_to("/invitation");
        let page = browser.get("/invitation").await;
        page.shows(StatusCode::OK, "Join");
        let csrf = page.field("csrf");
        browser.post("/invitation/accept", &[("csrf", "x")]).await.shows(StatusCode::FORBIDDEN, "Nothing was changed");
        browser.post("/invitation/accept", &[("csrf", &csrf)]).await.leads_to("/");
        browser.get("/").await.leads_to("/organizations/acme");
        browser.post("/invitation/accept", &[("csrf", &csrf)]).await.shows(StatusCode::GONE, "used already");
    }
}
