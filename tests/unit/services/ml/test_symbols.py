"""Companies' names, and words that look like them."""

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ml.symbols import FILE, MOST, find


def symbols_of(title: str, summary: str = "", text: str = "") -> list[str]:
    return find(title, summary, text)


@pytest.mark.parametrize(
    ("title", "symbols"),
    [
        ("Apple beats estimates", ["AAPL"]),
        ("Apple growers fear frost", []),
        ("The big apple votes", []),
        ("Target raises forecast", ["TGT"]),
        ("Target price raised to $50", []),
        ("Analysts cut their target for growth", []),
        ("Inflation target missed", []),
        ("Shares of Target fall", ["TGT"]),
        ("Visa's profit climbs", ["V"]),
        ("Work visa rules change", []),
        ("Trump's Work Visa Rules Change Again", []),
        ("US intel agencies warn of hacking", []),
        ("Delta variant spreads", []),
        ("Harrison Ford turns 80", []),
        ("Ford recalls trucks", ["F"]),
        ("Amazon rainforest shrinks", []),
        ("Gender Pay Gap Widens", []),
        ("JPMorgan and Goldman Sachs report", ["GS", "JPM"]),
        ("Acme cut to sell by Goldman analysts", []),
        ("AT&T sells unit", ["T"]),
        ("Johnson & Johnson settles", ["JNJ"]),
        ("McDonald\u2019s sales dip", ["MCD"]),
        ("McDonald's sales dip", ["MCD"]),
        ("Boeing-built jet lands", []),
        ("Nothing of the kind", []),
    ],
)
def test_a_headline_names_these_companies(title: str, symbols: list[str]) -> None:
    assert symbols_of(title) == symbols


@pytest.mark.parametrize(
    ("title", "symbols"),
    [
        ("$AAPL and $BRK.B rally", ["AAPL", "BRK.B"]),
        ("Acme (NYSE: ACM) buys Beta (NASDAQ:BETA)", ["ACM", "BETA"]),
        ("US$50 and $5B and $USD", []),
        ("Cost was $T2", []),
    ],
)
def test_marked_tickers_are_found(title: str, symbols: list[str]) -> None:
    assert symbols_of(title) == symbols


def test_a_company_named_once_far_down_does_not_count() -> None:
    far = "Words. " * 200 + "Microsoft said nothing. "
    assert symbols_of("Acme buys Beta", "", far) == []
    assert symbols_of("Acme buys Beta", "", far + "Microsoft shares rose.") == ["MSFT"]
    assert symbols_of("Acme buys Beta", "With Microsoft's help", far) == ["MSFT"]


def test_the_headlines_company_comes_first() -> None:
    text = "Tesla and Tesla and Tesla. " + "Ford Motor spoke. "
    assert symbols_of("Ford recalls trucks", "", text)[0] == "F"


def test_a_certain_name_makes_doubtful_ones_count() -> None:
    assert symbols_of("Closing Stores, Target Looks Elsewhere Today") == []
    assert symbols_of("Closing Stores, Target Looks Elsewhere Today", "Target Corp said so.") == [
        "TGT"
    ]


def test_an_article_has_a_few_companies_at_most() -> None:
    with FILE.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert len(rows) >= 150
    assert len({row["ticker"] for row in rows}) == len(rows)
    assert len(symbols_of("; ".join(row["name"] for row in rows))) == MOST


@given(st.text(max_size=300))
def test_any_text_has_a_few_companies_at_most(text: str) -> None:
    assert len(find(text, text, text)) <= MOST
