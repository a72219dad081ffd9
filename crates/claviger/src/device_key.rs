//! The private key of a device, or of any client that signs: made where it stays, in a file that nobody else reads.
//!
//! The room must not know what is signed for.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use claviger_token::{DpopProof, PublicJwk, Secret, SigningAlgorithm, SigningKey};
use jiff::Timestamp;
use rand::{Rng as _, rand_core::UnwrapErr};
use serde_json::{Value as Json, json};
use zeroize::Zeroizing;

use crate::failure::Failure;

/// How long an assertion counts, in seconds.
const ASSERTION_LIFE: i64 = 60;

/// A private key.
pub(crate) struct DeviceKey(SigningKey);

impl DeviceKey {
    /// The one in a file.
    pub(crate) fn read(file: &Path) -> Result<Self, Failure> {
        let shown = file.display();
        let read = fs::read_to_string(file).map(Zeroizing::new);
        let text = read.map_err(|error| Failure::because(format!("{shown} could not be read"), &error))?;
        SigningKey::from_pem(&text).map(Self).ok_or_else(|| {
            Failure::new(format!("{shown} holds no private key that is taken: PKCS#8 as PEM, of P-256, Ed25519 or RSA"))
        })
    }

    /// The one in a file, which is made if it is not there. Tells whether it was.
    pub(crate) fn read_or_make(file: &Path) -> Result<(Self, bool), Failure> {
        let made = SigningKey::generate(SigningAlgorithm::Es256)
            .map_err(|error| Failure::because("no key could be made", &error))?;
        match write(file, SigningKey::pem(&made).as_bytes()) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok((Self::read(file)?, false)),
            Err(error) => Err(Failure::because(format!("{} could not be made", file.display()), &error)),
            Ok(()) => Ok((Self::read(file)?, true)),
        }
    }

    /// Where the next key waits until it is registered.
    pub(crate) fn next(file: &Path) -> PathBuf {
        let mut name = file.as_os_str().to_owned();
        name.push(".next");
        name.into()
    }

    fn public(&self) -> PublicJwk {
        let key = self.0.verifying_key();
        key.jwk(key.thumbprint())
    }

    /// The public key as JWK.
    pub(crate) fn jwk(&self) -> Result<Json, Failure> {
        Ok(serde_json::to_value(self.public())?)
    }

    /// What proves this client to an issuer, once (RFC 7523).
    pub(crate) fn assertion(&self, client: &str, issuer: &str) -> Result<Secret, Failure> {
        let now = now().as_second();
        let claims = json!({
            "iss": client, "sub": client, "aud": issuer, "iat": now, "exp": now + ASSERTION_LIFE, "jti": id(),
        });
        let signed = self.0.sign("client-authentication+jwt", &self.0.verifying_key().thumbprint(), &claims);
        signed.map(Secret::new).map_err(|error| Failure::because("the assertion could not be signed", &error))
    }

    /// What proves that whoever posts `presented` to this address holds the key (RFC 9449).
    pub(crate) fn proof(&self, url: &str, presented: &Secret, nonce: Option<&str>) -> Result<String, Failure> {
        let mut claims = json!({
            "jti": id(), "htm": "POST", "htu": url, "iat": now().as_second(), "ath": DpopProof::ath(presented.expose()),
        });
        if let Some(nonce) = nonce {
            claims["nonce"] = json!(nonce);
        }
        let signed = self.0.sign_with_jwk("dpop+jwt", &claims);
        signed.map_err(|error| Failure::because("the proof could not be signed", &error))
    }
}

/// Nobody else may look into it at any moment, and nothing that is there is lost.
fn write(file: &Path, text: &[u8]) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file).and_then(|mut open| open.write_all(text).and_then(|()| open.sync_all()))
}

#[expect(clippy::disallowed_methods, reason = "whoever signs tells the time of this machine")]
fn now() -> Timestamp {
    Timestamp::now()
}

/// Another one each time: the command line draws its own randomness.
fn id() -> String {
    let mut bytes = [0; 16];
    UnwrapErr(rand::rngs::SysRng).fill_bytes(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_for_its_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("device.pem");
        let (key, made) = DeviceKey::read_or_make(&file).unwrap();
        assert!(made);
        let (again, made) = DeviceKey::read_or_make(&file).unwrap();
        assert!(!made && again.jwk().unwrap() == key.jwk().unwrap());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(DeviceKey::next(&file), directory.path().join("device.pem.next"));
        fs::write(&file, "x").unwrap();
        assert!(DeviceKey::read(&file).is_err() && DeviceKey::read_or_make(&file).is_err());
        assert!(DeviceKey::read_or_make(&directory.path().join("absent/device.pem")).is_err());
    }
}
