//! Client certificates (RFC 8705, RFC 9440; the numbers are those of the cases that they must answer).

use claviger_token::{Certificate, NetworkSet};
use rcgen::{CertificateParams, KeyPair};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    app::{INVOICES, Key, PUBLIC_URL, Reply, TestApp, text},
    machine::{CLIENT_CREDENTIALS, Machine, TOKEN, claims},
};

const BOUND: &str = "tls_client_certificate_bound_access_tokens";
const EXCHANGE: (&str, &str) = ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange");
const ACCESS: (&str, &str) = ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token");

/// Somebody with a certificate of their own making.
struct Holder {
    pem: String,
    certificate: Certificate,
}

impl Holder {
    fn new() -> Self {
        Self::of(&KeyPair::generate().unwrap())
    }

    /// A new certificate of this key.
    fn of(key: &KeyPair) -> Self {
        let pem = CertificateParams::new(vec!["client.test".to_owned()]).unwrap().self_signed(key).unwrap().pem();
        Self { certificate: Certificate::from_pem(&pem).unwrap(), pem }
    }

    /// What a token says that is bound to it.
    fn cnf(&self) -> Value {
        json!({ "x5t#S256": self.certificate.thumbprint() })
    }

    /// As RFC 9440 has it in a header.
    fn header(&self) -> String {
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        format!(":{}:", STANDARD.encode(self.certificate.der()))
    }

    /// As nginx writes `$ssl_client_escaped_cert`.
    fn escaped(&self) -> String {
        self.pem.replace(' ', "%20").replace('\n', "%0A").replace('+', "%2B").replace('/', "%2F").replace('=', "%3D")
    }
}

impl TestApp {
    /// A node behind a proxy that says what its clients showed.
    async fn behind_a_proxy(&self) -> Self {
        self.another_node_with(|config| {
            config.trusted_proxies = NetworkSet::parse(["127.0.0.0/8"]).ok();
            config.client_certificate_header = true;
        })
        .await
    }

    /// A form of a client, with these values of `Client-Cert`.
    async fn form_showing(&self, client: &Machine, path: &str, shown: &[&str], fields: &[(&str, &str)]) -> Reply {
        let mut sent = self.request(Method::POST, self.public, path).basic_auth(&client.id, Some(&client.secret));
        for value in shown {
            sent = sent.header("client-cert", *value);
        }
        Reply::read(self, sent.form(fields).send().await.unwrap()).await
    }

    async fn ask_showing(&self, client: &Machine, shown: &[&str]) -> Reply {
        self.form_showing(client, TOKEN, shown, &[CLIENT_CREDENTIALS, ("resource", INVOICES)]).await
    }

    /// A client that gets no tokens but those that are bound to its certificate.
    async fn bound_machine(&self) -> Machine {
        self.declare_invoices().await;
        let client = self.machine_with("acme", &["invoices:read", "claviger:api_keys:read"]).await;
        let set = self.root().patch(&client.path(), json!({ BOUND: true })).await.expect(StatusCode::OK);
        assert_eq!(set[BOUND], true);
        client
    }

    async fn certified_token(&self, client: &Machine, holder: &Holder) -> String {
        let body = self.ask_showing(client, &[&holder.header()]).await.expect(StatusCode::OK);
        assert_eq!(body["token_type"], "Bearer");
        text(&body["access_token"])
    }

    /// The verdict, where the API says that its client showed this.
    async fn verify_showing(&self, credential: &str, shown: Option<&str>) -> Value {
        let proof = shown.map(|pem| json!({ "client_certificate": pem }));
        self.verify(credential, json!({ "permissions": ["invoices:read"], "proof": proof })).await
    }

    async fn code_showing(&self, credential: &str, shown: Option<&Holder>) -> String {
        text(&self.verify_showing(credential, shown.map(|holder| holder.pem.as_str())).await["code"])
    }

    /// What a gateway is told, which asks in this way and writes these headers.
    async fn at_gateway(&self, credential: &str, query: &str, shown: &[&str]) -> Reply {
        let path = format!("/v1/forward-auth?permission=invoices:read{query}");
        let mut sent = self.request(Method::GET, self.internal, &path).bearer_auth(credential);
        for value in shown {
            sent = sent.header("client-cert", *value);
        }
        Reply::read(self, sent.send().await.unwrap()).await
    }

    /// A request to our own API.
    async fn own_api(&self, path: &str, credential: &str, shown: Option<&Holder>) -> Reply {
        let shown = shown.map(Holder::header);
        let headers: Vec<(&str, &str)> = shown.iter().map(|value| ("client-cert", value.as_str())).collect();
        self.client(credential).send(Method::GET, path, None, &headers).await
    }
}

fn challenges(reply: &Reply) -> Vec<&str> {
    reply.headers.get_all("www-authenticate").iter().map(|value| value.to_str().unwrap()).collect()
}

on_both_databases! {
    async fn m04_a_token_is_bound_to_the_certificate_that_its_client_showed(app: &TestApp) {
        let client = app.bound_machine().await;
        let mut node = app.behind_a_proxy().await;
        let holder = Holder::new();
        let jwt = node.certified_token(&client, &holder).await;
        assert_eq!(claims(&jwt)["cnf"], holder.cnf());
        assert_eq!(text(&claims(&jwt)["cnf"]["x5t#S256"]).len(), 43);
        let apis = app.root().get("/v1/apis?q=invoices").await.expect(StatusCode::OK);
        let api = format!("/v1/apis/{}", text(&apis["items"][0]["id"]));
        node.root().patch(&api, json!({ "access_token_format": "opaque" })).await.expect(StatusCode::OK);
        let opaque = node.certified_token(&client, &holder).await;
        assert!(opaque.starts_with("clv_at_"));
        let renewed = Holder::of(&KeyPair::generate().unwrap());
        for token in [&jwt, &opaque] {
            let told = app.form_of(&client, "/oauth/introspect", &[("token", token)]).await.expect(StatusCode::OK);
            assert_eq!((&told["token_type"], &told["cnf"]), (&json!("Bearer"), &holder.cnf()));
            let answer = app.verify_showing(token, Some(&holder.pem)).await;
            assert_eq!((&answer["code"], &answer["cache"]), (&json!("valid"), &Value::Null));
            assert_eq!(app.code_showing(token, None).await, "proof_required");
            assert_eq!(app.code_showing(token, Some(&renewed)).await, "proof_invalid");
        }
        // Who does not ask for bound tokens gets others, whatever its connection has.
        node.root().patch(&client.path(), json!({ BOUND: false })).await.expect(StatusCode::OK);
        let free = node.certified_token(&client, &holder).await;
        let told = app.form_of(&client, "/oauth/introspect", &[("token", &free)]).await.expect(StatusCode::OK);
        assert_eq!((&told["token_type"], told.get("cnf")), (&json!("Bearer"), None));
        for shown in [None, Some(&holder), Some(&renewed)] {
            assert_eq!(app.code_showing(&free, shown).await, "valid", "a certificate says nothing of other credentials");
        }
        node.finish().await;
    }

    async fn m05_a_bound_token_is_worth_nothing_without_its_certificate(app: &TestApp) {
        let client = app.bound_machine().await;
        let mut node = app.behind_a_proxy().await;
        let key = KeyPair::generate().unwrap();
        let (holder, other, renewed) = (Holder::of(&key), Holder::new(), Holder::of(&key));
        assert_ne!(holder.certificate, renewed.certificate);
        let token = node.certified_token(&client, &holder).await;

        // Where an API asks.
        for (shown, expected) in
            [(None, "proof_required"), (Some(&other), "proof_invalid"), (Some(&renewed), "proof_invalid"), (Some(&holder), "valid")]
        {
            assert_eq!(app.code_showing(&token, shown).await, expected);
        }
        let refused = app.verify_showing(&token, None).await;
        assert_eq!(refused["proof"]["error"], "invalid_token");
        for (pem, pointer) in [("", "/proof/client_certificate"), ("x", "/proof/client_certificate")] {
            let asked = json!({ "credential": token, "proof": { "client_certificate": pem } });
            let sent = app.request(Method::POST, app.internal, "/v1/verify").json(&asked).send().await.unwrap();
            Reply::read(app, sent).await.wrong(pointer, "invalid_certificate");
        }

        // At a gateway, which must say that the header is its own.
        let (own, others) = (holder.header(), other.header());
        let code = async |query: &str, shown: &[&str]| {
            let reply = app.at_gateway(&token, query, shown).await;
            let told = challenges(&reply);
            if reply.status == StatusCode::UNAUTHORIZED {
                assert!(told[0].starts_with("Bearer realm=\"claviger\", error=\"invalid_token\""), "{told:?}");
            }
            reply.header("x-claviger-code").unwrap().to_owned()
        };
        let said = "&client_certificate=1";
        assert_eq!(code(said, &[&own]).await, "valid");
        assert_eq!(code(said, &[&holder.escaped()]).await, "valid");
        assert_eq!(code("", &[&own]).await, "proof_required");
        assert_eq!(code(said, &[]).await, "proof_required");
        assert_eq!(code(said, &[&others]).await, "proof_invalid");
        assert_eq!(code(said, &[&renewed.header()]).await, "proof_invalid");
        assert_eq!(app.at_gateway(&token, said, &[&own, &own]).await.status, StatusCode::BAD_REQUEST);
        assert_eq!(app.at_gateway(&token, said, &["nonsense"]).await.status, StatusCode::BAD_REQUEST);
        let nginx = format!("{said}&nginx=1");
        assert_eq!(app.at_gateway(&token, &nginx, &["nonsense"]).await.status, StatusCode::FORBIDDEN);
        assert_eq!(app.at_gateway(&token, &nginx, &[&others]).await.status, StatusCode::UNAUTHORIZED);
        assert_eq!(app.at_gateway(&token, &nginx, &[&own]).await.status, StatusCode::OK);
        assert_eq!(app.at_gateway(&token, "&client_certificate=yes", &[&own]).await.status, StatusCode::BAD_REQUEST);

        // At our own API.
        let fields = [CLIENT_CREDENTIALS, ("resource", PUBLIC_URL)];
        let ours = node.form_showing(&client, TOKEN, &[&own], &fields).await.expect(StatusCode::OK);
        let ours = text(&ours["access_token"]);
        for path in ["/v1/token", "/v1/api-keys"] {
            node.own_api(path, &ours, Some(&holder)).await.expect(StatusCode::OK);
            for shown in [None, Some(&other), Some(&renewed)] {
                let refused = node.own_api(path, &ours, shown).await;
                let told = challenges(&refused);
                assert!(told.len() == 1 && told[0].starts_with("Bearer "), "{told:?}");
                assert!(told[0].contains("error=\"invalid_token\"") && told[0].contains("resource_metadata="), "{told:?}");
                refused.problem(StatusCode::UNAUTHORIZED, "invalid_token");
            }
            // A node that is behind no such proxy believes nobody.
            app.own_api(path, &ours, Some(&holder)).await.problem(StatusCode::UNAUTHORIZED, "invalid_token");
        }
        let explained = app.root().post("/v1/explain", json!({ "credential": token, "proof": { "client_certificate": other.pem } })).await;
        let explained = explained.expect(StatusCode::OK);
        let step = explained["steps"].as_array().unwrap().iter().find(|step| step["code"] == "proof_invalid").unwrap();
        assert_eq!((&explained["code"], &step["facts"]["shown"]), (&json!("proof_invalid"), &other.cnf()), "{step}");
        node.finish().await;
    }

    async fn m05_what_is_exchanged_stays_bound_to_the_certificate(app: &TestApp) {
        let client = app.bound_machine().await;
        let mut node = app.behind_a_proxy().await;
        let (holder, other) = (Holder::new(), Holder::new());
        let token = node.certified_token(&client, &holder).await;
        node.root().patch(&client.path(), json!({ BOUND: false })).await.expect(StatusCode::OK);
        let exchange = [EXCHANGE, ("subject_token", token.as_str()), ACCESS];
        for shown in [&[][..], &[other.header().as_str()]] {
            node.form_showing(&client, TOKEN, shown, &exchange).await.refusal(StatusCode::BAD_REQUEST, "invalid_request");
        }
        let body = node.form_showing(&client, TOKEN, &[&holder.header()], &exchange).await.expect(StatusCode::OK);
        assert_eq!(claims(&text(&body["access_token"]))["cnf"], holder.cnf());
        node.finish().await;
    }

    async fn m06_a_client_of_bound_tokens_gets_none_without_a_certificate(app: &TestApp) {
        let client = app.bound_machine().await;
        let mut node = app.behind_a_proxy().await;
        let holder = Holder::new();
        let refused = node.ask_showing(&client, &[]).await.refusal(StatusCode::BAD_REQUEST, "invalid_request");
        assert!(text(&refused["error_description"]).contains("bound to its certificate"), "{refused}");
        // Nobody else says what somebody showed.
        app.ask_showing(&client, &[&holder.header()]).await.refusal(StatusCode::BAD_REQUEST, "invalid_request");
        let key = app.key(&client.id, &["invoices:read"], json!({})).await;
        let exchange = [EXCHANGE, ("subject_token", key.token.as_str()), ACCESS];
        app.form_of(&client, TOKEN, &exchange).await.refusal(StatusCode::BAD_REQUEST, "invalid_request");
        let body = node.form_showing(&client, TOKEN, &[&holder.header()], &exchange).await.expect(StatusCode::OK);
        assert_eq!(claims(&text(&body["access_token"]))["cnf"], holder.cnf());
        app.root().patch(&client.path(), json!({ BOUND: null })).await.expect(StatusCode::OK);
        let body = json!({ "organization_id": client.organization, "name": "bound", BOUND: true });
        let made = app.root().post("/v1/service-accounts", body).await.expect(StatusCode::CREATED);
        assert_eq!(made[BOUND], true);
        node.finish().await;
    }

    async fn an_api_key_and_a_personal_access_token_are_bound_to_a_certificate_for_good(app: &TestApp) {
        let client = app.machine().await;
        let mut node = app.behind_a_proxy().await;
        let (holder, other) = (Holder::new(), Holder::new());
        let by_pem = app.key(&client.id, &["invoices:read"], json!({ "client_certificate": holder.pem })).await;
        let thumbprint = json!({ "client_certificate_thumbprint": holder.certificate.thumbprint() });
        let by_thumbprint = app.key(&client.id, &["invoices:read"], thumbprint).await;
        let user = app.user("zoe@acme.test").await;
        let rights = json!({ "roles": [], "permissions": ["invoices:read"] });
        let put = app.root().put(&format!("/v1/organizations/{}/members/{user}", client.organization), rights).await;
        assert!(put.status.is_success(), "{}", put.body);
        let token = Key::from(app.root().post("/v1/personal-access-tokens", json!({
            "user_id": user, "organization_id": client.organization, "name": "script", "permissions": ["invoices:read"],
            "client_certificate": holder.pem,
        })).await.expect(StatusCode::CREATED));
        for (path, made) in [("api-keys", &by_pem), ("api-keys", &by_thumbprint), ("personal-access-tokens", &token)] {
            assert_eq!(made.body["cnf"], holder.cnf());
            let path = format!("/v1/{path}/{}", made.id);
            assert_eq!(app.root().get(&path).await.expect(StatusCode::OK)["cnf"], holder.cnf());
            for (shown, expected) in [(None, "proof_required"), (Some(&other), "proof_invalid"), (Some(&holder), "valid")] {
                assert_eq!(app.code_showing(&made.token, shown).await, expected);
            }
            let own = node.own_api("/v1/token", &made.token, Some(&holder)).await.expect(StatusCode::OK);
            assert_eq!(own["cnf"], holder.cnf());
            node.own_api("/v1/token", &made.token, Some(&other)).await.problem(StatusCode::UNAUTHORIZED, "invalid_token");
            let exchange = [EXCHANGE, ("subject_token", made.token.as_str()), ACCESS];
            for shown in [&[][..], &[other.header().as_str()]] {
                node.form_showing(&client, TOKEN, shown, &exchange).await.refusal(StatusCode::BAD_REQUEST, "invalid_request");
            }
            let body = node.form_showing(&client, TOKEN, &[&holder.header()], &exchange).await.expect(StatusCode::OK);
            let exchanged = text(&body["access_token"]);
            assert_eq!(claims(&exchanged)["cnf"], holder.cnf());
            assert_eq!(app.code_showing(&exchanged, None).await, "proof_required");
            for change in [json!({ "client_certificate": null }), json!({ "client_certificate": other.pem }), json!({ "cnf": null })] {
                assert_eq!(app.root().patch(&path, change).await.status, StatusCode::UNPROCESSABLE_ENTITY);
            }
            let rolled = Key::from(app.root().post(&format!("{path}/roll"), json!({})).await.expect(StatusCode::OK));
            assert_eq!((&rolled.body["cnf"], app.code(&rolled.token).await.as_str()), (&holder.cnf(), "proof_required"));
        }
        // What it makes is bound to the same certificate.
        app.root().patch(&client.path(), json!({ "permissions": ["invoices:read", "claviger:api_keys:write"] })).await.expect(StatusCode::OK);
        let maker = app.key(&client.id, &["claviger:api_keys:write", "invoices:read"], json!({ "client_certificate": holder.pem })).await;
        let make = async |more: Value| {
            let mut body = json!({ "service_account_id": client.id, "name": "made", "permissions": ["invoices:read"] });
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let header = holder.header();
            node.client(&maker.token).send(Method::POST, "/v1/api-keys", Some(body), &[("client-cert", &header)]).await
        };
        make(json!({})).await.problem(StatusCode::FORBIDDEN, "permission_missing");
        make(json!({ "client_certificate": other.pem })).await.problem(StatusCode::FORBIDDEN, "permission_missing");
        make(json!({ "client_certificate": holder.pem })).await.expect(StatusCode::CREATED);
        node.finish().await;
    }

    async fn what_is_no_certificate_binds_nothing(app: &TestApp) {
        let client = app.machine().await;
        let holder = Holder::new();
        let thumbprint = holder.certificate.thumbprint();
        let hex = "ab".repeat(32);
        for (more, pointer, code) in [
            (json!({ "client_certificate": "" }), "/client_certificate", "invalid_certificate"),
            (json!({ "client_certificate": "x" }), "/client_certificate", "invalid_certificate"),
            (json!({ "client_certificate": holder.escaped() }), "/client_certificate", "invalid_certificate"),
            (json!({ "client_certificate": holder.pem.repeat(2) }), "/client_certificate", "invalid_certificate"),
            (json!({ "client_certificate_thumbprint": hex }), "/client_certificate_thumbprint", "invalid_thumbprint"),
            (json!({ "client_certificate_thumbprint": format!("{thumbprint}=") }), "/client_certificate_thumbprint", "invalid_thumbprint"),
            (json!({ "client_certificate": holder.pem, "client_certificate_thumbprint": thumbprint }), "/client_certificate", "one_of"),
        ] {
            let mut body = json!({ "service_account_id": client.id, "name": "ci", "permissions": ["invoices:read"] });
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            app.root().post("/v1/api-keys", body).await.wrong(pointer, code);
        }
    }

    async fn m08_a_certificate_in_a_header_is_one_or_the_request_is_refused(app: &TestApp) {
        let client = app.machine().await;
        let mut node = app.behind_a_proxy().await;
        let (holder, other) = (Holder::new(), Holder::new());
        let sound = holder.header();
        for wrong in [
            &[sound.as_str(), sound.as_str()][..], &[&sound, &other.header()], &["nonsense"], &[""], &["::"], &[":AAAA:"],
            &[sound.trim_end_matches(':')], &[&format!("{sound}, {sound}")], &["-----BEGIN%20CERTIFICATE-----"],
        ] {
            node.ask_showing(&client, wrong).await.refusal(StatusCode::BAD_REQUEST, "invalid_request");
            let headers: Vec<(&str, &str)> = wrong.iter().map(|value| ("client-cert", *value)).collect();
            let asked = node.root().send(Method::GET, "/v1/token", None, &headers).await;
            asked.problem(StatusCode::BAD_REQUEST, "invalid_client_certificate");
        }
        for right in [&[][..], &[sound.as_str()], &[holder.escaped().as_str()]] {
            node.ask_showing(&client, right).await.expect(StatusCode::OK);
            let headers: Vec<(&str, &str)> = right.iter().map(|value| ("client-cert", *value)).collect();
            node.root().send(Method::GET, "/v1/token", None, &headers).await.expect(StatusCode::OK);
        }
        // Nobody who is no proxy of ours is believed, nor a proxy that is not said to write the header.
        let mut unsaid = app.another_node_with(|config| config.trusted_proxies = NetworkSet::parse(["127.0.0.0/8"]).ok()).await;
        let mut strange = app.another_node_with(|config| config.client_certificate_header = true).await;
        for node in [app, &unsaid, &strange] {
            node.ask_showing(&client, &["nonsense", "nonsense"]).await.expect(StatusCode::OK);
        }
        for node in [&mut node, &mut unsaid, &mut strange] {
            node.finish().await;
        }
    }
}
