"""Parsing the gateway's answers, as documented and as observed."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cp_api import parsing
from services.cp_api.parsing import Contract

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
APPLE = Contract("AAPL", 265598, "APPLE INC", "USD")
ELEMENT = {
    "31": "1,168.42",
    "55": "AAPL",
    "6509": "RpB",
    "82": "-2.05",
    "83": "-1.21%",
    "84": "1,168.41",
    "86": "1,168.43",
    "87": "52.3M",
    "_updated": 1_712_596_911_593,
    "conid": 265598,
}


def read(**changed: Any) -> parsing.Quote:
    return parsing.quote(ELEMENT | changed, APPLE, now=NOW, simulated=False)


def test_a_snapshot_becomes_a_quote() -> None:
    quote = read()
    assert quote.last == Decimal("1168.42")
    assert (quote.bid, quote.ask) == (Decimal("1168.41"), Decimal("1168.43"))
    assert (quote.change, quote.change_percent) == (Decimal("-2.05"), Decimal("-1.21"))
    assert quote.volume == 52_300_000
    assert quote.at == datetime(2024, 4, 8, 17, 21, 51, 593000, tzinfo=UTC)
    assert (quote.delayed, quote.simulated, quote.stale) == (False, False, False)
    assert (quote.name, quote.currency) == ("APPLE INC", "USD")


@pytest.mark.parametrize(
    ("field", "price", "kind"),
    [
        ("168.42", "168.42", "trade"),
        ("C168.42", "168.42", "close"),
        ("H1,168.42", "1168.42", "halted"),
        ("", None, "trade"),
        (None, None, "trade"),
    ],
)
def test_the_last_price_has_a_kind(field: str | None, price: str | None, kind: str) -> None:
    quote = read(**{"31": field})
    assert quote.last == (None if price is None else Decimal(price))
    assert quote.last_is == kind


@pytest.mark.parametrize(
    ("text", "volume"),
    [
        *(("1,234", 1234), ("12.3K", 12_300), ("1.5M", 1_500_000), ("0", 0), ("", None)),
        *(("n/a", None), ("1e999999999", None), ("9" * 1000, None), ("-1E+999999999M", None)),
    ],
)
def test_volumes_have_separators_and_suffixes(text: str, volume: int | None) -> None:
    assert parsing.volume(text) == volume


@pytest.mark.parametrize(
    ("flags", "delayed"), [("RpB", False), ("DPB", True), ("ZB", False), ("YB", True), ("", False)]
)
def test_the_availability_field_says_whether_data_is_delayed(flags: str, delayed: bool) -> None:
    assert read(**{"6509": flags}).delayed is delayed


def test_absent_fields_are_null_and_not_zero() -> None:
    quote = parsing.quote({"conid": 265598, "31": "1.0"}, APPLE, now=NOW, simulated=True)
    fields = json.loads(quote.model_dump_json())
    assert [fields[name] for name in ("bid", "ask", "change", "volume")] == [None] * 4
    assert fields["at"] == "2026-11-24T03:00:00Z"
    assert fields["simulated"] is True


def test_prices_are_plain_numbers_in_json_and_are_read_back_exactly() -> None:
    text = read().model_dump_json()
    assert '"last":1168.42' in text
    assert parsing.Quote.model_validate(json.loads(text, parse_float=Decimal)) == read()


def test_the_answer_to_a_preflight_has_no_data() -> None:
    assert not parsing.has_data({"conid": 1, "conidEx": "1", "6509": "RpB"})
    assert parsing.has_data(ELEMENT)
    assert not parsing.is_subscribed({"conid": 1, "6509": "N"})


def test_a_symbol_is_the_first_american_stock_with_that_symbol() -> None:
    body = {
        "META": [
            {
                "assetClass": "STK",
                "name": "META MEXICO",
                "contracts": [{"conid": 1, "isUS": False}],
            },
            {"assetClass": "IND", "name": "AN INDEX", "contracts": [{"conid": 2, "isUS": True}]},
            {
                "assetClass": "STK",
                "name": "META PLATFORMS INC",
                "contracts": [{"conid": 3, "isUS": False}, {"conid": 4, "isUS": True}],
            },
        ],
        "NONE": [],
        "simulated": True,
    }
    assert parsing.conids(body, ["META", "NONE", "ABSENT"]) == {"META": (4, "META PLATFORMS INC")}


def test_a_contracts_currency_defaults_to_the_dollar() -> None:
    body = {"secdef": [{"conid": 1, "currency": "CAD"}, {"conid": 2}, "odd"]}
    assert parsing.currencies(body) == {1: "CAD", 2: "USD"}


def test_bars_ignore_the_price_factor() -> None:
    body = {
        "priceFactor": 100,
        "volumeFactor": 100,
        "data": [
            {"o": Decimal("364.79"), "c": 363, "h": 365, "l": 362, "v": 255, "t": 1669732200000},
            {"o": 1, "c": 1, "h": 1, "l": 1, "v": Decimal("2.5"), "t": 1669645800000},
            {"o": 1, "c": 1, "h": 1, "t": 1669645800000},
        ],
    }
    history = parsing.history(body, symbol="VOO", period="1w", bar="1d", simulated=False)
    assert history is not None
    assert [bar.volume for bar in history.bars] == [250, 25_500]
    assert history.bars[1].open == Decimal("364.79")
    assert history.bars[0].at < history.bars[1].at


@pytest.mark.parametrize("body", [None, [], {}, {"data": None}, {"error": "no"}])
def test_an_answer_without_bars_has_no_history(body: object) -> None:
    assert parsing.history(body, symbol="X", period="1d", bar="1h", simulated=False) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*parsing.FIELDS, "_updated", "conid"]), JSON))
def test_no_odd_field_breaks_a_quote(element: dict[str, Any]) -> None:
    parsing.quote(element, APPLE, now=NOW, simulated=False)


@given(JSON)
def test_no_odd_answer_breaks_the_parser(body: object) -> None:
    parsing.elements(body)
    parsing.conids(body, ["AAPL"])
    parsing.conids({"AAPL": body}, ["AAPL"])
    parsing.currencies(body)
    parsing.history({"data": body}, symbol="X", period="1d", bar="1h", simulated=False)
