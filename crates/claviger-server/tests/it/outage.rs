//! The database goes away and comes back: verdicts come from cache up to `max_staleness`, nothing is answered wrongly,
//! and nothing needs a restart.

use std::{
    future::pending,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use claviger_core::{By, Reach};
use claviger_token::{AccessTokenClaims, AccessTokenId, TypedId as _};
use reqwest::StatusCode;
use serde_json::json;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::Notify,
};

use crate::{
    access_tokens,
    app::{TestApp, instant, run, within},
    database::{Engine, TestDatabase},
};

const MAX_STALENESS: Duration = Duration::from_secs(2);

/// Stands between an instance and its database, and can be cut.
struct Wire {
    address: SocketAddr,
    state: Arc<AtomicU8>,
    cut: Arc<Notify>,
}

/// Connections pass; are refused and broken; are accepted and never answered; the same, and nobody hears of those again either.
const PASSES: u8 = 0;
const CUT: u8 = 1;
const SILENT: u8 = 2;
const LOST: u8 = 3;

impl Wire {
    async fn to(database: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (state, cut) = (Arc::new(AtomicU8::new(PASSES)), Arc::new(Notify::new()));
        let wire = Self { address, state: Arc::clone(&state), cut: Arc::clone(&cut) };
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let (state, cut) = (Arc::clone(&state), Arc::clone(&cut));
                tokio::spawn(async move {
                    if state.load(Ordering::Relaxed) == PASSES {
                        let Ok(mut server) = TcpStream::connect(database).await else { return };
                        tokio::select! {
                            _ = copy_bidirectional(&mut client, &mut server) => {}
                            () = cut.notified() => {}
                        }
                    }
                    if state.load(Ordering::Relaxed) == LOST {
                        pending::<()>().await;
                    }
                    while state.load(Ordering::Relaxed) == SILENT {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                });
            }
        });
        wire
    }

    fn set(&self, state: u8) {
        self.state.store(state, Ordering::Relaxed);
        self.cut.notify_waiters();
    }
}

fn with_wire(test: impl AsyncFnOnce(&TestApp, &Wire)) {
    let database = TestDatabase::fresh(Engine::Postgres);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let (before, name) = database.url.rsplit_once('/').unwrap();
        let (before, server) = before.rsplit_once('@').unwrap();
        let wire = Wire::to(server.parse().unwrap()).await;
        let url = format!("{before}@{}/{name}", wire.address);
        let mut app = TestApp::start(&url, |config| config.max_staleness = MAX_STALENESS).await;
        test(&app, &wire).await;
        app.finish().await;
    });
    runtime.shutdown_timeout(Duration::from_secs(5));
}

async fn outage(app: &TestApp, wire: &Wire, sort: u8) {
    let known = app.reader().await;
    let unseen = app.key(known.body["service_account_id"].as_str().unwrap(), &["invoices:read"], json!({})).await;
    // Until the log has repeated what this node named already: that voids what was cached before.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(app.code(&known.token).await, "valid");
    // Tokens of the one key were seen, or could have been; of the other, none.
    let claims = access_tokens::claims(app, &known, "invoices:read").await;
    let next = |jti: AccessTokenId| AccessTokenClaims { jti, ..claims.clone() };
    let fresh = || AccessTokenId::generate(app.app.now(), &mut app.app.rng());
    let [seen, new, ended] = [
        access_tokens::signed(app, &claims).await,
        access_tokens::signed(app, &next(fresh())).await,
        access_tokens::signed(app, &next(fresh())).await,
    ];
    let opaque = access_tokens::kept(app, &next(fresh())).await;
    let orphan = access_tokens::signed(app, &access_tokens::claims(app, &unseen, "invoices:read").await).await;
    for token in [&seen, &opaque, &ended] {
        assert_eq!(app.code(token).await, "valid");
    }
    app.client(&ended).delete("/v1/token").await.expect(StatusCode::NO_CONTENT);
    let key_set = app.anonymous().get("/.well-known/jwks.json").await.expect(StatusCode::OK);

    wire.set(sort);
    let began = instant();
    while began.elapsed() < MAX_STALENESS / 2 {
        assert_eq!(app.code(&known.token).await, "valid", "from cache");
    }
    let refused = app.root().post("/v1/organizations", json!({ "name": "x" })).await;
    assert_eq!(refused.header("retry-after"), Some("1"));
    refused.problem(StatusCode::SERVICE_UNAVAILABLE, "unavailable");
    assert_eq!(app.verify_status(&unseen.token).await, StatusCode::SERVICE_UNAVAILABLE);
    let forward = app.request(reqwest::Method::GET, app.internal, "/v1/forward-auth?nginx=1");
    let forward = forward.header("x-api-key", &unseen.token).send().await.unwrap();
    assert_eq!(forward.status(), StatusCode::FORBIDDEN, "nginx must not let it pass");
    let stale = async || app.verify_status(&known.token).await == StatusCode::SERVICE_UNAVAILABLE;
    within(MAX_STALENESS + Duration::from_secs(8), "too stale to answer", stale).await;
    let ready = app.request(reqwest::Method::GET, app.internal, "/health/ready").send().await.unwrap();
    assert_eq!(ready.status(), StatusCode::SERVICE_UNAVAILABLE);
    let live = app.request(reqwest::Method::GET, app.internal, "/health/live").send().await.unwrap();
    assert_eq!(live.status(), StatusCode::OK);
    // Signatures can still be proved, and nobody signs with keys that may be gone.
    assert_eq!(app.anonymous().get("/.well-known/jwks.json").await.expect(StatusCode::OK), key_set);
    app.app.signing_keys().await.unwrap_err();
    // A token goes on by its signature and by what was known last; what stands in storage alone does not.
    for (token, code) in [(&seen, "valid"), (&new, "valid"), (&ended, "revoked")] {
        assert_eq!(app.code(token).await, code);
        assert_eq!(app.verify(token, json!({ "permissions": ["invoices:write"] })).await["valid"], false);
    }
    for token in [&opaque, &orphan] {
        assert_eq!(app.verify_status(token).await, StatusCode::SERVICE_UNAVAILABLE);
    }

    wire.set(PASSES);
    for token in [&known.token, &unseen.token, &opaque, &orphan, &seen] {
        let well = async || app.verify_status(token).await == StatusCode::OK;
        within(Duration::from_secs(15), "all is well again", well).await;
    }
    app.root().post("/v1/organizations", json!({ "name": "After" })).await.expect(StatusCode::CREATED);
    // What was counted meanwhile is not lost.
    let id = known.id.parse().unwrap();
    within(Duration::from_secs(10), "usage arrives", async || {
        app.app.store.uses(id).await.is_ok_and(|uses| uses.iter().any(|(_, code, uses)| code == "valid" && *uses > 1))
    })
    .await;
}

#[test]
fn postgres_refuses_connections_and_comes_back() {
    with_wire(async |app, wire| outage(app, wire, CUT).await);
}

#[test]
fn postgres_hangs_and_comes_back() {
    with_wire(async |app, wire| outage(app, wire, SILENT).await);
}

/// As when a machine fails, or a firewall forgets: no connection is ever closed, and those who ask give up sooner than we do.
#[test]
fn connections_that_are_lost_without_a_word_take_no_place_for_ever() {
    with_wire(async |app, wire| {
        let known = app.reader().await;
        let account = known.body["service_account_id"].as_str().unwrap();
        let mut unseen = Vec::new();
        for _ in 0..40 {
            unseen.push(app.key(account, &["invoices:read"], json!({})).await.token);
        }
        let used = || {
            let pools = app.app.store.database().pools();
            pools.iter().find(|pool| pool.name == "main").unwrap().used
        };
        let impatient = async |token: String| {
            let read =
                app.request(reqwest::Method::POST, app.internal, "/v1/verify").json(&json!({ "credential": token }));
            let write =
                app.request(reqwest::Method::POST, app.public, "/v1/organizations").bearer_auth(app.root_token());
            let write = write.json(&json!({ "name": "x" }));
            for asked in [read, write] {
                tokio::spawn(asked.timeout(Duration::from_millis(700)).send());
            }
        };
        // So that there are connections to lose.
        for token in &unseen[..20] {
            impatient(token.clone()).await;
        }
        within(Duration::from_secs(10), "all is answered", async || used() == 0).await;

        wire.set(LOST);
        for token in &unseen[20..] {
            impatient(token.clone()).await;
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        wire.set(PASSES);
        within(Duration::from_secs(25), "every place is free again", async || used() == 0).await;
        within(Duration::from_secs(15), "all is well again", async || {
            app.verify_status(&unseen[39]).await == StatusCode::OK
        })
        .await;
        app.root().post("/v1/organizations", json!({ "name": "After" })).await.expect(StatusCode::CREATED);
    });
}

/// All connections in the pool are dead then, and nothing tells so until one is used.
#[test]
fn postgres_restarts_at_once_and_no_request_fails() {
    with_wire(async |app, wire| {
        let known = app.reader().await;
        let account = known.body["service_account_id"].as_str().unwrap();
        let mut unseen = Vec::new();
        for _ in 0..40 {
            unseen.push(app.key(account, &["invoices:read"], json!({})).await.token);
        }
        let (before, after) = unseen.split_at(20);
        let verify_all = async |tokens: &[String]| {
            let asked = tokens.iter().map(|token| {
                let request = app.request(reqwest::Method::POST, app.internal, "/v1/verify");
                tokio::spawn(request.json(&json!({ "credential": token })).send())
            });
            for answer in asked.collect::<Vec<_>>() {
                assert_eq!(answer.await.unwrap().unwrap().status(), StatusCode::OK);
            }
        };
        verify_all(before).await;

        wire.set(CUT);
        // Until every connection has noticed.
        tokio::time::sleep(Duration::from_millis(100)).await;
        wire.set(PASSES);
        app.root().post("/v1/organizations", json!({ "name": "After" })).await.expect(StatusCode::CREATED);
        verify_all(after).await;
    });
}

#[test]
fn on_sqlite_nobody_is_refused_for_what_another_wrote_before_that_is_durable() {
    run(Engine::Sqlite, async |app| {
        let by = By::operator();
        let turn = || app.app.store.begin(&by);
        let make = async |after| {
            tokio::time::sleep(Duration::from_millis(after)).await;
            let reply = app.root().post("/v1/organizations", json!({ "name": "Acme", "slug": "acme" })).await;
            let seen = app.app.store.within(Reach::Instance).organization_by_slug("acme").await.unwrap();
            assert!(seen.is_some(), "before the commit: {}", reply.status);
            reply
        };
        let first = turn().await.unwrap();
        let queue = async {
            tokio::time::sleep(Duration::from_millis(400)).await;
            let (last, ()) = tokio::join!(turn(), async {
                tokio::time::sleep(Duration::from_millis(200)).await;
                drop(first);
            });
            tokio::time::sleep(Duration::from_millis(300)).await;
            drop(last);
        };
        let (made, same, ()) = tokio::join!(make(0), make(200), queue);
        made.expect(StatusCode::CREATED);
        same.problem(StatusCode::CONFLICT, "taken");
    });
}
