//! Proof of possession (RFC 9449; the numbers are those of the cases that it must answer). How a proof is judged stands beside the
//! rules, in `claviger-token`; here is what those who send one see of it.

use std::sync::atomic::{AtomicUsize, Ordering};

use claviger_token::{SigningAlgorithm, SigningKey, TokenHash};
use jiff::SignedDuration;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    app::{INVOICES, Key, PUBLIC_URL, Reply, TestApp, text},
    machine::{CLIENT_CREDENTIALS, Machine, TOKEN, claims},
};

const EXCHANGE: (&str, &str) = ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange");
const ACCESS: (&str, &str) = ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token");

/// Somebody with a private key.
pub(crate) struct Holder {
    key: SigningKey,
    proofs: AtomicUsize,
}

impl Holder {
    pub(crate) fn new() -> Self {
        let pkcs8 = SigningKey::generate(SigningAlgorithm::Es256).unwrap();
        Self { key: SigningKey::from_pkcs8(SigningAlgorithm::Es256, &pkcs8).unwrap(), proofs: AtomicUsize::new(0) }
    }

    pub(crate) fn jkt(&self) -> String {
        self.key.verifying_key().thumbprint()
    }

    pub(crate) fn jwk(&self) -> Value {
        serde_json::to_value(self.key.verifying_key().jwk("mine")).unwrap()
    }

    /// An assertion of this client, with these claims in the place of sound ones (RFC 7523).
    pub(crate) fn assertion(&self, app: &TestApp, client: &str, changed: &Value) -> String {
        let number = self.proofs.fetch_add(1, Ordering::Relaxed);
        let now = app.app.now().as_second();
        let mut claims = json!({
            "iss": client, "sub": client, "aud": PUBLIC_URL, "exp": now + 60, "iat": now, "jti": format!("{}-{number}", self.jkt()),
        });
        claims.as_object_mut().unwrap().extend(changed.as_object().unwrap().clone());
        self.key.sign("JWT", "mine", &claims).unwrap()
    }

    /// A proof with these claims in the place of sound ones; those that are null are left out.
    pub(crate) fn proof_with(&self, app: &TestApp, changed: Value) -> String {
        let number = self.proofs.fetch_add(1, Ordering::Relaxed);
        let mut claims = json!({
            "jti": format!("{number}"), "htm": "POST", "htu": format!("{PUBLIC_URL}{TOKEN}"), "iat": app.app.now().as_second(),
        });
        let own = claims.as_object_mut().unwrap();
        for (name, value) in changed.as_object().unwrap() {
            if value.is_null() {
                own.remove(name);
            } else {
                own.insert(name.clone(), value.clone());
            }
        }
        self.key.sign_with_jwk("dpop+jwt", &claims).unwrap()
    }

    /// For a request with a credential.
    pub(crate) fn proof(&self, app: &TestApp, method: &str, url: &str, credential: &str) -> String {
        self.proof_with(app, json!({ "htm": method, "htu": url, "ath": ath(credential) }))
    }
}

pub(crate) fn ath(credential: &str) -> String {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    URL_SAFE_NO_PAD.encode(TokenHash::of(credential).as_bytes())
}

impl TestApp {
    /// A request for a token, with these proofs.
    async fn ask_proving(&self, client: &Machine, proofs: &[&str], fields: &[(&str, &str)]) -> Reply {
        let mut sent = self.request(Method::POST, self.public, TOKEN).basic_auth(&client.id, Some(&client.secret));
        for proof in proofs {
            sent = sent.header("DPoP", *proof);
        }
        Reply::read(self, sent.form(fields).send().await.unwrap()).await
    }

    async fn bound_token(&self, client: &Machine, holder: &Holder) -> String {
        let proof = holder.proof_with(self, json!({}));
        let body = self.ask_proving(client, &[&proof], &[CLIENT_CREDENTIALS]).await.expect(StatusCode::OK);
        assert_eq!(body["token_type"], "DPoP");
        text(&body["access_token"])
    }

    /// The code of the verdict on a request to the invoices API, with this proof.
    async fn code_proving(&self, credential: &str, proof: &str) -> String {
        text(&self.verify_proving(credential, proof).await["code"])
    }

    async fn verify_proving(&self, credential: &str, proof: &str) -> Value {
        let asked = json!({
            "permissions": ["invoices:read"], "method": "GET", "proof": { "dpop": proof, "url": format!("{INVOICES}/42?page=1") },
        });
        self.verify(credential, asked).await
    }

    /// A request to our own API.
    async fn own(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Reply {
        self.anonymous().send(method, path, None, headers).await
    }

    /// A request that a gateway holds.
    async fn gateway(&self, query: &str, headers: &[(&str, &str)]) -> Reply {
        let mut sent = self.request(Method::GET, self.internal, &format!("/v1/forward-auth?{query}"));
        sent = sent.header("x-forwarded-method", "GET").header("x-forwarded-uri", "/42?page=1");
        for (name, value) in headers {
            sent = sent.header(*name, *value);
        }
        Reply::read(self, sent.send().await.unwrap()).await
    }

    /// A key of a service account that is bound to this holder's.
    async fn bound_key(&self, account: &str, holder: &Holder) -> Key {
        self.key(account, &["invoices:read"], json!({ "dpop_jkt": holder.jkt() })).await
    }

    async fn bound_member_token(&self, organization: &str, holder: &Holder) -> Key {
        let user = self.user("zoe@acme.test").await;
        let rights = json!({ "roles": [], "permissions": ["invoices:read"] });
        let put = self.root().put(&format!("/v1/organizations/{organization}/members/{user}"), rights).await;
        assert!(put.status.is_success(), "{}", put.body);
        let body = json!({
            "user_id": user, "organization_id": organization, "name": "script", "permissions": ["invoices:read"],
            "dpop_jwk": holder.jwk(),
        });
        Key::from(self.root().post("/v1/personal-access-tokens", body).await.expect(StatusCode::CREATED))
    }
}

fn challenges(reply: &Reply) -> Vec<String> {
    reply.headers.get_all("www-authenticate").iter().map(|value| value.to_str().unwrap().to_owned()).collect()
}

on_both_databases! {
    async fn a_stolen_credential_that_is_bound_is_useless(app: &TestApp) {
        let client = app.machine().await;
        let (owner, thief) = (Holder::new(), Holder::new());
        let stolen = [
            app.bound_key(&client.id, &owner).await.token,
            app.bound_member_token(&client.organization, &owner).await.token,
            app.bound_token(&client, &owner).await,
        ];
        for credential in &stolen {
            let seen = owner.proof(app, "GET", &format!("{INVOICES}/42"), credential);
            assert_eq!(app.code_proving(credential, &seen).await, "valid", "the owner is let in");

            // The thief has the credential and a proof that was seen on its way, and no key.
            let url = format!("{INVOICES}/42");
            assert_eq!(app.code(credential).await, "proof_required");
            assert_eq!(app.code_proving(credential, &seen).await, "proof_invalid", "it was used");
            let own = thief.proof(app, "GET", &url, credential);
            assert_eq!(app.code_proving(credential, &own).await, "proof_invalid");
            let elsewhere = owner.proof(app, "GET", "https://evil.test/42", credential);
            assert_eq!(app.code_proving(credential, &elsewhere).await, "proof_invalid");

            // At a gateway, and at our own API: as a bearer token, as an API key, and with a key of the thief's own.
            let bearer = format!("Bearer {credential}");
            let dpop = format!("DPoP {credential}");
            for headers in [
                vec![("authorization", bearer.as_str())],
                vec![("authorization", bearer.as_str()), ("dpop", own.as_str())],
                vec![("x-api-key", credential.as_str())],
                vec![("authorization", dpop.as_str())],
                vec![("authorization", dpop.as_str()), ("dpop", own.as_str())],
                vec![("authorization", dpop.as_str()), ("dpop", seen.as_str())],
            ] {
                assert_eq!(app.gateway("permission=invoices:read", &headers).await.status, StatusCode::UNAUTHORIZED);
                for (method, path) in [(Method::GET, "/v1/token"), (Method::DELETE, "/v1/token"), (Method::GET, "/v1/api-keys")] {
                    assert_eq!(app.own(method, path, &headers).await.status, StatusCode::UNAUTHORIZED, "{path}");
                }
            }

            // And it is exchanged for nothing, by whatever client.
            let exchange = [EXCHANGE, ("subject_token", credential.as_str()), ACCESS];
            app.ask_proving(&client, &[], &exchange).await.refusal(StatusCode::BAD_REQUEST, "invalid_request");
            let own = thief.proof_with(app, json!({}));
            app.ask_proving(&client, &[&own], &exchange).await.refusal(StatusCode::BAD_REQUEST, "invalid_request");
            let seen = owner.proof(app, "GET", &url, credential);
            assert_eq!(app.code_proving(credential, &seen).await, "valid", "the owner still is");
        }
    }

    async fn d01_a_proof_binds_the_token_to_its_key(app: &TestApp) {
        let client = app.machine().await;
        let holder = Holder::new();
        let jwt = app.bound_token(&client, &holder).await;
        assert_eq!(claims(&jwt)["cnf"], json!({ "jkt": holder.jkt() }));
        app.opaque_from_now_on().await;
        let opaque = app.bound_token(&client, &holder).await;
        assert!(opaque.starts_with("clv_at_"));
        for token in [&jwt, &opaque] {
            let told = app.form_of(&client, "/oauth/introspect", &[("token", token)]).await.expect(StatusCode::OK);
            assert_eq!((&told["token_type"], &told["cnf"]), (&json!("DPoP"), &json!({ "jkt": holder.jkt() })));
            let answer = app.verify_proving(token, &holder.proof(app, "GET", &format!("{INVOICES}/42"), token)).await;
            assert_eq!((&answer["code"], &answer["cache"]), (&json!("valid"), &Value::Null));
            let answer = app.verify(token, json!({})).await;
            assert_eq!((&answer["code"], &answer["proof"]["error"]), (&json!("proof_required"), &json!("invalid_token")));
        }
        let bearer = app.ask(&client, &[]).await.expect(StatusCode::OK);
        assert_eq!(bearer["token_type"], "Bearer");
        let told = app.form_of(&client, "/oauth/introspect", &[("token", &text(&bearer["access_token"]))]).await;
        let told = told.expect(StatusCode::OK);
        assert_eq!((&told["token_type"], told.get("cnf")), (&json!("Bearer"), None));
        let metadata = app.anonymous().get("/.well-known/oauth-authorization-server").await.expect(StatusCode::OK);
        assert_eq!(metadata["dpop_signing_alg_values_supported"], json!(["ES256", "EdDSA", "Ed25519", "RS256"]));
    }

    async fn d02_d03_d04_d05_what_is_no_sound_proof_gets_no_token(app: &TestApp) {
        let client = app.machine().await;
        let holder = Holder::new();
        let refused = async |proofs: &[&str]| {
            let reply = app.ask_proving(&client, proofs, &[CLIENT_CREDENTIALS]).await;
            reply.refusal(StatusCode::BAD_REQUEST, "invalid_dpop_proof");
        };
        let sound = || holder.proof_with(app, json!({}));
        refused(&[&sound(), &sound()]).await;
        refused(&[&format!("{}, {}", sound(), sound())]).await;
        for malformed in ["", "x", "a.b.c", "clv_key_x"] {
            refused(&[malformed]).await;
        }
        let now = app.app.now().as_second();
        for changed in [
            json!({ "jti": null }), json!({ "htm": null }), json!({ "htu": null }), json!({ "iat": null }),
            json!({ "htm": "post" }), json!({ "htm": "GET" }), json!({ "jti": "x".repeat(257) }),
            json!({ "htu": format!("{PUBLIC_URL}/oauth/introspect") }), json!({ "htu": format!("{PUBLIC_URL}{TOKEN}/") }),
            json!({ "htu": format!("http://{}{TOKEN}", app.public) }), json!({ "iat": now - 3600 }), json!({ "iat": now + 3600 }),
        ] {
            refused(&[&holder.proof_with(app, changed)]).await;
        }
        refused(&[&holder.key.sign("dpop+jwt", "mine", &json!({ "jti": "a" })).unwrap()]).await;
        refused(&[&holder.key.sign_with_jwk("at+jwt", &json!({ "jti": "a" })).unwrap()]).await;
        for changed in [
            json!({ "iat": now - 10 }), json!({ "iat": now + 10 }), json!({ "nbf": now, "exp": now + 60, "x": [] }),
            json!({ "htu": format!("{}{TOKEN}?a=b#c", PUBLIC_URL.to_uppercase().replacen("HTTPS", "https", 1)) }),
        ] {
            let proof = holder.proof_with(app, changed);
            app.ask_proving(&client, &[&proof], &[CLIENT_CREDENTIALS]).await.expect(StatusCode::OK);
        }
        // Whoever proves a key is no client for that.
        let stranger = Machine { secret: "clv_cs_x".to_owned(), ..app.machine_with("other", &[]).await };
        let reply = app.ask_proving(&stranger, &[&sound()], &[CLIENT_CREDENTIALS]).await;
        reply.refusal(StatusCode::UNAUTHORIZED, "invalid_client");
    }

    async fn d06_a_proof_counts_once_on_all_nodes(app: &TestApp) {
        let client = app.machine().await;
        let holder = Holder::new();
        let mut other = app.another_node().await;
        let proof = holder.proof_with(app, json!({}));
        app.ask_proving(&client, &[&proof], &[CLIENT_CREDENTIALS]).await.expect(StatusCode::OK);
        for node in [app, &other] {
            let again = node.ask_proving(&client, &[&proof], &[CLIENT_CREDENTIALS]).await;
            again.refusal(StatusCode::BAD_REQUEST, "invalid_dpop_proof");
        }
        let key = app.bound_key(&client.id, &holder).await;
        let proof = holder.proof(app, "GET", &format!("{INVOICES}/42"), &key.token);
        // Of many at once, one counts.
        let (one, two) = tokio::join!(app.verify_proving(&key.token, &proof), other.verify_proving(&key.token, &proof));
        let mut codes = [text(&one["code"]), text(&two["code"])];
        codes.sort();
        assert_eq!(codes, ["proof_invalid", "valid"]);
        let again = other.verify_proving(&key.token, &proof).await;
        assert_eq!((&again["code"], &again["proof"]["error"]), (&json!("proof_invalid"), &json!("invalid_dpop_proof")));
        // What is refused for another reason does not use it up, and the id of another key is another.
        let proof = holder.proof(app, "GET", &format!("{INVOICES}/42"), &key.token);
        let asked = json!({
            "permissions": ["invoices:write"], "method": "GET", "proof": { "dpop": proof, "url": format!("{INVOICES}/42") },
        });
        assert_eq!(app.verify(&key.token, asked).await["code"], "permission_missing");
        assert_eq!(app.code_proving(&key.token, &proof).await, "valid");
        other.finish().await;
    }

    async fn d07_a_nonce_is_asked_for_where_the_operator_wants_it(app: &TestApp) {
        let client = app.machine().await;
        let holder = Holder::new();
        let key = app.bound_key(&client.id, &holder).await;
        let mut node = app.another_node_with(|config| config.dpop_nonce = true).await;
        let mut other = app.another_node_with(|config| config.dpop_nonce = true).await;
        // To the beginning of a step, so that none ends on the way.
        for asked in [&node, &other] {
            asked.clock.advance(SignedDuration::from_secs(61 - app.app.now().as_second() % 60));
        }

        let refused = node.ask_proving(&client, &[&holder.proof_with(app, json!({}))], &[CLIENT_CREDENTIALS]).await;
        let nonce = refused.header("dpop-nonce").unwrap().to_owned();
        refused.refusal(StatusCode::BAD_REQUEST, "use_dpop_nonce");
        for wrong in ["", "x", &app.app.now().to_string()] {
            let proof = holder.proof_with(app, json!({ "nonce": wrong }));
            let refused = node.ask_proving(&client, &[&proof], &[CLIENT_CREDENTIALS]).await;
            assert_eq!(refused.header("dpop-nonce"), Some(nonce.as_str()));
            refused.refusal(StatusCode::BAD_REQUEST, "use_dpop_nonce");
        }
        // Every node takes it, also of a client whose clock is wrong.
        for asked in [&node, &other] {
            let proof = holder.proof_with(app, json!({ "nonce": nonce, "iat": 1 }));
            let reply = asked.ask_proving(&client, &[&proof], &[CLIENT_CREDENTIALS]).await;
            assert_eq!((reply.header("dpop-nonce"), reply.header("cache-control")), (Some(nonce.as_str()), Some("no-store")));
            assert_eq!(reply.expect(StatusCode::OK)["token_type"], "DPoP");
        }

        // Of an API the nonce is another, at ours as at others'.
        let url = format!("{PUBLIC_URL}/v1/token");
        let dpop = format!("DPoP {}", key.token);
        let shown = async |members: Value| {
            let mut claims = json!({ "htm": "GET", "htu": url, "ath": ath(&key.token) });
            claims.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
            let proof = holder.proof_with(app, claims);
            node.own(Method::GET, "/v1/token", &[("authorization", &dpop), ("dpop", &proof)]).await
        };
        let mut given = Vec::new();
        for members in [json!({}), json!({ "nonce": nonce }), json!({ "nonce": "x" })] {
            let refused = shown(members).await;
            assert_eq!(refused.header("cache-control"), Some("no-store"));
            given.push(refused.header("dpop-nonce").unwrap().to_owned());
            let [challenge] = challenges(&refused).try_into().unwrap();
            assert!(challenge.starts_with("DPoP ") && challenge.contains("error=\"use_dpop_nonce\""), "{challenge}");
            refused.problem(StatusCode::UNAUTHORIZED, "use_dpop_nonce");
        }
        assert_ne!(given[0], nonce);
        shown(json!({ "nonce": given[0] })).await.expect(StatusCode::OK);

        let url = format!("{INVOICES}/42");
        let answer = node.verify_proving(&key.token, &holder.proof(app, "GET", &url, &key.token)).await;
        assert_eq!((&answer["code"], &answer["proof"]["error"]), (&json!("proof_invalid"), &json!("use_dpop_nonce")));
        assert_eq!(answer["proof"]["nonce"], given[0]);
        let proof = holder.proof(app, "GET", &url, &key.token);
        let refused = node.gateway("permission=invoices:read", &[("authorization", &dpop), ("dpop", &proof)]).await;
        assert_eq!((refused.status, refused.header("dpop-nonce")), (StatusCode::UNAUTHORIZED, Some(given[0].as_str())));
        let with = json!({ "htm": "GET", "htu": url, "ath": ath(&key.token), "nonce": given[0] });
        assert_eq!(other.verify_proving(&key.token, &holder.proof_with(app, with.clone())).await["code"], "valid");
        for asked in [&node, &other] {
            asked.clock.advance(SignedDuration::from_secs(121));
        }
        assert_eq!(other.verify_proving(&key.token, &holder.proof_with(app, with)).await["code"], "proof_invalid");
        node.finish().await;
        other.finish().await;
    }

    async fn d08_d09_d10_our_own_api_wants_a_proof_of_what_is_bound(app: &TestApp) {
        let client = app.machine().await;
        let (holder, other) = (Holder::new(), Holder::new());
        let key = app.bound_key(&client.id, &holder).await;
        let url = format!("{PUBLIC_URL}/v1/token");
        let (dpop, bearer) = (format!("dPoP   {}", key.token), format!("Bearer {}", key.token));
        let proof = || holder.proof(app, "GET", &url, &key.token);
        let get = async |headers: &[(&str, &str)]| app.own(Method::GET, "/v1/token", headers).await;
        let told = get(&[("authorization", &dpop), ("DPOP", &proof())]).await.expect(StatusCode::OK);
        assert_eq!(told["cnf"], json!({ "jkt": holder.jkt() }));
        get(&[("x-api-key", &key.token), ("dpop", &proof())]).await.expect(StatusCode::OK);

        let refused = async |headers: &[(&str, &str)], error: &str| {
            let reply = get(headers).await;
            let [challenge] = challenges(&reply).try_into().unwrap();
            assert!(challenge.starts_with("DPoP ") && challenge.contains(&format!("error=\"{error}\"")), "{challenge}");
            assert!(challenge.contains("algs=\"ES256 EdDSA Ed25519 RS256\"") && challenge.contains("resource_metadata="));
            assert_eq!(reply.header("dpop-nonce"), None);
            reply.problem(StatusCode::UNAUTHORIZED, error);
        };
        let used = proof();
        get(&[("authorization", &dpop), ("dpop", &used)]).await.expect(StatusCode::OK);
        let without = holder.proof_with(app, json!({ "htm": "GET", "htu": url }));
        let of_another = holder.proof(app, "GET", &url, "another");
        let elsewhere = holder.proof(app, "GET", &format!("{PUBLIC_URL}/v1/api-keys"), &key.token);
        let by_host = holder.proof(app, "GET", &format!("http://{}/v1/token", app.public), &key.token);
        let other_method = holder.proof(app, "HEAD", &url, &key.token);
        for wrong in [&used, &without, &of_another, &elsewhere, &by_host, &other_method, "nonsense"] {
            refused(&[("authorization", &dpop), ("dpop", wrong)], "invalid_dpop_proof").await;
        }
        refused(&[("authorization", &dpop), ("dpop", &proof()), ("dpop", &proof())], "invalid_dpop_proof").await;
        refused(&[("authorization", &dpop)], "invalid_dpop_proof").await;
        // D08: the right token with another key; D09: as a bearer token, whatever stands beside it.
        refused(&[("authorization", &dpop), ("dpop", &other.proof(app, "GET", &url, &key.token))], "invalid_token").await;
        refused(&[("authorization", &bearer)], "invalid_token").await;
        refused(&[("authorization", &bearer), ("dpop", &proof())], "invalid_token").await;
        refused(&[("x-api-key", &key.token)], "invalid_token").await;
        // D09: what is not bound is no DPoP token.
        let free = app.key(&client.id, &["invoices:read"], json!({})).await;
        let of_free = holder.proof(app, "GET", &url, &free.token);
        let as_dpop = format!("DPoP {}", free.token);
        refused(&[("authorization", &as_dpop), ("dpop", &of_free)], "invalid_token").await;
        refused(&[("authorization", &as_dpop)], "invalid_dpop_proof").await;
        let both = get(&[("authorization", &bearer), ("authorization", &dpop), ("dpop", &proof())]).await;
        both.problem(StatusCode::BAD_REQUEST, "several_credentials");
        let unknown = format!("DPoP {}", "eyJhbGciOiJFUzI1NiJ9.eyJ9.c2ln");
        refused(&[("authorization", &unknown), ("dpop", &proof())], "invalid_token").await;

        // D10: who shows nothing is told of each scheme, and of no error.
        let reply = get(&[]).await;
        let told = challenges(&reply);
        assert!(told.len() == 2 && told[0].starts_with("Bearer ") && told[1].starts_with("DPoP "), "{told:?}");
        assert!(told.iter().all(|challenge| !challenge.contains("error=")) && told[1].contains("algs=\""));
        reply.problem(StatusCode::UNAUTHORIZED, "unauthenticated");

        // Permissions come after the proof, and are told as ever.
        let list = format!("{PUBLIC_URL}/v1/api-keys");
        let listed = holder.proof(app, "GET", &list, &key.token);
        let reply = app.own(Method::GET, "/v1/api-keys?limit=1", &[("authorization", &dpop), ("dpop", &listed)]).await;
        reply.problem(StatusCode::FORBIDDEN, "permission_missing");
        let ended = holder.proof(app, "DELETE", &url, &key.token);
        let reply = app.own(Method::DELETE, "/v1/token", &[("authorization", &dpop), ("dpop", &ended)]).await;
        reply.expect(StatusCode::NO_CONTENT);
        refused(&[("authorization", &dpop), ("dpop", &proof())], "invalid_token").await;
    }

    async fn d11_a_client_that_is_to_prove_a_key_gets_nothing_without(app: &TestApp) {
        let client = app.machine().await;
        let path = client.path();
        assert_eq!(app.root().get(&path).await.expect(StatusCode::OK)["dpop_bound_access_tokens"], false);
        let set = app.root().patch(&path, json!({ "dpop_bound_access_tokens": true })).await.expect(StatusCode::OK);
        assert_eq!(set["dpop_bound_access_tokens"], true);
        app.ask(&client, &[]).await.refusal(StatusCode::BAD_REQUEST, "invalid_dpop_proof");
        let key = app.key(&client.id, &["invoices:read"], json!({})).await;
        let exchange = [EXCHANGE, ("subject_token", key.token.as_str()), ACCESS];
        app.ask_proving(&client, &[], &exchange).await.refusal(StatusCode::BAD_REQUEST, "invalid_dpop_proof");
        let holder = Holder::new();
        app.bound_token(&client, &holder).await;
        let body = app.ask_proving(&client, &[&holder.proof_with(app, json!({}))], &exchange).await.expect(StatusCode::OK);
        assert_eq!((&body["token_type"], &claims(&text(&body["access_token"]))["cnf"]), (&json!("DPoP"), &json!({ "jkt": holder.jkt() })));
        app.root().patch(&path, json!({ "dpop_bound_access_tokens": false })).await.expect(StatusCode::OK);
        app.ask(&client, &[]).await.expect(StatusCode::OK);
        app.root().patch(&path, json!({ "dpop_bound_access_tokens": null })).await.expect(StatusCode::OK);
        let body = json!({ "organization_id": client.organization, "name": "bound", "dpop_bound_access_tokens": true });
        let made = app.root().post("/v1/service-accounts", body).await.expect(StatusCode::CREATED);
        assert_eq!(made["dpop_bound_access_tokens"], true);
    }

    async fn e04_what_comes_of_a_bound_credential_is_bound_to_the_same_key(app: &TestApp) {
        let client = app.machine().await;
        let (holder, other) = (Holder::new(), Holder::new());
        let key = app.bound_key(&client.id, &holder).await;
        let exchanged = async |token: &str, holder: &Holder| {
            let proof = holder.proof_with(app, json!({}));
            app.ask_proving(&client, &[&proof], &[EXCHANGE, ("subject_token", token), ACCESS]).await
        };
        let first = exchanged(&key.token, &holder).await.expect(StatusCode::OK);
        assert_eq!(first["token_type"], "DPoP");
        let first = text(&first["access_token"]);
        assert_eq!(claims(&first)["cnf"], json!({ "jkt": holder.jkt() }));
        exchanged(&first, &other).await.refusal(StatusCode::BAD_REQUEST, "invalid_request");
        app.ask_proving(&client, &[], &[EXCHANGE, ("subject_token", &first), ACCESS]).await
            .refusal(StatusCode::BAD_REQUEST, "invalid_request");
        let second = text(&exchanged(&first, &holder).await.expect(StatusCode::OK)["access_token"]);
        assert_eq!(claims(&second)["cnf"], json!({ "jkt": holder.jkt() }));
        assert_eq!(app.code(&second).await, "proof_required");
        // The proof of a request for a token is none for an API, and the other way round.
        let proof = holder.proof_with(app, json!({ "ath": ath(&second) }));
        assert_eq!(app.code_proving(&second, &proof).await, "proof_invalid");
        let proof = holder.proof(app, "GET", &format!("{INVOICES}/42"), &second);
        app.ask_proving(&client, &[&proof], &[CLIENT_CREDENTIALS]).await.refusal(StatusCode::BAD_REQUEST, "invalid_dpop_proof");
        assert_eq!(app.code_proving(&second, &proof).await, "valid");

        // A bound actor must be proved as well.
        let actor = app.bound_token(&client, &holder).await;
        let free = app.key(&client.id, &["invoices:read"], json!({})).await;
        let actor = [
            EXCHANGE, ("subject_token", free.token.as_str()), ACCESS, ("actor_token", actor.as_str()),
            ("actor_token_type", "urn:ietf:params:oauth:token-type:access_token"),
        ];
        app.ask_proving(&client, &[], &actor).await.refusal(StatusCode::BAD_REQUEST, "invalid_request");
        let proof = other.proof_with(app, json!({}));
        app.ask_proving(&client, &[&proof], &actor).await.refusal(StatusCode::BAD_REQUEST, "invalid_request");
        let proof = holder.proof_with(app, json!({}));
        app.ask_proving(&client, &[&proof], &actor).await.expect(StatusCode::OK);
    }

    async fn a_key_is_bound_when_it_is_made_and_for_good(app: &TestApp) {
        let client = app.machine().await;
        let holder = Holder::new();
        let bound = json!({ "jkt": holder.jkt() });
        let key = app.bound_key(&client.id, &holder).await;
        assert_eq!(key.body["cnf"], bound);
        let by_jwk = app.key(&client.id, &["invoices:read"], json!({ "dpop_jwk": holder.jwk() })).await;
        assert_eq!(by_jwk.body["cnf"], bound);
        let pat = app.bound_member_token(&client.organization, &holder).await;
        assert_eq!(pat.body["cnf"], bound);
        let free = app.key(&client.id, &["invoices:read"], json!({})).await;
        assert!(free.body["cnf"].is_null());

        let path = format!("/v1/api-keys/{}", key.id);
        assert_eq!(app.root().get(&path).await.expect(StatusCode::OK)["cnf"], bound);
        let listed = app.root().get(&format!("/v1/credentials?principal_id={}", client.id)).await.expect(StatusCode::OK);
        let listed = listed["items"].as_array().unwrap();
        assert!(listed.iter().any(|one| one["id"] == key.id && one["cnf"] == bound), "{listed:?}");
        assert!(listed.iter().any(|one| one["id"] == free.id && one["cnf"].is_null()));
        let renamed = app.root().patch(&path, json!({ "name": "other" })).await.expect(StatusCode::OK);
        assert_eq!(renamed["cnf"], bound);
        for change in [json!({ "dpop_jkt": null }), json!({ "dpop_jkt": Holder::new().jkt() }), json!({ "cnf": null })] {
            app.root().patch(&path, change).await.problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid_request");
        }
        let rolled = Key::from(app.root().post(&format!("{path}/roll"), json!({})).await.expect(StatusCode::OK));
        assert_eq!(rolled.body["cnf"], bound);
        assert_eq!(app.code(&rolled.token).await, "proof_required");
        let events = app.root().get(&format!("/v1/audit-events?target={}", key.id)).await.expect(StatusCode::OK);
        let made = events["items"].as_array().unwrap().iter().find(|event| event["action"] == "api_key.created").unwrap();
        assert_eq!(made["details"]["cnf"], bound);

        let body = |members: Value| {
            let mut body = json!({ "service_account_id": client.id, "name": "ci", "permissions": ["invoices:read"] });
            body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
            body
        };
        let mut private = holder.jwk();
        private["d"] = json!("AQAB");
        for (members, pointer, code) in [
            (json!({ "dpop_jkt": "x" }), "/dpop_jkt", "invalid_thumbprint"),
            (json!({ "dpop_jkt": "" }), "/dpop_jkt", "invalid_thumbprint"),
            (json!({ "dpop_jwk": {} }), "/dpop_jwk", "invalid_jwk"),
            (json!({ "dpop_jwk": "x" }), "/dpop_jwk", "invalid_jwk"),
            (json!({ "dpop_jwk": private }), "/dpop_jwk", "invalid_jwk"),
            (json!({ "dpop_jwk": { "kty": "oct", "k": "AQAB" } }), "/dpop_jwk", "invalid_jwk"),
            (json!({ "dpop_jkt": holder.jkt(), "dpop_jwk": holder.jwk() }), "/dpop_jkt", "one_of"),
        ] {
            app.root().post("/v1/api-keys", body(members)).await.wrong(pointer, code);
        }

        // What a bound credential makes is bound to the same key, unless it may give anything.
        let held = json!({ "permissions": ["invoices:read", "claviger:api_keys:write"] });
        app.root().patch(&client.path(), held).await.expect(StatusCode::OK);
        let maker = app.key(&client.id, &["claviger:api_keys:write"], json!({ "dpop_jkt": holder.jkt() })).await;
        let url = format!("{PUBLIC_URL}/v1/api-keys");
        let make = async |members: Value| {
            let proof = holder.proof(app, "POST", &url, &maker.token);
            let headers = [("authorization", &*format!("DPoP {}", maker.token)), ("dpop", &proof)];
            let asked = json!({ "permissions": ["claviger:api_keys:write"] });
            let mut body = body(members);
            body.as_object_mut().unwrap().extend(asked.as_object().unwrap().clone());
            app.anonymous().send(Method::POST, "/v1/api-keys", Some(body), &headers).await
        };
        make(json!({})).await.problem(StatusCode::FORBIDDEN, "permission_missing");
        make(json!({ "dpop_jkt": Holder::new().jkt() })).await.problem(StatusCode::FORBIDDEN, "permission_missing");
        make(json!({ "dpop_jkt": holder.jkt() })).await.expect(StatusCode::CREATED);
    }

    async fn d04_a_gateway_checks_the_proof_for_the_address_that_the_api_answers_on(app: &TestApp) {
        let client = app.machine().await;
        let holder = Holder::new();
        let key = app.bound_key(&client.id, &holder).await;
        let dpop = format!("DPoP {}", key.token);
        let code = async |query: &str, url: &str, more: &[(&str, &str)]| {
            let proof = holder.proof(app, "GET", url, &key.token);
            let headers = [&[("authorization", dpop.as_str()), ("dpop", proof.as_str())], more].concat();
            let reply = app.gateway(query, &headers).await;
            let code = reply.header("x-claviger-code").unwrap().to_owned();
            assert_eq!(reply.status == StatusCode::OK, code == "valid");
            if code.starts_with("proof_") {
                assert!(challenges(&reply)[0].starts_with("DPoP error=\""), "{reply:?}");
            }
            code
        };
        let right = format!("{INVOICES}/42");
        for query in ["permission=invoices:read", &format!("audience={INVOICES}"), &format!("audience={INVOICES}/"), ""] {
            assert_eq!(code(query, &right, &[]).await, "valid", "{query}");
            for wrong in ["https://evil.test/42", &format!("{INVOICES}/43"), &format!("{INVOICES}/42/"), "http://invoices.test/42"] {
                assert_eq!(code(query, wrong, &[("x-forwarded-host", "evil.test"), ("x-forwarded-proto", "http")]).await, "proof_invalid");
            }
        }
        let apis = app.root().get("/v1/apis?q=invoices").await.expect(StatusCode::OK);
        let api = format!("/v1/apis/{}", text(&apis["items"][0]["id"]));
        let origins = json!(["https://eu.invoices.test", "https://us.invoices.test:8443"]);
        let set = app.root().patch(&api, json!({ "origins": origins })).await.expect(StatusCode::OK);
        assert_eq!(set["origins"], origins);
        let asked = "permission=invoices:read";
        assert_eq!(code(asked, &right, &[]).await, "proof_invalid");
        assert_eq!(code(asked, "https://eu.invoices.test/42?x=y", &[]).await, "valid");
        assert_eq!(code(asked, "https://us.invoices.test:8443/42", &[]).await, "valid");
        app.root().patch(&api, json!({ "origins": ["nonsense"] })).await.wrong("/origins/0", "invalid_origin");

        // Nginx, which knows three statuses, passes the challenge on; and whoever shows nothing is told of each scheme.
        let refused = app.gateway("permission=invoices:read&nginx=1", &[("authorization", &dpop)]).await;
        assert_eq!((refused.status, refused.header("x-claviger-code")), (StatusCode::UNAUTHORIZED, Some("proof_invalid")));
        assert!(challenges(&refused)[0].contains("error=\"invalid_dpop_proof\""));
        let nothing = app.gateway("permission=invoices:read", &[]).await;
        let told = "Bearer realm=\"claviger\", DPoP algs=\"ES256 EdDSA Ed25519 RS256\"";
        assert_eq!(nothing.header("www-authenticate"), Some(told));
        // What a client slips in beside what its gateway says decides nothing.
        let eu = "https://eu.invoices.test/42";
        for slipped in [("x-original-uri", "/42?"), ("x-original-uri", "/"), ("x-forwarded-uri", "/43"), ("x-original-method", "DELETE")] {
            assert_eq!(code(asked, eu, &[slipped]).await, "proof_invalid", "{slipped:?}");
        }
        assert_eq!(code(asked, eu, &[("x-original-method", "GET")]).await, "valid");
        // Of two APIs neither passes on to the other what it was sent.
        app.root().post("/v1/apis", json!({
            "identifier": "https://other.test", "name": "Other", "permissions": [{ "name": "other:read" }],
        })).await.expect(StatusCode::CREATED);
        let account = format!("/v1/service-accounts/{}", client.id);
        let both = ["invoices:read", "other:read"];
        app.root().patch(&account, json!({ "permissions": both })).await.expect(StatusCode::OK);
        let of_both = app.key(&client.id, &both, json!({ "dpop_jkt": holder.jkt() })).await;
        let sent = async |query: &str| {
            let proof = holder.proof(app, "GET", eu, &of_both.token);
            let headers = [("authorization", format!("DPoP {}", of_both.token)), ("dpop", proof)];
            let reply = app.gateway(query, &headers.each_ref().map(|(name, value)| (*name, value.as_str()))).await;
            reply.header("x-claviger-code").unwrap().to_owned()
        };
        assert_eq!((sent("").await.as_str(), sent(asked).await.as_str()), ("proof_invalid", "valid"));
        assert_eq!(code(&format!("audience={INVOICES}"), eu, &[]).await, "valid");
        // A gateway that does not tell the request proves nothing.
        let proof = holder.proof(app, "GET", "https://eu.invoices.test/42", &key.token);
        let bare = app.request(Method::GET, app.internal, "/v1/forward-auth?permission=invoices:read");
        let bare = bare.header("authorization", &dpop).header("dpop", &proof).send().await.unwrap();
        assert_eq!(bare.headers()["x-claviger-code"], "proof_invalid");
    }

    async fn the_verify_call_wants_the_request_that_a_proof_is_for(app: &TestApp) {
        let client = app.machine().await;
        let holder = Holder::new();
        let key = app.bound_key(&client.id, &holder).await;
        let wrong = async |asked: Value, pointer: &str, code: &str| {
            let mut asked = asked;
            asked["credential"] = json!(key.token);
            let sent = app.request(Method::POST, app.internal, "/v1/verify").json(&asked).send().await.unwrap();
            Reply::read(app, sent).await.wrong(pointer, code);
        };
        wrong(json!({ "proof": { "dpop": "x", "url": INVOICES } }), "/method", "required").await;
        wrong(json!({ "method": "GET", "proof": { "dpop": "x" } }), "/proof/url", "required").await;
        for url in ["", "/42", "urn:x", "https://me@invoices.test", "https://invoices.test/ 42"] {
            wrong(json!({ "method": "GET", "proof": { "dpop": "x", "url": url } }), "/proof/url", "invalid_url").await;
        }
        for dpop in ["", "x", "a.b.c", &"x".repeat(9000)] {
            let answer = app.verify_proving(&key.token, dpop).await;
            assert_eq!((&answer["code"], &answer["proof"]["error"]), (&json!("proof_invalid"), &json!("invalid_dpop_proof")));
            assert_eq!(answer["credential"]["id"], key.id);
        }
        assert_eq!(app.verify(&key.token, json!({ "proof": {} })).await["code"], "proof_required");

        // Explained: what it is bound to, what was shown, and what is wrong with that. Nothing is used up by it.
        let explained = async |proof: &str| {
            let asked = json!({
                "credential": key.token, "permissions": ["invoices:read"], "method": "GET",
                "proof": { "dpop": proof, "url": format!("{INVOICES}/42") },
            });
            let told = app.root().post("/v1/explain", asked).await.expect(StatusCode::OK);
            let step = told["steps"].as_array().unwrap().iter().find(|step| step["code"] == "proof_invalid").unwrap().clone();
            (text(&told["code"]), step["facts"].clone())
        };
        let bound = json!({ "jkt": holder.jkt() });
        let sound = holder.proof(app, "GET", &format!("{INVOICES}/42"), &key.token);
        let (code, facts) = explained(&sound).await;
        assert_eq!((code.as_str(), &facts), ("valid", &json!({ "bound": true, "cnf": bound, "shown": bound, "problem": null })));
        assert_eq!(app.code_proving(&key.token, &sound).await, "valid");
        let (code, facts) = explained(&holder.proof(app, "GET", "https://evil.test/", &key.token)).await;
        assert_eq!((code.as_str(), &facts["shown"]), ("proof_invalid", &Value::Null));
        assert_eq!(facts["problem"], "htu of the DPoP proof is not the address of this request");
    }

    async fn the_limits_of_a_bound_key_are_not_spent_by_who_cannot_prove_it(app: &TestApp) {
        let client = app.machine().await;
        let holder = Holder::new();
        let limited = json!({
            "dpop_jkt": holder.jkt(), "rate_limits": [{ "name": "default", "limit": 1, "window_seconds": 3600 }],
        });
        let key = app.key(&client.id, &["invoices:read"], limited).await;
        for _ in 0..3 {
            assert_eq!(app.code(&key.token).await, "proof_required");
            assert_eq!(app.code_proving(&key.token, "nonsense").await, "proof_invalid");
        }
        let proof = || holder.proof(app, "GET", &format!("{INVOICES}/42"), &key.token);
        assert_eq!(app.code_proving(&key.token, &proof()).await, "valid");
        let over = proof();
        assert_eq!(app.code_proving(&key.token, &over).await, "rate_limited");
        // Nothing was written for it, so that it counts once there is room.
        let more = json!({ "rate_limits": [] });
        app.root().patch(&format!("/v1/api-keys/{}", key.id), more).await.expect(StatusCode::OK);
        assert_eq!(app.code_proving(&key.token, &over).await, "valid");
    }
}
