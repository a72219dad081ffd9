use claviger_token::PermissionMask;

use super::*;
use crate::{
    fixtures::{
        World, at,
        certificates::{Pki, client, no_authority},
        now, rng, said,
    },
    policy::{Kind, Policy},
    rights::Grantor,
};

fn add(
    world: &World,
    body: Value,
    existing: &[(Credential, ClientCertificate)],
) -> Result<AddedCertificate, Rejection> {
    let new: NewCertificate = serde_json::from_value(body).unwrap();
    new.add(&world.asked_by(Grantor::Operator), existing, "operator".to_owned(), now(), &mut rng())
}

fn of_pem(pem: &str) -> Value {
    json!({ "name": "ci", "certificate_pem": pem })
}

#[test]
fn a_certificate_stands_for_all_of_its_account_and_ends_when_it_says() {
    let world = World::new();
    let own = Pki::root_with("billing", no_authority); // until 2028
    let AddedCertificate { credential, certificate, event } = add(&world, of_pem(&own.pem()), &[]).unwrap();
    assert_eq!((&credential.permissions, credential.secrets.len()), (&PermissionMask::everything(), 0));
    assert_eq!(credential.expires_at, own.certificate().not_after());
    assert_eq!(event.action.as_str(), "certificate.created");
    assert_eq!(event.details["certificate"]["x5t#S256"], own.certificate().thumbprint().to_string());
    assert_eq!(certificate.method(), ClientAuthMethod::SelfSignedTlsClientAuth);
    let named = add(&world, json!({ "name": "ci", "san_dns": "Billing.test" }), &[]).unwrap();
    assert_eq!((named.credential.expires_at, named.certificate.method()), (None, ClientAuthMethod::TlsClientAuth));
    assert_eq!(named.event.details["certificate"], json!({ "san_dns": "billing.test" }));
    let context = world.asked_by(Grantor::Operator);
    let rolled = named.credential.roll(0, &context, "operator".to_owned(), at(1), &mut rng());
    assert_eq!(said(&rolled), "conflict no_secret");
}

#[test]
fn m01_one_certificate_or_one_name_is_registered() {
    let world = World::new();
    let check = |body: Value, expected: &str| assert_eq!(said(&add(&world, body.clone(), &[])), expected, "{body}");
    let pem = Pki::root_with("a", no_authority).pem();
    check(of_pem(&pem), "ok");
    check(json!({ "name": "ci", "subject_dn": "CN=billing,O=Acme" }), "ok");
    check(json!({ "name": "ci", "san_ip": "::1" }), "ok");
    check(json!({ "name": "ci" }), "/certificate_pem required");
    check(json!({ "name": "ci", "san_dns": "a.test", "san_uri": "urn:a" }), "/san_uri one_of");
    check(json!({ "name": "ci", "san_dns": "a.test", "certificate_pem": pem }), "/san_dns one_of");
    check(json!({ "name": "", "san_dns": "*.a.test" }), "/san_dns invalid_name_in_certificate, /name invalid_name");
    check(json!({ "name": "ci", "subject_dn": "billing" }), "/subject_dn invalid_name_in_certificate");
    check(of_pem("x"), "/certificate_pem invalid_certificate");
    check(of_pem(&Pki::root("a").key_pem()), "/certificate_pem invalid_certificate");
    let ended = Pki::root_with("a", |params| params.not_after = rcgen::date_time_ymd(2027, 1, 1));
    check(of_pem(&ended.pem()), "/certificate_pem expired");
    let with_end = |end: &str| json!({ "name": "ci", "certificate_pem": pem, "expires_at": end });
    check(with_end("2027-06-01T00:00:00Z"), "ok");
    check(with_end("2029-01-01T00:00:00Z"), "/expires_at after_certificate");
    check(with_end("2027-01-01T00:00:00Z"), "/expires_at in_the_past");
}

#[test]
fn an_account_has_few_and_each_once() {
    let mut world = World::new();
    let named = |index: usize| json!({ "name": "ci", "san_dns": format!("host{index}.test") });
    let one = |index: usize| {
        let added = add(&World::new(), named(index), &[]).unwrap();
        (added.credential, added.certificate)
    };
    let existing: Vec<_> = (0..20).map(one).collect();
    assert_eq!(said(&add(&world, named(20), &existing[..19])), "ok");
    assert_eq!(said(&add(&world, named(20), &existing)), "conflict too_many");
    assert_eq!(
        said(&add(&world, json!({ "name": "x", "san_dns": "HOST1.test" }), &existing[..3])),
        "conflict certificate_exists"
    );
    world.organization.policy = Policy { allowed_kinds: Some(vec![Kind::PublicKey]), ..Policy::default() };
    assert_eq!(said(&add(&world, named(1), &[])), "conflict kind_not_allowed");
    world.organization.policy = Policy { expiry_required: true, ..Policy::default() };
    assert_eq!(said(&add(&world, named(1), &[])), "/expires_at expiry_required");
    assert_eq!(said(&add(&world, of_pem(&Pki::root_with("a", no_authority).pem()), &[])), "ok");
}

#[test]
fn m03_a_certificate_is_proved_by_itself_and_not_by_its_key() {
    let own = Pki::root_with("a", no_authority);
    let registered = ClientCertificate::This(own.certificate());
    let means = |shown: &Pki, now: Timestamp| registered.means(&shown.certificate(), now);
    assert!(means(&own, now()));
    assert!(!means(&own.renewed("a"), now()));
    assert!(!means(&Pki::root_with("a", no_authority), now()));
    let (start, end) = (own.certificate().not_before().unwrap(), own.certificate().not_after().unwrap());
    let second = jiff::SignedDuration::from_secs(1);
    assert!(means(&own, end) && means(&own, start));
    assert!(!means(&own, end + second) && !means(&own, start - second));
}

#[test]
fn m01_a_name_means_every_certificate_that_has_it_and_counts() {
    let root = Pki::root("Root");
    let registered = ClientCertificate::Named(CertificateName::parse("subject_dn", "CN=Billing").unwrap());
    for (shown, expected) in [("billing", true), ("BILLING", true), ("other", false)] {
        assert_eq!(registered.means(&root.leaf(client(shown)).certificate(), now()), expected, "{shown}");
    }
    let mut ended = client("billing");
    ended.not_after = rcgen::date_time_ymd(2027, 1, 1);
    assert!(!registered.means(&root.leaf(ended).certificate(), now()));
}

#[test]
fn an_end_is_never_after_the_certificates_own() {
    let own = Pki::root_with("a", no_authority).certificate();
    let (end, this) = (own.not_after().unwrap(), ClientCertificate::This(own));
    let named = ClientCertificate::Named(CertificateName::parse("san_dns", "a.test").unwrap());
    let check = |body: Value, expected: &str| {
        let changes: ClientCredentialChanges = serde_json::from_value(body.clone()).unwrap();
        let allowed = this.allow(changes);
        assert_eq!(said(&allowed), expected, "{body}");
        allowed.ok().and_then(|changes| changes.expires_at)
    };
    assert_eq!(check(json!({ "name": "x" }), "ok"), None);
    assert_eq!(check(json!({ "expires_at": at(9) }), "ok"), Some(Some(at(9))));
    assert_eq!(check(json!({ "expires_at": null }), "ok"), Some(Some(end)));
    check(json!({ "expires_at": "2028-01-02T00:00:00Z" }), "/expires_at after_certificate");
    let endless = named.allow(serde_json::from_value(json!({ "expires_at": null })).unwrap()).unwrap();
    assert_eq!(endless.expires_at, Some(None));
}

#[test]
fn what_is_stored_reads_back() {
    let own = ClientCertificate::This(Pki::root("a").certificate());
    let named = |member: &str, text: &str| ClientCertificate::Named(CertificateName::parse(member, text).unwrap());
    for stored in
        [own, named("subject_dn", r"CN=a\,b,O=C"), named("san_ip", "2001:db8::1"), named("san_email", "a@B.c")]
    {
        assert_eq!(ClientCertificate::from_text(&stored.to_text()), Ok(stored));
    }
    for damaged in [
        "",
        "{}",
        "[]",
        r#"{"certificate":"AAAA"}"#,
        r#"{"san_dns":1}"#,
        r#"{"x":"y"}"#,
        r#"{"san_dns":"a","san_uri":"b:c"}"#,
    ] {
        assert_eq!(ClientCertificate::from_text(damaged), Err(NoClientCertificate), "{damaged}");
    }
}
