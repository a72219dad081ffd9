//! TLS of our own listeners (RFC 8446, RFC 5246): by whose certificate and key, read anew when their files change, and what a
//! client shows where a listener asks for its certificate.
//!
//! The room must not know what is served.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use aws_lc_rs::digest::{Digest, SHA256, digest};
use claviger_token::Certificate;
use parking_lot::{Mutex, RwLock};
use rustls::{
    DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{
        WebPkiSupportedAlgorithms, aws_lc_rs::default_provider, verify_tls12_signature,
        verify_tls13_signature_with_raw_key,
    },
    pki_types::{CertificateDer, PrivateKeyDer, SubjectPublicKeyInfoDer, UnixTime, pem::PemObject as _},
    server::danger::{ClientCertVerified, ClientCertVerifier},
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use zeroize::Zeroizing;

use crate::client_certificate::{LONGEST_ISSUERS, MOST_ISSUERS, OfConnection};

/// Where the files are by which the service proves who it is.
#[derive(Debug, Clone)]
pub struct TlsAt {
    /// Its certificate, and those between it and a certificate authority, as PEM.
    pub certificate_file: PathBuf,
    /// The private key, as PEM.
    pub key_file: PathBuf,
}

/// Why the files are of no use.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// One cannot be read.
    #[error("{path} cannot be read: {cause}")]
    File {
        /// Which.
        path: String,
        /// Why not.
        cause: io::Error,
    },
    /// One does not hold what it should.
    #[error("{path} holds no {what} as PEM")]
    Pem {
        /// Which.
        path: String,
        /// What it should hold.
        what: &'static str,
    },
    /// They do not belong together, or are of a kind that is not known.
    #[error("the certificate in {path} and its key cannot be used: {cause}")]
    Unfit {
        /// The file of the certificate.
        path: String,
        /// Why not.
        cause: Error,
    },
}

/// What listeners prove themselves by, now. It is cheap to clone.
#[derive(Clone, Debug)]
pub struct Tls(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    at: TlsAt,
    in_use: RwLock<Configs>,
    /// The files as they were last looked at, sound or not.
    seen: Mutex<Option<Seen>>,
}

/// One for each sort of listener. They share no sessions: what was begun at one is not resumed at the other.
#[derive(Debug, Clone)]
struct Configs {
    asks_nothing: Arc<ServerConfig>,
    asks_for_certificates: Arc<ServerConfig>,
}

/// Digests of both files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen([u8; 32], [u8; 32]);

/// What a listener asks of its clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asks {
    /// Nothing: a browser would trouble its user with a choice of certificates.
    Nothing,
    /// A certificate, of those who have one.
    Certificate,
}

impl Tls {
    /// From the files.
    pub fn open(at: TlsAt) -> Result<Self, TlsError> {
        let files = Files::read(&at)?;
        let (in_use, seen) = (RwLock::new(files.configs(&at)?), Mutex::new(Some(files.seen())));
        Ok(Self(Arc::new(Shared { at, in_use, seen })))
    }

    /// Reads the files again, and uses them if they changed. What is wrong with them is told once, and what was read before stays in
    /// use: connections go on as they are.
    pub fn reload(&self) {
        let Shared { at, in_use, seen } = &*self.0;
        let files = Files::read(at);
        let now = files.as_ref().ok().map(Files::seen);
        {
            let mut seen = seen.lock();
            if *seen == now {
                return;
            }
            *seen = now;
        }
        match files.and_then(|files| files.configs(at)) {
            Ok(configs) => {
                *in_use.write() = configs;
                tracing::info!(certificate_file = %at.certificate_file.display(), "a new certificate is in use");
            }
            Err(error) => tracing::warn!(%error, "the new certificate is not used, and the old one stays in use"),
        }
    }

    /// A connection after its handshake, and what its client showed if it was asked to. How long it may take is the caller's to say.
    pub(crate) async fn accept<S>(&self, stream: S, asks: Asks) -> io::Result<(TlsStream<S>, Option<OfConnection>)>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let config = {
            let in_use = self.0.in_use.read();
            match asks {
                Asks::Nothing => Arc::clone(&in_use.asks_nothing),
                Asks::Certificate => Arc::clone(&in_use.asks_for_certificates),
            }
        };
        let stream = TlsAcceptor::from(config).accept(stream).await?;
        // Of a resumed session, it is the one that the session began with.
        let shown = match stream.get_ref().1.peer_certificates() {
            Some([own, issuers @ ..]) => OfConnection {
                certificate: Some(Certificate::from_der(own).map_err(io::Error::other)?),
                issuers: issuers.iter().map(|issuer| issuer.as_ref().into()).collect(),
            },
            Some([]) | None => OfConnection::default(),
        };
        Ok((stream, (asks == Asks::Certificate).then_some(shown)))
    }
}

/// What stands in the files.
struct Files {
    certificate: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
}

impl Files {
    fn read(at: &TlsAt) -> Result<Self, TlsError> {
        let read = |path: &Path| fs::read(path).map_err(|cause| TlsError::File { path: shown(path), cause });
        Ok(Self { certificate: read(&at.certificate_file)?, key: Zeroizing::new(read(&at.key_file)?) })
    }

    fn seen(&self) -> Seen {
        let bytes = |digest: Digest| {
            let mut bytes = [0; 32];
            bytes.copy_from_slice(digest.as_ref());
            bytes
        };
        Seen(bytes(digest(&SHA256, &self.certificate)), bytes(digest(&SHA256, &self.key)))
    }

    fn configs(&self, at: &TlsAt) -> Result<Configs, TlsError> {
        let pem = |path: &Path, what| TlsError::Pem { path: shown(path), what };
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.certificate).collect();
        let chain = chain.ok().filter(|chain| !chain.is_empty());
        let chain = chain.ok_or_else(|| pem(&at.certificate_file, "certificate"))?;
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(|_| pem(&at.key_file, "private key"))?;
        let config = |asks: Asks| -> Result<Arc<ServerConfig>, Error> {
            let provider = Arc::new(default_provider());
            let verifier = AnyHeld { algorithms: provider.signature_verification_algorithms };
            let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
            let builder = match asks {
                Asks::Nothing => builder.with_no_client_auth(),
                Asks::Certificate => builder.with_client_cert_verifier(Arc::new(verifier)),
            };
            let mut config = builder.with_single_cert(chain.clone(), key.clone_key())?;
            // RFC 7627: who resumes a session is who began it.
            config.require_ems = asks == Asks::Certificate;
            config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
            Ok(Arc::new(config))
        };
        let unfit = |cause| TlsError::Unfit { path: shown(&at.certificate_file), cause };
        Ok(Configs {
            asks_nothing: config(Asks::Nothing).map_err(unfit)?,
            asks_for_certificates: config(Asks::Certificate).map_err(unfit)?,
        })
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// Takes every certificate whose key the client proves to hold, and clients without one. Who vouches for it is asked where
/// that matters: who registered this very certificate needs nobody's word (RFC 8705, section 2.2).
#[derive(Debug)]
struct AnyHeld {
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertVerifier for AnyHeld {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        shown: &CertificateDer<'_>,
        issuers: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        // They are kept as long as the connection.
        if issuers.len() > MOST_ISSUERS || issuers.iter().map(|issuer| issuer.len()).sum::<usize>() > LONGEST_ISSUERS {
            return Err(Error::InvalidCertificate(rustls::CertificateError::BadEncoding));
        }
        read(shown).map(|_| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, shown, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        // By its key alone, for old versions of X.509 are no reason to turn anybody away.
        let key = SubjectPublicKeyInfoDer::from(read(shown)?.public_key());
        verify_tls13_signature_with_raw_key(message, &key, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn read(shown: &CertificateDer<'_>) -> Result<Certificate, Error> {
    Certificate::from_der(shown).map_err(|_| Error::InvalidCertificate(rustls::CertificateError::BadEncoding))
}
