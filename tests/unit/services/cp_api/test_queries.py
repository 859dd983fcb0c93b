"""Which symbols, periods and bars callers may ask for."""

import pytest

from services.cp_api import queries


@pytest.mark.parametrize(("text", "symbol"), [("aapl", "AAPL"), (" BRK.B ", "BRK.B"), ("F", "F")])
def test_a_symbol_gets_its_usual_spelling(text: str, symbol: str) -> None:
    assert queries.symbol(text) == symbol


@pytest.mark.parametrize("text", ["", " ", "1A", "A&B", "AAPL,MSFT", "A" * 13, "../x", "ÄÖ"])
def test_anything_but_a_symbol_is_refused(text: str) -> None:
    with pytest.raises(queries.InvalidQueryError):
        queries.symbol(text)


def test_symbols_are_unique_and_in_order() -> None:
    assert queries.symbols("msft,AAPL,,msft") == ["MSFT", "AAPL"]


def test_too_many_symbols_and_none_at_all_are_refused() -> None:
    for text in ("", ",,", ",".join(f"A{n}" for n in range(queries.MOST_SYMBOLS + 1))):
        with pytest.raises(queries.InvalidQueryError):
            queries.symbols(text)


def test_the_gateway_writes_a_space_before_the_class_of_share() -> None:
    assert queries.gateway_symbol("BRK.B") == "BRK B"
    assert queries.gateway_symbol("AAPL") == "AAPL"


@pytest.mark.parametrize(
    ("period", "bar", "seconds"),
    [("1w", "1d", 86_400), ("1h", "1min", 60), ("8h", "15min", 900), ("1y", "1w", 604_800)],
)
def test_a_span_has_the_length_of_its_bars(period: str, bar: str, seconds: int) -> None:
    assert queries.span(period, bar).bar_seconds == seconds


def test_more_bars_than_fit_in_one_answer_are_refused() -> None:
    with pytest.raises(queries.InvalidQueryError, match="at most 1000 bars"):
        queries.span("1d", "1min")


@pytest.mark.parametrize(
    ("period", "bar"),
    [
        ("1x", "1d"),
        ("1w", "7min"),
        ("1w", "1y"),
        ("1h", "1d"),
        ("0d", "1h"),
        ("1001d", "1w"),
        ("16y", "1m"),
        ("31min", "1min"),
        ("", ""),
        ("1d;", "1h"),
    ],
)
def test_an_undocumented_period_or_bar_is_refused(period: str, bar: str) -> None:
    with pytest.raises(queries.InvalidQueryError):
        queries.span(period, bar)
