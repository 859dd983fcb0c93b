"""Checks what callers ask for before the gateway is called: symbols, periods and bars."""

import re
from dataclasses import dataclass
from typing import Final

MOST_SYMBOLS: Final = 50
MOST_BARS: Final = 1000
"""The most points in one answer, from Interactive Brokers' documentation."""
_SYMBOL: Final = re.compile(r"[A-Z][A-Z0-9.\-]{0,11}")
_SPAN: Final = re.compile(r"([1-9]\d{0,3})(min|h|d|w|m|y)")
_UNITS: Final = {
    "min": 60,
    "h": 3600,
    "d": 86_400,
    "w": 604_800,
    "m": 2_592_000,
    "y": 31_536_000,
}
_LONGEST: Final = {"min": 30, "h": 8, "d": 1000, "w": 792, "m": 182, "y": 15}
"""The longest periods by unit, as documented."""
BARS: Final = frozenset(
    [
        "1min",
        "2min",
        "3min",
        "5min",
        "10min",
        "15min",
        "30min",
        "1h",
        "2h",
        "3h",
        "4h",
        "8h",
        "1d",
        "1w",
        "1m",
    ]
)
"""Every bar length that is documented."""


class InvalidQueryError(ValueError):
    """Not a symbol or not a span; the text is a sentence for the caller."""


@dataclass(frozen=True, slots=True)
class Span:
    """A period and the length of its bars."""

    period: str
    bar: str
    bar_seconds: int


def symbol(text: str) -> str:
    """One symbol in its usual spelling: BRK.B, not brk.b."""
    spelling = text.strip().upper()
    if not _SYMBOL.fullmatch(spelling):
        raise InvalidQueryError(
            "A symbol is a letter followed by up to eleven letters, digits, '.' or '-'."
        )
    return spelling


def symbols(text: str) -> list[str]:
    """A list of symbols, each once, in the order in which they were asked for."""
    unique = list(dict.fromkeys(symbol(word) for word in text.split(",") if word.strip()))
    if not unique:
        raise InvalidQueryError("Name the symbols, separated by commas: ?symbols=AAPL,MSFT.")
    if len(unique) > MOST_SYMBOLS:
        raise InvalidQueryError(f"At most {MOST_SYMBOLS} symbols at once.")
    return unique


def gateway_symbol(usual: str) -> str:
    """Interactive Brokers' spelling, with a space before the class of share: BRK B."""
    return re.sub(r"[.\-]", " ", usual)


def span(period: str, bar: str) -> Span:
    """A documented period and bar length whose bars fit in one answer."""
    period_match = _SPAN.fullmatch(period)
    if not period_match or int(period_match[1]) > _LONGEST[period_match[2]]:
        raise InvalidQueryError("A period looks like 30min, 8h, 5d, 2w, 6m or 1y.")
    bar_match = _SPAN.fullmatch(bar)
    if not bar_match or bar not in BARS:
        raise InvalidQueryError("A bar is one of 1min 5min 15min 30min 1h 4h 1d 1w 1m.")
    period_seconds, bar_seconds = _seconds(period_match), _seconds(bar_match)
    if bar_seconds > period_seconds:
        raise InvalidQueryError("A bar cannot be longer than the period.")
    if period_seconds > MOST_BARS * bar_seconds:
        raise InvalidQueryError(
            f"At most {MOST_BARS} bars: choose longer bars or a shorter period."
        )
    return Span(period, bar, bar_seconds)


def _seconds(match: re.Match[str]) -> int:
    return int(match[1]) * _UNITS[match[2]]
