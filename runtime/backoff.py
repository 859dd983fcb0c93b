"""Generates the delays between attempts."""

import random
from collections.abc import Iterator


def backoff(
    *, first: float = 0.5, ceiling: float = 30.0, rng: random.Random | None = None
) -> Iterator[float]:
    """Yield the number of seconds to wait before each attempt, indefinitely.

    Each delay is a random time between a tenth of the current limit and that limit. The limit
    starts at `first` and doubles each time, up to `ceiling`. The random part prevents instances
    that lost their leader at the same time from retrying at the same time; the minimum prevents a
    tight loop.
    """
    draw = rng or random.Random()  # noqa: S311  jitter, not a secret
    limit = first
    while True:
        yield limit * (0.1 + 0.9 * draw.random())
        limit = min(limit * 2, ceiling)
