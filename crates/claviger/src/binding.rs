//! `--bind-key` and `--dpop-jkt`: the key that a new credential is bound to.

use std::path::{Path, PathBuf};

use clap::Args;
use claviger_token::{Thumbprint, VerifyingKey};

use crate::{body::Body, failure::Failure};

/// To which key a new credential is bound, for good.
#[derive(Debug, Args)]
pub(crate) struct Binding {
    /// Bind it to the public key in this file, as JWK or PEM: it is refused without a DPoP proof of that key (RFC 9449)
    #[arg(long, value_name = "FILE", conflicts_with = "dpop_jkt")]
    bind_key: Option<PathBuf>,
    /// The same, by the thumbprint of the key (RFC 7638)
    #[arg(long, value_name = "THUMBPRINT")]
    dpop_jkt: Option<Thumbprint>,
}

impl Binding {
    pub(crate) fn write(self, body: Body) -> Result<Body, Failure> {
        let thumbprint = match self.bind_key {
            Some(file) => Some(read(&file)?.thumbprint()),
            None => self.dpop_jkt.map(|thumbprint| thumbprint.to_string()),
        };
        Ok(body.with("dpop_jkt", thumbprint))
    }
}

/// The public key in a file. Of a private one not even the public part is taken: it should not lie there.
fn read(file: &Path) -> Result<VerifyingKey, Failure> {
    let shown = file.display();
    let text = std::fs::read(file).map_err(|error| Failure::because(format!("{shown} could not be read"), &error))?;
    let is_pem = text.trim_ascii_start().starts_with(b"-----BEGIN");
    let key = if is_pem { VerifyingKey::from_pem(&text) } else { VerifyingKey::from_jwk(&text) };
    key.map_err(|error| Failure::because(format!("{shown} holds no public key that is taken"), &error))
}
