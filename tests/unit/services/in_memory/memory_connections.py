"""Connections in memory between aiohttp's own client and servers: no sockets and no ports.

Everything but the network is real: aiohttp parses and writes each request and each response.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.client_proto import ResponseHandler


class End(asyncio.Transport):
    """One end of a connection."""

    def __init__(self, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._protocol = protocol
        self._is_closing = False
        self.other: End

    def write(self, data: Any) -> None:
        if not self._is_closing:
            self._loop.call_soon(self.other.receive, bytes(data))

    def writelines(self, chunks: Any) -> None:
        self.write(b"".join(bytes(chunk) for chunk in chunks))

    def receive(self, data: bytes) -> None:
        if not self._is_closing:
            self._protocol.data_received(data)

    def close(self) -> None:
        if not self._is_closing:
            self._is_closing = True
            self._loop.call_soon(self._protocol.connection_lost, None)
            self._loop.call_soon(self.other.close)

    abort = close

    def is_closing(self) -> bool:
        return self._is_closing

    def can_write_eof(self) -> bool:
        return False

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("10.0.1.5", 40000) if name == "peername" else default


def connect(client: asyncio.Protocol, server: asyncio.Protocol) -> End:
    """Connect two protocols, and return the client's end."""
    near, far = End(client), End(server)
    near.other, far.other = far, near
    server.connection_made(far)
    client.connection_made(near)
    return near


class Connector(aiohttp.BaseConnector):
    """Connects a client session to servers in memory, by their host names."""

    def __init__(self, servers: Mapping[str, web.Server]) -> None:
        super().__init__()
        self._servers = servers

    async def _create_connection(self, req: Any, *_: Any) -> ResponseHandler:
        client: ResponseHandler = self._factory()
        connect(client, self._servers[req.url.host]())
        return client


class _Collector(asyncio.Protocol):
    def __init__(self) -> None:
        self.content = b""
        self.is_over = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        self.content += data

    def connection_lost(self, _error: Exception | None) -> None:
        if not self.is_over.done():
            self.is_over.set_result(None)


async def status_of(server: web.Server, request: bytes) -> int:
    """Send the bytes of a request that ends its connection, and return the response's status."""
    client = _Collector()
    near = connect(client, server())
    near.write(request)
    async with asyncio.timeout(20):
        await client.is_over
    return int(client.content.split(b" ", 2)[1])
