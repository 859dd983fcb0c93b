"""Recently verified logins, for the time in which the sign-in service does not answer.

Rule: nobody is signed in by this memory alone. It is used only after the sign-in service failed to
answer, and forgets every token that the service refuses.
"""

import hashlib
from datetime import datetime
from typing import Final, NamedTuple

_MOST: Final = 10_000


class Identity(NamedTuple):
    """Whose a login is, and until when."""

    account: str
    email: str
    until: datetime


class VerifiedLogins:
    """Verified login tokens by their hashes: a limited number, each for a limited time."""

    def __init__(self, *, seconds: float) -> None:
        self._seconds = seconds
        self._identities: dict[str, tuple[float, Identity]] = {}

    def keep(self, token: str, identity: Identity, *, monotonic: float) -> None:
        """Store an identity that the sign-in service has just confirmed."""
        key = _key(token)
        self._identities.pop(key, None)
        self._identities[key] = (monotonic, identity)
        while len(self._identities) > _MOST:
            del self._identities[next(iter(self._identities))]

    def forget(self, token: str) -> None:
        """Forget a token that the sign-in service refused, or whose owner signs out."""
        self._identities.pop(_key(token), None)

    def identity(self, token: str, *, monotonic: float, now: datetime) -> Identity | None:
        """Whose a token was, unless that is too long ago or the token has expired."""
        since, identity = self._identities.get(_key(token), (0.0, None))
        if identity is None or monotonic - since > self._seconds or now >= identity.until:
            return None
        return identity


def _key(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
