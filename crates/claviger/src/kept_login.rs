//! The login that `claviger login` keeps for the next commands: one service, and the token for it, in a file that nobody else reads.
//!
//! A flag and the environment come before it. The room must not know how one signs in.

use std::{
    borrow::Cow,
    env, fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use claviger_token::Secret;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use crate::failure::Failure;

/// A service, and who one is there.
#[derive(Debug)]
pub(crate) struct KeptLogin {
    /// Its address.
    pub(crate) url: String,
    /// What counts there, and nowhere else.
    pub(crate) token: Arc<Secret>,
}

/// As it stands in the file.
#[derive(Serialize, Deserialize)]
struct Written<'a> {
    url: Cow<'a, str>,
    token: Cow<'a, str>,
}

impl KeptLogin {
    /// What is kept, if anything is. A file that cannot be read is told, and not passed over: what follows would be done as somebody else.
    pub(crate) fn read() -> Result<Option<Self>, Failure> {
        let Some(file) = file() else { return Ok(None) };
        let text = match fs::read_to_string(&file) {
            Ok(text) => Zeroizing::new(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Failure::because(unreadable(&file), &error)),
        };
        // Without what the parser says: it may repeat what stands there.
        let Written { url, token } = serde_json::from_str(&text).map_err(|_| Failure::new(unreadable(&file)))?;
        Ok(Some(Self { url: url.into_owned(), token: Arc::new(Secret::new(token.into_owned())) }))
    }

    /// Keeps this one instead of whatever is kept. Tells where.
    pub(crate) fn keep(&self) -> Result<PathBuf, Failure> {
        let file = file().ok_or_else(|| {
            Failure::new("there is no directory to keep the login in; set HOME, or use CLAVIGER_TOKEN instead")
        })?;
        let written = Written { url: self.url.as_str().into(), token: self.token.expose().into() };
        let text = Zeroizing::new(serde_json::to_vec(&written)?);
        let kept = write(&file, &text);
        kept.map_err(|error| Failure::because(format!("the login cannot be kept in {}", file.display()), &error))?;
        Ok(file)
    }

    /// Keeps none any more.
    pub(crate) fn forget() -> Result<(), Failure> {
        let Some(file) = file() else { return Ok(()) };
        match fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Failure::because(format!("{} cannot be removed", file.display()), &error))
            }
            _ => Ok(()),
        }
    }
}

fn unreadable(file: &Path) -> String {
    format!("{} cannot be read as a login; remove it, and then `claviger login` again", file.display())
}

/// Nobody else may look into it at any moment, so it is made as what it is and put into its place.
fn write(file: &Path, text: &[u8]) -> io::Result<()> {
    let directory = file.parent().unwrap_or(Path::new("."));
    let mut make = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut make, 0o700);
    make.recursive(true).create(directory)?;
    let mut new = NamedTempFile::new_in(directory)?;
    new.write_all(text)?;
    new.as_file().sync_all()?;
    new.persist(file)?;
    Ok(())
}

/// In the user's directory for settings (XDG Base Directory Specification), or on Windows in that of applications.
fn file() -> Option<PathBuf> {
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || absolute("HOME").map(|home| home.join(".config"));
    let settings = absolute("XDG_CONFIG_HOME").or_else(home).or_else(|| absolute("APPDATA"))?;
    Some(settings.join("claviger").join("login.json"))
}
