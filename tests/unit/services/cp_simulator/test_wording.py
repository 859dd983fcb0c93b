"""Answers in the gateway's spelling, all marked."""

import pytest

from services.cp_simulator import prices, wording
from services.cp_simulator.catalogue import BY_SYMBOL

STOCK = BY_SYMBOL["BRK A"]
TICK = prices.Tick(1_795_500_000, 683_123.456, 683_000.001, 683_200.009, 680_000.0, 12_345_678)


def test_numbers_are_text_with_separators_and_volumes_are_rounded() -> None:
    told = wording.snapshot(STOCK, TICK, ["31", "84", "86", "87", "82", "83"])
    assert (told["31"], told["87"]) == ("683,123.46", "12.35M")
    assert (told["84"], told["86"]) == ("683,000.00", "683,200.01")
    assert (told["82"], told["83"]) == ("+3123.46", "0.46%")


def test_only_what_was_asked_for_is_told() -> None:
    told = wording.snapshot(STOCK, TICK, ["31"])
    assert "84" not in told
    assert told["6509"].startswith("R")


def test_a_halted_stocks_price_says_so() -> None:
    assert wording.snapshot(STOCK, TICK, ["31"], prefix="H")["31"].startswith("H683")


@pytest.mark.parametrize(
    "answer",
    [
        wording.preflight(1),
        wording.snapshot(STOCK, TICK, ["31"]),
        wording.accounts(),
        wording.validation(),
        wording.definition(STOCK),
        wording.search(STOCK),
        wording.stocks([("BRK B", STOCK), ("NOPE", None)]),
        wording.tickle({}),
    ],
)
def test_every_object_says_that_it_is_simulated(answer: wording.Json) -> None:
    assert answer["simulated"] is True


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("1min", 60),
        ("2h", 7200),
        ("1d", 86_400),
        ("1w", 604_800),
        ("1m", 2_592_000),
        ("x", None),
        ("0d", None),
        ("d", None),
        ("-1d", None),
    ],
)
def test_spans_are_read_as_the_gateway_writes_them(told: str, seconds: int | None) -> None:
    assert wording.seconds(told) == seconds
