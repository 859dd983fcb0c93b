"""Decides which passwords are acceptable, and hashes them with argon2id.

Rule: computing a hash uses memory and one core for several milliseconds. Therefore, compute only a
few hashes at a time, in threads. If the queue is too long, requests fail with status 503. This
prevents attackers from overloading the host with login attempts.
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
    """Return a message for the user if a new password is unacceptable, otherwise None."""
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
    """The cost of computing one hash; the defaults are the OWASP minimum for argon2id."""

    memory_kib: int = 19_456
    rounds: int = 2
    lanes: int = 1


class Passwords:
    """Hashes and verifies passwords, at most `at_once` at a time."""

    def __init__(self, cost: Cost, *, at_once: int) -> None:
        self._hasher = PasswordHasher(
            time_cost=cost.rounds, memory_cost=cost.memory_kib, parallelism=cost.lanes
        )
        self._turn = asyncio.Semaphore(at_once)
        self._waiting = 0
        # Used when there is no account, so that response times do not reveal whether one exists.
        self._decoy = self._hasher.hash("nobody's password")

    async def hash(self, password: str) -> str:
        """Return the hash to store for a password."""
        return await self._run(lambda: self._hasher.hash(_normalised(password)))

    async def is_right(self, stored: str | None, password: str) -> bool:
        """Return whether the password matches the stored hash.

        If `stored` is None, this method returns False, but takes as long as it would with a real
        hash.
        """
        return await self._run(lambda: self._verify(stored or self._decoy, password)) and (
            stored is not None
        )

    def is_outdated(self, stored: str) -> bool:
        """Return whether the hash was computed with outdated cost settings."""
        return self._hasher.check_needs_rehash(stored)

    def _verify(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, _normalised(password))
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[[], T]) -> T:
        if self._waiting >= _QUEUE:
            raise UnavailableError("too many passwords are waiting to be checked")
        self._waiting += 1
        try:
            async with self._turn:
                return await asyncio.to_thread(work)
        finally:
            self._waiting -= 1


def _normalised(password: str) -> str:
    """Return the password normalised to NFKC; some keyboards send ä as two characters."""
    return unicodedata.normalize("NFKC", password)
