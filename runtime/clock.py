"""The only module that reads a clock; everywhere else time comes in as a value."""

import time
from datetime import UTC, datetime


def now() -> datetime:
    """The wall clock in UTC, with its zone."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Seconds that only go forward: for durations and deadlines within one process."""
    return time.monotonic()
