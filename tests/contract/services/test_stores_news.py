"""Articles in a real database: stable pages, sentiment by day, concurrent writers."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from runtime.errors import GoneError
from services.stores.couch import ConflictError, Couch
from services.stores.news import (
    Analysis,
    Article,
    Listing,
    News,
    NewsQuery,
    article_id,
    content_hash,
)

START = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)


def article(number: int, **changes: Any) -> Article:
    url = f"https://news.example/{number}"
    title, text = f"Headline {number}", f"Text of {number}."
    return Article.model_validate(
        {
            "id": article_id(url),
            "url": url,
            "canonical_url": url,
            "title": title,
            "text": text,
            "source": "Example",
            "feed_url": "https://news.example/feed",
            "published": START + timedelta(minutes=number),
            "fetched": START + timedelta(hours=1),
            "fingerprint": f"{number:016x}",
            "content_hash": content_hash(title, text),
            **changes,
        }
    )


def analysed(one: Article, score: float = 0.5, **changes: Any) -> Article:
    label = "positive" if score > 0 else "negative" if score < 0 else "neutral"
    return one.model_copy(
        update={
            "ml": Analysis.model_validate(
                {
                    "version": "1",
                    "of": one.content_hash,
                    "score": score,
                    "label": label,
                    "at": START,
                    **changes,
                }
            )
        }
    )


async def everything(news: News, query: NewsQuery) -> list[Listing]:
    found: list[Listing] = []
    while True:
        page, cursor = await news.page(query)
        found += page
        if cursor is None:
            return found
        query = query.model_copy(update={"cursor": cursor})


def titles(listed: list[Listing]) -> list[str]:
    return [one.title.removeprefix("Headline ") for one in listed]


async def test_pages_have_the_newest_first_and_each_article_once(news: News) -> None:
    for number in range(7):
        await news.save(article(number))
    assert titles(await everything(news, NewsQuery(limit=3))) == ["6", "5", "4", "3", "2", "1", "0"]


@pytest.mark.parametrize(("count", "is_there_more"), [(2, False), (3, False), (4, True)])
async def test_there_is_a_next_page_only_when_it_has_articles(
    news: News, count: int, is_there_more: bool
) -> None:
    for number in range(count):
        await news.save(article(number))
    _, cursor = await news.page(NewsQuery(limit=3))
    assert (cursor is not None) == is_there_more


async def test_articles_that_arrive_between_pages_neither_repeat_nor_hide_any(news: News) -> None:
    for number in range(6):
        await news.save(article(number))
    first, cursor = await news.page(NewsQuery(limit=3))
    for number in range(6, 9):
        await news.save(article(number))
    second, _ = await news.page(NewsQuery(limit=3, cursor=cursor))
    assert titles(first + second) == ["5", "4", "3", "2", "1", "0"]


async def test_articles_of_the_same_time_are_ordered_by_id(news: News) -> None:
    for number in range(5):
        await news.save(article(number, published=START))
    assert sorted(titles(await everything(news, NewsQuery(limit=2)))) == ["0", "1", "2", "3", "4"]


async def test_a_page_continues_after_the_article_of_its_cursor_is_deleted(
    news: News, couch: Couch
) -> None:
    for number in range(4):
        await news.save(article(number))
    first, cursor = await news.page(NewsQuery(limit=2))
    gone = await news.article(first[-1].id)
    await couch.put("news", {"_id": gone.id, "_rev": gone.rev, "_deleted": True})
    second, _ = await news.page(NewsQuery(limit=2, cursor=cursor))
    assert titles(second) == ["1", "0"]


async def test_since_is_inclusive_and_until_exclusive(news: News) -> None:
    for number in range(5):
        await news.save(article(number))
    query = NewsQuery(
        since=START + timedelta(minutes=1), until=START + timedelta(minutes=3), limit=1
    )
    assert titles(await everything(news, query)) == ["2", "1"]


async def test_a_range_that_ends_before_it_begins_has_no_articles(news: News) -> None:
    for number in range(3):
        await news.save(article(number))
    _, cursor = await news.page(NewsQuery(limit=1))
    later, earlier = START + timedelta(hours=1), START - timedelta(hours=1)
    assert await news.page(NewsQuery(since=later, until=earlier)) == ([], None)
    assert await news.page(NewsQuery(since=later, cursor=cursor)) == ([], None)


async def test_conditions_work_alone_and_together(news: News) -> None:
    await news.save(analysed(article(1), symbols=["ACME"], topics=["earnings"]))
    await news.save(analysed(article(2), -0.5, symbols=["ACME", "INIT"], topics=["merger"]))
    await news.save(analysed(article(3, source="Other"), symbols=["INIT"], topics=["earnings"]))
    await news.save(article(4))

    async def found(**conditions: Any) -> list[str]:
        return titles(await everything(news, NewsQuery(**conditions)))

    assert await found(symbol="ACME") == ["2", "1"]
    assert await found(topic="earnings") == ["3", "1"]
    assert await found(source="Other") == ["3"]
    assert await found(label="negative") == ["2"]
    assert await found(symbol="ACME", label="positive") == ["1"]
    assert await found(symbol="INIT", topic="earnings", source="Other", label="positive") == ["3"]
    assert await found(symbol="ACME", source="Other") == []
    assert await found(symbol="ACME", since=START + timedelta(minutes=2)) == ["2"]


async def test_several_conditions_give_every_match_once_over_many_reads(
    news: News, couch: Couch
) -> None:
    docs = [
        analysed(article(number), -1 if number % 400 == 7 else 1, symbols=["ACME"]).to_doc()
        for number in range(1300)
    ]
    await couch.bulk("news", docs)
    first, cursor = await news.page(NewsQuery(symbol="ACME", label="negative", limit=100))
    assert len(first) < 4
    assert cursor is not None
    query = NewsQuery(symbol="ACME", label="negative", limit=2)
    assert titles(await everything(news, query)) == ["1207", "807", "407", "7"]


async def test_listings_have_no_text_but_articles_do(news: News) -> None:
    await news.save(article(1))
    (listed,), _ = await news.page(NewsQuery())
    assert "text" not in listed.model_dump()
    assert (await news.article(listed.id)).text == "Text of 1."


async def test_a_missing_article_is_gone(news: News) -> None:
    with pytest.raises(GoneError):
        await news.article(article_id("https://nowhere.example"))


async def test_the_first_query_creates_the_database(couch: Couch) -> None:
    assert await News(couch).page(NewsQuery()) == ([], None)


async def test_an_analysis_is_added_to_what_newswatcher_wrote_meanwhile(news: News) -> None:
    old = await news.save(article(1))
    await news.save(old.model_copy(update={"summary": "found later"}))
    ml = analysed(old).ml
    assert ml is not None
    assert await news.analyse(old, ml)
    kept = await news.article(old.id)
    assert (kept.summary, kept.ml, kept.is_analysed) == ("found later", ml, True)


async def test_an_analysis_of_a_text_that_changed_is_not_added(news: News) -> None:
    old = await news.save(article(1))
    await news.save(old.model_copy(update={"content_hash": "another"}))
    ml = analysed(old).ml
    assert ml is not None
    assert not await news.analyse(old, ml)
    assert (await news.article(old.id)).ml is None


async def test_overwriting_another_writers_revision_conflicts(news: News) -> None:
    old = await news.save(article(1))
    await news.save(old)
    with pytest.raises(ConflictError):
        await news.save(old)


async def test_near_gives_articles_that_share_a_band_of_the_fingerprint(news: News) -> None:
    await news.save(article(1, fingerprint="0123456789abcdef"))
    await news.save(article(2, fingerprint="ffff456700000000"))
    await news.save(article(3, fingerprint="4567012300000001"))
    near = await news.near("0123456789abcdee")
    assert sorted(near.values()) == ["0123456789abcdef", "ffff456700000000"]


async def test_sentiment_by_day_for_a_symbol_and_for_all_articles(news: News) -> None:
    await news.save(analysed(article(1), 0.5, symbols=["ACME"]))
    await news.save(analysed(article(2), -0.25, symbols=["ACME", "INIT"]))
    await news.save(analysed(article(24 * 60), 1.0, symbols=["INIT"]))
    day, next_day = date(2026, 11, 24), date(2026, 11, 25)
    (acme,) = await news.sentiment("ACME", day, next_day)
    assert (acme.day, acme.count, acme.mean) == (day, 2, 0.125)
    assert (acme.minimum, acme.maximum) == (-0.25, 0.5)
    assert [one.count for one in await news.sentiment(None, day, next_day)] == [2, 1]
    assert [one.day for one in await news.sentiment("INIT", next_day, next_day)] == [next_day]
    assert await news.sentiment("NONE", day, next_day) == []


async def test_symbols_topics_and_sources_are_ordered_by_number_of_articles(news: News) -> None:
    await news.save(analysed(article(1), symbols=["B", "A"], topics=["t"]))
    await news.save(analysed(article(2), symbols=["A"]))
    await news.save(article(3, source="Other"))
    assert list((await news.symbols()).items()) == [("A", 2), ("B", 1)]
    assert await news.topics() == {"t": 1}
    assert await news.sources() == {"Example": 2, "Other": 1}
    assert await news.symbols(limit=1) == {"A": 2}
