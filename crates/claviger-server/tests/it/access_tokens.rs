//! Access tokens, taken wherever an API key is: never more than the credential that they were made from, now.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use claviger_token::{
    AccessTokenClaims, AccessTokenId, Confirmation, NetworkSet, ObjectSet, PermissionSet, Secret, SecretKind,
    ServiceAccountId, SigningAlgorithm, SigningKey, TypedId as _,
};
use jiff::SignedDuration;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json, value::RawValue};

use crate::{
    app::{INVOICES, Key, PUBLIC_URL, Reply, SOON, TestApp, text, within},
    metrics::scrape,
};

const PROMISE: Duration = Duration::from_secs(1);

/// What the token endpoint will write for whoever presents this key: for the invoices API, for ten minutes.
pub(crate) async fn claims(app: &TestApp, key: &Key, scope: &str) -> AccessTokenClaims {
    let parent = app.app.store.find_credential(key.id.parse().unwrap()).await.unwrap().unwrap();
    let now = app.app.now();
    AccessTokenClaims {
        iss: PUBLIC_URL.to_owned(),
        sub: parent.principal.id,
        aud: vec![INVOICES.to_owned()],
        exp: now.as_second() + 600,
        iat: now.as_second(),
        jti: AccessTokenId::generate(now, &mut app.app.rng()),
        client_id: ServiceAccountId::generate(now, &mut app.app.rng()),
        scope: PermissionSet::from_text(scope).unwrap(),
        org: parent.organization.id,
        cred: parent.credential.id,
        epoch: parent.credential.epoch,
        env: parent.credential.environment,
        objects: None,
        networks: None,
        cnf: None,
        authorization_details: None,
        status: None,
        act: None,
    }
}

/// Signed by the instance, whatever it says.
async fn signed_as(app: &TestApp, typ: &str, claims: &impl serde::Serialize) -> String {
    let keys = app.app.signing_keys().await.unwrap();
    keys.signer(SigningAlgorithm::Es256, app.app.now()).unwrap().sign(typ, claims).unwrap()
}

pub(crate) async fn signed(app: &TestApp, claims: &AccessTokenClaims) -> String {
    signed_as(app, "at+jwt", claims).await
}

/// The same with some claims changed, or added.
async fn signed_with(app: &TestApp, claims: &AccessTokenClaims, changes: Value) -> String {
    let mut claims = serde_json::to_value(claims).unwrap();
    claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    signed_as(app, "at+jwt", &claims).await
}

/// The same, opaque.
pub(crate) async fn kept(app: &TestApp, claims: &AccessTokenClaims) -> String {
    let secret = Secret::mint(&app.app.config.brand, SecretKind::AccessToken, &mut app.app.rng());
    app.app.store.insert_access_token(claims, &app.app.peppers.digest(&secret.hash())).await.unwrap();
    app.handed_out(secret.expose());
    secret.expose().to_owned()
}

/// The invoices API, and a key with both permissions whose tokens may do the same.
async fn writer(app: &TestApp, more: Value) -> Key {
    app.declare_invoices().await;
    let (_, account) = app.account("acme", &["invoices:read", "invoices:write"]).await;
    app.key(&account, &["invoices:read", "invoices:write"], more).await
}

async fn forward(app: &TestApp, query: &str, headers: &[(&str, &str)]) -> Reply {
    let mut request = app.request(Method::GET, app.internal, &format!("/v1/forward-auth{query}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Reply::read(app, request.send().await.unwrap()).await
}

on_both_databases! {
    async fn a_token_counts_wherever_a_key_does(app: &TestApp) {
        let key = writer(app, json!({ "metadata": { "team": 7 } })).await;
        let claims = claims(app, &key, "invoices:read").await;
        let token = signed(app, &claims).await;
        let asked = json!({ "permissions": ["invoices:read"], "audience": INVOICES });
        for node in 0..2 {
            let told = app.verify(&token, asked.clone()).await;
            assert_eq!((&told["code"], &told["permissions"]), (&json!("valid"), &json!(["invoices:read"])), "{node}");
            let credential = &told["credential"];
            assert_eq!((&credential["id"], &credential["kind"]), (&json!(key.id), &json!("access_token")));
            assert_eq!((&credential["name"], &credential["generation"]), (&json!("ci"), &Value::Null));
            assert_eq!((&told["metadata"], &told["cache"]["audiences"]), (&json!({ "team": 7 }), &json!([INVOICES])));
            assert_eq!((&told["cache"]["epoch"], &told["cache"]["max_age_seconds"]), (&json!(1), &json!(60)));
        }
        assert_eq!(app.verify(&token, json!({ "permissions": ["invoices:write"] })).await["code"], "permission_missing");
        let seen = app.root().post("/v1/verify", json!({ "credential": token })).await.expect(StatusCode::OK);
        assert_eq!((&seen["code"], &seen["organization"]["slug"]), (&json!("valid"), &json!("acme")));

        let bearer = format!("Bearer {token}");
        let query = format!("?permission=invoices:read&audience={INVOICES}");
        let told = forward(app, &query, &[("authorization", &bearer)]).await;
        assert_eq!(told.status, StatusCode::OK);
        let headers = ["credential", "permissions", "environment"].map(|name| told.header(&format!("x-claviger-{name}")));
        assert_eq!(headers, [Some(key.id.as_str()), Some("invoices:read"), Some("live")]);

        let itself = app.client(&token).get("/v1/token").await.expect(StatusCode::OK);
        assert_eq!((&itself["credential"]["id"], &itself["credential"]["kind"]), (&json!(key.id), &json!("access_token")));
        let own = &itself["access_token"];
        assert_eq!((&own["id"], &own["client_id"]), (&json!(claims.jti), &json!(claims.client_id)));
        assert_eq!((&own["scope"], &own["audiences"]), (&json!(["invoices:read"]), &json!([INVOICES])));
        assert_eq!(own["expires_at"], itself["credential"]["expires_at"]);
        assert_eq!(app.client(&key.token).get("/v1/token").await.expect(StatusCode::OK)["access_token"], Value::Null);

        app.clock.advance(SignedDuration::from_secs(570));
        assert!(app.verify(&token, json!({})).await["cache"]["max_age_seconds"].as_u64().unwrap() <= 30);
        app.clock.advance(SignedDuration::from_secs(30));
        assert_eq!(app.code(&token).await, "expired", "at the instant of exp");
        assert_eq!(forward(app, "", &[("authorization", &bearer)]).await.header("x-claviger-code"), Some("expired"));
    }

    async fn every_algorithm_of_ours_is_proved(app: &TestApp) {
        let key = app.reader().await;
        let claims = claims(app, &key, "invoices:read").await;
        let keys = app.app.signing_keys().await.unwrap();
        for algorithm in [SigningAlgorithm::Es256, SigningAlgorithm::EdDsa] {
            let token = keys.signer(algorithm, app.app.now()).unwrap().sign("at+jwt", &claims).unwrap();
            assert_eq!(app.code(&token).await, "valid", "{algorithm}");
        }
    }

    async fn a02_only_what_we_signed_as_an_access_token_counts(app: &TestApp) {
        let key = writer(app, json!({})).await;
        let claims = claims(app, &key, "invoices:read").await;
        let token = signed(app, &claims).await;
        for typ in ["application/at+jwt", "AT+JWT", "Application/At+Jwt"] {
            assert_eq!(app.code(&signed_as(app, typ, &claims).await).await, "valid", "{typ}");
        }
        let mut hostile = Vec::new();
        for typ in ["JWT", "", "dpop+jwt", "at+jwt ", "at+jwt+x", "token-introspection+jwt", "secevent+jwt"] {
            hostile.push((typ.to_owned(), signed_as(app, typ, &claims).await, "malformed"));
        }
        let [header, payload, signature] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
        let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let kid = app.app.signing_keys().await.unwrap().key_set(app.app.now());
        let kid = text(&serde_json::to_value(kid).unwrap()["keys"][0]["kid"]);
        let mut headed = |header: String, code: &'static str| {
            hostile.push((header.clone(), format!("{}.{payload}.{signature}", encode(&header)), code));
        };
        for alg in ["none", "nOnE", "", "HS256", "RS512", "PS256", "es256"] {
            headed(format!(r#"{{"typ":"at+jwt","alg":"{alg}","kid":"{kid}"}}"#), "malformed");
        }
        for alg in ["RS256", "EdDSA"] {
            headed(format!(r#"{{"typ":"at+jwt","alg":"{alg}","kid":"{kid}"}}"#), "unknown");
        }
        for kid in ["x", "../../etc/passwd", "' OR 1=1 --", "a\\r\\nb", "a\\u0000b", ""] {
            headed(format!(r#"{{"typ":"at+jwt","alg":"ES256","kid":"{kid}"}}"#), "unknown");
        }
        headed(r#"{"typ":"at+jwt","alg":"ES256"}"#.to_owned(), "unknown");
        headed(format!(r#"{{"typ":"at+jwt","alg":"ES256","kid":"{kid}","crit":["exp"]}}"#), "malformed");
        headed(format!(r#"{{"typ":"at+jwt","alg":"ES256","kid":"{kid}","b64":false}}"#), "malformed");
        headed(format!(r#"{{"typ":"at+jwt","alg":"ES256","kid":"{kid}","kid":"{kid}"}}"#), "malformed");
        headed(format!(r#"{{"typ":["at+jwt"],"alg":"ES256","kid":"{kid}"}}"#), "malformed");
        headed(r#"{"typ":"at+jwt","alg":"ES256","kid":7}"#.to_owned(), "malformed");
        let mut said = |what: &str, token: String, code: &'static str| hostile.push((what.to_owned(), token, code));
        said("no signature", format!("{header}.{payload}."), "malformed");
        said("two parts", format!("{header}.{payload}"), "malformed");
        said("four parts", format!("{token}.{signature}"), "malformed");
        said("padding", format!("{token}="), "malformed");
        said("a line feed", format!("{token}\n"), "malformed");
        said("a space before", format!(" {token}"), "malformed");
        said("another alphabet", token.replace(['-', '_'], "+"), if token.contains(['-', '_']) { "malformed" } else { "valid" });
        said("a signature cut short", token[..token.len() - 6].to_owned(), "unknown");
        said("a signature of nothing", format!("{header}.{payload}.{}", URL_SAFE_NO_PAD.encode([0; 64])), "unknown");
        let claimed = serde_json::to_string(&claims).unwrap();
        let other = claimed.replace("invoices:read", "invoices:write");
        said("other claims", format!("{header}.{}.{signature}", encode(&other)), "unknown");
        said("9 KB", format!("{header}.{}.{signature}", "a".repeat(9 * 1024)), "malformed");
        // By a key of another issuer, with all of its own in the header, and with our kid.
        let foreign = SigningKey::from_pkcs8(SigningAlgorithm::Es256, &SigningKey::generate(SigningAlgorithm::Es256).unwrap()).unwrap();
        said("another's key", foreign.sign("at+jwt", &kid, &claims).unwrap(), "unknown");
        let jwk = serde_json::to_string(&foreign.verifying_key().jwk("x")).unwrap();
        let embedded = format!(r#"{{"typ":"at+jwt","alg":"ES256","kid":"x","jwk":{jwk},"jku":"http://127.0.0.1:1/","x5u":"http://127.0.0.1:1/"}}"#);
        said("a key in the header", format!("{}.{payload}.{signature}", encode(&embedded)), "unknown");
        for (what, token, code) in hostile {
            assert_eq!(app.code(&token).await, code, "{what}: {token}");
            if code != "valid" && !token.contains(['\n', ' ']) {
                let refused = app.client(&token).get("/v1/token").await;
                assert!(refused.header("www-authenticate").unwrap().contains(r#"error="invalid_token""#), "{what}");
                refused.problem(StatusCode::UNAUTHORIZED, "invalid_token");
            }
        }
    }

    async fn a02_claims_that_are_not_ours_are_unknown(app: &TestApp) {
        let key = writer(app, json!({})).await;
        let claims = claims(app, &key, "invoices:read").await;
        let now = app.app.now().as_second();
        let other = AccessTokenId::generate(app.app.now(), &mut app.app.rng()).to_string();
        let check = async |changes: Value, code: &str| {
            let token = signed_with(app, &claims, changes.clone()).await;
            for _ in 0..2 {
                assert_eq!(app.code(&token).await, code, "{changes}");
            }
        };
        check(json!({}), "valid").await;
        check(json!({ "iss": "https://elsewhere.test" }), "unknown").await;
        check(json!({ "iss": format!("{PUBLIC_URL}/") }), "unknown").await;
        check(json!({ "iss": "HTTPS://claviger.test" }), "unknown").await;
        check(json!({ "exp": now }), "expired").await;
        check(json!({ "exp": 0 }), "expired").await;
        check(json!({ "exp": i64::MAX }), "unknown").await;
        check(json!({ "exp": 1e300 }), "unknown").await;
        check(json!({ "exp": "1" }), "unknown").await;
        check(json!({ "iat": now + 50 }), "valid").await;
        check(json!({ "iat": now + 120 }), "unknown").await;
        check(json!({ "iat": i64::MIN }), "unknown").await;
        check(json!({ "nbf": now + 100 }), "unknown").await;
        check(json!({ "jti": "x" }), "unknown").await;
        check(json!({ "max_uses": 1 }), "unknown").await;
        check(json!({ "aud": [] }), "unknown").await;
        check(json!({ "epoch": 0 }), "revoked").await;
        check(json!({ "epoch": -1 }), "unknown").await;
        check(json!({ "cred": other.replace("at_", "key_") }), "unknown").await;
        check(json!({ "cred": other.replace("at_", "pat_") }), "unknown").await;
        check(json!({ "sub": other.replace("at_", "sa_") }), "unknown").await;
        check(json!({ "sub": other.replace("at_", "user_") }), "unknown").await;
        check(json!({ "org": other.replace("at_", "org_") }), "unknown").await;
        check(json!({ "scope": "a*b" }), "unknown").await;
        check(json!({ "scope": "not:declared" }), "valid").await;
        check(json!({ "cnf": { "jkt": "x" } }), "unknown").await;
        check(json!({ "cnf": {} }), "unknown").await;
        check(json!({ "cnf": Confirmation::of_key([1; 32].into()) }), "proof_required").await;
        check(json!({ "cnf": null }), "unknown").await;
        let twice = serde_json::to_string(&claims).unwrap().replacen('{', &format!(r#"{{"iss":"{PUBLIC_URL}","#), 1);
        let twice = signed_as(app, "at+jwt", &RawValue::from_string(twice).unwrap()).await;
        assert_eq!(app.code(&twice).await, "unknown");
        let list = signed_as(app, "at+jwt", &json!([1])).await;
        assert_eq!(app.code(&list).await, "unknown");
    }

    async fn a02_a_token_for_another_audience_is_refused_even_when_its_scope_fits(app: &TestApp) {
        app.declare_invoices().await;
        let (organization, account) = app.account("acme", &["claviger:organizations:read", "invoices:read"]).await;
        let key = app.key(&account, &["claviger:organizations:read", "invoices:read"], json!({})).await;
        let claims = claims(app, &key, "claviger:organizations:read invoices:read").await;
        let path = format!("/v1/organizations/{organization}");
        app.client(&key.token).get(&path).await.expect(StatusCode::OK);
        for (audience, fits) in [
            (json!(INVOICES), false),
            (json!(PUBLIC_URL), true),
            (json!([INVOICES, PUBLIC_URL]), true),
            (json!([INVOICES, "https://claviger.test.evil"]), false),
            (json!("https://claviger.test/x"), false),
        ] {
            let token = signed_with(app, &claims, json!({ "aud": audience })).await;
            let reply = app.client(&token).get(&path).await;
            if fits {
                reply.expect(StatusCode::OK);
            } else {
                assert!(reply.header("www-authenticate").unwrap().contains(r#"error="invalid_token""#), "{audience}");
                reply.problem(StatusCode::UNAUTHORIZED, "invalid_token");
            }
        }
        let token = signed(app, &claims).await;
        let check = async |audience: &str, code: &str| {
            let asked = json!({ "audience": audience, "permissions": ["invoices:read"] });
            assert_eq!(app.verify(&token, asked).await["code"], code, "{audience}");
        };
        check(INVOICES, "valid").await;
        check(PUBLIC_URL, "audience_mismatch").await;
        check("https://invoices.test/v2", "audience_mismatch").await;
        let refused = forward(app, &format!("?audience={PUBLIC_URL}"), &[("x-api-key", &token)]).await;
        assert_eq!((refused.status, refused.header("x-claviger-code")), (StatusCode::UNAUTHORIZED, Some("audience_mismatch")));
    }

    async fn b01_b02_b03_a_token_is_one_credential_in_a_header(app: &TestApp) {
        let api = app.declare_invoices().await;
        let (_, account) = app.account("acme", &["invoices:read"]).await;
        let key = app.key(&account, &["invoices:read"], json!({})).await;
        let token = signed(app, &claims(app, &key, "invoices:read").await).await;
        let status = async |path: &str, headers: &[(&str, &str)]| {
            app.anonymous().send(Method::GET, path, None, headers).await.status.as_u16()
        };
        for value in ["bearer {}", "BEARER   {}", "Bearer {} "] {
            assert_eq!(status("/v1/token", &[("authorization", &value.replace("{}", &token))]).await, 200, "{value}");
        }
        for value in ["Bearer {},{}", "Bearer {} x", "Bearer x{}", "Bearer {}\u{e9}", "Bearer \"{}\""] {
            assert_eq!(status("/v1/token", &[("authorization", &value.replace("{}", &token))]).await, 401, "{value}");
        }
        assert_eq!(status("/v1/token", &[("authorization", &format!("Bearer {}", "a".repeat(9000)))]).await, 401);
        assert_eq!(status(&format!("/v1/token?access_token={token}"), &[]).await, 401, "never read from a query");
        let bearer = format!("Bearer {token}");
        assert_eq!(status("/v1/token", &[("authorization", &bearer), ("x-api-key", &key.token)]).await, 400);

        // At a gateway, as the password of git and curl; never in the query parameter that takes keys.
        let path = format!("/v1/apis/{}", text(&api["id"]));
        app.root().patch(&path, json!({ "accept_basic": true, "query_parameter": "key" })).await.expect(StatusCode::OK);
        let query = format!("?audience={INVOICES}&permission=invoices:read");
        let basic = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("git:{token}")));
        assert_eq!(forward(app, &query, &[("authorization", &basic)]).await.status, StatusCode::OK);
        let in_query = async |credential: &str| {
            forward(app, &query, &[("x-forwarded-uri", &format!("/invoices?key={credential}"))]).await.status
        };
        assert_eq!(in_query(&key.token).await, StatusCode::OK);
        assert_eq!(in_query(&token).await, StatusCode::UNAUTHORIZED);
        let lacking = forward(app, "?permission=invoices:write", &[("authorization", &bearer)]).await;
        assert_eq!(lacking.status, StatusCode::FORBIDDEN);
        assert!(lacking.header("www-authenticate").unwrap().contains(r#"error="insufficient_scope", scope="invoices:write""#));
    }

    async fn what_is_taken_from_a_credential_is_gone_from_its_tokens_everywhere(app: &TestApp) {
        let mut other = app.another_node().await;
        app.declare_invoices().await;
        let (organization, account) = app.account("acme", &["invoices:read", "invoices:write"]).await;
        let role = json!({ "name": "writer", "organization_id": organization, "permissions": ["invoices:write"] });
        let role = format!("/v1/roles/{}", text(&app.root().post("/v1/roles", role).await.expect(StatusCode::CREATED)["id"]));
        let path = format!("/v1/service-accounts/{account}");
        let mixed = json!({ "roles": ["writer"], "permissions": ["invoices:read"] });
        app.root().patch(&path, mixed).await.expect(StatusCode::OK);
        let asked = json!({ "permissions": ["invoices:read", "invoices:write"] });
        let take = async |target: &str, body: Value, code: &str| {
            let key = app.key(&account, &["invoices:read", "invoices:write"], json!({})).await;
            let claims = claims(app, &key, "invoices:read invoices:write").await;
            let (token, fresh) = (signed(app, &claims).await, signed_with(app, &claims, json!({ "scope": "invoices:write" })).await);
            for node in [app, &other] {
                assert_eq!(node.verify(&token, asked.clone()).await["code"], "valid", "{target}");
            }
            let target = target.replace("{key}", &format!("/v1/api-keys/{}", key.id));
            let reply = if target.ends_with("/revoke") || target.ends_with("/roll") {
                app.root().post(&target, body).await
            } else {
                app.root().patch(&target, body).await
            };
            reply.expect(StatusCode::OK);
            assert_eq!(app.verify(&token, asked.clone()).await["code"], code, "here, at once: {target}");
            let unseen = app.verify(&fresh, json!({ "permissions": ["invoices:write"] })).await;
            assert_eq!(unseen["code"], code, "nor one that was not seen before: {target}");
            within(SOON, &target, async || other.verify(&token, asked.clone()).await["code"] == code).await;
        };
        take("{key}/revoke", json!({}), "revoked").await;
        take("{key}/roll", json!({}), "revoked").await;
        take("{key}", json!({ "disabled": true }), "revoked").await;
        take("{key}", json!({ "permissions": ["invoices:read"] }), "revoked").await;
        take(&role, json!({ "permissions": [] }), "permission_missing").await;
        app.root().patch(&role, json!({ "permissions": ["invoices:write"] })).await.expect(StatusCode::OK);
        tokio::time::sleep(PROMISE).await;
        take(&path, json!({ "disabled": true }), "disabled").await;
        app.root().patch(&path, json!({ "disabled": false })).await.expect(StatusCode::OK);
        tokio::time::sleep(PROMISE).await;
        take(&format!("/v1/organizations/{organization}"), json!({ "disabled": true }), "disabled").await;
        other.finish().await;
    }

    async fn a_roll_with_an_overlap_and_a_new_name_leave_tokens_alone(app: &TestApp) {
        let key = writer(app, json!({})).await;
        let token = signed(app, &claims(app, &key, "invoices:read").await).await;
        let path = format!("/v1/api-keys/{}", key.id);
        app.root().post(&format!("{path}/roll"), json!({ "overlap_seconds": 60 })).await.expect(StatusCode::OK);
        app.root().patch(&path, json!({ "name": "renamed" })).await.expect(StatusCode::OK);
        let told = app.verify(&token, json!({})).await;
        assert_eq!((&told["code"], &told["credential"]["name"]), (&json!("valid"), &json!("renamed")));
    }

    async fn the_token_of_a_member_ends_when_they_leave(app: &TestApp) {
        app.declare_invoices().await;
        let (organization, _) = app.account("acme", &[]).await;
        let alice = app.user("alice@acme.test").await;
        let member = format!("/v1/organizations/{organization}/members/{alice}");
        app.root().put(&member, json!({ "permissions": ["invoices:read"], "roles": [] })).await.expect(StatusCode::CREATED);
        let made = json!({
            "user_id": alice, "organization_id": organization, "name": "laptop", "permissions": ["invoices:read"],
        });
        let pat = Key::from(app.root().post("/v1/personal-access-tokens", made).await.expect(StatusCode::CREATED));
        let token = signed(app, &claims(app, &pat, "invoices:read").await).await;
        let told = app.verify(&token, json!({ "permissions": ["invoices:read"] })).await;
        assert_eq!((&told["code"], &told["principal"]["id"]), (&json!("valid"), &json!(alice)));
        app.root().delete(&member).await.expect(StatusCode::NO_CONTENT);
        assert_eq!(app.code(&token).await, "revoked");
        app.root().put(&member, json!({ "permissions": ["invoices:read"], "roles": [] })).await.expect(StatusCode::CREATED);
        assert_eq!(app.code(&token).await, "revoked", "coming back brings nothing back");
    }

    async fn a_token_keeps_the_limits_of_its_credential_and_its_own(app: &TestApp) {
        let end = app.app.now() + SignedDuration::from_secs(300);
        let more = json!({ "objects": ["base:*"], "allowed_networks": ["10.0.0.0/8"], "expires_at": end });
        let key = writer(app, more).await;
        let mut narrow = claims(app, &key, "invoices:read").await;
        let wide = signed(app, &narrow).await;
        narrow.jti = AccessTokenId::generate(app.app.now(), &mut app.app.rng());
        narrow.objects = ObjectSet::from_text("base:app7").ok();
        narrow.networks = NetworkSet::from_text("10.1.0.0/16").ok();
        let narrow = signed(app, &narrow).await;
        let check = async |token: &str, object: Option<&str>, address: Option<&str>, code: &str| {
            let asked = json!({ "object": object, "client_ip": address });
            assert_eq!(app.verify(token, asked).await["code"], code, "{object:?} {address:?}");
        };
        check(&wide, Some("base:app8"), Some("10.2.0.1"), "valid").await;
        check(&wide, Some("repo:x"), Some("10.2.0.1"), "object_not_allowed").await;
        check(&wide, None, Some("10.2.0.1"), "object_required").await;
        check(&wide, Some("base:app8"), None, "network_not_allowed").await;
        check(&narrow, Some("base:app7"), Some("10.1.0.1"), "valid").await;
        check(&narrow, Some("base:app8"), Some("10.1.0.1"), "object_not_allowed").await;
        check(&narrow, Some("base:app7"), Some("10.2.0.1"), "network_not_allowed").await;
        app.clock.advance(SignedDuration::from_secs(300));
        check(&wide, Some("base:app8"), Some("10.2.0.1"), "expired").await;
    }

    async fn tokens_count_against_their_credential_and_for_it(app: &TestApp) {
        let limits = json!({ "rate_limits": [{ "name": "default", "limit": 3, "window_seconds": 3600 }] });
        let key = writer(app, limits).await;
        let claims = claims(app, &key, "invoices:read").await;
        let one = signed(app, &claims).await;
        let two = signed_with(app, &claims, json!({ "jti": AccessTokenId::generate(app.app.now(), &mut app.app.rng()) })).await;
        let before = scrape(app).await;
        let asked = json!({ "permissions": ["invoices:read"] });
        for token in [&key.token, &one, &two] {
            let told = app.verify(token, asked.clone()).await;
            assert_eq!((&told["code"], &told["cache"]), (&json!("valid"), &Value::Null));
        }
        for token in [&two, &one, &key.token] {
            assert_eq!(app.verify(token, asked.clone()).await["code"], "rate_limited");
        }
        let after = scrape(app).await;
        let name = r#"claviger_verdicts_total{code="rate_limited",kind="access_token",surface="verify"}"#;
        assert_eq!(after.value(name) - before.value(name), 2.0);
        let id = key.id.parse().unwrap();
        within(SOON, "all is counted for the key", async || {
            let uses = app.app.store.uses(id).await.unwrap();
            let uses: Vec<(&str, i64)> = uses.iter().map(|(_, code, uses)| (code.as_str(), *uses)).collect();
            uses == [("rate_limited", 3), ("valid", 3)]
        }).await;
        let shown = app.root().get(&format!("/v1/api-keys/{}", key.id)).await.expect(StatusCode::OK);
        assert_eq!(shown["generations"].as_array().unwrap().len(), 1, "a token is no secret of its key");
    }

    async fn an_opaque_token_is_the_same_as_a_jwt(app: &TestApp) {
        let mut other = app.another_node().await;
        let key = writer(app, json!({})).await;
        let claims = claims(app, &key, "invoices:read").await;
        let token = kept(app, &claims).await;
        assert!(token.starts_with("clv_at_"), "{token}");
        let jwt = signed(app, &claims).await;
        for node in [app, &other] {
            let asked = json!({ "permissions": ["invoices:read"], "audience": INVOICES });
            let told = node.verify(&token, asked.clone()).await;
            assert_eq!(told, node.verify(&jwt, asked).await);
            assert_eq!(told["code"], "valid");
            assert_eq!(node.verify(&token, json!({ "permissions": ["invoices:write"] })).await["code"], "permission_missing");
            assert_eq!(node.verify(&token, json!({ "audience": PUBLIC_URL })).await["code"], "audience_mismatch");
        }
        let bearer = format!("Bearer {token}");
        assert_eq!(forward(app, "?permission=invoices:read", &[("authorization", &bearer)]).await.status, StatusCode::OK);
        let itself = app.client(&token).get("/v1/token").await.expect(StatusCode::OK);
        assert_eq!((&itself["credential"]["id"], &itself["access_token"]["id"]), (&json!(key.id), &json!(claims.jti)));
        app.client(&token).post("/v1/token/roll", json!({})).await.problem(StatusCode::CONFLICT, "not_rollable");

        // No signature of ours proves it, so that no key takes it along.
        app.root().post("/v1/signing-keys/rotate", json!({ "emergency": true })).await.expect(StatusCode::OK);
        assert_eq!((app.code(&token).await, app.code(&jwt).await), ("valid".to_owned(), "unknown".to_owned()));
        app.root().post(&format!("/v1/api-keys/{}/revoke", key.id), json!({})).await.expect(StatusCode::OK);
        assert_eq!(app.code(&token).await, "revoked");
        within(SOON, "refused there", async || other.code(&token).await == "revoked").await;
        app.clock.advance(SignedDuration::from_secs(600));
        assert_eq!(app.code(&token).await, "revoked");
        other.finish().await;
    }

    async fn an_opaque_token_that_nobody_has_or_that_ended_does_not_count(app: &TestApp) {
        let key = app.reader().await;
        let mut claims = claims(app, &key, "invoices:read").await;
        let token = kept(app, &claims).await;
        assert_eq!(app.code(&token).await, "valid");
        let unknown = Secret::mint(&app.app.config.brand, SecretKind::AccessToken, &mut app.app.rng());
        assert_eq!(app.code(unknown.expose()).await, "unknown");
        assert_eq!(app.code(&token[..token.len() - 1]).await, "malformed");
        claims.cred = key.id.replace("key_", "pat_").parse().unwrap();
        let orphan = kept(app, &claims).await;
        assert_eq!(app.code(&orphan).await, "unknown");
        app.clock.advance(SignedDuration::from_secs(600));
        assert_eq!(app.code(&token).await, "expired");
        app.clock.advance(SignedDuration::from_hours(25));
        app.app.store.trim(app.app.now()).await.unwrap();
        let mut other = app.another_node().await;
        assert_eq!(other.code(&token).await, "unknown");
        other.finish().await;
    }

    async fn a_token_ends_by_itself_everywhere_and_takes_nothing_along(app: &TestApp) {
        let mut other = app.another_node().await;
        let key = app.reader().await;
        let claims = claims(app, &key, "invoices:read").await;
        let next = |jti: AccessTokenId| AccessTokenClaims { jti, ..claims.clone() };
        for opaque in [false, true] {
            let ids = [(); 2].map(|()| AccessTokenId::generate(app.app.now(), &mut app.app.rng()));
            let mut tokens = Vec::new();
            for id in ids {
                tokens.push(if opaque { kept(app, &next(id)).await } else { signed(app, &next(id)).await });
            }
            let [one, two] = tokens.try_into().unwrap();
            for node in [app, &other] {
                assert_eq!((node.code(&one).await, node.code(&two).await), ("valid".to_owned(), "valid".to_owned()));
            }
            app.client(&one).delete("/v1/token").await.expect(StatusCode::NO_CONTENT);
            for _ in 0..2 {
                let told = app.verify(&one, json!({})).await;
                assert_eq!((&told["code"], &told["credential"]["id"]), (&json!("revoked"), &json!(key.id)), "here, at once");
            }
            within(SOON, "refused there", async || other.code(&one).await == "revoked").await;
            app.client(&one).delete("/v1/token").await.problem(StatusCode::UNAUTHORIZED, "invalid_token");
            for node in [app, &other] {
                assert_eq!((node.code(&two).await, node.code(&key.token).await), ("valid".to_owned(), "valid".to_owned()));
            }
            // A node that starts now knows of it, and so does one that reads the list anew.
            let mut third = app.another_node().await;
            assert_eq!((third.code(&one).await, third.code(&two).await), ("revoked".to_owned(), "valid".to_owned()));
            third.finish().await;
            other.app.store.changes().name_everything();
            assert_eq!((other.code(&one).await, other.code(&two).await), ("revoked".to_owned(), "valid".to_owned()));
            assert_eq!(app.audit_trail(&ids[0].to_string()).await, ["access_token.revoked"]);
            assert!(app.audit_trail(&ids[1].to_string()).await.is_empty());
        }
        other.finish().await;
    }

    async fn a_token_ends_itself_only_from_its_networks(app: &TestApp) {
        let key = app.reader().await;
        let mut away = claims(app, &key, "invoices:read").await;
        away.networks = NetworkSet::from_text("10.0.0.0/8").ok();
        let token = signed(app, &away).await;
        app.client(&token).get("/v1/token").await.expect(StatusCode::OK);
        app.client(&token).delete("/v1/token").await.problem(StatusCode::FORBIDDEN, "network_not_allowed");
    }

    async fn a_key_that_is_removed_takes_its_tokens_with_it(app: &TestApp) {
        let mut other = app.another_node().await;
        let key = app.reader().await;
        let claims = claims(app, &key, "invoices:read").await;
        let old = signed(app, &claims).await;
        for node in [app, &other] {
            assert_eq!(node.code(&old).await, "valid");
        }
        app.root().post("/v1/signing-keys/rotate", json!({ "emergency": true })).await.expect(StatusCode::OK);
        assert_eq!(app.code(&old).await, "unknown");
        within(SOON, "refused there", async || other.code(&old).await == "unknown").await;
        let new = signed(app, &claims).await;
        for node in [app, &other] {
            assert_eq!(node.code(&new).await, "valid");
        }
        other.finish().await;
    }

    async fn a_bound_token_wants_its_proof(app: &TestApp) {
        let key = app.reader().await;
        let mut bound = claims(app, &key, "invoices:read").await;
        bound.cnf = Some(Confirmation::of_certificate([1; 32].into()));
        let token = signed(app, &bound).await;
        assert_eq!(app.code(&token).await, "proof_required");
        let refused = app.client(&token).delete("/v1/token").await;
        refused.problem(StatusCode::UNAUTHORIZED, "invalid_token");
    }

    async fn a_short_token_mints_nothing_that_reaches_beyond_it(app: &TestApp) {
        app.declare_invoices().await;
        let held = ["claviger:api_keys:write", "invoices:read", "invoices:write"];
        let (organization, account) = app.account("acme", &held).await;
        let key = app.key(&account, &held, json!({})).await;
        let claims = claims(app, &key, "claviger:api_keys:write invoices:read").await;
        let token = signed_with(app, &claims, json!({ "aud": PUBLIC_URL })).await;
        let mint = async |token: &str, permissions: &[&str], expires_at: Value| {
            let body = json!({ "service_account_id": account, "name": "new", "permissions": permissions, "expires_at": expires_at });
            app.client(token).post("/v1/api-keys", body).await
        };
        let end = |seconds: i64| json!(jiff::Timestamp::from_second(claims.exp + seconds).unwrap());
        mint(&key.token, &["invoices:read"], Value::Null).await.expect(StatusCode::CREATED);
        let made = mint(&token, &["invoices:read"], end(0)).await.expect(StatusCode::CREATED);
        assert_eq!(made["created_by"], json!(account));
        mint(&token, &["invoices:read"], end(1)).await.problem(StatusCode::FORBIDDEN, "permission_missing");
        mint(&token, &["invoices:read"], Value::Null).await.problem(StatusCode::FORBIDDEN, "permission_missing");
        mint(&token, &["invoices:write"], end(0)).await.problem(StatusCode::FORBIDDEN, "permission_missing");
        mint(&token, &["*"], end(0)).await.problem(StatusCode::FORBIDDEN, "permission_missing");
        let roll = format!("/v1/api-keys/{}/roll", key.id);
        app.client(&token).post(&roll, json!({})).await.problem(StatusCode::FORBIDDEN, "permission_missing");

        let objects = json!({ "aud": PUBLIC_URL, "networks": ["127.0.0.0/8"], "jti": AccessTokenId::generate(app.app.now(), &mut app.app.rng()) });
        let limited = signed_with(app, &claims, objects).await;
        mint(&limited, &["invoices:read"], end(0)).await.problem(StatusCode::FORBIDDEN, "permission_missing");

        // Whoever may give anything there is not bounded there.
        let admin = app.account_in(&organization, &["claviger:api_keys:write", "claviger:grants:write"]).await;
        let admin = app.key(&admin, &["claviger:*"], json!({})).await;
        let claims = super::access_tokens::claims(app, &admin, "claviger:api_keys:write claviger:grants:write").await;
        let granting = signed_with(app, &claims, json!({ "aud": PUBLIC_URL })).await;
        mint(&granting, &["invoices:write"], Value::Null).await.expect(StatusCode::CREATED);
        let scoped = signed_with(app, &claims, json!({ "aud": PUBLIC_URL, "scope": "claviger:api_keys:write" })).await;
        mint(&scoped, &["invoices:write"], Value::Null).await.problem(StatusCode::FORBIDDEN, "permission_missing");
    }
}
