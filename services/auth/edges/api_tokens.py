"""Stores API tokens in Redis.

Rule: every atomic operation is a Lua script. Listing tokens takes two round trips; every other
method takes one.
"""

from collections.abc import Mapping
from typing import Any

from redis.asyncio import Redis

from services.auth import keys, scripts
from services.auth.edges.connection import translated


class ApiTokens:
    """Reads and writes API tokens. Every method raises UnavailableError if Redis is unavailable."""

    def __init__(self, redis: Redis) -> None:
        # redis-py's type hints do not cover text responses.
        self._redis: Any = redis
        self._add = redis.register_script(scripts.ADD_API)
        self._used = redis.register_script(scripts.USED)
        self._revoke = redis.register_script(scripts.REVOKE)

    async def add(
        self, account_id: str, token_id: str, fields: Mapping[str, str], *, at: float, most: int
    ) -> bool:
        """Store a token; return False if the account already has `most` tokens."""
        with translated("creating an API token"):
            arguments = [part for pair in fields.items() for part in pair]
            is_added = await self._add(
                keys=[keys.api_token(token_id), keys.api_tokens(account_id)],
                args=[most, at, token_id, *arguments],
            )
        return bool(int(is_added))

    async def by_id(self, token_id: str) -> Mapping[str, str]:
        """Return a token's fields; the mapping is empty if there is no such token."""
        with translated("reading an API token"):
            fields: dict[str, str] = await self._redis.hgetall(keys.api_token(token_id))
        return fields

    async def of(self, account_id: str) -> list[tuple[str, Mapping[str, str]]]:
        """Return the ids and fields of an account's tokens, newest first."""
        with translated("listing API tokens"):
            ids = await self._redis.zrevrange(keys.api_tokens(account_id), 0, -1)
            pipeline = self._redis.pipeline(transaction=False)
            for token_id in ids:
                pipeline.hgetall(keys.api_token(token_id))
            answers = await pipeline.execute()
        return [(token_id, fields) for token_id, fields in zip(ids, answers, strict=True) if fields]

    async def note_use(self, token_id: str, *, at: float) -> None:
        """Record when a token was used, unless the token has been revoked in the meantime."""
        with translated("recording the use of an API token"):
            await self._used(keys=[keys.api_token(token_id)], args=[at])

    async def revoke(self, account_id: str, token_id: str) -> bool:
        """Revoke a token; return False if the account has no token with this id."""
        with translated("revoking an API token"):
            is_revoked = await self._revoke(
                keys=[keys.api_token(token_id), keys.api_tokens(account_id)],
                args=[account_id, token_id],
            )
        return bool(int(is_revoked))
