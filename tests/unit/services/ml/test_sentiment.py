"""Whether news is good, by what rises and what falls."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from linear import is_linear

from services.ml import words
from services.ml.analysis import analyse
from services.ml.lexicon import standard
from services.ml.sentiment import POSITIVE_FROM, _Hit, _hits, _Surroundings, label, score


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


def defined_factor(hit: _Hit, tokens: Sequence[str]) -> float:
    """What the words around a term do, word by word; this takes quadratic time."""
    shaping, lexicon = 3, standard()
    factor = 1.0
    for place in range(hit.start - 1, -1, -1):
        if words.is_stop(tokens[place]):
            break
        term = lexicon.at(tokens, place, shaping)
        if term is None or place + len(term.words) > hit.start:
            continue
        reach = {"negate": 4, "scale": 2, "aside": hit.start}.get(term.kind, 0)
        if hit.start - place <= reach:
            factor *= term.weight
    for place in range(hit.end, len(tokens)):
        term = lexicon.at(tokens, place, shaping)
        if term is not None and term.kind == "but":
            return factor * term.weight
        if term is not None and term.kind == "scale" and place == hit.end:
            factor *= term.weight
    return factor


WORDS = (
    *("profit", "rises", "falls", "not", "no longer", "despite", "because of", "amid", "but", ","),
    *("sharply", "slightly", "record", "weak", "strong", "ahead of", "after", ".", "losses", "x"),
)


@given(st.lists(st.sampled_from(WORDS), max_size=25))
def test_the_surroundings_count_as_defined(listed: list[str]) -> None:
    tokens = words.tokens(" ".join(listed))
    surroundings = _Surroundings(tokens, standard())
    for hit in _hits(tokens, standard()):
        assert math.isclose(surroundings.factor(hit), defined_factor(hit, tokens))


@pytest.mark.parametrize(
    "unit",
    [
        *(
            "profit rises ",
            "despite ",
            "strong ",
            "falls despite weak profit ",
            "Apple ",
            "'Apple'",
        ),
        *(
            "A ",
            "$A ",
            "NASDAQ: ",
            "'",
            "a'",
            "a",
            "-",
            "Apple-",
            "a\n",
            ". ",
            '."',
            "1,",
            "1_",
            " ",
        ),
        *("Apple   ", "profit rises, ", "x.y. ", "\u4e2d", "n't "),
    ],
)
def test_any_repetition_takes_linear_time(unit: str) -> None:
    def work(text: str) -> None:
        at = datetime(2026, 11, 24, tzinfo=UTC)
        analyse(title=text, summary=text, text=text, of="x", at=at)

    work(unit)
    assert is_linear(lambda size: unit * (size // len(unit)), work, 3_000)


def test_a_long_title_takes_no_more_time_than_a_title() -> None:
    at = datetime(2026, 11, 24, tzinfo=UTC)
    short = analyse(title="a " * 250, summary="", text="", of="x", at=at)
    assert analyse(title="a " * 10**6, summary="b " * 10**6, text="", of="x", at=at).label == (
        short.label
    )
