"""The parameters of calls, and the answers to wrong ones."""

from datetime import UTC, datetime
from typing import Any

import pytest
from multidict import MultiDict

from runtime.web.problems import Problem
from services.public_api.schema.parameters import NewsParameters, SentimentParameters, parsed
from services.stores.news import Cursor, article_id

CURSOR = Cursor(published=datetime(2026, 11, 24, tzinfo=UTC), id=article_id("https://a.example"))


def news(*parameters: tuple[str, str]) -> NewsParameters:
    return parsed(NewsParameters, {}, MultiDict(parameters))


def refusal(*parameters: tuple[str, str]) -> list[dict[str, Any]]:
    with pytest.raises(Problem) as refused:
        news(*parameters)
    assert refused.value.status == 400
    return list(refused.value.extra["errors"])


def test_without_conditions_a_page_has_the_newest_twenty() -> None:
    query = news().query()
    assert query.model_dump(exclude_none=True) == {"limit": 20}


def test_conditions_reach_the_store_with_symbols_in_capitals() -> None:
    query = news(
        ("symbol", "acme"), ("since", "2026-11-24T04:00:00+01:00"), ("cursor", CURSOR.encode())
    ).query()
    assert (query.symbol, query.cursor) == ("ACME", CURSOR)
    assert query.since == datetime(2026, 11, 24, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("symbl", "ACME"),
        ("symbol", "A B"),
        ("symbol", ""),
        ("symbol", "*"),
        ("topic", ""),
        ("topic", "a\x00b"),
        ("label", "good"),
        ("limit", "0"),
        ("limit", "101"),
        ("limit", "1.0"),
        ("limit", "1_0"),
        ("limit", "٣"),
        ("limit", "9" * 5000),
        ("since", "yesterday"),
        ("since", "1700000000"),
        ("since", "2026-11-24T03:00:00"),
        ("since", "2026-13-24T03:00:00Z"),
        ("since", "2026-11-24T03:00:00 00:00"),
        ("cursor", "abc"),
        ("cursor", CURSOR.encode()[:-1] + "A"),
        ("cursor", CURSOR.encode() + "="),
        ("cursor", "ä"),
    ],
)
def test_a_wrong_parameter_is_named(name: str, value: str) -> None:
    (error,) = refusal((name, value))
    assert error["parameter"] == name
    assert error["detail"]


def test_every_wrong_parameter_is_named_at_once() -> None:
    errors = refusal(("limit", "x"), ("since", "y"), ("other", "z"))
    assert {error["parameter"] for error in errors} == {"limit", "since", "other"}


def test_a_repeated_parameter_is_refused() -> None:
    assert refusal(("symbol", "A"), ("symbol", "B"))[0]["parameter"] == "symbol"


@pytest.mark.parametrize(
    "at", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "0900-05-05T00:00:00Z"]
)
def test_times_at_the_ends_of_the_calendar_are_accepted(at: str) -> None:
    assert news(("since", at)).since is not None


def test_the_number_of_days_is_limited() -> None:
    assert parsed(SentimentParameters, {}, MultiDict()).days == 30
    with pytest.raises(Problem):
        parsed(SentimentParameters, {}, MultiDict(days="367"))
