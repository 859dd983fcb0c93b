"""Invented prices as a function of symbol and time alone: no state, no randomness, no file.

A logarithm of the price is the sum of octaves: straight lines between values drawn by hashing
(symbol, octave, place). Each octave is half as long as the one before and smaller by the square
root of two, so that moves over a time grow with its root, as a random walk's do.

Rule: every octave's corners lie on those of the next finer one. That makes a bar's bounds
certain instead of sampled: the coarse octaves' extremes are at corners, and the fine ones can
add no more than their sizes. A quote is therefore always within its bar. Markets never close
here, and bars are aligned to midnight UTC.
"""

import hashlib
import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

DAY_SECONDS: Final = 86_400
TICK_SECONDS: Final = 1
"""A price holds for so long: the time bucket."""
_FINEST_SECONDS: Final = 4
_OCTAVES: Final = 25
"""From 4 seconds to about two years."""
_DAILY_MOVE: Final = 0.012
"""Half the width that one octave of about a day's length may move a price, as a share."""
_CORNERS_PER_BAR: Final = 16
_SPREAD: Final = 0.0002


@dataclass(frozen=True, slots=True)
class Bar:
    """What happened from `at` for the bar's length."""

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
    """A number in -1…1 that is always the same here and looks like chance."""
    told = hashlib.blake2b(f"{symbol}/{octave}/{place}".encode(), digest_size=8).digest()
    return int.from_bytes(told, "big") / 2**63 - 1.0


def _wander(symbol: str, at: int, *, down_to: int = 0) -> float:
    """The logarithm's way off, from the octaves that are not finer than `down_to`."""
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
    """Exact: bars of a day sum up to the day's volume."""
    first, last = start // DAY_SECONDS, end // DAY_SECONDS
    whole = sum(_daily_volume(symbol, day) for day in range(first, last))
    return whole + _volume_since_midnight(symbol, end) - _volume_since_midnight(symbol, start)


def tick(symbol: str, around: float, at: int) -> Tick:
    """The quote at a second of Unix time; bid < last < ask before they are rounded."""
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
    """The bar from `start`; one that is not over by `now` closes at the price of `now`."""
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
    """The last `count` bars, oldest first; the last one is not over yet."""
    last = now - now % seconds
    return [
        bar(symbol, around, start, seconds=seconds, now=now)
        for start in range(last - (count - 1) * seconds, last + 1, seconds)
    ]
