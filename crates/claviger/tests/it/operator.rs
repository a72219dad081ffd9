//! A day without leaving the command line, and what a terminal sees of it.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    process::Command,
    thread,
};

use crate::server::{Done, Instance, Server, done, done_reading, wait_for};

/// Somebody at a terminal, with the credential of an instance administrator.
struct Operator {
    instance: Instance,
    server: Server,
    token: String,
}

impl Operator {
    fn new() -> Self {
        let instance = Instance::new();
        let server = instance.serve(&[]);
        let token = instance.ok(&["bootstrap"]).trim().to_owned();
        Self { instance, server, token }
    }

    fn run(&self, arguments: &[&str]) -> Done {
        self.server.user(&self.instance, &self.token, arguments)
    }

    /// A command that succeeds, split at spaces; what holds spaces is given as `more`.
    fn ok(&self, command: &str, more: &[&str]) -> Done {
        let arguments: Vec<&str> = command.split(' ').chain(more.iter().copied()).collect();
        let done = self.run(&arguments);
        assert_eq!(done.code, Some(0), "{arguments:?}: {done:?}");
        done
    }

    /// The id of what a command answers with, as JSON.
    fn id(&self, command: &str, more: &[&str]) -> String {
        self.ok(&format!("{command} --output=json"), more).json()["id"].as_str().unwrap().to_owned()
    }

    fn verify(&self, token: &str) -> Done {
        let mut command = self.instance.claviger(&["verify", "-", "--permission=invoices:read", "--output=json"]);
        command.env("CLAVIGER_URL", &self.server.public).env("CLAVIGER_TOKEN", &self.token);
        done_reading(&mut command, &format!("{token}\n"))
    }

    fn code(&self, token: &str) -> String {
        self.verify(token).json()["code"].as_str().unwrap().to_owned()
    }
}

#[test]
fn an_operators_day() {
    let operator = Operator::new();

    // A customer, what there is to protect, and an application that may use it.
    let made = operator.ok("org create --name Acme --external-id cust-17", &[]);
    assert!(
        made.stdout.contains("acme") && made.stderr.contains("service-account create --organization acme"),
        "{made:?}"
    );
    operator.id(
        "api create --identifier https://api.acme.test --name Invoices --permission invoices:write",
        &["--permission", "invoices:read=See invoices"],
    );
    operator.id("role create --name invoice-reader --organization acme --permission invoices:read", &[]);
    let account =
        operator.id("service-account create --organization acme --role invoice-reader", &["--name=billing sync"]);

    // A key, which works.
    let create = format!("api-key create --service-account {account} --name nightly --permission invoices:read");
    let key = operator.ok(&format!("{create} --expires-in 90d"), &[]);
    let first = key.stdout.trim();
    assert!(first.starts_with("clv_key_") && key.stdout.lines().count() == 1 && !key.stderr.contains(first), "{key:?}");
    assert_eq!(operator.code(first), "valid");
    let own = operator.server.user(&operator.instance, first, &["token", "show", "--output=json"]).json();
    let id = own["credential"]["id"].as_str().unwrap();

    operator.ok(&format!("api-key update {id} --rate-limit default=100/1m --quota 1000/day"), &[]);
    assert_eq!(operator.verify(first).json()["limits"][0]["remaining"], 99);

    // What there is.
    for (command, expected) in [
        ("org list", "cust-17"),
        ("service-account list --organization acme", "billing sync"),
        ("api list", "https://api.acme.test"),
        ("role list --query invoice", "invoice-reader"),
        ("assignment list --organization acme", "invoice-reader"),
        ("api-key list --organization acme", "nightly"),
        ("org policy show acme", "wildcard-allowed"),
    ] {
        let list = operator.ok(command, &[]);
        assert!(list.stdout.contains(expected), "{command}: {list:?}");
        operator.ok(&format!("{command} --output=json"), &[]).json();
    }

    // Things change.
    operator.ok("org update acme --no-external-id", &["--name=Acme Ltd"]);
    let shown = operator.ok("org show acme --output=json", &[]).json();
    assert_eq!((shown["name"].as_str(), shown["external_id"].as_str()), (Some("Acme Ltd"), None));
    operator.ok(&format!("api-key update {id} --no-expiry"), &[]);
    operator.ok("org policy update acme --api-key-max-lifetime-days 90 --wildcard-allowed false", &[]);
    operator.ok(&format!("api-key update {id} --disable"), &[]);
    assert_eq!(operator.code(first), "disabled");
    operator.ok(&format!("api-key update {id} --enable"), &[]);
    assert_eq!(operator.code(first), "valid");

    // The key is rolled with an overlap, by the operator and then by itself.
    let second = operator.ok(&format!("api-key roll {id} --overlap 1h"), &[]).stdout;
    let second = second.trim();
    assert_eq!((operator.code(first), operator.code(second)), ("valid".to_owned(), "valid".to_owned()));
    let third = operator.server.user(&operator.instance, second, &["token", "roll", "--overlap=0s"]).stdout;
    let third = third.trim();
    assert_eq!((operator.code(second), operator.code(third)), ("revoked".to_owned(), "valid".to_owned()));

    // How much is it used?
    let usage = wait_for("the uses are told", || {
        let usage = operator.ok(&format!("usage --credential {id}"), &[]);
        (usage.stdout.contains("valid") && usage.stdout.contains("disabled")).then_some(usage)
    });
    assert!(usage.stdout.contains('█') && usage.stdout.contains(id), "{usage:?}");
    let permissions = operator.ok("usage --organization acme --group permission --last 7d", &[]);
    assert!(permissions.stdout.contains("invoices:read"), "{permissions:?}");
    let report = operator.ok(&format!("usage --credential {id} --by day --output=json"), &[]).json();
    assert_eq!(report["by"], "day");

    // It leaked: it ends, and everything with it is seen.
    let revoked = operator.ok(&format!("api-key revoke {id} --reason compromised"), &[]);
    assert!(revoked.stdout.contains("revoked") && revoked.stderr.contains("within a second"), "{revoked:?}");
    assert_eq!(operator.code(third), "revoked");
    let trail = operator.ok(&format!("audit list --target {id} --all"), &[]);
    for action in ["api_key.created", "api_key.rolled", "api_key.updated", "api_key.revoked"] {
        assert!(trail.stdout.contains(action), "{action}: {trail:?}");
    }
    operator.ok("audit list --organization acme --action api_key.revoked --output=json", &[]).json();
    assert!(operator.instance.ok(&["audit", "verify"]).contains("proved: "));

    // The customer leaves.
    let gone = operator.ok("org delete acme --yes", &[]);
    assert!(gone.stdout.is_empty() && gone.stderr.contains("claviger audit list --target org_"), "{gone:?}");
    let none = operator.run(&["org", "show", "acme"]);
    assert!(none.code == Some(1) && none.stderr.contains("claviger org list"), "{none:?}");
    operator.instance.assert_nowhere(&[&operator.token, first, second, third]);
}

#[test]
fn a_credential_ends_itself() {
    let operator = Operator::new();
    let done = operator.ok("token revoke", &[]);
    assert!(done.stdout.is_empty() && done.stderr.contains("Revoked"), "{done:?}");
    let after = operator.run(&["token", "show"]);
    assert!(after.code == Some(1) && after.stderr.contains("does not count"), "{after:?}");
}

#[test]
fn rights_are_given_and_taken() {
    let operator = Operator::new();
    let account = operator.id("service-account create --organization default --name helper --role member", &[]);
    let given = operator.id(&format!("assignment create --principal {account} --permission claviger:verify"), &[]);
    let rights = || {
        let shown = operator.ok(&format!("service-account show {account} --output=json"), &[]).json();
        format!("{} {}", shown["roles"], shown["permissions"])
    };
    assert_eq!(rights(), r#"["member"] ["claviger:verify"]"#);
    operator.ok(&format!("assignment show {given}"), &[]);
    operator.ok(&format!("assignment delete {given} --yes"), &[]);
    operator.ok(&format!("service-account update {account} --role auditor"), &[]);
    assert_eq!(rights(), r#"["auditor"] []"#);
    operator.ok(&format!("service-account update {account} --no-roles"), &[]);
    assert_eq!(rights(), "[] []");
    operator.ok(&format!("service-account delete {account} --yes"), &[]);
}

#[test]
fn a_client_gets_a_secret_and_a_key() {
    let operator = Operator::new();
    let create = "service-account create --organization default --name signs --token-endpoint-auth-method";
    let account = operator.id(&format!("{create} private_key_jwt --legacy-assertion-audience"), &[]);
    let shown = operator.ok(&format!("service-account show {account}"), &[]);
    assert!(shown.stdout.contains("private_key_jwt"), "{shown:?}");
    operator.ok(&format!("service-account update {account} --no-token-endpoint-auth-method"), &[]);
    operator.ok(&format!("service-account update {account} --legacy-assertion-audience=false"), &[]);
    operator.ok(&format!("service-account update {account} --dpop-bound-access-tokens"), &[]);
    let shown = operator.ok(&format!("service-account show {account} --output=json"), &[]).json();
    assert!(shown["token_endpoint_auth_method"].is_null() && shown["legacy_assertion_audience"] == false, "{shown}");
    assert_eq!(shown["dpop_bound_access_tokens"], true);
    operator.ok(&format!("service-account update {account} --tls-client-certificate-bound-access-tokens"), &[]);
    let shown = operator.ok(&format!("service-account show {account} --output=json"), &[]).json();
    assert_eq!(shown["tls_client_certificate_bound_access_tokens"], true);
    let shown = operator.ok(&format!("service-account show {account}"), &[]).stdout;
    assert!(shown.contains("to a key (DPoP) and a certificate (mutual TLS)"), "{shown}");
    let neither = "--dpop-bound-access-tokens=false --tls-client-certificate-bound-access-tokens=false";
    operator.ok(&format!("service-account update {account} {neither}"), &[]);

    // A secret.
    let made = operator.ok(&format!("service-account secret create {account} --name production --expires-in 90d"), &[]);
    let first = made.stdout.trim();
    assert!(first.starts_with("clv_cs_") && made.stdout.lines().count() == 1, "{made:?}");
    assert!(made.stderr.contains(&account) && !made.stderr.contains(first), "{made:?}");
    assert_eq!(operator.code(first), "unknown", "it is no bearer credential");
    let list = operator.ok(&format!("service-account secret list {account}"), &[]);
    let line = list.stdout.lines().find(|line| line.contains("production")).unwrap();
    let id = line.split_whitespace().next().unwrap();
    assert!(line.contains(&first["clv_cs_".len()..][..4]), "{line}");
    operator.ok(&format!("service-account secret update {account} {id} --no-expiry --name renamed"), &[]);
    let second = operator.ok(&format!("service-account secret roll {account} {id} --overlap 1h"), &[]).stdout;
    let shown = operator.ok(&format!("service-account secret show {account} {id}"), &[]);
    assert!(shown.stdout.contains("renamed") && shown.stdout.contains("retiring"), "{shown:?}");
    let revoked = operator.ok(&format!("service-account secret revoke {account} {id} --reason compromised"), &[]);
    assert!(revoked.stdout.contains("compromised"), "{revoked:?}");
    operator.ok(&format!("service-account secret delete {account} {id} --yes"), &[]);
    operator.instance.assert_nowhere(&[first, second.trim()]);

    // Keys.
    let (public, private) = (operator.instance.path().join("public.jwk"), operator.instance.path().join("private.jwk"));
    let jwk = r#""kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#;
    std::fs::write(&public, format!("{{{jwk}}}\n")).unwrap();
    std::fs::write(&private, format!(r#"{{{jwk},"d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}}"#)).unwrap();
    let add = format!("service-account key add {account} --name signs");
    let refused =
        operator.run(&[add.split(' ').collect::<Vec<_>>(), vec!["--jwk", private.to_str().unwrap()]].concat());
    assert!(refused.code == Some(1) && refused.stderr.contains("secret part"), "{refused:?}");
    let key = operator.id(&add, &["--jwk", public.to_str().unwrap()]);
    operator.ok(&format!("{add} --jwks-uri https://client.test/jwks"), &[]);
    let list = operator.ok(&format!("service-account key list {account}"), &[]);
    for expected in [key.as_str(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", "https://client.test/jwks"] {
        assert!(list.stdout.contains(expected), "{list:?}");
    }
    operator.ok(&format!("service-account key update {account} {key} --disable"), &[]);
    let shown = operator.ok(&format!("service-account key show {account} {key}"), &[]);
    assert!(shown.stdout.contains("disabled") && shown.stdout.contains("Ed25519"), "{shown:?}");
    operator.ok(&format!("service-account key revoke {account} {key}"), &[]);
    operator.ok(&format!("service-account key delete {account} {key} --yes"), &[]);

    // Federated identities.
    let add = format!("service-account federation add {account} --name deploy");
    let refused =
        operator.run(&format!("{add} --preset github --condition ref=refs/heads/main").split(' ').collect::<Vec<_>>());
    assert!(refused.code == Some(1) && refused.stderr.contains("repository_id"), "{refused:?}");
    let made = operator.ok(&format!("{add} --github-repository-id 74"), &[]);
    assert!(made.stderr.contains("Careful: every branch") && made.stderr.contains(&account), "{made:?}");
    let more = "--preset kubernetes --issuer https://eks.test --kubernetes prod/deploy --condition /kubernetes.io/namespace=prod";
    let federation = operator.id(&format!("{add} {more} --single-use --audience claviger"), &[]);
    let shown = operator.ok(&format!("service-account federation show {account} {federation}"), &[]);
    for expected in
        ["system:serviceaccount:prod:deploy", "/kubernetes.io/namespace", "https://eks.test", "single use", "claviger"]
    {
        assert!(shown.stdout.contains(expected), "{shown:?}");
    }
    let list = operator.ok(&format!("service-account federation list {account}"), &[]);
    assert!(list.stdout.contains(&federation) && list.stdout.contains("githubusercontent"), "{list:?}");
    operator.ok(&format!("service-account federation update {account} {federation} --disable"), &[]);
    operator.ok(&format!("service-account federation revoke {account} {federation}"), &[]);
    operator.ok(&format!("service-account federation remove {account} {federation} --yes"), &[]);
}

#[test]
fn clients_have_certificates_and_somebody_vouches_for_them() {
    let operator = Operator::new();
    operator.ok("org create --name Acme", &[]);
    let account = operator.id("service-account create --organization acme --name billing", &[]);
    let (certificate, authority) = (operator.instance.path().join("own.pem"), operator.instance.path().join("ca.pem"));
    let signed = |authority: bool| {
        let mut params = rcgen::CertificateParams::new(vec!["billing.test".to_owned()]).unwrap();
        if authority {
            params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        }
        let key = rcgen::KeyPair::generate().unwrap();
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    };
    std::fs::write(&certificate, signed(false).0).unwrap();
    std::fs::write(&authority, signed(true).0).unwrap();
    let add = format!("service-account certificate add {account} --name production");
    let both = format!("{add} --certificate {} --san-dns billing.test", certificate.display());
    assert_eq!(operator.run(&both.split(' ').collect::<Vec<_>>()).code, Some(2));
    assert_eq!(operator.run(&add.split(' ').collect::<Vec<_>>()).code, Some(2));
    let own = operator.id(&format!("{add} --certificate {}", certificate.display()), &[]);
    let named = operator.ok(&format!("{add} --san-dns Billing.test"), &[]);
    assert!(named.stderr.contains(&account) && named.stderr.contains("org authority"), "{named:?}");
    let list = operator.ok(&format!("service-account certificate list {account}"), &[]);
    assert!(list.stdout.contains(&own) && list.stdout.contains("billing.test"), "{list:?}");
    let shown = operator.ok(&format!("service-account certificate show {account} {own}"), &[]);
    for expected in ["self_signed_tls_client_auth", "thumbprint", "certificate ends"] {
        assert!(shown.stdout.contains(expected), "{shown:?}");
    }
    operator.ok(&format!("service-account certificate update {account} {own} --disable"), &[]);
    operator.ok(&format!("service-account certificate revoke {account} {own}"), &[]);
    operator.ok(&format!("service-account certificate delete {account} {own} --yes"), &[]);
    let add = "org authority add acme --name issuing --certificates";
    let leaf = format!("{add} {}", certificate.display());
    let refused = operator.run(&leaf.split(' ').collect::<Vec<_>>());
    assert!(refused.code == Some(1) && refused.stderr.contains("CA:TRUE"), "{refused:?}");
    let trusted = operator.id(&format!("{add} {}", authority.display()), &[]);
    let list = operator.ok("org authority list acme", &[]);
    assert!(list.stdout.contains(&trusted) && list.stdout.contains("issuing"), "{list:?}");
    let shown = operator.ok(&format!("org authority show acme {trusted}"), &[]);
    assert!(shown.stdout.contains("rcgen self signed cert"), "{shown:?}");
    operator.ok(&format!("org authority delete acme {trusted} --yes"), &[]);
    std::fs::write(&authority, signed(true).1).unwrap();
    let refused = operator.run(&format!("{add} {}", authority.display()).split(' ').collect::<Vec<_>>());
    assert!(refused.code == Some(1) && refused.stderr.contains("private key"), "{refused:?}");
}

#[test]
fn wrong_usage_exits_2_and_asks_nobody() {
    let instance = Instance::new();
    for arguments in [
        ["org", "update", "acme"].as_slice(),
        &["org", "policy", "update", "acme"],
        &["api-key", "update", "key_1"],
        &["service-account", "update", "sa_1"],
        &["api", "update", "api_1"],
        &["role", "update", "role_1"],
        &["org", "update", "acme", "--quota=1000/week"],
        &["org", "create"],
        &["api-key", "update", "key_1", "--disable", "--enable"],
        &["api-key", "update", "key_1", "--no-expiry", "--expires-in=1d"],
        &["api-key", "update", "key_1", "--no-objects", "--object=a:b"],
        &["assignment", "create", "--principal=sa_1"],
        &["assignment", "create", "--principal=sa_1", "--role=a", "--permission=b"],
        &["audit", "list", "--since=yesterday"],
        &["api-key", "update", "key_1", "--expires-in=9999999w"],
        &["usage", "--last=9999999w"],
        &["usage", "--last=7d", "--from=2026-01-01T00:00:00Z"],
        &["usage", "--watch"],
        &["verify", "x", "--cost=-1"],
        &["token", "update"],
        &["service-account", "secret", "update", "sa_1", "csec_1"],
        &["service-account", "key", "add", "sa_1", "--name=x"],
        &["service-account", "key", "add", "sa_1", "--name=x", "--jwk=a", "--jwks-uri=b"],
        &["signing-key", "rotate", "--algorithm=HS256"],
    ] {
        // Nobody listens there.
        let done = instance.run(&[arguments, &["--url=http://127.0.0.1:1"]].concat());
        assert_eq!((done.code, done.stdout.as_str()), (Some(2), ""), "{arguments:?}: {done:?}");
        assert!(!done.stderr.is_empty() && !done.stderr.contains("does not answer"), "{arguments:?}: {done:?}");
    }
}

#[test]
fn what_is_no_time_is_told_how_one_is_written() {
    let instance = Instance::new();
    for (command, expected) in [
        ("api-key update key_1 --expires-at yesterday", "such as 2027-01-31T12:00:00Z"),
        ("api-key update key_1 --not-before 2027-01-31", "such as 2027-01-31T12:00:00Z"),
        ("credential list --unused-since x", "such as 2027-01-31T12:00:00Z"),
        ("audit list --until 5", "such as 2027-01-31T12:00:00Z"),
        ("usage --from 2027-01-31T12:00:00", "such as 2027-01-31T12:00:00Z"),
        ("api-key update key_1 --expires-in soon", "such as 30s, 24h or 90d"),
        ("api-key update key_1 --expires-in 9999999w", "such as 90d"),
        ("api-key roll key_1 --overlap 1.5h", "such as 30s, 24h or 90d"),
    ] {
        let done = instance.run(&command.split(' ').chain(["--url=http://127.0.0.1:1"]).collect::<Vec<_>>());
        assert!(done.code == Some(2) && done.stderr.contains(expected), "{command}: {done:?}");
    }
}

#[test]
fn a_wrong_command_is_told_what_would_be_right() {
    let instance = Instance::new();
    let wrong = |command: &str| {
        let mut wrong = instance.claviger(&command.split(' ').collect::<Vec<_>>());
        let wrong = done(wrong.env("CLAVIGER_TOKEN", "x").env("CLAVIGER_URL", "http://127.0.0.1:1").output().unwrap());
        assert_eq!(wrong.code, Some(2), "{wrong:?}");
        wrong.stderr
    };
    let said = wrong("api-key make");
    // What the variables say needs no flag.
    assert!(said.contains("Usage: claviger api-key") && !said.contains("--token") && !said.contains("--url"), "{said}");
    for command in ["api-key revoke key_1", "token revoke pat_1", "service-account secret revoke sa_1 csec_1"] {
        let said = wrong(&format!("{command} --reason nonsense"));
        assert!(said.contains("unspecified, superseded, compromised, owner_left, policy, unused"), "{said}");
    }
}

#[test]
fn what_takes_long_tells_how_far_it_is_on_a_terminal_alone() {
    let instance = Instance::new();
    let server = instance.serve(&["--dev"]);
    let (token, _) = server.keys();
    let at_a_terminal = |arguments: &str| {
        let mut script = instance.claviger(&[]);
        let claviger = format!("{} {arguments}", env!("CARGO_BIN_EXE_claviger"));
        let variables: Vec<_> =
            script.get_envs().map(|(name, value)| (name.to_owned(), value.map(ToOwned::to_owned))).collect();
        let directory = script.get_current_dir().unwrap().to_owned();
        script = Command::new("script");
        for (name, value) in variables {
            match value {
                Some(value) => script.env(name, value),
                None => script.env_remove(name),
            };
        }
        script.env("CLAVIGER_URL", &server.public).env("CLAVIGER_TOKEN", &token).current_dir(directory);
        done(script.args(["-qec", &claviger, "/dev/null"]).output().unwrap())
    };
    for (command, told, json) in [
        ("audit verify", " events proved …", Some("audit verify --json")),
        ("migrate", "bringing ", None),
        (
            "credential revoke --organization=acme --kind=api_key --expected=1",
            "revoking 1 …",
            Some("credential revoke --organization=acme --expected=7 --output=json"),
        ),
    ] {
        let shown = at_a_terminal(command);
        assert!(shown.code == Some(0) && shown.stdout.contains(told), "{command}: {shown:?}");
        if let Some(json) = json {
            let silent = at_a_terminal(json);
            assert!(!silent.stdout.contains('…'), "{json}: {silent:?}");
        }
    }
    for command in ["audit verify", "migrate"] {
        let piped = instance.run(&command.split(' ').collect::<Vec<_>>());
        assert!(piped.code == Some(0) && !piped.stderr.contains('…'), "{command}: {piped:?}");
    }
}

#[test]
fn what_is_gone_for_good_is_asked_for_or_meant_by_a_flag() {
    let instance = Instance::new();
    for command in [
        "org delete acme",
        "org remove-member acme user_1",
        "user delete alice@acme.test",
        "user remove-second-factor user_1",
        "user remove-passkey user_1 passkey_1",
        "service-account delete sa_1",
        "service-account secret delete sa_1 csec_1",
        "service-account key delete sa_1 ckey_1",
        "api delete api_1",
        "role delete role_1",
        "assignment delete asg_1",
        "api-key delete key_1",
        "token delete pat_1",
    ] {
        // Nobody listens there, and nobody is asked.
        let arguments: Vec<&str> = command.split(' ').chain(["--url=http://127.0.0.1:1"]).collect();
        let done = instance.run(&arguments);
        assert_eq!((done.code, done.stdout.as_str()), (Some(2), ""), "{command}: {done:?}");
        assert!(done.stderr.contains("--yes") && !done.stderr.contains("does not answer"), "{command}: {done:?}");
    }

    let operator = Operator::new();
    operator.ok("org create --name Acme", &[]);
    let account = operator.id("service-account create --organization acme --name helper", &[]);
    operator.ok(&format!("service-account secret create {account} --name one"), &[]);
    operator.ok(&format!("service-account secret create {account} --name two"), &[]);
    let at_a_terminal = |command: &str, typed: &str| {
        let mut script = Command::new("script");
        script.args(["-qec", &format!("{} {command}", env!("CARGO_BIN_EXE_claviger")), "/dev/null"]);
        script.env("CLAVIGER_URL", &operator.server.public).env("CLAVIGER_TOKEN", &operator.token);
        done_reading(&mut script, typed)
    };
    let told = |done: &Done, what: &str, many: &str| {
        let mut lines = done.stdout.lines();
        lines.any(|line| line.trim_start().starts_with(what) && line.trim_end().ends_with(many))
    };
    for no in ["n\n", "\n", "acme\n"] {
        let kept = at_a_terminal("org delete acme", no);
        assert!(kept.code == Some(1) && kept.stdout.contains("[y/N]"), "{kept:?}");
        assert!(told(&kept, "service accounts", " 1") && told(&kept, "live credentials", " 2"), "{kept:?}");
        assert!(told(&kept, "members", " 0") && kept.stdout.contains("nothing was done"), "{kept:?}");
    }
    operator.ok("org show acme", &[]);
    let gone = at_a_terminal("org delete acme", "y\n");
    assert!(gone.code == Some(0) && gone.stdout.contains("Deleted org_"), "{gone:?}");
    assert_eq!(operator.run(&["org", "show", "acme"]).code, Some(1));
}

#[test]
fn signing_keys_are_shown_and_rotated_over_http() {
    let operator = Operator::new();
    let list = operator.ok("signing-key list", &[]);
    assert_eq!(list.stdout.matches("active").count(), 2, "{list:?}");
    let kid = list.stdout.split_whitespace().find(|word| word.starts_with("skey_")).unwrap();
    assert!(operator.ok(&format!("signing-key show {kid}"), &[]).stdout.contains("next announced"));
    let announced = operator.ok("signing-key rotate --algorithm ES256", &[]);
    assert!(announced.stdout.contains("announced") && announced.stderr.contains("ten minutes"), "{announced:?}");
    let again = operator.run(&["signing-key", "rotate", "--algorithm=ES256"]);
    assert!(again.code == Some(1) && again.stderr.contains("announced already"), "{again:?}");
    let replaced = operator.ok("signing-key rotate --now --output=json", &[]).json();
    let states: Vec<_> = replaced["items"].as_array().unwrap().iter().map(|key| key["state"].as_str()).collect();
    assert_eq!(states, [Some("active"), Some("active")]);
    let shown = operator.ok(&format!("signing-key show {kid} --output=json"), &[]).json();
    assert_eq!(shown["state"], "removed");
    let published = operator.instance.ok(&["jwks"]);
    assert!(!published.contains(kid), "{published}");
}

#[test]
fn tables_fit_the_terminal() {
    let operator = Operator::new();
    operator.ok("org create", &["--name", "long name ".repeat(9).trim_end()]);
    for command in
        ["org list", "role list", "api list", "api-key list", "audit list --all", "org show default", "usage"]
    {
        let mut command = operator.instance.claviger(&command.split(' ').collect::<Vec<_>>());
        command.env("CLAVIGER_URL", &operator.server.public).env("CLAVIGER_TOKEN", &operator.token);
        let narrow = done(command.env("COLUMNS", "60").output().unwrap());
        assert_eq!(narrow.code, Some(0), "{narrow:?}");
        let wide = narrow.stdout.lines().find(|line| line.chars().count() > 60);
        assert_eq!(wide, None, "{}", narrow.stdout);
        // An id stays in one piece, for whoever copies it.
        let broken = narrow.stdout.contains("org_") && !narrow.stdout.split_whitespace().any(|word| word.len() == 30);
        assert!(!broken, "{}", narrow.stdout);
    }
}

#[test]
fn use_is_drawn_again_and_again_on_a_terminal() {
    let operator = Operator::new();
    wait_for("something was used", || operator.ok("usage", &[]).stdout.contains("valid").then_some(()));
    let mut command = Command::new("timeout");
    let claviger = format!("{} usage --watch", env!("CARGO_BIN_EXE_claviger"));
    command.args(["-s", "INT", "5", "script", "-qec", &claviger, "/dev/null"]);
    command.env("CLAVIGER_URL", &operator.server.public).env("CLAVIGER_TOKEN", &operator.token);
    let watched = done(command.output().unwrap());
    let drawn = watched.stdout.split("\x1b[H\x1b[2J").filter(|frame| frame.contains('█')).count();
    assert!(drawn >= 2 && watched.stdout.contains("Ctrl-C"), "{watched:?}");
}

/// A service that answers everything with this.
fn hostile(body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let request = BufReader::new(stream.try_clone().unwrap());
            let _headers = request.lines().map_while(Result::ok).take_while(|line| !line.is_empty()).count();
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length:";
            let _ = stream.write_all(format!("{head} {}\r\n\r\n{body}", body.len()).as_bytes());
        }
    });
    url
}

#[test]
fn names_do_not_act_on_the_terminal() {
    const ESCAPE: &str = "\\u001b]0;owned\\u0007\\u001b[2J\u{9b}31m\\r\u{202e}evil";
    let organization = format!(
        r#"{{"id":"org_1{ESCAPE}","slug":"x","name":"{ESCAPE}","external_id":"{ESCAPE}","ceiling":["{ESCAPE}"],"portal_origins":["{ESCAPE}"],
            "metadata":{{"{ESCAPE}":"{ESCAPE}"}},"disabled":false,"created_at":"{ESCAPE}"}}"#
    );
    let list = format!(r#"{{"items":[{organization}],"next_cursor":null}}"#);
    let instance = Instance::new();
    let check = |url: &str, arguments: &[&str]| {
        let done = instance.run(&[arguments, &["--url", url]].concat());
        assert_eq!(done.code, Some(0), "{done:?}");
        let acts = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!done.stdout.contains(acts) && !done.stderr.contains(acts), "{arguments:?}: {done:?}");
        assert!(done.stdout.contains("evil"), "{done:?}");
    };
    let (list, one) = (hostile(list.leak()), hostile(organization.leak()));
    check(&list, &["org", "list"]);
    check(&one, &["org", "show", "org_1"]);

    // JSON is the service's own bytes, but on a terminal what would act on it is escaped.
    let mut command = Command::new("script");
    let claviger = format!("{} org show org_1 --output json --url {one}", env!("CARGO_BIN_EXE_claviger"));
    let done = done(command.args(["-qec", &claviger, "/dev/null"]).env_remove("CLAVIGER_TOKEN").output().unwrap());
    assert!(done.stdout.contains("\\u009b31m") && !done.stdout.contains(['\u{9b}', '\u{202e}', '\u{1b}']), "{done:?}");
}

#[test]
fn many_end_after_a_count_and_a_policy_is_tried_before_it_holds() {
    let instance = Instance::new();
    let server = instance.serve(&["--dev"]);
    let (token, example) = server.keys();
    let run = |arguments: &[&str]| server.user(&instance, &token, arguments);
    let ok = |arguments: &[&str]| {
        let done = run(arguments);
        assert_eq!(done.code, Some(0), "{arguments:?}: {done:?}");
        done
    };
    let preview = ok(&["org", "policy", "update", "acme", "--api-key-max-lifetime-days=5", "--preview"]);
    assert!(
        preview.stdout.contains("api_key_max_lifetime_days") && preview.stdout.contains("ends sooner"),
        "{preview:?}"
    );
    let shown = ok(&["org", "policy", "show", "acme", "--output=json"]).json();
    assert_eq!(shown["api_key_max_lifetime_days"], serde_json::Value::Null);

    let list = ok(&["credential", "list", "--organization=acme", "--kind=api_key"]);
    assert!(list.stdout.contains("dev example") && list.stdout.contains("billing sync"), "{list:?}");
    let filters = ["--organization=acme", "--query=dev", "--kind=api_key"];
    let counted = ok(&[["credential", "revoke"].as_slice(), &filters].concat());
    assert!(counted.stdout.contains("dev example") && counted.stderr.contains("--expected 1"), "{counted:?}");
    let wrong = run(&[["credential", "revoke", "--expected=7"].as_slice(), &filters].concat());
    assert_eq!(wrong.code, Some(1), "{wrong:?}");
    ok(&[["credential", "revoke", "--expected=1", "--reason=compromised"].as_slice(), &filters].concat());
    let refused = server.user(&instance, &token, &["verify", &example]);
    assert!(refused.stdout.contains("refused: revoked"), "{refused:?}");
}

#[test]
fn signing_keys_are_shown_and_rotated_beside_a_running_service() {
    let operator = Operator::new();
    let published = || -> Vec<String> {
        let set: serde_json::Value = serde_json::from_str(&operator.instance.ok(&["jwks"])).unwrap();
        set["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
    };
    let before = published();
    assert_eq!(before.len(), 2);
    let announced = operator.instance.ok(&["rotate", "signing-keys", "--algorithm", "ES256"]);
    assert!(announced.contains("announced") && announced.contains("skey_"), "{announced}");
    assert!(operator.instance.refused(&["rotate", "signing-keys"]).contains("announced already"));
    assert_eq!(published().len(), 3);
    let replaced = operator.instance.ok(&["rotate", "signing-keys", "--now"]);
    assert_eq!((replaced.matches("active").count(), published().len()), (2, 2), "{replaced}");
    assert!(before.iter().all(|kid| !published().contains(kid)));
    let told = operator.ok("audit list --action signing_key.removed", &[]);
    assert!(before.iter().all(|kid| told.stdout.contains(kid)), "{told:?}");
    // The service knows of it within a second.
    let http = reqwest::blocking::Client::builder().no_proxy().build().unwrap();
    let address = format!("{}/.well-known/jwks.json", operator.server.public);
    wait_for("the new keys", || {
        let set = http.get(&address).send().unwrap().text().unwrap();
        before.iter().all(|kid| !set.contains(kid)).then_some(())
    });
    assert_eq!(operator.instance.run(&["rotate", "signing-keys", "--algorithm", "HS256"]).code, Some(2));
}
