//! What one guard proved, for those behind it.

use super::*;
use crate::{Answer, Settings};

#[tokio::test]
async fn outside_of_a_runtime_it_does_not_start() {
    let start = || Claviger::start(Settings::new("https://keys.acme.test", "http://127.0.0.1:7421", "urn:api"));
    assert!(start().is_ok());
    let outside = std::thread::spawn(move || matches!(start(), Err(StartError::NoRuntime)));
    assert!(outside.join().unwrap());
}

fn found() -> Arc<Found> {
    found_in("live")
}

fn found_in(environment: &str) -> Arc<Found> {
    let id = |prefix: &str| format!("{prefix}_01h2xcejqtf2nbrexx3vqjhp41");
    let answer = json!({
        "valid": true, "code": "valid", "permissions": ["a:read"], "objects": ["base:app7"], "metadata": {}, "limits": [],
        "credential": { "id": id("key"), "kind": "api_key", "name": "x", "generation": "current", "environment": environment, "expires_at": null },
        "principal": { "id": id("sa"), "type": "service_account", "name": "x", "external_id": null },
        "organization": { "id": id("org"), "slug": "x", "external_id": null },
        "cache": { "max_age_seconds": 60, "audiences": ["urn:api"], "networks": null, "epoch": 1 },
    });
    Arc::new(Answer::read(answer.to_string().as_bytes()).unwrap().found.unwrap())
}

#[tokio::test]
async fn what_was_proved_counts_for_a_request_that_shows_the_same_and_for_a_moment() {
    let settings = Settings::new("https://keys.acme.test", "http://127.0.0.1:7421", "urn:api");
    let (claviger, other) = (Claviger::start(settings.clone()).unwrap(), Claviger::start(settings).unwrap());
    let asked = Use {
        permissions: &[],
        objects: &[],
        whatever_object: false,
        client_ip: None,
        method: &Method::GET,
        path: "/",
        dpop: Some("proof"),
        certificate: None,
        test_too: false,
        proved: None,
    };
    let hash = TokenHash::of("x");
    let proved = claviger.shared.proved(Shows::of(hash, &asked), &asked, Proof::default(), found(), true);
    let counts = |proved: &Proved, shared: &Arc<Shared>, hash, asked: Use<'_>| {
        let asked = Use { proved: Some(proved), ..asked };
        shared.proved_before(&Shows::of(hash, &asked), &asked).is_some()
    };
    let shared = &claviger.shared;
    assert!(counts(&proved, shared, hash, asked));
    assert!(!counts(&proved, shared, TokenHash::of("y"), asked), "another credential");
    assert!(!counts(&proved, shared, hash, Use { method: &Method::DELETE, ..asked }), "another method");
    assert!(!counts(&proved, shared, hash, Use { dpop: Some("other"), ..asked }), "another proof");
    assert!(!counts(&proved, shared, hash, Use { dpop: None, ..asked }), "no proof");
    assert!(!counts(&proved, &other.shared, hash, asked), "another instance");
    let old = Proved { at: proved.at.checked_sub(PROVED_FOR).unwrap(), ..proved };
    assert!(!counts(&old, shared, hash, asked), "long ago");
}

#[test]
fn what_is_known_waits_for_nothing_and_sets_no_timer() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let settings = Settings::new("https://keys.acme.test", "http://127.0.0.1:1", "urn:api");
    let claviger = runtime.block_on(async { Claviger::start(settings) }).unwrap();
    // Without an address that a proof could be for: here a timer would panic.
    let wanted = Wanted { dpop: Some("proof"), ..Wanted::default() };
    let mut verifying = pin!(claviger.verify("x", &wanted));
    let known = verifying.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop()));
    let Poll::Ready(Ok(verified)) = known else { panic!("it waits") };
    assert_eq!(verified.verdict, Verdict::Refused(Refusal::Malformed));
}

#[tokio::test]
async fn what_the_instance_said_of_a_proof_is_not_tested_here_again() {
    let mut settings = Settings::new("https://keys.acme.test", "http://127.0.0.1:1", "urn:api");
    settings.origin = Some("https://api.acme.test".to_owned());
    let claviger = Claviger::start(settings).unwrap();
    let (shared, hash) = (&claviger.shared, TokenHash::of("x"));
    let objects = ["base:app7".parse().unwrap()];
    let asked = Use {
        permissions: &[],
        objects: &objects,
        whatever_object: false,
        client_ip: None,
        method: &Method::GET,
        path: "/",
        dpop: Some("a proof that was used up there"),
        certificate: None,
        test_too: false,
        proved: None,
    };
    // The key is known here by now, with the proof that it wants.
    let known = shared.decided(found(), None, (hash, "x"), &asked);
    assert_eq!(known.verdict, Verdict::Refused(Refusal::ProofInvalid));
    let proved = shared.proved(Shows::of(hash, &asked), &asked, Proof::default(), found(), true);
    let behind = Use { proved: Some(&proved), ..asked };
    assert_eq!(shared.check_opaque("x", &behind).await.unwrap().verdict, Verdict::Valid);
    // From elsewhere it is another use, and looked at anew.
    let elsewhere = Use { client_ip: Some([192, 0, 2, 1].into()), ..behind };
    let verdict = shared.check_opaque("x", &elsewhere).await.unwrap().verdict;
    assert_eq!(verdict, Verdict::Refused(Refusal::Malformed));
}

#[tokio::test]
async fn an_answer_about_less_is_held_against_what_is_asked() {
    let claviger =
        Claviger::start(Settings::new("https://keys.acme.test", "http://127.0.0.1:7421", "urn:api")).unwrap();
    let check = |permission: &str, object: Option<&str>, whatever_object: bool, expected: &str| {
        let (permissions, objects) = ([permission.parse().unwrap()], object.map(|object| object.parse().unwrap()));
        let asked = Use {
            permissions: &permissions,
            objects: objects.as_slice(),
            whatever_object,
            client_ip: None,
            method: &Method::GET,
            path: "/",
            dpop: None,
            certificate: None,
            test_too: false,
            proved: None,
        };
        let shows = Shows::of(TokenHash::of("x"), &asked);
        let proved = claviger.shared.proved(shows, &asked, Proof::default(), found(), true);
        assert_eq!(of_an_answer(&asked, proved).verdict.code(), expected, "{permission} {object:?}");
    };
    check("a:read", Some("base:app7"), false, "valid");
    check("a:write", Some("base:app7"), false, "permission_missing");
    check("a:read", Some("base:app8"), false, "object_not_allowed");
    check("a:read", None, false, "object_required");
    check("a:read", None, true, "valid");
}

#[tokio::test]
async fn a_credential_of_the_test_environment_counts_where_it_is_wanted() {
    let claviger =
        Claviger::start(Settings::new("https://keys.acme.test", "http://127.0.0.1:7421", "urn:api")).unwrap();
    let check = |environment: &str, test_too: bool, expected: &str| {
        let asked = Use {
            permissions: &[],
            objects: &[],
            whatever_object: true,
            client_ip: None,
            method: &Method::GET,
            path: "/",
            dpop: None,
            certificate: None,
            test_too,
            proved: None,
        };
        let (shared, hash) = (&claviger.shared, TokenHash::of("x"));
        let kept = shared.decided(found_in(environment), None, (hash, "x"), &asked);
        let proved = shared.proved(Shows::of(hash, &asked), &asked, Proof::default(), found_in(environment), true);
        for checked in [kept, of_an_answer(&asked, proved)] {
            assert_eq!(checked.verdict.code(), expected, "{environment} {test_too}");
            assert_eq!(Verified::of(checked).identity.is_some(), expected == "valid");
        }
        let question = shared.question("x", &asked);
        assert_eq!(question.get("environment"), (!test_too).then(|| json!("live")).as_ref());
    };
    check("live", false, "valid");
    check("live", true, "valid");
    check("test", true, "valid");
    check("test", false, "audience_mismatch");
    assert!(!Wanted::default().test_too);
}

#[tokio::test]
async fn what_cannot_be_a_credential_is_refused_without_asking() {
    let claviger =
        Claviger::start(Settings::new("https://keys.acme.test", "http://127.0.0.1:7421", "urn:api")).unwrap();
    for text in ["", "eyJ.\n", &format!("eyJ.{}", "a".repeat(LONGEST))] {
        let verified = claviger.verify(text, &Wanted::default()).await.unwrap();
        assert_eq!(verified.verdict, Verdict::Refused(Refusal::Malformed));
    }
}
