//! The guides to gateways keep what they promise: each one's own configuration, between a client and an API, in front
//! of a real server. Only port numbers are changed.
//!
//! This room starts the three and speaks for the client and the administrator. What is promised stands in
//! `promises`; what is particular to one gateway, in the file that has its name.

mod caddy;
mod envoy;
mod haproxy;
mod mqtt;
mod nginx;
mod promises;
mod traefik;
pub(crate) mod upstream;

use std::{
    env, fs,
    fs::{File, Permissions},
    net::TcpStream,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::{Arc, atomic::AtomicUsize, mpsc::Receiver},
    thread::sleep,
    time::Duration,
};

use reqwest::{
    Method,
    blocking::{Client, RequestBuilder, Response},
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use self::upstream::{Message, counting, free_port, recording_api};
use crate::{
    guides::blocks,
    server::{Instance, Server, wait_for},
};

/// A guide, and what is particular to its gateway.
pub(crate) struct Guide {
    text: &'static str,
    /// The blocks of each language are these files, in this order.
    files: &'static [(&'static str, &'static [&'static str])],
    /// Where the configuration names the API, and not the stand-in for it that it may hold too.
    upstream: &'static str,
    run: Run,
    refusal: Refusal,
    /// The gateway's own statuses: while nobody listens in Claviger's place, and while Claviger does not answer.
    away: (u16, u16),
    /// Makes the permission depend on the method, as the guide proposes.
    by_method: fn(String) -> String,
    /// Asks for an object too, as the guide proposes; `/bases/app7` is about `base:app7`.
    by_object: fn(String) -> String,
}

/// How the gateway comes to run.
enum Run {
    /// The last line of the guide's first shell block starts the program; the lines above prepare.
    AsTheGuideSays,
    /// Something here behaves like it.
    StandIn(fn(&Path)),
}

/// How a client is told why.
#[derive(Clone, Copy)]
enum Refusal {
    /// In a document that the gateway writes.
    Document,
    /// In Claviger's own header, passed on.
    Header,
}

/// A gateway in front of an API, asking a Claviger that knows one customer.
pub(crate) struct Gateway {
    guide: &'static Guide,
    /// Holds the directory that the server runs in.
    instance: Instance,
    claviger: Server,
    program: Option<Child>,
    directory: TempDir,
    public: u16,
    client: Client,
    administrator: String,
    api: String,
    organization: String,
    service_account: String,
    /// What reached the API.
    received: Receiver<Message>,
    /// How many connections the gateway opened to Claviger, if they are counted.
    opened: Arc<AtomicUsize>,
}

/// What a test puts in the place of what is usual.
#[derive(Default)]
struct Instead {
    /// The API that the guide's configuration holds, and not the one that records.
    api_of_the_guide: bool,
    /// A wire between the gateway and Claviger that counts connections.
    counted: bool,
    /// Changes of the configuration that the guide itself proposes.
    configuration: Option<fn(String) -> String>,
    /// The proxies in front of the gateway, as Claviger is told.
    trusted_proxies: Option<&'static str>,
}

/// A key that was just made.
struct Key {
    id: String,
    token: String,
}

impl Gateway {
    fn start(guide: &'static Guide) -> Self {
        Self::with(guide, Instead::default())
    }

    fn with(guide: &'static Guide, instead: Instead) -> Self {
        let mut instance = Instance::new().with("CLAVIGER_ACCESS_LOG", "access.log");
        if let Some(trusted) = instead.trusted_proxies {
            instance = instance.with("CLAVIGER_TRUSTED_PROXIES", trusted);
        }
        let claviger = instance.serve(&[]);
        let made: Value = serde_json::from_str(&instance.ok(&["bootstrap", "--json"])).unwrap();

        let mut asked = claviger.internal.trim_start_matches("http://").to_owned();
        let mut opened = Arc::default();
        if instead.counted {
            let (port, count) = counting(asked);
            (asked, opened) = (format!("127.0.0.1:{port}"), count);
        }
        let port_asked = asked.rsplit_once(':').unwrap().1.to_owned();
        let public_url = claviger.public.clone();
        let port_called = public_url.rsplit_once(':').unwrap().1;
        let (public, own_api) = (free_port(), free_port());
        let (recording, received) = recording_api();
        let api = if instead.api_of_the_guide { own_api } else { recording };

        let directory = tempfile::tempdir().unwrap();
        // Started as root, a gateway may read the files as somebody else.
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
        let mut changed = instead.configuration.is_none();
        for (name, text) in guide.configuration() {
            let proposed = instead.configuration.map_or(text.clone(), |change| change(text.clone()));
            changed |= proposed != text;
            let upstream = guide.upstream.replace("8081", &api.to_string());
            let text = proposed
                .replace(guide.upstream, &upstream)
                .replace("127.0.0.1:8080", &format!("127.0.0.1:{public}"))
                .replace("127.0.0.1:8081", &format!("127.0.0.1:{own_api}"))
                .replace("127.0.0.1:7421", &asked)
                .replace("port_value: 8080 ", &format!("port_value: {public} "))
                .replace("port_value: 8081 ", &format!("port_value: {own_api} "))
                .replace("port_value: 7420 ", &format!("port_value: {port_called} "))
                .replace("port_value: 7421 ", &format!("port_value: {port_asked} "))
                .replace("https://claviger.acme.test", &public_url);
            fs::write(directory.path().join(name), text + "\n").unwrap();
        }
        assert!(changed, "the guide proposes nothing that fits");
        let program = match guide.run {
            Run::AsTheGuideSays => Some(guide.program(directory.path())),
            Run::StandIn(start) => {
                start(directory.path());
                None
            }
        };

        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let mut gateway = Self {
            guide,
            instance,
            claviger,
            program,
            directory,
            public,
            client: Client::new(),
            administrator: text(&made["api_key"]),
            api: String::new(),
            organization: String::new(),
            service_account: String::new(),
            received,
            opened,
        };
        wait_for("the gateway listens", || {
            let ended = gateway.program.as_mut().and_then(|program| program.try_wait().unwrap());
            assert_eq!(ended, None, "{}", gateway.log());
            TcpStream::connect(("127.0.0.1", public)).ok()
        });

        let permissions = json!([{ "name": "invoices:read" }, { "name": "invoices:write" }]);
        let api = json!({ "identifier": "https://api.acme.test", "name": "Invoices", "permissions": permissions });
        gateway.api = text(&gateway.manage("/v1/apis", &api)["id"]);
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
        self.manage_by(Method::POST, path, body)
    }

    fn manage_by(&self, method: Method, path: &str, body: &Value) -> Value {
        let request = self.client.request(method, format!("{}{path}", self.claviger.public));
        let request = request.bearer_auth(&self.administrator);
        let answer = request.json(body).send().unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.text().unwrap());
        answer.json().unwrap()
    }

    fn key(&self, permission: &str) -> Key {
        self.key_with(permission, json!({}))
    }

    /// A key with more members than it must have.
    fn key_with(&self, permission: &str, mut body: Value) -> Key {
        body["service_account_id"] = json!(self.service_account);
        body["name"] = json!("test");
        body["permissions"] = json!([permission]);
        Key::new(&self.manage("/v1/api-keys", &body))
    }

    fn roll(&self, key: &Key, overlap_seconds: u32) -> Key {
        let path = format!("/v1/api-keys/{}/roll", key.id);
        let rolled = self.manage(&path, &json!({ "overlap_seconds": overlap_seconds }));
        Key { id: key.id.clone(), token: rolled["token"].as_str().unwrap().to_owned() }
    }

    /// An access token of the service account.
    fn access_token(&self, scope: &str) -> String {
        let path = format!("/v1/service-accounts/{}/secrets", self.service_account);
        let secret = self.manage(&path, &json!({ "name": "test" }))["client_secret"].as_str().unwrap().to_owned();
        let request = self.client.post(format!("{}/oauth/token", self.claviger.public));
        let request = request.basic_auth(&self.service_account, Some(secret));
        let answer = request.form(&[("grant_type", "client_credentials"), ("scope", scope)]).send().unwrap();
        let answer: Value = answer.json().unwrap();
        answer["access_token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    /// What the management API tells of a key's current secret.
    fn generation(&self, key: &Key) -> Value {
        let request = self.client.get(format!("{}/v1/api-keys/{}", self.claviger.public, key.id));
        let told: Value = request.bearer_auth(&self.administrator).send().unwrap().json().unwrap();
        told["generations"][0].clone()
    }

    /// A request of a client, through the gateway.
    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("http://127.0.0.1:{}{path}", self.public))
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    fn status(&self, key: &Key) -> u16 {
        self.get("/invoices.json").bearer_auth(&key.token).send().unwrap().status().as_u16()
    }

    /// The next request that reached the API.
    fn arrived(&self) -> Message {
        self.received.recv_timeout(Duration::from_secs(20)).unwrap_or_else(|_| panic!("nothing came: {}", self.log()))
    }

    /// Forgets what reached the API so far, and says whether there was anything.
    fn forget_arrived(&self) -> bool {
        self.received.try_iter().count() > 0
    }

    /// Checks a refusal: status, challenge and code; and that the API heard nothing of it.
    fn check(&self, request: RequestBuilder, status: u16, challenge: Option<&str>, code: &str) {
        self.forget_arrived();
        let answer = request.send().unwrap();
        let challenges = values(&answer, "www-authenticate");
        self.check_told(answer, status, code);
        assert_eq!(challenges, challenge.into_iter().collect::<Vec<_>>(), "{code}");
        assert!(!self.forget_arrived(), "a request that was refused reached the API: {code}");
    }

    fn check_told(&self, answer: Response, status: u16, code: &str) {
        let seen = answer.status().as_u16();
        let (kind, named) = (values(&answer, "content-type"), values(&answer, "x-claviger-code"));
        let body = answer.text().unwrap();
        assert_eq!(seen, status, "{code}: {body}\n{}", self.log());
        match self.guide.refusal {
            Refusal::Document => {
                assert_eq!(kind, ["application/problem+json"]);
                assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), json!({ "status": status, "code": code }));
            }
            Refusal::Header => assert_eq!((named, body.as_str()), (vec![code.to_owned()], "")),
        }
    }

    /// Checks the commands that every guide lets its reader try, with the API that its configuration holds.
    fn check_tried(&self, commands: &str, key: &Key) {
        let told = String::from_utf8(self.shell(commands, &[("KEY", &key.token)]).stdout).unwrap();
        assert_eq!(statuses(&told), ["200", "200", "200", "401"], "{told}");
        assert_eq!(told.matches("\r\n\r\n[{\"number\":1}]").count(), 2, "{told}");
        assert_eq!(told.matches(&format!("\r\n\r\n{}", self.service_account)).count(), 1, "{told}");
    }

    /// What the gateway complained of.
    fn log(&self) -> String {
        let files = ["output", "error.log"].map(|name| fs::read_to_string(self.directory.path().join(name)));
        files.into_iter().flatten().collect()
    }

    /// Runs a block of the guide as a user would, who is told these.
    fn shell(&self, script: &str, variables: &[(&str, &str)]) -> Output {
        let script = script.replace("127.0.0.1:8080", &format!("127.0.0.1:{}", self.public));
        shell(&script, self.directory.path()).envs(variables.iter().copied()).output().unwrap()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let Some(program) = &mut self.program else { return };
        // Asked to end, a program ends its workers; killed, it would leave them behind.
        kill_process(Pid::from_child(program), Signal::TERM).ok();
        for _ in 0..250 {
            if program.try_wait().is_ok_and(|ended| ended.is_some()) {
                return;
            }
            sleep(Duration::from_millis(20));
        }
        program.kill().ok();
        program.wait().ok();
    }
}

impl Guide {
    /// The files that the guide tells to write.
    fn configuration(&self) -> Vec<(&'static str, String)> {
        let of_language = |(language, names): &(&str, &'static [&'static str])| {
            let blocks = blocks(self.text, language);
            assert_eq!(blocks.len(), names.len(), "{language}");
            names.iter().copied().zip(blocks.into_iter().map(str::to_owned)).collect::<Vec<_>>()
        };
        self.files.iter().flat_map(of_language).collect()
    }

    /// The guide's first shell block, run in the directory that it was written for.
    fn program(&self, directory: &Path) -> Child {
        let block = blocks(self.text, "sh")[0];
        let (prepare, start) = block.rsplit_once('\n').unwrap_or(("", block));
        let output = File::create(directory.join("output")).unwrap();
        // Replaced by the program, the shell's process is the one to end.
        let mut command = shell(&format!("{prepare}\nexec {start}"), directory);
        command.stdout(output.try_clone().unwrap()).stderr(output).spawn().unwrap()
    }
}

impl Key {
    fn new(made: &Value) -> Self {
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        Self { id: text("id"), token: text("token") }
    }
}

/// A shell whose home is the directory too, and which also finds what is installed for administrators, and Envoy, which `cargo xtask
/// test` puts into the directory of what is built.
fn shell(script: &str, directory: &Path) -> Command {
    let searched = env::var_os("PATH").unwrap_or_default();
    let built = Path::new(env!("CARGO_BIN_EXE_claviger")).ancestors().nth(2).unwrap();
    let beside = ["/usr/sbin".into(), built.join("envoy/envoy/_bin")];
    let path = env::join_paths(env::split_paths(&searched).chain(beside)).unwrap();
    let mut command = Command::new("sh");
    command.args(["-eu", "-c", script]).current_dir(directory).env("HOME", directory).env("PATH", path);
    command.env_remove("XDG_CONFIG_HOME").env_remove("XDG_DATA_HOME").stdin(Stdio::null());
    command
}

/// Those that curl printed; a body may end without a line's end.
fn statuses(told: &str) -> Vec<&str> {
    told.split("HTTP/1.1 ").skip(1).filter_map(|answer| answer.get(..3)).collect()
}

fn values(answer: &Response, name: &str) -> Vec<String> {
    answer.headers().get_all(name).iter().map(|value| value.to_str().unwrap().to_owned()).collect()
}
