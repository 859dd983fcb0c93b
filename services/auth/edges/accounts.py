"""Accounts in Redis, and who tried how often to be one.

Rule: every method is one round trip, and what has to be one step is a script.
"""

from dataclasses import dataclass, field
from typing import Any

from redis.asyncio import Redis

from services.auth import keys, scripts
from services.auth.edges.asking import translated
from services.auth.lockout import FORGET_SECONDS, Limit


@dataclass(frozen=True, slots=True)
class Kept:
    """An account as it is kept."""

    account: str
    email: str
    password: str = field(repr=False)
    created: float


@dataclass(frozen=True, slots=True)
class Try:
    """A try that was counted, or one that has to wait."""

    wait_seconds: int
    begins_pause: bool = False


class Accounts:
    """Every method raises UnavailableError when Redis is away."""

    def __init__(self, redis: Redis) -> None:
        # Answers are text: redis-py's types leave that open.
        self._redis: Any = redis
        self._account = redis.register_script(scripts.ACCOUNT)
        self._sign_up = redis.register_script(scripts.SIGN_UP)
        self._rehash = redis.register_script(scripts.REHASH)
        self._password = redis.register_script(scripts.PASSWORD)
        self._try = redis.register_script(scripts.TRY)
        self._give_back = redis.register_script(scripts.GIVE_BACK)

    async def add(self, kept: Kept) -> bool:
        """Keep a new account; False when its address is taken."""
        with translated("making an account"):
            told = await self._sign_up(
                keys=[keys.email(kept.email), keys.account(kept.account)],
                args=[kept.account, kept.email, kept.password, kept.created],
            )
        return bool(int(told))

    async def by_email(self, email: str) -> Kept | None:
        """The account of a normalised address."""
        with translated("reading an account"):
            told = await self._account(keys=[keys.email(email)], args=[keys.PREFIX])
        return Kept(told[0], told[1], told[2], float(told[3])) if told else None

    async def by_id(self, account_id: str) -> Kept | None:
        """An account by its id."""
        with translated("reading an account"):
            told = await self._redis.hgetall(keys.account(account_id))
        if not told:
            return None
        return Kept(account_id, told["email"], told["password"], float(told["created"]))

    async def rehash(self, account_id: str, *, old: str, new: str) -> bool:
        """Keep another hash of the same password; False when the password is another by now."""
        with translated("renewing a password's hash"):
            told = await self._rehash(keys=[keys.account(account_id)], args=[old, new])
        return bool(int(told))

    async def change_password(self, kept: Kept, *, new: str, session: str) -> bool:
        """Keep a new password and end all sessions but one; False when it is another by now."""
        with translated("changing a password"):
            told = await self._password(
                keys=[keys.account(kept.account), keys.sessions(kept.account)],
                args=[keys.PREFIX, session, kept.password, new],
            )
        return bool(int(told))

    async def begin_try(self, limit: Limit, subject: str, *, now: float) -> Try:
        """Count a try and begin the pause after it, or say how long to wait before it."""
        with translated("counting a try"):
            wait, begins = await self._try(
                keys=[keys.tries(limit.kind, subject)],
                args=[now, FORGET_SECONDS, *limit.pauses()],
            )
        return Try(int(wait), bool(int(begins)))

    async def give_back(self, limit: Limit, subject: str, tried: Try) -> None:
        """Count a try no more: it was a good one. The bad ones before it stay counted."""
        with translated("giving a try back"):
            await self._give_back(
                keys=[keys.tries(limit.kind, subject)], args=[int(tried.begins_pause)]
            )

    async def forget_tries(self, limit: Limit, subject: str) -> None:
        """Count from the beginning: who tried is who he says."""
        with translated("forgetting tries"):
            await self._redis.delete(keys.tries(limit.kind, subject))
