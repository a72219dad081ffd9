//! Cookies: what they are called and how they are set. The room must not know what they mean.
//!
//! Where the instance is reached by https, names begin with `__Host-`: a browser then takes such a cookie only from this
//! very host, and never sends it in the clear. Where it is reached by http, which settings allow on loopback alone, they
//! have neither that prefix nor `Secure`, which not every browser accepts there. `Partitioned` wants `Secure`: on loopback, a
//! portal stands in frames of the same site, such as another port.

use axum::http::{HeaderMap, HeaderValue, header};

/// A cookie of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cookie {
    /// Names a session in the console.
    Session,
    /// Names a session at an organization's portal.
    Portal,
    /// Ties the forms of somebody who is not signed in to their browser.
    Visit,
    /// Says as whom this browser was signed in before.
    Device,
    /// Says that a first factor was proven, and waits for the second.
    HalfWay,
    /// Says that somebody was sent to an outside provider, and for what.
    Departure,
    /// The code of a link, after it went from the address.
    Code,
    /// The language that somebody chose.
    Language,
    /// Proves that this browser did what the next page tells.
    Done,
    /// The same at an organization's portal.
    DoneAtPortal,
}

impl Cookie {
    /// Those that prove what was done.
    pub(crate) const DONE: [Self; 2] = [Self::Done, Self::DoneAtPortal];

    fn name(self, secure: bool) -> &'static str {
        match (self, secure) {
            (Self::Session, true) => "__Host-claviger",
            (Self::Portal, true) => "__Host-claviger-portal",
            (Self::Visit, true) => "__Host-claviger-visit",
            (Self::Device, true) => "__Host-claviger-device",
            (Self::HalfWay, true) => "__Host-claviger-half-way",
            (Self::Departure, true) => "__Host-claviger-departure",
            (Self::Code, true) => "__Host-claviger-code",
            (Self::Language, true) => "__Host-claviger-language",
            (Self::Done, true) => "__Host-claviger-done",
            (Self::DoneAtPortal, true) => "__Host-claviger-portal-done",
            (Self::Session, false) => "claviger",
            (Self::Portal, false) => "claviger-portal",
            (Self::Visit, false) => "claviger-visit",
            (Self::Device, false) => "claviger-device",
            (Self::HalfWay, false) => "claviger-half-way",
            (Self::Departure, false) => "claviger-departure",
            (Self::Code, false) => "claviger-code",
            (Self::Language, false) => "claviger-language",
            (Self::Done, false) => "claviger-done",
            (Self::DoneAtPortal, false) => "claviger-portal-done",
        }
    }

    /// In seconds, or until the browser closes. The server's own bounds count in any case.
    fn life(self) -> Option<u32> {
        const DAY: u32 = 24 * 60 * 60;
        match self {
            Self::Session | Self::Portal | Self::Visit => None,
            Self::Device | Self::Language => Some(400 * DAY),
            Self::HalfWay | Self::Departure | Self::Code => Some(600),
            Self::Done | Self::DoneAtPortal => Some(60),
        }
    }

    /// What the browser sent.
    pub(crate) fn read(self, headers: &HeaderMap, secure: bool) -> Option<&str> {
        let name = self.name(secure);
        let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
        let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.into_iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// The line that sets it. A value of ours is letters, digits, `-`, `_` and `.`.
    pub(crate) fn set(self, value: &str, secure: bool) -> HeaderValue {
        let life = self.life().map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
        self.line(value, &life, secure)
    }

    /// The line that takes it away.
    pub(crate) fn clear(self, secure: bool) -> HeaderValue {
        self.line("", "; Max-Age=0", secure)
    }

    fn line(self, value: &str, life: &str, secure: bool) -> HeaderValue {
        let flags = match (self, secure) {
            // In a frame, too, and there only below the site that frames us: another site's frame has another cookie.
            (Self::Portal | Self::DoneAtPortal, true) => "SameSite=None; Secure; Partitioned",
            (_, true) => "SameSite=Lax; Secure",
            (_, false) => "SameSite=Lax",
        };
        let name = self.name(secure);
        let line = format!("{name}={value}; Path=/; HttpOnly; {flags}{life}");
        let mut line = HeaderValue::from_str(&line).unwrap_or_else(|_| HeaderValue::from_static("claviger="));
        line.set_sensitive(true);
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_bound_to_the_host_wherever_there_is_https() {
        let check = |line: HeaderValue, expected: &str| assert_eq!(line.to_str().unwrap(), expected);
        check(Cookie::Session.set("v", true), "__Host-claviger=v; Path=/; HttpOnly; SameSite=Lax; Secure");
        check(Cookie::Session.set("v", false), "claviger=v; Path=/; HttpOnly; SameSite=Lax");
        let portal = "__Host-claviger-portal=v; Path=/; HttpOnly; SameSite=None; Secure; Partitioned";
        check(Cookie::Portal.set("v", true), portal);
        check(Cookie::Portal.set("v", false), "claviger-portal=v; Path=/; HttpOnly; SameSite=Lax");
        check(Cookie::Code.clear(true), "__Host-claviger-code=; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=0");
        check(Cookie::Code.set("v", false), "claviger-code=v; Path=/; HttpOnly; SameSite=Lax; Max-Age=600");
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let check = |lines: &[&str], expected: Option<&str>| {
            let headers =
                lines.iter().map(|line| (header::COOKIE, HeaderValue::from_bytes(line.as_bytes()).unwrap())).collect();
            assert_eq!(Cookie::Session.read(&headers, true), expected, "{lines:?}");
        };
        check(&[], None);
        check(&["__Host-claviger=a"], Some("a"));
        check(&["x=1; __Host-claviger=a=b; y=2"], Some("a=b"));
        check(&["x=1", "__Host-claviger=a"], Some("a"));
        check(&["__Host-claviger=a; __Host-claviger=b"], Some("a"));
        check(&["claviger=a; __Host-claviger-visit=b; x__Host-claviger=c"], None);
        check(&["\u{e9}; __Host-claviger"], None);
    }
}
