"""How many calls a token may make: one bucket each, in this process's memory.

Rule: pure; time comes in. Replicas do not share buckets, on purpose: a call then never waits for
another store, and no store's end is the API's. N replicas give a token up to N times the rate.
"""

import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

_KEPT: Final = 10_000
"""Buckets at most. Forgetting one fills it: that is what a client with ten thousand tokens wins."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left to a token after a call, and whether the call may be."""

    is_allowed: bool
    limit: int
    remaining: int
    full_in_seconds: int
    """Until all calls are there again."""
    retry_after_seconds: int
    """Until there is one; zero while there is."""
    window_seconds: int

    def headers(self) -> dict[str, str]:
        """As clients know them: the older three, and RateLimit of the IETF's draft."""
        told = {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.full_in_seconds),
            "RateLimit-Policy": f'"default";q={self.limit};w={self.window_seconds}',
            "RateLimit": f'"default";r={self.remaining};t={self.full_in_seconds}',
        }
        if not self.is_allowed:
            told["Retry-After"] = str(self.retry_after_seconds)
        return told


class Limiter:
    """Token buckets: `limit` calls at once, and refilled evenly within the window."""

    def __init__(self, limit: int, window_seconds: float) -> None:
        self._limit = limit
        self._window = window_seconds
        self._per_second = limit / window_seconds
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, token: str, at: float) -> Allowance:
        """Count one call of the token; a call that is refused costs nothing."""
        level, since = self._buckets.get(token, (float(self._limit), at))
        level = min(self._limit, level + max(0.0, at - since) * self._per_second)
        # A sum of many small refills may be a hair below the whole number it stands for.
        is_allowed = level >= 1 - 1e-9
        if is_allowed:
            level = max(0.0, level - 1)
        self._buckets[token] = (level, at)
        self._buckets.move_to_end(token)
        if len(self._buckets) > _KEPT:
            self._buckets.popitem(last=False)
        return Allowance(
            is_allowed=is_allowed,
            limit=self._limit,
            remaining=int(level + 1e-9),
            full_in_seconds=math.ceil((self._limit - level) / self._per_second),
            retry_after_seconds=(
                0 if level >= 1 else max(1, math.ceil((1 - level) / self._per_second))
            ),
            window_seconds=math.ceil(self._window),
        )
