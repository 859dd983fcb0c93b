"""Generates simulated prices that depend only on the symbol and the time.

The logarithm of a price is the sum of several curves, called octaves. An octave consists of
straight lines between corners with pseudo-random values. Each octave has twice the period of the
next finer octave, and √2 times its amplitude. As in a random walk, price changes therefore grow
with the square root of time.

Rule: every corner of an octave is also a corner of the next finer octave. A bar's highest and
lowest prices can therefore be calculated without sampling. A coarse octave reaches its extremes at
its corners, and a fine octave adds at most its amplitude. As a result, every quote is within the
range of its bar.

The simulated market never closes. Bars start at multiples of their length in Unix time.
"""

import hashlib
import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

DAY_SECONDS: Final = 86_400
TICK_SECONDS: Final = 1
"""How long a price stays constant, in seconds."""
_FINEST_SECONDS: Final = 4
_OCTAVES: Final = 25
"""The octaves' periods range from 4 seconds to about two years."""
_DAILY_MOVE: Final = 0.012
"""The maximum change that an octave with a period of one day may cause, as a fraction."""
_CORNERS_PER_BAR: Final = 16
_SPREAD: Final = 0.0002


@dataclass(frozen=True, slots=True)
class Bar:
    """The prices and volume of a bar that begins at Unix time `at`."""

    at: int
    open: float
    high: float
    low: float
    close: float
    volume: int


@dataclass(frozen=True, slots=True)
class Tick:
    """A quote at Unix time `at`."""

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
    """Return a pseudo-random number from -1 to 1 that depends only on the arguments."""
    digest = hashlib.blake2b(f"{symbol}/{octave}/{place}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**63 - 1.0


def _wander(symbol: str, at: int, *, down_to: int = 0) -> float:
    """Return the sum of the octaves at time `at`, excluding octaves finer than `down_to`."""
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
    """Return the unrounded price at a given Unix time."""
    return around * math.exp(_wander(symbol, at - at % TICK_SECONDS))


def _daily_volume(symbol: str, day: int) -> int:
    base = 10 ** (6.5 + 0.8 * _corner(symbol, -1, 0))
    return int(base * (1.0 + 0.5 * _corner(symbol, -2, day)))


def _volume_since_midnight(symbol: str, at: int) -> int:
    day, within = divmod(at, DAY_SECONDS)
    return _daily_volume(symbol, day) * within // DAY_SECONDS


def _volume_between(symbol: str, start: int, end: int) -> int:
    """Return the volume between two Unix times.

    The volumes of a day's bars add up to the day's volume.
    """
    first, last = start // DAY_SECONDS, end // DAY_SECONDS
    whole = sum(_daily_volume(symbol, day) for day in range(first, last))
    return whole + _volume_since_midnight(symbol, end) - _volume_since_midnight(symbol, start)


def tick(symbol: str, around: float, at: int) -> Tick:
    """Return the quote at a given Unix time. Its unrounded prices satisfy bid < last < ask."""
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
    """Return the bar that begins at `start`. An unfinished bar ends at `now`."""
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
    """Return the last `count` bars, oldest first. The last bar is unfinished."""
    last = now - now % seconds
    return [
        bar(symbol, around, start, seconds=seconds, now=now)
        for start in range(last - (count - 1) * seconds, last + 1, seconds)
    ]
