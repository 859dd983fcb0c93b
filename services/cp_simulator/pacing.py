"""The documented pacing, enforced as strictly as the documentation allows.

From Interactive Brokers' Web API documentation: ten requests a second through the gateway, fewer
for some paths; five requests for history at once; 429 when exceeded, and the violator's address
in a penalty box for fifteen minutes. Which "second" counts is not documented: here it is any
second, so a client that passes here also passes a token bucket or a fixed window.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

EVERYTHING: Final = "*"
HISTORY: Final = "/iserver/marketdata/history"


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `requests` in any `seconds`."""

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
    """Counts requests; every admitted one must `leave`."""

    penalty_seconds: float
    violations: int = 0
    requests: dict[str, int] = field(default_factory=dict)
    busiest: dict[str, int] = field(default_factory=dict)
    """The most requests within a limit's seconds, by path."""
    history_now: int = 0
    history_most: int = 0
    _penalty_until: float = float("-inf")
    _recent: dict[str, deque[float]] = field(default_factory=dict)

    def admit(self, path: str, *, now: float) -> bool:
        """Whether a request may pass; one too many begins the penalty, more prolong it."""
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
        """End an admitted request."""
        if path == HISTORY:
            self.history_now -= 1

    def punish(self, *, now: float) -> None:
        """Begin the penalty without a violation."""
        self._penalty_until = now + self.penalty_seconds

    def forgive(self) -> None:
        """End the penalty and reset all counts but that of the requests in flight."""
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
