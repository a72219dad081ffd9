//! Limits across nodes with a real Redis: exact while it answers, per node while it does not.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::Duration,
};

use claviger_server::RedisAt;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    task::JoinSet,
};

use crate::app::{Key, TestApp, instant, text, within};

/// A server of the test's own, gone when dropped.
struct RedisServer {
    process: Child,
    port: u16,
    _directory: TempDir,
}

impl RedisServer {
    async fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self::start_on(port).await
    }

    async fn start_on(port: u16) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--requirepass", "secret"]);
        command.current_dir(directory.path()).stdin(Stdio::null()).stdout(Stdio::null());
        let server = Self { process: command.spawn().unwrap(), port, _directory: directory };
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        server
    }

    fn at(&self, password: &str) -> Option<RedisAt> {
        RedisAt::parse(&format!("redis://:{password}@127.0.0.1:{}", self.port))
    }

    /// As somebody else who uses it too.
    fn command(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("redis-cli");
        command.args(["-p", &self.port.to_string(), "-a", "secret", "--no-auth-warning"]).args(arguments);
        let done = command.output().unwrap();
        assert!(done.status.success(), "{done:?}");
        String::from_utf8(done.stdout).unwrap()
    }

    /// Stops answering without closing anything, or goes on.
    fn signal(&self, name: &str) {
        // The shell's own: not every machine has a program of that name.
        let kill = format!("kill {name} {}", self.process.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn key(app: &TestApp, limit: u32, quota: u32) -> Key {
    app.declare_invoices().await;
    let (_, account) = app.account("acme", &["invoices:read"]).await;
    let rate = json!([{ "name": "default", "limit": limit, "window_seconds": 100_000 }]);
    let more = json!({ "rate_limits": rate, "quota": { "limit": quota, "period": "month" } });
    app.key(&account, &["invoices:read"], more).await
}

/// Another of the same account.
async fn other_key(app: &TestApp, first: &Key, limit: u32) -> Key {
    let rate = json!([{ "name": "default", "limit": limit, "window_seconds": 100_000 }]);
    let account = text(&first.body["service_account_id"]);
    app.key(&account, &["invoices:read"], json!({ "rate_limits": rate })).await
}

async fn code(app: &TestApp, key: &Key) -> String {
    text(&app.verify(&key.token, json!({})).await["code"])
}

async fn left(app: &TestApp, key: &Key) -> Value {
    let answer = app.verify(&key.token, json!({ "cost": 0 })).await;
    json!([answer["limits"][0]["remaining"], answer["limits"][1]["remaining"]])
}

async fn metric(app: &TestApp, name: &str) -> f64 {
    let metrics =
        app.request(reqwest::Method::GET, app.internal, "/metrics").send().await.unwrap().text().await.unwrap();
    let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    value.unwrap_or_else(|| panic!("no {name}: {metrics}"))
}

on_both_databases! {
    async fn a_limit_is_exact_across_nodes_that_share_a_redis(app: &TestApp) {
        let redis = RedisServer::start().await;
        let (mut one, mut two) =
            (app.another_node_with(|config| config.redis = redis.at("secret")).await,
             app.another_node_with(|config| config.redis = redis.at("secret")).await);
        let key = key(app, 50, 40).await;
        for node in [&one, &two] {
            // Connected: on a busy machine that takes longer than anybody waits for an answer.
            within(Duration::from_secs(10), "it answers", async || {
                left(node, &key).await;
                metric(node, "claviger_redis_up").await == 1.0
            }).await;
        }
        let mut tasks = JoinSet::new();
        for index in 0..100 {
            let node = if index % 2 == 0 { &one } else { &two };
            let request = node.request(reqwest::Method::POST, node.internal, "/v1/verify");
            tasks.spawn(request.json(&json!({ "credential": key.token })).send());
        }
        let mut passed = 0;
        while let Some(response) = tasks.join_next().await {
            let answer: Value = response.unwrap().unwrap().json().await.unwrap();
            passed += usize::from(answer["valid"] == true);
            assert!(answer["valid"] == true || answer["code"] == "quota_exceeded", "{answer}");
        }
        assert_eq!(passed, 40);
        for node in [&one, &two] {
            assert_eq!((left(node, &key).await, code(node, &key).await), (json!([10, 0]), "quota_exceeded".to_owned()));
        }
        // Each node knows what all of them counted, also when nobody can be asked any more.
        drop(redis);
        for node in [&one, &two] {
            assert_eq!(code(node, &key).await, "quota_exceeded");
        }
        one.finish().await;
        two.finish().await;
    }

    async fn while_redis_is_away_each_node_counts_by_itself_and_goes_on_after(app: &TestApp) {
        let redis = RedisServer::start().await;
        let mut node = app.another_node_with(|config| config.redis = redis.at("secret")).await;
        let key = key(app, 10, 100).await;
        for _ in 0..4 {
            assert_eq!(code(&node, &key).await, "valid");
        }
        // Silent: nobody waits for long, and what was spent is not given again.
        redis.signal("-STOP");
        let began = instant();
        assert_eq!(left(&node, &key).await, json!([6, 96]));
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
        assert_eq!(code(&node, &key).await, "valid");
        assert_eq!((metric(&node, "claviger_redis_up").await, metric(&node, "claviger_limit_fallbacks_total").await), (0.0, 2.0));
        redis.signal("-CONT");
        let port = redis.port;
        drop(redis);
        for _ in 0..4 {
            assert_eq!(code(&node, &key).await, "valid");
        }
        // Restarted and empty: it is used again, and the quota goes on.
        let redis = RedisServer::start_on(port).await;
        tokio::time::sleep(Duration::from_millis(2200)).await;
        code(&node, &key).await;
        tokio::time::sleep(Duration::from_millis(1200)).await;
        let told = left(&node, &key).await;
        assert_eq!((&told[1], metric(&node, "claviger_redis_up").await), (&json!(90), 1.0), "{told}");
        node.finish().await;
        drop(redis);
    }

    async fn a_redis_that_answers_something_else_is_a_redis_that_is_away(app: &TestApp) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let answering = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                tokio::spawn(async move {
                    let mut bytes = [0; 8192];
                    while let Ok(length @ 1..) = stream.read(&mut bytes).await {
                        // Each command is a list; of a script nothing comes back.
                        let said = String::from_utf8_lossy(&bytes[..length]).into_owned();
                        let answer = if said.contains("EVAL") { "*0\r\n" } else { "+OK\r\n" };
                        for _ in said.split("\r\n").filter(|line| line.starts_with('*')) {
                            stream.write_all(answer.as_bytes()).await.unwrap();
                        }
                    }
                });
            }
        });
        let wrong = RedisAt::parse(&format!("redis://127.0.0.1:{port}"));
        let mut node = app.another_node_with(|config| config.redis = wrong).await;
        let key = key(app, 2, 100).await;
        assert_eq!([code(&node, &key).await, code(&node, &key).await, code(&node, &key).await], ["valid", "valid", "rate_limited"]);
        node.finish().await;
        answering.abort();
    }

    async fn something_of_somebody_else_in_its_place_is_no_redis_that_is_away(app: &TestApp) {
        let redis = RedisServer::start().await;
        let mut node = app.another_node_with(|config| config.redis = redis.at("secret")).await;
        let taken = key(app, 2, 100).await;
        let free = other_key(app, &taken, 50).await;
        within(Duration::from_secs(10), "it answers", async || {
            code(&node, &free).await;
            metric(&node, "claviger_redis_up").await == 1.0
        }).await;
        redis.command(&["LPUSH", &format!("claviger:rate:{}:default", taken.id), "theirs"]);
        let before = metric(&node, "claviger_limit_fallbacks_total").await;
        // This node counts by itself what it cannot count there, and there what it can.
        let codes = [code(&node, &taken).await, code(&node, &taken).await, code(&node, &taken).await];
        assert_eq!(codes, ["valid", "valid", "rate_limited"]);
        assert_eq!(code(&node, &free).await, "valid");
        assert_eq!(metric(&node, "claviger_redis_up").await, 1.0);
        assert_eq!(metric(&node, "claviger_limit_fallbacks_total").await - before, 3.0);
        assert!(redis.command(&["KEYS", "*"]).contains(&format!("claviger:rate:{}:default", free.id)));
        assert_eq!(redis.command(&["LRANGE", &format!("claviger:rate:{}:default", taken.id), "0", "-1"]).trim(), "theirs");
        node.finish().await;
    }

    async fn that_redis_is_away_is_told_before_anybody_has_a_limit(app: &TestApp) {
        let redis = RedisServer::start().await;
        let mut node = app.another_node_with(|config| config.redis = redis.at("secret")).await;
        let is = async |up: f64| metric(&node, "claviger_redis_up").await == up;
        within(Duration::from_secs(10), "it answers", async || is(1.0).await).await;
        drop(redis);
        within(Duration::from_secs(10), "it is away", async || is(0.0).await).await;
        node.finish().await;
    }

    async fn a_redis_that_refuses_is_a_redis_that_is_away(app: &TestApp) {
        let redis = RedisServer::start().await;
        let mut node = app.another_node_with(|config| config.redis = redis.at("wrong")).await;
        let key = key(app, 2, 100).await;
        assert_eq!([code(&node, &key).await, code(&node, &key).await, code(&node, &key).await], ["valid", "valid", "rate_limited"]);
        node.finish().await;
    }
}
