//! `POST /v1/usage-reports`: what verifiers tell of uses that they judged by themselves.

use jiff::SignedDuration;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::app::{Key, Reply, SOON, TestApp, within};

const PATH: &str = "/v1/usage-reports";

async fn inside(app: &TestApp, body: &Value) -> Reply {
    let sent = app.request(Method::POST, app.internal, PATH).json(body).send().await.unwrap();
    Reply::read(app, sent).await
}

fn of(app: &TestApp, key: &Key, count: u64) -> Value {
    let reads = json!([{ "name": "invoices:read", "count": count }]);
    json!({
        "credential_id": key.id, "generation": "current", "code": "valid", "count": count, "permissions": reads,
        "last_used_at": app.app.now().to_string(), "last_used_from": "::ffff:192.0.2.7",
    })
}

async fn counted(app: &TestApp, key: &Key) -> (i64, i64) {
    let id = key.id.parse().unwrap();
    let uses = app.app.store.uses(id).await.unwrap().into_iter().map(|(_, _, uses)| uses).sum();
    (uses, app.app.store.permission_uses(id).await.unwrap().into_iter().map(|(_, _, uses)| uses).sum())
}

on_both_databases! {
    async fn what_is_reported_counts_once_as_if_it_had_been_judged_here(app: &TestApp) {
        let key = app.reader().await;
        let report = json!({ "id": "0123456789abcdef", "uses": [of(app, &key, 5)] });
        let told = inside(app, &report).await.expect(StatusCode::OK);
        assert_eq!(told, json!({ "counted": 1, "repeated": false, "ignored": [] }));
        for _ in 0..2 {
            let told = inside(app, &report).await.expect(StatusCode::OK);
            assert_eq!(told, json!({ "counted": 0, "repeated": true, "ignored": [] }));
        }
        // Another reporter may call another report so.
        let told = app.root().post(PATH, report).await.expect(StatusCode::OK);
        assert_eq!(told["counted"], 1);
        within(SOON, "both are counted", async || counted(app, &key).await == (10, 10)).await;
        let shown = app.root().get(&format!("/v1/api-keys/{}", key.id)).await.expect(StatusCode::OK);
        assert_eq!(shown["generations"][0]["last_used_from"], "192.0.2.7");
    }

    async fn the_last_use_is_that_of_the_secret_that_was_presented(app: &TestApp) {
        let key = app.reader().await;
        let path = format!("/v1/api-keys/{}", key.id);
        app.root().post(&format!("{path}/roll"), json!({ "overlap_seconds": 60 })).await.expect(StatusCode::OK);
        let mut retiring = of(app, &key, 1);
        retiring["generation"] = json!("retiring");
        let mut token = of(app, &key, 1);
        token["generation"] = Value::Null;
        let report = json!({ "id": "0123456789abcdef", "uses": [retiring, token] });
        inside(app, &report).await.expect(StatusCode::OK);
        within(SOON, "the retiring secret was used", async || {
            let shown = app.root().get(&path).await.expect(StatusCode::OK);
            shown["generations"][1]["last_used_at"].is_string() && shown["generations"][0]["last_used_at"].is_null()
        }).await;
        assert_eq!(counted(app, &key).await, (2, 2));
    }

    async fn what_nobody_has_is_ignored_and_told(app: &TestApp) {
        let key = app.reader().await;
        let (_, account) = app.account("strangers", &["claviger:verify"]).await;
        let stranger = app.key(&account, &["claviger:verify"], json!({})).await;
        let mut nobodys = of(app, &key, 1);
        nobodys["credential_id"] = json!("key_01h455vb4pex5vsknk084sn02q");
        let report = |id: &str| json!({ "id": id, "uses": [of(app, &key, 3), nobodys, of(app, &stranger, 2)] });
        // Who knows an id shows no credential: in one organization alone nobody tells of uses.
        let refused = app.client(&stranger.token).post(PATH, report("a123456789abcdef")).await;
        assert_eq!(refused.expect(StatusCode::FORBIDDEN)["code"], "instance_scope_needed");
        // What counts nothing takes no name.
        for _ in 0..2 {
            let told = inside(app, &json!({ "id": "d123456789abcdef", "uses": [nobodys] })).await.expect(StatusCode::OK);
            assert_eq!((&told["counted"], &told["repeated"]), (&json!(0), &json!(false)));
        }
        let told = inside(app, &report("b123456789abcdef")).await.expect(StatusCode::OK);
        assert_eq!((&told["counted"], &told["ignored"]), (&json!(2), &json!([nobodys["credential_id"]])));
        within(SOON, "what was told inside is counted", async || counted(app, &key).await == (3, 3)).await;
        // A permission that it could never have is not counted, whoever tells of it.
        let mut made_up = of(app, &key, 1);
        made_up["permissions"] = json!([{ "name": "made:up", "count": 1 }]);
        inside(app, &json!({ "id": "c123456789abcdef", "uses": [made_up] })).await.expect(StatusCode::OK);
        within(SOON, "the use is counted", async || counted(app, &key).await == (4, 3)).await;
    }

    async fn of_a_permission_no_more_is_counted_than_there_were_uses(app: &TestApp) {
        let key = app.reader().await;
        let mut used = of(app, &key, 2);
        used["permissions"] = json!([{ "name": "invoices:read", "count": 3 }, { "name": "invoices:read", "count": 3 }]);
        inside(app, &json!({ "id": "0123456789abcdef", "uses": [used] })).await.expect(StatusCode::OK);
        within(SOON, "both uses are counted", async || counted(app, &key).await == (2, 2)).await;
    }

    async fn no_use_has_the_address_of_one_before(app: &TestApp) {
        let key = app.reader().await;
        let shown = async || {
            let shown = app.root().get(&format!("/v1/api-keys/{}", key.id)).await.expect(StatusCode::OK);
            shown["generations"][0].clone()
        };
        inside(app, &json!({ "id": "0123456789abcdef", "uses": [of(app, &key, 1)] })).await.expect(StatusCode::OK);
        within(SOON, "the address is there", async || shown().await["last_used_from"] == "192.0.2.7").await;
        let first = shown().await["last_used_at"].clone();
        let mut later = of(app, &key, 1);
        later["last_used_at"] = json!((app.app.now() + SignedDuration::from_secs(2)).to_string());
        later["last_used_from"] = Value::Null;
        inside(app, &json!({ "id": "1123456789abcdef", "uses": [later] })).await.expect(StatusCode::OK);
        within(SOON, "it was used again", async || counted(app, &key).await.0 == 2).await;
        let shown = shown().await;
        assert_eq!(shown["last_used_from"], Value::Null);
        assert!(shown["last_used_at"].is_string() && shown["last_used_at"] != first, "{first} {shown}");
    }

    async fn what_breaks_a_rule_is_refused_as_a_whole(app: &TestApp) {
        let key = app.reader().await;
        let wrong = async |id: &str, more: Value, pointer: &str, code: &str| {
            let mut used = of(app, &key, 2);
            used.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let report = json!({ "id": id, "uses": [of(app, &key, 1), used] });
            inside(app, &report).await.wrong(pointer, code);
        };
        let id = "0123456789abcdef";
        wrong("short", json!({}), "/id", "invalid_id").await;
        wrong("0123456789abcde\u{e9}", json!({}), "/id", "invalid_id").await;
        wrong(id, json!({ "count": 0 }), "/uses/1/count", "out_of_range").await;
        wrong(id, json!({ "count": 1_000_001 }), "/uses/1/count", "out_of_range").await;
        wrong(id, json!({ "code": "unknown" }), "/uses/1/code", "invalid_code").await;
        let at = |hours: i64| json!({ "last_used_at": (app.app.now() + SignedDuration::from_hours(hours)).to_string() });
        wrong(id, at(-25), "/uses/1/last_used_at", "out_of_range").await;
        wrong(id, at(1), "/uses/1/last_used_at", "out_of_range").await;
        let many: Vec<Value> = (0..201).map(|_| of(app, &key, 1)).collect();
        inside(app, &json!({ "id": id, "uses": many })).await.wrong("/uses", "too_many");
        inside(app, &json!({ "id": id, "uses": [] })).await.wrong("/uses", "required");
        let told = inside(app, &json!({ "id": id, "uses": [of(app, &key, 1)] })).await.expect(StatusCode::OK);
        assert_eq!((&told["counted"], &told["repeated"]), (&json!(1), &json!(false)), "refused ones took no name");
    }
}
