"""Enforces the gateway's documented rate limits, interpreted as strictly as possible.

According to the Interactive Brokers Web API documentation, the gateway accepts ten requests per
second in total, and fewer for some paths. It accepts at most five concurrent history requests. If a
client exceeds a limit, the gateway responds with 429 and puts the client's address in a penalty box
for fifteen minutes.

The documentation does not say how requests are counted. The simulator uses a sliding window, which
is at least as strict as a token bucket or a fixed window.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

EVERYTHING: Final = "*"
HISTORY: Final = "/iserver/marketdata/history"


@dataclass(frozen=True, slots=True)
class Limit:
    """A rate limit: at most `requests` requests in any period of `seconds` seconds."""

    requests: int
    seconds: float


LIMITS: Final = {
    EVERYTHING: Limit(10, 1.0),
    "/iserver/marketdata/snapshot": Limit(10, 1.0),
    "/tickle": Limit(1, 1.0),
    "/portfolio/accounts": Limit(1, 5.0),
    "/sso/validate": Limit(1, 60.0),
}
HISTORY_AT_ONCE: Final = 5


@dataclass(slots=True)
class PacingMonitor:
    """Counts requests, and admits or rejects them. Call `leave` when an admitted request ends."""

    penalty_seconds: float
    violations: int = 0
    requests: dict[str, int] = field(default_factory=dict)
    busiest: dict[str, int] = field(default_factory=dict)
    """The highest number of requests within one period of a limit, by path."""
    history_now: int = 0
    history_most: int = 0
    _penalty_until: float = float("-inf")
    _recent: dict[str, deque[float]] = field(default_factory=dict)

    def admit(self, path: str, *, now: float) -> bool:
        """Count a request and return whether it is admitted.

        A request that exceeds a limit starts or extends the penalty.
        """
        self.requests[path] = self.requests.get(path, 0) + 1
        within = [self._counts(name, now) for name in (EVERYTHING, path) if name in LIMITS]
        if path == HISTORY:
            self.history_now += 1
            self.history_most = max(self.history_most, self.history_now)
            within.append(self.history_now <= HISTORY_AT_ONCE)
        if not all(within):
            self.violations += 1
            self._penalty_until = now + self.penalty_seconds
        if now < self._penalty_until:
            self.leave(path)
            return False
        return True

    def leave(self, path: str) -> None:
        """Record that an admitted request has ended."""
        if path == HISTORY:
            self.history_now -= 1

    def punish(self, *, now: float) -> None:
        """Start the penalty, even if no limit was exceeded."""
        self._penalty_until = now + self.penalty_seconds

    def forgive(self) -> None:
        """End the penalty and reset all counts except that of the history requests in progress."""
        self._penalty_until = float("-inf")
        self.violations = 0
        self.requests.clear()
        self.busiest.clear()
        self._recent.clear()
        self.history_most = self.history_now

    def _counts(self, name: str, now: float) -> bool:
        limit = LIMITS[name]
        recent = self._recent.setdefault(name, deque())
        while recent and recent[0] <= now - limit.seconds:
            recent.popleft()
        recent.append(now)
        self.busiest[name] = max(self.busiest.get(name, 0), len(recent))
        return len(recent) <= limit.requests
