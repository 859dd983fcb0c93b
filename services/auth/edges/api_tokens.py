"""API tokens in Redis.

Rule: what has to be one step is a script; only a list of tokens takes two round trips.
"""

from collections.abc import Mapping
from typing import Any

from redis.asyncio import Redis

from services.auth import keys, scripts
from services.auth.edges.asking import translated


class ApiTokens:
    """Every method raises UnavailableError when Redis is away."""

    def __init__(self, redis: Redis) -> None:
        # Answers are text: redis-py's types leave that open.
        self._redis: Any = redis
        self._add = redis.register_script(scripts.ADD_API)
        self._used = redis.register_script(scripts.USED)
        self._revoke = redis.register_script(scripts.REVOKE)

    async def add(
        self, account_id: str, token_id: str, told: Mapping[str, str], *, at: float, most: int
    ) -> bool:
        """Keep a token; False when the account has `most`."""
        with translated("making an API token"):
            fields = [part for pair in told.items() for part in pair]
            made = await self._add(
                keys=[keys.api_token(token_id), keys.api_tokens(account_id)],
                args=[most, at, token_id, *fields],
            )
        return bool(int(made))

    async def by_id(self, token_id: str) -> Mapping[str, str]:
        """A token's fields; none when there is no such token."""
        with translated("reading an API token"):
            told: dict[str, str] = await self._redis.hgetall(keys.api_token(token_id))
        return told

    async def of(self, account_id: str) -> list[tuple[str, Mapping[str, str]]]:
        """An account's tokens, the newest first."""
        with translated("listing API tokens"):
            ids = await self._redis.zrevrange(keys.api_tokens(account_id), 0, -1)
            pipeline = self._redis.pipeline(transaction=False)
            for token_id in ids:
                pipeline.hgetall(keys.api_token(token_id))
            found = await pipeline.execute()
        return [(token_id, told) for token_id, told in zip(ids, found, strict=True) if told]

    async def note_use(self, token_id: str, *, at: float) -> None:
        """Note when a token was used, unless it was revoked meanwhile."""
        with translated("noting a use"):
            await self._used(keys=[keys.api_token(token_id)], args=[at])

    async def revoke(self, account_id: str, token_id: str) -> bool:
        """Revoke a token; False when the account has none of this id."""
        with translated("revoking an API token"):
            told = await self._revoke(
                keys=[keys.api_token(token_id), keys.api_tokens(account_id)],
                args=[account_id, token_id],
            )
        return bool(int(told))
