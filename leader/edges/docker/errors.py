"""Docker's errors in our terms, translated once for every call of `swarm.py`."""

from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
from aiodocker.exceptions import DockerError

from runtime.errors import GoneError, RefusedError, UnavailableError

_AWAY_STATUSES = frozenset({0, 500, 502, 503, 504, 900})
"""900 is aiodocker's own, for an engine it cannot connect to."""
_PASSING = ("out of sequence", "does not have a leader", "deadline exceeded", "try again")


@contextmanager
def translated(attempt: str) -> Iterator[None]:
    """Run one call of the engine; `attempt` says what was tried, for the message.

    Raises:
        UnavailableError: the engine or the swarm's majority is away, or somebody was faster.
        GoneError: the thing does not exist.
        RefusedError: the engine will not do it.
    """
    try:
        yield
    except DockerError as exc:
        message = f"{attempt}: {exc.message}"
        if exc.status == 404:
            raise GoneError(message) from exc
        if exc.status in _AWAY_STATUSES or any(sign in exc.message for sign in _PASSING):
            raise UnavailableError(message) from exc
        raise RefusedError(message) from exc
    except (aiohttp.ClientError, OSError, TimeoutError) as exc:
        raise UnavailableError(f"{attempt}: the engine does not answer") from exc
