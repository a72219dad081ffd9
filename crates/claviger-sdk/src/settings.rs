//! What a service chooses.

use std::time::Duration;

use url::{Host, Url};

/// How to verify. Made by [`Settings::new`], and changed by its fields.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// The instance's `public_url`: the issuer of its tokens, and where its keys and the feed of what ended are.
    pub issuer: String,
    /// Where the public listener is reached, if that is elsewhere.
    pub public_address: Option<String>,
    /// Where the internal listener is.
    pub internal_address: String,
    /// What it wants, if it wants something.
    pub internal_token: Option<String>,
    /// The identifier of the API that this service is.
    pub audience: String,
    /// The address under which clients reach this service, as proofs of possession name it (`https://api.acme.test`). Without, none holds.
    pub origin: Option<String>,
    /// For how long API keys and tokens that are not JWTs count as they are known after the change feed fell silent. After that, and if
    /// they are not known, the instance is asked about every request. Default and least: 1 second, which the promise of two needs.
    pub keys_without_feed: Duration,
    /// For how long JWTs count after the feed of what ended fell silent: by their signature and what was known last. After that
    /// requests with them are answered with 503. Default: 5 minutes; at least 20 seconds.
    pub tokens_without_feed: Duration,
    /// How many credentials are kept. Default: 100 000.
    pub cache_entries: usize,
    /// How long an answer of the instance may take. Default: 2 seconds.
    pub patience: Duration,
}

/// The settings cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting} is {given:?}: {wanted}")]
pub struct WrongSettings {
    setting: &'static str,
    given: String,
    wanted: &'static str,
}

impl Settings {
    /// The instance's `public_url`, the address of its internal listener, and the identifier of the API that this service is.
    pub fn new(issuer: &str, internal_address: &str, audience: &str) -> Self {
        Self {
            issuer: issuer.to_owned(),
            public_address: None,
            internal_address: internal_address.to_owned(),
            internal_token: None,
            audience: audience.to_owned(),
            origin: None,
            keys_without_feed: Duration::from_secs(1),
            tokens_without_feed: Duration::from_secs(300),
            cache_entries: 100_000,
            patience: Duration::from_secs(2),
        }
    }

    pub(crate) fn check(&self) -> Result<(), WrongSettings> {
        let addresses = [
            ("issuer", Some(&self.issuer)),
            ("public_address", self.public_address.as_ref()),
            ("internal_address", Some(&self.internal_address)),
            ("origin", self.origin.as_ref()),
        ];
        for (setting, given) in addresses {
            if let Some(given) = given.filter(|given| !is_address(given)) {
                return Err(WrongSettings::address(setting, given));
            }
        }
        // Keys and what ended come from there.
        for (setting, given) in [("issuer", Some(&self.issuer)), ("public_address", self.public_address.as_ref())] {
            if let Some(given) = given.filter(|given| !is_safe(given)) {
                return Err(WrongSettings {
                    setting,
                    given: given.clone(),
                    wanted: "https is wanted, or this machine",
                });
            }
        }
        if self.keys_without_feed < Duration::from_secs(1) {
            let given = format!("{:?}", self.keys_without_feed);
            return Err(WrongSettings { setting: "keys_without_feed", given, wanted: "at least 1 second" });
        }
        if self.tokens_without_feed < Duration::from_secs(20) {
            let given = format!("{:?}", self.tokens_without_feed);
            return Err(WrongSettings { setting: "tokens_without_feed", given, wanted: "at least 20 seconds" });
        }
        Ok(())
    }

    pub(crate) fn keeper(&self) -> KeeperSettings {
        KeeperSettings {
            address: self.internal_address.clone(),
            token: self.internal_token.clone(),
            without_feed: self.keys_without_feed,
            entries: self.cache_entries,
            patience: self.patience,
        }
    }
}

impl WrongSettings {
    pub(crate) fn address(setting: &'static str, given: &str) -> Self {
        let wanted = "an address like https://keys.acme.test is wanted, without a user and without a slash at the end";
        // What may be a password is shown nowhere.
        let given = if given.contains('@') { "one with a user" } else { given };
        Self { setting, given: given.to_owned(), wanted }
    }
}

/// How a [`Keeper`](crate::Keeper) keeps. Made by [`KeeperSettings::new`], and changed by its fields.
#[derive(Clone)]
#[non_exhaustive]
pub struct KeeperSettings {
    /// Where the internal listener is.
    pub address: String,
    /// What it wants, if it wants something.
    pub token: Option<String>,
    /// For how long what is kept counts after the change feed fell silent. Default: 1 second, which the promise of two needs.
    pub without_feed: Duration,
    /// Of how many credentials something is kept. Default: 100 000.
    pub entries: usize,
    /// How long an answer of the instance may take. Default: 2 seconds.
    pub patience: Duration,
}

impl KeeperSettings {
    /// The address of the internal listener.
    pub fn new(address: &str) -> Self {
        Settings::new("", address, "").keeper()
    }
}

pub(crate) fn is_address(text: &str) -> bool {
    // Who is let in is said by a token, which is shown nowhere: an address is.
    let is_bare = |url: &Url| url.username().is_empty() && url.password().is_none();
    Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && is_bare(&url)) && !text.ends_with('/')
}

/// Whether nobody in between can answer instead.
fn is_safe(address: &str) -> bool {
    Url::parse(address).is_ok_and(|url| {
        let is_here = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        url.scheme() == "https" || is_here
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_cannot_be_followed_are_refused_with_what_would_be_right() {
        let check = |change: fn(&mut Settings), setting: Option<&str>| {
            let mut settings = Settings::new("https://keys.acme.test", "http://127.0.0.1:7421", "urn:api");
            change(&mut settings);
            assert_eq!(settings.check().err().map(|wrong| wrong.setting), setting);
        };
        check(|_| {}, None);
        check(|settings| settings.issuer.push('/'), Some("issuer"));
        check(|settings| settings.internal_address = "127.0.0.1:7421".to_owned(), Some("internal_address"));
        for address in ["http://user@127.0.0.1:7421", "http://:word@127.0.0.1:7421"] {
            let mut settings = Settings::new("https://keys.acme.test", address, "urn:api");
            let wrong = settings.check().unwrap_err();
            assert!(wrong.setting == "internal_address" && !wrong.to_string().contains("word"), "{wrong}");
            settings.internal_address = "http://127.0.0.1:7421/@".to_owned();
            settings.check().unwrap();
        }
        check(|settings| settings.public_address = Some("keys".to_owned()), Some("public_address"));
        check(|settings| settings.origin = Some("ftp://api.acme.test".to_owned()), Some("origin"));
        check(|settings| settings.keys_without_feed = Duration::from_millis(999), Some("keys_without_feed"));
        check(|settings| settings.issuer = "http://keys.acme.test".to_owned(), Some("issuer"));
        check(|settings| settings.issuer = "http://localhost:7420".to_owned(), None);
        check(|settings| settings.public_address = Some("http://10.0.0.1".to_owned()), Some("public_address"));
        check(|settings| settings.public_address = Some("http://[::1]:7420".to_owned()), None);
        check(|settings| settings.tokens_without_feed = Duration::from_secs(19), Some("tokens_without_feed"));
    }
}
