//! What verifying leaves behind: last use, counts, and the event of a retired secret.

use std::time::Duration;

use claviger_store::{UsageBatch, UsageKept};
use jiff::{SignedDuration, Timestamp};
use reqwest::StatusCode;
use serde_json::json;

use crate::{
    app::{Key, SOON, TestApp, text, within},
    machine::TOKEN,
};

on_both_databases! {
    async fn last_use_is_visible_within_two_seconds_for_each_generation(app: &TestApp) {
        let old = app.reader().await;
        let path = format!("/v1/api-keys/{}", old.id);
        let new = app.root().post(&format!("{path}/roll"), json!({ "overlap_seconds": 60 })).await;
        let new = Key::from(new.expect(StatusCode::OK));
        app.verify(&old.token, json!({ "client_ip": "192.0.2.1" })).await;
        app.verify(&new.token, json!({ "client_ip": "::ffff:192.0.2.2" })).await;
        within(SOON, "both generations show their last use", async || {
            let shown = app.root().get(&path).await.expect(StatusCode::OK);
            let from = |index: usize| shown["generations"][index]["last_used_from"].clone();
            from(0) == "192.0.2.2" && from(1) == "192.0.2.1" && shown["last_used_at"].is_string()
        }).await;
    }

    async fn verifications_are_rolled_up_by_hour_and_permission(app: &TestApp) {
        let key = app.reader().await;
        for _ in 0..5 {
            app.verify(&key.token, json!({ "permissions": ["invoices:read"] })).await;
        }
        // Neither what it is not permitted nor what nobody declares is counted: its bearer could make up names without end.
        app.verify(&key.token, json!({ "permissions": ["invoices:write", "junk:1"] })).await;
        let id = key.id.parse().unwrap();
        within(SOON, "the counts are there", async || {
            let uses: Vec<(String, i64)> =
                app.app.store.uses(id).await.unwrap().into_iter().map(|(_, code, uses)| (code, uses)).collect();
            let asked: Vec<(String, i64)> =
                app.app.store.permission_uses(id).await.unwrap().into_iter().map(|(_, name, uses)| (name, uses)).collect();
            uses == [("permission_missing".into(), 1), ("valid".into(), 5)]
                && asked == [("invoices:read".into(), 5)]
        }).await;
    }

    async fn use_is_reported_by_hour_and_day_within_reach(app: &TestApp) {
        let key = app.reader().await;
        for _ in 0..3 {
            app.verify(&key.token, json!({ "permissions": ["invoices:read"] })).await;
        }
        app.verify(&key.token, json!({ "permissions": ["invoices:write"] })).await;
        let of_key = format!("/v1/usage?credential_id={}", key.id);
        let report = async |more: &str| {
            let usage = app.root().get(&format!("{of_key}{more}")).await.expect(StatusCode::OK);
            let items = usage["items"].as_array().unwrap().iter();
            items.map(|item| {
                let what = item["code"].as_str().or(item["permission"].as_str()).unwrap().to_owned();
                (what, item["uses"].as_i64().unwrap())
            }).collect::<Vec<_>>()
        };
        let codes = [("permission_missing".to_owned(), 1), ("valid".to_owned(), 3)];
        // Whatever hour it is: right before its end there would be two.
        within(SOON, "the counts are told", async || report("&by=day").await == codes).await;
        assert_eq!(report("&group=permission").await, [("invoices:read".to_owned(), 3)]);
        assert_eq!(report("&by=day&to=2020-01-02T00:00:00Z").await, []);
        assert_eq!(report("&by=day&code=valid").await, codes[1..]);
        assert_eq!(report("&permission=invoices:read").await, [("invoices:read".to_owned(), 3)]);
        assert_eq!(report("&permission=invoices:write").await, []);

        // Another organization's administrator sees nothing of it, and of its own everything.
        let (_, account) = app.account("strangers", &[]).await;
        app.root().patch(&format!("/v1/service-accounts/{account}"), json!({ "roles": ["auditor"] })).await
            .expect(StatusCode::OK);
        let stranger = app.key(&account, &["claviger:*"], json!({})).await;
        let usage = app.client(&stranger.token).get(&of_key).await.expect(StatusCode::OK);
        assert_eq!(usage["items"], json!([]));
        within(SOON, "its own use is told", async || {
            let usage = app.client(&stranger.token).get("/v1/usage").await.expect(StatusCode::OK);
            let items = usage["items"].as_array().unwrap();
            !items.is_empty() && items.iter().all(|item| item["credential_id"] == stranger.id.as_str())
        }).await;
    }

    async fn a_report_that_cannot_be_is_refused_with_what_can(app: &TestApp) {
        for (query, status, code) in [
            ("group=permission&by=hour", StatusCode::UNPROCESSABLE_ENTITY, "invalid_query"),
            ("from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", StatusCode::UNPROCESSABLE_ENTITY, "invalid_query"),
            ("by=year", StatusCode::BAD_REQUEST, "invalid_query"),
            ("credential_id=org_1", StatusCode::BAD_REQUEST, "invalid_query"),
            ("colour=red", StatusCode::BAD_REQUEST, "invalid_query"),
            ("per=day", StatusCode::BAD_REQUEST, "invalid_query"),
            ("permission=a*b", StatusCode::BAD_REQUEST, "invalid_query"),
            ("code=sad", StatusCode::UNPROCESSABLE_ENTITY, "invalid_query"),
            ("code=valid&permission=a:read", StatusCode::UNPROCESSABLE_ENTITY, "invalid_query"),
            ("code=valid&group=permission", StatusCode::UNPROCESSABLE_ENTITY, "invalid_query"),
            ("permission=a:read&by=hour", StatusCode::UNPROCESSABLE_ENTITY, "invalid_query"),
            ("per=organization&group=permission", StatusCode::UNPROCESSABLE_ENTITY, "invalid_query"),
            ("group=grant_type", StatusCode::UNPROCESSABLE_ENTITY, "invalid_query"),
            ("group=grant_type&per=credential&service_account_id=sa_01h455vb4pex5vsknk084sn02q", StatusCode::UNPROCESSABLE_ENTITY, "invalid_query"),
            ("group=grant_type&code=valid&service_account_id=sa_01h455vb4pex5vsknk084sn02q", StatusCode::UNPROCESSABLE_ENTITY, "invalid_query"),
            ("per=service_account&service_account_id=sa_01h455vb4pex5vsknk084sn02q", StatusCode::UNPROCESSABLE_ENTITY, "invalid_query"),
            ("from=2020-01-01T00:00:00Z", StatusCode::UNPROCESSABLE_ENTITY, "hours_not_kept"),
        ] {
            app.root().get(&format!("/v1/usage?{query}")).await.problem(status, code);
        }
    }

    async fn a_report_of_a_service_account_or_an_organization_sums_what_it_has(app: &TestApp) {
        let (organization, account) = app.account("buyers", &[]).await;
        let keys = [app.key(&account, &[], json!({ "name": "a" })).await, app.key(&account, &[], json!({ "name": "b" })).await];
        let other = app.reader().await;
        for key in keys.iter().chain([&other]) {
            app.verify(&key.token, json!({})).await;
            app.verify(&key.token, json!({ "permissions": ["invoices:nothing"] })).await;
        }
        let of_account = format!("/v1/usage?by=day&service_account_id={account}");
        let items = async |path: &str| app.root().get(path).await.expect(StatusCode::OK)["items"].clone();
        within(SOON, "both keys are told", async || items(&of_account).await.as_array().unwrap().len() == 4).await;
        let whole = format!("/v1/usage?by=day&per=organization&organization_id={organization}");
        let report = app.root().get(&whole).await.expect(StatusCode::OK);
        let told: Vec<_> = report["items"].as_array().unwrap().iter().map(|item| (text(&item["code"]), item["uses"].as_i64().unwrap())).collect();
        assert_eq!(told, [("permission_missing".to_owned(), 2), ("valid".to_owned(), 2)]);
        assert!(report["per"] == "organization" && report["items"][0]["organization_id"] == organization.as_str());
        assert!(report["items"][0].get("credential_id").is_none());
        assert_eq!(items(&format!("{whole}&code=valid")).await.as_array().unwrap().len(), 1);
        // A credential's part is no organization's.
        let narrowed = app.root().get(&format!("{whole}&service_account_id={account}")).await;
        narrowed.problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid_query");
        // Whoever sees one organization sees no other.
        let (elsewhere, stranger) = app.account("strangers", &[]).await;
        app.root().patch(&format!("/v1/service-accounts/{stranger}"), json!({ "roles": ["auditor"] })).await.expect(StatusCode::OK);
        let stranger = app.key(&stranger, &["claviger:*"], json!({})).await;
        for path in [&whole, &of_account] {
            assert_eq!(app.client(&stranger.token).get(path).await.expect(StatusCode::OK)["items"], json!([]));
        }
        within(SOON, "their own is told", async || {
            let own = app.client(&stranger.token).get("/v1/usage?per=organization").await.expect(StatusCode::OK);
            let own = own["items"].as_array().unwrap();
            !own.is_empty() && own.iter().all(|item| item["organization_id"] == elsewhere.as_str())
        }).await;
    }

    async fn tokens_that_are_issued_are_counted_for_their_client_and_are_no_use(app: &TestApp) {
        let client = app.machine().await;
        let other = app.machine_with("globex", &["invoices:read"]).await;
        let key = app.key(&client.id, &["invoices:read"], json!({})).await;
        let token = app.access_token(&client, &[]).await;
        app.opaque_from_now_on().await;
        app.access_token(&client, &[]).await;
        let exchange = "urn:ietf:params:oauth:grant-type:token-exchange";
        let of_key = [("subject_token", key.token.as_str()), ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token")];
        let exchanged = app.form_of(&client, TOKEN, &[&[("grant_type", exchange)], &of_key[..]].concat()).await;
        app.handed_out(&text(&exchanged.expect(StatusCode::OK)["access_token"]));
        // What is refused was not issued.
        app.ask(&client, &[("scope", "invoices:nothing")]).await.refusal(StatusCode::BAD_REQUEST, "invalid_scope");
        assert_eq!(app.code(&token).await, "valid");
        let expected = [("client_credentials".to_owned(), 2), (exchange.to_owned(), 1)].into();
        within(SOON, "the tokens are told", async || app.issued(&client).await == expected).await;
        assert!(app.issued(&other).await.is_empty());
        // By the hour, too; and its secret was used as often as it was shown, and its token verified.
        let path = |more: &str| format!("/v1/usage?service_account_id={}{more}", client.id);
        let hours = app.root().get(&path("&group=grant_type&per=service_account")).await.expect(StatusCode::OK);
        assert!(hours["per"] == "service_account" && hours["by"] == "hour" && hours["group"] == "grant_type", "{hours}");
        let of_secret = path(&format!("&by=day&credential_id={}", client.secret_id));
        within(SOON, "each time that it was shown is told", async || {
            let report = app.root().get(&of_secret).await.expect(StatusCode::OK);
            let items = report["items"].as_array().unwrap();
            items.iter().map(|item| item["uses"].as_i64().unwrap()).sum::<i64>() == 5
                && items.iter().all(|item| item["code"] == "valid")
        }).await;
        // Whoever sees one organization sees no other's.
        let (_, stranger) = app.account("strangers", &[]).await;
        app.root().patch(&format!("/v1/service-accounts/{stranger}"), json!({ "roles": ["auditor"] })).await.expect(StatusCode::OK);
        let stranger = app.key(&stranger, &["claviger:*"], json!({})).await;
        let told = app.client(&stranger.token).get(&path("&group=grant_type")).await.expect(StatusCode::OK);
        assert_eq!(told["items"], json!([]));
    }

    async fn a_report_too_long_asks_for_a_narrower_question(app: &TestApp) {
        let key = app.reader().await;
        let shown = app.root().get(&format!("/v1/api-keys/{}", key.id)).await.expect(StatusCode::OK);
        let (organization, id) = (text(&shown["organization_id"]).parse().unwrap(), key.id.parse().unwrap());
        let now = app.app.now().as_millisecond() / 3_600_000 * 3_600_000;
        let codes = ["valid", "revoked", "disabled", "expired", "rate_limited", "quota_exceeded", "permission_missing",
            "object_required", "object_not_allowed", "network_not_allowed", "proof_required", "proof_invalid", "audience_mismatch"];
        let hours = (1..=800).flat_map(|hour| codes.map(|code| ((organization, id, now - hour * 3_600_000, code), 1)));
        let mut batch = UsageBatch { hours: hours.collect(), ..UsageBatch::default() };
        app.app.store.flush_usage(&mut batch, app.app.now(), &mut app.app.rng()).await.unwrap();
        let from = app.app.config.usage_kept.hours_since(app.app.now());
        let path = format!("/v1/usage?credential_id={}&from={from}", key.id);
        let reply = app.root().get(&path).await;
        assert!(text(&reply.body["detail"]).contains("narrow"), "{}", reply.body);
        reply.problem(StatusCode::UNPROCESSABLE_ENTITY, "too_many_items");
        app.root().get(&format!("{path}&by=day")).await.expect(StatusCode::OK);
        app.root().get(&format!("{path}&code=expired")).await.expect(StatusCode::OK);
        let reply = app.root().get(&format!("/v1/usage?credential_id={}&from=2020-01-01T00:00:00Z", key.id)).await;
        assert!(text(&reply.body["detail"]).contains(&from.to_string()), "{}", reply.body);
        reply.problem(StatusCode::UNPROCESSABLE_ENTITY, "hours_not_kept");
    }

    async fn by_the_hour_is_told_since_when_there_are_hours(app: &TestApp) {
        let key = app.reader().await;
        let shown = app.root().get(&format!("/v1/api-keys/{}", key.id)).await.expect(StatusCode::OK);
        let (organization, id) = (text(&shown["organization_id"]).parse().unwrap(), key.id.parse().unwrap());
        let (now, store) = (app.app.now(), &app.app.store);
        let ago = |hours| now - SignedDuration::from_hours(hours);
        let mut batch = UsageBatch::default();
        (1..=480).for_each(|hours| batch.count((organization, id), ago(hours), "expired", 1));
        store.flush_usage(&mut batch, now, &mut app.app.rng()).await.unwrap();
        let ask = async |from: Timestamp, by: &str| {
            app.root().get(&format!("/v1/usage?credential_id={}&code=expired&by={by}&from={from}", key.id)).await
        };
        assert!(ask(ago(400), "hour").await.expect(StatusCode::OK)["items"].as_array().unwrap().len() >= 399);
        // They were kept for less before they are kept for so long as they are now.
        let kept = UsageKept { hours: SignedDuration::from_hours(8 * 24), ..UsageKept::default() };
        while store.keep_usage(kept, now).await.unwrap() > 0 {}
        let since = kept.hours_since(now);
        let refused = ask(since - SignedDuration::from_secs(1), "hour").await;
        assert!(text(&refused.body["detail"]).contains(&format!("since {since},")), "{}", refused.body);
        refused.problem(StatusCode::UNPROCESSABLE_ENTITY, "hours_not_kept");
        assert!(!ask(since, "hour").await.expect(StatusCode::OK)["items"].as_array().unwrap().is_empty());
        ask(ago(400), "day").await.expect(StatusCode::OK);
    }

    async fn hours_become_days_as_long_as_it_may_go_on_and_by_no_clock_that_is_ahead(app: &TestApp) {
        let key = app.reader().await;
        app.verify(&key.token, json!({})).await;
        let id = key.id.parse().unwrap();
        let hours = async || app.app.store.uses(id).await.unwrap().len();
        within(SOON, "it is counted", async || hours().await == 1).await;
        app.clock.advance(SignedDuration::from_hours(40 * 24));
        app.app.keep_usage(|| false).await.unwrap();
        assert_eq!(hours().await, 1);
        app.app.keep_usage(|| true).await.unwrap();
        // SQLite has no other clock than that of its machine.
        let is_ahead_of_all = app.app.store.database().engine() == "SQLite";
        assert_eq!(hours().await, usize::from(!is_ahead_of_all));
    }

    async fn using_a_retired_secret_is_an_event_once(app: &TestApp) {
        let old = app.reader().await;
        app.root().post(&format!("/v1/api-keys/{}/roll", old.id), json!({})).await.expect(StatusCode::OK);
        for _ in 0..3 {
            let asked = json!({ "client_ip": "::ffff:203.0.113.9" });
            assert_eq!(app.verify(&old.token, asked).await["code"], "revoked");
        }
        // Whoever tells no address takes none away.
        app.code(&old.token).await;
        let trail = async || app.audit_trail(&old.id).await;
        let told = "api_key.retired_secret_used".to_owned();
        within(Duration::from_secs(3), "the event is there", async || trail().await.contains(&told)).await;
        app.code(&old.token).await;
        tokio::time::sleep(Duration::from_millis(1200)).await;
        assert_eq!(trail().await.iter().filter(|action| **action == told).count(), 1);
        let events = app.root().get(&format!("/v1/audit-events?action={told}")).await.expect(StatusCode::OK);
        assert_eq!(text(&events["items"][0]["actor"]["type"]), "system");
        assert_eq!(events["items"][0]["details"]["generation"], 1);
        assert_eq!(events["items"][0]["address"], "203.0.113.9");
    }
}
