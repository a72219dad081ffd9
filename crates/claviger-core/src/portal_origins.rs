//! Where an organization's portal may stand in a frame, and where it leads back to: the origins of the SaaS's own pages.
//!
//! They go into a `Content-Security-Policy` as they are, so an origin is one in its only spelling and without anything that
//! means something there.

use std::{fmt, net::Ipv4Addr};

use serde::Serialize;
use url::{Host, Url};

use crate::invalid::FieldErrors;

/// A header carries them all.
const MOST: usize = 20;

/// Of an origin and of an address to go back to, in bytes.
const LONGEST_ORIGIN: usize = 255;
const LONGEST_URL: usize = 2000;

/// Origins in the order in which they were registered, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct PortalOrigins(Vec<String>);

/// Why an address is none to go back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WayBackError {
    /// It is no address of a web page.
    #[error("an address to go back to is https://…, without user and password and at most {LONGEST_URL} bytes")]
    Unsound,
    /// It is elsewhere.
    #[error(
        "its origin is none of the organization's portal_origins; register it there (`claviger org update --portal-origin`, PATCH /v1/organizations/{{id}})"
    )]
    Elsewhere,
}

impl WayBackError {
    /// The stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Unsound => "invalid_url",
            Self::Elsewhere => "origin_not_registered",
        }
    }
}

impl PortalOrigins {
    /// Checks what somebody registers.
    pub(crate) fn parse(entries: &[String], errors: &mut FieldErrors) -> Option<Self> {
        const POINTER: &str = "/portal_origins";
        errors.at_most(MOST, POINTER, entries.len())?;
        let (mut origins, mut sound) = (Vec::new(), true);
        for (index, entry) in entries.iter().enumerate() {
            match errors.keep(format!("{POINTER}/{index}"), "invalid_origin", parse_origin(entry)) {
                Some(origin) if origins.contains(&origin) => {}
                Some(origin) => origins.push(origin),
                None => sound = false,
            }
        }
        sound.then_some(Self(origins))
    }

    /// From storage, where spaces separate them.
    pub fn from_text(text: &str) -> Self {
        Self(text.split_ascii_whitespace().map(str::to_owned).collect())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// An address to go back to, as browsers read it, if it is of one of these origins.
    pub fn way_back(&self, address: &str) -> Result<String, WayBackError> {
        if address.len() > LONGEST_URL {
            return Err(WayBackError::Unsound);
        }
        let url = Url::parse(address).map_err(|_| WayBackError::Unsound)?;
        if !matches!(url.scheme(), "https" | "http") || !url.username().is_empty() || url.password().is_some() {
            return Err(WayBackError::Unsound);
        }
        let origin = url.origin().ascii_serialization();
        if self.0.contains(&origin) { Ok(url.into()) } else { Err(WayBackError::Elsewhere) }
    }
}

impl fmt::Display for PortalOrigins {
    /// Separated by spaces, as in storage and in a header.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

fn parse_origin(text: &str) -> Result<String, String> {
    const FORM: &str = "an origin is https://host or https://host:port, such as https://app.acme.test";
    let url = (text.len() <= LONGEST_ORIGIN).then(|| Url::parse(text).ok()).flatten();
    let Some((url, host)) = url.as_ref().and_then(|url| Some((url, url.host()?))) else { return Err(FORM.to_owned()) };
    let loopback = match &host {
        // The parser lets more pass than a host is made of: `*` and `;` mean something in a policy.
        Host::Domain(name) if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-')) => {
            *name == "localhost"
        }
        // No policy names an address of IPv6.
        Host::Domain(_) | Host::Ipv6(_) => return Err(FORM.to_owned()),
        Host::Ipv4(ip) => Ipv4Addr::is_loopback(ip),
    };
    match url.scheme() {
        "https" => {}
        "http" if loopback => {}
        "http" => {
            return Err("http is for localhost and 127.0.0.1 only; an origin elsewhere begins with https://".to_owned());
        }
        _ => return Err(FORM.to_owned()),
    }
    let origin = url.origin().ascii_serialization();
    if origin == text { Ok(origin) } else { Err(format!("an origin has one spelling and no path: write {origin}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_one_spelling_and_nothing_that_a_policy_would_read() {
        let check = |text: &str, expected: &str| {
            let told = match parse_origin(text) {
                Ok(origin) => origin,
                Err(message) => message.rsplit_once("write ").map_or("no", |(_, right)| right).to_owned(),
            };
            assert_eq!(told, expected, "{text}");
        };
        for sound in [
            "https://app.acme.test",
            "https://acme.test:8443",
            "https://xn--bcher-kva.example",
            "https://192.0.2.7",
            "http://localhost:3000",
            "http://127.0.0.1",
        ] {
            check(sound, sound);
        }
        check("https://app.acme.test/", "https://app.acme.test");
        check("HTTPS://App.Acme.Test:443", "https://app.acme.test");
        check("https://bücher.example", "https://xn--bcher-kva.example");
        check("https://a:b@acme.test/x?y#z", "https://acme.test");
        check("https://acme.test\t", "https://acme.test");
        for wrong in [
            "",
            "*",
            "null",
            "'self'",
            "https:",
            "https://",
            "acme.test",
            "//acme.test",
            "http://acme.test",
            "https://*.acme.test",
            "https://acme.test;script-src",
            "https://acme.test,evil.test",
            "https://'none'",
            "https://a_b.acme.test",
            "https://acme.test evil.test",
            "http://[::1]:3000",
            "ftp://acme.test",
            "data:text/html,x",
            "javascript:alert(1)",
            &format!("https://{}.test", "a".repeat(300)),
        ] {
            check(wrong, "no");
        }
    }

    #[test]
    fn every_wrong_entry_is_named_and_none_counts_twice() {
        let parse = |entries: &[&str]| {
            let mut errors = FieldErrors::default();
            let entries: Vec<String> = entries.iter().map(|entry| (*entry).to_owned()).collect();
            let origins = PortalOrigins::parse(&entries, &mut errors);
            (origins.map(|origins| origins.to_string()), crate::fixtures::said(&errors.finish()))
        };
        let check = |entries: &[&str], origins: Option<&str>, told: &str| {
            assert_eq!(parse(entries), (origins.map(str::to_owned), told.to_owned()), "{entries:?}");
        };
        check(&[], Some(""), "ok");
        check(&["https://b.test", "https://a.test", "https://b.test"], Some("https://b.test https://a.test"), "ok");
        check(
            &["https://a.test/x", "https://b.test", "b"],
            None,
            "/portal_origins/0 invalid_origin, /portal_origins/2 invalid_origin",
        );
        check(&["https://a.test"; 21], None, "/portal_origins too_many");
        let read = PortalOrigins::from_text("https://b.test https://a.test");
        assert_eq!(read.to_string(), "https://b.test https://a.test");
        assert!(PortalOrigins::from_text("").is_empty() && !read.is_empty());
    }

    #[test]
    fn the_way_back_leads_to_a_registered_origin_and_is_read_as_browsers_read_it() {
        use WayBackError::{Elsewhere, Unsound};
        let origins = PortalOrigins::from_text("https://app.acme.test http://localhost:3000");
        let check = |address: &str, expected: Result<&str, WayBackError>| {
            assert_eq!(origins.way_back(address).as_deref().map_err(|error| *error), expected, "{address}");
        };
        check("https://app.acme.test", Ok("https://app.acme.test/"));
        check("https://app.acme.test:443/a b?x=1#y", Ok("https://app.acme.test/a%20b?x=1#y"));
        check("http://localhost:3000/back", Ok("http://localhost:3000/back"));
        check("https://app.acme.test:8443/", Err(Elsewhere));
        check("http://app.acme.test/", Err(Elsewhere));
        check("https://app.acme.test.evil.test/", Err(Elsewhere));
        check("https://evil.test/https://app.acme.test", Err(Elsewhere));
        check("https:\\\\evil.test\\@app.acme.test", Err(Elsewhere));
        check("https://app.acme.test@evil.test/", Err(Unsound));
        check("https://me:pw@app.acme.test/", Err(Unsound));
        for wrong in
            ["", "/back", "app.acme.test", "javascript:alert(1)", "data:,x", "https://", "blob:https://app.acme.test/x"]
        {
            check(wrong, Err(Unsound));
        }
        check(&format!("https://app.acme.test/{}", "a".repeat(2000)), Err(Unsound));
        assert_eq!(PortalOrigins::default().way_back("https://app.acme.test"), Err(Elsewhere));
    }
}
