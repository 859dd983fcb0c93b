"""ml against a real database: each article once, despite crashes, outages and other writers."""

import asyncio
import signal
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, TestServer

sys.path.insert(0, str(Path(__file__).parent))

from cp_processes import Eventually, running

from runtime.errors import ClusterError, UnavailableError
from runtime.streams import cancel_all
from services.ml import follower
from services.ml.app import opened
from services.ml.batches import Batch
from services.ml.follower import CHECKPOINT, Follower
from services.ml.settings import Settings
from services.ml.version import VERSION
from services.stores.article import Article, article_id, content_hash
from services.stores.couch import Couch
from services.stores.news import News

START = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)


def article(number: int, **changes: Any) -> Article:
    url = f"https://news.example/{number}"
    told = {
        "id": article_id(url),
        "url": url,
        "canonical_url": url,
        "title": f"Apple profit rises in year {number}",
        "text": f"Apple shares rose. This is text number {number}.",
        "source": "Example",
        "feed_url": "https://news.example/feed",
        "published": START + timedelta(minutes=number),
        "fetched": START,
        "fingerprint": f"{number:016x}",
        **changes,
    }
    return Article.model_validate(
        {**told, "content_hash": content_hash(told["title"], told["text"])}
    )


async def save(couch: Couch, articles: Iterable[Article]) -> None:
    written = await couch.bulk("news", [one.to_doc() for one in articles])
    assert all(one.error is None for one in written)


def new_follower(couch: Couch, batch: int = 10) -> Follower:
    return Follower(couch, batch=batch, wait_seconds=0.1)


async def stepped(one: Follower) -> Batch:
    """One step. As in `Follower.run`, one that the database does not answer in time is repeated."""
    async with asyncio.timeout(120):
        while True:
            try:
                return await one.step()
            except UnavailableError:
                continue


async def drained(one: Follower) -> int:
    """Process changes until there are none; returns how many articles were analysed."""
    total = 0
    async with asyncio.timeout(120):
        while True:
            batch = await stepped(one)
            total += len(batch.writes)
            if not (batch.writes or batch.done or batch.poison or batch.others):
                return total


async def revisions(couch: Couch) -> dict[str, int]:
    """How often each article was written."""
    told = await couch.changes("news", limit=10_000, include_docs=True)
    return {row.id: int(row.doc["_rev"].partition("-")[0]) for row in told.rows if row.doc}


async def test_an_article_gets_an_analysis_which_the_views_contain(
    news: News, couch: Couch
) -> None:
    await news.save(article(1))
    assert await drained(new_follower(couch)) == 1
    kept = await news.article(article(1).id)
    assert kept.ml is not None
    assert (kept.ml.version, kept.ml.of) == (VERSION, kept.content_hash)
    assert (kept.ml.label, kept.ml.symbols) == ("positive", ("AAPL",))
    assert await news.symbols() == {"AAPL": 1}
    day = START.date()
    assert [one.count for one in await news.sentiment("AAPL", day, day)] == [1]


async def test_each_article_is_analysed_once_despite_restarts(news: News, couch: Couch) -> None:
    await save(couch, (article(number) for number in range(35)))
    assert await drained(new_follower(couch)) == 35
    assert await drained(new_follower(couch)) == 0
    assert set((await revisions(couch)).values()) == {2}


async def test_it_continues_where_it_was(news: News, couch: Couch) -> None:
    await save(couch, (article(number) for number in range(25)))
    await drained(new_follower(couch))
    batch = await stepped(new_follower(couch))
    assert (batch.done, batch.writes) == (0, [])
    await news.save(article(100))
    assert len((await stepped(new_follower(couch))).writes) == 1


async def test_a_crash_before_saving_the_place_repeats_no_analysis(
    news: News, couch: Couch, monkeypatch: pytest.MonkeyPatch
) -> None:
    await save(couch, (article(number) for number in range(5)))
    crashing = new_follower(couch)

    async def crash(*_: Any) -> None:
        raise ConnectionAbortedError

    # Nothing outside can stop it between these two calls, so the test simulates the crash.
    monkeypatch.setattr(crashing, "_save_place", crash)
    with pytest.raises(ConnectionAbortedError):
        await stepped(crashing)
    assert await couch.local("news", CHECKPOINT) is None
    assert await drained(new_follower(couch)) == 0
    assert set((await revisions(couch)).values()) == {2}


async def test_a_changed_text_is_analysed_again(news: News, couch: Couch) -> None:
    await news.save(article(1))
    await drained(new_follower(couch))
    there = await news.article(article(1).id)
    new = article(1, title="Apple profit falls")
    await news.save(there.model_copy(update={"title": new.title, "content_hash": new.content_hash}))
    assert await drained(new_follower(couch)) == 1
    after = await news.article(there.id)
    assert after.ml is not None
    assert after.ml.label == "negative"
    assert after.is_analysed


async def test_a_change_of_other_fields_causes_no_analysis(news: News, couch: Couch) -> None:
    await news.save(article(1))
    await drained(new_follower(couch))
    there = await news.article(article(1).id)
    await news.save(there.model_copy(update={"summary": "Another."}))
    assert await drained(new_follower(couch)) == 0


async def test_a_new_version_repeats_every_analysis_and_an_old_replica_undoes_none(
    news: News, couch: Couch, monkeypatch: pytest.MonkeyPatch
) -> None:
    await save(couch, (article(number) for number in range(15)))
    await drained(new_follower(couch))
    newer = str(int(VERSION) + 1)
    with monkeypatch.context() as patched:
        for module in ("version", "analysis", "follower"):
            patched.setattr(f"services.ml.{module}.VERSION", newer)
        assert newer == follower.VERSION
        assert await drained(new_follower(couch)) == 15
    assert await drained(new_follower(couch)) == 0
    for number in range(15):
        kept = await news.article(article(number).id)
        assert kept.ml is not None
        assert kept.ml.version == newer


async def test_a_broken_document_is_skipped_and_counted(news: News, couch: Couch) -> None:
    await couch.put("news", {"_id": "news-" + "0" * 32, "type": "news", "title": 7})
    await couch.put("news", {"_id": "something-else"})
    await save(couch, (article(number) for number in range(3)))
    one = new_follower(couch, batch=2)
    assert await drained(one) == 3
    assert await drained(new_follower(couch)) == 0


async def test_an_unknown_field_is_kept(news: News, couch: Couch) -> None:
    await couch.put("news", {**article(1).to_doc(), "tomorrow": [1, 2]})
    await drained(new_follower(couch))
    doc = await couch.get("news", article(1).id)
    assert doc["tomorrow"] == [1, 2]
    assert doc["ml"]["version"] == VERSION


async def test_two_replicas_and_a_writer_lose_none_of_each_others_changes(
    news: News, couch: Couch
) -> None:
    count, rounds = 20, 15
    await save(couch, (article(number) for number in range(count)))
    is_over = False

    async def follows() -> None:
        one = new_follower(couch, batch=5)
        while not is_over:
            await stepped(one)

    async def writes() -> None:
        for number in range(rounds):
            for at in range(0, count, 4):
                there = await news.article(article(at).id)
                title = f"Apple profit rises to {number}"
                changed = there.model_copy(
                    update={"title": title, "content_hash": content_hash(title, there.text)}
                )
                # The first writer wins, and the other one reads again.
                written = await couch.bulk("news", [changed.to_doc()])
                if written[0].error:
                    there = await news.article(there.id)
                    changed = there.model_copy(
                        update={"title": title, "content_hash": content_hash(title, there.text)}
                    )
                    await couch.bulk("news", [changed.to_doc()])

    following_both = [asyncio.create_task(follows()) for _ in range(2)]
    await writes()
    titles = {at: (await news.article(article(at).id)).title for at in range(0, count, 4)}
    is_over = True
    await asyncio.gather(*following_both)
    await drained(new_follower(couch))
    for number in range(count):
        kept = await news.article(article(number).id)
        assert kept.is_analysed
        if number in titles:
            assert kept.title == titles[number]


async def test_a_database_that_is_created_later_or_again_is_followed(
    couch: Couch, couch_url: str, eventually: Eventually
) -> None:
    one = new_follower(couch)
    task = asyncio.create_task(one.run())

    async def says_there_is_none() -> bool:
        return await one.check() == "the news database does not exist yet"

    async def is_analysed() -> bool:
        try:
            return (await News(couch).article(article(1).id)).is_analysed
        except ClusterError:
            return False

    async def is_caught_up() -> bool:
        place = await couch.local("news", CHECKPOINT)
        return place is not None and not (await couch.changes("news", place["since"], limit=1)).rows

    try:
        await eventually(says_there_is_none)
        for _ in range(2):
            await News(couch).prepare()
            await News(couch).save(article(1))
            await eventually(is_analysed, 120)
            # A position that is saved later would belong to the next database.
            await eventually(is_caught_up)
            async with aiohttp.request("DELETE", f"{couch_url}/news") as answer:
                assert answer.status == 200
    finally:
        await cancel_all((task,))


async def test_an_unavailable_database_degrades_it_until_it_returns(
    news: News, couch: Couch, couch_url: str, stores: Any, eventually: Eventually
) -> None:
    settings = Settings(couchdb_url=couch_url, couchdb_user="", wait_seconds=0.5)
    async with opened(settings) as (app, one), TestClient(TestServer(app)) as client:
        task = asyncio.create_task(one.run())

        async def ready() -> dict[str, Any]:
            async with client.get("/health/ready") as answer:
                assert answer.status == 200
                return await answer.json()  # type: ignore[no-any-return]

        async def is_ok() -> bool:
            return (await ready())["status"] == "ok"

        async def is_degraded() -> bool:
            told = await ready()
            return told["status"] == "degraded" and "CouchDB" in told["checks"]["couchdb"]

        async def is_analysed() -> bool:
            return (await news.article(article(1).id)).is_analysed

        try:
            await eventually(is_ok)
            await stores.stop("couch")
            await eventually(is_degraded)
            await stores.start("couch")
            await news.save(article(1))
            await eventually(is_analysed, 120)
            await eventually(is_ok)
            async with client.get("/metrics") as answer:
                assert 'ml_articles_total{outcome="analysed"}' in await answer.text()
            async with client.get("/version") as answer:
                assert (await answer.json())["version"] == VERSION
        finally:
            await cancel_all((task,))


async def test_killed_while_working_it_loses_and_repeats_nothing(
    tmp_path: Path, couch_url: str, news: News, couch: Couch, eventually: Eventually
) -> None:
    count = 400
    await save(couch, (article(number) for number in range(count)))
    env = {"COUCHDB_URL": couch_url, "COUCHDB_USER": "", "BATCH": "5", "WAIT_SECONDS": "1"}

    async def analysed() -> int:
        return sum(times > 1 for times in (await revisions(couch)).values())

    async def has_begun() -> bool:
        return await analysed() >= 10

    async def is_done() -> bool:
        return await analysed() == count

    async with running("ml", tmp_path, eventually, **env) as service:
        await eventually(has_begun, 120)
        await service.stop(signal.SIGKILL)
        await service.start(eventually)
        # Each look reads all articles, which competes with the service for the database.
        await eventually(is_done, 120, every=0.5)
        # newswatcher writes at the same time.
        there = await news.article(article(3).id)
        await news.save(there.model_copy(update={"summary": "Later."}))
        assert await service.stop() == 0
    assert await drained(new_follower(couch)) == 0
    times = await revisions(couch)
    assert times.pop(article(3).id) == 3
    assert set(times.values()) == {2}
    kept = await news.article(article(3).id)
    assert (kept.summary, kept.is_analysed) == ("Later.", True)
