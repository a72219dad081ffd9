//! The guide to Caddy.

use serde_json::json;

use super::{Gateway, Guide, Instead, Refusal, Run, promises::keeps};
use crate::guides::blocks;

static CADDY: Guide = Guide {
    text: include_str!("../../../../../docs/gateways/caddy.md"),
    files: &[("caddyfile", &["Caddyfile"])],
    upstream: "reverse_proxy 127.0.0.1:8081",
    run: Run::AsTheGuideSays,
    refusal: Refusal::Header,
    away: (502, 504),
    by_method: |configuration| {
        let proposed = blocks(CADDY.text, "conf");
        asking(&configuration, proposed[0], proposed[1])
    },
    by_object: |configuration| {
        let proposed = blocks(CADDY.text, "conf");
        asking(&configuration, proposed[2], proposed[3])
    },
};

/// The configuration with a map above its route, and a question that uses it.
fn asking(configuration: &str, map: &str, question: &str) -> String {
    let fixed = "uri /v1/forward-auth?permission=invoices:read";
    configuration.replace(fixed, question).replace("\troute {", &format!("{map}\n\troute {{"))
}

keeps! {
    CADDY:
    only_a_key_that_counts_and_holds_the_permission_passes,
    a_bound_key_passes_with_a_proof_of_the_request,
    a_revoked_key_is_refused_at_the_next_request,
    both_secrets_pass_during_an_overlap_and_only_the_new_one_without,
    headers_that_a_client_forges_never_reach_the_api,
    headers_that_a_client_calls_hop_by_hop_reach_the_api,
    no_client_says_what_it_asks_for,
    a_body_reaches_the_api_and_not_before_the_verdict,
    the_address_is_the_one_that_the_gateway_saw_and_not_a_forged_one,
    connections_to_claviger_are_kept_whatever_the_verdict,
    nothing_passes_while_claviger_is_away,
    nothing_passes_while_claviger_does_not_answer,
    nothing_passes_while_claviger_cannot_read_its_database,
    the_permission_can_depend_on_the_method,
    the_object_can_depend_on_the_path,
    the_rules_of_the_api_decide,
    a_key_with_hundreds_of_permissions_passes,
    a_key_whose_limit_is_used_up_is_told_when_to_come_again,
    what_is_left_of_a_limit_is_told_with_the_answers_of_the_api,
    a_credential_stands_elsewhere_only_where_the_api_takes_it,
}

#[test]
fn the_commands_of_the_guide_work_as_written() {
    let gateway = Gateway::with(&CADDY, Instead { api_of_the_guide: true, ..Instead::default() });
    let commands = blocks(CADDY.text, "sh");
    gateway.check_tried(commands[1], &gateway.key("invoices:read"));
    assert_eq!(commands.len(), 2);
}

#[test]
fn behind_a_load_balancer_the_address_is_the_one_that_it_saw() {
    let with_trust = |configuration: String| {
        assert!(CADDY.text.contains("`trusted_proxies` into `forward_auth`"));
        configuration.replace("\t\t\ttransport http {", "\t\t\ttrusted_proxies 127.0.0.1\n\t\t\ttransport http {")
    };
    let trusted_proxies = Some("127.0.0.1");
    let gateway =
        Gateway::with(&CADDY, Instead { configuration: Some(with_trust), trusted_proxies, ..Instead::default() });
    let key = gateway.key_with("invoices:read", json!({ "allowed_networks": ["203.0.113.66"] }));
    // The load balancer appends the address that it saw to what the client wrote.
    let ask = |forwarded: &str| {
        let request = gateway.get("/invoices.json").bearer_auth(&key.token).header("X-Forwarded-For", forwarded);
        request.send().unwrap().status().as_u16()
    };
    assert_eq!(ask("203.0.113.66"), 200);
    assert_eq!(ask("198.51.100.1, 203.0.113.66"), 200);
    assert_eq!(ask("203.0.113.66, 198.51.100.1"), 403);
}
