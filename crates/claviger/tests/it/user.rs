use crate::server::{Done, Instance, Server, done_reading};

struct Admin {
    instance: Instance,
    server: Server,
    token: String,
    example: String,
}

impl Admin {
    fn new() -> Self {
        let instance = Instance::new();
        let server = instance.serve(&["--dev"]);
        let (token, example) = server.keys();
        Self { instance, server, token, example }
    }

    fn run(&self, arguments: &[&str]) -> Done {
        self.server.user(&self.instance, &self.token, arguments)
    }

    fn ok(&self, arguments: &[&str]) -> Done {
        let done = self.run(arguments);
        assert_eq!(done.code, Some(0), "{arguments:?}: {done:?}");
        done
    }

    /// The example's service account.
    fn account(&self) -> String {
        let list = self.ok(&["api-key", "list", "--query=dev", "--output=json"]).json();
        list["items"][0]["service_account_id"].as_str().unwrap().to_owned()
    }

    fn create(&self, name: &str, more: &[&str]) -> Done {
        let account = self.account();
        let fixed = ["api-key", "create", "--service-account", &account, "--name", name, "--permission=invoices:read"];
        self.run(&[fixed.as_slice(), more].concat())
    }

    fn verify(&self, token: &str, more: &[&str]) -> Done {
        let mut command = self.instance.claviger(&[["verify", "-", "--output=json"].as_slice(), more].concat());
        command.env("CLAVIGER_URL", &self.server.public).env("CLAVIGER_TOKEN", &self.token);
        done_reading(&mut command, &format!("{token}\n"))
    }
}

#[test]
fn a_key_lives_from_create_to_revoke() {
    let admin = Admin::new();
    let created = admin.create("nightly", &[]);
    assert_eq!(created.code, Some(0), "{created:?}");
    let first = created.stdout.trim();
    assert!(first.starts_with("clv_key_") && !created.stderr.contains(first), "{created:?}");

    let list = admin.ok(&["api-key", "list"]);
    let line = list.stdout.lines().find(|line| line.contains("nightly")).unwrap();
    let id = line.split_whitespace().next().unwrap();
    let shown = admin.ok(&["api-key", "show", id]);
    assert!(shown.stdout.contains("nightly") && !shown.stdout.contains(first), "{shown:?}");

    let verdict = admin.verify(first, &["--permission=invoices:read"]);
    assert_eq!((verdict.code, verdict.json()["code"].as_str()), (Some(0), Some("valid")));
    let verdict = admin.verify(first, &["--permission=invoices:write"]);
    assert_eq!((verdict.code, verdict.json()["code"].as_str()), (Some(1), Some("permission_missing")));

    let second = admin.ok(&["api-key", "roll", id, "--overlap=1h"]).stdout;
    let second = second.trim();
    assert_eq!(admin.verify(first, &[]).json()["credential"]["generation"], "retiring");
    assert_eq!(admin.verify(second, &[]).json()["credential"]["generation"], "current");

    // Unless something else is said, the one before works for a day.
    let third = admin.ok(&["api-key", "roll", id]);
    assert!(third.stderr.contains("The one before works until "), "{third:?}");
    assert_eq!(admin.verify(second, &[]).json()["credential"]["generation"], "retiring");
    let fourth = admin.ok(&["api-key", "roll", id, "--overlap=0s"]);
    assert!(fourth.stderr.contains("The one before stopped now."), "{fourth:?}");
    assert_eq!(admin.verify(third.stdout.trim(), &[]).json()["code"], "revoked");

    let revoked = admin.ok(&["api-key", "revoke", id, "--reason=compromised"]);
    assert!(revoked.stdout.contains("revoked"), "{revoked:?}");
    for token in [first, second] {
        let verdict = admin.verify(token, &[]);
        assert_eq!((verdict.code, verdict.json()["code"].as_str()), (Some(1), Some("revoked")));
    }
    admin.instance.assert_nowhere(&[&admin.token, &admin.example, first, second]);
}

#[test]
fn every_flag_of_create_arrives() {
    let admin = Admin::new();
    let created = admin.create(
        "limited",
        &[
            "--object=repo:acme/*",
            "--environment=test",
            "--expires-in=90d",
            "--not-before=2026-01-01T00:00:00Z",
            "--allowed-network=192.0.2.0/24",
            r#"--metadata={"plan":"pro"}"#,
            "--output=json",
        ],
    );
    let key = created.json();
    assert!(key["token"].as_str().unwrap().starts_with("clv_testkey_"));
    assert_eq!(key["objects"][0], "repo:acme/*");
    assert_eq!(key["allowed_networks"][0], "192.0.2.0/24");
    assert_eq!(key["metadata"]["plan"], "pro");
    assert_eq!(key["not_before"], "2026-01-01T00:00:00Z");
    assert!(key["expires_at"].is_string());
    let token = key["token"].as_str().unwrap();
    let asked = ["--object=repo:acme/site", "--client-ip=192.0.2.7", "--audience=https://api.acme.test"];
    assert_eq!(admin.verify(token, &asked).json()["code"], "valid");
    assert_eq!(admin.verify(token, &["--object=repo:acme/site"]).json()["code"], "network_not_allowed");
    assert_eq!(admin.verify(token, &["--client-ip=192.0.2.7"]).json()["code"], "object_required");
}

#[test]
fn a_key_is_bound_to_the_public_key_in_a_file() {
    const PEM: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n";
    const JWK: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    // RFC 8037, appendix A.3.
    const THUMBPRINT: &str = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";
    let admin = Admin::new();
    let file = |name: &str, text: &str| {
        let path = admin.instance.path().join(name);
        std::fs::write(&path, text).unwrap();
        format!("--bind-key={}", path.display())
    };
    let by_thumbprint = format!("--dpop-jkt={THUMBPRINT}");
    for flag in [file("key.pem", PEM), file("key.jwk", JWK), by_thumbprint.clone()] {
        let made = admin.create("bound", &[&flag, "--output=json"]).json();
        assert_eq!(made["cnf"]["jkt"], THUMBPRINT, "{flag}");
        assert_eq!(admin.verify(made["token"].as_str().unwrap(), &[]).json()["code"], "proof_required");
        let shown = admin.ok(&["api-key", "show", made["id"].as_str().unwrap()]);
        assert!(shown.stdout.contains(&format!("jkt {THUMBPRINT}")), "{shown:?}");
    }
    let private = file("private.jwk", &JWK.replace("}", r#","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}"#));
    for (flag, told) in [
        (private, "secret part"),
        (file("none", "x"), "no public key"),
        ("--bind-key=absent".to_owned(), "could not be read"),
    ] {
        let refused = admin.create("bound", &[&flag]);
        assert!(refused.code == Some(1) && refused.stderr.contains(told), "{refused:?}");
    }
    assert_eq!(admin.create("bound", &["--dpop-jkt=x"]).code, Some(2));
    assert_eq!(admin.create("bound", &[&file("key.pem", PEM), &by_thumbprint]).code, Some(2));
}

#[test]
fn a_key_is_bound_to_the_certificate_in_a_file() {
    const PEM: &str = include_str!("../../../claviger-token/src/certificate/self_signed.pem");
    const THUMBPRINT: &str = include_str!("../../../claviger-token/src/certificate/self_signed.thumbprint");
    let (admin, thumbprint) = (Admin::new(), THUMBPRINT.trim());
    let file = |name: &str, text: &str| {
        let path = admin.instance.path().join(name);
        std::fs::write(&path, text).unwrap();
        format!("--bind-certificate={}", path.display())
    };
    let by_thumbprint = format!("--client-certificate-thumbprint={thumbprint}");
    for flag in [file("certificate.pem", PEM), by_thumbprint.clone()] {
        let made = admin.create("bound", &[&flag, "--output=json"]).json();
        assert_eq!(made["cnf"]["x5t#S256"], thumbprint, "{flag}");
        assert_eq!(admin.verify(made["token"].as_str().unwrap(), &[]).json()["code"], "proof_required");
        let shown = admin.ok(&["api-key", "show", made["id"].as_str().unwrap()]);
        assert!(shown.stdout.contains(&format!("x5t#S256 {thumbprint}")), "{shown:?}");
    }
    let private = "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n";
    for (flag, told) in [
        (file("both.pem", &format!("{PEM}{private}")), "private key"),
        (file("none", "x"), "no certificate"),
        ("--bind-certificate=absent".to_owned(), "could not be read"),
    ] {
        let refused = admin.create("bound", &[&flag]);
        assert!(refused.code == Some(1) && refused.stderr.contains(told), "{refused:?}");
    }
    assert_eq!(admin.create("bound", &["--client-certificate-thumbprint=x"]).code, Some(2));
    assert_eq!(admin.create("bound", &[&file("certificate.pem", PEM), &by_thumbprint]).code, Some(2));
}

#[test]
fn a_list_is_filtered_and_read_to_its_end() {
    let admin = Admin::new();
    for number in 0..5 {
        assert_eq!(admin.create(&format!("batch {number}"), &[]).code, Some(0));
    }
    let page = admin.ok(&["api-key", "list", "--query=batch", "--limit=2", "--output=json"]).json();
    assert_eq!(page["items"].as_array().unwrap().len(), 2);
    assert!(page["next_cursor"].is_string());
    let all = admin.ok(&["api-key", "list", "--query=batch", "--limit=2", "--all", "--output=json"]).json();
    assert_eq!(all["items"].as_array().unwrap().len(), 5);
    assert!(all["next_cursor"].is_null());
    let page = admin.ok(&["api-key", "list", "--query=batch", "--limit=2"]);
    assert!(page.stderr.contains("--all"), "{page:?}");
    let none = admin.ok(&["api-key", "list", "--status=revoked"]);
    assert!(none.stdout.is_empty() && none.stderr.contains("none"), "{none:?}");
}

#[test]
fn a_refusal_says_why_and_what_next() {
    let admin = Admin::new();
    let check = |done: Done, parts: &[&str]| {
        assert_eq!((done.code, done.stdout.as_str()), (Some(1), ""), "{done:?}");
        assert!(parts.iter().all(|part| done.stderr.contains(part)), "{done:?}");
    };
    check(
        admin.create("x", &["--permission=nothing:here", "--object=nonsense"]),
        &["422", "/permissions/1", "/objects/0"],
    );
    check(admin.run(&["api-key", "show", "key_01h455vb4pex5vsknk084sn02q"]), &["404"]);
    let as_nobody = admin.server.user(&admin.instance, "", &["api-key", "list"]);
    check(as_nobody, &["401", "CLAVIGER_TOKEN", "claviger bootstrap"]);
    let as_example = admin.server.user(&admin.instance, &admin.example, &["api-key", "list"]);
    check(as_example, &["403", "claviger:"]);
    let wrong = admin.server.user(&admin.instance, "clv_key_wrong", &["api-key", "list"]);
    check(wrong, &["401", "does not count"]);
    let two = admin.server.user(&admin.instance, "clv_key_one\nclv_key_two", &["api-key", "list"]);
    assert!(!two.stderr.contains("clv_key_"));
    check(two, &["CLAVIGER_TOKEN", "not one token"]);
    check(admin.instance.run(&["api-key", "list", "--url=http://127.0.0.1:1"]), &["127.0.0.1:1", "claviger serve"]);
    check(admin.instance.run(&["api-key", "list", "--url=localhost"]), &["localhost", "http"]);
}

#[test]
fn people_are_made_invited_added_and_removed() {
    let admin = Admin::new();
    let person = ["user", "create", "--email=alice@acme.test", "--name=Alice", "--external-id=42", "--output=json"];
    let alice = admin.ok(&person).json()["id"].as_str().unwrap().to_owned();
    let upsert = ["user", "upsert", "42", "--email=al@acme.test", "--no-name", "--output=json"];
    let same = admin.ok(&upsert).json();
    assert_eq!((same["id"].as_str(), same["email"].as_str()), (Some(alice.as_str()), Some("al@acme.test")));
    assert!(same["name"].is_null());
    admin.ok(&["user", "update", &alice, "--name=Al", "--disable"]);
    let shown = admin.ok(&["user", "show", &alice]);
    assert!(shown.stdout.contains("al@acme.test") && shown.stdout.contains("organizations"), "{shown:?}");
    assert!(admin.ok(&["user", "list", "--disabled=true", "--external-id=42"]).stdout.contains(&alice));
    admin.ok(&["user", "update", &alice, "--enable"]);

    let none = admin.run(&["user", "remove-second-factor", &alice, "--yes"]).refused();
    assert!(none.contains("no second factor of user"), "{none}");
    let none = admin.ok(&["user", "passkeys", &alice]);
    assert!(none.stderr.contains("There are none here"), "{none:?}");
    let absent = "passkey_01h455vb4pex5vsknk084sn02q";
    let none = admin.run(&["user", "remove-passkey", &alice, absent, "--yes"]).refused();
    assert!(none.contains("no passkey passkey_01h455vb4pex5vsknk084sn02q of user"), "{none}");
    let link = admin.ok(&["user", "reset-password", "AL@acme.test", "--expires-in-hours=1"]);
    assert!(link.stdout.contains("/password-reset?code=") && link.stdout.lines().count() == 1, "{link:?}");
    let invite = ["org", "invite", "acme", "--email=bob@acme.test", "--role=member", "--expires-in-days=1"];
    let invite = admin.ok(&invite);
    assert!(invite.stdout.contains("/invitation?code=") && invite.stdout.lines().count() == 1, "{invite:?}");
    for (shown, other) in [(&link, &invite), (&invite, &link)] {
        let code = shown.stdout.trim().split_once("code=").unwrap().1;
        assert!(!shown.stderr.contains(code) && !other.stderr.contains(code), "{shown:?}");
        admin.instance.assert_nowhere(&[code]);
    }
    let invited = admin.ok(&["org", "invitations", "acme", "--status=open", "--output=json"]).json();
    let invitation = invited["items"][0]["id"].as_str().unwrap();
    admin.ok(&["org", "revoke-invitation", "acme", invitation]);
    assert!(admin.ok(&["org", "invitations", "acme"]).stdout.contains("revoked"));

    admin.ok(&["org", "add-member", "acme", &alice, "--role=member", "--permission=invoices:read"]);
    let members = admin.ok(&["org", "members", "acme", "--query=al@"]);
    assert!(members.stdout.contains("al@acme.test") && members.stdout.contains("invoices:read"), "{members:?}");
    let give = ["assignment", "create", "--principal", &alice, "--organization=acme", "--role=auditor"];
    admin.ok(&give);
    admin.ok(&["org", "remove-member", "acme", &alice, "--yes"]);
    assert!(!admin.ok(&["org", "members", "acme"]).stdout.contains("al@acme.test"));
    admin.ok(&["user", "delete", &alice, "--yes"]);
    assert_eq!(admin.run(&["user", "show", &alice]).code, Some(1));
}

#[test]
fn a_user_is_let_into_the_portal_of_an_organization_that_has_one() {
    let admin = Admin::new();
    let origins = ["--portal-origin=https://app.acme.test", "--portal-origin=http://localhost:3000"];
    let made = [["org", "create", "--name=Globex", "--output=json"].as_slice(), &origins[..1]].concat();
    assert_eq!(admin.ok(&made).json()["portal_origins"][0], "https://app.acme.test");
    let changed = admin.ok(&[["org", "update", "acme"].as_slice(), &origins].concat());
    assert!(changed.stdout.contains("https://app.acme.test http://localhost:3000"), "{changed:?}");
    let changed = admin.ok(&["org", "update", "acme", "--portal-name=Acme Cloud", "--portal-color=#0A7D4B"]);
    assert!(changed.stdout.contains("Acme Cloud") && changed.stdout.contains("#0a7d4b"), "{changed:?}");
    let changed = admin.ok(&["org", "update", "acme", "--no-portal-name", "--no-portal-color"]);
    assert!(changed.stdout.contains("the organization's"), "{changed:?}");

    let user = ["user", "create", "--email=alice@acme.test", "--external-id=42", "--output=json"];
    let alice = admin.ok(&user).json()["id"].as_str().unwrap().to_owned();
    admin.ok(&["org", "add-member", "acme", &alice, "--role=member"]);
    let create = |user: [&str; 2], url: &str| {
        let fixed = ["portal-session", "create", "--organization=acme", "--return-url", url];
        admin.run(&[fixed.as_slice(), &user].concat())
    };
    for user in [["--user", alice.as_str()], ["--user-external-id", "42"]] {
        let link = create(user, "https://app.acme.test/settings");
        assert!(link.stdout.contains("/portal/enter?code=") && link.stdout.lines().count() == 1, "{link:?}");
        let code = link.stdout.trim().split_once("code=").unwrap().1;
        assert!(!link.stderr.contains(code), "{link:?}");
        admin.instance.assert_nowhere(&[code]);
    }
    let refused = create(["--user", &alice], "https://evil.test/");
    assert!(refused.code == Some(1) && refused.stderr.contains("/return_url"), "{refused:?}");
    admin.ok(&["org", "update", "acme", "--no-portal-origins"]);
    assert_eq!(create(["--user", &alice], "https://app.acme.test/").code, Some(1));
    let unnamed = ["portal-session", "create", "--organization=acme", "--return-url=https://app.acme.test/"];
    assert_eq!(admin.run(&unnamed).code, Some(2));
}

#[test]
fn a_look_alike_is_told_beside_the_answer() {
    let admin = Admin::new();
    let first = admin.create("payments", &[]);
    assert!(first.code == Some(0) && !first.stderr.contains("Look closely"), "{first:?}");
    let fake = admin.create("p\u{430}yments", &["--output=json"]).json();
    let id = fake["id"].as_str().unwrap();
    let shown = admin.ok(&["api-key", "show", id]);
    assert!(!shown.stdout.contains("Look closely"), "{shown:?}");
    assert!(shown.stderr.contains("Look closely") && shown.stderr.contains(": payments (key_"), "{shown:?}");
    let third = admin.create("PAYMENTS", &[]);
    assert!(third.stderr.contains("Look closely") && third.stdout.lines().count() == 1, "{third:?}");
}

#[test]
fn a_token_that_waits_tells_where_it_is_approved() {
    let admin = Admin::new();
    admin.ok(&["org", "policy", "update", "acme", "--approval-required=true"]);
    let users = admin.ok(&["user", "list", "--output=json"]).json();
    let user = users["items"][0]["id"].as_str().unwrap();
    let create =
        ["token", "create", "--organization=acme", "--user", user, "--name=DEV example", "--permission=invoices:read"];
    let made = admin.ok(&create);
    assert!(made.stdout.trim().starts_with("clv_pat_") && made.stdout.lines().count() == 1, "{made:?}");
    assert!(
        made.stderr.contains("/approvals/pat_") && made.stderr.contains("Send this to an administrator"),
        "{made:?}"
    );
    let list = admin.ok(&["token", "list", "--status=pending_approval", "--output=json"]).json();
    let waiting = &list["items"][0];
    let url = format!("{}/approvals/{}", admin.server.public, waiting["id"].as_str().unwrap());
    assert_eq!(waiting["approval_url"].as_str(), Some(url.as_str()));
    let approved = admin.ok(&["token", "approve", waiting["id"].as_str().unwrap()]);
    assert!(approved.stdout.contains("active") && !approved.stdout.contains("/approvals/"), "{approved:?}");
    assert!(approved.stderr.contains("Look closely") && approved.stderr.contains("dev example"), "{approved:?}");
}

#[test]
fn verify_shows_a_verdict_in_words() {
    let admin = Admin::new();
    let valid = admin.run(&["verify", &admin.example, "--permission=invoices:read"]);
    assert_eq!(valid.code, Some(0), "{valid:?}");
    assert!(valid.stdout.contains("valid") && valid.stdout.contains("billing sync"), "{valid:?}");
    let garbage = admin.run(&["verify", "garbage"]);
    assert_eq!(garbage.code, Some(1), "{garbage:?}");
    assert!(garbage.stdout.contains("malformed"), "{garbage:?}");
}

#[test]
fn explain_tells_which_test_refused_and_why() {
    let admin = Admin::new();
    let explain = |more: &[&str]| {
        let mut command = admin.instance.claviger(&[["explain", "-"].as_slice(), more].concat());
        command.env("CLAVIGER_URL", &admin.server.public).env("CLAVIGER_TOKEN", &admin.token);
        done_reading(&mut command, &format!("{}\n", admin.example))
    };
    let good = explain(&["--permission=invoices:read"]);
    assert_eq!(good.code, Some(0), "{good:?}");
    assert!(good.stdout.contains("effective; given directly in the organization"), "{good:?}");
    let bad = explain(&["--permission=invoices:write"]);
    assert_eq!(bad.code, Some(1), "{bad:?}");
    assert!(bad.stdout.contains("REFUSED") && bad.stdout.contains("not on the credential's list"), "{bad:?}");
}
