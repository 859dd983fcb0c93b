"""What rises, what falls, and whether that is good."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ml.sentiment import POSITIVE_FROM, label, score


def of(title: str, text: str = "") -> str:
    return label(score(title, text))


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("Profit rises", "Profit falls"),
        ("Costs fall", "Costs rise"),
        ("Losses narrow", "Losses widen"),
        ("Acme cuts costs", "Acme cuts its dividend"),
        ("Acme raises full-year guidance", "Acme lowers full-year guidance"),
        ("Jobless claims fall", "Jobless claims rise"),
        ("Acme beats analysts' estimates", "Acme misses analysts' estimates"),
        ("Lower costs lift margins", "Higher costs squeeze margins"),
        ("Acme shares up 4%", "Acme shares down 4%"),
        ("Sales better than expected", "Sales worse than expected"),
        ("Acme avoids bankruptcy", "Acme files for bankruptcy"),
    ],
)
def test_movements_take_the_sign_of_what_moves(good: str, bad: str) -> None:
    assert (of(good), of(bad)) == ("positive", "negative")


@pytest.mark.parametrize(
    "title",
    [
        *("Acme to hold its annual meeting in May", "Acme names a new treasurer", "", "?!", "5%"),
        *("Board meets on Tuesday", "Acme raises questions", "Acme cuts ribbon at new site"),
    ],
)
def test_what_says_neither_is_neutral(title: str) -> None:
    assert of(title) == "neutral"


def test_what_did_not_help_counts_for_less() -> None:
    assert of("Shares fall despite strong results") == "negative"
    assert of("Shares rise despite weak results") == "positive"


def test_what_comes_after_but_counts_for_more() -> None:
    assert score("Sales rise but profit falls", "") < 0 < score("Profit falls but sales rise", "")


def test_words_that_strengthen_and_weaken() -> None:
    plain = score("Profit rises", "")
    assert score("Profit rises sharply", "") > plain > score("Profit rises slightly", "") > 0


def test_a_question_is_no_answer() -> None:
    assert 0 < score("Will profit rise?", "") < score("Profit will rise", "")


def test_the_headline_weighs_more_than_the_text() -> None:
    good, bad = "Profit soars", "Costs rose. Demand was weak. Shares fell."
    assert score(good, bad) > 0 > score(bad, good)
    assert score(good, bad) < score(good, "")


def test_a_headline_that_says_nothing_leaves_it_to_the_text_in_part() -> None:
    text = "Profit soared to a record. Shares jumped 9%. Demand is strong."
    assert 0 < score("Acme reports", text) < score(text, "")


@given(st.text(max_size=200), st.text(max_size=400))
def test_any_text_has_a_score_and_always_the_same(title: str, text: str) -> None:
    value = score(title, text)
    assert -1 <= value <= 1
    assert score(title, text) == value


@given(st.floats(-1, 1))
def test_labels_are_symmetric(value: float) -> None:
    turned = {"positive": "negative", "negative": "positive", "neutral": "neutral"}
    assert label(-value) == turned[label(value)]
    assert label(POSITIVE_FROM) == "positive"
