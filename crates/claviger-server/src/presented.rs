//! Where a request carries its credential (RFC 6750, RFC 7617, RFC 9110 section 11), and the proof that may come with it (RFC
//! 9449). Everybody reads `Authorization: Bearer` and `DPoP`, and `X-API-Key`; the other places only where the API says so.

use std::borrow::Cow;

use axum::http::{HeaderMap, HeaderName, header};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use claviger_core::AlsoAccepts;
use claviger_token::SecretKind;

use crate::proof::Carried;

/// Two credentials, or one that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ambiguous;

impl Ambiguous {
    pub(crate) const MESSAGE: &str =
        "present one credential, once: in Authorization: Bearer … (or DPoP …) or in X-API-Key, not two different ones";
}

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Where a gateway tells the address of the request that it holds: Traefik and Caddy, and nginx.
pub(crate) const ADDRESS: [HeaderName; 2] =
    [HeaderName::from_static("x-forwarded-uri"), HeaderName::from_static("x-original-uri")];

/// What is not ASCII, or not what its scheme asks for, is no credential of ours; it is refused as malformed, not as absent.
const UNREADABLE: &str = "?";

/// The credential of a request, if it carries one.
pub(crate) fn credential(headers: &HeaderMap) -> Result<Option<&str>, Ambiguous> {
    let mut found = None;
    let authorization = Authorization::of(headers)?;
    let candidates = [authorization.by("bearer"), authorization.by("dpop"), api_key(headers)?];
    for candidate in candidates.into_iter().flatten() {
        only(&mut found, candidate)?;
    }
    Ok(found)
}

/// The proof that the credential comes with. What is shown as a bearer token is none, whatever stands beside it (RFC 9449,
/// section 7.2); what is shown as bound has one.
pub(crate) fn proof(headers: &HeaderMap) -> Carried<'_> {
    let authorization = Authorization::of(headers);
    // Several are refused, and until then each may be either.
    let uses = |scheme: &str| authorization.map_or(true, |one| one.by(scheme).is_some());
    match (uses("bearer"), uses("dpop")) {
        (true, false) => Carried::Nothing,
        (_, true) => Carried::by(headers).or_missing(),
        (false, false) => Carried::by(headers),
    }
}

/// Whether [`credential_at_gateway`] could find more than [`credential`] if the API says so.
pub(crate) fn may_be_elsewhere(headers: &HeaderMap) -> bool {
    queries(headers).next().is_some() || Authorization::of(headers).map_or(true, |one| one.by("basic").is_some())
}

/// The credential of a request that a gateway holds, in any place that the API accepts. `kind_of` says of a text which
/// credential it has the form of: of user name and password, only one need be one. Access tokens are in no query (RFC 9700,
/// section 4.3.2).
pub(crate) fn credential_at_gateway<'a>(
    headers: &'a HeaderMap,
    also: &AlsoAccepts,
    kind_of: impl Fn(&str) -> Option<SecretKind>,
) -> Result<Option<Cow<'a, str>>, Ambiguous> {
    let mut found = credential(headers)?.map(Cow::Borrowed);
    if also.basic
        && let Some(encoded) = Authorization::of(headers)?.by("basic")
    {
        let decoded = STANDARD.decode(encoded).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let is_ours = |text: &str| kind_of(text).is_some();
        let pair = decoded.as_deref().and_then(|text| text.split_once(':'));
        let candidate = match pair {
            Some((user, password)) if is_ours(user) && is_ours(password) && user != password => return Err(Ambiguous),
            Some((user, password)) if password.is_empty() || (is_ours(user) && !is_ours(password)) => user,
            Some((_, password)) => password,
            None => UNREADABLE,
        };
        only(&mut found, Cow::Owned(candidate.to_owned()))?;
    }
    if let Some(parameter) = &also.query_parameter {
        for (name, value) in queries(headers).flat_map(url::form_urlencoded::parse) {
            if name == *parameter && !value.is_empty() {
                let is_token = kind_of(&value) == Some(SecretKind::AccessToken);
                only(&mut found, Cow::Owned(if is_token { UNREADABLE.to_owned() } else { value.into_owned() }))?;
            }
        }
    }
    Ok(found)
}

/// The queries of the request that a gateway holds, as the gateway tells its address: byte by byte, for a gateway may not
/// encode what a client did not.
pub(crate) fn queries(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let addresses = ADDRESS.into_iter().flat_map(|name| headers.get_all(name));
    addresses.filter_map(|address| {
        let address = address.as_bytes();
        address.iter().position(|byte| *byte == b'?').map(|mark| &address[mark + 1..])
    })
}

fn only<T: PartialEq>(found: &mut Option<T>, candidate: T) -> Result<(), Ambiguous> {
    match found {
        Some(other) if *other != candidate => Err(Ambiguous),
        Some(_) => Ok(()),
        None => {
            *found = Some(candidate);
            Ok(())
        }
    }
}

/// What `Authorization` says.
#[derive(Clone, Copy)]
enum Authorization<'a> {
    /// Nothing, or no credential after a scheme.
    Nothing,
    /// Not ASCII: a credential of whatever scheme.
    Unreadable,
    Credential {
        scheme: &'a str,
        credential: &'a str,
    },
}

impl<'a> Authorization<'a> {
    /// More than one such header is more than one credential, even if they are equal.
    fn of(headers: &'a HeaderMap) -> Result<Self, Ambiguous> {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        let Some(value) = values.next() else { return Ok(Self::Nothing) };
        if values.next().is_some() {
            return Err(Ambiguous);
        }
        let Ok(value) = value.to_str() else { return Ok(Self::Unreadable) };
        let parts = value.trim().split_once(' ');
        Ok(parts.map_or(Self::Nothing, |(scheme, rest)| {
            // Any number of spaces may follow the scheme.
            Self::Credential { scheme, credential: rest.trim_start_matches(' ') }
        }))
    }

    /// What follows this scheme, which is case-insensitive. Other schemes are not ours to read.
    fn by(self, wanted: &str) -> Option<&'a str> {
        match self {
            Self::Nothing => None,
            Self::Unreadable => Some(UNREADABLE),
            Self::Credential { scheme, credential } => scheme.eq_ignore_ascii_case(wanted).then_some(credential),
        }
    }
}

fn api_key(headers: &HeaderMap) -> Result<Option<&str>, Ambiguous> {
    let mut found = None;
    for value in headers.get_all(API_KEY) {
        let value = value.to_str().unwrap_or(UNREADABLE).trim();
        if !value.is_empty() {
            only(&mut found, value)?;
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn map(headers: &[(&str, &str)]) -> HeaderMap {
        let header = |(name, value): &(&str, &str)| {
            (name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap())
        };
        headers.iter().map(header).collect()
    }

    fn check(headers: &[(&str, &str)], expected: Result<Option<&str>, Ambiguous>) {
        assert_eq!(credential(&map(headers)), expected, "{headers:?}");
    }

    #[test]
    fn one_credential_is_found_wherever_it_may_stand() {
        check(&[], Ok(None));
        check(&[("authorization", "Bearer a")], Ok(Some("a")));
        check(&[("authorization", "bearer   a")], Ok(Some("a")));
        check(&[("authorization", "BEARER a")], Ok(Some("a")));
        check(&[("authorization", "Bearer")], Ok(None));
        check(&[("authorization", "Basic YTpi")], Ok(None));
        check(&[("authorization", "\u{e9}")], Ok(Some("?")));
        check(&[("authorization", "DPoP a")], Ok(Some("a")));
        check(&[("authorization", "dpop   a"), ("dpop", "p")], Ok(Some("a")));
        check(&[("authorization", "DPoP a"), ("x-api-key", "b")], Err(Ambiguous));
        check(&[("authorization", "DPoP a"), ("authorization", "Bearer a")], Err(Ambiguous));
        check(&[("x-api-key", "a")], Ok(Some("a")));
        check(&[("x-api-key", "")], Ok(None));
        check(&[("x-api-key", "a"), ("x-api-key", "a")], Ok(Some("a")));
        check(&[("authorization", "Bearer a"), ("x-api-key", "a")], Ok(Some("a")));
        check(&[("authorization", "Bearer a"), ("x-api-key", "b")], Err(Ambiguous));
        check(&[("authorization", "Bearer a"), ("authorization", "Bearer b")], Err(Ambiguous));
        check(&[("authorization", "Bearer a"), ("authorization", "Bearer a")], Err(Ambiguous));
        check(&[("x-api-key", "a"), ("x-api-key", "b")], Err(Ambiguous));
    }

    #[test]
    fn d09_a_bearer_token_has_no_proof_and_what_is_bound_has_one() {
        let check = |headers: &[(&str, &str)], expected| assert_eq!(proof(&map(headers)), expected, "{headers:?}");
        check(&[], Carried::Nothing);
        check(&[("DPoP", "p")], Carried::One("p"));
        check(&[("x-api-key", "a"), ("dpop", "p")], Carried::One("p"));
        check(&[("authorization", "Basic YTpi"), ("dpop", "p")], Carried::One("p"));
        check(&[("authorization", "Bearer a"), ("dpop", "p")], Carried::Nothing);
        check(&[("authorization", "DPoP a"), ("dpop", "p")], Carried::One("p"));
        check(&[("authorization", "dPoP a")], Carried::NotOne);
        check(&[("authorization", "DPoP a"), ("dpop", "p"), ("dpop", "p")], Carried::NotOne);
        check(&[("authorization", "\u{e9}"), ("dpop", "p")], Carried::One("p"));
    }

    #[test]
    fn other_places_count_only_where_the_api_says_so() {
        let check =
            |also: (bool, Option<&str>), headers: &[(&str, &str)], expected: Result<Option<&str>, Ambiguous>| {
                let also = AlsoAccepts { basic: also.0, query_parameter: also.1.map(str::to_owned) };
                let headers = map(headers);
                let kind_of = |text: &str| match text.get(..6) {
                    Some("clv_at") => Some(SecretKind::AccessToken),
                    _ => text.starts_with("clv_").then_some(SecretKind::ApiKey),
                };
                let found = credential_at_gateway(&headers, &also, kind_of);
                assert_eq!(found.as_ref().map(|found| found.as_deref()), expected.as_ref().copied(), "{headers:?}");
            };
        let basic = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
        let check_basic = |pair: &str, expected| check((true, None), &[("authorization", &basic(pair))], expected);
        check_basic("git:clv_a", Ok(Some("clv_a")));
        check_basic("clv_a:", Ok(Some("clv_a")));
        check_basic("clv_a:x-oauth-basic", Ok(Some("clv_a")));
        check_basic("clv_a:clv_a", Ok(Some("clv_a")));
        check_basic("clv_a:clv_b", Err(Ambiguous));
        check_basic("git:typo", Ok(Some("typo")));
        check_basic("git:a:b", Ok(Some("a:b")));
        check_basic("no colon", Ok(Some("?")));
        check((true, None), &[("authorization", "bAsIc   Z2l0OmNsdl9h")], Ok(Some("clv_a")));
        check((true, None), &[("authorization", "Basic %%%")], Ok(Some("?")));
        check((true, None), &[("authorization", "Basic /w==")], Ok(Some("?"))); // not UTF-8
        check((false, None), &[("authorization", &basic("git:clv_a"))], Ok(None));
        check((true, None), &[("authorization", &basic("git:clv_a")), ("x-api-key", "clv_b")], Err(Ambiguous));

        let key = (false, Some("key"));
        for name in ["x-forwarded-uri", "x-original-uri"] {
            check(key, &[(name, "/a?b=c&key=clv_a")], Ok(Some("clv_a")));
            check((true, None), &[(name, "/a?key=clv_a")], Ok(None));
        }
        check(key, &[("x-forwarded-uri", "/a?key=clv%5Fa")], Ok(Some("clv_a")));
        check_basic("git:clv_at", Ok(Some("clv_at")));
        check(key, &[("x-forwarded-uri", "/a?key=clv_at")], Ok(Some("?")));
        check(key, &[("x-forwarded-uri", "/a?key=clv_at"), ("authorization", "Bearer clv_at")], Err(Ambiguous));
        check(key, &[("x-original-uri", "/caf\u{e9}?x=\u{e9}&key=clv_a")], Ok(Some("clv_a")));
        check(key, &[("x-original-uri", "/?x=\u{e9}&key=clv_a"), ("x-api-key", "clv_b")], Err(Ambiguous));
        check(key, &[("x-forwarded-uri", "/a?KEY=clv_a&key=&keys=clv_b")], Ok(None));
        check(key, &[("x-forwarded-uri", "/a?key=clv_a&key=clv_b")], Err(Ambiguous));
        check(key, &[("x-forwarded-uri", "/a?key=clv_a"), ("authorization", "Bearer clv_b")], Err(Ambiguous));
        check(key, &[("x-forwarded-uri", "/a?key=clv_a"), ("authorization", "Bearer clv_a")], Ok(Some("clv_a")));
    }
}
