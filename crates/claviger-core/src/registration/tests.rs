//! What a client says of itself, and what comes of it.

use claviger_token::TypedId as _;

use super::*;
use crate::fixtures::{World, at, elsewhere, mask, now, rng, set};

const GRANTS: &[&str] = &["client_credentials", "urn:x"];
const ED25519: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

fn read(body: &str) -> Result<ClientMetadata, OAuthError> {
    ClientMetadata::read(body.as_bytes(), GRANTS)
}

fn check(body: &str, expected: &str) {
    let told = read(body).map_or_else(|error| error.code.as_str(), |_| "ok");
    assert_eq!(told, expected, "{body}");
}

#[test]
fn c01_what_is_left_out_or_null_has_its_default() {
    for body in [
        "{}",
        r#"{"client_name":null,"scope":null,"grant_types":null,"jwks":null,"jwks_uri":null,"software_statement":null}"#,
        r#"{"redirect_uris":[],"response_types":[],"whatever":{"a":[1]},"logo_uri":"javascript:alert(1)"}"#,
    ] {
        let said = read(body).unwrap();
        assert_eq!((said.name.as_str(), said.method), ("registered client", ClientAuthMethod::ClientSecretBasic));
        assert_eq!((said.grants.to_string().as_str(), said.scope.is_empty()), ("client_credentials", true));
        assert!(said.keys.is_empty() && said.has_secret() && !said.dpop_bound_access_tokens);
    }
    let said = read(r#"{"scope":" b:read  a:read b:read ","grant_types":["urn:x","urn:x"]}"#).unwrap();
    assert_eq!((said.scope, said.grants.to_string().as_str()), (set("a:read b:read"), "urn:x"));
}

#[test]
fn c02_keys_are_those_of_a_client_that_signs() {
    let signs = |more: &str| format!(r#"{{"token_endpoint_auth_method":"private_key_jwt",{more}}}"#);
    let said = read(&signs(&format!(r#""jwks":{{"keys":[{ED25519}]}}"#))).unwrap();
    assert_eq!((said.proving_keys().len(), said.has_secret()), (1, false));
    let said = read(&format!(r#"{{"jwks":{{"keys":[{ED25519}]}}}}"#)).unwrap();
    assert_eq!((said.keys.len(), said.has_secret()), (1, true));
    assert!(said.proving_keys().is_empty(), "of no use, and not what holds");
    let many = |count: usize| {
        let key =
            |number: usize| format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{}","kid":"{number}"}}"#, "A".repeat(43));
        signs(&format!(r#""jwks":{{"keys":[{}]}}"#, (0..count).map(key).collect::<Vec<_>>().join(",")))
    };
    for wrong in [
        signs(r#""scope":"a""#),
        signs(r#""jwks":{}"#),
        signs(r#""jwks":{"keys":[]}"#),
        signs(r#""jwks":{"keys":{}}"#),
        signs(r#""jwks":[]"#),
        signs(&format!(r#""jwks":{{"keys":[{ED25519},{ED25519}]}}"#)),
        signs(&format!(r#""jwks":{{"keys":[{ED25519}]}},"jwks_uri":"https://client.test/""#)),
        signs(r#""jwks_uri":"http://localhost/""#),
        signs(r#""jwks_uri":"HTTP://127.0.0.1/""#),
        signs(r#""jwks_uri":["https://client.test/"]"#),
        many(1),
        many(21),
        r#"{"jwks":{"keys":[{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T"}]}}"#.to_owned(),
    ] {
        check(&wrong, "invalid_client_metadata");
    }
    check(&signs(r#""jwks_uri":"https://client.test/jwks""#), "ok");
}

#[test]
fn m01_a_client_of_certificates_says_one_name_that_they_have() {
    let tls = |more: &str| format!(r#"{{"token_endpoint_auth_method":"tls_client_auth"{more}}}"#);
    let said = read(&tls(r#","tls_client_auth_san_dns":"Billing.test""#)).unwrap();
    assert_eq!(said.certificate_name, Some(CertificateName::SanDns("billing.test".to_owned())));
    assert!(!said.has_secret() && said.proving_keys().is_empty());
    for (member, name) in [("subject_dn", "CN=a"), ("san_uri", "urn:a"), ("san_ip", "::1"), ("san_email", "a@b.test")] {
        check(&tls(&format!(r#","tls_client_auth_{member}":"{name}""#)), "ok");
    }
    for wrong in [
        tls(""),
        tls(r#","tls_client_auth_san_dns":"a.test","tls_client_auth_san_uri":"urn:a""#),
        tls(r#","tls_client_auth_san_dns":"*.test""#),
        tls(r#","tls_client_auth_subject_dn":"a""#),
        tls(r#","tls_client_auth_san_ip":["::1"]"#),
        tls(r#","tls_client_auth_san_dns":null"#),
        r#"{"token_endpoint_auth_method":"self_signed_tls_client_auth"}"#.to_owned(),
    ] {
        check(&wrong, "invalid_client_metadata");
    }
    let said = read(r#"{"tls_client_auth_san_dns":"a.test"}"#).unwrap();
    assert!(said.certificate_name.is_none() && said.has_secret(), "of no use, and not what holds");
}

#[test]
fn c02_what_has_no_use_here_is_refused_in_its_own_words() {
    check(r#"{"redirect_uris":["https://client.test/"]}"#, "invalid_redirect_uri");
    check(r#"{"software_statement":"eyJ"}"#, "invalid_software_statement");
    for wrong in [
        "",
        "[]",
        "null",
        r#""x""#,
        r#"{"client_name":"a","client_name":"b"}"#,
        r#"{"response_types":["code"]}"#,
        r#"{"redirect_uris":"https://client.test/"}"#,
        r#"{"grant_types":[1]}"#,
        r#"{"grant_types":["implicit"]}"#,
        r#"{"token_endpoint_auth_method":"none"}"#,
        r#"{"token_endpoint_auth_signing_alg":"RS1"}"#,
        r#"{"scope":"A!"}"#,
        r#"{"client_name":"a\u202eb"}"#,
    ] {
        check(wrong, "invalid_client_metadata");
    }
}

#[test]
fn c03_a_client_gets_what_is_listed_by_name_and_held_and_never_claviger_itself() {
    let world = World::new();
    let held = "a:read b:read claviger:verify claviger:registrations:write";
    let ceiling = |list: &str| {
        let mut found = world.caller(held, "");
        found.credential.permissions = mask(list);
        registration_ceiling(&found)
    };
    assert_eq!(ceiling("a:read c:read claviger:verify claviger:registrations:write"), set("a:read"));
    assert_eq!(ceiling("* claviger:*"), set(""));
    assert_eq!(ceiling("* a:read"), set("a:read"));
    let mut found = world.caller(held, "");
    found.credential.permissions = mask("a:read");
    found.credential.networks = claviger_token::NetworkSet::parse(["10.0.0.0/8"]).ok();
    assert_eq!((registration_ceiling(&found), is_confined(&found)), (set(""), true));
    let said = read(r#"{"scope":"a:read b:read"}"#).unwrap();
    let within = |allowed: &str, declared: &str| said.must_be_within(&set(allowed), &set(declared)).is_ok();
    assert!(within("a:read b:read c:read", "a:read b:read"));
    assert!(!within("a:read", "a:read b:read") && !within("a:read b:read", "a:read"));
}

#[test]
fn c04_what_a_client_changes_it_says_of_itself_and_of_nothing_else() {
    let id = ServiceAccountId::generate(now(), &mut rng());
    let check = |more: &str, expected: &str| {
        let told = ClientMetadata::read_change(format!("{{{more}}}").as_bytes(), GRANTS, id);
        assert_eq!(told.map_or_else(|error| error.code.as_str(), |_| "ok"), expected, "{more}");
    };
    let own = format!(r#""client_id":"{id}""#);
    check(&own, "ok");
    check(&format!(r#"{own},"client_secret":"x""#), "ok");
    check("", "invalid_client_metadata");
    check(r#""client_id":null"#, "invalid_client_metadata");
    check(r#""client_id":"sa_01h455vb4pex5vsknk084sn02q""#, "invalid_client_metadata");
    for others in NOT_THE_CLIENTS {
        check(&format!(r#"{own},"{others}":null"#), "invalid_client_metadata");
    }
}

#[test]
fn c04_an_account_follows_what_its_client_says_but_stays_bound() {
    let registrar = World::new().key(json!({})).id;
    let said = read(r#"{"client_name":"one","scope":"a:read","dpop_bound_access_tokens":true}"#).unwrap();
    let (account, event) = said.account(elsewhere(), registrar, &set("a:read b:read"), now(), &mut rng()).unwrap();
    assert_eq!((account.name.as_str(), account.dpop_bound_access_tokens), ("one", true));
    assert_eq!(event.details["registered_by"], json!(registrar));
    assert_eq!(event.details["ceiling"], json!(["a:read", "b:read"]));
    assert_eq!(
        (&event.details["grant_types"], &event.details["permissions"]),
        (&json!(["client_credentials"]), &json!(["a:read"]))
    );
    let key = Registration::key_for(&account, Some(at(9)));
    assert_eq!((key.permissions.len(), key.expires_at), (0, Some(at(9))));
    let said =
        read(r#"{"client_name":"two","grant_types":["urn:x"],"token_endpoint_auth_method":"client_secret_post"}"#)
            .unwrap();
    let (changed, event) = said.changed(account.clone(), &[]);
    let expected = ServiceAccount {
        name: Name::parse("two").unwrap(),
        grant_types: "urn:x".parse().ok(),
        token_endpoint_auth_method: Some(ClientAuthMethod::ClientSecretPost),
        ..account
    };
    assert_eq!((&changed, event.action), (&expected, Action::ServiceAccountUpdated));
    assert_eq!((&event.details["before"]["name"], &event.details["after"]["name"]), (&json!("one"), &json!("two")));
}
