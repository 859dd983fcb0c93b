"""An article's topics."""

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ml.topics import FILE, MOST, find


@pytest.mark.parametrize(
    ("title", "topic"),
    [
        ("Acme's quarterly results please", "earnings"),
        ("Acme acquires Beta", "mergers"),
        ("Federal Reserve holds", "rates"),
        ("Consumer prices rise", "inflation"),
        ("Acme lays off 200", "layoffs"),
        ("Acme raises its full-year outlook", "guidance"),
        ("Acme goes public", "ipo"),
        ("Acme raises dividend", "dividends"),
        ("OPEC meets", "energy"),
        ("Bitcoin slides", "crypto"),
        ("FTC looks into Acme", "regulation"),
        ("New tariffs on steel", "trade"),
        ("Acme to cut 300 jobs", "layoffs"),
    ],
)
def test_one_word_of_the_headline_is_enough(title: str, topic: str) -> None:
    assert topic in find(title, "")


def test_parts_of_words_do_not_count() -> None:
    assert find("The aide said chipper things in secret", "") == []


def test_one_word_of_the_text_is_not_enough_but_three_are() -> None:
    assert find("Acme", "There was oil.") == []
    assert find("Acme", "There was oil, and natural gas, and a pipeline.") == ["energy"]


def test_an_article_has_a_few_topics_at_most() -> None:
    with FILE.open(newline="", encoding="utf-8") as lines:
        terms = [row["terms"].split(";")[0].strip("*") for row in csv.DictReader(lines)]
    assert len(find(" ".join(terms), "")) == MOST


@given(st.text(max_size=300))
def test_any_text_has_a_few_topics_at_most(text: str) -> None:
    assert len(find(text, text)) <= MOST
