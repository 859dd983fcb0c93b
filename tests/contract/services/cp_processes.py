"""Runs cp_simulator, cp_api and cp_api_tickle as processes, for the tests of quotes."""
# ruff: noqa: ASYNC220  threads wait for the processes that start here

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
from ports import free_port

REPOSITORY = Path(__file__).resolve().parents[3]

Eventually = Callable[..., Awaitable[Any]]


class Running:
    """One service's process; `log` is its stderr."""

    def __init__(self, name: str, port: int, directory: Path, env: dict[str, str]) -> None:
        self.name = name
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.env = env
        self._log = directory / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        return self._log.read_text()

    async def start(self, eventually: Eventually) -> None:
        with self._log.open("ab") as log_file:
            self._process = subprocess.Popen(
                [sys.executable, "-m", f"services.{self.name}"],
                cwd=REPOSITORY,
                env=os.environ | {"PORT": str(self.port), "LINGER_SECONDS": "0"} | self.env,
                stderr=log_file,
            )
        process = self._process

        async def answers() -> bool:
            assert process.poll() is None, self.log
            try:
                async with aiohttp.request("GET", f"{self.url}/health/live") as answer:
                    return answer.status == 200
            except aiohttp.ClientConnectionError:
                return False

        await eventually(answers, 60)

    async def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        if self._process is None:
            return 0
        process, self._process = self._process, None
        process.send_signal(how)
        try:
            return await asyncio.to_thread(process.wait, 60)
        finally:
            if process.poll() is None:
                process.kill()


@asynccontextmanager
async def running(
    name: str, directory: Path, eventually: Eventually, **env: str
) -> AsyncIterator[Running]:
    service = Running(name, free_port(), directory, env)
    try:
        await service.start(eventually)
        yield service
    finally:
        await service.stop(signal.SIGKILL)


class Simulator:
    """The running simulator, with its routes for tests."""

    def __init__(self, service: Running, session: aiohttp.ClientSession) -> None:
        self.service = service
        self._session = session

    @property
    def url(self) -> str:
        return self.service.url

    async def trouble(self, **fields: Any) -> dict[str, Any]:
        async with self._session.post(f"{self.url}/simulator/trouble", json=fields) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()  # type: ignore[no-any-return]

    async def counts(self) -> dict[str, Any]:
        async with self._session.get(f"{self.url}/simulator/seen") as answer:
            return await answer.json()  # type: ignore[no-any-return]

    async def requests(self, path: str) -> int:
        return int((await self.counts())["asked"].get(path, 0))
