//! Clients that register themselves (RFC 7591) and manage that (RFC 7592); the numbers are those of the cases that must be answered.

use std::time::Duration;

use claviger_token::{SigningAlgorithm, SigningKey};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    app::{Key, PUBLIC_URL, Reply, TestApp, text},
    dpop::Holder,
    machine::{CLIENT_CREDENTIALS, Machine, TOKEN},
};

const REGISTER: &str = "/oauth/register";
const PERMISSION: &str = "claviger:registrations:write";
const READ: &str = "invoices:read";
const WRITE: &str = "invoices:write";
const ED25519: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

fn jwks() -> Value {
    json!({ "keys": [serde_json::from_str::<Value>(ED25519).unwrap()] })
}

/// A client as the answer to its registration tells of it.
struct Registered {
    machine: Machine,
    token: String,
    body: Value,
}

impl Registered {
    fn path(&self) -> String {
        format!("{REGISTER}/{}", self.machine.id)
    }
}

impl TestApp {
    /// An initial access token: a key that may register clients for as much as this.
    async fn initial(&self, slug: &str, lists: &[&str]) -> (String, Key) {
        let permissions = [&[PERMISSION, READ, WRITE], lists].concat();
        let (organization, account) = self.account(slug, &permissions).await;
        let key = self.key(&account, &[&[PERMISSION], lists].concat(), json!({ "name": "initial" })).await;
        (organization, key)
    }

    async fn register(&self, initial: &Key, said: Value) -> Reply {
        let reply = self.client(&initial.token).post(REGISTER, said).await;
        if let Some(token) = reply.body["registration_access_token"].as_str() {
            self.handed_out(token);
        }
        reply
    }

    async fn registered(&self, organization: &str, initial: &Key, said: Value) -> Registered {
        let body = self.register(initial, said).await.expect(StatusCode::CREATED);
        let (id, secret) = (text(&body["client_id"]), body["client_secret"].as_str().unwrap_or_default().to_owned());
        let machine = Machine { organization: organization.to_owned(), id, secret_id: String::new(), secret };
        Registered { machine, token: text(&body["registration_access_token"]), body }
    }

    /// The key of a client's registration.
    async fn key_of(&self, client: &Registered) -> String {
        let keys = format!("/v1/api-keys?service_account_id={}", client.machine.id);
        text(&self.root().get(&keys).await.expect(StatusCode::OK)["items"][0]["id"])
    }

    /// A request whose body comes only after something else happened.
    async fn slowly(
        &self,
        method: &str,
        path: &str,
        token: &str,
        body: Value,
        meanwhile: impl Future<Output = Reply>,
    ) -> String {
        let body = body.to_string();
        let mut stream = tokio::net::TcpStream::connect(self.public).await.unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n",
            self.public,
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
        let reply = meanwhile.await;
        assert!(reply.status.is_success(), "{}", reply.body);
        stream.write_all(body.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    async fn refused(&self, initial: &Key, said: Value, error: &str) -> String {
        let refused = self.register(initial, said.clone()).await;
        assert_eq!(refused.body["error"], error, "{said}: {}", refused.body);
        text(&refused.refusal(StatusCode::BAD_REQUEST, error)["error_description"])
    }
}

on_both_databases! {
    async fn c01_a_client_registers_and_gets_tokens(app: &TestApp) {
        app.declare_invoices().await;
        let (organization, initial) = app.initial("acme", &[READ, WRITE]).await;
        let said = json!({ "client_name": "billing sync", "scope": READ, "unknown": { "a": 1 }, "logo_uri": "https://logo.test/" });
        let reply = app.register(&initial, said).await;
        assert_eq!((reply.header("cache-control"), reply.header("pragma")), (Some("no-store"), Some("no-cache")));
        let mut body = reply.expect(StatusCode::CREATED);
        let (id, secret) = (text(&body["client_id"]), text(&body["client_secret"]));
        let token = text(&body["registration_access_token"]);
        assert!(id.starts_with("sa_") && secret.starts_with("clv_cs_") && token.starts_with("clv_key_"));
        let issued_at = body["client_id_issued_at"].as_i64().unwrap();
        assert!((app.app.now().as_second() - issued_at).abs() < 60);
        for secret in ["client_id_issued_at", "client_secret", "registration_access_token"] {
            body.as_object_mut().unwrap().remove(secret);
        }
        assert_eq!(body, json!({
            "client_id": id, "client_name": "billing sync", "look_alike": false, "grant_types": ["client_credentials"],
            "response_types": [], "token_endpoint_auth_method": "client_secret_basic", "scope": READ,
            "dpop_bound_access_tokens": false, "client_secret_expires_at": 0,
            "registration_client_uri": format!("{PUBLIC_URL}{REGISTER}/{id}"),
        }));
        let machine = Machine { organization: organization.clone(), id: id.clone(), secret_id: String::new(), secret };
        let answer = app.ask(&machine, &[]).await.expect(StatusCode::OK);
        assert_eq!(answer["scope"], READ);
        app.ask(&machine, &[("scope", WRITE)]).await.refusal(StatusCode::BAD_REQUEST, "invalid_scope");

        // It is a service account like any other, and its trail tells who registered it.
        let account = app.root().get(&machine.path()).await.expect(StatusCode::OK);
        assert_eq!((&account["organization_id"], &account["permissions"]), (&json!(organization), &json!([READ])));
        assert_eq!(account["grant_types"], json!(["client_credentials"]));
        let created = app.root().get(&format!("/v1/audit-events?target={id}")).await.expect(StatusCode::OK);
        let created = &created["items"][0];
        assert_eq!((&created["action"], &created["details"]["registered_by"]), (&json!("service_account.created"), &json!(initial.id)));
        let keys = app.root().get(&format!("/v1/api-keys?service_account_id={id}")).await.expect(StatusCode::OK);
        let key = text(&keys["items"][0]["id"]);
        assert_eq!((&keys["items"][0]["permissions"], app.audit_trail(&key).await), (&json!([]), vec!["api_key.created".to_owned()]));
        let secrets = app.root().get(&format!("{}/secrets", machine.path())).await.expect(StatusCode::OK);
        assert_eq!(app.audit_trail(&text(&secrets["items"][0]["id"])).await, ["client_secret.created"]);
    }

    async fn c01_a_client_that_signs_has_no_secret(app: &TestApp) {
        app.declare_invoices().await;
        let (organization, initial) = app.initial("acme", &[READ]).await;
        let key = SigningKey::from_pkcs8(SigningAlgorithm::Es256, &SigningKey::generate(SigningAlgorithm::Es256).unwrap()).unwrap();
        let jwk = serde_json::to_value(key.verifying_key().jwk("mine")).unwrap();
        let said = json!({
            "token_endpoint_auth_method": "private_key_jwt", "jwks": { "keys": [jwk] }, "scope": READ,
            "token_endpoint_auth_signing_alg": "ES256",
        });
        let client = app.registered(&organization, &initial, said).await;
        assert_eq!((&client.body["client_secret"], &client.body["client_secret_expires_at"]), (&Value::Null, &Value::Null));
        assert_eq!((&client.body["jwks"]["keys"][0]["kid"], &client.body["client_name"]), (&json!("mine"), &json!("registered client")));
        let (id, now) = (&client.machine.id, app.app.now().as_second());
        let claims = json!({ "iss": id, "sub": id, "aud": PUBLIC_URL, "exp": now + 60, "iat": now, "jti": "1" });
        let assertion = key.sign("JWT", "mine", &claims).unwrap();
        let kind = ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
        let answer = app.form(TOKEN, &[CLIENT_CREDENTIALS, kind, ("client_assertion", &assertion)]).await;
        assert_eq!(answer.expect(StatusCode::OK)["scope"], READ);

        let said = json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "https://client.test/jwks", "jwks": null });
        let client = app.registered(&organization, &initial, said).await;
        assert_eq!((&client.body["jwks_uri"], &client.body["jwks"], &client.body["scope"]), (&json!("https://client.test/jwks"), &Value::Null, &Value::Null));
    }

    async fn m01_a_client_of_certificates_registers_one_name(app: &TestApp) {
        app.declare_invoices().await;
        let (organization, initial) = app.initial("acme", &[READ]).await;
        let tls = |member: &str, name: &str| json!({ "token_endpoint_auth_method": "tls_client_auth", member: name, "scope": READ });
        let said = tls("tls_client_auth_san_dns", "Billing.test");
        let told = app.refused(&initial, said.clone(), "invalid_client_metadata").await;
        assert!(told.contains("cannot show certificates here"), "{told}");
        let mut node = app.another_node_with(|config| config.mtls_url = Some("https://mtls.claviger.test".to_owned())).await;
        let mut two = said.clone();
        two["tls_client_auth_san_uri"] = json!("urn:a");
        node.refused(&initial, two, "invalid_client_metadata").await;
        let client = node.registered(&organization, &initial, said.clone()).await;
        assert_eq!((&client.body["tls_client_auth_san_dns"], &client.body["client_secret"]), (&json!("billing.test"), &Value::Null));
        let certificates = async || {
            let path = format!("/v1/service-accounts/{}/certificates", client.machine.id);
            let all = app.root().get(&path).await.expect(StatusCode::OK);
            all["items"].as_array().unwrap().iter().map(|one| format!("{} {}", text(&one["san_dns"]), text(&one["status"]))).collect::<Vec<_>>()
        };
        assert_eq!(certificates().await, ["billing.test active"]);
        let put = async |mut said: Value| {
            said["client_id"] = json!(client.machine.id);
            node.client(&client.token).put(&client.path(), said).await
        };
        put(said).await.expect(StatusCode::OK);
        assert_eq!(certificates().await, ["billing.test active"]);
        let changed = put(tls("tls_client_auth_san_dns", "other.test")).await.expect(StatusCode::OK);
        assert_eq!(changed["tls_client_auth_san_dns"], "other.test");
        assert_eq!(certificates().await, ["other.test active", "billing.test revoked"]);
        let changed = put(json!({ "scope": READ })).await.expect(StatusCode::OK);
        assert!(changed["client_secret"].is_string() && changed.get("tls_client_auth_san_dns").is_none(), "{changed}");
        assert_eq!(certificates().await, ["other.test revoked", "billing.test revoked"]);
        node.finish().await;
    }

    async fn c02_metadata_that_cannot_hold_is_refused(app: &TestApp) {
        app.declare_invoices().await;
        let (_, initial) = app.initial("acme", &[READ]).await;
        let signs = |more: Value| {
            let mut said = json!({ "token_endpoint_auth_method": "private_key_jwt" });
            said.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            said
        };
        let with = |member: &str, value: Value| {
            let mut set = jwks();
            set["keys"][0][member] = value;
            json!({ "jwks": set })
        };
        let mut wrong = vec![
            json!({ "jwks": jwks(), "jwks_uri": "https://client.test/jwks" }),
            signs(json!({ "jwks": jwks(), "jwks_uri": "https://client.test/jwks" })),
            signs(json!({})),
            signs(json!({ "jwks": { "keys": [] } })),
            signs(json!({ "jwks": [] })),
            signs(json!({ "jwks": { "keys": [1] } })),
            signs(json!({ "jwks": { "keys": [jwks()["keys"][0], jwks()["keys"][0]] } })),
            signs(json!({ "jwks_uri": 7 })),
            json!({ "grant_types": ["authorization_code"] }),
            json!({ "grant_types": ["client_credentials", "password"] }),
            json!({ "grant_types": [] }),
            json!({ "grant_types": "client_credentials" }),
            json!({ "response_types": ["code"] }),
            json!({ "token_endpoint_auth_method": "none" }),
            json!({ "token_endpoint_auth_method": "client_secret_jwt" }),
            json!({ "token_endpoint_auth_signing_alg": "none" }),
            json!({ "token_endpoint_auth_signing_alg": "HS256" }),
            json!({ "scope": ["a"] }),
            json!({ "scope": "IN VALID" }),
            json!({ "dpop_bound_access_tokens": "yes" }),
            json!({ "client_name": 1 }),
            json!([]),
            json!("client"),
        ];
        for private in ["d", "p", "q", "dp", "dq", "qi", "k", "oth"] {
            wrong.push(with(private, json!("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")));
            wrong.push(signs(with(private, json!("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"))));
        }
        for address in [
            "http://client.test/jwks", "http://localhost/jwks", "http://127.0.0.1/jwks", "https://localhost/jwks", "https://a.localhost/",
            "https://127.0.0.1/jwks", "https://[::1]/", "https://10.0.0.1/", "https://192.168.1.1/", "https://169.254.169.254/latest",
            "https://[fd00::1]/", "https://[::ffff:10.0.0.1]/", "https://client.test:22/", "javascript:alert(1)", "file:///etc/passwd", "",
            "https://user:pass@client.test/", "https://client.test/#a", "https://0x7f.1/", "https://2130706433/",
        ] {
            wrong.push(signs(json!({ "jwks_uri": address })));
            wrong.push(json!({ "jwks_uri": address }));
        }
        for said in wrong {
            let told = app.refused(&initial, said, "invalid_client_metadata").await;
            assert!(!told.contains("nWGxne_9WmC6hEr0"), "a private part is not repeated");
        }
        let described = app.refused(&initial, json!({ "redirect_uris": ["https://client.test/"] }), "invalid_redirect_uri").await;
        assert!(described.contains("no authorization endpoint"));
        app.refused(&initial, json!({ "software_statement": "eyJ" }), "invalid_software_statement").await;
        // What says something twice could be read in two ways; and what is no JSON at all.
        for (body, sort) in [
            (r#"{"scope":"","scope":"invoices:read"}"#, "application/json"), ("{", "application/json"), ("", "application/json"),
        ] {
            let sent = app.request(Method::POST, app.public, REGISTER).bearer_auth(&initial.token);
            let sent = sent.header("content-type", sort).body(body).send().await.unwrap();
            Reply::read(app, sent).await.refusal(StatusCode::BAD_REQUEST, "invalid_client_metadata");
        }
        let form = app.request(Method::POST, app.public, REGISTER).bearer_auth(&initial.token).form(&[("scope", READ)]);
        Reply::read(app, form.send().await.unwrap()).await.refusal(StatusCode::BAD_REQUEST, "invalid_request");
        let accounts = app.root().get("/v1/service-accounts?q=registered").await.expect(StatusCode::OK);
        assert_eq!(accounts["items"], json!([]));
        // Nothing of it stands in the way of what can hold.
        app.register(&initial, json!({ "redirect_uris": [], "response_types": [], "client_name": null })).await.expect(StatusCode::CREATED);
    }

    async fn c03_registering_needs_a_credential_that_permits_it(app: &TestApp) {
        app.declare_invoices().await;
        let reply = app.anonymous().post(REGISTER, json!({})).await;
        assert!(reply.header("www-authenticate").unwrap().starts_with("Bearer "));
        reply.problem(StatusCode::UNAUTHORIZED, "unauthenticated");
        let (organization, initial) = app.initial("acme", &[READ]).await;
        let account = text(&app.root().get(&format!("/v1/api-keys/{}", initial.id)).await.expect(StatusCode::OK)["service_account_id"]);
        let without = app.key(&account, &[READ], json!({})).await;
        app.register(&without, json!({})).await.problem(StatusCode::FORBIDDEN, "permission_missing");
        let test = app.key(&account, &[PERMISSION, READ], json!({ "environment": "test" })).await;
        app.register(&test, json!({})).await.refusal(StatusCode::BAD_REQUEST, "access_denied");
        let limited = json!({ "rate_limits": [{ "name": "few", "limit": 2, "window_seconds": 3600 }] });
        let limited = app.key(&account, &[PERMISSION, READ], limited).await;
        for _ in 0..2 {
            app.register(&limited, json!({})).await.expect(StatusCode::CREATED);
        }
        app.register(&limited, json!({})).await.problem(StatusCode::TOO_MANY_REQUESTS, "rate_limited");

        // No registered client registers another, or has what the initial token does not list.
        let client = app.registered(&organization, &initial, json!({ "scope": READ })).await;
        let registers = Key { id: String::new(), token: client.token.clone(), body: Value::Null };
        app.register(&registers, json!({})).await.problem(StatusCode::FORBIDDEN, "permission_missing");
        app.root().post(&format!("/v1/api-keys/{}/revoke", initial.id), json!({})).await.expect(StatusCode::OK);
        app.register(&initial, json!({})).await.problem(StatusCode::UNAUTHORIZED, "invalid_token");
        // What was registered lasts.
        app.ask(&client.machine, &[]).await.expect(StatusCode::OK);
    }

    async fn c03_a_client_holds_at_most_what_the_initial_token_lists_by_name(app: &TestApp) {
        app.declare_invoices().await;
        let (organization, initial) = app.initial("acme", &[READ]).await;
        for beyond in [WRITE, "invoices:read invoices:write", "nothing:declared", PERMISSION, "claviger:verify"] {
            let told = app.refused(&initial, json!({ "scope": beyond }), "invalid_client_metadata").await;
            assert!(told.contains("initial access token lists"), "{told}");
        }
        app.register(&initial, json!({ "scope": "*" })).await.refusal(StatusCode::BAD_REQUEST, "invalid_client_metadata");
        // What follows its principal lists nothing; what its principal lost it does not give.
        let account = text(&app.root().get(&format!("/v1/api-keys/{}", initial.id)).await.expect(StatusCode::OK)["service_account_id"]);
        let follows = app.key(&account, &["*", "claviger:*"], json!({})).await;
        app.refused(&follows, json!({ "scope": READ }), "invalid_client_metadata").await;
        app.register(&follows, json!({})).await.expect(StatusCode::CREATED);
        let path = format!("/v1/service-accounts/{account}");
        app.root().patch(&path, json!({ "permissions": [PERMISSION] })).await.expect(StatusCode::OK);
        app.refused(&initial, json!({ "scope": READ }), "invalid_client_metadata").await;
        // A client with nothing gets no token.
        let client = app.registered(&organization, &initial, json!({})).await;
        app.ask(&client.machine, &[]).await.refusal(StatusCode::BAD_REQUEST, "invalid_scope");
    }

    async fn c03_a_client_uses_the_grants_that_it_named(app: &TestApp) {
        app.declare_invoices().await;
        let (organization, initial) = app.initial("acme", &[READ]).await;
        let exchange = "urn:ietf:params:oauth:grant-type:token-exchange";
        let only = async |grants: Value| app.registered(&organization, &initial, json!({ "scope": READ, "grant_types": grants })).await;
        let (plain, exchanges) = (only(json!(["client_credentials"])).await, only(json!([exchange, exchange])).await);
        assert_eq!(exchanges.body["grant_types"], json!([exchange]));
        let subject = app.access_token(&plain.machine, &[]).await;
        let fields = [
            ("grant_type", exchange), ("subject_token", subject.as_str()),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
        ];
        app.form_of(&plain.machine, TOKEN, &fields).await.refusal(StatusCode::BAD_REQUEST, "unauthorized_client");
        app.form_of(&exchanges.machine, TOKEN, &fields).await.expect(StatusCode::OK);
        app.ask(&exchanges.machine, &[]).await.refusal(StatusCode::BAD_REQUEST, "unauthorized_client");
    }

    async fn c03_an_organization_has_few_registered_clients(app: &TestApp) {
        let (organization, initial) = app.initial_without_api("acme").await;
        let mut last = None;
        for _ in 0..100 {
            last = Some(app.registered(&organization, &initial, json!({})).await);
        }
        let refused = app.register(&initial, json!({})).await.refusal(StatusCode::BAD_REQUEST, "access_denied");
        assert!(text(&refused["error_description"]).contains("100 registered clients"));
        // Elsewhere there is room, and here once one is gone.
        let (_, other) = app.initial_without_api("globex").await;
        app.register(&other, json!({})).await.expect(StatusCode::CREATED);
        let last = last.unwrap();
        app.client(&last.token).delete(&last.path()).await.expect(StatusCode::NO_CONTENT);
        app.register(&initial, json!({})).await.expect(StatusCode::CREATED);
    }

    async fn c03_policy_holds_for_what_registers_itself(app: &TestApp) {
        app.declare_invoices().await;
        let (organization, initial) = app.initial("acme", &[READ]).await;
        let policy = format!("/v1/organizations/{organization}/policy");
        app.root().patch(&policy, json!({ "expiry_required": true })).await.expect(StatusCode::OK);
        let account = text(&app.root().get(&format!("/v1/api-keys/{}", initial.id)).await.expect(StatusCode::OK)["service_account_id"]);
        let initial = app.key(&account, &[PERMISSION, READ], json!({ "expires_at": "2090-01-01T00:00:00Z" })).await;
        let body = app.register(&initial, json!({})).await.expect(StatusCode::CREATED);
        let days = (body["client_secret_expires_at"].as_i64().unwrap() - app.app.now().as_second()) / 86_400;
        assert!((363..=365).contains(&days), "{days}");
        let kinds = json!({ "allowed_kinds": ["api_key", "public_key"] });
        app.root().patch(&policy, kinds).await.expect(StatusCode::OK);
        let told = app.refused(&initial, json!({}), "invalid_client_metadata").await;
        assert!(told.contains("policy does not allow client secrets"), "{told}");
    }

    async fn c04_a_client_reads_and_deletes_its_registration(app: &TestApp) {
        app.declare_invoices().await;
        let (organization, initial) = app.initial("acme", &[READ]).await;
        let client = app.registered(&organization, &initial, json!({ "scope": READ, "client_name": "sync" })).await;
        let reply = app.client(&client.token).get(&client.path()).await;
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        let mut expected = client.body.clone();
        for once in ["client_secret", "client_secret_expires_at", "registration_access_token", "look_alike"] {
            expected.as_object_mut().unwrap().remove(once);
        }
        assert_eq!(reply.expect(StatusCode::OK), expected);

        let access = app.access_token(&client.machine, &[]).await;
        assert_eq!(app.code(&access).await, "valid");
        let key = app.key(&client.machine.id, &[READ], json!({})).await;
        let deleted = app.client(&client.token).delete(&client.path()).await;
        assert_eq!((deleted.status, deleted.body), (StatusCode::NO_CONTENT, Value::Null));
        // All that it had is dead at once.
        assert_eq!((app.code(&access).await.as_str(), app.code(&key.token).await.as_str()), ("revoked", "revoked"));
        app.ask(&client.machine, &[]).await.refusal(StatusCode::UNAUTHORIZED, "invalid_client");
        app.client(&client.token).get(&client.path()).await.problem(StatusCode::UNAUTHORIZED, "invalid_token");
        app.client(&client.token).get("/v1/token").await.problem(StatusCode::UNAUTHORIZED, "invalid_token");
        app.root().get(&client.machine.path()).await.problem(StatusCode::NOT_FOUND, "not_found");
        let trail = app.audit_trail(&client.machine.id).await;
        assert_eq!(trail, ["service_account.created", "service_account.deleted"]);
    }

    async fn c04_a_change_says_the_whole_registration(app: &TestApp) {
        app.declare_invoices().await;
        let (organization, initial) = app.initial("acme", &[READ, WRITE]).await;
        let exchange = "urn:ietf:params:oauth:grant-type:token-exchange";
        let said = json!({ "scope": "invoices:read invoices:write", "client_name": "sync", "grant_types": ["client_credentials", exchange] });
        let client = app.registered(&organization, &initial, said).await;
        let (id, path) = (&client.machine.id, client.path());
        let put = async |said: Value| app.client(&client.token).put(&path, said).await;
        let before = app.access_token(&client.machine, &[("scope", WRITE)]).await;
        app.root().patch(&client.machine.path(), json!({ "external_id": "42" })).await.expect(StatusCode::OK);

        let changed = put(json!({ "client_id": id, "scope": READ, "client_secret": client.machine.secret })).await;
        assert_eq!(changed.header("cache-control"), Some("no-store"));
        let changed = changed.expect(StatusCode::OK);
        assert_eq!((&changed["client_name"], &changed["grant_types"]), (&json!("registered client"), &json!(["client_credentials"])));
        assert_eq!((&changed["scope"], &changed["client_secret"], &changed["registration_access_token"]), (&json!(READ), &Value::Null, &Value::Null));
        assert_eq!(app.client(&client.token).get(&path).await.expect(StatusCode::OK), changed);
        // What it lost is gone at once; its secret works on; what is not the client's to say stays.
        assert_eq!(app.verify(&before, json!({ "permissions": [WRITE] })).await["valid"], false);
        assert_eq!(app.ask(&client.machine, &[]).await.expect(StatusCode::OK)["scope"], READ);
        let account = app.root().get(&client.machine.path()).await.expect(StatusCode::OK);
        assert_eq!((&account["external_id"], &account["name"]), (&json!("42"), &json!("registered client")));
        assert_eq!(app.audit_trail(id).await, ["service_account.created", "service_account.updated", "service_account.updated"]);

        // Back within the ceiling, and never beyond it.
        put(json!({ "client_id": id, "scope": "invoices:read invoices:write" })).await.expect(StatusCode::OK);
        app.ask(&client.machine, &[("scope", WRITE)]).await.expect(StatusCode::OK);
        let nothing = put(json!({ "client_id": id })).await.expect(StatusCode::OK);
        assert_eq!(nothing["scope"], Value::Null);
        app.ask(&client.machine, &[]).await.refusal(StatusCode::BAD_REQUEST, "invalid_scope");
    }

    async fn c04_a_change_never_widens_beyond_the_initial_token(app: &TestApp) {
        app.declare_invoices().await;
        let (organization, initial) = app.initial("acme", &[READ]).await;
        let client = app.registered(&organization, &initial, json!({})).await;
        let put = async |scope: &str| {
            let said = json!({ "client_id": client.machine.id, "scope": scope });
            app.client(&client.token).put(&client.path(), said).await
        };
        for beyond in [WRITE, "claviger:verify", PERMISSION, "invoices:read invoices:write"] {
            put(beyond).await.refusal(StatusCode::BAD_REQUEST, "invalid_client_metadata");
        }
        put(READ).await.expect(StatusCode::OK);
        // What an administrator gave besides may stay, and does not come back.
        let given = json!({ "permissions": [READ, WRITE] });
        app.root().patch(&client.machine.path(), given).await.expect(StatusCode::OK);
        put("invoices:read invoices:write").await.expect(StatusCode::OK);
        put(READ).await.expect(StatusCode::OK);
        put(WRITE).await.refusal(StatusCode::BAD_REQUEST, "invalid_client_metadata");
        // That tokens are bound is not for the client to lift.
        app.root().patch(&client.machine.path(), json!({ "dpop_bound_access_tokens": true })).await.expect(StatusCode::OK);
        let said = put(READ).await.expect(StatusCode::OK);
        assert_eq!(said["dpop_bound_access_tokens"], true);
    }

    async fn c04_a_change_of_the_way_to_prove_itself_ends_the_other(app: &TestApp) {
        app.declare_invoices().await;
        let (organization, initial) = app.initial("acme", &[READ]).await;
        let mut client = app.registered(&organization, &initial, json!({ "scope": READ })).await;
        let (id, path, token) = (client.machine.id.clone(), client.path(), client.token.clone());
        let put = async |more: Value| {
            let mut said = json!({ "client_id": id, "scope": READ });
            said.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            app.client(&token).put(&path, said).await
        };
        let states = async |kind: &str| {
            let listed = app.root().get(&format!("/v1/service-accounts/{id}/{kind}")).await.expect(StatusCode::OK);
            listed["items"].as_array().unwrap().iter().map(|one| text(&one["status"])).collect::<Vec<_>>()
        };
        let access = app.access_token(&client.machine, &[]).await;
        let signs = json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks": jwks() });
        let signs = put(signs).await.expect(StatusCode::OK);
        assert_eq!((&signs["client_secret"], &signs["jwks"]["keys"][0]["x"]), (&Value::Null, &jwks()["keys"][0]["x"]));
        assert_eq!((states("secrets").await, states("public-keys").await), (vec!["revoked".to_owned()], vec!["active".to_owned()]));
        assert_eq!(app.code(&access).await, "revoked");
        app.ask(&client.machine, &[]).await.refusal(StatusCode::UNAUTHORIZED, "invalid_client");
        // The same key once more stays; another takes its place.
        put(json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks": jwks() })).await.expect(StatusCode::OK);
        assert_eq!(states("public-keys").await, ["active"]);
        let at_home = json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "https://client.test/jwks" });
        let at_home = put(at_home).await.expect(StatusCode::OK);
        assert_eq!((&at_home["jwks"], &at_home["jwks_uri"]), (&Value::Null, &json!("https://client.test/jwks")));
        assert_eq!(states("public-keys").await, ["active", "revoked"]);

        let again = put(json!({ "token_endpoint_auth_method": "client_secret_post" })).await.expect(StatusCode::OK);
        assert_eq!((&again["client_secret_expires_at"], &again["jwks_uri"]), (&json!(0), &Value::Null));
        assert_eq!(states("public-keys").await, ["revoked", "revoked"]);
        let secret = text(&again["client_secret"]);
        let fields = [CLIENT_CREDENTIALS, ("client_id", id.as_str()), ("client_secret", secret.as_str())];
        app.form(TOKEN, &fields).await.expect(StatusCode::OK);
        client.machine.secret = secret;
        app.ask(&client.machine, &[]).await.refusal(StatusCode::UNAUTHORIZED, "invalid_client");
    }

    async fn c04_what_is_not_the_clients_to_say_is_refused(app: &TestApp) {
        app.declare_invoices().await;
        let (organization, initial) = app.initial("acme", &[READ]).await;
        let client = app.registered(&organization, &initial, json!({ "scope": READ })).await;
        let other = app.registered(&organization, &initial, json!({})).await;
        for wrong in [
            json!({ "client_id": null }),
            json!({ "client_id": other.machine.id }),
            json!({ "client_id": 7 }),
            json!({ "registration_access_token": client.token }),
            json!({ "registration_client_uri": "https://claviger.test/" }),
            json!({ "client_id_issued_at": 1 }),
            json!({ "client_secret_expires_at": 0 }),
            json!({ "client_secret": "mine" }),
            json!({ "client_secret": other.machine.secret }),
            json!({ "client_name": "a\u{200B}" }),
            json!({ "jwks_uri": "https://10.0.0.1/", "token_endpoint_auth_method": "private_key_jwt" }),
        ] {
            let mut said = json!({ "client_id": client.machine.id });
            said.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
            let reply = app.client(&client.token).put(&client.path(), said).await;
            assert_eq!(reply.body["error"], "invalid_client_metadata", "{wrong}: {}", reply.body);
            reply.refusal(StatusCode::BAD_REQUEST, "invalid_client_metadata");
        }
        assert_eq!(app.audit_trail(&client.machine.id).await, ["service_account.created"]);
        app.ask(&client.machine, &[]).await.expect(StatusCode::OK);
    }

    async fn c04_whoever_is_not_the_client_gets_one_answer(app: &TestApp) {
        app.declare_invoices().await;
        let (organization, initial) = app.initial("acme", &[READ]).await;
        let said = json!({ "scope": READ, "grant_types": ["client_credentials", "urn:ietf:params:oauth:grant-type:token-exchange"] });
        let (one, other) = (app.registered(&organization, &initial, said.clone()).await, app.registered(&organization, &initial, said).await);
        let gone = app.registered(&organization, &initial, json!({})).await;
        app.client(&gone.token).delete(&gone.path()).await.expect(StatusCode::NO_CONTENT);
        let never = app.account_in(&organization, &[READ]).await;
        let admin = app.holder_of("organization-admin", &organization).await;
        let own_key = app.key(&one.machine.id, &[READ], json!({})).await;
        let access = app.access_token(&one.machine, &[]).await;
        let stopped = app.registered(&organization, &initial, json!({})).await;
        app.root().patch(&stopped.machine.path(), json!({ "disabled": true })).await.expect(StatusCode::OK);
        let revoked = app.registered(&organization, &initial, json!({})).await;
        let keys = app.root().get(&format!("/v1/api-keys?service_account_id={}", revoked.machine.id)).await.expect(StatusCode::OK);
        app.root().post(&format!("/v1/api-keys/{}/revoke", text(&keys["items"][0]["id"])), json!({})).await.expect(StatusCode::OK);

        let (nobody, never) = (format!("{REGISTER}/sa_01h455vb4pex5vsknk084sn02q"), format!("{REGISTER}/{never}"));
        let strange = format!("{REGISTER}/x%00y");
        let tries = [
            (&other.token, one.path()), (&one.token, other.path()), (&one.token, nobody.clone()), (&one.token, gone.path()),
            (&gone.token, gone.path()), (&initial.token, one.path()), (&admin.token, one.path()), (&own_key.token, one.path()),
            (&access, one.path()), (&one.machine.secret, one.path()), (&admin.token, nobody), (&one.token, never), (&one.token, strange),
            (&stopped.token, stopped.path()), (&revoked.token, revoked.path()),
        ];
        let told = async |token: Option<&str>, method: &Method, path: &str| {
            let mut sent = app.request(method.clone(), app.public, path);
            if let Some(token) = token {
                sent = sent.bearer_auth(token);
            }
            if *method == Method::PUT {
                sent = sent.json(&json!({}));
            }
            let response = sent.send().await.unwrap();
            let challenges: Vec<_> = response.headers().get_all("www-authenticate").iter().cloned().collect();
            (response.status(), challenges, response.text().await.unwrap())
        };
        for method in [Method::GET, Method::DELETE, Method::PUT] {
            let first = told(Some("nonsense"), &method, &one.path()).await;
            assert_eq!(first.0, StatusCode::UNAUTHORIZED);
            assert_eq!(told(None, &method, &one.path()).await, first);
            for (token, path) in &tries {
                assert_eq!(told(Some(token), &method, path).await, first, "{method} {path}");
            }
        }
        app.client(&one.token).get(&one.path()).await.expect(StatusCode::OK);
    }

    async fn c04_the_token_of_a_registration_does_nothing_else(app: &TestApp) {
        app.declare_invoices().await;
        let (organization, initial) = app.initial("acme", &[READ]).await;
        let said = json!({ "scope": READ, "grant_types": ["client_credentials", "urn:ietf:params:oauth:grant-type:token-exchange"] });
        let client = app.registered(&organization, &initial, said).await;
        assert_eq!(app.code(&client.token).await, "object_required");
        let told = app.verify(&client.token, json!({ "object": "base:app7" })).await;
        assert_eq!(told["code"], "object_not_allowed");
        for path in ["/v1/service-accounts", "/v1/api-keys", &client.machine.path()] {
            assert_eq!(app.client(&client.token).get(path).await.status, StatusCode::FORBIDDEN, "{path}");
        }
        let fields = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"), ("subject_token", client.token.as_str()),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
        ];
        app.form_of(&client.machine, TOKEN, &fields).await.refusal(StatusCode::BAD_REQUEST, "invalid_scope");
        // It is rolled like any other key, and the registration goes with it.
        let rolled = Key::from(app.client(&client.token).post("/v1/token/roll", json!({})).await.expect(StatusCode::OK));
        app.client(&client.token).get(&client.path()).await.problem(StatusCode::UNAUTHORIZED, "invalid_token");
        app.client(&rolled.token).get(&client.path()).await.expect(StatusCode::OK);
    }

    async fn c04_who_governs_keys_does_not_become_a_client(app: &TestApp) {
        app.declare_invoices().await;
        let (organization, initial) = app.initial("acme", &[READ, WRITE]).await;
        let client = app.registered(&organization, &initial, json!({})).await;
        let key = format!("/v1/api-keys/{}", app.key_of(&client).await);
        let with = async |permissions: &[&str]| {
            let account = app.account_in(&organization, permissions).await;
            app.key(&account, permissions, json!({})).await
        };
        let governs = with(&["claviger:api_keys:read", "claviger:api_keys:write", READ]).await;
        let governs = app.client(&governs.token);
        let roll = format!("{key}/roll");
        let told = governs.post(&roll, json!({})).await.problem(StatusCode::FORBIDDEN, "registration_key");
        assert!(text(&told["detail"]).contains("/v1/token/roll") && told["permission"] == "claviger:grants:write", "{told}");
        let least = json!({ "disabled": true, "name": "stopped" });
        assert_eq!(governs.patch(&key, least).await.expect(StatusCode::OK)["name"], "stopped");
        for wider in [json!({ "disabled": false }), json!({ "objects": null }), json!({ "objects": ["a:b"] })] {
            governs.patch(&key, wider).await.problem(StatusCode::FORBIDDEN, "registration_key");
        }
        app.client(&client.token).get(&client.path()).await.problem(StatusCode::UNAUTHORIZED, "invalid_token");

        // Who may give everything could give it to themselves as well.
        let gives = with(&["claviger:api_keys:write", "claviger:grants:write"]).await;
        let gives = app.client(&gives.token);
        gives.patch(&key, json!({ "disabled": false })).await.expect(StatusCode::OK);
        app.client(&client.token).get(&client.path()).await.expect(StatusCode::OK);
        let rolled = Key::from(gives.post(&roll, json!({})).await.expect(StatusCode::OK));
        app.client(&rolled.token).get(&client.path()).await.expect(StatusCode::OK);
        // Another key of the client is one like any other, and ending this one is for whoever governs keys.
        let other = app.key(&client.machine.id, &[], json!({ "objects": ["base:app7"] })).await;
        governs.post(&format!("/v1/api-keys/{}/roll", other.id), json!({})).await.expect(StatusCode::OK);
        governs.post(&format!("{key}/revoke"), json!({})).await.expect(StatusCode::OK);
    }

    async fn c04_a_client_widens_only_while_its_initial_token_counts(app: &TestApp) {
        app.declare_invoices().await;
        let (organization, initial) = app.initial("acme", &[READ, WRITE]).await;
        let client = app.registered(&organization, &initial, json!({ "scope": READ })).await;
        let created = app.root().get(&format!("/v1/audit-events?target={}", client.machine.id)).await.expect(StatusCode::OK);
        assert_eq!(created["items"][0]["details"]["ceiling"], json!([READ, WRITE]));
        let put = async |scope: &str| {
            let said = json!({ "client_id": client.machine.id, "scope": scope });
            app.client(&client.token).put(&client.path(), said).await
        };
        let refused = async |scope: &str| {
            let told = put(scope).await.refusal(StatusCode::BAD_REQUEST, "invalid_client_metadata");
            assert!(text(&told["error_description"]).contains("gives nothing any more"), "{told}");
        };
        let (both, key) = ("invoices:read invoices:write", format!("/v1/api-keys/{}", initial.id));
        app.root().patch(&key, json!({ "disabled": true })).await.expect(StatusCode::OK);
        refused(both).await;
        app.root().patch(&key, json!({ "disabled": false })).await.expect(StatusCode::OK);
        put(both).await.expect(StatusCode::OK);
        app.root().post(&format!("{key}/revoke"), json!({})).await.expect(StatusCode::OK);
        // What it holds it keeps until it gives it up.
        put(both).await.expect(StatusCode::OK);
        put(READ).await.expect(StatusCode::OK);
        refused(both).await;
        refused(WRITE).await;
        app.root().delete(&key).await.expect(StatusCode::NO_CONTENT);
        refused(both).await;
        put(READ).await.expect(StatusCode::OK);
    }

    async fn c03_an_initial_token_hands_on_no_more_freedom_than_it_has(app: &TestApp) {
        app.declare_invoices().await;
        let (organization, initial) = app.initial("acme", &[READ]).await;
        let account = text(&app.root().get(&format!("/v1/api-keys/{}", initial.id)).await.expect(StatusCode::OK)["service_account_id"]);
        let holder = Holder::new();
        let bound = app.key(&account, &[PERMISSION, READ], json!({ "dpop_jkt": holder.jkt() })).await;
        let proof = holder.proof(app, "POST", &format!("{PUBLIC_URL}{REGISTER}"), &bound.token);
        let authorization = format!("DPoP {}", bound.token);
        let headers = [("authorization", authorization.as_str()), ("dpop", proof.as_str())];
        let said = json!({ "scope": READ, "dpop_bound_access_tokens": false });
        let body = app.anonymous().send(Method::POST, REGISTER, Some(said), &headers).await.expect(StatusCode::CREATED);
        app.handed_out(&text(&body["registration_access_token"]));
        assert_eq!(body["dpop_bound_access_tokens"], true);
        let (id, token) = (text(&body["client_id"]), text(&body["registration_access_token"]));
        let said = json!({ "client_id": id, "scope": READ });
        let body = app.client(&token).put(&format!("{REGISTER}/{id}"), said).await.expect(StatusCode::OK);
        assert_eq!(body["dpop_bound_access_tokens"], true);

        let near = app.key(&account, &[PERMISSION, READ], json!({ "allowed_networks": ["127.0.0.0/8"] })).await;
        let told = app.refused(&near, json!({ "scope": READ }), "invalid_client_metadata").await;
        assert!(told.contains("from some networks only"), "{told}");
        let client = app.registered(&organization, &near, json!({})).await;
        let said = json!({ "client_id": client.machine.id, "scope": READ });
        app.client(&client.token).put(&client.path(), said).await.refusal(StatusCode::BAD_REQUEST, "invalid_client_metadata");
    }

    async fn c04_a_slow_request_counts_no_longer_than_its_credential(app: &TestApp) {
        app.declare_invoices().await;
        let (organization, initial) = app.initial("acme", &[READ]).await;
        let root = app.root();
        let nothing = async || app.root().get("/v1/service-accounts").await;
        let told = app.slowly("POST", REGISTER, &initial.token, json!({ "scope": READ }), nothing()).await;
        assert!(told.starts_with("HTTP/1.1 201 "), "{told}");
        app.handed_out(told.split('"').find(|text| text.starts_with("clv_key_")).unwrap());
        app.handed_out(told.split('"').find(|text| text.starts_with("clv_cs_")).unwrap());
        let mut clients = Vec::new();
        for _ in 0..4 {
            clients.push(app.registered(&organization, &initial, json!({})).await);
        }
        let [revoked, rolled, gone, stopped] = clients.try_into().ok().unwrap();
        let refused = |told: String| {
            assert!(told.starts_with("HTTP/1.1 401 ") && told.contains("\"invalid_token\"") && told.contains("www-authenticate"), "{told}");
        };
        let said = |client: &Registered| json!({ "client_id": client.machine.id, "scope": READ });
        let revoke = format!("/v1/api-keys/{}/revoke", app.key_of(&revoked).await);
        refused(app.slowly("PUT", &revoked.path(), &revoked.token, said(&revoked), root.post(&revoke, json!({}))).await);
        let own = app.client(&rolled.token);
        refused(app.slowly("PUT", &rolled.path(), &rolled.token, said(&rolled), own.post("/v1/token/roll", json!({}))).await);
        let path = gone.path();
        let own = app.client(&gone.token);
        refused(app.slowly("PUT", &path, &gone.token, said(&gone), own.delete(&path)).await);
        let path = stopped.machine.path();
        let stop = root.patch(&path, json!({ "disabled": true }));
        refused(app.slowly("PUT", &stopped.path(), &stopped.token, said(&stopped), stop).await);
        let revoke = format!("/v1/api-keys/{}/revoke", initial.id);
        refused(app.slowly("POST", REGISTER, &initial.token, json!({}), root.post(&revoke, json!({}))).await);
        // None of them did anything.
        assert_eq!(app.audit_trail(&revoked.machine.id).await, ["service_account.created"]);
        assert_eq!(app.audit_trail(&rolled.machine.id).await, ["service_account.created"]);
    }

    async fn c04_a_client_puts_nothing_in_the_place_of_what_was_stopped(app: &TestApp) {
        app.declare_invoices().await;
        let (organization, initial) = app.initial("acme", &[READ]).await;
        let client = app.registered(&organization, &initial, json!({ "scope": READ })).await;
        let put = async |more: Value| {
            let mut said = json!({ "client_id": client.machine.id, "scope": READ });
            said.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            app.client(&client.token).put(&client.path(), said).await
        };
        let first = async |kind: &str| {
            let path = format!("{}/{kind}", client.machine.path());
            let one = app.root().get(&path).await.expect(StatusCode::OK)["items"][0].clone();
            (format!("{path}/{}", text(&one["id"])), one)
        };
        let stop = async |path: &str, disabled: bool| {
            app.root().patch(path, json!({ "disabled": disabled })).await.expect(StatusCode::OK);
        };
        let signs = json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks": jwks() });
        let (secret, _) = first("secrets").await;
        stop(&secret, true).await;
        let told = put(signs.clone()).await.refusal(StatusCode::BAD_REQUEST, "invalid_client_metadata");
        assert!(text(&told["error_description"]).contains("somebody else stopped"), "{told}");
        // Else it says what it wants, and gets no new secret by that.
        let told = put(json!({ "client_name": "renamed" })).await.expect(StatusCode::OK);
        assert_eq!((&told["client_name"], &told["client_secret"]), (&json!("renamed"), &Value::Null));
        app.ask(&client.machine, &[]).await.refusal(StatusCode::UNAUTHORIZED, "invalid_client");
        stop(&secret, false).await;
        put(signs.clone()).await.expect(StatusCode::OK);
        let (key, made) = first("public-keys").await;
        // Whoever registered it saw the key by which this was made.
        let account = text(&app.root().get(&format!("/v1/api-keys/{}", initial.id)).await.expect(StatusCode::OK)["service_account_id"]);
        assert_eq!(made["created_by"], json!(account));
        stop(&key, true).await;
        put(json!({})).await.refusal(StatusCode::BAD_REQUEST, "invalid_client_metadata");
        let elsewhere = json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "https://client.test/jwks" });
        put(elsewhere).await.refusal(StatusCode::BAD_REQUEST, "invalid_client_metadata");
        let told = put(signs).await.expect(StatusCode::OK);
        assert_eq!(told["jwks"], Value::Null, "it stands there, and does not count");
        assert_eq!(first("public-keys").await.1["status"], "disabled");
    }

    async fn c04_a_key_that_is_named_anew_is_another(app: &TestApp) {
        app.declare_invoices().await;
        let (organization, initial) = app.initial("acme", &[READ]).await;
        let signs = |kid: Option<&str>| {
            let mut set = jwks();
            if let Some(kid) = kid {
                set["keys"][0]["kid"] = json!(kid);
            }
            json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks": set })
        };
        let client = app.registered(&organization, &initial, signs(Some("one"))).await;
        for kid in [Some("two"), None, Some("one"), Some("one")] {
            let mut said = signs(kid);
            said["client_id"] = json!(client.machine.id);
            let told = app.client(&client.token).put(&client.path(), said).await.expect(StatusCode::OK);
            assert_eq!(told["jwks"]["keys"][0]["kid"], json!(kid));
            assert_eq!(app.client(&client.token).get(&client.path()).await.expect(StatusCode::OK), told);
        }
        let listed = app.root().get(&format!("{}/public-keys", client.machine.path())).await.expect(StatusCode::OK);
        let states: Vec<_> = listed["items"].as_array().unwrap().iter().map(|one| text(&one["status"])).collect();
        assert_eq!(states, ["active", "revoked", "revoked", "revoked"]);
    }

    async fn c05_names_show_all_that_they_hold_and_look_alikes_are_told(app: &TestApp) {
        let (_, initial) = app.initial_without_api("acme").await;
        for name in ["a\u{202E}b", "a\u{200B}b", "a\nb", "a\u{0}b", " a", "", &"x".repeat(101), "\u{2066}a\u{2069}"] {
            let told = app.refused(&initial, json!({ "client_name": name }), "invalid_client_metadata").await;
            assert!(told.starts_with("client_name"), "{told}");
        }
        let named = async |name: &str| app.register(&initial, json!({ "client_name": name })).await.expect(StatusCode::CREATED);
        assert_eq!(named("payments").await["look_alike"], false);
        let alike = named("p\u{430}yments").await; // a Cyrillic letter
        assert_eq!(alike["look_alike"], true);
        let keys = format!("/v1/api-keys?service_account_id={}", text(&alike["client_id"]));
        let key = text(&app.root().get(&keys).await.expect(StatusCode::OK)["items"][0]["id"]);
        let shown = app.root().get(&format!("/v1/api-keys/{key}")).await.expect(StatusCode::OK);
        assert_eq!((&shown["look_alike"], &shown["look_alikes"][0]["name"]), (&json!(true), &json!("payments")));
        // What the console shows is inert there; here it is text.
        let html = "<img src=x onerror=alert(1)>";
        assert_eq!(named(html).await["client_name"], html);
    }

    async fn c05_no_address_of_a_client_is_fetched(app: &TestApp) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/", listener.local_addr().unwrap());
        let (_, initial) = app.initial_without_api("acme").await;
        let mut said = json!({});
        for name in ["logo_uri", "tos_uri", "policy_uri", "client_uri", "sector_identifier_uri", "initiate_login_uri"] {
            said[name] = json!(address);
        }
        let body = app.register(&initial, said).await.expect(StatusCode::CREATED);
        assert!(!body.to_string().contains(&address), "it is no part of what holds: {body}");
        let nobody = tokio::time::timeout(Duration::from_millis(300), listener.accept()).await;
        assert!(nobody.is_err());
    }
}

impl TestApp {
    /// The same where nothing is declared that a client could hold.
    async fn initial_without_api(&self, slug: &str) -> (String, Key) {
        let (organization, account) = self.account(slug, &[PERMISSION]).await;
        let key = self.key(&account, &[PERMISSION], json!({ "name": "initial" })).await;
        (organization, key)
    }
}
