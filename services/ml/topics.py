"""Finds an article's topics by searching the text for terms from a small table.

This module does no I/O.
"""

import csv
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Final

FILE: Final = Path(__file__).parent / "data" / "topics.csv"
MOST: Final = 5
_TITLE_WEIGHT: Final = 3
_ENOUGH: Final = 3
"""The lowest weight of a topic: one term in the headline, or three terms in the text."""
_TEXT_CHARACTERS: Final = 5_000
_WORD: Final = r"[\w&'\u2019]"


def find(title: str, text: str, *, table: Mapping[str, re.Pattern[str]] | None = None) -> list[str]:
    """Return the article's topics, strongest first."""
    weights = {}
    head, body = _folded(title), _folded(text[:_TEXT_CHARACTERS])
    for topic, pattern in (table or standard()).items():
        in_body = {match[0] for match in pattern.finditer(body)}
        weight = _TITLE_WEIGHT * len(pattern.findall(head)) + len(in_body)
        if weight >= _ENOUGH:
            weights[topic] = weight
    return sorted(weights, key=lambda topic: (-weights[topic], topic))[:MOST]


@cache
def standard() -> Mapping[str, re.Pattern[str]]:
    """Load the table of topics from the data file."""
    with FILE.open(newline="", encoding="utf-8") as lines:
        return parse(lines)


def parse(lines: Iterable[str]) -> dict[str, re.Pattern[str]]:
    """Return a regular expression for each topic.

    In a term, a separate `*` matches any word. A `*` at the end of a word matches any ending.
    """
    return {
        row["topic"]: re.compile(
            rf"\b(?:{'|'.join(_spelled(term) for term in row['terms'].split(';'))})(?!{_WORD})"
        )
        for row in csv.DictReader(lines)
    }


def _spelled(term: str) -> str:
    parts = [
        re.escape(part).replace(r"\*", rf"{_WORD}*") if part != "*" else rf"{_WORD}+"
        for part in _folded(term).split()
    ]
    return " ".join(parts)


def _folded(text: str) -> str:
    """Return the text in lower case, with hyphens replaced by spaces."""
    return re.sub(r"[\s-]+", " ", text.lower())
