"""Limits how often the gateway is called. The caller passes the current time.

Rule: no caller can exceed a limit. Each request gets the earliest start time that the limits allow.
If that time is too late for the caller, the request is rejected immediately.

According to the Interactive Brokers Web API documentation, the gateway accepts ten requests per
second in total, and fewer for some paths. If a client exceeds a limit, the gateway responds with
429 and puts the client's address in a penalty box for fifteen minutes. Further requests may get the
address banned permanently.

We use less than half of the limit for three reasons: two replicas run for a short time during an
update, cp_api_tickle also sends requests, and network delays may make requests arrive together.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

EVERYTHING: Final = "*"


@dataclass(frozen=True, slots=True)
class Pace:
    """A rate limit: `per_second` requests on average, and up to `burst` requests at once."""

    per_second: float
    burst: int = 1

    def __post_init__(self) -> None:
        """Check that both values are positive, because a rate of zero would block every request."""
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
    """Assigns start times to requests in order of arrival, using a token bucket for each limit."""

    paces: Mapping[str, Pace] = field(default_factory=lambda: PACES)
    granted: int = 0
    refused: int = 0
    closed_until: float = float("-inf")
    """After a 429, no request is sent before this time."""
    _full_at: dict[str, float] = field(default_factory=dict)
    """The time at which each token bucket is full again."""

    def wait(self, endpoint: str, *, now: float) -> float:
        """Return how many seconds the next request to `endpoint` must wait."""
        moments = [self.closed_until, now]
        for name in self._buckets(endpoint):
            pace = self.paces[name]
            slack = (pace.burst - 1) / pace.per_second
            moments.append(self._full_at.get(name, now) - slack)
        return max(moments) - now

    def take(self, endpoint: str, *, now: float, within: float) -> float | None:
        """Reserve a turn and return the wait in seconds, or None if the wait exceeds `within`."""
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
        """Block all requests for `seconds` seconds, because the gateway responded with 429."""
        self.closed_until = max(self.closed_until, now + seconds)

    def closed_for(self, *, now: float) -> float:
        """Return the number of seconds until requests are allowed again."""
        return max(0.0, self.closed_until - now)

    def _buckets(self, endpoint: str) -> list[str]:
        return [name for name in (EVERYTHING, endpoint) if name in self.paces]
