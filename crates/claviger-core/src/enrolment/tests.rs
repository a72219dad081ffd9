use claviger_token::PermissionSet;
use rcgen::{CertificateParams, KeyPair};
use serde_json::Value;

use super::*;
use crate::{
    actor::Actor,
    claim_code::NewClaimCode,
    fixtures::{World, at, now, rng, said},
    fleet::NewFleet,
    public_key::RegisteredKey,
    rights::Grantor,
};

const ED25519: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
const THUMBPRINT: &str = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";

fn fleet(world: &World) -> Fleet {
    let new = json!({ "organization_id": world.organization.id, "name": "gateways" });
    Fleet::create(&serde_json::from_value::<NewFleet>(new).unwrap(), now(), &mut rng()).unwrap().0
}

fn device(world: &World) -> Device {
    Device {
        account: world.service_account.id,
        fleet: fleet(world).id,
        organization: world.organization.id,
        name: Name::parse("SN-1").unwrap(),
        thumbprint: THUMBPRINT.to_owned(),
        key: PublicKeyId::generate(now(), &mut rng()).into(),
        former_key: None,
        claim_code: ClaimCodeId::generate(now(), &mut rng()),
        enrolled_at: now(),
        ended_at: None,
    }
}

fn registered(world: &World, ends_at: Timestamp) -> RegisteredKey {
    let new = device(world).key(&RawValue::from_string(ED25519.to_owned()).unwrap(), ends_at);
    new.register(&world.asked_by(Grantor::Itself), &[], "sa_x".to_owned(), now(), &mut rng()).unwrap()
}

#[test]
fn a_device_says_its_name_and_the_key_that_it_proves() {
    let read = |members: Value, proved: &str| {
        let mut body =
            json!({ "claim_code": "x", "name": "SN-1", "jwk": serde_json::from_str::<Value>(ED25519).unwrap() });
        body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        serde_json::from_str::<NewEnrolment>(&body.to_string()).unwrap().read(Some(proved))
    };
    assert_eq!(read(json!({}), THUMBPRINT).unwrap().0.as_str(), "SN-1");
    let check = |members, proved: &str, expected: &str| assert_eq!(said(&read(members, proved)), expected);
    check(json!({}), "another", "/jwk key_not_proved");
    check(json!({ "name": "", "jwk": {} }), THUMBPRINT, "/name invalid_name, /jwk invalid_jwk");
    check(json!({ "jwk": { "kty": "oct", "k": "AA" } }), THUMBPRINT, "/jwk invalid_jwk");
    check(json!({ "jwk": null }), THUMBPRINT, "/jwk required");
    check(json!({ "csr": request() }), THUMBPRINT, "/csr one_of");
    check(json!({ "jwk": null, "csr": "x" }), "", "/csr invalid_csr");
    check(json!({ "jwk": null, "csr": request() }), "", "ok");
    for no_request in [r#"{"claim_code":"x","name":"x","key":{}}"#, r#"{"claim_code":"x","name":"x","csr":7}"#] {
        assert!(serde_json::from_str::<NewEnrolment>(no_request).is_err(), "{no_request}");
    }
}

#[test]
fn a_device_renews_by_a_key_that_signs_or_by_a_certificate_that_it_shows() {
    let renewal = |body: Value| serde_json::from_str::<NewRenewal>(&body.to_string()).unwrap();
    let (jwk, id) = (serde_json::from_str::<Value>(ED25519).unwrap(), ServiceAccountId::generate(now(), &mut rng()));
    let signed = renewal(json!({ "client_assertion": "x", "jwk": jwk }));
    let way = signed.way().unwrap();
    assert_eq!(way.read(Some(THUMBPRINT)).unwrap().thumbprint(), THUMBPRINT);
    assert_eq!(said(&way.read(Some("another"))), "/jwk key_not_proved");
    assert_eq!(said(&way.read(None)), "/jwk key_not_proved");
    assert!(!format!("{signed:?}").contains("client_assertion: \"x\""));
    let shown = renewal(json!({ "client_id": id, "csr": request() }));
    assert_eq!(shown.way().unwrap().read(None).unwrap().kind(), Kind::Certificate);
    assert_eq!(said(&renewal(json!({ "client_id": id, "csr": "x" })).way().unwrap().read(None)), "/csr invalid_csr");
    for mixed in [
        json!({}),
        json!({ "client_assertion": "x" }),
        json!({ "jwk": jwk }),
        json!({ "client_id": id }),
        json!({ "csr": request() }),
        json!({ "client_assertion": "x", "csr": request() }),
        json!({ "client_id": id, "jwk": jwk }),
        json!({ "client_assertion": "x", "jwk": jwk, "csr": request() }),
        json!({ "client_assertion": "x", "jwk": jwk, "client_id": id, "csr": request() }),
    ] {
        assert_eq!(said(&renewal(mixed.clone()).way()), " one_of", "{mixed}");
    }
}

fn request() -> String {
    CertificateParams::default().serialize_request(&KeyPair::generate().unwrap()).unwrap().pem().unwrap()
}

fn requested() -> ProvedKey {
    ProvedKey::Requested(CertificateRequest::from_pem(&request()).unwrap().proved().unwrap())
}

fn jwk() -> ProvedKey {
    let jwk = RawValue::from_string(ED25519.to_owned()).unwrap();
    ProvedKey::Jwk(jwk, VerifyingKey::from_jwk(ED25519.as_bytes()).unwrap())
}

#[test]
fn its_account_signs_and_the_trail_tells_by_which_code_it_came() {
    let world = World::new();
    let fleet = fleet(&world);
    let new = NewClaimCode::default();
    let code =
        ClaimCode::create((&fleet, PermissionSet::default()), &new, &Actor::Operator, &world.brand, now(), &mut rng())
            .unwrap()
            .0;
    let given = [Granted::Permission("invoices:read".parse().unwrap())];
    let name = Name::parse("SN-1").unwrap();
    let id = ServiceAccountId::generate(now(), &mut rng());
    let (account, event) = Device::account(id, &code, &name, &given, &jwk(), now()).unwrap();
    assert_eq!((account.id, &event.target), (id, &id.to_string()));
    assert_eq!(account.token_endpoint_auth_method, Some(ClientAuthMethod::PrivateKeyJwt));
    assert!(!account.tls_client_certificate_bound_access_tokens);
    let (shows, _) = Device::account(id, &code, &name, &given, &requested(), now()).unwrap();
    assert_eq!(shows.token_endpoint_auth_method, Some(ClientAuthMethod::SelfSignedTlsClientAuth));
    assert!(shows.tls_client_certificate_bound_access_tokens);
    assert_eq!((account.name.as_str(), account.organization), ("SN-1", world.organization.id));
    assert_eq!(
        (&event.details["claim_code"], &event.details["permissions"]),
        (&json!(code.id), &json!(["invoices:read"]))
    );
}

#[test]
fn the_key_before_ends_within_an_hour_and_its_tokens_live_on() {
    let world = World::new();
    let check = |ends_at: i64, expected: i64| {
        let key = registered(&world, at(ends_at)).credential;
        let (retired, event) = Device::retire(key.clone(), now());
        assert_eq!((retired.expires_at, retired.epoch), (Some(at(expected)), key.epoch));
        assert_eq!(event.action, Action::PublicKeyUpdated);
    };
    check(90 * 24 * 3600, 3600);
    check(60, 60);
}

#[test]
fn a_device_renews_in_an_open_fleet_while_both_its_keys_count() {
    let world = World::new();
    let (open, key) = (fleet(&world), registered(&world, at(100)).credential);
    let stopped = Credential { disabled_at: Some(now()), ..key.clone() };
    let check = |fleet: &Fleet, own: &Credential, known: Option<&Credential>, now, expected: &str| {
        let device = Device { key: key.id, ..device(&world) };
        assert_eq!(said(&device.must_renew(fleet, own, known, now)), expected);
    };
    check(&open, &key, Some(&key), at(99), "ok");
    check(&open, &key, Some(&key), at(100), "conflict device_stopped");
    check(&open, &key, Some(&stopped), at(1), "conflict device_stopped");
    check(&open, &key, None, at(1), "conflict device_stopped");
    check(&open, &stopped, Some(&key), at(1), "conflict device_stopped");
    let closed = Fleet { closed_at: Some(now()), ..open.clone() };
    check(&closed, &key, Some(&key), at(1), "conflict fleet_closed");
    // Somebody gave the device another key, which opens what it opens and renews nothing.
    let given = Credential { id: PublicKeyId::generate(at(1), &mut rng()).into(), ..key.clone() };
    check(&open, &given, Some(&key), at(1), "conflict key_not_own");
}

#[test]
fn a_device_renews_once_in_an_hour_or_after_twenty_minutes_if_it_lost_the_next_key() {
    let world = World::new();
    let (newest, other) = (registered(&world, at(9000)).credential, PublicKeyId::generate(at(1), &mut rng()).into());
    let before = Credential { id: other, ..newest.clone() };
    let check = |former_key, own: &Credential, after: i64, expected: &str| {
        let device = Device { key: newest.id, former_key, ..device(&world) };
        assert_eq!(said(&device.must_have_waited(own, &newest, at(after))), expected);
    };
    check(None, &newest, 0, "ok");
    check(Some(other), &newest, 3599, "conflict renewed_lately");
    check(Some(other), &newest, 3600, "ok");
    check(Some(other), &before, 1199, "conflict renewed_lately");
    check(Some(other), &before, 1200, "ok");
}

#[test]
fn a_list_shows_what_a_device_is_at_the_very_instant() {
    let world = World::new();
    let check = |ended: bool, disabled: bool, keys: &[(bool, Option<Timestamp>)], expected| {
        let device = Device { ended_at: ended.then(now), ..device(&world) };
        assert_eq!(DeviceStatus::of(&device, disabled, keys, at(10)), expected);
    };
    check(false, false, &[(false, Some(at(11)))], DeviceStatus::Active);
    check(false, false, &[(false, Some(at(10)))], DeviceStatus::Expired);
    check(false, false, &[(false, Some(at(5))), (false, Some(at(11)))], DeviceStatus::Active);
    check(false, false, &[(true, Some(at(11)))], DeviceStatus::Disabled);
    check(false, false, &[(true, Some(at(11))), (false, Some(at(5)))], DeviceStatus::Disabled);
    check(false, true, &[(false, Some(at(11)))], DeviceStatus::Disabled);
    check(false, false, &[], DeviceStatus::Revoked);
    check(true, false, &[(false, None)], DeviceStatus::Revoked);
}

#[test]
fn a_key_is_best_renewed_with_a_third_of_its_life_left() {
    assert_eq!(Device::renew_after(at(0), at(300)), at(200));
}
