"""Checks whether a new node's gossip port is reachable; a security group may block it."""

import asyncio
from typing import Final

from runtime.errors import UnavailableError

_RETRY_SECONDS: Final = 0.05
GOSSIP_PORT: Final = 7946
"""The port for container network discovery between all nodes, over TCP and UDP.
https://docs.docker.com/engine/swarm/swarm-tutorial/#open-protocols-and-ports-between-the-hosts
"""


async def reach(address: str, *, seconds: float = 3.0) -> None:
    """Connect to the node's gossip port, retrying because a new node may not be listening yet.

    Raises:
        UnavailableError: if the port does not respond within `seconds`; the message names the
            ports to open.
    """
    try:
        async with asyncio.timeout(seconds):
            writer = await _connect(address)
    except TimeoutError as exc:
        raise UnavailableError(
            f"{address}:{GOSSIP_PORT} does not respond; open ports 7946/tcp, 7946/udp and 4789/udp"
            " between all nodes"
        ) from exc
    writer.close()


async def _connect(address: str) -> asyncio.StreamWriter:
    while True:
        try:
            return (await asyncio.open_connection(address, GOSSIP_PORT))[1]
        except OSError:
            await asyncio.sleep(_RETRY_SECONDS)
