"""How often the gateway may be asked: token buckets as numbers, with time as a value.

Rule: nothing here may be loosened by a caller. A request gets a moment or, when that would come
too late for it, a refusal at once: a queue that everybody waits in for nothing helps nobody.

From Interactive Brokers' Web API documentation: ten requests a second in all; some paths fewer;
429 when exceeded, and fifteen minutes in a penalty box, where asking on may shut an address out
for good. So we take less than half of what is documented: during an update two of us run for a
moment, cp_api_tickle asks too, and requests that left evenly may arrive in a bunch.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

EVERYTHING: Final = "*"


@dataclass(frozen=True, slots=True)
class Pace:
    """`per_second` in the long run, `burst` at most at once after a pause."""

    per_second: float
    burst: int = 1

    def __post_init__(self) -> None:
        """Both are positive; a pace of nothing would make everybody wait for ever."""
        if self.per_second <= 0 or self.burst < 1:
            raise ValueError("a pace lets something pass")


PACES: Final = {
    EVERYTHING: Pace(4.0, burst=2),
    "tickle": Pace(0.5),
    "portfolio/accounts": Pace(0.1),
    "sso/validate": Pace(1 / 120),
}


@dataclass(slots=True)
class Pacer:
    """Gives out moments, in the order asked for; every one is kept or given back unused."""

    paces: Mapping[str, Pace] = field(default_factory=lambda: PACES)
    given: int = 0
    refused: int = 0
    closed_until: float = float("-inf")
    """After a 429: nothing is asked before this."""
    _full_at: dict[str, float] = field(default_factory=dict)
    """When each bucket is or was full again."""

    def wait(self, endpoint: str, *, now: float) -> float:
        """Seconds until the next request to `endpoint` may start, 0 for at once."""
        moments = [self.closed_until, now]
        for name in self._buckets(endpoint):
            pace = self.paces[name]
            slack = (pace.burst - 1) / pace.per_second
            moments.append(self._full_at.get(name, now) - slack)
        return max(moments) - now

    def take(self, endpoint: str, *, now: float, within: float) -> float | None:
        """Seconds to wait before asking; None when that is longer than `within`."""
        wait = self.wait(endpoint, now=now)
        if wait > within:
            self.refused += 1
            return None
        for name in self._buckets(endpoint):
            start = now + wait
            full_at = max(self._full_at.get(name, start), start)
            self._full_at[name] = full_at + 1 / self.paces[name].per_second
        self.given += 1
        return wait

    def close(self, *, now: float, seconds: float) -> None:
        """The gateway said 429: ask nothing for so long."""
        self.closed_until = max(self.closed_until, now + seconds)

    def closed_for(self, *, now: float) -> float:
        """Seconds that are left of that, 0 for none."""
        return max(0.0, self.closed_until - now)

    def _buckets(self, endpoint: str) -> list[str]:
        return [name for name in (EVERYTHING, endpoint) if name in self.paces]
