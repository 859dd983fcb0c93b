"""Combines auth's stores. All of auth's state is stored on one Redis server.

Rule: auth responds to a request only after Redis has confirmed the change. The Redis settings
determine whether the change is on disk by then (see `Settings.redis_url`).
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
    """Auth's data stores, which can be used only inside the `opened` context."""

    def __init__(self, redis: Redis, settings: Settings) -> None:
        self._redis = redis
        self.accounts = Accounts(redis)
        self.sessions = Sessions(redis, settings)
        self.api_tokens = ApiTokens(redis)

    async def check(self) -> str | None:
        """Return None if Redis responds; otherwise raise UnavailableError."""
        with translated("checking Redis"):
            await self._redis.ping()
        return None


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Store]:
    """Yield the store, which connects to Redis when it sends its first command."""
    async with connection(settings) as redis:
        yield Store(redis, settings)
