"""Spot capacity pools that replacement instances should avoid after an interruption."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

Pool = tuple[str, str]
"""An instance type and an availability zone, which determine Spot prices and interruptions."""


@dataclass(frozen=True, slots=True)
class Pools:
    """The pools that replacement instances should avoid, and when each pool may be used again."""

    avoided: Mapping[Pool, datetime] = field(default_factory=dict)

    def avoid(self, pool: Pool, until: datetime) -> "Pools":
        """Return a copy with `pool` added, to be avoided until the given time."""
        return Pools({**self.avoided, pool: until})

    def current(self, now: datetime) -> "Pools":
        """Return a copy without the pools that no longer need to be avoided."""
        if all(until > now for until in self.avoided.values()):
            return self
        return Pools({pool: until for pool, until in self.avoided.items() if until > now})
