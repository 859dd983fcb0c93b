"""Auth as a process over a real Redis."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from site_stack import Process

from lab.site import host_stores
from runtime.errors import RefusedError
from services.peers.auth import (
    Auth,
    Login,
)

EMAIL = "reader@example.com"
PASSWORD = "a long enough password"
Opened = Callable[..., Process]


@pytest.fixture
def processes(tmp_path: Path, redis_store: host_stores.Redis) -> Iterator[Opened]:
    """Starts auth over an empty Redis, with the given settings."""
    redis_store.empty()
    running: list[Process] = []

    def start(**settings: str) -> Process:
        environment = {"REDIS_URL": redis_store.url, "REDIS_PASSWORD": redis_store.password}
        process = Process("auth", tmp_path / str(len(running)), environment | settings)
        running.append(process)
        process.start()
        process.wait()
        return process

    yield start
    for process in running:
        process.stop()


@pytest.fixture(scope="session")
def standing_process(
    tmp_path_factory: pytest.TempPathFactory, redis_store: host_stores.Redis
) -> Iterator[Process]:
    environment = {"REDIS_URL": redis_store.url, "REDIS_PASSWORD": redis_store.password}
    process = Process("auth", tmp_path_factory.mktemp("auth"), environment)
    process.start()
    process.wait()
    yield process
    process.stop()


@pytest.fixture
def process(standing_process: Process, redis_store: host_stores.Redis) -> Process:
    """One for all tests, which do not stop it, over an empty Redis."""
    redis_store.empty()
    return standing_process


@pytest.fixture
async def auth(process: Process, session: aiohttp.ClientSession) -> Auth:
    return Auth(session, process.url)


async def signed_up(auth: Auth, email: str = EMAIL) -> Login:
    await auth.sign_up(email, PASSWORD)
    return await auth.login(email, PASSWORD)


async def raw(
    session: aiohttp.ClientSession, method: str, url: str, **options: Any
) -> tuple[int, Mapping[str, str], Any]:
    async with session.request(method, url, **options) as answer:
        content = await answer.json() if "json" in answer.content_type else None
        return answer.status, answer.headers.copy(), content


async def guess(auth: Auth, email: str, client: str | None = None) -> Any:
    """The error that answers a wrong guess."""
    with pytest.raises(RefusedError) as raised:
        await auth.login(email, "a guess, and wrong", client=client)
    return raised.value
