//! Three nodes as the guide to several nodes starts them, with its nginx in front; ports alone are changed. This room starts them and speaks
//! for clients; what they promise stands in `promises`.

mod beside;
mod load;
mod promises;

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

use reqwest::{
    Method,
    blocking::{Client, RequestBuilder, Response},
};
use serde_json::{Value as Json, json};

use self::beside::Redis;
use crate::{
    gateways::upstream::free_port,
    guides::{Nginx, blocks},
    server::{Instance, Server},
};

/// However busy the machine is.
const PATIENCE: Duration = Duration::from_secs(45);

const GUIDE: &str = include_str!("../../../../../docs/multi-node.md");

/// The nodes, one customer, and what stands around them.
pub(super) struct Cluster {
    nodes: Vec<Server>,
    /// What each is started with.
    commands: Vec<Vec<String>>,
    instance: Instance,
    _nginx: Nginx,
    redis: Option<Redis>,
    client: Client,
    /// Where clients ask, and where services do: both are nginx.
    public: String,
    inside: String,
    administrator: String,
    service_account: String,
}

/// A key that was just made.
pub(super) struct Key {
    id: String,
    token: String,
}

/// What a test puts in the place of what is usual.
#[derive(Default)]
pub(super) struct Instead {
    max_staleness: Option<&'static str>,
    /// Where the second node finds the database.
    second: Option<String>,
}

impl Cluster {
    fn start(database: &str, instead: &Instead) -> Self {
        let mut instance = Instance::new();
        if let Some(max_staleness) = instead.max_staleness {
            instance = instance.with("CLAVIGER_MAX_STALENESS", max_staleness);
        }
        // Started as root, nginx reads its files as somebody else.
        fs::set_permissions(instance.path(), Permissions::from_mode(0o755)).unwrap();
        let redis = Redis::start(free_port());
        let named = ["8080", "8081", "7420", "7421", "7430", "7431", "7440", "7441"];
        let ports: Vec<(&str, u16)> = named.into_iter().map(|name| (name, free_port())).collect();
        let here = |text: &str| {
            let text = text.replace("127.0.0.1:6379", &format!("127.0.0.1:{}", redis.port));
            ports.iter().fold(text, |text, (name, port)| {
                text.replace(&format!("127.0.0.1:{name}"), &format!("127.0.0.1:{port}"))
            })
        };
        let settings = here(blocks(GUIDE, "toml")[0]);
        let theirs = "postgres://claviger@127.0.0.1:5432/claviger";
        assert!(settings.contains(theirs));
        fs::write(instance.path().join("claviger.toml"), settings.replace(theirs, database)).unwrap();
        fs::write(instance.path().join("nginx.conf"), here(blocks(GUIDE, "nginx")[0])).unwrap();
        let mut shell = Command::new("sh");
        let made = shell.args(["-eu", "-c", blocks(GUIDE, "sh")[0]]).current_dir(instance.path()).status().unwrap();
        assert!(made.success());

        let started = blocks(GUIDE, "text")[0].lines().map(|line| line.strip_prefix("claviger serve ").unwrap());
        let mut commands: Vec<Vec<String>> =
            started.map(|line| here(line).split_whitespace().map(str::to_owned).collect()).collect();
        if let Some(second) = &instead.second {
            commands[1].push(format!("--database-url={second}"));
        }
        let nodes: Vec<Server> = commands.iter().map(|arguments| serve(&instance, arguments)).collect();
        assert_eq!(nodes.len(), 3);
        let made: Json = serde_json::from_str(&instance.ok(&["bootstrap", "--json"])).unwrap();
        let nginx = Nginx::start(instance.path(), ports[0].1);
        let mut cluster = Self {
            nodes,
            commands,
            instance,
            _nginx: nginx,
            redis: Some(redis),
            client: client(),
            public: format!("http://127.0.0.1:{}", ports[0].1),
            inside: format!("http://127.0.0.1:{}", ports[1].1),
            administrator: made["api_key"].as_str().unwrap().to_owned(),
            service_account: String::new(),
        };
        let permissions = json!([{ "name": "invoices:read" }, { "name": "invoices:write" }]);
        let api = json!({ "identifier": "https://api.acme.test", "name": "Invoices", "permissions": permissions });
        cluster.made("/v1/apis", &api);
        let organization = cluster.made("/v1/organizations", &json!({ "name": "Acme" }))["id"].clone();
        let account = json!({ "organization_id": organization, "name": "sync", "permissions": ["invoices:read"] });
        cluster.service_account = cluster.made("/v1/service-accounts", &account)["id"].as_str().unwrap().to_owned();
        cluster
    }

    /// A request of the administrator at some address.
    fn manage(&self, method: Method, at: &str, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{at}{path}")).bearer_auth(&self.administrator)
    }

    /// What is made through nginx, whose connections to nodes that are up may not fail.
    fn made(&self, path: &str, body: &Json) -> Json {
        let answer = self.manage(Method::POST, &self.public, path).json(body).send().unwrap();
        assert_eq!(answer.status(), 201, "{path}: {}", answer.text().unwrap());
        answer.json().unwrap()
    }

    fn key(&self, more: &Json) -> Key {
        let made = self.made("/v1/api-keys", &self.new_key(more));
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        Key { id: text("id"), token: text("token") }
    }

    fn new_key(&self, more: &Json) -> Json {
        let mut body = more.clone();
        body["service_account_id"] = json!(self.service_account);
        body["name"] = json!("test");
        body["permissions"] = json!(["invoices:read"]);
        body
    }

    /// Told to one node directly.
    fn revoke(&self, node: usize, key: &Key) {
        let path = format!("/v1/api-keys/{}/revoke", key.id);
        let answer = self.manage(Method::POST, &self.nodes[node].public, &path).json(&json!({})).send().unwrap();
        assert_eq!(answer.status(), 200, "{}", answer.text().unwrap());
    }

    /// The verdict of one node, or the status of who gives none.
    fn code(&self, node: usize, key: &Key) -> String {
        code(verify(&self.client, &self.nodes[node].internal, &key.token, 1).send().unwrap())
    }

    /// Until something is so. What is asked for that may take its time, too.
    fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let began = now();
        while !holds() {
            let logs = || self.nodes.iter().map(|node| last_lines(&node.log())).collect::<String>();
            assert!(began.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}\n{}", logs());
            sleep(Duration::from_millis(20));
        }
    }

    /// What `/health/ready` of one of a node's listeners says.
    fn ready(&self, listener: &str) -> (u16, Json) {
        match self.client.get(format!("{listener}/health/ready")).send() {
            Ok(answer) => (answer.status().as_u16(), answer.json().unwrap()),
            Err(_) => (0, Json::Null),
        }
    }

    fn is_ready(&self, node: usize) -> bool {
        let Server { public, internal, .. } = &self.nodes[node];
        [public, internal].into_iter().all(|listener| self.ready(listener).0 == 200)
    }

    fn metric(&self, node: usize, name: &str) -> f64 {
        let metrics = self.client.get(format!("{}/metrics", self.nodes[node].internal)).send().unwrap();
        let metrics = metrics.text().unwrap();
        let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        value.unwrap_or_else(|| panic!("no {name}: {metrics}"))
    }

    /// As the guide says: asked to end, and started again.
    fn restart(&mut self, node: usize) {
        let internal = self.nodes[node].internal.clone();
        self.nodes[node].signal(rustix::process::Signal::TERM);
        self.until("it says that it stops", || {
            let (status, told) = self.ready(&internal);
            assert_ne!(status, 0, "it is gone before anybody could know");
            told["reason"] == "this node stops"
        });
        assert!(self.nodes[node].ended().success(), "{}", self.nodes[node].log());
        self.nodes[node] = serve(&self.instance, &self.commands[node]);
        self.until("it is ready", || self.is_ready(node));
        sleep(Duration::from_secs(2));
    }
}

#[expect(clippy::disallowed_methods, reason = "a test measures how long a promise takes")]
fn now() -> Instant {
    Instant::now()
}

fn last_lines(log: &str) -> String {
    let lines: Vec<&str> = log.lines().rev().take(10).collect();
    lines.into_iter().rev().map(|line| format!("{line}\n")).collect()
}

fn serve(instance: &Instance, arguments: &[String]) -> Server {
    instance.serve(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Waits longer than any node should let it.
fn client() -> Client {
    Client::builder().no_proxy().timeout(Duration::from_secs(20)).build().unwrap()
}

fn verify(client: &Client, at: &str, token: &str, cost: u32) -> RequestBuilder {
    let asked = json!({ "credential": token, "permissions": ["invoices:read"], "cost": cost });
    client.post(format!("{at}/v1/verify")).json(&asked)
}

fn code(answer: Response) -> String {
    let status = answer.status();
    if status != 200 {
        return status.as_u16().to_string();
    }
    answer.json::<Json>().unwrap()["code"].as_str().unwrap().to_owned()
}
