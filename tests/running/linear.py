"""Checks that a computation takes time proportional to the size of its input.

Rule: only ratios of processor times are compared, so the result does not depend on the machine. A
ratio can be too high by chance, but not too low, so the best of several attempts counts.
"""

import time
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")

_FACTOR: Final = 4
_MOST_TIMES: Final = 9.0
"""Four times the input takes four times as long if linear, and sixteen times if quadratic."""
_FIXED_SECONDS: Final = 0.004
"""Added to both times, because very short times are mostly noise."""
_ATTEMPTS: Final = 5


def is_linear(made: Callable[[int], T], work: Callable[[T], object], size: int) -> bool:
    """Return whether `work` takes linear time. `made` returns an input of a given size."""
    small, large = made(size), made(_FACTOR * size)
    for _ in range(_ATTEMPTS):
        before, after = _seconds(work, small), _seconds(work, large)
        if after + _FIXED_SECONDS <= _MOST_TIMES * (before + _FIXED_SECONDS):
            return True
    return False


def _seconds(work: Callable[[T], object], value: T) -> float:
    start = time.thread_time()
    work(value)
    return time.thread_time() - start
