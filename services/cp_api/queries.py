"""Checks the symbols, periods and bar lengths in requests, before the gateway is called."""

import re
from dataclasses import dataclass
from typing import Final

MOST_SYMBOLS: Final = 50
MOST_BARS: Final = 1000
"""The maximum number of bars in one response, from the Interactive Brokers documentation."""
_SYMBOL: Final = re.compile(r"[A-Z][A-Z0-9.\-]{0,11}")
_SPAN: Final = re.compile(r"([1-9][0-9]{0,3})(min|h|d|w|m|y)")
_UNITS: Final = {
    "min": 60,
    "h": 3600,
    "d": 86_400,
    "w": 604_800,
    "m": 2_592_000,
    "y": 31_536_000,
}
_LONGEST: Final = {"min": 30, "h": 8, "d": 1000, "w": 792, "m": 182, "y": 15}
"""The longest documented period for each unit."""
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
"""All documented bar lengths."""


class InvalidQueryError(ValueError):
    """A symbol, period or bar length is invalid. The error message is meant for the caller."""


@dataclass(frozen=True, slots=True)
class Span:
    """The period of a price history and the length of its bars."""

    period: str
    bar: str
    bar_seconds: int


def symbol(text: str) -> str:
    """Return the symbol in upper case: BRK.B instead of brk.b."""
    spelling = text.strip().upper()
    if not _SYMBOL.fullmatch(spelling):
        raise InvalidQueryError(
            "A symbol must be a letter followed by up to eleven letters, digits, '.' or '-'."
        )
    return spelling


def symbols(text: str) -> list[str]:
    """Return the symbols in a comma-separated list, in the order given and without duplicates."""
    unique = list(dict.fromkeys(symbol(word) for word in text.split(",") if word.strip()))
    if not unique:
        raise InvalidQueryError("List the symbols, separated by commas: ?symbols=AAPL,MSFT.")
    if len(unique) > MOST_SYMBOLS:
        raise InvalidQueryError(f"A request may have at most {MOST_SYMBOLS} symbols.")
    return unique


def gateway_symbol(usual: str) -> str:
    """Return the symbol as Interactive Brokers writes it: BRK B instead of BRK.B."""
    return re.sub(r"[.\-]", " ", usual)


def span(period: str, bar: str) -> Span:
    """Check a period and a bar length, and return them as a `Span`."""
    period_match = _SPAN.fullmatch(period)
    if not period_match or int(period_match[1]) > _LONGEST[period_match[2]]:
        raise InvalidQueryError("The period must be a value such as 30min, 8h, 5d, 2w, 6m or 1y.")
    bar_match = _SPAN.fullmatch(bar)
    if not bar_match or bar not in BARS:
        raise InvalidQueryError(
            "The bar length must be a value such as 1min, 5min, 15min, 30min, 1h, 4h, 1d, 1w or 1m."
        )
    period_seconds, bar_seconds = _seconds(period_match), _seconds(bar_match)
    if bar_seconds > period_seconds:
        raise InvalidQueryError("The bar length cannot exceed the period.")
    if period_seconds > MOST_BARS * bar_seconds:
        raise InvalidQueryError(
            f"A response has at most {MOST_BARS} bars. Choose longer bars or a shorter period."
        )
    return Span(period, bar, bar_seconds)


def _seconds(match: re.Match[str]) -> int:
    return int(match[1]) * _UNITS[match[2]]
