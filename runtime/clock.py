"""Reads the clock.

Rule: no other module reads the clock. Pure functions receive the time as an argument.
"""

import time
from datetime import UTC, datetime


def now() -> datetime:
    """Return the current date and time in UTC, with the time zone set."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Return the time in seconds on a clock that never goes backwards, for measuring durations."""
    return time.monotonic()
