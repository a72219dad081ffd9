//! The guide to HAProxy.

use super::{Gateway, Guide, Instead, Refusal, Run, promises::keeps};
use crate::guides::blocks;

static HAPROXY: Guide = Guide {
    text: include_str!("../../../../../docs/gateways/haproxy.md"),
    files: &[("lua", &["claviger.lua"]), ("haproxy", &["haproxy.cfg"])],
    upstream: "server api 127.0.0.1:8081",
    run: Run::AsTheGuideSays,
    refusal: Refusal::Header,
    away: (503, 503),
    by_method: |configuration| configuration.replace(FIXED, blocks(HAPROXY.text, "conf")[0]),
    by_object: |configuration| configuration.replace(FIXED, blocks(HAPROXY.text, "conf")[1]),
};

/// The question that is always the same.
const FIXED: &str = r#"    http-request set-var(txn.claviger.query) str("permission=invoices:read")"#;

keeps! {
    HAPROXY:
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
    let gateway = Gateway::with(&HAPROXY, Instead { api_of_the_guide: true, ..Instead::default() });
    let commands = blocks(HAPROXY.text, "sh");
    gateway.check_tried(commands[1], &gateway.key("invoices:read"));
    assert_eq!(commands.len(), 2);
}
