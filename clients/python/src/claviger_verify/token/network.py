"""From where: sets of IP networks. The room must not know how an address was found out."""

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network

_LENGTH = re.compile(r"0|[1-9][0-9]{0,2}")


def read_address(text: object) -> IPv4Address | IPv6Address | None:
    """An address, of no particular interface; one of IPv4 that is written as IPv6 is one of IPv4."""
    if not isinstance(text, str) or "%" in text:
        return None
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _network_of(text: object) -> Network | None:
    if not isinstance(text, str) or "%" in text:
        return None
    _, slash, length = text.partition("/")
    if slash and _LENGTH.fullmatch(length) is None:
        return None
    try:
        network = ip_network(text, strict=False)
        if isinstance(network, IPv6Network) and network.prefixlen >= 96:
            mapped = network.network_address.ipv4_mapped
            if mapped is not None:
                return ip_network((mapped, network.prefixlen - 96))
    except ValueError:
        return None
    return network


def read_networks(value: object) -> tuple[Network, ...] | None:
    """The networks of a list, if it is one. None is empty: "no limit" is its absence."""
    if not isinstance(value, list) or not value:
        return None
    networks = [_network_of(entry) for entry in value]
    known = [network for network in networks if network is not None]
    return tuple(known) if len(known) == len(networks) else None


def contain(networks: Iterable[Network], address: IPv4Address | IPv6Address) -> bool:
    """Whether the address is in one of them."""
    return any(address in network for network in networks)
