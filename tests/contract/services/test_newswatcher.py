"""newswatcher against real HTTP and a real database: good feeds, bad feeds, restarts, races."""

import asyncio
import gzip
import json
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

sys.path.insert(0, str(Path(__file__).parent))

from cp_processes import Eventually, running
from feeds import START, FeedServer, Item, items, page, rss, serving, story

from runtime import clock
from services.newswatcher.app import assembled
from services.newswatcher.settings import Settings
from services.newswatcher.watching import Watch
from services.stores.article import Analysis, Article
from services.stores.couch import Couch
from services.stores.news import News, NewsQuery

ROUNDS = 20
ENOUGH = "Enough words for a summary."


@pytest.fixture
async def server() -> AsyncIterator[FeedServer]:
    async with serving() as opened:
        yield opened


class Stage:
    """newswatcher without its waiting: each look is asked for."""

    def __init__(self, tmp_path: Path, couch_url: str) -> None:
        self._tmp_path = tmp_path
        self._couch_url = couch_url

    @asynccontextmanager
    async def watches(
        self, *urls: str, pages: bool = True, **settings: Any
    ) -> AsyncIterator[tuple[list[Watch], web.Application]]:
        """A watch for each URL, its state as the database has it."""
        told = settings_of(self._tmp_path, self._couch_url, urls, pages=pages, **settings)
        async with assembled(Settings(**told)) as (app, made):
            for watch in made:
                await restored(watch)
            yield made, app

    @asynccontextmanager
    async def watch(self, url: str, **settings: Any) -> AsyncIterator[Watch]:
        async with self.watches(url, **settings) as ((watch,), _):
            yield watch


async def restored(watch: Watch) -> None:
    watch.state = await watch._tools.states.load(watch.feed)


def settings_of(
    tmp_path: Path, couch_url: str, urls: Sequence[str], *, pages: bool, **settings: Any
) -> dict[str, Any]:
    told = [
        f'[[feeds]]\nname = "Feed {number}"\nurl = "{url}"\npages = {str(pages).lower()}\n'
        for number, url in enumerate(urls, 1)
    ]
    file = tmp_path / "feeds.toml"
    file.write_text("\n".join(told))
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
    return [await news.article(one.id) for one in listed]


async def titles(news: News) -> list[str]:
    return [one.title for one in await articles(news)]


# What is read.


async def test_a_feeds_articles_are_kept_with_the_text_of_their_pages(
    stage: Stage, server: FeedServer, news: News
) -> None:
    server.feed("/feed", items(server, 2))
    async with stage.watch(f"{server.url}/feed") as watch:
        await watch.look()
    second, first = await articles(news)
    assert (first.title, first.source) == ("Headline number 1", "Feed 1")
    assert first.url == first.canonical_url == f"{server.url}/a/1"
    assert first.text.split() == story(1).split()
    assert first.summary == "What the feed says of it."
    assert first.ml is None
    assert second.published > first.published > START


async def test_without_pages_nothing_but_the_feed_is_fetched(
    stage: Stage, server: FeedServer, news: News
) -> None:
    server.feed("/feed", items(server, 2))
    async with stage.watch(f"{server.url}/feed", pages=False) as watch:
        await watch.look()
    assert [one.path for one in server.asked] == ["/feed"]
    assert [one.text for one in await articles(news)] == ["What the feed says of it."] * 2


async def test_an_unchanged_feed_is_not_sent_again_nor_its_articles_asked_for(
    stage: Stage, server: FeedServer
) -> None:
    server.feed("/feed", items(server, 2))
    async with stage.watch(f"{server.url}/feed") as watch:
        await watch.look()
        await watch.look()
        assert watch.state.reason == "nothing new"
    assert server.asked[-1].headers["If-None-Match"] == '"1"'
    assert (server.times("/feed"), server.times("/a/1"), server.times("/a/2")) == (2, 1, 1)


async def test_a_restart_asks_for_nothing_it_has_read(stage: Stage, server: FeedServer) -> None:
    server.feed("/feed", items(server, 2))
    async with stage.watch(f"{server.url}/feed") as watch:
        await watch.look()
    async with stage.watch(f"{server.url}/feed") as watch:
        await watch.look()
        assert watch.state.reason == "nothing new"
    assert server.times("/a/1") == 1


async def test_last_modified_is_a_condition_too(stage: Stage, server: FeedServer) -> None:
    when = "Mon, 23 Nov 2026 12:00:00 GMT"
    server.says("/feed", rss(items(server, 1)), content_type="text/xml", Last_Modified=when)
    async with stage.watch(f"{server.url}/feed") as watch:
        await watch.look()
        await watch.look()
    assert server.asked[-1].headers["If-Modified-Since"] == when


async def test_a_long_list_is_taken_in_parts_and_no_etag_hides_the_rest(
    stage: Stage, server: FeedServer, news: News
) -> None:
    server.feed("/feed", items(server, 7))
    async with stage.watch(f"{server.url}/feed", pages_per_look=3) as watch:
        for expected in (3, 6, 7, 7):
            await watch.look()
            assert len(await articles(news)) == expected
        assert watch.state.reason == "nothing new"
    assert all(server.times(f"/a/{number}") == 1 for number in range(1, 8))


async def test_an_entry_that_changed_is_read_again_and_keeps_its_first_time(
    stage: Stage, server: FeedServer, news: News
) -> None:
    (item,) = items(server, 1)
    server.feed("/feed", [item])
    async with stage.watch(f"{server.url}/feed") as watch:
        await watch.look()
        (before,) = await articles(news)
        server.article("/a/1", story(99))
        later = Item(item.link, "Corrected headline", published=START.replace(hour=20))
        server.feed("/feed", [later], etag='"2"')
        await watch.look()
    (after,) = await articles(news)
    assert (after.id, after.published) == (before.id, before.published)
    assert after.title == "Corrected headline"
    assert after.text.split() == story(99).split()
    assert after.content_hash != before.content_hash


async def test_who_asks_says_who_it_is(stage: Stage, server: FeedServer) -> None:
    server.feed("/feed", items(server, 1))
    async with stage.watch(f"{server.url}/feed", contact="news@example.com") as watch:
        await watch.look()
    assert {one.headers["User-Agent"] for one in server.asked} == {
        "Spotswarm-newswatcher/1 (+news@example.com)"
    }


async def test_old_charsets_are_read_in_feeds_and_pages(
    stage: Stage, server: FeedServer, news: News
) -> None:
    told = rss([Item(f"{server.url}/a", "Société Générale : bénéfice")]).replace(
        "utf-8", "iso-8859-1"
    )
    server.says("/feed", told.encode("iso-8859-1"), content_type="text/xml")
    text = "Le bénéfice de l\u2019été dépasse les attentes à Genève. " * 12
    server.says("/a", page(text).encode("cp1252"), content_type="text/html; charset=windows-1252")
    async with stage.watch(f"{server.url}/feed") as watch:
        await watch.look()
    (one,) = await articles(news)
    assert one.title == "Société Générale : bénéfice"
    assert "l\u2019été dépasse les attentes à Genève" in one.text


async def test_nothing_a_feed_sends_reaches_the_database_as_markup(
    stage: Stage, server: FeedServer, news: News
) -> None:
    bad = '<b onclick="x()">Sale</b><script>steal()</script>\u202e &amp; more'
    server.feed("/feed", [Item(f"{server.url}/none", f"A {bad}", f"<p>{bad}</p><p>Two</p>")])
    async with stage.watch(f"{server.url}/feed", pages=False) as watch:
        await watch.look()
    (one,) = await articles(news)
    kept = one.title + one.summary + one.text
    assert not any(part in kept for part in ("<", "steal", "onclick", "\u202e"))
    assert one.title == "A Sale & more"


# One article, one document.


async def test_tracking_parameters_make_no_second_article(
    stage: Stage, server: FeedServer, news: News
) -> None:
    items(server, 1)
    link = f"{server.url}/a/1"
    server.feed(
        "/feed", [Item(f"{link}?utm_source=rss&utm_medium=x#top", "One"), Item(link, "One")]
    )
    async with stage.watch(f"{server.url}/feed") as watch:
        await watch.look()
    (one,) = await articles(news)
    assert one.canonical_url == link


async def test_a_page_names_its_own_address_and_no_other_publishers(
    stage: Stage, server: FeedServer, news: News
) -> None:
    server.article("/amp/1", story(1), canonical="/story/1")
    server.article("/b/2", story(2), canonical="https://publisher.example/story/2")
    server.feed("/feed", [Item(f"{server.url}/amp/1", "One"), Item(f"{server.url}/b/2", "Two")])
    async with stage.watch(f"{server.url}/feed") as watch:
        await watch.look()
    assert {one.canonical_url for one in await articles(news)} == {
        f"{server.url}/story/1",
        f"{server.url}/b/2",
    }


async def test_the_same_words_at_another_address_are_noted_with_the_first(
    stage: Stage, server: FeedServer, news: News
) -> None:
    server.feed("/one", items(server, 1))
    server.article("/wire/1", story(1) + " It was first told elsewhere.")
    server.feed("/two", [Item(f"{server.other_url}/wire/1", "Another headline")])
    async with stage.watches(f"{server.url}/one", f"{server.url}/two") as ((one, two), _):
        await one.look()
        await two.look()
        await two.look()
    (kept,) = await articles(news)
    assert kept.title == "Headline number 1"
    (noted,) = kept.duplicates
    assert (noted.url, noted.source) == (f"{server.other_url}/wire/1", "Feed 2")


async def test_two_feeds_that_bring_the_same_words_at_once_make_one_article(
    stage: Stage, server: FeedServer, news: News
) -> None:
    urls = []
    for number in range(4):
        server.article(f"/copy/{number}", story(5))
        server.feed(f"/{number}", [Item(f"{server.url}/copy/{number}", f"Copy {number}")])
        urls.append(f"{server.url}/{number}")
    async with stage.watches(*urls) as (watches, _):
        await asyncio.gather(*(watch.look() for watch in watches))
    (kept,) = await articles(news)
    assert len(kept.duplicates) == 3


async def test_one_article_in_two_feeds_is_fetched_for_each_and_kept_once(
    stage: Stage, server: FeedServer, news: News
) -> None:
    told = items(server, 1)
    server.feed("/one", told)
    server.feed("/two", told)
    async with stage.watches(f"{server.url}/one", f"{server.url}/two") as ((one, two), _):
        await one.look()
        await two.look()
    (kept,) = await articles(news)
    assert kept.source == "Feed 1"
    assert [noted.source for noted in kept.duplicates] == ["Feed 2"]


# Redirects and refusals.


async def test_a_permanent_redirect_is_remembered_and_a_temporary_one_is_not(
    stage: Stage, server: FeedServer
) -> None:
    server.feed("/new", items(server, 1))
    server.moves("/old", "/new", status=301)
    server.moves("/away", f"{server.url}/new", status=302)
    async with stage.watches(f"{server.url}/old", f"{server.url}/away") as (watches, _):
        for watch in [*watches, *watches]:
            await watch.look()
        assert [watch.state.moved_to for watch in watches] == [f"{server.url}/new", None]
    assert (server.times("/old"), server.times("/away"), server.times("/new")) == (1, 2, 4)


async def test_a_redirect_in_a_circle_ends(stage: Stage, server: FeedServer) -> None:
    server.moves("/feed", "/feed")
    async with stage.watch(f"{server.url}/feed") as watch:
        await watch.look()
        assert (watch.state.failures, watch.state.reason) == (1, "more than 5 redirects")


async def test_an_article_behind_a_redirect_is_known_by_where_it_leads(
    stage: Stage, server: FeedServer, news: News
) -> None:
    items(server, 1)
    server.moves("/go/1", "/a/1?utm_source=go", status=302)
    server.feed("/feed", [Item(f"{server.url}/go/1", "One")])
    async with stage.watch(f"{server.url}/feed") as watch:
        await watch.look()
    (one,) = await articles(news)
    assert (one.url, one.canonical_url) == (f"{server.url}/go/1", f"{server.url}/a/1")


async def test_a_wall_before_articles_does_not_make_them_one(
    stage: Stage, server: FeedServer, news: News
) -> None:
    server.article("/consent", "We and our 700 partners value your privacy very much. " * 10)
    for number in (1, 2):
        server.moves(f"/w/{number}", f"/consent?back={number}", status=302)
    told = [Item(f"{server.url}/w/{number}", f"Story {number}") for number in (1, 2)]
    server.feed("/feed", told)
    async with stage.watch(f"{server.url}/feed") as watch:
        await watch.look()
    found = await articles(news)
    assert {one.canonical_url for one in found} == {item.link for item in told}
    assert {one.text for one in found} == {"What the feed says of it."}


async def test_a_server_that_says_too_many_is_left_alone_for_as_long_as_it_asks(
    stage: Stage, server: FeedServer
) -> None:
    server.says("/feed", "", status=429, Retry_After="7200")
    server.feed("/other", items(server, 1))
    async with stage.watches(f"{server.url}/feed", f"{server.url}/other") as ((one, two), _):
        await one.look()
        assert one.state.next_look is not None
        assert (one.state.next_look - clock.now()).total_seconds() > 7000
        await one.look()
        await two.look()
        assert "left alone" in two.state.reason
    assert [asked.path for asked in server.asked] == ["/feed"]


async def test_an_article_whose_server_asks_for_patience_waits_for_another_look(
    stage: Stage, server: FeedServer, news: News
) -> None:
    server.feed("/feed", [Item(f"{server.other_url}/later", "Later"), *items(server, 1)])
    server.says("/later", "", status=503, Retry_After="900")
    async with stage.watch(f"{server.url}/feed") as watch:
        await watch.look()
        assert await titles(news) == ["Headline number 1"]
        assert watch.state.etag is None
        assert watch.state.next_look is not None
        assert (watch.state.next_look - clock.now()).total_seconds() > 800
        for _ in range(3):
            await watch.look()
    assert sorted(await titles(news)) == ["Headline number 1", "Later"]
    assert server.times("/later") == 1


async def test_robots_txt_is_heeded_and_the_article_kept_with_its_summary(
    stage: Stage, server: FeedServer, news: News
) -> None:
    server.says(
        "/robots.txt",
        "User-agent: *\nDisallow: /a/2\nDisallow: /behind\n",
        content_type="text/plain",
    )
    told = items(server, 2)
    server.moves("/way", "/behind", status=302)
    server.article("/behind", story(3))
    server.feed("/feed", [*told, Item(f"{server.url}/way", "Three", ENOUGH)])
    async with stage.watch(f"{server.url}/feed") as watch:
        await watch.look()
    assert (server.times("/a/1"), server.times("/a/2"), server.times("/behind")) == (1, 0, 0)
    assert server.times("/robots.txt") == 1
    texts = {one.title: one.text for one in await articles(news)}
    assert texts["Headline number 2"] == "What the feed says of it."
    assert texts["Three"] == ENOUGH
    assert len(texts["Headline number 1"]) > 500


async def test_robots_txt_that_cannot_be_had_lets_nothing_be_read(
    stage: Stage, server: FeedServer, news: News
) -> None:
    server.says("/robots.txt", "", status=500)
    server.feed("/feed", items(server, 1))
    async with stage.watch(f"{server.url}/feed") as watch:
        await watch.look()
    assert server.times("/a/1") == 0
    assert await titles(news) == ["Headline number 1"]


async def test_one_request_at_a_time_to_a_host(stage: Stage, server: FeedServer) -> None:
    urls = []
    for number in range(5):
        server.feed(f"/{number}", items(server, 3, first=number * 10, prefix=f"p{number}"))
        urls.append(f"{server.url}/{number}")
    async with stage.watches(*urls) as (watches, _):
        await asyncio.gather(*(watch.look() for watch in watches))
    assert len(server.asked) == 5 + 15 + 1
    assert server.most_at_once == 1


async def test_private_addresses_are_not_asked_however_they_are_written(
    stage: Stage, server: FeedServer
) -> None:
    port = server.port
    spelled = [
        *(f"http://127.0.0.1:{port}/f", f"http://localhost:{port}/f", f"http://[::1]:{port}/f"),
        *(f"http://0x7f.1:{port}/f", f"http://2130706433:{port}/f", f"http://127.1:{port}/f"),
        *(f"http://[::ffff:127.0.0.1]:{port}/f", "http://169.254.169.254/latest/meta-data/"),
    ]
    async with stage.watches(*spelled, allow_private=False) as (watches, _):
        for watch in watches:
            await watch.look()
            assert watch.state.failures == 1
            # What the system's resolver does not take for an address cannot be reached either.
            assert "public internet" in watch.state.reason or "cannot be" in watch.state.reason
    assert server.asked == []


async def test_a_redirect_out_of_the_web_is_not_followed(stage: Stage, server: FeedServer) -> None:
    server.moves("/feed", "file:///etc/passwd")
    async with stage.watch(f"{server.url}/feed") as watch:
        await watch.look()
        assert watch.state.reason == "a redirect leads out of the web"


# Bad feeds.


async def test_bad_feeds_of_every_kind_fail_alone_and_say_why(
    stage: Stage, server: FeedServer, news: News
) -> None:
    server.feed("/good", items(server, 2))
    server.says("/garbage", bytes(range(256)) * 40, content_type="application/rss+xml")
    server.says("/html", page(story(1)))
    server.says("/empty", "", content_type="text/xml")
    server.says("/broken", "<?xml version='1.0'?><rss><channel><item", content_type="text/xml")
    server.says("/path", "/etc/passwd", content_type="text/plain")
    server.says("/bomb", gzip.compress(b" " * 60_000_000), Content_Encoding="gzip")
    server.says("/not-gzip", "plain", Content_Encoding="gzip")
    server.says("/teapot", "", status=418)
    server.says("/gone", "", status=410)
    server.pours("/pours")
    server.breaks_off("/breaks")
    expected = {
        "/garbage": "no RSS or Atom",
        "/html": "no RSS or Atom",
        "/empty": "no RSS or Atom",
        "/broken": "before its first entry",
        "/path": "no RSS or Atom",
        "/bomb": "longer than",
        "/not-gzip": "cannot be reached, or broke off",
        "/teapot": "answered 418",
        "/gone": "answered 410",
        "/nowhere": "answered 404",
        "/pours": "longer than",
        "/breaks": "broke off",
    }
    urls = [f"{server.url}{path}" for path in [*expected, "/good"]]
    async with stage.watches(*urls, feed_bytes=1_000_000) as ((*bad, good), app):
        await asyncio.gather(*(watch.look() for watch in [*bad, good]))
        for watch, (path, reason) in zip(bad, expected.items(), strict=True):
            assert reason in watch.state.reason, path
            assert watch.state.failures == 1
        assert (good.state.failures, len(await articles(news))) == (0, 2)
        async with TestClient(TestServer(app)) as client:
            told = await (await client.get("/feeds")).json()
            ready = await (await client.get("/health/ready")).json()
            metrics = await (await client.get("/metrics")).text()
    by_url = {one["url"]: one for one in told["feeds"]}
    assert by_url[f"{server.url}/teapot"]["reason"].endswith("answered 418")
    assert by_url[f"{server.url}/teapot"]["last_success"] is None
    assert by_url[f"{server.url}/good"]["last_success"] is not None
    assert ready["status"] == "ok"
    assert 'newswatcher_feed_failures{feed="Feed 1"} 1.0' in metrics


async def test_feeds_that_hang_or_never_end_cost_their_time_out_and_no_more(
    stage: Stage, server: FeedServer
) -> None:
    server.hangs("/hangs")
    server.drips("/drips")
    urls = [f"{server.url}/hangs", f"{server.other_url}/drips"]
    async with stage.watches(*urls, fetch_seconds=1.0) as (watches, _):
        await asyncio.gather(*(watch.look() for watch in watches))
        assert all("did not answer in time" in watch.state.reason for watch in watches)


async def test_a_broken_feed_gives_what_it_has_before_it_breaks(
    stage: Stage, server: FeedServer, news: News
) -> None:
    whole = rss(items(server, 2))
    server.says("/feed", whole[: whole.rindex("</item>")] + "\x00<<", content_type="text/xml")
    async with stage.watch(f"{server.url}/feed") as watch:
        await watch.look()
        assert watch.state.failures == 0
    assert "Headline number 1" in await titles(news)


async def test_a_page_that_cannot_be_had_leaves_the_summary(
    stage: Stage, server: FeedServer, news: News
) -> None:
    server.says("/pdf", b"%PDF-1.7", content_type="application/pdf")
    server.says("/big", page(story(1) * 200))
    server.says("/down", "", status=500)
    server.says("/deep", "<div>" * 100_000)
    server.breaks_off("/breaks")
    paths = ("/pdf", "/big", "/down", "/deep", "/breaks", "/missing")
    told = [Item(f"{server.url}{path}", f"Title {path}", f"Summary {path}") for path in paths]
    server.feed("/feed", told)
    async with stage.watch(f"{server.url}/feed", page_bytes=200_000) as watch:
        await watch.look()
        assert watch.state.etag == '"1"'
    assert {one.text for one in await articles(news)} == {f"Summary {path}" for path in paths}


async def test_a_page_that_fails_later_does_not_take_the_text_away(
    stage: Stage, server: FeedServer, news: News
) -> None:
    (item,) = items(server, 1)
    server.feed("/feed", [item])
    async with stage.watch(f"{server.url}/feed") as watch:
        await watch.look()
        server.says("/a/1", "", status=500)
        server.feed("/feed", [Item(item.link, "New headline")], etag='"2"')
        await watch.look()
    (one,) = await articles(news)
    assert one.title == "New headline"
    assert one.text.split() == story(1).split()


# The database.


async def test_what_cannot_be_written_is_not_seen_and_is_written_when_the_database_is_back(
    stage: Stage, server: FeedServer, news: News, stores: Any, eventually: Eventually
) -> None:
    server.feed("/feed", items(server, 5))
    async with stage.watch(f"{server.url}/feed") as watch:
        await stores.stop("couch")
        look = asyncio.create_task(watch.look())

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


async def test_what_ml_wrote_survives_an_update_and_an_update_survives_ml(
    stage: Stage, server: FeedServer, news: News
) -> None:
    (item,) = items(server, 1)
    server.feed("/feed", [item])
    async with stage.watch(f"{server.url}/feed") as watch:
        await watch.look()
        (before,) = await articles(news)
        analysis = Analysis(
            version="1", of=before.content_hash, score=0.5, label="positive", at=START
        )
        assert await news.analyse(before, analysis)
        server.feed("/feed", [Item(item.link, item.title, "Another summary.")], etag='"2"')
        await watch.look()
    (after,) = await articles(news)
    assert after.summary == "Another summary."
    assert after.ml == analysis


async def test_two_newswatchers_for_a_moment_write_each_article_once(
    stage: Stage, server: FeedServer, news: News, tmp_path: Path, couch: Couch
) -> None:
    server.feed("/feed", items(server, 6))
    async with stage.watch(f"{server.url}/feed") as one, stage.watch(f"{server.url}/feed") as two:
        await asyncio.gather(one.look(), two.look())
    found = await articles(news)
    assert len(found) == 6
    assert not any(article.duplicates for article in found)
    (state,) = [row for row in (await couch.changes("feeds", include_docs=True)).rows if row.doc]
    assert state.doc is not None
    assert len(state.doc["seen"]) == 6


async def test_writing_while_somebody_else_writes_loses_neithers_fields(
    stage: Stage, server: FeedServer, news: News
) -> None:
    told = items(server, 3)
    server.feed("/feed", told)
    async with stage.watch(f"{server.url}/feed") as watch:
        await watch.look()

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
            await watch.look()
        await racing
    for article in await articles(news):
        assert article.summary == "Summary 9."
        assert article.ml is not None
        assert article.ml.version == str(ROUNDS)


# The process.


async def test_killed_in_the_middle_it_starts_again_with_every_article_once(
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
        # What was in hand when it was killed is fetched again, and nothing else.
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


async def test_a_list_of_feeds_that_cannot_be_read_ends_it_with_a_sentence(
    tmp_path: Path, eventually: Eventually
) -> None:
    file = tmp_path / "feeds.toml"
    file.write_text('[[feeds]]\nname = "A"\nurl = "ftp://hidden@example.com"\n')
    with pytest.raises(AssertionError, match="FEEDS_FILE") as caught:
        async with running("newswatcher", tmp_path, eventually, FEEDS_FILE=str(file)):
            pass
    assert "begins with http:// or https://" in str(caught.value)
    assert "hidden" not in str(caught.value)
