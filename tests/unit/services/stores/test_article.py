"""The document of an article, and times whose texts sort like them."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import ValidationError

from services.stores.article import Article, article_id, bands, content_hash, timestamp

URL = "https://news.example/1"
DOC: dict[str, Any] = {
    "_id": article_id(URL),
    "_rev": "1-abc",
    "type": "news",
    "url": URL,
    "canonical_url": URL,
    "title": "Acme rises",
    "summary": "",
    "text": "Acme rose.",
    "source": "Example",
    "feed_url": "https://news.example/feed",
    "authors": ["A. Writer"],
    "published": "2026-11-24T03:00:00Z",
    "fetched": "2026-11-24T03:01:00Z",
    "fingerprint": "0123456789abcdef",
    "duplicates": [{"url": URL + "?a", "source": "Other", "seen": "2026-11-24T03:02:00Z"}],
    "content_hash": content_hash("Acme rises", "Acme rose."),
    "ml": {
        "version": "1",
        "of": content_hash("Acme rises", "Acme rose."),
        "score": 0.5,
        "label": "positive",
        "symbols": ["ACME"],
        "topics": [],
        "at": "2026-11-24T03:03:00Z",
    },
}


def test_a_document_is_read_and_written_unchanged() -> None:
    assert Article.from_doc(DOC).to_doc() == DOC


def test_a_new_article_has_no_revision() -> None:
    doc = {name: value for name, value in DOC.items() if name not in ("_rev", "ml")}
    assert Article.from_doc(doc).to_doc() == doc | {"ml": None}


def test_an_analysis_of_a_different_text_does_not_count() -> None:
    article = Article.from_doc(DOC)
    assert article.is_analysed
    assert not article.model_copy(update={"content_hash": "another"}).is_analysed


@pytest.mark.parametrize(
    ("name", "value"),
    [("_id", "other"), ("fingerprint", "xyz"), ("published", "2026-11-24T03:00:00")],
)
def test_anything_but_an_article_is_refused(name: str, value: str) -> None:
    with pytest.raises(ValidationError):
        Article.from_doc(DOC | {name: value})


def test_times_are_written_in_utc_and_whole_seconds() -> None:
    at = datetime(2026, 11, 24, 4, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=1)))
    assert timestamp(at) == "2026-11-24T03:00:00Z"
    assert timestamp(datetime(2026, 1, 2, tzinfo=UTC)) == "2026-01-02T00:00:00Z"


@pytest.mark.parametrize("year", [1, 42, 900, 999, 1000, 2026, 9999])
def test_years_have_four_digits_so_that_times_can_be_read_and_sort(year: int) -> None:
    written = timestamp(datetime(year, 5, 5, tzinfo=UTC))
    assert len(written) == len("2026-11-24T03:00:00Z")
    assert Article.from_doc(DOC | {"published": written}).to_doc()["published"] == written


def test_a_time_outside_of_all_years_is_the_nearest_one() -> None:
    east, west = timezone(timedelta(hours=14)), timezone(-timedelta(hours=12))
    assert timestamp(datetime(1, 1, 1, tzinfo=east)) == "0001-01-01T00:00:00Z"
    assert timestamp(datetime(9999, 12, 31, 23, tzinfo=west)) == "9999-12-31T23:59:59Z"


def test_a_fingerprint_has_four_bands_of_sixteen_bits() -> None:
    assert bands("0123456789abcdef") == [(0, "0123"), (1, "4567"), (2, "89ab"), (3, "cdef")]


def test_title_and_text_are_hashed_separately() -> None:
    assert content_hash("ab", "c") != content_hash("a", "bc")
