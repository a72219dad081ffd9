//! Fleets of devices: how they enrol by claim codes, renew by themselves, and end together.

use std::sync::Arc;

use jiff::SignedDuration;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    app::{PUBLIC_URL, Reply, TestApp, text},
    dpop::{Holder, ath},
    machine::{CLIENT_CREDENTIALS, TOKEN, claims},
};

const ENROL: &str = "/v1/enrolments";
const RENEW: &str = "/v1/enrolments/renew";
const TYPE: (&str, &str) = ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
const DAY: i64 = 24;

/// A fleet of `acme`, whose devices may read invoices.
pub(crate) struct Fleet<'a> {
    app: &'a TestApp,
    pub(crate) organization: String,
    id: String,
    pub(crate) path: String,
}

/// A device that enrolled.
struct Enrolled {
    key: Holder,
    id: String,
    body: Value,
}

impl<'a> Fleet<'a> {
    pub(crate) async fn made(app: &'a TestApp) -> Self {
        app.declare_invoices().await;
        let (organization, _) = app.account("acme", &[]).await;
        let body = json!({ "organization_id": organization, "name": "gateways", "permissions": ["invoices:read"] });
        let made = app.root().post("/v1/fleets", body).await;
        let location = made.header("location").unwrap().to_owned();
        let made = made.expect(StatusCode::CREATED);
        assert_eq!(location, format!("/v1/fleets/{}", text(&made["id"])));
        Self { app, organization, id: text(&made["id"]), path: location }
    }

    pub(crate) async fn code(&self, body: Value) -> String {
        let made = self.app.root().post(&format!("{}/claim-codes", self.path), body).await;
        text(&made.expect(StatusCode::CREATED)["claim_code"])
    }

    pub(crate) async fn codes(&self) -> Vec<Value> {
        let list = self.app.root().get(&format!("{}/claim-codes", self.path)).await.expect(StatusCode::OK);
        list["items"].as_array().unwrap().clone()
    }

    async fn device(&self, name: &str) -> Enrolled {
        let (key, code) = (Holder::new(), self.code(json!({})).await);
        let body = self.app.enrol(&code, name, &key).await.expect(StatusCode::CREATED);
        Enrolled { id: text(&body["service_account_id"]), key, body }
    }

    pub(crate) async fn devices(&self) -> Vec<Value> {
        let list = self.app.root().get(&format!("{}/devices", self.path)).await.expect(StatusCode::OK);
        list["items"].as_array().unwrap().clone()
    }

    pub(crate) async fn change(&self, changes: Value) -> Value {
        self.app.root().patch(&self.path, changes).await.expect(StatusCode::OK)
    }
}

impl TestApp {
    pub(crate) async fn enrol(&self, code: &str, name: &str, key: &Holder) -> Reply {
        let proof = key.proof(self, "POST", &format!("{PUBLIC_URL}{ENROL}"), code);
        self.enrol_with(json!({ "claim_code": code, "name": name, "jwk": key.jwk() }), &[&proof]).await
    }

    pub(crate) async fn enrol_with(&self, body: Value, proofs: &[&str]) -> Reply {
        let headers: Vec<_> = proofs.iter().map(|proof| ("dpop", *proof)).collect();
        self.anonymous().send(Method::POST, ENROL, Some(body), &headers).await
    }

    /// A renewal of `client` by the key that it has, with this one as the next.
    pub(crate) async fn renew(&self, client: &str, by: &Holder, next: &Holder) -> Reply {
        let assertion = by.assertion(self, client, &renewing(next));
        self.renew_asserting(&assertion, next).await
    }

    async fn renew_asserting(&self, assertion: &str, next: &Holder) -> Reply {
        let proof = next.proof(self, "POST", &format!("{PUBLIC_URL}{RENEW}"), assertion);
        let body = json!({ "client_assertion": assertion, "jwk": next.jwk() });
        self.anonymous().send(Method::POST, RENEW, Some(body), &[("dpop", &proof)]).await
    }

    async fn token_of(&self, client: &str, key: &Holder) -> Reply {
        let assertion = key.assertion(self, client, &json!({}));
        self.form(TOKEN, &[CLIENT_CREDENTIALS, TYPE, ("client_assertion", &assertion)]).await
    }
}

/// What an assertion says that renews.
fn renewing(next: &Holder) -> Value {
    json!({ "aud": format!("{PUBLIC_URL}{RENEW}"), "cnf": { "jkt": next.jkt() } })
}

impl Enrolled {
    async fn token(&self, app: &TestApp) -> String {
        text(&app.token_of(&self.id, &self.key).await.expect(StatusCode::OK)["access_token"])
    }
}

on_both_databases! {
    async fn a_device_enrols_acts_and_ends_with_its_fleet(app: &TestApp) {
        let fleet = Fleet::made(app).await;
        let device = fleet.device("SN-1").await;
        assert_eq!((&device.body["name"], &device.body["fleet_id"]), (&json!("SN-1"), &json!(fleet.id)));
        assert_eq!(device.body["organization_id"], json!(fleet.organization));
        assert_eq!((&device.body["issuer"], &device.body["token_endpoint"]), (&json!(PUBLIC_URL), &json!(format!("{PUBLIC_URL}{TOKEN}"))));
        let token = device.token(app).await;
        let said = claims(&token);
        assert_eq!((&said["sub"], &said["cred"]), (&json!(device.id), &device.body["public_key_id"]));
        assert_eq!(app.verify(&token, json!({ "permissions": ["invoices:read"] })).await["code"], "valid");
        assert_eq!(app.verify(&token, json!({ "permissions": ["invoices:write"] })).await["code"], "permission_missing");

        let listed = fleet.devices().await;
        assert_eq!((&listed[0]["service_account_id"], &listed[0]["status"]), (&json!(device.id), &json!("active")));
        assert_eq!((&listed[0]["expires_at"], &listed[0]["jwk_thumbprint"]), (&device.body["expires_at"], &json!(device.key.jkt())));
        let shown = app.root().get(&fleet.path).await.expect(StatusCode::OK);
        assert_eq!((&shown["devices"], &shown["permissions"], &shown["device_lifetime_days"]), (&json!(1), &json!(["invoices:read"]), &json!(90)));
        let mut trail = app.audit_trail(&device.id).await;
        // Both are of one moment.
        trail.sort();
        assert_eq!(trail, ["device.enrolled", "service_account.created"]);
        let event = app.root().get(&format!("/v1/audit-events?target={}&action=device.enrolled", device.id)).await;
        let event = event.expect(StatusCode::OK)["items"][0].clone();
        assert_eq!((&event["actor"]["id"], &event["actor"]["credential"]), (&json!(device.id), &device.body["public_key_id"]));
        assert_eq!(event["details"]["claim_code"], fleet.codes().await[0]["id"]);

        let open = fleet.code(json!({ "uses": 5 })).await;
        let revoked = app.root().post(&format!("{}/revoke", fleet.path), json!({ "reason": "compromised" })).await.expect(StatusCode::OK);
        assert_eq!(revoked["devices"], 0);
        assert_eq!(app.code(&token).await, "revoked");
        app.token_of(&device.id, &device.key).await.refusal(StatusCode::UNAUTHORIZED, "invalid_client");
        app.renew(&device.id, &device.key, &Holder::new()).await.wrong("/client_assertion", "invalid_client_assertion");
        app.enrol(&open, "SN-2", &Holder::new()).await.wrong("/claim_code", "invalid_claim_code");
        assert_eq!(fleet.devices().await[0]["status"], "revoked");
        assert!(app.audit_trail(&fleet.id).await.ends_with(&["fleet.revoked".to_owned()]));
        let key = app.root().get(&format!("/v1/service-accounts/{}/public-keys", device.id)).await.expect(StatusCode::OK);
        assert_eq!(key["items"][0]["revoke_reason"], "compromised");

        // The same thing comes back as another device.
        let again = fleet.device("SN-1").await;
        assert_ne!(again.id, device.id);
        let token = again.token(app).await;
        app.root().delete(&fleet.path).await.expect(StatusCode::NO_CONTENT);
        assert_eq!(app.code(&token).await, "revoked");
        for gone in [&fleet.path, &format!("/v1/service-accounts/{}", again.id)] {
            app.root().get(gone).await.problem(StatusCode::NOT_FOUND, "not_found");
        }
    }

    async fn of_eight_devices_at_once_one_enrols_by_a_code_for_one(app: &TestApp) {
        let fleet = Fleet::made(app).await;
        let race = async |uses: u32| {
            let (code, mut tasks) = (fleet.code(json!({ "uses": uses })).await, JoinSet::new());
            for number in 0..8 {
                let key = Holder::new();
                let proof = key.proof(app, "POST", &format!("{PUBLIC_URL}{ENROL}"), &code);
                let body = json!({ "claim_code": code, "name": format!("SN-{uses}-{number}"), "jwk": key.jwk() });
                let sent = app.request(Method::POST, app.public, ENROL).header("dpop", proof).json(&body);
                tasks.spawn(async move { sent.send().await.unwrap().status() });
            }
            let done = tasks.join_all().await;
            assert!(done.iter().all(|status| [StatusCode::CREATED, StatusCode::UNPROCESSABLE_ENTITY].contains(status)), "{done:?}");
            done.into_iter().filter(|status| *status == StatusCode::CREATED).count()
        };
        assert_eq!(race(1).await, 1);
        assert_eq!(race(3).await, 3);
        assert_eq!(fleet.devices().await.len(), 4);
        let codes = fleet.codes().await;
        assert!(codes.iter().all(|code| code["status"] == "used_up" && code["uses_left"] == 0), "{codes:?}");
    }

    async fn one_device_that_asks_eight_times_at_once_enrols_once(app: &TestApp) {
        let fleet = Fleet::made(app).await;
        let (code, key, mut tasks) = (fleet.code(json!({ "uses": 8 })).await, Arc::new(Holder::new()), JoinSet::new());
        for _ in 0..8 {
            let proof = key.proof(app, "POST", &format!("{PUBLIC_URL}{ENROL}"), &code);
            let body = json!({ "claim_code": code, "name": "SN-1", "jwk": key.jwk() });
            let sent = app.request(Method::POST, app.public, ENROL).header("dpop", proof).json(&body);
            tasks.spawn(async move { sent.send().await.unwrap().json::<Value>().await.unwrap() });
        }
        let answers = tasks.join_all().await;
        assert!(answers.iter().all(|answer| answer == &answers[0] && answer["name"] == "SN-1"), "{answers:?}");
        assert_eq!((fleet.devices().await.len(), &fleet.codes().await[0]["uses_left"]), (1, &json!(7)));
    }

    async fn a_repeated_enrolment_is_answered_as_before_and_takes_no_use(app: &TestApp) {
        let fleet = Fleet::made(app).await;
        let (code, key) = (fleet.code(json!({})).await, Holder::new());
        let first = app.enrol(&code, "SN-1", &key).await.expect(StatusCode::CREATED);
        app.clock.advance(SignedDuration::from_hours(2 * DAY));
        assert_eq!(app.enrol(&code, "SN-1", &key).await.expect(StatusCode::CREATED), first);
        // Not with another key, nor under another name.
        app.enrol(&code, "SN-1", &Holder::new()).await.wrong("/claim_code", "invalid_claim_code");
        app.enrol(&code, "SN-2", &key).await.wrong("/claim_code", "invalid_claim_code");
        let next = fleet.code(json!({ "uses": 2 })).await;
        app.enrol(&next, "SN-1", &key).await.problem(StatusCode::CONFLICT, "device_exists");
        app.enrol(&next, "SN-2", &key).await.problem(StatusCode::CONFLICT, "key_exists");
        assert_eq!(fleet.codes().await[0]["uses_left"], 2);
        // A device that was stopped is not told that it is one.
        let account = format!("/v1/service-accounts/{}", text(&first["service_account_id"]));
        app.root().patch(&account, json!({ "disabled": true })).await.expect(StatusCode::OK);
        app.enrol(&code, "SN-1", &key).await.wrong("/claim_code", "invalid_claim_code");
        assert_eq!(fleet.devices().await[0]["status"], "disabled");
        // What is deleted leaves its name and its key.
        app.root().delete(&account).await.expect(StatusCode::NO_CONTENT);
        app.enrol(&code, "SN-1", &key).await.wrong("/claim_code", "invalid_claim_code");
        app.enrol(&next, "SN-1", &key).await.expect(StatusCode::CREATED);
    }

    async fn a_refused_enrolment_takes_no_use(app: &TestApp) {
        let fleet = Fleet::made(app).await;
        let (code, key) = (fleet.code(json!({})).await, Holder::new());
        let url = format!("{PUBLIC_URL}{ENROL}");
        let sound = || key.proof(app, "POST", &url, &code);
        let body = |members: Value| {
            let mut body = json!({ "claim_code": code, "name": "SN-1", "jwk": key.jwk() });
            body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
            body
        };
        for (proofs, code) in [
            (vec![], "invalid_dpop_proof"),
            (vec![sound(), sound()], "invalid_dpop_proof"),
            (vec!["x".to_owned()], "invalid_dpop_proof"),
            (vec![key.proof_with(app, json!({ "htu": url }))], "invalid_dpop_proof"),
            (vec![key.proof_with(app, json!({ "htu": url, "ath": ath("clv_claim_x") }))], "invalid_dpop_proof"),
            (vec![key.proof(app, "GET", &url, &code)], "invalid_dpop_proof"),
            (vec![key.proof(app, "POST", &format!("{PUBLIC_URL}{TOKEN}"), &code)], "invalid_dpop_proof"),
            (vec![key.proof_with(app, json!({ "htu": url, "ath": ath(&code), "iat": app.app.now().as_second() - 61 }))], "invalid_dpop_proof"),
        ] {
            let proofs: Vec<&str> = proofs.iter().map(String::as_str).collect();
            app.enrol_with(body(json!({})), &proofs).await.problem(StatusCode::UNAUTHORIZED, code);
        }
        let other = Holder::new().proof(app, "POST", &url, &code);
        app.enrol_with(body(json!({})), &[&other]).await.wrong("/jwk", "key_not_proved");
        let mut private = key.jwk();
        private["d"] = json!("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI");
        app.enrol_with(body(json!({ "jwk": private })), &[&sound()]).await.wrong("/jwk", "invalid_jwk");
        for name in ["", " x", "a\u{0}", "a\u{202e}b", &"x".repeat(101)] {
            app.enrol_with(body(json!({ "name": name })), &[&sound()]).await.wrong("/name", "invalid_name");
        }
        app.enrol_with(body(json!({ "csr": "-----BEGIN" })), &[&sound()]).await.wrong("/csr", "one_of");
        app.enrol_with(body(json!({ "jwk": null })), &[&sound()]).await.wrong("/jwk", "required");
        app.enrol_with(body(json!({ "jwk": null })), &[]).await.wrong("/jwk", "required");
        app.enrol_with(body(json!({ "key": {} })), &[&sound()]).await.wrong("/key", "unknown_member");
        app.enrol_with(body(json!({ "claim_code": 7 })), &[&sound()]).await.wrong("/claim_code", "invalid_type");
        assert_eq!(fleet.codes().await[0]["uses_left"], 1);
        let proof = sound();
        app.enrol_with(body(json!({})), &[&proof]).await.expect(StatusCode::CREATED);
        // A proof counts once, whatever came of it.
        app.enrol_with(body(json!({})), &[&proof]).await.problem(StatusCode::UNAUTHORIZED, "invalid_dpop_proof");
    }

    async fn an_organization_ends_only_once_its_fleets_have(app: &TestApp) {
        let fleet = Fleet::made(app).await;
        let device = fleet.device("SN-1").await;
        let (token, code, organization) =
            (device.token(app).await, fleet.code(json!({})).await, format!("/v1/organizations/{}", fleet.organization));
        app.root().delete(&organization).await.problem(StatusCode::CONFLICT, "has_fleets");
        // Nothing has ended by that.
        assert_eq!(app.code(&token).await, "valid");
        app.enrol(&code, "SN-2", &Holder::new()).await.expect(StatusCode::CREATED);
        let other = app.root().post("/v1/organizations", json!({ "name": "Other", "slug": "other" })).await;
        let other = text(&other.expect(StatusCode::CREATED)["id"]);
        app.root().delete(&format!("/v1/organizations/{other}")).await.expect(StatusCode::NO_CONTENT);
        app.root().delete(&fleet.path).await.expect(StatusCode::NO_CONTENT);
        app.root().delete(&organization).await.expect(StatusCode::NO_CONTENT);
        assert_eq!(app.code(&token).await, "revoked");
        // A fleet would come into nothing.
        let late = json!({ "organization_id": fleet.organization, "name": "late" });
        app.root().post("/v1/fleets", late).await.wrong("/organization_id", "unknown_organization");
    }

    async fn codes_that_do_not_count_look_alike_and_whoever_guesses_waits(app: &TestApp) {
        let fleet = Fleet::made(app).await;
        let used = fleet.code(json!({})).await;
        app.enrol(&used, "SN-1", &Holder::new()).await.expect(StatusCode::CREATED);
        let expired = fleet.code(json!({ "expires_at": app.app.now() + SignedDuration::from_secs(1) })).await;
        app.clock.advance(SignedDuration::from_secs(1));
        let revoked = fleet.code(json!({})).await;
        let id = text(&fleet.codes().await[0]["id"]);
        app.root().delete(&format!("{}/claim-codes/{id}", fleet.path)).await.expect(StatusCode::NO_CONTENT);
        app.root().delete(&format!("{}/claim-codes/{id}", fleet.path)).await.problem(StatusCode::CONFLICT, "revoked");
        let mut unknown = revoked.clone();
        unknown.replace_range(10..14, "AAAA");
        let mut said = Vec::new();
        let nothing = "clv_claim_000000000000000000000000000000001H8smx";
        for code in [used.as_str(), &expired, &revoked, &unknown, nothing, "", "x", app.root_token()] {
            let reply = app.enrol(code, "SN-2", &Holder::new()).await;
            said.push((reply.status, reply.body.to_string()));
            // Whether the key is proved makes no difference.
            let body = json!({ "claim_code": code, "name": "SN-2", "jwk": {} });
            let reply = app.enrol_with(body, &[]).await;
            said.push((reply.status, reply.body.to_string()));
        }
        assert!(said.iter().all(|one| one == &said[0] && one.1.contains("invalid_claim_code")), "{said:?}");
        let statuses: Vec<_> = fleet.codes().await.iter().map(|code| text(&code["status"])).collect();
        assert_eq!(statuses, ["revoked", "expired", "used_up"]);
        for _ in 0..60 {
            app.enrol(nothing, "x", &Holder::new()).await;
        }
        let waits = app.enrol(nothing, "x", &Holder::new()).await;
        assert!(waits.header("retry-after").is_some());
        waits.problem(StatusCode::TOO_MANY_REQUESTS, "rate_limited");
        // Whoever has one does not wait.
        fleet.device("SN-2").await;
    }

    async fn a_claim_code_is_good_for_nothing_else_and_nothing_else_for_it(app: &TestApp) {
        let fleet = Fleet::made(app).await;
        let code = fleet.code(json!({})).await;
        app.client(&code).get("/v1/token").await.problem(StatusCode::UNAUTHORIZED, "invalid_token");
        assert_eq!(app.code(&code).await, "unknown");
        app.form(TOKEN, &[CLIENT_CREDENTIALS, ("client_id", "x"), ("client_secret", &code)]).await.refusal(StatusCode::UNAUTHORIZED, "invalid_client");
        let shown = app.root().get(&format!("{}/claim-codes/{}", fleet.path, text(&fleet.codes().await[0]["id"]))).await.expect(StatusCode::OK);
        assert_eq!((&shown["hint"], &shown["claim_code"]), (&json!(code[10..14]), &Value::Null));
        // Asked for again, it is not shown again.
        let path = format!("{}/claim-codes", fleet.path);
        let post = async || app.root().send(Method::POST, &path, Some(json!({})), &[("idempotency-key", "a")]).await.expect(StatusCode::CREATED);
        let (first, second) = (post().await, post().await);
        assert_eq!((&first["id"], &second["claim_code"]), (&second["id"], &Value::Null));
    }

    async fn nobody_lets_devices_have_what_they_could_not_give(app: &TestApp) {
        let fleet = Fleet::made(app).await;
        let account = app.account_in(&fleet.organization, &["claviger:fleets:write"]).await;
        let key = app.key(&account, &["*", "claviger:*"], json!({})).await;
        let (narrow, codes) = (app.client(&key.token), format!("{}/claim-codes", fleet.path));
        narrow.post(&codes, json!({})).await.problem(StatusCode::FORBIDDEN, "permission_missing");
        let more = json!({ "organization_id": fleet.organization, "name": "x", "permissions": ["invoices:read"] });
        narrow.post("/v1/fleets", more).await.problem(StatusCode::FORBIDDEN, "permission_missing");
        narrow.patch(&fleet.path, json!({ "permissions": ["invoices:write"] })).await.problem(StatusCode::FORBIDDEN, "permission_missing");
        fleet.change(json!({ "closed": true })).await;
        narrow.patch(&fleet.path, json!({ "closed": false })).await.problem(StatusCode::FORBIDDEN, "permission_missing");
        fleet.change(json!({ "closed": false })).await;
        // Nor longer than they have it, while less is always possible.
        narrow.patch(&fleet.path, json!({ "device_lifetime_days": 91 })).await.problem(StatusCode::FORBIDDEN, "permission_missing");
        narrow.patch(&fleet.path, json!({ "device_lifetime_days": 89 })).await.expect(StatusCode::OK);
        // Who may, makes a code that counts as long as they may.
        let rights = json!({ "permissions": ["claviger:fleets:write", "invoices:read"] });
        let path = format!("/v1/service-accounts/{account}");
        app.root().patch(&path, rights.clone()).await.expect(StatusCode::OK);
        let code = text(&narrow.post(&codes, json!({ "uses": 9 })).await.expect(StatusCode::CREATED)["claim_code"]);
        app.enrol(&code, "SN-1", &Holder::new()).await.expect(StatusCode::CREATED);
        app.root().patch(&path, json!({ "permissions": ["claviger:fleets:write"] })).await.expect(StatusCode::OK);
        app.enrol(&code, "SN-2", &Holder::new()).await.wrong("/claim_code", "invalid_claim_code");
        app.root().patch(&path, rights).await.expect(StatusCode::OK);
        app.enrol(&code, "SN-2", &Holder::new()).await.expect(StatusCode::CREATED);
        app.root().post(&format!("/v1/api-keys/{}/revoke", key.id), json!({})).await.expect(StatusCode::OK);
        app.enrol(&code, "SN-3", &Holder::new()).await.wrong("/claim_code", "invalid_claim_code");
        // Neither fleets nor codes of elsewhere are seen.
        let (globex, _) = app.account("globex", &[]).await;
        let stranger = app.holder_of("organization-admin", &globex).await;
        let stranger = app.client(&stranger.token);
        for path in [&fleet.path, &codes, &format!("{}/devices", fleet.path)] {
            stranger.get(path).await.problem(StatusCode::NOT_FOUND, "not_found");
        }
        stranger.post(&codes, json!({})).await.problem(StatusCode::NOT_FOUND, "not_found");
        stranger.post(&format!("{}/revoke", fleet.path), json!({})).await.problem(StatusCode::NOT_FOUND, "not_found");
        stranger.delete(&fleet.path).await.problem(StatusCode::NOT_FOUND, "not_found");
        assert_eq!(stranger.get("/v1/fleets").await.expect(StatusCode::OK)["items"], json!([]));
        let elsewhere = json!({ "organization_id": fleet.organization, "name": "x" });
        stranger.post("/v1/fleets", elsewhere).await.wrong("/organization_id", "unknown_organization");
    }

    async fn a_code_brings_no_more_than_the_fleet_gave_with_it(app: &TestApp) {
        let fleet = Fleet::made(app).await;
        let code = fleet.code(json!({ "uses": 9 })).await;
        assert_eq!(fleet.codes().await[0]["permissions"], json!(["invoices:read"]));
        fleet.change(json!({ "permissions": ["invoices:read", "invoices:write"] })).await;
        app.enrol(&code, "SN-1", &Holder::new()).await.wrong("/claim_code", "invalid_claim_code");
        fleet.device("SN-1").await;
        fleet.change(json!({ "permissions": ["invoices:read"] })).await;
        app.enrol(&code, "SN-2", &Holder::new()).await.expect(StatusCode::CREATED);
    }

    async fn a_device_that_was_deleted_does_not_come_back_by_its_code(app: &TestApp) {
        let fleet = Fleet::made(app).await;
        let (code, key) = (fleet.code(json!({ "uses": 9 })).await, Holder::new());
        let made = app.enrol(&code, "SN-1", &key).await.expect(StatusCode::CREATED);
        app.root().delete(&format!("/v1/service-accounts/{}", text(&made["service_account_id"]))).await.expect(StatusCode::NO_CONTENT);
        app.enrol(&code, "SN-1", &key).await.wrong("/claim_code", "invalid_claim_code");
        app.enrol(&code, "SN-1", &Holder::new()).await.wrong("/claim_code", "invalid_claim_code");
        app.enrol(&code, "SN-2", &key).await.wrong("/claim_code", "invalid_claim_code");
        assert_eq!(fleet.codes().await[0]["uses_left"], 8);
        app.enrol(&code, "SN-2", &Holder::new()).await.expect(StatusCode::CREATED);
    }

    async fn a_key_counts_as_made_by_its_code_whoever_made_that(app: &TestApp) {
        let fleet = Fleet::made(app).await;
        // Root could give all of it, and handed the code to somebody.
        let made = app.root().post(&format!("{}/claim-codes", fleet.path), json!({})).await.expect(StatusCode::CREATED);
        let (key, next) = (Holder::new(), Holder::new());
        let device = app.enrol(&text(&made["claim_code"]), "SN-1", &key).await.expect(StatusCode::CREATED);
        let id = text(&device["service_account_id"]);
        let everywhere = json!({ "principal_id": id, "scope": "instance", "permission": "claviger:users:read" });
        let give = async || app.root().post("/v1/assignments", everywhere.clone()).await;
        give().await.problem(StatusCode::CONFLICT, "credentials_of_others");
        app.renew(&id, &key, &next).await.expect(StatusCode::CREATED);
        let keys = app.root().get(&format!("/v1/service-accounts/{id}/public-keys")).await.expect(StatusCode::OK);
        for key in keys["items"].as_array().unwrap() {
            assert_eq!(key["created_by"], made["id"]);
        }
        give().await.problem(StatusCode::CONFLICT, "credentials_of_others");
    }

    async fn what_lets_devices_go_on_asks_for_all_that_they_hold(app: &TestApp) {
        let fleet = Fleet::made(app).await;
        let device = fleet.device("SN-1").await;
        let account = app.account_in(&fleet.organization, &["claviger:fleets:write", "invoices:read"]).await;
        let key = app.key(&account, &["*", "claviger:*"], json!({})).await;
        let narrow = app.client(&key.token);
        narrow.patch(&fleet.path, json!({ "device_lifetime_days": 91 })).await.expect(StatusCode::OK);
        // Somebody gave the device something besides.
        let besides = json!({ "principal_id": device.id, "permission": "invoices:write" });
        app.root().post("/v1/assignments", besides).await.expect(StatusCode::CREATED);
        let refused = async |changes| narrow.patch(&fleet.path, changes).await.problem(StatusCode::FORBIDDEN, "permission_missing");
        refused(json!({ "device_lifetime_days": 92 })).await;
        narrow.patch(&fleet.path, json!({ "closed": true, "device_lifetime_days": 90 })).await.expect(StatusCode::OK);
        refused(json!({ "closed": false })).await;
        fleet.change(json!({ "closed": false })).await;
    }

    async fn a_revoked_fleet_that_is_deleted_leaves_no_account(app: &TestApp) {
        let fleet = Fleet::made(app).await;
        let device = fleet.device("SN-1").await;
        app.root().post(&format!("{}/revoke", fleet.path), json!({})).await.expect(StatusCode::OK);
        let account = format!("/v1/service-accounts/{}", device.id);
        app.root().get(&account).await.expect(StatusCode::OK);
        app.root().delete(&fleet.path).await.expect(StatusCode::NO_CONTENT);
        app.root().get(&account).await.problem(StatusCode::NOT_FOUND, "not_found");
    }

    async fn what_a_fleet_gives_its_devices_have_at_once(app: &TestApp) {
        let fleet = Fleet::made(app).await;
        let (one, other) = (fleet.device("SN-1").await, fleet.device("SN-2").await);
        let (token, before) = (one.token(app).await, other.token(app).await);
        let can = async |token: &str, permission: &str| text(&app.verify(token, json!({ "permissions": [permission] })).await["code"]);
        let role = json!({ "name": "writer", "organization_id": fleet.organization, "permissions": ["invoices:write"] });
        let role = text(&app.root().post("/v1/roles", role).await.expect(StatusCode::CREATED)["id"]);
        let changed = fleet.change(json!({ "roles": ["writer"] })).await;
        assert_eq!((&changed["roles"], &changed["permissions"]), (&json!(["writer"]), &json!(["invoices:read"])));
        assert_eq!(can(&one.token(app).await, "invoices:write").await, "valid");
        fleet.change(json!({ "permissions": [], "roles": ["writer"] })).await;
        // Offline verifiers know it by the epoch, as of every right that is taken away.
        for token in [&token, &before] {
            assert_eq!(can(token, "invoices:read").await, "revoked");
        }
        assert_eq!(can(&one.token(app).await, "invoices:read").await, "permission_missing");
        let account = app.root().get(&format!("/v1/service-accounts/{}", one.id)).await.expect(StatusCode::OK);
        assert_eq!((&account["roles"], &account["permissions"]), (&json!(["writer"]), &json!([])));
        // A role that is gone is given to nobody.
        app.root().delete(&format!("/v1/roles/{role}")).await.expect(StatusCode::NO_CONTENT);
        assert_eq!(app.root().get(&fleet.path).await.expect(StatusCode::OK)["roles"], json!([]));
        let third = fleet.device("SN-3").await;
        app.token_of(&third.id, &third.key).await.refusal(StatusCode::BAD_REQUEST, "invalid_scope");
        app.root().patch(&fleet.path, json!({ "roles": ["nobody"] })).await.wrong("/roles/0", "unknown_role");
        app.root().patch(&fleet.path, json!({ "permissions": ["a:b"] })).await.wrong("/permissions/0", "unknown_permission");
    }

    async fn an_organization_has_a_hundred_fleets_and_a_fleet_a_hundred_open_codes(app: &TestApp) {
        let fleet = Fleet::made(app).await;
        let codes = format!("{}/claim-codes", fleet.path);
        let body = |number: i32| json!({ "organization_id": fleet.organization, "name": format!("f{number}") });
        for number in 1..100 {
            app.root().post("/v1/fleets", body(number)).await.expect(StatusCode::CREATED);
            fleet.code(json!({})).await;
        }
        app.root().post("/v1/fleets", body(100)).await.problem(StatusCode::CONFLICT, "too_many");
        let last = fleet.code(json!({})).await;
        app.root().post(&codes, json!({})).await.problem(StatusCode::CONFLICT, "too_many");
        // One that is used up makes room.
        app.enrol(&last, "SN-1", &Holder::new()).await.expect(StatusCode::CREATED);
        fleet.code(json!({})).await;
    }

    async fn a_device_renews_its_key_without_a_gap(app: &TestApp) {
        let fleet = Fleet::made(app).await;
        let device = fleet.device("SN-1").await;
        app.clock.advance(SignedDuration::from_hours(80 * DAY));
        let token = device.token(app).await;
        let next = Holder::new();
        let renewed = app.renew(&device.id, &device.key, &next).await.expect(StatusCode::CREATED);
        assert_eq!(renewed["service_account_id"], json!(device.id));
        assert!(text(&renewed["expires_at"]) > text(&device.body["expires_at"]));
        // Its token lives on, and both keys work for an hour.
        assert_eq!(app.code(&token).await, "valid");
        app.token_of(&device.id, &next).await.expect(StatusCode::OK);
        app.token_of(&device.id, &device.key).await.expect(StatusCode::OK);
        // The answer was lost: the same, and nothing else happens.
        assert_eq!(app.renew(&device.id, &device.key, &next).await.expect(StatusCode::CREATED), renewed);
        app.renew(&device.id, &device.key, &Holder::new()).await.problem(StatusCode::CONFLICT, "renewed_lately");
        app.renew(&device.id, &next, &Holder::new()).await.problem(StatusCode::CONFLICT, "renewed_lately");
        assert_eq!(app.root().get(&format!("/v1/service-accounts/{}/public-keys", device.id)).await.expect(StatusCode::OK)["items"].as_array().unwrap().len(), 2);
        app.clock.advance(SignedDuration::from_hours(1));
        app.token_of(&device.id, &device.key).await.refusal(StatusCode::UNAUTHORIZED, "invalid_client");
        app.renew(&device.id, &device.key, &Holder::new()).await.wrong("/client_assertion", "invalid_client_assertion");
        app.token_of(&device.id, &next).await.expect(StatusCode::OK);
        assert_eq!(app.audit_trail(&device.id).await.last().unwrap(), "device.renewed");
        assert_eq!(fleet.devices().await[0]["jwk_thumbprint"], json!(next.jkt()));
        // Past its end nothing is renewed.
        app.clock.advance(SignedDuration::from_hours(90 * DAY));
        app.renew(&device.id, &next, &Holder::new()).await.wrong("/client_assertion", "invalid_client_assertion");
        assert_eq!(fleet.devices().await[0]["status"], "expired");
    }

    async fn a_nonce_is_asked_for_where_the_operator_wants_it(app: &TestApp) {
        let fleet = Fleet::made(app).await;
        let mut node = app.another_node_with(|config| config.dpop_nonce = true).await;
        let (code, key, url) = (fleet.code(json!({})).await, Holder::new(), format!("{PUBLIC_URL}{ENROL}"));
        let asked = node.enrol(&code, "SN-1", &key).await;
        let nonce = asked.header("dpop-nonce").unwrap().to_owned();
        asked.problem(StatusCode::UNAUTHORIZED, "use_dpop_nonce");
        let proof = key.proof_with(&node, json!({ "htu": url, "ath": ath(&code), "nonce": nonce }));
        let body = json!({ "claim_code": code, "name": "SN-1", "jwk": key.jwk() });
        node.enrol_with(body, &[&proof]).await.expect(StatusCode::CREATED);
        node.finish().await;
    }

    async fn a_device_has_two_keys_at_most(app: &TestApp) {
        let fleet = Fleet::made(app).await;
        let device = fleet.device("SN-1").await;
        let (lost, next, last) = (Holder::new(), Holder::new(), Holder::new());
        app.renew(&device.id, &device.key, &lost).await.expect(StatusCode::CREATED);
        app.clock.advance(SignedDuration::from_mins(20));
        // The key that nobody has any more ends with the next renewal by the one before.
        app.renew(&device.id, &device.key, &next).await.expect(StatusCode::CREATED);
        app.token_of(&device.id, &lost).await.refusal(StatusCode::UNAUTHORIZED, "invalid_client");
        app.clock.advance(SignedDuration::from_hours(1));
        app.renew(&device.id, &next, &last).await.expect(StatusCode::CREATED);
        app.token_of(&device.id, &device.key).await.refusal(StatusCode::UNAUTHORIZED, "invalid_client");
        for key in [&next, &last] {
            app.token_of(&device.id, key).await.expect(StatusCode::OK);
        }
        // Whoever takes the newest key away means the device.
        let keys = format!("/v1/service-accounts/{}/public-keys", device.id);
        let newest = text(&app.root().get(&keys).await.expect(StatusCode::OK)["items"][0]["id"]);
        app.root().post(&format!("{keys}/{newest}/revoke"), json!({ "reason": "compromised" })).await.expect(StatusCode::OK);
        app.renew(&device.id, &next, &Holder::new()).await.problem(StatusCode::CONFLICT, "device_stopped");
    }

    async fn what_is_stopped_or_proves_nothing_does_not_renew(app: &TestApp) {
        let fleet = Fleet::made(app).await;
        let (device, other) = (fleet.device("SN-1").await, fleet.device("SN-2").await);
        let next = Holder::new();
        let renew = async || app.renew(&device.id, &device.key, &next).await;
        fleet.change(json!({ "closed": true })).await;
        renew().await.problem(StatusCode::CONFLICT, "fleet_closed");
        app.root().post(&format!("{}/claim-codes", fleet.path), json!({})).await.problem(StatusCode::CONFLICT, "fleet_closed");
        device.token(app).await;
        fleet.change(json!({ "closed": false })).await;
        let account = format!("/v1/service-accounts/{}", device.id);
        app.root().patch(&account, json!({ "disabled": true })).await.expect(StatusCode::OK);
        renew().await.wrong("/client_assertion", "invalid_client_assertion");
        app.root().patch(&account, json!({ "disabled": false })).await.expect(StatusCode::OK);
        // Nobody else's assertion, nor one for elsewhere or twice, nor a key that is not proved or another device's.
        app.renew(&device.id, &other.key, &next).await.wrong("/client_assertion", "invalid_client_assertion");
        let elsewhere = device.key.assertion(app, &device.id, &json!({ "aud": "https://other.test" }));
        app.renew_asserting(&elsewhere, &next).await.wrong("/client_assertion", "invalid_client_assertion");
        app.renew(&device.id, &device.key, &other.key).await.problem(StatusCode::CONFLICT, "key_exists");
        // What gets a token renews nothing, and what renews gets no token and vouches for one key.
        for (claims, code) in [
            (json!({}), "invalid_client_assertion"),
            (json!({ "cnf": { "jkt": next.jkt() } }), "invalid_client_assertion"),
            (json!({ "aud": format!("{PUBLIC_URL}{TOKEN}"), "cnf": { "jkt": next.jkt() } }), "invalid_client_assertion"),
            (json!({ "aud": format!("{PUBLIC_URL}{RENEW}") }), "key_not_vouched_for"),
            (json!({ "aud": format!("{PUBLIC_URL}{RENEW}"), "cnf": "x" }), "key_not_vouched_for"),
            (renewing(&device.key), "key_not_vouched_for"),
        ] {
            let assertion = device.key.assertion(app, &device.id, &claims);
            app.renew_asserting(&assertion, &next).await.wrong("/client_assertion", code);
        }
        let assertion = device.key.assertion(app, &device.id, &renewing(&next));
        let reply = app.form(TOKEN, &[CLIENT_CREDENTIALS, TYPE, ("client_assertion", &assertion)]).await;
        reply.refusal(StatusCode::UNAUTHORIZED, "invalid_client");
        // A key that somebody else gave it is no key of the device's own.
        let given = Holder::new();
        let registered = json!({ "name": "x", "jwk": given.jwk() });
        app.root().post(&format!("/v1/service-accounts/{}/public-keys", device.id), registered).await.expect(StatusCode::CREATED);
        app.token_of(&device.id, &given).await.expect(StatusCode::OK);
        app.renew(&device.id, &given, &next).await.problem(StatusCode::CONFLICT, "key_not_own");
        let assertion = device.key.assertion(app, &device.id, &renewing(&next));
        let body = json!({ "client_assertion": assertion, "jwk": next.jwk() });
        let stolen = next.proof(app, "POST", &format!("{PUBLIC_URL}{RENEW}"), "another assertion");
        let reply = app.anonymous().send(Method::POST, RENEW, Some(body.clone()), &[("dpop", &stolen)]).await;
        reply.problem(StatusCode::UNAUTHORIZED, "invalid_dpop_proof");
        let sound = next.proof(app, "POST", &format!("{PUBLIC_URL}{RENEW}"), &assertion);
        let reply = app.anonymous().send(Method::POST, RENEW, Some(body), &[("dpop", &sound)]).await;
        reply.wrong("/client_assertion", "invalid_client_assertion");
        renew().await.expect(StatusCode::CREATED);
        // A client that is no device renews nothing.
        let client = app.account_in(&fleet.organization, &[]).await;
        let key = Holder::new();
        let registered = json!({ "name": "x", "jwk": key.jwk() });
        app.root().post(&format!("/v1/service-accounts/{client}/public-keys"), registered).await.expect(StatusCode::CREATED);
        app.renew(&client, &key, &Holder::new()).await.problem(StatusCode::CONFLICT, "no_device");
    }

    async fn an_organization_that_is_stopped_enrols_nothing_and_its_policy_holds(app: &TestApp) {
        let fleet = Fleet::made(app).await;
        let code = fleet.code(json!({ "uses": 3 })).await;
        let organization = format!("/v1/organizations/{}", fleet.organization);
        app.root().patch(&organization, json!({ "disabled": true })).await.expect(StatusCode::OK);
        app.enrol(&code, "SN-1", &Holder::new()).await.wrong("/claim_code", "invalid_claim_code");
        app.root().patch(&organization, json!({ "disabled": false })).await.expect(StatusCode::OK);
        let policy = async |changes: Value| app.root().patch(&format!("{organization}/policy"), changes).await;
        policy(json!({ "allowed_kinds": ["api_key"] })).await.expect(StatusCode::OK);
        app.enrol(&code, "SN-1", &Holder::new()).await.problem(StatusCode::CONFLICT, "kind_not_allowed");
        policy(json!({ "allowed_kinds": null, "expiry_required": true })).await.expect(StatusCode::OK);
        fleet.change(json!({ "device_lifetime_days": 800 })).await;
        let made = app.enrol(&code, "SN-1", &Holder::new()).await.expect(StatusCode::CREATED);
        let end: jiff::Timestamp = text(&made["expires_at"]).parse().unwrap();
        assert_eq!((end.duration_since(app.app.now()).as_hours() + 1) / DAY, 365);
        assert_eq!(fleet.codes().await[0]["uses_left"], 2);
    }
}
