"""Answers have the gateway's form, and all are marked as simulated."""

import pytest

from services.cp_simulator import answers, prices
from services.cp_simulator.catalogue import BY_SYMBOL

STOCK = BY_SYMBOL["BRK A"]
TICK = prices.Tick(1_795_500_000, 683_123.456, 683_000.001, 683_200.009, 680_000.0, 12_345_678)


def test_numbers_are_text_with_separators_and_rounded_volumes() -> None:
    fields = answers.snapshot(STOCK, TICK, ["31", "84", "86", "87", "82", "83"])
    assert (fields["31"], fields["87"]) == ("683,123.46", "12.35M")
    assert (fields["84"], fields["86"]) == ("683,000.00", "683,200.01")
    assert (fields["82"], fields["83"]) == ("+3123.46", "0.46%")


def test_a_snapshot_has_only_the_requested_fields() -> None:
    fields = answers.snapshot(STOCK, TICK, ["31"])
    assert "84" not in fields
    assert fields["6509"].startswith("R")


def test_a_halted_stocks_price_is_marked() -> None:
    assert answers.snapshot(STOCK, TICK, ["31"], prefix="H")["31"].startswith("H683")


@pytest.mark.parametrize(
    "answer",
    [
        answers.preflight(1),
        answers.snapshot(STOCK, TICK, ["31"]),
        answers.accounts(),
        answers.validation(),
        answers.definition(STOCK),
        answers.search(STOCK),
        answers.stocks([("BRK B", STOCK), ("NOPE", None)]),
        answers.tickle({}),
    ],
)
def test_every_object_is_marked_as_simulated(answer: answers.Json) -> None:
    assert answer["simulated"] is True


@pytest.mark.parametrize(
    ("span", "seconds"),
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
def test_spans_are_parsed_as_the_gateway_writes_them(span: str, seconds: int | None) -> None:
    assert answers.seconds(span) == seconds
