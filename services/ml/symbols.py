"""Which companies an article names, as their tickers. Pure.

Rule: a name that is also a word ("Target", "Visa", "Apple") needs more than a capital letter where
capitals say nothing: at the beginning of a sentence, and in headlines that capitalise every word.
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
"""Words that make the name before them a company's: none is what an apple or a target does."""
MOST: Final = 10
_TITLE_WEIGHT: Final = 5
_LEAD_CHARACTERS: Final = 500
_NEAR_CHARACTERS: Final = 80
_MENTIONS: Final = 2
"""A company that is named once far down is a rival, a client, somebody's former employer."""
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
    """One row of the table."""

    ticker: str
    names: tuple[str, ...]
    is_common: bool
    """Its first name of one word is a word of every day; the others are not."""
    not_before: frozenset[str]
    """Words behind the name that make it the other thing."""
    not_after: frozenset[str]
    """Words before it that do."""


@dataclass(frozen=True, slots=True)
class _Name:
    company: Company
    is_common: bool


class Companies:
    """The table, ready to find names in texts."""

    def __init__(self, companies: Iterable[Company]) -> None:
        self._names: dict[str, _Name] = {}
        for company in companies:
            for number, name in enumerate(company.names):
                is_common = company.is_common and " " not in name and number == _first(company)
                self._names[name] = _Name(company, is_common)
        longest_first = sorted(self._names, key=lambda one: (-len(one), one))
        spelled = "|".join(re.escape(one) for one in longest_first)
        first = re.escape("".join(sorted({one[0] for one in self._names})))
        # Most places of a text cannot begin a name, and are passed over by its first letter.
        self._pattern = re.compile(
            rf"(?=[{first}])(?<![\w&$@#/.-])(?:{spelled})(?![\w&])(?!-[a-z])"
        )

    def named(self, text: str) -> Counter[str]:
        """How often each company is named."""
        text = text.replace("\u2019", "'")
        found: Counter[str] = Counter()
        found.update(_LISTED.findall(text))
        found.update(one for one in _CASHTAG.findall(text) if one not in _CURRENCIES)
        doubtful: Counter[str] = Counter()
        shouts = _capitals_say_nothing(text)
        for match in self._pattern.finditer(text):
            name = self._names[match[0]]
            verdict = _judged(name, text, match, shouts=shouts)
            if verdict is True:
                found[name.company.ticker] += 1
            elif verdict is None:
                doubtful[name.company.ticker] += 1
        # Once a text surely names a company, its other words of that name mean it too.
        for ticker, times in doubtful.items():
            if ticker in found:
                found[ticker] += times
        return found


def find(title: str, summary: str, text: str, *, companies: Companies | None = None) -> list[str]:
    """The tickers an article is about, the most named first."""
    known = companies or standard()
    head = known.named(title)
    lead = known.named(f"{summary}\n{text[:_LEAD_CHARACTERS]}")
    body = known.named(text)
    weight: Counter[str] = Counter()
    for ticker, times in (head + lead + body).items():
        if ticker in head or ticker in lead or times >= _MENTIONS:
            weight[ticker] = times + _TITLE_WEIGHT * head[ticker]
    ordered = sorted(weight.items(), key=lambda one: (-one[1], one[0]))
    return [ticker for ticker, _ in ordered[:MOST]]


@cache
def standard() -> Companies:
    """The companies of the file."""
    with FILE.open(newline="", encoding="utf-8") as lines:
        return Companies(parse(lines))


def parse(lines: Iterable[str]) -> list[Company]:
    """The rows of a table of companies."""
    return [
        Company(
            ticker=row["ticker"],
            names=(row["name"], *(one for one in row["aliases"].split(";") if one)),
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
    """Which of its names is the word: the first that is a single one."""
    return next((at for at, name in enumerate(company.names) if " " not in name), 0)


def _judged(name: _Name, text: str, match: re.Match[str], *, shouts: bool) -> bool | None:
    """Whether the name means the company; None when nothing says so."""
    company = name.company
    behind = _NEXT.match(text, match.end())
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
    """Whether the text capitalises every word, as some headlines do."""
    first, *_ = [*words.sentences(text), ""]
    long = _LONG.findall(first)
    return len(long) >= 3 and sum(one[0].isupper() for one in long) >= 0.8 * len(long)
