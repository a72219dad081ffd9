//! TLS of our own listeners, and the certificates that clients show there (RFC 8446, RFC 8705; the numbers are those of the cases that
//! they must answer).

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use claviger_server::{Listeners, Tls, TlsAt};
use claviger_token::{Certificate, NetworkSet};
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use reqwest::{StatusCode, header::HeaderMap};
use rustls::{
    ClientConfig, HandshakeKind, ProtocolVersion, RootCertStore, SignatureScheme, SupportedProtocolVersion,
    client::ResolvesClientCert,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName},
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use crate::{
    app::{INVOICES, Reply, TestApp, any_port, text, within},
    machine::{Machine, TOKEN, claims},
};

const BOUND: &str = "tls_client_certificate_bound_access_tokens";

/// A certificate that its owner made, and its key.
struct Own {
    pem: String,
    key: KeyPair,
}

impl Own {
    fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let pem = CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&key).unwrap().pem();
        Self { pem, key }
    }

    fn certificate(&self) -> Certificate {
        Certificate::from_pem(&self.pem).unwrap()
    }

    fn cnf(&self) -> Value {
        json!({ "x5t#S256": self.certificate().thumbprint() })
    }

    fn der(&self) -> CertificateDer<'static> {
        self.certificate().der().to_vec().into()
    }

    /// With the key of somebody else, if that is not its own.
    fn with_key_of(&self, other: &Self) -> Arc<CertifiedKey> {
        let key = PrivateKeyDer::try_from(other.key.serialize_der()).unwrap();
        let key = aws_lc_rs::default_provider().key_provider.load_private_key(key).unwrap();
        Arc::new(CertifiedKey::new(vec![self.der()], key))
    }
}

/// Where the certificate of a service is, and its key.
struct Files {
    directory: tempfile::TempDir,
}

impl Files {
    fn new(own: &Own) -> Self {
        let files = Self { directory: tempfile::tempdir().unwrap() };
        files.write(&own.pem, &own.key.serialize_pem());
        files
    }

    fn write(&self, certificate: &str, key: &str) {
        let TlsAt { certificate_file, key_file } = self.at();
        std::fs::write(certificate_file, certificate).unwrap();
        std::fs::write(key_file, key).unwrap();
    }

    fn at(&self) -> TlsAt {
        let path = |name: &str| -> PathBuf { self.directory.path().join(name) };
        TlsAt { certificate_file: path("certificate.pem"), key_file: path("key.pem") }
    }
}

/// A node that speaks TLS, and where it asks for certificates.
struct Node {
    app: TestApp,
    mtls: SocketAddr,
}

impl Node {
    async fn beside(app: &TestApp, files: &Files) -> Self {
        let listeners = Listeners::bind(any_port(), any_port(), false).await.unwrap();
        let listeners = listeners.with_tls(Tls::open(files.at()).unwrap(), Some(any_port())).await.unwrap();
        let mtls = listeners.mtls.as_ref().unwrap().local_addr().unwrap();
        let app =
            app.another_node_on(listeners, |config| config.mtls_url = Some("https://mtls.claviger.test".to_owned()));
        Self { app: app.await, mtls }
    }
}

/// Somebody who connects, perhaps with a certificate.
struct Caller {
    config: Arc<ClientConfig>,
    identity: Arc<Identity>,
}

#[derive(Debug)]
struct Identity {
    shown: Option<Arc<CertifiedKey>>,
    was_asked: AtomicBool,
}

impl ResolvesClientCert for Identity {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.was_asked.store(true, Ordering::Relaxed);
        self.shown.clone()
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// What came of a connection.
struct Called {
    reply: Reply,
    kind: HandshakeKind,
    version: ProtocolVersion,
}

impl Caller {
    fn new(server: &Own, shown: Option<Arc<CertifiedKey>>) -> Self {
        Self::speaking(&[&TLS13, &TLS12], server, shown)
    }

    fn speaking(
        versions: &[&'static SupportedProtocolVersion],
        server: &Own,
        shown: Option<Arc<CertifiedKey>>,
    ) -> Self {
        let identity = Arc::new(Identity { shown, was_asked: AtomicBool::new(false) });
        let mut roots = RootCertStore::empty();
        roots.add(server.der()).unwrap();
        let builder = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into());
        let config = builder.with_protocol_versions(versions).unwrap().with_root_certificates(roots);
        let config = config.with_client_cert_resolver(Arc::<Identity>::clone(&identity));
        Self { config: Arc::new(config), identity }
    }

    fn was_asked(&self) -> bool {
        self.identity.was_asked.load(Ordering::Relaxed)
    }

    async fn call(&self, to: SocketAddr, request: &str) -> Result<Called, std::io::Error> {
        let stream = TcpStream::connect(to).await.unwrap();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let mut stream = TlsConnector::from(Arc::clone(&self.config)).connect(name, stream).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
        let status = StatusCode::from_bytes(&head.as_bytes()[9..12]).unwrap();
        let body = serde_json::from_str(body).unwrap_or(Value::Null);
        let connection = stream.get_ref().1;
        let (kind, version) = (connection.handshake_kind().unwrap(), connection.protocol_version().unwrap());
        Ok(Called { reply: Reply { status, headers: HeaderMap::new(), body }, kind, version })
    }

    async fn get(&self, to: SocketAddr, path: &str, credential: &str) -> Reply {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {credential}\r\n\r\n"
        );
        self.call(to, &request).await.unwrap().reply
    }

    async fn ask(&self, to: SocketAddr, client: &Machine) -> Called {
        let basic = STANDARD.encode(format!("{}:{}", client.id, client.secret));
        let form = format!("grant_type=client_credentials&resource={INVOICES}");
        let request = format!(
            "POST {TOKEN} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Basic {basic}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
            form.len()
        );
        self.call(to, &request).await.unwrap()
    }
}

impl TestApp {
    async fn bound_client(&self) -> Machine {
        let client = self.machine().await;
        self.root().patch(&client.path(), json!({ BOUND: true })).await.expect(StatusCode::OK);
        client
    }
}

on_both_databases! {
    async fn m04_m05_a_token_is_bound_to_the_certificate_of_the_connection(app: &TestApp) {
        let (server, own, other) = (Own::new("127.0.0.1"), Own::new("client"), Own::new("client"));
        let client = app.bound_client().await;
        let mut node = Node::beside(app, &Files::new(&server)).await;
        for version in [&TLS12, &TLS13] {
            let caller = Caller::speaking(&[version], &server, Some(own.with_key_of(&own)));
            let first = caller.ask(node.mtls, &client).await;
            assert_eq!((first.kind, first.version), (HandshakeKind::Full, version.version));
            let token = text(&first.reply.expect(StatusCode::OK)["access_token"]);
            assert_eq!(claims(&token)["cnf"], own.cnf());
            // A resumed session is still that client's.
            let resumed = caller.ask(node.mtls, &client).await;
            assert_eq!((resumed.kind, resumed.version), (HandshakeKind::Resumed, version.version));
            assert_eq!(claims(&text(&resumed.reply.expect(StatusCode::OK)["access_token"]))["cnf"], own.cnf());

            caller.get(node.mtls, "/v1/token", &token).await.expect(StatusCode::OK);
            let thief = Caller::speaking(&[version], &server, Some(other.with_key_of(&other)));
            let nobody = Caller::speaking(&[version], &server, None);
            for stranger in [&thief, &nobody] {
                let refused = stranger.get(node.mtls, "/v1/token", &token).await.expect(StatusCode::UNAUTHORIZED);
                assert_eq!(refused["code"], "invalid_token");
            }
            caller.get(node.app.public, "/v1/token", &token).await.expect(StatusCode::UNAUTHORIZED);
            nobody.get(node.mtls, "/v1/token", app.root_token()).await.expect(StatusCode::OK);
        }
        node.app.finish().await;
    }

    async fn m01_a_chain_that_comes_with_the_handshake_leads_to_an_authority(app: &TestApp) {
        let (server, client) = (Own::new("127.0.0.1"), app.machine().await);
        let mut node = Node::beside(app, &Files::new(&server)).await;
        let issuing = |name: &str| {
            let mut params = CertificateParams::default();
            params.distinguished_name.push(DnType::CommonName, name);
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            (params, KeyPair::generate().unwrap())
        };
        let ((root, root_key), (between, between_key)) = (issuing("Root"), issuing("Between"));
        let root_pem = root.self_signed(&root_key).unwrap().pem();
        let between_der = between.signed_by(&between_key, &Issuer::from_params(&root, &root_key)).unwrap().der().clone();
        let mut leaf = CertificateParams::new(vec!["billing.test".to_owned()]).unwrap();
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        let leaf_der = leaf.signed_by(&key, &Issuer::from_params(&between, &between_key)).unwrap().der().clone();
        let named = json!({ "name": "billing", "san_dns": "billing.test" });
        app.root().post(&format!("{}/certificates", client.path()), named).await.expect(StatusCode::CREATED);
        let trusted = json!({ "name": "root", "certificates_pem": root_pem });
        let path = format!("/v1/organizations/{}/certificate-authorities", client.organization);
        app.root().post(&path, trusted).await.expect(StatusCode::CREATED);
        let form = format!("grant_type=client_credentials&client_id={}&resource={INVOICES}", client.id);
        let request = format!(
            "POST {TOKEN} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
            form.len()
        );
        for (chain, expected) in [
            (vec![leaf_der.clone(), between_der], StatusCode::OK),
            (vec![leaf_der], StatusCode::UNAUTHORIZED),
        ] {
            let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
            let key = aws_lc_rs::default_provider().key_provider.load_private_key(key).unwrap();
            let caller = Caller::new(&server, Some(Arc::new(CertifiedKey::new(chain, key))));
            caller.call(node.mtls, &request).await.unwrap().reply.expect(expected);
        }
        node.app.finish().await;
    }

    async fn m06_m07_ordinary_endpoints_ask_for_no_certificate(app: &TestApp) {
        let (server, own) = (Own::new("127.0.0.1"), Own::new("client"));
        let client = app.bound_client().await;
        let mut node = Node::beside(app, &Files::new(&server)).await;
        for version in [&TLS12, &TLS13] {
            let caller = Caller::speaking(&[version], &server, Some(own.with_key_of(&own)));
            let refused = caller.ask(node.app.public, &client).await.reply.expect(StatusCode::BAD_REQUEST);
            assert_eq!(refused["error"], "invalid_request");
            assert!(!caller.was_asked());
            caller.ask(node.mtls, &client).await.reply.expect(StatusCode::OK);
            assert!(caller.was_asked());
            // Nobody must have one.
            let bare = Caller::speaking(&[version], &server, None);
            let refused = bare.ask(node.mtls, &client).await.reply.expect(StatusCode::BAD_REQUEST);
            assert!(bare.was_asked() && refused["error"] == "invalid_request", "{refused}");
        }
        let caller = Caller::new(&server, None);
        let told = caller.get(node.app.public, "/.well-known/oauth-authorization-server", "").await.expect(StatusCode::OK);
        assert_eq!(told[BOUND], true);
        assert_eq!(told["mtls_endpoint_aliases"], json!({
            "token_endpoint": "https://mtls.claviger.test/oauth/token",
            "introspection_endpoint": "https://mtls.claviger.test/oauth/introspect",
            "revocation_endpoint": "https://mtls.claviger.test/oauth/revoke",
        }));
        let resource = caller.get(node.mtls, "/.well-known/oauth-protected-resource", "").await.expect(StatusCode::OK);
        assert_eq!(resource[BOUND], true);
        // Where no certificate can be shown, nothing is said of them; and a proxy that hands them on needs no other address.
        let plain = app.anonymous().get("/.well-known/oauth-authorization-server").await.expect(StatusCode::OK);
        assert!(plain.get(BOUND).is_none() && plain.get("mtls_endpoint_aliases").is_none(), "{plain}");
        let mut proxied = app.another_node_with(|config| {
            config.trusted_proxies = NetworkSet::parse(["127.0.0.0/8"]).ok();
            config.client_certificate_header = true;
        }).await;
        let told = proxied.anonymous().get("/.well-known/oauth-authorization-server").await.expect(StatusCode::OK);
        assert!(told[BOUND] == true && told.get("mtls_endpoint_aliases").is_none(), "{told}");
        proxied.finish().await;
        node.app.finish().await;
    }

    async fn m03_a_certificate_without_its_key_is_nobody(app: &TestApp) {
        let (server, own, thief) = (Own::new("127.0.0.1"), Own::new("client"), Own::new("thief"));
        let client = app.bound_client().await;
        let mut node = Node::beside(app, &Files::new(&server)).await;
        for version in [&TLS12, &TLS13] {
            let caller = Caller::speaking(&[version], &server, Some(own.with_key_of(&thief)));
            let request = "GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
            assert!(caller.call(node.mtls, request).await.is_err(), "{version:?}");
        }
        // Who writes the header itself is not believed on this way either.
        let basic = STANDARD.encode(format!("{}:{}", client.id, client.secret));
        let header = STANDARD.encode(own.certificate().der());
        let request = format!(
            "POST {TOKEN} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Basic {basic}\r\nClient-Cert: :{header}:\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 29\r\n\r\ngrant_type=client_credentials"
        );
        let refused = Caller::new(&server, None).call(node.mtls, &request).await.unwrap().reply;
        assert_eq!(refused.expect(StatusCode::BAD_REQUEST)["error"], "invalid_request");
        node.app.finish().await;
    }
}

#[test]
fn a_renewed_certificate_is_used_without_a_restart_and_a_broken_one_is_not() {
    crate::app::run(crate::database::Engine::Sqlite, async |app: &TestApp| {
        let (first, second) = (Own::new("127.0.0.1"), Own::new("127.0.0.1"));
        let files = Files::new(&first);
        let mut node = Node::beside(app, &files).await;
        let public = node.app.public;
        let is_shown = async |own: &Own| {
            let request = "GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
            Caller::new(own, None).call(public, request).await.is_ok()
        };
        assert!(is_shown(&first).await && !is_shown(&second).await);
        // Half of a renewal, and what is none.
        for (certificate, key) in [
            (second.pem.as_str(), first.key.serialize_pem()),
            ("", String::new()),
            ("nonsense", second.key.serialize_pem()),
        ] {
            files.write(certificate, &key);
            tokio::time::sleep(Duration::from_secs(4)).await;
            assert!(is_shown(&first).await, "{certificate:?}");
        }
        std::fs::remove_file(files.at().certificate_file).unwrap();
        tokio::time::sleep(Duration::from_secs(4)).await;
        assert!(is_shown(&first).await);
        files.write(&second.pem, &second.key.serialize_pem());
        within(Duration::from_secs(10), "the new certificate is used", || is_shown(&second)).await;
        assert!(!is_shown(&first).await);
        node.app.finish().await;
    });
}

#[test]
fn who_does_not_finish_a_handshake_is_disconnected() {
    crate::app::run(crate::database::Engine::Sqlite, async |app: &TestApp| {
        let server = Own::new("127.0.0.1");
        let mut node = Node::beside(app, &Files::new(&server)).await;
        let ended = async |to: SocketAddr, sent: &[u8]| {
            let mut stream = TcpStream::connect(to).await.unwrap();
            stream.write_all(sent).await.unwrap();
            let mut answer = Vec::new();
            tokio::time::timeout(Duration::from_secs(7), stream.read_to_end(&mut answer)).await.is_ok()
        };
        let hello = [22, 3, 1, 1, 0, 1, 0];
        let after_it = async {
            let name = ServerName::try_from("127.0.0.1").unwrap();
            let stream = TcpStream::connect(node.mtls).await.unwrap();
            let connector = TlsConnector::from(Arc::clone(&Caller::new(&server, None).config));
            let mut stream = connector.connect(name, stream).await.unwrap();
            let mut answer = Vec::new();
            tokio::time::timeout(Duration::from_secs(7), stream.read_to_end(&mut answer)).await.is_ok()
        };
        let (nothing, some, after_it, plain) = tokio::join!(
            ended(node.app.public, b""),
            ended(node.mtls, &hello),
            after_it,
            ended(node.app.public, b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"),
        );
        assert!(nothing && some && after_it && plain);
        node.app.finish().await;
    });
}

#[test]
fn files_that_are_of_no_use_are_refused_by_name() {
    let (own, other) = (Own::new("127.0.0.1"), Own::new("127.0.0.1"));
    let files = Files::new(&own);
    let check = |certificate: &str, key: &str, parts: &[&str]| {
        files.write(certificate, key);
        let said = Tls::open(files.at()).unwrap_err().to_string();
        assert!(parts.iter().all(|part| said.contains(part)), "{said}");
    };
    let (key, others) = (own.key.serialize_pem(), other.key.serialize_pem());
    check("", &key, &["certificate.pem", "no certificate as PEM"]);
    check(&key, &key, &["certificate.pem", "no certificate as PEM"]);
    check(&own.pem, "", &["key.pem", "no private key as PEM"]);
    check(&own.pem, &own.pem, &["key.pem", "no private key as PEM"]);
    check(&own.pem, &others, &["certificate.pem", "cannot be used"]);
    files.write(&own.pem, &key);
    Tls::open(files.at()).unwrap();
    std::fs::remove_file(files.at().key_file).unwrap();
    assert!(Tls::open(files.at()).unwrap_err().to_string().contains("cannot be read"));
}
