use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use claviger_token::{FederationId, SigningAlgorithm, SigningKey, TypedId as _};
use proptest::prelude::*;
use rand::{SeedableRng as _, rngs::StdRng};
use serde_json::json;

use super::*;

const OWN: &str = "https://keys.acme.test";
const GITHUB: &str = "https://token.actions.githubusercontent.com";
const NOW: i64 = 1_800_000_000;

fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

fn key(algorithm: SigningAlgorithm) -> SigningKey {
    SigningKey::from_pkcs8(algorithm, &SigningKey::generate(algorithm).unwrap()).unwrap()
}

fn public(key: &SigningKey, kid: &str, usage: Option<&str>) -> IssuerKey {
    let mut jwk = serde_json::to_value(key.verifying_key().jwk(kid)).unwrap();
    if let Some(usage) = usage {
        jwk["use"] = json!(usage);
    }
    IssuerKey::from_members(jwk.as_object().unwrap()).unwrap()
}

/// What GitHub Actions says of a run (shortened), with these in their place; those that are null are left out.
fn claims(changed: Value) -> Value {
    changed_of(
        json!({
            "jti": "a0b1", "sub": "repo:acme/site:ref:refs/heads/main", "aud": OWN, "ref": "refs/heads/main", "sha": "f00",
            "repository": "acme/site", "repository_owner": "acme", "repository_owner_id": "9", "repository_id": "74",
            "run_id": "30", "actor": "alice", "workflow": "deploy", "event_name": "push", "ref_type": "branch",
            "ref_protected": "true", "job_workflow_ref": "acme/site/.github/workflows/deploy.yml@refs/heads/main",
            "runner_environment": "github-hosted", "iss": GITHUB, "nbf": NOW - 5, "exp": NOW + 300, "iat": NOW,
        }),
        changed,
    )
}

fn changed_of(mut claims: Value, changed: Value) -> Value {
    for (name, value) in changed.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

fn federation(changed: Value) -> Federation {
    let sound = json!({
        "preset": "github", "issuer": GITHUB, "single_use": false, "conditions": { "repository_id": "74", "ref": "refs/heads/main" },
    });
    Federation::from_text(&changed_of(sound, changed).to_string()).unwrap()
}

fn svid(changed: Value) -> Federation {
    let bundle = json!({ "keys": [{
        "kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "kid": "1", "use": "jwt-svid",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    }] });
    let sound = json!({
        "preset": "spiffe", "trust_domain": "acme.test", "single_use": false, "jwks": bundle,
        "conditions": { "sub": "spiffe://acme.test/ns/prod/sa/deploy" },
    });
    Federation::from_text(&changed_of(sound, changed).to_string()).unwrap()
}

fn unsigned(claims: &Value) -> String {
    let encode = |text: String| URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.AAAA", encode(json!({ "alg": "RS256" }).to_string()), encode(claims.to_string()))
}

/// What the rules say of claims, were they proved.
fn fits(claims: &Value, federation: &Federation) -> Result<(), FederatedError> {
    FederatedAssertion::parse(&unsigned(claims), AssertedAs::Grant)?.fits(federation, OWN, now())
}

#[test]
fn w02_every_audience_is_ours_and_the_issuer_is_the_one_that_is_named() {
    let check = |changed: Value, federation: &Federation, expected: bool| {
        assert_eq!(fits(&claims(changed.clone()), federation).is_ok(), expected, "{changed}");
    };
    let ours = federation(json!({}));
    check(json!({}), &ours, true);
    check(json!({ "aud": [OWN] }), &ours, true);
    check(json!({ "aud": [OWN, OWN] }), &ours, true);
    for aud in [
        json!([OWN, "https://other.test"]),
        json!([]),
        json!("https://keys.acme.test/"),
        json!("https://KEYS.acme.test"),
        json!("https://keys.acme.test/oauth/token"),
        json!(null),
        json!(7),
        json!([OWN, 7]),
    ] {
        check(json!({ "aud": aud }), &ours, false);
    }
    let named = federation(json!({ "audience": "acme-deploy" }));
    check(json!({ "aud": "acme-deploy" }), &named, true);
    check(json!({}), &named, false);
    check(json!({ "aud": ["acme-deploy", OWN] }), &named, false);
    for iss in [
        "https://token.actions.githubusercontent.com/",
        "https://TOKEN.actions.githubusercontent.com",
        "https://evil.test",
    ] {
        assert_eq!(fits(&claims(json!({ "iss": iss })), &ours), Err(FederatedError::Issuer), "{iss}");
    }
    for changed in [json!({ "iss": null }), json!({ "iss": 7 }), json!({ "sub": null }), json!({ "exp": null })] {
        check(changed, &ours, false);
    }
}

#[test]
fn w02_a_key_of_another_proves_nothing_whatever_it_is_called() {
    let (one, other) = (key(SigningAlgorithm::Rs256), key(SigningAlgorithm::Rs256));
    let text = one.sign("JWT", "same", &claims(json!({}))).unwrap();
    let assertion = FederatedAssertion::parse(&text, AssertedAs::Grant).unwrap();
    assert_eq!((assertion.kid(), assertion.issuer(), assertion.trust_domain()), (Some("same"), Some(GITHUB), None));
    let check = |keys: &[IssuerKey], expected: Result<(), FederatedError>| {
        assert_eq!(assertion.prove(keys, false), expected);
    };
    check(&[public(&one, "same", None)], Ok(()));
    check(&[public(&other, "same", None)], Err(FederatedError::Signature));
    check(&[public(&one, "another", None)], Err(FederatedError::NoKey));
    check(&[public(&key(SigningAlgorithm::EdDsa), "same", None)], Err(FederatedError::NoKey));
    check(&[public(&one, "same", Some("jwt-svid"))], Err(FederatedError::NoKey));
    check(&[], Err(FederatedError::NoKey));
    let many: Vec<_> = (0..8).map(|_| public(&other, "same", None)).chain([public(&one, "same", None)]).collect();
    check(&many, Err(FederatedError::Signature));
}

#[test]
fn w03_the_conditions_are_on_what_is_signed() {
    let check = |conditions: Value, changed: Value, unmet: Option<&str>| {
        let told = match fits(&claims(changed.clone()), &federation(json!({ "conditions": conditions }))) {
            Ok(()) => None,
            Err(FederatedError::Condition(unmet)) => Some(unmet.claim),
            Err(other) => panic!("{other}"),
        };
        assert_eq!(told.as_deref(), unmet, "{conditions} {changed}");
    };
    let main = json!({ "sub": "repo:acme/*:ref:refs/heads/main" });
    check(main.clone(), json!({}), None);
    for sub in [
        "repo:acme-evil/site:ref:refs/heads/main",
        "repo:acme/site:ref:refs/pull/1/merge",
        "repo:acme/site:pull_request",
        "repo:Acme/site:ref:refs/heads/main",
        "repo:acm\u{435}/site:ref:refs/heads/main",
        "repo:acme/site:ref:refs/heads/main:x",
    ] {
        check(main.clone(), json!({ "sub": sub }), Some("sub"));
    }
    let by_id = json!({ "repository_id": "74", "ref": "refs/heads/main" });
    // Renamed is the same; another that has the name now is not.
    check(by_id.clone(), json!({ "repository": "acme/new", "sub": "repo:acme/new:ref:refs/heads/main" }), None);
    check(by_id.clone(), json!({ "repository_id": "75" }), Some("repository_id"));
    check(by_id.clone(), json!({ "repository_id": null }), Some("repository_id"));
    check(by_id, json!({ "ref": "refs/pull/1/merge" }), Some("ref"));
}

#[test]
fn w04_what_kubernetes_says_of_a_pod_is_found_where_it_stands() {
    let token = json!({
        "aud": [OWN], "exp": NOW + 3600, "iat": NOW, "nbf": NOW, "iss": "https://kubernetes.default.svc.cluster.local",
        "jti": "5a3c", "sub": "system:serviceaccount:prod:deploy",
        "kubernetes.io": {
            "namespace": "prod", "node": { "name": "n1", "uid": "646e" }, "pod": { "name": "deploy-x", "uid": "fc9e" },
            "serviceaccount": { "name": "deploy", "uid": "14ee" }, "warnafter": NOW + 3000,
        },
    });
    let jwks =
        json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" }] });
    let check = |conditions: Value, expected: bool| {
        let cluster = federation(json!({
            "preset": "kubernetes", "issuer": "https://kubernetes.default.svc.cluster.local", "jwks": jwks, "conditions": conditions,
        }));
        assert_eq!(fits(&token, &cluster).is_ok(), expected, "{conditions}");
    };
    check(json!({ "sub": "system:serviceaccount:prod:deploy" }), true);
    check(json!({ "sub": "system:serviceaccount:prod:*" }), true);
    check(json!({ "sub": "system:serviceaccount:*:deploy" }), true);
    check(json!({ "sub": "system:serviceaccount:pro:deploy" }), false);
    check(json!({ "sub": "system:serviceaccount:prod:deploy", "/kubernetes.io/pod/uid": "fc9e" }), true);
    check(json!({ "sub": "system:serviceaccount:prod:deploy", "/kubernetes.io/node/name": "n2" }), false);
    check(json!({ "/kubernetes.io/serviceaccount/uid": "14ee", "/kubernetes.io/namespace": "prod" }), true);
    check(json!({ "/kubernetes.io/serviceaccount/uid": "14ef" }), false);
    check(json!({ "/kubernetes.io/secret/name": "x" }), false);
}

#[test]
fn w05_a_jwt_svid_is_of_its_trust_domain_and_its_bundle() {
    let sub = "spiffe://acme.test/ns/prod/sa/deploy";
    let token = |changed: Value| changed_of(json!({ "sub": sub, "aud": [OWN], "exp": NOW + 300, "iat": NOW }), changed);
    let check = |changed: Value, federation: &Federation, expected: Result<(), FederatedError>| {
        assert_eq!(fits(&token(changed.clone()), federation), expected, "{changed}");
    };
    let domain = svid(json!({}));
    check(json!({}), &domain, Ok(()));
    check(json!({ "iss": "https://anything.test" }), &domain, Ok(()));
    let with_issuer = svid(json!({ "issuer": "https://spire.acme.test" }));
    check(json!({ "iss": "https://spire.acme.test" }), &with_issuer, Ok(()));
    check(json!({}), &with_issuer, Err(FederatedError::Issuer));
    check(json!({ "aud": null }), &domain, Err(FederatedError::Claims));
    check(json!({ "exp": null }), &domain, Err(FederatedError::Claims));
    for sub in [
        "spiffe://acme.test.evil/ns/prod/sa/deploy",
        "spiffe://other.test/ns/prod/sa/deploy",
        "spiffe://ACME.test/ns/prod/sa/deploy",
        "SPIFFE://acme.test/ns/prod/sa/deploy",
        "spiffe://acme.test",
        "spiffe://acme.test/",
        "spiffe://acme.test/ns/../sa/deploy",
        "spiffe://acme.test//sa",
        "spiffe://acme.test/ns/prod/sa/deploy/",
        "spiffe://acme.test/ns/prod?x",
        "spiffe://u@acme.test/ns",
        "https://acme.test/ns/prod/sa/deploy",
    ] {
        let told = fits(&token(json!({ "sub": sub, "iss": "https://x.test" })), &domain);
        assert_eq!(told, Err(FederatedError::TrustDomain), "{sub}");
    }
    let es = key(SigningAlgorithm::Es256);
    let sign = |typ: &str| es.sign(typ, "k", &token(json!({}))).unwrap();
    for (typ, sound) in
        [("JWT", true), ("JOSE", true), ("at+jwt", false), ("dpop+jwt", false), ("client-authentication+jwt", false)]
    {
        let text = sign(typ);
        let parsed = FederatedAssertion::parse(&text, AssertedAs::Grant);
        assert_eq!(parsed.is_ok(), sound, "{typ}");
    }
    let text = sign("client-authentication+jwt");
    assert!(FederatedAssertion::parse(&text, AssertedAs::Client).is_ok());
    let text = sign("JWT");
    let assertion = FederatedAssertion::parse(&text, AssertedAs::Grant).unwrap();
    assert_eq!(assertion.prove(&[public(&es, "k", Some("jwt-svid"))], true), Ok(()));
    assert_eq!(assertion.prove(&[public(&es, "k", None)], true), Err(FederatedError::NoKey));
    let ed = key(SigningAlgorithm::EdDsa);
    let text = ed.sign("JWT", "k", &token(json!({}))).unwrap();
    let assertion = FederatedAssertion::parse(&text, AssertedAs::Grant).unwrap();
    assert_eq!(assertion.prove(&[public(&ed, "k", Some("jwt-svid"))], true), Err(FederatedError::Svid));
    let json_form =
        json!({ "payload": "e30", "signatures": [{ "protected": "e30", "signature": "AAAA" }] }).to_string();
    assert!(matches!(FederatedAssertion::parse(&json_form, AssertedAs::Grant), Err(FederatedError::Form(_))));
}

#[test]
fn w06_an_assertion_has_its_time_and_clocks_that_differ_are_named() {
    let check = |changed: Value, expected: Result<(), FederatedError>| {
        assert_eq!(fits(&claims(changed.clone()), &federation(json!({}))), expected, "{changed}");
    };
    check(json!({ "exp": NOW + 1 }), Ok(()));
    check(json!({ "exp": NOW }), Err(FederatedError::Expired(0)));
    check(json!({ "exp": NOW - 300 }), Err(FederatedError::Expired(300)));
    check(json!({ "exp": NOW + 86_400 }), Ok(()));
    check(json!({ "exp": NOW + 86_461 }), Err(FederatedError::LivesTooLong));
    check(json!({ "iat": NOW + 60, "nbf": NOW + 60 }), Ok(()));
    check(json!({ "iat": NOW + 300 }), Err(FederatedError::NotYetValid(300)));
    check(json!({ "nbf": NOW + 61 }), Err(FederatedError::NotYetValid(61)));
    check(json!({ "iat": null, "nbf": null }), Ok(()));
    for odd in [json!("2030-01-01"), json!(-1), json!(1e300), json!([NOW])] {
        check(json!({ "exp": odd }), Err(FederatedError::Claims));
    }
    assert!(
        FederatedError::NotYetValid(300).to_string().contains("300s")
            && FederatedError::Expired(300).to_string().contains("300s")
    );
}

#[test]
fn w06_one_use_is_remembered_by_its_jti_or_by_what_is_signed() {
    let id = |seed: u8| FederationId::generate(now(), &mut StdRng::from_seed([seed; 32])).into();
    let used =
        |text: &str, id: CredentialId| FederatedAssertion::parse(text, AssertedAs::Grant).unwrap().single_use(id);
    let text = unsigned(&claims(json!({})));
    assert_eq!(used(&text, id(1)).1.as_second(), NOW + 360, "a node whose clock is behind takes it for longer");
    assert_eq!(used(&text, id(1)), used(&unsigned(&claims(json!({ "run_id": "31" }))), id(1)));
    assert_ne!(used(&text, id(1)), used(&text, id(2)));
    let bare = unsigned(&claims(json!({ "jti": null })));
    assert_eq!(
        used(&bare, id(1)),
        used(&bare.replace(".AAAA", ".BBBB"), id(1)),
        "whoever mends the signature gains nothing"
    );
    assert_ne!(used(&bare, id(1)), used(&unsigned(&claims(json!({ "jti": null, "run_id": "31" }))), id(1)));
    let once = federation(json!({ "single_use": true }));
    assert_eq!(fits(&claims(json!({})), &once), Ok(()));
    assert_eq!(fits(&claims(json!({ "jti": null })), &once), Ok(()));
    assert_eq!(fits(&claims(json!({ "jti": "" })), &once), Err(FederatedError::Jti));
    assert_eq!(fits(&claims(json!({ "jti": "x".repeat(257) })), &once), Err(FederatedError::Jti));
}

proptest! {
    #[test]
    fn no_text_is_a_panic(text in "\\PC{0,200}", payload in "\\PC{0,200}") {
        drop(FederatedAssertion::parse(&text, AssertedAs::Grant));
        let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
        drop(FederatedAssertion::parse(&format!("{}.{}.AAAA", encode(r#"{"alg":"ES384"}"#), encode(&payload)), AssertedAs::Client));
        assert!(spiffe_trust_domain(&text).is_none_or(|domain| text.contains(domain)));
    }
}
