//! From where: sets of IP networks. The room must not know how an address was found out.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::text::schema_of_texts;

/// The networks a credential or an organization may be used from. Never empty: "no limit" is the absence of the
/// set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NetworkSet(Box<[IpNet]>);

/// Why a text is no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// A list without entries.
    #[error("the list of networks must not be empty")]
    NoEntries,
    /// Neither an address nor an address with a prefix length.
    #[error("not a network: an IP address is expected, or one with a prefix length, such as 203.0.113.0/24")]
    Malformed,
}

fn parse(entry: &str) -> Result<IpNet, NetworkError> {
    let bare = || entry.parse::<IpAddr>().map(IpNet::from);
    let network = entry.parse::<IpNet>().or_else(|_| bare()).map_err(|_| NetworkError::Malformed)?;
    Ok(canonical(network.trunc()))
}

/// A network of IPv4-mapped addresses becomes the IPv4 network that it is.
fn canonical(network: IpNet) -> IpNet {
    let IpNet::V6(mapped) = network else {
        return network;
    };
    let Some(address) = mapped.network().to_ipv4_mapped() else {
        return network;
    };
    let ipv4 = mapped.prefix_len().checked_sub(96).and_then(|length| Ipv4Net::new(address, length).ok());
    ipv4.map_or(network, IpNet::V4)
}

impl NetworkSet {
    /// Reads a list of networks and bare addresses; the error says which entry (from 0) is wrong and why. Host
    /// bits are cut off.
    pub fn parse(entries: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Self, (usize, NetworkError)> {
        let parse = |(index, entry)| parse(AsRef::as_ref(&entry)).map_err(|error| (index, error));
        let networks: Box<[_]> = entries.into_iter().enumerate().map(parse).collect::<Result<_, _>>()?;
        if networks.is_empty() { Err((0, NetworkError::NoEntries)) } else { Ok(Self(networks)) }
    }

    /// The networks, as they were given.
    pub fn iter(&self) -> std::slice::Iter<'_, IpNet> {
        self.0.iter()
    }

    /// Whether the address is in one of them. `::ffff:a.b.c.d` counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.iter().any(|network| network.contains(&address))
    }

    /// Whether each network lies within one network of `other`.
    pub fn is_within(&self, other: &Self) -> bool {
        self.iter().all(|own| other.iter().any(|theirs| theirs.contains(own)))
    }

    /// The networks that are in both sets: of two networks that overlap, one lies within the other.
    pub(crate) fn common<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a IpNet> {
        self.iter().flat_map(|own| {
            other.iter().filter_map(move |theirs| match () {
                () if theirs.contains(own) => Some(own),
                () if own.contains(theirs) => Some(theirs),
                () => None,
            })
        })
    }

    /// The same as a set of its own; `None` if they have none in common.
    pub fn intersection(&self, other: &Self) -> Option<Self> {
        let both: Box<[IpNet]> = self.common(other).copied().collect();
        (!both.is_empty()).then_some(Self(both))
    }

    /// Separated by spaces, for storage.
    pub fn to_text(&self) -> String {
        self.iter().map(IpNet::to_string).collect::<Vec<_>>().join(" ")
    }

    /// Reads [`to_text`](Self::to_text) back.
    pub fn from_text(text: &str) -> Result<Self, NetworkError> {
        Self::parse(text.split_ascii_whitespace()).map_err(|(_, error)| error)
    }
}

impl<'a> IntoIterator for &'a NetworkSet {
    type Item = &'a IpNet;
    type IntoIter = std::slice::Iter<'a, IpNet>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Serialize for NetworkSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self)
    }
}

impl<'de> Deserialize<'de> for NetworkSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(Vec::<String>::deserialize(deserializer)?)
            .map_err(|(index, error)| de::Error::custom(format_args!("entry {index}: {error}")))
    }
}

schema_of_texts!(NetworkSet, "IP networks in CIDR notation, or bare addresses.", ["203.0.113.0/24", "2001:db8::/32"]);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set(text: &str) -> NetworkSet {
        NetworkSet::from_text(text).unwrap()
    }

    #[test]
    fn networks_are_kept_in_one_form() {
        fn check(entry: &str, expected: Result<&str, NetworkError>) {
            let read = NetworkSet::parse([entry]).map(|set| set.to_text()).map_err(|(_, error)| error);
            assert_eq!(read.as_deref(), expected.as_ref().copied(), "{entry}");
        }
        const MALFORMED: Result<&str, NetworkError> = Err(NetworkError::Malformed);
        check("203.0.113.9", Ok("203.0.113.9/32"));
        check("203.0.113.9/24", Ok("203.0.113.0/24"));
        check("2001:db8::1", Ok("2001:db8::1/128"));
        check("2001:db8::1/32", Ok("2001:db8::/32"));
        check("::ffff:10.1.2.3", Ok("10.1.2.3/32"));
        check("::ffff:10.1.2.3/104", Ok("10.0.0.0/8"));
        check("::ffff:0:0/96", Ok("0.0.0.0/0"));
        check("::/0", Ok("::/0"));
        check("203.0.113.0/33", MALFORMED);
        check("203.0.113", MALFORMED);
        check("localhost", MALFORMED);
        check(" 10.0.0.0/8", MALFORMED);
        check("", MALFORMED);
    }

    #[test]
    fn a_mapped_address_counts_as_ipv4() {
        fn check(networks: &str, address: &str, expected: bool) {
            assert_eq!(set(networks).contains(address.parse().unwrap()), expected, "{networks} {address}");
        }
        check("203.0.113.0/24", "203.0.113.255", true);
        check("203.0.113.0/24", "203.0.114.0", false);
        check("203.0.113.0/24", "::ffff:203.0.113.9", true);
        check("::ffff:203.0.113.0/120", "203.0.113.9", true);
        check("::/0", "203.0.113.9", false);
        check("::/0", "::ffff:203.0.113.9", false);
        check("0.0.0.0/0", "2001:db8::1", false);
        check("10.0.0.0/8 2001:db8::/32", "2001:db8::1", true);
    }

    #[test]
    fn a_set_is_within_another_network_by_network() {
        fn check(inner: &str, outer: &str, expected: bool) {
            assert_eq!(set(inner).is_within(&set(outer)), expected, "{inner} in {outer}");
        }
        check("10.1.0.0/16 10.2.0.1", "10.0.0.0/8", true);
        check("10.0.0.0/8", "10.0.0.0/8", true);
        check("10.0.0.0/8", "10.1.0.0/16", false);
        check("10.0.0.0/8 192.0.2.1", "10.0.0.0/8", false);
        check("10.0.0.0/8", "::/0", false);
    }

    #[test]
    fn a_set_names_the_entry_that_is_wrong_and_is_never_empty() {
        assert_eq!(NetworkSet::from_text(" "), Err(NetworkError::NoEntries));
        assert_eq!(NetworkSet::parse(["10.0.0.0/8", "x"]), Err((1, NetworkError::Malformed)));
        let read: NetworkSet = serde_json::from_str(r#"["10.0.0.1/8"]"#).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), r#"["10.0.0.0/8"]"#);
        assert!(serde_json::from_str::<NetworkSet>("[]").is_err());
    }

    fn any_set() -> impl Strategy<Value = NetworkSet> {
        let network = (any::<u8>(), 24_u8..=32).prop_map(|(host, length)| format!("192.0.2.{host}/{length}"));
        prop::collection::vec(network, 1..4).prop_map(|entries| NetworkSet::parse(entries).unwrap())
    }

    proptest! {
        #[test]
        fn what_is_common_is_in_both(a in any_set(), b in any_set(), host: u8) {
            let address = IpAddr::from([192, 0, 2, host]);
            let common = a.common(&b).any(|network| network.contains(&address));
            prop_assert_eq!(common, a.contains(address) && b.contains(address));
            if a.is_within(&b) && a.contains(address) {
                prop_assert!(b.contains(address));
            }
            prop_assert_eq!(NetworkSet::from_text(&a.to_text()), Ok(a));
        }

        #[test]
        fn reading_never_panics(text in "\\PC*") {
            let _ = NetworkSet::from_text(&text);
        }
    }
}
