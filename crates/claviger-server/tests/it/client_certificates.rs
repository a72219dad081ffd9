//! Clients that prove themselves by certificates, and who vouches for them (RFC 8705, section 2; the numbers are those of the cases that they
//! must answer).

use claviger_token::{Certificate, NetworkSet};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    SanType,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    app::{INVOICES, Reply, TestApp, text},
    machine::{CLIENT_CREDENTIALS, Machine, TOKEN, claims},
};

/// A certificate with its key, and what it may issue.
struct Pki {
    params: CertificateParams,
    key: KeyPair,
    pem: String,
}

fn named(common_name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params
}

/// What a client's certificate says: the host `billing.test` among other things.
fn client() -> CertificateParams {
    let mut params = named("Billing");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.subject_alt_names = vec![SanType::DnsName("billing.test".try_into().unwrap())];
    params
}

impl Pki {
    fn of(params: CertificateParams, key: KeyPair) -> Self {
        let pem = params.self_signed(&key).unwrap().pem();
        Self { params, key, pem }
    }

    fn own() -> Self {
        Self::of(client(), KeyPair::generate().unwrap())
    }

    fn authority() -> Self {
        let mut params = named("Acme CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self::of(params, KeyPair::generate().unwrap())
    }

    fn issue(&self, params: CertificateParams) -> Self {
        let key = KeyPair::generate().unwrap();
        let pem = params.signed_by(&key, &Issuer::from_params(&self.params, &self.key)).unwrap().pem();
        Self { params, key, pem }
    }

    fn certificate(&self) -> Certificate {
        Certificate::from_pem(&self.pem).unwrap()
    }

    /// As RFC 9440 has it in a header.
    fn header(&self) -> String {
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        format!(":{}:", STANDARD.encode(self.certificate().der()))
    }
}

impl TestApp {
    /// A node behind a proxy that says what its clients showed, by one and the certificates above it.
    async fn behind_a_telling_proxy(&self) -> Self {
        self.another_node_with(|config| {
            config.trusted_proxies = NetworkSet::parse(["127.0.0.0/8"]).ok();
            config.client_certificate_header = true;
        })
        .await
    }

    async fn form_with(&self, path: &str, shown: &[&Pki], fields: &[(&str, &str)]) -> Reply {
        let mut sent = self.request(Method::POST, self.public, path);
        if let Some((own, above)) = shown.split_first() {
            sent = sent.header("client-cert", own.header());
            for one in above {
                sent = sent.header("client-cert-chain", one.header());
            }
        }
        Reply::read(self, sent.form(fields).send().await.unwrap()).await
    }

    async fn ask_as(&self, client_id: &str, shown: &[&Pki]) -> Reply {
        self.form_with(TOKEN, shown, &[CLIENT_CREDENTIALS, ("client_id", client_id), ("resource", INVOICES)]).await
    }

    async fn certificate_of(&self, client: &Machine, body: Value) -> Value {
        let mut all = json!({ "name": "production" });
        all.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        let made = self.root().post(&format!("{}/certificates", client.path()), all).await;
        made.expect(StatusCode::CREATED)
    }

    async fn trust(&self, client: &Machine, authority: &Pki) -> String {
        let path = format!("/v1/organizations/{}/certificate-authorities", client.organization);
        let body = json!({ "name": "Acme CA", "certificates_pem": authority.pem });
        let made = self.root().post(&path, body).await.expect(StatusCode::CREATED);
        format!("{path}/{}", text(&made["id"]))
    }
}

#[track_caller]
fn not_believed(reply: Reply) {
    reply.refusal(StatusCode::UNAUTHORIZED, "invalid_client");
}

on_both_databases! {
    async fn m01_a_name_counts_in_certificates_that_an_authority_vouches_for(app: &TestApp) {
        let machine = app.machine().await;
        let mut node = app.behind_a_telling_proxy().await;
        let authority = Pki::authority();
        let mut between = named("Acme issuing CA");
        between.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let between = authority.issue(between);
        let (direct, through) = (authority.issue(client()), between.issue(client()));
        let made = app.certificate_of(&machine, json!({ "subject_dn": "cn=BILLING" })).await;
        assert_eq!((&made["method"], &made["subject_dn"], &made["certificate_pem"]), (&json!("tls_client_auth"), &json!("CN=billing"), &Value::Null));
        not_believed(node.ask_as(&machine.id, &[&direct]).await);
        app.trust(&machine, &authority).await;
        let body = node.ask_as(&machine.id, &[&direct]).await.expect(StatusCode::OK);
        let token = text(&body["access_token"]);
        assert_eq!((&claims(&token)["sub"], claims(&token).get("cnf")), (&json!(machine.id), None));
        assert_eq!(app.code(&token).await, "valid");
        node.ask_as(&machine.id, &[&through, &between]).await.expect(StatusCode::OK);
        not_believed(node.ask_as(&machine.id, &[&through]).await);
        // Any of its names will do, as long as it is registered.
        app.root().delete(&format!("{}/certificates/{}", machine.path(), text(&made["id"]))).await.expect(StatusCode::NO_CONTENT);
        not_believed(node.ask_as(&machine.id, &[&direct]).await);
        app.certificate_of(&machine, json!({ "san_dns": "Billing.TEST" })).await;
        node.ask_as(&machine.id, &[&direct]).await.expect(StatusCode::OK);
        // What was got with a certificate that its client ended is refused.
        assert_ne!(app.code(&token).await, "valid");
        node.finish().await;
    }

    async fn m01_two_names_at_once_are_registered_nowhere(app: &TestApp) {
        let machine = app.machine().await;
        let path = format!("{}/certificates", machine.path());
        let two = json!({ "name": "x", "san_dns": "a.test", "san_uri": "urn:a" });
        app.root().post(&path, two).await.wrong("/san_uri", "one_of");
        app.root().post(&path, json!({ "name": "x" })).await.wrong("/certificate_pem", "required");
        app.root().post(&path, json!({ "name": "x", "certificate_pem": "x" })).await.wrong("/certificate_pem", "invalid_certificate");
        app.certificate_of(&machine, json!({ "san_ip": "::1" })).await;
        let again = json!({ "name": "x", "san_ip": "0:0::1" });
        app.root().post(&path, again).await.problem(StatusCode::CONFLICT, "certificate_exists");
    }

    async fn m02_nothing_but_a_certificate_of_a_trusted_authority_counts(app: &TestApp) {
        let machine = app.machine().await;
        let mut node = app.behind_a_telling_proxy().await;
        let (authority, other) = (Pki::authority(), Pki::authority());
        app.certificate_of(&machine, json!({ "san_dns": "billing.test" })).await;
        app.trust(&machine, &authority).await;
        let issued = |change: fn(&mut CertificateParams)| {
            let mut params = client();
            change(&mut params);
            authority.issue(params)
        };
        node.ask_as(&machine.id, &[&issued(|_| ())]).await.expect(StatusCode::OK);
        for (shown, why) in [
            (other.issue(client()), "another authority of the same name"),
            (Pki::own(), "its own"),
            (issued(|params| params.not_after = rcgen::date_time_ymd(2020, 1, 1)), "expired"),
            (issued(|params| params.not_before = rcgen::date_time_ymd(2090, 1, 1)), "not yet valid"),
            (issued(|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]), "for servers"),
            (issued(|params| params.extended_key_usages.clear()), "for nothing"),
            (issued(|params| params.subject_alt_names = vec![SanType::DnsName("*.test".try_into().unwrap())]), "a wildcard"),
            (issued(|params| params.subject_alt_names = vec![SanType::DnsName("billing.test\0.evil".try_into().unwrap())]), "NUL"),
            (issued(|params| params.subject_alt_names.clear()), "no name"),
        ] {
            assert_eq!(node.ask_as(&machine.id, &[&shown]).await.status, StatusCode::UNAUTHORIZED, "{why}");
        }
        let leaf = issued(|_| ());
        not_believed(node.ask_as(&machine.id, &[&leaf.issue(client()), &leaf]).await);
        // An authority counts in its own organization.
        let stranger = app.machine_with("globex", &["invoices:read"]).await;
        app.certificate_of(&stranger, json!({ "san_dns": "billing.test" })).await;
        not_believed(node.ask_as(&stranger.id, &[&issued(|_| ())]).await);
        node.finish().await;
    }

    async fn m03_a_registered_certificate_needs_nobodys_word(app: &TestApp) {
        let machine = app.machine().await;
        let mut node = app.behind_a_telling_proxy().await;
        let own = Pki::own();
        let made = app.certificate_of(&machine, json!({ "certificate_pem": own.pem })).await;
        let certificate = own.certificate();
        assert_eq!((&made["method"], &made["certificate_pem"]), (&json!("self_signed_tls_client_auth"), &json!(own.pem)));
        assert_eq!((&made["x5t#S256"], &made["not_after"]), (&json!(certificate.thumbprint().to_string()), &json!(certificate.not_after())));
        assert_eq!(made["expires_at"], made["not_after"]);
        node.ask_as(&machine.id, &[&own]).await.expect(StatusCode::OK);
        // The certificate, and not merely its key.
        let same_key = KeyPair::from_pem(&own.key.serialize_pem()).unwrap();
        not_believed(node.ask_as(&machine.id, &[&Pki::of(named("x"), same_key)]).await);
        not_believed(node.ask_as(&machine.id, &[&Pki::own()]).await);
        not_believed(node.ask_as(&machine.id, &[]).await);
        // Whoever it is says so, as a service account's id.
        not_believed(node.form_with(TOKEN, &[&own], &[CLIENT_CREDENTIALS]).await);
        for other in [app.machine_with("globex", &[]).await.id.as_str(), "sa_01h455vb4pex5vsknk084sn02q", "x", "claviger-cli"] {
            not_believed(node.ask_as(other, &[&own]).await);
        }
        // A header of a stranger is no certificate.
        not_believed(app.ask_as(&machine.id, &[&own]).await);
        // What else proves a client still does.
        node.ask(&machine, &[("resource", INVOICES)]).await.expect(StatusCode::OK);
        let wrong = [CLIENT_CREDENTIALS, ("client_id", machine.id.as_str()), ("client_secret", "wrong")];
        not_believed(node.form_with(TOKEN, &[&own], &wrong).await);
        node.finish().await;
    }

    async fn m03_a_client_uses_the_method_that_it_is_held_to(app: &TestApp) {
        let machine = app.machine().await;
        let mut node = app.behind_a_telling_proxy().await;
        let authority = Pki::authority();
        let (own, issued) = (Pki::own(), authority.issue(client()));
        app.certificate_of(&machine, json!({ "certificate_pem": own.pem })).await;
        app.certificate_of(&machine, json!({ "san_dns": "billing.test" })).await;
        app.trust(&machine, &authority).await;
        let check = async |method: Value, expected: [bool; 3]| {
            let body = json!({ "token_endpoint_auth_method": method });
            assert_eq!(node.root().patch(&machine.path(), body).await.expect(StatusCode::OK)["token_endpoint_auth_method"], method);
            let works = [
                node.ask_as(&machine.id, &[&own]).await.status.is_success(),
                node.ask_as(&machine.id, &[&issued]).await.status.is_success(),
                node.ask(&machine, &[("resource", INVOICES)]).await.status.is_success(),
            ];
            assert_eq!(works, expected, "{method}");
        };
        check(json!("self_signed_tls_client_auth"), [true, false, false]).await;
        check(json!("tls_client_auth"), [false, true, false]).await;
        check(json!("client_secret_basic"), [false, false, true]).await;
        check(Value::Null, [true, true, true]).await;
        node.finish().await;
    }

    async fn t09_a_client_of_certificates_sends_no_secret_with_one(app: &TestApp) {
        let machine = app.machine().await;
        let mut node = app.behind_a_telling_proxy().await;
        let own = Pki::own();
        app.certificate_of(&machine, json!({ "certificate_pem": own.pem })).await;
        let held = json!({ "token_endpoint_auth_method": "self_signed_tls_client_auth" });
        node.root().patch(&machine.path(), held).await.expect(StatusCode::OK);
        let both = [CLIENT_CREDENTIALS, ("client_id", machine.id.as_str()), ("client_secret", machine.secret.as_str())];
        node.form_with(TOKEN, &[&own], &both).await.refusal(StatusCode::BAD_REQUEST, "invalid_request");
        not_believed(node.form_with(TOKEN, &[], &both).await);
        let guessed = [CLIENT_CREDENTIALS, ("client_id", machine.id.as_str()), ("client_secret", "guessed")];
        not_believed(node.form_with(TOKEN, &[&own], &guessed).await);
        node.finish().await;
    }

    async fn a_token_ends_no_later_than_the_certificate_that_it_was_got_with(app: &TestApp) {
        let machine = app.machine().await;
        let mut node = app.behind_a_telling_proxy().await;
        let authority = Pki::authority();
        app.certificate_of(&machine, json!({ "san_dns": "billing.test" })).await;
        app.trust(&machine, &authority).await;
        let mut short = client();
        // Whole seconds, as certificates have them.
        let end = app.app.now().as_second() + 30;
        short.not_after = rcgen::date_time_ymd(1970, 1, 1) + std::time::Duration::from_secs(end.try_into().unwrap());
        let answer = node.ask_as(&machine.id, &[&authority.issue(short)]).await.expect(StatusCode::OK);
        assert!(answer["expires_in"].as_i64().unwrap() <= 30, "{answer}");
        assert!(claims(&text(&answer["access_token"]))["exp"].as_i64().unwrap() <= end);
        node.finish().await;
    }

    async fn a_certificate_has_an_end_that_nobody_changes(app: &TestApp) {
        let machine = app.machine().await;
        let mut params = client();
        params.not_after = rcgen::date_time_ymd(2090, 1, 1);
        let own = Pki::of(params, KeyPair::generate().unwrap());
        let made = app.certificate_of(&machine, json!({ "certificate_pem": own.pem, "expires_at": "2080-01-01T00:00:00Z" })).await;
        let path = format!("{}/certificates/{}", machine.path(), text(&made["id"]));
        app.root().patch(&path, json!({ "expires_at": "2090-01-02T00:00:00Z" })).await.wrong("/expires_at", "after_certificate");
        let endless = app.root().patch(&path, json!({ "expires_at": null })).await.expect(StatusCode::OK);
        assert_eq!(endless["expires_at"], "2090-01-01T00:00:00Z");
    }

    async fn an_authority_of_one_organization_vouches_for_nobody_who_reaches_all(app: &TestApp) {
        let machine = app.machine().await;
        let mut node = app.behind_a_telling_proxy().await;
        app.certificate_of(&machine, json!({ "san_dns": "billing.test" })).await;
        let governor = app.account_in(&machine.organization, &["claviger:organizations:write", "claviger:grants:write"]).await;
        let key = app.key(&governor, &["claviger:organizations:write", "claviger:grants:write"], json!({})).await;
        let (own, operators) = (Pki::authority(), Pki::authority());
        let path = format!("/v1/organizations/{}/certificate-authorities", machine.organization);
        let body = json!({ "name": "own", "certificates_pem": own.pem });
        let made = app.client(&key.token).post(&path, body).await.expect(StatusCode::CREATED);
        assert_eq!(made["reaches_instance"], false);
        node.ask_as(&machine.id, &[&own.issue(client())]).await.expect(StatusCode::OK);
        let given = json!({ "principal_id": machine.id, "permission": "invoices:read", "scope": "instance" });
        app.root().post("/v1/assignments", given).await.expect(StatusCode::CREATED);
        not_believed(node.ask_as(&machine.id, &[&own.issue(client())]).await);
        let trusted = app.trust(&machine, &operators).await;
        assert_eq!(app.root().get(&trusted).await.expect(StatusCode::OK)["reaches_instance"], true);
        node.ask_as(&machine.id, &[&operators.issue(client())]).await.expect(StatusCode::OK);
        app.client(&key.token).delete(&trusted).await.problem(StatusCode::FORBIDDEN, "instance_scope_needed");
        app.client(&key.token).delete(&format!("{path}/{}", text(&made["id"]))).await.expect(StatusCode::NO_CONTENT);
        node.finish().await;
    }

    async fn what_a_client_got_in_exchange_ends_with_the_authoritys_word(app: &TestApp) {
        let machine = app.machine().await;
        let mut node = app.behind_a_telling_proxy().await;
        let authority = Pki::authority();
        app.certificate_of(&machine, json!({ "san_dns": "billing.test" })).await;
        let path = app.trust(&machine, &authority).await;
        let account = app.account_in(&machine.organization, &["invoices:read"]).await;
        let subject = app.key(&account, &["invoices:read"], json!({})).await;
        let exchange = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("client_id", machine.id.as_str()),
            ("subject_token", subject.token.as_str()),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
        ];
        let answer = node.form_with(TOKEN, &[&authority.issue(client())], &exchange).await.expect(StatusCode::OK);
        let token = text(&answer["access_token"]);
        assert_eq!(app.code(&token).await, "valid");
        app.root().delete(&path).await.expect(StatusCode::NO_CONTENT);
        assert_ne!(app.code(&token).await, "valid");
        assert_eq!(app.code(&subject.token).await, "valid", "the key itself lost nothing");
        node.finish().await;
    }

    async fn a_chain_that_cannot_be_read_troubles_nobody_else(app: &TestApp) {
        let machine = app.machine().await;
        let mut node = app.behind_a_telling_proxy().await;
        let own = Pki::own();
        let with_chain = async |chain: &str, fields: &[(&str, &str)]| {
            let sent = node.request(Method::POST, node.public, TOKEN).header("client-cert", own.header());
            Reply::read(&node, sent.header("client-cert-chain", chain).form(fields).send().await.unwrap()).await
        };
        let secret = [CLIENT_CREDENTIALS, ("client_id", machine.id.as_str()), ("client_secret", machine.secret.as_str())];
        let bare = [CLIENT_CREDENTIALS, ("client_id", machine.id.as_str())];
        app.certificate_of(&machine, json!({ "certificate_pem": own.pem })).await;
        for chain in ["", "nonsense", &vec![own.header(); 9].join(",")] {
            with_chain(chain, &secret).await.expect(StatusCode::OK);
            let headers = [("client-cert", own.header()), ("client-cert-chain", chain.to_owned())];
            let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            node.root().send(Method::GET, "/v1/token", None, &headers).await.expect(StatusCode::OK);
        }
        with_chain("", &bare).await.expect(StatusCode::OK);
        with_chain("nonsense", &bare).await.refusal(StatusCode::BAD_REQUEST, "invalid_request");
        node.finish().await;
    }

    async fn several_certificates_are_renewed_without_a_gap(app: &TestApp) {
        let machine = app.machine().await;
        let mut node = app.behind_a_telling_proxy().await;
        let (old, new) = (Pki::own(), Pki::own());
        let first = app.certificate_of(&machine, json!({ "certificate_pem": old.pem })).await;
        app.certificate_of(&machine, json!({ "certificate_pem": new.pem })).await;
        let token = async |shown: &Pki| text(&node.ask_as(&machine.id, &[shown]).await.expect(StatusCode::OK)["access_token"]);
        let (of_old, of_new) = (token(&old).await, token(&new).await);
        let path = format!("{}/certificates/{}", machine.path(), text(&first["id"]));
        app.root().patch(&path, json!({ "disabled": true })).await.expect(StatusCode::OK);
        not_believed(node.ask_as(&machine.id, &[&old]).await);
        app.root().patch(&path, json!({ "disabled": false })).await.expect(StatusCode::OK);
        token(&old).await;
        let revoked = app.root().post(&format!("{path}/revoke"), json!({ "reason": "superseded" })).await.expect(StatusCode::OK);
        assert_eq!(revoked["status"], "revoked");
        not_believed(node.ask_as(&machine.id, &[&old]).await);
        assert_ne!(app.code(&of_old).await, "valid");
        assert_eq!(app.code(&of_new).await, "valid");
        let listed = app.root().get(&format!("{}/certificates", machine.path())).await.expect(StatusCode::OK);
        assert_eq!(listed["items"].as_array().unwrap().len(), 2);
        let inventory = app.root().get(&format!("/v1/credentials?kind=certificate&principal_id={}", machine.id)).await;
        assert_eq!(inventory.expect(StatusCode::OK)["items"].as_array().unwrap().len(), 2);
        // Its account stops it, too.
        app.root().patch(&machine.path(), json!({ "disabled": true })).await.expect(StatusCode::OK);
        not_believed(node.ask_as(&machine.id, &[&new]).await);
        node.finish().await;
    }

    async fn an_authority_that_is_trusted_no_more_takes_its_tokens_along(app: &TestApp) {
        let machine = app.machine().await;
        let mut node = app.behind_a_telling_proxy().await;
        let (authority, other) = (Pki::authority(), Pki::authority());
        let shown = authority.issue(client());
        app.certificate_of(&machine, json!({ "san_dns": "billing.test" })).await;
        let path = app.trust(&machine, &authority).await;
        app.trust(&machine, &other).await;
        let told = app.root().get(&path).await.expect(StatusCode::OK);
        assert_eq!((&told["name"], &told["certificates"][0]["certificate_pem"]), (&json!("Acme CA"), &json!(authority.pem)));
        let token = text(&node.ask_as(&machine.id, &[&shown]).await.expect(StatusCode::OK)["access_token"]);
        assert_eq!(app.code(&token).await, "valid");
        app.root().delete(&path).await.expect(StatusCode::NO_CONTENT);
        assert_ne!(app.code(&token).await, "valid");
        not_believed(node.ask_as(&machine.id, &[&shown]).await);
        app.root().get(&path).await.problem(StatusCode::NOT_FOUND, "not_found");
        app.root().delete(&path).await.problem(StatusCode::NOT_FOUND, "not_found");
        let list = path.rsplit_once('/').unwrap().0;
        let left = app.root().get(list).await.expect(StatusCode::OK);
        assert_eq!(left["items"].as_array().unwrap().len(), 1);
        let events = app.root().get("/v1/audit-events?action=certificate_authority.deleted").await.expect(StatusCode::OK);
        assert_eq!(events["items"].as_array().unwrap().len(), 1);
        node.finish().await;
    }

    async fn whoever_trusts_an_authority_could_give_anything_there(app: &TestApp) {
        let (organization, account) = app.account("acme", &["claviger:organizations:write", "claviger:grants:write"]).await;
        let path = format!("/v1/organizations/{organization}/certificate-authorities");
        let body = json!({ "name": "mine", "certificates_pem": Pki::authority().pem });
        let narrow = app.key(&account, &["claviger:organizations:write"], json!({})).await;
        app.client(&narrow.token).post(&path, body.clone()).await.problem(StatusCode::FORBIDDEN, "permission_missing");
        let wide = app.key(&account, &["claviger:organizations:write", "claviger:grants:write"], json!({})).await;
        app.client(&wide.token).post(&path, body.clone()).await.expect(StatusCode::CREATED);
        let (stranger, _) = app.account("globex", &[]).await;
        let strange = format!("/v1/organizations/{stranger}/certificate-authorities");
        app.client(&wide.token).post(&strange, body.clone()).await.problem(StatusCode::NOT_FOUND, "not_found");
        app.root().post(&path, body).await.problem(StatusCode::CONFLICT, "certificate_authority_exists");
        let no_authority = json!({ "name": "x", "certificates_pem": Pki::own().pem });
        app.root().post(&path, no_authority).await.wrong("/certificates_pem", "no_authority");
    }

    async fn a_client_with_a_certificate_gets_bound_tokens_and_asks_about_them(app: &TestApp) {
        let machine = app.machine().await;
        let mut node = app.behind_a_telling_proxy().await;
        let own = Pki::own();
        app.certificate_of(&machine, json!({ "certificate_pem": own.pem })).await;
        let bound = json!({ "tls_client_certificate_bound_access_tokens": true });
        app.root().patch(&machine.path(), bound).await.expect(StatusCode::OK);
        let token = text(&node.ask_as(&machine.id, &[&own]).await.expect(StatusCode::OK)["access_token"]);
        assert_eq!(claims(&token)["cnf"]["x5t#S256"], json!(own.certificate().thumbprint()));
        let fields = [("client_id", machine.id.as_str()), ("token", token.as_str())];
        let told = node.form_with("/oauth/introspect", &[&own], &fields).await.expect(StatusCode::OK);
        assert_eq!((&told["active"], &told["client_id"]), (&json!(true), &json!(machine.id)));
        not_believed(node.form_with("/oauth/introspect", &[], &fields).await);
        node.form_with("/oauth/revoke", &[&own], &fields).await.expect(StatusCode::OK);
        let told = node.form_with("/oauth/introspect", &[&own], &fields).await.expect(StatusCode::OK);
        assert_eq!(told, json!({ "active": false }));
        node.finish().await;
    }

    async fn m07_certificates_prove_clients_where_they_can_be_shown(app: &TestApp) {
        let mut node = app.behind_a_telling_proxy().await;
        for path in ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"] {
            for (app, expected) in [(app, false), (&node, true)] {
                let told = app.anonymous().get(path).await.expect(StatusCode::OK);
                for endpoint in ["token", "introspection", "revocation"] {
                    let methods = told[format!("{endpoint}_endpoint_auth_methods_supported")].as_array().unwrap();
                    for method in ["tls_client_auth", "self_signed_tls_client_auth"] {
                        assert_eq!(methods.contains(&json!(method)), expected, "{path} {endpoint} {method}");
                    }
                }
            }
        }
        node.finish().await;
    }
}
