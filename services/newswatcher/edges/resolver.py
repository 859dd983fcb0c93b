"""Resolves names for a client that may reach only the public internet.

Rule: the check covers the very addresses that the client then connects to, so a name cannot change
its meaning in between.
"""

import socket

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from services.newswatcher.fetching.addresses import is_public


class PrivateAddressError(OSError):
    """A name has no public address."""


class PublicResolver(AbstractResolver):
    """The system's resolver, without addresses that are not public."""

    def __init__(self) -> None:
        self._inner = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The public addresses of a name.

        Raises:
            PrivateAddressError: the name has none.
        """
        results = await self._inner.resolve(host, port, family)
        public = [result for result in results if is_public(result["host"])]
        if not public:
            raise PrivateAddressError(f"{host} is not an address of the public internet")
        return public

    async def close(self) -> None:
        """Close the system's resolver."""
        await self._inner.close()
