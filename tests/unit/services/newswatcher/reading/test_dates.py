"""The times in feeds: many formats, and many mistakes."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.newswatcher.article_writer import fetched_article
from services.newswatcher.feeds import Feed
from services.newswatcher.fetching.pages import Page
from services.newswatcher.reading import dates
from services.newswatcher.reading.entries import Entry, parse
from services.stores.article import Article

AT = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
FEED = Feed(name="F", url="https://n.example/feed.xml")
YEAR_ONE = (Path(__file__).parents[1] / "data" / "year-one.xml").read_bytes()


@pytest.mark.parametrize(
    "text",
    [
        *("Mon, 23 Nov 2026 12:00:00 +0100", "23 Nov 2026 06:00:00 EST", "23 Nov 26 11:00 GMT"),
        *("2026-11-23T12:00:00+01:00", "2026-11-23T11:00:00Z", "2026-11-23 12:00:00 +0100"),
        *("2026-11-23t11:00:00.123456789z", "20261123T110000Z", " 2026-11-23T11:00 "),
        *("Monday, 23 November 2026 11:00:00 GMT", "Mon Nov 23 11:00:00 2026"),
        *("Mon, 23 Nov 2026 12:00:00 GMT+0100", "Mon, 23 Nov 2026 12:00:00 +01:00"),
        *("2026-11-23T11:00:00 UTC", "2026-11-23 11:00:00 GMT", "2026-11-23 12:00 UTC+01:00"),
        *("Mon, 23 Nov 2026 12:00:00 +0100 (CET)", "23 Nov 2026 06:00 -05:00"),
    ],
)
def test_a_time_is_read_in_each_usual_format(text: str) -> None:
    moment = dates.parse(text)
    assert moment is not None
    assert moment.replace(microsecond=0) == datetime(2026, 11, 23, 11, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        *(("24 Nov 2026", (11, 24)), ("Tue, 24 Nov 2026", (11, 24)), ("2026-11-24", (11, 24))),
        ("24 Sept 2026 00:00:00 GMT", (9, 24)),
    ],
)
def test_a_day_without_a_time_begins_at_midnight(text: str, day: tuple[int, int]) -> None:
    assert dates.parse(text) == datetime(2026, *day, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        *("", "soon", "Mon, 01 Jan 0001 00:00:00 +0000", "0001-01-01T00:00:00Z", "0900-05-05"),
        *("Thu, 05 May 0900 00:00:00 GMT", "05 May 999 00:00:00 GMT", "1970-01-01T00:00:00Z"),
        *("1989-12-31T23:59:59Z", "2026-13-45T00:00:00Z", "0001-01-01T00:00:00+23:59", "-1"),
        *("31 Feb 2026 00:00:00 GMT", "99999-01-01", "Mon, 01 Jan 0000 00:00:00 GMT", "1" * 5000),
        *("9999-12-31T23:59:59-23:59", "\ud800", "Mon, 23 Nov 2026 12:00:00 +9999999999"),
    ],
)
def test_a_time_that_cannot_be_right_counts_as_none(text: str) -> None:
    assert dates.parse(text) is None


@example("0001-01-01T00:00:00Z")
@given(st.text(max_size=40) | st.datetimes().map(str))
def test_any_text_is_a_time_in_utc_after_1990_or_none(text: str) -> None:
    moment = dates.parse(text)
    assert moment is None or (moment >= dates.EARLIEST and moment.tzinfo is UTC)


@given(st.datetimes(timezones=st.just(UTC)))
def test_an_article_was_published_after_1990_and_not_later_than_found(published: datetime) -> None:
    plausible = dates.plausible(published, at=AT)
    assert dates.EARLIEST <= plausible <= AT
    assert plausible in (published, AT)


def stored(entry: Entry) -> Article:
    doc = fetched_article(FEED, entry, Page(entry.link, ""), at=AT).article.to_doc()
    return Article.from_doc(doc)


def test_the_entries_of_case_32_can_be_read_back_and_one_is_dated_when_found() -> None:
    talks, news = parse(YEAR_ONE, url=FEED.url, content_type="application/xml")
    assert stored(talks).published == AT
    assert stored(news).published == datetime(2026, 11, 29, 10, 0, tzinfo=UTC)


@given(st.datetimes(timezones=st.just(UTC)) | st.none())
def test_whatever_its_date_an_article_can_be_read_back(published: datetime | None) -> None:
    (entry, _) = parse(YEAR_ONE, url=FEED.url, content_type="application/xml")
    article = stored(entry.model_copy(update={"published": published}))
    assert AT - timedelta(days=365 * 40) < article.published <= AT
