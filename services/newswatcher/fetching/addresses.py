"""Checks whether an IP address is public. Connections to other addresses are not allowed.

This module does no I/O.

Rule: if an IPv6 address contains an IPv4 address (mapped, 6to4, NAT64, Teredo), the IPv4 address
is checked, because networks may translate the IPv6 address into the IPv4 address.
"""

import ipaddress
from typing import Final

_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_NOT_PUBLIC: Final = tuple(
    ipaddress.ip_network(network)
    for network in (
        "100.64.0.0/10",  # shared by carriers' customers
        "192.0.0.0/24",  # protocols of networks; some clouds serve credentials here
        "192.88.99.0/24",  # relays of 6to4
        "64:ff9b:1::/48",  # NAT64 inside a network
        "100::/32",  # discarded
        "3fff::/20",  # documentation
        "5f00::/16",  # segment routing
        "fec0::/10",  # site-local
    )
)
"""Networks that some versions of `ipaddress` consider global."""


def is_public(address: str) -> bool:
    """Return whether a string is a public IP address."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address):
        inner = _embedded(parsed)
        if inner is not None:
            return _is_global(inner)
    return _is_global(parsed)


def _embedded(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    if address.teredo is not None:
        return address.teredo[1]
    return None


def _is_global(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if address.is_multicast or address.is_reserved or address.is_unspecified:
        return False
    if any(address in network for network in _NOT_PUBLIC):
        return False
    return address.is_global
