"""Invented prices, a function of symbol and time alone: no state, no randomness, no file.

The logarithm of a price is the sum of octaves: straight lines between values that hash
(symbol, octave, place). Each octave is half as long as the one before and smaller by the square
root of two, so that moves grow with the square root of time, like a random walk's.

Rule: every octave's corners are also corners of the next finer one. A bar's bounds are therefore
exact, not sampled: coarse octaves have their extremes at corners, and fine ones add at most their
size. So a quote is always within its bar. Trading never stops here, and bars start at multiples of
their length since midnight UTC.
"""

import hashlib
import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

DAY_SECONDS: Final = 86_400
TICK_SECONDS: Final = 1
"""How long a price stays the same."""
_FINEST_SECONDS: Final = 4
_OCTAVES: Final = 25
"""From 4 seconds to about two years."""
_DAILY_MOVE: Final = 0.012
"""How far the octave of about a day may move a price either way, as a fraction."""
_CORNERS_PER_BAR: Final = 16
_SPREAD: Final = 0.0002


@dataclass(frozen=True, slots=True)
class Bar:
    """The prices and the volume of a bar that begins at `at`."""

    at: int
    open: float
    high: float
    low: float
    close: float
    volume: int


@dataclass(frozen=True, slots=True)
class Tick:
    """A quote."""

    at: int
    last: float
    bid: float
    ask: float
    previous_close: float
    volume: int


def _seconds(octave: int) -> int:
    return int(_FINEST_SECONDS << octave)


def _size(octave: int) -> float:
    return _DAILY_MOVE * math.sqrt(_seconds(octave) / DAY_SECONDS)


_SIZES: Final = tuple(_size(octave) for octave in range(_OCTAVES))


@lru_cache(maxsize=200_000)
def _corner(symbol: str, octave: int, place: int) -> float:
    """A pseudo-random number in -1…1 that depends on the arguments alone."""
    digest = hashlib.blake2b(f"{symbol}/{octave}/{place}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**63 - 1.0


def _wander(symbol: str, at: int, *, down_to: int = 0) -> float:
    """The logarithm of the price's deviation, without octaves finer than `down_to`."""
    total = 0.0
    for octave in range(down_to, _OCTAVES):
        place, within = divmod(at, _seconds(octave))
        left = _corner(symbol, octave, place)
        if within:
            right = _corner(symbol, octave, place + 1)
            left += (right - left) * within / _seconds(octave)
        total += _SIZES[octave] * left
    return total


def price(symbol: str, around: float, at: int) -> float:
    """The price at a second of Unix time, unrounded."""
    return around * math.exp(_wander(symbol, at - at % TICK_SECONDS))


def _daily_volume(symbol: str, day: int) -> int:
    base = 10 ** (6.5 + 0.8 * _corner(symbol, -1, 0))
    return int(base * (1.0 + 0.5 * _corner(symbol, -2, day)))


def _volume_since_midnight(symbol: str, at: int) -> int:
    day, within = divmod(at, DAY_SECONDS)
    return _daily_volume(symbol, day) * within // DAY_SECONDS


def _volume_between(symbol: str, start: int, end: int) -> int:
    """Exact: the bars of a day add up to the day's volume."""
    first, last = start // DAY_SECONDS, end // DAY_SECONDS
    whole = sum(_daily_volume(symbol, day) for day in range(first, last))
    return whole + _volume_since_midnight(symbol, end) - _volume_since_midnight(symbol, start)


def tick(symbol: str, around: float, at: int) -> Tick:
    """The quote at a second of Unix time; bid < last < ask before rounding."""
    last = price(symbol, around, at)
    return Tick(
        at=at,
        last=last,
        bid=last * (1 - _SPREAD),
        ask=last * (1 + _SPREAD),
        previous_close=price(symbol, around, at - at % DAY_SECONDS),
        volume=_volume_since_midnight(symbol, at),
    )


def bar(symbol: str, around: float, start: int, *, seconds: int, now: int) -> Bar:
    """The bar from `start`; an unfinished one closes at the price of `now`."""
    end = max(start, min(start + seconds, now))
    down_to = 0
    while down_to + 1 < _OCTAVES and _seconds(down_to + 1) * _CORNERS_PER_BAR <= seconds:
        down_to += 1
    step = _seconds(down_to)
    corners = [start, *range(start - start % step + step, end, step), end]
    coarse = [_wander(symbol, at, down_to=down_to) for at in corners]
    fine = sum(_SIZES[:down_to])
    return Bar(
        at=start,
        open=price(symbol, around, start),
        high=around * math.exp(max(coarse) + fine),
        low=around * math.exp(min(coarse) - fine),
        close=price(symbol, around, end),
        volume=_volume_between(symbol, start, end),
    )


def bars(symbol: str, around: float, *, seconds: int, count: int, now: int) -> list[Bar]:
    """The last `count` bars, oldest first; the last one is unfinished."""
    last = now - now % seconds
    return [
        bar(symbol, around, start, seconds=seconds, now=now)
        for start in range(last - (count - 1) * seconds, last + 1, seconds)
    ]
