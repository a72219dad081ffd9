use std::{
    collections::VecDeque,
    pin::Pin,
    sync::atomic::{AtomicUsize, Ordering},
    task::{Context, Poll, ready},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State as Extract,
    response::{IntoResponse as _, Response},
};
use claviger_token::{SigningAlgorithm, SigningKey};
use hyper::body::Frame;
use serde_json::json;
use tokio::{net::TcpListener, task::JoinSet, time::Sleep};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// How the other side answers.
#[derive(Clone)]
enum Answer {
    /// With the public keys of these names.
    Keys(&'static [&'static str]),
    /// The same, to be kept as this says.
    KeysFor(&'static [&'static str], &'static str),
    Text(String),
    Status(u16),
    Redirect(&'static str),
    Never,
    /// A byte now and then.
    Drip,
}

/// Publishes keys, and counts how often it is asked.
struct Publisher {
    place: Place,
    uri: Url,
    asked: Arc<AtomicUsize>,
    answer: Arc<Mutex<Answer>>,
}

impl Publisher {
    async fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri: Url = format!("http://{}/jwks.json?of=client", listener.local_addr().unwrap()).parse().unwrap();
        let place = Place::Keys(uri.as_str().to_owned());
        let (asked, answer) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(answer)));
        let router = Router::new().fallback(respond).with_state((Arc::clone(&asked), Arc::clone(&answer)));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { place, uri, asked, answer }
    }

    fn now_answers(&self, answer: Answer) {
        *self.answer.lock() = answer;
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

async fn respond(Extract((asked, answer)): Extract<(Arc<AtomicUsize>, Arc<Mutex<Answer>>)>) -> Response {
    asked.fetch_add(1, Ordering::SeqCst);
    let answer = answer.lock().clone();
    match answer {
        Answer::Keys(names) => published(names).into_response(),
        Answer::KeysFor(names, control) => ([(header::CACHE_CONTROL, control)], published(names)).into_response(),
        Answer::Text(text) => text.into_response(),
        Answer::Status(status) => (StatusCode::from_u16(status).unwrap(), published(&["a"])).into_response(),
        Answer::Redirect(location) => (StatusCode::FOUND, [(header::LOCATION, location)]).into_response(),
        Answer::Never => std::future::pending().await,
        Answer::Drip => {
            let first = Box::pin(tokio::time::sleep(Duration::ZERO));
            Body::new(Drops(published(&["a"]).into_bytes().into(), first)).into_response()
        }
    }
}

/// A byte every half second.
struct Drops(VecDeque<u8>, Pin<Box<Sleep>>);

impl hyper::body::Body for Drops {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        ready!(self.1.as_mut().poll(cx));
        self.1 = Box::pin(tokio::time::sleep(SECOND / 2));
        Poll::Ready(self.0.pop_front().map(|byte| Ok(Frame::data(Bytes::copy_from_slice(&[byte])))))
    }
}

fn published(names: &[&str]) -> String {
    let key = SigningKey::from_pkcs8(SigningAlgorithm::EdDsa, &SigningKey::generate(SigningAlgorithm::EdDsa).unwrap());
    let key = key.unwrap();
    let keys: Vec<_> = names.iter().map(|name| key.verifying_key().jwk(*name)).collect();
    json!({ "keys": keys }).to_string()
}

fn here() -> RemoteKeys {
    RemoteKeys::new(NetworkSet::parse(["127.0.0.0/8"]).ok())
}

fn names(keys: &[VerifyingKey]) -> Vec<&str> {
    keys.iter().map(|key| key.kid().unwrap()).collect()
}

/// Checks which keys somebody gets, and how often the publisher was asked by then.
async fn check(
    remote: &RemoteKeys,
    publisher: &Publisher,
    wanted: Option<&str>,
    now: Instant,
    keys: &[&str],
    asked: usize,
) {
    let got = remote.keys(&publisher.place, wanted, now).await.unwrap();
    assert_eq!((names(&got).as_slice(), publisher.asked()), (keys, asked), "{wanted:?}");
}

#[tokio::test]
async fn keys_are_kept_for_ten_minutes_or_as_long_as_is_said() {
    let (remote, start) = (here(), monotonic());
    let publisher = Publisher::start(Answer::Keys(&["a"])).await;
    check(&remote, &publisher, Some("a"), start, &["a"], 1).await;
    publisher.now_answers(Answer::KeysFor(&["b"], "public, MAX-AGE=\"120\""));
    check(&remote, &publisher, None, start + FRESH - SECOND, &["a"], 1).await;
    let start = start + FRESH;
    check(&remote, &publisher, None, start, &["b"], 2).await;
    check(&remote, &publisher, Some("b"), start + 119 * SECOND, &["b"], 2).await;
    check(&remote, &publisher, Some("b"), start + 120 * SECOND, &["b"], 3).await;
}

#[test]
fn what_is_said_of_keeping_is_bounded() {
    let check = |lines: &[&'static str], seconds: u64| {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::CACHE_CONTROL, line.parse().unwrap());
        }
        assert_eq!(fresh_for(&headers).as_secs(), seconds, "{lines:?}");
    };
    check(&[], 600);
    check(&["public, max-age=900"], 900);
    check(&["max-age=0"], 60);
    check(&["no-store"], 60);
    check(&["public", "max-age=900, no-cache=\"x\""], 60);
    check(&["max-age=31536000, immutable"], 3600);
    check(&["max-age=18446744073709551616"], 600);
    check(&["max-age=-1", "max-age", "=", ",,"], 600);
}

#[tokio::test]
async fn j10_a_new_key_counts_from_its_first_use() {
    let (remote, start) = (here(), monotonic());
    let publisher = Publisher::start(Answer::Keys(&["a"])).await;
    check(&remote, &publisher, Some("a"), start, &["a"], 1).await;
    publisher.now_answers(Answer::Keys(&["a", "b"]));
    check(&remote, &publisher, Some("b"), start + SECOND, &["a", "b"], 2).await;
    check(&remote, &publisher, Some("a"), start + 2 * SECOND, &["a", "b"], 2).await;
    // What is taken away is gone with the next question.
    publisher.now_answers(Answer::Keys(&[]));
    check(&remote, &publisher, Some("b"), start + SECOND + FRESH, &[], 3).await;
}

#[tokio::test]
async fn j10_ten_thousand_names_that_nobody_knows_are_one_question_in_a_while() {
    let (remote, start) = (here(), monotonic());
    let publisher = Publisher::start(Answer::Keys(&["a"])).await;
    for number in 0..5_000 {
        check(&remote, &publisher, Some(&format!("cold {number}")), start, &["a"], 1).await;
    }
    let start = start + COOL_DOWN;
    for number in 0..10_000 {
        check(&remote, &publisher, Some(&format!("k{number}")), start + number * SECOND / 400, &["a"], 2).await;
    }
    check(&remote, &publisher, Some("x"), start + COOL_DOWN, &["a"], 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn j10_who_asks_at_once_shares_one_question() {
    let (remote, start) = (Arc::new(here()), monotonic());
    let publisher = Publisher::start(Answer::Keys(&["a"])).await;
    let mut tasks = JoinSet::new();
    for number in 0..100 {
        let (remote, uri) = (Arc::clone(&remote), publisher.place.clone());
        tasks.spawn(async move { remote.keys(&uri, Some(&format!("k{number}")), start).await.unwrap().len() });
    }
    assert_eq!(tasks.join_all().await, [1; 100]);
    assert_eq!(publisher.asked(), 1);
}

#[tokio::test]
async fn whoever_goes_away_in_the_middle_does_not_make_the_next_one_ask_again() {
    let (remote, start) = (here(), monotonic());
    let publisher = Publisher::start(Answer::Never).await;
    for _ in 0..5 {
        let asked = remote.keys(&publisher.place, None, start);
        assert!(tokio::time::timeout(Duration::from_millis(50), asked).await.is_err());
    }
    while publisher.asked() == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(publisher.asked(), 1);
}

#[tokio::test]
async fn the_last_keys_count_for_a_day_while_nobody_answers() {
    let (remote, start) = (here(), monotonic());
    let publisher = Publisher::start(Answer::Keys(&["a"])).await;
    check(&remote, &publisher, Some("a"), start, &["a"], 1).await;
    publisher.now_answers(Answer::Status(500));
    check(&remote, &publisher, Some("a"), start + FRESH, &["a"], 2).await;
    // Left alone for a while, though a name is unknown.
    check(&remote, &publisher, Some("b"), start + FRESH + COOL_DOWN - SECOND, &["a"], 2).await;
    check(&remote, &publisher, Some("b"), start + FRESH + COOL_DOWN, &["a"], 3).await;
    check(&remote, &publisher, Some("a"), start + STALE - SECOND, &["a"], 4).await;
    let late = remote.keys(&publisher.place, Some("a"), start + STALE).await;
    assert!(late.is_err_and(|error| error.to_string().contains("status 500")));
    publisher.now_answers(Answer::Keys(&["c"]));
    check(&remote, &publisher, None, start + STALE + COOL_DOWN, &["c"], 5).await;
}

#[tokio::test]
async fn w07_what_is_no_key_set_is_a_bounded_failure() {
    let start = monotonic();
    let many = |count: usize| Answer::Text(json!({ "keys": vec![json!({ "kty": "EC" }); count] }).to_string());
    for (answer, why) in [
        (Answer::Status(500), "status 500"),
        (Answer::Status(404), "status 404"),
        (Answer::Status(206), "status 206"),
        (Answer::Redirect("http://169.254.169.254/latest/meta-data/"), "status 302"),
        (Answer::Text("<html><body>Sign in</body></html>".to_owned()), "no JWK Set"),
        (Answer::Text(String::new()), "no JWK Set"),
        (Answer::Text("{}".to_owned()), "no JWK Set"),
        (Answer::Text(r#"{"keys":{}}"#.to_owned()), "no JWK Set"),
        (Answer::Text(r#"{"keys":["x"]}"#.to_owned()), "no JWK Set"),
        (Answer::Text(r#"{"keys":[],"keys":[]}"#.to_owned()), "says something twice"),
        (Answer::Text(format!(r#"{{"keys":{}"#, "[".repeat(200_000))), "no JWK Set"),
        (Answer::Text("x".repeat(10_000_000)), "262144 bytes"),
        (Answer::Keys(&["a", "a"]), "two keys of one kid"),
        (many(51), "more than 50"),
    ] {
        let (remote, publisher) = (here(), Publisher::start(answer).await);
        for _ in 0..3 {
            let failed = remote.keys(&publisher.place, Some("a"), start).await.unwrap_err();
            assert!(failed.to_string().contains(why), "{failed}");
        }
        assert_eq!(publisher.asked(), 1, "{why}");
        publisher.now_answers(Answer::Keys(&["a"]));
        check(&remote, &publisher, Some("a"), start + COOL_DOWN, &["a"], 2).await;
    }
    let (remote, publisher) = (here(), Publisher::start(many(50)).await);
    check(&remote, &publisher, None, start, &[], 1).await;
}

#[test]
fn w07_keys_that_prove_no_signature_or_are_no_secret_are_passed_over() {
    let set: Value = serde_json::from_str(&published(&["a", "enc", "private", "b"])).unwrap();
    let mut keys = set["keys"].as_array().unwrap().clone();
    keys[1]["use"] = json!("enc");
    keys[2]["d"] = json!("AAAA");
    keys[3].as_object_mut().unwrap().remove("kid");
    keys.extend([
        json!({ "kty": "oct", "k": "AAAA", "kid": "a" }),
        json!({ "kty": "EC", "crv": "P-521", "kid": "a" }),
        json!({}),
    ]);
    let read: Vec<VerifyingKey> = key_set(json!({ "keys": keys, "more": 1 }).to_string().as_bytes()).unwrap();
    assert_eq!(read.iter().map(VerifyingKey::kid).collect::<Vec<_>>(), [Some("a"), None]);
}

#[tokio::test]
async fn w07_who_never_comes_to_an_end_delays_nobody_else() {
    let (remote, start) = (Arc::new(here()), monotonic());
    let mut slow = JoinSet::new();
    for answer in [Answer::Never, Answer::Drip] {
        let (remote, publisher) = (Arc::clone(&remote), Publisher::start(answer).await);
        slow.spawn(async move { remote.keys(&publisher.place, Some("a"), start).await });
    }
    tokio::task::yield_now().await;
    let publisher = Publisher::start(Answer::Keys(&["a"])).await;
    let other = remote.keys(&publisher.place, Some("a"), start);
    assert_eq!(names(&tokio::time::timeout(2 * SECOND, other).await.unwrap().unwrap()), ["a"]);
    assert!(slow.try_join_next().is_none());
    while let Some(done) = tokio::time::timeout(8 * SECOND, slow.join_next()).await.unwrap() {
        assert!(done.unwrap().is_err());
    }
}

#[tokio::test]
async fn s09_keys_on_this_machine_are_fetched_only_where_the_operator_allows_it() {
    let publisher = Publisher::start(Answer::Keys(&["a"])).await;
    let remote: RemoteKeys = RemoteKeys::new(None);
    let refused = remote.keys(&publisher.place, None, monotonic()).await.unwrap_err();
    assert!(refused.to_string().contains("public internet"), "{refused}");
    let by_name = Place::Keys(publisher.uri.as_str().replace("127.0.0.1", "localhost"));
    let refused = remote.keys(&by_name, None, monotonic()).await.unwrap_err();
    assert!(refused.to_string().contains("public internet") && !refused.to_string().contains("of=client"), "{refused}");
    assert_eq!(publisher.asked(), 0);
    here().keys(&by_name, None, monotonic()).await.unwrap();
    assert_eq!(publisher.asked(), 1);
}

/// Answers at each path with a text.
async fn issuer(documents: impl Fn(&str) -> Vec<(&'static str, String)>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    let mut router = Router::new();
    for (path, text) in documents(&issuer) {
        router = router.route(path, axum::routing::get(async || text));
    }
    tokio::spawn(async move { axum::serve(listener, router).await });
    issuer
}

#[tokio::test]
async fn w02_w07_an_issuer_says_where_its_keys_are_in_its_own_name() {
    const DOCUMENT: &str = "/.well-known/openid-configuration";
    let remote: RemoteKeys<IssuerKey> = RemoteKeys::new(NetworkSet::parse(["127.0.0.0/8"]).ok());
    let check = async |document: &dyn Fn(&str) -> Value, expected: Result<&[&str], &str>| {
        let issuer = issuer(|issuer| {
            vec![(DOCUMENT, document(issuer).to_string()), ("/keys", published(&["a"])), ("/html", "<html>".to_owned())]
        })
        .await;
        let keys = remote.keys(&Place::Issuer(issuer), Some("a"), monotonic()).await;
        match (keys, expected) {
            (Ok(keys), Ok(names)) => assert_eq!(keys.iter().filter_map(IssuerKey::kid).collect::<Vec<_>>(), names),
            (Err(error), Err(why)) => assert!(error.to_string().contains(why), "{error}"),
            (got, expected) => panic!("{got:?} and not {expected:?}"),
        }
    };
    let keys = |issuer: &str| format!("{issuer}/keys");
    check(&|issuer| json!({ "issuer": issuer, "jwks_uri": keys(issuer), "more": [1] }), Ok(&["a"])).await;
    check(&|issuer| json!({ "issuer": format!("{issuer}/"), "jwks_uri": keys(issuer) }), Err("another issuer")).await;
    check(&|issuer| json!({ "issuer": "https://other.test", "jwks_uri": keys(issuer) }), Err("another issuer")).await;
    check(&|issuer| json!({ "issuer": issuer }), Err("no JSON object")).await;
    check(&|_| json!("<html>"), Err("no JSON object")).await;
    check(&|issuer| json!({ "issuer": issuer, "jwks_uri": format!("{issuer}/html") }), Err("no JWK Set")).await;
    check(&|issuer| json!({ "issuer": issuer, "jwks_uri": format!("{issuer}/none") }), Err("status 404")).await;
    let elsewhere = |uri: &'static str| move |issuer: &str| json!({ "issuer": issuer, "jwks_uri": uri });
    check(&elsewhere("http://169.254.169.254/latest/meta-data/"), Err("neither https")).await;
    check(&elsewhere("https://169.254.169.254/latest/meta-data/"), Err("public internet")).await;
    check(&elsewhere("file:///etc/passwd"), Err("")).await;
    check(&elsewhere("/keys"), Err("")).await;
}

#[tokio::test]
async fn w07_many_who_never_come_to_an_end_keep_nobody_waiting_who_answered_before() {
    let (remote, start) = (Arc::new(here()), monotonic());
    let good = Publisher::start(Answer::Keys(&["a"])).await;
    check(&remote, &good, Some("a"), start, &["a"], 1).await;
    let mut slow = JoinSet::new();
    for _ in 0..2 * MOST_UNKNOWN_AT_ONCE + MOST_AT_ONCE {
        let (remote, publisher) = (Arc::clone(&remote), Publisher::start(Answer::Never).await);
        slow.spawn(async move { remote.keys(&publisher.place, Some("a"), start).await });
    }
    tokio::task::yield_now().await;
    let again = check(&remote, &good, Some("a"), start + FRESH, &["a"], 2);
    tokio::time::timeout(2 * SECOND, again).await.unwrap();
    assert!(slow.try_join_next().is_none());
}
