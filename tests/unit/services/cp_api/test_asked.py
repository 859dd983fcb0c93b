"""What callers may ask for."""

import pytest

from services.cp_api import asked


@pytest.mark.parametrize(("text", "symbol"), [("aapl", "AAPL"), (" BRK.B ", "BRK.B"), ("F", "F")])
def test_a_symbol_is_put_in_its_usual_spelling(text: str, symbol: str) -> None:
    assert asked.symbol(text) == symbol


@pytest.mark.parametrize("text", ["", " ", "1A", "A&B", "AAPL,MSFT", "A" * 13, "../x", "ÄÖ"])
def test_what_is_no_symbol_is_refused(text: str) -> None:
    with pytest.raises(asked.AskedWrongError):
        asked.symbol(text)


def test_symbols_are_asked_for_once_and_in_order() -> None:
    assert asked.symbols("msft,AAPL,,msft") == ["MSFT", "AAPL"]


def test_too_many_symbols_or_none_are_refused() -> None:
    for text in ("", ",,", ",".join(f"A{n}" for n in range(asked.MOST_SYMBOLS + 1))):
        with pytest.raises(asked.AskedWrongError):
            asked.symbols(text)


def test_the_broker_writes_classes_of_shares_after_a_space() -> None:
    assert asked.broker_symbol("BRK.B") == "BRK B"
    assert asked.broker_symbol("AAPL") == "AAPL"


@pytest.mark.parametrize(
    ("period", "bar", "seconds"),
    [("1w", "1d", 86_400), ("1h", "1min", 60), ("8h", "15min", 900), ("1y", "1w", 604_800)],
)
def test_a_span_is_a_period_in_bars(period: str, bar: str, seconds: int) -> None:
    assert asked.span(period, bar).bar_seconds == seconds


def test_more_bars_than_fit_one_answer_are_refused() -> None:
    with pytest.raises(asked.AskedWrongError, match="At most 1000 bars"):
        asked.span("1d", "1min")


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
def test_what_the_broker_has_no_history_of_is_refused(period: str, bar: str) -> None:
    with pytest.raises(asked.AskedWrongError):
        asked.span(period, bar)
