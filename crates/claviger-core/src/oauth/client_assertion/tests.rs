use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use claviger_token::{SigningAlgorithm, SigningKey, TypedId as _};
use proptest::prelude::*;
use rand::{SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};

use super::*;

const ISSUER: &str = "https://keys.acme.test";
const TOKEN_ENDPOINT: &str = "https://keys.acme.test/oauth/token";
const NOW: i64 = 1_800_000_000;

const STRICT: ExpectedAudience<'_> =
    ExpectedAudience { issuer: ISSUER, token_endpoint: TOKEN_ENDPOINT, legacy_audience: false };

/// A client with a key for ES256.
struct Client {
    id: ServiceAccountId,
    pair: EcdsaKeyPair,
    key: VerifyingKey,
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

impl Client {
    fn new() -> Self {
        let pkcs8 = SigningKey::generate(SigningAlgorithm::Es256).unwrap();
        let key = SigningKey::from_pkcs8(SigningAlgorithm::Es256, &pkcs8).unwrap();
        Self {
            id: ServiceAccountId::generate(now(), &mut StdRng::from_seed([7; 32])),
            pair: EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8).unwrap(),
            key: key.verifying_key().clone(),
        }
    }

    /// Sound claims, with these in their place; those that are null are left out.
    fn claims(&self, changed: Value) -> Value {
        let id = self.id.to_string();
        let mut claims = json!({ "iss": id, "sub": id, "aud": ISSUER, "exp": NOW + 60, "iat": NOW, "jti": "a" });
        for (name, value) in changed.as_object().unwrap() {
            if value.is_null() {
                claims.as_object_mut().unwrap().remove(name);
            } else {
                claims[name] = value.clone();
            }
        }
        claims
    }

    fn sign(&self, header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", encode(header), encode(claims));
        let signature = encode(self.pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap());
        format!("{signed}.{signature}")
    }

    fn with(&self, changed: Value) -> String {
        self.sign(r#"{"alg":"ES256"}"#, &self.claims(changed).to_string())
    }

    fn judge(&self, text: &str) -> Result<&'static str, AssertionError> {
        ClientAssertion::parse(text)?.judge([("own", &self.key)], &STRICT, now())
    }
}

#[test]
fn j01_an_assertion_is_for_the_issuer_alone() {
    let client = Client::new();
    let check = |aud: Value, strict: bool, legacy: bool| {
        let text = client.with(json!({ "aud": aud }));
        let assertion = ClientAssertion::parse(&text).unwrap();
        for (legacy_audience, sound) in [(false, strict), (true, legacy)] {
            let expected = ExpectedAudience { legacy_audience, ..STRICT };
            let judged = assertion.judge([((), &client.key)], &expected, now());
            assert_eq!(judged, if sound { Ok(()) } else { Err(AssertionError::Audience) }, "{aud} {legacy_audience}");
        }
    };
    check(json!(ISSUER), true, true);
    check(json!([ISSUER]), true, true);
    check(json!(TOKEN_ENDPOINT), false, true);
    check(json!([TOKEN_ENDPOINT]), false, true);
    for wrong in [
        json!("https://keys.acme.test/"),
        json!("https://KEYS.acme.test"),
        json!("https://keys.acme.test:443"),
        json!("https://keys.acme.test/oauth/par"),
        json!("https://keys.acme.test/oauth/token/"),
        json!([ISSUER, "https://other.test"]),
        json!([ISSUER, ISSUER]),
        json!([ISSUER, TOKEN_ENDPOINT]),
        json!([]),
        json!(""),
    ] {
        check(wrong, false, false);
    }
    let told = AssertionError::Audience.told(ISSUER);
    assert!(told.contains(ISSUER) && !told.contains(['"', '\\']), "{told}");
    assert_eq!(AssertionError::Signature.told(ISSUER), AssertionError::Expired.told(ISSUER));
}

#[test]
fn j02_an_assertion_says_whose_it_is_and_until_when() {
    let client = Client::new();
    let sound = client.with(json!({}));
    let assertion = ClientAssertion::parse(&sound).unwrap();
    assert_eq!((assertion.client(), assertion.kid()), (client.id, None));
    assert_eq!(client.judge(&sound), Ok("own"));
    let check = |changed: Value, expected: Result<&str, AssertionError>| {
        assert_eq!(client.judge(&client.with(changed.clone())), expected, "{changed}");
    };
    check(json!({ "iat": null }), Ok("own"));
    check(json!({ "scope": "x", "client_id": "y", "https://acme.test/z": { "z": [1] } }), Ok("own"));
    for missing in ["iss", "sub", "aud", "exp", "jti"] {
        check(json!({ missing: null }), Err(AssertionError::Claims));
        for wrong in [json!({}), json!(true), json!([1])] {
            check(json!({ missing: wrong }), Err(AssertionError::Claims));
        }
    }
    let other = client.id.to_string().replace("sa_", "user_");
    for wrong in ["", "x", "sa_x", &other] {
        check(json!({ "iss": wrong }), Err(AssertionError::Client));
        check(json!({ "sub": wrong }), Err(AssertionError::Client));
        check(json!({ "iss": wrong, "sub": wrong }), Err(AssertionError::Client));
    }
    let null = client.claims(json!({})).to_string().replace("\"jti\":\"a\"", "\"jti\":null");
    assert_eq!(client.judge(&client.sign(r#"{"alg":"ES256"}"#, &null)), Err(AssertionError::Claims));
}

#[test]
fn j03_an_id_of_an_assertion_is_bounded_and_its_clients_own() {
    let client = Client::new();
    for (jti, expected) in [
        ("x".repeat(256), Ok("own")),
        ("x".repeat(257), Err(AssertionError::Jti)),
        ("é".repeat(129), Err(AssertionError::Jti)),
        (String::new(), Err(AssertionError::Jti)),
        ("\0\r\n'; DROP TABLE used_jti; --".to_owned(), Ok("own")),
    ] {
        assert_eq!(client.judge(&client.with(json!({ "jti": jti }))), expected, "{jti}");
    }
    let single_use = |changed: Value| ClientAssertion::parse(&client.with(changed)).unwrap().single_use();
    let (key, until) = single_use(json!({}));
    assert_eq!(until, now() + SignedDuration::from_secs(70), "it is known for as long as it would count");
    assert_eq!(single_use(json!({ "aud": "x", "exp": NOW + 1 })).0, key);
    assert_ne!(single_use(json!({ "jti": "b" })).0, key);
    let other = ServiceAccountId::generate(now(), &mut StdRng::from_seed([8; 32]));
    assert_ne!(single_use(json!({ "iss": other, "sub": other })).0, key);
}

#[test]
fn j04_times_are_held_to_the_clock_with_some_patience() {
    let client = Client::new();
    let check = |changed: Value, expected: Result<&str, AssertionError>| {
        assert_eq!(client.judge(&client.with(changed.clone())), expected, "{changed}");
    };
    check(json!({ "exp": NOW }), Ok("own"));
    check(json!({ "exp": NOW - 9 }), Ok("own"));
    check(json!({ "exp": NOW as f64 - 9.999 }), Ok("own"));
    check(json!({ "exp": NOW - 10 }), Err(AssertionError::Expired));
    check(json!({ "exp": 0 }), Err(AssertionError::Expired));
    check(json!({ "exp": NOW + 3600 }), Ok("own"));
    check(json!({ "exp": NOW + 3660 }), Ok("own"));
    check(json!({ "exp": NOW as f64 + 3660.5 }), Err(AssertionError::LivesTooLong));
    check(json!({ "exp": 253_402_200_000_i64 }), Err(AssertionError::LivesTooLong));
    for claim in ["iat", "nbf"] {
        for sound in [0, NOW - 86_400, NOW, NOW + 10, NOW + 60] {
            check(json!({ claim: sound }), Ok("own"));
        }
        check(json!({ claim: NOW as f64 + 0.25 }), Ok("own"));
        check(json!({ claim: NOW as f64 + 60.001 }), Err(AssertionError::NotYetValid));
        check(json!({ claim: NOW + 61 }), Err(AssertionError::NotYetValid));
    }
    check(json!({ "iat": NOW, "nbf": NOW + 61 }), Err(AssertionError::NotYetValid));
    for claim in ["exp", "iat", "nbf"] {
        for wrong in [
            json!(-1),
            json!(-0.5),
            json!(1e300),
            json!(u64::MAX),
            json!("1800000060"),
            json!("2027-01-15"),
            json!([NOW]),
        ] {
            check(json!({ claim: wrong }), Err(AssertionError::Claims));
        }
        let claims = client.claims(json!({ claim: "?" })).to_string();
        for wrong in ["null", "1e999", "NaN", "0x1"] {
            let claims = claims.replace("\"?\"", wrong);
            let judged = client.judge(&client.sign(r#"{"alg":"ES256"}"#, &claims));
            assert_eq!(judged, Err(AssertionError::Claims), "{claim} {wrong}");
        }
    }
}

#[test]
fn j05_a_signature_counts_by_a_key_of_the_client_and_by_its_own_algorithm() {
    let client = Client::new();
    let claims = client.claims(json!({})).to_string();
    let sound = client.sign(r#"{"alg":"ES256"}"#, &claims);
    let (signed, signature) = sound.rsplit_once('.').unwrap();
    for alg in ["none", "nOnE", "", "HS256", "PS256", "ES384"] {
        let header = json!({ "alg": alg }).to_string();
        let unsigned = format!("{}.{}", encode(&header), encode(&claims));
        for text in [format!("{unsigned}."), format!("{unsigned}.{signature}"), client.sign(&header, &claims)] {
            let form = ClientAssertion::parse(&text).unwrap_err();
            assert!(matches!(form, AssertionError::Form(JwsError::Algorithm | JwsError::Malformed)), "{alg} {form}");
        }
    }
    // The public key as the secret of a MAC.
    let jwk = serde_json::to_string(&client.key.jwk("a")).unwrap();
    let mac = format!("{}.{}", encode(r#"{"alg":"HS256"}"#), encode(&claims));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, jwk.as_bytes()), mac.as_bytes());
    let mac = format!("{mac}.{}", encode(tag));
    assert_eq!(client.judge(&mac), Err(AssertionError::Form(JwsError::Algorithm)));
    // Another algorithm than the key's.
    for alg in ["RS256", "EdDSA", "Ed25519"] {
        let text = client.sign(&json!({ "alg": alg }).to_string(), &claims);
        assert_eq!(client.judge(&text), Err(AssertionError::NoKey), "{alg}");
    }
    for forged in [[0; 64], [0xff; 64]] {
        assert_eq!(client.judge(&format!("{signed}.{}", encode(forged))), Err(AssertionError::Signature));
    }
    let eve = Client::new();
    assert_eq!(client.judge(&eve.sign(r#"{"alg":"ES256"}"#, &claims)), Err(AssertionError::Signature));
    let none: [((), &VerifyingKey); 0] = [];
    assert_eq!(ClientAssertion::parse(&sound).unwrap().judge(none, &STRICT, now()), Err(AssertionError::NoKey));
}

#[test]
fn j05_ed25519_has_two_names_and_rsa_counts_too() {
    let client = Client::new();
    let claims = client.claims(json!({})).to_string();
    let pkcs8 = SigningKey::generate(SigningAlgorithm::EdDsa).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8(&pkcs8).unwrap();
    let key = SigningKey::from_pkcs8(SigningAlgorithm::EdDsa, &pkcs8).unwrap();
    for alg in ["EdDSA", "Ed25519"] {
        let signed = format!("{}.{}", encode(json!({ "alg": alg }).to_string()), encode(&claims));
        let text = format!("{signed}.{}", encode(pair.sign(signed.as_bytes())));
        let judged = ClientAssertion::parse(&text).unwrap().judge([(1, key.verifying_key())], &STRICT, now());
        assert_eq!(judged, Ok(1), "{alg}");
    }
    let pkcs8 = SigningKey::generate(SigningAlgorithm::Rs256).unwrap();
    let key = SigningKey::from_pkcs8(SigningAlgorithm::Rs256, &pkcs8).unwrap();
    let text = key.sign("JWT", "r", &client.claims(json!({}))).unwrap();
    let judged = ClientAssertion::parse(&text).unwrap().judge([(1, key.verifying_key())], &STRICT, now());
    assert_eq!(judged, Ok(1));
}

#[test]
fn j06_a_header_brings_no_key_and_no_extension() {
    let (client, eve) = (Client::new(), Client::new());
    let claims = client.claims(json!({})).to_string();
    let jwk = serde_json::to_value(eve.key.jwk("eve")).unwrap();
    for header in [
        json!({ "alg": "ES256", "jwk": jwk }),
        json!({ "alg": "ES256", "jku": "https://evil.test/keys" }),
        json!({ "alg": "ES256", "x5u": "https://evil.test/cert", "x5c": ["x".repeat(8000)], "x5t": "x" }),
    ] {
        assert_eq!(client.judge(&client.sign(&header.to_string(), &claims)), Ok("own"));
        assert_eq!(client.judge(&eve.sign(&header.to_string(), &claims)), Err(AssertionError::Signature));
    }
    for header in
        [r#"{"alg":"ES256","crit":["exp"],"exp":1}"#, r#"{"alg":"ES256","crit":[]}"#, r#"{"alg":"ES256","b64":false}"#]
    {
        let judged = client.judge(&client.sign(header, &claims));
        assert_eq!(judged, Err(AssertionError::Form(JwsError::Critical)), "{header}");
    }
}

#[test]
fn j06_a_kid_chooses_among_the_clients_keys_and_nothing_else() {
    let client = Client::new();
    let named =
        |key: &VerifyingKey, kid: &str| VerifyingKey::from_jwk(&serde_json::to_vec(&key.jwk(kid)).unwrap()).unwrap();
    let (old, new, other) = (named(&client.key, "old"), named(&client.key, "new"), named(&Client::new().key, "x"));
    let nameless = client.key.clone();
    let check = |header: Value, keys: &[(&'static str, &VerifyingKey)], expected: Result<&str, AssertionError>| {
        let text = client.sign(&header.to_string(), &client.claims(json!({})).to_string());
        let judged = ClientAssertion::parse(&text).and_then(|read| read.judge(keys.iter().copied(), &STRICT, now()));
        assert_eq!(judged, expected, "{header}");
    };
    let kid = |kid: &str| json!({ "alg": "ES256", "kid": kid });
    let all = [("x", &other), ("old", &old), ("new", &new)];
    check(kid("old"), &all, Ok("old"));
    check(kid("new"), &all, Ok("new"));
    check(kid("x"), &all, Err(AssertionError::Signature));
    check(json!({ "alg": "ES256" }), &all, Ok("old"));
    check(kid("y"), &all, Err(AssertionError::NoKey));
    // A key that was registered without a name is asked, whatever the client calls it.
    check(kid("y"), &[("x", &other), ("nameless", &nameless)], Ok("nameless"));
    for hostile in ["' OR 1=1; --", "../../etc/passwd", "a\r\nSet-Cookie: x", "\u{202e}\0", ""] {
        check(kid(hostile), &all, Err(AssertionError::NoKey));
    }
    check(kid(&"k".repeat(257)), &all, Err(AssertionError::Form(JwsError::Header)));
}

#[test]
fn j07_what_says_that_it_is_something_else_is_refused() {
    let client = Client::new();
    let check = |typ: &str, expected: Result<&str, AssertionError>| {
        let header = json!({ "alg": "ES256", "typ": typ }).to_string();
        assert_eq!(client.judge(&client.sign(&header, &client.claims(json!({})).to_string())), expected, "{typ}");
    };
    for typ in [
        "JWT",
        "jwt",
        "application/jwt",
        "client-authentication+jwt",
        "Client-Authentication+JWT",
        "application/client-authentication+jwt",
        "APPLICATION/CLIENT-AUTHENTICATION+JWT",
    ] {
        check(typ, Ok("own"));
    }
    for typ in ["at+jwt", "application/at+jwt", "dpop+jwt", "secevent+jwt", "JOSE", "", "JWT ", "application/"] {
        check(typ, Err(AssertionError::Form(JwsError::Type)));
    }
}

#[test]
fn j08_only_one_exact_text_is_an_assertion() {
    let client = Client::new();
    let claims = client.claims(json!({})).to_string();
    let sound = client.with(json!({}));
    let parts: Vec<&str> = sound.split('.').collect();
    let [header, payload, signature] = parts[..] else { panic!("not three parts") };
    for malformed in [
        json!({ "protected": header, "payload": payload, "signature": signature }).to_string(),
        json!({ "payload": payload, "signatures": [{ "protected": header, "signature": signature }] }).to_string(),
        format!("{header}..{payload}.{signature}.{header}"),
        format!("{sound}="),
        format!("{sound}\n"),
        format!(" {sound}"),
        format!("\u{feff}{sound}"),
        format!("{header}.{payload}=.{signature}"),
        format!("{header}.{payload}+/.{signature}"),
        format!("{sound}.{sound}"),
        String::new(),
        client.with(json!({ "x": "x".repeat(LONGEST) })),
    ] {
        let judged = client.judge(&malformed);
        assert_eq!(judged, Err(AssertionError::Form(JwsError::Malformed)), "{malformed}");
    }
    let twice = |name: &str, value: &str| claims.replacen('{', &format!("{{\"{name}\":{value},"), 1);
    for wrong in [
        twice("exp", "1"),
        twice("\\u0073ub", "\"x\""),
        twice("x", "{\"a\":1,\"a\":2}"),
        format!("\u{feff}{claims}"),
        format!("{claims} {claims}"),
        format!("[{claims}]"),
        json!(sound).to_string(),
        sound.clone(),
        String::new(),
    ] {
        let judged = client.judge(&client.sign(r#"{"alg":"ES256"}"#, &wrong));
        assert_eq!(judged, Err(AssertionError::Claims), "{wrong}");
    }
    let judged = client.judge(&client.sign(r#"{"alg":"ES256","alg":"ES256"}"#, &claims));
    assert_eq!(judged, Err(AssertionError::Form(JwsError::Header)));
    let nested = client.judge(&client.sign(r#"{"alg":"ES256","cty":"JWT"}"#, &json!(sound).to_string()));
    assert_eq!(nested, Err(AssertionError::Claims));
}

fn any_json() -> impl Strategy<Value = String> {
    let date = prop_oneof![
        any::<f64>().prop_map(|number| number.to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
        "\\PC{0,8}",
    ];
    (date, "\\PC{0,8}").prop_map(|(date, text)| {
        let id = Client::new().id.to_string();
        let text = json!(text);
        format!(r#"{{"iss":"{id}","sub":"{id}","aud":{text},"exp":{date},"iat":{date},"jti":{text}}}"#)
    })
}

proptest! {
    #[test]
    fn no_text_is_a_panic(text in "\\PC*", parts in prop::array::uniform3("[ -~]{0,60}")) {
        let _ = ClientAssertion::parse(&text);
        let [header, payload, signature] = parts.map(encode);
        let _ = ClientAssertion::parse(&format!("{header}.{payload}.{signature}"));
    }

    #[test]
    fn no_claim_is_a_panic(claims in any_json(), now in any::<i32>()) {
        let client = Client::new();
        let text = client.sign(r#"{"alg":"ES256"}"#, &claims);
        if let Ok(assertion) = ClientAssertion::parse(&text) {
            let now = Timestamp::from_second(i64::from(now)).unwrap();
            let _ = assertion.judge([((), &client.key)], &STRICT, now);
            let _ = assertion.single_use();
        }
    }
}
