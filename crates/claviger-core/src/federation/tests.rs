use claviger_token::{CredentialKind, PermissionMask};

use super::*;
use crate::{
    fixtures::{World, at, now, rng, said},
    policy::{Kind, Policy},
    rights::Grantor,
};

const OWN: &str = "https://keys.acme.test";

fn key(usage: Option<&str>) -> Value {
    let mut jwk =
        json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": "1" });
    if let Some(usage) = usage {
        jwk["use"] = json!(usage);
    }
    jwk
}

fn make(world: &World, body: Value, existing: &[(Credential, Federation)]) -> Result<MadeFederation, Rejection> {
    let mut whole = json!({ "name": "deploy" });
    whole.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
    let new: NewFederation = serde_json::from_str(&whole.to_string()).unwrap();
    let context = world.asked_by(Grantor::Operator);
    new.make(&context, existing, OWN, "operator".to_owned(), now(), &mut rng())
}

fn github(conditions: Value) -> Value {
    json!({ "preset": "github", "conditions": conditions })
}

#[test]
fn it_stands_for_all_of_its_account_and_has_no_secret() {
    let world = World::new();
    let made = make(&world, github(json!({ "repository_id": "74", "ref": "refs/heads/main" })), &[]).unwrap();
    let MadeFederation { credential, federation, event } = made;
    assert_eq!((&credential.permissions, credential.secrets.len()), (&PermissionMask::everything(), 0));
    assert_eq!(
        (event.action.as_str(), credential.clone().facts().kind),
        ("federation.created", CredentialKind::AccessToken)
    );
    assert_eq!(event.details["federation"]["conditions"]["repository_id"], "74");
    assert_eq!(federation.issuer.as_deref(), Some("https://token.actions.githubusercontent.com"));
    assert!(federation.warnings().is_empty() && !federation.single_use);
    let context = world.asked_by(Grantor::Operator);
    let rolled = credential.clone().roll(0, &context, "operator".to_owned(), at(1), &mut rng());
    assert_eq!(said(&rolled), "conflict no_secret");
    let refused = Federation::assertion_refused(&credential, "because");
    assert_eq!((refused.action.as_str(), refused.touched.len()), ("federation.assertion_refused", 0));
}

#[test]
fn w03_whoever_names_nobody_is_told_whom_to_name() {
    let world = World::new();
    let check = |body: Value, expected: &str, warnings: usize| {
        let made = make(&world, body.clone(), &[]);
        assert_eq!(said(&made), expected, "{body}");
        if let Ok(made) = made {
            assert_eq!(made.federation.warnings().len(), warnings, "{body}");
        }
    };
    let nobody = "/conditions names_nobody";
    check(github(json!({ "repository_id": "74", "environment": "production" })), "ok", 0);
    check(github(json!({ "repository_owner_id": "9", "ref": "refs/heads/main" })), "ok", 0);
    check(github(json!({ "repository_id": "74" })), "ok", 1);
    check(github(json!({ "sub": "repo:acme/site:ref:refs/heads/main" })), "ok", 1);
    check(github(json!({ "sub": "repo:acme/*:ref:refs/heads/main" })), "ok", 1);
    check(github(json!({ "repository": "acme/*" })), "ok", 2);
    check(github(json!({ "sub": "repo:*/site:ref:refs/heads/main" })), nobody, 0);
    check(github(json!({ "sub": ["repo:acme/site", "repo:*/site"] })), nobody, 0);
    check(github(json!({ "ref": "refs/heads/main" })), nobody, 0);
    check(github(json!({ "actor": "alice", "ref": "refs/heads/main", "event_name": "push" })), nobody, 0);
    check(github(json!({ "Repository_ID": "74" })), nobody, 0);
    // Whose workflow is called is not who calls it, and a repository chooses how its subjects begin.
    let called = "acme/flows/.github/workflows/deploy.yml@refs/heads/main";
    check(github(json!({ "job_workflow_ref": called })), nobody, 0);
    check(github(json!({ "job_workflow_ref": called, "repository_owner_id": "9" })), "ok", 1);
    check(github(json!({ "sub": "environment:production" })), nobody, 0);
    check(github(json!({ "sub": format!("job_workflow_ref:{called}") })), nobody, 0);
    check(github(json!({ "repository": "acme*" })), "/conditions/repository invalid_condition", 0);
    let gitlab = |conditions| json!({ "preset": "gitlab", "conditions": conditions });
    check(gitlab(json!({ "project_id": "22", "ref": "main", "ref_type": "branch" })), "ok", 0);
    check(gitlab(json!({ "project_path": "acme/*", "ref_protected": "true" })), "ok", 1);
    check(gitlab(json!({ "ref": "main" })), nobody, 0);
    // A tag can be called main, too.
    check(gitlab(json!({ "project_id": "22", "ref": "main" })), "ok", 1);
    let cluster =
        |conditions| json!({ "preset": "kubernetes", "issuer": "https://eks.test/id/A", "conditions": conditions });
    check(cluster(json!({ "sub": "system:serviceaccount:prod:deploy" })), "ok", 0);
    check(cluster(json!({ "sub": "system:serviceaccount:prod:*" })), "ok", 1);
    check(cluster(json!({ "sub": "system:serviceaccount:*:deploy" })), nobody, 0);
    check(cluster(json!({ "sub": "system:serviceaccount:*:*" })), nobody, 0);
    check(cluster(json!({ "/kubernetes.io/serviceaccount/uid": "x" })), "ok", 0);
    check(cluster(json!({ "/kubernetes.io/namespace": "prod" })), "ok", 1);
    check(cluster(json!({ "/kubernetes.io/serviceaccount/name": "default" })), nobody, 0);
    check(cluster(json!({ "kubernetes.io.namespace": "prod", "sub": "a:b:c" })), "/conditions invalid_condition", 0);
    let other = |conditions| json!({ "issuer": "https://accounts.test", "conditions": conditions });
    check(other(json!({ "sub": "1" })), "ok", 0);
    check(other(json!({ "/google/compute_engine/instance_id": "1" })), "ok", 0);
    check(other(json!({ "email_verified": true })), nobody, 0);
    // Whoever says that an issuer is another does not get around what is known of it.
    let disguised = json!({ "preset": "oidc", "issuer": "https://token.actions.githubusercontent.com", "conditions": { "sub": "repo:acme/x" } });
    check(disguised, "/preset invalid_preset", 0);
    let unnamed = json!({ "issuer": "https://gitlab.com", "conditions": { "ref": "main" } });
    check(unnamed, nobody, 0);
}

#[test]
fn w04_tokens_for_nobody_in_particular_are_not_taken() {
    let world = World::new();
    let check = |body: Value, expected: &str| assert_eq!(said(&make(&world, body.clone(), &[])), expected, "{body}");
    let cluster = |issuer: &str, more: Value| {
        let mut body =
            json!({ "preset": "kubernetes", "issuer": issuer, "conditions": { "sub": "system:serviceaccount:a:b" } });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let inside = "https://kubernetes.default.svc.cluster.local";
    check(cluster(inside, json!({})), "/jwks required");
    check(cluster(inside, json!({ "jwks": { "keys": [key(None)] } })), "ok");
    check(cluster("kubernetes/serviceaccount", json!({ "jwks": { "keys": [key(None)] } })), "ok");
    check(cluster("kubernetes/serviceaccount", json!({})), "/issuer invalid_issuer");
    check(cluster("https://eks.test", json!({ "jwks_uri": "https://eks.test/keys" })), "ok");
    for audience in [inside, "https://kubernetes.default.svc", "kubernetes.default.svc", "https://eks.test"] {
        check(cluster("https://eks.test", json!({ "audience": audience })), "/audience default_audience");
    }
    check(cluster("https://eks.test", json!({ "audience": OWN })), "ok");
    let mut hub = github(json!({ "repository_id": "1" }));
    hub["audience"] = json!("https://github.com/acme");
    check(hub.clone(), "/audience default_audience");
    for wrong in ["", "a b", "a\n", &"x".repeat(501)] {
        hub["audience"] = json!(wrong);
        check(hub.clone(), "/audience invalid_audience");
    }
}

#[test]
fn w05_a_trust_domain_has_its_own_keys_and_its_own_subjects() {
    let world = World::new();
    let check = |more: Value, expected: &str| {
        let mut body = json!({
            "preset": "spiffe", "trust_domain": "prod.acme.test", "jwks": { "keys": [key(Some("jwt-svid"))] },
            "conditions": { "sub": "spiffe://prod.acme.test/ns/a/sa/b" },
        });
        for (name, value) in more.as_object().unwrap() {
            if value.is_null() {
                body.as_object_mut().unwrap().remove(name);
            } else {
                body[name] = value.clone();
            }
        }
        assert_eq!(said(&make(&world, body, &[])), expected, "{more}");
    };
    check(json!({}), "ok");
    check(json!({ "issuer": "https://oidc.acme.test" }), "ok");
    check(json!({ "jwks": null, "jwks_uri": "https://spire.acme.test/bundle" }), "ok");
    check(json!({ "conditions": { "sub": "spiffe://prod.acme.test/ns/*/sa/b" } }), "ok");
    check(json!({ "conditions": { "sub": "spiffe://prod.acme.test/*/*/*/*" } }), "/conditions names_nobody");
    check(json!({ "jwks": null }), "/jwks required");
    check(json!({ "jwks": { "keys": [key(None)] } }), "/jwks invalid_jwks");
    check(json!({ "jwks": { "keys": [key(Some("x509-svid"))] } }), "/jwks invalid_jwks");
    check(json!({ "trust_domain": null }), "/trust_domain required");
    for wrong in ["", "Prod.acme.test", "spiffe://prod.acme.test", "a/b", "a:1", &"x".repeat(256)] {
        check(json!({ "trust_domain": wrong }), "/trust_domain invalid_trust_domain");
    }
    check(json!({ "conditions": { "sub": "spiffe://prod.acme.test.evil/a" } }), "/conditions/sub invalid_condition");
    check(json!({ "conditions": { "x": "y" } }), "/conditions names_nobody");
    check(
        json!({ "preset": "oidc", "issuer": "https://a.test", "jwks": { "keys": [key(None)] } }),
        "/trust_domain not_spiffe",
    );
}

#[test]
fn an_issuer_is_an_address_or_has_its_keys_here_and_is_not_this_instance() {
    let world = World::new();
    let check = |more: Value, expected: &str| {
        let mut body = json!({ "conditions": { "sub": "1" } });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        assert_eq!(said(&make(&world, body, &[])), expected, "{more}");
    };
    check(json!({ "issuer": "https://accounts.test" }), "ok");
    check(json!({ "issuer": "https://accounts.test/realms/a/" }), "ok");
    check(json!({ "issuer": "http://localhost:8080" }), "ok");
    check(json!({}), "/issuer required");
    check(json!({ "issuer": OWN }), "/issuer invalid_issuer");
    for wrong in [
        "",
        "accounts.test",
        "http://accounts.test",
        "https://a@accounts.test",
        "https://accounts.test?x",
        "https://a.test/\u{e9}",
        "https://a.test/#x",
    ] {
        check(json!({ "issuer": wrong }), "/issuer invalid_issuer");
    }
    check(json!({ "issuer": "https://a.test", "jwks": {}, "jwks_uri": "https://a.test" }), "/jwks_uri one_of");
    check(json!({ "issuer": "https://a.test", "jwks": {} }), "/jwks invalid_jwks");
    check(json!({ "issuer": "https://a.test", "jwks_uri": "http://a.test" }), "/jwks_uri invalid_jwks_uri");
    for no_request in [
        r#"{"name":"x","issuer":"y"}"#,
        r#"{"name":"x","conditions":{},"kind":"y"}"#,
        r#"{"name":"x","conditions":{},"preset":"jenkins"}"#,
    ] {
        assert!(serde_json::from_str::<NewFederation>(no_request).is_err(), "{no_request}");
    }
}

#[test]
fn an_account_has_few_and_each_once() {
    let mut world = World::new();
    let one = |number: usize| {
        let made = make(&World::new(), github(json!({ "repository_id": number })), &[]).unwrap();
        (made.credential, made.federation)
    };
    let existing: Vec<_> = (0..20).map(one).collect();
    let another = || github(json!({ "repository_id": "99" }));
    assert_eq!(said(&make(&world, another(), &existing[..19])), "ok");
    assert_eq!(said(&make(&world, another(), &existing)), "conflict too_many");
    assert_eq!(
        said(&make(&world, github(json!({ "repository_id": "1" })), &existing[..2])),
        "conflict federation_exists"
    );
    world.organization.policy = Policy { allowed_kinds: Some(vec![Kind::PublicKey]), ..Policy::default() };
    assert_eq!(said(&make(&world, another(), &[])), "conflict kind_not_allowed");
}

#[test]
fn what_is_stored_reads_back() {
    let world = World::new();
    for body in [
        github(json!({ "repository_id": "74", "ref": ["refs/heads/main", "refs/tags/*"] })),
        json!({ "issuer": "https://a.test", "jwks_uri": "https://a.test/keys", "conditions": { "/a/b_id": "1" }, "audience": "x", "single_use": true }),
        json!({ "preset": "spiffe", "trust_domain": "a.test", "jwks": { "keys": [key(Some("jwt-svid"))] }, "conditions": { "sub": "spiffe://a.test/x" } }),
    ] {
        let text = make(&world, body, &[]).unwrap().federation.to_text();
        assert_eq!(Federation::from_text(&text).unwrap().to_text(), text);
    }
    for damaged in ["", "{}", "[]", r#"{"preset":"oidc","conditions":{},"single_use":false}"#] {
        assert_eq!(Federation::from_text(damaged).unwrap_err(), NoFederation, "{damaged}");
    }
}
