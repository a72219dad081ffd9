//! Where a request came from, seen through proxies: `X-Forwarded-For` is read from right to left, and only as far as
//! the proxies that wrote it are trusted. What a client wrote there itself is never reached.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderName};
use claviger_token::NetworkSet;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The client of a listener that anybody may reach: whoever is connected, unless that is a trusted proxy.
pub(crate) fn address(peer: IpAddr, headers: &HeaderMap, trusted: Option<&NetworkSet>) -> IpAddr {
    let peer = peer.to_canonical();
    if is_trusted(peer, trusted) { address_at_gateway(headers, trusted).unwrap_or(peer) } else { peer }
}

/// The client of a gateway, which is on our side and writes the address that it sees last; unknown if it writes none. It is
/// the last address that is no trusted proxy's; where the chain stops making sense, the last proxy that does.
pub(crate) fn address_at_gateway(headers: &HeaderMap, trusted: Option<&NetworkSet>) -> Option<IpAddr> {
    let mut client = None;
    let lines = headers.get_all(FORWARDED_FOR).iter().rev();
    for hop in lines.flat_map(|line| line.to_str().unwrap_or("?").rsplit(',')) {
        let Some(hop) = parse(hop) else { break };
        client = Some(hop);
        if !is_trusted(hop, trusted) {
            break;
        }
    }
    client
}

/// Whether this, in its canonical form, is a trusted proxy's.
pub(crate) fn is_trusted(address: IpAddr, trusted: Option<&NetworkSet>) -> bool {
    trusted.is_some_and(|networks| networks.contains(address))
}

/// An address as proxies write it: bare, with a port, and IPv6 with or without brackets.
fn parse(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim();
    let bracketed = || hop.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let with_port = || hop.parse::<SocketAddr>().ok().map(|address| address.ip());
    hop.parse().ok().or_else(with_port).or_else(bracketed).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(lines: &[&str]) -> HeaderMap {
        lines.iter().map(|line| (FORWARDED_FOR, HeaderValue::from_bytes(line.as_bytes()).unwrap())).collect()
    }

    #[test]
    fn an_address_is_read_as_proxies_write_it() {
        fn check(hop: &str, expected: Option<&str>) {
            assert_eq!(parse(hop).map(|ip| ip.to_string()).as_deref(), expected, "{hop}");
        }
        check("192.0.2.7", Some("192.0.2.7"));
        check(" 192.0.2.7:4711 ", Some("192.0.2.7"));
        check("2001:db8::7", Some("2001:db8::7"));
        check("[2001:db8::7]", Some("2001:db8::7"));
        check("[2001:db8::7]:4711", Some("2001:db8::7"));
        check("::ffff:192.0.2.7", Some("192.0.2.7"));
        for garbage in
            ["", "unknown", "_hidden", "192.0.2.7:", "192.0.2.7:99999", "300.1.1.1", "[2001:db8::7", "1.1.1.1\t2"]
        {
            check(garbage, None);
        }
    }

    #[test]
    fn a_chain_is_read_from_the_right_and_only_as_far_as_it_is_trusted() {
        let trusted = NetworkSet::parse(["10.0.0.0/8", "fd00::/8"]).unwrap();
        let check = |peer: &str, lines: &[&str], expected: &str| {
            let got = address(peer.parse().unwrap(), &headers(lines), Some(&trusted));
            assert_eq!(got.to_string(), expected, "{peer} {lines:?}");
        };
        check("192.0.2.1", &[], "192.0.2.1");
        check("192.0.2.1", &["203.0.113.9"], "192.0.2.1"); // anybody can write that
        check("10.0.0.1", &[], "10.0.0.1");
        check("10.0.0.1", &["203.0.113.9"], "203.0.113.9");
        check("::ffff:10.0.0.1", &["203.0.113.9"], "203.0.113.9");
        check("10.0.0.1", &["1.1.1.1, 203.0.113.9, 10.9.9.9"], "203.0.113.9");
        check("10.0.0.1", &["1.1.1.1", "203.0.113.9", "10.9.9.9, fd00::1"], "203.0.113.9");
        check("10.0.0.1", &["10.2.2.2, 10.3.3.3"], "10.2.2.2"); // proxies only: the first of them
        check("10.0.0.1", &["203.0.113.9, nonsense"], "10.0.0.1");
        check("10.0.0.1", &["203.0.113.9, nonsense, 10.3.3.3"], "10.3.3.3");
        check("10.0.0.1", &["203.0.113.9, \u{e9}"], "10.0.0.1");
        let hops = vec!["10.1.1.1"; 1000].join(", ");
        check("10.0.0.1", &[&format!("1.1.1.1, 203.0.113.9, {hops}")], "203.0.113.9");
    }

    #[test]
    fn a_gateway_is_believed_about_its_client() {
        let trusted = NetworkSet::parse(["10.0.0.0/8"]).unwrap();
        let check = |trusted: Option<&NetworkSet>, lines: &[&str], expected: Option<&str>| {
            let got = address_at_gateway(&headers(lines), trusted).map(|ip| ip.to_string());
            assert_eq!(got.as_deref(), expected, "{lines:?}");
        };
        check(None, &[], None);
        check(None, &["203.0.113.9"], Some("203.0.113.9"));
        check(None, &["1.1.1.1, 203.0.113.9"], Some("203.0.113.9"));
        check(None, &["1.1.1.1, 10.0.0.1"], Some("10.0.0.1"));
        check(Some(&trusted), &["1.1.1.1, 203.0.113.9, 10.0.0.1"], Some("203.0.113.9"));
        check(None, &["nonsense"], None);
    }
}
