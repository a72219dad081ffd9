//! `--bind-key`, `--bind-certificate` and their thumbprints: what a new credential is bound to.

use std::path::{Path, PathBuf};

use clap::Args;
use claviger_token::{Certificate, Thumbprint, VerifyingKey};

use crate::{body::Body, failure::Failure};

/// To which key or certificate a new credential is bound, for good.
#[derive(Debug, Args)]
pub(crate) struct Binding {
    /// Bind it to the public key in this file, as JWK or PEM: it is refused without a DPoP proof of that key (RFC 9449)
    #[arg(long, value_name = "FILE", conflicts_with = "dpop_jkt")]
    bind_key: Option<PathBuf>,
    /// The same, by the thumbprint of the key (RFC 7638)
    #[arg(long, value_name = "THUMBPRINT")]
    dpop_jkt: Option<Thumbprint>,
    /// Bind it to the client certificate in this file, as PEM: it is refused without that certificate (RFC 8705)
    #[arg(long, value_name = "FILE", conflicts_with = "client_certificate_thumbprint")]
    bind_certificate: Option<PathBuf>,
    /// The same, by the thumbprint of the certificate: the SHA-256 of its DER, in base64url
    #[arg(long, value_name = "THUMBPRINT")]
    client_certificate_thumbprint: Option<Thumbprint>,
}

impl Binding {
    pub(crate) fn write(self, body: Body) -> Result<Body, Failure> {
        let key = match self.bind_key {
            Some(file) => Some(key_in(&file)?.thumbprint()),
            None => self.dpop_jkt.map(|thumbprint| thumbprint.to_string()),
        };
        let certificate = match self.bind_certificate {
            Some(file) => Some(certificate_in(&file)?.thumbprint()),
            None => self.client_certificate_thumbprint,
        };
        let certificate = certificate.map(|thumbprint| thumbprint.to_string());
        Ok(body.with("dpop_jkt", key).with("client_certificate_thumbprint", certificate))
    }
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(file).map_err(|error| Failure::because(format!("{} could not be read", file.display()), &error))
}

/// The public key in a file. Of a private one not even the public part is taken: it should not lie there.
fn key_in(file: &Path) -> Result<VerifyingKey, Failure> {
    let text = read(file)?;
    let is_pem = text.trim_ascii_start().starts_with(b"-----BEGIN");
    let key = if is_pem { VerifyingKey::from_pem(&text) } else { VerifyingKey::from_jwk(&text) };
    key.map_err(|error| Failure::because(format!("{} holds no public key that is taken", file.display()), &error))
}

/// The certificate in a file, where its private key should not lie either.
pub(crate) fn certificate_in(file: &Path) -> Result<Certificate, Failure> {
    let text = read(file)?;
    let certificate = Certificate::from_pem(&String::from_utf8_lossy(&text));
    certificate.map_err(|error| Failure::because(format!("{} holds no certificate", file.display()), &error))
}
