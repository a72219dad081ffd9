//! The guide to Envoy, and what Envoy alone has.

use serde_json::{Value, json};

use super::{Gateway, Guide, Instead, Refusal, Run, promises::keeps, statuses, values};
use crate::guides::blocks;

static ENVOY: Guide = Guide {
    text: include_str!("../../../../../docs/gateways/envoy.md"),
    files: &[("yaml", &["envoy.yaml"])],
    upstream: "cluster_name: api\n        endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: 8081",
    run: Run::AsTheGuideSays,
    refusal: Refusal::Header,
    away: (503, 503),
    // One question for all methods: that is what route rules are for.
    by_method: |configuration| configuration,
    by_object: |configuration| {
        assert!(ENVOY.text.contains("`&object=base:app7`"));
        configuration.replace("permission=invoices:read", "permission=invoices:read&object=base:app7")
    },
};

keeps! {
    ENVOY:
    only_a_key_that_counts_and_holds_the_permission_passes,
    a_bound_key_passes_with_a_proof_of_the_request,
    a_revoked_key_is_refused_at_the_next_request,
    both_secrets_pass_during_an_overlap_and_only_the_new_one_without,
    headers_that_a_client_forges_never_reach_the_api,
    no_client_says_what_it_asks_for,
    a_body_reaches_the_api_and_not_before_the_verdict,
    the_address_is_the_one_that_the_gateway_saw_and_not_a_forged_one,
    connections_to_claviger_are_kept_whatever_the_verdict,
    nothing_passes_while_claviger_is_away,
    nothing_passes_while_claviger_does_not_answer,
    the_rules_of_the_api_decide,
    a_key_with_hundreds_of_permissions_passes,
    a_key_whose_limit_is_used_up_is_told_when_to_come_again,
    what_is_left_of_a_limit_is_told_with_the_answers_of_the_api,
    a_credential_stands_elsewhere_only_where_the_api_takes_it,
}

/// Envoy takes no more than a few names there, and refuses the rest.
#[test]
fn headers_that_a_client_calls_hop_by_hop_reach_the_api_or_nothing_does() {
    let gateway = Gateway::start(&ENVOY);
    let key = gateway.key("invoices:read");
    let ask = |named: &str| {
        let request = gateway.get("/invoices.json").bearer_auth(&key.token).header("Connection", named);
        request.send().unwrap().status().as_u16()
    };
    for named in ["X-Claviger-Principal", "x-claviger-objects, X-CLAVIGER-CREDENTIAL"] {
        assert_eq!(ask(named), 200, "{named}");
        let message = gateway.arrived();
        assert_eq!(message.header("x-claviger-principal"), Some(&*gateway.service_account));
        assert_eq!(message.header("x-claviger-credential"), Some(&*key.id));
        assert!(
            !message.header("connection").unwrap_or_default().to_lowercase().contains("claviger"),
            "{}",
            message.head
        );
    }
    assert_eq!(ask(&vec!["X-Claviger-Principal"; 20].join(", ")), 400);
    assert!(!gateway.forget_arrived());
}

/// Envoy takes an answer of 5xx for none.
#[test]
fn nothing_passes_while_claviger_cannot_read_its_database() {
    let gateway = Gateway::start(&ENVOY);
    let key = gateway.key("invoices:read");
    gateway.instance.tamper("ALTER TABLE credential RENAME TO gone");
    let answer = gateway.get("/invoices.json").bearer_auth(&key.token).send().unwrap();
    assert_eq!((answer.status().as_u16(), values(&answer, "retry-after")), (503, vec!["1".to_owned()]));
    let told: Value = serde_json::from_str(&answer.text().unwrap()).unwrap();
    assert_eq!(told, json!({ "status": 503, "code": "unavailable" }));
    assert!(!gateway.forget_arrived(), "the request reached the API");
}

#[test]
fn the_commands_of_the_guide_work_as_written() {
    let gateway = Gateway::with(&ENVOY, Instead { api_of_the_guide: true, ..Instead::default() });
    let commands = blocks(ENVOY.text, "sh");
    let key = gateway.key("invoices:read");
    let told = String::from_utf8(gateway.shell(commands[1], &[("KEY", &key.token)]).stdout).unwrap();
    assert_eq!(statuses(&told), ["200", "200", "401"], "{told}");
    assert_eq!(told.matches("\r\n\r\n[{\"number\":1}]").count(), 2, "{told}");
    assert_eq!(told.matches(&format!("x-caller: {}\r\n", gateway.service_account)).count(), 2, "{told}");
    assert_eq!(commands.len(), 2);
}

#[test]
fn a_route_for_everybody_is_one_where_the_filter_is_off() {
    fn opened(configuration: String) -> String {
        let off = blocks(ENVOY.text, "conf")[1].replace("config:\n  claviger", "config: { claviger") + " }";
        let everybody = format!(
            "routes: [{{ match: {{ path: /health }}, route: {{ cluster: api }}, {off} }}, {{ match: {{ prefix: / }}, route: {{ cluster: api }} }}]"
        );
        configuration.replace("routes: [{ match: { prefix: / }, route: { cluster: api } }]", &everybody)
    }
    let gateway = Gateway::with(&ENVOY, Instead { configuration: Some(opened), ..Instead::default() });
    assert_eq!(gateway.get("/health").header("X-Claviger-Principal", "forged").send().unwrap().status().as_u16(), 200);
    assert_eq!(gateway.arrived().header("x-claviger-principal"), None);
    assert_eq!(gateway.get("/healthy").send().unwrap().status().as_u16(), 401);
}

#[test]
fn envoy_verifies_access_tokens_by_itself() {
    fn by_itself(configuration: String) -> String {
        let filter = blocks(ENVOY.text, "conf")[5];
        let (before, rest) = configuration.split_once("                  - name: claviger\n").unwrap();
        let (_, after) = rest.split_once("                  - name: envoy.filters.http.router\n").unwrap();
        let filter: String = filter.lines().map(|line| format!("                  {line}\n")).collect();
        let cluster = "    - name: claviger-public
      connect_timeout: 1s
      load_assignment:
        cluster_name: claviger-public
        endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: 7420 } } } }] }]
";
        format!("{before}{filter}                  - name: envoy.filters.http.router\n{after}\n{cluster}")
    }
    let gateway = Gateway::with(&ENVOY, Instead { configuration: Some(by_itself), ..Instead::default() });
    let token = gateway.access_token("invoices:read");
    let ask = |token: &str| gateway.get("/invoices.json").bearer_auth(token).send().unwrap().status().as_u16();
    let asked = gateway.get("/invoices.json").bearer_auth(&token).header("X-Claviger-Organization", "forged");
    let answer = asked.send().unwrap();
    assert_eq!(answer.status().as_u16(), 200, "{}", answer.text().unwrap());
    let message = gateway.arrived();
    assert_eq!(message.header("x-claviger-principal"), Some(&*gateway.service_account));
    assert_eq!(message.header("x-claviger-organization"), Some(&*gateway.organization));
    let key = gateway.key("invoices:read");
    let tampered = format!("{}AAAAAAAA", &token[..token.len() - 8]);
    assert_eq!([&*key.token, &tampered, "nonsense"].map(ask), [401; 3]);
    assert_eq!(gateway.get("/invoices.json").send().unwrap().status().as_u16(), 401);
    assert!(!gateway.forget_arrived());
}

/// The configuration with the parts that the guide proposes for gRPC.
fn over_grpc(configuration: String) -> String {
    let proposed = |index: usize, indent: &str| -> String {
        blocks(ENVOY.text, "conf")[index].lines().map(|line| format!("{indent}{line}\n")).collect()
    };
    let (before, rest) =
        configuration.split_once("                      # Authorization is told in any case.\n").unwrap();
    let (_, rest) = rest.split_once("                  - name: envoy.filters.http.router\n").unwrap();
    let filter = proposed(2, "                      ") + "                  - name: envoy.filters.http.router\n";
    let (middle, _) = rest.split_once("      # Claviger is asked by a name that it knows").unwrap();
    let fixed = "                      routes: [{ match: { prefix: / }, route: { cluster: api } }]\n";
    assert!(middle.contains(fixed));
    let middle = middle.replace(fixed, &proposed(4, "                      "));
    format!("{before}{filter}{middle}{}", proposed(3, "      "))
}

fn asking_over_grpc() -> Gateway {
    Gateway::with(&ENVOY, Instead { configuration: Some(over_grpc), ..Instead::default() })
}

#[test]
fn over_grpc_a_client_sees_the_same() {
    let gateway = asking_over_grpc();
    let (key, writer) = (gateway.key("invoices:read"), gateway.key("invoices:write"));
    let ask = || gateway.get("/invoices.json");
    let lacking = r#"Bearer realm="claviger", error="insufficient_scope", scope="invoices:read""#;
    let missing = r#"Bearer realm="claviger", DPoP algs="ES256 EdDSA Ed25519 RS256""#;
    gateway.check(ask(), 401, Some(missing), "missing");
    gateway.check(ask().bearer_auth(&writer.token), 403, Some(lacking), "permission_missing");
    gateway.check(ask().bearer_auth(&key.token).header("x-api-key", &writer.token), 400, None, "bad_request");
    assert_eq!(ask().bearer_auth(&key.token).send().unwrap().status().as_u16(), 200);
    let message = gateway.arrived();
    assert!(message.head.starts_with("GET /invoices.json HTTP/1.1\r\n"), "{}", message.head);

    let limits = json!([{ "name": "default", "limit": 1, "window_seconds": 3600 }]);
    let limited = gateway.key_with("invoices:read", json!({ "rate_limits": limits }));
    let answer = ask().bearer_auth(&limited.token).send().unwrap();
    assert_eq!(
        (answer.status().as_u16(), values(&answer, "ratelimit-policy")),
        (200, vec![r#""default";q=1;w=3600"#.to_owned()])
    );
    gateway.forget_arrived();
    let refused = ask().bearer_auth(&limited.token).send().unwrap();
    assert!(values(&refused, "retry-after")[0].parse::<u32>().unwrap() > 0);
    gateway.check_told(refused, 429, "rate_limited");

    gateway.manage(&format!("/v1/api-keys/{}/revoke", key.id), &json!({}));
    assert_eq!(gateway.status(&key), 401);
    gateway.instance.tamper("ALTER TABLE credential RENAME TO gone");
    let answer = ask().bearer_auth("clv_key_000000000000000000000000000000001H8smx").send().unwrap();
    assert_eq!((answer.status().as_u16(), values(&answer, "x-claviger-code")), (503, vec!["unavailable".to_owned()]));
    assert!(!gateway.forget_arrived(), "a request that was refused reached the API");
}

#[test]
fn over_grpc_no_client_writes_what_claviger_says_or_what_envoy_says() {
    let gateway = asking_over_grpc();
    let elsewhere = gateway.key_with("invoices:read", json!({ "allowed_networks": ["203.0.113.0/24"] }));
    let key = gateway.key_with("invoices:read", json!({ "allowed_networks": ["127.0.0.0/8"] }));
    let forged = |token: &str| {
        let request = gateway.get("/invoices.json").bearer_auth(token).header("X-Forwarded-For", "203.0.113.66");
        let names = [
            "X-Claviger-Principal",
            "X-Claviger-Objects",
            "x_claviger_objects",
            "X-CLAVIGER-Code",
            "X-Claviger-Assertion",
        ];
        names.iter().fold(request, |request, name| request.header(*name, "forged")).send().unwrap()
    };
    assert_eq!(forged(&elsewhere.token).status().as_u16(), 403);
    assert_eq!(forged(&key.token).status().as_u16(), 200);
    let message = gateway.arrived();
    assert!(!message.head.contains("forged"), "{}", message.head);
    assert_eq!(message.header("x-claviger-credential"), Some(&*key.id));
    assert_eq!(message.header("x-claviger-code"), None);
}

#[test]
fn over_grpc_the_rules_of_the_api_decide_and_an_assertion_comes_along() {
    fn by_rules(configuration: String) -> String {
        over_grpc(configuration)
            .replace("permission: \"invoices:read\"", "api: \"https://api.acme.test\", assertion: \"1\"")
    }
    let gateway = Gateway::with(&ENVOY, Instead { configuration: Some(by_rules), ..Instead::default() });
    let rules =
        json!([{ "methods": ["GET"], "path": "/bases/{id}", "permissions": ["invoices:read"], "object": "base:{id}" }]);
    gateway.manage_by(reqwest::Method::PATCH, &format!("/v1/apis/{}", gateway.api), &json!({ "route_rules": rules }));
    let key = gateway.key_with("invoices:read", json!({ "objects": ["base:app7"] }));
    let ask = |path: &str| {
        gateway
            .get(path)
            .bearer_auth(&key.token)
            .header("X-Forwarded-Uri", "/bases/app7")
            .send()
            .unwrap()
            .status()
            .as_u16()
    };
    assert_eq!(["/bases/app7?page=2", "/bases/app8", "/bases", "/bases/%61pp7"].map(ask), [200, 403, 403, 400]);
    let assertion = gateway.arrived().header("x-claviger-assertion").unwrap().to_owned();
    assert_eq!(assertion.split('.').count(), 3);
    assert!(!gateway.forget_arrived());
}

#[test]
fn over_grpc_nothing_passes_while_claviger_is_away_or_is_asked_for_what_there_is_not() {
    fn misconfigured(configuration: String) -> String {
        over_grpc(configuration).replace("permission: \"invoices:read\"", "colour: red")
    }
    let gateway = Gateway::with(&ENVOY, Instead { configuration: Some(misconfigured), ..Instead::default() });
    let key = gateway.key("invoices:read");
    gateway.check(gateway.get("/invoices.json").bearer_auth(&key.token), 400, None, "invalid_query");

    let mut gateway = asking_over_grpc();
    let key = gateway.key("invoices:read");
    assert_eq!(gateway.status(&key), 200);
    gateway.forget_arrived();
    gateway.claviger.signal(rustix::process::Signal::KILL);
    gateway.claviger.ended();
    assert_eq!(gateway.status(&key), 503);
    assert!(!gateway.forget_arrived(), "the request reached the API");
}
