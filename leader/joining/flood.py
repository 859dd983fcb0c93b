"""Measures how many messages are dropped, to tell the operator that somebody floods the broker.

Rule: count only what no agent of ours sends, and what had to be dropped because of it. Many agents
that join at the same time are no flood.
"""

from collections import deque
from typing import Final

_WINDOW_SECONDS: Final = 5
_FLOOD_PER_SECOND: Final = 50
_LASTS_SECONDS: Final = 15
"""A flood counts as ended when it has not been seen for this long."""


class FloodMeter:
    """Counts dropped messages in each of the last seconds; times are monotonic, in seconds."""

    def __init__(self) -> None:
        self._seconds: deque[tuple[int, int]] = deque(maxlen=_WINDOW_SECONDS + 1)
        self._flooded_at: float | None = None

    def count(self, at: float, number: int = 1) -> None:
        """Count dropped messages."""
        if number <= 0:
            return
        second = int(at)
        if self._seconds and self._seconds[-1][0] == second:
            number += self._seconds.pop()[1]
        self._seconds.append((second, number))
        if self.per_second(at) >= _FLOOD_PER_SECOND:
            self._flooded_at = at

    def per_second(self, at: float) -> float:
        """Return how many messages were dropped per second, on average of the last five seconds."""
        first = int(at) - _WINDOW_SECONDS
        return sum(number for second, number in self._seconds if second > first) / _WINDOW_SECONDS

    def is_flooded(self, at: float) -> bool:
        """Return whether there is a flood, or was one in the last 15 seconds."""
        return self._flooded_at is not None and at - self._flooded_at < _LASTS_SECONDS
