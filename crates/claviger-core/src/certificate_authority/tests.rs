use claviger_token::{Certificate, OrganizationId};
use rcgen::{BasicConstraints, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose, date_time_ymd};

use super::*;
use crate::fixtures::{
    certificates::{Pki, client, no_authority},
    elsewhere, now, rng, said,
};

fn created(pem: &str, existing: &[CertificateAuthority]) -> Result<(CertificateAuthority, Event), Rejection> {
    let new = NewCertificateAuthority { name: "issuing".to_owned(), certificates_pem: pem.to_owned() };
    new.create(elsewhere(), existing, false, "operator".to_owned(), now(), &mut rng())
}

fn trusting(pki: &Pki) -> CertificateAuthority {
    created(&pki.pem(), &[]).unwrap().0
}

#[test]
fn a_bundle_has_authorities_only() {
    let check = |pem: &str, expected: &str| assert_eq!(said(&created(pem, &[])), expected, "{pem}");
    let (one, other) = (Pki::root("One"), Pki::root("Other"));
    check(&one.pem(), "ok");
    check(&format!("{}\n{}", one.pem(), other.pem()), "ok");
    check(&format!("{}{}", one.pem(), one.pem()), "ok"); // said twice is once
    check("", "/certificates_pem required");
    check("x", "/certificates_pem invalid_certificate");
    check(&format!("{}x", one.pem()), "/certificates_pem invalid_certificate");
    check(&format!("{}{}", one.pem(), one.key_pem()), "/certificates_pem invalid_certificate");
    check(&one.leaf(client("a")).pem(), "/certificates_pem no_authority");
    let with = |change: fn(&mut rcgen::CertificateParams)| Pki::root_with("x", change).pem();
    check(&with(|params| params.is_ca = IsCa::ExplicitNoCa), "/certificates_pem no_authority");
    check(&with(|params| params.key_usages = vec![KeyUsagePurpose::CrlSign]), "/certificates_pem no_authority");
    check(&with(|params| params.not_after = date_time_ymd(2026, 1, 1)), "/certificates_pem no_authority");
    check(&with(|params| params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0))), "ok");
    let many: String = (0..21).map(|index| Pki::root(&index.to_string()).pem()).collect();
    check(&many, "/certificates_pem too_many");
    let nameless = NewCertificateAuthority { name: String::new(), certificates_pem: one.pem() };
    let nameless = nameless.create(elsewhere(), &[], false, "operator".to_owned(), now(), &mut rng());
    assert_eq!(said(&nameless), "/name invalid_name");
}

#[test]
fn an_organization_trusts_few_and_each_once() {
    let (one, other) = (Pki::root("One"), Pki::root("Other"));
    let existing = [trusting(&one)];
    assert_eq!(said(&created(&one.pem(), &existing)), "conflict certificate_authority_exists");
    assert_eq!(
        said(&created(&format!("{}{}", one.pem(), other.pem()), &existing)),
        "conflict certificate_authority_exists"
    );
    assert_eq!(said(&created(&other.pem(), &existing)), "ok");
    let many: Vec<_> = (0..20).map(|index| trusting(&Pki::root(&index.to_string()))).collect();
    assert_eq!(said(&created(&one.pem(), &many[..19])), "ok");
    assert_eq!(said(&created(&one.pem(), &many)), "conflict too_many");
}

#[test]
fn what_happens_is_told_with_the_certificates_thumbprints() {
    let authority = trusting(&Pki::root("One"));
    let (created, deleted) = (created(&Pki::root("Two").pem(), &[]).unwrap().1, authority.delete());
    assert_eq!(created.action.as_str(), "certificate_authority.created");
    assert_eq!((deleted.action.as_str(), deleted.target), ("certificate_authority.deleted", authority.id.to_string()));
    assert_eq!(deleted.details["x5t#S256"][0], authority.certificates[0].thumbprint().to_string());
    assert_eq!(deleted.chain, Chain::Organization(elsewhere()));
    let _: OrganizationId = authority.organization;
}

#[test]
fn m01_a_chain_ends_at_an_authority_that_is_trusted() {
    let root = Pki::root("Root");
    let between = root.authority("Between");
    let direct = root.leaf(client("a"));
    let through = between.leaf(client("a"));
    let vouches = |pki: &Pki, shown: &Certificate, issuers: &[&Pki]| {
        let issuers: Vec<_> = issuers.iter().map(|pki| pki.der()).collect();
        any_vouches(&[trusting(&Pki::root("Other")), trusting(pki)], shown, &issuers, now())
    };
    assert!(vouches(&root, &direct.certificate(), &[]));
    assert!(vouches(&root, &direct.certificate(), &[&Pki::root("Noise"), &root]));
    assert!(vouches(&root, &through.certificate(), &[&between]));
    assert!(vouches(&between, &through.certificate(), &[])); // trusted by itself
    assert!(!vouches(&root, &through.certificate(), &[]));
    assert!(!vouches(&between, &direct.certificate(), &[]));
    // Its self-signed certificate is nobody's word.
    assert!(!vouches(&root, &Pki::root_with("a", no_authority).certificate(), &[]));
}

#[test]
fn m02_nothing_else_makes_a_certificate_count() {
    let root = Pki::root("Root");
    let check = |shown: &Pki, issuers: &[&Pki], expected: bool, what: &str| {
        let issuers: Vec<_> = issuers.iter().map(|pki| pki.der()).collect();
        assert_eq!(any_vouches(&[trusting(&root)], &shown.certificate(), &issuers, now()), expected, "{what}");
    };
    let leaf = |change: fn(&mut rcgen::CertificateParams)| {
        let mut params = client("a");
        change(&mut params);
        root.leaf(params)
    };
    check(&leaf(|_| ()), &[], true, "as it should be");
    check(&Pki::root("Root").leaf(client("a")), &[], false, "an authority of the same name");
    let issuing_leaf = root.leaf(client("leaf"));
    check(&issuing_leaf.leaf(client("a")), &[&issuing_leaf], false, "issued by a leaf");
    check(&leaf(|params| params.not_after = date_time_ymd(2027, 1, 14)), &[], false, "expired");
    check(&leaf(|params| params.not_before = date_time_ymd(2027, 1, 16)), &[], false, "not yet valid");
    check(&leaf(|params| params.extended_key_usages.clear()), &[], false, "says not what it is for");
    let server = |params: &mut rcgen::CertificateParams| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    };
    check(&leaf(server), &[], false, "for servers");
    let any = |params: &mut rcgen::CertificateParams| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::Any];
    check(&leaf(any), &[], false, "for anything");
    let both = |params: &mut rcgen::CertificateParams| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    };
    check(&leaf(both), &[], true, "for both");
    let ended = root.authority_with("Ended", |params| params.not_after = date_time_ymd(2027, 1, 14));
    check(&ended.leaf(client("a")), &[&ended], false, "through one that ended");
    let shallow = root.authority_with("Shallow", |params| params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0)));
    let deep = shallow.authority("Deep");
    check(&shallow.leaf(client("a")), &[&shallow], true, "as deep as it may be");
    check(&deep.leaf(client("a")), &[&deep, &shallow], false, "deeper than it may be");
}

#[test]
fn m02_an_authority_that_ended_vouches_for_nobody() {
    let short = |params: &mut rcgen::CertificateParams| params.not_after = date_time_ymd(2027, 2, 1);
    let root = Pki::root_with("Root", short);
    let (authority, leaf) = (trusting(&root), root.leaf(client("a")).certificate());
    let authority = [authority];
    assert!(any_vouches(&authority, &leaf, &[], now()));
    let later: jiff::Timestamp = "2027-02-02T00:00:00Z".parse().unwrap();
    assert!(!any_vouches(&authority, &leaf, &[], later));
}

#[test]
fn garbage_that_comes_along_is_passed_over() {
    let root = Pki::root("Root");
    let leaf = root.leaf(client("a")).certificate();
    let garbage: Vec<Box<[u8]>> = vec![Box::from([0_u8; 40].as_slice()), Box::from([].as_slice())];
    assert!(any_vouches(&[trusting(&root)], &leaf, &garbage, now()));
    let many: Vec<Box<[u8]>> = (0..8).map(|_| Pki::root("Root").der()).collect();
    assert!(any_vouches(&[trusting(&root)], &leaf, &many, now()));
}

#[test]
fn what_comes_along_is_one_chain_however_much_of_it_there_is() {
    let own = Pki::root("Evil");
    let leaf = own.leaf(client("a")).certificate();
    // Each could have issued each.
    let many: Vec<Box<[u8]>> = (0..8).map(|_| Pki::root("Evil").der()).collect();
    assert_eq!(chain_above(&leaf, &many).len(), 1);
    assert!(!any_vouches(&[trusting(&Pki::root("Root"))], &leaf, &many, now()));
    let mut chain = vec![Pki::root("0")];
    for depth in 1..8 {
        chain.push(chain.last().unwrap().authority(&depth.to_string()));
    }
    let deep = chain.last().unwrap().leaf(client("a")).certificate();
    let issuers: Vec<_> = chain.iter().map(Pki::der).collect();
    assert_eq!(chain_above(&deep, &issuers).len(), DEEPEST);
    assert!(any_vouches(&[trusting(&chain[4])], &deep, &issuers, now()));
    assert!(!any_vouches(&[trusting(&chain[0])], &deep, &issuers, now()));
}
