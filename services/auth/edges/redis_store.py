"""Auth's state, all of it in one Redis.

Rule: nothing is answered before Redis has stored it. Whether it is on disk by then depends on
Redis's own settings (see `Settings.redis_url`).
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import Redis

from services.auth.edges.accounts import Accounts
from services.auth.edges.api_tokens import ApiTokens
from services.auth.edges.connection import connection, translated
from services.auth.edges.sessions import Sessions
from services.auth.settings import Settings


class Store:
    """Open only inside `opened`."""

    def __init__(self, redis: Redis, settings: Settings) -> None:
        self._redis = redis
        self.accounts = Accounts(redis)
        self.sessions = Sessions(redis, settings)
        self.api_tokens = ApiTokens(redis)

    async def check(self) -> str | None:
        """None when Redis answers; raises UnavailableError when it does not."""
        with translated("asking Redis"):
            await self._redis.ping()
        return None


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Store]:
    """The store, which connects at its first command."""
    async with connection(settings) as redis:
        yield Store(redis, settings)
