//! Devices that enrol by a certificate request (PKCS#10), show what they get, and renew that by showing it.

use claviger_token::{Certificate, NetworkSet};
use jiff::SignedDuration;
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, PKCS_ECDSA_P384_SHA384, PKCS_ED25519};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    app::{PUBLIC_URL, Reply, TestApp, text},
    dpop::Holder,
    fleets::Fleet,
    machine::{CLIENT_CREDENTIALS, TOKEN, claims},
};

const RENEW: &str = "/v1/enrolments/renew";

/// A device with a key, and the last certificate that it got.
struct Device {
    key: KeyPair,
    id: String,
    body: Value,
}

fn request(key: &KeyPair) -> String {
    CertificateParams::default().serialize_request(key).unwrap().pem().unwrap()
}

fn new_key() -> KeyPair {
    KeyPair::generate().unwrap()
}

fn certificate(body: &Value) -> Certificate {
    Certificate::from_pem(body["certificate_pem"].as_str().unwrap()).unwrap()
}

/// As RFC 9440 has it in a header.
fn header(certificate: &Certificate) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    format!(":{}:", STANDARD.encode(certificate.der()))
}

impl TestApp {
    async fn behind_a_proxy_of_devices(&self) -> Self {
        self.another_node_with(|config| {
            config.trusted_proxies = NetworkSet::parse(["127.0.0.0/8"]).ok();
            config.client_certificate_header = true;
            config.mtls_url = Some("https://mtls.claviger.test".to_owned());
        })
        .await
    }

    async fn enrol_by_request(&self, code: &str, name: &str, csr: &str) -> Reply {
        self.enrol_with(json!({ "claim_code": code, "name": name, "csr": csr }), &[]).await
    }

    async fn renew_showing(&self, shown: &Certificate, client: &str, csr: &str) -> Reply {
        let body = json!({ "client_id": client, "csr": csr });
        self.anonymous().send(Method::POST, RENEW, Some(body), &[("client-cert", &header(shown))]).await
    }

    async fn token_showing(&self, shown: &Certificate, client: &str) -> Reply {
        let sent = self.request(Method::POST, self.public, TOKEN).header("client-cert", header(shown));
        Reply::read(self, sent.form(&[CLIENT_CREDENTIALS, ("client_id", client)]).send().await.unwrap()).await
    }
}

async fn device(fleet: &Fleet<'_>, app: &TestApp, name: &str) -> Device {
    let (key, code) = (new_key(), fleet.code(json!({})).await);
    let body = app.enrol_by_request(&code, name, &request(&key)).await.expect(StatusCode::CREATED);
    Device { id: text(&body["service_account_id"]), key, body }
}

async fn authority(fleet: &Fleet<'_>, app: &TestApp) -> Value {
    app.root().get(&fleet.path).await.expect(StatusCode::OK)["certificate_authority_pem"].clone()
}

on_both_databases! {
    async fn a_device_enrols_by_a_request_and_its_certificate_gets_tokens_until_it_is_revoked(app: &TestApp) {
        let fleet = Fleet::made(app).await;
        let mut node = app.behind_a_proxy_of_devices().await;
        let trusted = authority(&fleet, app).await;
        let device = device(&fleet, &node, "SN-1").await;
        let (body, own) = (&device.body, certificate(&device.body));
        assert_eq!((&body["chain_pem"], body.get("public_key_id"), &body["issuer"]), (&trusted, None, &json!(PUBLIC_URL)));
        assert_eq!(body["token_endpoint"], format!("https://mtls.claviger.test{TOKEN}"));
        assert_eq!(own.subject(), format!("CN={}", device.id));
        assert_eq!(body["expires_at"], json!(own.not_after().unwrap()));
        let account = app.root().get(&format!("/v1/service-accounts/{}", device.id)).await.expect(StatusCode::OK);
        assert_eq!(account["token_endpoint_auth_method"], "self_signed_tls_client_auth");
        let listed = fleet.devices().await;
        assert_eq!((&listed[0]["status"], &listed[0]["expires_at"]), (&json!("active"), &body["expires_at"]));

        let token = text(&node.token_showing(&own, &device.id).await.expect(StatusCode::OK)["access_token"]);
        let said = claims(&token);
        assert_eq!((&said["cred"], &said["cnf"]), (&body["certificate_id"], &json!({ "x5t#S256": own.thumbprint() })));
        let asked = |proof: Value| json!({ "permissions": ["invoices:read"], "proof": proof });
        assert_eq!(app.verify(&token, asked(json!({ "client_certificate": own.to_pem() }))).await["code"], "valid");
        assert_eq!(app.verify(&token, asked(Value::Null)).await["code"], "proof_required");
        // Nobody else's does, nor a certificate that the same authority issued to another.
        let other = self::device(&fleet, &node, "SN-2").await;
        node.token_showing(&certificate(&other.body), &device.id).await.refusal(StatusCode::UNAUTHORIZED, "invalid_client");
        assert_eq!(app.verify(&token, asked(json!({ "client_certificate": other.body["certificate_pem"] }))).await["code"], "proof_invalid");

        // One alone, by its certificate; and all.
        let path = format!("/v1/service-accounts/{}/certificates/{}", device.id, text(&body["certificate_id"]));
        app.root().post(&format!("{path}/revoke"), json!({})).await.expect(StatusCode::OK);
        assert_eq!(app.code(&token).await, "revoked");
        node.token_showing(&own, &device.id).await.refusal(StatusCode::UNAUTHORIZED, "invalid_client");
        node.renew_showing(&own, &device.id, &request(&new_key())).await.wrong("/client_id", "invalid_client_certificate");
        let statuses: Vec<_> = fleet.devices().await.iter().map(|device| text(&device["status"])).collect();
        assert_eq!(statuses, ["active", "revoked"]);
        let token = text(&node.token_showing(&certificate(&other.body), &other.id).await.expect(StatusCode::OK)["access_token"]);
        let revoked = app.root().post(&format!("{}/revoke", fleet.path), json!({})).await.expect(StatusCode::OK);
        assert_eq!(app.code(&token).await, "revoked");
        node.token_showing(&certificate(&other.body), &other.id).await.refusal(StatusCode::UNAUTHORIZED, "invalid_client");
        // Who trusts the authority of before lets in nobody who comes now, and is told whom to trust.
        assert_ne!(revoked["certificate_authority_pem"], trusted);
        let again = self::device(&fleet, &node, "SN-1").await;
        assert_eq!(again.body["chain_pem"], revoked["certificate_authority_pem"]);
        app.root().delete(&fleet.path).await.expect(StatusCode::NO_CONTENT);
        node.token_showing(&certificate(&again.body), &again.id).await.refusal(StatusCode::UNAUTHORIZED, "invalid_client");
        node.finish().await;
    }

    async fn a_certificate_is_renewed_by_showing_it(app: &TestApp) {
        let fleet = Fleet::made(app).await;
        let mut node = app.behind_a_proxy_of_devices().await;
        let device = device(&fleet, &node, "SN-1").await;
        let later = |hours| {
            for one in [app, &node] {
                one.clock.advance(SignedDuration::from_hours(hours));
            }
        };
        later(80 * 24);
        let (old, next) = (certificate(&device.body), new_key());
        let renewed = node.renew_showing(&old, &device.id, &request(&next)).await.expect(StatusCode::CREATED);
        let new = certificate(&renewed);
        assert!(renewed["service_account_id"] == json!(device.id) && text(&renewed["expires_at"]) > text(&device.body["expires_at"]));
        assert_eq!((renewed["chain_pem"].clone(), new.public_key()), (device.body["chain_pem"].clone(), rcgen::PublicKeyData::subject_public_key_info(&next)));
        // The answer was lost: the same, and nothing else happens.
        assert_eq!(node.renew_showing(&old, &device.id, &request(&next)).await.expect(StatusCode::CREATED), renewed);
        for shown in [&old, &new] {
            node.token_showing(shown, &device.id).await.expect(StatusCode::OK);
            node.renew_showing(shown, &device.id, &request(&new_key())).await.problem(StatusCode::CONFLICT, "renewed_lately");
        }
        later(1);
        node.token_showing(&old, &device.id).await.refusal(StatusCode::UNAUTHORIZED, "invalid_client");
        node.renew_showing(&old, &device.id, &request(&new_key())).await.wrong("/client_id", "invalid_client_certificate");
        // A key that cannot be changed, for it lies in hardware, gets another certificate.
        let same = node.renew_showing(&new, &device.id, &request(&next)).await.expect(StatusCode::CREATED);
        assert!(certificate(&same) != new && certificate(&same).public_key() == new.public_key());
        assert_eq!(node.renew_showing(&new, &device.id, &request(&next)).await.expect(StatusCode::CREATED), same);
        assert_eq!(app.audit_trail(&device.id).await.last().unwrap(), "device.renewed");
        let listed = app.root().get(&format!("/v1/service-accounts/{}/certificates", device.id)).await.expect(StatusCode::OK);
        let listed = listed["items"].as_array().unwrap().clone();
        assert_eq!(listed.len(), 3);
        let code = &fleet.codes().await[0]["id"];
        assert!(listed.iter().all(|one| one["created_by"] == *code), "{listed:?}");
        // Past its end nothing is renewed.
        later(90 * 24);
        node.renew_showing(&certificate(&same), &device.id, &request(&new_key())).await.wrong("/client_id", "invalid_client_certificate");
        assert_eq!(fleet.devices().await[0]["status"], "expired");
        node.finish().await;
    }

    async fn a_device_whose_answer_was_lost_for_long_gets_its_certificate_by_its_key(app: &TestApp) {
        let fleet = Fleet::made(app).await;
        let mut node = app.behind_a_proxy_of_devices().await;
        let (device, next) = (device(&fleet, &node, "SN-1").await, new_key());
        let old = certificate(&device.body);
        let renewed = node.renew_showing(&old, &device.id, &request(&next)).await.expect(StatusCode::CREATED);
        let later = |hours| {
            for one in [app, &node] {
                one.clock.advance(SignedDuration::from_hours(hours));
            }
        };
        later(2);
        let asked = async |client: &str, csr: &str| {
            node.anonymous().post(RENEW, json!({ "client_id": client, "csr": csr })).await
        };
        let refused = async |client: &str, csr: &str| {
            asked(client, csr).await.wrong("/client_id", "invalid_client_certificate");
        };
        // By what it has still, which has ended, as without.
        assert_eq!(node.renew_showing(&old, &device.id, &request(&next)).await.expect(StatusCode::CREATED), renewed);
        assert_eq!(asked(&device.id, &request(&next)).await.expect(StatusCode::CREATED), renewed);
        assert_eq!(app.audit_trail(&device.id).await.iter().filter(|one| *one == "device.renewed").count(), 1);
        // Nobody else is told, nor by another key, nor by a request that another signed.
        refused(&device.id, &request(&device.key)).await;
        refused(&device.id, &request(&new_key())).await;
        refused(&device.id, "x").await;
        let other = self::device(&fleet, &node, "SN-2").await;
        refused(&other.id, &request(&next)).await;
        let told = asked(&device.id, &request(&new_key())).await.problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid_request");
        assert!(told["errors"][0]["message"].as_str().unwrap().contains("https://mtls.claviger.test/v1/enrolments/renew"), "{told}");
        // Nor is what does not count.
        let account = format!("/v1/service-accounts/{}", device.id);
        for (path, stop, go) in [
            (&fleet.path, json!({ "closed": true }), json!({ "closed": false })),
            (&account, json!({ "disabled": true }), json!({ "disabled": false })),
            (&format!("/v1/organizations/{}", fleet.organization), json!({ "disabled": true }), json!({ "disabled": false })),
        ] {
            app.root().patch(path, stop).await.expect(StatusCode::OK);
            refused(&device.id, &request(&next)).await;
            app.root().patch(path, go).await.expect(StatusCode::OK);
        }
        assert_eq!(asked(&device.id, &request(&next)).await.expect(StatusCode::CREATED), renewed);
        let path = format!("{account}/certificates/{}", text(&renewed["certificate_id"]));
        app.root().post(&format!("{path}/revoke"), json!({})).await.expect(StatusCode::OK);
        refused(&device.id, &request(&next)).await;
        node.finish().await;
    }

    async fn events_tell_which_authority_is_to_be_trusted(app: &TestApp) {
        let fleet = Fleet::made(app).await;
        let thumbprint = async || {
            let pem = text(&authority(&fleet, app).await);
            json!(Certificate::from_pem(&pem).unwrap().thumbprint().to_string())
        };
        let mut expected = vec![thumbprint().await];
        app.root().post(&format!("{}/revoke", fleet.path), json!({})).await.expect(StatusCode::OK);
        expected.insert(0, thumbprint().await);
        let id = fleet.path.rsplit('/').next().unwrap();
        let events = app.root().get(&format!("/v1/audit-events?target={id}")).await.expect(StatusCode::OK);
        let told = events["items"].as_array().unwrap().iter();
        let told: Vec<_> = told.map(|event| event["details"]["authority"]["x5t#S256"].clone()).collect();
        assert_eq!(told, expected);
    }

    async fn what_a_request_asks_for_counts_for_nothing_and_a_bad_one_takes_no_use(app: &TestApp) {
        let fleet = Fleet::made(app).await;
        let (code, key) = (fleet.code(json!({})).await, new_key());
        let sound = request(&key);
        let refused = async |csr: &str| app.enrol_by_request(&code, "SN-1", csr).await.wrong("/csr", "invalid_csr");
        let body: String = sound.lines().filter(|line| !line.starts_with("-----")).collect();
        let forged = {
            use base64::{Engine as _, engine::general_purpose::STANDARD};
            let mut der = STANDARD.decode(body).unwrap();
            *der.last_mut().unwrap() ^= 1;
            format!("-----BEGIN CERTIFICATE REQUEST-----\n{}\n-----END CERTIFICATE REQUEST-----\n", STANDARD.encode(der))
        };
        refused(&forged).await;
        refused(include_str!("../../../claviger-core/src/certificate_request/rsa_1024.pem")).await;
        refused(include_str!("../../../claviger-core/src/certificate_request/sha1.pem")).await;
        refused(&request(&KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap())).await;
        refused(&format!("{sound}{sound}")).await;
        refused(&format!("{sound}{}", key.serialize_pem())).await;
        refused(&sound.replace("REQUEST", "REQUES")).await;
        refused(&"A".repeat(40_000)).await;
        refused("").await;
        let giant = "A".repeat(70_000);
        app.enrol_by_request(&code, "SN-1", &giant).await.problem(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large");
        app.enrol_by_request(&code, "", &sound).await.wrong("/name", "invalid_name");
        assert_eq!(fleet.codes().await[0]["uses_left"], 1);
        let mut greedy = CertificateParams::new(vec!["bank.test".to_owned()]).unwrap();
        greedy.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let greedy = greedy.serialize_request(&key).unwrap().pem().unwrap();
        let made = app.enrol_by_request(&code, "SN-1", &greedy).await.expect(StatusCode::CREATED);
        let issued = certificate(&made);
        assert_eq!(issued.subject(), format!("CN={}", text(&made["service_account_id"])));
        let der = String::from_utf8_lossy(issued.der()).into_owned();
        assert!(!der.contains("bank.test"));
        let organization = format!("/v1/organizations/{}/certificate-authorities", fleet.organization);
        let no_authority = json!({ "name": "x", "certificates_pem": made["certificate_pem"] });
        app.root().post(&organization, no_authority).await.wrong("/certificates_pem", "no_authority");
        // An unknown code is told nothing of the request.
        app.enrol_by_request("clv_claim_x", "SN-1", "x").await.wrong("/claim_code", "invalid_claim_code");
    }

    async fn a_request_that_is_repeated_is_answered_as_before_and_a_key_is_one_devices(app: &TestApp) {
        let fleet = Fleet::made(app).await;
        let (code, key) = (fleet.code(json!({ "uses": 3 })).await, KeyPair::generate_for(&PKCS_ED25519).unwrap());
        let first = app.enrol_by_request(&code, "SN-1", &request(&key)).await.expect(StatusCode::CREATED);
        app.clock.advance(SignedDuration::from_hours(2));
        assert_eq!(app.enrol_by_request(&code, "SN-1", &request(&key)).await.expect(StatusCode::CREATED), first);
        app.enrol_by_request(&code, "SN-2", &request(&key)).await.problem(StatusCode::CONFLICT, "key_exists");
        app.enrol_by_request(&code, "SN-1", &request(&new_key())).await.problem(StatusCode::CONFLICT, "device_exists");
        // A key is the same in whatever form it comes.
        let holder = Holder::new();
        app.enrol(&code, "SN-2", &holder).await.expect(StatusCode::CREATED);
        assert_eq!(fleet.codes().await[0]["uses_left"], 1);
        fleet.change(json!({ "closed": true })).await;
        app.enrol_by_request(&code, "SN-3", &request(&new_key())).await.wrong("/claim_code", "invalid_claim_code");
        fleet.change(json!({ "closed": false })).await;
        // What policy does not allow is not issued.
        let policy = format!("/v1/organizations/{}/policy", fleet.organization);
        app.root().patch(&policy, json!({ "allowed_kinds": ["api_key", "public_key"] })).await.expect(StatusCode::OK);
        app.enrol_by_request(&code, "SN-3", &request(&new_key())).await.problem(StatusCode::CONFLICT, "kind_not_allowed");
        app.root().patch(&policy, json!({ "allowed_kinds": null })).await.expect(StatusCode::OK);
        // A deleted device does not come back by its code.
        app.root().delete(&format!("/v1/service-accounts/{}", text(&first["service_account_id"]))).await.expect(StatusCode::NO_CONTENT);
        app.enrol_by_request(&code, "SN-4", &request(&key)).await.wrong("/claim_code", "invalid_claim_code");
        app.enrol_by_request(&code, "SN-3", &request(&new_key())).await.expect(StatusCode::CREATED);
    }

    async fn nobody_renews_by_what_they_did_not_show(app: &TestApp) {
        let fleet = Fleet::made(app).await;
        let mut node = app.behind_a_proxy_of_devices().await;
        let (device, other) = (device(&fleet, &node, "SN-1").await, self::device(&fleet, &node, "SN-2").await);
        let (own, next) = (certificate(&device.body), request(&new_key()));
        let body = json!({ "client_id": device.id, "csr": next });
        // Nothing was shown, or by somebody who is no proxy, or another's.
        app.anonymous().post(RENEW, body.clone()).await.wrong("/client_id", "invalid_client_certificate");
        let reply = app.anonymous().send(Method::POST, RENEW, Some(body.clone()), &[("client-cert", &header(&own))]).await;
        reply.wrong("/client_id", "invalid_client_certificate");
        node.renew_showing(&certificate(&other.body), &device.id, &next).await.wrong("/client_id", "invalid_client_certificate");
        let reply = node.anonymous().send(Method::POST, RENEW, Some(body), &[("client-cert", "x")]).await;
        reply.problem(StatusCode::BAD_REQUEST, "invalid_client_certificate");
        // Both ways at once, or half of one.
        for mixed in [
            json!({ "client_id": device.id }),
            json!({ "csr": next }),
            json!({ "client_id": device.id, "csr": next, "jwk": {} }),
            json!({ "client_assertion": "x", "csr": next }),
        ] {
            node.anonymous().send(Method::POST, RENEW, Some(mixed), &[("client-cert", &header(&own))]).await.wrong("", "one_of");
        }
        node.anonymous().post(RENEW, json!({ "client_id": "x", "csr": next })).await.wrong("/client_id", "invalid_value");
        node.renew_showing(&own, &device.id, &request(&other.key)).await.problem(StatusCode::CONFLICT, "key_exists");
        node.renew_showing(&own, &device.id, "x").await.wrong("/csr", "invalid_csr");
        // A certificate that somebody else gave it is none of the device's own.
        let given = CertificateParams::new(vec!["x.test".to_owned()]).unwrap().self_signed(&new_key()).unwrap().pem();
        let given = Certificate::from_pem(&given).unwrap();
        let added = json!({ "name": "x", "certificate_pem": given.to_pem() });
        app.root().post(&format!("/v1/service-accounts/{}/certificates", device.id), added).await.expect(StatusCode::CREATED);
        node.token_showing(&given, &device.id).await.expect(StatusCode::OK);
        node.renew_showing(&given, &device.id, &next).await.problem(StatusCode::CONFLICT, "key_not_own");
        // Nor is a device that signs one that shows.
        let (holder, code) = (Holder::new(), fleet.code(json!({})).await);
        let signs = text(&app.enrol(&code, "SN-3", &holder).await.expect(StatusCode::CREATED)["service_account_id"]);
        node.renew_showing(&own, &signs, &next).await.wrong("/client_id", "invalid_client_certificate");
        app.renew(&device.id, &holder, &Holder::new()).await.wrong("/client_assertion", "invalid_client_assertion");
        fleet.change(json!({ "closed": true })).await;
        node.renew_showing(&own, &device.id, &next).await.problem(StatusCode::CONFLICT, "fleet_closed");
        fleet.change(json!({ "closed": false })).await;
        node.renew_showing(&own, &device.id, &next).await.expect(StatusCode::CREATED);
        node.finish().await;
    }
}
