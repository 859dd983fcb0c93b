"""Limits attempts to log in or sign up, by requiring longer and longer pauses between them.

Rule: count an attempt before its outcome is known. If attempts were counted afterwards, a hundred
simultaneous attempts would all be allowed without a pause.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

from pydantic import IPvAnyNetwork

FORGET_SECONDS: Final = 6 * 3600
"""The count is reset when there have been no attempts for this long."""


@dataclass(frozen=True, slots=True)
class Limit:
    """Allows `free` attempts without a pause, and requires a pause before each further attempt.

    The pause doubles with each attempt, from `first` to `most` seconds.
    """

    kind: str
    free: int
    first: int
    most: int

    def pauses(self) -> list[int]:
        """Return the pause after each attempt, in seconds; the last pause is then repeated."""
        seconds = [0] * (self.free - 1) + [min(self.first, self.most)]
        while seconds[-1] < self.most:
            seconds.append(min(self.most, 2 * seconds[-1]))
        return seconds


def client_address(
    peer: str | None, forwarded: str, trusted: Sequence[IPvAnyNetwork]
) -> str | None:
    """Return the client's address, or None if it cannot be determined.

    `forwarded` is the value of `X-Forwarded-For`. Each proxy appends the address that connected to
    it. The client's address is the last untrusted address; earlier addresses may be forged. For
    IPv6, the result is the /64 network, because a client can use any address in it.
    """
    path = [hop.strip() for hop in forwarded.split(",") if hop.strip()]
    for hop in reversed([*path, peer or ""]):
        try:
            address = ip_address(hop)
        except ValueError:
            return None
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        if not any(address in network for network in trusted):
            if isinstance(address, IPv6Address):
                return str(ip_network((int(address), 64), strict=False))
            return str(address)
    return None
