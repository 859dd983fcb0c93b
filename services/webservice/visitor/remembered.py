"""Who was known a while ago: for the time in which the sign-in service cannot be asked.

Rule: this never makes anybody known. It is asked only after the sign-in service failed to
answer, and forgets whom that service has refused.
"""

import hashlib
from datetime import datetime
from typing import Final, NamedTuple

_MOST: Final = 10_000


class Known(NamedTuple):
    """Somebody, until a moment."""

    account: str
    email: str
    until: datetime


class Remembered:
    """Verified login tokens by their hashes, a bounded number, each for a bounded time."""

    def __init__(self, *, seconds: float) -> None:
        self._seconds = seconds
        self._known: dict[str, tuple[float, Known]] = {}

    def keep(self, token: str, known: Known, *, monotonic: float) -> None:
        """The sign-in service has just said who this is."""
        key = _key(token)
        self._known.pop(key, None)
        self._known[key] = (monotonic, known)
        while len(self._known) > _MOST:
            del self._known[next(iter(self._known))]

    def forget(self, token: str) -> None:
        """The sign-in service has refused it, or its owner signs out."""
        self._known.pop(_key(token), None)

    def who(self, token: str, *, monotonic: float, now: datetime) -> Known | None:
        """Who it was, unless that is too long ago or the token has ended."""
        since, known = self._known.get(_key(token), (0.0, None))
        if known is None or monotonic - since > self._seconds or now >= known.until:
            return None
        return known


def _key(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
