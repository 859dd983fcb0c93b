"""Spot capacity pools, and which of them to avoid after an interruption."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

Pool = tuple[str, str]
"""Instance type and availability zone: AWS prices and interrupts Spot capacity by these."""


@dataclass(frozen=True, slots=True)
class Pools:
    """The pools that replacements should avoid, and until when."""

    avoided: Mapping[Pool, datetime] = field(default_factory=dict)

    def avoid(self, pool: Pool, until: datetime) -> "Pools":
        """Avoid a pool until a given time."""
        return Pools({**self.avoided, pool: until})

    def current(self, now: datetime) -> "Pools":
        """These pools without the ones whose time is over."""
        if all(until > now for until in self.avoided.values()):
            return self
        return Pools({pool: until for pool, until in self.avoided.items() if until > now})
