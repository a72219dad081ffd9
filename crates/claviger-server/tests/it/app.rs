//! A running instance with typed callers and a strict end: no plaintext that it handed out may stand in its
//! database or in its log.

use std::{
    future::Future,
    io,
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{Mutex, Once},
    time::{Duration, Instant},
};

use claviger_core::{MasterKey, SessionLife};
use claviger_server::{AccessLog, App, Clock, Config, Keys, Listeners, serve};
use claviger_store::{Changes, Database, Store};
use claviger_token::Brand;
use memchr::memmem;
use reqwest::{Method, StatusCode, header::HeaderMap};
use serde_json::{Value, json};
use tokio::{sync::oneshot, task::JoinHandle};

use crate::database::{Engine, TestDatabase};

/// What callers call it; no request goes there.
pub(crate) const PUBLIC_URL: &str = "https://claviger.test";

/// The API of the samples.
pub(crate) const INVOICES: &str = "https://invoices.test";

/// A whole token, as an instance of another brand makes them.
pub(crate) const OF_ANOTHER_BRAND: &str = "acme_key_000000000000000000000000000000014MW2jl";

const MASTER_KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// One node, serving on sockets of its own.
pub(crate) struct TestApp {
    url: String,
    pub(crate) clock: Clock,
    pub(crate) app: App,
    pub(crate) public: SocketAddr,
    pub(crate) internal: SocketAddr,
    root: String,
    http: reqwest::Client,
    handed_out: Mutex<Vec<String>>,
    /// Where its own time begins in [`LOG`].
    log_start: usize,
    stop: Option<oneshot::Sender<()>>,
    server: Option<JoinHandle<()>>,
}

/// Runs a test on a fresh instance.
pub(crate) fn run(engine: Engine, test: impl AsyncFnOnce(&TestApp)) {
    capture_log();
    let database = TestDatabase::fresh(engine);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async {
            let mut app = TestApp::start(&database.url, |_| {}).await;
            test(&app).await;
            app.finish().await;
        });
    }));
    runtime.shutdown_timeout(Duration::from_secs(5));
    drop(database);
    outcome.unwrap_or_else(|panic| resume_unwind(panic));
}

impl TestApp {
    pub(crate) async fn start(url: &str, configure: impl FnOnce(&mut Config)) -> Self {
        let listeners = Listeners::bind(any_port(), any_port(), false).await.unwrap();
        Self::start_on(url, listeners, configure).await
    }

    async fn start_on(url: &str, listeners: Listeners, configure: impl FnOnce(&mut Config)) -> Self {
        let log_start = LOG.lock().unwrap().len();
        let clock = Clock::default();
        let app = open(url, clock.clone(), configure).await;
        let root = app.bootstrap(true).await.unwrap().api_key;
        let (public, internal) = (listeners.public.local_addr().unwrap(), listeners.internal.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        let server = tokio::spawn({
            let app = app.clone();
            async move {
                let stopped = async { drop(stopped.await) };
                serve(app, listeners, stopped).await.unwrap();
            }
        });
        let root = root.expose().to_owned();
        let handed_out = Mutex::new(vec![root.clone()]);
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(20))
            .build()
            .unwrap();
        Self {
            url: url.to_owned(),
            clock,
            app,
            public,
            internal,
            root,
            http,
            handed_out,
            log_start,
            stop: Some(stop),
            server: Some(server),
        }
    }

    /// Another node on the same database.
    pub(crate) async fn another_node(&self) -> Self {
        self.another_node_with(|_| {}).await
    }

    /// The same, with settings of its own.
    pub(crate) async fn another_node_with(&self, configure: impl FnOnce(&mut Config)) -> Self {
        Self::start(&self.url, configure).await
    }

    /// The same, on listeners that speak TLS.
    pub(crate) async fn another_node_on(&self, listeners: Listeners, configure: impl FnOnce(&mut Config)) -> Self {
        Self::start_on(&self.url, listeners, configure).await
    }

    /// Stops it, and looks for its secrets where none may be.
    pub(crate) async fn finish(&mut self) {
        drop(self.stop.take());
        self.server.take().unwrap().await.unwrap();
        let database = Database::open(&self.url).await.unwrap();
        let dump = database.dump().await.unwrap();
        database.close().await;
        let log = LOG.lock().unwrap()[self.log_start..].to_vec();
        for secret in self.handed_out.lock().unwrap().iter() {
            // The random part alone, so that a cut or prefixed copy is found too.
            let random = secret.rsplit('_').next().unwrap().as_bytes();
            assert!(!contains(&dump, random), "a plaintext token stands in the database");
            assert!(!contains(&log, random), "a plaintext token stands in the log");
        }
        assert!(!contains(&dump, MASTER_KEY.as_bytes()) && !contains(&log, MASTER_KEY.as_bytes()));
    }

    /// The instance's administrator.
    pub(crate) fn root(&self) -> Client<'_> {
        self.client(&self.root)
    }

    /// The administrator's key in the clear.
    pub(crate) fn root_token(&self) -> &str {
        &self.root
    }

    /// Whoever holds this credential.
    pub(crate) fn client(&self, token: &str) -> Client<'_> {
        Client { app: self, token: Some(token.to_owned()) }
    }

    /// Nobody.
    pub(crate) fn anonymous(&self) -> Client<'_> {
        Client { app: self, token: None }
    }

    /// Notes a secret that may stand neither in the database nor in the log.
    pub(crate) fn handed_out(&self, secret: &str) {
        self.handed_out.lock().unwrap().push(secret.to_owned());
    }

    /// A request, as bare as one likes.
    pub(crate) fn request(&self, method: Method, listener: SocketAddr, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("http://{listener}{path}"))
    }

    /// The internal verify call.
    pub(crate) async fn verify(&self, credential: &str, mut asked: Value) -> Value {
        asked["credential"] = json!(credential);
        let sent = self.request(Method::POST, self.internal, "/v1/verify").json(&asked);
        Reply::read(self, sent.send().await.unwrap()).await.expect(StatusCode::OK)
    }

    /// The status of the internal verify call, whatever it is.
    pub(crate) async fn verify_status(&self, credential: &str) -> StatusCode {
        let sent = self.request(Method::POST, self.internal, "/v1/verify").json(&json!({ "credential": credential }));
        sent.send().await.unwrap().status()
    }

    /// The code of the verdict on a credential of which nothing is asked.
    pub(crate) async fn code(&self, credential: &str) -> String {
        self.verify(credential, json!({})).await["code"].as_str().unwrap().to_owned()
    }

    /// An API with `invoices:read` and `invoices:write`.
    pub(crate) async fn declare_invoices(&self) -> Value {
        let permissions = json!([{ "name": "invoices:read", "description": "Read" }, { "name": "invoices:write" }]);
        let api = json!({ "identifier": INVOICES, "name": "Invoices", "permissions": permissions });
        self.root().post("/v1/apis", api).await.expect(StatusCode::CREATED)
    }

    /// An organization with a service account that holds `permissions`.
    pub(crate) async fn account(&self, slug: &str, permissions: &[&str]) -> (String, String) {
        let organization = json!({ "name": slug, "slug": slug });
        let organization = self.root().post("/v1/organizations", organization).await.expect(StatusCode::CREATED);
        let organization = text(&organization["id"]);
        let account = self.account_in(&organization, permissions).await;
        (organization, account)
    }

    /// A service account in an organization.
    pub(crate) async fn account_in(&self, organization: &str, permissions: &[&str]) -> String {
        let account = json!({ "organization_id": organization, "name": "sync", "permissions": permissions });
        text(&self.root().post("/v1/service-accounts", account).await.expect(StatusCode::CREATED)["id"])
    }

    /// A user who belongs nowhere yet.
    pub(crate) async fn user(&self, email: &str) -> String {
        text(&self.root().post("/v1/users", json!({ "email": email })).await.expect(StatusCode::CREATED)["id"])
    }

    /// The key of a service account with this role in an organization.
    pub(crate) async fn holder_of(&self, role: &str, organization: &str) -> Key {
        let account = self.account_in(organization, &[]).await;
        let path = format!("/v1/service-accounts/{account}");
        self.root().patch(&path, json!({ "roles": [role] })).await.expect(StatusCode::OK);
        self.key(&account, &["claviger:*"], json!({})).await
    }

    /// A key, with what else its maker asks for.
    pub(crate) async fn key(&self, account: &str, permissions: &[&str], more: Value) -> Key {
        let mut body = json!({ "service_account_id": account, "name": "ci", "permissions": permissions });
        body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        Key::from(self.root().post("/v1/api-keys", body).await.expect(StatusCode::CREATED))
    }

    /// The usual: the invoices API, an organization, an account with both permissions, a key that may read.
    pub(crate) async fn reader(&self) -> Key {
        self.declare_invoices().await;
        let (_, account) = self.account("acme", &["invoices:read", "invoices:write"]).await;
        self.key(&account, &["invoices:read"], json!({})).await
    }

    /// What the audit trail tells about an id, oldest first.
    pub(crate) async fn audit_trail(&self, target: &str) -> Vec<String> {
        let events = self.root().get(&format!("/v1/audit-events?target={target}")).await.expect(StatusCode::OK);
        let mut actions: Vec<String> = events["items"].as_array().unwrap().iter().map(|e| text(&e["action"])).collect();
        actions.reverse();
        actions
    }
}

/// A key that was just made or rolled.
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) token: String,
    pub(crate) body: Value,
}

impl From<Value> for Key {
    fn from(body: Value) -> Self {
        Self { id: text(&body["id"]), token: text(&body["token"]), body }
    }
}

/// A caller of the public listener.
pub(crate) struct Client<'a> {
    app: &'a TestApp,
    token: Option<String>,
}

impl Client<'_> {
    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path, None, &[]).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        self.send(Method::POST, path, Some(body), &[]).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Reply {
        self.send(Method::PUT, path, Some(body), &[]).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Reply {
        self.send(Method::PATCH, path, Some(body), &[]).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        self.send(Method::DELETE, path, None, &[]).await
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> Reply {
        let mut request = self.app.request(method, self.app.public, path);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        Reply::read(self.app, request.send().await.unwrap()).await
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Reply {
    pub(crate) async fn read(app: &TestApp, response: reqwest::Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        let body: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or(Value::Null);
        let code = body["url"].as_str().and_then(|url| url.split_once("?code="));
        let shown = ["token", "client_secret", "claim_code"].into_iter().find_map(|name| body[name].as_str());
        if let Some(secret) = shown.or(code.map(|(_, code)| code)) {
            app.handed_out.lock().unwrap().push(secret.to_owned());
        }
        Self { status, headers, body }
    }

    /// The body, if the status is this one.
    #[track_caller]
    pub(crate) fn expect(self, status: StatusCode) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }

    /// A problem document with this code.
    #[track_caller]
    pub(crate) fn problem(self, status: StatusCode, code: &str) -> Value {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{}", self.body);
        assert_eq!((self.status, self.body["code"].as_str()), (status, Some(code)), "{}", self.body);
        self.body
    }

    /// A 422 that names this member and this rule.
    #[track_caller]
    pub(crate) fn wrong(self, pointer: &str, code: &str) {
        let body = self.problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid_request");
        let errors = body["errors"].as_array().unwrap();
        let named = errors.iter().any(|error| error["pointer"] == pointer && error["code"] == code);
        assert!(named, "no {code} at {pointer}: {body}");
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

#[track_caller]
pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("not text: {value}")).to_owned()
}

/// An instance on a database, as the binary opens one.
async fn open(url: &str, clock: Clock, configure: impl FnOnce(&mut Config)) -> App {
    let database = Database::open(url).await.unwrap();
    database.migrate().await.unwrap();
    let mut config = Config {
        public_url: PUBLIC_URL.to_owned(),
        brand: Brand::default(),
        former_brands: Vec::new(),
        max_staleness: Duration::from_secs(30),
        drain_time: Duration::ZERO,
        internal_url: "http://127.0.0.1:7421".to_owned(),
        internal_hosts: vec!["127.0.0.1".to_owned()],
        internal_token: None,
        cache_entries: 1000,
        redis: None,
        trusted_proxies: None,
        client_certificate_header: false,
        mtls_url: None,
        traces: false,
        access_log: AccessLog::default(),
        sessions: SessionLife::default(),
        provider: None,
        outbound_networks: None,
        signing_key_rotation: jiff::SignedDuration::from_hours(90 * 24),
        usage_kept: claviger_store::UsageKept::default(),
        dpop_nonce: false,
    };
    configure(&mut config);
    let master = MasterKey::parse(MASTER_KEY).unwrap();
    let keys = Keys::open(&database, &master, jiff::Timestamp::UNIX_EPOCH, &mut rng()).await.unwrap();
    let store = Store::new(database, keys.chain, Changes::new(instant()));
    let app = App::new(store, keys.peppers, keys.totp_seeds, keys.signing_keys, config, clock);
    app.install_builtins().await.unwrap();
    app
}

fn rng() -> impl rand::CryptoRng + Send {
    use rand::SeedableRng as _;
    rand::rngs::StdRng::from_seed([9; 32])
}

#[expect(clippy::disallowed_methods, reason = "a test needs some instant to count from")]
pub(crate) fn instant() -> Instant {
    Instant::now()
}

pub(crate) fn any_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// What is promised within a second or two, on a machine that is busy with other tests; how long it takes, `cargo xtask bench` measures.
pub(crate) const SOON: Duration = Duration::from_secs(5);

/// Waits for what becomes true soon, and fails if it does not within `bound`.
pub(crate) async fn within<F: Future<Output = bool>>(bound: Duration, what: &str, mut holds: impl FnMut() -> F) {
    let began = instant();
    while !holds().await {
        assert!(began.elapsed() < bound, "not within {bound:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// All at once, on this task.
pub(crate) async fn join_all<T>(futures: impl IntoIterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut waiting: Vec<_> = futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        for (future, done) in waiting.iter_mut().filter(|(_, done)| done.is_none()) {
            if let std::task::Poll::Ready(value) = future.as_mut().poll(context) {
                *done = Some(value);
            }
        }
        if waiting.iter().all(|(_, done)| done.is_some()) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    waiting.into_iter().filter_map(|(_, done)| done).collect()
}

static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Everything that is logged, at every level, by all tests of this process.
fn capture_log() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let filter = tracing_subscriber::EnvFilter::new("trace,hyper=info,reqwest=info,h2=info,mio=info");
        tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(|| Captured).init();
    });
}

/// At which level the answer to the request of this id was told.
pub(crate) fn level_of_answer(request_id: &str) -> String {
    let log = LOG.lock().unwrap();
    let line = log
        .split(|byte| *byte == b'\n')
        .find(|line| contains(line, request_id.as_bytes()) && contains(line, b"answered"));
    let line: Value = serde_json::from_slice(line.expect("no line tells of it")).unwrap();
    line["level"].as_str().unwrap().to_owned()
}

struct Captured;

impl io::Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    memmem::find(haystack, needle).is_some()
}
