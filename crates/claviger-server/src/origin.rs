//! Whether a request that changes something comes from a page of ours (fetch metadata, or else `Origin`), and which
//! addresses are ours. The room must not know who is signed in.

use std::borrow::Cow;

use axum::http::{HeaderMap, HeaderValue, header};
use url::{Url, form_urlencoded};

use crate::{app::Config, log::has_token};

/// What browsers would have to lie about: a page of elsewhere cannot.
pub(crate) fn is_from_here(headers: &HeaderMap, config: &Config) -> bool {
    let text = |value: &HeaderValue| value.to_str().unwrap_or("?").to_owned();
    if let Some(site) = headers.get("sec-fetch-site") {
        return text(site) == "same-origin";
    }
    match headers.get(header::ORIGIN) {
        Some(origin) => Some(text(origin)) == of(config).map(|here| here.origin().ascii_serialization()),
        // Neither: no browser of today. The token in the form still counts.
        None => true,
    }
}

/// The address under which browsers find `path`, which begins with a slash: the instance may live below a path.
pub(crate) fn here(path: &str, config: &Config) -> String {
    let base = of(config).map(|here| here.path().trim_end_matches('/').to_owned()).unwrap_or_default();
    base + path
}

/// A path of this instance that somebody asked to be sent to, without the one that the instance lives below; or none:
/// `next` comes from whoever made the link. What looks like a token stays behind: it would go from address to address.
pub(crate) fn local(next: &str) -> Option<String> {
    const LONGEST: usize = 2000;
    if next.len() > LONGEST || !next.starts_with('/') || next.contains(['\\', '\t', '\r', '\n']) {
        return None;
    }
    let home = Url::parse("https://instance.invalid/").ok()?;
    let target = home.join(next).ok()?;
    // Not as it came but as it was read, so that a browser cannot read it in another way.
    let inside = target.origin() == home.origin() && !target.path().starts_with("//") && !has_token(target.path());
    inside.then(|| target.path().to_owned() + &query(&target))
}

/// What stands behind the path, without fields in which a token may stand.
fn query(target: &Url) -> String {
    let is_secret = |(name, value): &(Cow<'_, str>, Cow<'_, str>)| has_token(name) || has_token(value);
    let query = match target.query() {
        Some(_) if target.query_pairs().any(|pair| is_secret(&pair)) => {
            let kept = target.query_pairs().filter(|pair| !is_secret(pair));
            form_urlencoded::Serializer::new(String::new()).extend_pairs(kept).finish()
        }
        query => query.unwrap_or_default().to_owned(),
    };
    if query.is_empty() { query } else { format!("?{query}") }
}

fn of(config: &Config) -> Option<Url> {
    Url::parse(&config.public_url).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::tests::config;

    fn at(public_url: &str) -> Config {
        Config { public_url: public_url.to_owned(), ..config() }
    }

    #[test]
    fn only_a_page_of_ours_may_change_something() {
        let check = |lines: &[(&'static str, &str)], expected| {
            let headers = lines.iter().map(|(name, value)| {
                (header::HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap())
            });
            assert_eq!(is_from_here(&headers.collect(), &at("https://claviger.test/keys")), expected, "{lines:?}");
        };
        check(&[], true);
        check(&[("origin", "https://claviger.test")], true);
        check(&[("origin", "https://claviger.test:444")], false);
        check(&[("origin", "http://claviger.test")], false);
        check(&[("origin", "https://evil.test")], false);
        check(&[("origin", "null")], false);
        check(&[("origin", "\u{e9}")], false);
        check(&[("sec-fetch-site", "same-origin"), ("origin", "https://evil.test")], true);
        check(&[("sec-fetch-site", "same-site"), ("origin", "https://claviger.test")], false);
        check(&[("sec-fetch-site", "cross-site")], false);
        check(&[("sec-fetch-site", "none")], false);
    }

    #[test]
    fn nobody_is_sent_elsewhere() {
        let check = |next: &str, expected: Option<&str>| {
            assert_eq!(local(next).as_deref(), expected, "{next}");
        };
        check("/", Some("/"));
        check("/account/security?x=1#y", Some("/account/security?x=1"));
        check("/a/../b", Some("/b"));
        check("/é", Some("/%C3%A9"));
        // Nor does a token travel along.
        let token = "clv_key_abcdefghijklmnopqrstuvwxyzABCDEF012345";
        check(&format!("/x?a=b%20c&credential={token}"), Some("/x?a=b+c"));
        check(&format!("/x?credential=%20{token}"), Some("/x"));
        check(&format!("/sign-in?next=%2Fx%3Fcredential%3D{token}&{token}=1"), Some("/sign-in"));
        check("/x?credential=key_01h455vb4pex5vsknk084sn02q", Some("/x?credential=key_01h455vb4pex5vsknk084sn02q"));
        for elsewhere in [
            "",
            "account",
            "https://evil.test/",
            "//evil.test/",
            "/\\evil.test",
            "\\\\evil.test",
            "/\t/evil.test",
            "/..//evil.test",
            "/.//evil.test",
            "javascript:alert(1)",
            &format!("/{}", "x".repeat(2000)),
            &format!("/x/{token}?a=b"),
        ] {
            check(elsewhere, None);
        }
    }

    #[test]
    fn an_instance_may_live_below_a_path() {
        assert_eq!(here("/sign-in", &at("https://claviger.test")), "/sign-in");
        assert_eq!(here("/sign-in", &at("https://claviger.test/keys")), "/keys/sign-in");
    }
}
