"""Translates Docker errors into the exceptions in `runtime.errors`."""

from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
from aiodocker.exceptions import DockerError

from runtime.errors import GoneError, RefusedError, UnavailableError
from runtime.logs import scrub

_AWAY_STATUSES = frozenset({0, 500, 502, 503, 504, 900})
"""aiodocker reports status 900 if it cannot connect to the engine."""
_TEMPORARY = ("out of sequence", "does not have a leader", "deadline exceeded", "try again")


@contextmanager
def translated(attempt: str) -> Iterator[None]:
    """Translate the errors of one engine call; `attempt` describes the call in error messages.

    Raises:
        UnavailableError: if the engine does not respond, the managers have lost quorum, or the
            object has changed in the meantime.
        GoneError: if the object does not exist.
        RefusedError: if the engine rejects the call.
    """
    try:
        yield
    except DockerError as exc:
        # The engine probably never quotes tokens; scrub the message just in case.
        message = f"could not {attempt}: {scrub(str(exc.message))}"
        if exc.status == 404:
            raise GoneError(message) from exc
        if exc.status in _AWAY_STATUSES or any(sign in message for sign in _TEMPORARY):
            raise UnavailableError(message) from exc
        raise RefusedError(message) from exc
    except (aiohttp.ClientError, OSError, TimeoutError) as exc:
        raise UnavailableError(f"could not {attempt}: the engine is not responding") from exc
