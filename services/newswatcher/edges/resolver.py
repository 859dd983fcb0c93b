"""Names to addresses, for a client that may ask the public internet alone.

Rule: the check is on the addresses that are then connected to, so a name cannot mean one thing
when it is checked and another when it is used.
"""

import socket

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from services.newswatcher.fetching.addresses import is_public


class PrivateAddressError(OSError):
    """A name stands for addresses that we do not ask."""


class PublicResolver(AbstractResolver):
    """The system's resolver, less what is not public."""

    def __init__(self) -> None:
        self._inner = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The public addresses of a name.

        Raises:
            PrivateAddressError: it has none.
        """
        found = await self._inner.resolve(host, port, family)
        kept = [one for one in found if is_public(one["host"])]
        if not kept:
            raise PrivateAddressError(f"{host} is not an address of the public internet")
        return kept

    async def close(self) -> None:
        """Nothing is open."""
        await self._inner.close()
