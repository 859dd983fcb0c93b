"""Reads the clock. Rule: all times come from this module; pure code gets the time as a value."""

import time
from datetime import UTC, datetime


def now() -> datetime:
    """Return the current date and time in UTC, with the time zone set."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Return the seconds on a clock that never goes backwards, for durations and deadlines."""
    return time.monotonic()
