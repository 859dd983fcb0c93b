"""newswatcher and its database: outages, races, and a process that is killed."""

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cp_processes import Eventually, running
from feeds import START, FeedServer, Item, items
from newswatcher_stage import Stage, articles, settings_of

from services.stores.article import Analysis
from services.stores.couch import Couch
from services.stores.news import News

ROUNDS = 20


async def test_entries_that_cannot_be_stored_are_not_seen_and_stored_later(
    stage: Stage, server: FeedServer, news: News, stores: Any, eventually: Eventually
) -> None:
    server.feed("/feed", items(server, 5))
    async with stage.watch(f"{server.url}/feed") as watch:
        await stores.stop("couch")
        look = asyncio.create_task(watch.poll())

        async def is_waiting() -> bool:
            return server.times("/feed") == 1

        await eventually(is_waiting)
        assert watch.state.seen == {}
        await stores.start("couch")
        async with asyncio.timeout(120):
            await look
        assert len(watch.state.seen) == 5
    assert len(await articles(news)) == 5
    assert all(server.times(f"/a/{number}") == 1 for number in range(1, 6))


async def test_an_analysis_and_an_update_of_an_article_do_not_overwrite_each_other(
    stage: Stage, server: FeedServer, news: News
) -> None:
    (item,) = items(server, 1)
    server.feed("/feed", [item])
    async with stage.watch(f"{server.url}/feed") as watch:
        await watch.poll()
        (before,) = await articles(news)
        analysis = Analysis(
            version="1", of=before.content_hash, score=0.5, label="positive", at=START
        )
        assert await news.analyse(before, analysis)
        server.feed("/feed", [Item(item.link, item.title, "Another summary.")], etag='"2"')
        await watch.poll()
    (after,) = await articles(news)
    assert after.summary == "Another summary."
    assert after.ml == analysis


async def test_two_replicas_store_each_article_once(
    stage: Stage, server: FeedServer, news: News, tmp_path: Path, couch: Couch
) -> None:
    server.feed("/feed", items(server, 6))
    async with stage.watch(f"{server.url}/feed") as one, stage.watch(f"{server.url}/feed") as two:
        await asyncio.gather(one.poll(), two.poll())
    found = await articles(news)
    assert len(found) == 6
    assert not any(article.duplicates for article in found)
    (state,) = [row for row in (await couch.changes("feeds", include_docs=True)).rows if row.doc]
    assert state.doc is not None
    assert len(state.doc["seen"]) == 6


async def test_simultaneous_writers_lose_none_of_each_others_fields(
    stage: Stage, server: FeedServer, news: News
) -> None:
    told = items(server, 3)
    server.feed("/feed", told)
    async with stage.watch(f"{server.url}/feed") as watch:
        await watch.poll()

        async def analyses() -> None:
            for number in range(1, ROUNDS + 1):
                for one in await articles(news):
                    found = Analysis(
                        version=str(number),
                        of=one.content_hash,
                        score=0,
                        label="neutral",
                        at=START,
                    )
                    await news.analyse(one, found)

        racing = asyncio.create_task(analyses())
        for number in range(10):
            changed = [Item(one.link, one.title, f"Summary {number}.") for one in told]
            server.feed("/feed", changed, etag=f'"r{number}"')
            await watch.poll()
        await racing
    for article in await articles(news):
        assert article.summary == "Summary 9."
        assert article.ml is not None
        assert article.ml.version == str(ROUNDS)


# The process.


async def test_killed_while_working_it_restarts_and_stores_every_article_once(
    tmp_path: Path, couch_url: str, server: FeedServer, news: News, eventually: Eventually
) -> None:
    server.feed("/feed", items(server, 30))
    server.hangs("/hangs")
    told = settings_of(
        tmp_path,
        couch_url,
        [f"{server.url}/feed", f"{server.other_url}/hangs"],
        pages=True,
        pages_per_look=100,
        host_interval_seconds=0.02,
    )
    env = {name.upper(): str(value) for name, value in told.items()}

    async def has(count: int) -> bool:
        return len(await articles(news)) >= count

    async with running("newswatcher", tmp_path, eventually, **env) as service:
        await eventually(lambda: has(12), 60)
        await service.stop(signal.SIGKILL)
        asked = sum(server.times(f"/a/{number}") for number in range(1, 31))
        assert asked < 30
        await service.start(eventually)
        await eventually(lambda: has(30), 60)
        assert len(await articles(news)) == 30
        fetched = [server.times(f"/a/{number}") for number in range(1, 31)]
        # Only the article that was in progress when it was killed is fetched again.
        assert sum(fetched) <= 31

        async def is_saved() -> bool:
            async with aiohttp.request("GET", f"{service.url}/feeds") as answer:
                (good, *_) = (await answer.json())["feeds"]
            return bool(good["last_success"])

        await eventually(is_saved, 60)
        assert await service.stop() == 0
    assert all(
        set(json.loads(line)) >= {"event", "level"} for line in service.log.splitlines() if line
    )


async def test_a_wrong_list_of_feeds_ends_it_with_a_sentence(
    tmp_path: Path, eventually: Eventually
) -> None:
    file = tmp_path / "feeds.toml"
    file.write_text('[[feeds]]\nname = "A"\nurl = "ftp://hidden@example.com"\n')
    with pytest.raises(AssertionError, match="FEEDS_FILE") as caught:
        async with running("newswatcher", tmp_path, eventually, FEEDS_FILE=str(file)):
            pass
    assert "must begin with http:// or https://" in str(caught.value)
    assert "hidden" not in str(caught.value)
