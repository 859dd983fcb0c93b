"""Stores accounts and login-attempt counts in Redis.

Rule: every method takes one round trip, and every atomic operation is a Lua script.
"""

from dataclasses import dataclass, field
from typing import Any

from redis.asyncio import Redis

from services.auth import keys, scripts
from services.auth.edges.connection import translated
from services.auth.lockout import FORGET_SECONDS, Limit


@dataclass(frozen=True, slots=True)
class StoredAccount:
    """An account as stored in Redis; `password` is a hash and `created` is a Unix time."""

    account: str
    email: str
    password: str = field(repr=False)
    created: float


@dataclass(frozen=True, slots=True)
class Attempt:
    """The result of counting an attempt. The attempt is allowed only if `wait_seconds` is 0."""

    wait_seconds: int
    begins_pause: bool = False


class Accounts:
    """Reads and writes accounts. Every method raises UnavailableError if Redis is unavailable."""

    def __init__(self, redis: Redis) -> None:
        # redis-py's type hints do not cover text responses.
        self._redis: Any = redis
        self._account = redis.register_script(scripts.ACCOUNT)
        self._sign_up = redis.register_script(scripts.SIGN_UP)
        self._rehash = redis.register_script(scripts.REHASH)
        self._password = redis.register_script(scripts.PASSWORD)
        self._try = redis.register_script(scripts.TRY)
        self._give_back = redis.register_script(scripts.GIVE_BACK)

    async def add(self, account: StoredAccount) -> bool:
        """Store a new account; return False if its e-mail address is already taken."""
        with translated("creating an account"):
            is_new = await self._sign_up(
                keys=[keys.email(account.email), keys.account(account.account)],
                args=[account.account, account.email, account.password, account.created],
            )
        return bool(int(is_new))

    async def by_email(self, email: str) -> StoredAccount | None:
        """Return the account for a normalised e-mail address, or None if it does not exist."""
        with translated("reading an account"):
            fields = await self._account(keys=[keys.email(email)], args=[keys.PREFIX])
        return StoredAccount(fields[0], fields[1], fields[2], float(fields[3])) if fields else None

    async def by_id(self, account_id: str) -> StoredAccount | None:
        """Return the account with this id, or None if it does not exist."""
        with translated("reading an account"):
            fields = await self._redis.hgetall(keys.account(account_id))
        if not fields:
            return None
        return StoredAccount(
            account_id, fields["email"], fields["password"], float(fields["created"])
        )

    async def rehash(self, account_id: str, *, old: str, new: str) -> bool:
        """Store a new hash of the same password; return False if the password has changed."""
        with translated("renewing a password's hash"):
            is_stored = await self._rehash(keys=[keys.account(account_id)], args=[old, new])
        return bool(int(is_stored))

    async def change_password(self, account: StoredAccount, *, new: str, session: str) -> bool:
        """Store a new password and end all sessions except `session`.

        If the password has changed since `account` was read, change nothing and return False.
        """
        with translated("changing a password"):
            is_stored = await self._password(
                keys=[keys.account(account.account), keys.sessions(account.account)],
                args=[keys.PREFIX, session, account.password, new],
            )
        return bool(int(is_stored))

    async def begin_attempt(self, limit: Limit, subject: str, *, now: float) -> Attempt:
        """Count an attempt. During a pause, return the remaining seconds instead."""
        with translated("counting an attempt"):
            wait, begins = await self._try(
                keys=[keys.tries(limit.kind, subject)],
                args=[now, FORGET_SECONDS, *limit.pauses()],
            )
        return Attempt(int(wait), bool(int(begins)))

    async def uncount(self, limit: Limit, subject: str, attempt: Attempt) -> None:
        """Subtract a successful attempt from the count. Failed attempts still count."""
        with translated("subtracting a successful attempt"):
            await self._give_back(
                keys=[keys.tries(limit.kind, subject)], args=[int(attempt.begins_pause)]
            )

    async def forget_attempts(self, limit: Limit, subject: str) -> None:
        """Reset the count of attempts to zero."""
        with translated("resetting the count of attempts"):
            await self._redis.delete(keys.tries(limit.kind, subject))
