//! `vectors/` at the repository's root: cases that the judges of every language share. Each says all that a verdict depends on, the time
//! included, and the code that is expected.
//!
//! `cargo test -p claviger-sdk --test vectors -- --ignored` writes the file of tokens anew, by keys that nobody keeps.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop right there")]

use std::{fs, path::PathBuf, time::Duration};

use claviger_sdk::{Answer, Asked, Ended, Events, Keys, Names, Object, Permission, Proof, Shown, judge, read_token};
use claviger_token::{
    Brand, Concerns, DpopExpected, DpopProof, Environment, Opaque, ProofUrl, SigningAlgorithm, SigningKey, Verdict,
};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

const ISSUER: &str = "https://keys.acme.test";
const AUDIENCE: &str = "https://api.acme.test";
const NOW: i64 = 1_800_000_000;

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../vectors").join(name)
}

fn read<T: for<'de> Deserialize<'de>>(name: &str) -> T {
    serde_json::from_slice(&fs::read(path(name)).unwrap()).unwrap()
}

/// What a request asks for and shows.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Use {
    audience: String,
    environment: Option<Environment>,
    permissions: Vec<Permission>,
    objects: Vec<Object>,
    client_ip: Option<std::net::IpAddr>,
    /// The thumbprint of the certificate that was shown.
    certificate: Option<String>,
    dpop: Option<Dpop>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Dpop {
    proof: String,
    method: String,
    url: String,
}

impl Use {
    fn asked(&self, credential: &str, now: Timestamp) -> Asked<'_> {
        let key = self.dpop.as_ref().map_or(Shown::Nothing, |dpop| {
            let urls = [ProofUrl::parse(&dpop.url).unwrap()];
            let expected =
                DpopExpected { method: &dpop.method, urls: &urls, credential: Some(credential), nonces: None, now };
            DpopProof::check(&dpop.proof, &expected).map_or(Shown::Invalid, |proof| Shown::Held(proof.thumbprint))
        });
        let certificate = self.certificate.as_ref().map_or(Shown::Nothing, |shown| Shown::Held(shown.parse().unwrap()));
        Asked {
            audience: Some(&self.audience),
            environment: self.environment,
            permissions: &self.permissions,
            objects: &self.objects,
            whatever_object: false,
            client_ip: self.client_ip,
            proof: Proof { key, certificate },
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenCase {
    name: String,
    token: String,
    now: i64,
    #[serde(rename = "use")]
    used: Use,
    /// The feed of what ended, as it was received, one after the other.
    revocations: Vec<String>,
    expected: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tokens {
    #[expect(dead_code, reason = "for people")]
    about: String,
    issuer: String,
    keys: Value,
    cases: Vec<TokenCase>,
}

#[test]
fn every_token_is_judged_as_the_vectors_say() {
    let file: Tokens = read("access-tokens.json");
    let keys = Keys::read(file.keys.to_string().as_bytes()).unwrap();
    assert!(file.cases.len() > 40);
    for case in &file.cases {
        let now = Timestamp::from_second(case.now).unwrap();
        let ended = case.revocations.iter().fold(Ended::default(), |known, text| {
            known.followed_by(Ended::read(text, &keys, &file.issuer, now).unwrap_or_default(), now)
        });
        let verdict = match read_token(&case.token, &keys, &file.issuer, now) {
            Ok(found) => judge(&found, &ended, &case.used.asked(&case.token, now), now),
            Err(error) => Verdict::Refused(error.refusal()),
        };
        assert_eq!(verdict.code(), case.expected, "{}", case.name);
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AnswerCase {
    name: String,
    answer: Value,
    now: i64,
    #[serde(rename = "use")]
    used: Use,
    /// Whether it can be read at all.
    #[serde(default = "yes")]
    is_answer: bool,
    /// Whether it may be decided from the answer at all, and what then comes of this use.
    cacheable: bool,
    expected: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answers {
    #[expect(dead_code, reason = "for people")]
    about: String,
    cases: Vec<AnswerCase>,
}

#[test]
fn every_kept_answer_is_judged_as_the_vectors_say() {
    let file: Answers = read("verify-answers.json");
    for case in &file.cases {
        let answer = Answer::read(case.answer.to_string().as_bytes()).ok();
        assert_eq!(answer.is_some(), case.is_answer, "{}", case.name);
        let is_cacheable = answer.as_ref().is_some_and(|answer| answer.max_age_seconds.is_some());
        assert_eq!(is_cacheable, case.cacheable, "{}", case.name);
        let now = Timestamp::from_second(case.now).unwrap();
        let found = answer.and_then(|answer| answer.found).filter(|_| case.cacheable);
        let verdict = found.map(|found| judge(&found, &Ended::default(), &case.used.asked("", now), now));
        assert_eq!(verdict.map(Verdict::code), case.expected.as_deref(), "{}", case.name);
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TextCase {
    name: String,
    text: String,
    well_formed: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Texts {
    #[expect(dead_code, reason = "for people")]
    about: String,
    cases: Vec<TextCase>,
}

#[test]
fn every_opaque_text_is_read_as_the_vectors_say() {
    let file: Texts = read("opaque-texts.json");
    for TextCase { name, text, well_formed } in &file.cases {
        let brand = text.split_once('_').and_then(|(brand, _)| brand.parse::<Brand>().ok());
        let is_well_formed = brand.is_some_and(|brand| Opaque::parse(text, &[brand]).is_ok());
        assert_eq!(is_well_formed, *well_formed, "{name}");
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FeedCase {
    name: String,
    /// What was received, in pieces.
    received: Vec<String>,
    /// Whether it tells all names: if not, nothing that is kept counts from a second later on.
    #[serde(default = "yes")]
    tells_all: bool,
    /// What is kept, read after so many resets at a position, and whether it counts.
    kept: Vec<KeptCase>,
}

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptCase {
    beginning: u64,
    position: i64,
    credential: String,
    principal: String,
    organization: String,
    may_be_kept: bool,
    counts: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Feeds {
    #[expect(dead_code, reason = "for people")]
    about: String,
    cases: Vec<FeedCase>,
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test needs some instant to count from")]
fn every_change_voids_what_the_vectors_say() {
    let file: Feeds = read("change-feed.json");
    let now = std::time::Instant::now();
    for case in &file.cases {
        let (mut events, mut names) = (Events::default(), Names::default());
        for piece in &case.received {
            for message in events.take(piece.as_bytes()).unwrap() {
                names.take(&message, now + Duration::from_secs(1));
            }
        }
        assert_eq!(names.withheld_since().is_none(), case.tells_all, "{}", case.name);
        for (index, kept) in case.kept.iter().enumerate() {
            let concerned = [
                Concerns::Credential(kept.credential.parse().unwrap()),
                Concerns::Principal(kept.principal.parse().unwrap()),
                Concerns::Organization(kept.organization.parse().unwrap()),
            ];
            let may_be_kept = names.knows_since(kept.beginning, kept.position);
            let counts = names.hold(kept.beginning, kept.position, concerned);
            assert_eq!((may_be_kept, counts), (kept.may_be_kept, kept.counts), "{}, {index}", case.name);
        }
    }
}

/// Makes tokens of one instance.
struct Maker {
    keys: Vec<(String, SigningKey)>,
}

impl Maker {
    fn new() -> Self {
        let algorithms = [SigningAlgorithm::Es256, SigningAlgorithm::EdDsa, SigningAlgorithm::Rs256];
        let keys = algorithms.into_iter().map(|algorithm| (format!("{algorithm}-1"), signing_key(algorithm))).collect();
        Self { keys }
    }

    fn jwks(&self) -> Value {
        json!({ "keys": self.keys.iter().map(|(kid, key)| json!(key.verifying_key().jwk(kid.as_str()))).collect::<Vec<_>>() })
    }

    fn sign(&self, typ: &'static str, claims: &impl serde::Serialize) -> String {
        self.keys[0].1.sign(typ, &self.keys[0].0, claims).unwrap()
    }
}

fn signing_key(algorithm: SigningAlgorithm) -> SigningKey {
    SigningKey::from_pkcs8(algorithm, &SigningKey::generate(algorithm).unwrap()).unwrap()
}

fn merged(mut base: Value, more: &Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        if value == &json!("absent") {
            base.as_object_mut().unwrap().remove(name);
        } else {
            base[name] = value.clone();
        }
    }
    base
}

fn claims(more: &Value) -> Value {
    let least = json!({
        "iss": ISSUER, "sub": "sa_01h2xcejqtf2nbrexx3vqjhp41", "aud": AUDIENCE, "exp": NOW + 600, "iat": NOW,
        "jti": "at_01h2xcejqtf2nbrexx3vqjhp41", "client_id": "sa_01h2xcejqtf2nbrexx3vqjhp41",
        "scope": "invoices:read invoices:write", "org": "org_01h2xcejqtf2nbrexx3vqjhp41",
        "cred": "csec_01h2xcejqtf2nbrexx3vqjhp41", "epoch": 3, "env": "live",
    });
    merged(least, more)
}

fn usual(more: &Value) -> Value {
    let usual = json!({
        "audience": AUDIENCE, "environment": null, "permissions": ["invoices:read"], "objects": [], "client_ip": null,
        "certificate": null, "dpop": null,
    });
    merged(usual, more)
}

/// Of a proof that comes with this token.
fn proof_claims(token: &str, more: &Value) -> Value {
    let ath = claviger_token::DpopProof::ath(token);
    merged(json!({ "jti": "1", "htm": "GET", "htu": "https://api.acme.test/invoices", "iat": NOW, "ath": ath }), more)
}

/// So many, one behind the other.
fn actors(count: u8) -> Value {
    let sub = "sa_01h2xcejqtf2nbrexx3vqjhp41";
    (1..count).fold(json!({ "sub": sub }), |before, _| json!({ "sub": sub, "act": before }))
}

#[test]
#[ignore = "writes vectors/access-tokens.json by new keys"]
fn write_the_vectors_of_access_tokens() {
    let maker = Maker::new();
    let mut cases = Vec::new();
    let mut case = |name: &str, token: String, now: i64, used: &Value, revocations: Option<String>, expected: &str| {
        cases.push(json!({
            "name": name, "token": token, "now": now, "use": usual(used), "revocations": revocations.as_ref().map(|text| text.split(' ').collect::<Vec<_>>()).unwrap_or_default(),
            "expected": expected,
        }));
    };
    let none = json!({});
    let token = |more: Value| maker.sign("at+jwt", &claims(&more));
    for (kid, key) in &maker.keys {
        case(&format!("signed by {kid}"), key.sign("at+jwt", kid, &claims(&none)).unwrap(), NOW, &none, None, "valid");
    }
    let usual_token = token(none.clone());

    // Time, half open. A verifier whose clock is off uses the time that the instance tells it.
    for (at, expected) in [(-60, "valid"), (-61, "unknown"), (599, "valid"), (600, "expired"), (300, "valid")] {
        case(&format!("{at} s after it was made"), usual_token.clone(), NOW + at, &none, None, expected);
    }

    // Header and signature.
    for typ in ["application/at+jwt", "AT+JWT"] {
        case(&format!("typ {typ}"), maker.sign(typ, &claims(&none)), NOW, &none, None, "valid");
    }
    for typ in ["JWT", "dpop+jwt", "revocations+jwt", "logout+jwt"] {
        case(&format!("typ {typ}"), maker.sign(typ, &claims(&none)), NOW, &none, None, "malformed");
    }
    let stranger = signing_key(SigningAlgorithm::Es256);
    case("a kid that nobody knows", stranger.sign("at+jwt", "x", &claims(&none)).unwrap(), NOW, &none, None, "unknown");
    case(
        "a known kid and another key",
        stranger.sign("at+jwt", "ES256-1", &claims(&none)).unwrap(),
        NOW,
        &none,
        None,
        "unknown",
    );
    let (kid, other) = (&maker.keys[1].0, &maker.keys[0].1);
    case("a kid of another algorithm", other.sign("at+jwt", kid, &claims(&none)).unwrap(), NOW, &none, None, "unknown");
    let parts: Vec<&str> = usual_token.split('.').collect();
    let base64 = |text: &str| {
        use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
        URL_SAFE_NO_PAD.encode(text)
    };
    let headed = |more: String| format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":"ES256-1"{more}}}"#);
    let long_header = headed(format!(r#","x":"{}""#, "x".repeat(1600)));
    let long_kid = format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":"{}"}}"#, "x".repeat(257));
    for (name, header) in [
        ("alg none", r#"{"alg":"none","typ":"at+jwt","kid":"ES256-1"}"#),
        ("alg HS256", r#"{"alg":"HS256","typ":"at+jwt","kid":"ES256-1"}"#),
        ("crit", r#"{"alg":"ES256","typ":"at+jwt","kid":"ES256-1","crit":["exp"]}"#),
        ("alg twice, written in two ways", r#"{"\u0061lg":"ES256","alg":"ES256","typ":"at+jwt","kid":"ES256-1"}"#),
        ("alg twice", r#"{"alg":"ES256","alg":"none","typ":"at+jwt","kid":"ES256-1"}"#),
        ("no typ", r#"{"alg":"ES256","kid":"ES256-1"}"#),
        ("kid as a list", r#"{"alg":"ES256","typ":"at+jwt","kid":["ES256-1"]}"#),
        ("b64", r#"{"alg":"ES256","typ":"at+jwt","kid":"ES256-1","b64":false}"#),
        ("jwk null", r#"{"alg":"ES256","typ":"at+jwt","kid":"ES256-1","jwk":null}"#),
        ("a header that is a list", r#"["ES256","at+jwt","ES256-1"]"#),
        ("a kid that is too long", long_kid.as_str()),
        ("a header that is too long", long_header.as_str()),
    ] {
        case(name, format!("{}.{}.{}", base64(header), parts[1], parts[2]), NOW, &none, None, "malformed");
    }
    for (name, header) in [
        ("a kid that is a path", r#"{"alg":"ES256","typ":"at+jwt","kid":"../../etc/passwd"}"#),
        ("no kid", r#"{"alg":"ES256","typ":"at+jwt"}"#),
        ("a key in its header", r#"{"alg":"ES256","typ":"at+jwt","jku":"https://evil.test/keys","kid":"evil"}"#),
        ("the name of another algorithm", r#"{"alg":"RS256","typ":"at+jwt","kid":"ES256-1"}"#),
    ] {
        case(name, format!("{}.{}.{}", base64(header), parts[1], parts[2]), NOW, &none, None, "unknown");
    }
    let long = token(json!({ "aud": [AUDIENCE, "x".repeat(6000)] }));
    assert!(long.len() > 8 * 1024);
    case("a token that is too long", long, NOW, &none, None, "malformed");
    let widened = base64(&claims(&json!({ "scope": "admin:all" })).to_string());
    case(
        "other claims under the same signature",
        format!("{}.{widened}.{}", parts[0], parts[2]),
        NOW,
        &none,
        None,
        "unknown",
    );
    for (name, text) in [
        ("no signature", format!("{}.{}.", parts[0], parts[1])),
        ("four parts", format!("{usual_token}.x")),
        ("padding", format!("{usual_token}=")),
        ("nothing", String::new()),
    ] {
        case(name, text, NOW, &none, None, "malformed");
    }

    // Claims.
    for (name, more) in [
        ("another issuer", json!({ "iss": "https://keys.acme.test/" })),
        ("a claim that is not known", json!({ "max_uses": 1 })),
        ("no jti", json!({ "jti": "absent" })),
        ("no client_id", json!({ "client_id": "absent" })),
        ("it would live for longer than an hour", json!({ "exp": NOW + 3601 })),
        ("exp as a text", json!({ "exp": "1800000600" })),
        ("cnf with what is not known", json!({ "cnf": { "kid": "x" } })),
        ("cnf null", json!({ "cnf": null })),
        ("cnf that names nothing", json!({ "cnf": {} })),
        (
            "cnf with a thumbprint that is cut",
            json!({ "cnf": { "jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4" } }),
        ),
        ("nbf, which no token has", json!({ "nbf": NOW })),
        ("exp with a fraction", json!({ "exp": NOW as f64 + 600.5 })),
        ("an epoch below 0", json!({ "epoch": -1 })),
        ("an epoch as a text", json!({ "epoch": "3" })),
        ("another environment", json!({ "env": "LIVE" })),
        ("no audience in the list", json!({ "aud": [] })),
        ("an audience that is no text", json!({ "aud": [AUDIENCE, 7] })),
        ("a principal that is none", json!({ "sub": "key_01h2xcejqtf2nbrexx3vqjhp41" })),
        ("an id that is too large", json!({ "jti": "at_81h2xcejqtf2nbrexx3vqjhp41" })),
        ("a credential that is none", json!({ "cred": "sa_01h2xcejqtf2nbrexx3vqjhp41" })),
        ("scope with a star", json!({ "scope": "invoices:*" })),
        ("scope as a list", json!({ "scope": ["invoices:read"] })),
        ("objects null", json!({ "objects": null })),
        ("objects, and none in the list", json!({ "objects": [] })),
        ("an object with a parent", json!({ "objects": ["repo:acme/.."] })),
        ("an object with a star inside", json!({ "objects": ["repo:*/site"] })),
        ("networks null", json!({ "networks": null })),
        ("networks, and none in the list", json!({ "networks": [] })),
        ("a network that is none", json!({ "networks": ["10.0.0.0/33"] })),
        ("status with more than a place", json!({ "status": { "status_list": { "idx": 1, "uri": "u" }, "x": 1 } })),
        ("status that is no place", json!({ "status": { "status_list": { "idx": -1, "uri": "u" } } })),
        ("nine actors", json!({ "act": actors(9) })),
        ("an actor with more than a name", json!({ "act": { "sub": "sa_01h2xcejqtf2nbrexx3vqjhp41", "iss": ISSUER } })),
        ("details, and none in the list", json!({ "authorization_details": [] })),
        ("details of another type", json!({ "authorization_details": [{ "type": "payment", "objects": ["a:1"] }] })),
        ("cnf as a list", json!({ "cnf": ["0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"] })),
        ("status as a list", json!({ "status": [{ "idx": 7, "uri": "https://keys.acme.test/s" }] })),
        ("a place as a list", json!({ "status": { "status_list": [7, "https://keys.acme.test/s"] } })),
        ("an actor as a list", json!({ "act": ["sa_01h2xcejqtf2nbrexx3vqjhp41"] })),
        (
            "an actor before as a list",
            json!({ "act": { "sub": "sa_01h2xcejqtf2nbrexx3vqjhp41", "act": ["sa_01h2xcejqtf2nbrexx3vqjhp41"] } }),
        ),
        ("a detail as a list", json!({ "authorization_details": [["objects", ["a:1"]]] })),
        (
            "details with more",
            json!({ "authorization_details": [{ "type": "objects", "objects": ["a:1"], "actions": [] }] }),
        ),
    ] {
        case(name, token(more), NOW, &none, None, "unknown");
    }
    for (name, more) in [
        (
            "a place in a status list",
            json!({ "status": { "status_list": { "idx": 7, "uri": "https://keys.acme.test/s" } } }),
        ),
        ("eight actors", json!({ "act": actors(8) })),
        (
            "details",
            json!({ "authorization_details": [{ "type": "objects", "objects": ["a:1"] }], "objects": ["a:*"] }),
        ),
    ] {
        case(name, token(more), NOW, &json!({ "objects": ["a:1"] }), None, "valid");
    }
    let raw = |text: String| maker.sign("at+jwt", &serde_json::value::RawValue::from_string(text).unwrap());
    let sound = claims(&none).to_string();
    let (exp, aud) = ((NOW + 600).to_string(), json!(AUDIENCE).to_string());
    assert!([exp.as_str(), aud.as_str(), r#""epoch":3"#].iter().all(|part| sound.contains(part)));
    for (name, text) in [
        ("claims that say a thing twice", sound.replacen('{', r#"{"scope":"admin:all","#, 1)),
        ("claims that say a thing twice, written in two ways", sound.replacen('{', r#"{"\u0073cope":"admin:all","#, 1)),
        (
            "an audience that is said twice, written in two ways",
            sound.replacen('{', &format!(r#"{{"\u0061ud":{aud},"#), 1),
        ),
        (
            "a member of a claim that is said twice, written in two ways",
            sound.replacen('{', r#"{"status":{"status_list":{"idx":7,"\u0069dx":7,"uri":"u"}},"#, 1),
        ),
        ("claims that are a list", format!("[{sound}]")),
        ("exp that is written as a fraction", sound.replacen(&exp, &format!("{exp}.0"), 1)),
        ("exp that is written with an exponent", sound.replacen(&exp, &format!("{}E1", NOW / 10 + 60), 1)),
        ("an epoch that is written as a fraction", sound.replacen(r#""epoch":3"#, r#""epoch":3.0"#, 1)),
        ("an audience with half a character", sound.replacen(&aud, &format!(r#"[{aud},"\ud800"]"#), 1)),
        (
            "claims that are nested too deeply",
            sound.replacen('{', &format!("{{\"x\":{}{},", "[".repeat(200), "]".repeat(200)), 1),
        ),
    ] {
        case(name, raw(text), NOW, &none, None, "unknown");
    }
    for (name, more, used, expected) in [
        ("another audience", json!({ "aud": "https://other.test" }), json!({}), "audience_mismatch"),
        ("one of two audiences", json!({ "aud": ["https://other.test", AUDIENCE] }), json!({}), "valid"),
        ("an empty path is a slash", json!({ "aud": "https://api.acme.test/" }), json!({}), "valid"),
        ("no scope", json!({ "scope": "absent" }), json!({}), "permission_missing"),
        ("no scope, and nothing is asked", json!({ "scope": "absent" }), json!({ "permissions": [] }), "valid"),
        (
            "all permissions are wanted",
            json!({}),
            json!({ "permissions": ["invoices:read", "invoices:delete"] }),
            "permission_missing",
        ),
        ("a permission is not a prefix", json!({ "scope": "invoices:readonly" }), json!({}), "permission_missing"),
        ("test data, whichever is asked about", json!({ "env": "test" }), json!({}), "valid"),
        ("test data, where test data is", json!({ "env": "test" }), json!({ "environment": "test" }), "valid"),
        (
            "test data, where live data is",
            json!({ "env": "test" }),
            json!({ "environment": "live" }),
            "audience_mismatch",
        ),
        ("live data, where live data is", json!({}), json!({ "environment": "live" }), "valid"),
        ("live data, where test data is", json!({}), json!({ "environment": "test" }), "audience_mismatch"),
        (
            "the environment is asked before the permission",
            json!({ "scope": "absent" }),
            json!({ "environment": "test" }),
            "audience_mismatch",
        ),
        (
            "the network is asked before the environment",
            json!({ "networks": ["10.0.0.0/8"] }),
            json!({ "environment": "test" }),
            "network_not_allowed",
        ),
        ("objects, and none is named", json!({ "objects": ["base:app7"] }), json!({}), "object_required"),
        ("its object", json!({ "objects": ["base:app7"] }), json!({ "objects": ["base:app7"] }), "valid"),
        (
            "another object",
            json!({ "objects": ["base:app7"] }),
            json!({ "objects": ["base:app70"] }),
            "object_not_allowed",
        ),
        (
            "one of two objects",
            json!({ "objects": ["base:app7"] }),
            json!({ "objects": ["base:app7", "base:app8"] }),
            "object_not_allowed",
        ),
        ("an object below", json!({ "objects": ["repo:acme/*"] }), json!({ "objects": ["repo:acme/site"] }), "valid"),
        (
            "an object far below",
            json!({ "objects": ["repo:acme/*"] }),
            json!({ "objects": ["repo:acme/site/x"] }),
            "valid",
        ),
        (
            "a neighbour of what is above",
            json!({ "objects": ["repo:acme/*"] }),
            json!({ "objects": ["repo:acmeevil/site"] }),
            "object_not_allowed",
        ),
        ("all of a type", json!({ "objects": ["base:*"] }), json!({ "objects": ["base:app7"] }), "valid"),
        (
            "its network of IPv6",
            json!({ "networks": ["2001:db8::/32"] }),
            json!({ "client_ip": "2001:db8::7" }),
            "valid",
        ),
        (
            "another network of IPv6",
            json!({ "networks": ["2001:db8::/32"] }),
            json!({ "client_ip": "2001:db9::7" }),
            "network_not_allowed",
        ),
        (
            "all of IPv6 is nothing of IPv4",
            json!({ "networks": ["::/0"] }),
            json!({ "client_ip": "10.1.2.3" }),
            "network_not_allowed",
        ),
        (
            "its network, which is written as IPv6",
            json!({ "networks": ["::ffff:10.0.0.0/104"] }),
            json!({ "client_ip": "10.1.2.3" }),
            "valid",
        ),
        ("its address", json!({ "networks": ["10.1.2.3"] }), json!({ "client_ip": "10.1.2.3" }), "valid"),
        (
            "a query and no path",
            json!({ "aud": "https://api.acme.test/?x" }),
            json!({ "audience": "https://api.acme.test?x" }),
            "valid",
        ),
        (
            "a path",
            json!({ "aud": "https://api.acme.test/x/" }),
            json!({ "audience": "https://api.acme.test/x" }),
            "audience_mismatch",
        ),
        ("another case of letters", json!({ "aud": "https://API.acme.test" }), json!({}), "audience_mismatch"),
        ("no address where it is limited", json!({ "networks": ["10.0.0.0/8"] }), json!({}), "network_not_allowed"),
        ("its network", json!({ "networks": ["10.0.0.0/8"] }), json!({ "client_ip": "10.1.2.3" }), "valid"),
        (
            "its network, written as IPv6",
            json!({ "networks": ["10.0.0.0/8"] }),
            json!({ "client_ip": "::ffff:10.1.2.3" }),
            "valid",
        ),
        (
            "another network",
            json!({ "networks": ["10.0.0.0/8"] }),
            json!({ "client_ip": "11.1.2.3" }),
            "network_not_allowed",
        ),
        (
            "the audience is asked before the permission",
            json!({ "aud": "urn:x", "scope": "absent" }),
            json!({}),
            "audience_mismatch",
        ),
    ] {
        case(name, token(more), NOW, &used, None, expected);
    }

    // Bound to a certificate, and to a key.
    let print = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
    let by_certificate = token(json!({ "cnf": { "x5t#S256": print } }));
    case("no certificate", by_certificate.clone(), NOW, &none, None, "proof_required");
    case("its certificate", by_certificate.clone(), NOW, &json!({ "certificate": print }), None, "valid");
    let another = claviger_token::Thumbprint::from([7; 32]).to_string();
    case("another certificate", by_certificate, NOW, &json!({ "certificate": &another }), None, "proof_invalid");
    let holder = signing_key(SigningAlgorithm::Es256);
    let jkt = holder.verifying_key().thumbprint();
    let bound = token(json!({ "cnf": { "jkt": jkt } }));
    let proof = |token: &str, more: &Value| holder.sign_with_jwk("dpop+jwt", &proof_claims(token, more)).unwrap();
    let another_holder = |token: &str| {
        signing_key(SigningAlgorithm::Es256).sign_with_jwk("dpop+jwt", &proof_claims(token, &none)).unwrap()
    };
    let with =
        |proof: String| json!({ "dpop": { "proof": proof, "method": "GET", "url": "https://api.acme.test/invoices" } });
    case("no proof", bound.clone(), NOW, &none, None, "proof_required");
    case("a proof", bound.clone(), NOW, &with(proof(&bound, &none)), None, "valid");
    for (name, more) in [
        ("a proof for another method", json!({ "htm": "POST" })),
        ("a proof for another address", json!({ "htu": "https://api.acme.test/other" })),
        ("a proof for another token", json!({ "ath": print })),
        ("a proof without ath", json!({ "ath": "absent" })),
        ("a proof of an hour ago", json!({ "iat": NOW - 3600 })),
        ("a proof of a minute ago", json!({ "iat": NOW - 60 })),
        ("a proof of in a minute", json!({ "iat": NOW + 60 })),
        ("a proof that begins later", json!({ "nbf": NOW + 60 })),
        ("a proof that ended", json!({ "exp": NOW - 60 })),
        ("a proof for a method in small letters", json!({ "htm": "get" })),
        ("a proof without an id", json!({ "jti": "" })),
        ("a proof whose id is too long", json!({ "jti": "x".repeat(257) })),
        ("a proof whose iat is a text", json!({ "iat": "1800000000" })),
        ("a proof with a nonce that is no text", json!({ "nonce": 7 })),
        ("a proof for a longer path", json!({ "htu": "https://api.acme.test/invoices/" })),
        ("a proof for an encoded slash", json!({ "htu": "https://api.acme.test/x%2finvoices" })),
        ("a proof for somebody at the same address", json!({ "htu": "https://me@api.acme.test/invoices" })),
        ("a proof for another port", json!({ "htu": "https://api.acme.test:8443/invoices" })),
        ("a proof for no address", json!({ "htu": "/invoices" })),
        ("a proof for a host that cannot be read", json!({ "htu": "https://xn--../invoices" })),
        ("a proof for a port that cannot be", json!({ "htu": "https://api.acme.test:99999/invoices" })),
        ("a proof for what is below", json!({ "htu": "https://api.acme.test/invoices/." })),
        ("a proof with a way back too far", json!({ "htu": "https://api.acme.test/invoices/%2e%2E" })),
        ("a proof for an address that is cut", json!({ "htu": "https://api.acme.test/invoices%6" })),
    ] {
        case(name, bound.clone(), NOW, &with(proof(&bound, &more)), None, "proof_invalid");
    }
    for (name, more) in [
        ("a proof of 59 seconds ago", json!({ "iat": NOW - 59 })),
        ("a proof of in 59 seconds", json!({ "iat": NOW + 59 })),
        ("a proof of half a second ago", json!({ "iat": NOW as f64 - 0.5 })),
        ("a proof with query and fragment", json!({ "htu": "https://api.acme.test/invoices?a=b#c" })),
        ("a proof with the usual port, in capitals", json!({ "htu": "HTTPS://API.acme.test:443/invoices" })),
        ("a proof with a needless escape", json!({ "htu": "https://api.acme.test/%69nvoices" })),
        ("a proof with a way back", json!({ "htu": "https://api.acme.test/a/../invoices" })),
        ("a proof with a nonce that nobody asked for", json!({ "nonce": "x" })),
    ] {
        case(name, bound.clone(), NOW, &with(proof(&bound, &more)), None, "valid");
    }
    case("a proof by another key", bound.clone(), NOW, &with(another_holder(&bound)), None, "proof_invalid");
    case("a text that is no proof", bound.clone(), NOW, &with("x".to_owned()), None, "proof_invalid");
    case("a token in place of a proof", bound.clone(), NOW, &with(usual_token.clone()), None, "proof_invalid");
    for algorithm in [SigningAlgorithm::EdDsa, SigningAlgorithm::Rs256] {
        let holder = signing_key(algorithm);
        let bound = token(json!({ "cnf": { "jkt": holder.verifying_key().thumbprint() } }));
        let proof = holder.sign_with_jwk("dpop+jwt", &proof_claims(&bound, &none)).unwrap();
        case(&format!("a proof by {algorithm}"), bound, NOW, &with(proof), None, "valid");
    }
    let both = token(json!({ "cnf": { "jkt": jkt, "x5t#S256": print } }));
    let shown = |proof: Option<String>, certificate: Option<&str>| {
        let dpop = proof.map(|proof| with(proof)["dpop"].clone());
        json!({ "dpop": dpop, "certificate": certificate })
    };
    let sound = || Some(proof(&both, &none));
    case("bound to both, and one is shown", both.clone(), NOW, &shown(sound(), None), None, "proof_required");
    case("bound to both, and the other is shown", both.clone(), NOW, &shown(None, Some(print)), None, "proof_required");
    case("bound to both, and both are shown", both.clone(), NOW, &shown(sound(), Some(print)), None, "valid");
    case(
        "bound to both, and one is another",
        both.clone(),
        NOW,
        &shown(sound(), Some(&another)),
        None,
        "proof_invalid",
    );
    case(
        "a certificate says nothing of a token that is not bound",
        usual_token.clone(),
        NOW,
        &shown(None, Some(print)),
        None,
        "valid",
    );
    case(
        "a proof for a token that is not bound",
        usual_token.clone(),
        NOW,
        &with(proof(&usual_token, &none)),
        None,
        "proof_invalid",
    );

    // What ended.
    let document = |iss: &str, iat: i64, more: &Value| {
        let claims = json!({ "iss": iss, "iat": iat, "exp": NOW + 3600, "ttl": 1, "revocations": more });
        maker.sign("revocations+jwt", &claims)
    };
    let ended = |iss: &str, more: Value| Some(document(iss, NOW, &more));
    let credential = |min_epoch: u64| json!({ "credentials": [{ "cred": "csec_01h2xcejqtf2nbrexx3vqjhp41", "min_epoch": min_epoch }], "tokens": [] });
    case("its epoch counts", usual_token.clone(), NOW, &none, ended(ISSUER, credential(3)), "valid");
    case("its epoch is over", usual_token.clone(), NOW, &none, ended(ISSUER, credential(4)), "revoked");
    let tokens = |jti: &str| json!({ "credentials": [], "tokens": [jti] });
    case(
        "it ended by itself",
        usual_token.clone(),
        NOW,
        &none,
        ended(ISSUER, tokens("at_01h2xcejqtf2nbrexx3vqjhp41")),
        "revoked",
    );
    case(
        "another ended by itself",
        usual_token.clone(),
        NOW,
        &none,
        ended(ISSUER, tokens("at_01h2xcejqtf2nbrexx3vqjhp42")),
        "valid",
    );
    case(
        "revoked comes before expired",
        usual_token.clone(),
        NOW + 700,
        &none,
        ended(ISSUER, credential(4)),
        "revoked",
    );
    let nothing = json!({ "credentials": [], "tokens": [] });
    for (name, one, other) in [
        ("it ended by a document that is older than the one before", (NOW, &nothing), (NOW - 9, &credential(4))),
        ("it ended, and a younger document does not know it", (NOW - 9, &credential(4)), (NOW, &nothing)),
        ("its epoch is over, and a younger document knows less", (NOW - 9, &credential(4)), (NOW, &credential(2))),
    ] {
        let both = format!("{} {}", document(ISSUER, one.0, one.1), document(ISSUER, other.0, other.1));
        case(name, usual_token.clone(), NOW, &none, Some(both), "revoked");
    }
    let more = json!({ "credentials": [], "tokens": [], "principals": ["sa_01h2xcejqtf2nbrexx3vqjhp41"] });
    case(
        "a feed that says more than is understood does not count",
        usual_token.clone(),
        NOW,
        &none,
        ended(ISSUER, more),
        "valid",
    );
    let named = json!({ "cred": "csec_01h2xcejqtf2nbrexx3vqjhp41", "min_epoch": 4 });
    let listed = json!(["csec_01h2xcejqtf2nbrexx3vqjhp41", 4]);
    for (name, more) in [
        ("a feed of a list says nothing", json!([[named], []])),
        ("a feed of a credential as a list says nothing", json!({ "credentials": [listed], "tokens": [] })),
    ] {
        case(name, usual_token.clone(), NOW, &none, ended(ISSUER, more), "valid");
    }
    for (name, iat, exp, expected) in [
        ("a feed that ended says nothing", NOW - 60, NOW, "valid"),
        ("a feed that ends in a second counts", NOW - 60, NOW + 1, "revoked"),
        ("a feed of in 61 seconds says nothing", NOW + 61, NOW + 3600, "valid"),
        ("a feed of in a minute counts", NOW + 60, NOW + 3600, "revoked"),
    ] {
        let claims = json!({ "iss": ISSUER, "iat": iat, "exp": exp, "ttl": 1, "revocations": credential(4) });
        case(name, usual_token.clone(), NOW, &none, Some(maker.sign("revocations+jwt", &claims)), expected);
    }
    let claims = json!({ "iss": ISSUER, "iat": NOW, "exp": NOW + 3600, "ttl": 1, "revocations": credential(4) });
    let other_typ = maker.sign("at+jwt", &claims);
    case(
        "a feed that is made for something else says nothing",
        usual_token.clone(),
        NOW,
        &none,
        Some(other_typ),
        "valid",
    );
    let by_stranger = stranger.sign("revocations+jwt", "ES256-1", &claims).unwrap();
    case("a feed that a stranger signed says nothing", usual_token.clone(), NOW, &none, Some(by_stranger), "valid");
    case(
        "a feed of another instance says nothing",
        usual_token,
        NOW,
        &none,
        ended("https://other.test", credential(4)),
        "valid",
    );

    let file = json!({
        "about": "Access tokens (RFC 9068) and the verdict on each use. `now` is seconds since 1970. `revocations` are documents of the feed of what ended, one after the other as they were received: what any of them said counts; one that does not count says nothing, and the feed is not heard by it. The order of tests is that of the design: signature, revoked, expired, proof, network, audience, environment, permissions, objects.",
        "issuer": ISSUER, "keys": maker.jwks(), "cases": cases,
    });
    fs::write(path("access-tokens.json"), serde_json::to_string_pretty(&file).unwrap() + "\n").unwrap();
}
