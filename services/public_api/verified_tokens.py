"""Remembers the tokens that auth verified recently. Pure: time is an argument.

Rule: only a token's hash is stored, so a copy of the process's memory contains no tokens.
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
    """The hash under which a token is remembered."""
    return TokenHash(hashlib.sha256(token.encode()).digest())


@dataclass(frozen=True, slots=True)
class Verification:
    """Whose a token is, and how long ago auth said so."""

    identity: Verified
    age_seconds: float


class VerifiedTokens:
    """The most recently used tokens that have not expired."""

    def __init__(self) -> None:
        self._entries: OrderedDict[TokenHash, tuple[Verified, float]] = OrderedDict()

    def find(self, token: TokenHash, *, at: float, now: datetime) -> Verification | None:
        """Auth's last answer about a token, unless the token has expired since."""
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
        """Store auth's answer about a valid token."""
        self._entries[token] = (identity, at)
        self._entries.move_to_end(token)
        if len(self._entries) > _MOST:
            self._entries.popitem(last=False)

    def forget(self, token: TokenHash) -> None:
        """Forget a token that auth refused."""
        self._entries.pop(token, None)
