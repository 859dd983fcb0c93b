"""Whether news is good, by what rises and what falls."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ml.sentiment import POSITIVE_FROM, label, score


def label_of(title: str, text: str = "") -> str:
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
def test_a_movement_takes_the_sign_of_what_moves(good: str, bad: str) -> None:
    assert (label_of(good), label_of(bad)) == ("positive", "negative")


@pytest.mark.parametrize(
    "title",
    [
        *("Acme to hold its annual meeting in May", "Acme names a new treasurer", "", "?!", "5%"),
        *("Board meets on Tuesday", "Acme raises questions", "Acme cuts ribbon at new site"),
    ],
)
def test_a_headline_without_tone_is_neutral(title: str) -> None:
    assert label_of(title) == "neutral"


def test_a_concession_counts_less() -> None:
    assert label_of("Shares fall despite strong results") == "negative"
    assert label_of("Shares rise despite weak results") == "positive"


def test_what_follows_but_counts_more() -> None:
    assert score("Sales rise but profit falls", "") < 0 < score("Profit falls but sales rise", "")


def test_some_words_strengthen_and_weaken() -> None:
    plain = score("Profit rises", "")
    assert score("Profit rises sharply", "") > plain > score("Profit rises slightly", "") > 0


def test_a_question_counts_less_than_a_statement() -> None:
    assert 0 < score("Will profit rise?", "") < score("Profit will rise", "")


def test_the_headline_counts_more_than_the_text() -> None:
    good, bad = "Profit soars", "Costs rose. Demand was weak. Shares fell."
    assert score(good, bad) > 0 > score(bad, good)
    assert score(good, bad) < score(good, "")


def test_with_a_neutral_headline_the_text_counts_in_part() -> None:
    text = "Profit soared to a record. Shares jumped 9%. Demand is strong."
    assert 0 < score("Acme reports", text) < score(text, "")


@given(st.text(max_size=200), st.text(max_size=400))
def test_any_text_always_has_the_same_score(title: str, text: str) -> None:
    value = score(title, text)
    assert -1 <= value <= 1
    assert score(title, text) == value


@given(st.floats(-1, 1))
def test_labels_are_symmetric(value: float) -> None:
    opposite = {"positive": "negative", "negative": "positive", "neutral": "neutral"}
    assert label(-value) == opposite[label(value)]
    assert label(POSITIVE_FROM) == "positive"
