//! The guide to Traefik. The program itself is not in Debian, so that a stand-in reads the guide's own configuration.

mod stand_in;

use super::{Gateway, Guide, Refusal, Run, promises::keeps, statuses};
use crate::guides::blocks;

static TRAEFIK: Guide = Guide {
    text: include_str!("../../../../../docs/gateways/traefik.md"),
    files: &[("toml", &["traefik.toml", "dynamic.toml"])],
    upstream: r#"url = "http://127.0.0.1:8081""#,
    run: Run::StandIn(stand_in::start),
    refusal: Refusal::Header,
    away: (500, 500),
    by_method: |configuration| {
        let writing = configuration.replace("permission=invoices:read", "permission=invoices:write");
        if writing == configuration { writing } else { format!("{writing}\n{}", blocks(TRAEFIK.text, "conf")[0]) }
    },
    by_object: |configuration| {
        assert!(TRAEFIK.text.contains("`&object=base:app7`"));
        configuration.replace("permission=invoices:read", "permission=invoices:read&object=base:app7")
    },
};

keeps! {
    TRAEFIK:
    only_a_key_that_counts_and_holds_the_permission_passes,
    a_bound_key_passes_with_a_proof_of_the_request,
    a_revoked_key_is_refused_at_the_next_request,
    both_secrets_pass_during_an_overlap_and_only_the_new_one_without,
    headers_that_a_client_forges_never_reach_the_api,
    headers_that_a_client_calls_hop_by_hop_reach_the_api,
    no_client_says_what_it_asks_for,
    a_body_reaches_the_api_and_not_before_the_verdict,
    the_address_is_the_one_that_the_gateway_saw_and_not_a_forged_one,
    nothing_passes_while_claviger_is_away,
    nothing_passes_while_claviger_cannot_read_its_database,
    the_permission_can_depend_on_the_method,
    the_rules_of_the_api_decide,
    a_key_with_hundreds_of_permissions_passes,
    a_key_whose_limit_is_used_up_is_told_when_to_come_again,
    a_credential_stands_elsewhere_only_where_the_api_takes_it,
}

#[test]
fn the_commands_of_the_guide_work_as_written() {
    let gateway = Gateway::start(&TRAEFIK);
    let commands = blocks(TRAEFIK.text, "sh");
    let key = gateway.key("invoices:read");
    let told = String::from_utf8(gateway.shell(commands[1], &[("KEY", &key.token)]).stdout).unwrap();
    assert_eq!(statuses(&told), ["200", "200", "401"], "{told}");
    assert_eq!(commands.len(), 2);
}
