"""Tokens that auth vouched for a moment ago.

Rule: pure; time comes in. What is kept is a hash of the token: this process's memory gives
nobody a token.
"""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NewType

from services.peers.auth import Verified

Mark = NewType("Mark", bytes)
_KEPT: Final = 10_000


def mark(token: str) -> Mark:
    """What stands for a token here."""
    return Mark(hashlib.sha256(token.encode()).digest())


@dataclass(frozen=True, slots=True)
class Known:
    """Who a token is, and how long ago auth said so."""

    who: Verified
    age_seconds: float


class KnownTokens:
    """The tokens used most lately; those that are past their own end are not among them."""

    def __init__(self) -> None:
        self._known: OrderedDict[Mark, tuple[Verified, float]] = OrderedDict()

    def find(self, token: Mark, *, at: float, now: datetime) -> Known | None:
        """What auth said last, unless the token has ended since."""
        found = self._known.get(token)
        if found is None:
            return None
        who, said = found
        if who.expires is not None and who.expires <= now:
            del self._known[token]
            return None
        self._known.move_to_end(token)
        return Known(who, at - said)

    def keep(self, token: Mark, who: Verified, *, at: float) -> None:
        """Auth vouched for the token now."""
        self._known[token] = (who, at)
        self._known.move_to_end(token)
        if len(self._known) > _KEPT:
            self._known.popitem(last=False)

    def forget(self, token: Mark) -> None:
        """Auth did not vouch for it."""
        self._known.pop(token, None)
