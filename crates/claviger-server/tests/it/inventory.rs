//! What reaches an organization, the end of many at once, and what a stricter policy touches.

use claviger_core::{By, Reach};
use jiff::SignedDuration;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::app::{Key, TestApp, text};

fn names(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|one| text(&one["name"])).collect()
}

async fn listed(app: &TestApp, query: &str) -> Vec<String> {
    let list = app.root().get(&format!("/v1/credentials?{query}")).await.expect(StatusCode::OK);
    names(&list["items"])
}

/// A moment as a query takes it.
fn moment(app: &TestApp, days: i64) -> String {
    (app.app.now() + SignedDuration::from_hours(24 * days)).to_string()
}

on_both_databases! {
    async fn no_name_holds_a_nul_and_asking_for_one_is_no_outage(app: &TestApp) {
        app.reader().await;
        let counted = app.root().post("/v1/credentials/revoke?q=%00", json!({})).await.expect(StatusCode::OK);
        assert_eq!((&counted["matched"], &counted["credentials"]), (&json!(0), &json!([])));
        let ended = app.root().post("/v1/credentials/revoke?q=%00", json!({ "expected": 0 })).await.expect(StatusCode::OK);
        assert_eq!(ended["revoked"], json!(0));
    }

    async fn the_inventory_tells_who_holds_what_until_when(app: &TestApp) {
        app.declare_invoices().await;
        let (organization, account) = app.account("acme", &["invoices:read"]).await;
        let key = app.key(&account, &["invoices:read"], json!({ "name": "one", "objects": ["base:a"] })).await;
        let list = app.root().get(&format!("/v1/credentials?organization_id={organization}")).await.expect(StatusCode::OK);
        let one = &list["items"][0];
        assert_eq!((text(&one["id"]), text(&one["kind"])), (key.id, "api_key".to_owned()));
        assert_eq!(one["owner"], json!({ "id": account, "type": "service_account", "name": "sync" }));
        assert_eq!((&one["permissions"], &one["objects"]), (&json!(["invoices:read"]), &json!(["base:a"])));
        assert_eq!((&one["expires_at"], &one["last_used_at"], text(&one["status"])), (&Value::Null, &Value::Null, "active".to_owned()));

        app.key(&account, &[], json!({ "name": "two", "expires_at": moment(app, 10) })).await;
        let here = |filter: &str| format!("organization_id={organization}&{filter}");
        assert_eq!(listed(app, &here("never_expires=true")).await, ["one"]);
        assert_eq!(listed(app, &here(&format!("expires_before={}", moment(app, 11)))).await, ["two"]);
        assert_eq!(listed(app, &here(&format!("expires_before={}", moment(app, 9)))).await, [""; 0]);
        assert_eq!(listed(app, &here("q=TW")).await, ["two"]);
        assert_eq!(listed(app, &here("kind=personal_access_token")).await, [""; 0]);
        assert_eq!(listed(app, &here("created_by=operator")).await, [""; 0]);
        assert_eq!(listed(app, &here(&format!("principal_id={account}"))).await, ["two", "one"]);
        assert_eq!(listed(app, &here(&format!("created_from={}", moment(app, 1)))).await, [""; 0]);
        assert_eq!(listed(app, &here(&format!("created_before={}", moment(app, 1)))).await, ["two", "one"]);
        assert_eq!(listed(app, &here(&format!("unused_since={}", moment(app, -1)))).await, [""; 0]);
        assert_eq!(listed(app, &here(&format!("unused_since={}", moment(app, 1)))).await, ["two", "one"]);
        let first = app.root().get(&format!("/v1/credentials?{}", here("limit=1"))).await.expect(StatusCode::OK);
        let cursor = text(&first["next_cursor"]);
        assert_eq!(listed(app, &here(&format!("limit=1&cursor={cursor}"))).await, ["one"]);
        app.root().get("/v1/credentials?kind=x").await.problem(StatusCode::BAD_REQUEST, "invalid_query");
    }

    async fn many_are_counted_before_they_end(app: &TestApp) {
        app.declare_invoices().await;
        let (organization, account) = app.account("acme", &["invoices:read"]).await;
        let (_, other) = app.account("globex", &["invoices:read"]).await;
        let mut keys = Vec::new();
        for name in ["ci 1", "ci 2", "production"] {
            keys.push(app.key(&account, &["invoices:read"], json!({ "name": name })).await);
        }
        let elsewhere = app.key(&other, &["invoices:read"], json!({ "name": "ci 3" })).await;
        assert_eq!(app.code(&keys[0].token).await, "valid");

        let path = format!("/v1/credentials/revoke?organization_id={organization}&q=ci");
        let counted = app.root().post(&path, json!({})).await.expect(StatusCode::OK);
        assert_eq!((&counted["matched"], &counted["more"], &counted["revoked"]), (&json!(2), &json!(false), &json!(0)));
        assert_eq!(names(&counted["credentials"]), ["ci 2", "ci 1"]);
        let wrong = app.root().post(&path, json!({ "expected": 3 })).await;
        wrong.problem(StatusCode::CONFLICT, "count_changed");
        assert_eq!(app.code(&keys[0].token).await, "valid");

        let done = app.root().post(&path, json!({ "expected": 2, "reason": "compromised" })).await.expect(StatusCode::OK);
        assert_eq!(done["revoked"], 2);
        for (key, code) in keys.iter().zip(["revoked", "revoked", "valid"]) {
            assert_eq!(app.code(&key.token).await, code);
        }
        assert_eq!(app.code(&elsewhere.token).await, "valid");
        assert_eq!(app.audit_trail(&keys[0].id).await, ["api_key.created", "api_key.revoked"]);
        assert_eq!(app.audit_trail(&organization).await.last().unwrap(), "credentials.revoked");
        assert_eq!(app.root().post(&path, json!({ "expected": 0 })).await.expect(StatusCode::OK)["revoked"], 0);

        for query in ["", "?limit=5", "?q=ci&limit=5"] {
            let refused = app.root().post(&format!("/v1/credentials/revoke{query}"), json!({})).await;
            refused.problem(StatusCode::BAD_REQUEST, "invalid_query");
        }
    }

    async fn an_admin_of_one_organization_ends_nothing_that_reaches_further(app: &TestApp) {
        let (organization, account) = app.account("acme", &[]).await;
        let path = format!("/v1/service-accounts/{account}");
        app.root().patch(&path, json!({ "roles": ["organization-admin"] })).await.expect(StatusCode::OK);
        let admin = app.key(&account, &["claviger:*"], json!({ "name": "admin" })).await;
        let far = app.account_in(&organization, &[]).await;
        let given = json!({ "principal_id": far, "role": "instance-admin", "scope": "instance" });
        app.root().post("/v1/assignments", given).await.expect(StatusCode::CREATED);
        app.key(&far, &["claviger:*"], json!({ "name": "reaches all" })).await;
        let (_, stranger) = app.account("globex", &[]).await;
        app.key(&stranger, &[], json!({ "name": "of others" })).await;

        let counted = app.client(&admin.token).post("/v1/credentials/revoke?kind=api_key", json!({})).await;
        let counted = counted.expect(StatusCode::OK);
        assert_eq!((names(&counted["credentials"]), &counted["matched"]), (vec!["admin".to_owned()], &json!(1)));
        let list = app.client(&admin.token).get("/v1/credentials").await.expect(StatusCode::OK);
        assert_eq!(names(&list["items"]), ["reaches all", "admin"]);
    }

    async fn a_stricter_policy_tells_what_it_touches_and_then_holds_for_what_exists(app: &TestApp) {
        app.declare_invoices().await;
        let (organization, account) = app.account("acme", &["invoices:read"]).await;
        let (policy, day) = (format!("/v1/organizations/{organization}/policy"), SignedDuration::from_hours(24));
        let follows = app.key(&account, &["*"], json!({ "name": "follows" })).await;
        let short = app.key(&account, &["invoices:read"], json!({ "name": "short", "expires_at": moment(app, 2) })).await;
        let asked = json!({ "permissions": ["invoices:read"] });
        assert_eq!(app.verify(&follows.token, asked.clone()).await["code"], "valid");

        let changes = json!({ "api_key_max_lifetime_days": 5, "wildcard_allowed": false });
        let preview = app.root().post(&format!("{policy}/preview"), changes.clone()).await.expect(StatusCode::OK);
        let told: Vec<_> = preview["touches"].as_array().unwrap().iter()
            .map(|one| (text(&one["rule"]), text(&one["effect"]), one["count"].as_u64().unwrap(), names(&one["credentials"])))
            .collect();
        let one = |rule: &str, effect: &str| (rule.to_owned(), effect.to_owned(), 1, vec!["follows".to_owned()]);
        assert_eq!(told, [one("api_key_max_lifetime_days", "ends_sooner"), one("wildcard_allowed", "loses_wildcards")]);
        assert_eq!(preview["policy"]["api_key_max_lifetime_days"], 5);
        assert_eq!(app.verify(&follows.token, asked.clone()).await["code"], "valid");

        app.root().patch(&policy, changes).await.expect(StatusCode::OK);
        assert_eq!(app.verify(&follows.token, asked.clone()).await["code"], "permission_missing");
        let shown = app.root().get(&format!("/v1/api-keys/{}", follows.id)).await.expect(StatusCode::OK);
        let end: jiff::Timestamp = text(&shown["expires_at"]).parse().unwrap();
        assert!(end <= app.app.now() + day * 5, "{end}");
        assert_eq!(app.audit_trail(&follows.id).await, ["api_key.created", "api_key.updated"]);
        assert_eq!(app.audit_trail(&short.id).await, ["api_key.created"]);

        app.root().patch(&policy, json!({ "wildcard_allowed": true })).await.expect(StatusCode::OK);
        assert_eq!(app.verify(&follows.token, asked).await["code"], "valid");
        app.root().patch(&policy, json!({ "allowed_kinds": ["personal_access_token"] })).await.expect(StatusCode::OK);
        assert_eq!(app.code(&follows.token).await, "disabled");
    }

    async fn what_nobody_uses_ends_when_the_policy_says_so(app: &TestApp) {
        let (organization, account) = app.account("acme", &[]).await;
        let (_, other) = app.account("globex", &[]).await;
        let unused = app.key(&account, &[], json!({})).await;
        let elsewhere = app.key(&other, &[], json!({})).await;
        let policy = format!("/v1/organizations/{organization}/policy");
        app.root().patch(&policy, json!({ "revoke_after_unused_days": 30 })).await.expect(StatusCode::OK);
        app.clock.advance(SignedDuration::from_hours(24 * 29));
        let young = app.key(&account, &[], json!({})).await;
        app.app.keep_policies().await.unwrap();
        assert_eq!(app.code(&elsewhere.token).await, "valid");

        app.clock.advance(SignedDuration::from_hours(48));
        app.app.keep_policies().await.unwrap();
        for (key, code) in [(&unused, "revoked"), (&young, "valid"), (&elsewhere, "valid")] {
            assert_eq!(app.code(&key.token).await, code);
        }
        let shown = app.root().get(&format!("/v1/api-keys/{}", unused.id)).await.expect(StatusCode::OK);
        assert_eq!(shown["revoke_reason"], "unused");
    }

    async fn lives_that_were_missed_are_cut_by_repeating_the_change_or_by_the_hourly_job(app: &TestApp) {
        let (organization, account) = app.account("acme", &[]).await;
        let endless = app.key(&account, &[], json!({})).await;
        let far = app.key(&account, &[], json!({ "expires_at": "2099-01-01T00:00:00Z" })).await;
        // As after a failure between the change and the cut.
        let interrupted = async |changes: Value| {
            let by = By::operator();
            let mut tx = app.app.store.begin(&by).await.unwrap();
            let found = tx.to_change(Reach::Instance).organization(organization.parse().unwrap()).await.unwrap().unwrap();
            let (found, event) = found.update_policy(serde_json::from_value(changes).unwrap()).unwrap();
            tx.save_organization(&found).await.unwrap();
            tx.commit(event, app.app.now(), &mut app.app.rng()).await.unwrap();
        };
        let days_left = async |key: &Key| {
            let shown = app.root().get(&format!("/v1/api-keys/{}", key.id)).await.expect(StatusCode::OK);
            let end = shown["expires_at"].as_str().map(|end| end.parse::<jiff::Timestamp>().unwrap());
            end.map(|end| (end.duration_since(app.app.now()).as_hours() + 1) / 24)
        };
        interrupted(json!({ "expiry_required": true })).await;
        assert_eq!(days_left(&endless).await, None);
        app.app.keep_policies().await.unwrap();
        assert_eq!(days_left(&endless).await, Some(365));
        assert!(days_left(&far).await > Some(10_000), "it has an end");

        interrupted(json!({ "api_key_max_lifetime_days": 30 })).await;
        app.app.keep_policies().await.unwrap();
        assert_eq!((days_left(&endless).await, days_left(&far).await), (Some(30), Some(30)));
        let changes = json!({ "api_key_max_lifetime_days": 7 });
        interrupted(changes.clone()).await;
        app.root().patch(&format!("/v1/organizations/{organization}/policy"), changes).await.expect(StatusCode::OK);
        assert_eq!((days_left(&endless).await, days_left(&far).await), (Some(7), Some(7)));
        assert_eq!(app.audit_trail(&far.id).await, ["api_key.created", "api_key.updated", "api_key.updated"]);
    }

    async fn an_admin_of_the_operators_organization_does_not_stop_the_instance_by_policy(app: &TestApp) {
        let root = app.root().get("/v1/token").await.expect(StatusCode::OK);
        let home = text(&root["organization"]["id"]);
        let account = app.account_in(&home, &[]).await;
        let path = format!("/v1/service-accounts/{account}");
        app.root().patch(&path, json!({ "roles": ["organization-admin"] })).await.expect(StatusCode::OK);
        let admin = app.key(&account, &["claviger:*"], json!({})).await;
        let policy = format!("/v1/organizations/{home}/policy");
        for changes in [json!({ "allowed_kinds": [] }), json!({ "allowed_networks": ["192.0.2.1"] })] {
            let refused = app.client(&admin.token).patch(&policy, changes).await;
            refused.problem(StatusCode::FORBIDDEN, "instance_scope_needed");
        }
        let looser = app.client(&admin.token).patch(&policy, json!({ "pat_max_lifetime_days": null })).await;
        looser.expect(StatusCode::OK);
        assert_eq!(app.code(app.root_token()).await, "valid");
    }
}
