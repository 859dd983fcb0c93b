"""Which passwords are accepted, and how they are hashed (argon2id).

Rule: a hash takes memory and a core for milliseconds. Only a few run at once, in threads, and a
request that meets a long queue is answered 503, so that logins cannot be used to exhaust the host.
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


def weakness(password: str, email: str) -> str | None:
    """Why a new password is rejected, in words for its owner; None when it is accepted."""
    if len(password) < LEAST:
        return f"A password must have at least {LEAST} characters."
    if len(password) > MOST:
        return f"A password must have at most {MOST} characters."
    if is_common(password):
        return "This password is too easy to guess. Choose another."
    if is_like_address(password, email):
        return "This password is too similar to the e-mail address. Choose another."
    return None


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of one hash; the defaults are OWASP's minimum for argon2id."""

    memory_kib: int = 19_456
    rounds: int = 2
    lanes: int = 1


class Passwords:
    """Hashes and verifies passwords, a few at a time."""

    def __init__(self, cost: Cost, *, at_once: int) -> None:
        self._hasher = PasswordHasher(
            time_cost=cost.rounds, memory_cost=cost.memory_kib, parallelism=cost.lanes
        )
        self._turn = asyncio.Semaphore(at_once)
        self._waiting = 0
        # Verified against when there is no account, so that timing does not reveal accounts.
        self._decoy = self._hasher.hash("nobody's password")

    async def hash(self, password: str) -> str:
        """The hash to store for a password."""
        return await self._run(lambda: self._hasher.hash(_normalised(password)))

    async def is_right(self, stored: str | None, password: str) -> bool:
        """Whether the password matches the stored hash; takes as long when there is none."""
        return await self._run(lambda: self._verify(stored or self._decoy, password)) and (
            stored is not None
        )

    def is_outdated(self, stored: str) -> bool:
        """Whether the hash was made at a different cost from today's."""
        return self._hasher.check_needs_rehash(stored)

    def _verify(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, _normalised(password))
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


def _normalised(password: str) -> str:
    """One spelling for each text: keyboards send an ä as one character or as two."""
    return unicodedata.normalize("NFKC", password)
