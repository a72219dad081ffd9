//! The examples of the standards, and texts that somebody hostile would send.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::*;

const PAYLOAD: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

/// RFC 7515, appendix A.2.
const A2_N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
const A2_SIGNATURE: &str = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";

/// RFC 7515, appendix A.3; the private key as PKCS#8.
const A3_X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
const A3_Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
const A3_D: &str = "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI";
const A3_PKCS8: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgjpsQnnGQmL+YBIffH1136cspYG6+0iY7X1fCE9+E9LKhRANCAAR/zc4ncPbEXUGDy+5v20t7WAczNXvp7xO6z248e9FURcfxRM0bvZt+hyzf7bnuufSzaV1uqQskrYpGIyiFiOWt";
const A3_SIGNATURE: &str = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

/// RFC 8037, appendix A.
const ED_X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
const ED_JWS: &str = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

/// RFC 7638, section 3.1.
const THUMBPRINT_N: &str = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";

/// The same public keys as PEM.
const A3_PEM: &str = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV7\n6e8Tus9uPHvRVEXH8UTNG72bfocs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==\n-----END PUBLIC KEY-----\n";
const ED_PEM: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n";
const A2_PEM: &str = "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAofgWCuLjybRlzo0tZWJj\nNiuSfb4p4fAkd/wWJcyQoTbji9k0l8W26mPddxHmfHQp+Vaw+4qPCJrcS2mJPMEz\nP1Pt0Bm4d4QlL+yRT+SFd2lZS+pCgNMsD1W/YpRPEwOWvG6b32690r2jZ47soMZo\n9wGzjb/7OMg0LOL+bSf63kpaSHSXndS5z5rexMdbBYUsLA9e+KXBdQOS+UTo7WTB\nEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6/I5IhlJH7aGhyxX\nFvUK+DWNmoudF8NAco9/h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXp\noQIDAQAB\n-----END PUBLIC KEY-----\n";

const ANY: Typ = Typ::AbsentOr(&["JWT"]);

fn key(jwk: &Value) -> Result<VerifyingKey, JwkError> {
    VerifyingKey::from_jwk(jwk.to_string().as_bytes())
}

fn p256() -> Value {
    json!({ "kty": "EC", "crv": "P-256", "x": A3_X, "y": A3_Y })
}

fn ed25519() -> Value {
    json!({ "kty": "OKP", "crv": "Ed25519", "x": ED_X })
}

fn rsa() -> Value {
    json!({ "kty": "RSA", "n": A2_N, "e": "AQAB" })
}

fn with(mut jwk: Value, members: Value) -> Value {
    jwk.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    jwk
}

/// A JWS of the key of appendix A.3 with any header and payload.
fn signed(header: &str, payload: &str) -> String {
    let pkcs8 = STANDARD.decode(A3_PKCS8).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8).unwrap();
    let signed = format!("{}.{}", encode(header), encode(payload));
    let signature = encode(pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap());
    format!("{signed}.{signature}")
}

#[test]
fn the_examples_of_the_standards_are_proved_by_their_keys_alone() {
    let check = |text: &str, own: &Value, others: [&Value; 2]| {
        let jws = Jws::parse(text, ANY).unwrap();
        let claims: Result<Value, _> = jws.proved(&key(own).unwrap());
        match claims {
            Ok(claims) => assert_eq!(claims["iss"], "joe"),
            // The example of RFC 8037 signs a text, which is found out after the proof.
            Err(error) => assert_eq!((error, jws.algorithm()), (JwsError::Claims, SigningAlgorithm::EdDsa)),
        }
        for other in others {
            assert_eq!(jws.proved::<Value>(&key(other).unwrap()), Err(JwsError::Signature));
        }
        let (start, _) = text.rsplit_once('.').unwrap();
        let zero = format!("{start}.{}", encode([0; 64]));
        assert_eq!(Jws::parse(&zero, ANY).unwrap().proved::<Value>(&key(own).unwrap()), Err(JwsError::Signature));
    };
    let a2 = format!("eyJhbGciOiJSUzI1NiJ9.{PAYLOAD}.{A2_SIGNATURE}");
    let a3 = format!("eyJhbGciOiJFUzI1NiJ9.{PAYLOAD}.{A3_SIGNATURE}");
    check(&a2, &rsa(), [&p256(), &ed25519()]);
    check(&a3, &p256(), [&rsa(), &ed25519()]);
    check(ED_JWS, &ed25519(), [&rsa(), &p256()]);
    let another = with(rsa(), json!({ "n": THUMBPRINT_N }));
    assert_eq!(Jws::parse(&a2, ANY).unwrap().proved::<Value>(&key(&another).unwrap()), Err(JwsError::Signature));
}

#[test]
fn thumbprints_are_those_of_the_standards() {
    let check = |jwk: Value, expected: &str| assert_eq!(key(&jwk).unwrap().thumbprint(), expected);
    check(
        json!({ "kty": "RSA", "n": THUMBPRINT_N, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29" }),
        "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
    );
    check(ed25519(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

#[test]
fn a_key_signs_what_its_public_half_proves() {
    for algorithm in SigningAlgorithm::ALL {
        let pkcs8 = SigningKey::generate(algorithm).unwrap();
        let key = SigningKey::from_pkcs8(algorithm, &pkcs8).unwrap();
        let text = key.sign("at+jwt", "skey_1", &json!({ "sub": "a" })).unwrap();
        let jws = Jws::parse(&text, Typ::ACCESS_TOKEN).unwrap();
        assert_eq!((jws.algorithm(), jws.kid()), (algorithm, Some("skey_1")));
        // What is published reads back as the same key.
        let published = serde_json::to_vec(&key.verifying_key().jwk("skey_1")).unwrap();
        let read = VerifyingKey::from_jwk(&published).unwrap();
        assert_eq!((read.thumbprint(), read.kid()), (key.verifying_key().thumbprint(), Some("skey_1")));
        assert_eq!(jws.proved::<Value>(&read), Ok(json!({ "sub": "a" })));
        for other in SigningAlgorithm::ALL.into_iter().filter(|other| *other != algorithm) {
            assert_eq!(SigningKey::from_pkcs8(other, &pkcs8).unwrap_err(), KeyRejected(other));
        }
        assert!(!format!("{key:?}").contains(&encode(&pkcs8[40..])));
    }
    let a3 = SigningKey::from_pkcs8(SigningAlgorithm::Es256, &STANDARD.decode(A3_PKCS8).unwrap()).unwrap();
    assert_eq!(a3.verifying_key().thumbprint(), key(&p256()).unwrap().thumbprint());
}

#[test]
fn only_public_keys_that_can_prove_something_are_taken() {
    let check = |jwk: Value, expected: Result<(), JwkError>| assert_eq!(key(&jwk).map(drop), expected, "{jwk}");
    check(with(p256(), json!({ "use": "sig", "alg": "ES256", "kid": "a", "x5c": [], "x": A3_X })), Ok(()));
    check(with(ed25519(), json!({ "alg": "Ed25519", "key_ops": ["verify"] })), Ok(()));
    check(with(ed25519(), json!({ "alg": "EdDSA" })), Ok(()));
    for (member, value) in [("d", json!(A3_D)), ("p", json!(null)), ("k", json!("x")), ("oth", json!([]))] {
        for jwk in [p256(), ed25519(), rsa()] {
            check(with(jwk, json!({ member: value })), Err(JwkError::Secret));
        }
    }
    check(json!({ "kty": "oct", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ" }), Err(JwkError::Secret));
    check(json!({ "kty": "oct" }), Err(JwkError::Kind));
    check(json!({}), Err(JwkError::Kind));
    check(with(p256(), json!({ "crv": "secp256k1" })), Err(JwkError::Kind));
    check(with(p256(), json!({ "crv": "P-384" })), Err(JwkError::Kind));
    check(with(p256(), json!({ "kty": "ec" })), Err(JwkError::Kind));
    check(with(ed25519(), json!({ "crv": "X25519" })), Err(JwkError::Kind));
    for wrong in [json!({ "use": "enc" }), json!({ "key_ops": ["sign"] }), json!({ "key_ops": "verify" })] {
        check(with(p256(), wrong), Err(JwkError::Purpose));
    }
    for wrong in [json!({ "alg": "ES384" }), json!({ "alg": "RS256" }), json!({ "alg": null }), json!({ "kid": 1 })] {
        check(with(p256(), wrong), Err(JwkError::Purpose));
    }
    check(with(p256(), json!({ "kid": "x".repeat(257) })), Err(JwkError::Purpose));
    // RFC 7517, appendix A.1: a key for encryption.
    let (x, y) = ("MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM");
    check(json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y, "use": "enc", "kid": "1" }), Err(JwkError::Purpose));
    check(with(p256(), json!({ "x": x, "y": y })), Ok(()));
    // Off the curve, at infinity, too short, padded, not canonical.
    check(with(p256(), json!({ "y": x })), Err(JwkError::Point));
    check(with(p256(), json!({ "x": encode([0; 32]), "y": encode([0; 32]) })), Err(JwkError::Point));
    check(with(p256(), json!({ "x": encode([0xff; 32]) })), Err(JwkError::Point));
    check(with(p256(), json!({ "x": encode([1; 31]) })), Err(JwkError::Member("y")));
    check(with(p256(), json!({ "x": format!("{A3_X}=") })), Err(JwkError::Member("x")));
    check(with(p256(), json!({ "x": 1 })), Err(JwkError::Member("x")));
    check(json!({ "kty": "OKP", "crv": "Ed25519" }), Err(JwkError::Member("x")));
    check(with(ed25519(), json!({ "x": encode([7; 33]) })), Err(JwkError::Member("x")));
    assert_eq!(VerifyingKey::from_jwk(b"[]").map(drop), Err(JwkError::Malformed));
    assert_eq!(VerifyingKey::from_jwk(br#"{"kty":"RSA","kty":"EC"}"#).map(drop), Err(JwkError::Malformed));
    let long = with(p256(), json!({ "x5c": ["x".repeat(8 * 1024)] }));
    check(long, Err(JwkError::Malformed));
}

#[test]
fn an_rsa_key_is_long_and_odd() {
    let check = |n: Vec<u8>, e: &[u8], expected: Result<(), JwkError>| {
        let jwk = json!({ "kty": "RSA", "n": encode(n), "e": encode(e) });
        assert_eq!(key(&jwk).map(drop), expected, "{jwk}");
    };
    let n = || decode(A2_N).unwrap();
    let (f4, bad) = ([1, 0, 1], Err(JwkError::Rsa));
    check(n(), &f4, Ok(()));
    check(n(), &[3], Ok(()));
    for e in [&[1][..], &[0], &[], &[2], &[1, 0, 0], &[0, 1, 0, 1], &[1, 0, 0, 0, 1]] {
        check(n(), e, bad);
    }
    check(n()[..255].to_vec(), &f4, bad);
    check([&[0], n().as_slice()].concat(), &f4, bad);
    check([&n()[..255], &[2]].concat(), &f4, bad);
    check([[0x7f].as_slice(), &n()[1..]].concat(), &f4, bad);
    check([n(), vec![0xff; 769]].concat(), &f4, bad);
    check(Vec::new(), &f4, bad);
}

#[test]
fn a_key_for_which_anybody_can_sign_is_refused() {
    let check = |x: [u8; 32], sound: bool| {
        let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(x) });
        assert_eq!(key(&jwk).is_ok(), sound, "{x:?}");
    };
    let at_ends = |lowest: u8, middle: u8, highest: u8| {
        let mut x = [middle; 32];
        (x[0], x[31]) = (lowest, highest);
        x
    };
    let order_8 = |hex: &str| {
        let mut x = [0; 32];
        for (place, pair) in x.iter_mut().zip(hex.as_bytes().chunks(2)) {
            *place = u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
        }
        x
    };
    for sign in [0, 0x80] {
        for (lowest, middle, highest) in
            [(0, 0, 0), (1, 0, 0), (0xec, 0xff, 0x7f), (0xed, 0xff, 0x7f), (0xff, 0xff, 0x7f)]
        {
            check(at_ends(lowest, middle, highest | sign), false);
        }
        check(at_ends(0xeb, 0xff, 0x7f | sign), true);
        for hex in [
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        ] {
            let mut x = order_8(hex);
            x[31] |= sign;
            check(x, false);
        }
    }
}

#[test]
fn a_header_says_what_is_understood_and_wanted() {
    let check = |header: &str, typ: Typ, expected: Result<(), JwsError>| {
        assert_eq!(Jws::parse(&signed(header, "{}"), typ).map(drop), expected, "{header}");
    };
    check(r#"{"alg":"ES256"}"#, ANY, Ok(()));
    check(
        r#"{"alg":"ES256","kid":"'; DROP TABLE x; --\r\n/../..","jku":"https://evil.test","x5u":"x","x5c":["x"]}"#,
        ANY,
        Ok(()),
    );
    for alg in ["none", "nOnE", "", "HS256", "es256", "ES384", "PS256", "RS512", "dir"] {
        check(&json!({ "alg": alg }).to_string(), ANY, Err(JwsError::Algorithm));
    }
    for header in [
        "",
        "x",
        "[]",
        r#"["ES256"]"#,
        "{}",
        r#"{"alg":null}"#,
        r#"{"alg":["ES256"]}"#,
        r#"{"alg":"ES256","alg":"ES256"}"#,
        r#"{"alg":"none","\u0061lg":"ES256"}"#,
        r#"{"alg":"ES256","x":{"a":1,"a":2}}"#,
        r#"{"alg":"ES256"} "x""#,
        "\u{feff}{\"alg\":\"ES256\"}",
        r#"{"alg":"ES256","typ":1}"#,
        r#"{"alg":"ES256","typ":null}"#,
        r#"{"alg":"ES256","kid":7}"#,
        r#"{"alg":"ES256","jwk":"x"}"#,
    ] {
        check(header, ANY, Err(JwsError::Header));
    }
    check(&json!({ "alg": "ES256", "kid": "k".repeat(257) }).to_string(), ANY, Err(JwsError::Header));
    for header in [
        r#"{"alg":"ES256","crit":["exp"],"exp":1}"#,
        r#"{"alg":"ES256","crit":[]}"#,
        r#"{"alg":"ES256","crit":null}"#,
        r#"{"alg":"ES256","b64":false}"#,
    ] {
        check(header, ANY, Err(JwsError::Critical));
    }
    let typed = |typ: &str| json!({ "alg": "ES256", "typ": typ }).to_string();
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"] {
        check(&typed(typ), Typ::ACCESS_TOKEN, Ok(()));
        check(&typed(typ), ANY, Err(JwsError::Type));
    }
    for typ in
        ["JWT", "dpop+jwt", "at+jwt ", "x/at+jwt", "application/application/at+jwt", "", "application/", "applicatioé"]
    {
        check(&typed(typ), Typ::ACCESS_TOKEN, Err(JwsError::Type));
    }
    check(r#"{"alg":"ES256"}"#, Typ::ACCESS_TOKEN, Err(JwsError::Type));
    check(&typed("jwt"), ANY, Ok(()));
}

#[test]
fn a_header_with_a_chain_of_certificates_is_read_where_it_is_expected() {
    let long = signed(&json!({ "alg": "ES256", "x5c": ["x".repeat(6 * 1024)] }).to_string(), "{}");
    assert_eq!(Jws::parse(&long, ANY).map(drop), Err(JwsError::Malformed));
    assert_eq!(Jws::parse_long(&long, ANY, long.len()).map(drop), Ok(()));
    assert_eq!(Jws::parse_long(&long, ANY, long.len() - 1).map(drop), Err(JwsError::Malformed));
}

#[test]
fn a_text_that_is_not_exactly_a_compact_jws_is_refused() {
    let sound = signed(r#"{"alg":"ES256"}"#, r#"{"iss":"joe"}"#);
    let own = key(&p256()).unwrap();
    let check = |text: &str, expected: Result<(), JwsError>| {
        let proved = Jws::parse(text, ANY).and_then(|jws| jws.proved::<Value>(&own));
        assert_eq!(proved.map(drop), expected, "{text}");
    };
    check(&sound, Ok(()));
    let (start, signature) = sound.rsplit_once('.').unwrap();
    let (header, payload) = start.split_once('.').unwrap();
    for malformed in [
        String::new(),
        "...".to_owned(),
        start.to_owned(),
        format!("{start}."),
        format!("{start}..{signature}"),
        format!("{sound}.x.y"),
        format!("{sound}="),
        format!("{sound}\n"),
        format!(" {sound}"),
        format!("{sound}é"),
        format!("{header}=.{payload}.{signature}"),
        format!("{header}.{payload}+.{signature}"),
        format!("{header}.{payload}.{signature}AAA"),
        json!({ "protected": header, "payload": payload, "signature": signature }).to_string(),
        signed(&format!(r#"{{"alg":"ES256","x":"{}"}}"#, "x".repeat(2048)), "{}"),
        signed(r#"{"alg":"ES256"}"#, &"x".repeat(8192)),
    ] {
        check(&malformed, Err(JwsError::Malformed));
    }
    check(&format!("{header}.{}.{signature}", encode(r#"{"iss":"eve"}"#)), Err(JwsError::Signature));
    check(&format!("{sound}A"), Err(JwsError::Signature));
    check(&format!("{start}.{}", encode([0; 64])), Err(JwsError::Signature));
    check(&format!("{start}.{}", encode([0xff; 64])), Err(JwsError::Signature));
    check(&format!("{start}.{}", encode([1; 70])), Err(JwsError::Signature));
    for payload in ["", "[]", "x", r#"{"a":1,"a":2}"#, "\"nested.jwt.text\""] {
        check(&signed(r#"{"alg":"ES256"}"#, payload), Err(JwsError::Claims));
    }
    // A signature as DER, as other libraries write it, is another one.
    let pkcs8 = STANDARD.decode(A3_PKCS8).unwrap();
    let der = EcdsaKeyPair::from_pkcs8(&aws_lc_rs::signature::ECDSA_P256_SHA256_ASN1_SIGNING, &pkcs8).unwrap();
    let signature = encode(der.sign(&SystemRandom::new(), start.as_bytes()).unwrap());
    check(&format!("{start}.{signature}"), Err(JwsError::Signature));
}

#[test]
fn a_public_key_may_come_as_pem() {
    let check = |pem: &str, own: &Value| {
        let read = VerifyingKey::from_pem(pem.as_bytes()).unwrap();
        assert_eq!(read.thumbprint(), key(own).unwrap().thumbprint());
        // Another line length, or other line ends, are the same key.
        let folded = pem.replace('\n', "\r\n");
        assert_eq!(VerifyingKey::from_pem(folded.as_bytes()).unwrap().thumbprint(), read.thumbprint());
    };
    check(A3_PEM, &p256());
    check(ED_PEM, &ed25519());
    check(A2_PEM, &rsa());
    let refused = |pem: &str, expected: JwkError| {
        assert_eq!(VerifyingKey::from_pem(pem.as_bytes()).map(drop), Err(expected), "{pem}");
    };
    refused("", JwkError::Malformed);
    refused(A3_PEM.trim_end_matches(['-', '\n']), JwkError::Malformed);
    refused(&A3_PEM.replace("MFkw", "!!!!"), JwkError::Malformed);
    refused(&format!("{A3_PEM}{ED_PEM}"), JwkError::Malformed);
    refused(&A3_PEM.replace("PUBLIC", "PRIVATE"), JwkError::Secret);
    refused(&A3_PEM.replace("PUBLIC", "EC PRIVATE"), JwkError::Secret);
    refused(&A3_PEM.replace("MFkw", "MFow"), JwkError::Kind);
    refused("-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----", JwkError::Kind);
    let short = STANDARD.encode(&STANDARD.decode(ED_PEM.lines().nth(1).unwrap()).unwrap()[..43]);
    refused(&format!("-----BEGIN PUBLIC KEY-----\n{short}\n-----END PUBLIC KEY-----"), JwkError::Member("x"));
    for cut in 0..24 {
        let der = STANDARD.decode(A2_PEM.lines().filter(|line| !line.starts_with('-')).collect::<String>()).unwrap();
        let cut = STANDARD.encode(&der[..cut]);
        refused(&format!("-----BEGIN PUBLIC KEY-----\n{cut}\n-----END PUBLIC KEY-----"), JwkError::Kind);
    }
}
