"""Words in the lexicon's spelling."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ml.words import sentences, tokens


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Profit rises 12.5%", ["profit", "rises", "#"]),
        ("up $3.2 billion, or 4 percent", ["up", "#", ",", "or", "#"]),
        ("doesn't, can\u2019t", ["does", "not", ",", "can", "not"]),
        ("Apple's better-than-expected Q3", ["apple", "better", "than", "expected", "q3"]),
        ("S&P 500 in the U.S.", ["s&p", "#", "in", "the", "us"]),
        ("10-year yields", ["#", "year", "yields"]),
        ("n't", ["not"]),
        ("", []),
    ],
)
def test_a_text_has_these_tokens(text: str, expected: list[str]) -> None:
    assert tokens(text) == expected


def test_a_sentence_ends_where_the_next_begins() -> None:
    assert sentences('He left. "Why?" She asked!\nNobody knew') == [
        "He left.",
        '"Why?',
        "She asked!",
        "Nobody knew",
    ]


@given(st.text(max_size=300))
def test_any_text_has_words(text: str) -> None:
    assert all(token == token.lower() and token for token in tokens(text) if token.isascii())
    assert all(sentences(text))
