"""Resolves host names for a client that may connect only to the public internet.

Rule: the client connects only to the addresses that were checked. A DNS record that changes between
the check and the connection therefore has no effect.
"""

import socket

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from services.newswatcher.fetching.addresses import is_public


class PrivateAddressError(OSError):
    """The host name has no public address."""


class PublicResolver(AbstractResolver):
    """The system's resolver, limited to public addresses."""

    def __init__(self) -> None:
        self._inner = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the public addresses of a host name.

        Raises:
            PrivateAddressError: if the name has no public address.
        """
        results = await self._inner.resolve(host, port, family)
        public = [result for result in results if is_public(result["host"])]
        if not public:
            raise PrivateAddressError(f"{host} is not on the public internet")
        return public

    async def close(self) -> None:
        """Close the system's resolver."""
        await self._inner.close()
