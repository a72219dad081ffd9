//! What a session at a portal opens beside its pages: its user's own tokens in that one organization, and nothing else.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Portal, READ};
use crate::{
    app::{Key, PUBLIC_URL, Reply, TestApp, text},
    authorization::{CLIENTS, DEVICES, OPEN, body, nobodys},
    browser::{Browser, PASSWORD},
};

const TOKENS: &str = "/v1/personal-access-tokens";

/// What it opens, beside its pages.
const OPENED: &[(&str, &str)] = &[
    ("GET", "/v1/session"),
    ("GET", "/v1/personal-access-tokens"),
    ("POST", "/v1/personal-access-tokens"),
    ("GET", "/v1/personal-access-tokens/{id}"),
    ("PATCH", "/v1/personal-access-tokens/{id}"),
    ("DELETE", "/v1/personal-access-tokens/{id}"),
    ("POST", "/v1/personal-access-tokens/{id}/roll"),
    ("POST", "/v1/personal-access-tokens/{id}/revoke"),
];

/// What scripts of a portal's pages hold.
struct Script<'a> {
    app: &'a TestApp,
    cookies: String,
    csrf: String,
}

impl<'a> Script<'a> {
    async fn of(app: &'a TestApp, browser: &Browser<'a>) -> Self {
        let csrf = browser.get("/portal").await.field("csrf");
        let cookies =
            browser.cookies.lock().unwrap().iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>();
        Self { app, cookies: cookies.join("; "), csrf }
    }

    async fn send_with(&self, csrf: &str, method: Method, path: &str, body: Option<Value>) -> Reply {
        let headers = [("cookie", self.cookies.as_str()), ("x-csrf-token", csrf), ("origin", PUBLIC_URL)];
        self.app.anonymous().send(method, path, body, &headers).await
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Reply {
        self.send_with(&self.csrf, method, path, body).await
    }

    async fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path, None).await
    }
}

impl<'a> Portal<'a> {
    async fn script(&self) -> Script<'a> {
        Script::of(self.app, &self.entered().await).await
    }

    /// A token of somebody, made by the administrator.
    pub(super) async fn token(&self, user: &str, organization: &str) -> Key {
        let body = json!({ "user_id": user, "organization_id": organization, "name": "x", "permissions": [] });
        Key::from(self.app.root().post(TOKENS, body).await.expect(StatusCode::CREATED))
    }
}

/// The paths of all pages, as the console's own lists of routes have them.
fn pages() -> Vec<String> {
    let (routes, of_one) =
        (include_str!("../../../src/console/mod.rs"), include_str!("../../../src/console/credential/routes.rs"));
    let quoted = |text: &'static str, before: &str| -> Vec<&'static str> {
        text.split(before).skip(1).filter_map(|rest| rest.split('"').next()).collect()
    };
    let mut pages: Vec<String> = quoted(routes, ".route(\"").into_iter().map(str::to_owned).collect();
    let bases = routes.split(".merge(of_one::<").skip(1).filter_map(|rest| rest.split('"').nth(1));
    let actions = quoted(of_one, ".route(&at(\"");
    assert!(actions.len() > 5, "{actions:?}");
    pages.extend(bases.flat_map(|base| actions.iter().map(move |action| format!("{base}/{{id}}{action}"))));
    pages
}

on_both_databases! {
    async fn whoever_let_a_user_in_does_not_come_to_reach_the_instance_with_them(app: &TestApp) {
        let portal = Portal::of_acme(app).await;
        let held = ["claviger:portal_sessions:write", "claviger:grants:write", READ];
        let backend = portal.key(&held, &["claviger:*", READ], json!({})).await;
        let made = portal.made(&app.client(&backend), json!({})).await.expect(StatusCode::CREATED);
        let enter = text(&made["url"]).strip_prefix(PUBLIC_URL).unwrap().to_owned();
        let browser = Browser::new(app);
        browser.get(&enter).await.leads_to("/portal");
        let script = Script::of(app, &browser).await;
        let new = json!({ "organization_id": portal.organization, "name": "planted", "permissions": [READ] });
        let planted = Key::from(script.send(Method::POST, TOKENS, Some(new)).await.expect(StatusCode::CREATED));
        assert_eq!(planted.body["created_by"], portal.alice, "she made it");
        let own = portal.token(&portal.alice, &portal.organization).await;
        let roll = format!("{TOKENS}/{}/roll", own.id);
        script.send(Method::POST, &roll, Some(json!({}))).await.expect(StatusCode::OK);

        let give = async || {
            let given = json!({
                "principal_id": portal.alice, "organization_id": portal.organization, "role": "instance-admin",
                "scope": "instance",
            });
            app.root().post("/v1/assignments", given).await
        };
        give().await.problem(StatusCode::CONFLICT, "credentials_of_others");
        for (id, left) in [(&planted.id, true), (&own.id, false)] {
            app.root().post(&format!("{TOKENS}/{id}/revoke"), json!({})).await.expect(StatusCode::OK);
            if left {
                give().await.problem(StatusCode::CONFLICT, "credentials_of_others");
            }
        }
        let open = portal.link().await;
        script.get(TOKENS).await.expect(StatusCode::OK);
        give().await.expect(StatusCode::CREATED);
        script.get(TOKENS).await.problem(StatusCode::UNAUTHORIZED, "unauthenticated");
        assert_ne!(Browser::new(app).get(&open).await.status, StatusCode::SEE_OTHER);
    }

    async fn somebody_manages_their_tokens_there(app: &TestApp) {
        let portal = Portal::of_acme(app).await;
        let script = portal.script().await;
        let session = script.get("/v1/session").await.expect(StatusCode::OK);
        assert_eq!((&session["kind"], &session["organization_ids"]), (&json!("portal"), &json!([portal.organization])));
        assert_eq!((&session["user_id"], &session["csrf_token"]), (&json!(portal.alice), &json!(script.csrf)));
        assert_eq!(session["return_url"], "https://app.acme.test/settings?tab=tokens");
        let new = json!({ "organization_id": portal.organization, "name": "laptop", "permissions": [READ] });
        let made = Key::from(script.send(Method::POST, TOKENS, Some(new.clone())).await.expect(StatusCode::CREATED));
        assert_eq!((app.code(&made.token).await.as_str(), &made.body["user_id"]), ("valid", &json!(portal.alice)));
        let path = format!("{TOKENS}/{}", made.id);
        script.send(Method::PATCH, &path, Some(json!({ "name": "desk" }))).await.expect(StatusCode::OK);
        let list = script.get(TOKENS).await.expect(StatusCode::OK);
        assert_eq!((list["items"].as_array().unwrap().len(), &list["items"][0]["name"]), (1, &json!("desk")));
        let wider = json!({ "organization_id": portal.organization, "name": "x", "permissions": ["invoices:write"] });
        script.send(Method::POST, TOKENS, Some(wider)).await.wrong("/permissions/0", "permission_not_held");

        // What lasts wants a portal that was opened lately; what ends something does not.
        app.clock.advance(SignedDuration::from_mins(10));
        assert_eq!(script.get("/v1/session").await.expect(StatusCode::OK)["fresh"], false);
        for (method, path, body) in [
            (Method::POST, TOKENS.to_owned(), new),
            (Method::POST, format!("{path}/roll"), json!({})),
            (Method::PATCH, path.clone(), json!({ "permissions": [] })),
        ] {
            script.send(method, &path, Some(body)).await.problem(StatusCode::FORBIDDEN, "reauthentication_required");
        }
        script.send(Method::POST, &format!("{path}/revoke"), Some(json!({}))).await.expect(StatusCode::OK);
        assert_eq!(app.code(&made.token).await, "revoked");
        let trail = app.root().get(&format!("/v1/audit-events?target={}", made.id)).await.expect(StatusCode::OK);
        assert_eq!(trail["items"][0]["actor"]["credential"], session["id"]);
    }

    async fn neither_other_organizations_nor_other_people_are_seen(app: &TestApp) {
        let portal = Portal::of_acme(app).await;
        portal.hold(&["organization-admin"], &[READ]).await;
        let (globex, _) = app.account("globex", &[]).await;
        let (bob, dora) = (app.user("bob@acme.test").await, app.user("dora@globex.test").await);
        for (organization, user) in [(&portal.organization, &bob), (&globex, &portal.alice), (&globex, &dora)] {
            let path = format!("/v1/organizations/{organization}/members/{user}");
            app.root().put(&path, json!({ "roles": [] })).await.expect(StatusCode::CREATED);
        }
        let own = portal.token(&portal.alice, &portal.organization).await;
        let strange =
            [portal.token(&bob, &portal.organization).await, portal.token(&portal.alice, &globex).await, portal.token(&dora, &globex).await];
        let script = portal.script().await;
        for query in ["", &format!("?user_id={}", portal.alice), &format!("?organization_id={}", portal.organization)] {
            let list = script.get(&format!("{TOKENS}{query}")).await.expect(StatusCode::OK);
            let ids: Vec<_> = list["items"].as_array().unwrap().iter().map(|one| text(&one["id"])).collect();
            assert_eq!(ids.join(" "), own.id, "{query}");
        }
        for query in [format!("?user_id={bob}"), format!("?organization_id={globex}"), format!("?user_id={dora}")] {
            assert_eq!(script.get(&format!("{TOKENS}{query}")).await.expect(StatusCode::OK)["items"], json!([]), "{query}");
        }
        for key in &strange {
            let path = format!("{TOKENS}/{}", key.id);
            for (method, path, body) in [
                (Method::GET, path.clone(), None),
                (Method::PATCH, path.clone(), Some(json!({ "name": "y" }))),
                (Method::DELETE, path.clone(), None),
                (Method::POST, format!("{path}/roll"), Some(json!({}))),
                (Method::POST, format!("{path}/revoke"), Some(json!({}))),
            ] {
                script.send(method, &path, body).await.problem(StatusCode::NOT_FOUND, "not_found");
            }
            assert_eq!(app.code(&key.token).await, "valid");
        }
        let make = async |organization: &str, user: Value| {
            let mut body = json!({ "organization_id": organization, "name": "x", "permissions": [] });
            body.as_object_mut().unwrap().extend(user.as_object().unwrap().clone());
            let reply = script.send(Method::POST, TOKENS, Some(body)).await;
            (reply.status, reply.body.to_string())
        };
        let absent = "org_01h455vb4pex5vsknk084sn02q";
        for user in [json!({}), json!({ "user_external_id": "u-1001" }), json!({ "user_external_id": "u-1" })] {
            let (there, nowhere) = (make(&globex, user.clone()).await, make(absent, user).await);
            assert_eq!((there.0, &there), (StatusCode::UNPROCESSABLE_ENTITY, &nowhere));
        }
        let nobody = json!({ "user_id": "user_01h455vb4pex5vsknk084sn02q" });
        let (others, nobodys) = (make(&portal.organization, json!({ "user_id": bob })).await, make(&portal.organization, nobody).await);
        assert_eq!((others.0, &others), (StatusCode::FORBIDDEN, &nobodys));
    }

    async fn the_token_says_which_of_two_sessions_is_meant(app: &TestApp) {
        let portal = Portal::of_acme(app).await;
        app.person("zoe@acme.test", Some(PASSWORD)).await;
        let browser = Browser::new(app);
        browser.sign_in("zoe@acme.test", PASSWORD).await.leads_to("/");
        browser.get(&portal.link().await).await.leads_to("/portal");
        browser.get("/").await.shows(StatusCode::OK, "Zoë");
        let script = Script::of(app, &browser).await;
        let session = async |csrf: &str| script.send_with(csrf, Method::GET, "/v1/session", None).await;
        let console = session("").await.expect(StatusCode::OK);
        assert_eq!((&console["kind"], &console["return_url"]), (&json!("console"), &Value::Null));
        assert_eq!(session(&text(&console["csrf_token"])).await.expect(StatusCode::OK), console);
        let own = session(&script.csrf).await.expect(StatusCode::OK);
        assert_eq!((&own["kind"], &own["user_id"]), (&json!("portal"), &json!(portal.alice)));
        session("x").await.problem(StatusCode::FORBIDDEN, "csrf_token_invalid");
        let new = json!({ "organization_id": portal.organization, "name": "x", "permissions": [] });
        let made = script.send(Method::POST, TOKENS, Some(new.clone())).await.expect(StatusCode::CREATED);
        assert_eq!(made["user_id"], json!(portal.alice));
        script.send_with("", Method::POST, TOKENS, Some(new.clone())).await.problem(StatusCode::FORBIDDEN, "csrf_token_invalid");
        // The portal's session ends: its scripts do not act as the other one.
        browser.fill_in("/portal", "/portal/leave", &[]).await.shows(StatusCode::OK, "You have left");
        for method in [Method::GET, Method::POST] {
            let body = (method == Method::POST).then(|| new.clone());
            script.send(method, TOKENS, body).await.problem(StatusCode::FORBIDDEN, "csrf_token_invalid");
        }
        let alone = Script::of(app, &portal.entered().await).await;
        alone.send_with("", Method::GET, TOKENS, None).await.problem(StatusCode::FORBIDDEN, "csrf_token_invalid");
    }

    async fn nothing_else_is_reached(app: &TestApp) {
        let portal = Portal::of_acme(app).await;
        portal.hold(&["organization-admin", "instance-admin"], &[READ]).await;
        let browser = portal.entered().await;
        let script = Script::of(app, &browser).await;
        let document = serde_json::to_value(claviger_server::openapi_document()).unwrap();
        let mut opened = BTreeSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for method in item.as_object().unwrap().keys().filter(|key| *key != "parameters") {
                let method = method.to_uppercase();
                // Of clients there are forms only, and a cookie proves neither a client nor a device.
                let route = (method.as_str(), path.as_str());
                if [OPEN, CLIENTS, DEVICES].iter().any(|list| list.contains(&route)) {
                    continue;
                }
                let sent = if path == "/v1/session" { path.clone() } else { nobodys(path) };
                let verb: Method = method.parse().unwrap();
                let reply = script.send(verb.clone(), &sent, body(&verb, path)).await;
                if reply.status == StatusCode::UNAUTHORIZED {
                    // A registration tells everybody but its client the same.
                    let code = if path.starts_with("/oauth/register/") { "invalid_token" } else { "unauthenticated" };
                    reply.problem(StatusCode::UNAUTHORIZED, code);
                } else {
                    opened.insert((method, path.clone()));
                }
            }
        }
        let expected: BTreeSet<_> = OPENED.iter().map(|(method, path)| ((*method).to_owned(), (*path).to_owned())).collect();
        assert_eq!(opened, expected);

        let pages = pages();
        for known in ["/portal", "/portal/{id}/roll", "/account/security", "/organizations/{organization}/api-keys/{id}/edit"] {
            assert!(pages.len() > 20 && pages.iter().any(|page| page == known), "{known}: {pages:?}");
        }
        let stranger = Browser::new(app);
        for path in pages.into_iter().filter(|path| !path.starts_with("/portal")) {
            for method in [Method::GET, Method::POST] {
                let form = [("csrf", script.csrf.as_str())];
                let form = (method == Method::POST).then_some(&form[..]);
                let headers = [("origin", PUBLIC_URL)];
                let seen = browser.send(method.clone(), &path, &headers, form).await;
                let nobody = stranger.send(method.clone(), &path, &headers, form).await;
                assert_eq!((seen.status, seen.location()), (nobody.status, nobody.location()), "{method} {path}");
                assert!(!seen.html.contains("Alice"), "{method} {path}: {}", seen.html);
            }
        }
    }
}
