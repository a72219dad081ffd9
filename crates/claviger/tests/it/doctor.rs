//! What is wrong is found, with its mend, and nothing is made.

use std::{
    fs::{self, Permissions},
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    thread,
};

use serde_json::{Value, json};

use crate::{
    postgres::{MASTER_KEY, TestDatabase},
    server::{Done, Instance},
};

/// Runs the doctor, and checks the state of one finding and what it says.
fn check(instance: &Instance, name: &str, state: &str, said: &[&str]) -> Done {
    let done = instance.run(&["doctor", "--output=json"]);
    let report = done.json();
    let findings = report["findings"].as_array().unwrap();
    let failed = findings.iter().any(|finding| finding["state"] == "fail");
    assert_eq!((done.code, report["ok"].as_bool()), (Some(i32::from(failed)), Some(!failed)), "{done:?}");
    for finding in findings {
        let mended = finding["mend"].as_str().is_some_and(|mend| !mend.is_empty());
        assert_eq!(mended, finding["state"] != "ok", "{finding}");
    }
    let found = findings.iter().filter(|finding| finding["check"] == name);
    let matching = found.filter(|finding| {
        let told = format!("{} {}", finding["said"], finding["mend"]);
        finding["state"] == state && said.iter().all(|part| told.contains(part))
    });
    assert_eq!(matching.count(), 1, "{name} {state} {said:?}: {done:?}");
    done
}

#[test]
fn a_healthy_instance_has_no_finding() {
    let instance = Instance::new();
    instance.ok(&["bootstrap"]);
    let before = fs::read(instance.data("claviger.db")).unwrap();
    for name in [
        "settings",
        "internal_listen",
        "public_url",
        "data_dir",
        "database",
        "schema",
        "master key",
        "signing keys",
        "brand",
        "audit",
    ] {
        check(&instance, name, "ok", &[]);
    }
    let done = instance.run(&["doctor"]);
    assert_eq!((done.code, done.stderr.as_str()), (Some(0), ""), "{done:?}");
    assert!(done.stdout.lines().all(|line| line.starts_with("ok ")), "{done:?}");
    assert_eq!(fs::read(instance.data("claviger.db")).unwrap(), before);
    assert_eq!(fs::read_dir(instance.data("")).unwrap().count(), 2);
}

#[test]
fn a_running_service_is_asked_how_it_is() {
    let instance = Instance::new();
    let server = instance.serve(&[]);
    let listen = server.internal.trim_start_matches("http://");
    let instance = instance.with("CLAVIGER_INTERNAL_LISTEN", listen);
    check(&instance, "service", "ok", &["ready", listen]);
    drop(server);
    check(&instance, "service", "ok", &["none runs"]);
}

#[test]
fn before_the_first_start_the_next_step_is_told_and_nothing_is_made() {
    let instance = Instance::new();
    let made = || fs::read_dir(instance.path()).unwrap().count();
    let before = made();
    check(&instance, "database", "fail", &["claviger.db", "claviger serve"]);
    check(&instance, "data_dir", "fail", &["claviger serve"]);
    assert_eq!(made(), before);
    fs::create_dir(instance.data("")).unwrap();
    fs::write(instance.data("claviger.db"), "").unwrap();
    check(&instance, "database", "fail", &["there is no database"]);
    assert_eq!(fs::metadata(instance.data("claviger.db")).unwrap().len(), 0);
    fs::write(instance.data("claviger.db"), "not a database, but long enough to have a header".repeat(10)).unwrap();
    check(&instance, "database", "fail", &["not a database"]);
}

#[test]
fn every_wrong_setting_is_found_at_once() {
    let instance = Instance::new().with("CLAVIGER_BRAND", "A_").with("CLAVIGER_MAX_STALENESS", "1y");
    check(&instance, "settings", "fail", &["brand in CLAVIGER_BRAND", "2 to 16"]);
    check(&instance, "settings", "fail", &["max_staleness in CLAVIGER_MAX_STALENESS", "1s to 60s"]);
    let instance = Instance::new().with("CLAVIGER_BRND", "acme");
    check(&instance, "settings", "fail", &["brnd", "CLAVIGER_BRND"]);
}

#[test]
fn listening_for_others_wants_a_token_and_tls() {
    let instance = Instance::new().with("CLAVIGER_INTERNAL_LISTEN", "0.0.0.0:0").with("CLAVIGER_LISTEN", "0.0.0.0:0");
    check(&instance, "internal_listen", "fail", &["CLAVIGER_INTERNAL_TOKEN"]);
    check(&instance, "public_url", "warn", &["CLAVIGER_PUBLIC_URL"]);
    let instance = instance.with("CLAVIGER_INTERNAL_TOKEN", "0123456789abcdef");
    check(&instance, "internal_listen", "warn", &["plain HTTP"]);
    let instance = instance.with("CLAVIGER_PUBLIC_URL", "https://keys.acme.test");
    check(&instance, "public_url", "ok", &[]);
}

#[test]
fn a_tls_certificate_that_ended_or_a_key_that_all_can_read_is_found() {
    let instance = Instance::new();
    let at = |name: &str| instance.path().join(name);
    let (certificate, key) = (at("server.pem"), at("server.key"));
    let write = |not_after: Option<(i32, u8, u8)>| {
        let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        if let Some((year, month, day)) = not_after {
            params.not_after = rcgen::date_time_ymd(year, month, day);
        }
        let pair = rcgen::KeyPair::generate().unwrap();
        fs::write(&certificate, params.self_signed(&pair).unwrap().pem()).unwrap();
        fs::write(&key, pair.serialize_pem()).unwrap();
        fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    };
    let (shown, shown_key) = (certificate.to_str().unwrap().to_owned(), key.to_str().unwrap().to_owned());
    write(None);
    let instance =
        Instance::new().with("CLAVIGER_TLS_CERTIFICATE_FILE", &shown).with("CLAVIGER_TLS_KEY_FILE", &shown_key);
    check(&instance, "tls", "ok", &[&shown]);
    fs::set_permissions(&key, Permissions::from_mode(0o640)).unwrap();
    check(&instance, "tls", "warn", &["0640", "chmod 600"]);
    write(Some((2020, 1, 1)));
    check(&instance, "tls", "fail", &["2020-01-01", "renew it"]);
    fs::write(&key, "x").unwrap();
    check(&instance, "tls", "fail", &[&shown_key]);
}

#[test]
fn a_master_key_that_is_missing_open_or_another_is_found() {
    let instance = Instance::new();
    instance.ok(&["bootstrap"]);
    let file = instance.data("master.key");
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    check(&instance, "master key", "fail", &["0644", "chmod 600"]);
    let key = fs::read_to_string(&file).unwrap();
    fs::remove_file(&file).unwrap();
    check(&instance, "master key", "fail", &["master.key is missing", "restore"]);
    assert!(!file.exists());
    let elsewhere = instance.path().join("key");
    fs::write(&elsewhere, &key).unwrap();
    fs::set_permissions(&elsewhere, Permissions::from_mode(0o640)).unwrap();
    let instance = instance.with("CLAVIGER_MASTER_KEY_FILE", elsewhere.to_str().unwrap());
    check(&instance, "master key", "warn", &["0640", "chmod 600"]);
    check(&instance, "master key", "ok", &["opens the sealed keys"]);
    fs::write(&elsewhere, MASTER_KEY).unwrap();
    let done = check(&instance, "master key", "fail", &["is not the one", "backup"]);
    assert!(!done.stdout.contains(MASTER_KEY) && !done.stdout.contains(key.trim()), "{done:?}");
}

#[test]
fn a_signing_key_that_does_not_open_is_found() {
    let instance = Instance::new();
    instance.ok(&["bootstrap"]);
    instance.tamper("UPDATE signing_key SET sealed = X'00' WHERE algorithm = 'ES256'");
    check(&instance, "signing keys", "fail", &["skey_", "rotate signing-keys --now --algorithm ES256"]);
    instance.ok(&["rotate", "signing-keys", "--now", "--algorithm", "ES256"]);
    check(&instance, "signing keys", "ok", &["ES256", "EdDSA"]);
    instance.tamper("DELETE FROM signing_key");
    check(&instance, "signing keys", "warn", &["claviger serve"]);
}

#[test]
fn credentials_of_a_brand_that_is_no_longer_accepted_are_found() {
    let instance = Instance::new();
    instance.ok(&["bootstrap"]);
    check(&instance, "brand", "ok", &["clv_"]);
    let instance = instance.with("CLAVIGER_BRAND", "widgets");
    check(&instance, "brand", "warn", &["last started with brand clv", "CLAVIGER_BRAND"]);
    let server = instance.serve(&[]);
    assert!(server.log().contains("credentials that begin with clv_ are refused; add clv to former_brands"));
    drop(server);
    check(&instance, "brand", "warn", &["begin with clv_ are refused", "CLAVIGER_FORMER_BRANDS"]);
    let instance = instance.with("CLAVIGER_FORMER_BRANDS", "clv");
    check(&instance, "brand", "ok", &["widgets_"]);
    let server = instance.serve(&[]);
    assert!(!server.log().contains("are refused"));
}

#[test]
fn a_directory_that_others_can_read_is_found() {
    let instance = Instance::new();
    instance.ok(&["bootstrap"]);
    fs::set_permissions(instance.data(""), Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(instance.data("claviger.db"), Permissions::from_mode(0o644)).unwrap();
    check(&instance, "data_dir", "warn", &["0755", "chmod 700"]);
    check(&instance, "database", "warn", &["0644", "chmod 600"]);
}

#[test]
fn a_newer_schema_and_a_cut_trail_are_found() {
    let instance = Instance::new();
    instance.ok(&["bootstrap"]);
    instance.tamper("DELETE FROM audit_event WHERE seq = (SELECT MAX(seq) FROM audit_event)");
    check(&instance, "audit", "fail", &["1 of ", "audit verify"]);
    instance.tamper("UPDATE _sqlx_migrations SET version = 999 WHERE version = 1");
    check(&instance, "schema", "fail", &["999", "newer", "backup"]);
}

#[test]
fn postgres_is_asked_for_its_time_and_one_that_does_not_answer_is_found() {
    let database = TestDatabase::new();
    let instance =
        Instance::new().with("CLAVIGER_DATABASE_URL", database.url()).with("CLAVIGER_MASTER_KEY", MASTER_KEY);
    check(&instance, "schema", "fail", &["empty", "claviger migrate"]);
    instance.ok(&["bootstrap"]);
    check(&instance, "clock", "ok", &["ms"]);
    check(&instance, "data_dir", "ok", &["not needed"]);
    check(&instance, "master key", "ok", &["CLAVIGER_MASTER_KEY"]);
    let instance = instance.with("CLAVIGER_DATABASE_URL", "postgres://me:hunter2@127.0.0.1:1/keys");
    let done = check(&instance, "database", "fail", &["127.0.0.1:1/keys", "CLAVIGER_DATABASE_URL"]);
    assert!(!done.stdout.contains("hunter2"), "{done:?}");
}

#[test]
fn a_redis_that_is_away_is_worth_a_warning() {
    let instance = Instance::new();
    instance.ok(&["bootstrap"]);
    let instance = instance.with("CLAVIGER_REDIS_URL", "redis://:hunter2@127.0.0.1:1");
    let done = check(&instance, "redis", "warn", &["127.0.0.1:1", "redis_url"]);
    assert!(!done.stdout.contains("hunter2"), "{done:?}");
}

#[test]
fn proxies_in_which_anybody_may_be_are_worth_a_warning_at_the_start_too() {
    let instance = Instance::new().with("CLAVIGER_TRUSTED_PROXIES", "10.0.0.0/8,0.0.0.0/0");
    let server = instance.serve(&[]);
    let told = server.log();
    let warned = told.lines().filter(|line| line.contains("WARN") && line.contains("0.0.0.0/0"));
    assert_eq!(warned.count(), 1, "{told}");
    check(&instance, "trusted_proxies", "warn", &["0.0.0.0/0", "X-Forwarded-For", "CLAVIGER_TRUSTED_PROXIES"]);
    let instance = instance.with("CLAVIGER_TRUSTED_PROXIES", "10.0.0.0/8");
    check(&instance, "trusted_proxies", "ok", &[]);
    drop(server);
    assert!(!instance.serve(&[]).log().contains("WARN"));
}

#[test]
fn an_access_log_that_cannot_be_written_is_found() {
    let instance = Instance::new().with("CLAVIGER_ACCESS_LOG", "stdout");
    instance.ok(&["bootstrap"]);
    check(&instance, "access_log", "ok", &["stdout"]);
    let file = instance.path().join("access.log");
    let instance = instance.with("CLAVIGER_ACCESS_LOG", file.to_str().unwrap());
    check(&instance, "access_log", "ok", &["can be made"]);
    assert!(!file.exists(), "it looks and makes nothing");
    fs::write(&file, "before\n").unwrap();
    check(&instance, "access_log", "ok", &["can be written"]);
    assert_eq!(fs::read_to_string(&file).unwrap(), "before\n");
    let instance = instance.with("CLAVIGER_ACCESS_LOG", "nowhere/access.log");
    check(&instance, "access_log", "fail", &["nowhere", "CLAVIGER_ACCESS_LOG"]);
    let instance = instance.with("CLAVIGER_ACCESS_LOG", "claviger-data");
    check(&instance, "access_log", "fail", &["is a directory"]);
}

/// A service that answers each of these paths with a status and a body, and others with 404.
fn answering(pages: impl FnOnce(&str) -> Vec<(&'static str, u16, Value)>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let pages = pages(&url);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            let first = lines.next().unwrap_or_default();
            let _headers = lines.take_while(|line| !line.is_empty()).count();
            let asked = first.split(' ').nth(1).unwrap_or_default();
            let page = pages.iter().find(|(path, ..)| *path == asked);
            let (status, body) = page.map_or((404, String::new()), |(_, status, body)| (*status, body.to_string()));
            let head = "Content-Type: application/json\r\nConnection: close\r\nContent-Length:";
            let _ = stream.write_all(format!("HTTP/1.1 {status} X\r\n{head} {}\r\n\r\n{body}", body.len()).as_bytes());
        }
    });
    url
}

#[test]
fn a_collector_of_traces_that_takes_none_is_found() {
    let instance = Instance::new();
    instance.ok(&["bootstrap"]);
    let instance = instance.with("CLAVIGER_OTLP_ENDPOINT", answering(|_| vec![("/v1/traces", 200, json!({}))]));
    check(&instance, "otlp_endpoint", "ok", &["/v1/traces takes traces"]);
    let instance = instance.with("CLAVIGER_OTLP_ENDPOINT", answering(|_| vec![("/v1/traces", 401, json!({}))]));
    check(&instance, "otlp_endpoint", "warn", &["401", "OTEL_EXPORTER_OTLP_HEADERS"]);
    let instance = instance.with("CLAVIGER_OTLP_ENDPOINT", answering(|_| Vec::new()));
    check(&instance, "otlp_endpoint", "warn", &["404", "CLAVIGER_OTLP_ENDPOINT"]);
    let instance = instance.with("CLAVIGER_OTLP_ENDPOINT", "http://127.0.0.1:1");
    check(&instance, "otlp_endpoint", "warn", &["127.0.0.1:1", "does not answer", "CLAVIGER_OTLP_ENDPOINT"]);
}

#[test]
fn a_provider_that_is_away_or_another_is_found() {
    let told = |url: &str, issuer: &str| {
        let metadata = json!({
            "issuer": issuer, "authorization_endpoint": format!("{url}/authorize"), "jwks_uri": format!("{url}/keys"),
            "token_endpoint": format!("{url}/token"), "response_types_supported": ["code"],
            "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["RS256"],
        });
        vec![("/.well-known/openid-configuration", 200, metadata), ("/keys", 200, json!({ "keys": [] }))]
    };
    let instance = Instance::new();
    instance.ok(&["bootstrap"]);
    let instance =
        instance.with("CLAVIGER_OIDC_CLIENT_ID", "claviger").with("CLAVIGER_OIDC_CLIENT_SECRET", "hunter2hunter2");
    let instance = instance.with("CLAVIGER_OIDC_ISSUER", answering(|url| told(url, url)));
    check(&instance, "oidc_issuer", "ok", &["answers"]);
    let instance = instance.with("CLAVIGER_OIDC_ISSUER", answering(|url| told(url, "https://other.test")));
    check(&instance, "oidc_issuer", "fail", &["https://other.test", "CLAVIGER_OIDC_ISSUER"]);
    let instance = instance.with("CLAVIGER_OIDC_ISSUER", "http://127.0.0.1:1");
    let done = check(&instance, "oidc_issuer", "fail", &["127.0.0.1:1", "CLAVIGER_OIDC_ISSUER"]);
    assert!(!done.stdout.contains("hunter2"), "{done:?}");
}
