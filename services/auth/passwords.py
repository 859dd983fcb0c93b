"""Which passwords are taken, and how they are kept: argon2id.

Rule: hashing takes memory and a core for milliseconds. It runs in threads, few at once, and whoever
comes when the queue is long is told to come again: nobody can hash us to death.
"""

import asyncio
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from runtime.errors import UnavailableError
from services.auth.common_passwords import is_common, is_like_address

T = TypeVar("T")

LEAST: Final = 10
MOST: Final = 256
_QUEUE: Final = 40


def wrong(password: str, email: str) -> str | None:
    """What is wrong with a new password, for its owner; None when it is taken."""
    if len(password) < LEAST:
        return f"A password has at least {LEAST} characters."
    if len(password) > MOST:
        return f"A password has at most {MOST} characters."
    if is_common(password):
        return "This password is among the first that anybody tries. Choose another."
    if is_like_address(password, email):
        return "This password is too much like the e-mail address. Choose another."
    return None


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one hash; the defaults are OWASP's least for argon2id."""

    memory_kib: int = 19_456
    rounds: int = 2
    lanes: int = 1


class Passwords:
    """Hashes and verifies, a few at a time."""

    def __init__(self, cost: Cost, *, at_once: int) -> None:
        self._hasher = PasswordHasher(
            time_cost=cost.rounds, memory_cost=cost.memory_kib, parallelism=cost.lanes
        )
        self._turn = asyncio.Semaphore(at_once)
        self._waiting = 0
        # Compared with when there is no account: nobody learns by the time which there are.
        self._nobodys = self._hasher.hash("nobody's password")

    async def hash(self, password: str) -> str:
        """What is kept of a password."""
        return await self._run(lambda: self._hasher.hash(_typed(password)))

    async def is_right(self, kept: str | None, password: str) -> bool:
        """Whether the password is the one that is kept; as much work when none is."""
        return await self._run(lambda: self._verify(kept or self._nobodys, password)) and (
            kept is not None
        )

    def is_outdated(self, kept: str) -> bool:
        """Whether it was hashed at another cost than today's."""
        return self._hasher.check_needs_rehash(kept)

    def _verify(self, kept: str, password: str) -> bool:
        try:
            return self._hasher.verify(kept, _typed(password))
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[[], T]) -> T:
        if self._waiting >= _QUEUE:
            raise UnavailableError("too many passwords are being checked")
        self._waiting += 1
        try:
            async with self._turn:
                return await asyncio.to_thread(work)
        finally:
            self._waiting -= 1


def _typed(password: str) -> str:
    """One spelling for what is the same on every keyboard: an ä is one character or two."""
    return unicodedata.normalize("NFKC", password)
