"""Limits the rate of calls for each API token. Buckets are kept in this process's memory.

The settings `RATE_LIMIT` and `RATE_WINDOW_SECONDS` define the limit. Replicas do not share buckets,
so rate limiting does not depend on a data store. With N replicas, an API token therefore allows up
to N times as many calls. Rule: do not read the clock here; the caller passes the current time.
"""

import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

_MOST: Final = 10_000
"""The maximum number of buckets. A token without a bucket gets a full bucket."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """Whether an API call is allowed, and how many calls are left."""

    is_allowed: bool
    limit: int
    remaining: int
    full_in_seconds: int
    """Seconds until all calls are available again."""
    retry_after_seconds: int
    """Seconds until the next call is allowed; zero if a call is allowed now."""
    window_seconds: int

    def headers(self) -> dict[str, str]:
        """Return the rate-limit headers: three traditional headers and two from an IETF draft."""
        fields = {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.full_in_seconds),
            "RateLimit-Policy": f'"default";q={self.limit};w={self.window_seconds}',
            "RateLimit": f'"default";r={self.remaining};t={self.full_in_seconds}',
        }
        if not self.is_allowed:
            fields["Retry-After"] = str(self.retry_after_seconds)
        return fields


class RateLimiter:
    """Allows `limit` calls per window for each token. The allowance refills continuously."""

    def __init__(self, limit: int, window_seconds: float) -> None:
        self._limit = limit
        self._window = window_seconds
        self._per_second = limit / window_seconds
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, token: str, at: float) -> Allowance:
        """Decide whether a call with this token is allowed and, if so, count it."""
        level, since = self._buckets.get(token, (float(self._limit), at))
        level = min(self._limit, level + max(0.0, at - since) * self._per_second)
        # The sum of many small refills may be slightly below a whole number.
        is_allowed = level >= 1 - 1e-9
        if is_allowed:
            level = max(0.0, level - 1)
        self._buckets[token] = (level, at)
        self._buckets.move_to_end(token)
        if len(self._buckets) > _MOST:
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
