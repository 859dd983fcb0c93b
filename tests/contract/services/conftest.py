"""The services' stores, running: Redis and InfluxDB themselves, pouchdb-server for CouchDB.

`redis_url`, `couch_url` and `influx_url` are empty stores, one test at a time. What a whole
session of tests shares (services as processes, a browser) takes `redis_store`, `couch_store` and
`influx_store` instead, and empties nothing. A test that stops a store takes `stores`.
"""

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

sys.path.insert(0, str(Path(__file__).parent))

import aiohttp
import pytest
from api_stage import Account, Client, Stage
from auth_stage import auth, process, processes, standing_process
from newswatcher_stage import server, stage
from ports import free_port
from pydantic import SecretStr
from site_stack import Process
from site_stage import articles, browser, client, email, reader, site_ground, site_stores, stack
from waiting import PATIENCE

from lab.host import LabError
from lab.site import host_stores
from services.stores.couch import Couch
from services.stores.news import News

__all__ = [
    "articles",
    "auth",
    "browser",
    "client",
    "email",
    "process",
    "processes",
    "reader",
    "server",
    "site_ground",
    "site_stores",
    "stack",
    "stage",
    "standing_process",
]
_SESSION_SECONDS = 20.0 * PATIENCE
"""Time-out of the tests' own calls: generous, for a host that is busy with other tests."""


@pytest.fixture(scope="session")
def stores_ground() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ssv-", ignore_cleanup_errors=True) as path:
        yield Path(path)


def _running(store: host_stores.Store) -> Iterator[Any]:
    try:
        store.start()
    except LabError as exc:
        pytest.fail(str(exc))
    try:
        yield store
    finally:
        store.stop()


@pytest.fixture(scope="session")
def redis_store(stores_ground: Path) -> Iterator[host_stores.Redis]:
    yield from _running(host_stores.Redis(stores_ground / "redis", free_port()))


@pytest.fixture(scope="session")
def couch_store(stores_ground: Path) -> Iterator[host_stores.Couch]:
    yield from _running(host_stores.Couch(stores_ground / "couch", free_port()))


@pytest.fixture(scope="session")
def influx_store(stores_ground: Path) -> Iterator[host_stores.Influx]:
    yield from _running(
        host_stores.Influx(stores_ground / "influx", free_port(), inner_port=free_port())
    )


class Stores:
    """All three stores, for tests that stop one; it is started again after the test."""

    def __init__(
        self, redis: host_stores.Redis, couch: host_stores.Couch, influx: host_stores.Influx
    ) -> None:
        self.redis = redis
        self.couch = couch
        self.influx = influx

    def _named(self, name: str) -> host_stores.Store:
        return {"redis": self.redis, "couch": self.couch, "influx": self.influx}[name]

    async def stop(self, name: str) -> None:
        """Stop `redis`, `couch` or `influx`; its data stays."""
        await asyncio.to_thread(self._named(name).stop)

    async def start(self, name: str) -> None:
        """Start it again at its address."""
        await asyncio.to_thread(self._named(name).start)


@pytest.fixture
def stores(
    redis_store: host_stores.Redis,
    couch_store: host_stores.Couch,
    influx_store: host_stores.Influx,
) -> Iterator[Stores]:
    yield Stores(redis_store, couch_store, influx_store)
    for store in (redis_store, couch_store, influx_store):
        store.start()


@pytest.fixture
def redis_url(redis_store: host_stores.Redis) -> str:
    """The URL of an empty Redis, without its password, which is `redis_password`."""
    redis_store.empty()
    return redis_store.url


@pytest.fixture
def redis_password(redis_store: host_stores.Redis) -> SecretStr:
    return SecretStr(redis_store.password)


@pytest.fixture
def couch_url(couch_store: host_stores.Couch) -> str:
    """A CouchDB without databases (the stand-in has no accounts)."""
    couch_store.empty()
    return couch_store.url


@pytest.fixture
def influx_url(influx_store: host_stores.Influx) -> str:
    """An InfluxDB without databases; the user is `spotswarm`, with `influx_password`."""
    influx_store.empty()
    return influx_store.url


@pytest.fixture
def influx_password(influx_store: host_stores.Influx) -> SecretStr:
    return SecretStr(influx_store.password)


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """The test's own HTTP client."""
    limit = aiohttp.ClientTimeout(total=_SESSION_SECONDS)
    async with aiohttp.ClientSession(timeout=limit) as opened:
        yield opened


@pytest.fixture
def couch(session: aiohttp.ClientSession, couch_url: str) -> Couch:
    return Couch(session, couch_url)


@pytest.fixture
async def news(couch: Couch) -> News:
    """The news database, empty and with its views."""
    made = News(couch)
    await made.prepare()
    return made


@pytest.fixture(scope="session")
def api_stage(
    tmp_path_factory: pytest.TempPathFactory,
    redis_store: host_stores.Redis,
    couch_store: host_stores.Couch,
    influx_store: host_stores.Influx,
) -> Iterator[Any]:
    """public_api with auth and quotes, as processes, for all tests of it; stores empty at first.

    An `api_stage.Stage`.
    """
    for store in (redis_store, couch_store, influx_store):
        store.empty()
    made = Stage(
        tmp_path_factory.mktemp("api"), redis=redis_store, couch=couch_store, influx=influx_store
    )
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture
async def account(api_stage: Stage, session: aiohttp.ClientSession) -> Account:
    """One account for all tests of a stage, because auth limits sign-ups per address."""
    found = Account(session, api_stage.auth.url)
    if not api_stage.access:
        await found.sign_up()
        api_stage.access = found.access
    found.access = api_stage.access
    return found


@pytest.fixture
async def api(api_stage: Stage, session: aiohttp.ClientSession, account: Account) -> Client:
    """A client of public_api with a token that has every scope."""
    return Client(session, api_stage.api.url, await account.token())


@pytest.fixture
async def restarted(api_stage: Stage) -> AsyncIterator[Callable[[Process], Any]]:
    """Stops a process; it is started again after the test, or earlier on request."""
    stopped: list[Process] = []

    async def stop(process: Process) -> Callable[[], Awaitable[None]]:
        await asyncio.to_thread(process.stop)
        stopped.append(process)

        async def start() -> None:
            stopped.remove(process)
            process.start()
            await asyncio.to_thread(process.wait)

        return start

    yield stop
    for away in stopped:
        away.start()
        await asyncio.to_thread(away.wait)
