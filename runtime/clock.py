"""The only module that reads a clock; everything else gets the time as a value."""

import time
from datetime import UTC, datetime


def now() -> datetime:
    """The time of day in UTC, with its time zone."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Seconds on a clock that never goes back, for durations and deadlines in one process."""
    return time.monotonic()
