"""Which passwords are taken, and how they are kept: argon2id.

Rule: hashing takes memory and a core for milliseconds. It runs in threads, few at once, and whoever
comes when the queue is long is told to come again: nobody can hash us to death.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from runtime.errors import UnavailableError

T = TypeVar("T")

LEAST: Final = 10
MOST: Final = 256
_QUEUE: Final = 40
_COMMON: Final = frozenset(
    {
        "1234567890", "0123456789", "1q2w3e4r5t", "abcdefghij", "administrator", "baseball123",
        "changeme123", "football123", "iloveyou123", "letmein123", "password12", "password123",
        "password1234", "passw0rd123", "princess123", "q1w2e3r4t5", "qwerty1234", "qwerty12345",
        "qwertyuiop", "sunshine123", "trustno1234", "welcome123", "welcome1234", "1111111111",
        "0000000000", "1234567891", "12345678910", "123456789a", "a123456789", "monkey12345",
    }
)  # fmt: skip


def wrong(password: str, email: str) -> str | None:
    """What is wrong with a new password, for its owner; None when it is taken."""
    lowered = password.casefold()
    if len(password) < LEAST:
        return f"A password has at least {LEAST} characters."
    if len(password) > MOST:
        return f"A password has at most {MOST} characters."
    if lowered in _COMMON or len(set(lowered)) < 4:
        return "This password is among the first that anybody tries. Choose another."
    if email.partition("@")[0] and lowered in {email, email.partition("@")[0] * 2}:
        return "A password must not be the e-mail address."
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
        return await self._run(lambda: self._hasher.hash(password))

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
            return self._hasher.verify(kept, password)
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
