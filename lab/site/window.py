"""A port of this host that leads to the site's ingress, for browsers.

Rule: it passes bytes and knows nothing of HTTP. Browsers send everything below `localhost` to
their own machine, so a person can open the site by its name; each connection goes to the next
manager, and to another one when that does not answer.
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
    """Forwards a port to whichever ingress answers."""

    def __init__(self, addresses: Sequence[str], *, to_port: int = 80) -> None:
        self._turns = itertools.count()
        self._addresses = list(addresses)
        self._to_port = to_port
        self._writers: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self.port = 0

    @asynccontextmanager
    async def opened(self, port: int = 0) -> AsyncIterator[asyncio.Server]:
        """Listen on the loopback; on a free port by default. No connection outlives it."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield server
        finally:
            server.close()
            # A browser keeps its connections, and one that is being made comes late.
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
            there = await self._dial()
            if there is None:
                return
            async with self._closing(there[1]), asyncio.TaskGroup() as group:
                group.create_task(_pump(reader, there[1]), name="to the ingress")
                group.create_task(_pump(there[0], writer), name="from the ingress")

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
    # The lab's directory comes first, so that `lab.sweep` knows whose this is.
    here = Places.here()
    assert sys.argv[1] == str(here.lab)
    sys.exit(lifecycle.run(_live(here, sys.argv[2:]), name="lab.site.window"))
