//! The guides do what they say: their shell blocks run in order against a new server.

use std::{
    env,
    ffi::OsString,
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt as _,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    path::Path,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread::{self, sleep},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use serde_json::json;

use crate::{
    issuer::Issuer,
    login::Person,
    server::{Instance, Server},
};

/// Runs shell blocks of a guide as one script and checks that its output holds `expected`, in this order.
pub(crate) fn check(instance: &Instance, server: &Server, script: &str, expected: &[&str]) {
    // The guide calls `claviger` by its name, with the settings of its server.
    let settings = instance.claviger(&[]);
    let settings = settings.get_envs().filter_map(|(name, value)| Some((name, value?)));
    let beside = [Path::new(env!("CARGO_BIN_EXE_claviger")).parent().unwrap().to_owned()];
    let searched = env::var_os("PATH").unwrap_or_default();
    let path: OsString = env::join_paths(beside.into_iter().chain(env::split_paths(&searched))).unwrap();

    let mut shell = Command::new("sh");
    shell.args(["-eu", "-c", script]).current_dir(instance.path()).envs(settings).env("PATH", path);
    shell.env("CLAVIGER_URL", &server.public).env("INTERNAL_URL", &server.internal);
    shell.env_remove("CLAVIGER_TOKEN");
    let done = shell.stdin(Stdio::null()).output().unwrap();

    let (said, complained) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    let told = format!("{said}\n{complained}\n{}", server.log());
    assert!(done.status.success(), "{}\n{told}", done.status);
    let mut rest = &*said;
    for fragment in expected {
        let place = rest.find(fragment).unwrap_or_else(|| panic!("{fragment} is missing, or comes too early:\n{told}"));
        rest = &rest[place + fragment.len()..];
    }
}

#[test]
fn the_guide_to_api_keys_works_as_written() {
    let instance = Instance::new();
    check(
        &instance,
        &instance.serve(&[]),
        &blocks(include_str!("../../../../docs/api-keys.md"), "sh").join("\n"),
        &[
            r#""name":"root""#,
            r#""identifier":"https://api.acme.test""#,
            r#"{"valid":true,"code":"valid","#,
            r#""metadata":{"plan":"pro"}"#,
            r#"{"valid":false,"code":"permission_missing","#,
            r#""rate_limits":[{"name":"default","limit":100,"window_seconds":60}],"quota":{"limit":10000,"period":"month"}"#,
            r#""limits":[{"name":"default","limit":100,"remaining":95,"reset_seconds":3,"window_seconds":60}"#,
            r#""accept_basic":true,"query_parameter":"api_key""#,
            r#""generation":"retiring""#,
            r#""generation":"current""#,
            r#""state":"retiring""#,
            r#""token":"clv_key_"#,
            r#""token":null"#,
            r#""status":"disabled""#,
            r#""status":"active""#,
            r#""status":"revoked""#,
            r#"{"valid":false,"code":"revoked","#,
            r#""action":"api_key.revoked""#,
            r#""action":"api_key.created""#,
            r#""status":422"#,
            r#""code":"invalid_name""#,
            r#""code":"permission_not_held""#,
        ],
    );
}

#[test]
fn the_guide_to_route_rules_works_as_written() {
    let guide = include_str!("../../../../docs/gateways/route-rules.md");
    let instance = Instance::new();
    let server = instance.serve(&["--dev"]);
    std::fs::write(instance.path().join("apps.yaml"), blocks(guide, "yaml")[0]).unwrap();
    let admin = server.keys().0;
    let create = ["api", "create", "--identifier=https://api.acme.test/apps", "--name=Apps", "--permission=apps:read"];
    let create = [create.as_slice(), &["--permission=apps:write", "--output=json"]].concat();
    let made = server.user(&instance, &admin, &create).json();
    let script = format!(
        "export CLAVIGER_TOKEN={admin} API_ID={}\n{}",
        made["id"].as_str().unwrap(),
        blocks(guide, "sh").join("\n")
    );
    let expected = [
        "GET /files/{owner}/{*path} apps:read file:{owner}/{path}",
        "apps.read app:{appId}",
        "https://apps.acme.test/v1",
    ];
    check(&instance, &server, &script, &expected);
    // The same rules as the JSON says.
    let rules: serde_json::Value = serde_json::from_str(blocks(guide, "json")[0]).unwrap();
    let shown = server.user(&instance, &admin, &["api", "show", made["id"].as_str().unwrap(), "--output=json"]).json();
    assert_eq!(shown["route_rules"][0], rules["route_rules"][0]);
    assert_eq!(
        (&shown["route_rules"][2]["object"], &shown["route_rules"][2]["path"]),
        (&json!("app:{id}"), &json!("/apps/{id}"))
    );
}

#[test]
fn the_guide_to_services_works_as_written() {
    let instance = Instance::new();
    check(
        &instance,
        &instance.serve(&[]),
        &blocks(include_str!("../../../../docs/service-to-service.md"), "sh").join("\n"),
        &[
            "https://billing.acme.test",
            r#""access_token":"eyJ"#,
            r#""token_type":"Bearer","expires_in":600,"scope":"billing:read""#,
            r#"{"valid":true,"code":"valid","#,
            r#""kind":"access_token""#,
            "billing:read",
            r#"{"active":true,"scope":"billing:read""#,
            "it has ended",
            "billing:read",
            "good for invoice:42 only",
            r#"{"sub":"sa_"#,
            r#""issued_token_type":"urn:ietf:params:oauth:token-type:access_token"#,
            r#""scope":"billing:read""#,
            r#""client_name":"general ledger""#,
        ],
    );
}

#[test]
fn the_guide_to_personal_access_tokens_works_as_written() {
    let instance = Instance::new();
    check(
        &instance,
        &instance.serve(&[]),
        &blocks(include_str!("../../../../docs/personal-access-tokens.md"), "sh").join("\n"),
        &[
            r#""external_id":"u-1001""#,
            r#""portal_origins":["https://app.acme.test"]"#,
            "Signed in as Alice",
            r#""valid":true,"code":"valid","#,
            r#""type":"user""#,
            "permission_missing",
            "not on the credential's list",
            r#""rule":"pat_max_lifetime_days","effect":"ends_sooner","count":1"#,
            "/approvals/pat_",
            r#""code":"pending_approval""#,
            r#""status":"active""#,
            r#""code":"valid""#,
            r#""kind":"personal_access_token","name":"ci""#,
            "laptop",
            r#""matched":3,"more":false,"revoked":0"#,
            r#""matched":3,"more":false,"revoked":3"#,
            r#""code":"revoked""#,
            "personal_access_token.revoked",
        ],
    );
}

#[test]
fn the_guide_to_bound_credentials_works_as_written() {
    let instance = Instance::new();
    check(
        &instance,
        &instance.serve(&[]),
        &blocks(include_str!("../../../../docs/bound-credentials.md"), "sh").join("\n"),
        &[
            "acme",
            r#""cnf":{"jkt":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}"#,
            r#"{"valid":false,"code":"proof_required","#,
            r#""name":"bound""#,
            "bound tokens only to a key (DPoP)",
            r#""error":"invalid_dpop_proof""#,
            "https://api.acme.test https://eu.api.acme.test",
            r#"{"valid":false,"code":"proof_invalid","#,
            r#""proof":{"error":"invalid_dpop_proof","message":""#,
        ],
    );
}

/// The guide to mutual TLS, whose first block makes a certificate for what is configured afterwards.
fn with_certificate() -> (Instance, Vec<&'static str>, Vec<&'static str>) {
    let guide = include_str!("../../../../docs/mtls.md");
    let instance = Instance::new();
    let (shell, settings) = (blocks(guide, "sh"), blocks(guide, "toml"));
    let made = Command::new("sh").args(["-eu", "-c", shell[0]]).current_dir(instance.path()).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    (instance, shell, settings)
}

const MTLS: &[&str] = &[
    "acme",
    r#""mtls_endpoint_aliases":{"token_endpoint":"https://"#,
    r#""error":"invalid_request""#,
    r#""cnf":{"x5t#S256":""#,
    r#""code":"invalid_token""#,
    r#""token_type":"Bearer""#,
    "sync.acme.test",
    r#""token_type":"Bearer""#,
    r#""error":"invalid_client""#,
    r#"{"valid":false,"code":"proof_required","#,
    r#"{"valid":true,"code":"valid","#,
];

#[test]
fn the_guide_to_mutual_tls_works_as_written_on_a_listener_of_our_own() {
    let (instance, shell, settings) = with_certificate();
    std::fs::write(instance.path().join("claviger.toml"), settings[0]).unwrap();
    let instance = instance.with("CLAVIGER_MTLS_LISTEN", "127.0.0.1:0");
    let mut server = instance.serve(&[]);
    server.public = server.public.replace("http://", "https://");
    let mtls = server.logged("listening").unwrap()["mtls"].as_str().unwrap().to_owned();
    check(&instance, &server, &format!("MTLS_URL=https://{mtls}\n{}", shell[1..].join("\n")), MTLS);
}

#[test]
fn the_guide_to_mutual_tls_works_as_written_behind_nginx() {
    let (instance, shell, settings) = with_certificate();
    // Started as root, nginx reads its files as somebody else.
    std::fs::set_permissions(instance.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let ports: Vec<u16> = (0..4).map(|_| free_port()).collect();
    let at = |text: &str| {
        let named = ["8443", "8444", "8445", "8081"].iter().zip(&ports);
        named.fold(text.to_owned(), |text, (name, port)| {
            text.replace(&format!("127.0.0.1:{name}"), &format!("127.0.0.1:{port}"))
        })
    };
    std::fs::write(instance.path().join("claviger.toml"), at(settings[1])).unwrap();
    let mut server = instance.serve(&[]);
    let guide = include_str!("../../../../docs/mtls.md");
    let configuration = at(blocks(guide, "nginx")[0])
        .replace("127.0.0.1:7420", server.public.trim_start_matches("http://"))
        .replace("127.0.0.1:7421", server.internal.trim_start_matches("http://"));
    std::fs::write(instance.path().join("nginx.conf"), configuration).unwrap();
    let _nginx = Nginx::start(instance.path(), ports[2]);
    server.public = format!("https://127.0.0.1:{}", ports[0]);
    let script = format!(
        "MTLS_URL=https://127.0.0.1:{mtls}\n{guide}\n\
         ask() {{ curl -sS -H \"Authorization: Bearer $TOKEN\" \"$@\" https://127.0.0.1:{api}/; }}\n\
         ask --cert client.pem --key client.key\n\
         FORGED=$(tr -d '\\n' < client.pem | sed 's/ /%20/g')\n\
         ask -o refused -w '%{{http_code}}\\n'\n\
         ask -o refused -w '%{{http_code}}\\n' -H \"Client-Cert: $FORGED\"\n\
         ask -o refused -w '%{{http_code}}\\n' --cert server.pem --key server.key\n",
        mtls = ports[1],
        api = ports[2],
        guide = shell[1..].join("\n"),
    );
    check(&instance, &server, &script, &[MTLS, &["42 invoices", "401", "401", "401"]].concat());
}

/// nginx with a configuration in a directory. It is killed when the test is over.
pub(crate) struct Nginx(Child);

impl Nginx {
    pub(crate) fn start(directory: &Path, port: u16) -> Self {
        let path = format!("{}:/usr/sbin", env::var("PATH").unwrap_or_default());
        let mut nginx = Command::new("nginx");
        nginx.env("PATH", &path).arg("-p").arg(directory).args(["-c", "nginx.conf", "-g", "daemon off;"]);
        let nginx = Self(nginx.spawn().unwrap());
        for _ in 0..500 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return nginx;
            }
            sleep(Duration::from_millis(20));
        }
        panic!("nginx does not listen");
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // The master ends its workers when it is asked to, and not when it is killed.
        let pid = Pid::from_child(&self.0);
        kill_process(pid, Signal::TERM).ok();
        self.0.wait().ok();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn the_guide_to_devices_works_as_written() {
    let instance = Instance::new();
    let server = instance.serve(&["--dev"]);
    let (before, _, after) = guide_to_devices();
    let script = [blocks(before, "sh"), blocks(after, "sh")].concat().join("\n");
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        // Somebody approves whatever asks, which stands where people and devices read it.
        let approving = scope.spawn(|| {
            let (mut person, mut seen) = (Person::signed_in(&server), Vec::new());
            while !over.load(Ordering::Relaxed) {
                for file in ["told", "device.json"] {
                    let text = std::fs::read_to_string(instance.path().join(file)).unwrap_or_default();
                    for code in text.split(|letter: char| !letter.is_ascii_uppercase() && letter != '-') {
                        if code.len() == 9 && code.as_bytes()[4] == b'-' && !seen.contains(&code.to_owned()) {
                            person.approve(code);
                            seen.push(code.to_owned());
                        }
                    }
                }
                thread::sleep(Duration::from_millis(50));
            }
        });
        let expected = [
            "claviger login on ",
            "(acme)",
            "active",
            "/device?user_code=",
            r#""access_token":"…","token_type":"Bearer","expires_in":2592000,"scope":"invoices:read""#,
            "2 of 2",
            "SN-004217",
            "SN-004217",
            "valid",
            "lost",
            "refused",
            "revoked",
            "signed out",
        ];
        let done =
            catch_unwind(AssertUnwindSafe(|| check(&instance, &server, &format!("exec 2>told\n{script}"), &expected)));
        over.store(true, Ordering::Relaxed);
        approving.join().unwrap();
        done.unwrap_or_else(|panic| resume_unwind(panic));
    });
}

/// What stands before the section on certificates, that section, and what comes after it.
fn guide_to_devices() -> (&'static str, &'static str, &'static str) {
    let guide = include_str!("../../../../docs/devices.md");
    let (before, section) = guide.split_once("\n## Devices with certificates\n").unwrap();
    let (section, after) = section.split_once("\n## ").unwrap();
    (before, section, after)
}

#[test]
fn devices_with_certificates_work_as_the_guide_says() {
    let (instance, _, settings) = with_certificate();
    std::fs::write(instance.path().join("claviger.toml"), settings[0]).unwrap();
    let instance = instance.with("CLAVIGER_MTLS_LISTEN", "127.0.0.1:0");
    let mut server = instance.serve(&[]);
    server.public = server.public.replace("http://", "https://");
    let mtls = server.logged("listening").unwrap()["mtls"].as_str().unwrap().to_owned();
    let script = format!(
        "export SSL_CERT_FILE=$PWD/server.pem CURL_CA_BUNDLE=$PWD/server.pem MTLS_URL=https://{mtls}\n\
         export CLAVIGER_TOKEN=$(claviger bootstrap)\n\
         claviger api create --identifier=https://api.acme.test --name=Invoices --permission=invoices:read\n\
         claviger org create --name=Acme --slug=acme\n{}\nls -l second.key second.pem",
        blocks(guide_to_devices().1, "sh").join("\n")
    );
    let expected = [
        "acme",
        "meter.pem: OK",
        "subject=CN = sa_",
        "URI:urn:claviger:sa_",
        "TLS Web Client Authentication",
        r#""cnf":{"x5t#S256":""#,
        "certificate",
        "SN-7002",
        r#""error":"invalid_client""#,
        "not trusted any more",
        "-rw------- ",
        "second.key",
    ];
    check(&instance, &server, &script, &expected);
}

#[test]
fn the_guide_to_the_sidecar_works_as_written() {
    let instance = Instance::new();
    let script = blocks(include_str!("../../../../docs/verifying/sidecar.md"), "sh").join("\n");
    let expected = [
        r#""status":"ok""#,
        r#""code":"valid""#,
        r#""code":"permission_missing""#,
        "200 OK",
        "x-claviger-code: valid",
        r#""code":"revoked""#,
        r#""staleness_seconds":"#,
        r#"claviger_sidecar_answers_total{source="memory",surface="verify"}"#,
        "claviger_sidecar_uses_lost 0",
    ];
    check(&instance, &instance.serve(&[]), &script.replace("7423", &free_port().to_string()), &expected);
}

#[test]
fn the_guide_to_the_command_line_works_as_written() {
    let instance = Instance::new();
    check(
        &instance,
        &instance.serve(&[]),
        &blocks(include_str!("../../../../docs/command-line.md"), "sh").join("\n"),
        &[
            "(root)",
            "https://api.acme.test",
            "cust-17",
            "invoice-reader",
            "valid",
            "api-key-max-lifetime-days",
            "192.0.2.0/24",
            "█",
            "invoices:read",
            "retiring",
            "compromised",
            "refused: revoked",
            "exit 1",
            "api_key.revoked",
            "proved: ",
            "ok",
        ],
    );
}

#[test]
fn the_first_key_of_the_readme_verifies_as_written() {
    let instance = Instance::new();
    let server = instance.serve(&["--dev"]);
    let (admin, key) = server.keys();
    let list = server.user(&instance, &admin, &["api-key", "list", "--organization=acme", "--output=json"]).json();
    let id = list["items"][0]["id"].as_str().unwrap();
    let commands = blocks(include_str!("../../../../README.md"), "sh").join("\n");
    assert!(commands.contains("http://127.0.0.1:7421/"));
    let script = format!("export CLAVIGER_TOKEN={admin} KEY={key} ID={id}\n{commands}");
    let refused = r#"{"valid":false,"code":"permission_missing","#;
    let verified = [r#"{"valid":true,"code":"valid","#, r#""name":"dev example""#, refused];
    let a_day = ["dev example", "effective", "revoked", "api_key.revoked", "api_key.rolled"];
    check(
        &instance,
        &server,
        &script.replace("http://127.0.0.1:7421", &server.internal),
        &[verified.as_slice(), &a_day].concat(),
    );
}

#[test]
fn the_audit_trail_proves_as_the_guide_to_operations_says() {
    let script = blocks(include_str!("../../../../docs/operations.md"), "sh").join("\n");
    let proved = "proved: ";
    let instance = Instance::new();
    check(&instance, &instance.serve(&[]), &format!("{script}\ngrep -c '\"hash\"' heads.json"), &[proved, proved]);
}

#[test]
fn the_guide_to_github_actions_works_as_written() {
    let guide = include_str!("../../../../docs/github-actions.md");
    let instance = Instance::new().with("CLAVIGER_OUTBOUND_NETWORKS", "127.0.0.0/8");
    let server = instance.serve(&[]);
    let github = Issuer::start(|issuer| {
        json!({
            "iss": issuer, "sub": "repo:acme/site:ref:refs/heads/main", "aud": server.public, "ref": "refs/heads/main",
            "repository": "acme/site", "repository_id": "74", "repository_owner_id": "9", "event_name": "push",
        })
    });
    // The part between the admin's commands and what is done when something is refused.
    let (before, after) = guide.split_once("## When it is refused").unwrap();
    let step = blocks(before, "yaml")[0].split_once("run: |\n").unwrap().1;
    let step: Vec<&str> = step.lines().map(|line| line.trim_start_matches("          ")).collect();
    let script = format!(
        "GITHUB_ISSUER={issuer}\n{admin}\n\
         ACTIONS_ID_TOKEN_REQUEST_URL='{issuer}/token?api-version=2.0' ACTIONS_ID_TOKEN_REQUEST_TOKEN=x\n\
         GITHUB_ENV=github.env CLIENT_ID=$ACCOUNT\n{step}\n. ./github.env\n{verify}\n\
         {refused}\n{verify}\n",
        issuer = github.url,
        admin = blocks(before, "sh").join("\n"),
        step = step.join("\n"),
        refused = blocks(after, "sh").join("\n"),
        verify = VERIFY,
    );
    check(
        &instance,
        &server,
        &script,
        &[
            "https://billing.acme.test",
            "github",
            r#"{"ref":"refs/heads/main","repository_id":"74"}"#,
            "::add-mask::eyJ",
            r#"{"valid":true,"code":"valid","#,
            "main of acme/site",
            "revoked",
            r#"{"valid":false,"code":"revoked","#,
        ],
    );
}

#[test]
fn the_guide_to_kubernetes_works_as_written() {
    let instance = Instance::new();
    let server = instance.serve(&[]);
    let inside = "https://kubernetes.default.svc.cluster.local";
    let cluster = Issuer::start(|_| {
        json!({
            "iss": inside, "sub": "system:serviceaccount:prod:deploy", "aud": [server.public], "jti": "c3b3a9b4",
            "kubernetes.io": { "namespace": "prod", "serviceaccount": { "name": "deploy", "uid": "14ee3fa4" } },
        })
    });
    std::fs::write(instance.path().join("token"), cluster.token()).unwrap();
    std::fs::write(instance.path().join("openid"), json!({ "issuer": inside }).to_string()).unwrap();
    std::fs::write(instance.path().join("jwks"), cluster.keys()).unwrap();
    let script = blocks(include_str!("../../../../docs/kubernetes.md"), "sh").join("\n");
    let stand_in = r#"kubectl() { case "$3" in */openid-configuration) cat openid ;; /openid/v1/jwks) cat jwks ;; *) return 1 ;; esac; }"#;
    check(
        &instance,
        &server,
        &format!("TOKEN_FILE=token\n{stand_in}\n{script}\n{VERIFY}\n"),
        &[
            "https://billing.acme.test",
            "kubernetes",
            r#"{"sub":"system:serviceaccount:prod:deploy"}"#,
            r#""access_token":"eyJ"#,
            r#""token_type":"Bearer","expires_in":600,"scope":"billing:read""#,
            "prod cluster",
            "prod.acme.test",
            r#"{"valid":true,"code":"valid","#,
        ],
    );
}

/// What the token is worth.
const VERIFY: &str = r#"curl -sS --fail-with-body "$INTERNAL_URL/v1/verify" --json "{\"credential\": \"$TOKEN\"}""#;

/// The blocks of a guide that are marked as `language`.
pub(crate) fn blocks<'a>(guide: &'a str, language: &str) -> Vec<&'a str> {
    let start = format!("\n```{language}\n");
    guide.split(&start).skip(1).filter_map(|rest| rest.split("\n```").next()).collect()
}
