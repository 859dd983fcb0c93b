"""Generates the delays between repeated attempts."""

import random
from collections.abc import Iterator


def backoff(
    *, first: float = 0.5, ceiling: float = 30.0, rng: random.Random | None = None
) -> Iterator[float]:
    """Yield an endless series of delays in seconds, one before each attempt.

    Each delay is random, between 10 % and 100 % of the current limit. The limit starts at `first`
    and doubles each time, up to `ceiling`. The randomness prevents instances that failed at the
    same time from retrying at the same time. The minimum prevents a tight loop.
    """
    draw = rng or random.Random()  # noqa: S311  jitter, not a secret
    limit = first
    while True:
        yield limit * (0.1 + 0.9 * draw.random())
        limit = min(limit * 2, ceiling)
