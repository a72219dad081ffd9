//! What every guide to a gateway promises, said once. Each gateway's file lists those that it keeps.

use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::atomic::Ordering,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use claviger_token::{SigningAlgorithm, SigningKey, TokenHash};
use reqwest::{Method, blocking::Response};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::{Gateway, Guide, Instead, Key, upstream::Message, values};
use crate::server::wait_for;

/// Makes a test of each promise, kept by the gateway of this guide.
macro_rules! keeps {
    ($guide:ident: $($promise:ident,)+) => {
        $(
            #[test]
            fn $promise() {
                $crate::gateways::promises::$promise(&$guide);
            }
        )+
    };
}
pub(super) use keeps;

/// Every header that an API could take for one of Claviger's.
const HEADERS: [&str; 11] = [
    "X-Claviger-Principal",
    "X-Claviger-Principal-Type",
    "X-Claviger-Organization",
    "X-Claviger-Credential",
    "X-Claviger-Environment",
    "X-Claviger-Permissions",
    "X-Claviger-Objects",
    "X-Claviger-Code",
    "X-Claviger-Detail",
    "X-Claviger-Assertion",
    "X-Claviger-Internal",
];

const INVALID: Option<&str> =
    Some(r#"Bearer realm="claviger", error="invalid_token", DPoP algs="ES256 EdDSA Ed25519 RS256""#);
const MISSING: Option<&str> = Some(r#"Bearer realm="claviger", DPoP algs="ES256 EdDSA Ed25519 RS256""#);
const NOT_TO_READ: Option<&str> = Some(r#"Bearer realm="claviger", error="insufficient_scope", scope="invoices:read""#);
const NOT_TO_WRITE: Option<&str> =
    Some(r#"Bearer realm="claviger", error="insufficient_scope", scope="invoices:write""#);

pub(super) fn only_a_key_that_counts_and_holds_the_permission_passes(guide: &'static Guide) {
    let gateway = Gateway::start(guide);
    let (key, writer) = (gateway.key("invoices:read"), gateway.key("invoices:write"));
    let file = || gateway.get("/invoices.json");

    gateway.check(file(), 401, MISSING, "missing");
    gateway.check(file().header("x-api-key", "garbage"), 401, INVALID, "unknown");
    gateway.check(file().bearer_auth("clv_key_000000000000000000000000000000001H8smx"), 401, INVALID, "unknown");
    gateway.check(file().bearer_auth(&writer.token), 403, NOT_TO_READ, "permission_missing");
    gateway.check(file().bearer_auth(&key.token).header("x-api-key", &writer.token), 400, None, "bad_request");

    for request in [file().bearer_auth(&key.token), file().header("X-API-Key", &key.token)] {
        assert_eq!(request.send().unwrap().status().as_u16(), 200);
        let message = gateway.arrived();
        assert!(message.head.starts_with("GET /invoices.json HTTP/1.1\r\n"), "{}", message.head);
    }
}

/// A key that is bound to another one passes with a proof of that very request, once, on the origin that the API answers on.
pub(super) fn a_bound_key_passes_with_a_proof_of_the_request(guide: &'static Guide) {
    let gateway = Gateway::start(guide);
    let pkcs8 = SigningKey::generate(SigningAlgorithm::Es256).unwrap();
    let holder = SigningKey::from_pkcs8(SigningAlgorithm::Es256, &pkcs8).unwrap();
    let key = gateway.key_with("invoices:read", json!({ "dpop_jkt": holder.verifying_key().thumbprint() }));
    let origin = format!("http://127.0.0.1:{}", gateway.public);
    let proof = |jti: &str, path: &str| {
        let ath = URL_SAFE_NO_PAD.encode(TokenHash::of(&key.token).as_bytes());
        let url = format!("{origin}{path}");
        let claims = json!({ "jti": jti, "htm": "GET", "htu": url, "iat": now(), "ath": ath });
        holder.sign_with_jwk("dpop+jwt", &claims).unwrap()
    };
    let shown = |proofs: &[&str]| {
        let request = gateway.get("/invoices.json?page=1").header("authorization", format!("DPoP {}", key.token));
        let request = proofs.iter().fold(request, |request, proof| request.header("dpop", *proof));
        let answer = request.send().unwrap();
        (answer.status().as_u16(), values(&answer, "www-authenticate").concat())
    };
    let refused = |proofs: &[&str], error: &str| {
        let (status, challenge) = shown(proofs);
        let told = challenge.starts_with("DPoP ") && challenge.contains(&format!("error=\"{error}\""));
        assert!(status == 401 && told, "{status} {challenge}");
    };
    // Whatever a client calls the gateway, it is the API's own origin that counts.
    let right = proof("1", "/invoices.json");
    refused(&[&right], "invalid_dpop_proof");
    gateway.manage_by(Method::PATCH, &format!("/v1/apis/{}", gateway.api), &json!({ "origins": [origin] }));
    assert_eq!(shown(&[&right]).0, 200);
    assert!(gateway.arrived().head.starts_with("GET /invoices.json?page=1 HTTP/1.1\r\n"));
    refused(&[&right], "invalid_dpop_proof");
    refused(&[&proof("2", "/other.json")], "invalid_dpop_proof");
    refused(&[&proof("3", "/invoices.json"), &proof("4", "/invoices.json")], "invalid_dpop_proof");
    refused(&[], "invalid_dpop_proof");
    let bearer = gateway.get("/invoices.json").bearer_auth(&key.token).header("dpop", proof("5", "/invoices.json"));
    assert_eq!(bearer.send().unwrap().status().as_u16(), 401);
    assert!(!gateway.forget_arrived(), "a request that was refused reached the API");
}

#[expect(clippy::disallowed_methods, reason = "a proof is made for this moment")]
fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

pub(super) fn a_revoked_key_is_refused_at_the_next_request(guide: &'static Guide) {
    let gateway = Gateway::start(guide);
    let key = gateway.key("invoices:read");
    assert_eq!(gateway.status(&key), 200);
    gateway.manage(&format!("/v1/api-keys/{}/revoke", key.id), &json!({}));
    gateway.check(gateway.get("/invoices.json").bearer_auth(&key.token), 401, INVALID, "revoked");
}

pub(super) fn both_secrets_pass_during_an_overlap_and_only_the_new_one_without(guide: &'static Guide) {
    let gateway = Gateway::start(guide);
    let first = gateway.key("invoices:read");
    let second = gateway.roll(&first, 3600);
    assert_eq!([&first, &second].map(|key| gateway.status(key)), [200, 200]);
    let third = gateway.roll(&second, 0);
    assert_eq!([&first, &second, &third].map(|key| gateway.status(key)), [401, 401, 200]);
}

pub(super) fn headers_that_a_client_forges_never_reach_the_api(guide: &'static Guide) {
    let variants: [fn(&str) -> String; 6] = [
        str::to_owned,
        str::to_lowercase,
        str::to_uppercase,
        |name| name.replace('-', "_"),
        |name| name.replace("X-", "X_"),
        |name| name.replace("Claviger-", "Claviger_"),
    ];
    let forged: String =
        variants.iter().flat_map(|variant| HEADERS.map(variant)).map(|name| format!("{name}: forged\r\n")).collect();

    let gateway = Gateway::start(guide);
    assert_eq!(by_hand(&gateway, "/", &forged), 401);
    let key = gateway.key("invoices:read");
    assert_eq!(by_hand(&gateway, "/", &format!("{forged}x-api-key: {}\r\n", key.token)), 200);
    check_identity(&gateway, &gateway.arrived(), &key, None);

    let gateway = Gateway::with(guide, Instead { configuration: Some(guide.by_object), ..Instead::default() });
    let key = gateway.key_with("invoices:read", json!({ "objects": ["base:app7", "repo:acme/*"] }));
    assert_eq!(by_hand(&gateway, "/bases/app7", &format!("{forged}x-api-key: {}\r\n", key.token)), 200);
    check_identity(&gateway, &gateway.arrived(), &key, Some("base:app7 repo:acme/*"));
}

/// A gateway may drop what `Connection` names before it passes a request on (RFC 9110, section 7.6.1). A client that
/// could name Claviger's headers would be somebody else, or without limits.
pub(super) fn headers_that_a_client_calls_hop_by_hop_reach_the_api(guide: &'static Guide) {
    let gateway = Gateway::with(guide, Instead { configuration: Some(guide.by_object), ..Instead::default() });
    let key = gateway.key_with("invoices:read", json!({ "objects": ["base:app7"] }));
    for name in [str::to_owned, str::to_lowercase] as [fn(&str) -> String; 2] {
        let named = HEADERS.map(name).join(", ");
        let headers = format!("Connection: {named}\r\nx-api-key: {}\r\n", key.token);
        assert_eq!(by_hand(&gateway, "/bases/app7", &headers), 200);
        let message = gateway.arrived();
        check_identity(&gateway, &message, &key, Some("base:app7"));
        let options = message.header("connection").unwrap_or_default().to_lowercase();
        assert!(!options.contains("claviger"), "the next hop would drop them: {options}");
    }
}

/// What the request is, the gateway says. A client that could say it would choose what is looked at, and what is told of it.
pub(super) fn no_client_says_what_it_asks_for(guide: &'static Guide) {
    const ADDRESS: [&str; 4] = ["X-Original-URI", "X-Original-Url", "X-Forwarded-Uri", "X_Original_URI"];
    const METHOD: [&str; 4] = ["X-Original-Method", "X-Forwarded-Method", "x-original-method", "X_Forwarded_Method"];
    let gateway = Gateway::start(guide);
    let key = gateway.key("invoices:read");
    let accepted = json!({ "query_parameter": "access_key" });
    gateway.manage_by(Method::PATCH, &format!("/v1/apis/{}", gateway.api), &accepted);
    assert_eq!(by_hand(&gateway, &format!("/invoices.json?access_key={}", key.token), ""), 200);
    gateway.arrived();
    for name in ADDRESS {
        let forged = format!("{name}: /invoices.json?access_key={}\r\n", key.token);
        assert_eq!(by_hand(&gateway, "/invoices.json", &forged), 401, "{name}");
        let named = format!("Connection: {name}\r\n{forged}");
        assert_eq!(by_hand(&gateway, "/invoices.json", &named), 401, "{name} as an option of the connection");
    }
    assert!(!gateway.forget_arrived());
    let forged: String = ADDRESS.iter().map(|name| format!("{name}: /forged\r\n")).collect();
    let forged: String = METHOD.iter().map(|name| format!("{name}: DELETE\r\n")).chain([forged]).collect();
    assert_eq!(by_hand(&gateway, "/invoices.json", &format!("{forged}x-api-key: {}\r\n", key.token)), 200);
    let told = wait_for("the access log", || {
        let log = std::fs::read_to_string(gateway.instance.path().join("access.log")).unwrap();
        let uses = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let of_key = uses.filter(|line| line["surface"] == "forward_auth" && line["code"] == "valid");
        of_key.collect::<Vec<_>>().get(1).cloned()
    });
    assert_eq!((told["method"].as_str(), told["path"].as_str()), (Some("GET"), Some("/invoices.json")), "{told}");
}

/// Sends a GET whose path and headers a client library would spell its own way, and reads the status of the answer.
fn by_hand(gateway: &Gateway, path: &str, headers: &str) -> u16 {
    let mut stream = TcpStream::connect(("127.0.0.1", gateway.public)).unwrap();
    let host = format!("127.0.0.1:{}", gateway.public);
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
    status.unwrap_or_else(|| panic!("{path}: {answer:?}"))
}

/// Checks that the API was told of this key, of nothing else, and not its secret.
fn check_identity(gateway: &Gateway, message: &Message, key: &Key, objects: Option<&str>) {
    let head = &message.head;
    assert!(!head.contains("forged") && !head.contains(&key.token), "{head}");
    let told = message.headers().filter(|(name, _)| name.contains("claviger") && name != "connection");
    let told: BTreeMap<String, &str> = told.collect();
    let mut expected = BTreeMap::from([
        ("x-claviger-credential", key.id.as_str()),
        ("x-claviger-environment", "live"),
        ("x-claviger-organization", &gateway.organization),
        ("x-claviger-permissions", "invoices:read"),
        ("x-claviger-principal", &gateway.service_account),
        ("x-claviger-principal-type", "service_account"),
    ]);
    expected.extend(objects.map(|objects| ("x-claviger-objects", objects)));
    assert_eq!(told, expected.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(), "{head}");
    assert_eq!(message.header("x-forwarded-for"), Some("127.0.0.1"));
}

pub(super) fn a_body_reaches_the_api_and_not_before_the_verdict(guide: &'static Guide) {
    let gateway = Gateway::start(guide);
    let key = gateway.key("invoices:read");
    let body: Vec<u8> = (0..200_000_u32).map(|place| place.to_le_bytes()[0]).collect();
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        let request = || gateway.request(method.clone(), "/invoices?page=2").body(body.clone());
        assert_eq!(request().send().unwrap().status().as_u16(), 401);
        assert!(!gateway.forget_arrived());
        assert_eq!(request().bearer_auth(&key.token).send().unwrap().status().as_u16(), 200);
        let message = gateway.arrived();
        assert!(message.head.starts_with(&format!("{method} /invoices?page=2 HTTP/1.1\r\n")), "{}", message.head);
        assert!(message.body == body, "{} bytes arrived", message.body.len());
    }
}

pub(super) fn the_address_is_the_one_that_the_gateway_saw_and_not_a_forged_one(guide: &'static Guide) {
    let gateway = Gateway::start(guide);
    let key = gateway.key_with("invoices:read", json!({ "allowed_networks": ["127.0.0.0/8"] }));
    let elsewhere = gateway.key_with("invoices:read", json!({ "allowed_networks": ["203.0.113.0/24"] }));
    let forged = |key: &Key| {
        let request = gateway.get("/invoices.json").bearer_auth(&key.token);
        request.header("X-Forwarded-For", "203.0.113.66").header("Forwarded", "for=203.0.113.66")
    };
    gateway.check(forged(&elsewhere), 403, NOT_TO_READ, "network_not_allowed");
    assert_eq!(forged(&key).send().unwrap().status().as_u16(), 200);
    let from = wait_for("the last use", || gateway.generation(&key)["last_used_from"].as_str().map(str::to_owned));
    assert_eq!(from, "127.0.0.1");
}

pub(super) fn connections_to_claviger_are_kept_whatever_the_verdict(guide: &'static Guide) {
    let gateway = Gateway::with(guide, Instead { counted: true, ..Instead::default() });
    let (key, writer) = (gateway.key("invoices:read"), gateway.key("invoices:write"));
    let unknown = Key { id: String::new(), token: "garbage".to_owned() };
    for _ in 0..100 {
        assert_eq!([&key, &writer, &unknown].map(|key| gateway.status(key)), [200, 403, 401]);
    }
    // One would do; a new connection of the client may bring another worker or thread in.
    let opened = gateway.opened.load(Ordering::Relaxed);
    assert!((1..=8).contains(&opened), "{opened} connections for 300 requests");
}

pub(super) fn nothing_passes_while_claviger_is_away(guide: &'static Guide) {
    let mut gateway = Gateway::start(guide);
    let key = gateway.key("invoices:read");
    assert_eq!(gateway.status(&key), 200);
    gateway.claviger.signal(Signal::KILL);
    gateway.claviger.ended();
    check_away(&gateway, &key, guide.away.0);
}

pub(super) fn nothing_passes_while_claviger_does_not_answer(guide: &'static Guide) {
    let gateway = Gateway::start(guide);
    let key = gateway.key("invoices:read");
    assert_eq!(gateway.status(&key), 200);
    gateway.claviger.pause();
    check_away(&gateway, &key, guide.away.1);
    gateway.claviger.signal(Signal::CONT);
    wait_for("requests pass again", || (gateway.status(&key) == 200).then_some(()));
}

/// Checks that the gateway says itself that it could not ask, and honestly so.
fn check_away(gateway: &Gateway, key: &Key, status: u16) {
    gateway.forget_arrived();
    let answer = gateway.get("/invoices.json").bearer_auth(&key.token).send().unwrap();
    assert_eq!(answer.status().as_u16(), status, "{}", gateway.log());
    if status == 503 {
        assert_eq!(values(&answer, "retry-after"), ["1"]);
        assert_eq!(values(&answer, "content-type"), ["application/problem+json"]);
    }
    let body = if status == 503 { json!({ "status": 503, "code": "unavailable" }) } else { Value::Null };
    assert_eq!(serde_json::from_str::<Value>(&answer.text().unwrap()).unwrap_or_default(), body);
    assert!(!gateway.forget_arrived(), "the request reached the API");
}

pub(super) fn nothing_passes_while_claviger_cannot_read_its_database(guide: &'static Guide) {
    let gateway = Gateway::start(guide);
    let key = gateway.key("invoices:read");
    gateway.instance.tamper("ALTER TABLE credential RENAME TO gone");
    gateway.check(gateway.get("/invoices.json").bearer_auth(&key.token), 503, None, "unavailable");
}

pub(super) fn the_permission_can_depend_on_the_method(guide: &'static Guide) {
    let gateway = Gateway::with(guide, Instead { configuration: Some(guide.by_method), ..Instead::default() });
    let (reader, writer) = (gateway.key("invoices:read"), gateway.key("invoices:write"));
    let send = |method: &Method, key: &Key| {
        let request = gateway.request(method.clone(), "/invoices").bearer_auth(&key.token);
        request.send().unwrap().status().as_u16()
    };
    for method in [Method::GET, Method::HEAD] {
        assert_eq!([&reader, &writer].map(|key| send(&method, key)), [200, 403], "{method}");
    }
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS] {
        assert_eq!([&reader, &writer].map(|key| send(&method, key)), [403, 200], "{method}");
    }
    let post = gateway.request(Method::POST, "/invoices").bearer_auth(&reader.token);
    gateway.check(post, 403, NOT_TO_WRITE, "permission_missing");
}

pub(super) fn the_object_can_depend_on_the_path(guide: &'static Guide) {
    let gateway = Gateway::with(guide, Instead { configuration: Some(guide.by_object), ..Instead::default() });
    let key = gateway.key_with("invoices:read", json!({ "objects": ["base:app7"] }));
    let ask = |path: &str| {
        gateway.forget_arrived();
        let status = by_hand(&gateway, path, &format!("X-API-Key: {}\r\n", key.token));
        assert_eq!(status == 200, gateway.forget_arrived(), "{path}: {status}");
        status
    };
    for path in ["/bases/app7", "/bases/app7/", "/bases/app7/tables/3", "/bases/app7/tables?of=app8"] {
        assert_eq!(ask(path), 200, "{path}");
    }
    assert_eq!(ask("/bases/app8/tables"), 403);
    for path in [
        "/bases/app7/../app8",
        "/bases/app7/%2e%2e/app8",
        "/bases/app7%2f..%2fapp8",
        "/bases/app7//app8",
        "/bases/app7&object=base:app7/x",
        "/bases/app7;/tables",
        "/bases/",
        "/x?/bases/app7",
    ] {
        assert!(matches!(ask(path), 400..=404), "{path}");
    }
}

pub(super) fn the_rules_of_the_api_decide(guide: &'static Guide) {
    let gateway = Gateway::with(guide, Instead { configuration: Some(by_rules), ..Instead::default() });
    let rules = json!([
        { "methods": ["GET"], "path": "/bases", "permissions": ["invoices:read"], "filters_objects": true },
        { "methods": ["GET"], "path": "/bases/{id}", "permissions": ["invoices:read"], "object": "base:{id}" },
        { "methods": ["DELETE", "POST"], "path": "/bases/{id}", "permissions": ["invoices:write"], "object": "base:{id}" },
    ]);
    gateway.manage_by(Method::PATCH, &format!("/v1/apis/{}", gateway.api), &json!({ "route_rules": rules }));
    let reader = gateway.key_with("invoices:read", json!({ "objects": ["base:app7"] }));
    let writer = gateway.key("invoices:write");
    let send = |method: Method, path: &str, key: &Key| gateway.request(method, path).bearer_auth(&key.token);
    let status = |method, path: &str, key| send(method, path, key).send().unwrap().status().as_u16();

    assert_eq!(status(Method::GET, "/bases?page=2", &reader), 200);
    assert_eq!(gateway.arrived().header("x-claviger-objects"), Some("base:app7"));
    for (method, path, statuses) in [
        (Method::GET, "/bases/app7", [200, 403]),
        (Method::HEAD, "/bases/app7", [200, 403]),
        (Method::GET, "/bases/app8", [403, 403]),
        (Method::DELETE, "/bases/app8", [403, 200]),
        (Method::POST, "/bases/app8", [403, 200]),
        (Method::PUT, "/bases/app8", [403, 403]),
        (Method::POST, "/bases", [403, 403]),
    ] {
        assert_eq!([&reader, &writer].map(|key| status(method.clone(), path, key)), statuses, "{method} {path}");
    }
    let challenge = Some(r#"Bearer realm="claviger", error="insufficient_scope""#);
    gateway.check(send(Method::POST, "/bases", &writer), 403, challenge, "no_route_rule");
    gateway.check(gateway.request(Method::POST, "/bases"), 401, MISSING, "missing");

    for path in [
        "/",
        "/Bases",
        "/bases/",
        "/bases/app7/",
        "/bases/app7/../app8",
        "/bases/%2e%2e/bases",
        "/bases//app7",
        "/bases/app7;x",
        "/bases/app7%2fx",
        "/bases/%61pp7",
        "/bases/*",
    ] {
        gateway.forget_arrived();
        let refused = by_hand(&gateway, path, &format!("X-API-Key: {}\r\n", reader.token));
        assert!((400..=404).contains(&refused), "{path}: {refused}");
        assert!(!gateway.forget_arrived(), "{path} reached the API");
    }
    // What a client says of its request counts for nothing.
    for name in ["X-Original-URI", "X-Forwarded-Uri", "X-Original-Url", "X_Forwarded_Uri"] {
        let forged = format!("{name}: /bases/app7\r\nX-API-Key: {}\r\n", reader.token);
        assert_ne!(by_hand(&gateway, "/bases/app8", &forged), 200, "{name}");
    }
    for name in ["X-Original-Method", "X-Forwarded-Method", "X-HTTP-Method-Override"] {
        let forged = send(Method::DELETE, "/bases/app7", &reader).header(name, "GET");
        assert_ne!(forged.send().unwrap().status().as_u16(), 200, "{name}");
    }
    assert!(!gateway.forget_arrived());
}

/// As the guide to route rules says.
pub(super) fn by_rules(configuration: String) -> String {
    configuration.replace("permission=invoices:read", "api=https://api.acme.test")
}

pub(super) fn a_key_with_hundreds_of_permissions_passes(guide: &'static Guide) {
    let gateway = Gateway::start(guide);
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
    let key = Key::new(&gateway.manage("/v1/api-keys", &key));

    // The more a client sends itself, the less room there is for what Claviger says: all of it arrives, or nothing.
    for padding in [0, 2000, 4000, 6000, 7000, 8000, 10_000, 14_000, 15_500, 20_000] {
        let headers = format!("X-Padding: {}\r\nX-API-Key: {}\r\n", "a".repeat(padding), key.token);
        let status = by_hand(&gateway, "/", &headers);
        assert!(status == 200 || (padding > 0 && (400..=503).contains(&status)), "{padding}: {status}");
        if status == 200 {
            let message = gateway.arrived();
            let told = message.header("x-claviger-permissions").unwrap();
            assert_eq!(told.split(' ').count(), 401, "{padding}: {told}");
        }
        assert!(!gateway.forget_arrived(), "{padding}");
    }
}

pub(super) fn a_key_whose_limit_is_used_up_is_told_when_to_come_again(guide: &'static Guide) {
    let gateway = Gateway::start(guide);
    let limits = json!([{ "name": "default", "limit": 1, "window_seconds": 3600 }]);
    let key = gateway.key_with("invoices:read", json!({ "rate_limits": limits }));
    assert_eq!(gateway.status(&key), 200);
    gateway.forget_arrived();
    let refused = gateway.get("/invoices.json").bearer_auth(&key.token).send().unwrap();
    let wait: u32 = values(&refused, "retry-after").join(", ").parse().unwrap();
    assert!((1..=3600).contains(&wait), "{wait}");
    check_limit(&refused, 1, 0);
    gateway.check_told(refused, 429, "rate_limited");
    assert!(!gateway.forget_arrived(), "the request reached the API");

    let key = gateway.key_with("invoices:read", json!({ "quota": { "limit": 1, "period": "month" } }));
    assert_eq!(gateway.status(&key), 200);
    gateway.check(gateway.get("/invoices.json").bearer_auth(&key.token), 429, None, "quota_exceeded");
}

pub(super) fn what_is_left_of_a_limit_is_told_with_the_answers_of_the_api(guide: &'static Guide) {
    let gateway = Gateway::start(guide);
    let limits = json!([{ "name": "default", "limit": 2, "window_seconds": 3600 }]);
    let limited = gateway.key_with("invoices:read", json!({ "rate_limits": limits }));
    let unlimited = gateway.key("invoices:read");
    let ask = |key: &Key| gateway.get("/invoices.json").bearer_auth(&key.token).send().unwrap();
    for left in [1, 0] {
        check_limit(&ask(&limited), 2, left);
        let answer = ask(&unlimited);
        assert_eq!(answer.status().as_u16(), 200);
        assert!(values(&answer, "ratelimit").is_empty() && values(&answer, "ratelimit-policy").is_empty());
    }
}

fn check_limit(answer: &Response, limit: u32, left: u32) {
    assert_eq!(values(answer, "ratelimit-policy"), [format!(r#""default";q={limit};w=3600"#)]);
    let told = values(answer, "ratelimit").join(", ");
    assert!(told.starts_with(&format!(r#""default";r={left};t="#)), "{told}");
}

pub(super) fn a_credential_stands_elsewhere_only_where_the_api_takes_it(guide: &'static Guide) {
    let gateway = Gateway::start(guide);
    let key = gateway.key("invoices:read");
    let as_password = || gateway.get("/invoices.json").basic_auth("git", Some(&key.token));
    let in_the_query = || gateway.get(&format!("/invoices.json?page=2&access_key={}", key.token));
    for request in [as_password(), in_the_query()] {
        gateway.check(request, 401, MISSING, "missing");
    }

    let accepted = json!({ "accept_basic": true, "query_parameter": "access_key" });
    gateway.manage_by(Method::PATCH, &format!("/v1/apis/{}", gateway.api), &accepted);
    let challenge = Some(
        r#"Bearer realm="claviger", Basic realm="claviger", charset="UTF-8", DPoP algs="ES256 EdDSA Ed25519 RS256""#,
    );
    gateway.check(gateway.get("/invoices.json?page=2"), 401, challenge, "missing");
    assert_eq!(as_password().send().unwrap().status().as_u16(), 200);
    assert_eq!(gateway.arrived().header("authorization"), None);
    assert_eq!(in_the_query().send().unwrap().status().as_u16(), 200);
    gateway.check(in_the_query().header("x-api-key", "another"), 400, None, "bad_request");
}
