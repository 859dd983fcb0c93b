"""Remembers recently verified logins in case the sign-in service becomes unavailable.

Rule: a remembered login is used only if the sign-in service does not respond. A token that the
service rejects is forgotten immediately.
"""

import hashlib
from datetime import datetime
from typing import Final, NamedTuple

_MOST: Final = 10_000


class Identity(NamedTuple):
    """The account that a login belongs to, and when the login expires."""

    account: str
    email: str
    until: datetime


class VerifiedLogins:
    """A limited number of verified logins, keyed by a hash of the access token."""

    def __init__(self, *, seconds: float) -> None:
        self._seconds = seconds
        self._identities: dict[str, tuple[float, Identity]] = {}

    def keep(self, token: str, identity: Identity, *, monotonic: float) -> None:
        """Store the identity of a login that the sign-in service has just verified."""
        key = _key(token)
        self._identities.pop(key, None)
        self._identities[key] = (monotonic, identity)
        while len(self._identities) > _MOST:
            del self._identities[next(iter(self._identities))]

    def forget(self, token: str) -> None:
        """Forget a token that the sign-in service has rejected or whose owner has signed out."""
        self._identities.pop(_key(token), None)

    def identity(self, token: str, *, monotonic: float, now: datetime) -> Identity | None:
        """Return a token's identity, or None if it has expired or was not verified recently."""
        since, identity = self._identities.get(_key(token), (0.0, None))
        if identity is None or monotonic - since > self._seconds or now >= identity.until:
            return None
        return identity


def _key(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
