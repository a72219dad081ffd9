//! What Prometheus reads: that it can, that it moves, and that nobody outside decides how many series there are.

use std::collections::BTreeMap;

use claviger_token::Secret;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::{
    app::{Reply, SOON, TestApp, text, within},
    browser::Browser,
    database::{Engine, TestDatabase},
};

on_both_databases! {
    async fn verdicts_are_counted_where_they_are_asked(app: &TestApp) {
        let key = app.reader().await;
        let before = scrape(app).await;
        app.verify(&key.token, json!({ "permissions": ["invoices:read"] })).await;
        app.verify(&key.token, json!({ "permissions": ["invoices:write"] })).await;
        app.verify("junk", json!({})).await;
        let ask = app.request(Method::GET, app.internal, "/v1/forward-auth?permission=invoices:read");
        assert_eq!(ask.bearer_auth(&key.token).send().await.unwrap().status(), StatusCode::OK);
        app.root().get("/v1/api-keys").await.expect(StatusCode::OK);
        let guess = [("grant_type", "client_credentials"), ("client_id", "x"), ("client_secret", "guessed")];
        app.form("/oauth/token", &guess).await.refusal(StatusCode::UNAUTHORIZED, "invalid_client");
        let account = text(&key.body["service_account_id"]);
        let secrets = format!("/v1/service-accounts/{account}/secrets");
        let made = app.root().post(&secrets, json!({ "name": "production" })).await.expect(StatusCode::CREATED);
        let (id, secret) = (text(&made["id"]), text(&made["client_secret"]));
        let grant = [("grant_type", "client_credentials"), ("client_id", &account), ("client_secret", &secret)];
        app.form("/oauth/token", &grant).await.expect(StatusCode::OK);
        app.root().post(&format!("{secrets}/{id}/revoke"), json!({})).await.expect(StatusCode::OK);
        for path in ["/oauth/token", "/oauth/introspect", "/oauth/revoke"] {
            let form = [grant.as_slice(), &[("token", "junk")]].concat();
            app.form(path, &form).await.refusal(StatusCode::UNAUTHORIZED, "invalid_client");
        }
        let after = scrape(app).await;
        let moved = |labels: &str, by: f64| {
            let name = format!("claviger_verdicts_total{{{labels}}}");
            assert_eq!(after.value(&name) - before.value(&name), by, "{name}");
        };
        moved(r#"code="valid",kind="api_key",surface="verify""#, 1.0);
        moved(r#"code="permission_missing",kind="api_key",surface="verify""#, 1.0);
        moved(r#"code="malformed",kind="none",surface="verify""#, 1.0);
        moved(r#"code="valid",kind="api_key",surface="forward_auth""#, 1.0);
        moved(r#"code="valid",kind="api_key",surface="management""#, 3.0);
        moved(r#"code="unknown",kind="none",surface="verify""#, 0.0);
        moved(r#"code="malformed",kind="none",surface="oauth""#, 1.0);
        moved(r#"code="valid",kind="client_secret",surface="oauth""#, 1.0);
        moved(r#"code="revoked",kind="client_secret",surface="oauth""#, 3.0);
        for code in ["valid", "revoked"] {
            moved(&format!(r#"code="{code}",kind="access_token",surface="oauth""#), 0.0);
        }
    }

    async fn whoever_has_to_wait_is_counted_by_where(app: &TestApp) {
        let guess = [("grant_type", "client_credentials"), ("client_id", "x"), ("client_secret", "guessed"), ("token", "x")];
        let before = scrape(app).await;
        let mut waited = BTreeMap::new();
        for (path, surface) in
            [("/oauth/token", "token"), ("/oauth/introspect", "introspection"), ("/oauth/revoke", "revocation")]
        {
            for _ in 0..80 {
                let throttled = app.form(path, &guess).await.status == StatusCode::TOO_MANY_REQUESTS;
                *waited.entry(surface).or_insert(0.0) += f64::from(u8::from(throttled));
            }
        }
        let stranger = Browser::new(app);
        for _ in 0..11 {
            let throttled = stranger.sign_in("nobody@acme.test", "a wrong password").await.status == StatusCode::TOO_MANY_REQUESTS;
            *waited.entry("sign_in").or_insert(0.0) += f64::from(u8::from(throttled));
        }
        assert!(waited.values().all(|many| *many >= 1.0), "{waited:?}");
        waited.insert("second_factor", 0.0);
        let after = scrape(app).await;
        for (surface, by) in waited {
            let name = format!("claviger_throttled_total{{surface=\"{surface}\"}}");
            assert_eq!(after.value(&name) - before.value(&name), by, "{name}");
        }
    }

    async fn requests_are_timed_and_counted_by_route(app: &TestApp) {
        let before = scrape(app).await;
        app.code("junk").await;
        app.anonymous().get("/v1/api-keys").await;
        app.anonymous().get("/v1/organizations/made-up-by-the-caller").await;
        app.anonymous().get("/wp-login.php").await;
        let after = scrape(app).await;
        let moved = |name: &str, by: f64| assert_eq!(after.value(name) - before.value(name), by, "{name}");
        moved(r#"claviger_http_request_duration_seconds_count{listener="internal",route="verify"}"#, 1.0);
        moved(r#"claviger_http_responses_total{listener="internal",route="verify",status="2xx"}"#, 1.0);
        moved(r#"claviger_http_responses_total{listener="public",route="management",status="4xx"}"#, 2.0);
        moved(r#"claviger_http_responses_total{listener="public",route="other",status="4xx"}"#, 1.0);
        moved(r#"claviger_http_responses_total{listener="internal",route="metrics",status="2xx"}"#, 1.0);
    }

    async fn the_cache_the_log_and_the_pools_can_be_watched(app: &TestApp) {
        let key = app.reader().await;
        let before = scrape(app).await;
        for _ in 0..3 {
            app.code(&key.token).await;
        }
        let after = scrape(app).await;
        // The log repeats what this node named already, so that one of the later two may have been a miss as well.
        let moved = |name: &str| after.value(name) - before.value(name);
        let (hits, misses) = (moved("claviger_cache_hits_total"), moved("claviger_cache_misses_total"));
        assert!(misses >= 1.0 && hits >= 1.0 && hits + misses == 3.0, "{hits} hits, {misses} misses");
        assert!(after.value("claviger_cache_entries") >= 1.0);
        assert!(after.value("claviger_change_log_lag_seconds") < 5.0);
        assert_eq!(after.value("claviger_database_timeouts_total"), 0.0);
        assert_eq!(after.value(r#"claviger_database_connections_max{pool="follow"}"#), 1.0);
        assert!(after.value("process_resident_memory_bytes") > 1e6);
        assert!(after.value("process_start_time_seconds") > 1.6e9);
        assert!(after.value("process_open_fds") > 3.0);
        within(SOON, "what was counted is written", async || {
            let now = scrape(app).await;
            now.value("claviger_usage_flush_duration_seconds_count") > after.value("claviger_usage_flush_duration_seconds_count")
                && now.value("claviger_usage_flush_age_seconds") < 2.0
                && now.value("claviger_usage_pending_rows") == 0.0
        }).await;
    }

    async fn an_outage_of_storage_shows(app: &TestApp) {
        let key = app.reader().await;
        app.code(&key.token).await;
        app.app.store.database().close().await;
        within(SOON, "the failures are counted", async || {
            let now = scrape(app).await;
            now.value(r#"claviger_storage_failures_total{work="usage"}"#) >= 1.0
                && now.value(r#"claviger_storage_failures_total{work="change_log"}"#) >= 1.0
                && now.value("claviger_usage_pending_rows") >= 1.0
                && now.value("claviger_change_log_lag_seconds") > 0.2
        }).await;
    }

    async fn labels_hold_words_of_ours_and_nothing_else(app: &TestApp) {
        let key = app.reader().await;
        app.verify(&key.token, json!({ "permissions": ["invoices:read"], "method": "BREW", "path": "/tea" })).await;
        app.anonymous().get("/v1/%22%0anasty").await;
        let allowed: BTreeMap<&str, &[&str]> = BTreeMap::from([
            (
                "surface",
                [
                    "verify", "forward_auth", "mqtt", "management", "oauth",
                    "sign_in", "second_factor", "provider", "confirmation", "token", "introspection", "revocation",
                    "device_authorization", "user_code", "enrolment", "audit",
                ]
                .as_slice(),
            ),
            ("kind", &["api_key", "personal_access_token", "access_token", "client_secret", "public_key", "certificate", "federation", "none"]),
            ("code", &CODES),
            (
                "reason",
                &["user_name_mismatch", "credential_in_user_name", "several_credentials", "topic_not_allowed"],
            ),
            ("listener", &["public", "internal"]),
            ("route", &["verify", "forward_auth", "mqtt", "changes", "management", "oauth", "console", "documentation", "health", "metrics", "other"]),
            ("status", &["2xx", "3xx", "4xx", "5xx"]),
            ("work", &["change_log", "quotas", "usage", "audit", "trim", "usage_days", "signing_keys", "deny_list"]),
            ("algorithm", &["ES256", "EdDSA", "RS256"]),
            ("pool", &["read", "write", "main", "follow"]),
            ("state", &["used", "idle"]),
            ("version", &[env!("CARGO_PKG_VERSION")]),
        ]);
        let scraped = scrape(app).await;
        let labels: Vec<_> = scraped.samples.iter().flat_map(|sample| &sample.labels).collect();
        for (label, value) in labels.iter().filter(|(label, _)| label != "le") {
            let words = allowed.get(label.as_str()).unwrap_or_else(|| panic!("a label {label}"));
            assert!(words.contains(&value.as_str()), "{label}={value}");
        }
        assert!(labels.iter().any(|(label, value)| label == "le" && value == "+Inf"));
        assert!(scraped.samples.len() < 1000, "{} series", scraped.samples.len());
    }
}

const CODES: [&str; 17] = [
    "valid",
    "malformed",
    "unknown",
    "revoked",
    "disabled",
    "pending_approval",
    "expired",
    "not_yet_valid",
    "proof_required",
    "proof_invalid",
    "network_not_allowed",
    "audience_mismatch",
    "permission_missing",
    "object_required",
    "object_not_allowed",
    "quota_exceeded",
    "rate_limited",
];

#[test]
fn metrics_are_behind_the_checks_of_the_internal_listener() {
    let database = TestDatabase::fresh(Engine::Sqlite);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let app = TestApp::start(&database.url, |config| {
            config.internal_token = Some(Secret::new("internal-secret".to_owned()));
        })
        .await;
        let ask = || app.request(Method::GET, app.internal, "/metrics");
        let refused = ask().send().await.unwrap();
        Reply::read(&app, refused).await.problem(StatusCode::UNAUTHORIZED, "internal_token_needed");
        let rebound = ask().bearer_auth("internal-secret").header("host", "evil.test").send().await.unwrap();
        Reply::read(&app, rebound).await.problem(StatusCode::MISDIRECTED_REQUEST, "host_not_allowed");
        // As Prometheus sends it with `authorization: credentials`.
        let scraped = ask().bearer_auth("internal-secret").send().await.unwrap();
        assert_eq!(scraped.status(), StatusCode::OK);
        assert_eq!(scraped.headers()["content-type"], "text/plain; version=0.0.4");
        app.anonymous().get("/metrics").await.problem(StatusCode::NOT_FOUND, "not_found");
    });
}

/// What `/metrics` showed, every line of it understood.
pub(crate) struct Scraped {
    pub(crate) kinds: BTreeMap<String, String>,
    pub(crate) samples: Vec<Sample>,
}

pub(crate) struct Sample {
    /// Its name and its labels, as they stand in the line.
    pub(crate) series: String,
    pub(crate) labels: Vec<(String, String)>,
    value: f64,
}

impl Scraped {
    #[track_caller]
    pub(crate) fn value(&self, series: &str) -> f64 {
        let found = self.samples.iter().find(|sample| sample.series == series);
        found.unwrap_or_else(|| panic!("no {series}")).value
    }

    fn read(text: &str) -> Self {
        let mut scraped = Self { kinds: BTreeMap::new(), samples: Vec::new() };
        let mut helped = "";
        for line in text.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, help) = help.split_once(' ').unwrap();
                assert!(help.ends_with('.'), "{line}");
                helped = name;
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').unwrap();
                assert_eq!(name, helped, "the help comes before the type");
                assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
                assert_eq!(name.ends_with("_total"), kind == "counter", "{line}");
                assert!(scraped.kinds.insert(name.to_owned(), kind.to_owned()).is_none(), "{name} twice");
            } else {
                scraped.samples.push(Sample::read(line, helped));
            }
        }
        let mut series: Vec<_> = scraped.samples.iter().map(|sample| &sample.series).collect();
        series.sort_unstable();
        assert!(series.windows(2).all(|pair| pair[0] != pair[1]), "a series twice");
        scraped
    }
}

impl Sample {
    fn read(line: &str, family: &str) -> Self {
        let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line:?}"));
        let (name, labels) = series.split_once('{').map_or((series, ""), |(name, labels)| {
            (name, labels.strip_suffix('}').unwrap_or_else(|| panic!("{line:?}")))
        });
        let word =
            |text: &str| text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        assert!(name.starts_with(family) && word(name), "{line:?}");
        let labels = labels.split(',').filter(|pair| !pair.is_empty()).map(|pair| {
            let (label, value) = pair.split_once("=\"").unwrap_or_else(|| panic!("{line:?}"));
            let value = value.strip_suffix('"').unwrap_or_else(|| panic!("{line:?}"));
            assert!(word(label) && !value.contains(['"', '\\']), "{line:?}");
            (label.to_owned(), value.to_owned())
        });
        let (series, labels) = (series.to_owned(), labels.collect());
        Self { series, labels, value: value.parse().unwrap_or_else(|_| panic!("{line:?}")) }
    }
}

pub(crate) async fn scrape(app: &TestApp) -> Scraped {
    let answer = app.request(Method::GET, app.internal, "/metrics").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let text = answer.text().await.unwrap();
    assert!(text.ends_with('\n') && !text.contains("clv_") && !text.contains("key_0"), "{text}");
    Scraped::read(&text)
}
