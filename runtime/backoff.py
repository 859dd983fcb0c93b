"""Delays between tries, as a pure generator."""

import random
from collections.abc import Iterator


def backoff(
    *, first: float = 0.5, ceiling: float = 30.0, rng: random.Random | None = None
) -> Iterator[float]:
    """Seconds to wait before each next try, for ever: full jitter below a doubling ceiling.

    Full jitter (uniform in 0…ceiling) keeps a fleet that lost its leader at one moment from
    coming back at one moment. A tenth of the ceiling is kept as a floor, so that bad luck
    never makes a tight loop.
    """
    draw = rng or random.Random()  # noqa: S311  spreading load, not keeping secrets
    limit = first
    while True:
        yield limit * (0.1 + 0.9 * draw.random())
        limit = min(limit * 2, ceiling)
