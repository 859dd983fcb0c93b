"""Forwards a port on this host to the site's ingress, so that browsers can open the site.

Rule: forward bytes without parsing HTTP. Browsers resolve `localhost` and all its subdomains to the
loopback address, so a user can open the site by name. Connections are forwarded to the managers in
turn. If a manager does not respond, the next manager is tried.
"""

import asyncio
import contextlib
import itertools
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from lab.places import Places
from runtime import lifecycle, logs

_DIAL_SECONDS = 2.0
_CHUNK = 65536


class Window:
    """Forwards connections from a local port to an ingress that responds."""

    def __init__(self, addresses: Sequence[str], *, to_port: int = 80) -> None:
        self._turns = itertools.count()
        self._addresses = list(addresses)
        self._to_port = to_port
        self._writers: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self.port = 0

    @asynccontextmanager
    async def opened(self, port: int = 0) -> AsyncIterator[asyncio.Server]:
        """Listen on the loopback address until the `with` block ends; then close all connections.

        If `port` is 0, listen on any free port.
        """
        server = await asyncio.start_server(self._accept, "127.0.0.1", port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield server
        finally:
            server.close()
            # Browsers keep connections open, and new connections may arrive during the shutdown.
            while self._serving:
                for writer in self._writers:
                    writer.transport.abort()
                await asyncio.wait(self._serving, timeout=0.1)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._forward(reader, writer), name="a connection")
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with self._closing(writer):
            ingress = await self._dial()
            if ingress is None:
                return
            async with self._closing(ingress[1]), asyncio.TaskGroup() as group:
                group.create_task(_pump(reader, ingress[1]), name="to the ingress")
                group.create_task(_pump(ingress[0], writer), name="from the ingress")

    @asynccontextmanager
    async def _closing(self, writer: asyncio.StreamWriter) -> AsyncIterator[None]:
        self._writers.add(writer)
        try:
            yield
        finally:
            self._writers.discard(writer)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        start = next(self._turns)
        for step in range(len(self._addresses)):
            address = self._addresses[(start + step) % len(self._addresses)]
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(_DIAL_SECONDS):
                    return await asyncio.open_connection(address, self._to_port)
        return None


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(_CHUNK):
            writer.write(chunk)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


async def _live(places: Places, addresses: Sequence[str]) -> None:
    async with Window(addresses).opened(places.window_port) as server:
        await server.serve_forever()


if __name__ == "__main__":
    logs.configure()
    # The first argument is the lab's directory, by which `lab.sweep` finds this process.
    places = Places.here()
    assert sys.argv[1] == str(places.lab)
    sys.exit(lifecycle.run(_live(places, sys.argv[2:]), name="lab.site.window"))
