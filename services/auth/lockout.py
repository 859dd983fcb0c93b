"""How often somebody may try, and for how long he pauses then.

Rule: a try counts before it is known to be wrong. Counted afterwards, a hundred tries at the same
moment would all be free.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

from pydantic import IPvAnyNetwork

FORGET_SECONDS: Final = 6 * 3600
"""So long after the last try the count begins anew."""


@dataclass(frozen=True, slots=True)
class Limit:
    """`free` tries, then a pause of `first` seconds that doubles with each, up to `most`."""

    kind: str
    free: int
    first: int
    most: int

    def pauses(self) -> list[int]:
        """Seconds to pause after the first try, the second, …; the last is for all that follow."""
        found = [0] * (self.free - 1) + [min(self.first, self.most)]
        while found[-1] < self.most:
            found.append(min(self.most, 2 * found[-1]))
        return found


def client_address(
    peer: str | None, forwarded: str, trusted: Sequence[IPvAnyNetwork]
) -> str | None:
    """Who asks: the last address on the way that is not ours; None when all are ours.

    `forwarded` is `X-Forwarded-For`, to whose right each proxy has added the address it saw; what
    stands to the left of an address we do not trust was invented by it. Of IPv6 the network counts:
    whoever has one address there has 2^64.
    """
    way = [part.strip() for part in forwarded.split(",") if part.strip()]
    for one in reversed([*way, peer or ""]):
        try:
            address = ip_address(one)
        except ValueError:
            return None
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        if not any(address in network for network in trusted):
            if isinstance(address, IPv6Address):
                return str(ip_network((int(address), 64), strict=False))
            return str(address)
    return None
