//! The certificate that the client of a request showed: on its own TLS connection, or to the proxy that ended it and says so in
//! `Client-Cert` (RFC 9440). Whoever shows one has proved to hold its key, to us or to the proxy.
//!
//! The room must not know whose certificate it is, nor what it is good for.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    extract::ConnectInfo,
    http::{Extensions, HeaderMap, HeaderName, StatusCode},
};
use base64::{
    Engine as _,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use claviger_core::oauth::OAuthError;
use claviger_token::{Certificate, CertificateError};
use percent_encoding::percent_decode;

use crate::{app::Config, client, problem::RequestError};

const CLIENT_CERT: HeaderName = HeaderName::from_static("client-cert");
const CLIENT_CERT_CHAIN: HeaderName = HeaderName::from_static("client-cert-chain");

/// How many certificates may come with a client's own.
pub(crate) const MOST_ISSUERS: usize = 8;

/// How many bytes they may have together.
pub(crate) const LONGEST_ISSUERS: usize = 16 * 1024;

/// How RFC 8941, section 4.2.7, reads a byte sequence: padding may be absent, and its spare bits may be set.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// What the client of a connection showed that was asked for a certificate, beside [`ConnectInfo`] in the extensions of each request that
/// comes on it.
#[derive(Debug, Clone, Default)]
pub(crate) struct OfConnection {
    /// Its own.
    pub(crate) certificate: Option<Certificate>,
    /// What came along.
    pub(crate) issuers: Issuers,
}

/// Certificates that came along, each in DER.
pub(crate) type Issuers = Arc<[Box<[u8]>]>;

/// A header that says that there is a certificate, and holds none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    /// It stands there more than once.
    #[error("Client-Cert stands there more than once")]
    Several,
    /// It is written in no way that is known.
    #[error("Client-Cert is a certificate in base64 between two colons (RFC 9440), or a URL-encoded PEM")]
    Form,
    /// What came along cannot be read, or there is too much of it.
    #[error(
        "Client-Cert-Chain is a list of at most {MOST_ISSUERS} certificates in base64, each between two colons (RFC 9440)"
    )]
    Chain,
    /// What is written there is something else.
    #[error("Client-Cert holds no certificate: {0}")]
    Certificate(#[from] CertificateError),
}

impl From<Unreadable> for RequestError {
    fn from(why: Unreadable) -> Self {
        Self::unreadable(StatusCode::BAD_REQUEST, "invalid_client_certificate", why.to_string())
    }
}

impl From<Unreadable> for OAuthError {
    fn from(why: Unreadable) -> Self {
        Self::invalid_request(why.to_string())
    }
}

/// What the client of a request showed. Who was asked for a certificate shows it or has none, and no header says otherwise: what a proxy passes
/// on unopened looks like the proxy and is written by anybody. A proxy's own certificate is nobody's. On other connections a trusted proxy tells in a
/// header what its client showed, if the operator says that it writes one: else it may be what a client wrote there.
pub(crate) fn shown(
    extensions: &Extensions,
    headers: &HeaderMap,
    config: &Config,
) -> Result<Option<Certificate>, Unreadable> {
    match source(extensions, config) {
        Source::Connection(shown) => Ok(shown.certificate.clone()),
        Source::Proxy => told(headers),
        Source::Nobody => Ok(None),
    }
}

/// What came along with it, each in DER: those between it and an authority. Nobody has looked at them.
pub(crate) fn issuers(extensions: &Extensions, headers: &HeaderMap, config: &Config) -> Result<Issuers, Unreadable> {
    match source(extensions, config) {
        Source::Connection(shown) => Ok(Arc::clone(&shown.issuers)),
        Source::Proxy => told_issuers(headers),
        Source::Nobody => Ok(Issuers::default()),
    }
}

/// Who says what the client of a request showed.
enum Source<'a> {
    Connection(&'a OfConnection),
    Proxy,
    Nobody,
}

fn source<'a>(extensions: &'a Extensions, config: &Config) -> Source<'a> {
    let own = extensions.get::<OfConnection>();
    if own.is_none() && !config.client_certificate_header {
        return Source::Nobody;
    }
    let peer = extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_canonical());
    let by_proxy = peer.is_some_and(|peer| client::is_trusted(peer, config.trusted_proxies.as_ref()));
    match (own, by_proxy) {
        (Some(shown), false) => Source::Connection(shown),
        (None, true) => Source::Proxy,
        (Some(_), true) | (None, false) => Source::Nobody,
    }
}

/// What a proxy or a gateway tells of the client that it serves.
pub(crate) fn told(headers: &HeaderMap) -> Result<Option<Certificate>, Unreadable> {
    let mut values = headers.get_all(CLIENT_CERT).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Unreadable::Several);
    }
    read(value.as_bytes()).map(Some)
}

/// What a proxy tells of the certificates between its client's and an authority (RFC 9440, section 2.3).
fn told_issuers(headers: &HeaderMap) -> Result<Issuers, Unreadable> {
    let lines = headers.get_all(CLIENT_CERT_CHAIN).iter();
    // An empty line is a list of none (RFC 8941, section 3.1).
    let lines = lines.map(|line| line.as_bytes().trim_ascii()).filter(|line| !line.is_empty());
    let entries = lines.flat_map(|line| line.split(|byte| *byte == b','));
    let read = |entry: &[u8]| {
        let text = entry.trim_ascii().strip_prefix(b":").and_then(|rest| rest.strip_suffix(b":"));
        BASE64.decode(text.ok_or(Unreadable::Chain)?).map(Vec::into_boxed_slice).map_err(|_| Unreadable::Chain)
    };
    let issuers: Issuers = entries.map(read).collect::<Result<_, _>>()?;
    match issuers.len() > MOST_ISSUERS || issuers.iter().map(|one| one.len()).sum::<usize>() > LONGEST_ISSUERS {
        true => Err(Unreadable::Chain),
        false => Ok(issuers),
    }
}

/// A byte sequence (RFC 9440, section 2.2), or PEM with `%` before what a header cannot hold, as nginx writes it.
fn read(value: &[u8]) -> Result<Certificate, Unreadable> {
    let value = value.trim_ascii();
    if let Some(sequence) = value.strip_prefix(b":") {
        let text = sequence.strip_suffix(b":").ok_or(Unreadable::Form)?;
        let der = BASE64.decode(text).map_err(|_| Unreadable::Form)?;
        return Ok(Certificate::from_der(&der)?);
    }
    if !value.starts_with(b"-----BEGIN%20") {
        return Err(Unreadable::Form);
    }
    let pem = percent_decode(value).decode_utf8().map_err(|_| Unreadable::Form)?;
    Ok(Certificate::from_pem(&pem)?)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use base64::engine::general_purpose;
    use claviger_token::NetworkSet;

    use super::*;
    use crate::app::tests::config;

    const PEM: &str = include_str!("../../claviger-token/src/certificate/self_signed.pem");
    const OTHER: &str = include_str!("../../claviger-token/src/certificate/version_1.pem");

    fn certificate() -> Certificate {
        Certificate::from_pem(PEM).unwrap()
    }

    fn sequence() -> String {
        format!(":{}:", general_purpose::STANDARD.encode(certificate().der()))
    }

    /// As nginx writes `$ssl_client_escaped_cert`.
    fn escaped(pem: &str) -> String {
        let escape = |byte: char| match byte {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '.' | '_' | '~' => byte.to_string(),
            other => format!("%{:02X}", u32::from(other)),
        };
        pem.chars().map(escape).collect()
    }

    fn headers(values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (CLIENT_CERT, HeaderValue::from_bytes(value.as_bytes()).unwrap())).collect()
    }

    #[test]
    fn m08_a_header_is_one_certificate_or_none() {
        let check = |values: &[&str], expected: Result<bool, Unreadable>| {
            let found = told(&headers(values));
            assert_eq!(found, expected.map(|is_there| is_there.then(certificate)), "{values:?}");
        };
        let (sequence, escaped) = (sequence(), escaped(PEM));
        let base64 = sequence.trim_matches(':');
        check(&[], Ok(false));
        check(&[&sequence], Ok(true));
        check(&[&format!(" {sequence}\t")], Ok(true));
        check(&[&format!(":{}:", base64.trim_end_matches('='))], Ok(true)); // RFC 8941, section 4.2.7
        check(&[&escaped], Ok(true));
        check(&[&sequence, &sequence], Err(Unreadable::Several));
        check(&[&format!("{sequence}, {sequence}")], Err(Unreadable::Form));
        for wrong in [
            "",
            ":",
            "x",
            base64,
            &format!(":{base64}"),
            &format!("{base64}:"),
            &format!("{sequence};a=1"),
            &format!(": {base64}:"),
            &format!(":{base64} :"),
            &format!(":{}:", base64.replace('+', "-").replace('/', "_")),
            &format!("\"{base64}\""),
            ":\u{e9}:",
            PEM.lines().next().unwrap(),
        ] {
            check(&[wrong], Err(Unreadable::Form));
        }
        check(&["::"], Err(CertificateError::Malformed.into()));
        check(&[":AAAA:"], Err(CertificateError::Malformed.into()));
        check(&[&format!("{escaped}{escaped}")], Err(CertificateError::NotPem.into()));
        check(&["-----BEGIN%20CERTIFICATE-----%FF"], Err(Unreadable::Form));
    }

    #[test]
    fn m08_only_a_trusted_proxy_says_what_its_client_showed_and_only_if_it_does_so() {
        let own = Certificate::from_pem(OTHER).unwrap();
        let check =
            |peer: &str, header: bool, by_connection: Option<Option<&Certificate>>, expected: Option<&Certificate>| {
                let mut config = config();
                config.trusted_proxies = NetworkSet::parse(["10.0.0.0/8"]).ok();
                config.client_certificate_header = header;
                let mut extensions = Extensions::new();
                extensions.insert(ConnectInfo(SocketAddr::new(peer.parse().unwrap(), 1)));
                if let Some(shown) = by_connection {
                    extensions.insert(OfConnection { certificate: shown.cloned(), issuers: Issuers::default() });
                }
                let found = shown(&extensions, &headers(&[&sequence()]), &config);
                assert_eq!(found, Ok(expected.cloned()), "{peer} {header} {by_connection:?}");
            };
        let (proxy, stranger, own, told) = ("::ffff:10.1.2.3", "192.0.2.1", Some(&own), certificate());
        check(stranger, false, None, None);
        check(stranger, true, None, None);
        check(proxy, false, None, None);
        check(proxy, true, None, Some(&told));
        for header in [false, true] {
            check(stranger, header, Some(own), own);
            check(stranger, header, Some(None), None);
            // A proxy's own is not its client's, and what stands in a header of a connection that it passed on may be anybody's.
            check(proxy, header, Some(own), None);
            check(proxy, header, Some(None), None);
        }
    }

    #[test]
    fn m08_what_stands_between_it_and_an_authority_comes_along() {
        let check = |lines: &[&str], expected: Result<usize, Unreadable>| {
            let headers = lines.iter().map(|line| (CLIENT_CERT_CHAIN, HeaderValue::from_str(line).unwrap())).collect();
            assert_eq!(told_issuers(&headers).map(|issuers| issuers.len()), expected, "{lines:?}");
        };
        let sequence = sequence();
        check(&[], Ok(0));
        check(&["", "  "], Ok(0));
        check(&[&sequence], Ok(1));
        check(&[&format!("{sequence}, {sequence}"), &sequence], Ok(3));
        check(&[&[":AAAA:"; 8].join(",")], Ok(8));
        check(&[&[":AAAA:"; 9].join(",")], Err(Unreadable::Chain));
        let long = format!(":{}:", general_purpose::STANDARD.encode(vec![0; LONGEST_ISSUERS]));
        check(&[&long], Ok(1));
        check(&[&long, ":AAAA:"], Err(Unreadable::Chain));
        for wrong in [",", ":", "x", ":AAAA", &format!("{sequence},"), &format!("{sequence};a=1"), ":A-A_:"] {
            check(&[wrong], Err(Unreadable::Chain));
        }
    }

    #[test]
    fn m08_what_a_stranger_writes_there_is_not_even_read() {
        let mut config = config();
        config.client_certificate_header = true;
        let mut extensions = Extensions::new();
        extensions.insert(ConnectInfo(SocketAddr::from(([192, 0, 2, 1], 1))));
        assert_eq!(shown(&extensions, &headers(&["nonsense", "nonsense"]), &config), Ok(None));
        assert_eq!(shown(&Extensions::new(), &headers(&["nonsense"]), &config), Ok(None));
    }
}
