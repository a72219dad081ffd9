//! Status lists, read as a verifier reads them that never asks about a token.

use std::time::Duration;

use claviger_token::{CredentialId, Jws, StatusClaim, StatusList, TokenStatus, Typ, VerifyingKey};
use jiff::SignedDuration;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::app::{Key, PUBLIC_URL, SOON, TestApp, within};

/// What a document of ours says, if a key that we publish signed it for this purpose.
pub(crate) async fn proved(app: &TestApp, text: &str, typ: &'static str) -> Value {
    let jws = Jws::parse(text, Typ::Is(typ)).unwrap();
    let keys = app.anonymous().get("/.well-known/jwks.json").await.expect(StatusCode::OK);
    let keys = keys["keys"].as_array().unwrap();
    let key = keys.iter().find(|key| key["kid"].as_str() == jws.kid()).unwrap();
    jws.proved(&VerifyingKey::from_members(key.as_object().unwrap()).unwrap()).unwrap()
}

/// Where the instance is behind its address.
fn path(uri: &str) -> &str {
    uri.strip_prefix(PUBLIC_URL).unwrap()
}

async fn fetched(app: &TestApp, uri: &str) -> String {
    let response = app.request(Method::GET, app.public, path(uri)).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    response.text().await.unwrap()
}

/// What a token that is made from this epoch of a key now says of itself.
pub(crate) async fn claim(app: &TestApp, key: &Key, epoch: u64) -> StatusClaim {
    let id: CredentialId = key.id.parse().unwrap();
    app.app.status_claim(id, epoch, app.app.now()).await.unwrap()
}

/// What a verifier reads there that trusts nothing but our keys.
pub(crate) async fn state(app: &TestApp, claim: &StatusClaim) -> TokenStatus {
    let place = &claim.status_list;
    let list = proved(app, &fetched(app, &place.uri).await, "statuslist+jwt").await;
    assert_eq!(list["sub"], place.uri);
    StatusList::decode(list["status_list"]["lst"].as_str().unwrap()).unwrap().get(place.idx).unwrap()
}

on_both_databases! {
    async fn s01_a_list_is_a_signed_document_that_anybody_may_read(app: &TestApp) {
        let key = app.reader().await;
        let claim = claim(app, &key, 1).await;
        let uri = &claim.status_list.uri;
        assert!(uri.starts_with("https://claviger.test/oauth/status/") && uri.ends_with("-0"), "{uri}");
        let get = async |headers: &[(&str, &str)]| {
            let mut request = app.request(Method::GET, app.public, path(uri)).header("origin", "https://page.test");
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), StatusCode::OK);
            (response.headers().clone(), response.bytes().await.unwrap())
        };
        let (headers, plain) = get(&[]).await;
        assert_eq!(headers["content-type"], "application/statuslist+jwt");
        assert_eq!(headers["access-control-allow-origin"], "*");
        assert_eq!(headers["cache-control"], "public, max-age=1");
        assert!(!headers.contains_key("content-encoding"));
        let list = proved(app, std::str::from_utf8(&plain).unwrap(), "statuslist+jwt").await;
        let now = app.app.now().as_second();
        let number = |name: &str| list[name].as_i64().unwrap();
        assert_eq!((&list["sub"], number("ttl")), (&json!(uri), 30));
        assert!((now - 5..=now).contains(&number("iat")) && number("exp") == number("iat") + 3600, "{list}");
        assert_eq!((list.as_object().unwrap().len(), list["status_list"].as_object().unwrap().len()), (5, 2));
        assert_eq!(list["status_list"]["bits"], 2);
        assert_eq!(state(app, &claim).await, TokenStatus::Valid);

        let (headers, zipped) = get(&[("accept-encoding", "br;q=1.0, gzip;q=0.8")]).await;
        assert_eq!(headers["content-encoding"], "gzip");
        assert_eq!(headers["vary"], "accept-encoding");
        assert!(zipped.starts_with(&[0x1f, 0x8b]));
        let (headers, _) = get(&[("accept-encoding", "gzip;q=0")]).await;
        assert!(!headers.contains_key("content-encoding"));
        app.anonymous().post(path(uri), json!({})).await.problem(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed");
    }

    async fn s03_a_list_that_no_token_names_is_not_there(app: &TestApp) {
        let key = app.reader().await;
        let uri = claim(app, &key, 1).await.status_list.uri;
        let (start, name) = path(&uri).rsplit_once('/').unwrap();
        let week: i64 = name.split_once('-').unwrap().0.parse().unwrap();
        for name in [
            format!("{week}-1"), format!("{week}-999999"), format!("{}-0", week - 1), format!("{}-0", week - 2),
            format!("{}-0", week + 1), format!("{week}"), format!("{week}-00"), format!("0{week}-0"), format!("{week}-0%00"),
            format!("{week}--1"), "x".to_owned(), "%F0%9F%94%91".to_owned(), "-".to_owned(), "9".repeat(3000),
        ] {
            app.anonymous().get(&format!("{start}/{name}")).await.problem(StatusCode::NOT_FOUND, "not_found");
        }
        // A token may outlast its week by an hour.
        app.clock.advance(SignedDuration::from_hours(7 * 24));
        assert_eq!(app.anonymous().get(path(&uri)).await.status, StatusCode::OK);
        app.clock.advance(SignedDuration::from_hours(7 * 24));
        app.anonymous().get(path(&uri)).await.problem(StatusCode::NOT_FOUND, "not_found");
    }

    async fn s04_two_nodes_give_an_epoch_one_place_and_two_epochs_two(app: &TestApp) {
        let mut other = app.another_node().await;
        let key = app.reader().await;
        for epoch in 1..8 {
            let (one, two) = tokio::join!(claim(app, &key, epoch), claim(&other, &key, epoch));
            assert_eq!(one, two);
            assert_eq!(claim(app, &key, epoch).await, one);
            assert_ne!(one, claim(app, &key, epoch + 1).await);
        }
        let list = fetched(app, &claim(app, &key, 1).await.status_list.uri).await;
        let list = proved(app, &list, "statuslist+jwt").await;
        let empty = StatusList::default().encode().unwrap();
        assert_eq!(list["status_list"]["lst"], empty, "how many tokens there are is not told");
        app.clock.advance(SignedDuration::from_hours(7 * 24));
        assert_ne!(claim(app, &key, 1).await.status_list.uri, claim(&other, &key, 1).await.status_list.uri, "another week");
        other.finish().await;
    }

    async fn s05_a_revocation_is_told_by_every_origin_within_a_second(app: &TestApp) {
        let mut other = app.another_node().await;
        let key = app.reader().await;
        let claim = claim(app, &key, 1).await;
        for node in [app, &other] {
            assert_eq!(state(node, &claim).await, TokenStatus::Valid);
        }
        app.root().post(&format!("/v1/api-keys/{}/revoke", key.id), json!({})).await.expect(StatusCode::OK);
        for node in [app, &other] {
            within(SOON, "told", async || state(node, &claim).await == TokenStatus::Invalid).await;
        }
        other.finish().await;
    }

    async fn a_list_in_which_nothing_changed_is_signed_once_in_its_ttl(app: &TestApp) {
        let key = app.reader().await;
        let claim = claim(app, &key, 1).await;
        let uri = &claim.status_list.uri;
        // Until this node has read in the log what it did itself.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let first = fetched(app, uri).await;
        tokio::time::sleep(Duration::from_millis(1200)).await;
        assert_eq!(fetched(app, uri).await, first);
        app.user("alice@acme.test").await;
        tokio::time::sleep(Duration::from_millis(1000)).await;
        assert_ne!(fetched(app, uri).await, first, "something changed, be it of no account");
    }

    async fn many_who_ask_at_once_are_told_the_same_list(app: &TestApp) {
        let key = app.reader().await;
        let uri = claim(app, &key, 1).await.status_list.uri;
        let asked = (0..30).map(|_| app.request(Method::GET, app.public, path(&uri)).send());
        let mut told = Vec::new();
        for sent in asked.map(tokio::spawn).collect::<Vec<_>>() {
            told.push(sent.await.unwrap().unwrap().text().await.unwrap());
        }
        assert!(told.iter().all(|list| *list == told[0]));
    }
}
