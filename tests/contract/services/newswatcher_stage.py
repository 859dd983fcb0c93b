"""newswatcher with the test's own feed server and a real database."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from feeds import FeedServer, serving

from services.newswatcher.app import opened
from services.newswatcher.polling import FeedPoller
from services.newswatcher.settings import Settings
from services.stores.article import Article
from services.stores.news import News, NewsQuery


@pytest.fixture
async def server() -> AsyncIterator[FeedServer]:
    async with serving() as feed_server:
        yield feed_server


class Stage:
    """newswatcher without pauses: the test starts each poll."""

    def __init__(self, tmp_path: Path, couch_url: str) -> None:
        self._tmp_path = tmp_path
        self._couch_url = couch_url

    @asynccontextmanager
    async def watches(
        self, *urls: str, pages: bool = True, **settings: Any
    ) -> AsyncIterator[tuple[list[FeedPoller], web.Application]]:
        """A poller for each URL, with its state from the database."""
        environment = settings_of(self._tmp_path, self._couch_url, urls, pages=pages, **settings)
        async with opened(Settings(**environment)) as (app, pollers):
            for poller in pollers:
                await restored(poller)
            yield pollers, app

    @asynccontextmanager
    async def watch(self, url: str, **settings: Any) -> AsyncIterator[FeedPoller]:
        async with self.watches(url, **settings) as ((watch,), _):
            yield watch


async def restored(poller: FeedPoller) -> None:
    poller.state = await poller._shared.states.load(poller.feed)


def settings_of(
    tmp_path: Path, couch_url: str, urls: Sequence[str], *, pages: bool, **settings: Any
) -> dict[str, Any]:
    sections = [
        f'[[feeds]]\nname = "Feed {number}"\nurl = "{url}"\npages = {str(pages).lower()}\n'
        for number, url in enumerate(urls, 1)
    ]
    file = tmp_path / "feeds.toml"
    file.write_text("\n".join(sections))
    return {
        "feeds_file": file,
        "couchdb_url": couch_url,
        "couchdb_user": "",
        "allow_private": True,
        "host_interval_seconds": 0.0,
        "fetch_seconds": 60.0,
        "parse_seconds": 60.0,
        **settings,
    }


@pytest.fixture
def stage(tmp_path: Path, couch_url: str) -> Stage:
    return Stage(tmp_path, couch_url)


async def articles(news: News) -> list[Article]:
    listed, _ = await news.page(NewsQuery(limit=100))
    return [await news.article(listing.id) for listing in listed]


async def titles(news: News) -> list[str]:
    return [article.title for article in await articles(news)]
