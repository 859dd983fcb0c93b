"""Rows that cannot be read are skipped and counted, and fail no answer."""

import contextlib
import copy
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import GoneError, RefusedError
from runtime.faults import Faults
from services.stores.couch import encodable
from services.stores.news import (
    Article,
    Listing,
    News,
    NewsQuery,
    UnreadableError,
    article_id,
    content_hash,
)

START = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)


class Database:
    """The part of `Couch` that `News` uses, in memory, with any documents in it."""

    def __init__(self, docs: list[dict[str, Any]]) -> None:
        self.docs = {doc["_id"]: doc for doc in docs}
        self.reads = 0

    async def get(self, _db: str, doc_id: str) -> dict[str, Any]:
        if doc_id not in self.docs:
            raise GoneError(doc_id)
        return copy.deepcopy(self.docs[doc_id])

    async def put(self, _db: str, doc: dict[str, Any]) -> str:
        self.docs[doc["_id"]] = doc
        return "2-x"

    async def view(self, _db: str, _design: str, view: str, **params: Any) -> list[dict[str, Any]]:
        self.reads += 1
        if view != "by_published":
            return [{"id": key, "key": [0, "x"], "value": doc} for key, doc in self.docs.items()]
        rows = [
            {"id": key, "key": [doc.get("published"), key], "value": doc}
            for key, doc in self.docs.items()
        ]
        rows.sort(key=lambda row: [str(part) for part in row["key"]], reverse=True)
        start = [str(part) for part in params["startkey"]]
        if params["startkey"] != [{}]:
            rows = [row for row in rows if [str(part) for part in row["key"]] <= start]
        return rows[: params["limit"]]


def article(number: int) -> Article:
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
            "fetched": START,
            "fingerprint": f"{number:016x}",
            "content_hash": content_hash(title, text),
        }
    )


def poison(number: int, **changes: Any) -> dict[str, Any]:
    doc = {**article(number).to_doc(), "_id": f"news-{number:032x}", "_rev": "7-bad"}
    return {**doc, "published": "900-05-05T00:00:00Z", **changes}


def news_of(*docs: dict[str, Any]) -> tuple[News, Database, Faults]:
    database, faults = Database(list(docs)), Faults()
    couch: Any = database
    return News(couch, faults=faults), database, faults


async def everything(news: News, limit: int) -> list[Listing]:
    listed: list[Listing] = []
    query = NewsQuery(limit=limit)
    while True:
        page, cursor = await news.page(query)
        assert len(page) <= limit
        listed += page
        if cursor is None:
            return listed
        assert cursor != query.cursor
        query = query.model_copy(update={"cursor": cursor})


@pytest.mark.parametrize("limit", [1, 3, 20])
@pytest.mark.parametrize("bad", [1, 2, 30])
async def test_unreadable_rows_hide_no_article(limit: int, bad: int) -> None:
    good = [article(number).to_doc() for number in range(5)]
    first = [poison(number) for number in range(bad)]
    between = [poison(100 + bad, published="2026-11-24T03:02:30Z", title=None)]
    news, _, faults = news_of(*good, *first, *between)
    titles = [listing.title for listing in await everything(news, limit)]
    assert titles == [f"Headline {number}" for number in (4, 3, 2, 1, 0)]
    assert sum(fault["count"] for fault in faults.recent()) > bad


async def test_a_page_is_complete_despite_an_unreadable_row() -> None:
    news, _, _ = news_of(poison(1), *(article(number).to_doc() for number in range(9)))
    page, cursor = await news.page(NewsQuery(limit=6))
    assert len(page) == 6
    assert cursor is not None


async def test_a_page_without_unreadable_rows_is_one_read() -> None:
    news, database, _ = news_of(*(article(number).to_doc() for number in range(9)))
    await news.page(NewsQuery(limit=6))
    assert database.reads == 1


async def test_nothing_but_unreadable_rows_ends_the_list() -> None:
    news, database, _ = news_of(*(poison(number) for number in range(2_000)))
    assert await news.page(NewsQuery(limit=5)) == ([], None)
    assert database.reads <= 50


VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just("\ud800")


@given(st.dictionaries(st.sampled_from(sorted(article(1).to_doc())), VALUES, min_size=1))
async def test_a_document_with_any_fields_fails_no_answer(changes: dict[str, Any]) -> None:
    doc = {**article(1).to_doc(), **changes, "_id": f"news-{9:032x}"}
    news, _, _ = news_of(article(2).to_doc(), doc)
    listed, _ = await news.page(NewsQuery())
    assert "Headline 2" in [listing.title for listing in listed]
    await news.near("0" * 16)
    with contextlib.suppress(UnreadableError):
        await news.article(doc["_id"])


async def test_a_document_that_is_no_article_is_not_there_and_can_be_overwritten() -> None:
    news, _, faults = news_of(poison(1))
    with pytest.raises(UnreadableError) as caught:
        await news.article(f"news-{1:032x}")
    assert isinstance(caught.value, GoneError)
    assert caught.value.rev == "7-bad"
    assert len(faults.recent()) == 1


async def test_what_could_not_be_read_back_is_not_written() -> None:
    news, database, _ = news_of()
    for changes in ({"published": "soon"}, {"title": None}, {"fingerprint": "x"}):
        with pytest.raises(RefusedError, match="not valid"):
            await news.save(article(1).model_copy(update=changes))
    assert database.docs == {}
    for year in (1, 900, 999, 9999):
        dated = article(1).model_copy(update={"published": datetime(year, 1, 1, tzinfo=UTC)})
        await news.save(dated)
        assert (await news.article(article(1).id)).published.year == year


async def test_a_day_that_cannot_be_read_is_left_out() -> None:
    news, database, _ = news_of()
    good = {"sum": 1, "count": 2, "min": 0, "max": 1}

    async def view(*_: Any, **__: Any) -> list[dict[str, Any]]:
        return [
            {"key": ["*", "2026-13-45"], "value": good},
            {"key": ["*", "2026-11-24"], "value": good},
            {"key": ["*", "2026-11-25"], "value": {"count": 0}},
        ]

    database.view = view  # type: ignore[method-assign]
    (day,) = await news.sentiment(None, date(2026, 11, 1), date(2026, 11, 30))
    assert (day.day, day.mean) == (date(2026, 11, 24), 0.5)


@pytest.mark.parametrize("value", ["\ud800", float("nan"), float("inf")])
def test_a_document_that_is_no_json_is_not_encodable(value: object) -> None:
    assert encodable({"text": "\u20ac"})
    assert not encodable({"text": value})
