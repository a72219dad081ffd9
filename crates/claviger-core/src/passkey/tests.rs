use serde_json::json;

use super::{
    software::{BACKED_UP, ELIGIBLE, EXTENDED, PRESENT, Pair, Software, VERIFIED, bytes, int, map, signed, text},
    *,
};
use crate::{
    fixtures::{at, rng},
    password::Password,
};

const ORIGIN: &str = "https://claviger.test";
const CHALLENGE: &[u8] = b"a challenge of ours, and long enough";

fn here() -> RelyingParty {
    RelyingParty::of("https://claviger.test/keys").unwrap()
}

fn software() -> Software {
    Software { challenge: CHALLENGE.to_vec(), ..Software::at("claviger.test", ORIGIN, Pair::es256()) }
}

fn zoe() -> UserId {
    UserId::generate(at(0), &mut rng())
}

fn judged(one: &Software) -> Result<NewPasskey, PasskeyError> {
    let (client_data, attestation) = one.register();
    PasskeyCreation { client_data: &client_data, attestation: &attestation }.judge(&here(), CHALLENGE)
}

fn kept(one: &Software) -> Passkey {
    let name = Name::parse("laptop").unwrap();
    let transports = AuthenticatorTransports::from_text("usb internal");
    Passkey::add(zoe(), judged(one).unwrap(), transports, name, 0, at(0), &mut rng()).unwrap().0
}

fn asserted(one: &Software, passkey: &Passkey) -> Result<AssertedPasskey, PasskeyError> {
    let (client_data, data, signature) = one.assert();
    let handle = Passkey::handle_of(passkey.user);
    let assertion = PasskeyAssertion {
        client_data: &client_data,
        authenticator_data: &data,
        signature: &signature,
        user_handle: Some(&handle),
        user_known: false,
    };
    assertion.judge(passkey, &here(), CHALLENGE)
}

/// What a browser or an authenticator does otherwise.
type Otherwise = fn(&mut Software);

/// What is wrong with a new passkey and with one that is used in the same way.
const BOTH: &[(Otherwise, PasskeyError)] = &[
    (|one| one.challenge = b"another".to_vec(), PasskeyError::Challenge),
    (|one| one.challenge = Vec::new(), PasskeyError::Challenge),
    (|one| one.client_data = json!({ "challenge": "YSBjaGFsbGVuZ2U=" }), PasskeyError::Challenge),
    (|one| one.origin = "https://claviger.test:444".to_owned(), PasskeyError::Origin),
    (|one| one.origin = "http://claviger.test".to_owned(), PasskeyError::Origin),
    (|one| one.origin = "https://sub.claviger.test".to_owned(), PasskeyError::Origin),
    (|one| one.origin = "https://evil.test".to_owned(), PasskeyError::Origin),
    (|one| one.origin = "https://claviger.test/".to_owned(), PasskeyError::Origin),
    (|one| one.client_data = json!({ "crossOrigin": true }), PasskeyError::Framed),
    (|one| one.client_data = json!({ "topOrigin": "https://evil.test" }), PasskeyError::Framed),
    (|one| one.client_data = json!({ "type": "payment.get" }), PasskeyError::Type),
    (|one| one.client_data = json!({ "type": "" }), PasskeyError::Type),
    (|one| one.client_data = json!({ "type": 1 }), PasskeyError::Malformed("client data")),
    (|one| one.client_data = json!({ "crossOrigin": "no" }), PasskeyError::Malformed("client data")),
    (|one| one.relying_party = "evil.test".to_owned(), PasskeyError::RelyingParty),
    (|one| one.relying_party = "sub.claviger.test".to_owned(), PasskeyError::RelyingParty),
    (|one| one.flags = VERIFIED, PasskeyError::UserAbsent),
    (|one| one.flags = PRESENT, PasskeyError::UserUnverified),
    (|one| one.flags = PRESENT | VERIFIED | BACKED_UP, PasskeyError::Backup),
    (|one| one.extensions = vec![0], PasskeyError::Malformed("authenticator data")),
    (|one| one.flags = PRESENT | VERIFIED | EXTENDED, PasskeyError::Malformed("authenticator data")),
];

#[test]
fn a_passkey_of_each_algorithm_is_made_and_used() {
    for pair in [Pair::es256(), Pair::eddsa(), Pair::rs256()] {
        assert!(PASSKEY_ALGORITHMS.contains(&pair.alg()));
        let one = Software { pair, ..software() };
        let passkey = kept(&one);
        assert_eq!((&passkey.credential, &passkey.key), (&one.credential, &one.pair.cose()));
        assert_eq!(asserted(&one, &passkey), Ok(AssertedPasskey { sign_count: 0, backed_up: false }));
    }
}

#[test]
fn each_thing_that_is_otherwise_has_an_error_of_its_own() {
    let passkey = kept(&software());
    for (index, (otherwise, expected)) in BOTH.iter().enumerate() {
        let mut one = software();
        otherwise(&mut one);
        assert_eq!(judged(&one).unwrap_err(), *expected, "new, {index}");
        // A key of its own signs it: nothing comes so far.
        assert_eq!(asserted(&one, &passkey).unwrap_err(), *expected, "used, {index}");
    }
}

#[test]
fn an_answer_to_one_question_is_none_to_the_other() {
    let (one, passkey) = (software(), kept(&software()));
    let (_, attestation) = one.register();
    let registration = PasskeyCreation { client_data: &one.client_data("webauthn.get"), attestation: &attestation };
    assert_eq!(registration.judge(&here(), CHALLENGE), Err(PasskeyError::Type));
    let (_, data, signature) = one.assert();
    let client_data = one.client_data("webauthn.create");
    let assertion = PasskeyAssertion {
        client_data: &client_data,
        authenticator_data: &data,
        signature: &signature,
        user_handle: None,
        user_known: true,
    };
    assert_eq!(assertion.judge(&passkey, &here(), CHALLENGE), Err(PasskeyError::Type));
}

#[test]
fn a_browser_may_say_more_and_nothing_twice() {
    let more = Software { client_data: json!({ "new": { "x": 1 }, "tokenBinding": null }), ..software() };
    assert!(judged(&more).is_ok());
    let (client_data, attestation) = software().register();
    let twice = String::from_utf8(client_data).unwrap().replacen('{', "{\"type\":\"webauthn.create\",", 1);
    let registration = PasskeyCreation { client_data: twice.as_bytes(), attestation: &attestation };
    assert_eq!(registration.judge(&here(), CHALLENGE), Err(PasskeyError::Malformed("client data")));
}

#[test]
fn extensions_that_nobody_asked_for_say_nothing() {
    let extensions = map(&[(text("credProtect"), int(2)), (text("x"), map(&[(int(1), bytes(b"y"))]))]);
    let one = Software { flags: PRESENT | VERIFIED | EXTENDED, extensions, ..software() };
    let passkey = kept(&one);
    assert!(asserted(&one, &passkey).is_ok());
    let behind = Software { extensions: [one.extensions.clone(), vec![0]].concat(), ..one };
    assert_eq!(judged(&behind).unwrap_err(), PasskeyError::Malformed("authenticator data"));
}

#[test]
fn the_id_of_a_credential_has_a_bound() {
    for (length, expected) in [(1, None), (1023, None), (0, Some(())), (1024, Some(()))] {
        let one = Software { credential: vec![7; length], ..software() };
        let refused = judged(&one).err();
        assert_eq!(refused, expected.map(|()| PasskeyError::CredentialId), "{length}");
    }
}

#[test]
fn a_key_is_of_an_algorithm_that_was_asked_for_and_sound() {
    let check = |cose: &[u8], expected: PasskeyError| {
        let (client_data, attestation) = software().register_key(cose);
        let registration = PasskeyCreation { client_data: &client_data, attestation: &attestation };
        assert_eq!(registration.judge(&here(), CHALLENGE).unwrap_err(), expected, "{cose:02x?}");
    };
    let (x, y) = (bytes(&[1; 32]), bytes(&[2; 32]));
    let ec = |kty: i64, alg: i64, crv: i64| {
        let of = [(1, int(kty)), (3, int(alg)), (-1, int(crv)), (-2, x.clone()), (-3, y.clone())];
        map(&of.map(|(member, value)| (int(member), value)))
    };
    check(&ec(2, -7, 1), PasskeyError::Key); // no point of the curve
    check(&ec(2, -35, 2), PasskeyError::Algorithm); // ES384
    check(&ec(2, -7, 2), PasskeyError::Key);
    check(&ec(2, -8, 1), PasskeyError::Key);
    check(&ec(1, -7, 1), PasskeyError::Key);
    let okp = |key: &[u8]| map(&[(int(1), int(1)), (int(3), int(-8)), (int(-1), int(6)), (int(-2), bytes(key))]);
    check(&okp(&[0; 32]), PasskeyError::Key); // a point of small order: everybody can sign for it
    check(&okp(&[9; 31]), PasskeyError::Key);
    let rsa =
        |n: &[u8], e: &[u8]| map(&[(int(1), int(3)), (int(3), int(-257)), (int(-1), bytes(n)), (int(-2), bytes(e))]);
    check(&rsa(&[0xff; 128], &[1, 0, 1]), PasskeyError::Key); // 1024 bits
    check(&rsa(&[0xff; 256], &[1]), PasskeyError::Key);
    check(&map(&[(int(1), int(3)), (int(3), int(-65535))]), PasskeyError::Algorithm); // SHA-1
    check(&map(&[]), PasskeyError::Key);
    check(&map(&[(int(1), int(2)), (int(1), int(2))]), PasskeyError::Malformed("public key"));
    check(&bytes(b"x"), PasskeyError::Malformed("authenticator data"));
    check(&[0xbf, 0xff], PasskeyError::Malformed("authenticator data")); // a map without a length
}

#[test]
fn an_attestation_is_not_believed_and_one_that_proves_itself_must() {
    let check = |format, statement: Vec<u8>, expected: Result<(), PasskeyError>| {
        let one = Software { attestation: (format, statement), ..software() };
        assert_eq!(judged(&one).map(drop), expected, "{format}");
    };
    check("none", map(&[]), Ok(()));
    check("none", map(&[(text("sig"), bytes(b"x"))]), Err(PasskeyError::Attestation));
    check("tpm", map(&[(text("ver"), text("2.0"))]), Ok(()));
    check("packed", map(&[(text("alg"), int(-7)), (text("sig"), bytes(b"x"))]), Err(PasskeyError::Attestation));
    check("packed", map(&[(text("alg"), int(-7))]), Err(PasskeyError::Malformed("attestation")));
    check("none", bytes(b"x"), Err(PasskeyError::Malformed("attestation")));

    let mut one = software();
    let data = one.data(Some(&one.pair.cose()));
    let signature = one.pair.sign(&signed(&data, &one.client_data("webauthn.create")));
    for (alg, expected) in [(-7, Ok(())), (-8, Err(PasskeyError::Attestation))] {
        one.attestation = ("packed", map(&[(text("alg"), int(alg)), (text("sig"), bytes(&signature))]));
        assert_eq!(judged(&one).map(drop), expected, "{alg}");
    }
}

#[test]
fn what_cannot_be_read_is_refused_wherever_it_ends() {
    let (one, passkey) = (software(), kept(&software()));
    let (client_data, attestation) = one.register();
    for end in 0..attestation.len() {
        let registration = PasskeyCreation { client_data: &client_data, attestation: &attestation[..end] };
        assert!(registration.judge(&here(), CHALLENGE).is_err(), "{end}");
    }
    let longer = [attestation, vec![0]].concat();
    let registration = PasskeyCreation { client_data: &client_data, attestation: &longer };
    assert_eq!(registration.judge(&here(), CHALLENGE), Err(PasskeyError::Malformed("attestation")));
    let (client_data, data, signature) = one.assert();
    for end in 0..data.len() {
        let assertion = PasskeyAssertion {
            client_data: &client_data,
            authenticator_data: &data[..end],
            signature: &signature,
            user_handle: None,
            user_known: true,
        };
        assert_eq!(
            assertion.judge(&passkey, &here(), CHALLENGE),
            Err(PasskeyError::Malformed("authenticator data")),
            "{end}"
        );
    }
}

#[test]
fn the_signature_is_of_exactly_what_was_said_and_by_this_passkey() {
    let one = software();
    let passkey = kept(&one);
    assert!(asserted(&one, &passkey).is_ok());
    let other = Software { pair: Pair::es256(), ..software() };
    assert_eq!(asserted(&other, &passkey), Err(PasskeyError::Signature));
    let (client_data, data, signature) = one.assert();
    let counted = Software { sign_count: 1, ..software() }.data(None);
    let spaced = [client_data.as_slice(), b" "].concat();
    let cases: [(&[u8], &[u8], &[u8]); 4] = [
        (&spaced, &data, &signature),
        (&client_data, &counted, &signature),
        (&client_data, &data, &signature[1..]),
        (&client_data, &data, &[]),
    ];
    for (client_data, authenticator_data, signature) in cases {
        let assertion =
            PasskeyAssertion { client_data, authenticator_data, signature, user_handle: None, user_known: true };
        assert_eq!(assertion.judge(&passkey, &here(), CHALLENGE), Err(PasskeyError::Signature));
    }
}

#[test]
fn a_count_that_does_not_grow_tells_of_a_copy() {
    let check = |before: u32, now: u32, expected: Result<u32, PasskeyError>| {
        let one = Software { sign_count: now, ..software() };
        let passkey = Passkey { sign_count: before, ..kept(&one) };
        assert_eq!(asserted(&one, &passkey).map(|how| how.sign_count), expected, "{before} {now}");
    };
    check(0, 0, Ok(0));
    check(0, 1, Ok(1));
    check(7, 8, Ok(8));
    check(7, u32::MAX, Ok(u32::MAX));
    check(7, 7, Err(PasskeyError::Counter));
    check(7, 6, Err(PasskeyError::Counter));
    check(7, 0, Err(PasskeyError::Counter));
}

#[test]
fn what_may_be_copied_is_decided_when_it_is_made() {
    let one = Software { flags: PRESENT | VERIFIED | ELIGIBLE, ..software() };
    let passkey = kept(&one);
    assert_eq!((passkey.backup_eligible, passkey.backed_up), (true, false));
    let synced = Software { flags: one.flags | BACKED_UP, ..one };
    let how = asserted(&synced, &passkey).unwrap();
    let passkey = passkey.used(how, at(9));
    assert_eq!((passkey.backed_up, passkey.used_at), (true, Some(at(9))));
    let pinned = Software { flags: PRESENT | VERIFIED, ..synced };
    assert_eq!(asserted(&pinned, &passkey), Err(PasskeyError::Backup));
    let alone = Passkey { backup_eligible: false, ..passkey };
    assert_eq!(
        asserted(&Software { flags: PRESENT | VERIFIED | ELIGIBLE, ..pinned }, &alone),
        Err(PasskeyError::Backup)
    );
}

#[test]
fn the_authenticator_says_whose_it_is_unless_that_is_known() {
    let one = software();
    let passkey = kept(&one);
    let (client_data, data, signature) = one.assert();
    let (own, other) = (Passkey::handle_of(passkey.user), Passkey::handle_of(UserId::generate(at(1), &mut rng())));
    let check = |user_handle: Option<&[u8]>, user_known, expected: Result<(), PasskeyError>| {
        let assertion = PasskeyAssertion {
            client_data: &client_data,
            authenticator_data: &data,
            signature: &signature,
            user_handle,
            user_known,
        };
        assert_eq!(assertion.judge(&passkey, &here(), CHALLENGE).map(drop), expected);
    };
    check(Some(&own), false, Ok(()));
    check(Some(&own), true, Ok(()));
    check(None, true, Ok(()));
    check(None, false, Err(PasskeyError::User));
    check(Some(&other), false, Err(PasskeyError::User));
    check(Some(&other), true, Err(PasskeyError::User));
    check(Some(b""), true, Err(PasskeyError::User));
}

#[test]
fn an_instance_is_known_by_the_name_of_its_host() {
    let check = |url: &str, expected: Option<(&str, &str)>| {
        let found = RelyingParty::of(url);
        assert_eq!(found.as_ref().map(|here| (here.id.as_str(), here.origin.as_str())), expected, "{url}");
    };
    check("https://keys.acme.test", Some(("keys.acme.test", "https://keys.acme.test")));
    check("https://keys.acme.test:8443/below", Some(("keys.acme.test", "https://keys.acme.test:8443")));
    check("http://localhost:7420", Some(("localhost", "http://localhost:7420")));
    check("http://127.0.0.1:7420", None);
    check("https://[2001:db8::1]", None);
    check("", None);
}

#[test]
fn changes_are_told_with_the_name_beside_the_record() {
    let passkey = kept(&software());
    let event = passkey.remove();
    assert_eq!((event.action, event.target.as_str()), (Action::PasskeyRemoved, passkey.user.to_string().as_str()));
    assert_eq!(event.details, json!({ "passkey": passkey.id }));
    assert_eq!(event.personal, Some(json!({ "name": "laptop" })));
    let (renamed, event) = passkey.clone().rename(Name::parse("Zoë’s phone").unwrap());
    assert_eq!(event.action, Action::PasskeyRenamed);
    assert_eq!(event.personal, Some(json!({ "before": { "name": "laptop" }, "after": { "name": "Zoë’s phone" } })));
    assert_eq!(Passkey { name: passkey.name.clone(), ..renamed }, passkey);
}

#[test]
fn a_user_has_twenty_passkeys() {
    let add = |known| {
        let name = Name::parse("one more").unwrap();
        let new = judged(&software()).unwrap();
        Passkey::add(zoe(), new, AuthenticatorTransports::default(), name, known, at(0), &mut rng()).is_ok()
    };
    assert!(add(19) && !add(20));
}

#[test]
fn the_last_way_in_is_the_last_passkey_of_who_has_nothing_else() {
    let hash = Password::presented("plum harbor seven lanterns").unwrap().hash(&mut rng());
    let one = kept(&software());
    let other = |name: &str| {
        let id = PasskeyId::generate(at(1), &mut rng());
        Passkey { id, relying_party: name.to_owned(), ..one.clone() }
    };
    let (another, former) = (other("claviger.test"), other("former.test"));
    let all = [one.clone(), another.clone(), former.clone()];
    let check = |passkey: &Passkey, all: &[Passkey], password: bool, provider, expected| {
        let own = Authenticators {
            user: zoe(),
            email: "zoe@acme.test".to_owned(),
            name: None,
            disabled: false,
            password: password.then(|| hash.clone()),
            password_set_at: None,
            totp: None,
        };
        let last = is_last_way_in(&own, passkey, all, Some(&here()), provider);
        assert_eq!(last, expected, "{} {} {password} {provider}", passkey.relying_party, all.len());
        assert!(!is_last_way_in(&own, passkey, all, None, provider), "where there are none, none is");
    };
    check(&one, &all[..1], false, false, true);
    check(&one, &all, false, false, false);
    check(&one, &all[..1], true, false, false);
    check(&one, &all[..1], false, true, false);
    // One of a former name lets nobody in.
    check(&one, &[one.clone(), former.clone()], false, false, true);
    check(&former, &[one.clone(), former.clone()], false, false, false);
    check(&former, std::slice::from_ref(&former), false, false, false);
}

#[test]
fn transports_are_those_that_are_known() {
    let check = |text: &str, expected: &str| assert_eq!(AuthenticatorTransports::from_text(text).to_text(), expected);
    check("", "");
    check("usb internal usb", "internal usb");
    check("hybrid cable <b>", "hybrid");
}
