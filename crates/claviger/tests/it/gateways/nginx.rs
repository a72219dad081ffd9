//! The guide to nginx, and what nginx alone has.

use serde_json::Value;

use super::{
    Gateway, Guide, Instead, Key, Refusal, Run,
    promises::{by_rules, keeps},
};
use crate::guides::blocks;

static NGINX: Guide = Guide {
    text: include_str!("../../../../../docs/gateways/nginx.md"),
    files: &[("nginx", &["nginx.conf"])],
    upstream: "server 127.0.0.1:8081",
    run: Run::AsTheGuideSays,
    refusal: Refusal::Document,
    away: (503, 503),
    by_method: |configuration| {
        let proposed = blocks(NGINX.text, "conf");
        asking(&configuration, proposed[0], proposed[1])
    },
    by_object: |configuration| {
        let proposed = blocks(NGINX.text, "conf");
        asking(&configuration, proposed[2], proposed[3])
    },
};

/// The configuration with one more map, and a question that uses it.
fn asking(configuration: &str, map: &str, question: &str) -> String {
    let fixed = "proxy_pass http://claviger/v1/forward-auth?permission=invoices:read&nginx=1;";
    configuration.replace(fixed, question).replace("upstream claviger {", &format!("{map}\n    upstream claviger {{"))
}

keeps! {
    NGINX:
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

/// nginx passes on whatever else a client sends.
#[test]
fn whatever_claviger_reads_of_a_request_the_question_says_itself() {
    let question = NGINX.text.split("location = /_claviger {").nth(1).unwrap().split("location @").next().unwrap();
    for read in ["X-Forwarded-For", "X-Forwarded-Method", "X-Forwarded-Uri", "X-Original-Method", "X-Original-URI"] {
        assert!(question.contains(&format!("proxy_set_header {read} ")), "{read}");
    }
}

#[test]
fn the_guide_to_route_rules_asks_as_it_is_tested() {
    let guide = include_str!("../../../../../docs/gateways/route-rules.md");
    let proposed = blocks(guide, "conf")[0];
    assert!(by_rules(NGINX.text.to_owned()).contains(proposed), "{proposed}");
}

#[test]
fn the_question_itself_is_hidden_from_clients() {
    let gateway = Gateway::start(&NGINX);
    assert_eq!(gateway.get("/_claviger").send().unwrap().status().as_u16(), 404);
}

#[test]
fn the_commands_of_the_guide_work_as_written() {
    let gateway = Gateway::with(&NGINX, Instead { api_of_the_guide: true, ..Instead::default() });
    let commands = blocks(NGINX.text, "sh");
    let key = gateway.key("invoices:read");
    gateway.check_tried(commands[1], &key);

    let url = gateway.claviger.public.clone();
    let variables = [("CLAVIGER_URL", &*url), ("CLAVIGER_TOKEN", &gateway.administrator), ("KEY_ID", &key.id)];
    let rolled: Value = serde_json::from_slice(&gateway.shell(commands[2], &variables).stdout).unwrap();
    let token = rolled["token"].as_str().unwrap().to_owned();
    assert_eq!([&key, &Key { id: String::new(), token }].map(|key| gateway.status(key)), [200, 200]);
    assert_eq!(commands.len(), 5);
}

#[test]
fn git_clones_with_a_key_as_password() {
    let gateway = Gateway::with(&NGINX, Instead { api_of_the_guide: true, ..Instead::default() });
    let commands = blocks(NGINX.text, "sh");
    let publish = "git init -q notes
        git -C notes -c user.name=Acme -c user.email=acme@example.test commit -q --allow-empty -m 'A first note'
        git clone -q --bare notes api/notes.git
        git -C api/notes.git update-server-info";
    let url = gateway.claviger.public.clone();
    let key = gateway.key("invoices:read");
    let variables = [
        ("CLAVIGER_URL", url.as_str()),
        ("CLAVIGER_TOKEN", &gateway.administrator),
        ("API_ID", &gateway.api),
        ("KEY", &key.token),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("GIT_CONFIG_NOSYSTEM", "1"),
    ];
    let run = |script: &str| {
        let done = gateway.shell(script, &variables);
        let told = [done.stdout, done.stderr].map(|told| String::from_utf8(told).unwrap()).concat();
        (done.status.success(), told)
    };

    let (published, told) = run(publish);
    assert!(published, "{told}");
    let (cloned, told) = run(commands[4]);
    assert!(!cloned, "the API does not take passwords yet: {told}");
    let (accepted, told) = run(commands[3]);
    assert!(accepted && told.contains(r#""accept_basic":true"#), "{told}");
    let (cloned, told) = run(&format!("{}\ngit -C clone log --format=%s", commands[4]));
    assert!(cloned && told.contains(r#"[{"number":1}]"#) && told.contains("\nA first note\n"), "{told}");
    let (cloned, told) = run(&commands[4].replace("$KEY", "another").replace(" clone\n", " again\n"));
    assert!(!cloned && !told.contains("number"), "{told}");
}
