"""Delays between attempts, as a pure generator."""

import random
from collections.abc import Iterator


def backoff(
    *, first: float = 0.5, ceiling: float = 30.0, rng: random.Random | None = None
) -> Iterator[float]:
    """Seconds to wait before each next attempt, for ever: full jitter below a doubling limit.

    Full jitter (uniform between 0 and the limit) prevents instances that lost their leader at the
    same moment from coming back at the same moment. The minimum is a tenth of the limit, so that
    the jitter never causes a tight loop.
    """
    draw = rng or random.Random()  # noqa: S311  spreading load, not keeping secrets
    limit = first
    while True:
        yield limit * (0.1 + 0.9 * draw.random())
        limit = min(limit * 2, ceiling)
