"""Reads the clock.

Rules: no other module reads the clock, and pure functions receive the time as an argument. Inside a
process, order and age come from `steady` or `monotonic`, because anybody can set the date and time.
`now` is only for comparing with the times of others: AWS, labels and messages.
"""

import time
from datetime import UTC, datetime, timedelta
from typing import Final

_LEAST_STEP: Final = timedelta(seconds=1)
"""Smaller differences between `now` and `steady` are not steps, because the two clocks are read one
after the other."""


def now() -> datetime:
    """Return the current date and time in UTC, with the time zone set."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Return the time in seconds on a clock that never goes backwards, for measuring durations."""
    return time.monotonic()


class _Anchor:
    """The date and time at which `steady` began, and the monotonic clock at that time."""

    def __init__(self) -> None:
        self.date, self.seconds = now(), monotonic()


_anchor = _Anchor()


def anchor() -> None:
    """Let `steady` continue from the current date and time.

    Call this only while the process keeps no time that `steady` returned before.
    """
    global _anchor  # noqa: PLW0603  the process has one clock
    _anchor = _Anchor()


def steady() -> datetime:
    """Return the process's own date and time, which setting the machine's clock does not change.

    It equals `now` until somebody sets the machine's clock; see `step`.
    """
    return _anchor.date + timedelta(seconds=monotonic() - _anchor.seconds)


def step() -> timedelta:
    """Return how far the machine's clock was set since `anchor`: forward is positive.

    Differences of less than a second are reported as zero.
    """
    difference = now() - steady()
    return difference if abs(difference) >= _LEAST_STEP else timedelta()
