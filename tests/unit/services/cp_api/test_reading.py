"""The gateway's spellings, as documented and as seen."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cp_api import reading
from services.cp_api.reading import Contract

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


def read(**changed: Any) -> reading.Quote:
    return reading.quote(ELEMENT | changed, APPLE, now=NOW, simulated=False)


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
    ("told", "price", "kind"),
    [
        ("168.42", "168.42", "trade"),
        ("C168.42", "168.42", "close"),
        ("H1,168.42", "1168.42", "halted"),
        ("", None, "trade"),
        (None, None, "trade"),
    ],
)
def test_the_last_price_says_what_it_is(told: str | None, price: str | None, kind: str) -> None:
    quote = read(**{"31": told})
    assert quote.last == (None if price is None else Decimal(price))
    assert quote.last_is == kind


@pytest.mark.parametrize(
    ("told", "volume"),
    [("1,234", 1234), ("12.3K", 12_300), ("1.5M", 1_500_000), ("0", 0), ("", None), ("n/a", None)],
)
def test_volumes_have_separators_and_suffixes(told: str, volume: int | None) -> None:
    assert reading.volume(told) == volume


@pytest.mark.parametrize(
    ("flags", "delayed"), [("RpB", False), ("DPB", True), ("ZB", False), ("YB", True), ("", False)]
)
def test_availability_says_whether_data_is_delayed(flags: str, delayed: bool) -> None:
    assert read(**{"6509": flags}).delayed is delayed


def test_what_the_broker_does_not_tell_is_null_and_not_zero() -> None:
    quote = reading.quote({"conid": 265598, "31": "1.0"}, APPLE, now=NOW, simulated=True)
    told = json.loads(quote.model_dump_json())
    assert [told[name] for name in ("bid", "ask", "change", "volume")] == [None] * 4
    assert told["at"] == "2026-11-24T03:00:00Z"
    assert told["simulated"] is True


def test_prices_are_plain_numbers_in_json_and_come_back_exactly() -> None:
    told = read().model_dump_json()
    assert '"last":1168.42' in told
    assert reading.Quote.model_validate(json.loads(told, parse_float=Decimal)) == read()


def test_the_answer_to_a_preflight_has_no_data() -> None:
    assert not reading.has_data({"conid": 1, "conidEx": "1", "6509": "RpB"})
    assert reading.has_data(ELEMENT)
    assert not reading.is_subscribed({"conid": 1, "6509": "N"})


def test_a_symbol_is_the_first_american_stock_of_that_name() -> None:
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
    assert reading.conids(body, ["META", "NONE", "ABSENT"]) == {"META": (4, "META PLATFORMS INC")}


def test_a_contracts_currency_is_the_dollar_unless_told() -> None:
    body = {"secdef": [{"conid": 1, "currency": "CAD"}, {"conid": 2}, "odd"]}
    assert reading.currencies(body) == {1: "CAD", 2: "USD"}


def test_bars_are_whole_currency_whatever_the_price_factor() -> None:
    body = {
        "priceFactor": 100,
        "volumeFactor": 100,
        "data": [
            {"o": Decimal("364.79"), "c": 363, "h": 365, "l": 362, "v": 255, "t": 1669732200000},
            {"o": 1, "c": 1, "h": 1, "l": 1, "v": Decimal("2.5"), "t": 1669645800000},
            {"o": 1, "c": 1, "h": 1, "t": 1669645800000},
        ],
    }
    found = reading.history(body, symbol="VOO", period="1w", bar="1d", simulated=False)
    assert found is not None
    assert [bar.volume for bar in found.bars] == [250, 25_500]
    assert found.bars[1].open == Decimal("364.79")
    assert found.bars[0].at < found.bars[1].at


@pytest.mark.parametrize("body", [None, [], {}, {"data": None}, {"error": "no"}])
def test_an_answer_without_bars_is_no_history(body: object) -> None:
    assert reading.history(body, symbol="X", period="1d", bar="1h", simulated=False) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*reading.FIELDS, "_updated", "conid"]), JSON))
def test_no_field_however_odd_breaks_a_quote(element: dict[str, Any]) -> None:
    reading.quote(element, APPLE, now=NOW, simulated=False)


@given(JSON)
def test_no_answer_however_odd_breaks_the_reader(body: object) -> None:
    reading.elements(body)
    reading.conids(body, ["AAPL"])
    reading.conids({"AAPL": body}, ["AAPL"])
    reading.currencies(body)
    reading.history({"data": body}, symbol="X", period="1d", bar="1h", simulated=False)
