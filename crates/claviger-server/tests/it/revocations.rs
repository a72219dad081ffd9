//! The feed of what ended lately, as a verifier holds it.

use std::time::Duration;

use jiff::SignedDuration;
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::{
    access_tokens::{claims, signed},
    app::{PUBLIC_URL, SOON, TestApp, instant, within},
    status_list::{claim, proved},
};

const PATH: &str = "/oauth/revocations";

async fn ask(app: &TestApp, query: &str, known: Option<&str>) -> Response {
    let mut request = app.request(Method::GET, app.public, &format!("{PATH}{query}"));
    if let Some(known) = known {
        request = request.header("if-none-match", known);
    }
    request.send().await.unwrap()
}

/// What the feed says, and its tag.
async fn told(app: &TestApp, response: Response) -> (Value, String) {
    assert_eq!(response.status(), StatusCode::OK);
    let tag = response.headers()["etag"].to_str().unwrap().to_owned();
    (proved(app, &response.text().await.unwrap(), "revocations+jwt").await, tag)
}

async fn feed(app: &TestApp) -> (Value, String) {
    told(app, ask(app, "", None).await).await
}

/// The lowest epoch of this credential that counts, if the feed names it.
pub(crate) async fn min_epoch(app: &TestApp, id: &str) -> Option<u64> {
    let (feed, _) = feed(app).await;
    let credentials = feed["revocations"]["credentials"].as_array().unwrap();
    credentials.iter().find(|ended| ended["cred"] == id).and_then(|ended| ended["min_epoch"].as_u64())
}

on_both_databases! {
    async fn r07_the_feed_is_a_signed_document_that_anybody_may_read(app: &TestApp) {
        let response = ask(app, "", None).await;
        let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(header("content-type").as_deref(), Some("application/revocations+jwt"));
        assert_eq!(header("cache-control").as_deref(), Some("no-cache"));
        assert_eq!(header("access-control-allow-origin").as_deref(), Some("*"));
        let (feed, tag) = told(app, response).await;
        let now = app.app.now().as_second();
        let (iat, exp) = (feed["iat"].as_i64().unwrap(), feed["exp"].as_i64().unwrap());
        assert!((now - 5..=now).contains(&iat) && exp == iat + 3600);
        assert_eq!((&feed["iss"], &feed["ttl"]), (&json!(PUBLIC_URL), &json!(1)));
        assert_eq!(feed["revocations"], json!({ "credentials": [], "tokens": [] }));
        for known in [tag.as_str(), tag.strip_prefix("W/").unwrap(), "*"] {
            let again = ask(app, "", Some(known)).await;
            assert_eq!((again.status(), again.headers()["etag"].to_str().unwrap()), (StatusCode::NOT_MODIFIED, tag.as_str()));
        }
        for query in ["?wait=31", "?wait=-1", "?wait=x", "?wait=1&wait=1", "?since=1", "?wait=99999999999999999999"] {
            app.anonymous().get(&format!("{PATH}{query}")).await.problem(StatusCode::BAD_REQUEST, "invalid_query");
        }
        let page = app.anonymous().send(Method::GET, PATH, None, &[("origin", "https://page.test")]).await;
        assert_eq!((page.header("access-control-allow-origin"), page.header("access-control-expose-headers")), (Some("*"), Some("etag")));
    }

    async fn r07_only_what_tokens_were_made_from_is_named_and_for_as_long_as_they_count(app: &TestApp) {
        let (named, quiet) = (app.reader().await, {
            let (_, account) = app.account("globex", &["invoices:read"]).await;
            app.key(&account, &["invoices:read"], json!({})).await
        });
        claim(app, &named, 1).await;
        for key in [&named, &quiet] {
            app.root().patch(&format!("/v1/api-keys/{}", key.id), json!({ "disabled": true })).await.expect(StatusCode::OK);
        }
        within(SOON, "named", async || min_epoch(app, &named.id).await == Some(3)).await;
        assert_eq!(min_epoch(app, &quiet.id).await, None);
        app.root().patch(&format!("/v1/api-keys/{}", named.id), json!({ "disabled": false })).await.expect(StatusCode::OK);
        // What was told never falls: some keep the highest.
        within(SOON, "as it is now", async || min_epoch(app, &named.id).await == Some(3)).await;
        app.root().post(&format!("/v1/api-keys/{}/revoke", named.id), json!({})).await.expect(StatusCode::OK);
        within(SOON, "ended", async || min_epoch(app, &named.id).await == Some(5)).await;
        app.clock.advance(SignedDuration::from_mins(64));
        assert_eq!(min_epoch(app, &named.id).await, Some(5));
        app.clock.advance(SignedDuration::from_mins(1));
        app.user("alice@acme.test").await;
        within(SOON, "no token of before counts", async || min_epoch(app, &named.id).await.is_none()).await;
    }

    async fn r07_a_token_that_ends_by_itself_is_named(app: &TestApp) {
        let key = app.reader().await;
        let mut claims = claims(app, &key, "").await;
        claims.aud = vec![PUBLIC_URL.to_owned()];
        let token = signed(app, &claims).await;
        app.client(&token).delete("/v1/token").await.expect(StatusCode::NO_CONTENT);
        within(SOON, "named", async || feed(app).await.0["revocations"]["tokens"] == json!([claims.jti])).await;
        assert_eq!(min_epoch(app, &key.id).await, None);
    }

    async fn r07_a_feed_does_not_end_in_the_hands_of_whoever_asks_again(app: &TestApp) {
        let (first, tag) = feed(app).await;
        assert_eq!(ask(app, "", Some(&tag)).await.status(), StatusCode::NOT_MODIFIED);
        app.clock.advance(SignedDuration::from_mins(30));
        app.user("alice@acme.test").await;
        let anew = async || ask(app, "", Some(&tag)).await.status() == StatusCode::OK;
        within(SOON, "signed anew", anew).await;
        let (second, tag) = feed(app).await;
        assert_eq!((&second["revocations"], second["exp"].as_i64() > first["exp"].as_i64()), (&first["revocations"], true));

        let rotate = json!({ "algorithm": "ES256", "emergency": true });
        app.root().post("/v1/signing-keys/rotate", rotate).await.expect(StatusCode::OK);
        let anew = async || ask(app, "", Some(&tag)).await.status() == StatusCode::OK;
        within(SOON, "signed by a key that counts", anew).await;
        feed(app).await;
    }

    async fn r07_who_waits_is_told_at_once_on_every_node(app: &TestApp) {
        let mut other = app.another_node().await;
        let key = app.reader().await;
        claim(app, &key, 1).await;
        let (_, tag) = feed(app).await;
        assert_eq!(feed(&other).await.1, tag, "the same on every node");
        let began = instant();
        let unchanged = ask(app, "?wait=1", Some(&tag)).await;
        assert_eq!(unchanged.status(), StatusCode::NOT_MODIFIED);
        assert!(began.elapsed() >= Duration::from_secs(1));
        let began = instant();
        assert_eq!(ask(app, "?wait=20", None).await.status(), StatusCode::OK, "who has nothing need not wait");
        assert!(began.elapsed() < Duration::from_secs(10));

        let revoke = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            app.user("alice@acme.test").await;
            tokio::time::sleep(Duration::from_millis(300)).await;
            app.root().post(&format!("/v1/api-keys/{}/revoke", key.id), json!({})).await.expect(StatusCode::OK);
            instant()
        };
        let wait = async |node: &TestApp| {
            let response = ask(node, "?wait=20", Some(&tag)).await;
            let at = instant();
            (told(node, response).await.0, at)
        };
        let (revoked, (here, here_at), (there, there_at)) = tokio::join!(revoke, wait(app), wait(&other));
        for (feed, at) in [(here, here_at), (there, there_at)] {
            assert_eq!(feed["revocations"]["credentials"], json!([{ "cred": key.id, "min_epoch": 3 }]));
            assert!(at.saturating_duration_since(revoked) < SOON);
        }
        other.finish().await;
    }

    async fn a_node_that_stops_lets_nobody_wait(app: &TestApp) {
        let mut other = app.another_node().await;
        let (_, tag) = feed(&other).await;
        let asked = other.request(Method::GET, other.public, &format!("{PATH}?wait=30")).header("if-none-match", tag);
        let waiting = tokio::spawn(asked.send());
        tokio::time::sleep(Duration::from_millis(500)).await;
        let began = instant();
        other.finish().await;
        assert!(began.elapsed() < Duration::from_secs(10));
        assert_eq!(waiting.await.unwrap().unwrap().status(), StatusCode::NOT_MODIFIED);
    }
}
