"""A real service process is told to stop while clients go on asking."""
# ruff: noqa: ASYNC220  one process is started and waited for in a thread

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from ports import free_port
from waiting import PATIENCE

from runtime import clock

REPOSITORY = Path(__file__).resolve().parents[2]
LINGER_SECONDS = "600"
"""Longer than any test: a second signal ends it, or the end of the test does."""
ENDLESS = {"FINISH_SECONDS": "600"}
"""Whoever waits for what does not end is noticed long before this."""


class Service:
    """The lab's test application in a process of its own."""

    def __init__(self, process: "subprocess.Popen[bytes]", url: str) -> None:
        self.process = process
        self.url = url

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    async def is_leaving(self) -> bool:
        return (await ask(f"{self.url}/health"))[0] == 503

    async def ended(self) -> int:
        return await asyncio.to_thread(self.process.wait, 30 * PATIENCE)

    @asynccontextmanager
    async def begun(self, path: str) -> AsyncIterator[asyncio.StreamReader]:
        """A request that the service works on already, and what comes back of it."""
        host, _, port = self.url.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            # The service says 100 to this just before it begins.
            asked = f"GET {path} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n"
            writer.write(asked.encode())
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
            yield reader
        finally:
            writer.close()


@asynccontextmanager
async def serving(eventually: Callable[..., Awaitable[Any]], **env: str) -> AsyncIterator[Service]:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "lab.load.app"],
        cwd=REPOSITORY,
        env=os.environ | {"PORT": str(port), "LINGER_SECONDS": LINGER_SECONDS} | env,
        stderr=subprocess.DEVNULL,
    )
    service = Service(process, f"http://127.0.0.1:{port}")

    async def answers() -> bool:
        try:
            return (await ask(f"{service.url}/health"))[0] == 200
        except aiohttp.ClientConnectionError:
            return False

    try:
        await eventually(answers)
        yield service
    finally:
        process.kill()
        process.wait()


async def ask(url: str, session: aiohttp.ClientSession | None = None) -> tuple[int, str]:
    """Status and `Connection` of one answer, over a new connection unless a session is given."""
    if session is None:
        async with aiohttp.ClientSession() as own:
            return await ask(url, own)
    async with session.get(url) as answer:
        await answer.read()
        return answer.status, answer.headers.get("Connection", "")


@pytest.mark.parametrize("keeps_alive", [True, False], ids=["keep-alive", "new connections"])
async def test_no_request_is_lost_while_a_stopped_service_lingers(
    keeps_alive: bool, eventually: Any
) -> None:
    async with serving(eventually) as service, aiohttp.ClientSession() as session:
        seen = []
        told = float("inf")
        while len(seen) < 150 or clock.monotonic() < told + 3.8:
            seen.append(await ask(service.url, session if keeps_alive else None))
            if len(seen) == 50:
                service.stop()
                told = clock.monotonic()
            await asyncio.sleep(0.005)

        service.stop()
        assert {status for status, _ in seen} == {200}
        assert seen[0][1] == ""
        assert {connection for _, connection in seen[-50:]} == {"close"}
        assert await service.ended() == 0


async def test_a_service_told_to_stop_is_not_ready_but_serves(eventually: Any) -> None:
    async with serving(eventually) as service:
        service.stop()
        await eventually(service.is_leaving)
        assert (await ask(service.url))[0] == 200


async def test_a_slow_request_in_flight_is_finished_after_the_linger(eventually: Any) -> None:
    settings = ENDLESS | {"LINGER_SECONDS": "0.2"}
    async with serving(eventually, **settings) as service, service.begun("/slow/2") as slow:
        service.stop()
        assert (await slow.readline()).startswith(b"HTTP/1.1 200 ")
        assert await service.ended() == 0


async def test_a_request_that_never_ends_does_not_keep_the_service_alive(eventually: Any) -> None:
    async with (
        serving(eventually, LINGER_SECONDS="0.2", FINISH_SECONDS="0.5") as service,
        service.begun("/slow/600") as endless,
    ):
        service.stop()
        assert await service.ended() == 0
        assert await endless.read() == b""


async def test_an_idle_kept_connection_does_not_keep_the_service_alive(eventually: Any) -> None:
    settings = ENDLESS | {"LINGER_SECONDS": "0.2"}
    async with serving(eventually, **settings) as service, aiohttp.ClientSession() as one:
        await ask(service.url, one)
        service.stop()
        assert await service.ended() == 0


async def test_a_second_signal_ends_the_linger(eventually: Any) -> None:
    async with serving(eventually) as service:
        service.stop()
        await eventually(service.is_leaving)
        service.stop()
        assert await service.ended() == 0


async def catches_sigterm(pid: int) -> bool:
    """Whether the process has a handler: until its interpreter has started, it has none."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")  # noqa: ASYNC240
    caught = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)


async def test_a_service_told_to_stop_before_it_serves_ends_immediately(eventually: Any) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "lab.load.app"],
        cwd=REPOSITORY,
        env=os.environ | {"START_SECONDS": "600"},
        stderr=subprocess.DEVNULL,
    )
    try:
        await eventually(lambda: catches_sigterm(process.pid))
        process.terminate()
        assert await asyncio.to_thread(process.wait, 30 * PATIENCE) == 0
    finally:
        process.kill()
        process.wait()
