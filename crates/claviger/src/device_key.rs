//! The private key of a device, or of any client that signs: made where it stays, in a file that nobody else reads. And the certificate that
//! belongs to it, where a device has one.
//!
//! The room must not know what is signed for.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use claviger_token::{Certificate, DpopProof, PublicJwk, Secret, SigningAlgorithm, SigningKey, VerifyingKey};
use jiff::Timestamp;
use rand::{Rng as _, rand_core::UnwrapErr};
use serde_json::{Value as Json, json};
use zeroize::Zeroizing;

use crate::failure::Failure;

/// How long an assertion counts, in seconds.
const ASSERTION_LIFE: i64 = 60;

/// A private key.
pub(crate) struct DeviceKey {
    key: SigningKey,
    pem: Zeroizing<String>,
}

impl DeviceKey {
    /// The one in a file.
    pub(crate) fn read(file: &Path) -> Result<Self, Failure> {
        let shown = file.display();
        let read = fs::read_to_string(file).map(Zeroizing::new);
        let text = read.map_err(|error| Failure::because(format!("{shown} could not be read"), &error))?;
        Self::of(text, file)
    }

    /// The same, of a key that is a device's own: whoever else could read it, or put it there, could be the device.
    pub(crate) fn read_own(file: &Path) -> Result<Self, Failure> {
        let shown = file.display();
        let failed = |error: io::Error| Failure::because(format!("{shown} could not be read"), &error);
        let mut open = fs::File::open(file).map_err(failed)?;
        let about = open.metadata().map_err(failed)?;
        if about.uid() != rustix::process::geteuid().as_raw() {
            return Err(Failure::new(format!(
                "{shown} is another user's; a device's key is made by the device itself"
            )));
        }
        if about.mode() & 0o077 != 0 {
            return Err(Failure::new(format!(
                "{shown} can be read or written by others: `chmod 600` it if nobody did, or remove it so that another is made"
            )));
        }
        let mut text = Zeroizing::new(String::new());
        open.read_to_string(&mut text).map_err(failed)?;
        Self::of(text, file)
    }

    fn of(pem: Zeroizing<String>, file: &Path) -> Result<Self, Failure> {
        let shown = file.display();
        let key = SigningKey::from_pem(&pem).ok_or_else(|| {
            Failure::new(format!("{shown} holds no private key that is taken: PKCS#8 as PEM, of P-256, Ed25519 or RSA"))
        })?;
        Ok(Self { key, pem })
    }

    /// The device's own in a file, which is made if it is not there, or if it is empty, as after a loss of power. Tells whether it was.
    pub(crate) fn read_or_make(file: &Path) -> Result<(Self, bool), Failure> {
        let made = SigningKey::generate(SigningAlgorithm::Es256)
            .map_err(|error| Failure::because("no key could be made", &error))?;
        match write(file, SigningKey::pem(&made).as_bytes()) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok((Self::read_own(file)?, false)),
            Err(error) => Err(Failure::because(format!("{} could not be made", file.display()), &error)),
            Ok(()) => Ok((Self::read_own(file)?, true)),
        }
    }

    /// Where the next key waits until it is registered.
    pub(crate) fn next(file: &Path) -> PathBuf {
        let mut name = file.as_os_str().to_owned();
        name.push(".next");
        name.into()
    }

    fn public(&self) -> PublicJwk {
        let key = self.key.verifying_key();
        key.jwk(key.thumbprint())
    }

    /// A request for a certificate (PKCS#10), which asks for nothing but that.
    pub(crate) fn certificate_request(&self) -> Result<String, Failure> {
        let failed = |error: rcgen::Error| Failure::because("the certificate request could not be made", &error);
        let key = Zeroizing::new(rcgen::KeyPair::from_pem(&self.pem).map_err(failed)?);
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.serialize_request(&*key).and_then(|request| request.pem()).map_err(failed)
    }

    /// Whether a certificate is of this key.
    pub(crate) fn is_of(&self, certificate: &Certificate) -> bool {
        let certified = VerifyingKey::from_spki(&certificate.public_key());
        certified.is_ok_and(|key| key.thumbprint() == self.key.verifying_key().thumbprint())
    }

    /// What is shown on a connection: the certificate in a file, and the key.
    pub(crate) fn shown_with(&self, certificate: &Certificate) -> Zeroizing<Vec<u8>> {
        Zeroizing::new([certificate.to_pem().as_bytes(), self.pem.as_bytes()].concat())
    }

    /// The public key as JWK.
    pub(crate) fn jwk(&self) -> Result<Json, Failure> {
        Ok(serde_json::to_value(self.public())?)
    }

    /// What proves this client to an audience, once (RFC 7523), and vouches for its next key where it has one.
    pub(crate) fn assertion(&self, client: &str, audience: &str, next: Option<&Self>) -> Result<Secret, Failure> {
        let now = now().as_second();
        let mut claims = json!({
            "iss": client, "sub": client, "aud": audience, "iat": now, "exp": now + ASSERTION_LIFE, "jti": id(),
        });
        if let Some(next) = next {
            claims["cnf"] = json!({ "jkt": next.key.verifying_key().thumbprint() });
        }
        let signed = self.key.sign("client-authentication+jwt", &self.key.verifying_key().thumbprint(), &claims);
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
        let signed = self.key.sign_with_jwk("dpop+jwt", &claims);
        signed.map_err(|error| Failure::because("the proof could not be signed", &error))
    }
}

/// Nobody else may look into it at any moment, nothing that is there is lost, and it is there as a whole or not at all, whenever power is
/// lost.
fn write(file: &Path, text: &[u8]) -> io::Result<()> {
    if fs::symlink_metadata(file).is_ok_and(|about| about.is_file() && about.len() == 0) {
        fs::remove_file(file)?;
    }
    let mut whole = file.as_os_str().to_owned();
    whole.push(format!(".{}", id()));
    let whole = PathBuf::from(whole);
    let open = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&whole);
    let written = open.and_then(|mut open| open.write_all(text).and_then(|()| open.sync_all()));
    let placed = written.and_then(|()| place(&whole, file));
    fs::remove_file(&whole).ok();
    placed?;
    sync_directory(file)
}

/// Gives a file this name, if nothing has it. Not every file system has a second name for a file, such as that of memory cards (FAT), and not
/// every one refuses to rename onto another.
fn place(whole: &Path, file: &Path) -> io::Result<()> {
    match fs::hard_link(whole, file) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => place_by_renaming(whole, file).map_err(|_| error),
        linked => linked,
    }
}

fn place_by_renaming(whole: &Path, file: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, whole, CWD, file, RenameFlags::NOREPLACE)?)
}

/// Whether two names are of one file, or would be.
pub(crate) fn are_one_file(one: &Path, other: &Path) -> bool {
    let identity = |file| fs::metadata(file).ok().map(|about| (about.dev(), about.ino()));
    let place = |file: &Path| Some((fs::canonicalize(directory_of(file)).ok()?, file.file_name()?.to_owned()));
    one == other
        || identity(one).is_some_and(|known| identity(other) == Some(known))
        || place(one).is_some_and(|known| place(other) == Some(known))
}

/// Refuses to put a certificate where something else is.
pub(crate) fn must_take_certificate(file: &Path) -> Result<(), Failure> {
    let shown = file.display();
    let unreadable = |error: io::Error| Failure::because(format!("{shown} could not be read"), &error);
    let about = match fs::metadata(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        read => read.map_err(unreadable)?,
    };
    let is_free = about.is_file()
        && (about.len() == 0 || {
            let held = Zeroizing::new(fs::read(file).map_err(unreadable)?);
            let text = str::from_utf8(&held).unwrap_or_default();
            !text.contains("PRIVATE KEY-----") && Certificate::first_from_pem(text).is_ok()
        });
    if is_free {
        return Ok(());
    }
    Err(Failure::new(format!(
        "{shown} holds something else than certificates and is not replaced; choose another file for the certificate"
    )))
}

/// The certificate in a file, if there is one.
pub(crate) fn certificate_in(file: &Path) -> Result<Option<Certificate>, Failure> {
    let shown = file.display();
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failure::because(format!("{shown} could not be read"), &error)),
    };
    let read = Certificate::first_from_pem(&text);
    read.map(Some).map_err(|error| Failure::because(format!("{shown} holds no certificate"), &error))
}

/// Keeps a certificate, and those above it, in the place of the one before, and of nothing else.
pub(crate) fn keep_certificate(file: &Path, pem: &str) -> Result<(), Failure> {
    must_take_certificate(file)?;
    let mut whole = file.as_os_str().to_owned();
    whole.push(format!(".{}", id()));
    let whole = PathBuf::from(whole);
    let open = fs::OpenOptions::new().write(true).create_new(true).mode(0o644).open(&whole);
    let written = open.and_then(|mut open| open.write_all(pem.as_bytes()).and_then(|()| open.sync_all()));
    let placed = written.and_then(|()| replace(&whole, file));
    fs::remove_file(&whole).ok();
    placed.map_err(|error| Failure::because(format!("{} could not be written", file.display()), &error))
}

/// Puts one file in the place of another, for good.
pub(crate) fn replace(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    sync_directory(to)
}

fn sync_directory(file: &Path) -> io::Result<()> {
    fs::File::open(directory_of(file)).and_then(|directory| directory.sync_all())
}

fn directory_of(file: &Path) -> &Path {
    let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty());
    directory.unwrap_or(Path::new("."))
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
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_for_its_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("device.pem");
        let (key, made) = DeviceKey::read_or_make(&file).unwrap();
        assert!(made);
        let (again, made) = DeviceKey::read_or_make(&file).unwrap();
        assert!(!made && again.jwk().unwrap() == key.jwk().unwrap());
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        // One that was being written when power was lost is made again.
        fs::write(&file, "").unwrap();
        let (another, made) = DeviceKey::read_or_make(&file).unwrap();
        assert!(made && another.jwk().unwrap() != key.jwk().unwrap());
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
        assert_eq!(DeviceKey::next(&file), directory.path().join("device.pem.next"));
        fs::write(&file, "x").unwrap();
        assert!(DeviceKey::read(&file).is_err() && DeviceKey::read_or_make(&file).is_err());
        assert!(DeviceKey::read_or_make(&directory.path().join("absent/device.pem")).is_err());
    }

    #[test]
    fn where_files_have_one_name_a_key_takes_nobodys_place() {
        let directory = tempfile::tempdir().unwrap();
        let (whole, file) = (directory.path().join("whole"), directory.path().join("device.pem"));
        fs::write(&whole, "one").unwrap();
        place_by_renaming(&whole, &file).unwrap();
        fs::write(&whole, "other").unwrap();
        let refused = place_by_renaming(&whole, &file).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(
            (fs::read_to_string(&file).unwrap(), fs::read_to_string(&whole).unwrap()),
            ("one".into(), "other".into())
        );
        // What neither can do is told as the first said it.
        let nowhere = directory.path().join("absent/device.pem");
        assert_eq!(place(&whole, &nowhere).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_certificate_takes_no_place_but_that_of_another() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let (file, key) = (at("device.crt"), at("device.pem"));
        let (own, _) = DeviceKey::read_or_make(&key).unwrap();
        let certificate = |key: &DeviceKey| {
            let key = rcgen::KeyPair::from_pem(&key.pem).unwrap();
            rcgen::CertificateParams::default().self_signed(&key).unwrap().pem()
        };
        let pem = certificate(&own);
        keep_certificate(&file, &pem).unwrap();
        assert!(own.is_of(&certificate_in(&file).unwrap().unwrap()));
        keep_certificate(&file, &format!("{pem}{pem}")).unwrap();
        keep_certificate(&file, &pem).unwrap();
        fs::write(&file, "").unwrap();
        keep_certificate(&file, &pem).unwrap();
        let secret = fs::read_to_string(&key).unwrap();
        for held in [&secret, &format!("{pem}{secret}"), "x", "\n"] {
            fs::write(&file, held).unwrap();
            assert!(keep_certificate(&file, &pem).is_err());
            assert_eq!(fs::read_to_string(&file).unwrap(), *held);
        }
        fs::write(&file, [0xff]).unwrap();
        assert!(keep_certificate(&file, &pem).is_err() && keep_certificate(directory.path(), &pem).is_err());
        // Names of one file.
        std::os::unix::fs::symlink(&key, at("link.pem")).unwrap();
        std::os::unix::fs::symlink(directory.path(), at("there")).unwrap();
        for other in
            [key.clone(), at("./device.pem"), at("link.pem"), at("there/device.pem"), at("there/../device.pem")]
        {
            assert_eq!(are_one_file(&key, &other), !other.ends_with("../device.pem"), "{other:?}");
        }
        assert!(are_one_file(&at("absent"), &at("there/absent")));
        assert!(!are_one_file(&at("absent"), &at("other")) && !are_one_file(&key, &file));
    }

    #[test]
    fn a_key_that_others_may_have_put_there_is_not_the_devices() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("device.pem");
        DeviceKey::read_or_make(&file).unwrap();
        for mode in [0o640, 0o604, 0o620] {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            let refused = DeviceKey::read_or_make(&file).err().unwrap().to_string();
            assert!(refused.contains("by others"), "{refused}");
        }
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(!DeviceKey::read_or_make(&file).unwrap().1);
    }
}
