"""The lab's window to the site, with real connections."""

import asyncio
import contextlib
import socket

import pytest

from lab.site.window import Window

HELLO = b"GET / HTTP/1.1\r\n\r\n"


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(1024):
        writer.write(chunk)
        await writer.drain()
    writer.close()


async def test_bytes_pass_both_ways_and_the_next_address_is_tried_when_one_refuses() -> None:
    server = await asyncio.start_server(echo, "127.0.0.2", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        window = Window(["127.0.0.3", "127.0.0.2"], to_port=port)
        async with window.opened():
            for _ in range(3):
                reader, writer = await asyncio.open_connection("127.0.0.1", window.port)
                writer.write(HELLO)
                assert await reader.readexactly(len(HELLO)) == HELLO
                writer.write_eof()
                assert await reader.read() == b""
                writer.close()
                await writer.wait_closed()


@pytest.mark.parametrize("says", [True, False])
async def test_no_connection_outlives_the_window(says: bool) -> None:
    with socket.create_server(("127.0.0.2", 0)) as silent:
        window = Window(["127.0.0.2"], to_port=silent.getsockname()[1])
        before = asyncio.all_tasks()
        async with window.opened():
            reader, writer = await asyncio.open_connection("127.0.0.1", window.port)
            if says:
                writer.write(HELLO)
                there, _ = await asyncio.to_thread(silent.accept)
                assert await asyncio.to_thread(there.recv, 1024) == HELLO
                there.close()
        assert asyncio.all_tasks() == before
        with pytest.raises(OSError):  # noqa: PT011  reset, or refused
            await asyncio.open_connection("127.0.0.1", window.port)
        async with asyncio.timeout(60):
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
        writer.close()
