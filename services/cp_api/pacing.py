"""How often the gateway may be called: token buckets as numbers, with time as an argument.

Rule: no caller can loosen a limit. A request gets a time to start or, if that would be too late
for it, an immediate refusal, so that nobody queues for nothing.

From Interactive Brokers' Web API documentation: ten requests a second in all, fewer for some
paths; 429 when exceeded, then fifteen minutes in a penalty box, where more requests may get an
address banned for good. We use less than half of that: during an update two replicas run briefly,
cp_api_tickle sends requests too, and requests that left evenly may arrive together.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

EVERYTHING: Final = "*"


@dataclass(frozen=True, slots=True)
class Pace:
    """`per_second` in the long run, and up to `burst` at once after a pause."""

    per_second: float
    burst: int = 1

    def __post_init__(self) -> None:
        """Both must be positive: a pace of zero would block every request."""
        if self.per_second <= 0 or self.burst < 1:
            raise ValueError("a pace must be positive")


PACES: Final = {
    EVERYTHING: Pace(4.0, burst=2),
    "tickle": Pace(0.5),
    "portfolio/accounts": Pace(0.1),
    "sso/validate": Pace(1 / 120),
}


@dataclass(slots=True)
class Pacer:
    """Gives each request a time to start, in the order of arrival."""

    paces: Mapping[str, Pace] = field(default_factory=lambda: PACES)
    granted: int = 0
    refused: int = 0
    closed_until: float = float("-inf")
    """After a 429, no request is sent before this."""
    _full_at: dict[str, float] = field(default_factory=dict)
    """When each bucket is, or was, full again."""

    def wait(self, endpoint: str, *, now: float) -> float:
        """Seconds until the next request to `endpoint` may start, 0 for at once."""
        moments = [self.closed_until, now]
        for name in self._buckets(endpoint):
            pace = self.paces[name]
            slack = (pace.burst - 1) / pace.per_second
            moments.append(self._full_at.get(name, now) - slack)
        return max(moments) - now

    def take(self, endpoint: str, *, now: float, within: float) -> float | None:
        """Seconds to wait before the request; None when that is longer than `within`."""
        wait = self.wait(endpoint, now=now)
        if wait > within:
            self.refused += 1
            return None
        for name in self._buckets(endpoint):
            start = now + wait
            full_at = max(self._full_at.get(name, start), start)
            self._full_at[name] = full_at + 1 / self.paces[name].per_second
        self.granted += 1
        return wait

    def close(self, *, now: float, seconds: float) -> None:
        """Send nothing for this long, because the gateway answered 429."""
        self.closed_until = max(self.closed_until, now + seconds)

    def closed_for(self, *, now: float) -> float:
        """Seconds until requests may be sent again, 0 if they may now."""
        return max(0.0, self.closed_until - now)

    def _buckets(self, endpoint: str) -> list[str]:
        return [name for name in (EVERYTHING, endpoint) if name in self.paces]
