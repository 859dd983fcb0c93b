"""A cache of the tokens that the auth service has verified recently.

Rules: store only token hashes, so that nobody can read a token from this cache. Do not read the
clock here; the caller passes the current time.
"""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NewType

from services.peers.auth import Verified

TokenHash = NewType("TokenHash", bytes)
_MOST: Final = 10_000


def token_hash(token: str) -> TokenHash:
    """Return a token's hash, which is used as the cache key."""
    return TokenHash(hashlib.sha256(token.encode()).digest())


@dataclass(frozen=True, slots=True)
class Verification:
    """A verified token's owner and scopes, and how many seconds ago it was verified."""

    identity: Verified
    age_seconds: float


class VerifiedTokens:
    """The most recently used verified tokens."""

    def __init__(self) -> None:
        self._entries: OrderedDict[TokenHash, tuple[Verified, float]] = OrderedDict()

    def find(self, token: TokenHash, *, at: float, now: datetime) -> Verification | None:
        """Return a token's last verification, or None if the token is unknown or has expired."""
        entry = self._entries.get(token)
        if entry is None:
            return None
        identity, verified_at = entry
        if identity.expires is not None and identity.expires <= now:
            del self._entries[token]
            return None
        self._entries.move_to_end(token)
        return Verification(identity, at - verified_at)

    def keep(self, token: TokenHash, identity: Verified, *, at: float) -> None:
        """Store the owner and scopes of a verified token."""
        self._entries[token] = (identity, at)
        self._entries.move_to_end(token)
        if len(self._entries) > _MOST:
            self._entries.popitem(last=False)

    def forget(self, token: TokenHash) -> None:
        """Remove a token that the auth service rejected."""
        self._entries.pop(token, None)
