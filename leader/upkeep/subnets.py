"""Chooses addresses for overlay networks that do not hide anything that tasks must reach.

Rule: an overlay network with the VPC's addresses hides the VPC's resolver and databases from its
tasks. Swarm's default pool starts at 10.0.0.0, as most VPCs do. Docker's local networks use
172.17.0.0/12 and 192.168.0.0/16, so these are never chosen.
"""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network
from typing import Final

PREFIX: Final = 20
"""The prefix length of overlay networks: 4,093 addresses for tasks and nodes.

Swarm's default of 24 leaves 253. Each task takes one, each node one, and each service one.
"""
POOL_PREFIX: Final = 12
"""The prefix length of a swarm's address pool, which is enough for 256 networks."""
_PRIVATE: Final = (IPv4Network("10.0.0.0/8"), IPv4Network("100.64.0.0/10"))
_NEIGHBOURS: Final = 16
"""If the VPC's addresses are unknown, a machine's own /16 is left alone: no VPC is larger."""


def choose_pool(avoid: Iterable[IPv4Network]) -> IPv4Network | None:
    """Return an address pool for a new swarm that meets none of these blocks, or None.

    High addresses come first, because people assign addresses from the low end.
    """
    return next(_apart(_PRIVATE, POOL_PREFIX, avoid), None)


def free_subnet(
    avoid: Iterable[IPv4Network], *, pool: IPv4Network | None = None
) -> IPv4Network | None:
    """Return a subnet for one overlay network that meets none of these blocks, or None.

    The subnet comes from `pool` if the operator has set one.
    """
    return next(_apart(_PRIVATE if pool is None else (pool,), PREFIX, avoid), None)


def neighbourhood(address: str) -> IPv4Network | None:
    """Return the block around a machine's address that may be the VPC's, or None if not IPv4."""
    try:
        return IPv4Network((IPv4Address(address), _NEIGHBOURS), strict=False)
    except ValueError:
        return None


def _apart(
    blocks: Iterable[IPv4Network], prefix: int, avoid: Iterable[IPv4Network]
) -> Iterator[IPv4Network]:
    taken = tuple(avoid)
    for block in blocks:
        size = 2 ** (32 - prefix)
        for number in reversed(range(block.num_addresses // size)):
            subnet = IPv4Network((int(block.network_address) + number * size, prefix))
            if not any(subnet.overlaps(other) for other in taken):
                yield subnet
