use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{SigningAlgorithm, SigningKey};

/// RFC 9449, sections 4.1 and 7.1: both of one key, whose thumbprint stands in section 6.1.
const TOKEN_REQUEST: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg";
const RESOURCE_REQUEST: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA";
const EXAMPLE_TOKEN: &str = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
const EXAMPLE_KEY: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";

const NOW: i64 = 1_800_000_000;
const URL: &str = "https://api.acme.test/invoices";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn urls(urls: &[&str]) -> Vec<ProofUrl> {
    urls.iter().map(|url| ProofUrl::parse(url).unwrap()).collect()
}

/// A key that signs whatever it is told.
struct Signer {
    key: SigningKey,
    pair: EcdsaKeyPair,
}

impl Signer {
    fn new() -> Self {
        let pkcs8 = SigningKey::generate(SigningAlgorithm::Es256).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8).unwrap();
        Self { key: SigningKey::from_pkcs8(SigningAlgorithm::Es256, &pkcs8).unwrap(), pair }
    }

    /// Its public key, with only what RFC 7518 asks for.
    fn jwk(&self) -> Value {
        let mut jwk = serde_json::to_value(self.key.verifying_key().jwk("")).unwrap();
        for member in ["use", "alg", "kid"] {
            jwk.as_object_mut().unwrap().remove(member);
        }
        jwk
    }

    fn header(&self) -> Value {
        json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk() })
    }

    fn signed(&self, header: &str, payload: &str) -> String {
        let signed = format!("{}.{}", encode(header), encode(payload));
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", encode(signature))
    }
}

fn claims() -> Value {
    json!({ "jti": "1", "htm": "GET", "htu": URL, "iat": NOW })
}

/// With these members in place of its own; null takes one away.
fn with(mut object: Value, members: Value) -> Value {
    let own = object.as_object_mut().unwrap();
    for (name, value) in members.as_object().unwrap() {
        if value.is_null() {
            own.remove(name);
        } else {
            own.insert(name.clone(), value.clone());
        }
    }
    object
}

fn judged(text: &str) -> Result<DpopProof, DpopError> {
    let urls = urls(&[URL]);
    let expected = DpopExpected { method: "GET", urls: &urls, credential: None, nonces: None, now: at(NOW) };
    DpopProof::check(text, &expected)
}

#[test]
fn d01_the_examples_of_the_standard_hold() {
    let check = |text: &str, method: &str, url: &str, credential: Option<&str>, second: i64| {
        let urls = urls(&[url]);
        let expected = DpopExpected { method, urls: &urls, credential, nonces: None, now: at(second) };
        let proof = DpopProof::check(text, &expected).unwrap();
        assert_eq!(proof.thumbprint.to_string(), EXAMPLE_KEY);
        assert!(proof.ends_at > expected.now && proof.ends_at <= at(second + 60));
    };
    check(TOKEN_REQUEST, "POST", "https://server.example.com/token", None, 1_562_262_616);
    let url = "https://resource.example.org/protectedresource";
    check(RESOURCE_REQUEST, "GET", url, Some(EXAMPLE_TOKEN), 1_562_262_618);
    check(RESOURCE_REQUEST, "GET", url, None, 1_562_262_618);
}

#[test]
fn d01_each_algorithm_proves_its_own_key() {
    for algorithm in SigningAlgorithm::ALL {
        let key = SigningKey::from_pkcs8(algorithm, &SigningKey::generate(algorithm).unwrap()).unwrap();
        let proof = judged(&key.sign_with_jwk("dpop+jwt", &claims()).unwrap()).unwrap();
        assert_eq!(proof.thumbprint.to_string(), key.verifying_key().thumbprint());
        assert_eq!(proof.jti, "1");
    }
}

#[test]
fn d03_a_proof_says_what_it_must_and_is_signed_by_its_key() {
    let signer = Signer::new();
    let header = |members: Value, expected: Result<(), DpopError>| {
        let text = signer.signed(&with(signer.header(), members.clone()).to_string(), &claims().to_string());
        assert_eq!(judged(&text).map(drop), expected, "{members}");
    };
    let form = |error| Err(DpopError::Form(error));
    header(json!({}), Ok(()));
    header(json!({ "typ": "application/DPoP+JWT", "kid": "any" }), Ok(()));
    header(json!({ "typ": null }), form(JwsError::Type));
    for typ in ["JWT", "at+jwt", "jwt", ""] {
        header(json!({ "typ": typ }), form(JwsError::Type));
    }
    header(json!({ "alg": null }), form(JwsError::Header));
    for alg in ["none", "nOnE", "HS256", "HS512", "ES384", "PS256", ""] {
        header(json!({ "alg": alg }), form(JwsError::Algorithm));
    }
    for alg in ["RS256", "EdDSA"] {
        header(json!({ "alg": alg }), form(JwsError::Signature));
    }
    header(json!({ "jwk": null }), Err(DpopError::NoKey));
    header(json!({ "jwk": "x" }), form(JwsError::Header));
    header(json!({ "jwk": [] }), form(JwsError::Header));
    header(json!({ "jwk": {} }), Err(DpopError::Key(JwkError::Kind)));
    header(json!({ "crit": ["exp"] }), form(JwsError::Critical));
    for secret in ["d", "p", "q", "dp", "dq", "qi", "k", "oth"] {
        header(json!({ "jwk": with(signer.jwk(), json!({ secret: "AQAB" })) }), Err(DpopError::Key(JwkError::Secret)));
    }
    header(json!({ "jwk": Signer::new().jwk() }), form(JwsError::Signature));
    header(json!({ "jwk": { "kty": "oct", "k": "AQAB" } }), Err(DpopError::Key(JwkError::Secret)));
    header(json!({ "jwk": { "kty": "oct" } }), Err(DpopError::Key(JwkError::Kind)));
    // A key elsewhere is not asked for, and its own key is not looked for there.
    header(json!({ "jwk": null, "jku": "https://evil.test", "x5c": ["AAAA"] }), Err(DpopError::NoKey));

    let payload = |members: Value, expected: Result<(), DpopError>| {
        let text = signer.signed(&signer.header().to_string(), &with(claims(), members.clone()).to_string());
        assert_eq!(judged(&text).map(drop), expected, "{members}");
    };
    for claim in ["jti", "htm", "htu", "iat"] {
        payload(json!({ claim: null }), Err(DpopError::Claims));
        payload(json!({ claim: [] }), Err(DpopError::Claims));
        payload(json!({ claim: {} }), Err(DpopError::Claims));
    }
    for iat in [json!("1800000000"), json!(true)] {
        payload(json!({ "iat": iat }), Err(DpopError::Claims));
    }
    for iat in [json!(-1), json!(1e300), json!(253_402_300_800_i64)] {
        payload(json!({ "iat": iat }), Err(DpopError::Claims));
    }
    payload(json!({ "iat": 1_799_999_999.5 }), Ok(()));
    payload(json!({ "ath": 1 }), Err(DpopError::Claims));
    payload(json!({ "nonce": ["x"] }), Err(DpopError::Claims));
}

#[test]
fn d03_what_is_no_proof_at_all_is_told_apart_from_a_wrong_one() {
    let signer = Signer::new();
    let sound = signer.signed(&signer.header().to_string(), &claims().to_string());
    let check = |text: &str, expected: DpopError| assert_eq!(judged(text), Err(expected), "{text}");
    assert!(judged(&sound).is_ok());
    let twice = format!("{sound},{sound}");
    let padded = format!("{sound}=");
    let long =
        signer.signed(&signer.header().to_string(), &with(claims(), json!({ "x": "x".repeat(9000) })).to_string());
    let deep = signer.signed(&signer.header().to_string(), &format!("{{\"jti\":{}", "[".repeat(1000)));
    for malformed in ["", "x", "a.b", "a.b.c.d", "é.é.é", &twice, &padded, &long, &format!("{sound}, {sound}")] {
        check(malformed, DpopError::Form(JwsError::Malformed));
    }
    check(&deep, DpopError::Claims);
    let same_twice =
        signer.signed(&signer.header().to_string(), &claims().to_string().replacen('{', r#"{"jti":"0","#, 1));
    check(&same_twice, DpopError::Claims);
    let jwk_twice = signer.header().to_string().replacen('{', r#"{"jwk":{},"#, 1);
    check(&signer.signed(&jwk_twice, &claims().to_string()), DpopError::Form(JwsError::Header));
    let (start, signature) = sound.rsplit_once('.').unwrap();
    check(start, DpopError::Form(JwsError::Malformed));
    check(&format!("{start}."), DpopError::Form(JwsError::Malformed));
    check(&format!("{start}.{}", encode([0; 64])), DpopError::Form(JwsError::Signature));
    let other = with(claims(), json!({ "htm": "DELETE" })).to_string();
    let (head, _) = start.split_once('.').unwrap();
    check(&format!("{head}.{}.{signature}", encode(other)), DpopError::Form(JwsError::Signature));
}

#[test]
fn d04_a_proof_is_for_one_method_and_one_address() {
    let signer = Signer::new();
    let check = |members: Value, to: &[&str], expected: Result<(), DpopError>| {
        let text = signer.signed(&signer.header().to_string(), &with(claims(), members.clone()).to_string());
        let urls = urls(to);
        let expected_of = DpopExpected { method: "GET", urls: &urls, credential: None, nonces: None, now: at(NOW) };
        assert_eq!(DpopProof::check(&text, &expected_of).map(drop), expected, "{members} {to:?}");
    };
    for method in ["get", "POST", "", "GET ", "Get"] {
        check(json!({ "htm": method }), &[URL], Err(DpopError::Method));
    }
    check(json!({}), &["https://other.test/", URL], Ok(()));
    check(json!({}), &[], Err(DpopError::Url));
    let same = |htu: &str, url: &str| check(json!({ "htu": htu }), &[url], Ok(()));
    let other = |htu: &str, url: &str| check(json!({ "htu": htu }), &[url], Err(DpopError::Url));
    same("https://api.acme.test/invoices?a=b#c", URL);
    same(URL, "https://api.acme.test/invoices?page=2");
    same("HTTPS://API.acme.TEST/invoices", URL);
    same("https://api.acme.test:443/invoices", URL);
    same("http://api.acme.test:80/", "http://api.acme.test");
    same("https://api.acme.test/a/../invoices", URL);
    same("https://api.acme.test/./%69nvoices", URL);
    same("https://api.acme.test/a%2fb/%7Eme", "https://api.acme.test/a%2Fb/~me");
    same("https://api.acme.test/caf%c3%a9", "https://api.acme.test/caf%C3%A9");
    for htu in [
        "https://api.acme.test/Invoices",
        "https://api.acme.test/invoices/",
        "https://api.acme.test/",
        "https://api.acme.test/invoices/1",
        "https://api.acme.test/x%2finvoices",
        "https://api.acme.test//invoices",
        "http://api.acme.test/invoices",
        "https://api.acme.test:8443/invoices",
        "https://api.acme.test.evil.test/invoices",
        "https://evil.test/invoices",
        "https://api.acme.test@evil.test/invoices",
        "https://me@api.acme.test/invoices",
        "https://:x@api.acme.test/invoices",
        "//api.acme.test/invoices",
        "/invoices",
        "invoices",
        "",
        " https://api.acme.test/invoices",
        "https://api.acme.test\\invoices",
        "https://api.acme.test/\tinvoices",
        "https://api.acme.test/invo\u{ed}ces",
        "ftp://api.acme.test/invoices",
        "urn:invoices",
        "https://api.acme.test/invoices%",
        "https://api.acme.test/invoices%6",
        "https://api.acme.test/invoices%zz",
        "https://api.acme.test/%4%41",
    ] {
        other(htu, URL);
    }
}

#[test]
fn d05_a_proof_counts_for_a_minute() {
    let signer = Signer::new();
    let check = |members: Value, expected: Result<i64, DpopError>| {
        let text = signer.signed(&signer.header().to_string(), &with(claims(), members.clone()).to_string());
        let ends = judged(&text).map(|proof| proof.ends_at.as_second() - NOW);
        assert_eq!(ends, expected, "{members}");
    };
    check(json!({ "iat": NOW - 10 }), Ok(50));
    check(json!({ "iat": NOW + 10 }), Ok(70));
    check(json!({ "iat": NOW - 59 }), Ok(1));
    check(json!({ "iat": NOW - 60 }), Err(DpopError::Old));
    check(json!({ "iat": NOW + 59 }), Ok(119));
    check(json!({ "iat": NOW + 60 }), Err(DpopError::NotYet));
    check(json!({ "iat": NOW - 3600 }), Err(DpopError::Old));
    check(json!({ "iat": NOW + 3600 }), Err(DpopError::NotYet));
    check(json!({ "iat": 0 }), Err(DpopError::Old));
    // What it says besides is honoured, and nobody asks for it.
    check(json!({ "nbf": NOW, "exp": NOW + 1, "aud": "x", "sub": 7 }), Ok(60));
    check(json!({ "exp": NOW - 59 }), Ok(60));
    check(json!({ "exp": NOW - 60 }), Err(DpopError::Old));
    check(json!({ "nbf": NOW + 60 }), Err(DpopError::NotYet));
    check(json!({ "exp": "x" }), Err(DpopError::Claims));
}

#[test]
fn d06_an_id_is_short() {
    let signer = Signer::new();
    let check = |jti: &str, expected: Result<(), DpopError>| {
        let claims = with(claims(), json!({ "jti": jti })).to_string();
        assert_eq!(judged(&signer.signed(&signer.header().to_string(), &claims)).map(drop), expected);
    };
    check("", Err(DpopError::Jti));
    check(&"x".repeat(256), Ok(()));
    check(&"x".repeat(257), Err(DpopError::Jti));
    check(&"\u{e9}".repeat(129), Err(DpopError::Jti));
}

#[test]
fn d07_a_nonce_rules_the_time_where_one_is_asked_for() {
    let signer = Signer::new();
    let nonces = [(NOW, "over"), (NOW + 30, "old"), (NOW + 90, "new")]
        .map(|(end, text)| DpopNonce { text: text.to_owned(), ends_at: at(end) });
    let check = |members: Value, expected: Result<i64, DpopError>| {
        let text = signer.signed(&signer.header().to_string(), &with(claims(), members.clone()).to_string());
        let urls = urls(&[URL]);
        let asked = DpopExpected { method: "GET", urls: &urls, credential: None, nonces: Some(&nonces), now: at(NOW) };
        let ends = DpopProof::check(&text, &asked).map(|proof| proof.ends_at.as_second() - NOW);
        assert_eq!(ends, expected, "{members}");
    };
    check(json!({}), Err(DpopError::Nonce));
    check(json!({ "nonce": "" }), Err(DpopError::Nonce));
    check(json!({ "nonce": "other" }), Err(DpopError::Nonce));
    check(json!({ "nonce": "over" }), Err(DpopError::Nonce));
    check(json!({ "nonce": "old" }), Ok(30));
    check(json!({ "nonce": "new", "iat": NOW - 3600 }), Ok(90));
    check(json!({ "nonce": "new", "iat": NOW + 3600, "nbf": NOW + 3600 }), Ok(90));
    check(json!({ "nonce": "new", "iat": NOW - 3600, "exp": NOW - 3540 }), Ok(90));
    check(json!({ "iat": NOW - 3600, "exp": NOW - 3540 }), Err(DpopError::Nonce));
    check(json!({ "nonce": "new", "htm": "POST" }), Err(DpopError::Method));
    // Where none is asked for, one that stands there is nobody's business.
    let text = signer.signed(&signer.header().to_string(), &with(claims(), json!({ "nonce": "x" })).to_string());
    assert!(judged(&text).is_ok());
}

#[test]
fn d08_a_proof_is_for_the_credential_that_it_comes_with() {
    let signer = Signer::new();
    let check = |ath: Value, expected: Result<(), DpopError>| {
        let text = signer.signed(&signer.header().to_string(), &with(claims(), json!({ "ath": ath })).to_string());
        let urls = urls(&[URL]);
        let asked =
            DpopExpected { method: "GET", urls: &urls, credential: Some(EXAMPLE_TOKEN), nonces: None, now: at(NOW) };
        assert_eq!(DpopProof::check(&text, &asked).map(drop), expected, "{ath}");
    };
    check(json!("fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"), Ok(()));
    check(Value::Null, Err(DpopError::Credential));
    check(json!(""), Err(DpopError::Credential));
    check(json!("fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo="), Err(DpopError::Credential));
    check(json!(EXAMPLE_TOKEN), Err(DpopError::Credential));
    check(json!(encode(digest(&SHA256, b"another"))), Err(DpopError::Credential));
}

proptest! {
    #[test]
    fn d03_reading_never_panics(text in "\\PC*", header in "\\PC*", payload in "\\PC*") {
        prop_assert!(judged(&text).is_err());
        let text = format!("{}.{}.{}", encode(header), encode(payload), encode([0; 64]));
        prop_assert!(judged(&text).is_err());
    }

    #[test]
    fn d04_an_address_that_was_written_once_stays_so(path in "(/|%|%2|%2f|%41|\\.|\\.\\.|[a-zA-Z0-9~!:@?#]){0,20}") {
        let url = format!("https://a.test/{path}");
        if let Some(once) = ProofUrl::parse(&url) {
            prop_assert_eq!(ProofUrl::parse(&once.0), Some(once.clone()), "{} {:?}", url, once);
        }
    }
}
