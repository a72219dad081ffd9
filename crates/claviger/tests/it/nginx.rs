//! The guide to nginx keeps what it promises: its own configuration, between a client and an API, in front of a
//! real server. Only port numbers are changed.

use std::{
    collections::BTreeMap,
    fs::{self, Permissions},
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU16, AtomicUsize, Ordering},
        mpsc::{Receiver, channel},
    },
    thread,
};

use reqwest::blocking::{Client, RequestBuilder, Response};
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    guides::blocks,
    server::{Instance, Server, wait_for},
};

const GUIDE: &str = include_str!("../../../../docs/gateways/nginx.md");

/// Every header that an API could take for one of Claviger's.
const HEADERS: [&str; 10] = [
    "X-Claviger-Principal",
    "X-Claviger-Principal-Type",
    "X-Claviger-Organization",
    "X-Claviger-Credential",
    "X-Claviger-Environment",
    "X-Claviger-Permissions",
    "X-Claviger-Objects",
    "X-Claviger-Code",
    "X-Claviger-Assertion",
    "X-Claviger-Internal",
];

/// nginx in front of an API, asking a Claviger that knows one customer.
struct Gateway {
    /// Holds the directory that the server runs in.
    _instance: Instance,
    claviger: Server,
    nginx: Child,
    prefix: TempDir,
    public: u16,
    client: Client,
    administrator: String,
    organization: String,
    service_account: String,
}

/// What a test puts in the place of what the guide has.
#[derive(Default)]
struct Instead {
    /// The API.
    api: Option<u16>,
    /// A stand-in between nginx and Claviger, made for Claviger's address.
    claviger: Option<fn(String) -> u16>,
    /// Changes of the configuration that the guide itself proposes.
    configuration: Option<fn(String) -> String>,
}

/// A key that was just made.
struct Key {
    id: String,
    token: String,
}

impl Gateway {
    fn start() -> Self {
        Self::with(Instead::default())
    }

    fn with(instead: Instead) -> Self {
        let instance = Instance::new();
        let claviger = instance.serve(&[]);
        let made: Value = serde_json::from_str(&instance.ok(&["bootstrap", "--json"])).unwrap();

        let address = claviger.internal.trim_start_matches("http://").to_owned();
        let asked = instead.claviger.map_or(address.clone(), |stand_in| format!("127.0.0.1:{}", stand_in(address)));
        let (public, own_api) = (free_port(), free_port());
        let configuration = instead
            .configuration
            .map_or(configuration(), |change| change(configuration()))
            .replace("127.0.0.1:8080", &format!("127.0.0.1:{public}"))
            .replace("listen 127.0.0.1:8081", &format!("listen 127.0.0.1:{own_api}"))
            .replace("server 127.0.0.1:8081", &format!("server 127.0.0.1:{}", instead.api.unwrap_or(own_api)))
            .replace("127.0.0.1:7421", &asked);

        let prefix = tempfile::tempdir().unwrap();
        // Started as root, nginx reads the files as somebody else.
        fs::set_permissions(prefix.path(), Permissions::from_mode(0o755)).unwrap();
        fs::write(prefix.path().join("nginx.conf"), configuration).unwrap();
        let prepare = blocks(GUIDE, "sh")[0].lines().next().unwrap();
        assert!(shell(prepare, prefix.path(), &[]).status.success(), "{prepare}");
        let nginx = nginx(prefix.path()).args(["-g", "daemon off;"]).spawn().unwrap();

        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let mut gateway = Self {
            _instance: instance,
            claviger,
            nginx,
            prefix,
            public,
            client: Client::new(),
            administrator: text(&made["api_key"]),
            organization: String::new(),
            service_account: String::new(),
        };
        wait_for("nginx listens", || {
            assert_eq!(gateway.nginx.try_wait().unwrap(), None, "{}", gateway.nginx_log());
            TcpStream::connect(("127.0.0.1", public)).ok()
        });

        let permissions = json!([{ "name": "invoices:read" }, { "name": "invoices:write" }]);
        gateway.manage(
            "/v1/apis",
            &json!({ "identifier": "https://api.acme.test", "name": "Invoices", "permissions": permissions }),
        );
        gateway.organization = text(&gateway.manage("/v1/organizations", &json!({ "name": "Acme" }))["id"]);
        let account = json!({
            "organization_id": gateway.organization, "name": "billing sync",
            "permissions": ["invoices:read", "invoices:write"],
        });
        gateway.service_account = text(&gateway.manage("/v1/service-accounts", &account)["id"]);
        gateway
    }

    /// A POST of the administrator.
    fn manage(&self, path: &str, body: &Value) -> Value {
        let request = self.client.post(format!("{}{path}", self.claviger.public)).bearer_auth(&self.administrator);
        let answer = request.json(body).send().unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.text().unwrap());
        answer.json().unwrap()
    }

    fn key(&self, permission: &str) -> Key {
        let body = json!({ "service_account_id": self.service_account, "name": "test", "permissions": [permission] });
        let made = self.manage("/v1/api-keys", &body);
        Key { id: made["id"].as_str().unwrap().to_owned(), token: made["token"].as_str().unwrap().to_owned() }
    }

    fn roll(&self, key: &Key, overlap_seconds: u32) -> Key {
        let rolled =
            self.manage(&format!("/v1/api-keys/{}/roll", key.id), &json!({ "overlap_seconds": overlap_seconds }));
        Key { id: key.id.clone(), token: rolled["token"].as_str().unwrap().to_owned() }
    }

    /// What the management API tells of a key's current secret.
    fn generation(&self, key: &Key) -> Value {
        let request = self.client.get(format!("{}/v1/api-keys/{}", self.claviger.public, key.id));
        let told: Value = request.bearer_auth(&self.administrator).send().unwrap().json().unwrap();
        told["generations"][0].clone()
    }

    /// A request of a client, through nginx.
    fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("http://127.0.0.1:{}{path}", self.public))
    }

    fn status(&self, key: &Key) -> u16 {
        self.get("/invoices.json").bearer_auth(&key.token).send().unwrap().status().as_u16()
    }

    fn nginx_log(&self) -> String {
        fs::read_to_string(self.prefix.path().join("error.log")).unwrap_or_default()
    }

    /// Checks a refusal by nginx: status, challenge and code.
    fn check(&self, request: RequestBuilder, status: u16, challenge: Option<&str>, code: &str) {
        let answer = request.send().unwrap();
        let seen = answer.status().as_u16();
        let challenges: Vec<String> = values(&answer, "www-authenticate");
        let kind = values(&answer, "content-type");
        let body = answer.text().unwrap();
        assert_eq!(seen, status, "{body}\n{}", self.nginx_log());
        assert_eq!(challenges, challenge.into_iter().collect::<Vec<_>>());
        assert_eq!(kind, ["application/problem+json"]);
        assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), json!({ "status": status, "code": code }));
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // The signal goes to the master, which ends its workers; killed, it would leave them behind.
        let stopped = nginx(self.prefix.path()).args(["-s", "stop"]).stderr(Stdio::null()).status();
        if !stopped.is_ok_and(|status| status.success()) {
            self.nginx.kill().ok();
        }
        self.nginx.wait().ok();
    }
}

/// The one configuration in the guide.
fn configuration() -> String {
    let blocks = blocks(GUIDE, "nginx");
    assert_eq!(blocks.len(), 1);
    blocks[0].to_owned()
}

/// As the guide starts it.
fn nginx(prefix: &Path) -> Command {
    let installed = "/usr/sbin/nginx";
    let mut command = Command::new(if Path::new(installed).exists() { installed } else { "nginx" });
    command.arg("-p").arg(prefix).args(["-c", "nginx.conf"]).stdin(Stdio::null());
    command
}

fn shell(script: &str, directory: &Path, variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new("sh");
    command.args(["-eu", "-c", script]).current_dir(directory).envs(variables.iter().copied());
    command.stdin(Stdio::null()).output().unwrap()
}

fn values(answer: &Response, name: &str) -> Vec<String> {
    answer.headers().get_all(name).iter().map(|value| value.to_str().unwrap().to_owned()).collect()
}

/// An API that says 200 to everything and tells what it was sent: head and body, byte by byte.
fn recording_api() -> (u16, Receiver<(String, Vec<u8>)>) {
    let port = free_port();
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let (tell, told) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut reader = BufReader::new(stream.unwrap());
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).unwrap() > 0 {}
            let mut body = vec![0; header(&head, "content-length").map_or(0, |length| length.parse().unwrap())];
            reader.read_exact(&mut body).unwrap();
            let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            reader.get_mut().write_all(answer.as_bytes()).unwrap();
            if tell.send((head, body)).is_err() {
                break;
            }
        }
    });
    (port, told)
}

fn headers(head: &str) -> impl Iterator<Item = (String, &str)> {
    let lines = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    lines.map(|(name, value)| (name.to_ascii_lowercase(), value.trim()))
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    headers(head).find(|(found, _)| found == name).map(|(_, value)| value)
}

/// How many connections nginx opened, seen from between it and Claviger.
static OPENED: AtomicUsize = AtomicUsize::new(0);

/// Passes every connection on to `address`, and counts it.
fn counting(address: String) -> u16 {
    let port = free_port();
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let address = Arc::new(address);
    thread::spawn(move || {
        for near in listener.incoming() {
            let near = near.unwrap();
            OPENED.fetch_add(1, Ordering::Relaxed);
            let far = TcpStream::connect(address.as_str()).unwrap();
            for (mut from, mut to) in [(near.try_clone().unwrap(), far.try_clone().unwrap()), (far, near)] {
                thread::spawn(move || {
                    io::copy(&mut from, &mut to).ok();
                    to.shutdown(Shutdown::Write).ok();
                });
            }
        }
    });
    port
}

#[test]
fn only_a_key_that_counts_and_holds_the_permission_passes() {
    let gateway = Gateway::start();
    let invalid = Some(r#"Bearer realm="claviger", error="invalid_token""#);
    let lacking = Some(r#"Bearer realm="claviger", error="insufficient_scope", scope="invoices:read""#);
    let (key, writer) = (gateway.key("invoices:read"), gateway.key("invoices:write"));
    let file = || gateway.get("/invoices.json");

    gateway.check(file(), 401, Some(r#"Bearer realm="claviger""#), "missing");
    gateway.check(file().header("x-api-key", "garbage"), 401, invalid, "unknown");
    gateway.check(file().bearer_auth("clv_key_000000000000000000000000000000001H8smx"), 401, invalid, "unknown");
    gateway.check(file().bearer_auth(&writer.token), 403, lacking, "permission_missing");
    gateway.check(file().bearer_auth(&key.token).header("x-api-key", &writer.token), 400, None, "bad_request");
    assert_eq!(gateway.get("/_claviger").send().unwrap().status().as_u16(), 404);

    for request in [file().bearer_auth(&key.token), file().header("X-API-Key", &key.token)] {
        let answer = request.send().unwrap();
        assert_eq!((answer.status().as_u16(), answer.text().unwrap().as_str()), (200, "[{\"number\":1}]\n"));
    }
    let seen = gateway.get("/whoami").bearer_auth(&key.token).send().unwrap().text().unwrap();
    assert_eq!(seen.trim_end(), gateway.service_account);
}

#[test]
fn a_revoked_key_is_refused_at_the_next_request() {
    let gateway = Gateway::start();
    let key = gateway.key("invoices:read");
    assert_eq!(gateway.status(&key), 200);
    gateway.manage(&format!("/v1/api-keys/{}/revoke", key.id), &json!({}));
    let challenge = Some(r#"Bearer realm="claviger", error="invalid_token""#);
    gateway.check(gateway.get("/invoices.json").bearer_auth(&key.token), 401, challenge, "revoked");
}

#[test]
fn both_secrets_pass_during_an_overlap_and_only_the_new_one_without() {
    let gateway = Gateway::start();
    let first = gateway.key("invoices:read");
    let second = gateway.roll(&first, 3600);
    assert_eq!([&first, &second].map(|key| gateway.status(key)), [200, 200]);
    let third = gateway.roll(&second, 0);
    assert_eq!([&first, &second, &third].map(|key| gateway.status(key)), [401, 401, 200]);
}

#[test]
fn headers_that_a_client_forges_never_reach_the_api() {
    let (port, told) = recording_api();
    let gateway = Gateway::with(Instead { api: Some(port), ..Instead::default() });
    let key = gateway.key("invoices:read");
    let variants: [fn(&str) -> String; 4] =
        [str::to_owned, str::to_lowercase, str::to_uppercase, |name| name.replace('-', "_")];
    let forged: String =
        variants.iter().flat_map(|variant| HEADERS.map(variant)).map(|name| format!("{name}: forged\r\n")).collect();
    // Written by hand, because a client library would spell the names its own way.
    let ask = |credential: &str| {
        let mut stream = TcpStream::connect(("127.0.0.1", gateway.public)).unwrap();
        let request = format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{forged}{credential}\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };

    let refused = ask("");
    assert!(refused.starts_with("HTTP/1.1 401 "), "{refused}");
    let passed = ask(&format!("x-api-key: {}\r\n", key.token));
    assert!(passed.starts_with("HTTP/1.1 200 "), "{passed}");

    let (head, _) = told.recv().unwrap();
    assert!(told.try_recv().is_err(), "the refused request reached the API");
    assert!(!head.contains("forged") && !head.contains(&key.token), "{head}");
    let ours: BTreeMap<String, &str> = headers(&head).filter(|(name, _)| name.contains("claviger")).collect();
    let expected = [
        ("x-claviger-credential", key.id.as_str()),
        ("x-claviger-environment", "live"),
        ("x-claviger-organization", &gateway.organization),
        ("x-claviger-permissions", "invoices:read"),
        ("x-claviger-principal", &gateway.service_account),
        ("x-claviger-principal-type", "service_account"),
    ];
    assert_eq!(ours, expected.map(|(name, value)| (name.to_owned(), value)).into());
    assert_eq!(header(&head, "x-forwarded-for"), Some("127.0.0.1"));
}

#[test]
fn a_body_reaches_the_api_and_not_before_the_verdict() {
    let (port, told) = recording_api();
    let gateway = Gateway::with(Instead { api: Some(port), ..Instead::default() });
    let key = gateway.key("invoices:read");
    let body: Vec<u8> = (0..200_000_u32).map(|place| place.to_le_bytes()[0]).collect();
    let post = || gateway.client.post(format!("http://127.0.0.1:{}/invoices", gateway.public)).body(body.clone());
    assert_eq!(post().send().unwrap().status().as_u16(), 401);
    assert_eq!(post().bearer_auth(&key.token).send().unwrap().status().as_u16(), 200);
    let (head, received) = told.recv().unwrap();
    assert!(head.starts_with("POST /invoices HTTP/1.1\r\n"), "{head}");
    assert!(received == body, "{} bytes arrived", received.len());
    assert!(told.try_recv().is_err());
}

#[test]
fn the_last_use_tells_the_address_that_nginx_saw_and_not_a_forged_one() {
    let gateway = Gateway::start();
    let key = gateway.key("invoices:read");
    let request = gateway.get("/invoices.json").bearer_auth(&key.token).header("X-Forwarded-For", "203.0.113.66");
    assert_eq!(request.send().unwrap().status().as_u16(), 200);
    let from = wait_for("the last use", || gateway.generation(&key)["last_used_from"].as_str().map(str::to_owned));
    assert_eq!(from, "127.0.0.1");
}

#[test]
fn nginx_keeps_its_connections_to_claviger_whatever_the_verdict() {
    let gateway = Gateway::with(Instead { claviger: Some(counting), ..Instead::default() });
    let (key, writer) = (gateway.key("invoices:read"), gateway.key("invoices:write"));
    let unknown = Key { id: String::new(), token: "garbage".to_owned() };
    for _ in 0..100 {
        assert_eq!([&key, &writer, &unknown].map(|key| gateway.status(key)), [200, 403, 401]);
    }
    // One worker would do with one; a reload of the client's connection may bring a second worker in.
    let opened = OPENED.load(Ordering::Relaxed);
    assert!((1..=8).contains(&opened), "{opened} connections for 300 requests");
}

#[test]
fn nothing_passes_while_claviger_is_away() {
    let mut gateway = Gateway::start();
    let key = gateway.key("invoices:read");
    assert_eq!(gateway.status(&key), 200);
    gateway.claviger.signal(Signal::KILL);
    gateway.claviger.ended();
    gateway.check(gateway.get("/invoices.json").bearer_auth(&key.token), 503, None, "unavailable");
}

#[test]
fn the_permission_can_depend_on_the_method() {
    let gateway = Gateway::with(Instead {
        configuration: Some(|configuration| {
            let proposed = blocks(GUIDE, "conf");
            let fixed = "proxy_pass http://claviger/v1/forward-auth?permission=invoices:read&nginx=1;";
            assert!(configuration.contains(fixed));
            let map = format!("{}\n    upstream claviger {{", proposed[0]);
            configuration.replace(fixed, proposed[1]).replace("upstream claviger {", &map)
        }),
        ..Instead::default()
    });
    let key = gateway.key("invoices:read");
    assert_eq!(gateway.status(&key), 200);
    let post = gateway.client.post(format!("http://127.0.0.1:{}/invoices.json", gateway.public));
    let challenge = Some(r#"Bearer realm="claviger", error="insufficient_scope", scope="invoices:write""#);
    gateway.check(post.bearer_auth(&key.token), 403, challenge, "permission_missing");
}

#[test]
fn a_key_with_hundreds_of_permissions_passes() {
    let gateway = Gateway::start();
    let names: Vec<String> = (0..400).map(|number| format!("ledger:entry-{number:03}")).collect();
    let declared: Vec<Value> = names.iter().map(|name| json!({ "name": name })).collect();
    let api = json!({ "identifier": "https://ledger.acme.test", "name": "Ledger", "permissions": declared });
    gateway.manage("/v1/apis", &api);
    let role = json!({ "name": "ledger", "permissions": names });
    gateway.manage("/v1/roles", &role);
    let account = json!({
        "organization_id": gateway.organization, "name": "ledger", "roles": ["ledger"], "permissions": ["invoices:read"],
    });
    let account = gateway.manage("/v1/service-accounts", &account);
    let key = json!({ "service_account_id": account["id"], "name": "all", "permissions": ["*"] });
    let key = gateway.manage("/v1/api-keys", &key);
    let key = Key { id: String::new(), token: key["token"].as_str().unwrap().to_owned() };
    assert_eq!(gateway.status(&key), 200);
}

#[test]
fn the_commands_of_the_guide_work_as_written() {
    let gateway = Gateway::start();
    let commands = blocks(GUIDE, "sh");
    assert!(commands[0].ends_with(r#"nginx -p "$PWD" -c nginx.conf -g 'daemon off;'"#));

    let key = gateway.key("invoices:read");
    let try_it = commands[1].replace("127.0.0.1:8080", &format!("127.0.0.1:{}", gateway.public));
    let told = shell(&try_it, gateway.prefix.path(), &[("KEY", &key.token)]).stdout;
    let told = String::from_utf8(told).unwrap();
    let statuses: Vec<&str> = told.lines().filter_map(|line| line.strip_prefix("HTTP/1.1 ")?.get(..3)).collect();
    assert_eq!(statuses, ["200", "200", "200", "401"], "{told}");

    let url = gateway.claviger.public.clone();
    let variables = [("CLAVIGER_URL", &*url), ("CLAVIGER_TOKEN", &gateway.administrator), ("KEY_ID", &key.id)];
    let rolled = shell(commands[2], gateway.prefix.path(), &variables).stdout;
    let rolled: Value = serde_json::from_slice(&rolled).unwrap();
    let token = rolled["token"].as_str().unwrap().to_owned();
    assert_eq!([&key, &Key { id: String::new(), token }].map(|key| gateway.status(key)), [200, 200]);
    assert_eq!(commands.len(), 3);
}

/// A port below those that the system gives to outgoing connections, so that none of these takes it meanwhile.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(20_000 + std::process::id() * 100 % 10_000).unwrap();
    loop {
        let port = first + NEXT.fetch_add(1, Ordering::Relaxed);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
