"""Translates Docker's errors into ours, for every call of `swarm.py` and `work.py`."""

from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
from aiodocker.exceptions import DockerError

from runtime.errors import GoneError, RefusedError, UnavailableError

_AWAY_STATUSES = frozenset({0, 500, 502, 503, 504, 900})
"""900 is aiodocker's code for an engine that it cannot connect to."""
_TEMPORARY = ("out of sequence", "does not have a leader", "deadline exceeded", "try again")


@contextmanager
def translated(attempt: str) -> Iterator[None]:
    """Run one call of the engine; `attempt` describes it in error messages.

    Raises:
        UnavailableError: the engine does not answer, the swarm has no majority, or the object was
            changed meanwhile.
        GoneError: the object does not exist.
        RefusedError: the engine refuses.
    """
    try:
        yield
    except DockerError as exc:
        message = f"{attempt}: {exc.message}"
        if exc.status == 404:
            raise GoneError(message) from exc
        if exc.status in _AWAY_STATUSES or any(sign in exc.message for sign in _TEMPORARY):
            raise UnavailableError(message) from exc
        raise RefusedError(message) from exc
    except (aiohttp.ClientError, OSError, TimeoutError) as exc:
        raise UnavailableError(f"{attempt}: the engine does not answer") from exc
