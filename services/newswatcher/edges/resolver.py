"""Resolves host names and opens sockets for a client that may use only the public internet.

Rule: the address that is checked is the one that the socket connects to. How a URL spells its host,
or whether a DNS record has changed since it was resolved, therefore has no effect.
"""

import socket

from aiohttp import AddrInfoType
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from services.newswatcher.fetching.addresses import is_public


class PrivateAddressError(OSError):
    """The host name has no public address."""


def public_socket(address: AddrInfoType) -> socket.socket:
    """Return a new socket for an address that the client is about to connect to.

    Raises:
        PrivateAddressError: if the address is not on the public internet.
    """
    family, kind, protocol, _, destination = address
    if family not in (socket.AF_INET, socket.AF_INET6) or not is_public(str(destination[0])):
        raise PrivateAddressError(f"{destination[0]} is not on the public internet")
    return socket.socket(family=family, type=kind, proto=protocol)


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
