//! Where a request carries its credential: `Authorization: Bearer` or `X-API-Key` (RFC 6750, RFC 9110 section 11).

use axum::http::{HeaderMap, header};

/// Two credentials, or one that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ambiguous;

impl Ambiguous {
    pub(crate) const MESSAGE: &str =
        "present one credential, once: in Authorization: Bearer … or in X-API-Key, not two different ones";
}

/// The credential of a request, if it carries one.
pub(crate) fn credential(headers: &HeaderMap) -> Result<Option<&str>, Ambiguous> {
    let bearer = single(headers, header::AUTHORIZATION.as_str())?.and_then(bearer);
    let key = single(headers, "x-api-key")?.map(str::trim).filter(|key| !key.is_empty());
    match (bearer, key) {
        (Some(bearer), Some(key)) if bearer != key => Err(Ambiguous),
        (Some(token), _) | (None, Some(token)) => Ok(Some(token)),
        (None, None) => Ok(None),
    }
}

fn single<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Ambiguous> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.any(|value| Some(value) != first) {
        return Err(Ambiguous);
    }
    // What is not ASCII is no credential of ours; it is refused as malformed, not as absent.
    Ok(first.map(|value| value.to_str().unwrap_or("?")))
}

/// The scheme is case-insensitive, and any number of spaces may follow it. Other schemes are not ours to read.
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_start_matches(' '))
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn check(headers: &[(&str, &str)], expected: Result<Option<&str>, Ambiguous>) {
        let map: HeaderMap = headers
            .iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap()))
            .collect();
        assert_eq!(credential(&map), expected, "{headers:?}");
    }

    #[test]
    fn one_credential_is_found_wherever_it_may_stand() {
        check(&[], Ok(None));
        check(&[("authorization", "Bearer a")], Ok(Some("a")));
        check(&[("authorization", "bearer   a")], Ok(Some("a")));
        check(&[("authorization", "BEARER a")], Ok(Some("a")));
        check(&[("authorization", "Basic YTpi")], Ok(None));
        check(&[("x-api-key", "a")], Ok(Some("a")));
        check(&[("x-api-key", "")], Ok(None));
        check(&[("authorization", "Bearer a"), ("x-api-key", "a")], Ok(Some("a")));
        check(&[("authorization", "Bearer a"), ("x-api-key", "b")], Err(Ambiguous));
        check(&[("authorization", "Bearer a"), ("authorization", "Bearer b")], Err(Ambiguous));
        check(&[("x-api-key", "a"), ("x-api-key", "b")], Err(Ambiguous));
    }
}
