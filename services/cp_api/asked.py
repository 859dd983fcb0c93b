"""What callers ask for, checked before the broker hears of it: symbols, periods, bars."""

import re
from dataclasses import dataclass
from typing import Final

MOST_SYMBOLS: Final = 50
MOST_BARS: Final = 1000
"""Interactive Brokers' documentation: so many points at most in one answer."""
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
"""The bars there are, as documented."""


class AskedWrongError(ValueError):
    """What was asked is no symbol or no span; the text is a sentence for whoever asked."""


@dataclass(frozen=True, slots=True)
class Span:
    """A period in bars."""

    period: str
    bar: str
    bar_seconds: int


def symbol(text: str) -> str:
    """One symbol in its usual spelling: BRK.B, not brk b."""
    told = text.strip().upper()
    if not _SYMBOL.fullmatch(told):
        raise AskedWrongError("A symbol is a letter and up to eleven letters, digits, '.' or '-'.")
    return told


def symbols(text: str) -> list[str]:
    """A list of symbols, each once, in the order told."""
    found = list(dict.fromkeys(symbol(word) for word in text.split(",") if word.strip()))
    if not found:
        raise AskedWrongError("Say which symbols, separated by commas: ?symbols=AAPL,MSFT.")
    if len(found) > MOST_SYMBOLS:
        raise AskedWrongError(f"At most {MOST_SYMBOLS} symbols at once.")
    return found


def broker_symbol(told: str) -> str:
    """The broker's spelling: classes of shares come after a space."""
    return re.sub(r"[.\-]", " ", told)


def span(period: str, bar: str) -> Span:
    """A period in bars that the broker has and that fit one answer."""
    whole = _SPAN.fullmatch(period)
    if not whole or int(whole[1]) > _LONGEST[whole[2]]:
        raise AskedWrongError("A period is such as 30min, 8h, 5d, 2w, 6m or 1y.")
    each = _SPAN.fullmatch(bar)
    if not each or bar not in BARS:
        raise AskedWrongError("A bar is one of 1min 5min 15min 30min 1h 4h 1d 1w 1m.")
    seconds = _seconds(each)
    if seconds > _seconds(whole):
        raise AskedWrongError("A bar is no longer than the period.")
    if _seconds(whole) > MOST_BARS * seconds:
        raise AskedWrongError(f"At most {MOST_BARS} bars: choose longer bars or a shorter period.")
    return Span(period, bar, seconds)


def _seconds(told: re.Match[str]) -> int:
    return int(told[1]) * _UNITS[told[2]]
