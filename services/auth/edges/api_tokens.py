"""API tokens in Redis.

Rule: what must be atomic is a script; only listing tokens takes two round trips.
"""

from collections.abc import Mapping
from typing import Any

from redis.asyncio import Redis

from services.auth import keys, scripts
from services.auth.edges.connection import translated


class ApiTokens:
    """Every method raises UnavailableError when Redis is away."""

    def __init__(self, redis: Redis) -> None:
        # redis-py's types do not say that answers are text.
        self._redis: Any = redis
        self._add = redis.register_script(scripts.ADD_API)
        self._used = redis.register_script(scripts.USED)
        self._revoke = redis.register_script(scripts.REVOKE)

    async def add(
        self, account_id: str, token_id: str, fields: Mapping[str, str], *, at: float, most: int
    ) -> bool:
        """Store a token; False when the account has `most`."""
        with translated("making an API token"):
            arguments = [part for pair in fields.items() for part in pair]
            is_added = await self._add(
                keys=[keys.api_token(token_id), keys.api_tokens(account_id)],
                args=[most, at, token_id, *arguments],
            )
        return bool(int(is_added))

    async def by_id(self, token_id: str) -> Mapping[str, str]:
        """A token's fields; empty when there is no such token."""
        with translated("reading an API token"):
            fields: dict[str, str] = await self._redis.hgetall(keys.api_token(token_id))
        return fields

    async def of(self, account_id: str) -> list[tuple[str, Mapping[str, str]]]:
        """An account's tokens, the newest first."""
        with translated("listing API tokens"):
            ids = await self._redis.zrevrange(keys.api_tokens(account_id), 0, -1)
            pipeline = self._redis.pipeline(transaction=False)
            for token_id in ids:
                pipeline.hgetall(keys.api_token(token_id))
            answers = await pipeline.execute()
        return [(token_id, fields) for token_id, fields in zip(ids, answers, strict=True) if fields]

    async def note_use(self, token_id: str, *, at: float) -> None:
        """Record when a token was used, unless it was revoked meanwhile."""
        with translated("recording a use"):
            await self._used(keys=[keys.api_token(token_id)], args=[at])

    async def revoke(self, account_id: str, token_id: str) -> bool:
        """Revoke a token; False when the account has no token with this id."""
        with translated("revoking an API token"):
            is_revoked = await self._revoke(
                keys=[keys.api_token(token_id), keys.api_tokens(account_id)],
                args=[account_id, token_id],
            )
        return bool(int(is_revoked))
