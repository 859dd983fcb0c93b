"""The site's processes, stores and browser, for all of its tests: they take long to start.

Rule: a test makes its own reader, and starts again what it stopped. The browser lives in the
session's event loop, and so do the tests that use it: `pytestmark = IN_THE_BROWSERS_LOOP`.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser
from ports import free_port
from site_articles import publish
from site_browser import Visitor, chromium, visitor
from site_stack import Stack
from waiting import PATIENCE, poll

from lab.host import LabError
from lab.site import host_stores
from runtime import clock
from services.peers.quotes import Quotes, QuotesAwayError
from services.stores import design
from services.stores.couch import Couch
from services.stores.news import Article, News
from services.webservice.settings import Settings

Eventually = Callable[..., Awaitable[Any]]
IN_THE_BROWSERS_LOOP: Final = pytest.mark.asyncio(loop_scope="session")
_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def site_ground(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("site")


@pytest.fixture(scope="session")
def site_stores(site_ground: Path) -> Iterator[dict[str, Any]]:
    """Stores of the site's own: its tests share them, stop them and start them."""
    stores: dict[str, Any] = {
        "redis": host_stores.Redis(site_ground / "redis", free_port()),
        "couch": host_stores.Couch(site_ground / "couch", free_port()),
        "influx": host_stores.Influx(site_ground / "influx", free_port(), inner_port=free_port()),
    }
    try:
        for store in stores.values():
            store.start()
        yield stores
    except LabError as exc:
        pytest.fail(str(exc))
    finally:
        for store in stores.values():
            store.stop()


@asynccontextmanager
async def written(url: str) -> AsyncIterator[News]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20 * PATIENCE)) as session:
        yield News(Couch(session, url))


@pytest.fixture(scope="session")
def articles(site_stores: dict[str, Any]) -> list[Article]:
    async def write() -> list[Article]:
        async with written(site_stores["couch"].url) as news:
            await news.prepare()
            published = await publish(news, now=clock.now())
            # The first read of a view builds its index, for which no page should have to wait.
            for view in design.DESIGN["views"]:
                await news._couch.view("news", design.NAME, view, limit=1)
            return published

    return asyncio.run(write())


async def first_quotes(url: str) -> None:
    """Wait for the quotes of the watch list: the first ones take several paced calls."""
    symbols = Settings.model_fields["watch_list"].default.split()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20 * PATIENCE)) as session:

        async def are_there() -> bool:
            try:
                return not (await Quotes(session, url).look_up(symbols)).unavailable
            except QuotesAwayError:
                return False

        await poll(are_there, 60)


@pytest.fixture(scope="session")
def stack(
    site_ground: Path, site_stores: dict[str, Any], articles: list[Article]
) -> Iterator[Stack]:
    stack = Stack(site_ground, **site_stores)
    try:
        stack.start()
        asyncio.run(first_quotes(stack.quotes.url))
        yield stack
    finally:
        stack.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as opened:
        yield opened


@pytest.fixture
def email() -> str:
    return f"reader{next(_NUMBERS)}@site-tests.org"


@pytest_asyncio.fixture(loop_scope="session")
async def reader(browser: Browser, stack: Stack, email: str) -> AsyncIterator[Visitor]:
    """Somebody new; at the end no page may have complained or asked another host."""
    async with visitor(browser, stack.site.url, email) as one:
        yield one
        assert one.complaints == []
        assert one.hosts == {urlsplit(stack.site.url).netloc}


@pytest_asyncio.fixture(loop_scope="session")
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    """A program: no cookies but those it is given."""
    limit = aiohttp.ClientTimeout(total=30 * PATIENCE)
    async with aiohttp.ClientSession(timeout=limit, cookie_jar=aiohttp.DummyCookieJar()) as one:
        yield one
