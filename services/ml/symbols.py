"""Finds the ticker symbols of the companies named in an article. This module does no I/O.

Rule: some company names are also ordinary words ("Target", "Visa", "Apple"). At the start of a
sentence, or in a headline where every word is capitalised, such a word might not be a name.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from services.ml import words

FILE: Final = Path(__file__).parent / "data" / "companies.csv"
BESIDE: Final = FILE.with_name("beside.csv")
"""Words such as "acquires", which show that the name before them is a company."""
MOST: Final = 10
_TITLE_WEIGHT: Final = 5
_LEAD_CHARACTERS: Final = 500
_NEAR_CHARACTERS: Final = 80
_MENTIONS: Final = 2
"""The fewest mentions that count if the headline and the lead do not name the company. A single
mention is usually of a rival, a client or a former employer."""
_EXCHANGES: Final = "NASDAQ|NYSE|NYSE American|NYSEAMERICAN|AMEX|NYSE Arca|OTC|OTCMKTS|Nasdaq|CBOE"
_LISTED: Final = re.compile(rf"\b(?:{_EXCHANGES})\s*:\s*([A-Z]{{1,5}}(?:\.[A-Z])?)\b")
_CASHTAG: Final = re.compile(r"(?<![\w$])\$([A-Z]{1,5}(?:\.[A-Z])?)\b(?![.,]?\d)")
_CURRENCIES: Final = frozenset(
    {
        *("AUD", "CAD", "CHF", "CNY", "EUR", "GBP", "HKD", "INR", "JPY", "NZD", "SGD"),
        *("USD",),
    }
)
_LONG: Final = re.compile(r"[^\W\d_]{4,}")
_NEXT: Final = re.compile(
    r"['\u2019]s\b|\s*[\"'\u201d\u2019)]?\s*([\w&'\u2019-]+)(?:\s+([\w'\u2019-]+))?"
)
_PREVIOUS: Final = re.compile(r"([\w&'\u2019.-]+)(?:\s+)$")
_TWO_PREVIOUS: Final = re.compile(r"([\w'\u2019.-]+\s+[\w'\u2019.-]+)\s+$")
_SENTENCE_END: Final = re.compile(r"(?:^|[.!?:;\n\u2014\u2013|]|[\"'\u201c\u2018(])\s*$")


@dataclass(frozen=True, slots=True)
class Company:
    """One row of the table of companies."""

    ticker: str
    names: tuple[str, ...]
    is_common: bool
    """Whether the company's first one-word name is also an everyday word."""
    not_before: frozenset[str]
    """Words after the name that show that the company is not meant."""
    not_after: frozenset[str]
    """Words before the name that show that the company is not meant."""


@dataclass(frozen=True, slots=True)
class _Name:
    company: Company
    is_common: bool


class Companies:
    """The table of companies, indexed by name to find companies in texts."""

    def __init__(self, companies: Iterable[Company]) -> None:
        self._names: dict[str, _Name] = {}
        for company in companies:
            for number, name in enumerate(company.names):
                is_common = company.is_common and " " not in name and number == _first(company)
                self._names[name] = _Name(company, is_common)
        longest_first = sorted(self._names, key=lambda name: (-len(name), name))
        spelled = "|".join(re.escape(name) for name in longest_first)
        first = re.escape("".join(sorted({name[0] for name in self._names})))
        # Checking the first letter quickly rules out most positions in a text.
        self._pattern = re.compile(
            rf"(?=[{first}])(?<![\w&$@#/.-])(?:{spelled})(?![\w&])(?!-[a-z])"
        )

    def named(self, text: str) -> Counter[str]:
        """Return how often the text names each company, by ticker."""
        text = text.replace("\u2019", "'")
        counts: Counter[str] = Counter()
        counts.update(_LISTED.findall(text))
        counts.update(tag for tag in _CASHTAG.findall(text) if tag not in _CURRENCIES)
        doubtful: Counter[str] = Counter()
        shouts = _capitals_say_nothing(text)
        for match in self._pattern.finditer(text):
            name = self._names[match[0]]
            verdict = _judged(name, text, match, shouts=shouts)
            if verdict is True:
                counts[name.company.ticker] += 1
            elif verdict is None:
                doubtful[name.company.ticker] += 1
        # Unclear mentions count only if the text also names the company clearly.
        for ticker, times in doubtful.items():
            if ticker in counts:
                counts[ticker] += times
        return counts


def find(title: str, summary: str, text: str, *, companies: Companies | None = None) -> list[str]:
    """Return the tickers of the companies in an article, most prominent first."""
    known = companies or standard()
    head = known.named(title)
    lead = known.named(f"{summary}\n{text[:_LEAD_CHARACTERS]}")
    body = known.named(text)
    weight: Counter[str] = Counter()
    for ticker, times in (head + lead + body).items():
        if ticker in head or ticker in lead or times >= _MENTIONS:
            weight[ticker] = times + _TITLE_WEIGHT * head[ticker]
    ordered = sorted(weight.items(), key=lambda pair: (-pair[1], pair[0]))
    return [ticker for ticker, _ in ordered[:MOST]]


@cache
def standard() -> Companies:
    """Load the table of companies from the data file."""
    with FILE.open(newline="", encoding="utf-8") as lines:
        return Companies(parse(lines))


def parse(lines: Iterable[str]) -> list[Company]:
    """Parse the lines of a CSV table of companies."""
    return [
        Company(
            ticker=row["ticker"],
            names=(row["name"], *(alias for alias in row["aliases"].split(";") if alias)),
            is_common=row["is_common"] == "yes",
            not_before=frozenset(row["not_before"].split(";")) - {""},
            not_after=frozenset(row["not_after"].split(";")) - {""},
        )
        for row in csv.DictReader(lines)
    ]


@cache
def _beside() -> frozenset[str]:
    return frozenset(BESIDE.read_text(encoding="utf-8").split()[1:])


def _first(company: Company) -> int:
    """Return the index of a company's first one-word name, or 0 if it has no such name."""
    return next((at for at, name in enumerate(company.names) if " " not in name), 0)


def _judged(name: _Name, text: str, match: re.Match[str], *, shouts: bool) -> bool | None:
    """Return whether the name refers to the company, or None if this is unclear."""
    company = name.company
    # Both sides are limited, because names may be repeated without spaces.
    behind = _NEXT.match(text, match.end(), match.end() + _NEAR_CHARACTERS)
    possessive = behind is not None and behind[1] is None
    following = behind[1].lower() if behind and behind[1] else ""
    pair = f"{following} {behind[2].lower()}" if behind and behind[1] and behind[2] else ""
    head = text[max(0, match.start() - _NEAR_CHARACTERS) : match.start()]
    before = _PREVIOUS.search(head)
    previous = before[1].lower() if before else ""
    before = _TWO_PREVIOUS.search(head)
    two_previous = before[1].lower() if before else ""
    if following in company.not_before or pair in company.not_before:
        return False
    if previous in company.not_after or two_previous in company.not_after:
        return False
    if not name.is_common:
        return True
    if possessive or following in _beside() or two_previous in ("shares of", "shares in"):
        return True
    if shouts or _SENTENCE_END.search(head):
        return None
    return True


def _capitals_say_nothing(text: str) -> bool:
    """Return whether almost every word is capitalised, as in some headlines."""
    first, *_ = [*words.sentences(text), ""]
    long = _LONG.findall(first)
    return len(long) >= 3 and sum(word[0].isupper() for word in long) >= 0.8 * len(long)
