from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.webservice.filters import Filters, read
from services.webservice.visitor.redirects import local_path


def test_an_address_without_filters_shows_all_news():
    assert read({}) == Filters()
    assert not Filters().is_set
    assert Filters().address() == "/dashboard"


def test_filters_are_parsed_from_an_address_and_written_into_one():
    query = {"symbol": " brk.b ", "topic": "earnings", "label": "negative", "days": "30"}
    filters = read(query)

    assert filters == Filters("BRK.B", "earnings", "negative", 30)
    assert filters.summary == "BRK.B, Earnings, negative"
    assert (
        read({k: v[0] for k, v in parse_qs(urlsplit(filters.address()).query).items()}) == filters
    )


@pytest.mark.parametrize(
    "query",
    [
        {"symbol": "<script>"},
        {"label": "furious"},
        {"days": "100000000"},
        {"days": "x"},
        {"topic": "\n"},
        {"cursor": "x" * 501},
    ],
)
def test_an_invalid_value_is_ignored(query: dict[str, str]):
    assert read(query) == Filters()


def test_choosing_other_days_starts_with_the_newest_news():
    assert Filters("AAPL", cursor="abc").with_days(30) == "/dashboard?symbol=AAPL&days=30"


def test_the_last_page_has_no_next_page():
    assert Filters().after(None) is None
    assert Filters("AAPL").after("abc") == "/dashboard?symbol=AAPL&cursor=abc"


@given(st.text(max_size=80), st.text(max_size=80))
def test_every_address_stays_on_the_site(topic: str, cursor: str):
    address = read({"topic": topic, "cursor": cursor}).address()

    assert local_path(address, otherwise="") == (address if len(address) <= 500 else "")
