//! What is taken away by a change elsewhere: tokens of before are dead for whoever asks us, in the status list and in the feed of what
//! ended, and a new token works with what is left.

use std::cell::RefCell;

use claviger_token::{CredentialId, TokenStatus};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    access_tokens::{claims, signed},
    app::{Key, Reply, SOON, TestApp, text, within},
    machine::Machine,
    revocations::min_epoch,
    status_list::{claim, state},
};

/// A key whose tokens are watched.
struct Watched<'a> {
    app: &'a TestApp,
    key: Key,
    /// The newest token that counted, and its epoch.
    newest: RefCell<(String, u64)>,
}

impl<'a> Watched<'a> {
    async fn new(app: &'a TestApp, key: Key) -> Self {
        let watched = Self { app, key, newest: RefCell::default() };
        watched.renew().await;
        watched
    }

    async fn epoch(&self) -> u64 {
        let id: CredentialId = self.key.id.parse().unwrap();
        self.app.app.store.find_credential(id).await.unwrap().unwrap().credential.epoch
    }

    /// Another token, of what the key is now.
    async fn renew(&self) {
        let epoch = self.epoch().await;
        let mut claims = claims(self.app, &self.key, "invoices:read invoices:write").await;
        claims.status = Some(claim(self.app, &self.key, epoch).await);
        let token = signed(self.app, &claims).await;
        assert_eq!(self.app.code(&token).await, "valid");
        assert_eq!(state(self.app, &claims.status.unwrap()).await, TokenStatus::Valid);
        self.newest.replace((token, epoch));
    }

    /// Whether what was done ended the newest token, everywhere.
    async fn is_ended_by(&self, what: &str) {
        let (token, epoch) = self.newest.borrow().clone();
        assert_eq!(self.app.code(&token).await, "revoked", "{what}: at once");
        let claim = claim(self.app, &self.key, epoch).await;
        within(SOON, what, async || state(self.app, &claim).await == TokenStatus::Invalid).await;
        within(SOON, what, async || min_epoch(self.app, &self.key.id).await > Some(epoch)).await;
    }

    async fn is_untouched_by(&self, what: &str) {
        let (token, epoch) = self.newest.borrow().clone();
        assert_eq!((self.app.code(&token).await.as_str(), self.epoch().await), ("valid", epoch), "{what}");
    }
}

async fn done(app: &TestApp, method: Method, path: &str, body: Value) {
    let reply: Reply = app.root().send(method, path, Some(body), &[]).await;
    assert!(reply.status.is_success(), "{path}: {}", reply.body);
}

on_both_databases! {
    async fn s04_the_first_token_of_a_credential_says_nothing_that_was_taken_from_it(app: &TestApp) {
        let client = app.machine().await;
        let mut other = app.another_node().await;
        for _ in 0..5 {
            // Never used, so that nobody could be told of the end of its tokens yet.
            let (secret_id, secret) = app.client_secret(&client.id, json!({})).await;
            let fresh = Machine { secret_id, secret, organization: client.organization.clone(), id: client.id.clone() };
            let both = json!({ "permissions": ["invoices:read", "invoices:write"] });
            done(app, Method::PATCH, &client.path(), both).await;
            app.form_of(&fresh, "/oauth/introspect", &[("token", "x")]).await.expect(StatusCode::OK);
            let one = json!({ "permissions": ["invoices:read"] });
            other.root().patch(&client.path(), one).await.expect(StatusCode::OK);
            let told = app.ask(&fresh, &[]).await.expect(StatusCode::OK);
            assert_eq!(told["scope"], "invoices:read", "what this node has in memory is of before");
        }
        other.finish().await;
    }

    async fn s04_what_a_service_account_loses_ends_its_tokens(app: &TestApp) {
        app.declare_invoices().await;
        let (organization, account) = app.account("acme", &["invoices:read", "invoices:write"]).await;
        let role = json!({ "name": "writer", "organization_id": organization, "permissions": ["invoices:write"] });
        let role = text(&app.root().post("/v1/roles", role).await.expect(StatusCode::CREATED)["id"]);
        let account = format!("/v1/service-accounts/{account}");
        done(app, Method::PATCH, &account, json!({ "roles": ["writer"] })).await;
        let key = app.key(account.rsplit('/').next().unwrap(), &["*"], json!({})).await;
        let watched = Watched::new(app, key).await;
        let (role, organization) = (format!("/v1/roles/{role}"), format!("/v1/organizations/{organization}"));
        let policy = format!("{organization}/policy");
        let [account, role, organization, policy] = [&account, &role, &organization, &policy].map(String::as_str);

        for (path, harmless) in [
            (account, json!({ "name": "renamed", "roles": ["writer"], "permissions": ["invoices:write", "invoices:read"] })),
            (role, json!({ "description": "x", "permissions": ["invoices:write", "invoices:read"] })),
            (organization, json!({ "name": "Acme", "ceiling": null })),
            (policy, json!({ "pat_default_lifetime_days": 5 })),
        ] {
            done(app, Method::PATCH, path, harmless).await;
            watched.is_untouched_by(path).await;
        }
        let ends = async |method: Method, path: &str, body: Value, restore: Option<(&str, Value)>| {
            let what = format!("{method} {path} {body}");
            done(app, method, path, body).await;
            watched.is_ended_by(&what).await;
            if let Some((path, body)) = restore {
                done(app, Method::PATCH, path, body).await;
                let (token, _) = watched.newest.borrow().clone();
                assert_eq!(app.code(&token).await, "revoked", "{what}: for good");
            }
            watched.renew().await;
        };
        let patch = Method::PATCH;
        ends(patch.clone(), account, json!({ "permissions": ["invoices:read"] }), None).await;
        ends(patch.clone(), role, json!({ "permissions": ["invoices:write"] }), None).await;
        ends(patch.clone(), account, json!({ "disabled": true }), Some((account, json!({ "disabled": false })))).await;
        ends(patch.clone(), organization, json!({ "disabled": true }), Some((organization, json!({ "disabled": false })))).await;
        ends(patch.clone(), organization, json!({ "ceiling": ["invoices:read"] }), Some((organization, json!({ "ceiling": null })))).await;
        ends(patch.clone(), policy, json!({ "wildcard_allowed": false }), Some((policy, json!({ "wildcard_allowed": true })))).await;
        ends(Method::DELETE, role, json!({}), None).await;
        let assigned = app.root().get(&format!("/v1/assignments?principal_id={}", account.rsplit('/').next().unwrap())).await;
        let assigned = text(&assigned.expect(StatusCode::OK)["items"][0]["id"]);
        ends(Method::DELETE, &format!("/v1/assignments/{assigned}"), json!({}), None).await;
        done(app, Method::PATCH, account, json!({ "permissions": ["invoices:read"] })).await;
        ends(patch, policy, json!({ "allowed_networks": ["10.0.0.0/8"] }), Some((policy, json!({ "allowed_networks": null })))).await;
    }

    async fn s04_what_an_api_declares_no_more_ends_everybodys_tokens(app: &TestApp) {
        let api = text(&app.declare_invoices().await["id"]);
        let api = format!("/v1/apis/{api}");
        let (_, account) = app.account("acme", &["invoices:read", "invoices:write"]).await;
        let watched = Watched::new(app, app.key(&account, &["*"], json!({})).await).await;
        done(app, Method::PATCH, &api, json!({ "name": "Bills" })).await;
        watched.is_untouched_by("a new name").await;
        done(app, Method::PATCH, &api, json!({ "permissions": [{ "name": "invoices:read" }] })).await;
        watched.is_ended_by("a permission is gone").await;
        watched.renew().await;
        done(app, Method::DELETE, &api, json!({})).await;
        watched.is_ended_by("the API is gone").await;
    }

    async fn s04_what_a_member_loses_ends_their_tokens_there(app: &TestApp) {
        app.declare_invoices().await;
        let (organization, _) = app.account("acme", &[]).await;
        let (elsewhere, _) = app.account("globex", &[]).await;
        let alice = app.user("alice@acme.test").await;
        let member = |organization: &str| format!("/v1/organizations/{organization}/members/{alice}");
        let both = json!({ "permissions": ["invoices:read", "invoices:write"], "roles": [] });
        let token = async |organization: &str| {
            done(app, Method::PUT, &member(organization), both.clone()).await;
            let made = json!({ "user_id": alice, "organization_id": organization, "name": "laptop", "permissions": ["*"] });
            let made = app.root().post("/v1/personal-access-tokens", made).await.expect(StatusCode::CREATED);
            Watched::new(app, Key::from(made)).await
        };
        let (here, there) = (token(&organization).await, token(&elsewhere).await);
        done(app, Method::PUT, &member(&organization), json!({ "permissions": ["invoices:read"], "roles": [] })).await;
        here.is_ended_by("a right is gone").await;
        there.is_untouched_by("what is lost elsewhere").await;
        here.renew().await;
        let user = format!("/v1/users/{alice}");
        done(app, Method::PATCH, &user, json!({ "name": "Alice" })).await;
        here.is_untouched_by("a new name").await;
        done(app, Method::PATCH, &user, json!({ "disabled": true })).await;
        for watched in [&here, &there] {
            watched.is_ended_by("their user is stopped").await;
        }
        done(app, Method::PATCH, &user, json!({ "disabled": false })).await;
        for watched in [&here, &there] {
            watched.renew().await;
        }
        done(app, Method::DELETE, &member(&organization), json!({})).await;
        here.is_ended_by("they left").await;
        there.is_untouched_by("who leaves elsewhere").await;
    }

    async fn s04_what_a_credential_itself_loses_ends_its_tokens(app: &TestApp) {
        app.declare_invoices().await;
        let (_, account) = app.account("acme", &["invoices:read", "invoices:write"]).await;
        let both = ["invoices:read", "invoices:write"];
        for (path, method, body) in [
            ("/revoke", Method::POST, json!({})),
            ("/roll", Method::POST, json!({})),
            ("", Method::PATCH, json!({ "permissions": ["invoices:read"] })),
            ("", Method::PATCH, json!({ "disabled": true })),
            ("", Method::PATCH, json!({ "objects": ["base:*"] })),
            ("", Method::DELETE, json!({})),
        ] {
            let watched = Watched::new(app, app.key(&account, &both, json!({})).await).await;
            let key = format!("/v1/api-keys/{}", watched.key.id);
            done(app, Method::POST, &format!("{key}/roll"), json!({ "overlap_seconds": 60 })).await;
            watched.is_untouched_by("a roll with an overlap").await;
            done(app, method.clone(), &format!("{key}{path}"), body).await;
            watched.is_ended_by(&format!("{method} {path}")).await;
        }
        let watched = Watched::new(app, app.key(&account, &both, json!({})).await).await;
        done(app, Method::DELETE, &format!("/v1/service-accounts/{account}"), json!({})).await;
        watched.is_ended_by("its account is gone").await;
    }
}
