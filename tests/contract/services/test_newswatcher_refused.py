"""How newswatcher handles redirects, refusals and bad feeds."""

import asyncio
import gzip

from aiohttp.test_utils import TestClient, TestServer
from cp_processes import Eventually
from feeds import FeedServer, Item, items, page, rss, story
from newswatcher_stage import Stage, articles, titles

from runtime import clock
from services.stores.news import News

ENOUGH = "Enough words for a summary."


async def test_a_permanent_redirect_is_remembered_and_a_temporary_one_is_not(
    stage: Stage, server: FeedServer
) -> None:
    server.feed("/new", items(server, 1))
    server.moves("/old", "/new", status=301)
    server.moves("/away", f"{server.url}/new", status=302)
    async with stage.watches(f"{server.url}/old", f"{server.url}/away") as (watches, _):
        for watch in [*watches, *watches]:
            await watch.poll()
        assert [watch.state.moved_to for watch in watches] == [f"{server.url}/new", None]
    assert (server.times("/old"), server.times("/away"), server.times("/new")) == (1, 2, 4)


async def test_a_circular_redirect_ends(stage: Stage, server: FeedServer) -> None:
    server.moves("/feed", "/feed")
    async with stage.watch(f"{server.url}/feed") as watch:
        await watch.poll()
        assert (watch.state.failures, watch.state.reason) == (1, "more than 5 redirects")


async def test_a_redirected_article_has_the_url_of_its_target(
    stage: Stage, server: FeedServer, news: News
) -> None:
    items(server, 1)
    server.moves("/go/1", "/a/1?utm_source=go", status=302)
    server.feed("/feed", [Item(f"{server.url}/go/1", "One")])
    async with stage.watch(f"{server.url}/feed") as watch:
        await watch.poll()
    (one,) = await articles(news)
    assert (one.url, one.canonical_url) == (f"{server.url}/go/1", f"{server.url}/a/1")


async def test_articles_behind_one_consent_page_stay_separate(
    stage: Stage, server: FeedServer, news: News
) -> None:
    server.article("/consent", "We and our 700 partners value your privacy very much. " * 10)
    for number in (1, 2):
        server.moves(f"/w/{number}", f"/consent?back={number}", status=302)
    told = [Item(f"{server.url}/w/{number}", f"Story {number}") for number in (1, 2)]
    server.feed("/feed", told)
    async with stage.watch(f"{server.url}/feed") as watch:
        await watch.poll()
    found = await articles(news)
    assert {one.canonical_url for one in found} == {item.link for item in told}
    assert {one.text for one in found} == {"What the feed says of it."}


async def test_a_server_that_answers_429_is_left_alone_as_long_as_it_asks(
    stage: Stage, server: FeedServer
) -> None:
    server.says("/feed", "", status=429, Retry_After="7200")
    server.feed("/other", items(server, 1))
    async with stage.watches(f"{server.url}/feed", f"{server.url}/other") as ((one, two), _):
        await one.poll()
        assert one.state.next_look is not None
        assert (one.state.next_look - clock.now()).total_seconds() > 7000
        await one.poll()
        await two.poll()
        assert "asked us to wait" in two.state.reason
    assert [asked.path for asked in server.asked] == ["/feed"]


async def test_an_article_whose_server_asks_for_a_pause_waits_for_a_later_poll(
    stage: Stage, server: FeedServer, news: News
) -> None:
    server.feed("/feed", [Item(f"{server.other_url}/later", "Later"), *items(server, 1)])
    server.says("/later", "", status=503, Retry_After="900")
    async with stage.watch(f"{server.url}/feed") as watch:
        await watch.poll()
        assert await titles(news) == ["Headline number 1"]
        assert watch.state.etag is None
        assert watch.state.next_look is not None
        assert (watch.state.next_look - clock.now()).total_seconds() > 800
        for _ in range(3):
            await watch.poll()
    assert sorted(await titles(news)) == ["Headline number 1", "Later"]
    assert server.times("/later") == 1


async def test_robots_txt_is_obeyed_and_the_article_stored_with_its_summary(
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
        await watch.poll()
    assert (server.times("/a/1"), server.times("/a/2"), server.times("/behind")) == (1, 0, 0)
    assert server.times("/robots.txt") == 1
    texts = {one.title: one.text for one in await articles(news)}
    assert texts["Headline number 2"] == "What the feed says of it."
    assert texts["Three"] == ENOUGH
    assert len(texts["Headline number 1"]) > 500


async def test_without_a_readable_robots_txt_nothing_is_read(
    stage: Stage, server: FeedServer, news: News
) -> None:
    server.says("/robots.txt", "", status=500)
    server.feed("/feed", items(server, 1))
    async with stage.watch(f"{server.url}/feed") as watch:
        await watch.poll()
    assert server.times("/a/1") == 0
    assert await titles(news) == ["Headline number 1"]


async def test_each_host_gets_one_request_at_a_time(stage: Stage, server: FeedServer) -> None:
    urls = []
    for number in range(5):
        server.feed(f"/{number}", items(server, 3, first=number * 10, prefix=f"p{number}"))
        urls.append(f"{server.url}/{number}")
    async with stage.watches(*urls) as (watches, _):
        await asyncio.gather(*(watch.poll() for watch in watches))
    assert len(server.asked) == 5 + 15 + 1
    assert server.most_at_once == 1


async def test_private_addresses_are_not_fetched_however_they_are_written(
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
            await watch.poll()
            assert watch.state.failures == 1
            # What the system's resolver does not accept as an address cannot be reached either.
            assert "public internet" in watch.state.reason or "could not be" in watch.state.reason
    assert server.asked == []


async def test_a_redirect_to_another_scheme_is_not_followed(
    stage: Stage, server: FeedServer
) -> None:
    server.moves("/feed", "file:///etc/passwd")
    async with stage.watch(f"{server.url}/feed") as watch:
        await watch.poll()
        assert watch.state.reason == "the URL does not use http or https"


# Bad feeds.


async def test_every_kind_of_bad_feed_fails_alone_and_says_why(
    stage: Stage, server: FeedServer, news: News, eventually: Eventually
) -> None:
    server.feed("/good", items(server, 2))
    server.says("/garbage", bytes(range(256)) * 40, content_type="application/rss+xml")
    server.says("/html", page(story(1)))
    server.says("/empty", "", content_type="text/xml")
    server.says("/broken", "<?xml version='1.0'?><rss><channel><item", content_type="text/xml")
    server.says("/path", "/etc/passwd", content_type="text/plain")
    server.says("/bomb", gzip.compress(b" " * 60_000_000), Content_Encoding="gzip")
    server.says("/not-gzip", b"\x1f\x8bplain", Content_Encoding="gzip")
    server.says("/teapot", "", status=418)
    server.says("/gone", "", status=410)
    server.pours("/pours")
    server.breaks_off("/breaks")
    expected = {
        "/garbage": "not an RSS or Atom",
        "/html": "not an RSS or Atom",
        "/empty": "not an RSS or Atom",
        "/broken": "before its first entry",
        "/path": "not an RSS or Atom",
        "/bomb": "longer than",
        "/not-gzip": "its gzip cannot be read",
        "/teapot": "returned 418",
        "/gone": "returned 410",
        "/nowhere": "returned 404",
        "/pours": "longer than",
        "/breaks": "closed the connection",
    }
    urls = [f"{server.url}{path}" for path in [*expected, "/good"]]
    async with stage.watches(*urls, feed_bytes=1_000_000) as ((*bad, good), app):
        await asyncio.gather(*(watch.poll() for watch in [*bad, good]))
        for watch, (path, reason) in zip(bad, expected.items(), strict=True):
            assert reason in watch.state.reason, path
            assert watch.state.failures == 1
        assert (good.state.failures, len(await articles(news))) == (0, 2)
        async with TestClient(TestServer(app)) as client:

            async def is_ok() -> bool:
                ready = await (await client.get("/health/ready")).json()
                return bool(ready["status"] == "ok")

            told = await (await client.get("/feeds")).json()
            await eventually(is_ok)
            metrics = await (await client.get("/metrics")).text()
    by_url = {one["url"]: one for one in told["feeds"]}
    assert by_url[f"{server.url}/teapot"]["reason"].endswith("returned 418")
    assert by_url[f"{server.url}/teapot"]["last_success"] is None
    assert by_url[f"{server.url}/good"]["last_success"] is not None
    assert 'newswatcher_feed_failures{feed="Feed 1"} 1.0' in metrics


async def test_feeds_that_hang_or_never_end_cost_only_their_time_out(
    stage: Stage, server: FeedServer
) -> None:
    server.hangs("/hangs")
    server.drips("/drips")
    urls = [f"{server.url}/hangs", f"{server.other_url}/drips"]
    async with stage.watches(*urls, fetch_seconds=1.0) as (watches, _):
        await asyncio.gather(*(watch.poll() for watch in watches))
        assert all("did not respond in time" in watch.state.reason for watch in watches)


async def test_a_broken_feed_gives_what_it_has_before_it_breaks(
    stage: Stage, server: FeedServer, news: News
) -> None:
    whole = rss(items(server, 2))
    server.says("/feed", whole[: whole.rindex("</item>")] + "\x00<<", content_type="text/xml")
    async with stage.watch(f"{server.url}/feed") as watch:
        await watch.poll()
        assert watch.state.failures == 0
    assert "Headline number 1" in await titles(news)


async def test_without_its_page_an_article_keeps_the_summary(
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
        await watch.poll()
        assert watch.state.etag == '"1"'
    assert {one.text for one in await articles(news)} == {f"Summary {path}" for path in paths}


async def test_a_page_that_fails_later_does_not_remove_the_text(
    stage: Stage, server: FeedServer, news: News
) -> None:
    (item,) = items(server, 1)
    server.feed("/feed", [item])
    async with stage.watch(f"{server.url}/feed") as watch:
        await watch.poll()
        server.says("/a/1", "", status=500)
        server.feed("/feed", [Item(item.link, "New headline")], etag='"2"')
        await watch.poll()
    (one,) = await articles(news)
    assert one.title == "New headline"
    assert one.text.split() == story(1).split()
