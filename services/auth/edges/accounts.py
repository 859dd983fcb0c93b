"""Accounts in Redis, and counts of the attempts to log in.

Rule: every method is one round trip, and what must be atomic is a script.
"""

from dataclasses import dataclass, field
from typing import Any

from redis.asyncio import Redis

from services.auth import keys, scripts
from services.auth.edges.connection import translated
from services.auth.lockout import FORGET_SECONDS, Limit


@dataclass(frozen=True, slots=True)
class StoredAccount:
    """An account as it is stored."""

    account: str
    email: str
    password: str = field(repr=False)
    created: float


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that was counted, or one that has to wait."""

    wait_seconds: int
    begins_pause: bool = False


class Accounts:
    """Every method raises UnavailableError when Redis is away."""

    def __init__(self, redis: Redis) -> None:
        # redis-py's types do not say that answers are text.
        self._redis: Any = redis
        self._account = redis.register_script(scripts.ACCOUNT)
        self._sign_up = redis.register_script(scripts.SIGN_UP)
        self._rehash = redis.register_script(scripts.REHASH)
        self._password = redis.register_script(scripts.PASSWORD)
        self._try = redis.register_script(scripts.TRY)
        self._give_back = redis.register_script(scripts.GIVE_BACK)

    async def add(self, account: StoredAccount) -> bool:
        """Store a new account; False when its address is taken."""
        with translated("making an account"):
            is_new = await self._sign_up(
                keys=[keys.email(account.email), keys.account(account.account)],
                args=[account.account, account.email, account.password, account.created],
            )
        return bool(int(is_new))

    async def by_email(self, email: str) -> StoredAccount | None:
        """The account of a normalised address."""
        with translated("reading an account"):
            fields = await self._account(keys=[keys.email(email)], args=[keys.PREFIX])
        return StoredAccount(fields[0], fields[1], fields[2], float(fields[3])) if fields else None

    async def by_id(self, account_id: str) -> StoredAccount | None:
        """An account by its id."""
        with translated("reading an account"):
            fields = await self._redis.hgetall(keys.account(account_id))
        if not fields:
            return None
        return StoredAccount(
            account_id, fields["email"], fields["password"], float(fields["created"])
        )

    async def rehash(self, account_id: str, *, old: str, new: str) -> bool:
        """Store a new hash of the same password; False when the password has changed since."""
        with translated("renewing a password's hash"):
            is_stored = await self._rehash(keys=[keys.account(account_id)], args=[old, new])
        return bool(int(is_stored))

    async def change_password(self, account: StoredAccount, *, new: str, session: str) -> bool:
        """Store a new password and end the other sessions; False when it has changed since."""
        with translated("changing a password"):
            is_stored = await self._password(
                keys=[keys.account(account.account), keys.sessions(account.account)],
                args=[keys.PREFIX, session, account.password, new],
            )
        return bool(int(is_stored))

    async def begin_attempt(self, limit: Limit, subject: str, *, now: float) -> Attempt:
        """Count an attempt and begin the pause after it, or say how long to wait before it."""
        with translated("counting an attempt"):
            wait, begins = await self._try(
                keys=[keys.tries(limit.kind, subject)],
                args=[now, FORGET_SECONDS, *limit.pauses()],
            )
        return Attempt(int(wait), bool(int(begins)))

    async def uncount(self, limit: Limit, subject: str, attempt: Attempt) -> None:
        """Uncount an attempt that succeeded. The failed ones before it stay counted."""
        with translated("uncounting an attempt"):
            await self._give_back(
                keys=[keys.tries(limit.kind, subject)], args=[int(attempt.begins_pause)]
            )

    async def forget_attempts(self, limit: Limit, subject: str) -> None:
        """Restart the count."""
        with translated("forgetting attempts"):
            await self._redis.delete(keys.tries(limit.kind, subject))
