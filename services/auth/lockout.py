"""How many attempts are free, and how long the pause after each further one is.

Rule: an attempt counts before its outcome is known. Counted afterwards, a hundred simultaneous
attempts would all be free.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

from pydantic import IPvAnyNetwork

FORGET_SECONDS: Final = 6 * 3600
"""How long after the last attempt the count restarts."""


@dataclass(frozen=True, slots=True)
class Limit:
    """`free` attempts, then a pause of `first` seconds that doubles with each, up to `most`."""

    kind: str
    free: int
    first: int
    most: int

    def pauses(self) -> list[int]:
        """Seconds to pause after each attempt in turn; the last value is for all that follow."""
        seconds = [0] * (self.free - 1) + [min(self.first, self.most)]
        while seconds[-1] < self.most:
            seconds.append(min(self.most, 2 * seconds[-1]))
        return seconds


def client_address(
    peer: str | None, forwarded: str, trusted: Sequence[IPvAnyNetwork]
) -> str | None:
    """The client's address: the last one on the path that is not trusted; None if all are.

    `forwarded` is `X-Forwarded-For`. Each proxy appends the address it saw, so anything to the
    left of an untrusted address may be forged. IPv6 clients count by /64 network, because each
    has 2^64 addresses.
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
