"""Feeds and servers that attack: what they cost, and what is counted."""

import gzip
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, TestServer
from feeds import FeedServer, Item, items, rss, story
from newswatcher_stage import Stage, articles, titles

from runtime import clock
from services.newswatcher.edges import resolver
from services.stores.article import article_id
from services.stores.couch import Couch
from services.stores.news import News, NewsQuery

YEAR_ONE = (Path(__file__).parents[2] / "unit/services/newswatcher/data/year-one.xml").read_bytes()


async def counted(app: aiohttp.web.Application) -> str:
    async with TestClient(TestServer(app)) as client:
        return await (await client.get("/metrics")).text()


async def test_an_entry_of_the_year_one_is_dated_when_it_was_found(
    stage: Stage, server: FeedServer, news: News
) -> None:
    server.says("/feed", YEAR_ONE, content_type="text/xml")
    async with stage.watch(f"{server.url}/feed", pages=False) as watch:
        await watch.poll()
        assert watch.state.failures == 0
    dated = {one.title: one.published for one in await articles(news)}
    assert (clock.now() - dated["Talks"]).total_seconds() < 600
    assert dated["News"].year == 2026


async def test_unreadable_documents_end_no_poll_and_the_articles_replace_them(
    stage: Stage, server: FeedServer, news: News, couch: Couch
) -> None:
    told = items(server, 3)
    server.feed("/feed", told)
    bad: dict[str, Any] = {"type": "news", "published": "900-05-05T00:00:00Z", "fingerprint": "?"}
    await couch.put("news", {"_id": article_id(told[0].link), **bad})
    await couch.put("news", {"_id": "news-" + "f" * 32, **bad})
    async with stage.watch(f"{server.url}/feed", pages=False) as watch:
        await watch.poll()
        assert (watch.state.failures, len(watch.state.seen)) == (0, 3)
    assert sorted(await titles(news)) == [f"Headline number {number}" for number in (1, 2, 3)]


async def test_an_entry_that_cannot_be_stored_costs_only_itself(
    stage: Stage, server: FeedServer, news: News, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.feed("/feed", items(server, 3))
    async with stage.watches(f"{server.url}/feed", pages=False) as ((watch,), app):
        write = watch._shared.writer.write

        async def fails(fetched: Any) -> str:
            if fetched.article.title.endswith("2"):
                raise ZeroDivisionError
            return await write(fetched)

        # No entry is known that makes the writer fail, so the test makes it fail.
        monkeypatch.setattr(watch._shared.writer, "write", fails)
        await watch.poll()
        assert watch.state.failures == 0
        metrics = await counted(app)
    assert sorted(await titles(news)) == ["Headline number 1", "Headline number 3"]
    assert 'contained_faults_total{path="entries of feeds"}' in metrics
    assert 'newswatcher_refused_entries_total{feed="Feed 1"}' in metrics


async def test_headers_that_cannot_be_stored_are_not(
    stage: Stage, server: FeedServer, news: News
) -> None:
    body = rss(items(server, 1))
    server.says("/feed", body, content_type="text/xml", ETag='"\u00e9"', Last_Modified="x" * 5000)
    async with stage.watch(f"{server.url}/feed", pages=False) as watch:
        await watch.poll()
        assert (watch.state.failures, watch.state.etag, watch.state.modified) == (0, None, None)
    assert await titles(news) == ["Headline number 1"]


@pytest.mark.parametrize(
    "location",
    [
        "http://127\u30020\u30020\u30021:{port}/secret",
        "http://{port}.localhost:{port}/secret",
        "//[::ffff:127.0.0.1]:{port}/secret",
    ],
)
async def test_a_redirect_to_a_private_address_is_refused_however_it_is_written(
    stage: Stage,
    server: FeedServer,
    news: News,
    monkeypatch: pytest.MonkeyPatch,
    location: str,
) -> None:
    """`feed.example` stands for a public host: only its name resolution and address are faked."""

    class Public(resolver.PublicResolver):
        async def resolve(self, host: str, port: int = 0, family: Any = 0) -> Any:
            if host != "feed.example":
                return await super().resolve(host, port, family)
            address = {"hostname": host, "host": "127.0.0.1", "port": port}
            return [{**address, "family": 2, "proto": 0, "flags": 0}]

    checked: list[str] = []
    real = resolver.public_socket

    def opened(address: Any) -> Any:
        checked.append(address[4][0])
        if len(checked) == 1:
            return socket.socket(family=address[0], type=address[1], proto=address[2])
        return real(address)

    monkeypatch.setattr("services.newswatcher.edges.web.PublicResolver", Public)
    monkeypatch.setattr("services.newswatcher.edges.web.public_socket", opened)
    server.moves("/feed", location.format(port=server.port), status=302)
    server.says("/secret", rss(items(server, 1)), content_type="text/xml")
    url = f"http://feed.example:{server.port}/feed"
    async with stage.watch(url, pages=False, allow_private=False) as watch:
        await watch.poll()
        assert watch.state.failures == 1
    assert server.times("/feed") == 1
    assert server.times("/secret") == 0


def compressed(body: bytes) -> Sequence[tuple[str, bytes, dict[str, str]]]:
    once = gzip.compress(body)
    return [
        ("/plain", body, {"Content_Encoding": "gzip"}),
        ("/padded", once + bytes(20), {"Content_Encoding": "gzip"}),
        ("/gz-file", once, {"content_type": "application/x-gzip"}),
        ("/twice", gzip.compress(once), {"Content_Encoding": "gzip"}),
    ]


async def test_what_says_gzip_and_is_not_is_read(
    stage: Stage, server: FeedServer, news: News
) -> None:
    body = rss([Item(f"{server.url}/a", "Title")]).encode()
    cases = compressed(body)
    for path, raw, headers in cases:
        server.says(path, raw, **{"content_type": "application/rss+xml", **headers})
    broken = gzip.compress(body)[:-20]
    server.says("/broken", broken, content_type="text/xml", Content_Encoding="gzip")
    urls = [f"{server.url}{path}" for path, _, _ in cases]
    async with stage.watches(*urls, f"{server.url}/broken", pages=False) as ((*good, bad), _):
        for watch in good:
            await watch.poll()
            assert (watch.state.failures, len(watch.state.seen)) == (0, 1), watch.feed.url
        await bad.poll()
        assert "its gzip cannot be read" in bad.state.reason


async def test_a_feed_or_page_that_takes_too_long_to_parse_costs_only_itself(
    stage: Stage, server: FeedServer, news: News
) -> None:
    (item,) = items(server, 1)
    server.feed("/feed", [item])
    heavy = f"<html><body>{'<p>Long. </p>' * 100_000}"
    server.says("/a/1", heavy)
    async with stage.watches(f"{server.url}/feed", parse_seconds=0.05) as ((watch,), _):
        parser = watch._shared.parser
        # The feed gets all the time it needs, and only the page too little.
        parser._limit_seconds = 600
        parsed = parser.page

        async def page(body: bytes, *, content_type: str) -> Any:
            parser._limit_seconds = 0.05
            try:
                return await parsed(body, content_type=content_type)
            finally:
                parser._limit_seconds = 600

        parser.page = page  # type: ignore[method-assign]
        await watch.poll()
        assert (watch.state.failures, len(watch.state.seen)) == (0, 1)
    (article,) = await articles(news)
    assert article.text == "What the feed says of it."


async def test_the_longest_rule_of_robots_txt_and_its_wildcards_count(
    stage: Stage, server: FeedServer, news: News
) -> None:
    server.says(
        "/robots.txt",
        "User-agent: *\nAllow: /\nDisallow: /private/\nDisallow: /*.pdf$\n",
        content_type="text/plain",
    )
    for path in ("/private/1", "/x.pdf", "/public"):
        server.article(path, story(1))
    told = [Item(f"{server.url}{path}", path) for path in ("/private/1", "/x.pdf", "/public")]
    server.feed("/feed", told)
    async with stage.watch(f"{server.url}/feed") as watch:
        await watch.poll()
    assert [server.times(path) for path in ("/private/1", "/x.pdf", "/public")] == [0, 0, 1]


async def test_lists_and_days_survive_documents_that_cannot_be_read(
    news: News, couch: Couch, stage: Stage, server: FeedServer
) -> None:
    server.feed("/feed", items(server, 3))
    async with stage.watch(f"{server.url}/feed", pages=False) as watch:
        await watch.poll()
    good = await articles(news)
    for number, published in enumerate(("900-05-05T00:00:00Z", None, "2026-13-45T00:00:00Z", 7)):
        doc = {**good[0].to_doc(), "_id": f"news-{number:032x}", "published": published}
        del doc["_rev"]
        doc["ml"] = {"score": "high", "label": 3, "symbols": ["A"], "topics": [], "of": "x"}
        await couch.put("news", doc)
    page, cursor = await news.page(NewsQuery(limit=2))
    rest, _ = await news.page(NewsQuery(limit=2, cursor=cursor))
    assert len({listing.title for listing in page + rest}) == 3
    day = good[0].published.date()
    assert await news.sentiment(None, day, day) == []
    await news.symbols()
