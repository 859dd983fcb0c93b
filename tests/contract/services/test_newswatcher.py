"""What newswatcher stores from good feeds, and which entries are one article."""

import asyncio

from feeds import START, FeedServer, Item, items, page, rss, story
from newswatcher_stage import Stage, articles

from services.stores.news import News


async def test_a_feeds_articles_are_stored_with_the_text_of_their_pages(
    stage: Stage, server: FeedServer, news: News
) -> None:
    server.feed("/feed", items(server, 2))
    async with stage.watch(f"{server.url}/feed") as watch:
        await watch.poll()
    second, first = await articles(news)
    assert (first.title, first.source) == ("Headline number 1", "Feed 1")
    assert first.url == first.canonical_url == f"{server.url}/a/1"
    assert first.text.split() == story(1).split()
    assert first.summary == "What the feed says of it."
    assert first.ml is None
    assert second.published > first.published > START


async def test_without_pages_only_the_feed_is_fetched(
    stage: Stage, server: FeedServer, news: News
) -> None:
    server.feed("/feed", items(server, 2))
    async with stage.watch(f"{server.url}/feed", pages=False) as watch:
        await watch.poll()
    assert [one.path for one in server.asked] == ["/feed"]
    assert [one.text for one in await articles(news)] == ["What the feed says of it."] * 2


async def test_an_unchanged_feed_and_its_articles_are_not_fetched_again(
    stage: Stage, server: FeedServer
) -> None:
    server.feed("/feed", items(server, 2))
    async with stage.watch(f"{server.url}/feed") as watch:
        await watch.poll()
        await watch.poll()
        assert watch.state.reason == "nothing new"
    assert server.asked[-1].headers["If-None-Match"] == '"1"'
    assert (server.times("/feed"), server.times("/a/1"), server.times("/a/2")) == (2, 1, 1)


async def test_a_restart_fetches_nothing_again(stage: Stage, server: FeedServer) -> None:
    server.feed("/feed", items(server, 2))
    async with stage.watch(f"{server.url}/feed") as watch:
        await watch.poll()
    async with stage.watch(f"{server.url}/feed") as watch:
        await watch.poll()
        assert watch.state.reason == "nothing new"
    assert server.times("/a/1") == 1


async def test_last_modified_is_used_as_a_condition_too(stage: Stage, server: FeedServer) -> None:
    when = "Mon, 23 Nov 2026 12:00:00 GMT"
    server.says("/feed", rss(items(server, 1)), content_type="text/xml", Last_Modified=when)
    async with stage.watch(f"{server.url}/feed") as watch:
        await watch.poll()
        await watch.poll()
    assert server.asked[-1].headers["If-Modified-Since"] == when


async def test_a_long_feed_is_read_in_parts_and_its_etag_hides_no_entry(
    stage: Stage, server: FeedServer, news: News
) -> None:
    server.feed("/feed", items(server, 7))
    async with stage.watch(f"{server.url}/feed", pages_per_look=3) as watch:
        for expected in (3, 6, 7, 7):
            await watch.poll()
            assert len(await articles(news)) == expected
        assert watch.state.reason == "nothing new"
    assert all(server.times(f"/a/{number}") == 1 for number in range(1, 8))


async def test_a_changed_entry_is_read_again_and_keeps_its_first_time(
    stage: Stage, server: FeedServer, news: News
) -> None:
    (item,) = items(server, 1)
    server.feed("/feed", [item])
    async with stage.watch(f"{server.url}/feed") as watch:
        await watch.poll()
        (before,) = await articles(news)
        server.article("/a/1", story(99))
        later = Item(item.link, "Corrected headline", published=START.replace(hour=20))
        server.feed("/feed", [later], etag='"2"')
        await watch.poll()
    (after,) = await articles(news)
    assert (after.id, after.published) == (before.id, before.published)
    assert after.title == "Corrected headline"
    assert after.text.split() == story(99).split()
    assert after.content_hash != before.content_hash


async def test_requests_name_newswatcher_and_a_contact(stage: Stage, server: FeedServer) -> None:
    server.feed("/feed", items(server, 1))
    async with stage.watch(f"{server.url}/feed", contact="news@example.com") as watch:
        await watch.poll()
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
        await watch.poll()
    (one,) = await articles(news)
    assert one.title == "Société Générale : bénéfice"
    assert "l\u2019été dépasse les attentes à Genève" in one.text


async def test_no_markup_of_a_feed_reaches_the_database(
    stage: Stage, server: FeedServer, news: News
) -> None:
    bad = '<b onclick="x()">Sale</b><script>steal()</script>\u202e &amp; more'
    server.feed("/feed", [Item(f"{server.url}/none", f"A {bad}", f"<p>{bad}</p><p>Two</p>")])
    async with stage.watch(f"{server.url}/feed", pages=False) as watch:
        await watch.poll()
    (one,) = await articles(news)
    kept = one.title + one.summary + one.text
    assert not any(part in kept for part in ("<", "steal", "onclick", "\u202e"))
    assert one.title == "A Sale & more"


# One article, one document.


async def test_tracking_parameters_create_no_second_article(
    stage: Stage, server: FeedServer, news: News
) -> None:
    items(server, 1)
    link = f"{server.url}/a/1"
    server.feed(
        "/feed", [Item(f"{link}?utm_source=rss&utm_medium=x#top", "One"), Item(link, "One")]
    )
    async with stage.watch(f"{server.url}/feed") as watch:
        await watch.poll()
    (one,) = await articles(news)
    assert one.canonical_url == link


async def test_a_page_may_name_its_own_url_but_no_other_publishers(
    stage: Stage, server: FeedServer, news: News
) -> None:
    server.article("/amp/1", story(1), canonical="/story/1")
    server.article("/b/2", story(2), canonical="https://publisher.example/story/2")
    server.feed("/feed", [Item(f"{server.url}/amp/1", "One"), Item(f"{server.url}/b/2", "Two")])
    async with stage.watch(f"{server.url}/feed") as watch:
        await watch.poll()
    assert {one.canonical_url for one in await articles(news)} == {
        f"{server.url}/story/1",
        f"{server.url}/b/2",
    }


async def test_the_same_words_at_another_url_are_noted_with_the_first_article(
    stage: Stage, server: FeedServer, news: News
) -> None:
    server.feed("/one", items(server, 1))
    server.article("/wire/1", story(1) + " It was first told elsewhere.")
    server.feed("/two", [Item(f"{server.other_url}/wire/1", "Another headline")])
    async with stage.watches(f"{server.url}/one", f"{server.url}/two") as ((one, two), _):
        await one.poll()
        await two.poll()
        await two.poll()
    (kept,) = await articles(news)
    assert kept.title == "Headline number 1"
    (noted,) = kept.duplicates
    assert (noted.url, noted.source) == (f"{server.other_url}/wire/1", "Feed 2")


async def test_two_feeds_with_the_same_words_at_once_create_one_article(
    stage: Stage, server: FeedServer, news: News
) -> None:
    urls = []
    for number in range(4):
        server.article(f"/copy/{number}", story(5))
        server.feed(f"/{number}", [Item(f"{server.url}/copy/{number}", f"Copy {number}")])
        urls.append(f"{server.url}/{number}")
    async with stage.watches(*urls) as (watches, _):
        await asyncio.gather(*(watch.poll() for watch in watches))
    (kept,) = await articles(news)
    assert len(kept.duplicates) == 3


async def test_one_article_in_two_feeds_is_fetched_for_each_and_stored_once(
    stage: Stage, server: FeedServer, news: News
) -> None:
    told = items(server, 1)
    server.feed("/one", told)
    server.feed("/two", told)
    async with stage.watches(f"{server.url}/one", f"{server.url}/two") as ((one, two), _):
        await one.poll()
        await two.poll()
    (kept,) = await articles(news)
    assert kept.source == "Feed 1"
    assert [noted.source for noted in kept.duplicates] == ["Feed 2"]
